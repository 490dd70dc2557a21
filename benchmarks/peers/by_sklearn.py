"""scikit-learn's MLPClassifier and MLPRegressor, where they can do the workload."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from peers.workloads import Array, Workload

VERSIONS = ("scikit-learn",)


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        from threadpoolctl import threadpool_limits

        if workload.kind == "images":
            raise ValueError("it has no Sigmoid last under a squared error")
        self.limits = threadpool_limits(options["threads"])
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        warnings.filterwarnings("ignore", "Got `batch_size`")  # of the rows that only make the network
        self.x, y = workload.data()
        self.y = y.ravel()
        model = MLPRegressor if workload.kind == "line" else MLPClassifier
        # half the squared error, and a mean where the others take a sum; 2–4–1 learns by log loss, having no other
        rate = {"line": 2 * workload.lr, "digits": workload.batch * workload.lr}.get(workload.kind, workload.lr)
        self.start = [value.copy() for value in workload.weights()]
        self.model = model(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation="tanh" if workload.hidden == "tanh" else "logistic",
            solver="sgd",
            alpha=0,
            batch_size=workload.batch,
            learning_rate_init=rate,
            momentum=0,
            nesterovs_momentum=False,
            warm_start=True,
            tol=0,
            n_iter_no_change=10**9,
            random_state=0,
        )
        if model is MLPClassifier:
            classes, rows = np.unique(self.y, return_index=True)
            self.model.partial_fit(self.x[rows], self.y[rows], classes=classes)
        else:
            self.model.partial_fit(self.x[:1], self.y[:1])

    def reset(self) -> None:
        self.model.coefs_ = [np.ascontiguousarray(weight.T) for weight in self.start[::2]]
        self.model.intercepts_ = [bias.copy() for bias in self.start[1::2]]

    def train(self, epochs: int) -> None:
        self.model.set_params(max_iter=epochs)
        self.model.fit(self.x, self.y)

    def weights(self) -> list[Array]:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [part for weight, bias in pairs for part in (weight.T, bias)]
