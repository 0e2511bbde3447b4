"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each function takes what the reader wrote and returns a `Verdict`. It runs the code on
small examples, with all sizes different, and compares the numbers with the right ones.
Where they disagree it looks for a known slip that gives exactly the reader's numbers.
"""

import copy
from dataclasses import dataclass

import numpy as np

from .functions import softmax as _softmax

__all__ = [
    "Verdict",
    "div_layer",
    "leaky_relu",
    "mean_squared_error",
    "shop",
    "softmax_layer",
    "sub_layer",
]


@dataclass(frozen=True)
class Verdict:
    """What a check found: `ok`, and a `message` for the reader."""

    ok: bool
    message: str

    def __bool__(self):
        return self.ok

    def __repr__(self):
        return f"{'✓' if self.ok else '✗'} {self.message}"


_ERRORS = {  # what NumPy's messages often mean
    "broadcast": " (does a sum need keepdims=True?)",
    "ambiguous": " (for arrays, use np.where in place of if)",
}


class _Wrong(Exception):
    """The reader's answer is wrong; the message says how."""


def _verdict(success):
    """Turn a function that raises `_Wrong` into one that returns a `Verdict`."""

    def decorate(check):
        def checked(answer):
            try:
                check(answer)
            except _Wrong as wrong:
                return Verdict(False, str(wrong))
            except Exception as error:  # whatever the reader's code raises is feedback
                hint = next((hint for part, hint in _ERRORS.items() if part in str(error)), "")
                return Verdict(False, f"Your code raised {type(error).__name__}: {error}{hint}")
            return Verdict(True, success)

        checked.__name__, checked.__doc__ = check.__name__, check.__doc__
        return checked

    return decorate


@_verdict("Right. The minus sign travels back along the second input.")
def sub_layer(layer_class):
    """Check a graph node for z = x - y."""
    for x, y, dout in ((7.0, 2.0, 3.0), (-1.0, 4.0, -0.5)):
        layer = layer_class()
        _compare(f"forward({x:g}, {y:g})", layer.forward(x, y), x - y, {y - x: "that is y - x"})
        dx, dy = _pair(layer, dout)
        _compare(
            "dx",
            dx,
            dout,
            {
                1: _LOCAL,
                -dout: "dx and dy are in each other's place",
                dout * x: "only multiplication multiplies by an input",
                dout * y: "only multiplication multiplies by an input",
            },
        )
        _compare(
            "dy", dy, -dout, {dout: "the sign: if y grows, x - y falls", -1: _LOCAL, 1: _LOCAL}
        )


@_verdict("Right. Both local derivatives, times the upstream gradient.")
def div_layer(layer_class):
    """Check a graph node for z = x / y."""
    for x, y, dout in ((6.0, 4.0, 3.0), (-1.0, 5.0, 0.5)):
        layer = layer_class()
        _compare(f"forward({x:g}, {y:g})", layer.forward(x, y), x / y, {y / x: "that is y / x"})
        dx, dy = _pair(layer, dout)
        _compare(
            "dx",
            dx,
            dout / y,
            {
                1 / y: _LOCAL,
                dout * y: "the multiplication node swaps its inputs; here dz/dx = 1 / y",
                dout / x: "dz/dx = 1 / y",
                -dout * x / y**2: "dx and dy are in each other's place",
            },
        )
        _compare(
            "dy",
            dy,
            -dout * x / y**2,
            {
                dout * x / y**2: "the sign: if y grows, x / y falls",
                -dout / y**2: "the x is missing from dz/dy = -x / y²",
                -x / y**2: _LOCAL,
                x / y**2: "the sign and dout: if y grows, x / y falls",
                dout * x: "the multiplication node swaps its inputs; here dz/dy = -x / y²",
                dout * x / y: "dz/dy = -x / y², with a minus and with y squared",
                -dout * x / y: "dz/dy = -x / y², with y squared",
                -dout * y / x**2: "x and y are exchanged in dz/dy = -x / y²",
            },
        )


@_verdict("Right: every derivative, for any number of fruits.")
def shop(function):
    """Check ``(prices, counts, tax) -> (total, dprices, dcounts, dtax)``."""
    for prices, counts, tax in (
        (np.array([100.0, 150.0, 30.0]), np.array([2.0, 3.0, 7.0]), 1.1),
        (np.array([10.0, 20.0, 50.0, 80.0, 5.0]), np.array([1.0, 4.0, 2.0, 9.0, 3.0]), 1.25),
    ):
        before = prices.copy(), counts.copy()
        answer = function(prices, counts, tax)
        if not isinstance(answer, (tuple, list)) or len(answer) != 4 or answer[0] is None:
            raise _Wrong("Not yet: return four things, total, dprices, dcounts and dtax.")
        if not (np.array_equal(prices, before[0]) and np.array_equal(counts, before[1])):
            raise _Wrong("Your function changed prices or counts: leave them as they are.")
        total, dprices, dcounts, dtax = answer
        subtotal = prices @ counts
        _compare("total", total, subtotal * tax, {subtotal: "the tax is missing"})
        for name, got, factor, twin, other in (
            ("dprices", dprices, counts, "dcounts", prices),
            ("dcounts", dcounts, prices, "dprices", counts),
        ):
            _compare(
                name,
                got,
                factor * tax,
                {
                    _key(factor): "the tax lies on the way back too",
                    _key(other * tax): f"those are the {twin}: multiplication swaps",
                    np.sum(factor * tax): "one entry a fruit: do not sum",
                },
            )
        _compare(
            "dtax",
            dtax,
            subtotal,
            {
                subtotal * tax: "that is the total: the tax must not count itself",
                1: "the tax is an input: a product swaps",
                _key(prices * counts): "one tax for all: sum over the fruits",
            },
        )


@_verdict("Right, and it leaves dout as it was.")
def leaky_relu(layer_class):
    """Check a layer for y = x where x > 0, otherwise 0.1 x."""
    layer, x = layer_class(), np.array([[-2.0, 3.0, -0.5, 0.0], [4.0, -1.0, 0.5, 2.0]])
    dout = np.array([[1.0, -2.0, 3.0, 7.0], [4.0, -5.0, 6.0, 8.0]])
    _compare(
        "y",
        _forward(layer, x),
        np.where(x > 0, x, 0.1 * x),
        {
            _key(np.maximum(x, 0)): "that is plain ReLU",
            _key(np.where(x > 0, x, 0.01 * x)): "the slope should be 0.1, not 0.01",
        },
    )
    slope = np.where(x > 0, 1.0, 0.1)
    _compare(
        "dx",
        _backward(layer, dout),
        dout * slope,
        {
            _key(np.where(x > 0, dout, 0)): "that is plain ReLU: a little flows on where x < 0",
            _key(slope): _LOCAL,
            _key(dout): "times 0.1 where x is not positive",
            _key(dout * np.where(x > 0, 0.1, 1.0)): "the two sides are swapped",
            _key(np.where(x > 0, dout, 0.1)): "times dout also where x < 0",
            _key(dout * np.where(dout > 0, 1.0, 0.1)): "the switch looks at x, not at dout",
            _key(dout * np.where(x >= 0, 1.0, 0.1)): "at exactly 0 the slope should be 0.1",
        },
    )
    _compare_again(layer, dout)


@_verdict("Right: the twin of softmax with cross-entropy, and it honours dout.")
def mean_squared_error(layer_class):
    """Check a layer for L = 1/(2N) · Σ (y - t)²."""
    layer = layer_class()
    y = np.array([[0.5, 2.0, 1.0, -3.0], [1.0, -1.0, 0.0, 2.0], [3.0, 0.0, 5.0, 1.0]])
    t = np.array([[1.0, 1.0, 0.0, 2.0], [1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 2.0, -1.0]])
    diff, (N, C) = y - t, y.shape
    full = 0.5 * np.sum(diff**2) / N
    _compare(
        "the loss",
        _forward(layer, y, t),
        full,
        {
            full * 2: "the factor ½ is missing",
            full * N: "divide by the number of examples N",
            full * 2 * N: "the factor ½ and the division by N are missing",
            full / C: "divide by N = len(y), the examples, not by y.size, all the numbers",
            full * 2 / C: "np.mean divides by all the numbers; divide by N, and keep the ½",
            full * N / C: "divide by len(y), the examples, not by the columns",
        },
    )
    size = "divide by N = len(y), the examples, not by y.size"
    _compare(
        "dy",
        _backward(layer),
        diff / N,
        {
            _key(-diff / N): "the sign: where y is too large, the loss falls if y falls",
            _key(diff): "divide by N: the loss is a mean",
            _key(2 * diff / N): "the ½ cancels the 2 of the square",
            _key(diff / y.size): size,
            _key(2 * diff / y.size): size,
            _key(diff / C): "divide by len(y), the examples, not by the columns",
        },
    )
    _compare_again(layer)
    _compare("dy for dout = 5", _backward(layer, 5.0), 5 * diff / N, {_key(diff / N): "use dout"})
    _compare_again(layer, 5.0)


@_verdict("Right. Every probability pulls on every score, and you kept all the paths.")
def softmax_layer(layer_class):
    """Check a layer for y = softmax(x) along the last axis, without a loss behind it."""
    rng = np.random.default_rng(0)
    for shape in ((2, 3), (2, 4, 3), (5,)):
        layer, x, dout = layer_class(), rng.standard_normal(shape), rng.standard_normal(shape)
        y = _softmax(x)
        _compare(
            f"y for x of shape {shape}",
            _forward(layer, x),
            y,
            {
                _key(np.exp(x) / np.exp(x).sum()): "along the last axis, each row sums to 1",
                _key(
                    _softmax(x.T).T
                ): "the sum runs over the last axis, axis=-1, not over the first",
                _key(_softmax(x.swapaxes(1 % x.ndim, -1)).swapaxes(1 % x.ndim, -1)): (
                    "the sum runs over the last axis: axis=-1 is that for any number of axes"
                ),
            },
        )
        right = y * (dout - np.sum(dout * y, axis=-1, keepdims=True))
        _compare(
            "dx",
            _backward(layer, dout),
            right,
            {
                _key(-right): "the sign",
                _key(y * (1 - y)): _LOCAL,
                _key(
                    dout * y * (1 - y)
                ): "that keeps only ∂y_i/∂x_i, but every y depends on every x",
                _key(dout * y): "the shared part, y · Σ dout·y, is still to subtract",
                _key(y * (dout - np.sum(dout * y))): "the sum runs over each row, not over all",
                _key(y * (dout - np.sum(dout * y, axis=0))): "the sum runs over the last axis",
                _key(y * (dout - np.sum(dout, axis=-1, keepdims=True))): "the sum is of dout · y",
            },
        )
        _compare_again(layer, dout)
    large = np.array([[800.0, 0.0, -800.0]])
    with np.errstate(all="ignore"):
        _compare("y for scores of ±800", layer_class().forward(large), _softmax(large), {})


_LOCAL = "that is the local derivative: multiply it by dout"


def _forward(layer, *arguments):
    """Run a forward pass; refuse one that changes its arguments."""
    before = copy.deepcopy(arguments)
    result = layer.forward(*arguments)
    if not all(map(np.array_equal, arguments, before)):
        raise _Wrong("forward changed what it was given: work on a new array.")
    return result


def _backward(layer, dout=1.0):
    """Run a backward pass; refuse one that changes `dout`. The result is a copy."""
    before = np.copy(dout)
    result = copy.deepcopy(layer.backward(dout))
    if not np.array_equal(dout, before):
        raise _Wrong("backward changed dout itself: whoever passed it may need it again.")
    return result


def _compare_again(layer, dout=1.0):
    """Refuse a backward pass that leaves something else for the next."""
    if not np.array_equal(_backward(layer, dout), _backward(layer, dout)):
        raise _Wrong(
            "A second call of backward gave other numbers: "
            "the first changed what the layer remembers."
        )


def _pair(layer, dout):
    pair = _backward(layer, dout)
    if not isinstance(pair, (tuple, list, np.ndarray)) or np.shape(pair) != (2,):
        raise _Wrong(f"Not yet: backward({dout:g}) must return the two gradients dx, dy.")
    if any(part is None for part in pair):
        raise _Wrong(f"Not yet: backward({dout:g}) came out as {pair}.")
    return pair


def _compare(name, got, right, slips):
    """Raise `_Wrong` unless `got` is `right`; `slips` maps wrong values to what they tell."""
    if got is None or got is Ellipsis:
        raise _Wrong(f"Not yet: {name} came out as {got}.")
    right = np.asarray(right)
    wanted = "an array" if right.ndim else "a single number"
    try:
        array = np.asarray(got)
    except ValueError:
        raise _Wrong(f"{name} must be {wanted}.") from None
    if array.dtype.kind not in "iuf":
        raise _Wrong(f"{name} must be {wanted}, got {type(got).__name__}.")
    for wrong, hint in slips.items():
        if not _close(array, right) and _close(array.ravel(), np.ravel(wrong)):
            raise _Wrong(f"{name} is not right yet: {hint}.")
    if right.ndim and not isinstance(got, np.ndarray):
        raise _Wrong(f"{name} must be an array, got {type(got).__name__}.")
    if array.shape != right.shape:
        what = f"have shape {right.shape}" if right.ndim else "be a single number"
        raise _Wrong(f"{name} must {what}, got an array of shape {array.shape}.")
    if not _close(array, right):
        if _text(array) == _text(right):
            raise _Wrong(f"{name} differs in late digits: was it rounded, or made in float32?")
        raise _Wrong(f"{name} should be {_text(right)}, got {_text(array)}.")


def _close(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-9)


def _key(array):
    return tuple(np.ravel(array))


def _text(value):
    value = np.asarray(value)
    if value.ndim == 0:
        return f"{value:.4g}"
    return np.array2string(value, precision=4, separator=", ").replace("\n", "")
