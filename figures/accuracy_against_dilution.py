"""Draw accuracy-against-dilution.pdf from run or study directories."""

import argparse
from pathlib import Path

from deeptheory.reports import plot

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("runs", nargs="+", type=Path, help="run or study directories")
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
print(plot.draw("accuracy-against-dilution", arguments.runs, arguments.out))
