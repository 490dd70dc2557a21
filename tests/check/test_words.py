"""The sentences of the checks: each has its French, with the same values in it."""

import ast
import copy
import pickle
from pathlib import Path
from string import Formatter

import pytest

import maillon.check
from maillon.check.french import FRENCH
from maillon.check.words import in_language, say

SOURCES = sorted(Path(str(maillon.check.__file__)).parent.rglob("*.py"))


def templates() -> set[str]:
    """What `say` is called with, in all files; it must be written there as it is."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                found.add(ast.literal_eval(node.args[0]))
    return found


def values(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_sentence_has_its_french_and_none_is_left_over() -> None:
    assert templates() == set(FRENCH)


@pytest.mark.parametrize("template", sorted(FRENCH))
def test_the_french_has_the_same_values(template: str) -> None:
    assert values(FRENCH[template]) == values(template)


@pytest.mark.parametrize("template", sorted(FRENCH))
def test_the_french_ends_as_the_english_does_and_has_spaces_before_its_colons(template: str) -> None:
    french = FRENCH[template]
    assert french.endswith((".", "?")) == template.endswith((".", "?"))
    for mark in ":;?":
        assert mark not in french.replace(f" {mark}", "")


def test_a_sentence_in_a_sentence_is_translated_with_it() -> None:
    first, second = say("The sign is wrong."), say("It is transposed.")
    both = say("{first} {second}", first=first, second=second)
    assert both == "The sign is wrong. It is transposed."
    assert in_language(both, "fr") == "Le signe est faux. Il est transposé."
    assert in_language(both, "en") == both
    assert in_language("as it is", "fr") == "as it is"


def test_a_sentence_survives_a_copy_and_a_file() -> None:
    sentence = say("It is {factor} times what it should be.", factor="{2}")
    for other in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert other == sentence
        assert in_language(other, "fr") == "Il vaut {2} fois ce qu'il devrait."
