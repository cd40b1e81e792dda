"""Is what separates simulated committees from theory finite size? Scatter of one network, mean against 1/N.

python simulations/committee.py --inputs 1000 --cases K4 --out out/committee-1000.json     # and other sizes
python simulations/committee_sizes.py out/committee-*.json --out out/committee-sizes.json

Reads results of simulations/committee.py, one file per number of inputs N, and simulates nothing. The band of one
network is twice the scatter that `theory.learning_scatter` predicts at that N: no simulation enters it, 95 % of
Gaussian deviations lie within. The mean over networks is fitted linear in 1/N, once with the theory at 1/N = 0 and
once with a free value there; its errors are the predicted ones times the ratio of observed spread to predicted
scatter.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from committee import CASES, LATE, plateau

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import theory
from deeptheory.store.json_results import store_results
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

BAND = 2.0  # standard deviations
SHARE = 0.02  # of the plateau: what a difference may be without a band


def compare(name: str, results: dict[str, Any], scatter: theory.LearningScatter) -> dict[str, Any]:
    """Deviations of every network from theory in units of the plateau, and the predicted scatter of one."""
    predicted, runs = results["predicted"][name], list(results["simulated"][name].values())
    n_inputs, case = results["setting"]["inputs"], CASES[name]
    expected, errors = np.array(predicted["error"]), np.array([run["error"] for run in runs])
    height = plateau(case.alpha, expected)
    sets = [
        {
            "alpha": removal.alpha,
            "removed": predicted["removals"][place]["ranked"][0][0],
            "predicted": predicted["removals"][place]["ranked"][0][1],
            "simulated": [run["removals"][place]["at_once"][0] for run in runs],
        }
        for place, removal in enumerate(case.removals)
    ]
    for of in sets:
        at = int(np.searchsorted(case.alpha, of["alpha"]))
        of["scatter"] = float(scatter.without(of["removed"])[at] / n_inputs**0.5)
    return {
        "inputs": n_inputs,
        "alpha": case.alpha.tolist(),
        "plateau": height,
        "deviation": ((errors - expected) / height).tolist(),
        "scatter": (scatter.generalisation_error / n_inputs**0.5 / height).tolist(),
        "removals": sets,
    }


def extrapolate(compared: list[dict[str, Any]], removal: int) -> dict[str, Any]:
    """Relative difference after removal against 1/N: fits through the theory and with a free value at 1/N = 0.

    Errors are those of the predicted scatter times the ratio of observed to predicted, pooled over sizes.
    """
    points = [of["removals"][removal] for of in compared]
    numbers = [len(at["simulated"]) for at in points]
    squares = sum(
        n * (np.std(at["simulated"]) / at["scatter"]) ** 2 for n, at in zip(numbers, points, strict=True)
    )
    freedom = sum(numbers) - len(numbers)
    ratio = float(np.sqrt(squares / freedom)) if freedom else 1.0
    inverse = [1 / of["inputs"] for of in compared]
    mean = [np.mean(at["simulated"]) / at["predicted"] - 1 for at in points]
    error = [ratio * at["scatter"] / at["predicted"] / n**0.5 for n, at in zip(numbers, points, strict=True)]
    x, y, s = (np.array(values) for values in (inverse, mean, error))
    slope_error = 1 / np.sqrt(np.sum((x / s) ** 2))
    slope = slope_error**2 * np.sum(x * y / s**2)
    found = {
        "spread": ratio,
        "mean": mean,
        "error": error,
        "slope": slope,
        "slope_error": slope_error,
        "chi_square": float(np.sum(((y - slope * x) / s) ** 2)),
    }
    if len(x) > 1:
        line, covariance = np.polyfit(x, y, 1, w=1 / s, cov="unscaled")
        found |= {"limit": line[1], "limit_error": covariance[1, 1] ** 0.5}
    return found


def within(of: dict[str, Any], when: np.ndarray) -> list[str]:
    """Shares of single networks within the band, and of the mean over them within its own or the 2 %."""
    deviation, scatter = np.array(of["deviation"])[:, when], np.array(of["scatter"])[when]
    mean = np.abs(deviation.mean(axis=0))
    in_band = mean < BAND * scatter / len(deviation) ** 0.5
    return [
        f"{100 * np.mean(np.abs(deviation) < BAND * scatter):.0f}",
        f"{np.mean((deviation / scatter) ** 2) ** 0.5:.2f}",
        f"{100 * mean.max():.1f}",
        f"{100 * np.mean(in_band):.0f}",
        f"{100 * np.mean(in_band | (mean <= SHARE)):.0f}",
    ]


def report(found: dict[str, list[dict[str, Any]]], fits: dict[str, list[dict[str, Any]]]) -> str:
    """Three tables: the band along the curve, the errors after removal, their limit."""
    along, after, limits = [], [], []
    for name, compared in found.items():
        for of in compared:
            alpha, seeds = np.array(of["alpha"]), len(of["deviation"])
            for title, when in (("first fall", (alpha > 0) & (alpha < LATE)), ("later", alpha >= LATE)):
                along.append([name, str(of["inputs"]), str(seeds), title, *within(of, when)])
            for removal in of["removals"]:
                scale = 100 / removal["predicted"]
                simulated = np.array(removal["simulated"])
                numbers = (simulated.mean() - removal["predicted"], removal["scatter"] / seeds**0.5)
                spread = f"{scale * simulated.std(ddof=1):.1f}" if seeds > 1 else "-"
                units = ", ".join(str(unit + 1) for unit in removal["removed"])
                after.append([name, f"{removal['alpha']:g}", units, str(of["inputs"]), str(seeds)])
                after[-1] += [f"{scale * numbers[0]:+.2f}", f"{scale * numbers[1]:.2f}", spread]
                after[-1].append(f"{scale * removal['scatter']:.1f}")
        for removal, fit in zip(compared[0]["removals"], fits[name], strict=True):
            limit = f"{100 * fit['limit']:+.2f} +- {100 * fit['limit_error']:.2f}" if "limit" in fit else "-"
            slope = f"{fit['slope']:+.1f} +- {fit['slope_error']:.1f}"
            chi_square = f"{fit['chi_square']:.1f} / {len(compared) - 1}"
            limits.append([name, f"{removal['alpha']:g}", f"{fit['spread']:.2f}", slope, chi_square, limit])
    heads = [
        "case",
        "N",
        "seeds",
        "times",
        "% in band",
        "rms / scatter",
        "mean %",
        "in its band %",
        "or in 2 %",
    ]
    lines = [
        "within twice the predicted scatter of one network; |mean over seeds|, largest in % of the plateau"
    ]
    lines += [*text_table(heads, along), ""]
    heads = ["case", "alpha", "removed", "N", "seeds", "difference %", "+-", "spread %", "predicted %"]
    lines += [
        "error after the predicted removal, in % of the prediction; +-: predicted scatter / root of seeds"
    ]
    lines += [*text_table(heads, after), "", "the difference as slope / N, and with a free limit (in %)"]
    return "\n".join(
        [*lines, *text_table(["case", "alpha", "spread / scatter", "slope", "chi square", "limit %"], limits)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", help="JSON files of simulations/committee.py")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the figure")
    arguments = parser.parse_args()
    files = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.results]
    files.sort(key=lambda results: results["setting"]["inputs"])
    found, fits = {}, {}
    for name, case in CASES.items():
        simulated = [results for results in files if results["simulated"][name]]
        if not simulated:
            continue
        scatter = theory.learning_scatter(
            case.start, case.learning_rate, case.alpha, np.random.default_rng(0)
        )
        found[name] = [compare(name, results, scatter) for results in simulated]
        fits[name] = [extrapolate(found[name], place) for place in range(len(case.removals))]
    store_results(arguments.out, {"cases": found, "fits": fits})
    print(report(found, fits))


if __name__ == "__main__":
    run_script(main)
