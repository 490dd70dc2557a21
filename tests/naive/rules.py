"""Every rule once more, on one number, as its paper writes it."""

import math

import numpy as np


def sgd(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> float:
    """One number, one step for each gradient."""
    velocity: float | None = None
    for grad in grads:
        g = (-grad if maximize else grad) + weight_decay * p
        velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
        p -= lr * ((g + momentum * velocity if nesterov else velocity) if momentum else g)
    return p


def adam(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> float:
    """Algorithm 1 of Kingma and Ba, on one number."""
    m = v = largest = 0.0
    for t, grad in enumerate(grads, start=1):
        g = (-grad if maximize else grad) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = max(largest, v)
        corrected = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p -= lr * (m / (1 - betas[0] ** t)) / (math.sqrt(corrected) + eps)
    return p


def adam_w(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = True,
) -> float:
    assert decoupled_weight_decay
    m = v = largest = 0.0
    for t, grad in enumerate(grads, start=1):
        g = -grad if maximize else grad
        p -= lr * weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = max(largest, v)
        corrected = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p -= lr * (m / (1 - betas[0] ** t)) / (math.sqrt(corrected) + eps)
    return p


def nadam(
    p: float,
    grads: list[float],
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> float:
    m = v = 0.0
    product = np.float32(1)  # kept so, as PyTorch does
    for t, grad in enumerate(grads, start=1):
        g = -grad if maximize else grad
        if decoupled_weight_decay:
            p -= lr * weight_decay * p
        else:
            g += weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        mu = betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2)
        mu_next = betas[0] * (1 - 0.96 ** ((t + 1) * momentum_decay) / 2)
        product = product * np.float32(mu)
        size = math.sqrt(v / (1 - betas[1] ** t)) + eps
        p -= lr * ((1 - mu) / (1 - float(product)) * g + mu_next / (1 - float(product) * mu_next) * m) / size
    return p


def radam(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> float:
    m = v = 0.0
    rho_inf = 2 / (1 - betas[1]) - 1
    for t, grad in enumerate(grads, start=1):
        g = -grad if maximize else grad
        if decoupled_weight_decay:
            p -= lr * weight_decay * p
        else:
            g += weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        rho = rho_inf - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        step = lr * m / (1 - betas[0] ** t)
        if rho > 5:
            r = math.sqrt((rho - 4) / (rho_inf - 4) * (rho - 2) / (rho_inf - 2) * rho_inf / rho)
            step *= r * math.sqrt(1 - betas[1] ** t) / (math.sqrt(v) + eps)
        p -= step
    return p


def adamax(
    p: float,
    grads: list[float],
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> float:
    m = u = 0.0
    for t, grad in enumerate(grads, start=1):
        g = (-grad if maximize else grad) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        u = max(betas[1] * u, abs(g) + eps)
        p -= lr / (1 - betas[0] ** t) * m / u
    return p


def adagrad(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    maximize: bool = False,
) -> float:
    squares = initial_accumulator_value
    for t, grad in enumerate(grads):
        g = (-grad if maximize else grad) + weight_decay * p
        squares += g * g
        p -= lr / (1 + t * lr_decay) * g / (math.sqrt(squares) + eps)
    return p


def adadelta(
    p: float,
    grads: list[float],
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> float:
    squares = steps = 0.0
    for grad in grads:
        g = (-grad if maximize else grad) + weight_decay * p
        squares = rho * squares + (1 - rho) * g * g
        step = math.sqrt(steps + eps) / math.sqrt(squares + eps) * g
        steps = rho * steps + (1 - rho) * step * step
        p -= lr * step
    return p


def rmsprop(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> float:
    v = mean = velocity = 0.0
    for grad in grads:
        g = (-grad if maximize else grad) + weight_decay * p
        v = alpha * v + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        step = g / (math.sqrt(v - mean**2 if centered else v) + eps)
        velocity = momentum * velocity + step
        p -= lr * (velocity if momentum else step)
    return p


def rprop(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
    maximize: bool = False,
) -> float:
    before, size = 0.0, lr
    for grad in grads:
        g = -grad if maximize else grad
        if g * before > 0:
            size = min(size * etas[1], step_sizes[1])
        elif g * before < 0:
            size = max(size * etas[0], step_sizes[0])
            g = 0.0
        size = min(max(size, step_sizes[0]), step_sizes[1])
        p -= size * ((g > 0) - (g < 0))
        before = g
    return p


def asgd(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-2,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,  # the average does not move the parameter
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> float:
    eta = float(np.float32(lr))  # kept so, as PyTorch does
    for t, grad in enumerate(grads, start=1):
        g = (-grad if maximize else grad) + weight_decay * p
        p = p - lambd * eta * p - eta * g
        eta = float(np.float32(lr / (1 + lambd * lr * t) ** alpha))
    return p


def lion(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-4,
    betas: tuple[float, float] = (0.9, 0.99),
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> float:
    m = 0.0
    for grad in grads:
        g = -grad if maximize else grad
        c = betas[0] * m + (1 - betas[0]) * g
        p -= lr * ((c > 0) - (c < 0) + weight_decay * p)
        m = betas[1] * m + (1 - betas[1]) * g
    return p
