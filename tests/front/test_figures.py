"""Figures from Python: the matplotlib object, with a picture of its own."""

import matplotlib.figure
import pytest

import deeptheory as dt
from deeptheory.errors import InputError
from deeptheory.reports.figures import FIGURES

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_figure_of_a_run_a_study_or_a_path_has_a_picture_and_can_be_saved(opened, study, tmp_path):
    of_run = dt.plot("field-matrix", opened, stage="stage4", filter_index=2)
    assert isinstance(of_run, matplotlib.figure.Figure)
    assert [text.get_text() for text in of_run.texts] == ["stage4, filter 2, seed 3"]
    assert of_run._repr_png_().startswith(b"\x89PNG")
    for source in (dt.open_study(study), str(study), [opened], study / "seed-3"):
        assert len(dt.plot("accuracy-and-snr", source).axes) == 2
    dt.plot.save(of_run, tmp_path / "filter.png")
    assert (tmp_path / "filter.png").stat().st_size > 1000


def test_the_docstring_names_all_figures():
    from deeptheory.front.figures import draw

    assert all(f'"{name}"' in draw.__doc__ for name in FIGURES)


def test_an_unknown_figure_is_refused(opened):
    with pytest.raises(InputError, match="did you mean 'field-matrix'"):
        dt.plot("field_matrix", opened)
