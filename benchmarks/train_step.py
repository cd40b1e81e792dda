"""Time of a training step of VGG-11 against PyTorch (where it is installed), alternating in one process.

    python benchmarks/train_step.py --size 32 --width 0.25 --out benchmarks/results

Writes train-step-SIZE-WIDTH.json: medians and spreads in milliseconds, and the ratio torch/ours. A ratio is worth
something only from a machine that does nothing else.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deeptheory import machine, nn

BATCH, N_LABELS = 100, 100
CHANNELS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M")


def ours(size: int, width: float, images: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
    """One training step of this package."""
    network = nn.build("vgg11", N_LABELS, (size, size, 3), width=width, rng=np.random.default_rng(0))
    optimiser = nn.SGD(network, 0.9, 5e-4, False, {})

    def step() -> None:
        logits, _ = network.forward(images, training=True)
        network.backward(nn.softmax_cross_entropy(logits, labels)[1])
        optimiser.step(0.01)

    return step


def theirs(
    size: int, width: float, images: np.ndarray, labels: np.ndarray, channels_last: bool
) -> Callable[[], None]:
    """One training step of PyTorch in one of its two memory formats."""
    import torch
    from torch import nn as tn

    torch.set_num_threads(machine.threads())
    layers: list[tn.Module] = []
    n_in = 3
    for channels in CHANNELS:
        if channels == "M":
            layers.append(tn.MaxPool2d(2))
            continue
        n_out = round(int(channels) * width)
        layers += [tn.Conv2d(n_in, n_out, 3, padding=1, bias=False), tn.BatchNorm2d(n_out), tn.ReLU(True)]
        n_in = n_out
    layers += [tn.Flatten(), tn.Linear(n_in * (size // 16) ** 2, N_LABELS, bias=False)]
    memory = torch.channels_last if channels_last else torch.contiguous_format
    network = tn.Sequential(*layers).to(memory_format=memory)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(memory_format=memory)
    y = torch.from_numpy(labels)
    optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        optimiser.zero_grad()
        tn.functional.cross_entropy(network(x), y).backward()
        optimiser.step()

    return step


def alternate(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, dict[str, float]]:
    """Run the steps in turn; milliseconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for name in steps:
        steps[name]()
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    quantiles = {"median_ms": 0.5, "low_ms": 0.1, "high_ms": 0.9}
    return {
        name: {key: round(1e3 * float(np.quantile(of, q)), 2) for key, q in quantiles.items()}
        for name, of in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=32, help="side of an image in pixels")
    parser.add_argument("--width", type=float, default=0.25, help="width of the network")
    parser.add_argument("--rounds", type=int, default=20, help="steps of each")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmarks/results"), help="directory of the JSON file"
    )
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    size, width = arguments.size, arguments.width
    images = rng.standard_normal((BATCH, size, size, 3)).astype(np.float32)
    labels = rng.integers(0, N_LABELS, BATCH)
    steps = {"ours": ours(size, width, images, labels)}
    try:
        steps["torch"] = theirs(size, width, images, labels, channels_last=False)
        steps["torch channels last"] = theirs(size, width, images, labels, channels_last=True)
    except ModuleNotFoundError:
        print("PyTorch is not installed: no ratio (pip install '.[torch]')")
    times = alternate(steps, arguments.rounds)
    rivals = [of["median_ms"] for name, of in times.items() if name != "ours"]
    ratio = round(min(rivals) / times["ours"]["median_ms"], 2) if rivals else None
    result = {
        "what": f"training step, VGG-11 width {width:g}, {size}x{size}, batch {BATCH}, float32",
        "ratio_torch_over_ours": ratio,
        "times": times,
        "machine": machine.facts(),
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"train-step-{size}-{width:g}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("what", "ratio_torch_over_ours", "times")}, indent=2))
    print(path)


if __name__ == "__main__":
    main()
