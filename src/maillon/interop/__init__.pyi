"""The neighbours, each once."""

from maillon.interop import c as c, keras as keras, onnx as onnx, pytorch as pytorch, sklearn as sklearn
