"""Sources of the networks of runs: options, or the blueprint of an imported network."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.architectures import ARCHITECTURES
from deeptheory.nn.options import IMPORTED
from deeptheory.runs import network_files
from deeptheory.runs.run import Run
from deeptheory.store import paths
from deeptheory.system.memory import require_memory

DOUBLE = 8  # bytes of a number, at most


@dataclass(frozen=True)
class NetworkSource:
    """Everything that determines a network except its weights.

    Attributes
    ----------
    options : NetworkOptions
    n_labels : int
    input_shape : (H, W, C)
    blueprint : str
        Of an imported network (`blueprint`); "" for one that is built from options.
    """

    options: nn.NetworkOptions
    n_labels: int
    input_shape: tuple[int, int, int]
    blueprint: str = ""

    def fresh(self, rng: np.random.Generator) -> nn.Network:
        """The network with random initial weights.

        Raises
        ------
        InputError
            Options that do not fit together, or an imported network without its blueprint.
        """
        if self.blueprint:
            return _from_blueprint(self.blueprint, rng)
        options = self.options
        if options.content:
            return network_files.build(options.content, self.n_labels, self.input_shape, rng)
        require_trainable(options)
        return nn.build(
            options.name,
            self.n_labels,
            self.input_shape,
            width=options.width,
            rng=rng,
            **options.of_architecture,
        )


def require_trainable(options: nn.NetworkOptions) -> None:
    """Refuse the options of an imported network, which do not determine one."""
    if options.name == IMPORTED:
        do = "'deeptheory import FILE' makes a run of such a network"
        raise InputError("network.name", f"one of {', '.join(ARCHITECTURES)}", f"'{IMPORTED}'", do)


def blueprint(network: nn.Network) -> str:
    """The blueprint of a network (`nn.blueprint_of`) and the shapes of all arrays, as JSON."""
    shapes = {
        kind: {name: array.shape for name, array in getattr(network, kind)().items()}
        for kind in paths.MODEL_ARRAYS
    }
    return json.dumps({**nn.blueprint_of(network), **shapes})


def stored_blueprint(run: Run) -> str:
    """The blueprint of a run's network; "" if it is built from options, or not imported yet."""
    imported = run.config.network.name == IMPORTED
    stored = paths.join("train", paths.BLUEPRINT)
    return run.read_text(stored) if imported and run.has(stored) else ""


def imported_network(run: Run) -> nn.Network:
    """The network of an imported run with random weights; its data are not read."""
    return _from_blueprint(stored_blueprint(run), np.random.default_rng(0))


def blueprint_in(directory: Path) -> str:
    """The blueprint of the run of a directory; "" if there is no run, or no imported network."""
    return stored_blueprint(Run(directory, quiet=True)) if (directory / paths.CONFIG).is_file() else ""


def _from_blueprint(text: str, rng: np.random.Generator) -> nn.Network:
    try:
        described = json.loads(text)
        shapes = [described[kind] for kind in paths.MODEL_ARRAYS]
        numbers = sum(math.prod(map(int, shape)) for named in shapes for shape in named.values())
        require_memory("network of the run", DOUBLE * numbers, "use a smaller network")
        arrays = (
            {name: np.zeros(shape, described["dtype"]) for name, shape in named.items()} for named in shapes
        )
        network = nn.build_from_blueprint(described, *arrays)
    except InputError:
        raise
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        do = "import the network again"
        raise InputError(
            "network of the run", "a blueprint as an import stores it", str(error), do
        ) from error
    nn.reinitialise(network, rng)
    return network
