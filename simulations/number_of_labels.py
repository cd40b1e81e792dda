"""Does the number of labels enter as the theory says, and what must be measured to know it?

python simulations/number_of_labels.py out/small-glyphs/seed-0 out/small-glyphs/seed-1 --out out/labels-glyphs.json

A trained network with all its labels is asked to tell apart k of them only: the largest field among the k decides.
Measured on the test split, averaged over all subsets of k labels (`theory.counted_subset_accuracy`), with the
scatter between subsets drawn at random. Predicted from the measure split, which fitted nothing:
- one distance: `theory.detection_accuracy` at the d' of `theory.pair_distance`, the one number that gives the mean
  accuracy of pairs of Gaussian margins. It was chosen before any curve was seen: at k = 2 the law is then right,
  so that what it misses beyond is the theory of k.
- pairs alone: the same law at the d' of the accuracy counted at k = 2. Nothing is taken as Gaussian there, and
  nothing is fitted to k > 2.
- all distances: the same law with the SNR of every pair (`theory.detection_subset_accuracy`).
- product: all margins independent (`theory.pairwise_subset_accuracy`).
- linear: (k - 1) times the mean error of pairs (`theory.detection_error_linear` at the one distance).
- mixture: fields Gaussian in each component of a label (`theory.accuracy_from_mixture`), on the drawn subsets, and
  compared on them.
- counted: the same count as the measured one, on the measure split.
The same for the probes of all stages, whose accuracies are lower, with the pairs alone. Beside it the law with the
pairs of the test split itself ("law itself"): no prediction, but the error of pairs comes from few inputs, and
this is what is left without their chance.

Every run is stored as soon as it is done; the same command again goes on where it was interrupted.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure, theory
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

SIZES = (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
LAWS = ("one distance", "pairs alone", "all distances", "product", "linear", "mixture", "counted")


def study(run: Run, n_drawn: int, seed: int) -> dict[str, Any]:
    """Measured and predicted accuracies of one run against the number of labels."""
    run.require("measure")
    network, splits = trained_network(run), stored_splits(run)
    names = [stage.name for stage in network.stages]
    probes = {name: run.read_array(paths.stage_path("measure", name, paths.PROBE_WEIGHT)) for name in names}
    of_stages, labels = {}, {}
    for split in ("measure", "test"):
        images, labels[split] = data.select(run.dataset, splits, split)
        of_stages[split] = measure.complete_fields(network, images, probes, quiet=True)
    n_labels = network.n_labels
    sizes = [size for size in SIZES if size < n_labels] + [n_labels]
    fields = {split: of_split[names[-1]] for split, of_split in of_stages.items()}
    seen = fields["measure"], labels["measure"]
    snr = measure.field_snr(*seen).snr
    distance = theory.pair_distance(snr)
    counted = theory.counted_subset_accuracy(*seen, sizes)
    pairs = distance_of(counted[0])
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_labels]))
    components = theory.mixture_components(*seen, rng)
    draws = [drawn(fields, labels, components, size, n_drawn, rng) for size in sizes]
    predicted = {
        "one distance": theory.detection_accuracy(distance, sizes),
        "pairs alone": theory.detection_accuracy(pairs, sizes),
        "all distances": theory.detection_subset_accuracy(snr, sizes),
        "product": theory.pairwise_subset_accuracy(snr, sizes),
        "linear": 1 - theory.detection_error_linear(distance, sizes),
        "mixture": np.array([of["mixture"] for of in draws]),
        "counted": counted,
    }
    return {
        "sizes": sizes,
        "measured": theory.counted_subset_accuracy(fields["test"], labels["test"], sizes).tolist(),
        "scatter": [of["scatter"] for of in draws],
        "measured_on_drawn": [of["measured"] for of in draws],
        "predicted": {name: np.asarray(values).tolist() for name, values in predicted.items()},
        "distance": {"one distance": distance, "pairs alone": pairs},
        "snr_quantiles": np.nanquantile(snr, [0.01, 0.1, 0.5, 0.9, 0.99]).tolist(),
        "inputs_per_label": {split: len(of) / n_labels for split, of in labels.items()},
        "stages": {
            name: of_stage({split: of_stages[split][name] for split in of_stages}, labels, sizes)
            for name in names
        },
    }


def of_stage(
    fields: dict[str, np.ndarray], labels: dict[str, np.ndarray], sizes: list[int]
) -> dict[str, list[float]]:
    """Measured and predicted from the pairs alone, for one stage's probe."""
    predicted, error = law_of_pairs(fields["measure"], labels["measure"], sizes)
    law_itself, error_itself = law_of_pairs(fields["test"], labels["test"], sizes)
    return {
        "measured": theory.counted_subset_accuracy(fields["test"], labels["test"], sizes).tolist(),
        "pairs alone": predicted.tolist(),
        "pairs alone, error": error.tolist(),
        "law itself": law_itself.tolist(),
        "law itself, error": error_itself.tolist(),
    }


def law_of_pairs(fields: np.ndarray, labels: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies by the law from the count at two labels, and their standard errors from the inputs counted."""
    own = np.take_along_axis(fields, labels[:, None], axis=1)
    beaten = np.count_nonzero(fields < own, axis=1) / (fields.shape[1] - 1)
    pairs = theory.counted_subset_accuracy(fields, labels, [2])[0]
    error = beaten.std() / np.sqrt(len(labels))
    low, middle, high = (
        theory.detection_accuracy(distance_of(pairs + shift), sizes) for shift in (-error, 0, error)
    )
    return middle, (high - low) / 2


def distance_of(accuracy: float) -> float:
    """d' at which the law has this accuracy between two labels."""
    return float(np.sqrt(2) * ndtri(accuracy))


def drawn(
    fields: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    components: np.ndarray,
    size: int,
    n_drawn: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Subsets drawn at random: accuracy on the test split, and by the mixture from the measure split."""
    n_labels = fields["test"].shape[1]
    measured, predicted = [], []
    for _ in range(n_drawn // size if size < n_labels else 1):
        subset = np.sort(rng.choice(n_labels, size, replace=False))
        test, truth, _ = restricted(fields["test"], labels["test"], subset)
        measured.append(theory.counted_subset_accuracy(test, truth, [size])[0])
        of_subset, truth, rows = restricted(fields["measure"], labels["measure"], subset)
        mixture = theory.accuracy_from_mixture(of_subset, truth, components[rows], rng)
        predicted.append(mixture.accuracy)
    return {
        "measured": float(np.mean(measured)),
        "scatter": float(np.std(measured)),
        "mixture": float(np.mean(predicted)),
    }


def restricted(
    fields: np.ndarray, labels: np.ndarray, subset: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fields of a subset's labels for its own inputs, their labels numbered anew, and which inputs they are."""
    rows = np.flatnonzero(np.isin(labels, subset))
    return fields[np.ix_(rows, subset)], np.searchsorted(subset, labels[rows]), rows


def excess(of: dict[str, Any], law: str) -> np.ndarray:
    """Predicted minus measured accuracy in points; the mixture's on the subsets that were drawn."""
    measured = of["measured_on_drawn"] if law == "mixture" else of["measured"]
    return 100 * (np.array(of["predicted"][law]) - measured)


def slopes(accuracy: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Slope of log error against log(k - 1), from each size to the next; 1 where the error is linear."""
    return np.diff(np.log(1 - accuracy)) / np.diff(np.log(np.array(sizes) - 1))


def report(runs: dict[str, dict[str, Any]]) -> str:
    """Means over the runs, one line per number of labels."""
    found = list(runs.values())
    sizes = found[0]["sizes"]

    def mean(name: str) -> np.ndarray:
        return np.mean([of[name] for of in found], axis=0)

    slope = np.append(slopes(mean("measured"), sizes), np.nan)
    differences = {law: np.mean([excess(of, law) for of in found], axis=0) for law in LAWS}
    rows = []
    for place, size in enumerate(sizes):
        measured, scatter = 100 * mean("measured")[place], 100 * mean("scatter")[place]
        of_laws = [f"{differences[law][place]:+.2f}" for law in LAWS]
        rows.append([str(size), f"{measured:.2f}", f"{scatter:.2f}", f"{slope[place]:.2f}", *of_laws])
    sizes_of_errors = [np.mean([np.abs(excess(of, law)) for of in found]) for law in LAWS]
    rows.append(["mean |.|", "", "", "", *(f"{size:.2f}" for size in sizes_of_errors)])
    lines = [f"accuracy in percent, mean over {len(found)} runs; laws: predicted minus measured, in points"]
    lines += text_table(["labels", "measured", "scatter", "slope", *LAWS], rows)
    for name, of in runs.items():
        distances = ", ".join(f"{law} {value:.3f}" for law, value in of["distance"].items())
        quantiles = ", ".join(f"{value:.2f}" for value in of["snr_quantiles"])
        lines.append(f"{name}: d' {distances}; SNR at 1, 10, 50, 90, 99 %: {quantiles}")
    return "\n".join([*lines, "", *report_stages(found)])


def report_stages(found: list[dict[str, Any]]) -> list[str]:
    """Means over the runs, one line per stage: what the pairs alone predict, and what the law itself is off by."""
    sizes, rows = found[0]["sizes"], []
    for name in found[0]["stages"]:
        runs = [of["stages"][name] for of in found]
        measured = np.array([of["measured"] for of in runs])
        row = [name, *(f"{100 * measured.mean(axis=0)[place]:.2f}" for place in (0, -1))]
        for law in ("law itself", "pairs alone"):
            off = 100 * (np.array([of[law] for of in runs]) - measured).mean(axis=0)
            # Of the mean over runs, each with inputs of its own.
            error = 100 * np.linalg.norm([of[f"{law}, error"] for of in runs], axis=0) / len(runs)
            row += [f"{value:+.2f}" for value in off[1:]] if law == "law itself" else [f"{off[-1]:+.2f}"]
            row.append(f"{error[-1]:.2f}")
        rows.append(row)
    at = [f"at {size}" for size in sizes]
    heads = ["probe of", "measured at 2", at[-1], f"law itself {at[1]}", *at[2:], "s.e."]
    return text_table([*heads, f"pairs alone {at[-1]}", "s.e."], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="directories of trained runs with the same labels")
    parser.add_argument("--drawn", type=int, default=1000, help="labels in all subsets of one size")
    parser.add_argument("--seed", type=int, default=0, help="of the subsets and of the integration")
    parser.add_argument("--out", type=Path, required=True, help="JSON of results")
    arguments = parser.parse_args()
    process_setup.configure()
    setting = {"seed": arguments.seed, "drawn": arguments.drawn}
    results = stored_results(arguments.out, setting, lambda: {"runs": {}})
    results["machine"] = provenance.provenance()
    for directory in arguments.runs:
        if directory.name not in results["runs"]:
            run = Run(directory, quiet=True)
            results["runs"][directory.name] = study(run, arguments.drawn, arguments.seed)
            store_results(arguments.out, results)
    print(report(results["runs"]))


if __name__ == "__main__":
    run_script(main)
