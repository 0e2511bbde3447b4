"""The exercises of *Hello*: four patients, one pass for a batch, and the gradient of what."""

import itertools

import numpy as np

from . import way_back
from .compare import call, compare_all, several, truth
from .verdict import NotYet, Wrong, check

__all__ = ["char_backward", "culprits", "is_gradient"]


@check(
    "Right. You read four verdicts, and not one line of their code.",
    "For each slip, say first which of the five gradients it touches: all, one, or those that "
    "lie behind one line.",
    "Then look at the numbers: a wrong sign, a factor, or a term that is missing?",
    "A touches Wh alone, and E Wy alone. B spares the output layer. C and D touch everything: "
    "one by a factor, the other by the sign.",
)
def culprits(function):
    """Check ``() -> four letters``, the slips of four programs told from their verdicts."""
    answer = call(function)
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if isinstance(answer, dict) and set(answer) == {1, 2, 3, 4}:
        answer = [answer[n] for n in (1, 2, 3, 4)]
    parts = answer if isinstance(answer, (tuple, list)) else [answer]
    if not parts or any(part is None or part is Ellipsis for part in parts):
        raise NotYet(f"the letters came out as {answer}.")
    if not isinstance(answer, (str, tuple, list)) or not all(isinstance(a, str) for a in answer):
        raise Wrong("Return four letters from A to E, in the order of the programs: 'ABCD', say.")
    named = "".join(answer).translate({ord(mark): None for mark in " ,.;-\n"}).upper()
    if not named:
        raise NotYet(f"the letters came out as {answer!r}.")
    if len(named) == 4 and set(named) & set("?_"):
        raise NotYet(f"program {min(named.find(m) for m in '?_' if m in named) + 1} is open.")
    if len(named) != 4 or not set(named) <= set("ABCDE"):
        raise Wrong(f"Return four letters from A to E, got {''.join(answer)!r}.")
    looks = {
        "A": "A touches the gradient of Wh and no other",
        "B": "B leaves Wy and by right, and spoils all that lies below the last step",
        "C": "C makes every gradient a quarter of what it should be",
        "D": "D turns the sign of every gradient",
        "E": "E touches the gradient of Wy and no other",
    }
    for n, (got, right) in enumerate(zip(named, "BDAC", strict=True), 1):
        if got != right:
            raise Wrong(f"Program {n} is not {got}: {looks[got]}. Look at its verdict again.")


@check(
    "Right: one visit to each step, and every gradient of the batch.",
    "Write equation (4) for a batch first: which rows of hs and ds belong to step t?",
    "Each row of a batch is a sequence of its own, so dz has the shape (N, H). At a matrix "
    "a product with N between its two factors sums over the batch; at a bias you must sum.",
    "dz = (ds[:, t] @ Wy.T + dz @ Wh.T) * (1 - hs[:, t + 1] ** 2). Then add up: xs[:, t] and "
    "hs[:, t] meet dz, hs[:, t + 1] meets ds[:, t], and the biases get sums over axis 0.",
)
def char_backward(function):
    """Check ``(xs, hs, ds, Wh, Wy) -> (dWx, dWh, db, dWy, dby)`` of a character RNN."""
    names = "dWx", "dWh", "db", "dWy", "dby"
    rng = np.random.default_rng(0)
    for N, T, D, H, V in ((2, 5, 3, 4, 6), (3, 4, 5, 2, 7), (1, 3, 2, 5, 4), (4, 1, 6, 3, 2)):
        Wh, Wy = rng.standard_normal((H, H)), rng.standard_normal((H, V))
        xs, ds = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, V))
        arguments = xs, np.tanh(rng.standard_normal((N, T + 1, H))), ds, Wh, Wy
        if way_back.updates(function, arguments, slice(3, None)):
            raise Wrong(f"The weights were changed on the way back: {_UPDATED}.")
        answer = several(call(function, *arguments), names)
        right = way_back.gradients(*arguments)
        try:
            compare_all(names, answer, right)
        except Wrong:
            compare_all(names, answer, right, list(_char_slips(arguments)))


def _char_slips(arguments):
    """Yield the gradients of programs with a slip, and what each tells."""
    for hint, slips in _CHAR_SLIPS.items():
        for slip in slips:
            yield way_back.gradients(*arguments, **slip), hint
    for wrong in way_back.updated_early(*arguments):
        yield wrong, _UPDATED
    (xs, hs, ds), weights = arguments[:3], arguments[3:]
    examples = [
        way_back.gradients(*(array[n : n + 1] for array in (xs, hs, ds)), *weights)
        for n in range(len(xs))
    ]
    for wrong in (examples[0], examples[-1]):
        yield wrong, "every row of the batch counts, and not only one"
    dWx, dWh, db, dWy, dby = way_back.gradients(*arguments)
    each = [np.array(rows) for rows in zip(*examples, strict=True)]
    yield (dWx, dWh, each[2], dWy, each[4]), "one bias for the whole batch: sum over axis 0"
    last = np.concatenate([0 * ds[:, :-1], ds[:, -1:]], axis=1)
    walked = way_back.gradients(xs, hs, last, *weights)[:3]
    yield (*walked, dWy, dby), "every step has scores of its own, not only the last"
    single = "one bias for each unit and each letter: sum over the batch only"
    yield (dWx, dWh, db.sum(), dWy, dby.sum()), single
    yield (dWx, dWh, 0 * db + db.sum(), dWy, 0 * dby + dby.sum()), single


_UPDATED = "collect the gradients of all steps first, and change the weights after the walk"
_CHAR_SLIPS = {
    "the gradients of all steps add up: += and not =": [way_back.NOT_SUMMED],
    "the first step is left out": [way_back.FIRST_LEFT_OUT],
    "the last step is left out": [way_back.LAST_LEFT_OUT],
    "walk from the last step to the first": [way_back.FORWARDS],
    "what the next step says, dz @ Wh.T, is missing": [way_back.ALONE],
    "hand on dz, not dh: what comes back has passed the tanh too": [way_back.DH_HANDED_ON],
    "what joins dz is dh: multiply by the slope of tanh first": [way_back.DH_JOINED],
    "dz is that of one step: = and not +=": way_back.PILED_UP,
    "back through Wh means @ Wh.T": way_back.NOT_TURNED,
    "the slope multiplies the whole sum: put it in brackets": way_back.BRACKETS,
    "multiply by the slope of tanh, 1 - h²": [way_back.NO_SLOPE],
    "the slope of tanh is 1 - h², with h squared": [way_back.SQUARE_MISSING],
    "the slope of tanh is 1 - h²; h (1 - h) is that of the sigmoid": [way_back.SLOPE_OF_SIGMOID],
    "h is the tanh already: its slope is 1 - h²": [way_back.TANH_TWICE],
    "the slope belongs to hs[:, t + 1], the state that step t made": [way_back.SLOPE_BEFORE],
    "Wh joins h before the step, hs[:, t], to dz": [way_back.LATE],
    "h before the step is hs[:, t], since hs begins with the state before the first": [
        way_back.TOO_EARLY
    ],
    "Wh joins hs[:, t] to dz of the same step": [way_back.SHIFTED],
    "Wy reads the state after the step, hs[:, t + 1]": [way_back.EARLY],
    "sum over the batch and the steps, do not average: ds already knows the size": [
        *way_back.AVERAGED, {"scale": lambda N, T: 1 / (N * T)},
    ],
}  # fmt: skip


@check(
    "Right. Mixed second derivatives agree, or there is no loss.",
    "Nudge each entry of x up and down, and see how every entry of g changes.",
    "(g(x + e) - g(x - e)) / (2 eps), with eps at one entry of e, is one row of a table.",
    "Compare the table with its transpose, every entry. Rounding makes differences of about "
    "1e-10, so forgive 1e-6, and not a part of the largest entry.",
)
def is_gradient(function):
    """Check ``(g, x) -> bool``, whether g may be the gradient of some loss near x."""
    for g, x, right, why in _fields():
        got = truth("is_gradient(g, x)", call(function, g, x))
        if got != right:
            raise Wrong(f"You say {got}, but {why}")


def _fields():
    """Yield fields, each with a place, whether it is the gradient of a loss, and why."""
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((5, 5)), rng.standard_normal(7)
    S, turn, upper = A + A.T, np.array([[0.0, 1.0], [-1.0, 0.0]]), np.triu(np.ones((7, 7)), 1)
    y_minus_t = _softmax_minus(np.eye(4)[1])

    fine = "Does your comparison allow for rounding, about 1e-6?"
    yield lambda x: x @ S, x[:5], True, f"x @ S with S symmetric is that of ½ x S x. {fine}"
    yield y_minus_t, x[:4], True, f"y - t is that of the cross-entropy. {fine}"
    yield _softmax_minus(0.7), x[:4], True, f"y - q with one number q is that of (6). {fine}"
    yield lambda x: 50 * (x @ S), x[:5], True, f"50 x @ S is that of 25 x S x. {fine}"
    yield lambda x: x**3, x[:1], True, "with a single number there is always a loss."
    central = "Are the differences central, and the nudges small?"
    yield _cubic, 0.01 * x[:3], True, f"100 x²y - 80 y²z + 120 z²x is a loss. {central}"
    yield _vortex, np.array([2.0, 1.0]), True, f"near x, off the hole, it has a loss. {central}"

    circles = "what goes round in circles is that of no loss."
    yield lambda x: x @ turn, x[:2], False, circles
    yield lambda x: x[[1, 2, 0]], x[:3], False, circles
    thrice = "one entry of a gradient, three times as large, leaves no gradient."
    yield lambda x: y_minus_t(x) * np.array([3.0, 1.0, 1.0, 1.0]), x[:4], False, thrice
    for i, j in itertools.combinations(range(4), 2):
        far = f"the entries ({i}, {j}) and ({j}, {i}) of the table differ: compare every pair."
        table = S[:4, :4].copy()
        table[i, j] += 5 * (-1) ** (i + j)
        yield lambda x, table=table: x @ table, x[:4], False, far
    here = "the table is not symmetric at x, and only at 0."
    yield lambda x: np.array([x[1] ** 2, 0.0]), x[:2], False, here
    faint = "a faint turn is a turn: allow for rounding, about 1e-6, and for no more."
    yield lambda x: x @ (1e-3 * S + 4e-4 * upper[:5, :5]), x[:5], False, faint
    nearly = "the entries of each pair differ by half a per cent: that is not rounding."
    yield lambda x: x @ (S + 0.005 * S * upper[:5, :5]), x[:5], False, nearly
    beside = "a small part goes round in circles: allow no more where others are large."
    small = 0.01 * (upper + upper.T) + 0.008 * upper
    small[0], small[:, 0] = 0, 0
    small[0, 0] = 1e4
    yield lambda x: x @ small, x, False, beside


def _softmax_minus(target):
    def field(x):
        e = np.exp(x - x.max())
        return e / e.sum() - target

    return field


def _cubic(x):
    x, y, z = x
    return 20 * np.array([10 * x * y + 6 * z**2, 5 * x**2 - 8 * y * z, 12 * z * x - 4 * y**2])


def _vortex(x):
    """Return the gradient of an angle: it turns round a hole at 0, and nowhere else."""
    return np.array([-x[1], x[0]]) / (x @ x)
