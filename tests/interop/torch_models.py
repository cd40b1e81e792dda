"""PyTorch modules with the layer names of torchvision and of the networks of this field, in evaluation mode."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn as tn

PUBLISHED = {"vgg11_bn": (1, 1, 2, 2, 2), "vgg16_bn": (2, 2, 3, 3, 3)}
OURS = {"vgg11-10conv": (2, 2, 3, 3), "vgg11-8conv": (1, 1, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3)}
FILTERS = (64, 128, 256, 512, 512)


class VGG(tn.Module):
    """Convolutions with a bias, as torchvision has them, and its classifier; or with a single linear layer."""

    def __init__(self, counts, width, n_labels, *, hidden=True, bias=True, size=32, normed=True, pooled=True):
        super().__init__()
        layers, n = [], 3
        for count, filters in zip(counts, FILTERS, strict=False):
            for _ in range(count):
                n_out = max(1, round(width * filters))
                layers += [tn.Conv2d(n, n_out, 3, padding=1, bias=bias)]
                layers += [tn.BatchNorm2d(n_out), tn.ReLU()] if normed else [tn.ReLU()]
                n = n_out
            layers.append(tn.MaxPool2d(2))
        self.features = tn.Sequential(*layers)
        self.avgpool = tn.AdaptiveAvgPool2d(7) if hidden and pooled else tn.Identity()
        n *= 49 if hidden and pooled else (size // 2 ** len(counts)) ** 2
        if hidden:
            m = round(4096 * width)
            self.classifier = tn.Sequential(
                tn.Linear(n, m), tn.ReLU(), tn.Dropout(),
                tn.Linear(m, m), tn.ReLU(), tn.Dropout(), tn.Linear(m, n_labels),
            )  # fmt: skip
        else:
            self.classifier = tn.Linear(n, n_labels, bias=bias)

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class BasicBlock(tn.Module):
    def __init__(self, n_in, n_out, stride, centred):
        super().__init__()
        self.conv1 = tn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = tn.BatchNorm2d(n_out)
        self.conv2 = tn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = tn.BatchNorm2d(n_out)
        added = n_out - n_in
        self.stride, self.zeros = stride, (added // 2, added // 2) if centred else (0, added)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.zeros))
        return F.relu(y + shortcut)


class ResNet20(tn.Module):
    def __init__(self, width, n_labels, *, head="fc", centred=False):
        super().__init__()
        n = round(16 * width)
        self.conv1, self.bn1 = tn.Conv2d(3, n, 3, 1, 1, bias=False), tn.BatchNorm2d(n)
        for group in range(3):
            n_out, blocks = round(16 * 2**group * width), []
            for block in range(3):
                blocks.append(BasicBlock(n, n_out, 2 if group and not block else 1, centred))
                n = n_out
            setattr(self, f"layer{group + 1}", tn.Sequential(*blocks))
        setattr(self, head, tn.Linear(n, n_labels))
        self.head = head

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x))).mean((2, 3))
        return getattr(self, self.head)(x)


class ResidualBlock(tn.Module):
    """Of two 3 x 3 convolutions, or a bottleneck; names as torchvision's or as kuangliu's."""

    def __init__(self, n_in, n_inside, n_out, stride, *, bottleneck, groups, shortcut):
        super().__init__()
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        widths = [n_in, *(n_inside,) * (len(sizes) - 1), n_out]
        self.n = len(sizes)
        for i, size in enumerate(sizes):
            own = stride if i == self.n - 2 else 1
            conv = tn.Conv2d(
                widths[i],
                widths[i + 1],
                size,
                own,
                size // 2,
                groups=groups if (bottleneck and i == 1) else 1,
                bias=False,
            )
            self.add_module(f"conv{i + 1}", conv)
            self.add_module(f"bn{i + 1}", tn.BatchNorm2d(widths[i + 1]))
        projected = stride > 1 or n_in != n_out
        conv = tn.Sequential(tn.Conv2d(n_in, n_out, 1, stride, bias=False), tn.BatchNorm2d(n_out))
        self.add_module(shortcut, conv if projected else tn.Sequential())
        self.shortcut_name = shortcut

    def forward(self, x):
        y = x
        for i in range(1, self.n + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.n else y
        return F.relu(y + getattr(self, self.shortcut_name)(x))


class Residual(tn.Module):
    """torchvision's ResNet, wide or grouped, at a width; `small`: kuangliu's for CIFAR."""

    def __init__(self, repeats, width, n_labels, *, bottleneck=False, groups=1, base=64, small=False):
        super().__init__()
        n = round(64 * width)
        size, stride = (3, 1) if small else (7, 2)
        self.conv1, self.bn1 = tn.Conv2d(3, n, size, stride, size // 2, bias=False), tn.BatchNorm2d(n)
        self.maxpool = tn.Identity() if small else tn.MaxPool2d(3, 2, 1)
        for group, count in enumerate(repeats):
            filters, blocks = round(64 * 2**group * width), []
            n_out = filters * (4 if bottleneck else 1)
            inside = filters * base // 64 * groups if bottleneck else n_out
            for number in range(count):
                own = 2 if group and not number else 1
                options = {"bottleneck": bottleneck, "groups": groups}
                name = "shortcut" if small else "downsample"
                blocks.append(ResidualBlock(n, inside, n_out, own, **options, shortcut=name))
                n = n_out
            setattr(self, f"layer{group + 1}", tn.Sequential(*blocks))
        self.head = "linear" if small else "fc"
        setattr(self, self.head, tn.Linear(n, n_labels))

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
        return getattr(self, self.head)(x)


class WideBlock(tn.Module):
    """Normed and activated before each convolution; names as xternalz/WideResNet-pytorch's."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.bn1, self.conv1 = tn.BatchNorm2d(n_in), tn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = tn.BatchNorm2d(n_out), tn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.convShortcut = tn.Conv2d(n_in, n_out, 1, stride, bias=False) if n_in != n_out else None

    def forward(self, x):
        y = F.relu(self.bn1(x))
        shortcut = x if self.convShortcut is None else self.convShortcut(y)
        return shortcut + self.conv2(F.relu(self.bn2(self.conv1(y))))


class WideGroup(tn.Module):
    def __init__(self, n_in, n_out, count, stride):
        super().__init__()
        self.layer = tn.Sequential(
            *(WideBlock(n_out if i else n_in, n_out, 1 if i else stride) for i in range(count))
        )

    def forward(self, x):
        return self.layer(x)


class WideResidual(tn.Module):
    def __init__(self, depth, factor, n_labels, stem=16):
        super().__init__()
        self.conv1, n = tn.Conv2d(3, stem, 3, 1, 1, bias=False), stem
        for group in range(3):
            n_out = stem * 2**group * factor
            setattr(self, f"block{group + 1}", WideGroup(n, n_out, (depth - 4) // 6, 1 + (group > 0)))
            n = n_out
        self.bn1, self.fc = tn.BatchNorm2d(n), tn.Linear(n, n_labels)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class SqueezeExcitation(tn.Module):
    def __init__(self, n, n_hidden):
        super().__init__()
        self.fc1, self.fc2 = tn.Conv2d(n, n_hidden, 1), tn.Conv2d(n_hidden, n, 1)

    def forward(self, x):
        scale = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(F.silu(self.fc1(scale))))


def conv_norm(n_in, n_out, size, stride=1, groups=1, activation=True):
    conv = tn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False)
    return tn.Sequential(conv, tn.BatchNorm2d(n_out), *([tn.SiLU()] if activation else []))


class MBConv(tn.Module):
    def __init__(self, n_in, n_out, expansion, stride, size):
        super().__init__()
        n = n_in * expansion
        self.block = tn.Sequential(
            *([conv_norm(n_in, n, 1)] if expansion > 1 else []),
            conv_norm(n, n, size, stride, groups=n),
            SqueezeExcitation(n, max(1, n_in // 4)),
            conv_norm(n, n_out, 1, activation=False),
        )
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.block(x) if self.residual else self.block(x)


class EfficientNetB0(tn.Module):
    def __init__(self, width, n_labels, *, stem_stride=2):
        super().__init__()

        def scaled(n):
            return max(8, int(n * width + 4) // 8 * 8)

        n = scaled(32)
        features = [conv_norm(3, n, 3, stem_stride)]
        for expansion, channels, repeats, stride, size in (
            (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
            (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3),
        ):  # fmt: skip
            blocks = []
            for repeat in range(repeats):
                blocks.append(MBConv(n, scaled(channels), expansion, 1 if repeat else stride, size))
                n = scaled(channels)
            features.append(tn.Sequential(*blocks))
        self.features = tn.Sequential(*features, conv_norm(n, scaled(1280), 1))
        self.avgpool = tn.AdaptiveAvgPool2d(1)
        self.classifier = tn.Sequential(tn.Dropout(0.2), tn.Linear(scaled(1280), n_labels))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def settled(model, seed=0, epsilon=1e-5):
    """The module in evaluation mode, with weights and running statistics at random and no norm at its default."""
    generator = torch.Generator().manual_seed(seed)

    def draw(tensor, low, high):
        with torch.no_grad():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    for module in model.modules():
        if isinstance(module, tn.BatchNorm2d):
            module.eps = epsilon
            draw(module.weight, 0.5, 1.5)
            draw(module.running_var, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                draw(tensor, -0.3, 0.3)
        elif isinstance(module, tn.LayerNorm):
            draw(module.weight, 0.5, 1.5)
            draw(module.bias, -0.3, 0.3)
        elif isinstance(module, tn.Conv2d | tn.Linear):
            bound = (6 / module.weight[0].numel()) ** 0.5  # keeps the scale of the activations
            draw(module.weight, -bound, bound)
            if module.bias is not None:
                draw(module.bias, -0.2, 0.2)
    return model.eval()


def tensors_of(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def outputs_of(model, x):
    """Outputs for images (N, H, W, C)."""
    with torch.no_grad():
        return model(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()


def images(n, size):
    return np.random.default_rng(5).uniform(-1, 1, (n, size, size, 3)).astype(np.float32)
