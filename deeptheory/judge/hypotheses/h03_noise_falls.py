"""H3: the noise per filter falls with depth."""

import numpy as np

from deeptheory.judge.hypotheses.over_stages import rises

HYPOTHESIS = rises(
    3,
    "noise-falls",
    "noise falls with depth",
    "the noise per filter falls with the depth of the stage",
    "Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    "-ln(noise per filter)",
    "per stage",
    {"noise": "noise"},
    scatter=0.02,  # 0.01 in pilot runs
    typical=(-6.0, 0.3),
    transform=lambda noise: -np.log(noise),  # so that different numbers of labels can be compared
    inverse=lambda height: np.exp(-height),
)
