"""Configurations that nobody would write: a message or a run, never a traceback, never a changed file."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config, complete, read_config, to_toml
from deeptheory.runs.option_tables import flatten
from deeptheory.studies.sweep import expand, read_sweep

DEFAULTS = dict(flatten(complete(Config())))
NAMES = [*DEFAULTS, "train", "prune", "sweep", "nothing", "train.epoch", "a.b.c"]
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-1, 40)
    | st.floats()
    | st.floats(0, 1)
    | st.text(max_size=12)
    | st.sampled_from(["glyphs", "files", "vgg11-10conv", "afcc", "kernel", "one-shot", "stage4", "../.."])
    | st.sampled_from(list(DEFAULTS.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)
OPTIONS = st.dictionaries(st.sampled_from(NAMES), VALUES, min_size=1, max_size=3)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(name)} = {toml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan").replace("\x7f", "")


def as_toml(options):
    return "".join(f"{name} = {toml(value)}\n" for name, value in options.items())


def quoted(options):
    return {toml(name): value for name, value in options.items()}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("configurations")


def outcome(call):
    """What came of a call, or None and why it was refused."""
    try:
        return call(), ""
    except InputError as error:
        return None, str(error)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(options=OPTIONS)
def test_any_file_is_read_or_refused_and_kept(directory, options):
    path = directory / "config.toml"
    path.write_text(as_toml(options), encoding="utf-8")
    before = path.read_bytes()
    config, message = outcome(lambda: read_config(path))
    assert path.read_bytes() == before
    if config is None:
        assert "expected" in message
    else:
        path.write_text(to_toml(config), encoding="utf-8")
        assert read_config(path) == config


@settings(max_examples=500, deadline=None, derandomize=True)
@given(text=st.text(max_size=60) | st.binary(max_size=60))
@pytest.mark.parametrize("read", [read_config, read_sweep])
def test_any_text_is_read_or_refused_and_kept(directory, read, text):
    path = directory / "text.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    before = path.read_bytes()
    found, message = outcome(lambda: read(path))
    assert (found is None) == ("expected" in message)
    assert path.read_bytes() == before


@settings(max_examples=500, deadline=None, derandomize=True)
@given(name=st.sampled_from(NAMES), value=VALUES, text=st.text(max_size=20))
def test_any_override_is_taken_or_refused(directory, name, value, text):
    path = directory / "plain.toml"
    path.write_text("seed = 1\n")
    for override in (f"{name}={toml(value)}", f"{name}={text}", text):
        found, message = outcome(lambda override=override: read_config(path, (override,)))
        assert (found is None) == ("expected" in message)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    grid=st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, max_size=3) | VALUES, max_size=2),
    variants=st.lists(st.dictionaries(st.sampled_from(["name", *NAMES]), VALUES, max_size=3), max_size=2),
)
def test_any_sweep_is_expanded_or_refused(directory, grid, variants):
    path = directory / "sweep.toml"
    lines = ["[sweep]", "[sweep.grid]", as_toml(quoted(grid))]
    for variant in variants:
        lines += ["[[sweep.variants]]", as_toml(quoted(variant))]
    path.write_text("\n".join(lines), encoding="utf-8")
    members, message = outcome(lambda: expand(read_sweep(path)))
    if members is None:
        assert "expected" in message
    else:
        assert len({member.name for member in members}) == len(members) > 0
