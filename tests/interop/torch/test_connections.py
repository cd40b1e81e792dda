"""Layers between stages are found where a Sequential shows them, and only there."""

from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch")

from deeptheory.interop.torch.connections import find_pairs  # noqa: E402
from deeptheory.interop.torch.live_model import LiveModel  # noqa: E402

tn = torch.nn


class Block(tn.Module):
    """No Sequential: only what is inside says what its forward pass does."""

    def __init__(self, *modules):
        super().__init__()
        for number, module in enumerate(modules):
            self.add_module(f"part{number}", module)


def conv(groups=1):
    return tn.Conv2d(4, 4, 3, groups=groups)


def of(**modules):
    return LiveModel(tn.Sequential(OrderedDict(modules)))


def test_nested_sequentials_and_blocks_with_one_layer_are_seen_through():
    live = of(
        a=tn.Sequential(conv(), tn.ReLU()),
        b=tn.Sequential(tn.Sequential(tn.Dropout(), conv()), tn.ReLU()),
        c=Block(conv(), tn.ReLU(), conv(groups=4)),
        d=tn.Flatten(),
        e=tn.Linear(4, 4),
    )
    assert find_pairs(live, ["a", "b", "c", "e"]) == {
        "b.0.1": ("a", "b"),
        "c.part0": ("b", "c"),
        "e": ("c", "e"),
    }
    assert find_pairs(live, ["a.1", "b.0", "c"]) == {"b.0.1": ("a.1", "b.0"), "c.part0": ("b.0", "c")}


def test_two_layers_or_none_between_stages_are_left_out():
    live = of(a=conv(), b=tn.Sequential(conv(), conv()), c=tn.ReLU(), d=conv(groups=2))
    assert find_pairs(live, ["a", "b", "c", "d"]) == {}


def test_stages_that_no_common_sequential_holds_are_left_out():
    live = of(a=Block(conv(), conv()), b=Block(conv()))
    assert find_pairs(live, ["a.part0", "a.part1"]) == {}
    assert find_pairs(live, ["a.part1", "b"]) == {}
    assert find_pairs(live, ["b", "a"]) == {}
