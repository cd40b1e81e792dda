"""Every bad input ends with exit code 2 and a clear message, without a traceback and without loss."""

import os
import subprocess
import sys

import numpy as np
import pytest

from deeptheory import data
from deeptheory.runs import Run
from deeptheory.store import hdf5
from deeptheory.system import interruption

pytestmark = pytest.mark.usefixtures("one_thread")


def contents(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_real_process_ends_with_2_and_without_a_traceback(tmp_path):
    command = [sys.executable, "-c", "from deeptheory.cli.main import main; main()", "inspect", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    expected = (
        f"error: run: expected a directory with config.toml, found {tmp_path}, which is empty; make a run"
    )
    assert done.stderr.startswith(expected)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--sed", "1"), "No such option"),
        (("train", "--seed", "-1"), "-1 is not in the range x>=0"),
        (("train", "--threads", "many"), "'many' is not a valid integer"),
        (("train",), "Missing argument 'CONFIG'"),
        (("inspet", "run"), "Did you mean 'inspect'?"),
        (("confirm", "a.toml", "--out", "b", "--seeds", "0"), "0 is not in the range x>=1"),
    ],
)
def test_a_wrong_command_line_ends_with_2(deeptheory, arguments, words):
    result = deeptheory(*arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [("train", "tiny.toml", "--out", "run"), ("confirm", "tiny.toml", "--out", "study"), ("measure", "run"),
     ("retrain", "run"), ("bench", "train-step"), ("bench", "layers")],
)  # fmt: skip
def test_more_threads_than_there_are_are_refused(deeptheory, assert_refused, config, monkeypatch, arguments):
    monkeypatch.chdir(config.parent)
    result = deeptheory(*arguments, "--threads", 100000)
    assert_refused(result, "threads: expected 1 to ", "found 100000; this process may not use more")


def test_vectors_by_a_wrong_name_are_refused(deeptheory, assert_refused, config, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPTHEORY_VECTORS", "sse")
    result = deeptheory("train", config, "--out", tmp_path / "run")
    assert_refused(result, "DEEPTHEORY_VECTORS: expected one of avx2, avx512, plain, found 'sse'")


def test_a_real_process_with_wrong_vectors_ends_with_2(config, tmp_path):
    for arguments in (["train", str(config), "--out", str(tmp_path / "run")], ["bench", "train-step"]):
        command = [sys.executable, "-c", "from deeptheory.cli.main import main; main()", *arguments]
        environment = {**os.environ, "DEEPTHEORY_VECTORS": "sse"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(
            "error: DEEPTHEORY_VECTORS: expected one of avx2, avx512, plain, found 'sse'"
        )
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=3", "did you mean 'epochs'?"),
        ("trian.epochs=3", "did you mean 'train'?"),
        ("train.epochs=-1", "train.epochs: expected int >= 0, found -1"),
        ("train.batch=1", "train.batch: expected int >= 2, found 1"),
        ("train.epochs=many", "train.epochs: expected int, found 'many'"),
        ("train.epochs", "--set: expected table.option=value"),
        ("data.n_labels=1001", "data.n_labels: expected int <= 1000, found 1001"),
        (
            "data.noise=0.5",
            "data.noise: expected an option that data.source = glyphs reads, found one that only sent",
        ),
        (
            "data.path=own.npz",
            "data.path: expected an option that data.source = glyphs reads, found one that only f",
        ),
        ("data.source=[1]", "data.source: expected str, found [1]"),
        ("prune.stages=['stage99']", "prune.stages: expected one of stage1, "),
        (
            "network.name=vgg16",
            "input of stage13.pool: expected shape (H, W, C) with H >= 2 and W >= 2, found shape (1, 1, ",
        ),
    ],
)
def test_a_wrong_option_is_refused(deeptheory, assert_refused, config, tmp_path, override, words):
    out = tmp_path / "run"
    assert_refused(deeptheory("train", config, "--out", out, "--set", override, "--quiet"), words)


def test_after_a_wrong_option_the_same_directory_takes_the_right_one(
    deeptheory, assert_refused, config, tmp_path
):
    out = tmp_path / "run"
    assert_refused(deeptheory("train", config, "--out", out, "--set", "prune.stages=['stage99']"), "stage99")
    assert deeptheory("train", config, "--out", out, "--quiet") == (0, "", "")


def test_more_labels_than_glyphs_are_refused(deeptheory, assert_refused, config, tmp_path, monkeypatch):
    monkeypatch.setattr("deeptheory.data.glyphs.CHARACTERS", ("a", "b", "c", "d"))
    result = deeptheory("train", config, "--out", tmp_path / "run", "--set", "data.train_per_label=41")
    assert_refused(
        result, "n_labels: expected 3 to 4, the number of glyphs available, found 5; ask for fewer"
    )


@pytest.mark.parametrize("path", ["missing.toml", "", "tiny.toml/inside"])
def test_a_configuration_that_cannot_be_read_is_refused(deeptheory, assert_refused, config, tmp_path, path):
    result = deeptheory("train", tmp_path / path, "--out", tmp_path / "run")
    assert_refused(result, "configuration: expected a TOML file")
    assert not (tmp_path / "run").exists()


def test_an_existing_run_of_another_configuration_is_refused_and_kept(
    deeptheory, assert_refused, run, config
):
    before = contents(run.directory)
    result = deeptheory("train", config, "--out", run.directory, "--set", "train.epochs=9")
    assert_refused(result, "train.epochs = 2 there, 9 asked", "name another directory with --out")
    assert contents(run.directory) == before


def test_an_existing_study_of_another_configuration_is_refused_and_kept(
    deeptheory, assert_refused, study, config
):
    before = contents(study)
    result = deeptheory("confirm", config, "--out", study, "--set", "prune.threshold=0.9")
    assert_refused(result, "prune.threshold = 0.5 there, 0.9 asked")
    assert contents(study) == before


def test_a_damaged_run_is_refused_and_kept(deeptheory, assert_refused, run):
    run.results.write_bytes(run.results.read_bytes()[:5000])
    hdf5.previous_of(run.results).unlink(missing_ok=True)
    before = contents(run.directory)
    for command, expected in (("measure", "whole"), ("retrain", "whole"), ("inspect", "readable HDF5")):
        assert_refused(deeptheory(command, run.directory), f"run.h5: expected a {expected} file, found ")
    assert contents(run.directory) == before


@pytest.mark.parametrize("command", ["measure", "predict", "prune", "retrain"])
def test_a_step_too_early_is_refused(deeptheory, assert_refused, tiny_config, tmp_path, command):
    Run.create(tmp_path / "run", tiny_config)
    result = deeptheory(command, tmp_path / "run")
    assert_refused(result, "found none; run 'deeptheory ", f" {tmp_path / 'run'}' first")


def test_pruning_nothing_is_refused(deeptheory, assert_refused, run_until):
    run = run_until("measure")
    for stage in run.read_names("measure/stage_names"):
        path = f"measure/stages/{stage}"
        run.add(path, {"strengths": np.ones_like(run.read_array(f"{path}/strengths"))})
    result = deeptheory("predict", run.directory)
    assert_refused(
        result, "weights of 3 layers kept: nothing was pruned; raise prune.threshold to 1 or above"
    )


def test_a_diverging_training_is_refused(deeptheory, assert_refused, config, tmp_path):
    with np.errstate(all="ignore"):
        result = deeptheory("train", config, "--out", tmp_path / "run", "--set", "train.learning_rate=1e30")
    assert_refused(
        result, "loss at epoch 1, step 2: expected a finite number, found nan; use a smaller learning_rate"
    )


@pytest.mark.parametrize("command", ["train", "confirm"])
def test_an_output_place_that_cannot_be_written_is_refused(
    deeptheory, assert_refused, config, tmp_path, command
):
    if os.path.isdir("/proc/self"):  # nobody can write there, not even root
        result = deeptheory(command, config, "--out", "/proc/deeptheory")
        assert_refused(
            result, "output directory: expected a place that can be written", "name another one with --out"
        )
    result = deeptheory(command, config, "--out", config)
    assert_refused(result, f"output directory: expected a directory, found the file {config}")


def test_a_run_that_has_become_read_only_is_refused_and_kept(
    deeptheory, assert_refused, run_until, monkeypatch
):
    run = run_until("prune")
    before = contents(run.directory)

    def refuse(temporary, path, replace=os.replace):
        if path.name == "run.h5":
            raise PermissionError(13, "Permission denied", str(path))
        replace(temporary, path)

    monkeypatch.setattr("deeptheory.store.atomic_files.os.replace", refuse)  # root may write everywhere
    result = deeptheory("retrain", run.directory, "--quiet")
    assert_refused(
        result, f"error: {run.directory}", "found Permission denied; check its permissions and the space"
    )
    assert {path: before[path] for path in before} == {path: path.read_bytes() for path in before}


def test_a_prediction_that_does_not_fit_into_memory_is_refused_before_it_is_made(
    deeptheory, assert_refused, run_until, monkeypatch
):
    run = run_until("measure")
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 1000)
    result = deeptheory("predict", run.directory, "--quiet")
    words = "expected at most 80 % of the free memory, 8e-07 GB, found "
    assert_refused(result, "error: features of stage5: ", words, " GB; use fewer images or more memory")
    assert not Run(run.directory, quiet=True).done("predict")


def test_data_that_may_not_be_read_are_refused(deeptheory, assert_refused, config, tmp_path, monkeypatch):
    def refuse(options, quiet):
        raise PermissionError(13, "Permission denied", options.path)

    monkeypatch.setattr(data, "load", refuse)
    result = deeptheory("train", config, "--data", tmp_path / "secret.npz", "--out", tmp_path / "run")
    assert_refused(
        result, "secret.npz: expected a path that can be read or written, found Permission denied; check"
    )


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_request_to_stop_says_how_to_go_on(deeptheory, config, tmp_path, monkeypatch, number):
    def interrupt(run, group):
        os.kill(os.getpid(), number)

    monkeypatch.setattr("deeptheory.runs.steps.train", interrupt)
    result = deeptheory("train", config, "--out", tmp_path / "run")
    expected = f"stopped by {number.name}; run the same command again to go on"
    assert (result.code, result.err.strip()) == (75, expected)


def test_an_unknown_figure_is_refused_with_the_nearest(deeptheory, assert_refused, finished_study, tmp_path):
    result = deeptheory("figure", "field-matrx", finished_study, "--out", tmp_path / "figures")
    assert_refused(result, "found 'field-matrx'; did you mean 'field-matrix'?")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("name", "last", "lacking"),
    [
        ("cluster-sizes", "train", "measure"),
        ("field-matrix", "train", "measure"),
        ("accuracy-and-snr", "measure", "predict"),
        ("accuracy-by-arm", "prune", "retrain"),
        ("predicted-against-measured", "predict", "retrain"),
    ],
)
def test_a_figure_of_a_run_that_lacks_the_step_is_refused(
    deeptheory, assert_refused, run_until, tmp_path, name, last, lacking
):
    run = run_until(last)
    result = deeptheory("figure", name, run.directory, "--out", tmp_path / "figures")
    command = f"run 'deeptheory chain {run.directory} --until {lacking}' first"
    assert_refused(result, f"expected the results of '{lacking}', found none in {run.directory}; {command}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("field-matrix", "--stage", "stage7"), "stage: expected one of stage1, "),
        (("field-matrix", "--filter", "64"), "--filter: expected 0 to 63 in stage5, found 64"),
        (("cluster-sizes", "--filter", "1"), "--stage and --filter: expected figure attention-maps"),
    ],
)
def test_a_wrong_stage_or_filter_is_refused(
    deeptheory, assert_refused, finished_study, tmp_path, arguments, words
):
    result = deeptheory("figure", arguments[0], finished_study, *arguments[1:], "--out", tmp_path)
    assert_refused(result, words)


def test_a_figure_of_a_directory_without_runs_is_refused(deeptheory, assert_refused, tmp_path):
    result = deeptheory("figure", "cluster-sizes", tmp_path, "--out", tmp_path / "figures")
    assert_refused(result, f"expected a directory with config.toml, found {tmp_path}, which is empty")


def test_a_figure_of_runs_of_two_configurations_is_refused(
    deeptheory, assert_refused, finished_study, tmp_path, config
):
    other = tmp_path / "other"
    assert deeptheory("train", config, "--out", other, "--set", "train.epochs=1", "--quiet").code == 0
    result = deeptheory("figure", "cluster-sizes", finished_study, other, "--out", tmp_path / "figures")
    assert_refused(result, "expected runs of one configuration", "train.epochs = 2 in ", "and 1 in ")
