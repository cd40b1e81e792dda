"""The compact networks of a finished run, what they cost, and what is printed."""

import json

import h5py
import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.bench import energy, interleaving, machine_load
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError
from deeptheory.runs import compact_files, steps
from deeptheory.runs.steps import compaction, inference_cost
from deeptheory.store import hdf5, paths

ARMS = ("afcc", "random", "label-permuted", "magnitude")


@pytest.fixture
def brief(monkeypatch):
    """Hardly any time is measured, and no counter is read."""
    monkeypatch.setattr(interleaving, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(inference_cost, "ROUNDS", 2)
    monkeypatch.setattr(machine_load, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(energy, "find_counters", list)


def test_every_arm_is_written_and_computes_what_the_masked_network_computes(run):
    steps.compact(run)
    images = scale(run.dataset.test_images[:20])
    for arm in ARMS:
        masked = compaction.retrained_network(run, arm)
        compacted = nn.load_model(run.directory / f"compact-{arm}.h5")
        expected = masked.infer(images)
        np.testing.assert_allclose(compacted.infer(images), expected, atol=1e-5 * np.abs(expected).max())
        layers = run.read_tree(f"compact/{arm}/layers")
        kept = {
            name: int(run.read_array(f"prune/arms/{arm}/masks/{name}.weight").sum())
            for name in list(layers)[3:]
        }
        assert list(layers) == [*(f"stage{n}.conv" for n in (1, 2, 3, 4, 5)), "head.linear"]
        assert all(layers[name]["kernels_left"] <= kept[name] for name in kept)
        assert all(layer["filters_left"] <= layer["filters"] for layer in layers.values())


def test_an_arm_that_is_done_is_left_as_it_is_and_a_lost_file_is_written_again(run):
    steps.compact(run, ("random",))
    path = run.directory / "compact-random.h5"
    before, results = path.read_bytes(), run.results.read_bytes()
    steps.compact(run, ("random",))
    assert (path.read_bytes(), run.results.read_bytes()) == (before, results)
    path.unlink()
    steps.compact(run, ("random",))
    assert path.read_bytes() == before
    assert run.entry_names("compact") == ["random"]


def test_a_file_that_is_damaged_or_another_arms_is_made_again(run):
    steps.compact(run, ("afcc", "random"))
    path, other = (run.directory / f"compact-{arm}.h5" for arm in ("random", "afcc"))
    whole = path.read_bytes()
    for wrong in (whole[:-50], other.read_bytes()):
        path.write_bytes(wrong)
        with pytest.raises(InputError, match=r"compact-random.h5: expected the file that run.h5 records"):
            compact_files.load(run, "random")
        steps.compact(run, ("random",))
        assert path.read_bytes() == whole
        line = (run.directory / paths.LOG).read_text().splitlines()[-2]
        assert line.endswith(
            "warning: compact-random.h5 is not the file that run.h5 records; it is made again"
        )


def test_a_file_of_an_earlier_version_which_records_no_checksum_is_taken_as_it_is(run):
    steps.compact(run, ("random",))
    with h5py.File(run.results, "r+") as file:
        del file["compact/random/sha256"]
    before = run.results.read_bytes()
    steps.compact(run, ("random",))
    assert compact_files.load(run, "random").parameters()
    assert run.results.read_bytes() == before


def test_the_masks_are_those_at_the_end_of_retraining(run):
    steps.compact(run, ("random",))
    before = run.read_tree("compact/random/layers")
    masks = run.read_arrays("retrain/arms/random/masks")
    masks["stage5.conv.weight"][3] = False
    run.store("retrain/arms/random/masks", masks)
    (run.directory / "compact-random.h5").unlink()
    steps.compact(run, ("random",))
    assert (
        run.read_tree("compact/random/layers/stage5.conv")["constant"]
        == before["stage5.conv"]["constant"] + 1
    )
    with h5py.File(run.results, "r+") as file:  # a run from before masks could change
        del file["retrain/arms/random/masks"]
    (run.directory / "compact-random.h5").unlink()
    steps.compact(run, ("random",))
    assert run.read_tree("compact/random/layers") == before


def test_an_unknown_arm_is_refused_with_the_nearest_name(run):
    for step in (steps.compact, steps.cost):
        with pytest.raises(InputError, match=r"--arm: .*, found 'magnitute'; did you mean 'magnitude'\?"):
            step(run, ("magnitute",))


@pytest.mark.parametrize("step", [steps.compact, steps.cost])
def test_a_run_that_is_not_retrained_is_refused(run_until, step):
    with pytest.raises(InputError, match=r"expected the results of 'retrain', found none; run 'deeptheory"):
        step(run_until("prune"))


def test_the_step_compares_the_logits_on_images(run, monkeypatch):
    seen = []
    monkeypatch.setattr(
        prune, "check_agreement", lambda *networks_and_images: seen.append(networks_and_images)
    )
    steps.compact(run, ("afcc",))
    np.testing.assert_array_equal(seen[0][2][0], scale(run.dataset.test_images[:1])[0])
    assert len(seen[0][2]) == 50


@pytest.mark.usefixtures("brief")
def test_cost_stores_all_of_dense_masked_and_compact(run):
    steps.cost(run, ("afcc",))
    found = run.read_tree(paths.cost_path("afcc"))
    sides = found["sides"]
    assert set(sides) == {"dense", "masked", "compact"}
    for name in ("parameters", "multiply_adds", "activation_bytes"):
        assert sides["masked"][name] == sides["dense"][name]
        assert sides["compact"][name] <= sides["dense"][name]
    assert sides["masked"]["saved_bytes"] < sides["dense"]["saved_bytes"]  # zeros are compressed
    assert sides["compact"]["saved_bytes"] == (run.directory / "compact-afcc.h5").stat().st_size
    kept = run.read_number("prune/arms/afcc/cost/parameters_left")
    assert sides["compact"]["parameters"] <= kept
    assert sides["masked"]["nonzero"] <= kept
    for side in sides.values():
        for batch in (1, 100):
            of = side[f"batch{batch}"]
            assert 0 < of["latency_low_s"] <= of["latency_s"] <= of["latency_high_s"]
            assert of["images_per_s"] == pytest.approx(batch / of["latency_s"])
            assert of["activation_bytes"] == batch * side["activation_bytes"]
            assert of["energy_source"] == "ESTIMATE"
            assert of["calls"] == 2
            assert of["joules_per_image"] == energy.estimated_joules(
                side["multiply_adds"], side["array_bytes"], side["traffic_bytes"], batch
            )


@pytest.mark.usefixtures("brief")
def test_energy_is_counted_where_the_counters_can_be_read(run, monkeypatch, tmp_path):
    used = tmp_path / "energy_uj"
    used.write_text("0")

    class Rising(energy.Counter):
        def read(self):
            used.write_text(str(int(used.read_text()) + 600))
            return int(used.read_text())

    monkeypatch.setattr(energy, "find_counters", lambda: [Rising(used, 10**9)])
    steps.cost(run, ("afcc",))
    for side in run.read_tree("cost/afcc/sides").values():
        assert side["batch1"]["energy_source"] == "RAPL"
        assert side["batch1"]["joules_per_image"] == pytest.approx(6e-4)
        assert side["batch100"]["joules_per_image"] == pytest.approx(6e-6)


def test_compact_prints_a_table_of_layers_and_json(deeptheory, run):
    result = deeptheory("compact", run.directory, "--arm", "afcc", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"afcc: {run.directory}/compact-afcc.h5, ")
    assert "layer        filters  left  no input  unread  kernels  left  stored" in result.out
    result = deeptheory("compact", run.directory, "--json", "--quiet")
    numbers = json.loads(result.out)
    assert list(numbers) == list(ARMS)
    assert numbers["afcc"]["layers"]["stage1.conv"]["kernels"] == 8 * run.dataset.input_shape[-1]


@pytest.mark.usefixtures("brief")
def test_cost_prints_the_three_side_by_side_and_json(deeptheory, run):
    result = deeptheory("cost", run.directory, "--arm", "afcc", "--quiet")
    assert result.code == 0
    for words in (
        "dense", "masked", "compact/dense", "non-zero parameters", "batch 100: activation bytes",
        "images per second", "energy (ESTIMATE), mJ per image", "Horowitz, ISSCC 2014",
        "batch 1: the compact network is ",
    ):  # fmt: skip
        assert words in result.out
    numbers = json.loads(deeptheory("cost", run.directory, "--arm", "afcc", "--json", "--quiet").out)
    assert set(numbers["afcc"]["sides"]["compact"]["batch1"]) >= {"latency_s", "joules_per_image"}


def test_cost_refuses_what_compact_refuses(deeptheory, run, assert_refused):
    with h5py.File(run.results, "r+") as file:
        masks = file["retrain/arms/random/masks"]
        masks["stage5.conv.weight"][...] = False
        hdf5.add_checksum(masks["stage5.conv.weight"])
    expected = (
        "'stage5.conv': expected a filter with an input that head.linear reads, found none of 64: 64 have no"
    )
    assert_refused(deeptheory("cost", run.directory, "--arm", "random", "--quiet"), expected)
    assert not (run.directory / "compact-random.h5").exists()
