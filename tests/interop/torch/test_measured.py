"""Masks and predictions of a live model are those of the same network of ours."""

import itertools

import numpy as np
import pytest

from deeptheory import measure as measuring
from deeptheory import prune
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError

torch = pytest.importorskip("torch")

from deeptheory.interop.torch import apply_masks, measure  # noqa: E402
from deeptheory.interop.torch.refitting import mixing_layers, unfold  # noqa: E402

THRESHOLD, NEAR = 0.3, 1e-5
WEIGHTS = {"04.weight": "stage2", "08.weight": "stage3", "11.weight": "stage4", "15.weight": "stage5"}


@pytest.fixture(scope="module")
def shared(trained, request):
    """One measured model for all tests that do not change it."""
    from tests.interop.torch.conftest import loader, sequential

    return measure(
        sequential(trained.network),
        loader(*trained.measure),
        list(trained.stages.values()),
        probe_loader=loader(*trained.train),
        quiet=True,
    )


def context(trained, shared):
    """The same layers of our network, with strengths from its own class means and the probes of the live model."""
    network, (images, labels) = trained.network, trained.measure
    names = [stage.name for stage in network.stages]
    layers = prune.masked_layers(network, names[1:], head=True)
    statistics = measuring.class_statistics(network, images, labels, names, 5, quiet=True)
    strengths = {}
    for name in names:
        means = statistics[name].means
        probe = shared.stages[trained.stages[name]]["probe_weight"].reshape(means.shape)
        strengths[name] = measuring.label_strengths(measuring.fields_from_class_means(means, probe))
    rng = np.random.default_rng(0)
    return prune.Context(layers, network.parameters(), strengths, THRESHOLD, rng)


def own_name(weight):
    return f"{WEIGHTS[weight]}.conv.weight" if weight in WEIGHTS else prune.HEAD_WEIGHT


def test_the_layers_of_a_sequential_are_found(shared, trained):
    ends = list(trained.stages.values())
    pairs = zip(WEIGHTS, itertools.pairwise(ends), strict=True)
    expected = {name.removesuffix(".weight"): pair for name, pair in pairs}
    assert shared.pairs == expected | {"20": (ends[-1], "head")}


@pytest.mark.parametrize("density", [0.0, 0.4])
def test_the_masks_are_those_of_the_same_network_of_ours(shared, trained, density):
    own = context(trained, shared)
    arms = shared.masks(density=density, threshold=THRESHOLD)
    streams = shared._rng("controls").spawn(len(arms))
    expected = prune.prune_arms(own, dict(zip(arms, streams, strict=True)), density)
    assert {arm.summary.density for arm in arms.values()} == {arms["afcc"].summary.density} != {1.0}
    for name, arm in arms.items():
        for weight, mask in arm.masks.items():
            ours = expected[name].masks[own_name(weight)]
            assert mask.shape == ours.shape == shared.model.get_parameter(weight).shape
            scores = expected[name].scores[own_name(weight)]
            kept = expected[name].units[own_name(weight)]
            edge = scores[kept].min() if density else THRESHOLD
            if name == "random" or np.abs(scores[~kept] - edge).min() > NEAR:
                np.testing.assert_array_equal(mask, ours, err_msg=f"{name} {weight}")


def test_the_published_indexing_takes_the_clusters_of_the_model_at_the_threshold_of_the_masks(shared):
    name, (stage, weight) = "published-indexing", ("14", "15.weight")
    arms = shared.masks(["afcc", "random", name], threshold=0.5, density_from=name)
    clipped = measuring.clip(shared.fields(stage), 0.5)
    listed = [set(cluster) for matrix in clipped for cluster in measuring.find_clusters(matrix)]
    sets = [listed[f] if f < len(listed) else set() for f in range(len(clipped))]
    clipped = measuring.clip(shared.fields("18"), 0.5)
    listed = [set(cluster) for matrix in clipped for cluster in measuring.find_clusters(matrix)]
    above = [listed[f] if f < len(listed) else set() for f in range(len(clipped))]
    kernels = arms[name].masks.kernels(weight)
    assert kernels.tolist() == [[bool(a & b) for a in sets] for b in above]
    assert {arm.masks.density(weight) for arm in arms.values()} == {kernels.mean()}


def test_layers_named_by_the_user_are_masked_and_no_others(shared):
    arms = shared.masks(["afcc", "snr-share", "l1"], 0.5, pairs={"15": ("14", "18")}, granularity="filter")
    assert [list(arm.masks) for arm in arms.values()] == [["15.weight"]] * 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"criteria": ["afcc", "random-afcc"]},
            ["criterion of a live model", "'random-afcc'", "import the network"],
        ),
        ({"criteria": ["afcc", "snip"]}, ["criterion of a live model", "'snip'", "import the network"]),
        ({"criteria": ["random"]}, ["'afcc' among them"]),
        ({"pairs": {}}, ["layers between stages", "give pairs="]),
        ({"pairs": {"14": ("10", "14")}}, ["pair of '14'", "a convolution without groups", "MaxPool2d"]),
        ({"pairs": {"91": ("10", "14")}}, ["pairs: expected the name of a module", "'91'"]),
        ({"pairs": {"11": ("9", "14")}}, ["pair of '11'", "measured stages", "'9'"]),
        ({"pairs": {"11": "10"}}, ["the stage that it reads and the one that it writes"]),
        ({"pairs": {"11": ("03", "14")}}, ["weight '11.weight'", "inputs from the 8 filters of 03"]),
        ({"pairs": {"11": ("10", "18")}}, ["weight '11.weight'", "64 outputs, as 18 has"]),
        ({"pairs": {"20": ("14", "head")}}, ["that of a probe of 14", "after any pooling"]),
    ],
)
def test_what_cannot_be_masked_is_refused(shared, given, words):
    with pytest.raises(InputError) as refused:
        shared.masks(**given)
    for word in words:
        assert word in str(refused.value)


def test_the_predictions_are_those_of_the_same_network_of_ours(shared, trained):
    arms = shared.masks(["afcc", "random"], 0.4)
    found = shared.predict(arms, l2=1e-3, quiet=True)
    rng = shared._rng("predictions").spawn(3)[0]
    splits = ((scale(images), labels) for images, labels in (trained.train, trained.measure))
    own = prune.Predictor(trained.network, *splits, 1e-3, rng)
    n = len(trained.measure[1])
    for name, masks in {"unpruned": {}, **{arm: made.masks for arm, made in arms.items()}}.items():
        expected = own.predict({own_name(weight): mask for weight, mask in masks.items()})
        assert found["arms"][name]["refitted"] == pytest.approx(expected.refitted, abs=1.01 / n)
        assert found["arms"][name]["refit_loss"] == pytest.approx(expected.refit_loss, abs=2.02 / n)
        assert found["arms"][name]["refitted_theory"] == pytest.approx(expected.refitted_theory, abs=5e-3)
    losses = [found["arms"][name]["loss"] for name in ("unpruned", "afcc", "random")]
    assert losses[0] == 0 < losses[2]
    for name, stage in shared.stages.items():
        assert found["stages"][name]["counted"] == pytest.approx(stage["probe_accuracy"])
    layers = found["layers"]
    assert set(layers) == set(arms["afcc"].masks)
    assert layers["11.weight"]["prunable"].shape == (32, 32)
    assert "expected_dilution" not in layers["20.weight"]


def test_a_prediction_needs_the_intact_model_and_inputs_to_refit_it_on(model, loaders, trained):
    measured = measure(model, loaders.measure, ["18"], quiet=True)
    arms = measured.masks(["afcc"], 0.5)
    with pytest.raises(InputError, match="pass probe_loader to measure"):
        measured.predict(arms)
    measured = measure(model, loaders.measure, ["18"], probe_loader=loaders.train, quiet=True)
    apply_masks(model, arms["afcc"].masks)
    with pytest.raises(InputError, match="predict before apply_masks"):
        measured.predict(arms)


class Residual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = torch.nn.Conv2d(1, 3, 3, bias=False), torch.nn.BatchNorm2d(3)
        self.second, self.act = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False), torch.nn.ReLU(inplace=True)
        self.late = torch.nn.BatchNorm2d(3)
        self.depthwise = torch.nn.Conv2d(3, 3, 1, groups=3)
        self.out = torch.nn.Linear(3, 5)

    def forward(self, x):
        x = self.norm(self.first(x))
        x = x + self.depthwise(self.late(self.act(self.second(x))))
        return self.out(x.mean((2, 3)))


def test_only_a_batch_norm_that_takes_the_output_as_it_is_can_take_an_offset():
    from deeptheory.interop.torch.live_model import LiveModel

    live = LiveModel(Residual())
    found = mixing_layers(live, np.zeros((1, 1, 8, 8), np.float32), "out")
    assert [(layer.name, layer.n_positions, layer.norm) for layer in found] == [
        ("first", 36, "norm"),
        ("second", 36, ""),  # the ReLU works in place
        ("out", 1, ""),
    ]
    assert [layer.name for layer in mixing_layers(live, np.zeros((1, 1, 8, 8), np.float32), "late")] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"padding": 1},
        {"padding": "same", "dilation": 2},
        {"stride": (2, 1), "padding": (0, 2), "padding_mode": "circular"},
    ],
)
def test_patches_times_weights_are_the_outputs(options):
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 4, (3, 2), bias=False, **options)
    x = torch.randn(2, 3, 7, 6)
    outputs = conv(x).detach().movedim(1, -1).reshape(-1, 4).numpy()
    patches = unfold(torch, conv, x)
    np.testing.assert_allclose(patches @ conv.weight.detach().numpy().reshape(4, -1).T, outputs, atol=1e-5)
