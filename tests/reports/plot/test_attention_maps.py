import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_attention_maps, save

MEAN = np.full((2, 2, 3), 1 / 6)  # two heads, six positions
BY_LABEL = np.stack([MEAN, MEAN])
BY_LABEL[1, 0, 0, :2] = [0, 2 / 6]
INPUTS = {"A": np.zeros((4, 6, 1)), "B": np.full((4, 6, 3), 255.0)}


def test_units_are_those_of_no_preference_and_all_differences_have_one_scale(tmp_path):
    figure = draw_attention_maps(MEAN, BY_LABEL, INPUTS, [0, 3], "heads2, seed 1")
    panels = np.array(figure.axes[:9]).reshape(3, 3)
    np.testing.assert_allclose(panels[0, 1].images[0].get_array(), 1)
    np.testing.assert_allclose(panels[2, 1].images[0].get_array(), [[-1, 1, 0], [0, 0, 0]])
    assert {panels[row, column].images[0].get_clim() for row in (1, 2) for column in (1, 2)} == {(-1, 1)}
    assert [axes.get_title() for axes in panels[0]] == ["", "head 0", "head 3"]
    assert [axes.get_ylabel() for axes in panels[1:, 0]] == ["A", "B"]
    assert panels[0, 0].texts[0].get_text() == "heads2, seed 1\nall labels"
    save(figure, tmp_path / "figure.png")


def test_inputs_that_are_no_images_are_not_drawn():
    axes = draw_attention_maps(MEAN[:1], BY_LABEL[:, :1], dict.fromkeys("AB", np.zeros(9)), [0], "").axes
    assert [len(one.images) for one in (axes[2], axes[3])] == [0, 1]


def test_maps_of_a_sequence_say_what_their_columns_are():
    row = np.full((2, 1, 6), 1 / 6)
    figure = draw_attention_maps(
        row, np.stack([row, row]), dict.fromkeys("AB", np.zeros((6, 1, 1))), [0, 1], ""
    )
    assert [axes.get_xlabel() for axes in figure.axes[:9]] == [""] * 7 + ["words 1 to 6"] * 2
    assert figure.axes[0].get_position().width < 0.1 * figure.axes[1].get_position().width


def test_maps_of_other_labels_are_refused():
    with pytest.raises(InputError, match=r"attention maps: expected shapes .* of 1 labels, found"):
        draw_attention_maps(MEAN, BY_LABEL, {"A": np.zeros(9)}, [0, 1], "")
