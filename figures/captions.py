"""The facts about the runs behind a figure, for its caption."""

from collections.abc import Sequence

from deeptheory.nn.options import IMPORTED
from deeptheory.runs.configuration import differences
from deeptheory.runs.run import Run
from deeptheory.store import paths


def facts(runs: Sequence[Run]) -> str:
    """Seeds, network, data, splits and revisions of runs, one per line.

    Options other than the seed in which the runs differ are listed with their values.
    """
    first = runs[0]
    config = first.config
    varied = {name for run in runs[1:] for name, _, _ in differences(config, run.config)} - {"seed"}
    seeds = sorted({run.config.seed for run in runs})
    glyphs = f"rendered glyphs of {config.data.size} x {config.data.size} pixels"
    data = config.data.path or (glyphs if config.data.source == "glyphs" else config.data.source)
    stored = {run.read_text(paths.provenance_path("train", paths.GIT_REVISION)) for run in runs}
    revisions = sorted({revision[:10] or "unknown" for revision in stored})
    trained = "" if config.network.name == IMPORTED else f", trained for {config.train.epochs} epochs"
    if first.done("retrain") or first.has(paths.COMPARE):
        trained += f", arms retrained for {config.retrain.epochs}"
    splits = first.read_tree(paths.join("train", paths.SPLITS))
    lines = [
        f"runs: {len(runs)}, of seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}",
        f"network: {config.network.title}{trained}",
        f"data: {data}, {len(first.read_names(paths.join('train', paths.LABEL_NAMES)))} labels",
        "inputs: "
        + ", ".join(f"{len(splits.read_array(part))} {part}" for part in ("train", "measure", "test")),
        f"thresholds: {config.measure.threshold:g} of clipping, {config.prune.threshold:g} of masks",
        f"revisions: {', '.join(revisions)}",
    ]
    for name in sorted(varied):
        table, option = name.split(".")
        values = dict.fromkeys(getattr(getattr(run.config, table), option) for run in runs)
        lines.append(
            f"differ in {name}: {', '.join(map(str, values))} (the numbers above are of the first run)"
        )
    return "\n".join(lines)
