"""Many labels, many inputs, wide layers, other precisions and devices, compiled models."""

import numpy as np
import pytest

from deeptheory import measure as measuring
from deeptheory.errors import InputError

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch.small_models")
tokens = pytest.importorskip("tests.interop.torch.token_models")

from deeptheory import prune  # noqa: E402
from deeptheory.interop import torch as live  # noqa: E402
from deeptheory.interop.torch import inputs as reading  # noqa: E402
from deeptheory.interop.torch.live_model import LiveModel, first_tensor  # noqa: E402
from deeptheory.interop.torch.tracing import trace  # noqa: E402
from deeptheory.system import memory  # noqa: E402

tn = torch.nn
N = 60
PROBE = measuring.ProbeOptions(l2=0.1)


def images(n=N, seed=0):
    return torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(seed))


def network(n_outputs=5, bias=True):
    torch.manual_seed(0)
    layers = [tn.Conv2d(1, 4, 3, padding=1), tn.ReLU(), tn.Conv2d(4, 6, 3, padding=1), tn.ReLU()]
    return tn.Sequential(*layers, tn.AdaptiveAvgPool2d(2), tn.Flatten(), tn.Linear(24, n_outputs, bias=bias))


def measured(model, batches, **options):
    return live.measure(model, batches, probe_loader=batches, probe_options=PROBE, quiet=True, **options)


@pytest.mark.parametrize("bias", [True, False])
def test_a_model_of_many_labels_is_measured_on_those_that_have_inputs(bias):
    present, x = torch.tensor([3, 7, 11, 400]), images()
    labels = present[torch.arange(N) % 4]
    model = network(1000, bias)
    found = measured(model, [[x, labels]], stages=["3", "5"])
    assert found.labels.tolist() == present.tolist()
    assert found.n_outputs == 1000
    assert found.stages["5"]["strengths"].shape == (6, 4)
    smaller = network(4, bias)
    smaller.load_state_dict(
        {name: tensor[present] if name[:2] == "6." else tensor for name, tensor in model.state_dict().items()}
    )
    same = measured(smaller, [[x, torch.arange(N) % 4]], stages=["3", "5"])
    for stage in ("3", "5"):
        np.testing.assert_allclose(
            found.stages[stage]["strengths"], same.stages[stage]["strengths"], atol=1e-5
        )
    arms, expected = (one.masks(["afcc"], 0.5) for one in (found, same))
    head = arms["afcc"].masks["6.weight"]
    assert head.shape == (1000, 24)
    np.testing.assert_array_equal(head[present], expected["afcc"].masks["6.weight"])
    assert np.delete(head, present, axis=0).all()
    assert arms["afcc"].summary.density == expected["afcc"].summary.density == 0.5
    losses, of_smaller = (
        one.predict(arm, quiet=True)["arms"] for one, arm in ((found, arms), (same, expected))
    )
    assert losses == of_smaller


def test_inputs_of_other_labels_are_left_out_and_those_of_all_are_needed():
    model, x, labels = network(10), images(), torch.arange(N) % 4
    others = [[torch.cat([x, images(5, 1)]), torch.cat([labels, torch.full((5,), 9)])]]
    found = live.measure(model, [[x, labels]], ["5"], probe_loader=others, probe_options=PROBE, quiet=True)
    assert len(found.probe_inputs.labels) == N
    with pytest.raises(
        InputError, match=r"labels of batches for the probes: .* all 4 labels .*none of label 3"
    ):
        live.measure(model, [[x, labels]], ["5"], probe_loader=[[x, labels % 3]], quiet=True)


def test_one_output_is_refused():
    with pytest.raises(
        InputError, match=r"output of the model: .* two at least, found one; give each of two"
    ):
        measured(network(1), [[images(), torch.arange(N) % 2]])


def test_a_compiled_model_stands_for_the_one_within():
    model, batches = network(), [[images(), torch.arange(N) % 5]]
    compiled = torch.compile(model, backend="eager")
    found = measured(compiled, batches, stages=["1", "5"])
    assert found.model is model
    assert found.pairs == {"2": ("1", "5"), "6": ("5", "head")}
    masks = found.masks(["afcc"], 0.5)["afcc"].masks
    live.apply_masks(compiled, masks)
    assert live.masks_of(compiled).keys() == live.masks_of(model).keys() == set(masks)


def test_images_in_half_and_brain_precision():
    model, x, labels = network(), images().bfloat16(), torch.arange(N) % 5
    found, expected = (measured(model, [[given, labels]], stages=["5"]) for given in (x, x.float()))
    np.testing.assert_array_equal(found.stages["5"]["class_means"], expected.stages["5"]["class_means"])
    found = measured(network().bfloat16(), [[x, labels]], stages=["5"])
    assert np.isfinite(found.stages["5"]["class_means"]).all()


@pytest.mark.parametrize(
    "make", [images, lambda: images().bfloat16(), lambda: torch.arange(N * 6).reshape(N, 6)]
)
def test_large_inputs_are_kept_in_a_file_batch_by_batch(make, monkeypatch):
    monkeypatch.setattr(reading, "IN_MEMORY", 1000)
    given, labels = make(), torch.arange(N)
    pool = reading.Pool(torch)
    pool.read_example(torch.zeros(3, 2))
    columns = reading._Column.tensor
    mapped = []
    monkeypatch.setattr(
        reading._Column, "tensor", lambda column: mapped.append(column.file) or columns(column)
    )
    found = pool.read(([given[i : i + 7], labels[i : i + 7]] for i in range(0, N, 7)), "batches")  # read once
    assert mapped[0] is not None
    assert found.images.ravel().tolist() == list(range(3, N + 3))
    order = np.random.default_rng(0).permutation(N)
    assert torch.equal(pool.rows(found.images[order]), given[order])
    assert torch.equal(pool.rows(np.zeros((2, 1), np.float32)), torch.zeros(2, 2))


def test_wide_layers_are_refitted_from_their_patches_as_from_covariances(monkeypatch):
    model, batches = network(), [[images(), torch.arange(N) % 5]]
    found = measured(model, batches, stages=["1", "3", "5"])
    arms = found.masks(["afcc", "random"], 0.5)
    expected = found.predict(arms, quiet=True)["arms"]
    monkeypatch.setattr(prune, "WIDE", 20)  # the second convolution reads 36 weights
    seen = []
    refitted = prune.refitted_wide
    monkeypatch.setattr(
        prune, "refitted_wide", lambda *given: seen.append(given[0].shape) or refitted(*given)
    )
    for name, refit in found.predict(arms, quiet=True)["arms"].items():
        assert refit["refitted"] == expected[name]["refitted"]
        assert refit["refitted_theory"] == pytest.approx(expected[name]["refitted_theory"], abs=1e-3)
    assert seen
    assert {shape[1] * shape[2] * shape[3] for shape in seen} == {36}


@pytest.mark.slow
def test_a_layer_of_25088_inputs_is_predicted_in_four_gigabytes():
    """The classifier of VGG-16, whose covariance of patches alone would take five."""
    torch.manual_seed(0)
    layers = [
        tn.Conv2d(8, 512, 1),
        tn.ReLU(),
        tn.Flatten(),
        tn.Linear(25088, 4096),
        tn.ReLU(),
        tn.Linear(4096, 10),
    ]
    x, labels = torch.randn(400, 8, 7, 7), torch.arange(400) % 10
    x = x + torch.randn(10, 8, 7, 7)[labels]
    found = live.measure(
        tn.Sequential(*layers), [[x[:100], labels[:100]]], ["2", "4"], probe_loader=[[x, labels]], quiet=True
    )
    arms = found.masks(["afcc", "random"], 0.5, pairs={"3": ("2", "4")}, granularity="filter")
    memory.reset_peak()
    losses = found.predict(arms, quiet=True)["arms"]
    peak = memory.process_memory("VmHWM")
    assert peak < 4e9
    assert abs(losses["afcc"]["refit_loss"]) < 0.2


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (models.ResNet, (2, 1, 16, 16)),
        (models.DenseNet, (2, 1, 16, 16)),
        (tokens.ViT, (2, 1, 16, 16)),
        (tokens.Windows, (2, 1, 16, 16)),
        (tokens.Sequence, (2, 2, 16)),
    ],
)
def test_filters_are_followed_without_values_as_on_any_device(make, given):
    """On the device meta, where whatever looks at values or leaves the device raises."""
    found = []
    for device in ("cpu", "meta"):
        model = make().eval().to(device)
        live_model = LiveModel.__new__(LiveModel)  # which refuses a model without values
        live_model.torch, live_model.model = torch, model
        live_model.modules = dict(model.named_modules())
        x = torch.zeros(given, device=device)
        with live_model.hooked({}):
            followed = trace(torch, live_model.modules, live_model.mixes, x, model)
        found.append(
            [
                (call.output, call.number, call.shape, call.batch, call.filters.place)
                for call in followed.calls
            ]
        )
    assert found[0] == found[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
@pytest.mark.parametrize("make", [network, tokens.ViT])
def test_a_model_on_a_graphics_card(make):
    torch.manual_seed(0)
    model, batches = make(), [[images(), torch.arange(N) % 5]]
    found = [measured(model.to(device), batches) for device in ("cpu", "cuda")]
    for stage, record in found[0].stages.items():
        scale = np.abs(record["class_means"]).max()
        np.testing.assert_allclose(
            found[1].stages[stage]["class_means"], record["class_means"], atol=1e-3 * scale
        )
    arms = found[1].masks(["afcc", "random"], 0.5)
    assert found[1].predict(arms, quiet=True)["arms"]["unpruned"]["refit_loss"] == 0


def test_tuples_and_outputs_of_transformers():
    x = torch.zeros(2, 3)
    assert first_tensor(torch, (None, [x], 3)) is x
    assert first_tensor(torch, {"loss": torch.ones(()), "logits": x}) is x
    assert first_tensor(torch, {"last_hidden_state": x}) is x
    assert first_tensor(torch, "nothing") is None
