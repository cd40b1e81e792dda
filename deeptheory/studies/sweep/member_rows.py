"""The numbers of a sweep's finished members, one row of each and one of each of its stages."""

from collections.abc import Sequence
from typing import Any

from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.runs.summaries.step_summaries import stage_numbers
from deeptheory.store import paths
from deeptheory.studies.sweep.member_states import MemberState
from deeptheory.studies.sweep.options import Sweep

Row = dict[str, Any]
Rows = tuple[list[Row], list[Row]]  # of members, of their stages


def read_rows(sweep: Sweep, finished: Sequence[MemberState]) -> Rows:
    """The rows of members that are done, in their order."""
    members: list[Row] = []
    stages: list[Row] = []
    for member_state in finished:
        run = Run(member_state.directory, quiet=True, expected=member_state.member.config)
        names = _names(sweep, member_state)
        with run.reading():
            members.append({**names, **_accuracies(run)})
            stages += _stages(run, names)
    return members, stages


def point(sweep: Sweep) -> list[str]:
    """Names of the columns that members of several seeds share."""
    return [*(["variant"] if sweep.options.variants else []), *sweep.varied]


def _names(sweep: Sweep, member_state: MemberState) -> Row:
    values = member_state.member.point if sweep.options.variants else member_state.member.point[1:]
    return {
        "member": member_state.directory.name,
        **dict(zip(point(sweep), values, strict=True)),
        "seed": member_state.member.config.seed,
    }


def _accuracies(run: Run) -> Row:
    arms = run.entry_names(paths.join("retrain", paths.ARMS)) if run.done("retrain") else []
    return {
        "test_accuracy": run.read_number(paths.join("train", paths.ACCURACY, "test")),
        **{
            f"retrained_{arm}": run.read_number(paths.arm_path("retrain", arm, paths.ACCURACY))
            for arm in arms
        },
    }


def _stages(run: Run, names: Row) -> list[Row]:
    if not run.done("measure"):
        return []
    return [{**names, "stage": stage, **stage_numbers(run, stage)} for stage in stage_names(run)]
