"""The results that a run holds, in the pieces that depend on options each in its own way."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py

from deeptheory.prune import CRITERIA
from deeptheory.runs.option_readers import PARTS
from deeptheory.store import hdf5, paths

STAMP = (paths.FINISHED, paths.WALL_SECONDS, paths.PEAK_BYTES)
OF_PROBE = (paths.PROBE_WEIGHT, "probe")  # of a measured stage; all else is the measures'


@dataclass(frozen=True)
class Piece:
    """One result that can be kept or left without the others.

    Attributes
    ----------
    part : str
        That it belongs to (`option_readers.PARTS`).
    name : str
        Of the stage, arm, criterion or tolerance; "" for the whole part.
    entries : tuple of str
        Its entries in `run.h5`.
    """

    part: str
    name: str
    entries: tuple[str, ...]


def stored_pieces(file: h5py.File) -> list[Piece]:
    """All results in an open `run.h5`, but those of a step that would compute them anew when it goes on.

    Raises
    ------
    InputError
        By `hdf5.require_own_entries`.
    """
    hdf5.require_own_entries(file)
    found = [piece for step in paths.STEPS[:-1] for piece in _whole_step(file, step)]
    found += _named(file, "probes", paths.join("measure", paths.STAGES), OF_PROBE)
    for group, part_of in _arms(file).items():
        found += [Piece(part_of(name), name, (paths.join(group, name),)) for name in _names(file, group)]
    stamp = tuple(paths.join("retrain", name) for name in STAMP)
    if stamp[0] in file:
        found.append(Piece("retrain", "", (*stamp, paths.provenance_path("retrain"))))
    removal = paths.join(paths.BUDGET, paths.REMOVAL_PATHS)
    if removal in file:
        found.append(Piece("removal-paths", paths.REMOVAL_PATHS, (removal,)))
    found += [piece for piece in _named(file, "budget", paths.BUDGET) if piece.entries != (removal,)]
    found += _named(file, "calibration", paths.PREDICTIONS)
    for part in (paths.SENSITIVITY, paths.COMPACT, paths.COST, paths.ROUNDS, paths.CALIBRATION):
        found += _named(file, part, part)
    order = list(PARTS)
    return sorted(found, key=lambda piece: order.index(piece.part))


def pieces_begun(file: h5py.File) -> Iterator[str]:
    """Entries of steps that are not done and compute them anew when they go on."""
    yield from (
        step for step in ("predict", "prune") if step in file and paths.join(step, paths.FINISHED) not in file
    )
    if paths.join("measure", paths.FINISHED) not in file:
        for stage in _names(file, paths.join("measure", paths.STAGES)):
            where = paths.stage_path("measure", stage)
            yield from (paths.join(where, entry) for entry in file[where] if entry not in OF_PROBE)


def checkpoints(directory: Path) -> list[Piece]:
    """What is half done in a run directory: the part and the file of each checkpoint, without entries."""
    found = []
    for path in sorted(filter(paths.is_checkpoint, directory.iterdir())):
        if path.name == paths.CHECKPOINT:
            part = "train"
        elif path.name.startswith(paths.probe_checkpoint("").removesuffix(".h5")):
            part = "probes"
        elif path.name.startswith(paths.calibration_checkpoint("").removesuffix(".h5")):
            part = "calibration"
        else:
            part = "retrain-unpruned" if path.name == paths.arm_checkpoint(paths.UNPRUNED, 0) else "retrain"
        found.append(Piece(part, path.name, ()))
    return found


def described(pieces: Iterable[Piece]) -> str:
    """Pieces in one line: ``train, retrain (unpruned, afcc)``."""
    names: dict[str, list[str]] = {}
    for piece in pieces:
        part = "budget" if piece.part == "removal-paths" else piece.part
        names.setdefault(part.removesuffix("-unpruned").removesuffix("-measured"), []).append(piece.name)
    if "measure" in names:
        names.pop("probes", None)
    lists = {part: ", ".join(dict.fromkeys(of_part)) for part, of_part in names.items() if "" not in of_part}
    return ", ".join(f"{part} ({lists[part]})" if part in lists else part for part in names)


def _whole_step(file: h5py.File, step: str) -> Iterator[Piece]:
    if paths.join(step, paths.FINISHED) in file:
        beside = (paths.REWIND,) if step == "train" and paths.REWIND in file else ()
        yield Piece(step, "", (step, *beside, paths.provenance_path(step)))


def _named(file: h5py.File, part: str, group: str, only: Iterable[str] = ()) -> list[Piece]:
    """The groups in a group, a piece each: all of it, or some entries where there are any."""
    found = []
    for name in _names(file, group):
        where = paths.join(group, name)
        entries = tuple(paths.join(where, entry) for entry in only if paths.join(where, entry) in file)
        if entries or not only:
            found.append(Piece(part, name, entries or (where,)))
    return found


def _names(file: h5py.File, group: str) -> list[str]:
    return (
        [name for name in file[group] if isinstance(file[group][name], h5py.Group)] if group in file else []
    )


def _arms(file: h5py.File) -> dict[str, Callable[[str], str]]:
    """The groups with retrained networks, and to which part each of them belongs."""
    alone = [paths.join(paths.COMPARE_ALONE, layer) for layer in _names(file, paths.COMPARE_ALONE)]
    return {
        paths.join("retrain", paths.ARMS): lambda arm: _part_of_arm("retrain", arm),
        **dict.fromkeys((paths.COMPARE, *alone), lambda arm: _part_of_arm("compare", arm)),
    }


def _part_of_arm(step: str, arm: str) -> str:
    if arm == paths.UNPRUNED:
        return f"{step}-unpruned"
    return "compare-measured" if step == "compare" and CRITERIA[arm].measured else step
