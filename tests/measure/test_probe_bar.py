"""The time left of probes: recorded fits against what the bar expected of them."""

from types import SimpleNamespace

import pytest

from deeptheory.measure.probes.bar import ProbeBar, iterations_left
from deeptheory.measure.probes.exact_solver import _Report

# Of stages 1, 4 and 7 of vgg11-10conv (width 0.5) on 20,000 images of CIFAR-100: features, passes that the
# iterations took, gradient norms relative to zero weights.
RECORDED = {
    "stage1": (32768, 12.8, (0.0072, 0.0047, 0.0057, 0.0015, 0.00054)),
    "stage4": (4096, 21.8, (0.023, 0.012, 0.013, 0.0031, 0.00097, 0.00034)),
    "stage7": (2048, 13.5, (0.02, 0.0072, 0.004, 0.001, 0.00044)),
}
# Of stages at width 0.25 after 40 epochs: some need many iterations.
LONG = {
    "stage4": """0.039 0.019 0.011 0.006 0.0027 0.0016 0.001 0.001 0.0003 0.00018 0.00012 0.00014 0.000042""",
    "stage7": """0.048 0.019 0.011 0.0054 0.0026 0.0015 0.0012 0.00044 0.00024 0.00015 0.00018 0.000042""",
    "stage8": """0.025 0.0069 0.0026 0.00084 0.00029 0.00011 0.000062""",
}


def replay(recorded, n_inputs=20_000, n_labels=100, tolerance=9e-4):
    """What the bar has done and expects in all, in passes times features, at every report of recorded fits."""
    bar = ProbeBar("probes", {stage: float(size) for stage, (size, *_) in recorded.items()}, quiet=True)
    found = []
    for size, passes, norms in recorded.values():
        features = SimpleNamespace(shape=(n_inputs, size))
        task = SimpleNamespace(bar=bar, n_labels=n_labels, objective=SimpleNamespace(features=features))
        report = _Report(task, 1.0, tolerance)
        report.subspace_found()
        found.append((bar.progress.done, bar.progress.total))
        report.iterating_from(0)
        for made, norm in enumerate(norms, start=1):
            report.iterated(norm, made * passes / len(norms))
            found.append((bar.progress.done, bar.progress.total))
        bar.next()
    return found


@pytest.mark.parametrize("stages", [("stage1",), ("stage7",), ("stage1", "stage4", "stage7")])
def test_what_is_left_is_true_within_a_factor_of_two_after_the_first_tenth(stages):
    reports = replay({stage: RECORDED[stage] for stage in stages})
    whole = reports[-1][0]
    looked_at = [(done, total) for done, total in reports if 0.1 < done / whole < 0.85]
    assert len(looked_at) >= 3
    for done, total in looked_at:
        assert 1 / 2 < (total - done) / (whole - done) < 2


def test_the_time_that_the_leading_directions_take_counts_for_the_time_left(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("deeptheory.system.progress.time.monotonic", lambda: now[0])
    bar = ProbeBar("probes", {"stage1": 1.0})
    objective = SimpleNamespace(features=SimpleNamespace(shape=(20_000, 32768)))
    report = _Report(SimpleNamespace(bar=bar, n_labels=100, objective=objective), 1.0, 9e-4)
    now[0] += 30
    report.subspace_found()
    share = bar.progress.done / bar.progress.total
    assert 0.1 < share < 0.3
    left = 30 / share * (1 - share)
    assert capsys.readouterr().err.splitlines() == [f"probes: {100 * share:.0f} %, {left:.0f} s left"]


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("tolerance", [1e-3, 1e-4])
def test_iterations_of_long_fits_are_foretold_within_a_factor_of_two(name, tolerance):
    norms = [float(norm) for norm in LONG[name].split()]
    end = next(n for n, norm in enumerate(norms, start=1) if norm <= tolerance)
    for made in range(1, end):
        left = iterations_left(made, norms[max(0, made - 2) : made], tolerance)
        assert end / 2 <= made + left < 2 * end


def test_something_is_left_until_the_end_and_a_gradient_that_has_not_fallen_is_no_surprise():
    assert iterations_left(40, [9e-4, 8e-4], 1e-3) == 1
    assert 10 < iterations_left(1, [1.5], 1e-3) < 1000


def shares(bar, *reports):
    """Share done after each report (passes, left); None: the fit is done."""
    found = []
    for report in reports:
        if report is None:
            bar.next()
        else:
            bar.advance(*report)
            found.append(bar.progress.done / bar.progress.total)
    return found


def test_fits_to_come_are_expected_to_need_as_many_passes():
    bar = ProbeBar("probes", {"stage1": 300.0, "stage2": 100.0}, quiet=True)
    assert shares(bar, (0, 40), (20, 20), (40, 0)) == [0, 3 / 8, 3 / 4]
    # The second takes half as many passes: the share jumps once it is known.
    assert shares(bar, None, (0, 40), (0, 20), (20, 0)) == [3 / 4, 6 / 7, 1]


def test_the_stage_and_its_number_are_shown(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("deeptheory.system.progress.time.monotonic", lambda: now[0])
    with ProbeBar("probes", {"stage1": 1.0, "stage2": 1.0}) as bar:
        for passes, left in ((5, 15), (10, 10)):
            now[0] += 10
            bar.advance(passes, left, "relative gradient 1e-2")
    assert capsys.readouterr().err.splitlines() == [
        "probes: 12 %, stage1 (1 of 2), relative gradient 1e-2",
        "probes: 25 %, 60 s left, stage1 (1 of 2), relative gradient 1e-2",
    ]
