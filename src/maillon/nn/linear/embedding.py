"""Embedding: a vector for each word of a dictionary."""

from typing import Self

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.nn.support.undo import changing
from maillon.typing import Array, DTypeLike

DENSE = "a gradient here is an array as large as its parameter. Leave sparse out."


class Embedding(Module):
    """yᵢ = W[xᵢ]: row xᵢ of the weight for each index.

    Derivative: dW[k] = Σ dyᵢ over the places i where xᵢ = k, or with scale_grad_by_freq their mean. The row padding_idx
    has no gradient, so that rules do not move it. The indices have none.

    Parameters
    ----------
    num_embeddings : int
        Rows of the weight, ≥ 1.
    embedding_dim : int
        Columns of the weight, ≥ 1.
    padding_idx : int, optional
        A row, from the end if negative, that begins as 0 and does not learn.
    max_norm : float, optional
        Before they are taken, rows with Σ|w|^p > max_norm^p are shortened to max_norm, **in place and unseen by
        the derivative**, as in PyTorch; None never does it.
    norm_type : float
        That p; inf takes the largest |w|.
    scale_grad_by_freq : bool
        Whether the gradient of a row is divided by how often it was taken.
    sparse : bool
        PyTorch's: refused unless False.
    _weight : array, optional
        The weight to begin with, instead of drawing one.
    _freeze : bool
        Whether the weight stays as it is.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkDtypeError
        When x is not of integers.
    LinkValueError
        When one is out of range.

    Notes
    -----
    x: integers of any shape, in 0 … num_embeddings − 1 → y: (*shape of x, embedding_dim). weight: (num_embeddings,
    embedding_dim), at first N(0, 1).

    References
    ----------
    Bengio, Ducharme, Vincent, Jauvin, "A Neural Probabilistic Language Model", 2003.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Embedding.from_pretrained(np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]))
    >>> link(np.array([2, 1]))
    array([[3., 4.],
           [1., 2.]])
    """

    takes_integers = True

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Array | None = None,
        _freeze: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("Embedding", sparse=(sparse, False, DENSE), device=(device, None, errors.CPU_ONLY))
        self.num_embeddings = arguments.integer("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = arguments.integer("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = self._row(padding_idx)
        self.max_norm = None if max_norm is None else arguments.number("Embedding", "max_norm", max_norm, 0)
        self.norm_type = arguments.number("Embedding", "norm_type", norm_type)
        self.scale_grad_by_freq = arguments.flag("Embedding", "scale_grad_by_freq", scale_grad_by_freq)
        frozen = arguments.flag("Embedding", "_freeze", _freeze)
        shape = (self.num_embeddings, self.embedding_dim)
        if _weight is None:
            self.weight = Parameter(empty(shape, floating_dtype(dtype)))
            if not outlined():
                self.reset_parameters(generator)
        elif np.shape(_weight) == shape:
            self.weight = Parameter(np.array(_weight))
        else:
            raise ValueError(f"Embedding: expected _weight of shape {shape}, got {np.shape(_weight)}.")
        self.weight.requires_grad = not frozen

    def _row(self, padding_idx: int | None) -> int | None:
        if padding_idx is None:
            return None
        count = self.num_embeddings
        if not arguments.is_integer(padding_idx) or not -count <= padding_idx < count:
            raise ValueError(
                f"Embedding: expected padding_idx to be an integer in {-count} … {count - 1}, got {padding_idx!r}."
            )
        return int(padding_idx) % count

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        init.normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Array,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """An Embedding that begins with a copy of the rows given, (num_embeddings, embedding_dim).

        freeze: whether they stay as they are (requires_grad=False). The others: as for Embedding.
        """
        if np.ndim(embeddings) != 2:
            raise ValueError(f"Embedding: expected embeddings with 2 dimensions, got shape {np.shape(embeddings)}.")
        rows = np.asarray(embeddings)
        count, dim = rows.shape
        return cls(count, dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, rows, freeze)

    def forward(self, x: Array) -> Array:
        self._check(x)
        if self.max_norm is not None:
            self._shorten(np.unique(x), self.max_norm)
        return self.keep(self.weight.data[x], np.array(x))

    def _check(self, x: Array) -> None:
        if not isinstance(x, np.ndarray | np.generic) or x.dtype.kind not in "iu":
            got = x.dtype if hasattr(x, "dtype") else type(x).__name__
            raise errors.LinkDtypeError(
                f"{self!r}: expected x to be a NumPy array of indices, of an integer dtype, got {got}. "
                "Convert it with numpy.asarray(x, dtype='int64')."
            )
        outside = x[(x < 0) | (x >= self.num_embeddings)]
        if outside.size:
            raise errors.LinkValueError(
                f"{self!r}: expected indices x in 0 … {self.num_embeddings - 1}, got {outside[0]}. "
                "num_embeddings is the size of the dictionary."
            )

    def _shorten(self, used: Array, max_norm: float) -> None:
        """Scale the rows that are longer than max_norm; the 1e-7 is PyTorch's."""
        norms = np.linalg.norm(self.weight.data[used], ord=self.norm_type, axis=1)
        long = norms > max_norm
        scale = max_norm / (norms[long] + 1e-7)
        changing(self.weight.data, used[long])
        self.weight.data[used[long]] *= scale[:, None].astype(self.weight.dtype)

    def backward(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        dy, indices = grad_output.reshape(x.size, self.embedding_dim), x.reshape(-1)
        order = np.argsort(indices, kind="stable")
        used, first, count = np.unique(indices[order], return_index=True, return_counts=True)
        dw = np.zeros_like(self.weight.data)
        if used.size:
            dw[used] = np.add.reduceat(dy[order], first, axis=0)
        if self.scale_grad_by_freq:
            dw[used] /= count[:, None].astype(dw.dtype)
        if self.padding_idx is not None:
            dw[self.padding_idx] = 0
        self.weight.accumulate(dw)
