"""Draw perceptron-capacity.pdf from the results of simulations/perceptron_capacity.py."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file of the study")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
points = {}
for n_couplings, of in json.loads(arguments.results.read_text(encoding="utf-8"))["capacities"].items():
    diluted = {float(kept): point for kept, point in of["points"].items() if float(kept) < 1}
    points[int(n_couplings)] = plot.CapacityPoints(
        list(diluted),
        [point["load"] for point in diluted.values()],
        [point["error"] for point in diluted.values()],
    )
make_directory(arguments.out)
path = arguments.out / "perceptron-capacity.pdf"
plot.save(plot.draw_perceptron_capacity(points), path)
print(path)
