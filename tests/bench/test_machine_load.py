"""Whether other programs were computing."""

import pytest

from deeptheory.bench import machine_load
from deeptheory.bench.machine_load import Load


def test_the_share_of_others_is_what_is_busy_beyond_this_process():
    before = Load(wall=10.0, busy=100.0, own=5.0, processors=4)
    after = Load(wall=20.0, busy=130.0, own=25.0, processors=4)
    assert machine_load.share_of_others(before, after) == pytest.approx((30 - 20) / 40)
    assert machine_load.share_of_others(before, Load(20.0, 101.0, 25.0, 4)) == 0
    assert machine_load.share_of_others(before, Load(20.0, None, 25.0, 4)) is None


def test_work_of_this_process_is_its_own(monkeypatch):
    monkeypatch.setattr(machine_load, "_busy", lambda allowed: 100.0)
    before = Load.now()
    while Load.now().own == before.own:
        sum(range(10_000))
    after = Load.now()
    assert after.own > before.own
    assert (after.busy, after.processors) == (100.0, before.processors)
    assert machine_load.share_of_others(before, after) == 0


def test_a_busy_machine_is_said_to_be_busy(capsys):
    assert machine_load.is_quiet([0.0, 0.05]) is True
    assert capsys.readouterr().err == ""
    assert machine_load.is_quiet([0.0, 0.4]) is False
    assert capsys.readouterr().err == (
        "warning: other programs take 40% of the processors: the times are not worth much\n"
    )
    assert machine_load.is_quiet([0.4, None]) is None


def test_processor_seconds_are_read_from_the_system(tmp_path, monkeypatch):
    lines = [
        "cpu  9 9 9 9 9 9 9 9 0 0",
        "cpu0 100 20 30 4000 50 6 7 8 0 0",
        "cpu1 1 1 1 1 1 1 1 1 0 0",
        "intr 5",
    ]
    (tmp_path / "stat").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(machine_load, "Path", lambda name: tmp_path / name.rsplit("/", 1)[1])
    monkeypatch.setattr(machine_load.os, "sysconf", lambda name: 100)
    assert machine_load._busy({0}) == pytest.approx((100 + 20 + 30 + 6 + 7 + 8) / 100)
    assert machine_load._busy({0, 1}) == pytest.approx((171 + 6) / 100)
    (tmp_path / "stat").unlink()
    assert machine_load._busy({0}) is None
