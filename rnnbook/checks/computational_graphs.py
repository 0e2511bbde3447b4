"""The exercises of *Computational graphs*: nodes for subtraction and division, and a shop."""

import numpy as np

from .compare import (
    LOCAL,
    backward,
    call,
    close,
    compare,
    compare_all,
    forward,
    loops,
    several,
)
from .verdict import Wrong, check

__all__ = ["div_layer", "shop", "sub_layer"]

_NUMBERS = ((7.0, 2.0, 3.0), (-1.0, 4.0, -0.5), (0.5, -3.0, 1.5))  # x, y and dout


@check(
    "Right. The minus sign travels back along the second input.",
    "If x grows by a little, how does z = x - y change? And if y grows?",
    "The two local derivatives are 1 and -1. Neither needs to be remembered.",
    "backward returns two gradients: each is dout times the local derivative.",
)
def sub_layer(layer_class):
    """Check a graph node for z = x - y."""
    _check_node(
        layer_class,
        lambda x, y: x - y,
        [(lambda x, y: y - x, "that is y - x"), (lambda x, y: x + y, "that is x + y")],
        lambda x, y, dout: (dout, -dout),
        [
            (lambda x, y, dout: (dout, dout), "the sign: if y grows, x - y falls"),
            (lambda x, y, dout: (1.0, -1.0), LOCAL),
            (lambda x, y, dout: (dout * y, -dout * x), "only a product multiplies by an input"),
            (lambda x, y, dout: (dout * x, -dout * y), "only a product multiplies by an input"),
        ],
    )


@check(
    "Right. Both local derivatives, times the upstream gradient.",
    "Write z = x / y as x times 1/y. What is the derivative of each factor?",
    "dz/dx = 1 / y and dz/dy = -x / y². Both need what forward has seen: keep x and y in self.",
    "backward returns dout / y and -dout * x / y².",
)
def div_layer(layer_class):
    """Check a graph node for z = x / y."""
    _check_node(
        layer_class,
        lambda x, y: x / y,
        [(lambda x, y: y / x, "that is y / x"), (lambda x, y: x * y, "that is x * y")],
        lambda x, y, dout: (dout / y, -dout * x / y**2),
        [
            (lambda x, y, dout: (1 / y, -x / y**2), LOCAL),
            (lambda x, y, dout: (dout / y, dout * x / y**2), "the sign: if y grows, x / y falls"),
            (lambda x, y, dout: (dout / y, -dout / y**2), "the x is missing from dz/dy = -x / y²"),
            (lambda x, y, dout: (dout / y, -dout * x / y), "dz/dy = -x / y², with y squared"),
            (
                lambda x, y, dout: (dout / y, dout * x / y),
                "dz/dy = -x / y², with a minus and with y squared",
            ),
            (
                lambda x, y, dout: (dout / y, -dout * y / x**2),
                "x and y are exchanged in dz/dy = -x / y²",
            ),
            (
                lambda x, y, dout: (dout * y, dout * x),
                "a product swaps its inputs; here dz/dx = 1 / y and dz/dy = -x / y²",
            ),
            (lambda x, y, dout: (dout / x, -dout * x / y**2), "dz/dx = 1 / y"),
        ],
    )


def _check_node(layer_class, z, z_slips, gradients, slips):
    """Check a node with numbers of both signs, then two nodes of it at once."""
    names = "dx", "dy"
    for x, y, dout in _NUMBERS:
        layer = layer_class()
        found = [(f(x, y), hint) for f, hint in z_slips]
        compare(f"forward({x:g}, {y:g})", forward(layer, x, y), z(x, y), found)
        for _ in range(2):  # a second call gives the same
            answer = several(backward(layer, dout), names, "gradients")
            told = [(f(x, y, dout), hint) for f, hint in slips]
            compare_all(names, answer, gradients(x, y, dout), told)
    first, second = layer_class(), layer_class()
    (x, y, dout), (other_x, other_y, _), _ = _NUMBERS
    forward(first, x, y)
    forward(second, other_x, other_y)
    answer = several(backward(first, dout), names, "gradients")
    if not all(map(close, answer, gradients(x, y, dout))):
        raise Wrong(
            "Two nodes of the class disturb each other: keep what forward has seen in self, "
            "each node for itself."
        )


@check(
    "Right: every derivative, for any number of fruits.",
    "Walk forward first: costs = prices × counts, their sum, then the tax. "
    "Then walk back, from the node that comes last.",
    "The tax node is a product of the sum and the tax: each gets the other as its gradient. "
    "A sum passes its gradient on to every fruit.",
    "Each cost is a product too: dprices is the tax times counts, dcounts the tax times prices, "
    "and dtax is the sum before the tax.",
)
def shop(function):
    """Check ``(prices, counts, tax) -> (total, dprices, dcounts, dtax)``."""
    names = "total", "dprices", "dcounts", "dtax"
    for prices, counts, tax in (
        (np.array([100.0, 150.0, 30.0]), np.array([2.0, 3.0, 7.0]), 1.1),
        (np.array([10.0, 20.0, 50.0, 80.0, 5.0]), np.array([1.0, 4.0, 2.0, 9.0, 3.0]), 1.25),
        (np.array([40.0]), np.array([5.0]), 1.5),
    ):
        answer = several(call(function, prices, counts, tax), names, "things")
        subtotal = prices @ counts
        right = total, dprices, dcounts, dtax = subtotal * tax, counts * tax, prices * tax, subtotal
        untaxed = "the tax lies on the way back too"
        swapped = "multiplication swaps: the gradient of each is the other's number, times the tax"
        summed = "one entry a fruit: do not sum"
        slips = [
            ((subtotal, *right[1:]), "the tax is missing"),
            ((total, counts, prices, dtax), untaxed),
            ((total, counts, dcounts, dtax), untaxed),
            ((total, dprices, prices, dtax), untaxed),
            ((total, dcounts, dprices, dtax), swapped),
            ((total, dcounts, dcounts, dtax), swapped),
            ((total, dprices, dprices, dtax), swapped),
            ((total, dprices.sum(), dcounts.sum(), dtax), summed),
            ((total, dprices.sum(), dcounts, dtax), summed),
            ((total, dprices, dcounts.sum(), dtax), summed),
            ((*right[:3], total), "that is the total: the tax must not count itself"),
            ((*right[:3], 1.0), "the tax is an input: a product swaps"),
            ((*right[:3], tax), "the tax is an input: a product swaps"),
            ((*right[:3], prices * counts), "one tax for all: sum over the fruits"),
        ]
        compare_all(names, answer, right, slips)
    if loops(function):
        raise Wrong(
            "The numbers are right, but there is a loop: let NumPy take all fruits at once."
        )
    dear, counts = np.array([2.0**60, 10.0, 20.0]), np.array([2.0, 3.0, 5.0])
    _, dprices, dcounts, _ = several(call(function, dear, counts, 1.25), names, "things")
    if not close(dprices, counts * 1.25) or not close(np.divide(dcounts, dear), np.full(3, 1.25)):
        raise Wrong(
            "The numbers are right, but not beside a fruit for 10¹⁸ yen: its price swallows every "
            "nudge. Walk back through the nodes in place of nudging."
        )
