"""Answers compared: what is accepted, what is said of the rest, and in which order."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbook.checks import compare as c
from rnnbook.checks import verdict
from rnnbook.checks.verdict import NotYet, Wrong

RIGHT = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -6.0]])


def told(got, right=RIGHT, slips=()):
    """Return what the comparison says of an answer, or None where it accepts it."""
    verdict._remarks.clear()
    try:
        c.compare("W", got, right, slips)
    except Wrong as wrong:
        return str(wrong)
    return None


class Tensor:
    """A stand-in for a tensor that cannot be turned into an array before it is detached."""

    def detach(self):
        return RIGHT


@pytest.mark.parametrize(
    "got",
    [
        RIGHT,
        RIGHT.tolist(),
        tuple(map(tuple, RIGHT)),
        [list(row) for row in RIGHT],
        [RIGHT[0], RIGHT[1]],
        RIGHT.astype(np.float32),
        RIGHT.astype(np.longdouble),
        RIGHT.astype(complex),
        RIGHT.astype(object),
        [[Fraction(x) for x in row] for row in RIGHT],
        np.asfortranarray(RIGHT),
        RIGHT + 1e-12,
        Tensor(),
    ],
    ids=lambda got: type(got).__name__,
)
def test_right_numbers_are_right_whatever_holds_them(got):
    assert told(got) is None


@pytest.mark.parametrize("got", [3, 3.0, np.int8(3), np.float32(3), np.array(3), Fraction(3)])
def test_a_number_of_any_type_is_a_number(got):
    assert told(got, 3.0) is None
    assert c.whole("n", got) == 3


def test_booleans_are_bits():
    assert told([True, False], np.array([1, 0])) is None
    assert c.truth("y", np.bool_(True)) is True
    assert c.truth("y", 0) is False


def test_precision_follows_the_type_of_the_answer():
    exact = np.array([1 / 3, -2 / 7, 1000.1])
    assert told(exact.astype(np.float32), exact) is None
    assert "float32" in verdict._remarks[0]
    assert told(exact.astype(np.float16), exact) is not None or "float16" in verdict._remarks[0]
    assert told(exact * (1 + 1e-6), exact) is None
    assert "about five digits" in verdict._remarks[0]
    assert told(exact * (1 + 1e-12), exact) is None
    assert verdict._remarks == []
    assert told(exact * (1 + 1e-4), exact) is not None
    assert told((exact * (1 + 1e-3)).astype(np.float32), exact) is not None


def test_tiny_numbers_are_not_taken_for_zero():
    tiny = np.array([1e-8, -3e-8])
    assert told(tiny, tiny) is None
    assert told(0 * tiny, tiny) is not None
    assert told(np.array([0.0, 1e-6]), np.zeros(2)) is None
    assert told(np.array([0.0, 1e-3]), np.zeros(2)) is not None


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (None, "Not yet: W came out as None."),
        (..., "Not yet: W came out as Ellipsis."),
        ([1.0, None], "Not yet: part of W came out as None."),
        ("ab", "W must be a number or an array of numbers, got str."),
        ({1, 2}, "W must be a number or an array of numbers, got set."),
        ([[1.0], [2.0, 3.0]], "all rows equally long"),
        (np.array(["a"]), "W must be a number or an array of numbers"),
        (RIGHT * 1j, "W must be a number or an array of numbers"),
        (RIGHT.ravel(), "W has the right numbers in the shape (6,); wanted: shape (2, 3)."),
        (RIGHT[None], "W has the right numbers in the shape (1, 2, 3)"),
        (RIGHT.T, "W is turned round: rows and columns are in each other's place."),
        (RIGHT[::-1], "W has the right numbers in the opposite order along axis 0."),
        (RIGHT[:, ::-1], "W has the right numbers in the opposite order along axis 1."),
        (RIGHT[:, :2], "W must have shape (2, 3), got an array of shape (2, 2)."),
        (5.0, "W must have shape (2, 3), got a single number."),
        (-RIGHT, "W has the wrong sign."),
        (3 * RIGHT, "3 times as much."),
        (RIGHT * np.nan, "something overflowed or was divided by zero"),
        (RIGHT + np.inf, "something overflowed or was divided by zero"),
        (RIGHT + 1, "W should be [[ 1. , -2. , 3. ], [ 0.5, 4. , -6. ]], got [["),
    ],
)
def test_what_is_said_of_an_answer_that_is_not_right(got, message):
    assert message in told(got)


def test_a_single_number_in_an_array_is_a_question_of_shape():
    assert told(np.array([3.0]), 3.0) == (
        "W has the right numbers in the shape (1,); wanted: a single number."
    )


def test_a_slip_is_told_by_its_numbers_but_never_for_right_ones():
    slips = [(RIGHT**2, "do not square"), (RIGHT, "that is right"), (RIGHT.sum(), "do not sum")]
    assert told(RIGHT**2, slips=slips) == "W is not right yet: do not square."
    assert told((RIGHT**2).astype(np.float32), slips=slips) == "W is not right yet: do not square."
    assert told(RIGHT.sum(), slips=slips) == "W is not right yet: do not sum."
    assert told(RIGHT, slips=slips) is None


def test_two_slips_with_the_same_numbers_are_both_told():
    slips = [(RIGHT**2, "do not square"), (RIGHT * RIGHT, "one factor is enough")]
    assert "do not square, or one factor is enough" in told(RIGHT**2, slips=slips)


@given(st.floats(1e-12, 9e-6), st.sampled_from([-1, 1]), st.integers(0, 5))
def test_any_difference_below_the_limit_is_accepted(size, sign, place):
    got = RIGHT.copy()
    got.flat[place] *= 1 + sign * size
    assert told(got) is None


@given(st.floats(1e-4, 1e4), st.sampled_from([-1, 1]), st.integers(0, 5))
def test_any_difference_above_the_limit_is_refused(size, sign, place):
    got = RIGHT.copy()
    got.flat[place] += sign * size * 6
    assert told(got) is not None


def told_of_all(got, rights, slips=()):
    try:
        c.compare_all(("dx", "dy"), got, rights, slips)
    except Wrong as wrong:
        return str(wrong)
    return None


def test_several_parts_are_compared_together():
    rights = np.array([1.0, 2.0]), np.array([3.0, 5.0, 7.0])
    assert told_of_all(rights, rights) is None
    assert told_of_all(rights[::-1], rights) == (
        "Every part is right, but in another order: return dx and dy."
    )
    doubled = [((2 * rights[0], 2 * rights[1]), "halve it")]
    assert told_of_all([2 * r for r in rights], rights, doubled) == (
        "dx and dy are not right yet: halve it."
    )
    assert told_of_all((rights[0], 2 * rights[1]), rights, doubled) == (
        "dy is not right yet: halve it."
    )


@pytest.mark.parametrize(
    ("got", "error", "message"),
    [
        (None, NotYet, "Not yet: return two arrays, dx and dy."),
        ((None, 1), NotYet, "Not yet: dx came out as None."),
        ((np.zeros(2), np.zeros(3)), NotYet, "Not yet: dx and dy are all zero."),
        (3.0, Wrong, "Return two arrays, dx and dy; got float."),
        (np.array(3.0), Wrong, "Return two arrays, dx and dy; got ndarray."),
        ((1, 2, 3), Wrong, "Return two arrays, dx and dy; got 3."),
        ({"dx": 1}, Wrong, "The dict must have the names dx and dy, got dx."),
        ({}, Wrong, "The dict must have the names dx and dy, got nothing."),
    ],
)
def test_parts_that_are_missing_are_asked_for(got, error, message):
    with pytest.raises(error) as caught:
        c.several(got, ("dx", "dy"))
    assert str(caught.value) == message


def test_parts_may_come_in_a_tuple_a_list_an_array_or_a_dict():
    for got in ((1, 2), [1, 2], np.array([1, 2]), {"dy": 2, "dx": 1}):
        assert c.several(got, ("dx", "dy")) == [1, 2]


@pytest.mark.parametrize("got", [2.5, "3", [1, 2], np.nan, np.inf, [3.0, 4.0]])
def test_what_is_no_whole_number_is_refused(got):
    with pytest.raises(Wrong, match="n must be a"):
        c.whole("n", got)


@pytest.mark.parametrize("got", [2, 0.5, "yes", [True, False]])
def test_what_is_neither_true_nor_false_is_refused(got):
    with pytest.raises(Wrong, match="y must be"):
        c.truth("y", got)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, d: x.__imul__(2),
        lambda x, d: d.update(a=1),
        lambda x, d: d["W"].fill(0),
        lambda x, d: x.sort(),
    ],
)
def test_a_function_that_changes_what_it_was_given_is_refused(change):
    x, d = np.array([3.0, 1.0]), {"W": np.ones(2)}
    with pytest.raises(Wrong, match="f changed what it was given"):
        c.call(change, x, d, name="f")
    assert x.tolist() == [3.0, 1.0]
    assert d["W"].tolist() == [1.0, 1.0]


def test_a_result_does_not_share_its_memory_with_the_next():
    memory = np.zeros(2)

    def reusing(x):
        memory[:] = x
        return memory

    first, second = c.call(reusing, 1.0), c.call(reusing, 2.0)
    assert first.tolist() == [1.0, 1.0]
    assert second.tolist() == [2.0, 2.0]


class Doubling:
    """A layer for y = x², right in every way."""

    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout=1.0):
        return 2 * self.x * dout


class ClassMemory(Doubling):
    """Every object writes over what the others remember."""

    def forward(self, x):
        ClassMemory.x = x
        return x**2


class FirstOnly(Doubling):
    """It remembers its first input for ever."""

    def forward(self, x):
        self.x = getattr(self, "x", x)
        return x**2


class Used(Doubling):
    """The way back uses up what the way forward remembered."""

    def backward(self, dout=1.0):
        self.x = self.x * 2
        return self.x * dout


def test_layers_that_spoil_what_they_remember_are_told_apart():
    passes = [(np.array([1.0, 2.0]),), (np.array([3.0, -5.0]),)]
    c.again(Doubling, passes)
    for layer, message in (
        (Used, "A second call of backward"),
        (ClassMemory, "A second object of the class"),
        (FirstOnly, "A second forward pass"),
    ):
        with pytest.raises(Wrong, match=message):
            c.again(layer, passes)


def test_numbers_are_shown_on_one_line():
    assert c.shown(1 / 3) == "0.3333"
    assert "\n" not in c.shown(np.random.default_rng(0).random((30, 40)))
    assert len(c.shown(np.zeros((200, 200)))) < 200
