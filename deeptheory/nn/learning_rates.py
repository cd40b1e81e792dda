"""Learning-rate schedules."""

import math

from deeptheory.nn.options import Recipe

RISE = 0.25  # share of the steps in which the rate of one-cycle rises
START = 0.1  # its first learning rate, as a share of the largest


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Learning rate of one step, counted from 0 over the whole training.

    With t = step/(all steps) and eta the largest learning rate:
    step: eta * decay**floor(epoch/decay_every); cosine: eta*(1 + cos(pi t))/2;
    one-cycle: linear from eta/10 to eta at t = 1/4, then linear to zero at t = 1 (after Smith & Topin,
    "Super-convergence").
    """
    t = step / (recipe.epochs * steps_per_epoch)
    if recipe.schedule == "step":
        return recipe.learning_rate * recipe.decay ** (step // steps_per_epoch // recipe.decay_every)
    if recipe.schedule == "cosine":
        return recipe.learning_rate * (1 + math.cos(math.pi * t)) / 2
    factor = START + (1 - START) * t / RISE if t < RISE else (1 - t) / (1 - RISE)
    return recipe.learning_rate * factor
