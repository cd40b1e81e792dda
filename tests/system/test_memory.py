"""Free memory and the refusal of what is larger."""

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.system import memory


def test_results_larger_than_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10**10)
    memory.require_memory("the matrix", 8 * 10**9, "make it smaller")
    text = "the matrix: expected at most 80 % of the free memory, 8.0 GB, found 34.4 GB; make it smaller"
    with pytest.raises(InputError, match=text):
        memory.require_memory("the matrix", 34_400_000_000, "make it smaller")
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    memory.require_memory("the matrix", 10**18, "make it smaller")
    assert memory.gigabytes(12_345_678) == "0.012 GB"


def test_the_peak_counts_from_where_it_is_reset():
    ballast = np.ones(30_000_000)
    memory.reset_peak()
    before = memory.process_memory("VmHWM")
    del ballast
    memory.reset_peak()
    assert memory.process_memory("VmHWM") < before - 200_000_000
    assert memory.process_memory("VmHWM") >= memory.process_memory("VmRSS") - 1_000_000


def test_a_limit_of_the_address_space_counts(monkeypatch):
    taken = memory.process_memory("VmSize")
    monkeypatch.setattr("resource.getrlimit", lambda _: (taken + 10**6, -1))
    assert memory.free_memory() <= 10**6
    monkeypatch.setattr("resource.getrlimit", lambda _: (taken // 2, -1))
    assert memory.free_memory() == 0
