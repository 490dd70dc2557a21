"""The cases in JAX: a whole training as one jitted scan over the steps of each epoch. Only some links and rules."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from peers.cases import Case

VERSIONS = ("jax", "jaxlib")

_numbers = np.random.default_rng(12)


class Link:
    """Initial parameters, and what is made of them and an input."""

    def __init__(self, parameters: Any, function: Callable[[Any, Any], Any]) -> None:
        self.parameters, self.function = parameters, function


def _plain(function: Callable[[Any], Any]) -> Callable[[], Link]:
    return lambda: Link((), lambda _, x: function(x))


def _linear(fan_in: int, fan_out: int) -> Link:
    bound = fan_in**-0.5
    parameters = [_numbers.uniform(-bound, bound, shape) for shape in ((fan_in, fan_out), (fan_out,))]
    return Link([jnp.float32(value) for value in parameters], lambda p, x: x @ p[0] + p[1])


def _layer_norm(width: int) -> Link:
    def function(p: Any, x: Any) -> Any:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(variance + 1e-5) * p[0] + p[1]

    return Link([jnp.ones(width), jnp.zeros(width)], function)


def _embedding(words: int, width: int) -> Link:
    return Link(jnp.float32(_numbers.standard_normal((words, width))), lambda p, x: p[x])


def _sequential(*links: Link) -> Link:
    def function(parameters: Any, x: Any) -> Any:
        for link, own in zip(links, parameters, strict=True):
            x = link.function(own, x)
        return x

    return Link([link.parameters for link in links], function)


NAMES = SimpleNamespace(
    Linear=_linear,
    LayerNorm=_layer_norm,
    Embedding=_embedding,
    Sequential=_sequential,
    ReLU=_plain(jax.nn.relu),
    Tanh=_plain(jnp.tanh),
    SiLU=_plain(jax.nn.silu),
    GELU=_plain(lambda x: jax.nn.gelu(x, approximate=False)),
    Flatten=_plain(lambda x: x.reshape(len(x), -1)),
)


def _mse(output: Any, y: Any) -> Any:
    return ((output - y) ** 2).mean()


def _cross_entropy(output: Any, y: Any) -> Any:
    return (jax.nn.logsumexp(output, axis=1) - jnp.take_along_axis(output, y[:, None], axis=1)[:, 0]).mean()


LOSSES = {"MSELoss": _mse, "CrossEntropyLoss": _cross_entropy}


def _sgd(options: dict[str, Any]) -> Callable[..., Any]:
    rate, momentum = options.get("lr", 1e-3), options.get("momentum", 0.0)

    def move(p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
        g = momentum * m + g
        return p - rate * g, g if momentum else m, v

    return move


def _rmsprop(options: dict[str, Any]) -> Callable[..., Any]:
    rate = options.get("lr", 1e-2)

    def move(p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
        v = 0.99 * v + 0.01 * g * g
        return p - rate * g / (jnp.sqrt(v) + 1e-8), m, v

    return move


def _adam(options: dict[str, Any], decay: float = 0.0) -> Callable[..., Any]:
    rate = options.get("lr", 1e-3)

    def move(p: Any, g: Any, m: Any, v: Any, t: Any) -> Any:
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        size = jnp.sqrt(v) / jnp.sqrt(1 - 0.999**t) + 1e-8
        return p * (1 - rate * decay) - rate / (1 - 0.9**t) * m / size, m, v

    return move


RULES = {"SGD": _sgd, "RMSprop": _rmsprop, "Adam": _adam, "AdamW": lambda options: _adam(options, 0.01)}


class Trainer:
    def __init__(self, case: Case, options: dict[str, Any]) -> None:
        self.case, self.found = case, 0.0
        network, move, loss = case.network(NAMES), RULES[case.rule](case.options), LOSSES[case.loss]
        x, y = case.arrays()
        shape = (case.steps, case.batch)
        self.data = jnp.asarray(x).reshape(*shape, *x.shape[1:]), jnp.asarray(y).reshape(*shape, *y.shape[1:])
        self.start = network.parameters

        def step(carry: Any, rows: Any) -> Any:
            parameters, m, v, t = carry
            value, slopes = jax.value_and_grad(lambda p: loss(network.function(p, rows[0]), rows[1]))(parameters)
            flat, shape = jax.tree.flatten(parameters)
            moved = [move(*parts, t + 1) for parts in zip(flat, *map(jax.tree.leaves, (slopes, m, v)), strict=True)]
            parameters, m, v = (jax.tree.unflatten(shape, part) for part in zip(*moved, strict=True))
            return (parameters, m, v, t + 1), value

        def training(parameters: Any, epochs: Any, x: Any, y: Any) -> Any:
            def body(_: Any, carry: Any) -> Any:
                state, values = lax.scan(step, carry[0], (x, y), unroll=options.get("unroll", 1))
                return state, values.mean()

            none = jax.tree.map(jnp.zeros_like, parameters)
            return lax.fori_loop(0, epochs, body, ((parameters, none, none, jnp.float32(0)), jnp.float32(0)))

        self.training = jax.jit(training)

    def reset(self) -> None:
        pass

    def train(self, epochs: int) -> None:
        self.state, loss = jax.block_until_ready(self.training(self.start, epochs, *self.data))
        self.found = float(loss)

    def weights(self) -> list[float]:
        return [self.found]
