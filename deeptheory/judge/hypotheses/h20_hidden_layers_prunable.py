"""H20: high dilution of hidden fully connected layers without loss, by the performance of single nodes."""

from deeptheory.judge.hypotheses.dilution_without_loss import dilutes

HYPOTHESIS = dilutes(
    20,
    "hidden-layers-prunable",
    "hidden layers prunable",
    "AFCC by single nodes dilutes hidden fully connected layers highly (quenched), with no loss of accuracy",
    layers="hidden layers",
    command="confirm vgg16-classifier-cifar100 --data PATH --out DIR",
)
