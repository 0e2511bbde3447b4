"""The functions hold for every finite input, against decimal arithmetic of 60 digits."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from helpers import FLOATS, refusal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnbook.functions import cross_entropy, log_sum_exp, one_hot, perplexity, sigmoid, softmax

RTOL = {np.float32: 2e-5, np.float64: 2e-13}  # an exponent of -700 has lost three digits
ATOL = {np.float32: 1e-6, np.float64: 1e-15}  # for sums of nearly equal numbers
both_floats = pytest.mark.parametrize("dtype", FLOATS)


@st.composite
def scores(draw, dtype, axes):
    """Arrays of finite numbers, the largest and the smallest well among them."""
    shape = draw(hnp.array_shapes(min_dims=axes, max_dims=axes, max_side=5))
    info = np.finfo(dtype)
    extremes = [info.max, info.min, info.tiny, info.smallest_subnormal, -0.0, 88, -104, 710, -746]
    anything = st.floats(width=info.bits, allow_nan=False, allow_infinity=False)
    few = st.floats(-40, 40, width=info.bits)
    elements = anything | few | st.sampled_from([float(x) for x in extremes])
    return draw(hnp.arrays(dtype, shape, elements=elements))


def exactly(function, *arguments):
    """Evaluate in decimal arithmetic, and only then round to a float."""
    with localcontext() as context:
        context.prec = 60
        return float(function(*arguments))


def sigmoid_of(x):
    return 1 / (1 + (-x).exp()) if x >= 0 else x.exp() / (1 + x.exp())


def below(row):
    return [x - max(row) for x in row]


def log_sum_exp_of(row):
    return max(row) + sum(x.exp() for x in below(row)).ln()


def softmax_of(row, i):
    return below(row)[i].exp() / sum(x.exp() for x in below(row))


def cross_entropy_of(row, true):
    return sum(x.exp() for x in below(row)).ln() - below(row)[true]


def decimals(row):
    return [Decimal(float(x)) for x in row]


def close(actual, expected, dtype):
    np.testing.assert_allclose(
        np.asarray(actual, float), expected, rtol=RTOL[dtype], atol=ATOL[dtype]
    )


@both_floats
@given(data=st.data())
def test_sigmoid_is_right_for_every_finite_number(dtype, data):
    x = data.draw(scores(dtype, 1))
    y = sigmoid(x)
    expected = [exactly(sigmoid_of, n) for n in decimals(x)]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=RTOL[dtype], atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("x", [0, 0.5, -800.0, 10**30, np.float32(2)])
def test_sigmoid_of_a_number_is_a_number(x):
    y = sigmoid(x)
    assert np.ndim(y) == 0
    assert y.dtype == getattr(x, "dtype", np.float64)
    assert float(y) == pytest.approx(exactly(sigmoid_of, Decimal(float(x))), rel=1e-6)


@both_floats
@given(data=st.data())
def test_log_sum_exp_is_right_for_every_finite_row(dtype, data):
    x = data.draw(scores(dtype, 2))
    expected = [exactly(log_sum_exp_of, decimals(row)) for row in x]
    actual = log_sum_exp(x)
    assert (actual.dtype, actual.shape) == (dtype, x.shape[:1])
    close(actual, expected, dtype)


@both_floats
@given(data=st.data())
def test_softmax_is_right_for_every_finite_row(dtype, data):
    x = data.draw(scores(dtype, 2))
    y = softmax(x)
    expected = [[exactly(softmax_of, row, i) for i in range(len(row))] for row in map(decimals, x)]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=RTOL[dtype], atol=np.finfo(dtype).tiny)
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=RTOL[dtype])


@both_floats
@given(data=st.data())
def test_cross_entropy_is_right_for_every_finite_row(dtype, data):
    x = data.draw(scores(dtype, 2))
    t = data.draw(hnp.arrays(int, len(x), elements=st.integers(0, x.shape[1] - 1)))
    each = [exactly(cross_entropy_of, decimals(row), true) for row, true in zip(x, t, strict=True)]
    largest = float(np.finfo(dtype).max)
    loss = cross_entropy(x, t)
    assert loss.dtype == dtype
    if max(each) > largest:
        assert loss == np.inf
    else:
        close(loss, sum(n / len(each) for n in each), dtype)


@both_floats
def test_the_mean_of_large_losses_does_not_overflow(dtype):
    large = np.finfo(dtype).max / 2
    x = np.tile(np.array([0, large], dtype), (5, 1))
    np.testing.assert_allclose(cross_entropy(x, np.zeros(5, int)), large, rtol=1e-6)


@both_floats
@given(
    x=hnp.arrays(int, (3, 4), elements=st.integers(-50, 50)),
    shift=st.integers(-(2**20), 2**20),
)
def test_a_shift_of_all_scores_changes_no_digit(dtype, x, shift):
    t = np.array([3, 0, 1])
    here, there = x.astype(dtype), (x + shift).astype(dtype)  # both exact
    np.testing.assert_array_equal(softmax(here), softmax(there))
    assert cross_entropy(here, t) == cross_entropy(there, t)
    np.testing.assert_allclose(
        log_sum_exp(there), log_sum_exp(here) + dtype(shift), rtol=RTOL[dtype], atol=ATOL[dtype]
    )


@pytest.mark.parametrize("axes", [1, 3, 4])
@given(data=st.data())
def test_only_the_last_axis_is_normalised(axes, data):
    x = data.draw(scores(np.float64, axes))
    rows = x.reshape(-1, x.shape[-1])
    np.testing.assert_array_equal(softmax(x), softmax(rows).reshape(x.shape))
    np.testing.assert_array_equal(log_sum_exp(x), log_sum_exp(rows).reshape(x.shape[:-1]))


@given(x=scores(np.float64, 2))
def test_the_input_is_left_as_it_was(x):
    before = x.copy()
    t = np.zeros(len(x), int)
    for result in (sigmoid(x), softmax(x), log_sum_exp(x), cross_entropy(x, t)):
        assert not np.shares_memory(result, x)
    np.testing.assert_array_equal(x, before)


@both_floats
@pytest.mark.parametrize("shape", [(3, 2**17 + 1), (2, 2**18), (2**17 + 3, 1), (700, 400)])
def test_rows_beyond_what_is_computed_at_once_are_all_computed(dtype, shape):
    x = np.zeros(shape, dtype)
    x[:, -1] = np.linspace(0, 5, shape[0])  # each row has its own answer
    largest = np.exp(x[:, -1].astype(float))
    total = shape[1] - 1 + largest
    y = softmax(x)
    close(y[:, -1], largest / total, dtype)
    close(y[:, 0], (1 if shape[1] > 1 else largest) / total, dtype)
    close(log_sum_exp(x), np.log(total), dtype)
    t = np.full(shape[0], shape[1] - 1)
    close(cross_entropy(x, t), np.mean(np.log(total / largest)), dtype)


def test_labels_and_one_hot_rows_give_the_same_loss_even_when_n_equals_c():
    x = np.array([[0.3, -0.8, 0.5], [2.0, 0.1, -1.0], [0.0, 0.4, 0.9]])
    t = np.array([0, 0, 1])
    by_hand = np.mean(
        [np.log(np.exp(row).sum()) - row[true] for row, true in zip(x, t, strict=True)]
    )
    assert cross_entropy(x, t) == pytest.approx(by_hand, rel=1e-14)
    for rows in (np.eye(3)[t], np.eye(3, dtype=bool)[t], np.eye(3, dtype=int)[t]):
        assert cross_entropy(x, rows) == cross_entropy(x, t)


def test_a_single_example_is_not_divided_by_the_number_of_classes():
    x = np.array([0.3, -0.8, 0.5])
    batch = cross_entropy(x[None], np.array([2]))
    assert cross_entropy(x, np.array(2)) == batch
    assert cross_entropy(x, np.array([0, 0, 1])) == batch


@pytest.mark.parametrize("function", [sigmoid, softmax, log_sum_exp])
@pytest.mark.parametrize(
    ("error", "x", "wanted"),
    [
        (TypeError, [1.0, 2.0], "x must be a"),
        (TypeError, np.array([1, 2]), "x must hold float32 or float64 numbers, got dtype int"),
        (TypeError, np.array([True]), "got dtype bool"),
        (ValueError, np.array([[0.0, np.nan]]), "x must be finite, got nan at index [0, 1]"),
        (ValueError, np.array([np.inf]), "x must be finite, got inf at index [0]"),
    ],
)
def test_bad_input_is_refused(function, error, x, wanted):
    with refusal(error, wanted):
        function(x)


@pytest.mark.parametrize("function", [softmax, log_sum_exp])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_scores_without_a_class_are_refused(function, shape):
    with refusal(ValueError, f"x must have shape (..., C) and not be empty, got {shape}"):
        function(np.ones(shape))


@pytest.mark.parametrize("x", ["1.0", None, True, 1j])
def test_sigmoid_of_what_is_no_number_is_refused(x):
    with refusal(TypeError, "x must be a finite number, got ", repr(x)):
        sigmoid(x)


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (2, 2, 2)])
def test_cross_entropy_refuses_scores_of_another_rank(shape):
    with refusal(ValueError, f"x must have shape (N, C) or (C,) and not be empty, got {shape}"):
        cross_entropy(np.ones(shape), np.zeros(shape[:-1], int))


def test_cross_entropy_refuses_soft_rows():
    with refusal(ValueError, "t must hold one-hot rows", "[0.5, 0.5]"):
        cross_entropy(np.ones((1, 2)), np.array([[0.5, 0.5]]))


@pytest.mark.parametrize("k", [1, 2, 10_000])
def test_choosing_among_k_equally_likely_tokens_has_the_perplexity_k(k):
    loss = cross_entropy(np.zeros((3, k)), np.array([0, k - 1, k // 2]))
    assert perplexity(loss) == pytest.approx(k, rel=1e-12)


@both_floats
@given(data=st.data())
def test_perplexity_is_the_exponential_of_every_loss(dtype, data):
    losses = np.abs(data.draw(scores(dtype, 1)))
    actual = perplexity(losses)
    assert (actual.dtype, actual.shape) == (dtype, losses.shape)
    for loss, value in zip(losses.tolist(), actual.tolist(), strict=True):
        expected = exactly(Decimal.exp, Decimal(min(loss, 800)))
        beyond = expected > float(np.finfo(dtype).max)
        assert value == (np.inf if beyond else pytest.approx(expected, rel=RTOL[dtype]))


@pytest.mark.parametrize("loss", [0, -0.0, 2, 1.5, np.float32(1.5), np.array(1.5), 10**300])
def test_the_perplexity_of_a_number_is_a_number(loss):
    value = perplexity(loss)
    assert np.ndim(value) == 0
    assert value >= 1
    assert value.dtype == (np.float32 if isinstance(loss, np.float32) else np.float64)


@pytest.mark.parametrize(
    ("error", "loss", "wanted"),
    [
        (ValueError, -1e-9, "loss must not be negative, got -1e-09"),
        (ValueError, np.array([1.0, -2.0, 3.0]), "loss must not be negative, got -2.0"),
        (ValueError, np.nan, "loss must be a finite number, got nan"),
        (ValueError, np.array([1.0, np.inf]), "loss must be finite, got inf at index [1]"),
        (TypeError, np.array([1, 2]), "loss must hold float32 or float64 numbers, got dtype int"),
        (TypeError, [1.0], "loss must be a finite number, got list [1.0]"),
        (TypeError, True, "loss must be a finite number, got bool True"),
        (TypeError, None, "loss must be a finite number, got NoneType None"),
    ],
)
def test_what_is_no_loss_has_no_perplexity(error, loss, wanted):
    with refusal(error, wanted):
        perplexity(loss)


# One-hot rows -------------------------------------------------------------------------


@given(t=hnp.arrays(np.int64, hnp.array_shapes(min_dims=0), elements=st.integers(0, 6)))
def test_one_hot_rows_have_a_single_one_at_the_label(t):
    rows = one_hot(t, 7)
    assert (rows.shape, rows.dtype) == ((*t.shape, 7), np.float64)
    np.testing.assert_array_equal(rows.argmax(axis=-1), t)
    np.testing.assert_array_equal(rows.sum(axis=-1), np.ones(t.shape))
    np.testing.assert_array_equal(np.unique(rows), [0, 1])


@pytest.mark.parametrize(
    ("error", "t", "size", "wanted"),
    [
        (ValueError, np.array([0, 3]), 3, "t must hold labels in 0 .. 2, got 3 at index [1]"),
        (TypeError, np.array([0.0]), 3, "t must hold integer labels, got dtype float64"),
        (ValueError, np.array([0]), 0, "size must be an integer >= 1, got 0"),
        (TypeError, np.array([0]), 3.0, "size must be an integer >= 1, got float 3.0"),
    ],
)
def test_bad_labels_have_no_one_hot_rows(error, t, size, wanted):
    with refusal(error, wanted):
        one_hot(t, size)


def test_one_hot_rows_of_a_million_classes_need_no_square_table():
    rows = one_hot(np.array([[5]], np.uint8), 10**6, dtype=np.float32)
    assert (rows.shape, rows.dtype) == ((1, 1, 10**6), np.float32)
    np.testing.assert_array_equal(np.flatnonzero(rows), [5])
