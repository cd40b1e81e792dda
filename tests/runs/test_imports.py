"""A run of an imported network goes on as one of our own, to the last bit where its weights are the same."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from deeptheory import data, nn, prune
from deeptheory.bench import interleaving, machine_load
from deeptheory.data import augmentation
from deeptheory.errors import InputError
from deeptheory.interop.state import naming
from deeptheory.interop.state.architectures import find_architecture
from deeptheory.interop.state.conversion import converted, standardised
from deeptheory.interop.state.matching import match
from deeptheory.interop.state.tensor_files import read_tensors
from deeptheory.runs import Run, import_run, imported_config, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.estimates import estimate, require_memory, sizes_of
from deeptheory.runs.exports import export_network, masks_back, tensors_of_arm
from deeptheory.runs.network_sources import blueprint_in
from deeptheory.runs.steps import inference_cost
from deeptheory.runs.steps.training import build_network, stored_splits, trained_network
from deeptheory.runs.summaries import step_summaries
from deeptheory.store import paths
from deeptheory.studies import compare, confirm
from tests.conftest import TINY

SOURCE = {
    "file": "net.pt",
    "sha256": "0" * 64,
    "architecture": "vgg6",
    "naming": "torchvision",
    "notes": ["pixels enter scaled to [-1, 1]"],
    "tensors": ["features.0.weight"],
    "parameters": ["stage1.conv.weight"],
    "shapes": ["8 x 1 x 3 x 3"],
    "norm_epsilon": 1e-5,
}
STEPS = paths.STEPS[1:]


def network_of(run):
    """The run's network by way of a state dictionary of PyTorch."""
    network = trained_network(run)
    names = naming.named(nn.blueprint_of(network), naming.vgg_names(nn.blueprint_of(network)))
    tensors = {names[name]: array for name, array in network.state().items()}
    shape = network.input_shape
    found = match(find_architecture("vgg6", tensors, shape), tensors, shape)
    assert found.naming == "torchvision"
    return converted(found, tensors)


@pytest.fixture(scope="module")
def own(finished_study):
    """The tiny run that was trained here; not to be written to."""
    return Run(finished_study / "seed-3", quiet=True)


@pytest.fixture(scope="module")
def finished(own, tmp_path_factory):
    """The same network imported, with all steps; not to be written to."""
    directory = tmp_path_factory.mktemp("imported") / "study" / "seed-3"
    run = import_run(directory, own.config, network_of(own), SOURCE, quiet=True)
    steps.chain(run)
    return run


@pytest.fixture
def new(own, tmp_path):
    """A run that is imported and nothing else."""

    def make(network=None, config=None, source=SOURCE):
        network = network_of(own) if network is None else network
        return import_run(tmp_path / "run", config or own.config, network, source, quiet=True)

    return make


def test_an_imported_run_is_the_same_to_the_last_bit(own, finished, assert_same):
    for entry in ("train/state", "train/splits", "train/accuracy", "train/label_names", *STEPS):
        if entry != "predict":
            assert_same(finished.entry(entry), own.entry(entry), entry)
    # The law of the losses begins with the training, which is not known of an imported network.
    for entry in ("stages", "layers", "dilution", "calibration"):
        assert_same(finished.entry(f"predict/{entry}"), own.entry(f"predict/{entry}"), entry)
    for arm in own.entry_names("predict/arms"):
        for entry in ("refitted", "refitted_theory", "refit_loss", "head"):
            where = f"predict/arms/{arm}/{entry}"
            assert_same(finished.entry(where), own.entry(where), where)


def test_what_is_kept_of_the_import(finished):
    assert finished.config.network.name == "imported"
    stored = finished.read_tree("train/import")
    assert {name: stored[name] for name in ("file", "sha256", "tensors", "parameters")} == {
        name: SOURCE[name] for name in ("file", "sha256", "tensors", "parameters")
    }
    history = finished.read_arrays("train/history")
    assert {len(values) for values in history.values()} == {0}
    described = json.loads(finished.read_text("train/network"))
    assert [stage["name"] for stage in described["stages"]][-1] == "head"
    text = step_summaries.overview(finished).text
    assert "imported network, seed 3" in text
    assert "imported from net.pt as vgg6, sha256 000" in text
    assert "pixels enter scaled to [-1, 1]" in text


def test_measuring_on_what_the_network_has_seen_is_warned_of(own, tmp_path):
    """The held-out images have the labels that the network gives them: the accuracy there is 1."""
    network, dataset = network_of(own), own.dataset
    labels = nn.predict_labels(network, dataset.train_images)
    seen = data.Dataset(
        "seen", dataset.train_images, labels, dataset.test_images[:0], labels[:0], dataset.label_names
    )
    data.pack(seen, tmp_path / "seen.npz")

    def imported(measure_from):
        options = msgspec.structs.replace(own.config.data, measure_from=measure_from)
        config = msgspec.structs.replace(own.config, data=options)
        run = import_run(tmp_path / Path(measure_from).stem, config, network, SOURCE, quiet=True)
        return run, (run.directory / paths.LOG).read_text(encoding="utf-8")

    words = "the network seems to have been trained on what it is measured on"
    run, log = imported(str(tmp_path / "seen.npz"))
    assert words in log
    assert run.read_number("train/accuracy/measure") == 1
    assert stored_splits(run).measure_from == "held-out"
    assert words not in imported("test")[1]


def test_a_study_goes_on_from_an_imported_run(finished):
    config = msgspec.structs.replace(finished.config)
    study = confirm(config, finished.directory.parent, "deeptheory confirm", quiet=True)
    assert study.judged
    compared = msgspec.structs.replace(
        config,
        compare=msgspec.structs.replace(config.compare, criteria=("magnitude", "afcc"), densities=(0.5,)),
    )
    found = compare(compared, finished.directory.parent, quiet=True)
    assert found.numbers["seeds"] == [3]


def test_what_an_imported_run_needs_is_that_of_its_twin(own, finished):
    blueprint = blueprint_in(finished.directory)
    twin, found = sizes_of(own.config), sizes_of(finished.config, True, blueprint)
    different = {"config", "source", "program"}
    for field in dataclasses.fields(found):
        if field.name not in different:
            assert getattr(found, field.name) == getattr(twin, field.name), field.name
    assert found.terms("retrain")["weights"] == twin.terms("retrain")["weights"]
    require_memory([(finished.directory, finished.config)], paths.STEPS, quiet=True)


def test_the_same_import_is_not_repeated_and_another_refused(new):
    run = new()
    before = run.results.read_bytes()
    assert new().read_numbers("train/accuracy") == run.read_numbers("train/accuracy")
    with pytest.raises(InputError, match=r"expected an import of the same file .* sha256 0000.* there, 1111"):
        new(source={**SOURCE, "sha256": "1" * 64})
    assert run.results.read_bytes() == before


def test_a_directory_with_something_else_is_left_alone(own, new, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="expected an empty directory or a run, found other files"):
        new()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_run_that_was_trained_here_is_left_alone(run, own):
    before = run.results.read_bytes()
    with pytest.raises(InputError, match=r"network.name = 'vgg6' there, 'imported' asked"):
        import_run(run.directory, own.config, network_of(own), SOURCE, quiet=True)
    assert run.results.read_bytes() == before


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"data": {**TINY["data"], "n_labels": 4}}, "outputs of the network: expected 4, one for each label"),
        ({"prune": {"stages": ["stage9"]}}, "stage9"),
        (
            {"prune": {"stages": ["stage4"], "schedule": "iterative"}},
            "an imported network has none to go back",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(new, tmp_path, tables, text):
    with pytest.raises(InputError, match=text):
        new(config=config_from({**TINY, **tables}))
    assert not (tmp_path / "run").exists()


def test_it_cannot_be_trained(own, tmp_path):
    config = imported_config(own.config)
    with pytest.raises(InputError, match="found 'imported'; 'deeptheory import FILE' makes a run") as refused:
        confirm(config, tmp_path / "study", "deeptheory confirm", quiet=True)
    assert refused.value.what == "network.name"
    with pytest.raises(InputError, match=r"network\.name"):
        estimate(config, ("train",), [tmp_path], quiet=True)
    assert not (tmp_path / "study").exists()
    run = Run.create(tmp_path / "run", config, quiet=True)
    with pytest.raises(InputError, match=r"network\.name"):
        steps.train(run)
    assert not run.results.exists()


def test_a_sweep_cannot_train_it(sweep_of):
    from deeptheory.studies.sweep.expansion import expand

    with pytest.raises(InputError, match=r"member 'name=imported': network.name: expected one of vgg6"):
        expand(sweep_of(grid={"network.name": ["vgg6", "imported"]}))


def biased(network):
    """The network with a bias in its head: it is no probe then."""
    linear = network.head.layers["linear"]
    bias = np.linspace(-1, 1, network.n_labels, dtype=np.float32)
    layers = {
        **network.head.layers,
        "linear": nn.with_arrays(linear, {**linear.parameters, "bias": bias}, {}),
    }
    stages = (*network.stages, nn.Stage("head", layers, ()))
    return nn.assemble(stages, network.input_shape, network.dtype)


def test_a_head_with_a_bias_and_pixels_of_its_own_units(own, new):
    network = standardised(biased(network_of(own)), (0.45,), (0.2,))
    assert not network.classifier_is_probe
    arms = ("afcc", "random-afcc")
    config = msgspec.structs.replace(own.config, prune=msgspec.structs.replace(own.config.prune, arms=arms))
    run = new(network, config)
    images, _ = data.select(run.dataset, stored_splits(run), "test")
    again = trained_network(run)
    x = augmentation.scale(images)
    np.testing.assert_array_equal(again.infer(x), network.infer(x))
    fresh = build_network(run)
    assert list(fresh.stages[0].layers["standardise"].deviation) == [0.4]
    assert np.abs(fresh.parameters()["stage1.conv.weight"]).max() > 0
    steps.chain(run)
    last = run.read_names("measure/stage_names")[-1]
    probe = run.read_array(f"measure/stages/{last}/probe_weight")
    assert not np.array_equal(probe, network.parameters()["head.linear.weight"])
    where = f"measure/stages/{last}/probe"
    assert (run.has(where), own.has(where)) == (True, False)  # fitted here, the head itself there
    steps.compact(run, ("afcc",))
    compacted = nn.load_model(paths.compact_file(run.directory, "afcc"))
    assert "standardise" in compacted.stages[0].layers
    steps.budget(run, 0.3)
    assert run.read_number(f"{paths.budget_path(0.3)}/network/prediction/loss") <= 0.3


def test_a_network_with_zeros_is_cut_without_any_arm(own, new, monkeypatch, tmp_path):
    monkeypatch.setattr(inference_cost, "ROUNDS", 2)
    monkeypatch.setattr(interleaving, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(machine_load, "LOOK_SECONDS", 0.01)
    network = network_of(own)
    weights = network.parameters()
    for stage in ("stage3", "stage4"):
        weights[f"{stage}.conv.weight"][:, ::2] = 0  # half of the filters before are not read
        weights[f"{stage}.conv.weight"][::3, 1::4] = 0
    run = new(network)
    steps.cost(run)
    assert run.entry_names(paths.COMPACT) == run.entry_names(paths.COST) == ["as-imported"]
    compacted = nn.load_model(paths.compact_file(run.directory, "as-imported"))
    before, after = (prune.footprint_of(of).parameters for of in (network, compacted))
    assert after < before
    x = augmentation.scale(run.dataset.test_images)
    np.testing.assert_allclose(compacted.infer(x), network.infer(x), atol=1e-4)
    exported = export_network(run, "safetensors", tmp_path / "net", "as-imported")
    assert [path.rpartition(".masks")[1] for path in exported.numbers["files"]] == ["", "", ".masks"]
    with pytest.raises(InputError, match=r"--arm: .*as-imported, .* found 'af'"):
        steps.compact(run, ("af",))


def test_a_network_without_zeros_is_not_cut(new):
    with pytest.raises(
        InputError, match=r"expected zeros, as pruning leaves them, found none; measure, predict"
    ):
        steps.compact(new())


def test_an_arm_goes_back_under_the_names_that_it_came_with(own, tmp_path):
    network = network_of(own)
    description = nn.blueprint_of(network)
    names = naming.named(description, naming.vgg_names(description))
    shapes = [" x ".join(map(str, array.shape)) for array in network.state().values()]
    source = {
        **SOURCE,
        "tensors": [names[name] for name in network.state()],
        "parameters": list(network.state()),
        "shapes": shapes,
    }
    run = import_run(tmp_path / "run", own.config, network, source, quiet=True)
    steps.chain(run)
    tensors, masks = tensors_of_arm(run, "afcc")
    arm = Run(tmp_path / "run", quiet=True).read_arrays(paths.arm_path("retrain", "afcc", paths.STATE))
    assert {names[name] for name in arm} == tensors.keys()
    for name, array in arm.items():
        np.testing.assert_array_equal(tensors[names[name]], array)
    assert all(np.all(tensors[name][~mask] == 0) for name, mask in masks.items())
    assert tensors_of_arm(run, "unpruned")[1] is None
    for name, mask in masks_back(run, "afcc").items():
        np.testing.assert_array_equal(mask, masks[name])
    files = export_network(run, "state", tmp_path / "back", "afcc").numbers["files"]
    assert [path.removeprefix(str(tmp_path)) for path in files] == [
        "/back.safetensors",
        "/back.masks.safetensors",
    ]
    back, _ = read_tensors(tmp_path / "back.safetensors")
    assert back.keys() == tensors.keys()
    with pytest.raises(InputError, match="--compact: expected another format than state"):
        export_network(run, "state", tmp_path / "small", "afcc", compacted=True)


def test_what_has_no_names_to_go_back_to_is_refused(own, new, tmp_path):
    with pytest.raises(InputError, match=r"expected an imported network, .* found one that was trained here"):
        tensors_of_arm(own)
    earlier = {name: value for name, value in SOURCE.items() if name not in ("shapes", "norm_epsilon")}
    old = import_run(tmp_path / "old", own.config, network_of(own), earlier, quiet=True)
    with pytest.raises(InputError, match=r"expected the shapes of the imported tensors, found none"):
        tensors_of_arm(old)
    with pytest.raises(InputError, match=r"found one from an ONNX graph; export with --to safetensors"):
        tensors_of_arm(new(source={**SOURCE, "naming": "the graph"}))
