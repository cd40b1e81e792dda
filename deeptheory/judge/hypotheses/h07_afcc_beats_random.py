"""H7: AFCC beats random pruning at equal density."""

from deeptheory.judge.hypotheses.rivals import beats

HYPOTHESIS = beats(
    7,
    "random",
    "AFCC keeps more accuracy than connections chosen at random, at equal density",
    "any connections of that density would do",
    scatter=0.5,
)
