"""Sentences, the built-in texts: word sequences of a random grammar whose topics differ at three ranges."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Dataset, Labels
from deeptheory.data.texts import IDS, MOST_WORDS, PADDING, UNKNOWN, Ids
from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

PHRASES, RELATIONS = 1, 3  # pairs of words in every sentence, side by side and apart
CHOICES = 8  # words of each kind of pair
TOPICALITY = 0.4  # gamma, standard deviation of the topics' log-probabilities of a single word
SPECIAL = 2  # padding and the unknown word
PAIRED = (PHRASES + RELATIONS) * CHOICES
FEWEST_WORDS = SPECIAL + PAIRED + 16
SHORTEST = 4 * (PHRASES + RELATIONS)  # of the longest sentences: half of it holds all pairs
NUMBER_BYTES = 40  # of a word while a sentence is made


class Grammar(NamedTuple):
    """What the K topics say.

    Attributes
    ----------
    singles : float array (K, n_singles)
        Probabilities of the words that belong to no pair.
    pairs : int array (PHRASES + RELATIONS, K, CHOICES)
        Which word of a kind of pair follows each other one; phrases first.
    noise : float
        Probability that any word of the kind follows instead.
    """

    singles: NDArray[np.float64]
    pairs: NDArray[np.int64]
    noise: float

    @property
    def first_paired(self) -> int:
        """Id of the first word that belongs to a pair."""
        return SPECIAL + len(self.singles[0])


def generate(
    n_labels: int,
    length: int,
    words: int,
    train_per_label: int,
    test_per_label: int,
    noise: float = 0.1,
    seed: int = 0,
) -> Dataset:
    r"""Draw a grammar of K topics, and labelled sentences from it.

    A sentence has a phrase, two words side by side, 3 relations, each of two words with others between them, and
    single words everywhere else. Labels are the topics, and differ in three ways:

    - single words, from :math:`p_k(w) \propto w^{-1} e^{\gamma \xi_{kw}}`, :math:`\xi` normal, gamma = 0.4;
    - phrases: the first word i is any of 8, the second is :math:`\pi_k(i)`, a permutation drawn for the topic;
      with probability `noise` it is any of the 8 instead;
    - relations: the same, but other words come between the two.

    Every word of a pair is equally frequent in all topics, so a model that adds up evidence word by word (naive
    Bayes, logistic regression on counts) has the single words alone; one that adds up evidence of neighbouring
    words has the phrases too; only one that compares distant words has all. Of the mean Kullback-Leibler
    divergence between two topics, for a sentence of n words (about, as :math:`p_k` is normalised)

    .. math:: D = (n - 8) \gamma^2 + d + 3 d, \quad
        d = \left(1 - \tfrac18\right) (1 - \nu) \ln\left(1 + \frac{8 (1 - \nu)}{\nu}\right)

    they have the first term, the first two, and all three. For each kind of pair the topics are matched at random,
    and the permutation of one is the inverse of the other's: which two words occur does not tell them apart, only
    which comes first. D is NOT an accuracy; those are measured in the project's results.

    Parameters
    ----------
    n_labels : int
        Number of topics K, from 3.
    length : int
        Words of the longest sentences, from 16; the number of words is uniform from half of it on.
    words : int
        Words of the vocabulary, from 50, padding and the unknown word among them.
    train_per_label, test_per_label : int
        Sentences of every topic. Labels are in cyclic order.
    noise : float
        nu, from 0 to below 1.
    seed : int
        Of grammar, training and test sentences, which are three streams.

    Returns
    -------
    Dataset
        Ids `(K * per_label, length, 1, 1)`, determined by the arguments.

    Raises
    ------
    InputError
        An argument is out of range, or the sentences exceed the free memory.
    """
    _check(n_labels, length, words, train_per_label, test_per_label, noise)
    if seed < 0:
        raise InputError("seed", "at least 0", f"{seed}")
    grammar = grammar_of(n_labels, words, noise, seed)
    train, test = (
        _sentences(grammar, length, per_label, np.random.default_rng(stream))
        for per_label, stream in zip((train_per_label, test_per_label), _streams(seed)[1:], strict=True)
    )
    names = tuple(f"topic {label}" for label in range(n_labels))
    return Dataset("sentences", *train, *test, names, words=vocabulary(words))


def vocabulary(words: int) -> tuple[str, ...]:
    """The words by id: "w0" and on are single, "p0.3" and "r2.7" belong to phrases and relations."""
    kinds = [f"p{number}" for number in range(PHRASES)] + [f"r{number}" for number in range(RELATIONS)]
    paired = [f"{kind}.{word}" for kind in kinds for word in range(CHOICES)]
    return PADDING, UNKNOWN, *(f"w{word}" for word in range(words - SPECIAL - PAIRED)), *paired


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Of the grammar, the training and the test sentences."""
    return np.random.SeedSequence(seed).spawn(3)


def grammar_of(n_labels: int, words: int, noise: float, seed: int) -> Grammar:
    """The grammar that `generate` draws its sentences from."""
    rng = np.random.default_rng(_streams(seed)[0])
    n_singles = words - SPECIAL - PAIRED
    weights = np.exp(TOPICALITY * rng.standard_normal((n_labels, n_singles))) / np.arange(1, n_singles + 1)
    pairs = np.empty((PHRASES + RELATIONS, n_labels, CHOICES), np.int64)
    for kind in pairs:
        kind[:] = rng.permuted(np.tile(np.arange(CHOICES), (n_labels, 1)), axis=1)
        matched = rng.permutation(n_labels)[: n_labels - n_labels % 2].reshape(-1, 2)
        kind[matched[:, 1]] = np.argsort(kind[matched[:, 0]], axis=1)  # the inverse
    return Grammar(weights / weights.sum(axis=1, keepdims=True), pairs, noise)


def _sentences(grammar: Grammar, length: int, per_label: int, rng: np.random.Generator) -> tuple[Ids, Labels]:
    """Sentences of every topic, `(K * per_label, length, 1, 1)`, and their labels in cyclic order."""
    n_labels = len(grammar.singles)
    labels = np.tile(np.arange(n_labels), per_label)
    ids = np.zeros((len(labels), length), IDS)
    lengths = rng.integers(length // 2, length + 1, len(labels))
    below = np.cumsum(grammar.singles, axis=1)[:, :-1]
    kinds = np.arange(PHRASES + RELATIONS)
    for number, (label, n_words) in enumerate(zip(labels, lengths, strict=True)):
        firsts, seconds = _places(n_words, rng)
        sentence = ids[number, :n_words]
        sentence[:] = SPECIAL + np.searchsorted(below[label], rng.random(n_words), side="right")
        words = rng.integers(CHOICES, size=(2, len(kinds)))
        told = rng.random(len(kinds)) >= grammar.noise
        words[1, told] = grammar.pairs[kinds, label, words[0]][told]
        sentence[firsts], sentence[seconds] = grammar.first_paired + CHOICES * kinds + words
    return ids[:, :, None, None], labels


def _places(n_words: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the first and the second words of all pairs stand: of phrases side by side, of relations not."""
    n_items = n_words - PHRASES  # a phrase is one item
    while True:
        items = rng.permutation(n_items)[: PHRASES + 2 * RELATIONS]
        related = np.sort(items[PHRASES:].reshape(RELATIONS, 2), axis=1)
        phrases = items[:PHRASES]
        starts = np.concatenate([phrases, related[:, 0]])
        starts = starts + (phrases < starts[:, None]).sum(axis=1)
        ends = related[:, 1] + (phrases < related[:, 1:]).sum(axis=1)
        if (ends - starts[PHRASES:] > 1).all():
            return starts, np.concatenate([starts[:PHRASES] + 1, ends])


def _check(
    n_labels: int, length: int, words: int, train_per_label: int, test_per_label: int, noise: float
) -> None:
    for name, value, least, unit in (
        ("n_labels", n_labels, 3, "topics"),
        ("length", length, SHORTEST, "words, so that half of them hold all pairs"),
        ("words", words, FEWEST_WORDS, "words"),
        ("train_per_label", train_per_label, 1, "sentence"),
        ("test_per_label", test_per_label, 1, "sentence"),
    ):
        if value < least:
            raise InputError(name, f"at least {least} {unit}", f"{value}")
    if words > MOST_WORDS:
        raise InputError("words", f"at most {MOST_WORDS} words", f"{words}")
    if not 0 <= noise < 1:
        raise InputError("noise", "a number from 0 to below 1", f"{noise}")
    n_texts = n_labels * (train_per_label + test_per_label)
    needed = n_texts * length * np.dtype(IDS).itemsize + NUMBER_BYTES * n_labels * words
    require_memory(f"{n_texts} sentences", needed, "ask for fewer or shorter sentences")
