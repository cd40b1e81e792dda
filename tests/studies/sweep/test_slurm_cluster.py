"""A sweep on a real Slurm of one node: members are locked, killed, cancelled, and reach their time limit."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from deeptheory.runs import Run, steps
from deeptheory.store import paths
from deeptheory.studies import read_sweep
from deeptheory.studies.sweep.execution import claim
from deeptheory.studies.sweep.member_states import states
from deeptheory.studies.sweep.options import sweep_to_toml
from tests.studies.sweep import slurm_cluster

pytestmark = pytest.mark.skipif(bool(slurm_cluster.missing()), reason=slurm_cluster.missing())

NAMES = FINE, LOCKED, KILLED, LIMITED, CANCELLED = "fine", "locked", "killed", "limited", "cancelled"
LOCK = {
    "host": "node7",
    "process": 1,
    "started": None,
    "namespace": None,
    "since": "2030",
    "slurm": {},
}
LONG = 400  # epochs: seconds, in which something can happen to a member
CHECKPOINT = 0.002  # minutes
PATIENCE = 600.0  # seconds, on a busy machine


class Watched:
    """A sweep in the queue: what its members and Slurm's elements do, noted whenever it changes."""

    def __init__(self, file: Path, directory: Path, notes: Path) -> None:
        self.file, self.directory, self.notes = file, directory, notes
        self.began, self.last = time.monotonic(), ""
        self.submitted = 0.0
        self.held: dict[int, int] = {}  # processes by the places of their members

    def submit(self) -> None:
        self.held.clear()
        self.submitted = time.time()
        said = command("sweep", self.file, "--out", self.directory, "--slurm", "--time", 10)
        self.note(said.splitlines()[-2])

    def until(self, what: str, reached) -> None:
        """Wait for something, looking after the states meanwhile."""
        end = time.monotonic() + PATIENCE
        while not reached():
            self.look()
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {PATIENCE:g} s\n{self.notes.read_text()}")
            time.sleep(0.2)
        self.look()
        self.note(what)

    def look(self) -> None:
        elements = ", ".join(f"{name} {state.lower()}" for name, state in self.elements().items())
        members = ", ".join(f"{name} {state}" for name, state in self.states().items())
        if (now := f"Slurm: {elements or 'nothing'}; files: {members}") != self.last:
            self.note(now)
        self.last = now

    def note(self, text: str) -> None:
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic() - self.began:5.0f} s  {text}\n")

    def jobs(self) -> list[str]:
        """The ids that the submissions noted."""
        listed = self.directory / paths.SWEEP_SLURM / paths.SLURM_JOBS
        return [line.split()[0] for line in listed.read_text().splitlines()]

    def members(self) -> dict:
        return {of.member.point[0]: of for of in states(read_sweep(self.file), self.directory)}

    def states(self) -> dict[str, str]:
        return {name: of.state for name, of in self.members().items()}

    def elements(self) -> dict[str, str]:
        """States of the elements that Slurm holds, by their ids."""
        shown = slurm("squeue", "--array", "--noheader", "--format=%F_%K %T")
        return dict(line.split() for line in shown.splitlines())

    def hold(self, places: Iterable[int]) -> bool:
        """Stop the process of each of these members once it trains: it shall not end before its turn comes."""
        for place in set(places) - self.held.keys():
            if self.trains(list(self.members().values())[place].directory / paths.CHECKPOINT):
                self.held[place] = self.process(place)
                os.kill(self.held[place], signal.SIGSTOP)
        return self.held.keys() == set(places)

    def trains(self, checkpoint: Path) -> bool:
        """Whether a checkpoint was written since the last submission."""
        try:
            return checkpoint.stat().st_mtime > self.submitted
        except FileNotFoundError:
            return False

    def process(self, place: int) -> int:
        """The id of the process that computes a member."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            words = entry.read_bytes().decode().split("\0")
            if words[0] == sys.executable and [str(self.directory), "--index", str(place)] == words[-6:-3]:
                return int(entry.parent.name)
        raise AssertionError(f"no process of member {place}")


def command(*words) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "deeptheory", *map(str, words)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def slurm(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def wake(process: int, number: int) -> bool:
    """Let a stopped process go on once a signal waits for it, where Slurm has not woken it with the signal."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        pending = next(line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd"))
        if not int(pending, 16) >> (number - 1) & 1 and "T (stopped)" in status:
            return False
        os.kill(process, signal.SIGCONT)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended already
    return True


@pytest.fixture
def watched(sweep_of, tmp_path):
    """The sweep of five members, not yet submitted."""
    # Members of the same options would be one, so no two train equally long.
    longer = {name: {"train.epochs": LONG + more} for more, name in enumerate((KILLED, LIMITED, CANCELLED))}
    options = {FINE: {}, LOCKED: {"train.epochs": 2}, **longer}
    variants = [{"name": name, **of_member} for name, of_member in options.items()]
    file = tmp_path / "sweep.toml"
    asked = sweep_of(variants=variants, steps="train", judge={"seeds": 1}, checkpoint_minutes=CHECKPOINT)
    file.write_text(sweep_to_toml(asked), encoding="utf-8")
    # Compiled once, before five processes would do it at the same time.
    steps.train(Run.create(tmp_path / "first", asked.config, quiet=True))
    watched = Watched(file, tmp_path / "runs at 50%", tmp_path / "timeline.txt")
    claim(asked, watched.directory)
    member = watched.members()[LOCKED]
    Run.create(member.directory, member.member.config, quiet=True)
    (member.directory / paths.LOCK).write_text(json.dumps(LOCK))  # of a host that crashed
    with slurm_cluster.cluster():
        yield watched


def test_every_member_is_accounted_for_and_the_next_submission_completes_them(
    watched, tmp_path, assert_same, deeptheory, assert_refused
):
    arguments = "sweep", watched.file, "--out", watched.directory, "--slurm"
    refused = deeptheory(*arguments, "--partition", "none")
    assert_refused(
        refused, "sbatch: expected a script that Slurm takes, found invalid partition specified: none"
    )
    watched.submit()
    first, second = watched.jobs()  # task ids end at 3
    killed, limited, cancelled = f"{first}_2", f"{first}_3", f"{second}_0"
    elements = {2: killed, 3: limited, 4: cancelled}
    watched.until("three are held in training", lambda: watched.hold(elements))
    slurm("scontrol", "update", f"JobId={limited}", "TimeLimit=1")
    os.kill(watched.held[2], signal.SIGKILL)
    slurm("scancel", cancelled)
    watched.until("the others have ended", lambda: list(watched.elements()) == [limited])
    assert "JobState=FAILED" in slurm("scontrol", "show", "job", f"{first}_1")
    found = watched.states()
    assert found.pop(KILLED) in ("partial", "missing")
    assert found.pop(LIMITED) in ("partial", "missing")
    assert found == {FINE: "done", LOCKED: "missing", CANCELLED: "partial"}
    lock = watched.members()[LOCKED].directory / paths.LOCK
    reason = f"locked by process 1 on node7, since 2030: delete {lock} if that is not running any more"
    assert reason in command("sweep", "status", watched.directory)
    assert reason in next((watched.directory / paths.SWEEP_SLURM).glob(f"{first}_1.log")).read_text()
    assert_refused(deeptheory(*arguments), f"found 1 running of job {first}; ", f"'scancel {first}'")

    watched.until("the signal before the time limit", lambda: wake(watched.held[3], signal.SIGUSR2))
    watched.until("it is back in the queue", lambda: watched.elements().get(limited) == "PENDING")
    assert watched.states()[LIMITED] == "partial"
    slurm("scontrol", "update", f"JobId={limited}", "TimeLimit=10")
    watched.until("the queue is empty", lambda: not watched.elements())
    assert watched.states()[LIMITED] == "done"
    assert "Restarts=1" in slurm("scontrol", "show", "job", limited)
    for element in (killed, cancelled):
        assert "Restarts=0" in slurm("scontrol", "show", "job", element)

    member = watched.members()[LIMITED]
    alone = Run.create(tmp_path / "alone", member.member.config, quiet=True)
    steps.train(alone)
    assert_same(Run(member.directory).read_tree("train"), alone.read_tree("train"))

    lock.unlink()
    watched.submit()
    elements = {place: f"{watched.jobs()[-1]}_{place - 1}" for place in (2, 4)}
    watched.until("the long ones are held in training", lambda: watched.hold(elements))
    slurm(
        "sbatch",
        "--partition=high",
        "--exclusive",
        "--job-name=other",
        f"--output={os.devnull}",
        "--wrap=true",
    )
    for process in list(watched.held.values()):
        watched.until("one is preempted", lambda process=process: wake(process, signal.SIGTERM))
    watched.until("the queue is empty", lambda: not watched.elements())
    for element in elements.values():
        assert "Restarts=1" in slurm("scontrol", "show", "job", element)
    assert set(watched.states().values()) == {"done"}
    assert "5 members, 5 done, 0 partial, 0 failed, 0 missing" in command(
        "sweep", "status", watched.directory
    )
