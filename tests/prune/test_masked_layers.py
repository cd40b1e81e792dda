import msgspec
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import MaskedLayer, PruneOptions, check_arms, check_stages, masked_layers

SHAPES = {
    "stage1.conv.weight": (4, 3, 3, 3),
    "stage1.norm.scale": (4,),
    "stage2.conv.weight": (6, 4, 3, 3),
    "stage3.linear.weight": (5, 6 * 4),
    "head.linear.weight": (10, 5),
}
STAGES = ("stage1", "stage2", "stage3")


def test_layers_are_fed_by_the_stage_before():
    assert masked_layers(SHAPES, STAGES, ("stage3", "stage2"), head=True) == (
        MaskedLayer("stage2.conv.weight", "stage1", "stage2", (6, 4, 3, 3), 4),
        MaskedLayer("stage3.linear.weight", "stage2", "stage3", (5, 24), 6),
        MaskedLayer("head.linear.weight", "stage3", "head", (10, 5), 5),
    )
    assert [layer.weight for layer in masked_layers(SHAPES, STAGES, (), head=True)] == ["head.linear.weight"]
    assert [layer.kernel_size for layer in masked_layers(SHAPES, STAGES, STAGES[1:], head=True)] == [9, 4, 1]


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        (
            ("stage22",),
            "prune.stages: expected one of stage1, stage2, stage3, found 'stage22'; did you mean 'stage2'",
        ),
        (("stage1",), "found 'stage1', which reads the image; leave it out, or start at 'stage2'"),
        (("stage2", "stage2"), "expected every stage once, found stage2 more than once"),
    ],
)
def test_stages_that_cannot_be_masked(stages, text):
    with pytest.raises(InputError, match=text):
        check_stages(stages, STAGES)


def test_nothing_to_mask():
    with pytest.raises(
        InputError, match=r"expected a stage or the head to mask, found neither; set prune\.stages"
    ):
        masked_layers(SHAPES, STAGES, (), head=False)


def test_a_stage_without_weight():
    with pytest.raises(
        InputError, match="stage 'stage2': expected a conv or linear layer with a weight, found neither"
    ):
        masked_layers({"stage1.conv.weight": (4, 3, 3, 3)}, ("stage1", "stage2"), ("stage2",), head=False)


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
