"""What fit, sgd, predict and evaluate take for data."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import maillon as m
from maillon.typing import Array

Data = tuple[Array, Array]
MakeLinear = Callable[[], m.Linear]


def bits(network: m.Module) -> list[bytes]:
    return [value.tobytes() for value in network.state_dict().values()]


class Tensor:
    """What a tensor on a graph looks like from here."""

    def __init__(self, array: Array, attached: bool = True) -> None:
        self.array, self.attached = array, attached

    def detach(self) -> "Tensor":
        return Tensor(self.array, attached=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.array


class Mixture(m.Module):
    """y = first(left) + second(right): a network of two inputs."""

    def __init__(self) -> None:
        self.first = m.Linear(3, 1, generator=m.Generator(1))
        self.second = m.Linear(2, 1, bias=False, generator=m.Generator(2))

    def forward(self, left: Array, right: Array) -> Array:
        return self.keep(self.first(left) + self.second(right))

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        self.release(grad_output)
        return self.first.backward(grad_output), self.second.backward(grad_output)


class Fork(m.Module):
    """y → (y, {"double": 2y}): a network of nested outputs."""

    def forward(self, x: Array) -> tuple[Array, dict[str, Array]]:
        return x, {"double": 2 * x}


FORMS: dict[str, Callable[[Array], Any]] = {
    "float64": lambda a: a.astype(np.float64),
    "lists": lambda a: a.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "tensor": Tensor,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_data_trains_alike(form: str, make_linear: MakeLinear, line: Data) -> None:
    x, y = line
    expected, network, looped = make_linear(), make_linear(), make_linear()
    m.fit(expected, m.MSELoss(), x, y, rule=0.1, batch_size=6, generator=m.Generator(1))
    form_x, form_y = FORMS[form](x), FORMS[form](y)
    m.fit(network, m.MSELoss(), form_x, form_y, rule=0.1, batch_size=6, generator=m.Generator(1))
    m.sgd(m.Optim(looped, m.MSELoss(), 0.1), form_x, form_y, 6, 1, generator=m.Generator(1))
    assert bits(network) == bits(expected) == bits(looped)
    # The last bit of NumPy's own products depends on the order in memory.
    np.testing.assert_allclose(m.predict(network, form_x), m.predict(expected, x), rtol=1e-6, atol=1e-6)
    ours, plain = (m.evaluate(n, m.MSELoss(), *data) for n, data in ((network, (form_x, form_y)), (expected, (x, y))))
    assert ours == pytest.approx(plain, rel=1e-6)


def test_labels_of_any_integer_type(classes: Data) -> None:
    x, labels = classes
    trained = []
    for y in (labels.astype(np.int8), labels.tolist(), pd.Series(labels), pl.Series(labels)):
        network = m.Linear(4, 3, generator=m.Generator(1))
        m.fit(network, m.CrossEntropyLoss(), x, y, generator=m.Generator(1))
        trained.append(bits(network))
    assert all(other == trained[0] for other in trained)


@pytest.mark.parametrize("form", ["tuple", "dict"])
def test_several_inputs(form: str, line: Data) -> None:
    left, y = line
    right = left[:, :2].astype(np.float64)
    x: Any = (left, right) if form == "tuple" else {"right": right, "left": left}
    network, by_hand = Mixture(), Mixture()
    m.fit(network, m.MSELoss(), x, y, rule=0.1, batch_size=6, validation_split=0.2, generator=m.Generator(1))

    optim, numbers = m.Optim(by_hand, m.MSELoss(), 0.1), m.Generator(1)
    order = numbers.randperm(16)
    for i in range(0, 16, 6):
        rows = order[i : i + 6]
        optim.step((left[rows], right[rows]), y[rows])
    for name, value in by_hand.state_dict().items():  # where there is a core, loss and rule are its own
        np.testing.assert_allclose(network.state_dict()[name], value, rtol=1e-5, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(m.predict(network, x, batch_size=7), network(left, right.astype(np.float32)), rtol=1e-6)


def test_several_inputs_of_different_lengths_are_refused(line: Data) -> None:
    left, y = line
    with pytest.raises(ValueError, match=r"as many rows in x\['right'\] as in x\['left'\], got 5 and 20\."):
        m.fit(Mixture(), m.MSELoss(), {"left": left, "right": left[:5, :2]}, y)
    with pytest.raises(ValueError, match=r"^fit: expected as many rows in x\[1\] as in x\[0\], got 5 and 20\."):
        m.fit(Mixture(), m.MSELoss(), (left, left[:5, :2]), y)


def test_data_without_rows_are_refused(line: Data) -> None:
    with pytest.raises(ValueError, match=r"^fit: expected x to have rows, got a single number\. Pass an array\.$"):
        m.fit(m.Linear(3, 1), m.MSELoss(), 3.0, line[1])
    with pytest.raises(ValueError, match=r"^predict: expected at least one array in x, got none\.$"):
        m.predict(m.Linear(3, 1), ())


def test_large_numbers_are_finite(make_linear: MakeLinear) -> None:
    """Their sum overflows; they themselves are as good as others."""
    x = np.full((4, 3), 3e37, dtype=np.float32)
    y = np.full((4, 1), 3e38, dtype=np.float32)
    found = m.evaluate(make_linear(), m.L1Loss(), x, y, batch_size=1)
    assert 1e38 < found["loss"] < 4e38


def test_the_input_itself_as_target_is_gathered_once(monkeypatch: pytest.MonkeyPatch, line: Data) -> None:
    network = m.Linear(3, 3, generator=m.Generator(1))
    pairs: list[bool] = []
    optim = m.Optim(network, m.MSELoss(), 0.1)
    learn = optim.learn
    monkeypatch.setattr(optim, "learn", lambda x, y, w: (pairs.append(np.shares_memory(x, y)), learn(x, y, w))[1])
    m.fit(optim, line[0], line[0], batch_size=6, engine="numpy")
    weight = np.ones(20)
    m.fit(optim, line[0], line[0], batch_size=6, sample_weight=weight, validation_split=0.5, engine="numpy")
    assert pairs == [True] * 6


@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_batches_cover_every_row_once_in_the_drawn_order(size: int) -> None:
    """Whether several batches are gathered together or each alone."""
    for width in (1, 5000):
        x = np.repeat(np.arange(50, dtype=np.float32)[:, None], width, axis=1)
        network = m.Linear(width, 1)
        seen: list[Array] = []
        optim = m.Optim(network, m.MSELoss(), 0.0)
        learn = optim.learn

        def note(x: Array, y: Array, w: Any, seen: list[Array] = seen, learn: Callable[..., float] = learn) -> float:
            seen.append(x[:, 0].copy())
            return learn(x, y, w)

        optim.learn = note  # type: ignore[method-assign]
        m.fit(optim, x, x[:, :1], batch_size=size, generator=m.Generator(1), engine="numpy")
        order = m.Generator(1).randperm(50)
        assert [len(batch) for batch in seen] == [len(order[i : i + size]) for i in range(0, 50, size)]
        np.testing.assert_array_equal(np.concatenate(seen), order)


# Mini-batches given


def test_an_iterable_of_batches_is_gone_through_each_epoch(make_linear: MakeLinear, line: Data) -> None:
    x, y = line
    network, expected = make_linear(), make_linear()
    history = m.fit(
        network,
        m.MSELoss(),
        m.data.batches(x.tolist(), y.tolist(), batch_size=6),
        rule=0.1,
        epochs=3,
        metrics=["mae"],
        validation_data=line,
        progress=True,
        engine="numpy",
    )
    other = m.fit(
        expected,
        m.MSELoss(),
        x,
        y,
        rule=0.1,
        batch_size=6,
        epochs=3,
        shuffle=False,
        metrics=["mae"],
        validation_data=line,
        engine="numpy",
    )
    assert bits(network) == bits(expected)
    for name in ("loss", "mae", "val_loss"):
        assert history[name] == other[name]


def test_batches_with_weights_and_a_generator_that_serves_once(make_linear: MakeLinear, line: Data) -> None:
    x, y = line
    weight = np.arange(20.0)

    def batches() -> Iterator[tuple[Array, Array, Array]]:
        for i in range(0, 20, 5):
            yield x[i : i + 5], y[i : i + 5], weight[i : i + 5]

    network, expected = make_linear(), make_linear()
    history = m.fit(m.Optim(network, m.MSELoss(), 0.1), batches(), progress=True)
    m.fit(expected, m.MSELoss(), x, y, rule=0.1, batch_size=5, shuffle=False, sample_weight=weight, engine="numpy")
    assert bits(network) == bits(expected)
    assert history.steps == 4

    with pytest.raises(ValueError, match=r"^fit: expected batches that can be gone through 2 times, got generator"):
        m.fit(network, m.MSELoss(), batches(), epochs=2)
    assert bits(network) == bits(expected)


BATCHES: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ([], {}, ValueError, "fit: expected at least one batch, got none. Pass an iterable that has some."),
    (
        [np.ones((2, 3))],
        {},
        TypeError,
        "fit: expected batch 1 to be (x, y) or (x, y, sample_weight), got ndarray. "
        "Where x is an array, give y as well.",
    ),
    (
        [(np.ones((2, 3)),)],
        {},
        TypeError,
        "fit: expected batch 1 to be (x, y) or (x, y, sample_weight), got 1 parts. "
        "Where x is an array, give y as well.",
    ),
    (
        [(np.full((2, 3), np.nan), np.ones((2, 1)))],
        {},
        ValueError,
        "fit: expected finite numbers in batch 1 x, got 6 that are NaN or infinite, the first (nan) at [0, 0]. "
        "Replace them or leave their rows out.",
    ),
    (
        [(np.ones((2, 3)), np.ones((2, 1)))],
        {"sample_weight": np.ones(2)},
        ValueError,
        "fit: with mini-batches given, weights belong into them: (x, y, sample_weight).",
    ),
    (
        [(np.ones((2, 3)), np.ones((2, 1)))],
        {"validation_split": 0.5},
        ValueError,
        "fit: mini-batches given cannot be split. Pass validation_data=(x, y).",
    ),
    (
        pd.DataFrame(np.ones((2, 3))),
        {},
        TypeError,
        "fit: expected y beside x, got none. Without y, x is an iterable of mini-batches (x, y), not DataFrame.",
    ),
    (
        {"left": np.ones((2, 3))},
        {},
        TypeError,
        "fit: expected y beside x, got none. Without y, x is an iterable of mini-batches (x, y), not dict.",
    ),
    (
        3,
        {},
        TypeError,
        "fit: expected y beside x, got none. Without y, x is an iterable of mini-batches (x, y), not int.",
    ),
]


@pytest.mark.parametrize(("x", "more", "error", "message"), BATCHES, ids=lambda value: str(value)[:40])
def test_wrong_batches_change_nothing(
    x: Any, more: dict[str, Any], error: type[Exception], message: str, make_linear: MakeLinear
) -> None:
    network = make_linear()
    before = bits(network)
    with pytest.raises(error) as caught:
        m.fit(network, m.MSELoss(), x, **more)
    assert str(caught.value) == message
    assert bits(network) == before


# predict and evaluate


def test_predict_keeps_and_draws_nothing(line: Data) -> None:
    network = m.Sequential(m.Linear(3, 4), m.Dropout(0.5), m.Linear(4, 2))
    before = m.random.default_generator().get_state()
    whole = m.predict(network, line[0])
    np.testing.assert_allclose(m.predict(network, line[0], batch_size=3), whole, rtol=1e-5)
    assert (whole.shape, whole.dtype) == ((20, 2), np.float32)
    assert m.random.default_generator().get_state() == before
    assert all(link.kept_output is None for link in network.modules())
    assert all(link.training for link in network.modules())


def test_predict_restores_the_modes_after_an_error(line: Data) -> None:
    network = m.Sequential(m.Linear(4, 4), m.Dropout(0.5))
    with pytest.raises(ValueError, match="Linear"):
        m.predict(network, line[0])
    assert network.training


def test_no_rows_give_no_rows() -> None:
    network = m.Sequential(m.Linear(3, 4), m.Sigmoid())
    found = m.predict(network, np.zeros((0, 3)))
    assert (found.shape, found.dtype) == ((0, 4), np.float32)


def test_nested_outputs_are_joined_leaf_by_leaf(line: Data) -> None:
    first, second = m.predict(Fork(), line[0], batch_size=6)
    np.testing.assert_array_equal(first, line[0])
    np.testing.assert_array_equal(second["double"], 2 * line[0])


def test_a_network_that_gives_one_number_is_no_prediction(line: Data) -> None:
    class Total(m.Module):
        def forward(self, x: Array) -> Any:
            return x.sum()

    with pytest.raises(ValueError, match=r"^predict: expected the network to give one row a sample, got a single"):
        m.predict(Total(), line[0], batch_size=6)


def test_evaluate_is_exact_over_all_rows_whatever_the_batches(classes: Data) -> None:
    network = m.Linear(4, 3, generator=m.Generator(3))
    found = [
        m.evaluate(network, m.CrossEntropyLoss(), *classes, metrics=("accuracy",), batch_size=size)
        for size in (1, 7, 30)
    ]
    for other in found:
        assert other["accuracy"] == found[0]["accuracy"]
        np.testing.assert_allclose(other["loss"], found[0]["loss"], rtol=1e-6)
    ratio = m.evaluate(
        m.Linear(4, 1, generator=m.Generator(3)),
        m.MSELoss(reduction="none"),
        classes[0],
        classes[0][:, :1],
        metrics="r2",
        batch_size=4,
    )
    prediction = m.predict(m.Linear(4, 1, generator=m.Generator(3)), classes[0])
    assert ratio["r2"] == m.train.r2_score(prediction, classes[0][:, :1])
    np.testing.assert_allclose(ratio["loss"], ((prediction - classes[0][:, :1]) ** 2).sum(), rtol=1e-6)


def test_accuracy_reads_logits_where_the_loss_does() -> None:
    network = m.Identity()
    logits, target = np.array([[-1.0], [0.2], [3.0]]), np.array([[0.0], [1.0], [1.0]])
    assert m.evaluate(network, m.BCEWithLogitsLoss(), logits, target, metrics=["accuracy"])["accuracy"] == 1.0
    probabilities = np.array([[0.2], [0.4], [0.9]])
    found = m.evaluate(network, m.BCELoss(), probabilities, target, metrics=["accuracy"])["accuracy"]
    assert found == pytest.approx(2 / 3)


def test_things_that_are_no_network_or_optim(line: Data) -> None:
    optim = m.Optim(m.Linear(3, 1), m.MSELoss(), 0.1)
    with pytest.raises(TypeError, match=r"^predict: expected a Module, got Optim\. Give the network: optim"):
        m.predict(optim, line[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^evaluate: expected a Module, got Optim\."):
        m.evaluate(optim, m.MSELoss(), *line)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^sgd: expected an Optim, got Linear\. Make one: Optim\(network"):
        m.sgd(m.Linear(3, 1), *line, 1, 1)  # type: ignore[arg-type]


def test_a_loss_with_a_forward_of_its_own_is_taken_at_its_word(line: Data) -> None:
    """It may compare what it likes: its targets are not checked against the prediction beforehand."""

    class Height(m.Loss):
        denominator = 1.0

        def forward(self, prediction: Array, target: Array, sample_weight: Array | None = None) -> Any:
            return self.keep((prediction.sum() - target.sum()) ** 2, prediction, target)

        def backward(self, grad_output: Any = None) -> Array:
            prediction, target = self.release(np.ones(()).astype(np.float32))
            return np.full_like(prediction, 2 * (prediction.sum() - target.sum()))

    history = m.fit(m.Linear(3, 1), Height(), line[0], line[0], rule=1e-4, epochs=2, shuffle=False)
    assert history["loss"][1] < history["loss"][0]
