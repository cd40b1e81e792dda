"""Forward and gradients of the residual networks against PyTorch, in float64 and in training mode."""

import math

import numpy as np
import pytest

from deeptheory import nn

torch = pytest.importorskip("torch")
F = torch.nn.functional


def conv(n_in, n_out, size, stride=1, groups=1):
    return torch.nn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False)


class BasicBlock(torch.nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.first, self.first_norm = conv(n_in, n_out, 3, stride), torch.nn.BatchNorm2d(n_out)
        self.second, self.second_norm = conv(n_out, n_out, 3), torch.nn.BatchNorm2d(n_out)
        self.stride, self.added = stride, n_out - n_in

    def forward(self, x):
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added)))


class Projected(torch.nn.Module):
    """A basic block whose shortcut is a convolution, which is computed between the two of the branch."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.first, self.first_norm = conv(n_in, n_out, 3, stride), torch.nn.BatchNorm2d(n_out)
        if stride > 1:
            self.shortcut, self.norm = conv(n_in, n_out, 1, stride), torch.nn.BatchNorm2d(n_out)
        self.second, self.second_norm = conv(n_out, n_out, 3), torch.nn.BatchNorm2d(n_out)
        self.stride = stride

    def forward(self, x):
        y = self.second_norm(self.second(F.relu(self.first_norm(self.first(x)))))
        return F.relu(y + (self.norm(self.shortcut(x)) if self.stride > 1 else x))


class Squeeze(torch.nn.Module):
    def __init__(self, n, n_hidden):
        super().__init__()
        self.reduce, self.expand = torch.nn.Conv2d(n, n_hidden, 1), torch.nn.Conv2d(n_hidden, n, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True)))))


class MBConv(torch.nn.Module):
    def __init__(self, n_in, n_out, expansion, stride, size):
        super().__init__()
        n = n_in * expansion
        expand = [conv(n_in, n, 1), torch.nn.BatchNorm2d(n), torch.nn.SiLU()] if expansion > 1 else []
        depthwise = [conv(n, n, size, stride, groups=n), torch.nn.BatchNorm2d(n), torch.nn.SiLU()]
        project = [conv(n, n_out, 1), torch.nn.BatchNorm2d(n_out)]
        self.branch = torch.nn.Sequential(*expand, *depthwise, Squeeze(n, max(1, n_in // 4)), *project)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.branch(x) if self.residual else self.branch(x)


def resnet20(n_labels):
    stem = [conv(3, 16, 3), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    blocks = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
    return torch.nn.Sequential(*stem, *(BasicBlock(*block) for block in blocks), *ending(64, n_labels))


def resnet18(n_labels, n):
    stem = [conv(3, n, 3), torch.nn.BatchNorm2d(n), torch.nn.ReLU()]
    blocks = [(n, n, 1)] * 2
    for group in (1, 2, 3):
        blocks += [(n * 2 ** (group - 1), n * 2**group, 2), (n * 2**group, n * 2**group, 1)]
    return torch.nn.Sequential(*stem, *(Projected(*block) for block in blocks), *ending(8 * n, n_labels))


def efficientnet_b0(n_labels, width, depth, stem_stride):
    def scaled(n):
        return max(8, int(n * width + 4) // 8 * 8)

    n = scaled(32)
    layers = [conv(3, n, 3, stem_stride), torch.nn.BatchNorm2d(n), torch.nn.SiLU()]
    for expansion, channels, repeats, stride, size in (
        (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
    ):  # fmt: skip
        for repeat in range(math.ceil(repeats * depth)):
            layers.append(MBConv(n, scaled(channels), expansion, 1 if repeat else stride, size))
            n = scaled(channels)
    last = scaled(1280)
    return torch.nn.Sequential(
        *layers, conv(n, last, 1), torch.nn.BatchNorm2d(last), torch.nn.SiLU(), *ending(last, n_labels)
    )


def ending(n, n_labels):
    return (
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(n, n_labels, bias=False),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "size", "options", "twin"),
    [
        ("resnet20", 8, {}, lambda: resnet20(5)),
        ("resnet18", 16, {"width": 0.125}, lambda: resnet18(5, 8)),
        ("efficientnet-b0", 16, {"width": 0.25, "depth": 0.5}, lambda: efficientnet_b0(5, 0.25, 0.5, 1)),
        ("efficientnet-b0", 36, {"width": 0.5, "depth": 0.3}, lambda: efficientnet_b0(5, 0.5, 0.3, 2)),
    ],
)
def test_residual_networks_follow_torch(name, size, options, twin):
    rng = np.random.default_rng(0)
    network = nn.build(name, 5, (size, size, 3), rng=rng, dtype=np.float64, **options)
    twin, parameters = twin().double(), network.parameters()
    for array in parameters.values():
        if array.ndim == 1:
            array += rng.normal(0, 0.1, array.shape)
    with torch.no_grad():
        for (key, array), theirs in zip(parameters.items(), twin.parameters(), strict=True):
            assert array.size == theirs.numel(), key
            theirs.copy_(torch.from_numpy(array).reshape(theirs.shape))
    x, slope = rng.uniform(-1, 1, (8, size, size, 3)), rng.standard_normal((8, 5))
    logits, _ = network.forward(x, training=True)
    network.backward(slope)
    their_x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    theirs = twin(their_x)
    theirs.backward(torch.from_numpy(slope))
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=1e-8, atol=1e-9)
    gradients = network.gradients()
    for key, parameter in zip(parameters, twin.parameters(), strict=True):
        gradient = gradients[key]
        expected = parameter.grad.numpy().reshape(gradient.shape)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * scale + 1e-12, err_msg=key)
    twin.eval()
    np.testing.assert_allclose(network.forward(x)[0], twin(their_x).detach().numpy(), rtol=1e-7, atol=1e-8)
