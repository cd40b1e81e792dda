"""How far predicted losses of accuracy are from those measured after retraining, over many comparisons.

deeptheory compare CONFIG --set compare.predict=true --out out/one
python simulations/predicted_losses.py out/one out/other --out out/predicted-losses.json

Every comparison predicts the losses of all its masks before it retrains them. For each comparison, and for all
together: the number of masks, the mean of |predicted - measured|, the same where less than two points were lost,
its bias, the rank correlation, and the share of the 95 % intervals that hold the measured loss; and beside it the
mean for 0.3 times the loss after the refit, the law that was used before. All numbers are percentage points. The
processor time of a prediction against that of a retraining is not in it: `deeptheory predict` reports both. A
second table shows how well the losses are ordered by what is known before: the prediction, the loss after the
refit, the dilution, and the share of the labels common to filters that a mask keeps, which is all that the
measures of single filters say.
"""

import argparse
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.stats import ConstantInputWarning, spearmanr

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory.errors import InputError
from deeptheory.runs.discovery import find_runs
from deeptheory.store.json_results import store_results
from deeptheory.studies.predicted_losses import MaskLoss, of_comparison
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

FORMER_SHARE = 0.3  # of the loss after the refit, that retraining was taken to leave
SMALL = 2.0  # points
KNOWN = {  # before retraining, and the sign with which it should go with the loss
    "predicted": ("predicted", 1),
    "loss after refit": ("refit_loss", 1),
    "dilution": ("density", -1),
    "labels kept": ("kept_labels", -1),
}
HEAD = ("comparison", "masks", "mean |error|", "below 2", "bias", "rank", "within", "former law")


def row(name: str, losses: list[MaskLoss]) -> tuple[str, ...]:
    """One line of the table."""
    predicted, measured, refit = (
        100 * np.array([getattr(loss, entry) for loss in losses])
        for entry in ("predicted", "measured", "refit_loss")
    )
    error, small = predicted - measured, measured < SMALL
    within = [loss.low - loss.error <= loss.measured <= loss.high + loss.error for loss in losses]
    rank = spearmanr(predicted, measured).statistic if len(losses) > 2 else np.nan
    return (
        name,
        str(len(losses)),
        f"{np.abs(error).mean():.2f}",
        f"{np.abs(error[small]).mean():.2f} ({small.sum()})" if small.any() else "-",
        f"{error.mean():+.2f}",
        f"{rank:.3f}",
        f"{np.mean(within):.2f}",
        f"{np.abs(FORMER_SHARE * refit - measured).mean():.2f}",
    )


def orders(name: str, losses: list[MaskLoss]) -> tuple[str, ...]:
    """One line of the second table: rank correlations of the measured losses with what was known before."""
    measured = np.array([loss.measured for loss in losses])
    dilution = np.array([1 - loss.density for loss in losses])
    cells = []
    for entry, sign in KNOWN.values():
        known = sign * np.array([getattr(loss, entry) for loss in losses])
        of_all = spearmanr(known, measured).statistic
        alike = [
            spearmanr(known[dilution == one], measured[dilution == one]).statistic
            for one in np.unique(dilution)
        ]
        cells.append(f"{of_all:.2f}" + ("" if np.isnan(alike).any() else f" / {np.mean(alike):.2f}"))
    return name, *cells


def main() -> None:
    """Print the table, and store all losses."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "comparisons", type=Path, nargs="+", help="directories that `deeptheory compare` wrote"
    )
    parser.add_argument("--out", type=Path, help="JSON of all losses")
    arguments = parser.parse_args()
    losses: dict[str, list[MaskLoss]] = {}
    for directory in arguments.comparisons:
        found = of_comparison(find_runs(directory))
        if not found:
            do = "run 'deeptheory compare' with --set compare.predict=true"
            raise InputError(f"comparison {directory}", "predicted and retrained masks", "none", do)
        losses[str(directory)] = found
    rows = [row(name, found) for name, found in losses.items()]
    rows.append(row("together", [loss for found in losses.values() for loss in found]))
    print("\n".join(text_table(list(HEAD), rows)))
    print(
        "\nrank correlation of the measured loss with what is known before: over all masks / among equal densities"
    )
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)  # a density has no rank among equal densities
        print("\n".join(text_table(["comparison", *KNOWN], [orders(*item) for item in losses.items()])))
    if arguments.out:
        masks = {name: [asdict(loss) for loss in found] for name, found in losses.items()}
        store_results(arguments.out, {"setting": {}, "machine": provenance.provenance(), "masks": masks})


if __name__ == "__main__":
    run_script(main)
