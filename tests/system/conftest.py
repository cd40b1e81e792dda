import os

import pytest


@pytest.fixture
def bare_environment():
    """The environment without what limits threads or names directories of kernels."""
    prefixes = "DEEPTHEORY_", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "SLURM_"
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
