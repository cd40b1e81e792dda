"""Blueprints in run files that no import stores."""

import json

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.runs.network_sources import NetworkSource, blueprint


def fresh(text):
    return NetworkSource(nn.NetworkOptions(name="imported"), 3, (16, 16, 1), text).fresh(
        np.random.default_rng(0)
    )


def stored(**changes):
    network = nn.build("lenet", 3, (16, 16, 1), 0.05, rng=np.random.default_rng(0))
    return json.dumps({**json.loads(blueprint(network)), **changes})


def test_the_blueprint_of_an_import_is_built():
    assert fresh(stored()).n_labels == 3


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "3",
        "[" * 100_000,
        '{"parameters": {}}',
        stored(dtype="none"),
        stored(stages=7),
        stored(buffers={"a": "b"}),
    ],
)
def test_what_is_no_blueprint_is_refused(text):
    with pytest.raises(InputError, match="network of the run: expected a blueprint as an import stores it"):
        fresh(text)


def test_arrays_larger_than_the_memory_are_refused():
    with pytest.raises(InputError, match="network of the run: expected at most 80 % of the free memory"):
        fresh(stored(parameters={"head.linear.weight": [10**6, 10**7]}))
