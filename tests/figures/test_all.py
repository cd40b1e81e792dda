"""`make figures` on the tiny study."""

import json
import subprocess
import sys
import tomllib

import msgspec
import pytest

from deeptheory.reports.figures import FIGURES as RUN_FIGURES
from deeptheory.runs import Run
from deeptheory.runs.packaged import configuration_names
from tests.scripts import FIGURES, ROOT, load_script

LAYER = {
    "ranks": [0, 2],
    "accuracy": [0.1, 0.8],
    "control": {"1": [0.2, 0.3]},
    "bulk": {"signal_rank": 1},
    "shape": [2, 3],
}


@pytest.fixture
def draw(finished_study, tmp_path):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    results = tmp_path / "rank_truncation.json"
    results.write_text(
        json.dumps({"setting": {"seed": 0}, "accuracy": 0.8, "chance": 0.1, "layers": {"head.weight": LAYER}})
    )
    sources = tmp_path / "sources.toml"
    sources.write_text(
        f"""
        [accuracy-and-snr]
        shows = "Accuracy and SNR."
        results."out/absent" = "deeptheory confirm absent.toml"
        results."{finished_study}" = "deeptheory confirm tiny.toml"
        [cluster-sizes]
        shows = "Clusters."
        results."{damaged}" = "deeptheory confirm tiny.toml"
        [rank-truncation]
        shows = "Ranks."
        script = "rank_truncation.py"
        results."{results}" = "python simulations/rank_truncation.py tiny/seed-3"
        [perceptron-capacity]
        shows = "Capacities."
        script = "perceptron_capacity.py"
        results."nowhere.json" = "python simulations/perceptron_capacity.py --out nowhere.json"
        """
    )

    def run(out, *options):
        command = [
            sys.executable,
            FIGURES / "all.py",
            "--sources",
            sources,
            "--out",
            tmp_path / out,
            *options,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_two_calls_write_the_same_bytes_and_name_what_is_missing(draw, finished_study, tmp_path):
    first, second = draw("one"), draw("two")
    assert first.returncode == second.returncode == 1
    assert "perceptron-capacity: no nowhere.json; make it with: python simulations/perceptron" in first.stdout
    assert f"found {tmp_path / 'damaged'}, which is empty" in first.stdout
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    drawn = ("accuracy-and-snr", "rank-truncation")
    assert names == [f"{name}.{suffix}" for name in drawn for suffix in ("pdf", "txt")]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    text = (tmp_path / "one" / "accuracy-and-snr.txt").read_text()
    for fact in (
        "Accuracy and SNR.",
        "runs: 1, of seed 3",
        "vgg6, width 0.125, trained for 2 epochs, arms retrained for 1",
        "150 train, 50 measure, 50 test",
        "results: deeptheory confirm tiny.toml\n",
        f"figure: deeptheory figure accuracy-and-snr {finished_study} --format pdf\n",
    ):
        assert fact in text
    text = (tmp_path / "one" / "rank-truncation.txt").read_text()
    assert "\nseed: 0\n" in text
    assert "\nfigure: python figures/rank_truncation.py " in text


def test_pictures_come_in_the_format_that_is_asked_for(draw, tmp_path):
    assert draw("svg", "--format", "svg").returncode == 1
    names = sorted(path.name for path in (tmp_path / "svg").iterdir())
    drawn = ("accuracy-and-snr", "rank-truncation")
    assert names == [f"{name}.{suffix}" for name in drawn for suffix in ("svg", "txt")]
    assert "--format svg" in (tmp_path / "svg" / "accuracy-and-snr.txt").read_text()
    assert "--out rank-truncation.svg" in (tmp_path / "svg" / "rank-truncation.txt").read_text()


def test_every_source_can_be_drawn_and_made():
    sources = tomllib.loads((FIGURES / "sources.toml").read_text())
    for name, source in sources.items():
        assert (FIGURES / source["script"]).is_file() if "script" in source else name in RUN_FIGURES
        for made_by in source["results"].values():
            program, *words = made_by.split()
            if program == "python":
                assert (ROOT / words[0]).is_file()
            else:
                assert {*configuration_names(), "demo"} & set(words)


def test_facts_list_what_differs(run, tmp_path):
    facts = load_script(FIGURES / "captions.py").facts
    other = Run.create(tmp_path / "other", run.config, quiet=True)
    (other.directory / "run.h5").write_bytes(run.results.read_bytes())
    train = msgspec.structs.replace(run.config.train, epochs=4)
    other.reconfigure(msgspec.structs.replace(run.config, train=train))
    assert "differ in train.epochs: 2, 4" in facts([run, Run(other.directory, quiet=True)])
