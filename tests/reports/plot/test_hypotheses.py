import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge.decision import Case, judge_hypotheses
from deeptheory.judge.hypotheses import hypothesis
from deeptheory.reports.plot import draw_hypotheses, hypothesis_verdict


@pytest.fixture
def judged():
    beats_random = hypothesis("H7")
    evidence = beats_random.planted(np.random.default_rng(0), 2.0, 5)
    return judge_hypotheses([Case(beats_random, evidence)], "command")[0]


def test_every_part_has_its_seeds_mean_and_interval_and_the_bound_is_drawn(judged):
    figure = hypothesis_verdict(judged)
    (axes,) = figure.axes
    (part,) = judged.parts
    bound, seeds, bar, mean = axes.lines
    assert bound.get_xdata()[0] == judged.hypothesis.rule.bounds[0]
    np.testing.assert_array_equal(seeds.get_xdata(), part.values)
    np.testing.assert_array_equal(bar.get_xdata(), [part.test.low, part.test.high])
    assert mean.get_xdata()[0] == part.test.effect
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [f"{part.name}: {part.status}"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["bound of the claim", "one seed", f"{part.test.interval_level:.0%} interval", "mean"]
    assert axes.get_title().startswith(f"H7, {judged.status}: ")


def test_files_are_named_by_number_and_name_and_missing_evidence_has_none(judged, tmp_path):
    missing = judge_hypotheses([Case(hypothesis("H7"), InputError("runs", "a study", "none"))], "command")[0]
    (path,) = draw_hypotheses([judged, missing], tmp_path)
    assert path == tmp_path / "h07-afcc-beats-random.pdf"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="expected numbers of at least one part"):
        hypothesis_verdict(missing)
