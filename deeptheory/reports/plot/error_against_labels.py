"""Figure: error, SNR and clusters of networks trained on different numbers of labels."""

import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from deeptheory import theory
from deeptheory.judge.evidence import LabelScaling
from deeptheory.judge.hypotheses.h04_error_linear_in_labels import fit_power
from deeptheory.reports.plot.intervals import draw_interval, interval
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import (
    BLACK,
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    styled,
)

ANCHOR = 10  # number of labels whose mean error gives the one distance of the prediction
FINE = 200  # points of a curve


@styled
def draw_error_against_labels(scaling: LabelScaling) -> Figure:
    """Draw against the number of labels K, on a logarithmic axis, of networks trained on that many.

    (a) Mean error and maximal error over labels, that of chance (1 - 1/K, labels equally frequent), and the
    prediction of one distance d' between the true and a rival field, 1 - P = 1 - int Dz Phi(z + d')^(K-1), with d'
    from the mean error at K = 10 (or the number nearest to it) and nothing else fitted. (b) The maximal error with
    the line, the power and the logarithm that fit its means best by least squares. (c) Size and number of the
    clusters per filter at the last stage, and its mean-field SNR.

    Parameters
    ----------
    scaling : LabelScaling
        With ``error``, ``max_error``, ``cluster_size``, ``clusters_per_filter`` and ``snr_mean_field``.
    """
    K = np.array(scaling.n_labels, float)
    figure = Figure(figsize=(DOUBLE_COLUMN, 2.5))
    errors, fits, clusters = figure.subplots(1, 3)
    fine = np.geomspace(K[0], K[-1], FINE)

    _draw(errors, K, scaling.values["max_error"], VERMILLION, "^", "maximal over labels")
    meaning = _draw(errors, K, scaling.values["error"], BLUE, "o", "mean")
    nearest = int(np.argmin(np.abs(np.log(K / ANCHOR))))
    distance = distance_of(float(1 - scaling.values["error"][:, nearest].mean()), round(K[nearest]))
    whole = np.unique(fine.round())
    predicted = [1 - float(theory.detection_accuracy(distance, int(k))) for k in whole]
    errors.plot(
        whole,
        predicted,
        color=BLACK,
        linewidth=0.8,
        label=f"$d'$ = {distance:.2f}, from $K$ = {K[nearest]:g}",
    )
    errors.plot(fine, 1 - 1 / fine, color="0.5", linewidth=0.8, linestyle="-.", zorder=0, label="chance")
    errors.set_ylabel("test error")

    mean = scaling.values["max_error"].mean(axis=0)
    _draw(fits, K, scaling.values["max_error"], VERMILLION, "^", None)
    for (label, curve), style in zip(best_fits(K, mean, fine).items(), ("-", "--", ":"), strict=True):
        fits.plot(fine, curve, color=BLACK, linewidth=0.8, linestyle=style, label=label)
    fits.set_ylabel("maximal error over labels")

    _draw(clusters, K, scaling.values["cluster_size"], GREEN, "s", "labels per cluster")
    _draw(clusters, K, scaling.values["clusters_per_filter"], ORANGE, "D", "clusters per filter")
    _draw(clusters, K, scaling.values["snr_mean_field"], PURPLE, "P", "SNR, mean field")
    clusters.set_ylabel("number or SNR, last stage")

    for axes, panel in ((errors, "(a)"), (fits, "(b)"), (clusters, "(c)")):
        axes.set_xscale("log")
        axes.set_xticks(K)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_title(panel, loc="left", fontsize=8)
        axes.legend(fontsize=6)
    errors.set_ylim(top=1.04)
    fits.set_ylim(0, min(1.04, 1.2 * float(scaling.values["max_error"].max())))
    figure.supxlabel(f"number of labels $K$ on which the network is trained ({meaning})", fontsize=8)
    return figure


def distance_of(accuracy: float, n_labels: int) -> float:
    """The distance d' at which `theory.detection_accuracy` is this accuracy; 0 at chance and below."""
    if accuracy <= 1 / n_labels:
        return 0.0
    return float(
        scipy.optimize.brentq(lambda d: float(theory.detection_accuracy(d, n_labels)) - accuracy, 0.0, 40.0)
    )


def best_fits(
    K: NDArray[np.float64], error: NDArray[np.float64], at: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Line, power and logarithm fitted to the errors by least squares, evaluated at other numbers of labels."""
    (factor,), (exponent,) = fit_power(K, error[None])
    return {
        "$a + bK$": np.polyval(np.polyfit(K, error, 1), at),
        f"$aK^{{{exponent:.2f}}}$": factor * at**exponent,
        r"$a + b\ln K$": np.polyval(np.polyfit(np.log(K), error, 1), np.log(at)),
    }


def _draw(
    axes: Axes,
    K: NDArray[np.float64],
    values: NDArray[np.float64],
    color: ColorType,
    marker: str,
    label: str | None,
) -> str:
    points = interval(values)
    draw_interval(axes, K, points, color=color, marker=marker, markersize=3.5, linestyle="none", label=label)
    return points.meaning
