"""What recurrent links take and refuse, their masks, states and places in a chain; their values are the battery's."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nesting import leaves
from maillon.nn import LinkDtypeError, LinkShapeError
from maillon.random import Generator


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


class PackedSequence:
    """What PyTorch's is called."""


PAIR = (zeros(5, 2, 4), zeros(1, 2, 4))

WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: maillon.RNN(0, 4), ValueError, "RNN: expected input_size to be an integer ≥ 1, got 0."),
    (lambda: maillon.LSTM(3, 4.0), ValueError, "LSTM: expected hidden_size to be an integer ≥ 1, got 4.0."),
    (lambda: maillon.GRU(3, 4, 0), ValueError, "GRU: expected num_layers to be an integer ≥ 1, got 0."),
    (
        lambda: maillon.RNN(3, 4, nonlinearity="sigmoid"),
        ValueError,
        "RNN: expected nonlinearity to be 'tanh' or 'relu', got 'sigmoid'.",
    ),
    (
        lambda: maillon.RNNCell(3, 4, True, "gelu"),
        ValueError,
        "RNNCell: expected nonlinearity to be 'tanh' or 'relu', got 'gelu'.",
    ),
    (
        lambda: maillon.LSTM(3, 4, 1, "relu"),
        TypeError,
        "LSTM: expected bias to be True or False, got 'relu'.",
    ),
    (
        lambda: maillon.GRU(3, 4, bidirectional=2),
        TypeError,
        "GRU: expected bidirectional to be True or False, got 2.",
    ),
    (
        lambda: maillon.GRU(3, 4, 2, dropout=1.5),
        ValueError,
        "GRU: expected dropout to be a number in [0, 1], got 1.5.",
    ),
    (
        lambda: maillon.LSTM(3, 4, proj_size=4),
        ValueError,
        "LSTM: expected proj_size to be less than hidden_size = 4, got 4. Leave it out, or 0, for no projection.",
    ),
    (
        lambda: maillon.LSTMCell(3, 4, device="cuda"),
        NotImplementedError,
        "LSTMCell: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
    ),
    (
        lambda: maillon.RNN(3, 4)(zeros(5, 2, 2)),
        LinkShapeError,
        "RNN(3, 4): expected x of shape (L, N, 3) or (L, 3), got (5, 2, 2). L steps of N sequences; batch_first says "
        "which comes first. The last dimension must be input_size = 3.",
    ),
    (
        lambda: maillon.LSTM(3, 4, batch_first=True)(zeros(3)),
        LinkShapeError,
        "LSTM(3, 4, batch_first=True): expected x of shape (N, L, 3) or (L, 3), got (3,). L steps of N sequences; "
        "batch_first says which comes first. The last dimension must be input_size = 3.",
    ),
    (
        lambda: maillon.GRU(3, 4, batch_first=True)(zeros(2, 0, 3)),
        LinkShapeError,
        "GRU(3, 4, batch_first=True): expected x of shape (N, L, 3) with L ≥ 1, got (2, 0, 3). "
        "A sequence has at least one step.",
    ),
    (
        lambda: maillon.GRU(3, 4)(zeros(0, 3)),
        LinkShapeError,
        "GRU(3, 4): expected x of shape (L, 3) with L ≥ 1, got (0, 3). A sequence has at least one step.",
    ),
    (
        lambda: maillon.RNN(3, 4, 2, bidirectional=True, batch_first=True)(zeros(2, 5, 3), zeros(2, 4, 4)),
        LinkShapeError,
        "RNN(3, 4, num_layers=2, batch_first=True, bidirectional=True): expected hx of shape (4, 2, 4), got (2, 4, 4). "
        "One row a layer and direction; batch_first is not for states.",
    ),
    (
        lambda: maillon.LSTM(3, 4, proj_size=2)(zeros(5, 3), (zeros(1, 2), zeros(1, 2))),
        LinkShapeError,
        "LSTM(3, 4, proj_size=2): expected hx[1] of shape (1, 4), got (1, 2). "
        "One row a layer and direction; batch_first is not for states.",
    ),
    (
        lambda: maillon.LSTM(3, 4)(zeros(5, 2, 3), zeros(1, 2, 4)),
        LinkDtypeError,
        "LSTM(3, 4): expected hx to be a tuple (h, c), got ndarray. Leave it out for zeros.",
    ),
    (
        lambda: maillon.LSTMCell(3, 4)(zeros(2, 3), (zeros(2, 4),)),
        LinkDtypeError,
        "LSTMCell(3, 4): expected hx to be a tuple (h, c), got 1 of them. Leave it out for zeros.",
    ),
    (
        lambda: maillon.GRU(3, 4)(zeros(5, 2, 3), np.zeros((1, 2, 4))),
        LinkDtypeError,
        "GRU(3, 4): expected hx of dtype float32, got float64. Convert it with hx.astype('float32').",
    ),
    (
        lambda: maillon.GRU(3, 4)(PackedSequence()),
        NotImplementedError,
        "GRU(3, 4): a PackedSequence is not supported: maillon takes arrays. Pad the sequences to one length, and take "
        "of each output the step that was its last.",
    ),
    (
        lambda: maillon.GRUCell(3, 4)(zeros(2, 5, 3)),
        LinkShapeError,
        "GRUCell(3, 4): expected x of shape (N, 3) or (3,), got (2, 5, 3). The last dimension must be input_size = 3.",
    ),
    (
        lambda: maillon.RNNCell(3, 4)(zeros(2, 3), zeros(3, 4)),
        LinkShapeError,
        "RNNCell(3, 4): expected hx of shape (2, 4), got (3, 4). "
        "One state for each row of x; without hx they are zeros.",
    ),
    (
        lambda: maillon.LastStep()(zeros(5, 2, 3)),
        LinkDtypeError,
        "LastStep(): expected x to be a tuple (output, state), got ndarray. Put it after an RNN, LSTM or GRU.",
    ),
    (
        lambda: maillon.EveryStep()((*PAIR, zeros(2))),
        LinkDtypeError,
        "EveryStep(): expected x to be a tuple (output, state), got 3 of them. Put it after an RNN, LSTM or GRU.",
    ),
    (
        lambda: maillon.LastStep()((zeros(5, 2, 4), zeros(1, 2, 3))),
        LinkShapeError,
        "LastStep(): expected h_n of shape (layers · D, …, 4 / D), got (1, 2, 3). D is 1, or 2 when bidirectional.",
    ),
    (
        lambda: (link := maillon.LSTM(3, 4), link(zeros(5, 2, 3)), link.backward(zeros(5, 2, 4))),
        LinkShapeError,
        "LSTM(3, 4): expected grad_output to be a tuple of 2, like the output, got ndarray. "
        "Give None where there is no gradient.",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[message for _, _, message in WRONG])
def test_wrong_calls(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "shown",
    [
        "RNN(3, 4)",
        "RNN(3, 4, num_layers=2, nonlinearity='relu', bias=False, batch_first=True, dropout=0.5, bidirectional=True)",
        "LSTM(3, 4, num_layers=2, proj_size=2, dtype='float64')",
        "GRU(3, 4, bidirectional=True)",
        "RNNCell(3, 4, nonlinearity='relu')",
        "LSTMCell(3, 4, bias=False)",
        "GRUCell(3, 4, dtype='float64')",
        "LastStep()",
        "EveryStep()",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_names_of_the_parameters_are_pytorchs() -> None:
    assert list(maillon.LSTM(3, 4, 2, bidirectional=True, proj_size=2).state_dict()) == [
        f"{kind}_l{layer}{end}"
        for layer in (0, 1)
        for end in ("", "_reverse")
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert list(maillon.GRUCell(3, 4, bias=False).state_dict()) == ["weight_ih", "weight_hh"]


def test_code_that_flattens_the_parameters_runs() -> None:
    link = maillon.GRU(3, 2)
    before = link.state_dict()
    link.flatten_parameters()
    assert all(np.array_equal(before[name], value) for name, value in link.state_dict().items())


def test_weights_are_drawn_from_the_generator() -> None:
    one, other = (maillon.GRU(3, 4, 2, generator=Generator(3)).state_dict() for _ in range(2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
        assert 0 < np.abs(value).max() <= 0.5


def test_dropout_of_a_single_layer_is_told_to_do_nothing() -> None:
    with pytest.warns(UserWarning, match=r"^GRU: dropout=0\.5 stands between layers, and there is only one\. Leave"):
        maillon.GRU(3, 4, dropout=0.5)


X = Generator(4).normal((6, 2, 3))


def test_dropout_is_between_the_layers_alone() -> None:
    link = maillon.RNN(3, 50, 2, nonlinearity="relu", bias=False, dropout=0.5)
    below = maillon.RNN(3, 50, nonlinearity="relu", bias=False)
    below.load_state_dict({name: value for name, value in link.state_dict().items() if "_l0" in name})
    link.weight_ih_l1.data[...], link.weight_hh_l1.data[...] = np.eye(50), 0
    through, (whole, _) = link(X)[0], below(X)
    dropped = (through == 0) & (whole > 0)
    assert 0.3 < dropped.sum() / (whole > 0).sum() < 0.7
    np.testing.assert_allclose(through[~dropped], 2 * whole[~dropped], rtol=1e-6)
    np.testing.assert_allclose(link.eval()(X)[0], whole, rtol=1e-6)


def test_masks_come_from_the_generator_and_are_the_same_with_the_batch_first() -> None:
    link, first = (maillon.LSTM(3, 4, 3, batch_first=first, dropout=0.5) for first in (False, True))
    first.load_state_dict(link.state_dict())
    before = maillon.random.default_generator().get_state()
    link.generator, first.generator = Generator(8), Generator(8)
    y, state = link(X)
    other, other_state = first(X.transpose(1, 0, 2))
    np.testing.assert_array_equal(other.transpose(1, 0, 2), y)
    for part, other_part in zip(state, other_state, strict=True):
        np.testing.assert_array_equal(part, other_part)
    assert maillon.random.default_generator().get_state() == before
    assert not np.array_equal(link(X)[0], y)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_sequence_goes_on_where_the_state_stands(kind: str) -> None:
    link = getattr(maillon, kind)(3, 4, 2)
    whole, last = link(X)
    start, state = link(X[:4])
    end, final = link(X[4:], hx=state)
    np.testing.assert_allclose(np.concatenate([start, end]), whole, rtol=1e-6, atol=1e-7)
    for part, expected in zip(leaves(final), leaves(last), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_cell_in_a_loop_is_the_layer(kind: str) -> None:
    layer, cell = getattr(maillon, kind)(3, 4), getattr(maillon, f"{kind}Cell")(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    state, outputs = None, []
    for x in X:
        state = cell(x, state)
        outputs.append(leaves(state)[0])
    np.testing.assert_allclose(np.stack(outputs), layer(X)[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_shared_cells_in_a_loop_have_the_gradients_of_the_layer(kind: str) -> None:
    layer, cell = getattr(maillon, kind)(3, 4), getattr(maillon, f"{kind}Cell")(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    zero = zeros(2, 4)
    state = (zero, zero) if kind == "LSTM" else zero
    steps = [cell.share() for _ in X]
    for step, x in zip(steps, X, strict=True):
        state = step(x, state)
    layer(X)
    ones = tuple(map(np.ones_like, state)) if kind == "LSTM" else np.ones_like(state)
    given = tuple(part[None] for part in ones) if kind == "LSTM" else ones[None]
    dx = layer.backward((None, given))
    for step, expected in zip(reversed(steps), dx[::-1], strict=True):
        dinput, ones = step.backward(ones)
        np.testing.assert_allclose(dinput, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(cell.parameters(), layer.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-5, atol=1e-6)


def test_a_state_may_come_as_a_list() -> None:
    link = maillon.LSTM(3, 4)
    state = (zeros(1, 2, 4), zeros(1, 2, 4) + 1)
    np.testing.assert_array_equal(link(X, list(state))[0], link(X, state)[0])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_gradient_of_the_state_is_given_when_the_state_was(kind: str) -> None:
    link = getattr(maillon, kind)(3, 4)
    _, state = link(X)
    output, _ = link(X)
    dx = link.backward((np.ones_like(output), None))
    assert dx.shape == X.shape
    output, _ = link(X, state)
    dx, dstate = link.backward((None, tuple(map(np.ones_like, state)) if kind == "LSTM" else np.ones_like(state)))
    assert [part.shape for part in leaves(dstate)] == [part.shape for part in leaves(state)]
    assert all(part.any() for part in leaves((dx, dstate)))


@pytest.mark.parametrize("both", [False, True])
def test_backward_of_the_parameters_alone_leaves_the_same_gradients(both: bool) -> None:
    link = maillon.LSTM(3, 4, 2, bidirectional=both)
    twin = copy.deepcopy(link)
    output, _ = link(X)
    grad_output = (Generator(2).normal(output.shape), None)
    link.backward(grad_output)
    twin(X)
    twin.backward_parameters(grad_output)
    for one, other in zip(link.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(one.grad, other.grad)


def test_the_two_biases_do_not_share_their_gradient() -> None:
    link = maillon.RNN(3, 4)
    link.backward((np.ones_like(link(X)[0]), None))
    first, second = link.bias_ih_l0.grad, link.bias_hh_l0.grad
    np.testing.assert_array_equal(first, second)
    assert not np.shares_memory(first, second)


def test_changing_the_output_does_not_change_the_gradient() -> None:
    link = maillon.GRU(3, 4, batch_first=True)
    grads = []
    for change in (1, 100):
        output, state = link(X)
        output *= change
        state *= change
        grads.append(link.backward((np.ones_like(output), None)))
    np.testing.assert_array_equal(*grads)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_scores_of_ten_thousand_are_no_trouble(kind: str) -> None:
    link = getattr(maillon, kind)(3, 4, 2, bidirectional=True)
    far = np.where(X > 0, 1e4, -1e4).astype(np.float32)
    output, state = link(far)
    dx = link.backward((np.full_like(output, 1e4), None))
    assert all(np.isfinite(array).all() for array in (output, dx, *leaves(state)))


def test_the_last_step_of_both_directions_are_the_ends_of_both_walks() -> None:
    pair = maillon.LSTM(3, 4, 2, batch_first=True, bidirectional=True)(X)
    output = pair[0]
    np.testing.assert_array_equal(maillon.LastStep()(pair), np.hstack([output[:, -1, :4], output[:, 0, 4:]]))


def test_steps_and_states_in_a_graph() -> None:
    lstm = maillon.LSTM(3, 4, batch_first=True)
    graph = maillon.Graph(
        inputs="x",
        nodes={
            "lstm": (lstm.share(), "x"),
            "last": (maillon.LastStep(), "lstm"),
            "y": (maillon.Concat(), "last", "first"),
            "first": (maillon.Linear(4, 2), "cells"),
            "cells": (maillon.Flatten(0, 1), "lstm.1.1"),
        },
        outputs="y",
    )
    y = graph(X)
    output, (h, _) = lstm(X)
    np.testing.assert_array_equal(y[:, :4], h[0])
    dx = graph.backward(np.hstack([np.ones((6, 4)), np.zeros((6, 2))]).astype(np.float32))
    np.testing.assert_allclose(dx, lstm.backward((np.zeros_like(output), (np.ones_like(h), None))), rtol=1e-6)


def test_a_chain_learns_the_sum_of_a_sequence() -> None:
    maillon.manual_seed(0)
    x = Generator(1).uniform((256, 6, 1))
    network = maillon.Sequential(
        maillon.GRU(1, 8, batch_first=True),
        maillon.EveryStep(),
        maillon.RNN(8, 8, nonlinearity="relu", batch_first=True),
        maillon.LastStep(),
        maillon.Linear(8, 1),
    )
    network = pickle.loads(pickle.dumps(network))
    history = maillon.fit(network, maillon.MSELoss(), x, x.sum(axis=1), rule=maillon.Adam(lr=0.02), epochs=30)
    assert history["loss"][-1] < 0.05 < history["loss"][0]
    assert maillon.predict(network, x[:5]).shape == (5, 1)
