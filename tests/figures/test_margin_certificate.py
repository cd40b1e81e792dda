import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "margin_certificate.py")

CURVES = {"measured": ([0.5, 0.1], [0.6, 0.8]), "guaranteed": ([0.1], [0.3])}
PANELS = {criterion: dict.fromkeys(("head", "stage10", "all"), CURVES) for criterion in ("afcc", "random")}


def test_a_panel_per_criterion_and_layer_with_curves_from_the_untouched_accuracy(tmp_path):
    figure = script.draw_margin_certificate(PANELS, 0.9, 0.1)
    assert [axes.get_title() for axes in figure.axes] == ["head", "stage 10", "all", "", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["AFCC", "", "", "random", "", ""]
    measured, guaranteed, _ = figure.axes[4].lines
    np.testing.assert_allclose(measured.get_xydata(), [[0, 0.9], [0.1, 0.8], [0.5, 0.6]])
    np.testing.assert_allclose(guaranteed.get_xydata(), [[0, 0.9], [0.1, 0.3]])
    assert [text.get_text() for text in figure.legends[0].texts] == ["measured", "guaranteed", "chance: 0.1"]
    save(figure, tmp_path / "figure.png")


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels: expected at least one criterion with masked layers, found none"),
        (
            {"afcc": {"head": CURVES, "all": CURVES}, "random": {"head": CURVES}},
            "masked layers of random: expected head, all, found head",
        ),
        (
            {"afcc": {"head": {"measured": ([0.0], [0.5])}}},
            r"dilution of afcc, head: expected shares within \(0, 1\], found 0",
        ),
        (
            {"afcc": {"head": {"measured": ([0.5], [1.5])}}},
            r"measured of afcc, head: expected shares within 0 and 1, found 1\.5",
        ),
    ],
)
def test_panels_that_cannot_be_drawn_are_refused(panels, message):
    with pytest.raises(InputError, match=message):
        script.draw_margin_certificate(panels, 0.9, 0.1)
