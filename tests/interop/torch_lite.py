"""EfficientNet-Lite0 in PyTorch, with the names of lukemelas' package and with those of timm."""

import torch.nn.functional as F
from torch import nn as tn

from tests.interop.torch_mobilenets import TimmBlock, scaled

GROUPS = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip


class Behind(tn.Conv2d):
    """A convolution that pads as TensorFlow's "same" does."""

    def forward(self, x):
        (size, stride), axes = (self.kernel_size[0], self.stride[0]), x.shape[2:]
        total = [max((-(-axis // stride) - 1) * stride + size - axis, 0) for axis in axes]
        (top, left), (bottom, right) = (n // 2 for n in total), (n - n // 2 for n in total)
        return F.conv2d(
            F.pad(x, (left, right, top, bottom)), self.weight, None, self.stride, 0, 1, self.groups
        )


def rows(width):
    """Of every block, by group: filters before, inside and behind, size, stride and whether it is a residual."""
    n = scaled(32, width)
    for expansion, filters, repeats, stride, size in GROUPS:
        group, n_out = [], scaled(filters, width)
        for repeat in range(repeats):
            group.append((n, n * expansion, n_out, size, 1 if repeat else stride, repeat > 0))
            n = n_out
        yield group


class Block(tn.Module):
    def __init__(self, n_in, inside, n_out, size, stride, residual):
        super().__init__()
        if inside != n_in:
            self._expand_conv = Behind(n_in, inside, 1, bias=False)
            self._bn0 = tn.BatchNorm2d(inside)
        self._depthwise_conv = Behind(inside, inside, size, stride, groups=inside, bias=False)
        self._bn1, self._bn2 = tn.BatchNorm2d(inside), tn.BatchNorm2d(n_out)
        self._project_conv, self.residual = Behind(inside, n_out, 1, bias=False), residual

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_bn0") else x
        y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.residual else y


class Lite0(tn.Module):
    def __init__(self, width, n_labels):
        super().__init__()
        blocks = [row for group in rows(width) for row in group]
        last, n = scaled(1280, width), blocks[0][0]
        self._conv_stem, self._bn0 = Behind(3, n, 3, 2, bias=False), tn.BatchNorm2d(n)
        self._blocks = tn.ModuleList(Block(*row) for row in blocks)
        self._conv_head, self._bn1 = Behind(blocks[-1][2], last, 1, bias=False), tn.BatchNorm2d(last)
        self._fc = tn.Linear(last, n_labels)

    def forward(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


class TimmLite0(tn.Module):
    """`behind`: timm's tf_efficientnet_lite0."""

    def __init__(self, width, n_labels, behind=False):
        super().__init__()
        groups = list(rows(width))
        last, n = scaled(1280, width), groups[0][0][0]
        kind = Behind if behind else tn.Conv2d
        self.conv_stem, self.bn1 = kind(3, n, 3, 2, 0 if behind else 1, bias=False), tn.BatchNorm2d(n)
        self.blocks = tn.Sequential(
            *(
                tn.Sequential(*(TimmBlock(*row[:-1], tn.ReLU6, 0, row[-1]) for row in group))
                for group in groups
            )
        )
        if behind:
            for block in (block for group in self.blocks for block in group):
                conv = block.conv_dw
                options = {"groups": conv.groups, "bias": False}
                block.conv_dw = Behind(
                    conv.groups, conv.groups, conv.kernel_size[0], conv.stride[0], **options
                )
        self.conv_head, self.bn2 = tn.Conv2d(groups[-1][-1][2], last, 1, bias=False), tn.BatchNorm2d(last)
        self.classifier = tn.Linear(last, n_labels)

    def forward(self, x):
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        return self.classifier(F.relu6(self.bn2(self.conv_head(x))).mean((2, 3)))
