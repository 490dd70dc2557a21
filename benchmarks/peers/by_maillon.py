"""maillon's own `fit`, by the engine that the options name."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import maillon
from maillon import nn
from maillon.engine import processor
from peers.by_numpy import square
from peers.links import LINKS, normal, timed
from peers.workloads import POLICY, WORKLOADS, Array, Workload

_CHECKED: set[int] = set()
VERSIONS = ("maillon", "numpy")
FUNCTIONS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def network_of(workload: Workload) -> nn.Sequential:
    """The workload's chain, with its initial weights."""
    links: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(workload.sizes):
        links += [nn.Linear(fan_in, fan_out), FUNCTIONS[workload.hidden]()]
    links[-1:] = [FUNCTIONS[workload.last]()] if workload.last else []
    network = nn.Sequential(*links)
    network.load_state_dict(dict(zip(network.state_dict(), workload.weights(), strict=True)))
    return network


def loss_of(workload: Workload) -> nn.Loss:
    return nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss(reduction="sum")


def info() -> dict[str, Any]:
    """Which engine is here, its instruction set and threads."""
    return maillon.engine.info()


def product(n: int, threads: int, times: int) -> float:
    """Seconds of one product of two n×n matrices by the core, in float32; RuntimeError where there is none."""
    maillon.engine.choose("native")
    from maillon.engine.step import product as by_the_core

    a, b = square(n)
    maillon.engine.set_num_threads(threads)
    if n not in _CHECKED:
        np.testing.assert_allclose(by_the_core(a, b), a @ b, rtol=1e-3, atol=1e-4 * n**0.5)
        _CHECKED.add(n)
    begun = time.perf_counter()
    for _ in range(times):
        by_the_core(a, b)
    return (time.perf_counter() - begun) / times


def policy(options: dict[str, Any]) -> tuple[Callable[[int], None], Array]:
    """The prepared predictor, or the links themselves."""
    network = network_of(POLICY)
    x = POLICY.data()[0][0]
    answer: Callable[[Array], Array] = network
    if options["engine"] == "native":
        maillon.engine.choose("native")
        answer = maillon.engine.compile(network)

    def loop(n: int) -> None:
        for _ in range(n):
            answer(x)

    return loop, answer(x)


def first_step(key: str) -> float:
    """Seconds from the call of `fit` to the end of its first step, in a process that has not called it before."""
    workload = WORKLOADS[key]
    network, loss = network_of(workload), loss_of(workload)
    x, y = workload.data()
    begun = time.perf_counter()
    stamp = Stamp()
    rate, batch = workload.lr, workload.batch
    maillon.fit(network, loss, x, y, rule=rate, batch_size=batch, callbacks=stamp, progress=False)
    return stamp.times[0] - begun


def link(key: str, seconds: float) -> tuple[float, float]:
    """Seconds of one forward and backward of a link in NumPy, and the size of the input's gradient."""
    from threadpoolctl import threadpool_limits

    chosen = LINKS[key]
    maillon.manual_seed(0)
    made, x = getattr(nn, chosen.name)(*chosen.args, **chosen.options), chosen.x()

    output = made(*[x] * chosen.inputs)
    several = isinstance(output, tuple)
    grad = normal(1, (output[0] if several else output).shape)

    def step() -> Any:
        made.zero_grad()
        made(*[x] * chosen.inputs)
        return made.backward((grad, None) if several else grad)

    with threadpool_limits(1):
        grads = step()
        size = sum(float(np.abs(grad).sum(dtype=np.float64)) for grad in (grads if chosen.inputs > 1 else [grads]))
        return timed(step, seconds), size


class Stamp(maillon.Callback):
    """When the first step ended; the training ends with it."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, state: Any) -> None:
        self.times.append(time.perf_counter())
        state.stop()


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        self.engine = options["engine"]
        if self.engine == "numpy":
            from threadpoolctl import threadpool_limits

            self.limits = threadpool_limits(options["threads"])
        else:
            maillon.set_num_threads(options.get("threads"))
            processor.paced = options.get("paced", True)
        self.workload = workload
        self.x, self.y = workload.data()
        self.network, self.loss = network_of(workload), loss_of(workload)
        self.start = self.network.state_dict()
        maillon.engine.choose(self.engine)  # a core that is missing says so here

    def reset(self) -> None:
        self.network.load_state_dict(self.start)

    def train(self, epochs: int) -> None:
        maillon.fit(
            self.network,
            self.loss,
            self.x,
            self.y,
            rule=self.workload.lr,
            batch_size=self.workload.batch,
            epochs=epochs,
            generator=maillon.Generator(0),
            engine=self.engine,
            progress=False,
        )

    def weights(self) -> list[Array]:
        return list(self.network.state_dict().values())
