"""What several test modules share."""

import io
import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from rnnbook.data import read_arrays
from rnnbook.textrun import _digest

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
        if where == "write_array":
            args[0].write(b"PK\x03\x04 half a file")
        raise error

    owner = {"write_array": np.lib.format, "fsync": os, "replace": Path}[where]
    monkeypatch.setattr(owner, where, fail_halfway)


class Screen(io.TextIOWrapper):
    """Standard output: a terminal or not, in some encoding, with what was written to it."""

    def __init__(self, encoding="utf-8", terminal=False):
        super().__init__(io.BytesIO(), encoding, errors="strict", newline="\n")
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def forge(path, drop=(), head=None, **change):
    """Change arrays of a checkpoint, or entries of its head, as one who knows the format."""
    arrays = {k: v for k, v in read_arrays(path).items() if k not in ("digest", *drop)}
    if head is not None:
        whole = json.loads(str(arrays["head"])) | head if isinstance(head, dict) else head
        change["head"] = np.array(whole if isinstance(whole, str) else json.dumps(whole))
    arrays |= change
    np.savez(path, **arrays, digest=np.array(_digest(arrays)))
