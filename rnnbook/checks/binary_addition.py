"""The exercises of *Binary addition*: a negative number, a way back, and a comparing unit."""

import dis
import itertools
import sys
from numbers import Number

import numpy as np

from ..data import to_bits
from ..functions import unchecked_sigmoid as sigmoid
from ..models import BinaryAdder
from . import way_back
from .compare import array_of, call, codes, compare, compare_all, several, shown
from .guard import TimeUp
from .verdict import NotYet, Wrong, check

__all__ = ["comparator", "negate", "tanh_backward"]


@check(
    "Right: flip, add 1, and let the last carry fall off.",
    "At each place there are two bits to add: the flipped one, and the carry.",
    "Call their sum ones: 0, 1 or 2. Which bit do you write, and what goes on to the next place?",
    "ones = 1 - bit + carry. Write ones % 2, and let the new carry be ones // 2.",
)
def negate(function):
    """Check ``bits -> bits``, the lowest bit first, to the negative in two's complement."""
    answers = {}
    for bits in _LISTS:
        answers[bits] = _bits_of(f"negate({list(bits)})", call(function, list(bits)))
    for slip, hint in _BIT_SLIPS:
        if all(np.array_equal(answers[bits], slip(bits)) for bits in _LISTS):
            first = next(bits for bits in _LISTS if slip(bits) != _negative(bits))
            raise Wrong(f"negate({list(first)}) is not right yet: {hint}.")
    for bits, got in answers.items():
        name = f"negate({list(bits)})"
        if got.ndim == 1 and len(got) != len(bits):
            raise Wrong(f"{name} must have as many bits as before, {len(bits)}; got {len(got)}.")
        for bit in got.ravel():
            if bit not in (0, 1):
                meant = "1 - bit flips it" if bit < 0 else "write ones % 2, and carry ones // 2"
                raise Wrong(f"{name} holds {bit:g}, and a bit is 0 or 1: {meant}.")
        compare(name, got, _negative(bits))
    if _makes_a_number(function):
        raise Wrong(
            "The bits are right, but by a detour through ordinary numbers: "
            "flip each bit, and add 1 with a carry."
        )
    long = (*60 * [0], *20 * [1, 0, 1])
    got = _bits_of("negate", call(function, list(long)))
    if not np.array_equal(got, _negative(long)):
        raise Wrong(
            "Right for a few bits, but not for 120: is there a detour through ordinary numbers, "
            "which have an end?"
        )


_LISTS = (
    (0, 0, 1, 0, 1, 1, 0), (1, 0, 0, 1, 1), (1, 1, 0, 1, 0, 0), (0, 0, 0, 0), (0, 0, 1), (1,), (0,),
)  # fmt: skip


def _bits_of(name, got):
    """Return an answer as an array of bits."""
    if isinstance(got, (list, tuple)) and not got:
        raise NotYet(f"{name} came out as {got}.")
    if isinstance(got, (str, bytes, dict, set)) or not array_of(name, got).ndim:
        raise Wrong(f"{name} must be a list of bits, got {type(got).__name__}.")
    return array_of(name, got)


def _flip(bits):
    return [1 - bit for bit in bits]


def _add(bits, carry_of=lambda ones, bit: ones // 2, carry=1):
    """Add 1 to bits, the lowest first; return the bits and the last carry."""
    result = []
    for bit in bits:
        ones = bit + carry
        result.append(ones % 2)
        carry = carry_of(ones, bit)
    return result, carry


def _plus_one(bits):
    return _add(bits)[0]


def _negative(bits):
    return _plus_one(_flip(bits))


_CARRY = "the carry into the next place is ones // 2, for ones = 1 - bit + carry"
_BIT_SLIPS = (
    (_flip, "those are the flipped bits: the 1 is still to add"),
    (_plus_one, "that is the number plus 1: flip first"),
    (
        lambda bits: _flip(_negative(bits)),
        "that is the number minus 1: flip every bit, and then add the 1",
    ),
    (lambda bits: _flip(_plus_one(bits)), "flip first, and then add the 1"),
    (
        lambda bits: _plus_one(_flip(bits)[::-1])[::-1],
        "add the 1 at the lowest bit, which comes first",
    ),
    (lambda bits: _negative(bits[::-1]), "begin with the first bit, which is the lowest"),
    (
        lambda bits: [*bits[:-1], 1 - bits[-1]],
        "only the sign bit is flipped; in two's complement all are, and 1 is added",
    ),
    (
        list,
        "those are the bits that came in: unless the carry changes, every place adds a 1",
    ),
    (
        lambda bits: _add(_flip(bits), lambda ones, bit: 0)[0],
        "a carry that meets a 1 goes on, and does not end after the first place",
    ),
    (lambda bits: _add(_flip(bits), lambda ones, bit: ones % 2)[0], _CARRY),
    (lambda bits: _add(_flip(bits), lambda ones, bit: bit)[0], _CARRY),
    (lambda bits: _add(_flip(bits), lambda ones, bit: 1 - bit)[0], _CARRY),
    (
        lambda bits: [*_negative(bits), _add(_flip(bits))[1]],
        "the last carry falls off: as many bits as before",
    ),
    (
        lambda bits: [*_negative(bits), *[1][any(bits) :]],
        "the last carry falls off: as many bits as before",
    ),
)


def _makes_a_number(function):
    """Whether a function that negates bits makes an ordinary number of them on the way."""
    names, steps, own = set(), [], set(codes(function))
    for code in own:
        names |= set(code.co_names)
        steps += [s for s in dis.get_instructions(code) if s.opname not in ("CACHE", "PRECALL")]
    shifts = any(step.argrepr in ("<<", "<<=") for step in steps)
    powers, based = False, any(step.argval == ("base",) for step in steps)
    for before, step in itertools.pairwise(steps):
        two = before.opname.startswith("LOAD") and before.argval == 2
        powers |= step.argrepr in ("**", "**=") and not two  # a square is no power of two
        based |= two and step.opname == "CALL" and step.argval == 2 and not _BY_TWO & names
    if shifts or powers or ("int" in names and based) or _TO_NUMBERS & names:
        return True
    return _largest_variable(function, own, [1, *10 * [0], 1]) > 24


_BY_TWO = {"divmod", "mod", "remainder", "floor_divide"}
_TO_NUMBERS = {
    "to_bits", "from_bits", "bin", "binary_repr", "packbits", "unpackbits", "left_shift", "pow",
    "power", "exp2", "ldexp", "to_bytes", "from_bytes",
}  # fmt: skip


def _largest_variable(function, own, bits):
    """Return the largest number that a variable of its own code holds on the way."""
    largest, events = 0, 0

    def trace(frame, event, result):
        nonlocal largest, events
        events += 1
        if events > 100_000:
            raise TimeUp
        for value in (*frame.f_locals.values(), result) if frame.f_code in own else ():
            if isinstance(value, Number):
                largest = max(largest, abs(value))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call(function, bits)
    finally:
        sys.settrace(before)
    return largest


@check(
    "Right. Only the slope of tanh and the missing sigmoid have changed.",
    "Begin at the output: for L = ½ Σ (y - t)², and y = h Wy, what is ds, the slope for s = y?",
    "The state of step t has two readers, its own output and the next step. "
    "Add up what both send back, and multiply by the slope of tanh.",
    "dz = (ds[t] @ Wy.T + dz_next @ Wh.T) * (1 - hs[t + 1] ** 2). Each matrix adds up "
    "np.outer(what it was multiplied with, what comes back): xs[t] and hs[t] with dz, "
    "hs[t + 1] with ds[t].",
)
def tanh_backward(function):
    """Check ``(xs, ts, hs, ys, Wx, Wy, Wh) -> (dWx, dWy, dWh)`` of a tanh adder."""
    names = "dWx", "dWy", "dWh"
    rng = np.random.default_rng(0)
    for T, H in ((5, 3), (4, 6), (3, 1), (1, 4)):
        arguments = _tanh_adder(rng, T, H)
        if way_back.updates(function, arguments, slice(4, None)):
            raise Wrong(f"The weights were changed on the way back: {_UPDATED}.")
        answer = several(call(function, *arguments), names)
        right = _tanh_gradients(*arguments)
        try:
            compare_all(names, answer, right)
        except Wrong:
            compare_all(names, answer, right, list(_tanh_slips(arguments)))


def _tanh_adder(rng, T, H):
    """Return a sequence of numbers, the targets, and what the adder made of them."""
    Wx, Wy, Wh = (rng.standard_normal(shape) for shape in ((2, H), (H, 1), (H, H)))
    xs, ts = rng.standard_normal((T, 2)), rng.standard_normal((T, 1))
    hs = [np.tanh(rng.standard_normal(H))]
    for x in xs:
        hs.append(np.tanh(x @ Wx + hs[-1] @ Wh))
    hs = np.array(hs)
    return xs, ts, hs, hs[1:] @ Wy, Wx, Wy, Wh


def _tanh_gradients(xs, ts, hs, ys, Wx, Wy, Wh, ds=lambda y, t: y - t, **slip):
    """Return the gradients dWx, dWy, dWh, or those of a program with a slip."""
    batch = (array[None] for array in (xs, hs, ds(ys, ts)))
    dWx, dWh, _, dWy, _ = way_back.gradients(*batch, Wh, Wy, **slip)
    return dWx, dWy, dWh


def _tanh_slips(arguments):
    """Yield the gradients of programs with a slip, and what each tells."""
    for hint, slips in _TANH_SLIPS.items():
        for slip in slips:
            yield _tanh_gradients(*arguments, **slip), hint
    xs, ts, hs, ys, *weights = arguments
    batch = xs[None], hs[None], (ys - ts)[None]
    for dWx, dWh, _, dWy, _ in way_back.updated_early(*batch, weights[2], weights[1]):
        yield (dWx, dWy, dWh), _UPDATED
    right = _tanh_gradients(*arguments)
    for lr in (1.0, 0.1, 0.01):
        updated = [W - lr * grad for W, grad in zip(weights, right, strict=True)]
        yield updated, "return the gradients themselves, and leave the update to others"


def _last_alone(y, t):
    ds = np.zeros_like(y)
    ds[-1] = (y - t)[-1]
    return ds


_UPDATED = "collect the gradients of all steps first, and change the weights after the walk"
_TANH_SLIPS = {
    "the sign: ds is y - t": [{"ds": lambda y, t: t - y}, {"ds": lambda y, t: np.abs(y - t)}],
    "the output has no sigmoid here: ds is y - t": [{"ds": lambda y, t: (y - t) * y * (1 - y)}],
    "the output has no tanh: ds is y - t": [{"ds": lambda y, t: (y - t) * (1 - y**2)}],
    "the loss has a factor ½, so ds is y - t": [{"ds": lambda y, t: 2 * (y - t)}],
    "ds is not the loss but its slope, y - t": [
        {"ds": lambda y, t: (y - t) ** 2}, {"ds": lambda y, t: 0.5 * (y - t) ** 2},
    ],
    "the loss squares the misses, so ds is y - t": [{"ds": lambda y, t: np.sign(y - t)}],
    "every step has a loss of its own, not only the last": [{"ds": _last_alone}],
    "the loss adds up the steps: no mean": [way_back.AVERAGED[0]],
    "the error of the output comes back through Wy.T": [way_back.NO_OUTPUT],
    "what the later steps say, dz_next @ Wh.T, is missing (end with dz_next = dz)": [
        way_back.ALONE
    ],
    "hand on dz, not dh: what comes back has passed the tanh too": [way_back.DH_HANDED_ON],
    "what joins dz is dh: multiply by the slope of tanh first": [way_back.DH_JOINED],
    "dz_next is that of one step: = and not +=": way_back.PILED_UP,
    "back through Wh means @ Wh.T": way_back.NOT_TURNED,
    "the slope multiplies the whole sum: put it in brackets": way_back.BRACKETS,
    "the slope of tanh is 1 - h²; h (1 - h) is that of the sigmoid": [way_back.SLOPE_OF_SIGMOID],
    "multiply by the slope of tanh, 1 - h²": [way_back.NO_SLOPE],
    "the slope of tanh is 1 - h², with h squared": [way_back.SQUARE_MISSING],
    "h is the tanh already: its slope is 1 - h²": [way_back.TANH_TWICE],
    "the slope belongs to hs[t + 1], the state that step t made": [way_back.SLOPE_BEFORE],
    "walk from the last step to the first": [way_back.FORWARDS],
    "the last step is left out": [way_back.LAST_LEFT_OUT],
    "the first step is left out": [way_back.FIRST_LEFT_OUT],
    "the gradients of all steps add up: += and not =": [way_back.NOT_SUMMED],
    "Wh joins h before the step, hs[t], to dz": [way_back.LATE],
    "h before the step is hs[t], since hs begins with the state before the first": [
        way_back.TOO_EARLY
    ],
    "Wh joins hs[t] to dz of the same step": [way_back.SHIFTED],
    "Wy reads hs[t + 1]": [way_back.EARLY],
}  # fmt: skip


@check(
    "Right, also for numbers of 1000 bits. One switch is enough to compare.",
    'Think of the unit as a switch g, 0 or 1, for "greater so far". '
    "For which a, b and g must the new g be 1?",
    "The new g is 1 exactly if a - b + g is above one half. "
    "A sigmoid with large weights is such a threshold.",
    "With a large K: Wx is K and -K, Wh is K, and b is -K / 2. The output needs a threshold "
    "too: it must be above one half for g = 1, and below for g = 0.",
)
def comparator(function):
    """Check ``() -> weights`` of a one-unit `BinaryAdder` that says whether a > b."""
    shapes = {"Wx": (2, 1), "Wh": (1, 1), "b": (1,), "Wy": (1, 1), "by": (1,)}
    parts = several(call(function), shapes)
    weights = {name: array_of(name, part) for name, part in zip(shapes, parts, strict=True)}
    for name, shape in shapes.items():
        if weights[name].size != np.prod(shape):
            raise Wrong(f"{name} must have shape {shape}, got {weights[name].shape}.")
        if not np.isfinite(weights[name]).all():
            raise Wrong(f"{name} holds {shown(weights[name])}: every weight must be finite.")
    net = BinaryAdder(1, rng=np.random.default_rng(0), bias=True)
    for name, shape in shapes.items():
        net.params[name][...] = weights[name].reshape(shape)
    _compare_pairs(net, 6)
    bits = _first_mistake(net.params)
    if bits is not None and bits < 6:
        _compare_pairs(net, bits)
    if bits is not None:
        raise Wrong(
            f"Right for 6 bits, but not for {bits}: over many equal bits the verdict fades. "
            "Larger weights make the sigmoid a cleaner switch."
        )
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise Wrong(
                f"The numbers are right, but {name} must have shape {shape}, "
                f"got {weights[name].shape}."
            )


def _compare_pairs(net, bits):
    """Raise `Wrong` unless the network compares all numbers of so many bits."""
    a, b = np.divmod(np.arange(4**bits), 2**bits)
    xs = np.stack([to_bits(a, bits), to_bits(b, bits)], axis=-1).astype(float)
    answers = net.predict(xs)[:, -1, 0]
    got, right = answers > 0.5, a > b
    if np.abs(answers - 0.5).min() < 1e-6:
        raise Wrong("Some outputs are one half, so rounding decides: by moves the threshold.")
    if np.array_equal(got, right):
        return
    for other, hint in (
        (a >= b, "where all bits are equal, the answer should be no"),
        (a < b, "that says whether a < b"),
        (a <= b, "the answer is the wrong way round"),
        (
            a >> bits - 1 > b >> bits - 1,
            "that looks at the highest bits alone: equal bits keep the verdict",
        ),
        (a & ~b > 0, "a verdict of yes is never taken back: the higher bits overrule the lower"),
        (right | True, "it says yes to all pairs: look at the threshold"),
        (right & False, "it says no to all pairs: look at the threshold"),
    ):
        if np.array_equal(got, other):
            raise Wrong(f"Not right yet: {hint}.")
    n = np.flatnonzero(got != right)[0]
    word = "yes" if got[n] else "no"
    raise Wrong(f"Is {a[n]} > {b[n]}? Yours says {word}, reading {bits} bits of each.")


def _first_mistake(params):
    """Return the least number of bits, up to 1000, at which some pair is judged wrongly, or None.

    The state rises, or falls, with the state before. So of all states that may follow upon
    a verdict only the smallest and the largest count, and no length needs all its pairs.
    """
    (wa, wb), w, c, v, d = (params[name].ravel() for name in ("Wx", "Wh", "b", "Wy", "by"))
    inputs = np.array([0.0, wa + wb, wa, wb]) + c  # equal bits, a > b, a < b
    no = yes = np.zeros(1)
    for bits in range(1, 1001):
        before = no, yes
        from_no, from_yes = (sigmoid(inputs + w * h[:, None]) for h in before)
        if bits == 1:
            from_yes = from_no[:0]  # no verdict of yes to come from
        no = _ends(from_no[:, [0, 1, 3]], from_yes[:, 3])
        yes = _ends(from_yes[:, :3], from_no[:, 2])
        if (v * no + d).max() > -_SURE or (v * yes + d).min() < _SURE:
            return bits
        if np.array_equal((no, yes), before):
            return None
    return None


_SURE = 4e-6  # so far from 0 is the sum where the output is 1e-6 from one half


def _ends(*states):
    states = np.concatenate([part.ravel() for part in states])
    return np.array([states.min(), states.max()])
