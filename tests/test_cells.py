"""A cell is one step, of one batch or of many side by side; test_layers.py holds the rest."""

import numpy as np
import pytest
from helpers import FLOATS, refusal

from rnnbook import check_gradients
from rnnbook.cells import GRUCell, LSTMCell, RNNCell, activation_of

N, D, H = 3, 4, 5
GATES = {RNNCell: 1, LSTMCell: 4, GRUCell: 3}
every_cell = pytest.mark.parametrize("Cell", GATES)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def new_cell(Cell):
    G = GATES[Cell]
    biases = [normal(G * H), normal(H)] if Cell is GRUCell else [normal(G * H)]
    return Cell(normal(D, G * H), normal(H, G * H), *biases)


def arguments_of(Cell):
    states = {f"{name}_prev": normal(N, H, seed=1 + k) for k, name in enumerate(Cell.NAMES)}
    return {"x": normal(N, D), **states}


@every_cell
@pytest.mark.parametrize("argument", ["x", "h_prev", "c_prev"])
def test_inputs_that_do_not_fit_are_refused(Cell, argument):
    arguments = arguments_of(Cell)
    if argument in arguments:
        cell = new_cell(Cell)
        for bad in (arguments[argument][:, 1:], arguments[argument][1:], arguments[argument][0]):
            with refusal(ValueError, " must have shape (", ", got ("):
                cell.forward(**arguments | {argument: bad})
        with refusal(RuntimeError, "Cell.backward needs a forward pass first"):
            cell.backward(*(normal(N, H) for _ in Cell.NAMES))


@every_cell
def test_an_upstream_gradient_that_does_not_fit_is_refused(Cell):
    cell, names = new_cell(Cell), Cell.NAMES
    cell.forward(**arguments_of(Cell))
    for k, name in enumerate(names):
        for error, bad, wanted in (
            (ValueError, normal(N, H + 1), f"must have shape {(N, H)}, got {(N, H + 1)}"),
            (ValueError, normal(1, H), f"must have shape {(N, H)}, got {(1, H)}"),
            (TypeError, normal(N, H).astype("f4"), "must have dtype float64"),
            (ValueError, np.full((N, H), np.nan), "must be finite, got nan at index [0, 0]"),
        ):
            upstream = [bad if j == k else normal(N, H) for j in range(len(names))]
            with refusal(error, f"d{name} ", wanted):
                cell.backward(*upstream)
    assert cell.grads == {}


@every_cell
def test_every_gradient_of_a_step_is_that_of_its_equations(Cell):
    cell, arguments = new_cell(Cell), arguments_of(Cell)
    upstream = [normal(N, H, seed=7 + k) for k in range(len(Cell.NAMES))]

    def loss():
        states = cell.forward(**arguments)
        states = states if isinstance(states, tuple) else (states,)
        return sum((dh * h).sum() for dh, h in zip(upstream, states, strict=True))

    loss()
    backs = cell.backward(*upstream)
    grads = dict(zip(arguments, backs, strict=True)) | cell.grads
    check_gradients(loss, arguments | cell.params, grads)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_an_activation_and_its_slope_from_its_own_output(name, dtype):
    f, slope = activation_of(name)
    z = np.linspace(-9, 9, 37, dtype=dtype)
    h, out = f(z), np.empty_like(z)
    right = np.tanh(z) if name == "tanh" else 1 / (1 + np.exp(-z))
    few = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(h, right, rtol=few, atol=few)
    assert f(z, out=out) is out
    np.testing.assert_array_equal(out, h)
    right = 1 - right**2 if name == "tanh" else right * (1 - right)
    np.testing.assert_allclose(slope(h), right, rtol=few, atol=few)
    np.testing.assert_array_equal(out, h)  # the output itself is left as it was
    assert (h.dtype, slope(h).dtype) == (dtype, dtype)


@pytest.mark.parametrize("steps", [(2,), (2, 3)])
def test_the_gates_of_many_steps_are_passed_at_once_like_one_by_one(steps):
    gates, c_prev, c, dh, dc = (
        normal(*axes, *steps, N, H, seed=k) for k, axes in enumerate([(4,), (), (), (), ()])
    )
    at_once = LSTMCell.to_sums(gates, c_prev, c, dh, dc)
    da_dq_dh = GRUCell.to_sums(gates, c_prev, dh)
    for at in np.ndindex(steps):
        one = LSTMCell.to_sums(gates[:, *at], c_prev[at], c[at], dh[at], dc[at])
        np.testing.assert_array_equal(at_once[0][at], one[0])
        np.testing.assert_array_equal(at_once[1][at], one[1])
        for many, single in zip(
            da_dq_dh, GRUCell.to_sums(gates[:, *at], c_prev[at], dh[at]), strict=True
        ):
            np.testing.assert_array_equal(many[at], single)


@every_cell
@pytest.mark.parametrize(("inputs", "columns"), [(0, H), (D, 0)])
def test_weights_without_inputs_or_units_are_refused(Cell, inputs, columns):
    G = GATES[Cell]
    Wx, Wh = np.ones((inputs, G * columns)), np.ones((columns, G * columns))
    biases = [np.ones(G * columns), np.ones(columns)][: 2 if Cell is GRUCell else 1]
    with refusal(ValueError, "Wx must have shape (D, ", f"and not be empty, got {Wx.shape}"):
        Cell(Wx, Wh, *biases)
