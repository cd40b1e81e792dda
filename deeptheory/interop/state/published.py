"""Published networks of torchvision, timm and others: names of their tensors, and the epsilon of their norms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from deeptheory.nn.architectures import convnext, densenet, googlenet, mobilenet
from deeptheory.prune.masked_layers import HEAD_LAYER

Prefixes = dict[str, str]  # our name of a `torch_modules.Module` to that of the module in PyTorch
TORCHVISION, TIMM, LUKEMELAS = "torchvision", "timm", "lukemelas"
TF = "timm, tf_"  # weights of TensorFlow: the names of timm, another padding (`same_padding`) and epsilon
PADDED_BEHIND = (TF, LUKEMELAS)
LITE0 = "efficientnet-lite0"


class Published(NamedTuple):
    """What a file of another package says of one of our networks.

    Attributes
    ----------
    namings : mapping of str to function
        By the name of the package: makes the prefixes.
    spellings : tuple of str
        The names of the network there.
    epsilons : mapping of str to float
        Of its batch norms, by the name of the package, where it is not 1e-5.
    left_out : tuple of str
        Parts with tensors in files that only the training there uses.
    notes : tuple of str
        In what PyTorch's own module may differ.
    """

    namings: Mapping[str, Callable[[], Prefixes]]
    spellings: tuple[str, ...]
    epsilons: Mapping[str, float] = MappingProxyType({})
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _stages(blocks: Sequence[mobilenet.Bottleneck]) -> Iterator[tuple[mobilenet.Bottleneck, str, str, bool]]:
    """Every block with its two stages, and whether it has an expansion, which the first lacks."""
    for number, block in enumerate(blocks):
        yield block, f"stage{2 * number + 1}", f"stage{2 * number + 2}", number > 0


def _mobilenet_v2() -> Prefixes:
    """`features.0.0`, then `features.N.conv.0.0` etc.; the projection of a block is not nested."""
    prefixes = {"stage1.conv": "features.0.0", "stage1.norm": "features.0.1", HEAD_LAYER: "classifier.1"}
    for number, (_, first, second, expanded) in enumerate(_stages(mobilenet.V2), start=1):
        block = f"features.{number}.conv"
        if expanded:
            prefixes |= {f"{first}.conv": f"{block}.0.0", f"{first}.norm": f"{block}.0.1"}
        prefixes |= {
            f"{first}.depthwise": f"{block}.{int(expanded)}.0",
            f"{first}.depthwise_norm": f"{block}.{int(expanded)}.1",
            f"{second}.conv": f"{block}.{expanded + 1}",
            f"{second}.norm": f"{block}.{expanded + 2}",
        }
    return prefixes | _last(mobilenet.V2, "features.{}.0", "features.{}.1")


def _mobilenet_v3(blocks: Sequence[mobilenet.Bottleneck]) -> Prefixes:
    """`features.0.0`, then `features.N.block.0.0` etc., squeeze-and-excitation as one of the parts of a block."""
    prefixes = {"stage1.conv": "features.0.0", "stage1.norm": "features.0.1", HEAD_LAYER: "classifier.3"}
    prefixes[f"stage{2 * len(blocks) + 2}.linear"] = "classifier.0"
    for number, (block, first, second, expanded) in enumerate(_stages(blocks), start=1):
        part, place = f"features.{number}.block", int(expanded)
        if expanded:
            prefixes |= {f"{first}.conv": f"{part}.0.0", f"{first}.norm": f"{part}.0.1"}
        prefixes |= {
            f"{first}.depthwise": f"{part}.{place}.0",
            f"{first}.depthwise_norm": f"{part}.{place}.1",
            f"{first}.squeeze.reduce": f"{part}.{place + 1}.fc1",
            f"{first}.squeeze.expand": f"{part}.{place + 1}.fc2",
        }
        place += 1 + block.squeezed
        prefixes |= {f"{second}.conv": f"{part}.{place}.0", f"{second}.norm": f"{part}.{place}.1"}
    return prefixes | _last(blocks, "features.{}.0", "features.{}.1")


def _last(blocks: Sequence[mobilenet.Bottleneck], conv: str, norm: str) -> Prefixes:
    """The last convolution, which counts on after the blocks."""
    stage, number = f"stage{2 * len(blocks) + 1}", len(blocks) + 1
    return {f"{stage}.conv": conv.format(number), f"{stage}.norm": norm.format(number)}


def _timm_mobilenet(blocks: Sequence[mobilenet.Bottleneck], hidden: bool) -> Prefixes:
    """`conv_stem`, `blocks.GROUP.N.conv_pw` etc.; a group has blocks of equally many filters."""
    prefixes = {"stage1.conv": "conv_stem", "stage1.norm": "bn1", HEAD_LAYER: "classifier"}
    group, number = -1, 0
    for place, (block, first, second, expanded) in enumerate(_stages(blocks)):
        same = place > 0 and block.filters == blocks[place - 1].filters
        group, number = (group, number + 1) if same else (group + 1, 0)
        part = f"blocks.{group}.{number}"
        if expanded:
            prefixes |= {f"{first}.conv": f"{part}.conv_pw", f"{first}.norm": f"{part}.bn1"}
        prefixes |= {
            f"{first}.depthwise": f"{part}.conv_dw",
            f"{first}.depthwise_norm": f"{part}.bn{expanded + 1}",
            f"{first}.squeeze.reduce": f"{part}.se.conv_reduce",
            f"{first}.squeeze.expand": f"{part}.se.conv_expand",
            f"{second}.conv": f"{part}.conv_pwl" if expanded else f"{part}.conv_pw",
            f"{second}.norm": f"{part}.bn{expanded + 2}",
        }
    if not hidden:
        return prefixes | _last(blocks, "conv_head", "bn2")
    last = f"blocks.{group + 1}.0"
    prefixes[f"stage{2 * len(blocks) + 2}.linear"] = "conv_head"
    return prefixes | _last(blocks, f"{last}.conv", f"{last}.bn1")


def _lukemelas(blocks: Sequence[mobilenet.Bottleneck]) -> Prefixes:
    """`_conv_stem`, `_blocks.N._expand_conv` etc., of the package efficientnet_pytorch."""
    prefixes = {"stage1.conv": "_conv_stem", "stage1.norm": "_bn0", HEAD_LAYER: "_fc"}
    for number, (_, first, second, expanded) in enumerate(_stages(blocks)):
        part = f"_blocks.{number}"
        if expanded:
            prefixes |= {f"{first}.conv": f"{part}._expand_conv", f"{first}.norm": f"{part}._bn0"}
        prefixes |= {
            f"{first}.depthwise": f"{part}._depthwise_conv",
            f"{first}.depthwise_norm": f"{part}._bn1",
            f"{second}.conv": f"{part}._project_conv",
            f"{second}.norm": f"{part}._bn2",
        }
    return prefixes | _last(blocks, "_conv_head", "_bn1")


def _convnext(names: Mapping[str, str], first: str, smaller: str, block: str) -> Prefixes:
    """Blocks group by group; `names` are those of the parts of a block and of stem and head."""
    prefixes = {"stage1.conv": f"{first}.0", "stage1.layer_norm": f"{first}.1", HEAD_LAYER: names["head"]}
    stage = 1
    for group, count in enumerate(convnext.BLOCKS):
        if group > 0:
            stage, part = stage + 1, smaller.format(group, 2 * group)
            prefixes |= {f"stage{stage}.layer_norm": f"{part}.0", f"stage{stage}.conv": f"{part}.1"}
        for number in range(count):
            part = block.format(group, number, 2 * group + 1)
            prefixes |= {
                f"stage{stage + 1}.depthwise": part + names["depthwise"],
                f"stage{stage + 1}.layer_norm": part + names["layer_norm"],
                f"stage{stage + 1}.conv": part + names["expand"],
                f"stage{stage + 2}.conv": part + names["reduce"],
                f"stage{stage + 2}.scale": part + names["scale"],
            }
            stage += 2
    return prefixes | {f"stage{stage}.layer_norm": names["last"]}


CONVNEXT = {
    TORCHVISION: {
        "depthwise": ".block.0", "layer_norm": ".block.2", "expand": ".block.3", "reduce": ".block.5",
        "scale": ".layer_scale", "last": "classifier.0", "head": "classifier.2",
    },
    TIMM: {
        "depthwise": ".conv_dw", "layer_norm": ".norm", "expand": ".mlp.fc1", "reduce": ".mlp.fc2",
        "scale": ".gamma", "last": "head.norm", "head": "head.fc",
    },
}  # fmt: skip


def _densenet() -> Prefixes:
    """`features.conv0`, `features.denseblock1.denselayer1.norm1` etc., which timm has taken over."""
    prefixes = {"stage1.conv": "features.conv0", "stage1.norm": "features.norm0", HEAD_LAYER: "classifier"}
    stage = 1
    for block, count in enumerate(densenet.BLOCKS, start=1):
        for number in range(1, count + 1):
            part = f"features.denseblock{block}.denselayer{number}"
            prefixes |= {
                f"stage{stage + 1}.input_norm": f"{part}.norm1",
                f"stage{stage + 1}.conv": f"{part}.conv1",
                f"stage{stage + 1}.norm": f"{part}.norm2",
                f"stage{stage + 2}.conv": f"{part}.conv2",
            }
            stage += 2
        if block < len(densenet.BLOCKS):
            stage, part = stage + 1, f"features.transition{block}"
            prefixes |= {f"stage{stage}.input_norm": f"{part}.norm", f"stage{stage}.conv": f"{part}.conv"}
    return prefixes | {f"stage{stage}.norm": "features.norm5"}


def _googlenet() -> Prefixes:
    """`conv1.conv`, then `inception3a.branch2.0.conv` etc.; behind the pooling of `branch4` `branch4.1`."""
    parts = ["conv1", "conv2", "conv3"]
    for block in googlenet.BLOCKS:
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        parts += [f"inception{block.name}.{branch}" for branch in branches]
    prefixes = {HEAD_LAYER: "fc"}
    for number, part in enumerate(parts, start=1):
        prefixes |= {f"stage{number}.conv": f"{part}.conv", f"stage{number}.norm": f"{part}.bn"}
    return prefixes


PUBLISHED: Mapping[str, Published] = {
    "convnext-tiny": Published(
        {
            TORCHVISION: partial(
                _convnext, CONVNEXT[TORCHVISION], "features.0", "features.{1}", "features.{2}.{1}"
            ),
            TIMM: partial(
                _convnext, CONVNEXT[TIMM], "stem", "stages.{0}.downsample", "stages.{0}.blocks.{1}"
            ),
        },
        ("convnext_tiny",),
    ),
    "densenet121": Published({TORCHVISION: _densenet}, ()),
    "googlenet": Published(
        {TORCHVISION: _googlenet},
        (),
        {TORCHVISION: 1e-3},
        ("aux1", "aux2"),
        (
            "torchvision's pretrained module has transform_input: its tensors take pixels scaled to [-1, 1], "
            "whatever --mean and --std its images had",
        ),
    ),
    LITE0: Published(
        {
            TIMM: partial(_timm_mobilenet, mobilenet.LITE0, False),
            TF: partial(_timm_mobilenet, mobilenet.LITE0, False),
            LUKEMELAS: partial(_lukemelas, mobilenet.LITE0),
        },
        ("efficientnet_lite0", "tf_efficientnet_lite0"),
        {TF: 1e-3, LUKEMELAS: 1e-3},
    ),
    "mobilenet-v2": Published(
        {TORCHVISION: _mobilenet_v2, TIMM: partial(_timm_mobilenet, mobilenet.V2, False)},
        ("mobilenet_v2", "mobilenetv2_100"),
    ),
    **{
        f"mobilenet-v3-{size}": Published(
            {
                TORCHVISION: partial(_mobilenet_v3, blocks),
                TIMM: partial(_timm_mobilenet, blocks, True),
                TF: partial(_timm_mobilenet, blocks, True),
            },
            (f"mobilenet_v3_{size}", f"mobilenetv3_{size}_100", f"tf_mobilenetv3_{size}_100"),
            {TORCHVISION: 1e-3, TF: 1e-3},
        )
        for size, blocks in (("small", mobilenet.V3_SMALL), ("large", mobilenet.V3_LARGE))
    },
}
