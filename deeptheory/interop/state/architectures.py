"""The architectures of imported tensors: ours, torchvision's VGG, and those of a TOML file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.interop.state import naming
from deeptheory.interop.state.architecture_files import read_architecture
from deeptheory.interop.torch_modules import LINEAR, NORM, modules_of
from deeptheory.nn.architectures import EFFICIENTNET, NAMES
from deeptheory.nn.architectures.efficientnet import SMALL, WIDEST
from deeptheory.nn.architectures.plain import VGG
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.prune.masked_layers import HEAD

TORCHVISION = {  # convolutions before each of the five pooling layers
    "vgg11_bn": (1, 1, 2, 2, 2),
    "vgg13_bn": (2, 2, 2, 2, 2),
    "vgg16_bn": (2, 2, 3, 3, 3),
    "vgg19_bn": (2, 2, 4, 4, 4),
}
RESNET, CENTRED, BEHIND = "resnet20", "resnet20-centred", "resnet20-behind"
STEMS = {"efficientnet_b0": 2, "efficientnet_b0-stride1": 1}  # stride of the stem, at any size of the images
SPELLINGS = {**dict.fromkeys(STEMS, EFFICIENTNET), CENTRED: RESNET, BEHIND: RESNET}
ARCHITECTURES = (*NAMES, *SPELLINGS, *TORCHVISION)
OWN = "deeptheory"  # the naming of our own files
POOLED = 7  # positions along an axis that torchvision's VGG pools to
LARGEST = 4.0  # width factor of an EfficientNet, at most
NARROW = 1e-3  # width factor at which every layer has its smallest number of filters


@dataclass(frozen=True)
class Architecture:
    """A network without its tensors, and the names that these may have.

    Attributes
    ----------
    name : str
    description : dict
        As `nn.blueprint_of` gives it.
    namings : dict of dict
        By the name of the naming: the names of the tensors by our dotted names. Tried in this order.
    needed : set of str
        Our arrays that the file must contain; biases may be added.
    kernels : dict of (int, int)
        Height and width of the kernels by our name of the weight, where the architecture fixes them.
    scaled : bool
        Whether groups and added channels follow from the tensors; otherwise the description fixes them.
    centred : bool
        Whether parameter-free shortcuts add zeros on both sides in PyTorch (`centred_shortcuts.zeros_behind`).
    pooled : dict of (int, int)
        By our name of a linear weight that PyTorch applies after adaptive pooling to 7 x 7: the positions here.
    notes : tuple of str
        In what PyTorch's own module may differ.
    unsaid : InputError or None
        What neither the name nor tensors with names of another package say; raised for such tensors.
    """

    name: str
    description: dict[str, Any]
    namings: dict[str, naming.Names]
    needed: frozenset[str]
    kernels: dict[str, tuple[int, int]] = field(default_factory=dict)
    scaled: bool = False
    centred: bool = False
    pooled: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unsaid: InputError | None = None


def find_architecture(name: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    """The architecture of that name, or of a TOML file.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`, or a path that ends in ".toml".
    tensors : mapping of str to array
        Those of the file. Names are also matched by their order; they show whether a VGG has hidden layers.
    input_shape : (H, W, C)
        Of the images.

    Raises
    ------
    InputError
        An unknown name, a TOML file that is damaged or for other images, or images too small for the pooling.
    """
    if name.endswith(".toml"):
        return _of_file(name, tensors, input_shape)
    if name not in ARCHITECTURES:
        raise unknown_name("--architecture", name, (*ARCHITECTURES, "FILE.toml"))
    if name in TORCHVISION:
        return _torchvision_vgg(name, tensors, input_shape)
    return _ours(name, tensors, input_shape)


def _ours(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    name = SPELLINGS.get(asked, asked)
    hidden = name in VGG and len(naming.modules_in(tensors)[LINEAR]) > 1
    narrow = nn.build(
        name,
        2,
        input_shape,
        _width(tensors) if name == EFFICIENTNET else NARROW,
        rng=np.random.default_rng(0),
        classifier="hidden" if hidden else "linear",
    )
    description, others = nn.blueprint_of(narrow), dict[str, naming.Prefixes]()
    notes: tuple[str, ...] = ()
    unsaid = None
    if name in VGG:
        others["torchvision"] = naming.vgg_names(description)
    elif name == RESNET:
        others |= {f"torchvision, head {head}": naming.resnet_names(head) for head in ("fc", "linear")}
        where = "on both sides of" if asked == CENTRED else "behind"
        notes = (f"shortcuts to more filters add channels of zeros {where} those of their input",)
        if asked == RESNET:
            do = "see the padding in its forward pass: akamaster's code adds them on both sides"
            unsaid = _unsaid((CENTRED, BEHIND), "where shortcuts add channels of zeros", do)
    elif name == EFFICIENTNET:
        others["torchvision"] = naming.efficientnet_names()
        _set_stem(description, asked)
        if asked == EFFICIENTNET and max(input_shape[:2]) <= SMALL:
            unsaid = _unsaid(STEMS, "the stride of the stem", "torchvision's is 2 at any size of the images")
    return Architecture(
        asked,
        description,
        _namings(description, tensors, others),
        frozenset((*narrow.parameters(), *narrow.buffers())),
        {array: weight.shape[2:] for array, weight in narrow.parameters().items() if weight.ndim == 4},
        scaled=True,
        centred=asked == CENTRED,
        notes=notes,
        unsaid=unsaid,
    )


def _unsaid(names: Iterable[str], what: str, do: str) -> InputError:
    found = f"tensors that do not say {what}"
    return InputError("--architecture", " or ".join(names), found, do)


def _set_stem(description: dict[str, Any], asked: str) -> None:
    """The stride that a name of `STEMS` says, in place of ours, which depends on the size of the images."""
    name, _, options = description["stages"][0]["layers"][0]
    assert name == "conv"
    options["stride"] = STEMS.get(asked, options["stride"])


def _width(tensors: Mapping[str, Array]) -> float:
    """Width of an EfficientNet, from its last convolution, which has most filters; it decides where sums are."""
    widest = max((len(tensor) for tensor in tensors.values() if tensor.ndim == 4), default=WIDEST)
    return min(widest / WIDEST, LARGEST)


def _torchvision_vgg(name: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    """Convolutions with a bias, batch norm, adaptive pooling to 7 x 7, two hidden layers and the head."""
    stages: list[dict[str, Any]] = []
    for count in TORCHVISION[name]:
        for number in range(count):
            layers = [
                ["conv", "Conv2d", {"groups": 1, "stride": 1, "padding": 1}],
                ["norm", "BatchNorm2d", {}],
                ["relu", "ReLU", {}],
            ]
            if number == count - 1:
                layers.append(["pool", "MaxPool2d", {"size": 2, "stride": 2}])
            stages.append({"name": f"stage{len(stages) + 1}", "layers": layers, "inputs": {}})
    halved = 2 ** len(TORCHVISION[name])
    positions = input_shape[0] // halved, input_shape[1] // halved
    weight = f"stage{len(stages) + 1}.linear.weight"
    stages[-1]["layers"] += _adaptive_pooling(name, positions, input_shape)
    for flatten in ([["flatten", "Flatten", {}]], []):
        layers = [*flatten, ["linear", "Linear", {}], ["relu", "ReLU", {}]]
        stages.append({"name": f"stage{len(stages) + 1}", "layers": layers, "inputs": {}})
    stages.append(
        {"name": HEAD, "layers": [["flatten", "Flatten", {}], ["linear", "Linear", {}]], "inputs": {}}
    )
    description = {"dtype": "float32", "input_shape": tuple(input_shape), "stages": stages}
    needed = naming.own_names(description)
    return Architecture(
        name,
        description,
        _namings(description, tensors, {"torchvision": naming.vgg_names(description)}),
        frozenset(needed),
        {array: (3, 3) for array in needed if array.endswith("conv.weight")},
        pooled={weight: (min(positions[0], POOLED), min(positions[1], POOLED))},
    )


def _adaptive_pooling(name: str, positions: tuple[int, int], input_shape: Shape) -> list[list[Any]]:
    """A pooling layer to 7 x 7 positions, or none where the axis has 7 positions, or 1, which PyTorch repeats."""
    if all(size in (1, POOLED) for size in positions):
        return []
    size, *rest = divmod(positions[0], POOLED)
    if any(rest) or size == 0 or positions[0] != positions[1]:
        expected = (
            "images that it makes 1, 7 or a multiple of 7 positions of along both axes, such as 32 or 224"
        )
        do = "resize the images, or describe the network without adaptive pooling in a TOML file"
        found = f"{input_shape[0]} x {input_shape[1]} pixels, {positions[0]} x {positions[1]} positions"
        raise InputError(f"adaptive pooling of {name}", expected, found, do)
    return [["pool7", "AvgPool2d", {"size": size, "stride": size}]]


def _of_file(path: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    description = read_architecture(path)
    if tuple(description["input_shape"]) != tuple(input_shape):
        expected = f"{tuple(input_shape)}, the shape of the images"
        raise InputError(f"input_shape of {path}", expected, f"{tuple(description['input_shape'])}")
    arrays = [
        array
        for module in modules_of(description)
        for key, array in module.arrays.items()
        if key not in ("bias", "seed", "counter") or module.kind == NORM
    ]
    return Architecture(Path(path).name, description, _namings(description, tensors, {}), frozenset(arrays))


def _namings(
    description: dict[str, Any], tensors: Mapping[str, Array], others: dict[str, naming.Prefixes]
) -> dict[str, naming.Names]:
    namings = {OWN: naming.own_names(description)}
    namings |= {title: naming.named(description, prefixes) for title, prefixes in others.items()}
    in_order = naming.names_in_order(description, tensors)
    return namings if in_order is None else namings | {"natural order": in_order}
