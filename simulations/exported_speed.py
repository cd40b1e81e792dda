"""Does a compact network exported to PyTorch predict the same there, and how much faster is it than the dense one?

python simulations/exported_speed.py out/one --arm afcc --out out/exported-speed.json

The network of a retrained run is exported three times as a PyTorch script (`deeptheory export --to torch`):
dense and unpruned, dense under the mask of an arm, and compact. Predictions of the exported compact network are
compared with those of the masked network of this engine, on inputs of the test split, then of the others until
there are enough.
Times are those of PyTorch alone, in evaluation mode, all networks in turn in one process, each in the format that
suits it best (plain or channels last), at batch 1 and 100. Kernels removed one by one stay as zeros in PyTorch: it
gains from filters that are gone, so a mask that disconnects filters shows more.
Worth something only when nothing else runs; the file says whether that was so.
"""

import argparse
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, nn, prune
from deeptheory.bench import machine_load
from deeptheory.bench.cases import Step, timed
from deeptheory.bench.comparison import ratio_interval
from deeptheory.bench.interleaving import Turns, in_turn
from deeptheory.data import augmentation
from deeptheory.interop.torch.writer import write_torch
from deeptheory.runs import Run, steps
from deeptheory.runs.steps.compaction import retrained_network
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths
from deeptheory.store.json_results import store_results
from deeptheory.system import provenance, threadpools
from deeptheory.system.progress import Progress
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

BATCH = 100  # images of a forward pass in the comparison of predictions
BATCHES = (1, 100)  # that are timed
FORMATS = {"plain": torch.contiguous_format, "channels last": torch.channels_last}
DENSE, MASKED, COMPACT = "dense", "masked", "compact"


def exported(network: nn.Network) -> torch.nn.Module:
    """The module that the exported script makes of its tensors."""
    with tempfile.TemporaryDirectory() as directory:
        script, _ = write_torch(Path(directory) / "network.py", network)
        spec = importlib.util.spec_from_file_location("network", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.load()


def images_of(run: Run, n_images: int) -> np.ndarray:
    """Grey levels (n, H, W, C) of the test split, then of the measure and the train split, as far as they go."""
    splits = stored_splits(run)
    parts = [data.select(run.dataset, splits, name)[0] for name in ("test", "measure", "train")]
    return np.concatenate(parts)[:n_images]


def as_torch(images: np.ndarray) -> torch.Tensor:
    """(N, H, W, C) as (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def agreement(network: nn.Network, module: torch.nn.Module, images: np.ndarray) -> dict[str, float]:
    """Equal predictions of a network here and a module there, and the largest difference of their logits."""
    equal, difference, largest = 0, 0.0, 0.0
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            x = augmentation.scale(images[start : start + BATCH])
            here, there = network.infer(x), module(as_torch(x)).numpy()
            equal += int((here.argmax(axis=1) == there.argmax(axis=1)).sum())
            difference = max(difference, float(np.abs(here - there).max()))
            largest = max(largest, float(np.abs(here).max()))
    return {"images": len(images), "equal": equal, "relative_difference": difference / largest}


def step_of(module: torch.nn.Module, x: torch.Tensor, memory_format: torch.memory_format) -> Step:
    """Logits of one batch."""
    module, x = module.to(memory_format=memory_format), x.contiguous(memory_format=memory_format)

    def compute() -> None:
        with torch.inference_mode():
            module(x)

    return timed(compute)


def speeds(networks: dict[str, nn.Network], x: torch.Tensor, rounds: int, silent: bool) -> dict[str, Any]:
    """Times of every network in its better format, and the dense one's in units of those of the others."""
    found = {
        (name, memory): step_of(exported(network), x, FORMATS[memory])
        for name, network in networks.items()
        for memory in FORMATS
    }
    named = {f"{name}, {memory}": step for (name, memory), step in found.items()}
    with Progress(f"batch {len(x)}", rounds * len(named), "block", silent) as progress:
        turns = in_turn(named, rounds, [], progress.advance)
    best = {}
    for name in networks:
        best[name] = min((f"{name}, {memory}" for memory in FORMATS), key=lambda side: median(turns[side]))
    result: dict[str, Any] = {"seconds": {name: median(turn) for name, turn in turns.items()}, "speedup": {}}
    for name in (MASKED, COMPACT):
        dense, other = turns[best[DENSE]], turns[best[name]]
        low, high = ratio_interval(dense.times, other.times)
        result["speedup"][name] = {"ratio": median(dense) / median(other), "low": low, "high": high}
    return result


def median(turn: Turns) -> float:
    """Seconds of a call."""
    return float(np.median(np.concatenate(turn.times.blocks)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a retrained run")
    parser.add_argument("--arm", default="afcc")
    parser.add_argument("--images", type=int, default=10_000, help="on which predictions are compared")
    parser.add_argument("--rounds", type=int, default=10, help="blocks of half a second of every network")
    parser.add_argument("--threads", type=int, help="all that this process may use by default")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    process_setup.configure(arguments.threads)
    torch.set_num_threads(threadpools.threads())
    run = Run(arguments.run, arguments.quiet)
    steps.compact(run, (arguments.arm,))
    networks = {
        DENSE: retrained_network(run, prune.UNPRUNED),
        MASKED: retrained_network(run, arguments.arm),
        COMPACT: nn.load_model(paths.compact_file(run.directory, arguments.arm)),
    }
    images = images_of(run, arguments.images)
    predictions = agreement(networks[MASKED], exported(networks[COMPACT]), images)
    before, look = machine_load.Load.now(), machine_load.look()
    x = as_torch(augmentation.scale(np.resize(images, (max(BATCHES), *images.shape[1:]))))
    timing = {str(n): speeds(networks, x[:n], arguments.rounds, arguments.quiet) for n in BATCHES}
    shares = [look, machine_load.share_of_others(before, machine_load.Load.now())]
    counts = {name: prune.footprint_of(network).nonzero for name, network in networks.items()}
    results = {
        "setting": {"run": str(run.directory), "arm": arguments.arm, "rounds": arguments.rounds},
        "predictions": predictions,
        "nonzero_parameters": counts,
        "batches": timing,
        "quiet": machine_load.is_quiet(shares),
        "machine": provenance.provenance(),
        "torch": torch.__version__,
    }
    store_results(arguments.out, results)
    print(
        f"{predictions['equal']} of {predictions['images']} predictions are equal, largest difference of logits "
        f"{predictions['relative_difference']:.1e} of the largest"
    )
    header = ("batch", *networks, "dense/masked", "dense/compact")
    print("\n".join(text_table(header, [_row(n, found) for n, found in timing.items()])))


def _row(batch: str, found: dict[str, Any]) -> tuple[str, ...]:
    """Milliseconds of every network in its better format, and the ratios with their intervals."""
    times = (
        min(found["seconds"][f"{name}, {memory}"] for memory in FORMATS) for name in (DENSE, MASKED, COMPACT)
    )
    ratios = (found["speedup"][name] for name in (MASKED, COMPACT))
    return (
        batch,
        *(f"{1e3 * time:.2f} ms" for time in times),
        *(f"{of['ratio']:.2f} ({of['low']:.2f}-{of['high']:.2f})" for of in ratios),
    )


if __name__ == "__main__":
    run_script(main)
