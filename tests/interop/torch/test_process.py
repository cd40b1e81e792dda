"""Measuring a live model leaves the user's process as it was."""

import pytest

from tests.system.test_process_setup import changed_by

pytest.importorskip("torch")

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)  # as a user may have chosen
model = nn.Sequential(
    nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(),
    nn.Linear(64, 3, bias=False),
)
loader = [(torch.rand(12, 1, 8, 8), torch.arange(12) % 3)]
numba.set_num_threads(numba.get_num_threads())  # loads the threads of Numba
of_numpy_and_numba = state

def state():
    return [*of_numpy_and_numba(), torch.get_num_threads(), torch.get_num_interop_threads()]

before = state()
from deeptheory.interop.torch import apply_masks, measure
measured = measure(model, loader, ["2", "4"], probe_loader=loader, quiet=True)
arms = measured.masks(["afcc", "magnitude"], 0.5)
measured.predict(arms, quiet=True)
apply_masks(model, arms["afcc"].masks)
"""


@pytest.mark.parametrize("variables", [{}, {"OMP_NUM_THREADS": "2"}], ids=["", "OMP_NUM_THREADS=2"])
def test_threads_and_environment_of_a_user_stay_as_they_were(variables, bare_environment):
    before, after = changed_by(SCRIPT, bare_environment | variables)
    assert after == before
