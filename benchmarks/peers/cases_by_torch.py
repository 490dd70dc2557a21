"""The cases in PyTorch, eager: data in memory, mini-batches cut before, rules in the form that is their default."""

import types
from collections.abc import Iterable
from typing import Any

import torch

from peers.cases import Case, require_evaluations

VERSIONS = ("torch",)


class LastStep(torch.nn.Module):
    """What a chain takes of a recurrent layer."""

    def forward(self, x: tuple[torch.Tensor, Any]) -> torch.Tensor:
        return x[0][:, -1]


class Lion(torch.optim.Optimizer):
    """PyTorch has none: as its own rules are by default, tensor by tensor on the processor."""

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(parameters, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            first, second = group["betas"]
            for parameter in group["params"]:
                state, grad = self.state[parameter], parameter.grad
                if not state:
                    state["exp_avg"] = torch.zeros_like(parameter)
                average = state["exp_avg"]
                parameter.add_(torch.lerp(grad, average, first).sign_(), alpha=-group["lr"])
                average.lerp_(grad, 1 - second)


NAMES = types.SimpleNamespace(**vars(torch.nn), LastStep=LastStep)


class Trainer:
    def __init__(self, case: Case, options: dict[str, Any]) -> None:
        torch.set_num_threads(options["threads"])
        torch.manual_seed(0)
        self.case, self.found = case, 0.0
        self.network = case.network(NAMES)
        self.loss = getattr(torch.nn, case.loss)()
        self.start = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.x, self.y = map(torch.from_numpy, case.arrays())
        self.batches = list(zip(self.x.split(case.batch), self.y.split(case.batch), strict=True))
        self.train = self.predict if case.way == "predictor" else self.fit
        self.step = self.evaluate if case.rule == "LBFGS" else self.eager

    def reset(self) -> None:
        self.network.load_state_dict(self.start)
        rules = {"Lion": Lion}
        rule = rules.get(self.case.rule) or getattr(torch.optim, self.case.rule)
        self.rule = rule(self.network.parameters(), **self.case.options)
        torch.manual_seed(0)
        if self.case.way == "learner":  # as the other side, which prepares its learner
            self.step(*self.batches[0])
        elif self.case.way == "predictor":
            self.network.eval()

    def eager(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.rule.zero_grad(set_to_none=True)
        value = self.loss(self.network(x), y)
        value.backward()
        self.rule.step()
        return value.detach()

    def evaluate(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        def closure() -> torch.Tensor:
            self.rule.zero_grad(set_to_none=True)
            value = self.loss(self.network(x), y)
            value.backward()
            return value

        return self.rule.step(closure).detach()

    def fit(self, epochs: int) -> None:
        for _ in range(epochs):
            total = torch.zeros(())
            for x, y in self.shuffled() if self.case.data == "mnist" else self.batches:
                total += self.step(x, y)
        self.found = total.item() / -(-len(self.x) // self.case.batch)
        if self.case.rule == "LBFGS":
            (state,) = self.rule.state.values()
            require_evaluations(self.case, state["func_evals"], epochs)

    def shuffled(self) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        for rows in torch.randperm(len(self.x)).split(self.case.batch):
            yield self.x.index_select(0, rows), self.y.index_select(0, rows)

    def predict(self, epochs: int) -> None:
        with torch.inference_mode():
            state = torch.zeros(1, 1, self.network.hidden_size)
            for _ in range(epochs):
                for x, _ in self.batches:
                    _, state = self.network(x, state)
        self.found = state.abs().mean().item()

    def weights(self) -> list[float]:
        return [self.found]
