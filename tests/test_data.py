"""The digits are what they were; an IDX file is read to the last byte or refused.

Numbers become bits, and bits numbers, however long they are. Text becomes tokens, and
tokens text.
"""

import gzip
import json
import os
import shutil
import struct
from importlib import resources
from itertools import islice, pairwise

import numpy as np
import pytest
from helpers import FLOATS, refusal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnbook.data import (
    UNKNOWN,
    Vocabulary,
    binary_addition,
    binary_sums,
    detokenize,
    from_bits,
    house_that_jack_built,
    load_digits,
    load_mnist,
    load_text,
    one_hot,
    read_arrays,
    read_idx,
    split_text,
    to_bits,
    tokenize,
    write_arrays,
)

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
raw_or_gzipped = pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzipped"])


def idx(array):
    """Write an array in IDX format."""
    header = struct.pack(">HBB", 0, IDX_CODES[array.dtype.str[1:]], array.ndim)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def digits(seed=0, **options):
    return load_digits(rng=np.random.default_rng(seed), **options)


# The digits ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_digits_are_1797_images_of_64_pixels_from_0_to_1(dtype):
    data = digits(dtype=dtype)
    x, t = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.t_train, data.t_test])
    assert (x.shape, x.dtype, t.shape, t.dtype) == ((1797, 64), dtype, (1797,), np.int64)
    np.testing.assert_array_equal(np.unique(x), np.arange(17) / 16)
    np.testing.assert_array_equal(
        np.bincount(t), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )


def test_the_same_generator_gives_the_same_digits():
    for one, other in zip(digits(), digits(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (digits().t_train != digits(seed=1).t_train).any()


@pytest.mark.parametrize(("held_out", "test_size"), [(0.25, 449), (0.5, 898), (0.001, 2)])
def test_every_image_keeps_its_label_and_stands_on_one_side(held_out, test_size):
    def rows(data):
        x = np.concatenate([data.x_train, data.x_test])
        t = np.concatenate([data.t_train, data.t_test])
        return sorted(map(tuple, np.column_stack([x, t])))

    data = digits(held_out=held_out)
    assert (len(data.t_train), len(data.t_test)) == (1797 - test_size, test_size)
    assert rows(data) == rows(digits(seed=1))


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
        (ValueError, {"held_out": 0}, "held_out must be a finite number > 0 < 1, got 0"),
        (ValueError, {"held_out": 1.5}, "got 1.5"),
        (ValueError, {"held_out": 1e-9}, "held_out must leave examples on both sides"),
        (TypeError, {"held_out": "half"}, "got str 'half'"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_bad_arguments_for_the_digits_are_refused(error, change, wanted):
    with refusal(error, wanted):
        load_digits(**({"rng": np.random.default_rng(0)} | change))


def test_the_licence_of_the_digits_ships_with_them():
    text = resources.files("rnnbook").joinpath("digits-LICENSE.txt").read_text(encoding="utf-8")
    for part in ("digits.npz", "Alpaydin", "CC BY 4.0", "https://doi.org/10.24432/C50P49"):
        assert part in text


# IDX files ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def idx_path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "numbers-idx"


@raw_or_gzipped
@given(data=st.data())
def test_what_was_written_in_idx_format_is_read(idx_path, pack, data):
    dtype = np.dtype(data.draw(st.sampled_from(sorted(IDX_CODES))))
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4))
    array = data.draw(hnp.arrays(dtype, shape))
    idx_path.write_bytes(pack(idx(array)))
    read = read_idx(idx_path)
    assert (read.dtype, read.shape) == (dtype, shape)
    assert read.dtype.isnative
    assert read.tobytes() == array.tobytes()
    assert read.flags.writeable


@raw_or_gzipped
def test_a_file_cut_short_at_any_byte_is_refused(idx_path, pack):
    whole = pack(idx(np.arange(6, dtype=np.int16).reshape(2, 3)))
    for length in range(len(whole)):
        idx_path.write_bytes(whole[:length])
        with refusal(ValueError, "numbers-idx must "):
            read_idx(str(idx_path))


@given(content=st.binary(max_size=60) | st.binary(max_size=40).map(lambda b: b"\0\0\x08" + b))
def test_whatever_the_bytes_the_file_is_read_or_refused_by_name(idx_path, content):
    idx_path.write_bytes(content)
    try:
        message = ""
        read_idx(idx_path)
    except ValueError as error:
        message = str(error)
    assert not message or message.startswith("numbers-idx must ")


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (GOOD + b"\0", "must have 18 bytes for its shape (2, 3), got 19: it is too long"),
        (GOOD[:-1], "must have 18 bytes for its shape (2, 3), got 17: it is cut short"),
        (GOOD[:9], "must have a header of 12 bytes, got 9"),
        (b"", "must be an IDX file, which begins with"),
        (b"\x01\0\x08\x01", "a number of axes; got 01 00 08 01"),
        (b"\0\0\x07\x01\0\0\0\0", "got 00 00 07 01"),
        (b"\0\0\x08\x00", "got 00 00 08 00"),
        (b"PK\x03\x04", "got 50 4b 03 04"),
        (b"\0\0\x08\x64" + b"\0\0\0\x01" * 100 + b"\0", "fits a numpy array, got 100 axes"),
        (b"\0\0\x08\x04" + b"\xff" * 12 + b"\0" * 4, "fits a numpy array, got 4 axes"),
        (gzip.compress(GOOD)[:-9] + b"\0" * 9, "must be a whole gzip file, got: "),
        (gzip.compress(GOOD) + b"more", "must be a whole gzip file, got: "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_damaged_file_is_refused_with_what_is_wrong(idx_path, content, wanted):
    idx_path.write_bytes(content)
    with refusal(ValueError, "numbers-idx ", wanted):
        read_idx(idx_path)


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path_is_refused(path):
    with refusal(TypeError, f"path must be a path, got {type(path).__name__} {path}"):
        read_idx(path)
    with refusal(TypeError, f"folder must be a path, got {type(path).__name__} {path}"):
        load_mnist(path)


def test_a_missing_file_is_named(tmp_path):
    with refusal(FileNotFoundError, "no-such-idx"):
        read_idx(tmp_path / "no-such-idx")


# MNIST --------------------------------------------------------------------------------

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def mnist(tmp_path):
    """Return a folder with a tiny MNIST: five examples to learn from, three held out."""
    rng = np.random.default_rng(0)
    for part, size in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (size, 28, 28), dtype=np.uint8)
        images[0, 0, :2] = 0, 255
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        labels = np.arange(9, 9 - size, -1, dtype=np.uint8)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def rewrite(path, dotted, gzipped):
    name = path.name.replace("-idx", ".idx") if dotted else path.name
    content = path.read_bytes()
    path.unlink()
    if gzipped:
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(content))
    else:
        path.with_name(name).write_bytes(content)


@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
def test_mnist_is_read_from_a_folder(mnist, dotted, gzipped, dtype):
    images = read_idx(mnist / TRAIN_IMAGES)
    for path in list(mnist.iterdir()):
        rewrite(path, dotted, gzipped)
    data = load_mnist(str(mnist), dtype=dtype)
    assert (data.x_train.shape, data.x_train.dtype) == ((5, 784), dtype)
    assert (data.x_test.shape, data.x_test.min(), data.x_test.max()) == ((3, 784), 0, 1)
    np.testing.assert_allclose(data.x_train * 255, images.reshape(5, 784), rtol=1e-6)
    np.testing.assert_array_equal(data.t_train, [9, 8, 7, 6, 5])
    np.testing.assert_array_equal(data.t_test, [9, 8, 7])


@pytest.mark.parametrize(
    ("name", "array", "wanted"),
    [
        (TRAIN_IMAGES, np.zeros((5, 28, 27), "u1"), "got an array of shape (5, 28, 27)"),
        (TRAIN_IMAGES, np.zeros((5, 784), "u1"), "got an array of shape (5, 784)"),
        (TRAIN_IMAGES, np.zeros((0, 28, 28), "u1"), "got an array of shape (0, 28, 28)"),
        (TRAIN_IMAGES, np.zeros((5, 28, 28), "f4"), "must hold uint8 images"),
        (TRAIN_LABELS, np.zeros(4, "u1"), "must hold 5 uint8 labels, got an array of shape (4,)"),
        (TRAIN_LABELS, np.zeros((5, 1), "u1"), "must hold 5 uint8 labels"),
        (TRAIN_LABELS, np.zeros(5, "i4"), "must hold 5 uint8 labels"),
        (TRAIN_LABELS, np.array([0, 1, 10, 3, 4], "u1"), "labels in 0 .. 9, got 10 at index [2]"),
    ],
)
def test_a_file_with_something_else_in_it_is_refused(mnist, name, array, wanted):
    (mnist / name).write_bytes(idx(array))
    with refusal(ValueError, f"{name} must hold ", wanted):
        load_mnist(mnist)


@pytest.mark.parametrize("name", [TRAIN_IMAGES, "t10k-labels-idx1-ubyte"])
def test_a_missing_mnist_file_is_named_with_all_the_names_it_might_have(mnist, name):
    (mnist / name).unlink()
    dotted = name.replace("-idx", ".idx")
    with refusal(FileNotFoundError, str(mnist), f"{name}, {dotted}, {name}.gz, {dotted}.gz"):
        load_mnist(mnist)


def test_a_missing_folder_is_named(mnist):
    shutil.rmtree(mnist)
    with refusal(FileNotFoundError, f"folder must be an existing folder, got {str(mnist)!r}"):
        load_mnist(mnist)


# One-hot rows -------------------------------------------------------------------------


@given(t=hnp.arrays(np.int64, hnp.array_shapes(min_dims=0), elements=st.integers(0, 6)))
def test_one_hot_rows_have_a_single_one_at_the_label(t):
    rows = one_hot(t, 7)
    assert (rows.shape, rows.dtype) == ((*t.shape, 7), np.float64)
    np.testing.assert_array_equal(rows.argmax(axis=-1), t)
    np.testing.assert_array_equal(rows.sum(axis=-1), np.ones(t.shape))
    np.testing.assert_array_equal(np.unique(rows), [0, 1])


@pytest.mark.parametrize(
    ("error", "t", "size", "wanted"),
    [
        (ValueError, np.array([0, 3]), 3, "t must hold labels in 0 .. 2, got 3 at index [1]"),
        (TypeError, np.array([0.0]), 3, "t must hold integer labels, got dtype float64"),
        (ValueError, np.array([0]), 0, "size must be an integer >= 1, got 0"),
        (TypeError, np.array([0]), 3.0, "size must be an integer >= 1, got float 3.0"),
    ],
)
def test_bad_labels_have_no_one_hot_rows(error, t, size, wanted):
    with refusal(error, wanted):
        one_hot(t, size)


def test_one_hot_rows_of_a_million_classes_need_no_square_table():
    rows = one_hot(np.array([[5]], np.uint8), 10**6, dtype=np.float32)
    assert (rows.shape, rows.dtype) == ((1, 1, 10**6), np.float32)
    np.testing.assert_array_equal(np.flatnonzero(rows), [5])


# Binary numbers -----------------------------------------------------------------------


@st.composite
def binary_numbers(draw, lists=1, signed=None, max_bits=300):
    """A number of bits, and equally long lists of numbers that fit in them."""
    bits = draw(st.integers(1, max_bits))
    low, high = -(2 ** (bits - 1)), 2**bits - 1
    if signed is not None:
        low, high = (low, -low - 1) if signed else (0, high)
    numbers = st.integers(low, high) | st.sampled_from([low, high, 0])
    length = draw(st.integers(1, 4))
    return bits, *(draw(st.lists(numbers, min_size=length, max_size=length)) for _ in range(lists))


@given(binary_numbers())
def test_the_bits_are_those_that_python_writes_the_lowest_first(drawn):
    bits, numbers = drawn
    rows = to_bits(numbers, bits)
    assert (rows.shape, rows.dtype) == ((len(numbers), bits), np.uint8)
    for row, number in zip(rows, numbers, strict=True):
        assert "".join(map(str, reversed(row))) == f"{number % 2**bits:0{bits}b}"


@pytest.mark.parametrize("signed", [False, True])
@given(data=st.data())
def test_from_bits_is_the_inverse_of_to_bits(signed, data):
    bits, numbers = data.draw(binary_numbers(signed=signed))
    assert from_bits(to_bits(numbers, bits), signed=signed).tolist() == numbers


@pytest.mark.parametrize("bits", [62, 63, 64, 65])
def test_no_bit_is_lost_where_the_integers_of_numpy_end(bits):
    low, high = -(2 ** (bits - 1)), 2**bits - 1
    assert from_bits(to_bits([0, high], bits)).tolist() == [0, high]
    assert from_bits(to_bits([low, -1], bits), signed=True).tolist() == [low, -1]


@pytest.mark.parametrize(
    "numbers",
    [
        (5, 0, 7),
        np.array([5, 0, 7], np.int8),
        np.array([5, 0, 7], np.uint64),
        np.array([5, 0, 7], ">i2"),
        np.array([5, 0, 7], object),
        np.array([5, 9, 0, 9, 7])[::2],
        [np.int8(5), np.uint64(0), 7],
    ],
)
@pytest.mark.parametrize("bits", [3, 70])
def test_whole_numbers_of_any_kind_have_bits(numbers, bits):
    expected = np.zeros((3, bits), int)
    expected[:, :3] = [[1, 0, 1], [0, 0, 0], [1, 1, 1]]
    np.testing.assert_array_equal(to_bits(numbers, bits), expected)


def test_no_numbers_have_no_bits():
    assert to_bits([], 5).shape == (0, 5)
    assert from_bits(np.zeros((0, 5), int)).shape == (0,)


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int64, np.uint64, ">i4"], ids=lambda dtype: np.dtype(dtype).str
)
@pytest.mark.parametrize("bits", [4, 64])
def test_bits_of_any_dtype_are_read(dtype, bits):
    rows = np.zeros((2, bits), dtype)
    rows[0, [0, bits - 1]] = 1
    assert from_bits(rows).tolist() == [1 + 2 ** (bits - 1), 0]
    assert from_bits(rows, signed=True).tolist() == [1 - 2 ** (bits - 1), 0]


@pytest.mark.parametrize(
    ("error", "numbers", "bits", "wanted"),
    [
        (ValueError, [0, 8], 3, "numbers[1] must be an integer from -4 to 7, got 8"),
        (ValueError, (-5,), 3, "numbers[0] must be an integer from -4 to 7, got -5"),
        (ValueError, [2**70], 70, f"numbers[0] must be an integer from {-(2**69)} to {2**70 - 1}"),
        (ValueError, np.array([-5, 7]), 3, "numbers must hold integers from -4 to 7, which fit in"),
        (ValueError, np.array([8], np.uint64), 3, "3 bits; got 8 to 8"),
        (ValueError, np.array([2**64 - 1], np.uint64), 63, "got 18446744073709551615 to"),
        (TypeError, [1.0], 3, "numbers[0] must be an integer from -4 to 7, got float 1.0"),
        (TypeError, np.array([1.0]), 3, "numbers[0] must be an integer from -4 to 7, got "),
        (TypeError, [True], 3, "numbers[0] must be an integer from -4 to 7, got bool True"),
        (TypeError, np.array([True]), 3, "numbers[0] must be an integer from -4 to 7, got "),
        (TypeError, np.array([1, None]), 3, "numbers[1] must be an integer from -4 to 7, got None"),
        (TypeError, [[1], [1, 0]], 3, "numbers[0] must be an integer from -4 to 7, got list [1]"),
        (TypeError, 5, 3, "numbers must be a sequence of integers, got int 5"),
        (TypeError, np.array(5), 3, "numbers must be a sequence of integers, got an array of"),
        (TypeError, np.array([[5]]), 3, "numbers must be a sequence of integers, got an array of"),
        (TypeError, "101", 3, "numbers must be a sequence of integers, got str '101'"),
        (TypeError, b"101", 3, "numbers must be a sequence of integers, got bytes b'101'"),
        (TypeError, {5}, 3, "numbers must be a sequence of integers, got set {5}"),
        (ValueError, [0], 0, "bits must be an integer >= 1, got 0"),
        (TypeError, [0], 3.0, "bits must be an integer >= 1, got float 3.0"),
        (TypeError, [0], True, "bits must be an integer >= 1, got bool True"),
    ],
)
def test_what_has_no_bits_is_refused(error, numbers, bits, wanted):
    with refusal(error, wanted):
        to_bits(numbers, bits)


@pytest.mark.parametrize(
    ("error", "rows", "signed", "wanted"),
    [
        (TypeError, [[0, 1]], False, "rows must be an (N, bits) array of bits, got list [[0, 1]]"),
        (TypeError, np.array([0, 1]), False, "rows must be an (N, bits) array of bits, got an"),
        (TypeError, np.array([[0.0, 1.0]]), False, "and dtype float64"),
        (TypeError, np.array([[0, 1]], object), False, "and dtype object"),
        (ValueError, np.array([[0, 2]]), False, "rows must hold bits in 0 .. 1, got 2 at index"),
        (ValueError, np.array([[0, -1]]), False, "rows must hold bits in 0 .. 1, got -1 at index"),
        (TypeError, np.array([[0, 1]]), 1, "signed must be True or False, got int 1"),
    ],
)
def test_what_is_no_row_of_bits_is_refused(error, rows, signed, wanted):
    with refusal(error, wanted):
        from_bits(rows, signed=signed)


@pytest.mark.parametrize("dtype", FLOATS)
@given(drawn=binary_numbers(lists=2))
def test_a_sum_becomes_three_sequences_of_bits(dtype, drawn):
    bits, a, b = drawn
    xs, ts = binary_addition(a, b, bits=bits, dtype=dtype)
    assert (xs.shape, ts.shape) == ((len(a), bits, 2), (len(a), bits, 1))
    assert xs.dtype == ts.dtype == dtype
    np.testing.assert_array_equal(xs[:, :, 0], to_bits(a, bits))
    np.testing.assert_array_equal(xs[:, :, 1], to_bits(b, bits))
    sums = [(p + q) % 2**bits for p, q in zip(a, b, strict=True)]
    assert from_bits(ts[:, :, 0].astype(int)).tolist() == sums


@pytest.mark.parametrize("bits", [8, 62, 64])
@pytest.mark.parametrize("pack", [np.array, list], ids=["array", "list of numpy numbers"])
def test_small_dtypes_do_not_overflow_in_a_sum(bits, pack):
    a, b = pack(np.array([127], np.int8)), pack(np.array([100], np.uint8))
    _, ts = binary_addition(a, b, bits=bits)
    assert from_bits(ts[:, :, 0].astype(int)) == 227


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"a": [256]}, "a[0] must be an integer from -128 to 255, got 256"),
        (ValueError, {"b": np.array([-129])}, "b must hold integers from -128 to 255, which fit"),
        (TypeError, {"b": 5}, "b must be a sequence of integers, got int 5"),
        (ValueError, {"b": [1, 2]}, "a and b must be equally many, got 1 and 2"),
        (ValueError, {"bits": 0}, "bits must be an integer >= 1, got 0"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_bad_sums_are_refused(error, change, wanted):
    with refusal(error, wanted):
        binary_addition(**({"a": [1], "b": [2]} | change))


@pytest.mark.parametrize("bits", [1, 5, 8, 63])
def test_random_sums_fit_in_their_bits(bits):
    for xs, ts in islice(binary_sums(4, bits=bits, rng=np.random.default_rng(0)), 20):
        assert xs.shape == (4, bits, 2)
        a, b, sums = (from_bits(x.astype(int)) for x in (xs[..., 0], xs[..., 1], ts[..., 0]))
        assert max(a.max(), b.max()) < 2 ** (bits - 1)
        np.testing.assert_array_equal(a + b, sums)


def test_random_sums_reach_every_pair_and_come_from_the_generator():
    def first(seed, count):
        batches = binary_sums(1, bits=3, rng=np.random.default_rng(seed), dtype=np.float32)
        return [xs.tobytes() for xs, _ in islice(batches, count)]

    assert len(set(first(0, 300))) == 4 * 4
    assert first(0, 9) == first(0, 9)
    assert first(0, 9) != first(1, 9)


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"batch_size": 0}, "batch_size must be an integer >= 1, got 0"),
        (TypeError, {"batch_size": 2.0}, "batch_size must be an integer >= 1, got float 2.0"),
        (ValueError, {"bits": 64}, "bits must be an integer from 1 to 63, got 64"),
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_bad_random_sums_are_refused_at_once(error, change, wanted):
    with refusal(error, wanted):
        binary_sums(**({"batch_size": 2, "rng": np.random.default_rng(0)} | change))


# The rhyme ----------------------------------------------------------------------------


def test_the_rhyme_repeats_in_every_stanza_all_of_the_one_before():
    text = house_that_jack_built()
    stanzas = text.splitlines()
    assert len(stanzas) == 12
    assert stanzas[0] == "this is the house that Jack built"
    assert stanzas[1] == "this is the malt that lay in the house that Jack built"
    for before, stanza in pairwise(stanzas):
        assert stanza.endswith(before.removeprefix("this is"))
    end = "kept the cock that crowed in the morn that waked the priest all shaven and shorn that "
    assert f"\nthis is the farmer sowing his corn that {end}" in text
    tokens = tokenize(text, "word")
    assert (len(tokens), len(Vocabulary(tokens))) == (475, 48)
    assert detokenize(tokens, "word") == text


# Tokens -------------------------------------------------------------------------------


@given(st.text())
def test_characters_are_joined_to_the_text_again(text):
    tokens = tokenize(text, "char")
    assert tokens == list(text)
    assert detokenize(tokens, "char") == text


@given(st.text() | st.text(alphabet="aB'’.,!() \n\t-"))
def test_of_words_nothing_is_lost_but_blanks(text):
    tokens = tokenize(text, "word")
    assert "".join(tokens) == "".join(x for x in text if x == "\n" or not x.isspace())
    again = tokenize(detokenize(tokens, "word"), "word")
    assert "".join(again) == "".join(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat, the hat.", ["The", "cat", ",", "the", "hat", "."]),
        ("I don't\nsay “no”!", ["I", "don't", "\n", "say", "“", "no", "”", "!"]),
        ("l’été: 3.5 (über)", ["l’été", ":", "3", ".", "5", "(", "über", ")"]),
        ("안녕, 세상\r", ["안녕", ",", "세상"]),
        ("  \t ", []),
    ],
)
def test_words_marks_and_line_ends_are_tokens(text, tokens):
    assert tokenize(text, "word") == tokens


@pytest.mark.parametrize(
    "text",
    ["I don't know; do you (yet)?\n\nYes: “no”!\n", "a b, c. D e", "", "\n\n", "[x] {y}"],
)
def test_ordinary_prose_is_printed_as_it_was(text):
    assert detokenize(tokenize(text, "word"), "word") == text


@pytest.mark.parametrize(
    ("error", "call", "wanted"),
    [
        (TypeError, lambda: tokenize(b"a", "char"), "text must be a str, got bytes b'a'"),
        (ValueError, lambda: tokenize("a", "byte"), "level must be 'char' or 'word', got 'byte'"),
        (TypeError, lambda: tokenize("a", 1), "level must be 'char' or 'word', got int 1"),
        (TypeError, lambda: detokenize("ab", "char"), "tokens must be a list of str, got str"),
        (TypeError, lambda: detokenize(["a", 1], "word"), "list of str, got int 1 at place 1"),
        (ValueError, lambda: detokenize(["a"], ""), "level must be 'char' or 'word', got ''"),
    ],
)
def test_what_is_no_text_has_no_tokens(error, call, wanted):
    with refusal(error, wanted):
        call()


# Vocabularies -------------------------------------------------------------------------

TOKENS = ["to", "be", "or", "not", "to", "be", "\n"]


def test_tokens_are_numbered_in_order_of_first_appearance():
    vocabulary = Vocabulary(TOKENS)
    assert vocabulary.tokens == ("to", "be", "or", "not", "\n")
    assert len(vocabulary) == 5
    assert "or" in vocabulary
    assert "and" not in vocabulary
    ids = vocabulary.encode(TOKENS)
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, [0, 1, 2, 3, 0, 1, 4])
    assert vocabulary.decode(ids) == TOKENS
    assert vocabulary.encode([]).shape == (0,)


@given(tokens=st.lists(st.text(max_size=3), min_size=1), size=st.none() | st.integers(2, 5))
def test_a_vocabulary_goes_through_json_and_its_numbers_back(tokens, size):
    vocabulary = Vocabulary(tokens, size)
    again = Vocabulary(json.loads(json.dumps(vocabulary.tokens)))
    assert again == vocabulary
    assert len(vocabulary) == len(set(vocabulary.tokens)) <= (size or len(tokens))
    ids = vocabulary.encode(tokens)
    np.testing.assert_array_equal(again.encode(tokens), ids)
    for token, found in zip(tokens, vocabulary.decode(ids), strict=True):
        assert found == (token if token in vocabulary else UNKNOWN)


def test_of_a_capped_vocabulary_the_most_frequent_tokens_stay():
    vocabulary = Vocabulary(["c", "b", "a", "b", "d", "a", "e"], 4)
    assert vocabulary.tokens == (UNKNOWN, "c", "b", "a")
    np.testing.assert_array_equal(vocabulary.encode(["e", "a", "never seen"]), [0, 3, 0])
    assert Vocabulary(["c", "b", "a"], 3) == Vocabulary(["c", "b", "a"])
    assert Vocabulary(["c", "b"]) != Vocabulary(["b", "c"])
    assert Vocabulary(["c"]) != ("c",)


@pytest.mark.parametrize(
    ("error", "call", "wanted"),
    [
        (
            ValueError,
            lambda v: v.encode(["to", "be", "me"]),
            "tokens must be in the vocabulary of 5, got 'me' at place 2",
        ),
        (TypeError, lambda v: v.encode("to"), "tokens must be a list of str, got str 'to'"),
        (TypeError, lambda v: v.encode(["to", None]), "got NoneType None at place 1"),
        (ValueError, lambda v: v.decode(np.array([5])), "ids must hold token ids in 0 .. 4, got 5"),
        (TypeError, lambda v: v.decode([0]), "ids must be a numpy array of integer token ids"),
        (ValueError, lambda v: Vocabulary([]), "tokens must hold at least one token, got none"),
        (TypeError, lambda v: Vocabulary("text"), "tokens must be a list of str, got str 'text'"),
        (ValueError, lambda v: Vocabulary(TOKENS, 1), "max_size must be an integer >= 2, got 1"),
        (TypeError, lambda v: hash(v), "unhashable"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_named(error, call, wanted):
    with refusal(error, wanted):
        call(Vocabulary(TOKENS))


def test_a_vocabulary_shows_itself_briefly():
    assert repr(Vocabulary(["a", "b"])) == "Vocabulary of 2 tokens: ('a', 'b')"
    assert len(repr(Vocabulary([str(i) for i in range(1000)]))) < 100


# Texts of the reader's own ------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "One, two\nthrée\n".encode(),
        b"\xef\xbb\xbf" + "One, two\nthrée\n".encode(),
        "One, two\r\nthrée\r\n".encode(),
        "One, two\rthrée\r".encode(),
    ],
    ids=["plain", "mark", "Windows", "old Mac"],
)
def test_a_text_is_read_wherever_it_was_written(tmp_path, raw):
    path = tmp_path / "mine.txt"
    path.write_bytes(raw)
    for name in (path, str(path)):
        ids, vocabulary = load_text(name, "char")
        assert "".join(vocabulary.decode(ids)) == "One, two\nthrée\n"
    ids, vocabulary = load_text(path, "word")
    assert vocabulary.tokens == ("One", ",", "two", "\n", "thrée")
    np.testing.assert_array_equal(ids, [0, 1, 2, 3, 4, 3])
    ids, vocabulary = load_text(path, "word", max_vocabulary=3)
    assert vocabulary.tokens == (UNKNOWN, "One", "\n")
    np.testing.assert_array_equal(ids, [1, 0, 0, 2, 0, 2])


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", "mine.txt must be a text file in UTF-8, got an empty file"),
        (b"\xff\xfea\0", "in UTF-8, got UTF-16"),
        (b"abc\0def", "in UTF-8, got a binary file, with a zero at byte 3"),
        ("né".encode("latin-1"), "in UTF-8, got 0xe9 at byte 1: unexpected end of data"),
        (b"ok \x80", "in UTF-8, got 0x80 at byte 3: invalid start byte"),
        (b"a", "mine.txt must hold at least two tokens, got 1"),
        (b"\xef\xbb\xbf", "mine.txt must hold at least two tokens, got 0"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, raw, wanted):
    (tmp_path / "mine.txt").write_bytes(raw)
    with refusal(ValueError, wanted):
        load_text(tmp_path / "mine.txt", "char")


@given(raw=st.binary(max_size=30))
def test_any_file_is_read_or_refused_by_name(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(raw)
    try:
        message, (ids, vocabulary) = "", load_text(path, "char")
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("any.txt must ")
    else:
        text = raw.decode().removeprefix("\ufeff")
        assert "".join(vocabulary.decode(ids)).splitlines() == text.splitlines()


def test_a_path_that_leads_to_no_text_is_refused(tmp_path):
    with refusal(FileNotFoundError, f"existing text file, got {str(tmp_path / 'no.txt')!r}"):
        load_text(tmp_path / "no.txt", "char")
    with refusal(IsADirectoryError, f"path must be a text file, got the folder {str(tmp_path)!r}"):
        load_text(tmp_path, "char")
    with refusal(TypeError, "path must be a path, got int 5"):
        load_text(5, "char")
    with refusal(ValueError, "level must be 'char' or 'word', got 'line'"):
        load_text(tmp_path, "line")
    with refusal(ValueError, "max_vocabulary must be an integer >= 2, got 1"):
        load_text(tmp_path, "word", max_vocabulary=1)


@given(size=st.integers(2, 60), held_out=st.floats(0.01, 0.99))
def test_the_last_part_of_a_text_is_held_out(size, held_out):
    tokens, test_size = np.arange(size), round(held_out * size)
    if not 2 <= test_size <= size - 2:
        with refusal(ValueError, "held_out must leave at least two tokens on both sides, got "):
            split_text(tokens, held_out=held_out)
        return
    train, test = split_text(tokens, held_out=held_out)
    assert len(test) == test_size
    np.testing.assert_array_equal([*train, *test], tokens)


@pytest.mark.parametrize(
    ("error", "tokens", "held_out", "wanted"),
    [
        (ValueError, np.arange(9), 0, "held_out must be a finite number > 0 < 1, got 0"),
        (ValueError, np.arange(9), 1, "held_out must be a finite number > 0 < 1, got 1"),
        (TypeError, [1, 2, 3], 0.5, "tokens must be a numpy array of integer tokens, got list"),
        (ValueError, np.ones((9, 9), int), 0.5, "tokens must have shape (K,), got (9, 9)"),
    ],
)
def test_what_cannot_be_split_is_refused(error, tokens, held_out, wanted):
    with refusal(error, wanted):
        split_text(tokens, held_out=held_out)


# Files of named arrays; models and training tests hold the rest -----------------------


def test_arrays_of_any_kind_but_objects_are_written_and_read(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"x/y": np.arange(3), "text": np.array("é\n"), "none": np.zeros((0, 2))}
    write_arrays(path, arrays)
    found = read_arrays(str(path))
    np.testing.assert_equal(found, arrays)
    for bad in ([1], np.array([{}])):
        with refusal(TypeError, "arrays['x'] must be an array without Python objects, got "):
            write_arrays(path, {"x": bad})
    np.testing.assert_equal(read_arrays(path), arrays)


def test_what_a_killed_process_left_behind_is_in_nobodys_way(tmp_path):
    part = tmp_path / f".a.npz.{os.getpid()}.part"
    part.write_bytes(b"half a file")
    write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    assert os.listdir(tmp_path) == ["a.npz"]
