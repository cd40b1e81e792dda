"""The study of the SNR budget on the tiny run: what it stores, that it goes on, and what it refuses."""

import json
import shutil
import subprocess
import sys

import pytest

from deeptheory.runs import Run, steps
from deeptheory.store import paths
from tests.scripts import SIMULATIONS

SCRIPT = SIMULATIONS / "snr_budget.py"


def study(run, *arguments):
    command = [sys.executable, str(SCRIPT), str(run), "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def done(finished_study, tmp_path_factory):
    run = shutil.copytree(finished_study, tmp_path_factory.mktemp("budget") / "study") / "seed-3"
    result = study(run, "--groups", "3", "4-5", "--densities", "0.5", "0.2")
    assert result.returncode == 0, result.stderr
    return run, result


def results(run):
    return json.loads((run / "snr_budget.json").read_text())


def test_every_mask_is_predicted_and_retrained(done):
    run, result = done
    masks = results(run)["masks"]
    assert len(masks) == 1 + 2 * 2 * 3
    for name, of_mask in masks.items():
        assert 0 <= of_mask["measured"] <= 1
        predicted = of_mask["predicted"]
        if name != "unpruned":
            assert predicted["density"] == pytest.approx(float(name.split()[-1]), abs=0.1)
            assert predicted["retrained"] <= masks["unpruned"]["predicted"]["refitted"] + 0.2
    intact = masks["unpruned"]["predicted"]["margins"]
    assert all(0 < of_mask["predicted"]["margins"] <= intact for of_mask in masks.values())
    assert "prediction, 12 masks" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines()[-4:]] == [
        "retrained",
        "refitted",
        "refitted_theory",
        "margins",
    ]


def test_a_study_goes_on_where_it_was_interrupted(done):
    run, result = done
    stored = results(run)
    removed = list(stored["masks"])[-1]
    measured = stored["masks"][removed].pop("measured")
    stored["masks"]["unpruned"]["measured"] = 0.125
    (run / "snr_budget.json").write_text(json.dumps(stored))
    again = study(run, "--groups", "3", "4-5", "--densities", "0.5", "0.2")
    assert again.returncode == 0, again.stderr
    after = results(run)["masks"]
    assert after[removed]["measured"] == measured  # same seeds, same bits
    assert after["unpruned"]["measured"] == 0.125  # not computed again
    assert "12.50" in again.stdout
    assert result.stdout != again.stdout


def test_other_masks_need_another_file(done):
    run, _ = done
    refused = study(run, "--groups", "3", "--densities", "0.5")
    assert refused.returncode == 2
    assert "expected the same groups, densities" in refused.stderr


def test_a_stage_that_cannot_be_masked_is_named(done):
    run, _ = done
    refused = study(run, "--groups", "1", "--out", str(run / "other.json"))
    assert refused.returncode == 2
    assert "--groups: expected stages among stage2, stage3, stage4, stage5" in refused.stderr
    assert "found stage1" in refused.stderr


def test_a_stored_prunable_set_is_confirmed(done):
    run, _ = done
    steps.budget(Run(run, quiet=True), 0.3)
    arguments = ("--groups", "--densities", "--tolerances", "0.3", "--out", str(run / "prunable.json"))
    result = study(run, *arguments)
    assert result.returncode == 0, result.stderr
    masks = json.loads((run / "prunable.json").read_text())["masks"]
    stored = Run(run, quiet=True).read_tree(f"{paths.budget_path(0.3)}/{paths.NETWORK}")
    found = masks["prunable at 0.3"]
    assert found["predicted"]["retrained"] == pytest.approx(stored["prediction"]["retrained"], abs=1e-12)
    assert found["predicted"]["density"] == pytest.approx(1 - stored["dilution"], abs=1e-12)
    assert 0 <= found["measured"] <= 1
