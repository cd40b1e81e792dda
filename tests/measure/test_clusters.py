import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.clusters import count_clusters


def plain_clusters(matrix):
    """The definition, word for word: the oracle of the compiled kernel."""
    left = [i for i in range(len(matrix)) if matrix[i, i]]
    clusters = []
    while left:
        cluster = [left.pop(0)]
        for label in list(left):
            enlarged = [*cluster, label]
            if matrix[np.ix_(enlarged, enlarged)].all():
                cluster = enlarged
                left.remove(label)
        clusters.append(cluster)
    return clusters


def plain_noise(matrix, clusters):
    outside = [
        (i, j)
        for i, j in np.argwhere(matrix)
        if not any(i in members and j in members for members in clusters)
    ]
    return len(outside), sum(any(j in members for members in clusters) for _, j in outside)


def test_worked_example():
    matrix = np.zeros((4, 4), np.bool_)
    for i, j in [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (1, 2), (2, 1)]:
        matrix[i, j] = True
    clusters = measure.find_clusters(matrix)
    assert clusters == [[0, 1], [2]]
    assert measure.noise(matrix, clusters) == 2
    assert measure.cluster_noise(matrix, clusters) == 2


def test_noise_outside_the_columns_of_clusters_is_not_cluster_noise():
    matrix = np.zeros((3, 3), np.bool_)
    matrix[0, 0] = matrix[0, 1] = matrix[2, 0] = True
    assert measure.find_clusters(matrix) == [[0]]
    assert measure.noise(matrix, [[0]]) == 2
    assert measure.cluster_noise(matrix, [[0]]) == 1


def test_a_filter_without_label_has_no_cluster():
    matrix = np.zeros((3, 3), np.bool_)
    matrix[0, 1] = True
    assert measure.find_clusters(matrix) == []
    assert measure.noise(matrix, []) == 1
    assert measure.cluster_noise(matrix, []) == 0


@pytest.mark.parametrize("density", [0.2, 0.6, 0.9])
def test_kernels_agree_with_the_definition_on_random_matrices(density):
    rng = np.random.default_rng(1)
    clipped = rng.random((40, 12, 12)) < density
    clipped |= clipped.transpose(0, 2, 1) & (rng.random((40, 12, 12)) < 0.8)  # enough symmetry for clusters
    numbers = measure.all_clusters(clipped)
    noise, cluster_noise = measure.all_noise(clipped, numbers)
    for f, matrix in enumerate(clipped):
        expected = plain_clusters(matrix)
        assert measure.find_clusters(matrix) == expected
        assert [np.flatnonzero(numbers[f] == c).tolist() for c in range(len(expected))] == expected
        np.testing.assert_array_equal(numbers[f] >= 0, np.diagonal(matrix))
        assert (noise[f], cluster_noise[f]) == plain_noise(matrix, expected)
        assert (measure.noise(matrix, expected), measure.cluster_noise(matrix, expected)) == (
            noise[f],
            cluster_noise[f],
        )


def test_an_order_is_a_relabelling():
    rng = np.random.default_rng(2)
    matrix = rng.random((10, 10)) < 0.8
    order = rng.permutation(10)
    relabelled = measure.find_clusters(matrix[np.ix_(order, order)])
    back = sorted(sorted(order[members].tolist()) for members in relabelled)
    numbers = measure.all_clusters(matrix[None], order[None])[0, 0]
    assert back == sorted(np.flatnonzero(numbers == c).tolist() for c in range(numbers.max() + 1))


def test_orders_move_greedy_clusters_but_not_separate_blocks():
    rng = np.random.default_rng(3)

    def counts(matrix):
        orders = np.array([rng.permutation(len(matrix)) for _ in range(50)])
        return set(count_clusters(measure.all_clusters(matrix[None], orders)[:, 0]))

    assert counts(np.kron(np.eye(3), np.ones((2, 2))).astype(np.bool_)) == {3}
    # A path of four labels splits into two pairs, or into a pair in the middle and two single labels.
    path = np.eye(4, dtype=np.bool_) | np.eye(4, k=1, dtype=np.bool_) | np.eye(4, k=-1, dtype=np.bool_)
    assert counts(path) == {2, 3}


def test_a_stack_of_another_shape_is_refused():
    with pytest.raises(InputError, match=r"clipped fields: .*\(C, K, K\), found shape \(2, 3, 4\)"):
        measure.all_clusters(np.zeros((2, 3, 4), np.bool_))
