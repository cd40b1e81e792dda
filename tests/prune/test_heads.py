"""Masks of heads and of the nodes of perceptrons, and what is cut out by them."""

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.errors import InputError
from deeptheory.prune import gauss_newton
from deeptheory.prune.criteria.afcc import scores_of_strengths

pytestmark = pytest.mark.usefixtures("one_thread")


def build(name="cct", dtype=np.float64, **options):
    rng = np.random.default_rng(0)
    network = nn.build(name, 4, (8, 8, 3), 1 / 8, rng=rng, dtype=dtype, **{"blocks": 2, "heads": 4} | options)
    parameters = network.parameters()
    for key, array in parameters.items():
        parameters[key] = array + rng.uniform(-0.2, 0.2, array.shape).astype(dtype)
    return network


def test_which_stage_every_layer_reads():
    layers = prune.masked_layers(build(), ["heads1", "attention1", "nodes1", "block1", "heads2"], head=True)
    assert [(layer.weight, layer.stage_in, layer.stage_out, layer.grid, layer.heads) for layer in layers] == [
        ("heads1.attention.weight", "tokens1", "heads1", (4, 32), "heads1"),
        ("attention1.conv.weight", "heads1", "attention1", (32, 4), "heads1"),
        ("nodes1.conv.weight", "attention1", "nodes1", (64, 32), ""),
        ("block1.conv.weight", "nodes1", "block1", (32, 64), ""),
        ("heads2.attention.weight", "block1", "heads2", (4, 32), "heads2"),
        ("head.linear.weight", "block2", "head", (4, 32), ""),
    ]


def texts():
    return nn.build(
        "text-transformer",
        4,
        (6, 1, 1),
        1 / 16,
        rng=np.random.default_rng(0),
        words=9,
        blocks=2,
        dtype=np.float64,
    )


def test_heads_of_words_are_cut_out_and_never_all():
    network = texts()
    layers = prune.masked_layers(network, ["attention1", "attention2"], head=False)
    kernels = {layer.weight: np.ones(layer.grid, bool) for layer in layers}
    kernels["attention1.conv.weight"][:, [0, 2]] = False
    kernels["attention2.conv.weight"][:, 3] = False
    masks = prune.Masks(layers, kernels)
    compact = prune.compact(network, masks)
    assert [compact.output_shape(f"heads{n}")[-1] for n in (1, 2)] == [2, 3]
    x = network.examples(5, np.random.default_rng(1))
    x[:, 4:] = 0
    np.testing.assert_allclose(compact.infer(x), prune.masked_network(network, masks).infer(x), rtol=1e-9)
    kernels["attention1.conv.weight"][:] = False
    with pytest.raises(
        InputError, match=r"attention1.conv: expected at least one head of heads1 with inputs and a"
    ):
        prune.Masks(layers, kernels)


@pytest.mark.parametrize("name", ["cct", "vit-tiny"])
def test_a_head_that_nothing_reads_is_cut_out(name):
    network = build(name, heads=2 if name == "vit-tiny" else 4)
    layers = prune.masked_layers(network, ["heads1", "attention1"], head=False)
    kernels = {layer.weight: np.ones(layer.grid, bool) for layer in layers}
    kernels["attention1.conv.weight"][:, 1] = False
    compact = prune.compact(network, prune.Masks(layers, kernels))
    heads, channels, _, depth = network.parameters()["heads1.attention.weight"].shape
    parameters = compact.parameters()
    assert parameters["heads1.attention.weight"].shape == (heads - 1, channels, 3, depth)
    assert parameters["attention1.conv.weight"].shape == (channels, heads - 1, 1, depth)
    assert parameters["heads2.attention.weight"].shape == (heads, channels, 3, depth)


def test_a_head_without_inputs_is_cut_out():
    network = build()
    layers = prune.masked_layers(network, ["heads1"], head=False)
    kernels = np.ones((4, 32), bool)
    kernels[[0, 3]] = False
    compact = prune.compact(network, prune.Masks(layers, {"heads1.attention.weight": kernels}))
    assert compact.stage("heads1").output_shape == (16, 8, 2)


@pytest.mark.parametrize("name", ["cct", "vit-tiny", "text-transformer"])
def test_heads_without_inputs_go_and_what_they_put_out_stays(name):
    network = texts() if name == "text-transformer" else build(name, heads=2 if name == "vit-tiny" else 4)
    rng = np.random.default_rng(2)
    for array in network.parameters().values():
        if array.ndim == 1:
            array += rng.normal(0, 0.5, array.shape)
    layers = prune.masked_layers(network, ["attention1", "heads2", "attention2"], head=False)
    kernels = {layer.weight: rng.random(layer.grid) < 0.8 for layer in layers}
    kernels["heads2.attention.weight"][1] = False
    kernels["attention2.conv.weight"][:5, 1] = False
    masks = prune.Masks(layers, kernels)
    compact, heads = prune.compact(network, masks), len(network.parameters()["heads1.attention.weight"])
    assert [compact.output_shape(f"heads{n}")[-1] for n in (1, 2)] == [heads, heads - 1]
    x = network.examples(5, rng)
    if name == "text-transformer":
        x[:, 4:] = 0  # padding
    masked = prune.masked_network(network, masks).infer(x)
    assert np.abs(masked - network.infer(x)).max() > 1e-3
    np.testing.assert_allclose(compact.infer(x), masked, rtol=1e-9, atol=1e-12)


def test_nodes_are_cut_out_to_whole_vectors():
    network = build()
    layers = prune.masked_layers(network, ["block1"], head=False)
    kernels = np.ones((32, 64), bool)
    kernels[:, 10:] = False
    compact = prune.compact(network, prune.Masks(layers, {"block1.conv.weight": kernels}))
    assert compact.stage("nodes1").output_shape[-1] in (10, 16)


def test_masks_that_remove_all_heads_of_a_block_are_refused():
    layers = prune.masked_layers(build(), ["heads1", "attention1"], head=False)
    kernels = {layer.weight: np.ones(layer.grid, bool) for layer in layers}
    kernels["heads1.attention.weight"][:2] = False
    kernels["attention1.conv.weight"][:, 2:] = False
    with pytest.raises(InputError) as error:
        prune.Masks(layers, kernels)
    assert str(error.value).startswith(
        "masks of heads1.attention and attention1.conv: expected at least one head of heads1 with inputs and a "
        "reader, found none of 4; raise the density"
    )


def test_a_refit_leaves_attention_as_masked_and_mends_its_projection():
    network = build(dtype=np.float32)
    images = np.random.default_rng(1).integers(0, 256, (300, 8, 8, 3), np.uint8)
    layers = prune.masked_layers(network, ["heads2"], head=False)
    kernels = np.ones((4, 32), bool)
    kernels[0] = False
    masks = prune.Masks(layers, {"heads2.attention.weight": kernels})
    masked = prune.masked_network(network, masks)
    refitted = prune.refit_layers(masked, masks, images, network, quiet=True)
    assert refitted == ["attention2.conv", "nodes2.conv", "block2.conv"]
    assert not masked.parameters()["heads2.attention.weight"][0].any()


def test_connections_of_nodes_and_of_the_head_are_kept_where_labels_are_shared():
    layers = prune.masked_layers(build(), ["nodes1", "block1"], head=True)
    rng = np.random.default_rng(0)
    sizes = {"attention1": 32, "nodes1": 64, "block1": 32, "block2": 32}
    served = {stage: rng.random((n, 4)) < 0.3 for stage, n in sizes.items()}
    strengths = {stage: np.where(labels, 0.9, 0.1) for stage, labels in served.items()}
    scores = scores_of_strengths(layers, strengths)
    for layer in layers[:2]:
        shared = served[layer.stage_out].astype(int) @ served[layer.stage_in].T.astype(int) > 0
        np.testing.assert_array_equal(scores[layer.weight] > 0.5, shared)
    np.testing.assert_array_equal(scores["head.linear.weight"] > 0.5, served["block2"].T)


def test_what_refits_refuses_attention_and_says_what_to_do():
    images = np.zeros((4, 8, 8, 3), np.uint8)
    with pytest.raises(InputError, match=r"found SelfAttention; attention is not linear .* leave its stage"):
        gauss_newton.gauss_newton_diagonal(build(), images, ["heads1.attention"], np.random.default_rng(0))
