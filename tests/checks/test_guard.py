"""Whatever loops, comes back."""

import gc
import sys
import time
import warnings

import pytest
from endless import STUCK, a_loop_around_too_deep_calls, closing, jumping, nested_handlers, throwing

from rnnbook.checks import guard
from rnnbook.checks.guard import TimeUp, within

LIMIT = 0.2


@pytest.mark.parametrize("stuck", STUCK, ids=lambda stuck: stuck.__name__)
def test_a_loop_written_in_python_ends(stuck):
    start = time.monotonic()
    with pytest.raises(TimeUp):
        within(LIMIT, stuck)
    assert LIMIT <= time.monotonic() - start < 10 * LIMIT


def wait(seconds):
    """Do nothing, step by step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def test_time_that_other_programs_took_does_not_count_but_for_ever_is_too_long(monkeypatch):
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    monkeypatch.setattr(guard, "BUSY", 10)
    assert within(0.05, wait, 0.2) == "done"
    with pytest.raises(TimeUp):
        within(0.01, wait, 60)


def test_a_reader_never_waits_for_longer_than_five_seconds():
    assert guard.LIMIT * guard.BUSY <= 4.5


@pytest.mark.parametrize("endless", [closing, throwing, jumping])
def test_code_that_now_and_then_does_not_look_is_always_stopped(endless):
    before = sys.gettrace()
    for _ in range(20):
        with pytest.raises(TimeUp):
            within(0.02, endless)
    assert sys.gettrace() is before


@pytest.fixture
def a_collector_that_tells():
    """Let Python run a function, written in Python, at each of very many collections."""
    before = gc.get_threshold()

    def told(phase, info):
        return [phase for _ in range(2)]

    gc.callbacks.append(told)
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(told)


@pytest.mark.parametrize("endless", [a_loop_around_too_deep_calls, nested_handlers, throwing])
def test_code_is_stopped_although_others_run_code_in_the_middle_of_it(
    endless, a_collector_that_tells
):
    for _ in range(40):
        with pytest.raises(TimeUp):
            within(0.02, endless)


def doubling():
    """Double a list, again and again."""
    words = ["la"]
    while True:
        try:
            words += words
        except BaseException as error:
            words.append(error)


def test_a_list_that_doubles_is_stopped_before_it_fills_the_machine():
    with pytest.raises(guard.TooLarge):
        within(10, doubling)


def test_a_large_array_is_no_reason_to_stop():
    assert within(5, lambda: len(bytearray(guard.ROOM // 4))) == guard.ROOM // 4


def test_what_comes_back_in_time_is_returned_with_its_result():
    assert within(5, sum, [1, 2]) == 3
    assert within(5, lambda n: [k * k for k in range(n)], 4) == [0, 1, 4, 9]


def test_an_exception_passes_as_it_is():
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    with pytest.raises(KeyboardInterrupt):
        within(5, lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_endless_recursion_is_an_ordinary_error():
    def deeper(n):
        return deeper(n + 1)

    with pytest.raises(RecursionError):
        within(5, deeper, 0)


def test_nothing_is_left_behind():
    before = sys.gettrace(), sys.getrecursionlimit(), sys.unraisablehook
    with pytest.raises(TimeUp):
        within(LIMIT, nested_handlers)
    assert before == (sys.gettrace(), sys.getrecursionlimit(), sys.unraisablehook)
    start = time.monotonic()
    while time.monotonic() < start + 2 * LIMIT:  # past the deadline, outside
        pass


def test_a_guard_inside_a_guard_gives_way_to_the_outer_one():
    def inner():
        return within(5, lambda: "done")

    assert within(5, inner) == "done"


def test_warnings_stay_as_they_are():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        within(5, warnings.warn, "careful")
    assert [str(warning.message) for warning in caught] == ["careful"]
