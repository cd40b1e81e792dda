import itertools

import msgspec
import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.architectures import ARCHITECTURES, RESIDUAL, WIDE, narrow
from deeptheory.prune import MaskedLayer, PruneOptions, check_arms, maskable_stages, masked_layers

RNG = np.random.default_rng(0)


def conv(n_in, n_out, size=3):
    return nn.Conv2d(n_in, n_out, size, 1, size // 2, rng=RNG)


def network_of(*stages, n_labels=10):
    """Stages as (layers, inputs, output shape), named stage1, ..., on images (4, 4, 3), and a head."""
    made = [
        nn.Stage(f"stage{number}", layers, shape, inputs)
        for number, (layers, inputs, shape) in enumerate(stages, start=1)
    ]
    n_features = int(np.prod(stages[-1][2]))
    head = {"flatten": nn.Flatten(), "linear": nn.Linear(n_features, n_labels, rng=RNG)}
    return nn.Network(made, nn.Stage("head", head, (n_labels,)), (4, 4, 3))


@pytest.fixture
def plain():
    hidden = {"flatten": nn.Flatten(), "linear": nn.Linear(6 * 4, 5, rng=RNG), "relu": nn.ReLU()}
    return network_of(
        ({"conv": conv(3, 4), "relu": nn.ReLU()}, {}, (4, 4, 4)),
        ({"conv": conv(4, 6), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}, {}, (2, 2, 6)),
        (hidden, {}, (5,)),
    )


@pytest.fixture
def projected():
    """A residual block whose shortcut is a convolution of as many filters: a stage between the others."""
    ends = {"conv": conv(4, 4), "norm": nn.BatchNorm2d(4), "sum": nn.Sum(), "relu": nn.ReLU()}
    return network_of(
        ({"conv": conv(3, 4), "relu": nn.ReLU()}, {}, (4, 4, 4)),
        ({"conv": conv(4, 4), "norm": nn.BatchNorm2d(4), "relu": nn.ReLU()}, {}, (4, 4, 4)),
        ({"conv": conv(4, 4, 1), "norm": nn.BatchNorm2d(4)}, {"conv": ("stage1",)}, (4, 4, 4)),
        (ends, {"conv": ("stage2",), "sum": ("stage4.norm", "stage3")}, (4, 4, 4)),
    )


def test_layers_are_fed_by_the_stage_before(plain):
    assert masked_layers(plain, ("stage3", "stage2"), head=True) == (
        MaskedLayer("stage2.conv.weight", "stage1", "stage2", (6, 4, 3, 3), 4),
        MaskedLayer("stage3.linear.weight", "stage2", "stage3", (5, 24), 6),
        MaskedLayer("head.linear.weight", "stage3", "head", (10, 5), 5),
    )
    assert [layer.weight for layer in masked_layers(plain, (), head=True)] == ["head.linear.weight"]
    assert [layer.kernel_size for layer in masked_layers(plain, ("stage2", "stage3"), head=True)] == [9, 4, 1]


def test_branches_are_fed_by_what_they_read_and_not_by_what_is_listed_before_them(projected):
    layers = masked_layers(projected, maskable_stages(projected), head=True)
    assert [(layer.stage_in, layer.stage_out) for layer in layers] == [
        ("stage1", "stage2"), ("stage1", "stage3"), ("stage2", "stage4"), ("stage4", "head"),
    ]  # fmt: skip


BRANCHED = (
    "densenet121",
    "googlenet",
    *RESIDUAL,
    *WIDE,
)  # where shortcuts have weights, and concatenations are read


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in BRANCHED])
def test_in_the_networks_by_name_it_is_the_stage_before(name):
    network = narrow(name)
    names = [stage.name for stage in network.stages]
    layers = masked_layers(network, names[1:], head=True)
    assert [(layer.stage_in, layer.stage_out) for layer in layers] == list(
        itertools.pairwise([*names, "head"])
    )


@pytest.mark.parametrize(
    "name", ["densenet121", "googlenet", "resnet18", "resnet50", "resnext50_32x4d", "wrn-16-8"]
)
def test_in_branched_networks_it_is_a_stage_further_below(name):
    network = nn.build(name, 3, (32, 32, 3), 1 / 64, rng=np.random.default_rng(0))
    names = [*(stage.name for stage in network.stages), "head"]
    layers = masked_layers(network, maskable_stages(network), head=True)
    places = [(names.index(layer.stage_in), names.index(layer.stage_out)) for layer in layers]
    assert all(below < above for below, above in places)
    assert places[-1][1] == len(names) - 1
    assert any(above - below > 1 for below, above in places) or name == "densenet121"


def test_filters_of_a_concatenation_are_read_together_and_written_by_no_layer_alone():
    network = nn.build("googlenet", 3, (32, 32, 3), 1 / 64, rng=np.random.default_rng(0))
    assert "stage9" not in maskable_stages(network)
    layers = masked_layers(network, ("stage10", "stage11"), head=True)
    assert [layer.stage_in for layer in layers] == ["stage9", "stage9", "stage57"]
    widths = [network.stage(f"stage{n}").output_shape[-1] for n in (4, 6, 8)]
    assert layers[0].n_inputs == sum(widths) + len(network.parameters()["stage9.conv.weight"])
    assert layers[-1].kernel_size == 1
    with pytest.raises(InputError, match="found 'stage9', whose filters are joined to those of other stages"):
        masked_layers(network, ("stage9",), head=True)


def test_what_is_read_in_the_middle_of_a_stage_is_no_filter_of_it():
    ends = {"conv": conv(4, 4), "sum": nn.Sum(), "norm": nn.BatchNorm2d(4)}
    network = network_of(
        ({"conv": conv(3, 4), "relu": nn.ReLU()}, {}, (4, 4, 4)),
        (ends, {"sum": ("stage2.conv", "stage1")}, (4, 4, 4)),
        ({"conv": conv(4, 4)}, {"conv": ("stage2.conv",)}, (4, 4, 4)),
        ({"conv": conv(4, 4), "sum": nn.Sum()}, {"sum": ("stage4.conv", "stage2")}, (4, 4, 4)),
    )
    assert maskable_stages(network) == ["stage2", "stage4"]
    with pytest.raises(
        InputError, match="found 'stage3', which reads what is no stage's output, a sum inside"
    ):
        masked_layers(network, ("stage3",), head=True)


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        (
            ("stage22",),
            "prune.stages: expected one of stage1, stage2, stage3, found 'stage22'; did you mean 'stage2'",
        ),
        (("stage1",), "found 'stage1', which reads the image; leave it out, or take some of stage2, stage3"),
        (("stage2", "stage2"), "expected every stage once, found stage2 more than once"),
    ],
)
def test_stages_that_cannot_be_masked(plain, stages, text):
    with pytest.raises(InputError, match=text):
        masked_layers(plain, stages, head=True)


def test_nothing_to_mask(plain):
    with pytest.raises(
        InputError, match=r"expected a stage or the head to mask, found neither; set prune\.stages"
    ):
        masked_layers(plain, (), head=False)


def test_a_stage_without_weight():
    network = network_of(({"conv": conv(3, 4)}, {}, (4, 4, 4)), ({"relu": nn.ReLU()}, {}, (4, 4, 4)))
    with pytest.raises(
        InputError, match="stage 'stage2': expected a layer called conv or linear or attention"
    ):
        masked_layers(network, ("stage2",), head=False)


@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (2, 7)])
def test_weight_that_does_not_divide_into_kernels(shape):
    with pytest.raises(
        InputError, match="weight 'w': expected inputs from the 3 filters of stage1, found shape"
    ):
        MaskedLayer("w", "stage1", "stage2", shape, 3)


def test_arms():
    check_arms(PruneOptions().arms)
    with pytest.raises(InputError, match=r"prune\.arms: .* found 'radnom'; did you mean 'random'"):
        check_arms(("afcc", "radnom"))
    with pytest.raises(InputError, match=r"found 'unpruned'; leave it out: it is always run"):
        check_arms(("afcc", "unpruned"))
    with pytest.raises(InputError, match=r"expected 'afcc' among them, found random; add it"):
        check_arms(("random",))


@pytest.mark.parametrize(
    ("arms", "density", "density_from", "words"),
    [
        (("afcc",), 0, "afc", "prune.density_from: expected one of .*'afc'; did you mean 'afcc'"),
        (
            ("afcc", "random"),
            0,
            "random",
            "prune.density_from: expected one of afcc, label-permuted, published",
        ),
        (("afcc",), 0, "label-permuted", r"an arm of prune.arms \(afcc\), found .*; add 'label-permuted'"),
        (
            ("afcc", "label-permuted"),
            0.2,
            "label-permuted",
            "expected 'afcc' where prune.density is given, found",
        ),
        (
            ("afcc", "published-indexing"),
            0,
            "afcc",
            "has one density.*set prune.density_from = 'published-index",
        ),
        (
            ("afcc", "published-indexing"),
            0.1,
            "afcc",
            "found prune.density = 0.1; set .*or leave the arm out",
        ),
    ],
)
def test_whose_density_the_arms_take(arms, density, density_from, words):
    with pytest.raises(InputError, match=words):
        check_arms(arms, density, density_from)
    check_arms(("afcc", "label-permuted", "published-indexing"), 0, "published-indexing")
    check_arms(("afcc", "label-permuted"), 0, "label-permuted")
    check_arms(("afcc", "label-permuted"), 0.2)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0])
def test_threshold_range(threshold):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"threshold": threshold}, PruneOptions)
