"""Tables of options: plain ones checked, completed and flattened, and complete ones as lines of TOML."""

import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

import msgspec

from deeptheory.errors import InputError, unknown_name
from deeptheory.options import ONCE, Options
from deeptheory.store.toml import toml_value

Table = TypeVar("Table", bound=Options)


def options_from(table: Mapping[str, Any], struct: type[Table], prefix: str = "") -> Table:
    """A plain table, checked and completed with the defaults of `struct`; `prefix` is where it is, as ``sweep.``.

    Raises
    ------
    InputError
        An unknown option; a value of another type, out of its range, infinite or not among the choices; a NUL; a
        value twice in a list of names or densities.
    """
    check_names(table, struct, prefix)
    _check_values(table, struct, prefix)
    for name, value in flatten(table):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(prefix + name, "a finite number", str(value))
        if any(
            isinstance(text, str) and "\0" in text for text in (value if isinstance(value, list) else [value])
        ):
            raise InputError(prefix + name, "text without NUL", ascii(value))
    try:
        return msgspec.convert(table, struct)
    except msgspec.ValidationError as error:
        raise _explain(error, table, struct, prefix) from error


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All options of a nested table as ``("train.epochs", 12)`` pairs."""
    for name, value in table.items():
        if isinstance(value, dict | Mapping):  # the first is the quicker answer
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@functools.cache  # annotations are evaluated anew at every call
def fields_of(struct: type) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a table of options."""
    return msgspec.structs.fields(struct)


def meta_of(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """Range and description of an option."""
    metadata = getattr(field.type, "__metadata__", ())
    return next((meta for meta in metadata if isinstance(meta, msgspec.Meta)), msgspec.Meta())


def description_of(field: msgspec.structs.FieldInfo) -> str:
    """What an option is, with the data sources that read it where not all do."""
    sources = sources_of(field)
    return (meta_of(field).description or "") + (f" ({', '.join(sources)})" if sources else "")


def sources_of(field: msgspec.structs.FieldInfo) -> tuple[str, ...]:
    """The data sources that read an option; none where all do."""
    return tuple((meta_of(field).extra or {}).get("sources", ()))


def check_names(table: Mapping[str, Any], struct: type, prefix: str = "") -> None:
    """Refuse an unknown option of a plain table and name the nearest known one."""
    known = {field.name: field.type for field in fields_of(struct)}
    for name, value in table.items():
        if name not in known:
            raise unknown_name(f"option '{prefix}{name}'", name, known)
        inner = known[name]
        if isinstance(inner, type) and issubclass(inner, Options) and isinstance(value, Mapping):
            check_names(value, inner, f"{prefix}{name}.")


def _check_values(table: Mapping[str, Any], struct: type, prefix: str) -> None:
    """Refuse a name that is not in the table, such as that of the schedules, whose names its option can take.

    And a value twice in a list where the second one could only be passed over, or computed for nothing.
    """
    for field in fields_of(struct):
        name, value, allowed = f"{prefix}{field.name}", table.get(field.name), meta_of(field).extra or {}
        if isinstance(field.type, type) and issubclass(field.type, Options) and isinstance(value, Mapping):
            _check_values(value, field.type, f"{name}.")
        elif isinstance(value, str) and "among" in allowed and value not in allowed["among"]:
            raise unknown_name(name, value, allowed["among"], allowed.get("unclear", {}))
        elif isinstance(value, list | tuple) and allowed.get("each") == ONCE:
            _refuse_repeated(name, value)


def _refuse_repeated(name: str, values: Sequence[Any]) -> None:
    if repeated := [one for place, one in enumerate(values) if one in values[:place]]:
        raise InputError(
            name, "every value once", f"{toml_value(repeated[0])} twice", "leave one of them out"
        )


def _explain(
    error: msgspec.ValidationError, table: Mapping[str, Any], struct: type, prefix: str
) -> InputError:
    """Turn "Expected `int` >= 1 - at `$.train.epochs`" into what was expected and what was found."""
    text = str(error)
    match = re.fullmatch(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", text, re.DOTALL)
    what, path = (match["what"], match["path"]) if match else (text, None)
    expected = re.sub(r"^Expected ", "", what.split(", got ")[0]).replace("`", "")
    expected = {"object": "a table of options", "array": "a list"}.get(expected, expected)
    name, value = f"{prefix}{path}" if path else "configuration", _at(table, path or "")
    if what.startswith("Invalid enum value"):
        choices = _choices(struct, path or "")
        if isinstance(value, str):
            return unknown_name(name, value, choices)
        expected = "one of " + ", ".join(map(str, choices))
    return InputError(name, expected, repr(value))


def _at(table: Mapping[str, Any], path: str) -> Any:
    """The value at ``prune.stages[0]`` of a nested table."""
    value: Any = table
    for name, place in re.findall(r"([^.\[\]]+)|\[(.*?)\]", path):
        value = value[name] if name else value[int(place)]
    return value


def _choices(struct: type, path: str) -> tuple[Any, ...]:
    """The values that an option of a fixed choice can take."""
    option: Any = struct
    for part in path.split("."):
        option = {field.name: field.type for field in fields_of(option)}[part]
    return get_args(get_args(option)[0])


@functools.lru_cache(maxsize=64)  # the members of a sweep share most of their tables
def toml_lines(table: Options) -> tuple[str, ...]:
    return tuple(toml_line(name, getattr(table, name), text) for name, text in help_of(type(table)))


@functools.cache
def help_of(struct: type) -> tuple[tuple[str, str], ...]:
    """The options of a table with their help, which ends with the unit."""
    texts = []
    for field in fields_of(struct):
        units = [f"[{unit}]" for unit in [(meta_of(field).extra or {}).get("unit")] if unit]
        texts.append((field.name, " ".join([description_of(field), *units])))
    return tuple(texts)


def toml_line(name: str, value: Any, text: str) -> str:
    line = f"{name} = " + (f"'''\n{value}'''" if _is_plain_lines(value) else toml_value(value))
    return f"{line}  # {text}" if text else line


def _is_plain_lines(value: Any) -> bool:
    """Whether a value is a text of several lines that TOML can hold as it is."""
    lines = value.split("\n") if isinstance(value, str) and "'''" not in value else []
    return len(lines) > 1 and not lines[-1] and all(line.isprintable() for line in lines)
