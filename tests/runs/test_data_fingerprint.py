"""Runs notice that their data changed between two steps."""

import h5py
import msgspec
import numpy as np
import pytest

from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.runs import Run, datasets, steps
from deeptheory.runs.branching import make_branch, plan_branch
from deeptheory.store import paths
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.studies import confirm


@pytest.fixture
def packed(tmp_path, tiny_config):
    """A configuration with a file of its own, and what replaces the file."""
    path, options = tmp_path / "images.npz", tiny_config.data

    def write(seed):
        made = data.render(options.n_labels, options.size, options.train_per_label, 10, seed, quiet=True)
        arrays = {name: getattr(made, name) for name in paths.DATASET_ARRAYS}
        np.savez(path, **arrays)

    write(0)
    of_file = msgspec.structs.replace(options, source="files", path=str(path))
    return msgspec.structs.replace(tiny_config, data=of_file), write


def test_other_images_are_refused_by_every_step_with_both_fingerprints(tmp_path, packed):
    config, write = packed
    run = Run.create(tmp_path / "run", config, quiet=True)
    steps.train(run)
    used = run.dataset.fingerprint
    assert run.read_text(paths.DATA_FINGERPRINT) == used
    write(1)
    again = Run(run.directory, quiet=True)
    with pytest.raises(InputError) as error:
        steps.measure(again)
    present = datasets.load_whole(config.data).fingerprint
    assert present != used
    assert str(error.value) == (
        f"data of run {run.directory}: expected the images and labels that it was computed on "
        f"(SHA-256 {used[:16]}), found others (SHA-256 {present[:16]}); restore them, or train a run on the "
        "new ones in another directory"
    )
    assert not again.done("measure")
    write(0)
    steps.measure(Run(run.directory, quiet=True))


def test_a_training_goes_on_with_the_images_that_it_began_with(tmp_path, packed, monkeypatch):
    config, write = packed
    run = Run.create(tmp_path / "run", msgspec.structs.replace(config, checkpoint_minutes=1e-9), quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "remove", None)
        with pytest.raises(TypeError):
            steps.train(run)
    with h5py.File(run.results, "r+") as file:
        del file["train"]
    write(1)
    with pytest.raises(InputError, match="expected the images and labels that it was computed on"):
        steps.train(Run(run.directory, quiet=True))


def test_a_run_of_an_earlier_version_takes_the_data_that_are_there(run_until):
    run = run_until("train")
    with h5py.File(run.results, "r+") as file:
        del file[paths.DATA_FINGERPRINT]
    again = Run(run.directory, quiet=True)
    steps.measure(again)
    assert again.read_text(paths.DATA_FINGERPRINT) == again.dataset.fingerprint
    assert "the data had no fingerprint yet" in (run.directory / paths.LOG).read_text()


def test_a_branch_has_that_of_its_source(tmp_path, run):
    branch = make_branch(plan_branch(run, tmp_path / "branch", ["prune.threshold=0.4"]), quiet=True)
    assert branch.read_text(paths.DATA_FINGERPRINT) == run.read_text(paths.DATA_FINGERPRINT)


def test_seeds_of_a_study_share_their_data(tmp_path, packed):
    config, write = packed
    confirm(config, tmp_path / "study", "", quiet=True)
    write(1)
    more = msgspec.structs.replace(config, judge=msgspec.structs.replace(config.judge, seeds=2))
    with pytest.raises(InputError, match=r"^study .*: expected the same images and labels in all runs"):
        confirm(more, tmp_path / "study", "", quiet=True)
    assert not (tmp_path / "study" / "seed-4" / paths.RESULTS).exists()


def test_every_pixel_and_label_counts_and_names_do_not():
    made = data.blank(3, 16, 2, 1)
    images, labels = made.train_images.copy(), made.train_labels.copy()
    images[0, 0, 0, 0] ^= 1
    labels[0] = (labels[0] + 1) % 3
    others = [
        data.Dataset("", images, made.train_labels, made.test_images, made.test_labels, made.label_names),
        data.Dataset("", made.train_images, labels, made.test_images, made.test_labels, made.label_names),
    ]
    renamed = data.Dataset(
        "", made.train_images, made.train_labels, made.test_images, made.test_labels, ("x", "y", "z")
    )
    assert made.fingerprint == renamed.fingerprint
    assert len({made.fingerprint, *(other.fingerprint for other in others)}) == 3
