"""Every loss in the core beside NumPy: values, denominators, gradients of all predictions, and training steps."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from catalogue import LOSSES, Row
from cores import TOLERANCE, close, largest, same_for_both

import maillon as m
from maillon.engine import processor
from maillon.engine.builder import LOSSES as KNOWN, Builder
from maillon.engine.lowering import finish, lower_loss
from maillon.engine.memory import Gradients, Memory
from maillon.engine.plan import Plan, table
from maillon.engine.verify import verify
from maillon.nn.support.errors import LinkError
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))
DOUBLE = np.dtype(np.float64)


@dataclass
class Found:
    """A loss's value, what its mean was divided by (1 for sums), and the gradients of its arguments."""

    value: float
    denominator: float
    grads: list[Array | None]

    @property
    def bits(self) -> tuple[bytes, ...]:
        grads = [grad.tobytes() for grad in self.grads if grad is not None]
        return np.array([self.value, self.denominator]).tobytes(), *grads


def by_numpy(loss: m.Loss, inputs: tuple[Any, ...], weight: Array | None) -> Found:
    with np.errstate(all="ignore"):
        value = np.sum(loss(*inputs, **({} if weight is None else {"sample_weight": weight})))
        grads = loss.backward()
    parts = grads if isinstance(grads, tuple) else (grads,)
    return Found(float(value), loss.denominator if loss.averages else 1.0, [*parts, *[None] * 4][: len(inputs)])


def by_core(
    loss: m.Loss,
    inputs: tuple[Any, ...],
    weight: Array | None,
    *,
    learns: bool = True,
    gathers: bool = False,
    chosen: str | None = None,
    threads: int = 1,
    refused: bool = False,
) -> Found | None:
    """A plan of the loss alone; None where it says that the step must not be taken."""
    dtype = inputs[0].dtype
    gradients = Gradients([], dtype, gathers=gathers)
    b = Builder(dtype, Memory(), gradients if learns else None)
    given = []

    def take(name: str, value: Any) -> Any:
        array = np.asarray(value)
        given.append((b.given(name, array.shape, array.dtype), array))
        return given[-1][0]

    values = [take(name, value) for name, value in zip(loss.argument_names, inputs, strict=True)]
    predictions = [value for value, predicted in zip(values, loss.predicted, strict=True) if predicted]
    targets = tuple(value for value, predicted in zip(values, loss.predicted, strict=True) if not predicted)
    for value in predictions if learns else ():
        b.learn(value)
    own = None if weight is None else take("sample weight", weight)
    output = predictions[0] if len(predictions) == 1 else tuple(predictions)
    result = lower_loss(b, loss, output, targets[0] if len(targets) == 1 else targets or None, own)
    assert bool(b.own) == refused, f"in NumPy: {list(b.own.values())}"
    grads = tuple(b.gradient_of(value) if value in predictions else None for value in values)
    shown = finish(b, grads)
    plan = Plan((loss,), dtype, 1, b.operations, [value.buffer for value, _ in given], shown, result, b.streams)
    verify(plan)
    for value, array in given:
        value.buffer.array[:] = array.reshape(-1)
    program = processor.core().Program(chosen or processor.instruction_set(), dtype == DOUBLE, 1, table(plan), [])
    if not program.run(threads):
        if (error := program.take_raised()) is not None:
            raise error
        return None
    found = [None if grad is None else grad.array.reshape(grad.shape).copy() for grad in shown]
    if gathers and loss.averages:
        assert gradients.divisor.array[0] == result.array[1]
    return Found(float(result.array[0]), float(result.array[1]), found)


def alike(loss: m.Loss, inputs: tuple[Any, ...], weight: Array | None, tolerance: float) -> Found:
    """Both engines; the core with and without gradients, and with gradients that wait to be divided."""
    inputs = tuple(np.asarray(value) if isinstance(value, np.generic) else value for value in inputs)
    expected = by_numpy(loss, inputs, weight)
    found = by_core(loss, inputs, weight)
    assert found is not None, expected.value
    assert found.value == pytest.approx(expected.value, rel=tolerance, abs=tolerance)
    assert found.denominator == pytest.approx(expected.denominator, rel=1e-6)
    undivided = by_core(loss, inputs, weight, gathers=True)
    assert undivided is not None
    assert (undivided.value, undivided.denominator) == (found.value, found.denominator)
    steepest = max(largest(grad) for grad in expected.grads if grad is not None)
    for place, grad in enumerate(expected.grads):
        one, other = found.grads[place], undivided.grads[place]
        assert (one is None) == (grad is None), place
        if one is not None and other is not None and grad is not None:
            close(f"gradient {place}", one, grad, tolerance, steepest)
            divided = other / grad.dtype.type(found.denominator)
            close(f"gradient {place}, undivided", divided, grad, tolerance, steepest)
    value_alone = by_core(loss, inputs, weight, learns=False)
    assert value_alone is not None
    assert value_alone.bits == found.bits[:1]
    return found


def arguments(row: Row, dtype: str) -> tuple[m.Loss, tuple[Any, ...], Array | None]:
    """A row's loss, and its inputs as the door hands them to it."""
    loss, inputs = row.link(dtype), row.inputs(dtype)
    count = len(loss.predicted)
    weight = inputs[count] if len(inputs) > count else None
    return loss, tuple(as_given(loss, value, dtype) for value in inputs[:count]), weight


def as_given(loss: m.Loss, value: Any, dtype: str) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return value
    return value if loss.takes_labels else value.astype(dtype)


def test_the_core_knows_every_loss() -> None:
    assert {type(row.link()) for row in LOSSES} == set(KNOWN)


@both_dtypes
@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_a_loss_alone(row: Row, dtype: str) -> None:
    alike(*arguments(row, dtype), TOLERANCE[dtype])


@pytest.mark.parametrize("row", LOSSES, ids=lambda row: row.name)
def test_the_bits_are_those_of_every_instruction_set_and_number_of_threads(row: Row) -> None:
    for dtype in TOLERANCE:
        bits: dict[bool, set[Any]] = {}
        for chosen in processor.core().instruction_sets():
            for number in (1, 2, 3):
                found = by_core(*arguments(row, dtype), chosen=chosen, threads=number)
                assert found is not None
                bits.setdefault(chosen == "baseline", set()).add(found.bits)
        assert all(len(each) == 1 for each in bits.values())


# ── Options and shapes ──────────────────────────────────────────────────────────────────────────────────────────────


SHAPES = ((), (1,), (9,), (7, 1), (1, 5), (6, 19), (3, 33), (3, 4, 5), (2, 1, 3, 2))


class Draw:
    """Numbers for the losses of one shape."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.generator, self.dtype = Generator(seed), dtype

    def normal(self, *shape: int) -> Array:
        return np.asarray(self.generator.normal(shape, dtype=np.float64).astype(self.dtype))

    def unit(self, *shape: int) -> Array:
        return np.asarray(self.generator.uniform(shape, 0.05, 0.95, dtype=np.float64).astype(self.dtype))

    def signs(self, *shape: int) -> Array:
        return np.asarray((2.0 * self.generator.randint(0, 2, shape) - 1).astype(self.dtype))

    def labels(self, classes: int, *shape: int) -> Array:
        return np.asarray(self.generator.randint(0, classes, shape))


def element_cases(draw: Draw, shape: tuple[int, ...], by: str) -> Iterator[tuple[m.Loss, tuple[Array, ...]]]:
    x, y = draw.normal(*shape), draw.normal(*shape)
    yield m.HuberLoss(by, 0.4), (3 * x, y)
    yield m.SmoothL1Loss(reduction=by, beta=0.7), (x, y)
    shares = draw.unit(*shape) * (x > -0.5)
    for reduction in (by, "batchmean"):
        yield m.KLDivLoss(reduction=reduction), (x, np.asarray(shares))
        yield m.KLDivLoss(reduction=reduction, log_target=True), (x, y)
    counts = np.asarray(draw.labels(20, *shape).astype(x.dtype))
    for full in (False, True):
        yield m.PoissonNLLLoss(full=full, reduction=by), (x, counts)
        yield m.PoissonNLLLoss(log_input=False, full=full, reduction=by, eps=1e-3), (abs(x), counts)
    yield m.HingeEmbeddingLoss(margin=0.4, reduction=by), (x, draw.signs(*shape))
    yield m.SoftMarginLoss(reduction=by), (30 * x, draw.signs(*shape))
    yield m.MarginRankingLoss(margin=0.2, reduction=by), (x, y, draw.signs(*shape))
    for own, other in ((shape, shape), (shape[:-1], shape), *stretched(shape)):
        for full in (False, True):
            loss = m.GaussianNLLLoss(full=full, eps=0.3, reduction=by)
            yield loss, (x, draw.normal(*other), draw.unit(*own))


def stretched(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Shapes with 1 in place of one dimension: of the variance, of the target, of both."""
    ones = [(*shape[:axis], 1, *shape[axis + 1 :]) for axis, size in enumerate(shape) if size > 1]
    for one in ones:
        yield one, shape
        yield shape, one
        yield one, ones[0]


@both_dtypes
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_element_by_element(shape: tuple[int, ...], dtype: str) -> None:
    draw = Draw(3, dtype)
    for by in ("mean", "sum"):
        for loss, inputs in element_cases(draw, shape, by):
            alike(loss, inputs, None, TOLERANCE[dtype])
            if shape:
                alike(loss, inputs, draw.unit(shape[0]), TOLERANCE[dtype])


def vector_cases(draw: Draw, shape: tuple[int, ...], by: str) -> Iterator[tuple[m.Loss, tuple[Array, ...]]]:
    x, y, z = (draw.normal(*shape) for _ in range(3))
    weight = draw.unit(*shape[-1:])
    yield m.MultiLabelSoftMarginLoss(weight, reduction=by), (x, draw.unit(*shape))
    for p in (1, 2, 3, 0.7, 0, -1.5, math.inf, -math.inf):
        for swap in (False, True):
            yield m.TripletMarginLoss(2.0, p, eps=0.01, swap=swap, reduction=by), (x, y, z)
    yield m.TripletMarginLoss(2.0, swap=True, reduction=by), (x, x.copy(), z)
    if len(shape) < 3:
        yield m.CosineEmbeddingLoss(0.1, reduction=by), (x, y, draw.signs(*shape[:-1]))
        for p in (1, 2):
            labels = draw.labels(shape[-1], *shape[:-1])
            yield m.MultiMarginLoss(p, 0.8, weight, reduction=by), (x, labels)
        lists = draw.labels(shape[-1], *shape)
        lists[..., 1:][draw.unit(*shape)[..., 1:] < 0.4] = -1
        yield m.MultiLabelMarginLoss(reduction=by), (x, lists)


@both_dtypes
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_vector_by_vector(shape: tuple[int, ...], dtype: str) -> None:
    draw = Draw(5, dtype)
    for by in ("mean", "sum"):
        for loss, inputs in vector_cases(draw, shape, by):
            alike(loss, inputs, None, TOLERANCE[dtype])
            if len(shape) > 1:
                alike(loss, inputs, draw.unit(shape[0]), TOLERANCE[dtype])


@both_dtypes
def test_paths_of_sequences(dtype: str) -> None:
    draw = Draw(7, dtype)
    for time, samples, classes, most in ((1, 1, 2, 1), (6, 3, 4, 3), (21, 2, 9, 8), (12, 4, 3, 5), (5, 1, 40, 0)):
        ends = np.maximum(draw.labels(time + 1, samples), 0)
        lengths = draw.labels(most + 1, samples)
        for blank in (0, classes - 1):
            labels = (draw.labels(classes - 1, samples, most) + blank + 1) % classes
            rows = [row[:length] for row, length in zip(labels, lengths, strict=True)]
            for targets in (labels, np.concatenate(rows)):
                for by in ("mean", "sum"):
                    loss = m.CTCLoss(blank, by, zero_infinity=True)
                    inputs = (draw.normal(time, samples, classes), targets, ends, lengths)
                    alike(loss, inputs, None, TOLERANCE[dtype])
                    alike(loss, inputs, draw.unit(samples), TOLERANCE[dtype])


def test_a_path_of_hundreds_of_steps() -> None:
    draw = Draw(8, "float64")
    inputs = (9 * draw.normal(300, 2, 30), 1 + draw.labels(29, 2, 60), np.array([300, 250]), np.array([60, 45]))
    alike(m.CTCLoss(), inputs, None, 1e-11)


# ── At the edges ────────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.3, -7.0, 1e-30, 200.0, -200.0, 1e17, -1e17, math.inf, -math.inf, math.nan)

EDGES: dict[str, tuple[Callable[[], m.Loss], int]] = {
    "huber": (lambda: m.HuberLoss(), 2),
    "smooth l1": (lambda: m.SmoothL1Loss(beta=0.5), 2),
    "smooth l1 of 0": (lambda: m.SmoothL1Loss(beta=0.0), 2),
    "divergence": (lambda: m.KLDivLoss(reduction="sum"), 2),
    "divergence of log": (lambda: m.KLDivLoss(reduction="sum", log_target=True), 2),
    "counts of log": (lambda: m.PoissonNLLLoss(full=True), 2),
    "counts": (lambda: m.PoissonNLLLoss(log_input=False, full=True), 2),
    "hinge": (lambda: m.HingeEmbeddingLoss(), 2),
    "soft margin": (lambda: m.SoftMarginLoss(), 2),
    "many labels, soft": (lambda: m.MultiLabelSoftMarginLoss(), 2),
    "ranking": (lambda: m.MarginRankingLoss(0.5), 3),
    "gaussian": (lambda: m.GaussianNLLLoss(), 3),
    "binary": (lambda: m.BCELoss(), 2),
    "binary, logits": (lambda: m.BCEWithLogitsLoss(), 2),
}
for p, swap in itertools.product((1, 2, 0.5, 0, math.inf, -2), (False, True)):
    EDGES[f"triplet {p}{' swapped' * swap}"] = (partial(m.TripletMarginLoss, p=p, swap=swap, eps=0.0), 3)


@both_dtypes
@pytest.mark.parametrize("name", EDGES)
def test_numbers_that_are_none(name: str, dtype: str) -> None:
    """The same value, the same gradient; or neither engine takes the step."""
    make, count = EDGES[name]
    table = np.array(np.meshgrid(*[NUMBERS] * count), dtype).reshape(count, -1)
    for column in table.T[:: 1 if count == 2 else 7]:
        edge_alike(make(), tuple(column.reshape(count, 1, 1)), dtype)


def edge_alike(loss: m.Loss, inputs: tuple[Any, ...], dtype: str) -> None:
    try:
        expected = by_numpy(loss, inputs, None)
    except LinkError:  # a probability, sign or variance out of range
        expected = Found(math.nan, 1.0, [])
    found = by_core(loss, inputs, None)
    assert (found is not None) == math.isfinite(expected.value), inputs
    if found is not None:
        tolerance = TOLERANCE[dtype]
        assert found.value == pytest.approx(expected.value, rel=tolerance, abs=tolerance), inputs
        steepest = max(largest(grad) for grad in expected.grads if grad is not None)
        for one, other in zip(found.grads, expected.grads, strict=True):
            if one is not None and other is not None:
                close(f"{inputs}", one, other, tolerance, steepest)


@both_dtypes
def test_labels_and_lists_of_all_kinds(dtype: str) -> None:
    scores = np.array([[0.5, -1.0, 2.0], [0.1, 0.1, 0.1]], dtype)
    for label in (-2, -1, 0, 2, 3, 2**40):
        for p in (1, 2):
            edge_alike(m.MultiMarginLoss(p), (scores, np.array([1, label])), dtype)
        for other in (-2, -1, 0, 1, 3):
            edge_alike(m.MultiLabelMarginLoss(), (scores, np.array([[label, other, 0], [2, 2, -1]])), dtype)
        edge_alike(m.NLLLoss(ignore_index=-1), (scores, np.array([1, label])), dtype)
        edge_alike(m.CrossEntropyLoss(ignore_index=-1), (scores, np.array([1, label])), dtype)


@both_dtypes
def test_sequences_of_all_kinds(dtype: str) -> None:
    """Too short, empty, of labels and lengths out of range, with repetitions, with scores that are none."""
    base = Draw(2, dtype).normal(4, 1, 3)
    for number in (0.5, 300.0, -300.0, -math.inf, math.inf, math.nan):
        scores = base.copy()
        scores[1, 0, 1] = number
        for labels in ([], [1], [1, 1], [1, 2], [2, 2, 2], [0], [3], [-1]):
            for end in (-1, 0, 1, 2, 3, 4, 5):
                for length in {0, len(labels), len(labels) + 1}:
                    for zero_infinity in (False, True):
                        targets = np.array([labels], np.int64).reshape(1, len(labels))
                        loss = m.CTCLoss(zero_infinity=zero_infinity)
                        edge_alike(loss, (scores, targets, np.array([end]), np.array([length])), dtype)


def test_cosines_of_nothing_and_of_much() -> None:
    for dtype in TOLERANCE:
        for scale in (0.0, 1e-20, 1e-3, 1e9, 1e15, math.inf, math.nan):
            for sign in (1.0, -1.0, 0.5, math.nan):
                pair = np.array([[scale, -scale]], dtype), np.array([[2.0, 1.0]], dtype)
                edge_alike(m.CosineEmbeddingLoss(), (*pair, np.array([sign], dtype)), dtype)


# ── In training ─────────────────────────────────────────────────────────────────────────────────────────────────────


def head(loss: m.Loss, place: int, shape: tuple[int, ...]) -> m.Sequential:
    """From rows of numbers to a prediction of the shape, in the range that the loss wants."""
    width = shape[-1] if len(shape) > 1 else 1
    links: list[m.Module] = [m.Linear(width, width, generator=Generator(4 + place))]
    if isinstance(loss, m.BCELoss) or (isinstance(loss, m.PoissonNLLLoss) and not loss.log_input) or place == 1:
        links.append(m.Sigmoid())
    if isinstance(loss, m.KLDivLoss | m.CTCLoss):
        links.append(m.LogSoftmax(-1))
    if not getattr(loss, "from_logits", True):
        links.append(m.Softmax(1))
    return m.Sequential(*links, *([] if len(shape) > 1 else [m.Flatten(0)]))


def trained_alike(make: Callable[[], m.Loss], inputs: tuple[Any, ...], weight: Array | None, dtype: str) -> None:
    """Two epochs in mini-batches, the last of them short, by both engines."""
    loss = make()
    of = [value for value, predicted in zip(inputs, loss.predicted, strict=True) if predicted]
    targets = tuple(value for value, predicted in zip(inputs, loss.predicted, strict=True) if not predicted)
    shapes = [value.shape for value in of]

    def optim() -> m.Optim:
        heads = [head(loss, place, shape) for place, shape in enumerate(shapes)]
        network = heads[0] if len(heads) == 1 else m.Parallel(*heads)
        return m.Optim(network.to(dtype), make(), m.SGD(lr=0.05))

    xs = tuple(value if value.ndim > 1 else value[:, None] for value in of)
    y = targets[0] if len(targets) == 1 else targets or None
    size = len(xs[0]) if isinstance(loss, m.CTCLoss) else 4
    options = {"batch_size": size, "epochs": 2, "shuffle": False, "sample_weight": weight}
    same_for_both(optim, xs[0] if len(xs) == 1 else xs, y, TOLERANCE[dtype], **options)


@both_dtypes
@pytest.mark.parametrize(
    "row", [row for row in LOSSES if row.batched and row.link().predicted[0]], ids=lambda row: row.name
)
def test_a_training_with_a_loss(row: Row, dtype: str) -> None:
    trained_alike(lambda: row.link(dtype), *arguments(row, dtype)[1:], dtype)


@both_dtypes
def test_a_training_on_sequences(dtype: str) -> None:
    draw = Draw(4, dtype)
    for by in ("mean", "sum"):
        inputs = (draw.normal(6, 6, 5), 1 + draw.labels(4, 6, 2), 5 + draw.labels(2, 6), 1 + draw.labels(2, 6))
        for weight in (None, draw.unit(6)):
            trained_alike(lambda by=by: m.CTCLoss(reduction=by), inputs, weight, dtype)


# ── What is not lowered ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("loss", "inputs", "weight"),
    [
        (m.MSELoss(), (np.ones((3, 2)), np.ones((2, 3))), None),
        (m.MSELoss(), (np.ones((3, 2)), np.ones((3, 2))), np.ones(2)),
        (m.MSELoss(), (np.ones(()), np.ones(())), np.ones(())),
        (m.MSELoss(), (np.ones(2), np.ones(2, np.float32)), None),
        (m.BCELoss([1.0, 2.0]), (np.ones((3, 3)), np.ones((3, 3))), None),
        (m.CrossEntropyLoss(), (np.ones((3, 2)), np.zeros(2, np.int64)), None),
        (m.CrossEntropyLoss(), (np.ones((3, 0)), np.zeros(3, np.int64)), None),
        (m.CrossEntropyLoss(), (np.ones(3), np.zeros((), np.int64)), np.ones(1)),
        (m.CrossEntropyLoss(ignore_index=0), (np.ones((3, 2)), np.ones((3, 2))), None),
        (m.NLLLoss(), (np.ones((3, 2)), np.ones((3, 2))), None),
        (m.MultiMarginLoss(), (np.ones((3, 0)), np.zeros(3, np.int64)), None),
        (m.MultiLabelSoftMarginLoss(), (np.ones((3, 0)), np.ones((3, 0))), None),
        (m.GaussianNLLLoss(), (np.ones((3, 2)), np.ones((3, 2)), np.ones((1, 1))), None),
        (m.TripletMarginLoss(), (np.ones((3, 0)),) * 3, None),
        (m.CTCLoss(3), (np.ones((3, 1, 3)), np.ones((1, 1), int), np.ones(1, int), np.ones(1, int)), None),
        (m.CTCLoss(), (np.ones((3, 2, 3)), np.ones((1, 1), int), np.ones(2, int), np.ones(2, int)), None),
        (m.CTCLoss(), (np.ones((3, 1, 3)), np.ones((1, 1), int), np.ones(2, int), np.ones(1, int)), None),
        (m.CTCLoss(), (np.ones((3, 1, 3)), np.ones((1, 1)), np.ones(1, int), np.ones(1, int)), None),
        (m.CTCLoss(), (np.ones(3), np.ones((1, 1), int), np.ones(1, int), np.ones(1, int)), None),
    ],
    ids=repr,
)
def test_what_a_loss_refuses_is_numpys_to_say(loss: m.Loss, inputs: tuple[Any, ...], weight: Array | None) -> None:
    """It runs in NumPy inside of the plan, and raises there; a mean that is not a number ends the step."""
    with np.errstate(all="ignore"):
        try:
            expected = by_numpy(loss, inputs, weight)
        except Exception as error:
            with pytest.raises(type(error)) as found:
                by_core(loss, inputs, weight, refused=True)
            assert str(found.value) == str(error)
        else:
            assert (by_core(loss, inputs, weight, refused=True) is None) == np.isnan(expected.value)
