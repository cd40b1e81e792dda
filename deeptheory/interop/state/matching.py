"""Match the tensors of a file to the arrays of a network; list what is missing, extra or of another shape."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.state.adaptive_pooling import POOLED
from deeptheory.interop.state.architectures import OWN, Architecture
from deeptheory.interop.state.naming import counted, is_ignored
from deeptheory.interop.state.sizes import fitted
from deeptheory.interop.torch_modules import DRAWN
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.normalisation import EPSILON


@dataclass(frozen=True)
class Pair:
    """A tensor of the file and our array that it becomes.

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
        Name of the naming (`Architecture.namings`).
    description : dict
        Of the network, with the sizes of the tensors.
    pairs : tuple of Pair
        In order of computation.
    missing : dict of str to str
        Names of tensors that are needed but missing, with our array.
    extra : tuple of str
        Tensors that no array takes.
    ignored : int
        Counters of batches, which no output depends on.
    contents : str
        How many modules of each kind the file has.
    left_out : int
        Tensors of parts that only training uses (`Architecture.left_out`).
    """

    architecture: Architecture
    naming: str
    description: dict[str, Any]
    pairs: tuple[Pair, ...]
    missing: dict[str, str]
    extra: tuple[str, ...]
    ignored: int
    contents: str
    left_out: int = 0

    @property
    def wrong(self) -> tuple[Pair, ...]:
        """The pairs whose shapes do not fit."""
        return tuple(pair for pair in self.pairs if not pair.fits)

    @property
    def complete(self) -> bool:
        """Whether every tensor has an array and every array a tensor, of the same shape."""
        return not (self.missing or self.extra or self.wrong)

    @property
    def norm_epsilon(self) -> float:
        """What the batch norms of the package that gave the names add to the variance."""
        return self.architecture.epsilons.get(self.naming, EPSILON)

    @property
    def padded_behind(self) -> bool:
        """Whether the package that gave the names pads as TensorFlow does."""
        return self.naming in self.architecture.padded_behind

    def nearest(self, name: str) -> str:
        """The extra tensor whose name is most similar to a missing one; "" where none is similar."""
        return next(iter(difflib.get_close_matches(name, self.extra, n=1)), "")

    def require_complete(self, what: str) -> None:
        """Raise if the file does not fit; the error names all that is missing, extra or of a wrong shape.

        Tensors with names of another package are refused as well where these do not say what is computed of them.
        """
        if self.complete:
            if self.architecture.unsaid and self.naming != OWN:
                raise self.architecture.unsaid
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
            shapes = [
                f"'{pair.tensor}' {pair.found}, "
                f"not {_pytorch_shape(self.architecture, pair.array, pair.expected)}"
                for pair in self.wrong
            ]
            parts.append(f"of another shape: {', '.join(shapes)}")
        raise InputError(
            what,
            f"the tensors of {self.architecture.name} by the names of {self.naming}",
            f"{self.contents}; {'; '.join(parts)}",
            "--list shows all; name another --architecture, or describe the network in a TOML file",
        )


def match(architecture: Architecture, tensors: Mapping[str, Array], input_shape: Shape) -> Matching:
    """Match tensors to the arrays of an architecture, under the first naming that fits completely, else the best.

    Raises
    ------
    InputError
        With the sizes of the tensors, layers do not fit together, because tensors are missing or for themselves.
    """
    incomplete, refused = [], []
    for naming, names in architecture.namings.items():
        try:
            tried = _match(architecture, naming, names, tensors, input_shape)
        except InputError as error:
            refused.append(_lacking(architecture, naming, names, tensors) or error)
            continue
        if tried.complete:
            return tried
        incomplete.append(tried)
    if refused and not any(pair.fits for tried in incomplete for pair in tried.pairs):
        raise refused[0]
    return max(incomplete, key=lambda tried: sum(pair.fits for pair in tried.pairs))


def _lacking(
    architecture: Architecture, naming: str, names: Mapping[str, str], tensors: Mapping[str, Array]
) -> InputError | None:
    """What is said of missing tensors, without whose sizes no network can be put together."""
    missing = [name for array, name in names.items() if array.endswith(".weight") and name not in tensors]
    if not missing:
        return None
    expected = f"those of {architecture.name} by the names of {naming}"
    do = "name another --architecture, or describe the network in a TOML file"
    return InputError("tensors", expected, f"{len(missing)} missing, the first is '{missing[0]}'", do)


def _match(
    architecture: Architecture,
    naming: str,
    names: Mapping[str, str],
    tensors: Mapping[str, Array],
    input_shape: Shape,
) -> Matching:
    named = {array: tensors[name] for array, name in names.items() if name in tensors}
    shapes = {array: _without_positions(tensor.shape) for array, tensor in named.items()}
    description, expected = fitted(architecture, shapes, input_shape)
    pairs = tuple(
        Pair(names[array], array, named[array].shape, shape, _fits(architecture, array, named[array], shape))
        for array, shape in expected.items()
        if array in named
    )
    matched = {pair.tensor for pair in pairs}
    parts = tuple(f"{part}." for part in architecture.left_out)
    unmatched = [name for name in tensors if name not in matched]
    left = [name for name in unmatched if not name.startswith(parts)]
    return Matching(
        architecture,
        naming,
        description,
        pairs,
        {names.get(array, array): array for array in expected if array not in named},
        tuple(name for name in left if not is_ignored(name)),
        sum(map(is_ignored, left)),
        counted(tensors),
        len(unmatched) - len(left),
    )


def _without_positions(shape: Shape) -> Shape:
    """A matrix here can be a 1 x 1 convolution in PyTorch, and the reverse; a vector can have further axes."""
    if shape[1:] == (1, 1):
        return shape[:1]
    return shape[:2] if shape[2:] == (1, 1) else shape


def _fits(architecture: Architecture, array: str, tensor: Array, shape: Shape) -> bool:
    if tensor.dtype != (np.int64 if array.rpartition(".")[2] in DRAWN else np.float32):
        return False
    return _without_positions(tensor.shape) == _without_positions(_pytorch_shape(architecture, array, shape))


def _pytorch_shape(architecture: Architecture, array: str, shape: Shape) -> Shape:
    """The shape that an array of ours has in PyTorch, where pooling is adaptive."""
    if architecture.by_rows and array.endswith(".attention.weight"):
        return 3 * shape[0] * shape[3], shape[1]
    if architecture.by_rows and len(shape) == 4 and shape[2] == 1:  # the projection of the heads
        return shape[0], shape[1] * shape[3]
    if architecture.by_rows and array.endswith((".positions.weight", ".pool.weight")):
        return 1, *shape
    if array not in architecture.pooled:
        return shape
    height, width = architecture.pooled[array]
    return shape[0], shape[1] // (height * width) * POOLED**2
