"""A PyTorch model as a `measure.Measurable`: outputs of modules, observed as they are computed."""

import contextlib
import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.torch.filters import Filters
from deeptheory.interop.torch.tracing import CALL, Call, Trace, trace

if TYPE_CHECKING:
    import torch

Hook = Callable[..., None]


class LiveModel:
    """`measure.Measurable` of a model: runs it in evaluation mode, without gradients, on its own device.

    Parameters
    ----------
    model : torch.nn.Module

    Raises
    ------
    InputError
        PyTorch is not installed, or it is no module, one of TorchScript, or one without values.
    """

    def __init__(self, model: "torch.nn.Module") -> None:
        self.torch = needed("torch", "torch")
        if not isinstance(model, self.torch.nn.Module):
            raise InputError("model", "a torch.nn.Module", f"a {type(model).__name__}")
        self.model = model
        self.modules: dict[str, Any] = dict(model.named_modules())
        self._refuse_what_hooks_do_not_see()
        floating = (tensor for tensor in model.parameters() if tensor.is_floating_point())
        first = next(floating, self.torch.zeros(0))
        self.device, self.dtype = first.device, first.dtype
        self._trace: Trace | None = None

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
        tn = self.torch.nn
        return isinstance(module, tn.Linear) or (isinstance(module, tn.Conv2d) and module.groups == 1)

    def outputs(self, x: NDArray[np.float32]) -> Any:
        """Outputs of the model for inputs (n, ...), on its device; `InputError` where they do not fit it."""
        return self._run(self.model, x)

    def _run(self, function: Callable[[Any], Any], x: NDArray[np.float32]) -> Any:
        try:
            return function(self.torch.from_numpy(x).to(self.device, self.dtype))
        except RuntimeError as failure:
            reason = str(failure).partition("\n")[0]
            found = f"a batch of shape {x.shape}, which fails: {reason}"
            raise InputError("inputs", "what the model's forward pass takes", found) from failure

    def traced(self, x: NDArray[np.float32]) -> Trace:
        """What a forward pass does, found once from the first two inputs of x (n, ...)."""
        if self._trace is None:
            two = np.ascontiguousarray(np.resize(x, (2, *x.shape[1:])) if len(x) < 2 else x[:2])
            mixing = [name for name, module in self.modules.items() if name and self.mixes(module)]
            with self.hooked({}):
                self._trace = self._run(lambda given: trace(self.torch, self.model, mixing, given), two)
        return self._trace

    def call(self, stage: str, x: NDArray[np.float32]) -> Call:
        """The call of a module that a stage names, "layer1.0.relu#2" where there are several.

        Raises
        ------
        InputError
            There is no such module or call, the name does not say which of several, or the output has no filters:
            it is no tensor of shape (n, C), (n, C, H, W) or (n, H, W, C), or which axis they are on is not known.
        """
        found = self.traced(x)
        calls = found.of(stage)
        if not calls:
            module, _, number = stage.rpartition(CALL)
            named = module if number.isdigit() and module in self.modules else stage
            self.module(named)
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
            with self.torch.no_grad():
                yield
        finally:
            for handle in handles:
                handle.remove()
            for module in training:
                module.training = True

    def observe(
        self, x: NDArray[np.float32], observers: Mapping[str, Callable[[NDArray[np.float32]], Any]]
    ) -> None:
        """Call each function with the output of the call of its name, (n, H, W, C), (n, P, C) or (n, C).

        Raises
        ------
        InputError
            As `call`, or the forward pass does not call a module as often as for the first inputs.
        """
        calls = {name: self.call(name, x) for name in observers}
        times, expected = Counter[str](), self.traced(x).times

        def shown_to(module: str) -> Hook:
            def hook(_: Any, given: Any, output: Any) -> None:
                times[module] += 1
                for name, call in calls.items():
                    if (call.module, call.number) == (module, times[module]):
                        observers[name](filters_last(output, call.filters))

            return hook

        with self.hooked({call.module: shown_to(call.module) for call in calls.values()}):
            self.outputs(x)
        for name, n_calls in times.items():
            if n_calls != expected[name]:
                what = f"calls of module '{name}' in one forward pass"
                raise InputError(what, f"{expected[name]}, as for the first inputs", f"{n_calls}")

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs of the whole model, (n, K); `InputError` where they have another form."""
        with self.hooked({}):
            output = self.outputs(x)
        if not isinstance(output, self.torch.Tensor) or output.ndim != 2 or len(output) != len(x):
            raise InputError(
                "output of the model", "a tensor (N, K), one output per label", self._found(output)
            )
        return to_numpy(output)

    def _found(self, output: Any) -> str:
        is_tensor = isinstance(output, self.torch.Tensor)
        return f"one of shape {tuple(output.shape)}" if is_tensor else f"a {type(output).__name__}"


def unmeasured(call: Call) -> tuple[str, str] | None:
    """What was expected and found where the output of a call has no filters to be measured."""
    expected = "a tensor (N, C, H, W), (N, H, W, C) or (N, C)"
    if not call.shape:
        return expected, "something else"
    if len(call.shape) not in (2, 4) or call.shape[0] != 2:
        return expected, f"one of shape ({', '.join(['N', *map(str, call.shape[1:])])})"
    if call.filters.axis < 1 and len(call.shape) == 4:
        found = f"shape ({', '.join(['N', *map(str, call.shape[1:])])}) behind {call.filters.lost}"
        return "an output whose axis of filters follows from the layers before it", found
    return None


def filters_last(output: "torch.Tensor", filters: Filters) -> NDArray[np.float32]:
    """The output of a call with its filters on the last axis, positions that were merged with them before it."""
    array = to_numpy(output)
    if filters.axis < 1 or array.shape[filters.axis] == filters.n:
        return array if filters.axis < 1 else np.moveaxis(array, filters.axis, -1)
    shape = array.shape
    apart = (*shape[: filters.axis], filters.n, -1, *shape[filters.axis + 1 :])
    return np.moveaxis(array.reshape(apart), filters.axis, -1)


def to_numpy(tensor: Any) -> NDArray[np.float32]:
    """A tensor as a float32 array in the memory of the processor."""
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
