"""H9: AFCC beats pruning by magnitude."""

from deeptheory.judge.hypotheses.rivals import beats

HYPOTHESIS = beats(
    9,
    "magnitude",
    "AFCC keeps more accuracy than the largest weights, at equal density",
    "the size of the weights alone would do",
    scatter=0.3,
)
