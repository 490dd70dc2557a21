"""Words that messages share: what was given, what was probably meant, how large it is."""

from collections.abc import Iterable

_MOST_SHOWN = 60  # characters of a list


def got(value: object) -> str:
    """The end of a message about a value of the wrong kind: a class in the place of its object is the usual slip.

    >>> got(3), got(dict)
    ('got 3.', 'got the class dict. Did you mean dict()?')
    """
    if isinstance(value, type):
        return f"got the class {value.__name__}. Did you mean {value.__name__}()?"
    return f"got {shown(value)}."


def shown(value: object) -> str:
    """The value; but data, which would fill the screen, by kind and size.

    >>> import numpy
    >>> shown(0.5), shown(numpy.ones((20, 3))), shown(list(range(1000)))
    ('0.5', 'ndarray of shape (20, 3)', 'list of 1000')
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {shape}"
    text = repr(value)
    if isinstance(value, list | tuple | dict) and len(text) > _MOST_SHOWN:
        return f"{type(value).__name__} of {len(value)}"
    return text


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known name that was probably meant.

    >>> nearest("acuracy", ["accuracy", "mae"])
    'accuracy'
    """
    import difflib

    close = difflib.get_close_matches(str(word), list(known), n=1)
    return close[0] if close else None


def unknown_name(where: str, expected: str, got: object, names: Iterable[str]) -> str:
    """The message for `got`, which is none of `names`.

    >>> unknown_name("fit", "a metric", "acuracy", ["accuracy", "mae"])
    "fit: expected a metric (accuracy, mae), got 'acuracy'. Did you mean 'accuracy'?"
    """
    known = list(names)
    close = nearest(got, known)
    way_out = "Take one of those." if close is None else f"Did you mean {close!r}?"
    return f"{where}: expected {expected} ({', '.join(known)}), got {got!r}. {way_out}"


def metric(number: float) -> str:
    """The number in three digits, with what stands before its unit.

    >>> metric(1234567) + "B", metric(12) + "FLOP"
    ('1.23 MB', '12 FLOP')
    """
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "
