"""The members of a sweep: one configuration each, and a directory name that tells what it is."""

import functools
import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from deeptheory.errors import InputError
from deeptheory.runs import recorded_options
from deeptheory.runs.configuration import FREE, Config, complete, config_from, differences, following
from deeptheory.runs.network_sources import require_trainable
from deeptheory.runs.option_tables import flatten
from deeptheory.store import paths
from deeptheory.studies.sweep.options import Sweep, located

VALUE_LENGTH, POINT_LENGTH = 24, 100  # characters of one value and of all options in a directory name
DIGITS, OLD_DIGITS = 32, 8  # of identities: now, and in directories of earlier versions


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes
    ----------
    name : str
        Of its directory when it is new: variant, options, seed and identity.
    identity : str
        `DIGITS` hexadecimal digits of its configuration. Another configuration is another member.
    point : tuple
        Variant ("" without variants) and the values of `Sweep.varied`: what members of several seeds share.
    config : Config
    """

    name: str
    identity: str
    point: tuple[Any, ...]
    config: Config


def expand(sweep: Sweep) -> tuple[Member, ...]:
    """All members: the product of the lists, of the variants and of the seeds, which change fastest.

    Raises
    ------
    InputError
        A value that an option cannot take, with the member; two members of the same configuration.
    """
    first, grid = sweep.config.seed, sweep.options.grid
    seeds = range(first, first + sweep.config.judge.seeds)
    members: dict[str, Member] = {}
    for values in itertools.product(*grid.values()):
        for variant in sweep.options.variants or ({"name": ""},):
            options = dict(zip(grid, values, strict=True))
            label = _label(options, variant["name"])
            config = _configuration(sweep.config, {**options, **variant}, label)
            table = dict(flatten(complete(config)))
            point, changed = (variant["name"], *(table[name] for name in sweep.varied)), _changed(table)
            for seed in seeds:
                with_seed = msgspec.structs.replace(config, seed=seed)
                digits = _digest({**changed, "seed": seed} if seed != _defaults()["seed"] else changed)
                name = "-".join([*([label] if label else []), f"seed-{seed}", digits])
                if digits in members:
                    expected = "members of different configurations"
                    raise InputError("sweep", expected, f"'{members[digits].name}' and '{name}' are the same")
                members[digits] = Member(name, digits, point, with_seed)
    return tuple(members.values())


def identity(config: Config) -> str:
    """`DIGITS` hexadecimal digits of the options that are not at their defaults and can change a result.

    Defaults are left out so that a new option leaves old members what they are.
    """
    table = dict(flatten(complete(config)))
    return _digest({**_changed(table), "seed": table["seed"]} if config.seed else _changed(table))


def _changed(table: Mapping[str, Any]) -> dict[str, Any]:
    """The options but the seed that are not at their defaults and can change a result."""
    defaults = _defaults()
    return {
        name: value
        for name, value in table.items()
        if value != defaults[name] and name not in FREE and name != "seed"
    }


@functools.cache
def _defaults() -> dict[str, Any]:
    return dict(flatten(complete(Config())))


def _digest(changed: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(changed, order="sorted")).hexdigest()[:DIGITS]


def directories(root: Path, members: tuple[Member, ...]) -> list[Path]:
    """Where the members are: known by their identity, whatever else an earlier call named them by.

    Directories of earlier versions end with fewer digits; where several members begin with these, it is that of
    which the configuration is there.
    """
    existing = {name.rpartition("-")[2]: root / name for name in run_names(root)}
    old = {digits: path for digits, path in existing.items() if len(digits) == OLD_DIGITS}
    alike = Counter(member.identity[:OLD_DIGITS] for member in members) if old else Counter[str]()

    def place(member: Member) -> Path:
        short = member.identity[:OLD_DIGITS]
        earlier = old.get(short)
        if member.identity in existing or earlier is None:
            return existing.get(member.identity, root / member.name)
        is_its_own = alike[short] == 1 or not differences(recorded_options.read(earlier), member.config)
        return earlier if is_its_own else root / member.name

    return [place(member) for member in members]


def run_names(root: Path) -> list[str]:
    """Names of all run directories in the directory of a sweep, in order."""
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except FileNotFoundError:
        return []
    return [name for name in names if os.path.exists(os.path.join(root, name, paths.CONFIG))]


def _configuration(common: Config, options: Mapping[str, Any], label: str) -> Config:
    table = complete(common)
    for part, defaults in following({**table, "prune": {}, "retrain": {}}).items():
        for name, value in defaults.items():
            if table[part][name] == value:
                del table[part][name]  # it follows from the other options of the member
    try:
        for name, value in options.items():
            if name != "name":
                _set(table, name, value)
        config = config_from(table)
        require_trainable(config.network)
        return config
    except InputError as error:
        raise located(error, f"member '{label}'") from error


def _set(table: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        inner = table.get(parent)
        if not isinstance(inner, dict):
            raise InputError(f"option '{name}'", f"'{parent}' to be a table of options", repr(inner))
        table = inner
    table[leaf] = value


def _label(options: Mapping[str, Any], variant: str) -> str:
    """What differs from the common configuration, as a part of a file name on any system."""
    last = [name.rpartition(".")[2] for name in options]
    short = [own if last.count(own) == 1 else name for name, own in zip(options, last, strict=True)]
    parts = [f"{name}={_text(value)}" for name, value in zip(short, options.values(), strict=True)]
    parts = [*([variant] if variant else []), *parts]
    while len("-".join(parts)) > POINT_LENGTH:  # the identity tells the rest
        parts.pop()
    return "-".join(parts)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(map(_text, value))[:VALUE_LENGTH]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("_")[-VALUE_LENGTH:]  # of a path the end says most
