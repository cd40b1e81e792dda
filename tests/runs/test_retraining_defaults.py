"""Retraining by default goes on from where training ended: it damages no network, trained here or elsewhere."""

import numpy as np
import pytest

from deeptheory import judge
from deeptheory.nn.architectures import ARCHITECTURES, NAMES
from deeptheory.prune import UNPRUNED
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import IMPORTED_RATE, complete, config_from, to_toml
from deeptheory.runs.steps.retraining import retrain_network, warn_of_damage
from deeptheory.runs.steps.training import arm_accuracy, trained_network, warn_of_chance
from deeptheory.store import paths
from tests.conftest import TINY

TABLES = {name: value for name, value in TINY.items() if name != "retrain"}
DEEPER = (  # of the same blocks as another
    *("vgg13", "vgg19", "resnet34", "resnet101", "resnet152", "wide_resnet101_2", "resnext101_32x8d"),
    *("resnext101_64x4d", "wrn-28-10", "wrn-40-4", "mobilenet-v3-large"),
    *("resnet32-projected", "resnet44-projected", "resnet56-projected", "efficientnet-lite0"),
)
HALVED_FIVE_TIMES = ("vgg11-8conv", "vgg16", "convnext-tiny", "densenet121")
SMALL = {"efficientnet-b0": {"width": 0.25, "depth": 0.3}}


def damage(run, **recipe):
    """Positions of `judge.clearly_below` after retraining the unpruned network."""
    start = trained_network(run).state()
    retrained = retrain_network(run, UNPRUNED, None, start, run.config.prune)
    after = arm_accuracy(run, retrained.network)
    before = arm_accuracy(run, trained_network(run))
    variance = judge.paired_variance(after[paths.CORRECT], before[paths.CORRECT])
    loss = before[paths.ACCURACY] - after[paths.ACCURACY]
    return judge.clearly_below(np.array([loss]), np.array([variance]), judge.FIXED.margin / 100)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DEEPER])
def test_every_architecture(name, tmp_path):
    network = {"name": name, "width": 0.125, **SMALL.get(name, {})}
    data = TINY["data"] | ({"size": 32} if name in HALVED_FIVE_TIMES else {})
    train = {**TINY["train"], "epochs": 3}
    if ARCHITECTURES[name].reads_words:
        data, train = {**data, "source": "sentences", "length": 16}, {**train, "shift": 0}
    tables = {**TABLES, "data": data, "network": network, "prune": {"stages": []}, "train": train}
    config = config_from(tables)
    run = Run.create(tmp_path / name, config, quiet=True)
    steps.train(run)
    assert damage(run) == []


@pytest.fixture
def plain(tmp_path):
    """A configuration that says nothing of retraining."""
    path = tmp_path / "plain.toml"
    text = to_toml(config_from(TABLES))
    path.write_text(text[: text.index("[retrain]")], encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["onnx", "safetensors", "pt"])
def test_imported_networks(kind, finished_study, plain, tmp_path, deeptheory):
    run = Run(finished_study / "seed-3", quiet=True)
    if kind == "pt":
        torch = pytest.importorskip("torch")
        state = {name: torch.from_numpy(array) for name, array in trained_network(run).state().items()}
        torch.save(state, tmp_path / "net.pt")
        given = [tmp_path / "net.pt", "--architecture", "vgg6"]
    else:
        pytest.importorskip("onnx" if kind == "onnx" else "safetensors")
        out = tmp_path / ("net.onnx" if kind == "onnx" else "net")
        assert deeptheory("export", run.directory, "--to", kind, "--out", out).code == 0
        given = (
            [out]
            if kind == "onnx"
            else [tmp_path / "net.safetensors", "--architecture", tmp_path / "net.toml"]
        )
    imported = tmp_path / "imported"
    seen = ("--held-out", "train")  # as the network was trained by this package
    result = deeptheory("import", *given, "--config", plain, "--out", imported, *seen, "--quiet")
    assert result.code == 0, result.err
    again = Run(imported, quiet=True)
    assert again.config.retrain.learning_rate == IMPORTED_RATE
    assert damage(again) == []


def test_what_follows_from_the_training():
    table = {"train": {"learning_rate": 0.02, "flip": False, "batch": 50, "epochs": 7}}
    assert config_from(table).retrain.learning_rate == 0.01
    assert (config_from(table).retrain.flip, config_from(table).retrain.batch) == (False, 50)
    assert config_from(table).retrain.epochs == config_from({}).retrain.epochs
    own = config_from({**table, "retrain": {"learning_rate": 0.3, "flip": True}}).retrain
    assert (own.learning_rate, own.flip, own.batch) == (0.3, True, 50)
    assert config_from({"network": {"name": "imported"}, **table}).retrain.learning_rate == IMPORTED_RATE
    assert config_from({}).retrain.learning_rate == config_from({}).train.learning_rate / 2


def test_learning_rates_follow_from_the_optimiser():
    adam = config_from({"train": {"optimiser": "adam", "clip_norm": 1.0, "label_smoothing": 0.1}})
    assert (adam.train.learning_rate, adam.retrain.learning_rate) == (0.001, 0.0005)
    retrained = adam.retrain
    assert (retrained.optimiser, retrained.clip_norm, retrained.label_smoothing) == ("adam", 1.0, 0.1)
    other = config_from({"train": {"learning_rate": 0.02}, "retrain": {"optimiser": "adamw"}})
    assert (other.train.learning_rate, other.retrain.learning_rate) == (0.02, 0.0005)
    imported = config_from({"network": {"name": "imported"}, "train": {"optimiser": "adam"}})
    assert imported.retrain.learning_rate == pytest.approx(5e-5)
    stored = config_from(complete(adam))
    assert stored == adam


def test_damage_and_chance_are_said_in_the_log(run):
    correct = np.ones(len(run.read_array("train/correct")), bool)
    run.add("train", {paths.ACCURACY: {"measure": 1.0, "test": 1.0}, paths.CORRECT: correct})
    log = run.directory / paths.LOG
    before = log.read_text(encoding="utf-8")
    warn_of_damage(run, {paths.ACCURACY: 1.0, paths.CORRECT: correct})
    warn_of_chance(run)
    assert log.read_text(encoding="utf-8") == before
    warn_of_damage(run, {paths.ACCURACY: 0.0, paths.CORRECT: ~correct})
    assert "retraining took the unpruned network from 1.0000 to 0.0000" in log.read_text(encoding="utf-8")
    run.add("train", {paths.ACCURACY: {"measure": 0.2, "test": 0.2}})
    warn_of_chance(run)
    assert "0.2000 is not clearly above chance (0.2000)" in log.read_text(encoding="utf-8")
