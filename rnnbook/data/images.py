"""Images of digits: those that ship with the package, and MNIST from a folder."""

import gzip
import io
import math
import zlib
from importlib import resources
from typing import NamedTuple

import numpy as np

from .. import _validate

__all__ = ["Dataset", "load_digits", "load_mnist", "read_idx"]


_IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_BYTES = 2**30  # unpacked, of a file that others may have made


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
        If the file is not IDX, is cut short, or is longer than its header says; or if a
        gzipped one would have more than 1 GiB. No more is unpacked than the header says.
    """
    path = _validate.path("path", path)
    name, raw = _validate.printable(path.name), path.read_bytes()
    packed = raw[:2] == b"\x1f\x8b"
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) if packed else io.BytesIO(raw) as file:
        try:
            return _read_idx(file, name, min(len(raw) * 1032, _MOST_BYTES) if packed else len(raw))
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{name} must be a whole gzip file, got: {error}") from None


def _read_idx(file, name, most):
    """Read an array from a file that holds at most so many bytes."""
    raw = file.read(4)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_DTYPES or raw[3] == 0:
        raise ValueError(
            f"{name} must be an IDX file, which begins with two zero bytes, a type and "
            f"a number of axes; got {raw[:4].hex(' ') or 'no bytes'}"
        )
    dtype, axes = np.dtype(_IDX_DTYPES[raw[2]]), raw[3]
    header = 4 + 4 * axes
    raw += file.read(4 * axes)
    if len(raw) < header:
        raise ValueError(f"{name} must have a header of {header} bytes, got {len(raw)}")
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", count=axes, offset=4))
    wanted = header + dtype.itemsize * math.prod(shape)
    if wanted > max(most, _MOST_BYTES):
        raise ValueError(f"{name} must have at most {_MOST_BYTES} bytes, got a shape of {wanted}")
    raw += file.read(min(wanted, most) - header + 1)  # one more, which should not be there
    if len(raw) != wanted:
        raise ValueError(
            f"{name} must have {wanted} bytes for its shape {shape}, got {len(raw)}: "
            f"it is {'cut short' if len(raw) < wanted else 'too long'}"
        )
    try:
        values = np.frombuffer(raw, dtype, offset=header).reshape(shape)
    except ValueError as error:
        raise ValueError(
            f"{name} must have a shape that fits a numpy array, got {axes} axes: {error}"
        ) from None
    return values.astype(dtype.newbyteorder("="))


def _find_idx(folder, name):
    names = [name, name.replace("-idx", ".idx")]
    names += [f"{n}.gz" for n in names]
    for candidate in names:
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"{folder} must hold one of {', '.join(names)}")
