"""Does a network trained by this engine reach the accuracy of the same network trained by PyTorch?

python simulations/engine_against_torch.py --data cifar-10-batches-bin --seeds 0 1 2 --out out/engine.json

Both sides start from the same weights and see the same batches with the same shifts and flips; what differs is
rounding, which grows chaotically, so two trainings of one seed end at different weights. What is in the JSON file
already is not computed again; sides may be computed apart with --sides. With 3 seeds even two equal engines differ
by more than one standard error in 42 % of all such comparisons.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import torch

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, nn
from deeptheory.bench.torch_networks import torch_twin
from deeptheory.data import augmentation as augmentations
from deeptheory.runs.random_streams import generator
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance, threadpools
from deeptheory.system.progress import Progress
from deeptheory.system.scripts import run_script

EVALUATION_BATCH = 100


def train_ours(network: nn.Network, dataset: data.Dataset, recipe: nn.Recipe, seed: int) -> float:
    """Test accuracy after training by this engine."""
    generators = nn.Generators(generator(seed, "batches"), generator(seed, "augmentation"))
    images, labels = dataset.train_images, dataset.train_labels
    nn.fit(network, images, labels, recipe, generators, session=nn.Session(title=f"seed {seed}, ours"))
    return nn.accuracy(network, dataset.test_images, dataset.test_labels, EVALUATION_BATCH)


def train_torch(network: nn.Network, dataset: data.Dataset, recipe: nn.Recipe, seed: int) -> float:
    """Test accuracy after training the twin by PyTorch: the loop of `nn.fit`, with the same generators."""
    batches, augmentation = generator(seed, "batches"), generator(seed, "augmentation")
    twin = torch_twin(network).to(memory_format=torch.channels_last)
    decayed = [p for p in twin.parameters() if p.ndim > 1 or recipe.l2_on_all]
    others = [p for p in twin.parameters() if p.ndim == 1 and not recipe.l2_on_all]
    groups = [{"params": decayed, "weight_decay": recipe.l2}, {"params": others}]
    optimiser = torch.optim.SGD(groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=True)
    n = len(dataset.train_labels)
    starts = [start for start in range(0, n, recipe.batch) if n - start > 1]
    with Progress(f"seed {seed}, torch", recipe.epochs * len(starts)) as progress:
        for epoch in range(recipe.epochs):
            order = batches.permutation(n)
            for place, start in enumerate(starts):
                step = epoch * len(starts) + place
                index = order[start : start + recipe.batch]
                shifts, flips = augmentations.draw(augmentation, len(index), recipe.shift, recipe.flip)
                x = as_torch(augmentations.batch(dataset.train_images, index, shifts, flips))
                for group in optimiser.param_groups:
                    group["lr"] = nn.learning_rate(recipe, step, len(starts))
                optimiser.zero_grad()
                target = torch.from_numpy(dataset.train_labels[index])
                torch.nn.functional.cross_entropy(twin(x), target).backward()
                optimiser.step()
                progress.advance(step + 1)
    return torch_accuracy(twin.eval(), dataset)


def torch_accuracy(twin: torch.nn.Module, dataset: data.Dataset) -> float:
    """Share of the test images that the twin labels correctly."""
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(dataset.test_labels), EVALUATION_BATCH):
            rows = slice(start, start + EVALUATION_BATCH)
            guesses = twin(as_torch(augmentations.scale(dataset.test_images[rows]))).argmax(dim=1).numpy()
            correct += int((guesses == dataset.test_labels[rows]).sum())
    return correct / len(dataset.test_labels)


def as_torch(images: np.ndarray) -> torch.Tensor:
    """(N, H, W, C) as (N, C, H, W), channels last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


SIDES: dict[str, Callable[[nn.Network, data.Dataset, nn.Recipe, int], float]] = {
    "ours": train_ours,
    "torch": train_torch,
}


def difference(accuracy: dict[str, dict[str, float]]) -> dict[str, object]:
    """Mean of ours - torch over the seeds that both have, its standard error, and whether they agree."""
    seeds = sorted(accuracy["ours"].keys() & accuracy["torch"].keys(), key=int)
    if len(seeds) < 2:
        return {}
    paired = np.array([accuracy["ours"][seed] - accuracy["torch"][seed] for seed in seeds])
    mean, error = float(paired.mean()), float(paired.std(ddof=1) / np.sqrt(len(paired)))
    return {"seeds": len(seeds), "difference": mean, "standard_error": error, "agree": abs(mean) <= error}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="data files; rendered glyphs without it")
    parser.add_argument("--labels", type=int, default=100, help="number of glyphs")
    parser.add_argument("--train-per-label", type=int, default=200, help="training images per glyph")
    parser.add_argument("--network", default="vgg11-10conv")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--threads", type=int, help="all that this process may use by default")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to make or to go on with")
    arguments = parser.parse_args()
    process_setup.configure(arguments.threads)
    torch.set_num_threads(threadpools.threads())
    if arguments.data:
        options = data.DataOptions(source="files", path=arguments.data)
    else:
        options = data.DataOptions(n_labels=arguments.labels, train_per_label=arguments.train_per_label)
    dataset, recipe = data.load(options), nn.Recipe(epochs=arguments.epochs)
    setting = {
        "data": dataset.name,
        "inputs": len(dataset.train_labels),
        "labels": dataset.n_labels,
        "network": arguments.network,
        "width": arguments.width,
        "recipe": msgspec.json.decode(msgspec.json.encode(recipe)),
    }
    results = stored_results(
        arguments.out, setting, lambda: {key: {side: {} for side in SIDES} for key in ("accuracy", "seconds")}
    )
    for seed in arguments.seeds:
        for side in arguments.sides:
            if str(seed) not in results["accuracy"][side]:
                rng, started = generator(seed, "weights"), time.monotonic()
                network = nn.build(
                    arguments.network, dataset.n_labels, dataset.input_shape, width=arguments.width, rng=rng
                )
                results["accuracy"][side][str(seed)] = SIDES[side](network, dataset, recipe, seed)
                results["seconds"][side][str(seed)] = time.monotonic() - started
                results |= {"comparison": difference(results["accuracy"]), "machine": provenance.provenance()}
                results["torch"] = torch.__version__
                store_results(arguments.out, results)
            accuracy, seconds = results["accuracy"][side][str(seed)], results["seconds"][side][str(seed)]
            print(f"seed {seed}  {side:<5}  test accuracy {accuracy:.4f}  {seconds:.0f} s", flush=True)
    if compared := difference(results["accuracy"]):
        print(
            f"ours - torch over {compared['seeds']} seeds: {compared['difference']:+.4f}, standard error "
            f"{compared['standard_error']:.4f}; agree within one standard error: "
            f"{'yes' if compared['agree'] else 'no'}"
        )


if __name__ == "__main__":
    run_script(main)
