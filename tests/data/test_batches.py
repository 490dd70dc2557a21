import numpy as np
import pytest

from maillon.data import batches
from maillon.random import Generator, default_generator, using

X = np.arange(20).reshape(10, 2)
Y = np.arange(10)


class TestInOrder:
    def test_cuts_data_into_views_and_keeps_a_short_last_batch(self):
        cut = list(batches(X, Y, batch_size=4))
        assert [len(x) for x, _ in cut] == [4, 4, 2]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in cut]), X)
        np.testing.assert_array_equal(np.concatenate([y for _, y in cut]), Y)
        assert all(np.shares_memory(x, X) and np.shares_memory(y, Y) for x, y in cut)

    def test_draws_nothing(self):
        before = default_generator().get_state()
        list(batches(X, batch_size=3))
        assert default_generator().get_state() == before

    @pytest.mark.parametrize(
        ("size", "drop_last", "lengths"),
        [
            (4, False, [4, 4, 2]),
            (4, True, [4, 4]),
            (5, True, [5, 5]),
            (5, False, [5, 5]),
            (10, False, [10]),
            (99, False, [10]),
            (99, True, []),
        ],
    )
    def test_len_is_the_number_of_batches(self, size, drop_last, lengths):
        cut = batches(Y, batch_size=size, drop_last=drop_last)
        assert [len(y) for y in cut] == lengths
        assert len(cut) == len(lengths)


class TestShuffled:
    def test_one_permutation_an_iteration_from_the_generator(self):
        cut = batches(X, Y, batch_size=3, shuffle=True, generator=Generator(1))
        stream = Generator(1)
        for _ in range(2):
            order = stream.randperm(10)
            for i, (x, y) in enumerate(cut):
                rows = order[3 * i : 3 * i + 3]
                np.testing.assert_array_equal(x, X[rows])
                np.testing.assert_array_equal(y, Y[rows])
                assert not np.shares_memory(x, X)

    def test_none_is_the_default_generator(self):
        with using(Generator(5)):
            drawn = [batch.tolist() for batch in batches(Y, batch_size=10, shuffle=True)]
        assert drawn == [Generator(5).randperm(10).tolist()]

    def test_drop_last_leaves_out_the_end_of_the_permutation(self):
        drawn = np.concatenate(list(batches(Y, batch_size=4, shuffle=True, generator=Generator(2), drop_last=True)))
        assert drawn.tolist() == Generator(2).randperm(10)[:8].tolist()


class TestStructure:
    def test_a_single_item_comes_without_a_tuple(self):
        assert [batch.tolist() for batch in batches([1, 2, 3], batch_size=2)] == [[1, 2], [3]]

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_tuples_and_dicts_nest(self, shuffle):
        data = {"pixels": X, "both": (Y, -Y)}
        seen = []
        for inputs, target in batches(data, Y, batch_size=4, shuffle=shuffle, generator=Generator(3)):
            assert set(inputs) == {"pixels", "both"}
            first, second = inputs["both"]
            np.testing.assert_array_equal(inputs["pixels"], X[target])
            np.testing.assert_array_equal(first, target)
            np.testing.assert_array_equal(second, -target)
            seen += target.tolist()
        assert sorted(seen) == Y.tolist()

    def test_repr_says_what_it_cuts(self):
        cut = batches(X, Y, batch_size=4, shuffle=True)
        assert repr(cut) == "Batches(10 samples, batch_size=4, shuffle=True, drop_last=False)"


WRONG_CALLS = {
    "no data": (
        lambda: batches(batch_size=2),
        ValueError,
        "batches: expected at least one sample in every array, got lengths []. Pass arrays with one row a sample.",
    ),
    "empty data": (
        lambda: batches(np.empty((0, 3)), np.empty(0), batch_size=2),
        ValueError,
        "batches: expected at least one sample in every array, got lengths [0, 0]. Pass arrays with one row a sample.",
    ),
    "a number": (
        lambda: batches(3.0, batch_size=2),
        ValueError,
        "batches: expected at least one sample in every array, got lengths [0]. Pass arrays with one row a sample.",
    ),
    "unequal lengths": (
        lambda: batches((X, Y[:3]), {"y": Y}, batch_size=2),
        ValueError,
        "batches: expected arrays of one length, got lengths [10, 3, 10]. Pass one row a sample in each.",
    ),
    "batch size 0": (
        lambda: batches(X, batch_size=0),
        ValueError,
        "batches: expected batch_size ≥ 1, got 0. Pass len(x) for a single batch.",
    ),
    "half a sample": (
        lambda: batches(X, batch_size=2.5),
        TypeError,
        "batches: expected an integer batch_size, got 2.5. Pass the number of samples in a batch.",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
