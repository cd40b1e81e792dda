"""The stages of a model that can be measured, with the layers on which masks can act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeptheory import prune
from deeptheory.interop.torch.connections import default_stages, sizes, wiring_of
from deeptheory.interop.torch.filters import HEADS
from deeptheory.interop.torch.inputs import Pool
from deeptheory.interop.torch.live_model import LiveModel, shape_of
from deeptheory.tables import Table

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LiveStage:
    """One output of a model that can be measured.

    Attributes
    ----------
    name : str
        As `measure` takes it: of the innermost module that puts it out, with the number of the call where the
        module is called several times, "layer1.0.relu#2"; or of a layer with ":input", where no module puts out
        what this layer reads.
    kind : str
        Class of that module; "heads" where each filter is all that one head of an attention puts out.
    call : int
        1 for the first call of the module.
    shape : tuple of int
        Of the output for one input, (C, H, W), (H, W, C), (T, C) or (C,); of heads (T, C * d).
    filters, positions : int
        C and P.
    layers : tuple of str
        The layers that write these filters and read those of another stage: masks can act on them.
    """

    name: str
    kind: str
    call: int
    shape: tuple[int, ...]
    filters: int
    positions: int
    layers: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Stages(Sequence[LiveStage]):
    """The stages of a model, from the input upwards; shows itself as a table.

    Attributes
    ----------
    stages : tuple of LiveStage
    head : tuple of str
        The layer that gives the outputs, if masks can act on it.
    unmasked : dict of str
        Name of every other convolution without groups and linear layer, with the reason why no mask acts on it.
    """

    stages: tuple[LiveStage, ...]
    head: tuple[str, ...]
    unmasked: dict[str, str]

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, index: Any) -> Any:
        return self.stages[index]

    @property
    def names(self) -> list[str]:
        """Names of the stages, as `measure` takes them."""
        return [stage.name for stage in self.stages]

    @property
    def table(self) -> Table:
        """A line for every stage; below it the layers that no mask acts on, with the reason."""
        rows = [
            (
                stage.name,
                stage.kind,
                str(stage.call),
                " x ".join(map(str, stage.shape)),
                str(stage.filters),
                str(stage.positions),
                ", ".join(stage.layers),
            )
            for stage in self.stages
        ]
        if self.head:
            rows.append((prune.HEAD, "", "", "", "", "", ", ".join(self.head)))
        header = ("stage", "kind", "call", "output", "filters", "positions", "layers that masks can act on")
        notes = [f"no masks on {name}: {why}" for name, why in self.unmasked.items()]
        return Table("outputs that can be measured", header, rows, left=(0, 1, 3, 6), notes=notes)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def stages(model: "torch.nn.Module", example: Any) -> Stages:
    """List what `measure` measures of a model when it is given no names of stages.

    A stage is the last output of a layer that mixes channels before another layer reads it: behind its norm,
    activation and pooling as far as these are modules, and behind a sum that its block puts out. Outputs of other
    modules can be measured too, under their names.

    Parameters
    ----------
    model : torch.nn.Module
    example : tensor or array (n, ...), or dict or list of these
        Some inputs, of which two are followed through the model; a dictionary as the model takes it by names.

    Returns
    -------
    Stages
        A sequence of `LiveStage`; ``names`` are those for `measure`.

    Raises
    ------
    InputError
        PyTorch is not installed, it is no module that can be followed, or the inputs do not fit it.
    """
    live = LiveModel(model)
    live.pool = Pool(live.torch)
    x = live.pool.read_example(example).images
    names = default_stages(live, x)
    wiring = wiring_of(live, names, x)
    listed = []
    for name in names:
        call = live.call(name, x)
        layers = tuple(layer for layer, (_, after) in wiring.pairs.items() if after == name)
        kind = type(live.modules[call.module]).__name__
        if call.reads:
            kind = "heads" if call.filters.kind == HEADS else f"input of {kind}"
        listed.append(LiveStage(name, kind, call.number, shape_of(call), *sizes(call), layers))
    head = tuple(layer for layer, (_, after) in wiring.pairs.items() if after == prune.HEAD)
    return Stages(tuple(listed), head, wiring.unmasked)
