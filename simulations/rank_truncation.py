"""Does the edge of Marchenko and Pastur tell which singular components of a trained layer can go?

python simulations/rank_truncation.py out/small-glyphs/seed-0

For every layer of a trained run, the others untouched and nothing retrained: its weight as a matrix (convolutions
(O, C, 3, 3) as (O, 9 C)), the noise that `theory.noise_bulk` finds in it, and the test accuracy with its r largest
components, for the predicted rank (all above the edge) and for others. Control: as many random components.
"Needed": the smallest of the ranks tried from which on at most 0.5 points are lost; were the edge the place where
accuracy begins to fall, it would be the predicted rank.

Every layer is stored as soon as it is done; the same command again goes on where it was interrupted.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, nn, theory
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.studies.soundness import chance
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

STEPS = 16  # ranks tried, next to the predicted one
CONTROLS = 3  # draws of random components per rank
MARGIN = 0.5  # percentage points


class Study:
    """A trained network, its test split, and its layers one by one."""

    def __init__(self, run: Run) -> None:
        self.network = trained_network(run)
        self.images, self.labels = data.select(run.dataset, stored_splits(run), "test")
        self.weights = {
            name: weight.copy() for name, weight in self.network.parameters().items() if weight.ndim > 1
        }

    def accuracy(self, changed: dict[str, np.ndarray]) -> float:
        """Test accuracy with some of the weights replaced."""
        parameters = self.network.parameters()
        for name, weight in {**self.weights, **changed}.items():
            parameters[name] = weight
        return nn.accuracy(self.network, self.images, self.labels)

    def truncated(self, name: str, components: np.ndarray) -> np.ndarray:
        """The weight of a layer with some of its singular components."""
        weight = self.weights[name]
        return theory.keep_components(weight.reshape(len(weight), -1), components).reshape(weight.shape)

    def noise(self, name: str) -> tuple[theory.NoiseBulk, np.ndarray]:
        """The noise in a layer, and its singular values."""
        weight = self.weights[name]
        matrix = weight.reshape(len(weight), -1)
        values = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
        return theory.noise_bulk(values, *matrix.shape), values

    def layer(self, name: str, rng: np.random.Generator) -> dict[str, Any]:
        """Accuracy against rank, with the largest components and with random ones."""
        bulk, values = self.noise(name)
        n_components = len(values)
        quarters = {round(n_components * step / 4) for step in (1, 2, 3)}
        ranks = {round(n_components * step / STEPS) for step in range(STEPS + 1)}
        ranks = sorted(ranks | quarters | {bulk.signal_rank})
        accuracy = [self.accuracy({name: self.truncated(name, np.arange(rank))}) for rank in ranks]
        control = {}
        for rank in sorted((quarters | {bulk.signal_rank}) - {0, n_components}):
            chosen = [rng.choice(n_components, rank, replace=False) for _ in range(CONTROLS)]
            control[rank] = [self.accuracy({name: self.truncated(name, few)}) for few in chosen]
        weight = self.weights[name]
        return {
            "shape": [len(weight), weight[0].size],
            "bulk": bulk._asdict(),
            "singular_values": values.tolist(),
            "ranks": ranks,
            "accuracy": accuracy,
            "control": control,
        }


def needed(of: dict[str, Any], untouched: float) -> int:
    """Smallest of the ranks tried from which on at most the margin is lost."""
    lost = 100 * (untouched - np.array(of["accuracy"])) > MARGIN + 1e-9  # exactly the margin is not more
    return of["ranks"][int(np.flatnonzero(lost).max()) + 1] if lost.any() else of["ranks"][0]


def report(results: dict[str, Any]) -> str:
    """One line per layer, accuracies as points lost."""
    untouched = results["accuracy"]
    rows = []
    for name, of in results["layers"].items():
        bulk, control = of["bulk"], {int(rank): draws for rank, draws in of["control"].items()}
        rank = bulk["signal_rank"]
        lost = 100 * (untouched - of["accuracy"][of["ranks"].index(rank)])
        by_chance = f"{100 * (untouched - np.mean(control[rank])):.2f}" if rank in control else "-"
        shape = "{} x {}".format(*of["shape"])
        largest = of["singular_values"][0] / bulk["edge"]
        numbers = (str(min(of["shape"])), str(rank), f"{lost:.2f}", by_chance, str(needed(of, untouched)))
        rows.append([name, shape, f"{bulk['edge']:.3f}", f"{largest:.2f}", *numbers])
    heads = ["layer", "matrix", "edge", "largest/edge", "components", "predicted"]
    heads += ["points lost there", "by random ones", "needed"]
    lines = [f"test accuracy untouched {untouched:.4f}", *text_table(heads, rows)]
    together = "all layers of predicted rank above 0 truncated at once"
    return "\n".join([*lines, f"{together}: test accuracy {results['all_predicted']:.4f}"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a trained run")
    parser.add_argument("--seed", type=int, default=0, help="of the random components")
    parser.add_argument(
        "--out", type=Path, help="JSON of results; by default rank_truncation.json in the run"
    )
    arguments = parser.parse_args()
    process_setup.configure()
    out = arguments.out or arguments.run / "rank_truncation.json"
    study = Study(Run(arguments.run, quiet=True))
    setting = {"run_seed": Run(arguments.run, quiet=True).config.seed, "seed": arguments.seed}
    results = stored_results(out, setting, lambda: {"layers": {}})
    results |= {
        "accuracy": study.accuracy({}),
        "chance": chance(Run(arguments.run, quiet=True)),
        "n_test": len(study.labels),
        "machine": provenance.provenance(),
    }
    for place, name in enumerate(study.weights):
        if name not in results["layers"]:
            rng = np.random.default_rng(np.random.SeedSequence([arguments.seed, place]))
            results["layers"][name] = study.layer(name, rng)
            store_results(out, results)
            print(f"{name} done", flush=True)
    kept = {
        name: study.truncated(name, np.arange(study.noise(name)[0].signal_rank)) for name in study.weights
    }
    results["all_predicted"] = study.accuracy(kept)
    store_results(out, results)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
