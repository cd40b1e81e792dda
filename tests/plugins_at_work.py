"""Plugins in tests: what they define is taken back afterwards."""

import contextlib

from deeptheory.data.loading import SOURCES
from deeptheory.judge import HYPOTHESES
from deeptheory.nn.architectures import ARCHITECTURES
from deeptheory.nn.learning_rates import SCHEDULES
from deeptheory.plugins.definitions import DEFINITIONS
from deeptheory.prune import CRITERIA
from deeptheory.theory.catalogue import FORMULAS

TABLES = SOURCES, HYPOTHESES, ARCHITECTURES, SCHEDULES, CRITERIA, FORMULAS, DEFINITIONS


def forget():
    """As in a new process: nothing is defined by plugins."""
    for (_, name), one in DEFINITIONS.items():
        del one.table[name]
    DEFINITIONS.clear()


@contextlib.contextmanager
def taken_back():
    """A block after which the tables are what they were."""
    before = [dict(table) for table in TABLES]
    try:
        yield
    finally:
        for table, content in zip(TABLES, before, strict=True):
            table.clear()
            table.update(content)
