"""Tiny sweeps: what is computed, what is kept, and the tables of results."""

import csv
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge import with_interval
from deeptheory.runs import Run, failure_log, steps
from deeptheory.runs.summaries import step_summaries
from deeptheory.store import paths
from deeptheory.studies import local_processes, read_sweep, run_member, run_sweep, sweep
from deeptheory.studies.sweep import results
from deeptheory.studies.sweep.seed_means import summary

SHIPPED = Path(__file__).parents[3] / "simulations" / "label-scaling.toml"
GRID = {"data.n_labels": [3, 5]}


@pytest.fixture(scope="module")
def swept(tmp_path_factory, sweep_of):
    return run_sweep(sweep_of(GRID), tmp_path_factory.mktemp("sweep") / "labels", quiet=True)


@pytest.fixture
def copied(swept, tmp_path):
    """The directory of the sweep, to be changed by a test."""
    return shutil.copytree(swept.directory, tmp_path / "labels")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def variants(tmp_path):
    """One that works and one whose data turn out to be none when they are read."""
    (tmp_path / "damaged.npz").write_bytes(b"damaged")
    damaged = {"data.source": "files", "data.path": str(tmp_path / "damaged.npz")}
    return {"name": "damaged", **damaged}, {"name": "glyphs", "data.source": "glyphs"}


def test_every_member_is_a_run_as_far_as_it_was_asked(swept):
    assert [of.state for of in swept.members] == ["done"] * 4
    assert swept.complete
    for of in swept.members:
        run = Run(of.directory)
        assert run.config == of.member.config
        assert run.done("measure")
        assert not run.done("predict")
    assert "4 members, 4 done, 0 partial, 0 failed, 0 missing" in swept.text


def test_the_table_of_members_is_that_of_the_runs(swept):
    rows = read_csv(swept.directory / paths.SWEEP_MEMBERS)
    assert [(row["data.n_labels"], row["seed"]) for row in rows] == [
        ("3", "3"), ("3", "4"), ("5", "3"), ("5", "4"),
    ]  # fmt: skip
    for row, of in zip(rows, swept.members, strict=True):
        assert row["member"] == of.directory.name
        assert float(row["test_accuracy"]) == Run(of.directory).read_number("train/accuracy/test")


def test_the_table_of_stages_has_a_row_for_every_member_and_stage(swept):
    rows = read_csv(swept.directory / paths.SWEEP_STAGES)
    assert len(rows) == 4 * 5
    run = Run(swept.members[1].directory)
    numbers = step_summaries.stage_numbers(run, "stage2")
    assert rows[6]["member"] == run.directory.name
    assert rows[6]["stage"] == "stage2"
    assert {name: float(rows[6][name]) for name in numbers} == pytest.approx(numbers, rel=1e-15, nan_ok=True)


def test_both_tables_are_in_one_file_for_programs(swept):
    with h5py.File(swept.directory / paths.SWEEP_RESULTS) as file:
        assert file["sweep"].asstr()[()] == (swept.directory / paths.SWEEP).read_text()
        members, stages = file["members"], file["stages"]
        assert list(members["data.n_labels"]) == [3, 3, 5, 5]
        assert list(members["member"].asstr()) == [of.directory.name for of in swept.members]
        rows = read_csv(swept.directory / paths.SWEEP_STAGES)
        np.testing.assert_array_equal(stages["noise"], [float(row["noise"]) for row in rows])


def test_the_summary_is_the_mean_over_seeds(swept):
    rows = swept.results.numbers["members"]
    of_three = with_interval([row["test_accuracy"] for row in rows[:2]], 0.95, ".4f")
    assert f"3             2  {of_three}" in swept.text
    assert "last stage (stage5)" in swept.text
    assert (swept.directory / paths.SWEEP_SUMMARY).read_text() == swept.results.text + "\n"


def test_what_is_done_is_not_computed_again(swept, sweep_of, monkeypatch):
    computed = []
    monkeypatch.setattr(steps, "chain", lambda run, until: computed.append(run))
    before = {of.directory: (of.directory / paths.RESULTS).stat().st_mtime_ns for of in swept.members}
    again = run_sweep(sweep_of(GRID), swept.directory, quiet=True)
    assert (again.text, computed) == (swept.text, [])
    assert before == {path: (path / paths.RESULTS).stat().st_mtime_ns for path in before}


def test_a_larger_grid_adds_members(copied, sweep_of, monkeypatch):
    computed = []
    monkeypatch.setattr(steps, "chain", lambda run, until: computed.append(run.directory.name))
    more = sweep_of({"data.n_labels": [3, 4, 5]}, judge={"seeds": 3})
    after = run_sweep(more, copied, quiet=True)
    assert [of.state for of in after.members] == [
        "done",
        "done",
        "missing",
        *["missing"] * 3,
        "done",
        "done",
        "missing",
    ]
    assert computed == [of.directory.name for of in after.members if of.state == "missing"]
    assert len(after.results.numbers["members"]) == 4


def test_another_configuration_makes_other_members_and_overwrites_none(swept, copied, sweep_of, monkeypatch):
    monkeypatch.setattr(steps, "chain", lambda run, until: None)
    other = run_sweep(sweep_of(GRID, measure={"bootstrap": 200}), copied, quiet=True)
    assert [of.state for of in other.members] == ["missing"] * 4
    names = {of.directory.name for of in swept.members}
    assert names.isdisjoint(of.directory.name for of in other.members)
    assert all((copied / name / paths.RESULTS).exists() for name in names)
    assert "runs of other configurations are no part of it and stay as they are: " in other.text
    assert set(other.status.numbers["other_runs"]) == names
    assert other.results.text == "no member is finished"


def test_a_failing_member_does_not_stop_the_others_and_is_tried_again(sweep_of, tmp_path, monkeypatch):
    asked = sweep_of(variants=variants(tmp_path), steps="train", judge={"seeds": 1})
    swept = run_sweep(asked, tmp_path / "sweep", quiet=True)
    assert not swept.complete
    damaged, fine = swept.members
    assert (damaged.state, fine.state) == ("failed", "done")
    assert damaged.error.startswith("InputError: ")
    assert "damaged.npz" in damaged.error
    assert damaged.text.endswith(f"; see {damaged.directory / paths.LOG}")
    assert "Traceback" in (damaged.directory / paths.LOG).read_text()
    (row,) = swept.results.numbers["members"]
    assert (row["variant"], row["data.source"]) == ("glyphs", "glyphs")
    tried = []
    monkeypatch.setattr(steps, "chain", lambda run, until: tried.append(run.directory))
    run_sweep(asked, tmp_path / "sweep", quiet=True)
    assert tried == [damaged.directory]


def test_members_side_by_side_fail_alone_too(sweep_of, tmp_path):
    asked = sweep_of(variants=variants(tmp_path), steps="train", judge={"seeds": 1})
    swept = run_sweep(asked, tmp_path / "sweep", jobs=2, quiet=True)
    assert [of.state for of in swept.members] == ["failed", "done"]
    assert "damaged.npz" in swept.members[0].error


def test_a_variant_is_a_set_of_options_with_a_name(sweep_of, tmp_path):
    untrained = {"name": "untrained", "train.epochs": 0}
    asked = sweep_of(variants=({"name": "trained"}, untrained), steps="train", judge={"seeds": 1})
    rows = run_sweep(asked, tmp_path / "sweep", quiet=True).results.numbers["members"]
    assert [(row["variant"], row["train.epochs"]) for row in rows] == [("trained", 1), ("untrained", 0)]
    assert rows[0]["member"].startswith("trained-seed-3-")
    assert rows[0]["test_accuracy"] != rows[1]["test_accuracy"]


def test_a_killed_process_is_a_failure(sweep_of, tmp_path, monkeypatch):
    killed = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(
        local_processes, "_command", lambda *_: [local_processes.sys.executable, "-c", killed]
    )
    swept = run_sweep(sweep_of(), tmp_path / "sweep", jobs=2, quiet=True)
    assert {of.error for of in swept.members} == {"the process ended by signal 9"}


def test_an_interruption_ends_the_sweep_and_is_no_failure(sweep_of, tmp_path, monkeypatch):
    def interrupt(run):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "train", interrupt)
    asked = sweep_of()
    with pytest.raises(KeyboardInterrupt):
        run_sweep(asked, tmp_path / "sweep", quiet=True)
    found = sweep.member_states.states(asked, tmp_path / "sweep")
    assert [of.state for of in found] == ["missing", "missing"]
    assert failure_log.last(found[0].directory) is None


def test_one_member_is_computed_by_its_place(sweep_of, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "chain", lambda run, until: run.finish(until, {}, started=0.0))
    asked = sweep_of(GRID, steps="train")
    state = run_member(asked, tmp_path / "sweep", 2, quiet=True)
    assert (state.state, state.member.config.data.n_labels, state.member.config.seed) == ("done", 5, 3)
    assert [of.state for of in sweep.member_states.states(asked, tmp_path / "sweep")].count("done") == 1
    assert not (tmp_path / "sweep" / paths.SWEEP_MEMBERS).exists()
    with pytest.raises(InputError, match=r"^--index: expected 0 to 3, one for every member, found 4$"):
        run_member(asked, tmp_path / "sweep", 4, quiet=True)


def test_the_arms_are_columns_of_the_members(finished_study, sweep_of, tmp_path, tiny_config):
    asked = sweep.Sweep(tiny_config, sweep.SweepOptions())
    (member,) = sweep.expand(asked)
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / paths.SWEEP).write_text(sweep.options.sweep_to_toml(asked), encoding="utf-8")
    (tmp_path / "sweep" / member.name).symlink_to(finished_study / "seed-3")
    collected = sweep.collect(tmp_path / "sweep")
    (row,) = collected.numbers["members"]
    for arm in ("unpruned", "afcc", "magnitude"):
        assert row[f"retrained_{arm}"] == Run(finished_study / "seed-3").read_number(
            f"retrain/arms/{arm}/accuracy"
        )
    assert "retrained label-permuted" in collected.text


def test_no_spreadsheet_computes_a_text(tmp_path):
    results._write_csv(
        tmp_path / "table.csv", [{"variant": "=1+1", "path": "@x", "loss": -0.5, "name": "a=b"}]
    )
    assert (tmp_path / "table.csv").read_text() == "variant,path,loss,name\n'=1+1,'@x,-0.5,a=b\n"


def test_what_a_member_does_not_have_is_empty_and_what_is_not_finite_has_no_mean(tmp_path):
    rows = [{"stages": ("a", "b"), "noise": 1.0}, {"stages": ("a",)}]
    results._write_csv(tmp_path / "table.csv", rows)
    assert (tmp_path / "table.csv").read_text() == 'stages,noise\n"[""a"", ""b""]",1.0\n"[""a""]",\n'
    arrays = results._arrays(rows)
    assert arrays["stages"] == ['["a", "b"]', '["a"]']
    np.testing.assert_array_equal(arrays["noise"], [1.0, np.nan])
    of_seeds = [{"n": 3, "test_accuracy": value} for value in (0.5, np.nan)]
    text = str(summary([*of_seeds, {"n": 5, "test_accuracy": 0.25}], [], ["n"], 0.95)[0])
    assert text.splitlines()[-2:] == ["3      2              -", "5      1         0.2500"]


def test_a_directory_with_other_files_is_refused(sweep_of, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        InputError, match=r"^directory .*: expected an empty directory or a sweep, found other files"
    ):
        run_sweep(sweep_of(), tmp_path, quiet=True)


def test_a_file_that_another_member_is_just_writing_is_no_other_file(sweep_of, tmp_path, monkeypatch):
    (tmp_path / f".{paths.SWEEP}.0123.part").touch()
    monkeypatch.setattr(steps, "chain", lambda run, until: None)
    assert run_member(sweep_of(), tmp_path, 0, quiet=True).state == "missing"


def test_bad_members_are_refused_before_anything_starts(sweep_of, tmp_path):
    with pytest.raises(InputError, match="member 'n_labels=2'"):
        run_sweep(sweep_of({"data.n_labels": [3, 2]}), tmp_path / "sweep", quiet=True)
    assert not (tmp_path / "sweep").exists()


def test_the_study_of_the_number_of_labels_runs(tmp_path):
    overrides = (
        "sweep.grid.data.n_labels=[3, 5]", "data.train_per_label=20", "data.test_per_label=10", "train.epochs=1",
        "network.width=0.0625", "measure.bootstrap=100", "judge.seeds=1",
    )  # fmt: skip
    swept = run_sweep(read_sweep(SHIPPED, overrides), tmp_path / "sweep", quiet=True)
    assert [of.state for of in swept.members] == ["done", "done"]
    assert len(swept.results.numbers["stages"]) == 2  # the last stage alone
