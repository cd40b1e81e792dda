import itertools

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.errors import InputError
from deeptheory.prune.criteria import synflow


def mlp(sizes=(4, 5, 3, 2), seed=0):
    """Fully connected layers with biases, which the flow must not see."""
    rng = np.random.default_rng(seed)
    stages = []
    for m, (n_in, n_out) in enumerate(itertools.pairwise(sizes[:-1]), start=1):
        layers = {"linear": nn.Linear(n_in, n_out, bias=True, rng=rng, dtype=np.float64), "relu": nn.ReLU()}
        if m == 1:
            layers = {"flatten": nn.Flatten(), **layers}
        layers["linear"].parameters["bias"] += rng.normal(size=n_out)
        stages.append(nn.Stage(f"stage{m}", layers, (n_out,)))
    head = nn.Stage(
        "head", {"linear": nn.Linear(sizes[-2], sizes[-1], rng=rng, dtype=np.float64)}, sizes[-1:]
    )
    return nn.Network(stages, head, (1, 1, sizes[0]), np.float64)


def context_of(network, granularity="weight", density=0.4, seed=0):
    names = [stage.name for stage in network.stages]
    return prune.Context(
        prune.masked_layers(network, names[1:], head=True),
        network.parameters(),
        {},
        0.5,
        np.random.default_rng(seed),
        granularity=granularity,
        density=density,
        network=network,
        inputs=(np.zeros((1, *network.input_shape), np.uint8), np.zeros(1, int)),
    )


def flows_over_paths(weights):
    """Sum over all paths of the product of the absolute weights, for every weight of every layer."""
    found = [np.zeros(weight.shape) for weight in weights]
    sizes = [weights[0].shape[1], *(len(weight) for weight in weights)]
    for path in itertools.product(*(range(size) for size in sizes)):
        steps = list(zip(path[1:], path[:-1], strict=True))
        product = np.prod([abs(weight[step]) for weight, step in zip(weights, steps, strict=True)])
        for flow, step in zip(found, steps, strict=True):
            flow[step] += product
    return found


def test_flow_is_the_sum_over_the_paths_through_a_weight():
    network = mlp()
    names = [name for name in network.parameters() if name.endswith("weight")]
    found = synflow.synaptic_flow(synflow.linearised(network), names)
    for name, expected in zip(names, flows_over_paths([network.parameters()[n] for n in names]), strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)


def test_flow_is_conserved_through_batch_norms_with_positive_slopes(tiny_context):
    network = tiny_context().network
    network.parameters()["stage2.norm.weight"] = network.parameters()["stage2.norm.weight"] * [1, -1, 1, -1]
    names = [name for name in network.parameters() if name.endswith(("conv.weight", "linear.weight"))]
    flow = synflow.linearised(network)
    totals = [array.sum() for array in synflow.synaptic_flow(flow, names).values()]
    assert totals == pytest.approx([float(flow.forward(np.ones((1, 4, 4, 2)))[0].sum())] * 3)
    norm = flow.parameters()["stage2.norm.weight"], flow.buffers()["stage2.norm.running_var"]
    slopes = norm[0] / np.sqrt(norm[1] + 1e-5)
    # halving one filter's slope halves the flow through that filter and its weights in the head
    before = synflow.synaptic_flow(flow, names)[names[1]][0].sum()
    flow.parameters()["stage2.norm.weight"] = norm[0] * [0.5, 1, 1, 1]
    assert synflow.synaptic_flow(flow, names)[names[1]][0].sum() == pytest.approx(before / 2)
    assert (slopes > 0).all()


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
@pytest.mark.parametrize("density", [0.5, 0.25])
def test_the_mask_is_that_of_the_rounds_by_hand(granularity, density, monkeypatch):
    monkeypatch.setattr(synflow, "ROUNDS", 7)
    here = context_of(mlp((2, 6, 8, 5, 3)), granularity, density)
    arm = prune.prune_arm("synflow", here, density)
    every = [name for name in here.network.parameters() if name.endswith("weight")]
    weights = {name: np.abs(here.network.parameters()[name]) for name in every}
    masks = {layer.weight: np.ones(layer.shape, bool) for layer in here.layers}
    gone = {layer.weight: np.zeros(layer.units(granularity), bool) for layer in here.units}
    total = sum(layer.size for layer in here.layers)
    for k in range(1, synflow.ROUNDS + 1):
        current = [weights[name] * masks.get(name, True) for name in every]
        flows = dict(zip(every, flows_over_paths(current), strict=True))
        ranked = sorted(
            (layer.summed(flows[layer.weight], granularity)[place], layer.weight, place)
            for layer in here.units
            for place in np.ndindex(layer.units(granularity))
            if not gone[layer.weight][place]
        )
        wanted = density ** (k / synflow.ROUNDS)
        # remove one unit after the other as long as that comes nearer to the density
        for _, name, place in ranked:
            fewer = {key: value.copy() for key, value in gone.items()}
            fewer[name][place] = True
            kept = {key: ~value for key, value in fewer.items()}
            tried = prune.masks_of_units(here.layers, kept, granularity)
            left = sum(int(mask.sum()) for mask in masks.values()) / total
            if abs(tried.total_density - wanted) >= abs(left - wanted):
                break
            gone, masks = fewer, dict(tried)
    # where nothing flows any more, ties are broken at random
    flows = dict(zip(every, flows_over_paths([weights[n] * masks.get(n, True) for n in every]), strict=True))
    for name in masks:
        assert ((arm.masks[name] & (flows[name] > 0)) == (masks[name] & (flows[name] > 0))).all()
        assert (flows[name] > 0).any()
    assert sum(arm.masks.kept().values()) == sum(int(mask.sum()) for mask in masks.values())


def test_a_density_is_needed(tiny_context):
    with pytest.raises(
        InputError, match=r"criterion 'synflow': expected a density, found none; set prune\.density"
    ):
        prune.scores_for("synflow", tiny_context())


def test_no_layer_is_lost_where_magnitude_loses_one():
    network = mlp((4, 6, 8, 5, 3))
    network.parameters()["stage2.linear.weight"] = network.parameters()["stage2.linear.weight"] * 1e-3
    here = context_of(network, density=0.25)
    assert min(prune.masks_for("synflow", here, 0.25).densities().values()) > 0
    assert min(prune.masks_for("magnitude-global", here, 0.25).densities().values()) == 0
