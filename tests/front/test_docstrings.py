"""Examples in docstrings of the front are executed as they are written."""

import doctest
import importlib
import os
import pkgutil

import numpy as np
import pytest

import deeptheory as dt
from deeptheory import front, nn

pytestmark = pytest.mark.usefixtures("one_thread")
MODULES = [f"deeptheory.front.{module.name}" for module in pkgutil.iter_modules(front.__path__)]


@pytest.fixture(scope="module")
def names(finished_study, tmp_path_factory):
    """What the examples start from, in a directory with the tiny study."""
    place, before = tmp_path_factory.mktemp("examples"), os.getcwd()
    (place / "study").symlink_to(finished_study)
    os.chdir(place)
    yield {"dt": dt, "np": np, "nn": nn, "run": dt.open_run("study/seed-3"), "study": dt.open_study("study")}
    os.chdir(before)


@pytest.mark.parametrize("name", [*MODULES, "deeptheory.nn.network"])
def test_examples(name, names, capsys):
    if name.endswith((".run", ".study")):
        pytest.importorskip("pandas")
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, extraglobs=names, optionflags=flags, report=True)
    assert not result.failed, capsys.readouterr().out


def test_every_function_of_the_front_that_starts_from_nothing_has_an_example():
    examples = doctest.DocTestFinder(exclude_empty=True)
    shown = {
        test.name
        for name in MODULES
        for test in examples.find(importlib.import_module(name))
        if test.examples
    }
    assert {"load_data", "train", "open_run", "open_study", "draw", "Run.fields"} <= {
        name.split(".", 3)[-1] for name in shown
    }
