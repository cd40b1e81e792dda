"""Mutants of good files are read or refused in one line: no traceback, no crash, no more time and memory."""

import pytest

from tests.faults.mutating import faults_among

FEW = 30
MANY = {
    "pickles": 20_000,
    "data": 2_000,
    "npz": 2_000,
    "models": 2_000,
    "onnx": 500,
    "safetensors": 500,
    "toml": 500,
    "in-file": 2_000,
    "npy": 2_000,
}


@pytest.mark.parametrize(
    ("kind", "count"),
    [("pickles", 300)]
    + [(kind, FEW) for kind in ("data", "npz", "toml", "in-file", "npy")]
    + [pytest.param(kind, count, marks=pytest.mark.slow) for kind, count in MANY.items()],
)
def test_mutants_are_read_or_refused(tmp_path, kind, count):
    for package in {"onnx": ["onnx"], "safetensors": ["safetensors"]}.get(kind, ()):
        pytest.importorskip(package)
    outcomes, faults = faults_among(kind, count, tmp_path)
    assert not faults, f"{len(faults)} of {count}: " + "\n".join(faults[:10])
    assert outcomes.pop("read") > 0
    assert outcomes.pop("refused") > 0
    assert not outcomes
