"""How many directions per label does the field theory need of a stage's covariances?

python simulations/low_rank_covariances.py out/cifar10/seed-0 --stages stage6 stage8 stage10

Statistics of all C*P activations of each stage from the measure split of a measured run, in full, pooled over
labels and as diagonal plus r directions per label; the accuracy that Gaussian field theory predicts from each for
the stage's own probe (one Gaussian per label), beside the accuracy counted on the same inputs; and the relative
error of the field covariances, in the Frobenius norm. The difference of a form from the full one is what the form
costs; the difference of the full one from the counted accuracy is that of the Gaussian model. The test split is
not read.
"""

import argparse
from pathlib import Path

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure, theory
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table


class Study:
    """A measured network, its measure split, and its stages one by one."""

    def __init__(self, run: Run, seed: int) -> None:
        self.run, self.network, self.seed = run, trained_network(run), seed
        self.images, self.labels = data.select(run.dataset, stored_splits(run), "measure")

    def stage(self, stage: str, ranks: list[int]) -> list[list[str]]:
        """One row of the table for every form of the covariances."""
        probe = self.run.read_array(paths.stage_path("measure", stage, paths.PROBE_WEIGHT))
        given = self.network, self.images, self.labels, [stage], len(probe)
        fields = measure.complete_fields(self.network, self.images, {stage: probe}, quiet=True)[stage]
        counted = f"{100 * np.mean(fields.argmax(axis=1) == self.labels):.2f}"
        full = measure.second_order_statistics(*given, quiet=True)[stage]
        _, expected = full.field_moments(probe)
        rows = [self._row(stage, "full", full, probe, expected, counted)]
        del full
        pooled = measure.second_order_statistics(*given, pooled=True, quiet=True)[stage]
        rows.append(self._row(stage, "pooled", pooled, probe, expected, counted))
        del pooled
        for rank in ranks:
            low = measure.low_rank_statistics(*given, rank, quiet=True)[stage]
            rows.append(self._row(stage, f"rank {rank}", low, probe, expected, counted))
        return rows

    def _row(
        self,
        stage: str,
        form: str,
        statistics: measure.SecondOrderStatistics,
        probe: np.ndarray,
        expected: np.ndarray,
        counted: str,
    ) -> list[str]:
        predicted = theory.accuracy_from_activations(statistics, probe, np.random.default_rng(self.seed))
        _, found = statistics.field_moments(probe)
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        size = str(probe[0].size)
        return [stage, size, form, f"{error:.4f}", f"{100 * predicted.accuracy:.2f}", counted]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a measured run")
    parser.add_argument("--stages", nargs="+", required=True, help="8 K (C P)^2 bytes for the largest")
    parser.add_argument("--ranks", nargs="+", type=int, default=[8, 32, 128], help="directions per label")
    parser.add_argument("--seed", type=int, default=0, help="of the integration")
    arguments = parser.parse_args()
    process_setup.configure()
    study = Study(Run(arguments.run, quiet=True), arguments.seed)
    rows = [row for stage in arguments.stages for row in study.stage(stage, arguments.ranks)]
    heads = ["stage", "C*P", "covariances", "their error", "predicted", "counted"]
    print("\n".join(text_table(heads, rows)))


if __name__ == "__main__":
    run_script(main)
