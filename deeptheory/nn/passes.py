"""The forward and the backward pass through a network."""

import itertools
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn import kernels
from deeptheory.nn.fusion import Step
from deeptheory.nn.graph import INPUT, Node, n_readers
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.layers.base import Array, Joined, Layer
from deeptheory.system import threadpools

Observer = Callable[[Array], None]


def _silent_overflow() -> AbstractContextManager[None]:
    # The loss shows that a network diverges; NumPy's warnings would come earlier and say less.
    return np.errstate(over="ignore", invalid="ignore")


class Passes:
    """Computes the outputs of a network, then the gradients.

    Parameters
    ----------
    nodes : sequence of Node
        All layers in order of computation.
    steps : sequence of Step
        The same layers, grouped by what is computed together.
    """

    def __init__(self, nodes: Sequence[Node], steps: Sequence[Step]) -> None:
        self.nodes, self.steps = nodes, steps
        self.n_readers, self.gradient_copies = n_readers(nodes), Scratch()
        self.ready_for_backward = False

    def forward(
        self,
        x: Array,
        observers: Mapping[str, Sequence[Observer]],
        training: bool = False,
        infer: bool = False,
        only_observed: bool = False,
    ) -> Array:
        """Output of the last step that is computed, in scratch memory.

        Parameters
        ----------
        x : array (N, H, W, C)
        observers : mapping of names of nodes to functions
            Called with the output of the node, in order of computation; it is overwritten afterwards.
        training : bool
            Normalise by the statistics of the batch.
        infer : bool
            Leave out what only `backward` needs.
        only_observed : bool
            Stop after the last observed node.
        """
        steps, h = self.steps, x
        if only_observed:
            observed = [
                number for number, step in enumerate(steps) if any(n.name in observers for n in step.nodes)
            ]
            steps = steps[: max(observed, default=-1) + 1]
        outputs = {INPUT: x}
        self.ready_for_backward = False
        with threadpools.kernel_threads(), _silent_overflow():
            for step in steps:
                inputs = step.input_among(outputs)
                *inner, last = step.nodes
                observes_inner = any(node.name in observers for node in inner)
                try:
                    if infer and not observes_inner and isinstance(step.layer, Joined):
                        h = step.layer.infer(inputs)
                    else:
                        h = step.layer.forward(inputs, training)
                except InputError as error:
                    what = f"{step.name}, {error.what}"
                    raise InputError(what, error.expected, error.found, error.do) from None
                if observes_inner and isinstance(step.layer, Joined):
                    # The next step still gets the output of the whole group: observers do not change a bit of it.
                    for node, output in zip(inner, step.layer.take_apart(), strict=False):
                        _show(output, observers.get(node.name, ()))
                _show(h, observers.get(last.name, ()))
                outputs[last.name] = h
        self.ready_for_backward = not infer
        return h

    def backward(
        self, dlogits: Array, observers: Mapping[str, Sequence[Observer]], trained: Container[str]
    ) -> None:
        """Set the gradients of the parameters of the trained nodes, and show those of outputs to the observers.

        Below the lowest node that is trained or observed nothing is computed; the gradients of the others are the
        same to the bit. Nodes between them set the gradients of their parameters too.
        """
        needed = self._needing_gradients(observers, trained)
        gradients = {self.nodes[-1].name: dlogits}
        with threadpools.kernel_threads(), _silent_overflow():
            before = [step.nodes[-1].name for step in self.steps[:-1]]
            for step, following in zip(reversed(self.steps), [*reversed(before), ""], strict=True):
                one_by_one = any(node.name in observers for node in step.nodes[:-1])
                if one_by_one and isinstance(step.layer, Joined):
                    for _ in step.layer.take_apart():  # makes each layer ready for its own backward
                        pass
                layers = step.layers() if one_by_one else ((step.nodes[-1], step.layer),)
                for node, layer in reversed(layers):
                    if node.name not in gradients:
                        continue
                    dout = gradients.pop(node.name)
                    _show(dout, observers.get(node.name, ()))
                    inputs = node.inputs if one_by_one else step.inputs
                    dx = layer.backward(dout, input_gradient=not needed.isdisjoint(inputs))
                    self._add_gradients(layer, inputs, dx, needed, gradients, following)

    def _needing_gradients(self, observed: Container[str], trained: Container[str]) -> set[str]:
        """Nodes that are trained or observed, or come after one of these."""
        needed = set[str]()
        for node in self.nodes:
            if node.name in trained or node.name in observed or not needed.isdisjoint(node.inputs):
                needed.add(node.name)
        return needed

    def _add_gradients(
        self,
        layer: Layer,
        inputs: tuple[str, ...],
        dx: Array | tuple[Array | None, ...] | None,
        needed: set[str],
        gradients: dict[str, Array],
        following: str,
    ) -> None:
        """Add the gradients of a layer's inputs to those that other readers of the same outputs gave.

        A layer may overwrite the gradient that it gets, and layers return gradients in shared memory. Therefore a
        gradient that the next layer, whose output is `following`, does not use at once is copied: a shortcut may
        be computed between a layer and the one that it reads.
        """
        for index, name in enumerate(inputs):
            if name not in needed:
                continue
            gradient = dx[index] if isinstance(dx, tuple) else dx
            assert gradient is not None
            alone = len(inputs) == 1 or not isinstance(dx, tuple) or layer.keeps_gradients
            used_at_once = alone and name == following and self.n_readers[name] == 1
            if name in gradients:
                kernels.add(gradients[name], gradient)
            elif used_at_once or (index > 0 and layer.keeps_gradients):
                gradients[name] = gradient
            else:
                parts = dx if isinstance(dx, tuple) else (dx,)
                in_use = [*gradients.values(), *(part for part in parts if part is not None)]
                gradients[name] = self._memory_beside(in_use, gradient)
                kernels.copy(gradients[name], gradient)

    def _memory_beside(self, in_use: Sequence[Array], like: Array) -> Array:
        """Memory for a copy, which none of the gradients `in_use` lies in: few live at a time."""
        for number in itertools.count():
            memory = self.gradient_copies.array(f"copy {number}", like.shape, like.dtype)
            if not any(np.may_share_memory(memory, other) for other in in_use):
                break
        return memory


def _show(output: Array, observers: Sequence[Observer]) -> None:
    for observer in observers:
        observer(output)
