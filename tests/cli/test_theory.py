"""Formulas from the shell: the catalogue, the values, and what is refused."""

import json

import pytest

from deeptheory import theory
from deeptheory.theory.catalogue import FORMULAS

EXAMPLES = {
    "random-dilution": ("n_labels=100 served_in=3 served_out=3", 0.912),
    "magnitude-overlap": ("kept=0.5", 0.929),
    "sign-disagreement": ("squared_overlap=0.5", 0.25),
    "capacity": ("", 2.0),
    "quenched-capacity": ("kept=0.5", 1.0),
    "annealed-capacity": ("kept=0.5 margin=0", 1.857),
    "separable-share": ("n_patterns=40 n_couplings=20", 0.5),
    "detection-accuracy": ("distance=0 n_labels=100", 0.01),
    "detection-error-linear": ("distance=0 n_labels=3", 1.0),
    "noise-density": ("eigenvalue=1 n_rows=10 n_columns=10", 0.276),
    "expected-dilution": ("n_labels=4 sizes_in=0,2 sizes_out=2,4", 13 / 24),
    "head-dilution": ("n_labels=10 sizes=1,2,3", 0.8),
    "margin-certificate": ("margins=0.5,2,-1,4 delta=0.25", 0.5),
    "relative-noise": ("residual=1 variance=4", 0.25),
    "surviving-loss": ("refit_loss=0.45 accuracy=0.9 factor=0.5 exponent=1", 0.9 * (1 - 0.5**0.5)),
    "I2": ("covariance=1,0.3,0.3,1", 0.0959),
    "I3": ("covariance=1,0.3,0.2,0.3,1,0.1,0.2,0.1,1", 0.0224),
    "I4": ("covariance=1,0,0,0,0,1,0,0,0,0,1,0.5,0,0,0.5,1", 0.0512),
    "generalisation-error": ("Q=1,0,0,1 R=1,0,0,0 T=1,0,0,1", 1 / 3),
}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_formula_has_a_value_from_the_shell(deeptheory, name):
    values, expected = EXAMPLES[name]
    result = deeptheory("theory", name, *values.split(), "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["values"][0]["result"] == pytest.approx(expected, abs=5e-4)


def test_a_formula_of_several_numbers_names_them(deeptheory):
    result = deeptheory("theory", "noise-edges", "n_rows=100", "n_columns=25")
    assert result.code == 0
    lines = result.out.splitlines()
    assert (
        lines[0]
        == "noise-edges: sigma^2 (1 +- sqrt(M/N))^2; exact, N, M to infinity; Marchenko and Pastur (1967)"
    )
    assert lines[1].split() == ["n_rows", "n_columns", "lower", "upper"]
    assert lines[3].split() == ["100", "25", "0.25", "2.25"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("orthant-probability", "mean=0,0 covariance=1,0.5,0.5,1", {"probability": 1 / 3}),
        (
            "noise-bulk",
            "singular_values=5,4,3,0,0,0,0 n_rows=7 n_columns=9",
            {"variance": 0, "edge": 0, "signal_rank": 3, "prunable_rank": 4},
        ),
        ("noise-edges", "n_rows=100 n_columns=25", {"lower": 0.25, "upper": 2.25}),
    ],
)
def test_formulas_of_several_numbers_have_their_values(deeptheory, name, values, expected):
    found = json.loads(deeptheory("theory", name, *values.split(), "--json").out)["values"][0]
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-4)


def test_a_list_or_a_matrix_is_one_value(deeptheory):
    lines = deeptheory("theory", "margin-certificate", "margins=0.5,2,-1,4", "delta=0,1.5").out.splitlines()
    assert [line.split() for line in lines[3:]] == [
        ["0.5,2,-1,4", "0", "0.75"],
        ["0.5,2,-1,4", "1.5", "0.25"],
    ]
    found = json.loads(deeptheory("theory", "I2", "covariance=1,0.3,0.3,1", "--json").out)["values"]
    assert found == [{"covariance": [1, 0.3, 0.3, 1], "result": pytest.approx(0.0958547, abs=1e-7)}]


def test_every_formula_has_an_example():
    assert EXAMPLES.keys() | {"orthant-probability", "noise-bulk", "noise-edges"} == FORMULAS.keys()


def test_lists_give_every_combination(deeptheory):
    result = deeptheory("theory", "detection-accuracy", "distance=1,2.5", "n_labels=2,10", "--json")
    values = json.loads(result.out)["values"]
    assert [(point["distance"], point["n_labels"]) for point in values] == [
        (1, 2),
        (1, 10),
        (2.5, 2),
        (2.5, 10),
    ]
    assert values[3]["result"] == pytest.approx(float(theory.detection_accuracy(2.5, 10)))


def test_the_list_has_every_formula_with_equation_source_status_and_symbols(deeptheory):
    text = deeptheory("theory", "list").out
    listed = json.loads(deeptheory("theory", "list", "--json").out)["formulas"]
    assert [formula["name"] for formula in listed] == list(FORMULAS)
    for formula in listed:
        assert all(
            formula[what] and formula[what] in text for what in ("name", "equation", "source", "status")
        )
        assert formula["symbols"], "every symbol of the equation is explained"
        assert formula["symbols"][0].split()[0] in text
    assert listed[5]["parameters"] == {"kept": None, "margin": 0.0}
    assert "\nannealed-capacity kept margin=0\n" in text
    assert "\northant-probability mean=a,b,... covariance=row,row,... seed=0\n" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", sorted(FORMULAS.keys() - {"orthant-probability", "generalisation-error"}))
def test_the_catalogue_holds_functions_of_the_package(name):
    function = getattr(theory, name.replace("-", "_"))
    assert FORMULAS[name].function is function


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("anealed-capacity", "kept=1"), "found 'anealed-capacity'; did you mean 'annealed-capacity'?"),
        (("list", "kept=1"), "formula: expected one of I2, I3, I4, annealed-capacity, "),
        (
            ("annealed-capacity", "kpt=1"),
            "parameter of annealed-capacity: expected one of kept, margin, found 'kpt'; did you mean 'kept'?",
        ),
        (("annealed-capacity",), "parameter kept of annealed-capacity: expected a number, found none; add kept="),
        (("annealed-capacity", "0.5"), "'0.5': expected parameter=number, found no '='; parameters: kept"),
        (("annealed-capacity", "kept=a"), "kept: expected a number, found 'a'"),
        (("annealed-capacity", "kept=0.1,"), "kept: expected a number, found ''"),
        (("annealed-capacity", "kept=nan"), "kept: expected a number, found 'nan'"),
        (("annealed-capacity", "kept=1", "kept=1"), "kept: expected one value, or several with commas, found it"),
        (
            ("annealed-capacity", "kept=0.5,1.2"),
            "kept (density): expected within (0, 1], found 1.2; parameters of annealed-capacity: kept margin=0",
        ),
        (("capacity", "margin=-1"), "margin: expected within [0, inf), found -1.0"),
        (
            ("detection-accuracy", "distance=1", "n_labels=1"),
            "n_labels: expected whole numbers of at least 2, found 1; parameters of detection-accuracy: ",
        ),
        (
            ("random-dilution", "n_labels=10.5", "served_in=1", "served_out=1"),
            "n_labels: expected a whole number, found '10.5'",
        ),
        (
            ("random-dilution", "n_labels=10", "served_in=11", "served_out=1"),
            "served_in: expected whole numbers within 0..10 (n_labels), found 11",
        ),
        (
            ("I2", "covariance=1,2,2,1"),
            "covariance: expected positive semi-definite (eigenvalues within [0, inf)), found the eigenvalue -1; "
            "parameters of I2: covariance=row,row,...",
        ),
        (("I2", "covariance=1,0.3,0.2,1"), "covariance: expected symmetric, found elements that differ by 0.1"),
        (("I3", "covariance=1,0,0,1"), "covariance: expected (..., 3, 3), found (2, 2)"),
        (
            ("I4", "covariance=1,0,0"),
            "covariance: expected a square matrix row by row (1, 4, 9, 16, ... numbers), found 3 numbers",
        ),
        (("I4", "covariance=1,a"), "covariance: expected a number, found 'a'"),
        (
            ("orthant-probability", "mean=0,0", "covariance=1,2,2,1"),
            "covariance 0: expected positive semi-definite (eigenvalues within [0, inf)), found -1",
        ),
        (
            ("orthant-probability", "mean=0,0", "covariance=1"),
            "covariance: expected (2, 2), as there are 2 means, found (1, 1)",
        ),
        (("orthant-probability", "mean=0", "covariance=1", "seed=-1"), "seed: expected at least 0, found -1"),
        (
            ("generalisation-error", "Q=1", "R=0,0", "T=1"),
            "R: expected 1 numbers, (1, 1) row by row, found 2",
        ),
        (("margin-certificate", "margins=1,2", "delta=-1"), "delta: expected within [0, inf), found -1"),
        (("relative-noise", "residual=-1", "variance=1"), "residual: expected within [0, inf), found -1"),
        (
            ("head-dilution", "n_labels=1", "sizes=1"),
            "n_labels: expected at least 2, found 1; parameters of head-dilution: n_labels sizes=a,b,...",
        ),
        (("separable-share", "n_patterns=1" + 400 * "0", "n_couplings=1"), "separable-share: expected numbers"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_range(deeptheory, assert_refused, arguments, words):
    assert_refused(deeptheory("theory", *arguments), words)
