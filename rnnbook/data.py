"""Data: what ships with the package, loaders of the reader's own files, and text as tokens."""

import contextlib
import gzip
import os
import re
import zlib
from collections import Counter
from importlib import resources
from typing import NamedTuple

import numpy as np

from . import _validate

__all__ = [
    "UNKNOWN",
    "Dataset",
    "Vocabulary",
    "binary_addition",
    "binary_sums",
    "detokenize",
    "from_bits",
    "house_that_jack_built",
    "load_digits",
    "load_mnist",
    "load_text",
    "one_hot",
    "read_arrays",
    "read_idx",
    "split_text",
    "to_bits",
    "tokenize",
    "write_arrays",
]

UNKNOWN = "<unk>"
"""The token that stands for all the words that a capped vocabulary leaves out."""

# Words (with what an apostrophe joins to them), line ends, and every other sign by itself.
_WORD = re.compile(r"\w+(?:['’]\w+)*|\n|[^\w\s]")
_CLOSING, _OPENING = ".,;:!?%)]}’”»", "([{‘“«"

_RHYME = [
    "house that Jack built",
    "malt that lay in",
    "rat that ate",
    "cat that killed",
    "dog that worried",
    "cow with the crumpled horn that tossed",
    "maiden all forlorn that milked",
    "man all tattered and torn that kissed",
    "priest all shaven and shorn that married",
    "cock that crowed in the morn that waked",
    "farmer sowing his corn that kept",
    "horse and the hound and the horn that belonged to",
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


def house_that_jack_built():
    """Return the nursery rhyme in which every stanza repeats all of the one before.

    It is generated from its twelve clauses, a stanza a line. In words and line ends it
    has 475 tokens, 48 different ones. What follows "that" depends on the word before
    it, what follows "the" on how far the stanza has come: a model needs a memory.

    Returns
    -------
    str
    """
    stanzas = [_RHYME[k::-1] for k in range(len(_RHYME))]
    return "".join(f"this is the {' the '.join(stanza)}\n" for stanza in stanzas)


class Vocabulary:
    """The different tokens of a text, each with a number, in order of first appearance.

    ``Vocabulary(vocabulary.tokens)`` is the same vocabulary again; the tokens are plain
    strings, so that ``json.dumps(vocabulary.tokens)`` writes it down.

    Parameters
    ----------
    tokens : sequence of str
        The text, from `tokenize`; tokens may occur any number of times.
    max_size : int, optional
        At least 2. If there are more different tokens, the most frequent ones stay (of
        equally frequent ones, the first), and `UNKNOWN`, number 0, stands for the rest.

    Attributes
    ----------
    tokens : tuple of str
        The token of each number.
    """

    def __init__(self, tokens, max_size=None):
        counts = Counter(_check_tokens("tokens", tokens))
        if not counts:
            raise ValueError("tokens must hold at least one token, got none")
        if max_size is not None:
            max_size = _validate.integer("max_size", max_size, minimum=2)
            if len(counts) > max_size:
                del counts[UNKNOWN]
                frequent = {token for token, _ in counts.most_common(max_size - 1)}
                counts = [UNKNOWN, *(token for token in counts if token in frequent)]
        self.tokens = tuple(counts)
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._ids

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    __hash__ = None

    def __repr__(self):
        return f"Vocabulary of {len(self)} tokens: {_validate.shorten(repr(self.tokens))}"

    def encode(self, tokens):
        """Return the numbers of the tokens, an array of int64, shape (K,).

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, unless `UNKNOWN` is, which then stands
            for it.
        """
        _check_tokens("tokens", tokens)
        unknown = self._ids.get(UNKNOWN)
        ids = [self._ids.get(token, unknown) for token in tokens]
        if unknown is None and None in ids:
            place = ids.index(None)
            raise ValueError(
                f"tokens must be in the vocabulary of {len(self)}, "
                f"got {_validate.shorten(repr(tokens[place]))} at place {place}"
            )
        return np.array(ids, np.int64)

    def decode(self, ids):
        """Return the tokens of numbers, which are an array of int, shape (K,), as a list."""
        _validate.indices("ids", ids, ("K",), size=len(self), what="token ids")
        return [self.tokens[i] for i in ids]


def tokenize(text, level):
    """Cut a text into tokens.

    Parameters
    ----------
    text : str
    level : {"char", "word"}
        Into characters, or into words, punctuation marks and line ends; spaces between
        words are dropped. A word keeps its case, and what an apostrophe joins to it:
        "The" and "the" are two tokens, "don't" is one. Lower the text first where that
        is not wanted.

    Returns
    -------
    list of str
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {_validate.describe(text)}")
    level = _validate.choice("level", level, ("char", "word"))
    return list(text) if level == "char" else _WORD.findall(text)


def detokenize(tokens, level):
    """Join tokens to a readable text.

    From characters it is the text itself. Words are set apart by a space, but not
    before a comma or what else closes, nor after what opens, nor at a line end; of the
    spaces that `tokenize` dropped, others may be missing or too many.

    Parameters
    ----------
    tokens : sequence of str
    level : {"char", "word"}

    Returns
    -------
    str
    """
    level = _validate.choice("level", level, ("char", "word"))
    _check_tokens("tokens", tokens)
    if level == "char":
        return "".join(tokens)
    parts, last = [], "\n"
    for token in tokens:
        close = last == "\n" or last in _OPENING or token == "\n" or token in _CLOSING
        parts += [token] if close else [" ", token]
        last = token
    return "".join(parts)


def load_text(path, level, *, max_vocabulary=None):
    """Load a text file of the reader's own, in UTF-8, as token ids.

    A byte order mark is dropped; line ends become ``\\n``, wherever the file was written.

    Parameters
    ----------
    path : str or os.PathLike
    level : {"char", "word"}
        As for `tokenize`.
    max_vocabulary : int, optional
        As for `Vocabulary`.

    Returns
    -------
    ids : ndarray of int64, shape (K,)
        At least two.
    vocabulary : Vocabulary
        Of the whole text.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder.
    ValueError
        If the file is empty, binary, not in UTF-8 (the message says at which byte), or
        holds fewer than two tokens.
    """
    path = _validate.path("path", path)
    level = _validate.choice("level", level, ("char", "word"))
    if max_vocabulary is not None:
        max_vocabulary = _validate.integer("max_vocabulary", max_vocabulary, minimum=2)
    if path.is_dir():
        raise IsADirectoryError(f"path must be a text file, got the folder {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError(f"path must be an existing text file, got {str(path)!r}")
    raw = path.read_bytes()
    wanted = f"{path.name} must be a text file in UTF-8"
    if not raw:
        raise ValueError(f"{wanted}, got an empty file")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{wanted}, got UTF-16")
    if (place := raw.find(0)) >= 0:
        raise ValueError(f"{wanted}, got a binary file, with a zero at byte {place}")
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        at = error.start
        raise ValueError(f"{wanted}, got 0x{raw[at]:02x} at byte {at}: {error.reason}") from None
    tokens = tokenize(text.replace("\r\n", "\n").replace("\r", "\n"), level)
    if len(tokens) < 2:
        raise ValueError(f"{path.name} must hold at least two tokens, got {len(tokens)}")
    vocabulary = Vocabulary(tokens, max_vocabulary)
    return vocabulary.encode(tokens), vocabulary


def split_text(tokens, *, held_out=0.1):
    """Hold out the last part of a text, to judge a model by what it has never read.

    Parameters
    ----------
    tokens : ndarray of int, shape (K,)
    held_out : float
        The share to hold out, greater than 0 and below 1.

    Returns
    -------
    train, test : ndarray of int
        The text up to the cut, and from there on: views of `tokens`.

    Raises
    ------
    ValueError
        If one of the parts has fewer than two tokens, a token and one to follow it.
    """
    _validate.indices("tokens", tokens, ("K",), size=np.iinfo(np.int64).max, what="tokens")
    held_out = _validate.real("held_out", held_out, above=0, below=1)
    cut = len(tokens) - round(held_out * len(tokens))
    if min(cut, len(tokens) - cut) < 2:
        raise ValueError(
            f"held_out must leave at least two tokens on both sides, "
            f"got {held_out} of {len(tokens)} tokens"
        )
    return tokens[:cut], tokens[cut:]


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


def write_arrays(path, arrays):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    They are written to a file beside it, which then takes its name. Whatever happens on
    the way, under that name stands the old file or the new one, never a part.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    arrays : dict of str to ndarray
        Of anything but Python objects.
    """
    path = _npz(path)
    for name, array in _validate.named_arrays("arrays", arrays).items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            got = _validate.describe(array)
            raise TypeError(f"arrays[{name!r}] must be an array without Python objects, got {got}")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # let the name last too, where folders can be synced
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_arrays(path):
    """Read the arrays of a ``.npz`` file into a dict; Python objects are never loaded.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole ``.npz`` file of arrays.
    """
    path = _npz(path)
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as content:
                return dict(content)
        except Exception as e:  # damaged bytes raise whatever NumPy or zipfile stumbles over
            raise ValueError(f"{path.name} must be a whole .npz file of arrays, got: {e}") from None


def _npz(path):
    path = _validate.path("path", path)
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path.name!r}")
    return path


def _check_tokens(name, tokens):
    if not isinstance(tokens, (list, tuple)):
        raise TypeError(f"{name} must be a list of str, got {_validate.describe(tokens)}")
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            got = _validate.describe(token)
            raise TypeError(f"{name} must be a list of str, got {got} at place {place}")
    return tokens


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
