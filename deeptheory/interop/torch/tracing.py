"""One forward pass, followed tensor by tensor: which module puts out which filters, which layer reads them."""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeptheory.interop.torch.axes import Place, Shape
from deeptheory.interop.torch.filters import (
    Filters,
    Operand,
    Operation,
    batch_behind,
    following,
    unknown,
)
from deeptheory.interop.torch.layers import is_convolution

if TYPE_CHECKING:
    pass

CALL = "#"  # between the name of a module that is called several times and the number of the call
INPUT = ":input"  # behind the name of a layer: what it reads
CHOSEN = ":chosen"  # the same, at the token whose outputs are those of the model
SAME = 1e-6  # of the largest: by how much outputs of a token may differ from those of the model
N = 2  # inputs of the pass, so that no axis of length 1 is taken for the batch


@dataclass(frozen=True)
class Call:
    """One call of a module: its output, or its input.

    Attributes
    ----------
    module : str
        Its name.
    number : int
        1 for its first call in the forward pass.
    filters : Filters
        Those of its output.
    batch : Place or None
        Where the inputs of the batch are in it, None if that is not known.
    shape : tuple of int
        Of its output; () where that is no tensor.
    reads : bool
        Whether all this is said of its input.
    chosen : bool
        Of its input at one token of each input alone, the one that the outputs of the model are from.
    """

    module: str
    number: int
    filters: Filters
    batch: Place | None
    shape: Shape
    reads: bool = False
    chosen: bool = False

    @property
    def output(self) -> str:
        """The name without the number of the call."""
        return self.module + (CHOSEN if self.chosen else INPUT * self.reads)


@dataclass(frozen=True)
class MixingCall:
    """One call of a layer that mixes channels: the filters that it reads, and those that it puts out."""

    module: str
    read: Filters
    written: Filters


@dataclass(frozen=True)
class Trace:
    """What a forward pass did.

    Attributes
    ----------
    calls : list of Call
        In the order in which they ended.
    mixing : list of MixingCall
    images : Filters
        Those of the inputs, their channels.
    outputs : Filters
        Those of the output of the model.
    """

    calls: list[Call]
    mixing: list[MixingCall]
    images: Filters
    outputs: Filters

    @functools.cached_property
    def times(self) -> Counter[str]:
        """How often every module is called."""
        return Counter(call.output for call in self.calls)

    def label(self, call: Call) -> str:
        """The name of a stage: that of the module, with the number of the call where there are several."""
        several = self.times[call.output] > 1
        return f"{call.output}{CALL}{call.number}" if several else call.output

    def of(self, stage: str) -> list[Call]:
        """The calls that a name of a stage may mean."""
        named = [call for call in self.calls if call.output == stage]
        output, _, number = stage.rpartition(CALL)
        return named or [call for call in self.calls if (call.output, str(call.number)) == (output, number)]

    def reading(self, mixing: MixingCall) -> Call:
        """The call that is the input of a layer."""
        return next(call for call in self.calls if call.reads and call.filters is mixing.read)


def trace(
    torch: Any,
    modules: Mapping[str, Any],
    mixing: Callable[[Any], bool],
    given: Any,
    run: Callable[[Any], Any],
) -> Trace:
    """Run a model on a batch of two inputs, and follow the filters through every operation.

    Parameters
    ----------
    torch : module
        PyTorch.
    modules : mapping of str to torch.nn.Module
        By name, in evaluation mode; gradients are not wanted.
    mixing : callable
        Whether a module is a layer that mixes channels.
    given : tensor, or dict or list of tensors
        The inputs.
    run : callable
        Calls the model with them.
    """
    mode = _follower(torch)
    images = mode.inputs(torch.utils._pytree.tree_leaves(given))
    calls, layers, times, handles = list[Call](), list[MixingCall](), Counter[str](), []
    reads, by_token = dict[str, tuple[Filters, int]](), dict[str, Any]()

    def before_mixing(name: str) -> Any:
        def hook(module: Any, given: Any) -> None:
            filters, batch = mode.of(given[0])
            reads[name] = filters, len(calls)
            calls.append(Call(name, times[name] + 1, filters, batch, tuple(given[0].shape), reads=True))
            mode.inside += 1

        return hook

    def after_mixing(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            mode.inside -= 1
            axis = 1 if is_convolution(module) else output.ndim - 1
            written = Filters(axis, output.shape[axis], writers=frozenset((name,)))
            layers.append(MixingCall(name, reads[name][0], written))
            if not is_convolution(module) and output.ndim == 3:
                by_token[name] = output
            batch = mode.of(given[0])[1]
            mode.keep(output, written, batch if batch is not None and batch.axis < output.ndim else None)

        return hook

    def after_any(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            times[name] += 1
            tensor = first_tensor(torch, output)
            shape = () if tensor is None else tuple(tensor.shape)
            filters, batch = mode.of(tensor)
            calls.append(Call(name, times[name], filters, batch, shape))

        return hook

    try:
        for name, module in modules.items():
            if name and mixing(module):
                handles.append(module.register_forward_pre_hook(before_mixing(name)))
                handles.append(module.register_forward_hook(after_mixing(name)))
        for name, module in modules.items():
            if name:
                handles.append(module.register_forward_hook(after_any(name)))
        with mode:
            output = run(given)
    finally:
        for handle in handles:
            handle.remove()
    logits = first_tensor(torch, output)
    outputs = mode.of(logits)[0]
    for place, layer in enumerate(layers):
        name, behind = layer.module, layer.written in outputs.chain
        if not (behind and name in by_token and times[name] == 1):
            continue
        if chosen_tokens(by_token[name], logits) is not None:
            read = layer.read.after(Place(1, layer.read.n))
            calls.append(Call(name, 1, read, Place(0, N), (N, read.n), reads=True, chosen=True))
            layers[place] = MixingCall(name, read, layer.written)
    return Trace(calls, layers, images, outputs)


def chosen_tokens(by_token: Any, logits: Any) -> Any:
    """The tokens (n,) at which outputs (n, T, K) are the logits (n, K); None where they are not for each input."""
    if logits is None or logits.ndim != 2 or by_token.shape[::2] != logits.shape:
        return None
    distance = (by_token - logits[:, None]).abs().amax(-1)
    nearest, tokens = distance.min(1)
    return tokens if bool((nearest <= SAME * logits.abs().amax(1)).all()) else None


def module_of(output: str) -> str:
    """The module of a name of its output or of its input."""
    return output.removesuffix(INPUT).removesuffix(CHOSEN)


def first_tensor(torch: Any, output: Any) -> Any:
    """The tensor that a module puts out, first of a tuple, or the logits of a `ModelOutput`; None without one."""
    if isinstance(output, Mapping):
        output = output["logits"] if "logits" in output else list(output.values())
    if isinstance(output, list | tuple):
        return next((found for item in output if (found := first_tensor(torch, item)) is not None), None)
    return output if isinstance(output, torch.Tensor) else None


def _follower(torch: Any) -> Any:
    """A dispatch mode that keeps the filters of every tensor that depends on the inputs."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Follower(TorchDispatchMode):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            # the tensors are kept, so no number is used twice
            self.known: dict[int, tuple[Any, Filters, Place | None]] = {}
            self.inside = 0  # within a layer that mixes channels, whose operations say nothing more

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            # Else PyTorch loads its compiler, which takes seconds and sets environment variables.
            return False

        def inputs(self, tensors: list[Any]) -> Filters:
            first = tensors[0]
            has_filters = first.is_floating_point() and first.ndim in (2, 4)
            found = Filters(1, first.shape[1]) if has_filters else unknown("the inputs")
            for tensor in tensors:
                filters = found if tensor is first else unknown("the inputs")
                self.keep(tensor, filters, Place(0, N) if tensor.ndim and len(tensor) == N else None)
            return found

        def keep(self, tensor: Any, filters: Filters, batch: Place | None) -> None:
            self.known[id(tensor)] = (tensor, filters, batch)

        def of(self, tensor: Any) -> tuple[Filters, Place | None]:
            found = self.known.get(id(tensor))
            return found[1:] if found else (unknown("what does not depend on the inputs"), None)

        def _operand(self, value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [self._operand(item) for item in value]
            if not isinstance(value, torch.Tensor):
                return value
            found = self.known.get(id(value))
            return Operand(*found[1:], tuple(value.shape)) if found else None

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            names = [argument.name for argument in func._schema.arguments]
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            arguments = {name: self._operand(value) for name, value in given.items()}
            out = func(*args, **kwargs)
            name = func._schema.name.rpartition("::")[2]
            written = args[0] if name.endswith("_") and args else None
            name = name.rstrip("_")
            for item in out if isinstance(out, list | tuple) else [out]:
                if self.inside or not isinstance(item, torch.Tensor):
                    continue
                operation = Operation(name, arguments, tuple(item.shape))
                if operation.operands:
                    filters = following(operation)
                    if written is not None:
                        self._overwrite(written, filters, name)
                    self.keep(item, filters, batch_behind(operation))
            return out

        def _overwrite(self, tensor: Any, filters: Filters, name: str) -> None:
            """What is written in place changes all tensors in the same memory."""
            before, _ = self.of(tensor)
            if before in filters.chain:
                return
            memory = tensor.untyped_storage()._cdata  # the address is 0 for all tensors on the device meta
            for other, _, place in list(self.known.values()):
                if other is not tensor and other.untyped_storage()._cdata == memory:
                    self.keep(other, unknown(name), place)

    return Follower()
