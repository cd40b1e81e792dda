"""Bounds of the fields of a masked network: intervals from the first masked layer up to the head."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.data import augmentation
from deeptheory.errors import InputError, unknown_name
from deeptheory.measure.labels import check_labels
from deeptheory.nn.graph import INPUT, input_to, n_readers
from deeptheory.nn.kernels import Scratch
from deeptheory.system import threadpools
from deeptheory.system.progress import Progress

# Allowance for the rounding of both networks, in last bits of the input's largest field: ten times the observed
# error.
ROUNDING = 400

Array = NDArray[np.floating]

WEIGHTED = (nn.Conv2d, nn.Linear)
# Monotone: every output rises with all of its inputs, or all of a channel fall, so ends are mapped to ends.
MONOTONE = (
    nn.BatchNorm2d,
    nn.ReLU,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.GlobalAveragePool,
    nn.Flatten,
    nn.Sum,
    nn.Subsample,
    nn.Standardise,
)


@dataclass(frozen=True)
class FieldBounds:
    """Bounds of the fields of a masked network, for every input.

    Attributes
    ----------
    fields : float64 array (N, K)
        Of the network without masks.
    change : float64 array (N,)
        The masks change no field of the input by more than this: delta of `theory.margin_certificate`.
    margins : float64 array (N,)
        The masked network's field of the true label exceeds every rival's by at least this.
    """

    fields: NDArray[np.float64]
    change: NDArray[np.float64]
    margins: NDArray[np.float64]


class _Interval(NamedTuple):
    """Output of a layer without masks, and its bounds with them (the same arrays if nothing changes)."""

    value: Array
    low: Array
    high: Array

    @property
    def changed(self) -> bool:
        return self.low is not self.value

    @property
    def middle(self) -> Array:
        """Middle of the change."""
        return (self.low + self.high) / 2 - self.value

    @property
    def radius(self) -> Array:
        """Half of the length."""
        return (self.high - self.low) / 2


def field_bounds(
    network: nn.Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    masks: Mapping[str, NDArray[np.bool_]],
    title: str = "bounds",
    quiet: bool = False,
) -> FieldBounds:
    r"""Bound the change of every field under masks, from the network without masks.

    With w the weights of a layer, w' the kept ones, a its input without masks and the masked one within
    a + c +- r, its output changes by

    .. math:: w' c \pm (|w'| r + |w - w'| |a|)

    (first masked layer: c = r = 0). Batch norm, ReLU, pooling and sums map the ends of an interval to ends. In the
    head, w is replaced by the difference w_i - w_j of the true label and each rival, so that what is common to
    both fields cancels.

    Status: exact; 400 last bits of the input's largest field are allowed for rounding (float32: 5e-5 of it). The
    masked network is not evaluated: only the weights, the masks and the activations without masks enter, removed
    inputs by their absolute sum. So with one layer masked below the head the bounds hold for removed weights set
    to anything from 0 to 2 w. Source: deeptheory; intervals through the layers after Gowal et al., "On the
    effectiveness of interval bound propagation for training verifiably robust models" (2018).

    Parameters
    ----------
    network : Network
        Convolutions, linear layers, batch norm, ReLU, pooling and sums. It is not changed.
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    masks : mapping of str to bool array
        Dotted weight name to an array of the weight's shape, True where the weight is kept (`prune.Masks`).
    title, quiet
        Of the progress.

    Returns
    -------
    FieldBounds
        For these inputs. A margin below 0 does NOT mean a wrong answer: absolute sums assume the worst
        combination of signs, which need not occur. With every layer above the mask the bounds become looser, until
        they say nothing.

    Raises
    ------
    InputError
        The network has a layer whose change cannot be bounded, a mask does not fit, or a label is out of range.
    """
    bounds = _Bounds(network, masks)
    n_labels = network.n_labels
    check_labels(labels, n_labels, len(images))
    fields, change, margins = np.empty((len(images), n_labels)), np.empty(len(images)), np.empty(len(images))
    order = np.argsort(labels, kind="stable")  # few labels per batch, few differences of weights
    per_pass = network.inputs_per_pass
    pixels = np.empty((min(per_pass, len(images)), *images.shape[1:]), np.float32)
    with threadpools.kernel_threads(), Progress(title, len(images), "input", quiet) as progress:
        for start in range(0, len(images), per_pass):
            rows = order[start : start + per_pass]
            x = augmentation.gather(images, rows, pixels).astype(network.dtype)
            features = bounds.features(x)
            fields[rows] = bounds.fields(features)
            rounding = ROUNDING * np.finfo(network.dtype).eps * np.abs(fields[rows]).max(axis=1)
            change[rows] = bounds.change(features) + rounding
            margins[rows] = bounds.margins(features, fields[rows], labels[rows]) - rounding
            progress.advance(start + len(rows))
    return FieldBounds(fields, change, margins)


class _Bounds:
    """Copies of the layers of a network, which is not changed, and the weights that the bounds need."""

    def __init__(self, network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> None:
        *self.nodes, head = network.nodes
        self.readers = n_readers(network.nodes)
        self.head_input = head.inputs[0]
        weights = {
            f"{node.name}.weight": node.layer.parameters["weight"]
            for node in network.nodes
            if isinstance(node.layer, WEIGHTED)
        }
        for name, mask in masks.items():
            if name not in weights:
                raise unknown_name("mask", name, weights)
            if mask.dtype != np.bool_ or mask.shape != weights[name].shape:
                expected = f"True and False of shape {weights[name].shape}"
                raise InputError(f"mask of '{name}'", expected, f"{mask.dtype} of shape {mask.shape}")
        workspace = Scratch()
        self.layers = {node.name: _copy_of(node.layer, workspace) for node in self.nodes}
        self.kept: dict[str, nn.Layer] = {}
        self.sizes: dict[str, nn.Layer] = {}
        self.removed: dict[str, nn.Layer] = {}
        for node in self.nodes:
            if isinstance(node.layer, WEIGHTED):
                name = f"{node.name}.weight"
                kept = weights[name] * masks[name] if name in masks else weights[name]
                self.kept[node.name] = _copy_of(node.layer, workspace, kept)
                self.sizes[node.name] = _copy_of(node.layer, workspace, np.abs(kept))
                if name in masks:
                    self.removed[node.name] = _copy_of(node.layer, workspace, np.abs(weights[name] - kept))
            elif not isinstance(node.layer, MONOTONE):
                known = ", ".join(kind.__name__ for kind in (*WEIGHTED, *MONOTONE))
                kind = type(node.layer).__name__
                raise InputError(f"layer {node.name} of a network to bound", f"one of {known}", kind)
        name = f"{head.name}.weight"
        self.weight = weights[name].astype(np.float64)
        self.bias = head.layer.parameters.get("bias", 0)
        self.weight_kept = self.weight * masks[name] if name in masks else self.weight
        self.weight_removed = self.weight - self.weight_kept

    def features(self, x: Array) -> _Interval:
        """Inputs of the head."""
        outputs, unread = {INPUT: _Interval(x, x, x)}, dict(self.readers)
        for node in self.nodes:
            given: Any = input_to(node, outputs)
            if node.name in self.kept:
                outputs[node.name] = self._weighted(node.name, given)
            else:
                parts = given if node.layer.joins else (given,)
                outputs[node.name] = _ends(self.layers[node.name], node.layer.joins, parts)
            for name in node.inputs:
                unread[name] -= 1
                if not unread[name]:
                    del outputs[name]
        return _Interval(*(part.astype(np.float64) for part in outputs[self.head_input]))

    def _weighted(self, name: str, given: _Interval) -> _Interval:
        value = _run(self.layers[name], given.value)
        if not given.changed and name not in self.removed:
            return _Interval(value, value, value)
        middle, radius = np.zeros_like(value), np.zeros_like(value)
        if given.changed:
            middle += self.kept[name].forward(given.middle)
            radius += self.sizes[name].forward(given.radius)
        if name in self.removed:
            radius += self.removed[name].forward(np.abs(given.value))
        return _Interval(value, value + middle - radius, value + middle + radius)

    def fields(self, features: _Interval) -> NDArray[np.float64]:
        """Fields without masks (n, K)."""
        fields: NDArray[np.float64] = features.value @ self.weight.T + self.bias
        return fields

    def change(self, features: _Interval) -> NDArray[np.float64]:
        """Largest change of any field (n,)."""
        middle, radius = _head_change(features, self.weight_kept, self.weight_removed)
        change: NDArray[np.float64] = np.max(np.abs(middle) + radius, axis=1)
        return change

    def margins(
        self, features: _Interval, fields: NDArray[np.float64], labels: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Smallest possible difference of the true label's field and its largest rival (n,)."""
        lowest = np.empty(len(labels))
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            differences = (weight[label] - weight for weight in (self.weight_kept, self.weight_removed))
            middle, radius = _head_change(_Interval(*(part[rows] for part in features)), *differences)
            margins = fields[rows, label, None] - fields[rows] + middle - radius  # over every rival
            margins[:, label] = np.inf
            lowest[rows] = margins.min(axis=1)
        return lowest


def _head_change(features: _Interval, kept: Array, removed: Array) -> tuple[Array, Array]:
    """Middle and radius of the change of products with the rows of a matrix of which a part is removed."""
    radius = features.radius @ np.abs(kept).T + np.abs(features.value) @ np.abs(removed).T
    return features.middle @ kept.T, radius


def _copy_of(layer: nn.Layer, workspace: Scratch, weight: Array | None = None) -> nn.Layer:
    """The same layer with separate buffers; if a weight is given, with this weight and no bias."""
    copied = copy.copy(layer)
    copied.scratch, copied.workspace = Scratch(), workspace
    if weight is not None:
        copied.parameters = {"weight": weight}
    return copied


def _ends(layer: nn.Layer, joins: bool, given: tuple[_Interval, ...]) -> _Interval:
    """The interval behind a layer of `MONOTONE`."""
    value, low, high = (part if joins else part[0] for part in zip(*given, strict=True))
    out = _run(layer, value)
    if not any(part.changed for part in given):
        return _Interval(out, out, out)
    ends = _run(layer, low), _run(layer, high)
    return _Interval(out, np.minimum(*ends), np.maximum(*ends))


def _run(layer: nn.Layer, x: Any) -> Array:
    output: Array = layer.forward(x).copy()
    return output
