"""When a training stops before its last epoch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Images, Labels
from deeptheory.nn.evaluation import accuracy
from deeptheory.nn.network import Network


class EarlyStop(NamedTuple):
    """Inputs that a training does not learn from, and how long it goes on without getting better at them.

    The accuracy at the best of many epochs is no estimate: it is the largest of several that scatter. Whatever is
    measured on these inputs afterwards belongs to a network that was chosen by them; other inputs are needed to
    say how good it is.

    Attributes
    ----------
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    patience : int
        Epochs without a higher accuracy, from 1, after which the training stops.
    """

    images: Images
    labels: Labels
    patience: int

    def look_at(self, network: Network) -> float:
        """The accuracy of the network on these inputs."""
        return accuracy(network, self.images, self.labels)

    def is_over(self, accuracies: NDArray[np.float64]) -> bool:
        """Whether the training has ended, by the accuracy after every epoch `(epochs,)`."""
        return len(accuracies) - 1 - best_epoch(accuracies) >= self.patience


def best_epoch(accuracies: NDArray[np.float64]) -> int:
    """The first epoch, counted from 0, with the highest accuracy: that of the weights that are kept."""
    return int(np.argmax(accuracies))
