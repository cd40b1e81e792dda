"""Learning-rate schedules against their closed forms."""

import math

import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.runs.configuration import config_from


def test_step_decay():
    recipe = nn.Recipe(epochs=10, learning_rate=0.2, schedule="step", decay=0.5, decay_every=3)
    rates = [nn.learning_rate(recipe, step, 4) for step in range(40)]
    assert rates[:12] == [0.2] * 12
    assert rates[12:24] == [0.1] * 12
    assert rates[39] == 0.2 * 0.5**3


def test_cosine():
    recipe = nn.Recipe(epochs=10, learning_rate=0.2, schedule="cosine")
    for step in (0, 7, 20, 39):
        expected = 0.2 * math.cos(math.pi * step / 80) ** 2
        assert nn.learning_rate(recipe, step, 4) == pytest.approx(expected, rel=1e-12)


def test_one_cycle():
    recipe = nn.Recipe(epochs=10, learning_rate=0.2, schedule="one-cycle")
    rates = [nn.learning_rate(recipe, step, 4) for step in range(40)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[5] == pytest.approx(0.11)
    assert rates[10] == pytest.approx(0.2)
    assert rates[25] == pytest.approx(0.1)
    assert rates[39] == pytest.approx(0.2 / 30)
    assert max(rates) == rates[10]


def test_constant_and_piecewise():
    recipe = nn.Recipe(epochs=6, learning_rate=0.2, schedule="constant")
    assert {nn.learning_rate(recipe, step, 4) for step in range(24)} == {0.2}
    recipe = nn.Recipe(
        epochs=6, learning_rate=0.2, schedule="piecewise", milestones=(2, 5), factors=(0.5, 0.05)
    )
    rates = [nn.learning_rate(recipe, step, 4) for step in range(24)]
    assert rates == [0.2] * 8 + [0.1] * 12 + [0.2 * 0.05] * 4


@pytest.mark.parametrize("schedule", [name for name in nn.SCHEDULES if name != "piecewise"])
def test_a_warm_up_rises_to_the_first_rate_of_any_schedule_which_follows_as_it_would(schedule):
    recipe = nn.Recipe(epochs=8, learning_rate=0.2, schedule=schedule, decay_every=2, warm_up=3)
    alone = nn.Recipe(epochs=5, learning_rate=0.2, schedule=schedule, decay_every=2)
    rates = [nn.learning_rate(recipe, step, 4) for step in range(32)]
    first = nn.learning_rate(alone, 0, 4)
    assert rates[:12] == pytest.approx([first * (step + 1) / 12 for step in range(12)], rel=1e-12)
    assert rates[12:] == [nn.learning_rate(alone, step, 4) for step in range(20)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "cosin"}, r"^train.schedule: .*did you mean 'cosine'\?"),
        ({"warm_up": 5}, r"^train.warm_up: expected below train.epochs = 5, found 5; train longer"),
        ({"schedule": "piecewise"}, r"^train.milestones: expected the epochs of .* piecewise, found none; give"),
        ({"milestones": (2,), "factors": (0.1,)}, r"^train.milestones: expected none .* one-cycle, found \[2\]"),
        ({"schedule": "piecewise", "milestones": (3, 2), "factors": (0.1, 0.1)}, r"increasing order, found \[3"),
        (
            {"schedule": "piecewise", "milestones": (2, 3), "factors": (0.1,)},
            r"^train.factors: expected one for each of the 2 milestones, found \[0.1\]",
        ),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_followed_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        nn.check_schedule(nn.Recipe(epochs=5, **options), "train")


def test_a_schedule_joins_the_table(monkeypatch):
    monkeypatch.setitem(nn.SCHEDULES, "linear", lambda recipe, epoch, t: 1 - t)
    recipe = config_from({"train": {"epochs": 2, "learning_rate": 0.2, "schedule": "linear"}}).train
    assert nn.learning_rate(recipe, 3, 4) == 0.2 * (1 - 3 / 8)
