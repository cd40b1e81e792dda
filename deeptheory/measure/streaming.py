"""One streamed pass over a data set: observers see the outputs of stages batch by batch; nothing is stored."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deeptheory.data import augmentation, dataset
from deeptheory.errors import InputError
from deeptheory.system import threadpools
from deeptheory.system.progress import Progress

Images = dataset.Images | NDArray[np.float32]
StageObserver = Callable[[NDArray[np.float32], NDArray[np.int64]], None]


class Measurable(Protocol):
    """A network that shows outputs of stages and layers by name as they are computed."""

    @property
    def inputs_per_pass(self) -> int:
        """Inputs whose outputs fit into the memory of one pass (`nn.inputs_that_fit`)."""

    def observe(
        self, x: NDArray[np.floating], observers: Mapping[str, Callable[[NDArray[np.floating]], Any]]
    ) -> None:
        """Call each function with the output of its name."""


def visit(
    network: Measurable,
    images: Images,
    rows: NDArray[np.int64],
    observers: Mapping[str, StageObserver],
    title: str = "measure",
    quiet: bool = False,
) -> None:
    """Show the outputs of stages to observers, in one forward pass over the inputs.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...)
        Grey levels, which are scaled to [-1, 1], or inputs in the units that the network takes.
    rows : int array (n,)
        The inputs to visit, in this order.
    observers : mapping of stage name to function
        Called as ``observer(outputs, rows)`` for every batch: float32 outputs (b, P, C), P = 1 for nodes, which
        are overwritten after it has returned, and the inputs that they belong to (b,).
    """
    per_pass = network.inputs_per_pass
    pixels = np.empty((min(per_pass, len(rows)), *images.shape[1:]), np.float32)
    with threadpools.kernel_threads(), Progress(title, len(rows), "input", quiet) as progress:
        for start in range(0, len(rows), per_pass):
            batch = rows[start : start + per_pass]
            x = augmentation.gather(images, batch, pixels)
            network.observe(x, {stage: _with_rows(observer, batch) for stage, observer in observers.items()})
            progress.advance(start + len(batch))


def output_sizes(network: Measurable, images: Images, stages: Sequence[str]) -> dict[str, int]:
    """Outputs C*P of each stage for one input, from a pass of the first image.

    Raises
    ------
    InputError
        There is no image.
    """
    if not len(images):
        raise InputError("images", "at least one", "none")
    sizes: dict[str, int] = {}

    def remember(stage: str) -> StageObserver:
        def observe(outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
            sizes[stage] = outputs[0].size

        return observe

    visit(network, images, np.zeros(1, np.int64), {stage: remember(stage) for stage in stages}, quiet=True)
    return sizes


def _with_rows(observer: StageObserver, rows: NDArray[np.int64]) -> Callable[[NDArray[np.floating]], None]:
    def observe(output: NDArray[np.floating]) -> None:
        outputs = np.ascontiguousarray(output, np.float32)  # a copy only for a network in float64
        observer(outputs.reshape(len(output), -1, output.shape[-1]), rows)

    return observe
