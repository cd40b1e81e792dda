"""A compact PyTorch model has the outputs of the masked one, and fewer channels."""

import numpy as np
import pytest

from deeptheory.errors import InputError

torch = pytest.importorskip("torch")
tn = torch.nn
pytest.importorskip("torch_pruning")
from deeptheory.interop import torch as live  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


class Residual(tn.Module):
    def __init__(self):
        super().__init__()
        self.stem = tn.Conv2d(2, 8, 3, padding=1)
        self.conv1, self.bn1 = tn.Conv2d(8, 12, 3, padding=1, bias=False), tn.BatchNorm2d(12)
        self.conv2, self.bn2 = tn.Conv2d(12, 8, 3, padding=1, bias=False), tn.BatchNorm2d(8)
        self.fc = tn.Linear(8 * 4, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(tn.functional.adaptive_avg_pool2d(x, 2).flatten(1))


class Concat(tn.Module):
    def __init__(self, pooled=1):
        super().__init__()
        self.stem, self.pooled = tn.Conv2d(2, 8, 3), pooled
        self.new, self.norm = tn.Conv2d(8, 6, 3, padding=1), tn.BatchNorm2d(6)
        self.fc = tn.Linear(14 * pooled**2, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.cat([x, torch.relu(self.norm(self.new(x)))], 1)
        return self.fc(tn.functional.adaptive_avg_pool2d(x, self.pooled).flatten(1))


class Inverted(tn.Module):
    """Depthwise convolution and squeeze-and-excitation."""

    def __init__(self):
        super().__init__()
        self.expand, self.bn1 = tn.Conv2d(2, 10, 1, bias=False), tn.BatchNorm2d(10)
        self.deep, self.bn2 = tn.Conv2d(10, 10, 3, padding=1, groups=10, bias=False), tn.BatchNorm2d(10)
        self.reduce, self.gate = tn.Conv2d(10, 3, 1), tn.Conv2d(3, 10, 1)
        self.project, self.fc = tn.Conv2d(10, 6, 1), tn.Linear(6, 5)

    def forward(self, x):
        x = tn.functional.silu(self.bn2(self.deep(tn.functional.silu(self.bn1(self.expand(x))))))
        squeezed = tn.functional.silu(self.reduce(tn.functional.adaptive_avg_pool2d(x, 1)))
        return self.fc(self.project(x * torch.sigmoid(self.gate(squeezed))).mean((2, 3)))


class Normalised(tn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.fc = tn.Linear(6, 8), tn.LayerNorm(8), tn.Linear(8, 5)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.first(x.flatten(1)[:, :6]))))


MODELS = {"residual": Residual, "concat": Concat, "inverted": Inverted}


def settled(make, seed=0):
    """A model in evaluation mode, no norm of which is at its default."""
    torch.manual_seed(seed)
    model = make()
    for module in model.modules():
        if isinstance(module, tn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.normal_()
    return model.eval()


@pytest.fixture
def example():
    return torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def scores_of(model):
    rng = np.random.default_rng(0)
    mixing = [name for name, module in model.named_modules() if getattr(module, "groups", 1) == 1]
    weights = {name: model.get_parameter(f"{name}.weight") for name in mixing if hasattr(model, name)}
    weights = {name: weight for name, weight in weights.items() if weight.ndim > 1}
    return {f"{name}.weight": rng.uniform(size=len(weight)) for name, weight in weights.items()}


@pytest.mark.parametrize("name", MODELS)
def test_channels_that_are_masked_everywhere_go(name, example):
    model = settled(MODELS[name])
    model.fc.requires_grad_(False)
    masks = live.channel_masks(model, scores_of(model), 0.5, example=example)
    found = live.compact(model, masks, example=example)
    live.apply_masks(model, masks)
    with torch.no_grad():
        torch.testing.assert_close(found.model(example), model(example), rtol=0, atol=1e-5)
    inner = [name for name in found.channels if name not in ("fc", "gate")]
    assert len(inner) == 3 if name == "residual" else inner
    for layer in inner:
        before, after = found.channels[layer]
        assert after == (before + 1) // 2 == len(found.model.get_submodule(layer).weight)
    assert found.compact_parameters == sum(p.numel() for p in found.model.parameters()) < found.parameters
    assert found.speedup == found.seconds / found.compact_seconds
    frozen = {key for key, tensor in found.model.named_parameters() if not tensor.requires_grad}
    assert frozen == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("name", ["residual", "concat", "inverted"])
def test_the_constants_of_norms_and_biases_go_to_one_channel(name, example):
    """Rows of weights alone are masked: what their norms and biases add does not vary, and is not lost."""
    model, masks = settled(MODELS[name]), {}
    for layer in {"residual": ["conv1"], "concat": ["new"], "inverted": ["project"]}[name]:
        masks[f"{layer}.weight"] = np.ones(model.get_parameter(f"{layer}.weight").shape, bool)
        masks[f"{layer}.weight"][1:] = False
    found = live.compact(model, masks, example=example, quiet=True)
    assert found.channels[layer][1] <= 3
    live.apply_masks(model, masks)
    with torch.no_grad():
        torch.testing.assert_close(found.model(example), model(example), rtol=0, atol=1e-4)
        model.fc.bias += 1  # the model is still its own
    assert np.isnan(found.speedup)


def test_a_constant_that_a_padded_depthwise_convolution_reads_is_kept(example):
    model = settled(Inverted)
    mask = np.ones((10, 2, 1, 1), bool)
    mask[4:] = False
    with pytest.raises(InputError, match="filters that nothing reads or nothing writes"):
        live.compact(model, {"expand.weight": mask}, example=example)


def test_one_side_of_a_sum_alone_is_not_removed(example):
    model = settled(Residual)
    masks = live.channel_masks(model, scores_of(model), 0.5, example=example)
    del masks["stem.weight"], masks["stem.bias"]
    assert live.compact(model, masks, example=example, quiet=True).channels == {"conv1": (12, 6)}


def test_filters_that_nothing_reads_go(example):
    model = settled(Residual)
    with torch.no_grad():
        model.conv2.weight[:, 3:] = 0
    found = live.compact(model, example=example, quiet=True)
    assert found.channels == {"conv1": (12, 3)}


def test_kernel_masks_are_refused_with_what_would_gain(example):
    model = settled(Residual)
    mask = np.random.default_rng(0).uniform(size=(8, 12, 1, 1)) < 0.5
    masks = {"conv2.weight": np.broadcast_to(mask, (8, 12, 3, 3))}
    with pytest.raises(InputError) as refused:
        live.compact(model, masks, example=example)
    for part in ("so that nothing gets faster", "granularity='filter'", "not in PyTorch"):
        assert part in str(refused.value)


def test_zeros_that_stay_are_told(example):
    model = settled(Residual)
    masks = {"conv1.weight": np.ones((12, 8, 3, 3), bool), "conv2.weight": np.ones((8, 12, 3, 3), bool)}
    masks["conv2.weight"][:, 6:] = False
    masks["conv2.weight"][::2, :6] = False
    text = str(live.compact(model, masks, example=example))
    assert "216 weights left are zeros that no filter goes with: PyTorch computes them all the same" in text
    assert "times as fast as the masked model" in text


def test_a_masked_model_is_compacted_as_it_is(example):
    model = settled(Residual)
    live.apply_masks(model, live.channel_masks(model, scores_of(model), 0.25, example=example))
    model(example).sum().backward()  # as in training: masked weights have a graph
    found = live.compact(model, example=example, quiet=True)
    assert found.channels["conv1"] == (12, 3)
    assert not live.masks_of(found.model)
    assert live.masks_of(model)


def test_what_layer_norm_takes_together_stays(example):
    model = settled(Normalised)
    mask = np.zeros((8, 6), bool)
    mask[:2] = True
    with pytest.raises(
        InputError, match="'first', which stay: 'norm', a LayerNorm, uses all of them together"
    ):
        live.compact(model, {"first.weight": mask}, example=example)
    with pytest.raises(InputError, match=r"scores: expected those of channels that can .*'norm', a"):
        live.channel_masks(model, {"first.weight": np.arange(8)}, 0.5, example=example)


def test_a_concatenation_that_is_not_followed_is_left_whole(example):
    model = settled(lambda: Concat(pooled=2))
    masks = {"new.weight": np.zeros((6, 8, 3, 3), bool)}
    with pytest.raises(InputError, match="Torch-Pruning does not follow where they go"):
        live.compact(model, masks, example=example)


def test_sizes_in_the_forward_pass_are_named(example):
    class Fixed(Concat):
        def forward(self, x):
            return self.fc(self.new(self.stem(x)).mean((2, 3)).view(-1, 6))

    model = settled(Fixed)
    model.fc = tn.Linear(6, 5)
    masks = live.channel_masks(model, {"new.weight": np.arange(6)}, 0.5, example=example)
    with pytest.raises(InputError, match="found one that fails with fewer channels: "):
        live.compact(model, masks, example=example)


def test_scores_are_the_importance_of_the_pruners_of_torch_pruning(example):
    import torch_pruning

    model = settled(Residual)
    scores = {
        "conv1.weight": np.arange(12.0),
        "stem.weight": np.arange(8.0),
        "conv2.weight": np.arange(8.0)[::-1],
    }
    importance = live.Importance(model, scores)
    pruner = torch_pruning.pruner.BasePruner(
        model, example, importance=importance, pruning_ratio=0.5, ignored_layers=[model.fc, model.stem]
    )
    kept = model.conv1.weight[6:].detach().clone()
    pruner.step()
    torch.testing.assert_close(model.conv1.weight.detach(), kept)


@pytest.mark.parametrize(
    ("scores", "density", "text"),
    [
        ({}, 0, r"density: expected a share above 0, at most 1, found 0"),
        (
            {"bn1.weight": np.ones(12)},
            0.5,
            r"the weight of a convolution without groups .* 'bn1.we",
        ),
        ({"conv1.weight": np.ones(11)}, 0.5, r"expected one for each of 12 filters, found shape \(11,\)"),
        ({"conv9.weight": np.ones(11)}, 0.5, "did you mean 'conv"),
        ({}, 0.5, "found no layer that writes them has scores"),
    ],
)
def test_scores_that_do_not_fit_are_refused(example, scores, density, text):
    with pytest.raises(InputError, match=text):
        live.channel_masks(settled(Residual), scores, density, example=example)


@pytest.fixture
def vit():
    from tests.interop.torch import token_models

    torch.manual_seed(0)
    return token_models.ViT().eval()


@pytest.mark.filterwarnings("ignore")  # those of Torch-Pruning
class TestTransformers:
    x = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def without_head(self, block, head=0):
        """The rows of one of two heads of width 4 in queries, keys and values masked; their biases stay."""
        mask = np.ones((3, 2, 4, 8), bool)
        mask[:, head] = False
        return {f"blocks.{block}.attn.qkv.weight": mask.reshape(24, 8)}

    def test_nodes_are_removed_by_their_scores(self, vit):
        scores = {f"blocks.{n}.fc1.weight": np.random.default_rng(n).random(12) for n in (0, 1)}
        masks = live.channel_masks(vit, scores, 0.5, example=self.x)
        assert masks.keys() == {f"blocks.{n}.fc1.{key}" for n in (0, 1) for key in ("weight", "bias")}
        small = live.compact(vit, masks, example=self.x, quiet=True)
        assert small.channels == {f"blocks.{n}.fc1": (12, 6) for n in (0, 1)}

    @pytest.mark.parametrize("scores", [np.array([1.0, 2.0]), np.tile(np.repeat([1.0, 2.0], 4), 3)])
    def test_heads_are_removed_by_their_scores(self, vit, scores):
        named = {f"blocks.{n}.attn.qkv.weight": scores for n in (0, 1)}
        masks = live.channel_masks(vit, named, 0.5, example=self.x)
        assert masks.keys() == {"blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"}
        assert not masks["blocks.0.attn.qkv.bias"].reshape(3, 2, 4)[:, 0].any()
        small = live.compact(vit, masks, example=self.x, quiet=True)
        assert small.channels == {"blocks.0.attn.qkv": (24, 12)}

    @pytest.mark.parametrize("head", [0, 1])
    def test_a_head_without_weights_is_removed_and_its_bias_handed_over(self, vit, head):
        masks = self.without_head(0, head)
        small = live.compact(vit, masks, example=self.x, quiet=True)
        assert small.channels == {"blocks.0.attn.qkv": (24, 12)}
        attention = small.model.blocks[0].attn
        assert (attention.num_heads, tuple(attention.proj.weight.shape)) == (1, (8, 4))
        live.apply_masks(vit, masks)
        with torch.no_grad():
            torch.testing.assert_close(small.model(self.x), vit(self.x), rtol=0, atol=1e-6)
        assert vit.blocks[0].attn.num_heads == 2

    def test_a_head_that_nothing_reads_is_removed(self, vit):
        mask = np.ones((8, 8), bool)
        mask[:, 4:] = False
        small = live.compact(vit, {"blocks.0.attn.proj.weight": mask}, example=self.x, quiet=True)
        assert small.channels == {"blocks.0.attn.qkv": (24, 12)}

    def test_a_head_that_the_forward_pass_counts_stays_with_the_reason(self, vit):
        with pytest.raises(InputError, match=r"'blocks.1.attn.qkv', which stay: the forward pass does not f"):
            live.compact(vit, self.without_head(1), example=self.x, quiet=True)
        both = self.without_head(0) | self.without_head(1)
        small = live.compact(vit, both, example=self.x, quiet=True)
        assert small.uncut.keys() == {"blocks.1.attn.qkv"}

    def test_heads_of_which_parts_are_zero_stay(self, vit):
        mask = np.ones((24, 8), bool)
        mask[20:22] = False
        with pytest.raises(InputError, match="which stay: they are parts of heads, which go as a whole"):
            live.compact(vit, {"blocks.0.attn.qkv.weight": mask}, example=self.x, quiet=True)

    def test_masks_of_a_model_in_bfloat16_count(self, vit):
        masks = live.channel_masks(vit, {"blocks.0.attn.qkv.weight": np.arange(2)}, 0.5, example=self.x)
        live.apply_masks(vit.bfloat16(), masks)
        assert live.masks_of(vit)["blocks.0.attn.qkv.bias"].sum() == 12

    def test_a_constant_that_no_bias_takes_over_stays_with_the_reason(self, vit):
        vit.blocks[0].attn.proj = tn.Linear(8, 8, bias=False)
        with pytest.raises(
            InputError, match=r"which stay: 'blocks.0.attn.proj' has no bias to take over what is"
        ):
            live.compact(vit, self.without_head(0), example=self.x, quiet=True)

    def test_the_last_head_stays(self, vit):
        small = live.compact(vit, self.without_head(0, slice(None)), example=self.x, quiet=True)
        assert small.channels == {"blocks.0.attn.qkv": (24, 12)}

    def test_the_transposed_layers_of_gpt2_are_cut(self):
        from tests.interop.torch import token_models

        torch.manual_seed(0)
        model, ids = token_models.Causal().eval(), torch.arange(18).reshape(3, 6) % 11
        mask = np.ones((8, 3, 2, 4), bool)
        mask[:, :, 0] = False
        masks = {"c_attn.weight": mask.reshape(8, 24)}
        small = live.compact(model, masks, example=ids, quiet=True)
        assert small.channels == {"c_attn": (24, 12)}
        cut = small.model.c_attn
        assert (type(cut), cut.nf, tuple(cut.weight.shape)) == (token_models.Conv1D, 12, (8, 12))
        live.apply_masks(model, masks)
        with torch.no_grad():
            torch.testing.assert_close(small.model(ids)[0], model(ids)[0], rtol=0, atol=1e-6)
        assert model.c_attn.nf == 24

    def test_multihead_attention_of_pytorch_stays_with_the_reason(self):
        from tests.interop.torch import token_models

        torch.manual_seed(0)
        model, ids = token_models.Encoder().eval(), torch.arange(18).reshape(3, 6) % 11
        mask = np.ones((8, 8), bool)
        mask[:, :4] = False
        masks = {"layer.self_attn.out_proj.weight": mask, "layer.linear1.weight": np.zeros((12, 8), bool)}
        masks["layer.linear1.weight"][:6] = True
        small = live.compact(model, masks, example=ids, quiet=True)
        assert small.channels == {"layer.linear1": (12, 7)}
        with pytest.raises(
            InputError, match=r"of 'layer.self_attn.in_proj_weight', which stay: nn.Multihead"
        ):
            live.compact(model, {"layer.self_attn.out_proj.weight": mask}, example=ids, quiet=True)
