"""What public architectures are built of, in small: images (N, 1, 16, 16) to 5 labels."""

import torch
from torch import nn as tn

N_LABELS = 5


def conv_norm(n_in, n_out, size=3, stride=1, groups=1):
    conv = tn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False)
    return tn.Sequential(conv, tn.BatchNorm2d(n_out))


class Residual(tn.Module):
    """A block of torchvision's ResNet: one ReLU, called twice, and a projection where the shape changes."""

    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(n_in, n_out, stride=stride)
        self.relu = tn.ReLU(inplace=True)
        self.conv2, self.bn2 = conv_norm(n_out, n_out)
        self.downsample = None if n_in == n_out and stride == 1 else conv_norm(n_in, n_out, 1, stride)

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(tn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.relu = tn.Conv2d(1, 4, 3, padding=1), tn.ReLU()
        self.layer1, self.layer2 = Residual(4, 4), Residual(4, 6, stride=2)
        self.avgpool, self.fc = tn.AdaptiveAvgPool2d(1), tn.Linear(6, N_LABELS)

    def forward(self, x):
        x = self.layer2(self.layer1(self.relu(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class DenseLayer(tn.Module):
    """Of DenseNet: it reads all that is before it, and its outputs are put beside that."""

    def __init__(self, n_in, growth):
        super().__init__()
        self.norm1, self.relu1, self.conv1 = tn.BatchNorm2d(n_in), tn.ReLU(True), tn.Conv2d(n_in, 4, 1)
        self.norm2, self.relu2, self.conv2 = (
            tn.BatchNorm2d(4),
            tn.ReLU(True),
            tn.Conv2d(4, growth, 3, padding=1),
        )

    def forward(self, *features):
        return self.conv2(self.relu2(self.norm2(self.conv1(self.relu1(self.norm1(torch.cat(features, 1)))))))


class DenseNet(tn.Module):
    def __init__(self):
        super().__init__()
        self.conv0, self.one, self.two = tn.Conv2d(1, 4, 3, 2, 1), DenseLayer(4, 2), DenseLayer(6, 2)
        self.norm, self.fc = tn.BatchNorm2d(8), tn.Linear(8, N_LABELS)

    def forward(self, x):
        x = self.conv0(x)
        one = self.one(x)
        x = self.norm(torch.cat((x, one, self.two(x, one)), 1))
        return self.fc(tn.functional.relu(x).mean((2, 3)))


class Inverted(tn.Module):
    """Of MobileNetV3: expansion, depthwise convolution, squeeze-and-excitation, projection, sum."""

    def __init__(self, n, expanded):
        super().__init__()
        self.expand, self.act = conv_norm(n, expanded, 1), tn.Hardswish()
        self.depthwise, self.late = conv_norm(expanded, expanded, groups=expanded), tn.Hardswish()
        self.fc1, self.fc2, self.gate = tn.Conv2d(expanded, 2, 1), tn.Conv2d(2, expanded, 1), tn.Hardsigmoid()
        self.project = conv_norm(expanded, n, 1)

    def forward(self, x):
        y = self.late(self.depthwise(self.act(self.expand(x))))
        y = self.gate(self.fc2(torch.relu(self.fc1(y.mean((2, 3), keepdim=True))))) * y
        return x + self.project(y)


class MobileNet(tn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.block1, self.block2 = conv_norm(1, 3, stride=2), Inverted(3, 8), Inverted(3, 8)
        self.fc = tn.Linear(3, N_LABELS)

    def forward(self, x):
        return self.fc(self.block2(self.block1(self.stem(x))).mean((2, 3)))


class ChannelsLast(tn.Module):
    """A block of ConvNeXt: a depthwise convolution, then a norm and two linear layers on (N, H, W, C)."""

    def __init__(self, n):
        super().__init__()
        self.depthwise = tn.Conv2d(n, n, 3, padding=1, groups=n)
        self.norm, self.wide, self.act, self.narrow = (
            tn.LayerNorm(n),
            tn.Linear(n, 7),
            tn.GELU(),
            tn.Linear(7, n),
        )
        self.scale = tn.Parameter(torch.full((n, 1, 1), 0.5))

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.scale * self.narrow(self.act(self.wide(y))).permute(0, 3, 1, 2)


class ConvNeXt(tn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.block1, self.block2 = tn.Conv2d(1, 4, 4, 4), ChannelsLast(4), ChannelsLast(4)
        self.flatten, self.fc = tn.Flatten(), tn.Linear(64, N_LABELS, bias=False)

    def forward(self, x):
        return self.fc(self.flatten(self.block2(self.block1(self.stem(x)))))


class Branches(tn.Module):
    """Two branches of equal width: their order says nothing of what they read."""

    def __init__(self):
        super().__init__()
        self.stem = tn.Sequential(tn.Conv2d(1, 4, 3, 2, 1), tn.ReLU())
        self.left, self.right = (tn.Sequential(tn.Conv2d(4, 4, 3, padding=1), tn.ReLU()) for _ in range(2))
        self.join, self.fc = tn.Identity(), tn.Linear(8, N_LABELS)

    def forward(self, x):
        x = self.stem(x)
        return self.fc(self.join(torch.cat((self.left(x), self.right(x)), 1)).mean((2, 3)))


class Permuted(tn.Module):
    """The part of a `ChannelsLast` behind its depthwise convolution, up to the activation, (N, C, H, W)."""

    def __init__(self, block):
        super().__init__()
        self.norm, self.wide, self.act = block.norm, block.wide, block.act

    def forward(self, x):
        return self.act(self.wide(self.norm(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)
