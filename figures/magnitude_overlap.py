"""Simulate the pruning of Gaussian weights (seconds) and draw magnitude-overlap.pdf."""

import argparse
from pathlib import Path

import numpy as np

from deeptheory.reports import plot
from deeptheory.runs.run import make_directory
from deeptheory.theory.simulations.magnitude import prune_at_random, prune_by_magnitude

KEPT = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
N_WEIGHTS, N_VECTORS, N_INPUTS = 1000, 50, 400

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("figures"), help="directory of the PDF")
arguments = parser.parse_args()
rng = np.random.default_rng(arguments.seed)
simulated = {
    way: [prune(kept, N_WEIGHTS, N_VECTORS, N_INPUTS, rng) for kept in KEPT]
    for way, prune in (("magnitude", prune_by_magnitude), ("random", prune_at_random))
}
make_directory(arguments.out)
path = arguments.out / "magnitude-overlap.pdf"
plot.save(plot.draw_magnitude_overlap(KEPT, simulated, N_WEIGHTS), path)
print(path)
