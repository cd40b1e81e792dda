"""`make figures` on the tiny study."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deeptheory.reports.captions import facts
from deeptheory.runs import Run

FIGURES = Path(__file__).parents[1] / "figures"


@pytest.fixture
def draw(finished_study, tmp_path):
    sources = tmp_path / "sources.toml"
    sources.write_text(
        f"""
        [accuracy-and-snr]
        shows = "Accuracy and SNR."
        script = "accuracy_and_snr.py"
        results = "{finished_study}"
        made_by = "deeptheory confirm tiny.toml"
        [perceptron-capacity]
        shows = "Capacities."
        script = "perceptron_capacity.py"
        results = "nowhere.json"
        made_by = "python simulations/perceptron_capacity.py --out nowhere.json"
        """
    )

    def run(out):
        command = [sys.executable, FIGURES / "all.py", "--sources", sources, "--out", tmp_path / out]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_two_calls_write_the_same_bytes_and_name_what_is_missing(draw, tmp_path):
    first, second = draw("one"), draw("two")
    assert first.returncode == second.returncode == 1
    assert "perceptron-capacity: no nowhere.json; make it with: python simulations/perceptron" in first.stdout
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["accuracy-and-snr.pdf", "accuracy-and-snr.txt"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    text = (tmp_path / "one" / "accuracy-and-snr.txt").read_text()
    for fact in (
        "Accuracy and SNR.",
        "runs: 1, of seed 3",
        "vgg6, width 0.125",
        "150 train, 50 measure, 50 test",
        "tiny.toml",
    ):
        assert fact in text


def test_every_script_is_there():
    sources = tomllib.loads((FIGURES / "sources.toml").read_text())
    for source in sources.values():
        assert (FIGURES / source["script"]).is_file()
        made_by = next(word for word in source["made_by"].split() if word.startswith("simulations/"))
        assert (FIGURES.parent / made_by).is_file()


def test_facts_list_what_differs(run, study, tmp_path):
    other = Run.create(tmp_path / "other", run.config, quiet=True)
    (other.directory / "run.h5").write_bytes(run.results.read_bytes())
    text = (other.directory / "config.toml").read_text().replace("epochs = 2 ", "epochs = 4 ")
    (other.directory / "config.toml").write_text(text)
    assert "differ in train.epochs: 2, 4" in facts([run, Run(other.directory, quiet=True)])
