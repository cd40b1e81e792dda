"""Evidence from the solvable models: theory and simulation, computed when it is asked for."""

from collections.abc import Sequence

import numpy as np
import scipy

from deeptheory import theory
from deeptheory.judge.evidence import Learning, Storage
from deeptheory.system.progress import Progress
from deeptheory.theory.simulations.committee import draw_weights, learn
from deeptheory.theory.simulations.perceptron import prune_and_relearn

# A student of three units and a teacher of two. The start breaks the symmetry, so that the end of the plateau does
# not depend on fluctuations.
START = theory.OrderParameters(0.25 * np.eye(3), np.array([(0.2, 0.0), (0.0, 0.2), (0.05, 0.0)]), np.eye(2))
LEARNING_RATE, N_INPUTS, END, REMOVAL = 0.5, 2000, 80.0, 30.0
LOADS, N_COUPLINGS = (0.5, 1.0, 1.5), 100


def learning(seeds: Sequence[int], quiet: bool = False) -> Learning:
    """The committee machine by theory, and simulated for every seed.

    Seconds per seed. At alpha = 30 every single unit is removed from the simulated student and the error read; the
    unit that theory names is the one whose removal costs its order parameters least.
    """
    alpha = np.concatenate([np.arange(0.0, 10.0, 0.5), np.arange(10.0, END + 1, 2.5)])
    curve = theory.learning_curve(START, LEARNING_RATE, alpha)
    place = int(np.searchsorted(alpha, REMOVAL))
    named = theory.ranked_deletions(curve.at(place), 1)[0].units
    simulated, without_named, without_other = [], [], []
    with Progress("committee", len(seeds), "seed", quiet) as progress:
        for done, seed in enumerate(seeds, start=1):
            rng = np.random.default_rng(seed)
            _, found = learn(*draw_weights(START, N_INPUTS, rng), LEARNING_RATE, alpha, rng)
            simulated.append(found.generalisation_error)
            errors = {
                one.units: one.generalisation_error for one in theory.ranked_deletions(found.at(place), 1)
            }
            without_named.append(errors.pop(named))
            without_other.append(min(errors.values()))
            progress.advance(done)
    return Learning(
        alpha,
        curve.generalisation_error,
        np.array(simulated),
        np.array(without_named),
        np.array(without_other),
    )


def storage(seeds: Sequence[int], quiet: bool = False) -> Storage:
    """Couplings left of 100 when patterns are stored by pruning and relearning, one instance a seed and load."""
    left = np.empty((len(seeds), len(LOADS)))
    with Progress("capacity", left.size, "instance", quiet) as progress:
        for row, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            for column, load in enumerate(LOADS):
                patterns = rng.standard_normal((round(load * N_COUPLINGS), N_COUPLINGS))
                left[row, column] = prune_and_relearn(patterns) / N_COUPLINGS
                progress.advance(row * len(LOADS) + column + 1)
    annealed = [
        scipy.optimize.brentq(lambda kept, load=load: theory.annealed_capacity(kept) - load, 1e-6, 1.0)
        for load in LOADS
    ]
    return Storage(LOADS, np.array(LOADS) / 2, np.array(annealed), left)


BUILDERS = {Learning: learning, Storage: storage}
