"""The comparison of criteria on the tiny study."""

import json
import shutil

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from, to_toml
from deeptheory.store import paths
from deeptheory.studies import compare
from deeptheory.studies.comparison import compared_so_far, stored_comparison
from tests.conftest import TINY

CRITERIA = ("afcc", "magnitude", "lamp")


def configuration(**options):
    return {
        **TINY,
        "compare": {"criteria": CRITERIA, "densities": (0.5, 0.2)},
        "judge": {"seeds": 1},
        **options,
    }


@pytest.fixture(scope="module")
def compared(tmp_path_factory, one_thread):
    return compare(config_from(configuration()), tmp_path_factory.mktemp("compare") / "study", quiet=True)


def test_every_criterion_is_retrained_at_every_density(compared):
    run = compared.runs[0]
    for criterion in CRITERIA:
        for density in (0.5, 0.2):
            found = run.read_tree(paths.compare_path(criterion, density))
            assert found["density"] == pytest.approx(density, rel=0.03)
            assert density < found["cost"]["parameters_share"] < 1
            kept = {name: mask.mean() for name, mask in found["masks"].items()}
            assert kept == pytest.approx(found["densities"])
    within = run.read_tree(f"{paths.compare_path('magnitude', 0.2)}/densities")
    together = run.read_tree(f"{paths.compare_path('lamp', 0.2)}/densities")
    assert np.ptp(list(within.values())) < 0.01 < np.ptp(list(together.values()))


def test_the_accuracies_are_those_of_the_run_files(compared):
    run = compared.runs[0]
    stored = json.loads((compared.directory / paths.comparison_file(False, "json")).read_text())
    assert stored["unpruned"] == [run.read_number(f"{paths.COMPARE}/unpruned/accuracy")]
    assert stored["accuracy"]["lamp"]["0.2"] == [
        run.read_number(f"{paths.compare_path('lamp', 0.2)}/accuracy")
    ]
    assert (compared.directory / paths.comparison_file(False, "txt")).read_text().strip() == compared.text


def test_what_is_stored_is_read_back(compared, tmp_path):
    back = stored_comparison(compared.directory, alone=False)
    np.testing.assert_array_equal(back.unpruned, compared.comparison.unpruned)
    assert back.accuracy == compared.comparison.accuracy
    assert stored_comparison(tmp_path, alone=False) is None


def test_criteria_can_be_added_and_nothing_is_computed_again(compared, tmp_path, monkeypatch):
    before = compared.runs[0].results.read_bytes()
    monkeypatch.setattr("deeptheory.runs.steps.criteria.retrain_network", None)
    same = compare(config_from(configuration()), compared.directory, quiet=True)
    assert same.text == compared.text
    assert compared.runs[0].results.read_bytes() == before
    more = configuration(compare={"criteria": (*CRITERIA, "random"), "densities": (0.5,)})
    with pytest.raises(TypeError):  # it goes straight to the one mask that is missing
        compare(config_from(more), compared.directory, quiet=True)
    assert Run(compared.runs[0].directory).config.compare.criteria[-1] == "random"


def test_another_configuration_is_refused(compared):
    other = configuration(retrain={**TINY["retrain"], "epochs": 3})
    with pytest.raises(InputError, match=r"retrain.epochs = 1 there, 3 asked"):
        compare(config_from(other), compared.directory, quiet=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"compare": {"criteria": ("lampe",)}}, r"compare.criteria: .* found 'lampe'; did you mean 'lamp'"),
        (
            {"prune": {**TINY["prune"], "granularity": "weight"}},
            r"compare.criteria 'afcc': expected prune.granularity kernel or filter, found weight; leave",
        ),
    ],
)
def test_a_criterion_that_cannot_act_is_refused_before_training(tmp_path, options, text):
    with pytest.raises(InputError, match=text):
        compare(config_from(configuration(**options)), tmp_path / "study", quiet=True)
    assert not (tmp_path / "study" / "seed-3" / "run.h5").exists()


def test_a_density_that_cannot_be_reached_is_stored_with_its_reason(tmp_path):
    table = configuration(compare={"criteria": ("magnitude",), "densities": (0.0005,)})
    table["prune"] = {**TINY["prune"], "granularity": "filter"}
    compared = compare(config_from(table), tmp_path / "study", quiet=True)
    reason = compared.runs[0].read_text(f"{paths.compare_path('magnitude', 0.0005)}/not_reached")
    assert reason.startswith("density at filter granularity: expected 0.0005, found ")
    assert np.isnan(compared.comparison.accuracy["magnitude"][0.0005]).all()
    back = stored_comparison(compared.directory, alone=False)
    assert np.isnan(back.accuracy["magnitude"][0.0005]).all()


@pytest.mark.parametrize("density", [0, 1.5, -0.1])
def test_a_density_outside_its_range_is_refused(density):
    with pytest.raises(InputError, match=r"compare.densities\[0\]: expected float (> 0.0|<= 1.0), found"):
        config_from(configuration(compare={"densities": (float(density),)}))


def test_the_command_prints_tables_and_writes_the_figure(compared, deeptheory, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(to_toml(config_from(configuration())))
    result = deeptheory("compare", path, "--out", compared.directory, "--quiet")
    assert result.code == 0, result.err
    assert "afcc minus the others in percentage points" in result.out
    assert (compared.directory / "accuracy-against-density.pdf").exists()


def test_every_retraining_has_a_checkpoint_of_its_own():
    # an interrupted one may be followed by another: criteria can be added in front
    names = [paths.arm_checkpoint(arm, density) for arm in CRITERIA for density in (0, 0.5, 0.2)]
    assert len({*names, paths.CHECKPOINT}) == len(names) + 1


def test_layers_are_masked_alone(compared, tmp_path):
    alone = {"criteria": ("magnitude",), "densities": (0.5,), "alone": True}
    study = shutil.copytree(compared.directory, tmp_path / "study")  # added to what is there
    found = compare(config_from(configuration(compare=alone)), study, quiet=True)
    run = found.runs[0]
    names = run.entry_names(f"{paths.compare_path('magnitude', 0.5)}/masks")
    assert list(found.comparison.accuracy) == [
        f"magnitude in {name.removesuffix('.weight')}" for name in names
    ]
    for name in names:
        of_layer = run.read_tree(paths.compare_path("magnitude", 0.5, name))
        assert list(of_layer["masks"]) == [name]
        assert of_layer["density"] == pytest.approx(0.5, rel=0.03)
    assert "magnitude in stage5.conv" in found.text
    assert (study / paths.comparison_file(True, "txt")).read_text().strip() == found.text
    assert (study / paths.comparison_file(False, "txt")).read_text().strip() == compared.text
    together = compared_so_far(found.runs).accuracy
    assert list(together) == list(CRITERIA)
    assert together == compared.comparison.accuracy


def test_nothing_is_measured_that_no_criterion_needs(tmp_path):
    only = {"criteria": ("magnitude", "lamp", "snr-overlap"), "densities": (0.5,)}
    run = compare(config_from(configuration(compare=only)), tmp_path / "study", quiet=True).runs[0]
    assert not run.done("measure")
    assert run.has(paths.compare_path("snr-overlap", 0.5))
