"""Every exact formula against Monte Carlo: differences in standard errors, and how sharp the test is.

python simulations/formulas_against_monte_carlo.py

At each point of a formula, independent values are drawn whose mean the formula gives under its assumptions.
Wanted is a standard error of at most 1 % of the value and a difference of at most 3 standard errors. Of some 60
points the largest is expected at 2.5; one above 3 comes by chance once in six tables. Formulas that are exact
because they count or solve (head_dilution, margin_certificate, refitted_weights, removal_costs) are tested to
rounding instead.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.integrate import quad
from scipy.special import erf

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import theory
from deeptheory.tables import text_table
from deeptheory.theory.simulations.magnitude import prune_by_magnitude

N_DRAWS = 400_000


@dataclass(frozen=True)
class Case:
    """One formula at one point: its value, and a function that draws values of that mean."""

    formula: str
    point: str
    expected: float
    draw: Callable[[np.random.Generator], np.ndarray]

    def compare(self, seed: int) -> tuple[float, float]:
        """Difference of the mean in standard errors, and the standard error relative to the expected value."""
        name = [ord(letter) for letter in f"{self.formula} {self.point}"]
        values = self.draw(np.random.default_rng(np.random.SeedSequence([seed, *name])))
        error = float(values.std(ddof=1) / len(values) ** 0.5)
        return (float(values.mean()) - self.expected) / error, error / abs(self.expected)


def label_sets(rng: np.random.Generator, n_draws: int, n_labels: int, sizes: list[int]) -> np.ndarray:
    """Random label sets of the given sizes, bool (n_draws, len(sizes), n_labels)."""
    rank = rng.random((n_draws, len(sizes), n_labels)).argsort(axis=2).argsort(axis=2)
    return rank < np.array(sizes)[:, None]


def dilution_cases() -> Iterator[Case]:
    def diluted(n_draws: int, n_labels: int, before: list[int], after: list[int]) -> Callable:
        def draw(rng: np.random.Generator) -> np.ndarray:
            sets = label_sets(rng, n_draws, n_labels, before + after).astype(np.float32)
            shared = sets[:, : len(before)] @ sets[:, len(before) :].transpose(0, 2, 1)
            return np.mean(shared == 0, axis=(1, 2))

        return draw

    for n_labels, first, second in ((10, 3, 3), (20, 2, 6), (100, 10, 4)):
        expected = float(theory.random_dilution(n_labels, first, second))
        draw = diluted(40_000, n_labels, [first], [second])
        yield Case("random_dilution", f"K={n_labels}, {first}, {second}", expected, draw)
    for n_labels, before, after in (
        (12, [0, 1, 2, 2, 5], [1, 3, 3, 4]),
        (10, [3, 3, 4], [3, 5]),
        (40, [1, 8, 15], [2, 4, 9, 20]),
    ):
        expected = theory.expected_dilution(n_labels, before, after)
        yield Case("expected_dilution", f"K={n_labels}", expected, diluted(40_000, n_labels, before, after))


def magnitude_cases() -> Iterator[Case]:
    for kept in (0.05, 0.1, 0.3, 0.5):

        def overlaps(rng: np.random.Generator, kept: float = kept) -> np.ndarray:
            return prune_by_magnitude(kept, 20_000, 60, 1, rng).squared_overlap

        yield Case("magnitude_overlap", f"f={kept:g}", float(theory.magnitude_overlap(kept)), overlaps)
    for squared in (0.1, 0.44, 0.93):

        def signs(rng: np.random.Generator, squared: float = squared) -> np.ndarray:
            first, other = rng.standard_normal((2, N_DRAWS))
            return np.signbit(first) != np.signbit(squared**0.5 * first + (1 - squared) ** 0.5 * other)

        yield Case("sign_disagreement", f"R^2={squared:g}", float(theory.sign_disagreement(squared)), signs)


def perceptron_cases() -> Iterator[Case]:
    def constraint(margin: float, kept: float) -> Callable:
        def draw(rng: np.random.Generator) -> np.ndarray:
            return np.maximum(rng.standard_normal(N_DRAWS) + margin, 0) ** 2 / kept

        return draw

    for margin in (0.0, 0.5, 2.0):
        expected = 1 / float(theory.capacity(margin))
        yield Case("capacity (its inverse)", f"margin={margin:g}", expected, constraint(margin, 1.0))
    for kept, margin in ((0.1, 0.0), (0.5, 0.5), (0.8, 2.0)):
        expected = 1 / float(theory.quenched_capacity(kept, margin))
        point = f"f={kept:g}, margin={margin:g}"
        yield Case("quenched_capacity (its inverse)", point, expected, constraint(margin, kept))
    for n_couplings, n_patterns in ((2, 4), (3, 5), (3, 7)):

        def stored(rng: np.random.Generator, N: int = n_couplings, P: int = n_patterns) -> np.ndarray:
            return can_be_stored(rng.standard_normal((60_000, P, N)))

        expected = float(theory.separable_share(n_patterns, n_couplings))
        yield Case("separable_share", f"N={n_couplings}, P={n_patterns}", expected, stored)


def can_be_stored(patterns: np.ndarray) -> np.ndarray:
    """Whether couplings exist for each set of patterns (n, P, N), N = 2 or 3.

    If so, the cone of couplings has an edge, which is orthogonal to N - 1 of the patterns.
    """
    n, P, N = patterns.shape
    found = np.zeros(n, bool)
    for chosen in combinations(range(P), N - 1):
        rows = patterns[:, chosen]
        turned = np.stack([-rows[:, 0, 1], rows[:, 0, 0]], axis=1)
        edge = turned if N == 2 else np.cross(rows[:, 0], rows[:, 1])
        stabilities = np.einsum("npd,nd->np", np.delete(patterns, chosen, axis=1), edge)
        found |= np.all(stabilities > 0, axis=1) | np.all(stabilities < 0, axis=1)
    return found


def detection_cases() -> Iterator[Case]:
    for distance, n_labels in ((1.0, 2), (2.0, 10), (3.0, 50), (-0.5, 3)):

        def fields(rng: np.random.Generator, d: float = distance, K: int = n_labels) -> np.ndarray:
            return rng.standard_normal((100_000, K - 1)) > d + rng.standard_normal((100_000, 1))

        point = f"d'={distance:g}, K={n_labels}"
        expected = float(theory.detection_accuracy(distance, n_labels))
        yield Case("detection_accuracy", point, expected, lambda rng, f=fields: ~f(rng).any(axis=1))
        # The bound is the mean number of rivals above the true field.
        expected = float(theory.detection_error_linear(distance, n_labels))
        yield Case("detection_error_linear", point, expected, lambda rng, f=fields: f(rng).sum(axis=1))


def g(x: np.ndarray) -> np.ndarray:
    return erf(x / np.sqrt(2))


def slope(x: np.ndarray) -> np.ndarray:
    return np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)


def draw_fields(rng: np.random.Generator, covariance: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky(covariance) @ rng.standard_normal((len(covariance), 1_000_000))


def correlated(seed: int, n_fields: int) -> np.ndarray:
    """A covariance whose fields all share one positive direction, so that no average is near 0."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.2, 1.0, (n_fields, 1)) + 0.4 * rng.standard_normal((n_fields, n_fields))
    return own @ own.T / n_fields + 0.3 * np.eye(n_fields)


def committee_of(seed: int, K: int, M: int) -> theory.OrderParameters:
    """Order parameters of units that overlap; teachers are the larger, so that no rate is near 0."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((K + M, 8)) * rng.uniform(0.1, 0.2, (K + M, 1)) + 0.1
    weights[K:] *= 2
    return theory.overlaps(weights[:K], weights[K:])


def committee_cases() -> Iterator[Case]:
    averages = (
        ("I2", theory.I2, lambda u, v: g(u) * g(v)),
        ("I3", theory.I3, lambda u, v, w: slope(u) * v * g(w)),
        ("I4", theory.I4, lambda u, v, w, z: slope(u) * slope(v) * g(w) * g(z)),
    )
    for n_fields, (name, average, integrand) in enumerate(averages, 2):
        for seed in (1, 2, 3):
            covariance = correlated(seed, n_fields)

            def values(rng: np.random.Generator, c: np.ndarray = covariance, of: Callable = integrand):
                return of(*draw_fields(rng, c))

            yield Case(name, f"covariance {seed}", float(average(covariance)), values)
    for seed, K, M in ((1, 3, 2), (2, 2, 2), (3, 4, 1)):
        parameters, eta = committee_of(seed, K, M), 0.7
        point = f"K={K}, M={M}"

        def halved(rng: np.random.Generator, p: theory.OrderParameters = parameters, first: int = 0):
            fields = g(draw_fields(rng, p.covariance))
            return 0.5 * (fields[p.n_students :].sum(axis=0) - fields[first : p.n_students].sum(axis=0)) ** 2

        yield Case("generalisation_error", point, theory.generalisation_error(parameters), halved)
        expected = theory.generalisation_error(theory.delete_units(parameters, [0]))
        yield Case("delete_units", f"{point}, unit 1", expected, lambda rng, f=halved: f(rng, first=1))

        def changes(rng: np.random.Generator, p: theory.OrderParameters = parameters, eta: float = eta):
            fields, K = draw_fields(rng, p.covariance), p.n_students
            steps = eta * slope(fields[0]) * (g(fields[K:]).sum(axis=0) - g(fields[:K]).sum(axis=0))
            return steps * (2 * fields[0] + steps), steps * fields[K]

        dQ, dR = theory.order_parameter_rates(parameters, eta)
        name = "order_parameter_rates"
        yield Case(name, f"{point}, dQ_11", float(dQ[0, 0]), lambda rng, f=changes: f(rng)[0])
        yield Case(name, f"{point}, dR_11", float(dR[0, 0]), lambda rng, f=changes: f(rng)[1])


def spectrum_cases() -> Iterator[Case]:
    def eigenvalues(rng: np.random.Generator, shape: tuple[int, int], n: int) -> np.ndarray:
        noise = np.sqrt(0.3) * rng.standard_normal((n, *shape))
        return np.linalg.svd(noise, compute_uv=False) ** 2 / shape[0]

    for shape in ((400, 100), (300, 300), (150, 600)):
        lower, upper = theory.noise_edges(*shape, variance=0.3)
        roots = np.sqrt(shape)
        scale = upper / roots.sum() * np.sum(1 / roots) ** (1 / 3)  # Johnstone (2001)

        def largest(rng: np.random.Generator, shape: tuple[int, int] = shape) -> np.ndarray:
            return eigenvalues(rng, shape, 10).max(axis=1)

        point = f"{shape[0]} x {shape[1]}"
        yield Case("noise_edges (with Tracy-Widom)", point, float(upper - 1.2065 * scale), largest)
        middle = (lower + upper) / 2

        def below(rng: np.random.Generator, shape: tuple[int, int] = shape, middle: float = middle):
            return np.sum(eigenvalues(rng, shape, 10) < middle, axis=1) / shape[1]

        expected = quad(theory.noise_density, lower, middle, args=(*shape, 0.3), limit=200)[0]
        yield Case("noise_density (integrated)", f"{point}, lower half", expected, below)


def gaussian_cases() -> Iterator[Case]:
    for dimension in (3, 6, 12):
        rng = np.random.default_rng(dimension)
        factor = rng.standard_normal((dimension, 2 * dimension)) / np.sqrt(2 * dimension)
        mean = 1 + 0.5 * rng.standard_normal(dimension)

        def positive(rng: np.random.Generator, mean: np.ndarray = mean, factor: np.ndarray = factor):
            return np.all(mean + rng.standard_normal((100_000, factor.shape[1])) @ factor.T > 0, axis=1)

        covariance = (factor @ factor.T)[None]
        value, _ = theory.orthant_probability(mean[None], covariance, rng, 1024)
        yield Case("orthant_probability", f"dimension {dimension}", float(value[0]), positive)
    for seed, kept in ((1, 4), (2, 9), (3, 14)):
        rng = np.random.default_rng(seed)
        factor, weights = rng.standard_normal((18, 18)) / 4, rng.standard_normal(18)
        covariance = factor @ factor.T + 0.05 * np.eye(18)
        mask = (np.arange(18) < kept)[None]
        change = weights - theory.refitted_weights(covariance, weights[None], mask)[0]

        def squares(rng: np.random.Generator, change: np.ndarray = change, c: np.ndarray = covariance):
            return (rng.standard_normal((50_000, 18)) @ np.linalg.cholesky(c).T @ change) ** 2

        expected = float(theory.residual_variance(covariance, weights[None], mask)[0])
        yield Case("residual_variance", f"{kept} of 18 kept", expected, squares)


def all_cases() -> list[Case]:
    """Every formula, at three points at least."""
    parts = (
        dilution_cases,
        magnitude_cases,
        perceptron_cases,
        detection_cases,
        committee_cases,
        spectrum_cases,
        gaussian_cases,
    )
    return [case for part in parts for case in part()]


def report(cases: list[Case], seed: int) -> str:
    """One line per formula."""
    compared: dict[str, list[tuple[float, float]]] = {}
    for case in cases:
        compared.setdefault(case.formula, []).append(case.compare(seed))
    rows = []
    for formula, points in compared.items():
        differences, errors = np.array(points).T
        numbers = (f"{np.abs(differences).max():.2f}", f"{100 * errors.max():.2f}")
        rows.append([formula, str(len(points)), *numbers, f"{100 * np.abs(differences * errors).max():.2f}"])
    heads = ["formula", "points", "largest |difference| / s.e.", "largest s.e. %", "largest |difference| %"]
    squares = [difference**2 for points in compared.values() for difference, _ in points]
    last = f"{len(squares)} points, root mean square difference {np.mean(squares) ** 0.5:.2f} s.e."
    return "\n".join([*text_table(heads, rows), last])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    print(report(all_cases(), parser.parse_args().seed))


if __name__ == "__main__":
    main()
