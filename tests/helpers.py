"""What several test modules share."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

try:
    import torch
except ImportError:
    torch = None  # conftest.py skips what is marked with needs_torch
needs_torch = pytest.mark.torch

# The same examples in every run, however slow the machine.
settings.register_profile("rnnbook", derandomize=True, deadline=None, max_examples=100)
settings.load_profile("rnnbook")

FLOATS = [np.float32, np.float64]


@contextmanager
def refusal(error, *fragments):
    """Expect an error whose message has all the fragments: what was wanted, what came."""
    with pytest.raises(error) as caught:
        yield caught
    for fragment in fragments:
        assert fragment in str(caught.value)


def read_only(array):
    """Return a copy that cannot be written to."""
    array = array.copy()
    array.flags.writeable = False
    return array


def floats_away_from_zero(rng, shape, dtype=np.float64):
    """Draw numbers of either sign, none so near zero that a small step crosses it."""
    return np.array(rng.uniform(0.2, 1.5, shape) * rng.choice([-1, 1], shape), dtype)


def break_writing(monkeypatch, where, error):
    """Let a file that is written whole or not at all end halfway, in `where`."""

    def fail_halfway(*args, **_):
        if where == "savez":
            args[0].write(b"PK\x03\x04 half a file")
        raise error

    owner = {"savez": np, "fsync": os, "replace": Path}[where]
    monkeypatch.setattr(owner, where, fail_halfway)
