"""H1: probe accuracy rises with depth."""

from deeptheory.judge.hypotheses.over_stages import rises

HYPOTHESIS = rises(
    1,
    "probe-accuracy-rises",
    "the accuracy of a probe rises with the depth of its stage",
    "The mechanism underlying successful deep learning, arXiv:2305.18078",
    "the test accuracy of the probe",
    "points per stage",
    {"probe accuracy": "probe_accuracy"},
    scatter=0.5,  # 0.06 to 0.6 in pilot runs
    typical=(60.0, 5.0),
    transform=lambda accuracy: 100 * accuracy,
    inverse=lambda points: points / 100,
)
