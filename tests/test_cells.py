"""A cell is one step, of one batch or of many side by side; test_layers.py has its gradients."""

import numpy as np
import pytest
from helpers import refusal

from rnnbook.cells import GRUCell, LSTMCell, RNNCell

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
