"""Rules, schedules and the learning step."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
