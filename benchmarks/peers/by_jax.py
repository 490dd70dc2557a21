"""JAX at its best: an epoch in one jitted scan, or the whole training in one jitted nested loop.

Shuffling happens inside what is jitted, with the cheapest of JAX's generators ("rbg"). The number of epochs is an
argument, so that nothing is compiled twice; a loop with the number compiled in takes the same time.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from peers.workloads import POLICY, Array, Workload

VERSIONS = ("jax", "jaxlib")
FUNCTIONS = {"tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "": lambda x: x}


def loss_of(workload: Workload) -> Any:
    def loss(parameters: Any, x: Any, y: Any) -> Any:
        last = len(parameters) - 1
        for k, (weight, bias) in enumerate(parameters):
            x = FUNCTIONS[workload.hidden if k < last else workload.last](x @ weight + bias)
        if workload.loss == "mse":
            return ((x - y) ** 2).mean()
        return (jax.nn.logsumexp(x, axis=1) - jnp.take_along_axis(x, y[:, None], axis=1)[:, 0]).sum()

    return loss


def epoch_of(workload: Workload, unroll: int) -> Any:
    gradient = jax.value_and_grad(loss_of(workload))
    steps, batch = workload.steps, workload.batch

    def step(parameters: Any, rows: Any) -> Any:
        value, slopes = gradient(parameters, *rows)
        return jax.tree.map(lambda p, dp: p - workload.lr * dp, parameters, slopes), value

    def epoch(parameters: Any, key: Any, x: Any, y: Any) -> Any:
        order = jax.random.permutation(key, workload.rows).reshape(steps, batch)
        if x.nbytes < 2**18:  # small data are gathered once, large ones batch by batch
            parameters, values = lax.scan(step, parameters, (x[order], y[order]), unroll=unroll)
        else:
            parameters, values = lax.scan(lambda p, rows: step(p, (x[rows], y[rows])), parameters, order, unroll=unroll)
        return parameters, values.mean()

    return epoch


def policy(_: dict[str, Any]) -> tuple[Callable[[int], None], Any]:
    """A jitted call, waited for."""
    values = [jnp.asarray(value) for value in POLICY.weights()]
    x = jnp.asarray(POLICY.data()[0][0])

    @jax.jit
    def answer(x: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = values
        return w3 @ jnp.tanh(w2 @ jnp.tanh(w1 @ x + b1) + b2) + b3

    def loop(n: int) -> None:
        for _ in range(n):
            answer(x).block_until_ready()

    return loop, answer(x)


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        if workload.rows % workload.batch:
            raise ValueError(f"{workload.name}: a scan needs mini-batches of one size.")
        values = workload.weights()
        self.start = [(jnp.asarray(w.T.copy()), jnp.asarray(b)) for w, b in zip(values[::2], values[1::2], strict=True)]
        x, y = workload.data()
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.key = jax.random.key(0, impl="rbg")
        self.whole = options["mode"] == "scan"
        epoch = epoch_of(workload, options.get("unroll", 1))

        def training(parameters: Any, key: Any, epochs: Any, x: Any, y: Any) -> Any:
            def body(i: Any, carry: Any) -> Any:
                return epoch(carry[0], jax.random.fold_in(key, i), x, y)

            return lax.fori_loop(0, epochs, body, (parameters, jnp.float32(0)))

        self.training = jax.jit(training)
        self.epoch = jax.jit(lambda p, key, i, x, y: epoch(p, jax.random.fold_in(key, i), x, y), donate_argnums=0)

    def reset(self) -> None:
        self.now = jax.block_until_ready(jax.tree.map(lambda p: p + 0, self.start))

    def train(self, epochs: int) -> None:
        if self.whole:
            self.now, loss = self.training(self.now, self.key, epochs, self.x, self.y)
        for i in range(0 if self.whole else epochs):
            self.now, loss = self.epoch(self.now, self.key, i, self.x, self.y)
        jax.block_until_ready((self.now, loss))

    def weights(self) -> list[Array]:
        return [jax.device_get(part) for weight, bias in self.now for part in (weight.T, bias)]
