"""NumPy arrays as pickles describe them, made from the parts of the description."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLAIN = re.compile(rb"[biuf][1248]")  # codes of types that are admitted
ORDERS = (b"|", b"<", b">", b"=")
MOST_AXES, LONGEST = 32, 1 << 40


class Refused(Exception):
    """What a pickle must not ask for."""


class PickledType:
    """A type of numbers: its code, and the mark of its byte order."""

    def __init__(self, code: Any) -> None:
        self.code, self.order = _latin1(code), b"|"

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Take the byte order."""
        order = _latin1(state[1])
        if order not in ORDERS:
            raise ValueError("a byte order that does not exist")
        self.order = order


class PickledArray:
    """An array that is being described; `value` is made from its state."""

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Take version, shape, type, order and bytes."""
        _, shape, kind, by_columns, content = state
        if not isinstance(kind, PickledType):
            raise ValueError("an array without a type")
        if not PLAIN.fullmatch(kind.code):
            raise Refused(f"numbers of type {kind.code.decode(errors='replace')}")
        if not isinstance(shape, tuple) or len(shape) > MOST_AXES:
            raise ValueError("a shape that is none")
        if not all(type(size) is int and 0 <= size < LONGEST for size in shape):
            raise ValueError("a shape that is none")
        stored, dtype = _latin1(content), np.dtype((kind.order + kind.code).decode())
        if len(stored) != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"an array whose bytes are not those of its shape {shape}")
        self.value = np.frombuffer(stored, dtype).reshape(shape, order="F" if by_columns is True else "C")


def _latin1(value: Any) -> bytes:
    """Bytes, or the text that Python 3 makes of the bytes of Python 2."""
    if not isinstance(value, bytes | str):
        raise ValueError("no bytes")
    return value if isinstance(value, bytes) else value.encode("latin1")
