"""Losses between scores of C classes and the class that is right."""

from typing import Any

import numpy as np

from maillon.nn.activations.basic import LogSoftmax, Softmax, log_softmax
from maillon.nn.loss import Loss, weight_array
from maillon.nn.losses.elements import check_probabilities, clipped_log
from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array

# 1 / p overflows not far below these, and class weights want room.
_LEAST_PROBABILITY = {kind: np.finfo(kind).tiny * 2**20 for kind in "fd"}


class _ClassLoss(Loss):
    """What the losses over classes share: labels, class weights, and the classes' dimension.

    Both losses are lᵢ = −Σ_c q_ic log p_ic, where q holds the target distribution times the class weights.
    """

    takes_labels = True
    weight: Array | None

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        name = type(self).__name__
        weights = weight_array(name, weight)
        if weights is not None and weights.ndim != 1:
            raise ValueError(f"{name}: expected weight to hold one number a class, got shape {weights.shape}.")
        self.register_buffer("weight", weights)
        self.ignore_index = arguments.integer(name, "ignore_index", ignore_index, None)

    def check(self, prediction: Array, target: Array) -> None:
        errors.require_floating(self, "prediction", prediction)
        if prediction.ndim == 0:
            raise errors.wrong_shape(self, "prediction", "(C), (N, C) or (N, C, d…)", (), "Give one score a class.")
        classes = prediction.shape[_axis(prediction)]
        if self.weight is not None and self.weight.shape != (classes,):
            raise errors.wrong_shape(self, "weight", (classes,), self.weight.shape, "Give one number a class.")
        if not isinstance(target, np.ndarray):
            raise errors.wrong_input(self, "target", target, np.dtype(np.int64))
        if target.dtype.kind in "iub":
            self._check_labels(prediction, target, classes)
        else:
            self._check_distribution(prediction, target)

    def _check_labels(self, prediction: Array, target: Array, classes: int) -> None:
        axis = _axis(prediction)
        expected = prediction.shape[:axis] + prediction.shape[axis + 1 :]
        if target.shape != expected:
            way_out = "Give one label a sample."
            if target.size == int(np.prod(expected)):
                way_out = f"Reshape it: target.reshape{expected}."
            elif target.shape == prediction.shape:
                way_out = "One-hot targets are probabilities: target.astype(prediction.dtype)."
            raise errors.wrong_shape(self, "class labels", expected, target.shape, way_out)
        check_range(self, target, classes, self.ignore_index)

    def _check_distribution(self, prediction: Array, target: Array) -> None:
        raise errors.wrong_input(self, "target", target, np.dtype(np.int64))

    def _one_hot(self, scores: Array, target: Array) -> Array:
        """The target distribution over the classes (last dimension), zero where the label is ignored."""
        classes = scores.shape[-1]
        distribution = (target[..., None] == np.arange(classes)).astype(scores.dtype)
        if 0 <= self.ignore_index < classes:  # any other label that is ignored equals no class
            distribution[..., self.ignore_index] = 0
        return distribution

    def _at_label(self, q: Array, log_p: Array, target: Array) -> Array:
        """−q log p of the class that is right, 0 where the label is ignored: −∞ at other classes does not count."""
        ignored = target == self.ignore_index
        right = np.where(ignored, 0, target)[..., None].astype(np.int64)
        with np.errstate(invalid="ignore"):  # a weight of 0 at −∞ is NaN, as in PyTorch
            value = -(np.take_along_axis(q, right, axis=-1) * np.take_along_axis(log_p, right, axis=-1))[..., 0]
        return np.where(ignored, 0, value)

    def _weighted(self, distribution: Array) -> Array:
        return distribution if self.weight is None else distribution * self.weight.astype(distribution.dtype)


def _axis(scores: Array) -> int:
    """The dimension of the classes: (C), (N, C), (N, C, d…)."""
    return 1 if scores.ndim > 1 else 0


def _classes_last(scores: Array) -> Array:
    return np.moveaxis(scores, 1, -1) if scores.ndim > 2 else scores


def _classes_back(scores: Array) -> Array:
    return np.moveaxis(scores, -1, 1) if scores.ndim > 2 else scores


def check_range(loss: Loss, target: Array, classes: int, exempt: int | None = None) -> None:
    """Raise unless all labels name one of the classes, or are the one that is exempt."""
    if not target.size:
        return
    lowest, highest = np.minimum.reduce(target, axis=None), np.maximum.reduce(target, axis=None)
    if lowest < 0 or highest >= classes:
        wrong = (target < 0) | (target >= classes)
        if exempt is not None:
            wrong &= target != exempt
        if wrong.any():
            at = tuple(map(int, np.unravel_index(np.argmax(wrong), target.shape)))
            hint = " Labels count from 0." if int(target[at]) == classes else ""
            raise errors.LinkValueError(
                f"{loss!r}: expected labels in 0…{classes - 1} ({classes} classes), got {target[at]} at "
                f"index {at}.{hint}"
            )


class CrossEntropyLoss(_ClassLoss):
    """Cross-entropy of logits: l = −Σ_c q_c log p_c, p = softmax(z); dz = (p Σ_c q_c − q) dl.

    q is the target distribution times the class weights. For labels without weights it is one-hot, and dz = p − y.

    Parameters
    ----------
    weight : array, optional
        One number a class.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    ignore_index : int
        The label that counts for nothing.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (for labels divided by the sum of the weights of the labels that count, for probabilities by the
        number of samples), 'sum' or 'none'.
    label_smoothing : float
        ε in [0, 1]: the target becomes (1 − ε) y + ε / C.
    from_logits : bool
        False (beyond PyTorch): the prediction is already probabilities, from a network that ends in Softmax.
        Then l = −Σ_c q_c log p_c, dp = −q / p dl, with log p cut off at −100.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For shapes and dtypes that do not go together.
    LinkValueError
        For a label or probability out of range.

    Notes
    -----
    prediction: logits (C), (N, C) or (N, C, d…), of any size. target: labels 0…C−1 of shape (), (N), (N, d…), or
    probabilities of the prediction's shape (one-hot, for instance).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.CrossEntropyLoss()
    >>> float(loss(np.array([[1e4, 0.0, 0.0]]), np.array([1])))
    10000.0
    >>> loss.backward()
    array([[ 1., -1.,  0.]])
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        *,
        from_logits: bool = True,
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        if not arguments.is_number(label_smoothing) or not 0 <= label_smoothing <= 1:
            raise ValueError(f"CrossEntropyLoss: expected label_smoothing in [0, 1], got {label_smoothing!r}.")
        self.label_smoothing = float(label_smoothing)
        self.from_logits = arguments.flag("CrossEntropyLoss", "from_logits", from_logits)

    def check(self, prediction: Array, target: Array) -> None:
        super().check(prediction, target)
        if not self.from_logits:
            check_probabilities(self, "prediction", prediction, "End the network in Softmax(), or leave from_logits.")

    def _check_distribution(self, prediction: Array, target: Array) -> None:
        if target.shape != prediction.shape:
            raise errors.LinkShapeError(
                f"{self!r}: expected integer class labels, or probabilities of shape {prediction.shape}, got "
                f"{target.dtype} of shape {target.shape}. Convert labels with target.astype('int64')."
            )
        if self.ignore_index >= 0:
            raise errors.LinkValueError(
                f"{self!r}: expected integer class labels with ignore_index ≥ 0, got probabilities ({target.dtype} of "
                f"shape {target.shape}), among which no label can be ignored. Leave ignore_index out."
            )
        if target.dtype != prediction.dtype:
            raise errors.wrong_input(self, "target", target, prediction.dtype)

    def check_after(self, link: Module) -> None:
        if self.from_logits and isinstance(link, Softmax):
            raise ValueError(
                f"{self!r}: expected a network that ends in logits, got one that ends in {link!r}, which the loss "
                "would apply a second time. Leave the Softmax out, or use CrossEntropyLoss(from_logits=False)."
            )
        if not self.from_logits and isinstance(link, LogSoftmax):
            raise ValueError(
                f"{self!r}: expected a network that ends in probabilities, got one that ends in {link!r}. "
                "Use NLLLoss for log-probabilities."
            )

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        scores = _classes_last(prediction)
        labels = target.dtype.kind in "iub"
        distribution = self._one_hot(scores, target) if labels else _classes_last(target)
        counted = self._weighted(distribution) if labels else None
        q = self._smooth(distribution, target if labels else None)
        log_p = log_softmax(scores, axis=-1) if self.from_logits else clipped_log(scores)
        kept = (q, log_p if self.from_logits else scores, counted)
        if labels and not self.label_smoothing:
            return self._at_label(q, log_p, target), kept
        with np.errstate(invalid="ignore"):  # 0 · −∞ is NaN here, as in PyTorch
            value = -np.vecdot(q, log_p)
        return (np.where(target == self.ignore_index, 0, value) if labels else value), kept

    def elements_backward(self, grad_elements: Array, q: Array, scores: Array, counted: Any) -> Array:
        grad = grad_elements[..., None]
        if self.from_logits:
            mass = q @ np.ones(q.shape[-1], q.dtype)
            dz = (np.exp(scores) * mass[..., None] - q) * grad
        else:
            dz = -q / np.maximum(scores, _LEAST_PROBABILITY[scores.dtype.char]) * grad
        return _classes_back(dz)

    def count(self, elements: Array, kept: tuple[Any, ...]) -> float:
        counted = kept[2]
        return elements.size if counted is None else float(np.add.reduce(counted, axis=None))

    def _smooth(self, distribution: Array, labels: Array | None) -> Array:
        epsilon = self.label_smoothing
        if epsilon:
            distribution = (1 - epsilon) * distribution + epsilon / distribution.shape[-1]
            if labels is not None:
                distribution *= (labels != self.ignore_index)[..., None]
        return self._weighted(distribution)


class NLLLoss(_ClassLoss):
    """Negative log-likelihood: l = −w_t z_t for the right class t; dz_t = −w_t dl, and 0 for all other classes.

    Parameters
    ----------
    weight : array, optional
        One number w a class.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    ignore_index : int
        The label that counts for nothing.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (divided by the sum of the weights of the labels that count), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For shapes and dtypes that do not go together.
    LinkValueError
        For a label out of range.

    Notes
    -----
    prediction z: log-probabilities (from LogSoftmax), (C), (N, C) or (N, C, d…). target: labels 0…C−1 of shape (), (N),
    (N, d…).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> float(maillon.NLLLoss()(np.array([[-0.5, -1.0]]), np.array([1])))
    1.0
    """

    def check_after(self, link: Module) -> None:
        if isinstance(link, Softmax):
            raise ValueError(
                f"{self!r}: expected a network that ends in log-probabilities, got one that ends in {link!r}. "
                "Use LogSoftmax, or CrossEntropyLoss on the logits."
            )

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        scores = _classes_last(prediction)
        q = self._weighted(self._one_hot(scores, target))
        return self._at_label(q, scores, target), (q,)

    def elements_backward(self, grad_elements: Array, q: Array) -> Array:
        return _classes_back(-q * grad_elements[..., None])

    def count(self, elements: Array, kept: tuple[Any, ...]) -> float:
        return float(np.add.reduce(kept[0], axis=None))
