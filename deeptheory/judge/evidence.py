"""What hypotheses are tested on: numbers of several seeds, whatever they were read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.arm_results import POINTS
from deeptheory.judge.sampling import difference_variance, paired_variance

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
Correct = Mapping[str, list[NDArray[np.bool_]]]


@dataclass(frozen=True)
class Stages:
    """Numbers of every stage, from the input upwards.

    Parameters
    ----------
    names : tuple of str
        The M stages.
    values : mapping of str to (S, M) float array
        By the name in `run.h5`: ``probe_accuracy``, ``snr_mean_field``, ``snr_measured``, ``noise``, and so on.
    n_test : int
        Number of test inputs; 0 leaves their sampling error out.
    """

    names: tuple[str, ...]
    values: Values
    n_test: int = 0

    def __post_init__(self) -> None:
        check_shapes(self.values, (len(self.names),), "stages")


@dataclass(frozen=True)
class Arms:
    """Test accuracies after retraining, a share.

    Parameters
    ----------
    settings : mapping of str to mapping of str to (S,) float array
        What is masked and how much of it stays, such as "density 0.1", to arm to accuracies; among the arms is
        ``unpruned``, retrained equally long.
    n_test : int
        Number of test inputs; 0 leaves their sampling error out.
    correct : mapping of str to mapping of str to list of S (n_test,) bool arrays
        By setting and arm which test inputs it labels correctly, where that is known.
    """

    settings: Mapping[str, Values]
    n_test: int = 0
    correct: Mapping[str, Correct] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.settings:
            raise InputError("arms", "at least one setting", "none")
        for setting, of_arm in self.settings.items():
            check_shapes(of_arm, (), f"arms at {setting}")
            for arm, accuracies in of_arm.items():
                if not ((accuracies >= 0) & (accuracies <= 1)).all():
                    raise InputError(
                        f"accuracy of {arm} at {setting}", "shares within 0 and 1", str(accuracies)
                    )

    def gain(self, arm: str, rival: str) -> dict[str, Floats]:
        """Accuracy of an arm minus that of its rival in percentage points, by setting, (S,).

        Raises
        ------
        InputError
            One of the two was not retrained in any setting.
        """
        found = {
            setting: POINTS * (of_arm[arm] - of_arm[rival])
            for setting, of_arm in self.settings.items()
            if arm in of_arm and rival in of_arm
        }
        if not found:
            arms = ", ".join(dict.fromkeys(name for of_arm in self.settings.values() for name in of_arm))
            raise Unsuited("arms", f"'{arm}' and '{rival}' among them", arms, "retrain them too")
        return found

    def gain_variance(self, arm: str, rival: str) -> dict[str, Floats]:
        """Variance of `gain` that the test inputs give, in points squared, by setting, (S,).

        Paired where it is known which inputs each arm labels correctly, otherwise as of independent test sets,
        which is more.
        """
        variances = {}
        for setting in self.gain(arm, rival):
            correct = self.correct.get(setting, {})
            if arm in correct and rival in correct:
                pairs = zip(correct[arm], correct[rival], strict=True)
                variances[setting] = POINTS**2 * np.array([paired_variance(*pair) for pair in pairs])
            elif self.n_test:
                of_arm = self.settings[setting]
                variances[setting] = POINTS**2 * difference_variance(of_arm[arm], of_arm[rival], self.n_test)
        return variances


@dataclass(frozen=True)
class SingleLayers:
    """Test accuracies after retraining with one layer masked and all others whole, shares.

    Parameters
    ----------
    density : float
        Of the masked layer.
    unpruned : (S,) float array
        Retrained equally long.
    layers : mapping of str to (S,) float array
        Masked layer to accuracies.
    n_test : int
        Number of test inputs; 0 leaves their sampling error out.
    """

    density: float
    unpruned: Floats
    layers: Values
    n_test: int = 0

    def __post_init__(self) -> None:
        check_shapes({"unpruned": self.unpruned, **self.layers}, (), "layers")

    @property
    def gain(self) -> dict[str, Floats]:
        """Accuracy minus that of the unpruned network in percentage points, by layer, (S,)."""
        return {layer: POINTS * (accuracy - self.unpruned) for layer, accuracy in self.layers.items()}

    @property
    def gain_variance(self) -> dict[str, Floats]:
        """Variance of `gain` as of independent test sets, in points squared, by layer, (S,)."""
        if not self.n_test:
            return {}
        return {
            layer: POINTS**2 * difference_variance(accuracy, self.unpruned, self.n_test)
            for layer, accuracy in self.layers.items()
        }


@dataclass(frozen=True)
class Predictions:
    """Accuracies and losses of accuracy predicted and measured, shares.

    Parameters
    ----------
    groups : mapping of str to tuple of two (S, A) float arrays
        Kind of prediction to what was predicted and what was measured afterwards, seed by seed.
    variances : mapping of str to (S, A) float array
        Kind of prediction to the variance that the test inputs give what was measured; without an entry it is
        left out.
    """

    groups: Mapping[str, tuple[Floats, Floats]]
    variances: Values = field(default_factory=dict)

    def __post_init__(self) -> None:
        for group, (predicted, measured) in self.groups.items():
            check_shapes({"predicted": predicted, "measured": measured}, measured.shape[1:], group)

    def errors(self, group: str) -> Floats:
        """Mean of \\|predicted - measured\\| over what was predicted, in percentage points, (S,)."""
        if group not in self.groups:
            raise InputError("predictions", f"'{group}'", ", ".join(self.groups) or "none")
        predicted, measured = self.groups[group]
        errors: Floats = POINTS * np.abs(predicted - measured).mean(axis=1)
        return errors

    def error_variance(self, group: str) -> Floats:
        """Variance of `errors` that the test inputs give at most, in points squared, (S,).

        That of errors which all have one sign and are made on the same inputs.
        """
        if group not in self.variances:
            return np.zeros(len(self.groups[group][0]))
        errors: Floats = np.sqrt(self.variances[group]).mean(axis=1)
        return POINTS**2 * errors**2


@dataclass(frozen=True)
class Dilutions:
    """Dilution of AFCC masks at the threshold, shares.

    Parameters
    ----------
    measured : mapping of str to (S,) float array
        Masked layer between two stages to its dilution.
    structureless : mapping of str to (S,) float array
        The same layers to the dilution expected of label sets of the same sizes without structure.
    """

    measured: Values
    structureless: Values

    def __post_init__(self) -> None:
        if not self.measured:
            raise Unsuited("dilutions", "at least one masked layer between two stages", "none")
        check_shapes(
            {**self.measured, **{f"{name} without structure": v for name, v in self.structureless.items()}},
            (),
            "dilutions",
        )
        if set(self.measured) != set(self.structureless):
            raise InputError("dilutions", ", ".join(self.measured), ", ".join(self.structureless))

    @property
    def excess(self) -> Floats:
        """Mean over layers of what is measured above what is expected, in percentage points, (S,)."""
        layers = [self.measured[name] - self.structureless[name] for name in self.measured]
        excess: Floats = POINTS * np.mean(layers, axis=0)
        return excess


@dataclass(frozen=True)
class Diluted:
    """A kind of network whose layers AFCC has diluted: how much, and its test accuracies after retraining.

    Parameters
    ----------
    network : str
        Architecture, such as "vgg11-10conv".
    dilution : mapping of str to (S,) float array
        Kind of the masked layers to their dilution, a share, mean over those of the kind: ``last convolutions``
        (the last of the network among them), ``other convolutions``, ``hidden layers``, ``head``.
    arms : Arms
    """

    network: str
    dilution: Values
    arms: Arms

    def __post_init__(self) -> None:
        settings = self.arms.settings
        accuracies = {f"accuracy of {arm}": at[arm] for at in settings.values() for arm in at}
        check_shapes({**self.dilution, **accuracies}, (), "dilution")


@dataclass(frozen=True)
class Costs:
    """What inference with a network costs, dense and compact.

    Parameters
    ----------
    seconds, bytes : mapping of str to (S,) float array
        ``dense`` and ``compact`` to the time of one batch, and to the size of the saved network.
    """

    seconds: Values
    bytes: Values

    def __post_init__(self) -> None:
        for what, of_sides in (("time", self.seconds), ("bytes", self.bytes)):
            check_shapes({f"{what} {side}": of_sides[side] for side in ("dense", "compact")}, (), "costs")


@dataclass(frozen=True)
class LabelScaling:
    """Numbers against the number of labels, of networks trained on that many.

    Parameters
    ----------
    n_labels : tuple of int
        The L numbers of labels K, increasing.
    values : mapping of str to (S, L) float array
        ``max_error`` and ``error`` (over labels, of the test split, shares), ``cluster_size``,
        ``clusters_per_filter`` and ``snr_mean_field`` of the last stage.
    """

    n_labels: tuple[int, ...]
    values: Values

    def __post_init__(self) -> None:
        if list(self.n_labels) != sorted(set(self.n_labels)):
            raise InputError("numbers of labels", "increasing", str(self.n_labels))
        check_shapes(self.values, (len(self.n_labels),), "numbers of labels")


@dataclass(frozen=True)
class Controls:
    """The SNR of the last stage with and without anything to be learnt.

    Parameters
    ----------
    snr : mapping of str to (S,) float array
        Mean-field SNR of the ``trained`` network and of its controls ``untrained`` and ``shuffled-labels``. 1
        means that a one on the diagonal of a clipped field is as frequent as beside it.
    """

    snr: Values

    def __post_init__(self) -> None:
        check_shapes(self.snr, (), "controls")


@dataclass(frozen=True)
class Learning:
    """A soft committee machine learning on line, by theory and simulated.

    Parameters
    ----------
    alpha : (T,) float array
        Times.
    theory : (T,) float array
        Generalisation error.
    simulated : (S, T) float array
    without_named : (S,) float array
        Simulated generalisation error right after the unit that theory names is removed.
    without_other : (S,) float array
        The smallest one after another unit is removed instead.
    """

    alpha: Floats
    theory: Floats
    simulated: Floats
    without_named: Floats
    without_other: Floats

    def __post_init__(self) -> None:
        check_shapes({"simulated": self.simulated}, self.theory.shape, "times")
        check_shapes({"named": self.without_named, "other": self.without_other}, (), "removed units")


@dataclass(frozen=True)
class Storage:
    """Couplings left when patterns are stored by pruning and relearning.

    Parameters
    ----------
    alpha : tuple of float
        The A loads: patterns per original coupling.
    quenched, annealed : (A,) float array
        Share of couplings needed at that load if they are chosen beforehand, and the least by the annealed bound.
    left : (S, A) float array
        Share of couplings left, found by simulation.
    """

    alpha: tuple[float, ...]
    quenched: Floats
    annealed: Floats
    left: Floats

    def __post_init__(self) -> None:
        check_shapes({"left": self.left}, (len(self.alpha),), "loads")


def check_shapes(values: Values, shape: tuple[int, ...], what: str) -> None:
    """Refuse arrays whose first axis is not that of the seeds, or whose others are not `shape`."""
    n_seeds = len(next(iter(values.values()), ()))
    for name, value in values.items():
        if value.shape != (n_seeds, *shape) or not n_seeds:
            expected = f"shape ({', '.join(map(str, ('seeds', *shape)))}), the same seeds everywhere"
            raise InputError(f"{what}, {name}", expected, f"{value.shape}")
