"""The checks of exercises: right answers pass, and each slip is told from the others."""

import numpy as np
import pytest

from rnnbook import checks
from rnnbook.functions import softmax


def layer(forward, backward):
    """Make a layer class; both functions get the layer's memory, a dict, first."""

    class Layer:
        def __init__(self):
            self.memory = {}

        def forward(self, *args):
            return forward(self.memory, *args)

        def backward(self, dout=1.0):
            return backward(self.memory, dout)

    return Layer


def remember(result):
    """Make a forward pass that remembers its arguments under x and y."""

    def forward(memory, x, y=None):
        memory.update(x=x, y=y)
        return result(x, y) if y is not None else result(x)

    return forward


def sub(backward):
    return layer(remember(lambda x, y: x - y), backward)


def div(backward):
    return layer(remember(lambda x, y: x / y), backward)


def leaky(forward=None, backward=None):
    forward = forward or remember(lambda x: np.where(x > 0, x, 0.1 * x))
    backward = backward or (lambda m, dout: np.where(m["x"] > 0, dout, 0.1 * dout))
    return layer(forward, backward)


def error(loss=None, backward=None):
    loss = loss or (lambda y, t: 0.5 * np.sum((y - t) ** 2) / len(y))
    backward = backward or (lambda m, dout: dout * (m["x"] - m["y"]) / len(m["x"]))
    return layer(remember(loss), backward)


def soft(backward):
    return layer(remember(softmax), lambda m, dout: backward(softmax(m["x"]), dout))


def shop(**changes):
    def answer(prices, counts, tax):
        total = np.sum(prices * counts)
        right = {"total": total * tax, "dprices": counts * tax, "dcounts": prices * tax}
        right["dtax"] = total
        for name, change in changes.items():
            right[name] = change(prices, counts, tax)
        return tuple(right.values())

    return answer


def step(x, h_prev, Wx, Wh, b):
    return np.tanh(x @ Wx + h_prev @ Wh + b)


def window(words):
    """Return the first window in which no two equal contexts go on differently."""
    for m in range(1, len(words) + 1):
        padded = ["-"] * (m - 1) + words
        pairs = {(*padded[t : t + m], padded[t + m]) for t in range(len(words) - 1)}
        if len({pair[:-1] for pair in pairs}) == len(pairs):
            return m
    return None


def longest_repeat(words):
    """Return the mistaken window: one more than the longest phrase that comes twice."""
    n = len(words)
    for m in range(n - 2, 0, -1):
        phrases = [tuple(words[t : t + m]) for t in range(n - m)]
        if len(set(phrases)) < len(phrases):
            return m + 1
    return 1


def odd_or_even(K=10.0, **changes):
    """Return the weights of a net that says whether the number of ones is odd."""
    weights = {
        "Wx": K * np.ones((1, 2)),
        "Wh": K * np.array([[0.5, 0.5], [-0.5, -0.5]]),
        "b": K * np.array([-0.5, -1.5]),
        "Wy": np.array([[0.5], [-0.5]]),
        "by": np.zeros(1),
    }
    return lambda: tuple({**weights, **changes}.values())


def minus(bits, flip=True, carry=1):
    result = []
    for bit in bits:
        ones = (1 - bit if flip else bit) + carry
        result.append(ones % 2)
        carry = ones // 2
    return result


def way_back(dz=None, dWh=None, ds=lambda y, t: y - t, store=np.add):
    """Return the backward pass of a tanh adder, with parts exchanged."""
    dz = dz or (lambda ds, dz_next, h, h_prev, Wy, Wh: (ds @ Wy.T + dz_next @ Wh.T) * (1 - h**2))
    dWh = dWh or (lambda h, h_prev, dz: np.outer(h_prev, dz))

    def answer(xs, ts, hs, ys, Wx, Wy, Wh):
        grads, d = [np.zeros_like(W) for W in (Wx, Wy, Wh)], np.zeros(len(Wh))
        for t in reversed(range(len(xs))):
            out = ds(ys[t], ts[t])
            d = dz(out, d, hs[t + 1], hs[t], Wy, Wh)
            terms = np.outer(xs[t], d), np.outer(hs[t + 1], out), dWh(hs[t + 1], hs[t], d)
            grads = [store(grad, term) for grad, term in zip(grads, terms, strict=True)]
        return tuple(grads)

    return answer


def compare_bits(K=100.0, **changes):
    """Return the weights of one unit that says whether a > b."""
    weights = {"Wx": [[K], [-K]], "Wh": [[K]], "b": [-K / 2], "Wy": [[10.0]], "by": [-5.0]}
    return lambda: {name: np.array(value) for name, value in {**weights, **changes}.items()}


def scribble_on_x(memory, x):
    memory["x"] = x.copy()
    x[x <= 0] *= 0.1
    return x


def scribble_on_dout(memory, dout):
    dout[memory["x"] <= 0] *= 0.1
    return dout


def scribble_on_prices(prices, counts, tax):
    answer = shop()(prices, counts, tax)
    prices *= 2
    return answer


def rescale(memory, dout):
    memory.setdefault("diff", memory["x"] - memory["y"])
    memory["diff"] *= dout / len(memory["x"])
    return memory["diff"]


def naive_softmax(axis=-1):
    def forward(x):
        e = np.exp(x)
        return e / e.sum(axis=min(axis, x.ndim - 1), keepdims=True)

    def backward(memory, dout):
        y = softmax(memory["x"])
        return y * (dout - row_sum(dout * y))

    return layer(remember(forward), backward)


def row_sum(array):
    return array.sum(axis=-1, keepdims=True)


RIGHT = [
    (checks.sub_layer, sub(lambda m, dout: (dout, -dout))),
    (checks.div_layer, div(lambda m, dout: (dout / m["y"], -dout * m["x"] / m["y"] ** 2))),
    (checks.shop, shop()),
    (checks.leaky_relu, leaky()),
    (checks.mean_squared_error, error()),
    (checks.softmax_layer, soft(lambda y, dout: y * (dout - row_sum(dout * y)))),
    (checks.rnn_step, step),
    (checks.window_needed, window),
    (checks.parity, odd_or_even()),
    (checks.negate, minus),
    (checks.negate, lambda bits: tuple(minus(bits))),
    (checks.tanh_backward, way_back()),
    (checks.comparator, compare_bits()),
]

SLIPS = [
    (checks.sub_layer, layer(remember(lambda x, y: y - x), None), "that is y - x"),
    (checks.sub_layer, sub(lambda m, dout: (dout, dout)), "the sign: if y grows"),
    (checks.sub_layer, sub(lambda m, dout: (1.0, -1.0)), "multiply it by dout"),
    (checks.sub_layer, sub(lambda m, dout: dout), "must return the two gradients"),
    (checks.div_layer, layer(remember(lambda x, y: y / x), None), "that is y / x"),
    (checks.div_layer, div(lambda m, d: (1 / m["y"], 0.0)), "multiply it by dout"),
    (checks.div_layer, div(lambda m, d: (d * m["y"], d * m["x"])), "here dz/dx = 1 / y"),
    (
        checks.div_layer,
        div(lambda m, d: (d / m["y"], d * m["x"] / m["y"] ** 2)),
        "the sign: if y grows",
    ),
    (checks.div_layer, div(lambda m, d: (d / m["y"], -d / m["y"] ** 2)), "the x is missing"),
    (checks.div_layer, div(lambda m, d: (d / m["y"], -d * m["x"] / m["y"])), "y squared"),
    (
        checks.shop,
        shop(total=lambda p, c, tax: p @ c),
        "total is not right yet: the tax is missing",
    ),
    (checks.shop, shop(dprices=lambda p, c, tax: c), "the tax lies on the way back too"),
    (checks.shop, shop(dcounts=lambda p, c, tax: c * tax), "multiplication swaps"),
    (checks.shop, shop(dtax=lambda p, c, tax: p @ c * tax), "must not count itself"),
    (checks.shop, shop(dtax=lambda p, c, tax: None), "Not yet"),
    (checks.shop, scribble_on_prices, "changed prices or counts"),
    (checks.leaky_relu, leaky(scribble_on_x), "forward changed what it was given"),
    (checks.leaky_relu, leaky(backward=scribble_on_dout), "backward changed dout itself"),
    (checks.leaky_relu, leaky(remember(lambda x: np.maximum(x, 0))), "that is plain ReLU"),
    (
        checks.leaky_relu,
        leaky(backward=lambda m, dout: np.where(m["x"] > 0, dout, 0)),
        "a little flows on",
    ),
    (
        checks.leaky_relu,
        leaky(backward=lambda m, dout: np.where(m["x"] > 0, 0.1, 1) * dout),
        "swapped",
    ),
    (
        checks.mean_squared_error,
        error(lambda y, t: np.sum((y - t) ** 2) / len(y)),
        "the factor ½ is missing",
    ),
    (
        checks.mean_squared_error,
        error(lambda y, t: 0.5 * np.mean((y - t) ** 2)),
        "not by y.size",
    ),
    (
        checks.mean_squared_error,
        error(lambda y, t: np.mean((y - t) ** 2)),
        "np.mean divides by all the numbers",
    ),
    (checks.mean_squared_error, error(backward=rescale), "A second call of backward"),
    (
        checks.mean_squared_error,
        error(backward=lambda m, dout: (m["y"] - m["x"]) / len(m["x"])),
        "the sign",
    ),
    (
        checks.mean_squared_error,
        error(backward=lambda m, dout: (m["x"] - m["y"]) / len(m["x"])),
        "use dout",
    ),
    (
        checks.leaky_relu,
        leaky(backward=lambda m, dout: dout * np.where(dout > 0, 1, 0.1)),
        "looks at x, not at dout",
    ),
    (
        checks.leaky_relu,
        leaky(backward=lambda m, dout: dout * np.where(m["x"] >= 0, 1, 0.1)),
        "at exactly 0",
    ),
    (checks.shop, shop(dtax=lambda p, c, tax: p * c), "sum over the fruits"),
    (checks.shop, shop(dprices=lambda p, c, tax: c[:3] * tax), "dprices must have shape (5,)"),
    (checks.shop, shop(dprices=lambda p, c, tax: list(c * tax)), "must be an array, got list"),
    (
        checks.softmax_layer,
        layer(remember(lambda x: np.exp(x) / np.exp(x).sum()), None),
        "each row sums to 1",
    ),
    (checks.softmax_layer, layer(remember(lambda x: softmax(x.T).T), None), "not over the first"),
    (checks.softmax_layer, naive_softmax(axis=1), "for any number of axes"),
    (
        checks.softmax_layer,
        soft(lambda y, d: y * (d - np.sum(d * y, axis=-1))),
        "does a sum need keepdims=True?",
    ),
    (checks.leaky_relu, leaky(lambda m, x: x if x > 0 else 0.1 * x), "use np.where"),
    (checks.leaky_relu, leaky(remember(lambda x: np.where(x > 0, x, 0.01 * x))), "not 0.01"),
    (checks.shop, shop(dprices=lambda p, c, tax: np.sum(c * tax)), "one entry a fruit"),
    (checks.shop, shop(total=lambda p, c, tax: p * c * tax), "must be a single number"),
    (checks.shop, shop(dtax=lambda p, c, tax: 1.0), "the tax is an input"),
    (checks.softmax_layer, naive_softmax(), "y for scores of ±800"),
    (checks.softmax_layer, soft(lambda y, d: d * y * (1 - y)), "every y depends on every x"),
    (checks.softmax_layer, soft(lambda y, d: d * y), "still to subtract"),
    (checks.softmax_layer, soft(lambda y, d: y * (d - np.sum(d * y))), "over each row"),
    (checks.softmax_layer, soft(lambda y, d: y * (d - row_sum(d))), "the sum is of dout · y"),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: x @ Wx + h @ Wh + b, "the tanh is missing"),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh, 0 * b), "the bias is missing"),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: step(x, 0 * h, Wx, Wh, b), "no memory"),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: step(0 * x, h, Wx, Wh, b), "the input is missing"),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh) + b, "inside the tanh"),
    (
        checks.rnn_step,
        lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b) + np.tanh(h @ Wh),
        "then one tanh",
    ),
    (checks.rnn_step, lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh.T, b), "without a transpose"),
    (
        checks.rnn_step,
        lambda x, h, Wx, Wh, b: 1 / (1 + np.exp(-x @ Wx - h @ Wh - b)),
        "not tanh",
    ),
    (
        checks.rnn_step,
        lambda x, h, Wx, Wh, b: np.tanh(np.add(x @ Wx, h @ Wh, out=h) + b),
        "Your function changed what it was given",
    ),
    (checks.window_needed, lambda words: window(words) - 1, "does yours count the present word?"),
    (checks.window_needed, longest_repeat, "go on with the same word do not clash"),
    (checks.window_needed, lambda words: float(window(words)), "a whole number, got float"),
    (checks.window_needed, lambda words: len(words), "needs a window of 3, got 6"),
    (checks.window_needed, lambda words: window([*words, words.pop()]), "work on a copy"),
    (checks.parity, odd_or_even(Wy=np.array([[-0.5], [0.5]]), by=np.ones(1)), "1 - y is what"),
    (checks.parity, odd_or_even(Wh=np.zeros((2, 2))), "the present bit"),
    (
        checks.parity,
        odd_or_even(Wh=np.array([[6.0, 6.0], [0, 0]]), b=-np.ones(2), Wy=np.array([[1.0], [0]])),
        "whether there was a one at all",
    ),
    (checks.parity, odd_or_even(Wh=np.full((2, 2), 5.0)), "the number of ones is"),
    (checks.parity, odd_or_even(K=2.0), "Larger weights and biases"),
    (checks.parity, odd_or_even(b=np.zeros((1, 2))), "b must have shape (2,), got (1, 2)"),
    (checks.parity, lambda: odd_or_even()()[:3], "Return five arrays"),
    (checks.negate, lambda bits: None, "Not yet"),
    (checks.negate, lambda bits: [], "Not yet"),
    (checks.negate, lambda bits: 5, "must return a list of bits"),
    (checks.negate, lambda bits: minus(bits, carry=0), "the 1 is still to add"),
    (checks.negate, lambda bits: minus(bits, flip=False), "flip first"),
    (checks.negate, lambda bits: minus(bits[::-1])[::-1], "at the lowest bit"),
    (
        checks.negate,
        lambda bits: [*minus(bits), int(not any(bits))],
        "the last carry falls off",
    ),
    (
        checks.negate,
        lambda bits: [2 - bits[0], *(1 - bit for bit in bits[1:])],
        "a 2 is no bit",
    ),
    (checks.negate, lambda bits: bits.clear() or [], "changed the list"),
    (checks.tanh_backward, lambda *a: None, "Not yet: return three arrays"),
    (checks.tanh_backward, lambda *a: [0 * W for W in a[4:]], "all three gradients are zero"),
    (checks.tanh_backward, way_back(ds=lambda y, t: t - y), "the sign"),
    (checks.tanh_backward, way_back(ds=lambda y, t: (y - t) * y * (1 - y)), "no sigmoid here"),
    (checks.tanh_backward, way_back(ds=lambda y, t: 2 * (y - t)), "factor ½"),
    (
        checks.tanh_backward,
        way_back(lambda ds, d, h, h_prev, Wy, Wh: ds @ Wy.T * (1 - h**2)),
        "what the later steps say",
    ),
    (
        checks.tanh_backward,
        way_back(lambda ds, d, h, h_prev, Wy, Wh: (ds @ Wy.T + d @ Wh.T) * h * (1 - h)),
        "of the sigmoid",
    ),
    (
        checks.tanh_backward,
        way_back(lambda ds, d, h, h_prev, Wy, Wh: ds @ Wy.T + d @ Wh.T),
        "multiply by the slope",
    ),
    (
        checks.tanh_backward,
        way_back(lambda ds, d, h, h_prev, Wy, Wh: (ds @ Wy.T + d @ Wh.T) * (1 - h_prev**2)),
        "belongs to hs[t + 1]",
    ),
    (
        checks.tanh_backward,
        way_back(lambda ds, d, h, h_prev, Wy, Wh: (ds @ Wy.T + d @ Wh) * (1 - h**2)),
        "means Wh.T",
    ),
    (checks.tanh_backward, way_back(dWh=lambda h, h_prev, dz: np.outer(h, dz)), "before the step"),
    (checks.tanh_backward, way_back(store=lambda grad, term: term), "+= and not ="),
    (checks.comparator, lambda: None, "Not yet"),
    (checks.comparator, lambda: {"Wx": 1}, "Return a dict"),
    (checks.comparator, compare_bits(b=[[-50.0]]), "b must have shape (1,)"),
    (
        checks.comparator,
        compare_bits(Wx=[[-100.0], [100.0]], Wy=[[-10.0]], by=[5.0]),
        "all bits are equal",
    ),
    (checks.comparator, compare_bits(Wx=[[-100.0], [100.0]]), "whether a < b"),
    (checks.comparator, compare_bits(Wh=[[0.0]]), "the highest bits alone"),
    (checks.comparator, compare_bits(Wy=[[-10.0]], by=[5.0]), "the wrong way round"),
    (checks.comparator, compare_bits(Wx=[[100.0], [0.0]]), "Yours says"),
    (checks.comparator, compare_bits(1.0), "the verdict fades"),
    (checks.comparator, compare_bits(by=[0.0]), "rounding decides"),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=[check.__name__ for check, _ in RIGHT])
def test_a_right_answer_passes(check, answer):
    verdict = check(answer)
    assert verdict, verdict
    assert repr(verdict).startswith("✓ Right")


@pytest.mark.parametrize(("check", "answer", "hint"), SLIPS, ids=[hint for _, _, hint in SLIPS])
def test_a_slip_is_recognised(check, answer, hint):
    verdict = check(answer)
    assert not verdict
    assert repr(verdict).startswith("✗ ")
    assert hint in verdict.message


@pytest.mark.parametrize("check", [check for check, _ in RIGHT], ids=lambda check: check.__name__)
def test_an_empty_stub_is_not_yet_right(check):
    functions = checks.shop, checks.rnn_step, checks.window_needed, checks.parity
    functions += checks.negate, checks.tanh_backward, checks.comparator
    stub = (lambda *args: None) if check in functions else layer(lambda *a: None, lambda *a: None)
    verdict = check(stub)
    assert not verdict
    assert verdict.message.startswith("Not yet")


def test_an_error_in_the_answer_is_feedback():
    verdict = checks.sub_layer(layer(lambda m, x, y: 1 / 0, None))
    assert verdict == checks.Verdict(False, "Your code raised ZeroDivisionError: division by zero")


def test_an_unknown_mistake_shows_both_values():
    verdict = checks.sub_layer(sub(lambda m, dout: (17.0, -dout)))
    assert verdict.message == "dx should be 3, got 17."


def test_a_wrong_shape_is_named():
    verdict = checks.softmax_layer(layer(lambda m, x: softmax(x)[0], None))
    assert (
        verdict.message
        == "y for x of shape (2, 3) must have shape (2, 3), got an array of shape (3,)."
    )


def test_text_is_not_a_number():
    verdict = checks.sub_layer(layer(lambda m, x, y: "5", None))
    assert verdict.message == "forward(7, 2) must be a single number, got str."


def test_single_precision_is_named():
    verdict = checks.shop(shop(dprices=lambda p, c, tax: (c * tax).astype(np.float32)))
    assert verdict.message == "dprices differs in late digits: was it rounded, or made in float32?"


def test_constants_do_not_pass():
    assert not checks.sub_layer(layer(lambda m, x, y: 5.0, lambda m, dout: (3.0, -3.0)))
