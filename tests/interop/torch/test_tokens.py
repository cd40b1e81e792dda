"""Transformers: tokens are positions, heads are filters, batches are dictionaries and numbers of tokens."""

import numpy as np
import pytest

from deeptheory import measure as measuring
from deeptheory.errors import InputError

torch = pytest.importorskip("torch")
models = pytest.importorskip("tests.interop.torch.token_models")

from deeptheory.interop import torch as live  # noqa: E402
from deeptheory.interop.torch.connections import default_stages, wiring_of  # noqa: E402
from deeptheory.interop.torch.live_model import LiveModel  # noqa: E402

N, HEADS = 40, models.HEADS
LABELS = torch.arange(N) % models.N_LABELS
PROBE = measuring.ProbeOptions(l2=0.1)


def images():
    return torch.randn(N, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def ids():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, models.VOCABULARY, (N, models.TOKENS), generator=generator)


def made(make, *given):
    torch.manual_seed(1)
    return make(*given).eval()


def measured(model, given, **options):
    batches = [[given, LABELS]]
    return live.measure(model, batches, probe_loader=batches, probe_options=PROBE, quiet=True, **options)


def test_stages_of_a_vision_transformer_and_the_layers_between_them():
    listed = live.stages(made(models.ViT), images())
    block = ["norm1", "attn.proj:input", "norm2", "act"]
    names = [f"blocks.{number}.{name}" for number in (0, 1) for name in block]
    assert listed.names == [*names, "norm", "head:input"]
    heads = listed[1]
    assert (heads.kind, heads.shape, heads.filters, heads.positions) == ("heads", (17, 8), HEADS, 17 * 4)
    assert [stage.layers for stage in listed[:4]] == [
        (), ("blocks.0.attn.qkv",), ("blocks.0.attn.proj",), ("blocks.0.fc1",),
    ]  # fmt: skip
    assert (listed.head, listed.unmasked) == (("head",), {"patches": "it reads the inputs"})


@pytest.mark.parametrize(
    ("make", "given", "layers"),
    [
        (models.Windows, images(), ["attn.qkv", "attn.proj", "merge", "head"]),
        (
            models.Encoder,
            ids(),
            [f"layer.{name}" for name in ("self_attn.in_proj_weight", "self_attn.out_proj")],
        ),
        (models.Causal, ids(), ["c_attn", "c_proj", "score"]),
        (models.Sequence, torch.randn(N, 2, 16), ["second", "head"]),
    ],
)
def test_layers_of_other_transformers_and_of_sequences(make, given, layers):
    listed = live.stages(made(make), given)
    found = [name for stage in listed for name in stage.layers] + list(listed.head)
    assert set(layers) <= set(found)
    assert all(why == "it reads the inputs" for why in listed.unmasked.values())


def seen(model, module, given):
    """What a module reads."""
    found = []
    handle = model.get_submodule(module).register_forward_pre_hook(lambda _, x: found.append(x[0].clone()))
    with torch.no_grad():
        model(given)
    handle.remove()
    return found[0].numpy()


def by_head(tokens):
    """(N, T, heads * d) as (N, heads, T * d)."""
    return tokens.reshape(N, -1, HEADS, 4).transpose(0, 2, 1, 3).reshape(N, HEADS, -1)


def test_the_fields_of_heads_are_those_of_their_slices_of_the_representation():
    model, x = made(models.ViT), images()
    stage = "blocks.1.attn.proj:input"
    found = measured(model, x, stages=[stage]).stages[stage]
    slices = by_head(seen(model, "blocks.1.attn.proj", x))
    means = measuring.class_means(slices, LABELS.numpy(), models.N_LABELS)
    np.testing.assert_allclose(found["class_means"], means, atol=1e-6)
    assert found["strengths"].shape == (HEADS, models.N_LABELS)


def test_the_filters_of_tokens_are_on_the_last_axis():
    model, x = made(models.ViT), images()
    found = measured(model, x, stages=["blocks.0.norm2"]).stages["blocks.0.norm2"]["class_means"]
    tokens = seen(model, "blocks.0.fc1", x).transpose(0, 2, 1)
    np.testing.assert_allclose(found, measuring.class_means(tokens, LABELS.numpy(), 5), atol=1e-6)


def test_windows_are_positions_of_their_input():
    model, x = made(models.Windows), images()
    found = measured(model, x, stages=["attn.proj:input"]).stages["attn.proj:input"]["class_means"]
    windows = by_head(seen(model, "attn.proj", x).reshape(N, 4 * 16, -1))
    np.testing.assert_allclose(found, measuring.class_means(windows, LABELS.numpy(), 5), atol=1e-6)


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_attention_of_pytorch_is_measured_as_it_is_computed(batch_first):
    """Its fused and its spelled-out path, and the sequence on the first axis."""
    model, attention_mask = made(models.Encoder, batch_first), torch.ones(N, models.TOKENS, dtype=torch.int64)
    attention_mask[::2, 4:] = 0
    given = {"input_ids": ids(), "attention_mask": attention_mask}
    stage = "layer.self_attn.out_proj:input"
    found = measured(model, given, stages=[stage]).stages[stage]["class_means"]
    assert found.shape == (5, HEADS, models.TOKENS * 4)
    attention, x = model.layer.self_attn, model.layer.norm1(model.words(given["input_ids"]))
    q, k, v = attention.in_proj_weight.chunk(3)
    q, k, v = (torch.nn.functional.linear(x, w).unflatten(2, (HEADS, 4)).transpose(1, 2) for w in (q, k, v))
    scores = q @ k.transpose(2, 3) / 2
    scores = scores.masked_fill((attention_mask == 0)[:, None, None], -torch.inf)
    heads = (scores.softmax(-1) @ v).flatten(2).detach().numpy()
    np.testing.assert_allclose(found, measuring.class_means(heads, LABELS.numpy(), 5), atol=1e-5)
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.nn.functional.linear.__name__ != "by_layer"


def test_a_head_is_a_unit_of_a_mask():
    model, x = made(models.ViT), images()
    found = measured(model, x, stages=["blocks.0.norm1", "blocks.0.attn.proj:input", "blocks.0.norm2"])
    pairs = {"blocks.0.attn.qkv": ("blocks.0.norm1", "blocks.0.attn.proj:input")}
    arm = found.masks(["afcc"], 0.5, pairs=pairs, granularity="filter")["afcc"]
    mask = arm.masks["blocks.0.attn.qkv.weight"]
    (kept,) = np.flatnonzero(arm.units["blocks.0.attn.qkv.weight"])
    assert mask.shape == (24, 8)
    rows = mask.reshape(3, HEADS, 4, 8)
    assert rows[:, kept].all()
    assert not rows[:, 1 - kept].any()
    assert (arm.summary.density, arm.masks.density("blocks.0.attn.qkv.weight")) == (0.5, 0.5)
    before = seen(model, "blocks.0.attn.proj", x).reshape(N, 17, HEADS, 4)
    live.apply_masks(model, arm.masks)
    after = seen(model, "blocks.0.attn.proj", x).reshape(N, 17, HEADS, 4)
    np.testing.assert_allclose(after[:, :, kept], before[:, :, kept], atol=1e-6)
    assert np.ptp(after[:, :, 1 - kept], axis=(0, 1)).max() < 1e-6  # the bias of its values is left


def test_kernels_between_heads_and_filters_are_columns_of_one_head():
    model = made(models.ViT)
    found = measured(model, images(), stages=["blocks.0.attn.proj:input", "blocks.0.norm2"])
    assert found.pairs == {"blocks.0.attn.proj": ("blocks.0.attn.proj:input", "blocks.0.norm2")}
    mask = found.masks(["afcc"], 0.5)["afcc"].masks["blocks.0.attn.proj.weight"].reshape(8, HEADS, 4)
    assert (mask.any(axis=2) == mask.all(axis=2)).all()
    assert 0 < mask.mean() < 1


def test_transposed_weights_are_masked_and_refitted_in_their_own_layout():
    model = made(models.Causal)
    found = measured(model, ids(), stages=["ln", "c_proj:input", "end", "score:input"])
    assert found.pairs == {
        "c_attn": ("ln", "c_proj:input"), "c_proj": ("c_proj:input", "end"), "score": ("score:input", "head"),
    }  # fmt: skip
    arms = found.masks(["afcc"], 0.5)
    mask = arms["afcc"].masks["c_attn.weight"]
    assert mask.shape == (8, 24)
    by_head = mask.reshape(8, 3, HEADS, 4).transpose(0, 2, 1, 3).reshape(8, HEADS, -1)
    assert (by_head.any(axis=2) == by_head.all(axis=2)).all()
    losses = found.predict(arms, quiet=True)["arms"]
    assert losses["afcc"]["refit_loss"] != losses["unpruned"]["refit_loss"] == 0


def test_whole_masks_leave_a_refitted_transformer_as_it_is():
    from deeptheory.interop.torch.layers import parameter_of
    from deeptheory.interop.torch.refitting import LivePredictor

    for make, given, stage in ((models.ViT, images(), "head:input"), (models.Encoder, ids(), "score:input")):
        model, x = made(make), given.numpy()
        live_model = LiveModel(model)
        if x.dtype != np.float32:
            live_model.pool = live_model_pool(live_model, given)
            x = np.arange(N, dtype=np.float32)[:, None]
        splits = (x, LABELS.numpy()), (x, LABELS.numpy())
        predictor = LivePredictor(live_model, stage, "head", 5, *splits, 1e-3, np.random.default_rng(0))
        whole = {
            name: np.ones(model.get_parameter(name).shape, bool)
            for name in ("blocks.0.attn.qkv.weight", "layer.self_attn.in_proj_weight")
            if name in dict(model.named_parameters())
        }
        expected, refitted = live_model.logits(x), predictor.refitted(whole).network
        np.testing.assert_allclose(refitted.logits(x), expected, atol=5e-3 * np.abs(expected).max())
        assert whole.keys() <= {parameter_of(layer.name) for layer in predictor.mixing}


def live_model_pool(live_model, given):
    from deeptheory.interop.torch.inputs import Pool

    pool = Pool(live_model.torch)
    pool.read_example(given)
    return pool


def test_masked_attention_of_pytorch_trains_with_its_zeros():
    model = made(models.Encoder)
    given = ids()
    masks = {
        name: np.random.default_rng(0).random(model.get_parameter(name).shape) < 0.5
        for name in ("layer.self_attn.in_proj_weight", "layer.self_attn.out_proj.weight")
    }
    live.apply_masks(model, masks)
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    before = model.layer.self_attn.out_proj.weight_orig.detach().clone()
    for _ in range(3):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(given)["logits"], LABELS).backward()
        optimiser.step()
    again = measured(model, given, stages=["layer.self_attn.out_proj:input"])  # masked, it is measured too
    assert again.stages["layer.self_attn.out_proj:input"]["class_means"].shape[1] == HEADS
    assert not torch.equal(before, model.layer.self_attn.out_proj.weight_orig)
    for name, mask in masks.items():
        module, _, parameter = name.rpartition(".")
        weight = getattr(model.get_submodule(module), parameter)
        assert (weight.detach().numpy()[~mask] == 0).all()


def test_layers_whose_rows_are_not_in_order_of_the_heads_are_not_masked():
    class Shuffled(models.Attention):
        def forward(self, x):
            n, t, c = x.shape
            q, k, v = self.qkv(x).reshape(n, t, c // 2, 2, 3).permute(4, 0, 3, 1, 2).unbind(0)
            x = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            return self.proj(x.transpose(1, 2).reshape(n, t, c))

    model = made(models.ViT)
    model.blocks[0].attn = Shuffled()
    live_model, x = LiveModel(model.eval()), images().numpy()
    found = wiring_of(live_model, default_stages(live_model, x), x)
    assert found.unmasked["blocks.0.attn.qkv"] == "its outputs are not in order of the heads"
    assert "blocks.1.attn.qkv" in found.pairs


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"input_ids": ids()}, ["batch 0 of batches to measure on", "inputs and 'labels'"]),
        ([[ids(), LABELS], [ids()[:, :4], LABELS]], ["the shape (6,) of those before", "pad all of them"]),
        (
            [[{"input_ids": ids()}, LABELS], [{"x": ids()}, LABELS]],
            ["before (input_ids)", "found x"],
        ),
        (
            [{"input": ids(), "labels": LABELS}],
            ["what the model's forward pass takes", "'input'"],
        ),
        ([[ids() + 90, LABELS]], ["forward pass takes", "index out of range"]),
    ],
    ids=["labels", "length", "names", "argument", "vocabulary"],
)
def test_bad_batches_of_tokens(batch, words):
    with pytest.raises(InputError) as refused:
        live.measure(made(models.Encoder), batch if isinstance(batch, list) else [batch], quiet=True)
    for word in words:
        assert word in str(refused.value)


def test_the_token_that_the_outputs_are_chosen_from_is_a_stage():
    model = made(models.Causal, True)
    listed = live.stages(model, ids())
    assert (listed.names[-2:], listed.head) == (["end", "score:chosen"], ("score",))
    assert (listed[-1].shape, listed[-1].filters, listed[-1].positions) == ((8,), 8, 1)
    found = measured(model, ids())
    assert found.classifier == "score"  # its features times the weights are the outputs of the model
    arms = found.masks(["afcc", "random"], 0.5)
    assert arms["afcc"].masks["score.weight"].shape == (5, 8)
    assert all(np.isfinite(arm["loss"]) for arm in found.predict(arms, quiet=True)["arms"].values())


def test_tokens_that_are_averaged_behind_the_head_are_not_chosen():
    class Averaged(models.Causal):
        def forward(self, ids):
            self.score_all = True
            x = self.wte(ids)
            return self.score(self.end(x)).mean(1)

    assert "score:chosen" not in live.stages(made(Averaged), ids()).names
