"""Names of the tensors of a network: ours, torchvision's, and by the order of the names."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deeptheory.interop.state.state_files import IGNORED
from deeptheory.interop.torch_modules import CONVOLUTION, LINEAR, NORM, Module, modules_of
from deeptheory.nn.architectures.efficientnet import BLOCKS as INVERTED_BOTTLENECKS
from deeptheory.nn.architectures.resnet import BLOCKS as RESIDUAL_BLOCKS
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masked_layers import HEAD_LAYER

Names = dict[str, str]  # our dotted name to that of the tensor
Prefixes = dict[str, str]  # our name of a `Module` to that of the module in PyTorch


def own_names(description: Mapping[str, Any]) -> Names:
    """Our dotted names."""
    return {array: array for module in modules_of(description) for array in module.arrays.values()}


def named(description: Mapping[str, Any], prefixes: Prefixes) -> Names:
    """Names of the tensors from those of the modules; a module without a name has no tensors."""
    return {
        array: f"{prefixes[module.name]}.{key}" if key else prefixes[module.name]
        for module in modules_of(description)
        if module.name in prefixes
        for key, array in module.arrays.items()
    }


def vgg_names(description: Mapping[str, Any]) -> Prefixes:
    """`features.N` counts convolutions, norms, activations and pooling; `classifier.N` the layers above.

    Without hidden layers the head is `classifier` itself, as in networks for small images.
    """
    features, classifier, prefixes = 0, 0, {}
    linear = sum(kind == "Linear" for stage in description["stages"] for _, kind, _ in stage["layers"])
    for stage in description["stages"]:
        for key, kind, _ in stage["layers"]:
            if kind == "Linear":
                prefixes[f"{stage['name']}.{key}"] = (
                    f"classifier.{classifier}" if linear > 1 else "classifier"
                )
                classifier += 3  # linear, ReLU, dropout
            elif kind in ("Conv2d", "BatchNorm2d"):
                prefixes[f"{stage['name']}.{key}"] = f"features.{features}"
            if any(layer == "Conv2d" for _, layer, _ in stage["layers"]) and kind != "AvgPool2d":
                features += 1
    return prefixes


def resnet_names(head: str) -> Prefixes:
    """`conv1`, `bn1`, `layer1.0.conv1`, ..., and the head, `fc` or `linear`."""
    prefixes = {"stage1.conv": "conv1", "stage1.norm": "bn1", HEAD_LAYER: head}
    for block in range(3 * RESIDUAL_BLOCKS):
        prefix = f"layer{block // RESIDUAL_BLOCKS + 1}.{block % RESIDUAL_BLOCKS}"
        for half in (1, 2):
            stage = f"stage{2 * block + half + 1}"
            prefixes |= {f"{stage}.conv": f"{prefix}.conv{half}", f"{stage}.norm": f"{prefix}.bn{half}"}
    return prefixes


def efficientnet_names() -> Prefixes:
    """`features.0.0`, `features.1.0.block.0.0`, ...; a block is two of our stages, the stem part of the first."""
    prefixes = {"stage1.conv": "features.0.0", "stage1.norm": "features.0.1", HEAD_LAYER: "classifier.1"}
    blocks = [
        f"features.{group}.{repeat}.block"
        for group, (_, _, repeats, _, _) in enumerate(INVERTED_BOTTLENECKS, start=1)
        for repeat in range(repeats)
    ]
    for number, block in enumerate(blocks):
        first, second, expanded = f"stage{2 * number + 1}", f"stage{2 * number + 2}", int(number > 0)
        if expanded:
            prefixes |= {f"{first}.conv": f"{block}.0.0", f"{first}.norm": f"{block}.0.1"}
        prefixes |= {
            f"{first}.depthwise": f"{block}.{expanded}.0",
            f"{first}.depthwise_norm": f"{block}.{expanded}.1",
            f"{first}.squeeze.reduce": f"{block}.{expanded + 1}.fc1",
            f"{first}.squeeze.expand": f"{block}.{expanded + 1}.fc2",
            f"{second}.conv": f"{block}.{expanded + 2}.0",
            f"{second}.norm": f"{block}.{expanded + 2}.1",
        }
    last = f"stage{2 * len(blocks) + 1}"
    end = f"features.{len(INVERTED_BOTTLENECKS) + 1}"
    return prefixes | {f"{last}.conv": f"{end}.0", f"{last}.norm": f"{end}.1"}


def names_in_order(description: Mapping[str, Any], tensors: Mapping[str, Array]) -> Names | None:
    """Convolutions, norms and linear layers matched one to one, each kind in the natural order of its names.

    Returns
    -------
    dict, or None where file and network differ in the number of modules of a kind.
    """
    ours: dict[str, list[Module]] = {CONVOLUTION: [], NORM: [], LINEAR: []}
    for module in modules_of(description):
        if module.kind in ours:
            ours[module.kind].append(module)
    theirs = modules_in(tensors)
    if any(len(ours[kind]) != len(theirs[kind]) for kind in ours):
        return None
    prefixes = {
        module.name: name for kind in ours for module, name in zip(ours[kind], theirs[kind], strict=True)
    }
    return named(description, prefixes)


def modules_in(tensors: Mapping[str, Array]) -> dict[str, list[str]]:
    """Names of the convolutions, norms and linear layers of a file, each in their natural order."""
    modules: dict[str, list[str]] = {CONVOLUTION: [], NORM: [], LINEAR: []}
    kinds = {4: CONVOLUTION, 2: LINEAR, 1: NORM}
    for name, tensor in tensors.items():
        module, _, key = name.rpartition(".")
        if key == "weight" and tensor.ndim in kinds:
            modules[kinds[tensor.ndim]].append(module)
    return {kind: natural(names) for kind, names in modules.items()}


def natural(names: Iterable[str]) -> list[str]:
    """Sorted, with numbers by their value: "features.10" after "features.9"."""

    def key(name: str) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", name)
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]

    return sorted(names, key=key)


def counted(tensors: Mapping[str, Array]) -> str:
    """The number of modules of each kind in a file, in words."""
    return ", ".join(
        f"{len(names)} {kind}{'s' * (len(names) != 1)}" for kind, names in modules_in(tensors).items()
    )


def is_ignored(name: str) -> bool:
    """Whether no output depends on a tensor."""
    return name.rpartition(".")[2] == IGNORED
