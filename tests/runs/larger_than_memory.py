"""Run the steps up to LAST on data of GIGABYTES, nearly all of them sparse, in a process that may take less."""

import resource
import sys
from pathlib import Path

import numpy as np

from deeptheory.system import memory, process_setup

process_setup.configure(1)

from deeptheory.data.stored_images import StoredImages  # noqa: E402
from deeptheory.runs import Run, steps  # noqa: E402
from deeptheory.runs.configuration import config_from  # noqa: E402

SIDE, FEW = 32, 40
OF_ONE = 3 * SIDE**2
SEED = 1  # whose draw of three labels leaves out the last one, which is nearly all of the data


def write(directory, size):
    """Images of three labels, and a hole of black ones of a fourth."""
    rng, many = np.random.default_rng(0), size // OF_ONE
    np.save(directory / "train_labels.npy", np.r_[np.full(many, 3), np.repeat(np.arange(3), FEW)])
    with (directory / "train_images.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (many + 3 * FEW, SIDE, SIDE, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(many * OF_ONE, 1)
        for _ in range(3):
            mean = rng.integers(0, 128, (SIDE, SIDE, 3))
            file.write((mean + rng.integers(0, 128, (FEW, SIDE, SIDE, 3))).astype(np.uint8).tobytes())


def main(directory, gigabytes, last):
    size = int(float(gigabytes) * 1e9)
    write(directory, size)
    resource.setrlimit(resource.RLIMIT_AS, (memory.process_memory("VmSize") + int(0.8 * size),) * 2)
    tables = {
        "seed": SEED,
        "data": {"source": "files", "path": str(directory), "labels_used": 3, "measure_share": 0.25},
        "network": {"name": "vgg6", "width": 0.125},
        "train": {"epochs": 1, "batch": 10},
        "measure": {"bootstrap": 100},
        "prune": {"stages": ["stage4", "stage5"]},
        "retrain": {"epochs": 1, "batch": 10},
    }
    run = Run.create(directory / "run", config_from(tables), quiet=True)
    steps.chain(run, last)
    assert isinstance(run.dataset.train_images, StoredImages)
    assert len(run.dataset.train_images) == 3 * FEW
    assert memory.process_memory("VmHWM") < size


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
