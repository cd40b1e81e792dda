"""A network of stages and a head; every internal quantity can be read by its dotted name."""

import contextlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.fusion import plan
from deeptheory.nn.graph import INPUT, Node, Stage, input_to, nodes_of, output_shapes
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.convolution import Linear
from deeptheory.nn.layers.tokens import Embedding
from deeptheory.nn.named_arrays import NamedArrays
from deeptheory.nn.pass_sizes import inputs_that_fit
from deeptheory.nn.passes import Observer, Passes
from deeptheory.nn.process_groups import ALONE, Group
from deeptheory.system import threadpools
from deeptheory.tables import Table


class Network:
    """A graph of layers: stages, then a head that gives one output per label.

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
        The nodes grouped by what is computed together (`fusion.plan`).
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
        self._all_stages = (*self.stages, head)
        self.nodes = nodes_of(self._all_stages)
        self._shapes = output_shapes(self.nodes, self.input_shape)
        self._tapped_nodes = {node.name: node.name for node in self.nodes}
        for stage in self._all_stages:
            last = f"{stage.name}.{list(stage.layers)[-1]}"
            self._tapped_nodes[stage.name] = last
            if self._shapes[last] != stage.output_shape:
                found = str(stage.output_shape)
                raise InputError(f"output_shape of {stage.name}", str(self._shapes[last]), found)
        self.steps = plan(self.nodes, self._shapes, self.dtype)
        self._work = sum(self.multiply_adds().values())  # of one input
        self._layers = (*(node.layer for node in self.nodes), *(step.layer for step in self.steps))
        workspace = Scratch()
        for layer in self._layers:
            layer.workspace = workspace
        self._passes = Passes(self.nodes, self.steps)
        for node in self.nodes[:-1]:
            if not self._passes.n_readers[node.name]:
                raise InputError(f"output of {node.name}", "a layer that reads it", "none", "leave it out")

    def __repr__(self) -> str:
        parameters, multiply_adds = self.parameters(), sum(self.multiply_adds().values())
        size = sum(array.size for array in parameters.values())
        return (
            f"Network: {len(self.stages)} stages and a head, {self._inputs} to {self.n_labels} labels\n"
            f"{size} parameters of {self.dtype}, {multiply_adds} multiply-adds per {self._kind}\n"
            "summary() lists the stages"
        )

    def summary(self) -> Table:
        """A line for every stage: its layers, its output, parameters and multiply-adds per input.

        Examples
        --------
        >>> network = nn.build("lenet", 10, (28, 28, 1), rng=np.random.default_rng(0))
        >>> network
        Network: 4 stages and a head, images of 28 x 28 x 1 to 10 labels
        44416 parameters of float32, 281640 multiply-adds per image
        summary() lists the stages
        >>> network.summary()
        images of 28 x 28 x 1; multiply-adds per image, zeros included
        stage   layers                 output       parameters  not zero  multiply-adds
        -------------------------------------------------------------------------------
        stage1  conv, relu, pool       12 x 12 x 6         156       150          86400
        stage2  conv, relu, pool       4 x 4 x 16         2416      2400         153600
        stage3  flatten, linear, relu  120               30840     30720          30720
        stage4  linear, relu           84                10164     10080          10080
        head    flatten, linear        10                  840       840            840
        all                                              44416     44190         281640
        """
        counts = self.multiply_adds()
        rows, totals = list[tuple[str, ...]](), [0, 0, 0]
        for stage in self._all_stages:
            arrays = self.parameters((stage.name,)).values()
            numbers = (
                sum(array.size for array in arrays),
                sum(int(np.count_nonzero(array)) for array in arrays),
                sum(counts.get(f"{stage.name}.{key}", 0) for key in stage.layers),
            )
            totals = [total + number for total, number in zip(totals, numbers, strict=True)]
            rows.append((stage.name, ", ".join(stage.layers), _shown(stage.output_shape), *map(str, numbers)))
        header = ("stage", "layers", "output", "parameters", "not zero", "multiply-adds")
        title = f"{self._inputs}; multiply-adds per {self._kind}, zeros included"
        return Table(title, header, [*rows, ("all", "", "", *map(str, totals))], left=(0, 1, 2))

    @property
    def _kind(self) -> str:
        return "text" if self.n_words else "image"

    @property
    def _inputs(self) -> str:
        if self.n_words:
            return f"texts of {self.input_shape[0]} words, {self.n_words} in the vocabulary,"
        return f"images of {_shown(self.input_shape)}"

    @property
    def classifier_is_probe(self) -> bool:
        """Whether the head is one linear layer without bias, as the probe of the last stage is."""
        linear = [layer for layer in self.head.layers.values() if layer.parameters]
        return len(linear) == 1 and isinstance(linear[0], Linear) and "bias" not in linear[0].parameters

    @property
    def n_words(self) -> int:
        """Words that its embedding knows, with padding, where it reads ids of words; 0 if it reads images."""
        known = (
            len(node.layer.parameters["weight"])
            for node in self.nodes
            if node.inputs == (INPUT,) and isinstance(node.layer, Embedding)
        )
        return min(known, default=0)

    @property
    def output_bytes(self) -> int:
        """Bytes of one input and of the outputs of all layers for it."""
        return sum(map(math.prod, self._shapes.values())) * self.dtype.itemsize

    @property
    def inputs_per_pass(self) -> int:
        """Inputs of one pass: 100, or as many as have 2 GiB of outputs of all layers."""
        return inputs_that_fit(self.output_bytes)

    def examples(self, n: int, rng: np.random.Generator) -> Array:
        """Inputs without meaning, to count, time and compare: images in [-1, 1], or texts without padding."""
        shape = n, *self.input_shape
        drawn = rng.integers(1, self.n_words, shape) if self.n_words else rng.uniform(-1, 1, shape)
        return drawn.astype(self.dtype)

    def stage(self, name: str) -> Stage:
        """The stage called `name`; `InputError` when there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise unknown_name("stage", name, [stage.name for stage in self.stages])

    def output_shape(self, name: str) -> Shape:
        """Shape of an internal for one input, (H, W, C) or (C,); `InputError` for an unknown name."""
        return self._shapes[self._node_of(name)]

    def forward(
        self, x: Array, taps: Iterable[str] = (), training: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        """Logits of a batch, and copies of internals.

        Parameters
        ----------
        x : float array (N, H, W, C)
            Pixels scaled to [-1, 1] (`deeptheory.data.augmentation.scale`).
        taps : names
            The internals to copy: "stage3" is the output of a stage, "stage3.conv" that of a layer.
        training : bool
            Normalise by the statistics of this batch, and update the running statistics.

        Returns
        -------
        logits : array (N, K)
        internals : dict of arrays
            By the names in `taps`, (N, H, W, C) or (N, C).

        Raises
        ------
        InputError
            For an unknown name, or `x` of another shape or of integers.
        """
        copies: dict[str, Array] = {}
        observers = self._copying(taps, copies)
        return self._passes.forward(self._checked(x), observers, training).copy(), copies

    def infer(self, x: Array) -> Array:
        """The logits of `forward` without training, computed faster; `backward` cannot follow."""
        checked = self._checked(x)
        with threadpools.threads_for(len(checked) * self._work):
            return self._passes.forward(checked, {}, infer=True).copy()

    def internals(self, x: Array, taps: Iterable[str]) -> dict[str, Array]:
        """Copies of internals as in `forward`, computed no further than the deepest of them."""
        copies: dict[str, Array] = {}
        self.observe(x, {name: _copier(copies, name) for name in taps})
        return copies

    def observe(self, x: Array, observers: Mapping[str, Observer]) -> None:
        """Show internals to functions while they are still in the cache; nothing is copied.

        Parameters
        ----------
        x : float array (N, H, W, C)
        observers : mapping of names to functions
            Each is called once with the internal of its name, in order of computation, as soon as it is
            computed. It must not change the array, which is overwritten after it returns. The network is
            computed no further than the deepest of them, not in training mode.
        """
        by_node = self._by_node(observers)
        self._passes.forward(self._checked(x), by_node, infer=True, only_observed=True)

    def backward(
        self, dlogits: Array, taps: Iterable[str] = (), stages: Collection[str] = ()
    ) -> dict[str, Array]:
        """Set the gradients of the parameters for the batch of the last `forward`.

        Parameters
        ----------
        dlogits : array (N, K)
            Gradient of the loss with respect to the logits.
        taps : names
            As in `forward`.
        stages : names
            The stages whose gradients are wanted, "head" for the head; all if empty. The pass goes down to the
            lowest of them (and to the deepest tap); gradients of other stages are NOT those of this batch.

        Returns
        -------
        dict of arrays
            Gradient of the loss with respect to these internals.
        """
        if not self._passes.ready_for_backward:
            raise InputError("backward", "a forward pass before it", "none", "call network.forward first")
        copies: dict[str, Array] = {}
        trained = {node.name for node in self._nodes_of(stages) if node.layer.parameters}
        self._passes.backward(np.array(dlogits, self.dtype), self._copying(taps, copies), trained)
        return copies

    def parameters(self, stages: Collection[str] = ()) -> NamedArrays:
        """The trained arrays by dotted name ("stage1.conv.weight"), readable and replaceable.

        Of all stages, or of these ("head" for the head); `InputError` for a name that no stage has.
        """
        return self._named("parameters", stages)

    def buffers(self) -> NamedArrays:
        """The other arrays of its state ("stage1.norm.running_mean"), readable and replaceable."""
        return self._named("buffers")

    def gradients(self, stages: Collection[str] = ()) -> dict[str, Array]:
        """Gradients of the parameters after `backward` for the same stages; overwritten by the next one."""
        return {
            f"{node.name}.{key}": array
            for node in self._nodes_of(stages)
            for key, array in node.layer.gradients.items()
        }

    def state(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by dotted name."""
        return {name: a.copy() for named in (self.parameters(), self.buffers()) for name, a in named.items()}

    @contextlib.contextmanager
    def trained_by(self, group: Group) -> Iterator[None]:
        """Within this context, every training batch is this process's part of a batch of the group."""
        layers = [node.layer for node in self.nodes]
        for layer in layers:
            layer.group = group
        try:
            yield
        finally:
            for layer in layers:
                layer.group = ALONE

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Replace all parameters and buffers; an `InputError` leaves the network unchanged."""
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
        """Bytes that the layers have allocated so far for outputs, gradients and working memory."""
        scratches = {id(s): s for layer in self._layers for s in (layer.scratch, layer.workspace)}
        return self._passes.gradient_copies.nbytes + sum(scratch.nbytes for scratch in scratches.values())

    def multiply_adds(self) -> dict[str, int]:
        """Multiply-add operations per input of every layer with weights, by dotted name."""
        counts = {node.name: node.layer.multiply_adds(input_to(node, self._shapes)) for node in self.nodes}
        return {name: count for name, count in counts.items() if count}

    def _nodes_of(self, stages: Collection[str]) -> Sequence[Node]:
        """The layers of some stages in order of computation; all where none is named."""
        if not stages:
            return self.nodes
        known = {stage.name: {f"{stage.name}.{key}" for key in stage.layers} for stage in self._all_stages}
        for stage in stages:
            if stage not in known:
                raise unknown_name("stage", stage, known)
        names = set[str]().union(*(known[stage] for stage in stages))
        return [node for node in self.nodes if node.name in names]

    def _named(self, kind: str, stages: Collection[str] = ()) -> NamedArrays:
        stores = {node.name: getattr(node.layer, kind) for node in self._nodes_of(stages)}
        return NamedArrays({f"{name}.{key}": (s, key) for name, s in stores.items() for key in s})

    def _node_of(self, tap: str) -> str:
        if tap not in self._tapped_nodes:
            raise unknown_name("tap", tap, self._tapped_nodes)
        return self._tapped_nodes[tap]

    def _by_node(self, observers: Mapping[str, Observer]) -> dict[str, list[Observer]]:
        """The observers of taps, by the names of the nodes."""
        by_node: dict[str, list[Observer]] = {}
        for tap, observer in observers.items():
            by_node.setdefault(self._node_of(tap), []).append(observer)
        return by_node

    def _copying(self, taps: Iterable[str], copies: dict[str, Array]) -> dict[str, list[Observer]]:
        """Observers that copy the internals of these names."""
        return self._by_node({tap: _copier(copies, tap) for tap in taps})

    def _checked(self, x: Array) -> Array:
        if x.shape[1:] != self.input_shape:
            expected = ", ".join(["N", *map(str, self.input_shape)])
            raise InputError("images", f"shape ({expected})", f"shape {x.shape}")
        if not np.issubdtype(x.dtype, np.floating):
            raise InputError(
                "images", "floats in [-1, 1]", f"{x.dtype}", "use deeptheory.data.augmentation.scale"
            )
        # Writeable, because the kernels are compiled for writeable arrays.
        return np.require(x, self.dtype, ["C", "A", "W"])


def _shown(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def _copier(copies: dict[str, Array], name: str) -> Observer:
    def keep(internal: Array) -> None:
        copies[name] = internal.copy()

    return keep
