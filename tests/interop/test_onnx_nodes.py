"""ONNX's own tests of the operators, and the page that counts them."""

from onnx_nodes import BEGIN, END, PAGE, cases, not_meant, outcome, table

from maillon.interop.onnx.operators import CONVERTERS

MEANT = [case for case in cases() if case.operator in CONVERTERS and not not_meant(case)]


def test_every_operator_that_is_read_has_tests() -> None:
    assert {case.operator for case in MEANT} == CONVERTERS.keys()
    assert len(MEANT) == 526


def test_the_networks_give_what_onnx_expects() -> None:
    assert {case.name: wrong for case in MEANT if (wrong := outcome(case))} == {}


def test_the_page_says_what_the_tests_gave() -> None:
    """After a change: python tests/interop/onnx_nodes.py writes it anew."""
    written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    assert written == table()
