"""The steps of PyTorch's side."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.bench.cases import THEIRS, Setting, Task, batch_of

torch = pytest.importorskip("torch")

from deeptheory.bench import engine_steps, torch_steps  # noqa: E402
from deeptheory.bench.torch_networks import torch_twin  # noqa: E402

SETTING = Setting(network="vgg6", width=1 / 16, size=16, batch=8, images=110)


@pytest.fixture(params=["contiguous_format", "channels_last"])
def task(tmp_path, request):
    def make(step, network):
        path = tmp_path / "network.pt"
        torch.save(network, path)
        return Task(
            module=THEIRS, step=step, setting=SETTING, memory_format=request.param, network_file=str(path)
        )

    return make


def test_a_training_step_moves_the_weights_as_ours_does(task, monkeypatch):
    network = engine_steps.build(SETTING)
    asked = task("train_step", torch_twin(network))
    loaded = torch_steps._load(asked)
    monkeypatch.setattr(torch_steps, "_load", lambda task: loaded)
    images, labels = batch_of(SETTING)
    expected = nn.SGD(network, 0.9, 5e-4, True, {})  # the benchmark's rival decays every parameter
    step = torch_steps.train_step(asked)
    for _ in range(2):
        assert step() > 0
        logits, _ = network.forward(images, training=True)
        network.backward(nn.softmax_cross_entropy(logits, labels)[1])
        expected.step(0.01)
    for name, parameter in loaded.named_parameters():
        found = network.parameters()[name]
        np.testing.assert_allclose(parameter.detach().numpy(), found, rtol=1e-3, atol=2e-4, err_msg=name)


def test_inference_computes_the_logits(task, monkeypatch):
    network, outputs = engine_steps.build(SETTING), []
    asked = task("folded_inference", torch_twin(network))
    loaded = torch_steps._load(asked)
    monkeypatch.setattr(torch_steps, "_load", lambda task: loaded)
    compute = torch_steps.folded_inference(asked)
    loaded.register_forward_hook(lambda module, given, output: outputs.append(output.numpy()))
    for _ in range(2):
        compute()
    expected, _ = network.forward(batch_of(SETTING)[0])
    assert len(outputs) == 2
    for output in outputs:
        np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-4)


def test_folding_changes_no_logit():
    network = engine_steps.build(SETTING)
    for name, array in network.buffers().items():
        array += np.float32(0.5) * ("mean" in name)
    images, _ = batch_of(SETTING)
    folded = torch_steps.folded(torch_twin(network).eval())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    found = folded(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(found, network.forward(images)[0], rtol=1e-3, atol=1e-4)


def test_the_time_of_the_reference_procedure_is_scaled(task, monkeypatch):
    network = engine_steps.build(SETTING)
    cut = torch.nn.ModuleDict({name: torch_twin(network, name) for name in ("stage1", "stage4")})
    clock = iter(np.arange(100.0))
    monkeypatch.setattr(torch_steps.time, "perf_counter", lambda: next(clock))
    seconds = torch_steps.measure(task("measure", cut))()
    assert SETTING.reference_images == 100
    assert seconds == pytest.approx(
        2 * (110 / 100 + 1)
    )  # two stages, a pass and the clusters of a second each
