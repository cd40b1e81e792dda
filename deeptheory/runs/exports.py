"""Networks of a run for other programs."""

import os

from deeptheory import nn, prune
from deeptheory.errors import InputError
from deeptheory.interop.exporting import export
from deeptheory.runs.run import Run
from deeptheory.runs.steps.compaction import chosen_arms, compact, masks_of_arm, retrained_network
from deeptheory.runs.steps.training import trained_network
from deeptheory.store import paths
from deeptheory.tables import Summary


def export_network(
    run: Run, to: str, path: str | os.PathLike[str], arm: str = "", compacted: bool = False
) -> Summary:
    """Write a network of a run for another program, and list the files.

    Parameters
    ----------
    run : Run
        Trained; retrained where an arm is asked for.
    to, path
        As in `interop.exporting.export`.
    arm : str
        The network of this arm after retraining, with zeros where its mask removed weights; may be "unpruned",
        or "as-imported" for what an imported network has zeros of.
        "" is the network as it was trained.
    compacted : bool
        The compact network of the arm instead; it is made if necessary.

    Raises
    ------
    InputError
        An unknown arm, missing results, a compact network without an arm, or what `export` refuses.
    """
    if compacted and not arm:
        raise InputError("--compact", "--arm beside it", "no arm", "name a pruned arm of the run")
    dense = trained_network(run)
    if arm and (compacted or arm != prune.UNPRUNED):
        chosen_arms(run, (arm,))
    network, masks = dense, None
    if compacted:
        compact(run, (arm,))
        network = nn.load_model(paths.compact_file(run.directory, arm))
    elif arm:
        run.require("train" if arm == paths.AS_IMPORTED else "retrain")
        network = retrained_network(run, arm)
        masks = None if arm == prune.UNPRUNED else masks_of_arm(run, network, arm)
    files = export(network, to, path, masks)
    before, after = prune.footprint_of(dense), prune.footprint_of(network)
    what = f"{'compact ' if compacted else ''}network of {run.directory}" + (f", arm {arm}" if arm else "")
    sizes = {str(file): file.stat().st_size for file in files}
    share = after.nonzero / before.nonzero
    lines = [
        what,
        *(f"  {file}: {size} bytes" for file, size in sizes.items()),
        f"  parameters: {after.nonzero} that are not zero, {share:.1%} of those of the trained network",
    ]
    numbers = {
        "files": sizes,
        "parameters": {
            "trained": before.parameters,
            "trained_nonzero": before.nonzero,
            "nonzero": after.nonzero,
        },
    }
    return Summary("\n".join(lines), numbers)
