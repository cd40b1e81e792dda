"""Channels of a PyTorch model that can only be removed together, as Torch-Pruning finds them."""

import contextlib
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.interop.optional_packages import needed
from deeptheory.interop.torch.head_removal import Attention
from deeptheory.interop.torch.live_model import LiveModel
from deeptheory.interop.torch.taken_together import Kind, taken_together

if TYPE_CHECKING:
    import torch

Places = dict[int, list[int]]  # of every channel of a group: its rows or columns in a layer
EXTRA = "compact"
PARTS_OF_HEADS = "they are parts of heads, which go as a whole"


@dataclass(frozen=True)
class Group:
    """Channels that several layers share, by sums, concatenations or one after another.

    Attributes
    ----------
    root : torch.nn.Module
        The layer whose outputs they are numbered by.
    n : int
        Their number.
    writers, followers, readers : dict of Places
        By name: layers whose filters they are; batch norms and depthwise convolutions, which act on each alone;
        layers that read them. A layer may be in more than one.
    uncut : str
        Why they cannot be removed, or "".
    """

    root: "torch.nn.Module"
    n: int
    writers: dict[str, Places]
    followers: dict[str, Places]
    readers: dict[str, Places]
    uncut: str

    def score(self, scores: Mapping[str, NDArray[Any]]) -> NDArray[np.float64] | None:
        """Mean score of every channel over the layers that write it; None where no layer has scores.

        Parameters
        ----------
        scores : mapping of str to array (n_out, ...)
            By name of a weight; higher = keep. What belongs to one filter is averaged.
        """
        total, count = np.zeros(self.n), np.zeros(self.n)
        for name, places in self.writers.items():
            means = filter_scores(scores, name)
            if means is None:
                continue
            for channel, rows in places.items():
                total[channel] += means[rows].mean()
                count[channel] += 1
        # what no layer with scores writes stays, as may be in one part of a concatenation
        return np.where(count > 0, total / np.maximum(count, 1), np.inf) if count.any() else None


@contextlib.contextmanager
def _uncached(model: Any) -> Iterator[None]:
    """Within the block a model of transformers keeps no keys and values, whose tracing fails."""
    config: Any = getattr(model, "config", None)
    if not getattr(config, "use_cache", False):
        yield
        return
    config.use_cache = False
    try:
        yield
    finally:
        config.use_cache = True


def filter_scores(scores: Mapping[str, NDArray[Any]], module: str) -> NDArray[np.float64] | None:
    """The score of every filter of a layer, the mean over its kernels or weights."""
    of_layer = scores.get(f"{module}.weight")
    if of_layer is None:
        return None
    means: NDArray[np.float64] = np.asarray(of_layer, np.float64).reshape(len(of_layer), -1).mean(axis=1)
    return means


class ChannelGroups:
    """The groups of a model.

    Parameters
    ----------
    live : LiveModel
        In evaluation mode; its parameters are not masked and need gradients, through which they are traced.
    x : tensor (n, ...)
        Inputs of the model.
    heads : sequence of Attention
        Those of the model, whose layers are left to `head_removal`.

    Raises
    ------
    InputError
        Torch-Pruning is not installed, or cannot trace the model.
    """

    def __init__(self, live: LiveModel, x: Any, heads: Sequence[Attention]) -> None:
        self.live, self._pruning = live, needed("torch_pruning", EXTRA)
        self._names = {id(module): name for name, module in live.modules.items()}
        self._of_heads = {name: of.uncut for of in heads for name in (of.reader, *of.writers)}
        try:
            with warnings.catch_warnings(), _uncached(live.model):
                warnings.simplefilter("ignore")
                graph = self._pruning.DependencyGraph()
                self._graph = graph.build_dependency(live.model, x, output_transform=self._differentiable)
                whole = self._taken_together()
                alone = [self.live.modules[name] for of in whole for name in of.writers]
                followed = self._graph.get_all_groups(ignored_layers=alone)
                self.groups = [*map(self._group, followed), *whole]
        except Exception as failure:  # of whatever the forward pass contains
            reason = str(failure).partition("\n")[0]
            found = f"one that it cannot trace: {type(failure).__name__} {reason}"
            raise InputError("model", "one whose channels Torch-Pruning can follow", found) from failure

    def cut(self, group: Group, channels: list[int]) -> None:
        """Remove channels of a group from all layers of the model."""
        prune = self._pruning.prune_linear_out_channels
        if not isinstance(group.root, self.live.torch.nn.Linear):
            prune = self._pruning.prune_conv_out_channels
        self._graph.get_pruning_group(group.root, prune, idxs=channels).prune()

    def _taken_together(self) -> list[Group]:
        """Groups that a layer norm or the like uses together, whose channels need not be followed."""
        groups = []
        for found in taken_together(self._graph.module2node.values(), self._kind):
            writers, readers = (
                {self._names[id(module)]: dict[int, list[int]]() for module in side}
                for side in (found.writers, found.readers)
            )
            root = found.writers[0]
            groups.append(Group(root, len(root.weight), writers, {}, readers, self._used_by(found.users[0])))
        return groups

    def _kind(self, node: Any) -> Kind:
        if node.type == self._pruning.ops.OPTYPE.CONCAT:
            return Kind.CONCATENATES
        if id(node.module) not in self._names or self._follows(node.module):
            return Kind.FOLLOWS
        return Kind.MIXES if self.live.mixes(node.module) else Kind.TAKES_ALL

    def _follows(self, module: Any) -> bool:
        """Whether a module acts on every channel alone."""
        tn = self.live.torch.nn
        depthwise = isinstance(module, tn.Conv1d | tn.Conv2d) and module.groups == module.in_channels > 1
        return depthwise or isinstance(module, tn.modules.batchnorm._BatchNorm)

    def _used_by(self, module: Any) -> str:
        return f"'{self._names[id(module)]}', a {type(module).__name__}, uses all of them together"

    def _differentiable(self, output: Any) -> list[Any]:
        """The tensors that gradients go back from, of a tuple or `ModelOutput` with whatever else is in it."""
        leaves = self.live.torch.utils._pytree.tree_leaves(output)
        return [leaf for leaf in leaves if getattr(leaf, "grad_fn", None) is not None]

    def _group(self, found: Any) -> Group:
        tn, uncut = self.live.torch.nn, ""
        parts: dict[str, dict[str, Places]] = {"writers": {}, "followers": {}, "readers": {}}
        for item in found:
            module = item.dep.target.module
            name = self._names.get(id(module))
            places: Places = defaultdict(list)
            for channel, place in zip(item.root_idxs, item.idxs, strict=True):
                places[channel].append(place)
            if name is None:
                if getattr(module, "offsets", ()) is None or isinstance(module, tn.Parameter):
                    uncut = "Torch-Pruning does not follow where they go"
            elif self.live.mixes(module):
                reads = "prune_in" in item.dep.handler.__name__
                parts["readers" if reads else "writers"][name] = places
            elif self._follows(module):
                parts["followers"][name] = places
            else:
                uncut = self._used_by(module)
        if not parts["readers"]:
            uncut = "they are outputs of the model"
        of_heads = self._of_heads.keys() & (parts["writers"].keys() | parts["readers"].keys())
        if of_heads and not uncut:
            uncut = next(iter(sorted(filter(None, map(self._of_heads.get, of_heads)))), "") or PARTS_OF_HEADS
        return Group(found[0].dep.target.module, len(found[0].idxs), **parts, uncut=uncut)
