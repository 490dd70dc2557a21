"""The public names, each once, with its file."""

from maillon.interop.onnx.errors import OnnxError as OnnxError
from maillon.interop.onnx.export import to_onnx as to_onnx
from maillon.interop.onnx.importing import from_onnx as from_onnx
