"""fit: what it draws, computes, records and puts back."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon import random
from maillon.train import State
from maillon.train.fit import training_of
from maillon.typing import Array

Data = tuple[Array, Array]
MakeLinear = Callable[[], m.Linear]
MakeClassifier = Callable[[], m.Sequential]


def bits(network: m.Module) -> list[bytes]:
    return [value.tobytes() for value in network.state_dict().values()]


def test_the_history_has_a_row_an_epoch(make_classifier: MakeClassifier, classes: Data) -> None:
    history = m.fit(
        make_classifier(),
        m.CrossEntropyLoss(),
        *classes,
        rule=0.1,
        batch_size=8,
        epochs=3,
        metrics=["accuracy"],
        validation_data=classes,
    )

    names = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert history.columns == names
    assert history["epoch"] == [1, 2, 3]
    assert history["lr"] == [0.1] * 3
    assert (len(history), history.steps) == (3, 12)
    assert 0 < sum(history["seconds"]) <= history.seconds
    assert not history.interrupted
    assert not history.stopped_early


def test_the_default_rule_is_adam(make_linear: MakeLinear, line: Data) -> None:
    one, other = make_linear(), make_linear()
    m.fit(one, m.MSELoss(), *line, epochs=2, shuffle=False)
    m.fit(other, m.MSELoss(), *line, epochs=2, shuffle=False, rule=m.Adam(lr=1e-3))
    assert bits(one) == bits(other)


def test_two_runs_with_one_seed_are_identical(make_classifier: MakeClassifier, classes: Data) -> None:
    runs = []
    for _ in range(2):
        m.manual_seed(11)
        network = make_classifier()
        history = m.fit(network, m.CrossEntropyLoss(), *classes, epochs=4, batch_size=7, validation_split=0.2)
        runs.append((bits(network), history["loss"], history["val_loss"]))
    assert runs[0] == runs[1]


def test_a_generator_gives_all_the_numbers_and_spares_the_global_one(
    make_classifier: MakeClassifier, classes: Data
) -> None:
    before = random.default_generator().get_state()
    networks, ends = [], []
    for seed in (1, 1, 2):
        generator = m.Generator(seed)
        network = make_classifier()
        m.fit(network, m.CrossEntropyLoss(), *classes, epochs=2, batch_size=7, generator=generator)
        networks.append(bits(network))
        ends.append(generator.get_state())
    assert random.default_generator().get_state() == before
    assert networks[0] == networks[1] != networks[2]
    assert ends[0] == ends[1] != m.Generator(1).get_state()


def test_without_shuffling_and_dropout_nothing_is_drawn(make_linear: MakeLinear, line: Data) -> None:
    before = random.default_generator().get_state()
    m.fit(make_linear(), m.MSELoss(), *line, shuffle=False, validation_data=line)
    assert random.default_generator().get_state() == before


def test_validation_draws_nothing_and_changes_nothing(make_classifier: MakeClassifier, classes: Data) -> None:
    networks = []
    for validation in (None, classes):
        network = make_classifier()
        m.fit(
            network,
            m.CrossEntropyLoss(),
            *classes,
            epochs=3,
            generator=m.Generator(1),
            validation_data=validation,
            metrics=["accuracy"],
        )
        networks.append(bits(network))
    assert networks[0] == networks[1]


def test_validation_is_what_evaluate_says(make_classifier: MakeClassifier, classes: Data) -> None:
    network = make_classifier()
    weight = np.linspace(0, 2, 30)
    history = m.fit(
        network, m.CrossEntropyLoss(), *classes, validation_data=(*classes, weight), metrics=["accuracy"], epochs=2
    )
    found = m.evaluate(network, m.CrossEntropyLoss(), *classes, metrics=["accuracy"], sample_weight=weight)
    assert {"loss": history["val_loss"][-1], "accuracy": history["val_accuracy"][-1]} == found


def test_the_split_is_the_end_of_the_data_before_shuffling(make_linear: MakeLinear, line: Data) -> None:
    x, y = line
    weight = np.arange(20.0)
    split, by_hand = make_linear(), make_linear()
    one = m.fit(
        split, m.MSELoss(), x, y, validation_split=0.3, epochs=2, generator=m.Generator(1), sample_weight=weight
    )
    other = m.fit(
        by_hand,
        m.MSELoss(),
        x[:14],
        y[:14],
        validation_data=(x[14:], y[14:], weight[14:]),
        epochs=2,
        generator=m.Generator(1),
        sample_weight=weight[:14],
    )
    assert bits(split) == bits(by_hand)
    assert one["val_loss"] == other["val_loss"]


def test_modes_are_put_back_link_by_link(make_classifier: MakeClassifier, classes: Data) -> None:
    network = make_classifier().eval()
    network[1].train()
    seen: list[list[bool]] = []

    def look(state: State) -> None:
        seen.append([link.training for link in state.network.modules()])

    m.fit(network, m.CrossEntropyLoss(), *classes, callbacks=look)
    assert seen == [[True] * 5]
    assert [link.training for link in network.modules()] == [False, False, True, False, False]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_loss_of_an_epoch_is_that_of_its_samples(reduction: str, make_linear: MakeLinear, line: Data) -> None:
    network, loss = make_linear(), m.MSELoss(reduction=reduction)
    history = m.fit(network, loss, *line, rule=0.0, batch_size=8, validation_data=line)
    squares = (m.predict(network, line[0]) - line[1]) ** 2
    expected = squares.mean() if reduction == "mean" else squares.sum()
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-6)
    np.testing.assert_allclose(history["val_loss"], expected, rtol=1e-6)


def test_a_mean_over_class_weights_is_that_of_all_samples(make_classifier: MakeClassifier, classes: Data) -> None:
    network = make_classifier().eval()
    network[2].p = 0.0  # type: ignore[attr-defined]
    loss = m.CrossEntropyLoss(weight=[1.0, 5.0, 0.5])
    history = m.fit(network, loss, *classes, rule=0.0, batch_size=7)
    whole = float(loss(m.predict(network, classes[0]), classes[1]))
    np.testing.assert_allclose(history["loss"], whole, rtol=1e-6)
    np.testing.assert_allclose(m.evaluate(network, loss, *classes, batch_size=4)["loss"], whole, rtol=1e-6)


def test_labels_that_are_all_ignored_make_no_validation_loss(make_classifier: MakeClassifier, classes: Data) -> None:
    ignored = np.full(30, -100)
    found = m.evaluate(make_classifier(), m.CrossEntropyLoss(), classes[0], ignored)
    assert np.isnan(found["loss"])


def test_metrics_run_over_the_steps_and_those_of_the_user_over_the_epoch(make_linear: MakeLinear, line: Data) -> None:
    network = make_linear()

    def rows(prediction: Array, target: Array) -> float:
        assert prediction.shape == target.shape
        return len(prediction)

    history = m.fit(network, m.MSELoss(), *line, rule=0.0, batch_size=8, metrics=("mae", rows))
    expected = np.abs(m.predict(network, line[0]) - line[1]).mean()
    np.testing.assert_allclose(history["mae"], expected, rtol=1e-6)
    assert history["rows"] == [20]


def test_weights_count_samples_that_often(make_linear: MakeLinear, line: Data) -> None:
    x, y = line
    weighted, repeated = make_linear(), make_linear()
    weight = np.ones(20)
    weight[:5] = 3
    loss = m.MSELoss(reduction="sum")
    m.fit(weighted, loss, x, y, rule=0.001, sample_weight=weight, batch_size=20, epochs=5)
    twice = np.repeat(np.arange(20), weight.astype(int))
    m.fit(repeated, loss, x[twice], y[twice], rule=0.001, batch_size=100, epochs=5)
    np.testing.assert_allclose(weighted.weight.data, repeated.weight.data, rtol=1e-5)


def test_the_schedule_counts_epochs_from_0_and_is_torchs_lambda_lr(make_linear: MakeLinear, line: Data) -> None:
    asked: list[int] = []

    def factor(epoch: int) -> float:
        asked.append(epoch)
        return 1 / (1 + epoch)

    network = make_linear()
    rule = m.SGD([{"params": [network.weight], "lr": 0.2}, {"params": [network.bias]}], lr=0.1)
    history = m.fit(network, m.MSELoss(), *line, rule=rule, epochs=3, schedule=factor)
    np.testing.assert_allclose(history["lr"], [0.2, 0.1, 0.2 / 3])
    assert sorted(set(asked)) == [0, 1, 2]
    np.testing.assert_allclose([group["lr"] for group in rule.param_groups], [0.2 / 3, 0.1 / 3])


def test_a_schedule_may_not_turn_the_rate_round(make_linear: MakeLinear, line: Data) -> None:
    network = make_linear()
    before = bits(network)
    with pytest.raises(ValueError, match=r"^LambdaLR: expected the rate of epoch 0 to be a number ≥ 0 and finite, got"):
        m.fit(network, m.MSELoss(), *line, schedule=lambda epoch: -1.0)
    assert bits(network) == before


def test_no_epochs_change_nothing(make_linear: MakeLinear, line: Data) -> None:
    network = make_linear()
    rule = m.SGD(network.parameters(), lr=0.1)
    before = bits(network)
    history = m.fit(network, m.MSELoss(), *line, rule=rule, epochs=0, schedule=lambda epoch: 0.5)
    assert (len(history), history.steps, history.best_epoch) == (0, 0, None)
    assert bits(network) == before
    assert rule.param_groups[0]["lr"] == 0.1


# Going on with what is there


@pytest.mark.parametrize("way", ["optim", "keywords", "rule", "bound"])
def test_training_goes_on_with_the_rules_state(way: str, make_linear: MakeLinear, line: Data) -> None:
    whole, halves = make_linear(), make_linear()
    m.fit(whole, m.MSELoss(), *line, rule=m.SGD(lr=0.01, momentum=0.9), epochs=4, generator=m.Generator(1))

    loss, generator = m.MSELoss(), m.Generator(1)
    optim = m.Optim(halves, loss, m.SGD(lr=0.01, momentum=0.9))
    for _ in range(2):
        settings: dict[str, Any] = {"epochs": 2, "generator": generator}
        if way == "optim":
            m.fit(optim, *line, **settings)
        elif way == "keywords":
            m.fit(optim, x=line[0], y=line[1], **settings)
        else:
            m.fit(halves, loss, *line, rule=optim if way == "rule" else optim.rule, **settings)
    assert bits(whole) == bits(halves)


def test_an_optim_brings_its_own_network_loss_and_rule(make_linear: MakeLinear, line: Data) -> None:
    network, loss = make_linear(), m.MSELoss()
    optim = m.Optim(network, loss, 0.1)
    with pytest.raises(TypeError, match=r"^fit: an Optim has its network, loss and rule already\. Call fit"):
        m.fit(optim, *line, rule=0.1)
    with pytest.raises(TypeError, match="already"):
        m.fit(optim, loss, *line)
    with pytest.raises(TypeError, match="already"):
        m.fit(optim, *line, line[1])
    with pytest.raises(ValueError, match=r"^fit: the Optim given as rule trains another network or loss\."):
        m.fit(network, m.MSELoss(), *line, rule=optim)
    with pytest.raises(ValueError, match="another network"):
        m.fit(make_linear(), loss, *line, rule=optim)
    with pytest.raises(TypeError, match=r"^fit: expected data in x, got none\."):
        m.fit(optim)


# Wrong calls: the message, and nothing changed


def _nan(a: Array) -> Array:
    wrong = a.astype(np.float64)
    wrong.flat[[7, 9]] = np.inf, np.nan
    return wrong


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"batch_size": True}, ValueError, "fit: expected batch_size to be an integer ≥ 1, got True."),
    ({"epochs": "3"}, ValueError, "fit: expected epochs to be an integer ≥ 0, got '3'."),
    (
        {"validation_split": 0.01},
        ValueError,
        "fit: validation_split=0.01 of 20 rows leaves 20 to learn from and 0 to validate with. Both need at least one.",
    ),
    ({"validation_split": "half"}, ValueError, "fit: expected validation_split in [0, 1), got 'half'."),
    (
        {"validation_split": 0.5, "validation_data": (np.ones((2, 3)), np.ones((2, 1)))},
        ValueError,
        "fit: expected validation_data or validation_split, got both. Leave one out.",
    ),
    (
        {"validation_data": np.ones((2, 3))},
        TypeError,
        "fit: expected validation_data to be (x, y) or (x, y, sample_weight), got ndarray.",
    ),
    (
        {"validation_data": (np.ones((2, 3)),)},
        TypeError,
        "fit: expected validation_data to be (x, y) or (x, y, sample_weight), got 1 parts.",
    ),
    (
        {"validation_data": (np.ones((2, 3)), np.ones(2))},
        ValueError,
        "fit: expected validation_data y of shape (2, 1), as the network's output, got (2,). "
        "Give a column: y[:, None].",
    ),
    (
        {"validation_data": (_nan(np.ones((4, 3))), np.ones((4, 1)))},
        ValueError,
        "fit: expected finite numbers in validation_data x, got 2 that are NaN or infinite, the first (inf) at [2, 1]. "
        "Replace them or leave their rows out.",
    ),
    (
        {"sample_weight": ["a"] * 20},
        TypeError,
        "sample_weight: expected real numbers, got dtype <U1. Convert dates, texts and categories to numbers first "
        "(one_hot, for instance).",
    ),
    (
        {"sample_weight": _nan(np.ones(20))},
        ValueError,
        "fit: expected finite numbers in sample_weight, got 2 that are NaN or infinite, the first (inf) at [7]. "
        "Replace them or leave their rows out.",
    ),
    (
        {"sample_weight": (1, 2, 3)},
        ValueError,
        "fit: expected sample_weight of shape (20,), got (3,). Give one weight for each row of x.",
    ),
    (
        {"sample_weight": np.arange(10, -10, -1)},
        ValueError,
        "fit: expected sample_weight ≥ 0, got -1.0 at [11]. A weight of 0 leaves a sample out.",
    ),
    (
        {"validation_data": (np.ones((0, 3)), np.ones((0, 1)))},
        ValueError,
        "fit: expected at least one sample, got validation_data x of shape (0, 3).",
    ),
    (
        {"metrics": "acuracy"},
        ValueError,
        "fit: expected a metric (accuracy, balanced_accuracy, f1, f1_macro, f1_micro, f1_weighted, roc_auc, top_k, r2, "
        "mae, mse, rmse, balanced_accuracy_score, f1_score, roc_auc_score, top_k_accuracy_score, r2_score, "
        "mean_absolute_error, mean_squared_error, root_mean_squared_error), got 'acuracy'. Did you mean 'accuracy'?",
    ),
    (
        {"schedule": 0.1},
        TypeError,
        "fit: expected schedule to be a function of the epoch or a schedule, got 0.1.",
    ),
    (
        {"callbacks": [m.EarlyStopping]},
        TypeError,
        "fit: expected each callback to be a Callback or a function of the state, got the class EarlyStopping. "
        "Pass an instance such as EarlyStopping(), or a function, which is called after each epoch.",
    ),
    (
        {"callbacks": [3]},
        TypeError,
        "fit: expected each callback to be a Callback or a function of the state, got int. "
        "Pass an instance such as EarlyStopping(), or a function, which is called after each epoch.",
    ),
    (
        {"metrics": [0.5]},
        TypeError,
        "fit: expected each metric to be a name or a function of (prediction, target), got 0.5.",
    ),
    (
        {"metrics": ["mae", "mae"]},
        ValueError,
        "fit: there are two columns named 'mae'. Give the metric another __name__.",
    ),
]


@pytest.mark.parametrize(("changed", "error", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_call_changes_nothing(
    changed: dict[str, Any], error: type[Exception], message: str, make_linear: MakeLinear, line: Data
) -> None:
    network = make_linear().eval()
    before, state = bits(network), random.default_generator().get_state()
    with pytest.raises(error) as caught:
        m.fit(network, m.MSELoss(), *line, **changed)
    assert str(caught.value) == message
    assert bits(network) == before
    assert network.weight.grad is None
    assert not network.training
    assert random.default_generator().get_state() == state


def test_a_label_out_of_range_is_found_before_the_first_step(make_classifier: MakeClassifier, classes: Data) -> None:
    x, labels = classes
    network, wrong = make_classifier(), labels.copy()
    wrong[-1] = 3
    before = bits(network)
    expected = r"expected labels in 0…2 \(3 classes\), got 3 at index \(29,\)\. Labels count from 0\.$"
    for train in (
        lambda: m.fit(network, m.CrossEntropyLoss(), x, wrong, batch_size=1, shuffle=False),
        lambda: m.sgd(m.Optim(network, m.CrossEntropyLoss(), 0.1), x, wrong, 1, 1, shuffle=False),
    ):
        with pytest.raises(ValueError, match=expected):
            train()
    assert bits(network) == before


def test_a_training_is_made_with_the_options_and_defaults_of_fit() -> None:
    """`sweep` makes trainings without `fit`: what it leaves out must be what `fit` would take."""
    of_fit, of_training = (dict(inspect.signature(each).parameters) for each in (m.fit, training_of))
    of_fit.pop("generator")
    assert list(of_fit) == list(of_training)
    options = [name for name, each in of_fit.items() if each.kind is each.KEYWORD_ONLY]
    assert {name: of_fit[name].default for name in options} == {name: of_training[name].default for name in options}
