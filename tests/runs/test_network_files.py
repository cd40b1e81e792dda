"""`network.file`: read once, recorded by its content, and beside no other option of networks."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.architecture_files import write_architecture
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import complete, config_from, differences, read_config, to_toml
from deeptheory.studies.sweep import read_sweep
from deeptheory.studies.sweep.expansion import expand
from tests.nn.test_sized_networks import small

CONFIG = """
[data]
n_labels = 5
size = 16
train_per_label = 20
test_per_label = 10
[network]
file = "nets/small.toml"
[train]
epochs = 1
batch = 20
[prune]
stages = ["right"]
"""
TEXT = """
dtype = "float32"
input_shape = [16, 16, 1]
[[stages]]
name = "stage1"
layers = [{name = "conv", kind = "Conv2d", filters = 4, size = 3, groups = 1, stride = 2, padding = 1}]
[[stages]]
name = "right"
layers = [
    {name = "conv", kind = "Conv2d", filters = 4, size = 3, groups = 1, stride = 1, padding = 1},
    {name = "sum", kind = "Sum"},
]
inputs = {sum = ["right.conv", "stage1"]}
[[stages]]
name = "head"
layers = [{name = "flatten", kind = "Flatten"}, {name = "linear", kind = "Linear"}]
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "small.toml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "own.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def test_a_run_needs_its_file_once(place, one_thread):
    config = read_config(place / "own.toml")
    (place / "nets" / "small.toml").unlink()
    assert (config.network.name, config.network.file) == ("file", "")
    assert config.network.title == "network from a file"
    run = Run.create(place / "run", config, quiet=True)
    steps.train(run)
    steps.measure(run)
    assert Run(place / "run").config == config == read_config(place / "run" / "config.toml")
    assert "'''\n# A network of deeptheory" in to_toml(config)


def test_the_last_stages_that_can_be_masked_are_by_default(place):
    """`left` reads the middle of a stage, whose filters are no stage's; `head` says how many labels it has."""
    inner = '''
[[stages]]
name = "left"
layers = [
    {name = "conv", kind = "Conv2d", filters = 4, size = 3, groups = 1, stride = 1, padding = 1},
    {name = "sum", kind = "Sum"},
]
inputs = {conv = ["right.conv"], sum = ["left.conv", "right"]}
[[stages]]
name = "head"'''
    text = TEXT.replace('[[stages]]\nname = "head"', inner.lstrip()).replace(
        '"Linear"', '"Linear", nodes = 5'
    )
    (place / "nets" / "small.toml").write_text(text, encoding="utf-8")
    (place / "own.toml").write_text(CONFIG.partition("[prune]")[0], encoding="utf-8")
    assert read_config(place / "own.toml").prune.stages == ("right",)


def test_comments_and_spaces_are_no_part_of_the_content(place):
    config = read_config(place / "own.toml")
    text = TEXT.replace("stride = 2, padding = 1", "padding=1,  stride=2") + "# nothing\n"
    (place / "nets" / "small.toml").write_text(text, encoding="utf-8")
    assert read_config(place / "own.toml") == config
    (place / "nets" / "small.toml").write_text(TEXT.replace("filters = 4", "filters = 5"), encoding="utf-8")
    ((name, _, _),) = differences(config, read_config(place / "own.toml"))
    assert name == "network.content"


def test_another_content_is_another_run_and_is_said_in_short(place):
    run = Run.create(place / "run", read_config(place / "own.toml"), quiet=True)
    run.store("train", {"state": {}})
    (place / "nets" / "small.toml").write_text(TEXT.replace("size = 3", "size = 1", 1), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"network.content = a text of SHA-256 .{16} there, a text of"
    ) as error:
        Run.create(place / "run", read_config(place / "own.toml"))
    assert len(str(error.value)) < 500


def test_a_file_that_is_set_replaces_what_is_recorded(place, monkeypatch):
    monkeypatch.chdir(place)
    config = read_config(place / "own.toml")
    (place / "other.toml").write_text(TEXT.replace("filters = 4", "filters = 5"), encoding="utf-8")
    table = complete(config)
    table["network"]["file"] = "other.toml"
    assert "filters = 5" in config_from(table).network.content


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("network.name=vgg6", "network.name: expected 'file' or nothing beside network.file, found 'vgg6'"),
        (
            "network.width=0.5",
            "network.width: expected nothing beside network.file, found 0.5; the file says",
        ),
        ("network.depth=0.5", "network.depth: expected nothing beside"),
        ("network.file=no.toml", "architecture: expected a TOML file, found no file no.toml"),
        ("network.file=3", "network.file: expected str, found 3"),
        ("network.content=3", "network.content: expected str, found 3"),
    ],
)
def test_other_options_beside_it_are_refused(place, option, words):
    with pytest.raises(InputError, match=words):
        read_config(place / "own.toml", [option])


def test_a_name_without_a_file_is_refused():
    with pytest.raises(
        InputError, match=r"network.file: expected a TOML file of stages and layers, found none"
    ):
        config_from({"network": {"name": "file"}})


def test_images_of_another_size_are_refused(place):
    config = read_config(place / "own.toml", ["data.size=32"])
    words = r"network.file, input_shape: expected \(32, 32, 1\), that of the data, found \(16, 16, 1\); set"
    with pytest.raises(InputError, match=words):
        steps.train(Run.create(place / "run", config, quiet=True))


def test_what_the_network_lacks_is_an_error_of_the_file(place):
    text = TEXT.replace("filters = 4, ", "", 1)
    (place / "nets" / "small.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"network.file, Conv2d stage1.conv: expected its filters"):
        steps.train(Run.create(place / "run", read_config(place / "own.toml"), quiet=True))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "filters = 4",
            "filters = 0",
            "filters of stage1.conv: expected a whole number, at least 1, found 0",
        ),
        ("size = 3", "size = [3, 0]", r"size of stage1.conv: expected \[height, width\].*found \[3, 0\]"),
        ("size = 3", "size = 3, bias = 1", "bias of stage1.conv: expected true or false, found 1"),
        (
            "filters",
            "nodes",
            r"options of stage1.conv \(Conv2d\): expected one of bias, filters, .*found 'nodes'",
        ),
    ],
)
def test_sizes_are_checked_as_they_are_read(place, old, new, words):
    (place / "nets" / "small.toml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_config(place / "own.toml")


def test_members_of_a_sweep_differ_by_the_content(place):
    (place / "nets" / "wide.toml").write_text(TEXT.replace("filters = 4", "filters = 8"), encoding="utf-8")
    variants = "".join(
        f'[[sweep.variants]]\nname = "{name}"\n"network.file" = "nets/{name}.toml"\n'
        for name in ("small", "wide")
    )
    (place / "sweep.own.toml").write_text(CONFIG + "[sweep]\n" + variants, encoding="utf-8")
    members = expand(read_sweep(place / "sweep.own.toml", ["judge.seeds=1"]))
    assert ["filters = 8" in member.config.network.content for member in members] == [False, True]
    grid = "[sweep.grid]\nnetwork.file = ['nets/small.toml']\n"
    (place / "sweep.own.toml").write_text(CONFIG + grid, encoding="utf-8")
    with pytest.raises(InputError, match=r"'network.file'; give each a name in \[\[sweep.variants\]\]"):
        read_sweep(place / "sweep.own.toml")


def test_the_sum_of_branches_is_written_and_read(tmp_path):
    network = nn.build_sized(*small(), 5, np.random.default_rng(0))
    write_architecture(tmp_path / "net.toml", network)
    text = (tmp_path / "net.toml").read_text(encoding="utf-8")
    assert 'inputs = {conv = ["stage1"], sum = ["right.conv", "left", "stage1.norm"]}' in text
    assert '{name = "conv", kind = "Conv2d", filters = 6, size = 3, bias = true, groups = 1' in text
