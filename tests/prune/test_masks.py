import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import MaskedLayer, Masks

CONV = MaskedLayer("stage2.conv.weight", "stage1", "stage2", (2, 3, 3, 3), 3)
HEAD = MaskedLayer("head.linear.weight", "stage2", "head", (3, 4), 2)
CONV_KERNELS = np.array([[True, False, False], [True, True, False]])
HEAD_KERNELS = np.array([[True, False], [False, False], [True, True]])


def masks(**change):
    return Masks((CONV, HEAD), {CONV.weight: CONV_KERNELS, HEAD.weight: HEAD_KERNELS} | change)


def test_masks_have_the_shape_of_the_weights():
    both = masks()
    assert list(both) == [CONV.weight, HEAD.weight]
    assert both[CONV.weight].shape == (2, 3, 3, 3)
    assert (both[CONV.weight] == CONV_KERNELS[:, :, None, None]).all()
    # filter-major: columns 0, 1 are the positions of filter 0
    assert both[HEAD.weight].tolist() == [[True, True, False, False], [False] * 4, [True] * 4]
    assert both.kept() == {CONV.weight: 27, HEAD.weight: 6}
    assert both.densities() == {CONV.weight: 0.5, HEAD.weight: 0.5}
    assert both[HEAD.weight].mean() == both.density(HEAD.weight)


def test_masks_come_back_from_their_full_shape():
    again = Masks((CONV, HEAD), dict(masks()))
    assert (again.kernels(CONV.weight) == CONV_KERNELS).all()
    assert (again.kernels(HEAD.weight) == HEAD_KERNELS).all()


def test_masks_do_not_change_afterwards():
    kernels = CONV_KERNELS.copy()
    both = masks(**{CONV.weight: kernels})
    kernels[:] = False
    assert both.kept()[CONV.weight] == 27
    with pytest.raises(ValueError, match="read-only"):
        both[CONV.weight][:] = True
    with pytest.raises(ValueError, match="read-only"):
        both.kernels(CONV.weight)[:] = True


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (
            CONV_KERNELS.astype(np.uint8),
            "expected True and False only, found values of type uint8",
        ),
        (np.where(CONV_KERNELS, 0.5, 0), "found values of type float64, such as 0.5"),
        (
            np.ones((3, 2), bool),
            r"mask of 'stage2.conv.weight': expected shape \(2, 3\) \(kernels\) or \(2, 3, 3, 3\) \(weights\)"
            r", found shape \(3, 2\)",
        ),
    ],
)
def test_wrong_masks_raise_where_they_are_made(mask, text):
    with pytest.raises(InputError, match=text):
        masks(**{CONV.weight: mask})


def test_part_of_a_kernel_is_kept_as_it_is():
    part = np.ones((2, 3, 3, 3), bool)
    part[0, 1, 2] = part[1, 1] = False
    both = masks(**{CONV.weight: part})
    assert (both[CONV.weight] == part).all()
    assert both.kernels(CONV.weight).tolist() == [[True, True, True], [True, False, True]]
    assert both.kept()[CONV.weight] == 54 - 3 - 9
    assert both.total_density == (42 + 6) / (54 + 12)
    assert both.stored(CONV.weight).shape == (2, 3, 3, 3)
    assert both.stored(HEAD.weight).shape == (3, 2)


def test_masks_and_layers_must_match():
    with pytest.raises(
        InputError, match=r"expected one for each of stage2\.conv\.weight, head\.linear\.weight, found"
    ):
        Masks((CONV, HEAD), {CONV.weight: CONV_KERNELS})
    with pytest.raises(InputError, match=r"found head.linear.weight, other, stage2.conv.weight"):
        masks(other=CONV_KERNELS)
