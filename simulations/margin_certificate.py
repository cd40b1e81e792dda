"""How much accuracy of a masked network is guaranteed before it is retrained, or even run?

python simulations/margin_certificate.py out/cifar10/seed-0

For the head, each of the last stages, and all layers that the run masks, at several densities of AFCC, random
and magnitude masks, nothing retrained: the accuracy measured on inputs of the test split, and what is guaranteed
of it, from the weakest knowledge to the strongest:
- intervals: from weights, masks and activations without masks alone (`measure.field_bounds`), pair by pair of
  fields. "twice the change" is the same with one bound per input on the change of any field, in
  `theory.margin_certificate`.
- largest change: the masked network was run on the measure split, and delta is the largest change of any field
  there. On the test split it holds for inputs whose change is no larger: "beyond" is the share whose change is. It
  is no proof for inputs that were not run.
- own change: delta of each test input is its own largest change. This needs the masked network on that input,
  whose label is then known anyway: it shows what the inequality itself costs.

Every mask is stored as soon as it is done; the same command again goes on where it was interrupted.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure, nn, prune, theory
from deeptheory.data import augmentation
from deeptheory.errors import InputError
from deeptheory.prune import apply_masks
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.studies.soundness import chance
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

BATCH = 100  # inputs per forward pass
CRITERIA = ("afcc", "random", "magnitude")
GUARANTEES = ("own change", "largest change", "intervals", "twice the change")


class Study:
    """A measured network, the inputs it is tested on, and its masks one by one."""

    def __init__(self, run: Run, n_inputs: int, seed: int) -> None:
        self.run, self.seed = run, seed
        self.network = trained_network(run)
        splits = stored_splits(run)
        self.images, self.labels = {}, {}
        for split in ("measure", "test"):
            images, labels = data.select(run.dataset, splits, split)
            rng = np.random.default_rng(np.random.SeedSequence([seed, len(images)]))
            chosen = np.sort(rng.choice(len(labels), min(n_inputs, len(labels)), replace=False))
            self.images[split], self.labels[split] = images[chosen], labels[chosen]
        self.fields = self._fields(self.network)
        self.margins = theory.field_margins(self.fields["test"], self.labels["test"])

    def targets(self, n_stages: int) -> dict[str, tuple[prune.MaskedLayer, ...]]:
        """The layers masked together, by name: the head, the last stages one by one, all that the run masks."""
        names = [stage.name for stage in self.network.stages]

        def layers(stages: list[str], head: bool) -> tuple[prune.MaskedLayer, ...]:
            return prune.masked_layers(self.network, stages, head)

        single = {stage: layers([stage], False) for stage in reversed(names[-n_stages:])}
        options = self.run.config.prune
        return {"head": layers([], True), **single, "all": layers(options.stages, options.head)}

    def masks(
        self, layers: tuple[prune.MaskedLayer, ...], criterion: str, density: float, place: list[int]
    ) -> prune.Masks:
        """The masks of one criterion, of the same density in every layer."""
        ends = {stage for layer in layers for stage in (layer.stage_in, layer.stage_out)} - {"head"}
        strengths = {
            stage: self.run.read_array(paths.stage_path("measure", stage, paths.STRENGTHS)) for stage in ends
        }
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, *place]))
        weights = self.network.parameters()
        context = prune.Context(layers, weights, strengths, self.run.config.prune.threshold, rng)
        return prune.masks_for(criterion, context, density)

    def guarantees(self, masks: prune.Masks) -> dict[str, float]:
        """Accuracy measured and guaranteed, with the changes of the fields behind them."""
        network = trained_network(self.run)
        apply_masks(network, masks)
        fields = self._fields(network)
        change = {split: np.abs(fields[split] - self.fields[split]).max(axis=1) for split in fields}
        bounds = measure.field_bounds(
            self.network, self.images["test"], self.labels["test"], masks, quiet=True
        )
        largest = float(change["measure"].max())
        return {
            "measured": float(np.mean(fields["test"].argmax(axis=1) == self.labels["test"])),
            "own change": float(theory.margin_certificate(self.margins, change["test"][None])[0]),
            "largest change": float(theory.margin_certificate(self.margins, largest)),
            "intervals": float(np.mean(bounds.margins > 0)),
            "twice the change": float(theory.margin_certificate(self.margins, bounds.change[None])[0]),
            "beyond": float(np.mean(change["test"] > largest)),
            "median change": float(np.median(change["test"])),
            "median bound": float(np.median(bounds.change)),
        }

    def _fields(self, network: nn.Network) -> dict[str, np.ndarray]:
        """Of both splits (N, K)."""
        return {
            split: np.concatenate(
                [network.infer(augmentation.scale(part)) for part in _batches(images)]
            ).astype(float)
            for split, images in self.images.items()
        }


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]


def report(results: dict[str, Any]) -> str:
    """One line per mask."""
    rows = []
    for target, of_target in results["targets"].items():
        for criterion, of_criterion in of_target.items():
            for density, of in of_criterion.items():
                accuracies = [f"{100 * of[name]:.1f}" for name in ("measured", *GUARANTEES, "beyond")]
                sizes = [f"{of[name]:.3g}" for name in ("median change", "median bound")]
                rows.append([target, criterion, density, *accuracies, *sizes])
    heads = ["masked", "criterion", "density", "measured", *GUARANTEES, "beyond", "change", "bound"]
    lines = [f"accuracy in percent; without masks {100 * results['accuracy']:.1f}, median margin "]
    lines[0] += f"{results['median_margin']:.3g}; change and bound: medians of the largest of any field"
    return "\n".join([*lines, *text_table(heads, rows, left=(0, 1))])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a measured run")
    parser.add_argument("--inputs", type=int, default=1000, help="of each split, drawn at random")
    parser.add_argument("--stages", type=int, default=4, help="last stages, masked one by one")
    parser.add_argument("--densities", nargs="+", type=float, default=[0.99, 0.9, 0.7, 0.5, 0.3])
    parser.add_argument("--seed", type=int, default=0, help="of the inputs and the random masks")
    parser.add_argument(
        "--out", type=Path, help="JSON of results; by default margin_certificate.json in the run"
    )
    arguments = parser.parse_args()
    process_setup.configure()
    run = Run(arguments.run, quiet=True)
    run.require("measure")
    if not all(0 <= density < 1 for density in arguments.densities):
        raise InputError("--densities", "numbers within [0, 1)", str(arguments.densities))
    out = arguments.out or arguments.run / "margin_certificate.json"
    setting = {"run_seed": run.config.seed, "seed": arguments.seed, "inputs": arguments.inputs}
    results = stored_results(out, setting, lambda: {"targets": {}})
    study = Study(run, arguments.inputs, arguments.seed)
    results["accuracy"] = float(np.mean(study.margins > 0))
    results["chance"] = chance(run)
    results["median_margin"] = float(np.median(study.margins))
    results["machine"] = provenance.provenance()
    for number, (target, layers) in enumerate(study.targets(arguments.stages).items()):
        for criterion in CRITERIA:
            of_criterion = results["targets"].setdefault(target, {}).setdefault(criterion, {})
            for density in arguments.densities:
                if f"{density:g}" in of_criterion:
                    continue
                place = [number, CRITERIA.index(criterion), round(1000 * density)]
                masks = study.masks(layers, criterion, density, place)
                of_criterion[f"{density:g}"] = study.guarantees(masks)
                store_results(out, results)
            print(f"{target} {criterion} done", flush=True)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
