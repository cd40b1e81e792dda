"""How fast the engine is: against PyTorch, and against the limit of the machine.

Each side of a comparison computes in a process of its own. This package imports neither Numba nor PyTorch
before it has to, so that such a process holds only what its side needs.
"""

from deeptheory.bench.cases import CASES, Setting
from deeptheory.bench.comparison import compare

__all__ = ["CASES", "Setting", "compare"]
