"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each function takes what the reader wrote and returns a `Verdict`. It runs the code on
small examples, with all sizes different, and compares the numbers with the right ones.
Where they disagree it looks for a known slip that gives exactly the reader's numbers.
"""

import copy
import itertools
from dataclasses import dataclass

import numpy as np

from .data import to_bits
from .functions import softmax as _softmax
from .models import BinaryAdder

__all__ = [
    "Verdict",
    "comparator",
    "div_layer",
    "leaky_relu",
    "mean_squared_error",
    "negate",
    "parity",
    "rnn_step",
    "shop",
    "softmax_layer",
    "sub_layer",
    "tanh_backward",
    "window_needed",
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


@_verdict("Right: the new input and the last state, added up and squashed.")
def rnn_step(function):
    """Check ``(x, h_prev, Wx, Wh, b) -> h`` for one step of a plain RNN."""
    rng = np.random.default_rng(0)
    for N, D, H in ((2, 3, 4), (5, 2, 3)):
        shapes = (N, D), (N, H), (D, H), (H, H), (H,)
        arguments = x, h_prev, Wx, Wh, b = [rng.standard_normal(shape) for shape in shapes]
        before = copy.deepcopy(arguments)
        got = function(*arguments)
        if not all(map(np.array_equal, arguments, before)):
            raise _Wrong("Your function changed what it was given: work on new arrays.")
        fed_in, fed_back = x @ Wx, h_prev @ Wh
        turned = h_prev @ Wh.T
        _compare(
            "h",
            got,
            np.tanh(fed_in + fed_back + b),
            {
                _key(fed_in + fed_back + b): "the tanh is missing",
                _key(np.tanh(fed_in + fed_back)): "the bias is missing",
                _key(np.tanh(fed_in + b)): "the last state is missing: that has no memory",
                _key(np.tanh(fed_back + b)): "the input is missing",
                _key(np.tanh(fed_in + fed_back) + b): "the bias belongs inside the tanh",
                _key(np.tanh(fed_in) + np.tanh(fed_back) + b): "add first, then one tanh",
                _key(np.tanh(fed_in + b) + np.tanh(fed_back)): "add first, then one tanh",
                _key(np.tanh(fed_in) + np.tanh(fed_back + b)): "add first, then one tanh",
                _key(np.tanh(fed_in + turned + b)): "h_prev @ Wh, without a transpose",
                _key(1 / (1 + np.exp(-fed_in - fed_back - b))): "that is the sigmoid, not tanh",
            },
        )


@_verdict("Right: it reaches just far enough to tell all the places apart.")
def window_needed(function):
    """Check ``words -> window``, the smallest with which every next word is certain."""
    for song in (
        "I love you I love carrots",
        "la la la love",
        "a b c d",
        "a b c a b c a b c",
        "I really love you I really love carrots",
        "a b a c a b a d",
        "hello",
    ):
        words = song.split()
        given = list(words)
        window = function(given)
        if given != words:
            raise _Wrong("Your function changed the list of words: work on a copy.")
        if window is None or window is Ellipsis:
            raise _Wrong(f"Not yet: the window came out as {window}.")
        if isinstance(window, bool) or not isinstance(window, (int, np.integer)):
            raise _Wrong(f"The window must be a whole number, got {type(window).__name__}.")
        right = next(w for w in range(1, len(words) + 1) if not _clashes(words, w))
        if window == right:
            continue
        told = f"{song!r} needs a window of {right}, got {window}"
        if window == _longest_repeat(words) + 1:
            raise _Wrong(f"{told}: places that go on with the same word do not clash.")
        if window == right - 1:
            raise _Wrong(f"{told}: does yours count the present word? It is 1, not 0.")
        raise _Wrong(f"{told}.")


@_verdict("Right, and on 300 bits too: two units that count without counting.")
def parity(function):
    """Check ``() -> (Wx, Wh, b, Wy, by)`` of a net that says whether the ones are odd."""
    weights = function()
    if weights is None or weights is Ellipsis:
        raise _Wrong(f"Not yet: the weights came out as {weights}.")
    if not isinstance(weights, (tuple, list)) or len(weights) != 5:
        raise _Wrong("Return five arrays: Wx, Wh, b, Wy and by.")
    shapes = {"Wx": (1, 2), "Wh": (2, 2), "b": (2,), "Wy": (2, 1), "by": (1,)}
    arrays = []
    for (name, shape), value in zip(shapes.items(), weights, strict=True):
        if value is None or value is Ellipsis:
            raise _Wrong(f"Not yet: {name} came out as {value}.")
        array = np.asarray(value, float)
        if array.shape != shape:
            raise _Wrong(f"{name} must have shape {shape}, got {array.shape}.")
        arrays.append(array)
    short = np.array(list(itertools.product([0, 1], repeat=8)))  # (256, 8)
    said, right = _says(short, *arrays), np.cumsum(short, axis=1) % 2 == 1
    if not np.array_equal(said, right):
        for other, hint in (
            (~right, "the answer is the wrong way round: 1 - y is what you want"),
            (short == 1, "that says the present bit: the state before is not used"),
            (np.cumsum(short, axis=1) > 0, "that says whether there was a one at all"),
            (np.cumsum(short, axis=1) == 1, "that says whether there was exactly one 1 so far"),
        ):
            if np.array_equal(said, other):
                raise _Wrong(f"Not right yet: {hint}.")
        first = (said != right).argmax(axis=1)
        n = min(np.flatnonzero((said != right).any(axis=1)), key=lambda n: (first[n], n))
        bits = " ".join(map(str, short[n, : first[n] + 1]))
        odd = "odd" if right[n, first[n]] else "even"
        raise _Wrong(f"After {bits} the number of ones is {odd}, and yours says the other.")
    long = np.random.default_rng(0).integers(0, 2, (20, 300))
    wrong = (_says(long, *arrays) != (np.cumsum(long, axis=1) % 2 == 1)).any(axis=0)
    if wrong.any():
        raise _Wrong(
            f"Right for 8 bits, but not always after {wrong.argmax() + 1}: the state blurs. "
            "Larger weights and biases make tanh a cleaner switch."
        )


def _clashes(words, window):
    """Say whether two places look the same and go on differently."""
    padded, seen = [None] * window + words, {}
    return any(
        seen.setdefault(tuple(padded[t + 1 : t + 1 + window]), words[t + 1]) != words[t + 1]
        for t in range(len(words) - 1)
    )


def _longest_repeat(words):
    """Count the words of the longest phrase that stands in two places before the last word."""
    for m in range(len(words) - 2, 0, -1):
        phrases = [tuple(words[t : t + m]) for t in range(len(words) - m)]
        if len(set(phrases)) < len(phrases):
            return m
    return 0


def _says(bits, Wx, Wh, b, Wy, by):
    """Run a net on bits (N, T); say at each step whether its answer is above one half."""
    h, said = np.zeros((len(bits), len(Wh))), []
    for t in range(bits.shape[1]):
        h = np.tanh(bits[:, t : t + 1] @ Wx + h @ Wh + b)  # (N, 1) @ (1, 2) + (N, 2) @ (2, 2)
        said.append((h @ Wy + by)[:, 0] > 0.5)
    return np.stack(said, axis=1)


@_verdict("Right: flip, add 1, and let the last carry fall off.")
def negate(function):
    """Check ``bits -> bits``, the lowest bit first, to the negative in two's complement."""
    for bits in ([0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1], [1, 1, 0, 1, 0, 1]):
        given = list(bits)
        got = function(given)
        if given != bits:
            raise _Wrong("Your function changed the list of bits: work on a copy.")
        if got is None or got is Ellipsis or (isinstance(got, list) and not got):
            raise _Wrong(f"Not yet: negate({bits}) came out as {got}.")
        if not isinstance(got, (list, tuple, np.ndarray)):
            raise _Wrong(f"negate must return a list of bits, got {type(got).__name__}.")
        flipped = [1 - bit for bit in bits]
        right, from_the_top = _plus_one(flipped), _plus_one(flipped[::-1])[::-1]
        slips = {
            tuple(flipped): "those are the flipped bits: the 1 is still to add",
            tuple(_plus_one(bits)): "that is the number plus 1: flip first",
            tuple(from_the_top): "add the 1 at the lowest bit, which comes first",
            (*right, int(not any(bits))): "the last carry falls off: as many bits as before",
            (2 - bits[0], *flipped[1:]): "a 2 is no bit: write 0 and carry 1",
        }
        _compare(f"negate({bits})", np.asarray(got), np.array(right), slips)


def _plus_one(bits):
    result, carry = [], 1
    for bit in bits:
        result.append(bit ^ carry)
        carry &= bit
    return result


@_verdict("Right. Only the slope of tanh and the missing sigmoid have changed.")
def tanh_backward(function):
    """Check ``(xs, ts, hs, ys, Wx, Wy, Wh) -> (dWx, dWy, dWh)`` of a tanh adder."""
    rng = np.random.default_rng(0)
    for T, H in ((5, 3), (4, 6)):
        Wx, Wy, Wh = (rng.standard_normal(shape) for shape in ((2, H), (H, 1), (H, H)))
        xs, ts, hs = rng.random((T, 2)), rng.random((T, 1)), np.zeros((T + 1, H))
        for t in range(T):
            hs[t + 1] = np.tanh(xs[t] @ Wx + hs[t] @ Wh)
        arguments = xs, ts, hs, hs[1:] @ Wy, Wx, Wy, Wh
        before = copy.deepcopy(arguments)
        answer = function(*arguments)
        if not all(map(np.array_equal, arguments, before)):
            raise _Wrong("Your function changed what it was given: work on new arrays.")
        if not isinstance(answer, (tuple, list)) or len(answer) != 3:
            raise _Wrong("Not yet: return three arrays, dWx, dWy and dWh.")
        if all(isinstance(part, np.ndarray) and not part.any() for part in answer):
            raise _Wrong("Not yet: all three gradients are zero.")
        slips = {
            "the sign: ds is y - t": {"sign": -1},
            "the output has no sigmoid here: ds is y - t": {"squashed": True},
            "the loss has a factor ½, so ds is y - t": {"sign": 2},
            "what the later steps say, dz_next @ Wh.T, is missing (end with dz_next = dz)": {
                "future": False
            },
            "the slope of tanh is 1 - h²; h (1 - h) is that of the sigmoid": {
                "slope": lambda h, _: h * (1 - h)
            },
            "multiply by the slope of tanh, 1 - h²": {"slope": lambda h, _: 1.0 + 0 * h},
            "the slope belongs to hs[t + 1], the state that step t made": {
                "slope": lambda _, h_prev: 1 - h_prev**2
            },
            "back through Wh means Wh.T": {"turned": False},
            "Wh joins h before the step, hs[t], to dz": {"late": True},
            "the gradients of all steps add up: += and not =": {"sums": False},
        }
        right = _tanh_gradients(*arguments)
        wrong = {hint: _tanh_gradients(*arguments, **slip) for hint, slip in slips.items()}
        for i in (1, 2, 0):
            known = {_key(grads[i]): hint for hint, grads in wrong.items()}
            if i == 1:
                known[_key(hs[:-1].T @ (arguments[3] - ts))] = "Wy reads hs[t + 1]"
            _compare(("dWx", "dWy", "dWh")[i], answer[i], right[i], known)


def _tanh_gradients(
    xs, ts, hs, ys, Wx, Wy, Wh, sign=1, squashed=False, future=True, slope=None, turned=True,
    late=False, sums=True,
):  # fmt: skip
    """Return the gradients dWx, dWy, dWh, or those of a program with one slip."""
    ds = sign * (ys - ts) * (ys * (1 - ys) if squashed else 1)
    slope = slope or (lambda h, _: 1 - h**2)
    dz, dzs = np.zeros(len(Wh)), np.zeros_like(hs[1:])
    for t in reversed(range(len(xs))):
        back = dz @ (Wh.T if turned else Wh) if future else 0
        dz = dzs[t] = (ds[t] @ Wy.T + back) * slope(hs[t + 1], hs[t])
    last = len(xs) if sums else 1  # with = the last word has the first step
    read = hs[1:] if late else hs[:-1]
    return xs[:last].T @ dzs[:last], hs[1:][:last].T @ ds[:last], read[:last].T @ dzs[:last]


@_verdict("Right, also for numbers of 200 bits. One switch is enough to compare.")
def comparator(function):
    """Check ``() -> weights`` of a one-unit `BinaryAdder` that says whether a > b."""
    weights = function()
    if weights is None or weights is Ellipsis:
        raise _Wrong(f"Not yet: the weights came out as {weights}.")
    shapes = {"Wx": (2, 1), "Wh": (1, 1), "b": (1,), "Wy": (1, 1), "by": (1,)}
    if not isinstance(weights, dict) or set(weights) != set(shapes):
        raise _Wrong(f"Return a dict with the names {', '.join(shapes)}.")
    net = BinaryAdder(1, rng=np.random.default_rng(0), bias=True)
    for name, shape in shapes.items():
        if np.shape(weights[name]) != shape:
            raise _Wrong(f"{name} must have shape {shape}, got {np.shape(weights[name])}.")
        net.params[name][...] = weights[name]

    def outputs(a, b, bits):
        xs = np.stack([to_bits(a, bits), to_bits(b, bits)], axis=-1).astype(float)
        return net.predict(xs)[:, -1, 0]

    a, b = np.divmod(np.arange(64**2), 64)
    answers, right = outputs(a, b, 6), a > b
    if np.abs(answers - 0.5).min() < 1e-6:
        raise _Wrong("Some outputs are one half, so rounding decides: by moves the threshold.")
    got = answers > 0.5
    if not np.array_equal(got, right):
        for other, hint in (
            (a >= b, "where all bits are equal, the answer should be no"),
            (a < b, "that says whether a < b"),
            (a <= b, "the answer is the wrong way round"),
            (a >> 5 > b >> 5, "that looks at the highest bits alone: equal bits keep the verdict"),
        ):
            if np.array_equal(got, other):
                raise _Wrong(f"Not right yet: {hint}.")
        n = np.flatnonzero(got != right)[0]
        word = "yes" if got[n] else "no"
        raise _Wrong(f"Is {a[n]} > {b[n]}? Yours says {word}, on 6 bits.")
    high = [2**199 + n for n in (1, 0, 1)]
    answers = outputs(high, [2**199, 2**199 + 1, 2**199 + 1], 200)
    if not np.array_equal(answers > 0.5, [True, False, False]):
        raise _Wrong(
            "Right for 6 bits, but over 200 equal bits the verdict fades: "
            "larger weights make the sigmoid a cleaner switch."
        )


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
