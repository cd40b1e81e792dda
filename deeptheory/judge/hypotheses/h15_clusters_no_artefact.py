"""H15: clusters are no artefact of the procedure."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Controls
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 0.03
VANISHED = 0.1  # share of ln SNR that may be left of the trained network's
CONTROLS = {"untrained": "untrained network", "shuffled-labels": "shuffled labels"}


def parts(controls: Controls) -> dict[str, NDArray[np.float64]]:
    """`VANISHED` minus the share of ln SNR that a control keeps; a trained network needs an SNR above 1."""
    missing = {"trained", *CONTROLS} - set(controls.snr)
    if missing:
        raise InputError("controls", ", ".join(["trained", *CONTROLS]), f"no {', '.join(sorted(missing))}")
    trained = np.log(controls.snr["trained"])
    shares = {part: np.log(controls.snr[name]) / trained for name, part in CONTROLS.items()}
    return {part: np.where(trained > 0, VANISHED - share, -1.0) for part, share in shares.items()}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Controls:
    """Controls that keep `VANISHED` - effect of ln SNR."""
    trained = rng.uniform(1.0, 2.0, n_seeds)
    kept = {name: VANISHED - per_seed(rng, effect, SCATTER, n_seeds) for name in CONTROLS}
    return Controls(
        {"trained": np.exp(trained), **{name: np.exp(share * trained) for name, share in kept.items()}}
    )


HYPOTHESIS = Hypothesis(
    number=15,
    name="clusters-no-artefact",
    label="clusters no artefact",
    claim="clusters are no artefact: without training, and with shuffled labels, the diagonal blocks of the "
    "clipped fields vanish",
    source="deeptheory",
    evidence=Controls,
    statistic=f"{VANISHED:g} minus ln(SNR of the control)/ln(SNR of the trained network), mean field, last "
    "stage; -1 where the "
    "trained network has an SNR of at most 1",
    unit="share of ln SNR",
    null=f"a control keeps {VANISHED:g} of ln SNR",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
