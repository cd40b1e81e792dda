"""Entries of HDF5 files that anyone may have written: only what lies in the file itself and fits into memory."""

import math
import zlib
from typing import Any

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.store.typed_readers import Array
from deeptheory.system.memory import require_memory

CHECKSUM = "crc32"  # attribute of every data set: of its bytes as they are in memory
FILTERS = {
    h5py.h5z.FILTER_DEFLATE: "gzip",
    h5py.h5z.FILTER_SHUFFLE: "shuffle",
    h5py.h5z.FILTER_FLETCHER32: "fletcher32",
    h5py.h5z.FILTER_LZF: "lzf",
}
EXPANSION = 1032  # times the bytes that deflate makes of its input at most
UNWATCHED = 1 << 24  # bytes that may be read before the free memory is looked at again
INFLATED = 1 << 30  # bytes that a chunk may become before it is looked into
TEXT_BYTES = 64  # that Python adds to a text
TEXTS = 256  # read at a time, since many may be one in the file
DISTRUST = "do not trust this file, or write its content anew into one that holds all of it"


class Memory:
    """The memory that entries take which are read one after the other, looked at before they are made."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, what: str, needed: int) -> None:
        """Refuse what would exceed the free memory; little is only added up, since looking takes 0.6 ms."""
        self.taken += needed
        if self.taken > UNWATCHED:
            require_memory(what, self.taken, "use a smaller file, or a machine with more memory")
            self.taken = 0


def item_at(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """The entry at a path below a group, or None where there is none.

    Raises
    ------
    InputError
        The path leads through a link to another file or another place of this one.
    """
    item, names = group.id, [name.encode() for name in path.split("/") if name]
    for name in names:
        if not isinstance(item, h5py.h5g.GroupID) or not item.links.exists(name):
            return None
        if item.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            owner = h5py.Group(item)
            link = owner.get(name, getlink=True)
            kind = "an external" if isinstance(link, h5py.ExternalLink) else "a symbolic"
            found = f"{kind} link to '{getattr(link, 'path', '')}'"
            raise _refused(owner, name.decode(), "an entry of its own", found)
        item = h5py.h5o.open(item, name)
        if h5py.h5o.get_info(item).rc > 1:  # a group may so be within itself, or be read times and again
            raise _refused(group, path, "an entry of its own", "one with several names")
    return _with_its_methods(item) if names else group


def _with_its_methods(item: Any) -> h5py.Group | h5py.Dataset | h5py.Datatype:
    if isinstance(item, h5py.h5d.DatasetID):
        return h5py.Dataset(item)
    return h5py.Group(item) if isinstance(item, h5py.h5g.GroupID) else h5py.Datatype(item)


def content(item: h5py.Dataset, memory: Memory) -> str | list[str] | Array | np.generic:
    """All of a data set: one text, a list of texts, an array or a number.

    Raises
    ------
    InputError
        By `require_readable`.
    """
    require_readable(item)
    if not h5py.check_string_dtype(item.dtype):
        memory.take(_name(item), item.nbytes)
        value: Array | np.generic = item[()]
        return value
    texts = item.asstr()
    if not item.ndim:
        return str(texts[()])
    found: list[str] = []
    for start in range(0, len(item), TEXTS):
        found += list(texts[start : start + TEXTS])
        memory.take(_name(item), sum(map(len, found[start:])) + TEXTS * TEXT_BYTES)
    return found


def require_readable(item: Any) -> None:
    """Refuse what is no data set of numbers or texts, lies outside of its file, or may not fit into memory.

    Raises
    ------
    InputError
        As of `require_own`; or more than the free memory, as it is claimed or as its compressed bytes say.
    """
    require_own(item)
    text = h5py.check_string_dtype(item.dtype)
    needed = item.nbytes + (item.size * TEXT_BYTES if text else 0)
    if item.chunks is not None:
        needed += _chunk_bytes(item)
    if needed > UNWATCHED:
        require_memory(_name(item), needed, "use a smaller file, or a machine with more memory")
    if h5py.h5z.FILTER_DEFLATE in _filters(item):
        _require_true_chunks(item)


def require_own(item: Any) -> None:
    """Refuse what is no data set of numbers or texts, or lies outside of its file.

    Raises
    ------
    InputError
        A group; another type; external or virtual storage; or a filter other than `FILTERS`.
    """
    if not isinstance(item, h5py.Dataset):
        raise _refused(item, "", "a data set", "a group or a type")
    text, stored = h5py.check_string_dtype(item.dtype), item.id.get_create_plist()
    if item.shape is None or (text and item.ndim > 1) or not (text or item.dtype.kind in "biuf"):
        found = f"{item.dtype}" + " of no shape" * (item.shape is None)
        raise _refused(item, "", "numbers, or a list of texts", found)
    if stored.get_layout() == h5py.h5d.VIRTUAL or stored.get_external_count():
        found = "a virtual data set" if stored.get_layout() == h5py.h5d.VIRTUAL else "external storage"
        raise _refused(item, "", "numbers that this file holds", f"{found}, which is read from other files")
    if unknown := [code for code in _filters(item) if code not in FILTERS]:
        found = f"number {unknown[0]}"
        raise _refused(item, "", f"no filter but {', '.join(FILTERS.values())}", found)


def place_of(item: h5py.Dataset) -> int | None:
    """Where in its file the numbers of a data set lie one after the other; None where they do not, or not yet."""
    require_own(item)
    if item.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        return None
    place: int | None = item.id.get_offset()
    return place


def _filters(item: h5py.Dataset) -> list[int]:
    stored = item.id.get_create_plist()
    return [stored.get_filter(number)[0] for number in range(stored.get_nfilters())]


def _require_true_chunks(item: h5py.Dataset) -> None:
    """Look into chunks that could become very large: HDF5 inflates a chunk however much comes of it."""
    if EXPANSION * item.id.get_storage_size() <= INFLATED:
        return
    claimed, large = _chunk_bytes(item), list[tuple[int, ...]]()

    def note(chunk: Any) -> None:
        if EXPANSION * chunk.size > INFLATED:
            large.append(chunk.chunk_offset)

    item.id.chunk_iter(note)
    for place in large:
        skipped, raw = item.id.read_direct_chunk(place)
        if (
            not skipped and len(zlib.decompressobj().decompress(raw, claimed + 8)) > claimed + 4
        ):  # with a checksum
            raise _refused(item, "", f"chunks of {claimed} bytes", "one that becomes more")


def _chunk_bytes(item: h5py.Dataset) -> int:
    return math.prod(map(int, item.chunks or ())) * int(item.dtype.itemsize)


def stored_checksum(item: h5py.Dataset) -> int | None:
    """The checksum of a data set, or None where there is none."""
    if CHECKSUM not in item.attrs:
        return None
    attribute = item.attrs.get_id(CHECKSUM)
    if attribute.shape != () or attribute.dtype.kind != "u":
        raise _refused(
            item, "", f"a checksum in '{CHECKSUM}'", f"{attribute.dtype} of shape {attribute.shape}"
        )
    return int(item.attrs[CHECKSUM])


def _name(item: h5py.Dataset) -> str:
    return f"'{(item.name or '').strip('/')}' in {item.file.filename}"


def _refused(item: Any, path: str, expected: str, found: str, do: str = DISTRUST) -> InputError:
    where = "/".join(part for part in ((item.name or "").strip("/"), path.strip("/")) if part)
    return InputError(f"'{where}' in {item.file.filename}", expected, found, do)
