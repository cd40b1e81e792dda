"""From a criterion to the masks of one arm."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeptheory.errors import InputError, unknown_name
from deeptheory.prune.criteria import CRITERIA
from deeptheory.prune.criterion_context import Context
from deeptheory.prune.mask_summaries import MaskSummary, mask_summary
from deeptheory.prune.masks import Masks
from deeptheory.prune.selection import keep_density, keep_largest, masks_of_units
from deeptheory.store.paths import AFCC, UNPRUNED

Target = float | Mapping[str, int] | None


@dataclass(frozen=True)
class PrunedArm:
    """One pruned arm.

    Attributes
    ----------
    criterion : str
    scores : dict of str to float64 array
        By weight name, of every unit.
    units : dict of str to bool array
        Which units are kept.
    masks : Masks
    summary : MaskSummary
    update : dict of str to array
        Parameters and buffers with which retraining starts, where the criterion changes them.
    """

    criterion: str
    scores: dict[str, np.ndarray]
    units: dict[str, np.ndarray]
    masks: Masks
    summary: MaskSummary
    update: dict[str, np.ndarray]

    @property
    def n_kept(self) -> dict[str, int]:
        """Units kept in each layer."""
        return {name: int(kept.sum()) for name, kept in self.units.items()}


def check_arms(arms: Sequence[str]) -> None:
    """Check the names of the pruned arms.

    Raises
    ------
    InputError
        An arm is not a criterion, AFCC, which is judged against the others, is missing, or the unpruned arm is
        asked for, which is always there.
    """
    for arm in arms:
        if arm == UNPRUNED:
            raise InputError(
                "prune.arms", "criteria", f"'{UNPRUNED}'", "leave it out: it is always run beside them"
            )
        if arm not in CRITERIA:
            raise unknown_name("prune.arms", arm, CRITERIA)
    if AFCC not in arms:
        found = ", ".join(arms) or "none"
        raise InputError("prune.arms", f"'{AFCC}' among them", found, "add it: the others are its rivals")


def scores_for(criterion: str, context: Context) -> dict[str, np.ndarray]:
    """Score of every weight, kernel or filter of the masked layers, higher = keep.

    Parameters
    ----------
    criterion : str
        One of `CRITERIA`.
    context : Context

    Returns
    -------
    dict of str to float64 array of shape ``layer.units(context.granularity)``

    Raises
    ------
    InputError
        Unknown criterion, one that cannot act at this granularity, or a score that is not finite.
    """
    if criterion not in CRITERIA:
        raise unknown_name("criterion", criterion, CRITERIA)
    act_on = CRITERIA[criterion].granularities
    if context.granularity not in act_on:
        raise InputError(
            f"criterion '{criterion}'",
            f"granularity {' or '.join(act_on)}",
            context.granularity,
            "choose another",
        )
    scores = CRITERIA[criterion].scores(context)
    for name, score in scores.items():
        if not np.isfinite(score).all():
            found = f"{int((~np.isfinite(score)).sum())} that are not"
            raise InputError(
                f"scores of '{name}' by {criterion}", "finite numbers", found, "check its weights and fields"
            )
    return scores if context.present is None else _last_where_gone(scores, context)


def _last_where_gone(scores: Mapping[str, np.ndarray], context: Context) -> dict[str, np.ndarray]:
    """The scores, with those of what is gone already below all others."""
    assert context.present is not None
    below = min(float(score.min()) for score in scores.values()) - 1
    return {
        layer.weight: np.where(
            layer.summed(context.present[layer.weight], context.granularity) > 0, scores[layer.weight], below
        )
        for layer in context.units
    }


def masks_for(criterion: str, context: Context, target: Target = None) -> Masks:
    """Masks of one criterion; `prune_arm` gives its scores and the summary as well."""
    return prune_arm(criterion, context, target).masks


def prune_arm(criterion: str, context: Context, target: Target = None) -> PrunedArm:
    """Prune one arm.

    Parameters
    ----------
    criterion : str
        One of `CRITERIA`.
    context : Context
    target : float or mapping of str to int, optional
        The share of the masked layers' weights that is kept, within (0, 1]: the same of every layer, or where
        the criterion ranks all layers together as its scores say. Or how many units are kept of each layer
        (``PrunedArm.n_kept`` of another arm). Without it a unit is kept when its score exceeds the context's
        threshold (AFCC and label-permuted only).

    Returns
    -------
    PrunedArm
        Its summary holds, for AFCC and label-permuted, the natural density: that of the same scores cut at the
        threshold. For label-permuted this is one draw of the null of AFCC's density (physics of independent
        label sets), whatever density the arm was given.

    Raises
    ------
    InputError
        Nothing was pruned; the criterion has no threshold; the target does not fit the layers or cannot be
        reached (`keep_density`).
    """
    if target is not None and not isinstance(target, Mapping):
        context = dataclasses.replace(context, density=target)
    scores = scores_for(criterion, context)
    chosen, granularity = CRITERIA[criterion], context.granularity
    cut = {name: score > context.threshold for name, score in scores.items()}
    if isinstance(target, Mapping):
        if set(target) != set(scores):
            found = ", ".join(sorted(target)) or "none"
            raise InputError(f"{granularity}s to keep", f"a number for each of {', '.join(scores)}", found)
        units = {name: keep_largest(score, target[name], context.rng) for name, score in scores.items()}
    elif target is not None:
        units = keep_density(context.layers, scores, target, chosen.scope, granularity, context.rng)
    elif chosen.thresholded:
        units = cut
    else:
        having = ", ".join(sorted(name for name, other in CRITERIA.items() if other.thresholded))
        raise InputError(
            f"criterion '{criterion}'",
            f"a density or the number to keep in each layer (only {having} need none)",
            "none",
            "pass PrunedArm.n_kept of the AFCC arm, or a density",
        )
    masks = masks_of_units(context.layers, units, granularity)
    _check_something_pruned(criterion, context, scores, masks, target)
    natural = masks_of_units(context.layers, cut, granularity).densities() if chosen.thresholded else {}
    summary = mask_summary(masks, context.strengths, context.threshold, natural)
    update = dict(chosen.update(context, masks)) if chosen.update else {}
    return PrunedArm(criterion, scores, units, masks, summary, update)


def prune_arms(
    context: Context, streams: Mapping[str, np.random.Generator], density: float = 0.0
) -> dict[str, PrunedArm]:
    """Prune several arms at equal density.

    Parameters
    ----------
    context : Context
        Its generator is not used.
    streams : mapping of str to numpy.random.Generator
        The criteria, AFCC among them, each with the source of everything random in its arm.
    density : float
        Share of the masked layers' weights that is kept; 0 for that of AFCC at the context's threshold, which
        criteria that rank within a layer take layer by layer, and the others over all masked layers.

    Returns
    -------
    dict of PrunedArm
        By criterion.

    Raises
    ------
    InputError
        As `check_arms` and `prune_arm`.
    """
    check_arms(list(streams))

    def pruned(arm: str, target: Target) -> PrunedArm:
        return prune_arm(arm, dataclasses.replace(context, rng=streams[arm]), target)

    if density:
        return {arm: pruned(arm, density) for arm in streams}
    afcc = pruned(AFCC, None)
    targets: dict[str, Target] = {"layer": afcc.n_kept, "network": afcc.summary.density}
    return {arm: afcc if arm == AFCC else pruned(arm, targets[CRITERIA[arm].scope]) for arm in streams}


def _check_something_pruned(
    criterion: str, context: Context, scores: Mapping[str, np.ndarray], masks: Masks, target: Target
) -> None:
    if target == 1.0 or masks.total_density < 1:
        return
    weights = sum(layer.size for layer in context.layers)
    found = f"all {weights} weights of {len(masks)} layers kept: nothing was pruned"
    if target is None:
        what = f"masks by {criterion} at threshold {context.threshold:g}"
        lowest = min(float(score.min()) for score in scores.values())
        do = f"raise prune.threshold to {lowest:.3g} or above (the smallest score), or mask other stages"
    else:
        what, do = f"masks by {criterion}", "ask for a lower density"
    raise InputError(what, "at least one weight removed", found, do)
