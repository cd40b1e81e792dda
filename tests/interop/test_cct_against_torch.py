"""A compact transformer that PyTorch has trained, imported and sent back."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.interop.import_account import shape_of
from deeptheory.interop.reading import find_network
from deeptheory.interop.state.cct import from_rows, to_rows
from deeptheory.interop.state.going_back import Origin, tensors_back

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch_models")
cct = pytest.importorskip("tests.interop.torch_cct")
from deeptheory.interop import torch as live  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
TOLERANCE, SIZE = 1e-4, 16
SIZES = {  # by the architecture
    "cct_7": {"channels": 32, "heads": 4, "hidden": 64, "blocks": 2, "n_layers": 1, "kernel": 3},
    "cct_2": {"channels": 24, "heads": 2, "hidden": 24, "blocks": 1, "n_layers": 2, "kernel": 7},
    "cct-8-heads": {"channels": 32, "heads": 8, "hidden": 32, "blocks": 3, "n_layers": 2, "kernel": 5},
}


def model_of(name):
    torch.manual_seed(0)
    return cct.CCT(SIZE, **SIZES[name], n_labels=5).eval()


def found_in(model, name, directory, size=SIZE):
    torch.save(model.state_dict(), directory / "state.pt")
    return find_network(directory / "state.pt", name, (size, size, 3))


def difference(network, model):
    x = models.images(3, SIZE)
    return np.abs(network.infer(x) - models.outputs_of(model, x)).max()


@pytest.mark.parametrize("name", SIZES)
def test_logits_are_those_of_torch(tmp_path, name):
    model = model_of(name)
    found = found_in(model, name, tmp_path)
    assert found.account.naming == "compact-transformers"
    assert {tensor for tensor, *_ in found.account.rows} == set(model.state_dict())
    network = found.network()
    assert network.output_shape("heads1")[-1] == SIZES[name]["heads"]
    assert difference(network, model) < TOLERANCE


def test_and_back(tmp_path):
    model = model_of("cct_7")
    found = found_in(model, "cct_7", tmp_path)
    network, source, rng = found.network(), found.account.source, np.random.default_rng(1)
    for array in network.parameters().values():
        array *= rng.uniform(0.8, 1.2, array.shape).astype(np.float32)
    origin = Origin(
        source["architecture"],
        tuple(source["tensors"]),
        tuple(source["parameters"]),
        tuple(map(shape_of, source["shapes"])),
        source["norm_epsilon"],
        nn.blueprint_of(network),
    )
    assert difference(network, model) > 100 * TOLERANCE
    live.load_back(model, tensors_back(origin, network.state()))
    assert difference(network, model) < TOLERANCE
    kept = np.zeros((4, 32, 3, 8), bool)
    kept[1] = True  # one head
    (rows,) = tensors_back(origin, {"heads1.attention.weight": kept}).values()
    np.testing.assert_array_equal(np.flatnonzero(rows.all(axis=1)) % 32 // 8, 1)


def test_rows_are_parts_of_heads():
    rows = np.arange(3 * 2 * 4 * 5).reshape(24, 5)
    array = from_rows(rows, (2, 5, 3, 4))
    assert array[1, 3, 2, 0] == rows[2 * 8 + 1 * 4, 3]
    np.testing.assert_array_equal(to_rows(array), rows)


def test_what_tensors_do_not_say_is_asked_for(tmp_path):
    model = model_of("cct_7")
    with pytest.raises(InputError, match=r"expected cct_2 or .* how many heads a block has; cct_7"):
        found_in(model, "cct", tmp_path).network()
    with pytest.raises(InputError, match="heads: expected a divisor of the width, 32 channels, found 6"):
        found_in(model, "cct_14", tmp_path)
    with pytest.raises(InputError, match=r"'classifier.positional_emb' \(1, 64, 32\), not \(1, 256, 32\)"):
        found_in(model, "cct_7", tmp_path, size=32).network()
