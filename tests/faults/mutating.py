"""Files as strangers may have made them: mutants of good ones, each read under a limit of time and memory.

    python -m tests.faults.mutating KIND FIRST LAST DIRECTORY

reads the mutants of these numbers one after the other, and prints a line for every one that is neither read nor
refused by an `InputError`. `faults_among` starts such processes, and counts their deaths as faults too.
"""

import contextlib
import faulthandler
import os
import pickle
import resource
import signal
import subprocess
import sys
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

SIZE, CHANNELS, LABELS = 16, 1, 3
MEMORY = 3 << 30  # bytes that reading one file may take
FREE = 1 << 30  # bytes that are said to be free, so that claims of more are refused
SECONDS = 10  # of processor time that one file may take
PATIENCE = 120  # seconds after which the process ends
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**63, 2**64 - 1)


def mutated(content, others, rng):
    """A copy with one change or several, of the kinds that break parsers."""
    changed = bytearray(content)
    for _ in range(int(rng.geometric(0.6))):
        if not changed:
            break
        place, length = int(rng.integers(len(changed))), int(rng.integers(1, 17))
        match int(rng.integers(8)):
            case 0:
                changed[place] ^= 1 << int(rng.integers(8))
            case 1:
                changed[place] = int(rng.integers(256))
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case 4:
                changed[place:place] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
            case 5:
                number, width = NUMBERS[rng.integers(len(NUMBERS))], int(rng.choice([1, 2, 4, 8]))
                order = "little" if rng.integers(2) else "big"
                changed[place : place + width] = (number % 256**width).to_bytes(width, order)
            case 6:
                other = others[rng.integers(len(others))]
                start = int(rng.integers(len(other)))
                changed[place : place + length] = other[start : start + length]
            case _ if rng.integers(4) == 0:
                del changed[place:]
    return bytes(changed)


def labelled_images():
    labels = np.repeat(np.arange(LABELS), 2)
    shape = (len(labels), SIZE, SIZE, CHANNELS)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), labels


def small_network(**options):
    from deeptheory import nn

    name = options.pop("name", "lenet")
    return nn.build(name, LABELS, (SIZE, SIZE, CHANNELS), 0.05, rng=np.random.default_rng(0), **options)


class Pickles:
    """The python form of CIFAR-100, of every protocol that has it."""

    def __init__(self, directory):
        self.directory = directory
        names = {b"fine_label_names": [b"apple", b"bear", b"cup"], b"coarse_label_names": [b"food"]}
        content = {
            b"filenames": [b"a.png", b"b.png"],
            b"batch_label": b"training batch 1 of 1",
            b"fine_labels": [0, 2],
            b"coarse_labels": [1, 0],
            b"data": np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8),
        }
        self.seeds = [pickle.dumps(content, protocol) for protocol in (3, 4)]
        self.seeds.append(self.seeds[0].replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        others = {b"data": np.zeros(2, [("a", "u1"), ("b", "<f4")]), b"fine_labels": [0, 1]}
        self.seeds += [pickle.dumps(others, 3), pickle.dumps({b"data": {1, 2}}, 4)]
        for name in ("test", "meta"):
            (directory / name).write_bytes(pickle.dumps(content if name == "test" else names, 3))

    def read(self, content):
        from deeptheory.data import read_files

        (self.directory / "train").write_bytes(content)
        read_files(self.directory)


class DataFiles:
    """Data sets in HDF5, of the format that h5py writes by default and of ours."""

    def __init__(self, directory):
        import h5py

        from deeptheory import data

        self.path, self.seeds = directory / "data.h5", []
        images, labels = labelled_images()
        dataset = data.Dataset("few", images, labels, images, labels, ("a", "b", "c"))
        data.pack(dataset, self.path)
        self.seeds.append(self.path.read_bytes())
        for options in (
            {},
            {"compression": "gzip", "shuffle": True, "fletcher32": True},
            {"compression": "lzf"},
        ):
            with h5py.File(self.path, "w") as file:
                for part in ("train", "test"):
                    file.create_dataset(f"{part}_images", data=images, **options)
                    file.create_dataset(f"{part}_labels", data=labels, **options)
                file["label_names"] = ["a", "b", "c"]
            self.seeds.append(self.path.read_bytes())

    def read(self, content):
        from deeptheory.data import read_archive

        self.path.write_bytes(content)
        _ = read_archive(self.path).fingerprint


class Archives(DataFiles):
    """The same as npz."""

    def __init__(self, directory):
        self.path, self.seeds = directory / "data.npz", []
        images, labels = labelled_images()
        for save in (np.savez, np.savez_compressed):
            names = np.array(["a", "b", "c"])
            save(self.path, train_images=images, train_labels=labels, label_names=names)
            self.seeds.append(self.path.read_bytes())


class InFile(DataFiles):
    """Data sets in HDF5 whose images stay in their file, as if they were too many for the memory."""

    def __init__(self, directory):
        from deeptheory.data import stored_array

        stored_array.COPIES = 10**12
        super().__init__(directory)


class NpyFolders:
    """The same of a folder of arrays, as bytes and as floats with the channels first."""

    def __init__(self, directory):
        from deeptheory.data import stored_array

        stored_array.COPIES = 10**12
        images, labels = labelled_images()
        np.save(directory / "labels.npy", labels)
        self.path, self.seeds = directory / "images.npy", []
        for array in (images, (images / 255).astype(np.float32).transpose(0, 3, 1, 2).copy()):
            np.save(self.path, array)
            self.seeds.append(self.path.read_bytes())

    def read(self, content):
        from deeptheory.data import read_files

        self.path.write_bytes(content)
        _ = read_files(self.path.parent).fingerprint


class Models:
    """Saved networks, dense and masked, of both formats of HDF5; those that are read compute an image."""

    def __init__(self, directory):
        import h5py

        from deeptheory import nn

        self.path, self.seeds = directory / "model.h5", []
        for network in (small_network(), small_network(name="resnet20"), small_network(name="vgg6")):
            for weight in network.parameters().values():
                weight[...] *= np.random.default_rng(1).random(weight.shape) < 0.5
            nn.save_model(self.path, network)
            self.seeds.append(self.path.read_bytes())
            with h5py.File(self.path) as file, h5py.File(directory / "old.h5", "w") as old:
                for name in file:
                    file.copy(name, old)
            self.seeds.append((directory / "old.h5").read_bytes())

    def read(self, content):
        from deeptheory import nn

        self.path.write_bytes(content)
        compute(nn.load_model(self.path))


class Onnx:
    """Networks in ONNX; those that are read compute an image."""

    def __init__(self, directory):
        from deeptheory.interop.onnx.writer import write_onnx

        self.path, self.seeds = directory / "network.onnx", []
        for network in (
            small_network(),
            small_network(name="resnet20"),
            small_network(name="efficientnet-b0"),
        ):
            write_onnx(self.path, network)
            self.seeds.append(self.path.read_bytes())

    def read(self, content):
        from deeptheory.interop.onnx.reader import read_onnx

        self.path.write_bytes(content)
        compute(read_onnx(self.path))


class Tensors:
    """Networks in safetensors, matched to their architecture; those that fit compute an image."""

    def __init__(self, directory):
        from deeptheory.interop.state.network_files import write_network

        self.path, self.seeds, self.names = directory / "network.safetensors", [], ["lenet", "resnet20"]
        for name in self.names:
            write_network(self.path, small_network(name=name))
            self.seeds.append(self.path.read_bytes())

    def read(self, content):
        from deeptheory.interop.reading import find_network

        def read(name):
            found = find_network(self.path, name, (SIZE, SIZE, CHANNELS))
            _ = found.account.text
            compute(found.network())

        self.path.write_bytes(content)
        any_of([lambda name=name: read(name) for name in self.names])


class Toml:
    """Configurations, sweeps and architectures."""

    def __init__(self, directory):
        from deeptheory.interop.state.architecture_files import write_architecture
        from deeptheory.runs.configuration import Config, to_toml

        self.path = directory / "some.toml"
        write_architecture(self.path, small_network(name="resnet20"))
        sweep = b"[sweep]\nseeds = [0, 1]\n[sweep.grid]\n'train.epochs' = [1, 2]\n"
        self.seeds = [self.path.read_bytes(), to_toml(Config()).encode(), to_toml(Config()).encode() + sweep]

    def read(self, content):
        from deeptheory.interop.state.architecture_files import read_architecture
        from deeptheory.runs.configuration import read_config
        from deeptheory.studies.sweep import expand, read_sweep

        self.path.write_bytes(content)
        readers = read_architecture, read_config, lambda path: expand(read_sweep(path))
        any_of([lambda read=read: read(self.path) for read in readers])


def any_of(calls):
    """All of these calls; the last refusal if none of them succeeds."""
    from deeptheory.errors import InputError

    refused = []
    for call in calls:
        try:
            call()
        except InputError as error:
            refused.append(error)
    if len(refused) == len(calls):
        raise refused[-1]


def compute(network):
    if np.prod(network.input_shape) <= 100_000:
        with np.errstate(all="ignore"):
            network.infer(np.zeros((1, *network.input_shape), network.dtype))


KINDS = {
    "pickles": Pickles,
    "data": DataFiles,
    "npz": Archives,
    "models": Models,
    "onnx": Onnx,
    "safetensors": Tensors,
    "toml": Toml,
    "in-file": InFile,
    "npy": NpyFolders,
}


def main(kind, first, last, directory):
    """Read the mutants of these numbers."""
    from deeptheory.errors import InputError
    from deeptheory.system import memory, process_setup

    process_setup.configure(1)
    files = KINDS[kind](Path(directory))
    memory.free_memory = lambda: FREE
    for seed in files.seeds:  # compiles what reading needs, before the limits
        with contextlib.suppress(InputError):
            files.read(seed)
    held = memory.process_memory("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    signal.signal(signal.SIGVTALRM, _too_long)
    for number in range(first, last):
        rng = np.random.default_rng([list(KINDS).index(kind), number])
        content = mutated(files.seeds[rng.integers(len(files.seeds))], files.seeds, rng)
        say(f"at {number}")
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)  # where it waits, or is in compiled code
        try:
            files.read(content)
            say("read")
        except InputError as error:
            text = str(error)
            say("refused" if "expected" in text and text.isprintable() else f"fault {text!r}")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            found = f"{type(error).__name__}: {str(error)[:200]!r}, {where.filename}:{where.lineno}"
            say(f"fault {found}")
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _too_long(*_):
    raise TimeoutError(f"more than {SECONDS} s of processor time")


def faults_among(kind, count, directory):
    """Counts of what came of the mutants 0 to `count` - 1, and a line for every fault."""
    outcomes, faults, first = Counter(), [], 0
    while first < count:
        place = directory / f"{kind}-{first}"
        place.mkdir()
        command = [sys.executable, "-m", "tests.faults.mutating", kind, str(first), str(count), str(place)]
        code, at = _followed(command, outcomes, faults, first)
        if code == 0:
            break
        faults.append(f"{kind} {at}: the process ended with {code}")
        outcomes["died"] += 1
        first = at + 1
    return outcomes, faults


def _followed(command, outcomes, faults, at):
    """Exit code of a process, and the number of the last mutant that it read."""
    root = Path(__file__).resolve().parents[2]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, cwd=root, env=environment, **streams) as process:
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "at":
                at = int(rest)
                continue
            outcomes[word] += 1
            if word == "fault":
                faults.append(f"{at}: {rest}")
    return process.returncode, at


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
