"""The two forms of covariances, made from rows in pieces of any size."""

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.measure.covariances import BLOCK, FullScatter, LowRankScatter

G, SIZE, COUNT = 3, 40, 700


def decaying_rows(rng, decay, size=SIZE, n_groups=G):
    """Centred rows (G, COUNT, size) whose principal variances fall as exp(-k / decay), each group its own."""
    rotations = np.linalg.qr(rng.standard_normal((n_groups, size, size)))[0]
    variances = np.exp(-np.arange(size) / decay)
    rows = rng.standard_normal((n_groups, COUNT, size)) * np.sqrt(variances) @ rotations
    return rows - rows.mean(axis=1, keepdims=True)


def filled(scatter, rows, pieces):
    for group, group_rows in enumerate(rows):
        for piece in np.split(group_rows, pieces):
            scatter.add(group, piece)
    return scatter.finish()


def full(rows):
    return rows.transpose(0, 2, 1) @ rows / rows.shape[1]


def as_matrices(low):
    return np.stack([f.T @ f + np.diag(d) for f, d in zip(low.factors, low.residual_variances, strict=True)])


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("size", [SIZE, 2 * BLOCK + 7])  # with a block to be mirrored that is not full
def test_full_form_adds_pieces_of_any_size(size):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2, COUNT, size))
    found = filled(FullScatter(np.full(2, COUNT), size, pooled=False), rows, (1, 50, 300))
    np.testing.assert_allclose(found.matrices, full(rows), atol=1e-14)
    np.testing.assert_array_equal(found.matrices, found.matrices.transpose(0, 2, 1))
    pooled = filled(FullScatter(np.full(2, COUNT), size, pooled=True), rows, (1, 50, 300))
    np.testing.assert_allclose(pooled.matrices, full(rows).mean(axis=0)[None], atol=1e-14)
    head = rng.standard_normal((5, size))
    np.testing.assert_array_equal(pooled.project(head)[0], pooled.project(head)[1])
    assert pooled.project(head).shape == (2, 5, 5)


@pytest.mark.parametrize("pieces", [(1, 2, 600), tuple(range(0, COUNT, 90))])
def test_low_rank_form_is_exact_when_the_rank_is_full(pieces):
    rng = np.random.default_rng(1)
    rows = decaying_rows(rng, 10)
    head = rng.standard_normal((6, SIZE))
    low = filled(LowRankScatter(np.full(G, COUNT), SIZE, SIZE), rows, pieces)
    np.testing.assert_allclose(low.project(head), head @ full(rows) @ head.T, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(low.error_bounds, 0, atol=1e-14)
    np.testing.assert_allclose(low.residual_variances, 0, atol=1e-14)


def test_low_rank_form_is_exact_when_the_rows_have_that_rank():
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((G, COUNT, 7)) @ rng.standard_normal((G, 7, SIZE))
    low = filled(LowRankScatter(np.full(G, COUNT), SIZE, 7), rows, (250, 500))
    np.testing.assert_allclose(as_matrices(low), full(rows), rtol=1e-9, atol=1e-11)


def test_variances_of_single_activations_are_exact_at_any_rank():
    rows = decaying_rows(np.random.default_rng(3), 30)
    low = filled(LowRankScatter(np.full(G, COUNT), SIZE, 2), rows, (100, 200, 300, 400, 500, 600))
    np.testing.assert_allclose(np.einsum("gdd->gd", as_matrices(low)), rows.var(axis=1), rtol=1e-12)
    assert low.residual_variances.min() > 0


@pytest.mark.parametrize(("decay", "rank"), [(5, 16), (5, 32), (20, 32), (20, 64)])
def test_field_covariances_come_close_to_those_of_the_best_directions(decay, rank):
    rng = np.random.default_rng(4)
    size = 300
    rows = decaying_rows(rng, decay, size, 1)
    head = rng.standard_normal((10, size))
    expected = head @ full(rows)[0] @ head.T
    low = filled(LowRankScatter(np.array([COUNT]), size, rank), rows, tuple(range(70, COUNT, 70)))
    values, vectors = np.linalg.eigh(full(rows)[0])
    leading = vectors[:, -rank:] * values[-rank:] @ vectors[:, -rank:].T
    best = leading + np.diag(rows.var(axis=1)[0] - np.diag(leading))
    error = relative_error(low.project(head)[0], expected)
    assert error < np.linalg.norm(values[:-rank]) / np.linalg.norm(values)  # 4 % to 0.2 %, and 20 %
    assert error < 1.1 * relative_error(head @ best @ head.T, expected)


@pytest.mark.parametrize("ordered", [False, True])
def test_no_direction_errs_by_more_than_the_bound(ordered):
    rows = decaying_rows(np.random.default_rng(5), 40)
    if ordered:  # the directions that matter in the end come last
        rows = rows[:, np.argsort((rows**2).sum(axis=2)[0])]
    low = filled(LowRankScatter(np.full(G, COUNT), SIZE, 3), rows, tuple(range(40, COUNT, 40)))
    errors = np.linalg.eigvalsh(as_matrices(low) - full(rows))
    assert np.all(np.abs(errors).max(axis=1) < low.error_bounds)
    assert np.all(low.error_bounds < 30 * np.abs(errors).max(axis=1))


def test_a_head_of_another_stage_is_refused():
    rows = decaying_rows(np.random.default_rng(6), 5)
    counts = np.full(G, COUNT)
    for scatter in (FullScatter(counts, SIZE, pooled=False), LowRankScatter(counts, SIZE, 4)):
        found = filled(scatter, rows, (100,))
        with pytest.raises(InputError, match=r"weight: expected shape \(K, C\*P\) with C\*P = 40, found"):
            found.project(np.zeros((6, SIZE + 1)))
        assert found.project(np.zeros((6, 10, 4))).shape == (G, 6, 6)
