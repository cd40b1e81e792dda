"""The array scripts of a sweep, as text."""

import subprocess
from pathlib import Path

import pytest

from deeptheory import __version__
from deeptheory.errors import InputError
from deeptheory.studies.sweep import slurm
from deeptheory.studies.sweep.slurm import Array, SlurmOptions, arrays, script
from deeptheory.system.interruption import EXIT_STOPPED

SCRIPT = f"""\
#!/bin/bash
# 4 of 9 members
# Made by deeptheory {__version__}: deeptheory sweep labels.toml --out labels --slurm
# How far they are:  deeptheory sweep status /data/labels
# To change what is asked of Slurm, edit this file and give it to sbatch.
# memory: 2 GB
# time: 20 minutes
#SBATCH --job-name=deeptheory-labels
#SBATCH --array=0-2,8%3
#SBATCH --partition=long
#SBATCH --time=2:00:00
#SBATCH --mem=4G
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --chdir="/data"
#SBATCH --output="/data/labels/slurm/%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --requeue
# 90 seconds before the time limit the program is told to store where it is and to stop.
#SBATCH --signal=USR2@90

# Compiled kernels and data are kept for all members, also where the home directory is read-only.
cache=${{XDG_CACHE_HOME:-$HOME/.cache}}/deeptheory
if [ -z "$DEEPTHEORY_CACHE" ] && ! {{ mkdir -p "$cache" && [ -w "$cache" ]; }} 2>/dev/null; then
    export DEEPTHEORY_CACHE=/data/labels/.cache
fi

# The processors are those of this task alone, so threads wait awake; small networks gain a tenth.
export GOMP_SPINCOUNT=${{GOMP_SPINCOUNT:-20000}}

index=$SLURM_ARRAY_TASK_ID
srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \\
    /opt/python -m deeptheory sweep /data/labels/sweep.toml \\
    --out /data/labels --index "$index" --threads "$SLURM_CPUS_PER_TASK"
code=$?

# 75: told to stop, it stored where it is. This element alone goes back to the queue.
if [ "$code" -eq 75 ]; then
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"""
COMMON = {"title": "4 of 9 members", "python": "/opt/python", "work": Path("/data")}


def text(array=Array(0, (0, 1)), directory=Path("/data/labels"), options=SlurmOptions(), **others):  # noqa: B008
    return script(array, directory, options, **{**COMMON, "command": "deeptheory sweep", **others})


def test_the_script_is_what_it_is():
    asked = SlurmOptions(partition="long", time="2:00:00", mem="4G", cpus_per_task=2, max_running=3)
    command = "deeptheory sweep labels.toml --out labels --slurm"
    estimate = "memory: 2 GB\ntime: 20 minutes"
    assert text(Array(0, (0, 1, 2, 8)), options=asked, command=command, estimate=estimate) == SCRIPT


def test_what_is_not_asked_is_left_to_the_site():
    lines = text().splitlines()
    assert "#SBATCH --array=0-1" in lines
    assert "#SBATCH --cpus-per-task=1" in lines
    assert not any(name in line for line in lines for name in ("--partition", "--time", "--mem", "memory:"))


def test_members_beyond_the_largest_task_id_are_found_by_an_offset():
    assert "index=$((SLURM_ARRAY_TASK_ID + 1000))" in text(Array(1000, (0, 1))).splitlines()


def test_a_command_of_several_lines_stays_in_the_comment():
    assert "--set a=1 rm -r x\n#" in text(command="deeptheory sweep --set a=1\nrm -r x")


def test_paths_are_quoted_for_the_shell_and_for_sbatch():
    made = text(directory=Path("/data/all runs at 50%"))
    assert '#SBATCH --output="/data/all runs at 50%%/slurm/%A_%a.log"' in made
    assert "--out '/data/all runs at 50%' --index" in made
    assert "#SBATCH --job-name=deeptheory-all_runs_at_50_" in made
    subprocess.run(["bash", "-n"], input=made, text=True, check=True)


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b"])
@pytest.mark.parametrize("of", ["directory", "work"])
def test_paths_that_sbatch_cannot_hold_are_refused(name, of):
    with pytest.raises(
        InputError, match=r"^--slurm: expected paths without quotes, backslashes and line breaks"
    ):
        text(**{of: Path("/data") / name})


@pytest.mark.parametrize(
    ("home", "expected"), [("writable", "writable/.cache/deeptheory"), ("file/below", "labels/.cache")]
)
def test_the_cache_is_where_it_can_be_written(tmp_path, home, expected):
    (tmp_path / "writable").mkdir()
    (tmp_path / "file").touch()  # a directory cannot be made below it, not even by root
    found = script_environment(tmp_path, {"HOME": str(tmp_path / home)})
    default = str(tmp_path / home / ".cache" / "deeptheory")
    assert (found or default) == str(tmp_path / expected)


def test_the_users_own_cache_stays(tmp_path):
    assert script_environment(tmp_path, {"HOME": "/", "DEEPTHEORY_CACHE": "/mine"}) == "/mine"


def script_environment(tmp_path, environment):
    """DEEPTHEORY_CACHE as the program finds it; `srun` shows it."""
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\necho "$DEEPTHEORY_CACHE"\n')
    srun.chmod(0o755)
    made = text(directory=tmp_path / "labels")
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash"], input=made, text=True, capture_output=True, env={"PATH": path, **environment}
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "requeued"), [(0, ""), (1, ""), (2, ""), (EXIT_STOPPED, "requeue 12_3\n"), (137, "")]
)
def test_an_element_that_was_stopped_goes_back_to_the_queue_and_no_other(tmp_path, code, requeued):
    (tmp_path / "srun").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "scontrol").write_text('#!/bin/sh\necho "$@"\n')
    for name in ("srun", "scontrol"):
        (tmp_path / name).chmod(0o755)
    ids = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3", "DEEPTHEORY_CACHE": "/mine"}
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **ids}
    done = subprocess.run(["bash"], input=text(), text=True, capture_output=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (code, requeued, "")


@pytest.mark.parametrize(
    ("ids", "ranges"), [((0,), "0"), ((0, 1, 2), "0-2"), ((0, 2, 3, 7, 9, 10), "0,2-3,7,9-10")]
)
def test_task_ids_are_written_as_ranges(ids, ranges):
    assert Array(0, ids).ranges == ranges


@pytest.mark.parametrize(
    ("places", "size", "expected"),
    [
        ([], 10, []),
        ([0, 3, 9], 10, [Array(0, (0, 3, 9))]),
        ([0, 3, 9, 10], 10, [Array(0, (0, 3, 9)), Array(10, (0,))]),
        ([12, 14], 10, [Array(12, (0, 2))]),
        ([1, 11, 30], 10, [Array(1, (0,)), Array(11, (0,)), Array(30, (0,))]),
    ],
)
def test_no_task_id_reaches_the_limit(places, size, expected):
    found = arrays(places, size)
    assert found == expected
    assert [array.offset + at for array in found for at in array.task_ids] == places


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("7:30", 7.5), ("2:00:00", 120), ("1-2", 1560), ("1-2:03", 1563), ("0-0:05:30", 5.5)],
)
def test_times_are_read_as_slurm_reads_them(text, minutes):
    assert slurm._minutes(text) == minutes
    assert SlurmOptions(time=text).time == text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "2h"}, r"--time: expected minutes, minutes:seconds, .*, found '2h'; try 2:00:00"),
        ({"time": "1:2:3:4"}, "--time: expected minutes, "),
        ({"time": "4:59"}, r"--time: expected at least 5 minutes, found '4:59'; members go on where"),
        ({"mem": "4GB"}, r"--mem: expected a whole number with or without K, M, G, T, found '4GB'; try 4G"),
        ({"mem": "1.5G"}, "--mem: expected a whole number"),
        ({"partition": "a\n#SBATCH -n 9"}, "--partition: expected names without spaces, found 'a"),
    ],
)
def test_what_sbatch_would_not_understand_is_refused(options, words):
    with pytest.raises(InputError, match=f"^{words}"):
        SlurmOptions(**options)
