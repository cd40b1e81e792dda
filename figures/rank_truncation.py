"""Draw rank-truncation.pdf from the results of simulations/rank_truncation.py."""

import argparse
import json
from pathlib import Path

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory

MARGIN = 0.5  # percentage points, as in the study

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("results", type=Path, help="JSON file of the study")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
results = json.loads(arguments.results.read_text(encoding="utf-8"))
layers = {
    name.split(".")[0]: plot.Truncation(
        of["ranks"],
        of["accuracy"],
        [int(rank) for rank in of["control"]],
        list(of["control"].values()),
        of["bulk"]["signal_rank"],
        min(of["shape"]),
    )
    for name, of in results["layers"].items()
}
make_directory(arguments.out)
path = arguments.out / "rank-truncation.pdf"
plot.save(plot.draw_rank_truncation(layers, results["accuracy"], MARGIN), path)
print(path)
