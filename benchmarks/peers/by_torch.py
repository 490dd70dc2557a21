"""PyTorch, eager at its best case, and compiled: data in memory, no DataLoader, rows by index_select."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from peers.links import LINKS, normal, timed
from peers.workloads import POLICY, Array, Workload

VERSIONS = ("torch",)
FUNCTIONS = {"tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}


def network_of(workload: Workload) -> torch.nn.Sequential:
    links: list[torch.nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(workload.sizes):
        links += [torch.nn.Linear(fan_in, fan_out), FUNCTIONS[workload.hidden]()]
    links[-1:] = [FUNCTIONS[workload.last]()] if workload.last else []
    return torch.nn.Sequential(*links)


def loss_of(workload: Workload) -> torch.nn.Module:
    return torch.nn.MSELoss() if workload.loss == "mse" else torch.nn.CrossEntropyLoss(reduction="sum")


def link(key: str, seconds: float) -> tuple[float, float]:
    """Seconds of one forward and backward of a link, eager, and the size of the input's gradient."""
    torch.set_num_threads(1)
    chosen = LINKS[key]
    torch.manual_seed(0)
    made = getattr(torch.nn, chosen.name)(*chosen.args, **chosen.options)
    inputs = [torch.from_numpy(chosen.x()).requires_grad_() for _ in range(chosen.inputs)]

    output = made(*inputs)
    several = isinstance(output, tuple)
    grad = torch.from_numpy(normal(1, tuple((output[0] if several else output).shape)))

    def step() -> None:
        made.zero_grad(set_to_none=True)
        for x in inputs:
            x.grad = None
        output = made(*inputs)
        (output[0] if several else output).backward(grad)

    step()
    size = sum(float(x.grad.double().abs().sum()) for x in inputs if x.grad is not None)
    return timed(step, seconds), size


def policy(options: dict[str, Any]) -> tuple[Callable[[int], None], Any]:
    """The network on a tensor, eager, traced or compiled, in inference mode."""
    torch.set_num_threads(1)
    network: Any = network_of(POLICY)
    load(network, POLICY)
    x = torch.from_numpy(POLICY.data()[0][0].copy())
    if options["mode"] == "traced":
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        network = torch.jit.freeze(torch.jit.trace(network.eval(), x))
    elif options["mode"] == "compiled":
        network = torch.compile(network)

    def loop(n: int) -> None:
        with torch.inference_mode():
            for _ in range(n):
                network(x)

    with torch.inference_mode():
        return loop, network(x)


def load(network: torch.nn.Module, workload: Workload) -> None:
    """The workload's initial weights."""
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), workload.weights(), strict=True):
            parameter.copy_(torch.from_numpy(value))


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        torch.set_num_threads(options["threads"])
        self.workload = workload
        x, y = workload.data()
        self.x = torch.from_numpy(x)
        self.y = self.x if y is x else torch.from_numpy(y)
        self.network, self.loss = network_of(workload), loss_of(workload)
        self.rule = torch.optim.SGD(self.network.parameters(), lr=workload.lr, fused=options.get("fused", False))
        self.step = self.compiled_step() if options.get("compiled") else self.eager_step

    def reset(self) -> None:
        load(self.network, self.workload)

    def eager_step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.rule.zero_grad(set_to_none=True)
        value = self.loss(self.network(x), y)
        value.backward()
        self.rule.step()
        return value.detach()

    def compiled_step(self) -> Any:
        """Loss, gradients and update as one graph: the functional way, which leaves nothing to Python."""
        torch._dynamo.reset()  # or it counts the workloads before as recompilations of one function
        names = dict(self.network.named_parameters())

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            return self.loss(torch.func.functional_call(self.network, parameters, (x,)), y)

        gradient = torch.func.grad_and_value(loss)

        def step(x: Any, y: Any) -> Any:
            slopes, value = gradient(names, x, y)
            for name, parameter in names.items():
                parameter.sub_(slopes[name], alpha=self.workload.lr)
            return value

        return torch.no_grad()(torch.compile(torch.no_grad()(step), fullgraph=True, dynamic=False))

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order, batch = torch.randperm(self.workload.rows), self.workload.batch
        if self.x.nbytes < 2**18:  # small data are gathered once, large ones batch by batch
            x, y = self.x.index_select(0, order), self.y.index_select(0, order)
            yield from zip(x.split(batch), y.split(batch), strict=True)
            return
        for rows in order.split(batch):
            x = self.x.index_select(0, rows)
            yield x, x if self.y is self.x else self.y.index_select(0, rows)

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            total = torch.zeros(())
            for x, y in self.batches():
                total += self.step(x, y)

    def weights(self) -> list[Array]:
        return [parameter.detach().numpy() for parameter in self.network.parameters()]
