"""What can be done with public architectures as live PyTorch models: the table of docs/interop.md.

python simulations/live_architectures.py [NAME ...] --out out/live-architectures

Needs torchvision, and timm for some. Every network is built with random weights for 5 labels and small images,
listed by `live.stages`, measured at its last stages, masked at density 0.1 by AFCC and at random, and predicted.
A cell is "works" or the reason of the refusal. Results are stored one by one, and `--page docs/interop.md`
writes them into the page, between its two marks.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

import numpy as np
import torch

from deeptheory.errors import InputError
from deeptheory.interop import torch as live
from deeptheory.store.atomic_files import write_text
from deeptheory.system.scripts import run_script

N_LABELS, PER_LABEL, DENSITY = 5, 20, 0.1
MEASURED = 3  # stages, the last ones: the probes of early stages take longest
BEGIN, END = "<!-- simulations/live_architectures.py -->", "<!-- end -->"
ARCHITECTURES = {  # package, pixels, options
    "googlenet": ("torchvision", 64, {"init_weights": False, "aux_logits": False}),
    "inception_v3": ("torchvision", 96, {"init_weights": False, "aux_logits": False}),
    "resnet18": ("torchvision", 64, {}),
    "resnet50": ("torchvision", 64, {}),
    "resnext50_32x4d": ("torchvision", 64, {}),
    "densenet121": ("torchvision", 64, {}),
    "squeezenet1_1": ("torchvision", 64, {}),
    "mobilenet_v2": ("torchvision", 64, {}),
    "mobilenet_v3_small": ("torchvision", 64, {}),
    "mnasnet0_5": ("torchvision", 64, {}),
    "shufflenet_v2_x0_5": ("torchvision", 64, {}),
    "efficientnet_b0": ("torchvision", 64, {}),
    "regnet_y_400mf": ("torchvision", 64, {}),
    "convnext_tiny": ("torchvision", 64, {}),
    "swin_t": ("torchvision", 64, {}),
    "vit_b_16": ("torchvision", 64, {"image_size": 64}),
    "resnetv2_50": ("timm", 64, {}),
    "repvgg_a0": ("timm", 64, {}),
    "convnextv2_atto": ("timm", 64, {}),
    "convmixer_768_32": ("timm", 64, {}),
    "ghostnet_100": ("timm", 64, {}),
    "mixer_s32_224": ("timm", 64, {"img_size": 64}),
    "vit_tiny_patch16_224": ("timm", 64, {"img_size": 64}),
}


def build(name: str) -> torch.nn.Module:
    """The architecture with random weights, in evaluation mode."""
    package, _, options = ARCHITECTURES[name]
    torch.manual_seed(0)
    if package == "timm":
        import timm

        return timm.create_model(name, pretrained=False, num_classes=N_LABELS, **options).eval()
    import torchvision

    return getattr(torchvision.models, name)(weights=None, num_classes=N_LABELS, **options).eval()


def inputs(pixels: int, seed: int) -> list[list[torch.Tensor]]:
    """Noise with a pattern for every label, in batches."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(N_LABELS, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(N_LABELS).repeat(PER_LABEL)
    images = patterns[labels] + torch.randn(len(labels), 3, pixels, pixels, generator=generator)
    return [[images[i : i + 20], labels[i : i + 20]] for i in range(0, len(labels), 20)]


def tried(name: str) -> dict[str, Any]:
    """What works, and the reasons of what is refused."""
    package, pixels, _ = ARCHITECTURES[name]
    model, batches, fitting = build(name), inputs(pixels, 1), inputs(pixels, 2)
    row: dict[str, Any] = {"package": package, "pixels": pixels}
    cells = dict.fromkeys(("measure", "masks", "predict"), "")
    begun = time.monotonic()
    try:
        listed = live.stages(model, batches[0][0])
        n_masked = len(listed.head) + sum(len(stage.layers) for stage in listed)
        row |= {"stages": len(listed), "masked": n_masked, "mixing": n_masked + len(listed.unmasked)}
        row["unmasked"] = listed.unmasked
        stages = listed.names[-MEASURED:]
        measured = live.measure(model, batches, stages, probe_loader=fitting, quiet=True)
        cells["measure"] = "works"
        arms = measured.masks(["afcc", "random"], DENSITY)
        cells["masks"] = "works"
        predicted = measured.predict(arms, quiet=True)
        assert all(np.isfinite(arm["loss"]) for arm in predicted["arms"].values())
        cells["predict"] = "works"
    except InputError as refusal:
        refused = next(step for step, cell in cells.items() if not cell)
        cells[refused] = f"refused: {refusal}".replace("|", "/").replace("\n", " ")
    return row | cells | {"seconds": round(time.monotonic() - begun)}


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """The rows of the page, in Markdown."""
    header = ("architecture", "from", "pixels", "stages", "layers that masks can act on")
    lines = ["| " + " | ".join((*header, "measure", "masks", "predict")) + " |", "|" + "---|" * 8]
    for name in (name for name in ARCHITECTURES if name in results):
        row = results[name]
        masked = f"{row['masked']} of {row['mixing']}" if "masked" in row else ""
        cells = (name, row["package"], row["pixels"], row.get("stages", ""), masked)
        steps = (row[step] or "-" for step in ("measure", "masks", "predict"))
        lines.append("| " + " | ".join(map(str, (*cells, *steps))) + " |")
    return lines


def write_page(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Replace what stands between the two marks of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    write_text(path, "\n".join([before + BEGIN, *table(results), END + after]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of architectures; all by default")
    parser.add_argument("--out", type=Path, default=Path("out/live-architectures"))
    parser.add_argument("--page", type=Path, help="page to write the table into")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in options.names or ARCHITECTURES:
        stored = options.out / f"{name}.json"
        if not stored.exists():
            write_text(stored, json.dumps(tried(name), indent=1))
        results[name] = json.loads(stored.read_text(encoding="utf-8"))
        print(table({name: results[name]})[-1], flush=True)
    if options.page:
        write_page(options.page, results)


if __name__ == "__main__":
    run_script(main)
