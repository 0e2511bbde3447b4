"""Every error message about bad input.

A function here returns its argument, checked, or raises an error that names the
argument, says what was wanted and says what came. Nothing is cast, broadcast or
truncated on the way.
"""

import functools
import itertools
import math
from numbers import Integral, Real
from pathlib import Path

import numpy as np

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_LISTS = (list, tuple, range)
_watch = []  # not empty while a pass is watched for overflow
_ARRAYS = (np.ndarray, np.memmap)  # in other subclasses the operators may mean something else


def integer(name, value, *, minimum=None, maximum=None):
    """Check that `value` is a whole number between the two bounds, both included."""
    wanted = "an integer" + _bounds(minimum, maximum)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be {wanted}, got {describe(value)}")
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        raise ValueError(f"{name} must be {wanted}, got {value}")
    return int(value)


def real(name, value, *, minimum=None, above=None, below=None):
    """Check that `value` is a finite real number; `above` and `below` are strict.

    A NumPy number keeps its dtype; anything else, such as a fraction, becomes a float.
    """
    wanted = "a finite number"
    if minimum is not None:
        wanted += f" >= {minimum}"
    if above is not None:
        wanted += f" > {above}"
    if below is not None:
        wanted += f" < {below}"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {wanted}, got {describe(value)}")
    try:
        number = value if isinstance(value, np.floating) else float(value)
    except OverflowError:
        number = math.inf
    if (
        not math.isfinite(number)
        or (minimum is not None and number < minimum)
        or (above is not None and number <= above)
        or (below is not None and number >= below)
    ):
        raise ValueError(f"{name} must be {wanted}, got {number}")
    return number


def path(name, value):
    """Check that `value` names a file or folder; return it as a `pathlib.Path`."""
    try:
        return Path(value)
    except TypeError:
        raise TypeError(f"{name} must be a path, got {describe(value)}") from None


def choice(name, value, options):
    """Check that `value` is one of the strings that there are to choose from."""
    wanted = f"{name} must be {', '.join(map(repr, options[:-1]))} or {options[-1]!r}"
    if not isinstance(value, str):
        raise TypeError(f"{wanted}, got {describe(value)}")
    if value not in options:
        raise ValueError(f"{wanted}, got {shorten(repr(value))}")
    return value


def having(name, value, parts, wanted):
    """Check that `value` has the attributes that make it what is wanted."""
    if isinstance(value, type) or not all(hasattr(value, part) for part in parts):
        raise TypeError(f"{name} must be {wanted}, with {', '.join(parts)}; got {describe(value)}")
    return value


def generator(name, value):
    """Check that `value` is a `numpy.random.Generator`."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(
            f"{name} must be a numpy.random.Generator, such as np.random.default_rng(0), "
            f"got {describe(value)}"
        )
    return value


def float_dtype(name, value):
    """Check that `value` names float32 or float64; return it as a `numpy.dtype`."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"{name} must be float32 or float64, got {value!r}") from None
    if value is None or dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be float32 or float64, got {value!r}")
    return dtype


def array(name, value, wanted="a numpy array"):
    """Check that `value` is a plain array: neither a matrix nor masked, nor any such."""
    if type(value) not in _ARRAYS:
        raise TypeError(f"{name} must be {wanted}, got {describe(value)}")
    return value


def floats(name, value, shape, *, dtype=None, like=None, look=True):
    """Check that `value` is an array of finite floats with the wanted shape.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : ndarray
    shape : tuple of (int or str)
        One entry an axis: a number where the size is fixed, a name such as
        ``"N"`` where any size will do. ``None`` allows any shape.
    dtype : dtype, optional
        The wanted dtype; without it float32 and float64 are both welcome.
    like : str, optional
        Whose dtype that is, for the message.
    look : bool
        Whether to look at every entry; if not, NaN and infinity pass.
    """
    _check_floating(name, value)
    if dtype is not None and value.dtype != dtype:
        owner = f", the dtype of {like}" if like else ""
        raise TypeError(
            f"{name} must have dtype {np.dtype(dtype)}{owner}, got {value.dtype}; "
            f"convert with {name}.astype(np.{np.dtype(dtype)})"
        )
    if shape is not None:
        shaped(name, value, shape)
    return finite(name, value) if look else value


def shaped(name, value, shape):
    """Check the shape; a string stands for any size, see `floats`."""
    if value.shape == shape:
        return
    fits = value.ndim == len(shape) and all(
        isinstance(want, str) or want == size for want, size in zip(shape, value.shape, strict=True)
    )
    if not fits:
        text = ", ".join(map(str, shape))
        text = f"({text},)" if len(shape) == 1 else f"({text})"
        raise ValueError(f"{name} must have shape {text}, got {value.shape}")


def steppable(name, value):
    """Check that `value` is an array of floats, not empty, that may be changed in place."""
    _check_floating(name, value)
    if value.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {value.shape}")
    return writeable(name, value)


def writeable(name, value):
    """Check that the array may be changed in place, each entry by itself."""
    if not value.flags.writeable:
        raise ValueError(f"{name} must be writeable, for it is changed in place")
    if (
        0 in value.strides
        and value.size
        and any(
            stride == 0 and size > 1
            for stride, size in zip(value.strides, value.shape, strict=True)
        )
    ):
        raise ValueError(f"{name} must have memory for each entry, got one that is repeated")
    return value


def apart(name, arrays):
    """Check that no two of the arrays in a dict share memory: each is changed by itself."""
    owners = {id(value) for value in arrays.values() if getattr(value, "base", None) is None}
    if len(owners) == len(arrays):
        return arrays  # each has memory of its own, quickly told
    for (x, one), (y, other) in itertools.combinations(arrays.items(), 2):
        if np.shares_memory(one, other):
            raise ValueError(
                f"{name} must share no memory, got {x!r} and {y!r} on the same numbers: a step in "
                "one would change the other; give one of them a copy"
            )
    return arrays


def boolean(name, value):
    """Check that `value` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {describe(value)}")
    return bool(value)


def named_arrays(name, value):
    """Check that `value` is a dict of arrays by name."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} must be a dict of arrays by name, got {describe(value)}")
    return value


def parameters(params, grads, *, look=True):
    """Check that `params` can be stepped in, and that `grads` fit them; see `floats` for `look`."""
    named_arrays("params", params)
    named_arrays("grads", grads)
    if set(params) != set(grads):
        raise ValueError(
            f"grads must have the names of params, {list(params)}, got {list(grads)}; "
            "has backward run?"
        )
    for name, param in params.items():
        if look or not _can_step(param, grads[name]):
            steppable(f"params[{name!r}]", param)
            gradient(f"grads[{name!r}]", grads[name], param.shape, dtype=param.dtype, look=look)
    apart("params", params)


def _can_step(param, grad):
    """Say quickly that nothing is wrong with two arrays, as it nearly always is."""
    return (
        type(param) is type(grad) is np.ndarray
        and param.dtype == grad.dtype
        and param.dtype in _FLOATS
        and param.shape == grad.shape
        and param.flags.writeable
        and 0 not in param.shape
        and 0 not in param.strides
    )


def gradient(name, value, shape, *, dtype=None, look=True):
    """Check that `value` is a gradient of that shape, the whole of it or its rows alone."""
    if not hasattr(value, "rows"):
        return floats(name, value, shape, dtype=dtype, like="the parameter", look=look)
    shaped(name, value, shape)
    ids = indices(f"the ids of {name}", value.ids, ("K",), size=shape[0], what="row numbers")
    if (ids[1:] <= ids[:-1]).any():
        raise ValueError(f"the ids of {name} must rise, each once, got {describe(ids.tolist())}")
    wanted = (len(ids), *shape[1:])
    floats(f"the rows of {name}", value.rows, wanted, dtype=dtype, like="the parameter", look=look)
    return value


def number_or_floats(name, value):
    """Check that `value` is a finite real number or an array of finite floats."""
    if isinstance(value, np.ndarray):
        return floats(name, value, None)
    return real(name, value)


def finite(name, value):
    """Check that no entry of the array is NaN or infinite."""
    if not is_finite(value):
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
        where = f" at index {list(index)}" if index else ""
        raise ValueError(f"{name} must be finite, got {value[index]}{where}")
    return value


def is_finite(value):
    """Say whether no entry of an array of floats is NaN or infinite."""
    if value.flags.forc:
        flat = value.ravel("K")
        if math.isfinite(np.vdot(flat, flat)):  # a sum of squares: the fastest look at all
            return True
    return bool(np.isfinite(value).all())


def all_finite(params):
    """Check that no parameter, as far as there are any of floats, holds NaN or infinity."""
    for name, param in params.items() if isinstance(params, dict) else ():
        if getattr(param, "dtype", None) in _FLOATS:
            finite(f"params[{name!r}]", param)


def listed(name, value, what):
    """Turn integers in nested lists into an array of int64; let anything else be."""
    if not isinstance(value, _LISTS):
        return value
    entries, shape = [value], ()
    while any(isinstance(entry, _LISTS) for entry in entries):
        sizes = {len(entry) if isinstance(entry, _LISTS) else None for entry in entries}
        if len(sizes) > 1 or len(shape) == 32:
            raise ValueError(
                f"{name} must hold {what} in rows of one length, got {describe(value)}"
            )
        shape += (*sizes,)
        entries = [part for entry in entries for part in entry]
    for entry in entries:
        if isinstance(entry, (bool, np.bool_)) or not isinstance(entry, Integral):
            raise TypeError(f"{name} must hold integer {what}, got {describe(entry)}")
    try:
        return np.array(entries, np.int64).reshape(shape)
    except OverflowError:
        raise ValueError(f"{name} must hold {what} of 64 bits at most, got a longer one") from None


def indices(name, value, shape, *, size, what="labels"):
    """Check that `value` holds integers in ``0 .. size - 1``; return it as an array.

    An array stays what it is; nested lists become one of int64.
    """
    value = listed(name, value, what)
    array(name, value, f"a list or numpy array of integer {what}")
    if value.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integer {what}, got dtype {value.dtype}")
    if shape is not None:
        shaped(name, value, shape)
    if value.size and (value.min() < 0 or value.max() >= size):
        index = tuple(int(i) for i in np.argwhere((value < 0) | (value >= size))[0])
        where = f" at index {list(index)}" if index else ""
        raise ValueError(f"{name} must hold {what} in 0 .. {size - 1}, got {value[index]}{where}")
    return value


def labels(name, value, scores_shape, *, mask=None):
    """Return true classes as integer labels, given as labels or as one-hot rows.

    Labels have one axis less than the scores, one-hot rows have the same shape. Where
    a mask is False, whatever stands there counts as class 0.
    """
    *rows, size = scores_shape
    value = listed(name, value, "labels")
    if array(name, value, "a list or numpy array of labels").dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold integer labels or one-hot rows, got dtype {value.dtype}")
    if mask is not None and not mask.all() and value.shape in (tuple(rows), tuple(scores_shape)):
        value = value.copy()
        value[~mask] = 0 if value.ndim == mask.ndim else np.arange(size) == 0
    if value.shape == tuple(rows):
        return indices(name, value, None, size=size)
    if value.shape != tuple(scores_shape):
        raise ValueError(
            f"{name} must hold integer labels of shape {tuple(rows)} or one-hot rows of shape "
            f"{tuple(scores_shape)}, got shape {value.shape}"
        )
    one_hot = ((value == 0) | (value == 1)).all(axis=-1) & ((value == 1).sum(axis=-1) == 1)
    if not one_hot.all():
        row = tuple(int(i) for i in np.argwhere(~one_hot)[0])
        where = f" at row {row[0]}" if row else ""
        raise ValueError(
            f"{name} must hold one-hot rows (a single 1, otherwise 0), "
            f"got {value[row].tolist()}{where}"
        )
    return value.argmax(axis=-1)


def mask(name, value, shape):
    """Check that `value` is a boolean array of the given shape, true somewhere."""
    if array(name, value, "a numpy array of bools").dtype != bool:
        raise TypeError(f"{name} must be a numpy array of bools, got {describe(value)}")
    shaped(name, value, shape)
    if not value.any():
        raise ValueError(f"{name} must be True somewhere, got False everywhere")
    return value


def dout(value, shape, dtype, *, name="dout", look=True):
    """Check the upstream gradient of a layer against its output."""
    return floats(name, value, shape, dtype=dtype, like="the layer's output", look=look)


def forwarded(layer, cache):
    """Check that `forward` has run, so that `backward` has something to work on."""
    if cache is None:
        raise RuntimeError(f"{type(layer).__name__}.backward needs a forward pass first")
    return cache


class Setting:
    """An attribute that is checked whenever it is set."""

    def __init__(self, check):
        self.check = check

    def __set_name__(self, owner, name):
        self.name = name

    def __set__(self, owner, value):
        vars(owner)[self.name] = self.check(self.name, value)


class Fixed:
    """An attribute that is set once: what others hold too cannot be replaced by something else."""

    def __set_name__(self, owner, name):
        self.name = name

    def __set__(self, owner, value):
        if self.name in vars(owner):
            kind = type(owner).__name__
            raise AttributeError(
                f"{self.name} of a {kind} cannot be replaced, for others hold it too; write into "
                "it instead, as in params['b'] = value or params.update(values)"
            )
        vars(owner)[self.name] = value


class InRange:
    """A class whose passes, forward and backward, refuse what grows beyond the largest float."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in ("forward", "backward"):
            if name in vars(cls):
                setattr(cls, name, _in_range(vars(cls)[name]))


def _in_range(method):
    """Return the method; where its arithmetic overflows, look at what it found."""
    careful = np.errstate(over="call", invalid="call", call=lambda *_: _watch.append("raised"))
    in_care = careful(method)

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        if _watch:  # a layer inside a model, which looks itself
            return method(self, *args, **kwargs)
        _watch.append("on")
        try:
            result = in_care(self, *args, **kwargs)
            if len(_watch) > 1:  # some processors raise flags for no reason
                look(self, result)
        except ValueError as error:
            all_finite(self.params)  # where that is the cause, it says more
            if len(_watch) > 1 and "must be finite" in str(error):
                name = f"{type(self).__name__}.{method.__name__}"
                raise ValueError(
                    f"the arguments of {name} must be small enough, got an overflow: {error}"
                ) from error
            raise
        finally:
            _watch.clear()
        return result

    def look(self, result):
        found = [*result] if isinstance(result, tuple) else [result]
        if method.__name__ == "backward":
            found += self.grads.values()
        for part in found:
            if part is not None:
                finite("the result", np.asarray(part))

    return checked


def describe(value):
    """Say briefly what a value is: its type, and its shape or itself where short."""
    if isinstance(value, np.ndarray) and type(value) not in _ARRAYS:
        return f"{type(value).__name__} of shape {value.shape}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 40 else type(value).__name__


def shorten(text, limit=60):
    """Cut off what is too long for a message."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text):
    """Return text for a message: as it is, or, with signs that a terminal may obey, its `repr`."""
    return text if text.isprintable() else repr(text)


def _check_floating(name, value):
    if array(name, value).dtype not in _FLOATS:
        raise TypeError(
            f"{name} must hold float32 or float64 numbers, got dtype {value.dtype}; "
            f"convert with {name}.astype(float) if that is meant"
        )


def _bounds(minimum, maximum):
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" >= {minimum}"
    if maximum is not None:
        return f" <= {maximum}"
    return ""
