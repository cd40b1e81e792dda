"""A small trained network of ours, the same as a torch.nn.Sequential, and its inputs as loaders."""

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest

from deeptheory import data, nn
from deeptheory.data.augmentation import scale

N_LABELS, BATCH = 5, 32


def sequential(network):
    """A VGG as one flat Sequential with the same weights: names "00", "01", ... in our order."""
    torch = pytest.importorskip("torch")
    kinds = {
        nn.Conv2d: lambda own: torch.nn.Conv2d(*own["weight"].shape[1::-1], 3, padding=1, bias=False),
        nn.BatchNorm2d: lambda own: torch.nn.BatchNorm2d(len(own["weight"])),
        nn.ReLU: lambda own: torch.nn.ReLU(inplace=True),
        nn.MaxPool2d: lambda own: torch.nn.MaxPool2d(2),
        nn.Flatten: lambda own: torch.nn.Flatten(),
        nn.Linear: lambda own: torch.nn.Linear(*own["weight"].shape[::-1], bias=False),
    }
    modules = OrderedDict()
    for node in network.nodes:
        arrays = {**node.layer.parameters, **node.layer.buffers}
        module = kinds[type(node.layer)](arrays)
        for key, array in arrays.items():
            getattr(module, key).data.copy_(torch.from_numpy(array))
        modules[f"{len(modules):02}"] = module
    return torch.nn.Sequential(modules)


def loader(images, labels):
    """Batches as a DataLoader gives them, in order, of grey levels scaled as our networks take them."""
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(scale(images).transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels)
    return [[x[i : i + BATCH], y[i : i + BATCH]] for i in range(0, len(x), BATCH)]


@pytest.fixture(scope="module")
def trained(one_thread):
    """Our network with the names of its stages in both, and the splits."""
    dataset = data.render(N_LABELS, 16, 100, 20, 0, True)
    network = nn.build("vgg6", N_LABELS, (16, 16, 1), 0.125, rng=np.random.default_rng(0))
    train = dataset.train_images[:350], dataset.train_labels[:350]
    recipe = nn.Recipe(epochs=6, batch=20, shift=1, flip=False)
    generators = nn.Generators(np.random.default_rng(1), np.random.default_rng(2))
    nn.fit(network, *train, recipe, generators, session=nn.Session(quiet=True))
    ends = [node.name for node in network.nodes]
    stages = {
        stage.name: f"{ends.index(f'{stage.name}.{list(stage.layers)[-1]}'):02}" for stage in network.stages
    }
    return SimpleNamespace(
        network=network,
        stages=stages,
        train=train,
        measure=(dataset.train_images[350:], dataset.train_labels[350:]),
        test=(dataset.test_images, dataset.test_labels),
    )


@pytest.fixture
def model(trained):
    return sequential(trained.network).train()


@pytest.fixture
def loaders(trained):
    return SimpleNamespace(
        train=loader(*trained.train), measure=loader(*trained.measure), test=loader(*trained.test)
    )
