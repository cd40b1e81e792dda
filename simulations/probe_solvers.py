"""Exact solver on features computed once against SGD through the frozen trunk: the probes of every stage.

python simulations/probe_solvers.py out/small-glyphs/seed-0 --trunk-epochs 3

What is measured, on the train split of a trained run, accuracies on its test split:
- features: one forward pass that makes the features of all stages (as many passes as the memory asks for);
- exact: the exact solver on them, per stage;
- SGD: all its epochs on the same features, per stage, by which its accuracy is that of the whole schedule;
- trunk (--trunk-epochs n): one pass through the layers up to the stage, the mean of n. SGD through the frozen
  trunk makes one in every epoch; its time is given as SGD on features + epochs x trunk, not measured whole, and is
  a lower bound: inputs are taken in order, and no features are handed on.

Every result is stored as soon as it is there; the same command again goes on where it was interrupted.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure
from deeptheory.measure.streaming import visit
from deeptheory.runs import Run
from deeptheory.runs.random_streams import generator
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

SOLVERS = ("exact", "sgd")


class Study:
    """One trained run, the settings of the comparison, and what has been found so far."""

    def __init__(self, run: Run, epochs: int, path: Path) -> None:
        self.run, self.path = run, path
        self.network = trained_network(run)
        self.names = [stage.name for stage in self.network.stages]
        splits = stored_splits(run)
        self.images, self.labels = data.select(run.dataset, splits, "train")
        self.test_images, self.test_labels = data.select(run.dataset, splits, "test")
        self.options = msgspec.structs.replace(run.config.probe, epochs=epochs)
        setting = {
            "run": str(run.directory),
            "seed": run.config.seed,
            "train_inputs": len(self.images),
            "test_inputs": len(self.test_images),
            "labels": self.network.n_labels,
            "probe": {**msgspec.to_builtins(self.options), "solver": list(SOLVERS), "inputs": 0},
        }
        self.found = stored_results(path, setting, lambda: {"machine": provenance.provenance(), "stages": {}})

    def store(self) -> None:
        """Replace the file of results in one piece."""
        store_results(self.path, self.found)

    def stage(self, name: str) -> dict[str, Any]:
        """What has been found of one stage, to be added to."""
        return self.found["stages"].setdefault(name, {})

    def fitted(self) -> dict[str, dict[str, Any]]:
        """What has been found of the stages whose probes are fitted by both solvers, in their order."""
        found = {name: self.found["stages"].get(name, {}) for name in self.names}
        return {name: of for name, of in found.items() if all(solver in of for solver in SOLVERS)}

    def time_features(self) -> None:
        """Seconds for the features of all stages, in as few passes as the memory allows."""
        for images in (self.images[:100], self.images):  # the first loads or compiles the kernels
            started = time.monotonic()
            for _ in measure.iterate_features(self.network, images, self.names, quiet=True):
                pass
            self.found["features_s"] = time.monotonic() - started
        self.store()

    def fit(self, stage: str, features: np.ndarray, solver: str) -> None:
        """Fit one probe and count its right guesses on the test split."""
        started = time.monotonic()
        fit = measure.fit_probe(
            features,
            self.labels,
            self.network.n_labels,
            msgspec.structs.replace(self.options, solver=solver),
            generator(self.run.config.seed, "probe"),
            title=f"{stage} {solver}",
        )
        seconds = time.monotonic() - started
        fields = measure.complete_fields(self.network, self.test_images, {stage: fit.weight}, quiet=True)
        self.stage(stage)[solver] = {
            "seconds": seconds,
            "test_accuracy": float(np.mean(fields[stage].argmax(axis=1) == self.test_labels)),
            "loss": fit.loss,
            "iterations": fit.iterations,
            "gradient_norm": fit.gradient_norm,
        }
        self.store()

    def time_trunk(self, stage: str, epochs: int) -> None:
        """Mean seconds of a pass over the train split through the layers up to the stage."""
        nothing = {stage: lambda outputs, rows: None}
        visit(self.network, self.images, np.arange(1), nothing, quiet=True)
        started = time.monotonic()
        for _ in range(epochs):
            visit(self.network, self.images, np.arange(len(self.images)), nothing, f"{stage} trunk")
        self.stage(stage)["trunk"] = {
            "seconds_per_epoch": (time.monotonic() - started) / epochs,
            "epochs_timed": epochs,
        }
        self.store()

    def total(self) -> None:
        """Sums over the stages fitted so far."""
        stages = self.fitted().values()
        on_features = sum(of["sgd"]["seconds"] for of in stages)
        totals = {
            "stages": len(stages),
            "exact_with_features_s": self.found["features_s"] + sum(of["exact"]["seconds"] for of in stages),
            "sgd_on_features_s": on_features,
        }
        if all("trunk" in of for of in stages):
            trunk = sum(of["trunk"]["seconds_per_epoch"] for of in stages)
            totals["sgd_through_trunk_scaled_s"] = on_features + self.options.epochs * trunk
        self.found["totals"] = totals
        self.store()

    def report(self) -> str:
        """The table of all stages fitted so far, and the totals."""
        rows = []
        for name, of in self.fitted().items():
            exact, sgd = of["exact"], of["sgd"]
            points = 100 * (exact["test_accuracy"] - sgd["test_accuracy"])
            trunk = f"{of['trunk']['seconds_per_epoch']:.2f}" if "trunk" in of else "-"
            accuracies = [f"{of[solver]['test_accuracy']:.4f}" for solver in SOLVERS]
            seconds = [f"{of[solver]['seconds']:.1f}" for solver in SOLVERS]
            rows.append([name, *accuracies, f"{points:+.2f}", *seconds, trunk])
        heads = ["stage", "exact", "SGD", "points", "exact s", "SGD s", "trunk s/epoch"]
        lines = [*text_table(heads, rows), ""]
        lines.append(f"features of all stages, once: {self.found['features_s']:.1f} s")
        lines += [f"{name}: {value:.4g}" for name, value in self.found["totals"].items()]
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a trained run")
    parser.add_argument("--stages", nargs="+", help="stages whose probes are fitted; by default all")
    parser.add_argument("--epochs", type=int, default=200, help="epochs of SGD")
    parser.add_argument(
        "--trunk-epochs", type=int, default=0, help="passes over which the trunk is timed; 0: not at all"
    )
    parser.add_argument("--out", type=Path, help="JSON of results; by default probe_solvers.json in the run")
    arguments = parser.parse_args()
    run = Run(arguments.run, quiet=True)
    study = Study(run, arguments.epochs, arguments.out or arguments.run / "probe_solvers.json")
    stages = arguments.stages or study.names
    if "features_s" not in study.found:
        study.time_features()
    left = [stage for stage in stages if stage not in study.fitted()]
    for stage, features in measure.iterate_features(study.network, study.images, left):
        for solver in SOLVERS:
            if solver not in study.stage(stage):
                study.fit(stage, features, solver)
    if arguments.trunk_epochs:
        for stage in stages:
            if "trunk" not in study.stage(stage):
                study.time_trunk(stage, arguments.trunk_epochs)
    study.total()
    print(study.report())


if __name__ == "__main__":
    run_script(main)
