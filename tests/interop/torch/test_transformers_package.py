"""Small models of the package transformers and of timm: their heads are found, masked and predicted."""

import numpy as np
import pytest

from deeptheory import measure as measuring

torch = pytest.importorskip("torch")

from deeptheory.interop import torch as live  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
N, HEADS, LABELS = 20, 4, torch.arange(20) % 5
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": HEADS, "intermediate_size": 24}
SWIN = {
    "image_size": 16,
    "patch_size": 2,
    "embed_dim": 16,
    "depths": [1],
    "num_heads": [HEADS],
    "window_size": 4,
}
GPT2 = {"vocab_size": 30, "n_embd": 16, "n_layer": 1, "n_head": HEADS, "n_positions": 8,
        "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}  # fmt: skip
TEXTS = {"input_ids": torch.arange(N * 8).reshape(N, 8) % 29 + 1, "attention_mask": torch.ones(N, 8).long()}
IMAGES = torch.randn(N, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def of_transformers(name, **options):
    kind = getattr(pytest.importorskip("transformers"), name)
    return kind(kind.config_class(num_labels=5, **options))


def of_timm():
    options = {
        "img_size": 16,
        "patch_size": 4,
        "embed_dim": 16,
        "depth": 1,
        "num_heads": HEADS,
        "num_classes": 5,
    }
    return pytest.importorskip("timm").models.VisionTransformer(**options)


PACKAGES = pytest.mark.parametrize(
    ("make", "given", "writers"),
    [
        (lambda: of_transformers("BertForSequenceClassification", vocab_size=30, **SMALL), TEXTS, 3),
        (
            lambda: of_transformers("GPT2ForSequenceClassification", **GPT2),
            TEXTS,
            1,
        ),
        (
            lambda: of_transformers("ViTForImageClassification", image_size=16, patch_size=4, **SMALL),
            {"pixel_values": IMAGES},
            3,
        ),
        (lambda: of_transformers("SwinForImageClassification", **SWIN), IMAGES, 3),
        (of_timm, IMAGES, 1),
        (
            lambda: of_transformers(
                "DistilBertForSequenceClassification",
                vocab_size=30,
                dim=16,
                n_layers=1,
                n_heads=HEADS,
                hidden_dim=24,
            ),
            TEXTS,
            3,
        ),
    ],
    ids=["bert", "gpt2", "vit", "swin", "timm", "distilbert"],
)


@PACKAGES
def test_heads_of_a_package(make, given, writers):
    torch.manual_seed(0)
    model = make().eval()
    listed = live.stages(model, given)
    (heads,) = (stage for stage in listed if stage.kind == "heads")
    assert (heads.filters, len(heads.layers)) == (HEADS, writers)
    batches, probe = [[given, LABELS]], measuring.ProbeOptions(l2=0.1)
    stages = listed.names[listed.names.index(heads.name) - 1 :]
    found = live.measure(model, batches, stages, probe_loader=batches, probe_options=probe, quiet=True)
    assert found.stages[heads.name]["strengths"].shape == (HEADS, 5)
    arms = found.masks(["afcc", "random"], 0.5)
    losses = found.predict(arms, quiet=True)["arms"]
    assert all(np.isfinite(arm["loss"]) for arm in losses.values())
    live.apply_masks(model, arms["afcc"].masks)
    assert set(heads.layers) < {name.removesuffix(".weight") for name in live.masks_of(model)}


@PACKAGES
def test_heads_of_a_package_are_removed(make, given, writers):
    pytest.importorskip("torch_pruning")
    torch.manual_seed(0)
    model = make().eval()
    (heads,) = (stage for stage in live.stages(model, given) if stage.kind == "heads")
    scores = {f"{layer}.weight": np.arange(HEADS) for layer in heads.layers}
    masks = live.channel_masks(model, scores, 0.5, example=given)
    small = live.compact(model, masks, example=given, quiet=True)
    assert small.channels == dict.fromkeys(heads.layers, (48 // writers, 24 // writers))
    live.apply_masks(model, masks)
    with torch.no_grad():
        expected, found = (
            of(**given) if isinstance(given, dict) else of(given) for of in (model, small.model)
        )
    logits = (getattr(output, "logits", output) for output in (expected, found))
    torch.testing.assert_close(*logits, rtol=0, atol=1e-5)
