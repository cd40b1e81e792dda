"""Refit of a masked model in closed form, layer after layer, through hooks."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure, nn, prune
from deeptheory.errors import InputError
from deeptheory.interop.torch.connections import computed
from deeptheory.interop.torch.layers import is_convolution, is_transposed, layer_of, parameter_of
from deeptheory.interop.torch.live_model import LiveModel, to_numpy
from deeptheory.measure.patches import patch_bytes

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Mixing:
    """A layer that mixes channels, as called by the forward pass.

    Attributes
    ----------
    name : str
        Of the module.
    n_positions : int
        Positions at which its filters are applied to one input.
    norm : str
        Name of the batch norm that takes its unchanged output, "" without one.
    normed_later : bool
        Whether a batch norm is called behind it.
    """

    name: str
    n_positions: int
    norm: str
    normed_later: bool


class LivePredictor(prune.RefitPredictor):
    """`prune.RefitPredictor` of a live model; parameters as there."""

    images: NDArray[np.float32]  # as the model takes them

    def __init__(self, live: LiveModel, stage: str, *given: Any) -> None:
        _refuse_computed_weights(live)
        self.live, self.copy = live, LiveModel(copy.deepcopy(live.model), live.pool)
        super().__init__(live, stage, *given)
        self.mixing = mixing_layers(live, self.images[:1], stage)

    def refitted(self, masks: Mapping[str, NDArray[np.bool_]]) -> prune.Refitted:
        """The masked model, refitted from the first masked layer on; overwritten by the next call."""
        for layer in self.mixing:
            if self.live.modules[layer.name].bias is None:
                self.copy.modules[layer.name].bias = None
        self.copy.model.load_state_dict(self.live.model.state_dict())
        for name, mask in masks.items():
            _replace(self.copy.modules[layer_of(name)].weight, mask, times=True)
        masked = [number for number, layer in enumerate(self.mixing) if parameter_of(layer.name) in masks]
        for layer in self.mixing[min(masked, default=len(self.mixing)) :]:
            self._refit(layer, masks.get(parameter_of(layer.name)))
        return prune.Refitted(self.copy, self.images, self.held_out_images)

    def _refit(self, layer: Mixing, mask: NDArray[np.bool_] | None) -> None:
        intact, copied = (of.modules[layer.name] for of in (self.live, self.copy))
        transposed = is_transposed(intact)
        weight = to_numpy(intact.weight)
        if transposed:
            weight, mask = weight.T, None if mask is None else mask.T
        offset_taken = intact.bias is not None or bool(layer.norm) or layer.normed_later
        fitted, offset = self._fitted(layer, weight, mask, offset_taken)
        _replace(copied.weight, fitted.T if transposed else fitted)
        if intact.bias is not None:
            _replace(copied.bias, offset, plus=True)
        elif layer.norm:
            _replace(self.copy.modules[layer.norm].running_mean, -offset, plus=True)
        elif layer.normed_later:  # behind a sum or beside other filters it takes an offset all the same
            copied.bias = self.live.torch.nn.Parameter(intact.weight.new_tensor(offset), requires_grad=False)

    def _fitted(
        self, layer: Mixing, weight: NDArray[np.float32], mask: NDArray[np.bool_] | None, centred: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
        """Least squares on as many inputs as the layer needs, by the covariance of its patches if it is small."""
        width = weight[0].size
        images = self.images[: prune.images_for_patches(width, layer.n_positions)]
        if width <= prune.WIDE:
            moments = measure.moments_of(
                lambda: self._batches(layer, images),
                np.arange(width),
                nodes=not is_convolution(self.live.modules[layer.name]),
                ridge=prune.RIDGE,
            )
            if not centred:
                moments = prune.about_zero(moments)
            return prune.refitted_layer(weight.astype(np.float64), mask, moments)
        images = images[: max(1, prune.patches_of_wide(width) // layer.n_positions)]
        patches = np.empty((len(images) * layer.n_positions, width), np.float32)
        outputs = np.empty((len(patches), len(weight)), np.float32)
        start = 0
        for read, written in self._batches(layer, images):
            patches[start : start + len(read)], outputs[start : start + len(read)] = read, written
            start += len(read)
        return prune.refitted_wide(weight, mask, patches, outputs, centred)

    def _batches(
        self, layer: Mixing, images: NDArray[np.float32]
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Patches that the layer reads in the masked model, and its outputs without bias in the intact one."""
        name, module = layer.name, self.live.modules[layer.name]
        width = module.weight.shape[0] if is_transposed(module) else module.weight[0].numel()
        of_one = patch_bytes(width, layer.n_positions)
        per_pass = min(self.live.inputs_per_pass, nn.inputs_that_fit(of_one))
        for start in range(0, len(images), per_pass):
            x = images[start : start + per_pass]
            seen: dict[str, NDArray[np.float32]] = {}

            def record_input(module: Any, given: Any, seen: Any = seen) -> None:
                seen["patches"] = unfold(self.live.torch, module, given[0])

            def record_output(module: Any, given: Any, output: Any, seen: Any = seen) -> None:
                bare = output.movedim(1, -1) if is_convolution(module) else output
                bare = bare if module.bias is None else bare - module.bias
                seen["outputs"] = to_numpy(bare.reshape(-1, bare.shape[-1]))

            with self.copy.hooked({}, {name: record_input}):
                self.copy.outputs(x)
            with self.live.hooked({name: record_output}):
                self.live.outputs(x)
            yield seen["patches"], seen["outputs"]


def _refuse_computed_weights(live: LiveModel) -> None:
    """A refit replaces weights, and a copy of the model is made, which PyTorch refuses of some computed ones."""
    for name, module in live.modules.items():
        if isinstance(getattr(module, "weight", None), live.torch.Tensor) and (why := computed(module)):
            do = "remove the parametrisation of a copy of the model, and measure that one"
            raise InputError(f"predictions with layer '{name}'", "a weight that is a parameter", why, do)


def unfold(torch: Any, module: "torch.nn.Module", given: "torch.Tensor") -> NDArray[np.float32]:
    """The patches that a layer reads, (n, D) with D in the order of a filter's weights."""
    if not is_convolution(module):
        return to_numpy(given.reshape(-1, given.shape[-1]))
    functional = torch.nn.functional
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = functional.pad(given, module._reversed_padding_repeated_twice, mode=mode)
    kernel, dilation, stride = module.kernel_size, module.dilation, module.stride
    if len(kernel) == 1:  # a sequence is an image of one row
        padded, kernel, dilation, stride = padded[:, :, None], (1, *kernel), (1, *dilation), (1, *stride)
    patches = functional.unfold(padded, kernel, dilation=dilation, stride=stride)
    return to_numpy(patches.transpose(1, 2).reshape(-1, patches.shape[1]))


def mixing_layers(live: LiveModel, x: NDArray[np.float32], last: str) -> list[Mixing]:
    """The layers that mix channels and are called once up to the call `last`, in the order of their calls."""
    torch, end = live.torch, live.call(last, x)
    # name, output, its version, positions; operations in place change the version
    calls: list[tuple[str, Any, int, int]] = []
    norms: dict[str, str] = {}
    behind: set[str] = set()
    finished: list[str] = []

    def after_call(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            if len(finished) < end.number and live.mixes(module):
                n_out = output.shape[1 if is_convolution(module) else -1]
                calls.append((name, output, output._version, output.numel() // (n_out * len(x))))
            if name == end.module and not end.reads:
                finished.append(name)

        return hook

    def before_norm(name: str) -> Any:
        def hook(module: Any, given: Any) -> None:
            for layer, output, version, _ in calls:
                behind.add(layer)
                if given[0] is output and output._version == version:
                    norms[layer] = name

        return hook

    wanted = {
        name: after_call(name)
        for name, module in live.modules.items()
        if name == end.module or live.mixes(module)
    }
    kind = torch.nn.modules.batchnorm._BatchNorm
    normalised = {
        name: before_norm(name)
        for name, module in live.modules.items()
        if isinstance(module, kind) and module.running_mean is not None
    }
    if end.reads:
        normalised[end.module] = lambda module, given: finished.append(end.module)
    with live.hooked(wanted, normalised):
        live.outputs(x)
    names = [name for name, *_ in calls]
    return [
        Mixing(name, n_positions, norms.get(name, ""), name in behind)
        for name, _, _, n_positions in calls
        if names.count(name) == 1
    ]


def _replace(tensor: "torch.Tensor", values: NDArray[Any], times: bool = False, plus: bool = False) -> None:
    """Overwrite a parameter or buffer by an array, or multiply by it or add it."""
    old = tensor.data
    new = old.new_tensor(values)
    if times:
        old.mul_(new)
    elif plus:
        old.add_(new)
    else:
        old.copy_(new)
