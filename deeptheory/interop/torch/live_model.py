"""A PyTorch model as a `measure.Measurable`: outputs of modules, observed as they are computed."""

import contextlib
import difflib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.torch import layers
from deeptheory.interop.torch.axes import Place
from deeptheory.interop.torch.filters import Filters
from deeptheory.interop.torch.inputs import Pool
from deeptheory.interop.torch.passes import followed, in_projections, unwrapped
from deeptheory.interop.torch.tracing import (
    CALL,
    INPUT,
    Call,
    N,
    Trace,
    chosen_tokens,
    first_tensor,
    module_of,
    trace,
)
from deeptheory.nn import inputs_that_fit

if TYPE_CHECKING:
    import torch

Hook = Callable[..., None]


class LiveModel:
    """`measure.Measurable` of a model: runs it in evaluation mode, without gradients, on its own device.

    Parameters
    ----------
    model : torch.nn.Module
        One that ``torch.compile`` returned stands for the one that it was given.
    pool : Pool, optional
        Where the inputs are whose numbers are passed in their place; without it they are passed themselves.

    Raises
    ------
    InputError
        PyTorch is not installed, or it is no module, one of TorchScript, or one without values.
    """

    def __init__(self, model: "torch.nn.Module", pool: Pool | None = None) -> None:
        self.torch, self.pool = needed("torch", "torch"), pool
        if not isinstance(model, self.torch.nn.Module):
            raise InputError("model", "a torch.nn.Module", f"a {type(model).__name__}")
        self.model = unwrapped(self.torch, model)
        self.modules: dict[str, Any] = dict(self.model.named_modules())
        self._refuse_what_hooks_do_not_see()
        self.modules |= in_projections(self.torch, self.modules)
        floating = (tensor for tensor in self.model.parameters() if tensor.is_floating_point())
        first = next(floating, self.torch.zeros(0))
        self.device, self.dtype = first.device, first.dtype
        self._trace: Trace | None = None
        self.head_rows: dict[tuple[str, str], int] = {}  # filled by `head_rows.outer_of_heads`

    def _refuse_what_hooks_do_not_see(self) -> None:
        scripted = self.torch.jit.ScriptModule
        for name, module in self.modules.items():
            if isinstance(module, scripted):
                what = f"module '{name}'" if name else "model"
                do = "pass the module that was scripted or traced, with its weights: hooks do not see its parts"
                raise InputError(what, "a module whose forward pass is Python", "one of TorchScript", do)
        for name, parameter in self.model.named_parameters():
            if parameter.is_meta:
                do = "load the weights, for example by model.to_empty(device='cpu') and load_state_dict"
                raise InputError(f"parameter '{name}'", "a tensor with values", "one on the device meta", do)

    @property
    def inputs_per_pass(self) -> int:
        """Inputs of one pass: 100, or as many as have 2 GiB of outputs of all modules, once these are known."""
        calls = self._trace.calls if self._trace else []
        numbers = sum(math.prod(call.shape) for call in calls if not call.reads)
        return inputs_that_fit(numbers // N * self.dtype.itemsize)

    def module(self, name: str, what: str = "stage") -> "torch.nn.Module":
        """The module of that name; `InputError`, with the most similar name, where there is none."""
        if name and name in self.modules:
            module: torch.nn.Module = self.modules[name]
            return module
        near = difflib.get_close_matches(name, [known for known in self.modules if known], n=1)
        do = f"did you mean '{near[0]}'?" if near else "see model.named_modules()"
        raise InputError(what, "the name of a module of the model", f"'{name}'", do)

    def mixes(self, module: "torch.nn.Module") -> bool:
        """Whether a module has a kernel for every pair of an output and an input filter."""
        return layers.mixes(self.torch, module)

    def given(self, x: NDArray[np.float32]) -> Any:
        """What the model is called with for inputs (n, ...), on its device and in its precision."""
        found = self.torch.from_numpy(x) if self.pool is None else self.pool.rows(x)

        def moved(tensor: Any) -> Any:
            return tensor.to(self.device, self.dtype if tensor.is_floating_point() else tensor.dtype)

        return self.torch.utils._pytree.tree_map(moved, found)

    def outputs(self, x: NDArray[np.float32]) -> Any:
        """Outputs of the model for inputs (n, ...), on its device; `InputError` where they do not fit it."""
        return self._run(self.called, x)

    def called(self, given: Any) -> Any:
        """The model's outputs for a tensor, for tensors by their names, or for several in order."""
        if isinstance(given, Mapping):
            return self.model(**given)
        return self.model(*given) if isinstance(given, list | tuple) else self.model(given)

    def _run(self, function: Callable[[Any], Any], x: NDArray[np.float32]) -> Any:
        given = self.given(x)
        try:
            return function(given)
        except InputError:
            raise
        except (RuntimeError, IndexError, TypeError, ValueError) as failure:
            reason = str(failure).partition("\n")[0]
            shapes = ", ".join(str(tuple(leaf.shape)) for leaf in self.torch.utils._pytree.tree_leaves(given))
            found = f"a batch of shape {shapes}, which fails: {reason}"
            raise InputError("inputs", "what the model's forward pass takes", found) from failure

    def traced(self, x: NDArray[np.float32]) -> Trace:
        """What a forward pass does, found once from the first two inputs of x (n, ...)."""
        if self._trace is None:
            two = np.ascontiguousarray(np.resize(x, (N, *x.shape[1:])) if len(x) < N else x[:N])

            def run(given: Any) -> Trace:
                return trace(self.torch, self.modules, self.mixes, given, self.called)

            with self.hooked({}):
                self._trace = self._run(run, two)
        return self._trace

    def call(self, stage: str, x: NDArray[np.float32]) -> Call:
        """The call of a module that a stage names, "layer1.0.relu#2" where there are several.

        Raises
        ------
        InputError
            There is no such module or call, the name does not say which of several, or the output has no filters:
            which axes they and the inputs of the batch are on is not known.
        """
        found = self.traced(x)
        calls = found.of(stage)
        if not calls:
            output, _, number = stage.rpartition(CALL)
            named = output if number.isdigit() and module_of(output) in self.modules else stage
            layer = self.module(module_of(named))
            if named.endswith(INPUT) and not self.mixes(layer):
                expected = "the input of a layer that mixes channels"
                raise InputError(f"stage '{stage}'", expected, f"that of a {type(layer).__name__}")
            n = found.times[named]
            raise InputError(
                f"calls of module '{named}' in one forward pass", "1" if named == stage else number, f"{n}"
            )
        if len(calls) > 1:
            names = ", ".join(f"'{found.label(call)}'" for call in calls)
            raise InputError(
                f"calls of module '{stage}' in one forward pass", "1", f"{len(calls)}", f"name one of {names}"
            )
        (call,) = calls
        if why := unmeasured(call):
            raise InputError(f"output of module '{stage}'", *why, "name another stage")
        return call

    @contextlib.contextmanager
    def hooked(self, after: Mapping[str, Hook], before: Mapping[str, Hook] | None = None) -> Iterator[None]:
        """Within the block the model is in evaluation mode and has these hooks; afterwards it is as before.

        Hooks `after` a module are called as those of ``register_forward_hook``, those `before` as those of
        ``register_forward_pre_hook``.
        """
        training = [module for module in self.modules.values() if module.training]
        handles = []
        try:
            self.model.eval()
            for name, hook in (before or {}).items():
                handles.append(self.modules[name].register_forward_pre_hook(hook))
            for name, hook in after.items():
                handles.append(self.modules[name].register_forward_hook(hook))
            with self.torch.no_grad(), followed(self.torch, self.modules):
                yield
        finally:
            for handle in handles:
                handle.remove()
            for module in training:
                module.training = True

    def observe(
        self, x: NDArray[np.float32], observers: Mapping[str, Callable[[NDArray[np.float32]], Any]]
    ) -> None:
        """Call each function with the output of the call of its name, (n, ..., C), or the input of its layer.

        Raises
        ------
        InputError
            As `call`, or the forward pass does not call a module as often as for the first inputs.
        """
        calls = {name: self.call(name, x) for name in observers}
        times, expected = Counter[str](), self.traced(x).times

        def show(output: str, found: Any) -> None:
            times[output] += 1
            for name, call in calls.items():
                if (call.output, call.number) == (output, times[output]):
                    observers[name](filters_last(to_numpy(first_tensor(self.torch, found)), call, len(x)))

        inside = dict[str, tuple[Any, Any]]()

        def after(output: str) -> Hook:
            return lambda module, given, found: show(output, found)

        def keep(name: str) -> Hook:
            return lambda module, given, found: inside.__setitem__(name, (given[0], found))

        def before(output: str) -> Hook:
            return lambda module, given: show(output, given)

        reading = {c.module: before(c.output) for c in calls.values() if c.reads and not c.chosen}
        behind = {c.module: after(c.output) for c in calls.values() if not c.reads}
        behind |= {c.module: keep(c.output) for c in calls.values() if c.chosen}
        with self.hooked(behind, reading):
            logits = first_tensor(self.torch, self.outputs(x))
        for name, (given, written) in inside.items():
            show(name, self._at_chosen(name, given, written, logits))
        for name, n_calls in times.items():
            if n_calls != expected[name]:
                what = f"calls of module '{module_of(name)}' in one forward pass"
                raise InputError(what, f"{expected[name]}, as for the first inputs", f"{n_calls}")

    def _at_chosen(self, name: str, given: Any, written: Any, logits: Any) -> Any:
        """What a layer reads (n, T, C) at the tokens whose outputs are those of the model, (n, C)."""
        tokens = chosen_tokens(written, logits)
        if tokens is None:
            expected = (
                "outputs of the model that are those of one token of this layer, as for the first inputs"
            )
            raise InputError(f"stage '{name}'", expected, "others")
        return given[self.torch.arange(len(given), device=given.device), tokens]

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs of the whole model, (n, K); `InputError` where they have another form."""
        with self.hooked({}):
            output = self.outputs(x)
        found = first_tensor(self.torch, output)
        if found is None or found.ndim != 2 or len(found) != len(x):
            shape = f"a {type(output).__name__}" if found is None else f"one of shape {tuple(found.shape)}"
            raise InputError("output of the model", "a tensor (N, K), one output per label", shape)
        if found.shape[1] < 2:
            do = "give each of two labels an output, as a linear layer with two outputs has them"
            raise InputError("output of the model", "one output per label, two at least", "one", do)
        return to_numpy(found)


def unmeasured(call: Call) -> tuple[str, str] | None:
    """What was expected and found where the output of a call has no filters to be measured."""
    expected = "a tensor (N, C, H, W), (N, H, W, C), (N, T, C) or (N, C)"
    if not call.shape:
        return expected, "something else"
    shape = f"({', '.join(['N', *map(str, call.shape[1:])])})"
    if call.batch is None or (len(call.shape) < 2):
        return expected, f"one of shape {shape}"
    if call.filters.axis == call.batch.axis:
        return "an output whose filters are on an axis of their own", f"shape {shape}"
    if call.filters.axis < 0 and len(call.shape) > 2:
        found = f"shape {shape} behind {call.filters.lost}"
        return "an output whose axis of filters follows from the layers before it", found
    return None


def filters_of(call: Call) -> Place:
    """Where the filters of a call are; those of nodes that nothing is known of are on the last axis."""
    filters: Filters = call.filters
    return filters.place if filters.axis >= 0 else Place(len(call.shape) - 1, call.shape[-1])


def shape_of(call: Call) -> tuple[int, ...]:
    """Shape of the output of a call for one input; positions that are merged with the inputs come first."""
    batch = call.batch
    assert batch is not None
    outside, _, inside = batch.pieces(call.shape[batch.axis])
    others = [size for axis, size in enumerate(call.shape) if axis != batch.axis]
    return tuple(n for n in (outside, inside) if n > 1) + tuple(others)


def filters_last(output: NDArray[np.float32], call: Call, n_inputs: int) -> NDArray[np.float32]:
    """The output of a call with the inputs on the first axis and the filters on the last, positions between."""
    filters, batch, shape, ends = filters_of(call), call.batch, list[int](), dict[int, int]()
    assert batch is not None
    for axis, size in enumerate(output.shape):
        place = Place(axis, n_inputs, batch.outer) if axis == batch.axis else filters
        pieces = place.pieces(size) if axis == place.axis else (1, size, 1)
        if axis == place.axis:
            ends[axis] = len(shape) + (pieces[0] > 1)
        shape += [n for number, n in enumerate(pieces) if n > 1 or number == 1]
    return np.moveaxis(output.reshape(shape), (ends[batch.axis], ends[filters.axis]), (0, -1))


def to_numpy(tensor: Any) -> NDArray[np.float32]:
    """A tensor as a float32 array in the memory of the processor."""
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
