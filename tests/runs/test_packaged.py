"""Configurations that come with the package, by their names."""

import shutil
from pathlib import Path

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import packaged, read_config
from deeptheory.studies.sweep.options import read_sweep


def test_every_name_is_a_file_of_the_simulations():
    files = Path(__file__).parents[2].joinpath("simulations").glob("*.toml")
    assert packaged.configuration_names() == sorted(path.stem for path in files)
    assert "demo" in packaged.configuration_names()


@pytest.mark.parametrize("name", packaged.configuration_names())
def test_every_configuration_can_be_read_and_says_what_it_is_for(name):
    if "[sweep]" in packaged.packaged_file(name).read_text(encoding="utf-8"):
        read_sweep(Path(name))
    else:
        read_config(Path(name))
    assert len(packaged.described(packaged.packaged_file(name))) > 10


def test_those_inside_of_an_installed_package_come_first(tmp_path, monkeypatch):
    inside = tmp_path / "simulations"
    inside.mkdir()
    shutil.copy(packaged.packaged_file("demo"), inside / "mine.toml")
    monkeypatch.setattr(packaged, "PLACES", (inside, *packaged.PLACES))
    assert packaged.configuration_names() == ["mine"]
    assert packaged.packaged_file("mine") == inside / "mine.toml"


def test_a_directory_of_the_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    assert packaged.configuration_file(Path("demo")) == packaged.packaged_file("demo")


def test_a_file_of_the_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("seed = 5", encoding="utf-8")
    assert read_config(Path("demo")).seed == 5


@pytest.mark.parametrize(
    ("name", "do"), [("dmo", "did you mean 'demo'?"), ("zzz", "'deeptheory config list'")]
)
def test_a_name_that_is_neither_is_refused_with_the_nearest(name, do):
    with pytest.raises(InputError) as error:
        packaged.configuration_file(Path(name))
    assert str(error.value).startswith(
        f"configuration: expected a TOML file, or the name of a packaged one, found no file {name}; {do}"
    )


def test_a_package_without_them_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(packaged, "PLACES", (tmp_path / "simulations",))
    with pytest.raises(InputError, match=r"package: expected configurations in .*, found none"):
        packaged.configuration_names()
