"""Steps that are tried: what they return is a time, and they are tried once for every shape."""

import msgspec

from deeptheory.runs.configuration import config_from
from deeptheory.runs.estimates import sizes_of, timing
from tests.conftest import TINY


def test_times_are_measured_once_for_every_shape():
    timing._step_seconds.cache_clear()
    config = config_from(TINY)
    sizes = sizes_of(config)
    first = timing.epoch_seconds(sizes, config.train)
    assert 0 < first < 60
    longer = msgspec.structs.replace(config.train, epochs=100, learning_rate=1e9)  # nothing diverges
    assert timing.epoch_seconds(sizes, longer) == first
    assert timing._step_seconds.cache_info().misses == 1


def test_passes_take_time():
    sizes = sizes_of(config_from(TINY))
    assert 0 < timing.pass_seconds(sizes) < 1
    assert 0 < timing.measure_seconds(sizes) < 1


def test_only_what_is_measured_is_tried(monkeypatch):
    stages = ["stage3", "stage4", "stage5"]
    sizes = sizes_of(config_from({**TINY, "measure": {"stages": stages}}))
    tried, statistics = [], timing.measure.filter_statistics

    def spied(network, images, labels, probes, **options):
        tried.append({name: probe.shape for name, probe in probes.items()})
        return statistics(network, images, labels, probes, **options)

    monkeypatch.setattr(timing.measure, "filter_statistics", spied)
    timing.measure_seconds(sizes)
    assert tried == 2 * [{name: (5, sizes.outputs[name]) for name in stages}]
