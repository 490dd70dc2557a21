"""Data sets, made-up data, and what prepares both for learning."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
