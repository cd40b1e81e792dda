"""Which rows of the layers of queries, keys and values belong to which head, found by changing their outputs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.interop.torch.axes import Place
from deeptheory.interop.torch.layers import is_transposed
from deeptheory.interop.torch.live_model import LiveModel, filters_last
from deeptheory.interop.torch.tracing import Call

STRAY = 1e-3  # of the change of a head, that of others by rounding


def outer_of_heads(live: LiveModel, layer: str, heads: Call, x: NDArray[np.float32]) -> int:
    """How many blocks of all heads the outputs of a layer are: 3 for queries, keys and values in one layer.

    Parameters
    ----------
    live : LiveModel
    layer : str
        Of queries, keys or values, or of all three.
    heads : Call
        Where the outputs of the heads are.
    x : float array (n, ...)
        Inputs, of which the first two are used.

    Returns
    -------
    int
        0 where neither order of its outputs is that of the heads: changing those of one head then changes others.
    """
    known = live.head_rows.get((layer, heads.output))
    if known is None:
        known = live.head_rows[layer, heads.output] = _tried(live, layer, heads, x)
    return known


def _tried(live: LiveModel, layer: str, heads: Call, x: NDArray[np.float32]) -> int:
    n_heads, module = heads.filters.n, live.modules[layer]
    n_rows = module.weight.shape[1 if is_transposed(module) else 0]
    name, two = live.traced(x).label(heads), np.ascontiguousarray(np.resize(x, (2, *x.shape[1:])))
    expected = _outputs(live, name, two)
    for outer in (1, 3, 2):
        if n_rows % (outer * n_heads):
            continue
        changed = _outputs(live, name, two, layer, Place(-1, n_heads, outer))
        moved = np.abs(changed - expected).reshape(-1, n_heads).max(axis=0)
        if moved[:-1].max(initial=0) < STRAY * moved[-1]:
            return outer
    return 0


def _outputs(
    live: LiveModel, stage: str, x: NDArray[np.float32], layer: str = "", change: Place | None = None
) -> NDArray[np.float32]:
    """The outputs of heads; those of the layer that belong to the last head are changed on the way."""
    found = list[Any]()

    def add(module: Any, given: Any, output: Any) -> Any:
        assert change is not None
        output = output.clone()
        pieces = output.view(*output.shape[:-1], change.outer, change.n, -1)
        pieces[..., -1, :] *= -2  # not a sum: softmax does not see a sum to all keys
        return output

    call = live.call(stage, x)

    def look(module: Any, given: Any) -> None:
        found.append(filters_last(given[0].detach().float().cpu().numpy().copy(), call, len(x)))

    after = {layer: add} if layer else {}
    with live.hooked(after, {call.module: look}):
        live.outputs(x)
    array: NDArray[np.float32] = found[call.number - 1]
    return array
