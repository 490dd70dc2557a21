"""maillon's own `fit`, by the engine that the options name."""

import itertools
from typing import Any

import maillon
from maillon import nn
from peers.workloads import Array, Workload

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


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        self.engine = options["engine"]
        if self.engine == "numpy":
            from threadpoolctl import threadpool_limits

            self.limits = threadpool_limits(options["threads"])
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
