"""The commands and the Python of docs/commands.md, executed in their order on a tiny configuration.

`CHANGED` says what stands in the place of a command, `NOT_RUN` why others are only parsed (`test_blocks`).
"""

import shutil
from collections import OrderedDict

import pytest

from deeptheory.bench import interleaving, machine_load
from deeptheory.runs import Run
from deeptheory.runs.configuration import to_toml
from deeptheory.runs.steps import inference_cost
from deeptheory.runs.steps.retraining import stored_masks
from deeptheory.runs.steps.training import trained_network
from deeptheory.studies import run_sweep
from tests.docs.shell_blocks import DOCS, blocks, shell_blocks, started

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = DOCS / "commands.md"
CONFIGURATIONS = {"demo": "tiny.toml", "label-scaling": "out/labels/sweep.toml"}  # what is in their place
UNMEASURED = "--set measure.stages=stage3,stage4,stage5"
CHANGED = {f"measure out/one {UNMEASURED}": f"measure out/two {UNMEASURED}"}
NOT_RUN = {
    "PATH": "the data are the reader's",
    "efficientnet-glyphs": "another network compiles for a minute",
    "mlp-glyphs": "tests/runs/test_hidden_layers.py",
    "vgg16-classifier-glyphs": "tests/runs/test_hidden_layers.py",
    "compare": "tests/studies/test_comparison.py",
    "--slurm": "tests/studies/sweep",
    "--dry-run": "tests/cli/test_dry_run.py",
    "--simulate": "trains networks for minutes",
    "committee": "simulates for minutes",
    "--family": "needs two studies of CIFAR-100",
    "out/texts": "tests/runs/steps/test_residual_networks.py, of tiny ones",
    "out/texts-heads": "tests/runs/steps/test_residual_networks.py, of tiny ones",
    "attention-maps": "tests/reports/plot, of a transformer",
    "networks-with-depth": "tests/reports/plot, of two studies",
    "bench": "tests/bench",
    "import": "tests/cli/test_imports.py",
    "export": "tests/cli/test_export.py",
    "python": "needs a comparison",
    "make": "needs the checkout",
}
CLAIMS = "confirm", "hypothesis"  # exit code 1: a claim is not supported


@pytest.fixture(scope="module")
def place(finished_study, tiny_config, sweep_of, one_thread, tmp_path_factory):
    """A directory with what the page takes as made before: out/demo, a sweep, and a run that is not measured."""
    directory = tmp_path_factory.mktemp("page")
    (directory / "tiny.toml").write_text(to_toml(tiny_config), encoding="utf-8")
    shutil.copytree(finished_study, directory / "out" / "demo")
    run_sweep(sweep_of({"data.n_labels": [3, 5]}), directory / "out" / "labels", quiet=True)
    return directory


def test_the_commands_do_what_the_page_says(place, deeptheory, monkeypatch, tmp_path):
    monkeypatch.chdir(place)
    monkeypatch.setattr(interleaving, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(inference_cost, "ROUNDS", 2)
    monkeypatch.setattr(machine_load, "LOOK_SECONDS", 0.01)
    deeptheory("train", "tiny.toml", "--out", "out/two", "--quiet")
    executed = 0
    for block in shell_blocks(PAGE):
        for program, *arguments in started(block, tmp_path):
            line = CHANGED.get(" ".join(arguments), " ".join(arguments))
            if NOT_RUN.keys() & {program, *line.split()}:
                continue
            words = [CONFIGURATIONS.get(word, word) for word in line.split()]
            found = deeptheory(*words)
            assert found.code in ((0, 1) if words[0] in CLAIMS else (0,)), (str(block), line, found.err)
            executed += 1
    assert executed > 20


def live_model():
    """A PyTorch model with two layers by name, and its loaders, as the page takes them to be there."""
    torch = pytest.importorskip("torch")

    def layer(inputs, outputs):
        convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return torch.nn.Sequential(
            convolution, torch.nn.BatchNorm2d(outputs), torch.nn.ReLU(), torch.nn.MaxPool2d(2)
        )

    layers = OrderedDict(layer1=layer(3, 16), layer2=layer(16, 16))
    model = torch.nn.Sequential(
        OrderedDict(**layers, flatten=torch.nn.Flatten(), head=torch.nn.Linear(64, 4, bias=False))
    )
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(20, 3, 8, 8, generator=generator), torch.arange(20) % 4),
    ] * 5
    return {"model": model, "images": batches[0][0], "loader": batches, "train_loader": batches}


@pytest.mark.parametrize("block", [block for block in blocks(PAGE) if block.language == "python"], ids=str)
def test_the_python_runs_with_what_the_page_takes_to_be_there(block, study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = Run(study / "seed-3", quiet=True)
    network = trained_network(run)
    names = {"network": network, "masks": stored_masks(run, network, "afcc")}
    names |= live_model() if "loader" in block.text else {}
    exec(compile(block.text, str(block), "exec"), names)
