"""Words for a name that is not known: what there is, and what was probably meant."""

from collections.abc import Iterable


def unknown_name(where: str, expected: str, got: object, names: Iterable[str]) -> str:
    """The message for `got`, which is none of `names`.

    >>> unknown_name("fit", "a metric", "acuracy", ["accuracy", "mae"])
    "fit: expected a metric (accuracy, mae), got 'acuracy'. Did you mean 'accuracy'?"
    """
    import difflib

    known = list(names)
    close = difflib.get_close_matches(str(got), known, n=1)
    way_out = f"Did you mean {close[0]!r}?" if close else "Take one of those."
    return f"{where}: expected {expected} ({', '.join(known)}), got {got!r}. {way_out}"
