import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_accuracy_against_dilution, save

ARMS = ("afcc", "random", "label-permuted", "magnitude")
UNPRUNED = np.array([0.90, 0.91, 0.92])
LOSS = {"afcc": 0.001, "random": 0.012, "label-permuted": 0.009, "magnitude": 0.0}


def arms(values_of, n_dilutions=1):
    return {arm: np.tile(values_of(arm), (1, n_dilutions)) for arm in ARMS}


def draw(dilutions=(0.87,), n_seeds=3, **changed):
    unpruned = UNPRUNED[:n_seeds]
    values = {
        "dilution": {arm: np.tile(dilutions, (n_seeds, 1)) for arm in ARMS},
        "before": arms(lambda arm: np.full((n_seeds, 1), 0.3), len(dilutions)),
        "after": arms(lambda arm: unpruned[:, np.newaxis] - LOSS[arm], len(dilutions)),
        "unpruned_before": unpruned - 0.01,
        "unpruned_after": unpruned,
        "n_test": 1000,
        "margin": 0.5,
        "chance": 0.1,
    }
    return draw_accuracy_against_dilution(**(values | changed))


def drawn(axes, number):
    line = axes.containers[number].lines[0]
    return line.get_xdata(), line.get_ydata(), line.get_markerfacecolor()


def test_single_dilution_names_the_arms(tmp_path):
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
    assert difference.get_xlabel() == "arm (total dilution of the masked layers: 0.870)"
    assert before.get_title(loc="left") == "(a) before retraining; bars: 95% interval, 3 seeds"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["unpruned (band)", "margin of 0.5 points in (c)"]
    save(figure, tmp_path / "figure.png")


def test_paired_interval_is_narrower_than_the_band():
    own = np.array([[0.001], [0.0], [-0.001]])
    figure = draw(after=dict.fromkeys(ARMS, UNPRUNED[:, np.newaxis] - 0.002 + own))
    _, after, difference = figure.axes
    # Student's factor for 3 seeds, 4.303, times the deviation over sqrt(3), to both sides.
    assert after.patches[0].get_height() == pytest.approx(2 * 4.303 * 0.01 / np.sqrt(3), rel=1e-3)
    bars = difference.containers[0].lines[2][0].get_segments()[0]
    assert np.ptp(bars[:, 1]) == pytest.approx(2 * 4.303 * 0.1 / np.sqrt(3), rel=1e-3)


def test_margin_line():
    heights = [line.get_ydata()[0] for line in draw(margin=0.25).axes[2].lines if line.get_linestyle() == ":"]
    assert heights == [-0.25]


def test_several_dilutions_keep_the_arms_apart():
    dilutions = (0.6, 0.7, 0.9)
    figure = draw(dilutions)
    x = np.array([drawn(figure.axes[1], number)[0] for number in range(len(ARMS))])
    assert np.all(np.diff(x, axis=0) > 0.005)
    assert np.abs(x - dilutions).max() == pytest.approx(0.02)
    assert r"arms offset $\leq 0.02$" in figure.axes[2].get_xlabel()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[2:] == ["AFCC", "random", "label-permuted", "magnitude"]


def test_unequal_dilutions_are_named_arm_by_arm():
    dilution = {arm: np.full((3, 1), 0.8 + 0.01 * number) for number, arm in enumerate(ARMS)}
    figure = draw(dilution=dilution)
    names = [tick.get_text().strip() for tick in figure.axes[2].get_xticklabels()]
    assert names == ["0.800\nAFCC", "0.810\nrandom", "0.820\nlabel-\npermuted", "0.830\nmagnitude"]


def test_one_seed_says_that_the_difference_has_no_interval(tmp_path):
    figure = draw(n_seeds=1)
    assert figure.axes[0].get_title(loc="left").endswith("bars: 95% binomial, 1 seed, 1000 inputs")
    assert figure.axes[2].get_title(loc="left").endswith("; no interval")
    save(figure, tmp_path / "figure.png")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dilution": {}}, "arms: expected at least one pruned arm, found none"),
        ({"before": {"afcc": [[0.1]]}}, "arms before retraining: expected afcc, random, .*, found afcc"),
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


def test_equal_dilutions_given_twice():
    with pytest.raises(InputError, match=r"dilution: expected mean dilutions that differ, found 0\.7 twice"):
        draw((0.7, 0.7, 0.9))
