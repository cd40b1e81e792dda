"""Masks in a model of PyTorch, out of it again, and in files."""

import sys

import numpy as np
import pytest

from deeptheory.errors import InputError

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")

from deeptheory.interop.torch import apply_masks, load_masks, masks_of, save_masks  # noqa: E402


@pytest.fixture
def small():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten(), torch.nn.Linear(12, 4))


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    return {"0.weight": rng.random((3, 2, 3, 3)) < 0.5, "2.weight": rng.random((4, 12)) < 0.3}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, mask in expected.items():
        assert found[name].dtype == np.bool_
        np.testing.assert_array_equal(found[name], mask)


def test_fine_tuning_keeps_the_zeros(small, masks):
    apply_masks(small, masks)
    optimiser = torch.optim.SGD(small.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    before = small[0].weight.detach().clone()
    for _ in range(3):
        optimiser.zero_grad()
        small(torch.ones(2, 2, 4, 4)).square().sum().backward()
        optimiser.step()
    small(torch.ones(2, 2, 4, 4))
    for number, name in ((0, "0.weight"), (2, "2.weight")):
        kept = small[number].weight.detach().numpy() != 0
        np.testing.assert_array_equal(kept, masks[name])
    assert not torch.equal(small[0].weight, before)
    assert_same(masks_of(small), masks)


def test_two_masks_leave_what_both_keep(small, masks):
    apply_masks(small, masks)
    other = {"0.weight": np.roll(masks["0.weight"], 1)}
    apply_masks(small, {"0.weight": torch.from_numpy(other["0.weight"].astype(np.float32))})
    assert_same(masks_of(small), masks | {"0.weight": masks["0.weight"] & other["0.weight"]})


def test_a_model_without_masks_has_none_and_parameters_that_end_alike_are_no_masks(small):
    assert masks_of(small) == {}
    small.register_buffer("attention_mask", torch.ones(3))
    assert masks_of(small) == {}
    apply_masks(small, {})
    assert masks_of(small) == {}


def test_masks_come_back_from_a_file(tmp_path, masks):
    path = tmp_path / "masks.safetensors"
    save_masks(path, {name: torch.from_numpy(mask) for name, mask in masks.items()})
    assert_same(load_masks(path), masks)
    stored = safetensors.load_file(path)
    assert {array.dtype for array in stored.values()} == {np.dtype(np.uint8)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"0.wieght": np.ones((3, 2, 3, 3))},
            ["names of parameters of the model", "did you mean '0.weight'?"],
        ),
        ({"9.mask": np.ones(3)}, ["'9.mask'"]),
        ({"2.weight": np.ones((12, 4))}, ["mask of '2.weight': expected shape (4, 12), found shape (12, 4)"]),
        ({"2.weight": np.full((4, 12), 0.5)}, ["mask of '2.weight': expected 0 and 1 only, found 0.5"]),
        ({"2.weight": np.full((4, 12), np.nan)}, ["found nan"]),
        ({"2.weight": "all"}, ["mask of '2.weight': expected an array of numbers"]),
    ],
)
def test_bad_masks_are_refused_and_change_nothing(small, masks, change, words):
    with pytest.raises(InputError) as refused:
        apply_masks(small, {"0.weight": masks["0.weight"], **change})
    for word in words:
        assert word in str(refused.value)
    assert masks_of(small) == {}
    assert "weight" in dict(small[0].named_parameters())


def test_files_that_hold_no_masks_are_refused(tmp_path, masks):
    path = tmp_path / "masks.safetensors"
    with pytest.raises(InputError, match="0 and 1 only, found 2"):
        save_masks(path, {"0.weight": 2 * masks["0.weight"]})
    assert not path.exists()
    with pytest.raises(InputError, match="no file"):
        load_masks(path)
    safetensors.save_file({"0.weight": np.float32([[0.3, 1]])}, path)
    with pytest.raises(InputError, match=r"mask of '0.weight': expected 0 and 1 only, found 0.3"):
        load_masks(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="a complete safetensors file"):
        load_masks(path)


def test_the_extra_is_named_where_torch_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"package torch.*pip install 'deeptheory\[torch\]'"):
        apply_masks(None, {})
