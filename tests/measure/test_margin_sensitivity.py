"""Squared sensitivities of margins against differences of margins."""

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError

LABELS = np.array([0, 1, 2, 0, 1, 2, 2])


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    net = nn.build("vgg6", 3, (16, 16, 3), 0.1, rng=rng, dtype=np.float64)
    for name, array in net.buffers().items():  # not the identity
        net.buffers()[name] = array + rng.uniform(0.1, 0.5, array.shape)
    return net, rng.integers(0, 256, (len(LABELS), 16, 16, 3), np.uint8)


def gradients(net, x, layer, filter_):
    """dH_k/dz of one filter by differences of a bias at each position: (K, n, positions)."""
    node = next(node for node in net.nodes if node.name == layer)
    shape, columns, step = net.output_shape(layer), [], 1e-5
    forward = node.layer.forward
    for position in np.ndindex(shape[:-1]):

        def logits(sign, position=position):
            def shifted(given, training=False):
                out = forward(given, training)
                out[(slice(None), *position, filter_)] += sign * step
                return out

            node.layer.forward = shifted
            try:
                return net.forward(x, taps=[layer.replace("conv", "norm")])[0]
            finally:
                del node.layer.forward

        columns.append((logits(1) - logits(-1)) / (2 * step))
    return np.array(columns).transpose(2, 1, 0)


@pytest.mark.parametrize("layer", ["stage3.conv", "stage4.conv"])
def test_squares_are_those_of_differences(case, layer):
    net, images = case
    x = scale(images).astype(np.float64)
    found = measure.squared_sensitivity(net, images, LABELS, [layer], quiet=True)[layer]
    for filter_ in (0, 7):
        dh = gradients(net, x, layer, filter_)
        expected = np.zeros((3, 3))
        for i in range(3):
            for j in range(3):
                rows = i == LABELS
                expected[i, j] = np.mean(np.sum((dh[i, rows] - dh[j, rows]) ** 2, axis=-1))
        np.testing.assert_allclose(found[filter_], expected, rtol=1e-4, atol=1e-4 * expected.max())
        assert expected.max() > 0


def test_the_head_moves_its_own_margins_only(case):
    net, images = case
    found = measure.squared_sensitivity(net, images, LABELS, ["head.linear"], quiet=True)["head.linear"]
    eye = np.eye(3)
    expected = (eye[:, :, None] - eye[:, None, :]) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_label_without_input_is_refused(case):
    net, images = case
    with pytest.raises(InputError, match="none of label 2"):
        measure.squared_sensitivity(net, images[:2], LABELS[:2], ["stage2.conv"], quiet=True)
