"""The page of a run or a study: put together from what is stored, and written whole."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from deeptheory.errors import InputError, unknown_name
from deeptheory.files import write_text
from deeptheory.page import html, sections
from deeptheory.page.filters import masks_of_run, stage_of_run
from deeptheory.runs import Run, report
from deeptheory.runs.find import check_one_configuration, find_runs

LARGEST = 200_000_000  # bytes of fields; a browser is slow above
SCRIPTS = ("fields.js", "matrix.js", "list.js", "page.js")  # each uses those before it


@dataclass(frozen=True)
class Written:
    """A page that was written.

    Attributes
    ----------
    path : Path
    size : int
        In bytes.
    stages : tuple of str
        Stages whose filters it shows.
    """

    path: Path
    size: int
    stages: tuple[str, ...]


def write(directory: Path, path: Path, stages: Sequence[str] = ()) -> Written:
    """Write the page of a run or a study.

    Parameters
    ----------
    directory : Path
        A measured run, or a study all of whose runs are measured.
    path : Path
        The HTML file; one that is there is replaced.
    stages : sequence of str
        Stages whose filters can be looked at; all by default.

    Returns
    -------
    Written
        The page needs no other file and no network, and the same results give the same bytes.

    Raises
    ------
    InputError
        The directory holds neither, a run is not measured, a stage does not exist, the fields take more than
        200 MB, or the page cannot be written.

    Notes
    -----
    Fields are in the page to 8 bits of each filter's largest element (`page.levels`): exact where they are
    clipped, rounded where they are shown, and what is below zero is shown as zero.
    """
    path = Path(path)
    _check_place(path)
    runs = find_runs(directory)
    check_one_configuration(runs, "page")
    for run in runs:
        run.require("measure")
    known = report.stage_names(runs[0])
    for stage in stages:
        if stage not in known:
            raise unknown_name("--stages", stage, known)
    shown = tuple(stage for stage in known if stage in stages or not stages)
    data = _data(runs, shown)
    source = sections.Source(Path(directory), runs)
    text = Template(_piece("page.html")).substitute(
        title=escape(source.title),
        summary=escape(source.summary),
        style=_piece("page.css"),
        results=sections.results(source),
        filters=_piece("filters.html"),
        figures=sections.figures(source),
        tables=sections.tables(source),
        provenance=sections.provenance(source),
        data="\n".join(data),
        script="\n".join(map(_piece, SCRIPTS)),
    )
    write_text(path, text)
    return Written(path, path.stat().st_size, shown)


def _check_place(path: Path) -> None:
    """Refuse now what would fail only after all the work."""
    do = "name another file with --out"
    if path.is_dir():
        raise InputError(f"page '{path}'", "a file", "a directory", do)
    if not path.parent.is_dir():
        raise InputError(f"page '{path}'", "an existing directory", f"no directory '{path.parent}'", do)
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"page '{path}'", "a directory that can be written", "a read-only one", do)


def _piece(name: str) -> str:
    return resources.files("deeptheory.page").joinpath(name).read_text(encoding="utf-8")


def _data(runs: Sequence[Run], stages: Sequence[str]) -> list[str]:
    """Elements with the numbers of all filters; too many are refused as soon as they are."""
    elements, described, size = list[str](), list[dict[str, Any]](), 0
    for run in runs:
        seed, of_stages = run.config.seed, list[dict[str, Any]]()
        for stage in stages:
            numbers, fields = stage_of_run(run, stage)
            of_stages.append(numbers)
            elements.append(html.data_html(f"fields-{seed}-{stage}", fields))
            size += len(fields)
            if size > LARGEST:
                n_stages = len(runs) * len(stages)
                found = f"more in {len(elements) - len(described)} of {n_stages} stages of all seeds"
                do = "choose stages with --stages, or one run of the study"
                raise InputError("page", f"at most {LARGEST / 1e6:g} MB of fields", found, do)
        masks, kept = masks_of_run(run)
        elements.append(html.data_html(f"masks-{seed}", kept))
        described.append({"seed": seed, "stages": of_stages, **masks})
    labels = runs[0].read("train/label_names")
    return [html.json_html("filters-data", {"labels": labels, "runs": described}), *elements]
