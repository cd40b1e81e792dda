"""The study of sentences: three ranges of words, each by a model and by the grammar."""

import sys

import pytest

from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.system.scripts import run_script

pytestmark = pytest.mark.usefixtures("one_thread")


def test_more_is_seen_with_every_range(script, tmp_path, monkeypatch, capsys):
    data = {"source": "sentences", "n_labels": 5, "length": 16, "words": 60, "train_per_label": 400}
    network = {"name": "text-transformer", "width": 0.0625, "heads": 1, "blocks": 1}
    still = {"epochs": 1, "shift": 0, "flip": False}
    tables = {"data": data, "network": network, "train": still, "prune": {"stages": ["nodes1"]}}
    run = Run.create(tmp_path / "run", config_from(tables), quiet=True)
    steps.train(run)
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory)])
    script.main()
    rows = capsys.readouterr().out.splitlines()[-3:]
    single, both, network = (tuple(map(float, row.split()[-2:])) for row in rows)
    assert single[1] < both[1] < network[1]  # by the grammar
    assert single[0] + 0.05 < both[0]
    assert abs(single[0] - single[1]) < 0.05
    assert abs(both[0] - both[1]) < 0.08


def test_other_data_are_refused(script, run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory)])
    with pytest.raises(SystemExit):
        run_script(script.main)
    assert "data.source of the run: expected sentences, found glyphs" in capsys.readouterr().err
