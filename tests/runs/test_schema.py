"""Run files of older versions are brought up to date; those of later ones are refused."""

import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, read_config, schema
from deeptheory.runs.configuration import Config, to_toml
from deeptheory.runs.verification import verify
from deeptheory.store import hdf5, integrity, paths
from deeptheory.studies.sweep.options import read_sweep


@pytest.fixture
def old(run):
    """The run as version 1 wrote it: without checksums."""
    hdf5.previous_of(run.results).unlink(missing_ok=True)
    with h5py.File(run.results, "r+") as file:
        file[paths.SCHEMA_VERSION][...] = 1
        file.visititems(lambda _, item: item.attrs.clear())
    assert integrity.verify(run.results).unchecked
    return run


def set_version(run, version):
    with h5py.File(run.results, "r+") as file:
        del file[paths.SCHEMA_VERSION]
        file[paths.SCHEMA_VERSION] = version


def test_an_old_file_is_brought_up_to_date_when_it_is_opened(old, finished_study, assert_same):
    before = old.results.read_bytes()
    assert old.done("train")
    found = integrity.verify(old.results)
    assert (found.unchecked, found.damaged) == ((), ())
    assert old.read_number(paths.SCHEMA_VERSION) == schema.VERSION
    assert_same(old.read_tree("retrain"), Run(finished_study / "seed-3").read_tree("retrain"))
    assert hdf5.previous_of(old.results).read_bytes() == before
    log = (old.directory / paths.LOG).read_text()
    assert log.endswith(f"run.h5 brought from schema version 1 to {schema.VERSION}\n")


def test_a_file_without_a_version_is_the_oldest(old):
    with h5py.File(old.results, "r+") as file:
        del file[paths.SCHEMA_VERSION]
    assert old.done("train")
    assert old.read_number(paths.SCHEMA_VERSION) == schema.VERSION


def test_a_file_of_a_later_version_is_refused_and_kept(run):
    set_version(run, 99)
    before = run.results.read_bytes()
    expected = (
        rf"^{run.results}: expected schema version up to {schema.VERSION}, found 99; "
        "use the version of deeptheory that wrote it, or a later one$"
    )
    with pytest.raises(InputError, match=expected):
        run.done("train")
    assert run.results.read_bytes() == before


@pytest.mark.parametrize("version", [float("nan"), 1.5, 0, "two", [1, 2]])
def test_a_version_that_is_no_whole_number_is_refused_and_kept(run, version):
    set_version(run, version)
    before = run.results.read_bytes()
    with pytest.raises(InputError, match=rf"'schema_version' in {run.results}: expected a .*number"):
        run.done("train")
    assert run.results.read_bytes() == before


def test_there_is_a_migration_from_every_version():
    assert list(schema.MIGRATIONS) == list(range(1, schema.VERSION))


def test_predictions_of_an_accuracy_become_those_of_a_loss(run):
    arm = run.read_tree("predict/arms/afcc").read_numbers("head") | {"refitted": 0.6}
    run.store(
        "predict/arms/afcc",
        {**arm, "retrained": 0.81, "retrained_error": 0.04, "loss": 0.09, "loss_error": 0.02},
    )
    set_version(run, 2)
    found = run.read_tree("predict/arms/afcc")
    expected = {"refit_loss": 0.3, "loss": 0.09, "loss_low": 0.07, "loss_high": 0.11}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert not {"retrained", "retrained_error", "loss_error"} & set(found)
    assert integrity.verify(run.results).damaged == ()


def test_a_network_that_was_renamed_is_opened_under_its_present_name(run_until):
    run = run_until("train")
    text = to_toml(run.config)
    now = text.replace('name = "vgg6"', 'name = "vgg11-10conv"')
    before = now.replace('name = "vgg11-10conv"', 'name = "vgg11"')
    assert before != now != text
    with h5py.File(run.results, "r+") as file:
        hdf5.replace_text(file, paths.CONFIG_TEXT, before)
    set_version(run, 3)
    for name in (paths.CONFIG, paths.CONFIG_NEXT):  # a change of options was cut off
        (run.directory / name).write_text(before)
    found = Run(run.directory, quiet=True)
    assert found.config.network.name == "vgg11-10conv"
    assert verify(run.directory).numbers["damaged"] == 0
    assert found.done("train")
    assert found.read_text(paths.CONFIG_TEXT) == (run.directory / paths.CONFIG).read_text() == now
    assert Run(run.directory, quiet=True).config == found.config


def test_records_are_renamed_and_files_of_users_are_not(tmp_path):
    complete = to_toml(Config()).replace("vgg11-10conv", "vgg11")
    for name in (paths.CONFIG, paths.SWEEP):
        (tmp_path / name).write_text(complete)
        assert read_config(tmp_path / name) == Config()
    grid = '[sweep.grid]\n"network.name" = ["vgg6", "vgg11"]\n'
    (tmp_path / paths.SWEEP).write_text(complete + grid)
    assert read_sweep(tmp_path / paths.SWEEP).options.grid == {"network.name": ["vgg6", "vgg11-10conv"]}
    for name, text in (("mine.toml", complete), (paths.CONFIG, '[network]\nname = "vgg11"')):
        (tmp_path / name).write_text(text)
        with pytest.raises(
            InputError, match=r"network.name: .* found 'vgg11'; vgg11-8conv is that of Simonyan"
        ):
            read_config(tmp_path / name)


def test_heads_of_predictions_that_knew_no_capacity_tell_all_labels_apart(run):
    with h5py.File(run.results, "r+") as file:
        del file["predict/arms/afcc/capacity"], file["predict/calibration/random/capacity"]
    set_version(run, 4)
    assert run.read_number("predict/arms/afcc/capacity") == 1
    assert run.read_number("predict/calibration/random/capacity") == 1
    assert integrity.verify(run.results).damaged == ()
