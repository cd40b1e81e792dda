import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge import (
    Comparison,
    JudgeOptions,
    comparison_tables,
    paired_differences,
    smallest_density_without_loss,
    with_interval,
)
from deeptheory.judge.comparison import density_at_margin

UNPRUNED = np.array([0.90, 0.91, 0.92, 0.90, 0.91])
SCATTER = np.array([0.001, -0.001, 0.0, 0.0005, -0.0005])


def losing(*points):
    """Accuracies at densities 0.5, 0.2 and 0.1 with these mean losses in percentage points."""
    return {
        density: UNPRUNED - loss / 100 + SCATTER
        for density, loss in zip((0.5, 0.2, 0.1), points, strict=True)
    }


COMPARISON = Comparison(UNPRUNED, {"one": losing(0.0, 0.4, 3.0), "two": losing(0.6, 0.2, 5.0)})


def test_losses_are_paired_by_seed():
    assert COMPARISON.densities == (0.5, 0.2, 0.1)
    assert COMPARISON.loss("one", 0.1) == pytest.approx(3 - 100 * SCATTER)


def test_smallest_density_without_loss_by_mean_and_by_test():
    # the scatter of the mean is 0.035 points: 0.4 of the margin of 0.5 is 2.8 standard errors away
    assert smallest_density_without_loss(COMPARISON, "one") == (0.2, 0.2)
    # 0.6 points at the largest density: smaller ones do not count, whatever they lose
    assert smallest_density_without_loss(COMPARISON, "two") == (None, None)
    close = Comparison(UNPRUNED, {"one": losing(0.1, 0.48, 0.3)})
    assert smallest_density_without_loss(close, "one") == (0.1, 0.5)


def test_too_few_seeds_decide_nothing_by_the_test():
    few = Comparison(UNPRUNED[:3], {"one": {0.5: UNPRUNED[:3] - 0.001 + SCATTER[:3]}})
    assert smallest_density_without_loss(few, "one") == (0.5, None)


def test_paired_differences_with_holm():
    found = paired_differences(COMPARISON, "one", ["two"])
    test, p = found["two", 0.1]
    assert test.effect == pytest.approx(2.0)
    assert (test.low, test.high) == pytest.approx((2.0, 2.0))  # the same scatter in both: no interval
    assert found["two", 0.2][0].effect == pytest.approx(-0.2)
    assert p >= test.p


def test_a_density_that_was_not_reached_is_left_out():
    missing = Comparison(
        UNPRUNED, {"one": losing(0, 0, 0), "two": {**losing(0, 0, 0), 0.1: np.full(5, np.nan)}}
    )
    assert ("two", 0.1) not in paired_differences(missing, "one", ["two"])
    assert smallest_density_without_loss(missing, "two")[0] == 0.2
    assert "-" in str(comparison_tables(missing, (), JudgeOptions())[0])


def test_tables_say_what_they_show():
    text = "\n\n".join(map(str, comparison_tables(COMPARISON, ("one", "absent"), JudgeOptions())))
    lines = text.splitlines()
    assert lines[0].startswith(
        "unpruned 90.80 %, 5 seeds; loss in percentage points against it, paired by seed"
    )
    assert any(line.startswith("one") and "3.00 +- 0.10" in line for line in lines)
    assert "one minus the others" in text
    assert "absent" not in text
    assert any(line.startswith("two") and "+2.00 [" in line for line in lines)
    assert "exploratory" not in text


def test_tables_of_runs_that_confirm_nothing_say_so():
    tables = comparison_tables(COMPARISON, ("one",), JudgeOptions(), ["not held out"])
    assert [table.notes[-1] for table in tables] == ["exploratory, no confirmation: not held out"] * 3
    (losses, *_) = comparison_tables(COMPARISON, (), JudgeOptions(margin=2.0))
    assert losses.notes == ["exploratory, no confirmation: judge.margin = 2 instead of 0.5"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"compare.criteria: expected at least one, found none"):
        Comparison(UNPRUNED, {})
    with pytest.raises(InputError, match=r"densities of two: expected \(0.5, 0.2, 0.1\), found \(0.5,\)"):
        Comparison(UNPRUNED, {"one": losing(0, 0, 0), "two": {0.5: UNPRUNED}})
    with pytest.raises(
        InputError, match=r"seeds of one at density 0.5: expected 5, as without a mask, found 3"
    ):
        Comparison(UNPRUNED, {"one": {0.5: UNPRUNED[:3]}})


def test_with_interval():
    values = 1.0 + 0.1 * np.array([-1, -1, 0, 1, 1])
    half = 2.7764 * values.std(ddof=1) / np.sqrt(5)  # t at 97.5 % with four degrees of freedom
    assert with_interval(values, 0.95) == f"1.00 +- {half:.2f}"
    assert with_interval(values[1:], 0.95) == "1.02"  # fewer than five have none
    assert with_interval([0.25], 0.95, ".4f") == "0.2500"
    assert with_interval([1.0, np.nan], 0.95) == with_interval([1.0, np.inf], 0.95) == "-"


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({0.5: 0.1, 0.2: 0.3}, (0.0, 0.2)),  # never passed
        ({0.5: 0.8, 0.2: 0.1}, (0.5, np.inf)),  # passed by the largest already
        ({0.8: -0.5, 0.2: 1.5}, (0.4, 0.4)),  # half of the way, in the logarithm
        ({0.5: 0.2, 0.2: np.nan, 0.1: 0.1}, None),
        ({0.5: np.nan, 0.2: 1.0}, None),
    ],
)
def test_where_a_loss_passes_the_margin(losses, expected):
    found = density_at_margin(losses, 0.5)
    if expected is None:
        assert np.isnan(found[0])  # a density that was not reached says nothing of those below it
    else:
        assert found == pytest.approx(expected)


def test_predictions_stand_beside_what_was_measured():
    predicted = {"lamp": {0.5: np.array([0.001, 0.003]), 0.2: np.array([0.02, 0.03])}}
    accuracy = {"lamp": {0.5: np.array([0.9, 0.9]), 0.2: np.array([0.88, 0.88])}}
    low = {"lamp": {0.5: np.array([0.0, 0.001]), 0.2: np.array([0.01, 0.02])}}
    high = {"lamp": {0.5: np.array([0.006, 0.008]), 0.2: np.array([0.03, 0.04])}}
    compared = Comparison(np.array([0.9, 0.902]), accuracy, predicted, low, high)
    knees, losses = comparison_tables(compared, (), JudgeOptions())[2:]
    assert losses.header == ("criterion", "0.5", "0.2")
    assert losses.rows == [("lamp", "0.20 [0.05, 0.70] | 0.10", "2.50 [1.50, 3.50] | 2.10")]
    assert knees.header == ("criterion", "predicted", "95%", "measured")
    (row,) = knees.rows
    latest = 0.5 * 0.4 ** (0.45 / 1.45)  # linear in the logarithm of the density
    assert row[2] == f"{latest:.3g} to above 0.5"  # the high end passes half a point at once
    assert 0.2 < latest < float(row[1]) < 0.5
    assert 0.2 < float(row[3]) < 0.5


def test_predictions_without_intervals_are_refused():
    losses = {"lamp": {0.5: np.array([0.1])}}
    with pytest.raises(InputError, match="intervals of predicted losses: expected lamp, found low: none"):
        Comparison(np.array([0.9]), losses, losses)
