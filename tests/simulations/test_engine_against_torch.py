"""Both sides of the comparison of accuracies do the same training."""

import json
import sys

import msgspec
import numpy as np
import pytest

from deeptheory import data, nn
from deeptheory.errors import InputError
from tests.scripts import SIMULATIONS, load_script

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = nn.Recipe(epochs=2, batch=10, learning_rate=0.005, shift=1)


@pytest.fixture(scope="module")
def script():
    return load_script(SIMULATIONS / "engine_against_torch.py")


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (31, 16, 16, 3), np.uint8), rng.integers(0, 3, 31)
    return data.Dataset("noise", images, labels, images[:20], labels[:20], ("a", "b", "c"))


@pytest.mark.parametrize("l2_on_all", [False, True])
def test_both_sides_take_the_same_steps(script, dataset, monkeypatch, l2_on_all):
    recipe = msgspec.structs.replace(RECIPE, l2_on_all=l2_on_all)
    twins, make = [], script.torch_twin
    monkeypatch.setattr(script, "torch_twin", lambda network: twins.append(make(network)) or twins[-1])
    networks = [
        nn.build("vgg6", 3, (16, 16, 3), width=1 / 16, rng=np.random.default_rng(1)) for _ in range(2)
    ]
    start = networks[0].state()
    accuracies = (
        script.train_ours(networks[0], dataset, recipe, 7),
        script.train_torch(networks[1], dataset, recipe, 7),
    )
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.051)  # one image may fall on the other side
    for name, parameter in twins[0].named_parameters():
        trained = networks[0].parameters()[name]
        change = np.abs(trained - start[name]).max()
        np.testing.assert_allclose(parameter.detach().numpy(), trained, atol=0.05 * change, err_msg=name)


def test_in_float64_both_sides_end_at_the_same_weights(script, dataset, monkeypatch):
    twins, make, as_torch = [], script.torch_twin, script.as_torch
    monkeypatch.setattr(
        script, "torch_twin", lambda network: twins.append(make(network).double()) or twins[-1]
    )
    monkeypatch.setattr(script, "as_torch", lambda images: as_torch(images.astype(np.float64)))
    networks = [
        nn.build("vgg6", 3, (16, 16, 3), width=1 / 16, rng=np.random.default_rng(1), dtype=np.float64)
        for _ in range(2)
    ]
    script.train_ours(networks[0], dataset, RECIPE, 7)
    script.train_torch(networks[1], dataset, RECIPE, 7)
    for name, parameter in twins[0].named_parameters():
        trained = networks[0].parameters()[name]
        largest = np.abs(trained).max()
        np.testing.assert_allclose(parameter.detach().numpy(), trained, rtol=0, atol=1e-10 * largest)


def test_differences_are_paired_by_seed(script):
    accuracy = {"ours": {"0": 0.5, "1": 0.7, "2": 0.9}, "torch": {"1": 0.6, "0": 0.5}}
    found = script.difference(accuracy)
    assert found == {
        "seeds": 2,
        "difference": pytest.approx(0.05),
        "standard_error": pytest.approx(0.05),
        "agree": True,
    }
    assert script.difference({"ours": {"0": 0.5}, "torch": {"0": 0.6}}) == {}
    accuracy["torch"]["0"] = 0.42
    assert script.difference(accuracy)["agree"] is False


def test_what_is_there_is_not_computed_again(script, monkeypatch, tmp_path, capsys):
    trained = []

    def pretend(network, dataset, recipe, seed):
        trained.append(seed)
        return 0.5 + seed / 100

    monkeypatch.setattr(script, "SIDES", {"ours": pretend, "torch": pretend})
    out = tmp_path / "results" / "engine.json"
    command = f"x --labels 3 --train-per-label 2 --width 0.0625 --threads 1 --out {out}".split()
    for extra in ("--seeds 0 1 --sides ours", "--seeds 0 1"):
        monkeypatch.setattr(sys, "argv", [*command, *extra.split()])
        script.main()
    assert trained == [0, 1, 0, 1]
    assert "agree within one standard error: yes" in capsys.readouterr().out
    assert json.loads(out.read_text())["comparison"]["seeds"] == 2
    monkeypatch.setattr(sys, "argv", [*command, "--epochs", "5"])
    with pytest.raises(
        InputError, match=r"expected the same recipe, found recipe = .*; name another file with --out"
    ):
        script.main()
