"""Cost of inference with the dense, the masked and the compact network of an arm."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory import data, nn, prune
from deeptheory.bench import energy, machine_load
from deeptheory.bench.cases import timed
from deeptheory.bench.comparison import SPREAD, ratio_interval
from deeptheory.bench.interleaving import Turns, in_turn
from deeptheory.data.augmentation import scale
from deeptheory.data.stored_images import in_memory
from deeptheory.runs import compact_files
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.steps.compaction import chosen_arms, compact, retrained_network
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths
from deeptheory.system import provenance
from deeptheory.system.memory import require_memory
from deeptheory.system.progress import Progress

DENSE, MASKED, COMPACT = SIDES = (paths.DENSE, paths.MASKED, paths.COMPACT_SIDE)
BATCHES = (1, 100)
ROUNDS = 10  # blocks of every network at every batch


@step
def cost(run: Run, arms: Sequence[str] = ()) -> None:
    """Count, time and store what inference costs: the unpruned network, the masked one and the compact one.

    Times depend on the machine and its load, so they are measured again at every call and replace stored ones.

    Parameters
    ----------
    run : Run
        Retrained; missing compact networks are made.
    arms : sequence of str
        As of `compact`; of `as-imported` the dense network is the masked one.

    Raises
    ------
    InputError
        As `compact`.
    """
    run.require_writable()
    compact(run, arms)
    images, _ = data.select(run.dataset, stored_splits(run), "test")
    inputs = scale(np.resize(in_memory(images[: max(BATCHES)]), (max(BATCHES), *images.shape[1:])))
    for arm in chosen_arms(run, arms):
        networks = {
            DENSE: retrained_network(run, arm if arm == paths.AS_IMPORTED else prune.UNPRUNED),
            MASKED: retrained_network(run, arm),
            COMPACT: compact_files.load(run, arm),
        }
        needed = max(BATCHES) * sum(network.output_bytes for network in networks.values())
        require_memory(
            f"outputs for {max(BATCHES)} images of the networks of {arm}", needed, "use smaller images"
        )
        before, look = machine_load.Load.now(), machine_load.look()
        sides = {name: _counted(network) for name, network in networks.items()}
        speedup = {}
        for batch in BATCHES:
            title = f"{run.directory.name} cost of {arm}, batch {batch}"
            turns = _timed(networks, inputs[:batch], title, run.quiet)
            for name, of_network in turns.items():
                sides[name][paths.batch_name(batch)] = _batch_costs(of_network, sides[name], batch)
            speedup[paths.batch_name(batch)] = _ratio(turns)
        shares = [look, machine_load.share_of_others(before, machine_load.Load.now())]
        tree = {
            paths.SIDES: sides,
            "speedup": speedup,
            paths.QUIET: {True: "yes", False: "no", None: "unknown"}[machine_load.is_quiet(shares)],
            paths.PROVENANCE: provenance.provenance(),
            paths.FINISHED: now(),
        }
        run.store(paths.cost_path(arm), tree)
        ratio = speedup[paths.batch_name(max(BATCHES))]["ratio"]
        run.log(f"cost of {arm}: {ratio:.2f} times as fast as the dense network")


def _counted(network: nn.Network) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.h5"
        nn.save_model(path, network)
        return {**asdict(prune.footprint_of(network)), paths.SAVED_BYTES: path.stat().st_size}


def _timed(
    networks: Mapping[str, nn.Network], inputs: np.ndarray, title: str, silent: bool
) -> dict[str, Turns]:
    def step(network: nn.Network) -> Any:
        return timed(lambda: network.infer(inputs))

    steps = {name: step(network) for name, network in networks.items()}
    with Progress(title, ROUNDS * len(steps), "block", silent) as progress:
        return in_turn(steps, ROUNDS, energy.find_counters(), progress.advance)


def _batch_costs(turns: Turns, counts: Mapping[str, Any], batch: int) -> dict[str, Any]:
    seconds = np.concatenate(turns.times.blocks)
    if turns.joules:
        joules, source = float(np.median(turns.joules)) / batch, energy.COUNTED
    else:
        joules = energy.estimated_joules(
            counts["multiply_adds"], counts["array_bytes"], counts["traffic_bytes"], batch
        )
        source = energy.ESTIMATE
    return {
        paths.LATENCY: float(np.median(seconds)),
        **dict(zip(("latency_low_s", "latency_high_s"), np.quantile(seconds, SPREAD), strict=True)),
        "calls": len(seconds),
        "images_per_s": batch / float(np.median(seconds)),
        "activation_bytes": batch * counts["activation_bytes"],
        "joules_per_image": joules,
        "energy_source": source,
    }


def _ratio(turns: Mapping[str, Turns]) -> dict[str, float]:
    """Ratio of the times of the dense and the compact network, with its interval."""
    above, below = (turns[name].times for name in (DENSE, COMPACT))
    ratio = np.median(np.concatenate(above.blocks)) / np.median(np.concatenate(below.blocks))
    low, high = ratio_interval(above, below)
    return {"ratio": float(ratio), "low": low, "high": high}
