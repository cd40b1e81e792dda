"""Decision rules: what is tested of one number per seed, and the effect that it can find."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.statistical_power import detectable_effect
from deeptheory.judge.statistics import PairedTest, equivalence, non_inferiority, superiority

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule(ABC):
    """A test of the mean over seeds, fixed before the data are seen."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The rule in words."""

    @property
    def one_sided(self) -> bool:
        """Whether the test puts all of its error on one side."""
        return True

    @property
    @abstractmethod
    def null(self) -> float:
        """The mean at which the claim is false and hardest to tell from true."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """Means between which, or above which, the claim is true."""
        return (self.null,)

    def under(self, options: JudgeOptions) -> Self:
        """The rule with the margin that the options give."""
        return self

    @abstractmethod
    def test(self, values: Floats, level: float, sampling_error: float) -> PairedTest:
        """Test one number per seed, (S,); `sampling_error` as in `paired_interval`."""

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

    @property
    def text(self) -> str:
        """The rule in words."""
        return (
            "supported if the mean over seeds is above 0, two-sided paired t test (p is 1 where it is below)"
        )

    @property
    def one_sided(self) -> bool:
        """Half of the error is kept for the other side."""
        return False

    @property
    def null(self) -> float:
        """Zero."""
        return 0.0

    def distance(self, mean: float) -> float:
        """The mean."""
        return mean

    def test(self, values: Floats, level: float, sampling_error: float) -> PairedTest:
        """As `superiority`."""
        return superiority(values, level, sampling_error)

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The smallest such mean."""
        return detectable_effect(scatter, n_seeds, level, one_sided=False, wanted=power)


@dataclass(frozen=True)
class _WithMargin(Rule):
    """A rule with a margin.

    Parameters
    ----------
    margin : float
    option : str
        The option of the judge that sets the margin; empty if none does.
    """

    margin: float
    option: str = ""

    def under(self, options: JudgeOptions) -> Self:
        """The rule with the margin of its option, times what the fixed rule allows of the default."""
        if not self.option:
            return self
        factor = getattr(options, self.option) / getattr(JudgeOptions(), self.option)
        return replace(self, margin=factor * self.margin)


@dataclass(frozen=True)
class NoLoss(_WithMargin):
    """The mean is above -margin."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"supported if the mean over seeds is above -{self.margin:g}, one-sided paired t test"

    @property
    def null(self) -> float:
        """Minus the margin."""
        return -self.margin

    def test(self, values: Floats, level: float, sampling_error: float) -> PairedTest:
        """As `non_inferiority`."""
        return non_inferiority(values, self.margin, level, sampling_error)

    def distance(self, mean: float) -> float:
        """From minus the margin."""
        return mean + self.margin

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The smallest such mean."""
        return detectable_effect(scatter, n_seeds, level, one_sided=True, wanted=power) - self.margin


@dataclass(frozen=True)
class Within(_WithMargin):
    """The mean lies between -margin and margin."""

    @property
    def text(self) -> str:
        """The rule in words."""
        return f"supported if the mean over seeds lies within +-{self.margin:g}, two one-sided paired t tests"

    @property
    def null(self) -> float:
        """The margin."""
        return self.margin

    @property
    def bounds(self) -> tuple[float, ...]:
        """Both margins."""
        return -self.margin, self.margin

    def test(self, values: Floats, level: float, sampling_error: float) -> PairedTest:
        """As `equivalence`."""
        return equivalence(values, self.margin, level, sampling_error)

    def distance(self, mean: float) -> float:
        """From the nearer margin."""
        return self.margin - abs(mean)

    def found(self, scatter: float, n_seeds: int, level: float, power: float) -> float:
        """The largest such mean: each of the two tests may fail in half of the cases allowed."""
        one = detectable_effect(scatter, n_seeds, level, one_sided=True, wanted=(1 + power) / 2)
        return self.margin - one if one <= self.margin else float("nan")
