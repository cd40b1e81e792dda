"""How specialised a filter is: measures named after the papers they come from."""

import numpy as np
from numpy.typing import NDArray


def participation_ratio(diagonal: NDArray) -> NDArray[np.float64]:
    """Effective number of labels of each filter.

    (sum d)^2 / sum d^2 over the positive part d of its diagonal: the inverse participation ratio of
    localisation theory (Bell & Dean, "Atomic vibrations in vitreous silica", 1970) applied to h_f[i, i].

    Parameters
    ----------
    diagonal : float array (C, K)
        h_f[i, i], or `label_strengths`: the scale of a filter cancels.

    Returns
    -------
    float64 array (C,)
        From 1 (one label) to K (all alike); 0 for a filter without a positive element. It does NOT say that
        the filter tells these labels apart: off-diagonal fields are not in it.
    """
    positive = np.maximum(np.asarray(diagonal, np.float64), 0)
    total, square = positive.sum(axis=1), (positive**2).sum(axis=1)
    return np.divide(total**2, square, out=np.zeros_like(total), where=square > 0)


def class_selectivity_index(means: NDArray) -> NDArray[np.float64]:
    """(mu_max - mu_rest) / (mu_max + mu_rest) of each filter's class-mean activations.

    Morcos, Barrett, Rabinowitz & Botvinick, "On the importance of single directions for generalization"
    (2018): mu_max is the largest class mean, mu_rest the mean over the other classes.

    Parameters
    ----------
    means : float array (K, C) or (K, C, P)
        Class-mean activations, not negative (after a ReLU); averaged over positions P.

    Returns
    -------
    float64 array (C,)
        0 (the same for all labels) to 1 (one label alone); 0 for a filter that is always silent. As Morcos et
        al. found, a selective filter need NOT be an important one.
    """
    response = np.asarray(means, np.float64)
    response = response.mean(axis=2) if response.ndim == 3 else response
    largest = response.max(axis=0)
    rest = (response.sum(axis=0) - largest) / (len(response) - 1)
    total = largest + rest
    return np.divide(largest - rest, total, out=np.zeros_like(total), where=total > 0)


def mutual_information(counts: NDArray) -> NDArray[np.float64]:
    """Mutual information between the label and the binned response of each filter, in bits.

    I = sum_ib p(i, b) log2 [p(i, b) / (p(i) p(b))], less the bias of a finite sample to first order,
    (number of occupied cells - occupied labels - occupied bins + 1) / (2 N ln 2) (Panzeri & Treves,
    "Analytical estimates of limited sampling biases in different information measures", 1996).

    Parameters
    ----------
    counts : int array (C, K, B)
        Inputs of each label in each bin of the filter's response.

    Returns
    -------
    float64 array (C,)
        At most log2(B); about 0 for a filter that ignores the label, and then slightly negative half of the
        time. It does NOT say that a linear probe can use the information, and it depends on the bins.
    """
    counts = np.asarray(counts, np.float64)
    total = counts.sum(axis=(1, 2), keepdims=True)
    joint = counts / total
    of_label, of_bin = joint.sum(axis=2, keepdims=True), joint.sum(axis=1, keepdims=True)
    occupied = joint > 0
    ratio = np.divide(joint, of_label * of_bin, out=np.ones_like(joint), where=occupied)
    plain = (joint * np.log2(ratio)).sum(axis=(1, 2))
    cells = occupied.sum(axis=(1, 2))
    rows, columns = (of_label > 0).sum(axis=(1, 2)), (of_bin > 0).sum(axis=(1, 2))
    return plain - (cells - rows - columns + 1) / (2 * total[:, 0, 0] * np.log(2))
