"""Links and losses of a user's own that can be told to raise at a certain step, and random trainings with them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import maillon as m
from maillon.random import Generator, resolve
from maillon.typing import Array

Rng = np.random.Generator


class Trap:
    """Lets a link raise: in `where`, when it is called for the (at + 1)th step. Copies of the link do not."""

    def __init__(self, owner: object, where: str, at: int, error: BaseException) -> None:
        self.owner, self.where, self.at, self.error = id(owner), where, at, error
        self.met = 0

    def meet(self, owner: m.Module, where: str) -> None:
        if where == self.where and id(owner) == self.owner and owner.training:
            self.met += 1
            if self.met == self.at + 1:
                raise self.error


class Own(m.Module):
    """y = scale · tanh(x) · noise, with the running mean of x as a buffer.

    replaces: the buffer is another array after each forward.
    """

    def __init__(self, features: int, *, noisy: bool = False, generator: Any = None, replaces: bool = False) -> None:
        self.features = features
        self.scale = m.nn.Parameter(np.linspace(0.5, 1.5, features))
        self.register_buffer("mean", np.zeros(features))
        self.noisy, self.generator, self.replaces = noisy, generator, replaces
        self.calls = 0
        self.trap: Trap | None = None

    def forward(self, x: Array) -> Array:
        self.calls += 1
        t, noise = np.tanh(x), np.ones(1, x.dtype)
        if self.training:
            mean = (0.9 * self.mean + 0.1 * x.mean(axis=0)).astype(x.dtype)
            if self.replaces:
                self.mean = mean
            else:
                self.mean[...] = mean
            if self.noisy:
                noise = 1 + resolve(self.generator).rand(x.shape, x.dtype)
        if self.trap is not None:
            self.trap.meet(self, "forward")
        y: Array = self.keep(self.scale.data * t * noise, t, noise)
        return y

    def backward(self, grad_output: Array) -> Array:
        t, noise = self.release(grad_output)
        self.scale.accumulate((grad_output * t * noise).sum(axis=0))
        if self.trap is not None:
            self.trap.meet(self, "backward")
        grad: Array = grad_output * self.scale.data * noise * (1 - t * t)
        return grad


class OwnLoss(m.Loss):
    """Σ or mean of error⁴."""

    trap: Trap | None = None

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        if self.trap is not None:
            self.trap.meet(self, "loss forward")
        error = prediction - target
        return error**4, (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        if self.trap is not None:
            self.trap.meet(self, "loss backward")
        grad: Array = 4 * error**3 * grad_elements
        return grad


PLACES = ("forward", "backward", "loss forward", "loss backward")


@dataclass
class Case:
    """A training: an Optim that begins alike each time it is made, and the options of `fit`."""

    make: Callable[[], m.Optim]
    x: Array
    y: Array
    options: dict[str, Any]
    seed: int
    steps: int = field(init=False)

    def __post_init__(self) -> None:
        rows, size = len(self.x), self.options["batch_size"]
        self.steps = rows // size if self.options["drop_last"] else -(-rows // size)

    def fit(self, optim: m.Optim, engine: str, generator: Generator, **more: Any) -> m.History:
        return m.fit(optim, self.x, self.y, engine=engine, generator=generator, progress=False, **(self.options | more))


def pick(rng: Rng, several: Any) -> Any:
    return several[int(rng.integers(len(several)))]


def case(seed: int, dtype: str = "float64") -> Case:
    """A random training with a link of the user's own, and maybe a loss."""
    rng = np.random.default_rng(seed)
    rows, inputs, width, outputs = 23, 4, 5, 3
    x, y = (rng.normal(size=(rows, n)).astype(dtype) for n in (inputs, outputs))
    noisy, replaces, own_stream = (bool(rng.random() < 0.5) for _ in range(3))
    before, after = (pick(rng, (None, 0.2)) for _ in range(2))
    nested, first, loss = (bool(rng.random() < 0.4) for _ in range(3))
    rule = pick(rng, (m.SGD(lr=0.05), m.SGD(lr=0.05, momentum=0.9, weight_decay=0.1), m.Adam(lr=0.02), m.RMSprop()))
    more = pick(rng, ({}, {"clip_grad_norm": 0.5}, {"clip_grad_value": 0.1}, {"accumulate": 2}, {"accumulate": 3}))
    made_loss = OwnLoss if loss else m.MSELoss
    reduction = pick(rng, ("mean", "sum"))

    def make() -> m.Optim:
        generator = Generator(seed + 1)
        own: m.Module = Own(
            inputs if first else width, noisy=noisy, generator=Generator(9) if own_stream else None, replaces=replaces
        )
        if nested:
            own = m.Sequential(m.Identity(), own)
        links: list[m.Module] = [] if first else [m.Linear(inputs, width, generator=generator), m.ReLU()]
        links += [m.Dropout(before)] if before else []
        links += [own]
        links += [m.Dropout(after, generator=Generator(7))] if after else []
        links += [m.Linear(inputs if first else width, outputs, generator=generator)]
        network = m.Sequential(*links).to(dtype)
        return m.Optim(network, made_loss(reduction=reduction), rule, **more)

    options = {
        "batch_size": pick(rng, (4, 6, 23, 30)),
        "epochs": 3,
        "shuffle": bool(rng.random() < 0.7),
        "drop_last": bool(rng.random() < 0.3),
        "metrics": pick(rng, ((), ["mae"])),
    }
    if options["batch_size"] > rows:
        options["drop_last"] = False
    return Case(make, x, y, options, seed)


def own_of(optim: m.Optim) -> Own:
    return next(link for link in optim.network.modules() if isinstance(link, Own))


def arm(optim: m.Optim, where: str, at: int, error: BaseException) -> Trap:
    owner: Any = optim.loss if where.startswith("loss") else own_of(optim)
    owner.trap = Trap(owner, where, at, error)
    return owner.trap


def state(optim: m.Optim, *generators: Generator) -> dict[str, Any]:
    """All that a training leaves behind but for the gradients."""
    found: dict[str, Any] = {name: value.copy() for name, value in optim.network.state_dict().items()}
    for name, parameter in optim.network.named_parameters():
        for key, value in optim.rule.state.get(parameter, {}).items():
            found[f"{key} of {name}"] = np.array(value)
    found["prediction"] = np.array(0.0) if optim.prediction is None else optim.prediction.copy()
    theirs = [link.generator for link in optim.network.modules() if isinstance(vars(link).get("generator"), Generator)]
    for place, generator in enumerate((*generators, *theirs)):
        found[f"stream {place}"] = repr(generator.get_state())
    return found


@contextmanager
def global_stream(seed: int) -> Iterator[Generator]:
    """The global generator, begun at this seed, and put back."""
    generator = m.random.default_generator()
    before = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield generator
    finally:
        generator.set_state(before)
