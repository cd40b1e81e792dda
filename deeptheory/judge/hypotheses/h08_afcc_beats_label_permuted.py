"""H8: AFCC beats the same clusters with other labels."""

from deeptheory.judge.hypotheses.rivals import beats

HYPOTHESIS = beats(
    8,
    "label-permuted",
    "AFCC keeps more accuracy than clusters of the same sizes whose labels are drawn at random, at equal "
    "density",
    "the sizes of the clusters alone would do, whatever their labels",
    scatter=0.5,
)
