"""to_torch: every row of the catalogue, graphs and joints as readable code, and the way there and back."""

import inspect
import io
import re
from types import ModuleType
from typing import Any

import architectures
import numpy as np
import pytest
import sweeps
from beside import BESIDE_TORCH, Case, cast_named, compare_made, ours_of
from catalogue import LINKS, ROWS, Row
from catalogue.rows import cast, drawn, normal
from exchanged import NEAR, assert_same

import maillon
from maillon import Add, Concat, Graph, Linear, Module, Multiply, Parallel, Residual, Sequential, Tanh
from maillon.interop.pytorch import from_torch, to_torch
from maillon.nn import Loss
from maillon.random import Generator

pytestmark = [*BESIDE_TORCH, pytest.mark.filterwarnings("ignore:Implicit dimension choice for:UserWarning")]

LACKING = {
    "Add": "the number of inputs is open where it stands alone; inside a network it is x + y",
    "WeightedSum": "the same: x * 0.5 + y * 0.5 inside a network",
    "Multiply": "the same: x * y inside a network",
    "Concat": "the same: torch.cat inside a network",
    "LastStep": "PyTorch takes h_n[-1]; that is written where a recurrent layer stands before it",
    "EveryStep": "the same, output",
}
"""The links that PyTorch has nothing for when they stand alone."""

UNSEEN = r"generator=|scale_factor=2\)|padding=\(1, 1\)"
"""What PyTorch's layers do not keep, or as a float."""

ONE_WAY = ("HalfMSELoss", "Scale", "PeriodicEmbedding", "SinusoidalPositionalEncoding", "LearnedPositionalEncoding")
"""Written as calls of functions that no layer has."""


def masks_of_its_own(row: Row) -> bool:
    """Whether it draws masks, which the two libraries draw differently."""
    return any(
        0 < getattr(link, "p", 0) < 1 and link.training for link in row.link().modules() if is_dropout(link)
    ) or ("dropout=0.4" in row.name or row.name.startswith("RReLU 0.2"))


def is_dropout(link: Module) -> bool:
    return "Dropout" in type(link).__name__


def of_one_input(row: Row) -> bool:
    """Whether PyTorch's takes as many arguments: no sample weights; an outermost Parallel gives one input to all."""
    link = row.link()
    if isinstance(link, Loss):
        return len(row.draws) <= len(inspect.signature(type(link).forward).parameters) - 2
    return not isinstance(link, Parallel) or len(row.draws) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_of_the_catalogue(torch: ModuleType, row: Row) -> None:
    ours = row.link()
    if type(ours).__name__ in LACKING or not getattr(ours, "from_logits", True):
        with pytest.raises(NotImplementedError, match=rf"^to_torch: {type(ours).__name__} is "):
            to_torch(ours)
        return
    theirs = to_torch(ours)
    assert sorted(theirs.state_dict()) == sorted(ours.state_dict())
    assert theirs.training == ours.training
    if type(ours).__name__ not in ONE_WAY:
        back = from_torch(theirs)
        assert sorted(back.state_dict()) == sorted(ours.state_dict())
        for name, value in ours.state_dict().items():
            np.testing.assert_array_equal(back.state_dict()[name], value)
        if type(theirs).__module__.startswith("torch.nn") and not re.search(UNSEEN, repr(ours)):
            assert repr(back) == repr(ours)
    if of_one_input(row) and not masks_of_its_own(row):
        assert_same(torch, ours, theirs, row.inputs(), "float64")


def test_the_links_that_pytorch_lacks_are_those_that_are_listed() -> None:
    names = {type(row.link()).__name__ for row in LINKS}
    assert set(LACKING) <= names


@pytest.mark.sweep
@pytest.mark.parametrize("case", sweeps.CASES, ids=str)
def test_a_case_of_the_sweeps(torch: ModuleType, case: Case) -> None:
    maillon.manual_seed(case.seed)
    ours = ours_of(case).to("float64").train(case.training)
    theirs = to_torch(ours)
    torch.manual_seed(case.seed)
    maillon.manual_seed(case.seed)
    compare_made(torch, ours, theirs, case.values("float64", 0), cast_named(case.named, "float64"), "float64")


# The architectures, which PyTorch gave us, go back


@pytest.mark.parametrize("dtype", list(NEAR))
@pytest.mark.parametrize("net", architectures.NETS, ids=str)
def test_there_and_back(torch: ModuleType, net: architectures.Net, dtype: str) -> None:
    torch.manual_seed(1)
    origin = net.make(torch).to(getattr(torch, dtype)).eval()
    inputs = cast(drawn(net.draws, Generator(4)), dtype)
    example = tuple(map(torch.from_numpy, inputs)) if net.example else None
    ours = from_torch(origin, example, net.links(origin))
    theirs = to_torch(ours, links={architectures.Sampled: lambda _: origin.sample})
    assert_same(torch, ours, theirs, inputs, dtype)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})


# Graphs and joints


def forked() -> Graph:
    first = Linear(3, 3)
    nodes = {
        "encode": (Sequential(maillon.Embedding(7, 3), maillon.LSTM(3, 3, batch_first=True)), "tokens"),
        "last": (maillon.LastStep(), "encode"),
        "first": (first, "class"),
        "ways": (Parallel(Tanh(), first.share()), "first"),
        "both": (Multiply(), "ways.0", "ways.1", "last"),
        "h": (maillon.Sigmoid(), "encode.1.0"),
        "joined": (Concat(-1), "both", "first"),
    }
    return Graph(["tokens", "class"], nodes, ["joined", "h", "ways"])


def test_a_graph_is_code_that_one_can_read(torch: ModuleType) -> None:
    ours = forked().to("float64")
    theirs = to_torch(ours)
    assert_same(torch, ours, theirs, (np.array([[1, 2], [3, 6]]), *drawn((normal(2, 3),), Generator(1))), "float64")
    lines = [line.split(";")[0].strip() for line in theirs.code.strip().splitlines()]
    assert lines == [
        "def forward(self, tokens, class_):",
        "encode = self.encode(tokens)",
        "getitem_1 = encode[1]",
        "getitem_2 = getitem_1[0]",
        "last = getitem_2[-1]",
        "first = self.first(class_)",
        'ways_0 = getattr(self.ways, "0")(first)',
        'ways_1 = getattr(self.ways, "1")(first)',
        "both = ways_0 * ways_1",
        "both_1 = both * last",
        "h = self.h(getitem_2)",
        "joined = torch.cat((both_1, first), -1)",
        "return (joined, h, (ways_0, ways_1))",
    ]
    assert theirs.first.weight is getattr(theirs.ways, "1").weight


def test_it_is_pickled_without_us(torch: ModuleType) -> None:
    theirs = to_torch(Residual(Sequential(Linear(3, 3), Tanh())))
    file = io.BytesIO()
    torch.save(theirs, file)
    assert b"maillon" not in file.getvalue()
    file.seek(0)
    again = torch.load(file, weights_only=False)
    x = torch.ones(2, 3)
    assert torch.equal(again(x), theirs(x))
    assert list(again.state_dict()) == ["link.0.weight", "link.0.bias"]


CHAINS: dict[str, tuple[Any, Any]] = {
    "the last step of an LSTM": (
        lambda: Sequential(maillon.LSTM(3, 4, 2, batch_first=True), maillon.LastStep(), Linear(4, 1)),
        normal(2, 5, 3),
    ),
    "both ends of a GRU": (
        lambda: Sequential(maillon.GRU(3, 4, bidirectional=True), maillon.LastStep()),
        normal(5, 2, 3),
    ),
    "every step, then another": (
        lambda: Sequential(maillon.RNN(3, 4), maillon.EveryStep(), maillon.GRU(4, 2), maillon.EveryStep()),
        normal(5, 2, 3),
    ),
    "a tuple that becomes several inputs": (
        lambda: Sequential(Parallel(Linear(3, 2), Linear(3, 4)), maillon.Bilinear(2, 4, 2)),
        normal(5, 3),
    ),
    "inception in a residual": (
        lambda: Residual(Sequential(Parallel({"a": Linear(3, 2), "b": Tanh()}), Concat()), Linear(3, 5)),
        normal(4, 3),
    ),
    "the mean of an ensemble": (
        lambda: Sequential(Parallel(Linear(3, 2), Linear(3, 2)), maillon.WeightedSum((0.75, 0.25)), Tanh()),
        normal(4, 3),
    ),
    "positions": (
        lambda: Sequential(
            maillon.SinusoidalPositionalEncoding(4, 0.5), maillon.LearnedPositionalEncoding(4, 6, 0.5), Linear(4, 2)
        ).eval(),
        normal(2, 5, 4),
    ),
    "a graph in a graph": (
        lambda: Graph(
            "x",
            {
                "inner": (Graph(["u", "v"], {"s": (Add(), "u", "v"), "t": (Linear(3, 3), "s")}, ["t", "s"]), "x", "x"),
                "y": (Multiply(), "inner.0", "inner.1"),
            },
            "y",
        ),
        normal(4, 3),
    ),
    "dotted names": (
        lambda: Graph("x", {"b.0": (Linear(3, 3), "x"), "b.1": (Linear(3, 3), "b.0"), "y": (Add(), "b.1", "x")}, "y"),
        normal(4, 3),
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_what_pytorch_s_sequential_cannot(torch: ModuleType, name: str) -> None:
    make, draw = CHAINS[name]
    ours = make().to("float64")
    theirs = to_torch(ours)
    assert isinstance(theirs, torch.fx.GraphModule)
    assert_same(torch, ours, theirs, drawn((draw,), Generator(1)), "float64")


def test_large_angles_are_those_of_the_network(torch: ModuleType) -> None:
    ours, x = maillon.PeriodicEmbedding(3, generator=Generator(1)), 1e4 * Generator(2).randn((5, 3))
    np.testing.assert_allclose(to_torch(ours)(torch.from_numpy(x)).detach().numpy(), ours(x), rtol=0, atol=1e-6)


def test_half_the_squares(torch: ModuleType) -> None:
    theirs = to_torch(maillon.HalfMSELoss(reduction="sum"))
    assert theirs(torch.tensor([3.0]), torch.tensor([1.0])).item() == 2.0


# What is kept, what is refused


def test_modes_frozen_parameters_and_copies(torch: ModuleType) -> None:
    ours = Residual(Sequential(Linear(3, 3), maillon.Dropout(0.5).eval(), Linear(3, 3).requires_grad_(False)))
    theirs = to_torch(ours)
    modes = {name: module.training for name, module in theirs.named_modules()}
    assert (modes[""], modes["link"], modes["link.1"]) == (True, True, False)
    assert [p.requires_grad for p in theirs.parameters()] == [True, True, False, False]
    before = ours.state_dict()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_shared_links_share_their_parameters(torch: ModuleType) -> None:
    first, norm = Linear(3, 3), maillon.BatchNorm1d(3)
    theirs = to_torch(Sequential(first, norm, first.share(), norm.share()))
    assert theirs[0].weight is theirs[2].weight
    assert theirs[1].running_mean is theirs[3].running_mean
    assert len(list(theirs.parameters())) == 4


def test_containers_without_a_forward(torch: ModuleType) -> None:
    assert type(to_torch(maillon.nn.ModuleList([Tanh(), Linear(2, 2)]))) is torch.nn.ModuleList
    assert list(to_torch(maillon.nn.ModuleDict({"a": Tanh()}))) == ["a"]


class Square(Module):
    """A link of one's own."""

    def forward(self, x: Any) -> Any:
        return self.keep(x * x, x)


def test_a_link_of_one_s_own_is_named(torch: ModuleType) -> None:
    network = Sequential(Linear(3, 3), Residual(Square()))
    message = (
        "to_torch: Sequential.1.link is Square(), for which PyTorch has no layer. Say what becomes of it: "
        "links={Square: …}."
    )
    with pytest.raises(NotImplementedError) as caught:
        to_torch(network)
    assert str(caught.value) == message
    theirs = to_torch(network, links={Square: lambda _: torch.nn.ReLU()})
    assert isinstance(theirs.get_submodule("1.link"), torch.nn.ReLU)


def test_what_is_refused(torch: ModuleType) -> None:
    with pytest.raises(NotImplementedError) as caught:
        to_torch(maillon.CrossEntropyLoss(from_logits=False))
    assert str(caught.value) == (
        "to_torch: CrossEntropyLoss is CrossEntropyLoss(from_logits=False), which cannot be PyTorch's: that has no "
        "from_logits."
    )
    layer = maillon.TransformerEncoderLayer(4, 2, activation=Square())
    with pytest.raises(
        NotImplementedError, match=r"^to_torch: TransformerEncoderLayer is Square\(\), for which PyTorch"
    ):
        to_torch(layer)
    with pytest.raises(TypeError, match=r"^to_torch: expected a maillon.Module, got the class Tanh. Did you mean"):
        to_torch(Tanh)  # type: ignore[arg-type]
    for network in (
        Sequential({"train": Tanh()}),
        Graph("x", {"code": (Linear(2, 2), "x"), "y": (Add(), "x", "code")}, "y"),
    ):
        with pytest.raises(
            NotImplementedError, match=r"PyTorch's modules have something else called '(train|code)'. Call"
        ):
            to_torch(network)
    last = Graph(["x", "h"], {"both": (Parallel(Tanh(), Tanh()), "x", "h"), "y": (maillon.LastStep(), "both")}, "y")
    with pytest.raises(
        NotImplementedError, match=r"^to_torch: Graph.y is LastStep\(\), for which PyTorch has no layer"
    ):
        to_torch(last)
