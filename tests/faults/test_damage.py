"""Truncated files and flipped bits: detected and named, or without effect; never a wrong number."""

import shutil

import numpy as np
import pytest

from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.store import hdf5, integrity, paths
from deeptheory.store.checkpoints import CheckpointStore

pytestmark = pytest.mark.usefixtures("one_thread")


def contents(path):
    """Every data set of a file, or why they cannot be read."""
    try:
        with hdf5.open_for_reading(path) as file:
            return hdf5.OpenFile(file).read_tree("/")
    except InputError as error:
        return str(error)


def same(found, expected):
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same(found[name], expected[name]) for name in expected)
        )
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and np.array_equal(found, expected, equal_nan=True)
    return found == expected or (found != found and expected != expected)


def damaged_versions(content, rng, flips, cuts):
    for _ in range(flips):
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        yield (
            f"bit {bit} of byte {place}",
            content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :],
        )
    for _ in range(cuts):
        left = int(rng.integers(len(content)))
        yield f"cut to {left}", content[:left]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, finished_study):
    """A checkpoint as training writes them: the state of the trained network, twice."""
    store = CheckpointStore(tmp_path_factory.mktemp("checkpoint") / "checkpoint.h5")
    state = Run(finished_study / "seed-3").read_arrays("train/state")
    store.save({"position": "{}", "state": state, "momentum": state, "order": np.arange(100)})
    return store.path


@pytest.mark.parametrize(
    ("which", "flips", "cuts"),
    [
        ("run", 10, 5),
        ("checkpoint", 150, 50),
        pytest.param("run", 150, 50, marks=pytest.mark.slow),
    ],
)
def test_damage_is_found_or_changes_nothing(finished_study, checkpoint, tmp_path, which, flips, cuts):
    original = finished_study / "seed-3" / paths.RESULTS if which == "run" else checkpoint
    whole, path, found = contents(original), tmp_path / "damaged.h5", 0
    for name, content in damaged_versions(original.read_bytes(), np.random.default_rng(0), flips, cuts):
        path.write_bytes(content)
        read = contents(path)
        assert isinstance(read, str) or same(read, whole), name
        if isinstance(read, str):
            assert "expected" in read, name
            assert integrity.damage_of(path), name
            found += 1
        assert path.read_bytes() == content
    assert found > (cuts + flips) // 2


def flipped(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["flipped", "truncated"])
def test_a_run_goes_back_to_the_version_before(assert_same, finished_study, run_until, kind):
    run = run_until("predict")
    steps.prune(run)  # the version before has everything but the last arm
    if kind == "flipped":
        with hdf5.open_for_reading(run.results) as file:
            place = file["train/state/stage2.conv.weight"].id.get_offset()
        flipped(run.results, place)
    else:
        run.results.write_bytes(run.results.read_bytes()[:-5000])
    before = run.results.read_bytes()
    steps.chain(run)
    for step in paths.STEPS:
        assert_same(run.read_tree(step), Run(finished_study / "seed-3").read_tree(step))
    assert (run.directory / "run.damaged.h5").read_bytes() == before
    log = (run.directory / paths.LOG).read_text()
    assert "warning: run.h5 was damaged (" in log
    assert "): kept as run.damaged.h5, going on from run.previous.h5\n" in log


def test_a_run_without_a_good_version_is_refused_and_kept(run):
    for path in (run.results, hdf5.previous_of(run.results)):
        path.write_bytes(path.read_bytes()[:2000])
    before = {path: path.read_bytes() for path in run.directory.glob("*.h5")}
    with pytest.raises(InputError, match=r"run.h5: expected a whole file, found .*; delete it to start anew"):
        steps.chain(run, "retrain")
    assert {path: path.read_bytes() for path in run.directory.glob("*.h5")} == before


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A data set in every layout that can be read."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 6)
    images = rng.integers(0, 256, (18, 16, 16, 1), dtype=np.uint8)
    dataset = data.Dataset("few", images, labels, images, labels, ("a", "b", "c"))
    for suffix in (".npz", ".h5"):
        data.pack(dataset, root / f"data{suffix}")
    _write_idx(root / "idx", images[..., 0], labels)
    _write_cifar(root / "cifar", rng)
    _write_images(root / "images", images[..., 0], labels)
    return root


def _write_idx(directory, images, labels):
    directory.mkdir()
    for part in ("train", "t10k"):
        head = (0x803).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in images.shape)
        (directory / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = (0x801).to_bytes(4, "big") + len(labels).to_bytes(4, "big")
        (directory / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.astype(np.uint8).tobytes())


def _write_cifar(directory, rng):
    directory.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (10, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(10)
        (directory / f"{name}.bin").write_bytes(rows.tobytes())


def _write_images(directory, images, labels):
    from PIL import Image

    for part in ("train", "test"):
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = directory / part / "abc"[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{i}.png")


@pytest.mark.parametrize("name", ["data.npz", "data.h5", "idx", "cifar", "images"])
def test_forty_damaged_data_files_are_read_or_refused_and_kept(files, tmp_path, name):
    copy = tmp_path / name
    (shutil.copytree if (files / name).is_dir() else shutil.copy)(files / name, copy)
    inside = sorted(path for path in copy.rglob("*") if path.is_file()) or [copy]
    rng, refused = np.random.default_rng(1), 0
    for kind in range(40):
        path = inside[rng.integers(len(inside))]
        whole = path.read_bytes()
        content = bytearray(whole)
        if kind % 4 == 0:
            del content[rng.integers(len(content)) :]
        elif kind % 4 == 1:
            content += bytes(rng.integers(0, 256, 20, dtype=np.uint8))
        else:
            for _ in range(8 if kind % 4 == 2 else 400):
                content[rng.integers(min(len(content), 300) if kind % 4 == 2 else len(content))] = (
                    rng.integers(256)
                )
        path.write_bytes(content)
        try:
            data.load(data.DataOptions(source="files", path=str(copy)), quiet=True)
        except InputError as error:
            refused += 1
            text = str(error)
            assert "expected" in text
        assert path.read_bytes() == content
        path.write_bytes(whole)
    assert refused >= 10
