"""Formulas that the command `deeptheory theory` evaluates, by name, with equation, source and status."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory import detection, dilution, magnitude, margin, orthant, perceptron, recovery, spectrum
from deeptheory.theory.budget import residual
from deeptheory.theory.committee import averages, order_parameters

OUT_OF_RANGE = re.compile(
    r"(.+?) must be (.+), found (.+)", re.DOTALL
)  # what a `ValueError` of a function says
Array = NDArray[np.float64]
Kind = Literal["number", "whole", "list", "square"]


@dataclass(frozen=True)
class Formula:
    """A formula whose arguments are numbers, lists or matrices.

    Attributes
    ----------
    function : callable
        Takes its arguments by name and checks their range; returns a number or a named tuple of numbers.
    equation : str
        In plain text, with the names of the parameters where that is clear.
    source, status : str
        As in the function's docstring, which also says what the number does not mean.
    arrays : mapping of str to "list" or "square"
        Parameters that take several numbers: a list, or a square matrix row by row.
    symbols : tuple of str
        What each symbol of the equation is, with its parameter where it has one.
    """

    function: Callable[..., Any]
    equation: str
    source: str
    status: str
    arrays: Mapping[str, Kind] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the function, with hyphens: `magnitude-overlap`."""
        return self.function.__name__.replace("_", "-")

    @property
    def parameters(self) -> dict[str, float | None]:
        """Name and default of each parameter; None where there is no default."""
        signature = inspect.signature(self.function).parameters.values()
        return {item.name: None if item.default is item.empty else item.default for item in signature}

    def kind(self, parameter: str) -> Kind:
        """What a parameter takes: a number, a whole number, a list or a square matrix."""
        if parameter in self.arrays:
            return self.arrays[parameter]
        annotation = inspect.signature(self.function).parameters[parameter].annotation
        return "whole" if annotation is int else "number"

    def evaluate(self, **numbers: float | tuple[float, ...]) -> dict[str, float]:
        """The result by name: `result`, or the names of a named tuple.

        Raises
        ------
        ValueError
            As the function raises it, or if the numbers of a square matrix are not a square number.
        """
        squares = {name: _square(name, numbers[name]) for name in numbers if self.kind(name) == "square"}
        result = self.function(**numbers | squares)
        fields = getattr(result, "_fields", ("result",))
        return dict(zip(fields, map(float, np.ravel(result)), strict=True))


class Probability(NamedTuple):
    """A probability and the standard error of its integration."""

    probability: float
    standard_error: float


def orthant_probability(mean: Array, covariance: Array, seed: int = 0) -> Probability:
    """`theory.orthant_probability` of one Gaussian vector."""
    shape = (len(mean), len(mean))
    if np.shape(covariance) != shape:
        raise ValueError(
            f"covariance must be {shape}, as there are {len(mean)} means, found {covariance.shape}"
        )
    if seed < 0:
        raise ValueError(f"seed must be at least 0, found {seed}")
    probability, error = orthant.orthant_probability(
        np.array(mean, np.float64)[None], covariance[None], np.random.default_rng(seed), n_points=1024
    )
    return Probability(float(probability[0]), float(error[0]))


def generalisation_error(Q: Array, R: Array, T: Array) -> float:
    """`theory.generalisation_error` of order parameters; R is given row by row."""
    shape = (len(Q), len(T))
    if np.size(R) != shape[0] * shape[1]:
        raise ValueError(f"R must be {shape[0] * shape[1]} numbers, {shape} row by row, found {np.size(R)}")
    parameters = order_parameters.OrderParameters(Q, np.reshape(R, shape), T)
    return order_parameters.generalisation_error(parameters)


def _square(name: str, numbers: Any) -> Array:
    side = isqrt(len(numbers))
    if side**2 != len(numbers):
        raise ValueError(
            f"{name} must be a square matrix row by row (1, 4, 9, 16, ... numbers), found {len(numbers)} numbers"
        )
    return np.reshape(np.array(numbers, np.float64), (side, side))


_GARDNER = "Gardner (1988); Cover (1965) at margin 0"
_BOUTEN = "Bouten, Engel, Komoda, Serneels (1990)"
_NOISE = "Marchenko and Pastur (1967)"
_SAAD = "Saad and Solla (1995)"
_GAUSSIAN = "exact, Gaussian weights, N to infinity"
_RANDOM = "exact, independent uniform label sets"
_BOUND = "model (replica symmetric), an upper bound"
_EQUAL = "exact, independent equal Gaussian fields"
_FIELDS = "exact, Gaussian fields"
_COVARIANCE: dict[str, Kind] = {"covariance": "square"}

FORMULAS = {
    formula.name: formula
    for formula in (
        Formula(
            dilution.random_dilution,
            "C(K-s1, s2) / C(K, s2)",
            "deeptheory",
            _RANDOM,
            symbols=(
                "K: n_labels",
                "s1, s2: served_in, served_out, labels of the filters before and after",
                "C(n, k): binomial",
            ),
        ),
        Formula(
            magnitude.magnitude_overlap,
            "R^2 = f + 2 B phi(B), f = 2 (1 - Phi(B))",
            "deeptheory",
            _GAUSSIAN,
            symbols=(
                "R: overlap (cosine) of weights before and after pruning",
                "f: kept, the share of largest magnitude",
                "phi, Phi: standard normal density and distribution",
            ),
        ),
        Formula(
            magnitude.sign_disagreement,
            "arccos(R) / pi",
            "Sheppard (1899)",
            "exact, Gaussian fields",
            symbols=("R^2: squared_overlap of the weights",),
        ),
        Formula(
            perceptron.capacity,
            "1 / int_{-k}^inf Dt (t + k)^2",
            _GARDNER,
            "exact, N to infinity",
            symbols=(
                "k: margin",
                "Dt: standard normal measure",
                "result: patterns per coupling",
            ),
        ),
        Formula(
            perceptron.quenched_capacity,
            "f alpha_c(k)",
            _BOUTEN,
            "exact, N to infinity",
            symbols=(
                "f: kept, the share of couplings, chosen before the patterns are known",
                "alpha_c(k): capacity at margin k",
            ),
        ),
        Formula(
            perceptron.annealed_capacity,
            "[f + 2 B phi(B)] alpha_c(k)",
            _BOUTEN,
            _BOUND,
            symbols=(
                "f: kept, the share of couplings, chosen by the best choice",
                "alpha_c(k): capacity at margin k",
                "f = 2 (1 - Phi(B))",
            ),
        ),
        Formula(
            perceptron.separable_share,
            "2^(1-P) sum_{k<N} C(P-1, k)",
            "Cover (1965)",
            "exact, every N",
            symbols=(
                "P: n_patterns",
                "N: n_couplings",
                "C(n, k): binomial",
            ),
        ),
        Formula(
            detection.detection_accuracy,
            "int Dz Phi(z + d')^(K-1)",
            "Green and Swets (1966)",
            _EQUAL,
            symbols=(
                "d': distance of the true field from a rival's, in standard deviations of one field",
                "K: n_labels",
                "Dz: standard normal measure",
            ),
        ),
        Formula(
            detection.detection_error_linear,
            "(K-1) Phi(-d' / sqrt 2)",
            "deeptheory",
            "exact as a bound",
            symbols=(
                "K: n_labels",
                "d': distance, as in detection-accuracy",
            ),
        ),
        Formula(
            spectrum.noise_edges,
            "sigma^2 (1 +- sqrt(M/N))^2",
            _NOISE,
            "exact, N, M to infinity",
            symbols=(
                "M: n_rows",
                "N: n_columns",
                "sigma^2: variance of an element",
                "result: eigenvalues of W^T W / N",
            ),
        ),
        Formula(
            spectrum.noise_density,
            "sqrt((l+ - l)(l - l-)) / (2 pi sigma^2 (M/N) l)",
            _NOISE,
            "exact, N, M to infinity",
            symbols=(
                "l: eigenvalue of W^T W / N",
                "l-, l+: noise-edges",
                "M: n_rows",
                "N: n_columns",
                "sigma^2: variance of an element",
            ),
        ),
        Formula(
            spectrum.noise_bulk,
            "median of s^2 below the edge = that of the noise",
            "deeptheory, after Gavish and Donoho (2014)",
            "model",
            {"singular_values": "list"},
            symbols=("s: singular_values of W, of shape (n_rows, n_columns)",),
        ),
        Formula(
            dilution.expected_dilution,
            "mean over pairs of C(K-s1, s2) / C(K, s2)",
            "deeptheory",
            _RANDOM,
            {"sizes_in": "list", "sizes_out": "list"},
            symbols=(
                "K: n_labels",
                "s1 of sizes_in and s2 of sizes_out, the labels that each filter serves",
                "mean over all pairs",
            ),
        ),
        Formula(
            dilution.head_dilution,
            "1 - sum_f |D_f| / (C K)",
            "deeptheory",
            "exact (a count)",
            {"sizes": "list"},
            symbols=(
                "K: n_labels",
                "|D_f| of sizes, the labels that filter f serves",
                "C: how many filters",
            ),
        ),
        Formula(
            margin.margin_certificate,
            "share of margins > 2 delta",
            "deeptheory",
            "exact, for the given inputs",
            {"margins": "list"},
            symbols=(
                "margins: true output minus largest rival, one per input",
                "delta: largest change of an output by the mask",
            ),
        ),
        Formula(
            residual.relative_noise,
            "e_b / Var z_b",
            "deeptheory",
            "exact, a definition",
            symbols=(
                "e_b: residual, the variance of filter b left unexplained by the inputs kept",
                "z_b: its input, of the given variance",
            ),
        ),
        Formula(
            recovery.surviving_loss,
            "P (1 - C exp(-a (-ln((P - R)/(C P)))^k))",
            "deeptheory",
            "model",
            symbols=(
                "P: accuracy that can be lost",
                "R: refit_loss",
                "a: factor",
                "k: exponent",
                "C: capacity",
                "result: loss after retraining",
            ),
        ),
        Formula(
            orthant_probability,
            "P(x > 0), x ~ N(mean, covariance)",
            "Genz (1992)",
            "unbiased, with its own error",
            {"mean": "list", **_COVARIANCE},
            symbols=(
                "x: Gaussian vector of the given mean and covariance",
                "seed: of the integration points",
            ),
        ),
        Formula(
            averages.I2,
            "(2/pi) asin(C12 / sqrt((1+C11)(1+C22)))",
            _SAAD,
            _FIELDS,
            _COVARIANCE,
            symbols=(
                "g(x) = erf(x / sqrt 2)",
                "C: covariance of the two fields",
            ),
        ),
        Formula(
            averages.I3,
            "<g'(u) v g(w)> = (2/pi) (C23 (1+C11) - C12 C13) / ((1+C11) sqrt(L3))",
            _SAAD,
            _FIELDS,
            _COVARIANCE,
            symbols=(
                "g(x) = erf(x / sqrt 2)",
                "C: covariance of the fields u, v, w, in this order",
                "L3 = (1+C11)(1+C33) - C13^2",
            ),
        ),
        Formula(
            averages.I4,
            "<g'(u) g'(v) g(w) g(z)> = (4/pi^2) asin(L0 / sqrt(L1 L2)) / sqrt(L4)",
            _SAAD,
            _FIELDS,
            _COVARIANCE,
            symbols=(
                "g(x) = erf(x / sqrt 2)",
                "C: covariance of the fields u, v, w, z",
                "L0, L1, L2, L4: docs/theory.md",
            ),
        ),
        Formula(
            generalisation_error,
            "1/2 [sum_ik I2(i,k) + sum_nm I2(n,m) - 2 sum_in I2(i,n)]",
            _SAAD,
            "exact, Gaussian inputs",
            {"Q": "square", "R": "list", "T": "square"},
            symbols=(
                "Q, T: overlaps among the students' and among the teachers' weights",
                "R: of students (rows) with teachers",
            ),
        ),
    )
}
