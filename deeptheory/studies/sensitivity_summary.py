"""What `sensitivity` prints: how the measures and the trends over stages depend on how they are measured."""

import math
from collections.abc import Sequence

import numpy as np

from deeptheory.judge import hypothesis, with_interval
from deeptheory.judge.evidence import Stages
from deeptheory.runs.discovery import check_one_configuration
from deeptheory.runs.run import Run
from deeptheory.runs.steps.sensitivity_variations import NUMBERS, variations
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.tables import Summary, text_table

TITLES = {
    "clusters_per_filter": "clusters per filter N_c",
    "relabelled_clusters": "the same with the labels taken in random orders",
    "relabelled_spread": "its standard deviation over the orders",
    "cluster_size": "labels per cluster C_s",
    "noise": "noise per filter n",
    "share_without_label": "share of filters without a label",
    "snr_mean_field": "SNR, mean field",
    "snr_measured": "SNR, measured",
}
LEVEL = 0.95
TRENDS = ("H2", "H3")  # of what depends on the threshold


def sensitivity(runs: Sequence[Run]) -> Summary:
    """Means over runs of one configuration, by stage and variation, and the trends over stages.

    A sensitivity: no threshold is chosen by it, and there is no verdict.
    """
    check_one_configuration(runs, "sensitivity")
    names, stages = [of.name for of in variations(runs[0])], stage_names(runs[0])
    values = {
        name: {
            number: np.array([_over_stages(run, name, number, stages) for run in runs]) for number in NUMBERS
        }
        for name in names
    }
    seeds = "1 seed" if len(runs) == 1 else f"means over {len(runs)} seeds"
    options = runs[0].config.measure
    lines = [
        f"{seeds}; threshold of the run {options.threshold:g}; "
        f"'inputs': that share of the {options.split} split at this threshold"
    ]
    for number, title in TITLES.items():
        rows = [
            (stage, *(_number(values[name][number][:, place].mean()) for name in names))
            for place, stage in enumerate(stages)
        ]
        lines += ["", title, *text_table(("stage", *names), rows)]
    lines += ["", *_trends(values, names, stages)]
    numbers = {
        name: {number: of_number.tolist() for number, of_number in of_name.items()}
        for name, of_name in values.items()
    }
    return Summary(
        "\n".join(lines),
        {"stages": stages, "seeds": [run.config.seed for run in runs], "variations": numbers},
    )


def _trends(values: dict[str, dict[str, np.ndarray]], names: list[str], stages: list[str]) -> list[str]:
    rows = []
    for trend in TRENDS:
        of = hypothesis(trend)
        with np.errstate(divide="ignore", invalid="ignore"):  # a stage without noise has no trend: "-"
            found = {name: of.parts(Stages(tuple(stages), values[name])) for name in names}
        rows += [
            (f"{of.title}, {part}", *(with_interval(found[name][part], LEVEL, ".3g") for name in names))
            for part in found[names[0]]
        ]
    return [
        f"trends over stages (+- half the {LEVEL:.0%} interval over seeds)",
        *text_table(("", *names), rows),
    ]


def _over_stages(run: Run, variation: str, number: str, stages: Sequence[str]) -> list[float]:
    return [run.read_number(paths.sensitivity_path(variation, stage, number)) for stage in stages]


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
