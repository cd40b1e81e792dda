"""Remove from the retrained networks the filters and kernels that their masks disconnect."""

from collections.abc import Sequence
from dataclasses import asdict

from deeptheory import data, nn, prune
from deeptheory.data.augmentation import scale
from deeptheory.errors import unknown_name
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

    Completed arms are skipped.

    Parameters
    ----------
    run : Run
        Retrained.
    arms : sequence of str
        All pruned arms by default.

    Raises
    ------
    InputError
        An unknown arm, a run that is not retrained, or a network that cannot be cut (`prune.compact`).
    """
    run.require("retrain")
    for arm in chosen_arms(run, arms):
        path = paths.compact_file(run.directory, arm)
        if run.has(paths.compact_path(arm, paths.FINISHED)) and path.exists():
            continue
        run.require_writable()
        network = retrained_network(run, arm)
        masks = retrained_masks(run, network, arm)
        compacted = prune.compact(network, masks)
        images, _ = data.select(run.dataset, stored_splits(run), "test")
        sample = scale(images[:COMPARED])
        prune.check_agreement(prune.masked_network(network, masks), compacted, sample)
        layers = prune.compact_layers(network, masks, compacted)
        nn.save_model(path, compacted)
        tree = {
            paths.LAYERS: {layer.name: asdict(layer) for layer in layers},
            paths.SAVED_BYTES: path.stat().st_size,
            paths.PROVENANCE: provenance.provenance(),
            paths.FINISHED: now(),
        }
        run.store(paths.compact_path(arm), tree)
        left, kernels = (sum(getattr(layer, of) for layer in layers) for of in ("kernels_left", "kernels"))
        run.log(f"compacted {arm}: {left} of {kernels} kernels left, written to {path.name}")


def chosen_arms(run: Run, arms: Sequence[str]) -> Sequence[str]:
    """The arms asked for, all pruned ones by default; `InputError` for one that the run does not have."""
    for arm in arms:
        if arm not in run.config.prune.arms:
            raise unknown_name("--arm", arm, run.config.prune.arms)
    return arms or run.config.prune.arms


def retrained_network(run: Run, arm: str) -> nn.Network:
    """The network of one arm as retraining left it, dense."""
    network = trained_network(run)
    network.load_state(run.read_arrays(paths.arm_path("retrain", arm, paths.STATE)))
    return network


def retrained_masks(run: Run, network: nn.Network, arm: str) -> prune.Masks:
    """The masks at the end of retraining; in runs that do not store them, those of the step `prune`."""
    where = paths.arm_path("retrain", arm, paths.MASKS)
    if not run.has(where):
        return stored_masks(run, network, arm)
    return prune.Masks(masked_layers(run, network), run.read_arrays(where))
