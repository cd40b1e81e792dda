"""A network of stages and a head, with every internal readable by its dotted name."""

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.fusion import Step, plan
from deeptheory.nn.graph import INPUT, Stage, input_to, n_readers, nodes_of, output_shapes
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.layers.base import Array, Joined, Shape
from deeptheory.nn.layers.convolution import Linear
from deeptheory.nn.named_arrays import NamedArrays
from deeptheory.nn.process_groups import ALONE, Group
from deeptheory.system import threadpools

Observer = Callable[[Array], None]


def _keep_copy(found: dict[str, Array], name: str) -> Observer:
    def keep(internal: Array) -> None:
        found[name] = internal.copy()

    return keep


def _show(internal: Array, names: Iterable[str], observers: Mapping[str, Observer]) -> None:
    for name in names:
        observers[name](internal)


def _silent_overflow() -> AbstractContextManager[None]:
    # A diverging network shows in its loss; NumPy's warnings would come first and say less.
    return np.errstate(over="ignore", invalid="ignore")


class Network:
    """Stages, then a head that gives one output per label; a graph of layers.

    Parameters
    ----------
    stages : sequence of Stage
    head : Stage
        Its last layer is a `Linear` with `n_labels` outputs.
    input_shape : (H, W, C)
    dtype : float32 or float64
        Of activations and parameters.

    Attributes
    ----------
    stages : tuple of Stage
    head : Stage
    nodes : tuple of Node
        All layers in order of computation, by name and with the names of their inputs.
    steps : tuple of Step
        The nodes that are computed together (`fusion.plan`).
    input_shape : tuple of int
    n_labels : int

    Raises
    ------
    InputError
        Layers do not fit together (`graph.nodes_of`, `graph.output_shapes`).
    """

    def __init__(
        self, stages: Iterable[Stage], head: Stage, input_shape: Shape, dtype: DTypeLike = np.float32
    ) -> None:
        self.stages, self.head = tuple(stages), head
        self.input_shape, self.n_labels = tuple(input_shape), head.output_shape[0]
        self.dtype = np.dtype(dtype)
        self.nodes = nodes_of((*self.stages, head))
        self._shapes = output_shapes(self.nodes, self.input_shape)
        self._taps = {node.name: index for index, node in enumerate(self.nodes)}
        for stage in (*self.stages, head):
            last = f"{stage.name}.{list(stage.layers)[-1]}"
            self._taps[stage.name] = self._taps[last]
            if self._shapes[last] != stage.output_shape:
                found = str(stage.output_shape)
                raise InputError(f"output_shape of {stage.name}", str(self._shapes[last]), found)
        self.steps = plan(self.nodes, self._shapes, self.dtype)
        workspace = Scratch()
        for layer in (*(node.layer for node in self.nodes), *(step.layer for step in self.steps)):
            layer.workspace = workspace
        self._n_readers, self._held = n_readers(self.nodes), Scratch()
        for node in self.nodes[:-1]:
            if not self._n_readers[node.name]:
                raise InputError(f"output of {node.name}", "a layer that reads it", "none", "leave it out")
        self._ran_forward = False

    @property
    def classifier_is_probe(self) -> bool:
        """Whether the head is one bias-free linear layer, which makes it the last stage's probe."""
        linear = [layer for layer in self.head.layers.values() if layer.parameters]
        return len(linear) == 1 and isinstance(linear[0], Linear) and "bias" not in linear[0].parameters

    def stage(self, name: str) -> Stage:
        """The stage called `name`; `InputError` when there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise unknown_name("stage", name, [stage.name for stage in self.stages])

    def output_shape(self, name: str) -> Shape:
        """Shape of one input's internal of that name, (H, W, C) or (C,); `InputError` when there is none."""
        if name not in self._taps:
            raise unknown_name("tap", name, self._taps)
        return self._shapes[self.nodes[self._taps[name]].name]

    def forward(
        self, x: Array, taps: Iterable[str] = (), training: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        """Logits of a batch, and copies of the internals asked for.

        Parameters
        ----------
        x : float array (N, H, W, C)
            Pixels scaled to [-1, 1] (`deeptheory.data.scale`).
        taps : names
            "stage3" is the output of a stage, "stage3.conv" that of a layer.
        training : bool
            Normalise by the statistics of this batch and move the running statistics.

        Returns
        -------
        logits : array (N, K)
        internals : dict of arrays
            By the names in `taps`, (N, H, W, C) or (N, C).

        Raises
        ------
        InputError
            For a name that does not exist, or `x` of another shape or of whole numbers.
        """
        wanted = self._resolve(taps)
        found: dict[str, Array] = {}
        observers = {name: _keep_copy(found, name) for names in wanted.values() for name in names}
        return self._propagate(self.steps, x, wanted, observers, training).copy(), found

    def infer(self, x: Array) -> Array:
        """Logits of a batch, as `forward` gives them out of training, faster; no `backward` can follow."""
        return self._propagate(self.steps, x, {}, {}, infer=True).copy()

    def internals(self, x: Array, taps: Iterable[str]) -> dict[str, Array]:
        """The internals asked for, as `forward` gives them, computed no further than the deepest of them."""
        found: dict[str, Array] = {}
        self.observe(x, {name: _keep_copy(found, name) for name in taps})
        return found

    def observe(self, x: Array, observers: Mapping[str, Observer]) -> None:
        """Show internals to functions while they are still in the cache; nothing is copied.

        Parameters
        ----------
        x : float array (N, H, W, C)
        observers : mapping of names to functions
            Each is called once with the internal of its name, in the order of the network, as soon as it is
            computed, and must not change it; the array is overwritten when the function has returned. The
            network is computed no further than the deepest of them, not in training mode.
        """
        wanted = self._resolve(observers)
        deepest = max((self.nodes[index].name for index in wanted), key=self._taps.__getitem__, default="")
        steps = list[Step]()
        for step in self.steps if deepest else ():
            steps.append(step)
            if any(node.name == deepest for node in step.nodes):
                break
        self._propagate(steps, x, wanted, observers, infer=True)

    def _propagate(
        self,
        steps: Iterable[Step],
        x: Array,
        wanted: dict[int, list[str]],
        observers: Mapping[str, Observer],
        training: bool = False,
        infer: bool = False,
    ) -> Array:
        """Output of the last of `steps`; the observers see the internals in `wanted`.

        With `infer`, what only `backward` needs is left out.
        """
        h = self._checked(x)
        outputs = {INPUT: h}
        seen = {self.nodes[index].name: names for index, names in wanted.items()}
        self._ran_forward = False
        with threadpools.kernel_threads(), _silent_overflow():
            for step in steps:
                given: Any = input_to(step.nodes[0], outputs)
                inner = [node.name for node in step.nodes[:-1] if node.name in seen]
                try:
                    if infer and not inner and isinstance(step.layer, Joined):
                        h = step.layer.infer(given)
                    else:
                        h = step.layer.forward(given, training)
                except InputError as error:
                    what = f"{step.name}, {error.what}"
                    raise InputError(what, error.expected, error.found, error.do) from None
                if inner and isinstance(step.layer, Joined):
                    # What follows gets the block's own output: no tap changes a bit of it.
                    for node, part in zip(step.nodes[:-1], step.layer.take_apart(), strict=False):
                        _show(part, seen.get(node.name, ()), observers)
                _show(h, seen.get(step.nodes[-1].name, ()), observers)
                outputs[step.nodes[-1].name] = h
        self._ran_forward = not infer
        return h

    def backward(self, dlogits: Array, taps: Iterable[str] = ()) -> dict[str, Array]:
        """Set the gradients of all parameters for the batch of the last `forward`.

        Parameters
        ----------
        dlogits : array (N, K)
            Gradient of the loss with respect to the logits.
        taps : names
            As in `forward`.

        Returns
        -------
        dict of arrays
            Gradient of the loss with respect to the internals asked for.
        """
        if not self._ran_forward:
            raise InputError("backward", "a forward pass before it", "none", "call network.forward first")
        wanted = {self.nodes[index].name: names for index, names in self._resolve(taps).items()}
        needed = self._needing_gradients(wanted)
        gradients = {self.nodes[-1].name: np.array(dlogits, self.dtype)}
        found: dict[str, Array] = {}
        with threadpools.kernel_threads(), _silent_overflow():
            for step in reversed(self.steps):
                inner = any(node.name in wanted for node in step.nodes[:-1])
                if inner and isinstance(step.layer, Joined):
                    for _ in step.layer.take_apart():
                        pass
                for node, layer in reversed(step.layers() if inner else ((step.nodes[-1], step.layer),)):
                    if node.name not in gradients:
                        continue
                    dout = gradients.pop(node.name)
                    for name in wanted.get(node.name, ()):
                        found[name] = dout.copy()
                    inputs = node.inputs if inner else step.nodes[0].inputs
                    dx = layer.backward(dout, input_gradient=not needed.isdisjoint(inputs))
                    self._hand_back(inputs, dx, needed, gradients)
        return found

    def _needing_gradients(self, asked: Container[str]) -> set[str]:
        """Nodes with parameters, asked for, or above one of these."""
        needed = set[str]()
        for node in self.nodes:
            if node.layer.parameters or node.name in asked or not needed.isdisjoint(node.inputs):
                needed.add(node.name)
        return needed

    def _hand_back(
        self,
        inputs: tuple[str, ...],
        dx: Array | tuple[Array, ...] | None,
        needed: set[str],
        gradients: dict[str, Array],
    ) -> None:
        """Add the gradients of a layer's inputs to what their other readers have handed back before.

        A layer may overwrite the gradient it is given, and the layers share the memory of the gradients they
        hand back. So a gradient that is not passed on at once, to the layer below, has memory of its own.
        """
        for place, name in enumerate(inputs):
            if name not in needed:
                continue
            gradient = dx[place] if isinstance(dx, tuple) else dx
            assert gradient is not None
            if name in gradients:
                gradients[name] += gradient
            elif self._n_readers[name] > 1 or len(inputs) > 1:
                gradients[name] = self._held.array(name, gradient.shape, gradient.dtype)
                np.copyto(gradients[name], gradient)
            else:
                gradients[name] = gradient

    def parameters(self) -> NamedArrays:
        """The trained arrays by dotted name ("stage1.conv.weight"), readable and replaceable."""
        return self._named("parameters")

    def buffers(self) -> NamedArrays:
        """What is kept but not trained, by dotted name ("stage1.norm.running_mean"), readable and replaceable."""
        return self._named("buffers")

    def gradients(self) -> dict[str, Array]:
        """Gradients of the parameters after `backward`; overwritten by the next one."""
        return {
            f"{node.name}.{key}": array for node in self.nodes for key, array in node.layer.gradients.items()
        }

    def state(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by dotted name."""
        return {name: a.copy() for named in (self.parameters(), self.buffers()) for name, a in named.items()}

    @contextlib.contextmanager
    def trained_by(self, group: Group) -> Iterator[None]:
        """In this block, training batches are parts of those of the group."""
        layers = [node.layer for node in self.nodes]
        for layer in layers:
            layer.group = group
        try:
            yield
        finally:
            for layer in layers:
                layer.group = ALONE

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Replace all parameters and buffers; on an `InputError` the network is left as it was."""
        before = self.state()
        if missing := sorted(before.keys() - state.keys()):
            raise InputError("state", f"an array for each of {len(before)} names", f"no '{missing[0]}'")
        parameters, buffers = self.parameters(), self.buffers()
        try:
            for name, array in state.items():
                (buffers if name in buffers else parameters)[name] = array
        except InputError:
            self.load_state(before)
            raise

    def scratch_bytes(self) -> int:
        """Bytes that the batches so far have made the layers allocate: outputs, gradients, working memory."""
        layers = (*(node.layer for node in self.nodes), *(step.layer for step in self.steps))
        scratches = {id(s): s for layer in layers for s in (layer.scratch, layer.workspace)}
        return self._held.nbytes + sum(scratch.nbytes for scratch in scratches.values())

    def multiply_adds(self) -> dict[str, int]:
        """Multiply-add operations per input of every layer with weights, by dotted name."""
        counts = {node.name: node.layer.multiply_adds(input_to(node, self._shapes)) for node in self.nodes}
        return {name: count for name, count in counts.items() if count}

    def _named(self, kind: str) -> NamedArrays:
        stores = {node.name: getattr(node.layer, kind) for node in self.nodes}
        return NamedArrays({f"{name}.{key}": (s, key) for name, s in stores.items() for key in s})

    def _resolve(self, taps: Iterable[str]) -> dict[int, list[str]]:
        wanted: dict[int, list[str]] = {}
        for name in taps:
            if name not in self._taps:
                raise unknown_name("tap", name, self._taps)
            wanted.setdefault(self._taps[name], []).append(name)
        return wanted

    def _checked(self, x: Array) -> Array:
        if x.shape[1:] != self.input_shape:
            expected = ", ".join(["N", *map(str, self.input_shape)])
            raise InputError("images", f"shape ({expected})", f"shape {x.shape}")
        if not np.issubdtype(x.dtype, np.floating):
            raise InputError("images", "floats in [-1, 1]", f"{x.dtype}", "use deeptheory.data.scale")
        # Writeable, because the kernels are compiled for writeable arrays.
        return np.require(x, self.dtype, ["C", "A", "W"])
