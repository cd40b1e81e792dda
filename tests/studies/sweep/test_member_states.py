import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, failure_log
from deeptheory.store import paths
from deeptheory.studies import sweep
from deeptheory.studies.sweep import expand
from deeptheory.studies.sweep.member_states import STATES, states
from deeptheory.studies.sweep.options import sweep_to_toml


@pytest.fixture
def asked(sweep_of, tmp_path):
    """A sweep of two members, of which nothing is there yet."""
    asked = sweep_of(steps="train")
    (tmp_path / paths.SWEEP).write_text(sweep_to_toml(asked), encoding="utf-8")
    return asked


@pytest.fixture
def run(asked, tmp_path):
    """The run of the first member."""
    member = expand(asked)[0]
    return Run.create(tmp_path / member.name, member.config, quiet=True)


def fail(run, text):
    failure_log.keep(run, ValueError(text))


def first(asked, root):
    return states(asked, root)[0]


def test_a_member_of_which_nothing_is_there_is_missing(asked, tmp_path):
    assert [of.state for of in states(asked, tmp_path)] == ["missing", "missing"]


def test_the_state_of_a_member_follows_its_files(asked, run, tmp_path):
    assert first(asked, tmp_path).state == "missing"
    fail(run, "at once")
    assert (first(asked, tmp_path).state, first(asked, tmp_path).error) == ("failed", "ValueError: at once")
    run.record("begun, as far as train")
    assert first(asked, tmp_path).state == "missing"
    (run.directory / paths.CHECKPOINT).touch()
    assert first(asked, tmp_path).state == "partial"
    fail(run, "later")
    assert first(asked, tmp_path).state == "failed"
    run.finish("train", {}, started=0.0)
    assert (first(asked, tmp_path).state, first(asked, tmp_path).error) == ("done", "")


def test_a_member_is_partial_where_a_later_step_is_asked(run, sweep_of, tmp_path):
    run.finish("train", {}, started=0.0)
    assert first(sweep_of(steps="measure"), tmp_path).state == "partial"


def test_a_damaged_member_is_not_done_and_stops_nothing(asked, run, tmp_path):
    run.results.write_bytes(b"damaged")
    assert first(asked, tmp_path).state == "partial"


def test_the_status_counts_and_names_what_is_not_done(asked, run, tmp_path):
    fail(run, "why")
    other = Run.create(tmp_path / "seed-9-01234567", run.config)
    report = sweep.status(tmp_path)
    names = [member.name for member in expand(asked)]
    log = run.directory / paths.LOG
    assert report.text.splitlines() == [
        f"sweep {tmp_path}, as far as train: 2 members, 0 done, 0 partial, 1 failed, 1 missing",
        f"{'not done':{len(names[0])}}  state",
        "-" * (len(names[0]) + 9),
        f"{names[0]}  failed",
        f"{names[1]}  missing",
        f"{names[0]}: failed, ValueError: why; see {log}",
        f"1 runs of other configurations are no part of it and stay as they are: {other.directory.name}",
    ]
    assert report.numbers["counts"] == dict(zip(STATES, (0, 0, 1, 1), strict=True))
    assert report.numbers["members"][1] == {
        "member": names[1],
        "state": "missing",
        "error": None,
        "locked": None,
    }
    assert report.numbers["other_runs"] == [other.directory.name]


def test_a_directory_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^sweep: expected a directory with sweep.toml, found .*; start one with"
    ):
        sweep.status(tmp_path)
