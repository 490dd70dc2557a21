"""How a perceptron learns: by mini-batches in `fit`, one epoch at a time, or by L-BFGS on all rows."""

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from maillon import engine
from maillon.nn import Loss, Module, Parameter
from maillon.optim import SGD, Adam, NonFiniteLossError, Optim, Rule
from maillon.sklearn.networks import layers_of
from maillon.train import Callback, State
from maillon.typing import Array

_UNSEEN = 0.1  # of tol


def weights_and_others(network: Module) -> tuple[list[Parameter], list[Parameter]]:
    """The weights of the Linears, which alpha keeps small, and all other parameters."""
    weights = [layer.weight for layer in layers_of(network)]
    held = set(map(id, weights))
    return weights, [parameter for parameter in network.parameters() if id(parameter) not in held]


def say(line: str) -> None:
    """Print what `verbose` asks for."""
    sys.stdout.write(f"{line}\n")


def squares(weights: list[Parameter]) -> float:
    """Σ w² over all of them."""
    return sum(float(np.vdot(weight.data, weight.data)) for weight in weights)


def rule_of(estimator: Any, network: Module, decay: float) -> Rule:
    """The rule that moves the parameters: scikit-learn's 'sgd' or 'adam', or the recipe given.

    Parameters
    ----------
    estimator : estimator
        With its solver and the options of it.
    network : Module
        What learns.
    decay : float
        λ of ½ λ Σ w², the part of the loss that keeps the weights small.

    Returns
    -------
    Rule
        Bound to the network's parameters.
    """
    if isinstance(estimator.solver, Rule):
        return estimator.solver.bind(network.parameters())
    weights, others = weights_and_others(network)
    groups = [{"params": weights, "weight_decay": decay}, {"params": others}]
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "adam":
        betas = (float(estimator.beta_1), float(estimator.beta_2))
        return Adam(groups, lr=rate, betas=betas, eps=float(estimator.epsilon))
    momentum = float(estimator.momentum)
    return SGD(groups, lr=rate, momentum=momentum, nesterov=estimator.nesterovs_momentum and momentum > 0)


class Course(Callback):
    """Looks on from epoch to epoch: what scikit-learn notes of each, its stopping rule, its learning rates.

    The estimator's loss_, loss_curve_, n_iter_, t_, best_loss_, validation_scores_ and best_validation_score_ follow.

    Parameters
    ----------
    estimator : estimator
        What learns.
    optim : Optim
        Its network, loss and rule.
    rows : int
        Those of an epoch.
    penalty : float
        What Σ w² adds to the loss of an epoch, ½ · alpha · mini-batches / rows.
    shown : tuple of float
        The factor on the loss of an epoch, and what is added to it, before it is shown.
    validation : callable, optional
        Score and loss of the network as it is now, on what is held out.
    worse : int
        How many epochs before were no better than the best one.
    """

    def __init__(
        self,
        estimator: Any,
        optim: Optim,
        rows: int,
        penalty: float,
        shown: tuple[float, float] = (1.0, 0.0),
        validation: Callable[[], tuple[float, float]] | None = None,
        worse: int = 0,
    ) -> None:
        self.estimator, self.optim, self.rows, self.penalty, self.shown = estimator, optim, rows, penalty, shown
        self.validation, self.worse = validation, worse
        self.stopped = False
        self.best: dict[str, Any] | None = None
        self._weights = weights_and_others(optim.network)[0]
        self._before, self._moving = squares(self._weights), True

    def on_epoch_end(self, state: State) -> None:
        if self.ended(state.history["loss"][self.estimator.n_iter_ :]):
            state.stop()

    def epochs_ahead(self) -> int:
        """Where nothing changes from epoch to epoch, as many as it takes to give up."""
        estimator = self.estimator
        if self.validation is not None or estimator.verbose or estimator.learning_rate == "invscaling" or self._moving:
            return 1
        return int(min(estimator.n_iter_no_change + 1 - self.worse, sys.maxsize))

    def ended(self, losses: Sequence[float]) -> bool:
        """Note epochs of these losses; whether the last of them is the last one."""
        now, before, stop = squares(self._weights), self._before, False
        # The weights move from step to step: Σ w² along a line, say, unless that would be seen in what `tol` decides.
        self._moving = self.penalty * abs(now - before) > _UNSEEN * self.estimator.tol
        self._before = now
        for i, loss in enumerate(losses):
            penalty = self.penalty * (before + (now - before) * (i + 0.5) / len(losses))
            stop = self._ended(loss * self.shown[0] + self.shown[1] + penalty)
        return stop

    def _ended(self, loss: float) -> bool:
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self.rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            say(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        self._judge(loss)
        if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
            self._set_rate(float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t)
        if self.worse > estimator.n_iter_no_change:
            self.stopped = self._give_up()
        return self.stopped

    def _judge(self, loss: float) -> None:
        """Whether the epoch was better than those before, by tol."""
        estimator = self.estimator
        if self.validation is None:
            worse = loss > estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(estimator.best_loss_, loss)
        else:
            score, loss = self.validation()
            estimator.validation_scores_.append(score)
            estimator.validation_loss_curve_.append(loss)
            if estimator.verbose:
                say(f"Validation score: {score:f}")
            worse = score < estimator.best_validation_score_ + estimator.tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self.best = self.optim.network.state_dict()
        self.worse = self.worse + 1 if worse else 0

    def _give_up(self) -> bool:
        """No improvement for too long: whether to stop, or to go on with a fifth of the rate."""
        estimator, what = self.estimator, "Training loss" if self.validation is None else "Validation score"
        message = (
            f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} consecutive "
            "epochs."
        )
        adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
        rate = self.optim.rule.param_groups[0]["lr"]
        if not adaptive or rate <= 1e-6:
            message += " Learning rate too small. Stopping." if adaptive else " Stopping."
        else:
            self._set_rate(rate / 5)
            self.worse = 0
            message += f" Setting learning rate to {rate / 5:f}"
        if estimator.verbose:
            say(message)
        return not adaptive or rate <= 1e-6

    def _set_rate(self, rate: float) -> None:
        """Another rate from now on. scikit-learn's velocity has the rate in it, ours has not: it keeps its move."""
        rule = self.optim.rule
        for group in rule.param_groups:
            for parameter in group["params"]:
                velocity = rule.state.get(parameter, {}).get("momentum_buffer")
                if velocity is not None:
                    velocity *= group["lr"] / rate
            group["lr"] = rate


def lbfgs(
    estimator: Any,
    network: Module,
    loss: Loss,
    data: tuple[Array, Array, Array | None],
    decay: float,
    after_iteration: Callable[[], bool] | None = None,
) -> float:
    """Minimise the loss over all rows by SciPy's L-BFGS-B; the parameters are afterwards the best ones found.

    Parameters
    ----------
    estimator : estimator
        Its tol, max_iter, max_fun and verbose say when to stop; its n_iter_ is set.
    network : Module
        What learns, in float64.
    loss : Loss
        What is made small.
    data : tuple
        Inputs, targets and weights.
    decay : float
        λ of ½ λ Σ w², which is added to the loss.
    after_iteration : callable, optional
        Called after each iteration; true ends the training.

    Returns
    -------
    float
        The loss at its minimum, ½ λ Σ w² included.
    """
    learner = engine.compile(Optim(network, loss, SGD(lr=0.0)))  # a step gives loss and gradient, and moves nothing
    weights, others = weights_and_others(network)
    parameters = weights + others
    ends = np.cumsum([parameter.data.size for parameter in parameters]).tolist()
    places = [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
    decaying = sum(weight.data.size for weight in weights)

    def take(flat: Array) -> None:
        for parameter, place in zip(parameters, places, strict=True):
            parameter.data[...] = flat[place].reshape(parameter.shape)

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        take(flat)
        try:
            value = learner.step(*data)
        except NonFiniteLossError as error:
            return error.loss, np.full_like(flat, np.nan)
        gradient = np.concatenate([np.ravel(np.asarray(parameter.grad)) for parameter in parameters])
        gradient[:decaying] += decay * flat[:decaying]
        return value + 0.5 * decay * float(flat[:decaying] @ flat[:decaying]), gradient

    def told(intermediate_result: Any) -> None:
        if estimator.verbose:
            say(f"Iteration, loss = {intermediate_result.fun:.8f}")
        if after_iteration is not None:
            take(intermediate_result.x)
            if after_iteration():
                raise StopIteration

    first = np.concatenate([parameter.data.ravel() for parameter in parameters])
    with np.errstate(all="ignore"):
        found = minimize(
            loss_and_gradient,
            first,
            method="L-BFGS-B",
            jac=True,
            callback=told if estimator.verbose or after_iteration is not None else None,
            options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
        )
    take(found.x)
    estimator.n_iter_ = min(int(found.nit), estimator.max_iter)
    if found.status not in (0, 99):  # 99: a callback has ended it
        warnings.warn(
            f"lbfgs did not converge after {found.nit} iterations: {found.message}. Increase max_iter (now "
            f"{estimator.max_iter}) or max_fun ({estimator.max_fun}), or scale the data.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return float(found.fun)
