"""Names that C allows."""

import re
from collections.abc import Sequence
from pathlib import Path

from maillon.interop.c.program import identifier

KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr continue
decltype default delete do double else enum explicit export extern false float for friend goto if inline int long main
mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register restrict
return short signed sizeof static struct switch template this throw true try typedef typeid typename union unsigned
using virtual void volatile wchar_t while xor xor_eq NULL
"""
MATH = """
acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma fmax fmin
fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter
nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc
"""
MACROS = """
fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater isnan isnormal isunordered signbit
gamma j0 j1 jn y0 y1 yn signgam INFINITY NAN HUGE_VAL
"""
TAKEN = {*KEYWORDS.split(), *MACROS.split(), *(name + end for name in MATH.split() for end in ("", "f", "l"))}
"""Of C99, C++ and math.h."""


def function(file: Path, name: str | None) -> str:
    """The name of the function: as given, or the file's; ValueError where C has none such."""
    found = file.stem if name is None else name
    if not isinstance(found, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", found) or found in TAKEN:
        where = f", from {file.name}" if name is None else ""
        raise ValueError(
            f"to_c: expected a name that is free in C (letters, digits, _), got {found!r}{where}. Give name='policy'."
        )
    return found


def pointers(letter: str, names: Sequence[str], count: int) -> list[str]:
    """What C calls the inputs or outputs: `x`; or `x_left`, `x_right` after their names in a Graph; or `x0`, `x1`."""
    if count == 1:
        return [letter]
    made = [identifier(f"{letter}_{name}") for name in names]
    return made if len(set(made)) == count else [f"{letter}{place}" for place in range(count)]
