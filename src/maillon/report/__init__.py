"""The report: its experiments, run chapter by chapter, and the page that shows them."""

CHAPTERS: dict[str, str] = {
    "linear": "maillon.report.linear",
    "binary": "maillon.report.binary",
    "encapsulation": "maillon.report.encapsulation",
    "mnist": "maillon.report.mnist",
    "autoencoder": "maillon.report.autoencoder",
}
"""The chapters in the report's order, and the module that runs each."""


class ReportError(Exception):
    """The report cannot be run, or a chapter of it failed."""


class ReportInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the run; the message says what is kept."""
