"""The time that a reader's code may take."""

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
