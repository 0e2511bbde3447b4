"""Data: what ships with the package, and loaders of the reader's own files."""

import gzip
import zlib
from importlib import resources
from typing import NamedTuple

import numpy as np

from . import _validate

__all__ = [
    "Dataset",
    "binary_addition",
    "binary_sums",
    "from_bits",
    "load_digits",
    "load_mnist",
    "one_hot",
    "read_idx",
    "to_bits",
]

_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class Dataset(NamedTuple):
    """Examples to learn from, and held-out ones to be judged by.

    Attributes
    ----------
    x_train, x_test : ndarray, shape (N, D)
        Pixels from 0 (paper) to 1 (ink), float.
    t_train, t_test : ndarray, shape (N,)
        Labels from 0 to 9.
    """

    x_train: np.ndarray
    t_train: np.ndarray
    x_test: np.ndarray
    t_test: np.ndarray


def load_digits(*, rng, held_out=0.25, dtype=np.float64):
    """Load the handwritten digits that ship with the package.

    1,797 images of 8 × 8 pixels with 17 grey levels, written by 13 people: the test
    part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak,
    UCI Machine Learning Repository, licence CC BY 4.0 (see ``digits-LICENSE.txt``).

    Parameters
    ----------
    rng : numpy.random.Generator
        Shuffles the examples before they are divided.
    held_out : float
        The share to hold out, greater than 0 and below 1.
    dtype : {numpy.float64, numpy.float32}

    Returns
    -------
    Dataset
        With D = 64.
    """
    _validate.generator("rng", rng)
    held_out = _validate.real("held_out", held_out, above=0, below=1)
    dtype = _validate.float_dtype("dtype", dtype)
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file:
        content = np.load(file, allow_pickle=False)
        x, t = content["images"], content["labels"]
    order = rng.permutation(len(x))
    x, t = x[order].astype(dtype) / 16, t[order].astype(np.int64)
    cut = len(x) - round(held_out * len(x))
    if not 0 < cut < len(x):
        raise ValueError(f"held_out must leave examples on both sides, got {held_out}")
    return Dataset(x[:cut], t[:cut], x[cut:], t[cut:])


def load_mnist(folder, *, dtype=np.float64):
    """Load MNIST from a folder that holds its four IDX files, gzipped or not.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without ``.gz``;
    a dot in place of the last hyphen (``train-images.idx3-ubyte``) is understood too.

    Parameters
    ----------
    folder : str or os.PathLike
    dtype : {numpy.float64, numpy.float32}

    Returns
    -------
    Dataset
        With D = 784.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is missing; the message says which.
    ValueError
        If a file is not in IDX format, is cut short, or does not hold what it should.
    """
    dtype = _validate.float_dtype("dtype", dtype)
    folder = _validate.path("folder", folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be an existing folder, got {str(folder)!r}")
    parts = []
    for part in ("train", "t10k"):
        images_path = _find_idx(folder, f"{part}-images-idx3-ubyte")
        labels_path = _find_idx(folder, f"{part}-labels-idx1-ubyte")
        images, labels = read_idx(images_path), read_idx(labels_path)
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8 or len(images) == 0:
            raise ValueError(
                f"{images_path.name} must hold uint8 images of shape (N, 28, 28), "
                f"got {_validate.describe(images)}"
            )
        if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
            raise ValueError(
                f"{labels_path.name} must hold {len(images)} uint8 labels, "
                f"got {_validate.describe(labels)}"
            )
        _validate.indices(labels_path.name, labels, None, size=10)
        parts += [images.reshape(len(images), 784).astype(dtype) / 255, labels.astype(np.int64)]
    return Dataset(*parts)


def read_idx(path):
    """Read one file in IDX format, gzipped or not, into an array.

    The format: two zero bytes, a byte for the type of the numbers, a byte for the
    number of axes, the size of each axis as a big-endian 32-bit integer, the numbers.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    ndarray

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not IDX, is cut short, or is longer than its header says.
    """
    path = _validate.path("path", path)
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path.name} must be a whole gzip file, got: {error}") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_DTYPES or raw[3] == 0:
        raise ValueError(
            f"{path.name} must be an IDX file, which begins with two zero bytes, a type and "
            f"a number of axes; got {raw[:4].hex(' ') or 'no bytes'}"
        )
    dtype, axes = np.dtype(_IDX_DTYPES[raw[2]]), raw[3]
    header = 4 + 4 * axes
    if len(raw) < header:
        raise ValueError(f"{path.name} must have a header of {header} bytes, got {len(raw)}")
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", count=axes, offset=4))
    wanted = header + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(raw) != wanted:
        raise ValueError(
            f"{path.name} must have {wanted} bytes for its shape {shape}, got {len(raw)}: "
            f"it is {'cut short' if len(raw) < wanted else 'too long'}"
        )
    try:
        values = np.frombuffer(raw, dtype, offset=header).reshape(shape)
    except ValueError as error:
        raise ValueError(
            f"{path.name} must have a shape that fits a numpy array, got {axes} axes: {error}"
        ) from None
    return values.astype(dtype.newbyteorder("="))


def one_hot(t, size, *, dtype=np.float64):
    """Turn labels of shape (...) into one-hot rows of shape (..., size)."""
    size = _validate.integer("size", size, minimum=1)
    _validate.indices("t", t, None, size=size)
    rows = np.zeros((*t.shape, size), _validate.float_dtype("dtype", dtype))
    np.put_along_axis(rows, t[..., None], 1, axis=-1)
    return rows


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
    rows : ndarray of bool or int, shape (N, bits)
        Zeros and ones.
    signed : bool
        Whether a number whose highest bit is 1 is negative, in two's complement.

    Returns
    -------
    ndarray, shape (N,)
        Of int64 up to 62 bits, otherwise of Python's own integers, which have no limit.
    """
    if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in "biu":
        raise TypeError(f"rows must be an (N, bits) array of bits, got {_validate.describe(rows)}")
    _validate.indices("rows", rows.astype(int), ("N", "bits"), size=2, what="bits")
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


def _find_idx(folder, name):
    names = [name, name.replace("-idx", ".idx")]
    names += [f"{n}.gz" for n in names]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"{folder} must hold one of {', '.join(names)}")
