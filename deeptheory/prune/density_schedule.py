"""The density after each round of pruning."""

from deeptheory.errors import InputError
from deeptheory.prune.options import PruneOptions


def densities(options: PruneOptions) -> tuple[float, ...]:
    r"""Density after each round of pruning; empty where the masks are fixed before retraining.

    Parameters
    ----------
    options : PruneOptions

    Returns
    -------
    tuple of float
        For round r of R and the final density d: one-shot d every time; gradual
        :math:`d + (1 - d)(1 - r/R)^3`; iterative :math:`d^{r/R}`, the same share of what is left each time.

    Raises
    ------
    InputError
        Rounds without a target density, or several rounds of a mask that does not change.

    Notes
    -----
    Sources: Zhu and Gupta, "To prune, or not to prune" (2017); Frankle and Carbin, "The lottery ticket hypothesis"
    (2019).
    """
    changing = options.schedule != "one-shot" or options.disorder == "annealed"
    if not changing:
        if options.rounds > 1:
            found = f"{options.rounds} rounds of one shot, quenched"
            do = "choose prune.schedule gradual or iterative, or prune.disorder annealed"
            raise InputError("prune.rounds", "1, as the mask does not change", found, do)
        return ()
    if not options.density:
        found = f"AFCC's, at schedule {options.schedule}, {options.disorder}"
        raise InputError("prune.density", "a density to end at", found, "set it, such as 0.1")
    density, last = options.density, options.rounds
    if options.schedule == "gradual":
        return tuple(density + (1 - density) * (1 - r / last) ** 3 for r in range(1, last + 1))
    if options.schedule == "iterative":
        return tuple(density ** (r / last) for r in range(1, last + 1))
    return (density,) * last
