"""A network of stages and a head, with every internal readable by its dotted name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import DTypeLike

from deeptheory import machine
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.convolution import Linear
from deeptheory.nn.kernels import Scratch
from deeptheory.nn.layer import Array, Layer, Shape

Observer = Callable[[Array], None]


@dataclass(frozen=True)
class Stage:
    """Layers that count as one block of the network.

    Attributes
    ----------
    name : str
        "stage1", "stage2", ... or "head".
    layers : dict of Layer
        In order: conv, norm, relu, pool; flatten, linear, relu where the stage is fully connected.
    output_shape : tuple of int
        (H, W, C) or (C,).
    """

    name: str
    layers: dict[str, Layer]
    output_shape: Shape


class NamedArrays(MutableMapping[str, Array]):
    """The arrays of a network by dotted name: reading gives the array itself, setting replaces it by a copy.

    Setting checks shape and dtype and raises `InputError`. The names are fixed.
    """

    def __init__(self, places: Mapping[str, tuple[dict[str, Array], str]]) -> None:
        self._places = places

    def _place(self, name: str) -> tuple[dict[str, Array], str]:
        if name not in self._places:
            raise unknown_name("parameter", name, self._places)
        return self._places[name]

    def __getitem__(self, name: str) -> Array:
        store, key = self._place(name)
        return store[key]

    def __setitem__(self, name: str, value: Array) -> None:
        store, key = self._place(name)
        value, held = np.asarray(value), store[key]
        if value.shape != held.shape or value.dtype != held.dtype:
            raise InputError(
                name,
                f"{held.dtype} array of shape {held.shape}",
                f"{value.dtype} array of shape {value.shape}",
            )
        store[key] = np.array(value, order="C")

    def __delitem__(self, name: str) -> None:
        raise TypeError("the parameters of a network cannot be deleted")

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _keep_copy(found: dict[str, Array], name: str) -> Observer:
    def keep(internal: Array) -> None:
        found[name] = internal.copy()

    return keep


def _silent_overflow() -> AbstractContextManager[None]:
    # A diverging network shows in its loss; NumPy's warnings would come first and say less.
    return np.errstate(over="ignore", invalid="ignore")


class Network:
    """Stages in a chain, then a head that gives one output per label.

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
    input_shape : tuple of int
    n_labels : int
    """

    def __init__(
        self, stages: Iterable[Stage], head: Stage, input_shape: Shape, dtype: DTypeLike = np.float32
    ) -> None:
        self.stages, self.head = tuple(stages), head
        self.input_shape, self.n_labels = tuple(input_shape), head.output_shape[0]
        self.dtype = np.dtype(dtype)
        self._layers = {
            f"{stage.name}.{name}": layer
            for stage in (*self.stages, head)
            for name, layer in stage.layers.items()
        }
        workspace = Scratch()
        for layer in self._layers.values():
            layer.workspace = workspace
        order = list(self._layers)
        self._taps = {name: index for index, name in enumerate(order)}
        for stage in (*self.stages, head):
            self._taps[stage.name] = self._taps[f"{stage.name}.{list(stage.layers)[-1]}"]
        self._first_trained = min(i for i, name in enumerate(order) if self._layers[name].parameters)
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
        logits = self._propagate(x, wanted, observers, len(self._layers), training)
        self._ran_forward = True
        return logits.copy(), found

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
        self._ran_forward = False
        self._propagate(x, wanted, observers, max(wanted, default=-1) + 1, training=False)

    def _propagate(
        self,
        x: Array,
        wanted: dict[int, list[str]],
        observers: Mapping[str, Observer],
        n_layers: int,
        training: bool,
    ) -> Array:
        """Output of the first `n_layers` layers; the observers see those in `wanted`."""
        h = self._checked(x)
        with machine.single_threaded_blas(), _silent_overflow():
            for index, layer in enumerate(islice(self._layers.values(), n_layers)):
                h = layer.forward(h, training)
                for name in wanted.get(index, ()):
                    observers[name](h)
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
        wanted = self._resolve(taps)
        lowest = min([self._first_trained, *wanted])
        gradient: Array | None = np.array(dlogits, self.dtype)
        found = {}
        with machine.single_threaded_blas(), _silent_overflow():
            for index, layer in reversed(list(enumerate(self._layers.values()))):
                assert gradient is not None
                for name in wanted.get(index, ()):
                    found[name] = gradient.copy()
                gradient = layer.backward(gradient, input_gradient=index > lowest)
                if index == lowest:
                    break
        return found

    def parameters(self) -> NamedArrays:
        """The trained arrays by dotted name ("stage1.conv.weight"), readable and replaceable."""
        return self._named("parameters")

    def buffers(self) -> NamedArrays:
        """The running statistics by dotted name ("stage1.norm.running_mean"), readable and replaceable."""
        return self._named("buffers")

    def gradients(self) -> dict[str, Array]:
        """Gradients of the parameters after `backward`; overwritten by the next one."""
        return {
            f"{layer_name}.{key}": array
            for layer_name, layer in self._layers.items()
            for key, array in layer.gradients.items()
        }

    def state(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by dotted name."""
        return {name: a.copy() for named in (self.parameters(), self.buffers()) for name, a in named.items()}

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

    def multiply_adds(self) -> dict[str, int]:
        """Multiply-add operations per input of every layer with weights, by dotted name."""
        shape, counts = self.input_shape, {}
        for name, layer in self._layers.items():
            if count := layer.multiply_adds(shape):
                counts[name] = count
            shape = layer.output_shape(shape)
        return counts

    def _named(self, kind: str) -> NamedArrays:
        stores = {name: getattr(layer, kind) for name, layer in self._layers.items()}
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
