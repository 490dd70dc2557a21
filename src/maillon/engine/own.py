"""Links and losses that run in NumPy inside a plan: the core hands them their values, and goes on with the rest.

They are the user's own, or have options or inputs that the core does not know.

Their operation is called `python`. It gets copies of what it reads, which the link may keep; what it makes is copied
into the plan. An exception ends the step, and arrives as it was raised. What is not as it was planned (another shape, a
parameter without a gradient) ends the step too: NumPy then does it.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, Losses, Tree, Value, values_of
from maillon.engine.plan import Operation, WholeError
from maillon.nesting import counted_inputs, leaves
from maillon.nn import Loss, Module, Parameter, no_grad
from maillon.nn.support.errors import LinkError, shown
from maillon.nn.support.modes import mode
from maillon.nn.support.undo import Undo
from maillon.random import Generator, GeneratorState
from maillon.typing import Array

_TRIED = 1024  # numbers, over and over, that a link is tried with


def lower_own(b: Builder, link: Module, inputs: tuple[Tree, ...], named: dict[str, Tree], reason: str) -> Tree:
    """A link's forward and backward as operations in NumPy; WholeError where not even that can be.

    reason: why no family lowers it.
    """
    own = _OwnLink(b, link, inputs, _in_order(link, named))
    b.own[link] = reason
    b.python(own.forward, _first_line(link), own.reads, own.writes)
    b.differentiate(lambda *grads: own.differentiate(b, grads), own.output, own.given, own.learnt, own.unreached)
    return own.output


def lower_own_loss(b: Builder, loss: Loss, prediction: Tree, target: Tree, own: Losses, reason: str) -> None:
    """A loss, in NumPy. reason: why no family lowers it."""
    made = _OwnLoss(b, loss, prediction, target, own)
    b.own[loss] = reason
    b.python(made.step, _first_line(loss), made.reads, made.writes)


class _OwnLink:
    """A link in one plan. named: in the order of forward's arguments."""

    def __init__(self, b: Builder, link: Module, inputs: tuple[Tree, ...], named: dict[str, Tree]) -> None:
        self._link, self._path, self._training = link, b.path, b.training
        self._names, self._by_place = list(named), len(inputs)
        self._arrays = [(parameter, parameter.data) for parameter in link.parameters()]
        self.given: tuple[Tree, ...] = (*inputs, *named.values())
        self.learnt = [parameter for parameter in link.parameters() if parameter.requires_grad]
        shapes, reached = _tried(b, link, inputs, named)
        if b.gradients is not None:  # the same in all plans of a training: the operations of the rule are
            reached = b.gradients.reached.setdefault(id(link), reached)
        self._reached = reached
        self.unreached = [parameter for parameter, there in zip(self.learnt, reached, strict=True) if not there]
        places = iter(range(len(leaves(shapes))))
        self.output: Tree = _mapped(lambda leaf: b.local(f"y{next(places)}", leaf.shape, leaf.dtype), shapes)
        self.reads, self.writes = values_of(self.given), values_of(self.output)
        self._from = _Arrays(self.reads)
        self._to = _Arrays(self.writes)
        self._plain = all(type(tree) is Value for tree in self.given)  # each input is one array
        self._one = len(self.given) == 1 and self._plain and type(self.output) is Value  # and so is the output
        self._walks = self._waits = False  # a backward follows, and somebody waits for what it gives
        self._grads_from = self._grads_to = _Arrays([])

    def forward(self) -> bool:
        values = self._from.copies()
        if not self._plain:
            values = list(_filled(self.given, iter(values)))
        try:
            made = self._called(values)
        except LinkError as error:
            self._place(error)
            raise
        found = [made] if self._one else [leaf for leaf in leaves(made) if leaf is not None]
        return self._to.put(found) and (not self._arrays or self._keeps_arrays())

    def _called(self, values: list[Any]) -> Any:
        link, named = self._link, {}
        if self._names:
            named = dict(zip(self._names, values[self._by_place :], strict=True))
            values = values[: self._by_place]
        if self._walks:
            return link(*values, **named)
        with no_grad():
            if self._training or not any(module.training for module in link.modules()):
                return link(*values, **named)
            with mode(link, training=False):
                return link(*values, **named)

    def _keeps_arrays(self) -> bool:
        """Whether its parameters still have the arrays that the rule moves."""
        return all(parameter.data is array for parameter, array in self._arrays)

    def _place(self, error: LinkError) -> None:
        """Say where in the network it was, as the containers around the link do."""
        for owner, name in reversed(self._path):
            error.within(owner, name)

    def differentiate(self, b: Builder, grads: Iterable[Value | None]) -> None:
        """Add the operation of the backward."""
        self._walks = True
        assert b.gradients is not None
        self._gradients_of = b.gradients
        from_, to = list(grads), [b.grad(value) if b.wants(value) else None for value in self.reads]
        self._grads_from, self._grads_to = _Arrays(from_), _Arrays(to)
        self._waits = any(value is not None for value in to)
        self._learns = _Learning(b, self.learnt, self._reached)
        written = [*(value for value in to if value is not None), *self._learns.buffers]
        b.python(self.backward, f"∂ {shown(self._link)}", [value for value in from_ if value is not None], written)

    def backward(self) -> bool:
        grads = self._grads_from.copies()
        grad_output = grads[0] if self._one else _gathered(self.output, iter(grads))
        self._gradients_of.half = True
        if not self.learnt:
            fine = self._put_back(grad_output)
        else:
            with self._learns as learns:
                fine = self._put_back(grad_output) and learns.take()
        self._gradients_of.half = not fine
        return fine

    def _put_back(self, grad_output: Any) -> bool:
        """Call the link's backward, and let the plan have the gradients of the inputs."""
        link = self._link
        try:
            returned = (link.backward if self._waits else link.backward_parameters)(grad_output)
        except LinkError as error:
            self._place(error)
            raise
        return not self._waits or self._grads_to.put(self._gradients(returned))

    def _gradients(self, returned: Any) -> list[Any]:
        """What a backward returned, for each of the values read; [] where it is not nested like the inputs."""
        if self._one:
            return [returned]
        if returned is None:
            return [None] * len(self.reads)
        count = counted_inputs(self.given, returned)
        parts = (returned,) if count == 1 else returned
        return list(_flat(self.given[:count], parts)) if isinstance(parts, tuple) else []


class _OwnLoss:
    """A loss in one plan: its value and, where that is finite, its gradient."""

    def __init__(self, b: Builder, loss: Loss, prediction: Tree, target: Tree, own: Losses) -> None:
        self._loss, self._prediction, self._target = loss, prediction, target
        self._divisor = own["divisor"]
        self._result = own["result"].buffer.array
        weight = own["sample_weight"]
        predictions, targets = values_of(prediction), values_of(target)
        self.reads = [*predictions, *targets, *([] if weight is None else [weight])]
        to = [b.grad(value) if b.wants(value) else None for value in predictions]
        learnt = [parameter for parameter in loss.parameters() if parameter.requires_grad]
        if learnt and self._divisor is not None:
            raise WholeError(f"{shown(loss)} learns itself, and gradients are gathered")
        self._learns = _Learning(b, learnt, [True] * len(learnt))
        self.writes = [own["result"], *(value for value in to if value is not None), *self._learns.buffers]
        self._from, self._to = _Arrays(self.reads), _Arrays(to)

    def step(self) -> bool:
        loss, divisor, arrays = self._loss, self._divisor, iter(self._from.copies())
        made, expected = _filled(self._prediction, arrays), _filled(self._target, arrays)
        value = loss(*loss.arranged(made, expected), *arrays)
        total = float(value) if loss.reduction != "none" else float(value.sum())
        denominator = float(loss.denominator) if loss.averages else 1.0
        if divisor is not None and denominator == 0:  # all is ignored: the sum of nothing
            total = 0.0
        self._result[:] = total, denominator
        if not math.isfinite(total):
            loss.forget()
            return False
        with self._learns as learns:
            if divisor is None:
                grads = loss.backward()
            else:
                so_far = divisor.array[0]
                divisor.array[0] = denominator if math.isnan(so_far) else so_far + denominator
                grads = loss.backward(denominator or 1.0)
            return learns.take() and self._to.put(list(_flat(self._prediction, loss.of_predictions(grads))))


class _Arrays:
    """Values as arrays, for NumPy; None for one that nobody wants. They have their memory when a plan runs."""

    def __init__(self, values: Sequence[Value | None]) -> None:
        self.values = values
        self._views: list[Array | None] = []

    def _seen(self) -> list[Array | None]:
        if not self._views:
            self._views = [None if one is None else one.buffer.array.reshape(one.shape) for one in self.values]
        return self._views

    def copies(self) -> list[Any]:
        return [None if view is None else view.copy() for view in self._views or self._seen()]

    def put(self, made: list[Any]) -> bool:
        """Copy what was made here, None as zeros; False where it has another shape or dtype than planned."""
        views = self._views or self._seen()
        if len(made) != len(views):
            return False
        for view, array in zip(views, made, strict=True):
            if view is None:
                continue
            if array is None:
                view[...] = 0
            elif isinstance(array, np.ndarray) and array.shape == view.shape and array.dtype == view.dtype:
                view[...] = array
            else:
                return False
        return True


class _Learning:
    """Parameters whose gradients a backward adds to, as it does in NumPy: within `with` they begin from none.

    reached: whether each is given one. What is there already is there again at the end.
    """

    def __init__(self, b: Builder, parameters: list[Parameter], reached: list[bool]) -> None:
        self._parameters = parameters
        given = zip(parameters, reached, strict=True)
        self._into = [b.parameter_grad(parameter) if there else (None, False) for parameter, there in given]
        self.buffers = [buffer for buffer, _ in self._into if buffer is not None]
        self._before: list[Any] = []

    def __enter__(self) -> "_Learning":
        self._before = [parameter.grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        return self

    def __exit__(self, *_raised: object) -> None:
        for parameter, grad in zip(self._parameters, self._before, strict=True):
            parameter.grad = grad

    def take(self) -> bool:
        """Let the plan have the gradients; False where they are not those planned."""
        for parameter, (buffer, keep) in zip(self._parameters, self._into, strict=True):
            grad = parameter.grad
            if (grad is None) != (buffer is None):
                return False
            if grad is None or buffer is None:
                continue
            if grad.shape != parameter.shape or grad.dtype != buffer.dtype:
                return False
            if keep:
                buffer.array += grad.reshape(-1)
            else:
                buffer.array[:] = grad.reshape(-1)
        return True


# Before the plan


def _tried(b: Builder, link: Module, inputs: tuple[Tree, ...], named: dict[str, Tree]) -> tuple[Any, list[bool]]:
    """What a copy of the link makes of inputs of these shapes, and whether each parameter that learns has a gradient.

    Numbers of several kinds are tried, for links that do not take all.
    """
    problem: Exception | None = None
    draw = Generator(0)
    for numbers in (draw.randn(_TRIED), draw.rand(_TRIED), np.ones(1)):
        try:
            with _leaving_no_trace(link):
                return _made(b, copy.deepcopy(link), numbers, inputs, named)
        except WholeError:
            raise
        except Exception as error:
            problem = problem or error
    raise WholeError(f"{shown(link)} could not be tried: {str(problem).removesuffix('.')}")


@contextmanager
def _leaving_no_trace(link: Module) -> Iterator[None]:
    """What is drawn is drawn again. And the link is as before: a method set on the instance is the copy's too."""
    grads = [(parameter, parameter.grad) for parameter in link.parameters()]
    for parameter, _ in grads:
        parameter.grad = None
    undo = Undo(link)
    undo.__enter__()
    try:
        yield
    finally:
        undo.__exit__(Exception, None, None)
        for parameter, grad in grads:
            parameter.grad = grad


def _made(
    b: Builder, twin: Module, numbers: Array, inputs: tuple[Tree, ...], named: dict[str, Tree]
) -> tuple[Any, list[bool]]:
    def array(value: Value) -> Array:
        return np.resize(numbers if value.real else np.zeros(1), value.shape).astype(value.buffer.dtype)

    learnt = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    arrays = [(parameter, parameter.data) for parameter in learnt]
    if not b.training:
        twin.eval()
    with np.errstate(all="ignore"):
        output = twin(*(_mapped(array, tree) for tree in inputs), **{n: _mapped(array, t) for n, t in named.items()})
        if any(parameter.data is not before for parameter, before in arrays):
            raise WholeError(f"{shown(twin)} gives its parameters other arrays")
        if not all(leaf is None or _plannable(leaf, b) for leaf in _tuple_leaves(output)):
            raise WholeError(f"{shown(twin)} gives no array of {b.dtype}, or tuple of such")
        if not (b.training and learnt):
            return output, [True] * len(learnt)
        twin.zero_grad()
        try:
            twin.backward(_mapped(lambda leaf: np.ones_like(leaf) if leaf.dtype.kind == "f" else None, output))
        except Exception:  # it will be raised when the plan runs, if these were not the wrong numbers
            return output, [True] * len(learnt)
    return output, [parameter.grad is not None for parameter in learnt]


def _plannable(leaf: Any, b: Builder) -> bool:
    return type(leaf) is np.ndarray and leaf.dtype in (b.dtype, np.int64, np.bool_)


def _in_order(link: Module, named: dict[str, Tree]) -> dict[str, Tree]:
    """Inputs by name, in the order of forward's arguments."""
    if len(named) < 2:
        return named
    known = list(inspect.signature(link.forward).parameters)
    return dict(sorted(named.items(), key=lambda item: known.index(item[0]) if item[0] in known else -1))


def _first_line(link: Module) -> str:
    return repr(link).partition("\n")[0]


# Values, nested


def _mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same with `function` of each array or Value; what is neither (None, a flag) stays."""
    if type(tree) is tuple:
        return tuple(_mapped(function, part) for part in tree)
    return function(tree) if isinstance(tree, Value | np.ndarray) else tree


def _tuple_leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree for leaf in _tuple_leaves(part)] if type(tree) is tuple else [tree]


def _filled(tree: Tree, arrays: Iterator[Any]) -> Any:
    """The next of the arrays in place of each Value."""
    if isinstance(tree, tuple):
        return tuple(_filled(part, arrays) for part in tree)
    return next(arrays) if isinstance(tree, Value) else tree


def _gathered(tree: Tree, grads: Iterator[Any]) -> Any:
    """The next of the gradients in place of each Value; None for a tuple that has none."""
    if not isinstance(tree, tuple):
        return next(grads) if isinstance(tree, Value) else None
    parts = tuple(_gathered(part, grads) for part in tree)
    return None if all(part is None for part in parts) else parts


def _flat(tree: Tree, parts: Any) -> Iterator[Any]:
    """What stands for each Value among parts nested like the tree; too few where they are not."""
    if isinstance(tree, Value):
        yield parts
    elif isinstance(tree, tuple) and (parts is None or (isinstance(parts, tuple) and len(parts) == len(tree))):
        for place, part in enumerate(tree):
            yield from _flat(part, None if parts is None else parts[place])


class StepBegin:
    """What a step with links of the user's own began from, should one of them end it.

    The core's own operations change nothing before the loss is known to be finite. What the user's links may have
    changed by then: registered buffers, random streams (`Undo` sees to these). What a backward that fails comes too
    late for: effects. And the last step's prediction and loss are there again.

    One for all plans of a training. once: a step runs its plan once; otherwise several times, until `end`.
    """

    def __init__(self, *, once: bool = True) -> None:
        self._once = once
        self.streams: dict[Generator, Any] = {}  # the core's, which count their words
        self._own: Mapping[Module, str] = {}
        self._arrays: list[Array] = []
        self._drawn: list[Generator] = []  # by the core's own operations
        self._undo: Undo | None = None
        self._copies: list[Array] = []
        self._states: list[tuple[GeneratorState, int]] = []

    def take(self, b: Builder, arrays: list[Array]) -> None:
        """Note all that this plan changes, and let it begin with `note` where it needs that.

        arrays: beside what its effects change.
        """
        if b.own:
            b.operations.insert(0, Operation("python", "forward", {}, {}, {}, None, self.note, "the step begins"))
        known = {id(array) for array in self._arrays}
        self._arrays += [array for array in (*b.changing, *arrays) if id(array) not in known]
        self._own, self._drawn = b.own, b.streams

    def note(self) -> bool:
        """At the beginning of a step."""
        if self._undo is not None and not self._once:
            return True
        if self._undo is None:
            self._undo = Undo(*self._own)
            self._undo.__enter__()
        else:
            self._undo.begin_anew()
        self._copies = [array.copy() for array in self._arrays]
        self._states = [(generator.get_state(), self.streams[generator].drawn) for generator in self._drawn]
        return True

    def end(self) -> None:
        """The last step that was begun has come to its end."""
        if self._undo is not None:
            self._undo.__exit__(None, None, None)
            self._undo = None

    def go_back(self) -> None:
        """As if that step had not been tried."""
        undo, self._undo = self._undo, None
        if undo is None:
            return
        alone = [self._alone(undo, *noted) for noted in zip(self._drawn, self._states, strict=True)]
        undo.__exit__(Exception, None, None)
        for link in self._own:
            link.forget()  # what it has kept for a backward that will not come
        for array, values in zip(self._arrays, self._copies, strict=True):
            array[...] = values
        for generator, (state, _), mine in zip(self._drawn, self._states, alone, strict=True):
            if mine:
                generator.set_state(state)

    def _alone(self, undo: Undo, generator: Generator, noted: tuple[GeneratorState, int]) -> bool:
        """Whether nobody else has drawn from the generator: he would draw his words a second time."""
        state, drawn = noted
        by_python = undo.drawn_from(generator)
        return by_python is None or generator.has_drawn(int(self.streams[generator].drawn) - drawn + by_python, state)
