"""The HTML report of a run, a study or a sweep: verdicts, tables, figures, and every filter, in one file."""

from deeptheory.reports.html.document import WrittenReport, write_report

__all__ = ["WrittenReport", "write_report"]
