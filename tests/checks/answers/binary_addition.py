"""Answers to the exercises of *Binary addition*."""

import numpy as np

ANSWERS = {
    "negate": [
        """
def negate(bits):
    seen, result = False, []
    for bit in bits:
        result.append(not bit if seen else bit == 1)
        seen = seen or bit == 1
    return result
""",
        """
def negate(bits):
    bits = np.array(bits)
    carries = np.cumprod(1 - bits)
    return (1 - bits) ^ np.concatenate([[1], carries[:-1]])
""",
        """
def half_adder(a, b):
    return a ^ b, a & b

def negate(bits):
    carry = 1
    for bit in bits:
        digit, carry = half_adder(~bit & 1, carry)
        yield digit
""",
        """
def negate(bits):
    if 1 not in bits:
        return bits[:]
    first = bits.index(1)
    return (*bits[: first + 1], *(1 - bit for bit in bits[first + 1 :]))
""",
    ],
    "tanh_backward": [
        """
def tanh_backward(xs, ts, hs, ys, Wx, Wy, Wh):
    T, ds = len(xs), ys - ts
    dzs = ds @ Wy.T
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            dzs[t] += Wh @ dzs[t + 1]
        dzs[t] *= 1 - np.square(hs[t + 1])
    return [xs.T @ dzs, hs[1:].T @ ds, hs[:-1].T @ dzs]
""",
        """
def tanh_backward(xs, ts, hs, ys, Wx, Wy, Wh):
    grads = {"dWx": 0, "dWy": 0, "dWh": 0}
    for u in range(len(xs)):
        ds = ys[u] - ts[u]
        grads["dWy"] = grads["dWy"] + np.outer(hs[u + 1], ds)
        dh = ds @ Wy.T
        for t in range(u, -1, -1):
            dz = dh * (1 - hs[t + 1]) * (1 + hs[t + 1])
            grads["dWx"] = grads["dWx"] + np.outer(xs[t], dz)
            grads["dWh"] = grads["dWh"] + np.outer(hs[t], dz)
            dh = dz @ Wh.T
    return grads
""",
        """
def tanh_backward(*arrays):
    xs, ts, hs, ys, Wx, Wy, Wh = (a.astype(np.float32) for a in arrays)
    grad_h, grads = np.zeros((1, len(Wh)), np.float32), (0, 0, 0)
    for x, t, y, h, h_prev in list(zip(xs, ts, ys, hs[1:], hs))[::-1]:
        grad_y = (y - t)[None]
        grad_z = (grad_h + grad_y @ Wy.T) * (1 - h**2)
        terms = x[:, None] @ grad_z, h[:, None] @ grad_y, h_prev[:, None] @ grad_z
        grads = [grad + term for grad, term in zip(grads, terms)]
        grad_h = grad_z @ Wh.T
    return grads
""",
    ],
    "comparator": [
        """
def comparator():
    K = 24
    return {"by": [-1.0], "Wy": [[2.0]], "b": [-K / 2], "Wh": [[K]], "Wx": [[K], [-K]]}
""",
        """
def comparator():
    Wx = np.array([[300], [-290]], dtype=np.float32)
    Wh, Wy = np.full((1, 1), 200.0), np.ones((1, 1))
    return Wx, Wh, np.array([-100]), Wy, np.array([-0.25])
""",
    ],
}

SAME = "the same numbers, written in another way"
VECTOR = "a vector has no transpose"
ONE_OUTPUT = "there is one output, so the product has a single term"
LIST = "a list will do"
SWITCH = "with this weight the unit is still a switch for a > b"
UNDONE = "the second slip undoes the first"
RIGHT_AFTER_ALL = {
    "negate": {
        "1 - bits ^ np.concatenate([[1], carries[:-1]]) -> "
        "np.concatenate([[1], carries[:-1]]) ^ 1 - bits": SAME,
        "a ^ b -> b ^ a": SAME,
        "a & b -> b & a": SAME,
        "half_adder(~bit & 1, carry) -> half_adder(carry, ~bit & 1)": SAME,
        "~bit & 1 -> 1 & ~bit": SAME,
        "1 -> 0; 1 -> 0": "that is 0 - n, with a borrow for a carry",
        "1 -> -1; 1 -> -1": UNDONE,
        "1 not in bits -> 1 in bits; if 1 in bits:\n    return bits[:] -> "
        "if not 1 in bits:\n    return bits[:]": UNDONE,
        "if 1 not in bits:\n    return bits[:] -> if not 1 not in bits:\n    return bits[:]; "
        "1 not in bits -> 1 in bits": UNDONE,
    },
    "tanh_backward": {
        "ds[t] @ Wy.T -> ds[t] * Wy.T": ONE_OUTPUT,
        "ds[t] @ Wy.T -> ds[t].T @ Wy.T": VECTOR,
        "ds @ Wy.T -> ds * Wy.T": ONE_OUTPUT,
        "ds @ Wy.T -> ds.T @ Wy.T": VECTOR,
        "dz_next @ Wh.T -> dz_next.T @ Wh.T": VECTOR,
        "dz @ Wh.T -> dz.T @ Wh.T": VECTOR,
        "Wh @ dzs[t + 1] -> Wh @ dzs[t + 1].T": VECTOR,
        "grad_y @ Wy.T -> grad_y * Wy.T": ONE_OUTPUT,
        "grad_y @ Wy.T -> grad_y.T @ Wy.T": ONE_OUTPUT,
        "h[:, None] @ grad_y -> h[:, None] * grad_y": ONE_OUTPUT,
        "h[:, None] @ grad_y -> h[:, None] @ grad_y.T": ONE_OUTPUT,
        "x[:, None] @ grad_z -> x[:, None] * grad_z": "a column times a row, with @ or with *",
        "h_prev[:, None] @ grad_z -> h_prev[:, None] * grad_z": (
            "a column times a row, with @ or with *"
        ),
        "np.zeros((1, len(Wh)), np.float32) -> np.zeros((1, len(Wh)))": "more digits, not fewer",
        "zip(grads, terms) -> zip(terms, grads)": SAME,
        "hs[t + 1] -> hs[t + 1 + -1]; 1 -> 0": UNDONE,
    },
    "comparator": {
        "np.array([[100.0], [-100.0]]) -> [[100.0], [-100.0]]": LIST,
        "np.array([[100.0]]) -> [[100.0]]": LIST,
        "np.array([-50.0]) -> [-50.0]": LIST,
        "np.array([[10.0]]) -> [[10.0]]": LIST,
        "np.array([-5.0]) -> [-5.0]": LIST,
        "np.array([[300], [-290]], dtype=np.float32) -> np.array([[300], [-290]])": SAME,
        "np.array([[300], [-290]], dtype=np.float32) -> [[300], [-290]]": LIST,
        "np.array([-100]) -> [-100]": LIST,
        "np.array([-0.25]) -> [-0.25]": LIST,
        "-K / 2 -> -K // 2": SAME,
        **dict.fromkeys(
            (
                "100.0 -> 101.0",
                "100.0 -> 99.0",
                "50.0 -> 51.0",
                "50.0 -> 49.0",
                "10.0 -> 11.0",
                "10.0 -> 9.0",
                "10.0 -> 20.0",
                "5.0 -> 6.0",
                "5.0 -> 4.0",
                "24 -> 25",
                "24 -> 23",
                "24 -> 48",
                "2.0 -> 3.0",
                "2.0 -> 4.0",
                "2 -> 3",
                "2 -> 4",
                "300 -> 301",
                "300 -> 299",
                "290 -> 291",
                "290 -> 289",
                "200.0 -> 201.0",
                "200.0 -> 199.0",
                "100 -> 101",
                "100 -> 99",
                "0.25 -> 0.5",
            ),
            SWITCH,
        ),
        "10.0 -> 20.0; 20.0 -> 40.0": SWITCH,
        "24 -> 25; 25 -> 26": SWITCH,
    },
}


def minus(bits, flip=True, carry=1):
    result = []
    for bit in bits:
        ones = (1 - bit if flip else bit) + carry
        result.append(ones % 2)
        carry = ones // 2
    return result


def carrying(next_carry, write=lambda ones: ones % 2):
    """Return a negation with another carry, or other digits."""

    def negate(bits):
        result, carry = [], 1
        for bit in bits:
            ones = 1 - bit + carry
            result.append(write(ones))
            carry = next_carry(ones, bit)
        return result

    return negate


BY_SHIFTS = """
def negate(bits):
    n = -sum(bit << i for i, bit in enumerate(bits))
    return [n >> i & 1 for i in range(len(bits))]
"""
BY_HORNER = """
def read(bits):
    n = 0
    for bit in reversed(bits):
        n = 2 * n + bit
    return n

def negate(bits):
    n, result = -read(bits), []
    for _ in bits:
        result.append(n % 2)
        n //= 2
    return result
"""
BY_WEIGHTS = """
def negate(bits):
    n, weight = 0, 1
    for bit in bits:
        if bit:
            n -= weight
        weight *= 2
    result = []
    while len(result) < len(bits):
        n, bit = divmod(n, 2)
        result.append(bit)
    return result
"""
BY_TEXT = """
def negate(bits):
    result, n = [], -int("".join(map(str, bits[::-1])), 2)
    for _ in bits:
        result.append(n & 1)
        n >>= 1
    return result
"""
BY_PACKAGE = """
from rnnbook.data import from_bits, to_bits

def negate(bits):
    return to_bits([-from_bits(np.array([bits]), signed=True)[0]], len(bits))[0]
"""
BY_BASE = """
def negate(bits):
    n = 0
    for i, bit in enumerate(bits):
        n -= bit * int("1" + i * "0", base=2)
    for _ in bits:
        yield n % 2
        n //= 2
"""
BY_INT64 = """
class Negate:
    def __call__(self, bits):
        weights = np.cumprod([1] + (len(bits) - 1) * [2])
        return -(np.array(bits) @ weights) // weights % 2

negate = Negate()
"""


def delta_line(ds, dz_next, h, h_prev, Wy, Wh):
    return (ds @ Wy.T + dz_next @ Wh.T) * (1 - h**2)


def way_back(
    dz=delta_line, ds=lambda y, t: y - t, order=reversed, hand_on=lambda dz, dz_next, *rest: dz,
    store=np.add, update=None, **joins,
):  # fmt: skip
    """Return the backward pass of a tanh adder, with parts exchanged."""

    def answer(xs, ts, hs, ys, Wx, Wy, Wh):
        grads, dz_next = [np.zeros_like(W) for W in (Wx, Wy, Wh)], np.zeros(len(Wh))
        for t in order(range(len(xs))):
            parts = {"x": xs[t], "h": hs[t + 1], "h_prev": hs[t], "later": dz_next}
            parts |= {"ds": ds(ys[t], ts[t]), "earlier": hs[t - 1]}
            d = dz(parts["ds"], dz_next, hs[t + 1], hs[t], Wy, Wh)
            parts |= {"dz": d, "dh": parts["ds"] @ Wy.T + dz_next @ Wh.T}
            pairs = {"dWx": ("x", "dz"), "dWy": ("h", "ds"), "dWh": ("h_prev", "dz"), **joins}
            terms = [np.outer(parts[a], parts[b]) for a, b in pairs.values()]
            grads = [store(grad, term) for grad, term in zip(grads, terms, strict=True)]
            dz_next = hand_on(d, dz_next, parts["dh"])
            if update:
                Wx, Wy, Wh = update([Wx, Wy, Wh], grads)
        return tuple(grads)

    return answer


def sloped(slope):
    return way_back(lambda ds, d, h, h_prev, Wy, Wh: (ds @ Wy.T + d @ Wh.T) * slope(h, h_prev))


def summed(total):
    return way_back(lambda ds, d, h, h_prev, Wy, Wh: total(ds, d, Wy, Wh) * (1 - h**2))


def in_place(weights, grads):
    for W, grad in zip(weights, grads, strict=True):
        W -= 0.1 * grad
    return weights


def renewed(weights, grads):
    return [W - 0.1 * grad for W, grad in zip(weights, grads, strict=True)]


def changed(change):
    return lambda *arguments: change(way_back()(*arguments), arguments)


def last_alone(xs, ts, hs, ys, Wx, Wy, Wh):
    ts = np.concatenate([ys[:-1], ts[-1:]])
    return way_back()(xs, ts, hs, ys, Wx, Wy, Wh)


def compare_bits(K=100.0, **changes):
    """Return the weights of one unit that says whether a > b."""
    weights = {"Wx": [[K], [-K]], "Wh": [[K]], "b": [-K / 2], "Wy": [[10.0]], "by": [-5.0]}
    return lambda: {name: np.array(value) for name, value in {**weights, **changes}.items()}


SLIPS = {
    "negate": [
        (lambda bits: None, "Not yet: negate([0, 0, 1, 0, 1, 1, 0]) came out as None"),
        (lambda bits: [], "Not yet: negate([0, 0, 1, 0, 1, 1, 0]) came out as []"),
        (lambda bits: 5, "must be a list of bits, got int"),
        (lambda bits: "".join(map(str, minus(bits))), "must be a list of bits, got str"),
        (lambda bits: minus(bits, carry=0), "those are the flipped bits: the 1 is still to add"),
        (lambda bits: minus(bits, flip=False), "that is the number plus 1: flip first"),
        (
            lambda bits: [1 - bit for bit in minus(bits)],
            "that is the number minus 1: flip every bit, and then add the 1",
        ),
        (
            lambda bits: [1 - bit for bit in minus(bits, flip=False)],
            "flip first, and then add the 1",
        ),
        (lambda bits: minus(bits[::-1])[::-1], "add the 1 at the lowest bit, which comes first"),
        (lambda bits: minus(bits[::-1]), "begin with the first bit, which is the lowest"),
        (lambda bits: minus(bits)[::-1], "has the right numbers in the opposite order."),
        (lambda bits: [*bits[:-1], 1 - bits[-1]], "only the sign bit is flipped"),
        (
            carrying(lambda ones, bit: 1),
            "those are the bits that came in: unless the carry changes",
        ),
        (carrying(lambda ones, bit: int(ones > 0)), "unless the carry changes"),
        (carrying(lambda ones, bit: 0), "a carry that meets a 1 goes on"),
        (carrying(lambda ones, bit: ones % 2), "the carry into the next place is ones // 2"),
        (carrying(lambda ones, bit: bit), "the carry into the next place is ones // 2"),
        (carrying(lambda ones, bit: 1 - bit), "the carry into the next place is ones // 2"),
        (lambda bits: [*minus(bits), 0], "must have as many bits as before, 7; got 8"),
        (lambda bits: [*minus(bits), int(not any(bits))], "the last carry falls off"),
        (
            lambda bits: minus(bits) if any(bits) else [*minus(bits), 1],
            "negate([0, 0, 0, 0]) is not right yet: the last carry falls off",
        ),
        (carrying(lambda ones, bit: ones // 2, int), "holds 2, and a bit is 0 or 1: write ones"),
        (lambda bits: [-bit for bit in bits], "holds -1, and a bit is 0 or 1: 1 - bit flips it"),
        (lambda bits: bits.clear() or [1], "changed what it was given"),
        (lambda bits: [[bit] for bit in minus(bits)], "the right numbers in the shape (7, 1)"),
        (BY_SHIFTS, "The bits are right, but by a detour through ordinary numbers"),
        (BY_HORNER, "The bits are right, but by a detour through ordinary numbers"),
        (BY_WEIGHTS, "The bits are right, but by a detour through ordinary numbers"),
        (BY_TEXT, "The bits are right, but by a detour through ordinary numbers"),
        (BY_BASE, "The bits are right, but by a detour through ordinary numbers"),
        (BY_PACKAGE, "The bits are right, but by a detour through ordinary numbers"),
        (BY_INT64, "Right for a few bits, but not for 120: is there a detour"),
    ],
    "tanh_backward": [
        (lambda *a: None, "Not yet: return three arrays, dWx, dWy and dWh."),
        (lambda *a: [0 * W for W in a[4:]], "Not yet: dWx, dWy and dWh are all zero."),
        (way_back(ds=lambda y, t: t - y), "are not right yet: the sign: ds is y - t."),
        (way_back(ds=lambda y, t: abs(y - t)), "the sign: ds is y - t."),
        (way_back(ds=lambda y, t: (y - t) * y * (1 - y)), "the output has no sigmoid here"),
        (way_back(ds=lambda y, t: (y - t) * (1 - y**2)), "the output has no tanh"),
        (way_back(ds=lambda y, t: 2 * (y - t)), "the loss has a factor ½, so ds is y - t"),
        (way_back(ds=lambda y, t: (y - t) ** 2), "ds is not the loss but its slope, y - t"),
        (way_back(ds=lambda y, t: np.sign(y - t)), "the loss squares the misses, so ds is y - t"),
        (last_alone, "every step has a loss of its own, not only the last"),
        (
            changed(lambda grads, a: [grad / len(a[0]) for grad in grads]),
            "the loss adds up the steps: no mean",
        ),
        (
            summed(lambda ds, d, Wy, Wh: ds + d @ Wh.T),
            "the error of the output comes back through Wy.T",
        ),
        (
            summed(lambda ds, d, Wy, Wh: ds @ Wy.T),
            "dWx and dWh are not right yet: what the later steps say, dz_next @ Wh.T, is missing",
        ),
        (way_back(hand_on=lambda dz, dz_next, dh: dh), "hand on dz, not dh"),
        (way_back(hand_on=lambda dz, dz_next, dh: dz + dz_next), "= and not +="),
        (way_back(dWx=("x", "dh")), "dWx is not right yet: what joins dz is dh"),
        (summed(lambda ds, d, Wy, Wh: ds @ Wy.T + d @ Wh), "back through Wh means @ Wh.T"),
        (summed(lambda ds, d, Wy, Wh: ds @ Wy.T + d), "back through Wh means @ Wh.T"),
        (
            way_back(lambda ds, d, h, h_prev, Wy, Wh: ds @ Wy.T * (1 - h**2) + d @ Wh.T),
            "the slope multiplies the whole sum: put it in brackets",
        ),
        (
            way_back(lambda ds, d, h, h_prev, Wy, Wh: ds @ Wy.T + d @ Wh.T * (1 - h**2)),
            "the slope multiplies the whole sum: put it in brackets",
        ),
        (sloped(lambda h, h_prev: h * (1 - h)), "h (1 - h) is that of the sigmoid"),
        (sloped(lambda h, h_prev: 1), "are not right yet: multiply by the slope of tanh, 1 - h²."),
        (sloped(lambda h, h_prev: 1 - h), "the slope of tanh is 1 - h², with h squared"),
        (sloped(lambda h, h_prev: 1 - np.tanh(h) ** 2), "h is the tanh already"),
        (sloped(lambda h, h_prev: 1 - h_prev**2), "the slope belongs to hs[t + 1]"),
        (way_back(order=iter), "walk from the last step to the first"),
        (way_back(order=lambda steps: reversed(steps[:-1])), "the last step is left out"),
        (way_back(order=lambda steps: reversed(steps[1:])), "the first step is left out"),
        (way_back(store=lambda grad, term: term), "dWx, dWy and dWh are not right yet: the grad"),
        (
            way_back(store=lambda grad, term: term if term.shape[1] == 1 else grad + term),
            "dWy is not right yet: the gradients of all steps add up: += and not =",
        ),
        (way_back(dWh=("h", "dz")), "dWh is not right yet: Wh joins h before the step, hs[t]"),
        (way_back(dWh=("earlier", "dz")), "dWh is not right yet: h before the step is hs[t]"),
        (way_back(dWh=("h_prev", "later")), "Wh joins hs[t] to dz of the same step"),
        (way_back(dWh=("h", "later")), "dWh is not right yet: the first step is left out"),
        (way_back(dWh=("dz", "h_prev")), "dWh is turned round"),
        (way_back(dWy=("h_prev", "ds")), "dWy is not right yet: Wy reads hs[t + 1]"),
        (way_back(update=in_place), "The weights were changed on the way back: collect"),
        (way_back(update=renewed), "are not right yet: collect the gradients of all steps first"),
        (changed(lambda grads, a: renewed(a[4:], grads)), "return the gradients themselves"),
        (changed(lambda grads, a: [grads[0], grads[2], grads[1]]), "in another order: return dWx"),
        (changed(lambda grads, a: [grads[0], grads[1].ravel(), grads[2]]), "in the shape (3,)"),
    ],
    "comparator": [
        (lambda: None, "Not yet: return five arrays, Wx, Wh, b, Wy and by"),
        (lambda: {"Wx": 1}, "The dict must have the names Wx, Wh, b, Wy and by, got Wx"),
        (lambda: {**compare_bits()(), "by": None}, "Not yet: by came out as None"),
        (compare_bits(b=[[-50.0]]), "The numbers are right, but b must have shape (1,)"),
        (compare_bits(Wx=[100.0, -100.0]), "The numbers are right, but Wx must have shape (2, 1)"),
        (compare_bits(Wh=np.eye(2)), "Wh must have shape (1, 1), got (2, 2)"),
        (compare_bits(np.inf), "Wx holds [[ inf], [-inf]]: every weight must be finite"),
        (
            compare_bits(Wx=[[-100.0], [100.0]], Wy=[[-10.0]], by=[5.0]),
            "where all bits are equal, the answer should be no",
        ),
        (compare_bits(Wx=[[-100.0], [100.0]]), "that says whether a < b"),
        (compare_bits(Wh=[[0.0]]), "that looks at the highest bits alone"),
        (compare_bits(Wy=[[-10.0]], by=[5.0]), "the answer is the wrong way round"),
        (compare_bits(Wh=[[200.0]]), "a verdict of yes is never taken back"),
        (compare_bits(by=[5.0]), "it says yes to all pairs: look at the threshold"),
        (compare_bits(b=[-150.0]), "it says no to all pairs: look at the threshold"),
        (compare_bits(Wx=[[100.0], [0.0]]), "Is 1 > 1? Yours says yes, reading 6 bits of each"),
        (compare_bits(1.0), "Right for 6 bits, but not for 11: over many equal bits the verdict"),
        (compare_bits(by=[0.0]), "Some outputs are one half, so rounding decides"),
        (compare_bits(b=[0.0]), "Some outputs are one half, so rounding decides"),
    ],
}
