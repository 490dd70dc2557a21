"""The report: its experiments, run chapter by chapter, and the page that shows them."""


class ReportError(Exception):
    """The report cannot be run, or a chapter of it failed."""
