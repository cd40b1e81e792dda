"""The time left of probes: recorded fits against what the bar expected of them."""

import pytest

from deeptheory.measure.probes.bar import ProbeBar, passes_left

# Gradient norms relative to zero weights, of fits of stages of VGG-11 (width 0.5) on CIFAR-100.
RECORDED = {
    "stage 7": """0.048 0.044 0.041 0.019 0.011 0.021 0.027 0.0065 0.0045 0.0053 0.0048 0.0042 0.0021 0.002 0.0019
        0.0015 0.0012 0.0014 0.0013 0.00085""",
    "leading directions of stage 1": """0.099 0.097 0.058 0.035 0.031 0.038 0.033 0.026 0.025 0.021 0.017 0.014
        0.012 0.0095 0.0085 0.0075 0.0066 0.0059 0.0051 0.0045 0.0038 0.0031 0.0027 0.0026 0.0022 0.002 0.0019
        0.0018 0.0012 0.0012 0.0012 0.0017 0.0011 0.00097""",
    "a poor preconditioner": """0.22 0.19 0.079 0.053 0.068 0.077 0.028 0.028 0.023 0.023 0.016 0.014 0.013 0.015
        0.011 0.0092 0.0093 0.0093 0.0068 0.0067 0.0067 0.0086 0.0049 0.0042 0.0041 0.0069 0.0032 0.0032 0.0035
        0.0032 0.0037 0.0021 0.002 0.002 0.0024 0.0016 0.0015 0.0016 0.0021 0.0015 0.0012 0.0012 0.0018 0.0014
        0.001 0.0011 0.001 0.0011 0.00092""",
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_left_of_recorded_fits_is_true_within_a_factor_of_two(name):
    norms = [float(norm) for norm in RECORDED[name].split()]
    for tolerance in (1e-3, 3e-3):
        end = next(n for n, norm in enumerate(norms, start=1) if norm <= tolerance)
        for made in range(max(2, end // 10), int(0.8 * end)):
            left = passes_left(made, norms[max(0, made - 4) : made], tolerance)
            assert end / 2 < made + left < 2 * end  # of the whole
            assert 0.4 < left / (end - made) < 2.5  # of the rest


def test_something_is_left_until_the_end_and_a_gradient_that_has_not_fallen_is_no_surprise():
    assert passes_left(40, [9e-4, 8e-4], 1e-3) == 1
    assert 10 < passes_left(1, [1.5], 1e-3) < 1000


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
