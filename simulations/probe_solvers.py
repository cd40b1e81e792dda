"""Do the exact and the SGD probe agree? Fit both on the same features of a trained run and compare.

python simulations/probe_solvers.py out/demo/seed-0 --stages stage9 --epochs 200
"""

import argparse
import time
from pathlib import Path

import msgspec
import numpy as np

from deeptheory import data, measure
from deeptheory.runs import Run
from deeptheory.runs.seeds import generator
from deeptheory.runs.steps.train import stored_splits, trained_network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a trained run")
    parser.add_argument("--stages", nargs="+", required=True, help="stages whose probes are fitted")
    parser.add_argument("--epochs", type=int, default=200, help="epochs of SGD")
    arguments = parser.parse_args()
    run = Run(arguments.run, quiet=True)
    network, splits = trained_network(run), stored_splits(run)
    options = msgspec.structs.replace(run.config.probe, epochs=arguments.epochs)
    print("stage    solver  accuracy (test)    loss  seconds")
    for stage in arguments.stages:
        features, labels = {}, {}
        for split in ("train", "test"):
            images, labels[split] = data.select(run.dataset, splits, split)
            features[split] = measure.stage_features(network, images, stage, quiet=True)
        for solver in ("exact", "sgd"):
            started = time.monotonic()
            fit = measure.fit_probe(
                features["train"],
                labels["train"],
                network.n_labels,
                msgspec.structs.replace(options, solver=solver),
                generator(run.config.seed, "probe"),
            )
            guesses = (features["test"] @ fit.weight.T).argmax(axis=1)
            accuracy = np.mean(guesses == labels["test"])
            seconds = time.monotonic() - started
            print(f"{stage:<8} {solver:<6} {accuracy:16.4f} {fit.loss:7.4f} {seconds:8.1f}")


if __name__ == "__main__":
    main()
