"""What a number of seeds can show: the power of the paired tests and the smallest effect within reach."""

import bisect
import functools
import math

import scipy

from deeptheory.errors import InputError
from deeptheory.judge.statistics import check_level

POWER = 0.8  # what counts as being able to detect
MOST_SEEDS = 1000


def power(effect: float, scatter: float, n_seeds: int, level: float = 0.95, one_sided: bool = False) -> float:
    r"""Probability that a paired t test supports its claim.

    Parameters
    ----------
    effect : float
        True mean of the differences above the bound of the claim (0 for "beats", minus the margin for "no loss").
    scatter : float
        Standard deviation of the differences over seeds, in the unit of `effect`, > 0.
    n_seeds : int
        At least 2.
    level : float
        Confidence level of the test.
    one_sided : bool
        Of "no loss"; "beats" keeps half of ``1 - level`` for the other side.

    Returns
    -------
    float
        :math:`P(T' > t_{n-1}(q))` with T' noncentral t of n - 1 degrees of freedom and noncentrality
        :math:`\sqrt n\,` effect/scatter, and q = level or (1 + level)/2. Exact for normal differences.

    Notes
    -----
    The scatter is put in, not measured: where it is larger, the power is smaller. It is NOT the probability that a
    supported claim is true.
    """
    check_level(level)
    if n_seeds < 2:
        raise InputError("seeds", "at least 2 for a test", str(n_seeds))
    if not 0 < scatter < math.inf:
        raise InputError("scatter", "a positive number", f"{scatter}")
    critical = scipy.stats.t.ppf(level if one_sided else (1 + level) / 2, n_seeds - 1)
    return float(scipy.stats.nct.sf(critical, n_seeds - 1, math.sqrt(n_seeds) * effect / scatter))


@functools.cache
def detectable_effect(
    scatter: float, n_seeds: int, level: float = 0.95, one_sided: bool = False, wanted: float = POWER
) -> float:
    """Smallest effect that is found with a power of `wanted`, in the unit of `scatter`.

    Parameters
    ----------
    scatter, n_seeds, level, one_sided
        As in `power`.
    wanted : float
        Within (0, 1).
    """

    def missing(effect: float) -> float:
        return power(effect, scatter, n_seeds, level, one_sided) - wanted

    above = scatter
    while missing(above) < 0:
        above *= 2
    return float(scipy.optimize.brentq(missing, 0.0, above))


def seeds_needed(effect: float, scatter: float, level: float = 0.95, one_sided: bool = False) -> int | None:
    """Smallest number of seeds that finds an effect with a power of 80 %; None if 1000 are not enough."""

    def enough(n_seeds: int) -> bool:
        return power(effect, scatter, n_seeds, level, one_sided) >= POWER

    found = 2 + bisect.bisect_left(range(2, MOST_SEEDS + 1), True, key=enough)
    return found if found <= MOST_SEEDS else None
