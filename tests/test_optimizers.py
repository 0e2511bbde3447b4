"""Optimisers step as stated and clip to the norm; on bad gradients nothing has changed."""

import copy
from decimal import Decimal, localcontext

import numpy as np
import pytest
from helpers import FLOATS, floats_away_from_zero, needs_torch, read_only, refusal, torch
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import SGD, Adam, clip_gradients
from rnnbook.layers import RowGradient
from rnnbook.optimizers import learn

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
        (TypeError, [0.1, 0.2], "list [0.1, 0.2]"),
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
        (ValueError, {"rows": np.full((3, 3), np.nan)}, "grads['W'] must be finite"),
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


@both_floats
@pytest.mark.parametrize("shapes", [[(4, 3), (1, 3)], [(300, 200), (0, 2), (1, 200)]], ids=str)
def test_networks_side_by_side_are_clipped_to_the_last_bit_as_each_alone(dtype, shapes):
    info, rng = np.finfo(dtype), np.random.default_rng(2)
    sizes = np.array([0, info.smallest_subnormal, 1, 1e-30, info.max, 1e30, 1], dtype)
    grads = {str(n): floats_away_from_zero(rng, (7, *s), dtype) for n, s in enumerate(shapes)}
    for grad in grads.values():
        grad /= np.abs(grad).max(initial=1)
        grad *= sizes[:, None, None]
    alone = [{name: grad[r].copy() for name, grad in grads.items()} for r in range(7)]
    limits = np.array([1, 0.5, 1e9, 1e-31, 3, 2, 1e-3])
    norms = clip_gradients(grads, limits)
    assert norms.dtype == float
    for r, own in enumerate(alone):
        assert norms[r] == clip_gradients(own, limits[r])
        for name, grad in own.items():
            assert grads[name][r].tobytes() == grad.tobytes()


def test_no_gradients_at_all_have_no_length_in_any_network():
    np.testing.assert_array_equal(clip_gradients({}, np.ones(3)), np.zeros(3))


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


# What is too large, too small, or shared ----------------------------------------------


@both_optimisers
@pytest.mark.parametrize(
    ("params", "grads", "wanted"),
    [
        ([1, np.nan], [1, 1], "params['b'] must be finite, got nan at index [1]"),
        ([-np.inf, 1], [1, 1], "params['b'] must be finite, got -inf at index [0]"),
        ([1, 1], [1, np.inf], "grads['b'] must be finite, got inf at index [1]"),
        ([3e38, 1], [-3e38, 1], "params['b'] must stay finite as float32, got a gradient of up to"),
    ],
)
def test_a_step_to_what_is_not_finite_changes_nothing(optimiser, params, grads, wanted):
    params = {"a": np.ones(3, "f4"), "b": np.array(params, "f4")}
    grads = {"a": np.ones(3, "f4"), "b": np.array(grads, "f4")}
    step, before = optimiser(1.0), copy.deepcopy(params)
    with refusal(ValueError, wanted):
        step.update(params, grads)
    np.testing.assert_equal(params, before)
    step.update({"other": np.ones(2)}, {"other": np.ones(2)})  # as if nothing had been


def test_adam_refuses_a_gradient_whose_square_is_beyond_float32():
    params, adam = {"b": np.ones(2, "f4")}, Adam()
    with refusal(ValueError, "params['b'] must stay finite", "a gradient of up to 1e+20"):
        adam.update(params, {"b": np.array([1, 1e20], "f4")})
    adam.update(params, {"b": np.array([1, 1e18], "f4")})
    np.testing.assert_allclose(params["b"], 0.999, rtol=1e-6)


@both_floats
@pytest.mark.parametrize("power", [0.4, 0.5, 0.6, 1])
def test_adam_takes_the_step_as_stated_where_squares_vanish(dtype, power):
    g = np.full(1, float(np.finfo(dtype).tiny) ** power, dtype)
    params, adam = {"b": np.zeros(1, dtype)}, Adam(1.0)
    adam.update(params, {"b": g})
    expected = -float(g[0]) / (float(g[0]) + adam.eps)
    np.testing.assert_allclose(params["b"], expected, rtol=1e-5)


def test_adam_refuses_an_eps_beside_which_squares_vanish():
    with refusal(ValueError, "eps must be at least 2.9e-11 beside params['b'] of dtype float32"):
        Adam(eps=1e-30).update({"b": np.ones(1, "f4")}, {"b": np.full(1, 1e-25, "f4")})


@pytest.mark.parametrize("lr", [1e-50, 1e300])
@both_optimisers
def test_a_learning_rate_that_float32_does_not_hold_is_refused(optimiser, lr):
    params = {"b": np.ones(1, "f4")}
    with refusal(ValueError, f"lr must be above 0 and finite as float32, got {lr}"):
        optimiser(lr).update(params, {"b": np.ones(1, "f4")})


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        *((ValueError, "lr", value) for value in (0, -1, np.nan, np.inf)),
        *((ValueError, "beta1", value) for value in (1, -0.1, np.nan)),
        *((ValueError, "beta2", value) for value in (1, -0.1, np.nan)),
        *((ValueError, "eps", value) for value in (0, -1e-8, np.inf)),
        *((TypeError, name, "0.1") for name in ("lr", "beta1", "beta2", "eps")),
    ],
)
def test_a_setting_is_checked_whenever_it_is_set(error, name, value):
    adam = Adam()
    before = vars(adam).copy()
    with refusal(error, f"{name} must be"):
        setattr(adam, name, value)
    assert vars(adam) == before


@both_optimisers
def test_shared_arrays_are_refused(optimiser):
    W = np.ones((3, 3))
    params, grads = {"a": W, "b": W.T}, {"a": np.ones((3, 3)), "b": np.ones((3, 3))}
    with refusal(ValueError, "params must share no memory, got 'a' and 'b'"):
        optimiser(0.1).update(params, grads)
    with refusal(ValueError, "grads must share no memory, got 'a' and 'b'"):
        clip_gradients({"a": W[:2], "b": W[1:]}, 0.1)
    np.testing.assert_array_equal(W, np.ones((3, 3)))


def test_an_array_that_repeats_one_number_is_not_stepped_in():
    repeated = np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,))
    with refusal(ValueError, "params['b'] must have memory for each entry"):
        SGD(0.1).update({"b": repeated}, {"b": np.ones(3)})


# One update ---------------------------------------------------------------------------


class Bowl:
    """A model whose loss is half the squared distance of its weights from a place."""

    def __init__(self, *shape, loss=float):
        self.params, self.grads, self.loss = {"W": np.full(shape, 3.0)}, {}, loss

    def forward(self, x, t):
        self.difference = self.params["W"] - x - t
        return self.loss((self.difference**2).sum(axis=(-2, -1)) / 2)

    def backward(self):
        self.grads = {"W": self.difference.copy()}


@pytest.mark.parametrize("max_norm", [None, 100, 0.5])
@pytest.mark.parametrize("loss", [float, np.float32, np.asarray])
def test_an_update_returns_the_loss_before_it_and_steps_by_the_clipped_gradient(max_norm, loss):
    model = Bowl(1, 2, loss=loss)
    before = learn(model, SGD(0.1), (1.0, -1.0), *([] if max_norm is None else [max_norm]))
    assert (before, type(before)) == (9, float)
    gradient = 3 if max_norm != 0.5 else 0.5 / np.sqrt(2)
    np.testing.assert_allclose(model.params["W"], 3 - 0.1 * gradient, rtol=1e-6)


@pytest.mark.parametrize("max_norm", [0.5, np.array([0.5, 1, 100])])
def test_networks_side_by_side_are_clipped_each_by_itself(max_norm):
    model = Bowl(3, 1, 2, loss=np.asarray)
    losses = learn(model, SGD(0.1), (np.arange(3.0)[:, None, None], 0), max_norm)
    np.testing.assert_array_equal(losses, [9, 4, 1])
    norms = np.minimum([3 * np.sqrt(2), 2 * np.sqrt(2), np.sqrt(2)], max_norm)
    steps = 0.1 * norms[:, None, None] / np.sqrt(2)
    np.testing.assert_allclose(model.params["W"], np.broadcast_to(3 - steps, (3, 1, 2)), rtol=1e-6)
