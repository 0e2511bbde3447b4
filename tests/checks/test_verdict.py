"""What a verdict carries, and what becomes of everything that an answer may do."""

import inspect
import time

import numpy as np
import pytest
from endless import nested_handlers

from rnnbook.checks import Verdict, verdict
from rnnbook.checks.verdict import KINDS, NotYet, Wrong, check, remark


@check("Right. So it is.", "Look at it.", "Return 7.")
def seven(function):
    """Check ``() -> 7``."""
    got = function()
    if got is None:
        raise NotYet("it came out as None.")
    if got != 7:
        raise Wrong(f"7 is wanted, got {got}.")


def test_the_kinds_of_verdicts():
    right, wrong, nothing, error = (
        seven(answer) for answer in (lambda: 7, lambda: 8, lambda: None, lambda: 1 / 0)
    )
    assert [right.kind, nothing.kind, wrong.kind, error.kind] == list(KINDS)
    assert right.ok
    assert not any([wrong, nothing, error])
    assert repr(right) == "✓ Right. So it is."
    assert repr(wrong) == "✗ 7 is wanted, got 8."
    assert repr(nothing) == "✗ Not yet: it came out as None."
    assert right.hints == ()
    assert wrong.hints == nothing.hints == error.hints == ("Look at it.", "Return 7.")
    assert seven.__doc__ == "Check ``() -> 7``."


def test_an_error_names_the_line_of_the_reader():
    def answer():
        count = 0
        return 1 / count

    found = seven(answer)
    first = inspect.getsourcelines(answer)[1]
    assert found.line == first + 2
    assert found.message == (
        f"Your code raised ZeroDivisionError in line {first + 2}: division by zero"
    )


def test_an_error_below_the_readers_code_names_the_readers_line():
    def answer():
        return np.linalg.inv(np.zeros((2, 2)))

    found = seven(answer)
    assert found.line == inspect.getsourcelines(answer)[1] + 1
    assert "LinAlgError" in found.message


def test_the_line_of_a_class_is_found_too():
    class Answer:
        def __init__(self):
            self.parts = []
            self.parts[3] = 1

    assert seven(Answer).line == inspect.getsourcelines(Answer)[1] + 3


def test_without_a_line_of_the_readers_none_is_named():
    assert seven(dict.popitem).line is None
    assert " in line" not in seven(dict.popitem).message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: np.ones(2) @ np.ones(3), "which of the shapes needs turning or slicing?"),
        (lambda: np.ones((2, 3)) - np.ones(2), "keepdims?"),
        (lambda: bool(np.ones(2)), "np.where in place of if"),
        (lambda: None + 1, "is a result not returned"),
        (lambda: (lambda f: f(f))(lambda f: f(f)), "calls itself without end"),
        (lambda: exit(3), "SystemExit"),
    ],
)
def test_what_an_error_often_means_is_added(answer, told):
    found = seven(answer)
    assert found.kind == "error"
    assert told in found.message


def test_not_implemented_is_not_yet():
    def answer():
        raise NotImplementedError

    assert seven(answer).kind == "not yet"


@pytest.mark.parametrize("answer", [None, ...])
def test_nothing_is_not_yet(answer):
    assert seven(answer).kind == "not yet"


@pytest.mark.parametrize("answer", [7, "seven", np.ones(2), object()])
def test_what_cannot_be_called_is_explained(answer):
    found = seven(answer)
    assert found.kind == "wrong"
    assert "Hand over the function or the class itself" in found.message


def test_an_interrupt_is_not_swallowed():
    def answer():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seven(answer)


def test_an_answer_that_never_comes_back_is_told_where(monkeypatch):
    monkeypatch.setattr(verdict, "LIMIT", 0.2)

    def answer():
        n = 0
        while n >= 0:
            n += 1

    start = time.monotonic()
    found = seven(answer)
    assert time.monotonic() - start < 2
    assert found.kind == "error"
    assert found.line in (inspect.getsourcelines(answer)[1] + k for k in (2, 3))
    assert f"Your code was stopped in line {found.line} after 0.2 seconds" in found.message


def test_an_answer_that_fills_the_memory_is_told_so():
    def answer():
        words = ["la"]
        while words:
            words += words

    found = seven(answer)
    assert found.kind == "error"
    assert "when it had filled a gigabyte" in found.message
    assert found.line in (inspect.getsourcelines(answer)[1] + k for k in (2, 3))


def test_a_check_comes_back_within_five_seconds():
    start = time.monotonic()
    assert seven(nested_handlers).kind == "error"
    assert time.monotonic() - start < 5


def test_warnings_of_the_readers_code_do_not_disturb_the_page(recwarn):
    assert seven(lambda: int(np.exp(np.float64(1000)) == np.inf) * 7)
    assert len(recwarn) == 0


def test_remarks_are_added_once_and_belong_to_one_verdict():
    @check("Right.")
    def remarkable(function):
        for text in function():
            remark(text)

    assert remarkable(lambda: ["(a)", "(b)", "(a)"]) == Verdict("right", "Right. (a) (b)")
    assert remarkable(list) == Verdict("right", "Right.")
