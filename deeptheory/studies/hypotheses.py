"""Test hypotheses on runs: find the evidence of each among what was given, and judge all of them together."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deeptheory import judge, plugins
from deeptheory.errors import InputError, Unsuited
from deeptheory.runs.configuration import Config
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import Run, make_directory
from deeptheory.store import paths
from deeptheory.store.atomic_files import read_json, write_text
from deeptheory.studies import companions, evidence, soundness
from deeptheory.tables import Table, as_json

ALL = "all"
RIVALS = {"H7": "random", "H8": "label-permuted", "H9": "magnitude"}


def named(names: Sequence[str], family: str | None = None) -> list[judge.Hypothesis[Any]]:
    """Hypotheses by name or number, in the order given, or those of a family; "all" is every one.

    Raises
    ------
    InputError
        A name is unknown, or comes twice; neither names nor a family are given, or both.
    """
    if bool(names) == (family is not None):
        both = f"{', '.join(names)} and --family {family}"
        raise InputError("hypotheses", "names or --family", both if names else "neither")
    if family is not None:
        return judge.family(family)
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
    first_fit: bool = False,
) -> list[judge.Judged]:
    """Judge hypotheses on the runs of some directories.

    Parameters
    ----------
    hypotheses : sequence of Hypothesis
    directories : sequence of Path
        Studies, sweeps, and single runs, which are taken together. Each hypothesis is tested on the one among them
        that has what it needs; which others were passed over, and why, is in the verdict.
    command : str
        What repeats it.
    seeds : sequence of int
        Of what needs no run, because theory and simulation are computed on the spot.
    quiet : bool
    first_fit : bool
        Test each on the first directory that has what it needs, as a family on many studies must be; by default
        there may be only one.

    Raises
    ------
    InputError
        No hypothesis has its evidence, a run is named twice, a directory has none, or seeds are copies of one
        network. Of several hypotheses those that lack evidence are undecided, with the reason.
    """
    groups = _groups(directories)
    _refuse_repeated(groups)
    # Once for a group, not for every hypothesis: it reads all weights.
    check = functools.cache(soundness.check_independent)
    cases, errors = [], []
    for hypothesis in hypotheses:
        try:
            cases.append(_case(hypothesis, groups, check, seeds, quiet, first_fit))
        except InputError as error:
            errors.append(error)
            every = [run for runs in groups for run in runs]
            cases.append(judge.Case(hypothesis, error, exploratory=soundness.not_held_out(every)))
    if len(errors) == len(hypotheses):
        raise errors[0]
    return judge.judge_hypotheses(cases, command, _options(groups))


def confirmed_hypotheses(config: Config) -> list[judge.Hypothesis[Any]]:
    """What a confirm study judges, as its configuration fixes it.

    H1 and H2 where all stages are measured, H6, H7 to H9 for the rivals among its arms, H12, and H16 where AFCC is
    cut at its threshold.
    """
    stages = [] if config.measure.stages else ["H1", "H2"]
    rivals = [name for name, arm in RIVALS.items() if arm in config.prune.arms]
    dilution = ["H16"] if config.prune.afcc_at_threshold else []
    return named([*stages, "H6", *rivals, "H12", *dilution])


def _options(groups: Sequence[Sequence[Run]]) -> judge.JudgeOptions:
    """The judge's options of the runs, which must agree in what makes the rules."""
    options = [runs[0].config.judge for runs in groups] or [judge.FIXED]
    for other in options[1:]:
        if any(getattr(other, name) != getattr(options[0], name) for name in judge.RULE_OPTIONS):
            found = ", ".join(str(runs[0].directory.parent) for runs in groups)
            raise InputError("options of the judge", "the same in all studies", f"others among {found}")
    return options[0]


def descriptions(hypotheses: Sequence[judge.Hypothesis[Any]]) -> list[dict[str, Any]]:
    """What fixes each hypothesis, for programs."""
    return [
        {
            "number": of.number,
            "name": of.name,
            "label": of.label,
            "claim": of.claim,
            "source": of.source,
            "evidence": of.evidence.__name__,
            "statistic": of.statistic,
            "unit": of.unit,
            "null": of.null,
            "rule": of.rule_text(),
            "scatter": of.scatter,
            **_plugin(of),
        }
        for of in hypotheses
    ]


def _plugin(of: judge.Hypothesis[Any]) -> dict[str, Any]:
    """File and hash of a hypothesis that is none of the package's."""
    found = plugins.definition("hypothesis", of.name)
    return {"plugin": {"file": found.plugin.path, "sha256": found.plugin.sha256}} if found else {}


def numbers(judged: Sequence[judge.Judged]) -> list[dict[str, Any]]:
    """Verdicts with every number, for programs."""
    of_hypotheses = descriptions([one.hypothesis for one in judged])
    return [
        {
            **description,
            "rule": one.rule,
            "status": one.status,
            "exploratory": list(one.exploratory),
            "confirmed": one.confirmed,
            "p": one.p,
            "p_holm": one.p_holm,
            "detects": one.detects,
            "seeds": list(one.seeds),
            "parts": [_numbers(part, one.seeds) for part in one.parts],
            "command": one.command,
            "place": one.place,
            "passed_over": [
                {"place": place, "reason": str(error)} for place, error in one.passed_over.items()
            ],
        }
        for one, description in zip(judged, of_hypotheses, strict=True)
    ]


def _numbers(part: judge.Part, seeds: Sequence[str]) -> dict[str, Any]:
    of_part = {
        "part": part.name,
        "status": part.status,
        "reason": part.reason,
        "values": part.values.tolist(),
        "worst_seed": seeds[part.worst] if part.worst >= 0 else None,
        "p": part.p,
    }
    return of_part | (asdict(part.test) | {"p": part.p} if part.test else {})


def write(
    judged: Sequence[judge.Judged],
    path: Path,
    text_path: Path,
    above: Sequence[Table] = (),
    more: Mapping[str, Any] | None = None,
) -> str:
    """Write verdicts as JSON and as text, which is returned; the report of a study shows the table in the JSON.

    Parameters
    ----------
    judged : sequence of Judged
    path, text_path : Path
        Of the two files.
    above : sequence of Table
        What the text says before the verdicts.
    more : mapping, optional
        Further entries of the JSON.
    """
    make_directory(path.parent)
    table = judge.verdict_table(judged)
    text = "\n\n".join(map(str, (*above, table)))
    write_text(path, as_json({"hypotheses": numbers(judged), "table": asdict(table), **(more or {})}) + "\n")
    write_text(text_path, f"{text}\n")
    return text


def stored_table(path: Path) -> Table | None:
    """The verdicts that `write` stored, as a table; None where nothing was judged, or by an earlier version."""
    stored = read_json(path) if path.is_file() else {}
    try:
        return Table(**stored["table"]) if "table" in stored else None
    except TypeError as error:
        raise InputError(f"{path}", "a table of verdicts", str(error), "judge the study again") from error


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


def _refuse_repeated(groups: Sequence[Sequence[Run]]) -> None:
    """Refuse a run that is named twice, by itself or in its study: its network would count twice."""
    seen = set[Path]()
    for run in (run for runs in groups for run in runs):
        if (place := run.directory.resolve()) in seen:
            raise InputError("--runs", "every run once", f"{run.directory} twice", "leave one of them out")
        seen.add(place)


def needs_no_runs(hypothesis: judge.Hypothesis[Any]) -> bool:
    """Whether theory and simulation are computed on the spot."""
    return hypothesis.evidence in companions.BUILDERS


def _case(
    hypothesis: judge.Hypothesis[Any],
    groups: Sequence[Sequence[Run]],
    check: Callable[[tuple[Run, ...]], None],
    seeds: Sequence[int],
    quiet: bool,
    first_fit: bool,
) -> judge.Case[Any]:
    if needs_no_runs(hypothesis):
        made = companions.BUILDERS[hypothesis.evidence](seeds, quiet)
        return judge.Case(hypothesis, made, tuple(f"seed {seed}" for seed in seeds))
    found, reasons = [], dict[str, InputError]()
    if groups and hypothesis.evidence in evidence.JOINT:
        groups = [[run for runs in groups for run in runs]]
    for runs in groups:
        try:
            _check_labels(hypothesis, runs)
            made = evidence.BUILDERS[hypothesis.evidence](runs)
            check(tuple(runs))
            hypothesis.parts(made)
            found.append((runs, made))
        except InputError as error:
            reasons[_place(runs)] = error
    if len(found) == 1 or (found and first_fit):
        runs, made = found[0]
        doubts = soundness.doubts(hypothesis.evidence, runs)
        exploratory = soundness.not_held_out(runs)
        return judge.Case(hypothesis, made, _names(runs), doubts, _place(runs), exploratory, reasons)
    if found:
        several = ", ".join(_place(runs) for runs, _ in found)
        raise InputError(hypothesis.title, "one study that has what it needs", several, "name one of them")
    if len(reasons) == 1:
        raise next(iter(reasons.values()))
    if reasons:
        lacks = [
            f"{place}: {error.expected} expected, {error.found} found" for place, error in reasons.items()
        ]
        todo = dict.fromkeys(error.do for error in reasons.values() if error.do)
        raise InputError(
            hypothesis.title, "a study that has what it needs", "; ".join(lacks), "; or ".join(todo)
        )
    raise InputError(
        hypothesis.title,
        "runs to test it on",
        "none",
        "name them with --runs, or have them made with --simulate",
    )


def _place(runs: Sequence[Run]) -> str:
    """The directory of a study, or of single runs."""
    return str(runs[0].directory if len(runs) == 1 else runs[0].directory.parent)


def _names(runs: Sequence[Run]) -> tuple[str, ...]:
    """The seeds, each once (members of a sweep share them); imported networks of one seed by their directories."""
    seeds = [f"seed {run.config.seed}" for run in runs]
    if len(set(seeds)) < len(seeds) and runs[0].has(paths.join("train", paths.IMPORT)):
        return tuple(run.directory.name for run in runs)
    return tuple(dict.fromkeys(seeds))


def _check_labels(hypothesis: judge.Hypothesis[Any], runs: Sequence[Run]) -> None:
    for run in runs:
        if run.done("train") and (n_labels := soundness.n_labels(run)) < hypothesis.minimum_labels:
            expected = f"networks of at least {hypothesis.minimum_labels} labels"
            raise Unsuited(hypothesis.title, expected, f"{n_labels} in {run.directory}")
