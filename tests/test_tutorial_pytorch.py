"""The tutorial for PyTorch is executed as it is written, with smaller numbers in its first block."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from deeptheory.cli.main import main
from tests.docs.shell_blocks import SHELL, Block, started
from tests.docs.shell_blocks import blocks as blocks_of

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial-pytorch.md"
SMALL = {"N_LABELS": 5, "TRAIN": 60, "TEST": 20, "WIDTH": 4, "EPOCHS": 2, "FINE_TUNING": 1, "DENSITY": 0.5,
         "RESNET_EPOCHS": 1}  # fmt: skip


def run_commands(block, directory, patch):
    """The commands of a shell block, in this process."""
    for arguments in started(Block(TUTORIAL.name, 0, "sh", block), directory):
        patch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, arguments


@pytest.fixture(scope="module")
def executed(tmp_path_factory, one_thread):
    """What all blocks leave, one after another, in a directory of their own."""
    (_, sizes), *blocks = ((block.language, block.text) for block in blocks_of(TUTORIAL))
    names = dict.fromkeys(re.findall(r"[A-Z_]+", re.sub("#.*", "", sizes)))
    assert names.keys() == SMALL.keys()
    left, threads, state = dict(SMALL), torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tutorial"))
        try:
            for number, (language, block) in enumerate(blocks, start=2):
                if language in SHELL:
                    run_commands(block, tmp_path_factory.mktemp("stubs"), patch)
                if language != "python" or ("live.compact(" in block and find_spec("torch_pruning") is None):
                    continue
                exec(compile(block, f"block {number} of {TUTORIAL.name}", "exec"), left)
        finally:
            torch.set_num_threads(threads)
            torch.set_rng_state(state)
        left["directory"] = Path.cwd()
    return left


def test_every_arm_keeps_equally_many_weights_of_every_layer(executed):
    arms = executed["arms"]
    assert list(arms) == ["afcc", "random", "label-permuted", "magnitude"]
    kept = [arm.masks.kept() for arm in arms.values()]
    assert kept == [kept[0]] * 4
    assert len(kept[0]) == 5
    assert arms["afcc"].summary.density == pytest.approx(SMALL["DENSITY"], abs=0.01)


def test_fine_tuning_ended_under_the_masks_that_were_saved(executed):
    from deeptheory.interop.torch import load_masks

    saved = load_masks(executed["directory"] / "afcc.safetensors")
    masks = executed["arms"]["afcc"].masks
    assert saved.keys() == masks.keys()
    assert all(np.array_equal(saved[name], masks[name]) for name in masks)
    last = executed["pruned"].stage5[0].weight.detach().numpy()
    np.testing.assert_array_equal(last != 0, executed["arms"]["magnitude"].masks["stage5.0.weight"])


def test_every_arm_has_its_prediction_beside_what_came_out(executed):
    assert executed["predicted"].keys() == executed["fine_tuned"].keys() == executed["masked"].keys()
    assert executed["predicted"]["unpruned"]["loss"] == 0
    assert all(0 <= found <= 1 for found in executed["fine_tuned"].values())


def test_the_smaller_model_has_lost_half_of_the_channels(executed):
    pytest.importorskip("torch_pruning")
    small = executed["small"]
    assert small.channels["stage3.0"] == (SMALL["WIDTH"] * 4, SMALL["WIDTH"] * 2)
    assert small.compact_parameters < 0.4 * small.parameters
    assert executed["filters"].keys() == {"afcc", "snr-share"}


def test_the_file_is_what_commands_read(executed):
    from deeptheory.data import read_files

    back, glyphs = read_files(executed["directory"] / "glyphs.npz"), executed["glyphs"]
    assert np.array_equal(back.train_images, glyphs.train_images[executed["held_out"] :])
    assert np.array_equal(back.test_images, glyphs.test_images)
    assert back.label_names == glyphs.label_names


def test_the_imported_network_is_masked_under_its_own_names(executed, monkeypatch):
    monkeypatch.chdir(executed["directory"])
    run, under_mask = executed["run"], executed["under_mask"]
    masks = run.masks_back("magnitude")
    assert len(masks) == 11
    last = under_mask.layer4[1].conv2.weight.detach().numpy()
    np.testing.assert_array_equal(last != 0, masks["layer4.1.conv2.weight"])
    assert run.done == ("train", "measure", "predict", "prune")
