"""The plan: its listing to the letter, its memory, and what its verifier refuses."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon import engine
from maillon.engine import header, processor
from maillon.engine.plan import Buffer, Operation, Plan, PlanError, address, number_of
from maillon.engine.table import OPERATIONS, Kind
from maillon.engine.verify import verify
from maillon.typing import Array

NATIVE = Path(__file__).parents[2] / "native" / "operations"

LISTING = """\
Plan of Sequential(
  Flatten(),
  Linear(6, 4),
  Tanh(),
  Dropout(0.25),
  Linear(4, 3),
), CrossEntropyLoss(label_smoothing=0.1), SGD(<4 parameters>, lr=0.1, momentum=0.9, dampening=0, weight_decay=0, \
nesterov=False, maximize=False)
5 rows, float32, 14 operations, 1.27 kFLOP and 3.38 kB moved a step, 1.23 kB of buffers
forward
  linear                  240 FLOP 312 B  2.y (5×4) ← x (5×2×3), 1.weight (4×6), 1.bias (4)  [activation=tanh, \
zeros=1]
  dropout                  40 FLOP 240 B  3.y (5×4), 3.factor (20) ← 2.y (5×4)  [p=0.25]
  linear                  120 FLOP 200 B  4.y (5×3) ← 3.y (5×4), 4.weight (3×4), 4.bias (3)
loss
  class_loss              225 FLOP 236 B  d4.y (5×3), loss (2) ← 4.y (5×3), target (5), sample weight (5)  \
[reduction=mean, ignore_index=-100, smoothing=0.1]
backward
  linear_grad_weight      120 FLOP 260 B  d4.weight (3×4), d4.bias (3) ← d4.y (5×3), 3.y (5×4)
  linear_grad_input       120 FLOP 188 B  d3.y (5×4) ← d4.y (5×3), 4.weight (3×4)
  dropout_grad             20 FLOP 240 B  d3.y (5×4) ← d3.y (5×4), 3.factor (20)
  activation_grad          60 FLOP 240 B  d3.y (5×4) ← d3.y (5×4), 2.y (5×4)  [activation=tanh]
  linear_grad_weight      240 FLOP 424 B  d1.weight (4×6), d1.bias (4) ← d3.y (5×4), x (5×2×3)  [zeros=1]
update
  count_step                 0 FLOP 16 B  steps of 1.weight (1)
  sgd                      48 FLOP 520 B  1.weight (4×6), momentum_buffer of 1.weight (4×6) ← d1.weight (4×6)
  sgd                       8 FLOP 120 B  1.bias (4), momentum_buffer of 1.bias (4) ← d1.bias (4)
  sgd                      24 FLOP 280 B  4.weight (3×4), momentum_buffer of 4.weight (3×4) ← d4.weight (3×4)
  sgd                       6 FLOP 100 B  4.bias (3), momentum_buffer of 4.bias (3) ← d4.bias (3)"""

X, LABELS, WEIGHT = np.zeros((5, 2, 3)), np.arange(5) % 3, np.ones(5)


def optim(**options: Any) -> m.Optim:
    links = [m.Flatten(), m.Linear(6, 4), m.Tanh(), m.Dropout(0.25), m.Linear(4, 3)]
    rule = m.SGD(lr=0.1, momentum=0.9)
    return m.Optim(m.Sequential(*links), m.CrossEntropyLoss(label_smoothing=0.1), rule, **options)


def plan() -> Plan:
    return engine.lower(optim(), X, LABELS, WEIGHT)


def test_the_listing_to_the_letter() -> None:
    assert str(plan()) == LISTING


def test_lowering_changes_nothing() -> None:
    learner = optim()
    before = [p.data.tobytes() for p in learner.network.parameters()]
    state = repr(m.random.default_generator().get_state())
    engine.lower(learner, X, LABELS, WEIGHT)
    assert [p.data.tobytes() for p in learner.network.parameters()] == before
    assert learner.rule.state == {}
    assert [p.grad for p in learner.network.parameters()] == [None] * 4
    assert repr(m.random.default_generator().get_state()) == state


def test_lower_says_what_the_core_does_not_know() -> None:
    class Mine(m.Sequential):
        pass

    x, y = np.zeros((4, 3)), np.zeros((4, 2))
    plan = engine.lower(m.Optim(Mine(m.Linear(3, 2)), m.MSELoss(), 0.1), x, y)
    assert list(plan.own.values()) == ["Mine(…) is not among the links it knows"]

    class MyRule(m.SGD):
        pass

    with pytest.raises(engine.NotLoweredError, match=r"^MyRule\(.*\) is not among the rules it knows$"):
        engine.lower(m.Optim(m.Linear(3, 2), m.MSELoss(), MyRule(lr=0.1)), x, y)


def test_no_product_is_made_for_the_gradient_of_the_data() -> None:
    kinds = [operation.kind for operation in plan().operations]
    assert kinds.count("linear_grad_weight") == 2
    assert kinds.count("linear_grad_input") == 1


@pytest.mark.usefixtures("core")
def test_both_sides_have_the_same_table() -> None:
    of_the_core = dict(processor.core().operations())
    assert {*of_the_core, "python"} == OPERATIONS.keys()
    assert [number_of(name) for name in of_the_core] == list(range(len(OPERATIONS) - 1))


@pytest.mark.parametrize("name", header.headers())
def test_the_structs_of_the_core_are_those_of_the_rows(name: str) -> None:
    assert (NATIVE / name).read_text(encoding="utf-8") == header.headers()[name], "run `make operations`"


def test_no_struct_is_left_over() -> None:
    assert {path.name for path in NATIVE.iterdir()} == set(header.headers())


@pytest.mark.usefixtures("core")
def test_a_core_of_other_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**OPERATIONS, "clear": Kind("clear", "", ("gradients: w n",), ("n", "more"))}
    monkeypatch.setattr("maillon.engine.plan.OPERATIONS", changed)
    number_of.cache_clear()
    try:
        with pytest.raises(
            RuntimeError, match=r"^the compiled core is of another version: it has other .* clear\. Build"
        ):
            number_of("clear")
    finally:
        number_of.cache_clear()


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, b"", 0.0, -1, True), "a table of operations has other columns"),
        ((len(OPERATIONS), b"", 0.0, -1, True, True), "no such operation"),
        ((-2, b"", 0.0, -1, True, True), "no such operation"),
        ((-1, b"", 0.0, -1, True, True), "an operation in Python is no function"),
        ((0, b"", 0.0, -1, True, True), "the fields of an operation are of another length"),
        ((0, bytes(8 * OPERATIONS["linear"].words), 0.0, 0, True, True), "no such stream"),
    ],
)
def test_the_core_refuses_what_is_no_table(row: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        engine.processor.core().Program(engine.instruction_set(), False, 1, [row], [])


@pytest.mark.usefixtures("core")
def test_the_core_sees_arrays_where_numpy_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(12.0).reshape(3, 4)
    frozen = array.view()
    frozen.flags.writeable = False
    arrays = [array, array[1:, 2:], array[::-1], array[:0], array.T, frozen, array.astype(">f4"), np.array(1)]
    seen = [address(each) for each in arrays]
    monkeypatch.setattr(engine.processor, "core", lambda: None)
    assert seen == [address(each) for each in arrays]


# Memory


def autoencoder() -> m.Sequential:
    sizes = [784, 256, 64, 2, 64, 256, 784]
    links: list[m.Module] = []
    for i, size in enumerate(sizes[1:]):
        links += [m.Linear(sizes[i], size), m.Tanh() if size != 784 else m.Sigmoid()]
    return m.Sequential(*links)


WORKLOADS: dict[str, tuple[Callable[[], m.Optim], tuple[int, ...], tuple[int, ...], list[int]]] = {
    "linear": (lambda: m.Optim(m.Linear(1, 1), m.MSELoss(), 0.1), (1, 1), (1, 1), [1, 1]),
    "2-4-1": (
        lambda: m.Optim(m.Sequential(m.Linear(2, 4), m.Tanh(), m.Linear(4, 1), m.Sigmoid()), m.BCELoss(), 0.1),
        (1, 2),
        (1, 1),
        [2, 4, 1],
    ),
    "784-100-10": (
        lambda: m.Optim(
            m.Sequential(m.Linear(784, 100), m.Tanh(), m.Linear(100, 10)), m.CrossEntropyLoss(), m.Adam(lr=1e-3)
        ),
        (100, 784),
        (100,),
        [784, 100, 10],
    ),
    "autoencoder": (
        lambda: m.Optim(autoencoder(), m.MSELoss(), m.Adam(lr=1e-3)),
        (2048, 784),
        (2048, 784),
        [784, 256, 64, 2, 64, 256, 784],
    ),
}


def footprint(plan: Plan) -> int:
    """The bytes that the plan's buffers cover; overlapping ones count once."""
    spans = sorted((address(b.array), address(b.array) + b.array.nbytes) for b in plan.buffers())
    covered, reached = 0, 0
    for begin, end in spans:
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_memory_of_a_training(name: str) -> None:
    """Parameters, gradients, the rule's state, the mini-batch, three times its activations, and 1 kB."""
    make, x_shape, y_shape, widths = WORKLOADS[name]
    learner = make()
    x = np.zeros(x_shape, np.float32)
    y: Array = np.zeros(y_shape, np.int64) if len(y_shape) == 1 else np.zeros(y_shape, np.float32)
    y = x if name == "autoencoder" else y
    found = footprint(engine.lower(learner, x, y))
    data = x.nbytes + (0 if y is x else y.nbytes)
    parameters = sum(p.data.nbytes for p in learner.network.parameters())
    states = {m.Adam: 2, m.SGD: 0}[type(learner.rule)]
    activations = 4 * x_shape[0] * sum(widths)
    assert found <= (2 + states) * parameters + data + 3 * activations + 1024


# What the verifier refuses


def change(place: int, **fields: Any) -> Callable[[Plan], Plan]:
    """Another operation at a place."""

    def changed(made: Plan) -> Plan:
        operations = list(made.operations)
        operations[place] = replace(operations[place], **fields)
        return replace(made, operations=operations)

    return changed


def sized(place: int, **sizes: Any) -> Callable[[Plan], Plan]:
    return lambda made: change(place, sizes={**made.operations[place].sizes, **sizes})(made)


def operand(place: int, name: str, other: Callable[[Buffer], Buffer | None]) -> Callable[[Plan], Plan]:
    """Another buffer for an operand, or none."""

    def changed(made: Plan) -> Plan:
        operands = dict(made.operations[place].operands)
        buffer = other(operands[name])
        if buffer is None:
            del operands[name]
        else:
            operands[name] = buffer
        return change(place, operands=operands)(made)

    return changed


def array(make: Callable[[Array], Array]) -> Callable[[Buffer], Buffer]:
    return lambda buffer: replace(buffer, array=make(buffer.array))


def frozen(values: Array) -> Array:
    values = values.copy()
    values.flags.writeable = False
    return values


def shifted(values: Array) -> Array:
    return np.frombuffer(bytearray(values.nbytes + 1), values.dtype, offset=1)


def overlapping(made: Plan) -> Plan:
    operands = dict(made.operations[0].operands)
    operands["y"] = Buffer("y", operands["x"].array[: 4 * 5], (5, 4))
    return change(0, operands=operands)(made)


def partly(made: Plan) -> Plan:
    """In place, but one element further on."""
    operands = dict(made.operations[7].operands)
    room = np.zeros(21, np.float32)
    operands |= {"dy": Buffer("dy", room[:20], (5, 4)), "dx": Buffer("dx", room[1:], (5, 4))}
    return change(7, operands=operands)(made)


LINEAR, DROPOUT, LAST, LOSS, GRAD_WEIGHT, GRAD_INPUT, GRAD, SGD = 0, 1, 2, 3, 4, 5, 7, 10
REFUSED: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "a dtype": (lambda made: replace(made, dtype=np.dtype("float16")), "expected float32 or float64, got float16"),
    "the output's size": (
        lambda made: replace(made, output=replace(made.output, shape=(5, 4))),
        "the output is 15 of float32, not output (5×4)",
    ),
    "the result": (
        lambda made: replace(made, result=Buffer("loss", np.zeros(1), (1,))),
        "the result must be the loss and what its mean was divided by",
    ),
    "Fortran's order": (
        operand(LINEAR, "weight", array(lambda a: np.asfortranarray(a.reshape(4, 6)))),
        "buffer 1.weight: expected an aligned array in C order",
    ),
    "no alignment": (operand(LINEAR, "y", array(shifted)), "buffer 2.y: expected an aligned array in C order"),
    "a subclass": (
        operand(LINEAR, "y", array(lambda a: a.view(np.ma.MaskedArray))),
        "buffer 2.y: expected an aligned array in C order",
    ),
    "a byte order": (
        operand(LINEAR, "y", array(lambda a: a.astype(a.dtype.newbyteorder()))),
        "buffer 2.y: expected the machine's byte order",
    ),
    "read-only memory": (
        operand(LINEAR, "y", array(frozen)),
        "buffer 2.y: expected an array that may be written to",
    ),
    "a kind": (change(LINEAR, kind="nothing"), "operation 0, nothing: there is no such operation"),
    "a part": (change(LINEAR, part="later"), "operation 0, linear: there is no such operation"),
    "sizes": (
        change(LINEAR, sizes={"rows": 5}),
        f"operation 0, linear: expected sizes {OPERATIONS['linear'].sizes} and numbers ('slope',)",
    ),
    "numbers": (
        change(LINEAR, numbers={}),
        f"operation 0, linear: expected sizes {OPERATIONS['linear'].sizes} and numbers ('slope',)",
    ),
    "a negative size": (sized(LINEAR, rows=-1), "operation 0, linear: size rows is -1"),
    "a size that is no integer": (sized(LINEAR, rows=5.0), "operation 0, linear: size rows is 5.0"),
    "an enormous size": (sized(LINEAR, rows=2**40), f"operation 0, linear: size rows is {2**40}"),
    "a choice": (sized(LINEAR, activation=99), "operation 0, linear: size activation is 99"),
    "an ignored index": (
        sized(LOSS, ignore_index=2**63),
        f"operation 3, class_loss: size ignore_index is {2**63}",
    ),
    "a number that is none": (
        change(LINEAR, numbers={"slope": math.nan}),
        "operation 0, linear: numbers are {'slope': nan}",
    ),
    "a stream": (change(DROPOUT, stream=1), "operation 1, dropout: stream 1 is not there"),
    "a stream too many": (change(LINEAR, stream=0), "operation 0, linear: stream 0 is not there"),
    "an operand too many": (
        lambda made: change(LINEAR, operands={**made.operations[0].operands, "z": made.output})(made),
        "operation 0, linear: there are no operands ['z']",
    ),
    "an operand too few": (
        operand(LINEAR, "weight", lambda buffer: None),
        "operation 0, linear: operand weight is missing",
    ),
    "another dtype": (
        operand(LINEAR, "bias", array(lambda a: a.astype(np.float64))),
        "operation 0, linear: operand bias is float64, not float32",
    ),
    "labels of another dtype": (
        operand(LOSS, "labels", array(lambda a: a.astype(np.int32))),
        "operation 3, class_loss: operand labels is int32, not int64",
    ),
    "a buffer too small": (
        operand(LINEAR, "y", array(lambda a: a[:19])),
        "operation 0, linear: operand y needs 20 elements, 2.y has 19",
    ),
    "more rows than there are": (
        sized(LINEAR, rows=6),
        "operation 0, linear: operand x needs 36 elements, x has 30",
    ),
    "a constant to be written": (
        operand(LINEAR, "y", lambda buffer: replace(buffer, read_only=True)),
        "operation 0, linear: operand y would overwrite 2.y",
    ),
    "nothing to multiply": (sized(LINEAR, inputs=0), "operation 0, linear: size inputs is 0"),
    "no classes": (sized(LOSS, classes=0), "operation 3, class_loss: size classes is 0"),
    "a derivative of nothing": (
        sized(GRAD_INPUT, activation=1),
        "operation 5, linear_grad_input: it does not hold that activation == 0 or reference",
    ),
    "neither labels nor distribution": (
        operand(LOSS, "labels", lambda buffer: None),
        "operation 3, class_loss: it does not hold that labels != distribution",
    ),
    "a likelihood of a distribution": (
        lambda made: change(
            LOSS,
            sizes={**made.operations[LOSS].sizes, "flags": 2},
            operands={
                **{k: v for k, v in made.operations[LOSS].operands.items() if k != "labels"},
                "distribution": Buffer("distribution", np.zeros(15, np.float32), (5, 3)),
            },
        )(made),
        "operation 3, class_loss: it does not hold that labels or flags < 2",
    ),
    "what is read and overwritten": (overlapping, "operation 0, linear: y overlaps x"),
    "what is half overwritten": (partly, "operation 7, activation_grad: dx overlaps dy"),
    "a gradient over its parameter": (
        lambda made: change(
            SGD, operands={**made.operations[SGD].operands, "grad": made.operations[SGD].operands["parameter"]}
        )(made),
        "operation 10, sgd: parameter overlaps grad",
    ),
}


def test_the_places_are_those_the_changes_mean() -> None:
    kinds = ["linear", "dropout", "linear", "class_loss", "linear_grad_weight", "linear_grad_input"]
    made = plan()
    places = (LINEAR, DROPOUT, LAST, LOSS, GRAD_WEIGHT, GRAD_INPUT, GRAD, SGD)
    assert [made.operations[place].kind for place in places] == [*kinds, "activation_grad", "sgd"]
    assert all(isinstance(operation, Operation) for operation in made.operations)


@pytest.mark.parametrize("name", REFUSED)
def test_the_verifier_refuses(name: str) -> None:
    made = plan()
    verify(made)
    spoil, message = REFUSED[name]
    with pytest.raises(PlanError) as caught:
        verify(spoil(made))
    assert str(caught.value) == message


def test_buffers_begin_at_cache_lines() -> None:
    learner = optim()
    made = engine.lower(learner, X, LABELS, WEIGHT)
    parameters = {id(parameter.data) for parameter in learner.network.parameters()}
    own = [buffer for buffer in made.buffers() if id(buffer.array) not in parameters and buffer.array.size]
    assert len(own) > 20
    assert {address(buffer.array) % 64 for buffer in own} == {0}
