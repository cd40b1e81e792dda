"""Draw committee.pdf from the results of simulations/committee.py."""

import argparse
import json
from pathlib import Path

import numpy as np

from deeptheory.reports import plot
from deeptheory.reports.plot.committee import Curve, Panel, Sets

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file written by simulations/committee.py")
parser.add_argument("--out", type=Path, default=Path("figures/committee.pdf"), help="PDF or PNG")
arguments = parser.parse_args()
results = json.loads(arguments.results.read_text(encoding="utf-8"))
predicted = results["predicted"]
runs = {name: list(found.values()) for name, found in results["simulated"].items()}


def error(name: str) -> Curve:
    """Generalisation error of the full student."""
    return Curve(predicted[name]["alpha"], predicted[name]["error"], [run["error"] for run in runs[name]])


def overlap(name: str, which: str, row: int, column: int) -> Curve:
    """One order parameter of the full student."""
    theory, *simulated = (np.array(of[which])[:, row, column] for of in (predicted[name], *runs[name]))
    return Curve(predicted[name]["alpha"], theory, simulated)


def without(name: str, removal: int, choice: str) -> Curve:
    """Generalisation error of the student that learns on without some units."""
    of = predicted[name]["removals"][removal]
    simulated = [run["removals"][removal]["further"][choice] for run in runs[name]]
    return Curve(of["alpha"], of["further"][choice], simulated)


def units(numbers: list[int]) -> str:
    """Units as the figure numbers them, from 1."""
    return ", ".join(str(number + 1) for number in numbers)


removals = predicted["K3"]["removals"]
removed = {"no unit removed": error("K3")}
for place, removal in enumerate(removals):
    for choice, rank in (("best", 0), ("worst", -1)):
        gone = units(removal["ranked"][rank][0])
        removed[rf"unit {gone} at $\alpha={removal['alpha'][0]:g}$"] = without("K3", place, choice)
sets = {"none": (predicted["K4"]["error"][-1], [run["error"][-1] for run in runs["K4"]])}
for place, removal in enumerate(predicted["K4"]["removals"]):
    for rank, (numbers, expected) in enumerate(removal["ranked"]):
        sets[units(numbers)] = (expected, [run["removals"][place]["at_once"][rank] for run in runs["K4"]])
figure = plot.draw_committee(
    Panel(
        f"learning, $N = {results['setting']['inputs']}$",
        {f"$K = {name[1:]}$": error(name) for name in predicted},
    ),
    Panel(
        "overlaps, $K = 3$",
        {
            "$R_{11}$": overlap("K3", "R", 0, 0),
            "$R_{12}$": overlap("K3", "R", 0, 1),
            "$R_{22}$": overlap("K3", "R", 1, 1),
            "$R_{31}$": overlap("K3", "R", 2, 0),
            "$Q_{33}$": overlap("K3", "Q", 2, 2),
        },
    ),
    Panel("a unit removed, training goes on, $K = 3$", removed),
    Sets(rf"units removed at $\alpha = {predicted['K4']['alpha'][-1]:g}$, $K = 4$", sets),
)
arguments.out.parent.mkdir(parents=True, exist_ok=True)
plot.save(figure, arguments.out)
print(arguments.out)
