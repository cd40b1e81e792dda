"""What a run, a study or a sweep lacks, each with the command that computes it."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from deeptheory.judge import FIXED
from deeptheory.reports.html.glossary import marked
from deeptheory.reports.html.source import Source
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies.sweep import member_states

Lack = tuple[str, str]  # what is missing, and the command


def lacks_html(source: Source) -> str:
    """The list of what is missing; empty where nothing is."""
    found = _of_sweep(source) if source.of_sweep else [*_of_steps(source), *_besides(source)]
    items = "".join(f"<li>{marked(what)}: <code>{escape(command)}</code></li>" for what, command in found)
    where = '<p class="small">Commands are given from the directory that holds this one.</p>'
    return (
        f'<h3>What it lacks, and the command for it</h3><ul class="lacks">{items}</ul>{where}'
        if found
        else ""
    )


def _of_sweep(source: Source) -> list[Lack]:
    asked = member_states.opened(source.directory)
    states = Counter(member.state for member in member_states.states(asked, source.directory))
    undone = [
        f"{states[state]} {state}" for state in member_states.STATES if state != "done" and states[state]
    ]
    command = f"deeptheory sweep {source.name}/{paths.SWEEP} --out {source.name}"
    return [(f"members of the sweep: {', '.join(undone)}", command)] if undone else []


def _of_steps(source: Source) -> list[Lack]:
    """What the chain of a run or of a study lacks; nothing where a comparison of criteria needs no chain."""
    runs = (*source.runs, *source.unmeasured)
    if source.compared:
        return []
    missing = {run: [step for step in paths.STEPS if not run.done(step)] for run in runs}
    undone = [source.name_of(run) for run in runs if missing[run]]
    steps = ", ".join(step for step in paths.STEPS if any(step in of_run for of_run in missing.values()))
    if source.alone:
        chain = [(f"the steps {steps}", f"deeptheory chain {source.place(runs[0])}")] if undone else []
        return [*chain, ("verdicts, which need several seeds", _confirm(source, runs, FIXED.minimum_seeds))]
    asked = max(runs[0].config.judge.seeds, FIXED.minimum_seeds)
    what = [
        f"the steps {steps} of {undone[0] if len(undone) == 1 else f'{len(undone)} runs'}" if undone else "",
        f"{asked - len(runs)} seeds (a verdict needs {FIXED.minimum_seeds})" if len(runs) < asked else "",
        "" if source.verdicts else "verdicts",
    ]
    lack = "; ".join(filter(None, what))
    return [(lack, _confirm(source, runs, max(asked, len(runs))))] if lack else []


def _confirm(source: Source, runs: Sequence[Run], seeds: int) -> str:
    out = f"{source.name}-study" if source.alone else source.name
    return f"deeptheory confirm {source.place(runs[0])}/{paths.CONFIG} --out {out} --seeds {seeds}"


def _besides(source: Source) -> list[Lack]:
    """What stands beside the steps, of the first run."""
    run, place = source.runs[0], source.place(source.runs[0])
    name = "" if source.alone else f" ({source.name_of(run)}, and the others likewise)"
    optional = {
        paths.BUDGET: (
            f"the largest prunable set for half a point{name}",
            f"deeptheory predict {place} --tolerance 0.005",
        ),
        paths.COMPACT: (
            f"the networks without what the masks disconnect{name}",
            f"deeptheory compact {place}",
        ),
        paths.COST: (
            f"memory, time and energy of masked and compact networks{name}",
            f"deeptheory cost {place}",
        ),
        paths.SENSITIVITY: (
            "the tables at other thresholds and label orders",
            f"deeptheory sensitivity {source.name}",
        ),
    }
    needed = {
        paths.BUDGET: "measure",
        paths.COMPACT: "retrain",
        paths.COST: "retrain",
        paths.SENSITIVITY: "measure",
    }
    return [lack for group, lack in optional.items() if run.done(needed[group]) and not run.has(group)]
