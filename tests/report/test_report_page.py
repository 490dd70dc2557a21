"""Small pieces of the page: markup, numbers, durations."""

import pytest

from maillon.report.page import duration, inline, quoted, show, slug


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain & <simple>", "plain &amp; &lt;simple&gt;"),
        ("`a < b` and **c**", "<code>a &lt; b</code> and <strong>c</strong>"),
        ("w* + (w₀ − w*)", "w* + (w₀ − w*)"),
        ("a lone ` and ** stay", "a lone ` and ** stay"),
        ("863 of 10,000, at 0.0001, 1e-05, -0.5%", "863 of 10\u202f000, at 10⁻⁴, 10⁻⁵, −0.5\u202f%"),
        ("Fashion-MNIST, 2–4–1, page 10-12, `1e-4`", "Fashion-MNIST, 2–4–1, page 10-12, <code>1e-4</code>"),
        ("1\u202f010 parameters of 79,510", "1010 parameters of 79\u202f510"),
        ("", ""),
    ],
)
def test_inline(text, html):
    assert str(inline(text)) == html


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123456, "", "0.1235"),
        (3, "epochs", "3 epochs"),
        (1e-7, "", "10⁻⁷"),
        (2.5e12, "", "2.5 × 10¹²"),
        ([0.5, "never"], "s", "0.5, never s"),
        ("as said", "", "as said"),
        (8000, "", "8000"),
        (10000, "", "10\u202f000"),
        (123456.7, "", "123\u202f457"),
        (12.5, "% of the images", "12.5\u202f% of the images"),
        (-0.0312345, "", "−0.03123"),
        ("1e-2 converges", "epochs", "0.01 converges"),
        (0.0001, "", "10⁻⁴"),
        ([0.001, 0.00090247], "", "0.001, 9.025 × 10⁻⁴"),
        (-41, "", "−41"),
        (1e8, "", "10⁸"),
    ],
)
def test_values(value, unit, text):
    assert show(value, unit) == text


def test_the_reports_values_keep_their_digits():
    assert (show(94.875), quoted(94.875, "%")) == ("94.88", "94.875\u202f%")
    assert quoted([1001, 0.5]) == "1001, 0.5"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.034, "0.03 s"), (12.34, "12.3 s"), (119.94, "119.9 s"), (150, "2 min 30 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_slugs():
    assert slug("not comparable") == "not-comparable"
