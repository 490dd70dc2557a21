"""Every link says what it computes, and what it says is what its formulas need."""

from itertools import pairwise
from typing import Any

import catalogue
import numpy as np
import pytest

import maillon as m
from maillon.costs.counts import Flops
from maillon.costs.table import COUNTS, counted


def flops(link: m.Module, *inputs: Any) -> tuple[int, ...]:
    found = counted(link, inputs, link(*inputs))
    assert found is not None
    return found


def zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("row", catalogue.LOSSES, ids=lambda row: row.name)
def test_every_loss_of_the_catalogue_has_counts(row: catalogue.Row) -> None:
    forward, inputs, parameters, both = flops(row.link(), *row.inputs())
    assert forward > 0 and inputs > 0 and parameters == both == 0


@pytest.mark.parametrize("row", catalogue.LINKS, ids=lambda row: row.name)
def test_every_link_of_the_catalogue_has_counts(row: catalogue.Row) -> None:
    link, inputs = row.link(), row.inputs()
    found = m.summary(link, inputs)
    assert found.unknown == ()
    assert "?" not in str(found)
    assert found.step_flops >= found.flops >= 0
    assert len(found) == len(list(link.modules()))


def test_every_public_link_has_a_row() -> None:
    links = {
        value for name in m.nn.__all__ if isinstance(value := getattr(m, name), type) and issubclass(value, m.Module)
    }
    assert links - {m.Module, m.Loss} == COUNTS.keys() | {m.Graph}


def test_products_count_two_for_each_term() -> None:
    linear = 2 * 6 * 3 * 4
    assert flops(m.Linear(3, 4), zeros(2, 3, 3)) == (linear, linear, linear, 0)
    wide = 2 * 5 * 6 * 7 * 4 * (2 // 2) * 3 * 3  # batch, places, outputs, inputs of a group, kernel
    assert flops(m.Conv2d(2, 4, 3, padding=1, groups=2), zeros(5, 2, 6, 7)) == (wide, wide, wide, 0)
    alone = 2 * 4 * 5 * 3 * 2
    assert flops(m.Conv1d(3, 5, 2), zeros(3, 5)) == (alone, alone, alone, 0)
    spread = 2 * 2 * 4 * 3 * 5 * 2
    assert flops(m.ConvTranspose1d(3, 5, 2, stride=3), zeros(2, 3, 4)) == (spread, spread, spread, 0)
    outer = 3 * 6 * 5
    assert flops(m.Bilinear(4, 5, 6), zeros(3, 4), zeros(3, 5)) == (10 * outer, 10 * outer, 8 * outer, outer)


def test_recurrence_counts_its_products_and_its_gates() -> None:
    x = zeros(5, 2, 3)  # ten steps of three features
    gates = 4 * 7
    products = 2 * 10 * 3 * gates, 2 * 10 * 7 * gates
    expected = sum(products) + 22 * 10 * 7, products[0], sum(products), products[1] + 25 * 10 * 7
    assert flops(m.LSTM(3, 7), x) == expected
    deep, shallow = flops(m.GRU(3, 7, num_layers=2), x), flops(m.GRU(3, 7), x)
    above = flops(m.GRU(7, 7), zeros(5, 2, 7))
    assert deep == (shallow[0] + above[0], shallow[1], shallow[2] + above[2], shallow[3] + above[3] + above[1])
    both = flops(m.RNN(3, 7, bidirectional=True), x)
    assert both == tuple(2 * n for n in flops(m.RNN(3, 7), x))
    assert flops(m.LSTMCell(3, 7), zeros(10, 3)) == expected


def test_attention_counts_projections_scores_and_means() -> None:
    link = m.MultiheadAttention(8, 2, kdim=3, vdim=5, batch_first=True)
    query, key, value = zeros(2, 4, 8), zeros(2, 6, 3), zeros(2, 6, 5)
    projections = 2 * 8 * (8 * 8 + 12 * 3 + 12 * 5)
    product, weights = 2 * 8 * 6 * 8, 2 * 2 * 4 * 6
    expected = projections + 2 * product + 5 * weights + 64, projections, projections, 4 * product + 4 * weights + 64
    assert flops(link, query, key, value) == expected
    extra = m.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True)
    plain = m.MultiheadAttention(8, 2)
    longer = flops(extra, zeros(4, 2, 8), zeros(4, 2, 8), zeros(4, 2, 8))
    assert longer[0] - flops(plain, zeros(4, 2, 8), zeros(4, 2, 8), zeros(4, 2, 8))[0] == 2 * (
        2 * 8 * 2 * 8 + 5 * 2 * 8
    )


def test_links_that_work_value_by_value() -> None:
    x = zeros(3, 4)
    assert flops(m.ReLU(), x) == (12, 12, 0, 0)
    assert flops(m.Tanh(), x) == (12, 36, 0, 0)
    assert flops(m.GELU(), x)[0] < flops(m.GELU(approximate="tanh"), x)[0]
    assert flops(m.LayerNorm(4), x) == (84, 96, 36, 0)
    assert flops(m.LayerNorm(4, elementwise_affine=False), x) == (60, 84, 0, 0)
    assert flops(m.RMSNorm(4), x) == (48, 72, 24, 0)
    assert flops(m.Flatten(), x) == flops(m.Identity(), x) == (0, 0, 0, 0)
    assert flops(m.Embedding(9, 5), np.zeros((2, 3), np.int64)) == (0, 0, 30, 0)
    assert flops(m.MSELoss(), x, x) == (36, 24, 0, 0)


def test_pools_count_what_their_windows_see() -> None:
    x = zeros(1, 1, 5, 7)
    assert flops(m.MaxPool2d(2), x) == (4 * 6, 6, 0, 0)
    assert flops(m.MaxPool2d((2, 3), return_indices=True), x) == (6 * 4, 4, 0, 0)
    assert flops(m.AvgPool2d(2), x) == (5 * 6, 5 * 6, 0, 0)
    assert flops(m.AdaptiveAvgPool2d(1), x) == (36, 36, 0, 0)
    seen = (2 + 3 + 2) * (3 + 3 + 3)  # from 0 to 2, 1 to 4, 3 to 5; from 0 to 3, 2 to 5, 4 to 7
    assert flops(m.AdaptiveMaxPool2d(3), x) == (seen, 9, 0, 0)
    assert flops(m.Upsample(scale_factor=2), x) == (0, 140, 0, 0)
    assert flops(m.Upsample(scale_factor=2, mode="bilinear"), x) == (4 * (70 + 140), 4 * (70 + 140), 0, 0)


def test_links_for_tables_count_each_feature_by_itself() -> None:
    x = zeros(2, 3)
    assert flops(m.Scale(3), x) == (6, 6, 12, 0)
    waves = 6 * 16
    found = flops(m.PeriodicEmbedding(3), x)
    assert found == (waves * (4 + 2 * 3), 2 * waves + 6, waves * (3 + 2 * 3) + 6 * 3, waves * (1 + 2 * 3))


def test_joints_count_their_own_sums() -> None:
    x = zeros(2, 3)
    assert flops(m.Add(), x, x, x) == (12, 0, 0, 0)
    assert flops(m.WeightedSum((0.5, 0.3, 0.2)), x, x, x) == (30, 18, 0, 0)
    assert flops(m.Multiply(), (x, x)) == (6, 12, 0, 0)
    assert flops(m.Residual(m.Tanh()), x) == (6, 6, 0, 0)
    assert flops(m.Parallel(m.Tanh(), m.ReLU(), m.ReLU()), x) == (0, 12, 0, 0)
    assert flops(m.Parallel(m.Tanh(), m.ReLU()), x, x) == (0, 0, 0, 0)


def test_a_graph_adds_the_gradients_of_what_several_take() -> None:
    nodes = {
        "a": (m.Linear(3, 4), "x"),
        "b": (m.Tanh(), "a"),
        "c": (m.ReLU(), "a"),
        "y": (m.Add(), "a", "b", "c"),
    }
    assert m.summary(m.Graph("x", nodes, "y"), (2, 3))[""].step_flops == 2 * 8
    sequence = {"lstm": (m.LSTM(3, 4), "x"), "y": (m.Add(), "lstm.0", "lstm.0"), "z": (m.Tanh(), "lstm.1.1")}
    assert m.summary(m.Graph("x", sequence, ["y", "z"]), (5, 2, 3))[""].step_flops == 5 * 2 * 4


def test_a_learning_step_wants_only_what_something_waits_for() -> None:
    first, second = 2 * 2 * 3 * 4, 2 * 2 * 4 * 5
    network = m.Sequential(m.Linear(3, 4), m.Linear(4, 5))
    steps = [row.step_flops for row in m.summary(network, (2, 3))][1:]
    assert steps == [2 * first, 3 * second]
    network[1].requires_grad_(False)
    assert [row.step_flops for row in m.summary(network, (2, 3))][1:] == [2 * first, 2 * second]
    network[1].requires_grad_(True)
    network[0].requires_grad_(False)
    assert [row.step_flops for row in m.summary(network, (2, 3))][1:] == [first, 2 * second]
    network.requires_grad_(False)
    assert m.summary(network, (2, 3)).step_flops == m.summary(network, (2, 3)).flops == first + second


def test_graphs_joints_and_other_links_of_links_say_who_waits() -> None:
    def links() -> list[m.Module]:
        return [m.Linear(3, 3) for _ in range(3)]

    one = 2 * 2 * 3 * 3
    a, b, c = links()
    nodes = {"a": (a, "x"), "b": (b, "z"), "sum": (m.Add(), "a", "b"), "c": (c, "sum")}
    graph = m.summary(m.Graph(["x", "z"], nodes, "c"), ((2, 3), (2, 3)))
    assert [graph[name].step_flops for name in "abc"] == [2 * one, 2 * one, 3 * one]
    a, b, c = links()
    nodes = {"n.0": (a, "x"), "n.1": (b, "n.0"), "sum": (m.Add(), "n.0", "n.1"), "c": (c, "sum")}
    dotted = m.summary(m.Graph("x", nodes, "c"), (2, 3))
    assert [dotted[name].step_flops for name in ("n.0", "n.1", "c")] == [2 * one, 3 * one, 3 * one]
    a, b, c = links()
    ways = m.summary(m.Sequential(m.Parallel(a, b), m.Add(), m.Residual(c)), (2, 3))
    assert [ways[place].step_flops for place in ("0.0", "0.1", "2.link")] == [2 * one, 2 * one, 3 * one]

    class Twice(m.Module):
        def __init__(self) -> None:
            self.inner = m.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            return self.inner(x)

        def backward(self, grad_output: Any) -> Any:
            return self.inner.backward(grad_output)

    assert m.summary(Twice(), (2, 3))["inner"].step_flops == 3 * one


def test_a_link_of_the_users_own_says_its_operations() -> None:
    class Square(m.Module):
        def forward(self, x: Any) -> Any:
            return self.keep(x * x, x)

    class Counted(Square):
        def flops(self, inputs: tuple[Any, ...], output: Any) -> tuple[int, int]:
            return output.size, 2 * output.size

    class Wide(m.Linear):
        pass

    network = m.Sequential(m.Linear(3, 4), Square())
    unknown = m.summary(network, (2, 3))
    assert unknown["1"].flops is None and unknown.unknown == ("1",) and unknown.flops == 48
    assert "at least 48 FLOP forward" in str(unknown)
    assert "unknown FLOPs: [1]; a link of your own says them in flops(self, inputs, output)" in str(unknown)
    known = m.summary(m.Sequential(m.Linear(3, 4), Counted()), (2, 3))
    assert (known["1"].flops, known["1"].step_flops, known.unknown) == (8, 24, ())
    assert m.summary(Wide(3, 4), (2, 3)).flops == 48


def test_two_calls_count_twice() -> None:
    class Again(m.Module):
        def __init__(self) -> None:
            self.inner = m.Tanh()

        def forward(self, x: Any) -> Any:
            return self.inner(self.inner(x))

        def flops(self, inputs: tuple[Any, ...], output: Any) -> int:
            return 0

    assert m.summary(Again(), (2, 3))["inner"].flops == 12


def test_flops_add_up() -> None:
    assert Flops(1, 2, 3, 4).plus(Flops(10, 20, 30, 40)) == (11, 22, 33, 44)


def test_every_family_lists_its_links_once() -> None:
    from maillon.costs.activations import ACTIVATIONS
    from maillon.costs.joints import JOINTS
    from maillon.costs.linear import LINEAR
    from maillon.costs.losses import LOSSES
    from maillon.costs.norms import NORMS
    from maillon.costs.sequence import SEQUENCE
    from maillon.costs.spatial import SPATIAL

    families = [set(family) for family in (ACTIVATIONS, JOINTS, LINEAR, LOSSES, NORMS, SEQUENCE, SPATIAL)]
    assert sum(map(len, families)) == len(COUNTS)
    assert not any(one & other for one, other in pairwise(families))
