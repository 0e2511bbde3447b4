"""Answers to the exercises of *Hello*."""

import numpy as np

ANSWERS = {
    "culprits": [
        """
def culprits():
    return {1: "b", 2: "d", 3: "a", 4: "c"}
""",
        """
def culprits():
    return "B", "D", "A", "C"
""",
        """
def culprits():
    return ", ".join("bdac")
""",
    ],
    "char_backward": [
        """
def char_backward(xs, hs, ds, Wh, Wy):
    T = xs.shape[1]
    dzs = ds @ Wy.T
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            dzs[:, t] += dzs[:, t + 1] @ Wh.T
        dzs[:, t] *= 1 - hs[:, t + 1] ** 2
    dWx, dWh, dWy = (
        np.tensordot(a, b, ((0, 1), (0, 1)))
        for a, b in ((xs, dzs), (hs[:, :-1], dzs), (hs[:, 1:], ds))
    )
    return {"dWx": dWx, "dWh": dWh, "dWy": dWy, "db": dzs.sum((0, 1)), "dby": ds.sum((0, 1))}
""",
        """
def char_backward(xs, hs, ds, Wh, Wy):
    dWx, dWh, db, dWy, dby = 0, 0, 0, 0, 0
    for x, h, d in zip(xs, hs, ds):
        dz = np.zeros(len(Wh))
        for t in reversed(range(len(x))):
            dz = (1 - h[t + 1] * h[t + 1]) * (Wy @ d[t] + Wh @ dz)
            dWx = dWx + x[t][:, None] * dz
            dWh = dWh + h[t][:, None] * dz
            dWy = dWy + h[t + 1][:, None] * d[t]
            db, dby = db + dz, dby + d[t]
    return [dWx.tolist(), dWh.tolist(), list(db), dWy.tolist(), list(dby)]
""",
        """
def char_backward(*arrays):
    xs, hs, ds, Wh, Wy = (a.astype(np.float32) for a in arrays)
    total, T = (0, 0, 0), xs.shape[1]
    for last in range(T):
        dh = ds[:, last] @ Wy.T
        for t in range(last, -1, -1):
            dz = dh * (1 - hs[:, t + 1] ** 2)
            total = [a + b for a, b in zip(total, (xs[:, t].T @ dz, hs[:, t].T @ dz, dz.sum(0)))]
            dh = dz @ Wh.T
    yield from total
    yield np.einsum("nth,ntv->hv", hs[:, 1:], ds)
    yield np.einsum("ntv->v", ds)
""",
    ],
    "is_gradient": [
        """
def is_gradient(g, x):
    n, eps = len(x), 1e-6
    J = np.empty((n, n))
    for j in range(n):
        up, down = x.copy(), x.copy()
        up[j] += eps
        down[j] -= eps
        J[:, j] = (g(up) - g(down)) / (2 * eps)
    return np.allclose(J, J.T)
""",
        """
def is_gradient(g, x):
    rng = np.random.default_rng(1)
    for _ in range(20):
        u, v = rng.standard_normal((2, len(x)))
        Ju, Jv = ((g(x + 1e-5 * d) - g(x - 1e-5 * d)) / 2e-5 for d in (u, v))
        if abs(u @ Jv - v @ Ju) > 1e-6 * (1 + abs(u @ Jv)):
            return 0
    return 1
""",
        """
def is_gradient(g, x):
    sides = 1e-3 * np.eye(len(x))
    for a in sides:
        for b in sides:
            ahead = (g(x - b) - g(x + b)) @ a
            aside = (g(x + a) - g(x - a)) @ b
            if abs(ahead + aside) > 2e-6 * 1e-5:
                return np.False_
    return np.True_
""",
    ],
}

SAME = "the same numbers, written in another way"
VECTOR = "a vector has no transpose"
FACTOR = "a table times a factor is symmetric where the table is"
FORGIVING = "the tolerance still lies between rounding and the faintest turn"
ENOUGH = "so many directions will do as well"
UNDONE = "the second slip undoes the first"
RIGHT_AFTER_ALL = {
    "culprits": {"', '.join('bdac') -> 'bdac'": "between letters nothing counts"},
    "char_backward": {
        "ds[:, t] -> ds[:, t + -1]": "at dby: from the end round to the start, the sum is the same",
        "d[t] -> d[t + -1]": "at dby: from the end round to the start, the sum is the same",
        "(0, 1) -> (1, 0)": "at a sum over both axes",
        "Wy @ d[t] -> Wy @ d[t].T": VECTOR,
        "Wh @ dz -> Wh @ dz.T": VECTOR,
        "list(db) -> db": "an array will do",
        "list(dby) -> dby": "an array will do",
        "2 -> -2; 2 -> -2": UNDONE,
        "0 -> -1; 1 -> 0": UNDONE,
        "xs.shape[1] -> xs.shape[1 + -1]; 1 -> 0": UNDONE,
        "'ntv->v' -> 'tnv->v'": SAME,
        "zip(total, (xs[:, t].T @ dz, hs[:, t].T @ dz, dz.sum(0))) -> "
        "zip((xs[:, t].T @ dz, hs[:, t].T @ dz, dz.sum(0)), total)": SAME,
    },
    "is_gradient": {
        "1e-05 -> -1e-05": "to nudge down and then up gives the same slope",
        "1e-06 -> -1e-06": "to nudge down and then up gives the same slope",
        "0.001 -> -0.001": "to nudge down and then up gives the same slope",
        "1e-05 -> 2e-05": "a nudge, or a tolerance, twice as large",
        "0.001 -> 0.002": "a nudge twice as large",
        "(g(x + nudge) - g(x - nudge)) / (2 * eps) -> 2 * eps / (g(x + nudge) - g(x - nudge))": (
            "inverses, entry by entry, are equal where the entries are"
        ),
        "(g(up) - g(down)) / (2 * eps) -> 2 * eps / (g(up) - g(down))": (
            "inverses, entry by entry, are equal where the entries are"
        ),
        "g(x + nudge) - g(x - nudge) -> g(x - nudge) - g(x + nudge)": FACTOR,
        "g(up) - g(down) -> g(down) - g(up)": FACTOR,
        "g(x + 1e-05 * d) - g(x - 1e-05 * d) -> g(x - 1e-05 * d) - g(x + 1e-05 * d)": FACTOR,
        "2 * eps -> eps": FACTOR,
        "2 -> 1": FACTOR,
        "2 -> -2": FACTOR,
        "2 -> 3": FACTOR,
        "2 -> 4": FACTOR,
        "2e-05 -> -2e-05": FACTOR,
        "2e-05 -> 4e-05": FACTOR,
        "2 -> -2; (g(up) - g(down)) / (-2 * eps) -> -2 * eps / (g(up) - g(down))": (
            "inverses, entry by entry, are equal where the entries are"
        ),
        "u @ Jv -> Jv @ u; 1 + abs(Jv @ u) -> 1": FORGIVING,
        "g(x + a) - g(x - a) -> g(x - a) - g(x + a); g(x - b) - g(x + b) -> g(x + b) - g(x - b)": (
            "the loops are walked round the other way"
        ),
        "(:, j) -> (j, :)": "the transpose of a table is symmetric where the table is",
        "np.allclose(J, np.transpose(J), rtol=0, atol=1e-06) -> "
        "np.allclose(J, np.transpose(J), atol=1e-06)": FORGIVING,
        "np.allclose(J, np.transpose(J), rtol=0, atol=1e-06) -> "
        "np.allclose(J, np.transpose(J), rtol=0)": FORGIVING,
        "np.allclose(J, np.transpose(J), rtol=0, atol=1e-06) -> "
        "np.allclose(np.transpose(J), J, rtol=0, atol=1e-06)": SAME,
        "np.allclose(J, J.T) -> np.allclose(J.T, J)": SAME,
        "1e-06 -> 2e-06": FORGIVING,
        "2e-06 -> 4e-06": FORGIVING,
        "1e-06 * (1 + abs(u @ Jv)) -> 1e-06": FORGIVING,
        "1e-06 * (1 + abs(u @ Jv)) -> 1e-06 / (1 + abs(u @ Jv))": FORGIVING,
        "1 + abs(u @ Jv) -> 1 * abs(u @ Jv)": FORGIVING,
        "1 + abs(u @ Jv) -> abs(u @ Jv)": FORGIVING,
        "1 + abs(u @ Jv) -> 1": FORGIVING,
        "1 -> 2": "another seed, or a tolerance twice as large",
        "1 -> 0": "another seed, or a tolerance that is relative alone",
        "range(20) -> range(0 + 1, 20 - 0)": ENOUGH,
        "range(20) -> range(0 + 0, 20 - 1)": ENOUGH,
        "range(20) -> range(0 + 0, 20 - -1)": ENOUGH,
        "20 -> 21": ENOUGH,
        "20 -> 19": ENOUGH,
        "20 -> 40": ENOUGH,
        "abs(u @ Jv - v @ Ju) > 1e-06 * (1 + abs(u @ Jv)) -> "
        "abs(u @ Jv - v @ Ju) >= 1e-06 * (1 + abs(u @ Jv))": "no difference is just so large",
        "abs(ahead + aside) > 2e-06 * 1e-05 -> abs(ahead + aside) >= 2e-06 * 1e-05": (
            "no difference is just so large"
        ),
        "abs(u @ Jv - v @ Ju) -> u @ Jv - v @ Ju": "of 20 differences some are above zero",
        "abs(ahead + aside) -> ahead + aside": "each pair of sides is walked round both ways",
        "u @ Jv - v @ Ju -> v @ Ju - u @ Jv": SAME,
        "u @ Jv -> Jv @ u": SAME,
        "u @ Jv -> u.T @ Jv": VECTOR,
        "u @ Jv -> u @ Jv.T": VECTOR,
        "v @ Ju -> Ju @ v": SAME,
        "v @ Ju -> v.T @ Ju": VECTOR,
        "v @ Ju -> v @ Ju.T": VECTOR,
        "(g(x - b) - g(x + b)) @ a -> a @ (g(x - b) - g(x + b))": SAME,
        "(g(x - b) - g(x + b)) @ a -> (g(x - b) - g(x + b)).T @ a": VECTOR,
        "(g(x - b) - g(x + b)) @ a -> (g(x - b) - g(x + b)) @ a.T": VECTOR,
        "(g(x + a) - g(x - a)) @ b -> b @ (g(x + a) - g(x - a))": SAME,
        "(g(x + a) - g(x - a)) @ b -> (g(x + a) - g(x - a)).T @ b": VECTOR,
        "(g(x + a) - g(x - a)) @ b -> (g(x + a) - g(x - a)) @ b.T": VECTOR,
    },
}


def delta_line(ds, dz, h, h_prev, Wh, Wy):
    return (ds @ Wy.T + dz @ Wh.T) * (1 - h**2)


def spell_back(
    dz=delta_line, order=reversed, hand_on=lambda dz, before, dh: dz, store=np.add, update=None,
    total=lambda d: d.sum(axis=0), **joins,
):  # fmt: skip
    """Return the backward pass of a character RNN, with parts exchanged."""

    def answer(xs, hs, ds, Wh, Wy):
        grads, before = [0, 0, 0, 0, 0], np.zeros((len(xs), len(Wh)))
        for t in order(range(xs.shape[1])):
            parts = {"x": xs[:, t], "h": hs[:, t + 1], "h_prev": hs[:, t], "ds": ds[:, t]}
            d = dz(ds[:, t], before, hs[:, t + 1], hs[:, t], Wh, Wy)
            parts |= {"dz": d, "dh": ds[:, t] @ Wy.T + before @ Wh.T, "later": before}
            parts |= {"earlier": hs[:, t - 1]}
            pairs = {"dWx": ("x", "dz"), "dWh": ("h_prev", "dz"), "dWy": ("h", "ds"), **joins}
            dWx, dWh, dWy = (parts[a].T @ parts[b] for a, b in pairs.values())
            terms = dWx, dWh, total(d), dWy, total(ds[:, t])
            grads = [store(grad, term) for grad, term in zip(grads, terms, strict=True)]
            before = hand_on(d, before, parts["dh"])
            if update:
                Wh, Wy = update([Wh, Wy], [grads[1], grads[3]])
        return tuple(grads)

    return answer


def sloped(slope):
    return spell_back(lambda ds, d, h, h_prev, Wh, Wy: (ds @ Wy.T + d @ Wh.T) * slope(h, h_prev))


def summed(total):
    return spell_back(lambda ds, d, h, h_prev, Wh, Wy: total(ds, d, Wh, Wy) * (1 - h**2))


def in_place(weights, grads):
    for W, grad in zip(weights, grads, strict=True):
        W -= 0.1 * grad
    return weights


def renewed(weights, grads):
    return [W - 0.1 * grad for W, grad in zip(weights, grads, strict=True)]


def changed(change):
    return lambda *arguments: change(spell_back()(*arguments), arguments)


def cut(rows):
    return lambda xs, hs, ds, Wh, Wy: spell_back()(xs[rows], hs[rows], ds[rows], Wh, Wy)


def last_alone(xs, hs, ds, Wh, Wy):
    alone = np.concatenate([0 * ds[:, :-1], ds[:, -1:]], axis=1)
    return (*spell_back()(xs, hs, alone, Wh, Wy)[:3], *spell_back()(xs, hs, ds, Wh, Wy)[3:])


def piled(ds, d, h, h_prev, Wh, Wy):
    return d + delta_line(ds, d, h, h_prev, Wh, Wy)


TABLE = """
def is_gradient(g, x):
    {before}
    J = np.array([(g(x + e) - g(x - e)) / (2 * {eps}) for e in {eps} * np.eye(len(x))])
    n, off = len(x), np.abs(J - J.T)
    return {test}
"""
AHEAD = """
def is_gradient(g, x):
    J = np.array([(g(x + e) - g(x)) / {eps} for e in {eps} * np.eye(len(x))])
    return np.allclose(J, J.T, rtol=0, atol={atol})
"""


def table(test, eps=1e-5, before="pass"):
    """Return a test that looks at the table of slopes, by central differences."""
    return TABLE.format(test=test, eps=eps, before=before)


SLIPS = {
    "culprits": [
        (lambda: None, "Not yet: the letters came out as None"),
        (lambda: "", "Not yet: the letters came out as ''"),
        (lambda: ["B", None, None, None], "Not yet: the letters came out as ['B', None"),
        (lambda: "B?AC", "Not yet: program 2 is open"),
        (lambda: "BDA", "Return four letters from A to E, got 'BDA'"),
        (lambda: 4, "Return four letters from A to E, in the order of the programs"),
        (lambda: set("ABCD"), "Return four letters from A to E, in the order of the programs"),
        (lambda: "BDAF", "Return four letters from A to E, got 'BDAF'"),
        (lambda: "ADAC", "Program 1 is not A: A touches the gradient of Wh and no other"),
        (lambda: "EDAC", "Program 1 is not E: E touches the gradient of Wy and no other"),
        (lambda: "BCAC", "Program 2 is not C: C makes every gradient a quarter"),
        (lambda: "BDBC", "Program 3 is not B: B leaves Wy and by right"),
        (lambda: "BDAD", "Program 4 is not D: D turns the sign of every gradient"),
    ],
    "char_backward": [
        (lambda *a: None, "Not yet: return five arrays, dWx, dWh, db, dWy and dby."),
        (lambda *a: [np.zeros(2)] * 5, "Not yet: dWx, dWh, db, dWy and dby are all zero."),
        (lambda *a: [a[0].fill(0)] * 5, "changed what it was given"),
        (
            spell_back(store=lambda grad, term: term),
            "dWx, dWh, db, dWy and dby are not right yet: the gradients of all steps add up",
        ),
        (
            spell_back(store=lambda grad, term: term if term.ndim == 1 else grad + term),
            "db is not right yet: the gradients of all steps add up: += and not =",
        ),
        (spell_back(order=lambda steps: reversed(steps[1:])), "the first step is left out"),
        (spell_back(order=lambda steps: reversed(steps[:-1])), "the last step is left out"),
        (spell_back(order=iter), "walk from the last step to the first"),
        (summed(lambda ds, d, Wh, Wy: ds @ Wy.T), "what the next step says, dz @ Wh.T, is"),
        (spell_back(hand_on=lambda dz, before, dh: dh), "hand on dz, not dh"),
        (spell_back(dWx=("x", "dh")), "dWx is not right yet: what joins dz is dh: multiply"),
        (spell_back(hand_on=lambda dz, before, dh: dz + before), "= and not +="),
        (spell_back(piled), "dz is that of one step: = and not +="),
        (summed(lambda ds, d, Wh, Wy: ds @ Wy.T + d @ Wh), "back through Wh means @ Wh.T"),
        (summed(lambda ds, d, Wh, Wy: ds @ Wy.T + d), "back through Wh means @ Wh.T"),
        (
            spell_back(lambda ds, d, h, h_prev, Wh, Wy: ds @ Wy.T * (1 - h**2) + d @ Wh.T),
            "the slope multiplies the whole sum: put it in brackets",
        ),
        (sloped(lambda h, h_prev: 1), "are not right yet: multiply by the slope of tanh, 1 - h²."),
        (sloped(lambda h, h_prev: 1 - h), "the slope of tanh is 1 - h², with h squared"),
        (sloped(lambda h, h_prev: h * (1 - h)), "h (1 - h) is that of the sigmoid"),
        (sloped(lambda h, h_prev: 1 - np.tanh(h) ** 2), "h is the tanh already"),
        (sloped(lambda h, h_prev: 1 - h_prev**2), "the slope belongs to hs[:, t + 1]"),
        (spell_back(dWh=("h", "dz")), "dWh is not right yet: Wh joins h before the step, hs[:, t]"),
        (spell_back(dWh=("earlier", "dz")), "dWh is not right yet: h before the step is hs[:, t]"),
        (spell_back(dWh=("h_prev", "later")), "Wh joins hs[:, t] to dz of the same step"),
        (spell_back(dWh=("dz", "h_prev")), "dWh is turned round"),
        (spell_back(dWy=("h_prev", "ds")), "Wy reads the state after the step, hs[:, t + 1]"),
        (
            changed(lambda grads, a: [grad / len(a[0]) for grad in grads]),
            "do not average: ds already knows the size",
        ),
        (
            changed(lambda grads, a: [grad / a[0].shape[1] for grad in grads]),
            "do not average: ds already knows the size",
        ),
        (
            spell_back(total=lambda d: d.mean(axis=0)),
            "db is not right yet: sum over the batch and the",
        ),
        (spell_back(update=in_place), "The weights were changed on the way back: collect"),
        (spell_back(update=renewed), "dWx, dWh and db are not right yet: collect the gradients"),
        (cut(slice(1)), "every row of the batch counts, and not only one"),
        (cut(slice(-1, None)), "every row of the batch counts, and not only one"),
        (last_alone, "every step has scores of its own, not only the last"),
        (spell_back(total=lambda d: d), "one bias for the whole batch: sum over axis 0"),
        (spell_back(total=np.sum), "one bias for each unit and each letter"),
        (
            spell_back(total=lambda d: np.full(d.shape[1], d.sum())),
            "db and dby are not right yet: one bias for each unit and each letter: sum over",
        ),
        (
            spell_back(total=lambda d: d.sum(axis=0, keepdims=True)),
            "db has the right numbers in the shape (1, 4); wanted: shape (4,)",
        ),
        (changed(lambda grads, a: grads[::-1]), "in another order: return dWx, dWh, db, dWy"),
        (changed(lambda grads, a: grads[:3]), "Return five arrays, dWx, dWh, db, dWy and dby; got"),
    ],
    "is_gradient": [
        (lambda g, x: None, "Not yet: is_gradient(g, x) came out as None"),
        (lambda g, x: "yes", "is_gradient(g, x) must be a number or an array of numbers, got str"),
        (table("np.isclose(J, J.T, atol=1e-6)"), "is_gradient(g, x) must be True or False, got [["),
        (lambda g, x: bool(x.fill(0)) or True, "changed what it was given"),
        (lambda g, x: False, "You say False, but x @ S with S symmetric is that of ½ x S x. Does"),
        (table("off.max() == 0"), "Does your comparison allow for rounding, about 1e-6?"),
        (table("off.max() < 1e-10"), "50 x @ S is that of 25 x S x. Does your comparison allow"),
        (table("off.max() < 1e-6", eps=0.1), "y - t is that of the cross-entropy. Does your"),
        (
            table("off.max() < 1e-6 and (n != 4 or abs(g(x).sum()) < 1e-6)"),
            "y - q with one number q is that of (6)",
        ),
        (lambda g, x: len(x) > 1, "with a single number there is always a loss"),
        (AHEAD.format(eps=1e-7, atol=1e-6), "100 x²y - 80 y²z + 120 z²x is a loss. Are the diff"),
        (AHEAD.format(eps=1e-5, atol=1e-4), "Are the differences central, and the nudges small?"),
        (table("off.max() < 1e-6", before="x = 0 * x"), "near x, off the hole, it has a loss"),
        (lambda g, x: True, "You say True, but what goes round in circles is that of no loss"),
        (
            table("n == 2 and off.max() < 1e-6 or np.allclose(J.sum(0), J.sum(1))"),
            "what goes round in circles is that of no loss",
        ),
        (table("(np.sign(J) == np.sign(J.T)).all()"), "one entry of a gradient, three times"),
        (
            table("off.max() < 1e-6", before="x = x if x[0] * x[-1] == 2 else 0 * x"),
            "the table is not symmetric at x, and only at 0",
        ),
        (table("n < 2 or off[0, 1] < 1e-6"), "the entries (0, 2) and (2, 0) of the table differ"),
        (table("off[0].max() < 1e-6"), "the entries (1, 2) and (2, 1) of the table differ"),
        (table("off[:, -1].max() < 1e-6"), "(0, 1) and (1, 0) of the table differ: compare every"),
        (table("n < 2 or np.diag(off, 1).max() < 1e-6"), "(0, 2) and (2, 0) of the table differ"),
        (table("np.triu(J - J.T).max() < 1e-6"), "(0, 1) and (1, 0) of the table differ"),
        (table("off.max() < 1e-3"), "a faint turn is a turn: allow for rounding, about 1e-6, and"),
        (table("off.max() < 1e-2 * np.abs(J).max()"), "half a per cent: that is not rounding"),
        (table("np.allclose(J, J.T, rtol=0.01)"), "half a per cent: that is not rounding"),
        (table("off.max() < 1e-6 * np.abs(J).max()"), "a small part goes round in circles"),
    ],
}
