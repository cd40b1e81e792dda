"""Layers whose channels a norm or the like takes together, found in the graph of Torch-Pruning without indices."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a node of the graph does with channels."""

    MIXES = "a layer with a kernel for every pair of an output and an input"
    FOLLOWS = "passes each on alone"
    CONCATENATES = "passes them on beside those of its other inputs, which have nothing to do with them"
    TAKES_ALL = "uses all of them together"


@dataclass(frozen=True)
class TakenTogether:
    """Layers that share channels, and what takes all of these.

    Attributes
    ----------
    writers, readers : list of torch.nn.Module
        Layers that mix channels.
    users : list of torch.nn.Module
        What takes the channels together, such as layer norms.
    """

    writers: list[Any]
    readers: list[Any]
    users: list[Any]


def taken_together(nodes: Iterable[Any], kind: Callable[[Any], Kind]) -> list[TakenTogether]:
    """Which layers write channels that cannot be removed one by one.

    To follow single channels through the windows of a Swin takes Torch-Pruning many gigabytes; that all of them
    meet a layer norm can be seen from the nodes alone.

    Parameters
    ----------
    nodes : iterable of torch_pruning nodes
        Layers and operations, with ``module``, ``inputs`` and ``outputs``.
    kind : callable
        Of a node.
    """
    found, visited = list[TakenTogether](), set[int]()
    for node in nodes:
        if kind(node) is Kind.MIXES and id(node) not in visited:
            writers, readers, users = _reached(node, kind)
            visited |= set(map(id, writers))
            if users:
                sides = ([of.module for of in side] for side in (writers, readers, users))
                found.append(TakenTogether(*sides))
    return found


def _reached(first: Any, kind: Callable[[Any], Kind]) -> tuple[list[Any], list[Any], list[Any]]:
    """The nodes that write, read, and take together the channels that a node writes, by node after node."""
    writers, readers, passed = {id(first): first}, dict[int, Any](), dict[int, Any]()
    ahead = [first]
    while ahead:
        node = ahead.pop(0)
        for following in node.outputs:
            if kind(following) is Kind.MIXES:
                readers[id(following)] = following
            elif id(following) not in passed:
                passed[id(following)] = following
                ahead.append(following)
        if id(node) in passed and kind(node) is not Kind.CONCATENATES:
            for before in node.inputs:
                side = writers if kind(before) is Kind.MIXES else passed
                if id(before) not in side:
                    side[id(before)] = before
                    ahead.append(before)
    users = [node for node in passed.values() if kind(node) is Kind.TAKES_ALL]
    return list(writers.values()), list(readers.values()), users
