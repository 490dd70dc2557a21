"""The cases in maillon: by `fit`, wholly in the core, by a prepared learner or by a prepared predictor."""

import time
from typing import Any

import numpy as np

import maillon
from maillon import nn
from peers.by_maillon import Stamp
from peers.cases import CASES, Case, require_evaluations

VERSIONS = ("maillon", "numpy")


def first_step(name: str) -> float:
    """Seconds from the call of `fit` to the end of its first step, in a process that has not called it before."""
    trainer, stamp = Trainer(CASES[name], {}), Stamp()
    optim, size = trainer.optim(), trainer.case.batch
    begun = time.perf_counter()
    maillon.fit(optim, trainer.x, trainer.y, batch_size=size, callbacks=stamp, progress=False)
    return stamp.times[0] - begun


class Trainer:
    def __init__(self, case: Case, options: dict[str, Any]) -> None:
        maillon.engine.choose("native")  # a core that is missing says so here
        maillon.set_num_threads(options.get("threads"))
        maillon.manual_seed(0)
        self.case, self.found = case, 0.0
        self.network = case.network(nn)
        self.loss = getattr(nn, case.loss)()
        self.start = {name: value.copy() for name, value in self.network.state_dict().items()}
        self.x, self.y = case.arrays()
        self.rows = [(self.x[i : i + 1], self.y[i : i + 1]) for i in range(case.rows if case.way != "fit" else 0)]
        self.train = {"fit": self.fit, "learner": self.learn, "predictor": self.predict}[case.way]

    def reset(self) -> None:
        self.network.load_state_dict(self.start)
        maillon.manual_seed(0)
        if self.case.way == "learner":
            self.learner = maillon.compile(self.optim())
            self.learner.step(*self.rows[0])
        elif self.case.way == "predictor":
            self.predictor = maillon.compile(self.network.eval())
            self.state = np.zeros((1, 1, self.network.hidden_size), np.float32)
            self.predictor(self.rows[0][0], self.state)

    def optim(self) -> maillon.Optim:
        return maillon.Optim(self.network, self.loss, getattr(maillon, self.case.rule)(**self.case.options))

    def fit(self, epochs: int) -> None:
        optim = self.optim()
        shuffle = self.case.data == "mnist"
        more = {"batch_size": self.case.batch, "epochs": epochs, "shuffle": shuffle, "progress": False}
        history = maillon.fit(optim, self.x, self.y, engine="native" if self.case.wholly else "auto", **more)
        if self.case.wholly and history.engine != "native":
            raise RuntimeError(f"{self.case.name} ran in {history.engine}")
        if self.case.rule == "LBFGS":
            (state,) = optim.rule.state.values()
            require_evaluations(self.case, state["func_evals"], epochs)
        self.found = history["loss"][-1]

    def learn(self, epochs: int) -> None:
        step = self.learner.step
        for _ in range(epochs):
            total = 0.0
            for x, y in self.rows:
                total += step(x, y)
        self.found = total / len(self.rows)

    def predict(self, epochs: int) -> None:
        predictor, state = self.predictor, self.state
        for _ in range(epochs):
            for x, _ in self.rows:
                _, state = predictor(x, state)
        self.found = float(np.abs(state).mean())

    def weights(self) -> list[float]:
        return [self.found]
