"""A study as an object: its runs, verdicts and tables."""

import pytest

import deeptheory as dt
from deeptheory.errors import InputError
from deeptheory.store import paths
from deeptheory.studies import run_sweep

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_study_gives_what_its_files_hold(study):
    opened = dt.open_study(str(study))
    assert repr(opened) == f"Study {study}: 1 run (seed-3)"
    assert [run.directory for run in opened.runs] == [study / "seed-3"]
    assert str(opened.verdicts) in (study / paths.TABLES).read_text(encoding="utf-8")
    assert str(opened.accuracies) in (study / paths.TABLES).read_text(encoding="utf-8")
    assert "<table>" in opened.overview._repr_html_()


def test_frames_of_all_runs(study):
    pandas = pytest.importorskip("pandas")
    frame = dt.open_study(study).to_frame("arms")
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.names == ["run", "arm"]


def test_a_study_without_verdicts_and_a_directory_without_runs_say_so(study, tmp_path):
    (study / paths.VERDICTS).unlink()
    with pytest.raises(InputError, match=r"expected verdicts, found none; finish it with dt\.confirm"):
        _ = dt.open_study(study).verdicts
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"which holds notes\.txt, study"):
        dt.open_study(tmp_path)


def test_a_sweep_is_opened_as_a_study(tmp_path, sweep_of):
    asked = sweep_of({"network.width": [0.125]}, steps="train")
    run_sweep(asked, tmp_path / "sweep", quiet=True)
    opened = dt.open_study(tmp_path / "sweep")
    assert repr(opened).startswith(f"Sweep {tmp_path / 'sweep'}: ")
    assert "done" in str(opened.overview)
    assert opened.accuracies.rows


def test_one_run_is_no_study(run):
    with pytest.raises(
        InputError, match=r"expected a directory of runs, found one run; open it with dt\.open_run"
    ):
        dt.open_study(run.directory)
