"""What a callback changes holds from the next step on, and what it sees is what the last one left, in either engine.

The other side is a loop by hand: `optim.learn` on the same mini-batches, and the same change at the same place.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import Outcome, agree, outcome

import maillon as m
from maillon.engine import FallbackWarning
from maillon.nn import Parameter
from maillon.train import State, stepping
from maillon.typing import Array

Change = Callable[[m.Optim], Any]

ROWS, BATCH, EPOCHS = 11, 4, 4
STEPS = 3  # an epoch
X = np.random.default_rng(1).normal(size=(ROWS, 4))
Y = np.random.default_rng(2).normal(size=(ROWS, 3))


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "_told", set())


def sgd(parameters: Any = None) -> m.optim.Rule:
    return m.SGD(parameters, lr=0.05, momentum=0.9)


def adam(parameters: Any = None) -> m.optim.Rule:
    return m.Adam(parameters, lr=0.02, eps=1e-3)


def learner(rule: Callable[..., m.optim.Rule] = sgd, kind: type[m.Optim] = m.Optim, **options: Any) -> m.Optim:
    generator = m.Generator(3)
    first, second = m.Linear(4, 5, generator=generator), m.Linear(5, 3, generator=generator)
    network = m.Sequential(first, m.Tanh(), m.Dropout(0.3, generator=m.Generator(4)), second).to("float64")
    parts = [{"params": list(first.parameters())}, {"params": list(second.parameters()), "lr": 0.01}]
    return kind(network, m.MSELoss(), rule(parts), **options)


def by_hand(optim: m.Optim, change: Change, at: int) -> Outcome:
    """The training, and the change after so many steps (before the first one: 0)."""
    step, losses = 0, []
    if not at:
        change(optim)
    for _ in range(EPOCHS):
        total = size = 0.0
        for start in range(0, ROWS, BATCH):
            loss = optim.learn(X[start : start + BATCH], Y[start : start + BATCH])
            counted = optim.loss.denominator if optim.loss.averages else 1.0
            total, size, step = total + loss * counted, size + counted, step + 1
            if step == at and step % STEPS:
                change(optim)
        optim.flush()
        losses.append(total / size if optim.loss.averages else total)
        if step == at and not step % STEPS:
            change(optim)
    return outcome(optim, losses)


class At(m.Callback):
    """The change after so many steps: by the hook that is called there."""

    def __init__(self, change: Change, at: int) -> None:
        self.change = change
        self.at = at
        if at == 0:
            self.on_train_begin = self.meet  # type: ignore[method-assign]
        elif at % STEPS:
            self.on_step_end = self.meet  # type: ignore[method-assign]
        else:
            self.on_epoch_end = self.meet  # type: ignore[method-assign]

    def meet(self, state: State) -> None:
        if state.step == self.at:
            self.change(state.optim)


def fitted(optim: m.Optim, *callbacks: Any, **options: Any) -> tuple[Outcome, m.History]:
    settings: dict[str, Any] = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        history = m.fit(optim, X, Y, callbacks=list(callbacks), **settings | options)
    return outcome(optim, [float(value) for value in history["loss"]]), history


# Changes after which the core goes on


def load_rule(optim: m.Optim) -> None:
    state = optim.rule.state_dict()
    for own in state["state"].values():
        for name, value in own.items():
            own[name] = 7 if name == "step" else value * 0.5
    optim.rule.load_state_dict(state)


def clear(optim: m.Optim) -> None:
    optim.rule.state.clear()


def another_state(optim: m.Optim) -> None:
    optim.rule.state = {}


def manual_step(optim: m.Optim) -> None:
    optim.step(X[:5], Y[:5])


def load_weights(optim: m.Optim) -> None:
    optim.network.load_state_dict({name: value * 0.5 for name, value in optim.network.state_dict().items()})


def another_rule(optim: m.Optim) -> None:
    other = adam if isinstance(optim.rule, m.SGD) else sgd
    optim.rule = other(optim.network.parameters())


def another_loss(optim: m.Optim) -> None:
    optim.loss = m.L1Loss(reduction="sum")


def move(optim: m.Optim) -> None:
    first, second = optim.rule.param_groups
    second["params"].append(first["params"].pop())


def leave_out(optim: m.Optim) -> None:
    optim.rule.param_groups[0]["params"].pop()


def append(optim: m.Optim) -> None:
    link = m.Linear(3, 3, generator=m.Generator(8)).to("float64")
    optim.network.append(link)
    optim.rule.add_param_group({"params": link.parameters()})


def append_alone(optim: m.Optim) -> None:
    optim.network.append(m.Linear(3, 3, generator=m.Generator(8)).to("float64"))


def take_out(optim: m.Optim) -> None:
    del optim.network[1]


def freeze(optim: m.Optim) -> None:
    optim.network[0].weight.requires_grad = False


def another_array(optim: m.Optim) -> None:
    optim.network[0].weight.data = optim.network[0].weight.data * 0.5


def another_parameter(optim: m.Optim) -> None:
    optim.network[3].weight = Parameter(optim.network[3].weight.data * 0.5)


def accumulate(optim: m.Optim) -> None:
    optim.accumulate = 2


def accumulate_no_more(optim: m.Optim) -> None:
    optim.accumulate = 1


def gathered(optim: m.Optim) -> None:
    optim.accumulate = 2
    optim.step(X[:3], Y[:3])
    optim.accumulate = 1


def forget(optim: m.Optim) -> None:
    optim.zero_grad()


def move_now(optim: m.Optim) -> None:
    optim.flush()


def double(optim: m.Optim) -> None:
    for parameter in optim.network.parameters():
        if parameter.grad is not None:
            parameter.grad *= 2


def no_gradient(optim: m.Optim) -> None:
    optim.network[0].weight.grad = None


def amsgrad(optim: m.Optim) -> None:
    for group in optim.rule.param_groups:
        group["amsgrad"] = not group.get("amsgrad")


def options(optim: m.Optim) -> None:
    for group in optim.rule.param_groups:
        group |= {"lr": 0.03, "weight_decay": 0.1, "momentum": 0.5, "betas": (0.7, 0.9)}


def no_momentum(optim: m.Optim) -> None:
    optim.rule.param_groups[0]["momentum"] = 0.0


def climb(optim: m.Optim) -> None:
    optim.rule.param_groups[0]["maximize"] = True


def probability(optim: m.Optim) -> None:
    optim.network[2].p = 0.7


def no_dropout(optim: m.Optim) -> None:
    optim.network.eval()


def another_generator(optim: m.Optim) -> None:
    optim.network[2].generator = m.Generator(9)


def clip(optim: m.Optim) -> None:
    optim.clip_grad_norm = 0.05


def decouple(optim: m.Optim) -> None:
    optim.rule = m.optim.AdamW(optim.network.parameters(), lr=0.01, eps=1e-3)


def center(optim: m.Optim) -> None:
    optim.rule = m.RMSprop(optim.network.parameters(), lr=0.01, eps=1e-2, momentum=0.5)
    optim.rule.param_groups[0]["centered"] = True


HELD: list[Change] = [
    *(load_rule, clear, another_state, manual_step, load_weights, another_rule, another_loss, move, leave_out, append),
    *(append_alone, take_out, freeze, another_array, another_parameter, options, no_momentum, climb, probability),
    *(no_dropout, another_generator, clip, amsgrad, accumulate, accumulate_no_more, gathered, forget, move_now, double),
    *(no_gradient, decouple, center),
]
UNTIL_MOVED: list[Change] = [freeze, another_parameter]
"""Changes that NumPy goes on from while gradients are gathered: one is there of what the core no longer learns."""
PLACES = [0, 4, 6]  # before the first step, in the middle of an epoch, at its end


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("rule", [sgd, adam])
@pytest.mark.parametrize("change", HELD)
def test_the_change_holds_from_the_next_step_on(change: Change, rule: Any, at: int, engine: str) -> None:
    found, history = fitted(optim := learner(rule), At(change, at))
    agree(found, by_hand(learner(rule), change, at), 1e-10)
    assert history.engine == engine
    assert (history.steps, optim.waiting) == (EPOCHS * STEPS, False)


@pytest.mark.parametrize("at", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("rule", [sgd, adam])
@pytest.mark.parametrize("change", HELD)
def test_the_change_holds_in_the_middle_of_a_gathering_too(change: Change, rule: Any, at: int, engine: str) -> None:
    found, history = fitted(optim := learner(rule, accumulate=2), At(change, at))
    agree(found, by_hand(learner(rule, accumulate=2), change, at), 1e-10)
    middle = at in {1, 4} and change in UNTIL_MOVED
    assert history.engine == ("native, numpy" if middle and engine == "native" else engine)
    assert (history.steps, optim.waiting) == (EPOCHS * STEPS, False)


# Changes after which NumPy goes on


class Twice(Parameter):
    """A Parameter of a user's own: its gradients count double."""

    def accumulate(self, grad: Array) -> None:
        super().accumulate(2 * grad)


class Still(m.SGD):
    """A rule of a user's own."""

    def update(self, parameter: Any, grad: Any, group: Any, state: Any) -> None:
        parameter.data -= 0.001 * np.sign(grad)


def one_and_a_half(optim: m.Optim) -> None:
    optim.accumulate = 1.5  # type: ignore[assignment]


def gradient_of_another_shape(optim: m.Optim) -> None:
    optim.accumulate = 9
    optim.step(X[:3], Y[:3])
    optim.network[0].weight.grad = np.ones((1, 1))


def gradient_of_a_stranger(optim: m.Optim) -> None:
    optim.accumulate = 9
    optim.step(X[:3], Y[:3])
    optim.rule.add_param_group({"params": [Parameter(np.ones(2), grad=np.ones(2))]})


def fortran(optim: m.Optim) -> None:
    optim.network[0].weight.data = np.asfortranarray(optim.network[0].weight.data)


def forward_of_a_link(optim: m.Optim) -> None:
    link = optim.network[3]
    link.forward = lambda x: type(link).forward(link, x) * 0.5


def forward_of_the_network(optim: m.Optim) -> None:
    network = optim.network
    network.forward = lambda x: type(network).forward(network, x) * 0.5  # type: ignore[method-assign]


def forward_of_the_loss(optim: m.Optim) -> None:
    loss = optim.loss
    loss.forward = lambda prediction, target: type(loss).forward(loss, prediction, 0 * target)  # type: ignore[method-assign]


def flush_of_the_optim(optim: m.Optim) -> None:
    def flush() -> None:
        for parameter in optim.network.parameters():
            if parameter.grad is not None:
                parameter.grad = np.sign(parameter.grad)
        type(optim).flush(optim)

    optim.flush = flush  # type: ignore[method-assign]


def update_of_the_rule(optim: m.Optim) -> None:
    optim.rule.update = lambda parameter, grad, group, state: None  # type: ignore[method-assign]


def parameter_of_a_user(optim: m.Optim) -> None:
    optim.network[0].weight = Twice(optim.network[0].weight.data)
    optim.rule.add_param_group({"params": [optim.network[0].weight]})


def rule_of_a_user(optim: m.Optim) -> None:
    optim.rule = Still(optim.network.parameters(), lr=0.1)


def link_of_a_user(optim: m.Optim) -> None:
    class Half(m.Module):
        def forward(self, x: Array) -> Array:
            return self.keep(x * 0.5)

        def backward(self, grad_output: Array) -> Array:
            self.release(grad_output)
            return grad_output * 0.5

    optim.network.append(Half())


LEFT: dict[Change, str] = {
    one_and_a_half: "accumulate is 1.5, no int",
    gradient_of_another_shape: "the gradient of 0.weight is not like it",
    gradient_of_a_stranger: "a parameter that does not learn has a gradient among those gathered",
    fortran: "0.weight is not an aligned, writable array in C order",
    flush_of_the_optim: "Optim has a flush of its own",
    update_of_the_rule: "SGD has a update of its own",
    parameter_of_a_user: "0.weight is a Twice, not a Parameter",
    rule_of_a_user: "Still(<4 parameters>, lr=0.1, momentum=0, dampening=0, weight_decay=0, nesterov=False, "
    "maximize=False) is not among the rules it knows",
}


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("change", LEFT)
def test_numpy_goes_on_where_the_core_cannot_and_fit_says_so(
    change: Change, at: int, accumulate: int, engine: str
) -> None:
    optim = learner(accumulate=accumulate)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = m.fit(
            optim, X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, callbacks=[At(change, at)], progress=False
        )
    agree(
        outcome(optim, [float(value) for value in history["loss"]]),
        by_hand(learner(accumulate=accumulate), change, at),
        1e-10,
    )
    assert history.steps == EPOCHS * STEPS
    if engine == "numpy":
        assert (history.engine, told) == ("numpy", [])
        return
    assert history.engine == ("native, numpy" if at else "numpy")
    (warning,) = told
    assert (warning.category, warning.filename) == (FallbackWarning, __file__)
    assert str(warning.message) == f"fit goes on in NumPy, not in the compiled core: {LEFT[change]}."


IN_NUMPY: dict[Change, tuple[str, str]] = {
    forward_of_a_link: ("Linear", "Linear(5, 3, dtype='float64') has a forward of its own"),
    forward_of_the_network: ("Sequential", "Sequential(…) has a forward of its own"),
    forward_of_the_loss: ("MSELoss", "MSELoss() has a forward of its own"),
    link_of_a_user: ("Half", "Half() is not among the links it knows"),
}


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("change", IN_NUMPY)
def test_a_link_or_loss_of_the_users_own_runs_in_numpy_from_then_on_and_fit_says_so(
    change: Change, at: int, accumulate: int, engine: str
) -> None:
    optim = learner(accumulate=accumulate)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = m.fit(
            optim, X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, callbacks=[At(change, at)], progress=False
        )
    agree(
        outcome(optim, [float(value) for value in history["loss"]]),
        by_hand(learner(accumulate=accumulate), change, at),
        1e-10,
    )
    assert history.steps == EPOCHS * STEPS
    if engine == "numpy":
        assert (history.engine, told) == ("numpy", [])
        return
    name, reason = IN_NUMPY[change]
    assert history.engine == f"native, with NumPy for: {name}"
    (warning,) = told
    assert (warning.category, warning.filename) == (FallbackWarning, __file__)
    assert str(warning.message) == f"fit runs {name} in NumPy, and the rest in the compiled core: {reason}."


@pytest.mark.parametrize("change", LEFT)
def test_native_alone_refuses_to_go_on(change: Change, engine: str) -> None:
    if engine == "numpy":
        return
    optim, expected = learner(), learner()
    with pytest.raises(RuntimeError) as caught:
        fitted(optim, At(change, 4), engine="native")
    assert str(caught.value) == f"engine='native': {LEFT[change]}. Pass engine='auto' to train in NumPy where it must."
    for step in range(4):
        rows = slice(BATCH * (step % STEPS), BATCH * (step % STEPS) + BATCH)
        expected.learn(X[rows], Y[rows])
    change(expected)
    agree(outcome(optim, []), outcome(expected, []), 1e-12)


def test_a_shuffled_epoch_goes_on_in_its_order() -> None:
    ends = []
    for change in (lambda optim: None, fortran):
        optim = learner()
        found, history = fitted(optim, At(change, 4), shuffle=True, generator=m.Generator(6), metrics=["mae"])
        ends.append((found, history["mae"]))
    agree(ends[1][0], ends[0][0], 1e-12)
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-12)


# From the beginning


class Signs(m.Optim):
    """A learning step of a user's own."""

    def flush(self) -> None:
        for parameter in self.network.parameters():
            if parameter.grad is not None:
                parameter.grad = np.sign(parameter.grad)
        super().flush()


class Counts(m.Optim):
    def learn(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        self.learnt = getattr(self, "learnt", 0) + len(x)
        return super().learn(x, y, sample_weight)


@pytest.mark.parametrize("kind", [Signs, Counts])
def test_an_optim_of_a_users_own_does_its_own_steps(kind: type[m.Optim], engine: str) -> None:
    def nothing(optim: m.Optim) -> None:
        pass

    optim, expected = learner(kind=kind), learner(kind=kind)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = m.fit(optim, X, Y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, progress=False)
    agree(outcome(optim, [float(value) for value in history["loss"]]), by_hand(expected, nothing, -1), 1e-10)
    assert vars(optim).get("learnt") == vars(expected).get("learnt")
    assert history.engine == "numpy"
    reason = f"it does not know what {kind.__name__}, a subclass of Optim, does"
    said = [f"fit runs in NumPy, not in the compiled core: {reason}."] * (engine == "native")
    assert [str(warning.message) for warning in told] == said


def test_a_generator_of_a_users_own_draws_its_own_words(engine: str) -> None:
    class Zeros(m.Generator):
        def rand(self, shape: Any, dtype: Any = np.float32) -> Array:
            return np.zeros(shape, dtype)

    optim = learner()
    optim.network[2].generator = Zeros(1)
    fitted(optim, epochs=1, batch_size=ROWS)
    assert (optim.network[0].weight.grad == 0).all()


# What is seen


class Diary(m.Callback):
    """Everything at every hook."""

    def __init__(self, *hooks: str) -> None:
        self.pages: list[tuple[Any, Outcome]] = []
        for hook in hooks:
            setattr(self, hook, lambda state, hook=hook: self.write(hook, state))

    def write(self, hook: str, state: State) -> None:
        page = outcome(state.optim, [state.loss])
        page.numbers |= {"denominator": float(state.optim.loss.denominator)}
        self.pages.append(((hook, state.epoch, state.batch, state.step, len(state.history)), page))


def test_before_an_epoch_everything_is_as_the_last_step_left_it() -> None:
    diary, optim = Diary("on_epoch_begin", "on_train_end"), learner(adam)
    history = fitted(optim, diary)[1]
    expected, pages = learner(adam), []
    for epoch in range(EPOCHS + 1):
        pages.append(outcome(expected, [history["loss"][epoch - 1] if epoch else float("nan")]))
        pages[-1].numbers["denominator"] = float(expected.loss.denominator)
        for start in range(0, ROWS, BATCH):
            expected.learn(X[start : start + BATCH], Y[start : start + BATCH])
    places = [("on_epoch_begin", k + 1, STEPS * (k > 0), STEPS * k, k) for k in range(EPOCHS)]
    places.append(("on_train_end", EPOCHS, STEPS, STEPS * EPOCHS, EPOCHS))
    assert [place for place, _ in diary.pages] == places
    for (_, found), page in zip(diary.pages, pages, strict=True):
        agree(found, page, 1e-10)


@pytest.mark.parametrize("options", [{}, {"schedule": lambda epoch: 0.5}, {"metrics": ["mae"], "shuffle": True}])
def test_stop_before_the_first_step(options: dict[str, Any]) -> None:
    class Stop(Diary):
        def on_train_begin(self, state: State) -> None:
            state.stop()

    diary, optim = Stop("on_epoch_begin", "on_epoch_end", "on_train_end"), learner()
    generator = m.Generator(7)
    found, history = fitted(optim, diary, generator=generator, **options)
    agree(found, outcome(learner(), []), 0.0)
    assert [place for place, _ in diary.pages] == [("on_train_end", 0, 0, 0, 0)]
    assert (history.steps, len(history), history.stopped_early) == (0, 0, True)
    assert generator.get_state() == m.Generator(7).get_state()


class Keep(Diary):
    """The state itself."""

    def on_train_begin(self, state: State) -> None:
        self.state = state


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("spoilt", [0, 5, 10])
@pytest.mark.parametrize("shuffle", [False, True])
def test_what_is_left_when_the_loss_is_not_finite(shuffle: bool, spoilt: int, watched: bool) -> None:
    y = Y.copy()
    y[spoilt] = 1e200
    optim, generator, keep = learner(adam), m.Generator(5), Keep(*["on_step_end"] * watched)
    optim.network[2].generator = generator
    with pytest.raises(m.NonFiniteLossError) as caught:
        m.fit(optim, X, y, batch_size=BATCH, epochs=3, shuffle=shuffle, generator=generator, callbacks=keep)

    expected, words, done, value = learner(adam), m.Generator(5), 0, float("nan")
    expected.network[2].generator = words
    order = words.randperm(ROWS) if shuffle else np.arange(ROWS)
    with pytest.raises(m.NonFiniteLossError), np.errstate(all="ignore"):
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            value = expected.learn(X[rows], y[rows])
            done += 1
    agree(outcome(optim, [keep.state.loss]), outcome(expected, [value]), 1e-11)
    assert optim.loss.denominator == expected.loss.denominator
    assert generator.get_state() == words.get_state()
    assert (keep.state.epoch, keep.state.batch, keep.state.step) == (1, done, done)
    error = caught.value
    assert (error.epoch, error.batch, error.history.steps, len(error.history)) == (1, done + 1, done, 0)


def test_the_prediction_left_when_a_long_training_diverges() -> None:
    ends = []
    for core in (False, True):
        optim = m.Optim(learner().network, m.MSELoss(), 9.0)
        with pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(
                optim,
                X,
                Y,
                batch_size=BATCH,
                epochs=10**4,
                shuffle=False,
                callbacks=[] if core else Diary("on_step_end"),
            )
        ends.append(outcome(optim, [float(value) for value in caught.value.history["loss"]]))
    assert len(ends[0].losses) > 2
    agree(*ends, 0.0)


# What an exception leaves behind


def fail(optim: m.Optim) -> None:
    raise LookupError


@pytest.mark.parametrize("again", ["fit", "sgd"])
def test_gradients_gathered_before_an_exception_are_not_used_by_the_next_training(again: str) -> None:
    optim, expected = learner(accumulate=3), learner(accumulate=3)
    with pytest.raises(LookupError):
        fitted(optim, At(fail, 1), epochs=1)
    assert optim.waiting
    expected.network[2].generator.set_state(optim.network[2].generator.get_state())
    for each in (optim, expected):
        if again == "fit":
            fitted(each)
        else:
            m.sgd(each, X, Y, BATCH, EPOCHS, shuffle=False)
    agree(outcome(optim, []), outcome(expected, []), 0.0)
