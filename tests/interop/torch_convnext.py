"""ConvNeXt in PyTorch, with the names of torchvision and of timm."""

import torch
from torch import nn as tn

BLOCKS = (3, 3, 9, 3)


class Norm(tn.LayerNorm):
    """Over the channels of images (N, C, H, W)."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Permute(tn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


def norm(n):
    return Norm(n, eps=1e-6)


class Block(tn.Module):
    def __init__(self, n):
        super().__init__()
        self.block = tn.Sequential(
            tn.Conv2d(n, n, 7, padding=3, groups=n), Permute(0, 2, 3, 1), tn.LayerNorm(n, eps=1e-6),
            tn.Linear(n, 4 * n), tn.GELU(), tn.Linear(4 * n, n), Permute(0, 3, 1, 2),
        )  # fmt: skip
        self.layer_scale = tn.Parameter(torch.linspace(0.2, 0.9, n)[:, None, None])

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class ConvNeXt(tn.Module):
    """The names of torchvision."""

    def __init__(self, filters, n_labels):
        super().__init__()
        layers = [tn.Sequential(tn.Conv2d(3, filters[0], 4, 4), norm(filters[0]))]
        for group, (n, count) in enumerate(zip(filters, BLOCKS, strict=True)):
            if group:
                before = filters[group - 1]
                layers.append(tn.Sequential(norm(before), tn.Conv2d(before, n, 2, 2)))
            layers.append(tn.Sequential(*(Block(n) for _ in range(count))))
        self.features = tn.Sequential(*layers)
        self.avgpool = tn.AdaptiveAvgPool2d(1)
        self.classifier = tn.Sequential(norm(filters[-1]), tn.Flatten(), tn.Linear(filters[-1], n_labels))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))


class TimmBlock(tn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv_dw, self.norm = tn.Conv2d(n, n, 7, padding=3, groups=n), tn.LayerNorm(n, eps=1e-6)
        self.mlp = tn.Module()
        self.mlp.fc1, self.mlp.fc2 = tn.Linear(n, 4 * n), tn.Linear(4 * n, n)
        self.gamma = tn.Parameter(torch.linspace(0.2, 0.9, n))

    def forward(self, x):
        y = self.norm(self.conv_dw(x).permute(0, 2, 3, 1))
        y = self.mlp.fc2(tn.functional.gelu(self.mlp.fc1(y))).permute(0, 3, 1, 2)
        return x + y * self.gamma.reshape(1, -1, 1, 1)


class TimmConvNeXt(tn.Module):
    """The names of timm."""

    def __init__(self, filters, n_labels):
        super().__init__()
        self.stem = tn.Sequential(tn.Conv2d(3, filters[0], 4, 4), norm(filters[0]))
        stages = []
        for group, (n, count) in enumerate(zip(filters, BLOCKS, strict=True)):
            stage = tn.Module()
            if group:
                before = filters[group - 1]
                stage.downsample = tn.Sequential(norm(before), tn.Conv2d(before, n, 2, 2))
            stage.blocks = tn.Sequential(*(TimmBlock(n) for _ in range(count)))
            stages.append(stage)
        self.stages, self.head = tn.ModuleList(stages), tn.Module()
        self.head.norm, self.head.fc = norm(filters[-1]), tn.Linear(filters[-1], n_labels)

    def forward(self, x):
        x = self.stem(x)
        for group, stage in enumerate(self.stages):
            x = stage.blocks(stage.downsample(x) if group else x)
        return self.head.fc(self.head.norm(x.mean((2, 3), keepdim=True)).flatten(1))
