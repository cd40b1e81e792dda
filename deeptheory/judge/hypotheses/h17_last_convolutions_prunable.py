"""H17: high dilution of the last convolutions of a VGG without loss."""

from deeptheory.judge.hypotheses.dilution_without_loss import dilutes

HYPOTHESIS = dilutes(
    17,
    "last-convolutions-prunable",
    "last convolutions prunable",
    "AFCC dilutes the last convolutions of a VGG highly (quenched), with no loss of accuracy",
    layers="last convolutions",
    command="confirm afcc-cifar100 --data PATH --out DIR",
    network="vgg",
    networks="a VGG",
)
