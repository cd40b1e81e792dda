"""What a model needs while its forward passes are followed: its modules called in Python, one by one."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from deeptheory.interop.torch.layers import IN_PROJECTION
from deeptheory.interop.torch.names import MASK

if TYPE_CHECKING:
    import torch


def unwrapped(torch: Any, model: Any) -> Any:
    """The module that ``torch.compile`` was given, where it is one that this returned."""
    return getattr(model, "_orig_mod", model) if isinstance(model, torch.nn.Module) else model


def in_projections(torch: Any, modules: Mapping[str, Any]) -> dict[str, Any]:
    """Layers for the weights of queries, keys and values that ``nn.MultiheadAttention`` holds itself, by name."""
    found = {}
    for name, module in modules.items():
        if not isinstance(module, torch.nn.MultiheadAttention) or module.in_proj_weight is None:
            continue
        layer = torch.nn.Linear(1, 1, bias=False, device="meta")
        layer._parameters = {
            name.replace("in_proj_", ""): parameter
            for name, parameter in module._parameters.items()
            if name.startswith("in_proj_")
        }
        layer._buffers = {f"weight{MASK}": mask for mask in module._buffers.values()}  # of a masked weight
        if "weight" not in layer._parameters:
            layer.weight = module.in_proj_weight
        layer.out_features, layer.in_features = layer.weight.shape
        layer.owner = (module,)  # in a tuple, so that it is no part of the layer
        found[f"{name}.{IN_PROJECTION}" if name else IN_PROJECTION] = layer.eval()
    return found


@contextlib.contextmanager
def followed(torch: Any, modules: Mapping[str, "torch.nn.Module"]) -> Iterator[None]:
    """Within the block nothing is compiled or fused, and linear layers are called by whoever uses their weights.

    ``nn.MultiheadAttention`` and torchvision's Swin multiply by the weights of their linear layers themselves, so
    that no hook of these layers would be called: within the block the layer of a weight is called in its place.
    """
    linear = torch.nn.functional.linear
    layers = [module for module in modules.values() if isinstance(module, torch.nn.Linear)]
    called = set[int]()

    def enter(module: Any, given: Any) -> None:
        called.add(id(module))

    def leave(module: Any, given: Any, output: Any) -> None:
        called.discard(id(module))

    def by_layer(x: Any, weight: Any, bias: Any = None) -> Any:
        layer = of_weight.get(id(weight)) or computed_by(weight)
        if layer is None or id(layer) in called or bias is not layer.bias:
            return linear(x, weight, bias)
        return layer(x)

    def computed_by(weight: Any) -> Any:
        """The layer whose weight, a product with a mask, has just been computed."""
        for layer in () if isinstance(weight, torch.nn.Parameter) else layers:
            if hasattr(layer, "owner") and layer.owner[0].in_proj_weight is weight:
                layer.weight = weight
            if layer.weight is weight:
                return layer
        return None

    handles = [layer.register_forward_pre_hook(enter) for layer in layers]
    handles += [layer.register_forward_hook(leave, always_call=True) for layer in layers]
    of_weight = {id(layer.weight): layer for layer in layers}
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.nn.functional.linear = by_layer
        torch.backends.mha.set_fastpath_enabled(False)
        with _uncompiled(torch):
            yield
    finally:
        torch.nn.functional.linear = linear
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()


def _uncompiled(torch: Any) -> contextlib.AbstractContextManager[Any]:
    """Runs compiled parts as Python; without any, the compiler is not loaded, which sets environment variables."""
    if "torch._dynamo" not in sys.modules:
        return contextlib.nullcontext()
    stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance
