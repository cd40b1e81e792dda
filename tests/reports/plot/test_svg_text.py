import re

import numpy as np

from deeptheory.reports.plot import draw_cluster_sizes, draw_field_matrix, svg


def figure():
    return draw_cluster_sizes({"stage1": [1, 2, 2]}, {"stage1": 2})


def test_the_same_figure_gives_the_same_text(monkeypatch):
    field = np.random.default_rng(0).normal(size=(12, 12))
    texts = []
    for moment in ("1000000000", "1700000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)
        texts.append(svg(draw_field_matrix(field, 0.5, []), "fields"))
    assert texts[0] == texts[1]
    assert texts[0].startswith("<svg ")
    assert "date" not in texts[0]


def test_ids_carry_the_name_and_references_follow():
    text = svg(figure(), "sizes")
    ids = re.findall(r' id="([^"]*)"', text)
    assert ids
    assert all(name.startswith("sizes-") for name in ids)
    used = re.findall(r'href="#([^"]*)"', text) + re.findall(r"url\(#([^)]*)\)", text)
    assert used
    assert set(used) <= set(ids)


def test_nothing_outside_is_needed():
    text = svg(figure(), "sizes")
    assert "<text" not in text  # letters are outlines: no font
    assert re.findall(r'href="(?!#|data:)[^"]*"', text) == []
