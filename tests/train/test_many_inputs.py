"""Networks of several inputs and outputs in fit, sgd, evaluate, predict and Optim.step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.nn.parameter import Parameter
from maillon.typing import Array

NUMBERS = np.random.default_rng(3)
IMAGE = NUMBERS.normal(size=(20, 3)).astype(np.float32)
TEXT = NUMBERS.normal(size=(20, 2)).astype(np.float32)
PRICE = (IMAGE[:, :1] * 2 - TEXT[:, 1:]).astype(np.float32)
LABEL = (IMAGE[:, 0] > 0).astype(np.int64)
FORMS: dict[str, Any] = {
    "tuple": (IMAGE, TEXT),
    "dict": {"text": TEXT, "image": IMAGE},
    "lists": (IMAGE.tolist(), TEXT.astype(np.float64)),
}


def one_output() -> m.Graph:
    generator = m.Generator(7)
    nodes = {
        "i": (m.Linear(3, 4, generator=generator), "image"),
        "t": (m.Linear(2, 4, generator=generator), "text"),
        "hidden": (m.Sequential(m.Add(), m.Tanh()), "i", "t"),
        "y": (m.Linear(4, 1, generator=generator), "hidden"),
    }
    return m.Graph(["image", "text"], nodes, "y")


def two_outputs() -> m.Graph:
    generator = m.Generator(8)
    nodes = {
        "both": (m.Concat(), "image", "text"),
        "hidden": (m.Sequential(m.Linear(5, 6, generator=generator), m.Tanh()), "both"),
        "price": (m.Linear(6, 1, generator=generator), "hidden"),
        "label": (m.Linear(6, 2, generator=generator), "hidden"),
    }
    return m.Graph(["image", "text"], nodes, ["price", "label"])


class TwoTasks(m.Loss):
    """The squared error of the price and the cross-entropy of the label."""

    takes_labels = True

    def __init__(self) -> None:
        super().__init__()
        self.price, self.label = m.MSELoss(), m.CrossEntropyLoss()

    def forward(self, prediction: Any, target: Any, sample_weight: Array | None = None) -> Any:
        self.denominator = len(target[0])
        return self.price(prediction[0], target[0], sample_weight) + self.label(prediction[1], target[1], sample_weight)

    def backward(self, grad_output: Any = None) -> Any:
        return self.price.backward(grad_output), self.label.backward(grad_output)


def bits(network: m.Module) -> list[bytes]:
    return [value.tobytes() for value in network.state_dict().values()]


def close(found: m.Module, expected: m.Module) -> bool:
    """The engines round otherwise."""
    pairs = zip(found.state_dict().values(), expected.state_dict().values(), strict=True)
    return all(np.allclose(one, other, 1e-5, 1e-6) for one, other in pairs)


def by_hand(network: m.Module, loss: m.Loss, y: Any, epochs: int = 2) -> m.Module:
    """What fit should do, in six lines."""
    numbers = m.Generator(1)
    for _ in range(epochs):
        order = numbers.randperm(20)
        for start in range(0, 20, 6):
            rows = order[start : start + 6]
            network.zero_grad()
            loss(network(IMAGE[rows], TEXT[rows]), tuple(p[rows] for p in y) if isinstance(y, tuple) else y[rows])
            network.backward(loss.backward())
            network.update_parameters(0.1)
    return network


@pytest.mark.parametrize("form", FORMS)
def test_several_inputs_are_learnt_from_in_every_form(form: str) -> None:
    expected = by_hand(one_output(), m.MSELoss(), PRICE)
    x, fitted, looped = FORMS[form], one_output(), one_output()
    m.fit(fitted, m.MSELoss(), x, PRICE, rule=0.1, batch_size=6, epochs=2, generator=m.Generator(1))
    m.sgd(m.Optim(looped, m.MSELoss(), 0.1), x, PRICE, 6, 2, generator=m.Generator(1))
    assert bits(looped) == bits(expected)
    assert close(fitted, expected)
    stepped = m.Optim(one_output(), m.MSELoss(), 0.1)
    loss = stepped.step(x, PRICE)
    assert loss == pytest.approx(m.evaluate(one_output(), m.MSELoss(), x, PRICE)["loss"], rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_several_outputs_are_learnt_validated_and_measured(form: str) -> None:
    x, y = FORMS[form], (PRICE, LABEL)
    network, seen = two_outputs(), []

    def hits(prediction: Any, target: Any) -> float:
        return float(np.mean(prediction[1].argmax(axis=1) == target[1]))

    history = m.fit(
        network,
        TwoTasks(),
        x,
        y,
        rule=0.1,
        batch_size=6,
        epochs=2,
        validation_data=(x, y),
        metrics=hits,
        callbacks=lambda state: seen.append([part.shape for part in state.optim.prediction]),
        generator=m.Generator(1),
    )
    assert close(network, by_hand(two_outputs(), TwoTasks(), (PRICE, LABEL)))
    assert seen == [[(2, 1), (2, 2)]] * 2
    scores = m.evaluate(network, TwoTasks(), x, y, metrics=hits, batch_size=7)
    assert scores["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
    assert scores["hits"] == history["val_hits"][-1]


@pytest.mark.parametrize("batch_size", [1, 7, 20, 1000])
def test_predict_joins_each_part_over_the_batches(batch_size: int) -> None:
    network = two_outputs()
    price, label = m.predict(network, {"image": IMAGE, "text": TEXT}, batch_size=batch_size)
    expected = network(IMAGE, TEXT)
    np.testing.assert_allclose(price, expected[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(label, expected[1], rtol=1e-5, atol=1e-6)
    empty = m.predict(network, (IMAGE[:0], TEXT[:0]), batch_size=batch_size)
    assert [part.shape for part in empty] == [(0, 1), (0, 2)]


def test_mini_batches_and_weights_and_splits_take_them_too() -> None:
    x, y = (IMAGE, TEXT), (PRICE, LABEL)
    batches = [((IMAGE[i : i + 5], TEXT[i : i + 5]), (PRICE[i : i + 5], LABEL[i : i + 5])) for i in range(0, 20, 5)]
    given, cut = two_outputs(), two_outputs()
    m.fit(given, TwoTasks(), batches, rule=0.1)
    m.fit(cut, TwoTasks(), x, y, rule=0.1, batch_size=5, shuffle=False)
    assert close(given, cut)
    weight = np.ones(20)
    weight[16:] = 0
    history = m.fit(two_outputs(), TwoTasks(), x, y, rule=0.1, sample_weight=weight, validation_split=0.2, epochs=2)
    assert len(history["val_loss"]) == 2


def test_a_chain_may_begin_with_a_graph_and_take_its_inputs_by_name() -> None:
    nodes = {"y": (m.Concat(), "image", "text")}
    network = m.Sequential(m.Graph(["image", "text"], nodes, "y"), m.Linear(5, 1, generator=m.Generator(2)))
    x = {"text": TEXT, "image": IMAGE}
    m.fit(network, m.MSELoss(), x, PRICE, rule=0.1, epochs=2)
    assert np.allclose(m.predict(network, x), network(IMAGE, TEXT), 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["accuracy", "mse", "mae", "rmse", "r2"])
def test_metrics_of_one_output_refuse_several(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        m.evaluate(two_outputs(), TwoTasks(), (IMAGE, TEXT), (PRICE, LABEL), metrics=name)
    assert str(caught.value) == (
        f"metric {name}: expected the network to have one output, got a tuple of 2. Give a function of (prediction, "
        "target), two tuples."
    )


def test_a_wrong_number_of_inputs_changes_nothing() -> None:
    network = one_output()
    before = bits(network)
    for x in (IMAGE, (IMAGE, TEXT, TEXT), {"image": IMAGE, "words": TEXT}):
        with pytest.raises(m.nn.LinkShapeError, match=r"x.*: Graph\(…\): expected the inputs 'image' and 'text', got "):
            m.fit(network, m.MSELoss(), x, PRICE)
    assert bits(network) == before


def test_the_first_node_that_is_not_finite_is_named() -> None:
    network = one_output()
    network["t"].bias.data[:] = np.nan  # Tanh would make infinity finite again
    optim = m.Optim(network, m.MSELoss(), 0.1)
    with pytest.raises(m.NonFiniteLossError, match=r"not finite: Graph\[t\] Linear\(2, 4\)\."):
        optim.step((IMAGE, TEXT), PRICE)
    residual = m.Sequential(m.Tanh(), m.Residual(m.Linear(3, 3)))
    residual[1].link.bias.data[:] = np.inf
    with pytest.raises(m.NonFiniteLossError, match=r"not finite: Sequential\[1\]\[link\] Linear\(3, 3\)\."):
        m.Optim(residual, m.MSELoss(), 0.1).step(IMAGE, IMAGE)
    with pytest.raises(m.NonFiniteLossError, match="x itself holds NaN"):
        m.Optim(one_output(), m.MSELoss(), 0.1).step({"text": TEXT, "image": IMAGE * np.nan}, PRICE)


class Rows(m.Module):
    """A table of vectors, looked up by number, where a mask lets them: integers and booleans for inputs."""

    takes_integers = True

    def __init__(self) -> None:
        self.table = Parameter(np.arange(12.0, dtype=np.float32).reshape(6, 2))

    def forward(self, number: Array, mask: Array) -> Array:
        assert number.dtype == np.int64
        assert mask.dtype == bool
        return self.keep(self.table.data[number] * mask[:, None], number, mask)

    def backward(self, grad_output: Array) -> tuple[None, None]:
        number, mask = self.release(grad_output)
        grad = np.zeros_like(self.table.data)
        np.add.at(grad, number, grad_output * mask[:, None])
        self.table.accumulate(grad)
        return None, None


def lookup() -> m.Graph:
    nodes = {
        "row": (Rows(), "number", "mask"),
        "sum": (m.Concat(), "row", "x"),
        "y": (m.Linear(5, 1, generator=m.Generator(1)), "sum"),
    }
    return m.Graph(["x", "number", "mask"], nodes, "y")


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16, list])
def test_integers_and_masks_reach_the_link_that_takes_them(kind: Callable[[Any], Any]) -> None:
    numbers = np.arange(20) % 6
    x = {
        "x": IMAGE.astype(np.float64),
        "number": numbers.tolist() if kind is list else numbers.astype(kind),
        "mask": np.arange(20) % 4 > 0,
    }
    network = lookup()
    history = m.fit(network, m.MSELoss(), x, PRICE, rule=0.01, epochs=3, validation_data=(x, PRICE))
    assert history["loss"][-1] < history["loss"][0]
    m.sgd(m.Optim(network, m.MSELoss(), 0.01), x, PRICE, 6, 1)
    m.Optim(network, m.MSELoss(), 0.01).step(x, PRICE)
    assert m.predict(network, x).shape == (20, 1)
    assert m.evaluate(network, m.MSELoss(), x, PRICE)["loss"] > 0
    assert m.compile(network)(tuple(x.values())).shape == (20, 1)


def test_words_are_looked_up() -> None:
    words = np.arange(60, dtype=np.int16).reshape(20, 3) % 7
    network = m.Sequential(m.Embedding(7, 2), m.Flatten(), m.Linear(6, 1))
    history = m.fit(network, m.MSELoss(), words, PRICE, rule=0.05, epochs=20)
    assert history["loss"][-1] < history["loss"][0]
    assert m.predict(network, words.tolist(), batch_size=7).shape == (20, 1)


def test_an_encoder_leads_a_decoder_by_its_state_and_masks_pass() -> None:
    nodes = {
        "look": (m.MultiheadAttention(4, 2, batch_first=True), "x", "x", "x", "padding"),
        "encoder": (m.GRU(4, 3, batch_first=True), "look.0"),
        "decoder": (m.GRU(4, 3, batch_first=True), "x", "encoder.1"),
        "last": (m.LastStep(), "decoder"),
        "y": (m.Linear(3, 1), "last"),
    }
    network = m.Graph(["x", "padding"], nodes, "y")
    x = {"x": NUMBERS.normal(size=(20, 5, 4)), "padding": np.arange(5) >= NUMBERS.integers(2, 6, size=(20, 1))}
    history = m.fit(network, m.MSELoss(), x, PRICE, rule=0.01, epochs=5, batch_size=20)
    assert history["loss"][-1] < history["loss"][0]


def test_integers_are_numbers_where_no_link_takes_them() -> None:
    assert m.predict(m.Linear(3, 1), np.ones((2, 3), np.int64)).dtype == np.float32
    assert m.predict(one_output(), (np.ones((2, 3), bool), np.ones((2, 2), np.int8))).dtype == np.float32
