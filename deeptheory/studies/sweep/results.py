"""The results of a sweep's finished members in two tables, as CSV and HDF5."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.store import hdf5, paths
from deeptheory.store.atomic_files import replacing_file, write_text
from deeptheory.store.toml import toml_value
from deeptheory.studies.sweep.member_rows import Row, Rows, point
from deeptheory.studies.sweep.member_states import MemberState, opened, states
from deeptheory.studies.sweep.options import Sweep, sweep_to_toml
from deeptheory.studies.sweep.reading_processes import read_side_by_side
from deeptheory.studies.sweep.seed_means import summary
from deeptheory.tables import Summary, Table, csv_cell


def collect(root: Path) -> Summary:
    """Write the results of all finished members into the directory of a sweep.

    - `sweep.csv`, one row per member: its directory, the variant if there are any, every option in which members
      differ by its dotted name, the seed, ``test_accuracy`` of the trained network, and for every arm
      ``retrained_ARM``, its test accuracy after retraining.
    - `sweep-stages.csv`, one row per member and stage where stages are measured: the same names, ``stage``,
      and the numbers that `deeptheory measure` prints. ``probe_accuracy`` is on the test split.
    - `sweep.h5`, the same two as groups ``members`` and ``stages`` with one array per column, and beside them
      as ``sweep`` what was asked.
    - `sweep.txt`, the mean over seeds at every grid point (`summary`).

    A number that a member does not have is empty in CSV and NaN in HDF5; a list of values is text. Files are
    written whole; members that are not finished are left out, so means may be over fewer seeds at some points.

    Parameters
    ----------
    root : Path
        Directory of a sweep.

    Returns
    -------
    Summary
        The summary, and both tables.

    Raises
    ------
    InputError
        No sweep was started in the directory.
    """
    root = Path(root)
    sweep = opened(root)
    return write_results(sweep, root, states(sweep, root))


def write_results(sweep: Sweep, root: Path, all_states: Sequence[MemberState]) -> Summary:
    """The same for states that have been read already."""
    members, stages = _rows(sweep, root, all_states)
    tables = summary(members, stages, point(sweep), sweep.config.judge.level)
    text = "\n\n".join(map(str, tables)) or "no member is finished"
    _write_csv(root / paths.SWEEP_MEMBERS, members)
    _write_csv(root / paths.SWEEP_STAGES, stages)
    with replacing_file(root / paths.SWEEP_RESULTS) as temporary, hdf5.open_for_writing(temporary) as file:
        arrays = {
            paths.SWEEP_MEMBER_ROWS: _arrays(members),
            paths.SWEEP_STAGE_ROWS: _arrays(stages),
        }
        hdf5.write_tree(file, {paths.SWEEP_CONFIG: sweep_to_toml(sweep), **arrays})
    write_text(root / paths.SWEEP_SUMMARY, text + "\n")
    return Summary(text, {"members": members, "stages": stages})


def summary_tables(root: Path) -> list[Table]:
    """The means over seeds of what is finished in a sweep; nothing is written."""
    root = Path(root)
    sweep = opened(root)
    members, stages = _rows(sweep, root, states(sweep, root))
    return summary(members, stages, point(sweep), sweep.config.judge.level)


def _rows(sweep: Sweep, root: Path, all_states: Sequence[MemberState]) -> Rows:
    return read_side_by_side(sweep, root, [one for one in all_states if one.state == "done"])


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of all columns that some row has, in the order of their first."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with replacing_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        names = columns(rows)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(csv_cell, names))
        writer.writerows([csv_cell(_plain(row.get(name, ""))) for name in names] for row in rows)


def _arrays(rows: Sequence[Row]) -> dict[str, Any]:
    return {name: _array([_plain(row.get(name)) for row in rows]) for name in columns(rows)}


def _array(values: list[Any]) -> Any:
    if any(isinstance(value, str) for value in values):
        return ["" if value is None else str(value) for value in values]
    return np.array([np.nan if value is None else value for value in values])


def _plain(value: Any) -> Any:
    return toml_value(value) if isinstance(value, list | tuple) else value
