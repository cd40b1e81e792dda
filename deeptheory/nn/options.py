"""Options of the network and of its training."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from deeptheory.nn.architectures import NAMES, takers
from deeptheory.options import Options

IMPORTED = "imported"  # the name of a network that no option describes: the run holds its blueprint

if TYPE_CHECKING:
    NetworkName = str
else:
    NetworkName = Literal[(*NAMES, IMPORTED)]


class NetworkOptions(Options, frozen=True):
    """Which network is built."""

    name: Annotated[
        NetworkName, Meta(description="architecture; imported: that of the file given to 'deeptheory import'")
    ] = "vgg11"
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

    @property
    def title(self) -> str:
        """Name and width in words; an imported network has no width."""
        return f"{self.name} network" if self.name == IMPORTED else f"{self.name}, width {self.width:g}"

    @property
    def of_architecture(self) -> dict[str, Any]:
        """The options that only some architectures take (`build`): all but name and width."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("name", "width")}


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
