"""The problems of `find_lr.py`: small trainings of many kinds, each with a rule whose rate is to be found.

`DEVELOPMENT` was looked at while `maillon.find_lr` was made. `MEASURED`, thirty others, was written down before the
function was, and has had no part in it.
"""

import numpy as np

import maillon as m
from maillon.typing import Array
from peers.lr_problems import (
    Problem,
    adam,
    adamw,
    adding,
    blobs,
    chain,
    channels_second,
    circles,
    convolutional,
    digits,
    friedman,
    itself,
    linear,
    made,
    markov,
    mlp,
    momentum,
    moons,
    parity,
    recurrent,
    regression,
    rmsprop,
    several_labels,
    sgd,
    shipped,
    spirals,
    sums,
    teacher,
    tokens,
    transformer,
    waves,
)


def _curve(x: Array) -> Array:
    return np.asarray(np.sin(4 * x[:, 0]))


def _surface(x: Array) -> Array:
    return np.asarray(x[:, 0] ** 2 - x[:, 0] * x[:, 1] + np.cos(2 * x[:, 1]))


def _jump(x: Array) -> Array:
    return np.where(x[:, 0] > 0.2, 1.0, -1.0)


def _outliers(x: Array) -> Array:
    return np.asarray(2 * x[:, 0] - x[:, 1] + 20.0 * (np.abs(x[:, 2]) > 0.97))


_BAG = [m.Flatten, lambda: m.Linear(12 * 8, 2)]
_HALVES = np.logspace(0, -1.5, 10)

DEVELOPMENT = (
    Problem(
        "sine, MLP, Adam",
        mlp(1, 32, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(1, 256, _curve, 0.1)),
        adam,
        32,
        60,
    ),
    Problem("linear regression, SGD, full batch", mlp(8, 1), m.MSELoss, made(linear(8, 200, 0.5)), sgd, 200, 100),
    Problem(
        "moons, MLP, SGD with momentum", mlp(2, 32, 2), m.CrossEntropyLoss, made(moons(400, 0.15)), momentum, 32, 40
    ),
    Problem("iris unscaled, MLP, Adam", mlp(4, 16, 3), m.CrossEntropyLoss, shipped("iris", x=False), adam, 16, 60),
    Problem(
        "diabetes, target unscaled, linear, SGD", mlp(10, 1), m.MSELoss, shipped("diabetes", column=True), sgd, 32, 40
    ),
    Problem("digits, softmax regression, SGD", mlp(64, 10), m.CrossEntropyLoss, digits, sgd, 64, 30),
    Problem("digits, MLP, RMSprop", mlp(64, 32, 10), m.CrossEntropyLoss, digits, rmsprop, 32, 20),
    Problem(
        "digits, convolution, Adam", convolutional(6), m.CrossEntropyLoss, shipped("digits", images=True), adam, 32, 8
    ),
    Problem("signed sum, LSTM, Adam", recurrent(m.LSTM, 1, 16, 1), m.MSELoss, made(sums(300, 10)), adam, 32, 30),
    Problem(
        "tokens, embedding, Adam",
        chain(lambda: m.Embedding(30, 8), *_BAG),
        m.CrossEntropyLoss,
        made(tokens(400, 12, 30)),
        adam,
        32,
        20,
    ),
    Problem(
        "deep tanh network, SGD with momentum",
        mlp(6, *[24] * 6, 1, activation=m.Tanh),
        m.MSELoss,
        made(teacher(6, 300, 4, 0.1)),
        momentum,
        32,
        40,
    ),
    Problem("wide ReLU network, AdamW", mlp(10, 256, 1), m.MSELoss, made(teacher(10, 400, 6, 0.2)), adamw, 64, 30),
    Problem("linear regression, SGD, batch of 1", mlp(5, 1), m.MSELoss, made(linear(5, 150, 0.3), 1), sgd, 1, 5),
    Problem(
        "blobs with a third of wrong labels, Adam",
        mlp(5, 32, 4),
        m.CrossEntropyLoss,
        made(blobs(400, 4, 0.3)),
        adam,
        32,
        20,
    ),
    Problem(
        "breast cancer unscaled, logistic, SGD",
        mlp(30, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", x=False, column=True),
        sgd,
        32,
        20,
    ),
    Problem("digits, autoencoder, AdamW", mlp(64, 32, 8, 32, 64), m.MSELoss, itself(digits), adamw, 64, 30),
    Problem(
        "waves, transformer, Adam",
        transformer(16, 12, 3),
        m.CrossEntropyLoss,
        made(waves(300, 12, classes=True)),
        adam,
        32,
        15,
    ),
    Problem(
        "outliers, Huber loss, RMSprop",
        mlp(5, 24, 1),
        m.HuberLoss,
        made(regression(5, 300, _outliers, 0.2)),
        rmsprop,
        32,
        30,
    ),
    Problem(
        "waves, GRU, SGD with momentum",
        recurrent(m.GRU, 1, 16, 3),
        m.CrossEntropyLoss,
        made(waves(300, 15, classes=True), 2),
        momentum,
        32,
        20,
    ),
    Problem(
        "moons, batch norm, SGD",
        mlp(2, 24, 24, 1, before=m.BatchNorm1d),
        m.BCEWithLogitsLoss,
        made(moons(300, 0.2, column=True), 3),
        sgd,
        32,
        30,
    ),
)

MEASURED = (
    Problem(
        "surface, MLP, SGD",
        mlp(2, 24, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(2, 300, _surface, 0.05), 10),
        sgd,
        32,
        60,
    ),
    Problem("Friedman 1, MLP, Adam", mlp(10, 32, 1), m.MSELoss, made(friedman, 11), adam, 32, 40),
    Problem("Friedman 1, MLP, SGD with momentum", mlp(10, 32, 1), m.MSELoss, made(friedman, 12), momentum, 32, 40),
    Problem(
        "teacher, MLP, AdamW",
        mlp(8, 48, 1, activation=m.Tanh),
        m.MSELoss,
        made(teacher(8, 400, 5, 0.3), 13),
        adamw,
        32,
        30,
    ),
    Problem(
        "linear, columns of many scales, SGD, full batch",
        mlp(10, 1),
        m.MSELoss,
        made(linear(10, 300, 0.3, _HALVES), 14),
        sgd,
        300,
        150,
    ),
    Problem("wine unscaled, MLP, Adam", mlp(13, 16, 3), m.CrossEntropyLoss, shipped("wine", x=False), adam, 16, 60),
    Problem("wine, MLP, SGD", mlp(13, 16, 3), m.CrossEntropyLoss, shipped("wine"), sgd, 16, 30),
    Problem(
        "breast cancer, MLP, Adam",
        mlp(30, 16, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", column=True),
        adam,
        32,
        15,
    ),
    Problem(
        "breast cancer unscaled, logistic, RMSprop",
        mlp(30, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", x=False, column=True),
        rmsprop,
        64,
        30,
    ),
    Problem(
        "circles, MLP, SGD, batch of 1",
        mlp(2, 16, 1, activation=m.Tanh),
        m.BCEWithLogitsLoss,
        made(circles, 15),
        sgd,
        1,
        8,
    ),
    Problem("three spirals, MLP, Adam", mlp(2, 48, 48, 3), m.CrossEntropyLoss, made(spirals, 16), adam, 32, 60),
    Problem(
        "digits, softmax regression, SGD with momentum, full batch",
        mlp(64, 10),
        m.CrossEntropyLoss,
        digits,
        momentum,
        800,
        80,
    ),
    Problem("digits, deep MLP, Adam", mlp(64, 32, 32, 32, 10), m.CrossEntropyLoss, digits, adam, 64, 20),
    Problem(
        "digits, convolution and batch norm, SGD with momentum",
        convolutional(4, norm=True),
        m.CrossEntropyLoss,
        shipped("digits", images=True),
        momentum,
        32,
        6,
    ),
    Problem(
        "digits, convolution, AdamW",
        convolutional(4),
        m.CrossEntropyLoss,
        shipped("digits", images=True),
        adamw,
        64,
        10,
    ),
    Problem("iris, softmax regression, SGD, batch of 1", mlp(4, 3), m.CrossEntropyLoss, shipped("iris"), sgd, 1, 6),
    Problem("Linnerud, L1 loss, Adam", mlp(3, 16, 3), m.L1Loss, shipped("linnerud", y=True), adam, 5, 100),
    Problem(
        "diabetes, MLP, RMSprop", mlp(10, 24, 1), m.MSELoss, shipped("diabetes", y=True, column=True), rmsprop, 32, 20
    ),
    Problem(
        "diabetes, smooth L1 loss, AdamW",
        mlp(10, 1),
        m.SmoothL1Loss,
        shipped("diabetes", y=True, column=True),
        adamw,
        64,
        40,
    ),
    Problem(
        "parity of 4 bits, MLP, Adam, full batch",
        mlp(4, 16, 1, activation=m.Tanh),
        m.BCEWithLogitsLoss,
        made(parity(4)),
        adam,
        16,
        300,
    ),
    Problem(
        "a jump, 4 units, SGD with momentum",
        mlp(1, 4, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(1, 200, _jump, 0.1), 17),
        momentum,
        20,
        60,
    ),
    Problem(
        "deep narrow ReLU network, Adam",
        mlp(4, *[16] * 7, 1),
        m.MSELoss,
        made(teacher(4, 300, 3, 0.1), 18),
        adam,
        32,
        40,
    ),
    Problem("adding, LSTM, Adam", recurrent(m.LSTM, 2, 16, 1), m.MSELoss, made(adding(300, 8), 19), adam, 32, 50),
    Problem(
        "next value of a wave, GRU, SGD with momentum",
        recurrent(m.GRU, 1, 12, 1),
        m.MSELoss,
        made(waves(300, 12, classes=False), 20),
        momentum,
        32,
        20,
    ),
    Problem(
        "the next word, embedding, Adam",
        chain(lambda: m.Embedding(20, 8), lambda: m.Linear(8, 20)),
        m.CrossEntropyLoss,
        made(markov(1000, 20), 21),
        adam,
        64,
        20,
    ),
    Problem(
        "tokens, transformer, AdamW",
        transformer(16, 10, 2, 20),
        m.CrossEntropyLoss,
        made(tokens(300, 10, 20), 22),
        adamw,
        32,
        20,
    ),
    Problem(
        "digits, autoencoder of 3 numbers, RMSprop",
        mlp(64, 24, 3, 24, 64, activation=m.Tanh),
        m.MSELoss,
        itself(digits),
        rmsprop,
        64,
        30,
    ),
    Problem(
        "waves, convolution in one dimension, RMSprop",
        chain(lambda: m.Conv1d(1, 8, 5), m.ReLU, m.Flatten, lambda: m.Linear(8 * 12, 3)),
        m.CrossEntropyLoss,
        made(channels_second(waves(300, 16, classes=True)), 23),
        rmsprop,
        32,
        15,
    ),
    Problem("linear regression in much noise, SGD", mlp(6, 1), m.MSELoss, made(linear(6, 300, 5.0), 24), sgd, 16, 20),
    Problem(
        "several labels, dropout, Adam",
        chain(lambda: m.Linear(20, 32), m.ReLU, lambda: m.Dropout(0.3), lambda: m.Linear(32, 5)),
        m.BCEWithLogitsLoss,
        made(several_labels, 25),
        adam,
        32,
        20,
    ),
)
