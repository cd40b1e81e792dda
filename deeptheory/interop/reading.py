"""A trained network from a file of another program."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.import_account import GRAPH, Account
from deeptheory.interop.state.architectures import find_architecture
from deeptheory.interop.state.conversion import converted, folded_biases, in_single_precision, standardised
from deeptheory.interop.state.file_kinds import ONNX, kind_of
from deeptheory.interop.state.matching import Matching, match
from deeptheory.interop.state.state_files import StateFile, read_state
from deeptheory.nn.layers.base import Shape
from deeptheory.nn.layers.normalisation import EPSILON
from deeptheory.prune.masked_layers import HEAD_LAYER


@dataclass(frozen=True)
class Units:
    """The pixel scale and the epsilon of batch norms that an imported network expects.

    Attributes
    ----------
    mean, deviation : tuple of float
        Of pixels p in [0, 1], which enter as (p - mean)/deviation; empty where they enter as 2*p - 1. One number
        for each channel, or one for all.
    norm_epsilon : float or None
        Added to the variance by batch norms; None: what the package adds whose names the tensors have.
    """

    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    norm_epsilon: float | None = None

    def __post_init__(self) -> None:
        if bool(self.mean) != bool(self.deviation):
            given, other = ("--mean", "--std") if self.mean else ("--std", "--mean")
            raise InputError(given, f"{other} beside it", "it alone", "give both or neither")
        if self.norm_epsilon is not None and not self.norm_epsilon > 0:
            raise InputError("--norm-epsilon", "a number above 0", f"{self.norm_epsilon:g}")


class ReadFile:
    """A file that was read and matched: `account` describes how, `network` builds the network."""

    def __init__(
        self, account: Account, units: Units, state: StateFile | None, source: Matching | nn.Network
    ) -> None:
        self.account, self._units, self._state, self._source = account, units, state, source

    def network(self) -> nn.Network:
        """The network, with our names and array layout.

        Raises
        ------
        InputError
            Tensors are missing, extra or of a wrong shape, or the last layer is not `head.linear`.
        """
        if isinstance(self._source, Matching):
            assert self._state is not None
            assert self._units.norm_epsilon is not None
            self._source.require_complete(f"{self._state.path}")
            network = converted(self._source, self._state.tensors, self._units.norm_epsilon)
        else:
            network = self._source
        last = f"{network.head.name}.{list(network.head.layers)[-1]}"
        if last != HEAD_LAYER:  # where the outputs are measured and masked
            raise InputError(f"last layer of {self.account.architecture}", HEAD_LAYER, last, "rename it")
        if self._units.mean:
            network = standardised(network, self._units.mean, self._units.deviation)
        return network


def find_network(
    path: Path, architecture: str | None, input_shape: Sequence[int], units: Units | None = None
) -> ReadFile:
    """Read a file and match its tensors to an architecture; misfits are listed in the account, not raised.

    Parameters
    ----------
    path : Path
        Safetensors, a state dictionary of PyTorch, or ONNX; recognised by content.
    architecture : str or None
        A name or a TOML file (`find_architecture`); None for an ONNX file, which contains its architecture.
    input_shape : (H, W, C)
        Of the images.
    units : Units, optional

    Raises
    ------
    InputError
        As `read_state` and `find_architecture`; an architecture is missing, or given for an ONNX file.
    """
    units, shape = units or Units(), tuple(input_shape)
    if kind_of(path) == ONNX:
        return _find_onnx(path, architecture, shape, units)
    if architecture is None:
        raise InputError("--architecture", "a name or a TOML file", "none", "tensors alone are no network")
    state = read_state(path)
    matching = match(find_architecture(architecture, state.tensors, shape), state.tensors, shape)
    if units.norm_epsilon is None:
        units = replace(units, norm_epsilon=matching.norm_epsilon)
    assert units.norm_epsilon is not None
    account = Account(
        path.name,
        state.sha256,
        matching.architecture.name,
        matching.naming,
        tuple((pair.tensor, pair.found, pair.array, pair.expected) for pair in matching.pairs),
        {name: matching.nearest(name) for name in matching.missing},
        matching.extra,
        tuple(pair.tensor for pair in matching.wrong),
        tuple(_notes(state, matching, units)),
        units.norm_epsilon,
    )
    return ReadFile(account, units, state, matching)


def _find_onnx(path: Path, architecture: str | None, input_shape: Shape, units: Units) -> ReadFile:
    from deeptheory.interop.onnx.reader import read_onnx

    if architecture is not None or units.norm_epsilon is not None:
        given = "--architecture" if architecture is not None else "--norm-epsilon"
        raise InputError(given, "none for an ONNX file, which says it itself", "one", "leave it out")
    notes = [_pixels(units)]
    network = read_onnx(path, notes)
    if network.input_shape != input_shape:
        expected = f"{input_shape}, the shape of the images"
        raise InputError(f"input of {path}", expected, f"{network.input_shape}", "resize the images")
    if network.dtype != np.float32:
        notes.append(f"a network of {network.dtype} is converted to float32")
        network = in_single_precision(network)
    named = {**network.parameters(), **network.buffers()}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = tuple((name, array.shape, name, array.shape) for name, array in named.items())
    return ReadFile(
        Account(path.name, sha256, "ONNX", GRAPH, rows, {}, (), (), tuple(notes)), units, None, network
    )


def _notes(state: StateFile, matching: Matching, units: Units) -> list[str]:
    notes = [_pixels(units), *state.notes, *matching.architecture.notes]
    if state.converted:
        kinds = ", ".join(sorted(set(state.converted.values())))
        notes.append(f"{len(state.converted)} tensors of {kinds} are converted to float32")
    if folded := folded_biases(matching):
        notes.append(
            f"{len(folded)} biases of convolutions go into the running mean of the batch norm behind"
        )
    if pooled := matching.architecture.pooled:
        positions = " x ".join(map(str, next(iter(pooled.values()))))
        notes.append(f"adaptive pooling to 7 x 7: {', '.join(pooled)} takes {positions} positions here")
    if units.norm_epsilon != EPSILON:
        notes.append(f"epsilon {units.norm_epsilon:g} of the batch norms goes into the running variances")
    if any(pair.array == f"{HEAD_LAYER}.bias" for pair in matching.pairs):
        notes.append("the head has a bias, so it is not the probe of the last stage: measure fits one")
    if matching.padded_behind:
        notes.append(
            "strided convolutions pad behind the images, as TensorFlow's: their kernels get a row and a column of "
            "zeros in front"
        )
    if matching.left_out:
        parts = " and ".join(matching.architecture.left_out)
        notes.append(f"{matching.left_out} tensors of {parts}, heads of its training, are left out")
    if matching.ignored:
        notes.append(f"{matching.ignored} counters of batches are left out")
    return notes


def _pixels(units: Units) -> str:
    if not units.mean:
        return "pixels enter scaled to [-1, 1]; if the network was trained on others, give --mean and --std"
    mean, deviation = (",".join(f"{v:g}" for v in values) for values in (units.mean, units.deviation))
    return f"pixels p in [0, 1] enter as (p - mean)/std, mean {mean}, std {deviation}"
