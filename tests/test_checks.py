"""The checks of exercises: right answers pass, and each slip is told from the others."""

import numpy as np
import pytest
import refresh

import rnnbook
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


def spell_back(dz=None, dWh=None, dWy=None, db=None, store=np.add):
    """Return the backward pass of a character RNN, with parts exchanged."""
    dz = dz or (lambda ds, dz, h, h_prev, Wh, Wy: (ds @ Wy.T + dz @ Wh.T) * (1 - h**2))
    dWh = dWh or (lambda h, h_prev, dz: h_prev.T @ dz)
    dWy = dWy or (lambda h, h_prev, ds: h.T @ ds)
    db = db or (lambda d: d.sum(axis=0))

    def answer(xs, hs, ds, Wh, Wy):
        grads, d = [0, 0, 0, 0, 0], np.zeros((len(xs), len(Wh)))
        for t in reversed(range(xs.shape[1])):
            h, h_prev, out = hs[:, t + 1], hs[:, t], ds[:, t]
            d = dz(out, d, h, h_prev, Wh, Wy)
            terms = [xs[:, t].T @ d, dWh(h, h_prev, d), db(d), dWy(h, h_prev, out), db(out)]
            grads = [store(grad, term) for grad, term in zip(grads, terms, strict=True)]
        return tuple(grads)

    return answer


def symmetric(rtol=0.0, atol=1e-6):
    """Return the test whether a Jacobian, by central differences, is symmetric."""

    def answer(g, x):
        steps = 1e-5 * np.eye(len(x))
        J = np.array([(g(x + step) - g(x - step)) / 2e-5 for step in steps])
        return bool(np.abs(J - J.T).max() <= atol + rtol * np.abs(J).max())

    return answer


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
    (checks.culprits, lambda: "BDAC"),
    (checks.culprits, lambda: ["b", "d", "a", "c"]),
    (checks.char_backward, spell_back()),
    (checks.is_gradient, symmetric()),
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
    (checks.tanh_backward, lambda *a: [0 * W for W in a[4:]], "the gradients are all zero"),
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
    (checks.culprits, lambda: "BDA", "four letters from A to E, got 'BDA'"),
    (checks.culprits, lambda: 4, "such as 'ABCD'"),
    (checks.culprits, lambda: "BDAF", "four letters from A to E, got 'BDAF'"),
    (checks.culprits, lambda: "EDAC", "Program 1 is not E: E touches the gradient of Wy"),
    (checks.culprits, lambda: "BCAC", "Program 2 is not C"),
    (checks.culprits, lambda: "BDEC", "Program 3 is not E"),
    (checks.culprits, lambda: "BDAD", "Program 4 is not D"),
    (checks.char_backward, lambda *a: None, "Not yet: return five arrays"),
    (checks.char_backward, lambda *a: [np.zeros(2)] * 5, "the gradients are all zero"),
    (checks.char_backward, lambda *a: [a[0].fill(0)] * 5, "changed what it was given"),
    (checks.char_backward, spell_back(store=lambda grad, term: term), "and not ="),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: ds @ Wy.T * (1 - h**2)),
        "what the next step says",
    ),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: ds @ Wy.T + dz @ Wh.T),
        "multiply by the slope of tanh",
    ),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: (ds @ Wy.T + dz @ Wh.T) * (1 - h_prev**2)),
        "the slope belongs to hs[:, t + 1]",
    ),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: (ds @ Wy.T + dz @ Wh.T) * h * (1 - h)),
        "h (1 - h) is that of the sigmoid",
    ),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: (ds @ Wy.T + dz @ Wh) * (1 - h**2)),
        "back through Wh means Wh.T",
    ),
    (
        checks.char_backward,
        spell_back(dz=lambda ds, dz, h, h_prev, Wh, Wy: ds @ Wy.T * (1 - h**2) + dz @ Wh.T),
        "put it in brackets",
    ),
    (checks.char_backward, spell_back(dWh=lambda h, h_prev, dz: h.T @ dz), "hs[:, t], to dz"),
    (checks.char_backward, spell_back(dWy=lambda h, h_prev, ds: h_prev.T @ ds), "hs[:, t + 1]"),
    (
        checks.char_backward,
        spell_back(db=lambda d: np.full(d.shape[1], d.sum())),
        "a single number for all units",
    ),
    (
        checks.char_backward,
        lambda *a: [grad / len(a[0]) for grad in spell_back()(*a)],
        "do not average",
    ),
    (checks.is_gradient, lambda g, x: True, "goes round in circles is that of no loss"),
    (checks.is_gradient, lambda g, x: False, "You say False, but x @ S with S symmetric"),
    (checks.is_gradient, symmetric(atol=0), "allow for rounding"),
    (checks.is_gradient, symmetric(rtol=1e-4), "a small part goes round in circles"),
    (checks.is_gradient, lambda g, x: 1, "must return True or False, got int"),
    (checks.is_gradient, lambda g, x: bool(x.fill(0)) or True, "Your function changed x"),
    (checks.is_gradient, lambda g, x: len(x) != 2, "leaves no gradient"),
]


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
    functions += checks.culprits, checks.char_backward, checks.is_gradient
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


# The seven slips of the page "Errata" -----------------------------------------------------

SEVEN = {  # what the printed code says, what it should say, and what the check tells
    "a size from the wrong axis": ("(N, len(Wx))", "(N, Wx.shape[1])", "with D = H it runs"),
    "not stateful": ("if self.stateful or", "if not self.stateful or", "it began at zero"),
    "dh lost": ("dh = dhs[:, t]\n", "dh = dhs[:, t] + dh\n", "from the step after is lost"),
    "overwritten": ("] = self.xs[:, t].T", "] += self.xs[:, t].T", "only the term of step 0"),
    "no constructor": ("def __init(self, vocab", "def __init__(self, vocab", "two underscores"),
    "sum, not mean": ("share = 1.0 ", "share = 1.0 / len(steps) ", "6 times too large"),
    "not called": ('["rnn"].reset_state\n', '["rnn"].reset_state()\n', "nothing was reset"),
}
SLIPPED = list(SEVEN)
LAYER = SLIPPED[:4]  # the slips of TimeRNN; the others are the model's


def errata(tag):
    """Return the cells of the notebook with this tag, in one piece."""
    notebook = refresh.read(refresh.BOOK / "errata.ipynb")
    tagged = [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    return "\n\n\n".join([*tagged, ""])


def repaired(source, *slips):
    """Return this source with these slips, the others repaired."""
    for slip, (wrong, right, _) in SEVEN.items():
        if slip not in slips:
            source = source.replace(wrong, right)
    for name in ("Wh", "b"):
        if "overwritten" not in slips:
            source = source.replace(f'self.grads["{name}"] = ', f'self.grads["{name}"] += ')
    return source


def with_slips(*slips):
    """Return the classes of the page with these slips, the others repaired."""
    source = errata("seven-slips")
    assert all(source.count(wrong) == 1 for wrong, _, _ in SEVEN.values())
    classes = {"np": np, "rb": rnnbook}
    exec(repaired(source, *slips), classes)
    return classes


def finding(classes):
    """Return the first thing that the checks of the page find."""
    layer = checks.time_rnn(classes["TimeRNN"])
    return checks.rnnlm(classes["SimpleRnnlm"]) if layer else layer


@pytest.mark.parametrize("slip", SEVEN)
def test_each_of_the_seven_slips_is_found_alone(slip):
    classes = with_slips(slip)
    assert SEVEN[slip][2] in finding(classes).message
    assert checks.time_rnn(classes["TimeRNN"]).ok == (slip not in LAYER)
    if slip in LAYER:
        assert checks.rnnlm(classes["SimpleRnnlm"]).message.startswith("First the TimeRNN. ")


def test_the_seven_slips_are_found_one_by_one():
    found = [finding(with_slips(*SLIPPED[k:])).message for k in range(7)]
    assert len(set(found)) == 7
    for message, (_, _, told) in zip(found, SEVEN.values(), strict=True):
        assert told in message
    assert finding(with_slips()) == checks.rnnlm(with_slips()["SimpleRnnlm"])
    assert finding(with_slips()).message.startswith("Right")


def test_the_answers_of_the_page_repair_one_slip_each():
    classes = with_slips(*SLIPPED)
    classes["checks"] = checks
    exec(errata("answers"), classes)
    for k, (_, _, told) in enumerate(SEVEN.values(), start=1):
        assert told in finding(classes).message
        exec(errata(f"answer-{k}"), classes)
    assert finding(classes)


@pytest.mark.parametrize("slips", [(), SLIPPED[:1]], ids=len)  # as printed: nbval
def test_the_page_runs_whatever_the_reader_has_repaired(slips, capsys):
    """From the classes to the table it prints the same, as soon as all slips are repaired."""
    notebook = refresh.read(refresh.BOOK / "errata.ipynb")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begin = next(i for i, cell in enumerate(cells) if "class Keeper" in cell.source)
    end = next(i for i, cell in enumerate(cells) if "def passed(slip, T)" in cell.source)
    page, printed = {"np": np, "rb": rnnbook, "checks": checks}, []
    for cell in cells[begin : end + 1]:
        ours = "seven-slips" in cell.metadata.get("tags", ())
        exec(repaired(cell.source, *slips) if ours else cell.source, page)
        shown = "".join(output.get("text", "") for output in cell.outputs)
        printed.append((capsys.readouterr().out, shown))
    told = [(out, shown) for out, shown in printed if out][1:]  # without the first verdict
    assert len(told) == 2
    assert all(out == shown for out, shown in told)
    assert finding(page)


def test_the_model_of_the_page_is_that_of_the_package():
    model = with_slips()["SimpleRnnlm"](9, 4, 5, np.random.default_rng(0))
    truth = rnnbook.SimpleRnnlm(9, 4, 5, rng=np.random.default_rng(1), dtype=np.float64)
    truth.params.update(model.params)
    for xs, ts in np.random.default_rng(2).integers(0, 9, (3, 2, 2, 7)):
        np.testing.assert_allclose(model.forward(xs, ts), truth.forward(xs, ts), rtol=1e-12)
        model.backward()
        truth.backward()
        for name, grad in truth.grads.items():
            np.testing.assert_allclose(model.grads[name], np.asarray(grad), atol=1e-12)


def repaired_but(**changes):
    """Return the repaired TimeRNN with other methods."""
    return type("TimeRNN", (with_slips()["TimeRNN"],), changes)


def forward_without(part):
    def forward(self, xs):
        Wx, Wh, b = self.params.values()
        Wh = {"turned": Wh.T, "no memory": 0 * Wh}.get(part, Wh)
        parts = type(self).__mro__[1](Wx, Wh, 0 * b if part == "no bias" else b)
        return parts.forward(xs)

    return forward


def summed_once(self, dhs):
    self.grads = self.grads or {k: np.zeros_like(p) for k, p in self.params.items()}
    dxs, dh = np.zeros_like(self.xs), 0
    for t in reversed(range(dhs.shape[1])):
        dxs[:, t], dh = self.through(t, dhs[:, t] + dh)
    return dxs


def from_the_front(self, dhs):
    self.grads = {k: np.zeros_like(p) for k, p in self.params.items()}
    dxs, dh = np.zeros_like(self.xs), 0
    for t in range(dhs.shape[1]):
        dxs[:, t], dh = self.through(t, dhs[:, t] + dh)
    return dxs


def always_goes_on(self, N):
    if self.h is None:
        self.h = np.zeros((N, len(self.params["Wh"])))


def never_begins(self, N):
    if not self.stateful:
        self.h = np.zeros((N, len(self.params["Wh"])))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"forward": forward_without("turned")}, "without a transpose"),
        ({"forward": forward_without("no memory")}, "not handed from step to step"),
        ({"forward": forward_without("no bias")}, "the bias is missing"),
        ({"begin": always_goes_on}, "it began where the last one ended"),
        ({"begin": never_begins}, "no state yet at its first sequence"),
        ({"reset_state": lambda self: None}, "After reset_state()"),
        ({"set_state": lambda self, h: None}, "After set_state(h)"),
        ({"backward": from_the_front}, "from the last step to the first"),
        ({"backward": summed_once}, "piles up from call to call"),
        ({"backward": lambda self, dhs: None}, "Not yet: dxs came out as None"),
        ({"forward": lambda self, xs: 1 / 0}, "ZeroDivisionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_slips_of_a_recurrent_layer_are_told_apart(changes, told):
    verdict = checks.time_rnn(repaired_but(**changes))
    assert not verdict
    assert told in verdict.message


def model_but(**changes):
    """Return the repaired model with other methods."""
    return type("SimpleRnnlm", (with_slips()["SimpleRnnlm"],), changes)


def scaled(loss=1.0, grads=1.0):
    """Return a model whose loss and gradients are off by factors."""
    right = with_slips()["SimpleRnnlm"]

    def forward(self, xs, ts):
        return loss * right.forward(self, xs, ts)

    def gradients(self):
        return {name: grads * np.asarray(g) for name, g in right.grads.fget(self).items()}

    return type("SimpleRnnlm", (right,), {"forward": forward, "grads": property(gradients)})


def forgetful(self, xs, ts):
    self.layers["rnn"].h = None
    return with_slips()["Passes"].forward(self, xs, ts)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: scaled(loss=4.0), "4 times too large: divide by the sequences"),
        (lambda: scaled(loss=24.0), "24 times too large: divide by the tokens"),
        (lambda: scaled(loss=6 / 4), "divided by the sequences; SoftmaxWithLoss has done that"),
        (lambda: scaled(loss=1 / 4), "divided by all tokens; SoftmaxWithLoss has divided"),
        (lambda: scaled(grads=6.0), "grads['embed.W'] is not right yet: it is 6 times"),
        (lambda: scaled(grads=6.0), "backward must use the share that forward uses"),
        (lambda: scaled(grads=0.0), "it is zero"),
        (lambda: model_but(forward=forgetful), "the model began at zero"),
        (lambda: model_but(params={"W": np.ones(2)}), "params must be named embed.W, rnn.Wx"),
        (lambda: lambda V, D: None, "TypeError"),
    ],
)
def test_other_slips_of_a_language_model_are_told_apart(model, told):
    verdict = checks.rnnlm(model())
    assert not verdict
    assert told in verdict.message


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (lambda dz: dz[-1], "only the term of the last step"),
        (lambda dz: dz.mean(axis=0), "do not take their mean"),
        (lambda dz: 0 * dz[0], "still zero"),
        (lambda dz: None, "grads has no Wx"),
    ],
)
def test_terms_that_were_not_added_up_are_told_apart(steps, told):
    right = with_slips()["TimeRNN"]

    def backward(self, dhs):
        dxs = right.backward(self, dhs)
        terms, dh = [], 0
        for t in reversed(range(dhs.shape[1])):
            dz = (dhs[:, t] + dh) * (1 - self.hs[t + 1] ** 2)
            terms.insert(0, self.xs[:, t].T @ dz)
            dh = dz @ self.params["Wh"].T
        self.grads["Wx"] = steps(np.array(terms))
        if self.grads["Wx"] is None:
            del self.grads["Wx"]
        return dxs

    verdict = checks.time_rnn(repaired_but(backward=backward))
    assert not verdict
    assert told in verdict.message


# Gradients through time ------------------------------------------------------------------


def clipper(length=None, cut=None):
    """Clip by norm, or with another length, or each array by `cut`."""
    length = length or (lambda gs: np.sqrt(sum(np.sum(g**2) for g in gs)))

    def clip(grads, c):
        if cut:
            return {name: cut(g, c) for name, g in grads.items()}
        norm = length(list(grads.values()))
        return {name: g * (c / norm if norm > c else 1) for name, g in grads.items()}

    return clip


def in_place(grads, c):
    for g in grads.values():
        g *= 0.5
    return grads


def each_by_itself(g, c):
    norm = np.linalg.norm(g)
    return g * (c / norm if norm > c else 1)


def always(grads, c):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values())) or 1.0
    return {name: g * c / norm for name, g in grads.items()}


def truncated(extra=0, turn=True, slope=lambda h: 1 - h**2, add=True, passed=True, stop=-1):
    """Walk back through a window, perhaps with a slip."""

    def walk(dhs, hs, Wh, k):
        dzs = np.zeros_like(hs)
        for t in range(len(hs)):
            dh = dhs[t]
            for s in range(t, max(t - k - extra, stop), -1):
                dz = dh * slope(hs[s])
                dzs[s] = dzs[s] + dz if add else dz
                dh = (dz if passed else dh) @ (Wh.T if turn else Wh)
        return dzs

    return walk


def in_blocks(dhs, hs, Wh, k):
    dzs = np.zeros_like(hs)
    for start in range(0, len(hs), k):
        part = slice(start, start + k)
        dzs[part] = truncated(extra=k)(dhs[part], hs[part], Wh, k)
    return dzs


def delay_line(more=0, gain=2.0, sign=1, loop=0.0, read=1.0):
    def build(lag):
        H = lag + 1 + more
        Wh = gain * np.eye(H, k=1)
        Wh[-1, -1] = loop
        return gain * np.eye(1, H), Wh, sign * read * np.eye(H)[:, -1:]

    return build


RIGHT += [
    (checks.clip_by_norm, clipper()),
    (checks.window_backward, truncated()),
    (checks.recall_by_hand, delay_line()),
    (checks.recall_by_hand, delay_line(gain=5.0)),
    (checks.recall_by_hand, delay_line(gain=1.0, read=9.0)),
]


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (checks.clip_by_norm, lambda grads, c: ..., "Not yet"),
        (checks.clip_by_norm, lambda grads, c: list(grads), "Return a dict with the names Wx, Wh"),
        (checks.clip_by_norm, in_place, "changed grads itself"),
        (checks.clip_by_norm, lambda grads, c: dict(grads), "was not shortened"),
        (checks.clip_by_norm, clipper(cut=each_by_itself), "together have one length"),
        (checks.clip_by_norm, clipper(cut=lambda g, c: np.clip(g, -c, c)), "changes the direction"),
        (
            checks.clip_by_norm,
            clipper(lambda gs: sum(np.sum(g**2) for g in gs)),
            "the root of the sum",
        ),
        (
            checks.clip_by_norm,
            clipper(lambda gs: max(np.abs(g).max() for g in gs)),
            "the largest entry",
        ),
        (checks.clip_by_norm, always, "must stay as it is"),
        (checks.window_backward, lambda *a: None, "Not yet"),
        (checks.window_backward, lambda dhs, hs, Wh, k: np.zeros_like(hs), "zero everywhere"),
        (checks.window_backward, lambda dhs, hs, Wh, k: hs.__isub__(1), "changed what it was"),
        (checks.window_backward, truncated(extra=1), "one cell too many"),
        (checks.window_backward, truncated(extra=-1), "one cell too few"),
        (checks.window_backward, truncated(extra=99), "the full walk"),
        (checks.window_backward, truncated(turn=False), "means Wh.T"),
        (checks.window_backward, truncated(add=False), "+= and not ="),
        (checks.window_backward, truncated(slope=lambda h: 1.0), "multiply by the slope"),
        (checks.window_backward, truncated(slope=lambda h: 1 - np.tanh(h) ** 2), "after tanh"),
        (checks.window_backward, truncated(passed=False), "dz and not dh"),
        (checks.window_backward, truncated(stop=-5), "counts from the end"),
        (checks.window_backward, in_blocks, "those are blocks of k"),
        (checks.recall_by_hand, lambda lag: ..., "Not yet"),
        (checks.recall_by_hand, lambda lag: np.eye(2), "three arrays"),
        (checks.recall_by_hand, lambda lag: (np.eye(2),) * 3, "Wx must have shape (1, 2)"),
        (checks.recall_by_hand, delay_line(loop=0.5), "can hear itself again"),
        (checks.recall_by_hand, delay_line(more=-1), "one step later than asked"),
        (checks.recall_by_hand, delay_line(more=1), "one step too old"),
        (checks.recall_by_hand, delay_line(sign=-1), "the wrong way round"),
        (checks.recall_by_hand, delay_line(gain=0.5), "refresh the value"),
        (checks.recall_by_hand, delay_line(gain=1.0), "at least 0.5 was asked for"),
        (checks.recall_by_hand, delay_line(read=0.05), "or read it louder"),
        (
            checks.recall_by_hand,
            lambda lag: (np.ones((1, 3)), np.zeros((3, 3)), np.ones((3, 1))),
            "of the answers are right",
        ),
    ],
)
def test_a_slip_about_gradients_through_time_is_recognised(check, answer, hint):
    verdict = check(answer)
    assert not verdict
    assert hint in verdict.message


def weighted(total=lambda x, n: np.sum(x * n) / n.sum(), last=np.exp):
    return lambda losses, counts: last(total(losses, counts))


def affine_back(scale=1, last=False, turn=False, axes=(0, 1)):
    def walk(dout, xs, W):
        seen, out = (xs[:, -1:], dout[:, -1:]) if last else (xs, dout)
        dW = np.einsum("ntd,nth->dh", seen, out) / scale
        return dout @ W.T, dW.T if turn else dW, dout.sum(axis=axes)

    return walk


def drawer(divide=lambda s, tau: s / tau, shift=0, stable=True, cold=np.argmax):
    def draw(scores, temperature, u):
        if temperature == 0:
            return cold(scores)
        s = divide(scores, temperature)
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(s - s.max() if stable else s)
            return int(np.sum(np.cumsum(e / e.sum())[:-1] <= u)) + shift

    return draw


def drawn_left(scores, temperature, u):
    e = np.exp((scores - scores.max()) / max(temperature, 1e-9))
    return int(np.searchsorted(np.cumsum(e / e.sum()), u))


def drawn_late(scores, temperature, u):
    e = np.exp(scores - scores.max())
    return int(np.sum(np.cumsum(e / e.sum() / temperature)[:-1] <= u))


def reader(offset=None, step=None, wrap=0, follow=1, late=False):
    def batch(tokens, N, T, k):
        P = len(tokens) - 1
        begins = np.arange(N)[:, None] * ((P // N) if offset is None else offset(P, N, T))
        places = begins + (k * T if step is None else step(N, T, k)) + np.arange(T)
        after = (places + follow) % P if late else places % P + follow
        return tokens[places % (P + wrap)], tokens[after]

    return batch


def turned_back(tokens, N, T, k):
    own = (len(tokens) - 1) // N
    places = np.arange(N)[:, None] * own + (k * T + np.arange(T)) % own
    return tokens[places], tokens[places + 1]


RIGHT += [
    (checks.perplexity_of, weighted()),
    (checks.time_affine_backward, affine_back()),
    (checks.draw_token, drawer()),
    (checks.text_batch, reader()),
]


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (checks.perplexity_of, lambda losses, counts: ..., "Not yet"),
        (checks.perplexity_of, lambda x, n: np.exp(x).mean(), "mean of the perplexities"),
        (checks.perplexity_of, lambda x, n: np.average(np.exp(x), weights=n), "exponential last"),
        (checks.perplexity_of, weighted(lambda x, n: x.mean()), "not equally long"),
        (checks.perplexity_of, weighted(last=lambda x: x), "that is the mean loss"),
        (checks.perplexity_of, weighted(last=lambda x: np.exp(-x)), "below 1"),
        (checks.perplexity_of, weighted(last=lambda x: 2.0**x), "in nats"),
        (checks.time_affine_backward, lambda *a: None, "Not yet"),
        (checks.time_affine_backward, lambda dout, xs, W: dout @ W.T, "three arrays"),
        (
            checks.time_affine_backward,
            lambda dout, xs, W: affine_back()(dout.__imul__(2), xs, W),
            "changed what it was given",
        ),
        (checks.time_affine_backward, affine_back(scale=6), "already divided"),
        (checks.time_affine_backward, affine_back(last=True), "only the last step"),
        (checks.time_affine_backward, affine_back(turn=True), "turned round"),
        (checks.time_affine_backward, affine_back(axes=0), "sum over the steps too"),
        (checks.time_affine_backward, affine_back(axes=1), "sum over the batch too"),
        (checks.draw_token, lambda scores, temperature, u: None, "Not yet"),
        (checks.draw_token, lambda scores, temperature, u: 0.5, "single whole number"),
        (checks.draw_token, drawer(lambda s, tau: s * tau), "do not multiply"),
        (checks.draw_token, drawer(lambda s, tau: s), "has no effect"),
        (checks.draw_token, drawer(lambda s, tau: -s / tau), "the sign"),
        (checks.draw_token, lambda s, tau, u: int(s.argmax()), "always the likeliest"),
        (checks.draw_token, drawer(shift=-1), "the token before"),
        (checks.draw_token, drawer(shift=1), "the token after"),
        (checks.draw_token, drawer(lambda s, tau: s / tau**2), "at temperature 2.5"),
        (checks.draw_token, drawer(stable=False), "take the largest score off"),
        (checks.draw_token, drawer(cold=lambda s: 0), "highest score is wanted."),
        (checks.draw_token, drawer(cold=lambda s: None), "highest score is wanted."),
        (checks.draw_token, drawn_left, "holds no u"),
        (checks.draw_token, drawn_late, "not the probabilities"),
        (checks.text_batch, lambda tokens, N, T, k: ..., "Not yet"),
        (checks.text_batch, lambda tokens, N, T, k: tokens[:T], "two arrays"),
        (
            checks.text_batch,
            reader(lambda P, N, T: T, lambda N, T, k: k * N * T),
            "not side by side",
        ),
        (checks.text_batch, reader(step=lambda N, T, k: k), "not by one"),
        (checks.text_batch, reader(step=lambda N, T, k: 0), "where is k?"),
        (checks.text_batch, turned_back, "does not turn back"),
        (checks.text_batch, reader(wrap=1), "go round after P places"),
        (checks.text_batch, reader(lambda P, N, T: (P + 1) // N), "to divide among the readers"),
        (
            checks.text_batch,
            lambda *a: tuple(part.T for part in reader()(*a)),
            "rows are readers",
        ),
        (checks.text_batch, reader(follow=0), "the same as xs"),
        (checks.text_batch, reader(late=True), "not the first"),
        (checks.text_batch, reader(follow=-1), "the tokens before"),
    ],
)
def test_a_slip_about_language_models_is_recognised(check, answer, hint):
    verdict = check(answer)
    assert not verdict
    assert hint in verdict.message


# Gates -----------------------------------------------------------------------------------


def bias_for(steps, share=0.5, turn=1):
    f = share ** (1 / steps)
    return turn * np.log(f / (1 - f))


def gru(kept=lambda r, u, n, h: (1 - u) * n + u * h, swap=False, early=False, within=True):
    def step(x, h, Wx, Wh, b, bh):
        a, q = np.split(x @ Wx + b, 3, axis=1), np.split(h @ Wh, 3, axis=1)
        r, u = (1 / (1 + np.exp(-a[k] - q[k])) for k in ((1, 0) if swap else (0, 1)))
        product = (r * h) @ np.split(Wh, 3, axis=1)[2] if early else r * q[2]
        return kept(r, u, np.tanh(a[2] + product + (r * bh if within else bh)), h)

    return step


def lstm_back(
    own=True,
    across=True,
    door=None,
    both=False,
    uncrossed=False,
    f_of=None,
    slopes=True,
    order=(0, 1, 2, 3),
    f_out=True,
):
    def step(dh, dc, c_prev, i, f, g, o, c):
        s = np.tanh(c)
        e = own * dc + across * dh * (o if door is None else door) * (1 - s**2)
        do = (e if both else dh) * s
        da = [e * g, e * (c if f_of == "c" else c_prev), e * i, do]
        if uncrossed:
            da[0], da[2] = e * i, e * g
        if slopes:
            locals_ = (i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o))
            da = [a * b for a, b in zip(da, locals_, strict=True)]
        return np.concatenate([da[k] for k in order], axis=1), e * f if f_out else e

    return step


RIGHT += [
    (checks.forget_bias, bias_for),
    (checks.gru_step, gru()),
    (checks.lstm_backward, lstm_back()),
]


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (checks.forget_bias, lambda steps: ..., "Not yet"),
        (checks.forget_bias, lambda steps: 2 ** (-1 / steps), "that is the gate"),
        (checks.forget_bias, lambda steps: np.log(2) / steps, "what a step takes away"),
        (checks.forget_bias, lambda steps: bias_for(steps, turn=-1), "the sign"),
        (checks.forget_bias, lambda steps: bias_for(steps, share=np.exp(-1)), "leaves 1/e"),
        (checks.forget_bias, np.log, "not exact"),
        (checks.gru_step, lambda *a: ..., "Not yet"),
        (checks.gru_step, lambda x, h, *a: h.__isub__(1), "changed what it was"),
        (checks.gru_step, gru(lambda r, u, n, h: u * n + (1 - u) * h), "share that is kept"),
        (checks.gru_step, gru(lambda r, u, n, h: n), "old state is missing"),
        (checks.gru_step, gru(lambda r, u, n, h: n + u * h), "gets the share 1 - u"),
        (checks.gru_step, gru(swap=True), "in each other's place"),
        (checks.gru_step, gru(early=True, within=False), "not h_prev before it"),
        (checks.gru_step, gru(within=False), "inside the bracket"),
        (checks.gru_step, lambda x, h, Wx, Wh, b, bh: gru()(x, h, Wx, Wh, 0, bh), "b is missing:"),
        (checks.lstm_backward, lambda *a: ..., "two arrays"),
        (checks.lstm_backward, lambda dh, *a: (dh.__isub__(1), dh), "changed what it was"),
        (checks.lstm_backward, lstm_back(own=False), "from the next step, is missing"),
        (checks.lstm_backward, lstm_back(across=False), "o tanh(c_t) is missing"),
        (checks.lstm_backward, lstm_back(f_of="c"), "before the step, c_prev"),
        (checks.lstm_backward, lstm_back(slopes=False), "the four activations"),
        (checks.lstm_backward, lstm_back(order=(0, 2, 1, 3)), "columns are i, f, g, o"),
        (checks.lstm_backward, lstm_back(order=(2, 1, 0, 3)), "i and g are in each other's"),
        (checks.lstm_backward, lstm_back(uncrossed=True), "e times the other"),
        (checks.lstm_backward, lstm_back(door=1.0), "factor o is missing"),
        (checks.lstm_backward, lstm_back(both=True), "comes from dh and not"),
        (checks.lstm_backward, lambda *a: lstm_back()(*a)[::-1], "return da first"),
        (checks.lstm_backward, lstm_back(f_out=False), "means times f"),
    ],
)
def test_a_slip_about_gates_is_recognised(check, answer, hint):
    verdict = check(answer)
    assert not verdict
    assert hint in verdict.message


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=[check.__name__ for check, _ in RIGHT])
def test_a_right_answer_passes(check, answer):
    verdict = check(answer)
    assert verdict, verdict
    assert repr(verdict).startswith("✓ Right")
