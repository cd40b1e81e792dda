"""Processor time of predicting a mask by the closed-form refit, against that of retraining an arm.

    python simulations/prediction_cost.py out/cifar100/seed-0 out/mlp/seed-0 --density 0.1

A random mask of the stages that the run masks. The refit is timed twice: the first also computes what all
masks of a run share, the outputs of the stage below them. Retraining is timed by its first steps, under the
same mask.
"""

import argparse
import time
from pathlib import Path

import msgspec

from deeptheory import data, nn, prune
from deeptheory.nn.training import steps_per_epoch
from deeptheory.runs import Run
from deeptheory.runs.random_streams import generator
from deeptheory.runs.steps.calibration import make_predictor
from deeptheory.runs.steps.layer_choice import masked_layers
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.system.scripts import run_script
from deeptheory.tables import Table

STEPS = 20  # of retraining that are timed, after as many to compile


def random_masks(run: Run, network: nn.Network, density: float) -> prune.Masks:
    """A random mask of a density in every layer that the run masks."""
    rng, layers = generator(run.config.seed, "budget"), masked_layers(run, network)
    options = run.config.prune
    context = prune.Context(
        layers,
        network.parameters(),
        {},
        options.threshold,
        rng,
        granularity=options.granularity,
        network=network,
    )
    return prune.masks_for("random", context, density)


def refit_seconds(run: Run, network: nn.Network, masks: prune.Masks) -> tuple[float, float]:
    """Of the first refit of a run and of a later one."""
    predictor, times = make_predictor(run, network), []
    for _ in range(2):
        started = time.process_time()
        predictor.predict(masks)
        times.append(time.process_time() - started)
    return times[0], times[1]


def retraining_seconds(run: Run, network: nn.Network, masks: prune.Masks) -> float:
    """Of all steps of an arm, by the first of them."""
    recipe = run.config.retrain
    images, labels = data.select(run.dataset, stored_splits(run), "train")
    few = STEPS * recipe.batch
    for _ in range(2):
        rngs = (generator(run.config.seed, f"retrain-{name}") for name in ("batches", "augmentation"))
        started = time.process_time()
        nn.fit(
            network,
            images[:few],
            labels[:few],
            msgspec.structs.replace(recipe, epochs=1, warm_up=0),
            nn.Generators(*rngs),
            masks=masks,
            session=nn.Session(quiet=True),
        )
        seconds = time.process_time() - started
    return seconds / STEPS * steps_per_epoch(len(images), recipe.batch) * recipe.epochs


def main() -> None:
    """Print the times of all runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--density", type=float, default=0.1)
    arguments = parser.parse_args()
    rows = []
    for directory in arguments.runs:
        run = Run(directory)
        network = trained_network(run)
        masks = random_masks(run, network, arguments.density)
        first, later = refit_seconds(run, network, masks)
        retraining = retraining_seconds(run, network, masks)
        rows.append(
            (
                str(directory),
                *(f"{each:.1f}" for each in (first, later, retraining)),
                f"{retraining / later:.0f}",
            )
        )
    header = ("run", "first refit [s]", "a later one [s]", "retraining [s]", "retraining / refit")
    print(Table("processor time", header, rows))


if __name__ == "__main__":
    run_script(main)
