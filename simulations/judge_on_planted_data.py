"""How often does the judge err? False positives and power on differences of four shapes, 5, 10 and 20 seeds.

python simulations/judge_on_planted_data.py

Differences between two arms are drawn with a true mean where the claim is false and hardest to tell from true
(false positives), and at the effect that the t test finds in 80 % of cases if they are normal (power). All shapes
have a standard deviation of 0.3 points, but for the collapses: there one network in ten loses 4.5 points more than
the others. The judge takes the larger p of t test and sign flips where the test of Shapiro and Wilk calls for it;
the t test alone stands beside. Two minutes on one core. The table stands in docs/hypotheses.md.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import FIXED
from deeptheory.judge.rules import NoLoss, Positive, Rule
from deeptheory.judge.statistical_power import POWER
from deeptheory.system.progress import Progress
from deeptheory.system.scripts import run_script
from deeptheory.tables import Table

SCATTER = 0.3  # points
COLLAPSE, SHARE = 4.5, 0.1
N_SEEDS = (5, 10, 20)
RULES: dict[str, Rule] = {"beats": Positive(), "no loss": NoLoss(FIXED.margin)}
Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Normal differences, mean 0."""
    return SCATTER * rng.standard_normal(shape)


def heavy_tails(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Student's t of three degrees of freedom, scaled to the same standard deviation."""
    return SCATTER / np.sqrt(3) * rng.standard_t(3, shape)


def exponential(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Skewed to the left: most seeds a little above the mean, some far below."""
    return SCATTER * (1 - rng.exponential(size=shape))


def collapses(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    """One seed in ten loses `COLLAPSE` points; mean 0 over all."""
    return normal(rng, shape) - COLLAPSE * ((rng.random(shape) < SHARE) - SHARE)


DRAWS: dict[str, Draw] = {
    "normal": normal,
    "t, 3 degrees of freedom": heavy_tails,
    "exponential to the left": exponential,
    "one in ten collapses": collapses,
}


def supported(rule: Rule, differences: NDArray[np.float64]) -> tuple[float, float]:
    """Share of studies in which the judge supports the claim, and in which the t test alone would."""
    tests = [rule.test(of_study, FIXED.level, 0.0) for of_study in differences]
    alpha = 1 - FIXED.level
    return float(np.mean([test.p < alpha for test in tests])), float(
        np.mean([test.p_t < alpha for test in tests])
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=4000, help="studies drawn for every number")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    arguments = parser.parse_args()
    rng, rows = np.random.default_rng(arguments.seed), []
    with Progress("planted data", len(DRAWS) * len(N_SEEDS)) as progress:
        for name, draw in DRAWS.items():
            for n_seeds in N_SEEDS:
                cells = []
                for rule in RULES.values():
                    effect = rule.found(SCATTER, n_seeds, FIXED.level, POWER)
                    null = supported(rule, rule.null + draw(rng, (arguments.studies, n_seeds)))
                    found, _ = supported(rule, effect + draw(rng, (arguments.studies, n_seeds)))
                    cells += [f"{100 * share:.1f}" for share in (*null, found)]
                rows.append((name, str(n_seeds), *cells))
                progress.advance(len(rows))
    heads = [f"{claim}: {what}" for claim in RULES for what in ("false positives", "by t alone", "power")]
    print(
        Table(
            f"supported, in % of {arguments.studies} studies; seed {arguments.seed}",
            ("differences", "seeds", *heads),
            rows,
        )
    )


run_script(main)
