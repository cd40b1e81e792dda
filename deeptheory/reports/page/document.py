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
from deeptheory.reports.page import html, sections
from deeptheory.reports.page.filters import masks_of_run, stage_of_run
from deeptheory.runs import Run, stored_arrays
from deeptheory.runs.discovery import check_one_configuration, find_runs
from deeptheory.store import paths
from deeptheory.store.atomic_files import write_text

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
    """Write the page of a run, a study or a sweep.

    Parameters
    ----------
    directory : Path
        A measured run, a study all of whose runs are measured, or a sweep, of which the measured members count.
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
    source = sections.Source(Path(directory), _runs(Path(directory)))
    known = list(dict.fromkeys(stage for run in source.runs for stage in stored_arrays.stage_names(run)))
    for stage in stages:
        if stage not in known:
            raise unknown_name("--stages", stage, known)
    shown = tuple(stage for stage in known if stage in stages or not stages)
    data = _data(source, shown)
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
    return resources.files("deeptheory.reports.page").joinpath(name).read_text(encoding="utf-8")


def _runs(directory: Path) -> list[Run]:
    """The runs of a study, all of them measured and alike; of a sweep those that are measured."""
    runs = find_runs(directory)
    if not (directory / paths.SWEEP).is_file():
        check_one_configuration(runs, "page")
        for run in runs:
            run.require("measure")
        return runs
    measured = [run for run in runs if run.done("measure")]
    if not measured:
        do = 'finish the sweep with steps = "measure" or more'
        raise InputError(f"sweep {directory}", "a member that is measured", f"none of {len(runs)}", do)
    return measured


def _data(source: sections.Source, stages: Sequence[str]) -> list[str]:
    """Elements with the numbers of all filters; too many are refused as soon as they are."""
    elements, described, size = list[str](), list[dict[str, Any]](), 0
    for key, (run, name) in enumerate(zip(source.runs, source.names, strict=True)):
        of_stages = list[dict[str, Any]]()
        for stage in (stage for stage in stages if stage in stored_arrays.stage_names(run)):
            numbers, fields = stage_of_run(run, stage)
            of_stages.append(numbers)
            elements.append(html.data_html(f"fields-{key}-{stage}", fields))
            size += len(fields)
            if size > LARGEST:
                n_stages = len(source.runs) * len(stages)
                found = f"more in {len(elements) - len(described)} of {n_stages} stages of all runs"
                do = "choose stages with --stages, or one run of it"
                raise InputError("page", f"at most {LARGEST / 1e6:g} MB of fields", found, do)
        masks, kept = masks_of_run(run)
        elements.append(html.data_html(f"masks-{key}", kept))
        labels = list(run.read("train/label_names"))
        described.append({"key": key, "name": name, "labels": labels, "stages": of_stages, **masks})
    return [html.json_html("filters-data", {"runs": described}), *elements]
