"""Layers between stages are found in the graph of the forward pass."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch.small_models")

from deeptheory.errors import InputError  # noqa: E402
from deeptheory.interop.torch.connections import default_stages, layers_of, wiring_of  # noqa: E402
from deeptheory.interop.torch.live_model import LiveModel, filters_last  # noqa: E402

tn = torch.nn
X = np.random.default_rng(0).normal(size=(3, 1, 16, 16)).astype(np.float32)


def default_wiring(model):
    live = LiveModel(model)
    stages = default_stages(live, X)
    return stages, wiring_of(live, stages, X)


def test_a_residual_network_with_projections_and_one_relu_for_two_places():
    stages, found = default_wiring(models.ResNet())
    assert stages == ["relu", "layer1.relu#1", "layer1.relu#2", "layer2.relu#1", "avgpool"]
    assert found.pairs == {
        "layer1.conv1": ("relu", "layer1.relu#1"),
        "layer1.conv2": ("layer1.relu#1", "layer1.relu#2"),
        "layer2.conv1": ("layer1.relu#2", "layer2.relu#1"),
        "layer2.conv2": ("layer2.relu#1", "avgpool"),
        "layer2.downsample.0": ("layer1.relu#2", "avgpool"),
        "fc": ("avgpool", "head"),
    }
    assert found.unmasked == {"conv1": "it reads the inputs"}


def test_blocks_name_the_sums_that_they_put_out():
    found = wiring_of(LiveModel(models.ResNet()), ["relu", "layer1", "layer2"], X)
    assert found.pairs == {"layer2.downsample.0": ("layer1", "layer2")}
    assert found.unmasked["layer1.conv1"] == "no stage has the filters that it writes"
    assert found.unmasked["layer1.conv2"] == "no stage has the filters that it reads"
    assert found.unmasked["fc"] == "layer2 has 64 positions, and it reads them pooled"


def test_a_dense_network_reads_concatenations_where_a_norm_puts_them_out():
    stages, found = default_wiring(models.DenseNet())
    assert stages == [
        "conv0",
        "one.relu1",
        "one.relu2",
        "one.conv2",
        "two.relu1",
        "two.relu2",
        "two.conv2",
        "norm",
        "fc:input",
    ]
    assert found.pairs == {
        "one.conv1": ("one.relu1", "one.relu2"),
        "one.conv2": ("one.relu2", "one.conv2"),
        "two.conv1": ("two.relu1", "two.relu2"),
        "two.conv2": ("two.relu2", "two.conv2"),
        "fc": ("fc:input", "head"),
    }


def test_filters_go_through_depthwise_convolutions_and_factors():
    _, found = default_wiring(models.MobileNet())
    assert found.pairs["block1.expand.0"] == ("stem.1", "block1.late")
    assert found.pairs["block1.fc1"] == ("block1.late", "block1.fc1")
    assert found.pairs["block1.fc2"] == ("block1.fc1", "block1.gate")
    assert found.pairs["block1.project.0"] == ("block1.late", "block1")
    assert found.pairs["block2.expand.0"][0] == "block1"
    assert found.pairs["fc"] == ("fc:input", "head")  # the mean over positions is no module
    assert set(found.unmasked) == {"stem.0"}


def test_channels_on_the_last_axis():
    stages, found = default_wiring(models.ConvNeXt())
    assert stages == ["block1.norm", "block1.act", "block2.norm", "block2.act", "flatten"]
    assert found.pairs["block1.wide"] == ("block1.norm", "block1.act")
    assert found.pairs["block1.narrow"] == ("block1.act", "block2.norm")  # through the depthwise convolution
    assert found.pairs["fc"] == ("flatten", "head")
    live = LiveModel(models.ConvNeXt())
    shapes = {}
    live.observe(
        X,
        {
            name: lambda out, name=name: shapes.update({name: out.shape})
            for name in ("block1.act", "block1", "flatten")
        },
    )
    assert shapes == {"block1.act": (3, 4, 4, 7), "block1": (3, 4, 4, 4), "flatten": (3, 16, 4)}


def test_branches_of_equal_width_are_told_apart():
    stages, found = default_wiring(models.Branches())
    assert stages == ["stem.1", "left.1", "right.1", "join", "fc:input"]
    assert found.pairs == {
        "left.0": ("stem.1", "left.1"), "right.0": ("stem.1", "right.1"), "fc": ("fc:input", "head"),
    }  # fmt: skip
    found = wiring_of(LiveModel(models.Branches()), ["stem", "left", "right"], X)
    assert found.pairs == {"left.0": ("stem", "left"), "right.0": ("stem", "right")}
    assert found.unmasked["fc"] == "no stage has the filters that it reads"


@pytest.mark.parametrize("make", [models.ResNet, models.DenseNet, models.Branches])
def test_one_filter_of_a_stage_changes_one_filter_of_what_its_layer_reads(make):
    torch.manual_seed(0)
    model = make().eval()
    live, (_, found) = LiveModel(model), default_wiring(model)
    for name, (stage, _) in found.pairs.items():
        call, seen, times = live.call(stage, X), [], []

        if call.reads:
            continue

        def change(module, given, output, call=call, times=times):
            times.append(module)
            if len(times) == call.number:
                output = output.clone()
                output[:, 1] += 1
            return output

        layer = live.modules[name].register_forward_pre_hook(
            lambda _, given, seen=seen: seen.append(given[0])
        )
        with torch.no_grad():
            model(torch.from_numpy(X))
            handle = live.modules[call.module].register_forward_hook(change)
            model(torch.from_numpy(X))
        layer.remove()
        handle.remove()
        changed = (
            (seen[0] != seen[1]).flatten(2).any(2).any(0)
            if seen[0].ndim == 4
            else (seen[0] != seen[1]).any(0)
        )
        assert changed.nonzero().ravel().tolist() == [1], name


class Odd(tn.Module):
    """A layer that is called twice, one whose filters get lost, one with a computed weight."""

    def __init__(self):
        super().__init__()
        self.first, self.twice = tn.Conv2d(1, 4, 3, padding=1), tn.Conv2d(4, 4, 3, padding=1)
        self.shuffled, self.behind = tn.Identity(), tn.Conv2d(4, 4, 1)
        self.normed = torch.nn.utils.parametrizations.spectral_norm(tn.Conv2d(4, 4, 1))
        self.out = tn.Linear(4, models.N_LABELS)

    def forward(self, x):
        x = self.twice(self.twice(self.first(x)))
        x = self.shuffled(torch.sort(x, dim=1).values)
        return self.out(self.normed(self.behind(x)).mean((2, 3)))


def test_why_a_layer_is_not_masked():
    _, found = default_wiring(Odd())
    assert found.unmasked["twice"] == "it is called 2 times"
    assert found.unmasked["behind"] == "no stage has the filters that it reads, behind sort"
    assert (
        found.unmasked["normed"] == "its weight is computed from other parameters (a spectral or weight norm)"
    )
    live = LiveModel(Odd())
    with pytest.raises(
        InputError,
        match=r"output of module 'shuffled': expected an output whose axis .* \(N, 4, 16, 16\) behind sort",
    ):
        live.call("shuffled", X)
    shapes = {"behind": (4, 256), "normed": (4, 256)}
    with pytest.raises(
        InputError, match=r"pair of 'normed': expected a weight that is a parameter, .* remove the param"
    ):
        layers_of(live, {"normed": ("behind", "normed")}, shapes, np.arange(5), 5, X)


def test_the_axes_of_views_and_of_writing_in_place():
    class Reshaped(tn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.end = tn.Conv2d(1, 3, 3), tn.Identity()
            self.windows, self.rows, self.written = (tn.Identity() for _ in range(3))

        def forward(self, x):
            x = self.conv(x)
            last = x.permute(0, 2, 3, 1)
            self.windows(last.view(len(x), 2, 7, 2, 7, 3).transpose(2, 3).flatten(1, 2)[:, :, 0])
            self.rows(last.flatten(1))
            y = x.clone()
            rows = y.flatten(2)
            rows += rows.flip(1)
            self.written(y)
            return self.end(x.amax((2, 3)))

    live = LiveModel(Reshaped())
    filters = {call.module: (call.filters.axis, call.filters.n) for call in live.traced(X).calls}
    assert filters["windows"] == (3, 3)
    assert filters["rows"] == (-1, 0)  # (N, H*W*C): as nodes
    assert filters["end"] == (1, 3)
    assert filters["written"] == (-1, 0)
    assert live.call("rows", X).shape == (2, 14 * 14 * 3)


def test_merged_positions_are_taken_apart():
    live = LiveModel(models.ConvNeXt())
    output = torch.arange(2 * 64).float().reshape(2, 64)
    found = filters_last(output.numpy(), live.call("flatten", X), 2)
    np.testing.assert_array_equal(found, output.reshape(2, 4, 16).permute(0, 2, 1).numpy())
