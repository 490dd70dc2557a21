"""LBFGS: a quasi-Newton rule that looks at the loss again and again, and the line search it can use."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from maillon.nn.support.arguments import integer, is_integer
from maillon.optim.rule import Closure, Group, Rule, require_number
from maillon.typing import Array

_CURVATURE = 1e-10  # below it y·s says nothing of the curvature: the pair is left out
_DECREASE, _SLOPE = 1e-4, 0.9  # Wolfe's conditions, Nocedal and Wright's values


class LBFGS(Rule):
    """Limited-memory BFGS: p ← p + t d, d = −H g, where H is made of the last pairs of steps and gradient changes.

    g is the gradient of the parameters p.
    H g is found by two loops over the pairs s = t d, y = gₖ − gₖ₋₁, from the scale s·y / y·y. t is lr, at the very
    first step min(1, 1 / Σ|g|) lr; with line_search_fn="strong_wolfe" it is searched for.

    Parameters
    ----------
    params : iterable of Parameter, optional
        The parameters, in one group. None makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        t, ≥ 0.
    max_iter : int
        Iterations in one `step`, at most.
    max_eval : int, optional
        Evaluations of the loss in one `step`; None is 1.25 max_iter.
    tolerance_grad : float
        Ends the step when no |g| is larger.
    tolerance_change : float
        Ends the step when neither p nor the loss moves more.
    history_size : int
        The number of pairs that are kept.
    line_search_fn : str, optional
        None or 'strong_wolfe'.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    Notes
    -----
    One `step(closure)` makes up to max_iter iterations. The closure sets the gradients to None, computes the loss and
    the gradients, and returns the loss; `step` returns the first one. `Optim` and `fit` give it by themselves. Use it
    with whole batches, or large ones: the noise of small ones ruins the pairs. When the closure raises, the parameters
    and the state are put back.

    References
    ----------
    Liu, Nocedal, "On the limited memory BFGS method for large scale optimization", 1989. Nocedal, Wright, "Numerical
    Optimization", 2006, algorithms 7.4, 3.5 and 3.6. The decisions are PyTorch's.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([3.0, -2.0]))
    >>> def closure():
    ...     p.grad = 2 * p.data
    ...     return (p.data**2).sum()
    >>> float(maillon.optim.LBFGS([p], line_search_fn="strong_wolfe").step(closure)), bool(abs(p.data).max() < 1e-6)
    (13.0, True)
    """

    needs_closure = True
    like_parameters = False

    def __init__(
        self,
        params: Any = None,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None and is_integer(max_iter) else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )
        if len(self.param_groups) > 1:
            raise ValueError("LBFGS: expected one group of parameters, got several. Its pairs go over all of them.")

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name, least in (("max_iter", 0), ("max_eval", 0), ("history_size", 1)):
            integer("LBFGS", name, options[name], least)
        for name in ("tolerance_grad", "tolerance_change"):
            require_number("LBFGS", name, options[name])
        search = options["line_search_fn"]
        if search is not None and (not isinstance(search, str) or search != "strong_wolfe"):
            raise ValueError(f"LBFGS: expected line_search_fn to be None or 'strong_wolfe', got {search!r}.")

    def step(self, closure: Closure | None = None) -> Any:
        """Up to max_iter iterations; returns the loss before them.

        Where the closure raises (NonFiniteLossError, say), parameters and state are what they were before the step.
        """
        return self.search(closure, two_loops)

    def search(self, closure: Closure | None, loops: "Loops") -> Any:
        """`step` with another way to do the two loops."""
        self._require_bound("step")
        if closure is None:
            raise TypeError("LBFGS: expected step(closure): it evaluates the loss several times. Optim.step gives one.")
        group = self.param_groups[0]
        owner = group["params"][0]
        data = [parameter.data.copy() for parameter in group["params"]]
        memory = {name: _listed(kept) for name, kept in self.state.get(owner, {}).items()}
        try:
            first = self._iterate(closure, group, memory, loops)
        except BaseException:
            for parameter, before in zip(group["params"], data, strict=True):
                parameter.data[...] = before
            raise
        self.state[owner] = memory
        return first

    def _iterate(self, closure: Closure, group: Group, memory: dict[str, Any], loops: "Loops") -> Any:
        if not memory:
            memory |= {"func_evals": 0, "n_iter": 0, "old_dirs": [], "old_stps": [], "ro": []}
        first = closure()
        memory["func_evals"] += 1
        here = _Place(float(first), self._gradient())
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            if np.abs(here.grad).max(initial=0.0) <= group["tolerance_grad"]:
                break
            memory["n_iter"] += 1
            direction = _direction(memory, here.grad, group["history_size"], loops)
            memory |= {"d": direction, "prev_flat_grad": here.grad, "prev_loss": here.loss}
            memory["t"] = group["lr"]
            if memory["n_iter"] == 1:
                memory["t"] *= min(1.0, 1.0 / float(np.abs(here.grad).sum()))
            slope = float(here.grad @ direction)
            if slope > -group["tolerance_change"]:
                break
            last = iteration == group["max_iter"]
            here, more = self._move(closure, here, slope, memory, group["max_eval"] - evaluations, last)
            evaluations += more
            memory["func_evals"] += more
            settled = abs(here.loss - memory["prev_loss"]) < group["tolerance_change"]
            if last or settled or evaluations >= group["max_eval"]:
                break
            if float(np.abs(direction).max()) * abs(memory["t"]) <= group["tolerance_change"]:
                break
        return first

    def _move(
        self, closure: Closure, here: "_Place", slope: float, memory: dict[str, Any], most: int, last: bool
    ) -> tuple["_Place", int]:
        """Go along the direction; the place reached, and how often the loss was evaluated for it."""
        direction, t = memory["d"], memory["t"]
        group = self.param_groups[0]
        if group["line_search_fn"] is None or t == 0:  # a schedule's rate of 0: there is no line to search
            self._add(t, direction)
            if last:  # another mini-batch comes next: its loss is no use now
                return here, 0
            return _Place(float(closure()), self._gradient()), 1
        start = [parameter.data.copy() for parameter in group["params"]]

        def evaluate(t: float) -> _Point:
            self._add(t, direction)
            loss, grad = float(closure()), self._gradient()
            for parameter, data in zip(group["params"], start, strict=True):
                parameter.data[...] = data
            return _Point(t, loss, grad, float(grad @ direction))

        size = float(np.abs(direction).max())
        best, count = _strong_wolfe(
            evaluate, _Point(0.0, here.loss, here.grad, slope), t, size, group["tolerance_change"], most
        )
        memory["t"] = best.t
        self._add(best.t, direction)
        return _Place(best.loss, best.grad), count

    def _gradient(self) -> Array:
        """All gradients as one vector."""
        parts = [
            np.zeros(p.size, p.dtype) if p.grad is None else p.grad.ravel() for p in self.param_groups[0]["params"]
        ]
        return np.concatenate(parts)

    def _add(self, t: float, direction: Array) -> None:
        step, begin = t * direction, 0
        for parameter in self.param_groups[0]["params"]:
            data = parameter.data
            end = begin + data.size
            data += step[begin:end].reshape(data.shape)
            begin = end


def _listed(kept: Any) -> Any:
    """A list of its own; arrays and numbers are never changed in place."""
    return list(kept) if isinstance(kept, list) else kept


class _Place(NamedTuple):
    loss: float
    grad: Array


class _Point(NamedTuple):
    """A place on the line: how far, the loss, its gradient, and its slope along the line."""

    t: float
    loss: float
    grad: Array
    slope: float


def _direction(memory: dict[str, Any], grad: Array, size: int, loops: "Loops") -> Array:
    """−H g, after taking in the pair of the last step."""
    changes, steps, weights = memory["old_dirs"], memory["old_stps"], memory["ro"]
    if memory["n_iter"] == 1:
        memory["H_diag"] = 1.0
        return -grad
    y, s = grad - memory["prev_flat_grad"], memory["d"] * memory["t"]
    curvature = float(y @ s)
    if curvature > _CURVATURE:
        if len(changes) == size:
            for kept in (changes, steps, weights):
                kept.pop(0)
        changes.append(y)
        steps.append(s)
        weights.append(1 / curvature)
        memory["H_diag"] = curvature / float(y @ y)
    return loops(changes, steps, weights, memory["H_diag"], grad)


Loops = Callable[[list[Array], list[Array], list[float], float, Array], Array]
"""From the changes y, the steps s, the weights 1 / s·y, the scale of H between the loops and the gradient to −H g."""


def two_loops(changes: list[Array], steps: list[Array], weights: list[float], scale: float, grad: Array) -> Array:
    """−H g, by a loop from the last pair to the first and one back."""
    q = -grad
    shares = []
    for y, s, weight in zip(reversed(changes), reversed(steps), reversed(weights), strict=True):
        shares.append(float(s @ q) * weight)
        q -= shares[-1] * y
    q *= scale
    for y, s, weight, share in zip(changes, steps, weights, reversed(shares), strict=True):
        q += (share - float(y @ q) * weight) * s
    return q


def _strong_wolfe(
    evaluate: Callable[[float], _Point], start: _Point, t: float, size: float, tolerance: float, most: int
) -> tuple[_Point, int]:
    """A point where the loss has fallen enough and its slope is flat enough; size: max |d|, most: evaluations."""
    bracket, count, done = _bracket(evaluate, start, t, most)
    tries = count - 1
    low, high = _ordered(bracket)
    stalled = False
    while not done and tries < most:
        ends = [point.t for point in bracket]
        if abs(ends[1] - ends[0]) * size < tolerance:
            break
        t, stalled = _inside(
            _cubic_minimum(bracket[0], bracket[1], min(ends), max(ends)), min(ends), max(ends), stalled
        )
        new = evaluate(t)
        count, tries = count + 1, tries + 1
        if _too_high(new, start) or new.loss >= bracket[low].loss:
            bracket[high] = new
            low, high = _ordered(bracket)
            continue
        if abs(new.slope) <= -_SLOPE * start.slope:
            done = True
        elif new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
    return bracket[low], count


def _bracket(evaluate: Callable[[float], _Point], start: _Point, t: float, most: int) -> tuple[list[_Point], int, bool]:
    """Two points with a good one between them, or one that is good already; and the evaluations it took."""
    before, new, tries = start, evaluate(t), 0
    while tries < most:
        if _too_high(new, start) or (tries > 1 and new.loss >= before.loss):
            return [before, new], tries + 1, False
        if abs(new.slope) <= -_SLOPE * start.slope:
            return [new], tries + 1, True
        if new.slope >= 0:
            return [before, new], tries + 1, False
        t = _cubic_minimum(before, new, new.t + 0.01 * (new.t - before.t), 10 * new.t)
        before, new, tries = new, evaluate(t), tries + 1
    return [start, new], tries + 1, False


def _too_high(new: _Point, start: _Point) -> bool:
    return new.loss > start.loss + _DECREASE * new.t * start.slope


def _ordered(bracket: list[_Point]) -> tuple[int, int]:
    """The places of the lower and of the higher end."""
    return (0, 1) if bracket[0].loss <= bracket[-1].loss else (1, 0)


def _inside(t: float, least: float, most: float, stalled: bool) -> tuple[float, bool]:
    """t, kept off the ends where it has stayed near one twice, or lies on one; and whether it is near one."""
    margin = 0.1 * (most - least)
    if min(most - t, t - least) >= margin:
        return t, False
    if stalled or not least < t < most:
        return (most - margin if abs(t - most) < abs(t - least) else least + margin), False
    return t, True


def _cubic_minimum(one: _Point, other: _Point, least: float, most: float) -> float:
    """Where the cubic through two points and their slopes is least, within the bounds."""
    left, right = (one, other) if one.t <= other.t else (other, one)
    first = one.slope + other.slope - 3 * (one.loss - other.loss) / (one.t - other.t)
    square = first * first - one.slope * other.slope
    if not square >= 0:
        return (least + most) / 2
    second = float(np.sqrt(square))
    t = right.t - (right.t - left.t) * ((right.slope + second - first) / (right.slope - left.slope + 2 * second))
    return min(max(t, least), most)
