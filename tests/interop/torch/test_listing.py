"""What can be measured of a model is listed, and measured without names of stages."""

import numpy as np
import pytest

from deeptheory.errors import InputError

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch.small_models")

from deeptheory.interop import torch as live  # noqa: E402
from deeptheory.interop.torch.live_model import LiveModel  # noqa: E402
from deeptheory.interop.torch.refitting import LivePredictor  # noqa: E402


def test_the_list_of_stages():
    torch.manual_seed(0)
    model = models.ResNet()
    listed = live.stages(model, torch.randn(1, 1, 16, 16))
    assert listed.names == ["relu", "layer1.relu#1", "layer1.relu#2", "layer2.relu#1", "avgpool"]
    second = listed[2]
    assert (second.name, second.kind, second.call, second.shape) == ("layer1.relu#2", "ReLU", 2, (4, 16, 16))
    assert (second.filters, second.positions, second.layers) == (4, 256, ("layer1.conv2",))
    assert listed[-1].layers == ("layer2.conv2", "layer2.downsample.0")
    assert (listed.head, listed.unmasked) == (("fc",), {"conv1": "it reads the inputs"})
    lines = str(listed).splitlines()
    assert lines[5].split() == [
        "layer1.relu#2",
        "ReLU",
        "2",
        "4",
        "x",
        "16",
        "x",
        "16",
        "4",
        "256",
        "layer1.conv2",
    ]
    assert lines[-1] == "no masks on conv1: it reads the inputs"
    assert "<td" in listed._repr_html_()
    assert model.training


def test_without_names_every_stage_is_measured_and_masked(loaders):
    torch.manual_seed(0)
    model = models.ConvNeXt()
    found = live.measure(model, loaders.measure, probe_loader=loaders.train, quiet=True)
    assert list(found.stages) == ["block1.norm", "block1.act", "block2.norm", "block2.act", "flatten"]
    assert found.stages["block1.act"]["class_means"].shape == (5, 7, 16)
    assert found.stages["flatten"]["class_means"].shape == (5, 4, 16)
    assert found.classifier == "fc"
    arms = found.masks(["afcc", "random"], 0.5)
    assert [layer.name for layer in arms["afcc"].masks.layers] == [
        "block1.wide", "block1.narrow", "block2.wide", "block2.narrow", "fc",
    ]  # fmt: skip
    losses = found.predict(arms, quiet=True)["arms"]
    assert losses["random"]["refit_loss"] != losses["unpruned"]["refit_loss"] == 0


def test_a_refit_on_channels_last_without_masks_leaves_the_model_as_it_is(loaders, trained):
    torch.manual_seed(0)
    model = models.ConvNeXt()
    images, labels = (torch.cat([batch[part] for batch in loaders.train]).numpy() for part in (0, 1))
    given = (images, labels), (images, labels), 1e-3, np.random.default_rng(0)
    predictor = LivePredictor(LiveModel(model), "flatten", "fc.weight", 5, *given)
    assert [(layer.name, layer.n_positions) for layer in predictor.mixing[1:3]] == [
        ("block1.wide", 16), ("block1.narrow", 16),
    ]  # fmt: skip
    whole = {
        f"{layer.name}.weight": np.ones_like(layer_weight(model, layer), bool) for layer in predictor.mixing
    }
    expected = LiveModel(model).logits(images[:20])
    found = predictor.refitted(whole).network.logits(images[:20])
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def layer_weight(model, layer):
    return model.get_submodule(layer.name).weight.detach().numpy()


def test_the_filters_of_channels_last_are_those_of_the_same_output_channels_first(loaders):
    """Rows of images were taken for filters before."""
    torch.manual_seed(0)
    last = models.ConvNeXt()
    first = torch.nn.Sequential(last.stem, last.block1.depthwise, models.Permuted(last.block1))
    first = torch.nn.Sequential(*first, torch.nn.Flatten(), torch.nn.Linear(7 * 16, 5))
    seen = [
        live.measure(model, loaders.measure, [stage], probe_loader=loaders.train, quiet=True).stages[stage]
        for model, stage in ((last, "block1.act"), (first, "2"))
    ]
    np.testing.assert_allclose(seen[0]["class_means"], seen[1]["class_means"], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            lambda: torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 5))),
            ["one of TorchScript", "pass the module"],
        ),
        (
            lambda: torch.nn.Sequential(torch.jit.script(torch.nn.Linear(4, 5))),
            ["module '0': expected a module whose forward pass is Python"],
        ),
        (
            lambda: torch.nn.Linear(4, 5, device="meta"),
            ["parameter 'weight'", "on the device meta; load the weights"],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # deprecated, of a kind that goes by the version
def test_what_hooks_do_not_see_is_refused(model, words):
    with pytest.raises(InputError) as refused:
        live.stages(model(), np.zeros((2, 4)))
    for word in words:
        assert word in str(refused.value)


def test_examples_that_are_none_are_refused():
    with pytest.raises(
        InputError, match=r"example: expected inputs \(n, ...\), at least one, found shape \(4,\)"
    ):
        live.stages(models.ResNet(), np.zeros(4))
    with pytest.raises(InputError, match="inputs: expected what the model's forward pass takes"):
        live.stages(models.ResNet(), np.zeros((1, 2, 16, 16)))


def test_a_model_without_outputs_that_can_be_measured(loaders):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 5))
    with pytest.raises(InputError, match=r"stages: expected outputs of layers.*found none; name a module"):
        live.measure(model, loaders.measure, probe_loader=loaders.train, quiet=True)


@pytest.mark.parametrize(
    "norm", [torch.nn.utils.spectral_norm, torch.nn.utils.parametrizations.spectral_norm]
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_computed_weights_are_measured_but_not_refitted(loaders, norm):
    torch.manual_seed(0)
    layers = [norm(torch.nn.Conv2d(1, 3, 3)), torch.nn.ReLU(), torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()]
    model = torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 5)
    )
    model(loaders.train[0][0]).sum().backward()  # the computed weight has a history now
    found = live.measure(model, loaders.measure, probe_loader=loaders.train, quiet=True)
    assert found.pairs == {"2": ("1", "5"), "6": ("5", "head")}
    with pytest.raises(
        InputError, match=r"predictions with layer '0': expected a weight that is a parameter"
    ):
        found.predict(found.masks(["afcc"], 0.5))


def test_layers_that_are_normed_behind_a_concatenation_or_not_at_all(loaders):
    torch.manual_seed(0)
    model = models.DenseNet()
    for name in ("one", "two"):
        model.get_submodule(name).conv2.bias = None
    found = live.measure(model, loaders.measure, probe_loader=loaders.train, quiet=True)
    arms = found.masks(["afcc", "random"], 0.5)
    losses = found.predict(arms, quiet=True)["arms"]
    assert found.predict(arms, quiet=True)["arms"] == losses
    assert model.one.conv2.bias is None
    layers = [torch.nn.Conv2d(1, 3, 3), torch.nn.Conv2d(3, 3, 3, bias=False), torch.nn.ReLU()]
    model = torch.nn.Sequential(
        *layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 5)
    )
    found = live.measure(model, loaders.measure, probe_loader=loaders.train, quiet=True)
    losses = found.predict(found.masks(["afcc"], 0.5), quiet=True)["arms"]  # refitted without an offset
    assert losses["unpruned"]["refit_loss"] == 0
