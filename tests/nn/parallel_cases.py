"""Trainings that `test_process_groups` compares between one process and several.

As a script it is one of several processes: mpiexec -n N python parallel_cases.py RESULTS CASE... stores the state
and losses of every process in RESULTS/CASE-RANK.npz.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from deeptheory import nn
from deeptheory.cli.options import together
from deeptheory.errors import InputError
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import interruption

# Learning rates in float32: at larger ones half a unit in the last place of the initial weights is enough for a
# maximum in a window to change hands, and one process differs from itself by 1e-3 after 20 steps.
NETWORKS = {
    "fused": ("vgg6", np.float32, 0.001, {"width": 0.25}),
    "biases": ("lenet", np.float32, 0.02, {}),
    "random": ("efficientnet-b0", np.float32, 0.002, {"width": 0.25, "depth": 0.2, "stochastic_depth": 0.5}),
    "fused-64": ("vgg6", np.float64, 0.02, {"width": 0.25}),
}
STEPS = 20
PRUNED = "stage3.conv.weight"
ADAMW = {"optimiser": "adamw", "label_smoothing": 0.1, "clip_norm": 1.0, "schedule": "cosine", "warm_up": 1}


def data(n=80):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    images = rng.integers(0, 256, (n, 16, 16, 1), dtype=np.uint8)
    images[np.arange(n), :, 5 * labels] = 255  # a bright column tells the label
    return images, labels


def train(case, seed=5, revise=None, group=nn.ALONE, options=None, early_stop=None, **session):
    """Network and losses after 20 steps: in each of 5 epochs 3 batches of 24 inputs and one of 8."""
    name, dtype, rate, sizes = NETWORKS[case]
    network = nn.build(name, 3, (16, 16, 1), rng=np.random.default_rng(seed), dtype=dtype, **sizes)
    recipe = nn.Recipe(epochs=5, batch=24, learning_rate=rate, **(options or {}))
    generators = nn.Generators(np.random.default_rng(11), np.random.default_rng(12))
    before_epoch = revise(network) if revise else lambda epoch, masks: None
    session = nn.Session(quiet=True, **session)
    others = {"before_epoch": before_epoch, "early_stop": early_stop, "session": session, "group": group}
    history = nn.fit(network, *data(), recipe, generators, **others)
    return network.state(), history.loss


def halve_and_prune(network):
    """Before the second epoch, halve a bias and remove half of a convolution."""

    def before_epoch(epoch, masks):
        if epoch != 1:
            return None
        network.parameters()["stage1.norm.weight"] = network.parameters()["stage1.norm.weight"] / 2
        mask = np.zeros(network.parameters()[PRUNED].shape, bool)
        mask[::2] = True
        return {PRUNED: mask}

    return before_epoch


def revised(group, out):
    return train("fused", group=group, **({} if group.rank else {"revise": halve_and_prune}))


def resumed(group, out):
    """Stopped at the sixth step by the last process alone; then resumed from another start."""
    checkpoint = CheckpointStore(out / "checkpoint.h5")
    if _stops(group, checkpoint, "fused"):
        (out / f"stopped-{group.rank}").touch()
    if group.rank == 0:
        shutil.copy(checkpoint.path, out / "stopped.h5")
    return train("fused", seed=6 + group.rank, group=group, checkpoint=checkpoint)


def _stops(group, checkpoint, case, **options):
    """Whether a training is stopped at the sixth step, as the last process alone is asked to."""
    asked = iter(range(1, STEPS))
    try:
        train(case, group=group, checkpoint=checkpoint, **options,
              should_stop=lambda: next(asked) >= 6 and group.rank == group.size - 1)  # fmt: skip
    except interruption.Interrupted:
        return True
    return False


def adamw(group=nn.ALONE, out=None):
    """Another recipe, which may stop early by inputs that only the first process looks at."""
    return train("fused-64", group=group, options=ADAMW, early_stop=nn.EarlyStop(*data(30), 1))


def adamw_resumed(group, out):
    recipe = {"options": ADAMW, "early_stop": nn.EarlyStop(*data(30), 1)}
    checkpoint = CheckpointStore(out / "adamw.h5")
    assert _stops(group, checkpoint, "fused-64", **recipe)
    return train("fused-64", seed=6 + group.rank, group=group, checkpoint=checkpoint, **recipe)


def begun_alone(group, out):
    return train("fused", seed=6, group=group, checkpoint=CheckpointStore(out / "alone.h5"))


def failing(group, out):
    """The last process finds bad input while the others wait for it."""
    if group.rank == group.size - 1:
        raise InputError("node 2", "a disk", "none")
    group.wait()


OTHERS = {
    "revised": revised,
    "resumed": resumed,
    "begun-alone": begun_alone,
    "adamw": adamw,
    "adamw-resumed": adamw_resumed,
    "failing": failing,
}

if __name__ == "__main__":
    out = Path(sys.argv[1])
    with together(None) as group:
        for case in sys.argv[2:]:
            state, loss = OTHERS[case](group, out) if case in OTHERS else train(case, group=group)
            np.savez(out / f"{case}-{group.rank}.npz", loss=loss, **state)
