"""Transformers and positional encodings with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

DRAW = Generator(41)
SRC, TGT, MEMORY = DRAW.normal((3, 2, 3, 4), dtype=np.float64)
LATER = np.triu(np.ones((3, 3), bool), 1)
FORM: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True}


class EncoderLayer(maillon.TransformerEncoderLayer):
    def __init__(self, **options: Any) -> None:
        super().__init__(4, 2, 3, **FORM, **options)


class DecoderLayer(maillon.TransformerDecoderLayer):
    def __init__(self, **options: Any) -> None:
        super().__init__(4, 2, 3, **FORM, **options)


@mutant("TransformerEncoderLayer: the way around the block forgotten", 1, SRC)
class ResidualForgotten(EncoderLayer):
    def _block_backward(self, number: int, dy: Array, block_backward: Any) -> Any:
        dy = self._child_backward(f"norm{number}", dy)
        return block_backward(self._child_backward(f"dropout{number}", dy))


@mutant("TransformerEncoderLayer: norm skipped on the way back", 2, SRC)
class NormSkipped(EncoderLayer):
    def _block_backward(self, number: int, dy: Array, block_backward: Any) -> Any:
        dx, *others = block_backward(self._child_backward(f"dropout{number}", dy))
        return dy + dx, *others


@mutant("TransformerEncoderLayer: norm_first walked back as if the norm came last", 1, SRC)
class NormLast(EncoderLayer):
    def __init__(self) -> None:
        super().__init__(norm_first=True)

    def backward(self, grad_output: Array) -> Any:
        self.norm_first = False
        try:
            return super().backward(grad_output)
        finally:
            self.norm_first = True


@mutant("TransformerEncoderLayer: only the queries' gradient goes to the input", 1, SRC)
class QueriesOnly(EncoderLayer):
    def _attend_backward(self, name: str, dy: Array) -> Any:
        dquery, dsource, *masks = super()._attend_backward(name, dy)
        return dquery, np.zeros_like(dsource), *masks


@mutant("TransformerEncoderLayer: activation skipped on the way back", 1, SRC)
class ActivationSkipped(EncoderLayer):
    def _feed_forward_backward(self, dy: Array) -> tuple[Array]:
        for name in ("linear2", "dropout", "linear1"):
            dy = self._child_backward(name, dy)
        return (dy,)


@mutant("TransformerDecoderLayer: the memory's gradient without the values'", 1, TGT, MEMORY)
class ValuesOfMemory(DecoderLayer):
    def _attend_backward(self, name: str, dy: Array) -> Any:
        dquery, dkey, dvalue, *_ = self._child_backward(name, (dy, None))
        return dquery, dkey + dvalue * (name == "self_attn"), None, None


@mutant("TransformerDecoderLayer: a mask for the gradient, none for the value", 1, TGT, MEMORY)
class MaskAfterwards(DecoderLayer):
    def forward(self, tgt: Array, memory: Array) -> Array:  # type: ignore[override]
        masked = super().forward(tgt, memory, LATER)
        self.forget()
        y = super().forward(tgt, memory)
        self.forget()
        super().forward(tgt, memory, LATER)
        return y + 0 * masked

    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[:2]


@mutant("TransformerEncoder: the last layer only", 2, SRC)
class LastLayerOnly(maillon.TransformerEncoder):
    def __init__(self) -> None:
        super().__init__(EncoderLayer(), 2)

    def backward(self, grad_output: Array) -> Any:
        self.release(grad_output)
        return self.layers[-1].backward(grad_output)


@mutant("TransformerDecoder: the memory's gradient of one layer only", 1, TGT, MEMORY)
class OneMemory(maillon.TransformerDecoder):
    def __init__(self) -> None:
        super().__init__(DecoderLayer(), 2)

    def backward(self, grad_output: Array) -> Any:
        self.release(grad_output)
        for layer in reversed(self.layers):
            grad_output, dmemory, *_ = layer.backward(grad_output)
        return grad_output, dmemory


@mutant("Transformer: the encoder left out on the way back", 2, SRC, TGT)
class EncoderLeftOut(maillon.Transformer):
    def __init__(self) -> None:
        super().__init__(4, 2, 1, 1, 3, **FORM)

    def backward(self, grad_output: Array) -> Any:
        self.release(grad_output)
        dtgt, dmemory, *_ = self.decoder.backward(grad_output)
        return dmemory, dtgt


@mutant("LearnedPositionalEncoding: gradient of the first sample only", 1, SRC)
class FirstSample(maillon.LearnedPositionalEncoding):
    def __init__(self) -> None:
        super().__init__(4, 3)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        self.weight.accumulate(grad_output[0])
        return self._dropout.backward(grad_output)


@mutant("LearnedPositionalEncoding: gradient overwritten instead of added", 2, SRC)
class Overwritten(maillon.LearnedPositionalEncoding):
    def __init__(self) -> None:
        super().__init__(4, 3)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        self.weight.grad = grad_output.sum(axis=0)
        return self._dropout.backward(grad_output)


@mutant("SinusoidalPositionalEncoding: dropout forgotten in backward", 1, SRC)
class MaskLost(maillon.SinusoidalPositionalEncoding):
    def __init__(self) -> None:
        super().__init__(4, 0.5)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output * 1.0
