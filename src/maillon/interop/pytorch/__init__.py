"""PyTorch's modules as networks of ours, and the other way."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
