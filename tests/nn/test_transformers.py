"""The transformers: their stages, PyTorch's logits and gradients, and options that do not fit."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.architectures import narrow

SIZE = (8, 12, 3)


def build(name, dtype=np.float64, **options):
    options = {"width": 1 / 8, "blocks": 2, "heads": 2} | options
    width = options.pop("width")
    return nn.build(name, 5, SIZE, width, rng=np.random.default_rng(0), dtype=dtype, **options)


def test_stages_of_a_block():
    network = build("cct")
    names = [stage.name for stage in network.stages]
    assert names == [
        "tokens1",
        *(f"{part}{n}" for n in (1, 2) for part in ("heads", "attention", "nodes", "block")),
    ]
    shapes = {stage.name: stage.output_shape for stage in network.stages}
    assert shapes["heads1"] == (24, 16, 2)  # tokens, numbers of a head, heads: heads are filters
    assert (shapes["attention1"], shapes["nodes1"], shapes["block2"]) == ((24, 1, 32), (24, 1, 64), (32,))
    assert [stage.name for stage in narrow("cct", heads=7, blocks=2).stages] == list(names)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # convolution, positions, blocks (norms, attention, projection, perceptron), norm, pool, head
        ("cct", 27 * 256 + 256**2 + 7 * (8 * 256**2 + 8 * 256) + 512 + 256 + 2560),
        ("vit-tiny", 49 * 192 + 192 + 65 * 192 + 12 * (12 * 192**2 + 13 * 192) + 384 + 1920),
    ],
)
def test_sizes_of_the_published_networks(name, size):
    network = nn.build(name, 10, (32, 32, 3), rng=np.random.default_rng(0))
    assert sum(array.size for array in network.parameters().values()) == size


def tokens_of(torch, network, x):
    """What the blocks read, and the parameters as tensors by name."""
    p = {name: torch.tensor(array, requires_grad=True) for name, array in network.parameters().items()}
    images = torch.tensor(x).permute(0, 3, 1, 2)
    if "tokens.conv.weight" in p:
        z = torch.nn.functional.conv2d(images, p["tokens.conv.weight"], p["tokens.conv.bias"], stride=4)
        z = z.flatten(2).transpose(1, 2)
        first = p["tokens.class_token.weight"].expand(len(z), 1, -1)
        return torch.cat([first, z], 1) + p["tokens.positions.weight"], p
    z = torch.nn.functional.conv2d(images, p["tokens1.conv.weight"], padding=1).relu()
    z = torch.nn.functional.max_pool2d(z, 3, 2, 1).flatten(2).transpose(1, 2)
    return z + p["tokens1.positions.weight"], p


def reference(torch, network, x, epsilon):
    """The logits as PyTorch's functions compute them, and the parameters."""
    f = torch.nn.functional
    z, p = tokens_of(torch, network, x)
    compact = "tokens1.conv.weight" in p

    def norm(z, name):
        return f.layer_norm(z, z.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], epsilon)

    def dense(z, name):
        weight = p[f"{name}.weight"]
        return f.linear(z, weight.reshape(len(weight), -1), p.get(f"{name}.bias"))

    for n in (1, 2):
        weight = p[f"heads{n}.attention.weight"]
        heads, channels, _, depth = weight.shape
        rows = weight.permute(0, 2, 3, 1).reshape(-1, channels)
        qkv = f.linear(norm(z, f"heads{n}.norm"), rows, p.get(f"heads{n}.attention.bias"))
        q, k, v = qkv.reshape(len(z), -1, heads, 3, depth).permute(3, 0, 2, 1, 4)
        mixed = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        projection = p[f"attention{n}.conv.weight"]  # (channels, heads, 1, depth)
        z = z + f.linear(mixed, projection.flatten(1), p[f"attention{n}.conv.bias"])
        read = norm(z, f"attention{n}.norm") if compact else norm(z, f"nodes{n}.norm")
        z = (read if compact else z) + dense(f.gelu(dense(read, f"nodes{n}.conv")), f"block{n}.conv")
    z = norm(z, "block2.norm")
    if compact:
        shares = (z @ p["block2.pool.weight"]).softmax(1)
        z = (shares[:, None] @ z)[:, 0]
    else:
        z = z[:, 0]
    return f.linear(z, p["head.linear.weight"]), p


@pytest.mark.parametrize(("name", "epsilon"), [("cct", 1e-5), ("vit-tiny", 1e-6)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 3e-5)])
def test_logits_and_gradients_are_those_of_torch(name, epsilon, dtype, tolerance):
    torch = pytest.importorskip("torch")
    network, rng = build(name, dtype, width=1 / 6 if name == "vit-tiny" else 1 / 8), np.random.default_rng(1)
    parameters = network.parameters()
    for key, array in parameters.items():
        parameters[key] = array + rng.uniform(-0.2, 0.2, array.shape).astype(dtype)
    x = rng.uniform(-1, 1, (6, *SIZE)).astype(dtype)
    slope = rng.standard_normal((6, 5)).astype(dtype)
    logits, _ = network.forward(x, training=True)
    network.backward(slope)
    expected, tensors = reference(torch, network, x, epsilon)
    expected.backward(torch.tensor(slope))
    assert np.abs(logits - expected.detach().numpy()).max() < tolerance * np.abs(logits).max()
    for key, gradient in network.gradients().items():
        theirs = tensors[key].grad.numpy()
        assert np.abs(gradient - theirs).max() < tolerance * np.abs(theirs).max(), key


def test_a_resumed_network_drops_the_same_numbers():
    first, second = (build("cct", np.float32, dropout=0.2, stochastic_depth=0.3) for _ in range(2))
    x = np.random.default_rng(2).uniform(-1, 1, (4, *SIZE)).astype(np.float32)
    for _ in range(2):
        first.forward(x, training=True)
    second.load_state(first.state())
    np.testing.assert_array_equal(first.forward(x, training=True)[0], second.forward(x, training=True)[0])


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("cct", {"heads": 3}, "heads: expected a divisor of the width, 32 channels, found 3; choose other heads"),
        ("vit-tiny", {"patch": 8}, "patch of vit-tiny: expected a divisor of the image, 8 x 12 pixels, found 8"),
        ("cct", {"kernel": 2}, "cct: expected an odd kernel and at least 1 of conv_layers, found 2 and 1"),
        ("cct", {"positions": "none"}, "positions: expected one of learned, sine, found 'none'"),
    ],
)  # fmt: skip
def test_errors(name, options, text):
    with pytest.raises(InputError) as error:
        build(name, **options)
    assert str(error.value).startswith(text)


@pytest.mark.parametrize("name", ["cct", "vit-tiny"])
def test_float32_by_vectors_is_float64_up_to_rounding(name):
    taps, found = ["attention1.conv", "attention1.sum", "heads2", "block2.sum"], []
    channels = {"cct": 1 / 8, "vit-tiny": 1 / 6}[name]  # 32 of them
    for dtype in (np.float64, np.float32):
        network = build(name, dtype, width=channels)
        sums = [node.layer.overwrites for node in network.nodes if isinstance(node.layer, nn.Sum)]
        assert sums == [True] * 4
        rng = np.random.default_rng(1)
        for array in network.parameters().values():
            if array.ndim == 1:
                array += rng.normal(0, 0.2, array.shape).astype(dtype)
        x, labels = rng.uniform(-1, 1, (7, *SIZE)).astype(dtype), np.arange(7) % 5
        for _ in range(2):  # the second time in the memory of the first
            logits, internals = network.forward(x, taps, training=True)
            slopes = network.backward(nn.softmax_cross_entropy(logits, labels)[1], taps)
        gradients = network.gradients().items()
        found.append({"logits": logits} | internals | {f"d {key}": a for key, a in slopes.items()})
        found[-1] |= {key: gradient.copy() for key, gradient in gradients}
        assert network._passes.gradient_copies.nbytes <= 2 * x.itemsize * 7 * 25 * 32
    for key, exact in found[0].items():
        scale = np.abs(exact).max()
        np.testing.assert_allclose(found[1][key], exact, rtol=0, atol=2e-5 * scale + 1e-7, err_msg=key)
