import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import steps
from deeptheory.runs.steps.sensitivity_variations import variations
from deeptheory.store import paths
from deeptheory.studies import sensitivity_summary

STORED = {"clusters_per_filter": 1, "cluster_size": 1, "noise": 1, "snr_mean_field": 1, "snr_measured": 1}


def test_the_threshold_of_the_run_gives_its_own_measures(run):
    steps.sensitivity(run)
    for stage in run.read_names("measure/stage_names"):
        again = run.read_tree(f"{paths.sensitivity_path('threshold 0.3')}/{stage}")
        measured = run.read_tree(paths.stage_path("measure", stage))
        for name in STORED:
            assert again[name] == pytest.approx(measured[name], nan_ok=True)
    assert [of.name for of in variations(run)] == [
        *(f"threshold 0.{tenth}" for tenth in (2, 3, 4, 5, 6)),
        "inputs 0.5",
        "inputs 0.25",
    ]


def test_noise_falls_with_the_threshold(run):
    steps.sensitivity(run)
    noise = [
        run.read_number(f"{paths.sensitivity_path(f'threshold 0.{tenth}')}/stage3/noise")
        for tenth in (2, 3, 4, 5, 6)
    ]
    assert (np.diff(noise) < 0).all()


def test_what_is_stored_is_not_measured_again(run, monkeypatch):
    steps.sensitivity(run)
    before = run.results.read_bytes()
    monkeypatch.setattr("deeptheory.runs.steps.sensitivity_variations._measured", None)
    steps.sensitivity(run)
    assert run.results.read_bytes() == before


def test_tables_and_trends(run):
    steps.sensitivity(run)
    report = sensitivity_summary.sensitivity([run])
    assert report.text.startswith("1 seed; threshold of the run 0.3;")
    for text in (*sensitivity_summary.TITLES.values(), "H2 snr-rises, mean field", "H3 noise-falls, noise"):
        assert text in report.text
    stored = report.numbers["variations"]["inputs 0.25"]["noise"]
    assert stored == [
        [
            run.read_number(f"{paths.sensitivity_path('inputs 0.25')}/{stage}/noise")
            for stage in report.numbers["stages"]
        ]
    ]


def test_parts_of_the_measure_split_have_as_many_inputs_of_every_label(run, monkeypatch):
    seen = []

    def statistics(network, images, labels, *_, **__):
        seen.append(np.bincount(labels))
        raise InputError("stop", "", "")

    monkeypatch.setattr("deeptheory.measure.filter_statistics", statistics)
    with pytest.raises(InputError, match="stop"):
        steps.sensitivity(run)
    np.testing.assert_array_equal(seen[0], 5)  # of ten


def test_it_needs_measures(run_until):
    with pytest.raises(InputError, match="expected the results of 'measure', found none"):
        steps.sensitivity(run_until("train"))


def test_from_the_command_line(deeptheory, study):
    result = deeptheory("sensitivity", study, "--quiet")
    assert result.code == 0
    assert "labels per cluster C_s" in result.out
