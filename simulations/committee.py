"""Does theory follow on-line learning of soft committee machines, and name the hidden units that can go?

python simulations/committee.py --out out/committee.json

Students of K units learn from M = 2 orthogonal teacher units: K = 2, 3 (one unit too many) and 4 (two too many).
Curves and the units to remove are predicted and stored first, then every seed is simulated. At each removal every
set of units is removed and the error read at once; the students without the best and the worst set of the
prediction learn on. The start is a little asymmetric: from a symmetric one, fluctuations decide when the plateau
ends. What is in the JSON file already is not computed again. Half a minute to a minute per case and seed.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import theory
from deeptheory.store.json_results import store_results, stored_results
from deeptheory.system import provenance
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table
from deeptheory.theory.simulations.committee import draw_weights, learn

LATE = 10.0  # the first fall of the error is over
CHOICES = {"best": 0, "worst": -1}  # place among the ranked sets


@dataclass(frozen=True)
class Removal:
    """Remove `n_deleted` units at `alpha`, and let the rest learn on for `further` (0: not at all)."""

    alpha: float
    n_deleted: int
    further: float


@dataclass(frozen=True)
class Case:
    """A student with Q = 1/4 on the diagonal and overlaps R with two orthonormal teacher units, until `end`."""

    learning_rate: float
    R: tuple[tuple[float, float], ...]
    end: float
    removals: tuple[Removal, ...] = ()

    @property
    def start(self) -> theory.OrderParameters:
        return theory.OrderParameters(0.25 * np.eye(len(self.R)), self.R, np.eye(2))

    @property
    def alpha(self) -> np.ndarray:
        return times(self.end)


CASES = {
    "K2": Case(0.5, ((0.2, 0.0), (0.0, 0.1)), 100.0),
    "K3": Case(
        0.5,
        ((0.2, 0.0), (0.0, 0.2), (0.05, 0.0)),
        150.0,
        (Removal(30.0, 1, 50.0), Removal(150.0, 1, 40.0)),
    ),
    "K4": Case(
        1.0,
        ((0.2, 0.0), (0.0, 0.2), (0.1, 0.0), (-0.1, 0.0)),
        100.0,
        (Removal(100.0, 1, 0.0), Removal(100.0, 2, 20.0)),
    ),
}


def times(end: float) -> np.ndarray:
    """Times from 0 to `end`, closer together during the fast start."""
    return np.concatenate([np.arange(0.0, min(10.0, end), 0.5), np.arange(10.0, end + 1, 2.5)])


def predict(case: Case) -> dict:
    """The learning curve and, at every removal, all sets of units ranked and two of them learning on."""
    curve = theory.learning_curve(case.start, case.learning_rate, case.alpha)
    removals = []
    for removal in case.removals:
        before = curve.at(int(np.searchsorted(case.alpha, removal.alpha)))
        ranked = theory.ranked_deletions(before, removal.n_deleted)
        further = {}
        if removal.further:
            for choice, place in CHOICES.items():
                rest = theory.delete_units(before, ranked[place].units)
                after = theory.learning_curve(rest, case.learning_rate, times(removal.further))
                further[choice] = after.generalisation_error.tolist()
        after_alpha = (removal.alpha + times(removal.further)).tolist()
        removals.append({"ranked": ranked, "alpha": after_alpha, "further": further})
    return as_lists(curve) | {"alpha": case.alpha.tolist(), "removals": removals}


def simulate(case: Case, predicted: dict, n_inputs: int, rng: np.random.Generator) -> dict:
    """The same of one network; the units to remove are the predicted ones."""
    student, teacher = draw_weights(case.start, n_inputs, rng)
    found: dict[str, list] = {"error": [], "Q": [], "R": [], "removals": []}
    done = -1.0
    for until in sorted({*(removal.alpha for removal in case.removals), case.end}):
        wanted = case.alpha[(case.alpha > done) & (case.alpha <= until)]
        student, curve = learn(student, teacher, case.learning_rate, wanted - max(done, 0.0), rng)
        for key, values in as_lists(curve).items():
            found[key] += values
        for removal, prediction in zip(case.removals, predicted["removals"], strict=True):
            if removal.alpha == until:
                found["removals"].append(remove(case, removal, prediction, student, teacher, rng))
        done = until
    return found


def remove(
    case: Case,
    removal: Removal,
    prediction: dict,
    student: np.ndarray,
    teacher: np.ndarray,
    rng: np.random.Generator,
) -> dict:
    """Errors at once of every set of `prediction`, in its order, and of two students that learn on."""
    rests = [np.delete(student, units, axis=0) for units, _ in prediction["ranked"]]
    further = {}
    for choice in prediction["further"]:
        _, curve = learn(rests[CHOICES[choice]], teacher, case.learning_rate, times(removal.further), rng)
        further[choice] = curve.generalisation_error.tolist()
    at_once = [theory.generalisation_error(theory.overlaps(rest, teacher)) for rest in rests]
    return {"at_once": at_once, "further": further}


def as_lists(curve: theory.LearningCurve) -> dict[str, list]:
    return {"error": curve.generalisation_error.tolist(), "Q": curve.Q.tolist(), "R": curve.R.tolist()}


def plateau(alpha: np.ndarray, error: np.ndarray) -> float:
    """The error where its relative decrease is slowest: the height of the symmetric plateau."""
    slopes = np.where(alpha < LATE, -np.inf, np.gradient(np.log(error), alpha))
    return float(error[np.argmax(slopes)])


def report(results: dict) -> str:
    """Deviations of the simulated mean from theory, in percent of the plateau; errors after each removal."""
    curves, removed = [], []
    for name, case in CASES.items():
        runs, predicted = list(results["simulated"][name].values()), results["predicted"][name]
        if not runs:
            continue
        expected, errors = np.array(predicted["error"]), np.array([run["error"] for run in runs])
        height = plateau(case.alpha, expected)
        from_mean = 100 * np.abs(errors.mean(axis=0) - expected) / height
        from_runs = 100 * np.abs(errors - expected) / height
        late = case.alpha >= LATE
        curves.append(
            [
                name,
                str(len(runs)),
                f"{height:.5f}",
                f"{from_mean.max():.1f} at {case.alpha[from_mean.argmax()]:g}",
                *(f"{part[..., late].max():.2f}" for part in (from_mean, from_runs)),
                f"{100 * (errors.std(axis=0) / height)[late].max():.2f}",
            ]
        )
        for place, removal in enumerate(case.removals):
            rows = removal_rows(
                predicted["removals"][place], [run["removals"][place] for run in runs], height
            )
            removed += [[name, f"{removal.alpha:g}", *row] for row in rows]
    heads = ["case", "seeds", "plateau", "mean %", "mean % from 10", "seed % from 10", "spread % from 10"]
    lines = ["|simulated - theory| in % of the plateau, largest along the curve and from alpha = 10 on"]
    lines += [*text_table(heads, curves), ""]
    heads = [
        "case",
        "alpha",
        "removed",
        "learnt on",
        "predicted",
        "simulated",
        "+-",
        "mean %",
        "largest %",
        "of plateau",
    ]
    lines += [
        "error after removal; +-: standard deviation over seeds; deviations in % of the predicted error"
    ]
    return "\n".join([*lines, *text_table(heads, removed)])


def removal_rows(predicted: dict, simulated: list[dict], height: float) -> list[list[str]]:
    rows = []
    for place, (units, error) in enumerate(predicted["ranked"]):
        rows.append(
            [
                ", ".join(map(str, units)),
                "no",
                *deviation(error, [of["at_once"][place] for of in simulated], height),
            ]
        )
    for choice, errors in predicted["further"].items():
        units = predicted["ranked"][CHOICES[choice]][0]
        found = [of["further"][choice][-1] for of in simulated]
        rows.append([", ".join(map(str, units)), choice, *deviation(errors[-1], found, height)])
    return rows


def deviation(expected: float, found: list[float], height: float) -> list[str]:
    difference = 100 * (np.array(found) - expected)
    largest = difference[np.abs(difference).argmax()]
    numbers = [f"{value:.5f}" for value in (expected, np.mean(found), np.std(found))]
    parts = (difference.mean() / expected, largest / expected, difference.mean() / height)
    return [*numbers, *(f"{part:+.2f}" for part in parts)]


def predictions() -> dict:
    """All cases predicted, none simulated."""
    predicted = {name: predict(case) for name, case in CASES.items()}
    return {"predicted": predicted, "simulated": {name: {} for name in CASES}}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=4000, help="number N of inputs of every unit")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--out", type=Path, required=True, help="JSON file to make or to go on with")
    arguments = parser.parse_args()
    setting = {"inputs": arguments.inputs, "cases": {name: repr(case) for name, case in CASES.items()}}
    results = stored_results(arguments.out, setting, predictions)
    store_results(arguments.out, results)
    for seed in arguments.seeds:
        for index, (name, case) in enumerate(CASES.items()):
            if name not in arguments.cases or str(seed) in results["simulated"][name]:
                continue
            started = time.monotonic()
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
            found = simulate(case, results["predicted"][name], arguments.inputs, rng)
            found["seconds"] = time.monotonic() - started
            results["simulated"][name][str(seed)] = found
            results["machine"] = provenance.provenance()
            store_results(arguments.out, results)
            print(f"seed {seed}  {name}  {found['seconds']:.0f} s", flush=True)
    print(report(results))


if __name__ == "__main__":
    run_script(main)
