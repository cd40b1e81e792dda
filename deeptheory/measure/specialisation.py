"""Specialisation of a filter: measures with the names that they have in the cited papers."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError


def participation_ratio(diagonal: NDArray[np.floating]) -> NDArray[np.float64]:
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
    ratio: NDArray[np.float64] = np.divide(total**2, square, out=np.zeros_like(total), where=square > 0)
    return ratio


def class_selectivity_index(means: NDArray[np.floating]) -> NDArray[np.float64]:
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
    index: NDArray[np.float64] = np.divide(largest - rest, total, out=np.zeros_like(total), where=total > 0)
    return index


def mutual_information(counts: NDArray[np.integer]) -> NDArray[np.float64]:
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
        At most log2(B); for a filter that ignores the label it scatters about 0, and may be negative. It does NOT
        say that a linear probe can use the information, and it depends on the bins.
    """
    total = np.asarray(counts, np.float64).sum(axis=(1, 2), keepdims=True)
    joint = counts / total
    label_share, bin_share = joint.sum(axis=2, keepdims=True), joint.sum(axis=1, keepdims=True)
    occupied = joint > 0
    ratio = np.divide(joint, label_share * bin_share, out=np.ones_like(joint), where=occupied)
    plain: NDArray[np.float64] = (joint * np.log2(ratio)).sum(axis=(1, 2))
    cells = occupied.sum(axis=(1, 2))
    rows, columns = (label_share > 0).sum(axis=(1, 2)), (bin_share > 0).sum(axis=(1, 2))
    bias: NDArray[np.float64] = (cells - rows - columns + 1) / (2 * total[:, 0, 0] * np.log(2))
    return plain - bias


def served_label_auc(counts: NDArray[np.integer], served: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC curve of each filter's response as the detector of its served labels.

    The probability that an input of a served label makes a stronger response than one of another label, half of
    the equal ones included (Hanley & McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", 1982); every label weighs the same.

    Parameters
    ----------
    counts : int array (C, K, B)
        Inputs of each label in each bin of the filter's response, bins increasing; one bin counts as equal.
    served : bool array (C, K)
        Served labels of each filter.

    Returns
    -------
    float64 array (C,)
        1 for a perfect detector; 0.5, chance, also for a filter that serves no label or every label. Too high by a
        selection effect, as the served labels were found on the same inputs. It does NOT say which of the served
        labels an input has, nor that the network uses the response.

    Raises
    ------
    InputError
        The shapes disagree, or a label has no input.
    """
    if counts.ndim != 3 or served.shape != counts.shape[:2]:
        raise InputError("served labels", f"shape {counts.shape[:2]}", f"shape {served.shape}")
    inputs = counts.sum(axis=2, keepdims=True)
    if not inputs.all():
        raise InputError("response counts", "inputs of every label", "none of a label")
    shares = counts / inputs  # (C, K, B)
    n_served = served.sum(axis=1)
    inside = np.einsum("ckb,ck->cb", shares, served) / np.maximum(n_served, 1)[:, None]
    outside = np.einsum("ckb,ck->cb", shares, ~served) / np.maximum(served.shape[1] - n_served, 1)[:, None]
    area = np.sum(inside * (np.cumsum(outside, axis=1) - outside / 2), axis=1)
    return np.where((n_served == 0) | (n_served == served.shape[1]), 0.5, area)
