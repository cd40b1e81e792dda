"""The claims of the field, one file each."""

from typing import Any

from deeptheory.errors import unknown_name
from deeptheory.judge.hypotheses import (
    h01_probe_accuracy_rises,
    h02_snr_rises,
    h03_noise_falls,
    h04_error_linear_in_labels,
    h05_clusters_independent_of_labels,
    h06_afcc_no_loss,
    h07_afcc_beats_random,
    h08_afcc_beats_label_permuted,
    h09_afcc_beats_magnitude,
    h10_layer_prunable,
    h11_field_theory,
    h12_snr_budget_prediction,
    h13_committee,
    h14_capacity,
    h15_clusters_no_artefact,
)
from deeptheory.judge.hypothesis import Hypothesis

_MODULES = (
    h01_probe_accuracy_rises,
    h02_snr_rises,
    h03_noise_falls,
    h04_error_linear_in_labels,
    h05_clusters_independent_of_labels,
    h06_afcc_no_loss,
    h07_afcc_beats_random,
    h08_afcc_beats_label_permuted,
    h09_afcc_beats_magnitude,
    h10_layer_prunable,
    h11_field_theory,
    h12_snr_budget_prediction,
    h13_committee,
    h14_capacity,
    h15_clusters_no_artefact,
)
HYPOTHESES: dict[str, Hypothesis[Any]] = {module.HYPOTHESIS.name: module.HYPOTHESIS for module in _MODULES}


def hypothesis(name: str) -> Hypothesis[Any]:
    """A hypothesis by its name, or its number as "H7".

    Raises
    ------
    InputError
        There is none; the nearest name is suggested.
    """
    numbers = {f"h{of.number}": of for of in HYPOTHESES.values()}
    found = HYPOTHESES.get(name) or numbers.get(name.lower())
    if found is None:
        raise unknown_name("hypothesis", name, HYPOTHESES)
    return found
