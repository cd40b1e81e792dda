"""The configurations that are shipped."""

import pytest

from deeptheory import prune
from deeptheory.runs.configuration import differences, read_config, read_table
from deeptheory.studies.sweep import expand, read_sweep
from tests.scripts import SIMULATIONS

FILES = sorted(SIMULATIONS.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_read_and_names_its_own_command(path):
    if "sweep" in read_table(path):
        assert expand(read_sweep(path))
    else:
        config = read_config(path)
        prune.check_arms(config.prune.arms)
        assert set(config.compare.criteria) <= set(prune.CRITERIA)
    first = path.read_text().split("\n[")[0]
    assert f"simulations/{path.name}" in first or path.stem == "demo"  # `make demo`


def test_single_layers_take_the_networks_of_the_pruning_study():
    study, alone = (read_config(SIMULATIONS / f"{name}.toml") for name in ("pruning-study", "single-layers"))
    assert alone.seed == study.seed
    assert alone.compare.alone
    assert differences(study, alone) == []
