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
        prune.check_arms(config.prune.arms, config.prune.density, config.prune.density_from)
        assert set(config.compare.criteria) <= set(prune.CRITERIA)
    first = path.read_text().split("\n[")[0]
    assert f" {path.stem} " in first or path.stem == "demo"  # `make demo`


def test_the_published_arms_can_branch_from_the_main_study_of_cifar100():
    names = "afcc-cifar100", "afcc-cifar100-published"
    main, published = (read_config(SIMULATIONS / f"{name}.toml") for name in names)
    changed = [name for name, _, _ in differences(main, published)]
    assert changed == ["prune.threshold", "prune.density_from", "prune.head", "prune.arms"]
    said = (SIMULATIONS / "afcc-cifar100-published.toml").read_text().split("\n[")[0]
    assert all(f"--set {name}=" in said.replace("'", "") for name in changed)


def test_single_layers_take_the_networks_of_the_pruning_study():
    study, alone = (read_config(SIMULATIONS / f"{name}.toml") for name in ("pruning-study", "single-layers"))
    assert alone.seed == study.seed
    assert alone.compare.alone
    assert differences(study, alone) == []
