"""How well does Gaussian field theory predict the accuracy of heads, full and masked, before and after a refit?

python simulations/field_theory.py out/cifar10/seed-0 out/cifar10/seed-1 --out out/field_theory.json

For every stage of measured runs: its probe, whole and with kernels (label, filter) removed by every criterion at
several densities. Of each there are three heads:
- standing: the probe under the mask, as it is;
- refitted: the minimum of the cross-entropy under the mask, on inputs of the train split;
- surrogate: the same minimum on as many Gaussian surrogates, which have the means and covariances of these inputs.

Each has a predicted accuracy (from means and covariances of its fields in the components of every label, measure
split), one counted on the same inputs, and one measured on the test split. "Refit predicted" compares what is
predicted for the surrogate head with what is measured for the refitted one: no refit is looked at.

Every head is stored as soon as it is done; the same command again goes on where it was interrupted, and more runs
of the same configuration may be added.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure, prune, theory
from deeptheory.prune.masked_layers import HEAD
from deeptheory.runs import Run
from deeptheory.runs.random_streams import generator
from deeptheory.runs.steps.measurement import probe_inputs
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.studies.soundness import chance
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

FULL = "full"
CRITERIA = ("afcc", "random", "label-permuted", "magnitude")
AT_THRESHOLD = "threshold"  # in place of a density: that of AFCC at the run's threshold
# What is compared: title, the head that is predicted, the head that is measured.
COMPARISONS = (
    ("as they stand", "standing", "standing"),
    ("refitted", "refitted", "refitted"),
    ("refit predicted", "surrogate", "refitted"),
)
Head = dict[str, Any]


class Stage:
    """One stage of a run: features and labels of three splits, and what is drawn once for all heads."""

    def __init__(self, run: Run, name: str, features: dict, labels: dict, rng: np.random.Generator) -> None:
        self.run, self.features, self.labels = run, features, labels
        self.probe = run.read_array(paths.stage_path("measure", name, paths.PROBE_WEIGHT))
        self.strengths = run.read_array(paths.stage_path("measure", name, paths.STRENGTHS))
        weight = prune.HEAD_WEIGHT
        self.layer = prune.MaskedLayer(weight, name, HEAD, self.probe.shape, len(self.strengths))
        self.components, of_train = (
            theory.mixture_components(features[split] @ self.probe.T, labels[split], rng)
            for split in ("measure", "train")
        )
        self.surrogates = theory.gaussian_surrogates(features["train"], labels["train"], of_train, rng)

    def head(self, criterion: str, density: float | str, rng: np.random.Generator) -> Head:
        """The three heads of one mask."""
        mask = None if criterion == FULL else self._mask(criterion, density, rng)
        options = msgspec.structs.replace(self.run.config.probe, solver="exact")

        def refit(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
            return measure.fit_probe(features, labels, len(self.probe), options, rng, mask, quiet=True).weight

        standing = self.probe if mask is None else self.probe * mask
        return {
            "criterion": criterion,
            "density": density,
            "kept": 1.0 if mask is None else float(mask.mean()),
            "standing": self._accuracies(standing, rng),
            "refitted": self._accuracies(refit(self.features["train"], self.labels["train"]), rng),
            "surrogate": self._accuracies(refit(*self.surrogates), rng),
        }

    def _mask(self, criterion: str, density: float | str, rng: np.random.Generator) -> np.ndarray:
        weight, threshold = self.layer.weight, self.run.config.prune.threshold
        context = prune.Context(
            (self.layer,), {weight: self.probe}, {self.layer.stage_in: self.strengths}, threshold, rng
        )
        at_threshold = density == AT_THRESHOLD
        target = prune.prune_arm("afcc", context).n_kept if at_threshold else float(density)
        return prune.masks_for(criterion, context, target)[weight]

    def _accuracies(self, head: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        fields = {split: self.features[split] @ head.T for split in ("measure", "test")}
        counted, measured = (
            float(np.mean(of_split.argmax(axis=1) == self.labels[split]))
            for split, of_split in fields.items()
        )
        predicted = theory.accuracy_from_mixture(
            fields["measure"], self.labels["measure"], self.components, rng
        )
        return {
            "predicted": predicted.accuracy,
            "integration_error": predicted.standard_error,
            "counted": counted,
            "measured": measured,
        }


def stages(run: Run, n_inputs: int, names: list[str], all_names: list[str]) -> Iterator[tuple[str, Stage]]:
    """The named stages with their features, from as few passes over the images as the memory allows."""
    network, splits = trained_network(run), stored_splits(run)
    given = {split: data.select(run.dataset, splits, split) for split in ("measure", "test")}
    given["train"] = probe_inputs(run, n_inputs, generator(run.config.seed, "probe"))
    labels = {split: of_split for split, (_, of_split) in given.items()}
    passes = [
        measure.iterate_features(network, images, names, split, quiet=True)
        for split, (images, _) in given.items()
    ]
    for together in zip(*passes, strict=True):
        name = together[0][0]
        features = {split: of_stage for split, (_, of_stage) in zip(given, together, strict=True)}
        rng = np.random.default_rng([run.config.seed, all_names.index(name)])
        yield name, Stage(run, name, features, labels, rng)


def compare(heads: list[Head], predicted: str, measured: str) -> np.ndarray:
    """Predicted, counted and measured accuracies of some heads, (n, 3)."""
    return np.array(
        [(of[predicted]["predicted"], of[predicted]["counted"], of[measured]["measured"]) for of in heads]
    )


def errors(accuracies: np.ndarray, n_measure: int, n_test: int) -> list[str]:
    """Errors in percentage points: of the theory, of counting, and the rms that sampling two splits makes."""
    predicted, counted, measured = 100 * accuracies.T
    error, by_counting = predicted - measured, counted - measured
    sampling = np.sqrt(measured * (100 - measured) * (1 / n_measure + 1 / n_test))
    return [
        str(len(error)),
        f"{np.abs(error).mean():.2f}",
        f"{error.mean():+.2f}",
        f"{np.sqrt(np.mean(error**2)):.2f}",
        f"{100 * np.mean(np.abs(error) <= 1):.0f}%",
        f"{error[np.abs(error).argmax()]:+.2f}",
        f"{np.abs(by_counting).mean():.2f}",
        f"{by_counting.mean():+.2f}",
        f"{np.sqrt(np.mean(sampling**2)):.2f}",
    ]


def full_table(by_stage: dict[str, list[list[Head]]]) -> list[str]:
    """Every head, mean over the runs that have it, in percent."""
    rows = []
    for stage, of_runs in by_stage.items():
        for same in map(list, zip(*of_runs, strict=True)):
            means = [compare(same, *which).mean(axis=0) for _, *which in COMPARISONS]
            numbers = [
                f"{100 * value:.1f}" for value in np.concatenate(means)[:-1]
            ]  # measured is there already
            kept = f"{np.mean([of['kept'] for of in same]):.3f}"
            rows.append([stage, same[0]["criterion"], str(len(same)), kept, *numbers])
    heads = ["standing: predicted", "counted", "measured", "refitted: predicted", "counted", "measured"]
    return text_table(
        ["stage", "criterion", "runs", "density", *heads, "refit predicted", "counted"], rows, (0, 1)
    )


def error_tables(by_stage: dict[str, list[list[Head]]], n_measure: int, n_test: int) -> list[str]:
    """Errors by stage and kind of head, then of all stages together."""
    rows: list[list[str]] = []
    kinds: dict[str, list[np.ndarray]] = {}
    for (stage, of_runs), full, (title, *which) in product(by_stage.items(), (True, False), COMPARISONS):
        heads = [of for of_run in of_runs for of in of_run if (of["criterion"] == FULL) == full]
        kind = f"{'full' if full else 'masked'}, {title}"
        kinds.setdefault(kind, []).append(compare(heads, *which))
        rows.append([stage, kind, *errors(kinds[kind][-1], n_measure, n_test)])
    together = [[kind, *errors(np.concatenate(of), n_measure, n_test)] for kind, of in kinds.items()]
    names = ["n", "mean |error|", "bias", "rms", "within 1", "largest"]
    names += ["counting: mean |error|", "bias", "sampling"]
    return [
        *text_table(["stage", "heads", *names], rows, (0, 1)),
        "",
        *text_table(["heads", *names], together),
    ]


def report(results: dict[str, Any]) -> str:
    """Tables of the stages that are complete in at least one run."""
    setting, runs = results["setting"], list(results["runs"].values())
    complete = {
        stage: [of[stage] for of in runs if len(of.get(stage, ())) == setting["heads"]]
        for stage in setting["stages"]
    }
    by_stage = {stage: of_runs for stage, of_runs in complete.items() if of_runs}
    sizes = setting["inputs"]["measure"], setting["inputs"]["test"]
    return "\n".join([*full_table(by_stage), "", *error_tables(by_stage, *sizes)])


def setting_of(
    run: Run, names: list[str], densities: list[float | str], n_inputs: int, n_heads: int
) -> dict[str, Any]:
    """What runs must have in common to stand in one table."""
    splits = run.read_tree(paths.join("train", paths.SPLITS))
    return {
        "config": {**json.loads(msgspec.json.encode(run.config)), "seed": None},
        "stages": names,
        "densities": densities,
        "heads": n_heads,
        "inputs": {split: len(splits.read_array(split)) for split in ("train", "measure", "test")},
        "refit_inputs": n_inputs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, help="directories of measured runs of one configuration"
    )
    parser.add_argument("--stages", nargs="+", help="by default all")
    parser.add_argument(
        "--densities",
        nargs="+",
        default=["0.5", "0.2", AT_THRESHOLD],
        help=f"of the masks; '{AT_THRESHOLD}' is that of AFCC at the run's threshold, stage by stage",
    )
    parser.add_argument(
        "--inputs", type=int, help="heads are refitted to; by default those of the run's probes, 0: all"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON of results")
    arguments = parser.parse_args()
    process_setup.configure()
    cuts = [given if given == AT_THRESHOLD else float(given) for given in arguments.densities]
    heads = [(FULL, 1.0), *product(CRITERIA, cuts)]
    results: dict[str, Any] = {}
    for run in (Run(directory, quiet=True) for directory in arguments.runs):
        run.require("measure")
        all_names = stage_names(run)
        names = arguments.stages or all_names
        n_inputs = run.config.probe.inputs if arguments.inputs is None else arguments.inputs
        setting = setting_of(run, sorted(names, key=all_names.index), cuts, n_inputs, len(heads))
        results = stored_results(
            arguments.out, setting, lambda: {"machine": provenance.provenance(), "runs": {}}
        )
        results["chance"] = chance(run)
        of_run = results["runs"].setdefault(str(run.config.seed), {})
        left = [name for name in names if len(of_run.get(name, ())) < len(heads)]
        for name, stage in stages(run, n_inputs, left, all_names):
            done = of_run.setdefault(name, [])
            for place in range(len(done), len(heads)):
                seed = np.random.SeedSequence([run.config.seed, all_names.index(name)], spawn_key=(place,))
                done.append(stage.head(*heads[place], np.random.default_rng(seed)))
                store_results(arguments.out, results)
            print(f"seed {run.config.seed}, {name} done", flush=True)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
