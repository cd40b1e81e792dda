"""Products of float32 matrices that lie in the cache, in blocks that stay in the registers."""

from typing import NamedTuple

from deeptheory.nn.kernels.generated.panels import SHORT, panel_product
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.system import instructions
from deeptheory.system.compiled import inner, njit

SLACK = SHORT - 1  # rows that `multiply` may write after the last, where their number is not a multiple of 4
WIDE = instructions.vectors() == "avx512"  # 32 registers of a whole vector; else 16 of half a vector
WIDEST = 4 * LANES  # columns of the widest panel

if WIDE:
    product_of_4, product_of_2, product_of_1 = panel_product(6, 4), panel_product(12, 2), panel_product(8, 1)
else:
    product_of_4 = product_of_2 = product_of_1 = panel_product(6, 1)


class Steps(NamedTuple):
    """Elements from one row of a matrix to the next, along its depth, and from one of its lines to the next."""

    row: int
    depth: int
    line: int


class Extent(NamedTuple):
    """The extent of a product.

    Attributes
    ----------
    rows : int
    panel : int
        Columns.
    depth, lines : int
        What is summed over: `lines` lines of some `depth`.
    adds : int
        1 where the product is added to what is there, 0 where it replaces it. A number here, because an argument
        that is sometimes a constant has two types, and Numba compiles all products twice.
    """

    rows: int
    panel: int
    depth: int
    lines: int
    adds: int


class Coming(NamedTuple):
    """Where the next product begins in `a` and `b`, which only matters to speed."""

    a: int
    b: int


NOTHING_COMING = Coming(0, 0)


@njit()
def panel_width(columns):
    """Columns that `multiply` computes in one go: the widest panel that divides `columns`, a multiple of 16."""
    if WIDE and columns % (4 * LANES) == 0:
        return 4 * LANES
    if WIDE and columns % (2 * LANES) == 0:
        return 2 * LANES
    return LANES


@inner
def next_panel(left):
    """Columns of the next panel where `left` are left, or 16 if fewer are."""
    if WIDE and left >= 4 * LANES:
        return 4 * LANES
    if WIDE and left >= 2 * LANES:
        return 2 * LANES
    return LANES


@inner
def multiply(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming):
    """c (+)= a b for flat arrays with strides in elements: c[i, j] = sum_(l, d) a[i, l, d] b[l, d, j].

    `a` moves by `a_steps`, b by b_depth all along (l, d). The columns j of one panel lie side by side in `b` and
    `c`. `coming` says where the next product starts.
    """
    if extent.panel == 4 * LANES:
        product_of_4(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming)
    elif extent.panel == 2 * LANES:
        product_of_2(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming)
    else:
        product_of_1(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming)
