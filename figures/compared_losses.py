"""Losses of accuracy predicted before retraining against those measured after it, over many comparisons.

The results are those of simulations/predicted_losses.py.
"""

from command_line import read_results, results_parser, save_figure

from deeptheory.reports import plot
from deeptheory.reports.figures.f9_predicted_losses import by_criterion
from deeptheory.studies.predicted_losses import MaskLoss
from deeptheory.system.scripts import run_script

MARGIN = 0.5  # points that count as no loss


def main() -> None:
    """Draw the figure."""
    arguments = results_parser(__doc__).parse_args()
    masks = read_results(arguments.results)["masks"]
    losses = [MaskLoss(**loss) for comparison in masks.values() for loss in comparison]
    figure = plot.draw_predicted_losses(by_criterion(losses), MARGIN)
    save_figure(figure, arguments.out, "compared-losses")


if __name__ == "__main__":
    run_script(main)
