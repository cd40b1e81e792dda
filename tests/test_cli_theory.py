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
}


@pytest.mark.parametrize("name", sorted(FORMULAS.keys() - {"noise-edges"}))
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


def test_the_list_has_every_formula_with_equation_source_and_status(deeptheory):
    text = deeptheory("theory", "list").out
    listed = json.loads(deeptheory("theory", "list", "--json").out)["formulas"]
    assert [formula["name"] for formula in listed] == list(FORMULAS)
    for formula in listed:
        assert all(
            formula[what] and formula[what] in text for what in ("name", "equation", "source", "status")
        )
    assert listed[5]["parameters"] == {"kept": None, "margin": 0.0}
    assert "\nannealed-capacity kept margin=0\n" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_the_catalogue_holds_functions_of_the_package(name):
    function = getattr(theory, name.replace("-", "_"))
    assert FORMULAS[name].function is function


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("anealed-capacity", "kept=1"), "found 'anealed-capacity'; did you mean 'annealed-capacity'?"),
        (("list", "kept=1"), "formula: expected one of annealed-capacity, "),
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
        (("detection-accuracy", "distance=1", "n_labels=1"), "n_labels: expected at least 2, found 1"),
        (
            ("random-dilution", "n_labels=10.5", "served_in=1", "served_out=1"),
            "n_labels: expected a whole number, found '10.5'",
        ),
        (
            ("random-dilution", "n_labels=10", "served_in=11", "served_out=1"),
            "served_in: expected whole numbers within 0..10 (n_labels), found 11",
        ),
        (("separable-share", "n_patterns=1" + 400 * "0", "n_couplings=1"), "separable-share: expected numbers"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_range(deeptheory, assert_refused, arguments, words):
    assert_refused(deeptheory("theory", *arguments), words)
