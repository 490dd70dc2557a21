import contextvars
import copy
import json
import pickle
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wrong_calls import says

from maillon import random
from maillon.random import Generator, GeneratorState, default_generator, manual_seed, resolve, using

GOLDEN = json.loads((Path(__file__).parent / "fixtures" / "torch_random.json").read_text(encoding="utf-8"))


def golden(draw):
    cases = [case for case in GOLDEN["cases"] if case["draw"] == draw]
    return pytest.mark.parametrize(
        ("seed", "arguments", "values"),
        [(case["seed"], case["arguments"], case["values"]) for case in cases],
        ids=[f"{case['seed']}-{i}" for i, case in enumerate(cases)],
    )


class TestPyTorchsNumbers:
    @golden("uniform")
    def test_uniform_is_bit_identical(self, seed, arguments, values):
        drawn = Generator(seed).uniform(**arguments)
        assert drawn.dtype == arguments["dtype"]
        np.testing.assert_array_equal(drawn, np.array(values, arguments["dtype"]))

    @golden("randperm")
    def test_randperm_is_identical(self, seed, arguments, values):
        drawn = Generator(seed).randperm(**arguments)
        assert drawn.dtype == np.int64
        assert drawn.tolist() == values

    @golden("randint")
    def test_randint_is_identical(self, seed, arguments, values):
        drawn = Generator(seed).randint(**arguments)
        assert drawn.dtype == np.int64
        assert drawn.tolist() == values

    @golden("randn")
    def test_randn_is_within_a_millionth_over_calls_in_a_row(self, seed, arguments, values):
        generator = Generator(seed)
        for n, expected in zip(arguments["sizes"], values, strict=True):
            drawn = generator.randn(n, arguments["dtype"])
            assert drawn.dtype == arguments["dtype"]
            np.testing.assert_allclose(drawn, expected, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("seed", [0, 1, 10, 2**32 - 1])
    def test_words_are_those_of_the_mersenne_twister(self, seed):
        reference = np.random.MT19937()
        reference._legacy_seeding(seed)
        drawn = Generator(seed).random_raw(1300)
        assert drawn.dtype == np.uint32
        np.testing.assert_array_equal(drawn, reference.random_raw(1300))


class TestOneRounding:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(("low", "high"), [(-0.3, 0.7), (0.1, 1e6), (-1e-3, 1e-9), (1e10, 1.1e10)])
    def test_product_and_sum_are_rounded_together(self, dtype, low, high):
        low, high = dtype(low), dtype(high)
        width = Fraction(float(high - low))
        unit = Generator(3).rand(300, dtype)
        drawn = Generator(3).uniform(300, low, high, dtype)
        for u, value in zip(unit.tolist(), drawn, strict=True):
            exact = Fraction(u) * width + Fraction(float(low))
            neighbours = [np.nextafter(value, dtype(-np.inf)), np.nextafter(value, dtype(np.inf))]
            error = abs(Fraction(float(value)) - exact)
            assert all(error <= abs(Fraction(float(other)) - exact) for other in neighbours)


class TestShapes:
    @pytest.mark.parametrize("shape", [(), 0, 5, (2, 3), [4, 2], (0, 3), np.int64(4)])
    @pytest.mark.parametrize("draw", ["rand", "uniform", "randn", "normal"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_shape_and_dtype_are_those_asked_for(self, shape, draw, dtype):
        drawn = getattr(Generator(1), draw)(shape, dtype=dtype)
        assert isinstance(drawn, np.ndarray)
        assert drawn.shape == np.empty(shape).shape
        assert drawn.dtype == dtype

    def test_nothing_drawn_leaves_the_stream(self):
        generator = Generator(1)
        before = generator.get_state()
        generator.rand(0), generator.randn((3, 0)), generator.randperm(1), generator.randint(0, 3, 0)
        assert generator.get_state() == before

    def test_a_shape_is_filled_in_order(self):
        np.testing.assert_array_equal(Generator(2).rand((3, 4)).reshape(-1), Generator(2).rand(12))

    def test_normal_scales_and_shifts(self):
        standard = Generator(5).randn(1000, np.float64)
        np.testing.assert_allclose(Generator(5).normal(1000, 3.0, 2.0, np.float64), 3.0 + 2.0 * standard)
        assert abs(standard.mean()) < 0.1
        assert abs(standard.std() - 1) < 0.1

    def test_uniform_of_no_width_is_its_bound(self):
        assert Generator(0).uniform(3, 5.0, 5.0).tolist() == [5.0, 5.0, 5.0]

    def test_uniform_of_a_wide_float64_interval(self):
        drawn = Generator(0).uniform(100, -1e300, 1e300, np.float64)
        assert -1e300 <= drawn.min() < 0 < drawn.max() < 1e300

    def test_randperm_is_a_permutation(self):
        assert sorted(Generator(7).randperm(1000).tolist()) == list(range(1000))


class TestSeeds:
    def test_only_the_low_32_bits_of_a_seed_count(self):
        assert Generator(5).rand(3).tolist() == Generator(5 + 2**32).rand(3).tolist()
        assert Generator(-1).rand(3).tolist() == Generator(2**32 - 1).rand(3).tolist()

    def test_initial_seed_is_unsigned_as_in_pytorch(self):
        assert Generator(-1).initial_seed() == 2**64 - 1
        assert Generator(np.int64(10)).initial_seed() == 10

    def test_manual_seed_starts_anew_and_forgets_a_waiting_normal(self):
        generator = Generator(4)
        first = generator.randn(3).tolist()
        assert generator.manual_seed(4) is generator
        assert generator.randn(3).tolist() == first

    def test_no_seed_is_a_different_one_each_time(self):
        assert Generator().initial_seed() != Generator(None).initial_seed()

    def test_repr_shows_the_seed(self):
        assert repr(Generator(42)) == "Generator(seed=42)"


class TestState:
    @pytest.fixture
    def used(self):
        generator = Generator(9)
        generator.rand(5)
        generator.randn(3)  # one normal number waits
        return generator

    @pytest.mark.parametrize(
        "twin",
        [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))],
        ids=["copy", "deep", "pickle"],
    )
    def test_copies_go_on_alike_and_apart(self, used, twin):
        other = twin(used)
        assert other.get_state() == used.get_state()
        expected = [used.randn(2).tolist(), used.rand(700).tolist()]
        assert [other.randn(2).tolist(), other.rand(700).tolist()] == expected
        used.rand(1)
        assert other.get_state() != used.get_state()

    def test_set_state_goes_back(self, used):
        state = used.get_state()
        first = used.randn(20).tolist(), used.randn(1).tolist()
        assert used.set_state(state) is used
        assert (used.randn(20).tolist(), used.randn(1).tolist()) == first

    def test_state_is_a_value(self, used):
        state = used.get_state()
        assert isinstance(state, GeneratorState)
        assert pickle.loads(pickle.dumps(state)) == state
        assert hash(state) == hash(used.get_state())
        assert state != Generator(9).get_state()


class TestTheGlobalOne:
    def test_manual_seed_seeds_it(self):
        assert manual_seed(10) is default_generator()
        first = default_generator().rand(3).tolist()
        assert first == Generator(10).rand(3).tolist()

    def test_resolve(self):
        mine = Generator(1)
        assert resolve(mine) is mine
        assert resolve(None) is default_generator()

    def test_using_puts_another_in_its_place(self):
        outer, inner = Generator(1), Generator(2)
        before = default_generator().get_state()
        with using(outer) as current:
            assert current is outer
            assert resolve(None) is outer
            with using(inner):
                assert default_generator() is inner
            with using(None):
                assert default_generator() is outer
            default_generator().rand(3)
        assert default_generator().get_state() == before

    def test_using_ends_with_an_error_too(self):
        before = default_generator()
        with pytest.raises(KeyError), using(Generator(1)):
            raise KeyError
        assert default_generator() is before

    def test_using_is_seen_by_its_own_thread_only(self):
        seen = []
        with using(Generator(1)) as mine:
            thread = threading.Thread(target=lambda: seen.append(default_generator()))
            thread.start()
            thread.join()
            assert contextvars.copy_context().run(default_generator) is mine
        assert seen == [random._global()]


WRONG_CALLS = {
    "seed a float": (
        lambda: Generator(1.5),
        TypeError,
        "manual_seed: expected an integer seed, got 1.5 of type float. Pass an integer such as 10.",
    ),
    "seed a text": (
        lambda: manual_seed("10"),
        TypeError,
        "manual_seed: expected an integer seed, got '10' of type str. Pass an integer such as 10.",
    ),
    "seed too large": (
        lambda: manual_seed(2**64 + 3),
        ValueError,
        "manual_seed: expected a seed from -2**63 to 2**64 - 1, got 18446744073709551619."
        " Only the low 32 bits count: pass 3.",
    ),
    "state of another kind": (
        lambda: Generator(1).set_state({"seed": 1}),
        TypeError,
        "Generator.set_state: expected a GeneratorState, got dict. Pass what get_state() gave.",
    ),
    "negative permutation": (
        lambda: Generator(1).randperm(-1),
        ValueError,
        "Generator.randperm: expected n ≥ 0, got -1. Pass how many there are to draw.",
    ),
    "permutation of half a thing": (
        lambda: Generator(1).randperm(2.5),
        TypeError,
        "Generator.randperm: expected an integer n, got 2.5 of type float. Pass len(data) or the like.",
    ),
    "huge permutation": (
        lambda: Generator(1).randperm(10**9),
        ValueError,
        "Generator.randperm: expected n < 214748364, got 1000000000. Permute in parts.",
    ),
    "negative words": (
        lambda: Generator(1).random_raw(-2),
        ValueError,
        "Generator.random_raw: expected n ≥ 0, got -2. Pass how many there are to draw.",
    ),
    "integers": (
        lambda: Generator(1).rand(3, np.int64),
        TypeError,
        "Generator.uniform: expected dtype float32 or float64, got int64. Draw in one of these and convert.",
    ),
    "half precision": (
        lambda: Generator(1).randn(3, np.float16),
        TypeError,
        "Generator.normal: expected dtype float32 or float64, got float16. Draw in one of these and convert.",
    ),
    "shape of floats": (
        lambda: Generator(1).rand((2.0, 3)),
        TypeError,
        "Generator.uniform: expected a shape of integers, got (2.0, 3). Pass n or a tuple such as (n, 2).",
    ),
    "negative shape": (
        lambda: Generator(1).randn((2, -3)),
        ValueError,
        "Generator.normal: expected a shape of sizes ≥ 0, got (2, -3). A size may be 0, never negative.",
    ),
    "bounds the wrong way round": (
        lambda: Generator(1).uniform(3, 2.0, 1.0),
        ValueError,
        "Generator.uniform: expected low ≤ high with a width finite in float32, got low=2.0, high=1.0."
        " Swap the bounds or narrow them.",
    ),
    "an interval beyond float32": (
        lambda: Generator(1).uniform(3, -3e38, 3e38),
        ValueError,
        "Generator.uniform: expected low ≤ high with a width finite in float32, got low=-3e+38, high=3e+38."
        " Swap the bounds or narrow them.",
    ),
    "a bound that is no number": (
        lambda: Generator(1).uniform(3, 0.0, float("nan"), np.float64),
        ValueError,
        "Generator.uniform: expected low ≤ high with a width finite in float64, got low=0.0, high=nan."
        " Swap the bounds or narrow them.",
    ),
    "negative deviation": (
        lambda: Generator(1).normal(3, 0.0, -1.0),
        ValueError,
        "Generator.normal: expected a finite mean and a finite std ≥ 0, got mean=0.0, std=-1.0."
        " std is the standard deviation, not the variance.",
    ),
    "empty range": (
        lambda: Generator(1).randint(5, 5, 3),
        ValueError,
        "Generator.randint: expected low < high, both within int64, got low=5, high=5. high itself is never drawn.",
    ),
    "not a generator": (
        lambda: resolve(np.random.default_rng(0)),
        TypeError,
        "generator: expected a maillon.random.Generator or None, got <class 'numpy.random._generator.Generator'>."
        " Pass Generator(seed).",
    ),
    "using a seed": (
        lambda: using(10).__enter__(),
        TypeError,
        "generator: expected a maillon.random.Generator or None, got <class 'int'>. Pass Generator(seed).",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls_say_what_is_wrong_and_draw_nothing(call, kind, message):
    says(call, kind, message)


@pytest.mark.parametrize("drawn", [0, 1, 623, 624, 625, 2000])
def test_a_state_is_what_numpy_tells(drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator(3)
    generator.random_raw(drawn)
    state, told = generator.get_state(), generator.bit_generator.state["state"]
    assert (state.words, state.position) == (told["key"].tobytes(), told["pos"])
    monkeypatch.setattr("maillon.twister.is_readable", lambda: False)
    assert generator.get_state() == state


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda bits: pickle.loads(pickle.dumps(bits))])
def test_the_bit_generator_can_be_copied(copied: Any) -> None:
    bits = Generator(3).bit_generator
    bits.random_raw(5)
    assert copied(bits).random_raw() == bits.random_raw()
