"""The comparisons, and their inputs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.options import Options

Step = Callable[[], float]  # computes, and returns the seconds that it took
N_LABELS = 100
SEED = 0  # of the inputs, the initial weights and the probes: both sides compute the same numbers
MOMENTUM, L2, RATE = 0.9, 5e-4, 0.01  # of the optimiser


class Setting(Options, frozen=True):
    """The network, its inputs and the threads of every side."""

    network: Annotated[str, Meta(description="network by name")] = "vgg11-10conv"
    width: Annotated[float, Meta(gt=0, description="factor on the number of filters")] = 1.0
    size: Annotated[int, Meta(ge=1, description="side of an image in pixels")] = 32
    channels: Annotated[int, Meta(ge=1, description="channels of an image")] = 3
    batch: Annotated[int, Meta(ge=1, description="inputs per step")] = 100
    images: Annotated[int, Meta(ge=1, description="inputs that are measured (measure)")] = 10_000
    threads: Annotated[int, Meta(ge=1, description="threads of every side")] = 1
    density: Annotated[float, Meta(gt=0, le=1, description="share of the weights kept (compact)")] = 0.25
    granularity: Annotated[
        Literal["kernel", "filter"], Meta(description="what is removed as one (compact)")
    ] = "filter"
    model: Annotated[str, Meta(description="file of a compact network; empty: random masks (compact)")] = ""

    def __str__(self) -> str:
        return (
            f"{self.network} width {self.width:g}, {self.size}x{self.size}x{self.channels}, batch {self.batch}, "
            f"float32, {self.threads} thread{'s' * (self.threads > 1)}"
        )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.size, self.size, self.channels

    @property
    def reference_images(self) -> int:
        """Inputs of the reference procedure, whose time is scaled to `images`: a tenth, one per label at least."""
        return min(self.images, max(N_LABELS, self.images // 10))


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The task of one process: the function `step` of the module `module`; the rest as in `Side`."""

    module: str
    step: str
    setting: Setting
    memory_format: str = ""
    precision: str = "float32"
    compiled: bool = False
    network_file: str = ""  # the network in PyTorch's format


@dataclass(frozen=True)
class Side:
    """One process of a comparison.

    Attributes
    ----------
    module, step : str
        The function that makes its step.
    memory_format : str
        Of PyTorch's arrays.
    precision : str
        "float32", or "bfloat16" where PyTorch computes products in it.
    compiled : bool
        Whether PyTorch compiles the step (torch.compile).
    """

    module: str
    step: str
    memory_format: str = ""
    precision: str = "float32"
    compiled: bool = False


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes
    ----------
    title : str
    ours : Side
    rivals : dict of Side
        By name; the best of each precision counts.
    is_raced : bool
        Whether the rivals, then compiled too, race before, and only the best of each precision are timed in turn.
    beside : dict of Side
        Other steps of ours that are timed as well.
    passes : int
        Multiply-adds of a step in units of those of one inference pass.
    rounds : int
        Blocks of steps of every side, by default.
    of_all_images : bool
        Whether a step takes `Setting.images` inputs instead of a batch, and needs the network truncated after
        every stage.
    of_memory : bool
        Whether peak memory is compared instead of seconds.
    of_compact : bool
        Whether our side computes a compact network, the others the dense one.
    """

    title: str
    ours: Side
    rivals: dict[str, Side]
    beside: dict[str, Side]
    passes: int
    rounds: int = 10
    is_raced: bool = False
    of_all_images: bool = False
    of_memory: bool = False
    of_compact: bool = False


OURS, THEIRS = "deeptheory.bench.engine_steps", "deeptheory.bench.torch_steps"
FORMATS = {"torch": "contiguous_format", "torch channels last": "channels_last"}
PRECISIONS = ("float32", "bfloat16")


def fastest(sides: Mapping[str, "Side"], values: Mapping[str, float]) -> dict[str, str]:
    """By precision, the side with the smallest value; a precision that none has is left out."""
    names = {
        precision: [name for name in values if name in sides and sides[name].precision == precision]
        for precision in PRECISIONS
    }
    return {precision: min(found, key=values.__getitem__) for precision, found in names.items() if found}


def _rivals(step: str, precisions: tuple[str, ...] = ("float32",), suffix: str = "") -> dict[str, Side]:
    return {
        name + f" {precision}" * (precision != "float32") + suffix: Side(
            THEIRS, step, memory_format, precision
        )
        for precision in precisions
        for name, memory_format in FORMATS.items()
    }


CASES = {
    "train-step": Case(
        "training step",
        Side(OURS, "train_step"),
        _rivals("train_step", PRECISIONS),
        {},
        passes=3,
        is_raced=True,
    ),
    "inference": Case(
        "inference",
        Side(OURS, "inference"),
        _rivals("folded_inference", PRECISIONS, ", batch norm folded"),
        {},
        passes=1,
        is_raced=True,
    ),
    "compact": Case(
        "inference of a compact network",
        Side(OURS, "compact_inference"),
        _rivals("folded_inference", PRECISIONS, ", dense, batch norm folded"),
        {"dense network": Side(OURS, "inference")},
        passes=1,
        is_raced=True,
        of_compact=True,
    ),
    "measure": Case(
        "measuring all stages",
        Side(OURS, "measure"),
        _rivals("measure"),
        {"inference pass": Side(OURS, "inference_pass")},
        passes=1,
        rounds=3,
        of_all_images=True,
    ),
    "memory": Case(
        "peak memory of a training step",
        Side(OURS, "train_step"),
        _rivals("train_step"),
        {},
        passes=3,
        rounds=3,
        of_memory=True,
    ),
}


def timed(compute: Callable[[], object]) -> Step:
    """A step whose seconds are those of one call of `compute`."""

    def step() -> float:
        started = time.perf_counter()
        compute()
        return time.perf_counter() - started

    return step


def batch_of(setting: Setting) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images (N, H, W, C) of white noise and labels (N,)."""
    rng = np.random.default_rng(SEED)
    images = rng.standard_normal((setting.batch, *setting.input_shape), np.float32)
    return images, rng.integers(0, N_LABELS, setting.batch)


def grey_images(setting: Setting) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All inputs that are measured, uint8 (N, H, W, C), and labels (N,), each label equally often."""
    if setting.images < N_LABELS:
        raise InputError("images", f"at least {N_LABELS}, one per label", str(setting.images))
    rng = np.random.default_rng(SEED)
    images = rng.integers(0, 256, (setting.images, *setting.input_shape), np.uint8)
    return images, np.arange(setting.images) % N_LABELS


def random_probe(n_filters: int, n_positions: int) -> NDArray[np.float32]:
    """Weights of a probe (K, C, P); only the time of the search for clusters, a small part, depends on them."""
    rng = np.random.default_rng(SEED)
    return rng.standard_normal((N_LABELS, n_filters, n_positions), np.float32)
