"""A network as a PyTorch module: a short script and its tensors."""

import os
from pathlib import Path

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.dense_layers import densified
from deeptheory.interop.state.network_files import MADE_BY, TENSORS
from deeptheory.interop.state.tensor_files import write_tensors
from deeptheory.interop.torch.scripts import torch_script
from deeptheory.nn.layers.base import Array
from deeptheory.store.atomic_files import write_text


def write_torch(path: str | os.PathLike[str], network: nn.Network) -> tuple[Path, Path]:
    """Write NAME.py, which rebuilds the network with PyTorch alone, and NAME.safetensors, which its `load` reads.

    Parameters
    ----------
    path : path
        NAME, with or without ``.py``; its directory must exist. Existing files are replaced.
    network : Network

    Returns
    -------
    script, tensors : Path

    Raises
    ------
    InputError
        safetensors is not installed, a layer has no counterpart, a name is no Python identifier, or a file cannot
        be written.

    Notes ----- The module takes (N, C, H, W); its stages, layers and tensors have our names. Masked weights are
    zeros, but training does not keep them zero. A compact network keeps its reduced sizes; its sparse layers
    become dense with zeros, so that PyTorch gains from removed filters only, not from removed kernels.
    """
    name = Path(path)
    script = name if name.suffix == ".py" else name.with_name(f"{name.name}.py")
    tensors = script.with_suffix(TENSORS)
    sparse = [
        node.name for node in network.nodes if isinstance(node.layer, nn.SparseConv2d | nn.SparseLinear)
    ]
    dense = densified(network)
    text = torch_script(dense, tensors.name, sparse)
    write_tensors(tensors, torch_tensors(dense), {"format": "pt", **MADE_BY})
    try:
        write_text(script, text)
    except OSError as error:
        raise InputError(f"script {script}", "a place that can be written", str(error)) from error
    return script, tensors


def torch_tensors(network: nn.Network) -> dict[str, Array]:
    """The state dictionary of the module: without the draws of stochastic depth, with counters of batches."""
    drawing = [node.name for node in network.nodes if isinstance(node.layer, nn.StochasticDepth | nn.Dropout)]
    norms = [node.name for node in network.nodes if isinstance(node.layer, nn.BatchNorm2d)]
    state = {name: a for name, a in network.state().items() if name.rpartition(".")[0] not in drawing}
    return state | {f"{name}.num_batches_tracked": np.zeros((), np.int64) for name in norms}
