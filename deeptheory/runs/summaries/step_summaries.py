"""What the commands print of a run: a screenful of text, and the same numbers for JSON."""

from collections.abc import Callable
from typing import Any

from deeptheory import prune
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.tables import Summary, Table


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
        finished, seconds = run.read(f"{step}/finished"), run.read(f"{step}/wall_seconds")
        lines.append(f"  {step:<8} done {finished}, {seconds:.0f} s")
    if run.done("train"):
        numbers["accuracy"] = run.read("train/accuracy")
        numbers["provenance"] = run.read(f"{paths.PROVENANCE}/train")
        shares = ", ".join(f"{name} {value:.4f}" for name, value in numbers["accuracy"].items())
        machine = numbers["provenance"]
        revision = machine["git_revision"][:10] or "no git revision"
        dirty = " with changes" if machine["git_dirty"] else ""
        lines.append(f"  accuracy: {shares}; {machine['threads']} threads, {revision}{dirty}")
    if run.has(paths.IMPORT):
        source = numbers["import"] = run.read(paths.IMPORT)
        lines.append(
            f"  imported from {source['file']} as {source['architecture']}, sha256 {source['sha256']}"
        )
        lines += [f"  {note}" for note in source["notes"]]
    for step, part in of_steps(run).items():
        lines += ["", part.text]
        numbers[step] = part.numbers
    for name, part in of_budgets(run).items():
        lines += ["", part.text]
        numbers.setdefault("budget", {})[name] = part.numbers
    return Summary("\n".join(lines), numbers)


def of_steps(run: Run) -> dict[str, Summary]:
    """What there is to say of the steps that are done; the arms of retrain repeat those of prune."""
    return {step: report(run) for step, report in SUMMARIES.items() if step != "prune" and run.done(step)}


def of_budgets(run: Run) -> dict[str, Summary]:
    """The prunable sets that were asked for, by the name of their group."""
    groups = {name: f"{paths.BUDGET}/{name}" for name in run.names(paths.BUDGET)}
    return {
        name: budgeted(run, run.read(f"{where}/tolerance"))
        for name, where in groups.items()
        if run.has(f"{where}/finished")
    }


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
    title = (
        f"threshold {run.config.measure.threshold:g}; probe: accuracy on the test split; then means over single\n"
        "filters: accuracy alone, AUC of their served labels against the others, labels served"
    )
    return _of_tables(numbers, Table(title, ("stage", *columns), rows))


def stage_numbers(run: Run, stage: str) -> dict[str, float]:
    """What is printed of one measured stage."""
    where = paths.stage_path("measure", stage)
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
    return {
        **{name: run.read(f"{where}/{name}") for name in numbers},
        **{name: float(run.read(f"{where}/{name}").mean()) for name in of_filters},
        "labels_served": float(run.read(f"{where}/served").sum(axis=1).mean()),
    }


def predicted(run: Run) -> Summary:
    """The prunable share of every masked layer and the predicted accuracy of every arm."""
    run.require("predict")
    layers, arms = run.read("predict/layers"), run.read("predict/arms")
    rows = [
        (
            name,
            str(int(layer["prunable"].sum())),
            str(layer["prunable"].size),
            f"{layer['dilution']:.4f}",
            f"{layer['expected_dilution']:.4f}" if "expected_dilution" in layer else "-",
        )
        for name, layer in layers.items()
    ]
    header = ("layer", "prunable kernels", "of", "dilution", "without structure")
    arm_rows = [
        (
            name,
            f"{arm['retrained']:.4f} +- {arm['retrained_error']:.4f}",
            f"{100 * arm['loss']:+.2f} +- {100 * arm['loss_error']:.2f}",
            f"{arm['refitted']:.4f}",
            f"{arm['head']['accuracy']:.4f}",
            f"{arm['head']['counted']:.4f}",
        )
        for name, arm in arms.items()
    ]
    arm_header = ("arm", "predicted", "loss in points", "refitted", "head alone", "head counted")
    arm_title = "predicted test accuracy of every arm; after +- the interval (95 %) of the inputs counted"
    when = f"predicted {run.read('predict/begun')}, threshold {run.config.prune.threshold:g}"
    numbers = {
        "begun": run.read("predict/begun"),
        "dilution": run.read("predict/dilution"),
        "layers": {
            name: {key: value for key, value in layer.items() if key not in ("scores", "prunable")}
            for name, layer in layers.items()
        },
        "arms": arms,
    }
    return _of_tables(numbers, Table(when, header, rows), Table(arm_title, arm_header, arm_rows))


def budgeted(run: Run, tolerance: float) -> Summary:
    """The prunable share of every layer alone and of all together, and the predicted accuracy without it."""
    where = paths.budget_path(tolerance)
    weights = run.read(f"{where}/{paths.NETWORK}/prunable")
    intact, rows, numbers = run.read(f"{where}/intact"), [], {}
    for name in (*weights, paths.NETWORK):
        found = run.read(f"{where}/{name}")
        of_layer, sizes = found["prediction"], [mask.size for mask in found["prunable"].values()]
        gone = [int(mask.sum()) for mask in found["prunable"].values()]
        numbers[name] = {
            "dilution": found["dilution"],
            "prunable_kernels": sum(gone),
            "kernels": sum(sizes),
            "dilution_by_margins": found["dilution_by_margins"],
            **of_layer,
        }
        rows.append(
            (
                name,
                f"{sum(gone)}",
                f"{sum(sizes)}",
                f"{found['dilution']:.4f}",
                f"{found['dilution_by_margins']:.4f}",
                f"{of_layer['retrained']:.4f} +- {of_layer['retrained_error']:.4f}",
                f"{100 * of_layer['loss']:+.2f} +- {100 * of_layer['loss_error']:.2f}",
                f"{of_layer['refitted']:.4f}",
            )
        )
    shares = zip(found["prunable"], gone, sizes, strict=True)
    together = ", ".join(f"{name.removesuffix('.weight')} {part / size:.3f}" for name, part, size in shares)
    header = (
        "layer",
        "prunable",
        "kernels",
        "dilution",
        "by margins",
        "predicted",
        "loss in points",
        "refitted",
    )
    title = (
        f"predicted {run.read(f'{where}/begun')}; intact {intact:.4f}, tolerance {100 * tolerance:g} points\n"
        f"each layer alone, then '{paths.NETWORK}': all together. Intervals: 95 %, of the inputs counted"
    )
    of_all = {"intact": intact, "tolerance": tolerance, "layers": numbers}
    return _of_tables(
        of_all, Table(title, header, rows, notes=[f"dilution when all go together: {together}"])
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
    header = ["arm", "masked", "refitted head", "predicted", "retrained", "dilution", "parameters left"]
    numbers, rows = {}, []
    for arm in (prune.UNPRUNED, *run.config.prune.arms):
        before = run.read(paths.arm_path("prune", arm))
        numbers[arm] = {
            "accuracy_masked": before["accuracy"],
            "accuracy_refitted_head": before["refit_accuracy"],
            "accuracy_predicted": run.read(f"{paths.arm_path('predict', arm)}/retrained"),
            "dilution": before.get("dilution", 0.0),
            **before["cost"],
        }
        after = "-"
        if retrained_too:
            numbers[arm]["accuracy_retrained"] = run.read(f"{paths.arm_path('retrain', arm)}/accuracy")
            after = f"{numbers[arm]['accuracy_retrained']:.4f}"
        of_arm = numbers[arm]
        rows.append(
            (
                arm,
                *(f"{of_arm[f'accuracy_{name}']:.4f}" for name in ("masked", "refitted_head", "predicted")),
                after,
                f"{of_arm['dilution']:.4f}",
                f"{of_arm['parameters_share']:.4f}",
            )
        )
    title = "test accuracy of every arm; dilution: share of the masked layers' weights removed"
    return _of_tables(numbers, Table(title, header, rows))


SUMMARIES: dict[str, Callable[[Run], Summary]] = {
    "measure": measured,
    "predict": predicted,
    "prune": pruned,
    "retrain": retrained,
}
