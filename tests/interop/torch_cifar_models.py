"""chenyaofo's networks for CIFAR in PyTorch: ResNets with projections, MobileNet v2 with other strides."""

from torch import nn as tn

from tests.interop.torch_mobilenets import MobileNet
from tests.interop.torch_models import F, ResidualBlock


class CifarResNet(tn.Module):
    def __init__(self, repeats, width, n_labels):
        super().__init__()
        n = round(16 * width)
        self.conv1, self.bn1 = tn.Conv2d(3, n, 3, 1, 1, bias=False), tn.BatchNorm2d(n)
        for group in range(3):
            n_out, blocks = round(16 * 2**group * width), []
            for number in range(repeats):
                stride = 2 if group and not number else 1
                options = {"bottleneck": False, "groups": 1, "shortcut": "downsample"}
                blocks.append(ResidualBlock(n, n_out, n_out, stride, **options))
                n = n_out
            setattr(self, f"layer{group + 1}", tn.Sequential(*blocks))
        self.fc = tn.Linear(n, n_labels)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def cifar_mobilenet(width, n_labels):
    """With strides 1 in the stem and in the second group of blocks."""
    model = MobileNet("v2", width, n_labels)
    model.features[0][0].stride = model.features[2].conv[1][0].stride = (1, 1)
    return model
