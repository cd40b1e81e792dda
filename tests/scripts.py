"""Scripts outside the package, loaded as modules."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES, SIMULATIONS = ROOT / "figures", ROOT / "simulations"


def load_script(path):
    """The module of a script, loaded afresh; it finds the modules beside it, as when it is run."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module
