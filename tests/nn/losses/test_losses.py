"""What the losses beyond the basic ones take and refuse, and trainings with several predictions or no target."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.check import check_loss
from maillon.nn import LinkDtypeError, LinkShapeError, LinkValueError, Loss, Module
from maillon.random import Generator
from maillon.typing import Array

X = Generator(5).normal((4, 3), dtype=np.float64)
POSITIVE = np.abs(X) + 0.1
SIGNS = np.array([1.0, -1.0, 1.0, -1.0])


def first(wrong: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(np.argmax(wrong), wrong.shape)))


class Laplace(Loss):
    """A loss of one's own, of two predictions."""

    predicted = (True, False, True)

    def forward(self, centre: Array, target: Array, scale: Array, sample_weight: Array | None = None) -> Any:  # type: ignore[override]
        return self.reduced((centre, target, scale), sample_weight)

    def elements(self, centre: Array, target: Array, scale: Array) -> tuple[Array, tuple[Any, ...]]:
        error = (centre - target) / scale
        return abs(error) + np.log(2 * scale), (error, scale)

    def elements_backward(self, grad_elements: Array, error: Array, scale: Array) -> tuple[Array, Array]:
        return np.sign(error) / scale * grad_elements, (1 - abs(error)) / scale * grad_elements


class Twice(Module):
    """A network of two outputs: the second positive."""

    def __init__(self) -> None:
        self.first = maillon.Linear(3, 1)
        self.second = maillon.Linear(3, 1)

    def forward(self, x: Array) -> Any:
        second = np.exp(self.second(x))
        return self.keep((self.first(x), second), second)

    def backward(self, grad_output: Any) -> Array:
        (second,) = self.release(grad_output)
        first, other = grad_output
        grad: Array = self.first.backward(first) + self.second.backward(other * second)
        return grad


def test_a_loss_of_ones_own_with_two_predictions() -> None:
    report = check_loss(Laplace(), X, X + 1, POSITIVE)
    assert report.rules == tuple(range(1, 9))
    assert check_loss(Laplace(reduction="sum"), X, X + 1, POSITIVE, np.array([1.0, 0.0, 2.0, 0.5])).worst <= 1e-7
    with pytest.raises(LinkShapeError) as caught:
        Laplace()(X, X, X[:, :1])
    assert str(caught.value) == (
        "Laplace(): expected scale of shape (4, 3), the centre's, got (4, 1). They are compared one by one."
    )


@pytest.mark.parametrize("loss", [Laplace(), maillon.GaussianNLLLoss()], ids=repr)
def test_a_network_of_two_outputs_learns_them_both(loss: Loss) -> None:
    generator = maillon.manual_seed(1)
    x = generator.normal((256, 3), dtype=np.float32)
    noise = generator.normal((256, 1), dtype=np.float32) * np.exp(x[:, :1])
    y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32) + noise
    network = Twice()
    before = maillon.evaluate(network, loss, x, y)["loss"]
    weight = np.ones(256)
    history = maillon.fit(network, loss, x, y, rule=0.02, epochs=60, sample_weight=weight, validation_data=(x, y))
    after = maillon.evaluate(network, loss, x, y)["loss"]
    assert after == pytest.approx(history["val_loss"][-1])
    assert after < before - 0.3
    assert network.second.weight.data[0, 0] > 0.4  # the noise grows with the first input
    mean, spread = maillon.predict(network, x)
    assert maillon.Optim(network, loss, 0.1).step(x, y) == pytest.approx(float(loss(mean, y, spread)), rel=1e-5)


def test_a_network_of_one_output_is_refused_by_a_loss_of_two() -> None:
    with pytest.raises(LinkShapeError) as caught:
        maillon.Optim(maillon.Linear(3, 1), maillon.GaussianNLLLoss(), 0.1).step(X, X[:, :1])
    assert str(caught.value) == (
        "GaussianNLLLoss(): expected a tuple of 2 predictions (prediction, var), got one array. End the network in "
        "them."
    )


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (maillon.HuberLoss("sum", 2), "HuberLoss(reduction='sum', delta=2.0)"),
        (maillon.SmoothL1Loss(beta=0), "SmoothL1Loss(beta=0.0)"),
        (
            maillon.KLDivLoss(reduction="batchmean", log_target=True),
            "KLDivLoss(reduction='batchmean', log_target=True)",
        ),
        (
            maillon.PoissonNLLLoss(False, True, eps=0.1, reduction="none"),
            "PoissonNLLLoss(log_input=False, full=True, eps=0.1, reduction='none')",
        ),
        (
            maillon.GaussianNLLLoss(full=True, eps=0.5, reduction="sum"),
            "GaussianNLLLoss(full=True, eps=0.5, reduction='sum')",
        ),
        (maillon.HingeEmbeddingLoss(margin=2), "HingeEmbeddingLoss(margin=2.0)"),
        (maillon.MarginRankingLoss(0.5, reduction="sum"), "MarginRankingLoss(margin=0.5, reduction='sum')"),
        (maillon.SoftMarginLoss(reduction="none"), "SoftMarginLoss(reduction='none')"),
        (maillon.MultiMarginLoss(2, 0.5, [1.0, 2.0]), "MultiMarginLoss(p=2, margin=0.5, weight=[1.0, 2.0])"),
        (maillon.MultiLabelSoftMarginLoss([1.0, 2.0]), "MultiLabelSoftMarginLoss(weight=[1.0, 2.0])"),
        (maillon.CosineEmbeddingLoss(0.5), "CosineEmbeddingLoss(margin=0.5)"),
        (maillon.TripletMarginLoss(2, 1, 0.1, True), "TripletMarginLoss(margin=2.0, p=1.0, eps=0.1, swap=True)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_repr_rebuilds(loss: Loss, shown: str) -> None:
    assert repr(loss) == shown
    assert repr(eval(shown, NAMES)) == shown


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maillon.HuberLoss(delta=0), "HuberLoss: expected delta to be a number > 0, got 0."),
        (lambda: maillon.SmoothL1Loss(beta=-1.0), "SmoothL1Loss: expected beta to be a number ≥ 0, got -1.0."),
        (lambda: maillon.GaussianNLLLoss(eps=0.0), "GaussianNLLLoss: expected eps to be a number > 0, got 0.0."),
        (lambda: maillon.PoissonNLLLoss(eps="a"), "PoissonNLLLoss: expected eps to be a number ≥ 0, got 'a'."),  # type: ignore[arg-type]
        (
            lambda: maillon.KLDivLoss(reduction="average"),
            "KLDivLoss: expected reduction to be 'mean', 'sum', 'none' or 'batchmean', got 'average'.",
        ),
        (
            lambda: maillon.HuberLoss("batchmean"),
            "HuberLoss: expected reduction to be 'mean', 'sum' or 'none', got 'batchmean'.",
        ),
        (lambda: maillon.MultiMarginLoss(p=3), "MultiMarginLoss: expected p to be 1 or 2, got 3."),
        (
            lambda: maillon.MultiMarginLoss(weight=[[1.0]]),
            "MultiMarginLoss: expected weight to hold one number a class, got shape (1, 1).",
        ),
        (
            lambda: maillon.HingeEmbeddingLoss(margin=np.nan),
            "HingeEmbeddingLoss: expected margin to be a number, got nan.",
        ),
        (
            lambda: maillon.TripletMarginLoss(margin=0.0),
            "TripletMarginLoss: expected margin to be a number > 0, got 0.0.",
        ),
        (lambda: maillon.TripletMarginLoss(p=np.nan), "TripletMarginLoss: expected p to be a number, got nan."),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("loss", "inputs", "error", "message"),
    [
        (
            maillon.HuberLoss(),
            (X, X[:, 0]),
            LinkShapeError,
            "HuberLoss(): expected target of shape (4, 3), the prediction's, got (4,). They are compared one by one.",
        ),
        (
            maillon.KLDivLoss(),
            (X, X.astype(np.float32)),
            LinkDtypeError,
            "KLDivLoss(): expected target of dtype float64, got float32. Convert it with target.astype('float64').",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, POSITIVE[:2]),
            LinkShapeError,
            "GaussianNLLLoss(): expected var of shape (4, 3), the prediction's, got (2, 3). Give one variance an "
            "element, or a 1 in place of one dimension.",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, -POSITIVE),
            LinkValueError,
            f"GaussianNLLLoss(): expected var ≥ 0, got {-POSITIVE.max():.6g}. End the network's second output in "
            "Softplus().",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, None),
            LinkDtypeError,
            "GaussianNLLLoss(): expected var to be a NumPy array of dtype float64, got NoneType. Convert it with "
            "numpy.asarray(var, dtype='float64'); fit and predict do so themselves.",
        ),
        (
            maillon.HingeEmbeddingLoss(),
            (X, (X > 0).astype(int)),
            LinkValueError,
            f"HingeEmbeddingLoss(): expected target of 1 and −1, got 0 at index {first(X <= 0)}. Of 0 and 1 make them "
            "with 2 * target - 1.",
        ),
        (
            maillon.MarginRankingLoss(),
            (X, X, SIGNS),
            LinkShapeError,
            "MarginRankingLoss(): expected target of shape (4, 3), the input1's, got (4,). They are compared one by "
            "one.",
        ),
        (
            maillon.MultiMarginLoss(),
            (X, np.array([0, 1, 3, 2])),
            LinkValueError,
            "MultiMarginLoss(): expected labels in 0…2 (3 classes), got 3 at index (2,). Labels count from 0.",
        ),
        (
            maillon.MultiMarginLoss(weight=[1.0, 2.0]),
            (X, np.array([0, 1, 1, 2])),
            LinkShapeError,
            "MultiMarginLoss(weight=[1.0, 2.0]): expected weight of shape (3,), got (2,). Give one number a class.",
        ),
        (
            maillon.MultiMarginLoss(),
            (X, SIGNS),
            LinkDtypeError,
            "MultiMarginLoss(): expected target of dtype int64, got float64. Convert it with target.astype('int64').",
        ),
        (
            maillon.MultiLabelMarginLoss(),
            (X, np.array([[0], [1], [2], [-1]])),
            LinkShapeError,
            "MultiLabelMarginLoss(): expected class labels of shape (4, 3), got (4, 1). Fill the rows up with -1.",
        ),
        (
            maillon.MultiLabelMarginLoss(),
            (X, np.array([[0, -2, 1]] * 4)),
            LinkValueError,
            "MultiLabelMarginLoss(): expected labels in 0…2 (3 classes), got -2 at index (0, 1).",
        ),
        (
            maillon.CosineEmbeddingLoss(),
            (X, X, np.ones((4, 1))),
            LinkShapeError,
            "CosineEmbeddingLoss(): expected target of shape (4,), got (4, 1). Give one sign a pair.",
        ),
        (
            maillon.TripletMarginLoss(),
            (X, X, X[:, :2]),
            LinkShapeError,
            "TripletMarginLoss(): expected negative of shape (4, 3), the anchor's, got (4, 2). They are compared one "
            "by one.",
        ),
    ],
)
def test_calls_that_make_no_sense(loss: Loss, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        loss(*inputs)
    assert str(caught.value) == message
    assert loss.kept_output is None


def test_a_variance_that_has_collapsed_can_grow_again() -> None:
    loss = maillon.GaussianNLLLoss(eps=0.1)
    assert loss(X, X + 1, np.zeros((4, 3))) == loss(X, X + 1, np.full((4, 3), 0.1))
    assert (loss.backward()[2] < 0).all()
    loss(X, X + 1, 0.1)
    assert loss.backward()[1:] == (None, None)


def test_counts_may_be_integers() -> None:
    loss, counts = maillon.PoissonNLLLoss(), np.array([[0, 1, 2]] * 4)
    assert loss(X, counts) == loss(X, counts.astype(np.float64))


@pytest.mark.parametrize(
    ("loss", "inputs"),
    [
        (maillon.HingeEmbeddingLoss(), (X, np.sign(X))),
        (maillon.MarginRankingLoss(), (X, -X, np.sign(X))),
        (maillon.SoftMarginLoss(), (X, np.sign(X))),
        (maillon.MultiLabelSoftMarginLoss(), (X, (X > 0).astype(np.float64))),
        (maillon.CosineEmbeddingLoss(), (X, X + 1, SIGNS)),
    ],
    ids=lambda value: repr(value) if isinstance(value, Loss) else "",
)
def test_targets_that_are_numbers_may_be_integers(loss: Loss, inputs: tuple[Array, ...]) -> None:
    *predictions, target = inputs
    expected = loss(*inputs)
    assert loss(*predictions, target.astype(np.int32)) == expected
    assert loss(*predictions, target.astype(np.int64)).dtype == np.float64


class Embedding(Module):
    """One link for each of the inputs, all with the same weights."""

    def __init__(self, count: int) -> None:
        first = maillon.Linear(3, 2)
        self.links = [first, *(first.share() for _ in range(count - 1))]

    def forward(self, *inputs: Array) -> Any:
        return tuple(link(x) for link, x in zip(self.links, inputs, strict=True))

    def backward(self, grad_output: Any) -> Any:
        return tuple(link.backward(grad) for link, grad in zip(self.links, grad_output, strict=True))


def test_a_loss_without_a_target_trains_on_x_alone() -> None:
    generator = maillon.manual_seed(3)
    kinds = generator.randint(0, 2, (64,))[:, None] * np.array([4.0, 0.0, 0.0])
    anchor, positive, noise = (generator.normal((64, 3), dtype=np.float64) for _ in range(3))
    x = (anchor + kinds, positive + kinds, noise + 4.0 * np.eye(3)[0] - kinds)
    network, loss = Embedding(3), maillon.TripletMarginLoss(swap=True)
    before = maillon.evaluate(network, loss, x)["loss"]
    history = maillon.fit(network, loss, x, rule=0.05, epochs=30, batch_size=16, validation_split=0.25)
    assert history["loss"][-1] < 0.5 * before
    assert len(history["val_loss"]) == 30
    optim = maillon.Optim(network, loss, 0.01)
    whole = optim.step(x, sample_weight=np.ones(64))
    assert optim.step(x) < whole
    with pytest.raises(LinkShapeError) as caught:
        optim.step(x, kinds)
    assert str(caught.value) == "TripletMarginLoss(swap=True): expected no target, got one array. Leave y out."


def test_pairs_are_learnt_with_their_signs() -> None:
    generator = maillon.manual_seed(3)
    one, other = (generator.normal((64, 3), dtype=np.float32) for _ in range(2))
    y = np.where(one[:, 0] * other[:, 0] > 0, 1, -1)
    network, loss = Embedding(2), maillon.CosineEmbeddingLoss()
    history = maillon.fit(network, loss, (one, other), y, rule=0.05, epochs=60, batch_size=16)
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_a_distance_of_zero_has_no_direction() -> None:
    loss = maillon.TripletMarginLoss(eps=0.0, reduction="none")
    for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf):
        loss.p = p
        assert loss(X, X, X + 1e4).tolist() == [0.0] * 4
        loss(X, X, X)
        assert all(not grad.any() for grad in loss.backward())


def test_no_power_of_a_distance_overflows() -> None:
    loss = maillon.TripletMarginLoss(p=100.0)
    value = loss(1e4 * X, -1e4 * X, 1e4 * X + 1)
    assert np.isfinite(value)
    assert all(np.isfinite(grad).all() for grad in loss.backward())
