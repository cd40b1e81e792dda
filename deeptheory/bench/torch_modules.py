"""Modules that PyTorch lacks. The engine is not imported, so that the process of PyTorch need not load it."""

import torch
from torch import nn as tn
from torch.nn import functional


class GlobalAveragePool(tn.Module):
    """Mean over all positions, (N, C, H, W) -> (N, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class SqueezeExcitation(tn.Module):
    """Channels times factors that two linear layers compute from the means of all channels."""

    def __init__(self, n_channels: int, n_hidden: int, hard: bool = False) -> None:
        super().__init__()
        self.hard = hard
        self.reduce_weight = tn.Parameter(torch.empty(n_hidden, n_channels))
        self.reduce_bias = tn.Parameter(torch.empty(n_hidden))
        self.expand_weight = tn.Parameter(torch.empty(n_channels, n_hidden))
        self.expand_bias = tn.Parameter(torch.empty(n_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside, outside = (
            (functional.relu, functional.hardsigmoid) if self.hard else (functional.silu, torch.sigmoid)
        )
        hidden = inside(functional.linear(x.mean((2, 3)), self.reduce_weight, self.reduce_bias))
        gate = outside(functional.linear(hidden, self.expand_weight, self.expand_bias))
        return x * gate[:, :, None, None]


class LayerNorm(tn.LayerNorm):
    """Normalises over the channels: axis 1 of images (N, C, H, W), otherwise the last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 4:
            return super().forward(x)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerScale(tn.Module):
    """Channels (axis 1 of images, otherwise the last) times one weight each."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(n_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (self.weight[:, None, None] if x.ndim == 4 else self.weight)


class Tokens(tn.Module):
    """Positions of images (N, C, H, W) as tokens (N, T, C), the form that PyTorch computes transformers in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)


class TokenLinear(tn.Module):
    """A linear layer on each token, its weight that of a convolution (O, C, 1, d): C*d numbers of a token."""

    def __init__(self, shape: tuple[int, ...], bias: bool) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(shape))
        self.bias = tn.Parameter(torch.empty(shape[0])) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight.flatten(1), self.bias)


class SelfAttention(tn.Module):
    """Heads side by side, (N, T, C) -> (N, T, heads*d); the weight is (heads, C, 3, d), `kept` (N, T) of words."""

    def __init__(self, shape: tuple[int, ...], bias: bool) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(shape))
        self.bias = tn.Parameter(torch.empty(shape[0] * 3 * shape[3])) if bias else None

    def forward(self, x: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        heads, channels, _, depth = self.weight.shape
        matrix = self.weight.permute(2, 0, 3, 1).reshape(-1, channels)
        bias = self.bias
        if bias is not None:
            bias = bias.reshape(heads, 3, depth).transpose(0, 1).flatten()
        qkv = functional.linear(x, matrix, bias).reshape(*x.shape[:2], 3, heads, depth)
        mask = None if kept is None else kept[:, None, None]
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return mixed.transpose(1, 2).flatten(2)


class Positions(tn.Module):
    """A vector for every position added to the tokens."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight[: x.shape[1]]


class SinePositions(tn.Module):
    """The same with sines and cosines of the position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens, channels = x.shape[1:]
        angles = torch.arange(tokens)[:, None] / 10000 ** (torch.arange(0, channels, 2) / channels)
        table = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :channels]
        return x + table.to(x.dtype)


class ClassToken(tn.Module):
    """A token before all others."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(n_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.weight.expand(len(x), 1, -1), x], 1)


class FirstToken(tn.Module):
    """The first token alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0]


class SequencePool(tn.Module):
    """Mean over tokens by the softmax of w x_t; `kept` (N, T) is false at padding."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = tn.Parameter(torch.empty(n_channels))

    def forward(self, x: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        scores = x @ self.weight
        if kept is not None:
            scores = scores.masked_fill(~kept, -torch.inf)
        return (scores.softmax(1)[:, None] @ x)[:, 0]


class Embedding(tn.Embedding):
    """A vector for every word, ids (N, 1, T, 1) -> (N, T, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flatten(1).long())


class PaddingMask(tn.Module):
    """Which ids (N, 1, T, 1) are words: (N, T)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) != 0


class Standardise(tn.Module):
    """(x - mean)/deviation with one number of each for every channel."""

    def __init__(self, mean: list[float], deviation: list[float]) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, deviation = (x.new_tensor(numbers)[:, None, None] for numbers in (self.mean, self.deviation))
        return (x - mean) / deviation


class StochasticDepth(tn.Module):
    """Inputs of the batch set to zero with a probability, in training; the draws are PyTorch's own."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = 1 - self.probability
        return x * x.new_empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(kept).div_(kept)


class Subsample(tn.Module):
    """Every `stride`-th position, with channels of zeros added behind."""

    def __init__(self, n_out: int, stride: int) -> None:
        super().__init__()
        self.n_out, self.stride = n_out, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, (0, 0, 0, 0, 0, self.n_out - x.shape[1]))
