"""Lines about the compilation of kernels."""

from deeptheory.system import compile_notice
from deeptheory.system.compiled import JIT
from tests.system.processes import python

SCRIPT = """
from deeptheory.system import compile_notice
compile_notice.INTERVAL = 0.0
from deeptheory.nn import kernels
import numpy as np
with compile_notice.shown_by(print):
    print("begin")
    kernels.relu_forward(np.zeros(16, np.float32))
    print("end")
"""


def test_a_line_is_said_before_the_first_kernel_is_compiled_and_none_when_it_is_found(
    bare_environment, tmp_path
):
    environment = bare_environment | {"DEEPTHEORY_CACHE": str(tmp_path)}
    first = python(SCRIPT, environment).stdout.splitlines()
    if JIT:
        assert first[:2] == ["begin", "compiling the kernels of this network, once on this machine"]
    assert python(SCRIPT, environment).stdout.splitlines() == ["begin", "end"]


def test_nothing_is_said_outside_of_the_block():
    said = []
    with compile_notice.shown_by(said.append):
        pass
    assert said == []
