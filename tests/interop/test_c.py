"""Headers against the networks that they were written from: compiled with every warning an error, and run."""

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_programs import COMPILERS, SANITIZED, Written, ran
from c_random import KINDS, Case, case
from catalogue import LINKS, Row

import maillon as m
from maillon.interop.c import Header, to_c
from maillon.nesting import leaves
from maillon.nn import LinkShapeError, Module
from maillon.typing import Array

LIMITS = {"float32": 1e-5, "float64": 1e-12}
GROUP, GROUPS = 10, 5
REQUIRED = os.environ.get("MAILLON_REQUIRE_C")  # where it is set, both compilers must be there
USED = ["gcc", "clang"] if REQUIRED else COMPILERS or [pytest.param("gcc", marks=pytest.mark.skip("no C compiler"))]
needs_gcc = pytest.mark.skipif(not REQUIRED and "gcc" not in COMPILERS, reason="gcc is not installed")


def farthest(got: Sequence[Array], expected: Sequence[Array]) -> float:
    """The largest difference, in units of the largest output."""
    assert [part.size for part in got] == [part.size for part in expected]
    largest = max(float(np.max(np.abs(part))) for part in expected)
    apart = max(float(np.max(np.abs(one - other.ravel()))) for one, other in zip(got, expected, strict=True))
    return apart / largest if largest else apart


def check(folder: Path, cases: Sequence[Case], compiler: str, *flags: str) -> None:
    written = [
        Written(
            to_c(each.network, folder / f"{each.name}.h", each.input_shape, dtype=each.dtype), each.calls, each.dtype
        )
        for each in cases
    ]
    for each, calls in zip(cases, ran(folder, written, compiler, *flags), strict=True):
        for place, (got, expected) in enumerate(zip(calls, each.expected, strict=True)):
            assert farthest(got, expected) <= LIMITS[each.dtype], (each.name, place, each.network)


@pytest.mark.sweep
@pytest.mark.parametrize("compiler", USED)
@pytest.mark.parametrize(("kind", "group"), [(kind, k) for kind in KINDS for k in range(GROUPS)])
def test_random_networks(kind: str, group: int, compiler: str, tmp_path: Path) -> None:
    """300 networks, 6 kinds of 50; every second one in double."""
    check(tmp_path, [case(kind, seed) for seed in range(GROUP * group, GROUP * (group + 1))], compiler)


@needs_gcc
def test_the_sanitizers_find_nothing(tmp_path: Path) -> None:
    check(tmp_path, [case(kind, seed) for kind in KINDS for seed in range(100, 104)], "gcc", *SANITIZED)


@needs_gcc
@pytest.mark.parametrize("flags", [("-O3", "-march=native"), ("-O0",)])
def test_other_levels_of_optimization(flags: tuple[str, ...], tmp_path: Path) -> None:
    check(tmp_path, [case(kind, seed) for kind in KINDS for seed in range(200, 203)], "gcc", *flags)


@needs_gcc
def test_headers_are_cpp_too(tmp_path: Path) -> None:
    check(tmp_path, [case(kind, seed) for kind in KINDS for seed in range(300, 302)], "g++")


# Every link

REFUSED = {
    "CosineSimilarity", "MaxUnpool1d", "MaxUnpool2d", "MultiheadAttention", "PairwiseDistance", "TransformerDecoder",
    "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
}  # fmt: skip
REFUSED_FORMS = {
    "Flatten 0", "BatchNorm1d track_running_stats=False in eval mode",
    "MaxPool1d 3 stride=2 padding=1 dilation=2 return_indices=True ceil_mode=True",
    "MaxPool2d 3 stride=2 padding=1 return_indices=True", "AdaptiveMaxPool1d 3 return_indices=True",
    "AdaptiveMaxPool2d (None, 8) return_indices=True",
}  # fmt: skip


def suits(row: Row) -> bool:
    """Whether the row's inputs are batches of which one sample can be taken."""
    given = [each for each in row.inputs() if each is not None]
    return row.batched and all(isinstance(each, np.ndarray) and each.ndim for each in given)


def exported(row: Row, folder: Path, name: str) -> tuple[Written, list[Array]]:
    """The header of a row, and what it should give for the first sample."""
    link = row.link().eval()
    inputs = [each[:1] for each in row.inputs() if each is not None]
    shapes = [each.shape[1:] for each in inputs]
    given = shapes[0] if len(shapes) == 1 else shapes
    header = to_c(link, folder / f"{name}.h", given, name=name, dtype="float64")
    calls = [each.astype(np.int32) if each.dtype.kind in "iu" else each for each in inputs]
    return Written(header, [calls], "float64"), leaves(link(*inputs))


@needs_gcc
def test_every_link_of_the_catalogue(tmp_path: Path) -> None:
    held, refused = {}, set()
    for place, row in enumerate(row for row in LINKS if suits(row)):
        try:
            held[row.name] = exported(row, tmp_path, f"row_{place}")
        except NotImplementedError:
            refused.add(row.name)
        except LinkShapeError:
            assert "norm_first padded" in row.name  # its mask is for the batch
    apart = {name for name in refused if name.split()[0] not in REFUSED}
    assert apart == REFUSED_FORMS
    assert {name.split()[0] for name in refused - apart} == REFUSED
    results = ran(tmp_path, [one for one, _ in held.values()], "gcc", "-O1")
    for (name, (_, expected)), calls in zip(held.items(), results, strict=True):
        assert farthest(calls[0], expected) <= LIMITS["float64"], name
    assert len(held) > 170


# Numbers

SPECIAL = [0.0, -0.0, 1.0, 1e30, np.inf, -np.inf, np.nan, 1 / 3, 1e-40, 123456789.0]


@needs_gcc
def test_large_angles_are_those_of_the_network(tmp_path: Path) -> None:
    link, x = m.PeriodicEmbedding(3, generator=m.Generator(1)), 1e4 * m.Generator(2).randn((1, 3))
    written = Written(to_c(link, tmp_path / "link.h", 3), [[x]], "float32")
    ((got,),) = ran(tmp_path, [written], "gcc", "-O1")
    np.testing.assert_allclose(got[0], link(x)[0], rtol=0, atol=1e-6)


@needs_gcc
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_keeps_its_bits(dtype: str, tmp_path: Path) -> None:
    found = np.finfo(dtype)
    drawn = np.array(m.random.Generator(3).random_raw(3000)).view(dtype)  # any bits
    special = np.array([*SPECIAL, found.max, found.tiny, found.smallest_subnormal, found.eps], dtype)
    rows = np.concatenate([special, drawn[np.isfinite(drawn)]])[:, None]
    link = m.Embedding.from_pretrained(rows)
    header = to_c(link, tmp_path / "table.h", (len(rows),))
    ((calls,),) = ran(tmp_path, [Written(header, [[np.arange(len(rows), dtype=np.int32)]], dtype)])
    np.testing.assert_array_equal(np.isnan(calls[0]), np.isnan(rows[:, 0]))
    there = ~np.isnan(rows[:, 0])
    assert calls[0][there].tobytes() == rows[:, 0][there].tobytes()


@needs_gcc
def test_infinite_and_missing_values_pass_as_in_numpy(tmp_path: Path) -> None:
    x = np.array([[np.inf, -np.inf, np.nan, 100.0, -100.0, 0.0]], np.float32)
    links = [m.Tanh(), m.Sigmoid(), m.ReLU(), m.SiLU(), m.GELU(), m.Softplus(), m.LogSigmoid(), m.Hardtanh(), m.ELU()]
    links += [m.Sequential(m.Unflatten(1, (1, 6)), m.MaxPool1d(2))]
    written = [Written(to_c(link, tmp_path / f"f{k}.h", 6), [[x]], "float32") for k, link in enumerate(links)]
    for link, ((got,),) in zip(links, ran(tmp_path, written), strict=True):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(got, link(x).ravel(), rtol=1e-6, err_msg=repr(link))


@needs_gcc
def test_the_quotient_is_the_hyperbolic_tangent(tmp_path: Path) -> None:
    x = np.concatenate([np.linspace(-12, 12, 100_001), np.logspace(-30, 0, 10_000)]).astype(np.float32)[None]
    ((calls,),) = ran(tmp_path, [Written(to_c(m.Tanh(), tmp_path / "t.h", x.size, name="t"), [[x]], "float32")])
    true = np.tanh(x[0].astype(np.float64))
    assert np.max(np.abs(calls[0] - true)) <= 4e-7
    there = true != 0
    assert np.max(np.abs(calls[0][there] / true[there] - 1)) <= 4e-7
    assert np.max(np.abs(calls[0])) <= 1


# What is written


def policy() -> m.Sequential:
    return m.Sequential(m.Linear(8, 64), m.Tanh(), m.Linear(64, 64), m.Tanh(), m.Linear(64, 2), m.Tanh())


def test_the_header_says_what_it_needs(tmp_path: Path) -> None:
    header = to_c(policy(), tmp_path / "policy.h", 8)
    numbers = 8 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2
    assert header == Header(
        tmp_path / "policy.h",
        "static void policy(const float *x, float *y)",
        {"x": (8,)},
        {"y": (2,)},
        0,
        4 * numbers,
        512,
    )
    assert str(header) == (
        f"{tmp_path / 'policy.h'}: static void policy(const float *x, float *y): 19464 bytes of flash, 512 bytes of "
        "RAM on the stack"
    )
    text = (tmp_path / "policy.h").read_text(encoding="ascii")
    assert text.startswith(
        f"/*\n * policy: a network as C99, written by maillon {m.__version__}.\n *\n"
        " *     policy(const float *x, float *y);\n *\n"
        " * x: 8, y: 2; sizes are in the macros below. No two arrays may overlap.\n"
    )
    for line in (
        " * Flash: 19464 bytes of constants. RAM: 512 bytes on the stack, beside these arrays.",
        " *   Linear(8, 64),",
        "#include <math.h>",
        "#define POLICY_X 8",
        "#define POLICY_Y 2",
        "    float w0[64], w1[64];",
        "    /* 2: Linear(64, 64) */",
    ):
        assert line in text.splitlines()
    assert text.count("#include") == 1


def test_a_recurrent_link_has_its_state_with_the_caller(tmp_path: Path) -> None:
    network = m.Sequential(m.LSTM(3, 4, 2, batch_first=True), m.LastStep(), m.Linear(4, 1))
    header = to_c(network, tmp_path / "step.h", (None, 3), dtype="float64")
    assert header.signature == "static void step(const double *x, double *state, double *y)"
    assert (header.inputs, header.outputs, header.state) == ({"x": (3,)}, {"y": (1,)}, 16)
    assert str(header).endswith("bytes of RAM on the stack, 16 numbers of state")
    text = header.path.read_text()
    assert "#define STEP_STATE 16" in text
    assert "state: zeros begin a sequence, and each call is one step of it." in text


def test_several_inputs_and_outputs_are_called_as_in_the_graph(tmp_path: Path) -> None:
    nodes = {"both": (m.Concat(), "eye", "hand"), "act": (m.Linear(5, 2), "both"), "value": (m.Linear(5, 1), "both")}
    graph = m.Graph(["eye", "hand"], nodes, ["act", "value"])
    for shape in ({"hand": 2, "eye": (3,)}, [(3,), (2,)]):
        header = to_c(graph, tmp_path / "agent.h", shape)
        assert header.signature == (
            "static void agent(const float *x_eye, const float *x_hand, float *y_act, float *y_value)"
        )
    assert header.inputs == {"x_eye": (3,), "x_hand": (2,)}
    assert to_c(m.Concat(), tmp_path / "c.h", [(3,), (2,)], name="join").signature == (
        "static void join(const float *x0, const float *x1, float *y)"
    )


def test_weights_in_two_places_are_written_once(tmp_path: Path) -> None:
    first = m.Linear(6, 6)
    network = m.Sequential(first, m.Tanh(), first.share())
    assert to_c(network, tmp_path / "twice.h", 6).flash == 4 * (36 + 6)


def test_the_same_network_gives_the_same_bytes_and_stays_as_it_was(tmp_path: Path) -> None:
    network = m.Sequential(m.Linear(4, 3), m.BatchNorm1d(3), m.Dropout())
    before = copy.deepcopy(network.state_dict())
    state = m.random.default_generator().get_state()
    one, other = (to_c(network, tmp_path / f"{k}" / "net.h", 4) for k in made(tmp_path, "a", "b"))
    assert one.path.read_bytes() == other.path.read_bytes()
    assert network.training and network.dtype == np.float32
    assert m.random.default_generator().get_state() == state
    assert all(np.array_equal(network.state_dict()[name], before[name]) for name in before)
    assert list(vars(network[0])) == list(vars(m.Linear(4, 3)))


def made(folder: Path, *names: str) -> Sequence[str]:
    for name in names:
        (folder / name).mkdir()
    return names


def test_memory_is_used_again(tmp_path: Path) -> None:
    deep = m.Sequential(*(link for _ in range(10) for link in (m.Linear(50, 50), m.LayerNorm(50), m.GELU())))
    assert to_c(deep, tmp_path / "deep.h", 50).ram == 4 * 2 * 50
    wide = m.Graph("x", {"a": (m.Linear(4, 9), "x"), "b": (m.Tanh(), "a"), "y": (m.Add(), "a", "b")}, "y")
    assert to_c(wide, tmp_path / "wide.h", 4).ram == 4 * 9  # b lies in y
    assert to_c(m.Tanh(), tmp_path / "alone.h", 4).ram == 0


@needs_gcc
def test_what_would_end_a_comment_or_is_no_ascii_is_written_otherwise(tmp_path: Path) -> None:
    network = m.Sequential({"*/ int x; /*": m.Linear(3, 3), "été ??/": m.Tanh(), "été": m.Linear(3, 2)})
    x = np.ones((1, 3), np.float32)
    ((calls,),) = ran(tmp_path, [Written(to_c(network, tmp_path / "odd.h", 3), [[x]], "float32")])
    assert farthest(calls, [network(x)]) <= 1e-6


@needs_gcc
def test_an_output_that_is_an_input_or_given_twice_is_copied(tmp_path: Path) -> None:
    x = np.ones((1, 3), np.float32)
    nodes = {"a": (m.Tanh(), "x"), "b": (m.Flatten(), "a"), "c": (m.Identity(), "x")}
    for k, (network, count) in enumerate([(m.Identity(), 1), (m.Graph("x", nodes, ["a", "b", "c", "a"]), 4)]):
        ((calls,),) = ran(tmp_path, [Written(to_c(network, tmp_path / f"copy{k}.h", 3), [[x]], "float32")])
        assert len(calls) == count
        assert farthest(calls, leaves(network(x))) <= 1e-6


@needs_gcc
def test_a_network_of_ones_own_made_of_known_links(tmp_path: Path) -> None:
    class Twin(Module):
        def __init__(self) -> None:
            self.left, self.right, self.join = m.Linear(3, 2), m.Linear(3, 2), m.Multiply()

        def forward(self, x: Array) -> Any:
            return self.join(self.left(x), self.right(x))

    network, x = Twin(), np.ones((1, 3), np.float32)
    ((calls,),) = ran(tmp_path, [Written(to_c(network, tmp_path / "twin.h", 3), [[x]], "float32")])
    assert farthest(calls, [network(x)]) <= 1e-6


# What is refused


class Doubled(Module):
    def __init__(self) -> None:
        self.inner = m.Linear(3, 3)

    def forward(self, x: Array) -> Any:
        return 2 * self.inner(x)


class Later(Doubled):
    def forward(self, x: Array) -> Any:
        return self.inner(2 * x)


class Alone(Module):
    def forward(self, x: Array) -> Any:
        return x


SAMPLES = "what it gives for a sample depends on the others of its batch, and the function has one sample."
STEPS = (
    "what it gives at a step is not made of that step and of a recurrent link's state, and the function has one step."
)
OUTSIDE = "an array that is no output of a link. Let links such as Add, Multiply and Concat make it, in a Graph."
REFUSALS: list[tuple[Any, Any, str]] = [
    (lambda: m.Sequential(m.Linear(4, 4), m.MultiheadAttention(4, 2)), (3, 4),
     "'1', MultiheadAttention(4, 2) cannot be written in C: attention is not written in C: it looks at all steps of a "
     "sequence at once."),
    (Alone, 3, "Alone() cannot be written in C: to_c knows no such link. Put one that it knows in its place."),
    (Doubled, 3, f"Doubled() cannot be written in C: it makes {OUTSIDE}"),
    (lambda: m.Sequential(Later()), 3, f"'0.inner', Linear(3, 3) cannot be written in C: it is given {OUTSIDE}"),
    (lambda: m.Sequential(m.Linear(3, 3), m.Softmax(0)), 3, f"'1', Softmax(dim=0) cannot be written in C: {SAMPLES}"),
    (lambda: m.BatchNorm1d(3, track_running_stats=False), (3, 4),
     "BatchNorm1d(3, track_running_stats=False) cannot be written in C: it has no running statistics, and one sample "
     "has none of its own. Let it track them."),
    (lambda: m.MaxPool1d(2, return_indices=True), (1, 4),
     "MaxPool1d(2, return_indices=True) cannot be written in C: places of maxima are not written in C. Leave "
     "return_indices out."),
    (lambda: m.GRU(3, 2, batch_first=True), (5, 3),
     "GRU(3, 2, batch_first=True) cannot be written in C: a call has one step of it. Give None as the number of steps "
     "in input_shape: (None, 3)."),
    (lambda: m.GRU(3, 2, bidirectional=True), (None, 3),
     "GRU(3, 2, bidirectional=True) cannot be written in C: its second direction begins at the last step, and a call "
     "has one step."),
    (lambda: m.Sequential(m.GRU(3, 2, batch_first=True), m.EveryStep(), m.Softmax(1)), (None, 3),
     f"'2', Softmax(dim=1) cannot be written in C: {STEPS}"),
    (lambda: m.Sequential(m.LayerNorm(3), m.GRU(3, 2), m.LastStep(), m.GRUCell(2, 2)), (None, 3),
     f"'3', GRUCell(2, 2) cannot be written in C: {STEPS}"),
    (lambda: m.Sequential(m.SinusoidalPositionalEncoding(4), m.GRU(4, 2, batch_first=True)), (None, 4),
     f"'0', SinusoidalPositionalEncoding(4) cannot be written in C: {STEPS}"),
    (lambda: m.Graph(["x", "h"], {"y": (m.GRU(3, 2), "x", "h")}, "y.0"), [(None, 3), (1, 2)],
     "'y', GRU(3, 2) cannot be written in C: its state is given. Leave hx out: in C the state is the caller's."),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "message"), REFUSALS, ids=lambda value: None)
def test_what_cannot_be_written_is_named_and_the_old_file_stays(
    make: Any, shape: Any, message: str, tmp_path: Path
) -> None:
    (tmp_path / "net.h").write_text("old")
    with pytest.raises(NotImplementedError) as raised:
        to_c(make(), tmp_path / "net.h", shape)
    assert str(raised.value) == f"to_c: {message}"
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("net.h", "old")]


WRONG: list[tuple[Any, Any, dict[str, Any], str]] = [
    ("my-policy.h", 8, {}, "expected a name that is free in C (letters, digits, _), got 'my-policy', from my-policy.h. "
     "Give name='policy'."),
    ("while.h", 8, {}, "expected a name that is free in C (letters, digits, _), got 'while', from while.h. Give "
     "name='policy'."),
    ("p.h", 8, {"name": "tanhf"}, "expected a name that is free in C (letters, digits, _), got 'tanhf'. Give "
     "name='policy'."),
    ("p.h", (None, 8), {}, "expected input_shape of integers, got (None, 8). None is the number of steps of an RNN, "
     "LSTM or GRU, and the network has none."),
    ("p.h", (0, 8), {}, "expected input_shape to be the integers ≥ 1 of one sample's shape, got (0, 8). Give several "
     "inputs a tuple each."),
    ("p.h", {"x": 8}, {}, "expected input_shape to be a shape, got {'x': 8}."),
]  # fmt: skip


@pytest.mark.parametrize(("file", "shape", "options", "message"), WRONG)
def test_wrong_calls_are_told(file: str, shape: Any, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as raised:
        to_c(policy(), tmp_path / file, shape, **options)
    assert str(raised.value) == f"to_c: {message}"
    assert list(tmp_path.iterdir()) == []


def test_the_inputs_of_a_graph_are_told(tmp_path: Path) -> None:
    graph = m.Graph(["a", "b"], {"y": (m.Add(), "a", "b")}, "y")
    for shape, expected in (
        ((3,), "a shape for each of 'a', 'b', got (3,)."),
        ({"a": 3}, "{name: shape} with the names 'a', 'b', got {'a': 3}."),
    ):
        with pytest.raises(ValueError) as raised:
            to_c(graph, tmp_path / "g.h", shape)
        assert str(raised.value) == f"to_c: expected input_shape to be {expected}"


def test_the_networks_own_errors_name_the_link(tmp_path: Path) -> None:
    with pytest.raises(LinkShapeError, match=r"^Sequential\[0\] Linear\(8, 64.*\): expected x of shape \(\*, 8\)"):
        to_c(policy(), tmp_path / "policy.h", 9)
    with pytest.raises(TypeError, match=r"^to_c: expected network to be a Module, got the class Tanh\. Did"):
        to_c(m.Tanh, tmp_path / "policy.h", 9)  # type: ignore[arg-type]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        to_c(policy(), tmp_path / "none" / "policy.h", 8)
