"""Summaries of a run and its steps, as the commands print them."""

import functools
from collections.abc import Callable
from typing import Any

from deeptheory import prune
from deeptheory.runs.network_sources import imported_network
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.runs.summaries import prediction_summaries
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree
from deeptheory.tables import Summary, Table


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
        name: prediction_summaries.budgeted(
            run, run.read_number(paths.join(paths.BUDGET, name, paths.TOLERANCE))
        )
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
    return Summary.of_tables(numbers, Table(title, header, rows, left=(0, 6)))


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
    return Summary.of_tables(numbers, Table(title, ("stage", *columns), rows, notes=notes))


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
    return Summary.of_tables(numbers, Table(title, header, rows))


SUMMARIES: dict[str, Callable[[Run], Summary]] = {
    "measure": measured,
    "predict": prediction_summaries.predicted,
    "prune": pruned,
    "retrain": retrained,
}
