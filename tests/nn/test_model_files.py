"""A saved network comes back bit by bit; what is no saved network is refused."""

import json
import os

import h5py
import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError

SHAPE = (16, 16, 3)
NETWORKS = {
    "vgg11-10conv": {},
    "vgg6": {"classifier": "hidden"},
    "mlp": {},
    "lenet": {},
    "resnet20": {},
    "efficientnet-b0": {"depth": 0.3, "stochastic_depth": 0.2},
    "cct": {"blocks": 2, "heads": 1, "conv_layers": 2, "dropout": 0.1, "stochastic_depth": 0.2},
    "vit-tiny": {"blocks": 1, "heads": 2, "positions": "sine"},
    "text-transformer": {"blocks": 1, "heads": 1, "words": 9, "hidden_ratio": 2, "dropout": 0.1},
}


def build(name="vgg6", dtype=np.float32, width=0.05, **options):
    shape = (6, 1, 1) if name == "text-transformer" else SHAPE
    return nn.build(name, 4, shape, width, rng=np.random.default_rng(0), dtype=dtype, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_comes_back_to_the_last_bit(path, one_thread, name):
    network = build(name, **NETWORKS[name])
    nn.save_model(path, network)
    again = nn.load_model(path)
    assert [node.name for node in again.nodes] == [node.name for node in network.nodes]
    assert [node.inputs for node in again.nodes] == [node.inputs for node in network.nodes]
    assert [stage.output_shape for stage in again.stages] == [stage.output_shape for stage in network.stages]
    state = network.state()
    assert list(again.state()) == list(state)
    for key, array in again.state().items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)
        assert array.dtype == state[key].dtype
    images = network.examples(2, np.random.default_rng(1))
    np.testing.assert_array_equal(again.infer(images), network.infer(images))


def test_fixed_numbers_of_the_pixels_come_back(path, one_thread):
    plain = build()
    first, *others = plain.stages
    layers = {"standardise": nn.Standardise((0.1, 0.2, 1 / 3), (0.5, 0.6, 0.7)), **first.layers}
    stages = [nn.Stage(first.name, layers, ()), *others, plain.head]
    network = nn.assemble(stages, SHAPE, np.float32)
    nn.save_model(path, network)
    images = np.random.default_rng(1).uniform(-1, 1, (2, *SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(nn.load_model(path).infer(images), network.infer(images))
    assert np.abs(network.infer(images) - plain.infer(images)).max() > 0.1


def test_double_precision_stays_double(path):
    nn.save_model(path, build(dtype=np.float64))
    assert nn.load_model(path).dtype == np.float64


def test_weights_are_stored_plain(path):
    network = build(width=0.25)
    nn.save_model(path, network)
    arrays = sum(array.nbytes for array in network.state().values())
    assert arrays < path.stat().st_size < arrays + 1000 * len(network.state())


def test_the_file_shrinks_with_the_share_of_kernels_left(path):
    rng, sizes = np.random.default_rng(2), []
    for share in (1.0, 0.8, 0.5, 0.2):
        network = build(width=0.25)
        for weight in network.parameters().values():
            if weight.ndim == 4:
                weight *= rng.random((*weight.shape[:2], 1, 1)) < share
        nn.save_model(path, network)
        sizes.append(path.stat().st_size)
        state = network.state()
        for name, array in nn.load_model(path).state().items():
            np.testing.assert_array_equal(array, state[name], err_msg=name)
    assert sizes[1] < 0.95 * sizes[0]
    assert sizes[2] < 0.7 * sizes[0]
    assert sizes[3] < 0.4 * sizes[0]


def test_a_file_that_cannot_be_written_is_refused_and_the_old_one_stays(path, monkeypatch):
    nn.save_model(path, build())
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        InputError, match=r"model .*: expected a place that can be written, found No space left"
    ):
        nn.save_model(path, build())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_named(path):
    with pytest.raises(InputError) as error:
        nn.load_model(path)
    assert str(error.value) == f"model: expected a file written by save_model, found no file {path}"


def test_a_file_of_something_else_is_refused(path):
    path.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=r"model\.h5: expected a complete file written by save_model, found"):
        nn.load_model(path)
    with h5py.File(path, "w") as file:
        file["curve"] = np.zeros(3)
    with pytest.raises(
        InputError, match=r"expected a complete file .*no entry 'network'; of a run, compact-ARM"
    ):
        nn.load_model(path)


def test_a_file_without_one_of_the_arrays_is_refused(path):
    nn.save_model(path, build())
    with h5py.File(path, "r+") as file:
        del file["parameters/stage2.conv.weight"]
    with pytest.raises(InputError, match=r"stage2\.conv, arrays of Conv2d: expected weight, found none"):
        nn.load_model(path)


def change(path, edit):
    """Change the description inside a saved file."""
    with h5py.File(path, "r+") as file:
        description = json.loads(file["network"].asstr()[()])
        edit(description)
        del file["network"]
        file["network"] = json.dumps(description)


def test_another_format_is_refused(path):
    nn.save_model(path, build())
    change(path, lambda description: description.update(format=7))
    with pytest.raises(
        InputError, match="expected format 1, found format 7; load it with the version that wrote"
    ):
        nn.load_model(path)


def test_an_unknown_layer_is_refused_with_the_nearest_name(path):
    nn.save_model(path, build())
    change(path, lambda description: description["stages"][0]["layers"][2].__setitem__(1, "RELU6"))
    with pytest.raises(InputError, match=r"layer: expected one of AvgPool2d, .*, found 'RELU6'"):
        nn.load_model(path)


def test_unknown_options_of_a_layer_are_refused(path):
    nn.save_model(path, build())
    change(path, lambda description: description["stages"][0]["layers"][0][2].update(dilation=2))
    expected = "options of Conv2d: expected groups, stride, padding, found dilation, groups, padding, stride"
    with pytest.raises(InputError, match=expected):
        nn.load_model(path)


def test_a_layer_of_another_kind_cannot_be_saved(path):
    class Noise(nn.Layer):
        pass

    head = nn.Stage("head", {"noise": Noise()}, (4,))
    network = nn.Network((), head, (4,))
    with pytest.raises(InputError, match=r"layer: expected one of .*, found 'Noise'"):
        nn.save_model(path, network)
    assert not path.exists()


def change_array(path, name, change):
    with h5py.File(path, "r+") as file:
        array = file[name][()]
        del file[name]
        file[name] = change(array)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d["stages"][0]["layers"][0][2].update(stride=0), "stride of Conv2d.*at least 1, found 0"),
        (lambda d: d["stages"][0]["layers"][0][2].update(stride=1e3), "stride of Conv2d.*found 1000.0"),
        (lambda d: d["stages"][0]["layers"][0][2].update(padding=2**40), "padding of Conv2d.*at most 2147483647"),
        (lambda d: d["stages"][0]["layers"][0][2].update(padding=10**8), "output of stage1.conv.*free memory"),
        (lambda d: d["stages"][0]["layers"][0][2].update(groups=5), "groups of Conv2d.*a divisor of"),
        (lambda d: d.update(stages=[]), "length >= 1"),
        (lambda d: d["stages"][0].update(layers=[]), "length >= 1"),
        (lambda d: d["stages"].pop(), "output of stage5: expected one number for each label"),
        (lambda d: d.update(dtype="float16"), "Invalid enum value 'float16'"),
        (lambda d: d.update(input_shape=[16, -16, 3]), "Expected `int` >= 1"),
        (lambda d: d.pop("format"), "missing required field `format`"),
        (lambda d: d["stages"][0].update(inputs={"conv": ["stage9"]}), "input of stage1.conv"),
    ],
)  # fmt: skip
def test_a_description_that_no_network_has_is_refused(path, edit, words):
    nn.save_model(path, build())
    change(path, edit)
    with pytest.raises(InputError, match=rf"^model .*model\.h5.*{words}"):
        nn.load_model(path)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("parameters/stage1.conv.weight", lambda a: a[0, 0, 0, 0], "weight' in .*the number 0.0"),
        ("parameters/stage1.conv.weight", lambda a: a[0], r"stage1.conv, weight of Conv2d: expected 4 axes"),
        ("parameters/stage1.conv.weight", lambda a: a[:0], r"expected axes of at least 1, found shape \(0, 3"),
        ("parameters/stage1.conv.weight", lambda a: a.astype(np.int64), "numbers of float32, found int64"),
        ("parameters/stage1.norm.bias", lambda a: a[:-1], "stage1.norm, bias of BatchNorm2d: expected 3 in place"),
        ("parameters/stage1.norm.scale", lambda a: a, "stage1.norm, arrays of BatchNorm2d: expected weight, bias"),
    ],
)  # fmt: skip
def test_arrays_that_a_kernel_would_read_beyond_are_refused(path, name, array, words):
    nn.save_model(path, build())
    if name.endswith("scale"):
        with h5py.File(path, "r+") as file:
            file[name] = np.zeros(3, np.float32)
    else:
        change_array(path, name, array)
    with pytest.raises(InputError, match=words):
        nn.load_model(path)


def test_nothing_outside_of_the_file_is_read(path, tmp_path):
    nn.save_model(path, build())
    (tmp_path / "outside").write_bytes(bytes(1000))
    with h5py.File(path, "r+") as file:
        del file["parameters/stage1.norm.bias"]
        file.create_dataset("parameters/stage1.norm.bias", (3,), "f4", external=[("outside", 0, 12)])
    with pytest.raises(
        InputError, match=r"expected a complete file written by save_model, .* external storage"
    ):
        nn.load_model(path)


def test_what_is_no_file_is_refused_unopened(tmp_path):
    os.mkfifo(tmp_path / "model.h5")
    with pytest.raises(InputError, match="expected a file written by save_model, found no file"):
        nn.load_model(tmp_path / "model.h5")
