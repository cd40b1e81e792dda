"""What a file of tensors is, by its first bytes: names of checkpoints say nothing."""

from pathlib import Path

from deeptheory.errors import InputError

SAFETENSORS, TORCH, ONNX, UNKNOWN = "safetensors", "PyTorch", "ONNX", "unknown"
ONNX_ENDING = ".onnx"
LONGEST_HEADER = 100_000_000  # bytes, of safetensors
PICKLES = (b"\x80", b"(", b"}", b"c", b"]")
NO_NETWORKS = {
    b"<": ("a page of the web, which a failed download leaves", "download it again"),
    b"version https://git-lfs": ("a pointer of Git LFS", "fetch the file itself: git lfs pull"),
    b"\x89HDF": ("an HDF5 file, as Keras writes", "save the weights as safetensors by the names of PyTorch"),
}


def kind_of(path: Path) -> str:
    """Safetensors, PyTorch, ONNX or unknown, by content; the name decides only between ONNX and unknown.

    Raises
    ------
    InputError
        The content is that of something that is often found in place of a network.
    """
    start = b""
    if path.is_file():  # which a pipe is not, that would be waited for
        with path.open("rb") as file:
            start = file.read(64)
    for beginning, (found, do) in NO_NETWORKS.items():
        if start.startswith(beginning):
            raise InputError(f"file {path}", "the tensors of a network", found, do)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST_HEADER:
        return SAFETENSORS
    if start.startswith((b"PK\x03\x04", *PICKLES)):
        return TORCH
    is_onnx = start[:1] == b"\x08" and start[1:2] < b"\x20"  # begins with the number of its version
    return ONNX if is_onnx or path.suffix == ONNX_ENDING else UNKNOWN
