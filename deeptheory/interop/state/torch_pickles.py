"""Pickles of PyTorch, described without running anything of them: tensors, and what is saved beside them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from deeptheory.data.pickle_machine import INSTRUCTIONS, Instruction, Machine, Name
from deeptheory.data.pickled_arrays import PickledArray, Refused
from deeptheory.nn.layers.base import Array

TYPES = {  # of storages: names of their numbers, and codes of NumPy; those without a code cannot be read
    "Float": ("float32", "f4"),
    "Double": ("float64", "f8"),
    "Half": ("float16", "f2"),
    "BFloat16": ("bfloat16", "u2"),
    "Long": ("int64", "i8"),
    "Int": ("int32", "i4"),
    "Short": ("int16", "i2"),
    "Char": ("int8", "i1"),
    "Byte": ("uint8", "u1"),
    "Bool": ("bool", "?"),
    "ComplexFloat": ("complex64", ""),
    "ComplexDouble": ("complex128", ""),
}
TENSORS = {"torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"}
PARAMETERS = {"torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state"}
TYPED_TENSOR = "torch._tensor _rebuild_from_type_v2"  # with attributes of its own
WITHOUT_NUMBERS = {
    "torch._utils _rebuild_meta_tensor_no_storage": "a tensor on the device 'meta'",
    "torch._utils _rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils _rebuild_qtensor": "a quantised tensor",
    "torch._utils _rebuild_tensor_v3": "a tensor of a type that NumPy has not",
}
NESTED_FILE = "torch.storage _load_from_bytes"  # a storage in a pickle that torch.save did not write
FROM_BUFFER = {"numpy.core.numeric _frombuffer", "numpy._core.numeric _frombuffer"}  # arrays since protocol 5
ENCODE, SET = "_codecs encode", {"builtins set", "builtins frozenset", "__builtin__ set"}
OLD_OBJECT = {"copy_reg _reconstructor", "copyreg _reconstructor"}
DICTIONARIES = {
    "collections OrderedDict",
    "collections defaultdict",
    "collections Counter",
    "lightning_fabric.utilities.data AttributeDict",
    "lightning.fabric.utilities.data AttributeDict",
    "lightning.pytorch.utilities.parsing AttributeDict",
    "pytorch_lightning.utilities.parsing AttributeDict",
}
# Objects beside the state: what is stored of them is left out, and their classes are never looked up.
LEFT_OUT = {
    "argparse Namespace",
    "types SimpleNamespace",
    "numpy.core.multiarray scalar",
    "numpy._core.multiarray scalar",
    "torch Size",
    "torch device",
    "torch.serialization _get_layout",
    "pathlib Path",
    "pathlib PosixPath",
    "pathlib PurePosixPath",
    "pathlib WindowsPath",
    "pathlib PureWindowsPath",
    "pathlib._local PosixPath",
    "pathlib._local WindowsPath",
    "datetime datetime",
    "datetime timedelta",
    "builtins slice",
    "builtins complex",
    "builtins bytearray",
}


class LeftOut:
    """An object of a class that is known to be harmless, without its contents."""


@dataclass
class Storage:
    """The numbers that tensors are parts of.

    Attributes
    ----------
    kind : str
        "FloatStorage".
    numel : int
    content : callable
        Its bytes, read when the first tensor is asked for.
    order : "<" or ">"
    """

    kind: str
    numel: int
    content: Callable[[], bytes]
    order: str = "<"

    @property
    def type(self) -> tuple[str, str]:
        """Name of its numbers, and NumPy's code, "" where there is none."""
        name = self.kind.removesuffix("Storage")
        return TYPES.get(name, (name, ""))


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a pickle describes it.

    Attributes
    ----------
    storage : Storage or None
        None where `kind` says why there are no numbers.
    offset : int
    shape, strides : tuple of int
        In numbers.
    kind : str
    """

    storage: Storage | None
    offset: int = 0
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    kind: str = ""

    @property
    def type(self) -> str:
        return self.storage.type[0] if self.storage else self.kind

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor by itself: it may repeat few numbers along many axes."""
        code = self.storage.type[1] if self.storage else ""
        return math.prod(self.shape) * np.dtype(code or "f4").itemsize

    def array(self) -> Array:
        """The numbers, in the type of the file; those of bfloat16 as float32.

        Raises
        ------
        ValueError
            The storage ends before the tensor does.
        """
        assert self.storage is not None
        dtype = np.dtype(self.storage.order + self.storage.type[1])
        numbers = np.frombuffer(self.storage.content(), np.uint8)
        numbers = numbers[: len(numbers) // dtype.itemsize * dtype.itemsize].view(dtype)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and last >= len(numbers):
            raise ValueError(f"a storage of {len(numbers)} numbers that lacks number {last}")
        strides = tuple(step * dtype.itemsize for step in self.strides)
        seen = np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides, writeable=False)
        native = np.array(seen, dtype.newbyteorder("="))
        return (native.astype(np.uint32) << 16).view(np.float32) if self.type == "bfloat16" else native


class TensorMachine(Machine):
    """The machine of pickles with tensors; `storage_of` gives the storage of a persistent identifier.

    Parameters
    ----------
    storage_of : callable
        From the tuple of the file.
    nested : callable
        From the bytes of a file within the pickle to the storage that it contains.
    """

    keys: ClassVar[tuple[type, ...]] = (bytes, str, int, float, type(None))
    instructions: ClassVar[Mapping[str, Instruction]]

    def __init__(
        self, storage_of: Callable[[tuple[Any, ...]], Any], nested: Callable[[bytes], Any] | None = None
    ) -> None:
        super().__init__()
        self.storage_of, self.nested = storage_of, nested

    def made(self, function: Name, arguments: tuple[Any, ...]) -> Any:
        """The description of an object."""
        if function in TENSORS:
            return _tensor(arguments)
        if function in PARAMETERS:
            return arguments[0]
        if function == TYPED_TENSOR and isinstance(arguments[0], Name) and isinstance(arguments[2], tuple):
            if arguments[0] == TYPED_TENSOR:
                raise ValueError("a tensor within a tensor")
            return self.made(arguments[0], arguments[2])
        if function in WITHOUT_NUMBERS:
            return StoredTensor(None, kind=WITHOUT_NUMBERS[function])
        if function == NESTED_FILE and self.nested is not None and isinstance(arguments[0], bytes):
            return self.nested(arguments[0])
        if function == ENCODE and isinstance(arguments[0], str):
            return arguments[0].encode("latin1")
        if function in OLD_OBJECT and isinstance(arguments[0], Name):
            return self.made(arguments[0], ())
        if function in FROM_BUFFER:
            array, (content, kind, shape, order) = PickledArray(), arguments
            array.set_state((1, shape, kind, order == "F", content))
            return array
        if function in DICTIONARIES:
            return {}
        if function in SET or function in LEFT_OUT:
            return LeftOut()
        return super().made(function, arguments)

    def build(self) -> None:
        """Give an object its state; attributes of dictionaries and of what is left out are dropped."""
        if isinstance(self.stack[-2], dict | LeftOut | StoredTensor):
            self.last(1)
        else:
            super().build()

    def new_object(self, count: int) -> None:
        """Put a class and its arguments (NEWOBJ), or also named ones (NEWOBJ_EX), into one description."""
        function, arguments, *_ = self.last(count)
        self.stack += [function, arguments]
        self.call()

    def persistent(self) -> None:
        """Put a storage in place of its identifier."""
        (identifier,) = self.last(1)
        if not isinstance(identifier, tuple) or identifier[:1] != ("storage",):
            raise ValueError("an identifier of no storage")
        self.stack.append(self.storage_of(identifier))


TensorMachine.instructions = INSTRUCTIONS | {
    "BINPERSID": lambda machine, _: machine.persistent(),
    "NEWOBJ": lambda machine, _: machine.new_object(2),
    "NEWOBJ_EX": lambda machine, _: machine.new_object(3),
    "EMPTY_SET": lambda machine, _: machine.stack.append([]),
    "ADDITEMS": lambda machine, _: machine.append(machine.above_mark()),
    "FROZENSET": lambda machine, _: machine.stack.append(tuple(machine.above_mark())),
    "BYTEARRAY8": lambda machine, content: machine.stack.append(bytes(content)),
}


def storage_kind(identifier: tuple[Any, ...]) -> tuple[str, str, int]:
    """Kind, key and number of numbers that an identifier names.

    Raises
    ------
    ValueError, Refused
        It is damaged, or of no kind of storage.
    """
    _, name, key, _, numel, *_ = identifier
    module, _, kind = str(name).rpartition(" ")
    if not isinstance(name, Name) or module not in ("torch", "torch.storage", "torch.cuda"):
        raise Refused(f"a storage of kind {str(name).replace(' ', '.')}")
    if not isinstance(key, str) or type(numel) is not int or numel < 0:
        raise ValueError("a storage without a key or a size")
    return kind, key, numel


def _tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    storage, offset, shape, strides, *_ = arguments
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor without a storage or a shape")
    if not all(type(number) is int and number >= 0 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor with a size that is none")
    if len(shape) != len(strides) or len(shape) > 32:
        raise ValueError("a tensor with too many axes")
    return StoredTensor(storage, offset, shape, strides)
