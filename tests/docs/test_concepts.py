"""What docs/concepts.md names is there: functions, options, entries of a run, headings that are linked."""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

from deeptheory.runs.configuration import to_toml
from deeptheory.store import hdf5

PAGE = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
ROOMS = ("data", "measure", "prune", "theory")
STEPS = ("train/", "measure/", "predict/", "prune/", "retrain/")
FUNCTIONS = [name for name in NAMES if re.fullmatch(rf"({'|'.join(ROOMS)})\.[A-Za-z_]+", name)]


def options(config):
    table, found = "", set()
    for line in to_toml(config).splitlines():
        table = line[1:-1] if line.startswith("[") else table
        found.add(f"{table}.{line.split(' = ')[0]}")
    return found


def test_every_function_and_option_exists(run):
    known, missing = options(run.config), []
    for name in FUNCTIONS:
        room, attribute = name.split(".")
        if name not in known and not hasattr(importlib.import_module(f"deeptheory.{room}"), attribute):
            missing.append(name)
    assert len(FUNCTIONS) > 20
    assert missing == []


def test_every_entry_is_in_a_run(run):
    entries = [name for name in NAMES if name.startswith(STEPS)]
    assert len(entries) > 10
    short = {"STAGE": "stage5", "ARM": "afcc", "LAYER": "stage5.conv.weight"}
    with hdf5.open_for_reading(run.results) as file:
        paths = [reduce(lambda path, item: path.replace(*item), short.items(), name) for name in entries]
        assert [path for path in paths if not hdf5.has(file, path)] == []


def test_every_bare_entry_is_one_of_a_stage_or_an_arm(run):
    bare = [name for name in NAMES if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)]
    with hdf5.open_for_reading(run.results) as file:
        there = {
            *hdf5.entry_names(file, "measure/stages/stage5"),
            *hdf5.entry_names(file, "predict/arms/afcc"),
        }
    assert len(bare) > 15
    assert set(bare) - there == set()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(#([^)]+)\)", PAGE))))
def test_links_within_the_page_lead_to_headings(target):
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    assert target in {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in headings}
