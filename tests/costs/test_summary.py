"""The table of a network: its text, its numbers, and that nothing of the network changes for it."""

import gc
from typing import Any

import catalogue
import numpy as np
import pytest

import maillon as m
from maillon import engine

CORE = engine.choose("auto") == "native"


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


def without_engine(found: m.Summary) -> str:
    """The text, the same with and without a core: without the last column and the last line."""
    head, rule, *lines = str(found).splitlines()
    columns = next(line for line in lines if " engine" in line)
    cut = columns.index(" engine")
    table = [line[:cut].rstrip() for line in (head, rule, *lines[: lines.index(rule, 3)])]
    return "\n".join([*table, *lines[lines.index(rule, 3) + 1 : -1]])


# What is shown


def test_the_table_of_a_chain() -> None:
    network = m.Sequential(m.Linear(784, 100), m.Tanh(), m.Dropout(0.2), m.Linear(100, 10))
    found = m.summary(network, (64, 784))
    expected = """\
Sequential, float32, input (64, 784)
──────────────────────────────────────────────────────────────────────────────────
   link              output     parameters  trainable  FLOPs  step FLOPs     kept
──────────────────────────────────────────────────────────────────────────────────
0  Linear(784, 100)  (64, 100)      78,500     78,500   10 M      20.1 M   226 kB
1  Tanh()            (64, 100)                         6.4 k      25.6 k  25.6 kB
2  Dropout(0.2)      (64, 100)                         6.4 k      12.8 k  51.2 kB
3  Linear(100, 10)   (64, 10)        1,010      1,010  128 k       384 k  2.56 kB
parameters: 79,510 (318 kB), all of them learn
10.2 MFLOP forward, 20.5 MFLOP a learning step
kept: 306 kB from forward to backward; input: 201 kB"""
    assert without_engine(found) == expected
    if CORE:
        assert str(found).splitlines()[-1] == "engine: core"
        assert [row.engine for row in found] == ["core"] * 5


def test_the_table_of_nested_frozen_and_shared_links() -> None:
    frozen = m.Conv2d(1, 8, 3, padding=1).requires_grad_(False)
    middle = m.Conv2d(8, 8, 3, padding=1)
    network = m.Sequential(
        {
            "seen": frozen,
            "norm": m.BatchNorm2d(8),
            "around": m.Residual(m.Sequential(middle, m.ReLU())),
            "again": middle.share(),
            "flat": m.Flatten(),
            "scores": m.Linear(8 * 14 * 14, 10),
        }
    )
    found = m.summary(network, (2, 1, 14, 14))
    expected = """\
Sequential, float32, input (2, 1, 14, 14)
───────────────────────────────────────────────────────────────────────────────────────────────────────
        link                        output          parameters  trainable   FLOPs  step FLOPs     kept
───────────────────────────────────────────────────────────────────────────────────────────────────────
seen    Conv2d(1, 8, 3, padding=1)  (2, 8, 14, 14)          80          0  56.4 k      56.4 k  14.6 kB
norm    BatchNorm2d(8)              (2, 8, 14, 14)          16         16    22 k      31.4 k  25.1 kB
around  Residual                    (2, 8, 14, 14)                         3.14 k      6.27 k  12.5 kB
  link  Sequential                  (2, 8, 14, 14)
    0   Conv2d(8, 8, 3, padding=1)  (2, 8, 14, 14)         584        584   452 k      1.35 M  28.9 kB
    1   ReLU()                      (2, 8, 14, 14)                         3.14 k      6.27 k  12.5 kB
again   Conv2d(8, 8, 3, padding=1)  (2, 8, 14, 14)                          452 k      1.35 M  28.9 kB
flat    Flatten()                   (2, 1568)
scores  Linear(1568, 10)            (2, 10)             15,690     15,690  62.7 k       188 k     80 B
parameters: 16,370 (65.5 kB), of which 16,290 learn and 80 are frozen
1.05 MFLOP forward, 3 MFLOP a learning step
kept: 123 kB from forward to backward; input: 1.57 kB"""
    assert without_engine(found) == expected


def test_the_table_of_a_graph_with_several_inputs() -> None:
    nodes = {
        "seen": (m.Sequential(m.Flatten(), m.Linear(64, 8), m.Tanh()), "image"),
        "words": (m.Embedding(50, 4), "text"),
        "gru": (m.GRU(4, 8, batch_first=True), "words"),
        "last": (m.LastStep(), "gru"),
        "both": (m.Concat(), "seen", "last"),
        "risk": (m.Linear(16, 1), "both"),
    }
    graph = m.Graph(["image", "text"], nodes, ["risk", "both"])
    found = m.summary(graph, ((16, 8, 8), (16, 5)), dtype=(None, "int64"))
    expected = """\
Graph, float32, input (16, 8, 8), (16, 5)
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
       link                         output                  parameters  trainable   FLOPs  step FLOPs     kept
───────────────────────────────────────────────────────────────────────────────────────────────────────────────
       Graph                        (16, 1), (16, 16)                                             256    640 B
seen   Sequential                   (16, 8)
  0    Flatten()                    (16, 64)                                                            4.1 kB
  1    Linear(64, 8)                (16, 8)                        520        520  16.4 k      32.8 k    512 B
  2    Tanh()                       (16, 8)                                           128         512    512 B
words  Embedding(50, 4)             (16, 5, 4)                     200        200                 320  1.92 kB
gru    GRU(4, 8, batch_first=True)  (16, 5, 8), (1, 16, 8)         336        336  56.3 k       164 k  17.7 kB
last   LastStep()                   (16, 8)                                                              512 B
both   Concat()                     (16, 16)                                                           1.02 kB
risk   Linear(16, 1)                (16, 1)                         17         17     512      1.54 k     64 B
parameters: 1,073 (4.29 kB), all of them learn
73.3 kFLOP forward, 199 kFLOP a learning step
kept: 26.9 kB from forward to backward; input: 4.74 kB"""
    assert without_engine(found) == expected
    named = m.summary(graph, {"image": (16, 8, 8), "text": np.zeros((16, 5), np.int64)})
    assert named.rows == found.rows
    assert str(named).startswith("Graph, float32, input image: (16, 8, 8), text: (16, 5)\n")


def test_without_an_input_there_is_what_is_known() -> None:
    found = m.summary(m.Sequential(m.Linear(2, 4), m.Tanh()))
    expected = """\
Sequential, float32
───────────────────────────────────────
   link          parameters  trainable
───────────────────────────────────────
0  Linear(2, 4)          12         12
1  Tanh()
parameters: 12 (48 B), all of them learn"""
    assert without_engine(found) == expected
    row = found["0"]
    assert (row.output_shape, row.flops, row.step_flops, row.activation_bytes) == (None, None, None, None)
    assert found.unknown == ()


def test_a_notebook_shows_the_same_table() -> None:
    page = m.summary(m.Sequential(m.Linear(2, 4), m.Tanh()), (3, 2))._repr_html_()
    for text in ("Linear(2, 4)", "(3, 4)", "step FLOPs", "parameters: 12 (48 B), all of them learn", "engine: "):
        assert text in page
    assert page.count("<tr>") == 3


def test_long_texts_are_cut_in_the_table_only() -> None:
    link = m.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2), padding_mode="circular")
    found = m.summary(link, (1, 3, 9, 9))
    assert found[0].link == repr(link)
    table = without_engine(found)
    assert repr(link) not in table and repr(link)[:43] + "…" in table


def test_rows_are_a_sequence_by_number_and_by_place() -> None:
    found = m.summary(m.Sequential(m.Residual(m.Linear(2, 2)), m.Tanh()), (3, 2))
    assert [row.place for row in found] == ["", "0", "0.link", "1"]
    assert [row.label for row in found] == ["", "0", "  link", "1"]
    assert found["0.link"] is found[2] and found[1:3] == (found[1], found[2]) and len(found) == 4
    with pytest.raises(KeyError) as error:
        found["2"]
    assert error.value.args == ("Summary: no link at '2'; the places are those of named_modules().",)


# Which engine


@pytest.mark.skipif(not CORE, reason="there is no core to run anything")
def test_what_the_core_lacks_is_marked() -> None:
    class Own(m.Tanh):
        pass

    found = m.summary(m.Sequential(m.Linear(2, 2), Own()), (1, 2))
    assert str(found).splitlines()[-1].startswith("engine: core")
    assert [row.engine for row in found] == ["core", "core", "NumPy"]
    assert "NumPy *" in str(found)
    assert found[2].reason == "Own() is not among the links it knows"
    found = m.summary(m.Sequential(m.Linear(2, 2), m.LeakyReLU(np.inf)), (1, 2))
    assert [row.engine for row in found] == ["core", "core", "NumPy"]
    assert found[2].reason == "LeakyReLU(inf) has a number that is no finite float32"
    found = m.summary(Own(), (1, 2))
    assert (found.engine, found.reason) == ("NumPy", "Own() is not among the links it knows")


def test_without_a_core_all_is_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "choose", lambda _engine: "numpy")
    found = m.summary(m.Linear(2, 2), (1, 2))
    assert str(found).splitlines()[-1] == "engine: NumPy; not the core: this installation has none"
    assert found[0].reason == "" or not CORE


# Memory, against a walk of its own


def kept_bytes(network: m.Module) -> int:
    """The memory of all arrays that hang on what the links keep, without parameters and buffers, each block once."""
    blocks: dict[int, np.ndarray] = {}
    waiting: list[Any] = [vars(link)["_kept"] for link in network.modules() if "_kept" in vars(link)]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            while value.base is not None:
                value = value.base
            blocks[id(value)] = value
        elif not isinstance(value, type | str | m.Parameter | m.Generator):
            waiting += gc.get_referents(value) if not isinstance(value, m.Module) else list(vars(value).values())
    own = [*(p.data for p in network.parameters()), *network.buffers()]
    for array in own:
        owner = array
        while owner.base is not None:
            owner = owner.base
        blocks.pop(id(owner), None)
    return sum(block.nbytes for block in blocks.values())


@pytest.mark.parametrize("row", catalogue.LINKS, ids=lambda row: row.name)
def test_the_memory_kept_is_that_of_a_forward_to_the_byte(row: catalogue.Row) -> None:
    link, inputs = row.link(), row.inputs()
    found = m.summary(link, inputs)
    link.train(found.training)
    link(*inputs)
    assert found.activation_bytes == kept_bytes(link)


def test_the_memory_of_networks_is_to_the_byte() -> None:
    shared = m.Linear(6, 6)
    networks = [
        (m.Sequential(m.Linear(5, 6), m.Tanh(), shared, m.Dropout(0.5), shared.share(), m.Softmax(1)), zeros(7, 5)),
        (m.Sequential(m.GRU(3, 4, num_layers=2, dropout=0.3, bidirectional=True), m.EveryStep()), zeros(6, 2, 3)),
        (m.Sequential(m.Conv2d(1, 4, 3), m.BatchNorm2d(4), m.ReLU(), m.MaxPool2d(2), m.Flatten()), zeros(3, 1, 9, 9)),
        (m.TransformerEncoder(m.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), zeros(2, 5, 8)),
    ]
    for network, x in networks:
        found = m.summary(network, x.shape)
        network(x)
        assert found.activation_bytes == kept_bytes(network) > 0
        assert found.input_bytes == x.nbytes


def test_arrays_that_a_link_of_the_users_own_holds_count() -> None:
    class Own(m.Module):
        def forward(self, x: Any) -> Any:
            self.squares = x * x
            return self.squares + 1

    own = Own()
    assert m.summary(own, (10, 3)).activation_bytes == 10 * 3 * 4
    assert not hasattr(own, "squares")


def test_no_grad_around_it_changes_nothing() -> None:
    network = m.Linear(3, 4)
    with m.no_grad():
        inside = m.summary(network, (2, 3))
    assert inside == m.summary(network, (2, 3))


# No trace


class Watched(m.Module):
    """Draws from the global generator and from one of its own, and counts in a buffer."""

    def __init__(self) -> None:
        self.generator = m.Generator(3)
        self.register_buffer("calls", np.zeros(1))
        self.calls: Any

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return self.keep(x + self.generator.rand(x.shape) + m.random.default_generator().rand(x.shape))

    def backward(self, grad_output: Any) -> Any:
        self.release(grad_output)
        return grad_output


def test_the_network_and_the_generators_are_as_before() -> None:
    network = m.Sequential(
        m.Embedding(9, 4, max_norm=0.1),
        m.BatchNorm1d(5),
        m.Dropout(0.5),
        Watched(),
        m.LSTM(4, 3, num_layers=2, dropout=0.2, generator=m.Generator(1), batch_first=True),
        m.LastStep(),
    )
    network[2].eval()
    words = np.arange(5)[None] + np.zeros((2, 1), np.int64)
    network(words)
    network.zero_grad()
    state, kept = network.state_dict(), [vars(link).get("_kept") for link in network.modules()]
    attributes = [dict(vars(link)) for link in network.modules()]
    generators = [m.random.default_generator(), network[3].generator, network[4].generator]
    drawn = [generator.get_state() for generator in generators]
    found = m.summary(network, words)
    assert found.training and found[-1].output_shape == (2, 3)
    assert [generator.get_state() for generator in generators] == drawn
    assert all((network.state_dict()[name] == value).all() for name, value in state.items())
    assert [vars(link).get("_kept") for link in network.modules()] == kept
    for link, before in zip(network.modules(), attributes, strict=True):
        assert vars(link).keys() == before.keys()
        assert all(vars(link)[name] is value for name, value in before.items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_refused_input_leaves_no_trace_either() -> None:
    network = m.Sequential(m.BatchNorm1d(3), m.Linear(4, 2))
    before = network.state_dict()
    with pytest.raises(m.LinkShapeError):
        m.summary(network, (5, 3))
    assert all((network.state_dict()[name] == value).all() for name, value in before.items())
    assert all("forward" not in vars(link) and "_kept" not in vars(link) for link in network.modules())


def test_one_row_of_a_batch_norm_is_measured_in_evaluation_mode() -> None:
    network = m.Sequential(m.Linear(3, 4), m.BatchNorm1d(4))
    found = m.summary(network, (1, 3))
    assert not found.training and found.flops == m.summary(network, (2, 3)).flops / 2
    kept = found.activation_bytes
    assert (
        f"kept: {kept} B from forward to backward, measured in evaluation mode, for in training it refuses this "
        in str(found)
    )
    assert network.training and network[1].training


# What is refused


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (784, "expected input_shape to be a shape, got 784. The batch comes in front: (1, 784)."),
        ((None, 784), "expected input_shape to be a shape, got (None, 784). Give a number of rows for None."),
        (
            (-1, 784),
            "expected input_shape to be a shape, got (-1, 784). Give the shape with the batch in front: (64, 784), or "
            "a tuple of shapes for several inputs.",
        ),
        (
            "784",
            "expected input_shape to be a shape, got '784'. Give the shape with the batch in front: (64, 784), or a "
            "tuple of shapes for several inputs.",
        ),
        (
            ((1, 784), "x"),
            "expected input_shape[1] to be a shape, got 'x'. Give the shape with the batch in front: (64, 784), or a "
            "tuple of shapes for several inputs.",
        ),
    ],
)
def test_what_is_no_shape(shape: Any, text: str) -> None:
    with pytest.raises(ValueError) as error:
        m.summary(m.Linear(784, 10), shape)
    assert str(error.value) == f"summary: {text}"


def test_what_the_network_does_not_take() -> None:
    network = m.Sequential(m.Flatten(), m.Linear(784, 10))
    with pytest.raises(m.LinkShapeError) as error:
        m.summary(network, (64, 28, 27))
    assert str(error.value) == (
        "summary: the network does not take an input of shape (64, 28, 27) and dtype float32: Sequential[1] "
        "Linear(784, 10): expected x of shape (*, 784), got (64, 756). The last dimension must be in_features = 784."
    )
    with pytest.raises(m.LinkDtypeError) as wrong:
        m.summary(m.Sequential(m.Embedding(9, 2)), (3, 7))
    assert str(wrong.value) == (
        "summary: the network does not take an input of shape (3, 7) and dtype float32: Sequential[0] Embedding(9, 2): "
        "expected x to be a NumPy array of indices, of an integer dtype, got float32. Convert it with numpy.asarray(x, "
        "dtype='int64'). Give dtype='int64' for indices."
    )
    with pytest.raises(TypeError) as kind:
        m.summary(m.Linear, (1, 1))  # type: ignore[arg-type]
    assert str(kind.value) == "summary: expected a Module, got the class Linear. Did you mean Linear()?"


def test_an_error_of_the_users_own_link_says_for_which_input() -> None:
    class Product(m.Module):
        def forward(self, x: Any) -> Any:
            return x @ np.ones((3, 2), np.float32)

    with pytest.raises(ValueError) as error:
        m.summary(Product(), (5, 4))
    assert error.value.__notes__ == ["summary: in the forward of an input of shape (5, 4) and dtype float32"]


def test_arrays_lists_and_dtypes() -> None:
    network = m.Linear(3, 2)
    expected = m.summary(network, (5, 3))
    assert m.summary(network, [5, 3]) == expected
    assert m.summary(network, np.ones((5, 3))) == expected
    assert m.summary(network, (np.int64(5), 3)) == expected
    assert m.summary(network.to("float64"), (5, 3)).activation_bytes == 2 * expected.activation_bytes
    assert m.summary(m.Tanh(), (5, 3), dtype="float64").activation_bytes == 2 * 5 * 3 * 8 // 2
    assert m.summary(m.Tanh(), ())[0].output_shape == ()
