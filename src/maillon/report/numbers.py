"""How numbers are written on the page: decimal points, thin spaces, a true minus sign and powers of ten."""

import re

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

POWER = re.compile(r"(?<![\w.])([-−]?\d+(?:\.\d+)?)e([-−+]?)0*(\d+)(?!\w)")
SMALL = re.compile(r"(?<![\w.,])0\.(000+)1(?!\d)")
THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:[,\u202f]\d{3})+(?!\w|[.,]\d)")
LONG = re.compile(r"(?<![\w.,])\d{5,}(?![\w]|[.,]\d\d\d)")
PERCENT = re.compile(r"(\d)\s*%")
NEGATIVE = re.compile(r"(?<![\w.)\]%-])-(?=\d)")


def spelled(text: str) -> str:
    """The text with every number in the page's one style; powers of ten below a thousandth and above a million.

    Examples
    --------
    >>> spelled("10,000 steps at 0.0001: -3%, 1e-2, 1.5e+08")
    '10\\u202f000 steps at 10⁻⁴: −3\\u202f%, 0.01, 1.5 × 10⁸'
    """
    text = POWER.sub(_power, text)
    text = SMALL.sub(lambda found: _ten_to("⁻", str(len(found.group(1)) + 1)), text)
    text = THOUSANDS.sub(lambda found: grouped(found.group().replace(",", "").replace(THIN, "")), text)
    text = LONG.sub(lambda found: grouped(found.group()), text)
    text = PERCENT.sub(rf"\1{THIN}%", text)
    return NEGATIVE.sub(MINUS, text)


def grouped(digits: str) -> str:
    """A whole number's digits in threes, from five digits on.

    Examples
    --------
    >>> grouped("8000"), grouped("1234567")
    ('8000', '1\\u202f234\\u202f567')
    """
    if len(digits) < 5:
        return digits
    return f"{int(digits):,}".replace(",", THIN)


def _power(found: re.Match[str]) -> str:
    factor, sign, digits = found.groups()
    exponent = -int(digits) if sign in ("-", MINUS) else int(digits)
    if -3 <= exponent < 6:
        return f"{float(factor.replace(MINUS, '-')) * 10.0**exponent:.12g}"
    power = _ten_to("⁻" if exponent < 0 else "", digits)
    return power if float(factor.replace(MINUS, "-")) == 1 else f"{factor} × {power}"


def _ten_to(sign: str, exponent: str) -> str:
    return "10" + sign + exponent.translate(RAISED)
