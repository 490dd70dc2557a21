"""The links of the first chains: linear, shape, dropout, activations, Sequential."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import naive

import maillon
from catalogue.rows import Row, normal
from maillon.nn import Module
from maillon.random import Generator

M = maillon


def shared() -> Module:
    first = maillon.Linear(3, 3)
    return maillon.Sequential(first, maillon.Tanh(), first.share())


def torch_shared(torch: Any) -> Any:
    first = torch.nn.Linear(3, 3)
    return torch.nn.Sequential(first, torch.nn.Tanh(), first)


def words(n: int) -> list[int]:
    return Generator(5).random_raw(n).tolist()


LINEAR_WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))
TANH, SIGMOID = naive.by_value(math.tanh), naive.by_value(naive.logistic)
RELU = naive.by_value(lambda x: max(x, 0.0))

# fmt: off
LINKS = [
    Row("Linear", lambda: M.Linear(3, 4), (normal(5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        wrong=LINEAR_WRONG),
    Row("Linear bias=False", lambda: M.Linear(3, 2, bias=False), (normal(5, 3),), naive.linear,
        lambda t: t.nn.Linear(3, 2, bias=False), wrong=LINEAR_WRONG),
    Row("Linear square", lambda: M.Linear(3, 3), (normal(3, 3),), naive.linear, lambda t: t.nn.Linear(3, 3)),
    Row("Linear of one sample", lambda: M.Linear(3, 4), (normal(3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        batched=False),
    Row("Linear of sequences", lambda: M.Linear(3, 4), (normal(2, 5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4)),
    Row("Identity", M.Identity, (normal(4, 3),), naive.same, lambda t: t.nn.Identity(), integers=True),
    Row("Flatten", M.Flatten, (normal(4, 2, 3),), naive.flattened(-1, 6), lambda t: t.nn.Flatten(),
        wrong=((normal(4),),), integers=True),
    Row("Flatten 0", lambda: M.Flatten(0), (normal(4, 2, 3),), naive.flattened(-1), lambda t: t.nn.Flatten(0),
        integers=True),
    Row("Flatten 1 2", lambda: M.Flatten(1, 2), (normal(2, 3, 2, 2),), naive.flattened(-1, 6, 2),
        lambda t: t.nn.Flatten(1, 2), wrong=((normal(4, 3),),), integers=True),
    Row("Flatten -2 -1", lambda: M.Flatten(-2, -1), (normal(2, 3, 2, 2),), naive.flattened(-1, 3, 4),
        lambda t: t.nn.Flatten(-2, -1), integers=True),
    Row("Dropout", lambda: M.Dropout(0.3, generator=Generator(5)), (normal(6, 5),), naive.dropped(0.3, words)),
    Row("Dropout p=0", lambda: M.Dropout(0.0), (normal(6, 5),), naive.same, lambda t: t.nn.Dropout(0.0)),
    Row("Dropout p=1", lambda: M.Dropout(1.0), (normal(6, 5),), naive.dropped(1.0, words), lambda t: t.nn.Dropout(1.0)),
    Row("Dropout in eval mode", lambda: M.Dropout(0.3).eval(), (normal(6, 5),), naive.same,
        lambda t: t.nn.Dropout(0.3).eval()),
    Row("Tanh", M.Tanh, (normal(4, 3),), TANH, lambda t: t.nn.Tanh(), logits=True),
    Row("Sigmoid", M.Sigmoid, (normal(4, 3),), SIGMOID, lambda t: t.nn.Sigmoid(), logits=True),
    Row("ReLU", M.ReLU, (normal(4, 3),), RELU, lambda t: t.nn.ReLU(), logits=True),
    Row("LeakyReLU", M.LeakyReLU, (normal(4, 3),), naive.leaky(0.01), lambda t: t.nn.LeakyReLU(), logits=True),
    Row("LeakyReLU 0.2", lambda: M.LeakyReLU(0.2), (normal(2, 3, 2),), naive.leaky(0.2), lambda t: t.nn.LeakyReLU(0.2)),
    Row("LeakyReLU -1", lambda: M.LeakyReLU(-1.0), (normal(4, 3),), naive.by_value(abs),
        lambda t: t.nn.LeakyReLU(-1.0)),
]
# fmt: on


def softmax_rows(name: str, along: Callable[[list[float]], list[float]]) -> list[Row]:
    """Softmax and LogSoftmax along each dimension, and along PyTorch's implicit ones."""
    cases = [
        ((4, 3), None, 1),
        ((4, 3), 0, 0),
        ((4, 3), -1, 1),
        ((2, 3, 2), 1, 1),
        ((3, 2, 2), None, 0),
        ((3,), None, 0),
        ((), 0, 0),
    ]
    rows = []
    for shape, dim, axis in cases:
        made = f"{name} {'x'.join(map(str, shape))} dim={dim}"
        rows.append(
            Row(
                made,
                lambda dim=dim: getattr(M, name)(dim),
                (normal(*shape),),
                naive.along(axis, along),
                lambda t, axis=axis: getattr(t.nn, name)(axis),  # None warns there
                batched=axis != 0,
                native="yes" if shape else "not yet: a single number is nothing that fit or sgd can train on",
                wrong=((normal(2),),) if dim == 1 else (),
                logits=True,
            )
        )
    return rows


LINKS += softmax_rows("Softmax", naive.softmax) + softmax_rows("LogSoftmax", naive.log_softmax)
# fmt: off
LINKS += [
    Row("Sequential", lambda: M.Sequential(M.Linear(3, 4), M.Tanh(), M.Linear(4, 2)), (normal(5, 3),),
        naive.chain(naive.linear, TANH, naive.linear),
        lambda t: t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2)), wrong=LINEAR_WRONG),
    Row("Sequential nested",
        lambda: M.Sequential(M.Flatten(), M.Sequential(M.Linear(4, 3), M.ReLU()),
                             M.Sequential(M.Linear(3, 2), M.Softmax())),
        (normal(5, 2, 2),),
        naive.chain(naive.flattened(-1, 4), naive.chain(naive.linear, RELU),
                    naive.chain(naive.linear, naive.along(1, naive.softmax))),
        lambda t: t.nn.Sequential(t.nn.Flatten(), t.nn.Sequential(t.nn.Linear(4, 3), t.nn.ReLU()),
                                  t.nn.Sequential(t.nn.Linear(3, 2), t.nn.Softmax(1))), wrong=((normal(5, 3),),)),
    Row("Sequential of named links", lambda: M.Sequential({"in": M.Linear(3, 2), "out": M.Sigmoid()}), (normal(5, 3),),
        naive.chain(naive.linear, SIGMOID),
        lambda t: t.nn.Sequential(OrderedDict({"in": t.nn.Linear(3, 2), "out": t.nn.Sigmoid()})), wrong=LINEAR_WRONG),
    Row("Sequential with a shared link", shared, (normal(5, 3),), naive.chain(naive.linear, TANH, naive.linear),
        torch_shared),
    Row("Sequential with Dropout", lambda: M.Sequential(M.Linear(3, 4), M.Dropout(0.5, generator=Generator(5))),
        (normal(5, 3),), naive.chain(naive.linear, naive.dropped(0.5, words))),
]
# fmt: on
