"""The time that a reader's code may take."""

import contextlib
import sys
import time

import pytest

from rnnbook.checks import guard


def wait(seconds):
    """Do nothing, step by step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def test_code_is_stopped_when_it_has_worked_too_long():
    with pytest.raises(guard.TimeUp):
        guard.within(0.05, wait, 60)


def test_time_that_other_programs_took_does_not_count_but_for_ever_is_too_long(monkeypatch):
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    assert guard.within(0.05, wait, 0.2) == "done"
    with pytest.raises(guard.TimeUp):
        guard.within(0.01, wait, 60)


def closing():
    """Leave a generator behind, again and again; each is closed where it stands."""
    while True:
        any(number == 1 for number in range(3))


def throwing():
    """Throw into a generator that swallows it, again and again."""

    def swallow():
        while True:
            with contextlib.suppress(ValueError):
                yield

    swallowing = swallow()
    next(swallowing)
    while True:
        swallowing.throw(ValueError)


def jumping():
    """Come to jumps back that are not taken, and catch all that is raised there."""
    n = 1
    while True:
        try:
            while n % 7:
                n += 1
            n += 1
        except BaseException:
            n = 1


@pytest.mark.parametrize("endless", [closing, throwing, jumping])
def test_code_that_does_not_look_is_stopped_too(endless):
    before = sys.gettrace()
    for _ in range(20):
        with pytest.raises(guard.TimeUp):
            guard.within(0.02, endless)
    assert sys.gettrace() is before
