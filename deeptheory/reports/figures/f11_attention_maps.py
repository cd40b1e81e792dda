"""Which tokens the heads of a block look at, on average over all inputs and label by label."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from deeptheory import data, measure, nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_attention_maps
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths

LABELS = 5  # that are shown, evenly spread over their numbers


def _draw(runs: Sequence[Run], stage: str | None = None, filter_index: int | None = None) -> Figure:
    run = runs[0]
    network = trained_network(run)
    names = [of.name for of in network.stages if "attention" in of.layers]
    if not names:
        found = f"{run.config.network.name} in {run.directory}"
        raise InputError("figure attention-maps", "a network with heads of attention", found)
    stage = stage or names[-1]
    if stage not in names:
        raise unknown_name("stage", stage, names)
    n_heads = network.output_shape(stage)[-1]
    if filter_index is not None and filter_index >= n_heads:
        raise InputError("--filter", f"0 to {n_heads - 1} in {stage}", str(filter_index))
    images, labels = data.select(run.dataset, stored_splits(run), run.config.measure.split)
    maps = measure.attention_maps(network, images, labels, stage, quiet=run.quiet)
    heads = range(n_heads) if filter_index is None else [filter_index]
    height, width = _grid(network, stage)
    # The mean over tokens that ask; a class token, which comes first, is asked for but lies nowhere.
    read = maps[:, list(heads)].mean(axis=2)[..., -height * width :].reshape(len(maps), -1, height, width)
    shown = np.linspace(0, network.n_labels - 1, min(LABELS, network.n_labels)).round().astype(int)
    label_names = run.read_names(paths.join("train", paths.LABEL_NAMES))
    inputs = {label_names[label]: np.mean(images[labels == label], axis=0) for label in shown.tolist()}
    return draw_attention_maps(
        read.mean(axis=0), read[shown], inputs, list(heads), f"{stage}, seed {run.config.seed}"
    )


def _grid(network: nn.Network, stage: str) -> tuple[int, int]:
    """Height and width of the positions that the tokens stand for; of a sequence one row."""
    for node in network.nodes:
        if isinstance(node.layer, nn.Tokens):
            height, width, _ = network.output_shape(node.inputs[0])
            return height, width
    return 1, network.output_shape(stage)[0]


FIGURE = RunFigure(
    "attention-maps",
    step="train",
    study="transformers",
    draw=_draw,
    caption="Mean attention of the heads of a block: over all inputs, and by label what it is more or less.",
    of_one_filter=True,
)
