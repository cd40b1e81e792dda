"""Test hypotheses on runs: find the evidence of each among what was given, and judge all of them together."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeptheory import judge
from deeptheory.errors import InputError
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import Run, make_directory
from deeptheory.store import paths
from deeptheory.store.atomic_files import read_json, write_text
from deeptheory.studies import companions, evidence
from deeptheory.tables import Table, as_json

ALL = "all"


def named(names: Sequence[str]) -> list[judge.Hypothesis[Any]]:
    """Hypotheses by name or number, in the order given; "all" is every one.

    Raises
    ------
    InputError
        A name is unknown, or comes twice.
    """
    if list(names) == [ALL]:
        return list(judge.HYPOTHESES.values())
    found = [judge.hypothesis(name) for name in names]
    if len(set(map(id, found))) < len(found):
        raise InputError("hypotheses", "each once", ", ".join(names))
    return found


def judge_on_runs(
    hypotheses: Sequence[judge.Hypothesis[Any]],
    directories: Sequence[Path],
    command: str,
    seeds: Sequence[int],
    quiet: bool = False,
) -> list[judge.Judged]:
    """Judge hypotheses on the runs of some directories.

    Parameters
    ----------
    hypotheses : sequence of Hypothesis
    directories : sequence of Path
        Studies, sweeps, and single runs, which are taken together. Each hypothesis is tested on the one among them
        that has what it needs.
    command : str
        What repeats it.
    seeds : sequence of int
        Of what needs no run, because theory and simulation are computed on the spot.
    quiet : bool

    Raises
    ------
    InputError
        A single hypothesis lacks its evidence, or a directory has no run. Of several hypotheses those that lack
        evidence are undecided, with the reason.
    """
    groups = _groups(directories)
    tested = []
    for hypothesis in hypotheses:
        try:
            tested.append((hypothesis, _evidence(hypothesis, groups, seeds, quiet)))
        except InputError as error:
            if len(hypotheses) == 1:
                raise
            tested.append((hypothesis, error))
    return judge.judge_hypotheses(tested, command)


def descriptions(hypotheses: Sequence[judge.Hypothesis[Any]]) -> list[dict[str, Any]]:
    """What fixes each hypothesis, for programs."""
    return [
        {
            "number": of.number,
            "name": of.name,
            "claim": of.claim,
            "source": of.source,
            "evidence": of.evidence.__name__,
            "statistic": of.statistic,
            "unit": of.unit,
            "null": of.null,
            "rule": of.rule.text,
            "scatter": of.scatter,
        }
        for of in hypotheses
    ]


def numbers(judged: Sequence[judge.Judged]) -> list[dict[str, Any]]:
    """Verdicts with every number, for programs."""
    of_hypotheses = descriptions([one.hypothesis for one in judged])
    return [
        {
            **description,
            "status": one.status,
            "p": one.p,
            "p_holm": one.p_holm,
            "detects": one.detects,
            "parts": [_numbers(part) for part in one.parts],
            "command": one.command,
        }
        for one, description in zip(judged, of_hypotheses, strict=True)
    ]


def _numbers(part: judge.Part) -> dict[str, Any]:
    found = {
        "part": part.name,
        "status": part.status,
        "reason": part.reason,
        "values": part.values.tolist(),
        "p": part.p,
    }
    if part.test:
        found |= {
            name: getattr(part.test, name) for name in ("effect", "low", "high", "interval_level", "n_seeds")
        }
    return found


def summary(verdicts: Sequence[Mapping[str, Any]]) -> Table:
    """One line for every part of every hypothesis, from `numbers` or what `write` stored."""
    rows = [
        (
            f"H{of['number']}",
            of["name"],
            part["part"] if "effect" in part else "-",
            _signed(part.get("effect")),
            of["unit"],
            f"[{_signed(part.get('low'))}, {_signed(part.get('high'))}]",
            _p(part["p"]),
            _p(of["p_holm"]),
            str(part.get("n_seeds", "-")),
            part["status"],
            of["status"],
        )
        for of in verdicts
        for part in of["parts"]
    ]
    header = (
        "",
        "hypothesis",
        "part",
        "effect",
        "unit",
        "interval",
        "p",
        "p Holm",
        "seeds",
        "part",
        "hypothesis",
    )
    title = f"Hypotheses; p Holm over the {len(verdicts)} of them, intervals not corrected"
    notes = [
        f"H{of['number']}: {part['reason']}"
        for of in verdicts
        for part in of["parts"]
        if "effect" not in part
    ]
    notes += [f"repeat with: {command}" for command in dict.fromkeys(of["command"] for of in verdicts)]
    return Table(title, header, rows, left=(0, 1, 2, 4, 9, 10), notes=notes)


def stored_summary(directory: Path) -> Table | None:
    """That of the verdicts in a directory, if there are any."""
    path = directory / paths.HYPOTHESES
    return summary(read_json(path)["hypotheses"]) if path.is_file() else None


def _signed(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:+.3g}"


def _p(value: float | None) -> str:
    return judge.p_text(math.nan if value is None else value)  # JSON has no NaN


def write(judged: Sequence[judge.Judged], directory: Path) -> None:
    """Write `hypotheses.json` and `hypotheses.txt`; in the directory of a study its report shows them."""
    make_directory(directory)
    write_text(directory / paths.HYPOTHESES, as_json({"hypotheses": numbers(judged)}) + "\n")
    write_text(directory / paths.HYPOTHESES_TEXT, text(judged) + "\n")


def text(judged: Sequence[judge.Judged]) -> str:
    """Every hypothesis in full, and where there are several the table of all of them."""
    full = judge.hypothesis_verdicts(judged)
    return f"{full}\n\n{summary(numbers(judged))}" if len(judged) > 1 else full


def _groups(directories: Sequence[Path]) -> list[list[Run]]:
    """Studies one by one, and all single runs together."""
    groups, single = [], []
    for directory in directories:
        runs = find_runs(directory)
        if runs[0].directory == Path(directory):
            single += runs
        else:
            groups.append(runs)
    return [*groups, single] if single else groups


def _evidence(
    hypothesis: judge.Hypothesis[Any], groups: Sequence[Sequence[Run]], seeds: Sequence[int], quiet: bool
) -> Any:
    if hypothesis.evidence in companions.BUILDERS:
        return companions.BUILDERS[hypothesis.evidence](seeds, quiet)
    found, reasons = [], []
    for runs in groups:
        try:
            made = evidence.BUILDERS[hypothesis.evidence](runs)
            hypothesis.parts(made)
            found.append((runs, made))
        except InputError as error:
            reasons.append(error)
    if len(found) == 1:
        return found[0][1]
    if found:
        several = ", ".join(str(runs[0].directory.parent) for runs, _ in found)
        raise InputError(hypothesis.title, "one study that has what it needs", several, "name one of them")
    if reasons:
        raise (
            reasons[0]
            if len(reasons) == 1
            else InputError(hypothesis.title, "a study that has what it needs", "; ".join(map(str, reasons)))
        )
    raise InputError(
        hypothesis.title,
        "runs to test it on",
        "none",
        "name them with --runs, or have them made with --simulate",
    )
