"""The report as one file: assembled from what the runs have stored."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from deeptheory.errors import InputError, unknown_name
from deeptheory.reports.html import elements, sections
from deeptheory.reports.html.filters import accuracies_of_run, masks_of_run, stage_of_run
from deeptheory.reports.html.glossary import glossary_section, linked
from deeptheory.reports.html.label_images import labels_section
from deeptheory.reports.html.lacks import lacks_html
from deeptheory.reports.html.opening import opening_section
from deeptheory.reports.html.source import Source
from deeptheory.runs import Run, stored_arrays
from deeptheory.runs.discovery import check_one_configuration, find_runs
from deeptheory.store import paths
from deeptheory.store.atomic_files import write_text

WORD = re.compile(r"\[\[(.*?)\]\]")  # in the parts of the page: a link to its definition
LARGEST = 200_000_000  # bytes of fields; a browser is slow above
SCRIPTS = (
    "glossary.js",
    "fields.js",
    "matrix.js",
    "list.js",
    "compare.js",
    "report.js",
)  # each uses those before it


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

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


def write_report(directory: Path, path: Path, stages: Sequence[str] = ()) -> WrittenReport:
    """Write the report of a run, a study or a sweep.

    Parameters
    ----------
    directory : Path
        A measured run, or a study or a sweep, of which the measured runs are taken.
    path : Path
        The HTML file; an existing one is replaced.
    stages : sequence of str
        Stages whose filters are included; all by default.

    Returns
    -------
    WrittenReport
        The report needs no other file and no network, and the same results give the same bytes.

    Raises
    ------
    InputError
        The directory holds no runs, none is measured, a stage does not exist, the fields take more than
        200 MB, or the file cannot be written.

    Notes
    -----
    Fields are stored as few small whole numbers (`field_codes.encode`): clipping them is exact at the
    thresholds of the run, their values are rounded to 0.02 of the largest element of each filter, or less.
    """
    path = Path(path)
    _check_path(path)
    source = Source(Path(directory), *_runs(Path(directory)))
    known = list(dict.fromkeys(stage for run in source.runs for stage in stored_arrays.stage_names(run)))
    for stage in stages:
        if stage not in known:
            raise unknown_name("--stages", stage, known)
    shown = tuple(stage for stage in known if stage in stages or not stages)
    data = _data(source, shown)
    labels, of_labels = labels_section(source.runs)
    text = Template(_resource("report.html")).substitute(
        title=escape(source.title),
        summary=escape(source.summary),
        style=_resource("report.css") + of_labels,
        opening=opening_section(source),
        lacks=lacks_html(source),
        labels=labels,
        words=glossary_section(),
        results=sections.results_section(source),
        filters=_with_words("filters.html"),
        compare=_with_words("compare.html"),
        figures=sections.figures_section(source),
        tables=sections.tables_section(source),
        provenance=sections.provenance_section(source),
        data="\n".join(data),
        script="\n".join(map(_resource, SCRIPTS)),
    )
    write_text(path, text)
    return WrittenReport(path, path.stat().st_size, shown)


def _check_path(path: Path) -> None:
    """Refuse before the work a path that could not be written after it."""
    do = "name another file with --out"
    if path.is_dir():
        raise InputError(f"report '{path}'", "a file", "a directory", do)
    if not path.parent.is_dir():
        raise InputError(f"report '{path}'", "an existing directory", f"no directory '{path.parent}'", do)
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"report '{path}'", "a directory that can be written", "a read-only one", do)


def _resource(name: str) -> str:
    return resources.files("deeptheory.reports.html").joinpath(name).read_text(encoding="utf-8")


def _with_words(name: str) -> str:
    return WORD.sub(lambda found: linked(*found[1].split("|")), _resource(name))


def _runs(directory: Path) -> tuple[list[Run], list[Run]]:
    """The measured runs of a study of one configuration, or members of a sweep, and those not measured."""
    runs = find_runs(directory)
    measured = [run for run in runs if run.done("measure")]
    others = [run for run in runs if run not in measured]
    if not (directory / paths.SWEEP).is_file():
        check_one_configuration(runs, "report")
        if not measured:
            runs[0].require("measure")
        return measured, others
    if not measured:
        do = 'finish the sweep with steps = "measure" or more'
        raise InputError(f"sweep {directory}", "a member that is measured", f"none of {len(runs)}", do)
    return measured, others


def _data(source: Source, stages: Sequence[str]) -> list[str]:
    """HTML elements with the numbers of all filters; stops at the first stage that exceeds the largest size."""
    data, described, size = list[str](), list[dict[str, Any]](), 0
    for key, (run, name) in enumerate(zip(source.runs, source.names, strict=True)):
        stages_of_run = list[dict[str, Any]]()
        for stage in (stage for stage in stages if stage in stored_arrays.stage_names(run)):
            numbers, fields = stage_of_run(run, stage)
            stages_of_run.append(numbers)
            data.append(elements.data_html(f"fields-{key}-{stage}", fields))
            size += len(fields)
            if size > LARGEST:
                n_stages = len(source.runs) * len(stages)
                found = f"more in {len(data) - len(described)} of {n_stages} stages of all runs"
                do = "choose stages with --stages, or one run of it"
                raise InputError("report", f"at most {LARGEST / 1e6:g} MB of fields", found, do)
        masks, kept = masks_of_run(run)
        data.append(elements.data_html(f"masks-{key}", kept))
        labels = run.read_names(paths.join("train", paths.LABEL_NAMES))
        accuracies = accuracies_of_run(run)
        described.append(
            {
                "key": key,
                "name": name,
                "labels": labels,
                "stages": stages_of_run,
                "accuracies": accuracies,
                **masks,
            }
        )
    return [elements.json_html("filters-data", {"runs": described}), *data]
