"""CTCLoss: sequences whose labels are known, but not when each of them comes."""

from typing import Any, ClassVar

import numpy as np

from maillon.nn.activations.basic import log_softmax
from maillon.nn.loss import Loss
from maillon.nn.support import arguments, errors
from maillon.typing import Array


class CTCLoss(Loss):
    """Connectionist temporal classification: l = −log Σ_π Π_t p_t(π_t), over all paths π that read as the target.

    A path names a class or the blank at each of T times. It reads as its classes without repetitions and then without
    blanks. The sum runs over the target with blanks around its labels, z = (blank, l₁, blank, l₂, …, blank), forwards
    in time: α_t(s) = p_t(z_s) (α_{t−1}(s) + α_{t−1}(s − 1) + α_{t−1}(s − 2)), the last only onto a label that differs
    from the one before it; l = −log(α_T(K) + α_T(K − 1)), K the last place of z. β is the same sum backwards, without
    the time t itself.

    Derivative, for x = log p: dx_t(c) = (p_t(c) − Σ_{s: z_s = c} α_t(s) β_t(s) / e^(−l)) dl, which is p minus the
    probability that a path is at c at time t; 0 from the end of the sample's sequence on.

    Parameters
    ----------
    blank : int
        The class that stands for nothing.
    reduction : str
        'mean' (each loss divided by its target's length, then the mean over the batch), 'sum' or 'none'.
    zero_infinity : bool
        A sequence too short for its target costs 0, instead of infinity with a derivative of NaN.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For shapes and dtypes that do not go together.
    LinkValueError
        For a label that is no class, or a length out of range.

    Notes
    -----
    log_probs: (T, N, C), or (T, C) for a single sample. targets: labels (N, S), of which the first target_lengths
    count, or all samples' labels one after the other, (Σ target_lengths); (S) for a single sample. input_lengths,
    target_lengths: integers (N), as an array, tuple or list; one integer for a single sample. To train with `Optim` or
    `fit`, y is (targets, input_lengths, target_lengths).

    p is softmax(log_probs), so that this is the derivative of the value, and the same as in PyTorch, for whatever is
    given: log-probabilities (from LogSoftmax), which that leaves as they are, or logits, where PyTorch's value has no
    meaning.

    References
    ----------
    Graves et al., "Connectionist Temporal Classification", 2006.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.CTCLoss()
    >>> log_probs = np.log(np.full((2, 1, 3), 1 / 3))
    >>> value = loss(log_probs, np.array([[1]]), (2,), (1,))
    >>> round(9 * float(np.exp(-value)), 6)  # of 9 paths 11, 01 and 10 read as 1
    3.0
    >>> loss.backward().round(4)[0]
    array([[ 0.    , -0.3333,  0.3333]])
    """

    predicted: ClassVar[tuple[bool, ...]] = (True, False, False, False)
    takes_labels = True

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = arguments.integer("CTCLoss", "blank", blank, 0)
        self.zero_infinity = arguments.flag("CTCLoss", "zero_infinity", zero_infinity)

    def forward(  # type: ignore[override]  # it has several targets
        self,
        log_probs: Array,
        targets: Array,
        input_lengths: Any,
        target_lengths: Any,
        sample_weight: Array | None = None,
    ) -> Any:
        return self.reduced((log_probs, targets, input_lengths, target_lengths), sample_weight)

    def check(self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> None:
        errors.require_floating(self, "log_probs", log_probs)
        if log_probs.ndim not in (2, 3) or not len(log_probs):
            way_out = "Time comes first, with T ≥ 1, the classes last."
            raise errors.wrong_shape(self, "log_probs", "(T, N, C) or (T, C)", log_probs.shape, way_out)
        samples = log_probs.shape[1] if log_probs.ndim == 3 else 1
        classes = log_probs.shape[-1]
        if self.blank >= classes:
            raise errors.LinkValueError(f"{self!r}: expected more than {self.blank} classes, got {classes}.")
        self._check_lengths("input_lengths", input_lengths, samples, len(log_probs))
        if not isinstance(targets, np.ndarray) or targets.dtype.kind not in "iu":
            raise errors.wrong_input(self, "targets", targets, np.dtype(np.int64))
        padded = targets.ndim == 2
        self._check_lengths("target_lengths", target_lengths, samples, targets.shape[-1] if padded else None)
        total = int(np.sum(target_lengths))
        if targets.ndim not in (1, 2) or (padded and len(targets) != samples) or not (padded or len(targets) == total):
            way_out = "Give each sample a row, or all labels one after the other."
            raise errors.wrong_shape(self, "targets", f"({samples}, S) or ({total},)", targets.shape, way_out)
        labels, counted = _padded(targets, np.reshape(target_lengths, samples))
        wrong = counted & ((labels < 0) | (labels >= classes) | (labels == self.blank))
        if wrong.any():
            at = tuple(map(int, np.unravel_index(np.argmax(wrong), wrong.shape)))
            raise errors.LinkValueError(
                f"{self!r}: expected labels in 0…{classes - 1} ({classes} classes) that are not the blank, got "
                f"{labels[at]} in sample {at[0]}."
            )

    def _check_lengths(self, name: str, lengths: Any, samples: int, most: int | None) -> None:
        given = np.asarray(lengths)
        if given.size and given.dtype.kind not in "iu":
            raise errors.wrong_input(self, name, given, np.dtype(np.int64))
        if given.shape != (samples,) and (given.size, samples) != (1, 1):
            raise errors.wrong_shape(self, name, (samples,), given.shape, "Give one length a sample.")
        if given.size and (given.min() < 0 or (most is not None and given.max() > most)):
            wanted = "≥ 0" if most is None else f"in 0…{most}"
            wrong = given.min() if given.min() < 0 else given.max()
            raise errors.LinkValueError(f"{self!r}: expected {name} {wanted}, got {wrong}.")

    def elements(
        self, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any
    ) -> tuple[Array, tuple[Any, ...]]:
        x = log_softmax(log_probs.astype(np.float64), axis=-1)  # sums of many small numbers: in double precision
        x = x if x.ndim == 3 else x[:, None]
        ends, lengths = (np.reshape(given, x.shape[1]).astype(np.int64) for given in (input_lengths, target_lengths))
        states, onto = _with_blanks(*_padded(targets, lengths), self.blank)
        emitted = np.take_along_axis(x, states[None], axis=-1)
        alpha = _forwards(emitted, onto)
        log_likelihood = _at_the_end(alpha, ends, lengths)
        infinite = np.isinf(log_likelihood)
        value = np.where(infinite & self.zero_infinity, 0, -log_likelihood)
        self.shares = 1 / np.maximum(lengths, 1) if self.averages else 1.0
        value = (value * self.shares).astype(log_probs.dtype)
        kept = (np.exp(x), states, onto, emitted, alpha, log_likelihood, ends, lengths, self.shares, log_probs.shape)
        return value if log_probs.ndim == 3 else value.reshape(()), kept

    def elements_backward(
        self,
        grad_elements: Array,
        p: Array,
        states: Array,
        onto: Array,
        emitted: Array,
        alpha: Array,
        log_likelihood: Array,
        ends: Array,
        lengths: Array,
        shares: Any,
        shape: tuple[int, ...],
    ) -> Array:
        possible = np.isfinite(log_likelihood)
        beta = _backwards(emitted, onto, ends, lengths)
        visits = np.exp(alpha + beta - np.where(possible, log_likelihood, 0)[:, None])
        classes = (states[..., None] == np.arange(p.shape[-1])).astype(np.float64)
        posterior = (visits.swapaxes(0, 1) @ classes).swapaxes(0, 1)
        impossible = 0.0 if self.zero_infinity else np.nan
        slope = np.where(possible[:, None], p - posterior, impossible)
        slope = np.where((np.arange(len(p))[:, None] < ends)[..., None], slope, 0)
        return (slope * (grad_elements * shares)[..., None]).reshape(shape)


def _padded(targets: Array, lengths: Array) -> tuple[Array, Array]:
    """The labels (N, S), and which of them count."""
    if targets.ndim == 2:
        return targets, np.arange(targets.shape[1]) < lengths[:, None]
    counted = np.arange(max(lengths, default=0)) < lengths[:, None]
    labels = np.zeros(counted.shape, targets.dtype)
    labels[counted] = targets
    return labels, counted


def _with_blanks(labels: Array, counted: Array, blank: int) -> tuple[Array, Array]:
    """The states (N, 2 S + 1) with blanks around the labels; and whether a path may come from two states before."""
    states = np.full((len(labels), 2 * labels.shape[1] + 1), blank, np.int64)
    states[:, 1::2] = np.where(counted, labels, blank)
    onto = np.zeros(states.shape, bool)
    onto[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    return states, onto


def _forwards(emitted: Array, onto: Array) -> Array:
    """log α: how probable all paths are that are at a state at a time, by what they have emitted until then."""
    alpha = np.full(emitted.shape, -np.inf)
    alpha[:1, :, :2] = emitted[:1, :, :2]
    for t in range(1, len(emitted)):
        before = alpha[t - 1]
        alpha[t] = before
        alpha[t, :, 1:] = np.logaddexp(alpha[t, :, 1:], before[:, :-1])
        alpha[t, :, 2:] = np.where(onto[:, 2:], np.logaddexp(alpha[t, :, 2:], before[:, :-2]), alpha[t, :, 2:])
        alpha[t] += emitted[t]
    return alpha


def _backwards(emitted: Array, onto: Array, ends: Array, lengths: Array) -> Array:
    """log β: how probable it is that a path at a state at a time goes on to read as the target."""
    beta = np.full(emitted.shape, -np.inf)
    place = np.arange(emitted.shape[-1])
    last = (place <= 2 * lengths[:, None]) & (place >= 2 * lengths[:, None] - 1)
    after = np.full(emitted.shape[1:], -np.inf)
    for t in reversed(range(len(emitted))):
        now = after.copy()
        now[:, :-1] = np.logaddexp(now[:, :-1], after[:, 1:])
        now[:, :-2] = np.where(onto[:, 2:], np.logaddexp(now[:, :-2], after[:, 2:]), now[:, :-2])
        beta[t] = np.where((ends - 1 == t)[:, None], np.where(last, 0, -np.inf), now)
        after = beta[t] + emitted[t]
    return beta


def _at_the_end(alpha: Array, ends: Array, lengths: Array) -> Array:
    """log Σ_π: of the last state and the one before it, at the last time of each sample."""
    samples = np.arange(len(ends))
    times = np.maximum(ends - 1, 0)
    label = np.where(lengths > 0, alpha[times, samples, 2 * lengths - 1], -np.inf)
    total = np.logaddexp(alpha[times, samples, 2 * lengths], label)
    return np.where(ends > 0, total, np.where(lengths > 0, -np.inf, 0))
