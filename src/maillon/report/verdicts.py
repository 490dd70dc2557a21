"""How a measured claim is judged: by a threshold in a full run, not at all in one with fewer epochs."""

from maillon.report.chapter import Settings, Verdict

SHORTENED = "Quick run, fewer epochs than the report's: not its setting. "


def judged(settings: Settings, holds: bool) -> Verdict:
    """The verdict on a claim that needs all the report's epochs.

    >>> from pathlib import Path
    >>> judged(Settings(quick=False, seed=10, out=Path()), holds=True)
    'holds'
    """
    if settings.quick:
        return "not comparable"
    return "holds" if holds else "differs"


def because(settings: Settings, reason: str) -> str:
    """The reason, after a word on what a quick run leaves out."""
    return (SHORTENED if settings.quick else "") + reason
