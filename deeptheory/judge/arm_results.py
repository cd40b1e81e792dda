"""What the judge judges: the numbers of every arm over the seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.store.paths import AFCC, UNPRUNED

POINTS = 100.0  # percentage points in a share of 1


@dataclass(frozen=True)
class ArmResults:
    """Numbers of every arm, paired by seed: element s of every array belongs to the same seed.

    Parameters
    ----------
    accuracy_before : mapping of str to (n_seeds,) float array
        Arm to test accuracy before retraining (right after the mask), a share within 0 and 1.
    accuracy_after : mapping of str to (n_seeds,) float array
        Arm to test accuracy after retraining; ``unpruned`` is retrained equally long without a mask.
    predicted : mapping of str to (n_seeds,) float array
        Arm to the loss after retraining, against ``unpruned``, as predicted before it, a share; NaN, or no entry,
        where there is none.
    dilution : mapping of str to (n_seeds,) float array
        Masked layer to its dilution under AFCC, a share; every pruned arm has the same.
    null_dilution : mapping of str to (n_seeds,) float array
        Layer to the dilution expected of AFCC without structure, a share. Layers without an entry (the head,
        whose dilution depends on cluster sizes only) have no such null.

    Raises
    ------
    InputError
        An arm is missing, numbers of seeds differ, or a number is NaN or outside 0 to 1.
    """

    accuracy_before: Mapping[str, NDArray[np.float64]]
    accuracy_after: Mapping[str, NDArray[np.float64]]
    predicted: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    dilution: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    null_dilution: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for arm in (AFCC, UNPRUNED):
            if arm not in self.accuracy_after:
                raise InputError("arms", f"'{arm}' among them", ", ".join(self.accuracy_after) or "none")
        if set(self.accuracy_before) != set(self.accuracy_after):
            raise InputError(
                "accuracy before retraining",
                f"the arms {', '.join(self.accuracy_after)}",
                ", ".join(self.accuracy_before) or "none",
            )
        for layer in self.null_dilution:
            if layer not in self.dilution:
                raise InputError(f"dilution of '{layer}'", "one number per seed, as its null has", "none")
        for name in ("accuracy_before", "accuracy_after", "predicted", "dilution", "null_dilution"):
            values = {key: np.asarray(value, dtype=np.float64) for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, values)
            for key, value in values.items():
                self._check(f"{name.replace('_', ' ')} of '{key}'", value, may_miss=name == "predicted")

    @property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return len(self.accuracy_after[AFCC])

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in the order given."""
        return tuple(self.accuracy_after)

    def _check(self, what: str, value: NDArray[np.float64], may_miss: bool) -> None:
        if value.shape != (self.n_seeds,) or not self.n_seeds:
            raise InputError(
                what,
                f"one number per seed ({self.n_seeds}, as 'afcc' has)"
                if self.n_seeds
                else "at least one seed",
                f"shape {value.shape}",
                "judge only seeds that every arm has finished",
            )
        missing = np.isnan(value)
        if missing.any() and not may_miss:
            positions = ", ".join(map(str, np.flatnonzero(missing)))
            raise InputError(
                what, "a number for every seed", f"NaN at position {positions}", "run that seed again"
            )
        known, lowest = value[~missing], -1 if may_miss else 0
        if known.size and (known.min() < lowest or known.max() > 1):
            outside = known[(known < lowest) | (known > 1)][0]
            raise InputError(
                what, f"shares within {lowest} and 1", f"{outside:g}", "divide percentages by 100"
            )
