"""The compact network has the logits of the masked one, and has lost what the masks disconnect."""

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.errors import InputError

N_LABELS = 4
NETWORKS = {
    "vgg6": {"size": 32, "width": 0.25},
    "vgg11-10conv": {"size": 16, "width": 0.25},
    "vgg6 hidden": {"size": 16, "width": 0.01, "classifier": "hidden"},
    "mlp": {"size": 8, "width": 0.1},
    "lenet": {"size": 20, "width": 1},
    "resnet20": {"size": 12, "width": 0.5},
    "resnet18": {"size": 16, "width": 0.25},
    "resnet50": {"size": 8, "width": 0.06},
    "resnext50_32x4d": {"size": 8, "width": 0.25},
    "wrn-16-8": {"size": 8, "width": 0.125},
    "densenet121": {"size": 32, "width": 0.25},
    "googlenet": {"size": 16, "width": 0.25},
    "efficientnet-b0": {"size": 16, "width": 0.5, "depth": 0.3},
    "mobilenet-v2": {"size": 8, "width": 0.25},
    "efficientnet-lite0": {"size": 8, "width": 0.25},
    "mobilenet-v3-small": {"size": 8, "width": 0.25},
    "convnext-tiny": {"size": 32, "width": 1 / 24},
    "cct": {"size": 8, "width": 0.125, "blocks": 2},
    "vit-tiny": {"size": 8, "width": 0.125, "blocks": 1},
}
pytestmark = pytest.mark.usefixtures("one_thread")


def build(name, dtype=np.float64, **change):
    """A network with biases, means and shifts that are not zero, as after training."""
    options = {**NETWORKS[name], **change}
    size, rng = options.pop("size"), np.random.default_rng(5)
    network = nn.build(name.split()[0], N_LABELS, (size, size, 3), rng=rng, dtype=dtype, **options)
    for named in (network.parameters(), network.buffers()):
        for key in named:
            if key.endswith(("bias", "running_mean")):
                named[key] = rng.normal(size=named[key].shape).astype(dtype)
    return network


def mixing_weights(network):
    """Names of the weights with a kernel for every pair of filters, but for the first, and their grids."""
    grids, channels = {}, network.input_shape[-1]
    for stage in (*network.stages, network.head):
        for key, layer in stage.layers.items():
            if key in ("conv", "linear", "attention"):
                weight = layer.parameters["weight"]
                n_inputs = channels if key == "linear" else weight.shape[1]
                grids[f"{stage.name}.{key}.weight"] = (len(weight), n_inputs)
                channels = len(weight)
    return dict(list(grids.items())[1:])


def full(network, name, kernels):
    """A mask of kernels in the shape of the weight."""
    shape = network.parameters()[name].shape
    return np.repeat(kernels.ravel(), int(np.prod(shape)) // kernels.size).reshape(shape)


def random_masks(network, density=0.3, lost=0.25):
    """Masks of random kernels with many filters that have no input or that nobody reads."""
    rng, masks = np.random.default_rng(6), {}
    for name, grid in mixing_weights(network).items():
        kernels = rng.random(grid) < density
        kernels[rng.random(grid[0]) < lost] = False
        kernels[:, rng.random(grid[1]) < lost] = False
        kernels[0, 0] = True
        masks[name] = full(network, name, kernels)
    return masks


def images(network, n=6):
    return np.random.default_rng(7).uniform(-1, 1, (n, *network.input_shape)).astype(network.dtype)


def n_filters(network):
    return {stage.name: stage.output_shape[-1] for stage in network.stages}


def difference(network, masks, compacted):
    """Of the logits, relative to the largest; the masked network is masked here, by the plain rule."""
    x, state = images(network), network.state()
    prune.apply_masks(network, masks)
    expected = network.infer(x)
    network.load_state(state)
    return np.abs(compacted.infer(x) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_logits_are_those_of_the_masked_network(name):
    network = build(name)
    before, masks = network.state(), random_masks(network)
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert sum(n_filters(compacted).values()) < sum(n_filters(network).values())
    left, before_masks = (
        sum(of.multiply_adds()[weight.removesuffix(".weight")] for weight in masks)
        for of in (compacted, network)
    )
    assert left < 0.6 * before_masks
    for key, array in network.state().items():
        np.testing.assert_array_equal(array, before[key], err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_logits_are_those_of_the_masked_network_in_single_precision(name):
    network = build(name, np.float32)
    masks = random_masks(network)
    assert difference(network, masks, prune.compact(network, masks)) < 2e-6


@pytest.mark.parametrize("name", NETWORKS)
def test_a_compact_network_can_be_saved_and_loaded(name, tmp_path):
    network = build(name, np.float32)
    compacted = prune.compact(network, random_masks(network))
    nn.save_model(tmp_path / "dense.h5", network)
    nn.save_model(tmp_path / "compact.h5", compacted)
    x = images(network)
    np.testing.assert_array_equal(nn.load_model(tmp_path / "compact.h5").infer(x), compacted.infer(x))
    assert (tmp_path / "compact.h5").stat().st_size < (tmp_path / "dense.h5").stat().st_size


@pytest.mark.parametrize("name", ["mlp", "vgg6", "vit-tiny"])
def test_a_compact_network_in_memory_can_be_trained(name):
    network = build(name, np.float32)
    grids = mixing_weights(network)
    every_third = {
        name: np.arange(grid[0])[:, None] % 3 > 0 for name, grid in grids.items() if "head" not in name
    }
    filters = {name: np.broadcast_to(kept, grids[name]) for name, kept in every_third.items()}
    compacted = prune.compact(
        network, {name: full(network, name, kernels) for name, kernels in filters.items()}
    )
    before = {name: array.copy() for name, array in compacted.parameters().items()}
    x = images(network)
    logits, _ = compacted.forward(x, training=True)
    compacted.backward(nn.softmax_cross_entropy(logits, np.arange(len(x), dtype=np.int64) % N_LABELS)[1])
    nn.make_optimiser(compacted, nn.Recipe()).step(0.1)
    still = {name for name, gradient in compacted.gradients().items() if gradient.any()} & {
        name for name, array in compacted.parameters().items() if np.array_equal(array, before[name])
    }
    assert not still


def only(network, name, change):
    """Masks that keep all of one layer but what `change` takes out of its kernels."""
    kernels = np.ones(mixing_weights(network)[name], bool)
    change(kernels)
    return {name: full(network, name, kernels)}


def cut(network, masks):
    """Layer name to filters without input, filters that nothing reads, and kernels left."""
    layers = prune.compact_layers(network, masks, prune.compact(network, masks))
    return {layer.name: (layer.constant, layer.unread, layer.kernels_left) for layer in layers}


def test_what_nothing_reads_goes_and_then_what_only_it_has_read():
    network = build("mlp", width=0.02)  # 10 nodes in each layer
    second, head = np.ones((10, 10), bool), np.ones((4, 10), bool)
    head[:, 3] = False
    second[:, 7] = False
    second[3, 7] = True
    masks = {
        "stage2.linear.weight": full(network, "stage2.linear.weight", second),
        "head.linear.weight": full(network, "head.linear.weight", head),
    }
    assert cut(network, masks) == {
        "stage1.linear": (0, 1, 9 * 3),
        "stage2.linear": (0, 1, 9 * 9),
        "head.linear": (0, 0, 4 * 9),
    }


def test_a_node_without_input_becomes_a_bias_and_so_do_those_that_read_only_it():
    network = build("mlp", width=0.02)
    second, head = np.ones((10, 10), bool), np.ones((4, 10), bool)
    second[[1, 2, 3]] = False
    head[1], head[1, [1, 2, 3]] = False, True
    masks = {
        "stage2.linear.weight": full(network, "stage2.linear.weight", second),
        "head.linear.weight": full(network, "head.linear.weight", head),
    }
    compacted = prune.compact(network, masks)
    assert cut(network, masks)["stage2.linear"] == (3, 0, 7 * 10)
    assert cut(network, masks)["head.linear"] == (0, 0, 3 * 7)
    weight = network.parameters()["head.linear.weight"][:, [1, 2, 3]]
    constants = np.maximum(network.parameters()["stage2.linear.bias"][[1, 2, 3]], 0)
    np.testing.assert_allclose(compacted.parameters()["head.linear.bias"], weight @ constants, atol=1e-12)
    assert not compacted.classifier_is_probe


@pytest.mark.parametrize(
    ("values", "left"),
    [((0.5, 2.0, 1.0), 1), ((0.5, -2.0, 0.0), 1), ((-0.5, -2.0, 0.0), 0)],
    ids=["three constants", "one constant", "cut off by the activation"],
)
def test_under_zero_padding_one_constant_filter_stands_for_all(values, left):
    network = build("vgg6", width=0.125)

    def lose(kernels):
        kernels[[0, 1, 2]] = False

    masks = only(network, "stage3.conv.weight", lose)
    network.buffers()["stage3.norm.running_mean"] = np.zeros(32)
    network.parameters()["stage3.norm.bias"][:3] = values
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert n_filters(compacted)["stage3"] == 32  # dense: filled up to a whole vector
    kernels = {layer.name: layer.kernels_left for layer in prune.compact_layers(network, masks, compacted)}
    assert kernels["stage4.conv"] == 32 * (29 + left)
    weight = compacted.parameters()["stage4.conv.weight"]
    assert np.count_nonzero(np.any(weight != 0, axis=(0, 2, 3))) == 29 + left


def test_without_padding_constants_move_the_mean_of_the_norm_that_follows():
    network = build("efficientnet-b0", depth=0.3)  # 1 x 1 convolutions

    def lose(kernels):
        kernels[[0, 5]] = False

    masks = only(network, "stage4.conv.weight", lose)
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert "bias" not in compacted.stage("stage5").layers["conv"].parameters
    name = "stage5.norm.running_mean"
    assert not np.allclose(compacted.buffers()[name], network.buffers()[name])
    assert cut(network, masks)["stage4.conv"][:2] == (2, 0)


def test_without_padding_and_norm_they_become_a_bias():
    network = build("lenet")
    network.parameters()["stage2.conv.bias"][[0, 5]] = 0.7, -0.7  # the activation cuts the second off

    def lose(kernels):
        kernels[[0, 5]] = False

    masks = only(network, "stage2.conv.weight", lose)
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert cut(network, masks)["stage2.conv"] == (2, 0, 14 * 6)
    bias, weight = (network.parameters()[f"stage3.linear.{key}"] for key in ("bias", "weight"))
    expected = bias + 0.7 * weight.reshape(120, 16, -1)[:, 0].sum(axis=1)
    np.testing.assert_allclose(compacted.parameters()["stage3.linear.bias"], expected, atol=1e-12)


def without_filters(network, outputs=(), inputs=()):
    """Masks of layers without some of their filters or inputs, by name of the layer."""
    grids, masks = mixing_weights(network), {}
    for name in {*dict(outputs), *dict(inputs)}:
        kernels = np.ones(grids[f"{name}.weight"], bool)
        kernels[list(dict(outputs).get(name, ()))] = False
        kernels[:, list(dict(inputs).get(name, ()))] = False
        masks[f"{name}.weight"] = full(network, f"{name}.weight", kernels)
    return masks


def shapes(network):
    return {name: array.shape for name, array in network.parameters().items()}


def test_filters_behind_a_depthwise_convolution_take_its_filters_along():
    network = build("mobilenet-v2", width=0.5)
    masks = without_filters(
        network, inputs={"stage4.conv": range(5, 27)}
    )  # of 48, which only this layer reads
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert cut(network, masks)["stage3.conv"] == (0, 22, 26 * 8)
    left = shapes(compacted)
    assert left["stage3.conv.weight"] == (32, 8, 1, 1)  # filled up to a whole number of vectors
    assert left["stage3.depthwise.weight"] == (32, 1, 3, 3)
    assert left["stage3.depthwise_norm.weight"] == (32,)
    assert left["stage4.conv.weight"][1] == 32


def test_a_filter_without_input_behind_a_depthwise_convolution_goes_where_it_is_zero():
    network = build("mobilenet-v2", width=0.5)
    masks = without_filters(network, outputs={"stage3.conv": range(20)})
    network.buffers()["stage3.norm.running_mean"][:20] = 0
    for bias, gone in (
        (-1, 20),
        (1, 0),
    ):  # cut off by the activation, or 1 within the image and less at its borders
        network.parameters()["stage3.norm.bias"][:20] = bias
        assert cut(network, masks)["stage3.conv"][:2] == (gone, 0)
        assert difference(network, masks, prune.compact(network, masks)) < 1e-13


def test_filters_of_a_sum_go_where_none_of_its_layers_needs_them():
    network = build("resnet18", size=8, width=0.25)
    of_group = {
        "stage4.conv": [3, 5],
        "stage6.conv": [3, 5, 7],
        "stage7.conv": [3, 5],
    }  # what reads the first two sums
    masks = without_filters(network, inputs={"stage2.conv": [3], **of_group})
    assert cut(network, masks)["stage1.conv"][1] == cut(network, masks)["stage5.conv"][1] == 1
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    masks = without_filters(network, inputs=of_group)
    assert cut(network, masks)["stage1.conv"][1] == 0  # the first block reads all


def test_squeeze_and_excitation_loses_only_what_is_constant():
    network, squeezed = build("mobilenet-v3-small", width=0.5), "stage7"
    unread, empty = {"stage8.conv": [2]}, {"stage7.conv": [2]}
    assert cut(network, without_filters(network, inputs=unread))["stage7.conv"][:2] == (
        0,
        0,
    )  # its mean is read
    network.parameters()[f"{squeezed}.norm.bias"][2] = network.buffers()[f"{squeezed}.norm.running_mean"][
        2
    ] = 0
    assert cut(network, without_filters(network, outputs=empty))["stage7.conv"][:2] == (
        0,
        0,
    )  # times a factor
    for masks in (
        without_filters(network, outputs=empty, inputs=unread),
        without_filters(network, outputs=empty),
    ):
        assert cut(network, masks)["stage7.conv"][:2] == (1, 0)
        assert difference(network, masks, prune.compact(network, masks)) < 1e-13
        for named in (
            network.parameters(),
            network.buffers(),
        ):  # so that the constant is 0 in the second turn
            for key in ("bias", "running_mean"):
                if (name := f"{squeezed}.depthwise_norm.{key}") in named:
                    named[name][2] = 0


def test_groups_keep_equally_many_filters_and_go_where_all_of_theirs_go():
    network = build("resnext50_32x4d")  # 32 groups of two filters in stage12
    masks = without_filters(network, inputs={"stage13.conv": [*range(32), *range(32, 63, 2)]})
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    grouped = compacted.stage("stage12").layers["grouped"]
    assert (grouped.groups, grouped.parameters["weight"].shape[:2]) == (16, (16, 2))
    assert shapes(compacted)["stage12.conv.weight"][0] == 32
    assert cut(network, masks)["stage12.grouped"] == (0, 48, 16 * 2)


def test_a_concatenation_gives_each_filter_its_place():
    network = build("densenet121")
    readers = [f"stage{number}.conv" for number in (4, 6, 8, 10, 12, 14)]  # of 16 filters of the stem and 8
    masks = without_filters(network, inputs={reader: [16, 19] for reader in readers})
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert compacted.output_shape("stage3")[-1] == 6
    assert shapes(compacted)["stage8.input_norm.weight"] == (38,)


@pytest.mark.parametrize(
    ("name", "weight", "found"),
    [
        (
            "mlp",
            "head.linear.weight",
            r"'stage2\.linear': .* found none of 51: 0 have no input, nothing reads",
        ),
        ("vgg6", "stage2.conv.weight", r"'stage2\.conv': .* found none of 16: 16 have no input"),
    ],
    ids=["nothing reads it", "no inputs"],
)
def test_masks_that_cut_the_network_in_two_are_refused(name, weight, found):
    network = build(name) if name == "mlp" else build(name, width=0.125)

    def lose(kernels):
        kernels[:] = False

    with pytest.raises(InputError, match=found):
        prune.compact(network, only(network, weight, lose))


def test_a_block_that_only_passes_its_input_on_keeps_one_filter():
    network = build("resnet20")
    masks = without_filters(network, outputs={"stage3.conv": range(8)})
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert n_filters(compacted)["stage2"] == 1


def test_a_kernel_of_which_one_weight_is_kept_stays():
    network = build("vgg6", width=0.125)
    weight = network.parameters()["stage2.conv.weight"]
    mask = np.zeros(weight.shape, bool)
    mask[:, :, 1, 1] = True
    mask[:, 0] = False
    masks = {"stage2.conv.weight": mask}
    compacted = prune.compact(network, masks)
    assert difference(network, masks, compacted) < 1e-13
    assert cut(network, masks)["stage2.conv"] == (0, 0, 16 * 7)
    assert cut(network, masks)["stage1.conv"] == (0, 1, 7 * 3)


def test_few_kernels_are_stored_alone_and_many_in_a_dense_weight():
    network = build("vgg6", width=0.25)
    for density, kind, sparse in ((0.2, nn.SparseConv2d, True), (0.9, nn.Conv2d, False)):
        masks = random_masks(network, density, lost=0)
        compacted = prune.compact(network, masks)
        assert type(compacted.stage("stage4").layers["conv"]) is kind
        layers = {layer.name: layer for layer in prune.compact_layers(network, masks, compacted)}
        assert layers["stage4.conv"].sparse == sparse
        assert type(compacted.stage("stage1").layers["conv"]) is nn.Conv2d  # not masked


def test_masks_of_layers_that_do_not_mix_filters_are_applied():
    network = build("efficientnet-b0")
    name = "stage3.depthwise.weight"
    mask = np.random.default_rng(1).random(network.parameters()[name].shape) < 0.5
    compacted = prune.compact(network, {name: mask})
    assert difference(network, {name: mask}, compacted) < 1e-13
    assert not compacted.parameters()[name][~mask].any()


WEIGHT = "stage2.conv.weight"
ONES = np.ones((16, 8, 3, 3))


@pytest.mark.parametrize(
    ("mask", "found"),
    [(ONES, "found values of type float64"), (ONES[:, :4] > 0, r"found shape \(16, 4, 3, 3\)")],
    ids=["float", "shape"],
)
def test_a_mask_that_does_not_fit_is_refused(mask, found):
    with pytest.raises(InputError, match=rf"mask of '{WEIGHT}': expected .*{found}"):
        prune.compact(build("vgg6", width=0.125), {WEIGHT: mask})


def test_a_mask_of_no_weight_is_refused_with_the_nearest_name():
    with pytest.raises(
        InputError, match=r"mask: .*, found 'stage2\.conv\.wieght'; did you mean 'stage2\.conv\.w"
    ):
        prune.compact(build("vgg6", width=0.125), {"stage2.conv.wieght": ONES > 0})


def test_a_compact_network_with_other_logits_is_refused(monkeypatch):
    monkeypatch.setattr("deeptheory.prune.compaction.TOLERANCE", 0.0)
    network = build("vgg6", np.float32)
    expected = "compact network: expected the logits of the masked network to 0 .*found a difference of "
    with pytest.raises(InputError, match=expected):
        prune.compact(network, random_masks(network))
