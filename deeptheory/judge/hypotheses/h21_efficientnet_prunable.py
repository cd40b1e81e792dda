"""H21: high dilution of the last convolutions of EfficientNet without loss."""

from deeptheory.judge.hypotheses.dilution_without_loss import dilutes

HYPOTHESIS = dilutes(
    21,
    "efficientnet-prunable",
    "EfficientNet prunable",
    "AFCC dilutes the last convolutions of EfficientNet highly (quenched), with no loss of accuracy",
    layers="last convolutions",
    command="confirm efficientnet-cifar100 --data PATH --out DIR",
    network="efficientnet",
    networks="an EfficientNet",
)
