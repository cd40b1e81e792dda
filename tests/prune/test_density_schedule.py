import pytest

from deeptheory.errors import InputError
from deeptheory.prune import PruneOptions, densities


def test_one_fixed_mask_has_no_rounds():
    assert densities(PruneOptions(density=0.1)) == ()
    assert densities(PruneOptions()) == ()


def test_densities_fall_to_the_one_asked_for():
    gradual = densities(PruneOptions(density=0.1, schedule="gradual", rounds=3))
    assert gradual == pytest.approx([0.1 + 0.9 * (2 / 3) ** 3, 0.1 + 0.9 / 27, 0.1])
    iterative = densities(PruneOptions(density=0.1, schedule="iterative", rounds=2))
    assert iterative == pytest.approx([0.1**0.5, 0.1])
    annealed = densities(PruneOptions(density=0.1, disorder="annealed", rounds=3))
    assert annealed == (0.1, 0.1, 0.1)


def test_rounds_of_a_fixed_mask_are_refused():
    text = (
        "prune.rounds: expected 1, as the mask does not change, found 3 rounds of one shot, quenched; choose"
    )
    with pytest.raises(InputError, match=text):
        densities(PruneOptions(density=0.1, rounds=3))


@pytest.mark.parametrize("options", [{"schedule": "gradual"}, {"disorder": "annealed"}])
def test_a_schedule_needs_a_density(options):
    with pytest.raises(
        InputError, match=r"prune.density: expected a density to end at, found AFCC's, at schedule"
    ):
        densities(PruneOptions(**options))
