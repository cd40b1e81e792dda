"""Networks that a file describes: its content is an option of the run, so that no later step needs the file."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.state.architecture_files import architecture_text, read_sized
from deeptheory.nn.options import FROM_FILE, NetworkOptions
from deeptheory.prune.masked_layers import HEAD_LAYER, last_maskable_stages

NAME = "network.file"  # in errors of what is recorded


def with_content(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plain table of options in which the file of the network is replaced by what it holds.

    Raises
    ------
    InputError
        The file cannot be read or says something impossible; a name or another option of networks beside it.
    """
    network = table.get("network")
    if not isinstance(network, Mapping):
        return table
    file, content, name = (network.get(option, "") for option in ("file", "content", "name"))
    if not (isinstance(file, str) and isinstance(content, str)):
        return table  # refused later, with its name
    if not (file or content):
        if name == FROM_FILE:
            raise InputError("network.file", "a TOML file of stages and layers", "none", "name one")
        return table
    if name not in ("", FROM_FILE):
        do = "leave one of the two out"
        raise InputError("network.name", f"'{FROM_FILE}' or nothing beside network.file", f"'{name}'", do)
    defaults = NetworkOptions()
    for option in ("width", *defaults.of_architecture):
        if network.get(option, default := getattr(defaults, option)) != default:
            do = "the file says how wide and deep it is"
            raise InputError(f"network.{option}", "nothing beside network.file", f"{network[option]}", do)
    if file:
        content = architecture_text(*read_sized(file))
    return {**table, "network": {**network, "name": FROM_FILE, "file": "", "content": content}}


@lru_cache
def masked_by_default(content: str) -> tuple[str, ...]:
    """The last stages that can be masked; `InputError` for a text that describes no network that can be built."""
    description, sizes = read_sized(NAME, content)
    n_labels = sizes.get(HEAD_LAYER, {}).get("nodes", 2)
    network = nn.build_sized(description, sizes, n_labels, np.random.default_rng(0))
    return last_maskable_stages(network)


def build(
    content: str, n_labels: int, input_shape: tuple[int, int, int], rng: np.random.Generator
) -> nn.Network:
    """The network with initial weights.

    Raises
    ------
    InputError
        Images of another shape, or what `nn.build_sized` refuses.
    """
    description, sizes = read_sized(NAME, content)
    if description["input_shape"] != input_shape:
        height, width, channels = input_shape
        do = f"set input_shape = [{height}, {width}, {channels}] in the file, or take other data"
        found = f"{description['input_shape']}"
        raise InputError(f"{NAME}, input_shape", f"{input_shape}, that of the data", found, do)
    try:
        return nn.build_sized(description, sizes, n_labels, rng)
    except InputError as error:
        raise InputError(f"{NAME}, {error.what}", error.expected, error.found, error.do) from None
