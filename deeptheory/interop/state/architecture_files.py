"""An architecture as TOML that can be read and edited: stages, their layers one a line, and their inputs."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layer_checks import MOST, check_count, check_options
from deeptheory.nn.rebuilding import KINDS, OPTIONS, options_of
from deeptheory.store.atomic_files import write_text
from deeptheory.store.toml import read_toml, toml_value

TABLE, STAGE = ("dtype", "input_shape", "stages"), ("name", "layers", "inputs")
DTYPES = ("float32", "float64")
BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_architecture(path: str | os.PathLike[str], network: nn.Network) -> None:
    """Write the architecture of a network, without its arrays; an existing file of that name is replaced.

    Raises
    ------
    InputError
        A layer of a kind that cannot be rebuilt, or a file that cannot be written.
    """
    description = nn.blueprint_of(network)
    lines = [
        "# A network of deeptheory: its stages in order, the head last. Sizes are those of its tensors.",
        f"dtype = {toml_value(description['dtype'])}",
        f"input_shape = {toml_value(description['input_shape'])}  # height, width, channels",
    ]
    for stage in description["stages"]:
        lines += ["", "[[stages]]", f"name = {toml_value(stage['name'])}", "layers = ["]
        lines += [
            f"    {_inline({'name': key, 'kind': kind, **options})},"
            for key, kind, options in stage["layers"]
        ]
        lines.append("]")
        if stage["inputs"]:
            lines.append(f"inputs = {_inline(stage['inputs'])}")
    try:
        write_text(Path(path), "\n".join(lines) + "\n")
    except OSError as error:
        raise InputError(f"architecture {path}", "a place that can be written", str(error)) from error


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


class _Reader:
    """Checks a table part by part; every error begins with the file and the part of it."""

    def __init__(self, path: str) -> None:
        self.path = path

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
        options = {name: value for name, value in table.items() if name not in ("name", "kind")}
        known = OPTIONS[KINDS[kind]]
        self._check_keys(f"options of {stage}.{key} ({kind})", options, known, known)
        try:
            check_options(f"{stage}.{key}", options)
        except InputError as error:
            raise InputError(f"{self.path}, {error.what}", error.expected, error.found) from None
        if kind == nn.Standardise.__name__:
            options = self._numbers_per_channel(f"{stage}.{key}", options)
        return [key, kind, {name: options[name] for name in known}]

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
