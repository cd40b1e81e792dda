"""What a sweep needs, point by point."""

import json

import pytest

from deeptheory.runs.estimates import timing
from deeptheory.studies import estimate_sweep
from deeptheory.tables import as_json


@pytest.fixture
def tried(monkeypatch):
    """The shapes whose steps were tried; every step takes a second."""
    shapes = []

    def step(source, *key):
        shapes.append(source.n_labels)
        return 1.0

    monkeypatch.setattr(timing, "_step_seconds", step)
    return shapes


def test_seeds_share_an_estimate(tried, sweep_of):
    found = estimate_sweep(sweep_of({"data.n_labels": [3, 5]}, steps="train", judge={"seeds": 4}), quiet=True)
    assert list(found.points) == [(3,), (5,)]
    assert [of.n_runs for of in found.points.values()] == [4, 4]
    assert tried == [3, 5]
    numbers = json.loads(as_json(found.numbers))
    assert [point["data.n_labels"] for point in numbers["points"]] == [3, 5]
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
    found = estimate_sweep(sweep_of(variants=variants, steps="train"), quiet=True)
    assert [point[0] for point in found.points] == ["glyphs"]
    ((point, error),) = found.refused.items()
    assert point[0] == "lost"
    assert "lost.npz: expected" in error
    assert error in found.text
    assert found.numbers["points"][1]["error"] == error


def test_a_sweep_that_cannot_start(sweep_of, tmp_path):
    options = {"source": "files", "path": str(tmp_path / "lost.npz")}
    found = estimate_sweep(sweep_of(data=options), quiet=True)
    assert found.comment == "no member can be computed"
    assert found.core_hours == 0
