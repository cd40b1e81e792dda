"""One self-contained HTML page of a run or a study: verdicts, tables, figures, and a browser of filters."""

from deeptheory.reports.page.document import Written, write

__all__ = ["Written", "write"]
