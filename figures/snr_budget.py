"""Draw snr-budget.pdf from the results of simulations/snr_budget.py."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory

KINDS = {"random": "random masks", "magnitude": "by magnitude", "snr-budget": "by SNR budget"}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file of the study")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
results = json.loads(arguments.results.read_text(encoding="utf-8"))
groups = {}
for criterion, kind in KINDS.items():
    own = [of for name, of in results["masks"].items() if name.startswith(f"{criterion} ")]
    groups[kind] = [of["predicted"]["retrained"] for of in own], [of["measured"] for of in own]
make_directory(arguments.out)
path = arguments.out / "snr-budget.pdf"
plot.save(plot.draw_predicted_against_measured(groups, results["n_test"]), path)
print(path)
