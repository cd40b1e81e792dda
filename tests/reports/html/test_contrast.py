"""Contrast of the colours of the report, as the Web Content Accessibility Guidelines 2.2 compute and demand it."""

import re
from importlib import resources

import pytest

CSS = resources.files("deeptheory.reports.html").joinpath("report.css").read_text(encoding="utf-8")
LIGHT, DARK = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
TEXT = [
    ("ink", "paper"),
    ("faint", "paper"),
    ("accent", "paper"),
    ("ink", "tint"),
    ("faint", "tint"),
    ("paper", "ink"),  # definitions
    ("supported", "paper"),
    ("not-supported", "paper"),
    ("undecided", "paper"),
]
# Not text: 3 to 1. Outlines of clusters have a line of either colour, so one of the two is seen on every field.
SHAPES = [
    ("accent", "paper"),
    ("in-cluster", "field-zero"),
    ("field-highest", "field-zero"),
    ("ink", "paper"),
]
SHAPES += [("field-lowest", "field-zero"), ("in-cluster", "noise")]


def luminance(hex_colour):
    channels = [int(hex_colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_shapes_have_the_contrast_of_level_aa(scheme):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", scheme))
    low = {pair: contrast(*(colours[name] for name in pair)) for pair in TEXT}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}
    shapes = {pair: contrast(*(colours[name] for name in pair)) for pair in SHAPES}
    assert {pair: value for pair, value in shapes.items() if value < 3} == {}
    either = [
        max(contrast(colours[line], colours[field]) for line in ("ink", "paper"))
        for field in colours
        if field.startswith("field-")
    ]
    assert min(either) > 3


def test_zero_is_the_lightest_or_the_darkest_of_the_fields():
    for scheme, sign in ((LIGHT, -1), (DARK, 1)):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", scheme))
        for side in (("low", "lowest"), ("high", "highest")):
            steps = [luminance(colours[f"field-{name}"]) for name in ("zero", *side)]
            assert sorted(steps, key=lambda value: sign * value) == steps
