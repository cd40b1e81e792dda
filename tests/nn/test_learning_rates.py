"""Learning-rate schedules against their closed forms."""

import math

import pytest

from deeptheory import nn


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
