"""How long every layer of a training step takes, and how far that is from the floor of the machine."""

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
    """Times and floors of all layers of a training step.

    Parameters
    ----------
    setting : Setting
    command : str
        What repeats this, for the record.

    Returns
    -------
    dict
        ``layers``: for each the medians ``forward_s`` and ``backward_s``, ``direct_gflop`` and ``fewest_gflop``
        (by Winograd where it applies), ``megabytes`` that must move, ``floor_s`` and ``in_units_of_floor``;
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
        taken = {which: float(np.median(of)) for which, of in seconds[name].items()}
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
    """What is computed in one go: the object that does it, and the nodes that it stands for."""

    layer: Layer
    nodes: tuple[nn.Node, ...]


def parts_of(network: nn.Network) -> dict[str, Part]:
    """The parts of a network in the order of computation, by name: "stage2.conv", "stage2.norm+relu+pool"."""
    parts = {}
    for step in network.steps:
        nodes = step.nodes
        if isinstance(step.layer, Block) and step.layer.conv:  # called from within the block, timed by itself
            parts[nodes[0].name] = Part(step.layer.conv, nodes[:1])
            nodes = nodes[1:]
        stages, keys = zip(*(node.name.split(".") for node in nodes), strict=True)
        parts[f"{stages[0]}.{'+'.join(keys)}"] = Part(step.layer, nodes)
    return parts


@contextmanager
def timed(hooked: Mapping[str, Any]) -> Iterator[Seconds]:
    """Collect the seconds of every call of `forward` and `backward` of the objects, by their names.

    The time of a call within another one counts for the inner one alone.
    """
    seconds: Seconds = {name: {which: [] for which in PASSES} for name in hooked}
    inner = [0.0]  # for every call under way, the seconds of the calls within it
    for name, of in hooked.items():
        for method, which in _methods(of):
            setattr(of, method, _timed(getattr(of, method), seconds[name][which], inner))
    try:
        yield seconds
    finally:
        for of in hooked.values():
            for method, _ in _methods(of):
                delattr(of, method)  # the method of the class comes back


def _methods(of: Any) -> list[tuple[str, str]]:
    """The methods of an object that are timed, and the pass that each belongs to."""
    named = {**{which: which for which in PASSES}, **METHODS}
    return [(method, which) for method, which in named.items() if hasattr(of, method)]


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
