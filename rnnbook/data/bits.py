"""Whole numbers as bits, and sums as sequences of bits."""

import numpy as np

from .. import _validate

__all__ = ["binary_addition", "binary_sums", "from_bits", "to_bits"]


def to_bits(numbers, bits):
    """Write whole numbers in binary, the lowest bit first.

    Parameters
    ----------
    numbers : sequence of int
        From ``-2**(bits - 1)``, in two's complement, up to ``2**bits - 1``.
    bits : int

    Returns
    -------
    ndarray of uint8, shape (N, bits)
    """
    bits = _validate.integer("bits", bits, minimum=1)
    numbers = _whole_numbers("numbers", numbers, bits)
    return (numbers[:, None] >> np.arange(bits) & 1).astype(np.uint8)


def from_bits(rows, *, signed=False):
    """Read binary numbers, the lowest bit first: the inverse of `to_bits`.

    Parameters
    ----------
    rows : ndarray of bool or int, or nested lists of int, shape (N, bits)
        Zeros and ones.
    signed : bool
        Whether a number whose highest bit is 1 is negative, in two's complement.

    Returns
    -------
    ndarray, shape (N,)
        Of int64 up to 62 bits, otherwise of Python's own integers, which have no limit.
    """
    rows = _validate.listed("rows", rows, "bits")
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "biu":
        raise TypeError(f"rows must be an (N, bits) array of bits, got {_validate.describe(rows)}")
    rows = rows.astype(np.uint8) if rows.dtype == bool else rows
    _validate.indices("rows", rows, ("N", "bits"), size=2, what="bits")
    bits = rows.shape[1]
    weights = [2**i for i in range(bits)]
    if _validate.boolean("signed", signed) and bits:
        weights[-1] = -weights[-1]
    dtype = _integers_of(bits)
    return rows.astype(dtype) @ np.array(weights, dtype)  # (N, bits) @ (bits,) -> (N,)


def binary_addition(a, b, *, bits=8, dtype=np.float64):
    """Turn sums into sequences: at each step a bit of both numbers, and one of the result.

    Parameters
    ----------
    a, b : sequence of int
        Equally many; as for `to_bits`.
    bits : int
        The number of steps, T. A result that needs more loses its highest carry.
    dtype : {numpy.float64, numpy.float32}

    Returns
    -------
    xs : ndarray, shape (N, T, 2)
        The lowest bits first, so that the carry travels with the time.
    ts : ndarray, shape (N, T, 1)
        The bits of the result.
    """
    bits = _validate.integer("bits", bits, minimum=1)
    dtype = _validate.float_dtype("dtype", dtype)
    a, b = _whole_numbers("a", a, bits), _whole_numbers("b", b, bits)
    if len(a) != len(b):
        raise ValueError(f"a and b must be equally many, got {len(a)} and {len(b)}")
    xs = np.stack([to_bits(a, bits), to_bits(b, bits)], axis=-1)
    return xs.astype(dtype), to_bits((a + b) % 2**bits, bits)[:, :, None].astype(dtype)


def binary_sums(batch_size, *, bits=8, rng, dtype=np.float64):
    """Yield batches of random sums without end, as sequences; see `binary_addition`.

    Both numbers are below ``2**(bits - 1)``, so that every result fits in its bits.

    Parameters
    ----------
    batch_size, bits : int
    rng : numpy.random.Generator
    dtype : {numpy.float64, numpy.float32}
    """
    batch_size = _validate.integer("batch_size", batch_size, minimum=1)
    bits = _validate.integer("bits", bits, minimum=1, maximum=63)
    _validate.generator("rng", rng)
    dtype = _validate.float_dtype("dtype", dtype)

    def batches():  # a generator of its own, so that bad arguments are refused at once
        while True:
            a, b = rng.integers(2 ** (bits - 1), size=(2, batch_size))
            yield binary_addition(a, b, bits=bits, dtype=dtype)

    return batches()


def _integers_of(bits):
    """Return a dtype that holds sums of integers of that many bits."""
    return np.int64 if bits <= 62 else object  # Python's own integers have no limit


def _whole_numbers(name, value, bits):
    """Check that all numbers fit in so many bits, as unsigned or in two's complement."""
    kinds = (list, tuple, range, np.ndarray)
    if isinstance(value, np.ndarray):
        _validate.array(name, value, "a sequence of integers")
    if not isinstance(value, kinds) or getattr(value, "ndim", 1) != 1:
        raise TypeError(f"{name} must be a sequence of integers, got {_validate.describe(value)}")
    low, high = -(2 ** (bits - 1)), 2**bits - 1
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        value = [
            _validate.integer(f"{name}[{n}]", number, minimum=low, maximum=high)
            for n, number in enumerate(value)
        ]
    elif value.size and (value.min() < low or value.max() > high):
        raise ValueError(
            f"{name} must hold integers from {low} to {high}, which fit in {bits} bits; "
            f"got {value.min()} to {value.max()}"
        )
    return np.array(value, _integers_of(bits))
