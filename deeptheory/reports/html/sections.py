"""The sections of a report, from what a run, a study or a sweep has stored."""

from html import escape

from deeptheory import judge
from deeptheory.reports import drawing, plot
from deeptheory.reports.figures import FIGURES
from deeptheory.reports.html import elements
from deeptheory.reports.html.provenance import provenance_tables
from deeptheory.reports.html.source import Source
from deeptheory.runs.configuration import to_toml
from deeptheory.runs.summaries import step_summaries
from deeptheory.store import paths
from deeptheory.studies import comparison, confirmation, soundness, sweep
from deeptheory.tables import Table

CAPTIONS = {
    **{name: figure.caption for name, figure in FIGURES.items()},
    "accuracy-against-density-alone": "The same with one layer masked at a time.",
}


def results_section(source: Source) -> str:
    """Verdicts and tables of a study, and the table of arms if every run is retrained."""
    options, tables = source.runs[0].config.judge, list[Table]()
    if source.of_sweep:
        tables += sweep.summary_tables(source.directory)
    tables += source.verdicts.values()
    for compared in source.compared.values():
        not_held_out = soundness.not_held_out(source.runs)
        tables += judge.comparison_tables(compared, comparison.OURS, options, not_held_out)
    concluded = bool(tables)
    if not source.of_sweep and all(run.done("retrain") for run in source.runs):
        tables += confirmation.arm_tables(source.runs, confirmation.arm_results(source.runs))
    note = [] if concluded else [elements.paragraph("No verdicts: this is not a finished study.")]
    return elements.section("results", "Results", [*note, *map(elements.table_html, tables)])


def figures_section(source: Source) -> str:
    """Every figure that the stored results allow."""
    drawn = drawing.draw_sweep(source.runs) if source.of_sweep else drawing.draw_finished(source.runs)
    margin = source.runs[0].config.judge.margin
    for name, compared in source.compared.items():
        drawn[name] = plot.draw_accuracy_against_density(
            compared.unpruned, compared.accuracy, margin, soundness.chance(source.runs[0])
        )
    parts = [elements.figure_html(plot.svg(figure, name), CAPTIONS[name]) for name, figure in drawn.items()]
    return elements.section("figures", "Figures", parts)


def tables_section(source: Source) -> str:
    """Stages, masked layers and arms of every run, as `deeptheory inspect` prints them."""
    parts = []
    for run, name in zip(source.runs, source.names, strict=True):
        summaries = [*step_summaries.of_steps(run).values(), *step_summaries.of_budgets(run).values()]
        shown = [elements.table_html(table) for summary in summaries for table in summary.tables]
        parts.append(elements.details(name, shown))
    return elements.section("tables", "Stages, layers and arms", parts)


def provenance_section(source: Source) -> str:
    """The configuration, and the revision and machine of every step."""
    if source.of_sweep:
        text, same = (source.directory / paths.SWEEP).read_text(encoding="utf-8"), " of the sweep"
    else:
        text = to_toml(source.runs[0].config)
        same = "" if len(source.runs) == 1 else ", the same for every seed but for the seed itself"
    toml = f'<pre class="scroll" tabindex="0">{escape(text)}</pre>'
    parts = [elements.details(f"Configuration{same}", [toml])]
    parts += map(elements.table_html, provenance_tables(source.runs, source.names))
    return elements.section("provenance", "Configuration and provenance", parts)
