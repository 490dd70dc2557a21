"""check_handout: right answers in many styles are accepted, wrong ones rejected in the words that are owed."""

import pytest
from answers import MUTANTS, RIGHT, Mutant, Right

from maillon.check import HANDOUT_RULES, HandoutError, check_handout


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.name)
def test_a_right_answer_is_accepted(answer: Right) -> None:
    report = check_handout(answer.make(), *answer.inputs, **answer.options)
    assert report.worst <= 1e-6
    assert repr(report).startswith(f"<{report.link}: ")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_wrong_answer_is_rejected_and_its_cause_named(mutant: Mutant) -> None:
    with pytest.raises(HandoutError) as caught:
        check_handout(mutant.make(), *mutant.inputs, **mutant.options)
    assert mutant.words in str(caught.value)
    assert caught.value.rule == mutant.rule
    assert str(caught.value).startswith(f"rule {mutant.rule}, {HANDOUT_RULES[mutant.rule]}: broken by ")


def test_there_are_enough_answers() -> None:
    assert len(RIGHT) >= 30
    assert len(MUTANTS) >= 60
    assert {mutant.rule for mutant in MUTANTS} == set(HANDOUT_RULES)
