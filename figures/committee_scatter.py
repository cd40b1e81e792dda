"""Draw committee-scatter.pdf from the results of simulations/committee_sizes.py."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot
from deeptheory.reports.plot.committee_scatter import Deviations, Sizes

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file written by simulations/committee_sizes.py")
parser.add_argument("--inputs", type=int, default=4000, help="number N of inputs in panels a to c")
parser.add_argument("--out", type=Path, default=Path("figures/committee-scatter.pdf"), help="PDF or PNG")
arguments = parser.parse_args()
results = json.loads(arguments.results.read_text(encoding="utf-8"))
cases = [
    Deviations(f"$K = {name[1:]}$, $N = {of['inputs']}$", of["alpha"], of["deviation"], of["scatter"])
    for name, compared in results["cases"].items()
    for of in compared
    if of["inputs"] == arguments.inputs
]
fit, fitted = results["fits"]["K4"][-1], results["cases"]["K4"]
inputs = [of["inputs"] for of in fitted]
units = ", ".join(str(unit + 1) for unit in fitted[0]["removals"][-1]["removed"])
sizes = Sizes(f"$K = 4$ without units {units}", inputs, fit["mean"], fit["error"], fit["slope"])
arguments.out.parent.mkdir(parents=True, exist_ok=True)
plot.save(plot.draw_committee_scatter(cases, sizes), arguments.out)
print(arguments.out)
