"""Arrays of `.npz` files, each read only after what it claims was compared with its bytes and with the memory."""

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

from deeptheory.data.npy import CHUNK, SUFFIX, Arrays, Header, read_content, read_header
from deeptheory.data.stored_array import StoredArray
from deeptheory.system.memory import require_memory

LOCAL_HEADER = 30  # bytes before the name of a member
UNPACKED = "unpack it (unzip FILE -d FOLDER) and name the folder: its arrays may be larger than the memory"


def array_names(path: Path) -> list[str]:
    """Names of the arrays."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)]


def read_npz(path: Path, names: Iterable[str]) -> Arrays:
    """Some arrays of a file; images that are too many for the memory stay in it if it is not compressed.

    Raises
    ------
    InputError
        An array of Python objects, one whose shape does not fit its bytes, or more than the free memory.
    OSError, ValueError, zipfile.BadZipFile, zlib.error
        Damaged bytes.
    """
    arrays: Arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in names:
            info = archive.getinfo(f"{name}{SUFFIX}")
            with archive.open(info) as file:
                what = f"'{name}' in {path}"
                header = read_header(what, file, info.file_size)
                if header.stays_in_file and info.compress_type == zipfile.ZIP_STORED:
                    while file.read(CHUNK):  # compares the checksum at the end
                        pass
                    arrays[name] = _stored(path, info, header)
                else:
                    require_memory(f"data file {path}", header.n_bytes, UNPACKED)
                    arrays[name] = read_content(what, file, header)
    return arrays


def _stored(path: Path, info: zipfile.ZipInfo, header: Header) -> StoredArray:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        n_name, n_extra = struct.unpack("<26xHH", file.read(LOCAL_HEADER))
    begin = info.header_offset + LOCAL_HEADER + n_name + n_extra + header.begin
    return StoredArray.at(path, begin, header.shape, header.dtype)
