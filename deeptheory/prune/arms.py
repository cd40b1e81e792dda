"""From a criterion to the masks of one arm, at the density of AFCC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deeptheory.errors import InputError, unknown_name
from deeptheory.prune.context import Context
from deeptheory.prune.criteria import CRITERIA, THRESHOLDED
from deeptheory.prune.masks import Masks
from deeptheory.prune.report import Report, report_of

UNPRUNED = "unpruned"  # the arm that has no mask


@dataclass(frozen=True)
class PrunedArm:
    """One pruned arm: its criterion, the score of every kernel, the masks and what they removed."""

    criterion: str
    scores: dict[str, np.ndarray]  # weight name -> (out, n_inputs)
    masks: Masks
    report: Report


def check_arms(arms: Sequence[str]) -> None:
    """Check the names of the pruned arms.

    Raises
    ------
    InputError
        An arm is not a criterion, AFCC, whose density the others take, is missing, or the unpruned arm is
        asked for, which is always there.
    """
    for arm in arms:
        if arm == UNPRUNED:
            raise InputError(
                "prune.arms", "criteria", f"'{UNPRUNED}'", "leave it out: it is always run beside them"
            )
        if arm not in CRITERIA:
            raise unknown_name("prune.arms", arm, CRITERIA)
    if "afcc" not in arms:
        found = ", ".join(arms) or "none"
        raise InputError("prune.arms", "'afcc' among them", found, "add it: the other arms take its density")


def scores_for(criterion: str, context: Context) -> dict[str, np.ndarray]:
    """Score of every kernel of the masked layers, higher = keep.

    Parameters
    ----------
    criterion : str
        One of `CRITERIA`.
    context : Context

    Returns
    -------
    dict of str to (out, n_inputs) float64 array

    Raises
    ------
    InputError
        Unknown criterion, or a score that is not finite.
    """
    if criterion not in CRITERIA:
        raise unknown_name("criterion", criterion, CRITERIA)
    scores = CRITERIA[criterion](context)
    for name, score in scores.items():
        if not np.isfinite(score).all():
            found = f"{int((~np.isfinite(score)).sum())} that are not"
            raise InputError(
                f"scores of '{name}' by {criterion}", "finite numbers", found, "check its weights and fields"
            )
    return scores


def keep_largest(scores: np.ndarray, n_kept: int, rng: np.random.Generator) -> np.ndarray:
    """Keep exactly the `n_kept` largest scores; ties are broken at random.

    Parameters
    ----------
    scores : float array of any shape
    n_kept : int
        Within 0 and the number of scores.
    rng : numpy.random.Generator

    Returns
    -------
    bool array of the shape of `scores`
    """
    if not 0 <= n_kept <= scores.size:
        raise InputError("number of kernels to keep", f"0 to {scores.size}", f"{n_kept}")
    order = np.lexsort((rng.random(scores.size), -scores.ravel()))
    kept = np.zeros(scores.size, dtype=bool)
    kept[order[:n_kept]] = True
    return kept.reshape(scores.shape)


def masks_for(criterion: str, context: Context, n_kept: Mapping[str, int] | None = None) -> Masks:
    """Masks of one criterion; `prune_arm` gives its scores and report as well.

    Parameters
    ----------
    criterion : str
        One of `CRITERIA`.
    context : Context
    n_kept : mapping of str to int, optional
        Kernels to keep in each layer (``Masks.kept()`` of the AFCC arm): exactly these many are kept. Without
        it a kernel is kept when its score exceeds the context's threshold (AFCC and label-permuted only).

    Returns
    -------
    Masks

    Raises
    ------
    InputError
        Nothing was pruned; the criterion has no threshold; `n_kept` does not match the layers.
    """
    return prune_arm(criterion, context, n_kept).masks


def prune_arm(criterion: str, context: Context, n_kept: Mapping[str, int] | None = None) -> PrunedArm:
    """Prune one arm; parameters and errors as in `masks_for`.

    Returns
    -------
    PrunedArm
        Its report holds, for AFCC and label-permuted, the natural density: that of the same scores cut at the
        threshold. For label-permuted this is one draw of the null of AFCC's density (physics of independent
        label sets), whatever density the arm was given.
    """
    scores = scores_for(criterion, context)
    cut = {name: score > context.threshold for name, score in scores.items()}
    if n_kept is not None:
        if set(n_kept) != set(scores):
            found = ", ".join(sorted(n_kept)) or "none"
            raise InputError("kernels to keep", f"a number for each of {', '.join(scores)}", found)
        kept = {name: keep_largest(score, n_kept[name], context.rng) for name, score in scores.items()}
    elif criterion in THRESHOLDED:
        kept = cut
    else:
        expected = (
            f"the number of kernels to keep in each layer (only {', '.join(sorted(THRESHOLDED))} need none)"
        )
        raise InputError(
            f"criterion '{criterion}'", expected, "none", "pass Masks.kept() of the AFCC arm as n_kept"
        )
    masks = Masks(context.layers, kept)
    _check_something_pruned(criterion, context, scores, masks)
    natural = {name: float(mask.mean()) for name, mask in cut.items()} if criterion in THRESHOLDED else {}
    return PrunedArm(
        criterion, scores, masks, report_of(masks, context.strengths, context.threshold, natural)
    )


def _check_something_pruned(
    criterion: str, context: Context, scores: Mapping[str, np.ndarray], masks: Masks
) -> None:
    n_kernels = sum(layer.n_kernels for layer in context.layers)
    if sum(masks.kept().values()) < n_kernels:
        return
    what = f"masks by {criterion} at threshold {context.threshold:g}"
    found = f"all {n_kernels} kernels of {len(masks)} layers kept: nothing was pruned"
    if criterion in THRESHOLDED:
        lowest = min(float(score.min()) for score in scores.values())
        do = f"raise prune.threshold to {lowest:.3g} or above (the smallest score), or mask other stages"
    else:
        do = "ask for fewer kernels than the layers have"
    raise InputError(what, "at least one kernel removed", found, do)
