"""Batches leave nobody out: of a text in order, of examples in any."""

from itertools import islice

import numpy as np
import pytest
from helpers import read_only, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import truncated_bptt_batches
from rnnbook.batches import minibatches

# Batches of a text --------------------------------------------------------------------


@st.composite
def readings(draw):
    """The number of predictions in a text, of readers, and of steps in a batch."""
    P = draw(st.integers(1, 60))
    return P, draw(st.integers(1, P)), draw(st.integers(1, P))


def places(P, N, T, **options):
    """Return where each reader is at each step: the text counts its own tokens."""
    xs, ts = zip(*truncated_bptt_batches(np.arange(P + 1), N, T, **options), strict=True)
    assert all(x.shape == t.shape == (N, T) for x, t in zip(xs, ts, strict=True))
    np.testing.assert_array_equal(np.array(ts), np.array(xs) + 1)  # neighbours in the text
    return np.concatenate(xs, axis=1)


@given(readings())
def test_every_reader_begins_at_its_place_and_goes_on_without_a_gap(drawn):
    P, N, T = drawn
    read = places(P, N, T, batches=2 * P // T + 2)  # beyond the end of the text, twice
    for n, row in enumerate(read):
        np.testing.assert_array_equal(row, (n * (P // N) + np.arange(len(row))) % P)


@given(readings())
def test_as_few_batches_as_possible_make_every_prediction(drawn):
    P, N, T = drawn
    read = places(P, N, T)
    assert set(read.ravel()) == set(range(P))
    assert set(read[:, :-T].ravel()) != set(range(P))
    if P % (N * T) == 0:
        assert read.size == P


def test_readers_of_a_small_text():
    text = np.array([7, 3, 9, 3, 5, 1, 8])
    (xs, ts), (more, next_ts) = truncated_bptt_batches(text, 2, 2)
    assert (xs.tolist(), ts.tolist()) == ([[7, 3], [3, 5]], [[3, 9], [5, 1]])
    assert (more.tolist(), next_ts.tolist()) == ([[9, 3], [1, 7]], [[3, 5], [8, 3]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, ">i4"])
def test_batches_are_copies_with_the_dtype_of_the_text(dtype):
    text = read_only(np.arange(9).astype(dtype))
    for xs, ts in truncated_bptt_batches(text, 2, 3, batches=1):
        assert xs.dtype == ts.dtype == dtype
        xs += 1
        np.testing.assert_array_equal(xs, ts)
    np.testing.assert_array_equal(text, np.arange(9))


@pytest.mark.parametrize("batches", [0, 1, 5])
def test_so_many_batches_come_as_were_asked_for(batches):
    assert len(list(truncated_bptt_batches(np.arange(5), 2, 2, batches=batches))) == batches


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"tokens": np.zeros(0, int)}, "tokens must hold at least two tokens, got 0"),
        (ValueError, {"tokens": np.zeros(1, int)}, "tokens must hold at least two tokens, got 1"),
        (ValueError, {"tokens": np.zeros((5, 1), int)}, "tokens must have shape (P + 1,), got"),
        (ValueError, {"tokens": np.array(5)}, "tokens must have shape (P + 1,), got ()"),
        (ValueError, {"tokens": np.array([0, 1, -1])}, "got -1 at index [2]"),
        (TypeError, {"tokens": np.zeros(5)}, "tokens must hold integer tokens, got dtype float64"),
        (TypeError, {"tokens": np.zeros(5, bool)}, "tokens must hold integer tokens, got dtype"),
        (TypeError, {"tokens": [0, 1.0]}, "tokens must hold integer tokens, got float 1.0"),
        (
            TypeError,
            {"tokens": "hello"},
            "tokens must be a list or numpy array of integer tokens, got",
        ),
        (ValueError, {"batch_size": 5}, "batch_size must be an integer from 1 to 4, got 5"),
        (ValueError, {"batch_size": 0}, "batch_size must be an integer from 1 to 4, got 0"),
        (TypeError, {"batch_size": True}, "batch_size must be an integer from 1 to 4, got bool"),
        (TypeError, {"batch_size": 2.0}, "batch_size must be an integer from 1 to 4, got float"),
        (ValueError, {"time_size": 5}, "time_size must be an integer from 1 to 4, got 5"),
        (ValueError, {"time_size": 0}, "time_size must be an integer from 1 to 4, got 0"),
        (TypeError, {"time_size": [2]}, "time_size must be an integer from 1 to 4, got list [2]"),
        (ValueError, {"batches": -1}, "batches must be an integer >= 0, got -1"),
        (TypeError, {"batches": 1.5}, "batches must be an integer >= 0, got float 1.5"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_at_once(error, change, wanted):
    arguments = {"tokens": np.arange(5), "batch_size": 2, "time_size": 2}
    with refusal(error, wanted):
        truncated_bptt_batches(**(arguments | change))


# Minibatches --------------------------------------------------------------------------


@given(size=st.integers(1, 30), data=st.data())
def test_every_epoch_visits_every_example_once_with_its_label(size, data):
    batch_size = data.draw(st.integers(1, size))
    x, t = 10.0 * np.arange(size)[:, None], np.arange(size)
    batches = minibatches(x, t, batch_size, rng=np.random.default_rng(size))
    count = -(-size // batch_size)
    for _ in range(3):
        epoch = list(islice(batches, count))
        assert [len(labels) for _, labels in epoch[:-1]] == [batch_size] * (count - 1)
        assert len(epoch[-1][1]) == size - batch_size * (count - 1)
        labels = np.concatenate([labels for _, labels in epoch])
        np.testing.assert_array_equal(np.sort(labels), t)
        rows = np.concatenate([rows for rows, _ in epoch])
        np.testing.assert_array_equal(rows, 10 * labels[:, None])


def test_the_order_comes_from_the_generator_and_changes_every_epoch():
    def epochs(seed):
        x = np.arange(20)
        batches = minibatches(x, x, 20, rng=np.random.default_rng(seed))
        return [labels.tolist() for _, labels in islice(batches, 2)]

    first, second = epochs(0)
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1) != [first, second]


def test_a_batch_is_a_copy():
    x, t = np.zeros((3, 2)), np.zeros(3, int)
    rows, labels = next(minibatches(x, t, 3, rng=np.random.default_rng(0)))
    rows += 1
    labels += 1
    assert not x.any()
    assert not t.any()


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"x": [[1.0]] * 5}, "x must be a numpy array of examples, got list"),
        (TypeError, {"t": np.array(1)}, "t must be a numpy array of examples, got an array"),
        (ValueError, {"t": np.zeros(4, int)}, "equally many examples, at least one; got 5 and 4"),
        (ValueError, {"x": np.ones((0, 2)), "t": np.zeros(0, int)}, "got 0 and 0"),
        (ValueError, {"batch_size": 0}, "batch_size must be an integer from 1 to 5, got 0"),
        (ValueError, {"batch_size": 6}, "batch_size must be an integer from 1 to 5, got 6"),
        (TypeError, {"batch_size": 2.0}, "got float 2.0"),
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_batches_are_refused_at_once(error, change, wanted):
    arguments = {
        "x": np.ones((5, 2)),
        "t": np.zeros(5, int),
        "batch_size": 2,
        "rng": np.random.default_rng(0),
    }
    with refusal(error, wanted):
        minibatches(**(arguments | change))
