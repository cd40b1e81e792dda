"""Branches: runs that share the training, and every result that their changed options leave as it is."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.runs import compact_files
from deeptheory.runs.configuration import FREE, Config, complete, differences
from deeptheory.runs.option_changes import Change, Changes, changed_config
from deeptheory.runs.option_readers import TRAINING, stale_parts
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.run import Run, now
from deeptheory.runs.run_locks import lock
from deeptheory.runs.stored_parts import Piece, described, stored_pieces
from deeptheory.store import hdf5, integrity, paths
from deeptheory.store.atomic_files import replacing_file
from deeptheory.store.toml import toml_value

OF_ARMS = ("retrain", "compact", "cost")  # parts with a piece for every arm


@dataclass(frozen=True)
class Branch:
    """A branch that can be made, or is there.

    Attributes
    ----------
    source : Run
    directory : Path
    config : Config
    changes : sequence of Change
    taken, left : tuple of Piece
        What the branch takes over, and what its options make other results of, or whose file is damaged.
    digest : str
        SHA-256 of the trained weights.
    """

    source: Run
    directory: Path
    config: Config
    changes: Changes
    taken: tuple[Piece, ...]
    left: tuple[Piece, ...]
    digest: str

    @property
    def exists(self) -> bool:
        """Whether it has been made before, or gone on with since."""
        return (self.directory / paths.RESULTS).exists()


def plan_branch(source: Run, directory: Path, overrides: Sequence[str]) -> Branch:
    """What a branch of a run in a directory takes over.

    Raises
    ------
    InputError
        The run is not trained or damaged; an option is none that the steps after training read; the directory
        holds anything but this very branch.
    """
    source.require(TRAINING)
    if damage := integrity.damage_of(source.results):
        do = f"look at it with 'deeptheory runs verify {source.directory}'"
        raise InputError(f"{source.results}", "a whole file", damage, do)
    config, changes = changed_config(source, overrides)
    with hdf5.open_for_reading(source.results) as file:
        pieces = stored_pieces(file)
    taken = tuple(
        piece
        for piece in pieces
        if _stays(piece, source.config, config, changes)
        and (piece.part != paths.COMPACT or compact_files.is_whole(source, piece.name))
    )
    left = tuple(piece for piece in pieces if piece not in taken)
    branch = Branch(source, directory, config, changes, taken, left, weights_digest(source))
    _check_target(branch)
    return branch


def make_branch(branch: Branch, quiet: bool = False) -> Run:
    """Copy what a branch takes over, every data set with its checksum; one that is there is left as it is."""
    if branch.exists:
        return Run(branch.directory, quiet)
    run = Run.create(branch.directory, branch.config, quiet)
    with lock(run.directory):
        for piece in branch.taken:
            if piece.part == paths.COMPACT:
                with replacing_file(paths.compact_file(run.directory, piece.name)) as temporary:
                    shutil.copyfile(paths.compact_file(branch.source.directory, piece.name), temporary)
        with (
            hdf5.open_for_reading(branch.source.results) as file,
            hdf5.replacing(run.results, anew=True) as copy,
        ):
            for entry in sorted({entry for piece in branch.taken for entry in piece.entries}):
                if entry not in copy:  # a probe is in the measures as well, which come before it
                    _copy_entry(file[entry], copy, entry)
            hdf5.write_tree(copy, {paths.BRANCH: _record(branch)})
            if paths.DATA_FINGERPRINT in file:
                _copy_entry(file[paths.DATA_FINGERPRINT], copy, paths.DATA_FINGERPRINT)
            for step in paths.STEPS:  # of what is there of steps that are not done
                where = paths.provenance_path(step)
                if where in file and where not in copy and step in copy:
                    _copy_entry(file[where], copy, paths.join(paths.BRANCH, where))
            run.describe(copy)
    run.log(f"branch of {branch.source.directory}, taken over: {described(branch.taken)}")
    return run


def weights_digest(run: Run) -> str:
    """SHA-256 of the trained weights of a run, with their names."""
    digest = hashlib.sha256()
    for name, array in sorted(run.read_arrays(paths.join("train", paths.STATE)).items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _stays(piece: Piece, old: Config, new: Config, changes: Changes) -> bool:
    """Whether a result is the same under the changed options, and belongs to the branch."""
    if piece.part == "probes" and new.measure.stages and piece.name not in new.measure.stages:
        return False
    if piece.part not in stale_parts(change.option for change in changes):
        return True
    others = stale_parts(change.option for change in changes if change.option != "prune.arms")
    return piece.part in OF_ARMS and piece.part not in others and piece.name in _same_arms(old, new)


def _same_arms(old: Config, new: Config) -> tuple[str, ...]:
    """The arms at the beginning of both lists: random streams are by position, densities are those of AFCC."""
    same = []
    for one, other in zip(old.prune.arms, new.prune.arms, strict=False):
        if one != other:
            break
        same.append(one)
    return tuple(same) if paths.AFCC in same else ()


def _check_target(branch: Branch) -> None:
    """Refuse a directory that holds something else than the branch, or its beginning."""
    directory, source = branch.directory.resolve(), branch.source.directory.resolve()
    do = "name a new directory"
    if directory.is_relative_to(source):
        raise InputError(f"branch {branch.directory}", f"a directory outside of {source}", "one inside", do)
    if not directory.exists() or not directory.is_dir():
        return  # a file is refused when the directory is made
    expected = "a new or empty directory, or the same branch"
    if not (directory / paths.CONFIG).is_file():
        if any(directory.iterdir()):
            raise InputError(f"branch {branch.directory}", expected, "other files", do)
        return
    there = Run(branch.directory, quiet=True)
    differing = [Change(*difference).asked for difference in differences(there.config, branch.config)]
    if there.begun:
        differing += _asked_anew(there, branch)
    if there.begun and not differing and not there.has(paths.BRANCH):
        differing = ["a run that is no branch"]
    if there.begun and not differing and _recorded(there, paths.BRANCH_DIGEST) != branch.digest:
        differing = [f"a branch of {_recorded(there, paths.BRANCH_SOURCE)}"]
    if differing:
        raise InputError(f"branch {branch.directory}", expected, "; ".join(differing), do)


def _asked_anew(there: Run, branch: Branch) -> list[str]:
    """Options that change no result, where neither the branch nor its making had the value that is asked for."""
    options, new = (
        there.read_names(where) if there.has(where) else ()
        for where in (paths.join(paths.BRANCH, entry) for entry in (paths.BRANCH_OPTIONS, paths.BRANCH_NEW))
    )
    made = dict(zip(options, new, strict=True))
    present, asked = (dict(flatten(complete(config))) for config in (there.config, branch.config))
    return [
        Change(option, present[option], asked[option]).asked
        for option in dict.fromkeys((*(change.option for change in branch.changes), *made))
        if option in FREE
        and asked[option] != present[option]
        and made.get(option) != toml_value(asked[option])
    ]


def _recorded(run: Run, entry: str) -> str:
    return run.read_text(paths.join(paths.BRANCH, entry))


def _record(branch: Branch) -> dict[str, str | list[str]]:
    return {
        paths.BRANCH_SOURCE: str(branch.source.directory.resolve()),
        paths.BRANCH_DIGEST: branch.digest,
        paths.BRANCH_DATE: now(),
        paths.BRANCH_OPTIONS: [change.option for change in branch.changes],
        paths.BRANCH_OLD: [toml_value(change.old) for change in branch.changes],
        paths.BRANCH_NEW: [toml_value(change.new) for change in branch.changes],
        paths.BRANCH_TAKEN: described(branch.taken),
    }


def _copy_entry(item: h5py.Group | h5py.Dataset, copy: h5py.File, path: str) -> None:
    group, _, name = path.rpartition("/")
    item.file.copy(item, copy.require_group(group) if group else copy, name)
