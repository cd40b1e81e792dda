"""The bounds are never broken, by no input, network or mask, and reached where nothing can cancel."""

import numpy as np
import pytest

from deeptheory import data, measure, nn, theory
from deeptheory.data import augmentation
from deeptheory.errors import InputError
from deeptheory.prune import apply_masks
from deeptheory.runs.steps.training import stored_splits, trained_network

pytestmark = pytest.mark.usefixtures("one_thread")

N_LABELS = 4
SHAPES = {"vgg6": (16, 16, 1), "lenet": (16, 16, 1), "mlp": (8, 8, 1), "resnet20": (8, 8, 1)}
WIDTHS = {"vgg6": 0.1, "lenet": 1, "mlp": 0.05, "resnet20": 0.5}


def network_of(name, seed=0):
    """In float64, with running statistics and slopes of either sign as after a training."""
    rng = np.random.default_rng(seed)
    network = nn.build(name, N_LABELS, SHAPES[name], WIDTHS[name], rng=rng, dtype=np.float64)
    for named in (network.parameters(), network.buffers()):
        for key, array in named.items():
            if array.ndim == 1:
                spread = rng.standard_normal(array.shape)
                named[key] = np.exp(0.3 * spread) if key.endswith("running_var") else array + 0.3 * spread
    return network


def images_of(network, n=30, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, *network.input_shape), dtype=np.uint8), rng.integers(N_LABELS, size=n)


def weights_of(network):
    return [name for name, array in network.parameters().items() if array.ndim > 1]


def random_masks(network, names, density, seed=2):
    rng = np.random.default_rng(seed)
    return {name: rng.random(network.parameters()[name].shape) < density for name in names}


def fields_of(network, images):
    return network.forward(augmentation.scale(images).astype(network.dtype))[0].astype(np.float64)


def assert_within(bounds, masked, labels):
    """Fields of a masked network against their bounds."""
    assert np.all(np.abs(masked - bounds.fields).max(axis=1) <= bounds.change)
    margins = theory.field_margins(masked, labels)
    assert np.all(margins >= bounds.margins)
    by_two_changes = theory.field_margins(bounds.fields, labels) - 2 * bounds.change
    assert np.all(bounds.margins >= by_two_changes - 1e-9 * np.abs(by_two_changes))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("density", [0.3, 0.95, 0.999])
@pytest.mark.parametrize("which", ["first", "last hidden", "head", "all"])
def test_no_mask_of_any_layer_breaks_them(name, density, which):
    network = network_of(name)
    images, labels = images_of(network)
    names = weights_of(network)
    chosen = {"first": names[:1], "last hidden": names[-2:-1], "head": names[-1:], "all": names}[which]
    masks = random_masks(network, chosen, density)
    before = network.state()
    bounds = measure.field_bounds(network, images, labels, masks, quiet=True)
    for key, array in network.state().items():
        np.testing.assert_array_equal(array, before[key])
    np.testing.assert_allclose(bounds.fields, fields_of(network, images), rtol=1e-9, atol=1e-9)
    apply_masks(network, masks)
    assert_within(bounds, fields_of(network, images), labels)


def test_pixels_in_other_units_pass_on_to_the_bounds():
    plain = network_of("vgg6")
    first, *others = plain.stages
    layers = {"standardise": nn.Standardise((0.3,), (0.5,)), **first.layers}
    network = nn.assemble([nn.Stage("stage1", layers, ()), *others, plain.head], SHAPES["vgg6"], np.float64)
    images, labels = images_of(network)
    masks = random_masks(network, weights_of(network), 0.95)
    bounds = measure.field_bounds(network, images, labels, masks, quiet=True)
    np.testing.assert_allclose(bounds.fields, fields_of(network, images), rtol=1e-9, atol=1e-9)
    apply_masks(network, masks)
    assert_within(bounds, fields_of(network, images), labels)


def test_the_removed_weights_of_one_layer_may_be_anything_up_to_twice_their_value():
    network = network_of("vgg6")
    images, labels = images_of(network)
    name = weights_of(network)[2]
    masks = random_masks(network, [name], 0.9)
    bounds = measure.field_bounds(network, images, labels, masks, quiet=True)
    weight, rng = network.parameters()[name].copy(), np.random.default_rng(3)
    for _ in range(5):
        factor = rng.choice([0.0, 2.0], weight.shape)
        network.parameters()[name] = np.where(masks[name], weight, factor * weight)
        assert_within(bounds, fields_of(network, images), labels)


def test_one_weight_of_the_head_changes_its_field_by_exactly_the_bound():
    network = network_of("vgg6")
    images, labels = images_of(network)
    weight = network.parameters()["head.linear.weight"]
    mask = np.ones(weight.shape, bool)
    mask[2, 5] = False
    bounds = measure.field_bounds(network, images, labels, {"head.linear.weight": mask}, quiet=True)
    features = measure.stage_features(network, images, "stage5", quiet=True).astype(np.float64)
    np.testing.assert_allclose(bounds.change, np.abs(weight[2, 5] * features[:, 5]), rtol=1e-6, atol=1e-12)
    apply_masks(network, {"head.linear.weight": mask})
    change = np.abs(fields_of(network, images) - bounds.fields).max(axis=1)
    np.testing.assert_allclose(change, bounds.change, rtol=1e-6, atol=1e-12)


def test_masks_that_keep_everything_leave_the_margins_as_they_are():
    network = network_of("resnet20")
    images, labels = images_of(network)
    for masks in ({}, random_masks(network, weights_of(network), 2.0)):
        bounds = measure.field_bounds(network, images, labels, masks, quiet=True)
        np.testing.assert_allclose(bounds.change, 0, atol=1e-9)
        np.testing.assert_allclose(bounds.margins, theory.field_margins(bounds.fields, labels), atol=1e-9)


def test_a_weight_removed_from_both_fields_costs_their_margin_only_the_difference():
    network = network_of("vgg6")
    images, labels = images_of(network)
    weight = network.parameters()["head.linear.weight"]
    weight[:, 3] = 7.0
    network.parameters()["head.linear.weight"] = weight
    mask = np.ones(weight.shape, bool)
    mask[:, 3] = False
    bounds = measure.field_bounds(network, images, labels, {"head.linear.weight": mask}, quiet=True)
    assert bounds.change.max() > 0
    np.testing.assert_allclose(bounds.margins, theory.field_margins(bounds.fields, labels), atol=1e-9)


def test_a_trained_network_keeps_to_them(run):
    network = trained_network(run)
    images, labels = data.select(run.dataset, stored_splits(run), "test")
    for names in (
        ["head.linear.weight"],
        ["stage5.conv.weight"],
        ["stage4.conv.weight", "stage5.conv.weight"],
    ):
        masks = random_masks(network, names, 0.9)
        bounds = measure.field_bounds(network, images, labels, masks, quiet=True)
        masked = trained_network(run)
        apply_masks(masked, masks)
        fields = fields_of(masked, images)
        assert_within(bounds, fields, labels)
        guaranteed = np.mean(bounds.margins > 0)
        assert guaranteed <= np.mean(fields.argmax(axis=1) == labels)


def test_a_layer_that_cannot_be_bounded_is_named():
    network = nn.build("efficientnet-b0", 4, (16, 16, 1), 0.25, rng=np.random.default_rng(0))
    images, labels = images_of(network, 4)
    with pytest.raises(
        InputError, match=r"layer stage1\.silu of a network to bound: expected one of Conv2d, "
    ):
        measure.field_bounds(network, images, labels, {}, quiet=True)


def test_masks_and_labels_that_do_not_fit_are_refused():
    network = network_of("vgg6")
    images, labels = images_of(network, 4)
    head = "head.linear.weight"

    def bounds(masks, labels=labels):
        return measure.field_bounds(network, images, labels, masks, quiet=True)

    with pytest.raises(InputError, match=r"mask: expected one of .*, found 'head\.linear'; did you mean"):
        bounds({"head.linear": np.ones(3, bool)})
    with pytest.raises(InputError, match=r"mask of 'head\.linear\.weight': expected True and False of shape"):
        bounds({head: np.ones((N_LABELS, 2), bool)})
    with pytest.raises(InputError, match="found float64 of shape"):
        bounds({head: np.ones(network.parameters()[head].shape)})
    with pytest.raises(InputError, match="found label 4"):
        bounds({}, np.array([0, 1, 2, 4]))
