"""Evidence on heads of attention, as plain arrays."""

from dataclasses import dataclass

from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.evidence import Arms, Floats, Values, check_shapes


@dataclass(frozen=True)
class Heads:
    """Numbers of the heads of attention of every block of a transformer, from the input upwards.

    Parameters
    ----------
    stages : tuple of str
        The B stages whose filters are heads, such as "heads1".
    values : mapping of str to (S, B) float array
        ``snr_mean_field``, ``snr_measured`` and ``cluster_size`` as in `run.h5`; ``scattered_cluster_size`` of the
        same clipped fields with their ones beside the diagonal at random places; ``single_filter_accuracy``, mean
        over the heads.
    n_labels : int
    chance : (S,) float array
        Accuracy of always giving the most frequent label.
    n_inputs : int
        Number of inputs that the accuracies are counted on; 0 leaves their sampling error out.
    """

    stages: tuple[str, ...]
    values: Values
    n_labels: int
    chance: Floats
    n_inputs: int = 0

    def __post_init__(self) -> None:
        if len(self.stages) < 2:
            raise Unsuited("stages of heads", "two blocks or more", ", ".join(self.stages) or "none")
        check_shapes(self.values, (len(self.stages),), "heads")


class HeadArms(Arms):
    """Arms of which heads of attention are masked, or layers that read them, or the nodes between them."""


@dataclass(frozen=True)
class SingleFilters:
    """Signal-to-noise ratio and accuracy of single filters, measured on the same inputs and labels.

    Parameters
    ----------
    convolutions, heads : tuple of S mappings of str to (2, C) float array
        By seed and stage two rows over the filters that serve a label: the logarithm of the filter's
        signal-to-noise ratio, and the logit of its accuracy.
    """

    convolutions: tuple[Values, ...]
    heads: tuple[Values, ...]

    def __post_init__(self) -> None:
        if len(self.convolutions) != len(self.heads):
            found = f"{len(self.convolutions)} and {len(self.heads)} seeds"
            raise InputError("single filters", "convolutions and heads of the same seeds", found)
        for convolutions, heads in zip(self.convolutions, self.heads, strict=True):
            if len(convolutions) < 3 or not heads:
                found = f"{len(convolutions)} and {len(heads)}"
                raise InputError("single filters", "3 stages of convolutions and one of heads", found)
