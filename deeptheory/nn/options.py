"""Options of the network and of its training."""

from typing import Annotated, Literal

from msgspec import Meta

from deeptheory.options import Options

IMPORTED = "imported"  # the name of a network that no option describes: the run holds its blueprint


class NetworkOptions(Options, frozen=True):
    """Which network is built."""

    name: Annotated[
        Literal["vgg6", "vgg11", "vgg16", "lenet", "mlp", "resnet20", "efficientnet-b0", "imported"],
        Meta(description="architecture; imported: that of the file given to 'deeptheory import'"),
    ] = "vgg11"
    width: Annotated[
        float, Meta(gt=0, le=16, description="factor on the number of filters and hidden nodes")
    ] = 0.25
    classifier: Annotated[
        Literal["linear", "hidden"], Meta(description="head alone, or behind two hidden layers (VGG only)")
    ] = "linear"
    depth: Annotated[
        float, Meta(gt=0, le=1, description="factor on the repeats of blocks, rounded up (EfficientNet only)")
    ] = 1.0
    stochastic_depth: Annotated[
        float,
        Meta(ge=0, lt=1, description="probability of dropping the last block's branch (EfficientNet only)"),
    ] = 0.0

    @property
    def title(self) -> str:
        """Name and width in words; the width is no option of an imported network."""
        return f"{self.name} network" if self.name == IMPORTED else f"{self.name}, width {self.width:g}"


class Recipe(Options, frozen=True):
    """How a network is trained: SGD with Nesterov momentum, L2 and a learning-rate schedule."""

    epochs: Annotated[
        int, Meta(ge=0, description="passes over the training inputs; 0 leaves the initial weights")
    ] = 12
    batch: Annotated[int, Meta(ge=2, description="inputs per step")] = 100
    learning_rate: Annotated[float, Meta(gt=0, description="largest learning rate of the schedule")] = 0.1
    momentum: Annotated[float, Meta(ge=0, lt=1, description="Nesterov momentum")] = 0.9
    l2: Annotated[float, Meta(ge=0, description="L2: l2/2 times the sum of squared weights is added")] = 5e-4
    l2_on_all: Annotated[bool, Meta(description="L2 also on batch-norm parameters and biases")] = False
    schedule: Annotated[
        Literal["step", "cosine", "one-cycle"],
        Meta(description="step: times decay every decay_every epochs; one-cycle: up, then to zero"),
    ] = "one-cycle"
    decay: Annotated[float, Meta(gt=0, le=1, description="factor q of the step schedule")] = 0.65
    decay_every: Annotated[
        int, Meta(ge=1, description="epochs dt between two factors of the step schedule")
    ] = 20
    shift: Annotated[int, Meta(ge=0, description="largest random shift of an image, pixels")] = 4
    flip: Annotated[bool, Meta(description="mirror images left to right at random")] = True
