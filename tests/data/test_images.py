"""The digits are what they were; an IDX file is read to the last byte, or refused."""

import gzip
import shutil
import struct
import tracemalloc
from importlib import resources

import numpy as np
import pytest
from helpers import FLOATS, refusal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnbook.data import load_digits, load_mnist, read_idx

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
    text = resources.files("rnnbook.data").joinpath("digits-LICENSE.txt").read_text(encoding="utf8")
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


def test_no_more_of_a_gzipped_file_is_unpacked_than_its_header_says(idx_path):
    idx_path.write_bytes(gzip.compress(GOOD + bytes(2**24), 1))
    tracemalloc.start()
    try:
        with refusal(ValueError, "18 bytes for its shape (2, 3), got 19: it is too long"):
            read_idx(idx_path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    idx_path.write_bytes(gzip.compress(b"\0\0\x08\x01\x40\0\0\0" + bytes(2**20)))
    with refusal(ValueError, "numbers-idx must have at most 1073741824 bytes"):
        read_idx(idx_path)
    idx_path.write_bytes(b"\0\0\x08\x02" + b"\xff" * 8 + b"\0")
    with refusal(ValueError, "numbers-idx must have at most 1073741824 bytes"):
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
