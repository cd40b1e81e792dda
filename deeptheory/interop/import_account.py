"""How a file was read as a network: which tensor became which array."""

from dataclasses import dataclass
from typing import Any

from deeptheory.nn.layers.base import Shape
from deeptheory.nn.layers.normalisation import EPSILON
from deeptheory.tables import Table

SCALAR = "one number"
GRAPH = "the graph"  # the naming of an ONNX file, whose tensors get names of our own


@dataclass(frozen=True)
class Account:
    """How a file was read.

    Attributes
    ----------
    file : str
        Its name.
    sha256 : str
    architecture, naming : str
    rows : tuple of (str, tuple, str, tuple)
        Name and shape of every tensor, and of our array that it became.
    missing : dict of str to str
        Names of tensors that are needed but missing, each with the most similar extra name or "".
    extra : tuple of str
        Tensors that no array takes.
    wrong : tuple of str
        Tensors whose shape does not fit.
    notes : tuple of str
        What was converted, and what to check.
    norm_epsilon : float
        Of its batch norms.
    """

    file: str
    sha256: str
    architecture: str
    naming: str
    rows: tuple[tuple[str, Shape, str, Shape], ...]
    missing: dict[str, str]
    extra: tuple[str, ...]
    wrong: tuple[str, ...]
    notes: tuple[str, ...]
    norm_epsilon: float = EPSILON

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers for programs, as JSON."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "architecture": self.architecture,
            "naming": self.naming,
            "tensors": [
                {
                    "tensor": tensor,
                    "shape": list(shape),
                    "parameter": parameter,
                    "parameter_shape": list(parameter_shape),
                }
                for tensor, shape, parameter, parameter_shape in self.rows
            ],
            "missing": self.missing,
            "extra": list(self.extra),
            "wrong_shape": list(self.wrong),
            "notes": list(self.notes),
        }

    @property
    def source(self) -> dict[str, Any]:
        """The part that a run file stores."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "architecture": self.architecture,
            "naming": self.naming,
            "notes": list(self.notes),
            "tensors": [tensor for tensor, *_ in self.rows],
            "parameters": [parameter for _, _, parameter, _ in self.rows],
            "shapes": [_shape(shape) for _, shape, *_ in self.rows],
            "norm_epsilon": self.norm_epsilon,
        }

    @property
    def text(self) -> str:
        """A line for every tensor, then missing tensors, extra tensors and notes."""
        rows = [
            (
                tensor,
                _shape(shape),
                parameter,
                _shape(parameter_shape),
                "WRONG SHAPE" * (tensor in self.wrong),
            )
            for tensor, shape, parameter, parameter_shape in self.rows
        ]
        rows += [
            (name, "MISSING", "", "", f"nearest: {near}" if near else "")
            for name, near in self.missing.items()
        ]
        rows += [(name, "EXTRA", "", "", "") for name in self.extra]
        header = ("tensor", "shape", "parameter", "its shape", "")
        title = f"{self.file} as {self.architecture}, names of {self.naming}"
        table = Table(title, header, rows, left=(0, 1, 2, 3, 4), notes=[f"note: {n}" for n in self.notes])
        return str(table)


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or SCALAR


def shape_of(text: str) -> Shape:
    """The shape that an entry of ``shapes`` says."""
    return () if text == SCALAR else tuple(map(int, text.split(" x ")))
