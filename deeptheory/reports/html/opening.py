"""The first screen: what was asked, predicted and found, in sentences whose numbers are those of the runs."""

from html import escape

from deeptheory.reports.html import elements, telling_grids, telling_runs
from deeptheory.reports.html.glossary import marked
from deeptheory.reports.html.source import Source


def opening_section(source: Source) -> str:
    """What was asked, predicted and found, and every verdict in a line."""
    if source.of_sweep:
        told = telling_grids.of_sweep(source)
    elif source.compared and not all(run.done("retrain") for run in source.runs):
        told = telling_grids.of_comparison(source, next(iter(source.compared.values())))
    else:
        told = {
            "asked": telling_runs.asked(source),
            "predicted": telling_runs.predicted(source.runs),
            "found": telling_runs.found(source.runs),
        }
    entries = "\n".join(
        f"<dt>{name.capitalize()}</dt><dd>{''.join(f'<p>{marked(sentence)}</p>' for sentence in sentences)}</dd>"
        for name, sentences in told.items()
    )
    return elements.section(
        "opening", "In short", [f'<dl class="told">\n{entries}\n</dl>', *_verdicts(source)]
    )


def _verdicts(source: Source) -> list[str]:
    """Every claim in a line, as the table of verdicts has it."""
    lines = []
    for table in source.verdicts.values():
        for row in table.rows:
            of = dict(zip(table.header, row, strict=True))
            state = of["verdict"].removeprefix("exploratory: ").partition(" (")[0].replace(" ", "-")
            what = f"{row[0]} {of['claim']}" + (f" ({of['of']})" if of["of"] else "")
            numbers = f"{of['effect']} {of['unit']} {of['interval']}, true if {of['true if']}"
            lines.append(
                f'<li class="verdict {state}"><strong>{escape(of["verdict"])}</strong> '
                f"<span>{marked(what)}</span> <small>{escape(numbers)}</small></li>"
            )
    if not lines:
        return []
    return [f'<ul class="verdicts" aria-label="Verdicts">{"".join(lines)}</ul>']
