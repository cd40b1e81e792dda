"""The kernels without compilation give the same training step."""

import os
import subprocess
import sys

import numpy as np

SCRIPT = """
import sys
import numpy as np
from deeptheory import nn
network = nn.build("lenet", 3, (16, 16, 1), width=0.5, rng=np.random.default_rng(0))
vgg = nn.build("vgg6", 3, (16, 16, 1), width=1 / 32, rng=np.random.default_rng(0))
rng = np.random.default_rng(1)
layers = {
    "conv": nn.Conv2d(1, 4, 3, stride=4, padding=1, rng=rng),
    "depthwise": nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, rng=rng),
    "silu": nn.SiLU(),
    "squeeze": nn.SqueezeExcitation(4, 2, rng=rng),
    "pool": nn.GlobalAveragePool(),
}
head = nn.Stage("head", {"linear": nn.Linear(4, 3, rng=rng)}, (3,))
squeeze = nn.Network([nn.Stage("stage1", layers, (4,))], head, (16, 16, 1))
x, labels = rng.uniform(-1, 1, (3, 16, 16, 1)).astype(np.float32), np.array([0, 1, 2])
found = {}
for name, n in (("lenet", network), ("vgg", vgg), ("squeeze", squeeze)):
    logits, _ = n.forward(x, training=True)
    n.backward(nn.softmax_cross_entropy(logits, labels)[1])
    nn.SGD(n, 0.9, 5e-4, False, {}).step(0.1)
    found |= {f"{name} {key}": array for key, array in n.state().items()}
np.savez(sys.argv[1], **found)
"""


def test_compiled_and_plain_kernels_agree(tmp_path):
    for name, disable in (("compiled", "0"), ("plain", "1")):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disable}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / f"{name}.npz")],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "compiled.npz") as compiled, np.load(tmp_path / "plain.npz") as plain:
        assert len(compiled.files) == 42
        for key in compiled.files:
            np.testing.assert_allclose(plain[key], compiled[key], rtol=1e-4, atol=1e-5, err_msg=key)
