import pytest

from tests.scripts import SIMULATIONS, load_script


@pytest.fixture
def script(request):
    """The study that the test module is named after, loaded afresh."""
    return load_script(SIMULATIONS / f"{request.path.stem.removeprefix('test_')}.py")
