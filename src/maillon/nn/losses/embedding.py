"""Losses of embeddings: what belongs together lies close, by angle or by distance."""

from typing import Any, ClassVar

import numpy as np

from maillon.nn.linear.distance import p_norm, p_norm_slope
from maillon.nn.loss import Loss, require_like
from maillon.nn.losses.margins import check_signs
from maillon.nn.support import arguments, errors
from maillon.typing import Array

_EPSILON = np.float32(1e-12)
"""Added to the squared lengths, as in PyTorch, in single precision as there: the cosine of a zero vector is 0."""


class CosineEmbeddingLoss(Loss):
    """Small angles for what is alike: l = 1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − Δ) where y = −1.

    Derivative, with c the cosine: ∂c/∂x₁ = x₂ / (|x₁| |x₂|) − c x₁ / |x₁|², and x₂'s alike; |x|² = Σ x² + 10⁻¹².

    Parameters
    ----------
    margin : float
        Δ, best in [−1, 1].
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (over the pairs), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        For shapes that do not go together.
    LinkValueError
        For another y.

    Notes
    -----
    input1 x₁, input2 x₂: vectors (D) or (N, D). target y: 1 or −1, of shape () or (N), real or integer. backward
    returns (dx₁, dx₂, None).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.CosineEmbeddingLoss(reduction="none")
    >>> loss(np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [3.0, 0.0]]), np.array([1, -1])).round(4)
    array([1., 1.])
    >>> loss.backward()[1].round(4)
    array([[-1., -0.],
           [ 0.,  0.]])
    """

    predicted: ClassVar[tuple[bool, ...]] = (True, True, False)
    takes_integers = True

    def __init__(
        self, margin: float = 0.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = float(arguments.number("CosineEmbeddingLoss", "margin", margin))

    def forward(  # type: ignore[override]  # it has a second prediction
        self, input1: Array, input2: Array, target: Array, sample_weight: Array | None = None
    ) -> Any:
        return self.reduced((input1, input2, target), sample_weight)

    def check(self, input1: Array, input2: Array, target: Array) -> None:
        errors.require_floating(self, "input1", input1)
        if input1.ndim not in (1, 2):
            raise errors.wrong_shape(self, "input1", "(D) or (N, D)", input1.shape, "Give one vector a sample.")
        require_like(self, "input2", input2, "input1", input1)
        if not isinstance(target, np.ndarray) or target.dtype != input1.dtype:
            raise errors.wrong_input(self, "target", target, input1.dtype)
        if target.shape != input1.shape[:-1]:
            raise errors.wrong_shape(self, "target", input1.shape[:-1], target.shape, "Give one sign a pair.")
        check_signs(self, target)

    def elements(self, input1: Array, input2: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        square1, square2 = (np.vecdot(x, x) + x.dtype.type(_EPSILON) for x in (input1, input2))
        length = np.sqrt(square1 * square2)
        cosine = np.vecdot(input1, input2) / length
        alike, excess = target > 0, cosine - self.margin
        slope = np.where(alike, -1, np.where(excess >= 0, 1, 0)).astype(input1.dtype)
        kept = (input1, input2, square1, square2, length, cosine, slope)
        return np.where(alike, 1 - cosine, np.maximum(excess, 0)), kept

    def elements_backward(
        self,
        grad_elements: Array,
        input1: Array,
        input2: Array,
        square1: Array,
        square2: Array,
        length: Array,
        cosine: Array,
        slope: Array,
    ) -> tuple[Array, Array]:
        dcosine = (slope * grad_elements)[..., None]
        across, c = 1 / length[..., None], cosine[..., None]
        return (
            dcosine * (input2 * across - c * input1 / square1[..., None]),
            dcosine * (input1 * across - c * input2 / square2[..., None]),
        )


class TripletMarginLoss(Loss):
    """An anchor closer to its like than to another: l = max(0, Δ + d(a, p) − d(a, n)), d(x, y) = ‖x − y + ε‖_p.

    Derivative: da = (d'(a, p) − d'(a, n)) dl, dp = −d'(a, p) dl, dn = d'(a, n) dl where that is not cut off; d' is the
    derivative of d with respect to x: sign(e) (|e| / d)^(p−1) for the difference e.

    Parameters
    ----------
    margin : float
        Δ > 0.
    p : float
        Of the norm: any number, as for PairwiseDistance.
    eps : float
        ε, added to each difference.
    swap : bool
        Take d(p, n) instead of d(a, n) where it is smaller.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (over the triplets), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    anchor a, positive p, negative n: vectors (D), (N, D) or (*, D), of the same shape. backward returns (da, dp, dn).
    There is no target: a network of three outputs is trained with y left out.

    References
    ----------
    Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.TripletMarginLoss(eps=0.0)
    >>> float(loss(np.array([[0.0, 0.0]]), np.array([[0.0, 2.0]]), np.array([[1.0, 0.0]])))
    2.0
    >>> loss.backward()
    (array([[ 1., -1.]]), array([[-0.,  1.]]), array([[-1.,  0.]]))
    """

    predicted: ClassVar[tuple[bool, ...]] = (True, True, True)

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = float(arguments.number("TripletMarginLoss", "margin", margin, 0, above=True))
        self.p = float(arguments.number("TripletMarginLoss", "p", p))
        self.eps = float(arguments.number("TripletMarginLoss", "eps", eps))
        self.swap = swap

    def forward(  # type: ignore[override]  # it has three predictions and no target
        self, anchor: Array, positive: Array, negative: Array, sample_weight: Array | None = None
    ) -> Any:
        return self.reduced((anchor, positive, negative), sample_weight)

    def check(self, anchor: Array, positive: Array, negative: Array) -> None:
        super().check(anchor, positive, negative)
        if not anchor.ndim:
            raise errors.wrong_shape(self, "anchor", "(D), (N, D) or (*, D)", (), "Give one vector a sample.")

    def _distance(self, x: Array, y: Array) -> tuple[Array, Array]:
        """‖x − y + ε‖_p, and its derivative by x."""
        e = x - y + self.eps
        distance = p_norm(e, self.p)
        return distance[..., 0], p_norm_slope(e, distance, self.p)

    def elements(self, anchor: Array, positive: Array, negative: Array) -> tuple[Array, tuple[Any, ...]]:
        near, near_slope = self._distance(anchor, positive)
        far, far_slope = self._distance(anchor, negative)
        share: Any = 1.0  # of d(a, n), the rest being of d(p, n); of equal ones a half
        swap_slope: Any = 0.0
        if self.swap:
            swapped, swap_slope = self._distance(positive, negative)
            share = (((far < swapped) + 0.5 * (far == swapped))[..., None]).astype(anchor.dtype)
            far = np.minimum(far, swapped)
        short = self.margin + near - far
        active = (short >= 0).astype(anchor.dtype)[..., None]
        kept = (active * near_slope, active * far_slope * share, active * swap_slope * (1 - share))
        return np.maximum(short, 0), kept

    def elements_backward(
        self, grad_elements: Array, near: Array, far: Array, swapped: Array
    ) -> tuple[Array, Array, Array]:
        grad = grad_elements[..., None]
        return (near - far) * grad, -(near + swapped) * grad, (far + swapped) * grad
