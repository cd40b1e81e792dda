"""Run one comparison and compute its numbers."""

import contextlib
import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deeptheory.bench import machine_load
from deeptheory.bench.alternation import Times, alternate
from deeptheory.bench.cases import CASES, OURS, Case, Setting, Side, Task, fastest
from deeptheory.bench.race import race
from deeptheory.errors import InputError, unknown_name
from deeptheory.system import process_setup, provenance
from deeptheory.system.progress import Progress

SPREAD = (0.1, 0.9)  # quantiles of the seconds per step
LEVEL, RESAMPLINGS = 0.95, 2000  # of the interval of the ratio


def compare(
    case: str,
    setting: Setting,
    against: str | None = None,
    rounds: int | None = None,
    command: str = "",
    silent: bool = False,
) -> dict[str, Any]:
    """Time one case: our side and a rival in turn.

    Parameters
    ----------
    case : str
        One of `CASES`.
    setting : Setting
    against : "torch" or "torch-eager", optional
        The rival, with or without torch.compile, which takes minutes; by default ours is timed alone. Training
        steps and inference race in float32 and bfloat16, in both memory formats, and the faster format compiled;
        the winner of each precision then takes turns with ours.
    rounds : int, optional
        Blocks of steps of every side; by default the case's own number.
    command : str
        The command that repeats this, which the result records.
    silent : bool
        Show no progress on standard error.

    Returns
    -------
    dict
        ``ours_s``, ``torch_s``: median seconds per step; ``ratio``: best float32 torch/ours, of the medians, or
        of the peak memory in the case "memory": above 1 ours is better; ``ratio_interval``: 95 %, resampling
        whole rounds; ``bfloat16_ratio``, ``bfloat16_ratio_interval``: the same against its best in bfloat16, ours
        in float32; ``race``: seconds of every form of PyTorch, one block each; ``race_left_out``: what was not
        tried; ``gflops``: useful arithmetic of ours per second, counted as direct convolutions;
        ``peak_bytes``, ``torch_peak_bytes``: largest resident size of the process; ``spread``: 10 % and 90 %
        quantiles; ``sides``: all timed sides; ``quiet``: whether other programs used hardly any processor time.

    Raises
    ------
    InputError
        Unknown case or network, a setting that does not fit, or PyTorch is asked for and not installed.
    """
    if case not in CASES:
        raise unknown_name("case", case, CASES)
    chosen = CASES[case]
    if against:
        require_torch()
    process_setup.configure(setting.threads)
    sides = {"ours": chosen.ours, **chosen.beside}
    before, look = machine_load.Load.now(), machine_load.look()
    machine_load.is_quiet([look])
    with tempfile.TemporaryDirectory() as directory:
        networks = Path(directory) / "networks.pt"
        multiply_adds = _describe(setting, chosen, networks if against else None)
        rivals, raced = chosen.rivals if against else {}, dict[str, Any]()
        if rivals and chosen.is_raced:
            with Progress(f"{case}, forms of PyTorch", len(rivals) + 2, "form", silent) as progress:
                outcome = race(
                    rivals, lambda side: _task(side, setting, networks), against == "torch", progress.advance
                )
            rivals, raced = outcome.finalists, {"race": outcome.seconds, "race_left_out": outcome.left_out}
        tasks = {name: _task(side, setting, networks) for name, side in (sides | rivals).items()}
        if chosen.of_memory:
            # Our first process may have to compile, which takes memory that later ones do not need.
            alternate({"ours": tasks["ours"]}, 1, lambda done: None)
        turns = rounds or chosen.rounds
        with Progress(case, turns * len(tasks), "block", silent) as progress:
            times = alternate(tasks, turns, progress.advance)
    shares = [look, machine_load.share_of_others(before, machine_load.Load.now())]
    return {
        "case": case,
        "what": _what(chosen, setting, against),
        "setting": msgspec.structs.asdict(setting),
        **numbers_of(chosen, times, setting, multiply_adds, rivals),
        **raced,
        **({"multiply_adds_share": multiply_adds / _dense(setting)} if chosen.of_compact else {}),
        "quiet": machine_load.is_quiet(shares),
        "others_share": shares[1],
        **provenance_of(command),
    }


def require_torch() -> None:
    """Raise if PyTorch is not installed, or not whole."""
    do = "install it: pip install 'deeptheory[torch]'"
    if importlib.util.find_spec("torch") is None:
        raise InputError("--against torch", "PyTorch", "none installed", do)
    try:
        importlib.import_module("torch.fx")
    except (ImportError, OSError) as failure:  # a library that does not load, or another module of this name
        found = f"one that cannot be imported ({failure})"
        raise InputError("--against torch", "PyTorch", found, do) from failure


def provenance_of(command: str) -> dict[str, Any]:
    """Where a result comes from: versions, PyTorch's where it is installed; the machine; the command."""
    machine = provenance.provenance()
    versions = {"python": machine.pop("python"), **machine.pop("packages")}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["torch"] = importlib.metadata.version("torch")
    return {"versions": versions, "machine": machine, "command": command}


def numbers_of(
    case: Case, times: Mapping[str, Times], setting: Setting, multiply_adds: int, rivals: Mapping[str, Side]
) -> dict[str, Any]:
    """The numbers of a comparison, from the times of its sides.

    Parameters
    ----------
    case : Case
    times : mapping of str to Times
        "ours", and the rivals and other timed steps by their names.
    setting : Setting
    multiply_adds : int
        Of one input in one inference pass.
    rivals : mapping of str to Side
        Those that were timed, by name.
    """
    sides = {name: _side_numbers(side_times) for name, side_times in times.items()}
    key = "peak_bytes" if case.of_memory else "median_s"
    best_rivals = fastest(rivals, {name: side[key] for name, side in sides.items()})
    best, best_in_bfloat16 = best_rivals.get("float32"), best_rivals.get("bfloat16")
    ours, theirs = sides["ours"], sides[best] if best else None
    inputs = setting.images if case.of_all_images else setting.batch
    result = {
        "ours_s": ours["median_s"],
        "torch_s": theirs and theirs["median_s"],
        "ratio": theirs and theirs[key] / ours[key],
        "ratio_interval": None
        if best is None or case.of_memory
        else ratio_interval(times[best], times["ours"]),
        "best_rival": best,
        "gflops": 2e-9 * multiply_adds * case.passes * inputs / ours["median_s"],
        "peak_bytes": ours["peak_bytes"],
        "torch_peak_bytes": theirs and theirs["peak_bytes"],
        "spread": {name: side["spread_s"] for name, side in sides.items()},
    }
    if best_in_bfloat16:
        result |= {
            "best_bfloat16_rival": best_in_bfloat16,
            "bfloat16_ratio": sides[best_in_bfloat16][key] / ours[key],
            "bfloat16_ratio_interval": ratio_interval(times[best_in_bfloat16], times["ours"]),
        }
    if case.beside:
        result |= {
            f"in_units_of_{name.replace(' ', '_')}": ours[key] / sides[name][key] for name in case.beside
        }
    return {**result, "sides": sides}


def ratio_interval(above: Times, below: Times) -> tuple[float, float]:
    """Bootstrap interval of the ratio of medians; whole rounds are drawn, with the blocks of both sides."""
    blocks = np.array([[np.median(block) for block in side.blocks] for side in (above, below)])  # (2, rounds)
    drawn = np.random.default_rng(0).integers(blocks.shape[1], size=(RESAMPLINGS, blocks.shape[1]))
    medians: NDArray[np.float64] = np.median(blocks[:, drawn], axis=2)
    low, high = np.quantile(medians[0] / medians[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _what(case: Case, setting: Setting, against: str | None) -> str:
    what = f"{case.title}, {setting}"
    if case.of_all_images:
        what += f", {setting.images} images"
        what += f" (PyTorch: {setting.reference_images}, scaled)" if against else ""
    if case.of_compact:
        what += f", {setting.model or f'{setting.granularity}s at density {setting.density:g}'}"
    return what


def _side_numbers(times: Times) -> dict[str, Any]:
    seconds = np.concatenate(times.blocks)
    return {
        "median_s": float(np.median(seconds)),
        "spread_s": [float(quantile) for quantile in np.quantile(seconds, SPREAD)],
        "steps": len(seconds),
        "peak_bytes": times.peak,
        "peak_above_imports_bytes": None
        if times.peak is None or times.imported is None
        else times.peak - times.imported,
    }


def _task(side: Side, setting: Setting, networks: Path) -> Task:
    network_file = "" if side.module == OURS else str(networks)
    return Task(
        module=side.module,
        step=side.step,
        setting=setting,
        memory_format=side.memory_format,
        precision=side.precision,
        compiled=side.compiled,
        network_file=network_file,
    )


def _describe(setting: Setting, case: Case, networks: Path | None) -> int:
    """Multiply-adds of one input; writes the network for PyTorch to the file `networks`, if given."""
    from deeptheory.bench import engine_steps

    network = engine_steps.build(setting)
    if networks:
        import torch

        from deeptheory.bench.torch_networks import torch_twin

        if case.of_all_images:
            cut = {stage.name: torch_twin(network, stage.name) for stage in network.stages}
            twin: torch.nn.Module = torch.nn.ModuleDict(cut)
        else:
            twin = torch_twin(network)
        torch.save(twin, networks)
    computed = engine_steps.compacted(setting) if case.of_compact else network
    return sum(computed.multiply_adds().values())


def _dense(setting: Setting) -> int:
    from deeptheory.bench import engine_steps

    return sum(engine_steps.build(setting).multiply_adds().values())
