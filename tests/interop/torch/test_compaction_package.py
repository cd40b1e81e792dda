"""A compact model without the package that finds its channels."""

import sys

import pytest

from deeptheory.errors import InputError

torch = pytest.importorskip("torch")


def test_torch_pruning_that_is_missing_is_named(monkeypatch):
    from deeptheory.interop import torch as live

    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(InputError, match=r"torch_pruning: .*pip install 'deeptheory\[compact\]'"):
        live.compact(torch.nn.Sequential(torch.nn.Linear(2, 3)), example=torch.ones(1, 2))
