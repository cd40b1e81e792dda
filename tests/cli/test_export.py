"""`deeptheory export`: what it writes of a run, what it prints, and what it refuses."""

import json

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.data.augmentation import scale
from deeptheory.interop.onnx.reader import read_onnx
from deeptheory.interop.state.tensor_files import read_tensors
from deeptheory.runs.steps.compaction import retrained_network
from deeptheory.runs.steps.training import trained_network
from tests.interop.networks import read_network, relative_difference

pytest.importorskip("safetensors")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def images(run):
    return scale(run.dataset.test_images[:20])


def test_the_trained_network_is_written_as_onnx(deeptheory, run, images, tmp_path):
    pytest.importorskip("onnx")
    result = deeptheory("export", run.directory, "--to", "onnx", "--out", tmp_path / "net")
    assert (result.code, result.err) == (0, "")
    file = tmp_path / "net.onnx"
    first, second, third = result.out.splitlines()
    assert first == f"network of {run.directory}"
    assert second == f"  {file}: {file.stat().st_size} bytes"
    assert third.endswith(" that are not zero, 100.0% of those of the trained network")
    np.testing.assert_array_equal(read_onnx(file).infer(images), trained_network(run).infer(images))


def test_an_arm_is_written_as_safetensors_with_its_masks(deeptheory, run, images, tmp_path):
    out = tmp_path / "net.safetensors"
    command = ("export", run.directory, "--to", "safetensors", "--arm", "afcc", "--out", out, "--json")
    numbers = json.loads(deeptheory(*command).out)
    names = ("net.safetensors", "net.toml", "net.masks.safetensors")
    assert numbers["files"] == {str(tmp_path / name): (tmp_path / name).stat().st_size for name in names}
    network = read_network(out.with_suffix(""))
    np.testing.assert_array_equal(network.infer(images), retrained_network(run, "afcc").infer(images))
    masks, _ = read_tensors(tmp_path / "net.masks.safetensors")
    assert set(masks) == set(run.read_arrays("prune/arms/afcc/masks"))
    for name, mask in masks.items():
        assert mask.dtype == bool
        assert not network.parameters()[name][~mask].any()
    counts = numbers["parameters"]
    kept = sum(int(np.count_nonzero(array)) for array in network.parameters().values())
    assert counts["nonzero"] == kept < counts["trained_nonzero"] <= counts["trained"]


def test_a_compact_arm_is_written_for_pytorch(deeptheory, run, images, tmp_path):
    torch = pytest.importorskip("torch")
    from tests.interop.torch.test_writer import load

    out = tmp_path / "small.py"
    arguments = ("--to", "torch", "--arm", "afcc", "--compact", "--out", out, "--quiet")
    result = deeptheory("export", run.directory, *arguments)
    assert result.code == 0
    assert result.out.startswith(f"compact network of {run.directory}, arm afcc\n  {out}: ")
    expected = nn.load_model(run.directory / "compact-afcc.h5").infer(images)
    with torch.no_grad():
        found = load(out)(torch.from_numpy(images.transpose(0, 3, 1, 2))).numpy()
    assert relative_difference(found, expected) <= 1e-5


def test_exported_files_are_replaced_and_the_unpruned_arm_is_an_arm(deeptheory, run, tmp_path):
    for kind in ("onnx", "safetensors", "torch"):
        for arm in ("unpruned", "afcc"):
            result = deeptheory(
                "export", run.directory, "--to", kind, "--arm", arm, "--out", tmp_path / kind, "--quiet"
            )
            assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--to", "onyx", "--out", "{}/net"], "--to: expected one of onnx, safetensors, state, torch, found"),
        (["--to", "onnx", "--out", "{}/net.py"], "net.py': expected a name ending in .onnx, found '.py'"),
        (["--to", "onnx", "--out", "{}/none/net"], "expected an existing directory, found no directory"),
        (["--to", "onnx", "--out", "{}/a"], "expected a file a.onnx, found a directory"),
        (["--to", "torch", "--out", "{}/mine"],
         "expected no file mine.py, or one that deeptheory exported, found a file of another kind"),
        (["--to", "safetensors", "--out", "{}/config"], "expected no file config.toml, or one that"),
        (["--to", "torch", "--out", "{}/theirs"], "expected no file theirs.safetensors, or one that"),
        (["--to", "onnx", "--out", "{}/net", "--arm", "afc"], "--arm: expected one of .*did you mean 'afcc'"),
        (["--to", "onnx", "--out", "{}/net", "--arm", "unpruned", "--compact"], "--arm: .*found 'unpruned'"),
        (["--to", "onnx", "--out", "{}/net", "--compact"], "--compact: expected --arm beside it, found no arm"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_and_nothing_is_lost(
    deeptheory, run, tmp_path, assert_refused, arguments, words
):
    place = tmp_path / "place"
    place.mkdir()
    (place / "a.onnx").mkdir()
    (place / "mine.py").write_text("import deeptheory")
    (place / "config.toml").write_text("seed = 1")
    (place / "theirs.safetensors").write_bytes(b"weights")
    before = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
    result = deeptheory("export", run.directory, *(text.format(place) for text in arguments), "--quiet")
    assert_refused(result, *words.split(".*"))
    assert {path: path.read_bytes() for path in place.iterdir() if path.is_file()} == before


def test_results_that_are_missing_are_asked_for(deeptheory, run_until, tmp_path, assert_refused):
    run, out = run_until("prune"), tmp_path / "net"
    result = deeptheory("export", run.directory, "--to", "onnx", "--arm", "afcc", "--out", out)
    assert_refused(result, "expected the results of 'retrain', found none; run 'deeptheory retrain")
    assert deeptheory("export", run.directory, "--to", "onnx", "--out", out).code == 0
