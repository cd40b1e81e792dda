"""A file as HDF5 can bear it: writing never fails, and what went wrong is told when everything is closed."""

import io
from pathlib import Path
from typing import Any


class Disk(io.RawIOBase):
    """A file that keeps its first error to itself: HDF5 cannot close a file that it could not write."""

    def __init__(self, raw: io.FileIO, path: Path) -> None:
        self.raw, self.path = raw, path
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = left.nbytes
        try:
            while left.nbytes and not self.error:
                left = left[self.raw.write(left) :]
        except OSError as error:
            self._keep(error)
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return self.raw.truncate(size)
        except OSError as error:
            self._keep(error)
            return size or 0

    def readinto(self, buffer: Any) -> int:
        return self.raw.readinto(buffer) or 0

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

    def _keep(self, error: OSError) -> None:
        if self.error is None:
            error.filename = str(self.path)
            self.error = error
