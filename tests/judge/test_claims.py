import dataclasses
import math
import re

import msgspec
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge import ArmResults, JudgeOptions, arm_tables, confirm_claims, verdict_table

ARMS = ("unpruned", "afcc", "random", "label-permuted", "magnitude")
COMMAND = "deeptheory confirm simulations/demo.toml"


def study(rng, n_seeds=5, gain=0.0, loss=0.0, bias=0.0, structure=0.0, spread=0.0025):
    """Planted results: `gain` of AFCC over the controls, `loss` against unpruned, shares of 1."""
    base = 0.90 + rng.normal(0, 0.01, n_seeds)

    def noisy(mean):
        # differences of two arms then have the standard deviation `spread`
        return mean + rng.normal(0, spread / math.sqrt(2), n_seeds)

    after = {arm: noisy(base - loss - gain) for arm in ARMS} | {
        "unpruned": noisy(base),
        "afcc": noisy(base - loss),
    }
    null = np.full(n_seeds, 0.6)
    return ArmResults(
        accuracy_before={arm: value - 0.1 for arm, value in after.items()},
        accuracy_after=after,
        predicted={"afcc": after["afcc"] + bias + rng.normal(0, spread, n_seeds)},
        dilution={
            "stage9.conv.weight": noisy(null + structure),
            "stage10.conv.weight": noisy(null + structure),
            "head.linear.weight": np.full(n_seeds, 0.95),
        },
        null_dilution={"stage9.conv.weight": null, "stage10.conv.weight": null},
    )


def statuses(results):
    return [verdict.status for verdict in confirm_claims(results, COMMAND)]


def test_the_family_of_claims():
    verdicts = confirm_claims(study(np.random.default_rng(0)), COMMAND)
    assert [verdict.claim for verdict in verdicts] == [
        "no loss: AFCC vs unpruned, margin 0.5",
        "AFCC beats random, equal density",
        "AFCC beats label-permuted, equal density",
        "AFCC beats magnitude, equal density",
        "AFCC dilution above structureless null",
        "AFCC predicted within 1 of measured",
    ]
    assert {verdict.command for verdict in verdicts} == {COMMAND}
    assert {verdict.n_seeds for verdict in verdicts} == {5}


def test_effects_are_paired_differences_in_percentage_points():
    results = study(np.random.default_rng(1), gain=0.01, bias=0.004, structure=0.05)
    after = results.accuracy_after
    effects = [verdict.effect for verdict in confirm_claims(results, COMMAND)]
    layers = ("stage9.conv.weight", "stage10.conv.weight")
    expected = [100 * np.mean(after["afcc"] - after[arm]) for arm in ARMS if arm != "afcc"]
    expected += [100 * (np.mean([results.dilution[layer] for layer in layers]) - 0.6)]
    expected += [100 * np.mean(results.predicted["afcc"] - after["afcc"])]
    assert effects == pytest.approx(expected)


def test_everything_planted_is_found():
    """Power over the whole family after Holm: effects of >= 2.5 paired deviations, 5 seeds, 400 studies."""
    rng = np.random.default_rng(2)
    found = np.array([statuses(study(rng, gain=0.01, structure=0.01, spread=0.002)) for _ in range(400)])
    assert ((found == "supported").mean(axis=0) >= 0.8).all()


def test_nothing_planted_is_rarely_found():
    """Every claim false, at the edge of its null: any support in <= 5% of 600 studies (3 standard errors)."""
    rng = np.random.default_rng(3)
    found = np.array([statuses(study(rng, loss=0.005, bias=0.01)) for _ in range(600)])
    assert (found == "supported").any(axis=1).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_claims_that_fail_are_called_so():
    rng = np.random.default_rng(4)
    results = study(rng, gain=-0.03, loss=0.03, bias=0.05, structure=-0.1, spread=0.001)
    verdicts = confirm_claims(results, COMMAND)
    assert {verdict.status for verdict in verdicts} == {"not supported"}
    assert {verdict.reason for verdict in verdicts} == {"the whole interval contradicts the claim"}


def test_support_needs_holm():
    """A p of 0.02 alone is not enough among six claims, and the reason says so."""
    t = 3.746947  # two-sided p of 0.02 with 4 degrees of freedom
    # [-1, -1, 0, 1, 1] has standard deviation 1, so t = 0.01 / (s / sqrt 5)
    s = 0.01 * np.sqrt(5) / t
    differences = 0.01 + s * np.array([-1, -1, 0, 1, 1])
    flat = np.full(5, 0.9)
    after = dict.fromkeys(ARMS, flat) | {"unpruned": flat + 0.005, "random": flat - differences}
    verdicts = confirm_claims(ArmResults(accuracy_before=after, accuracy_after=after), COMMAND)
    beats_random = verdicts[1]
    assert beats_random.p == pytest.approx(0.02, rel=1e-3)
    assert beats_random.p_holm == pytest.approx(0.12, rel=1e-3)
    assert (beats_random.status, beats_random.reason) == ("undecided", "p < 0.05 alone but not after Holm")


@pytest.mark.parametrize(("n_seeds", "reason"), [(1, "1 seed, 5 needed"), (2, "2 seeds, 5 needed")])
def test_too_few_seeds_are_undecided_with_their_numbers(n_seeds, reason):
    verdicts = confirm_claims(study(np.random.default_rng(5), n_seeds, gain=0.1), COMMAND)
    assert {verdict.status for verdict in verdicts} == {"undecided"}
    assert {verdict.reason for verdict in verdicts} == {reason}
    assert all(math.isfinite(verdict.effect) for verdict in verdicts)
    assert all(math.isfinite(verdict.low) == (n_seeds > 1) for verdict in verdicts)
    assert all(math.isfinite(verdict.p_holm) == (n_seeds > 1) for verdict in verdicts)


def test_missing_prediction_and_null_leave_the_claim_undecided():
    results = study(np.random.default_rng(6), gain=0.02)
    predicted = results.predicted["afcc"].copy()
    predicted[2] = math.nan
    results = dataclasses.replace(results, predicted={"afcc": predicted}, null_dilution={})
    *_, structure, prediction = confirm_claims(results, COMMAND)
    assert (structure.status, structure.reason) == ("undecided", "no masked layer between two stages")
    assert (prediction.status, prediction.reason) == ("undecided", "no prediction for 1 of 5 seeds")
    assert math.isnan(prediction.effect)
    assert "no prediction for 1 of 5 seeds" in str(verdict_table([prediction]))


def test_options_move_the_margins():
    results = study(np.random.default_rng(7), loss=0.02, bias=0.02, spread=0.001)
    strict = confirm_claims(results, COMMAND)
    loose = confirm_claims(results, COMMAND, JudgeOptions(margin=4.0, prediction_margin=4.0))
    assert [strict[i].status for i in (0, 5)] == ["not supported"] * 2
    assert [loose[i].status for i in (0, 5)] == ["supported"] * 2
    assert loose[0].claim == "no loss: AFCC vs unpruned, margin 4"


@pytest.mark.parametrize(
    "table", [{"margin": 0.0}, {"level": 1.0}, {"level": 0.5}, {"seeds": 0}, {"minimum_seeds": 1}]
)
def test_options_out_of_range(table):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, JudgeOptions)


def changed(name, key, value):
    results = study(np.random.default_rng(8))
    return dataclasses.replace(results, **{name: {**getattr(results, name), key: value}})


@pytest.mark.parametrize(
    ("name", "key", "value", "text"),
    [
        (
            "accuracy_after",
            "random",
            np.full(4, 0.9),
            r"accuracy after of 'random': expected one number per seed \(5, as 'afcc' has\), found shape",
        ),
        (
            "accuracy_before",
            "afcc",
            [0.9, math.nan, 0.9, 0.9, math.nan],
            "accuracy before of 'afcc': expected a number for every seed, found NaN at position 1, 4; run",
        ),
        (
            "predicted",
            "afcc",
            np.full(5, 90.0),
            "predicted of 'afcc': expected shares within 0 and 1, found 90; divide",
        ),
        (
            "null_dilution",
            "stage3.conv.weight",
            np.full(5, 0.5),
            "dilution of 'stage3.conv.weight': expected one number",
        ),
        (
            "accuracy_before",
            "snip",
            np.full(5, 0.5),
            "accuracy before retraining: expected the arms unpruned, afcc",
        ),
    ],
)
def test_results_that_cannot_be_judged(name, key, value, text):
    with pytest.raises(InputError, match=text):
        changed(name, key, value)


def test_afcc_and_the_unpruned_arm_are_needed():
    accuracy = {"afcc": np.full(5, 0.9)}
    with pytest.raises(InputError, match="arms: expected 'unpruned' among them, found afcc"):
        ArmResults(accuracy, accuracy)


def test_no_seed_at_all():
    accuracy = {"afcc": np.zeros(0), "unpruned": np.zeros(0)}
    with pytest.raises(
        InputError, match=r"accuracy before of 'afcc': expected at least one seed, found shape \(0,\)"
    ):
        ArmResults(accuracy, accuracy)


def test_verdict_table_is_aligned_and_complete():
    verdicts = confirm_claims(study(np.random.default_rng(9), gain=0.05, loss=0.05, structure=0.05), COMMAND)
    text = str(verdict_table(verdicts))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 110
    assert "percentage points" in lines[0]
    header, rows = lines[1], lines[3:9]
    for verdict, row in zip(verdicts, rows, strict=True):
        assert verdict.claim in row
        assert row.index(verdict.status) == header.index("verdict")
        assert f"[{verdict.low:+.2f}, {verdict.high:+.2f}]" in row
    assert "1 not supported: the whole interval contradicts the claim" in lines
    assert lines[-1] == f"repeat with: {COMMAND}"


def test_verdict_table_of_one_seed_shows_no_interval():
    text = str(verdict_table(confirm_claims(study(np.random.default_rng(9), n_seeds=1), COMMAND)))
    assert "nan" not in text
    assert "1, 2, 3, 4, 5, 6 undecided: 1 seed, 5 needed" in text


def test_arm_tables():
    results = study(np.random.default_rng(10))
    left = {arm: np.full(5, 1.0 if arm == "unpruned" else 0.25) for arm in ARMS}
    lines = "\n\n".join(map(str, arm_tables(results, left, left))).splitlines()
    assert lines[0] == "Accuracy and shares left in percent, mean over 5 seeds (+- 95% interval)."
    after = 100 * results.accuracy_after["afcc"]
    half = 2.776445 * after.std(ddof=1) / math.sqrt(5)
    afcc = next(line for line in lines if line.startswith("afcc"))
    predicted = 100 * results.predicted["afcc"].mean()
    assert re.split(r"\s{2,}", afcc) == [
        "afcc",
        f"{100 * results.accuracy_before['afcc'].mean():.2f}",
        f"{after.mean():.2f} +- {half:.2f}",
        f"{predicted:.2f}",
        "25.0",
        "25.0",
    ]
    assert re.split(r"\s{2,}", next(line for line in lines if line.startswith("random")))[3] == "-"
    assert re.split(r"\s{2,}", lines[-1]) == ["head.linear.weight", "95.0", "-"]
    assert re.split(r"\s{2,}", lines[-2])[2] == "60.0"
    assert max(map(len, lines)) <= 110


def test_arm_tables_of_one_seed():
    results = study(np.random.default_rng(10), n_seeds=1)
    left = {arm: [1.0] for arm in ARMS}
    text = "\n\n".join(map(str, arm_tables(results, left, left)))
    assert "mean over 1 seed " in text
    assert "nan" not in text
    assert "+- " not in text.split("\n", 1)[1]
