"""Times by what is computed."""

import json
import sys

import pytest

from tests.scripts import SIMULATIONS, load_script

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def script():
    return load_script(SIMULATIONS / "engine_growth.py")


def test_points_are_stored_and_not_computed_again(script, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(script, "seconds_of", lambda curve, value, threads: asked.append(value) or 0.5)
    out = tmp_path / "growth.json"
    monkeypatch.setattr(sys, "argv", ["x", "--out", str(out), "--curves", "step by labels", "--threads", "1"])
    script.main()
    script.main()
    found = json.loads(out.read_text())["curves"]["step by labels"]
    assert found == {"by": "labels", "values": [100, 300, 1000], "1 threads, s": [0.5, 0.5, 0.5]}
    assert asked == found["values"]


def test_the_median_is_of_calls_after_the_first(script, monkeypatch):
    clock, calls = iter(range(100)), []
    monkeypatch.setattr(script.time, "perf_counter", lambda: next(clock))
    assert script.median_seconds(lambda: calls.append(1)) == 1
    assert len(calls) == 4
