"""What a report is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deeptheory.judge import Comparison
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies import comparison, hypotheses, soundness
from deeptheory.tables import Table


@dataclass(frozen=True)
class Source:
    """What a report is made of: a directory, its runs by seed, and what was concluded from them."""

    directory: Path
    runs: Sequence[Run]
    unmeasured: Sequence[Run] = ()  # of the study; only named

    @cached_property
    def compared(self) -> dict[str, Comparison]:
        """The comparisons of criteria, by the name of their figure."""
        stored = {
            f"accuracy-against-density{'-alone' * alone}": comparison.stored_comparison(self.directory, alone)
            for alone in (False, True)
        }
        return {name: compared for name, compared in stored.items() if compared}

    @cached_property
    def of_sweep(self) -> bool:
        """Whether the runs are members of a sweep, which differ in more than their seeds."""
        return (self.directory / paths.SWEEP).is_file()

    @cached_property
    def verdicts(self) -> dict[str, Table]:
        """The tables of verdicts, by the name of their file."""
        stored = {
            name: hypotheses.stored_table(self.directory / name)
            for name in (paths.VERDICTS, paths.HYPOTHESES)
        }
        return {name: table for name, table in stored.items() if table is not None}

    @property
    def alone(self) -> bool:
        """Whether it is a single run."""
        return (self.directory / paths.CONFIG).is_file()

    @property
    def names(self) -> list[str]:
        """Names of the runs: their seeds, or their directories in a sweep."""
        return [self.name_of(run) for run in self.runs]

    def name_of(self, run: Run) -> str:
        """The seed of a run, or its directory in a sweep."""
        return run.directory.name if self.of_sweep else f"seed {run.config.seed}"

    @property
    def name(self) -> str:
        """The name of the directory, without its path."""
        return self.directory.resolve().name

    def place(self, run: Run) -> str:
        """The directory of a run, as it is named in the directory that holds this one."""
        return self.name if self.alone else f"{self.name}/{run.directory.name}"

    @property
    def title(self) -> str:
        """The title of the page."""
        return f"deeptheory report: {self.name}"

    @property
    def data(self) -> str:
        """The name of the data."""
        config = self.runs[0].config
        return Path(config.data.path).name if config.data.path else config.data.source

    @property
    def summary(self) -> str:
        """Network, data and seeds in one line."""
        if self.of_sweep:
            return f"a sweep, {len(self.runs)} of its members"
        config = self.runs[0].config
        n_labels = len(self.runs[0].read_names(paths.join("train", paths.LABEL_NAMES)))
        seeds = ", ".join(str(run.config.seed) for run in self.runs)
        not_held_out = "".join(f"; {text}" for text in soundness.not_held_out(self.runs))
        return (
            f"{config.network.title}, on {self.data} with {n_labels} labels; "
            f"{'seed' if len(self.runs) == 1 else 'seeds'} {seeds}{not_held_out}"
        )
