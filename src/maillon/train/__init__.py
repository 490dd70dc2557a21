"""Training: the loop you read, the loop you use, and what comes of it."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
