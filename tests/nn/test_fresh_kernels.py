"""A process that compiles the kernels and one that loads them from the cache compute the same bits."""

import os
import subprocess
import sys

CODE = """
import hashlib
import numpy as np
from deeptheory import nn
rng = np.random.default_rng(0)
network = nn.build("vgg6", 5, (16, 16, 1), width=0.125, rng=rng)
logits, stages = network.forward(rng.standard_normal((20, 16, 16, 1), np.float32), ("stage3",))
print(hashlib.sha256(stages["stage3"].tobytes()).hexdigest())
"""


def test_compiled_and_cached_kernels_give_the_same_bits(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["DEEPTHEORY_CACHE"] = str(tmp_path)

    def stage3():
        command = [sys.executable, "-c", CODE]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert stage3() == stage3()
