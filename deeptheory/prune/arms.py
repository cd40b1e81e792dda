"""From a criterion to the masks of one arm."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.layers.base import Array
from deeptheory.prune.criteria import CRITERIA
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.mask_summaries import MaskSummary, mask_summary
from deeptheory.prune.masks import Masks
from deeptheory.prune.selection import (
    DensityNotReached,
    Ranking,
    keep_density,
    keep_largest,
    masks_of_units,
)
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
    scores: Scores
    units: dict[str, NDArray[np.bool_]]
    masks: Masks
    summary: MaskSummary
    update: dict[str, Array]

    @property
    def n_kept(self) -> dict[str, int]:
        """Units kept in each layer."""
        return {name: int(kept.sum()) for name, kept in self.units.items()}


def check_arms(arms: Sequence[str], density: float = 0.0, density_from: str = AFCC) -> None:
    """Check the names of the pruned arms, and whose density they take.

    Parameters
    ----------
    arms : sequence of str
    density : float
        That of all arms; 0 takes the density of one of them.
    density_from : str
        The arm whose density at the threshold the others take.

    Raises
    ------
    InputError
        An arm is not a criterion; AFCC, with which the others are compared, is missing; the unpruned arm is among
        them, which is always run; the density cannot be taken from this arm, or is given as well; or an arm that
        has one density alone would have to take another.
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
    _check_density_from(arms, density, density_from)


def _check_density_from(arms: Sequence[str], density: float, density_from: str) -> None:
    what, able = "prune.density_from", [name for name, other in CRITERIA.items() if other.thresholded]
    if density_from not in able:
        raise unknown_name(what, density_from, able)
    if density_from not in arms:
        do = f"add '{density_from}' to prune.arms"
        raise InputError(what, f"an arm of prune.arms ({', '.join(arms)})", f"'{density_from}'", do)
    if density and density_from != AFCC:
        expected, found = f"'{AFCC}' where prune.density is given", f"'{density_from}' beside {density:g}"
        raise InputError(what, expected, found, "set prune.density = 0, or leave this out")
    for arm in arms:
        if CRITERIA[arm].one_density and (density or density_from != arm):
            expected = f"'{arm}' and prune.density = 0: this arm has one density, which the others must take"
            found = f"prune.density = {density:g}" if density else f"'{density_from}'"
            raise InputError(what, expected, found, f"set prune.density_from = '{arm}', or leave the arm out")


def scores_for(criterion: str, context: Context) -> Scores:
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
    able = CRITERIA[criterion].granularities
    if context.granularity not in able:
        expected = f"granularity {' or '.join(able)}"
        raise InputError(f"criterion '{criterion}'", expected, context.granularity, "choose another")
    scores = CRITERIA[criterion].scores(context)
    for name, score in scores.items():
        if not np.isfinite(score).all():
            found = f"{int((~np.isfinite(score)).sum())} that are not"
            raise InputError(
                f"scores of '{name}' by {criterion}", "finite numbers", found, "check its weights and fields"
            )
    return scores if context.present is None else _removed_last(scores, context.present, context)


def _removed_last(scores: Scores, present: Masks, context: Context) -> Scores:
    """The scores, with those of units that are removed already below all others."""
    below = min(float(score.min()) for score in scores.values()) - 1
    return {
        layer.weight: np.where(
            layer.summed(present[layer.weight], context.granularity) > 0, scores[layer.weight], below
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
        The share of the masked layers' weights that is kept, within (0, 1]: the same in every layer, or, for a
        criterion that ranks all layers together, as its scores decide. Or the number of units that are kept in
        each layer (``PrunedArm.n_kept`` of another arm). Without it a unit is kept when its score exceeds the
        context's threshold (AFCC, label-permuted and the published indexing only).

    Returns
    -------
    PrunedArm
        For criteria with a threshold its summary holds the natural density: that of the same scores cut at the
        threshold, whatever density the arm was given. For label-permuted this is one draw from the null
        distribution of AFCC's density, that of independent label sets.

    Raises
    ------
    InputError
        Nothing was pruned; the criterion has no threshold; the target does not fit the layers or cannot be
        reached (`keep_density`), or is not the one density that the criterion has (`DensityNotReached`).
    """
    if target is not None and not isinstance(target, Mapping):
        context = dataclasses.replace(context, density=target)
    scores = scores_for(criterion, context)
    units = _kept_units(criterion, context, scores, target)
    masks = masks_of_units(context.layers, units, context.granularity)
    _check_something_pruned(criterion, context, scores, masks, target)
    natural: dict[str, float] = {}
    if CRITERIA[criterion].thresholded:
        cut = _above_threshold(scores, context)
        natural = masks_of_units(context.layers, cut, context.granularity).densities()
    notes = CRITERIA[criterion].warnings
    said = notes(context) if notes else ()
    summary = mask_summary(masks, context.strengths, context.threshold, natural, said)
    update = CRITERIA[criterion].update
    return PrunedArm(criterion, scores, units, masks, summary, dict(update(context, masks)) if update else {})


def _kept_units(
    criterion: str, context: Context, scores: Scores, target: Target
) -> dict[str, NDArray[np.bool_]]:
    """The units that the target keeps, or the threshold where there is no target."""
    granularity = context.granularity
    if CRITERIA[criterion].one_density:
        return _only_units(criterion, context, scores, target)
    if isinstance(target, Mapping):
        if set(target) != set(scores):
            found = ", ".join(sorted(target)) or "none"
            raise InputError(f"{granularity}s to keep", f"a number for each of {', '.join(scores)}", found)
        return {name: keep_largest(score, target[name], context.rng) for name, score in scores.items()}
    if target is not None:
        ranking = Ranking(context.layers, scores, CRITERIA[criterion].scope, granularity)
        return keep_density(ranking, target, context.rng)
    if CRITERIA[criterion].thresholded:
        return _above_threshold(scores, context)
    thresholded = ", ".join(sorted(name for name, other in CRITERIA.items() if other.thresholded))
    raise InputError(
        f"criterion '{criterion}'",
        f"a density or the number to keep in each layer (only {thresholded} need none)",
        "none",
        "pass PrunedArm.n_kept of the AFCC arm, or a density",
    )


def _only_units(
    criterion: str, context: Context, scores: Scores, target: Target
) -> dict[str, NDArray[np.bool_]]:
    """The units at the threshold, for a criterion without an order of removal; refuses another target."""
    units = _above_threshold(scores, context)
    if target is not None and target != {name: int(kept.sum()) for name, kept in units.items()}:
        own = masks_of_units(context.layers, units, context.granularity).total_density
        raise DensityNotReached(
            f"density of '{criterion}'",
            f"{own:.3g}, the only one that it has at threshold {context.threshold:g}",
            "others for its layers" if isinstance(target, Mapping) else f"{target:g}",
            f"let the other arms take it: prune.density_from = '{criterion}'",
        )
    return units


def _above_threshold(scores: Scores, context: Context) -> dict[str, NDArray[np.bool_]]:
    return {name: score > context.threshold for name, score in scores.items()}


def prune_arms(
    context: Context,
    streams: Mapping[str, np.random.Generator],
    density: float = 0.0,
    density_from: str = AFCC,
) -> dict[str, PrunedArm]:
    """Prune several arms at equal density.

    Parameters
    ----------
    context : Context
        Its generator is not used.
    streams : mapping of str to numpy.random.Generator
        The criteria, AFCC among them, each with the source of everything random in its arm.
    density : float
        Share of the masked layers' weights that is kept. 0 takes the density that one of the arms has at the
        context's threshold: in each layer for criteria that rank within a layer, over all masked layers for the
        others.
    density_from : str
        That arm.

    Returns
    -------
    dict of PrunedArm
        By criterion.

    Raises
    ------
    InputError
        As `check_arms` and `prune_arm`.
    """
    check_arms(list(streams), density, density_from)

    def pruned(arm: str, target: Target) -> PrunedArm:
        return prune_arm(arm, dataclasses.replace(context, rng=streams[arm]), target)

    if density:
        return {arm: pruned(arm, density) for arm in streams}
    given = pruned(density_from, None)
    targets: dict[str, Target] = {"layer": given.n_kept, "network": given.summary.density}
    return {
        arm: given if arm == density_from else pruned(arm, targets[CRITERIA[arm].scope]) for arm in streams
    }


def _check_something_pruned(
    criterion: str, context: Context, scores: Scores, masks: Masks, target: Target
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
