"""What goes wrong on the way to ONNX or from it."""

from types import ModuleType


class OnnxError(ValueError):
    """A network that ONNX cannot say, or a file that is no network that maillon can read."""


def onnx_package(where: str) -> ModuleType:
    """The package `onnx`; ImportError, saying what to install, where it is missing."""
    try:
        import onnx
    except ImportError:
        raise ImportError(f"{where}: needs the package onnx. Install it with: pip install 'onnx>=1.17'") from None
    return onnx
