"""Answers to the exercises of *Gates*."""

ANSWERS = {
    "forget_bias": [
        """
import math

def forget_bias(steps):
    return -math.log(2 ** (1 / steps) - 1)
""",
        """
def forget_bias(steps):
    low, high = -50.0, 50.0
    for _ in range(80):
        middle = (low + high) / 2
        if sigmoid(middle) ** steps < 0.5:
            low = middle
        else:
            high = middle
    return low
""",
        """
def forget_bias(steps):
    f = np.exp(-np.log(2) / steps)
    return np.float32(2 * np.arctanh(2 * f - 1))
""",
    ],
    "gru_step": [
        """
def gru(x, h, w_ih, w_hh, b_ih, b_hn):
    H = h.shape[1]
    gi = np.einsum("ni,ij->nj", x, w_ih) + b_ih
    gh = np.einsum("ni,ij->nj", h, w_hh)
    reset = 1 / (1 + np.exp(-gi[:, :H] - gh[:, :H]))
    update = 1 / (1 + np.exp(-gi[:, H : 2 * H] - gh[:, H : 2 * H]))
    new = np.tanh(gi[:, 2 * H :] + reset * (gh[:, 2 * H :] + b_hn))
    return new + update * (h - new)
""",
        """
import math

def step(x, h_prev, Wx, Wh, b, bh):
    H = len(bh)

    def total(inputs, W, column):
        return sum(v * W[k, column] for k, v in enumerate(inputs))

    def squash(a):
        return math.exp(a) / (math.exp(a) + 1)

    states = []
    for row, old in zip(x, h_prev):
        state = []
        for j in range(H):
            r = squash(total(row, Wx, j) + total(old, Wh, j) + b[j])
            u = squash(total(row, Wx, H + j) + total(old, Wh, H + j) + b[H + j])
            held = r * (total(old, Wh, 2 * H + j) + bh[j])
            n = math.tanh(total(row, Wx, 2 * H + j) + b[2 * H + j] + held)
            state.append(n - u * n + u * old[j])
        states.append(tuple(state))
    return states
""",
        """
def step(x, h_prev, Wx, Wh, b, bh):
    x, h_prev, Wx, Wh, b, bh = (v.astype(np.float32) for v in (x, h_prev, Wx, Wh, b, bh))
    cell = rb.GRUCell(Wx, Wh, b, bh)
    return cell.forward(x, h_prev)
""",
    ],
    "lstm_backward": [
        """
def back(dh, dc, c_prev, i, f, g, o, c):
    return rb.LSTMCell.to_sums(np.stack([i, f, g, o]), c_prev, c, dh, dc)
""",
        """
def back(dh, dc, c_prev, i, f, g, o, c):
    N, H = c.shape
    da = np.zeros((N, 4 * H))
    dcell = dc + dh * o / np.cosh(c) ** 2
    da[:, :H] = dcell * g * (i - i**2)
    da[:, H : 2 * H] = dcell * c_prev * (f - f**2)
    da[:, 2 * H : 3 * H] = dcell * i * (1 - g) * (1 + g)
    da[:, 3 * H :] = dh * np.tanh(c) * (o - o**2)
    return {"dc_prev": (dcell * f).tolist(), "da": da.tolist()}
""",
        """
def back(dh, dc, c_prev, i, f, g, o, c):
    def squash(a):
        return 1 / (1 + np.exp(-a))

    def step(c_prev, ai, af, ag, ao):
        c = squash(af) * c_prev + squash(ai) * np.tanh(ag)
        return (dh * squash(ao) * np.tanh(c) + dc * c).imag / 1e-100

    at = [c_prev, *(np.log(p / (1 - p)) for p in (i, f)), np.arctanh(g), np.log(o / (1 - o))]
    grads = []
    for k in range(5):
        nudged = list(at)
        nudged[k] = nudged[k] + 1e-100j
        grads.append(step(*nudged))
    return [np.hstack(grads[1:]).astype(np.float32), grads[0]]
""",
    ],
}
SAME = "the same numbers, written in another way"
UNDONE = "the second slip undoes the first"
WIDER = "the search begins with another pair of numbers that has the bias in between"
FINE = "one more or one less of eighty halvings, or as many again, changes no digit"
RIGHT_AFTER_ALL = {
    "forget_bias": {
        "2 ** (1 / steps) - 1 -> 2 ** (1 / steps) + 1; 1 -> -1": UNDONE,
        "50.0 -> 51.0": WIDER,
        "50.0 -> 49.0": WIDER,
        "50.0 -> 100.0": WIDER,
        "range(80) -> range(0 + 1, 80 - 0)": FINE,
        "range(80) -> range(0 + 0, 80 - 1)": FINE,
        "range(80) -> range(0 + 0, 80 - -1)": FINE,
        "80 -> 81": FINE,
        "80 -> 79": FINE,
        "80 -> 160": FINE,
        "sigmoid(middle) ** steps < 0.5 -> sigmoid(middle) ** steps <= 0.5": (
            "where it is one half exactly, either side leads there"
        ),
        "np.float32(2 * np.arctanh(2 * f - 1)) -> 2 * np.arctanh(2 * f - 1)": (
            "double precision will do, too"
        ),
    },
    "gru_step": {
        "1 -> -1": "the last axis of two is axis 1",
        "tuple(state) -> state": "a list will do",
        "x, h_prev, Wx, Wh, b, bh = (v.astype(np.float32) for v in (x, h_prev, Wx, Wh, b, bh)) "
        "-> pass": "double precision will do, too",
        "(x, h_prev, Wx, Wh, b, bh) -> (x, h_prev, Wx, Wh, bh, b); "
        "rb.GRUCell(Wx, Wh, b, bh) -> rb.GRUCell(Wx, Wh, bh, b)": UNDONE,
        "(x, h_prev, Wx, Wh, b, bh) -> (h_prev, x, Wx, Wh, b, bh); "
        "x, h_prev, Wx, Wh, b, bh = (v.astype(np.float32) for v in (h_prev, x, Wx, Wh, b, bh)) "
        "-> pass": "the first slip stands in the line that the second leaves out",
    },
    "lstm_backward": {
        "1 -> -1": "the last axis of two is axis 1",
        "2 -> -2": "the second half of the columns begins at -2H",
        "np.zeros((N, 4 * H)) -> np.ones((N, 4 * H))": "every column is set below",
        "np.stack([i, f, g, o]) -> [i, f, g, o]": "a list will do",
    },
}


def but(source, *changes):
    """Return the source of an answer with these changes, each an old and a new text."""
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


BIAS = """
def forget_bias(steps):
    f = 2 ** (-1 / steps)
    return np.log(f / (1 - f))
"""
GRU = """
def step(x, h_prev, Wx, Wh, b, bh):
    ar, au, an = np.split(x @ Wx + b, 3, axis=1)
    qr, qu, qn = np.split(h_prev @ Wh, 3, axis=1)
    r, u = sigmoid(ar + qr), sigmoid(au + qu)
    n = np.tanh(an + r * (qn + bh))
    return (1 - u) * n + u * h_prev
"""
LSTM = """
def back(dh, dc, c_prev, i, f, g, o, c):
    s = np.tanh(c)
    e = dc + dh * o * (1 - s**2)
    di, df, dg, do = e * g, e * c_prev, e * i, dh * s
    si, sf, sg, so = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
    dc_prev = e * f
    da = np.concatenate([di * si, df * sf, dg * sg, do * so], axis=1)
    return da, dc_prev
"""


def bias(value, gate="2 ** (-1 / steps)"):
    return but(BIAS, ("np.log(f / (1 - f))", value), ("2 ** (-1 / steps)", gate))


def gru(*changes):
    return but(GRU, *changes)


def mix(value):
    return but(GRU, ("(1 - u) * n + u * h_prev", value))


def content(value):
    return but(GRU, ("an + r * (qn + bh)", value))


def lstm(*changes):
    return but(LSTM, *changes)


def joined(value):
    return but(LSTM, ("np.concatenate([di * si, df * sf, dg * sg, do * so], axis=1)", value))


EARLY = "(r * h_prev) @ np.split(Wh, 3, axis=1)[2]"
SLIPS = {
    "forget_bias": [
        (bias("f"), "that is the gate itself; find the bias"),
        (bias("-np.log(f)"), "that is what a step takes away"),
        (bias("np.log(2) / steps"), "that is what a step takes away"),
        (bias("np.log(f)"), "that is ln f; from the gate to its bias"),
        (bias("1 - f"), "that is the share that is lost at each step; from the gate"),
        (bias("np.log(f) / (1 - f)"), "the logarithm is that of the whole quotient"),
        (bias("np.log(f) / np.log(1 - f)"), "the logarithm is that of the whole quotient"),
        (bias("np.log(f / 1 - f)"), "the bracket comes first"),
        (bias("f / (1 - f)"), "those are the odds, f / (1 - f): take their logarithm"),
        (bias("np.log((1 - f) / f)"), "the sign: a gate above one half has a bias above zero"),
        (bias("np.log(f / (1 - f))", "np.exp(-1 / steps)"), "leaves 1/e after so many steps"),
        (bias("np.log(steps)"), "a good rule of thumb, but not exact"),
        (bias("np.log(steps / np.log(2))"), "exact for endlessly many steps only"),
        (bias("np.log(f / (1 - f))", "1 - np.log(2) / steps"), "exact for endlessly many"),
        (bias("np.log(f / (1 - f))", "1 - 1 / steps"), "a gate of 1 - 1 / steps leaves about 1/e"),
        (bias("np.log(f / (1 - f))", "1 - 0.5 / steps"), "multiplied at each step"),
        (bias("np.log(f / (1 - f))", "0.5 / steps"), "multiplied at each step"),
        (bias("np.log(f / (1 - f))", "0.5**steps"), "take the root in its place"),
        (bias("np.log(f / (1 - f))", "2 ** (1 / steps)"), "a gate lies between 0 and 1"),
        (bias("np.log2(f / (1 - f))"), "take the natural logarithm"),
        (bias("np.log10(f / (1 - f))"), "take the natural logarithm"),
        (bias("np.arctanh(f)"), "that is the inverse of tanh; a gate is a sigmoid"),
        (bias("sigmoid(f)"), "that is the sigmoid of the gate"),
        (bias("0.0"), "with a bias of 0 the gate is one half"),
        (bias("np.array([np.log(f / (1 - f))])"), "the right numbers in the shape (1,)"),
        (bias("None"), "Not yet: The bias for steps = 10 came out as None"),
        (bias("str(f)"), "must be a number"),
    ],
    "gru_step": [
        (mix("u * n + (1 - u) * h_prev"), "u is the share that is kept"),
        (mix("h_prev + u * (n - h_prev)"), "u is the share that is kept"),
        (gru(("ar, au, an", "au, ar, an"), ("qr, qu, qn", "qu, qr, qn")), "in each other's place"),
        (gru(("ar, au, an", "ar, an, au"), ("qr, qu, qn", "qr, qn, qu")), "the order r, u, n"),
        (gru(("ar, au, an", "an, au, ar"), ("qr, qu, qn", "qn, qu, qr")), "the order r, u, n"),
        (gru(("ar, au, an", "an, ar, au"), ("qr, qu, qn", "qn, qr, qu")), "the order r, u, n"),
        (gru(("ar, au, an", "au, an, ar"), ("qr, qu, qn", "qu, qn, qr")), "the order r, u, n"),
        (
            gru(
                ("np.split(x @ Wx + b, 3, axis=1)", "((x @ Wx + b)[:, k::3] for k in range(3))"),
                ("np.split(h_prev @ Wh, 3, axis=1)", "((h_prev @ Wh)[:, k::3] for k in range(3))"),
            ),
            "not every third column",
        ),
        (mix("n"), "the old state is missing"),
        (mix("(1 - u) * n"), "the old state is missing"),
        (mix("n + u * h_prev"), "n gets the share 1 - u"),
        (mix("(1 - u) * n + h_prev"), "h_prev gets the share u"),
        (mix("(1 - u) * n + u * r * h_prev"), "r belongs into n alone"),
        (mix("np.tanh((1 - u) * n + u * h_prev)"), "the new state is not squashed again"),
        (gru(("np.tanh(an + r * (qn + bh))", "r * np.tanh(an + qn + bh)")), "r stands inside the"),
        (mix("(1 - r) * n + r * h_prev"), "u, not r, says how much is kept"),
        (mix("((1 - u) * n + u * h_prev, (r, u, n))"), "Return the new state alone"),
        (mix("((1 - u) * n + u * h_prev).T"), "h is turned round"),
        (content("an + qn + bh"), "the reset gate r is missing in n"),
        (content(f"an + {EARLY} + bh"), "not h_prev before it"),
        (content(f"an + {EARLY} + r * bh"), "not h_prev before it"),
        (content(f"an + {EARLY}"), "not h_prev before it"),
        (content("an + r * qn + bh"), "bh stands inside the bracket that r multiplies"),
        (content("an + r * qn"), "bh is missing"),
        (content("r * (an + qn + bh)"), "r multiplies what comes from the old state"),
        (content("r * (an + qn) + bh"), "r multiplies what comes from the old state"),
        (content("r * (an + qn)"), "r multiplies what comes from the old state"),
        (content("an + qn + r * bh"), "r multiplies what comes from the old state"),
        (content("r * an + qn + bh"), "r multiplies what comes from the old state"),
        (content("an + (1 - r) * (qn + bh)"), "r, not 1 - r"),
        (content("an + u * (qn + bh)"), "in n it is r that multiplies, not u"),
        (gru(("Wx + b", "Wx")), "b is missing: it is added to x Wx"),
        (gru(("h_prev @ Wh", "h_prev @ Wh + b")), "b is added once, to x Wx"),
        (gru(("ar + qr", "ar + qr + bh"), ("au + qu", "au + qu + bh")), "bh belongs to n alone"),
        (gru(("ar + qr", "ar"), ("au + qu", "au")), "the gates look at the old state, too"),
        (gru(("np.tanh", "")), "the tanh around n is missing"),
        (gru(("np.tanh", "sigmoid")), "n is content and not a gate: tanh, not sigmoid"),
        (
            gru(("sigmoid(ar + qr), sigmoid(au + qu)", "np.tanh(ar + qr), np.tanh(au + qu)")),
            "between 0 and 1: sigmoid, not tanh",
        ),
        (
            gru(("sigmoid(ar + qr), sigmoid(au + qu)", "ar + qr, au + qu")),
            "the sigmoid around r and u is missing",
        ),
        (mix("h_prev.__isub__(1)"), "changed what it was given"),
        (gru(("axis=1)\n    qr", "axis=0)\n    qr")), "Your code raised ValueError in line 3"),
    ],
    "lstm_backward": [
        (lstm(("e = dc + ", "e = ")), "dc, what comes along the cell state"),
        (lstm(("dc + dh * o", "(dc + dh) * o")), "neither o nor the slope of tanh lies on its"),
        (lstm(("(dh, dc, c_prev", "(dc, dh, c_prev")), "dh and dc are in each other's place"),
        (lstm(("dc + dh * o * (1 - s**2)", "dc")), "o tanh(c_t) is missing"),
        (lstm(("dc_prev = e * f", "dc_prev = dc * f")), "o tanh(c_t) is missing"),
        (lstm((" * (1 - s**2)", "")), "the slope of tanh(c) is missing, 1 - tanh(c)²"),
        (lstm(("1 - s**2", "1 - c**2")), "1 - tanh(c)², not 1 - c²"),
        (lstm(("1 - s**2", "1 - s")), "the slope of tanh at c is 1 - tanh(c)², with the square"),
        (lstm(("1 - s**2", "1 - (o * s) ** 2")), "h has the factor o, too"),
        (lstm(("(1 - s**2)", "s * (1 - s)")), "c goes through tanh, so its slope is"),
        (lstm(("dh * o * (1", "dh * (1")), "the factor o is missing there"),
        (lstm(("dh * o * (1 - s**2)", "dh")), "times o, and times the slope of tanh"),
        (lstm(("dh * s\n", "e * s\n")), "its gradient comes from dh and not from the sum e"),
        (lstm(("dh * s\n", "dh * s * (1 - s**2)\n")), "o is a factor beside tanh(c)"),
        (lstm(("dh * s\n", "dh * c\n")), "the tanh of c is missing"),
        (lstm(("dh * s\n", "s\n")), "that is the local derivative: multiply it by dh"),
        (lstm(("e * c_prev", "e * c")), "f multiplies the cell state before the step, c_prev"),
        (lstm(("e * g, e * c_prev, e * i", "e * i, e * c_prev, e * g")), "da_i and da_g are not"),
        (lstm(("e * g, e * c_prev, e * i", "e * i, e * c_prev, e * g")), "e times the other"),
        (lstm(("e * i", "e * g")), "da_g is not right yet: i and g are factors of one product"),
        (lstm(("e * g", "e * i")), "da_i is not right yet: i and g are factors of one product"),
        (
            joined("np.concatenate([di, df, dg, do], axis=1)"),
            "multiply by the slopes of the four activations too",
        ),
        (lstm(("1 - g**2", "g * (1 - g)")), "g went through tanh, so its slope is 1 - g²"),
        (
            lstm(
                ("i * (1 - i), f * (1 - f)", "1 - i**2, 1 - f**2"), ("o * (1 - o)\n", "1 - o**2\n")
            ),
            "i, f and o went through the sigmoid",
        ),
        (lstm(("1 - g**2", "1 - g")), "the slope of tanh is 1 - g², with the square"),
        (
            lstm(
                (
                    "si, sf",
                    "i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)\n    si, sf",
                ),
                ("dc_prev = e * f", "dc_prev = back_to"),
                ("s = np.tanh(c)", "s = np.tanh(c)\n    back_to = f * (dc + dh * o * (1 - s**2))"),
            ),
            "the gates come after their activations",
        ),
        (
            lstm(("dc_prev = e * f", "dc_prev = dc + e * f")),
            "dc is a part of e, and goes on as one",
        ),
        (lstm(("dc_prev = e * f", "dc_prev = e")), "one step back means times f"),
        (lstm(("dc_prev = e * f", "dc_prev = e * c_prev")), "so its gradient is e times f"),
        (lstm(("dc_prev = e * f", "dc_prev = f")), "e times f, not f alone"),
        (lstm(("da, dc_prev\n", "dc_prev, da\n")), "return da first, then dc_prev"),
        (
            joined("np.concatenate([di * si, df * sf, do * so, dg * sg], axis=1)"),
            "order i, f, o, g",
        ),
        (
            joined("np.concatenate([di * si, dg * sg, df * sf, do * so], axis=1)"),
            "order i, g, f, o",
        ),
        (joined("np.stack([di * si, df * sf, dg * sg, do * so])"), "join the four along axis 1"),
        (joined("np.vstack([di * si, df * sf, dg * sg, do * so])"), "join the four along axis 1"),
        (
            joined("np.stack([di * si, df * sf, dg * sg, do * so], 2).reshape(len(c), -1)"),
            "first all columns of i, then all of f",
        ),
        (
            joined("np.stack([di * si, df * sf, dg * sg, do * so], axis=1)"),
            "da has the right numbers in the shape (3, 4, 2); wanted: shape (3, 8)",
        ),
        (lstm(("da, dc_prev\n", "da\n")), "Return two arrays, da and dc_prev; got 3"),
        (lstm(("e = dc +", "e = dc.__iadd__(1) +")), "changed what it was given"),
    ],
}
