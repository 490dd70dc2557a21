"""The sentences of the checks, in English and in French."""

from typing import Any, Self

from maillon.check.french import FRENCH

LANGUAGES = ("en", "fr")
"""What `language=` takes."""


class Phrase(str):
    """A sentence: a string in English, which knows how it was made and so its French."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Self:
        made = super().__new__(cls, template.format_map(values) if values else template)
        made.template, made.values = template, values
        return made

    def __getnewargs__(self) -> tuple[str, dict[str, Any]]:  # type: ignore[override]
        return self.template, self.values


def say(template: str, **values: Any) -> Phrase:
    """The sentence made of a template with values in it; values that are sentences are translated with it.

    >>> say("It is {factor} times what it should be.", factor=2)
    'It is 2 times what it should be.'
    """
    return Phrase(template, values)


def in_language(text: object, language: str) -> str:
    """The text in a language; what has no translation, as a number or the words of another program, as it is.

    >>> in_language(say("The sign is wrong."), "fr")
    'Le signe est faux.'
    """
    if language == "en" or not isinstance(text, Phrase):
        return str(text)
    values = {name: in_language(value, language) for name, value in text.values.items()}
    template = FRENCH[text.template]
    return template.format_map(values) if values else template


def check_language(where: str, language: object) -> str:
    """The language, or a ValueError."""
    if language not in LANGUAGES:
        raise ValueError(f"{where}: expected language 'en' or 'fr', got {language!r}. Take one of those.")
    return str(language)
