"""Answers to the exercises of *Gradients through time*."""

import numpy as np

ANSWERS = {
    "clip_by_norm": [
        """
def clip_by_norm(grads, max_norm):
    total = 0.0
    for name in grads:
        total += np.linalg.norm(grads[name]) ** 2
    factor = min(1.0, max_norm / (total**0.5 + 1e-6))
    clipped = {}
    for name, g in grads.items():
        clipped[name] = factor * g
    return clipped
""",
        """
def clip_by_norm(grads, max_norm):
    length = np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))
    if length <= max_norm:
        return dict(grads)
    return {name: (g / length * max_norm).tolist() for name, g in grads.items()}
""",
        """
def clip_by_norm(grads, max_norm):
    norm = np.sqrt(np.sum([np.sum(np.square(g)) for g in grads.values()]))
    return {k: (v * max_norm / np.maximum(norm, max_norm)).astype(np.float32)
            for k, v in grads.items()}
""",
    ],
    "window_backward": [
        """
def window_backward(dhs, hs, Wh, k):
    slope = 1 - hs * hs
    moving = dhs * slope
    dzs = moving.copy()
    for lag in range(1, min(k, len(hs))):
        moving = moving[1:] @ Wh.T * slope[:-lag]
        dzs[:-lag] += moving
    return dzs
""",
        """
def window_backward(dhs, hs, Wh, k):
    rows = []
    for s in range(len(hs)):
        dz = 0 * hs[s]
        for t in reversed(range(s, min(s + k, len(hs)))):
            dz = (dhs[t] + Wh @ dz) * (1 - hs[t] ** 2)
        rows.append(dz.tolist())
    return rows
""",
        """
def window_backward(dhs, hs, Wh, k):
    dzs = np.zeros(hs.shape, np.float32)

    def walk(dh, s, left):
        if s >= 0 and left > 0:
            dz = dh - dh * hs[s] ** 2
            dzs[s] += dz
            walk(np.dot(Wh, dz), s - 1, left - 1)

    for t, dh in enumerate(dhs):
        walk(dh, t, k)
    return dzs
""",
    ],
    "recall_by_hand": [
        """
def recall_by_hand(lag):
    H = lag + 1
    Wx, Wh, Wy = np.zeros((1, H)), np.zeros((H, H)), np.zeros((H, 1))
    Wx[0, 0] = 3.0
    for i in range(lag):
        Wh[i, i + 1] = 3.0
    Wy[lag, 0] = 1.0
    return Wx, Wh, Wy
""",
        """
def recall_by_hand(lag):
    line = [[0.0] * lag + [1.0]]
    Wh = [[2.0 if i == j + 1 else 0.0 for j in range(lag + 1)] for i in range(lag + 1)]
    return line, Wh, [[5.0]] + [[0.0]] * lag
""",
        """
def recall_by_hand(lag):
    Wh = 2.5 * np.eye(lag + 4, k=1)
    Wh[:3, :3] = np.outer([0.1, 0.2, 0.3], [1, 1, -1])
    Wx = np.zeros((1, lag + 4), dtype=np.float32)
    Wx[:, 3] = 2.0
    return {"Wx": Wx, "Wh": Wh, "Wy": np.eye(lag + 4)[:, -1:].tolist()}
""",
        """
def recall_by_hand(lag):
    return 1e-3 * np.eye(1, lag + 1), np.eye(lag + 1, k=1), 1e3 * np.eye(lag + 1)[:, -1:]
""",
    ],
}
SAME = "the same numbers, written in another way"
LOUD = "any weight will do that is loud enough"
UNDONE = "the second slip undoes the first"
RIGHT_AFTER_ALL = {
    "clip_by_norm": {
        "norm > max_norm -> norm >= max_norm": "at the threshold the factor is 1 anyway",
        "length <= max_norm -> length < max_norm": "at the threshold the factor is 1 anyway",
        "min(1.0, max_norm / (total ** 0.5 + 1e-06)) -> "
        "min(max_norm / (total ** 0.5 + 1e-06), 1.0)": SAME,
        "total ** 0.5 + 1e-06 -> total ** 0.5 - 1e-06": "all the same, a small number",
        "total ** 0.5 + 1e-06 -> total ** 0.5": "NumPy's max_norm / 0 is inf, and 1 is smaller",
        "1e-06 -> -1e-06": "all the same, a small number",
        "1e-06 -> 2e-06": "all the same, a small number",
        "np.maximum(norm, max_norm) -> np.maximum(max_norm, norm)": SAME,
        "2 -> -2; 2 -> -2": UNDONE,
        "1e-06 -> -1e-06; total ** 0.5 + -1e-06 -> total ** 0.5": UNDONE,
        "1.0 -> -1.0; 1.0 -> -1.0": UNDONE,
        "total ** 0.5 + 1e-06 -> total ** 0.5 * 1e-06; "
        "total ** 0.5 * 1e-06 -> total ** 0.5": UNDONE,
    },
    "window_backward": {
        "max(first, t - k + 1) -> max(t - k + 1, first)": SAME,
        "min(k, len(hs)) -> min(len(hs), k)": SAME,
        "min(s + k, len(hs)) -> min(len(hs), s + k)": SAME,
        "dz @ Wh.T -> dz.T @ Wh.T": "a vector has no transpose",
        "Wh @ dz -> Wh @ dz.T": "a vector has no transpose",
        "moving.copy() -> moving": "moving is bound to a new array before dzs is written into",
        "0 * hs[s] -> 0 / hs[s]": "zeros of the right shape in any case",
        "hs[s] -> hs[s + -1]": "zeros of the right shape in any case",
        "np.zeros(hs.shape, np.float32) -> np.zeros(hs.shape)": "more precise than it was",
        "dhs[t] -> dhs[t + -1]; 1 -> 0": UNDONE,
    },
    "recall_by_hand": {
        "2 * np.eye(1, H) -> np.eye(1, H)": LOUD,
        **dict.fromkeys(("2 -> 1", "2 -> 3", "2 -> 4"), LOUD),
        **dict.fromkeys(("1.0 -> 2.0", "2.0 -> 1.0", "2.0 -> 3.0", "2.0 -> 4.0"), LOUD),
        **dict.fromkeys(("3.0 -> 2.0", "3.0 -> 4.0", "3.0 -> 6.0"), LOUD),
        **dict.fromkeys(("2.5 -> 1.5", "2.5 -> 3.5", "2.5 -> 5.0"), LOUD),
        **dict.fromkeys(("5.0 -> 4.0", "5.0 -> 6.0", "5.0 -> 10.0"), LOUD),
        **dict.fromkeys(("0.001 -> 1.001", "0.001 -> 0.002"), LOUD),
        **dict.fromkeys(("1000.0 -> 999.0", "1000.0 -> 1001.0", "1000.0 -> 2000.0"), LOUD),
        "0.001 * np.eye(1, lag + 1) -> np.eye(1, lag + 1)": LOUD,
        "1 -> 2": "one unit more, which nobody listens to",
        "np.zeros((1, H)) -> np.ones((1, H))": "every unit hears its neighbour three times as loud",
        "0.001 * np.eye(1, lag + 1) -> 0.001 + np.eye(1, lag + 1)": (
            "every unit hears its neighbour much louder"
        ),
        "Wx[0, 0] -> Wx[0 + -1, 0]": "the only row is the last",
        "Wy[lag, 0] -> Wy[lag, 0 + -1]": "the only column is the last",
        "0 -> -1": "the only row is the last",
        "Wh[:3, :3] = np.outer([0.1, 0.2, 0.3], [1, 1, -1]) -> pass": "all three units are silent",
        "np.outer([0.1, 0.2, 0.3], [1, 1, -1]) -> np.outer([1, 1, -1], [0.1, 0.2, 0.3])": (
            "a radius of 0 all the same, and the units are silent"
        ),
        "np.zeros((1, lag + 4), dtype=np.float32) -> np.zeros((1, lag + 4))": (
            "more precise than it was"
        ),
        "2 -> 4; 4 * np.eye(1, H) -> np.eye(1, H)": LOUD,
        "Wx[:, 3] -> Wx[:, 3 + -1]; 3 -> 4": UNDONE,
    },
}


def clipper(length=None, cut=None):
    """Clip by norm, or with another length, or each array by `cut`."""
    length = length or norm

    def clip(grads, c):
        if cut:
            return {name: cut(g, c) for name, g in grads.items()}
        found = length(list(grads.values()))
        return {name: g * (c / found if found > c else 1) for name, g in grads.items()}

    return clip


def scaler(long=lambda c, n: c / n, short=lambda c, n: 1.0):
    """Scale all by what is made of the threshold and the norm."""

    def clip(grads, c):
        found = norm(grads.values())
        factor = long(c, found) if found > c else short(c, found)
        return {name: g * factor for name, g in grads.items()}

    return clip


def norm(arrays):
    return np.sqrt(sum(np.sum(g**2) for g in arrays))


def norms(arrays):
    return [np.linalg.norm(g) for g in arrays]


def entries(arrays):
    return np.concatenate([g.ravel() for g in arrays])


def in_place(grads, c):
    for g in grads.values():
        g *= 0.5
    return grads


def in_a_shallow_copy(grads, c):
    clipped = dict(grads)
    for name in clipped:
        clipped[name] *= min(1.0, c / norm(grads.values()))
    return clipped


def the_old_one(grads, c):
    found = norm(grads.values())
    return grads if found <= c else {name: g * c / found for name, g in grads.items()}


def without_condition(grads, c):
    found = norm(grads.values())
    return {name: g * np.minimum(1.0, c / found * (found > 0)) if found else g * (c * found / found)
            for name, g in grads.items()}  # fmt: skip


def each_by_itself(g, c):
    return g * min(1.0, c / max(np.linalg.norm(g), 1e-12))


def each_to_the_same(g, c):
    own = np.linalg.norm(g)
    return g * (c / own if own else 1.0)


def truncated(
    last=lambda t: t,
    first=lambda t, k: max(0, t - k + 1),
    order=lambda cells: cells,
    through=lambda dh, slope, Wh, own: dh * slope,
    slope=lambda hs, s, t: 1 - hs[s] ** 2,
    sent=lambda dz, dh: dz,
    onward=lambda dz, dh, Wh: dz @ Wh.T,
    place=lambda s, t: s,
    add=True,
    total=lambda dzs, k: dzs,
):
    """Walk back through a window, perhaps with a slip."""

    def walk(dhs, hs, Wh, k):
        dzs = np.zeros_like(hs)
        for t in range(len(hs)):
            dh = dhs[t]
            for s in order(range(last(t), first(t, k) - 1, -1)):
                dz = through(dh, slope(hs, s, t), Wh, dhs[s])
                dzs[place(s, t)] = sent(dz, dh) + (dzs[place(s, t)] if add else 0)
                dh = onward(dz, dh, Wh)
        return total(dzs, k)

    return walk


def through_the_front(dhs, hs, Wh, k):
    """Walk back without looking where the sequence begins."""
    dzs, T = np.zeros_like(hs), len(hs)
    for t in range(T):
        dh = dhs[t]
        for s in range(t, max(t - k, -T), -1):
            dzs[s] += dh * (1 - hs[s] ** 2)
            dh = dh * (1 - hs[s] ** 2) @ Wh.T
    return dzs


def in_blocks(dhs, hs, Wh, k):
    dzs = np.zeros_like(hs)
    for start in range(0, len(hs), k):
        part = slice(start, start + k)
        dzs[part] = truncated(first=lambda t, k: 0)(dhs[part], hs[part], Wh, k)
    return dzs


def joined(dhs, hs, Wh, k):
    """Walk back with the losses on the way, as in the full walk."""
    dzs = np.zeros_like(hs)
    for t in range(len(hs)):
        dh = dhs[t]
        for s in range(t, max(0, t - k + 1) - 1, -1):
            dz = dh * (1 - hs[s] ** 2)
            dzs[s] += dz
            dh = dz @ Wh.T + dhs[s - 1]
    return dzs


def the_last_alone(dhs, hs, Wh, k):
    only = np.zeros_like(dhs)
    only[-1] = dhs[-1]
    return truncated()(only, hs, Wh, k)


def forward_in_time(dhs, hs, Wh, k):
    dzs = np.zeros_like(hs)
    for t in range(len(hs)):
        dh = dhs[t]
        for s in range(t, min(len(hs), t + k)):
            dz = dh * (1 - hs[s] ** 2)
            dzs[s] += dz
            dh = dz @ Wh.T
    return dzs


def delay_line(more=0, gain=2.0, sign=1, loop=0.0, read=1.0, turned=False):
    def build(lag):
        H = lag + 1 + more
        Wh = gain * np.eye(H, k=1)
        Wh[-1, -1] = loop
        return gain * np.eye(1, H), Wh.T if turned else Wh, sign * read * np.eye(H)[:, -1:]

    return build


def changed(change):
    return lambda lag: change(*delay_line()(lag))


SLIPS = {
    "clip_by_norm": [
        (lambda grads, c: ..., "Not yet: the new dict came out as Ellipsis"),
        (lambda grads, c: list(grads.values()), "Return a dict with the names Wx, Wh, b"),
        (lambda grads, c: {"Wx": grads["Wx"]}, "Return a dict with the names Wx, Wh, b"),
        (in_place, "changed what it was given"),
        (in_a_shallow_copy, "changed what it was given"),
        (the_old_one, "Return a new dict, also where nothing has to be shortened"),
        (lambda grads, c: dict(grads), "was not shortened"),
        (clipper(cut=each_by_itself), "all arrays together have one length"),
        (clipper(cut=each_to_the_same), "all arrays together have one length"),
        (clipper(cut=lambda g, c: np.clip(g, -c, c)), "clips each entry, which changes the dir"),
        (clipper(lambda gs: norm(gs) ** 2), "and the root is missing"),
        (clipper(lambda gs: sum(norms(gs))), "the norms of the arrays do not add up"),
        (clipper(lambda gs: np.sqrt(sum(norms(gs)))), "the norms of the arrays do not add up"),
        (clipper(lambda gs: abs(entries(gs)).max()), "that goes by the largest entry"),
        (clipper(lambda gs: abs(entries(gs)).sum()), "of squares, not of absolute values"),
        (clipper(lambda gs: max(norms(gs))), "the length of the longest array alone"),
        (clipper(lambda gs: norm([np.linalg.norm(g, 2) for g in gs])), "leave out the 2"),
        (clipper(lambda gs: norm([g.sum() for g in gs])), "square each entry before you add"),
        (clipper(lambda gs: np.mean(norms(gs))), "do not average"),
        (clipper(lambda gs: np.sqrt(np.mean(entries(gs) ** 2))), "do not average"),
        (clipper(lambda gs: norm([g / g.size**0.5 for g in gs])), "do not average"),
        (clipper(lambda gs: norm(gs[-1:])), "the length of the last array alone"),
        (clipper(lambda gs: norm(gs[:1])), "the length of the first array alone"),
        (scaler(lambda c, n: n / c), "the factor is upside down"),
        (scaler(lambda c, n: 1 / n), "now the length is 1"),
        (scaler(lambda c, n: c), "divide by the length too"),
        (scaler(short=lambda c, n: c / n if n else 1.0), "what is short enough must stay as it is"),
        (scaler(short=lambda c, n: n / n), "Wx and b are not right yet: all zeros have the length"),
    ],
    "window_backward": [
        (lambda *a: None, "Not yet"),
        (lambda dhs, hs, Wh, k: np.zeros_like(hs), "Not yet: dzs is zero everywhere"),
        (lambda dhs, hs, Wh, k: hs.__isub__(1), "changed what it was given"),
        (truncated(first=lambda t, k: max(0, t - k)), "one cell too many"),
        (truncated(first=lambda t, k: max(0, t - k + 2)), "one cell too few: the cell of the"),
        (truncated(first=lambda t, k: max(0, t - k + 1) + 1), "one cell too few: a range ends"),
        (truncated(order=reversed), "the walk is in the wrong order"),
        (truncated(first=lambda t, k: t - k + 1 if t >= k - 1 else t + 1), "only shorter"),
        (
            truncated(lambda t: t - 1, lambda t, k: max(0, t - k)),
            "the walk begins with the cell of the loss's own step",
        ),
        (truncated(first=lambda t, k: 0), "that is the full walk"),
        (truncated(first=lambda t, k: t), "no loss walks further than the cell of its own step"),
        (truncated(first=lambda t, k: max(1, t - k + 1)), "the cell of step 0 counts too"),
        (through_the_front, "a negative index counts from the end"),
        (in_blocks, "those are blocks of k"),
        (forward_in_time, "that walks forward"),
        (the_last_alone, "the walk of the last loss alone"),
        (truncated(add=False), "+= and not ="),
        (truncated(total=lambda dzs, k: dzs / k), "the losses add up: do not divide"),
        (truncated(total=lambda dzs, k: dzs / len(dzs)), "the losses add up: do not divide"),
        (truncated(place=lambda s, t: t), "dzs[s] is what arrives at step s"),
        (truncated(sent=lambda dz, dh: dh), "and not dh"),
        (truncated(slope=lambda hs, s, t: 1.0), "multiply by the slope of tanh"),
        (truncated(slope=lambda hs, s, t: 1 - np.tanh(hs[s]) ** 2), "hs are the states after"),
        (truncated(slope=lambda hs, s, t: np.cosh(hs[s]) ** -2), "hs are the states after"),
        (truncated(slope=lambda hs, s, t: 1 - hs[t] ** 2), "that of hs[s], not of hs[t]"),
        (truncated(slope=lambda hs, s, t: 1 - hs[s - 1] ** 2), "not of hs[s - 1]"),
        (truncated(slope=lambda hs, s, t: 1 - hs[s]), "with the square"),
        (truncated(slope=lambda hs, s, t: 1 + hs[s] ** 2), "with a minus"),
        (truncated(slope=lambda hs, s, t: (1 - hs[s]) ** 2), "not (1 - h)²"),
        (
            truncated(
                through=lambda dh, slope, Wh, own: dh @ Wh.T * slope,
                onward=lambda dz, dh, Wh: dz,
            ),
            "first comes the slope of the cell",
        ),
        (
            truncated(through=lambda dh, slope, Wh, own: own * slope),
            "what comes along the walk is dh",
        ),
        (truncated(slope=lambda hs, s, t: hs[s] * (1 - hs[s])), "the slope of the sigmoid"),
        (truncated(onward=lambda dz, dh, Wh: dz @ Wh), "back through Wh means Wh.T"),
        (truncated(onward=lambda dz, dh, Wh: dh @ Wh.T), "dz and not dh: the slope belongs"),
        (truncated(onward=lambda dz, dh, Wh: dh), "dh stays the same all the way"),
        (truncated(onward=lambda dz, dh, Wh: dz), "between two cells lies Wh"),
        (truncated(onward=lambda dz, dh, Wh: dh + dz @ Wh.T), "= and not +="),
        (joined, "on the way no other loss joins it"),
        (lambda *a: truncated()(*a).T, "dzs for T = 6 and k = 3 is turned round"),
        (lambda *a: truncated()(*a)[::-1], "in the opposite order along axis 0"),
        (lambda *a: truncated()(*a)[None], "the right numbers in the shape (1, 6, 3)"),
    ],
    "recall_by_hand": [
        (lambda lag: ..., "Not yet"),
        (lambda lag: np.eye(2), "Return three arrays, Wx, Wh and Wy"),
        (lambda lag: (np.eye(2),) * 3, "Wx must have shape (1, 2) where there are 2 units"),
        (
            changed(lambda Wx, Wh, Wy: (Wx[0], Wh, Wy)),
            "Wx must have shape (1, 3) where there are 3 units, got (3,)",
        ),
        (
            changed(lambda Wx, Wh, Wy: (Wx, Wy, Wh)),
            "is the order another or something turned round?",
        ),
        (changed(lambda Wx, Wh, Wy: (Wx.T, Wh, Wy.T)), "The shapes are [(3, 1), (3, 3), (1, 3)]"),
        (changed(lambda Wx, Wh, Wy: (np.inf * Wx, Wh, Wy)), "Wx must hold finite numbers"),
        (delay_line(loop=0.5), "the spectral radius of Wh is 0.5: some unit can hear itself"),
        (changed(lambda Wx, Wh, Wy: (Wx, np.roll(Wh, 1, 0), Wy)), "the spectral radius of Wh is 2"),
        (delay_line(more=-1), "the score tells the input 1 step ago"),
        (delay_line(more=1), "the score tells the input 3 steps ago"),
        (lambda lag: delay_line()(2), "For lag 1 the score tells the input 2 steps ago"),
        (delay_line(sign=-1), "For lag 2 all signs are the wrong way round"),
        (delay_line(gain=-2.0, sign=-1), "For lag 1 all signs are the wrong way round"),
        (delay_line(turned=True), "Wh is turned round: Wh[i, j] leads from unit i to unit j"),
        (changed(lambda Wx, Wh, Wy: (Wx, 0 * Wh, Wy)), "every score is 0: nothing that Wx brings"),
        (changed(lambda Wx, Wh, Wy: (Wx, Wh, 0 * Wy + 1)), "% of the answers are right"),
        (delay_line(gain=0.5), "refresh the value"),
        (delay_line(gain=1.0), "for lag 5 some scores are as faint as"),
        (delay_line(gain=1.0, read=4.0), "for lag 300 some scores are as faint as 0.28"),
        (delay_line(read=0.05), "or read it louder"),
    ],
}
