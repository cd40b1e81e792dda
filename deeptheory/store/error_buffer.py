"""A file object for HDF5 that buffers write errors until HDF5 has closed the file."""

import io
from pathlib import Path
from typing import Any


class Disk(io.RawIOBase):
    """A file that stores its first error in `error` and continues in memory.

    HDF5 cannot close a file after a failed write, and crashes on data that it cannot read back. The owner of the
    file raises the error once HDF5 has closed it.
    """

    def __init__(self, raw: io.FileIO, path: Path) -> None:
        self.raw: io.FileIO | io.BytesIO = raw
        self.path = path
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        whole = left = memoryview(data).cast("B")
        position = self.raw.tell()
        try:
            while left.nbytes:
                left = left[self.raw.write(left) :]
        except OSError as error:
            self._continue_in_memory(error, position)
            self.raw.write(whole)
        return whole.nbytes

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, with zeros beyond the end of the file, as the drivers of HDF5 do."""
        whole = left = memoryview(buffer).cast("B")
        while left.nbytes and (read := self.raw.readinto(left)):
            left = left[read:]
        left[:] = bytes(left.nbytes)
        return whole.nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return self.raw.truncate(size)
        except OSError as error:
            self._continue_in_memory(error, self.raw.tell())
            return self.raw.truncate(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.raw.seek(offset, whence)

    def tell(self) -> int:
        return self.raw.tell()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _continue_in_memory(self, error: OSError, position: int) -> None:
        error.filename = str(self.path)
        self.error = error
        self.raw.seek(0)
        self.raw = io.BytesIO(self.raw.read())
        self.raw.seek(position)
