"""Joints, containers and moves in the core: values used several times, nested, cut, turned, spread and gathered."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, close, one_step, same_for_both, threads, walk_alike

import maillon as m
from maillon.engine import instruction_set, processor
from maillon.engine.builder import Builder, NotLoweredError, Value
from maillon.engine.families.joints import joined, moved, permuted
from maillon.engine.lowering import finish
from maillon.engine.memory import Memory
from maillon.engine.plan import Plan, PlanError, table
from maillon.engine.step import copied
from maillon.engine.verify import verify
from maillon.engine.walk import lower_child
from maillon.nn.support.errors import LinkError
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))
RANDOM = np.random.default_rng(7)


def normal(*shape: int, dtype: str = "float64") -> Array:
    return RANDOM.normal(size=shape).astype(dtype)


def linear(inputs: int, outputs: int, seed: int = 1) -> m.Linear:
    return m.Linear(inputs, outputs, generator=Generator(seed))


# Links that join


def square() -> m.Module:
    """x · x + x, all of one value."""
    return m.Graph("x", {"square": (m.Multiply(), "x", "x"), "y": (m.Add(), "square", "x", "x")}, "y")


def products(count: int) -> m.Module:
    """As many factors, some of them the same value."""
    nodes: dict[str, Any] = {"a": (m.Tanh(), "x"), "b": (linear(3, 3), "x")}
    sources = ["a", "b", "x", "a", "b"][:count]
    return m.Graph("x", nodes | {"y": (m.Multiply(), *sources)}, ["y", "a", "b"])


def deep() -> m.Module:
    """Residuals around residuals, and a shortcut."""
    inner = m.Residual(m.Sequential(linear(4, 4, 2), m.Tanh()))
    return m.Sequential(
        m.Residual(m.Sequential(linear(3, 4), m.ReLU(), inner), shortcut=linear(3, 4, 5)),
        m.Residual(m.Residual(m.Identity())),
        m.Residual(m.Dropout(0.5, generator=Generator(3)), shortcut=m.Dropout(0.3, generator=Generator(4))),
    )


def inception() -> m.Module:
    ways = m.Parallel(
        linear(3, 2), m.Sequential(linear(3, 5, 2), m.GELU()), m.Identity(), m.Parallel(m.Tanh(), m.ReLU())
    )
    return m.Graph(
        "x",
        {
            "ways": (ways, "x"),
            "all": (m.Concat(), "ways.0", "ways.1", "ways.2", "ways.3.0"),
            "y": (linear(13, 2), "all"),
        },
        ["y", "ways.3.1", "ways"],
    )


def shared() -> m.Module:
    first = linear(3, 3)
    return m.Parallel(first, m.Sequential(m.Tanh(), first.share()), m.Sequential(first.share(), m.PReLU()))


CONTAINERS: dict[str, Callable[[], m.Module]] = {
    "square": square,
    "products of two": lambda: products(2),
    "products of three": lambda: products(3),
    "products of five": lambda: products(5),
    "residuals": deep,
    "inception": inception,
    "shared": shared,
    "names with dots": lambda: m.Graph("x", {"a.b": (linear(3, 2), "x"), "a.c": (m.Tanh(), "a.b")}, ["a.c", "a.b"]),
    "an input as output": lambda: m.Graph("x", {"y": (linear(3, 2), "x")}, ["x", "y"]),
    "nine parts": lambda: m.Sequential(m.Parallel(*[m.Tanh() for _ in range(19)]), m.Concat(0)),
    "one part": lambda: m.Sequential(m.Parallel(m.Tanh()), m.Concat()),
    "nothing": lambda: m.Sequential(),
}


@both_dtypes
@pytest.mark.parametrize("name", CONTAINERS)
def test_values_that_are_used_several_times(name: str, dtype: str) -> None:
    for rows in (4, 1):
        walk_alike(lambda: CONTAINERS[name]().to(dtype), (normal(rows, 3, dtype=dtype),), TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_concatenations(dim: int, dtype: str) -> None:
    shapes = [[2, 3, 4] for _ in range(11)]
    for place, shape in enumerate(shapes):
        shape[dim] = (3, 0, 1, 20, 2, 5)[place % 6]
    for count in (1, 2, 8, 9, 11):
        parts = tuple(normal(*shape, dtype=dtype) for shape in shapes[:count])
        walk_alike(lambda: m.Concat(dim), parts, TOLERANCE[dtype])
        walk_alike(lambda: m.Concat(dim), (parts,), TOLERANCE[dtype])


@both_dtypes
def test_sums_and_products_of_numbers_and_of_nothing(dtype: str) -> None:
    for shape in ((), (0, 3), (70, 3)):
        for count in (1, 2, 5):
            weighted = partial(m.WeightedSum, (0.3, -2.0, 0.0, 1.0, 1e-3)[:count])
            for link in (m.Add, m.Multiply, weighted):
                walk_alike(link, tuple(normal(*shape, dtype=dtype) for _ in range(count)), TOLERANCE[dtype])


@both_dtypes
def test_several_inputs_by_place_and_as_a_tuple(dtype: str) -> None:
    def two() -> m.Module:
        nodes = {"a": (linear(3, 2), "x"), "b": (linear(2, 2), "z"), "y": (m.Add(), "a", "b")}
        return m.Graph(["x", "z"], nodes, ["y", "a"]).to(dtype)

    x, z = normal(5, 3, dtype=dtype), normal(5, 2, dtype=dtype)
    walk_alike(two, (x, z), TOLERANCE[dtype])
    walk_alike(two, ((x, z),), TOLERANCE[dtype])
    walk_alike(lambda: m.Parallel(linear(3, 2), linear(2, 2)).to(dtype), ((x, z),), TOLERANCE[dtype])
    walk_alike(
        lambda: m.Sequential(m.Parallel(linear(3, 2), m.Tanh()), m.Multiply()).to(dtype), (x, z), TOLERANCE[dtype]
    )


@both_dtypes
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (3, 1), (1, 2), (2, 2)])
def test_what_a_chain_takes_of_a_recurrent_layer(layers: int, directions: int, dtype: str) -> None:
    for batch in ((), (5,)):
        output = normal(*batch, 6, directions * 4, dtype=dtype) if batch else normal(6, directions * 4, dtype=dtype)
        hidden = normal(layers * directions, *batch, 4, dtype=dtype)
        for state in (hidden, (hidden, hidden * 2)):
            for link in (m.LastStep, m.EveryStep):
                walk_alike(link, ((output, state),), TOLERANCE[dtype])


@both_dtypes
def test_a_training_step_through_branches(dtype: str) -> None:
    def make() -> m.Optim:
        chain = m.Sequential(
            m.Residual(m.Sequential(linear(3, 3), m.LeakyReLU(-0.2))),
            m.Parallel(m.Tanh(), linear(3, 2, 4), m.Identity()),
            m.Concat(),
            linear(8, 2, 6),
        )
        return m.Optim(chain.to(dtype), m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))

    one_step(make, normal(9, 3, dtype=dtype), normal(9, 2, dtype=dtype), None, TOLERANCE[dtype])


WITHOUT_USE: dict[str, Callable[[], m.Module]] = {
    "a way": lambda: m.Parallel(linear(3, 2), m.Sequential(linear(3, 2, 5), m.Tanh())),
    "the output of an attention": lambda: m.Graph(
        "x",
        {"k": (linear(3, 3, 4), "x"), "a": (attention(), "x", "x", "k")},
        ["a.1", "a.0"],
    ),
}


def attention() -> m.MultiheadAttention:
    return m.MultiheadAttention(3, 1, kdim=3, vdim=3, batch_first=True, generator=Generator(6))


@pytest.mark.parametrize("name", WITHOUT_USE)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_rule_moves_what_nobody_uses_too(name: str, accumulate: int) -> None:
    """Its gradient is zero: weight decay and momenta go on."""
    x = normal(4, 2, 3)

    def make() -> m.Optim:
        network = m.Graph("x", {"ways": (WITHOUT_USE[name](), "x")}, "ways.0").to("float64")
        return m.Optim(network, m.MSELoss(), m.AdamW(lr=0.1, weight_decay=0.5, eps=1e-2), accumulate=accumulate)

    before, y = make().network.state_dict(), np.ones_like(make().network(x))
    found = same_for_both(make, x, y, 1e-12, batch_size=2, epochs=2)
    assert all((found.arrays[each] != value).all() for each, value in before.items() if each.endswith("weight"))


REFUSED: dict[str, tuple[m.Module, tuple[Any, ...]]] = {
    "shapes of a sum": (m.Add(), (normal(2, 3), normal(2, 1))),
    "nothing to add": (m.Add(), ((),)),
    "inputs of a weighted sum": (m.WeightedSum((0.5, 0.5)), (normal(2, 3),) * 3),
    "shapes of a concatenation": (m.Concat(), (normal(2, 3), normal(3, 3))),
    "dimensions of a concatenation": (m.Concat(), (normal(2, 3), normal(2, 3, 1))),
    "no such dimension": (m.Concat(4), (normal(2, 3), normal(2, 3))),
    "the ways of a residual": (m.Residual(linear(3, 2).to("float64")), (normal(2, 3),)),
    "inputs of a parallel": (m.Parallel(m.Tanh(), m.Tanh()), (normal(2, 3),) * 3),
    "inputs of a graph": (m.Graph(["x", "z"], {"y": (m.Add(), "x", "z")}, "y"), (normal(2, 3),)),
    "a part that is not there": (m.Graph("x", {"a": (m.Tanh(), "x"), "y": (m.Tanh(), "a.1")}, "y"), (normal(2, 3),)),
    "no pair": (m.LastStep(), (normal(2, 3),)),
    "a state of another layer": (m.LastStep(), ((normal(5, 2, 4), normal(1, 2, 3)),)),
    "integers": (m.Add(), (normal(2, 3), np.ones((2, 3), np.int64))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_is_left_to_it(name: str) -> None:
    link, inputs = REFUSED[name]
    with pytest.raises(LinkError):
        link(*inputs)
    b = Builder(np.dtype("float64"), Memory())

    def value(part: Any) -> Any:
        return tuple(map(value, part)) if isinstance(part, tuple) else b.given(f"x{id(part)}", part.shape, part.dtype)

    with pytest.raises(NotLoweredError):
        lower_child(b, link, "", *map(value, inputs))


# Operations that other families use


def carried_out(build: Callable[..., Any], *arrays: Array, dtype: str) -> list[Any]:
    """What operations make of these arrays: the same bits for any number of threads."""
    found: list[list[Any]] = []
    for number in (1, 2, 3):
        b = Builder(np.dtype(dtype), Memory())
        given = [b.given(f"x{place}", array.shape, array.dtype) for place, array in enumerate(arrays)]
        shown = finish(b, tuple(build(b, *given)))
        plan = Plan((), np.dtype(dtype), 1, b.operations, [value.buffer for value in given], shown)
        verify(plan)
        for value, array in zip(given, arrays, strict=True):
            value.buffer.array[:] = array.reshape(-1)
        with threads(number, worth=0):
            program = processor.core().Program(instruction_set(), dtype == "float64", 1, table(plan), [])
            assert program.run(number)
        found.append([copied(one) for one in shown])
    for others in found[1:]:
        assert all(one.tobytes() == other.tobytes() for one, other in zip(found[0], others, strict=True))
    return found[0]


@both_dtypes
def test_moves(dtype: str) -> None:
    random = np.random.default_rng(3)
    for case in range(60):
        shape = tuple(int(n) for n in random.choice([1, 2, 3, 5, 8, 17, 33], random.integers(1, 6)))
        if np.prod(shape) > 30_000:
            continue
        x = random.normal(size=shape).astype(dtype)
        cuts = [(slice(None), slice(None, None, -1), slice(n // 2, None, 2)) for n in shape]
        cut = tuple(choices[random.choice(3, p=(0.6, 0.2, 0.2))] for choices in cuts)
        view = x.transpose(random.permutation(len(shape)))[cut[: len(shape)]]
        offset = (view.__array_interface__["data"][0] - x.__array_interface__["data"][0]) // x.itemsize
        strides = [stride // x.itemsize for stride in view.strides]

        def build(b: Builder, given: Value) -> list[Value]:
            return [moved(b, given, "y", view.shape, strides, offset)]  # noqa: B023

        (found,) = carried_out(build, x, dtype=dtype)
        np.testing.assert_array_equal(found, view, err_msg=str(case))


@both_dtypes
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((64, 50), (1, 0)), ((3, 40, 65), (0, 2, 1)), ((2, 3, 4, 5, 6), (4, 2, 0, 3, 1)), ((4, 1, 3), (2, 1, 0))],
)
def test_permutations_and_the_way_back(shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    x, dy = normal(*shape, dtype=dtype), normal(*(shape[axis] for axis in axes), dtype=dtype)

    def build(b: Builder, given: Value, grad: Value) -> list[Value]:
        b.gradients = object()  # as in training
        b.learn(given)
        y = permuted(b, given, "y", axes)
        b.pass_on(y, grad)
        b.walk_back()
        back = b.gradient_of(given)
        assert back is not None
        return [y, back]

    y, dx = carried_out(build, x, dy, dtype=dtype)
    np.testing.assert_array_equal(y, x.transpose(axes))
    np.testing.assert_array_equal(dx, dy.transpose(np.argsort(axes)))


def test_moves_that_lead_outside_are_refused() -> None:
    for shape, strides, offset in (((4,), (1,), 3), ((3,), (-1,), 1), ((2, 3), (3, 1), 1), ((2,), (2**61,), 0)):
        b = Builder(np.dtype("float32"), Memory())
        x = b.given("x", (6,), np.dtype("float32"))
        y = moved(b, x, "y", shape, strides, offset)
        plan = Plan((), np.dtype("float32"), 1, b.operations, [x.buffer], finish(b, (y,)))
        with pytest.raises(PlanError, match="take"):
            verify(plan)
    with pytest.raises(NotLoweredError, match="5 dimensions at most, not 6"):
        moved(b, x, "y", (2,) * 6, [64, 1, 32, 2, 16, 4])


@both_dtypes
def test_spreads(dtype: str) -> None:
    shapes = [((4, 5, 6, 7), (6, 1)), ((4, 5), (5,)), ((70, 64), (64,)), ((32, 16, 28), (16, 1)), ((3, 4), (3, 1))]
    for whole, part in [*shapes, ((2, 3, 4), (2, 1, 4)), ((5,), (1,)), ((2, 2, 3, 4), (2, 1, 3, 1)), ((0, 3), (3,))]:
        a, b_ = normal(*whole, dtype=dtype), normal(*part, dtype=dtype)
        strides = [stride // a.itemsize for stride in np.broadcast_to(b_, whole).strides]
        sizes = {f"n{dim}": n for dim, n in enumerate((1,) * (4 - len(whole)) + whole)}
        sizes |= {f"stride{dim}": n for dim, n in enumerate([0] * (4 - len(whole)) + strides)}

        def build(b: Builder, one: Value, other: Value) -> list[Value]:
            made = []
            for multiply in (0, 1):
                made.append(b.local("y", one.shape))
                b.add("spread", a=one, b=other, y=made[-1], size=other.size, multiply=multiply, **sizes)  # noqa: B023
            return made

        added, multiplied = carried_out(build, a, b_, dtype=dtype)
        np.testing.assert_array_equal(added, a + b_)
        np.testing.assert_array_equal(multiplied, a * b_)


@both_dtypes
def test_sums_over_dimensions(dtype: str) -> None:
    for shape in (
        (1, 1, 50, 64),
        (1, 20, 30, 1),
        (7, 5, 11, 1),
        (3, 4, 5, 6),
        (128, 3, 1, 1),
        (1, 1, 2000, 3),
        (0, 3, 2, 1),
    ):
        x, factor = normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)
        sizes = dict(zip(("leading", "middle", "trailing", "last"), shape, strict=True))

        def build(b: Builder, one: Value, other: Value) -> list[Value]:
            made = []
            for by in (None, other):
                made.append(b.local("y", (sizes["middle"], sizes["last"])))  # noqa: B023
                b.add("sum_over", x=one, factor=by, y=made[-1], **sizes)  # noqa: B023
                b.add("sum_over", x=one, factor=by, y=made[-1], keep=1, **sizes)  # noqa: B023
            return made

        for found, terms in zip(carried_out(build, x, factor, dtype=dtype), (x, x * factor), strict=True):
            most = np.abs(terms).sum(axis=(0, 2))
            assert (np.abs(found - 2 * terms.sum(axis=(0, 2))) <= TOLERANCE[dtype] * 2 * most).all()


@both_dtypes
def test_scaled_sums_and_fillings(dtype: str) -> None:
    a, other = normal(701, dtype=dtype), normal(701, dtype=dtype)

    def build(b: Builder, one: Value, two: Value) -> list[Value]:
        made = [b.local(f"y{place}", one.shape) for place in range(3)]
        b.add("scaled_sum", a=one, b=two, out=made[0], n=one.size, alpha=0.5, beta=-2)
        b.add("scaled_sum", a=one, out=made[1], n=one.size, alpha=-1)
        b.add("fill", y=made[2], n=one.size, value=1.5)
        return made

    both, negative, filled = carried_out(build, a, other, dtype=dtype)
    close("scaled sum", both, (0.5 * a - 2 * other).astype(dtype), TOLERANCE[dtype])
    np.testing.assert_array_equal(negative, -a)
    assert (filled == 1.5).all()


@both_dtypes
def test_a_joined_value_gives_back_what_is_wanted_alone(dtype: str) -> None:
    parts = [normal(3, n, dtype=dtype) for n in (2, 4, 1)]
    dy = normal(3, 7, dtype=dtype)

    def build(b: Builder, *given: Value) -> list[Value]:
        *values, grad = given
        b.gradients = object()
        b.learn(values[0])
        b.learn(values[2])
        y = joined(b, "y", 1, values)
        b.pass_on(y, grad)
        b.walk_back()
        assert b.gradient_of(values[1]) is None
        return [y, *(b.gradient_of(values[place]) for place in (0, 2))]

    y, first, last = carried_out(build, *parts, dy, dtype=dtype)
    np.testing.assert_array_equal(y, np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(first, dy[:, :2])
    np.testing.assert_array_equal(last, dy[:, 6:])


def test_a_random_graph_of_joints() -> None:
    """Nodes that take whatever stands before them, in both engines."""
    for seed in range(40):
        random = np.random.default_rng(seed)
        nodes: dict[str, Any] = {}
        known = ["x", "z"]
        for place in range(int(random.integers(2, 9))):
            kind = random.integers(6)
            sources = [str(name) for name in random.choice(known, int(random.integers(1, 5)))]
            link: m.Module = [
                m.Add(),
                m.Multiply(),
                m.Tanh(),
                linear(3, 3, place),
                m.Residual(m.Softsign()),
                m.PReLU(),
            ][kind]
            nodes[f"n{place}"] = (link, *(sources if kind < 2 else sources[:1]))
            known.append(f"n{place}")
        used = {source for _, *sources in nodes.values() for source in sources}
        outputs = [name for name in known if name not in used or random.random() < 0.2]
        outputs += [name for name in ("x", "z") if name not in used and name not in outputs]

        def make(nodes: dict[str, Any] = nodes, outputs: list[str] = outputs) -> m.Module:
            return m.Graph(["x", "z"], nodes, outputs).to("float64")

        walk_alike(make, (normal(4, 3), normal(4, 3)), 1e-11)
