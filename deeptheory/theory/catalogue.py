"""The formulas of numbers by name, with equation, source and status: what `deeptheory theory` evaluates."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.theory import detection, dilution, magnitude, perceptron, spectrum


@dataclass(frozen=True)
class Formula:
    """One formula of numbers.

    Attributes
    ----------
    function : callable
        Takes numbers by name; returns a number, or a named tuple of numbers. It checks their range.
    equation : str
        In plain text, in the names of the parameters where that is clear.
    source, status : str
        As in the function's docstring, which also says what the number does not mean.
    """

    function: Callable[..., Any]
    equation: str
    source: str
    status: str

    @property
    def name(self) -> str:
        """Name of the function, with hyphens: `magnitude-overlap`."""
        return self.function.__name__.replace("_", "-")

    @property
    def parameters(self) -> dict[str, float | None]:
        """Name and default of each parameter; None where there is no default."""
        signature = inspect.signature(self.function).parameters.values()
        return {of.name: None if of.default is of.empty else of.default for of in signature}

    def evaluate(self, **numbers: float) -> dict[str, float]:
        """The result by name: `result`, or the names of a named tuple.

        Raises
        ------
        ValueError
            As the function raises it.
        """
        result = self.function(**numbers)
        fields = getattr(result, "_fields", ("result",))
        return dict(zip(fields, map(float, np.ravel(result)), strict=True))


_GARDNER = "Gardner (1988); Cover (1965) at margin 0"
_BOUTEN = "Bouten, Engel, Komoda, Serneels (1990)"
_NOISE = "Marchenko and Pastur (1967)"
_GAUSSIAN = "exact, Gaussian weights, N to infinity"
_RANDOM = "exact, independent uniform label sets"
_BOUND = "model (replica symmetric), an upper bound"
_EQUAL = "exact, independent equal Gaussian fields"

FORMULAS = {
    formula.name: formula
    for formula in (
        Formula(dilution.random_dilution, "C(K-s1, s2) / C(K, s2)", "deeptheory", _RANDOM),
        Formula(
            magnitude.magnitude_overlap, "R^2 = f + 2 B phi(B), f = 2 (1 - Phi(B))", "deeptheory", _GAUSSIAN
        ),
        Formula(magnitude.sign_disagreement, "arccos(R) / pi", "Sheppard (1899)", "exact, Gaussian fields"),
        Formula(perceptron.capacity, "1 / int_{-k}^inf Dt (t + k)^2", _GARDNER, "exact, N to infinity"),
        Formula(perceptron.quenched_capacity, "f alpha_c(k)", _BOUTEN, "exact, N to infinity"),
        Formula(perceptron.annealed_capacity, "[f + 2 B phi(B)] alpha_c(k)", _BOUTEN, _BOUND),
        Formula(perceptron.separable_share, "2^(1-P) sum_{k<N} C(P-1, k)", "Cover (1965)", "exact, every N"),
        Formula(detection.detection_accuracy, "int Dz Phi(z + d')^(K-1)", "Green and Swets (1966)", _EQUAL),
        Formula(
            detection.detection_error_linear, "(K-1) Phi(-d' / sqrt 2)", "deeptheory", "exact as a bound"
        ),
        Formula(spectrum.noise_edges, "sigma^2 (1 +- sqrt(M/N))^2", _NOISE, "exact, N, M to infinity"),
        Formula(
            spectrum.noise_density,
            "sqrt((l+ - l)(l - l-)) / (2 pi sigma^2 (M/N) l)",
            _NOISE,
            "exact, N, M to infinity",
        ),
    )
}
