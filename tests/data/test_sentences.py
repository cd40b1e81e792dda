"""Sentences: what the grammar says of them, and that models of three ranges differ on them."""

import itertools

import numpy as np
import pytest

from deeptheory.data import generate, sentences
from deeptheory.data.sentences import CHOICES, PHRASES, RELATIONS, grammar_of, vocabulary
from deeptheory.errors import InputError

SIZES = {"n_labels": 12, "length": 20, "words": 120, "train_per_label": 20, "test_per_label": 40}


def paired(ids, grammar):
    """Words and places (N, PHRASES + RELATIONS, 2) of all pairs: the kinds share no word."""
    kinds = (ids - grammar.first_paired) // CHOICES
    kinds[ids < grammar.first_paired] = -1
    places = np.stack([np.nonzero(kinds == kind)[1].reshape(-1, 2) for kind in range(PHRASES + RELATIONS)], 1)
    words = np.take_along_axis(ids[:, None], places, axis=2) - grammar.first_paired
    return words - CHOICES * np.arange(PHRASES + RELATIONS)[:, None], places


def evidence(dataset, grammar):
    """Log-likelihoods (3, N, K) from single words, with phrases, with relations, by the grammar itself."""
    ids = dataset.test_images[:, :, 0, 0].astype(int)
    counts = np.stack([np.bincount(row, minlength=len(dataset.words)) for row in ids])
    of_singles = counts[:, sentences.SPECIAL : grammar.first_paired] @ np.log(grammar.singles).T
    words, _ = paired(ids, grammar)
    told = [pairs[:, words[:, kind, 0]] == words[:, kind, 1] for kind, pairs in enumerate(grammar.pairs)]
    terms = [np.log(grammar.noise / CHOICES + (1 - grammar.noise) * each).T for each in told]
    parts = [of_singles, sum(terms[:PHRASES]), sum(terms[PHRASES:])]
    return list(itertools.accumulate(parts))


def test_sentences_follow_the_grammar():
    dataset = generate(**SIZES, noise=0.0, seed=4)
    grammar = grammar_of(12, 120, 0.0, 4)
    ids, labels = dataset.train_images[:, :, 0, 0].astype(int), dataset.train_labels
    lengths = (ids > 0).sum(axis=1)
    assert (lengths.min(), lengths.max()) == (10, 20)
    assert all((row[:n] > 1).all() and not row[n:].any() for row, n in zip(ids, lengths, strict=True))
    words, places = paired(ids, grammar)
    apart = places[:, :, 1] - places[:, :, 0]
    assert (apart[:, :PHRASES] == 1).all()
    assert (apart[:, PHRASES:] > 1).all()
    for kind in range(PHRASES + RELATIONS):
        assert (grammar.pairs[kind, labels, words[:, kind, 0]] == words[:, kind, 1]).all()
    assert dataset.words == vocabulary(120)
    assert dataset.words[grammar.first_paired] == "p0.0"


def test_the_order_tells_matched_topics_apart():
    pairs = grammar_of(12, 120, 0.1, 0).pairs
    for kind in pairs:
        inverses = [tuple(row) for row in np.argsort(kind, axis=1)]
        assert sorted(inverses) == sorted(map(tuple, kind))


def test_words_single_neighbouring_and_distant_tell_more_and_more():
    dataset = generate(20, 32, 500, 1, 100, noise=0.1, seed=0)
    accuracies = [
        np.mean(each.argmax(axis=1) == dataset.test_labels)
        for each in evidence(dataset, grammar_of(20, 500, 0.1, 0))
    ]
    assert np.round(accuracies, 1).tolist() == [0.4, 0.7, 1.0]


def test_every_word_of_a_pair_is_as_frequent_in_all_topics():
    dataset = generate(**SIZES | {"test_per_label": 400}, seed=1)
    first = grammar_of(12, 120, 0.1, 1).first_paired
    counts = np.zeros((12, 120))
    np.add.at(counts, (dataset.test_labels[:, None], dataset.test_images[:, :, 0, 0]), 1)
    counts = counts[:, first:]
    expected = 2 * 400 / CHOICES
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < counts.size + 5 * np.sqrt(2 * counts.size)  # of words by two it is smaller


def test_they_follow_from_their_seed():
    one, same, other = (generate(**SIZES, seed=seed).fingerprint for seed in (0, 0, 1))
    assert one == same != other
    longer = generate(**SIZES | {"train_per_label": 5}, seed=0)
    assert np.array_equal(longer.test_images, generate(**SIZES, seed=0).test_images)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_labels": 2}, "n_labels: expected at least 3 topics, found 2"),
        ({"length": 15}, "length: expected at least 16 words, so that half of them hold all pairs, found 15"),
        ({"words": 40}, "words: expected at least 50 words, found 40"),
        ({"words": 70000}, "words: expected at most 65536 words, found 70000"),
        ({"seed": -1}, "seed: expected at least 0, found -1"),
        ({"noise": 1.0}, "noise: expected a number from 0 to below 1, found 1.0"),
        ({"test_per_label": 0}, "test_per_label: expected at least 1 sentence, found 0"),
    ],
)
def test_errors(options, text):
    with pytest.raises(InputError) as error:
        generate(**SIZES | options)
    assert str(error.value) == text
