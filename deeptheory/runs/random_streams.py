"""Named, independent random streams of one seed."""

import numpy as np

STREAMS = (
    "split",
    "weights",
    "batches",
    "augmentation",
    "probe",
    "bootstrap",
    "controls",
    "retrain-batches",
    "retrain-augmentation",
    "prediction",
    "budget",
    "revision",
    "shuffled-labels",
    "sensitivity",
    "labels-used",
    "label-noise",
)


def generator(seed: int, stream: str, name: str = "") -> np.random.Generator:
    """The generator of one named stream of a seed, or of one name in it.

    Streams are spawned by position from ``numpy.random.SeedSequence(seed)``, so one stream's draws do not
    move another's. All arms of a run use the same ``retrain-*`` streams: they see the same batches in the
    same order, which is what makes their comparison paired.

    Parameters
    ----------
    seed : int
        The run's seed.
    stream : str
        One of `STREAMS`. New streams go at the end, or old seeds change their meaning.
    name : str
        Of what draws from the stream, where others may join later.
    """
    key = STREAMS.index(stream), *name.encode()
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
