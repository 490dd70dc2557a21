"""What does not fit together is found before the first step, and said with the data's names and shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import maillon as m
from maillon import random
from maillon.typing import Array

X = np.random.default_rng(0).normal(size=(33, 4)).astype(np.float32)
Y = X[:, :1] - X[:, 1:2]
LABELS = np.arange(33) % 3
IMAGES = np.random.default_rng(1).normal(size=(33, 8, 8)).astype(np.float32)


def normed(running: bool = True) -> m.Sequential:
    generator = m.Generator(1)
    return m.Sequential(
        m.Linear(4, 5, generator=generator),
        m.BatchNorm1d(5, track_running_stats=running),
        m.Dropout(0.5),
        m.Linear(5, 1, generator=generator),
    )


def bits(network: m.Module) -> list[bytes]:
    return [value.tobytes() for value in network.state_dict().values()]


def test_networks_that_need_two_rows_are_trained() -> None:
    network = normed(running=False)
    history = m.fit(network, m.MSELoss(), X[:32], Y[:32], rule=0.1, epochs=20, batch_size=16, validation_split=0.25)
    assert history["loss"][-1] < history["loss"][0]
    assert len(m.sgd(m.Optim(network, m.MSELoss(), 0.1), X[:32], Y[:32], 16, 2)) == 2


def test_a_dry_run_leaves_no_trace() -> None:
    """No statistics move, no numbers are drawn, nothing is kept: not where it goes well, nor where it does not."""
    network = normed()
    before, state = bits(network), random.default_generator().get_state()
    m.fit(network, m.MSELoss(), X, Y, batch_size=32, epochs=0, drop_last=True)
    with pytest.raises(m.nn.LinkShapeError, match="drop_last"):
        m.fit(network, m.MSELoss(), X, Y, batch_size=32)
    assert bits(network) == before
    assert random.default_generator().get_state() == state
    assert all(link.kept_output is None and link.training for link in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_frozen_norm_is_tried_as_it_will_train() -> None:
    class Frozen(m.Sequential):
        def train(self, mode: bool = True) -> Any:
            super().train(mode)
            self[1].eval()
            return self

    network = Frozen(m.Linear(4, 5), m.BatchNorm1d(5), m.Linear(5, 1))
    assert len(m.fit(network, m.MSELoss(), X, Y, engine="numpy")) == 1


class Seen(m.Module):
    """The shapes that come by, while nothing is learnt."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: Array) -> Array:
        self.shapes.append(x.shape)
        return self.keep(x)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output


def test_the_rows_of_the_first_mini_batch_are_tried() -> None:
    seen = Seen()
    m.fit(
        m.Sequential(seen, m.Linear(4, 1)), m.MSELoss(), X, Y, batch_size=10, epochs=0, validation_data=(X[:7], Y[:7])
    )
    assert seen.shapes == [(7, 4), (10, 4)]


def bad_fits() -> list[tuple[Callable[[], Any], str]]:
    mse, entropy = m.MSELoss(), m.CrossEntropyLoss()
    plain = m.Linear(4, 1)
    needs = "expected x with more than 1 value per channel when training, got shape (1, 5). One value has no variance: "
    needs += "give more samples, or call eval()."
    return [
        (
            lambda: m.fit(normed(), mse, X, Y, batch_size=32),
            "fit: the network does not take the last mini-batch, one row, of x of shape (33, 4): Sequential[1] "
            f"BatchNorm1d(5): {needs} Pass drop_last=True to leave it out, or take another batch_size.",
        ),
        (
            lambda: m.sgd(m.Optim(normed(), mse, 0.1), X, Y, 16, 1),
            "sgd: the network does not take the last mini-batch, one row, of x of shape (33, 4): Sequential[1] "
            f"BatchNorm1d(5): {needs} Pass drop_last=True to leave it out, or take another batch_size.",
        ),
        (
            lambda: m.fit(normed(), mse, X, Y, batch_size=1),
            "fit: the network does not take x of shape (33, 4) in mini-batches of 1: Sequential[1] BatchNorm1d(5): "
            + needs,
        ),
        (
            lambda: m.fit(normed(running=False), mse, X[:32], Y[:32], validation_data=(X[:1], Y[:1])),
            "fit: the network does not take validation_data x of shape (1, 4): Sequential[1] "
            f"BatchNorm1d(5, track_running_stats=False): {needs}",
        ),
        (
            lambda: m.fit(
                normed(running=False),
                mse,
                X[:32],
                Y[:32],
                validation_data=(np.zeros((1025, 4)), np.zeros((1025, 1))),
            ),
            "fit: the network does not take the last mini-batch, one row, of validation_data x of shape (1025, 4): "
            f"Sequential[1] BatchNorm1d(5, track_running_stats=False): {needs} It is evaluated 1024 rows at a time: "
            "leave one out, or add one.",
        ),
        (
            lambda: m.fit(plain, mse, X[:, :3], Y),
            "fit: the network does not take x of shape (33, 3) in mini-batches of 32: Linear(4, 1): expected x of "
            "shape (*, 4), got (32, 3). The last dimension must be in_features = 4.",
        ),
        (
            lambda: m.fit(plain, mse, X, Y, validation_data=(X[:, :3], Y)),
            "fit: the network does not take validation_data x of shape (33, 3): Linear(4, 1): expected x of shape "
            "(*, 4), got (33, 3). The last dimension must be in_features = 4.",
        ),
        (
            lambda: m.fit(plain, mse, X, X),
            "fit: the loss does not take y of shape (33, 4): MSELoss(): expected target of shape (33, 1), the "
            "prediction's, got (33, 4). They are compared one by one.",
        ),
        (
            lambda: m.fit(m.Linear(4, 3), entropy, X, LABELS + 1),
            "fit: the loss does not take y of shape (33,): CrossEntropyLoss(): expected labels in 0…2 (3 classes), got "
            "3 at index (2,). Labels count from 0.",
        ),
        (
            lambda: m.fit(m.Linear(4, 3), entropy, X, LABELS, validation_data=(X, LABELS + 1)),
            "fit: the loss does not take validation_data y of shape (33,): CrossEntropyLoss(): expected labels in 0…2 "
            "(3 classes), got 3 at index (2,). Labels count from 0.",
        ),
        (
            lambda: m.fit(m.Linear(4, 3), entropy, X, np.r_[LABELS[:-1], 3], validation_split=0.1),
            "fit: the loss does not take validation_split y of shape (3,): CrossEntropyLoss(): expected labels in 0…2 "
            "(3 classes), got 3 at index (2,). Labels count from 0.",
        ),
    ]


@pytest.mark.parametrize("case", range(len(bad_fits())))
def test_what_does_not_fit_is_said_before_the_first_step(case: int) -> None:
    call, message = bad_fits()[case]
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message
    assert len(caught.traceback) <= 12  # none of the frames inside the network


# Series and columns as targets


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
@pytest.mark.parametrize("dtype", ["float", "int", "bool"])
def test_a_series_is_a_column_of_targets(library: Any, dtype: str) -> None:
    values = {"float": Y[:, 0], "int": LABELS, "bool": LABELS > 0}[dtype]
    column, series = values[:, None], library.Series(values)
    trained = []
    for y in (column, series):
        network = m.Linear(4, 1, generator=m.Generator(1))
        optim = m.Optim(network, m.MSELoss(), 0.1)
        m.fit(optim, X, y, generator=m.Generator(2), validation_data=(X, y))
        m.sgd(optim, X, y, 8, 1, generator=m.Generator(2))
        loss = optim.step(X, y)
        trained.append([*bits(network), loss, m.evaluate(network, m.MSELoss(), X, y)["loss"]])
        assert len(m.engine.lower(optim, X, y).operations) == 5
    assert trained[0] == trained[1]


def test_a_series_stays_flat_where_the_output_is() -> None:
    flat = m.Sequential(m.Linear(4, 1), m.Flatten(0))
    assert m.fit(flat, m.MSELoss(), X, pd.Series(Y[:, 0]), epochs=2)["loss"][0] > 0
    network = m.Linear(4, 3)
    m.fit(network, m.CrossEntropyLoss(), X, pd.Series(LABELS))
    m.fit(network, m.CrossEntropyLoss(), X, pd.Series(LABELS, dtype="Int64"))
    m.fit(network, m.CrossEntropyLoss(), X, pd.Series(LABELS, dtype="category"))


ADVICE: list[tuple[Any, Any, Any, str]] = [
    (m.Linear(4, 1), m.MSELoss(), Y[:, 0], "y[:, None]"),
    (m.Linear(4, 1), m.MSELoss(), Y[:, 0].tolist(), "numpy.asarray(y)[:, None]"),
    (m.Linear(4, 3), m.CrossEntropyLoss(), LABELS[:, None], "y[:, 0]"),
    (m.Linear(4, 3), m.CrossEntropyLoss(), LABELS[:, None].tolist(), "numpy.asarray(y)[:, 0]"),
    (m.Linear(4, 3), m.CrossEntropyLoss(), pd.DataFrame({"label": LABELS}), "y.iloc[:, 0]"),
    (m.Linear(4, 3), m.CrossEntropyLoss(), pl.DataFrame({"label": LABELS}), "y.to_series()"),
]


@pytest.mark.parametrize(("network", "loss", "y", "advice"), ADVICE, ids=lambda value: str(value)[:25])
def test_the_advice_works_for_what_was_given(network: m.Module, loss: m.Loss, y: Any, advice: str) -> None:
    with pytest.raises(ValueError, match=r"expected y .* Give .*: (.*)\.$") as caught:
        m.fit(network, loss, X, y)
    assert str(caught.value).endswith(f": {advice}.")
    m.fit(network, loss, X, eval(advice, {"numpy": np, "y": y}))


def test_the_advice_for_a_series_of_inputs_works() -> None:
    x = pd.Series(X[:, 0])
    with pytest.raises(ValueError, match=r"From a Series: x\.to_frame\(\)\.$"):
        m.fit(m.Linear(1, 1), m.MSELoss(), x, Y)
    m.fit(m.Linear(1, 1), m.MSELoss(), x.to_frame(), Y)


# Images without a channel


def images(*before: m.Module) -> m.Sequential:
    return m.Sequential(*before, m.Conv2d(1, 2, 3), m.ReLU(), m.Flatten(), m.Linear(72, 1))


@pytest.mark.parametrize("rows", [1, 33])
@pytest.mark.parametrize("before", [(), (m.Tanh(),), (m.Sequential(m.Dropout(0.5)),)], ids=["first", "Tanh", "nested"])
def test_a_missing_channel_is_said_at_the_convolution(rows: int, before: tuple[m.Module, ...]) -> None:
    network, x, y = images(*before), IMAGES[:rows], Y[:rows]
    calls: dict[str, Callable[[], Any]] = {
        "fit": lambda: m.fit(network, m.MSELoss(), x, y, batch_size=1),
        "sgd": lambda: m.sgd(m.Optim(network, m.MSELoss(), 0.1), x, y, 1, 1),
        "predict": lambda: m.predict(network, x, batch_size=1),
        "evaluate": lambda: m.evaluate(network, m.MSELoss(), x, y, batch_size=1),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == (
            f"{name}: expected x to reach Sequential[{len(before)}] Conv2d(1, 2, 3) with shape (N, 1, H, W), got "
            "(N, 8, 8). Add the channel: x[:, None]."
        )
    m.fit(network, m.MSELoss(), x[:, None], y, batch_size=1)


CHANNELS: list[tuple[m.Module, Any, str]] = [
    (
        m.Conv1d(1, 2, 3),
        IMAGES[:, 0].tolist(),
        "expected x to reach Conv1d(1, 2, 3) with shape (N, 1, L), got (N, 8). Add the channel: "
        "numpy.asarray(x)[:, None].",
    ),
    (
        m.ConvTranspose2d(33, 2, 3),
        IMAGES,
        "expected x to reach ConvTranspose2d(33, 2, 3) with shape (N, 33, H, W), got (N, 8, 8). Rows are samples; a "
        "single one needs x[None].",
    ),
    (
        m.Conv2d(3, 2, 3),
        IMAGES,
        "expected x to reach Conv2d(3, 2, 3) with shape (N, 3, H, W), got (N, 8, 8). Rows are samples: give each its 3 "
        "channels.",
    ),
    (
        m.Sequential(m.Unflatten(1, (4, 2)), m.Conv2d(1, 2, 2)),
        IMAGES[:, 0],
        "expected x to reach Sequential[1] Conv2d(1, 2, 2) with shape (N, 1, H, W), got (N, 4, 2). Let the links "
        "before it give each sample its channels.",
    ),
]


@pytest.mark.parametrize(("network", "x", "message"), CHANNELS, ids=lambda value: str(value)[:20])
def test_what_is_missing_is_what_the_convolution_takes(network: m.Module, x: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        m.predict(network, x)
    assert str(caught.value) == f"predict: {message}"


def test_pools_without_a_convolution_take_images_as_they_are() -> None:
    network = m.Sequential(m.MaxPool2d(2), m.Flatten(), m.Linear(16, 1))
    assert m.predict(network, IMAGES).shape == (33, 1)
    pooled = m.Sequential(m.Flatten(), m.Unflatten(1, (1, 8, 8)), m.Conv2d(1, 1, 3))
    assert m.predict(pooled, IMAGES).shape == (33, 1, 6, 6)


def test_the_core_tells_the_shape_without_computing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's threads, which spin on after a product, are not woken before a training in the core."""
    computed: list[int] = []
    forward = m.Linear.forward

    def counted(self: m.Linear, input: Array) -> Array:
        computed.append(len(input))
        return forward(self, input)

    monkeypatch.setattr(m.Linear, "forward", counted)
    network = m.Sequential(m.Linear(4, 5), m.ReLU(), m.Linear(5, 3))
    m.fit(network, m.CrossEntropyLoss(), X, LABELS, batch_size=8, validation_split=0.25)
    assert bool(computed) == (engine == "numpy")
    with pytest.raises(m.nn.LinkValueError, match=r"fit: the loss does not take y of shape \(33,\)"):
        m.fit(network, m.CrossEntropyLoss(), X, LABELS + 1, batch_size=8)
    with pytest.raises(m.nn.LinkShapeError, match="fit: the network does not take x"):
        m.fit(network, m.CrossEntropyLoss(), X[:, :3], LABELS, batch_size=8)
