"""One forward pass, followed tensor by tensor: which module puts out which filters, which layer reads them."""

import functools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeptheory.interop.torch.filters import Filters, Operand, Operation, Shape, following, unknown

if TYPE_CHECKING:
    import torch

CALL = "#"  # between the name of a module that is called several times and the number of the call


@dataclass(frozen=True)
class Call:
    """One call of a module.

    Attributes
    ----------
    module : str
        Its name.
    number : int
        1 for its first call in the forward pass.
    filters : Filters
        Those of its output.
    shape : tuple of int
        Of its output; () where that is no tensor.
    """

    module: str
    number: int
    filters: Filters
    shape: Shape


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
        return Counter(call.module for call in self.calls)

    def label(self, call: Call) -> str:
        """The name of a stage: that of the module, with the number of the call where there are several."""
        several = self.times[call.module] > 1
        return f"{call.module}{CALL}{call.number}" if several else call.module

    def of(self, stage: str) -> list[Call]:
        """The calls that a name of a stage may mean."""
        named = [call for call in self.calls if call.module == stage]
        module, _, number = stage.rpartition(CALL)
        return named or [call for call in self.calls if (call.module, str(call.number)) == (module, number)]


def trace(torch: Any, model: "torch.nn.Module", mixing: Iterable[str], x: "torch.Tensor") -> Trace:
    """Run a model on a batch of two inputs or more, and follow the filters through every operation.

    Parameters
    ----------
    torch : module
        PyTorch.
    model : torch.nn.Module
        In evaluation mode; gradients are not wanted.
    mixing : iterable of str
        Names of its convolutions without groups and linear layers.
    x : tensor
    """
    mixers = {name: model.get_submodule(name) for name in mixing}
    mode = _follower(torch)
    images = mode.images(x)
    calls, layers, times, handles = list[Call](), list[MixingCall](), Counter[str](), []

    def before_mixing(module: Any, given: Any) -> None:
        mode.inside += 1

    def after_mixing(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            mode.inside -= 1
            axis = output.ndim - 1 if isinstance(module, torch.nn.Linear) else 1
            written = Filters(axis, output.shape[axis], writers=frozenset((name,)))
            layers.append(MixingCall(name, mode.of(given[0]), written))
            mode.keep(output, written)

        return hook

    def after_any(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            times[name] += 1
            is_tensor = isinstance(output, torch.Tensor)
            shape = tuple(output.shape) if is_tensor else ()
            calls.append(Call(name, times[name], mode.of(output), shape))

        return hook

    try:
        for name, module in mixers.items():
            handles.append(module.register_forward_pre_hook(before_mixing))
            handles.append(module.register_forward_hook(after_mixing(name)))
        for name, module in model.named_modules():
            if name:
                handles.append(module.register_forward_hook(after_any(name)))
        with mode:
            output = model(x)
    finally:
        for handle in handles:
            handle.remove()
    return Trace(calls, layers, images, mode.of(output))


def _follower(torch: Any) -> Any:
    """A dispatch mode that keeps the filters of every tensor that depends on the inputs."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Follower(TorchDispatchMode):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.known: dict[
                int, tuple[Any, Filters]
            ] = {}  # the tensors are kept, so no number is used twice
            self.inside = 0  # within a layer that mixes channels, whose operations say nothing more

        def images(self, x: Any) -> Filters:
            found = Filters(1, x.shape[1]) if x.ndim in (2, 4) else unknown("the inputs")
            self.keep(x, found)
            return found

        def keep(self, tensor: Any, filters: Filters) -> None:
            self.known[id(tensor)] = (tensor, filters)

        def of(self, tensor: Any) -> Filters:
            found = self.known.get(id(tensor))
            return found[1] if found else unknown("what does not depend on the inputs")

        def _operand(self, value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [self._operand(item) for item in value]
            if not isinstance(value, torch.Tensor):
                return value
            found = self.known.get(id(value))
            return Operand(found[1], tuple(value.shape)) if found else None

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            names = [argument.name for argument in func._schema.arguments]
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            arguments = {name: self._operand(value) for name, value in given.items()}
            out = func(*args, **kwargs)
            outs = [
                item for item in (out if isinstance(out, list | tuple) else [out]) if self._is_result(item)
            ]
            name = func._schema.name.rpartition("::")[2]
            written = args[0] if name.endswith("_") and args else None
            name = name.rstrip("_")
            for item in outs:
                operation = Operation(name, arguments, tuple(item.shape))
                if self.inside or not operation.operands:
                    continue
                filters = following(operation)
                if written is not None:
                    self._overwrite(written, filters, name)
                self.keep(item, filters)
            return out

        def _is_result(self, item: Any) -> bool:
            return isinstance(item, torch.Tensor) and item.is_floating_point()

        def _overwrite(self, tensor: Any, filters: Filters, name: str) -> None:
            """What is written in place changes all tensors in the same memory."""
            before = self.of(tensor)
            if before in filters.chain:
                return
            memory = tensor.untyped_storage().data_ptr()
            for other, _ in list(self.known.values()):
                if other is not tensor and other.untyped_storage().data_ptr() == memory:
                    self.keep(other, unknown(name))

    return Follower()
