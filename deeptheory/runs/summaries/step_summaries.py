"""Summaries of a run and its steps, as the commands print them."""

import functools
from collections.abc import Callable
from typing import Any

from deeptheory import prune
from deeptheory.runs.network_sources import imported_network
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree
from deeptheory.tables import Summary, Table

LOSS_COLUMNS = ("loss predicted", "95 % interval", "loss after refit", "head capacity")
FINE = 0.5  # points, below which nobody needs to be told what one input is worth


def _of_tables(numbers: dict[str, Any], *tables: Table) -> Summary:
    return Summary("\n\n".join(map(str, tables)), numbers, tables)


def overview(run: Run) -> Summary:
    """What the run is, what is done, and a line for every stage, masked layer and arm."""
    config = run.config
    lines = [
        f"run {run.directory}: {config.network.title}, seed {config.seed}, "
        f"data {config.data.path or config.data.source}",
    ]
    numbers: dict[str, Any] = {"seed": config.seed, "done": [step for step in paths.STEPS if run.done(step)]}
    for step in numbers["done"]:
        finished = run.read_text(paths.join(step, paths.FINISHED))
        seconds = run.read_number(paths.join(step, paths.WALL_SECONDS))
        lines.append(f"  {step:<8} done {finished}, {seconds:.0f} s")
    if run.done("train"):
        accuracy = numbers["accuracy"] = run.read_numbers(paths.join("train", paths.ACCURACY))
        machine = numbers["provenance"] = run.read_tree(paths.provenance_path("train"))
        shares = ", ".join(f"{name} {value:.4f}" for name, value in accuracy.items())
        revision = machine.read_text(paths.GIT_REVISION)[:10] or "no git revision"
        dirty = " with changes" if machine["git_dirty"] else ""
        lines.append(f"  accuracy: {shares}; {machine['threads']} threads, {revision}{dirty}")
    imported = paths.join("train", paths.IMPORT)
    if run.has(imported):
        source = numbers["import"] = run.read_tree(imported)
        lines.append(
            f"  imported from {source['file']} as {source['architecture']}, sha256 {source['sha256']}"
        )
        lines += [f"  {note}" for note in source.read_names("notes")]
        if not run.done("measure"):
            network = imported_network(run)
            stages = numbers["stages"] = [stage.name for stage in network.stages]
            maskable = numbers["maskable"] = prune.maskable_stages(network)
            masked = ", ".join(config.prune.stages)
            lines.append(f"  stages: {', '.join(stages)}")
            lines.append(f"  masks can act on: {', '.join(maskable)}, head; prune.stages: {masked}")
    if run.has(paths.BRANCH):
        record = numbers["branch"] = run.read_tree(paths.BRANCH)
        lines += _branch_lines(record)
    for step, part in of_steps(run).items():
        lines += ["", part.text]
        numbers[step] = part.numbers
    for name, part in of_budgets(run).items():
        lines += ["", part.text]
        numbers.setdefault("budget", {})[name] = part.numbers
    for name, part in of_comparisons(run).items():
        lines += ["", part.text]
        numbers[name] = part.numbers
    return Summary("\n".join(lines), numbers)


def _branch_lines(record: StoredTree) -> list[str]:
    """Where a branch is from, what was changed, and what it took over."""
    names = (paths.BRANCH_OPTIONS, paths.BRANCH_OLD, paths.BRANCH_NEW)
    changed = [
        f"{option} from {old} to {new}"
        for option, old, new in zip(*(record.read_names(name) for name in names), strict=True)
    ]
    source, date, digest, taken = (
        record.read_text(name)
        for name in (paths.BRANCH_SOURCE, paths.BRANCH_DATE, paths.BRANCH_DIGEST, paths.BRANCH_TAKEN)
    )
    return [
        f"  branch of {source}, {date}, weights sha256 {digest}",
        f"  changed: {'; '.join(changed) or 'nothing'}; taken over: {taken}",
    ]


def of_steps(run: Run) -> dict[str, Summary]:
    """The summaries of the completed steps; that of retrain contains that of prune."""
    return {step: report(run) for step, report in SUMMARIES.items() if step != "prune" and run.done(step)}


def of_budgets(run: Run) -> dict[str, Summary]:
    """The prunable sets that were asked for, by the name of their group."""
    return {
        name: budgeted(run, run.read_number(paths.join(paths.BUDGET, name, paths.TOLERANCE)))
        for name in run.entry_names(paths.BUDGET)
        if run.has(paths.join(paths.BUDGET, name, paths.FINISHED))
    }


def of_comparisons(run: Run) -> dict[str, Summary]:
    """The criteria that were compared, with all layers masked together and with one at a time."""
    layers = run.entry_names(paths.COMPARE_ALONE)
    groups = (paths.COMPARE, *(paths.join(paths.COMPARE_ALONE, layer) for layer in layers))
    return {group: compared(run, group) for group in groups if run.has(group)}


def compared(run: Run, group: str) -> Summary:
    """A line for every criterion and density of a comparison: masked, retrained, loss and prediction."""
    unpruned = run.read_number(paths.join(paths.COMPARE, paths.UNPRUNED, paths.ACCURACY))
    numbers: dict[str, Any] = {paths.UNPRUNED: unpruned}
    rows = []
    for criterion in (name for name in run.entry_names(group) if name != paths.UNPRUNED):
        for density in run.entry_names(paths.join(group, criterion)):
            found = run.read_tree(paths.join(group, criterion, density))
            if paths.NOT_REACHED in found:
                rows.append((criterion, density, *("-",) * 4, found.read_text(paths.NOT_REACHED)))
                continue
            accuracy, masked = (found.read_number(name) for name in (paths.ACCURACY, paths.ACCURACY_MASKED))
            of_mask = {"accuracy": accuracy, "accuracy_masked": masked, "loss": unpruned - accuracy}
            loss = paths.join(paths.PREDICTIONS, criterion, density, paths.LOSS)
            if group == paths.COMPARE and run.has(loss):
                of_mask["loss_predicted"] = run.read_number(loss)
            numbers.setdefault(criterion, {})[density] = of_mask
            predicted = f"{100 * of_mask['loss_predicted']:.2f}" if "loss_predicted" in of_mask else "-"
            cells = (f"{masked:.4f}", f"{accuracy:.4f}", f"{100 * of_mask['loss']:.2f}", predicted)
            rows.append((criterion, density, *cells, ""))
    alone = group.removeprefix(paths.COMPARE).removeprefix("-alone/")
    title = (
        f"criteria compared{f', {alone} masked alone' if alone else ''}; unpruned {unpruned:.4f}; loss in points "
        "against it,\nretrained equally long"
    )
    header = ("criterion", "density", "masked", "retrained", "loss", "loss predicted", "")
    return _of_tables(numbers, Table(title, header, rows, left=(0, 6)))


def measured(run: Run) -> Summary:
    """One line per stage: accuracy of the probe and of single filters, cluster numbers and SNR."""
    run.require("measure")
    columns = (
        "probe",
        "alone",
        "AUC",
        "labels",
        "N_c",
        "C_s",
        "noise",
        "no label",
        "SNR mean field",
        "SNR measured",
    )
    numbers = {stage: stage_numbers(run, stage) for stage in stage_names(run)}
    rows = [
        (
            stage,
            f"{of_stage['probe_accuracy']:.4f}",
            f"{of_stage['single_filter_accuracy']:.4f}",
            f"{of_stage['served_label_auc']:.3f}",
            *(
                f"{of_stage[name]:.2f}"
                for name in ("labels_served", "clusters_per_filter", "cluster_size", "noise")
            ),
            f"{of_stage['share_without_label']:.3f}",
            f"{of_stage['snr_mean_field']:.2f}",
            f"{of_stage['snr_measured']:.2f}",
        )
        for stage, of_stage in numbers.items()
    ]
    options = run.config.measure
    not_held_out = "fields of the test split, not held out; " if options.split == "test" else ""
    title = (
        f"{not_held_out}threshold {options.threshold:g}; probe: accuracy on the test split; "
        "then means over single\n"
        "filters: accuracy alone, AUC of their served labels against the others, labels served"
    )
    notes = (
        "N_c clusters per filter, C_s labels per cluster, noise: ones outside them; the words: docs/concepts.md",
    )
    return _of_tables(numbers, Table(title, ("stage", *columns), rows, notes=notes))


def stage_numbers(run: Run, stage: str) -> dict[str, float]:
    """The numbers of one measured stage that summaries print."""
    numbers = (
        "probe_accuracy",
        "clusters_per_filter",
        "cluster_size",
        "noise",
        "share_without_label",
        "snr_mean_field",
        "snr_measured",
    )
    of_filters = ("single_filter_accuracy", "served_label_auc")
    of_stage = functools.partial(paths.stage_path, "measure", stage)
    with run.reading():
        return {
            **{name: run.read_number(of_stage(name)) for name in numbers},
            **{name: float(run.read_array(of_stage(name)).mean()) for name in of_filters},
            "labels_served": float(run.read_array(of_stage(paths.SERVED)).sum(axis=1).mean()),
        }


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
    return _of_tables(numbers, Table(when, header, rows), Table(arm_title, arm_header, arm_rows, notes=notes))


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
        *_resolution(run),
    ]
    return _of_tables(of_all, Table(title, header, rows, notes=notes))


def _resolution(run: Run) -> list[str]:
    """What one input is worth where few are counted; nothing if it is less than half a point."""
    n_inputs = run.read_array(paths.join("train", paths.SPLITS, "measure")).size
    points = 100 / n_inputs
    if points < FINE:
        return []
    counted = f"counted on {n_inputs} inputs of the measure split, {points:.1f} points each"
    return [f"loss after refit: {counted}, which the interval does not hold"]


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


def pruned(run: Run) -> Summary:
    """Every arm before retraining: accuracy, density and what is left."""
    run.require("prune")
    return _arms(run, retrained_too=False)


def retrained(run: Run) -> Summary:
    """Every arm before and after retraining."""
    run.require("retrain")
    return _arms(run, retrained_too=True)


def _arms(run: Run, retrained_too: bool) -> Summary:
    header = [
        "arm",
        "masked",
        "refitted head",
        "retrained",
        "loss",
        "loss predicted",
        "dilution",
        "parameters left",
    ]
    numbers, rows = {}, []
    for arm in (prune.UNPRUNED, *run.config.prune.arms):
        before = run.read_tree(paths.arm_path("prune", arm))
        numbers[arm] = {
            "accuracy_masked": before.read_number(paths.ACCURACY),
            "accuracy_refitted_head": before.read_number(paths.REFIT_ACCURACY),
            "loss_predicted": run.read_number(paths.arm_path("predict", arm, paths.LOSS)),
            "dilution": before.read_number(paths.DILUTION) if paths.DILUTION in before else 0.0,
            **before.read_numbers(paths.ARM_COST),
        }
        after, loss = "-", "-"
        if retrained_too:
            accuracy = run.read_number(paths.arm_path("retrain", arm, paths.ACCURACY))
            numbers[arm]["accuracy_retrained"] = accuracy
            numbers[arm]["loss"] = numbers[prune.UNPRUNED]["accuracy_retrained"] - accuracy
            after, loss = f"{accuracy:.4f}", f"{100 * numbers[arm]['loss']:.2f}"
        of_arm = numbers[arm]
        rows.append(
            (
                arm,
                *(f"{of_arm[f'accuracy_{name}']:.4f}" for name in ("masked", "refitted_head")),
                after,
                loss,
                f"{100 * of_arm['loss_predicted']:.2f}",
                f"{of_arm['dilution']:.4f}",
                f"{of_arm['parameters_share']:.4f}",
            )
        )
    title = (
        "test accuracy of every arm; loss in points against the unpruned arm retrained equally;\n"
        "dilution: share of the masked layers' weights removed"
    )
    return _of_tables(numbers, Table(title, header, rows))


SUMMARIES: dict[str, Callable[[Run], Summary]] = {
    "measure": measured,
    "predict": predicted,
    "prune": pruned,
    "retrain": retrained,
}
