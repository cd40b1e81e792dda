"""Layers whose channels something takes together are found node by node."""

from types import SimpleNamespace

from deeptheory.interop.torch.taken_together import Kind, taken_together

KINDS = {"conv": Kind.MIXES, "sum": Kind.FOLLOWS, "cat": Kind.CONCATENATES, "norm": Kind.TAKES_ALL}


def found(*edges):
    """What is found in a graph of nodes by name, whose first letters say their kinds."""
    nodes = {name: SimpleNamespace(module=name, inputs=[], outputs=[]) for edge in edges for name in edge}
    for before, after in edges:
        nodes[before].outputs.append(nodes[after])
        nodes[after].inputs.append(nodes[before])
    groups = taken_together(nodes.values(), lambda node: KINDS[node.module.rstrip("0123456789")])
    return [(set(of.writers), set(of.readers), of.users) for of in groups]


def test_all_layers_that_write_into_a_sum_before_a_norm_go_together():
    edges = [("conv1", "sum1"), ("conv2", "sum1"), ("sum1", "conv3"), ("sum1", "norm1"), ("norm1", "conv4")]
    assert found(*edges) == [({"conv1", "conv2"}, {"conv3", "conv4"}, ["norm1"])]


def test_a_layer_in_between_begins_channels_of_its_own():
    assert found(("conv1", "conv2"), ("conv2", "conv3")) == []
    edges = [("conv1", "conv2"), ("conv2", "sum1"), ("sum1", "norm1"), ("norm1", "conv3")]
    assert found(*edges) == [({"conv2"}, {"conv3"}, ["norm1"])]


def test_what_is_beside_it_in_a_concatenation_has_nothing_to_do_with_it():
    edges = [("conv1", "cat1"), ("conv2", "cat1"), ("conv2", "norm1"), ("cat1", "conv3"), ("norm1", "conv3")]
    assert found(*edges) == [({"conv2"}, {"conv3"}, ["norm1"])]
