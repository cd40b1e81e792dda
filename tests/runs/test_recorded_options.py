"""A configuration that was edited by hand is no way to change a run."""

import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.verification import verify
from deeptheory.store import hdf5, paths


@pytest.fixture
def edited(run_until):
    """A trained run whose `config.toml` somebody has changed: the text, and what comes in its place."""

    def edit(old, new):
        run = run_until("train")
        path = run.directory / paths.CONFIG
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return Run(run.directory, quiet=True)

    return edit


def test_a_changed_option_is_named_with_both_values_and_no_step_takes_it(edited):
    run = edited("threshold = 0.5", "threshold = 0.7")
    with pytest.raises(InputError) as error:
        steps.measure(run)
    assert str(error.value) == (
        f"{run.directory / paths.CONFIG}: expected the options that run.h5 records, found prune.threshold = 0.7 "
        "in place of 0.5; set them back: options are changed by --set of the steps, or kept apart by "
        "'deeptheory branch'"
    )
    with pytest.raises(InputError, match=r"expected the options that run\.h5 records"):
        run.done("train")


def test_verification_names_it(edited):
    run = edited("epochs = 2", "epochs = 3")
    found = verify(run.directory)
    assert found.numbers["damaged"] == 1
    assert "not what run.h5 records: train.epochs = 3 in place of 2" in found.text


def test_options_that_change_no_result_and_notes_are_free(edited):
    run = edited("checkpoint_minutes = 5.0", "# somebody's note\ncheckpoint_minutes = 2")
    assert run.done("train")
    assert run.config.checkpoint_minutes == 2
    assert verify(run.directory).numbers["damaged"] == 0


def test_a_run_that_goes_back_to_an_earlier_file_takes_its_options(run_until):
    run = run_until("train")
    recorded = run.config
    hdf5.previous_of(run.results).write_bytes(run.results.read_bytes())
    (run.directory / paths.CONFIG).write_text(
        (run.directory / paths.CONFIG).read_text().replace("threshold = 0.5", "threshold = 0.7")
    )
    run.results.write_bytes(run.results.read_bytes()[:1000])
    again = Run(run.directory, quiet=True)
    with pytest.raises(
        InputError, match=r"found prune.threshold = 0.5 in place of 0.7; give the command again"
    ):
        steps.measure(again)
    assert Run(run.directory).config == recorded


def test_a_file_without_a_record_is_opened(run_until):
    run = run_until("train")
    with h5py.File(run.results, "r+") as file:
        del file[paths.CONFIG_TEXT]
    assert Run(run.directory).done("train")
