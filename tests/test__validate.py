"""Bad input is refused with a message that names the argument, the want and what came."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import read_only, refusal

from rnnbook import _validate
from rnnbook.layers import RowGradient


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_an_integer_of_any_kind_becomes_an_int(value):
    assert type(_validate.integer("n", value, minimum=3, maximum=3)) is int


@pytest.mark.parametrize("value", [3.0, "3", True, None, np.ones(1, int)])
def test_what_is_no_integer_is_refused(value):
    with refusal(TypeError, "n must be an integer", type(value).__name__.removeprefix("nd")):
        _validate.integer("n", value)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ({"minimum": 4}, "n must be an integer >= 4, got 3"),
        ({"maximum": 2}, "n must be an integer <= 2, got 3"),
        ({"minimum": 4, "maximum": 9}, "n must be an integer from 4 to 9, got 3"),
    ],
)
def test_an_integer_out_of_bounds_is_refused(bounds, wanted):
    with refusal(ValueError, wanted):
        _validate.integer("n", 3, **bounds)


@pytest.mark.parametrize("value", [1, 1.5, Fraction(1, 2), np.int8(3), np.array(2.5)])
def test_a_real_number_of_any_kind_is_welcome(value):
    assert _validate.real("lr", value, above=0) == value


def test_a_numpy_number_keeps_its_dtype():
    assert type(_validate.real("lr", np.float32(0.5))) is np.float32


@pytest.mark.parametrize("value", ["0.1", None, True, 1j, np.ones(2), [0.1]])
def test_what_is_no_real_number_is_refused(value):
    with refusal(TypeError, "lr must be a finite number > 0, got "):
        _validate.real("lr", value, above=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32("nan"), 10**400])
def test_a_number_that_is_not_finite_is_refused(value):
    with refusal(
        ValueError, "lr must be a finite number, got ", "nan" if value != value else "inf"
    ):
        _validate.real("lr", value)


@pytest.mark.parametrize(
    ("value", "bounds", "wanted"),
    [
        (0, {"above": 0}, "> 0"),
        (-0.1, {"minimum": 0}, ">= 0"),
        (1, {"minimum": 0, "below": 1}, ">= 0 < 1"),
    ],
)
def test_a_number_out_of_bounds_is_refused(value, bounds, wanted):
    with refusal(ValueError, f"beta must be a finite number {wanted}, got {value}"):
        _validate.real("beta", value, **bounds)


@pytest.mark.parametrize("value", [0, None, np.random.RandomState(0), np.random])
def test_only_a_generator_is_a_generator(value):
    with refusal(TypeError, "rng must be a numpy.random.Generator", "default_rng(0)"):
        _validate.generator("rng", value)


@pytest.mark.parametrize("value", ["float32", np.float32, np.dtype("float32"), "f4"])
def test_a_float_dtype_may_be_given_in_any_form(value):
    assert _validate.float_dtype("dtype", value) == np.dtype("float32")


@pytest.mark.parametrize("value", [int, "float16", ">f8", None, "nonsense", 5, np.complex128])
def test_another_dtype_is_refused(value):
    with refusal(TypeError, "dtype must be float32 or float64, got ", repr(value)):
        _validate.float_dtype("dtype", value)


@pytest.mark.parametrize("value", ["folder", Path("folder")])
def test_a_path_may_be_a_string(value):
    assert _validate.path("folder", value) == Path("folder")


@pytest.mark.parametrize("value", [None, 5, b"folder"])
def test_what_is_no_path_is_refused(value):
    with refusal(TypeError, "folder must be a path, got ", repr(value)):
        _validate.path("folder", value)


def test_an_object_without_the_wanted_parts_is_refused():
    with refusal(TypeError, "model must be a classifier, with forward, backward; got int 5"):
        _validate.having("model", 5, ("forward", "backward"), "a classifier")


@pytest.mark.parametrize("part", ["forward", "backward"])
def test_one_missing_part_is_enough_and_with_all_of_them_the_object_comes_back(part):
    model = SimpleNamespace(forward=None, backward=None)
    assert _validate.having("model", model, ("forward", "backward"), "a classifier") is model
    delattr(model, part)
    with refusal(TypeError, "model must be a classifier, with forward, backward; got Simple"):
        _validate.having("model", model, ("forward", "backward"), "a classifier")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ([1.0], "xs must be a numpy array, got list [1.0]"),
        (1.0, "xs must be a numpy array, got float 1.0"),
        (np.ones((2, 3), int), "xs must hold float32 or float64 numbers, got dtype int"),
        (np.ones((2, 3), np.float16), "got dtype float16; convert with xs.astype(float)"),
        (np.ones((2, 3), ">f8"), "got dtype >f8"),
        (np.ones((2, 3), object), "got dtype object"),
        (np.ones((2, 3)), "xs must have dtype float32, the dtype of W, got float64"),
    ],
)
def test_an_array_of_the_wrong_type_is_refused(value, wanted):
    with refusal(TypeError, wanted):
        _validate.floats("xs", value, ("N", 3), dtype=np.float32, like="W")


@pytest.mark.parametrize("shape", [(), (3,), (3, 2), (1, 2, 3)])
def test_an_array_of_the_wrong_shape_is_refused(shape):
    with refusal(ValueError, f"xs must have shape (N, 3), got {shape}"):
        _validate.floats("xs", np.ones(shape), ("N", 3))


def test_the_shape_of_a_vector_is_written_like_a_tuple():
    with refusal(ValueError, "b must have shape (4,), got (3,)"):
        _validate.floats("b", np.ones(3), (4,))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_entry_that_is_not_finite_is_named(bad):
    x = np.zeros((2, 3))
    x[1, 2] = bad
    with refusal(ValueError, f"x must be finite, got {bad} at index [1, 2]"):
        _validate.floats("x", x, None)


def test_a_good_array_comes_back_itself():
    x = np.ones((2, 3), np.float32)
    assert _validate.floats("x", x, ("N", 3), dtype=np.float32) is x


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, np.arange(3), "W must hold float32 or float64"),
        (ValueError, np.ones((0, 3)), "W must not be empty, got shape (0, 3)"),
        (ValueError, read_only(np.ones(3)), "W must be writeable"),
    ],
)
def test_what_cannot_be_changed_in_small_steps_is_refused(error, value, wanted):
    with refusal(error, wanted):
        _validate.steppable("W", value)


@pytest.mark.parametrize(
    ("error", "params", "grads", "wanted"),
    [
        (TypeError, [np.ones(2)], {}, "params must be a dict of arrays by name, got list"),
        (TypeError, {"W": np.ones(2)}, np.ones(2), "grads must be a dict of arrays"),
        (TypeError, {"W": [1.0]}, {"W": np.ones(1)}, "params['W'] must be a numpy array"),
        (ValueError, {"W": np.ones(2)}, {}, "names of params, ['W'], got []; has backward run?"),
        (ValueError, {"W": np.ones(2)}, {"W": np.ones(3)}, "grads['W'] must have shape (2,)"),
        (TypeError, {"W": np.ones(2)}, {"W": np.ones(2, "f4")}, "grads['W'] must have dtype"),
        (ValueError, {"W": np.ones(2)}, {"W": np.array([1, np.nan])}, "grads['W'] must be finite"),
    ],
)
def test_parameters_and_gradients_that_do_not_fit_are_refused(error, params, grads, wanted):
    with refusal(error, wanted):
        _validate.parameters(params, grads)


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, "0", "ids must be a list or numpy array of integer token ids, got str '0'"),
        (TypeError, [0, 1.0], "ids must hold integer token ids, got float 1.0"),
        (TypeError, [0, True], "ids must hold integer token ids, got bool True"),
        (TypeError, [np.ma.array([1], mask=True)], "ids must hold integer token ids, got Masked"),
        (ValueError, [[0, 1], [2]], "ids must hold token ids in rows of one length, got list [["),
        (ValueError, [[0], 1], "ids must hold token ids in rows of one length, got list [[0], 1]"),
        (ValueError, [0, -1], "ids must hold token ids in 0 .. 2, got -1 at index [1]"),
        (ValueError, [2**64], "ids must hold token ids of 64 bits at most, got a longer one"),
        (ValueError, [10**5000], "ids must hold token ids of 64 bits at most, got a longer one"),
        (TypeError, np.array([0.0]), "ids must hold integer token ids, got dtype float64"),
        (TypeError, np.array([True]), "got dtype bool"),
        (TypeError, np.array([1], "m8[s]"), "got dtype timedelta64[s]"),
        (ValueError, np.array([[0, 3]]), "token ids in 0 .. 2, got 3 at index [0, 1]"),
        (ValueError, np.array([-1]), "token ids in 0 .. 2, got -1 at index [0]"),
        (ValueError, np.array(7), "token ids in 0 .. 2, got 7"),
    ],
)
def test_indices_that_point_nowhere_are_refused(error, value, wanted):
    with refusal(error, wanted):
        _validate.indices("ids", value, None, size=3, what="token ids")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int64])
def test_small_integers_are_compared_with_sizes_that_they_cannot_hold(dtype):
    t = np.array([0, 127], dtype)
    assert _validate.indices("t", t, ("N",), size=300) is t


@pytest.mark.parametrize("dtype", [bool, np.uint8, int, np.float16, np.float32, float])
def test_one_hot_rows_of_any_number_type_become_labels(dtype):
    t = np.array([2, 0, 1, 2])
    np.testing.assert_array_equal(_validate.labels("t", np.eye(3, dtype=dtype)[t], (4, 3)), t)


def test_as_many_labels_as_classes_are_still_labels():
    t = np.array([0, 0, 1])
    np.testing.assert_array_equal(_validate.labels("t", t, (3, 3)), t)


def test_a_single_example_takes_a_label_or_a_one_hot_row():
    assert _validate.labels("t", np.array(2), (3,)) == 2
    assert _validate.labels("t", np.array([0, 0, 1]), (3,)) == 2


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, {0, 1}, "t must be a list or numpy array of labels, got set {0, 1}"),
        (TypeError, [0, 1.0], "t must hold integer labels, got float 1.0"),
        (TypeError, np.array([0.0, 1.0]), "t must hold integer labels, got dtype float64"),
        (ValueError, np.array([0, 3]), "t must hold labels in 0 .. 2, got 3 at index [1]"),
        (ValueError, np.array([-1, 0]), "got -1 at index [0]"),
        (
            ValueError,
            np.array([0, 1, 2]),
            "shape (2,) or one-hot rows of shape (2, 3), got shape (3,)",
        ),
        (ValueError, np.array([[0], [1]]), "got shape (2, 1)"),
        (ValueError, np.array([[1, 0, 0], [1, 1, 0]]), "got [1, 1, 0] at row 1"),
        (ValueError, np.array([[0, 0, 0], [0, 1, 0]]), "got [0, 0, 0] at row 0"),
        (ValueError, np.array([[1, 0, 0], [0, 2, 0]]), "got [0, 2, 0] at row 1"),
        (ValueError, np.array([[1, 0, 0], [2, -1, 0]]), "got [2, -1, 0] at row 1"),
        (ValueError, np.array([[0.1, 0.9, 0], [0, 1, 0]]), "(a single 1, otherwise 0)"),
        (ValueError, np.array([[1, np.nan, 0], [0, 1, 0]]), "got [1.0, nan, 0.0] at row 0"),
        (TypeError, np.array([["a"] * 3] * 2), "t must hold integer labels or one-hot rows"),
    ],
)
def test_what_is_neither_labels_nor_one_hot_rows_is_refused(error, value, wanted):
    with refusal(error, wanted):
        _validate.labels("t", value, (2, 3))


# Where the mask is False, labels may be anything; here that is the last place.
MASK = np.array([[True, True], [True, False]])


@pytest.mark.parametrize("anything", [-1, 3, 10**12, np.iinfo(np.int64).min])
def test_where_a_mask_is_false_any_label_will_do(anything):
    t = read_only(np.array([[0, 2], [1, anything]]))
    labels = _validate.labels("ts", t, (2, 2, 3), mask=MASK)
    np.testing.assert_array_equal(labels, [[0, 2], [1, 0]])


@pytest.mark.parametrize("anything", [np.nan, np.inf, -1, 0, 1, 0.5])
def test_where_a_mask_is_false_any_row_will_do(anything):
    t = np.eye(3)[np.array([[0, 2], [1, 0]])]
    t[1, 1] = anything
    labels = _validate.labels("ts", read_only(t), (2, 2, 3), mask=MASK)
    np.testing.assert_array_equal(labels, [[0, 2], [1, 0]])


def test_masked_rows_of_a_million_classes_need_no_square_table():
    t = np.zeros((1, 2, 10**6), np.uint8)
    t[0, 0, 5] = 1
    labels = _validate.labels("ts", t, t.shape, mask=np.array([[True, False]]))
    np.testing.assert_array_equal(labels, [[5, 0]])


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (ValueError, np.array([[0, 3], [1, 0]]), "ts must hold labels in 0 .. 2, got 3"),
        (TypeError, np.array([[0, 1], [1, np.nan]]), "ts must hold integer labels, got dtype"),
        (ValueError, np.array([0, 1]), "ts must hold integer labels of shape (2, 2) or one-hot"),
        (ValueError, np.zeros((2, 2, 3)), "otherwise 0), got [0.0, 0.0, 0.0] at row 0"),
        (TypeError, [[0, 1], [1, None]], "ts must hold integer labels, got NoneType None"),
    ],
)
def test_a_mask_excuses_nothing_where_it_is_true(error, value, wanted):
    with refusal(error, wanted):
        _validate.labels("ts", value, (2, 2, 3), mask=MASK)


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, [[True, False]], "mask must be a numpy array of bools, got list"),
        (TypeError, np.ones((1, 2), int), "mask must be a numpy array of bools, got an array of"),
        (TypeError, np.ones((1, 2), object), "and dtype object"),
        (TypeError, None, "mask must be a numpy array of bools, got NoneType None"),
        (ValueError, np.ones((2, 1), bool), "mask must have shape (1, 2), got (2, 1)"),
        (ValueError, np.ones(2, bool), "mask must have shape (1, 2), got (2,)"),
        (ValueError, np.zeros((1, 2), bool), "mask must be True somewhere, got False everywhere"),
    ],
)
def test_what_is_no_mask_is_refused(error, value, wanted):
    with refusal(error, wanted):
        _validate.mask("mask", value, (1, 2))


@pytest.mark.parametrize("places", [[(0, 1)], [(0, 0)], [(0, 0), (0, 1)]])
def test_a_mask_is_true_somewhere_and_comes_back(places):
    mask = np.zeros((1, 2), bool)
    mask[tuple(zip(*places, strict=True))] = True
    assert _validate.mask("mask", mask, (1, 2)) is mask


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_a_bool_of_either_kind_becomes_a_bool(value):
    assert _validate.boolean("bias", value) is bool(value)


@pytest.mark.parametrize("value", [0, 1, None, "True", np.array(True), np.int8(1)])
def test_what_is_no_bool_is_refused(value):
    with refusal(TypeError, "bias must be True or False, got ", _validate.describe(value)):
        _validate.boolean("bias", value)


@pytest.mark.parametrize("value", [None, [("W", np.ones(2))], {1: np.ones(2)}, {None: np.ones(2)}])
def test_arrays_without_names_are_refused(value):
    with refusal(TypeError, "params must be a dict of arrays by name, got "):
        _validate.named_arrays("params", value)


def test_a_gradient_is_the_whole_array_or_its_rows():
    rows = RowGradient(np.array([0, 2]), np.ones((2, 3)), (4, 3))
    for value in (np.ones((4, 3)), rows, RowGradient(np.zeros(0, int), np.ones((0, 3)), (4, 3))):
        assert _validate.gradient("g", value, (4, 3), dtype=np.float64) is value


@pytest.mark.parametrize(
    ("error", "ids", "rows", "shape", "wanted"),
    [
        (ValueError, [0, 2], np.ones((2, 3)), (5, 3), "g must have shape (4, 3), got (5, 3)"),
        (ValueError, [0, 4], np.ones((2, 3)), (4, 3), "the ids of g must hold row numbers in 0"),
        (ValueError, [-1, 2], np.ones((2, 3)), (4, 3), "got -1 at index [0]"),
        (ValueError, [2, 0], np.ones((2, 3)), (4, 3), "the ids of g must rise, each once"),
        (ValueError, [1, 1], np.ones((2, 3)), (4, 3), "each once, got list [1, 1]"),
        (TypeError, [0.0, 2.0], np.ones((2, 3)), (4, 3), "the ids of g must hold integer"),
        (ValueError, [0, 2], np.ones((1, 3)), (4, 3), "the rows of g must have shape (2, 3)"),
        (ValueError, [0, 2], np.ones((2, 1)), (4, 3), "the rows of g must have shape (2, 3)"),
        (TypeError, [0, 2], np.ones((2, 3), "f4"), (4, 3), "the rows of g must have dtype float64"),
        (ValueError, [0, 2], np.full((2, 3), np.nan), (4, 3), "the rows of g must be finite"),
    ],
)
def test_rows_that_are_no_gradient_are_refused(error, ids, rows, shape, wanted):
    with refusal(error, wanted):
        gradient = RowGradient(np.array(ids), rows, shape)
        _validate.gradient("g", gradient, (4, 3), dtype=np.float64)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ones((2, 3)), "an array of shape (2, 3) and dtype float64"),
        ("short", "str 'short'"),
        ("long" * 20, "str"),
    ],
)
def test_a_value_is_described_briefly(value, text):
    assert _validate.describe(value) == text


def test_one_of_a_few_words_is_chosen():
    assert _validate.choice("level", "word", ("char", "word")) == "word"
    for error, value, got in (
        (ValueError, "Word", "'Word'"),
        (ValueError, "w" * 99, "'" + "w" * 58 + "…"),
        (TypeError, None, "NoneType None"),
    ):
        with refusal(error, f"level must be 'char', 'line' or 'word', got {got}"):
            _validate.choice("level", value, ("char", "line", "word"))


@pytest.mark.parametrize(("text", "short"), [("abc", "abc"), ("abcd", "ab…")])
def test_a_long_text_is_cut_off(text, short):
    assert _validate.shorten(text, 3) == short


@pytest.mark.parametrize(
    ("error", "value", "wanted"),
    [
        (TypeError, 1.0, "dout must be a numpy array, got float 1.0"),
        (TypeError, np.ones((2, 3), "f4"), "must have dtype float64, the dtype of the layer's out"),
        (ValueError, np.ones((3, 2)), "dout must have shape (2, 3), got (3, 2)"),
        (ValueError, np.full((2, 3), np.inf), "dout must be finite, got inf at index [0, 0]"),
    ],
)
def test_an_upstream_gradient_that_does_not_fit_the_output_is_refused(error, value, wanted):
    with refusal(error, wanted):
        _validate.dout(value, (2, 3), np.float64)


def test_an_upstream_gradient_that_fits_comes_back_and_may_go_unread():
    for value, look in ((np.ones((2, 3)), True), (np.full((2, 3), np.nan), False)):
        assert _validate.dout(value, (2, 3), np.float64, look=look) is value


def test_a_way_back_needs_a_way_there():
    cache = np.zeros(0)  # whatever it is, only None is none
    assert _validate.forwarded(object(), cache) is cache
    with refusal(RuntimeError, "dict.backward needs a forward pass first"):
        _validate.forwarded({}, None)
