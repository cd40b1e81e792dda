"""The architectures of imported tensors: ours, under more names, and those of a TOML file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.interop.state import cct, naming, residual_names, vgg_forms
from deeptheory.interop.state.architecture_files import read_architecture
from deeptheory.interop.state.published import LITE0, PADDED_BEHIND, PUBLISHED, TF
from deeptheory.interop.state.vgg_forms import NARROW
from deeptheory.interop.torch_modules import CONVOLUTION, NORM, modules_of
from deeptheory.nn.architectures import EFFICIENTNET, NAMES, TRANSFORMERS, UNCLEAR
from deeptheory.nn.architectures.efficientnet import SMALL, WIDEST
from deeptheory.nn.architectures.plain import VGG
from deeptheory.nn.architectures.residual import CIFAR, FEWER, RESIDUAL
from deeptheory.nn.architectures.wide_residual import WIDE
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.prune.masked_layers import HEAD_LAYER

NORMED = {"vgg11_bn": "vgg11-8conv", **{f"{name}_bn": name for name in ("vgg13", "vgg16", "vgg19")}}
RESNET, CENTRED, BEHIND = "resnet20", "resnet20-centred", "resnet20-behind"
MOBILENET = "mobilenet-v2"
CIFAR_FORMS = {f"{name}-{CIFAR}": name for name, kind in RESIDUAL.items() if kind.filters != FEWER}
CHENYAOFO = {  # of its models for CIFAR
    **{
        f"{name.removesuffix('-projected')}": name for name, kind in RESIDUAL.items() if kind.filters == FEWER
    },
    **NORMED,
    **{f"mobilenetv2_{width}": MOBILENET for width in ("x0_5", "x0_75", "x1_0", "x1_4")},
}
OF_CIFAR = {f"cifar{n}_{name}": ours for n in (10, 100) for name, ours in CHENYAOFO.items()}
STRIDES = {  # of convolutions, at any size of the images
    "efficientnet_b0": {"stage1.conv": 2},
    "efficientnet_b0-stride1": {"stage1.conv": 1},
    **{
        name: {"stage1.conv": 1, "stage3.depthwise": 1}
        for name, ours in OF_CIFAR.items()
        if ours == MOBILENET
    },
}
STEMS = tuple(name for name in STRIDES if name not in OF_CIFAR)
SPELLINGS = {**dict.fromkeys(STEMS, EFFICIENTNET), CENTRED: RESNET, BEHIND: RESNET, **NORMED, **CIFAR_FORMS}
SPELLINGS |= {spelling: name for name, published in PUBLISHED.items() for spelling in published.spellings}
SPELLINGS |= OF_CIFAR
ARCHITECTURES = (*(name for name in NAMES if name not in TRANSFORMERS), *SPELLINGS, cct.CCT, *cct.HEADS)
OWN = "deeptheory"  # the naming of our own files
LARGEST = 4.0  # width factor of an EfficientNet, at most


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
        By our name of a linear weight that PyTorch applies after adaptive pooling: the positions here.
    notes : tuple of str
        In what PyTorch's own module may differ.
    unsaid : InputError or None
        What neither the name nor tensors with names of another package say; raised for such tensors.
    epsilons : dict of float
        By the name of a naming: what the batch norms of that package add to the variance, where it is not 1e-5.
    left_out : tuple of str
        Parts of the module in PyTorch that only its training uses; their tensors are not needed.
    padded_behind : set of str
        Names of namings whose package pads as TensorFlow does (`same_padding.padded_behind`).
    by_rows : bool
        Whether queries, keys and values of all heads are rows of one matrix, in this order (`cct.from_rows`).
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
    epsilons: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    padded_behind: frozenset[str] = frozenset()
    by_rows: bool = False


def find_architecture(name: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    """The architecture of that name, or of a TOML file.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`, or a path that ends in ".toml".
    tensors : mapping of str to array
        Those of the file. Names are also matched by their order; they show of what form a VGG is.
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
        raise unknown_name("--architecture", name, (*ARCHITECTURES, "FILE.toml"), UNCLEAR)
    if name == cct.CCT or name in cct.HEADS:
        return _cct(name, tensors, input_shape)
    if SPELLINGS.get(name, name) in VGG:
        return _vgg(name, tensors, input_shape)
    if name == RESNET and residual_names.is_projected(tensors):
        return _residual(f"{RESNET}-projected", tensors, input_shape)
    if SPELLINGS.get(name, name) in (*RESIDUAL, *WIDE):
        return _residual(name, tensors, input_shape)
    return _ours(name, tensors, input_shape)


def _ours(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    name = SPELLINGS.get(asked, asked)
    narrow = nn.build(
        name,
        2,
        input_shape,
        _width(tensors) if name == EFFICIENTNET else NARROW,
        rng=np.random.default_rng(0),
    )
    description, others = nn.blueprint_of(narrow), dict[str, naming.Prefixes]()
    epsilons: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unsaid = None
    _set_strides(description, asked)
    if name == RESNET:
        others |= {f"torchvision, head {head}": naming.resnet_names(head) for head in ("fc", "linear")}
        where = "on both sides of" if asked == CENTRED else "behind"
        notes = (f"shortcuts to more filters add channels of zeros {where} those of their input",)
        if asked == RESNET:
            do = "see the padding in its forward pass: akamaster's code adds them on both sides"
            unsaid = _unsaid((CENTRED, BEHIND), "where shortcuts add channels of zeros", do)
    elif name == EFFICIENTNET:
        others["torchvision"] = naming.efficientnet_names()
        if asked == EFFICIENTNET and max(input_shape[:2]) <= SMALL:
            unsaid = _unsaid(STEMS, "the stride of the stem", "torchvision's is 2 at any size of the images")
    elif name in PUBLISHED:
        published = PUBLISHED[name]
        others |= {
            title: prefixes()
            for title, prefixes in published.namings.items()
            if (title == TF) == asked.startswith("tf_")
        }
        epsilons, notes, left_out = published.epsilons, published.notes, published.left_out
        if asked == MOBILENET and max(input_shape[:2]) <= SMALL:
            do = "torchvision's and timm's are 2 at any size of the images"
            unsaid = _unsaid(
                ("mobilenet_v2", "cifar10_mobilenetv2_x1_0"), "the strides of stem and second block", do
            )
        elif asked == LITE0 and "conv_stem.weight" in tensors:
            do = "timm's tf_efficientnet_lite0 pads behind the images"
            unsaid = _unsaid(
                ("efficientnet_lite0", "tf_efficientnet_lite0"), "how strided convolutions pad", do
            )
        elif asked == name and TF in published.namings and "conv_stem.weight" in tensors:
            variant = published.spellings[-1]
            text = f"weights of timm's {variant} have the same names and pad behind the images: name it for these"
            notes = (*notes, text)
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
        epsilons=epsilons,
        left_out=left_out,
        padded_behind=frozenset(PADDED_BEHIND),
    )


def _residual(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    name, notes, unsaid = SPELLINGS.get(asked, asked), list[str](), None
    if name in WIDE:
        options, namings = {}, {"xternalz": residual_names.wide_naming(WIDE[name][0])}
    else:
        options = {"form": residual_names.form_of(tensors)}
        namings = residual_names.residual_namings(RESIDUAL[name])
        if RESIDUAL[name].bottleneck:
            notes.append(
                "blocks that halve the positions do so in their 3 x 3 convolution, as torchvision's do"
            )
    if asked in CIFAR_FORMS:
        notes.append("the stem has stride 1, and no pooling follows it")
    elif name in CIFAR_FORMS.values() and residual_names.is_silent(tensors):
        do = "describe the network in a TOML file if its stem has a stride or is pooled"
        unsaid = _unsaid([f"{name}-{CIFAR}"], "whether the 3 x 3 stem is pooled", do)
    narrow = nn.build(name, 2, input_shape, NARROW, rng=np.random.default_rng(0), **options)
    description = nn.blueprint_of(narrow)
    named = {title: naming.named(description, prefixes) for title, prefixes in namings.items()}
    return Architecture(
        asked,
        description,
        {OWN: naming.own_names(description), **named},
        frozenset((*narrow.parameters(), *narrow.buffers())),
        {array: weight.shape[2:] for array, weight in narrow.parameters().items() if weight.ndim == 4},
        notes=tuple(notes),
        unsaid=unsaid,
    )


def _cct(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    network = cct.narrow_cct(asked, tensors, input_shape)
    description, parameters = nn.blueprint_of(network), network.parameters()
    do = "cct_7 and the others are those of the package, with as many blocks as the file has"
    return Architecture(
        asked,
        description,
        {cct.PACKAGE: naming.named(description, cct.cct_names(description))},
        frozenset(parameters),
        {array: weight.shape[2:] for array, weight in parameters.items() if weight.ndim == 4},
        by_rows=True,
        notes=("positions are taken as trained ones, also those of sines",),
        unsaid=None if asked in cct.HEADS else _unsaid(cct.HEADS, "how many heads a block has", do),
    )


def _unsaid(names: Iterable[str], what: str, do: str) -> InputError:
    found = f"tensors that do not say {what}"
    return InputError("--architecture", " or ".join(names), found, do)


def _set_strides(description: dict[str, Any], asked: str) -> None:
    """The strides that a name of `STRIDES` says, in place of ours."""
    strides = STRIDES.get(asked, {})
    for stage in description["stages"]:
        for key, _, options in stage["layers"]:
            if (layer := f"{stage['name']}.{key}") in strides:
                options["stride"] = strides[layer]


def _width(tensors: Mapping[str, Array]) -> float:
    """Width of an EfficientNet, from its last convolution, which has most filters; it decides where sums are."""
    widest = max((len(tensor) for tensor in tensors.values() if tensor.ndim == 4), default=WIDEST)
    return min(widest / WIDEST, LARGEST)


def _vgg(asked: str, tensors: Mapping[str, Array], input_shape: Shape) -> Architecture:
    name, normed = SPELLINGS.get(asked, asked), True if asked in NORMED else None
    description, pooled = vgg_forms.form_of(name, normed, tensors, input_shape)
    biased = any(f"{conv}.bias" in tensors for conv in naming.modules_in(tensors)[CONVOLUTION])
    left_out = () if biased else (".conv.bias",)
    arrays = [array for array in naming.own_names(description) if not array.endswith(left_out)]
    return Architecture(
        asked,
        description,
        _namings(description, tensors, {"torchvision": naming.vgg_names(description)}),
        frozenset(array for array in arrays if array != f"{HEAD_LAYER}.bias" or asked in NORMED),
        {array: (3, 3) for array in arrays if array.endswith("conv.weight")},
        pooled=pooled,
    )


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
