"""Tables of the steps of every run, with revision and machine."""

from collections.abc import Mapping, Sequence
from typing import Any

from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree
from deeptheory.tables import Table

OF_STEP = ("git_revision", "git_dirty", "threads")  # all other facts describe the machine


def provenance_tables(runs: Sequence[Run], names: Sequence[str]) -> list[Table]:
    """One table of all steps of all runs, and one table for every machine with its package versions."""
    rows, machines = list[tuple[str, ...]](), list[dict[str, str]]()
    for run, name in zip(runs, names, strict=True):
        for step in paths.STEPS:
            if not run.done(step):
                continue
            facts = run.read_tree(paths.provenance_path(step))
            machine = dict(_flat({name: value for name, value in facts.items() if name not in OF_STEP}))
            if machine not in machines:
                machines.append(machine)
            rows.append(
                (
                    name,
                    step,
                    run.read_text(paths.join(step, paths.FINISHED)),
                    f"{run.read_number(paths.join(step, paths.WALL_SECONDS)):.0f}",
                    str(facts["threads"]),
                    _revision(facts),
                    str(machines.index(machine) + 1),
                )
            )
    header = ("run", "step", "finished", "wall time in s", "threads", "git revision", "machine")
    tables = [Table("Steps done, run by run", header, rows, left=(0, 1, 2, 5))]
    for number, machine in enumerate(machines, start=1):
        tables.append(Table(f"Machine {number}", ("fact", "value"), list(machine.items()), left=(0, 1)))
    return tables


def _revision(facts: StoredTree) -> str:
    revision = facts.read_text(paths.GIT_REVISION)[:10] or "none"
    return revision + (" with changes" if facts["git_dirty"] else "")


def _flat(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = list[tuple[str, str]]()
    for name, value in facts.items():
        if isinstance(value, dict):
            rows += _flat(value)
        else:
            rows.append((name.replace("_", " "), str(value)))
    return rows
