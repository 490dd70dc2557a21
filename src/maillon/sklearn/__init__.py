"""Estimators after scikit-learn's own, trained in the compiled core. They need scikit-learn: `maillon[sklearn]`."""

from maillon.public import attach

_named, __dir__, __all__ = attach(__name__)


def __getattr__(name: str) -> object:
    try:
        return _named(name)
    except ImportError as error:
        raise ImportError(
            "maillon.sklearn needs scikit-learn 1.6 or newer. Install the package with its extra: maillon[sklearn]."
        ) from error
