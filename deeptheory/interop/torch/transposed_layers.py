"""The linear layers of GPT-2 in transformers, whose weights are (in, out), as `nn.Linear` and back."""

import copy
from collections.abc import Mapping
from typing import Any

from deeptheory.interop.torch.layers import is_transposed


def as_linear(torch: Any, model: Any) -> dict[str, Any]:
    """Put `nn.Linear` in the place of such layers of a model; they are returned by name."""
    found = {name: module for name, module in model.named_modules() if is_transposed(module)}
    for name, module in found.items():
        linear = torch.nn.Linear(1, 1, device="meta")
        linear.weight, linear.bias = torch.nn.Parameter(module.weight.data.T.contiguous()), module.bias
        linear.out_features, linear.in_features = linear.weight.shape
        _put(model, name, linear.train(module.training))
    return found


def as_before(torch: Any, model: Any, layers: Mapping[str, Any]) -> None:
    """Put copies of these layers back, with the weights of those that stand in their place."""
    for name, module in layers.items():
        linear, back = model.get_submodule(name), copy.copy(module)
        back._parameters = dict(module._parameters)
        back.weight, back.bias = torch.nn.Parameter(linear.weight.data.T.contiguous()), linear.bias
        back.nx, back.nf = back.weight.shape
        _put(model, name, back)


def _put(model: Any, name: str, module: Any) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
