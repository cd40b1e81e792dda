"""The stack machine of pickles, without what runs code of others.

It knows the few instructions that dictionaries of numbers, texts and arrays are made of. Nothing that a file names
is looked up or called, NumPy's own unpickling least of all: its arrays and types take states that end the process.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from deeptheory.data.pickled_arrays import PickledArray, PickledType, Refused

RECONSTRUCT = {
    f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")
}  # before and since NumPy 2
ARRAY, DTYPE = "numpy ndarray", "numpy dtype"
MARK = object()
MOST_MEMO = 1 << 32


class Name(str):
    """The name of something in a module: "argparse Namespace"."""


class Machine:
    """The stack machine of pickles, without the instructions that call what a file names."""

    instructions: ClassVar[Mapping[str, "Instruction"]] = {}
    keys: ClassVar[tuple[type, ...]] = (bytes, str)  # types that keys of dictionaries may have

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, instructions: Iterator[tuple[Any, Any, int | None]]) -> Any:
        for opcode, argument, _ in instructions:
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in VALUES:
                self.stack.append(argument)
            elif opcode.name in OLD_TEXTS:  # bytes, of which the parser makes a text
                self.stack.append(argument.encode("latin1"))
            elif opcode.name in self.instructions:
                self.instructions[opcode.name](self, argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise Refused(f"the instruction {opcode.name}")
        raise ValueError("no end")

    def above_mark(self) -> list[Any]:
        """Take what was put on the stack since the last mark."""
        place = len(self.stack) - 1
        while self.stack[place] is not MARK:
            if place == 0:
                raise ValueError("no mark")
            place -= 1
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def last(self, count: int) -> list[Any]:
        """Take the last few."""
        if count > len(self.stack):
            raise ValueError("an empty stack")
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def remember(self, place: int | None) -> None:
        place = len(self.memo) if place is None else place
        if not 0 <= place < MOST_MEMO:
            raise ValueError("a place in the memo out of range")
        self.memo[place] = self.stack[-1]

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError("entries of no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, self.keys):
                raise Refused(f"a key of type {type(key).__name__}")
            target[key] = value

    def new_dictionary(self, items: list[Any]) -> None:
        self.stack.append({})
        self.set_items(items)

    def append(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("entries of no list")
        self.stack[-1].extend(items)

    def name(self, *parts: Any) -> None:
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("a name that is no text")
        self.stack.append(Name(" ".join(parts)))

    def call(self) -> None:
        """Put what `made` describes in place of a function and its arguments."""
        function, arguments = self.last(2)
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise Refused("a call of what is no function")
        self.stack.append(self.made(function, arguments))

    def made(self, function: Name, arguments: tuple[Any, ...]) -> Any:
        """The description of an array or a type; nothing is called."""
        if function in RECONSTRUCT and arguments[:1] == (ARRAY,):
            return PickledArray()
        if function == DTYPE and arguments:
            return PickledType(arguments[0])
        raise Refused(function.replace(" ", "."))

    def build(self) -> None:
        """Give an array or a type its state."""
        made, state = self.last(2)
        if not isinstance(state, tuple):
            raise ValueError("a state that is no tuple")
        if not isinstance(made, PickledArray | PickledType):
            raise Refused(f"the state of a {type(made).__name__}")
        made.set_state(state)
        self.stack.append(made)


VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
OLD_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}
Instruction = Callable[[Any, Any], Any]
INSTRUCTIONS: dict[str, Instruction] = {
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "MARK": lambda machine, _: machine.stack.append(MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.above_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "DICT": lambda machine, _: machine.new_dictionary(machine.above_mark()),
    "LIST": lambda machine, _: machine.stack.append(machine.above_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.above_mark())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.last(3))),
    "APPEND": lambda machine, _: machine.append(machine.last(1)),
    "APPENDS": lambda machine, _: machine.append(machine.above_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.above_mark()),
    "PUT": lambda machine, place: machine.remember(place),
    "BINPUT": lambda machine, place: machine.remember(place),
    "LONG_BINPUT": lambda machine, place: machine.remember(place),
    "MEMOIZE": lambda machine, _: machine.remember(None),
    "GET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "GLOBAL": lambda machine, name: machine.name(name),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.last(2)),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
Machine.instructions = INSTRUCTIONS
