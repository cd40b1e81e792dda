"""H11: Gaussian field theory predicts the accuracy within one point."""

from deeptheory.judge.decision import FIXED
from deeptheory.judge.hypotheses.predicted import predicts

HYPOTHESIS = predicts(
    11,
    "field-theory",
    "field theory predicts accuracy",
    f"Gaussian field theory predicts the accuracy of the later half of the stages within "
    f"{FIXED.prediction_margin:g} "
    "point, with full and with masked heads",
    "deeptheory (theory.accuracy_from_mixture)",
    ("full heads", "masked heads"),
    FIXED.prediction_margin,
)
