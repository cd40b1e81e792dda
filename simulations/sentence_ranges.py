"""How much of the topic of a sentence lies in single words, in neighbours, and in words that are apart?

python simulations/sentence_ranges.py out/text-transformer/seed-0

On the texts of a trained run with `data.source = "sentences"`, test accuracies of three models: its network,
and logistic regressions on counts of words, without and with counts of neighbouring pairs, fitted to the
train split. And of the most probable topic by the grammar itself, from single words, with phrases, and with
relations: on average no model that sees as much does better.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from scipy import optimize, sparse, special

from deeptheory.system import process_setup

process_setup.configure()  # before anything compiled is imported

from deeptheory import data, nn
from deeptheory.data.sentences import CHOICES, PHRASES, Grammar, grammar_of
from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.system.scripts import run_script
from deeptheory.tables import text_table

FEWEST = 5  # training texts with a pair of words that has a weight of its own
L2 = 3e-3  # times the number of texts and half the sum of squared weights; the best of 1e-3, 3e-3 and 1e-2
SINGLE, NEIGHBOURS, ALL = "single words", "neighbouring pairs too", "all"


def counts(ids: np.ndarray, n_words: int, pairs: bool) -> sparse.csr_matrix:
    """How often every word, and every pair of neighbours, is in each text."""
    rows = np.broadcast_to(np.arange(len(ids))[:, None], ids.shape)
    places = [(rows, ids, ids > 0)]
    if pairs:
        both = (ids[:, 1:] > 0) & (ids[:, :-1] > 0)
        places.append((rows[:, 1:], n_words * (1 + ids[:, :-1]) + ids[:, 1:], both))
    row, column = (np.concatenate([each[part][each[2]] for each in places]) for part in (0, 1))
    width = n_words * (1 + n_words * pairs)
    return sparse.csr_matrix((np.ones(len(row)), (row, column)), (len(ids), width))


def regression(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], n_words: int, pairs: bool
) -> float:
    """Test accuracy of a logistic regression on counts."""
    x, labels = counts(train[0], n_words, pairs), train[1]
    kept = np.flatnonzero(np.asarray((x > 0).sum(axis=0)).ravel() >= FEWEST)
    x, shape = x[:, kept], (len(kept), labels.max() + 1)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logs = special.log_softmax(x @ weights, axis=1)
        slope = np.exp(logs)
        slope[np.arange(len(labels)), labels] -= 1
        value = -logs[np.arange(len(labels)), labels].mean() + L2 / 2 * np.sum(weights**2)
        return float(value), (x.T @ slope / len(labels) + L2 * weights).ravel()

    found = optimize.minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B").x.reshape(shape)
    logits = counts(test[0], n_words, pairs)[:, kept] @ found
    return float(np.mean(logits.argmax(axis=1) == test[1]))


def by_grammar(grammar: Grammar, ids: np.ndarray, labels: np.ndarray, n_words: int) -> list[float]:
    """Accuracies of the most probable topic: by single words, with phrases, with relations."""
    first = grammar.first_paired
    terms = [
        counts(ids, n_words, False)[:, first - grammar.singles.shape[1] : first] @ np.log(grammar.singles).T
    ]
    for kind, pairs in enumerate(grammar.pairs):
        words = ids - first - CHOICES * kind
        words = words[(words >= 0) & (words < CHOICES)].reshape(-1, 2)
        told = pairs[:, words[:, 0]] == words[:, 1]
        with np.errstate(divide="ignore"):  # impossible without noise
            terms.append(np.log(grammar.noise / CHOICES + (1 - grammar.noise) * told).T)
    sums = list(itertools.accumulate(terms))
    return [float(np.mean(sums[last].argmax(axis=1) == labels)) for last in (0, PHRASES, -1)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of a trained run")
    run = Run(parser.parse_args().run, quiet=True)
    options, splits = run.config.data, stored_splits(run)
    if options.source != "sentences":
        raise InputError("data.source of the run", "sentences", options.source)
    n_words = len(run.dataset.words)
    images, labels = data.select(run.dataset, splits, "test")
    train, test = (
        (part[0][:, :, 0, 0].astype(int), part[1])
        for part in (data.select(run.dataset, splits, "train"), (images, labels))
    )
    grammar = grammar_of(options.n_labels, options.words, options.noise, options.seed)
    best = by_grammar(grammar, *test, n_words)
    fitted = [regression(train, test, n_words, pairs) for pairs in (False, True)]
    fitted.append(nn.accuracy(trained_network(run), images, labels))
    models = "logistic regression", "logistic regression", run.config.network.name
    rows = [
        (sees, model, f"{accuracy:.3f}", f"{bound:.3f}")
        for sees, model, accuracy, bound in zip((SINGLE, NEIGHBOURS, ALL), models, fitted, best, strict=True)
    ]
    print(f"{len(train[1])} texts to train, {len(labels)} to test, {options.n_labels} topics")
    print("\n".join(text_table(["sees", "model", "test accuracy", "by the grammar itself"], rows)))


if __name__ == "__main__":
    run_script(main)
