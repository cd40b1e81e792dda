"""The study of the number of labels: exact where it must be, restricted as asked, and resumed."""

import json
import sys

import numpy as np
import pytest

from deeptheory.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_law_stands_beside_the_measured_accuracy(script, run, monkeypatch, capsys, tmp_path):
    out = tmp_path / "labels.json"
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory), "--out", str(out), "--drawn", "12"])
    script.main()
    first = capsys.readouterr().out
    found = json.loads(out.read_text())["runs"]["seed-3"]
    assert found["sizes"] == [2, 3, 5]
    assert found["measured"][-1] == pytest.approx(run.read_number("train/accuracy/test"))
    assert found["measured_on_drawn"][-1] == pytest.approx(found["measured"][-1])
    assert found["predicted"]["counted"][-1] == pytest.approx(run.read_number("train/accuracy/measure"))
    assert list(found["predicted"]) == list(script.LAWS)
    two = {law: found["predicted"][law][0] for law in script.LAWS}
    assert two["one distance"] == pytest.approx(two["product"]) == pytest.approx(two["all distances"])
    assert two["one distance"] == pytest.approx(two["linear"])
    assert two["pairs alone"] == pytest.approx(two["counted"])
    assert found["scatter"][-1] == 0
    assert list(found["stages"]) == [f"stage{number}" for number in range(1, 6)]
    assert found["stages"]["stage5"]["measured"] == found["measured"]
    assert found["stages"]["stage5"]["pairs alone"] == pytest.approx(found["predicted"]["pairs alone"])
    assert found["stages"]["stage5"]["law itself"][0] == pytest.approx(found["measured"][0])
    assert found["stages"]["stage2"]["measured"] != found["measured"]
    monkeypatch.setattr(script, "study", None)
    script.main()
    assert capsys.readouterr().out == first
    monkeypatch.setattr(sys, "argv", ["x", str(run.directory), "--out", str(out), "--drawn", "4"])
    with pytest.raises(InputError, match=r"expected the same drawn, found drawn = .*; name another file"):
        script.main()


def test_only_the_inputs_and_fields_of_a_subset_are_left(script):
    fields, labels = np.arange(12.0).reshape(4, 3), np.array([2, 0, 1, 2])
    found, truth, rows = script.restricted(fields, labels, np.array([0, 2]))
    np.testing.assert_array_equal(found, [[0, 2], [3, 5], [9, 11]])
    np.testing.assert_array_equal(truth, [1, 0, 1])
    np.testing.assert_array_equal(rows, [0, 1, 3])


def test_a_linear_error_has_slope_one(script):
    sizes = [2, 3, 11]
    np.testing.assert_allclose(script.slopes(1 - 0.01 * (np.array(sizes) - 1), sizes), 1)


def test_the_error_of_the_law_is_its_scatter_between_draws_of_inputs(script):
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(5), 60)
    laws, errors = [], []
    for _ in range(200):
        fields = rng.standard_normal((300, 5))
        fields[np.arange(300), labels] += 1.5
        law, error = script.law_of_pairs(fields, labels, [2, 5])
        laws.append(law)
        errors.append(error)
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(laws, axis=0), rtol=0.15)
    expected = script.theory.detection_accuracy(1.5, [2, 5])
    np.testing.assert_allclose(np.mean(laws, axis=0), expected, atol=3 * np.mean(errors) / np.sqrt(200))
