"""Draw margin-certificate.pdf from the results of simulations/margin_certificate.py."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory

CURVES = {
    "measured": "measured",
    "own change": "own change known",
    "largest change": "largest change on the measure split",
    "intervals": "intervals, before any run",
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file of the study")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
results = json.loads(arguments.results.read_text(encoding="utf-8"))
panels: dict = {}
for target, of_target in results["targets"].items():
    for criterion, found in of_target.items():
        dilution = [1 - float(density) for density in found]
        panels.setdefault(criterion, {})[target] = {
            label: (dilution, [of[name] for of in found.values()]) for name, label in CURVES.items()
        }
make_directory(arguments.out)
path = arguments.out / "margin-certificate.pdf"
plot.save(plot.draw_margin_certificate(panels, results["accuracy"]), path)
print(path)
