"""`deeptheory sweep` and the commands below it."""

import json
import os
import subprocess
import sys

import pytest

from deeptheory.runs import Run
from deeptheory.store import paths

pytestmark = pytest.mark.usefixtures("one_thread")

SWEEP = """
[sweep]
steps = "train"
[sweep.grid]
"data.n_labels" = [3, 5]
"""
QUICK = "--quiet", "--set", "train.epochs=1"


@pytest.fixture
def file(tmp_path, config):
    """The tiny configuration over two numbers of labels."""
    path = tmp_path / "labels.toml"
    path.write_text(config.read_text(encoding="utf-8") + SWEEP, encoding="utf-8")
    return path


def test_a_sweep_is_computed_shown_and_collected(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    result = deeptheory("sweep", file, "--out", out, *QUICK)
    assert (result.code, result.err) == (0, "")
    assert "2 members, 2 done, 0 partial, 0 failed, 0 missing" in result.out
    assert "accuracy on the test split, mean over seeds" in result.out
    assert deeptheory("sweep", "status", out).out == result.out.split("\n\n")[-1]
    assert result.out.startswith(deeptheory("sweep", "collect", out).out)
    asked = json.loads(deeptheory("sweep", file, "--out", out, *QUICK, "--json").out)
    assert asked["status"] == json.loads(deeptheory("sweep", "status", out, "--json").out)
    assert asked["results"] == json.loads(deeptheory("sweep", "collect", out, "--json").out)
    assert [row["data.n_labels"] for row in asked["results"]["members"]] == [3, 5]


def test_one_member_is_computed_by_its_index(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    result = deeptheory("sweep", file, "--out", out, "--index", 1, *QUICK)
    assert (result.code, result.err) == (0, "")
    name, _, state = result.out.strip().partition(": ")
    assert state == "done"
    assert Run(out / name).config.data.n_labels == 5
    assert "1 done, 0 partial, 0 failed, 1 missing" in deeptheory("sweep", "status", out).out
    result = deeptheory(
        "sweep", out / paths.SWEEP, "--out", out, "--index", 1, "--json"
    )  # as asked, complete
    assert json.loads(result.out) == {"member": name, "state": "done", "error": None, "locked": None}


def test_a_failed_member_ends_the_command_with_1_and_the_reason(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    (tmp_path / "damaged.npz").write_bytes(b"damaged")
    file.write_text(
        file.read_text(encoding="utf-8").replace("data.n_labels", "data.labels_used"), encoding="utf-8"
    )
    arguments = "sweep", file, "--out", out, "--data", tmp_path / "damaged.npz", *QUICK
    result = deeptheory(*arguments)
    assert (result.code, result.err) == (1, "")
    assert "2 members, 0 done, 0 partial, 2 failed, 0 missing" in result.out
    assert "damaged.npz" in result.out.splitlines()[-1]
    assert result.out.rstrip().endswith(f"/{paths.LOG}")
    result = deeptheory(*arguments, "--index", 0)
    assert result.code == 1
    assert ": failed, InputError: " in result.out


def test_a_member_that_another_host_has_locked_is_named_with_the_way_out(deeptheory, file, tmp_path):
    out = tmp_path / "labels"
    deeptheory("sweep", file, "--out", out, "--index", 0, *QUICK)
    (member,) = [path.parent for path in out.glob("*/run.h5")]
    (member / paths.RESULTS).unlink()
    lock = {"host": "node7", "process": 1, "started": None, "namespace": None, "slurm": {}, "since": "2030"}
    (member / paths.LOCK).write_text(json.dumps(lock))
    reason = (
        f"locked by process 1 on node7, since 2030: delete {member / paths.LOCK} if that is not running any"
    )
    result = deeptheory("sweep", file, "--out", out, "--index", 0, *QUICK)
    assert result.code == 1
    assert f"{member.name}: missing, {reason} more" in result.out
    assert reason in deeptheory("sweep", "status", out).out
    result = deeptheory("sweep", file, "--out", out, *QUICK)
    assert result.code == 1
    assert "2 members, 1 done, 0 partial, 0 failed, 1 missing" in result.out
    assert reason in result.out


def test_what_the_dry_run_says_cannot_run_is_not_submitted(deeptheory, slurm, file, tmp_path, assert_refused):
    options = "--set", "prune.schedule=iterative", "--set", "sweep.steps=retrain", *QUICK
    arguments = "sweep", file, "--out", tmp_path / "labels", *options
    assert "prune.density: expected a density to end at" in deeptheory(*arguments, "--dry-run").out
    assert_refused(
        deeptheory(*arguments, "--slurm"), "2 members are left out: prune.density: expected a density"
    )
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "configuration: expected a table [sweep], found none in "),
        (SWEEP.replace("n_labels", "n_label"), "found 'n_label'; did you mean 'n_labels'?"),
        (SWEEP.replace("3, 5", "3, 5.5"), "member 'n_labels=5.5': data.n_labels: expected int, found 5.5"),
    ],
)
def test_a_bad_sweep_is_refused_before_anything_starts(
    deeptheory, assert_refused, file, tmp_path, text, words
):
    file.write_text(text, encoding="utf-8")
    assert_refused(deeptheory("sweep", file, "--out", tmp_path / "labels"), words)
    assert not (tmp_path / "labels").exists()


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """An sbatch that takes everything, and keeps what it was given."""
    there = tmp_path / "commands"
    there.mkdir()
    lines = {"sbatch": f"env > {tmp_path / 'environment'}; echo 7", "squeue": "true", "scontrol": "true"}
    for name, line in lines.items():
        (there / name).write_text(f"#!/bin/sh\n{line}\n")
        (there / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{there}:/usr/bin:/bin")


def without_estimate(script):
    """The times in it change from call to call."""
    return [
        line for line in script.splitlines() if not line.startswith(("# largest", "# longest", "# all 2"))
    ]


def test_a_sweep_goes_to_slurm(deeptheory, slurm, file, tmp_path):
    out = tmp_path / "labels"
    asked = "--time", "1-0", "--mem", "2G", "--partition", "long", "--cpus-per-task", 2, "--max-running", 1
    arguments = "sweep", file, "--out", out, "--slurm", *asked, *QUICK
    shown = deeptheory(*arguments, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert not out.exists()
    result = deeptheory(*arguments, "--json")
    assert (result.code, result.err) == (0, "")
    script = out / "slurm" / "array-1.sbatch"
    assert json.loads(result.out) == {
        "members": 2,
        "submitted": 2,
        "left_out": {},
        "scripts": [str(script)],
        "jobs": ["7"],
    }
    written = script.read_text().replace(" --json\n", " --dry-run\n")
    assert "\n# longest member, time of a run with " in written
    assert without_estimate(shown.out) == without_estimate(written)
    for line in ("time=1-0", "mem=2G", "partition=long", "cpus-per-task=2", "array=0-1%1"):
        assert f"#SBATCH --{line}\n" in shown.out
    assert "2 members, 0 done, 0 partial, 0 failed, 2 missing" in deeptheory("sweep", "status", out).out


def test_a_job_does_not_inherit_the_threads_of_the_machine_that_submits(slurm, file, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "OMP"))}
    command = sys.executable, "-m", "deeptheory", "sweep", file, "--out", tmp_path / "labels", "--slurm"
    subprocess.run(command, env=environment, check=True, capture_output=True)
    found = (tmp_path / "environment").read_text().splitlines()
    assert not [line for line in found if line.startswith(("NUMBA_", "OMP_"))]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--slurm", "--time", "2h"), "--time: expected minutes, minutes:seconds, "),
        (
            ("--slurm", "--jobs", 2),
            "--jobs: expected a sweep on this machine, found --slurm beside it; Slurm",
        ),
        (("--slurm", "--index", 0), "--index: expected a sweep on this machine, found --slurm beside it"),
        (("--slurm", "--threads", 1), "--threads: expected a sweep on this machine, found --slurm beside it"),
        (("--mem", "4G"), "--mem: expected --slurm beside it, found none"),
        (("--cpus-per-task", 2), "--cpus-per-task: expected --slurm beside it, found none"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    deeptheory, assert_refused, slurm, file, tmp_path, options, words
):
    assert_refused(deeptheory("sweep", file, "--out", tmp_path / "labels", *options), words)
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("command", ["status", "collect"])
def test_a_directory_without_a_sweep_is_refused(deeptheory, assert_refused, tmp_path, command):
    assert_refused(
        deeptheory("sweep", command, tmp_path), "sweep: expected a directory with sweep.toml, found "
    )


@pytest.mark.parametrize("command", ["status", "collect"])
def test_the_commands_below_have_help_with_an_example(deeptheory, command):
    result = deeptheory("sweep", command, "--help")
    assert result.code == 0
    assert f"deeptheory sweep {command} [OPTIONS] DIRECTORY" in result.out
    assert f"Example:  deeptheory sweep {command} " in result.out
