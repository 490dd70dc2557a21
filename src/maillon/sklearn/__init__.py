"""Estimators after scikit-learn's own, trained in the compiled core. They need scikit-learn: `maillon[sklearn]`."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
