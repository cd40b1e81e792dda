"""AFCC dilutes layers of one kind by much, and the network loses nothing: one claim on several kinds."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import Unsuited
from deeptheory.judge.decision import FIXED, Hypothesis
from deeptheory.judge.evidence import Arms, Diluted
from deeptheory.judge.hypotheses import planted as made
from deeptheory.judge.rules import NoLoss, Positive
from deeptheory.store.paths import AFCC, UNPRUNED

HIGH = 80.0
"""Percent that counts as high dilution. The paper has no number for "high"; this one was fixed after an
orientation run of one seed, in which the last convolutions had 83 to 89 %, and before any other."""
DILUTION = f"dilution minus {HIGH:g} %"
SCATTER = 0.3  # points
PAPER = "Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 (2025)"
HEAD = "head"


def dilutes(
    number: int,
    name: str,
    label: str,
    claim: str,
    layers: str,
    command: str,
    network: str = "",
    networks: str = "",
) -> Hypothesis[Diluted]:
    """The hypothesis that layers of one kind can be diluted by more than `HIGH` without loss.

    Parameters
    ----------
    number : int
    name, label, claim : str
    layers : str
        Kind of the layers (`Diluted.dilution`). The head may be masked beside them, nothing else.
    command : str
        What makes such a study, without the program.
    network : str
        What the names of such networks begin with; any network if empty.
    networks : str
        Such networks in words.
    """

    do = f"run 'deeptheory {command}', or name such a study"

    def parts(diluted: Diluted) -> dict[str, NDArray[np.float64]]:
        if not diluted.network.startswith(network):
            raise Unsuited("network", networks, diluted.network, do)
        masked = set(diluted.dilution)
        if layers not in masked or not masked <= {layers, HEAD}:
            expected = layers + " and at most the head" * (layers != HEAD)
            raise Unsuited("masked layers", expected, " and ".join(sorted(masked)), do)
        of_settings = {
            f"no loss, {setting}": gain for setting, gain in diluted.arms.gain(AFCC, UNPRUNED).items()
        }
        return {DILUTION: 100 * diluted.dilution[layers] - HIGH, **of_settings}

    def sampling(diluted: Diluted) -> dict[str, NDArray[np.float64]]:
        variances = diluted.arms.gain_variance(AFCC, UNPRUNED)
        return {f"no loss, {setting}": variance for setting, variance in variances.items()}

    def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Diluted:
        gain, excess = (
            made.per_seed(rng, mean, SCATTER, n_seeds) for mean in (effect, effect + FIXED.margin)
        )
        arms: Arms = made.arms(rng, AFCC, UNPRUNED, gain)
        return Diluted(network or "vgg11-10conv", {layers: (HIGH + excess) / 100}, arms)

    return Hypothesis(
        number=number,
        name=name,
        label=label,
        claim=claim,
        source=f'{PAPER}; {HIGH:g} % for "high" is ours, fixed after an orientation run of one seed',
        evidence=Diluted,
        statistic=f"dilution of the masked layers, mean over the {layers}, minus {HIGH:g} %; test accuracy of "
        "AFCC minus that of the unpruned network, both retrained equally long",
        unit="points",
        null=f"a dilution of {HIGH:g} %, or a loss of {FIXED.margin:g} points",
        rule=NoLoss(FIXED.margin, "margin"),
        scatter=SCATTER,
        parts=parts,
        planted=planted,
        sampling=sampling,
        part_rules={DILUTION: Positive()},
    )
