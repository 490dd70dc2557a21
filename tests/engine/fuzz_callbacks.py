"""Random small trainings with a callback that changes something at random times, and all that can be seen of them.

A case is its seed: whichever engine runs it, the same network, data and options are made, and as long as the engines
mean the same, the callback draws the same changes at the same times.
"""

import collections
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import maillon as m
from maillon.nn import Parameter
from maillon.train import State
from maillon.typing import Array

MOST_STEPS = 50
HOOKS = ("train_begin", "epoch_begin", "step_end", "epoch_end", "train_end")
Rng = np.random.Generator


class Mine(Parameter):
    """A Parameter of a user's own."""


@dataclass
class Case:
    """A training to run once, and what was seen of it."""

    rng: Rng
    optim: m.Optim
    x: Array
    y: Array
    options: dict[str, Any]
    events: list[tuple[Any, ...]] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)
    saved: Any = None
    engine: str = "numpy"

    @property
    def classes(self) -> bool:
        return self.y.dtype == np.int64

    @property
    def width(self) -> int:
        """Of the network's output."""
        return 3 if self.classes else self.y.shape[1]


def pick(rng: Rng, several: Any) -> Any:
    return several[int(rng.integers(len(several)))]


def link(rng: Rng) -> m.Module:
    makers: list[Callable[[], m.Module]] = [
        m.Tanh,
        m.Sigmoid,
        m.ReLU,
        lambda: m.LeakyReLU(pick(rng, (0.1, -0.3))),
        m.Identity,
        m.LogSoftmax,
        m.Softmax,
        lambda: m.Dropout(pick(rng, (0.0, 0.3, 0.6)), generator=pick(rng, (None, m.Generator(5)))),
    ]
    return pick(rng, makers)()


def network(rng: Rng, inputs: int, outputs: int, *last: m.Module) -> m.Sequential:
    links: list[m.Module] = [m.Flatten()]
    width = inputs
    for _ in range(int(rng.integers(0, 3))):
        wider = int(rng.integers(2, 6))
        links += [m.Linear(width, wider, bias=bool(rng.random() < 0.8)), link(rng)]
        width = wider
    if rng.random() < 0.3:
        links = [m.Sequential(*links)]
    return m.Sequential(*links, m.Linear(width, outputs), *last).to("float64")


def loss_for(rng: Rng, classes: bool) -> m.Loss:
    reduction = pick(rng, ("mean", "mean", "sum", "none"))
    if classes:
        weight = pick(rng, (None, np.array([1.0, 2.0, 0.5])))
        if rng.random() < 0.3:
            return m.NLLLoss(weight=weight, reduction=reduction)
        smoothing, ignored = pick(rng, (0.0, 0.1)), pick(rng, (-100, 2))
        return m.CrossEntropyLoss(weight=weight, reduction=reduction, label_smoothing=smoothing, ignore_index=ignored)
    weight = pick(rng, (None, np.array([0.5])))
    losses: list[Callable[[], m.Loss]] = [
        lambda: m.MSELoss(reduction=reduction),
        lambda: m.nn.HalfMSELoss(reduction=reduction),
        lambda: m.BCEWithLogitsLoss(reduction=reduction, pos_weight=weight),
        lambda: m.BCELoss(reduction=reduction),
        lambda: m.L1Loss(reduction=reduction),
    ]
    return pick(rng, losses)()


def rule_for(rng: Rng, parameters: Any) -> m.optim.Rule:
    decay = pick(rng, (0.0, 0.01))
    if rng.random() < 0.5:
        momentum = pick(rng, (0.0, 0.9))
        nesterov = bool(momentum and rng.random() < 0.4)
        return m.SGD(parameters, lr=pick(rng, (0.01, 0.1)), momentum=momentum, nesterov=nesterov, weight_decay=decay)
    return m.Adam(parameters, lr=0.01, eps=1e-3, amsgrad=bool(rng.random() < 0.4), weight_decay=decay)


def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    m.manual_seed(seed)
    rows, inputs = int(rng.integers(4, 14)), int(rng.integers(1, 5))
    shape = pick(rng, ((rows, inputs), (rows, 2, inputs)))
    x = rng.normal(size=shape)
    classes = bool(rng.random() < 0.3)
    outputs = 3 if classes else int(rng.integers(1, 4))
    y = rng.integers(0, 3, rows) if classes else rng.random((rows, outputs))
    loss = loss_for(rng, classes)
    ends = {m.NLLLoss: (m.LogSoftmax,), m.BCELoss: (m.Sigmoid,)}.get(type(loss), ())
    chain = network(rng, int(np.prod(shape[1:])), outputs, *(end() for end in ends))
    clip = pick(rng, ({}, {}, {"clip_grad_norm": 0.5}, {"clip_grad_value": 0.05}))
    rule = rule_for(rng, chain.parameters() if rng.random() < 0.7 else groups(chain))
    optim = m.Optim(chain, loss, rule, accumulate=pick(rng, (1, 1, 1, 2, 3, 5)), **clip)
    size = int(rng.integers(1, rows + 2))
    options: dict[str, Any] = {
        "batch_size": size,
        "epochs": max(1, min(6, MOST_STEPS // -(-rows // size))),
        "shuffle": bool(rng.random() < 0.7),
        "sample_weight": rng.random(rows) if rng.random() < 0.3 else None,
        "validation_data": (x[:3], y[:3]) if rng.random() < 0.3 else None,
        "metrics": pick(rng, ((), (), ("accuracy",) if classes else ("mae",))),
        "schedule": pick(
            rng, (None, None, lambda step: 0.9**step, m.optim.lr_scheduler.StepLR(step_size=2, gamma=0.5))
        ),
    }
    if options["schedule"] is not None:
        options["schedule_by"] = pick(rng, ("epoch", "step"))
    return Case(rng, optim, x, y, options)


def groups(chain: m.Sequential) -> list[dict[str, Any]]:
    parameters = list(chain.parameters())
    return [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.02}][: len(parameters)]


# What a callback changes


def parameter(case: Case) -> Parameter:
    return pick(case.rng, list(case.optim.network.parameters()))


def linear(case: Case) -> m.Linear:
    return pick(case.rng, [each for each in case.optim.network.modules() if isinstance(each, m.Linear)])


def group(case: Case) -> dict[str, Any]:
    return pick(case.rng, case.optim.rule.param_groups)


def save_rule(case: Case, state: State) -> None:
    case.saved = (case.optim.rule, case.optim.rule.state_dict())


def load_rule(case: Case, state: State) -> None:
    rule, saved = case.saved or (case.optim.rule, case.optim.rule.state_dict())
    if rule is case.optim.rule:
        rule.load_state_dict(saved)


def clear_state(case: Case, state: State) -> None:
    case.optim.rule.state.clear()


def forget_one(case: Case, state: State) -> None:
    case.optim.rule.state.pop(parameter(case), None)


def another_state(case: Case, state: State) -> None:
    case.optim.rule.state = {
        each: {name: np.array(value) * 0.5 if isinstance(value, np.ndarray) else value for name, value in own.items()}
        for each, own in case.optim.rule.state.items()
    }


def scale_state(case: Case, state: State) -> None:
    for own in case.optim.rule.state.values():
        for value in own.values():
            if isinstance(value, np.ndarray):
                np.multiply(value, 0.5, out=value)


def count_anew(case: Case, state: State) -> None:
    for own in case.optim.rule.state.values():
        if "step" in own:
            own["step"] = 3


def manual_step(case: Case, state: State) -> None:
    rows = int(case.rng.integers(1, len(case.x) + 1))
    case.events.append(("manual step", case.optim.accumulate, case.optim.gathered[0]))
    case.numbers.append(np.array(case.optim.step(case.x[:rows], case.y[:rows])))


def manual_flush(case: Case, state: State) -> None:
    case.optim.flush()


def zero_gradients(case: Case, state: State) -> None:
    pick(case.rng, (case.optim, case.optim.rule)).zero_grad()


def double_in_place(case: Case, state: State) -> None:
    for each in case.optim.network.parameters():
        if each.grad is not None:
            np.multiply(each.grad, 2, out=each.grad)


def drop_gradient(case: Case, state: State) -> None:
    parameter(case).grad = None


def load_weights(case: Case, state: State) -> None:
    case.optim.network.load_state_dict({name: 0.9 * value for name, value in case.optim.network.state_dict().items()})


def another_rule(case: Case, state: State) -> None:
    case.optim.rule = rule_for(case.rng, case.optim.network.parameters())


def subclass_rule(case: Case, state: State) -> None:
    class Own(m.SGD):
        def update(self, parameter: Any, grad: Any, group: Any, state: Any) -> None:
            parameter.data -= 0.01 * grad

    case.optim.rule = Own(case.optim.network.parameters(), lr=0.1)


def another_loss(case: Case, state: State) -> None:
    case.optim.loss = loss_for(case.rng, case.classes)


def another_reduction(case: Case, state: State) -> None:
    case.optim.loss.reduction = pick(case.rng, ("mean", "sum"))


def weigh_classes(case: Case, state: State) -> None:
    weight = getattr(case.optim.loss, "weight", None)
    if weight is not None:
        weight[0] = case.rng.random()


def accumulate(case: Case, state: State) -> None:
    case.optim.accumulate = pick(case.rng, (1, 1, 2, 3, 100))


def clip(case: Case, state: State) -> None:
    case.optim.clip_grad_norm = case.optim.clip_grad_value = None
    name = pick(case.rng, ("clip_grad_norm", "clip_grad_value", None))
    if name:
        setattr(case.optim, name, pick(case.rng, (0.05, 1.0)))


def move_between_groups(case: Case, state: State) -> None:
    source, target = group(case), group(case)
    if len(source["params"]) > 1:
        target["params"].append(source["params"].pop())


def leave_out(case: Case, state: State) -> None:
    if len(group(case)["params"]) > 1:
        group(case)["params"].pop()


def another_group(case: Case, state: State) -> None:
    known = {id(each) for some in case.optim.rule.param_groups for each in some["params"]}
    new = [each for each in case.optim.network.parameters() if id(each) not in known]
    if new:
        case.optim.rule.add_param_group({"params": new, "lr": 0.03})


def copy_group(case: Case, state: State) -> None:
    case.optim.rule.param_groups[0] = dict(case.optim.rule.param_groups[0])


def amsgrad(case: Case, state: State) -> None:
    for each in case.optim.rule.param_groups:
        if "amsgrad" in each:
            each["amsgrad"] = not each["amsgrad"]


def decouple(case: Case, state: State) -> None:
    for each in case.optim.rule.param_groups:
        if "decoupled_weight_decay" in each:
            each["decoupled_weight_decay"] = not each["decoupled_weight_decay"]


def options(case: Case, state: State) -> None:
    chosen = group(case)
    chosen["lr"] = pick(case.rng, (0.0, 0.005, 0.05))
    if "momentum" in chosen and not chosen["nesterov"]:
        chosen["momentum"] = pick(case.rng, (0.0, 0.5, 0.9))
    if "betas" in chosen:
        chosen["betas"] = (0.8, 0.99)
    chosen["weight_decay"] = pick(case.rng, (0.0, 0.1))


def climb(case: Case, state: State) -> None:
    group(case)["maximize"] = bool(case.rng.random() < 0.5)


def append_link(case: Case, state: State) -> None:
    case.optim.network.append(m.Linear(case.width, case.width).to("float64"))


def append_activation(case: Case, state: State) -> None:
    case.optim.network.append(link(case.rng))


def take_out(case: Case, state: State) -> None:
    chain = case.optim.network
    if len(chain) > 2 and not isinstance(chain[1], m.Linear | m.Sequential):
        chain.pop(1)


def fortran(case: Case, state: State) -> None:
    one = parameter(case)
    one.data = np.asfortranarray(one.data)


def another_array(case: Case, state: State) -> None:
    one = parameter(case)
    one.data = one.data + 0.01


def nudge(case: Case, state: State) -> None:
    parameter(case).data[...] *= 0.9


def freeze(case: Case, state: State) -> None:
    one = parameter(case)
    one.requires_grad = not one.requires_grad


def another_parameter(case: Case, state: State) -> None:
    one = linear(case)
    one.weight = pick(case.rng, (Parameter, Parameter, Mine))(one.weight.data * 0.5)


def gradients(case: Case, state: State) -> None:
    for each in case.optim.network.parameters():
        each.grad = None if each.grad is None else each.grad * 2


def probability(case: Case, state: State) -> None:
    for each in case.optim.network.modules():
        if isinstance(each, m.Dropout):
            each.p = pick(case.rng, (0.0, 0.2, 0.7))


def generator(case: Case, state: State) -> None:
    for each in case.optim.network.modules():
        if isinstance(each, m.Dropout):
            each.generator = pick(case.rng, (None, m.Generator(8)))


def seed(case: Case, state: State) -> None:
    m.manual_seed(int(case.rng.integers(100)))


def evaluate(case: Case, state: State) -> None:
    case.optim.network.train(bool(case.rng.random() < 0.5))


def patch_link(case: Case, state: State) -> None:
    one = linear(case)
    forward = type(one).forward
    one.forward = lambda x: forward(one, x) * 0.5  # type: ignore[method-assign]


def patch_loss(case: Case, state: State) -> None:
    loss = case.optim.loss
    elements = type(loss).elements
    loss.elements = lambda *inputs: elements(loss, *inputs)  # type: ignore[method-assign]


def patch_rule(case: Case, state: State) -> None:
    rule = case.optim.rule
    rule.update = lambda parameter, grad, group, state: None  # type: ignore[method-assign]


def patch_optim(case: Case, state: State) -> None:
    optim = case.optim
    optim.flush = lambda: type(optim).flush(optim)  # type: ignore[method-assign]


def patch_generator(case: Case, state: State) -> None:
    for each in case.optim.network.modules():
        if isinstance(each, m.Dropout) and each.generator is not None:
            rand = each.generator.rand
            each.generator.rand = lambda shape, dtype=np.float32, rand=rand: 1 - rand(shape, dtype)  # type: ignore[method-assign]


def odd_rate(case: Case, state: State) -> None:
    group(case)["lr"] = pick(case.rng, (np.float32(0.01), np.array(0.02), np.full(1, 0.01), np.nan, "fast", None))


def another_network(case: Case, state: State) -> None:
    chain = network(case.rng, int(np.prod(case.x.shape[1:])), case.width, *list(case.optim.network)[-1:])
    if isinstance(case.optim.network[-1], m.Linear | m.Sequential):
        return
    case.optim.network = chain
    case.optim.rule = rule_for(case.rng, chain.parameters())


def train_within(case: Case, state: State) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = m.fit(case.optim, case.x, case.y, batch_size=3, epochs=2, engine=case.engine, progress=False)
    case.numbers.append(np.array(history["loss"]))


def press(case: Case, state: State) -> None:
    signal.raise_signal(signal.SIGINT)


def normalise(case: Case, state: State) -> None:
    case.optim.network.insert(1, m.nn.LayerNorm(int(np.prod(case.x.shape[1:]))).to("float64"))


def explode(case: Case, state: State) -> None:
    parameter(case).data[...] = pick(case.rng, (np.nan, np.inf))


def stop(case: Case, state: State) -> None:
    state.stop()


def fail(case: Case, state: State) -> None:
    raise LookupError("the callback's own")


CHANGES: list[Callable[[Case, State], None]] = [
    *(save_rule, load_rule, clear_state, forget_one, another_state, scale_state, count_anew, manual_step, manual_flush),
    *(load_weights, another_rule, subclass_rule, another_loss, another_reduction, weigh_classes, accumulate, clip),
    *(move_between_groups, leave_out, another_group, copy_group, amsgrad, decouple, options, climb, append_link),
    *(append_activation, take_out, fortran, another_array, nudge, freeze, another_parameter, gradients, probability),
    *(zero_gradients, double_in_place, drop_gradient),
    *(generator, seed, evaluate, patch_link, patch_loss, patch_rule, patch_optim, explode, stop, fail),
]
RARE = (
    subclass_rule,
    decouple,
    fortran,
    patch_link,
    patch_loss,
    patch_rule,
    patch_optim,
    explode,
    stop,
    fail,
)
"""What ends a training, or the core's part in it."""


class Meddler(m.Callback):
    """Looks at everything, and now and then changes something."""

    def __init__(self, case: Case, rate: float) -> None:
        self.case, self.rate = case, rate

    def meet(self, hook: str, state: State) -> None:
        case = self.case
        case.events.append((hook, state.epoch, state.batch, state.step, len(state.history), *look(case, state)))
        while case.rng.random() < self.rate:
            change = pick(case.rng, CHANGES)
            if change in RARE and case.rng.random() < 0.7:
                continue
            case.events.append((change.__name__,))
            change(case, state)


def look(case: Case, state: State) -> list[Any]:
    """What there is, by name; its numbers are kept apart."""
    optim, seen = case.optim, []
    arrays: dict[str, Any] = {"loss": np.array(state.loss), "denominator": np.array(optim.loss.denominator)}
    for name, each in optim.network.named_parameters():
        arrays[name] = each.data
        arrays[f"d{name}"] = each.grad
        own = optim.rule.state.get(each, {})
        arrays |= {f"{key} of {name}": np.asarray(value) for key, value in own.items()}
    arrays["prediction"] = optim.prediction
    arrays["divisor"] = None if optim.gathered[1] is None else np.array(optim.gathered[1])
    seen.append(("gathered", optim.gathered[0]))
    for name, array in arrays.items():
        seen.append((name, None if array is None else array.shape))
        if array is not None:
            case.numbers.append(array.astype(np.float64))
    return seen


@dataclass
class Seen:
    """What one engine's training has shown: events in order, the numbers at them, and the history."""

    events: list[tuple[Any, ...]]
    numbers: list[Array]
    columns: dict[str, list[float]]
    engine: str


def run(seed: int, engine: str) -> Seen:
    one = case(seed)
    one.engine = engine
    meddler = Meddler(one, pick(one.rng, (0.05, 0.2, 0.5)))
    for hook in HOOKS:
        if one.rng.random() < 0.6:
            setattr(meddler, f"on_{hook}", lambda state, hook=hook: meddler.meet(hook, state))
    history, order = None, m.Generator(seed)
    settings: dict[str, Any] = {"callbacks": meddler, "engine": engine, "generator": order, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            history = m.fit(one.optim, one.x, one.y, **settings, **one.options)
        except Exception as error:  # whatever it is, the other engine must raise it too
            one.events.append((type(error).__name__, str(error)))
            history = getattr(error, "history", None)
    columns: dict[str, Any] = {}
    if history is not None:
        columns = {name: [float(value) for value in history[name]] for name in history.columns if name != "seconds"}
        one.events.append(("history", history.steps, history.interrupted, history.stopped_early, len(history)))
    one.events.append(("end", *look(one, State(one.optim, history or m.History([])))))
    words = [each.randint(0, 2**31, (2,)).tolist() for each in (order, m.random.default_generator())]
    one.events.append(("the next words", words))
    return Seen(one.events, one.numbers, columns, "" if history is None else history.engine)


def difference(seed: int) -> tuple[str, str]:
    """What the two engines differ in, "" for nothing, and which of them carried out the core's side."""
    expected, found = run(seed, "numpy"), run(seed, "auto")
    for place, (one, other) in enumerate(zip(expected.events, found.events, strict=False)):
        if one != other:
            return f"seed {seed}, after {expected.events[:place]}:\n{one} in NumPy,\n{other} in the core", found.engine
    if len(expected.events) != len(found.events):
        return f"seed {seed}: {len(expected.events)} events in NumPy, {len(found.events)} in the core", found.engine
    for place, (array, other) in enumerate(zip(expected.numbers, found.numbers, strict=True)):
        if not _close(other, array):
            return (
                f"seed {seed}, number {place}: {array} in NumPy, {other} in the core; {expected.events}",
                found.engine,
            )
    for name, column in expected.columns.items():
        if not _close(np.array(found.columns[name]), np.array(column)):
            return f"seed {seed}: {name} {column} in NumPy, {found.columns[name]} in the core", found.engine
    return "", found.engine


def _close(found: Array, expected: Array) -> bool:
    scale = max(1.0, np.abs(np.where(np.isfinite(expected), expected, 0)).max(initial=0))
    return np.allclose(found, expected, rtol=1e-10, atol=1e-10 * scale, equal_nan=True)


if (
    __name__ == "__main__"
):  # PYTHONPATH=src:tests python tests/engine/fuzz_callbacks.py FROM TO: looks for seeds that differ
    kinds: collections.Counter[str] = collections.Counter()
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        with np.errstate(all="ignore"):
            said, by = difference(number)
        kinds[by] += 1
        if said:
            kinds["DIFFERENT"] += 1
            sys.stdout.write(f"{said}\n\n")
    sys.stdout.write(f"{dict(kinds)}\n")
