import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_accuracy_by_arm, save

ARMS = ("afcc", "random", "label-permuted", "magnitude")
UNPRUNED = np.array([0.90, 0.91, 0.92])
LOSS = {"afcc": 0.001, "random": 0.012, "label-permuted": 0.009, "magnitude": 0.0}


def arms(values_of):
    return {arm: values_of(arm) for arm in ARMS}


def draw(n_seeds=3, **changed):
    unpruned = UNPRUNED[:n_seeds]
    values = {
        "dilution": arms(lambda arm: np.full(n_seeds, 0.87)),
        "before": arms(lambda arm: np.full(n_seeds, 0.3)),
        "after": arms(lambda arm: unpruned - LOSS[arm]),
        "unpruned_before": unpruned - 0.01,
        "unpruned_after": unpruned,
        "n_test": 1000,
        "margin": 0.5,
        "chance": 0.1,
    }
    return draw_accuracy_by_arm(**(values | changed))


def drawn(axes, number):
    line = axes.containers[number].lines[0]
    return line.get_xdata(), line.get_ydata(), line.get_markerfacecolor()


def test_the_axis_names_the_arms_and_says_the_dilution(tmp_path):
    figure = draw()
    before, after, difference = figure.axes
    for number, arm in enumerate(ARMS):
        x, y, face = drawn(before, number)
        assert (x, y, face) == (number, 0.3, "white")
        _, y, face = drawn(after, number)
        assert y == pytest.approx(0.91 - LOSS[arm])
        assert face != "white"
        # Differences of the same seed: the spread of 1 point between the seeds drops out.
        assert drawn(difference, number)[1] == pytest.approx(-100 * LOSS[arm])
    names = [tick.get_text().strip() for tick in difference.get_xticklabels()]
    assert names == ["AFCC", "random", "label-\npermuted", "magnitude"]
    assert difference.get_xlabel() == "arm (dilution of the masked layers: 0.870)"
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "bars: 95% interval of the mean, 3 seeds"
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["unpruned, band: interval", "chance: 0.1", "(c) margin, 0.5 points", "one seed"]
    assert before.get_ylim()[0] == 0
    save(figure, tmp_path / "figure.png")


def test_paired_interval_is_narrower_than_the_band():
    own = np.array([0.001, 0.0, -0.001])
    figure = draw(after=dict.fromkeys(ARMS, UNPRUNED - 0.002 + own))
    _, after, difference = figure.axes
    # Student's factor for 3 seeds, 4.303, times the deviation over sqrt(3), to both sides.
    assert after.patches[0].get_height() == pytest.approx(2 * 4.303 * 0.01 / np.sqrt(3), rel=1e-3)
    bars = difference.containers[0].lines[2][0].get_segments()[0]
    assert np.ptp(bars[:, 1]) == pytest.approx(2 * 4.303 * 0.1 / np.sqrt(3), rel=1e-3)


def test_margin_line():
    heights = [line.get_ydata()[0] for line in draw(margin=0.25).axes[2].lines if line.get_linestyle() == ":"]
    assert heights == [-0.25]


def test_unequal_dilutions_are_named_arm_by_arm():
    dilution = {arm: np.full(3, 0.8 + 0.01 * number) for number, arm in enumerate(ARMS)}
    figure = draw(dilution=dilution)
    names = [tick.get_text().strip() for tick in figure.axes[2].get_xticklabels()]
    assert names == ["0.800\nAFCC", "0.810\nrandom", "0.820\nlabel-\npermuted", "0.830\nmagnitude"]


def test_one_seed_says_that_the_difference_has_no_interval(tmp_path):
    figure = draw(n_seeds=1)
    assert figure.legends[0].get_title().get_text() == "bars: 95% binomial, 1 seed, 1000 inputs"
    assert figure.axes[2].get_title(loc="left").endswith("; no interval")
    save(figure, tmp_path / "figure.png")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dilution": {}}, "arms: expected at least one pruned arm, found none"),
        ({"before": {"afcc": [0.1]}}, "arms before retraining: expected afcc, random, .*, found afcc"),
        ({"unpruned_after": UNPRUNED[:2]}, "seeds of afcc: expected 2 as for unpruned, found 3"),
        (
            {"unpruned_before": 90 * UNPRUNED},
            "unpruned before retraining: expected shares within 0 and 1, found 81",
        ),
    ],
)
def test_bad_input(changed, message):
    with pytest.raises(InputError, match=message):
        draw(**changed)
