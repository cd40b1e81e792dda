"""Moments of patches against patches cut out one by one, on layers of every kind."""

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError


def images(n, side=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), np.uint8)


def network(name="vgg6", seed=0):
    return nn.build(name, 4, (16, 16, 3), 0.1, rng=np.random.default_rng(seed))


def cut_out(x, size, stride, padding):
    """Patches (in, kh, kw) of every position, one by one."""
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows = []
    for image in padded:
        for i in range(0, image.shape[0] - size + 1, stride):
            for j in range(0, image.shape[1] - size + 1, stride):
                rows.append(image[i : i + size, j : j + size].transpose(2, 0, 1).ravel())
    return np.array(rows, np.float64)


@pytest.mark.parametrize(
    ("name", "layer", "source", "size", "stride", "padding"),
    [
        ("vgg6", "stage2.conv", "stage1", 3, 1, 1),
        ("lenet", "stage2.conv", "stage1", 5, 1, 0),
        ("resnet20", "stage8.conv", "stage7", 3, 2, 1),
    ],
)
def test_moments_are_those_of_the_patches(name, layer, source, size, stride, padding):
    net, given = network(name), images(130, 16)
    found = measure.patch_moments(net, given, layer, quiet=True)
    x = scale(given)
    internals = net.internals(x, [source, layer])
    patches = cut_out(internals[source], size, stride, padding)
    outputs = internals[layer].reshape(len(patches), -1).astype(np.float64)
    outputs -= net.parameters()[f"{layer}.bias"] if name == "lenet" else 0
    assert found.n_patches == len(patches)
    np.testing.assert_allclose(found.mean, patches.mean(axis=0), atol=1e-5)
    scale_of = np.abs(patches).max() ** 2
    np.testing.assert_allclose(found.covariance, np.cov(patches.T, bias=True), rtol=0, atol=1e-6 * scale_of)
    np.testing.assert_allclose(found.output_mean, outputs.mean(axis=0), atol=1e-5 * np.abs(outputs).max())
    weight = net.parameters()[f"{layer}.weight"]
    expected = weight.reshape(len(weight), -1) @ found.covariance
    np.testing.assert_allclose(found.cross, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_products_are_taken_again_in_float64_where_their_rounding_outweighs_the_ridge():
    net, given = nn.build("lenet", 4, (16, 16, 3), rng=np.random.default_rng(0)), images(100, 16)
    weight = net.parameters()["stage1.conv.weight"]
    net.parameters()["stage1.conv.weight"] = (
        1e3 * weight[:1] + 1e-2 * weight
    )  # six filters that are nearly one

    def smallest(ridge):
        covariance = measure.patch_moments(net, given, "stage2.conv", quiet=True, ridge=ridge).covariance
        return np.linalg.eigvalsh(covariance)[0] / (np.trace(covariance) / len(covariance))

    assert -1e-4 < smallest(1e-4) < -1e-7  # a ridge above the rounding: float32 is good enough
    assert smallest(1e-6) > -1e-9


def test_a_linear_layer_reads_its_inputs():
    net, given = network("vgg6"), images(50, 16)
    found = measure.patch_moments(net, given, "head.linear", quiet=True)
    features = measure.stage_features(net, given, net.stages[-1].name, quiet=True).astype(np.float64)
    np.testing.assert_allclose(found.mean, features.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(features.T, bias=True), atol=1e-6)


def test_inputs_along_one_direction_leave_no_negative_variance():
    net, given = nn.build("mlp", 4, (16, 16, 3), 0.2, rng=np.random.default_rng(0)), images(150, 16)
    first = net.parameters()["stage1.linear.weight"]
    net.parameters()["stage1.linear.weight"] = np.outer(np.linspace(-1, 2, len(first)), first[0]).astype("f4")
    covariance = measure.patch_moments(net, given, "stage2.linear", quiet=True).covariance
    values = np.linalg.eigvalsh(covariance)
    assert values[0] > -1e-12 * values[-1]  # in float32 it would be -1e-7


@pytest.mark.parametrize(("bias", "constant"), [(-1e4, True), (0, False)])
def test_patches_behind_dead_nodes_are_constant(bias, constant):
    net = nn.build("mlp", 4, (16, 16, 3), 0.1, rng=np.random.default_rng(0))
    net.parameters()["stage1.linear.bias"] += np.float32(bias)
    net.parameters()["stage2.linear.bias"] += np.linspace(0.1, 3, 51, dtype=np.float32)
    for layer in ("stage2.linear", "head.linear"):
        assert measure.patch_moments(net, images(150, 16), layer, quiet=True).constant is constant


def test_outputs_of_a_reference_network_are_regressed_on_the_patches_of_another():
    net, other, given = network(), network(seed=1), images(40, 16)
    found = measure.patch_moments(net, given, "stage3.conv", reference=other, quiet=True)
    x = scale(given)
    patches = cut_out(net.internals(x, ["stage2"])["stage2"], 3, 1, 1)
    outputs = other.internals(x, ["stage3.conv"])["stage3.conv"].reshape(len(patches), -1)
    expected = (outputs - outputs.mean(axis=0)).T @ (patches - patches.mean(axis=0)) / len(patches)
    np.testing.assert_allclose(found.cross, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("stage2.con", r"layer: expected one of .*stage2\.conv.*, found 'stage2\.con'"),
        ("stage2.norm", "layer 'stage2.norm': expected a convolution without groups or a linear layer"),
    ],
)
def test_layers_that_mix_nothing_are_refused(layer, text):
    with pytest.raises(InputError, match=text):
        measure.patch_moments(network(), images(5, 16), layer, quiet=True)


def test_no_image_is_refused():
    with pytest.raises(InputError, match="images: expected at least one, found none"):
        measure.patch_moments(network(), images(0, 16), "stage2.conv", quiet=True)
