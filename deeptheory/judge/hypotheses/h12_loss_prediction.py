"""H12: the loss of accuracy by pruning is predicted beforehand."""

from deeptheory.judge.decision import FIXED
from deeptheory.judge.hypotheses.predicted import predicts

HYPOTHESIS = predicts(
    12,
    "loss-prediction",
    "loss after retraining predicted",
    "the loss after retraining, against the unpruned network retrained equally, is predicted within "
    f"{FIXED.prediction_margin:g} point, over all masks",
    "deeptheory (theory.RecoveryLaw)",
    ("retrained arms",),
    FIXED.prediction_margin,
)
