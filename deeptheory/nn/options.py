"""Options of the network and of its training."""

from collections import ChainMap
from typing import Annotated, Any, Literal

from msgspec import Meta

from deeptheory.data.texts import MOST_WORDS
from deeptheory.nn.architectures import ARCHITECTURES, UNCLEAR, takers
from deeptheory.nn.learning_rates import SCHEDULES
from deeptheory.options import Options

IMPORTED = "imported"  # the name of a network that no option describes: the run holds its blueprint
FROM_FILE = "file"  # that of a network that a file describes
OTHERS: dict[str, Any] = {IMPORTED: None, FROM_FILE: None}


class NetworkOptions(Options, frozen=True):
    """Which network is built."""

    name: Annotated[
        str,
        Meta(
            description="architecture; imported: that given to 'deeptheory import'; file: that of `file`",
            extra={"among": ChainMap(ARCHITECTURES, OTHERS), "unclear": UNCLEAR},
        ),
    ] = "vgg11-10conv"
    width: Annotated[
        float, Meta(gt=0, le=16, description="factor on the number of filters and hidden nodes")
    ] = 0.25
    classifier: Annotated[
        Literal["linear", "hidden"],
        Meta(description=f"head alone, or behind two hidden layers ({takers('classifier')} only)"),
    ] = "linear"
    depth: Annotated[
        float,
        Meta(gt=0, le=1, description=f"factor on the repeats of blocks, rounded up ({takers('depth')} only)"),
    ] = 1.0
    stochastic_depth: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description=f"probability of dropping the last block's branch ({takers('stochastic_depth')} only)",
        ),
    ] = 0.0
    blocks: Annotated[int, Meta(ge=0, description=f"blocks; 0: as published ({takers('blocks')} only)")] = 0
    heads: Annotated[
        int,
        Meta(
            ge=0,
            description=f"heads of a block, a divisor of its channels; 0: as published ({takers('heads')} only)",
        ),
    ] = 0
    positions: Annotated[
        Literal["learned", "sine"],
        Meta(description=f"what is added to tokens by their position ({takers('positions')} only)"),
    ] = "learned"
    dropout: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description=f"probability of dropping tokens' numbers and nodes ({takers('dropout')} only)",
        ),
    ] = 0.0
    conv_layers: Annotated[
        int, Meta(ge=1, description=f"convolutions that make the tokens ({takers('conv_layers')} only)")
    ] = 1
    kernel: Annotated[
        int, Meta(ge=1, description=f"size of their kernels, odd ({takers('kernel')} only)")
    ] = 3
    patch: Annotated[
        int,
        Meta(
            ge=1,
            description=f"side of the patches, a divisor of the image's ({takers('patch')} only)",
            extra={"unit": "pixels"},
        ),
    ] = 4
    words: Annotated[
        int,
        Meta(
            ge=2,
            le=MOST_WORDS,
            description=f"words that are embedded, with padding; by default data.words ({takers('words')} only)",
        ),
    ] = 1000
    hidden_ratio: Annotated[
        int,
        Meta(
            ge=1,
            description=f"hidden nodes of a block for every channel ({takers('hidden_ratio')} only)",
        ),
    ] = 4
    form: Annotated[
        Literal["cifar", "imagenet"],
        Meta(
            description="stem: a 3 x 3 convolution, or 7 x 7 of stride 2 and 3 x 3 pooling of stride 2 "
            "(resnet18 to resnet152 and their wide and grouped kin only)"
        ),
    ] = "cifar"
    file: Annotated[
        str,
        Meta(description="TOML file of stages and layers, in place of a name; relative to this file"),
    ] = ""
    content: Annotated[str, Meta(description="what `file` held, which is recorded in its place")] = ""

    @property
    def title(self) -> str:
        """Name and width in words; an imported network has no width, and one from a file has its own."""
        if self.name in OTHERS:
            return f"{self.name} network" if self.name == IMPORTED else "network from a file"
        return f"{self.name}, width {self.width:g}"

    @property
    def of_architecture(self) -> dict[str, Any]:
        """The options that only some architectures take (`build`): all but name and width."""
        others = ("name", "width", "file", "content")
        return {name: getattr(self, name) for name in self.__struct_fields__ if name not in others}


class Recipe(Options, frozen=True):
    """How a network is trained, whether from scratch or again."""

    epochs: Annotated[
        int,
        Meta(
            ge=0,
            description="passes over the training inputs; 0 leaves the initial weights",
            extra={"unit": "epochs"},
        ),
    ] = 12
    batch: Annotated[int, Meta(ge=2, description="inputs per step", extra={"unit": "inputs"})] = 100
    learning_rate: Annotated[float, Meta(gt=0, description="largest learning rate of the schedule")] = 0.1
    momentum: Annotated[float, Meta(ge=0, lt=1, description="Nesterov momentum; beta1 of adam and adamw")] = (
        0.9
    )
    l2: Annotated[
        float,
        Meta(
            ge=0,
            description="L2: l2/2 times the sum of squared weights is added; adamw: its decoupled weight decay",
        ),
    ] = 5e-4
    l2_on_all: Annotated[bool, Meta(description="L2 also on batch-norm parameters and biases")] = False
    schedule: Annotated[
        str,
        Meta(
            description="step: times decay every decay_every epochs; one-cycle: up, then to zero; piecewise: "
            "times factors from milestones on",
            extra={"among": SCHEDULES},
        ),
    ] = "one-cycle"
    decay: Annotated[float, Meta(gt=0, le=1, description="factor q of the step schedule")] = 0.65
    decay_every: Annotated[
        int,
        Meta(
            ge=1, description="epochs dt between two factors of the step schedule", extra={"unit": "epochs"}
        ),
    ] = 20
    shift: Annotated[
        int, Meta(ge=0, description="largest random shift of an image", extra={"unit": "pixels"})
    ] = 4
    flip: Annotated[bool, Meta(description="mirror images left to right at random")] = True
    optimiser: Annotated[
        Literal["sgd", "adam", "adamw"],
        Meta(description="sgd has Nesterov momentum; adamw decoupled weight decay"),
    ] = "sgd"
    warm_up: Annotated[
        int,
        Meta(
            ge=0,
            description="epochs of a linear rise before the schedule, within epochs",
            extra={"unit": "epochs"},
        ),
    ] = 0
    milestones: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(
            description="epochs from which on the factors of the schedule piecewise hold",
            extra={"unit": "epochs"},
        ),
    ] = ()
    factors: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=1)], ...],
        Meta(description="on learning_rate, one for each of the milestones"),
    ] = ()
    clip_norm: Annotated[
        float,
        Meta(ge=0, description="largest norm of the whole gradient, longer ones are scaled to it; 0: any"),
    ] = 0.0
    label_smoothing: Annotated[
        float, Meta(ge=0, lt=1, description="share of the target that all labels have equally")
    ] = 0.0


class TrainRecipe(Recipe, frozen=True):
    """The recipe of a training from scratch.

    `nn.fit` heeds what all recipes have; `patience` and `label_noise` decide what a run gives it (`nn.EarlyStop`,
    `data.draw_label_noise`).
    """

    patience: Annotated[
        int,
        Meta(
            ge=0,
            description="epochs without a higher accuracy on the measure split until training stops; the best "
            "weights are kept, and what is measured on that split is measured on inputs that chose them; 0: never",
            extra={"unit": "epochs"},
        ),
    ] = 0
    label_noise: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="share of the train split's labels replaced by others, drawn at random, for all that is "
            "trained or fitted on it; the other splits keep theirs",
        ),
    ] = 0.0
