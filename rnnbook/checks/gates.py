"""The exercises of *Gates*: a forget bias, a step of a GRU, and the way back through an LSTM."""

import itertools

import numpy as np

from ..functions import sigmoid
from .compare import array_of, call, close, compare, compare_all, several
from .verdict import Wrong, check

__all__ = ["forget_bias", "gru_step", "lstm_backward"]

_STEPS = 10, 2.5, 1, 100.0, 0.4, 700


@check(
    "Right: so near to one, and so far above zero.",
    "First the gate: which number f, multiplied by itself so many times, is one half?",
    "f is the steps-th root of 1/2, that is 2 to the power -1 / steps. Now undo the sigmoid: "
    "solve f = 1 / (1 + exp(-b)) for b.",
    "The inverse of the sigmoid is b = ln(f / (1 - f)), with the natural logarithm.",
)
def forget_bias(function):
    """Check ``steps -> b`` with half of a memory left after so many steps."""
    for steps in _STEPS:
        f = 2 ** (-1 / steps)
        right = _logit(f)
        inverse = "from the gate to its bias leads the inverse of the sigmoid, ln(f / (1 - f))"
        endless = "that is exact for endlessly many steps only"
        product = "the share that is kept is multiplied at each step: f to the power steps is 1/2"
        whole = "the logarithm is that of the whole quotient, ln(f / (1 - f))"
        natural = "the sigmoid is made with e: take the natural logarithm"
        slips = [
            (f, "that is the gate itself; find the bias that makes sigmoid give it"),
            (-np.log(f), f"that is what a step takes away; {inverse}"),
            (np.log(f), f"that is ln f; {inverse}"),
            (1 - f, f"that is the share that is lost at each step; {inverse}"),
            (np.log(f) / (1 - f), whole),
            (np.log(f) / np.log(1 - f), whole),
            (-np.inf, "-inf is ln 0: in f / (1 - f) the bracket comes first"),
            (f / (1 - f), "those are the odds, f / (1 - f): take their logarithm"),
            (-right, "the sign: a gate above one half has a bias above zero"),
            (-np.log(np.expm1(1 / steps)), "that leaves 1/e after so many steps, not one half"),
            (np.log(steps), "that is a good rule of thumb, but not exact"),
            (np.log(steps / np.log(2)), endless),
            (_logit(1 - np.log(2) / steps), endless),
            (_logit(1 - 1 / steps), "a gate of 1 - 1 / steps leaves about 1/e, not one half"),
            (_logit(1 - 0.5 / steps), product),
            (_logit(0.5 / steps), product),
            (_logit(2.0**-steps), "that is half to the power steps; take the root in its place"),
            (np.nan, "nan is the logarithm of a negative number, and a gate lies between 0 and 1"),
            (right / np.log(2), natural),
            (right / np.log(10), natural),
            (np.arctanh(f), "that is the inverse of tanh; a gate is a sigmoid"),
            (sigmoid(f), "that is the sigmoid of the gate; what is wanted is its inverse"),
            (0.0, "with a bias of 0 the gate is one half, so that half is left after one step"),
        ]
        compare(f"The bias for steps = {steps:g}", call(function, steps), right, slips)


def _logit(f):
    """Return the inverse of the sigmoid."""
    with np.errstate(all="ignore"):
        return np.log(f / np.subtract(1, f))


@check(
    "Right. What is kept and what is written add up to one.",
    "Make the two products first, a = x Wx + b and q = h_prev Wh, and cut each into three blocks "
    "of H columns, r, u and n.",
    "r and u are sigmoids of the sums of their blocks. n is a tanh; in it, r multiplies what "
    "comes from the old state, its bias bh included.",
    "n = tanh(an + r * (qn + bh)), and the new state is a share 1 - u of n and a share u of "
    "h_prev.",
)
def gru_step(function):
    """Check ``(x, h_prev, Wx, Wh, b, bh) -> h`` for one step of a GRU."""
    rng = np.random.default_rng(0)
    for N, D, H in ((2, 3, 4), (5, 2, 3), (1, 4, 2)):
        shapes = (N, D), (N, H), (D, 3 * H), (H, 3 * H), (3 * H,), (H,)
        arguments = [rng.standard_normal(shape) for shape in shapes]
        got = call(function, *arguments)
        if isinstance(got, tuple) and np.shape(got[0]) == (N, H):
            raise Wrong("Return the new state alone, without the gates.")
        slips = ((_gru(*arguments, **slip), hint) for hint, slip in _GRU_SLIPS)  # if need be
        compare("h", got, _gru(*arguments), slips)


def _kept(n, u, r, h):
    return (1 - u) * n + u * h


def _content(an, r, qn, bh, u, early):
    return an + r * (qn + bh)


def _blocks(sums):
    """Cut sums (N, 3H) into the blocks of r, u and n."""
    return np.split(sums, 3, axis=1)


def _third(sums):
    return [sums[:, k::3] for k in range(3)]


def _gru(
    x,
    h_prev,
    Wx,
    Wh,
    b,
    bh,
    *,
    cut=_blocks,
    order=(0, 1, 2),
    once=1,
    twice=0,
    state=1,
    gate=sigmoid,
    gate_bias=0,
    content=_content,
    squash=np.tanh,
    mix=_kept,
):
    """Return the new state of a GRU, right unless a keyword says otherwise."""
    ar, au, an = (cut(x @ Wx + once * b)[k] for k in order)  # (N, D) @ (D, 3H)
    qr, qu, qn = (cut(h_prev @ Wh + twice * b)[k] for k in order)  # (N, H) @ (H, 3H)
    r = gate(ar + state * qr + gate_bias * bh)
    u = gate(au + state * qu + gate_bias * bh)
    early = (r * h_prev) @ cut(Wh)[order[2]]  # (N, H) @ (H, H)
    n = squash(content(an, r, qn, bh, u, early))
    return mix(n, u, r, h_prev)


_ORDER = "the blocks of columns are in the order r, u, n"
_EARLY = "here r multiplies what comes out of the product with Wh, not h_prev before it"
_PART = "r multiplies what comes from the old state, qn + bh, and nothing else"
_GRU_SLIPS = [
    (
        "u is the share that is kept: h_prev gets u, and n gets 1 - u",
        {"mix": lambda n, u, r, h: u * n + (1 - u) * h},
    ),
    ("r and u are in each other's place: the columns are r, u, n", {"order": (1, 0, 2)}),
    (_ORDER, {"order": (0, 2, 1)}),
    (_ORDER, {"order": (2, 1, 0)}),
    (_ORDER, {"order": (1, 2, 0)}),
    (_ORDER, {"order": (2, 0, 1)}),
    ("each block is H columns side by side, not every third column", {"cut": _third}),
    ("the old state is missing: keep a share u of it", {"mix": lambda n, u, r, h: n}),
    ("the old state is missing: keep a share u of it", {"mix": lambda n, u, r, h: (1 - u) * n}),
    ("n gets the share 1 - u", {"mix": lambda n, u, r, h: n + u * h}),
    ("h_prev gets the share u", {"mix": lambda n, u, r, h: (1 - u) * n + h}),
    ("r belongs into n alone", {"mix": lambda n, u, r, h: (1 - u) * n + u * r * h}),
    ("the new state is not squashed again", {"mix": lambda *parts: np.tanh(_kept(*parts))}),
    (
        "r stands inside the tanh",
        {
            "mix": lambda n, u, r, h: (1 - u) * r * n + u * h,
            "content": lambda an, r, qn, bh, *_: an + qn + bh,
        },
    ),
    ("u, not r, says how much is kept", {"mix": lambda n, u, r, h: (1 - r) * n + r * h}),
    ("the reset gate r is missing in n", {"content": lambda an, r, qn, bh, *_: an + qn + bh}),
    (_EARLY, {"content": lambda an, r, qn, bh, u, early: an + early + bh}),
    (_EARLY, {"content": lambda an, r, qn, bh, u, early: an + early + r * bh}),
    (_EARLY, {"content": lambda an, r, qn, bh, u, early: an + early}),
    (
        "bh stands inside the bracket that r multiplies",
        {"content": lambda an, r, qn, bh, *_: an + r * qn + bh},
    ),
    ("bh is missing", {"content": lambda an, r, qn, bh, *_: an + r * qn}),
    (_PART, {"content": lambda an, r, qn, bh, *_: r * (an + qn + bh)}),
    (_PART, {"content": lambda an, r, qn, bh, *_: r * an + qn + bh}),
    (_PART, {"content": lambda an, r, qn, bh, *_: r * (an + qn) + bh}),
    (_PART, {"content": lambda an, r, qn, bh, *_: r * (an + qn)}),
    (_PART, {"content": lambda an, r, qn, bh, *_: an + qn + r * bh}),
    (
        "r is the share of the old state that is used: r, not 1 - r",
        {"content": lambda an, r, qn, bh, *_: an + (1 - r) * (qn + bh)},
    ),
    (
        "in n it is r that multiplies, not u",
        {"content": lambda an, r, qn, bh, u, *_: an + u * (qn + bh)},
    ),
    ("b is missing: it is added to x Wx", {"once": 0}),
    ("b is added once, to x Wx", {"twice": 1}),
    ("bh belongs to n alone", {"gate_bias": 1}),
    ("the gates look at the old state, too: qr and qu are missing", {"state": 0}),
    ("the tanh around n is missing", {"squash": lambda z: z}),
    ("n is content and not a gate: tanh, not sigmoid", {"squash": sigmoid}),
    ("r and u are gates, between 0 and 1: sigmoid, not tanh", {"gate": np.tanh}),
    ("the sigmoid around r and u is missing", {"gate": lambda z: z}),
]


@check(
    "Right. Two gradients come in, two go out, and the direct path has no matrix on it.",
    "Draw the step as a graph: c = f * c_prev + i * g, and h = o * tanh(c). How many arrows leave "
    "c? As many gradients come back to it, and add up.",
    "Call their sum e. One is dc; the other comes from dh, through the factor o and the slope of "
    "tanh at c. A product gives each factor e times the other factor.",
    "e = dc + dh * o * (1 - tanh(c)²). Then di = e * g, df = e * c_prev, dg = e * i, "
    "do = dh * tanh(c) and dc_prev = e * f. Multiply each of the first four by the slope of its "
    "own activation, written with its output, and put them side by side.",
)
def lstm_backward(function):
    """Check ``(dh, dc, c_prev, i, f, g, o, c) -> (da, dc_prev)`` for one step of an LSTM."""
    rng = np.random.default_rng(0)
    for N, H in ((3, 2), (4, 3), (1, 5)):
        dh, dc, c_prev, *sums = rng.standard_normal((7, N, H))
        i, f, o = map(sigmoid, sums[:3])
        g = np.tanh(sums[3])
        arguments = dh, dc, c_prev, i, f, g, o, f * c_prev + i * g
        da, dc_prev = several(call(function, *arguments), ("da", "dc_prev"))
        da, dc_prev = array_of("da", da), array_of("dc_prev", dc_prev)
        if (da.shape, dc_prev.shape) == ((N, H), (N, 4 * H)):
            raise Wrong("The two are in each other's place: return da first, then dc_prev.")
        right = _lstm(*arguments)
        _compare_columns(da, right[1:])
        slips = [(_lstm(*arguments, **slip), hint) for hint, slip in _LSTM_SLIPS]
        slips.append((_lstm(dc, dh, *arguments[2:]), "dh and dc are in each other's place"))
        blocks = np.split(da, 4, axis=1)
        compare_all(("dc_prev", *_BLOCKS), (dc_prev, *blocks), right, slips)


_BLOCKS = "da_i", "da_f", "da_g", "da_o"
_SIDE = "da has the right numbers, but not side by side"


def _compare_columns(da, blocks):
    """Compare the shape of da, and the order of its columns."""
    if any(close(da, join(blocks), 1e-4) for join in (np.stack, np.concatenate)):
        raise Wrong(f"{_SIDE}: join the four along axis 1, to (N, 4H).")
    right = np.concatenate(blocks, axis=1)
    if da.shape != right.shape:
        compare("da", da, right)
    if close(da, right, 1e-4):
        return
    if close(da, np.stack(blocks, axis=2).reshape(right.shape), 1e-4):
        raise Wrong(f"{_SIDE}: first all columns of i, then all of f, of g and of o.")
    for names in itertools.permutations("ifgo"):
        if close(da, np.concatenate([blocks["ifgo".index(k)] for k in names], axis=1), 1e-4):
            raise Wrong(f"da has its columns in the order {', '.join(names)}; wanted: i, f, g, o.")


def _slope(c, o):
    return 1 - np.tanh(c) ** 2


def _slopes(i, f, g, o):
    return i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)


def _crossed(e, i, f, g, c_prev, c):
    return e * g, e * c_prev, e * i


def _lstm(
    dh,
    dc,
    c_prev,
    i,
    f,
    g,
    o,
    c,
    *,
    along=lambda c, o: 1,
    through=1,
    door=lambda o: o,
    slope=_slope,
    products=_crossed,
    shown=lambda e, dh, c: dh * np.tanh(c),
    slopes=_slopes,
    back=lambda e, dc, f, c_prev: e * f,
):
    """Return dc_prev and the four blocks of da, right unless a keyword says otherwise."""
    e = along(c, o) * dc + through * dh * door(o) * slope(c, o)
    da = [*products(e, i, f, g, c_prev, c), shown(e, dh, c)]
    own = slopes(i, f, g, o)
    return back(e, dc, f, c_prev), *(d * s for d, s in zip(da, own, strict=True))


_PAIR = "i and g are factors of one product: the gradient of each is e times the other"
_AFTER = "the gates come after their activations: their slopes are i (1 - i) and so on"
_LSTM_SLIPS = [
    (
        "dc, what comes along the cell state from the next step, is missing",
        {"along": lambda c, o: 0},
    ),
    (
        "dc comes along the cell state: neither o nor the slope of tanh lies on its way",
        {"along": lambda c, o: o * _slope(c, o)},
    ),
    ("what comes through h_t = o tanh(c_t) is missing", {"through": 0}),
    ("what comes through h_t = o tanh(c_t) is missing", {"back": lambda e, dc, f, c_prev: dc * f}),
    ("the slope of tanh(c) is missing, 1 - tanh(c)²", {"slope": lambda c, o: 1}),
    ("the slope of tanh at c is 1 - tanh(c)², not 1 - c²", {"slope": lambda c, o: 1 - c**2}),
    (
        "the slope of tanh at c is 1 - tanh(c)², with the square",
        {"slope": lambda c, o: 1 - np.tanh(c)},
    ),
    (
        "the slope of tanh at c is 1 - tanh(c)²; h has the factor o, too",
        {"slope": lambda c, o: 1 - (o * np.tanh(c)) ** 2},
    ),
    (
        "c goes through tanh, so its slope is 1 - tanh(c)²",
        {"slope": lambda c, o: np.tanh(c) * (1 - np.tanh(c))},
    ),
    (
        "dh reaches c_t through h_t = o tanh(c_t): the factor o is missing there",
        {"door": lambda o: 1},
    ),
    (
        "dh reaches c_t through h_t = o tanh(c_t): times o, and times the slope of tanh",
        {"door": lambda o: 1, "slope": lambda c, o: 1},
    ),
    (
        "o stands in h_t alone, so its gradient comes from dh and not from the sum e",
        {"shown": lambda e, dh, c: e * np.tanh(c)},
    ),
    (
        "o is a factor beside tanh(c): its gradient is dh * tanh(c), without the slope",
        {"shown": lambda e, dh, c: dh * np.tanh(c) * (1 - np.tanh(c) ** 2)},
    ),
    ("the tanh of c is missing: o multiplies tanh(c)", {"shown": lambda e, dh, c: dh * c}),
    (
        "that is the local derivative: multiply it by dh",
        {"shown": lambda e, dh, c: np.tanh(c)},
    ),
    (
        "f multiplies the cell state before the step, c_prev",
        {"products": lambda e, i, f, g, c_prev, c: (e * g, e * c, e * i)},
    ),
    (_PAIR, {"products": lambda e, i, f, g, c_prev, c: (e * i, e * c_prev, e * g)}),
    (_PAIR, {"products": lambda e, i, f, g, c_prev, c: (e * g, e * c_prev, e * g)}),
    (_PAIR, {"products": lambda e, i, f, g, c_prev, c: (e * i, e * c_prev, e * i)}),
    ("multiply by the slopes of the four activations too", {"slopes": lambda *gates: (1,) * 4}),
    (
        "g went through tanh, so its slope is 1 - g²",
        {"slopes": lambda i, f, g, o: (i * (1 - i), f * (1 - f), g * (1 - g), o * (1 - o))},
    ),
    (
        "i, f and o went through the sigmoid, so their slopes are i (1 - i) and so on",
        {"slopes": lambda *gates: [1 - gate**2 for gate in gates]},
    ),
    (
        "the slope of tanh is 1 - g², with the square",
        {"slopes": lambda i, f, g, o: (i * (1 - i), f * (1 - f), 1 - g, o * (1 - o))},
    ),
    (
        _AFTER,
        {"slopes": lambda i, f, g, o: _slopes(sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o))},
    ),
    (
        "dc is a part of e, and goes on as one",
        {"back": lambda e, dc, f, c_prev: dc + e * f},
    ),
    ("one step back means times f", {"back": lambda e, dc, f, c_prev: e}),
    (
        "c_prev is multiplied by f, so its gradient is e times f",
        {"back": lambda e, dc, f, c_prev: e * c_prev},
    ),
    (
        "dc is handed back together with what came through h: e times f, not f alone",
        {"back": lambda e, dc, f, c_prev: f},
    ),
]
