"""Architectures as TOML: written, edited by hand, and refused where they say something impossible."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.architecture_files import read_architecture, write_architecture
from tests.interop.networks import standardised

SHAPE = (16, 16, 3)
NETWORKS = {
    "vgg6": {"classifier": "hidden"},
    "mlp": {},
    "lenet": {},
    "resnet20": {},
    "efficientnet-b0": {"depth": 0.3, "stochastic_depth": 0.2},
}


def build(name="lenet", **options):
    return nn.build(name, 4, SHAPE, 0.05, rng=np.random.default_rng(0), **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.toml"


@pytest.fixture
def edited(path):
    """The file of a small network with one text replaced."""

    def edit(old, new, network="lenet"):
        write_architecture(path, build(network))
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


@pytest.mark.parametrize("name", NETWORKS)
def test_an_architecture_is_read_back_as_it_is_described(path, name):
    network = build(name, **NETWORKS[name])
    write_architecture(path, network)
    assert read_architecture(path) == nn.blueprint_of(network)
    again = nn.build_from_blueprint(read_architecture(path), network.parameters(), network.buffers())
    assert [node.inputs for node in again.nodes] == [node.inputs for node in network.nodes]


def test_a_layer_is_a_line(path):
    write_architecture(path, build("resnet20"))
    lines = path.read_text().splitlines()
    assert 'dtype = "float32"' in lines
    assert "input_shape = [16, 16, 3]  # height, width, channels" in lines
    conv = '{name = "conv", kind = "Conv2d", filters = 2, size = 3, groups = 1, stride = 2, padding = 1}'
    assert f"    {conv}," in lines
    assert 'inputs = {shortcut = ["stage7"], sum = ["stage9.norm", "stage9.shortcut"]}' in lines
    assert sum(line.startswith("    {name") for line in lines) == len(build("resnet20").nodes)


def test_a_file_written_by_hand_is_read(path):
    path.write_text(
        """
        dtype = "float64"
        input_shape = [8, 8, 1]
        [[stages]]
        name = "first"
        layers = [{name = "conv", kind = "Conv2d", stride = 1, padding = 1, groups = 1}]
        [[stages]]
        name = "head"
        layers = [{name = "pool", kind = "GlobalAveragePool"}, {name = "linear", kind = "Linear"}]
        """
    )
    assert read_architecture(path) == {
        "dtype": "float64",
        "input_shape": (8, 8, 1),
        "stages": [
            {
                "name": "first",
                "layers": [["conv", "Conv2d", {"groups": 1, "stride": 1, "padding": 1}]],
                "inputs": {},
            },
            {
                "name": "head",
                "layers": [["pool", "GlobalAveragePool", {}], ["linear", "Linear", {}]],
                "inputs": {},
            },
        ],
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"Conv2d"', '"Conv2D"', "kind of stage1.conv: expected one of AvgPool2d, .*did you mean 'Conv2d'"),
        ("stride = 1", "strides = 1", r"options of stage1.conv \(Conv2d\): .*'strides'; did you mean 'stride'"),
        (", stride = 1", "", r"options of stage1.conv \(Conv2d\): expected groups, .*, found no stride"),
        ("groups = 1", "groups = 0", "groups of stage1.conv: expected a whole number, at least 1, found 0"),
        ("groups = 1", "groups = 1.5", "groups of stage1.conv: expected a whole number, at least 1, found 1.5"),
        ("groups = 1", "groups = true", "groups of stage1.conv: .*found True"),
        ('kind = "ReLU"', 'sort = "ReLU"', "a layer of stage1: expected a name and a kind, found '{name"),
        ('name = "stage2"', 'name = "stage1"', "name of a stage: expected each name once, found 'stage1'"),
        ('name = "stage2"', 'name = "input"', "name of a stage: expected each name once, found 'input'"),
        ('name = "stage2"', 'name = "a.b"', "name of a stage: expected letters, digits, _ and -, found 'a.b'"),
        ('name = "relu"', 'name = "conv"', "name of a layer of stage1: expected each name once, found 'conv'"),
        ('name = "stage1"', 'label = "stage1"', r"\[\[stages\]\]: .*found 'label'"),
        ('name = "stage1"\n', "", r"\[\[stages\]\]: expected name, layers, found no name"),
        ("dtype", "type", "architecture: expected one of .*found 'type'; did you mean 'dtype'"),
        ('dtype = "float32"', "", "architecture: expected dtype, input_shape, stages, found no dtype"),
        ('"float32"', '"float16"', "dtype: expected one of float32, float64, found 'float16'"),
        ("[16, 16, 3]", "[16, 16]", r"input_shape: expected \[height, width, channels\].*found \[16, 16\]"),
        ("[16, 16, 3]", "[16, 16, 0]", r"input_shape: .*found \[16, 16, 0\]"),
        ("layers = [", "layers = [3, ", "layers of stage1: expected at least one table"),
        ("[[stages]]", "[stages", "expected a readable TOML file, found "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(edited, old, new, words):
    path = edited(old, new)
    with pytest.raises(InputError, match=words) as error:
        read_architecture(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "sum = ",
            "some = ",
            "inputs of a layer of stage3: expected one of conv, norm, relu, sum, found 'some'",
        ),
        (
            'sum = ["stage3.norm", "stage1"]',
            'sum = "stage1"',
            "inputs of stage3.sum: expected a list of names",
        ),
        ("inputs = {", "inputs = 3 # {", "inputs of stage3: .*found 3"),
    ],
)
def test_inputs_that_name_nothing_are_refused(edited, old, new, words):
    with pytest.raises(InputError, match=words):
        read_architecture(edited(old, new, "resnet20"))


def test_units_of_pixels_are_read_back_and_checked(path):
    network = standardised()
    write_architecture(path, network)
    assert read_architecture(path) == nn.blueprint_of(network)
    text = path.read_text()
    for old, new, words in (
        ("[0.1, ", "[", "deviations of stage1.standardise: expected 2, as many as means, found 3"),
        (
            "0.45",
            "-1",
            "means and deviations of stage1.standardise: expected finite numbers, deviations above 0",
        ),
        ("[0.1, -0.2, 0.05]", "0.1", "mean of stage1.standardise: expected a list of numbers, found 0.1"),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(InputError, match=words):
            read_architecture(path)


def test_a_probability_out_of_range_is_refused(path):
    write_architecture(path, build("efficientnet-b0", depth=1.0, stochastic_depth=0.2))
    path.write_text(path.read_text().replace("probability = 0", "probability = 1", 1))
    with pytest.raises(InputError, match=r"probability of stage\d+\.drop: expected at least 0 and below 1"):
        read_architecture(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(
        InputError, match=r"architecture: expected a TOML file, found no file .*network\.toml"
    ):
        read_architecture(path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"architecture .*none.*: expected a place that can be written, found"
    ):
        write_architecture(tmp_path / "none" / "network.toml", build())


def test_a_layer_of_another_kind_is_refused_and_nothing_written(path):
    class Noise(nn.Layer):
        pass

    network = nn.Network((), nn.Stage("head", {"noise": Noise()}, (4,)), (4,))
    with pytest.raises(InputError, match=r"layer: expected one of .*, found 'Noise'"):
        write_architecture(path, network)
    assert not path.exists()
