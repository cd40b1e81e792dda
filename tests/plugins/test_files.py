"""Files of plugins: executed as they were hashed, replaced as a whole, and refused with their place."""

import hashlib
import re

import pytest

from deeptheory import plugins
from deeptheory.errors import InputError
from deeptheory.prune import CRITERIA
from deeptheory.theory.formula_summaries import formula_values
from tests.plugins_at_work import taken_back

CRITERION = """from deeptheory import plugins


@plugins.criterion("mine")
def scores(context):
    return {layer.weight: 0 for layer in context.units}
"""
FORMULA = """from deeptheory import plugins


@plugins.formula("1 / x", "own", "exact")
def one_over(x: float) -> float:
    return 1 / x
"""


@pytest.fixture(autouse=True)
def _afterwards():
    with taken_back():
        yield


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CRITERION, encoding="utf-8")
    return path


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_defines_what_is_decorated_in_it(file):
    plugin = plugins.load(file)
    assert (plugin.path, plugin.sha256, plugin.text) == (str(file), digest(CRITERION), CRITERION.encode())
    assert "mine" in CRITERIA
    assert plugins.definition("criterion", "mine").place == f"{file}, line 4"


def test_the_same_file_is_executed_once(file):
    plugins.load(file)
    first = CRITERIA["mine"]
    assert plugins.load(file) == plugins.load(str(file))
    assert CRITERIA["mine"] is first


def test_another_content_than_that_of_the_hash_is_refused_with_both_and_not_executed(file):
    asked = digest("another")
    words = f"plugin {re.escape(str(file))}: expected SHA-256 {asked}, found {digest(CRITERION)}.*its own"
    for refused in (lambda: plugins.load(file, asked), lambda: plugins.load(f"{file}#sha256={asked}")):
        with pytest.raises(InputError, match=words):
            refused()
    assert "mine" not in CRITERIA
    assert plugins.load(f"{file}#sha256={digest(CRITERION)}").sha256 == digest(CRITERION)


def test_a_file_that_has_changed_replaces_all_that_it_defined(file):
    plugins.load(file)
    file.write_text(CRITERION.replace('"mine"', '"other"'), encoding="utf-8")
    plugins.load(file)
    assert "mine" not in CRITERIA
    assert "other" in CRITERIA


def test_after_an_error_everything_is_as_before(file):
    plugins.load(file)
    first = CRITERIA["mine"]
    file.write_text(CRITERION.replace('"mine"', '"other"') + "\n1 / 0\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 8: .*ZeroDivisionError"):
        plugins.load(file)
    assert CRITERIA["mine"] is first
    assert "other" not in CRITERIA


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import nothing_of_the_kind\n", 1, "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("\n\ndef f(:\n", 3, "SyntaxError"),
        ("import sys\n\nsys.exit(3)\n", 3, "SystemExit: 3"),
    ],
)
def test_an_error_of_a_file_has_its_line(file, text, line, words):
    file.write_text(text, encoding="utf-8")
    where = f"plugin {re.escape(str(file))}, line {line}: expected code that can be executed, found "
    with pytest.raises(InputError, match=f"{where}{words}.*; correct it there"):
        plugins.load(file)


def test_an_error_of_a_function_has_the_line_of_the_plugin(file):
    file.write_text(FORMULA, encoding="utf-8")
    plugins.load(file)
    assert formula_values("one-over", ["x=4"]).numbers["values"] == [{"x": 4, "result": 0.25}]
    with pytest.raises(InputError, match=r"mine.py, line 6: expected code .*found ZeroDivisionError"):
        formula_values("one-over", ["x=0"])


def test_a_range_of_a_formula_is_an_error_of_the_number(file):
    text = FORMULA.replace(
        "    return", '    if x <= 0:\n        raise ValueError(f"x must be > 0, found {x}")\n    return'
    )
    file.write_text(text, encoding="utf-8")
    plugins.load(file)
    with pytest.raises(InputError, match=r"^x: expected > 0, found -1.*parameters of one-over: x"):
        formula_values("one-over", ["x=-1"])


def test_a_name_is_given_once_and_both_places_are_named(file, tmp_path):
    plugins.load(file)
    second = tmp_path / "second.py"
    second.write_text("\n" + CRITERION, encoding="utf-8")
    words = f"criterion 'mine' at {second}, line 5: .*found one of {file}, line 4; give it another name"
    with pytest.raises(InputError, match=words):
        plugins.load(second)
    twice = tmp_path / "twice.py"
    twice.write_text(FORMULA + "\n\n" + FORMULA, encoding="utf-8")
    with pytest.raises(InputError, match=f"{twice}, line 12: .*found one of {twice}, line 4"):
        plugins.load(twice)


def test_the_names_of_the_package_are_taken(file):
    file.write_text(CRITERION.replace('"mine"', '"afcc"'), encoding="utf-8")
    first = CRITERIA["afcc"]
    with pytest.raises(InputError, match=r"criterion 'afcc' at .*line 4: .*found one of deeptheory itself"):
        plugins.load(file)
    assert CRITERIA["afcc"] is first


def test_what_is_no_plugin_is_refused(file, tmp_path):
    with pytest.raises(InputError, match=r"plugin .*absent.py: expected a Python file, found No such file"):
        plugins.load(tmp_path / "absent.py")
    file.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"mine.py: expected something that is defined, found nothing; decor"
    ):
        plugins.load(file)


def test_no_bytecode_is_written_beside_it(file):
    plugins.load(file)
    assert list(file.parent.iterdir()) == [file]


def test_a_function_without_a_text_is_refused():
    names = {"__name__": "__main__"}
    with pytest.raises(InputError, match=r"plugin scores: expected .*none that can be read; write it to a"):
        exec(CRITERION, names)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is installed, with an entry point."""

    def install(text):
        (tmp_path / "their_criteria.py").write_text(text, encoding="utf-8")
        info = tmp_path / "theirs-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[deeptheory.plugins]\nall = their_criteria\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "their_criteria", raising=False)
        return tmp_path / "their_criteria.py"

    yield install
    plugins.load_installed.cache_clear()
    __import__("sys").modules.pop("their_criteria", None)


def test_what_an_installed_package_offers_is_there(package):
    path = package(CRITERION)
    plugins.load_installed.cache_clear()
    plugins.load_installed()
    found = plugins.definition("criterion", "mine").plugin
    assert (found.path, found.sha256, found.installed) == (str(path), digest(CRITERION), True)


def test_an_error_of_an_installed_package_names_it(package):
    package("1 / 0\n")
    plugins.load_installed.cache_clear()
    with pytest.raises(
        InputError, match=r"plugin their_criteria of theirs: .*ZeroDivision.*uninstall theirs"
    ):
        plugins.load_installed()
