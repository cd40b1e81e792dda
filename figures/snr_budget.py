"""Accuracies after pruning and retraining, predicted against measured, by kind of mask.

The results are those of simulations/snr_budget.py.
"""

from command_line import read_results, results_parser, save_figure

from deeptheory.reports import plot
from deeptheory.system.scripts import run_script

KINDS = {"random": "random masks", "magnitude": "by magnitude", "snr-budget": "by SNR budget"}


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    results = read_results(arguments.results)
    groups = {}
    for criterion, kind in KINDS.items():
        masks = [mask for name, mask in results["masks"].items() if name.startswith(f"{criterion} ")]
        predicted = [mask["predicted"]["retrained"] for mask in masks]
        groups[kind] = predicted, [mask["measured"] for mask in masks]
    figure = plot.draw_predicted_against_measured(groups, results["n_test"])
    save_figure(figure, arguments.out, "snr-budget")


if __name__ == "__main__":
    run_script(main)
