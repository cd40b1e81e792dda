"""An architecture as TOML that can be read and edited: stages, their layers one a line, and their inputs.

A network of new weights is made from such a file alone (`nn.build_sized`), with the sizes that its layers have
there; where tensors come with it, sizes are theirs, and what the file says of them is not read.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layer_checks import BIASED, MOST, SQUEEZING, check_count, check_options
from deeptheory.nn.layers.squeeze_excitation import SqueezeExcitation
from deeptheory.nn.rebuilding import ADDED, KINDS, OPTIONS, options_of
from deeptheory.store.atomic_files import write_text
from deeptheory.store.toml import parse_toml, read_toml, toml_value

TABLE, STAGE = ("dtype", "input_shape", "stages"), ("name", "layers", "inputs")
DTYPES = ("float32", "float64")
# What a layer may say of its sizes, by kind; the other numbers follow from its inputs.
SIZES = {
    "Conv2d": ("filters", "size", "bias"),
    "Embedding": ("words", "channels"),
    "Linear": ("nodes", "bias"),
    "Positions": ("tokens",),
    "SelfAttention": ("heads", "depth", "bias"),
    **dict.fromkeys(SQUEEZING, ("hidden",)),
}
Sizes = dict[str, dict[str, Any]]  # by the dotted name of the layer
BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_architecture(path: str | os.PathLike[str], network: nn.Network) -> None:
    """Write the architecture of a network, without its arrays; an existing file of that name is replaced.

    The head's outputs are left out: there is one for each label of the data.

    Raises
    ------
    InputError
        A layer of a kind that cannot be rebuilt, or a file that cannot be written.
    """
    try:
        write_text(Path(path), architecture_text(nn.blueprint_of(network), _sizes_of(network)))
    except OSError as error:
        raise InputError(f"architecture {path}", "a place that can be written", str(error)) from error


def architecture_text(description: Mapping[str, Any], sizes: Sizes) -> str:
    """The text of a file, from what `read_sized` gives."""
    lines = [
        "# A network of deeptheory: its stages in order, the head last, with one output for each label.",
        f"dtype = {toml_value(description['dtype'])}",
        f"input_shape = {toml_value(description['input_shape'])}  # height, width, channels",
    ]
    for stage in description["stages"]:
        lines += ["", "[[stages]]", f"name = {toml_value(stage['name'])}", "layers = ["]
        lines += [
            f"    {_inline({'name': key, 'kind': kind, **sizes.get(_dotted(stage, key), {}), **options})},"
            for key, kind, options in stage["layers"]
        ]
        lines.append("]")
        if stage["inputs"]:
            lines.append(f"inputs = {_inline(stage['inputs'])}")
    return "\n".join(lines) + "\n"


def read_architecture(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The table that `nn.blueprint_of` gives, from a file that `write_architecture` or a person wrote.

    `nn.build_from_blueprint` makes a network of it and of arrays by dotted name, and checks that the layers fit
    together.

    Raises
    ------
    InputError
        The file is missing or no TOML; keys, kinds of layers or options are unknown or missing; values are out of
        range; a name is given twice.
    """
    return _Reader(str(path)).description(_load(path))


def read_sized(path: str | os.PathLike[str], text: str = "") -> tuple[dict[str, Any], Sizes]:
    """The same, and by dotted name the sizes of layers (`SIZES`).

    Parameters
    ----------
    path : path
        Of the file, or what stands for it in errors.
    text : str
        In place of the file.

    Raises
    ------
    InputError
        As `read_architecture`.
    """
    reader = _Reader(str(path))
    return reader.description(_parse(path, text) if text else _load(path)), reader.sizes


def _sizes_of(network: nn.Network) -> Sizes:
    sizes: Sizes = {}
    for stage in (*network.stages, network.head):
        for key, layer in stage.layers.items():
            arrays, found = layer.parameters, dict[str, Any]()
            if type(layer) is nn.Conv2d:
                filters, _, height, width = arrays["weight"].shape
                found = {"filters": filters, "size": height if height == width else [height, width]}
            elif type(layer) is nn.Linear and stage is not network.head:
                found = {"nodes": len(arrays["weight"])}
            elif isinstance(layer, SqueezeExcitation):
                found = {"hidden": len(arrays["reduce_bias"])}
            elif type(layer) is nn.SelfAttention:
                heads, _, _, depth = arrays["weight"].shape
                found = {"heads": heads, "depth": depth}
            elif type(layer) is nn.Positions:
                found = {"tokens": len(arrays["weight"])}
            elif type(layer) is nn.Embedding:
                words, channels = arrays["weight"].shape
                found = {"words": words, "channels": channels}
            if type(layer).__name__ in BIASED and "bias" in arrays:
                found["bias"] = True
            if found:
                sizes[f"{stage.name}.{key}"] = found
    return sizes


def _dotted(stage: Mapping[str, Any], key: str) -> str:
    return f"{stage['name']}.{key}"


def _inline(table: Mapping[str, Any]) -> str:
    pairs = (
        f"{key if BARE.fullmatch(key) else toml_value(key)} = {toml_value(value)}"
        for key, value in table.items()
    )
    return "{" + ", ".join(pairs) + "}"


def _load(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return read_toml(Path(path))
    except FileNotFoundError as error:
        raise InputError("architecture", "a TOML file", f"no file {path}") from error
    except (ValueError, OSError) as error:
        raise InputError(f"architecture {path}", "a readable TOML file", str(error)) from error


def _parse(path: str | os.PathLike[str], text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise InputError(f"architecture {path}", "a readable TOML text", str(error)) from error


class _Reader:
    """Checks a table part by part; every error begins with the file and the part of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.sizes: Sizes = {}

    def description(self, table: Mapping[str, Any]) -> dict[str, Any]:
        self._check_keys("architecture", table, TABLE, TABLE)
        dtype, shape = table["dtype"], table["input_shape"]
        if dtype not in DTYPES:
            raise unknown_name(f"{self.path}, dtype", str(dtype), DTYPES)
        if not isinstance(shape, list) or len(shape) != 3 or not all(_is_size(size) for size in shape):
            raise self._error("input_shape", "[height, width, channels], each at least 1", shape)
        stages = self._tables("stages", table["stages"])
        check_count(sum(len(s["layers"]) for s in stages if isinstance(s.get("layers"), list)))
        self._check_unique("name of a stage", [INPUT, *(self._stage_name(stage) for stage in stages)])
        return {"dtype": dtype, "input_shape": tuple(shape), "stages": [self._stage(s) for s in stages]}

    def _stage_name(self, stage: Mapping[str, Any]) -> str:
        self._check_keys("[[stages]]", stage, STAGE, ("name", "layers"))
        return self._name("name of a stage", stage["name"])

    def _stage(self, stage: Mapping[str, Any]) -> dict[str, Any]:
        name, inputs = stage["name"], stage.get("inputs", {})
        layers = [self._layer(name, layer) for layer in self._tables(f"layers of {name}", stage["layers"])]
        keys = [key for key, _, _ in layers]
        self._check_unique(f"name of a layer of {name}", keys)
        if not isinstance(inputs, dict):
            raise self._error(f"inputs of {name}", "{layer = [names of what it takes]}", inputs)
        for key, given in inputs.items():
            if key not in keys:
                raise unknown_name(f"{self.path}, inputs of a layer of {name}", key, keys)
            if (
                not isinstance(given, list)
                or not given
                or not all(isinstance(source, str) for source in given)
            ):
                raise self._error(f"inputs of {name}.{key}", "a list of names", given)
        return {
            "name": name,
            "layers": layers,
            "inputs": {key: tuple(given) for key, given in inputs.items()},
        }

    def _layer(self, stage: str, table: Mapping[str, Any]) -> list[Any]:
        if "name" not in table or "kind" not in table:
            raise self._error(f"a layer of {stage}", "a name and a kind", _inline(table))
        key, kind = self._name(f"name of a layer of {stage}", table["name"]), table["kind"]
        if kind not in KINDS:
            raise unknown_name(f"{self.path}, kind of {stage}.{key}", str(kind), KINDS)
        known, of_size = OPTIONS[KINDS[kind]], SIZES.get(kind, ())
        options = {name: value for name, value in table.items() if name not in ("name", "kind")}
        needed = [name for name in known if name not in ADDED.get(KINDS[kind], {})]
        self._check_keys(f"options of {stage}.{key} ({kind})", options, (*known, *of_size), needed)
        if sizes := {name: options.pop(name) for name in of_size if name in options}:
            self.sizes[f"{stage}.{key}"] = sizes
        for name, value in sizes.items():
            self._check_size(f"{name} of {stage}.{key}", name, value)
        try:
            check_options(f"{stage}.{key}", options)
        except InputError as error:
            raise InputError(f"{self.path}, {error.what}", error.expected, error.found) from None
        if kind == nn.Standardise.__name__:
            options = self._numbers_per_channel(f"{stage}.{key}", options)
        return [key, kind, {name: options[name] for name in known if name in options}]

    def _check_size(self, what: str, name: str, value: Any) -> None:
        if name == "bias":
            if not isinstance(value, bool):
                raise self._error(what, "true or false", value)
        elif name == "size" and isinstance(value, list):
            if len(value) != 2 or not all(map(_is_size, value)):
                raise self._error(what, "[height, width], each at least 1", value)
        elif not _is_size(value):
            raise self._error(what, "a whole number, at least 1", value)

    def _numbers_per_channel(self, layer: str, options: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
        for option, value in options.items():
            if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
                raise self._error(f"{option} of {layer}", "a list of numbers", value)
        try:
            return options_of(nn.Standardise(**options))
        except InputError as error:
            raise InputError(f"{self.path}, {error.what} of {layer}", error.expected, error.found) from None

    def _tables(self, what: str, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not value or not all(isinstance(table, dict) for table in value):
            raise self._error(what, "at least one table", value)
        return value

    def _name(self, what: str, value: Any) -> str:
        if not isinstance(value, str) or not BARE.fullmatch(value):
            raise self._error(what, "letters, digits, _ and -", value)
        return value

    def _check_keys(
        self, what: str, table: Mapping[str, Any], known: Iterable[str], needed: Iterable[str]
    ) -> None:
        for key in table:
            if key not in known:
                raise unknown_name(f"{self.path}, {what}", key, known)
        if missing := [key for key in needed if key not in table]:
            raise InputError(f"{self.path}, {what}", ", ".join(needed), f"no {', '.join(missing)}")

    def _check_unique(self, what: str, names: list[str]) -> None:
        seen = set[str]()
        for name in names:
            if name in seen:
                raise self._error(what, "each name once", name)
            seen.add(name)

    def _error(self, where: str, expected: str, found: Any) -> InputError:
        return InputError(f"{self.path}, {where}", expected, repr(found))


def _is_size(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST
