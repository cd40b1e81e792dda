"""Decision rules: what is tested of one number per seed, and the effect that it can find."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from deeptheory.judge.statistical_power import detectable_effect
from deeptheory.judge.statistics import PairedTest, equivalence, non_inferiority, superiority


class Rule(ABC):
    """A test of the mean over seeds, fixed before the data are seen."""

    text: str
    """The rule in words."""

    one_sided = True
    """Whether the test puts all of its error on one side."""

    null: float
    """The mean at which the claim is false and hardest to tell from true."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """Means between which, or above which, the claim is true."""
        return (self.null,)

    @abstractmethod
    def test(self, values: np.ndarray, level: float) -> PairedTest:
        """Test one number per seed, (S,)."""

    @abstractmethod
    def distance(self, mean: float) -> float:
        """How far a mean is on the side where the claim is true; negative on the other."""

    @abstractmethod
    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The true mean nearest to `null` at which the claim is supported with this power.

        For numbers that scatter normally by `scatter` over the seeds. NaN where no mean is found so often.
        """


@dataclass(frozen=True)
class Positive(Rule):
    """The mean is above 0."""

    text = "supported if the mean over seeds is above 0, two-sided paired t test"
    null = 0.0
    one_sided = False

    def distance(self, mean: float) -> float:
        """The mean."""
        return mean

    def test(self, values: np.ndarray, level: float) -> PairedTest:
        """As `superiority`."""
        return superiority(values, level)

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The smallest such mean."""
        return detectable_effect(scatter, n_seeds, level, one_sided=False, wanted=power)


@dataclass(frozen=True)
class NoLoss(Rule):
    """The mean is above -margin."""

    margin: float

    @property
    def text(self) -> str:  # type: ignore[override]
        """The rule in words."""
        return f"supported if the mean over seeds is above -{self.margin:g}, one-sided paired t test"

    @property
    def null(self) -> float:  # type: ignore[override]
        """Minus the margin."""
        return -self.margin

    def test(self, values: np.ndarray, level: float) -> PairedTest:
        """As `non_inferiority`."""
        return non_inferiority(values, self.margin, level)

    def distance(self, mean: float) -> float:
        """From minus the margin."""
        return mean + self.margin

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The smallest such mean."""
        return detectable_effect(scatter, n_seeds, level, one_sided=True, wanted=power) - self.margin


@dataclass(frozen=True)
class Within(Rule):
    """The mean lies between -margin and margin."""

    margin: float

    @property
    def text(self) -> str:  # type: ignore[override]
        """The rule in words."""
        return f"supported if the mean over seeds lies within +-{self.margin:g}, two one-sided paired t tests"

    @property
    def null(self) -> float:  # type: ignore[override]
        """The margin."""
        return self.margin

    @property
    def bounds(self) -> tuple[float, ...]:
        """Both margins."""
        return -self.margin, self.margin

    def test(self, values: np.ndarray, level: float) -> PairedTest:
        """As `equivalence`."""
        return equivalence(values, self.margin, level)

    def distance(self, mean: float) -> float:
        """From the nearer margin."""
        return self.margin - abs(mean)

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The largest such mean: each of the two tests may fail in half of the cases allowed."""
        one = detectable_effect(scatter, n_seeds, level, one_sided=True, wanted=(1 + power) / 2)
        return self.margin - one if one <= self.margin else np.nan
