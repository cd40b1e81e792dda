import h5py
import pytest

from deeptheory.reports.html.provenance import provenance_tables
from deeptheory.store import paths

pytestmark = pytest.mark.usefixtures("one_thread")


def test_machines_are_told_apart_and_shown_once(run):
    steps, machine = provenance_tables([run], ["seed 3"])
    assert [row[1] for row in steps.rows] == list(paths.STEPS)
    assert {(row[0], row[-1]) for row in steps.rows} == {("seed 3", "1")}
    assert dict(machine.rows)["host"] == run.read_text("provenance/train/host")
    assert dict(machine.rows)["numpy"] == run.read_text("provenance/train/packages/numpy")
    with h5py.File(run.results, "r+") as file:
        del file["provenance/prune/host"]
        file["provenance/prune/host"] = "<elsewhere>"
    steps, _, other = provenance_tables([run], ["seed 3"])
    assert [row[-1] for row in steps.rows] == ["1", "1", "1", "2", "1"]
    assert ("host", "<elsewhere>") in other.rows


def test_a_revision_says_whether_there_were_changes(run):
    with h5py.File(run.results, "r+") as file:
        for step, (revision, dirty) in zip(
            paths.STEPS, (("0123456789abcdef", True), ("", False)), strict=False
        ):
            for name, value in (("git_revision", revision), ("git_dirty", dirty)):
                del file[f"provenance/{step}/{name}"]
                file[f"provenance/{step}/{name}"] = value
    rows = provenance_tables([run], ["seed 3"])[0].rows
    assert [row[5] for row in rows[:2]] == ["0123456789 with changes", "none"]
