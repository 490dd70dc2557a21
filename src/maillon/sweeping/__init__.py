"""Many trainings in one call: settings, who trains them, what is left of them."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
