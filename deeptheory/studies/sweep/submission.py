"""Submission of the unfinished members of a sweep to Slurm."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.runs import plugin_records
from deeptheory.store import paths
from deeptheory.store.atomic_files import write_text
from deeptheory.studies.sweep import queue
from deeptheory.studies.sweep.execution import claim, refuse_other_files
from deeptheory.studies.sweep.member_states import states
from deeptheory.studies.sweep.options import Sweep
from deeptheory.studies.sweep.requirements import SweepEstimate
from deeptheory.studies.sweep.slurm import SlurmOptions, arrays, script
from deeptheory.tables import Summary

NOTHING_KNOWN = SweepEstimate("", "", {}, {})


def array_scripts(
    sweep: Sweep,
    directory: Path,
    options: SlurmOptions,
    size: int | None = None,
    command: str = "",
    estimate: SweepEstimate = NOTHING_KNOWN,
) -> Summary:
    """The scripts that `submit_sweep` would give to Slurm; nothing is written.

    Parameters
    ----------
    sweep : Sweep
    directory : Path
        Of the sweep. What is done there is left out, and what the estimate refuses.
    options : SlurmOptions
    size : int, optional
        Task ids of an array are below it; the site's MaxArraySize by default.
    command : str
        The command that asked for them.
    estimate : SweepEstimate
        Its lines about memory and time are for the headers.

    Returns
    -------
    Summary
        The scripts one below the other, and what is left out and why; none where all members are done.

    Raises
    ------
    InputError
        A directory with other files, a path that options of sbatch cannot hold, or no member that can be computed.
    """
    directory = Path(directory)
    refuse_other_files(directory)
    all_states = states(sweep, directory)
    undone = [place for place, member_state in enumerate(all_states) if member_state.state != "done"]
    left_out = {at: why for at in undone if (why := estimate.refused.get(all_states[at].member.identity))}
    reasons = [f"{count} members are left out: {why}" for why, count in Counter(left_out.values()).items()]
    if left_out and len(left_out) == len(undone):
        raise InputError(f"sweep {directory}", "members that can be computed", "; ".join(reasons))
    undone = [place for place in undone if place not in left_out]
    parts = arrays(undone, size or queue.array_size_limit())
    plugins, texts = plugin_records.arguments(one.member.config.plugins for one in all_states), []
    for number, array in enumerate(parts, start=1):
        which = f"{len(array.task_ids)} of {len(all_states)} members of the sweep {directory}"
        texts.append(
            script(
                array,
                directory.absolute(),
                options,
                title=f"{which}, script {number} of {len(parts)}" if len(parts) > 1 else which,
                command=command,
                python=sys.executable,
                work=Path.cwd(),
                estimate="\n".join([*estimate.comment.splitlines(), *reasons]),
                plugins=plugins,
            )
        )
    text = "\n".join(texts).rstrip() or f"all {len(all_states)} members are done"
    names = {all_states[at].directory.name: why for at, why in left_out.items()}
    counts = {"members": len(all_states), "submitted": len(undone), "left_out": names}
    return Summary(text, {**counts, "scripts": texts})


def submit_sweep(
    sweep: Sweep,
    directory: Path,
    options: SlurmOptions,
    environment: Mapping[str, str],
    size: int | None = None,
    command: str = "",
    estimate: SweepEstimate = NOTHING_KNOWN,
) -> Summary:
    """Write the scripts of the members that are not done into the directory of a sweep, and submit them.

    Scripts are kept under numbers of their own, `slurm/array-1.sbatch` and upwards, so that none is overwritten
    that somebody edited. Of several scripts with a `max_running`, each waits for the end of the one before.

    Parameters
    ----------
    environment : mapping
        Variables that the jobs get: those of the user, without the threads that `process_setup.configure` sets.
    sweep, directory, options, size, command, estimate
        As in `array_scripts`.

    Returns
    -------
    Summary
        The jobs, their scripts and how many members they have.

    Raises
    ------
    InputError
        As in `array_scripts`; no sbatch; members that are still in the queue; what sbatch refuses, which leaves
        the script where it is and the jobs of the scripts before it in the queue.
    """
    directory = Path(directory)
    queue.require_sbatch()
    queue.refuse_queued(directory)
    asked = array_scripts(sweep, directory, options, size, command, estimate)
    if not asked.numbers["scripts"]:
        return asked
    claim(sweep, directory)
    place = directory / paths.SWEEP_SLURM
    place.mkdir(exist_ok=True)
    jobs: dict[str, str] = {}
    for text in asked.numbers["scripts"]:
        path = _next(place)
        write_text(path, text)
        after = list(jobs)[-1] if jobs and options.max_running else None
        jobs[queue.sbatch(path, after, environment)] = str(path)
    lines = [f"job {job}: {path}" for job, path in jobs.items()]
    lines += [f"{name} is left out: {why}" for name, why in asked.numbers["left_out"].items()]
    lines += [f"{asked.numbers['submitted']} of {asked.numbers['members']} members are in the queue"]
    lines += [f"how far they are:  deeptheory sweep status {directory}"]
    return Summary("\n".join(lines), {**asked.numbers, "scripts": list(jobs.values()), "jobs": list(jobs)})


def _next(place: Path) -> Path:
    number = 1
    while (path := place / paths.array_script(number)).exists():
        number += 1
    return path
