"""A live model is measured as the same network of ours is, and left as it was."""

import numpy as np
import pytest

from deeptheory import measure as measuring
from deeptheory.errors import InputError

torch = pytest.importorskip("torch")

from deeptheory.interop.torch import measure  # noqa: E402

# The weights of two fits agree to the tolerance over l2.
PROBE = measuring.ProbeOptions(l2=0.1, tolerance=1e-6)
NEAR = 1e-5  # of a threshold: a strength that rounding may put on either side


@pytest.fixture
def measured(model, loaders, trained):
    stages = list(trained.stages.values())
    return measure(
        model,
        loaders.measure,
        stages,
        probe_loader=loaders.train,
        test_loader=loaders.test,
        probe_options=PROBE,
        quiet=True,
    )


def own_records(trained):
    """What the step `measure` of a run makes of the same network, images and labels."""
    network, (images, labels) = trained.network, trained.measure
    rng = np.random.default_rng(0).spawn(2)
    names = [stage.name for stage in network.stages]
    probes = {names[-1]: network.parameters()["head.linear.weight"]}
    for name, features in measuring.iterate_features(network, trained.train[0], names[:-1], quiet=True):
        fit = measuring.fit_probe(features, trained.train[1], network.n_labels, PROBE, rng[0], quiet=True)
        probes[name] = fit.weight
    statistics = measuring.filter_statistics(network, images, labels, probes, quiet=True)
    fields = measuring.complete_fields(network, trained.test[0], probes, quiet=True)
    options = measuring.MeasureOptions()
    return {
        name: measuring.stage_record(
            statistics[name], probes[name], labels, (fields[name], trained.test[1]), options, rng[1]
        )
        for name in names
    }


def test_the_measures_are_those_of_the_same_network_of_ours(measured, trained):
    records, threshold = own_records(trained), measuring.MeasureOptions().threshold
    assert measured.classifier == "20"
    for name, stage in trained.stages.items():
        found, expected = measured.stages[stage], records[name]
        assert found.keys() - {"probe_weight", "probe"} == expected.keys()
        clear = np.abs(expected["strengths"] - threshold).min() > NEAR
        for key, value in expected.items():
            if isinstance(value, dict):
                continue
            value, ours = np.asarray(found[key]), np.asarray(value)
            assert value.shape == ours.shape, key
            if ours.dtype.kind == "f":
                scale = np.nanmax(np.abs(ours), initial=0)
                np.testing.assert_allclose(value, ours, rtol=0, atol=1e-4 * scale, err_msg=f"{name} {key}")
            elif clear:
                np.testing.assert_array_equal(value, ours, err_msg=f"{name} {key}")


def test_the_fields_of_a_stage_sum_to_its_class_mean_complete_fields(measured, trained, loaders):
    stage = trained.stages["stage5"]
    with torch.no_grad():
        logits = np.concatenate([measured.model.eval()(x).numpy() for x, _ in loaders.measure])
    means = measuring.class_means(logits, trained.measure[1], 5)
    np.testing.assert_allclose(measured.fields(stage).sum(axis=0), means, rtol=1e-4, atol=1e-4)
    assert measured.fields(stage, slice(2, 5)).shape == (3, 5, 5)


def test_measuring_on_what_the_model_has_seen_is_warned_of(model, loaders):
    with torch.no_grad():
        seen = [[x, model.eval()(x).argmax(1)] for x, _ in loaders.measure]
        wrong = [[x, (model(x).argmax(1) + 1) % 5] for x, _ in loaders.test]
    with pytest.warns(
        UserWarning, match=r"accuracy 1.000 on the inputs to measure on, 0.000 on the test inputs"
    ):
        measure(model, seen, ["18"], test_loader=wrong, quiet=True)


def test_the_output_of_a_convolution_itself_is_a_stage(model, loaders, trained):
    """In place, the ReLU that follows would have overwritten it."""
    found = measure(model, loaders.measure, ["00"], probe_loader=loaders.train, quiet=True)
    images, labels = trained.measure
    ours = measuring.class_statistics(trained.network, images, labels, ["stage1.conv"], 5, quiet=True)
    means = ours["stage1.conv"].means
    np.testing.assert_allclose(
        found.stages["00"]["class_means"], means, rtol=0, atol=1e-5 * np.abs(means).max()
    )
    assert means.min() < 0


def test_nodes_in_double_precision_are_measured(loaders):
    torch.manual_seed(0)
    mlp = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(256, 8), torch.nn.ReLU(), torch.nn.Linear(8, 5)
    ).double()
    found = measure(mlp, loaders.measure, ["1", "2"], probe_loader=loaders.train, quiet=True)
    assert found.stages["2"]["class_means"].shape == (5, 8, 1)
    assert found.classifier == ""  # it has a bias
    assert found.pairs == {"3": ("2", "head")}


def hooks(model):
    return [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()]


def test_modes_hooks_and_statistics_are_left_as_they_were(model, loaders):
    model[1].eval()
    modes = [module.training for module in model.modules()]
    assert modes.count(False) == 1
    state = {name: value.clone() for name, value in model.state_dict().items()}
    measure(model, loaders.measure, ["04"], probe_loader=loaders.train, quiet=True)
    assert [module.training for module in model.modules()] == modes
    assert not any(hooks(model))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled()


class Breaks(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model, self.calls = model, 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 4:
            raise KeyError("broken")
        return self.model(x)


def test_modes_and_hooks_are_restored_after_an_exception(model, loaders):
    broken = Breaks(model)
    with pytest.raises(KeyError, match="broken"):
        measure(broken, loaders.measure, ["model.04"], probe_loader=loaders.train, quiet=True)
    assert all(module.training for module in broken.modules())
    assert not any(hooks(broken))


class Count(torch.nn.Module):
    def forward(self, x):
        return len(x)


class Odd(torch.nn.Module):
    """Modules whose outputs are no activations, one that is called twice, one that is never called."""

    def __init__(self):
        super().__init__()
        self.rows, self.count, self.whole = torch.nn.Identity(), Count(), torch.nn.Identity()
        self.twice = torch.nn.ReLU()
        self.pair = torch.nn.LSTM(16, 3, batch_first=True)
        self.never = torch.nn.ReLU()
        self.out = torch.nn.Linear(256, 5)

    def forward(self, x):
        self.pair(self.rows(x.flatten(1, 2).sort(1).values))
        self.whole(x[:, 0].mean(0))
        self.count(x)
        return self.out(self.twice(self.twice(x)).flatten(1))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("rows", ["output of module 'rows'", "shape (N, 16, 16) behind sort", "name another stage"]),
        ("pair", ["output of module 'pair'", "shape (N, 16, 3) behind"]),
        ("count", ["output of module 'count'", "(N, T, C) or (N, C)", "found something else"]),
        ("whole", ["output of module 'whole'", "(N, T, C) or (N, C)", "shape (N, 16)"]),
        ("twice:input", ["stage 'twice:input'", "the input of a layer that mixes channels", "ReLU"]),
        ("twice", ["calls of module 'twice'", "expected 1, found 2", "name one of 'twice#1', 'twice#2'"]),
        ("twice#3", ["calls of module 'twice'", "expected 3, found 2"]),
        ("never", ["calls of module 'never'", "expected 1, found 0"]),
        ("twise", ["stage: expected the name of a module", "did you mean 'twice'?"]),
        ("head", ["stage"]),
        ("", ["found ''"]),
    ],
)
def test_a_stage_that_cannot_be_measured_is_named(loaders, stage, words):
    with pytest.raises(InputError) as refused:
        measure(Odd(), loaders.measure, [stage], probe_loader=loaders.train, quiet=True)
    for word in words:
        assert word in str(refused.value)


def test_a_module_called_head_is_no_stage(loaders):
    model = torch.nn.Sequential()
    model.add_module("flatten", torch.nn.Flatten())
    model.add_module("head", torch.nn.Linear(256, 5))
    with pytest.raises(InputError, match="a module before the outputs"):
        measure(model, loaders.measure, ["head"], probe_loader=loaders.train, quiet=True)


@pytest.mark.parametrize(
    ("stages", "words"),
    [("02", "found '02'"), ([], "found none"), (["02", "06", "02"], "02 more than once")],
)
def test_lists_of_stages_that_are_none_are_refused(model, loaders, stages, words):
    with pytest.raises(InputError, match=words):
        measure(model, loaders.measure, stages, probe_loader=loaders.train, quiet=True)


def changed(batches, number, place, value):
    batches = [list(batch) for batch in batches]
    batches[number][place] = value
    return batches


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda b: changed(b, 1, 1, b[1][1] + 5),
            ["labels of batches to measure on: expected 0 to 4", "label 7"],
        ),
        (lambda b: changed(b, 1, 1, b[1][1][:-1]), ["batch 1 of batches to measure on", "as many labels"]),
        (lambda b: changed(b, 0, 0, b[0][0].to(torch.uint8)), ["floats", "uint8", "normalise them"]),
        (lambda b: changed(b, 0, 0, b[0][0] / 0), ["finite numbers"]),
        (lambda b: b[:0], ["batches to measure on: expected at least one batch"]),
        (
            lambda b: [[x[:, :, 1:], y] for x, y in b],
            ["inputs: expected what the model's forward pass takes"],
        ),
        (lambda b: [[x, y * 0 + 3] for x, y in b], ["two at least", "label 3 alone"]),
    ],
    ids=["label", "lengths", "integers", "infinite", "empty", "shape", "one"],
)
def test_bad_batches_are_refused(model, loaders, change, words):
    with pytest.raises(InputError) as refused:
        measure(model, change(loaders.measure), ["04"], probe_loader=loaders.train, quiet=True)
    for word in words:
        assert word in str(refused.value)


def test_labels_of_other_loaders_are_looked_at_too(model, loaders):
    wrong = changed(loaders.test, 0, 1, loaders.test[0][1] - 1)
    with pytest.raises(InputError, match=r"labels of batches to test on.*found label -1"):
        measure(model, loaders.measure, ["18"], test_loader=wrong, quiet=True)


def test_probes_need_inputs_of_their_own_but_a_classifier_does_not(model, loaders):
    with pytest.raises(InputError, match=r"probe of stage '04'.*pass probe_loader"):
        measure(model, loaders.measure, ["04", "18"], quiet=True)
    assert measure(model, loaders.measure, ["18"], quiet=True).classifier == "20"


def test_what_is_no_model_and_what_gives_no_logits_are_refused(loaders):
    with pytest.raises(InputError, match=r"model: expected a torch.nn.Module, found a str"):
        measure("vgg", loaders.measure, ["2"], quiet=True)
    with pytest.raises(InputError, match="one output per label"):
        measure(torch.nn.Sequential(torch.nn.ReLU()), loaders.measure, ["0"], quiet=True)
