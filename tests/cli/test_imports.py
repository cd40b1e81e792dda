"""`deeptheory import`: what it prints, writes and refuses."""

import json

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.interop.state import naming
from deeptheory.runs import Run

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def state(finished_study):
    """The tiny trained network as PyTorch would have saved it."""
    return {
        name: torch.from_numpy(array)
        for name, array in Run(finished_study / "seed-3", quiet=True).read_arrays("train/state").items()
    }


@pytest.fixture
def saved(state, tmp_path):
    """The same under the names of torchvision, with the counters of PyTorch, in half precision for one tensor."""
    network = nn.build("vgg6", 5, (16, 16, 1), 0.125, rng=np.random.default_rng(0))
    names = naming.named(nn.blueprint_of(network), naming.vgg_names(nn.blueprint_of(network)))
    renamed = {names[name]: tensor for name, tensor in state.items()}
    renamed["features.1.num_batches_tracked"] = torch.tensor(3)
    renamed["features.1.bias"] = renamed["features.1.bias"].half()
    torch.save(renamed, tmp_path / "net.pt")
    return tmp_path / "net.pt"


def test_an_import_says_what_it_did_and_the_chain_goes_on(deeptheory, config, saved, tmp_path):
    arguments = (
        "import", saved, "--architecture", "vgg6", "--config", config, "--held-out", "train",
        "--out", tmp_path / "run",
    )  # fmt: skip
    result = deeptheory(*arguments, "--quiet")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "net.pt as vgg6, names of torchvision"
    assert any(line.split()[:2] == ["features.0.weight", "8"] for line in lines)
    assert "note: 1 tensors of float16 are converted to float32" in lines
    assert "note: 1 counters of batches are left out" in lines
    assert any(line.startswith("note: pixels enter scaled to [-1, 1]; if") for line in lines)
    assert lines[-1] == f"run file: {tmp_path / 'run' / 'run.h5'}"
    assert deeptheory(*arguments, "--quiet").code == 0
    shown = deeptheory("inspect", tmp_path / "run").out.splitlines()
    assert "  stages: stage1, stage2, stage3, stage4, stage5" in shown
    assert any(
        line.startswith("  masks can act on: stage2, stage3, stage4, stage5, head; ") for line in shown
    )
    assert deeptheory("chain", tmp_path / "run", "--until", "measure", "--quiet").code == 0
    assert "imported from net.pt as vgg6" in deeptheory("inspect", tmp_path / "run").out
    result = deeptheory(*arguments, "--quiet", "--mean", "0.5", "--std", "0.2")
    assert result.code == 2
    assert "expected an import of the same file in the same way" in result.err


def test_json(deeptheory, config, saved, tmp_path):
    result = deeptheory(
        "import", saved, "--architecture", "vgg6", "--config", config, "--held-out", "0.5",
        "--out", tmp_path / "run", "--json",
        "--mean", "0.5", "--std", "0.5",
    )  # fmt: skip
    numbers = json.loads(result.out)
    assert (numbers["architecture"], numbers["naming"], numbers["missing"]) == ("vgg6", "torchvision", {})
    assert numbers["tensors"][0] == {
        "tensor": "features.0.weight",
        "shape": [8, 1, 3, 3],
        "parameter": "stage1.conv.weight",
        "parameter_shape": [8, 1, 3, 3],
    }
    assert numbers["accuracy"].keys() == {"measure", "test"}
    splits = Run(tmp_path / "run", quiet=True).read_tree("train/splits")
    assert splits.read_text("measure_from") == "test"
    assert [len(splits.read_array(name)) for name in ("train", "measure", "test")] == [200, 25, 25]
    assert "pixels p in [0, 1] enter as (p - mean)/std, mean 0.5, std 0.5" in numbers["notes"]


def test_a_list_writes_nothing(deeptheory, config, saved, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = deeptheory("import", saved, "--architecture", "vgg6", "--config", config, "--list")
    assert result.code == 0
    assert "stage5.norm.running_var" in result.out
    assert "accuracy" not in result.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_shows_what_does_not_fit(deeptheory, config, state, tmp_path):
    state["stage1.norm.mean"] = state.pop("stage1.norm.running_mean")
    state["stage2.conv.weight"] = torch.ones(16, 7, 3, 3)
    torch.save(state, tmp_path / "net.pt")
    arguments = ("import", tmp_path / "net.pt", "--architecture", "vgg6", "--config", config)
    result = deeptheory(*arguments, "--list")
    assert result.code == 2
    rows = [line.split() for line in result.out.splitlines()]
    assert ["stage1.norm.running_mean", "MISSING", "nearest:", "stage1.norm.mean"] in rows
    assert ["stage1.norm.mean", "EXTRA"] in rows
    assert any(row[0] == "stage2.conv.weight" and row[-2:] == ["WRONG", "SHAPE"] for row in rows)
    assert result.err.startswith("error: ")
    result = deeptheory(*arguments, "--out", tmp_path / "run")
    assert (result.code, result.out) == (2, "")
    for words in (
        "missing: 'stage1.norm.running_mean' (nearest: 'stage1.norm.mean')",
        "'stage2.conv.weight' (16, 7, 3, 3), not (16, 8, 3, 3)",
    ):
        assert words in result.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--architecture", "vgg6"), "--out: expected a directory for the run, found none"),
        (("--out", "run"), "--architecture: expected a name or a TOML file, found none"),
        (("--out", "run", "--architecture", "vgg66"), "found 'vgg66'; did you mean 'vgg6'?"),
        (("--out", "run", "--architecture", "a.toml"), "architecture: expected a TOML file, found no file"),
        (("--out", "run", "--architecture", "vgg6", "--mean", "0.5"), "--mean: expected --std beside it"),
        (("--out", "run", "--architecture", "vgg6", "--std", "x"), "--std: expected numbers with commas"),
        (("--out", "run", "--architecture", "vgg6", "--norm-epsilon", "0"), "--norm-epsilon: expected a number"),
        (("--out", "run", "--architecture", "vgg6", "--held-out", "train", "--set", "data.n_labels=6"),
         "outputs of the network: expected 6, one for each label of the data, found 5"),
        (("--out", "run", "--architecture", "vgg6"), "--held-out: expected images that the network was not"),
        (("--out", "run", "--architecture", "vgg6", "--held-out", "1.5"), "data.measure_share: expected"),
        (("--out", "run", "--architecture", "vgg6", "--held-out", "no.npz"), "data path no.npz: expected one of"),
        (("--out", ".", "--architecture", "vgg6", "--held-out", "train"),
         "expected an empty directory or a run, found other files"),
    ],
)  # fmt: skip
def test_bad_input(deeptheory, assert_refused, config, saved, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    assert_refused(deeptheory("import", saved, "--config", config, *arguments), words)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_an_imported_network_is_not_trained(deeptheory, assert_refused, config, tmp_path):
    for command in ("train", "confirm"):
        result = deeptheory(command, config, "--out", tmp_path / "x", "--set", "network.name=imported")
        assert_refused(
            result, "network.name: expected one of vgg6", "'deeptheory import FILE' makes a run of such"
        )
    assert not (tmp_path / "x").exists()


def test_an_onnx_file(deeptheory, assert_refused, config, finished_study, tmp_path):
    pytest.importorskip("onnx")
    from deeptheory.interop.onnx.writer import write_onnx
    from deeptheory.runs.steps.training import trained_network

    run = Run(finished_study / "seed-3", quiet=True)
    write_onnx(tmp_path / "net.onnx", trained_network(run))
    arguments = (
        "import",
        tmp_path / "net.onnx",
        "--config",
        config,
        "--held-out",
        "train",
        "--out",
        tmp_path / "run",
    )
    assert_refused(
        deeptheory(*arguments, "--architecture", "vgg6"), "--architecture: expected none for an ONNX"
    )
    result = deeptheory(*arguments, "--quiet")
    assert result.code == 0
    assert result.out.startswith("net.onnx as ONNX, names of the graph")
    assert Run(tmp_path / "run").read_numbers("train/accuracy") == run.read_numbers("train/accuracy")
    assert deeptheory("chain", tmp_path / "run", "--quiet").code == 0


def test_masked_stages_are_the_last_of_the_imported_network_unless_they_are_given(
    deeptheory, config, saved, tmp_path
):
    text = config.read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith('stages = ["stage4", "stage5"]'))
    config.write_text(text.replace(line, ""), encoding="utf-8")
    arguments = (
        "import", saved, "--architecture", "vgg6", "--config", config, "--held-out", "train", "--quiet", "--out",
    )  # fmt: skip
    for _ in range(2):  # the second finds the import done
        result = deeptheory(*arguments, tmp_path / "run")
        assert (result.code, result.err) == (0, "")
    assert Run(tmp_path / "run", quiet=True).config.prune.stages == ("stage3", "stage4", "stage5")
    assert deeptheory(*arguments, tmp_path / "other", "--set", "prune.stages=stage5").code == 0
    assert Run(tmp_path / "other", quiet=True).config.prune.stages == ("stage5",)
