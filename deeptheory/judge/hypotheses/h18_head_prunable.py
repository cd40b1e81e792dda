"""H18: high dilution of the head alone without loss."""

from deeptheory.judge.hypotheses.dilution_without_loss import HEAD, dilutes

HYPOTHESIS = dilutes(
    18,
    "head-prunable",
    "head prunable",
    "AFCC dilutes the head alone highly (quenched), with no loss of accuracy",
    layers=HEAD,
    command='confirm afcc-cifar100 --data PATH --out DIR --set "prune.stages=[]"',
)
