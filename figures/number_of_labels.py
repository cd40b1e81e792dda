"""Draw number-of-labels.pdf from results of simulations/number_of_labels.py, one column per file."""

import argparse
import json
from pathlib import Path

import numpy as np

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory

SHOWN = 6  # percentage points

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", nargs="+", type=Path, help="JSON files of the study, one per data set")
parser.add_argument("--titles", nargs="+", required=True, help="one per file")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()


def curves(path: Path) -> plot.LabelCurves:
    """The runs of one file."""
    runs = list(json.loads(path.read_text(encoding="utf-8"))["runs"].values())
    excess = {}
    for law in runs[0]["predicted"]:
        beside = "measured_on_drawn" if law == "mixture" else "measured"
        excess[law] = [np.subtract(of["predicted"][law], of[beside]) for of in runs]
    last = [list(of["stages"].values())[-1] for of in runs]
    excess["law, test pairs"] = [np.subtract(of["law itself"], of["measured"]) for of in last]
    measured, scatter = ([of[name] for of in runs] for name in ("measured", "scatter"))
    return plot.LabelCurves(runs[0]["sizes"], measured, scatter, excess)


data_sets = {title: curves(path) for title, path in zip(arguments.titles, arguments.results, strict=True)}
make_directory(arguments.out)
path = arguments.out / "number-of-labels.pdf"
plot.save(plot.draw_number_of_labels(data_sets, SHOWN), path)
print(path)
