"""GoogLeNet in PyTorch, with the names of torchvision."""

import torch
from torch import nn as tn

BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64), "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


class Part(tn.Module):
    def __init__(self, n_in, n_out, size, stride=1):
        super().__init__()
        self.conv = tn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
        self.bn = tn.BatchNorm2d(n_out, eps=1e-3)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Inception(tn.Module):
    def __init__(self, n_in, single, reduced, wide, reduced_again, wide_again, pooled):
        super().__init__()
        self.branch1 = Part(n_in, single, 1)
        self.branch2 = tn.Sequential(Part(n_in, reduced, 1), Part(reduced, wide, 3))
        self.branch3 = tn.Sequential(Part(n_in, reduced_again, 1), Part(reduced_again, wide_again, 3))
        self.branch4 = tn.Sequential(tn.MaxPool2d(3, 1, 1, ceil_mode=True), Part(n_in, pooled, 1))
        self.n_out = single + wide + wide_again + pooled

    def forward(self, x):
        return torch.cat(
            [branch(x) for branch in (self.branch1, self.branch2, self.branch3, self.branch4)], 1
        )


class Auxiliary(tn.Module):
    def __init__(self, n_in, n_labels):
        super().__init__()
        self.conv, self.fc1, self.fc2 = Part(n_in, 4, 1), tn.Linear(64, 8), tn.Linear(8, n_labels)


class GoogLeNet(tn.Module):
    def __init__(self, width, n_labels, auxiliary=False):
        super().__init__()

        def scaled(n):
            return max(1, round(n * width))

        n = scaled(64)
        self.conv1, self.conv2, self.conv3 = Part(3, n, 7, 2), Part(n, n, 1), Part(n, scaled(192), 3)
        n = scaled(192)
        for name, filters in BLOCKS.items():
            block = Inception(n, *map(scaled, filters))
            setattr(self, f"inception{name}", block)
            n = block.n_out
            if auxiliary and name in ("4a", "4d"):
                setattr(self, "aux1" if name == "4a" else "aux2", Auxiliary(n, n_labels))
        self.halved, self.halved_last = tn.MaxPool2d(3, 2, ceil_mode=True), tn.MaxPool2d(2, 2, ceil_mode=True)
        self.fc = tn.Linear(n, n_labels)

    def forward(self, x):
        x = self.halved(self.conv3(self.conv2(self.halved(self.conv1(x)))))
        for name in BLOCKS:
            x = getattr(self, f"inception{name}")(x)
            x = self.halved(x) if name == "3b" else self.halved_last(x) if name == "4e" else x
        return self.fc(x.mean((2, 3)))
