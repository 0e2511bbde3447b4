"""The exercises of *Backpropagation*: leaky ReLU, the mean squared error, softmax alone."""

import inspect
import itertools

import numpy as np

from .compare import LOCAL, again, array_of, backward, call, close, compare, forward, loops, shown
from .verdict import Wrong, check

__all__ = ["leaky_relu", "mean_squared_error", "softmax_layer"]


@check(
    "Right, and it leaves dout as it was.",
    "MyReLU, at the head of this chapter, does nearly this. What does it do where x is not "
    "positive, and what should be there now?",
    "The slope is 1 where x > 0 and 0.1 elsewhere. np.where makes an array of these slopes.",
    "Keep that array in self. forward multiplies x by it, and backward multiplies dout by it.",
)
def leaky_relu(layer_class):
    """Check a layer for y = x where x > 0, otherwise 0.1 x."""
    x = np.array([[-2.0, 3.0, -0.5, 0.0], [4.0, -1.0, 0.5, 2.0]])
    dout = np.array([[1.0, -2.0, 3.0, 7.0], [4.0, -5.0, 6.0, 8.0]])
    _leaky(layer_class(), x, dout)
    _leaky(layer_class(), np.array([0.0, -30.0, 0.25]), np.array([-0.5, 2.0, 1.0]))
    _leaky(layer_class(), np.array([[[5.0], [-0.1]]]), np.array([[[-1.0], [-4.0]]]))
    again(layer_class, ((x,), (-x[:, 1:],)), (dout, dout[:, :3]))


def _leaky(layer, x, dout):
    on, slope = x > 0, np.where(x > 0, 1.0, 0.1)
    number = "below 0 it is 0.1 times x, not the number 0.1"
    compare(
        "y",
        forward(layer, x),
        slope * x,
        [
            (np.maximum(x, 0), "that is plain ReLU: a little passes where x < 0"),
            (np.where(on, x, 0.01 * x), "the slope below 0 is 0.1, not 0.01"),
            (np.where(on, 0.1 * x, x), "the two sides are swapped"),
            (np.where(on, x, -0.1 * x), "0.1 x, without a minus, is negative where x is"),
            (0.1 * x, "where x > 0, y is x itself"),
            *((wrong, number) for wrong in (np.where(on, x, 0.1), np.where(on, x, -0.1))),
            (np.maximum(x, 0.1), number),
        ],
    )
    corner = "at exactly 0 the slope is 0.1, that of the side without >"
    compare(
        "dx",
        backward(layer, dout),
        slope * dout,
        [
            (np.where(on, dout, 0), "that is plain ReLU: a little flows back where x < 0"),
            (np.where(on, dout, 0.01 * dout), "the slope below 0 is 0.1, not 0.01"),
            (np.where(on, 0.1 * dout, dout), "the two sides are swapped"),
            (slope, LOCAL),
            (dout, "times 0.1 where x is not positive"),
            (0.1 * dout, "where x > 0 all of dout flows back"),
            (np.where(on, dout, 0.1), "times dout also where x < 0"),
            (np.where(on, 1.0, 0.1 * dout), "times dout also where x > 0"),
            (np.where(dout > 0, dout, 0.1 * dout), "the switch looks at x, not at dout"),
            (slope * x * dout, "dout times the slope, not times y"),
            (slope + dout, "dout times the slope, not plus"),
            *[(np.where(x == 0, s, slope) * dout, corner) for s in (1.0, 0.55, 0.0)],
        ],
    )


@check(
    "Right: the twin of softmax with cross-entropy, and it honours dout.",
    "The loss is one number: the square of every difference, the sum of them all, "
    "divided by 2 and by the number of examples N.",
    "The 2 from the square and the ½ cancel. What remains of the derivative is the difference "
    "y - t, divided by N.",
    "Keep y - t in self; N is its length. backward returns it divided by N, times dout.",
)
def mean_squared_error(layer_class):
    """Check a layer for L = 1/(2N) · Σ (y - t)²."""
    y = np.array([[0.5, 2.0, 1.0, -3.0, 4.0], [1.0, -1.0, 0.0, 2.0, 0.5], [3.0, 0.0, 5.0, 1.0, -2]])
    t = np.array([[1.0, 1.0, 0.0, 2.0, 3.5], [1.5, 0.0, 1.0, 1.0, 3.0], [1.0, 0.0, 2.0, -1.0, -4]])
    _compare_squared(layer_class, y, t)
    for others in (
        (np.array([[2.0, -1.0, 0.5]]), np.array([[4.0, 1.0, -3.0]])),
        (np.array([[1.0], [-2.5], [7.0], [0.5]]), np.arange(4.0)[:, None]),
    ):
        layer, (N, C) = layer_class(), others[0].shape
        diff = others[0] - others[1]
        loss, grad = 0.5 * np.sum(diff**2) / N, diff / N
        own = [(f, "N is that of this batch: len(y)") for f in (N / len(y), N / C)]
        where = f"for y of shape {(N, C)}"
        compare(f"the loss {where}", forward(layer, *others), loss, [(f * loss, h) for f, h in own])
        compare(f"dy {where}", backward(layer, 1.0), grad, [(f * grad, h) for f, h in own])
    again(layer_class, ((y, t), (t[:2], 2 * y[:2])), 5.0)


def _compare_squared(layer_class, y, t):
    """Compare the loss of a batch, and its gradient for several dout, each on a new layer."""
    diff, (N, C) = y - t, y.shape
    right, layer = 0.5 * np.sum(diff**2) / N, layer_class()
    compare(
        "the loss",
        forward(layer, y, t),
        right,
        [
            (right * 2, "the factor ½ is missing"),
            (right * N, "divide by the number of examples N"),
            (right * 2 * N, "the factor ½ and the division by N are missing"),
            (right / C, "divide by N = len(y), the examples, not by y.size, all the numbers"),
            (right * 2 / C, "np.mean divides by all the numbers; divide by N, and keep the ½"),
            (right * N / C, "divide by len(y), the examples, not by the columns"),
            *(
                (np.sqrt(right * before) * after, "the loss has no root")
                for before, after in itertools.product((1, 2, 2 * N, 2 / C), (1, 0.5, 0.5 / N))
            ),
            (0.5 * np.sum(np.abs(diff)) / N, "the difference is squared, not taken as |y - t|"),
            (0.5 * np.sum(diff) ** 2 / N, "square each difference first, then add them up"),
            (0.5 * np.sum(diff) / N, "each difference is squared"),
            (0.5 * np.sum(y**2 - t**2) / N, "the square is that of the difference: (y - t)²"),
        ],
    )
    compare(
        "dy",
        backward(layer, 1.0),
        diff / N,
        [
            (-diff / N, "the sign: where y is too large, the loss falls if y falls"),
            (diff, "divide by N: the loss is a mean over the examples"),
            (2 * diff, "the ½ cancels the 2 of the square, and the sum is divided by N"),
            (2 * diff / N, "the ½ cancels the 2 of the square"),
            (diff / 2 / N, "the ½ cancels the 2 of the square"),
            (diff / y.size, "divide by N = len(y), the examples, not by y.size"),
            (2 * diff / y.size, "divide by N = len(y), the examples, not by y.size"),
            (diff / C, "divide by len(y), the examples, not by the columns"),
            (diff * right / N, "its derivative with respect to y does not have the loss in it"),
            (diff / N + 1, "times dout, not plus"),
            (y / N, "the difference y - t, not y alone"),
            (np.ones_like(y) / N, "the derivative of a square has the difference in it"),
        ],
    )
    for dout in (5.0, -0.3):
        layer = layer_class()
        forward(layer, y, t)
        slips = [
            (diff / N, "it does not depend on dout: multiply by it"),
            (diff / N / dout, "times dout, not divided by it"),
        ]
        compare(f"dy for dout = {dout:g}", backward(layer, dout), dout * diff / N, slips)
    layer = layer_class()
    forward(layer, y, t)
    if _knows_its_dout(layer):
        dy = array_of("dy", call(layer.backward, name="backward"))
        if not close(dy, diff / N, 1e-4):
            raise Wrong("Right with a dout, but backward() without one must be that of dout = 1.")


def _knows_its_dout(layer):
    """Whether a layer's backward can be called without an argument."""
    try:
        inspect.signature(layer.backward).bind()
    except (TypeError, ValueError, AttributeError):
        return False
    return True


@check(
    "Right. Every probability pulls on every score, and you kept all the paths.",
    "forward: subtract from each row its own maximum, take np.exp, and divide by the sum of the "
    "row. axis=-1 with keepdims=True does it for any number of axes.",
    "backward: the score x_i pulls on every y_j. Add up dout_j ∂y_j/∂x_i over all j; the part "
    "with δ_ij leaves one term, the other a sum that is the same for all i of a row.",
    "That shared sum is Σ_j dout_j y_j. What is left is y_i (dout_i - the shared sum).",
)
def softmax_layer(layer_class):
    """Check a layer for y = softmax(x) along the last axis, without a loss behind it."""
    rng = np.random.default_rng(0)
    for shape in ((2, 3), (2, 4, 3), (5,), (1, 4)):
        layer, x, dout = layer_class(), rng.standard_normal(shape), rng.standard_normal(shape)
        compare(f"y for x of shape {shape}", forward(layer, x), _softmax(x), _softmax_slips(x))
        _compare_back("dx", backward(layer, dout), _softmax(x), dout)
    _softmax_large(layer_class())
    layer = layer_class()
    if loops(layer.backward, type(layer)):
        raise Wrong(
            "The numbers are right, but backward has a loop: let NumPy take all rows at once."
        )
    x, other = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    again(layer_class, ((x,), (other,)), (x[::-1], other[::-1]))


def _softmax(x, axis=-1, peak=-1):
    """Return softmax with the sum along one axis, and the maximum subtracted along another."""
    e = np.exp(x - np.max(x, peak, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _softmax_slips(x):
    e, y, largest = np.exp(x), _softmax(x), x.max(-1, keepdims=True)
    middle, last = min(1, x.ndim - 1), tuple(range(1, x.ndim)) or -1
    any_axes = "the sum runs over the last axis only: axis=-1 is that for any number of axes"
    sums = [
        (None, "each row has a sum of its own: take it along the last axis"),
        (0, "the sum runs over the last axis, axis=-1, not over the first"),
        (middle, any_axes),
        (last, any_axes),
    ]
    return [
        *((_softmax(x, axis, peak), hint) for axis, hint in sums for peak in (axis, -1)),
        *((_softmax(x, -1, peak), _OWN) for peak in (0, middle)),
        (e, "divide by the sum of each row"),
        (np.exp(x - largest), "divide by the sum of each row"),
        (x / x.sum(-1, keepdims=True), "np.exp is missing"),
        ((x - largest) / (x - largest).sum(-1, keepdims=True), "np.exp is missing"),
        (np.log(y), "that is the logarithm of the probabilities"),
        (e / (1 + e), "that is the sigmoid of each score; the sum of each row should be 1"),
        (_softmax(-x), "the sign: the largest score has the largest probability"),
    ]


_OWN = "each row has a maximum of its own: take it along the last axis"


def _compare_back(name, got, y, dout):
    """Compare what came back through a softmax with what is right."""
    own = np.sum(dout * y, -1, keepdims=True)
    rows = "the sum runs over each row, along the last axis"
    paths = "that keeps only ∂y_i/∂x_i, but every y depends on every x"
    compare(
        name,
        got,
        y * (dout - own),
        [
            (y * (own - dout), "the sign"),
            (y * (1 - y), LOCAL),
            (dout * y * (1 - y), paths),
            (dout * y, "the shared part, y · Σ dout·y, is still to subtract"),
            (-y * own, "the path through y_i itself, dout·y, is missing"),
            (dout - own, "times y"),
            (dout - y * own, "times y also dout"),
            (y * (1 - y) * dout - y * own, "the path from x_i to y_i is counted twice"),
            (y * (dout + own), "the shared part is subtracted, not added"),
            (y * dout - own, "times y also what is subtracted"),
            (y * (dout - dout * y), paths),
            (y * (dout - np.sum(dout * y)), rows),
            *(
                (y * (dout - np.sum(dout * y, axis, keepdims=True)), rows)
                for axis in (0, min(1, y.ndim - 1), tuple(range(1, y.ndim)) or -1)
            ),
            (y * (dout - np.sum(dout, -1, keepdims=True)), "the sum is of dout · y, not of dout"),
            (y * (dout - np.sum(y, -1, keepdims=True)), "the sum is of dout · y, not of y"),
            (y * (dout - np.mean(dout * y, -1, keepdims=True)), "a sum, not a mean"),
            (y - dout, "that is for softmax with cross-entropy; here dout is a gradient"),
            (y * (dout - own) / len(y), "dividing by N is the business of the loss"),
        ],
    )


def _softmax_large(layer):
    """Check scores of ±800, in rows that differ much from one another."""
    x = np.array(
        [
            [[800.0, 799.0, -800.0], [-800.0, -800.5, -801.0]],
            [[0.0, 3.0, -800.0], [-800, 800, -799]],
        ]
    )
    name, got = "y for scores of ±800", forward(layer, x)
    first = "subtract the maximum of each row before np.exp"
    slips = [
        (_softmax(x, peak=None), _OWN),
        (
            _softmax(np.clip(x, -700, 700)),
            f"scores cut off at a bound lose their differences; {first}",
        ),
    ]
    y = array_of(name, got)
    if not np.isfinite(y).all() and not any(close(y, wrong) for wrong, _ in slips):
        raise Wrong(f"{name} holds {shown(y)}: {first}.")
    naive = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    compare(name, got, _softmax(x), [*slips, (np.nan_to_num(naive), first)])
    dout, name = np.random.default_rng(1).standard_normal(x.shape), "dx for scores of ±800"
    dx = array_of(name, backward(layer, dout))
    if not np.isfinite(dx).all():
        raise Wrong(f"{name} holds {shown(dx)}: remember y in forward, do not compute it anew.")
    _compare_back(name, dx, _softmax(x), dout)
