"""Figure: the verdict on a hypothesis, with every seed."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deeptheory.errors import InputError
from deeptheory.judge import Judged
from deeptheory.reports.plot.files import save
from deeptheory.reports.plot.notebook_figure import Figure
from deeptheory.reports.plot.styles import BLACK, BLUE, DOUBLE_COLUMN, GREY, styled

ROW, MARGINS = 0.24, 1.15  # inches: of one part, and of everything else
LINE = 76  # characters of the claim in one line of the title


@styled
def hypothesis_verdict(judged: Judged) -> Figure:
    """Draw every seed (dots), the mean and its interval (bar) of every part, and where the claim would be false.

    Parameters
    ----------
    judged : Judged

    Raises
    ------
    InputError
        There is nothing to draw: the evidence is missing.
    """
    parts = [part for part in judged.parts if part.worst >= 0]
    if not parts:
        raise InputError(
            f"figure of {judged.hypothesis.title}", "numbers of at least one part", judged.parts[0].reason
        )
    hypothesis = judged.hypothesis
    figure = Figure(figsize=(DOUBLE_COLUMN, MARGINS + ROW * len(parts)))
    axes = figure.subplots()
    for row, part in enumerate(parts):
        values, test = part.values, part.test
        for bound in part.rule.bounds:
            axes.plot(
                [bound, bound],
                [row - 0.5, row + 0.5],
                color=BLACK,
                linewidth=0.8,
                linestyle=":",
                label="bound of the claim",
            )
        axes.plot(
            values, np.full(len(values), row), "o", color=GREY, markersize=2.5, zorder=1, label="one seed"
        )
        if test:
            axes.plot(
                [test.low, test.high],
                [row, row],
                color=BLUE,
                linewidth=1.2,
                solid_capstyle="butt",
                zorder=2,
                label=f"{test.interval_level:.0%} interval",
            )
        axes.plot([values.mean()], [row], "D", color=BLUE, markersize=4, zorder=3, label="mean")
    named = {str(line.get_label()): line for line in axes.lines}  # once each
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=len(named))
    axes.set_yticks(range(len(parts)), [f"{part.name}: {part.status}" for part in parts])
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{_short(hypothesis.statistic)}" + (f" ({hypothesis.unit})" if hypothesis.unit else ""))
    axes.set_title(f"H{hypothesis.number}, {judged.verdict}: {_short(hypothesis.claim)}", fontsize=8)
    return figure


def draw_hypotheses(judged: Sequence[Judged], directory: Path) -> list[Path]:
    """Save the figure of every hypothesis that has numbers, such as `h07-afcc-beats-random.pdf`."""
    drawn = []
    for one in judged:
        if any(part.worst >= 0 for part in one.parts):
            path = directory / f"h{one.hypothesis.number:02d}-{one.hypothesis.name}.pdf"
            save(hypothesis_verdict(one), path)
            drawn.append(path)
    return drawn


def _short(text: str) -> str:
    """Text in lines that fit the figure."""
    return "\n".join(textwrap.wrap(text, LINE))
