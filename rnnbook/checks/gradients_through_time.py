"""The exercises of *Gradients through time*: clipping, a truncated walk, a memory by hand."""

import numpy as np

from .compare import array_of, call, compare, compare_all, given, several
from .verdict import NotYet, Wrong, check, remark

__all__ = ["clip_by_norm", "recall_by_hand", "window_backward"]


@check(
    "Right. One length for all, the direction kept, and nothing done to what is short.",
    "How long is the gradient, if all arrays together are one long vector? "
    "Equation (3) asks for a single number.",
    "Square every entry of every array, add up all the squares, and take the root at the end.",
    "The factor is max_norm / length where the length is above max_norm. Elsewhere it is 1, and "
    "so nothing is divided by a length of 0. A new dict holds each array times this factor.",
)
def clip_by_norm(function):
    """Check ``(grads, max_norm) -> clipped``, dicts of arrays."""
    for grads, max_norm in _gradients():
        names, old = list(grads), list(grads.values())
        parts = _clipped(function, grads, max_norm)
        length = _length(old)
        factor = max_norm / length if length > max_norm else 1.0
        slips = [
            ([g * wrong for g, wrong in zip(old, factors, strict=True)], hint)
            for factors, hint in _wrong_factors(old, max_norm, length)
        ]
        slips.append(
            (
                [np.clip(g, -max_norm, max_norm) for g in old],
                "that clips each entry, which changes the direction",
            )
        )
        compare_all(names, parts, [g * factor for g in old], slips)


def _gradients():
    """Yield gradients and thresholds: long, hardly too long, short, zero, and one array alone."""
    rng = np.random.default_rng(0)

    def drawn(length, **shapes):
        arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        return {name: g * (length / _length(arrays.values())) for name, g in arrays.items()}

    yield drawn(17.0, Wx=(2, 3), Wh=(3, 3), b=(3,)), 1.5
    yield drawn(2.6, Wx=(4, 2), Wh=(2, 2)), 2.4  # each array by itself is shorter than that
    yield drawn(0.5, Wy=(3, 2), by=(2,)), 0.3  # below 1 a square is less than its root
    yield drawn(2.0, Wx=(2, 5), Wh=(5, 5), b=(5,)), 2.5  # short, though its square is not
    yield drawn(0.02, W=(4, 3), b=(3,)), 1.5
    yield {"Wx": np.zeros((2, 3)), "b": np.zeros(3)}, 1.25
    yield drawn(3.0, b=(4,)), 2.0
    yield {**drawn(30.0, Wx=(1, 3)), "b": np.zeros(3)}, 4.0


def _length(arrays):
    return np.sqrt(sum(np.sum(g**2) for g in arrays))


def _clipped(function, grads, max_norm):
    """Return what the reader's function makes of gradients, as a list of arrays."""
    seen = []

    def watched(grads, max_norm):
        seen[:] = grads, function(grads, max_norm)
        return seen[1]

    got = given("the new dict", call(watched, grads, max_norm))
    handed, made = seen
    if not isinstance(got, dict) or set(got) != set(grads):
        raise Wrong(f"Return a dict with the names {', '.join(grads)}.")
    if made is handed:
        raise Wrong("Return a new dict, also where nothing has to be shortened.")
    if any(made[name] is handed[name] for name in grads):
        remark("(The new dict holds arrays of the old one: who changes the one changes both.)")
    return [got[name] for name in grads]


def _wrong_factors(old, max_norm, length):
    """Yield the factors of all arrays in programs with one slip, and what the slip is."""
    squares = [np.sum(g**2) for g in old]
    own = np.sqrt(squares)
    entries = np.concatenate([np.ravel(g) for g in old])
    lengths = [
        (length**2, "the length is the root of the sum of squares, and the root is missing"),
        (own.sum(), "the norms of the arrays do not add up, but their squares do"),
        (np.sqrt(own.sum()), "the norms of the arrays do not add up, but their squares do"),
        (np.abs(entries).max(), "that goes by the largest entry"),
        (np.abs(entries).sum(), "the length is made of squares, not of absolute values"),
        (own.max(), "that is the length of the longest array alone"),
        (
            np.sqrt(sum(np.linalg.norm(g, 2) ** 2 for g in old)),
            "of a matrix np.linalg.norm(g, 2) is the largest singular value: leave out the 2",
        ),
        (np.sqrt(sum(np.sum(g) ** 2 for g in old)), "square each entry before you add them up"),
        (own.mean(), "the squares add up: do not average"),
        (np.sqrt(np.mean(entries**2)), "the squares add up: do not average"),
        (np.sqrt(sum(np.mean(g**2) for g in old)), "the squares add up: do not average"),
        (own[-1], "that is the length of the last array alone"),
        (own[0], "that is the length of the first array alone"),
    ]
    for wrong, hint in lengths:
        yield [max_norm / wrong if wrong > max_norm else 1.0] * len(old), hint
    yield (
        [max_norm / part if part > max_norm else 1.0 for part in own],
        "all arrays together have one length",
    )
    if length == 0:
        yield [np.nan] * len(old), "all zeros have the length 0, and 0 / 0 is no number"
    elif length > max_norm:
        for factor, hint in (
            (1.0, "it is longer than max_norm and was not shortened"),
            (length / max_norm, "the factor is upside down: max_norm / length"),
            (1 / length, "now the length is 1: the factor is max_norm / length"),
            (max_norm, "divide by the length too: the factor is max_norm / length"),
        ):
            yield [factor] * len(old), hint
    else:
        for factor in (max_norm / length, 1 / length):
            yield [factor] * len(old), "what is short enough must stay as it is"
        yield [max_norm / part for part in own], "what is short enough must stay as it is"


@check(
    "Right. Each loss walks back through k cells and no further.",
    "Take the loss at one step alone. With k = 1 it goes through the cell of its own step and "
    "no other; with k = 2 through that and the one before.",
    "At each cell s of the walk: back through tanh, whose slope is 1 - hs[s]²; that is dz, and "
    "dzs[s] gets it added. Then back through Wh to the state before.",
    "The walk goes from t down to first, which is t - k + 1 but never below 0. In it "
    "dz = dh * slope, dzs[s] += dz, and the dh of the next cell is dz @ Wh.T.",
)
def window_backward(function):
    """Check ``(dhs, hs, Wh, k) -> dzs`` for one sequence."""
    rng = np.random.default_rng(0)
    for T, H, k in ((6, 3, 3), (5, 2, 1), (4, 3, 9), (7, 4, 2), (5, 3, 5), (1, 2, 3), (3, 1, 2)):
        dhs, Wh = rng.standard_normal((T, H)), rng.standard_normal((H, H))
        hs = rng.uniform(-0.9, 0.9, (T, H))
        got = array_of("dzs", call(function, dhs, hs, Wh, k))
        if got.size and not got.any():
            raise NotYet("dzs is zero everywhere.")
        slips = [(walk(dhs, hs, Wh, k), hint) for walk, hint in _WALKS]
        compare(f"dzs for T = {T} and k = {k}", got, _walk(dhs, hs, Wh, k), slips)


def _back(t, k, T):
    """Return the cells through which the loss at step t goes."""
    return range(t, max(0, t - k + 1) - 1, -1)


def _walk(
    dhs, hs, Wh, k, *,
    cells=_back,
    slope=lambda hs, s, t: 1 - hs[s] ** 2,
    through=lambda dh, slope, Wh, own: dh * slope,
    sent=lambda dz, dh: dz,
    onward=lambda dz, dh, Wh, own: dz @ Wh.T,
    place=lambda s, t: s,
    adds=True,
):  # fmt: skip
    """Return the gradients of the sums, or those of a program with one slip."""
    dzs = np.zeros_like(hs)
    for t in range(len(hs)):
        dh = dhs[t]
        for s in cells(t, k, len(hs)):
            dz = through(dh, slope(hs, s, t), Wh, dhs[s])
            dzs[place(s, t)] = sent(dz, dh) + (dzs[place(s, t)] if adds else 0)
            dh = onward(dz, dh, Wh, dhs[s - 1])
    return dzs


def _blocks(dhs, hs, Wh, k):
    """Return the gradients of the sums where the sequence is cut into blocks."""
    dzs = np.zeros_like(hs)
    for t in reversed(range(len(hs))):
        inside = t + 1 < len(hs) and (t + 1) % k
        dzs[t] = (dhs[t] + (dzs[t + 1] @ Wh.T if inside else 0)) * (1 - hs[t] ** 2)
    return dzs


def _with(**changes):
    return lambda *arguments: _walk(*arguments, **changes)


def _down(first, last=lambda t: t):
    """Return the walk through other cells, from `last` down to `first`."""
    return _with(cells=lambda t, k, T: range(last(t), first(t, k, T) - 1, -1))


_STATES = "hs are the states after tanh, and so the slope is 1 - h²"
_WALKS = [  # a program with one slip, and what it is told
    (
        _down(lambda t, k, T: max(0, t - k)),
        "one cell too many: with k = 1 the loss goes through the cell of its own step and no other",
    ),
    (
        _down(lambda t, k, T: max(0, t - k + 2)),
        "one cell too few: the cell of the loss's own step counts",
    ),
    (
        _down(lambda t, k, T: max(0, t - k + 1) + 1),
        "one cell too few: a range ends before the number that is given as its end",
    ),
    (
        _down(lambda t, k, T: max(0, t - k), lambda t: t - 1),
        "the walk begins with the cell of the loss's own step",
    ),
    (
        _with(cells=lambda t, k, T: _back(t, k, T)[::-1]),
        "the walk is in the wrong order: it begins with the cell of the loss's own step",
    ),
    (_down(lambda t, k, T: 0), "that is the full walk: stop after k cells"),
    (
        _down(lambda t, k, T: t),
        "no loss walks further than the cell of its own step: walk on to the cells before",
    ),
    (
        _down(lambda t, k, T: max(1, t - k + 1)),
        "the walks end too early: the cell of step 0 counts too",
    ),
    (
        _down(lambda t, k, T: max(1 - T, t - k + 1)),
        "the walk ends at step 0: a negative index counts from the end",
    ),
    (
        _with(cells=lambda t, k, T: _back(t, k, T) if t >= k - 1 else ()),
        "the first losses count too: their walks are only shorter",
    ),
    (_blocks, "those are blocks of k: in a window every loss has a walk of its own"),
    (
        lambda dhs, hs, Wh, k: _walk(dhs[::-1], hs[::-1], Wh, k)[::-1],
        "that walks forward: a loss goes back to steps before its own",
    ),
    (
        lambda dhs, hs, Wh, k: _walk(dhs * np.eye(len(hs))[:, -1:], hs, Wh, k),
        "that is the walk of the last loss alone: every step has a loss",
    ),
    (_with(adds=False), "the losses of several steps add up: += and not ="),
    (lambda dhs, hs, Wh, k: _walk(dhs, hs, Wh, k) / k, "the losses add up: do not divide"),
    (lambda dhs, hs, Wh, k: _walk(dhs, hs, Wh, k) / len(hs), "the losses add up: do not divide"),
    (
        _with(place=lambda s, t: t),
        "that adds up what each loss sends out: dzs[s] is what arrives at step s",
    ),
    (
        _with(sent=lambda dz, dh: dh),
        "dzs belongs to the sums before tanh: add dz, which has the slope in it, and not dh",
    ),
    (
        _with(slope=lambda hs, s, t: 1.0),
        "multiply by the slope of tanh, 1 - h², at each cell",
    ),
    (_with(slope=lambda hs, s, t: 1 - np.tanh(hs[s]) ** 2), _STATES),
    (_with(slope=lambda hs, s, t: 1 / np.cosh(hs[s])), _STATES),
    (
        _with(slope=lambda hs, s, t: 1 - hs[t] ** 2),
        "each cell on the way has its own slope: that of hs[s], not of hs[t]",
    ),
    (
        _with(slope=lambda hs, s, t: 1 - hs[s - 1] ** 2),
        "the slope of cell s is that of hs[s], the state it made, not of hs[s - 1]",
    ),
    (_with(slope=lambda hs, s, t: 1 - hs[s]), "the slope of tanh is 1 - h², with the square"),
    (_with(slope=lambda hs, s, t: 1 + hs[s] ** 2), "the slope of tanh is 1 - h², with a minus"),
    (
        _with(slope=lambda hs, s, t: hs[s] * (1 - hs[s])),
        "h (1 - h) is the slope of the sigmoid: that of tanh is 1 - h²",
    ),
    (_with(onward=lambda dz, dh, Wh, own: dz @ Wh), "back through Wh means Wh.T"),
    (
        _with(onward=lambda dz, dh, Wh, own: dh @ Wh.T),
        "what walks on is dz and not dh: the slope belongs into the walk too",
    ),
    (_with(slope=lambda hs, s, t: (1 - hs[s]) ** 2), "the slope of tanh is 1 - h², not (1 - h)²"),
    (
        _with(
            through=lambda dh, slope, Wh, own: dh @ Wh.T * slope,
            onward=lambda dz, dh, Wh, own: dz,
        ),
        "first comes the slope of the cell, and then Wh.T leads to the cell before",
    ),
    (
        _with(through=lambda dh, slope, Wh, own: own * slope),
        "what comes along the walk is dh: dhs[s] has a walk of its own",
    ),
    (
        _with(onward=lambda dz, dh, Wh, own: dh),
        "dh stays the same all the way: for the cell before it must go back through Wh",
    ),
    (
        _with(onward=lambda dz, dh, Wh, own: dz),
        "between two cells lies Wh: what walks on is dz @ Wh.T",
    ),
    (
        _with(onward=lambda dz, dh, Wh, own: dh + dz @ Wh.T),
        "what walks on takes the place of dh: = and not +=",
    ),
    (
        _with(onward=lambda dz, dh, Wh, own: own + dz @ Wh.T),
        "the loss of each step walks back by itself: on the way no other loss joins it",
    ),
]


@check(
    "Right: a radius of zero, and a perfect memory for as long as it is needed.",
    "The chapter on memory has a delay line: at each step every unit takes over what the unit "
    "before it held. Which eigenvalues has its Wh?",
    "Let Wx speak to the first unit alone, Wh from each unit to the next, and Wy hear the last. "
    "How many units make a delay of lag steps?",
    "There are lag + 1 units, and Wh has its weights beside the diagonal, Wh[i, i + 1]. With "
    "weights of 1 each passage through tanh makes the value smaller; larger ones refresh it.",
)
def recall_by_hand(function):
    """Check ``lag -> (Wx, Wh, Wy)`` of a tanh network that recalls the sign `lag` steps ago."""
    for lag in (2, 1, 0, 5, 60, 300):
        Wx, Wh, Wy = _weights(several(function(lag), ("Wx", "Wh", "Wy")))
        radius = _radius(Wh)
        if radius:
            raise Wrong(
                f"For lag {lag} the spectral radius of Wh is {radius:.2g}: some unit can hear "
                "itself again, directly or through others. "
                "Let every unit speak only to units after it."
            )
        bits = _signs(lag)
        scores = _scores(bits, Wx, Wh, Wy)
        said, asked = scores[:, lag:], bits[:, : bits.shape[1] - lag]
        if not np.array_equal(said > 0, asked > 0):
            raise Wrong(f"For lag {lag} {_reason(lag, bits, scores, Wx, Wh, Wy)}.")
        faintest = np.abs(said).min()
        if faintest < 0.5 - 1e-9:
            raise Wrong(
                f"All signs are right, but for lag {lag} some scores are as faint as "
                f"{faintest:.2g}, and at least 0.5 was asked for: refresh the value "
                "on its way or read it louder."
            )


def _weights(parts):
    """Return Wx, Wh and Wy as arrays whose shapes fit."""
    names = "Wx", "Wh", "Wy"
    arrays = [array_of(name, part) for name, part in zip(names, parts, strict=True)]
    shapes, H = [W.shape for W in arrays], max(max(W.shape, default=1) for W in arrays)
    wanted = [(1, H), (H, H), (H, 1)]
    if shapes != wanted and sorted(shapes) == sorted(wanted):
        raise Wrong(
            f"The shapes are {shapes}, and those of Wx, Wh and Wy, in this order, must be "
            f"{wanted}: is the order another or something turned round?"
        )
    for name, W, shape in zip(names, arrays, wanted, strict=True):
        if W.shape != shape:
            raise Wrong(f"{name} must have shape {shape} where there are {H} units, got {W.shape}.")
        if not np.isfinite(W).all():
            raise Wrong(f"{name} must hold finite numbers.")
    return [W.astype(float) for W in arrays]


def _radius(Wh):
    """Return the spectral radius; 0 where only rounding keeps it from being that.

    It is 0 if no power of the matrix has a trace. Only units that hear themselves again
    matter for that. (Eigenvalues do not tell: a change of 1e-16 in a delay line of 60 units
    moves them by a half.)
    """
    reach = Wh != 0
    for _ in range(len(Wh).bit_length()):
        reach |= reach.astype(np.float32) @ reach.astype(np.float32) > 0
    loop = np.flatnonzero(reach.diagonal())
    W = Wh[np.ix_(loop, loop)]
    power = size = np.eye(len(W))
    for _ in loop:
        power, size = power @ W, size @ np.abs(W)
        if abs(power.trace()) > 1e-9 * size.trace():
            return np.abs(np.linalg.eigvals(Wh)).max()
        power, size = power / size.max(), size / size.max()  # or they overflow
    return 0.0


def _signs(lag):
    """Return inputs: random ones, and one that stays and one that changes at each step."""
    bits = np.random.default_rng(lag).choice([-1.0, 1.0], (16 if lag < 100 else 4, lag + 20))
    bits[0], bits[1] = 1.0, (-1.0) ** np.arange(lag + 20)
    return bits


def _scores(bits, Wx, Wh, Wy):
    """Return the score of each sequence at each step."""
    h, scores = np.zeros((len(bits), len(Wh))), []
    for x in bits.T:
        h = np.tanh(x[:, None] @ Wx + h @ Wh)  # (n, 1) @ (1, H) + (n, H) @ (H, H)
        scores.append(h @ Wy)
    return np.concatenate(scores, axis=1)


def _reason(lag, bits, scores, Wx, Wh, Wy):
    """Say why the signs of the scores are not those of the inputs `lag` steps ago."""

    def tells(scores, lag):
        start = max(lag, 0)
        return np.array_equal(scores[:, start:] > 0, bits[:, : bits.shape[1] - lag] > 0)

    if not scores.any():
        if tells(_scores(bits, Wx, Wh.T, Wy), lag):
            return "Wh is turned round: Wh[i, j] leads from unit i to unit j"
        return "every score is 0: nothing that Wx brings in comes to where Wy reads"
    if tells(-scores, lag):
        return "all signs are the wrong way round"
    for other in range(lag + 10):
        if tells(scores, other):
            return (
                f"the score tells the input {other} step{'s' * (other != 1)} ago: "
                "each unit that a delay line has more makes it one step later"
            )
    right = ((scores > 0)[:, lag:] == (bits[:, : bits.shape[1] - lag] > 0)).mean()
    return f"{right:.0%} of the answers are right"
