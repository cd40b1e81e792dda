"""H12: the accuracy after pruning and retraining is predicted beforehand."""

from deeptheory.judge.hypotheses.predicted import predicts

HYPOTHESIS = predicts(
    12,
    "snr-budget-prediction",
    "accuracy after retraining predicted",
    "the network refitted in closed form predicts the accuracy after retraining within 1.5 points, over all "
    "masks",
    "deeptheory (prune.Predictor)",
    ("retrained arms",),
    1.5,
)
