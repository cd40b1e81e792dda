"""The time of every layer of a training step, and the least time that the machine needs for it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import numpy as np

from deeptheory import nn
from deeptheory.bench import engine_steps
from deeptheory.bench.cases import Setting
from deeptheory.bench.comparison import provenance_of
from deeptheory.bench.roofline import backward_work, forward_work, measured_limits
from deeptheory.nn.fusion import Block
from deeptheory.nn.graph import output_shapes
from deeptheory.nn.layers.base import Layer
from deeptheory.system import process_setup

STEPS = 20
PASSES = ("forward", "backward")
METHODS = {"forward_with_sums": "forward", "backward_through_norm": "backward"}  # of a convolution in a block
Seconds = dict[str, dict[str, list[float]]]  # by layer, by pass, one value for each call


def measure_layers(setting: Setting, command: str = "") -> dict[str, Any]:
    """Times of all layers of a training step, and the floor (least time) of each.

    Parameters
    ----------
    setting : Setting
    command : str
        The command that repeats this, which the result records.

    Returns
    -------
    dict
        ``layers``: for each the medians ``forward_s`` and ``backward_s``, ``direct_gflop`` and ``fewest_gflop``
        (by Winograd where it applies), ``megabytes`` read and written, ``floor_s`` and ``in_units_of_floor``;
        ``step_s``: a whole step; ``peak_gflops`` and ``bandwidth_gb_s``: the measured limits.
    """
    process_setup.configure(setting.threads)
    network = engine_steps.build(setting)
    step, whole = engine_steps.training(network, setting), []
    step()  # compiles
    parts = parts_of(network)
    with timed({name: part.layer for name, part in parts.items()}) as seconds:
        for _ in range(STEPS):
            started = time.perf_counter()
            step()
            whole.append(time.perf_counter() - started)
    limits, shapes = measured_limits(), output_shapes(network.nodes, network.input_shape)
    rows = {}
    for name, part in parts.items():
        forward = forward_work(part.nodes, shapes, setting.batch)
        backward = backward_work(part.nodes, shapes, setting.batch)
        taken = {which: float(np.median(calls)) for which, calls in seconds[name].items()}
        floor = forward.floor(limits) + backward.floor(limits)
        rows[name] = {
            **{f"{which}_s": taken[which] for which in PASSES},
            "direct_gflop": 1e-9 * (forward.direct + backward.direct),
            "fewest_gflop": 1e-9 * (forward.fewest + backward.fewest),
            "megabytes": 1e-6 * (forward.bytes + backward.bytes),
            "floor_s": floor,
            "in_units_of_floor": sum(taken.values()) / floor,
        }
    return {
        "case": "layers",
        "what": f"layers of a training step, {setting}",
        "setting": msgspec.structs.asdict(setting),
        "step_s": float(np.median(whole)),
        "peak_gflops": limits.gflops,
        "bandwidth_gb_s": limits.gigabytes,
        "layers": rows,
        **provenance_of(command),
    }


class Part(NamedTuple):
    """Nodes that are computed together, and the object that computes them."""

    layer: Layer
    nodes: tuple[nn.Node, ...]


def parts_of(network: nn.Network) -> dict[str, Part]:
    """The parts of a network in the order of computation, by name: "stage2.conv", "stage2.norm+relu+pool"."""
    parts = {}
    for step in network.steps:
        nodes = step.nodes
        if isinstance(step.layer, Block) and step.layer.conv:  # called by the block, but timed separately
            parts[nodes[0].name] = Part(step.layer.conv, nodes[:1])
            nodes = nodes[1:]
        stages, keys = zip(*(node.name.split(".") for node in nodes), strict=True)
        parts[f"{stages[0]}.{'+'.join(keys)}"] = Part(step.layer, nodes)
    return parts


@contextmanager
def timed(hooked: Mapping[str, Any]) -> Iterator[Seconds]:
    """Collect the seconds of every call of `forward` and `backward` of the objects, by their names.

    The time of a call within another call counts for the inner one only.
    """
    seconds: Seconds = {name: {which: [] for which in PASSES} for name in hooked}
    inner = [0.0]  # for every active call, the seconds of the calls within it
    for name, timed_object in hooked.items():
        for method, which in _methods(timed_object):
            call = _timed(getattr(timed_object, method), seconds[name][which], inner)
            setattr(timed_object, method, call)
    try:
        yield seconds
    finally:
        for timed_object in hooked.values():
            for method, _ in _methods(timed_object):
                delattr(timed_object, method)  # restores the method of the class


def _methods(timed_object: Any) -> list[tuple[str, str]]:
    """The methods of an object that are timed, and the pass to which each belongs."""
    named = {**{which: which for which in PASSES}, **METHODS}
    return [(method, which) for method, which in named.items() if hasattr(timed_object, method)]


def _timed(function: Callable[..., Any], seconds: list[float], inner: list[float]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        inner.append(0.0)
        started = time.perf_counter()
        result = function(*arguments, **named)
        taken = time.perf_counter() - started
        seconds.append(taken - inner.pop())
        inner[-1] += taken
        return result

    return call
