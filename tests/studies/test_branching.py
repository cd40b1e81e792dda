"""Branches of runs and studies: what they share, and the same bits as fresh runs."""

import json
import shutil

import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.verification import verify
from deeptheory.store import paths
from deeptheory.studies import confirm
from deeptheory.studies.branching import branch
from deeptheory.studies.soundness import check_independent
from tests.conftest import TINY


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def branched(run, target, *overrides):
    """The branch of a run, and what is said of it; the run itself is not touched."""
    before = contents(run.directory)
    said = branch(run.directory, target, overrides, quiet=True).numbers["runs"][0]
    assert contents(run.directory) == before
    return Run(target, quiet=True), said


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A finished run of the tiny configuration with other options, made from the start."""

    def make(**changes):
        config = config_from(
            {name: {**t, **changes.get(name, {})} for name, t in TINY.items() if name != "seed"} | {"seed": 3}
        )
        run = Run.create(tmp_path_factory.mktemp("fresh") / "run", config, quiet=True)
        steps.chain(run)
        return run

    return make


@pytest.mark.parametrize(
    ("changes", "taken", "to_do"),
    [
        (
            {"measure": {"stages": ["stage3", "stage4", "stage5"]}},
            "train, probes (stage3, stage4, stage5), retrain (unpruned)",
            ["measure", "predict", "prune", "retrain"],
        ),
        (
            {"prune": {"threshold": 0.4}},
            "train, measure, retrain (unpruned)",
            ["predict", "prune", "retrain"],
        ),
        (
            {"retrain": {"epochs": 2}},
            "train, measure, prune",
            ["predict", "retrain"],
        ),
        (
            {"prune": {"arms": ["afcc", "random", "lamp"]}},
            "train, measure, retrain (afcc, random, unpruned)",
            ["predict", "prune", "retrain"],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_branch_ends_with_the_bits_of_a_run_made_with_its_options_from_the_start(
    run, tmp_path, fresh, assert_same, changes, taken, to_do
):
    overrides = [f"{table}.{name}={json.dumps(v)}" for table, of in changes.items() for name, v in of.items()]
    new, said = branched(run, tmp_path / "new", *overrides)
    assert said["taken_over"] == taken
    assert said["to_do"] == to_do
    steps.chain(new)
    other = fresh(**changes)
    assert new.config == other.config
    assert new.read_text(paths.CONFIG_TEXT) == other.read_text(paths.CONFIG_TEXT)
    for step in paths.STEPS:
        assert_same(new.read_tree(step), other.read_tree(step), step)
        assert run.config != new.config


def test_what_is_taken_over_keeps_its_provenance_checksums_and_order(run, tmp_path):
    new, _ = branched(run, tmp_path / "new", "retrain.epochs=2")
    assert new.entry_names("train/state") == run.entry_names("train/state")
    assert new.entry_names("measure") == run.entry_names("measure")
    for entry in ("provenance/prune", "train/finished", "measure/stages/stage4"):
        assert str(new.entry(entry)) == str(run.entry(entry))
    found = verify(new.directory).numbers
    assert found["damaged"] == 0
    assert all(file["unchecked"] == 0 for file in found["files"])


def test_a_step_in_parts_says_where_the_old_ones_are_from(run, tmp_path):
    new, _ = branched(run, tmp_path / "new", "prune.threshold=0.4")
    assert new.entry_names("retrain/arms") == ["unpruned"]
    assert not new.done("retrain")
    where = paths.join(paths.BRANCH, "provenance/retrain")
    assert str(new.read_tree(where)) == str(run.read_tree("provenance/retrain")).replace(
        run.directory.name, new.directory.name
    )


def test_without_changes_it_is_a_copy(run, tmp_path, assert_same):
    steps.compact(run, ["afcc"])
    new, said = branched(run, tmp_path / "new")
    assert said["to_do"] == []
    for step in (*paths.STEPS, paths.COMPACT):
        assert_same(new.read_tree(step), run.read_tree(step))
    name = paths.compact_file(run.directory, "afcc").name
    assert (new.directory / name).read_bytes() == (run.directory / name).read_bytes()


def test_results_beside_the_steps_are_taken_over_one_by_one(run, tmp_path):
    steps.compact(run, ["afcc", "magnitude"])
    for entry in (
        "compare/unpruned",
        "compare/random/0.5",
        "compare/afcc/0.5",
        "budget/tolerance-0.1",
        "rounds/afcc/0.5/0",
    ):
        run.store(entry, {"accuracy": 0.5})
    run.store("budget/paths/head", {"inputs": 1})
    measured, said = branched(run, tmp_path / "measured", "measure.threshold=0.4")
    assert measured.entry_names("compare") == ["random", "unpruned"]
    assert measured.entry_names("budget") == ["paths", "tolerance-0.1"]
    assert said["left"] == (
        "measure, predict, prune, retrain, compare (afcc), rounds (afcc), compact (afcc, magnitude)"
    )
    longer, _ = branched(run, tmp_path / "longer", "retrain.l2=0.1")
    assert longer.entry_names("budget") == ["paths"]
    assert longer.entry_names("compare") == []
    arms, _ = branched(run, tmp_path / "arms", 'prune.arms=["afcc", "lamp"]')
    assert arms.entry_names("compact") == ["afcc"]
    assert arms.entry_names("compare") == ["afcc", "random", "unpruned"]


def test_the_same_branch_again_changes_nothing(run, tmp_path):
    new, _ = branched(run, tmp_path / "new", "prune.threshold=0.4")
    before = contents(new.directory)
    again, said = branched(run, new.directory, "prune.threshold=0.4")
    assert said["existed"]
    assert contents(again.directory) == before


def test_a_branch_that_went_on_since_is_left_as_it_is(run, tmp_path):
    more = ("compare.densities=0.5,0.2",)
    new, _ = branched(run, tmp_path / "new", *more)
    config = new.directory / paths.CONFIG
    config.write_text(config.read_text().replace("densities = [0.5, 0.2]", "densities = [0.5, 0.1]"))
    before = contents(new.directory)
    for asked in (more, ("compare.densities=0.5,0.1",), (*more, "measure.threshold=0.3")):
        _, said = branched(run, new.directory, *asked)
        assert said["existed"]
        assert contents(new.directory) == before
    for other, asked in (
        ("[0.3]", "compare.densities=0.3"),
        ("[0.5, 0.2, 0.1, 0.05, 0.02]", "judge.seeds=1"),
    ):
        text = refused(run.directory, new.directory, asked)
        assert f"compare.densities = [0.5, 0.1] there, {other} asked" in text


def test_a_damaged_file_of_a_compact_network_is_not_taken_over(run, tmp_path):
    steps.compact(run, ["afcc", "magnitude"])
    path = paths.compact_file(run.directory, "afcc")
    path.write_bytes(path.read_bytes()[:-100])
    new, said = branched(run, tmp_path / "new")
    assert said["left"] == "compact (afcc)"
    assert new.entry_names(paths.COMPACT) == ["magnitude"]
    assert not paths.compact_file(new.directory, "afcc").exists()
    assert paths.compact_file(new.directory, "magnitude").exists()
    steps.compact(new, ["afcc"])
    assert paths.compact_file(new.directory, "afcc").exists()


def test_a_branch_that_was_cut_off_is_made_by_the_next_call(run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("deeptheory.runs.branching._record", None)
        with pytest.raises(TypeError):
            branch(run.directory, tmp_path / "new", ["prune.threshold=0.4"], quiet=True)
    new, said = branched(run, tmp_path / "new", "prune.threshold=0.4")
    assert new.done("measure")
    assert not said["existed"]


def test_it_records_where_it_is_from(run, tmp_path):
    new, _ = branched(run, tmp_path / "new", "prune.threshold=0.4")
    record = new.read_tree(paths.BRANCH)
    assert record["source"] == str(run.directory.resolve())
    assert len(record["sha256"]) == 64
    assert [record[name] for name in ("options", "old", "new")] == [["prune.threshold"], ["0.5"], ["0.4"]]
    twice, _ = branched(new, tmp_path / "twice")
    assert twice.read_tree(paths.BRANCH)["source"] == str(new.directory.resolve())
    assert twice.read_tree(paths.BRANCH)["sha256"] == record["sha256"]


def test_a_branch_is_no_second_seed(run, tmp_path):
    new, _ = branched(run, tmp_path / "new", "prune.threshold=0.4")
    with pytest.raises(InputError, match="the same weights in "):
        check_independent([run, new])


def test_a_study_goes_on_from_the_branches_of_its_runs_without_training(
    study, tmp_path, monkeypatch, tiny_config
):
    overrides = ["prune.threshold=0.4", "judge.margin=2.0"]
    said = branch(study, tmp_path / "new", overrides, quiet=True).numbers
    assert [one["run"] for one in said["runs"]] == [str(tmp_path / "new" / "seed-3")]
    assert said["changed"]["judge.margin"] == {"old": 0.5, "new": 2.0}
    monkeypatch.setattr("deeptheory.runs.steps.training.nn.fit", None)
    monkeypatch.setattr("deeptheory.runs.steps.retraining._retrain_arm", _as_it_was(study))
    calibrations = Run(study / "seed-3").read_trees("predict/calibration")
    monkeypatch.setattr(
        "deeptheory.runs.steps.calibration._calibration",
        lambda run, predictor, name, masks: calibrations[name],
    )
    table = {
        name: {**t, **{"prune": {"threshold": 0.4}, "judge": {"margin": 2.0}}.get(name, {})}
        for name, t in TINY.items()
        if name != "seed"
    }
    config = config_from({**table, "prune": {**TINY["prune"], "threshold": 0.4}, "seed": 3})
    done = confirm(config, tmp_path / "new", "deeptheory confirm", quiet=True)
    assert done.runs[0].done("retrain")
    assert branch(study, tmp_path / "new", overrides, quiet=True).numbers["runs"][0]["existed"]


def _as_it_was(study):
    """A retraining that takes the stored networks of the study in place of its own."""
    stored = Run(study / "seed-3")

    def copied(run, arm):
        assert arm != paths.UNPRUNED
        run.store(paths.arm_path("retrain", arm), stored.read_tree(paths.arm_path("retrain", arm)))

    return copied


def refused(source, target, *overrides):
    before = contents(target.parent)
    with pytest.raises(InputError) as error:
        branch(source, target, overrides, quiet=True)
    assert contents(target.parent) == before
    return str(error.value)


def test_places_that_hold_something_else_are_refused(run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("mine")
    other = shutil.copytree(run.directory, tmp_path / "other")
    expected = "expected a new or empty directory, or the same branch, found "
    assert f"{expected}other files; name a new" in refused(run.directory, tmp_path / "thesis")
    assert f"{expected}other files; name a new" in refused(run.directory.parent, tmp_path / "thesis")
    assert f"{expected}a run that is no branch; name" in refused(run.directory, other)
    assert f"{expected}measure.threshold = 0.3 there, 0.4 asked; name a new directory" in refused(
        run.directory, other, "measure.threshold=0.4"
    )
    assert "outside of" in refused(run.directory, run.directory / "new")
    assert "outside of" in refused(run.directory.parent, run.directory.parent / "new")


def test_a_branch_of_another_training_is_in_the_way(run, tmp_path):
    new, _ = branched(run, tmp_path / "new")
    with h5py.File(new.results, "r+") as file:
        del file["branch/sha256"]
        file["branch/sha256"] = "0"
    assert f"found a branch of {run.directory.resolve()};" in refused(run.directory, new.directory)


def test_runs_that_cannot_be_branched_are_refused(run, run_until, tmp_path, tiny_config):
    untrained = Run.create(tmp_path / "untrained", tiny_config, quiet=True)
    assert "expected the results of 'train', found none" in refused(untrained.directory, tmp_path / "new")
    assert "read by the training; train another one" in refused(run.directory, tmp_path / "new", "seed=4")
    assert "did you mean 'threshold'" in refused(run.directory, tmp_path / "new", "prune.treshold=0.4")
    assert "add 'stage5'" in refused(run.directory, tmp_path / "new", 'measure.stages=["stage4"]')


def test_a_run_that_is_being_written_is_refused(run, tmp_path):
    identity = {"host": "node7", "process": 1, "started": None, "namespace": None, "slurm": {}, "token": "0"}
    (run.directory / paths.LOCK).write_text(json.dumps({**identity, "since": "2030-01-02"}))
    assert "one at work: process 1 on node7" in refused(run.directory, tmp_path / "new")


def test_a_damaged_run_is_refused(run, tmp_path):
    with h5py.File(run.results, "r+") as file:
        file["train/accuracy/test"][()] = 0.99
    text = refused(run.directory, tmp_path / "new")
    assert "expected a whole file, found train/accuracy/test damaged; look at it with" in text


def test_a_sweep_is_refused(study, tmp_path):
    (study / paths.SWEEP).touch()
    assert "found a sweep; branch its members one by one" in refused(study, tmp_path / "new")
