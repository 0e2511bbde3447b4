"""Comparing an answer with the right one: first what it is, then its values.

Right is right whatever it looks like: a list, a tuple, a number of any type, a tensor.
Where the numbers are right and only their shape or order differs, that is what is said. A
known slip that gives exactly the reader's numbers is named; `slips` are pairs of the wrong
value and of what it tells.
"""

import copy
import dis
import inspect
import itertools
import types
from collections.abc import Iterator, ValuesView
from numbers import Number

import numpy as np

from .verdict import NotYet, Wrong, remark

__all__ = [
    "LOCAL", "again", "array_of", "backward", "call", "close", "codes", "compare", "compare_all",
    "copies", "forward", "given", "loops", "several", "shown", "truth", "whole",
]  # fmt: skip

LOCAL = "that is the local derivative: multiply it by dout"
_EXACT = 1e-9  # what rounding may do to a right answer in double precision
_ROUNDED = 1e-5  # an answer so near is right, with a remark
_DIGITS = {np.dtype(np.float16): 1e-2, np.dtype(np.float32): 1e-4}


def compare(name, got, right, slips=()):
    """Raise `Wrong` unless `got` holds the numbers of `right`, in its shape."""
    got, right = array_of(name, got), np.asarray(right)
    if got.shape == right.shape and _accepted(got, right):
        return
    _compare_looks(name, got, right)
    told = dict.fromkeys(
        hint
        for wrong, hint in slips
        if not close(np.ravel(wrong), right.ravel(), _ROUNDED)
        and close(got.ravel(), np.ravel(wrong), _tolerance(got))
    )
    if told:
        raise Wrong(f"{name} is not right yet: {', or '.join(told)}.")
    _compare_shape(name, got, right)
    if not np.isfinite(got).all():
        raise Wrong(f"{name} holds {shown(got)}: something overflowed or was divided by zero.")
    _compare_size(name, got, right)
    raise Wrong(f"{_difference(name, got, right)}.")


def compare_all(names, got, rights, slips=()):
    """Compare several parts, in this order.

    Each of the `slips` is a pair: all the parts as a program with that slip computes them,
    and what it tells. A program with one slip is told by all its parts, one with several by
    the first part that is wrong.
    """
    parts = [array_of(name, part) for name, part in zip(names, got, strict=True)]
    rights = [np.asarray(right) for right in rights]
    if not _same(parts, rights) and any(_same(parts, p) for p in itertools.permutations(rights)):
        raise Wrong(f"Every part is right, but in another order: return {_list(names)}.")
    for wrong, hint in slips:
        if _same(parts, wrong) and not _same(wrong, rights):
            wrongs = [
                name for name, w, r in zip(names, wrong, rights, strict=True) if not _same([w], [r])
            ]
            raise Wrong(
                f"{_list(wrongs)} {'is' if len(wrongs) == 1 else 'are'} not right yet: {hint}."
            )
    for i, name in enumerate(names):
        compare(name, parts[i], rights[i], [(wrong[i], hint) for wrong, hint in slips])


def _same(parts, others):
    """Whether all parts are the same as their others, up to rounding."""
    return all(
        close(a, b, max(_ROUNDED, _tolerance(np.asarray(a))))
        for a, b in zip(parts, others, strict=True)
    )


def _accepted(got, right):
    """Whether numbers in the right shape are right; remark on those that are only nearly so."""
    if close(got, right, _EXACT):
        return True
    if got.dtype in _DIGITS and close(got, right, _DIGITS[got.dtype]):
        remark(f"(It was made in {got.dtype}, so its last digits differ.)")
        return True
    if close(got, right, _ROUNDED):
        remark(
            "(It is right to about five digits: was something rounded, or a small number added?)"
        )
        return True
    return False


def _compare_looks(name, got, right):
    """Refuse the right numbers in another shape or order."""
    turned = right.ndim > 1 and close(got, right.T, _ROUNDED)
    reshaped = got.shape != right.shape and close(got.ravel(), right.ravel(), _ROUNDED)
    if reshaped and not turned:
        wanted = f"shape {right.shape}" if right.ndim else "a single number"
        raise Wrong(f"{name} has the right numbers in the shape {got.shape}; wanted: {wanted}.")
    if turned:
        raise Wrong(f"{name} is turned round: rows and columns are in each other's place.")
    if got.shape == right.shape:
        for axis in range(right.ndim):
            if close(np.flip(got, axis), right, _ROUNDED):
                along = f" along axis {axis}" if right.ndim > 1 else ""
                raise Wrong(f"{name} has the right numbers in the opposite order{along}.")


def _compare_shape(name, got, right):
    if got.shape != right.shape:
        wanted = f"have shape {right.shape}" if right.ndim else "be a single number"
        raise Wrong(f"{name} must {wanted}, got {_shape(got)}.")


def _shape(got):
    return f"an array of shape {got.shape}" if got.ndim else "a single number"


def _compare_size(name, got, right):
    """Name the factor where all numbers are wrong by the same one."""
    size = np.sum(right * right)
    factor = np.sum(got * right) / size if size else 0.0
    if factor and close(got, factor * right, _EXACT):
        if np.isclose(factor, -1):
            raise Wrong(f"{name} has the wrong sign.")
        whole = [np.isclose(part, round(part), rtol=0, atol=1e-9) for part in (factor, 1 / factor)]
        if right.size > 1 or any(whole):  # any number is some other number times something
            raise Wrong(f"{_difference(name, got, right)}: {factor:.4g} times as much.")


def _difference(name, got, right):
    """Say what was wanted and what came; of many numbers the first one that is wrong."""
    if right.size <= 12:
        return f"{name} should be {shown(right)}, got {shown(got)}"
    near = np.isclose(got, right, rtol=_ROUNDED, atol=_ROUNDED * np.abs(right).max())
    at = tuple(map(int, np.argwhere(~near)[0]))
    return (
        f"{name} should be {right[at]:.4g} at {list(at)}, got {got[at]:.4g}; "
        f"{np.sum(~near)} of {right.size} numbers are wrong"
    )


def close(a, b, tolerance=_EXACT):
    """Whether two arrays are equal to within a part of each number and of the largest."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    a, b = a.astype(float), b.astype(float)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities too
    finite = np.isfinite(a) & np.isfinite(b)
    scale = np.abs(b).max(initial=0.0, where=finite) or 1.0
    return bool(np.all(same | (finite & (np.abs(a - b) <= tolerance * (np.abs(b) + scale)))))


def _tolerance(got):
    return _DIGITS.get(got.dtype, _EXACT)


def given(name, got):
    """Return what came, unless nothing has been written yet."""
    if got is None or got is Ellipsis or got is NotImplemented:
        raise NotYet(f"{name} came out as {got}.")
    return got


def array_of(name, got):
    """Return an answer as an array of numbers, whatever holds them."""
    got = given(name, got)
    if hasattr(got, "detach"):  # a tensor that knows its graph
        got = got.detach()
    if isinstance(got, (list, tuple)):
        for part in got:
            given(f"part of {name}", part)
    elif not isinstance(got, Number) and not hasattr(got, "__array__"):
        raise Wrong(f"{name} must be {_WANTED}, got {type(got).__name__}.")
    try:
        array = np.asarray(got)
        if array.dtype == object:
            array = array.astype(float)
    except (TypeError, ValueError):
        raise Wrong(f"{name} must be {_WANTED}, all rows equally long.") from None
    if array.dtype.kind == "c" and not array.imag.any():
        array = array.real
    if array.dtype.kind not in "biuf":
        raise Wrong(f"{name} must be {_WANTED}, got {type(got).__name__} of {array.dtype}.")
    return array.astype(int) if array.dtype.kind == "b" else array


_WANTED = "a number or an array of numbers"


def whole(name, got):
    """Return an answer as a whole number; 3.0 is one."""
    array = array_of(name, got)
    if array.size != 1:
        raise Wrong(f"{name} must be a single whole number, got {_shape(array)}.")
    number = array.item()
    if number != number or number in (np.inf, -np.inf) or number != int(number):
        raise Wrong(f"{name} must be a whole number, got {shown(array)}.")
    return int(number)


def truth(name, got):
    """Return an answer as True or False; 1 and 0 will do."""
    array = array_of(name, got)
    if array.size != 1 or array.item() not in (0, 1):
        raise Wrong(f"{name} must be True or False, got {shown(array)}.")
    return bool(array.item())


def several(got, names, what="arrays"):
    """Return the parts of an answer, in the order of these names; a dict may name them."""
    names = list(names)
    wanted = f"eturn {_COUNTS[len(names)]} {what}, {_list(names)}"
    if got is None or got is Ellipsis or got is NotImplemented:
        raise NotYet(f"r{wanted}.")
    if isinstance(got, dict):
        if set(got) != set(names):
            raise Wrong(f"The dict must have the names {_list(names)}, got {_list(got)}.")
        got = [got[name] for name in names]
    if isinstance(got, np.ndarray) and got.ndim:
        got = list(got)
    if not isinstance(got, (tuple, list)):
        raise Wrong(f"R{wanted}; got {type(got).__name__}.")
    if len(got) != len(names):
        raise Wrong(f"R{wanted}; got {len(got)}.")
    for name, part in zip(names, got, strict=True):
        given(name, part)
    if all(isinstance(part, np.ndarray) and part.size and not part.any() for part in got):
        raise NotYet(f"{_list(names)} are all zero.")
    return list(got)


_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}


def _list(names):
    *most, last = map(str, names or ["nothing"])
    return f"{', '.join(most)} and {last}" if most else last


def copies(arguments):
    """Return arguments that belong to one call alone."""
    return copy.deepcopy(arguments)


def call(function, *arguments, name="Your function"):
    """Call the reader's function; refuse one that changes what it was given.

    What it returns is copied, since the next call may write into the same memory. What a
    generator yields is taken out of it, and so are the values of a dict.
    """
    handed = copies(arguments)
    result = function(*handed)
    if isinstance(result, (Iterator, ValuesView)):
        result = list(result)
    for before, after in zip(arguments, handed, strict=True):
        if not _untouched(before, after):
            raise Wrong(f"{name} changed what it was given: work on new arrays.")
    try:
        return copy.deepcopy(result) if not callable(result) else result
    except (TypeError, RuntimeError):  # a thing that cannot be copied is judged as it is
        return result


def _untouched(before, after):
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(
            _untouched(before[k], after[k]) for k in before
        )
    if callable(before):
        return True
    return type(before) is type(after) and np.array_equal(before, after)


def forward(layer, *arguments):
    """Run a forward pass; refuse one that changes its arguments. The result is a copy."""
    return call(layer.forward, *arguments, name="forward")


def backward(layer, dout=1.0):
    """Run a backward pass; refuse one that changes `dout`. The result is a copy."""
    return call(layer.backward, dout, name="backward")


def again(layer_class, passes, dout=1.0):
    """Refuse a layer whose second way back, or whose twin, spoils what it remembers.

    `passes` are the arguments of two forward passes, best of different shapes; `dout` may be
    a tuple then, with one for each.
    """
    dout, other = dout if isinstance(dout, tuple) else (dout, dout)
    layer, twin = layer_class(), layer_class()
    forward(layer, *passes[0])
    first = np.copy(array_of("backward", backward(layer, dout)))
    if not close(array_of("backward", backward(layer, dout)), first, _ROUNDED):
        raise Wrong(
            "A second call of backward gave other numbers: "
            "the first changed what the layer remembers."
        )
    forward(twin, *passes[1])
    if not _gives(layer, dout, first):
        raise Wrong(
            "A second object of the class changed what the first remembers: "
            "keep it in self, each object for itself."
        )
    second = np.copy(array_of("backward", backward(twin, other)))
    forward(layer, *passes[1])
    if not _gives(layer, other, second):
        raise Wrong("A second forward pass of the same object must replace what it remembers.")


def _gives(layer, dout, right):
    """Whether a way back that ran well a moment ago gives these numbers."""
    try:
        return close(array_of("backward", backward(layer, dout)), right, _ROUNDED)
    except Exception:  # what is remembered has another shape now
        return False


def codes(function, kind=object):
    """Yield the code of a function, and of the reader's own that it calls.

    The reader's own are the functions of its page, and the methods of the class `kind`.
    """
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return
    page, methods = function.__globals__, dict(inspect.getmembers(kind, inspect.isfunction))
    waiting, seen = [function.__code__], set()
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        yield code
        waiting += [part for part in code.co_consts if isinstance(part, types.CodeType)]
        steps = dis.get_instructions(code)
        called = [page.get(step.argval) for step in steps if step.opname == "LOAD_GLOBAL"]
        called += [methods.get(name) for name in code.co_names]
        waiting += [
            part.__code__
            for part in called
            if isinstance(part, types.FunctionType) and part.__globals__ is page
        ]


def loops(function, kind=object):
    """Whether a function, or one of the reader's own that it calls, goes through a loop."""
    for code in codes(function, kind):
        steps = [step.opname for step in dis.get_instructions(code)]
        jumps = any("FOR_ITER" in step or "JUMP_BACKWARD" in step for step in steps)
        if jumps or _GO_THROUGH & set(code.co_names):
            return True
    return False


_GO_THROUGH = {"map", "vectorize", "frompyfunc", "apply_along_axis", "fromiter"}


def shown(value):
    """Write numbers with four digits, on one line."""
    value = np.asarray(value)
    if value.ndim == 0:
        return f"{value:.4g}"
    text = np.array2string(value, precision=4, separator=", ", threshold=50, edgeitems=2)
    return " ".join(text.split())
