"""Files that `torch.save` and `pickle` wrote, read without PyTorch and without running anything of them."""

import functools
import io
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.data.pickled_arrays import Refused
from deeptheory.errors import InputError
from deeptheory.interop.state.torch_pickles import Storage, TensorMachine, storage_kind
from deeptheory.system.memory import require_memory

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # with which files before PyTorch 1.6 begin
OBJECT, ORDER, SCRIPT = "/data.pkl", "/byteorder", "/constants.pkl"
SMALLER = "use a smaller network, or a machine with more memory"
SAVE = "save model.state_dict() with torch.save, or as safetensors"


def read_torch_file(path: Path) -> Any:
    """The object in a file of PyTorch or a pickle; its tensors are `StoredTensor` and read when they are needed.

    Dictionaries, lists, texts, numbers and arrays of NumPy are themselves, objects of the few classes that are
    saved beside states are `LeftOut`. Anything else is refused; no class is looked up and nothing is called.

    Raises
    ------
    InputError
        The file asks for another object, which is named; it is a TorchScript, damaged, or larger than the memory.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_archive(path)
        with path.open("rb") as file:
            return _read_pickles(file.read(), nested=_storage_within)
    except Refused as refusal:
        found = f"a pickle that asks for {refusal}; nothing of it was run"
        raise InputError(f"file {path}", "a state dictionary of tensors", found, SAVE) from None
    except InputError:
        raise
    except Exception as error:  # damaged bytes make the parser and the machine raise many kinds
        raise damaged(path, "a complete state dictionary", error) from error


def damaged(path: Path, expected: str, error: Exception | str) -> InputError:
    """The error for a file that ends early or contains what cannot be."""
    said = " ".join(str(error).split()).split(". ")[0][:200]  # the advice that follows is for developers
    said = said or type(error).__name__
    return InputError(f"file {path}", expected, f"one that cannot be read ({said})", "copy it again")


def _read_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        require_memory(f"file {path}", 3 * sum(member.file_size for member in archive.infolist()), SMALLER)
        names = archive.namelist()
        main = next((name for name in names if name.endswith(OBJECT) and name.count("/") == 1), "")
        root = main.removesuffix(OBJECT)
        if root + SCRIPT in names:
            do = "load it with torch.jit.load, and torch.save its state_dict()"
            raise InputError(f"file {path}", "a state dictionary of tensors", "a TorchScript: a program", do)
        if not main:
            found = f"an archive with {', '.join(names[:3]) or 'nothing'}"
            raise InputError(f"file {path}", "a state dictionary of tensors", found, SAVE)
        order = ">" if root + ORDER in names and archive.read(root + ORDER) == b"big" else "<"
        storages: dict[str, Storage] = {}

        @functools.cache
        def content(key: str) -> bytes:
            with zipfile.ZipFile(path) as opened:
                return opened.read(f"{root}/data/{key}")

        def storage_of(identifier: tuple[Any, ...]) -> Storage:
            kind, key, numel = storage_kind(identifier)
            new = Storage(kind, numel, functools.partial(content, key), order)
            return storages.setdefault(key, new)

        return TensorMachine(storage_of).run(pickletools.genops(archive.read(main)))


def _read_pickles(content: bytes, nested: Any = None) -> Any:
    """A pickle; where it is the magic number, the pickles and storages that follow it."""
    file, storages = io.BytesIO(content), dict[str, Storage]()
    contents: dict[str, bytes] = {}

    def storage_of(identifier: tuple[Any, ...]) -> Storage:
        kind, key, numel = storage_kind(identifier)
        if len(identifier) > 5 and identifier[5] is not None:
            raise Refused("a view of a storage, as PyTorch wrote before 0.4")
        return storages.setdefault(key, Storage(kind, numel, lambda: contents[key]))

    def unpickled() -> Any:
        return TensorMachine(storage_of, nested).run(pickletools.genops(file))

    first = unpickled()
    if first != MAGIC:
        return first
    if unpickled() != PROTOCOL:
        raise ValueError("another protocol than 1001")
    unpickled()  # the machine that wrote it
    found = unpickled()
    for key in unpickled():
        numel = int.from_bytes(file.read(8), "little")
        size = numel * _item_size(storages[key])
        contents[key] = file.read(size)
        if len(contents[key]) != size:
            raise ValueError(f"a storage of {len(contents[key])} bytes instead of {size}")
    return found


def _item_size(storage: Storage) -> int:
    name, code = storage.type
    if not code:
        raise Refused(f"numbers of type {name}")
    return np.dtype(code).itemsize


def _storage_within(content: bytes) -> Storage:
    """The storage of a file within a pickle, in which no further file may be."""
    found = _read_pickles(content)
    if not isinstance(found, Storage):
        raise ValueError("a file within the pickle that contains no storage")
    return found
