"""Which tokens the heads of attention look at, label by label."""

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.measure.labels import label_counts
from deeptheory.measure.streaming import Images, StageObserver, visit


def attention_maps(
    network: nn.Network,
    images: Images,
    labels: NDArray[np.integer],
    stage: str,
    title: str = "attention maps",
    quiet: bool = False,
) -> NDArray[np.float64]:
    r"""Mean weights of attention of every head for the inputs of each label, in one streamed pass.

    .. math:: \langle \mathrm{softmax}_j (q_t \cdot k_j / \sqrt d) \rangle_i

    Source: Vaswani et al., "Attention is all you need" (2017). A weight says what a head reads, NOT what it
    serves: that is in its field matrix.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
    labels : int array (N,)
        Every label from 0 to K - 1 has an input; K is the number of labels of the network.
    stage : str
        A stage whose filters are heads, "heads1".

    Returns
    -------
    float64 array (K, heads, T, T)
        By label and head a row for every token t that asks, with the shares of the tokens j; rows sum to 1.

    Raises
    ------
    InputError
        The stage does not exist or has no heads, or a label is out of range or has no input.
    """
    attention = network.stage(stage).layers.get("attention")
    if not isinstance(attention, nn.SelfAttention):
        able = [of.name for of in network.stages if "attention" in of.layers]
        raise InputError(
            "stage", f"one with heads: {', '.join(able) or 'this network has none'}", f"'{stage}'"
        )
    counts = label_counts(labels, network.n_labels, len(images))
    read, *masks = next(node.inputs for node in network.nodes if node.layer is attention)
    tokens, _, heads = network.output_shape(stage)
    sums, kept = np.zeros((len(counts), heads, tokens, tokens)), list[NDArray[np.float32]]()

    def keep(outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        kept[:] = [outputs.copy()]

    def add(outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        np.add.at(sums, labels[rows], attention.maps(outputs[:, :, None], *kept))

    observers: dict[str, StageObserver] = dict.fromkeys(masks, keep)
    visit(network, images, np.arange(len(images)), observers | {read: add}, title, quiet)
    return sums / counts[:, None, None, None]
