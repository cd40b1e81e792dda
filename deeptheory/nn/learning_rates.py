"""Learning-rate schedules. Each is a function in the table `SCHEDULES`, where others may join it."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from deeptheory.errors import InputError, unknown_name

if TYPE_CHECKING:
    from deeptheory.nn.options import Recipe

RISE = 0.25  # share of the steps in which the rate of one-cycle rises
START = 0.1  # its first learning rate, as a share of the largest

Schedule = Callable[["Recipe", int, float], float]


def constant(recipe: "Recipe", epoch: int, t: float) -> float:
    """1."""
    return 1.0


def step_decay(recipe: "Recipe", epoch: int, t: float) -> float:
    """decay**floor(epoch/decay_every)."""
    return recipe.decay ** (epoch // recipe.decay_every)


def piecewise(recipe: "Recipe", epoch: int, t: float) -> float:
    """1 before the first of the `milestones`, then the entry of `factors` that belongs to the last one passed."""
    passed = [f for start, f in zip(recipe.milestones, recipe.factors, strict=True) if start <= epoch]
    return passed[-1] if passed else 1.0


def cosine(recipe: "Recipe", epoch: int, t: float) -> float:
    """(1 + cos(pi t))/2."""
    return (1 + math.cos(math.pi * t)) / 2


def one_cycle(recipe: "Recipe", epoch: int, t: float) -> float:
    """Linear from 1/10 to 1 at t = 1/4, then to zero at t = 1 (after Smith & Topin, "Super-convergence")."""
    return START + (1 - START) * t / RISE if t < RISE else (1 - t) / (1 - RISE)


SCHEDULES: dict[str, Schedule] = {
    "step": step_decay,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "constant": constant,
    "piecewise": piecewise,
}


def learning_rate(recipe: "Recipe", step: int, steps_per_epoch: int) -> float:
    """Learning rate of one step, counted from 0 over the whole training.

    The largest rate `recipe.learning_rate` times the factor of the schedule, a function of the recipe, of the
    number of completed epochs, and of t = (steps done)/(all steps), each counted from the end of the warm-up. In
    the warm-up of w steps the rate is (step + 1)/w times the first rate of the schedule.
    """
    factor, warm_up = SCHEDULES[recipe.schedule], recipe.warm_up * steps_per_epoch
    if step < warm_up:
        return recipe.learning_rate * factor(recipe, 0, 0.0) * (step + 1) / warm_up
    after, t = step - warm_up, (step - warm_up) / (recipe.epochs * steps_per_epoch - warm_up)
    return recipe.learning_rate * factor(recipe, after // steps_per_epoch, t)


def check_schedule(recipe: "Recipe", table: str) -> None:
    """Refuse a schedule that cannot be followed; `table` is the name of the options, such as ``train``.

    Raises
    ------
    InputError
        A schedule that there is not, a warm-up that leaves no epoch, or milestones that do not increase, have not
        one factor each, or belong to another schedule.
    """
    if recipe.schedule not in SCHEDULES:
        raise unknown_name(f"{table}.schedule", recipe.schedule, SCHEDULES)
    if recipe.epochs and recipe.warm_up >= recipe.epochs:
        expected = f"below {table}.epochs = {recipe.epochs}"
        raise InputError(f"{table}.warm_up", expected, f"{recipe.warm_up}", "train longer, or warm up less")
    milestones = list(recipe.milestones)
    if recipe.schedule == "piecewise" and not milestones:
        do = "give milestones, or take the schedule constant"
        raise InputError(f"{table}.milestones", "the epochs of the schedule piecewise", "none", do)
    if milestones and recipe.schedule != "piecewise":
        expected, found = f"none for the schedule {recipe.schedule}", f"{milestones}"
        raise InputError(f"{table}.milestones", expected, found, "take the schedule piecewise")
    if milestones != sorted(set(milestones)):
        raise InputError(f"{table}.milestones", "epochs in increasing order", f"{milestones}")
    if len(recipe.factors) != len(milestones):
        expected = f"one for each of the {len(milestones)} milestones"
        raise InputError(f"{table}.factors", expected, f"{list(recipe.factors)}")
