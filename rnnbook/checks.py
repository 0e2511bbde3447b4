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
from .models import BinaryAdder, SimpleRnnlm
from .recurrent import GRUCell, LSTMCell

__all__ = [
    "Verdict",
    "char_backward",
    "clip_by_norm",
    "comparator",
    "culprits",
    "div_layer",
    "draw_token",
    "forget_bias",
    "gru_step",
    "is_gradient",
    "leaky_relu",
    "lstm_backward",
    "mean_squared_error",
    "negate",
    "parity",
    "perplexity_of",
    "recall_by_hand",
    "rnn_step",
    "rnnlm",
    "shop",
    "softmax_layer",
    "sub_layer",
    "tanh_backward",
    "text_batch",
    "time_affine_backward",
    "time_rnn",
    "window_backward",
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
        got = _call(function, *arguments)
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
        answer = _gradients(function, *arguments, names=("dWx", "dWy", "dWh"))
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


@_verdict("Right: it remembers, it forgets when told to, and every gradient is true.")
def time_rnn(layer_class):
    """Check a `TimeRNN` made as ``layer_class(Wx, Wh, b, stateful=False)``."""
    N, T, D, H = 3, 4, 2, 5
    Wx, Wh, b, xs, more, h, dhs = _sequences(N, T, D, H)
    weights, zero = (Wx, Wh, b), np.zeros((N, H))
    try:
        hs = layer_class(*weights).forward(xs)
    except Exception as error:
        if isinstance(error, (ValueError, IndexError)) and _runs_if_square(layer_class):
            raise _Wrong(
                f"With D = {D} and H = {H} your code raised {type(error).__name__}; with D = H "
                "it runs. A size is read from the wrong axis: Wx has shape (D, H)."
            ) from None
        raise
    right, ended = _rnn_forward(xs, zero, *weights)
    alone = np.concatenate([_rnn_forward(xs[:, t : t + 1], zero, *weights)[0] for t in range(T)], 1)
    slips = {
        _key(alone): "the state is not handed from step to step",
        _key(_rnn_forward(xs, zero, Wx, Wh.T, b)[0]): "h @ Wh, without a transpose",
        _key(_rnn_forward(xs, zero, Wx, Wh, 0 * b)[0]): "the bias is missing",
    }
    _compare("hs", hs, right, slips)
    _check_state(layer_class, weights, xs, more, ended, h)
    layer = layer_class(*weights)
    layer.forward(xs)
    dxs, terms = _rnn_backward(xs, zero, *weights, dhs)
    kept, _ = _rnn_backward(xs, zero, *weights, dhs, carry=False)
    late, _ = _rnn_backward(xs, zero, *weights, dhs, steps=range(T))
    slips = {
        _key(kept): "the gradient dh that comes from the step after is lost: a state has two "
        "readers, so their gradients add up",
        _key(late): "walk from the last step to the first",
    }
    _compare("dxs", _backward(layer, dhs), dxs, slips)
    for name, steps in terms.items():
        _compare_term(name, layer.grads, steps)
    _backward(layer, dhs)
    for name, steps in terms.items():
        twice = {_key(2 * steps.sum(axis=0)): "it piles up from call to call: begin at zero"}
        _compare(f"grads[{name!r}] of a second backward pass", layer.grads[name],
                 steps.sum(axis=0), twice)  # fmt: skip


@_verdict("Right: the loss, every gradient and the state are those of the book's model.")
def rnnlm(model_class):
    """Check a language model, made as ``model_class(V, D, H, rng)``, on top of a `TimeRNN`."""
    V, D, H, N, T = 7, 3, 5, 4, 6
    try:
        model = model_class(V, D, H, np.random.default_rng(0))
    except TypeError as error:
        if hasattr(model_class, f"_{model_class.__name__.lstrip('_')}__init"):
            raise _Wrong(
                f"Your code raised TypeError: {error}. The constructor is called __init__, with "
                "two underscores on both sides; yours has another name, so nobody calls it."
            ) from None
        raise
    layer = time_rnn(type(model.layers["rnn"]))
    if not layer:
        raise _Wrong(f"First the TimeRNN. {layer.message}")
    truth = SimpleRnnlm(V, D, H, rng=np.random.default_rng(1), dtype=np.float64)
    if set(model.params) != set(truth.params):
        raise _Wrong(f"params must be named {', '.join(truth.params)}.")
    truth.params.update(model.params)
    rng = np.random.default_rng(2)
    (xs, ts), (more, then) = rng.integers(0, V, (2, 2, N, T))
    first = truth.forward(xs, ts)
    truth.backward()
    _compare(
        "the loss",
        model.forward(xs, ts),
        first,
        {
            T * first: f"it is {T} times too large, the sum over the {T} steps; "
            "in nats per token it is their mean",
            N * first: f"it is {N} times too large: divide by the sequences",
            N * T * first: f"it is {N * T} times too large: divide by the tokens",
            first * T / N: "divided by the sequences; SoftmaxWithLoss has done that, divide by "
            "the steps",
            first / N: "divided by all tokens; SoftmaxWithLoss has divided by the sequences",
        },
    )
    model.backward()
    for name, right in truth.grads.items():
        right = np.asarray(right)
        slips = {
            _key(k * right): f"it is {k} times too large; backward must use the share that forward "
            "uses"
            for k in (T, N, N * T)
        }
        slips[_key(0 * right)] = "it is zero: are these the arrays that the layers fill?"
        _compare(f"grads[{name!r}]", np.asarray(model.grads[name]), right, slips)
    on = truth.forward(more, then)
    again = truth.forward(xs, ts)
    truth.reset_state()
    afresh = truth.forward(more, then)
    _compare(
        "the loss of the second batch",
        model.forward(more, then),
        on,
        {afresh: "the model began at zero: its recurrent layer should be stateful"},
    )
    model.reset_state()
    _compare(
        "the loss of the first batch after reset_state()",
        model.forward(xs, ts),
        first,
        {again: "nothing was reset; a method runs only with parentheses after its name"},
    )


def _check_state(layer_class, weights, xs, more, ended, h):
    """Check what a layer remembers between two sequences; `ended` is the state after `xs`."""
    zero = np.zeros_like(ended)
    begins = {"where the last one ended": ended, "at zero": zero, "in the state given": h}
    runs = {word: _rnn_forward(more, state, *weights)[0] for word, state in begins.items()}

    def compare(told, begins, act=None, stateful=True):
        layer = layer_class(*weights, stateful=stateful)
        layer.forward(xs)
        if act is not None:
            act(layer)
        slips = {_key(run): f"it began {word}" for word, run in runs.items()}
        _compare(f"{told}, the next sequence begins {begins}: hs", layer.forward(more),
                 runs[begins], slips)  # fmt: skip

    first = layer_class(*weights, stateful=True)
    try:
        first.forward(xs)
    except (AttributeError, TypeError, ValueError) as error:
        raise _Wrong(
            f"With stateful=True your code raised {type(error).__name__}: {error}. A stateful "
            "layer has no state yet at its first sequence: begin at zero when h is None, too."
        ) from None
    compare("In a stateful layer", "where the last one ended")
    compare("In a layer that is not stateful", "at zero", stateful=False)
    compare("After reset_state()", "at zero", lambda layer: layer.reset_state())
    compare("After set_state(h)", "in the state given", lambda layer: layer.set_state(h.copy()))


def _compare_term(name, grads, steps):
    """Compare a gradient with the sum of what each step adds to it; `steps` has them all."""
    if name not in grads:
        raise _Wrong(f"Not yet: grads has no {name}.")
    total = steps.sum(axis=0)
    slips = {
        _key(steps[0]): "only the term of step 0, visited last, is left: = where += belongs",
        _key(steps[-1]): "only the term of the last step is left: = where += belongs",
        _key(total / len(steps)): "the gradients of the steps add up; do not take their mean",
        _key(0 * total): "it is still zero",
    }
    _compare(f"grads[{name!r}]", grads[name], total, slips)


def _sequences(N, T, D, H):
    """Draw weights, two batches of sequences, a state and gradients of the states."""
    rng = np.random.default_rng(0)
    shapes = (D, H), (H, H), (H,), (N, T, D), (N, T, D), (N, H), (N, T, H)
    return [rng.uniform(-1, 1, shape) for shape in shapes]


def _runs_if_square(layer_class):
    """Say whether a layer runs where D = H."""
    Wx, Wh, b, xs, *_ = _sequences(3, 4, 5, 5)
    try:
        layer_class(Wx, Wh, b).forward(xs)
    except Exception:
        return False
    return True


def _rnn_forward(xs, h, Wx, Wh, b):
    """Return all states, and the last, of a plain RNN that begins in `h`."""
    hs = []
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ Wx + h @ Wh + b)  # (N, D) @ (D, H) + (N, H) @ (H, H)
        hs.append(h)
    return np.stack(hs, axis=1), h


def _rnn_backward(xs, h, Wx, Wh, b, dhs, carry=True, steps=None):
    """Return dL/dxs, and for each parameter what every step adds to its gradient."""
    hs = np.concatenate([h[:, None], _rnn_forward(xs, h, Wx, Wh, b)[0]], axis=1)
    dz, dh = np.zeros_like(dhs), 0
    for t in steps or reversed(range(xs.shape[1])):
        dz[:, t] = (dhs[:, t] + dh) * (1 - hs[:, t + 1] ** 2)
        dh = dz[:, t] @ Wh.T if carry else 0  # (N, H) @ (H, H) -> (N, H)
    terms = {
        "Wx": np.einsum("ntd,nth->tdh", xs, dz),
        "Wh": np.einsum("nth,ntk->thk", hs[:, :-1], dz),
        "b": dz.sum(axis=0),
    }
    return dz @ Wx.T, terms  # (N, T, H) @ (H, D) -> (N, T, D)


@_verdict("Right. You read four verdicts, and not one line of their code.")
def culprits(function):
    """Check ``() -> four letters``, the slips of four programs told from their verdicts."""
    answer = function()
    if answer is None or answer is Ellipsis:
        raise _Wrong(f"Not yet: the letters came out as {answer}.")
    if not isinstance(answer, (str, tuple, list)) or not all(isinstance(a, str) for a in answer):
        raise _Wrong("Return four letters from A to E, such as 'ABCD'.")
    named = "".join(answer).replace(" ", "").upper()
    if len(named) != 4 or not set(named) <= set("ABCDE"):
        raise _Wrong(f"Return four letters from A to E, got {''.join(answer)!r}.")
    looks = {
        "A": "A touches the gradient of Wh and no other",
        "B": "B leaves Wy and by right, and spoils all that lies below the last step",
        "C": "C makes every gradient a quarter of what it should be",
        "D": "D turns the sign of every gradient",
        "E": "E touches the gradient of Wy and no other",
    }
    for n, (got, right) in enumerate(zip(named, "BDAC", strict=True), 1):
        if got != right:
            raise _Wrong(f"Program {n} is not {got}: {looks[got]}. Look at its verdict again.")


@_verdict("Right: one visit to each step, and every gradient of the batch.")
def char_backward(function):
    """Check ``(xs, hs, ds, Wh, Wy) -> (dWx, dWh, db, dWy, dby)`` of a character RNN."""
    rng = np.random.default_rng(0)
    for N, T, D, H, V in ((2, 5, 3, 4, 6), (3, 4, 5, 2, 7)):
        Wh, Wy = rng.standard_normal((H, H)), rng.standard_normal((H, V))
        xs, ds = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, V))
        hs = np.tanh(rng.standard_normal((N, T + 1, H)))
        arguments = xs, hs, ds, Wh, Wy
        names = "dWx", "dWh", "db", "dWy", "dby"
        answer = _gradients(function, *arguments, names=names)
        slips = {
            "the gradients of all steps add up: += and not =": {"sums": False},
            "what the next step says, dz @ Wh.T, is missing": {"future": False},
            "multiply by the slope of tanh, 1 - h²": {"slope": lambda h, _: 1.0 + 0 * h},
            "the slope belongs to hs[:, t + 1], the state that step t made": {
                "slope": lambda _, h_prev: 1 - h_prev**2
            },
            "the slope of tanh is 1 - h²; h (1 - h) is that of the sigmoid": {
                "slope": lambda h, _: h * (1 - h)
            },
            "back through Wh means Wh.T": {"turned": False},
            "the slope multiplies the whole sum: put it in brackets": {"whole": False},
            "Wh joins h before the step, hs[:, t], to dz": {"late": True},
            "Wy reads the state after the step, hs[:, t + 1]": {"early": True},
            "a single number for all units: sum over the batch only": {"single": True},
            "sum over the batch, do not average: ds already knows the size": {"mean": True},
        }
        right = _char_gradients(*arguments)
        wrong = {hint: _char_gradients(*arguments, **slip) for hint, slip in slips.items()}
        for i in (3, 4, 0, 1, 2):
            known = {_key(grads[i]): hint for hint, grads in wrong.items()}
            _compare(("dWx", "dWh", "db", "dWy", "dby")[i], answer[i], right[i], known)


def _char_gradients(
    xs, hs, ds, Wh, Wy, future=True, slope=None, turned=True, late=False, early=False, sums=True,
    single=False, mean=False, whole=True,
):  # fmt: skip
    """Return dWx, dWh, db, dWy, dby, or those of a program with one slip."""
    slope = slope or (lambda h, _: 1 - h**2)
    N, T, _ = xs.shape
    dz, dzs = np.zeros((N, len(Wh))), np.zeros_like(hs[:, 1:])
    for t in reversed(range(T)):
        back = dz @ (Wh.T if turned else Wh) if future else 0
        by_slope = slope(hs[:, t + 1], hs[:, t])
        dz = ds[:, t] @ Wy.T * by_slope + back * (by_slope if whole else 1)
        dzs[:, t] = dz
    steps = slice(T if sums else 1)  # with = the last word has the first step

    def joined(a, b):
        return np.einsum("nti,ntj->ij", a[:, steps], b[:, steps])

    def total(a):
        found = a[:, steps].sum(axis=(0, 1))
        return np.full_like(found, found.sum()) if single else found

    read, spoken = (hs[:, 1:] if late else hs[:, :-1]), (hs[:, :-1] if early else hs[:, 1:])
    grads = joined(xs, dzs), joined(read, dzs), total(dzs), joined(spoken, ds), total(ds)
    return tuple(grad / N for grad in grads) if mean else grads


@_verdict("Right. Mixed second derivatives agree, or there is no loss.")
def is_gradient(function):
    """Check ``(g, x) -> bool``, whether g may be the gradient of some loss near x."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 4))
    truth, turn = np.eye(4)[1], np.array([[0.0, 1.0], [-1.0, 0.0]])
    cases = (
        (lambda x: (A + A.T) @ x, 4, True, "x @ S with S symmetric is that of ½ x S x"),
        (lambda x: x @ turn, 2, False, "a field that goes round in circles is that of no loss"),
        (lambda x: _softmax(x) - truth, 4, True, "y - t is the gradient of the cross-entropy"),
        (lambda x: _softmax(x) - 0.7, 4, True, "y - q with one number q is that of (6)"),
        (
            lambda x: (_softmax(x) - truth) * np.array([3.0, 1.0, 1.0, 1.0]),
            4,
            False,
            "one entry of a gradient, three times as large, leaves no gradient",
        ),
        (lambda x: x**3, 1, True, "with a single number there is always a loss"),
        (
            lambda x: np.concatenate([1000 * x[:2], 0.01 * (x[2:] @ turn)]),
            4,
            False,
            "a small part goes round in circles: allow no more where others are large",
        ),
    )
    for g, size, right, why in cases:
        x = rng.standard_normal(size)
        given = x.copy()
        got = function(g, x)
        if got is None or got is Ellipsis:
            raise _Wrong(f"Not yet: is_gradient(g, x) came out as {got}.")
        if not isinstance(got, (bool, np.bool_)):
            raise _Wrong(f"is_gradient must return True or False, got {type(got).__name__}.")
        if not np.array_equal(x, given):
            raise _Wrong("Your function changed x: work on a copy.")
        if bool(got) != right:
            hint = ""
            if right and size > 1:
                hint = " Does your comparison allow for rounding, about 1e-6?"
            raise _Wrong(f"You say {bool(got)}, but {why}.{hint}")


_LOCAL = "that is the local derivative: multiply it by dout"


def _call(function, *arguments, name="Your function"):
    """Call the reader's function; refuse one that changes its arguments."""
    before = copy.deepcopy(arguments)
    result = function(*arguments)
    if not all(map(np.array_equal, arguments, before)):
        raise _Wrong(f"{name} changed what it was given: work on new arrays.")
    return result


def _gradients(function, *arguments, names):
    """Call the reader's function; refuse what is not yet the gradients of these names."""
    answer = _call(function, *arguments)
    if not isinstance(answer, (tuple, list)) or len(answer) != len(names):
        count = {2: "two", 3: "three", 5: "five"}[len(names)]
        raise _Wrong(f"Not yet: return {count} arrays, {', '.join(names[:-1])} and {names[-1]}.")
    if all(isinstance(part, np.ndarray) and not part.any() for part in answer):
        raise _Wrong("Not yet: the gradients are all zero.")
    return answer


def _forward(layer, *arguments):
    """Run a forward pass; refuse one that changes its arguments."""
    return _call(layer.forward, *arguments, name="forward")


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


# Gradients through time ------------------------------------------------------------------


@_verdict("Right. One length for all, the direction kept, and nothing done to what is short.")
def clip_by_norm(function):
    """Check ``(grads, max_norm) -> clipped``, dicts of arrays."""
    rng = np.random.default_rng(0)
    long = {"Wx": 5 * rng.standard_normal((2, 3)), "Wh": 4 * rng.standard_normal((3, 3))}
    length = np.sqrt(sum(np.sum(g**2) for g in long.values()))
    for grads, max_norm in (
        (long, 1.5),
        ({name: 0.01 * g for name, g in long.items()}, 1.5),
        ({"Wx": np.zeros((2, 3)), "b": np.zeros(3)}, 1.0),
    ):
        before = copy.deepcopy(grads)
        got = function(grads, max_norm)
        if any(not np.array_equal(before[name], grads[name]) for name in grads):
            raise _Wrong("Your function changed grads itself: return a new dict.")
        if got is None or got is Ellipsis:
            raise _Wrong(f"Not yet: the gradients came out as {got}.")
        if not isinstance(got, dict) or set(got) != set(grads):
            raise _Wrong(f"Return a dict with the names {', '.join(grads)}.")
        factor = min(1, max_norm / length) if grads is long else 1
        for name, grad in grads.items():
            own = np.sqrt(np.sum(grad**2)) or 1.0
            largest = max(np.abs(g).max() for g in grads.values()) or 1.0
            slips = {
                _key(grad * min(1, max_norm / own)): "all arrays together have one length",
                _key(np.clip(grad, -max_norm, max_norm)): "that clips each entry, "
                "which changes the direction",
                _key(grad * min(1, max_norm / length**2)): "the length is the root of the sum",
                _key(grad * min(1, max_norm / largest)): "that goes by the largest entry",
            }
            if grads is long:
                slips[_key(grad)] = "it is longer than max_norm and was not shortened"
            else:
                scaled = np.sqrt(sum(np.sum(g**2) for g in grads.values())) or 1.0
                slips[_key(grad * max_norm / scaled)] = "what is short enough must stay as it is"
            _compare(f"the clipped {name}", got[name], grad * factor, slips)


@_verdict("Right. Each loss walks back through k cells and no further.")
def window_backward(function):
    """Check ``(dhs, hs, Wh, k) -> dzs`` for one sequence."""
    rng = np.random.default_rng(0)
    for T, H, k in ((6, 3, 2), (5, 2, 1), (4, 3, 9), (7, 4, 3)):
        dhs, Wh = rng.standard_normal((T, H)), rng.standard_normal((H, H))
        arguments = dhs, rng.uniform(-0.9, 0.9, (T, H)), Wh, k
        got = _call(function, *arguments)
        if isinstance(got, np.ndarray) and not got.any():
            raise _Wrong("Not yet: dzs is zero everywhere.")
        slips = {
            _key(_window_walk(*arguments[:3], k + 1)): "one cell too many: with k = 1 the loss "
            "goes through the cell of its own step and no other",
            _key(_window_walk(*arguments[:3], k - 1)): "one cell too few: the cell of the loss's "
            "own step counts",
            _key(_window_walk(*arguments[:3], T)): "that is the full walk: stop after k cells",
            _key(_window_walk(*arguments, turned=False)): "back through Wh means Wh.T",
            _key(_window_walk(*arguments, sums=False)): "the losses of several steps add up: "
            "+= and not =",
            _key(_window_walk(*arguments, slope=lambda h: 1.0)): "multiply by the slope of tanh, "
            "1 - h², at each cell",
            _key(_window_walk(*arguments, slope=lambda h: 1 - np.tanh(h) ** 2)): "hs are the "
            "states after tanh: the slope is 1 - h²",
            _key(_window_walk(*arguments, passed=False)): "what walks on is dz and not dh: the "
            "slope belongs into the walk too",
            _key(_window_walk(*arguments, wraps=True)): "the walk ends at step 0: a negative "
            "index counts from the end",
            _key(_block_walk(*arguments)): "those are blocks of k: in a window every loss has a "
            "walk of its own",
        }
        _compare(f"dzs for k = {k}", got, _window_walk(*arguments), slips)


def _window_walk(
    dhs, hs, Wh, k, turned=True, sums=True, slope=lambda h: 1 - h**2, passed=True, wraps=False
):
    """Return the gradients of the sums, or those of a program with one slip."""
    dzs = np.zeros_like(hs)
    for t in range(len(hs)):
        dh = dhs[t]
        for s in range(t, max(t - k, -len(hs) - 1 if wraps else -1), -1):
            dz = dh * slope(hs[s])
            dzs[s] = dzs[s] + dz if sums else dz
            dh = (dz if passed else dh) @ (Wh.T if turned else Wh)
    return dzs


def _block_walk(dhs, hs, Wh, k):
    """Return the gradients of the sums where the sequence is cut into blocks."""
    dzs = np.zeros_like(hs)
    for t in reversed(range(len(hs))):
        inside = t + 1 < len(hs) and (t + 1) % k
        dzs[t] = (dhs[t] + (dzs[t + 1] @ Wh.T if inside else 0)) * (1 - hs[t] ** 2)
    return dzs


@_verdict("Right: a radius of zero, and a perfect memory for as long as it is needed.")
def recall_by_hand(function):
    """Check ``lag -> (Wx, Wh, Wy)`` of a tanh network that recalls the sign `lag` steps ago."""
    for lag in (2, 0, 1, 5, 60):
        answer = function(lag)
        if answer is None or answer is Ellipsis:
            raise _Wrong(f"Not yet: for lag {lag} the weights came out as {answer}.")
        if not isinstance(answer, (tuple, list)) or len(answer) != 3:
            raise _Wrong("Return three arrays, Wx, Wh and Wy.")
        Wx, Wh, Wy = (np.asarray(part, dtype=float) for part in answer)
        H = Wh.shape[0] if Wh.ndim == 2 else "H"
        for name, W, shape in (("Wh", Wh, (H, H)), ("Wx", Wx, (1, H)), ("Wy", Wy, (H, 1))):
            if W.shape != shape:
                raise _Wrong(f"{name} must have shape {shape}, got {W.shape}.")
        if np.linalg.matrix_power(np.where(Wh, 1.0, 0.0), H).any():  # a loop among the units
            raise _Wrong(
                "Some unit can hear itself again, directly or through others. "
                "Let every unit speak only to units after it; this check follows the connections."
            )
        bits = np.random.default_rng(lag).choice([-1.0, 1.0], (16, lag + 20))
        h, scores = np.zeros((16, H)), []
        for t in range(bits.shape[1]):
            h = np.tanh(bits[:, t : t + 1] @ Wx + h @ Wh)  # (16, 1) @ (1, H) + (16, H) @ (H, H)
            scores.append(h @ Wy)
        scores = np.concatenate(scores, axis=1)
        said = scores[:, lag:]
        for late, hint in (
            (1, "that is the input one step later than asked: one unit more"),
            (-1, "that is the input one step too old: one unit fewer"),
        ):
            if lag - late >= 0 and np.array_equal(
                scores[:, lag + 1 :] > 0, bits[:, 1 + late : len(bits[0]) - lag + late] > 0
            ):
                raise _Wrong(f"For lag {lag}: {hint}.")
        if np.array_equal(said < 0, bits[:, : said.shape[1]] > 0):
            raise _Wrong("All signs are the wrong way round.")
        right = ((said > 0) == (bits[:, : said.shape[1]] > 0)).mean()
        if right < 1:
            raise _Wrong(f"For lag {lag}, {right:.0%} of the answers are right.")
        if np.abs(said).min() < 0.5:
            raise _Wrong(
                f"All signs are right, but for lag {lag} some scores are as faint as "
                f"{np.abs(said).min():.2g}, and at least 0.5 was asked for: refresh the value "
                "on its way, or read it louder."
            )


# Language model --------------------------------------------------------------------------


@_verdict("Right. The mean over all tokens first, the exponential of it last.")
def perplexity_of(function):
    """Check ``(losses, counts) -> perplexity`` of batches that are not equally long."""
    for losses, counts in (([2.0, 0.5, 3.0], [10, 40, 3]), ([0.0, 4.0], [7, 1]), ([1.5], [6])):
        losses, counts = np.array(losses), np.array(counts)
        mean = np.sum(losses * counts) / counts.sum()
        slips = {
            np.exp(losses).mean(): "that is the mean of the perplexities: average the losses, "
            "and take the exponential last",
            np.sum(np.exp(losses) * counts) / counts.sum(): "that is the mean of the "
            "perplexities: average the losses, and take the exponential last",
            np.exp(losses.mean()): "the batches are not equally long: a batch of ten tokens has "
            "ten votes",
            mean: "that is the mean loss: its exponential is wanted",
            np.exp(-mean): "that is the inverse, below 1: a perplexity is at least 1",
            2.0**mean: "that is 2 to the loss: the losses are in nats, so the base is e",
        }
        got = function(losses.copy(), counts.copy())
        _compare(
            f"the perplexity for {losses.tolist()}, {counts.tolist()}", got, np.exp(mean), slips
        )


@_verdict("Right. One product for all steps, and each step adds its term.")
def time_affine_backward(function):
    """Check ``(dout, xs, W) -> (dxs, dW, db)`` of an Affine layer at every time step."""
    rng = np.random.default_rng(0)
    for N, T, D, H in ((2, 3, 4, 5), (3, 2, 5, 4)):
        dout, xs, W = (rng.standard_normal(s) for s in ((N, T, H), (N, T, D), (D, H)))
        got = _call(function, dout, xs, W)
        if got is None or got is Ellipsis:
            raise _Wrong(f"Not yet: the gradients came out as {got}.")
        if not isinstance(got, (tuple, list)) or len(got) != 3:
            raise _Wrong("Return three arrays, dxs, dW and db.")
        dW, db = np.einsum("ntd,nth->dh", xs, dout), dout.sum(axis=(0, 1))
        _compare("dxs", got[0], dout @ W.T, {})
        last = xs[:, -1].T @ dout[:, -1]
        mean = "the gradients of the places add up: the loss has already divided by their number"
        slips = {_key(dW.T): "it is turned round", _key(last): "only the last step is in it"}
        slips |= {_key(dW / k): mean for k in (N, T, N * T)}
        _compare("dW", got[1], dW, slips)
        slips = {_key(db / k): mean for k in (N, T, N * T)}
        slips[_key(dout.sum(axis=0))] = "sum over the steps too: there is one bias for all"
        slips[_key(dout.sum(axis=1))] = "sum over the batch too: there is one bias for all"
        slips[_key(dout[:, -1].sum(axis=0))] = "only the last step is in it"
        _compare("db", got[2], db, slips)


@_verdict("Right. Divided by the temperature before the softmax, and drawn by its share.")
def draw_token(function):
    """Check ``(scores, temperature, u) -> token``, where u from 0 to below 1 is the chance."""
    scores = np.array([0.5, 2.0, -1.0, 1.0])
    us = np.linspace(0, 0.999, 38)
    answers = {
        name: [int(np.sum(np.cumsum(q)[:-1] <= u)) for u in us]
        for name, q in (
            ("right", _softmax(scores / 2.5)),
            ("times", _softmax(scores * 2.5)),
            ("without", _softmax(scores)),
            ("late", _softmax(scores) / 2.5),
            ("turned", _softmax(-scores / 2.5)),
        )
    }
    got = [function(scores.copy(), 2.5, float(u)) for u in us]
    if any(token is None or token is Ellipsis for token in got):
        raise _Wrong(f"Not yet: the token came out as {got[0]}.")
    if any(np.ndim(token) or np.asarray(token).dtype.kind not in "iu" for token in got):
        raise _Wrong("Return a single whole number, the token.")
    got = [int(token) for token in got]
    hints = {
        "times": "divide the scores by the temperature, do not multiply",
        "without": "the temperature has no effect: it must divide the scores before the softmax",
        "late": "divide the scores, not the probabilities: those must sum to 1",
        "turned": "the sign: a high score makes a token likely",
    }
    for name, hint in hints.items():
        if got == answers[name] != answers["right"]:
            raise _Wrong(f"Not right yet: {hint}.")
    if got == [int(scores.argmax())] * len(us):
        raise _Wrong("Not right yet: it is always the likeliest token, whatever u is.")
    if got == [token - 1 for token in answers["right"]]:
        raise _Wrong("Not right yet: it is the token before; count from 0.")
    if got == [token + 1 for token in answers["right"]]:
        raise _Wrong("Not right yet: it is the token after; count from 0.")
    for u, token, right in zip(us, got, answers["right"], strict=True):
        if token != right:
            raise _Wrong(f"For u = {u:.3f} at temperature 2.5 the token is {right}, got {token}.")
    if int(function(np.array([1000.0, 999.0, 0.0]), 1.0, 0.9)) != 1:
        raise _Wrong("Scores of 1,000 go wrong: take the largest score off before the exponential.")
    for u in (0.5, 0.99, 0.0):
        token = function(scores.copy(), 0, u)
        if token is None or int(token) != 1:
            hint = ": a stretch of length 0 holds no u, not even 0" if u == 0 else ""
            raise _Wrong(f"At temperature 0 the token with the highest score is wanted{hint}.")


@_verdict("Right. Every reader goes on where it ended, and begins again at the end.")
def text_batch(function):
    """Check ``(tokens, N, T, k) -> (xs, ts)``, batch k of a text with N readers."""
    rng = np.random.default_rng(0)
    for P, N, T in ((29, 5, 4), (47, 3, 5), (10, 2, 7)):
        tokens = rng.permutation(100 * (P + 1))[: P + 1]
        for k in (0, 1, 2, 9):
            got = function(tokens.copy(), N, T, k)
            if got is None or got is Ellipsis:
                raise _Wrong(f"Not yet: the batch came out as {got}.")
            if not isinstance(got, (tuple, list)) or len(got) != 2:
                raise _Wrong("Return two arrays, xs and ts.")
            column, row = np.arange(N)[:, None], np.arange(T)
            plain = column * (P // N) + k * T + row
            right = plain % P
            slips = {
                _key(tokens[(column * T + k * N * T + row) % P]): "the readers must begin "
                "P // N apart, not side by side",
                _key(tokens[(column * (P // N) + k + row) % P]): "each batch moves the readers "
                "on by T tokens, not by one",
                _key(tokens[(column * (P // N) + row) % P]): "the readers do not move on: "
                "where is k?",
                _key(
                    tokens[column * (P // N) + (k * T + row) % (P // N)]
                ): "a reader does not turn back at the next reader's beginning: it reads on to "
                "the end of the text",
                _key(tokens[plain % (P + 1)]): "the last token is never read, only predicted: "
                "go round after P places",
                _key(tokens[(column * ((P + 1) // N) + k * T + row) % P]): "there are "
                "P = len(tokens) - 1 predictions to divide among the readers",
                _key(tokens[right].T): "rows are readers and columns are steps",
            }
            where = f"of batch {k}, P = {P}, N = {N}, T = {T}"
            _compare(f"xs {where}", got[0], tokens[right], slips)
            slips = {
                _key(tokens[right]): "they are the same as xs: the tokens that follow are wanted",
                _key(tokens[(right + 1) % P]): "the token after the last place is the last token, "
                "not the first: go round with the places, and add 1 after that",
                _key(tokens[right - 1]): "those are the tokens before",
            }
            _compare(f"ts {where}", got[1], tokens[right + 1], slips)


# Gates -----------------------------------------------------------------------------------


@_verdict("Right: so near to one, and so far above zero.")
def forget_bias(function):
    """Check ``steps -> b`` with half of a memory left after so many steps."""
    for steps in (1, 10, 100.0, 2.5):
        f = 2 ** (-1 / steps)
        slips = {
            f: "that is the gate itself; find the bias that makes sigmoid give it",
            -np.log(f): "that is what a step takes away; from the gate to its bias leads the "
            "inverse of the sigmoid, ln(f / (1 - f))",
            np.log((1 - f) / f): "the sign: a gate above one half has a bias above zero",
            -np.log(np.expm1(1 / steps)): "that leaves 1/e after so many steps, not one half",
            np.log(steps): "that is a good rule of thumb, but not exact",
        }
        _compare(f"The bias for {steps:g} steps", function(steps), np.log(f / (1 - f)), slips)


@_verdict("Right. What is kept and what is written add up to one.")
def gru_step(function):
    """Check ``(x, h_prev, Wx, Wh, b, bh) -> h`` for one step of a GRU."""
    rng = np.random.default_rng(0)
    for N, D, H in ((2, 3, 4), (5, 2, 3)):
        shapes = (N, D), (N, H), (D, 3 * H), (H, 3 * H), (3 * H,), (H,)
        arguments = x, h_prev, Wx, Wh, b, bh = [rng.standard_normal(shape) for shape in shapes]
        got = _call(function, *arguments)
        (r, u, n, m), right = GRUCell.from_sums(x @ Wx + b, h_prev @ Wh, bh, h_prev)
        an = (x @ Wx + b)[:, 2 * H :]
        early = np.tanh(an + (r * h_prev) @ Wh[:, 2 * H :] + bh)
        outside = np.tanh(an + r * (m - bh) + bh)
        _, bare = GRUCell.from_sums(x @ Wx, h_prev @ Wh, bh, h_prev)
        slips = {
            _key(u * n + (1 - u) * h_prev): "u is the share that is kept: h_prev gets u, "
            "and n gets 1 - u",
            _key((1 - r) * np.tanh(an + u * m) + r * h_prev): "r and u are in each other's "
            "place: the columns are r, u, n",
            _key(n): "the old state is missing: keep a share u of it",
            _key((1 - u) * np.tanh(an + m) + u * h_prev): "the reset gate r is missing in n",
            _key((1 - u) * early + u * h_prev): "here r multiplies what comes out of the "
            "product with Wh, not h_prev before it",
            _key((1 - u) * outside + u * h_prev): "bh stands inside the bracket that r multiplies",
            _key((1 - u) * np.tanh(an + r * (m - bh)) + u * h_prev): "bh is missing",
            _key(bare): "b is missing: it is added to x Wx",
            _key((1 - u) * (an + r * m) + u * h_prev): "the tanh around n is missing",
            _key(n + u * h_prev): "n gets the share 1 - u",
        }
        _compare("h", got, right, slips)


@_verdict("Right. Two gradients come in, two go out, and the direct path has no matrix on it.")
def lstm_backward(function):
    """Check ``(dh, dc, c_prev, i, f, g, o, c) -> (da, dc_prev)`` for one step of an LSTM."""
    rng = np.random.default_rng(0)
    for N, H in ((2, 3), (4, 2)):
        dh, dc, c_prev = rng.standard_normal((3, N, H))
        gates, _, c = LSTMCell.from_sums(rng.standard_normal((N, 4 * H)), c_prev)
        arguments = dh, dc, c_prev, *gates, c
        answer = _gradients(function, *arguments, names=("da", "dc_prev"))
        if [np.shape(part) for part in answer] == [(N, H), (N, 4 * H)]:
            raise _Wrong("The two are in each other's place: return da first, then dc_prev.")
        wrong = {hint: _lstm_walk(*arguments, **slip) for hint, slip in _LSTM_SLIPS.items()}
        right = _lstm_walk(*arguments)
        for part, name in ((1, "dc_prev"), (0, "da")):
            slips = {_key(walked[part]): hint for hint, walked in wrong.items()}
            if part == 1:
                slips[_key(dc * gates[1])] = "what comes through h_t = o tanh(c_t) is missing"
                slips[_key(right[1] / gates[1])] = "one step back means times f"
            _compare(name, answer[part], right[part], slips)


_LSTM_SLIPS = {
    "dc, what comes along the cell state from the next step, is missing": {"along": 0.0},
    "what comes through h_t = o tanh(c_t) is missing": {"through": 0.0},
    "the slope of tanh(c) is missing, 1 - tanh(c)²": {"slope": False},
    "dh reaches c_t through h_t = o tanh(c_t): the factor o is missing there": {"door": False},
    "o stands in h_t alone, so its gradient comes from dh and not from the sum e": {"both": True},
    "f multiplies the cell state before the step, c_prev": {"late": True},
    "multiply by the slopes of the four activations too": {"sums": False},
    "the tanh of c is missing: o multiplies tanh(c)": {"squashed": False},
    "g went through tanh, so its slope is 1 - g²": {"alike": True},
    "the columns are i, f, g, o": {"order": (0, 2, 1, 3)},
    "i and g are in each other's place: the columns are i, f, g, o": {"order": (2, 1, 0, 3)},
    "i and g are factors of one product: the gradient of each is e times the other": {
        "crossed": False
    },
}


def _lstm_walk(
    dh,
    dc,
    c_prev,
    i,
    f,
    g,
    o,
    c,
    *,
    along=1.0,
    through=1.0,
    slope=True,
    door=True,
    both=False,
    crossed=True,
    late=False,
    sums=True,
    squashed=True,
    alike=False,
    order=(0, 1, 2, 3),
):
    """Return da and dc_prev of one step, right unless a keyword says otherwise."""
    s = np.tanh(c)
    e = along * dc + through * dh * (o if door else 1.0) * (1 - s**2 if slope else 1.0)
    of_i, of_g = (g, i) if crossed else (i, g)
    of_o = (e if both else dh) * (s if squashed else c)
    da = [e * of_i, e * (c if late else c_prev), e * of_g, of_o]
    slopes = [i * (1 - i), f * (1 - f), g * (1 - g) if alike else 1 - g**2, o * (1 - o)]
    if sums:
        da = [gradient * own for gradient, own in zip(da, slopes, strict=True)]
    return np.concatenate([da[k] for k in order], axis=1), e * f
