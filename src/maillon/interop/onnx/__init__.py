"""ONNX: networks as files that other programs run, and the other way round. Needs the package onnx when it is used."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
