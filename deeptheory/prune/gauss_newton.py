"""Diagonal of the Gauss-Newton matrix of the loss, by one random direction of the outputs per input."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn
from deeptheory.data import augmentation
from deeptheory.data.dataset import Images
from deeptheory.measure.patches import order_of_weights, unfold

BLOCK = 2**20  # numbers in the gradients of single inputs that are in memory at a time


def gauss_newton_diagonal(
    network: nn.Network, images: Images, layers: Sequence[str], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    r"""Curvature of the mean cross-entropy along every weight, without the curvature of the fields.

    .. math:: h_w = \Big\langle \sum_{jk} \frac{\partial H_j}{\partial w} A_{jk} \frac{\partial H_k}{\partial w}
              \Big\rangle, \qquad A_{jk} = p_j \delta_{jk} - p_j p_k

    with fields H and p their softmax: for the cross-entropy the Gauss-Newton matrix equals the Fisher matrix, and
    labels do not enter. Every input adds the square of the gradient of v . H for one random v with
    :math:`\langle v v^T \rangle = A`,

    .. math:: v_k = \sqrt{p_k} \Big( \xi_k - \sqrt{p_k} \sum_j \sqrt{p_j} \xi_j \Big), \qquad \xi_k = \pm 1

    Status: unbiased; the gradients of single inputs are exact. A label drawn from p (v = p - e) would be unbiased
    as well, but for a confidently classified input nearly all draws would give zero. Source: Martens,
    Sutskever, Swersky, "Estimating the Hessian by back-propagating curvature" (2012).

    Parameters
    ----------
    network : Network
        Batch norms use their running statistics.
    images : uint8 array (N, H, W, C)
    layers : sequence of str
        Names of convolutions without groups or linear layers, "stage3.conv".
    rng : numpy.random.Generator
        Of the signs.

    Returns
    -------
    dict of float64 array
        By layer, of the shape of its weight. It is NOT the diagonal of the Hessian, which adds the curvature of
        the fields times the remaining error.

    Raises
    ------
    InputError
        A layer does not exist or does not mix channels.
    """
    mixing = {name: measure.mixing_layer(network, name) for name in layers}
    sources = {node.name: node.inputs[0] for node in network.nodes if node.name in mixing}
    squares = {name: np.zeros(_flat(layer)) for name, layer in mixing.items()}
    per_pass = network.inputs_per_pass
    for start in range(0, len(images), per_pass):
        logits, read = network.forward(
            augmentation.scale(images[start : start + per_pass]), taps=sources.values()
        )
        gradients = network.backward(random_directions(logits, rng), taps=list(mixing))
        for name, layer in mixing.items():
            n, width = len(logits), squares[name].shape[1]
            patches = unfold(read[sources[name]], layer).reshape(n, -1, width)
            squares[name] += _sum_of_squares(gradients[name].reshape(n, patches.shape[1], -1), patches)
    return {
        name: (squares[name] / len(images))[:, order_of_weights(weight.shape)].reshape(weight.shape)
        for name, weight in ((name, layer.parameters["weight"]) for name, layer in mixing.items())
    }


def random_directions(logits: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Directions v (N, K) with <v v^T> = diag(p) - p p^T, p the softmax of the logits (N, K)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    roots = np.sqrt(shares / shares.sum(axis=1, keepdims=True))
    signs = rng.choice(np.array([-1, 1], logits.dtype), logits.shape)
    directions: NDArray[np.floating] = roots * (signs - roots * np.sum(roots * signs, axis=1, keepdims=True))
    return directions


def _flat(layer: nn.Conv2d | nn.Linear) -> tuple[int, int]:
    weight = layer.parameters["weight"]
    return len(weight), weight[0].size


def _sum_of_squares(gradients: NDArray[np.floating], patches: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared gradients (B, D) summed over inputs, from those of the outputs (N, P, B) and patches (N, P, D)."""
    n, _, width = patches.shape
    n_filters = gradients.shape[2]
    total, step = np.zeros((n_filters, width)), max(1, BLOCK // (n_filters * width))
    for start in range(0, n, step):
        part = slice(start, start + step)
        single = np.matmul(gradients[part].transpose(0, 2, 1), patches[part])
        total += np.einsum("nbd,nbd->bd", single, single)
    return total
