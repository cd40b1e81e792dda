"""Submission to Slurm, with commands that only answer as Slurm's do."""

import os
import sys

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies import read_sweep
from deeptheory.studies.sweep import (
    SlurmOptions,
    SweepEstimate,
    array_scripts,
    expand,
    queue,
    submit_sweep,
)
from deeptheory.studies.sweep.execution import run_member
from deeptheory.studies.sweep.submission import NOTHING_KNOWN

GRID = {"data.n_labels": [3, 4, 5]}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Slurm's commands as shell lines by their names; sbatch counts jobs from 7 and keeps what it was given."""
    there = tmp_path / "commands"
    there.mkdir()
    monkeypatch.setenv("PATH", f"{there}:/usr/bin:/bin")

    def install(**commands):
        for name, line in commands.items():
            (there / name).write_text(f"#!/bin/sh\n{line}\n")
            (there / name).chmod(0o755)

    given = tmp_path / "given"
    count = f"wc -l < {given}"
    install(
        sbatch=f'echo "$@" >> {given}; echo "$(($({count}) + 6));cluster"',
        squeue="exit 0",
        scontrol="echo 'MaxArraySize            = 1001'",
    )
    install.given = lambda: [line.split() for line in given.read_text().splitlines()]
    return install


@pytest.fixture
def without_slurm(monkeypatch):
    monkeypatch.setattr(queue.shutil, "which", lambda name: None)


@pytest.fixture
def submit(sweep_of, tmp_path):
    """The sweep of six members into a directory."""
    asked = sweep_of(GRID, steps="train")

    def call(size=None, environment=None, sweep=asked, estimate=NOTHING_KNOWN, **options):
        environment = dict(os.environ) if environment is None else environment
        asked_for, command = SlurmOptions(**options), "deeptheory sweep"
        return submit_sweep(sweep, tmp_path / "labels", asked_for, environment, size, command, estimate)

    call.sweep, call.directory = asked, tmp_path / "labels"
    return call


def finish(submit, *places):
    submit.directory.mkdir()
    (submit.directory / paths.SWEEP).touch()
    for member in (expand(submit.sweep)[place] for place in places):
        run = Run.create(submit.directory / member.name, member.config, quiet=True)
        run.finish("train", {}, started=0.0)


def test_the_script_is_kept_and_given_to_slurm(slurm, submit):
    report = submit()
    script = submit.directory / "slurm" / "array-1.sbatch"
    assert slurm.given() == [["--parsable", str(script)]]
    assert "#SBATCH --array=0-5\n" in script.read_text()
    assert f"{sys.executable} -m deeptheory sweep" in script.read_text()
    assert "# 6 of 6 members of the sweep " in script.read_text()
    assert (submit.directory / "slurm" / "jobs.txt").read_text() == "7 array-1.sbatch\n"
    assert report.text.splitlines() == [
        f"job 7: {script}",
        "6 of 6 members are in the queue",
        f"how far they are:  deeptheory sweep status {submit.directory}",
    ]
    assert report.numbers == {
        "members": 6,
        "submitted": 6,
        "left_out": {},
        "scripts": [str(script)],
        "jobs": ["7"],
    }


def test_the_sweep_that_was_asked_for_is_there_for_its_elements(slurm, submit, monkeypatch):
    submit()
    monkeypatch.setattr("deeptheory.runs.steps.chain", lambda run, until: None)
    asked = (submit.directory / paths.SWEEP).read_text()
    sweep = read_sweep(submit.directory / paths.SWEEP)
    assert run_member(sweep, submit.directory, 4, quiet=True).member == expand(submit.sweep)[4]
    assert (submit.directory / paths.SWEEP).read_text() == asked


def test_what_is_done_is_not_submitted(slurm, submit):
    finish(submit, 0, 3)
    assert submit().numbers["submitted"] == 4
    assert "#SBATCH --array=1-2,4-5\n" in (submit.directory / "slurm" / "array-1.sbatch").read_text()


def test_nothing_is_submitted_where_all_is_done(slurm, submit):
    finish(submit, *range(6))
    report = submit()
    assert report.text == "all 6 members are done"
    assert report.numbers == {"members": 6, "submitted": 0, "left_out": {}, "scripts": []}
    assert not (submit.directory / "slurm").exists()


@pytest.mark.parametrize("size", [4, None])
def test_an_array_that_is_too_large_is_split(slurm, submit, size):
    slurm(scontrol="echo 'MaxArraySize = 4'" if size is None else "exit 1")
    submit(size=size)
    texts = [(submit.directory / "slurm" / f"array-{number}.sbatch").read_text() for number in (1, 2)]
    assert "#SBATCH --array=0-3\n" in texts[0]
    assert "index=$SLURM_ARRAY_TASK_ID\n" in texts[0]
    assert "#SBATCH --array=0-1\n" in texts[1]
    assert "index=$((SLURM_ARRAY_TASK_ID + 4))\n" in texts[1]
    assert "script 2 of 2\n" in texts[1]
    assert [words[:-1] for words in slurm.given()] == [["--parsable"], ["--parsable"]]


def test_split_arrays_keep_to_the_most_that_may_run(slurm, submit):
    submit(size=2, max_running=2)
    assert [words[1:-1] for words in slurm.given()] == [
        [],
        ["--dependency=afterany:7"],
        ["--dependency=afterany:8"],
    ]


def test_jobs_get_the_environment_they_are_given(slurm, submit, tmp_path):
    slurm(sbatch=f"env > {tmp_path / 'environment'}; echo 7")
    submit(environment={"PATH": os.environ["PATH"], "MINE": "yes"})
    found = (tmp_path / "environment").read_text().splitlines()
    assert "MINE=yes" in found
    assert not any(line.startswith(("NUMBA_", "OMP_", "OPENBLAS_")) for line in found)


def test_members_in_the_queue_are_not_submitted_again(slurm, submit):
    submit()
    slurm(squeue="printf '7 RUNNING\\n7 PENDING\\n7 PENDING\\n8 RUNNING\\n'")
    with pytest.raises(InputError) as refused:
        submit()
    assert str(refused.value) == (
        f"sweep {submit.directory}: expected none of its members in the queue, found 2 pending, 1 running "
        f"of job 7; see 'deeptheory sweep status {submit.directory}', and wait for them "
        "or end them with 'scancel 7'"
    )
    slurm(squeue="echo '8 RUNNING'")  # somebody else's
    assert submit().numbers["jobs"] == ["8"]
    assert (submit.directory / "slurm" / "array-2.sbatch").exists()
    assert (submit.directory / "slurm" / "array-1.sbatch").exists()


def test_another_sweep_does_not_take_the_place_of_one_in_the_queue(slurm, submit, sweep_of):
    submit()
    slurm(squeue="echo '7 PENDING'")
    asked = (submit.directory / paths.SWEEP).read_text()
    with pytest.raises(InputError, match="found 1 pending of job 7; "):
        run_member(sweep_of(steps="train"), submit.directory, 0)
    assert (submit.directory / paths.SWEEP).read_text() == asked


def test_jobs_of_a_colleague_in_the_same_directory_count(slurm, submit):
    submit()
    slurm(squeue='case " $* " in *" --me "*) ;; *) echo "7 RUNNING";; esac')
    with pytest.raises(InputError, match="found 1 running of job 7; "):
        submit()


def test_members_that_cannot_be_computed_are_left_out_and_named(slurm, submit):
    members = expand(submit.sweep)
    refused = {member.identity: "data: expected a file, found none" for member in members[2:4]}
    estimate = SweepEstimate("", "largest member: 1 GB", refused, {})
    report = submit(estimate=estimate)
    script = (submit.directory / "slurm" / "array-1.sbatch").read_text()
    assert "#SBATCH --array=0-1,4-5\n" in script
    assert "# 2 members are left out: data: expected a file, found none\n" in script
    assert report.numbers["left_out"] == {member.name: refused[member.identity] for member in members[2:4]}
    assert f"{members[2].name} is left out: data: expected a file, found none\n" in report.text
    assert "4 of 6 members are in the queue" in report.text


def test_nothing_is_submitted_where_no_member_can_be_computed(slurm, submit, tmp_path):
    refused = {member.identity: "data: expected a file, found none" for member in expand(submit.sweep)}
    with pytest.raises(InputError, match="expected members that can be computed, found 6 members are left"):
        submit(estimate=SweepEstimate("", "", refused, {}))
    assert not submit.directory.exists()


def test_a_queue_that_cannot_be_read_is_no_empty_queue(slurm, submit):
    submit()
    slurm(squeue="echo 'squeue: error: no contact' >&2; exit 1")
    with pytest.raises(
        InputError, match=r"^squeue: expected the jobs in the queue, found squeue: error: no con"
    ):
        submit()


def test_what_slurm_says_against_a_script_is_shown(slurm, submit):
    slurm(sbatch="echo 'sbatch: error: invalid partition specified: none' >&2; exit 1")
    script = submit.directory / "slurm" / "array-1.sbatch"
    with pytest.raises(InputError) as refused:
        submit(partition="none")
    assert str(refused.value) == (
        "sbatch: expected a script that Slurm takes, found invalid partition specified: none; "
        f"give other options, or edit {script} and give it to sbatch"
    )
    assert "#SBATCH --partition=none\n" in script.read_text()
    assert not (submit.directory / "slurm" / "jobs.txt").exists()


def test_a_machine_without_slurm_can_only_print_the_script(without_slurm, submit):
    with pytest.raises(
        InputError, match=r"^--slurm: expected the command sbatch, found none on this machine; print"
    ):
        submit()
    made = array_scripts(submit.sweep, submit.directory, SlurmOptions(), command="deeptheory sweep")
    assert "#SBATCH --array=0-5\n" in made.text
    assert made.numbers == {"members": 6, "submitted": 6, "left_out": {}, "scripts": [made.text + "\n"]}
    assert queue.array_size_limit() == 1001
    assert not submit.directory.exists()


def test_a_directory_with_other_files_is_refused(slurm, submit):
    submit.directory.mkdir()
    (submit.directory / "notes.txt").touch()
    with pytest.raises(InputError, match="expected an empty directory or a sweep, found other files"):
        submit()
    with pytest.raises(InputError, match="expected an empty directory or a sweep, found other files"):
        array_scripts(submit.sweep, submit.directory, SlurmOptions())
    assert [path.name for path in submit.directory.iterdir()] == ["notes.txt"]
