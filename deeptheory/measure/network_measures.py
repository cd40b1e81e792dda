"""All stages of a network in one pass: class means, fields, clusters, noise and SNR of every filter."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.fields import fields_from_class_means
from deeptheory.measure.mean_activations import class_statistics
from deeptheory.measure.options import MeasureOptions
from deeptheory.measure.stage_measures import StageMeasures, measure_stage
from deeptheory.measure.streaming import Images, Measurable


@dataclass(frozen=True)
class MeasuredStage:
    """Measures of one stage, with the class means and the probe from which its fields are computed.

    Attributes
    ----------
    class_means : float64 array (K, C, P)
    probe_weight : float array (K, C, P)
    measures : StageMeasures
        Strengths, clusters and noise of every filter; mean-field and measured SNR.
    """

    class_means: NDArray[np.float64]
    probe_weight: NDArray[np.floating]
    measures: StageMeasures

    def fields(self, filters: slice = slice(None)) -> NDArray[np.float64]:
        """Field matrices (c, K, K) of some filters, by default of all (8 C K^2 bytes); computed at every call."""
        return fields_from_class_means(self.class_means[:, filters], self.probe_weight[:, filters])


def measure_stages(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    probes: Mapping[str, NDArray[np.floating]],
    threshold: float = 0.3,
    rng: np.random.Generator | None = None,
    title: str = "measure",
    quiet: bool = False,
) -> dict[str, MeasuredStage]:
    """Measure the filters of several stages: one forward pass over the inputs, then fields from class means.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
        Inputs to which neither the network nor the probes were fitted.
    labels : int array (N,)
    probes : mapping of stage name to float array (K, C*P)
        The stages to measure, each with its probe (`fit_probe`).
    threshold : float
        Fields are clipped above this share of the filter's largest.
    rng : numpy.random.Generator, optional
        For the bootstrap and the relabellings; by default the same draws each time.

    Returns
    -------
    dict of MeasuredStage
        By stage name. Memory is 8 K sum(C P) bytes and a filter's field a thread, whatever N is.

    Raises
    ------
    InputError
        A label is out of range or has no input, a stage does not exist, or a probe does not fit its stage.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    options = MeasureOptions(threshold=threshold)
    n_labels = len(next(iter(probes.values())))
    statistics = class_statistics(network, images, labels, list(probes), n_labels, title, quiet)
    measured = {}
    for stage, probe in probes.items():
        means = statistics[stage].means
        if probe.size != means.size:
            raise InputError(
                f"probe of {stage}", f"shape (K, C*P) = {(n_labels, means[0].size)}", f"shape {probe.shape}"
            )
        weight = probe.reshape(means.shape)
        measured[stage] = MeasuredStage(means, weight, measure_stage(means, weight, options, rng))
    return measured
