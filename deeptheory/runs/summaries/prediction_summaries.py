"""Summaries of what a run predicts, as the commands print them."""

import math

from deeptheory.runs.run import Run
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree
from deeptheory.tables import Summary, Table

LOSS_COLUMNS = ("loss predicted", "95 % interval", "loss after refit", "head capacity")
FINE = 0.5  # points, below which nobody needs to be told what one input is worth


def predicted(run: Run) -> Summary:
    """The prunable share of every masked layer and the predicted loss of every arm."""
    run.require("predict")
    layers = run.read_trees(paths.join("predict", paths.LAYERS))
    arms = run.read_trees(paths.join("predict", paths.ARMS))
    rows = []
    for name, layer in layers.items():
        prunable, expected = layer.read_array(paths.PRUNABLE), layer.get(paths.EXPECTED_DILUTION)
        rows.append(
            (
                name,
                str(int(prunable.sum())),
                str(prunable.size),
                f"{layer.read_number(paths.DILUTION):.4f}",
                "-" if expected is None else f"{expected:.4f}",
            )
        )
    header = ("layer", "prunable kernels", "of", "dilution", "without structure")
    arm_rows = [
        (
            name,
            *_prediction_cells(arm),
            f"{arm.read_number('head/accuracy'):.4f}",
            f"{arm.read_number('head/counted'):.4f}",
        )
        for name, arm in arms.items()
    ]
    arm_header = ("arm", *LOSS_COLUMNS, "head: theory", "counted")
    notes = [
        "head: accuracy of the intact stages under the masked head, refitted; by field theory, and counted",
        *_resolution(run),
    ]
    arm_title = (
        "predicted loss of test accuracy after retraining, in points against the unpruned arm retrained equally\n"
        + _law(run.read_tree("predict"))
        + _calibrations(run)
    )
    begun = run.read_text(paths.join("predict", paths.BEGUN))
    options = run.config.prune
    when = f"predicted {begun}, threshold {options.threshold:g}"
    if not options.afcc_at_threshold:
        given = "prune.density" if options.density else options.density_from
        when += f"; dilution that of {given}, without structure: AFCC's at the threshold"
    numbers = {
        "begun": begun,
        "dilution": run.read_number(paths.join("predict", paths.DILUTION)),
        "layers": {
            name: {key: value for key, value in layer.items() if key not in ("scores", paths.PRUNABLE)}
            for name, layer in layers.items()
        },
        "arms": arms,
    }
    return Summary.of_tables(
        numbers, Table(when, header, rows), Table(arm_title, arm_header, arm_rows, notes=notes)
    )


def _calibrations(run: Run) -> str:
    """What was retrained to find the law, in a line of its own; nothing if nothing was."""
    where = paths.join("predict", paths.CALIBRATION)
    texts = []
    for name in run.entry_names(where):
        if name != paths.REFITS:
            found = run.read_numbers(paths.join(where, name))
            refit, loss, error = (
                100 * found[entry] for entry in (paths.REFIT_LOSS, paths.LOSS, paths.LOSS_ERROR)
            )
            texts.append(f"{name} {refit:.1f}, {loss:.1f} +- {error:.1f}")
    return f"\ncalibration masks, loss after refit, after retraining:\n{'; '.join(texts)}" if texts else ""


def budgeted(run: Run, tolerance: float) -> Summary:
    """The prunable share of every layer alone and of all together, and the predicted loss without it."""
    stored = run.read_tree(paths.budget_path(tolerance))
    intact, rows, numbers = stored.read_number(paths.INTACT), [], {}
    together = stored.read_tree(paths.NETWORK).read_arrays(paths.PRUNABLE)
    for name in (*together, paths.NETWORK):
        found = stored.read_tree(name)
        masks, prediction = found.read_arrays(paths.PRUNABLE), found.read_tree("prediction")
        removed = sum(int(mask.sum()) for mask in masks.values())
        kernels = sum(mask.size for mask in masks.values())
        dilutions = found.read_number(paths.DILUTION), found.read_number("dilution_by_margins")
        numbers[name] = {
            "dilution": dilutions[0],
            "prunable_kernels": removed,
            "kernels": kernels,
            "dilution_by_margins": dilutions[1],
            **prediction,
        }
        cells = (f"{removed}", f"{kernels}", *(f"{dilution:.4f}" for dilution in dilutions))
        rows.append((name, *cells, *_prediction_cells(prediction)))
    shares = ", ".join(
        f"{name.removesuffix('.weight')} {mask.sum() / mask.size:.3f}" for name, mask in together.items()
    )
    header = (
        "layer",
        "prunable",
        "kernels",
        "dilution",
        "by margins",
        *LOSS_COLUMNS,
    )
    title = (
        f"predicted {stored.read_text(paths.BEGUN)}; intact {intact:.4f}, "
        f"tolerance {100 * tolerance:g} points\n"
        f"each layer alone, then '{paths.NETWORK}': all together. Losses in points against the unpruned network "
        "retrained equally\n" + _law(stored)
    )
    of_all = {"intact": intact, "tolerance": tolerance, "layers": numbers}
    notes = [
        f"dilution when all go together: {shares}",
        "intact: accuracy on the measure split with the head refitted; by margins: dilution that the noise of the",
        "margins alone would allow, without a refit (docs/theory.md), often too much",
        "prunable: the most whose predicted loss, not the upper end of its interval, is within the tolerance",
        *_resolution(run, tolerance),
    ]
    return Summary.of_tables(of_all, Table(title, header, rows, notes=notes))


def _resolution(run: Run, tolerance: float = math.inf) -> list[str]:
    """What one input is worth where few are counted; nothing if it is less than half a point."""
    n_inputs = run.read_array(paths.join("train", paths.SPLITS, "measure")).size
    points = 100 / n_inputs
    if points < FINE:
        return []
    counted = f"counted on {n_inputs} inputs of the measure split, {points:.1f} points each"
    unresolved = ["more than the tolerance: inputs are too few to say what is prunable"]
    return [f"loss after refit: {counted}", *(unresolved if points > 100 * tolerance else [])]


def _prediction_cells(prediction: StoredTree) -> tuple[str, str, str, str]:
    loss, low, high, refit = (
        100 * prediction.read_number(name)
        for name in (paths.LOSS, paths.LOSS_LOW, paths.LOSS_HIGH, paths.REFIT_LOSS)
    )
    capacity = prediction.read_number(paths.CAPACITY)
    return f"{loss:.2f}", f"{low:.2f} to {high:.2f}", f"{refit:.2f}", f"{capacity:.3f}"


def _law(stored: StoredTree) -> str:
    """The law that predictions follow and what it was found from, in a line."""
    if paths.RECOVERY not in stored:
        return "by the law of an earlier version: 0.3 times the loss after the refit, intervals of the count alone"
    law = stored.read_tree(paths.RECOVERY)
    n_masks = int(law.read_number("calibrations"))
    source = f"{n_masks} calibration masks that were retrained" if n_masks else "the training alone"
    return (
        f"recovery law with a = {law.read_number('factor'):.3g}, k = {law.read_number('exponent'):.3g}, "
        f"found from {source}"
    )
