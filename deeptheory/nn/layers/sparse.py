"""Layers that store and compute only the kernels that a mask keeps: SparseConv2d and SparseLinear.

They are for inference only: a network is trained with dense layers under a mask, then made sparse.
"""

import operator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.nn.kernels import batch_lanes, convolution, fused_norm, sparse
from deeptheory.nn.kernels.compiled_kernel import geometry
from deeptheory.nn.kernels.vectors import explicit
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape, convolved_shape
from deeptheory.system import threadpools


class SparseLayer(Layer):
    """The kept kernels, sorted by output (compressed sparse rows of kernels).

    Attributes
    ----------
    n_in, n_out : int
        Numbers of input filters and of outputs.
    parameters
        ``values``: the kept kernels; ``bias``, if any.
    buffers
        ``starts``: (n_out + 1,) int64, output b has the kernels starts[b] .. starts[b+1] - 1; ``inputs``:
        (n_kept,) int64, the input filter of each kernel, ascending within an output.
    """

    def __init__(self, starts: Array, inputs: Array, values: Array, n_in: int, bias: Array | None) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, len(starts) - 1
        self.buffers["starts"] = np.array(starts, np.int64)
        self.buffers["inputs"] = np.array(inputs, np.int64)
        self.parameters["values"] = np.array(values, order="C")
        if bias is not None:
            self.parameters["bias"] = np.array(bias)
        self._plans: dict[tuple[Shape, int], sparse.Plan] = {}
        self._checked: tuple[Array, ...] = ()
        self._check()

    def plan_for(self, shape: Shape) -> sparse.Plan:
        """The plan for a batch of this shape, kept until `starts` or `inputs` are replaced."""
        self._check()
        key = shape, threadpools.threads()
        if key not in self._plans:
            self._plans[key] = self._plan(shape)
        return self._plans[key]

    def _plan(self, shape: Shape) -> sparse.Plan:
        return sparse.plan(shape, self.buffers["starts"], self.buffers["inputs"])

    def _check(self) -> None:
        """Refuse invalid arrays, with which the compiled kernel would read beyond their ends."""
        arrays = tuple(self.buffers.values())
        if len(self._checked) == len(arrays) and all(map(operator.is_, self._checked, arrays)):
            return
        self._check_arrays()
        for array in arrays:
            array.flags.writeable = False  # it can be replaced, which is noticed here, but not changed
        self._checked, self._plans = arrays, {}

    def _check_arrays(self) -> None:
        starts, inputs, values = *self.buffers.values(), self.parameters["values"]
        n_kept, kind = len(values), type(self).__name__
        if len(starts) < 2 or starts[0] != 0 or starts[-1] != n_kept or np.any(np.diff(starts) < 0):
            raise InputError(
                f"starts of {kind}", f"numbers that do not fall, from 0 to {n_kept} kernels", _short(starts)
            )
        if inputs.shape != (n_kept,) or (n_kept and not (inputs.min() >= 0 and inputs.max() < self.n_in)):
            expected = f"{n_kept} numbers from 0 to {self.n_in - 1}"
            raise InputError(f"inputs of {kind}", expected, f"shape {inputs.shape}: {_short(inputs)}")
        rises = np.diff(inputs) > 0
        firsts = starts[(starts > 0) & (starts < n_kept)]
        rises[firsts - 1] = True
        if not rises.all():
            raise InputError(f"inputs of {kind}", "each input once for an output, ascending", _short(inputs))
        bias = self.parameters.get("bias")
        if bias is not None and bias.shape != (self.n_out,):
            raise InputError(f"bias of {kind}", f"shape ({self.n_out},)", f"shape {bias.shape}")

    @property
    def n_kept(self) -> int:
        """Number of kept kernels."""
        return len(self.parameters["values"])

    def dense(self) -> Array:
        """The weight with zeros for the removed kernels: (n_out, n_in, ...)."""
        values = self.parameters["values"]
        weight = self.workspace.array("dense", (self.n_out, self.n_in, *values.shape[1:]), values.dtype)
        weight[:] = 0
        weight[self._outputs(), self.buffers["inputs"]] = values
        return weight

    def _outputs(self) -> NDArray[np.int64]:
        """The output of each kernel."""
        return np.repeat(np.arange(self.n_out), np.diff(self.buffers["starts"]))

    def refuse_training(self) -> InputError:
        """The error to raise when this layer is trained."""
        return InputError(
            f"training of {type(self).__name__}",
            "a layer that is trained",
            "one that only computes outputs",
            "train the dense network under its mask, then make it sparse",
        )

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        """Always an `InputError`: the layer is for inference only."""
        raise self.refuse_training()


def _short(numbers: Array) -> str:
    """An array in one line, abbreviated if it is long."""
    return np.array2string(numbers, threshold=20)


def kept_kernels(weight: Array, kernels: Array) -> tuple[Array, Array, Array]:
    """`starts`, `inputs` and `values` of the kernels to keep of a dense weight.

    Parameters
    ----------
    weight : array (n_out, n_in, ...)
    kernels : bool array (n_out, n_in)

    Raises
    ------
    InputError
        The shapes do not fit, or `kernels` is not boolean.
    """
    if kernels.shape != weight.shape[:2] or kernels.dtype != bool:
        expected, found = f"bool array of shape {weight.shape[:2]}", f"{kernels.dtype} of {kernels.shape}"
        raise InputError("kernels kept", expected, found)
    starts = np.concatenate([[0], np.cumsum(kernels.sum(axis=1))])
    return starts, np.nonzero(kernels)[1], weight[kernels]


class SparseConv2d(SparseLayer):
    """`Conv2d` with only the kept kernels, `(N, H, W, n_in)` -> `(N, OH, OW, n_out)`; for inference.

    out[.., b] = bias[b] + sum over the kept kernels i of output b of (kernel i applied to input inputs[i]).

    Parameters
    ----------
    starts : (n_out + 1,) int array
        Output b has the kernels starts[b] .. starts[b+1] - 1.
    inputs : (n_kept,) int array
        The input of each kernel, ascending within an output.
    values : (n_kept, kh, kw) array
    n_in : int
        Number of input channels.
    stride, padding : int
        The same along both axes.
    bias : (n_out,) array, optional

    Raises
    ------
    InputError
        The arrays do not fit together; or the layer is trained.
    """

    def __init__(
        self,
        starts: Array,
        inputs: Array,
        values: Array,
        n_in: int,
        stride: int,
        padding: int,
        bias: Array | None = None,
    ) -> None:
        super().__init__(starts, inputs, values, n_in, bias)
        self.stride, self.padding = stride, padding

    @classmethod
    def from_dense(
        cls, weight: Array, kernels: Array, stride: int, padding: int, bias: Array | None = None
    ) -> Self:
        """The layer that keeps some kernels, bool (n_out, n_in), of a dense weight (n_out, n_in, kh, kw)."""
        return cls(*kept_kernels(weight, kernels), weight.shape[1], stride, padding, bias)

    def output_shape(self, input_shape: Shape) -> Shape:
        kh, kw = self.parameters["values"].shape[1:]
        return convolved_shape(input_shape, (kh, kw), self.n_in, self.n_out, self.stride, self.padding)

    def multiply_adds(self, input_shape: Shape) -> int:
        height, width, _ = self.output_shape(input_shape)
        return height * width * self.parameters["values"].size

    @property
    def takes_lanes(self) -> bool:
        """Whether it is computed with one image in each lane of a vector; otherwise as a dense layer."""
        values = self.parameters["values"]
        return sparse.applies(values.dtype, values.shape[1:], self.stride, self.padding)

    def forward(self, x: Array, training: bool = False) -> Array:
        if training:
            raise self.refuse_training()
        shape, bias = self.shape_for(x), self.parameters.get("bias")
        out = self.scratch.array("out", shape, x.dtype)
        if not self.takes_lanes:
            self._check()
            weight = self.dense()
            sizes = geometry(x, weight, self.stride, self.padding)
            convolution.forward(sizes, x, weight, out, self.workspace)
        else:
            packed, result = (
                batch_lanes.array(f"lanes {number}", array.shape, self.workspace)
                for number, array in enumerate((x, out))
            )
            batch_lanes.pack(x, packed, self.workspace)
            self.convolve_lanes(packed, x.shape, fused_norm.NO_EPILOGUE, result)
            batch_lanes.unpack(result, out)
        if bias is not None:
            out += bias
        return out

    def convolve_lanes(self, x: Array, shape: Shape, epilogue: fused_norm.Epilogue, out: Array) -> None:
        """Write the output after `epilogue`, without the bias; `x` (`shape` unpacked) and `out` are in lanes."""
        sparse.convolve(x, self.plan_for(shape), self.parameters["values"], epilogue, out, self.workspace)


class SparseLinear(SparseLayer):
    """`Linear` with only the kept weights, `(N, n_in*P)` -> `(N, n_out)`; for inference.

    out[n, j] = bias[j] + sum over the kept kernels i of output j of values[i] . x[n, filter inputs[i]].

    Parameters
    ----------
    starts, inputs : int arrays (n_out + 1,), (n_kept,)
        As in `SparseConv2d`; an input is a filter, whose P positions are contiguous (`Flatten`).
    values : (n_kept, P) array
    n_in : int
        Number of input filters.
    bias : (n_out,) array, optional

    Raises
    ------
    InputError
        The arrays do not fit together; or the layer is trained.
    """

    def __init__(
        self, starts: Array, inputs: Array, values: Array, n_in: int, bias: Array | None = None
    ) -> None:
        super().__init__(starts, inputs, values, n_in, bias)

    @classmethod
    def from_dense(cls, weight: Array, kernels: Array, bias: Array | None = None) -> Self:
        """The layer that keeps some kernels, bool (n_out, n_in), of a dense weight (n_out, n_in*P)."""
        by_filters = weight.reshape(*kernels.shape, -1)
        return cls(*kept_kernels(by_filters, kernels), kernels.shape[1], bias)

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, self.n_in * self.parameters["values"].shape[1])
        return (self.n_out,)

    def multiply_adds(self, input_shape: Shape) -> int:
        return self.parameters["values"].size

    def forward(self, x: Array, training: bool = False) -> Array:
        if training:
            raise self.refuse_training()
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        if explicit(x.dtype):
            self._multiply_lanes(x, out)
        else:
            self._check()
            np.matmul(x, self.dense().reshape(self.n_out, -1).T, out=out)
        if "bias" in self.parameters:
            out += self.parameters["bias"]
        return out

    def _plan(self, shape: Shape) -> sparse.Plan:
        positions = self.parameters["values"].shape[1]
        inputs = self.buffers["inputs"][:, None] * positions + np.arange(positions)
        return sparse.plan(shape, self.buffers["starts"] * positions, inputs.reshape(-1))

    def _multiply_lanes(self, x: Array, out: Array) -> None:
        """The products without the bias, with one input in each lane of a vector."""
        packed, result = (
            batch_lanes.array(f"lanes {number}", array.shape, self.workspace)
            for number, array in enumerate((x, out))
        )
        batch_lanes.pack(x, packed, self.workspace)
        values = self.parameters["values"].reshape(-1)
        sparse.product(packed, self.plan_for(x.shape), values, result, self.workspace)
        batch_lanes.unpack(result, out)
