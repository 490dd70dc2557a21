"""Keras models as networks of ours."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
