"""Many trainings: seconds for a thousand MLPs on the digits by `sweep`, and by what else there is.

    python benchmarks/sweep.py [--trainings N] [--repeats N] [--out FILE]

64–32–32–10 with ReLU on 1 500 of scikit-learn's digits, 20 epochs, mini-batches of 32, Adam, a rate and a decay drawn
for each training. In turn: `sweep` for all of them; the same trainings one by one by `fit` on one thread; and a part
of them, scaled up, by PyTorch's autograd with fused Adam, PyTorch by hand without autograd, scikit-learn's
MLPClassifier on joblib's processes, torch.func's vmap and JAX's vmap over a jitted scan, with its compilation. The two
loops of PyTorch are as people write them, in one process on one thread, where they are quickest; told beside it is what
all processors would take if they shared the trainings without loss. Then halving against the whole sweep, on three data
sets with five seeds each.
"""

import argparse
import itertools
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write
from scipy.stats import loguniform
from sklearn.datasets import load_digits, make_classification, make_friedman1

import maillon as m
from maillon.random import using

EPOCHS, BATCH, ROWS = 20, 32, 1500
SPACE = {"lr": loguniform(1e-4, 1e-1), "weight_decay": loguniform(1e-6, 1e-2)}
OURS, ALONE = "maillon.sweep", "maillon.fit, one by one"
LIMITS = {"PyTorch, autograd": 50, "PyTorch, by hand": 18, "joblib + MLPClassifier": 25, "torch.func.vmap": 5}
LIMITS |= {"JAX, vmap and scan": 4}
SECONDS, PER_CORE = 8.0, 1.1
SEEDS = range(5)
PART = {"PyTorch, autograd": 4, "PyTorch, by hand": 8, "joblib + MLPClassifier": 16, "torch.func.vmap": 100}
PART |= {"JAX, vmap and scan": 250}


def digits() -> tuple[Any, Any]:
    x, y = load_digits(return_X_y=True)
    return (x[:ROWS] / 16).astype(np.float32), y[:ROWS]


def mlp() -> m.Sequential:
    return m.Sequential(m.Linear(64, 32), m.ReLU(), m.Linear(32, 32), m.ReLU(), m.Linear(32, 10))


def settings(count: int) -> list[tuple[float, float]]:
    numbers = np.random.default_rng(0)
    return [(float(SPACE["lr"].rvs(random_state=numbers)), float(SPACE["weight_decay"].rvs(random_state=numbers)))
            for _ in range(count)]  # fmt: skip


def by_sweep(count: int) -> None:
    x, y = digits()
    given = [{"lr": lr, "weight_decay": decay} for lr, decay in settings(count)]
    m.sweep(mlp, given, x, y, loss=m.CrossEntropyLoss(), epochs=EPOCHS, batch_size=BATCH, progress=False)


def by_fit(count: int) -> None:
    x, y = digits()
    m.set_num_threads(1)
    for seed, (lr, decay) in enumerate(settings(count)):
        with using(m.Generator(seed)):
            rule = m.Adam(lr=lr, weight_decay=decay)
            m.fit(mlp(), m.CrossEntropyLoss(), x, y, rule=rule, epochs=EPOCHS, batch_size=BATCH, progress=False)
    m.set_num_threads(None)


def by_autograd(count: int) -> None:
    import torch

    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, digits())
    for lr, decay in settings(count):
        links = torch.nn
        network = links.Sequential(
            links.Linear(64, 32), links.ReLU(), links.Linear(32, 32), links.ReLU(), links.Linear(32, 10)
        )
        rule = torch.optim.Adam(network.parameters(), lr=lr, weight_decay=decay, fused=True)
        loss = links.CrossEntropyLoss()
        for _ in range(EPOCHS):
            for rows in torch.randperm(ROWS).split(BATCH):
                rule.zero_grad(set_to_none=True)
                loss(network(x[rows]), y[rows]).backward()
                rule.step()


def by_hand(count: int) -> None:
    import torch

    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, digits())
    wanted = torch.nn.functional.one_hot(y, 10).float()
    sizes = [(64, 32), (32, 32), (32, 10)]
    ends = np.cumsum([0, *(size for a, b in sizes for size in (a * b, b))]).tolist()
    with torch.no_grad():
        for lr, decay in settings(count):
            flat, grad = torch.empty(ends[-1]), torch.empty(ends[-1])
            first, second = torch.zeros(ends[-1]), torch.zeros(ends[-1])
            cut = [slice(a, b) for a, b in itertools.pairwise(ends)]
            weights = [flat[cut[2 * i]].view(size) for i, size in enumerate(sizes)]
            biases = [flat[cut[2 * i + 1]] for i in range(3)]
            dw = [grad[cut[2 * i]].view(size) for i, size in enumerate(sizes)]
            db = [grad[cut[2 * i + 1]] for i in range(3)]
            for weight, bias in zip(weights, biases, strict=True):
                bound = 1 / math.sqrt(weight.shape[0])
                weight.uniform_(-bound, bound)
                bias.uniform_(-bound, bound)
            step = 0
            for _ in range(EPOCHS):
                order = torch.randperm(ROWS)
                xs, ts = x[order], wanted[order]
                for i in range(0, ROWS, BATCH):
                    step += 1
                    h0 = xs[i : i + BATCH]
                    h1 = torch.addmm(biases[0], h0, weights[0]).clamp_(min=0)
                    h2 = torch.addmm(biases[1], h1, weights[1]).clamp_(min=0)
                    dz = torch.softmax(torch.addmm(biases[2], h2, weights[2]), 1).sub_(ts[i : i + BATCH]).div_(len(h0))
                    torch.mm(h2.T, dz, out=dw[2])
                    torch.sum(dz, 0, out=db[2])
                    dz = torch.mm(dz, weights[2].T).mul_(h2 > 0)
                    torch.mm(h1.T, dz, out=dw[1])
                    torch.sum(dz, 0, out=db[1])
                    dz = torch.mm(dz, weights[1].T).mul_(h1 > 0)
                    torch.mm(h0.T, dz, out=dw[0])
                    torch.sum(dz, 0, out=db[0])
                    grad.add_(flat, alpha=decay)
                    first.lerp_(grad, 0.1)
                    second.mul_(0.999).addcmul_(grad, grad, value=0.001)
                    scale = second.sqrt().div_(math.sqrt(1 - 0.999**step)).add_(1e-8)
                    flat.addcdiv_(first, scale, value=-lr / (1 - 0.9**step))


def by_sklearn(count: int) -> None:
    import joblib
    from sklearn.neural_network import MLPClassifier

    x, y = digits()

    def one(lr: float, decay: float) -> None:
        warnings.simplefilter("ignore")
        options = {"batch_size": BATCH, "max_iter": EPOCHS, "n_iter_no_change": EPOCHS, "tol": 0.0}
        MLPClassifier((32, 32), learning_rate_init=lr, alpha=decay, **options).fit(x, y)

    joblib.Parallel(os.cpu_count())(joblib.delayed(one)(*each) for each in settings(count))


def by_torch_vmap(count: int) -> None:
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.set_num_threads(os.cpu_count() or 1)
    x, y = map(torch.from_numpy, digits())
    links = torch.nn

    def build() -> torch.nn.Module:
        return links.Sequential(
            links.Linear(64, 32), links.ReLU(), links.Linear(32, 32), links.ReLU(), links.Linear(32, 10)
        )

    template = build()
    parameters, _ = stack_module_state([build() for _ in range(count)])
    values = {name: value.detach() for name, value in parameters.items()}
    rates = [torch.tensor(column) for column in zip(*settings(count), strict=True)]

    def loss(own: Any, rows: Any) -> Any:
        return links.functional.cross_entropy(functional_call(template, own, (x[rows],)), y[rows])

    gradients = vmap(grad(loss))
    first = {name: torch.zeros_like(value) for name, value in values.items()}
    second = {name: torch.zeros_like(value) for name, value in values.items()}
    step = 0
    for _ in range(EPOCHS):
        order = torch.rand(count, ROWS).argsort(1)
        for i in range(0, ROWS, BATCH):
            step += 1
            found = gradients(values, order[:, i : i + BATCH])
            for name, value in values.items():
                lr, decay = (rate.float().view(-1, *[1] * (value.dim() - 1)) for rate in rates)
                g = found[name] + decay * value
                first[name].lerp_(g, 0.1)
                second[name].mul_(0.999).addcmul_(g, g, value=0.001)
                scale = second[name].sqrt().div_(math.sqrt(1 - 0.999**step)).add_(1e-8)
                value.sub_(lr / (1 - 0.9**step) * first[name] / scale)


def by_jax(count: int) -> None:
    import jax
    import jax.numpy as jnp

    x, y = map(jnp.asarray, digits())
    full = ROWS // BATCH  # the short last mini-batch is left out: scan wants equal ones

    def begun(key: Any) -> Any:
        keys = jax.random.split(key, 6)
        made = []
        for i, (a, b) in enumerate([(64, 32), (32, 32), (32, 10)]):
            bound = 1 / math.sqrt(a)
            made.append((jax.random.uniform(keys[2 * i], (a, b), minval=-bound, maxval=bound),
                         jax.random.uniform(keys[2 * i + 1], (b,), minval=-bound, maxval=bound)))  # fmt: skip
        return made

    def loss(own: Any, rows: Any) -> Any:
        h = x[rows]
        for weight, bias in own[:-1]:
            h = jax.nn.relu(h @ weight + bias)
        scores = jax.nn.log_softmax(h @ own[-1][0] + own[-1][1])
        return -jnp.take_along_axis(scores, y[rows][:, None], 1).mean()

    def training(key: Any, lr: Any, decay: Any) -> Any:
        key, first_key = jax.random.split(key)
        own = begun(first_key)
        zeros = jax.tree.map(jnp.zeros_like, own)

        def step(state: Any, rows: Any) -> Any:
            own, first, second, t = state
            t = t + 1
            g = jax.tree.map(lambda g, p: g + decay * p, jax.grad(loss)(own, rows), own)
            first = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, first, g)
            second = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, second, g)
            rate = lr / (1 - 0.9**t)
            own = jax.tree.map(lambda p, a, b: p - rate * a / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-8), own, first, second)
            return (own, first, second, t), None

        def epoch(state: Any, key: Any) -> Any:
            order = jax.random.permutation(key, ROWS)[: full * BATCH].reshape(full, BATCH)
            return jax.lax.scan(step, state, order)[0], None

        return jax.lax.scan(epoch, (own, zeros, zeros, 0.0), jax.random.split(key, EPOCHS))[0][0]

    keys = jax.random.split(jax.random.key(0), count)
    rates = [jnp.asarray(column) for column in zip(*settings(count), strict=True)]
    jax.block_until_ready(jax.jit(jax.vmap(training))(keys, *rates))


SIDES: dict[str, Callable[[int], None]] = {
    "PyTorch, autograd": by_autograd,
    "PyTorch, by hand": by_hand,
    "joblib + MLPClassifier": by_sklearn,
    "torch.func.vmap": by_torch_vmap,
    "JAX, vmap and scan": by_jax,
}
SERIAL = ("PyTorch, autograd", "PyTorch, by hand")


def timed(side: Callable[[int], None], count: int) -> float:
    begun = time.perf_counter()
    side(count)
    return time.perf_counter() - begun


def halved() -> dict[str, Any]:
    """Halving and the whole sweep of 300 settings: seconds of each, and where halving's best stands in the whole.

    Of five seeds the medians, and all ranks: which settings are drawn decides much of a single one.
    """
    found = {}
    numbers = np.random.default_rng(0)
    sets: dict[str, tuple[Any, Any]] = {
        "digits": load_digits(return_X_y=True),
        "classes of clusters": make_classification(3000, 20, n_informative=8, n_classes=4, flip_y=0.05, random_state=0),
        "Friedman's function": make_friedman1(3000, noise=1.0, random_state=0),
    }
    for name, (rows, target) in sets.items():
        order = numbers.permutation(len(rows))
        x = ((rows - rows.mean(0)) / (rows.std(0) + 1e-9)).astype(np.float32)[order]
        numeric = target.dtype.kind == "f"
        y = target[order, None].astype(np.float32) if numeric else target[order]
        outputs, loss = (1, m.MSELoss()) if numeric else (len(np.unique(y)), m.CrossEntropyLoss())

        def build(width: int, p: float, features: int = x.shape[1], outputs: int = outputs) -> m.Sequential:
            return m.Sequential(m.Linear(features, width), m.ReLU(), m.Dropout(p), m.Linear(width, outputs))

        space = {**SPACE, "width": [16, 32, 64], "p": [0.0, 0.2, 0.5], "batch_size": [16, 32, 64]}
        options: dict[str, Any] = {"loss": loss, "n": 300, "epochs": 243, "validation_split": 0.3}
        runs = []
        for seed in SEEDS:
            ways = (None, m.Halving(3))
            whole, halves = (m.sweep(build, space, x, y, halving=way, seed=seed, **options) for way in ways)
            better = sum(trial.score < whole[halves.best.number].score for trial in whole)
            runs.append((whole.seconds, halves.seconds, better))
        whole_s, halving_s, ranks = zip(*runs, strict=True)
        shares = [short_one / whole_one for whole_one, short_one in zip(whole_s, halving_s, strict=True)]
        found[name] = {
            "whole_s": statistics.median(whole_s), "halving_s": statistics.median(halving_s),
            "share": statistics.median(shares), "better": statistics.median(ranks), "ranks": ranks, "of": len(whole),
        }  # fmt: skip
    return found


def misses(found: dict[str, Any], halvings: dict[str, Any], count: int) -> list[str]:
    ours, alone = found[OURS]["median"], found[ALONE]["median"]
    allowed = max(SECONDS * count / 1000, PER_CORE * alone / (os.cpu_count() or 1))
    said = [f"sweep: {ours:.1f} s, limit {allowed:.1f}"] if ours > allowed else []
    per_core = ours * (os.cpu_count() or 1) / alone
    said += [f"sweep: {per_core:.2f} times the trainings alone, per core, limit {PER_CORE}"] * (per_core > PER_CORE)
    for name, limit in LIMITS.items():
        if name in found and found[name]["median"] / ours < limit:
            said.append(f"{name}: {found[name]['median'] / ours:.1f} times our time, limit {limit}")
    for name, one in halvings.items():
        if one["better"] > one["of"] // 100 or one["share"] > 1 / 4:
            said.append(f"halving on {name}: {one['better']} of {one['of']} better, in {one['share']:.2f} of the time")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, at least 2 (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULTS / "sweep.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    count, cores = arguments.trainings, os.cpu_count() or 1
    times: dict[str, list[float]] = {}
    missing = []
    timed(by_sweep, 4)
    for name, side in SIDES.items():
        with suppress(ImportError):  # imports, first allocations; JAX and vmap compile within their time
            if name in SERIAL:
                timed(side, 1)
    for _ in range(arguments.repeats):
        times.setdefault(OURS, []).append(timed(by_sweep, count))
        part = max(1, count // 5)
        times.setdefault(ALONE, []).append(timed(by_fit, part) * count / part)
        for name, side in list(SIDES.items()):
            try:
                times.setdefault(name, []).append(timed(side, PART[name]) * count / PART[name])
            except ImportError as error:
                missing.append(f"{name}: {error}")
                del SIDES[name], times[name]
    found = {name: quartiles(values) for name, values in times.items()}
    halvings = halved()
    result = {
        "machine": machine(), "trainings": count, "repeats": arguments.repeats, "seconds": found,
        "halving": halvings, "missing": missing, "misses": misses(found, halvings, count),
    }  # fmt: skip
    ours = found[OURS]["median"]
    rows = [
        [name, short(one["median"]), f"{one['median'] / ours:.1f}",
         f"{one['median'] / ours / cores:.1f}" if name in (*SERIAL, ALONE) else ""]
        for name, one in found.items()
    ]  # fmt: skip
    lines = heading(f"{count} trainings of 64–32–32–10 on the digits, seconds on {cores} cores", result)
    lines += table(["", "seconds", "times ours", f"shared by {cores} cores"], rows)
    head = ["halving of 300 settings, 243 epochs", "whole, s", "halving, s", "share", "better in the whole, by seed"]
    rows = [
        [name, short(one["whole_s"]), short(one["halving_s"]), f"{one['share']:.2f}", ", ".join(map(str, one["ranks"]))]
        for name, one in halvings.items()
    ]
    lines += table(head, rows) + listed("Missing", missing) + listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
