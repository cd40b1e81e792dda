"""Class statistics of all stages in one streamed pass whose memory does not grow with the number of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.class_sums import ClassSums
from deeptheory.measure.fields import label_counts
from deeptheory.measure.streaming import Images, Measurable, visit


@dataclass(frozen=True)
class ClassStatistics:
    """What one pass leaves of the activations of a stage.

    Attributes
    ----------
    means : float64 array (K, C, P)
        Class-mean activations A[i, f, p].
    counts : int array (K,)
        Inputs per label.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.int64]


def class_statistics(
    network: Measurable,
    images: Images,
    labels: NDArray,
    stages: Sequence[str],
    n_labels: int,
    title: str = "class means",
    quiet: bool = False,
) -> dict[str, ClassStatistics]:
    """Class-mean activations of all stages in one streamed pass.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
    labels : int array (N,)
    stages : sequence of str
    n_labels : int

    Returns
    -------
    dict of ClassStatistics
        By stage name. Memory is 8 K sum(C P) bytes, at the end as much again for the largest stage, whatever
        N is.

    Raises
    ------
    InputError
        A label is out of range or has no input, or a stage does not exist.
    """
    counts = label_counts(labels, n_labels, len(images))
    sums = {stage: ClassSums(labels, counts) for stage in stages}
    visit(network, images, np.argsort(labels, kind="stable"), sums, title, quiet)
    # Popped, so that the sums of a stage go when its means are there.
    return {stage: ClassStatistics(sums.pop(stage).means(), counts) for stage in stages}
