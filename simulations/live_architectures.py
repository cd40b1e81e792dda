"""What can be done with public architectures: the table of docs/interop.md.

python simulations/live_architectures.py [NAME ...] --out out/live-architectures

Every network is built with random weights for 5 labels and small images or short texts. As a live model it is
listed by `live.stages`, measured at its last stages, masked at density 0.1 by AFCC and at random, predicted for
AFCC, and made smaller by half of the channels. Its state dictionary and its ONNX file are imported, with outputs
compared to those of PyTorch. A cell is "works" or the reason of the refusal. Cells are stored one by one, so the
same command goes on where it was interrupted; `--again state onnx` computes these anew. `--page docs/interop.md`
writes all complete rows into the page, between its two marks. Needs torchvision, timm, transformers, onnx and
Torch-Pruning.
"""

import argparse
import importlib
import json
import re
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

import numpy as np
import torch

from deeptheory.errors import InputError
from deeptheory.interop import torch as live
from deeptheory.interop.onnx.reader import read_onnx
from deeptheory.interop.reading import find_network
from deeptheory.interop.state.architectures import ARCHITECTURES as IMPORTED
from deeptheory.interop.torch.layers import is_transposed
from deeptheory.interop.torch.tracing import first_tensor
from deeptheory.store.atomic_files import write_text
from deeptheory.store.paths import AFCC
from deeptheory.system.scripts import run_script

N_LABELS, PER_LABEL, DENSITY = 5, 10, 0.1
MEASURED = 2  # stages, the last ones: the probes of early stages take longest. And all from the last heads on
WORDS, LENGTH = 100, 12  # of the vocabulary, and of a text
AGREEMENT = 1e-4  # of the largest output: by how much an imported network may differ
WORKS, OF_TEXTS = "works", "texts are not imported"
BEGIN, END = "<!-- simulations/live_architectures.py -->", "<!-- end -->"
IN_FOLDER = re.compile(r"^/\S*/(?=model\.)")
STEPS = ("measure", "masks", "predict", "compact", "state", "onnx")
OLD = {"init_weights": False, "aux_logits": False}
SMALL = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 128}
ARCHITECTURES = {  # package, pixels (0 for texts), options
    "alexnet": ("torchvision", 64, {}),
    "vgg11_bn": ("torchvision", 32, {}),
    "googlenet": ("torchvision", 64, OLD),
    "inception_v3": ("torchvision", 96, OLD),
    "resnet18": ("torchvision", 64, {}),
    "resnet50": ("torchvision", 64, {}),
    "wide_resnet50_2": ("torchvision", 64, {}),
    "resnext50_32x4d": ("torchvision", 64, {}),
    "densenet121": ("torchvision", 64, {}),
    "squeezenet1_0": ("torchvision", 64, {}),
    "squeezenet1_1": ("torchvision", 64, {}),
    "mobilenet_v2": ("torchvision", 64, {}),
    "mobilenet_v3_small": ("torchvision", 64, {}),
    "mnasnet0_5": ("torchvision", 64, {}),
    "mnasnet1_0": ("torchvision", 64, {}),
    "shufflenet_v2_x0_5": ("torchvision", 64, {}),
    "shufflenet_v2_x1_0": ("torchvision", 64, {}),
    "efficientnet_b0": ("torchvision", 64, {}),
    "regnet_y_400mf": ("torchvision", 64, {}),
    "convnext_tiny": ("torchvision", 64, {}),
    "swin_t": ("torchvision", 64, {}),
    "swin_v2_t": ("torchvision", 64, {}),
    "vit_b_16": ("torchvision", 64, {"image_size": 64}),
    "resnetv2_50": ("timm", 64, {}),
    "repvgg_a0": ("timm", 64, {}),
    "convnextv2_atto": ("timm", 64, {}),
    "convmixer_768_32": ("timm", 64, {}),
    "ghostnet_100": ("timm", 64, {}),
    "lcnet_050": ("timm", 64, {}),
    "tinynet_e": ("timm", 64, {}),
    "mixer_s32_224": ("timm", 64, {"img_size": 64}),
    "vit_tiny_patch16_224": ("timm", 64, {"img_size": 64}),
    "deit_tiny_patch16_224": ("timm", 64, {"img_size": 64}),
    "swin_tiny_patch4_window7_224": ("timm", 64, {"img_size": 64, "window_size": 4}),
    "ViTForImageClassification": ("transformers", 32, {**SMALL, "image_size": 32, "patch_size": 8}),
    "SwinForImageClassification": (
        "transformers",
        32,
        {"image_size": 32, "patch_size": 2, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4],
         "window_size": 4},
    ),
    "DeiTForImageClassification": ("transformers", 32, {**SMALL, "image_size": 32, "patch_size": 8}),
    "BertForSequenceClassification": ("transformers", 0, {**SMALL, "vocab_size": WORDS}),
    "ElectraForSequenceClassification": ("transformers", 0, {**SMALL, "vocab_size": WORDS, "embedding_size": 64}),
    "RobertaForSequenceClassification": ("transformers", 0, {**SMALL, "vocab_size": WORDS}),
    "DistilBertForSequenceClassification": (
        "transformers",
        0,
        {"vocab_size": WORDS, "dim": 64, "n_layers": 4, "n_heads": 4, "hidden_dim": 128},
    ),
    "GPT2ForSequenceClassification": (
        "transformers",
        0,
        {"vocab_size": WORDS, "n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": LENGTH, "pad_token_id": 0,
         "bos_token_id": 0, "eos_token_id": 0},
    ),
}  # fmt: skip


def build(name: str) -> torch.nn.Module:
    """The architecture with random weights, in evaluation mode."""
    package, _, options = ARCHITECTURES[name]
    torch.manual_seed(0)
    module = importlib.import_module(package)
    if package == "timm":
        return module.create_model(name, pretrained=False, num_classes=N_LABELS, **options).eval()
    if package == "transformers":
        kind = getattr(module, name)
        return kind(kind.config_class(num_labels=N_LABELS, **options)).eval()
    return getattr(module.models, name)(weights=None, num_classes=N_LABELS, **options).eval()


def inputs(pixels: int, seed: int) -> list[Any]:
    """Noise with a pattern for every label, in batches: images, or texts with words of their label."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(N_LABELS).repeat(PER_LABEL)
    if pixels:
        patterns = torch.randn(N_LABELS, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
        images = patterns[labels] + torch.randn(len(labels), 3, pixels, pixels, generator=generator)
        return [[images[i : i + 25], labels[i : i + 25]] for i in range(0, len(labels), 25)]
    any_word = torch.randint(1, WORDS, (len(labels), LENGTH), generator=generator)
    own = 1 + labels[:, None] * 10 + any_word % 10
    ids = torch.where(torch.rand(any_word.shape, generator=generator) < 0.5, own, any_word)
    return [{"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}]


def example(pixels: int) -> Any:
    """Two inputs as the model takes them."""
    batch = inputs(pixels, 3)[0]
    return batch[0][:2] if pixels else {"input_ids": batch["input_ids"][:2]}


def listed(row: dict[str, Any], name: str, model: torch.nn.Module) -> list[str]:
    """Count stages and layers; the stages that will be measured."""
    found = live.stages(model, example(ARCHITECTURES[name][1]))
    n_masked = len(found.head) + sum(len(stage.layers) for stage in found)
    heads = sum(stage.filters for stage in found if stage.kind == "heads")
    row |= {
        "stages": len(found),
        "heads": heads,
        "masked": n_masked,
        "mixing": n_masked + len(found.unmasked),
    }
    row["unmasked"] = found.unmasked
    first_of_last = max(
        (place for place, stage in enumerate(found) if stage.kind == "heads"), default=len(found)
    )
    return found.names[min(first_of_last - 1, len(found) - MEASURED) :]


def compacted(name: str, model: torch.nn.Module) -> str:
    """Half of the channels removed, by the magnitude of their filters."""
    given = example(ARCHITECTURES[name][1])
    weights = {
        f"{layer}.weight": (module.weight.T if is_transposed(module) else module.weight)
        .detach()
        .abs()
        .numpy()
        for layer, module in model.named_modules()
        if is_transposed(module)
        or (isinstance(module, torch.nn.Linear | torch.nn.Conv2d) and getattr(module, "groups", 1) == 1)
    }
    masks = live.channel_masks(model, weights, 0.5, example=given)
    small = live.compact(model, masks, example=given, quiet=True)
    return f"{WORKS}: {small.compact_parameters / small.parameters:.0%} of the parameters"


def from_state(name: str, model: torch.nn.Module) -> str:
    """The state dictionary imported under the name of the architecture."""
    if name not in IMPORTED:
        return "no architecture of this name"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pth"
        torch.save(model.state_dict(), path)
        pixels = ARCHITECTURES[name][1]
        return _compared(find_network(path, name, (pixels, pixels, 3)).network(), model, pixels)


def from_onnx(name: str, model: torch.nn.Module) -> str:
    """The file that PyTorch's exporter writes, imported."""
    with tempfile.TemporaryDirectory() as folder:
        path, pixels = Path(folder) / "model.onnx", ARCHITECTURES[name][1]
        axes = {"images": {0: "N"}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, (example(pixels)[:1],), path, dynamo=False, input_names=["images"], dynamic_axes=axes
            )
        return _compared(read_onnx(path), model, pixels)


def _compared(network: Any, model: torch.nn.Module, pixels: int) -> str:
    images = example(pixels).clamp(-1, 1)
    with torch.no_grad():
        expected = first_tensor(torch, model(images)).numpy()
    found = network.infer(images.permute(0, 2, 3, 1).numpy())
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    return WORKS if difference <= AGREEMENT else f"another network: outputs differ by {difference:.1g}"


def tried(
    name: str, row: dict[str, Any] | None = None, keep: Callable[[dict[str, Any]], None] = lambda row: None
) -> dict[str, Any]:
    """What works, and the reasons of what is refused; of `row` what is not done yet, kept cell by cell."""
    package, pixels, _ = ARCHITECTURES[name]
    row = {"package": package, "pixels": pixels, "seconds": 0} | (row or {})
    if row.keys() >= set(STEPS):
        return row
    model, batches, fitting = build(name), inputs(pixels, 1), inputs(pixels, 2)
    done = dict[str, Any]()

    def measure() -> str:
        stages = listed(row, name, model)
        done["measured"] = live.measure(model, batches, stages, probe_loader=fitting, quiet=True)
        return WORKS

    def masks() -> str:
        done["arms"] = done["measured"].masks([AFCC, "random"], DENSITY)
        return WORKS

    def predict() -> str:
        predicted = done["measured"].predict({AFCC: done["arms"][AFCC]}, quiet=True)["arms"]
        assert all(np.isfinite(arm["loss"]) for arm in predicted.values())
        return WORKS

    steps: dict[str, Callable[[], str]] = {
        "measure": measure,
        "masks": masks,
        "predict": predict,
        "compact": lambda: compacted(name, model),
    }
    steps |= {
        "state": lambda: from_state(name, model) if pixels else OF_TEXTS,
        "onnx": lambda: from_onnx(name, model) if pixels else OF_TEXTS,
    }
    if "predict" not in row:  # which needs what these give
        row = {key: value for key, value in row.items() if key not in ("measure", "masks")}
    for step, action in steps.items():
        if step not in row:
            begun = time.monotonic()
            row[step] = cell(action)
            row["seconds"] += round(time.monotonic() - begun)
            keep(row)
    return row


def cell(action: Callable[[], str]) -> str:
    """What a step says, or why it was refused, in one line."""
    try:
        return action()
    except InputError as refusal:
        said = f"refused: {IN_FOLDER.sub('', refusal.what)}: {refusal.found}"
    except KeyError:
        return "-"  # what it needs was refused
    except Exception as failure:  # of PyTorch's exporter, for instance
        said = f"fails: {type(failure).__name__}: {failure}"
    return said.partition("\n")[0].replace("|", "/")[:200]


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """The rows of the page, in Markdown."""
    header = ("architecture", "from", "pixels", "stages", "heads", "layers that masks can act on", *STEPS)
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name in (name for name in ARCHITECTURES if name in results):
        row = results[name]
        masked = f"{row['masked']} of {row['mixing']}" if "masked" in row else ""
        cells = (
            name,
            row["package"],
            row["pixels"] or "text",
            row.get("stages", ""),
            row.get("heads") or "",
            masked,
        )
        lines.append("| " + " | ".join(map(str, (*cells, *(row[step] for step in STEPS)))) + " |")
    return lines


def write_page(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Replace what stands between the two marks of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    write_text(path, "\n".join([before + BEGIN, *table(results), END + after]))


def stored(path: Path) -> dict[str, Any]:
    """What a file holds; nothing if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of architectures; all by default")
    parser.add_argument("--out", type=Path, default=Path("out/live-architectures"))
    parser.add_argument("--again", nargs="+", choices=STEPS, default=(), help="cells to compute anew")
    parser.add_argument("--page", type=Path, help="page to write the table into")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or ARCHITECTURES:
        path = options.out / f"{name}.json"
        row = {key: cell for key, cell in stored(path).items() if key not in options.again}
        row = tried(name, row, lambda row, path=path: write_text(path, json.dumps(row, indent=1)))
        print(table({name: row})[-1], flush=True)
    if options.page:
        rows = {name: stored(options.out / f"{name}.json") for name in ARCHITECTURES}
        write_page(options.page, {name: row for name, row in rows.items() if row.keys() >= set(STEPS)})


if __name__ == "__main__":
    run_script(main)
