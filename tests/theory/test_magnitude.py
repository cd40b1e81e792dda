"""Magnitude pruning of Gaussian weights: worked numbers."""

import pytest

from deeptheory.theory import magnitude_overlap, sign_disagreement


def test_half_of_the_weights_changes_the_sign_of_8_6_percent_of_the_outputs():
    assert float(sign_disagreement(magnitude_overlap(0.5))) == pytest.approx(0.086, abs=5e-4)
    assert float(sign_disagreement(0.5)) == pytest.approx(0.25)
    assert float(magnitude_overlap(1.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: magnitude_overlap(0.0), r"kept \(density\) must be within \(0, 1\], found 0"),
        (lambda: sign_disagreement(1.5), r"squared_overlap must be within \[0, 1\], found 1.5"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
