"""MobileNet v2 and v3 in PyTorch, with the names of torchvision and of timm."""

from torch import nn as tn

V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
RE, HS = tn.ReLU, tn.Hardswish
V3 = {  # kernel, expanded, filters, squeeze-and-excitation, activation, stride
    "small": (
        (3, 16, 16, 1, RE, 2), (3, 72, 24, 0, RE, 2), (3, 88, 24, 0, RE, 1), (5, 96, 40, 1, HS, 2),
        (5, 240, 40, 1, HS, 1), (5, 240, 40, 1, HS, 1), (5, 120, 48, 1, HS, 1), (5, 144, 48, 1, HS, 1),
        (5, 288, 96, 1, HS, 2), (5, 576, 96, 1, HS, 1), (5, 576, 96, 1, HS, 1),
    ),
    "large": (
        (3, 16, 16, 0, RE, 1), (3, 64, 24, 0, RE, 2), (3, 72, 24, 0, RE, 1), (5, 72, 40, 1, RE, 2),
        (5, 120, 40, 1, RE, 1), (5, 120, 40, 1, RE, 1), (3, 240, 80, 0, HS, 2), (3, 200, 80, 0, HS, 1),
        (3, 184, 80, 0, HS, 1), (3, 184, 80, 0, HS, 1), (3, 480, 112, 1, HS, 1), (3, 672, 112, 1, HS, 1),
        (5, 672, 160, 1, HS, 2), (5, 960, 160, 1, HS, 1), (5, 960, 160, 1, HS, 1),
    ),
}  # fmt: skip


def scaled(n, width):
    return max(8, int(n * width + 4) // 8 * 8)


def norm(n):
    return tn.BatchNorm2d(n)


def conv(n_in, n_out, size=1, stride=1, groups=1):
    return tn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False)


def part(n_in, n_out, size, stride, groups, activation):
    return tn.Sequential(
        conv(n_in, n_out, size, stride, groups), norm(n_out), *([activation()] if activation else [])
    )


class Squeeze(tn.Module):
    def __init__(self, n, names):
        super().__init__()
        self.names = names
        setattr(self, names[0], tn.Conv2d(n, scaled(n, 1 / 4), 1))
        setattr(self, names[1], tn.Conv2d(scaled(n, 1 / 4), n, 1))

    def forward(self, x):
        reduce, expand = (getattr(self, name) for name in self.names)
        hidden = tn.functional.relu(reduce(x.mean((2, 3), keepdim=True)))
        return x * tn.functional.hardsigmoid(expand(hidden))


class Block(tn.Module):
    """With the parts in a list called `conv` (v2, the projection flat) or `block` (v3)."""

    def __init__(self, n_in, inside, n_out, size, stride, activation, squeezed, residual, name):
        super().__init__()
        parts = [part(n_in, inside, 1, 1, 1, activation)] if inside != n_in else []
        parts.append(part(inside, inside, size, stride, inside, activation))
        if squeezed:
            parts.append(Squeeze(inside, ("fc1", "fc2")))
        last = part(inside, n_out, 1, 1, 1, None)
        setattr(self, name, tn.Sequential(*parts, *(last if name == "conv" else [last])))
        self.name, self.residual = name, residual

    def forward(self, x):
        y = getattr(self, self.name)(x)
        return x + y if self.residual else y


class TimmBlock(tn.Module):
    def __init__(self, n_in, inside, n_out, size, stride, activation, squeezed, residual):
        super().__init__()
        self.expands, self.residual, self.act = inside != n_in, residual, activation()
        if self.expands:
            self.conv_pw, self.bn1 = conv(n_in, inside), norm(inside)
            self.conv_dw, self.bn2 = conv(inside, inside, size, stride, inside), norm(inside)
            self.conv_pwl, self.bn3 = conv(inside, n_out), norm(n_out)
        else:
            self.conv_dw, self.bn1 = conv(inside, inside, size, stride, inside), norm(inside)
            self.conv_pw, self.bn2 = conv(inside, n_out), norm(n_out)
        self.se = Squeeze(inside, ("conv_reduce", "conv_expand")) if squeezed else tn.Identity()

    def forward(self, x):
        if self.expands:
            y = self.act(self.bn1(self.conv_pw(x)))
            y = self.bn3(self.conv_pwl(self.se(self.act(self.bn2(self.conv_dw(y))))))
        else:
            y = self.bn2(self.conv_pw(self.se(self.act(self.bn1(self.conv_dw(x))))))
        return x + y if self.residual else y


def rows_of(version, width):
    """Input, inside, output, kernel, stride, activation, squeeze-and-excitation, residual sum of every block."""
    if version == "v2":
        n_in, before = scaled(32, width), 32
        for expansion, filters, repeats, stride in V2:
            for repeat in range(repeats):
                step, inside = 1 if repeat else stride, expansion * n_in
                residual = step == 1 and before == filters
                yield n_in, inside, scaled(filters, width), 3, step, tn.ReLU6, 0, residual
                n_in, before = scaled(filters, width), filters
        return
    n_in, before = scaled(16, width), 16
    for place, (size, expanded, filters, squeezed, activation, stride) in enumerate(V3[version]):
        inside = scaled(expanded, width) if place else n_in
        residual = stride == 1 and before == filters
        yield n_in, inside, scaled(filters, width), size, stride, activation, squeezed, residual
        n_in, before = scaled(filters, width), filters


class MobileNet(tn.Module):
    """The names of torchvision: `version` is v2, small or large."""

    def __init__(self, version, width, n_labels):
        super().__init__()
        rows, second = list(rows_of(version, width)), version == "v2"
        outside = tn.ReLU6 if second else HS
        blocks = [Block(*row, "conv" if second else "block") for row in rows]
        last = scaled(1280, width) if second else rows[-1][1]
        self.features = tn.Sequential(
            part(3, rows[0][0], 3, 2, 1, outside), *blocks, part(rows[-1][2], last, 1, 1, 1, outside)
        )
        hidden = scaled(1024 if version == "small" else 1280, width)
        self.classifier = (
            tn.Sequential(tn.Dropout(0.2), tn.Linear(last, n_labels))
            if second
            else tn.Sequential(tn.Linear(last, hidden), HS(), tn.Dropout(0.2), tn.Linear(hidden, n_labels))
        )

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class TimmMobileNet(tn.Module):
    """The names of timm."""

    def __init__(self, version, width, n_labels):
        super().__init__()
        rows, self.second = list(rows_of(version, width)), version == "v2"
        self.act = tn.ReLU6() if self.second else HS()
        self.conv_stem, self.bn1 = conv(3, rows[0][0], 3, 2), norm(rows[0][0])
        groups = [[rows[0]]]
        for row in rows[1:]:
            published = row[2] == groups[-1][-1][2] and row[7]
            groups[-1].append(row) if published else groups.append([row])
        blocks = [tn.Sequential(*(TimmBlock(*row) for row in group)) for group in groups]
        n_out, last = rows[-1][2], scaled(1280, width) if self.second else rows[-1][1]
        hidden = scaled(1024 if version == "small" else 1280, width)
        if self.second:
            self.conv_head, self.bn2 = conv(n_out, last), norm(last)
        else:
            end = tn.Module()
            end.conv, end.bn1 = conv(n_out, last), norm(last)
            blocks.append(tn.Sequential(end))
            self.conv_head = tn.Conv2d(last, hidden, 1)
        self.blocks = tn.ModuleList(blocks)
        self.classifier = tn.Linear(last if self.second else hidden, n_labels)

    def forward(self, x):
        x = self.act(self.bn1(self.conv_stem(x)))
        for group in self.blocks if self.second else self.blocks[:-1]:
            x = group(x)
        if self.second:
            return self.classifier(self.act(self.bn2(self.conv_head(x))).mean((2, 3)))
        end = self.blocks[-1][0]
        x = self.act(end.bn1(end.conv(x))).mean((2, 3), keepdim=True)
        return self.classifier(self.act(self.conv_head(x)).flatten(1))
