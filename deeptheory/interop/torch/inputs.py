"""All inputs of loaders: read once, in their own precision, in memory or, where they are many, in a file."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_like import array_of
from deeptheory.errors import InputError

IN_MEMORY = 2**28  # bytes of the inputs of one loader; more are kept in a temporary file
LABELS = ("labels", "label")  # of a batch that is a dictionary
MOST = 2**24  # inputs whose numbers float32 tells apart


@dataclass(frozen=True)
class Inputs:
    """All inputs of a loader, in its order.

    Attributes
    ----------
    what : str
        Their name in error messages.
    images : float32 array (N, 1)
        Their numbers in the pool, which stand for the inputs themselves wherever inputs are passed on.
    labels : int64 array (N,)
        From 0 to K-1, of the labels that are measured.
    """

    what: str
    images: NDArray[np.float32]
    labels: NDArray[np.int64]


class Pool:
    """The inputs of several loaders, each a tensor, or several by name or position, in their own precision."""

    def __init__(self, torch: Any) -> None:
        self.torch, self.size = torch, 0
        self.parts: list[
            tuple[int, dict[Any, Any]]
        ] = []  # the number of their first input, and their tensors

    def rows(self, numbers: NDArray[np.float32]) -> Any:
        """The inputs of these numbers, of one loader: a tensor, or a dictionary or list of tensors."""
        chosen = numbers.ravel().astype(np.int64)
        first, tensors = [part for part in self.parts if part[0] <= chosen[0]][-1]
        index = self.torch.from_numpy(chosen - first)
        found = {key: tensor[index] for key, tensor in tensors.items()}
        return _joined(found)

    def read(self, loader: Iterable[Any], what: str) -> Inputs:
        """Read a loader once, batch by batch; needs the memory of one batch, or of 256 MiB.

        Raises
        ------
        InputError
            There is no batch; a batch is no pair of inputs and labels, nor a dictionary with ``labels``; it has
            another form than the first, values that are not finite, or grey levels that are not floats; or labels
            are no integers.
        """
        columns, labels = dict[Any, _Column](), list[NDArray[np.int64]]()
        for number, (given, of_batch) in enumerate(_batches(self.torch, loader, what)):
            name = f"batch {number} of {what}"
            if number and given.keys() != columns.keys():
                known, found = (", ".join(map(str, keys)) for keys in (columns, given))
                raise InputError(f"inputs of {name}", f"those of batches before ({known})", found)
            for key, tensor in given.items():
                _check(self.torch, tensor, f"images of {name}", len(of_batch))
                columns.setdefault(key, _Column(self.torch, tensor)).add(tensor, f"images of {name}")
            labels.append(of_batch)
        if not labels:
            raise InputError(what, "at least one batch", "none")
        joined = np.concatenate(labels)
        first, self.size = self.size, self.size + len(joined)
        if self.size > MOST:
            raise InputError(what, f"at most {MOST} inputs in all loaders", f"{self.size}", "take fewer")
        self.parts.append((first, {key: column.tensor() for key, column in columns.items()}))
        return Inputs(what, np.arange(first, self.size, dtype=np.float32)[:, None], joined)

    def read_example(self, example: Any) -> Inputs:
        """Some inputs without labels: a tensor or array (n, ...), or a dictionary or list of them."""
        given = [*example] if isinstance(example, list | tuple) else [example]
        leaves = self.torch.utils._pytree.tree_leaves(
            dict(example) if isinstance(example, Mapping) else given
        )
        shape = tuple(getattr(leaves[0], "shape", ())) if leaves else ()
        if len(shape) < 2 or not shape[0]:
            raise InputError("example", "inputs (n, ...), at least one", f"shape {shape}")
        return self.read([[*given, np.zeros(shape[0], np.int64)]], "example")


class _Column:
    """One tensor of all batches, joined; in an unnamed file where it is large."""

    def __init__(self, torch: Any, first: Any) -> None:
        self.torch, self.shape, self.dtype = torch, tuple(first.shape[1:]), first.dtype
        self.kept: list[Any] = []
        self.file: Any = None
        self.rows = self.bytes = 0

    def add(self, tensor: Any, what: str) -> None:
        if tuple(tensor.shape[1:]) != self.shape:
            found = f"{tuple(tensor.shape[1:])}"
            do = "pad all of them to the same length" if tensor.ndim == 2 else ""
            raise InputError(what, f"the shape {self.shape} of those before", found, do)
        self.rows, self.bytes = self.rows + len(tensor), self.bytes + tensor.numel() * tensor.element_size()
        self.kept.append(tensor.detach().cpu().to(self.dtype).contiguous())
        if self.bytes > IN_MEMORY:
            self.file = self.file or tempfile.TemporaryFile()  # noqa: SIM115
            for kept in self.kept:
                self.file.write(memoryview(kept.view(self.torch.uint8).numpy()))
            self.kept.clear()

    def tensor(self) -> Any:
        if self.file is None:
            return self.torch.cat(self.kept)
        self.file.flush()
        mapped = np.memmap(self.file, np.uint8, "r+")
        self.file.close()  # it stays as long as it is mapped
        return self.torch.from_numpy(mapped).view(self.dtype).view(self.rows, *self.shape)


def _batches(
    torch: Any, loader: Iterable[Any], what: str
) -> Iterator[tuple[dict[Any, Any], NDArray[np.int64]]]:
    """The inputs of every batch by name or position, and its labels."""
    if not isinstance(loader, Iterable):
        raise InputError(what, "an iterable of (images, labels)", f"a {type(loader).__name__}")
    for number, batch in enumerate(loader):
        name = f"batch {number} of {what}"
        given, labels = _parted(batch, name)
        tensors = {key: _tensor(torch, value, f"images of {name}") for key, value in given.items()}
        found = array_of(labels, f"labels of {name}")
        if found.dtype.kind not in "iu":
            raise InputError(f"labels of {name}", "whole numbers", f"values of type {found.dtype}")
        first = next(iter(tensors.values()))
        if found.shape != tuple(first.shape[:1]):
            expected = "images (n, ...) and as many labels (n,)"
            raise InputError(name, expected, f"shapes {tuple(first.shape)} and {found.shape}")
        yield tensors, found.astype(np.int64)


def _parted(batch: Any, name: str) -> tuple[dict[Any, Any], Any]:
    """Inputs, numbered or named, and labels of one batch: a pair, or one dictionary, as transformers have it."""
    if isinstance(batch, Mapping):
        key = next((key for key in LABELS if key in batch), None)
        if key is None or len(batch) < 2:
            raise InputError(
                name, f"inputs and '{LABELS[0]}'", f"a dictionary of {', '.join(map(str, batch))}"
            )
        return {other: value for other, value in batch.items() if other != key}, batch[key]
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        length = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise InputError(name, "a pair (images, labels)", f"a {type(batch).__name__}{length}")
    *given, labels = batch
    if len(given) == 1 and isinstance(given[0], Mapping):
        return dict(given[0]), labels
    return dict(enumerate(given)), labels


def _tensor(torch: Any, value: Any, what: str) -> Any:
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(array_of(value, what)))


def _check(torch: Any, tensor: Any, what: str, n: int) -> None:
    if tensor.ndim < 1 or len(tensor) != n:
        raise InputError(what, f"{n}, as many as labels", f"shape {tuple(tensor.shape)}")
    if tensor.is_floating_point():
        if not (finite := torch.isfinite(tensor)).all():
            raise InputError(
                what, "finite numbers", f"{int((~finite).sum())} values that are NaN or infinite"
            )
    elif tensor.ndim > 3 or tensor.dtype == torch.uint8:
        do = "normalise them as the model wants them"
        raise InputError(what, "floats, or numbers of tokens", f"values of type {tensor.dtype}", do)


def _joined(found: dict[Any, Any]) -> Any:
    """One tensor by itself, several by position as a list."""
    if list(found) == [0]:
        return found[0]
    return list(found.values()) if 0 in found else found
