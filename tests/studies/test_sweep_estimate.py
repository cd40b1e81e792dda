"""What a sweep needs, point by point."""

import json

import pytest

from deeptheory.runs.estimates import requirements
from deeptheory.studies import estimate_sweep
from deeptheory.tables import as_json


@pytest.fixture
def tried(monkeypatch):
    """The labels of the networks whose epochs were tried; every epoch takes a second."""
    labels = []

    def epoch(sizes, recipe, stages):
        labels.append(sizes.source.n_labels)
        return 1.0

    monkeypatch.setattr(requirements, "epoch_seconds", epoch)
    return labels


def test_seeds_share_an_estimate(tried, sweep_of, tmp_path):
    sweep = sweep_of({"data.n_labels": [3, 5]}, steps="train", judge={"seeds": 4})
    found = estimate_sweep(sweep, tmp_path, quiet=True)
    assert tried == [3, 5]
    numbers = json.loads(as_json(found.numbers))
    assert [(point["data.n_labels"], point["runs"]) for point in numbers["points"]] == [(3, 4), (5, 4)]
    assert numbers["core_hours"] == pytest.approx(sum(point["core_hours"] for point in numbers["points"]))
    title, header, _, first, *_ = found.text.splitlines()
    assert title.startswith("what the runs at every point need")
    assert header.split()[:2] == ["data.n_labels", "runs"]
    assert first.split()[:2] == ["3", "4"]
    assert found.comment.splitlines()[0].startswith("largest member, memory of a run: ")
    assert found.comment.splitlines()[-1].startswith("all 8 members: ")


def test_points_that_will_fail_stop_no_other(tried, sweep_of, tmp_path):
    variants = (
        {"name": "glyphs"},
        {"name": "lost", "data.source": "files", "data.path": str(tmp_path / "lost.npz")},
    )
    found = estimate_sweep(sweep_of(variants=variants, steps="train"), tmp_path, quiet=True)
    glyphs, lost = found.numbers["points"]
    assert glyphs["memory_bytes"] > 0
    assert "memory_bytes" not in lost
    assert "lost.npz: expected" in lost["error"]
    assert lost["error"] in found.text


def test_a_sweep_that_cannot_start(sweep_of, tmp_path):
    options = {"source": "files", "path": str(tmp_path / "lost.npz")}
    found = estimate_sweep(sweep_of(data=options), tmp_path, quiet=True)
    assert found.comment == "no member can be computed"
    assert found.numbers["core_hours"] == 0
