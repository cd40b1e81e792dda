"""A directory in a screenful: studies, comparisons and sweeps as `inspect` lists them."""

import h5py
import msgspec
import pytest

from deeptheory.errors import InputError
from deeptheory.prune import UNPRUNED
from deeptheory.runs import Run
from deeptheory.runs.summaries import step_summaries
from deeptheory.store import paths
from deeptheory.studies import compare, run_sweep
from deeptheory.studies.overview import overview

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_study_shows_its_runs_and_verdicts(study):
    shown = overview(study)
    assert shown.text.startswith(f"study {study}: vgg6, width 0.125, glyphs;")
    assert (study / paths.TABLES).read_text(encoding="utf-8").split("\n\n")[-1].strip() in shown.text
    assert shown.numbers["runs"][0]["done"] == "train, measure, predict, prune, retrain"
    assert shown.text.endswith(f"one run: deeptheory inspect {study / 'seed-3'}")
    (study / paths.VERDICTS).unlink()
    first = study / "seed-3" / paths.CONFIG
    assert f"no verdicts yet: 'deeptheory confirm {first} --out {study}' goes on" in overview(study).text


def test_runs_of_several_configurations_are_listed_without_advice(study, tiny_config):
    other = msgspec.structs.replace(
        tiny_config, network=msgspec.structs.replace(tiny_config.network, width=0.25)
    )
    Run.create(study / "wide", other, quiet=True)
    (study / paths.VERDICTS).unlink()
    text = overview(study).text
    assert text.startswith(f"study {study}: runs of several configurations;")
    assert "wide" in text
    assert "no verdicts yet" not in text


def test_a_damaged_run_does_not_hide_the_others(study):
    (study / "seed-3" / paths.RESULTS).write_bytes(b"damaged")
    assert "damaged: " in overview(study).text


def test_a_comparison_is_shown_of_the_study_and_of_a_run(tiny_config, tmp_path):
    options = msgspec.structs.replace(
        tiny_config.compare, criteria=("magnitude", "lamp"), densities=(0.5, 0.2)
    )
    train = msgspec.structs.replace(tiny_config.train, epochs=1)
    asked = msgspec.structs.replace(tiny_config, compare=options, train=train)
    compared = compare(asked, tmp_path / "study", quiet=True)
    shown = overview(tmp_path / "study")
    assert compared.text.split("\n\n")[0] in shown.text
    assert shown.numbers["runs"][0]["done"] == "train, compare"
    run = compared.runs[0]
    text = step_summaries.overview(run).text
    accuracy = run.read_number(paths.compare_path("lamp", 0.2, entry=paths.ACCURACY))
    unpruned = run.read_number(f"{paths.COMPARE}/{UNPRUNED}/accuracy")
    (line,) = (line for line in text.split("\n") if line.startswith("lamp") and "  0.2  " in line)
    assert line.split()[3:5] == [f"{accuracy:.4f}", f"{100 * (unpruned - accuracy):.2f}"]
    with h5py.File(run.results, "r+") as file:
        del file[paths.compare_path("lamp", 0.2)]
    run.store(paths.compare_path("lamp", 0.2), {paths.NOT_REACHED: "a filter would be empty"})
    assert "a filter would be empty" in step_summaries.overview(Run(run.directory)).text


def test_a_sweep_lists_all_its_members(tmp_path, sweep_of):
    run_sweep(sweep_of({"data.n_labels": [3, 5]}, steps="train"), tmp_path / "sweep", quiet=True)
    shown = overview(tmp_path / "sweep")
    assert "4 members, 4 done" in shown.text
    names = [path.parent.name for path in (tmp_path / "sweep").glob("*/config.toml")]
    assert all(f"{name}  done" in shown.text for name in names)
    assert (tmp_path / "sweep" / paths.SWEEP_SUMMARY).read_text(encoding="utf-8").strip() in shown.text


def test_a_directory_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"which holds notes\.txt"):
        overview(tmp_path)
