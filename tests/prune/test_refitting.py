"""Closed-form refit of masked networks: exact where nothing is lost, least squares where something is."""

import numpy as np
import pytest

from deeptheory import measure, nn, prune, theory
from deeptheory.data.augmentation import scale

IMAGES = np.random.default_rng(9).integers(0, 256, (300, 16, 16, 3), np.uint8)


def network(name, width=0.1):
    """A network whose norms are not the identity and whose running means are those of the images."""
    rng = np.random.default_rng(3)
    net = nn.build(name, 4, (16, 16, 3), width, rng=rng)
    for key, array in net.parameters().items():
        if key.endswith((".bias", "norm.weight")):
            net.parameters()[key] = (array + rng.uniform(-0.3, 0.3, array.shape)).astype(np.float32)
    for _ in range(20):
        net.forward(scale(IMAGES[:100]), training=True)
    return net


def masked_copy(net, name, masks, width=0.1):
    copy = network(name, width)
    copy.load_state(net.state())
    prune.apply_masks(copy, masks)
    return copy


def random_masks(net, weights, density=0.5, seed=0):
    rng = np.random.default_rng(seed)
    masks = {}
    for weight in weights:
        shape = net.parameters()[weight].shape
        kept = rng.random(shape[:2]) < density
        kept[:, 0] = True
        masks[weight] = np.broadcast_to(kept.reshape(*shape[:2], *[1] * (len(shape) - 2)), shape)
    return masks


def test_a_mask_that_removes_nothing_changes_nothing():
    net = network("vgg6")
    masks = {"stage3.conv.weight": np.ones(net.parameters()["stage3.conv.weight"].shape, bool)}
    copy = masked_copy(net, "vgg6", masks)
    prune.refit_layers(copy, masks, IMAGES, net, quiet=True)
    x = scale(IMAGES[:50])
    np.testing.assert_allclose(copy.infer(x), net.infer(x), rtol=0, atol=2e-4)


def test_what_a_copy_of_a_filter_carries_is_restored():
    net = network("vgg6")
    for part in ("conv.weight", "norm.weight", "norm.bias"):
        array = net.parameters()[f"stage3.{part}"].copy()
        array[1] = array[0]
        net.parameters()[f"stage3.{part}"] = array
    for part in ("running_mean", "running_var"):
        array = net.buffers()[f"stage3.norm.{part}"].copy()
        array[1] = array[0]
        net.buffers()[f"stage3.norm.{part}"] = array
    mask = np.ones(net.parameters()["stage4.conv.weight"].shape, bool)
    mask[:, 1] = False
    masks = {"stage4.conv.weight": mask}
    copy = masked_copy(net, "vgg6", masks)
    x = scale(IMAGES)
    before = np.abs(copy.infer(x) - net.infer(x)).max()
    layers = prune.refit_layers(copy, masks, IMAGES, net, quiet=True)
    assert layers == ["stage4.conv", "stage5.conv"]
    assert np.abs(copy.infer(x) - net.infer(x)).max() < 0.01 * before
    assert not copy.parameters()["stage4.conv.weight"][~mask].any()


@pytest.mark.parametrize(
    ("name", "weights", "layers"),
    [
        ("vgg6", ["stage2.conv.weight", "stage4.conv.weight"], [f"stage{n}.conv" for n in (2, 3, 4, 5)]),
        ("lenet", ["stage2.conv.weight"], ["stage2.conv", "stage3.linear", "stage4.linear"]),
        ("mlp", ["stage2.linear.weight"], ["stage2.linear"]),
    ],
)
def test_every_refitted_layer_has_the_mean_of_the_intact_one_and_a_smaller_error(name, weights, layers):
    width = 1.0 if name == "lenet" else 0.1
    net = network(name, width)
    masks = random_masks(net, weights)
    masked, refitted = (masked_copy(net, name, masks, width) for _ in range(2))
    assert prune.refit_layers(refitted, masks, IMAGES[:200], net, quiet=True) == layers
    x = scale(IMAGES[:200])
    after = [f"{layer.split('.')[0]}.norm" if name == "vgg6" else layer for layer in layers]
    intact, found, worse = (other.internals(x, after) for other in (net, refitted, masked))
    for place in after:
        axes = tuple(range(intact[place].ndim - 1))
        spread = intact[place].std()
        np.testing.assert_allclose(
            found[place].mean(axis=axes), intact[place].mean(axis=axes), rtol=0, atol=2e-3 * spread
        )
        assert np.mean((found[place] - intact[place]) ** 2) < np.mean((worse[place] - intact[place]) ** 2)
    for weight, mask in masks.items():
        assert not refitted.parameters()[weight][~mask].any()


def test_residual_of_the_first_masked_layer_is_that_of_the_budget():
    net = network("vgg6")
    masks = random_masks(net, ["stage3.conv.weight"])
    copy = masked_copy(net, "vgg6", masks)
    prune.refit_layers(copy, masks, IMAGES, net, quiet=True)
    moments = measure.patch_moments(net, IMAGES, "stage3.conv", quiet=True)
    weight = net.parameters()["stage3.conv.weight"]
    flat = weight.reshape(len(weight), -1)
    kept = masks["stage3.conv.weight"][:, :, 0, 0]
    expected = theory.residual_variance(moments.covariance, flat, kept, ridge=1e-4)
    change = (copy.parameters()["stage3.conv.weight"] - weight).reshape(flat.shape).astype(np.float64)
    found = np.sum(change @ moments.covariance * change, axis=1)
    np.testing.assert_allclose(found, expected, rtol=2e-2)


def test_a_filter_that_keeps_nothing_gives_its_mean():
    net = network("vgg6")
    mask = np.ones(net.parameters()["stage3.conv.weight"].shape, bool)
    mask[2] = False
    masks = {"stage3.conv.weight": mask}
    copy = masked_copy(net, "vgg6", masks)
    prune.refit_layers(copy, masks, IMAGES[:200], net, quiet=True)
    x = scale(IMAGES[:200])
    intact, found = (other.internals(x, ["stage3.norm"])["stage3.norm"][..., 2] for other in (net, copy))
    assert np.ptp(found) == 0
    assert found.mean() == pytest.approx(intact.mean(), abs=2e-3 * float(intact.std()))


def test_behind_a_stage_that_keeps_nothing_the_mean_is_all_that_is_left():
    net = network("lenet", 1.0)
    masks = {"stage3.linear.weight": np.zeros(net.parameters()["stage3.linear.weight"].shape, bool)}
    copy = masked_copy(net, "lenet", masks, 1.0)
    assert prune.refit_layers(copy, masks, IMAGES[:200], net, quiet=True) == [
        "stage3.linear",
        "stage4.linear",
    ]
    assert not copy.parameters()["stage4.linear.weight"].any()
    x = scale(IMAGES[:200])
    intact, found = (other.internals(x, ["stage4.linear"])["stage4.linear"] for other in (net, copy))
    np.testing.assert_allclose(found - intact.mean(axis=0), 0, rtol=0, atol=2e-3 * intact.std())


def test_branches_that_no_mask_reaches_are_left_alone():
    net = network("resnet20", 1.0)
    last = [stage.name for stage in net.stages][-1]
    masks = random_masks(net, [f"{last}.conv.weight"])
    copy = masked_copy(net, "resnet20", masks, 1.0)
    assert prune.refit_layers(copy, masks, IMAGES, net, quiet=True) == [f"{last}.conv"]


def test_a_layer_without_an_offset_is_fitted_through_the_origin():
    rng = np.random.default_rng(0)
    conv = nn.Conv2d(3, 4, 3, padding=1, rng=rng)
    second = nn.Conv2d(4, 4, 1, rng=rng)
    stages = [
        nn.Stage("stage1", {"conv": conv, "relu": nn.ReLU()}, (4, 4, 4)),
        nn.Stage("stage2", {"conv": second}, (4, 4, 4)),
    ]
    head = nn.Stage("head", {"flatten": nn.Flatten(), "linear": nn.Linear(64, 2, rng=rng)}, (2,))
    net = nn.Network(stages, head, (4, 4, 3))
    images = rng.integers(0, 256, (200, 4, 4, 3), np.uint8)
    read, written = (
        net.internals(scale(images), [name])[name].reshape(-1, 4) for name in ("stage1", "stage2")
    )
    kept = np.ones((4, 4), bool)
    kept[:, 0] = False
    masks = {"stage2.conv.weight": kept[..., None, None]}
    masked = prune.masked_network(net, masks)
    assert prune.refit_layers(masked, masks, images, net, quiet=True) == ["stage2.conv"]
    expected = np.linalg.lstsq(read[:, 1:].astype(np.float64), written.astype(np.float64), rcond=None)[0].T
    np.testing.assert_allclose(masked.parameters()["stage2.conv.weight"][:, 1:, 0, 0], expected, atol=1e-2)
