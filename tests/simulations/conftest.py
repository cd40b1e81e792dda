import importlib.util
from pathlib import Path

import pytest

SIMULATIONS = Path(__file__).parents[2] / "simulations"


@pytest.fixture
def script(request):
    """The study that the test module is named after, loaded afresh."""
    path = SIMULATIONS / f"{request.path.stem.removeprefix('test_')}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
