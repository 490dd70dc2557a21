"""A hundred wrong answers are rejected, most with the mistake named; right answers in other styles are accepted."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from course.harness import NOTEBOOKS, Answer, verdict

HERE = Path(__file__).parent
ALL = [importlib.import_module(f"course.answers.{path.stem}").answers for path in sorted(HERE.glob("answers/*.py"))]
WRONG: list[Answer] = [answer for answers in ALL for answer in answers.wrong_ones]
RIGHT: list[Answer] = [answer for answers in ALL for answer in answers.right_ones]


@pytest.mark.parametrize("answer", RIGHT, ids=str)
def test_a_right_answer_in_another_style_is_accepted(answer: Answer) -> None:
    assert verdict(answer.notebook, answer.task, answer.code) == f"✓ {answer.task}: right"


@pytest.mark.parametrize("answer", WRONG, ids=str)
def test_a_wrong_answer_is_rejected_in_both_languages(answer: Answer) -> None:
    for language in ("en", "fr"):
        said = verdict(answer.notebook, answer.task, answer.code, language)
        assert re.match(rf"✗ {answer.task}\u202f?: \w", said)
        assert "Replay" not in said


def test_most_wrong_answers_are_told_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    said = [(answer, verdict(answer.notebook, answer.task, answer.code)) for answer in WRONG]
    rejected = [(answer, text) for answer, text in said if text.startswith("✗")]
    named = [answer for answer, text in rejected if re.search(answer.words, text, re.IGNORECASE)]
    with capsys.disabled():
        sys.stdout.write(
            f"\nwrong answers: {len(said)}, rejected {len(rejected)}, with the mistake named {len(named)}\n"
        )
    assert len(said) >= 100
    assert len(rejected) >= 0.95 * len(said)
    assert len(named) >= 0.8 * len(said)


def test_every_notebook_has_wrong_and_right_answers_of_each_task() -> None:
    assert {answers.notebook for answers in ALL} == set(NOTEBOOKS)
    for answers in ALL:
        assert len(answers.wrong_ones) >= 12
        assert len(answers.right_ones) >= 3
    assert len(RIGHT) >= 30
