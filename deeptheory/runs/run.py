"""A run: one seed's directory with its configuration, results, checkpoint and log."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, cast

import h5py
import msgspec

from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.runs import plugin_records, recorded_options, schema
from deeptheory.runs.configuration import Config, differences, shown, to_toml
from deeptheory.runs.contents import no_run
from deeptheory.runs.datasets import labelled, load_whole
from deeptheory.runs.option_readers import TRAINING, reads
from deeptheory.runs.run_locks import lock
from deeptheory.store import hdf5, integrity, paths
from deeptheory.store.atomic_files import UNFINISHED, write_text
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.store.regular_files import open_for_appending
from deeptheory.store.typed_readers import Entry, TypedReaders
from deeptheory.system import interruption, memory, provenance, standard_streams
from deeptheory.system.heartbeats import heartbeat, note_output

Arguments = ParamSpec("Arguments")


class Run(TypedReaders):
    """One seed's directory: `config.toml`, `run.h5`, `checkpoint.h5` while unfinished, `log.txt`.

    Parameters
    ----------
    directory : Path
        An existing run directory; `Run.create` makes a new one.
    quiet : bool
        Write nothing to standard error; the log file is written in any case.
    expected : Config, optional
        The options that the run probably has: where `config.toml` says just these, it is not parsed.
    """

    def __init__(self, directory: Path, quiet: bool = False, expected: Config | None = None) -> None:
        self.directory, self.quiet = Path(directory), quiet
        if not (self.directory / paths.CONFIG).is_file():
            raise no_run(self.directory)
        self.config = self._stored_config = recorded_options.read(self.directory, expected)
        self._fingerprint = ""  # of the data, once they are loaded
        self._kept_open: hdf5.OpenFile | None = None
        self._compared = False  # whether the options are those that the run file records

    @classmethod
    def create(cls, directory: Path, config: Config, quiet: bool = False) -> "Run":
        """Make a run directory, or open the one that is there if its configuration is the same.

        A run without results takes the new configuration, any other what `configuration.differences`
        leaves free.

        Raises
        ------
        InputError
            The directory holds a run of another configuration (the differing options are named), holds
            something else, or cannot be written; another process writes the run.
        """
        directory = Path(directory)
        cls.check(directory, config)
        path = directory / paths.CONFIG
        if _begun(directory):
            there = cls(directory, quiet).config
            joined = plugin_records.joined(config.plugins, there.plugins)
            config = msgspec.structs.replace(config, plugins=joined)
            same = there == config
        else:
            same = path.is_file() and path.read_text(encoding="utf-8") == to_toml(config)
        if not same:
            make_directory(directory)
            with lock(directory):
                if path.is_file():
                    cls.check(directory, config)  # once more: another process may have begun it
                write_text(path, to_toml(config))
        return cls(directory, quiet)

    @classmethod
    def check(cls, directory: Path, config: Config) -> "Run | None":
        """The run in a directory, if anything of it is computed; refuses what `create` refuses."""
        if not directory.exists():
            return None
        make_directory(directory)  # refuses a file, or a directory that is read-only
        if (directory / paths.CONFIG).is_file():
            if _begun(directory):
                run = cls(directory, quiet=True)
                _refuse_difference(run, config)
                return run
        elif any(directory.iterdir()):
            do = "name a new directory with --out"
            raise InputError(f"directory {directory}", "an empty directory or a run", "other files", do)
        return None

    @functools.cached_property
    def dataset(self) -> data.Dataset:
        """The data set of the configuration; runs in one process share it.

        Raises
        ------
        InputError
            Its images or labels are others than those that the run was computed on so far.
        """
        whole, used = load_whole(self.config.data, self.quiet), self.fingerprint
        self._fingerprint = whole.fingerprint
        if used not in ("", self._fingerprint):
            raise InputError(
                f"data of run {self.directory}",
                f"the images and labels that it was computed on (SHA-256 {used[:16]})",
                f"others (SHA-256 {self._fingerprint[:16]})",
                "restore them, or train a run on the new ones in another directory",
            )
        return labelled(whole, self.config)

    @property
    def fingerprint(self) -> str:
        """That of the data the run was computed on, or has loaded (`Dataset.fingerprint`); "" if neither."""
        recorded = self.has(paths.DATA_FINGERPRINT)
        return self.read_text(paths.DATA_FINGERPRINT) if recorded else self._fingerprint

    @property
    def results(self) -> Path:
        """Path of `run.h5`."""
        return self.directory / paths.RESULTS

    @property
    def begun(self) -> bool:
        """Whether anything was computed: there are results or a checkpoint."""
        return _begun(self.directory)

    def checkpoint(self, name: str) -> CheckpointStore:
        """The checkpoint of this file name (`paths`), written every `checkpoint_minutes`.

        Before it `run.h5` records the options and data that it depends on.
        """
        return CheckpointStore(self.directory / name, 60 * self.config.checkpoint_minutes, self._record)

    def _record(self) -> None:
        if self._fingerprint and not self.has(paths.DATA_FINGERPRINT):
            with hdf5.replacing(self.results) as file:
                self.describe(file)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing the run in the block (`lock`), and repair what a killed one left.

        Raises
        ------
        InputError
            Another process writes the run, or has changed its options since this one read them.
        """
        with lock(self.directory) as first:
            if first:
                self._mend()
                self._refuse_changed_options()
                if self.done("train"):
                    self.checkpoint(paths.CHECKPOINT).remove()
            yield

    def _refuse_changed_options(self) -> None:
        present = recorded_options.read(self.directory)
        changed = [
            f"{name} = {shown(new)} in place of {shown(old)}"
            for name, old, new in differences(self._stored_config, present)
        ]
        if changed:
            expected, do = "the options that this command began with", "give the command again"
            raise InputError(f"run {self.directory}", expected, "; ".join(changed), do)

    def _mend(self) -> None:
        for left in (
            UNFINISHED,
            f"{paths.LOCK}.*",
        ):  # of processes that were killed while they wrote or took over
            for path in self.directory.glob(left):
                path.unlink(missing_ok=True)
        if done := integrity.mend(self.results):
            self.log(f"warning: {done}")
            recorded_options.restore(self.directory)
        recorded_options.settle(self.directory)

    def done(self, step: str) -> bool:
        """Whether the step's results are complete in `run.h5`."""
        return self.has(paths.join(step, paths.FINISHED))

    def needs(self, step: str) -> bool:
        """Whether a step has to be computed: it is not done, or `run.h5` is damaged and has to be mended first."""
        try:
            return not self.done(step)
        except InputError:
            return True

    def has(self, path: str) -> bool:
        """Whether `run.h5` has an entry at this path."""
        if not self.results.exists():
            return False
        with self._open() as opened:
            return hdf5.has(opened.file, path)

    def require(self, step: str) -> None:
        """Raise `InputError` if `step` is not done."""
        if not self.done(step):
            arguments = f"{self.directory / paths.CONFIG} --out {self.directory}"
            command = f"train {arguments}" if step == "train" else f"{step} {self.directory}"
            do = f"run 'deeptheory {command}' first"
            raise InputError(f"run {self.directory}", f"the results of '{step}'", "none", do)

    def entry(self, path: str) -> Entry:
        """One entry of `run.h5` by its path, such as ``measure/stages/stage3``."""
        if self._kept_open is not None or self.results.exists():
            with self._open() as opened:
                if (small := opened.small_entry(path)) is not None:
                    return small
                if hdf5.has(opened.file, path):
                    return opened.entry(path)
        raise InputError(f"run {self.directory}", f"'{path}' in {paths.RESULTS}", "no such entry")

    def location(self, path: str) -> str:
        return f"'{path}' in {self.results}"

    def entry_names(self, path: str) -> list[str]:
        """Names of the entries of a group of `run.h5`; none if there is no such group."""
        if not self.has(path):
            return []
        with self._open() as opened:
            return hdf5.entry_names(opened.file, path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Keep `run.h5` open in the block, in which much is read of it and nothing written."""
        before = self._kept_open
        with self._open() as self._kept_open:
            try:
                yield
            finally:
                self._kept_open = before

    def _open(self) -> AbstractContextManager[hdf5.OpenFile]:
        """`run.h5` for reading, brought to the present schema first; refuses options that it does not record."""
        if self._kept_open is not None:
            return contextlib.nullcontext(self._kept_open)
        file = hdf5.open_for_reading(self.results)
        try:
            if not schema.is_current(file):
                file.close()
                with lock(self.directory):
                    self.record(schema.migrate(self.results))
                    recorded_options.rename(self.directory)
                file = hdf5.open_for_reading(self.results)
            if not self._compared:
                recorded_options.refuse_edited(file, self.directory, self._stored_config)
                self._compared = True
        except BaseException:
            file.close()
            raise
        return contextlib.closing(hdf5.OpenFile(file))

    def reconfigure(self, config: Config, without: Collection[str] = ()) -> None:
        """Take another configuration, in `run.h5` and `config.toml`, and drop what it leaves without a meaning.

        Parameters
        ----------
        config : Config
            All that is stored and not in `without` is the same under it: the caller has made sure.
        without : collection of str
            Entries of `run.h5` to be deleted.
        """
        recorded_options.announce(self.directory, config)
        self.config = self._stored_config = config
        with hdf5.replacing(self.results) as file:
            for path in without:
                del file[path]
            self.describe(file)
        recorded_options.settle(self.directory)

    def require_writable(self) -> None:
        """Raise an `InputError` where results could not be stored: before they are computed."""
        if not os.access(self.directory, os.W_OK):
            expected, do = "a directory that can be written", "copy it elsewhere and name the copy"
            raise InputError(f"run {self.directory}", expected, "one that is read-only", do)
        log = self.directory / paths.LOG
        try:
            os.close(open_for_appending(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        except OSError as error:
            expected, do = "a file that can be added to", "move it away: a new one is begun"
            raise InputError(str(log), expected, error.strerror or str(error), do) from error

    def store(self, path: str, tree: hdf5.Tree) -> None:
        """Store one part of an unfinished step, replacing an old one; `run.h5` is replaced atomically."""
        with hdf5.replacing(self.results) as file:
            self.describe(file)
            if path in file:
                del file[path]
            hdf5.write_tree(file.create_group(path, track_order=True), tree)

    def add(self, path: str, tree: hdf5.Tree) -> None:
        """Add entries to a stored group, replacing those of the same names."""
        with hdf5.replacing(self.results) as file:
            group = file.require_group(path)
            for name in tree:
                if name in group:
                    del group[name]
            hdf5.write_tree(group, tree)

    def finish(self, step: str, tree: hdf5.Tree, started: float) -> None:
        """Store the rest of a step and mark it done, with the wall time since `started` and the peak memory.

        ``peak_bytes`` is that of the process while the step ran (VmHWM), 0 where the system does not say.
        """
        peak = memory.process_memory("VmHWM") or 0
        seconds = time.monotonic() - started
        stamp = {paths.FINISHED: now(), paths.WALL_SECONDS: seconds, paths.PEAK_BYTES: peak}
        with hdf5.replacing(self.results) as file:
            hdf5.write_tree(file.require_group(step), {**tree, **stamp})
            hdf5.write_tree(file.create_group(paths.provenance_path(step)), provenance.provenance())
            self.describe(file)

    def describe(self, file: h5py.File) -> None:
        """Write, with every change of `run.h5`, options and data of what is in it and the steps that are done."""
        if paths.SCHEMA_VERSION not in file:
            hdf5.write_tree(file, {paths.SCHEMA_VERSION: schema.VERSION})
        if self._fingerprint and paths.DATA_FINGERPRINT not in file:
            if TRAINING in file:
                self.log("the data had no fingerprint yet, now it is that of the present ones")
            hdf5.write_tree(file, {paths.DATA_FINGERPRINT: self._fingerprint})
        done = [name for name in paths.STEPS if paths.join(name, paths.FINISHED) in file]
        status = "complete" if len(done) == len(paths.STEPS) else f"done: {', '.join(done)}"
        texts = {paths.CONFIG_TEXT: to_toml(self.config), paths.STATUS: status if done else "begun"}
        for name, text in texts.items():
            if name not in file or hdf5.OpenFile(file).read_text(name) != text:
                hdf5.replace_text(file, name, text)
        for written in plugin_records.keep_copies(self.directory, self.config.plugins):
            self.record(written)
        recorded_options.follow_plugins(self.directory, self.config)

    def log(self, text: str) -> None:
        """Add one line to `log.txt` and, unless quiet, to standard error."""
        self.record(text)
        if not self.quiet:
            standard_streams.say(f"{self.directory.name}: {text}\n")
            note_output()

    def record(self, text: str) -> None:
        """Add one line to `log.txt` alone."""
        with open(self.directory / paths.LOG, "a", encoding="utf-8", opener=open_for_appending) as file:
            file.write(f"{now()} {text}\n")


def step(
    compute: Callable[Concatenate[Run, Arguments], None],
) -> Callable[Concatenate[Run, Arguments], None]:
    """A function that computes part of a run: it holds the lock, stops on request only where it calls
    `interruption.check`, and skips completed steps."""

    @functools.wraps(compute)
    def locked(run: Run, *args: Arguments.args, **named: Arguments.kwargs) -> None:
        is_step = compute.__name__ in paths.STEPS
        if is_step:
            if not run.needs(compute.__name__):
                return
            run.require_writable()
        with interruption.deferred(), run.locked():
            if not (is_step and run.done(compute.__name__)):
                memory.reset_peak()
                with heartbeat(f"{run.directory.name} {compute.__name__}", run.quiet):
                    compute(run, *args, **named)

    return cast(Callable[Concatenate[Run, Arguments], None], locked)


def now() -> str:
    """The time in UTC, to the second, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _begun(directory: Path) -> bool:
    return (directory / paths.RESULTS).exists() or (directory / paths.CHECKPOINT).exists()


def make_directory(directory: Path) -> None:
    """Make a directory that can be written to.

    Raises
    ------
    InputError
        The path is a file, or the directory is read-only.
    """
    do = "name another one with --out"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError("output directory", "a directory", f"the file {directory}", do) from error
    except OSError as error:
        raise InputError("output directory", "a place that can be written", f"{error}", do) from error
    if not os.access(directory, os.W_OK):
        raise InputError("output directory", "a place that can be written", f"{directory} is read-only", do)


def _refuse_difference(run: Run, config: Config) -> None:
    differing = [
        f"{name} = {shown(old)} there, {shown(new)} asked"
        for name, old, new in differences(run.config, config)
    ]
    if differing:
        do = "name another directory with --out, or delete the old run"
        if not any(reads(TRAINING, name) for name, _, _ in differences(run.config, config)):
            do += "; 'deeptheory branch' shares its training with one of other options"
        raise InputError(f"run {run.directory}", "the same configuration", "; ".join(differing), do)
