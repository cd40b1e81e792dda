"""Options that do not go together are refused before anything is computed."""

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.estimates import estimate, require_memory
from deeptheory.store import paths
from tests.conftest import TINY

ITERATIVE = {"prune": {"schedule": "iterative"}}
CASES = [
    (("train",), {"train": {"warm_up": 2}}, "train.warm_up: expected below train.epochs = 2, found 2"),
    (("retrain",), {"retrain": {"schedule": "piecewise"}}, "retrain.milestones: expected the epochs"),
    (
        ("train", paths.COMPARE),
        {"prune": {"rounds": 2}},
        "prune.rounds: expected 1, as the mask does not change",
    ),
    (("retrain",), ITERATIVE, "prune.density: expected a density to end at"),
    (
        ("predict",),
        {"prune": {"thresholds": [0.5]}},
        "prune.thresholds: expected one for each of stage4, stage5",
    ),
    (
        ("prune",),
        {"prune": {"granularity": "weight", "arms": ["afcc", "random"]}},
        "prune.arms 'afcc': expected prune.granularity kernel or filter, found weight; "
        "leave it out, --set prune.arms=random",
    ),
    (
        (paths.COMPARE,),
        {"compare": {"densities": []}},
        "compare.densities: expected at least one, found none",
    ),
    ((paths.COMPARE,), {"compare": {"criteria": []}}, "compare.criteria: expected at least one, found none"),
    (
        (paths.COMPARE,),
        {"compare": {"criteria": ["random-scratch"]}, "retrain": {"stages": ["stage5"]}},
        "compare.criteria",
    ),
]


def of(changes):
    return config_from(
        {
            name: {**table, **changes.get(name, {})} if isinstance(table, dict) else table
            for name, table in {**{n: {} for n in changes}, **TINY}.items()
        }
    )


@pytest.mark.parametrize(("asked", "changes", "message"), CASES[:8])
def test_they_are_refused_with_the_estimate_and_before_a_study(tmp_path, asked, changes, message):
    config = of(changes)
    with pytest.raises(InputError, match=message):
        steps.check_options(config, asked)
    with pytest.raises(InputError, match=message):
        estimate(config, asked, [tmp_path / "run"], quiet=True)
    with pytest.raises(InputError, match=message):
        require_memory([(tmp_path / "run", config)], asked, quiet=True)


def test_steps_that_are_not_asked_for_do_not_read_them():
    steps.check_options(of(ITERATIVE), ("train", "measure"))
    steps.check_options(of({"prune": {"thresholds": [0.5]}}), ("train", paths.COMPARE))


def test_a_chain_checks_them_before_it_trains(tmp_path):
    run = Run.create(tmp_path / "run", of({"prune": {"thresholds": [0.5]}}), quiet=True)
    with pytest.raises(InputError, match=r"prune\.thresholds"):
        steps.chain(run)
    assert not run.results.exists()
