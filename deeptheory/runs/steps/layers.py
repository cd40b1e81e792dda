"""The layers of a run that are masked."""

from deeptheory import nn, prune
from deeptheory.runs.run import Run


def masked_layers(run: Run, network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """The layers to be masked; refuses stages and arms that do not exist.

    Raises
    ------
    InputError
        `prune.stages` or `prune.arms` does not fit the network.
    """
    return layers_to_mask(run.config.prune, network)


def layers_to_mask(options: prune.PruneOptions, network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """The layers that options name; raises what `masked_layers` raises."""
    prune.check_arms(options.arms)
    shapes = {name: array.shape for name, array in network.parameters().items()}
    names = [stage.name for stage in network.stages]
    return prune.masked_layers(shapes, names, options.stages, options.head)
