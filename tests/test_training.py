"""Optimisers step as stated, batches leave nobody out, the bar comes late and goes."""

import copy
import io
import os
from decimal import Decimal, localcontext
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import (
    FLOATS,
    break_writing,
    floats_away_from_zero,
    needs_torch,
    read_only,
    refusal,
    torch,
)
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import (
    SGD,
    Adam,
    GatedRnnlm,
    SimpleRnnlm,
    TextRun,
    TwoLayerNet,
    clip_gradients,
    training,
    truncated_bptt_batches,
)
from rnnbook.data import read_arrays, write_arrays
from rnnbook.layers import RowGradient
from rnnbook.training import fit, minibatches, progress, read_checkpoint, train

both_floats = pytest.mark.parametrize("dtype", FLOATS)
both_optimisers = pytest.mark.parametrize("optimiser", [SGD, Adam])


def some_params(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return {name: floats_away_from_zero(rng, s, dtype) for name, s in (("W", (3, 4)), ("b", (4,)))}


# Optimisers ---------------------------------------------------------------------------


@both_floats
def test_sgd_takes_one_step_against_the_gradient(dtype):
    params, grads = some_params(dtype), some_params(dtype, seed=1)
    expected = {name: params[name] - dtype(0.1) * grads[name] for name in params}
    SGD(0.1).update(params, grads)
    for name in params:
        np.testing.assert_array_equal(params[name], expected[name], strict=True)


@both_optimisers
def test_the_step_is_taken_in_the_array_itself_and_leaves_the_gradient_alone(optimiser):
    params, grads = some_params(), some_params(seed=1)
    arrays, before = dict(params), copy.deepcopy(params)
    optimiser(0.1).update(params, {name: read_only(g) for name, g in grads.items()})
    for name, array in arrays.items():
        assert params[name] is array
        assert (array != before[name]).all()


@needs_torch
@pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("options", [{}, {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3}])
def test_adam_equals_that_of_pytorch_over_twenty_steps(dtype, rtol, options):
    params = some_params(dtype)
    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in params.items()}
    ours = Adam(0.05, **options)
    betas = (options.get("beta1", 0.9), options.get("beta2", 0.999))
    theirs = torch.optim.Adam(tensors.values(), 0.05, betas=betas, eps=options.get("eps", 1e-8))
    for seed in range(20):
        grads = some_params(dtype, seed=seed)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(grads[name])
        ours.update(params, grads)
        theirs.step()
    for name, tensor in tensors.items():
        assert params[name].dtype == dtype
        np.testing.assert_allclose(params[name], tensor.detach().numpy(), rtol=rtol)


@both_optimisers
@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (ValueError, lambda p, g: (p, {}), "names of params, ['W', 'b'], got []"),
        (ValueError, lambda p, g: (p, g | {"V": g["b"]}), "got ['W', 'b', 'V']"),
        (ValueError, lambda p, g: (p, g | {"b": g["b"][:1]}), "grads['b'] must have shape (4,)"),
        (TypeError, lambda p, g: (p, g | {"b": g["b"].astype("f4")}), "must have dtype float64"),
        (ValueError, lambda p, g: (p, g | {"b": g["b"] * np.nan}), "grads['b'] must be finite"),
        (ValueError, lambda p, g: (p | {"b": read_only(p["b"])}, g), "params['b'] must be "),
        (
            TypeError,
            lambda p, g: (p, None),
            "grads must be a dict of arrays by name, got NoneType None",
        ),
        (TypeError, lambda p, g: ([p], g), "params must be a dict of arrays by name, got list"),
    ],
)
def test_on_bad_gradients_nothing_has_changed(optimiser, error, spoil, wanted):
    params, optimiser = some_params(), optimiser(0.1)
    optimiser.update(params, some_params(seed=1))
    before, memory = copy.deepcopy(params), copy.deepcopy(vars(optimiser))
    with refusal(error, wanted):
        optimiser.update(*spoil(params, some_params(seed=2)))
    np.testing.assert_equal(params, before)
    np.testing.assert_equal(vars(optimiser), memory)


def test_adam_serves_one_set_of_parameters():
    adam = Adam()
    adam.update(some_params(), some_params(seed=1))
    other = {"W": np.ones(2)}
    with refusal(ValueError, "params must be those of the first update", "['W'], first ['W', 'b']"):
        adam.update(other, {"W": np.ones(2)})
    np.testing.assert_array_equal(other["W"], [1, 1])


@both_optimisers
@pytest.mark.parametrize(
    ("error", "lr", "got"),
    [
        (ValueError, 0, "0"),
        (ValueError, -0.1, "-0.1"),
        (ValueError, np.nan, "nan"),
        (ValueError, np.inf, "inf"),
        (TypeError, "0.1", "str '0.1'"),
        (TypeError, None, "NoneType None"),
        (TypeError, np.ones(2), "an array of shape (2,)"),
    ],
)
def test_a_bad_learning_rate_is_refused(optimiser, error, lr, got):
    with refusal(error, f"lr must be a finite number > 0, got {got}"):
        optimiser(lr)


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ({"beta1": 1}, "beta1 must be a finite number >= 0 < 1, got 1"),
        ({"beta2": -0.1}, "beta2 must be a finite number >= 0 < 1, got -0.1"),
        ({"eps": 0}, "eps must be a finite number > 0, got 0"),
    ],
)
def test_bad_options_of_adam_are_refused(option, wanted):
    with refusal(ValueError, wanted):
        Adam(**option)


def table_and_rows(dtype=np.float64):
    """Return a table of parameters, a gradient of three of its rows, and the same as a whole."""
    rng = np.random.default_rng(0)
    table = floats_away_from_zero(rng, (7, 3), dtype)
    table[5:] = -0.0
    rows = RowGradient(np.array([0, 4, 5]), floats_away_from_zero(rng, (3, 3), dtype), (7, 3))
    whole = np.zeros((7, 3), dtype)
    whole[rows.ids] = rows.rows
    return table, rows, whole


@both_optimisers
@both_floats
def test_a_row_gradient_steps_like_the_whole_to_the_last_bit(optimiser, dtype):
    table, rows, whole = table_and_rows(dtype)
    tables, grads = (table.copy(), table), (rows, whole)
    for params, grad in zip(tables, grads, strict=True):
        steps = optimiser(0.1)
        for _ in range(3):
            steps.update({"W": params}, {"W": grad})
    assert tables[0].tobytes() == tables[1].tobytes()


@pytest.fixture
def no_whole(monkeypatch):
    """Forbid a row gradient to become the whole array."""

    def forbidden(self, *args, **kwargs):
        raise AssertionError("a row gradient has become the whole array")

    monkeypatch.setattr(RowGradient, "__array__", forbidden)


@pytest.mark.usefixtures("no_whole")
def test_sgd_touches_the_used_rows_alone():
    table, rows, _ = table_and_rows()
    before = table.copy()
    with pytest.raises(AssertionError, match="has become the whole array"):
        np.asarray(rows)
    SGD(0.1).update({"W": table}, {"W": rows})
    np.testing.assert_array_equal(np.flatnonzero((table != before).any(axis=1)), rows.ids)


@both_optimisers
@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"ids": np.array([0, 4, 7])}, "ids of grads['W'] must hold row numbers in 0"),
        (ValueError, {"ids": np.array([0, 4, -2])}, "got -2 at index [2]"),
        (ValueError, {"ids": np.array([0, 4, 4])}, "the ids of grads['W'] must rise, each once"),
        (ValueError, {"rows": np.ones((3, 1))}, "rows of grads['W'] must have shape (3, 3), got"),
        (TypeError, {"rows": np.ones((3, 3), "f4")}, "the rows of grads['W'] must have dtype"),
        (ValueError, {"rows": np.full((3, 3), np.nan)}, "the rows of grads['W'] must be finite"),
        (ValueError, {"shape": (8, 3)}, "grads['W'] must have shape (7, 3), got (8, 3)"),
    ],
)
def test_on_bad_rows_nothing_has_changed(optimiser, error, change, wanted):
    table, rows, _ = table_and_rows()
    params, grads = {"b": np.ones(2), "W": table}, {"b": np.ones(2), "W": rows}
    before = copy.deepcopy(params)
    vars(rows).update(change)
    with refusal(error, wanted):
        optimiser(0.1).update(params, grads)
    np.testing.assert_equal(params, before)


# Clipping -----------------------------------------------------------------------------


def decimal_norm(arrays):
    """Return the norm of all the arrays as one long vector, in decimal arithmetic."""
    return sum(Decimal(x) ** 2 for a in arrays for x in np.ravel(a).tolist()).sqrt()


@both_floats
@pytest.mark.parametrize("max_norm", [0.25, 1e-30, 1e30])
@given(data=st.data())
def test_clipped_gradients_keep_their_direction_and_have_the_wanted_norm(dtype, max_norm, data):
    info = np.finfo(dtype)
    exponents = st.integers(int(np.log10(info.tiny)), int(np.log10(info.max)) - 1)
    scale = float(dtype(10.0 ** data.draw(exponents)))
    elements = st.floats(-1, 1, width=info.bits).map(lambda x: x * scale)
    W, b = (np.array(data.draw(st.lists(elements, min_size=1, max_size=4)), dtype) for _ in "Wb")
    with localcontext() as context:
        context.prec = 60
        norm = decimal_norm([W, b])
        factor = min(Decimal(1), Decimal(max_norm) / norm) if norm else Decimal(1)
        wanted = [[float(Decimal(x) * factor) for x in a.tolist()] for a in (W, b)]
    grads = {"W": W, "b": b}
    assert clip_gradients(grads, max_norm) == pytest.approx(float(norm), rel=1e-14, abs=5e-324)
    assert grads["W"] is W
    tiny = info.smallest_subnormal + 5e-324 * max_norm  # an entry may vanish beside the largest
    for array, entries in zip((W, b), wanted, strict=True):
        np.testing.assert_allclose(array, entries, rtol=2 * info.eps, atol=tiny)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        *((np.float64, size) for size in (1e200, 8e307, 1e-200, 5e-324)),
        *((np.float32, size) for size in (1e30, 3e38, 1e-40, 1e-45)),
    ],
)
def test_no_gradient_is_too_large_or_too_small_to_be_clipped(dtype, size):
    grads = {"W": np.array([[size, -size]], dtype), "b": np.array([0, size, size], dtype)}
    largest = float(grads["b"][1])
    assert clip_gradients(grads, largest) == 2 * largest
    half = dtype(largest / 2)
    np.testing.assert_array_equal(grads["W"], [[half, -half]])
    np.testing.assert_array_equal(grads["b"], [0, half, half])


def test_even_a_norm_beyond_the_largest_float_is_clipped():
    W = np.full((3, 3), np.finfo(float).max)
    assert clip_gradients({"W": W}, 6.0) == np.inf
    np.testing.assert_allclose(W, 2, rtol=1e-15)


@pytest.mark.parametrize(("size", "rest"), [(4e30, 3), (4e200, 0)])
def test_gradients_of_both_dtypes_are_clipped_together(size, rest):
    grads = {"a": np.array([3e30], np.float32), "b": np.array([size]), "c": np.array(0.0)}
    assert clip_gradients(grads, 5) == pytest.approx(np.hypot(3e30, size), rel=1e-6)
    np.testing.assert_allclose([*grads["a"], *grads["b"]], [rest, (25 - rest**2) ** 0.5], rtol=1e-6)


@pytest.mark.usefixtures("no_whole")
def test_the_rows_of_a_row_gradient_are_clipped_like_the_whole():
    _, rows, whole = table_and_rows()
    sparse, dense = {"W": rows, "b": np.ones(4)}, {"W": whole, "b": np.ones(4)}
    assert clip_gradients(sparse, 0.5) == pytest.approx(clip_gradients(dense, 0.5), rel=1e-15)
    np.testing.assert_allclose(rows.rows, whole[rows.ids], rtol=1e-15)
    np.testing.assert_allclose(sparse["b"], dense["b"], rtol=1e-15)


@both_floats
def test_up_to_the_limit_not_one_bit_changes(dtype):
    table, rows, _ = table_and_rows(dtype)
    grads = {"W": rows, "b": np.array([-0.0, 1e-42, 3.0], dtype), "table": table}
    arrays = [rows.rows, grads["b"], table]
    before = [a.tobytes() for a in arrays]
    norm = clip_gradients(grads, 1e9)
    assert type(norm) is float
    assert norm == pytest.approx(float(decimal_norm(arrays)), rel=1e-14)
    assert clip_gradients(grads, norm) == norm
    assert [a.tobytes() for a in arrays] == before
    assert clip_gradients(grads, 0.99 * norm) == norm
    assert clip_gradients(grads, 1e9) == pytest.approx(0.99 * norm)


@pytest.mark.parametrize("grads", [{}, {"W": np.zeros((2, 3))}, {"W": np.zeros((0, 3))}])
def test_a_gradient_of_zero_has_no_length(grads):
    assert clip_gradients(grads, 1e-300) == 0


def test_an_array_that_is_not_contiguous_is_clipped_in_place():
    base = np.full((4, 6), 2.0)
    assert clip_gradients({"W": base[::2, 1::2].T}, 0.6) == pytest.approx(2 * 6**0.5)
    np.testing.assert_allclose(base[::2, 1::2], 0.6 / 6**0.5)
    assert (base[1::2] == 2).all()


@pytest.mark.parametrize(
    ("error", "bad", "wanted"),
    [
        (ValueError, np.array([1, np.nan]), "grads['b'] must be finite, got nan at index [1]"),
        (ValueError, np.array([1, np.inf]), "grads['b'] must be finite, got inf at index [1]"),
        (TypeError, np.array([1, 2]), "grads['b'] must hold float32 or float64 numbers, got dtype"),
        (TypeError, np.ones(2, object), "grads['b'] must hold float32 or float64 numbers"),
        (TypeError, [1.0, 2.0], "grads['b'] must be a numpy array, got list [1.0, 2.0]"),
        (TypeError, [[1.0], [1.0, 2.0]], "grads['b'] must be a numpy array, got list"),
        (TypeError, 2.0, "grads['b'] must be a numpy array, got float 2.0"),
        (TypeError, None, "grads['b'] must be a numpy array, got NoneType None"),
        (ValueError, read_only(np.ones(2)), "grads['b'] must be writeable, for it is changed in"),
        (
            ValueError,
            RowGradient(np.array([1, 1]), np.ones((2, 3)), (4, 3)),
            "the ids of grads['b'] must rise, each once, got list [1, 1]",
        ),
    ],
)
def test_with_one_bad_gradient_none_is_clipped(error, bad, wanted):
    W = np.full((2, 3), 9.0)
    with refusal(error, wanted):
        clip_gradients({"W": W, "b": bad}, 1.0)
    assert (W == 9).all()


@pytest.mark.parametrize(
    ("error", "max_norm", "got"),
    [
        (ValueError, 0, "0"),
        (ValueError, -1, "-1"),
        (ValueError, np.nan, "nan"),
        (ValueError, np.inf, "inf"),
        (TypeError, None, "NoneType None"),
        (TypeError, True, "bool True"),
    ],
)
def test_a_bad_limit_is_refused(error, max_norm, got):
    W = np.full((2, 3), 9.0)
    with refusal(error, f"max_norm must be a finite number > 0, got {got}"):
        clip_gradients({"W": W}, max_norm)
    assert (W == 9).all()


def test_gradients_without_names_are_refused():
    with refusal(TypeError, "grads must be a dict of arrays by name, got list"):
        clip_gradients([np.ones(2)], 1.0)


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
        (TypeError, {"tokens": [0, 1, 2]}, "tokens must be a numpy array of integer tokens, got"),
        (TypeError, {"tokens": "hello"}, "tokens must be a numpy array of integer tokens, got str"),
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


# The training loop --------------------------------------------------------------------


def tiny_set(size=5):
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, 4)), np.arange(size) % 3


def run(**change):
    x, t = tiny_set()
    arguments = {
        "model": TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0), weight_init_std=0.5),
        "optimizer": SGD(0.5),
        "x": x,
        "t": t,
        "batch_size": 2,
        "steps": 7,
        "rng": np.random.default_rng(1),
    }
    return train(**(arguments | change))


def test_the_history_holds_every_loss_and_the_accuracies_asked_for():
    history = run(held_out=tiny_set(3), evaluate_every=3)
    assert len(history.loss) == 7
    assert all(isinstance(loss, float) and loss > 0 for loss in history.loss)
    assert history.steps == [0, 3, 6, 7]
    assert len(history.accuracy) == len(history.held_out_accuracy) == 4
    assert set(history.accuracy) <= {0, 0.2, 0.4, 0.6, 0.8, 1}


def test_without_being_asked_it_measures_before_and_after():
    history = run()
    assert history.steps == [0, 7]
    assert len(history.accuracy) == 2
    assert history.held_out_accuracy == []


def test_the_loss_is_measured_before_its_update():
    x, t = tiny_set()
    net = TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0))
    before = copy.deepcopy(net).forward(x, t)
    history = run(model=net, batch_size=5, steps=1)
    assert history.loss == pytest.approx([before], rel=1e-12)
    assert net.forward(x, t) < before


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.05)], ids=["SGD", "Adam"])
def test_a_network_overfits_a_tiny_set(optimizer):
    history = run(optimizer=copy.deepcopy(optimizer), batch_size=5, steps=500)
    assert history.loss[-1] < 0.01
    assert history.accuracy[-1] == 1


def test_the_same_generators_give_the_same_history():
    assert run() == run()
    assert run().loss != run(rng=np.random.default_rng(2)).loss


def test_the_labels_may_be_one_hot_rows():
    _, t = tiny_set()
    assert run(t=np.eye(3)[t]) == run()


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": 5}, "model must be a classifier, with forward, "),
        (TypeError, {"optimizer": 0.1}, "optimizer must be an optimiser, with update; got "),
        (ValueError, {"steps": 0}, "steps must be an integer >= 1, got 0"),
        (TypeError, {"steps": 2.5}, "steps must be an integer >= 1, got float 2.5"),
        (ValueError, {"evaluate_every": 0}, "evaluate_every must be an integer >= 1, got 0"),
        (ValueError, {"batch_size": 9}, "batch_size must be an integer from 1 to 5, got 9"),
        (TypeError, {"rng": None}, "rng must be a numpy.random.Generator"),
        (TypeError, {"held_out": np.ones(2)}, "held_out must be a pair (x, t), got an array"),
        (TypeError, {"held_out": ([1], [1])}, "held_out x must be a numpy array of examples"),
        (ValueError, {"held_out": (np.ones((2, 4)), np.zeros(3, int))}, "held_out x and t must "),
        (ValueError, {"x": np.ones((5, 3))}, "x must have shape (N, 4), got (5, 3)"),
        (ValueError, {"t": np.full(5, 3)}, "t must hold labels in 0 .. 2, got 3 at index [0]"),
        (ValueError, {"x": np.full((5, 4), np.nan)}, "x must be finite, got nan at index [0, 0]"),
    ],
)
def test_bad_arguments_for_training_are_refused(error, change, wanted):
    with refusal(error, wanted):
        run(**change)


# Training on batches as they come -----------------------------------------------------


def new_net():
    return TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0), weight_init_std=0.5)


def endless_batches():
    return minibatches(*tiny_set(), 2, rng=np.random.default_rng(1))


def assert_same_params(net, other):
    np.testing.assert_equal(dict(net.params), dict(other.params))


def test_fit_learns_batch_by_batch_and_returns_the_losses_before_the_updates():
    net, twin = new_net(), new_net()
    losses = fit(net, SGD(0.5), list(islice(endless_batches(), 7)))
    by_hand, sgd = [], SGD(0.5)
    for x, t in islice(endless_batches(), 7):
        by_hand.append(twin.forward(x, t))
        twin.backward()
        sgd.update(twin.params, twin.grads)
    assert losses.dtype == np.float64
    np.testing.assert_array_equal(losses, by_hand)
    assert_same_params(net, twin)


def test_fit_takes_no_more_batches_than_steps():
    net, batches, others = new_net(), endless_batches(), endless_batches()
    first, second = (fit(net, SGD(0.5), batches, steps=3) for _ in range(2))
    np.testing.assert_array_equal([*first, *second], fit(new_net(), SGD(0.5), others, steps=6))
    np.testing.assert_array_equal(next(batches)[0], next(others)[0])


@pytest.mark.parametrize(("batches", "steps"), [([], None), ([], 0), (endless_batches(), 0)])
def test_without_a_step_nothing_is_learned(batches, steps):
    net = new_net()
    assert fit(net, SGD(0.5), batches, steps=steps).shape == (0,)
    assert_same_params(net, new_net())


def test_fit_clips_the_gradients_to_the_norm_asked_for():
    def step(**options):
        net = new_net()
        fit(net, SGD(1), endless_batches(), steps=1, **options)
        return np.concatenate([(net.params[k] - p).ravel() for k, p in new_net().params.items()])

    free = step()
    norm = np.linalg.norm(free)
    assert norm > 0.2
    np.testing.assert_allclose(step(max_norm=0.1), free * (0.1 / norm), atol=1e-15)
    np.testing.assert_array_equal(step(max_norm=1e3), free)


def test_too_few_batches_are_refused_once_those_there_were_have_been_learned():
    net, twin = new_net(), new_net()
    with refusal(ValueError, "batches must hold at least 5, got 3"):
        fit(net, SGD(0.5), islice(endless_batches(), 3), steps=5)
    fit(twin, SGD(0.5), endless_batches(), steps=3)
    assert_same_params(net, twin)


def test_a_quick_fit_is_a_quiet_one(capsys):
    fit(new_net(), SGD(0.5), endless_batches(), steps=3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_slow_fit_shows_its_progress_unless_told_not_to(monkeypatch, capsys, quiet):
    clock = iter(range(100, 10**6, 60))
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setenv("RNNBOOK_QUIET", str(int(quiet)))
    fit(new_net(), SGD(0.5), endless_batches(), steps=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("training [" in err) is not quiet
    assert on_screen(err) == ""


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": 5}, "model must be a model, with forward, backward, params, grads"),
        (TypeError, {"optimizer": 0.1}, "optimizer must be an optimiser, with update; got "),
        (TypeError, {"batches": 5}, "batches must be an iterable of (x, t), with __iter__; got"),
        (ValueError, {"steps": -1}, "steps must be an integer >= 0, got -1"),
        (TypeError, {"steps": 2.0}, "steps must be an integer >= 0, got float 2.0"),
        (TypeError, {"steps": True}, "steps must be an integer >= 0, got bool True"),
        (ValueError, {"max_norm": 0}, "max_norm must be a finite number > 0, got 0"),
        (ValueError, {"max_norm": np.nan}, "max_norm must be a finite number > 0, got nan"),
        (TypeError, {"max_norm": "5"}, "max_norm must be a finite number > 0, got str '5'"),
    ],
)
def test_bad_arguments_for_a_fit_are_refused_before_the_first_step(error, change, wanted):
    net, batches = new_net(), endless_batches()
    arguments = {"model": net, "optimizer": SGD(0.5), "batches": batches, "steps": 2}
    with refusal(error, wanted):
        fit(**(arguments | change))
    assert_same_params(net, new_net())
    np.testing.assert_array_equal(next(batches)[0], next(endless_batches())[0])


# Runs that can be resumed -------------------------------------------------------------

every_run = pytest.mark.parametrize(
    ("cell", "optimiser"), [("rnn", SGD), ("rnn", Adam), ("lstm", Adam), ("gru", SGD)]
)


def new_model(cell="lstm", seed=0, sizes=(5, 3, 4), **options):
    rng = np.random.default_rng(seed)
    if cell == "rnn":
        return SimpleRnnlm(*sizes, rng=rng, **options)
    return GatedRnnlm(*sizes, rng=rng, cell=cell, **options)


def some_text(size=90, seed=3):
    return np.random.default_rng(seed).integers(5, size=size)


def new_run(cell="lstm", optimiser=Adam, seed=0, **change):
    arguments = {"model": new_model(cell, seed), "optimizer": optimiser(0.1)}
    arguments |= {"tokens": some_text(), "batch_size": 3, "time_size": 4, "max_norm": 0.2}
    return TextRun(**(arguments | change))


def assert_same_run(run, other):
    assert run.losses == other.losses
    assert_same_params(run.model, other.model)
    for name in run.model.rnn.NAMES:
        np.testing.assert_equal(getattr(run.model.rnn, name), getattr(other.model.rnn, name))
    np.testing.assert_equal(vars(run.optimizer), vars(other.optimizer))


@every_run
def test_a_run_is_a_fit_to_the_batches_of_the_text(cell, optimiser):
    run, twin = new_run(cell, optimiser), new_model(cell)
    batches = list(truncated_bptt_batches(some_text(), 3, 4, batches=40))
    losses = np.concatenate([run.advance(7), run.advance(0), run.advance(33)])
    assert run.steps == 40
    np.testing.assert_array_equal(losses, run.losses)
    np.testing.assert_array_equal(losses, fit(twin, optimiser(0.1), batches, max_norm=0.2))
    assert_same_params(run.model, twin)


@given(size=st.integers(2, 60), N=st.integers(1, 60), T=st.integers(1, 60))
def test_an_epoch_has_as_many_steps_as_the_batches_that_make_every_prediction(size, N, T):
    N, T = min(N, size - 1), min(T, size - 1)
    text = np.zeros(size, int)
    run = TextRun(new_model("rnn"), SGD(1), text, batch_size=N, time_size=T)
    assert run.steps_per_epoch == len(list(truncated_bptt_batches(text, N, T)))


@every_run
@pytest.mark.parametrize("done", [0, 1, 13])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_resumed_run_computes_what_it_would_have_to_the_last_bit(
    tmp_path, cell, optimiser, done, dtype
):
    def new(seed):
        return new_run(cell, optimiser, model=new_model(cell, seed, dtype=dtype))

    whole, first, second = new(0), new(0), new(1)
    whole.advance(done + 20)
    first.advance(done)
    notes = {"vocabulary": ["é", "\n"], "held_out": [0.1, 2**-60]}
    first.save(tmp_path / "run.npz", notes)
    second.advance(3)  # whatever it did before is forgotten
    assert second.load(str(tmp_path / "run.npz")) == notes
    assert_same_run(first, second)
    second.advance(20)
    assert_same_run(whole, second)
    first.advance(20)  # saving has disturbed nothing
    assert_same_run(whole, first)


def test_a_checkpoint_can_be_read_without_a_model(tmp_path):
    run = new_run()
    run.advance(5)
    run.save(tmp_path / "run.npz")
    saved = read_checkpoint(tmp_path / "run.npz")
    assert saved.notes == {}
    assert saved.losses.tolist() == run.losses
    np.testing.assert_equal(saved.params, dict(run.model.params))
    np.testing.assert_equal(saved.state, {"h": run.model.rnn.h, "c": run.model.rnn.c})
    assert saved.settings["optimizer"] == "Adam"
    assert saved.memory["steps"] == 5


@pytest.fixture
def saved(tmp_path):
    """Return the path of a checkpoint of the run that `new_run` begins."""
    run = new_run()
    run.advance(5)
    run.save(tmp_path / "run.npz")
    return tmp_path / "run.npz"


def loading_is_refused(path, error, *wanted, **change):
    """Hold that loading fails with that message and changes nothing."""
    run = new_run(**change)
    run.advance(2)
    before = copy.deepcopy(run)
    with refusal(error, path.name, *wanted):
        run.load(path)
    assert_same_run(run, before)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"tokens": some_text(seed=4)}, "must go on with the text that it began with, 90 tokens"),
        ({"tokens": some_text(91)}, "got 91 tokens with hash "),
        ({"batch_size": 2}, "batch_size was 3, got 2"),
        ({"time_size": 5}, "time_size was 4, got 5"),
        ({"max_norm": None}, "max_norm was 0.2, got None"),
        ({"optimizer": Adam(0.2)}, "lr was 0.1, got 0.2"),
        ({"optimizer": Adam(0.1, beta1=0.5)}, "beta1 was 0.9, got 0.5"),
        ({"optimizer": SGD(0.1)}, "beta1 was 0.9, got nothing"),
        ({"cell": "gru"}, "shape of rnn.Wh was [4, 16], got [4, 12]"),
        ({"cell": "rnn"}, "model was GatedRnnlm, got SimpleRnnlm"),
        ({"model": new_model(sizes=(6, 3, 4))}, "shape of affine.W was [4, 5], got [4, 6]"),
        ({"model": new_model(dtype=np.float64)}, "dtype was float32, got float64"),
        ({"model": new_model(truncation=2)}, "truncation was None, got 2"),
    ],
)
def test_another_run_does_not_go_on_from_a_checkpoint(saved, change, wanted):
    loading_is_refused(saved, ValueError, wanted, **copy.deepcopy(change))


def test_a_checkpoint_cut_short_at_any_place_is_refused(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 41):
        saved.write_bytes(whole[:length])
        with refusal(ValueError, "run.npz must be a whole .npz file of arrays, got"):
            read_checkpoint(saved)
    loading_is_refused(saved, ValueError, "must be a whole .npz file")


def test_a_damaged_checkpoint_is_refused_or_read_as_it_was(saved):
    whole, refused = saved.read_bytes(), 0
    wanted = read_checkpoint(saved)
    for place in range(0, len(whole), 7):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x81]) + whole[place + 1 :])
        try:
            found = read_checkpoint(saved)
        except ValueError as error:
            refused += "run.npz must " in str(error)
            continue
        np.testing.assert_equal(found, wanted)
    assert refused > len(whole) / 7 / 2


def test_a_file_of_arrays_that_is_no_checkpoint_is_refused(saved):
    arrays = read_arrays(saved)
    for change in ({"losses": arrays["losses"] + 1}, {"params/x": np.ones(2)}):
        write_arrays(saved, arrays | change)
        loading_is_refused(saved, ValueError, "must be a whole checkpoint, got one that is damaged")
    new_model().save(saved)
    loading_is_refused(saved, ValueError, "must be a checkpoint of rnnbook, got a .npz file of [")
    loading_is_refused(saved.with_name("no.npz"), FileNotFoundError)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["savez", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_checkpoint(saved, monkeypatch, where, error):
    run, before = new_run(), saved.read_bytes()
    run.load(saved)
    run.advance(1)
    break_writing(monkeypatch, where, error)
    with pytest.raises(type(error)):
        run.save(saved)
    assert os.listdir(saved.parent) == [saved.name]
    assert saved.read_bytes() == before


def test_a_run_whose_loss_is_not_finite_cannot_go_on():
    run = new_run("rnn", optimizer=SGD(1e38), max_norm=None)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="finite"):
        run.advance(50)
    assert run.steps < 50
    assert np.isfinite(run.losses).all()


def unstable():
    model = new_model()
    model.rnn.stateful = False
    return model


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": new_net()}, "model must be a language model, with forward, "),
        (ValueError, {"model": unstable()}, "model must be stateful, got stateful=False"),
        (TypeError, {"optimizer": 0.1}, "optimizer must be SGD or Adam, got float 0.1"),
        (TypeError, {"tokens": [1, 2]}, "tokens must be a numpy array of integer tokens, got list"),
        (ValueError, {"batch_size": 90}, "batch_size must be an integer from 1 to 89, got 90"),
        (TypeError, {"time_size": 2.0}, "time_size must be an integer from 1 to 89, got float"),
        (ValueError, {"max_norm": 0}, "max_norm must be a finite number > 0, got 0"),
    ],
)
def test_a_run_that_cannot_be_is_refused(error, change, wanted):
    with refusal(error, wanted):
        new_run(**change)


def test_what_cannot_be_saved_is_refused(saved):
    before = saved.read_bytes()
    for notes in ({"x": np.ones(2)}, [1], {"x": object()}):
        with refusal(TypeError, "notes must be "):
            new_run().save(saved, notes)
    with refusal(ValueError, "path must end in .npz, got 'run'"):
        new_run().save(saved.with_name("run"))
    with refusal(ValueError, "steps must be an integer >= 0, got -1"):
        new_run().advance(-1)
    assert saved.read_bytes() == before


# The progress bar ---------------------------------------------------------------------


@pytest.fixture
def watch(monkeypatch):
    """Return a function that watches a bar while every item takes so many seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.delenv("RNNBOOK_QUIET", raising=False)

    def watch(count, seconds, stop_at=None, **options):
        stream, seen = io.StringIO(), []
        bar = progress(range(count), "training", stream=stream, **options)
        for item in bar:
            if item == stop_at:
                break
            clock.now += seconds
            seen.append(stream.getvalue())
        bar.close()
        assert len(seen) == (count if stop_at is None else stop_at)
        return seen, stream.getvalue()

    return watch


def on_screen(written):
    """Return the line that a terminal shows."""
    line = ""
    for text in written.split("\r"):
        line = text + line[len(text) :]
    return line.rstrip()


def test_what_is_quick_shows_no_bar(watch):
    assert watch(10, seconds=0.19) == ([""] * 10, "")


def test_after_two_seconds_the_bar_appears(watch):
    seen, _ = watch(10, seconds=0.5)
    assert [bool(written) for written in seen] == [False] * 4 + [True] * 6
    assert on_screen(seen[4]) == "training [########            ] 4/10, about 3 s left"
    assert on_screen(seen[9]) == "training [##################  ] 9/10, about 0 s left"


def test_the_bar_is_written_a_few_times_a_second_at_most(watch):
    _, written = watch(1000, seconds=0.01, delay=0)
    assert written.count("training") <= 10 / 0.2 + 1


@pytest.mark.parametrize("stop_at", [None, 6])
def test_the_bar_is_wiped_at_the_end_even_if_the_loop_stops_early(watch, stop_at):
    _, written = watch(10, seconds=1, stop_at=stop_at)
    assert "training" in written
    assert on_screen(written) == ""
    assert "\n" not in written


def test_a_line_that_grows_shorter_leaves_nothing_behind(watch):
    seen, _ = watch(1200, seconds=100)
    for done, written in enumerate(seen[1:], 1):
        assert on_screen(written).endswith("s left")
        assert f" {done}/1200, about {100 * (1200 - done)} s left" in on_screen(written)


def test_the_environment_keeps_the_bar_quiet(watch, monkeypatch):
    monkeypatch.setenv("RNNBOOK_QUIET", "1")
    assert watch(10, seconds=1)[1] == ""


def test_the_bar_goes_to_standard_error(watch, capsys):
    assert list(progress(range(3), "training", delay=0)) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training" in captured.err


def test_what_has_no_size_has_no_progress():
    with refusal(TypeError, "items must be a sized collection", "got generator"):
        list(progress((i for i in range(3)), "training"))
