"""Names of the tensors of residual networks: torchvision's, kuangliu's, weiaicunzai's; xternalz' of wide ones."""

from collections.abc import Iterable, Mapping

from deeptheory.interop.state.naming import Prefixes
from deeptheory.nn.architectures import wide_residual
from deeptheory.nn.architectures.residual import CIFAR, IMAGENET, Block, Residual, blocks_of
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masked_layers import HEAD_LAYER

STEMS = ("conv1.weight", "conv1.0.weight", "stage1.conv.weight")
DOWNSAMPLE, SHORTCUT = "downsample", "shortcut"  # of torchvision; of networks for small images


def residual_namings(kind: Residual) -> dict[str, Prefixes]:
    """Our names of modules to theirs, by the name of the naming; tried in this order."""
    blocks = list(blocks_of(kind))
    pairs = (("torchvision", DOWNSAMPLE, "fc"), ("kuangliu", SHORTCUT, "linear"))
    others = ((f"{shortcut}, head {head}", shortcut, head) for _, shortcut, _ in pairs for *_, head in pairs)
    found = {
        title: _prefixes(kind, blocks, shortcut, head)
        for title, shortcut, head in (*pairs, *others)
    }  # fmt: skip
    return found | {"weiaicunzai": _sequential(kind, blocks)}


def wide_naming(depth: int) -> Prefixes:
    """`conv1`, `block1.layer.0.bn1`, ..., `block1.layer.0.convShortcut`, and last `bn1` and the head, `fc`."""
    blocks = list(wide_residual.blocks_of(depth))
    places = [f"block{block.group + 1}.layer.{block.number}" for block in blocks]
    prefixes = {"stage1.conv": "conv1", "stage1.norm": f"{places[0]}.bn1", HEAD_LAYER: "fc"}
    for block, place, following in zip(
        blocks, places, [*(f"{place}." for place in places[1:]), ""], strict=True
    ):
        prefixes |= {f"{block.first}.conv": f"{place}.conv1", f"{block.first}.norm": f"{place}.bn2"}
        prefixes |= {f"{block.last}.conv": f"{place}.conv2", f"{block.last}.norm": f"{following}bn1"}
        if block.shortcut:
            prefixes[f"{block.shortcut}.conv"] = f"{place}.convShortcut"
    return prefixes


def form_of(tensors: Mapping[str, Array]) -> str:
    """The form of the stem, by the size of its kernels."""
    shapes = [tensors[name].shape for name in STEMS if name in tensors]
    return IMAGENET if not shapes or shapes[0][2:] == (7, 7) else CIFAR


def is_projected(tensors: Mapping[str, Array]) -> bool:
    """Whether shortcuts have weights."""
    return any(f".{key}.0.weight" in name for name in tensors for key in (DOWNSAMPLE, SHORTCUT))


def is_silent(tensors: Mapping[str, Array]) -> bool:
    """Whether tensors have a small stem and the names of the network with a large one, so that it may pool."""
    return form_of(tensors) == CIFAR and any(f".{DOWNSAMPLE}." in name for name in tensors)


def _prefixes(kind: Residual, blocks: Iterable[Block], shortcut: str, head: str) -> Prefixes:
    """`conv1`, `bn1`, `layer1.0.conv1`, ..., `layer2.0.downsample.0` or `shortcut.0`, and the head."""
    prefixes = {"stage1.conv": "conv1", "stage1.norm": "bn1", HEAD_LAYER: head}
    for block in blocks:
        place = f"layer{block.group + 1}.{block.number}"
        for number, (conv, norm) in enumerate(_modules(kind, block), start=1):
            prefixes |= {conv: f"{place}.conv{number}", norm: f"{place}.bn{number}"}
        prefixes |= _of_shortcut(block, f"{place}.{shortcut}")
    return prefixes


def _sequential(kind: Residual, blocks: Iterable[Block]) -> Prefixes:
    """`conv1.0`, `conv2_x.0.residual_function.0`, ..., `conv3_x.0.shortcut.0`, and the head, `fc`."""
    prefixes = {"stage1.conv": "conv1.0", "stage1.norm": "conv1.1", HEAD_LAYER: "fc"}
    for block in blocks:
        place = f"conv{block.group + 2}_x.{block.number}"
        for number, (conv, norm) in enumerate(_modules(kind, block)):
            branch = f"{place}.residual_function"  # convolution, batch norm, ReLU, ...
            prefixes |= {conv: f"{branch}.{3 * number}", norm: f"{branch}.{3 * number + 1}"}
        prefixes |= _of_shortcut(block, f"{place}.{SHORTCUT}")
    return prefixes


def _modules(kind: Residual, block: Block) -> list[tuple[str, str]]:
    """Our names of the convolutions of a branch, each with that of its batch norm."""
    keys = [("conv", "norm") for _ in block.stages]
    if kind.groups > 1:
        keys[1] = "grouped", "grouped_norm"
    return [
        (f"{stage}.{conv}", f"{stage}.{norm}") for stage, (conv, norm) in zip(block.stages, keys, strict=True)
    ]


def _of_shortcut(block: Block, place: str) -> Prefixes:
    if not block.shortcut:
        return {}
    return {f"{block.shortcut}.conv": f"{place}.0", f"{block.shortcut}.norm": f"{place}.1"}
