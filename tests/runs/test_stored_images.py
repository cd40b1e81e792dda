"""Runs on images that stay in their file."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from deeptheory.data import stored_array
from deeptheory.data.stored_images import StoredImages
from deeptheory.runs import Run, steps
from deeptheory.store import paths


def test_a_run_on_images_in_their_file_has_the_same_bits(
    finished_study, tmp_path, tiny_config, monkeypatch, assert_same, one_thread
):
    in_memory = Run(finished_study / "seed-3", quiet=True)
    for name in paths.DATASET_ARRAYS:
        np.save(tmp_path / f"{name}.npy", getattr(in_memory.dataset, name))
    monkeypatch.setattr(stored_array, "COPIES", 10**12)
    options = msgspec.structs.replace(tiny_config.data, source="files", path=str(tmp_path))
    run = Run.create(tmp_path / "run", msgspec.structs.replace(tiny_config, data=options), quiet=True)
    steps.chain(run, "retrain")
    assert isinstance(run.dataset.train_images, StoredImages)
    assert run.fingerprint == in_memory.fingerprint
    for step in paths.STEPS:
        found, expected = run.read_tree(step), in_memory.read_tree(step)
        for tree in (found, expected):
            tree.pop(paths.LABEL_NAMES, None)  # the numbers of labels, where those of glyphs are letters
        assert_same(found, expected, step)


@pytest.mark.parametrize(
    ("gigabytes", "last"), [("0.5", "train"), pytest.param("3", "retrain", marks=pytest.mark.slow)]
)
def test_data_larger_than_what_the_process_may_take(tmp_path, gigabytes, last):
    script = Path(__file__).with_name("larger_than_memory.py")
    ran = subprocess.run(
        [sys.executable, script, tmp_path, gigabytes, last], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert Run(tmp_path / "run", quiet=True).done(last)
