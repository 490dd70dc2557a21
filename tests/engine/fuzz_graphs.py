"""Random networks, losses, rules and options, trained by both engines: `python tests/engine/fuzz_graphs.py`.

A case is its seed. In float64 both engines begin alike and take five steps or more, over an epoch's end or several.
Then parameters, buffers, gradients, the rule's state, the history, predictions and the states of all generators are
compared.

How far two numbers may lie apart is measured: NumPy trains again from parameters and data that are moved by NUDGE of
themselves, in place of sums that are rounded in another order. The tolerance is BASE a step, of the largest number of
its kind, and SPREAD times what the nudges move.

Left out, and counted, is what rounding decides. Where the nudges move more than FAR there is a kink or a tie. A rule
that divides a gradient by its own size follows one that is zero but for rounding (a bias before BatchNorm under Adam):
under all rules but SGD, ASGD and LBFGS these parameters do not learn, and a case in which one comes up later is left
out. So is one whose gradients or probabilities saturate, for what is left of 1 − p is rounding.
"""

import argparse
import contextlib
import copy
import faulthandler
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from catalogue import LINKS, LOSSES, RULES
from random_networks import STEPWISE, UNFIT, Web, chain, embedded, tried
from random_objectives import Objective, alignment, head, objective, rule, scheduled

import maillon as m
from maillon.nesting import leaves, mapped
from maillon.nn import Loss, Module
from maillon.optim import Rule
from maillon.random import Generator, default_generator
from maillon.train import State
from maillon.typing import Array

STEPS = 5
TRIED = 11
"""Rows while a network is drawn: of no other size there."""
NUDGE, BASE, FAR = 1e-13, 1e-12, 1e-7
NEAR = 1e-4
"""1 − p is what cancels in sums of 1: below this its rounding is more than BASE."""
ROUNDED = 1e-14
"""Of the steepest gradient: what is smaller, and not zero, may be nothing but rounding."""
SPREAD = 10
"""Three nudges are a small sample of what rounding may do."""
LINEAR = (m.L1Loss, m.HuberLoss, m.SmoothL1Loss, m.HingeEmbeddingLoss, m.MarginRankingLoss)
LINEAR += (m.MultiLabelMarginLoss, m.MultiMarginLoss)
"""Their slopes are ±1 somewhere: without weights of the rows their sums are 0, or that but for rounding."""
R = random.Random


@dataclass
class Case:
    """A training, to be copied before it is run; its steepest gradient before, how many parameters do not learn."""

    optim: m.Optim
    x: Any
    y: Any
    options: dict[str, Any]
    steepest: float = 0.0
    frozen: int = 0


@dataclass
class Compared:
    """What came of a case in a word, what the engines differ in, and the widest tolerance, of the largest number."""

    what: str
    difference: str = ""
    width: float = 0.0


@dataclass
class Ended:
    """What a training leaves: what must be the same, and numbers by kind and name."""

    facts: dict[str, Any]
    arrays: dict[tuple[str, str], Array] = field(default_factory=dict)
    rounded: str = ""


# A case


def inputs(r: R, rows: int) -> dict[str, Array]:
    """Vectors, signals, images or words, or several of them."""
    draw = Generator(r.randrange(10**6))
    length, classes = r.randint(2, 6), 6
    kinds: dict[str, Array] = {
        "vector": draw.normal((rows, r.randint(1, 6)), dtype=np.float64),
        "signal": draw.normal((rows, r.randint(1, 4), r.randint(4, 9)), dtype=np.float64),
        "image": draw.normal((rows, r.randint(1, 3), r.randint(3, 6), r.randint(3, 6)), dtype=np.float64),
        "sequence": draw.normal((rows, length, r.randint(1, 5)), dtype=np.float64),
        "words": draw.randint(0, classes, (rows, length)),
    }
    names = r.choices(list(kinds), [1, 2, 4, 2, 1], k=r.choice([1, 1, 1, 2, 3]))
    given = {name: kinds[name] for name in dict.fromkeys(names)}
    if "sequence" in given and r.random() < 0.7:
        mask = draw.uniform((rows, length)) < 0.3
        mask[:, 0] = False
        given["mask"] = mask
    return given


def trunk(r: R, given: dict[str, Array]) -> tuple[Module, list[str], int]:
    """A network of the inputs, or of some of them, and the width of what it gives, (N, width)."""
    alone = next(iter(given.values()))
    if len(given) == 1 and r.random() < 0.5:
        links: list[Module] = []
        if alone.dtype.kind == "i":
            links.append(embedded(r, 6))
            alone = tried(links[0], alone)
        more, y = chain(r, alone, r.randint(1, 4))
        links += [*more, *[m.Flatten()] * (y.ndim > 2)]
        return m.Sequential(*links), list(given), int(np.prod(y.shape[1:]))
    graph: Any = Web(r, given).grown(r.randint(2, 7))
    names = list(graph.inputs)
    with m.no_grad():
        return graph, names, graph(*(given[name] for name in names)).shape[1]


def network_for(r: R, aim: Objective, given: dict[str, Array]) -> tuple[Module, list[str]]:
    network, names, width = trunk(r, given)
    heads = [head(aim.loss, place, width, shape) for place, shape in enumerate(aim.shapes)]
    if len(heads) == 1:
        return m.Sequential(network, *heads[0]), names
    return m.Sequential(network, m.Parallel(*(m.Sequential(*links) for links in heads))), names


def aligned(r: R, rows: int) -> tuple[Objective, Module, dict[str, Array]]:
    """Links for each step, or along the first dimension, and CTCLoss."""
    x = Generator(r.randrange(10**6)).normal((rows, rows, r.randint(2, 5)), dtype=np.float64)
    aim, value = alignment(r, rows, 3), x
    links: list[Module] = []
    while len(links) < r.randint(1, 3):
        try:
            link = r.choice(STEPWISE)(r, value)
            y = tried(link, value)
        except UNFIT:
            continue
        if y.ndim == 3 and y.shape[:2] == x.shape[:2]:
            links.append(link)
            value = y
    return aim, m.Sequential(*links, m.Linear(value.shape[-1], 3), m.LogSoftmax(-1)), {"x": x}


def case(seed: int) -> Case:
    r = R(f"graph {seed}")
    default_generator().manual_seed(seed)
    size, whole = r.randint(2, 6), r.randint(1, 3)
    rest = r.choice([0, r.randint(2, size)]) % size
    rows = size * whole + rest
    options: dict[str, Any] = {"batch_size": size, "shuffle": r.random() < 0.6, "drop_last": r.random() < 0.2}
    if r.random() < 0.05:
        options["batch_size"] = rows = 6
        whole, rest = 1, 0
        aim, network, data = aligned(r, rows)
        given = tuple(data.values())
    else:
        aim = objective(r, rows)
        drawn_at = r.randrange(10**6)
        network, names = network_for(r, aim, inputs(R(drawn_at), TRIED))
        data = inputs(R(drawn_at), rows)
        given = tuple(data[name] for name in names)
    a_epoch = whole + (rest > 0 and not options["drop_last"])
    options |= {"epochs": -(-STEPS // a_epoch), "sample_weight": aim.weight, **scheduled(r)}
    network.to("float64")
    for parameter in network.parameters():
        parameter.requires_grad = r.random() < 0.93
    x, learnt = given[0] if len(given) == 1 else given, list(network.parameters())
    clipping = r.choice([{}, {}, {"clip_grad_norm": r.choice([0.1, 10.0])}, {"clip_grad_value": 0.01}])
    chosen = rule(r, learnt)
    if divides(chosen) and isinstance(aim.loss, LINEAR):
        options["sample_weight"] = np.array([r.uniform(0.5, 1.5) for _ in range(rows)])
    accumulate = 1 if chosen.needs_closure else r.choice([1, 1, 1, 2, 3])
    optim = m.Optim(network, aim.loss, chosen, accumulate=accumulate, **clipping)
    one = Case(optim, x, aim.y, options)
    freeze_what_rounding_moves(one)
    return one


def divides(rule: Rule) -> bool:
    """Whether it divides a gradient by its own size, so that it follows one that is zero but for rounding."""
    return not isinstance(rule, m.SGD | m.ASGD | m.LBFGS)


def gradients_at_first(network: Module, loss: Loss, x: Any, y: Any) -> list[Array]:
    """|∂loss/∂parameter| of these rows, before the first step; zeros where there is none."""
    optim = m.Optim(copy.deepcopy(network), copy.deepcopy(loss), 0.0)
    with contextlib.suppress(m.NonFiniteLossError):
        optim.step(x, y)
    return [np.zeros(1) if each.grad is None else np.abs(each.grad) for each in optim.network.parameters()]


def freeze_what_rounding_moves(one: Case) -> None:
    """Parameters with a gradient that is zero but for rounding do not learn: a rule would divide it by its own size.

    A bias before BatchNorm has such a gradient, and the bias of an attention's keys. By chance it may be 0: those of
    a mini-batch are looked at as well.
    """
    optim, few = one.optim, lambda array: array[: one.options["batch_size"]]
    of_few = gradients_at_first(optim.network, optim.loss, mapped(few, one.x), mapped(few, one.y))
    of_all = gradients_at_first(optim.network, optim.loss, one.x, one.y)
    one.steepest = max(float(grad.max(initial=0.0)) for grad in of_all)
    if divides(optim.rule):
        for grads in (of_few, of_all):
            steepest = max(float(grad.max(initial=0.0)) for grad in grads)
            for parameter, grad in zip(optim.network.parameters(), grads, strict=True):
                if parameter.requires_grad and is_rounding(grad, steepest):
                    parameter.requires_grad = False
                    one.frozen += 1


def is_rounding(grad: Array, steepest: float) -> bool:
    """Whether a number of it may be nothing but rounding."""
    return bool(((grad > 0) & (grad < ROUNDED * steepest)).any())


# A run


@dataclass
class Watch(m.Callback):
    """Sees why rounding decides: "" where it does not."""

    first: float
    why: str = ""

    def on_step_end(self, state: State) -> None:
        grads = [np.abs(each.grad) for each in state.network.parameters() if each.grad is not None]
        steepest = max((float(grad.max(initial=0.0)) for grad in grads), default=0.0)
        p = state.optim.prediction
        if divides(state.optim.rule) and any(is_rounding(grad, steepest) for grad in grads):
            self.why = "divided by its own size, a gradient of nothing"
        if isinstance(state.optim.loss, m.BCELoss) and ((p < NEAR) | (p > 1 - NEAR)).any():
            self.why = "near 0 or 1, a probability"
        if steepest and not NEAR <= steepest / (self.first or steepest) <= 1 / NEAR:
            self.why = "ten thousand times flatter or steeper than at first, the gradient"


def move(one: Case, seed: int) -> None:
    """Parameters and data, by NUDGE of themselves."""
    signs = np.random.default_rng(seed)

    def moved(array: Array) -> Array:
        return array * (1 + NUDGE * signs.choice([-1, 1], array.shape)) if array.dtype.kind == "f" else array

    for parameter in one.optim.network.parameters():
        parameter.data[...] = moved(parameter.data)
    one.x = mapped(moved, one.x)


def run(one: Case, engine: str, nudge: int = 0) -> Ended:
    """By the engine, from a copy; nudge: the seed of small changes of all parameters and data."""
    one = copy.deepcopy(one)
    watch = Watch(one.steepest)
    if nudge:
        move(one, nudge)
        one.options["callbacks"] = watch
    order, raised = Generator(7), None
    default_generator().manual_seed(1)
    try:
        history = m.fit(one.optim, one.x, one.y, engine=engine, generator=order, progress=False, **one.options)
    except m.NonFiniteLossError as error:
        history, raised = error.history, (error.epoch, error.batch, error.link)
    assert history.engine == engine, f"{history.engine}, not {engine}"
    states: list[Any] = [hash(generator.get_state()) for generator in (order, default_generator())]
    facts: dict[str, Any] = {"steps": history.steps, "raised": raised, "states": states}
    arrays: dict[tuple[str, str], Array] = {}
    for place, part in enumerate(one.optim.network.modules()):
        if getattr(part, "generator", None) is not None:
            states.append((place, hash(part.generator.get_state())))
    for column in set(history.columns) - {"seconds"}:
        arrays[f"the history's {column}", ""] = np.array(history[column], np.float64)
    rows = one.options["batch_size"]
    for place, leaf in enumerate(leaves(m.predict(one.optim.network, one.x, rows, engine=engine))):
        arrays[f"prediction {place}", ""] = leaf
    buffers = dict(one.optim.network.named_buffers())
    for name, value in one.optim.network.state_dict().items():
        arrays[f"buffer {name}" if name in buffers else "parameter", name] = value
    for name, parameter in one.optim.network.named_parameters():
        facts[f"no gradient of {name}"] = parameter.grad is None
        if parameter.grad is not None:
            arrays["gradient", name] = parameter.grad
        for key, value in held(one.optim.rule.state.get(parameter, {})):
            if isinstance(value, np.ndarray):
                arrays[key, name] = value
            else:
                facts[f"{key} of {name}"] = value
    return Ended(facts, arrays, watch.why)


def held(state: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers and arrays of a rule's state, whatever its nesting."""
    if isinstance(state, dict | list | tuple):
        parts = state.items() if isinstance(state, dict) else enumerate(state)
        for key, value in parts:
            yield from held(value, f"{name}.{key}" if name else str(key))
    elif isinstance(state, float):
        yield name, np.array(state)
    else:
        yield name, state


def apart(one: Array, other: Array) -> float:
    if not one.size:
        return 0.0
    return float(np.abs(one.astype(np.float64) - other).max())


def told(expected: Ended, found: Ended) -> str:
    """What must be the same and is not; "" for nothing."""
    facts = {
        key: (value, found.facts.get(key)) for key, value in expected.facts.items() if found.facts.get(key) != value
    }
    alone = sorted(expected.arrays.keys() ^ found.arrays.keys())
    return f"in NumPy and in the core {facts}, in one only {alone}" if facts or alone else ""


def largest(ended: Ended) -> dict[str, float]:
    """Of each kind: a gradient may be the rest of what cancels, all of its kind count."""
    found: dict[str, float] = {}
    for (kind, _), value in ended.arrays.items():
        found[kind] = max(found.get(kind, 0.0), float(np.abs(value).max(initial=0)))
    return found


def compared(one: Case) -> Compared:
    expected, found = run(one, "numpy"), run(one, "native")
    nudged = [run(one, "numpy", nudge) for nudge in (1, 2, 3)]
    why = next((other.rounded for other in nudged if other.rounded), "")
    if why or any(told(expected, other) for other in nudged):
        return Compared(f"left out: {why or 'a branch that rounding takes'}")
    sizes = largest(expected)
    moved = {name: max(apart(value, other.arrays[name]) for other in nudged) for name, value in expected.arrays.items()}
    if any(not value <= FAR * sizes[kind] for (kind, _), value in moved.items()):
        return Compared("left out: a kink or a tie")
    difference, width = told(expected, found), 0.0
    for name, value in expected.arrays.items() if not difference else ():
        size = sizes[name[0]]
        distance, allowed = apart(value, found.arrays[name]), BASE * STEPS * size + SPREAD * moved[name]
        width = max(width, allowed / size if size else 0.0)
        if not distance <= allowed:
            difference = f"{name}: {distance:.3g} apart, {allowed:.3g} allowed, of {size:.3g}"
    what = "compared, up to a loss that is not finite" if expected.facts["raised"] else "compared"
    return Compared(what, difference, width)


# Many


def catalogued() -> set[str]:
    """All that there is to draw: links, losses, rules."""
    rows = [type(part) for row in [*LINKS, *LOSSES] for part in row.link().modules()]
    return {one.__name__ for one in [*rows, *(row.rule for row in RULES), m.LBFGS]}


@dataclass
class Tally:
    """Of many cases: what came of them, the links, losses and rules that were compared, and what was found."""

    ends: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    parameters: int = 0
    frozen: int = 0

    def add(self, seed: int, one: Case, came: Compared) -> None:
        self.ends[came.what] += 1
        if came.difference:
            self.found.append(f"FOUND {seed}: {came.difference}")
        if came.what.startswith("compared"):
            optim = one.optim
            self.met.update({type(part).__name__ for part in [*optim.network.modules(), optim.loss, optim.rule]})
            self.widths.append(came.width)
            self.parameters += len(list(optim.network.parameters()))
            self.frozen += one.frozen


def many(first: int, end: int) -> Tally:
    tally = Tally()
    for seed in range(first, end):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                one = case(seed)
                tally.add(seed, one, compared(one))
        except Exception as error:
            tally.ends["failed"] += 1
            tally.found.append(f"FOUND {seed}: {type(error).__name__}: {error}")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    faulthandler.enable()
    begun = time.perf_counter()
    tally = many(given.first, given.first + given.graphs)
    for what, count in tally.ends.most_common():
        sys.stdout.write(f"{count:7} {what}, {count / given.graphs:.1%}\n")
    everything = catalogued()
    missing = sorted(everything - tally.met.keys())
    met = sorted((tally.met[name], name) for name in everything - set(missing))
    sys.stdout.write(f"{len(met)} of {len(everything)} links, losses and rules, not met: {missing}\n")
    sys.stdout.write("the rarest: " + ", ".join(f"{name} {count}" for count, name in met[:9]) + "\n")
    half, most, nearly = np.quantile(tally.widths or [np.nan], [0.5, 0.9, 0.99])
    sys.stdout.write(f"tolerances: {half:.1g} for half of them, at most {most:.1g} for 90 %, {nearly:.1g} for 99 %\n")
    sys.stdout.write(f"{tally.frozen} of {tally.parameters} parameters do not learn: rounding would move them\n")
    sys.stdout.write(f"{given.graphs} graphs, {time.perf_counter() - begun:.0f} s, {len(tally.found)} found\n")
    sys.stdout.write("\n".join(tally.found) + "\n" * bool(tally.found))
    return int(bool(tally.found))


if __name__ == "__main__":
    sys.exit(main())
