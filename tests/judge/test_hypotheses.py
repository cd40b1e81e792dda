"""Every rule on planted data: false positives at the null, power at the stated effect; and what they compute."""

import math

import numpy as np
import pytest

from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.decision import Case, judge_hypotheses
from deeptheory.judge.evidence import (
    Arms,
    Controls,
    Costs,
    Diluted,
    LabelScaling,
    Learning,
    Predictions,
    SingleLayers,
    Stages,
    Storage,
)
from deeptheory.judge.head_evidence import Heads, SingleFilters
from deeptheory.judge.hypotheses import FAMILIES, HYPOTHESES, family, hypothesis
from deeptheory.judge.hypotheses.h27_one_relation import distance, held_out, line_through

N_SEEDS, N_DRAWS = 5, 1000
K = np.array([3.0, 10.0, 30.0, 100.0, 300.0, 1000.0])


def share_supported(of, effect):
    rng = np.random.default_rng(0)
    found = [
        judge_hypotheses([Case(of, of.planted(rng, effect, N_SEEDS))], "")[0].status for _ in range(N_DRAWS)
    ]
    return found.count("supported") / N_DRAWS


def three_errors(rate):
    """Three standard errors of a rate seen in all draws."""
    return 3 * math.sqrt(rate * (1 - rate) / N_DRAWS)


def statistic(name, evidence):
    return hypothesis(name).parts(evidence)


@pytest.fixture
def quick(monkeypatch):
    """Leave out of the reasons how many seeds would be needed: it takes longer than the tests."""
    monkeypatch.setattr("deeptheory.judge.decision._needed", lambda *_: "")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", HYPOTHESES)
def test_no_more_than_five_percent_false_positives(name):
    of = HYPOTHESES[name]
    assert share_supported(of, of.rule.null) <= 0.05 + three_errors(0.05)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", HYPOTHESES)
def test_power_at_the_stated_effect(name):
    of = HYPOTHESES[name]
    n_parts = len(of.parts(of.planted(np.random.default_rng(0), of.rule.null, N_SEEDS)))
    effect = of.detects(N_SEEDS, n_parts)
    assert share_supported(of, effect) >= 0.8 - three_errors(0.8)


@pytest.mark.parametrize("name", HYPOTHESES)
def test_planted_evidence_has_the_effect(name):
    of = HYPOTHESES[name]
    effect = of.detects(N_SEEDS, 1)
    values = of.parts(of.planted(np.random.default_rng(1), effect, 400))
    last = list(values.values())[-1]  # of "any" the part that carries it
    assert last.mean() == pytest.approx(effect, abs=0.2 * of.scatter)
    assert last.std() == pytest.approx(of.scatter, rel=0.15)


def test_slopes():
    names = ("stage1", "stage2", "stage3")
    accuracy = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5]])
    snr = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    stages = Stages(
        names,
        {"probe_accuracy": accuracy, "snr_mean_field": snr, "snr_measured": -snr, "noise": np.exp(-snr)},
    )
    assert statistic("H1", stages)["probe accuracy"] == pytest.approx([10, 0])
    assert statistic("H2", stages)["mean field"] == pytest.approx([1, -1])
    assert statistic("H2", stages)["measured"] == pytest.approx([-1, 1])
    assert statistic("H3", stages)["noise"] == pytest.approx([1, -1])


@pytest.mark.parametrize(
    ("curve", "sign"),
    [(0.02 + 0.0007 * K, 1), (0.05 * K**0.4, -1), (0.02 + 0.1 * np.log(K), -1)],
    ids=["line", "power", "logarithm"],
)
def test_the_right_law_is_found(curve, sign):
    errors = curve + 0.005 * np.random.default_rng(0).standard_normal((4, len(K)))
    scaling = LabelScaling(tuple(K.astype(int)), {"max_error": errors})
    assert (sign * statistic("H4", scaling)["maximal error"] > 0).all()


def test_power_law_is_the_best_of_its_exponents():
    from scipy.optimize import curve_fit

    from deeptheory.judge.hypotheses.h04_error_linear_in_labels import _of_power

    errors = 0.05 * K**0.37 + 0.01 * np.random.default_rng(0).standard_normal((3, len(K)))
    for error, ours in zip(errors, _of_power(K, errors), strict=True):
        best, _ = curve_fit(lambda x, a, b: a * x**b, K, error, p0=(0.05, 0.4))
        theirs = ((error - best[0] * K ** best[1]) ** 2).sum()
        assert theirs <= ours <= 1.02 * theirs  # exponents in steps of 0.01


def test_relative_change_per_decade():
    values = {"cluster_size": 2.0 * K[None] ** 0.1, "clusters_per_filter": np.ones((1, len(K)))}
    found = statistic("H5", LabelScaling(tuple(K.astype(int)), values))
    assert found["size of a cluster"] == pytest.approx([100 * (10**0.1 - 1)])
    assert found["clusters of a filter"] == pytest.approx([0], abs=1e-12)


def test_arms_are_compared_in_every_setting():
    arms = Arms(
        {
            "density 0.2": {"afcc": np.array([0.9]), "unpruned": np.array([0.91]), "random": np.array([0.8])},
            "density 0.1": {"afcc": np.array([0.8]), "unpruned": np.array([0.91])},
        }
    )
    assert statistic("H6", arms)["density 0.1"] == pytest.approx([-11])
    assert list(statistic("H7", arms)) == ["density 0.2"]
    with pytest.raises(
        InputError, match="arms: expected 'afcc' and 'magnitude' among them, found afcc, unpruned, random"
    ):
        statistic("H9", arms)


def test_one_layer_is_enough():
    unpruned = np.full(5, 0.9)
    scatter = 0.001 * np.array([1, -1, 0.5, -0.5, 0])
    layers = {"stage2": unpruned - 0.1 + scatter, "stage9": unpruned + scatter}
    judged = judge_hypotheses([Case(hypothesis("H10"), SingleLayers(0.1, unpruned, layers))], "")[0]
    assert judged.status == "supported"
    assert [verdict.status for verdict in judged.parts] == ["not supported", "supported"]
    with pytest.raises(InputError, match=r"density of the masked layer: expected 0\.1, found 0\.2"):
        statistic("H10", SingleLayers(0.2, unpruned, layers))


def test_errors_of_predictions():
    groups = {"retrained arms": (np.array([[0.9, 0.7]]), np.array([[0.88, 0.71]]))}
    assert statistic("H12", Predictions(groups))["retrained arms"] == pytest.approx([-1.5])
    with pytest.raises(InputError, match="predictions: expected 'full heads', found retrained arms"):
        statistic("H11", Predictions(groups))


def test_committee_in_percent_of_the_plateau():
    alpha, theory = np.array([0.0, 10.0, 20.0]), np.array([1.0, 0.2, 0.1])
    learning = Learning(alpha, theory, np.array([[6.0, 0.204, 0.098]]), np.array([0.05]), np.array([0.07]))
    found = statistic("H13", learning)
    assert found["learning curve"] == pytest.approx([5 - 1.5])
    assert found["removal of the named unit"] == pytest.approx([10])


def test_distances_to_both_lines():
    found = statistic("H14", Storage((1.0,), np.array([0.5]), np.array([0.2]), np.array([[0.3]])))
    assert list(found.values()) == [pytest.approx([0.2]), pytest.approx([0.1])]


def test_what_is_not_specialised_is_not_called_so():
    chance = np.exp(0.05 * np.random.default_rng(0).standard_normal((3, 5)))
    untrained = Controls(dict(zip(("trained", "untrained", "shuffled-labels"), chance, strict=True)))
    assert judge_hypotheses([Case(hypothesis("H15"), untrained)], "")[0].status != "supported"
    kept = np.array([3.0, 3.1, 2.9, 3.05, 2.95])
    nothing_lost = Controls({"trained": kept, "untrained": kept + 0.01, "shuffled-labels": kept - 0.01})
    assert judge_hypotheses([Case(hypothesis("H15"), nothing_lost)], "")[0].status == "not supported"
    with pytest.raises(
        InputError, match="controls: expected trained, untrained, shuffled-labels, found no untrained"
    ):
        statistic("H15", Controls({"trained": kept, "shuffled-labels": kept}))


def diluted(network="vgg11-10conv", accuracy=0.66, **dilution):
    scatter = 0.001 * np.array([1, -1, 0.5, -0.5, 0])
    arms = {"unpruned": np.full(5, 0.66), "afcc": accuracy + scatter}
    shares = {kind.replace("_", " "): share + scatter for kind, share in dilution.items()}
    return Diluted(network, shares, Arms({"threshold 0.5": arms}))


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("H17", diluted(last_convolutions=0.87, head=0.5)),
        ("H18", diluted(head=0.96)),
        ("H20", diluted("vgg16", hidden_layers=0.9, head=0.95)),
        ("H21", diluted("efficientnet_b0", last_convolutions=0.85)),
    ],
)
def test_layers_of_each_kind_are_prunable(name, evidence):
    (judged,) = judge_hypotheses([Case(hypothesis(name), evidence)], "")
    assert judged.status == "supported"
    dilution, loss = judged.parts
    assert (dilution.name, dilution.rule.bounds) == ("dilution minus 80 %", (0.0,))
    assert (loss.name, loss.rule.bounds) == ("no loss, threshold 0.5", (-0.5,))


def test_both_high_dilution_and_no_loss_are_needed():
    too_little, too_much = diluted(last_convolutions=0.79), diluted(accuracy=0.64, last_convolutions=0.9)
    for evidence, statuses in (
        (too_little, ["not supported", "supported"]),
        (too_much, ["supported", "not supported"]),
    ):
        (judged,) = judge_hypotheses([Case(hypothesis("H17"), evidence)], "")
        assert judged.status == "not supported"
        assert [part.status for part in judged.parts] == statuses
    assert statistic("H17", too_much)["dilution minus 80 %"].mean() == pytest.approx(10)


@pytest.mark.parametrize(
    ("name", "evidence", "text"),
    [
        (
            "H17",
            diluted("efficientnet-b0", last_convolutions=0.9),
            "expected a VGG, found efficientnet-b0; run 'deeptheory confirm afcc-cifar100 ",
        ),
        (
            "H21",
            diluted(last_convolutions=0.9),
            "an EfficientNet, found vgg11-10conv; run 'deeptheory confirm efficientnet-",
        ),
        ("H17", diluted(other_convolutions=0.9), "last convolutions and at most the head, found other conv"),
        (
            "H18",
            diluted(last_convolutions=0.9, head=0.9),
            r"expected head, found head and last convolutions; run '.* --set \"prune\.stages=\[\]\"'",
        ),
        (
            "H20",
            diluted(hidden_layers=0.9, last_convolutions=0.9),
            "hidden layers and at most the head, found .*; run 'deeptheory confirm vgg16-classifier-cifar100 ",
        ),
    ],
)
def test_other_networks_and_layers_are_refused(name, evidence, text):
    with pytest.raises(Unsuited, match=text):
        statistic(name, evidence)


def test_every_rival_has_to_be_beaten():
    scatter = 0.001 * np.array([1, -1, 0.5, -0.5, 0])
    behind = {"random": 0.02, "label-permuted": 0.02, "magnitude": 0.02, "lamp": 0.02}

    def judged(**gaps):
        rivals = {rival: 0.66 - gap + scatter for rival, gap in {**behind, **gaps}.items()}
        arms = Arms({"threshold 0.5": {"afcc": np.full(5, 0.66), **rivals}})
        return judge_hypotheses([Case(hypothesis("H19"), arms)], "")[0]

    assert judged().status == "supported"
    worse = judged(lamp=-0.01)
    assert worse.status == "not supported"
    assert [part.name for part in worse.parts if part.status == "not supported"] == [
        "minus lamp, threshold 0.5"
    ]


def test_logarithms_of_dense_over_compact():
    dense, compact = np.full(5, 4.0), np.full(5, 1.0)
    costs = Costs({"dense": dense, "compact": compact}, {"dense": compact, "compact": dense})
    found = statistic("H22", costs)
    assert found["time"] == pytest.approx(np.full(5, math.log(4)))
    assert found["bytes"] == pytest.approx(np.full(5, -math.log(4)))


def test_the_family_of_the_paper():
    numbers = [of.number for of in family("paper")]
    assert numbers == [1, 2, 3, 4, 5, 10, 17, 18, 19, 20, 21, 22]
    assert all(hypothesis(name) for names in FAMILIES.values() for name in names)
    with pytest.raises(InputError, match="family: expected one of heads, paper, found 'papers'; did you"):
        family("papers")


def test_small_clusters_of_heads():
    blocks, chance = ("heads1", "heads2"), np.full(5, 0.05)

    def statuses(size, scattered):
        spread = np.exp(0.02 * np.array([1, -1, 0.5, -0.5, 0]))[:, None] * np.ones((1, 2))
        values = {"cluster_size": size * spread, "scattered_cluster_size": scattered * spread[::-1]}
        evidence = Heads(blocks, values, 20, chance)
        return [part.status for part in judge_hypotheses([Case(hypothesis("H24"), evidence)], "")[0].parts]

    assert statuses(size=1.5, scattered=1.2) == ["supported", "supported"]
    assert statuses(size=1.2, scattered=1.5) == ["not supported", "supported"]
    assert statuses(size=3.0, scattered=1.2) == ["supported", "not supported"]
    with pytest.raises(InputError, match="stages of heads: expected two blocks or more, found heads1"):
        Heads(("heads1",), {}, 20, chance)


def test_accuracy_of_single_heads():
    values = {"single_filter_accuracy": np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])}
    found = statistic("H25", Heads(("heads1", "heads2", "heads3"), values, 20, np.full(2, 0.05)))
    assert found["rises with depth"] == pytest.approx([10, -10])
    assert found["last block above chance"] == pytest.approx([25, 5])


def one_relation(offset=0.0, slope=1.0):
    rng = np.random.default_rng(3)

    def stage(n_filters, start, height=0.0):
        x = start + rng.standard_normal(n_filters)
        return np.stack([x, slope * x + height + 0.3 * rng.standard_normal(n_filters)])

    convolutions = tuple({f"stage{m}": stage(20, 0.3 * m) for m in range(4)} for _ in range(5))
    return SingleFilters(convolutions, tuple({"heads1": stage(8, 0.5, offset)} for _ in range(5)))


@pytest.mark.parametrize(
    ("evidence", "statuses"),
    [
        (one_relation(), ["supported", "supported"]),
        (one_relation(offset=2.0), ["supported", "not supported"]),
        (one_relation(slope=0.0), ["not supported", "supported"]),
    ],
    ids=["one line", "heads beside the line", "no line"],
)
def test_heads_lie_on_the_line_of_convolutions_or_do_not(evidence, statuses):
    (judged,) = judge_hypotheses([Case(hypothesis("H27"), evidence)], "")
    assert [part.status for part in judged.parts] == statuses


def test_the_line_weighs_stages_equally():
    wide = np.array([[0.0] * 50, [1.0] * 50])
    constant, slope, correlation = line_through({"a": wide, "b": np.array([[1.0], [3.0]])})
    assert (constant, slope, correlation) == pytest.approx((1, 2, 1))
    many, few = np.zeros((2, 30)), np.array([[0.0], [2.0]])
    assert distance({"a": many, "b": few}, (0.0, 0.0, 0.0)) == pytest.approx(math.sqrt(2))
    three = {"a": np.array([[0.0], [0.0]]), "b": np.array([[1.0], [1.0]]), "c": np.array([[2.0], [2.6]])}
    assert held_out(three) == pytest.approx(math.sqrt((0.6**2 + 0.3**2 + 0.6**2) / 3))
    with pytest.raises(InputError, match="3 stages of convolutions and one of heads, found 2 and 1"):
        SingleFilters(({"a": wide, "b": wide},), ({"heads1": wide},))


def test_names_and_numbers():
    assert [of.number for of in HYPOTHESES.values()] == list(range(1, 28))
    assert hypothesis("h9") is HYPOTHESES["afcc-beats-magnitude"]
    with pytest.raises(InputError, match="did you mean 'snr-rises'"):
        hypothesis("snr-rise")


def test_seeds_must_be_the_same():
    with pytest.raises(
        InputError,
        match=r"controls, untrained: expected shape \(seeds\), the same seeds everywhere, found \(4,\)",
    ):
        Controls({"trained": np.ones(3), "untrained": np.ones(4)})
    with pytest.raises(InputError, match="numbers of labels: expected increasing"):
        LabelScaling((10, 3), {"error": np.ones((1, 2))})
