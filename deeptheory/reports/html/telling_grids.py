"""What a comparison of criteria or a sweep asked, predicted and found, in sentences."""

from collections.abc import Sequence

import numpy as np

from deeptheory.judge import Comparison
from deeptheory.reports.html.source import Source
from deeptheory.reports.html.telling_runs import Sentences, listed, percent
from deeptheory.store import paths
from deeptheory.studies import comparison, sweep
from deeptheory.studies.sweep import member_states


def of_comparison(source: Source, compared: Comparison) -> dict[str, Sentences]:
    """Which criterion lost least at every density."""
    config = source.runs[0].config
    densities = sorted(compared.densities, reverse=True)
    at = listed([f"density {density:g}" for density in densities])
    asked = (
        f"Which criterion keeps the accuracy of {config.network.title} on {source.data} when a share of its "
        f"weights goes? {listed(list(compared.accuracy))}, at {at}, over "
        f"{len(compared.unpruned)} seed(s), all retrained equally."
    )
    stored = all(run.has(paths.PREDICTIONS) for run in source.runs)
    predicted = comparison.compared_so_far(source.runs).predicted if stored else {}
    before = [
        f"{criterion} {percent(at[min(at)])} points at density {min(at):g}"
        for criterion, at in predicted.items()
        if at
    ]
    found = [f"The unpruned network has {percent(compared.unpruned)} % right."]
    for density in densities:
        losses = {name: float(compared.loss(name, density).mean()) for name in compared.accuracy}
        reached = {name: loss for name, loss in losses.items() if np.isfinite(loss)}
        if reached:
            least, most = min(reached, key=reached.__getitem__), max(reached, key=reached.__getitem__)
            found.append(
                f"At density {density:g} {least} loses least, {reached[least]:.1f} points"
                + (f", and {most} most, {reached[most]:.1f}." if most != least else ".")
            )
    told = (
        f"Before retraining, a loss was predicted: {listed(before)}." if before else "Nothing was predicted."
    )
    return {"asked": [asked], "predicted": [told], "found": found}


def of_sweep(source: Source) -> dict[str, Sentences]:
    """What was varied, and the accuracy at both ends."""
    asked = member_states.opened(source.directory)
    varied = [f"{name} ({', '.join(map(str, values))})" for name, values in asked.options.grid.items()]
    varied += [str(variant["name"]) for variant in asked.options.variants]
    sentence = (
        f"How do the results of {asked.config.network.title} depend on {listed(varied) or 'the seed'}? "
        f"Every member of the sweep goes as far as {asked.options.steps}; {len(source.runs)} are measured and "
        "shown here."
    )
    done = paths.STEPS.index(asked.options.steps) >= paths.STEPS.index("predict")
    predicted = "Every member holds its own predictions, in its tables below."
    if not done:
        predicted = f"Nothing: the members go as far as {asked.options.steps}."
    tables = sweep.summary_tables(source.directory)
    found = [_ends(tables[0].header, tables[0].rows)] if tables else ["No member is finished yet."]
    return {"asked": [sentence], "predicted": [predicted], "found": found}


def _ends(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Accuracy at the first and the last point of a sweep, from the table of means."""
    column = list(header).index("seeds")

    def point(row: Sequence[str]) -> str:
        where = ", ".join(
            f"{name} = {value}" for name, value in zip(header[:column], row[:column], strict=True)
        )
        return f"{row[column + 1]} at {where or 'all seeds'}"

    ends = [rows[0]] if len(rows) == 1 else [rows[0], rows[-1]]
    return f"{header[column + 1].capitalize()}, mean over seeds: {' and '.join(map(point, ends))}."
