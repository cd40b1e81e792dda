"""docs/extending.md is executed as it is written: its files, its commands, its cells of a notebook."""

import linecache
import re
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace

import h5py
import pytest

from deeptheory import plugins
from deeptheory.cli.main import commands
from deeptheory.prune import CRITERIA
from tests.plugins_at_work import forget, taken_back

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCK = re.compile(r"^```(python|toml|sh)\n(.*?)^```$", re.S | re.M)
PIECES = [
    "a formula",
    "a data source",
    "a network",
    "a learning-rate schedule",
    "a criterion",
    "a hypothesis",
]


@pytest.fixture(scope="module")
def blocks():
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    files, others = {}, {"python": [], "toml": [], "sh": []}
    for kind, text in found:
        if name := re.match(r"# (\S+\.(?:py|toml))\n", text):
            files[name[1]] = text
        else:
            others[kind].append(text)
    return SimpleNamespace(files=files, cells=others["python"], commands=others["sh"], entry=others["toml"])


@pytest.fixture(scope="module")
def executed(blocks, tmp_path_factory, one_thread):
    """The directory in which all commands were given, each as in a process of its own, and what they printed."""
    printed = {}
    with pytest.MonkeyPatch.context() as patch, taken_back():
        directory = tmp_path_factory.mktemp("extending")
        patch.chdir(directory)
        for name, text in blocks.files.items():
            (directory / name).write_text(text, encoding="utf-8")
        for line in "".join(blocks.commands).splitlines():
            words, code = shlex.split(line, comments=True)[1:], 1 if "# exit code 1" in line else 0
            forget()
            printed[line] = called(words, code)
        forget()
    return SimpleNamespace(directory=directory, printed=printed)


def called(words, code):
    """What a command printed, after its exit code was compared."""
    from click.testing import CliRunner

    result = CliRunner().invoke(commands, words)
    assert result.exit_code == code, f"{words}: {result.output} {result.exception!r}"
    return result.stdout


def test_every_kind_of_thing_has_its_section_and_is_defined(blocks, tmp_path):
    titles = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert [title for title in titles if title.lower() in PIECES] == [
        "A formula",
        "A data source",
        "A network",
        "A learning-rate schedule",
        "A criterion",
        "A hypothesis",
    ]
    with taken_back():
        for name, text in blocks.files.items():
            if name.endswith(".py"):
                (tmp_path / name).write_text(text, encoding="utf-8")
                plugins.load(tmp_path / name)
                assert text.count("\n") <= 33
        kinds = sorted(kind for kind, _ in plugins.definitions.DEFINITIONS)
    assert kinds == ["criterion", "data source", "formula", "hypothesis", "network", "schedule"]


def test_the_formula_has_its_value(executed):
    (value,) = [text for line, text in executed.printed.items() if "mean-overlap" in line]
    assert "0.09" in value


def test_a_run_records_what_it_used(executed):
    config = tomllib.loads((executed.directory / "out/own/config.toml").read_text(encoding="utf-8"))
    assert [Path(file).name for file in config["plugins"]["files"]] == [
        "data.py",
        "network.py",
        "schedule.py",
    ]
    kept = sorted((executed.directory / "out/own/plugins").iterdir())
    assert [path.read_bytes() for path in kept] == [
        (executed.directory / name).read_bytes() for name in ("data.py", "network.py", "schedule.py")
    ]


def test_the_choices_of_options_follow(executed):
    (listed,) = [text for line, text in executed.printed.items() if "deeptheory config" in line]
    for name in ("gratings", "twin", "square-root"):
        assert f'"{name}"' in listed


def test_the_criterion_is_compared(executed):
    with h5py.File(executed.directory / "out/criteria/seed-0/run.h5") as file:
        assert 0 <= file["compare/per-input/0.5/accuracy"][()] <= 1


def test_the_claim_is_listed_and_undecided(executed):
    listed, tested = (text for line, text in executed.printed.items() if "hypothesis" in line)
    assert "H100 snr-doubles" in listed
    assert "undecided" in tested


def test_an_exported_network_is_the_same_again(executed):
    contents = []
    for run in ("small", "again"):
        text = (executed.directory / f"out/{run}/config.toml").read_text(encoding="utf-8")
        network = tomllib.loads(text)["network"]
        assert network["file"] == ""
        contents.append(network["content"])
    assert contents[0] == contents[1]
    with (
        h5py.File(executed.directory / "out/small/run.h5") as one,
        h5py.File(executed.directory / "out/again/run.h5") as other,
    ):
        assert one["train/accuracy/test"][()] == other["train/accuracy/test"][()]


def test_cells_of_a_notebook_define_and_define_again(blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "criterion.py").write_text(blocks.files["criterion.py"], encoding="utf-8")
    with taken_back():
        cells = {"__name__": "__main__"}
        for number, text in enumerate([*blocks.cells, *blocks.cells]):
            name = f"/tmp/ipykernel/{number}.py"
            linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name  # as IPython does
            exec(compile(text, name, "exec"), cells)
        assert {"per-input", "largest-filters"} <= set(CRITERIA)
        assert plugins.definition("criterion", "largest-filters").plugin.path == ""


def test_the_entry_point_is_of_the_group_that_is_looked_for(blocks):
    (entry,) = map(tomllib.loads, blocks.entry)
    assert list(entry["project"]["entry-points"]) == [plugins.files.GROUP]
