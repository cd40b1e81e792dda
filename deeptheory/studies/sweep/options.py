"""What a sweep asks for: a configuration and its table `[sweep]`, read from and written to TOML."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field, structs

from deeptheory.errors import InputError
from deeptheory.options import Options
from deeptheory.runs import plugin_records
from deeptheory.runs.configuration import Config, config_from, override, read_table, require_read, to_toml
from deeptheory.runs.option_tables import check_names, flatten, options_from
from deeptheory.store.toml import toml_value

VARIANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")  # becomes a part of directory names
MOST_MEMBERS = 100_000
NETWORK_FILE = "network.file"
SEED_OPTIONS = ("seed", "judge.seeds")


class SweepOptions(Options, frozen=True):
    """How far every run goes, and the options in which the runs differ, by their dotted names."""

    steps: Annotated[
        Literal["train", "measure", "predict", "prune", "retrain"],
        Meta(description="the last step of every run"),
    ] = "retrain"
    grid: Annotated[dict[str, list[Any]], Meta(description="options and their values; the product")] = field(
        default_factory=dict
    )
    variants: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            description="sets of options that are no product, each with a name; every one at every grid point"
        ),
    ] = ()


@dataclass(frozen=True)
class Sweep:
    """A sweep that was asked for.

    Attributes
    ----------
    config : Config
        What all members have in common: seeds run from its `seed` upwards, `judge.seeds` of them.
    options : SweepOptions

    Raises
    ------
    InputError
        More members than are counted in a moment.
    """

    config: Config
    options: SweepOptions

    def __post_init__(self) -> None:
        points = math.prod(map(len, self.options.grid.values())) * max(1, len(self.options.variants))
        if (members := points * self.config.judge.seeds) > MOST_MEMBERS:
            do = "sweep over fewer values or seeds"
            raise InputError("sweep", f"at most {MOST_MEMBERS} members", f"{members}", do)

    @property
    def varied(self) -> tuple[str, ...]:
        """Dotted names of the options in which members may differ, apart from the seed."""
        of_variants = [name for variant in self.options.variants for name in variant if name != "name"]
        return tuple(dict.fromkeys([*self.options.grid, *of_variants]))


def read_sweep(path: Path, overrides: Sequence[str] = ()) -> Sweep:
    """Read a sweep from a TOML file and apply ``table.option=value`` overrides.

    Parameters
    ----------
    path : Path
        A configuration with a table ``[sweep]``: ``steps``, a table ``grid`` of dotted option names and lists of
        values, a list of tables ``variants``, each with a name and options.
    overrides : sequence of str
        Also of the sweep itself, such as ``sweep.steps=train`` or ``sweep.grid.data.n_labels=[3,10]``.

    Raises
    ------
    InputError
        A bad configuration, no table ``[sweep]``, an unknown option, a list without values or with one twice,
        an option in both grid and variants, a variant without a name or with that of another.
    """
    table = read_table(path)
    plugin_records.resolve(table, path.parent)
    grid = table["sweep"].get("grid") if isinstance(table.get("sweep"), dict) else None
    if isinstance(grid, dict):
        table["sweep"]["grid"] = nested(grid)  # as the overrides name them
    override(table, overrides)
    plugin_records.load_named(table, path)
    _resolve_networks(table.get("sweep"), path.parent)
    if "sweep" not in table:
        do = "add [sweep], and the options that differ under [sweep.grid]"
        raise InputError("configuration", "a table [sweep]", f"none in {path}", do)
    asked = _flat(table.pop("sweep"))
    if isinstance(asked.get("grid"), dict):
        _check_grid(asked["grid"])
    sweep = Sweep(config_from(table), options_from(asked, SweepOptions, "sweep."))
    _check_variants(sweep.options)
    if "data.source" not in sweep.varied:
        require_read(table, sweep.varied)
    return replace(sweep, config=_with_plugins(sweep))


def _resolve_networks(sweep: Any, directory: Path) -> None:
    """Make the paths of networks in variants absolute, which are relative to the file of the sweep."""
    variants = sweep.get("variants") if isinstance(sweep, dict) else None
    for variant in variants if isinstance(variants, list) else ():
        if isinstance(variant, dict):
            plugin_records.resolve(variant, directory)
            if isinstance(file := variant.get(NETWORK_FILE), str):
                variant[NETWORK_FILE] = str((directory / Path(file).expanduser()).absolute())


def _with_plugins(sweep: Sweep) -> Config:
    """The common configuration with the plugins that the members name as well."""
    points = [{name: value} for name, values in sweep.options.grid.items() for value in values]
    used = sweep.config.plugins
    for options in (*points, *sweep.options.variants):
        used = plugin_records.joined(used, plugin_records.used(options))
    return structs.replace(sweep.config, plugins=used)


def sweep_to_toml(sweep: Sweep) -> str:
    """The complete sweep as TOML, which `read_sweep` reads back."""
    return to_toml(sweep.config) + "\n".join(sweep_lines(sweep.options)) + "\n"


def sweep_lines(options: SweepOptions) -> list[str]:
    """The table ``[sweep]`` as lines of TOML."""
    lines = ["", "[sweep]", f"steps = {toml_value(options.steps)}", "", "[sweep.grid]"]
    lines += [f"{toml_value(name)} = {toml_value(values)}" for name, values in options.grid.items()]
    for variant in options.variants:
        lines += ["", "[[sweep.variants]]"]
        lines += [f"{toml_value(name)} = {toml_value(value)}" for name, value in variant.items()]
    return lines


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as tables in tables, as a configuration has them.

    Raises
    ------
    InputError
        Two names for one option, or an option that is a table by another name.
    """
    table: dict[str, Any] = {}
    for name, value in flatten(options):
        *parents, leaf = name.split(".")
        inside = table
        for parent in parents:
            inside = inside.setdefault(parent, {}) if isinstance(inside, dict) else inside
        if not isinstance(inside, dict) or leaf in inside:
            raise InputError(f"option '{name}'", "one place for every option", "it is given twice")
        inside[leaf] = value
    return table


def located(error: InputError, where: str) -> InputError:
    """The same error, with the part of the sweep that it is in."""
    return InputError(f"{where}: {error.what}", error.expected, error.found, error.do)


def _flat(sweep: Any) -> Any:
    """The table `[sweep]` with dotted names; values of another type are left to the check of types."""
    if not isinstance(sweep, dict):
        raise InputError("sweep", "a table of options", repr(sweep))
    asked = dict(sweep)
    if isinstance(asked.get("grid"), dict):
        asked["grid"] = dict(flatten(asked["grid"]))
    if isinstance(asked.get("variants"), list):
        asked["variants"] = [
            dict(flatten(variant)) if isinstance(variant, dict) else variant for variant in asked["variants"]
        ]
    return asked


def _check_grid(grid: Mapping[str, Any]) -> None:
    _check_options(grid, "sweep.grid")
    if NETWORK_FILE in grid:
        do = "give each a name in [[sweep.variants]]"
        raise InputError("sweep.grid", "options whose values are short", f"'{NETWORK_FILE}'", do)
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"sweep.grid '{name}'", "a list of values", repr(values))
        for place, value in enumerate(values):
            if value in values[:place]:
                raise InputError(f"sweep.grid '{name}'", "every value once", f"{value!r} twice")


def _check_variants(options: SweepOptions) -> None:
    names: list[str] = []
    for variant in options.variants:
        name = variant.get("name")
        if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
            expected = "a name of up to 40 letters, digits and . _ + -"
            raise InputError("sweep.variants", expected, "none" if name is None else repr(name))
        if name in names:
            raise InputError("sweep.variants", "names that differ", f"'{name}' twice")
        names.append(name)
        changed = {option: value for option, value in variant.items() if option != "name"}
        _check_options(changed, f"variant '{name}'")
        if both := [option for option in changed if option in options.grid]:
            expected, do = "options that [sweep.grid] does not set", "leave it out of the one or the other"
            raise InputError(f"variant '{name}'", expected, f"'{both[0]}'", do)


def _check_options(options: Mapping[str, Any], where: str) -> None:
    try:
        check_names(nested(options), Config)
    except InputError as error:
        raise located(error, where) from error
    if seeds := [name for name in options if name in SEED_OPTIONS]:
        do = "set seed (the first) and judge.seeds (how many) of the configuration"
        raise InputError(where, "options other than the seeds", f"'{seeds[0]}'", do)
