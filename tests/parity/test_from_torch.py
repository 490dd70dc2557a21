"""from_torch: known architectures, every layer with its options, and what is refused."""

from types import ModuleType
from typing import Any

import architectures
import numpy as np
import pytest
import sweeps
from beside import BESIDE_TORCH, Case, as_tensors, cast_named, compare_made, theirs_of
from catalogue import ROWS, Row
from catalogue.rows import cast, drawn, labels, normal
from exchanged import NEAR, assert_same

import maillon
from maillon.interop.pytorch import from_torch
from maillon.random import Generator, default_generator

pytestmark = BESIDE_TORCH


def read(torch: ModuleType, net: architectures.Net, dtype: str, training: bool) -> tuple[Any, Any, Any]:
    """Ours, theirs and the inputs."""
    torch.manual_seed(1)
    theirs = net.make(torch).to(getattr(torch, dtype)).train(training)
    for module in theirs.modules() if training else ():
        if hasattr(module, "p"):  # the masks of the two libraries are different draws
            module.p = 0.0
    inputs = cast(drawn(net.draws, Generator(4)), dtype)
    example = tuple(as_tensors(torch, inputs)) if net.example else None
    return from_torch(theirs, example, net.links(theirs)), theirs, inputs


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("dtype", list(NEAR))
@pytest.mark.parametrize("net", architectures.NETS, ids=str)
def test_a_known_architecture(torch: ModuleType, net: architectures.Net, dtype: str, training: bool) -> None:
    ours, theirs, inputs = read(torch, net, dtype, training)
    assert str(ours.dtype) == dtype
    assert_same(torch, ours, theirs, inputs, dtype)


@pytest.mark.parametrize("net", architectures.NETS, ids=str)
def test_the_state_dict_of_another_loads_as_it_is(torch: ModuleType, net: architectures.Net) -> None:
    ours, _, inputs = read(torch, net, "float64", False)
    torch.manual_seed(2)
    other = net.make(torch).double().eval()
    assert ours.load_state_dict(other.state_dict()) == ([], [])
    assert_same(torch, ours.requires_grad_(), other.requires_grad_(), inputs, "float64")


@pytest.mark.parametrize("row", [row for row in ROWS if row.torch is not None], ids=lambda row: row.name)
def test_a_row_of_the_catalogue(torch: ModuleType, row: Row) -> None:
    assert row.torch is not None
    theirs = row.torch(torch).double()
    assert_same(torch, from_torch(theirs), theirs, row.inputs(), "float64")


@pytest.mark.sweep
@pytest.mark.parametrize("case", sweeps.CASES, ids=str)
def test_a_case_of_the_sweeps(torch: ModuleType, case: Case) -> None:
    torch.manual_seed(case.seed)
    theirs = theirs_of(torch, case).double()
    named = cast_named(case.named, "float64")
    for step in range(case.steps):
        given = {name: as_tensors(torch, value) for name, value in named.items()}
        theirs(*as_tensors(torch, case.values("float64", step + 1)), **given)
    ours = from_torch(theirs.train(case.training))
    torch.manual_seed(case.seed)
    maillon.manual_seed(case.seed)
    compare_made(torch, ours, theirs, case.values("float64", 0), named, "float64")


# What is kept


def test_nothing_is_drawn_and_the_module_stays_as_it_was(torch: ModuleType) -> None:
    module = architectures.resnet(torch).eval()
    module.layer1.train()
    before = default_generator().get_state(), torch.get_rng_state()
    state = {name: value.clone() for name, value in module.state_dict().items()}
    ours = from_torch(module, torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    assert (default_generator().get_state() == before[0]) is not False
    assert torch.equal(torch.get_rng_state(), before[1])
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert [inner.training for inner in module.modules()].count(True) == len(list(module.layer1.modules()))
    modes = {name: link.training for name, link in ours.named_modules()}
    assert modes[""] is False
    assert {name for name, training in modes.items() if training} == {
        name for name in modes if name.split(".")[0] == "layer1"
    }


def test_values_are_copies(torch: ModuleType) -> None:
    module = torch.nn.Linear(2, 3)
    ours = from_torch(module)
    ours.weight.data[...] = 0
    assert module.weight.abs().min() > 0


def test_shared_modules_and_parameters_stay_shared(torch: ModuleType) -> None:
    first = torch.nn.Linear(3, 3)
    other = torch.nn.Linear(3, 3)
    other.weight = first.weight
    norm = torch.nn.BatchNorm1d(3)
    ours = from_torch(torch.nn.Sequential(first, norm, first, other, norm))
    assert ours[0].weight is ours[2].weight is ours[3].weight
    assert ours[0].bias is ours[2].bias is not ours[3].bias
    assert ours[1].running_mean is ours[4].running_mean
    assert len(list(ours.parameters())) == 5


def test_frozen_parameters_and_modes_of_single_layers(torch: ModuleType) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.25), torch.nn.Tanh())
    module[0].bias.requires_grad_(False)
    module[1].eval()
    ours = from_torch(module)
    assert [p.requires_grad for p in ours.parameters()] == [True, False]
    assert [link.training for link in ours.modules()] == [True, True, False, True]
    assert ours[1].p == 0.25


def test_names_of_a_sequential_are_kept(torch: ModuleType) -> None:
    part = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))[1:]
    assert list(from_torch(part).state_dict()) == list(part.state_dict()) == ["2.weight", "2.bias"]


@pytest.mark.parametrize("kind", ["ModuleList", "ModuleDict"])
def test_lists_of_modules(torch: ModuleType, kind: str) -> None:
    inside = [torch.nn.Linear(2, 2), torch.nn.Tanh()]
    module = getattr(torch.nn, kind)(inside if kind == "ModuleList" else dict(zip("ab", inside, strict=True)))
    ours = from_torch(module)
    assert type(ours).__name__ == kind
    assert list(ours.state_dict()) == list(module.state_dict())


def test_a_chain_becomes_a_sequential_and_a_view_before_a_linear_a_flatten(torch: ModuleType) -> None:
    ours = from_torch(architectures.lenet(torch))
    assert [f"{name} {type(link).__name__}" for name, link in ours.named_children()] == [
        "conv1 Conv2d", "tanh Tanh", "max_pool2d MaxPool2d", "conv2 Conv2d", "relu ReLU", "avg_pool2d AvgPool2d",
        "view Flatten", "fc1 Linear", "relu_1 ReLU", "fc2 Linear", "relu_2 ReLU", "fc3 Linear",
        "log_softmax LogSoftmax",
    ]  # fmt: skip


def test_what_was_read_trains(torch: ModuleType) -> None:
    torch.manual_seed(1)
    ours = from_torch(architectures.mlp(torch))
    x = Generator(1).normal((40, 7))
    y = (x[:, 0] > 0).astype(int)
    history = maillon.fit(ours, maillon.CrossEntropyLoss(), x, y, rule=maillon.Adam(lr=0.02), epochs=40)
    losses = history["loss"]
    assert losses[-1] < 0.7 * losses[0]


# Functions and methods


def traced(torch: ModuleType, forward: Any, **layers: Any) -> Any:
    """A module with this forward and these layers."""

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            for name, layer in layers.items():
                self.add_module(name, layer)

    Net.forward = forward  # type: ignore[attr-defined]
    return Net().double()


IMAGE, ROWS_OF_4, SERIES = normal(2, 4, 6, 6), normal(3, 4), normal(2, 4, 6)
CALLS: dict[str, tuple[Any, Any]] = {
    "relu": (ROWS_OF_4, lambda t, f, x: f.relu(x)),
    "torch.relu": (ROWS_OF_4, lambda t, f, x: t.relu(x)),
    "method relu": (ROWS_OF_4, lambda t, f, x: (x + x).relu_()),
    "relu6": (ROWS_OF_4, lambda t, f, x: f.relu6(x)),
    "leaky_relu": (ROWS_OF_4, lambda t, f, x: f.leaky_relu(x, 0.3)),
    "elu": (ROWS_OF_4, lambda t, f, x: f.elu(x, alpha=0.5)),
    "selu": (ROWS_OF_4, lambda t, f, x: f.selu(x)),
    "celu": (ROWS_OF_4, lambda t, f, x: f.celu(x, 0.7)),
    "gelu": (ROWS_OF_4, lambda t, f, x: f.gelu(x)),
    "gelu tanh": (ROWS_OF_4, lambda t, f, x: f.gelu(x, approximate="tanh")),
    "silu": (ROWS_OF_4, lambda t, f, x: f.silu(x)),
    "mish": (ROWS_OF_4, lambda t, f, x: f.mish(x)),
    "sigmoid": (ROWS_OF_4, lambda t, f, x: x.sigmoid() * t.sigmoid(x)),
    "tanh": (ROWS_OF_4, lambda t, f, x: f.tanh(x)),
    "softplus": (ROWS_OF_4, lambda t, f, x: f.softplus(x, 2.0, 1.0)),
    "softsign": (ROWS_OF_4, lambda t, f, x: f.softsign(x)),
    "logsigmoid": (ROWS_OF_4, lambda t, f, x: f.logsigmoid(x)),
    "tanhshrink": (ROWS_OF_4, lambda t, f, x: f.tanhshrink(x)),
    "hardtanh": (ROWS_OF_4, lambda t, f, x: f.hardtanh(x, -0.5, 0.25)),
    "hardsigmoid": (ROWS_OF_4, lambda t, f, x: f.hardsigmoid(x)),
    "hardswish": (ROWS_OF_4, lambda t, f, x: f.hardswish(x)),
    "threshold": (ROWS_OF_4, lambda t, f, x: f.threshold(x, 0.1, 5.0)),
    "hardshrink": (ROWS_OF_4, lambda t, f, x: f.hardshrink(x, 0.3)),
    "softshrink": (ROWS_OF_4, lambda t, f, x: f.softshrink(x, 0.3)),
    "glu": (ROWS_OF_4, lambda t, f, x: f.glu(x, 1)),
    "softmax": (ROWS_OF_4, lambda t, f, x: x.softmax(dim=1)),
    "softmin": (ROWS_OF_4, lambda t, f, x: f.softmin(x, 1)),
    "log_softmax": (ROWS_OF_4, lambda t, f, x: t.log_softmax(x, -1)),
    "max_pool1d": (SERIES, lambda t, f, x: f.max_pool1d(x, 2, stride=1)),
    "max_pool2d": (IMAGE, lambda t, f, x: f.max_pool2d(x, 3, 2, 1)),
    "max_pool2d with indices": (IMAGE, lambda t, f, x: f.max_pool2d(x, 2, return_indices=True)[0]),
    "avg_pool1d": (SERIES, lambda t, f, x: f.avg_pool1d(x, 2)),
    "avg_pool2d": (IMAGE, lambda t, f, x: f.avg_pool2d(x, 3, padding=1, count_include_pad=False)),
    "adaptive_max_pool1d": (SERIES, lambda t, f, x: f.adaptive_max_pool1d(x, 2)),
    "adaptive_max_pool2d": (IMAGE, lambda t, f, x: f.adaptive_max_pool2d(x, (2, 3))),
    "adaptive_avg_pool1d": (SERIES, lambda t, f, x: f.adaptive_avg_pool1d(x, 4)),
    "adaptive_avg_pool2d": (IMAGE, lambda t, f, x: f.adaptive_avg_pool2d(x, 1)),
    "interpolate": (IMAGE, lambda t, f, x: f.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)),
    "pixel_shuffle": (IMAGE, lambda t, f, x: f.pixel_shuffle(x, 2)),
    "pixel_unshuffle": (IMAGE, lambda t, f, x: f.pixel_unshuffle(x, 2)),
    "local_response_norm": (IMAGE, lambda t, f, x: f.local_response_norm(x, 3)),
    "unfold": (IMAGE, lambda t, f, x: f.unfold(x, 2, stride=2)),
    "fold": (normal(2, 4, 9), lambda t, f, x: f.fold(x, 6, 2, stride=2)),
    "pad": (IMAGE, lambda t, f, x: f.pad(x, (1, 2, 0, 1), value=0.5)),
    "pad reflect": (SERIES, lambda t, f, x: f.pad(x, (1, 2), mode="reflect")),
    "pad replicate": (IMAGE, lambda t, f, x: f.pad(x, (1, 2, 0, 1), "replicate")),
    "pad circular": (IMAGE, lambda t, f, x: f.pad(x, (1, 2, 0, 1), mode="circular")),
    "flatten": (IMAGE, lambda t, f, x: x.flatten(1)),
    "flatten all": (IMAGE, lambda t, f, x: t.flatten(x)),
    "unflatten": (ROWS_OF_4, lambda t, f, x: x.unflatten(1, (2, 2))),
    "reshape with the first sizes": (IMAGE, lambda t, f, x: x.reshape(x.shape[0], x.shape[1], -1)),
    "reshape to numbers": (IMAGE, lambda t, f, x: t.reshape(x, (-1, 8, 18))),
    "view of as many rows": (IMAGE, lambda t, f, x: x.tanh().view(x.size(0), 8, 18)),
    "mean of images": (IMAGE, lambda t, f, x: x.mean((2, 3))),
    "mean that keeps them": (IMAGE, lambda t, f, x: x.mean([2, 3], keepdim=True)),
    "mean of series": (SERIES, lambda t, f, x: t.mean(x, dim=2)),
    "products and sums": (ROWS_OF_4, lambda t, f, x: t.mul(x, x) + sum([x, x * x]) + t.add(x, x) * 1),
    "cat": (ROWS_OF_4, lambda t, f, x: t.cat((x, x.tanh(), x), dim=-1)),
    "cosine_similarity": (ROWS_OF_4, lambda t, f, x: f.cosine_similarity(x, x.tanh(), dim=1)),
    "pairwise_distance": (ROWS_OF_4, lambda t, f, x: f.pairwise_distance(x, x.tanh(), p=3.0, keepdim=True)),
    "contiguous and clone": (ROWS_OF_4, lambda t, f, x: x.contiguous().tanh().clone()),
    "input by name": (ROWS_OF_4, lambda t, f, x: f.leaky_relu(input=x, negative_slope=0.2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_function(torch: ModuleType, name: str) -> None:
    draw, call = CALLS[name]
    module = traced(torch, lambda self, x: self.same(call(torch, torch.nn.functional, x)), same=torch.nn.Identity())
    assert_same(torch, from_torch(module), module, drawn((draw,), Generator(1)), "float64")


RECURRENT: dict[str, tuple[str, dict[str, Any], Any]] = {
    "output at the last step": ("LSTM", {"batch_first": True}, lambda t, y: y[0][:, -1]),
    "output at the last step, all features": ("GRU", {"batch_first": True}, lambda t, y: y[0][:, -1, :]),
    "output at the last step, steps first": ("RNN", {}, lambda t, y: y[0][-1]),
    "h of the last layer": ("GRU", {"num_layers": 2}, lambda t, y: y[1][-1]),
    "h of the last layer by its place": ("LSTM", {"num_layers": 2}, lambda t, y: y[1][0][1]),
    "h squeezed": ("LSTM", {"batch_first": True}, lambda t, y: y[1][0].squeeze(0)),
    "h of both directions": ("GRU", {"bidirectional": True}, lambda t, y: t.cat((y[1][0], y[1][1]), -1)),
    "every step": ("LSTM", {"bidirectional": True}, lambda t, y: y[0]),
    "all of it": ("LSTM", {}, lambda t, y: y),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_what_is_taken_of_a_recurrent_layer(torch: ModuleType, name: str) -> None:
    kind, options, take = RECURRENT[name]
    module = traced(torch, lambda self, x: take(torch, self.layer(x)), layer=getattr(torch.nn, kind)(3, 2, **options))
    assert_same(torch, from_torch(module), module, drawn((normal(4, 5, 3),), Generator(1)), "float64")


def test_optional_arguments_of_forward_keep_their_defaults(torch: ModuleType) -> None:
    def forward(self: Any, x: Any, mask: Any = None, deep: bool = True) -> Any:
        y = self.encoder(x, mask)
        return self.out(y) if deep else y

    layer = torch.nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0)
    module = traced(torch, forward, encoder=layer, out=torch.nn.Linear(4, 2))
    assert_same(torch, from_torch(module), module, drawn((normal(3, 2, 4),), Generator(1)), "float64")


def test_masks_by_place(torch: ModuleType) -> None:
    def forward(self: Any, x: Any, mask: Any, padding: Any) -> Any:
        return self.encoder(x, mask, padding), self.attend(x, x, x, padding)[0]

    layer = torch.nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
    module = traced(torch, forward, encoder=layer, attend=torch.nn.MultiheadAttention(4, 2, batch_first=True))
    padding = np.array([[False, False, True], [False, True, False]])
    inputs = (*drawn((normal(2, 3, 4),), Generator(1)), np.triu(np.ones((3, 3), bool), 1), padding)
    ours = from_torch(module)
    expected = module(*as_tensors(torch, inputs))
    for got, other in zip(ours(*inputs), expected, strict=True):
        np.testing.assert_allclose(got, other.detach().numpy(), atol=1e-12)


def test_a_module_called_twice_has_one_entry_in_the_state_that_loads(torch: ModuleType) -> None:
    module = traced(torch, lambda self, x: self.fc(self.fc(x)) + x, fc=torch.nn.Linear(3, 3))
    ours = from_torch(module)
    assert list(ours.nodes) == ["fc", "fc_1", "add"]
    assert ours["fc"].weight is ours["fc_1"].weight
    assert ours.load_state_dict(module.state_dict()) == ([], [])


def test_names_that_an_input_or_a_function_shares_with_a_layer(torch: ModuleType) -> None:
    module = traced(torch, lambda self, fc: torch.relu(self.fc(fc)) + self.relu(fc),
                    fc=torch.nn.Linear(3, 3), relu=torch.nn.PReLU())  # fmt: skip
    ours = from_torch(module)
    assert (ours.inputs, list(ours.nodes)) == (("fc_",), ["fc", "relu_", "relu", "add"])
    assert_same(torch, ours, module, drawn((normal(2, 3),), Generator(1)), "float64")


def test_a_tuple_of_values_for_one_argument(torch: ModuleType) -> None:
    def forward(self: Any, x: Any, h: Any, c: Any) -> Any:
        y, state = self.first(x, (h, c))
        return self.second(y, state)[0]

    module = traced(torch, forward, first=torch.nn.LSTM(3, 2), second=torch.nn.LSTM(2, 2))
    ours = from_torch(module)
    assert ours.nodes["second"][1:] == ("first.0", "first.1")
    assert_same(
        torch, ours, module, drawn((normal(4, 2, 3), normal(1, 2, 2), normal(1, 2, 2)), Generator(1)), "float64"
    )


# Changes in place


def test_changes_in_place_of_what_nobody_reads_later(torch: ModuleType) -> None:
    def forward(self: Any, x: Any) -> Any:
        y = self.a(x)
        y += x
        y = torch.nn.functional.relu(y, inplace=True)
        return self.chain(y * self.b(x))

    chain = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 2))
    module = traced(torch, forward, a=torch.nn.Linear(3, 3), b=torch.nn.Linear(3, 3), chain=chain)
    assert_same(torch, from_torch(module), module, drawn((normal(4, 3),), Generator(1)), "float64")


IN_PLACE = {
    "a function": lambda self, x: (y := self.fc(x), y.relu_() + y, y.tanh())[-1] + y.relu_() + y,
    "a layer": lambda self, x: (y := self.fc(x), self.relu(y) + y)[1],
    "the first of a chain": lambda self, x: (y := self.fc(x), self.chain(y) + y)[1],
    "a view": lambda self, x: (y := self.fc(x), self.relu(y.flatten(1)) + y)[1],
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_changes_in_place_of_what_is_read_later_are_refused(torch: ModuleType, name: str) -> None:
    chain = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU(inplace=True), torch.nn.Linear(3, 3))
    module = traced(torch, IN_PLACE[name], fc=torch.nn.Linear(3, 3), relu=torch.nn.ReLU(inplace=True), chain=chain)
    with pytest.raises(NotImplementedError, match=r"changes in place what .* reads later. Leave inplace out there."):
        from_torch(module)


def test_a_block_that_changes_its_input_is_read_where_nobody_else_does(torch: ModuleType) -> None:
    def block() -> Any:
        return traced(torch, lambda self, x: self.fc(x.relu_()), fc=torch.nn.Linear(3, 3))

    alone = traced(torch, lambda self, x: self.block(self.fc(x)), block=block(), fc=torch.nn.Linear(3, 3))
    assert_same(torch, from_torch(alone), alone, drawn((normal(4, 3),), Generator(1)), "float64")
    around = traced(torch, lambda self, x: self.block(y := self.fc(x)) + y, block=block(), fc=torch.nn.Linear(3, 3))
    with pytest.raises(NotImplementedError, match="changes in place"):
        from_torch(around)


# What is refused

REFUSED: dict[str, tuple[Any, str]] = {
    "a layer": (
        lambda t: t.nn.Sequential(t.nn.Linear(2, 2), t.nn.Sequential(t.nn.Conv3d(1, 1, 1))),
        "from_torch: Sequential.1.0 is a Conv3d, for which maillon has no link. Replace it, or give one of your own: "
        "links={torch.nn.Conv3d: …}.",
    ),
    "an option": (
        lambda t: t.nn.Sequential(t.nn.Embedding(3, 2, sparse=True)),
        "from_torch: Sequential.0, a Embedding, cannot be a link of maillon: Embedding: sparse=True is not supported: "
        "a gradient here is an array as large as its parameter. Leave sparse out.",
    ),
    "half precision": (
        lambda t: t.nn.Sequential(t.nn.Linear(2, 2).half()),
        "from_torch: Sequential.0.weight is of dtype float16. Links compute in float32 and float64: convert it with "
        "module.float() or .double().",
    ),
    "no values": (
        lambda t: t.nn.Linear(2, 2, device="meta"),
        "from_torch: Linear.weight is of a device that holds no values. Links compute in float32 and float64: convert "
        "it with module.float() or .double().",
    ),
    "a hook": (
        lambda t: hooked(t.nn.Linear(2, 2)),
        "from_torch: Linear, a Linear, has a forward hook. Remove it (of weight_norm or spectral_norm with "
        "torch.nn.utils).",
    ),
    "another norm inside": (
        lambda t: changed(t.nn.TransformerEncoderLayer(4, 2), norm2=t.nn.LayerNorm(4, 0.1)),
        "from_torch: TransformerEncoderLayer, a TransformerEncoderLayer, cannot be a link of maillon: its norm2 is not "
        "as the constructor made it.",
    ),
    "a parameter outside layers": (
        lambda t: traced(t, lambda self, x: self.fc(x) + self.fc.bias, fc=t.nn.Linear(2, 2)),
        "test_from_torch.py:{line}: lambda t: traced(t, lambda self, x: self.fc(x) + self.fc.bias, "
        "fc=t.nn.Linear(2, 2)), — self.fc.bias is used outside a layer. Move it into a layer.",
    ),
    "a function": (
        lambda t: traced(t, lambda self, x: t.einsum("ij,ij->i", x, x)),
        " — there is no link for einsum(). Write it with layers, or as a link of yours.",
    ),
    "a number": (
        lambda t: traced(t, lambda self, x: x.tanh() + 1.0),
        " — there is no link that adds numbers. Move it into a Linear.",
    ),
    "a part": (
        lambda t: traced(t, lambda self, x: x[:, 0]),
        " — there is no link that takes [(slice(None, None, None), 0)] of a value. Only the last step is known.",
    ),
    "a computed size": (
        lambda t: traced(t, lambda self, x: x.view(x.size(1), -1)),
        " — view() takes sizes that are computed. Keep the first sizes, as in x.view(x.size(0), -1), and say the "
        "others as numbers.",
    ),
    "a mean": (
        lambda t: traced(t, lambda self, x: x.mean(1)),
        " — what it is a mean of depends on the number of dimensions. Give inputs for a trial: from_torch(module, "
        "example).",
    ),
    "a mean of all": (
        lambda t: traced(t, lambda self, x: x.mean()),
        " — what it is a mean of depends on the number of dimensions. Give inputs for a trial: from_torch(module, "
        "example).",
    ),
    "a branch on values": (
        lambda t: traced(t, lambda self, x: x.tanh() if x.sum() > 0 else x),
        "from_torch: Net: torch.fx cannot trace its forward (TraceError: symbolically traced variables cannot be used "
        "as inputs to control flow). A forward that branches or loops on its inputs has no fixed graph: give a link "
        "for Net in links=.",
    ),
    "a branch on the mode": (
        lambda t: traced(t, lambda self, x: x.tanh() if self.training else x.sigmoid()),
        " on. Only layers that know their mode can be read.",
    ),
    "more in one mode": (
        lambda t: traced(t, lambda self, x: (self.training and x.tanh(), x.sigmoid())),
        "Only layers that know their mode can be read.",
    ),
    "a dropout that never ends": (
        lambda t: traced(t, lambda self, x: t.nn.functional.dropout(x)),
        " is the same in training and in evaluation. Say training=self.training, or use the layer.",
    ),
    "an unused input": (
        lambda t: traced(t, lambda self, x, z: x.tanh()),
        "from_torch: Net: its forward does not use the input z.",
    ),
    "any number of inputs": (
        lambda t: traced(t, lambda self, *xs: sum(xs)),
        "from_torch: Net: its forward takes any number of inputs. Name each of them.",
    ),
    "one direction of two": (
        lambda t: traced(t, lambda self, x: self.gru(x)[1][-1].tanh(), gru=t.nn.GRU(2, 2, bidirectional=True)),
        " — it takes LastState as a value. Only what layers give can be given to layers.",
    ),
    "a flag": (
        lambda t: traced(t, lambda self, x: self.attend(x, x, x, average_attn_weights=False),
                         attend=t.nn.MultiheadAttention(2, 1)),
        " — MultiheadAttention is given average_attn_weights=False. In a Graph a link is given values alone, by "
        "place: write it with a link of your own.",
    ),
    "weights that were not wanted": (
        lambda t: traced(t, lambda self, x: self.attend(x, x, x, need_weights=False),
                         attend=t.nn.MultiheadAttention(2, 1)),
        "Only what layers give can be given to layers.",
    ),
    "options of a function": (
        lambda t: traced(t, lambda self, x: t.nn.functional.softmax(x, 1, dtype=t.float64)),
        " — softmax() cannot be a link: it has dtype. Use the layer of that name.",
    ),
    "padding of three dimensions": (
        lambda t: traced(t, lambda self, x: t.nn.functional.pad(x, (1, 1) * 3)),
        " — pad() cannot be a link: expected to pad one or two dimensions. Use the layer of that kind.",
    ),
    "another unfold": (
        lambda t: traced(t, lambda self, x: x.unfold(1, 2, 1)),
        " — there is no link for unfold(). Write it with layers, or as a link of yours.",
    ),
    "a class made from a layer": (
        lambda t: made_from(t.nn.Linear)(2, 2),
        "is used outside a layer. Move it into a layer.",
    ),
}  # fmt: skip


def hooked(module: Any) -> Any:
    module.register_forward_hook(lambda *_: None)
    return module


def changed(module: Any, **parts: Any) -> Any:
    for name, part in parts.items():
        setattr(module, name, part)
    return module


def made_from(kind: Any) -> Any:
    class Twice(kind):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return 2 * super().forward(x)

    return Twice


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_link_is_refused_by_name_and_place(torch: ModuleType, name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(NotImplementedError) as caught:
        from_torch(make(torch))
    before, _, after = message.partition("{line}")
    assert str(caught.value).startswith("from_torch: ")
    assert before in str(caught.value)
    assert str(caught.value).endswith(after)


def test_links_of_one_s_own(torch: ModuleType) -> None:
    conv = torch.nn.Sequential(torch.nn.Conv3d(1, 1, 1))
    ours = from_torch(conv, links={torch.nn.Conv3d: lambda layer: maillon.LeakyReLU(layer.weight.item())})
    assert isinstance(ours[0], maillon.LeakyReLU)
    with pytest.raises(TypeError, match=r"^from_torch: Sequential.0: expected links to give a maillon.Module, got 3.$"):
        from_torch(conv, links={torch.nn.Conv3d: lambda layer: 3})


def test_what_is_no_module(torch: ModuleType) -> None:
    with pytest.raises(TypeError, match=r"^from_torch: expected a torch.nn.Module, got the class Linear. Did you mean"):
        from_torch(torch.nn.Linear)


def test_example_inputs_reach_every_module_inside(torch: ModuleType) -> None:
    pooled = traced(torch, lambda self, x: x.mean(1))
    module = torch.nn.Sequential(torch.nn.Embedding(7, 3), pooled, torch.nn.Linear(3, 2)).double()
    tokens = drawn((labels(7, 4, 5),), Generator(1))
    ours = from_torch(module, torch.from_numpy(tokens[0]))
    assert_same(torch, ours, module, tokens, "float64")
