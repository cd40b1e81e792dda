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
