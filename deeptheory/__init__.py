"""Statistical mechanics of trained networks: measure single filters, predict what can go, confirm it.

From glyphs to the field matrices of a stage, in a notebook or a script::

    import deeptheory as dt

    data = dt.load_data("glyphs", n_labels=10, size=16)
    options = {"network.name": "vgg6", "network.width": 0.25, "train.epochs": 10, "train.shift": 1}
    run = dt.train(options, data)
    dt.measure(run)
    run.fields("stage5")  # (C, K, K)

The names below are loaded when they are first used: the import alone loads neither Numba nor Matplotlib nor h5py.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; `measure`, `prune` and `plot` are rooms that can be called
    from deeptheory.front.computing import branch as branch
    from deeptheory.front.computing import confirm as confirm
    from deeptheory.front.computing import predict as predict
    from deeptheory.front.computing import retrain as retrain
    from deeptheory.front.computing import train as train
    from deeptheory.front.data import load_data as load_data
    from deeptheory.front.run import open_run as open_run
    from deeptheory.front.study import open_study as open_study
    from deeptheory.prune import CRITERIA as CRITERIA

__version__ = "0.1.0"

if os.name != "posix":
    raise ImportError("deeptheory needs a POSIX system such as Linux; on Windows install it in WSL")

_FRONT = {  # name: the module that has it; "" for one that is a module itself
    "load_data": "deeptheory.front.data",
    "train": "deeptheory.front.computing",
    "measure": "",
    "predict": "deeptheory.front.computing",
    "prune": "",
    "retrain": "deeptheory.front.computing",
    "branch": "deeptheory.front.computing",
    "confirm": "deeptheory.front.computing",
    "open_run": "deeptheory.front.run",
    "open_study": "deeptheory.front.study",
    "plot": "deeptheory.front.figures",
    "plugins": "",
    "theory": "",
    "CRITERIA": "deeptheory.prune",
}


def __getattr__(name: str) -> Any:
    if name not in _FRONT:
        raise AttributeError(f"module 'deeptheory' has no attribute '{name}'")
    if not _FRONT[name]:
        return importlib.import_module(f"deeptheory.{name}")
    return getattr(importlib.import_module(_FRONT[name]), name)


def __dir__() -> list[str]:
    return sorted({"__version__", *_FRONT})
