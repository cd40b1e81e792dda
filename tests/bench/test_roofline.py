"""The arithmetic of the floor, and the times of the layers of a step."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.bench import Setting, layer_times
from deeptheory.bench.roofline import Limits, Work, backward_work, forward_work, measured_limits
from deeptheory.bench.summaries import layer_summary


def conv(size=3, stride=1, **options):
    return nn.Conv2d(16, 32, size, stride, size // 2, rng=np.random.default_rng(0), **options)


def test_the_floor_is_the_slower_of_arithmetic_and_memory():
    limits = Limits(gflops=100.0, gigabytes=10.0)
    assert Work(direct=4e9, fewest=1e9, bytes=0).floor(limits) == pytest.approx(0.01)
    assert Work(direct=4e9, fewest=1e9, bytes=1e9).floor(limits) == pytest.approx(0.1)


def work(layer, input_shape, batch, first=False, inputs=("above",)):
    """Forward and backward work of a layer of its own."""
    node = nn.Node("layer", layer, ("input",) if first else inputs)
    taken = input_shape if len(node.inputs) == 1 else (input_shape,) * len(node.inputs)
    shapes = dict.fromkeys(node.inputs, input_shape) | {"layer": layer.output_shape(taken)}
    return forward_work([node], shapes, batch), backward_work([node], shapes, batch)


def test_the_work_of_a_convolution():
    forward, backward = work(conv(), (8, 8, 16), 10)
    direct = 2 * 10 * 64 * 32 * 16 * 9
    assert (forward.direct, forward.fewest) == (direct, direct / 4)
    assert forward.bytes == 4 * (10 * 64 * (16 + 32) + 32 * 16 * 9)
    assert (backward.direct, backward.fewest) == (2 * direct, direct / 2)
    assert backward.bytes == 4 * (10 * 64 * (16 + 32 + 16) + 2 * 32 * 16 * 9)
    _, first = work(conv(), (8, 8, 16), 10, first=True)
    assert (first.direct, first.bytes) == (direct, 4 * (10 * 64 * (16 + 32) + 2 * 32 * 16 * 9))


@pytest.mark.parametrize("layer", [conv(5), conv(3, 2), conv(1), conv(groups=16)])
def test_winograd_applies_to_3x3_with_stride_1_and_all_channels_only(layer):
    forward, _ = work(layer, (8, 8, 16), 2)
    assert forward.fewest == forward.direct > 0


def test_a_sum_reads_all_its_inputs():
    forward, _ = work(nn.Sum(), (4, 4, 2), 5, inputs=("a", "b", "c"))
    assert (forward.direct, forward.bytes) == (0, 4 * 5 * 32 * 4)


def test_layers_computed_together_move_only_their_ends():
    nodes = [
        nn.Node("norm", nn.BatchNorm2d(2), ("above",)),
        nn.Node("relu", nn.ReLU(), ("norm",)),
        nn.Node("pool", nn.MaxPool2d(2), ("relu",)),
    ]
    shapes = {"above": (4, 4, 2), "norm": (4, 4, 2), "relu": (4, 4, 2), "pool": (2, 2, 2)}
    assert forward_work(nodes, shapes, 5).bytes == 4 * (5 * (32 + 8) + 4)
    assert backward_work(nodes, shapes, 5).bytes == 4 * (5 * (32 + 8 + 32) + 8)


def test_limits_are_operations_and_bytes_per_second(monkeypatch):
    seconds = iter((0.5, 2.0))
    monkeypatch.setattr("deeptheory.bench.roofline.PRODUCT", 64)
    monkeypatch.setattr("deeptheory.bench.roofline.STREAM", 2**12)
    monkeypatch.setattr("deeptheory.bench.roofline._shortest", lambda compute: (compute(), next(seconds))[1])
    limits = measured_limits()
    assert limits.gflops == pytest.approx(1e-9 * 2 * 64**3 / 0.5)
    assert limits.gigabytes == pytest.approx(1e-9 * 2 * 4 * 2**12 / 2.0)


def test_every_layer_of_a_step_is_timed_and_then_left_alone(monkeypatch):
    monkeypatch.setattr("deeptheory.bench.layer_times.STEPS", 2)
    monkeypatch.setattr("deeptheory.bench.layer_times.measured_limits", lambda: Limits(100.0, 10.0))
    found = layer_times.measure_layers(Setting(network="vgg6", width=1 / 4, size=16, batch=4), "command")
    network = nn.build("vgg6", 100, (16, 16, 3), width=1 / 4, rng=np.random.default_rng(0))
    parts = list(found["layers"])
    assert parts[:4] == ["stage1.conv", "stage1.norm+relu+pool", "stage2.conv", "stage2.norm+relu+pool"]
    assert parts[-2:] == ["head.flatten", "head.linear"]
    direct = sum(of["direct_gflop"] for of in found["layers"].values())
    macs = network.multiply_adds()
    assert direct == pytest.approx(1e-9 * 2 * 4 * (3 * sum(macs.values()) - macs["stage1.conv"]))
    for of in found["layers"].values():
        assert of["in_units_of_floor"] == pytest.approx((of["forward_s"] + of["backward_s"]) / of["floor_s"])
    lines = layer_summary(found).text.splitlines()
    assert lines[1] == "peak 100 GFLOP/s, memory 10.0 GB/s, as measured"
    assert any(line.startswith("all layers") for line in lines)


def test_hooks_time_any_object_and_give_its_methods_back():
    class Step:
        def forward(self, x):
            return 2 * x

        def backward(self, x, input_gradient=True):
            return -x

    step = Step()
    with layer_times.timed({"step": step}) as seconds:
        assert (step.forward(3), step.backward(3, input_gradient=False), step.forward(1)) == (6, -3, 2)
    assert (len(seconds["step"]["forward"]), len(seconds["step"]["backward"])) == (2, 1)
    assert vars(step) == {}


def test_a_call_within_another_counts_for_the_inner_one_alone(monkeypatch):
    class Inner:
        def forward(self):
            clock.append(clock[-1] + 5)

        def backward(self):
            pass

    class Outer(Inner):
        def forward(self):
            clock.append(clock[-1] + 1)
            inner.forward()
            inner.forward()
            clock.append(clock[-1] + 2)

    clock, inner, outer = [0], Inner(), Outer()
    monkeypatch.setattr(layer_times.time, "perf_counter", lambda: clock[-1])
    with layer_times.timed({"inner": inner, "outer": outer}) as seconds:
        outer.forward()
    assert seconds["inner"]["forward"] == [5, 5]
    assert seconds["outer"]["forward"] == [3]
