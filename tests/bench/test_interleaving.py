"""Who computes when, and what is counted meanwhile; no time is tested."""

import pytest

from deeptheory.bench import interleaving as module
from deeptheory.bench.energy import Counter
from deeptheory.bench.interleaving import in_turn


def test_the_sides_compute_in_turn_and_each_begins_a_round(monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SECONDS", 3.0)
    called, reported = [], []

    def side(name, seconds):
        def step():
            called.append(name)
            return seconds

        return step

    turns = in_turn({"a": side("a", 1.0), "b": side("b", 5.0)}, 3, [], reported.append)
    assert called[:4] == ["a", "a", "b", "b"]  # warmed up, and the second call timed
    assert "".join(called[4:]) == "aaab" + "baaa" + "aaab"
    assert reported == [1, 2, 3, 4, 5, 6]
    assert turns["a"].times.blocks == [(1.0,) * 3] * 3
    assert turns["b"].times.blocks == [(5.0,)] * 3
    assert turns["a"].joules == []


def test_a_block_is_charged_with_what_the_counters_count_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SECONDS", 4.0)
    used = tmp_path / "energy_uj"
    used.write_text("0")

    def side(microjoules):
        def step():
            used.write_text(str((int(used.read_text()) + microjoules) % 1000))
            return 1.0

        return step

    turns = in_turn({"a": side(100), "b": side(7)}, 4, [Counter(used, 1000)], lambda done: None)
    assert turns["a"].joules == pytest.approx([1e-4] * 4)
    assert turns["b"].joules == pytest.approx([7e-6] * 4)
