"""The proof kit: one call proves a link of your own, or names the rule that it breaks."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
