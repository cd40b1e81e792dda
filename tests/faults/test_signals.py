"""A run that is asked to stop, wherever it is, ends as one that was not."""

import os
import signal

import pytest

from deeptheory import nn
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.runs import Run, steps
from deeptheory.store import hdf5, integrity, paths
from deeptheory.system import interruption

pytestmark = pytest.mark.usefixtures("one_thread")
POINTS = 6


class Moments:
    """Counts what a run does: steps of training, evaluations of a probe, tables written; may signal at one."""

    def __init__(self, monkeypatch, at=None, number=signal.SIGTERM):
        self.count, self.at, self.number, self.kind, self.inside = 0, at, number, None, False
        self.wrap(monkeypatch, nn.training, "_step", "training")
        self.wrap(monkeypatch, CrossEntropy, "__call__", "probe")
        self.wrap(monkeypatch, hdf5, "write_tree", "writing")

    def wrap(self, monkeypatch, owner, name, kind):
        original = getattr(owner, name)

        def counted(*arguments, **named):
            self.count += not self.inside  # a table in a table is written with it
            if self.count == self.at and not self.kind:
                self.kind = kind
                os.kill(os.getpid(), self.number)
            before, self.inside = self.inside, True
            try:
                return original(*arguments, **named)
            finally:
                self.inside = before

        monkeypatch.setattr(owner, name, counted)


def chain(run):
    with interruption.listening():
        steps.chain(run)


@pytest.fixture(scope="module")
def moments(tmp_path_factory, tiny_config, one_thread):
    """How many moments a whole run has."""
    with pytest.MonkeyPatch.context() as patch:
        counted = Moments(patch)
        chain(Run.create(tmp_path_factory.mktemp("counted") / "run", tiny_config, quiet=True))
    return counted.count


@pytest.mark.parametrize("point", range(POINTS))
def test_a_run_stopped_anywhere_ends_with_the_same_bits(
    assert_same, finished_study, tmp_path, tiny_config, monkeypatch, moments, point
):
    run = Run.create(tmp_path / "run", tiny_config, quiet=True)
    with monkeypatch.context() as patch:
        at = 1 + point * (moments - 1) // (POINTS - 1)
        stopped = Moments(patch, at, interruption.SIGNALS[point % len(interruption.SIGNALS)])
        with pytest.raises(interruption.Interrupted):
            chain(run)
    assert stopped.kind in ("training", "probe", "writing")
    assert not (run.directory / paths.LOCK).exists()
    assert not list(run.directory.glob(".*"))
    if run.results.exists():
        assert not integrity.verify(run.results).damaged
    chain(run)
    whole = Run(finished_study / "seed-3")
    for step in paths.STEPS:
        assert_same(run.read_tree(step), whole.read_tree(step))
    assert {path.name for path in run.directory.iterdir()} <= {
        "config.toml",
        "log.txt",
        "run.h5",
        "run.previous.h5",
    }


def test_a_run_stopped_over_and_over_ends_with_the_same_bits(
    assert_same, finished_study, tmp_path, tiny_config, monkeypatch
):
    run, stops = Run.create(tmp_path / "run", tiny_config, quiet=True), 0
    while not run.done("retrain"):
        with monkeypatch.context() as patch:
            Moments(
                patch, at=100 + 100 * stops
            )  # prediction, which is one piece, has to get done at some time
            try:
                chain(run)
            except interruption.Interrupted:
                stops += 1
    assert stops >= 3
    assert_same(run.read_tree("retrain"), Run(finished_study / "seed-3").read_tree("retrain"))
