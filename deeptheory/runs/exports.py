"""Networks of a run for other programs."""

import json
import os

from deeptheory import prune
from deeptheory.errors import InputError, unknown_name
from deeptheory.interop.exporting import ENDINGS, export, export_state
from deeptheory.interop.import_account import GRAPH, shape_of
from deeptheory.interop.state.going_back import Origin, tensors_back
from deeptheory.nn.layers.base import Array
from deeptheory.runs import compact_files
from deeptheory.runs.network_sources import stored_blueprint
from deeptheory.runs.run import Run
from deeptheory.runs.steps.compaction import (
    chosen_arms,
    compact,
    masks_of_arm,
    retrained_masks,
    retrained_network,
)
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
        As in `interop.exporting.export`; or "state", the tensors under the names that they were imported with.
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
    if to not in ENDINGS:
        raise unknown_name("--to", to, ENDINGS)
    if compacted and to == "state":
        do = "leave out --compact; interop.torch.compact makes the model itself smaller"
        raise InputError("--compact", "another format than state, which keeps all shapes", "both", do)
    if compacted and not arm:
        raise InputError("--compact", "--arm beside it", "no arm", "name a pruned arm of the run")
    dense = trained_network(run)
    if arm and (compacted or arm != prune.UNPRUNED):
        chosen_arms(run, (arm,))
    network, masks = dense, None
    if compacted:
        compact(run, (arm,))
        network = compact_files.load(run, arm)
    elif arm:
        run.require("train" if arm == paths.AS_IMPORTED else "retrain")
        network = retrained_network(run, arm)
        masks = None if arm == prune.UNPRUNED else masks_of_arm(run, network, arm)
    state = tensors_of_arm(run, arm) if to == "state" else None
    files = export_state(path, *state) if state else export(network, to, path, masks)
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


def tensors_of_arm(run: Run, arm: str = "") -> tuple[dict[str, Array], dict[str, Array] | None]:
    """The tensors of an imported network under their own names, as an arm left them, and the masks of the arm.

    Parameters
    ----------
    run : Run
        Imported; retrained where an arm is asked for.
    arm : str
        As in `export_network`.

    Returns
    -------
    tensors : dict of str to array
    masks : dict of str to bool array, or None
        By the names of the masked tensors, True where a weight is kept; None without a mask.

    Raises
    ------
    InputError
        The run was not imported, or from ONNX, whose names are those of a graph; an import of an earlier version,
        which did not store the shapes of the tensors; as `tensors_back`.
    """
    origin, network = _origin(run), trained_network(run)
    masks = None
    if arm:
        network = retrained_network(run, arm)
        masks = None if arm == prune.UNPRUNED else dict(masks_of_arm(run, network, arm))
    return tensors_back(origin, network.state()), None if masks is None else tensors_back(origin, masks)


def masks_back(run: Run, arm: str) -> dict[str, Array]:
    """The masks of an arm of an imported network, under the names and in the shapes of its tensors.

    Parameters
    ----------
    run : Run
        Imported and pruned.
    arm : str
        With a mask; as it was at the end of retraining, or before it.

    Raises
    ------
    InputError
        As `tensors_of_arm`.
    """
    return tensors_back(_origin(run), dict(retrained_masks(run, trained_network(run), arm)))


def _origin(run: Run) -> Origin:
    where, do = paths.join("train", paths.IMPORT), "export with --to safetensors, torch or onnx"
    what = f"run {run.directory}"
    if not run.has(where):
        raise InputError(
            what, "an imported network, for names to go back to", "one that was trained here", do
        )
    tree = run.read_tree(where)
    if tree.read_text("naming") == GRAPH:
        raise InputError(what, "a network imported from tensors with names", "one from an ONNX graph", do)
    if "shapes" not in tree:
        do = "import the file again into another directory"
        raise InputError(what, "the shapes of the imported tensors", "none: of an earlier version", do)
    return Origin(
        tree.read_text("architecture"),
        tuple(tree.read_names("tensors")),
        tuple(tree.read_names("parameters")),
        tuple(map(shape_of, tree.read_names("shapes"))),
        tree.read_number("norm_epsilon"),
        json.loads(stored_blueprint(run)),
    )
