"""Figure: one filter's field matrix, clipped, and with its labels sorted into clusters."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError
from deeptheory.measure.fields import clip
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import BLACK, BLUE, DOUBLE_COLUMN, VERMILLION, styled

ONE, IN_CLUSTER, NOISE = 1, 2, 3
ELEMENT_COLORS = {ONE: BLACK, IN_CLUSTER: BLUE, NOISE: VERMILLION}
FINE = 200  # beyond this many labels an element is too small to be seen in print and drawn larger instead
NAMED_LABELS = 20  # up to this many labels every label is named on the axes of the sorted matrix
LONGEST_NAME = 12  # letters of a name there


@styled
def draw_field_matrix(
    field: ArrayLike,
    threshold: float,
    clusters: Sequence[Sequence[int]],
    name: str = "",
    label_names: Sequence[str] = (),
) -> Figure:
    """Draw the field matrix of one filter in three panels.

    (a) The field h[i, j] divided by its maximum, on a map centred at zero. (b) Its clipped matrix. (c) The
    clipped matrix with rows and columns sorted so that the clusters stand one after the other at the top
    left; their squares are outlined, and ones outside the squares (noise) have a colour of their own. The
    labels outside all clusters follow in increasing order.

    Parameters
    ----------
    field : array of shape (K, K)
        Single-filter field; rows are labels of the input, columns output units.
    threshold : float
        Share of the field's maximum above which an element is clipped to one.
    clusters : sequence of sequences of int
        Clusters of the clipped matrix, as `measure.find_clusters` gives them; may be empty.
    name : str
        Which filter it is, written below the panels.
    label_names : sequence of str
        Names of the K labels, which stand at the axes of the sorted panel when it has at most 20; their numbers
        without them.

    Raises
    ------
    InputError
        When the field is not a finite square matrix, or a cluster holds an unknown label, a label of another
        cluster or a pair of labels that the clipped matrix does not connect.

    Notes
    -----
    A field without a positive element has no ones; panel (a) then shows it divided by its largest absolute
    value. With more than 200 labels the ones of (b) and (c) are drawn one point wide, larger than they are,
    to be seen. Greedy clusters depend on the order of the labels: the sorted panel is one of several possible
    partitions.
    """
    matrix = np.asarray(field, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InputError("field", "shape (labels, labels)", f"shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError("field", "finite values", f"{np.sum(~np.isfinite(matrix))} that are not finite")
    clipped = np.asarray(clip(matrix, threshold))
    _check_clusters(clusters, clipped)

    named = [_shortened(label) for label in label_names] or [str(label) for label in range(len(matrix))]
    upright = len(named) <= NAMED_LABELS and max(map(len, named)) > 2
    figure = Figure(figsize=(DOUBLE_COLUMN, 3.0 if upright else 2.65))
    figure.text(0.01, 0.02, name)  # level with the legend
    panels = figure.subplots(1, 3)
    _draw_field(figure, panels[0], matrix)
    _draw_elements(panels[1], np.where(clipped, ONE, 0))
    panels[1].set_title(rf"(b) clipped, $\theta = {threshold:g}$: {clipped.sum()} ones")
    for axes in panels[:2]:
        axes.set_xlabel("output $j$")
        axes.set_ylabel("input label $i$")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    _draw_sorted(panels[2], clipped, clusters, named, upright)
    figure.legend(
        handles=[
            Patch(facecolor=BLUE, edgecolor=BLACK, label="(c) cluster"),
            Patch(facecolor=VERMILLION, label="(c) noise"),
        ],
        loc="outside lower right",
        ncols=2,
        handlelength=1,
    )
    return figure


def _check_clusters(clusters: Sequence[Sequence[int]], clipped: NDArray[np.bool_]) -> None:
    labels = list(chain.from_iterable(clusters))
    unknown = [label for label in labels if not 0 <= label < len(clipped)]
    if unknown:
        raise InputError("clusters", f"labels within 0 and {len(clipped) - 1}", f"{unknown[0]}")
    if len(set(labels)) != len(labels):
        raise InputError("clusters", "every label in one cluster at most", "a label in two")
    for cluster in clusters:
        if not clipped[np.ix_(cluster, cluster)].all():
            raise InputError(
                "clusters",
                "squares of ones of the clipped matrix",
                f"zeros inside cluster {list(cluster)}",
                "find the clusters at the threshold of the figure",
            )


def _draw_field(figure: Figure, axes: Axes, matrix: NDArray[np.float64]) -> None:
    positive = matrix.max() > 0
    unit = matrix.max() if positive else np.abs(matrix).max() or 1.0
    limit = np.abs(matrix).max() / unit or 1.0
    image = axes.imshow(matrix / unit, vmin=-limit, vmax=limit)
    bar = figure.colorbar(image, cax=axes.inset_axes((1.04, 0, 0.06, 1)))
    bar.set_label(r"$h_f[i,j]\,/\,\max h_f$" if positive else r"$h_f[i,j]\,/\,\max |h_f|$")
    bar.locator = MaxNLocator(4, steps=[1, 2, 5, 10])
    bar.update_ticks()
    axes.tick_params(top=False, right=False)
    axes.set_title("(a) field" if positive else "(a) field: nothing above zero")


def _draw_elements(axes: Axes, elements: NDArray[np.int_]) -> None:
    """Draw zeros white and the others by their number: ones of (b), of a cluster and of the noise in (c)."""
    n_labels = len(elements)
    if n_labels <= FINE:
        colors = ListedColormap(["white", *ELEMENT_COLORS.values()])
        axes.imshow(elements, cmap=colors, vmin=-0.5, vmax=3.5)
    else:
        axes.set(xlim=(-0.5, n_labels - 0.5), ylim=(n_labels - 0.5, -0.5), aspect="equal")
        for number, color in ELEMENT_COLORS.items():
            rows, columns = np.nonzero(elements == number)
            axes.plot(columns, rows, "s", color=color, markersize=1, markeredgewidth=0, rasterized=True)
    axes.tick_params(top=False, right=False)


def _draw_sorted(
    axes: Axes,
    clipped: NDArray[np.bool_],
    clusters: Sequence[Sequence[int]],
    named: Sequence[str],
    upright: bool,
) -> None:
    n_labels = len(clipped)
    in_clusters = list(chain.from_iterable(clusters))
    order = in_clusters + sorted(set(range(n_labels)) - set(in_clusters))
    elements = np.where(clipped[np.ix_(order, order)], NOISE, 0)
    start = 0
    for cluster in clusters:
        size = len(cluster)
        elements[start : start + size, start : start + size] = IN_CLUSTER
        axes.add_patch(Rectangle((start - 0.5, start - 0.5), size, size, fill=False, edgecolor=BLACK))
        start += size
    _draw_elements(axes, elements)

    noise = int(np.sum(elements == NOISE))
    if clusters:
        count = f"{len(clusters)} cluster{'s' if len(clusters) > 1 else ''}"
        axes.set_title(f"(c) sorted: {count}, noise {noise}")
    else:
        axes.set_title(f"(c) no cluster, noise {noise}")
    axes.set_xlabel("output $j$, sorted by cluster")
    axes.set_ylabel("input label $i$, sorted")
    if n_labels <= NAMED_LABELS:
        names = [named[label] for label in order]
        axes.set_xticks(range(n_labels), names, rotation=90 if upright else 0, parse_math=False)
        axes.set_yticks(range(n_labels), names, parse_math=False)
    else:
        axes.set_xticks([])
        axes.set_yticks([])


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
