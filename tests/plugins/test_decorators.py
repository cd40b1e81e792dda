"""The decorators: what a function may return, and which names there are."""

import numpy as np
import pytest

from deeptheory import data, nn, plugins, prune
from deeptheory.data.loading import SOURCES
from deeptheory.errors import InputError
from deeptheory.judge import HYPOTHESES
from deeptheory.judge.evidence import Stages
from deeptheory.judge.rules import Positive
from deeptheory.nn.learning_rates import SCHEDULES
from tests.plugins_at_work import taken_back

CLAIM = dict.fromkeys(("label", "claim", "source", "statistic", "unit", "null"), "text")
FIXED = {**CLAIM, "evidence": Stages, "rule": Positive(), "scatter": 0.1}


@pytest.fixture(autouse=True)
def _afterwards():
    with taken_back():
        yield


def context():
    layer = prune.MaskedLayer("stage2.conv.weight", "stage1", "stage2", (4, 3, 3, 3), 3)
    weights = {layer.weight: np.ones(layer.shape, np.float32)}
    return prune.Context((layer,), weights, {}, 0.5, np.random.default_rng(0))


def scored(returned):
    plugins.criterion("mine")(lambda context: returned)
    return prune.scores_for("mine", context())


def test_scores_are_float64():
    (scores,) = scored({"stage2.conv.weight": np.ones((4, 3), np.float32)}).values()
    assert scores.dtype == np.float64


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "scores of criterion 'mine': expected arrays for stage2.conv.weight, found NoneType"),
        ({}, "expected arrays for stage2.conv.weight, found none"),
        ({"stage2.conv.weight": np.ones(4)}, r"by mine: expected shape \(4, 3\), found shape \(4,\)"),
        ({"stage2.conv.weight": np.full((4, 3), np.nan)}, "by mine: expected finite numbers"),
    ],
)
def test_other_scores_are_refused(returned, words):
    with pytest.raises(InputError, match=words):
        scored(returned)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", None, "a" * 61])
def test_names_that_files_cannot_have_are_refused(name):
    with pytest.raises(
        InputError, match=r"name of a criterion at .*test_decorators.py, line \d+: expected up to"
    ):
        plugins.criterion(name)(lambda context: {})


@pytest.mark.parametrize(
    ("decorator", "name"),
    [(plugins.criterion, "unpruned"), (plugins.network, "imported"), (plugins.network, "file")],
)
def test_names_with_a_meaning_of_their_own_are_refused(decorator, name):
    with pytest.raises(InputError, match=f"'{name}': expected a name with no meaning of its own"):
        decorator(name)(lambda _: None)


def test_the_function_itself_is_left_as_it_is():
    def function(recipe, epoch, t):
        return 1 - t

    assert plugins.schedule("line")(function) is function
    recipe = nn.Recipe(schedule="line", epochs=2, learning_rate=0.5)
    assert [nn.learning_rate(recipe, step, 2) for step in range(4)] == [0.5, 0.375, 0.25, 0.125]


@pytest.mark.parametrize("factor", [-0.1, np.nan, np.inf, "1", None])
def test_a_schedule_gives_numbers(factor):
    plugins.schedule("wrong")(lambda recipe, epoch, t: factor)
    with pytest.raises(
        InputError, match=r"schedule 'wrong' at t = 0.5: expected a number, at least 0, found"
    ):
        SCHEDULES["wrong"](nn.Recipe(), 0, 0.5)


def test_a_network_has_stages():
    plugins.network("empty")(lambda builder: None)
    with pytest.raises(InputError, match="network 'empty': expected stages that are appended, found none"):
        nn.build("empty", 5, (16, 16, 1), rng=np.random.default_rng(0))


def test_a_source_gives_a_data_set():
    plugins.data_source("wrong")(lambda options: options)
    with pytest.raises(InputError, match=r"data source 'wrong': expected a data.Dataset, found DataOptions"):
        data.load(data.DataOptions(source="wrong"))
    with pytest.raises(
        InputError, match=r"data.source: expected one of files, glyphs, sentences, wrong, found 'w'"
    ):
        data.load(data.DataOptions(source="w"))
    assert list(SOURCES) == ["glyphs", "sentences", "files", "wrong"]


def test_a_hypothesis_has_a_number_of_its_own():
    with pytest.raises(InputError, match="number of hypothesis 'mine': expected 100 or more, found 7"):
        plugins.hypothesis("mine", 7, **FIXED)
    plugins.hypothesis("mine", 100, **FIXED)(lambda stages: {})
    with pytest.raises(
        InputError, match=r"number of hypothesis 'other': .*that of 'mine' at .*decorators.py, line"
    ):
        plugins.hypothesis("other", 100, **FIXED)(lambda stages: {})
    assert HYPOTHESES["mine"].title == "H100 mine"
