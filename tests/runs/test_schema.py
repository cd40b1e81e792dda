"""Run files of older versions are brought up to date; those of later ones are refused."""

import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, schema
from deeptheory.store import hdf5, integrity, paths


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
