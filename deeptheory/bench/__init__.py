"""Speed and memory of the engine, compared with PyTorch and with the limits of the machine.

Each side of a comparison computes in a process of its own. This package imports Numba and PyTorch only when they
are used, so that such a process loads only what its side needs.
"""

from deeptheory.bench.cases import CASES, Setting
from deeptheory.bench.comparison import compare

__all__ = ["CASES", "Setting", "compare"]
