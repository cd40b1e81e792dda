"""Is the accuracy after pruning convolutions and retraining what was predicted before?

python simulations/snr_budget.py out/cifar10/seed-1

Masks of groups of stages (one, or all from one to another) at several densities: at random, by magnitude, and in
the order of the SNR budget; or the prunable sets that `deeptheory predict RUN --tolerance T` has stored. For each
mask all predictions are stored before the network is retrained:
- retrained: `prune.Predictor`, from the network refitted in closed form, layer after layer (theory.md);
- refitted: the accuracy of that network itself, counted on the measure split, and by Gaussian field theory;
- margins: `theory.pairwise_accuracy` with the `margin_noise` of the residual variances, nothing run at all.
Then the network is retrained under the mask by the run's recipe, and its accuracy taken on the test split.

Every result is stored as soon as it is there; the same command again goes on where it was interrupted.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, measure, nn, prune, theory
from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.random_streams import generator
from deeptheory.runs.steps.arms import trained_strengths
from deeptheory.runs.steps.tolerance import make_predictor, maskable_layers, removal_paths, sensitivities
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

CRITERIA = ("random", "magnitude", "snr-budget")
PREDICTIONS = ("retrained", "refitted", "refitted_theory", "margins")


class Study:
    """A trained run, the masks to be tried, and what has been found so far."""

    def __init__(
        self, run: Run, groups: list[str], densities: list[float], tolerances: list[float], path: Path
    ) -> None:
        self.run, self.path = run, path
        self.network = trained_network(run)
        self.layers = {layer.stage_out: layer for layer in maskable_layers(self.network)}
        self.groups = {group: self._layers_of(group) for group in groups}
        self.masks = {
            f"{criterion} {group} {density:g}": (criterion, group, density)
            for group in groups
            for density in densities
            for criterion in CRITERIA
        }
        self.prunable = {f"prunable at {tolerance:g}": tolerance for tolerance in tolerances}
        setting = {
            "seed": run.config.seed,
            "groups": groups,
            "densities": densities,
            "tolerances": tolerances,
        }
        self.test = data.select(run.dataset, stored_splits(run), "test")
        self.found = stored_results(
            path,
            setting,
            lambda: {
                "masks": {},
                "n_test": len(self.test[0]),
                "machine": provenance.provenance(),
                "run": str(run.directory),
            },
        )

    def _layers_of(self, group: str) -> tuple[prune.MaskedLayer, ...]:
        """The layers of "4" or "4-10": of the stages with these numbers."""
        first, _, last = group.partition("-")
        names = [f"stage{number}" for number in range(int(first), int(last or first) + 1)]
        if missing := [name for name in names if name not in self.layers]:
            raise InputError("--groups", f"stages among {', '.join(self.layers)}", missing[0])
        return tuple(self.layers[name] for name in names)

    def prepare(self) -> None:
        """What the predictions take: removal paths, sensitivities, margins, patches and the predictor."""
        chosen = [*self.groups.values(), *([tuple(self.layers.values())] if self.prunable else [])]
        layers = tuple(dict.fromkeys(layer for of_group in chosen for layer in of_group))
        self.removals = removal_paths(self.run, self.network, layers)
        squares, self.margins = sensitivities(self.run, self.network, layers)
        self.squares = dict(zip([layer.weight for layer in layers], squares, strict=True))
        self.predictor = make_predictor(self.run, self.network)
        self.covariances = {
            layer.weight: measure.patch_moments(
                self.network,
                self.predictor.images[: prune.images_for(self.network, layer.name)],
                layer.name,
                quiet=True,
            ).covariance
            for layer in layers
        }

    def mask(self, name: str) -> prune.Masks:
        """The mask of that name, the same whenever it is asked for."""
        if name in self.prunable:
            where = paths.budget_path(self.prunable[name], paths.NETWORK, paths.PRUNABLE)
            prunable = self.run.read_arrays(where)
            return prune.Masks(tuple(self.layers.values()), {key: ~mask for key, mask in prunable.items()})
        criterion, group, density = self.masks[name]
        layers = self.groups[group]
        if criterion == "snr-budget":
            order = theory.budget_order(
                [self.removals[layer.weight] for layer in layers],
                [self.squares[layer.weight] for layer in layers],
                *self.margins,
            )
            kernels = order.masks(1 - density)
            return prune.Masks(layers, {a.weight: mask for a, mask in zip(layers, kernels, strict=True)})
        rng = generator(self.run.config.seed, "controls").spawn(len(self.masks))[list(self.masks).index(name)]
        context = prune.Context(
            layers, self.network.parameters(), trained_strengths(self.run, self.network), 0.5, rng
        )
        return prune.masks_for(criterion, context, density)

    def predict(self, name: str) -> dict[str, Any]:
        """All predictions of one mask."""
        if name == prune.UNPRUNED:
            (counted, by_theory), margins = self.predictor.intact, self._by_margins({})
            return {
                "retrained": counted,
                "refitted": counted,
                "refitted_theory": by_theory,
                "margins": margins,
                "density": 1.0,
            }
        masks = self.mask(name)
        kernels = {weight: masks.kernels(weight) for weight in masks}
        return {
            **asdict(self.predictor.predict(masks)),
            "margins": self._by_margins(kernels),
            "density": float(
                sum(mask.sum() for mask in masks.values()) / sum(mask.size for mask in masks.values())
            ),
        }

    def _by_margins(self, kernels: dict[str, np.ndarray]) -> float:
        """Accuracy of the SNR budget's formula; outputs without input count as lost altogether."""
        noise = np.zeros_like(self.margins[0])
        for weight, kept in kernels.items():
            flat = self.network.parameters()[weight].reshape(len(kept), -1)
            covariance, some = self.covariances[weight], kept.any(axis=1)
            residual = np.einsum("bi,ij,bj->b", flat, covariance, flat, optimize=True)
            residual[some] = theory.residual_variance(covariance, flat[some], kept[some])
            noise += theory.margin_noise(residual, self.squares[weight])
        return float(theory.pairwise_accuracy(theory.noisy_snr(*self.margins, noise)).mean())

    def retrain(self, name: str) -> float:
        """Test accuracy after retraining under the mask."""
        run, splits, network = self.run, stored_splits(self.run), trained_network(self.run)
        masks = None if name == prune.UNPRUNED else self.mask(name)
        nn.fit(
            network,
            *data.select(run.dataset, splits, "train"),
            run.config.retrain,
            nn.Generators(
                generator(run.config.seed, "retrain-batches"),
                generator(run.config.seed, "retrain-augmentation"),
            ),
            masks=masks,
            session=nn.Session(title=f"retrain {name}", quiet=run.quiet),
        )
        return nn.accuracy(network, *self.test)

    def go_on(self) -> None:
        """Predict all masks, then retrain them, as far as they are not done yet."""
        self.prepare()
        names = [prune.UNPRUNED, *self.masks, *self.prunable]
        for name in names:
            if name not in self.found["masks"]:
                self.found["masks"][name] = {"predicted": self.predict(name)}
                store_results(self.path, self.found)
        for name in names:
            if "measured" not in self.found["masks"][name]:
                self.found["masks"][name]["measured"] = self.retrain(name)
                store_results(self.path, self.found)


def report(found: dict[str, Any]) -> str:
    """The table of all masks, and how far the predictions are off."""
    rows = []
    for name, of_mask in found["masks"].items():
        predicted = [f"{100 * of_mask['predicted'][key]:.2f}" for key in PREDICTIONS]
        rows.append(
            [name, f"{of_mask['predicted']['density']:.3f}", f"{100 * of_mask['measured']:.2f}", *predicted]
        )
    lines = [*text_table(["mask", "density", "measured", *PREDICTIONS], rows), ""]
    masked = [of_mask for name, of_mask in found["masks"].items() if name != prune.UNPRUNED]
    measured = np.array([of_mask["measured"] for of_mask in masked])
    summary = []
    for key in PREDICTIONS:
        predicted = np.array([of_mask["predicted"][key] for of_mask in masked])
        error = 100 * (predicted - measured)
        rank = spearmanr(predicted, measured).statistic if len(masked) > 2 else np.nan
        summary.append(
            [
                key,
                f"{np.abs(error).mean():.2f}",
                f"{error.mean():+.2f}",
                f"{np.sqrt(np.mean(error**2)):.2f}",
                f"{np.abs(error).max():.2f}",
                f"{rank:.3f}",
            ]
        )
    heads = [f"prediction, {len(masked)} masks", "mean |error|", "bias", "rms", "largest", "rank correlation"]
    return "\n".join([*lines, *text_table(heads, summary)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a measured run")
    parser.add_argument(
        "--groups",
        nargs="*",
        default=["4", "6", "8-10", "2-10"],
        help="numbers of the stages that are masked together",
    )
    parser.add_argument(
        "--densities", nargs="*", type=float, default=[0.5, 0.2, 0.1], help="shares of the kernels kept"
    )
    parser.add_argument(
        "--tolerances", nargs="*", type=float, default=[], help="of prunable sets stored in the run"
    )
    parser.add_argument("--out", type=Path, help="JSON of results; by default snr_budget.json in the run")
    parser.add_argument("--threads", type=int, help="computing threads")
    arguments = parser.parse_args()
    process_setup.configure(arguments.threads)
    study = Study(
        Run(arguments.run),
        arguments.groups,
        arguments.densities,
        arguments.tolerances,
        arguments.out or arguments.run / "snr_budget.json",
    )
    study.go_on()
    print(report(study.found))


if __name__ == "__main__":
    run_script(main)
