"""Figures of networks, trainings and data; every function draws on `ax` and returns it.

matplotlib is imported when something is drawn, not before.
"""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
