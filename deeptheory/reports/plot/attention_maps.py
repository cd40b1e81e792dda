"""Figure: the mean attention of the heads of a block to the positions of the input, label by label."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from deeptheory.errors import InputError
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import SINGLE_COLUMN, styled

INCHES = 0.72  # of a map
SEQUENCE = 1.1, 0.32  # width and height of the map of a sequence, which is one row


@styled
def draw_attention_maps(
    over_all: ArrayLike, by_label: ArrayLike, inputs: Mapping[str, ArrayLike], heads: Sequence[int], name: str
) -> Figure:
    """Draw maps over the positions of the tokens, a row for each label and a column for each head.

    Above, the mean over all labels, in units of 1/T, what attention without a preference gives to each of the T
    positions. Below, by label, the difference from that mean in the same units: all maps of differences have one
    scale, centred at zero. The first column is the mean input of the label; of words in a sequence there is none.

    Parameters
    ----------
    over_all : array of shape (heads, h, w)
        Mean attention to every position.
    by_label : array of shape (labels, heads, h, w)
        The same for the inputs of each label that is shown.
    inputs : mapping of str to array
        Names of these labels, and their mean images (H, W, 1 or 3), or anything else, which is not drawn.
    heads : sequence of int
        Numbers of the heads.
    name : str
        Which block it is.

    Raises
    ------
    InputError
        The shapes disagree.

    Notes
    -----
    What a head reads is not what it serves, and means over inputs hide what depends on each of them.
    """
    mean, maps = np.asarray(over_all, np.float64), np.asarray(by_label, np.float64)
    if maps.shape != (len(inputs), *mean.shape) or len(heads) != len(mean) or mean.ndim != 3:
        expected = f"shapes (heads, h, w) and (labels, heads, h, w) of {len(inputs)} labels"
        raise InputError("attention maps", expected, f"{mean.shape} and {maps.shape}")
    n_positions = mean[0].size
    mean, differences = n_positions * mean, n_positions * (maps - mean)
    rows, columns = 1 + len(maps), 1 + len(mean)
    sequence = mean.shape[1] == 1
    width, height = SEQUENCE if sequence else (INCHES, INCHES)
    aspect = "auto" if sequence else "equal"
    figure = Figure(figsize=(max(SINGLE_COLUMN, 0.9 + width * columns), 0.8 + height * rows))
    of_inputs = 0.02 if sequence else 1.0  # a column without pictures holds the names of the rows alone
    panels = figure.subplots(rows, columns, squeeze=False, width_ratios=[of_inputs, *[1.0] * len(mean)])
    for axes in panels.ravel():
        axes.set(xticks=[], yticks=[])
    limit = np.abs(differences).max() or 1.0
    for column, head in enumerate(heads, 1):
        panels[0, column].set_title(f"head {head}")
        above = panels[0, column].imshow(
            mean[column - 1], vmin=0, vmax=mean.max(), cmap="Greys", aspect=aspect
        )
        for row in range(1, rows):
            below = panels[row, column].imshow(
                differences[row - 1, column - 1], vmin=-limit, vmax=limit, aspect=aspect
            )
    panels[0, 0].set_axis_off()
    where = {"ha": "right", "va": "center", "transform": panels[0, 0].transAxes}
    panels[0, 0].text(1, 0.5, f"{name}\nall labels", **where)
    for axes, (label, image) in zip(panels[1:, 0], inputs.items(), strict=True):
        axes.set_ylabel(label, rotation=0, ha="right", va="center")
        _draw_input(axes, np.asarray(image, np.float64))
    if sequence:
        for axes in panels[-1, 1:]:
            axes.set_xlabel(f"words 1 to {n_positions}")
    _bar(figure, above, panels[:1, -1], "$T$ ×\nweight")
    _bar(figure, below, panels[1:, -1], "$T$ × (weight −\nits mean over labels)")
    return figure


def _draw_input(axes: Axes, image: np.ndarray) -> None:
    if image.ndim == 3 and image.shape[1] > 1 and image.shape[2] in (1, 3):
        axes.imshow(image[..., 0] if image.shape[2] == 1 else image / 255, cmap="Greys_r")
    else:
        axes.set_frame_on(False)


def _bar(figure: Figure, image: AxesImage, panels: np.ndarray, label: str) -> None:
    figure.colorbar(image, ax=panels.tolist(), fraction=0.1, aspect=6 * len(panels), label=label)
