"""DenseNet-121 in PyTorch, with the names of torchvision, which are timm's too."""

from collections import OrderedDict

import torch
from torch import nn as tn


def conv(n_in, n_out, size, stride=1, padding=0):
    return tn.Conv2d(n_in, n_out, size, stride, padding, bias=False)


class DenseLayer(tn.Module):
    def __init__(self, n_in, growth):
        super().__init__()
        self.norm1, self.conv1 = tn.BatchNorm2d(n_in), conv(n_in, 4 * growth, 1)
        self.norm2, self.conv2 = tn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3, 1, 1)

    def forward(self, parts):
        y = self.conv1(torch.relu(self.norm1(torch.cat(parts, 1))))
        return self.conv2(torch.relu(self.norm2(y)))


class DenseBlock(tn.ModuleDict):
    def forward(self, x):
        parts = [x]
        for layer in self.values():
            parts.append(layer(parts))
        return torch.cat(parts, 1)


class DenseNet(tn.Module):
    def __init__(self, stem, growth, n_labels):
        super().__init__()
        layers, n = OrderedDict(), stem
        layers["conv0"], layers["norm0"] = conv(3, n, 7, 2, 3), tn.BatchNorm2d(n)
        layers["relu0"], layers["pool0"] = tn.ReLU(), tn.MaxPool2d(3, 2, 1)
        for block, count in enumerate((6, 12, 24, 16), start=1):
            parts = {f"denselayer{k + 1}": DenseLayer(n + k * growth, growth) for k in range(count)}
            layers[f"denseblock{block}"], n = DenseBlock(parts), n + count * growth
            if block < 4:
                smaller = {"norm": tn.BatchNorm2d(n), "relu": tn.ReLU(), "conv": conv(n, n // 2, 1)}
                layers[f"transition{block}"] = tn.Sequential(OrderedDict(smaller, pool=tn.AvgPool2d(2, 2)))
                n //= 2
        layers["norm5"] = tn.BatchNorm2d(n)
        self.features, self.classifier = tn.Sequential(layers), tn.Linear(n, n_labels)

    def forward(self, x):
        return self.classifier(torch.relu(self.features(x)).mean((2, 3)))
