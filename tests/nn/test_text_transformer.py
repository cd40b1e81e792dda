"""The transformer for text: its stages, what padding leaves unchanged, and inputs that do not fit."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.architectures import narrow
from deeptheory.prune.masked_layers import maskable_stages

RNG = np.random.default_rng


def build(length=9, shape=None, **options):
    options = {"blocks": 2, "heads": 2, "words": 30, "dtype": np.float64} | options
    return nn.build("text-transformer", 5, shape or (length, 1, 1), 1 / 16, rng=RNG(0), **options)


def test_stages():
    network = build(hidden_ratio=3, dropout=0.1)
    shapes = {stage.name: stage.output_shape for stage in network.stages}
    assert list(shapes) == [f"{part}{n}" for n in (1, 2) for part in ("heads", "attention", "nodes", "block")]
    assert (shapes["heads1"], shapes["nodes1"], shapes["block2"]) == ((9, 8, 2), (9, 1, 48), (16,))
    assert list(network.stages[0].layers) == ["mask", "embedding", "positions", "drop", "norm", "attention"]
    assert network.n_words == 30
    assert repr(network).startswith(
        "Network: 8 stages and a head, texts of 9 words, 30 in the vocabulary, to 5"
    )
    assert maskable_stages(narrow("text-transformer"))[:2] == ["attention1", "nodes1"]


@pytest.mark.parametrize("positions", ["learned", "sine"])
def test_padding_changes_no_output(positions):
    network, short = build(9, positions=positions), build(6, positions=positions)
    state = network.state()
    if positions == "learned":
        state["heads1.positions.weight"] = state["heads1.positions.weight"][:6]
    state["block2.pool.weight"] += RNG(2).standard_normal(16)
    network.load_state(network.state() | {"block2.pool.weight": state["block2.pool.weight"]})
    short.load_state(state)
    x = network.examples(4, RNG(1))
    x[:, 6:] = 0
    np.testing.assert_allclose(network.infer(x), short.infer(x[:, :6].copy()), rtol=1e-9)
    x[0, 5:] = 0
    assert not np.allclose(network.infer(x)[0], short.infer(network.examples(1, RNG(1))[:, :6].copy()))


def test_gradients(assert_gradients):
    network, rng = build(), RNG(3)
    x, slope = network.examples(4, rng), rng.standard_normal((4, 5))
    x[:2, 5:] = 0

    def loss():
        return float(np.sum(network.forward(x, training=True)[0] * slope))

    loss()
    network.backward(slope)
    assert_gradients(network, loss, rng, 1e-5)


def test_the_order_of_words_matters():
    network = build()
    x = network.examples(1, RNG(0))
    assert np.abs(network.infer(x).copy() - network.infer(x[:, ::-1].copy())).max() > 1e-4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"heads": 3}, "heads: expected a divisor of the width, 16 channels, found 3; choose other heads"),
        (
            {"shape": (8, 8, 3)},
            "text-transformer: expected ids of words (T, 1, 1), found images (8, 8, 3); take data of texts",
        ),
        ({"words": 1}, "text-transformer: expected at least 2 words and a hidden_ratio of at least 1, found 1"),
        ({"positions": "none"}, "positions: expected one of learned, sine, found 'none'"),
        ({"blocks": -1}, "blocks: expected at least 1, or 0 for the default, found -1"),
        ({"dropout": float("nan")}, "probability of stochastic depth: expected at least 0 and below 1, found nan"),
        ({"stochastic_depth": -0.1}, "probability of stochastic depth: expected at least 0 and below 1, found -"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options, text):
    with pytest.raises(InputError) as error:
        build(**options)
    assert str(error.value).startswith(text)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (
            [[5, 30, 0]],
            "heads1.embedding, ids of words: expected whole numbers from 0 to 29, the vocabulary, found 1 others",
        ),
        ([[0, 0, 0]], "heads1.mask, sequences: expected at least one word in each, found 1 of padding alone"),
        ([[1, 2, 3, 4]], "images: expected shape (N, 3, 1, 1), found shape (1, 4, 1, 1)"),
    ],
)
def test_texts_that_do_not_fit(ids, text):
    with pytest.raises(InputError) as error:
        build(3).infer(np.array(ids, np.float64)[:, :, None, None])
    assert str(error.value).startswith(text)


def test_training_takes_ids_and_moves_none():
    ids, labels = np.full((4, 3, 1, 1), 2, np.uint16), np.array([0, 1, 2, 3])
    network = build(3, dtype=np.float32)

    def fit(images, **options):
        recipe = nn.Recipe(epochs=1, batch=2, **{"shift": 0, "flip": False} | options)
        nn.fit(network, images, labels, recipe, nn.Generators(RNG(0), RNG(1)), session=nn.Session(quiet=True))

    fit(ids)
    with pytest.raises(
        InputError, match=r"shift and flip: expected 0 and false for texts.*set train.shift=0"
    ):
        fit(ids, shift=1)
    with pytest.raises(InputError, match=r"texts: expected uint16 of shape \(N, 3, 1, 1\), found uint8"):
        fit(ids.astype(np.uint8))
