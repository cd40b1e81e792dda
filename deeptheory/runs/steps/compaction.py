"""Remove from the retrained networks the filters and kernels that their masks disconnect.

An imported network may have been pruned before: the arm `as-imported` is that network, its masks are its zeros.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from deeptheory import data, nn, prune
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError, unknown_name
from deeptheory.runs import compact_files
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.steps.layer_choice import masked_layers
from deeptheory.runs.steps.retraining import stored_masks
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system import provenance

COMPARED = 100  # test inputs on which masked and compact network are compared, besides noise


@step
def compact(run: Run, arms: Sequence[str] = ()) -> None:
    """Save the compact network of every arm asked for, and store what is left of each layer.

    Completed arms are skipped; a file that is missing, damaged, or another's is made again.

    Parameters
    ----------
    run : Run
        Retrained; imported for the arm `as-imported`.
    arms : sequence of str
        By default all pruned arms, or `as-imported` before an imported network is retrained.

    Raises
    ------
    InputError
        An unknown arm, a run that is not retrained, an imported network without zeros, or a network that cannot be
        cut (`prune.compact`).
    """
    for arm in chosen_arms(run, arms):
        run.require("train" if arm == paths.AS_IMPORTED else "retrain")
        path = paths.compact_file(run.directory, arm)
        if compact_files.is_whole(run, arm):
            continue
        if path.exists():
            run.log(f"warning: {path.name} is not the file that {paths.RESULTS} records; it is made again")
        run.require_writable()
        network = retrained_network(run, arm)
        masks = masks_of_arm(run, network, arm)
        compacted = prune.compact(network, masks)
        images, _ = data.select(run.dataset, stored_splits(run), "test")
        sample = scale(images[:COMPARED])
        prune.check_agreement(prune.masked_network(network, masks), compacted, sample)
        layers = prune.compact_layers(network, masks, compacted)
        nn.save_model(path, compacted)
        tree = {
            paths.LAYERS: {layer.name: asdict(layer) for layer in layers},
            paths.SAVED_BYTES: path.stat().st_size,
            paths.SHA256: compact_files.digest(run, arm),
            paths.PROVENANCE: provenance.provenance(),
            paths.FINISHED: now(),
        }
        run.store(paths.compact_path(arm), tree)
        left, kernels = (sum(getattr(layer, of) for layer in layers) for of in ("kernels_left", "kernels"))
        run.log(f"compacted {arm}: {left} of {kernels} kernels left, written to {path.name}")


def chosen_arms(run: Run, arms: Sequence[str]) -> Sequence[str]:
    """The arms asked for, by default all pruned ones; `InputError` for one that the run does not have."""
    imported = run.has(paths.join("train", paths.IMPORT))
    known = [*run.config.prune.arms, *([paths.AS_IMPORTED] if imported else [])]
    for arm in arms:
        if arm not in known:
            raise unknown_name("--arm", arm, known)
    if imported and not run.done("retrain"):
        return arms or (paths.AS_IMPORTED,)
    return arms or run.config.prune.arms


def retrained_network(run: Run, arm: str) -> nn.Network:
    """The network of one arm as retraining left it, dense; `as-imported` is as it was imported."""
    network = trained_network(run)
    if arm != paths.AS_IMPORTED:
        network.load_state(run.read_arrays(paths.arm_path("retrain", arm, paths.STATE)))
    return network


def masks_of_arm(run: Run, network: nn.Network, arm: str) -> Mapping[str, NDArray[np.bool_]]:
    """The masks of `retrained_network`; those of `as-imported` are its zeros."""
    return _zeros(network) if arm == paths.AS_IMPORTED else retrained_masks(run, network, arm)


def retrained_masks(run: Run, network: nn.Network, arm: str) -> prune.Masks:
    """The masks at the end of retraining; in runs that do not store them, those of the step `prune`."""
    where = paths.arm_path("retrain", arm, paths.MASKS)
    if not run.has(where):
        return stored_masks(run, network, arm)
    return prune.Masks(masked_layers(run, network), run.read_arrays(where))


def _zeros(network: nn.Network) -> dict[str, NDArray[np.bool_]]:
    """Masks of all weights that are not zero, of the layers with zeros."""
    weights = {
        f"{node.name}.weight": node.layer.parameters["weight"]
        for node in network.nodes
        if isinstance(node.layer, nn.Conv2d | nn.Linear | nn.SelfAttention)
    }
    masks = {name: weight != 0 for name, weight in weights.items() if not weight.all()}
    if not masks:
        do = "measure, predict, prune and retrain the run: its arms are then compacted"
        raise InputError("weights of the imported network", "zeros, as pruning leaves them", "none", do)
    return masks
