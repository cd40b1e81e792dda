"""A PyTorch model as a `measure.Measurable`: outputs of modules, observed as they are computed."""

import contextlib
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed

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
        PyTorch is not installed, or it is no module.
    """

    def __init__(self, model: "torch.nn.Module") -> None:
        self.torch = needed("torch", "torch")
        if not isinstance(model, self.torch.nn.Module):
            raise InputError("model", "a torch.nn.Module", f"a {type(model).__name__}")
        self.model = model
        self.modules: dict[str, Any] = dict(model.named_modules())
        floating = (tensor for tensor in model.parameters() if tensor.is_floating_point())
        first = next(floating, self.torch.zeros(0))
        self.device, self.dtype = first.device, first.dtype

    def module(self, name: str, what: str = "stage") -> "torch.nn.Module":
        """The module of that name; `InputError`, with the most similar name, where there is none."""
        if name and name in self.modules:
            module: torch.nn.Module = self.modules[name]
            return module
        near = difflib.get_close_matches(name, [known for known in self.modules if known], n=1)
        do = f"did you mean '{near[0]}'?" if near else "see model.named_modules()"
        raise InputError(what, "the name of a module of the model", f"'{name}'", do)

    def outputs(self, x: NDArray[np.float32]) -> Any:
        """Outputs of the model for inputs (n, ...), on its device; `InputError` where they do not fit it."""
        try:
            return self.model(self.torch.from_numpy(x).to(self.device, self.dtype))
        except RuntimeError as failure:
            reason = str(failure).partition("\n")[0]
            found = f"a batch of shape {x.shape}, which fails: {reason}"
            raise InputError("inputs", "what the model's forward pass takes", found) from failure

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
        """Call each function with the output of the module of its name, (n, H, W, C) or (n, C).

        Raises
        ------
        InputError
            There is no such module, the forward pass does not call it exactly once, or its output is no tensor of
            shape (n, C, H, W) or (n, C).
        """
        calls = dict.fromkeys(observers, 0)

        def shown_to(name: str) -> Hook:
            def hook(module: Any, given: Any, output: Any) -> None:
                calls[name] += 1
                if calls[name] == 1:
                    observers[name](self._channels_last(name, output, len(x)))

            return hook

        hooks = {name: shown_to(name) for name in observers if self.module(name)}
        with self.hooked(hooks):
            self.outputs(x)
        for name, n_calls in calls.items():
            if n_calls != 1:
                do = "give every place where it is used a module of its own" if n_calls else ""
                what = f"calls of module '{name}' in one forward pass"
                raise InputError(what, "1", str(n_calls), do)

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs of the whole model, (n, K); `InputError` where they have another form."""
        with self.hooked({}):
            output = self.outputs(x)
        if not isinstance(output, self.torch.Tensor) or output.ndim != 2 or len(output) != len(x):
            raise InputError(
                "output of the model", "a tensor (N, K), one output per label", self._found(output)
            )
        return to_numpy(output)

    def _channels_last(self, name: str, output: Any, n: int) -> NDArray[np.float32]:
        is_tensor = isinstance(output, self.torch.Tensor)
        if not is_tensor or output.ndim not in (2, 4) or len(output) != n or not output.is_floating_point():
            expected = "a tensor (N, C, H, W) or (N, C)"
            raise InputError(
                f"output of module '{name}'", expected, self._found(output), "name another stage"
            )
        return to_numpy(output.permute(0, 2, 3, 1) if output.ndim == 4 else output)

    def _found(self, output: Any) -> str:
        is_tensor = isinstance(output, self.torch.Tensor)
        return f"one of shape {tuple(output.shape)}" if is_tensor else f"a {type(output).__name__}"


def to_numpy(tensor: Any) -> NDArray[np.float32]:
    """A tensor as a float32 array in the memory of the processor."""
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
