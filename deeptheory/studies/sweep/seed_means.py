"""The mean over seeds at every grid point of a sweep, as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from deeptheory.judge import with_interval
from deeptheory.store.toml import toml_value
from deeptheory.tables import Table

ACCURACY, NUMBER = ".4f", ".2f"
OF_STAGE = {  # as `deeptheory measure` heads them
    "probe_accuracy": ("probe", ACCURACY),
    "clusters_per_filter": ("N_c", NUMBER),
    "cluster_size": ("C_s", NUMBER),
    "noise": ("noise", NUMBER),
    "share_without_label": ("no label", NUMBER),
    "snr_mean_field": ("SNR mean field", NUMBER),
    "snr_measured": ("SNR measured", NUMBER),
}

Rows = Sequence[Mapping[str, Any]]


def summary(members: Rows, stages: Rows, point: Sequence[str], level: float) -> list[Table]:
    """Mean +- half the t interval over seeds: accuracies, and the measures of the last stage.

    Parameters
    ----------
    members, stages : sequence of dict
        Rows of the two tables of `collect`.
    point : sequence of str
        Columns that members of several seeds share.
    level : float
        Coverage of the intervals (`judge.paired_interval`). They cover the mean over seeds at one point; two
        points whose intervals overlap may still differ, because seeds are paired.
    """
    if not members:
        return []
    accuracies = [name for row in members for name in row if name == "test_accuracy" or "retrained_" in name]
    heads = {name: (name.replace("_", " "), ACCURACY) for name in dict.fromkeys(accuracies)}
    title = f"mean over seeds +- half the {level:.0%} interval"
    tables = [_means(f"accuracy on the test split, {title}", members, point, heads, level)]
    if last := _last_stages(stages):
        names = ", ".join(dict.fromkeys(row["stage"] for row in last))
        tables.append(_means(f"last stage ({names}), {title}", last, point, OF_STAGE, level))
    return tables


def _last_stages(stages: Rows) -> list[Mapping[str, Any]]:
    return list({row["member"]: row for row in stages}.values())


def _means(
    title: str, rows: Rows, point: Sequence[str], heads: Mapping[str, tuple[str, str]], level: float
) -> Table:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(_text(row[name]) for name in point), []).append(row)
    cells = [
        (
            *values,
            str(len(of)),
            *(
                with_interval([row.get(name, float("nan")) for row in of], level, style)
                for name, (_, style) in heads.items()
            ),
        )
        for values, of in groups.items()
    ]
    header = (*(name.rpartition(".")[2] for name in point), "seeds", *(head for head, _ in heads.values()))
    return Table(title, header, cells)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else toml_value(value)
