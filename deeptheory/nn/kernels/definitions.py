"""What the kernels compute, written out in NumPy: their definitions, and what the tests compare them with.

Short instead of fast, for any floating dtype, every result a new array. Activations are (N, H, W, C). A gradient
called `dx` is that of the loss with respect to `x`.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

IDENTITY, RELU, SILU, GELU, TANH_GELU = "identity", "relu", "silu", "gelu", "tanh-gelu"
RELU6, HARD_SWISH = "relu6", "hard-swish"


def convolution(x: Array, weight: Array, stride: int = 1, padding: int = 0, groups: int = 1) -> Array:
    """out[n, y, z, o] = sum_cij weight[o, c, i, j] x[n, stride*y + i - padding, stride*z + j - padding, c].

    Outside the image x is zero. The cross-correlation of Dumoulin & Visin, "A guide to convolution arithmetic".

    Parameters
    ----------
    x : array (N, H, W, C)
    weight : array (O, C/groups, kh, kw)
    stride, padding : int
    groups : int
        Group g of the outputs reads group g of the inputs only; as many as channels: depthwise.

    Returns
    -------
    array (N, OH, OW, O)
        OH = (H + 2*padding - kh)//stride + 1, OW likewise.
    """
    dense, padded = _dense(weight, groups), _padded(x, padding)
    height, width = ((s - k) // stride + 1 for s, k in zip(padded.shape[1:3], weight.shape[2:], strict=True))
    out = np.zeros((len(x), height, width, len(weight)), x.dtype)
    for i, j, seen in _taps(weight.shape[2:], out.shape[1:3], stride):
        out += padded[seen] @ dense[:, :, i, j].T
    return out


def sparse_convolution(
    x: Array, starts: Array, inputs: Array, values: Array, stride: int = 1, padding: int = 0
) -> Array:
    """out[.., o] = sum over the kernels i of output o of `convolution` of x[.., inputs[i]] by values[i].

    Those of output o are starts[o] .. starts[o+1] - 1.

    Parameters
    ----------
    x : array (N, H, W, C)
    starts : int array (O + 1,)
    inputs : int array (n_kept,)
    values : array (n_kept, kh, kw)
        The kernels that are there.
    stride, padding : int
    """
    outputs = []
    for first, last in pairwise(starts):
        kept = x[..., inputs[first:last]]
        outputs.append(convolution(kept, values[None, first:last], stride, padding))
    return np.concatenate(outputs, axis=-1)


def convolution_data_gradient(
    dout: Array, weight: Array, shape: tuple[int, ...], stride: int = 1, padding: int = 0, groups: int = 1
) -> Array:
    """`dx` of `convolution` for inputs of `shape`: every output hands its gradient back through its taps."""
    dense, (n, height, width, channels) = _dense(weight, groups), shape
    dpadded = np.zeros((n, height + 2 * padding, width + 2 * padding, channels), dout.dtype)
    for i, j, seen in _taps(weight.shape[2:], dout.shape[1:3], stride):
        dpadded[seen] += dout @ dense[:, :, i, j]
    return dpadded[:, padding : padding + height, padding : padding + width]


def convolution_weight_gradient(
    x: Array, dout: Array, shape: tuple[int, ...], stride: int = 1, padding: int = 0, groups: int = 1
) -> Array:
    """`dweight` of `convolution` for weights of `shape`: sum_nyz dout[n, y, z, o] x[what (c, i, j) met there]."""
    padded = _padded(x, padding)
    dense = np.zeros((shape[0], x.shape[-1], *shape[2:]), dout.dtype)
    for i, j, seen in _taps(shape[2:], dout.shape[1:3], stride):
        dense[:, :, i, j] = np.tensordot(dout, padded[seen], axes=((0, 1, 2), (0, 1, 2)))
    return np.concatenate([dense[block] for block in _blocks(shape, groups)])


def _blocks(shape: tuple[int, ...], groups: int) -> Iterator[tuple[slice, slice]]:
    """Outputs and inputs of each group, for weights of `shape` (O, C/groups, kh, kw)."""
    n_out, n_in = shape[0] // groups, shape[1]
    for g in range(groups):
        yield slice(g * n_out, (g + 1) * n_out), slice(g * n_in, (g + 1) * n_in)


def _dense(weight: Array, groups: int) -> Array:
    """The weights (O, C, kh, kw) of a convolution in one group, zero between the groups."""
    dense = np.zeros((len(weight), groups * weight.shape[1], *weight.shape[2:]), weight.dtype)
    for outputs, inputs in _blocks(weight.shape, groups):
        dense[outputs, inputs] = weight[outputs]
    return dense


def _padded(x: Array, padding: int, value: float = 0) -> Array:
    border = padding, padding
    return np.pad(x, ((0, 0), border, border, (0, 0)), constant_values=value)


def _taps(
    kernel: tuple[int, ...], out: tuple[int, ...], stride: int
) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
    """Row and column of each tap of a kernel, and where the outputs meet it in the padded input."""
    for i, j in np.ndindex(*kernel):
        rows, columns = (slice(k, k + stride * n, stride) for k, n in zip((i, j), out, strict=True))
        yield i, j, (slice(None), rows, columns)


def activation(z: Array, name: str) -> Array:
    """z, max(z, 0), z*sigmoid(z) (Elfwing et al., "Sigmoid-weighted linear units"), or z*Phi(z), exact or by tanh.

    Phi is the distribution function of the normal distribution (Hendrycks & Gimpel, "Gaussian error linear
    units"). The cheap ones of small networks are min(max(z, 0), 6) and z*min(max(z + 3, 0), 6)/6 (Howard et al.,
    "Searching for MobileNetV3"). NaN stays NaN.
    """
    rules: dict[str, Callable[[Array], Array]] = {
        IDENTITY: lambda z: z,
        RELU: lambda z: np.where(z < 0, 0, z),
        SILU: lambda z: z * sigmoid(z),
        GELU: lambda z: z * normal_distribution(z),
        TANH_GELU: lambda z: z * (1 + _tanh_of_gelu(z)) / 2,
        RELU6: lambda z: np.clip(z, 0, 6),
        HARD_SWISH: lambda z: z * hard_sigmoid(z),
    }
    return rules[name](z)


def activation_slope(z: Array, name: str) -> Array:
    """The derivative of `activation`; that of ReLU is 0 at 0."""
    rules: dict[str, Callable[[Array], Array]] = {
        IDENTITY: np.ones_like,
        RELU: lambda z: np.where(z > 0, np.ones_like(z), 0),
        SILU: lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
        GELU: lambda z: normal_distribution(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
        TANH_GELU: lambda z: (
            (1 + _tanh_of_gelu(z)) / 2
            + z * (1 - _tanh_of_gelu(z) ** 2) / 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
        ),
        RELU6: lambda z: np.where((z > 0) & (z < 6), np.ones_like(z), 0),
        HARD_SWISH: lambda z: hard_sigmoid(z) + z * np.where(np.abs(z) < 3, np.ones_like(z), 0) / 6,
    }
    return rules[name](z)


def normal_distribution(z: Array) -> Array:
    """Phi(z) = (1 + erf(z/sqrt(2)))/2."""
    return (1 + np.vectorize(math.erf, otypes=[z.dtype])(z / math.sqrt(2))) / 2


def _tanh_of_gelu(z: Array) -> Array:
    return np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))


def hard_sigmoid(z: Array) -> Array:
    """min(max(z + 3, 0), 6)/6."""
    return np.clip(z + 3, 0, 6) / 6


def sigmoid(z: Array) -> Array:
    """1/(1 + exp(-z)), 0 where exp(-z) is too large for the dtype."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))


def channel_sums(a: Array, b: Array) -> Array:
    """Sums of a and of a*b for each channel: (2, C)."""
    return np.stack([a.sum(axis=(0, 1, 2)), (a * b).sum(axis=(0, 1, 2))])


def batch_norm(x: Array, weight: Array, bias: Array, epsilon: float = 1e-5) -> tuple[Array, Array]:
    """`slope` and `shift` with slope*x + shift = weight*(x - mean)/sqrt(variance + epsilon) + bias, in training.

    Mean and variance are those of each channel over inputs and positions. (Ioffe & Szegedy, "Batch
    normalization".)
    """
    slope = weight / np.sqrt(x.var(axis=(0, 1, 2)) + epsilon)
    return slope, bias - slope * x.mean(axis=(0, 1, 2))


def batch_norm_gradient(
    x: Array, dz: Array, weight: Array, epsilon: float = 1e-5
) -> tuple[Array, Array, Array]:
    """`dx`, `dweight` and `dbias`, given the gradient dz of z = slope*x + shift with the slope of `batch_norm`.

    dx = slope*(dz - <dz> - xhat*<dz*xhat>), means over inputs and positions, xhat the normalised x.
    """
    deviation = np.sqrt(x.var(axis=(0, 1, 2)) + epsilon)
    normalised = (x - x.mean(axis=(0, 1, 2))) / deviation
    dbias, dweight = channel_sums(dz, normalised)
    n = x.size // x.shape[-1]
    return weight / deviation * (dz - dbias / n - normalised * dweight / n), dweight, dbias


def layer_norm(x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
    """weight*(x - mean)/sqrt(variance + epsilon) + bias, mean and variance over the last axis.

    (Ba, Kiros & Hinton, "Layer normalization".)
    """
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return weight * (x - mean) / np.sqrt(variance + epsilon) + bias


def layer_norm_gradient(x: Array, dout: Array, weight: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """`dx`, `dweight` and `dbias` of `layer_norm`.

    dx = (g - <g> - xhat*<g*xhat>)/sqrt(variance + epsilon) with g = weight*dout, means over the last axis.
    """
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    normalised, g = (x - x.mean(axis=-1, keepdims=True)) / deviation, weight * dout
    dx = g - g.mean(axis=-1, keepdims=True) - normalised * (g * normalised).mean(axis=-1, keepdims=True)
    axes = tuple(range(x.ndim - 1))
    return dx / deviation, (dout * normalised).sum(axis=axes), dout.sum(axis=axes)


def norm_activation_pool(x: Array, slope: Array, shift: Array, name: str, size: int) -> Array:
    """The largest a(slope*x + shift) of each `size` x `size` window, a the activation called `name`."""
    return max_pool(activation(slope * x + shift, name), size, size)[0]


def normalised_gradient(x: Array, dout: Array, slope: Array, shift: Array, name: str, size: int) -> Array:
    """The gradient dz of z = slope*x + shift, for the gradient `dout` of `norm_activation_pool`.

    A window's gradient goes to its winner, as in `max_pool`. For a given slope and shift, dx = slope*dz, and
    `channel_sums(dz, x)` are the gradients of shift and slope.
    """
    z = slope * x + shift
    winner = max_pool(activation(z, name), size, size)[1]
    return max_pool_gradient(dout, winner, size, size, x.shape) * activation_slope(z, name)


def max_pool(x: Array, size: int, stride: int, padding: int = 0) -> tuple[Array, Array]:
    """Largest element of each window and its place in it, row by row; the first of equals, the first NaN always.

    Beyond the image, where windows reach with `padding`, x is minus infinity.

    Returns
    -------
    out, winner : array (N, OH, OW, C)
        OH = (H + 2*padding - size)//stride + 1: a window that does not fit is left out.
    """
    windows = _windows(_padded(x, padding, -np.inf), size, stride)
    winner = windows.argmax(axis=-1)
    return np.take_along_axis(windows, winner[..., None], axis=-1)[..., 0], winner


def max_pool_gradient(
    dout: Array, winner: Array, size: int, stride: int, shape: tuple[int, ...], padding: int = 0
) -> Array:
    """`dx` of `max_pool` for inputs of `shape`: each window's gradient goes to its winner."""
    dpadded = _padded(np.zeros(shape, dout.dtype), padding)
    for i, j, seen in _taps((size, size), dout.shape[1:3], stride):
        dpadded[seen] += np.where(winner == i * size + j, dout, 0)
    return dpadded[:, padding : padding + shape[1], padding : padding + shape[2]]


def average_pool(x: Array, size: int, stride: int) -> Array:
    """Mean of each window."""
    return _windows(x, size, stride).mean(axis=-1)


def average_pool_gradient(dout: Array, size: int, stride: int, shape: tuple[int, ...]) -> Array:
    """`dx` of `average_pool` for inputs of `shape`: each window's gradient in equal shares."""
    dx = np.zeros(shape, dout.dtype)
    for _, _, seen in _taps((size, size), dout.shape[1:3], stride):
        dx[seen] += dout / size**2
    return dx


def _windows(x: Array, size: int, stride: int) -> Array:
    """(N, OH, OW, C, size*size)."""
    every = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    kept = every[:, ::stride, ::stride]
    return kept.reshape(*kept.shape[:-2], size * size)


def global_average_pool(x: Array) -> Array:
    """Mean over positions: (N, C)."""
    return x.mean(axis=(1, 2))


def global_average_pool_gradient(dout: Array, shape: tuple[int, ...]) -> Array:
    """`dx` of `global_average_pool` for inputs of `shape`."""
    return np.broadcast_to(dout[:, None, None] / (shape[1] * shape[2]), shape)


def squeeze_gate(x: Array, gate: Array) -> Array:
    """out[n, y, z, c] = gate[n, c] x[n, y, z, c] (Hu et al., "Squeeze-and-excitation networks")."""
    return gate[:, None, None] * x


def squeeze_gate_gradient(x: Array, gate: Array, dout: Array) -> tuple[Array, Array]:
    """`dx` of `squeeze_gate` for a given gate, and `dgate`; what the gate adds through x comes on top of it."""
    return squeeze_gate(dout, gate), (dout * x).sum(axis=(1, 2))


def attention_weights(qkv: Array, kept: Array, scale: float) -> Array:
    """softmax_j(scale q_t k_j) over the tokens j that are kept: (N, heads, T, T).

    `qkv` is (N, T, heads, 3, d), `kept` (N, T). (Vaswani et al., "Attention is all you need".)
    """
    queries, keys = (qkv[..., part, :].transpose(0, 2, 1, 3) for part in (0, 1))
    scores = np.where(kept[:, None, None] != 0, scale * queries @ keys.swapaxes(2, 3), -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights: Array = powers / powers.sum(axis=-1, keepdims=True)
    return weights


def attention(qkv: Array, weights: Array) -> Array:
    """out[n, t, e, h] = sum_j weights[n, h, t, j] v[n, j, h, e]: the heads last."""
    out: Array = (weights @ qkv[..., 2, :].transpose(0, 2, 1, 3)).transpose(0, 2, 3, 1)
    return out


def attention_gradient(qkv: Array, weights: Array, scale: float, dout: Array) -> Array:
    """The gradient of `qkv`, given that of `attention` with the weights of `attention_weights`."""
    q, k, v = (qkv[..., part, :].transpose(0, 2, 1, 3) for part in range(3))
    dmixed = dout.transpose(0, 3, 1, 2)
    dweights = dmixed @ v.swapaxes(2, 3)
    dscores = scale * weights * (dweights - (weights * dweights).sum(axis=-1, keepdims=True))
    parts = dscores @ k, dscores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ dmixed
    return np.stack([part.transpose(0, 2, 1, 3) for part in parts], axis=3)


def token_pool(x: Array, kept: Array, weight: Array) -> tuple[Array, Array]:
    """sum_t p_t x_t of the tokens that are kept, p = softmax_t(weight x_t), and p (N, T); x is (N, T, C).

    (Hassani et al., "Escaping the big data paradigm with compact transformers".)
    """
    scores = np.where(kept != 0, x @ weight, -np.inf)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return (shares[:, None] @ x)[:, 0], shares


def token_pool_gradient(x: Array, shares: Array, weight: Array, dout: Array) -> tuple[Array, Array]:
    """`dx` and `dweight` of `token_pool`."""
    dshares = (x @ dout[..., None])[..., 0]
    dscores = shares * (dshares - (shares * dshares).sum(axis=1, keepdims=True))
    dx = shares[..., None] * dout[:, None] + dscores[..., None] * weight
    return dx, dscores.reshape(-1) @ x.reshape(-1, x.shape[-1])


def sine_positions(n_tokens: int, n_channels: int) -> Array:
    """p[t, 2i] = sin(t/10000^(2i/C)), p[t, 2i+1] the cosine (Vaswani et al., "Attention is all you need")."""
    angles = np.arange(n_tokens)[:, None] / 10000 ** (np.arange(0, n_channels, 2) / n_channels)
    positions: Array = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(n_tokens, -1)
    return positions[:, :n_channels]


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Mean over the batch of -log softmax(logits)[label], and `dlogits` = (softmax(logits) - one_hot)/N."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = powers / powers.sum(axis=1, keepdims=True)
    one_hot = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return float(-np.log((chances * one_hot).sum(axis=1)).mean()), (chances - one_hot) / len(logits)


def nesterov(
    weight: Array, gradient: Array, velocity: Array, rate: float, momentum: float, l2: float
) -> tuple[Array, Array]:
    """Weight and velocity after a step of gradient descent with Nesterov momentum and L2.

    g = gradient + l2*weight;  v = momentum*velocity + g;  weight - rate*(g + momentum*v). (Sutskever et al.,
    "On the importance of initialization and momentum in deep learning".)
    """
    g = gradient + l2 * weight
    v = momentum * velocity + g
    return weight - rate * (g + momentum * v), v


def adam(
    weight: Array,
    gradient: Array,
    velocity: Array,
    mean_square: Array,
    t: int,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
    l2: float = 0.0,
    decay: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Weight, velocity and mean square after the step number t, from 1, of Adam, or of AdamW with `decay`.

    g = gradient + l2*weight;  m = beta1*velocity + (1 - beta1)*g;  v = beta2*mean_square + (1 - beta2)*g**2;
    (1 - rate*decay)*weight - rate*m/(1 - beta1**t)/(sqrt(v/(1 - beta2**t)) + epsilon). (Kingma & Ba, "Adam: a
    method for stochastic optimization"; Loshchilov & Hutter, "Decoupled weight decay regularization".)
    """
    g = gradient + l2 * weight
    m = betas[0] * velocity + (1 - betas[0]) * g
    v = betas[1] * mean_square + (1 - betas[1]) * g**2
    step = m / (1 - betas[0] ** t) / (np.sqrt(v / (1 - betas[1] ** t)) + epsilon)
    return (1 - rate * decay) * weight - rate * step, m, v
