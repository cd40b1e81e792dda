"""The race of the forms of PyTorch."""

import pytest

from deeptheory.bench import race as racing
from deeptheory.bench.cases import Setting, Side, Task
from deeptheory.errors import InputError

SECONDS = {"a": 2.0, "b": 1.0, "a low": 0.5, "b low": 0.8, "b, compiled": 1.5, "a low, compiled": 0.1}
RIVALS = {
    name: Side("", "", precision="bfloat16" if name.endswith("low") else "float32")
    for name in ("a", "b", "a low", "b low")
}


@pytest.fixture
def raced(monkeypatch):
    def run(compiled, failing=()):
        def one_block(name, task):
            assert task.compiled == name.endswith("compiled")
            if name in failing:
                raise InputError(name, "times", "its end with exit code 1")
            return SECONDS[name]

        def task(side):
            return Task(module="", step="", setting=Setting(), compiled=side.compiled)

        monkeypatch.setattr(racing, "_one_block", one_block)
        done = []
        return racing.race(RIVALS, task, compiled, done.append), done

    return run


def test_the_faster_format_of_each_precision_is_compiled_too(raced, monkeypatch):
    monkeypatch.setattr(racing, "without_compiler", lambda: "")
    found, done = raced(compiled=True)
    assert list(found.finalists) == ["b", "a low, compiled"]
    assert found.seconds == SECONDS
    assert (found.left_out, done) == ("", [1, 2, 3, 4, 5, 6])


def test_a_network_that_cannot_be_compiled_still_has_its_other_forms(raced, monkeypatch):
    monkeypatch.setattr(racing, "without_compiler", lambda: "")
    found, _ = raced(compiled=True, failing=["a low, compiled"])
    assert list(found.finalists) == ["b", "a low"]
    assert found.left_out == "a low, compiled failed: its end with exit code 1"


def test_without_a_compiler_it_is_said(raced, monkeypatch):
    monkeypatch.setattr(racing.shutil, "which", lambda name: None)
    found, done = raced(compiled=True)
    assert list(found.finalists) == ["b", "a low"]
    assert found.left_out == "torch.compile not tried: no C++ compiler found (g++, clang++, c++)"
    assert done[-1] == 6
    assert raced(compiled=False)[0].left_out == "torch.compile not tried: not asked for"
