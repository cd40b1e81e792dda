"""The table of all entries of `run.h5` against files of real runs, in both directions, and its page."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from deeptheory.runs import Run, import_run, steps
from deeptheory.runs.branching import make_branch, plan_branch
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps import inference_cost
from deeptheory.runs.steps.training import trained_network
from deeptheory.store import paths
from deeptheory.store.entries import NAMES, defined, entries
from deeptheory.store.run_entries import RUN_FILE, page
from tests.conftest import TINY
from tests.runs.test_imports import SOURCE

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = Path(__file__).parents[2] / "docs" / "run-file.md"
MASKED = {"stages": ["stage5"], "head": False, "arms": ["afcc", "obs"], "density": 0.5}
# Entries of jobs of Slurm, and of criteria that cannot reach a density.
RARE = ("slurm/VARIABLE", paths.NOT_REACHED)


def config(**tables):
    small = {**TINY, "train": {**TINY["train"], "epochs": 2}, "prune": MASKED}
    return config_from(
        {**small, **{name: {**small.get(name, {}), **table} for name, table in tables.items()}}
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Run files that hold, together, everything that a run file may hold."""
    place = tmp_path_factory.mktemp("entries")
    of_criteria = {"criteria": ["magnitude"], "densities": [0.3], "predict": True}
    asked = config(compare=of_criteria, train={"label_noise": 0.2, "patience": 1})
    run = Run.create(place / "all", asked, quiet=True)
    steps.chain(run)
    steps.budget(run, 0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference_cost, "ROUNDS", 1)
        steps.cost(run, ("afcc",))
    steps.sensitivity(run)
    steps.compare(run)
    alone = {**of_criteria, "alone": True, "predict": False}
    asked_alone = config(compare=alone, train={"label_noise": 0.2, "patience": 1})
    steps.compare(Run.create(place / "all", asked_alone, quiet=True))
    branched = make_branch(plan_branch(run, place / "branch", ("prune.threshold=0.4",)), quiet=True)
    rounds = {"schedule": "iterative", "rounds": 2, "rewind_epoch": 1}
    iterative = Run.create(place / "iterative", config(prune=rounds), quiet=True)
    steps.chain(iterative)
    imported = import_run(
        place / "imported", config(data={"measure_from": "test"}), trained_network(run), SOURCE, quiet=True
    )
    words = {"source": "sentences", "length": 16, "words": 60}
    network = {"name": "text-transformer", "width": 0.0625, "heads": 1, "blocks": 1}
    texts = {"shift": 0, "flip": False}
    of_texts = config(data=words, network=network, train=texts, retrain=texts, prune={"stages": ["nodes1"]})
    steps.train(text := Run.create(place / "texts", of_texts, quiet=True))
    return [each.results for each in (run, branched, iterative, imported, text)]


def data_sets(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: (item.dtype, item.shape)}) if isinstance(item, h5py.Dataset) else None
            )
        )
        n_labels = len(file["train/label_names"])
    return found, n_labels


def test_every_data_set_of_real_runs_is_in_the_table_with_its_type_and_shape(files):
    for path in files:
        found, n_labels = data_sets(path)
        for name, (dtype, shape) in found.items():
            described = defined(name, RUN_FILE)
            assert described is not None, name
            entry, sizes = described[1], {"K": n_labels}
            kind = entry.kind.split(" ")[0]
            assert kind == "array" or kind == ("text" if dtype == h5py.string_dtype() else str(dtype)), name
            if entry.shape is None:
                continue
            assert len(shape) == len(entry.shape), name
            for symbol, size in zip(entry.shape, shape, strict=True):
                if symbol.isdecimal():
                    assert int(symbol) == size, name
                elif symbol != "n":
                    assert sizes.setdefault(symbol, size) == size, name


def test_every_entry_of_the_table_is_in_a_real_run(files):
    found = {defined(name, RUN_FILE)[0] for path in files for name in data_sets(path)[0]}
    missing = [path for path, _ in entries(RUN_FILE) if path not in found and not path.endswith(RARE)]
    assert missing == []


def test_shapes_of_a_stage_agree_with_one_another(files):
    run = Run(files[0].parent, quiet=True)
    for stage in run.read_names("measure/stage_names"):
        of_stage = run.read_tree(f"measure/stages/{stage}")
        n_labels, n_filters, n_positions = of_stage.read_array(paths.CLASS_MEANS).shape
        sizes = {"K": n_labels, "C": n_filters, "P": n_positions, "D": n_filters * n_positions}
        for name in of_stage:
            entry = defined(f"measure/stages/{stage}/{name}", RUN_FILE)
            if entry is not None and "n" not in entry[1].shape:
                expected = tuple(sizes[symbol] for symbol in entry[1].shape)
                assert np.shape(of_stage[name]) == expected, name


def test_a_path_that_no_run_has_is_not_described():
    assert defined("measure/stages/stage3/servd", RUN_FILE) is None
    assert defined("measure/stages", RUN_FILE) is None
    assert defined("config/more", RUN_FILE) is None
    assert defined("calibration/densities-0.3-0.3/refits/lamp-0.3/refit_loss", RUN_FILE)[0] == (
        "calibration/MASK/refits/MASK/refit_loss"
    )


def test_the_page_is_made_from_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(), "python -m deeptheory.store.run_entries > docs/run-file.md"
    assert all(f"`{path}`" in text for path, _ in entries(RUN_FILE))
    capitals = {part for path, _ in entries(RUN_FILE) for part in path.split("/") if part.isupper()}
    assert capitals == set(NAMES)
