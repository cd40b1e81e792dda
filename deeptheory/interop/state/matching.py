"""Which tensor of a file is which array of a network, with both shapes; what is missing, extra or does not fit."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.state.architectures import POOLED, Architecture
from deeptheory.interop.state.naming import counted, is_ignored
from deeptheory.interop.state.sizes import fitted
from deeptheory.interop.torch_modules import DRAWN
from deeptheory.nn.layers.base import Array, Shape


@dataclass(frozen=True)
class Pair:
    """A tensor of the file and the array of ours that it becomes.

    Attributes
    ----------
    tensor, array : str
        Their names.
    found : tuple of int
        Shape of the tensor.
    expected : tuple of int
        Shape of our array.
    fits : bool
        Whether the one can become the other.
    """

    tensor: str
    array: str
    found: Shape
    expected: Shape
    fits: bool


@dataclass(frozen=True)
class Matching:
    """How the tensors of a file fit an architecture under one naming.

    Attributes
    ----------
    architecture : Architecture
    naming : str
        What the naming is called (`Architecture.namings`).
    description : dict
        Of the network, with the sizes of the tensors.
    pairs : tuple of Pair
        In order of computation.
    missing : dict of str to str
        Names of tensors that are needed and not there, with the array of ours.
    extra : tuple of str
        Tensors that nothing takes.
    ignored : int
        Counters of batches, which no output depends on.
    contents : str
        How many modules of each kind the file has.
    """

    architecture: Architecture
    naming: str
    description: dict[str, Any]
    pairs: tuple[Pair, ...]
    missing: dict[str, str]
    extra: tuple[str, ...]
    ignored: int
    contents: str

    @property
    def wrong(self) -> tuple[Pair, ...]:
        """The pairs whose shapes do not fit."""
        return tuple(pair for pair in self.pairs if not pair.fits)

    @property
    def complete(self) -> bool:
        """Whether every tensor has its place, and every place its tensor."""
        return not (self.missing or self.extra or self.wrong)

    def nearest(self, name: str) -> str:
        """The extra tensor whose name is nearest to one that is missing; "" where none is near."""
        return next(iter(difflib.get_close_matches(name, self.extra, n=1)), "")

    def require_complete(self, what: str) -> None:
        """Refuse a file that does not fit, with everything that is missing, extra or of a wrong shape."""
        if self.complete:
            return
        parts = []
        if self.missing:
            names = [
                f"'{name}'" + (f" (nearest: '{near}')" if (near := self.nearest(name)) else "")
                for name in self.missing
            ]
            parts.append(f"missing: {', '.join(names)}")
        if self.extra:
            parts.append(f"extra: {', '.join(map(repr, self.extra))}")
        if self.wrong:
            shapes = [f"'{pair.tensor}' {pair.found}, not {_theirs(self, pair)}" for pair in self.wrong]
            parts.append(f"of another shape: {', '.join(shapes)}")
        raise InputError(
            what,
            f"the tensors of {self.architecture.name} by the names of {self.naming}",
            f"{self.contents}; {'; '.join(parts)}",
            "--list shows all; name another --architecture, or describe the network in a TOML file",
        )


def match(architecture: Architecture, tensors: Mapping[str, Array], input_shape: Shape) -> Matching:
    """Match tensors to the arrays of an architecture under the first naming that fits, or the one that fits best.

    Raises
    ------
    InputError
        The sizes of the tensors make layers that do not fit together.
    """
    found, refused = [], []
    for naming, names in architecture.namings.items():
        try:
            tried = _match(architecture, naming, names, tensors, input_shape)
        except InputError as error:
            refused.append(error)
            continue
        if tried.complete:
            return tried
        found.append(tried)
    if refused and not any(pair.fits for tried in found for pair in tried.pairs):
        raise refused[0]
    return max(found, key=lambda tried: sum(pair.fits for pair in tried.pairs))


def _match(
    architecture: Architecture,
    naming: str,
    names: Mapping[str, str],
    tensors: Mapping[str, Array],
    input_shape: Shape,
) -> Matching:
    there = {array: tensors[name] for array, name in names.items() if name in tensors}
    shapes = {array: _without_positions(array, tensor.shape) for array, tensor in there.items()}
    description, expected = fitted(architecture, shapes, input_shape)
    pairs = tuple(
        Pair(names[array], array, there[array].shape, shape, _fits(architecture, array, there[array], shape))
        for array, shape in expected.items()
        if array in there
    )
    taken = {pair.tensor for pair in pairs}
    left = [name for name in tensors if name not in taken]
    return Matching(
        architecture,
        naming,
        description,
        pairs,
        {names.get(array, array): array for array in expected if array not in there},
        tuple(name for name in left if not is_ignored(name)),
        sum(map(is_ignored, left)),
        counted(tensors),
    )


def _without_positions(array: str, shape: Shape) -> Shape:
    """Squeeze-and-excitation is made of 1 x 1 convolutions in PyTorch, of matrices here."""
    matrix = array.endswith(("reduce_weight", "expand_weight"))
    return shape[:2] if matrix and shape[2:] == (1, 1) else shape


def _fits(architecture: Architecture, array: str, tensor: Array, shape: Shape) -> bool:
    if tensor.dtype != (np.int64 if array.rpartition(".")[2] in DRAWN else np.float32):
        return False
    return _without_positions(array, tensor.shape) == _in_pytorch(architecture, array, shape)


def _in_pytorch(architecture: Architecture, array: str, shape: Shape) -> Shape:
    """The shape that an array of ours has in PyTorch, where pooling is adaptive."""
    if array not in architecture.pooled:
        return shape
    height, width = architecture.pooled[array]
    return shape[0], shape[1] // (height * width) * POOLED**2


def _theirs(matching: Matching, pair: Pair) -> Shape:
    return _in_pytorch(matching.architecture, pair.array, pair.expected)
