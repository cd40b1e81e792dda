"""What do the heads of a small vision transformer serve, and what is predicted of pruning them?

python simulations/live_vit.py --seeds 0 1 --out out/live-vit.json

A transformer of PyTorch (patches of 4 x 4, 4 blocks of 4 heads and 64 MLP nodes, width 32, mean over tokens) is
trained on 10 rendered glyphs. `live.measure` takes the slice of every head before the output projection as filter,
and every MLP node. Then whole heads and nodes are removed, so many in every layer, by AFCC, by their share of the
SNR and at random: the loss is predicted before any training, by the refit in closed form and the law of recovery,
and measured after three epochs with the zeros kept, against the unpruned network that was trained on as long.

Every seed is stored as soon as it is done; the same command again goes on where it was interrupted.
"""

import argparse
import copy
from pathlib import Path
from typing import Any

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

import numpy as np
import torch
from torch import nn as tn

from deeptheory import data
from deeptheory.interop import torch as live
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

N_LABELS, SIDE, TRAIN, TEST, MEASURE = (
    10,
    16,
    250,
    100,
    50,
)  # inputs per label; of those to train on, to measure on
WIDTH, DEPTH, HEADS, NODES, PATCH = 32, 4, 4, 64, 4
EPOCHS, RATE, RETRAINING, RETRAINING_RATE, BATCH = 15, 3e-3, 3, 1e-3, 50
DENSITIES, CRITERIA = (0.75, 0.5, 0.25), ("afcc", "snr-share", "random")


class Block(tn.Module):
    """A block with the norms before its attention and its MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = tn.LayerNorm(WIDTH), tn.LayerNorm(WIDTH)
        self.qkv, self.proj = tn.Linear(WIDTH, 3 * WIDTH), tn.Linear(WIDTH, WIDTH)
        self.fc1, self.act, self.fc2 = tn.Linear(WIDTH, NODES), tn.GELU(), tn.Linear(NODES, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        heads = tn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(heads.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class ViT(tn.Module):
    """A small vision transformer without a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = tn.Conv2d(1, WIDTH, PATCH, PATCH)
        self.positions = tn.Parameter(0.02 * torch.randn(1, (SIDE // PATCH) ** 2, WIDTH))
        self.blocks = tn.Sequential(*(Block() for _ in range(DEPTH)))
        self.norm, self.head = tn.LayerNorm(WIDTH), tn.Linear(WIDTH, N_LABELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))


def batches(images: np.ndarray, labels: np.ndarray) -> list[list[torch.Tensor]]:
    """Inputs in order, grey levels scaled to [-1, 1]."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(labels)
    return [[x[i : i + BATCH], y[i : i + BATCH]] for i in range(0, len(y), BATCH)]


def fit(model: tn.Module, given: list[list[torch.Tensor]], epochs: int, rate: float, seed: int) -> None:
    """Train by AdamW with one cycle of the learning rate."""
    torch.manual_seed(seed)
    x, y = (torch.cat([batch[part] for batch in given]) for part in (0, 1))
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    steps = epochs * (-(-len(y) // BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            tn.functional.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.1).backward()
            optimiser.step()
            schedule.step()


@torch.no_grad()
def accuracy(model: tn.Module, given: list[list[torch.Tensor]]) -> float:
    """Share of the inputs that are classified correctly."""
    model.eval()
    return float(torch.cat([(model(x).argmax(1) == y).float() for x, y in given]).mean())


def pairs() -> dict[str, tuple[str, str]]:
    """The layers that write heads and nodes: removing their filters removes these."""
    found = {}
    for number in range(DEPTH):
        block = f"blocks.{number}"
        found[f"{block}.qkv"] = (f"{block}.norm1", f"{block}.proj:input")
        found[f"{block}.fc1"] = (f"{block}.norm2", f"{block}.act")
    return found


def one_seed(seed: int) -> dict[str, Any]:
    """Train, measure, predict, prune and retrain one network."""
    glyphs = data.render(N_LABELS, SIDE, TRAIN, TEST, seed=seed, quiet=True)
    held_out = N_LABELS * MEASURE
    train = batches(glyphs.train_images[held_out:], glyphs.train_labels[held_out:])
    measuring = batches(glyphs.train_images[:held_out], glyphs.train_labels[:held_out])
    test = batches(glyphs.test_images, glyphs.test_labels)
    torch.manual_seed(seed)
    model = ViT()
    fit(model, train, EPOCHS, RATE, seed)
    measured = live.measure(model, measuring, probe_loader=train, test_loader=test, seed=seed, quiet=True)
    whole = copy.deepcopy(model)
    fit(whole, train, RETRAINING, RETRAINING_RATE, seed)
    found: dict[str, Any] = {
        "accuracy": accuracy(model, test),
        "unpruned": accuracy(whole, test),
        "stages": {name: described(measured, name) for name in measured.stages},
        "arms": [],
    }
    for density in DENSITIES:
        arms = measured.masks(CRITERIA, density, pairs=pairs(), granularity="filter")
        predicted = measured.predict(arms, quiet=True)["arms"]
        for name, arm in arms.items():
            pruned = copy.deepcopy(model)
            live.apply_masks(pruned, arm.masks)
            before = accuracy(pruned, test)
            fit(pruned, train, RETRAINING, RETRAINING_RATE, seed)
            of_arm = {key: predicted[name][key] for key in ("refit_loss", "loss", "loss_low", "loss_high")}
            row = {"criterion": name, "density": density, "before": before, **of_arm}
            found["arms"].append(row | {"measured": found["unpruned"] - accuracy(pruned, test)})
            print(f"seed {seed}: {name} at {density:g} done", flush=True)
    return found


def described(measured: live.Measured, stage: str) -> dict[str, float]:
    """Means over the filters of a stage: labels served, clusters, and the signal to noise ratios."""
    record = measured.stages[stage]
    return {
        "filters": len(record["served"]),
        "probe": float(record["probe_accuracy"]),
        "served": float(record["served"].sum(axis=1).mean()),
        "nobody": float((~record["served"].any(axis=0)).sum()),
        "clusters": float(record["clusters_per_filter"]),
        "cluster_size": float(record["cluster_size"]),
        "snr_mean_field": float(record["snr_mean_field"]),
        "snr_measured": float(record["snr_measured"]),
    }


def report(results: dict[str, Any]) -> str:
    """Heads and nodes by depth, and losses in points, averaged over seeds."""
    seeds = list(results["seeds"].values())
    lines = [
        f"{len(seeds)} seeds, test accuracy {mean(seeds, 'accuracy'):.4f}, "
        f"trained on {mean(seeds, 'unpruned'):.4f}"
    ]
    keys = ("probe", "served", "clusters", "cluster_size", "snr_mean_field", "snr_measured")
    rows = []
    for stage in seeds[0]["stages"]:
        of = [seed["stages"][stage] for seed in seeds]
        rows.append([stage, str(of[0]["filters"]), *(f"{mean(of, key):.2f}" for key in keys)])
    heads = [
        "stage",
        "filters",
        "probe",
        "labels served",
        "clusters",
        "labels a cluster",
        "SNR, mean field",
        "measured",
    ]
    lines += text_table(heads, rows)
    rows = []
    for number, first in enumerate(seeds[0]["arms"]):
        of = [seed["arms"][number] for seed in seeds]
        points = [f"{100 * mean(of, key):.1f}" for key in ("refit_loss", "loss", "measured")]
        interval = f"{100 * mean(of, 'loss_low'):.1f} to {100 * mean(of, 'loss_high'):.1f}"
        within = sum(arm["loss_low"] <= arm["measured"] <= arm["loss_high"] for arm in of)
        named = [f"{first['density']:g}", first["criterion"], f"{mean(of, 'before'):.3f}"]
        rows.append([*named, *points[:2], interval, points[2], f"{within} of {len(of)}"])
    heads = [
        "kept",
        "criterion",
        "accuracy at once",
        "loss of the refit",
        "predicted loss",
        "95 %",
        "measured",
        "within",
    ]
    return "\n".join([*lines, *text_table(heads, rows)])


def mean(of: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([one[key] for one in of]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("out/live-vit.json"))
    arguments = parser.parse_args()
    setting = {"epochs": EPOCHS, "retraining": RETRAINING, "depth": DEPTH, "densities": list(DENSITIES)}
    results = stored_results(
        arguments.out, setting, lambda: {"seeds": {}, "machine": provenance.provenance()}
    )
    for seed in arguments.seeds:
        if str(seed) not in results["seeds"]:
            results["seeds"][str(seed)] = one_seed(seed)
            store_results(arguments.out, results)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
