"""Tables that nobody would write by hand: refused before they are walked through."""

import tomllib

import pytest

from deeptheory.errors import InputError
from deeptheory.store.toml import LARGEST, parse_toml, read_toml, toml_value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "more than 50 levels"),
        ("[" + ".".join("a" * 5000) + "]", "more than 50 levels"),
        ("a = " + "9" * 5000, "digits"),
        (f"a = [[{2**63}]]", "an integer of more than 64 bits"),
    ],
)
def test_bombs_are_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse_toml(text)


def test_ordinary_tables_are_read():
    assert parse_toml(f"a = [{-(2**63)}, [true]]\nb.c.d = 'x'") == {
        "a": [-(2**63), [True]],
        "b": {"c": {"d": "x"}},
    }


def test_a_file_that_goes_on_is_refused_unread(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize("text", ["plain", "DEL \x7f", 'quotes " \\ \n\t\0', "\N{GRINNING FACE}", "\\u007F"])
def test_any_text_is_read_back(text):
    assert tomllib.loads(f"a = {toml_value(text)}") == {"a": text}


def test_what_is_no_text_is_refused():
    with pytest.raises(InputError, match=r"path or text: expected text in UTF-8, found '\\udcff'; rename it"):
        toml_value("\udcff")
