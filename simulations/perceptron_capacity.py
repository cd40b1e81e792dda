"""Capacity of a perceptron that is pruned and relearnt, between the quenched line and the annealed bound.

python simulations/perceptron_capacity.py --out out/perceptron.json

Random patterns are stored with largest stability, the smallest couplings removed, the rest learnt again, until
no couplings store the patterns. One such instance says for every density f at once whether it succeeds: the
couplings it needs are at most f N or not. The capacity at f is the load (patterns per original coupling) at which
half of the instances succeed; N = inf is its extrapolation, linear in 1/N (a model). Check: at f = 1 the share of
instances that succeed against Cover's exact one.

Every load is stored as soon as it is done; the same command again goes on where it was interrupted.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import theory
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table
from deeptheory.theory.simulations.perceptron import prune_and_relearn
from deeptheory.theory.simulations.success_threshold import half_point

KEPT = (0.1, 0.2, 0.3, 0.5, 0.7)
# Finer where the transitions are narrow.
LOADS = np.concatenate([np.arange(0.4, 0.8, 0.025), np.arange(0.8, 2.4, 0.05)])


def couplings_needed(n_couplings: int, n_patterns: int, instances: int, seed: int) -> list[int]:
    """Couplings that each instance needs; more than `n_couplings` where all of them store nothing."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_couplings, n_patterns]))
    return [prune_and_relearn(rng.standard_normal((n_patterns, n_couplings))) for _ in range(instances)]


def capacities(needed: dict[str, list[int]], n_couplings: int) -> dict[str, Any]:
    """Half point at each density, and the comparison with Cover at density 1."""
    n_patterns = np.array([int(name) for name in needed])
    loads, counts = n_patterns / n_couplings, np.array(list(needed.values()))
    trials = np.full(len(loads), counts.shape[1])
    points = {}
    for kept in (*KEPT, 1.0):
        successes = np.sum(counts <= round(kept * n_couplings), axis=1)
        points[f"{kept:g}"] = half_point(loads, successes, trials)._asdict()
    expected = trials * theory.separable_share(n_patterns, n_couplings)
    variance = expected * (1 - expected / trials)
    within = variance > 0.5  # elsewhere the share of a handful of instances is not nearly Gaussian
    squares = (successes - expected)[within] ** 2 / variance[within]
    return {"points": points, "cover": {"chi_square": float(squares.sum()), "loads": int(within.sum())}}


def extrapolate(of_sizes: dict[str, Any]) -> dict[str, Any]:
    """Half points for large N, linear in 1/N: a model, with the standard errors of the least-squares fit."""
    inverse = 1 / np.array([int(size) for size in of_sizes])
    points = {}
    for kept in (f"{kept:g}" for kept in (*KEPT, 1.0)):
        load, error = np.array(
            [[of["points"][kept][name] for name in ("load", "error")] for of in of_sizes.values()]
        ).T
        line, covariance = np.polyfit(inverse, load, 1, w=1 / error, cov="unscaled")
        points[kept] = {"load": line[1], "error": np.sqrt(covariance[1, 1])}
    return points


def report(results: dict[str, Any]) -> str:
    """Every point between its two lines."""
    rows = []
    of_sizes = {size: of["points"] for size, of in results["capacities"].items()}
    if len(of_sizes) > 1:
        of_sizes["inf"] = extrapolate(results["capacities"])
    for n_couplings, points in of_sizes.items():
        for kept, point in points.items():
            quenched, annealed = theory.quenched_capacity(float(kept)), theory.annealed_capacity(float(kept))
            above = f"{(point['load'] - quenched) / point['error']:+.1f}"
            numbers = (quenched, point["load"], 1.96 * point["error"], annealed)
            rows.append([n_couplings, kept, *(f"{number:.3f}" for number in numbers), above])
    heads = ["N", "f", "quenched", "pruned, relearnt", "+- 95%", "annealed bound", "above quenched (s.e.)"]
    cover = [
        "N = {}, f = 1 against Cover: chi square {chi_square:.1f} over {loads} loads".format(n, **of["cover"])
        for n, of in results["capacities"].items()
    ]
    return "\n".join([*text_table(heads, rows, left=()), *cover])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--couplings", type=int, nargs="+", default=[50, 100, 200], help="sizes N")
    parser.add_argument("--instances", type=int, default=16, help="instances at each load")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to make or to go on with")
    arguments = parser.parse_args()
    process_setup.configure(1)  # the matrices are too small for more
    setting = {"instances": arguments.instances, "seed": arguments.seed}
    results = stored_results(arguments.out, setting, lambda: {"needed": {}, "seconds": {}, "capacities": {}})
    for size in arguments.couplings:
        needed = results["needed"].setdefault(str(size), {})
        for n_patterns in (round(load * size) for load in LOADS):
            if str(n_patterns) in needed:
                continue
            started = time.monotonic()
            needed[str(n_patterns)] = couplings_needed(size, n_patterns, arguments.instances, arguments.seed)
            seconds = results["seconds"].get(str(size), 0.0)
            results["seconds"][str(size)] = seconds + time.monotonic() - started
            store_results(arguments.out, results)
            print(
                f"N = {size}, {n_patterns} patterns: {np.mean(needed[str(n_patterns)]):.1f} couplings",
                flush=True,
            )
        results["capacities"][str(size)] = capacities(needed, size)
        results["machine"] = provenance.provenance()
        store_results(arguments.out, results)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
