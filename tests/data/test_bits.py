"""Whole numbers of any size have bits, and sums become sequences of them."""

from itertools import islice

import numpy as np
import pytest
from helpers import FLOATS, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook.data import binary_addition, binary_sums, from_bits, to_bits


@st.composite
def binary_numbers(draw, lists=1, signed=None, max_bits=300):
    """A number of bits, and equally long lists of numbers that fit in them."""
    bits = draw(st.integers(1, max_bits))
    low, high = -(2 ** (bits - 1)), 2**bits - 1
    if signed is not None:
        low, high = (low, -low - 1) if signed else (0, high)
    numbers = st.integers(low, high) | st.sampled_from([low, high, 0])
    length = draw(st.integers(1, 4))
    return bits, *(draw(st.lists(numbers, min_size=length, max_size=length)) for _ in range(lists))


@given(binary_numbers())
def test_the_bits_are_those_that_python_writes_the_lowest_first(drawn):
    bits, numbers = drawn
    rows = to_bits(numbers, bits)
    assert (rows.shape, rows.dtype) == ((len(numbers), bits), np.uint8)
    for row, number in zip(rows, numbers, strict=True):
        assert "".join(map(str, reversed(row))) == f"{number % 2**bits:0{bits}b}"


@pytest.mark.parametrize("signed", [False, True])
@given(data=st.data())
def test_from_bits_is_the_inverse_of_to_bits(signed, data):
    bits, numbers = data.draw(binary_numbers(signed=signed))
    assert from_bits(to_bits(numbers, bits), signed=signed).tolist() == numbers


@pytest.mark.parametrize("bits", [62, 63, 64, 65])
def test_no_bit_is_lost_where_the_integers_of_numpy_end(bits):
    low, high = -(2 ** (bits - 1)), 2**bits - 1
    assert from_bits(to_bits([0, high], bits)).tolist() == [0, high]
    assert from_bits(to_bits([low, -1], bits), signed=True).tolist() == [low, -1]
    for signed in (False, True):
        dtype = from_bits(np.ones((2, bits), int), signed=signed).dtype
        assert dtype == (np.int64 if bits <= 62 else object)


@pytest.mark.parametrize(
    "numbers",
    [
        (5, 0, 7),
        np.array([5, 0, 7], np.int8),
        np.array([5, 0, 7], np.uint64),
        np.array([5, 0, 7], ">i2"),
        np.array([5, 0, 7], object),
        np.array([5, 9, 0, 9, 7])[::2],
        [np.int8(5), np.uint64(0), 7],
    ],
)
@pytest.mark.parametrize("bits", [3, 70])
def test_whole_numbers_of_any_kind_have_bits(numbers, bits):
    expected = np.zeros((3, bits), int)
    expected[:, :3] = [[1, 0, 1], [0, 0, 0], [1, 1, 1]]
    np.testing.assert_array_equal(to_bits(numbers, bits), expected)


def test_no_numbers_have_no_bits():
    assert to_bits([], 5).shape == (0, 5)
    assert from_bits(np.zeros((0, 5), int)).shape == (0,)


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int64, np.uint64, ">i4"], ids=lambda dtype: np.dtype(dtype).str
)
@pytest.mark.parametrize("bits", [4, 64])
def test_bits_of_any_dtype_are_read(dtype, bits):
    rows = np.zeros((2, bits), dtype)
    rows[0, [0, bits - 1]] = 1
    assert from_bits(rows).tolist() == [1 + 2 ** (bits - 1), 0]
    assert from_bits(rows, signed=True).tolist() == [1 - 2 ** (bits - 1), 0]


@pytest.mark.parametrize(
    ("error", "numbers", "bits", "wanted"),
    [
        (ValueError, [0, 8], 3, "numbers[1] must be an integer from -4 to 7, got 8"),
        (ValueError, (-5,), 3, "numbers[0] must be an integer from -4 to 7, got -5"),
        (ValueError, [2**70], 70, f"numbers[0] must be an integer from {-(2**69)} to {2**70 - 1}"),
        (ValueError, np.array([-5, 7]), 3, "numbers must hold integers from -4 to 7, which fit in"),
        (ValueError, np.array([8], np.uint64), 3, "3 bits; got 8 to 8"),
        (ValueError, np.array([2**64 - 1], np.uint64), 63, "got 18446744073709551615 to"),
        (TypeError, [1.0], 3, "numbers[0] must be an integer from -4 to 7, got float 1.0"),
        (TypeError, np.array([1.0]), 3, "numbers[0] must be an integer from -4 to 7, got "),
        (TypeError, [True], 3, "numbers[0] must be an integer from -4 to 7, got bool True"),
        (TypeError, np.array([True]), 3, "numbers[0] must be an integer from -4 to 7, got "),
        (TypeError, np.array([1, None]), 3, "numbers[1] must be an integer from -4 to 7, got None"),
        (TypeError, [[1], [1, 0]], 3, "numbers[0] must be an integer from -4 to 7, got list [1]"),
        (TypeError, 5, 3, "numbers must be a sequence of integers, got int 5"),
        (TypeError, np.array(5), 3, "numbers must be a sequence of integers, got an array of"),
        (TypeError, np.array([[5]]), 3, "numbers must be a sequence of integers, got an array of"),
        (TypeError, "101", 3, "numbers must be a sequence of integers, got str '101'"),
        (TypeError, b"101", 3, "numbers must be a sequence of integers, got bytes b'101'"),
        (TypeError, {5}, 3, "numbers must be a sequence of integers, got set {5}"),
        (ValueError, [0], 0, "bits must be an integer >= 1, got 0"),
        (TypeError, [0], 3.0, "bits must be an integer >= 1, got float 3.0"),
        (TypeError, [0], True, "bits must be an integer >= 1, got bool True"),
    ],
)
def test_what_has_no_bits_is_refused(error, numbers, bits, wanted):
    with refusal(error, wanted):
        to_bits(numbers, bits)


@pytest.mark.parametrize(
    ("error", "rows", "signed", "wanted"),
    [
        (TypeError, [[0, True]], False, "rows must hold integer bits, got bool True"),
        (ValueError, [[0, 1], [0]], False, "rows must hold bits in rows of one length, got list"),
        (TypeError, np.array([0, 1]), False, "rows must be an (N, bits) array of bits, got an"),
        (TypeError, np.array([[0.0, 1.0]]), False, "and dtype float64"),
        (TypeError, np.array([[0, 1]], object), False, "and dtype object"),
        (ValueError, np.array([[0, 2]]), False, "rows must hold bits in 0 .. 1, got 2 at index"),
        (ValueError, np.array([[0, -1]]), False, "rows must hold bits in 0 .. 1, got -1 at index"),
        (TypeError, np.array([[0, 1]]), 1, "signed must be True or False, got int 1"),
    ],
)
def test_what_is_no_row_of_bits_is_refused(error, rows, signed, wanted):
    with refusal(error, wanted):
        from_bits(rows, signed=signed)


@pytest.mark.parametrize("dtype", FLOATS)
@given(drawn=binary_numbers(lists=2))
def test_a_sum_becomes_three_sequences_of_bits(dtype, drawn):
    bits, a, b = drawn
    xs, ts = binary_addition(a, b, bits=bits, dtype=dtype)
    assert (xs.shape, ts.shape) == ((len(a), bits, 2), (len(a), bits, 1))
    assert xs.dtype == ts.dtype == dtype
    np.testing.assert_array_equal(xs[:, :, 0], to_bits(a, bits))
    np.testing.assert_array_equal(xs[:, :, 1], to_bits(b, bits))
    sums = [(p + q) % 2**bits for p, q in zip(a, b, strict=True)]
    assert from_bits(ts[:, :, 0].astype(int)).tolist() == sums


@pytest.mark.parametrize("bits", [8, 62, 64])
@pytest.mark.parametrize("pack", [np.array, list], ids=["array", "list of numpy numbers"])
def test_small_dtypes_do_not_overflow_in_a_sum(bits, pack):
    a, b = pack(np.array([127], np.int8)), pack(np.array([100], np.uint8))
    _, ts = binary_addition(a, b, bits=bits)
    assert from_bits(ts[:, :, 0].astype(int)) == 227


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"a": [256]}, "a[0] must be an integer from -128 to 255, got 256"),
        (ValueError, {"b": np.array([-129])}, "b must hold integers from -128 to 255, which fit"),
        (TypeError, {"b": 5}, "b must be a sequence of integers, got int 5"),
        (ValueError, {"b": [1, 2]}, "a and b must be equally many, got 1 and 2"),
        (ValueError, {"bits": 0}, "bits must be an integer >= 1, got 0"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_bad_sums_are_refused(error, change, wanted):
    with refusal(error, wanted):
        binary_addition(**({"a": [1], "b": [2]} | change))


@pytest.mark.parametrize("bits", [1, 5, 8, 63])
def test_random_sums_fit_in_their_bits(bits):
    for xs, ts in islice(binary_sums(4, bits=bits, rng=np.random.default_rng(0)), 20):
        assert xs.shape == (4, bits, 2)
        a, b, sums = (from_bits(x.astype(int)) for x in (xs[..., 0], xs[..., 1], ts[..., 0]))
        assert max(a.max(), b.max()) < 2 ** (bits - 1)
        np.testing.assert_array_equal(a + b, sums)


def test_random_sums_reach_every_pair_and_come_from_the_generator():
    def first(seed, count):
        batches = binary_sums(1, bits=3, rng=np.random.default_rng(seed), dtype=np.float32)
        return [xs.tobytes() for xs, _ in islice(batches, count)]

    assert len(set(first(0, 300))) == 4 * 4
    assert first(0, 9) == first(0, 9)
    assert first(0, 9) != first(1, 9)


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        (TypeError, {"batch_size": 2.0}, "batch_size must be an integer >= 1, got float 2.0"),
        (ValueError, {"bits": 64}, "bits must be an integer from 1 to 63, got 64"),
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_bad_random_sums_are_refused_at_once(error, change, wanted):
    with refusal(error, wanted):
        binary_sums(**({"batch_size": 2, "rng": np.random.default_rng(0)} | change))
