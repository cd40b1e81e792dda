"""The array scripts that give the members of a sweep to Slurm: what is asked for, and their text."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeptheory import __version__
from deeptheory.errors import InputError
from deeptheory.store import paths
from deeptheory.system.interruption import EXIT_STOPPED

WARNING = 90  # seconds between the signal and the time limit; Slurm may send it 60 s earlier still
SHORTEST = 5  # minutes; with less most of the time goes to starting and stopping
TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<fields>\d+(?::\d+){0,2})")
MEMORY = re.compile(r"\d+[KMGT]?")
SPINS = 20_000  # turns in which a thread looks for work before it sleeps
FORBIDDEN = '"\\\n\r'  # in paths: sbatch knows no way to write them all in its options


@dataclass(frozen=True)
class SlurmOptions:
    """What one array element, a member, asks Slurm for, by the names of sbatch.

    Attributes
    ----------
    partition : str
        That of the site's choice where it is empty.
    time : str
        Limit of an element until it is requeued: minutes, minutes:seconds, hours:minutes:seconds, or
        days-hours with or without :minutes and :seconds. That of the partition where it is empty.
    mem : str
        Memory per node, in MB or with a unit K, M, G, T; 0 is all there is. That of the site where it is empty.
    cpus_per_task : int
        Processors, and threads. Bits depend on it.
    max_running : int, optional
        Most elements at a time; as many as Slurm lets run by default.

    Raises
    ------
    InputError
        What sbatch would not understand, or a time in which a member hardly gets on.
    """

    partition: str = ""
    time: str = ""
    mem: str = ""
    cpus_per_task: int = 1
    max_running: int | None = None

    def __post_init__(self) -> None:
        if self.partition and not re.fullmatch(r"\S+", self.partition):
            raise InputError("--partition", "names without spaces", repr(self.partition))
        if self.mem and not MEMORY.fullmatch(self.mem):
            raise InputError("--mem", "a whole number with or without K, M, G, T", repr(self.mem), "try 4G")
        if self.time and _minutes(self.time) < SHORTEST:
            expected, do = f"at least {SHORTEST} minutes", "members go on where the limit stopped them"
            raise InputError("--time", expected, repr(self.time), do)

    @property
    def lines(self) -> list[str]:
        """The options of the script that say what an element gets."""
        asked = {"partition": self.partition, "time": self.time, "mem": self.mem}
        given = [f"#SBATCH --{name}={value}" for name, value in asked.items() if value]
        return [*given, "#SBATCH --ntasks=1", f"#SBATCH --cpus-per-task={self.cpus_per_task}"]


@dataclass(frozen=True)
class Array:
    """The members of one job array.

    Attributes
    ----------
    offset : int
        Place of a member in the order of `expand`, minus its task id.
    task_ids : tuple of int
        In ascending order.
    """

    offset: int
    task_ids: tuple[int, ...]

    @property
    def ranges(self) -> str:
        """The task ids as `--array` takes them: ``0-3,7``."""
        ids = set(self.task_ids)
        starts = [at for at in self.task_ids if at - 1 not in ids]
        ends = [at for at in self.task_ids if at + 1 not in ids]
        pairs = zip(starts, ends, strict=True)
        return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in pairs)


def arrays(places: Sequence[int], size: int) -> list[Array]:
    """Members by their places, in ascending order, as arrays whose task ids are below `size`."""
    rest, found = list(places), []
    while rest:
        offset = 0 if rest[-1] < size else rest[0]
        inside = [at - offset for at in rest if at - offset < size]
        found.append(Array(offset, tuple(inside)))
        rest = rest[len(inside) :]
    return found


def script(
    array: Array,
    directory: Path,
    options: SlurmOptions,
    *,
    title: str,
    command: str,
    python: str,
    work: Path,
    estimate: str = "",
    plugins: Sequence[str] = (),
) -> str:
    """The sbatch script of one array: short, for people to read and to edit.

    An element computes its member by ``deeptheory sweep ... --index`` with `cpus_per_task` threads. Told to stop
    before its time limit (signal USR2) or by preemption with notice (SIGTERM), the program stores where it is and
    ends with `interruption.EXIT_STOPPED`, and the script gives its own element back to the queue. Any other end is
    final: a failed member is not tried again before the next submission. Where Slurm itself requeues or cancels
    an element it ends the script too, so nothing is requeued twice and nothing that was cancelled.

    Parameters
    ----------
    array : Array
    directory : Path
        Of the sweep, absolute.
    options : SlurmOptions
    title : str
        One line for the header: which members these are.
    command : str
        The command that made the script.
    python : str
        The interpreter that has deeptheory, on the nodes too.
    work : Path
        The directory to which relative paths of the configuration refer, absolute.
    estimate : str
        Lines for the header: memory and time that the members are expected to take.
    plugins : sequence of str
        Arguments that give an element the plugins of this process (`runs.plugin_records.arguments`).

    Raises
    ------
    InputError
        A path with characters that options of sbatch cannot hold.
    """
    for where in (directory, work):
        if any(character in str(where) for character in FORBIDDEN):
            raise InputError("--slurm", "paths without quotes, backslashes and line breaks", f"{where}")
    most = f"%{options.max_running}" if options.max_running else ""
    log = str(directory / paths.SWEEP_SLURM).replace("%", "%%") + "/%A_%a.log"
    header = [
        title,
        f"Made by deeptheory {__version__}: {' '.join(command.split())}",
        f"How far they are:  deeptheory sweep status {shlex.quote(str(directory))}",
        "To change what is asked of Slurm, edit this file and give it to sbatch.",
        *estimate.splitlines(),
    ]
    directives = [
        f"#SBATCH --job-name=deeptheory-{re.sub(r'[^A-Za-z0-9._-]+', '_', directory.name)}",
        f"#SBATCH --array={array.ranges}{most}",
        *options.lines,
        f'#SBATCH --chdir="{work}"',
        f'#SBATCH --output="{log}"',
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        f"# {WARNING} seconds before the time limit the program is told to store where it is and to stop.",
        f"#SBATCH --signal=USR2@{WARNING}",
    ]
    place = f"$((SLURM_ARRAY_TASK_ID + {array.offset}))" if array.offset else "$SLURM_ARRAY_TASK_ID"
    given = "".join(f" {shlex.quote(word)}" for word in plugins)
    sweep, out, own_cache = (
        shlex.quote(str(path)) for path in (directory / paths.SWEEP, directory, directory / ".cache")
    )
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"# {line}".rstrip() for line in header),
            *directives,
            "",
            "# Compiled kernels and data are kept for all members, also where the home directory is read-only.",
            "cache=${XDG_CACHE_HOME:-$HOME/.cache}/deeptheory",
            'if [ -z "$DEEPTHEORY_CACHE" ] && ! { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null; then',
            f"    export DEEPTHEORY_CACHE={own_cache}",
            "fi",
            "",
            "# The processors are those of this task alone, so threads wait awake; small networks gain a tenth.",
            f"export GOMP_SPINCOUNT=${{GOMP_SPINCOUNT:-{SPINS}}}",
            "",
            f"index={place}",
            'srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \\',
            f"    {shlex.quote(python)} -m deeptheory sweep {sweep} \\",
            f'    --out {out} --index "$index" --threads "$SLURM_CPUS_PER_TASK"' + given,
            "code=$?",
            "",
            f"# {EXIT_STOPPED}: told to stop, it stored where it is. This element alone goes back to the queue.",
            f'if [ "$code" -eq {EXIT_STOPPED} ]; then',
            '    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"',
            "fi",
            'exit "$code"',
            "",
        ]
    )


def _minutes(text: str) -> float:
    """A time as sbatch reads it, in minutes."""
    match = TIME.fullmatch(text)
    if match is None:
        expected = "minutes, minutes:seconds, hours:minutes:seconds or days-hours[:minutes[:seconds]]"
        raise InputError("--time", expected, repr(text), "try 2:00:00")
    fields = [int(field) for field in match["fields"].split(":")]
    if match["days"] is not None:
        hours, minutes, seconds = (*fields, 0, 0)[:3]
        return 1440 * int(match["days"]) + 60 * hours + minutes + seconds / 60
    hours, minutes, seconds = {1: (0, *fields, 0), 2: (0, *fields), 3: tuple(fields)}[len(fields)]
    return 60 * hours + minutes + seconds / 60
