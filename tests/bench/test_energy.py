"""Energy counters of a made-up system, and the estimate."""

import pytest

from deeptheory.bench import energy


def add_zone(root, directory, name, used, limit=1000):
    zone = root / directory
    zone.mkdir()
    (zone / "name").write_text(f"{name}\n")
    (zone / "energy_uj").write_text(f"{used}\n")
    (zone / "max_energy_range_uj").write_text(f"{limit}\n")
    return zone / "energy_uj"


def test_packages_and_memory_are_counted_once(tmp_path):
    package = add_zone(tmp_path, "intel-rapl:0", "package-0", 100)
    memory = add_zone(tmp_path, "intel-rapl:0:1", "dram", 40)
    add_zone(tmp_path, "intel-rapl:0:0", "core", 90)  # part of the package
    add_zone(tmp_path, "intel-rapl:1", "psys", 900)  # contains the package
    add_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 100)  # the same package again
    assert [counter.path for counter in energy.find_counters(tmp_path)] == [package, memory]


def test_a_counter_that_cannot_be_read_is_left_out(tmp_path):
    add_zone(tmp_path, "intel-rapl:0", "package-0", "")
    (tmp_path / "intel-rapl:1").mkdir()
    assert energy.find_counters(tmp_path) == []
    assert energy.find_counters(tmp_path / "nothing") == []


def test_a_counter_may_begin_at_zero_again(tmp_path):
    first = add_zone(tmp_path, "intel-rapl:0", "package-0", 900, limit=1000)
    second = add_zone(tmp_path, "intel-rapl:1", "package-1", 100, limit=500)
    counters = energy.find_counters(tmp_path)
    before = [counter.read() for counter in counters]
    first.write_text("50\n")
    second.write_text("300\n")
    after = [counter.read() for counter in counters]
    assert energy.joules_between(counters, before, after) == pytest.approx(1e-6 * (150 + 200))


def test_the_estimate_shares_the_weights_among_the_batch():
    one, hundred = (energy.estimated_joules(10**6, 8 * 10**3, 8 * 10**4, batch) for batch in (1, 100))
    assert hundred == pytest.approx(4.6e-6 + 0.01 * 1.3e-6 + 1.0e-6)
    assert one == pytest.approx(4.6e-6 + 1.3e-6 + 1.0e-6)
