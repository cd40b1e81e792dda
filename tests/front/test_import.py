"""What an import of the front loads, and what it offers."""

import subprocess
import sys

import pytest

import deeptheory as dt

HEAVY = ("numba", "matplotlib", "h5py", "scipy", "numpy", "pandas")


def test_an_import_loads_nothing_large_and_changes_no_environment():
    code = (
        "import os, sys; before = dict(os.environ); import deeptheory as dt; dir(dt); "
        f"print([name for name in {HEAVY} if name in sys.modules], dict(os.environ) == before)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[] True\n"


@pytest.mark.parametrize("name", ["open_run", "plot"])
def test_names_are_found_one_by_one_in_a_fresh_process(name):
    code = f"import deeptheory as dt; print(callable(dt.{name}) or bool(dt.{name}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "True\n"


def test_all_names_of_the_front_are_listed_and_no_others_answered():
    assert {"measure", "predict", "prune", "retrain", "confirm", "plot"} < set(dir(dt))
    for name in dt._FRONT:
        assert getattr(dt, name) is not None
    with pytest.raises(AttributeError, match="'deeptheory' has no attribute 'mesure'"):
        _ = dt.mesure


def test_rooms_that_can_be_called_stay_rooms():
    from deeptheory import measure, prune
    from deeptheory.reports import plot

    assert (dt.measure, dt.prune, dt.plot) == (measure, prune, plot)
    assert dt.measure.clip is measure.clip
    assert callable(dt.measure)
    assert callable(dt.prune)
    assert callable(dt.plot)
