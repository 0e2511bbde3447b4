"""What a terminal, a signal and another process have to do with a run."""

import os
import re
import signal
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from helpers import Screen, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import _console as console
from rnnbook._console import Interrupt, as_perplexity, escaped, locked, say, write_out

TITLE = "\x1b]0;title\x07"
ORDERS = st.sampled_from("\x1b\x07\b\r\x00\x7f\x85\x9b\u202e\u2066\u2069\udc80")


# The screen ---------------------------------------------------------------------------


@given(st.text(st.characters() | ORDERS))
def test_nothing_that_a_terminal_obeys_is_left_and_all_else_stays(text):
    shown = escaped(text)
    for sign in shown:
        assert unicodedata.category(sign) not in ("Cc", "Cs")
        assert not re.match("[LR](RE|RO|I)|PD|FSI", unicodedata.bidirectional(sign))
    assert escaped(shown) == shown
    assert len(shown) >= len(text)
    harmless = "".join(sign for sign in text if sign == escaped(sign))
    assert escaped(harmless) == harmless
    assert escaped("\n\t" + text, keep="\n\t") == "\n\t" + "".join(
        sign if sign in "\n\t" else escaped(sign) for sign in text
    )


def test_escapes_are_those_of_python():
    assert escaped(f"{TITLE}\n\u202e\x9b") == r"\x1b]0;title\x07\n\u202e\x9b"
    assert escaped("déjà vu, 中文, שלום, क्\u200dष, \\") == "déjà vu, 中文, שלום, क्\u200dष, \\"


def test_a_message_is_one_line_whatever_it_holds(capsys):
    say(f"no {TITLE}\nfile")
    assert capsys.readouterr() == ("", "no \\x1b]0;title\\x07\\nfile\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_text_is_escaped_for_a_terminal_and_kept_for_a_file(monkeypatch, capsys, terminal):
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    write_out(f"a\tb\n{TITLE}é")
    assert screen.text() == f"a\tb\n{escaped(TITLE) if terminal else TITLE}é\n"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", r"d\xe9j\xe0 \u4e2d"), ("latin-1", r"déjà \u4e2d"), ("gbk", "déjà 中")],
)
def test_where_an_encoding_lacks_a_sign_it_is_escaped_and_said(
    monkeypatch, capsys, encoding, shown
):
    screen = Screen(encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    write_out("déjà 中")
    assert screen.text() == shown + "\n"
    err = capsys.readouterr().err
    assert err.startswith(f"rnnbook: the output is in {encoding}, which lacks ") == ("\\" in shown)
    assert err.count("\n") == ("\\" in shown)


@pytest.mark.parametrize(
    ("loss", "level", "text"),
    [
        (np.log(8), "char", "perplexity 8.00 (3.00 bits/char)"),
        (np.log(8), "word", "perplexity 8.00"),
        (-1e-17, "word", "perplexity 1.00"),
        (262.0, "word", "perplexity 6.1e+113"),
        (9999.0, "word", "perplexity inf"),
    ],
)
def test_a_perplexity_is_short_however_large(loss, level, text):
    assert as_perplexity(loss, level) == text


def test_a_screen_that_has_gone_ends_nothing():
    code = "import sys; from rnnbook._console import say; sys.stdin.read(); say('a'); say('b')"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stderr.close()
        process.stdin.close()
    assert process.returncode == 0


# Signals ------------------------------------------------------------------------------

SIGNALS = [
    number for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)) if number
]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_to_stop_and_is_handled_as_before_afterwards(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupt() as interrupt:
        assert interrupt.number is None
        signal.raise_signal(number)
        assert interrupt.number == number
        signal.raise_signal(signal.SIGTERM)  # patience: a shutdown sends several
        assert interrupt.number == number
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(SIGNALS[-1], signal.SIG_IGN)  # as nohup does
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(SIGNALS[-1])
            assert interrupt.number is None
    finally:
        signal.signal(SIGNALS[-1], before)


# Locks --------------------------------------------------------------------------------


def test_a_file_is_locked_once_and_nothing_is_left(tmp_path):
    path = tmp_path / "run.npz"
    with locked(path):
        with refusal(ValueError, f"{path} is in use by another process"), locked(path):
            pass
        with locked(tmp_path / "other.npz"):
            pass
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError
    with locked(path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_lock_dies_with_its_process(tmp_path):
    path = tmp_path / "run.npz"
    code = (
        "import pathlib, sys, time; from rnnbook._console import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with refusal(ValueError, "in use by another process"), locked(path):
            pass
        process.kill()
    with locked(path):
        pass


def test_a_lock_that_its_holder_has_just_removed_is_none(tmp_path, monkeypatch):
    path, beside = tmp_path / "run.npz", tmp_path / ".run.npz.lock"
    flock = console.fcntl.flock

    def slow(*args):
        beside.unlink()
        return flock(*args)

    monkeypatch.setattr(console.fcntl, "flock", slow)
    with refusal(ValueError, "in use by another process"), locked(path):
        pass


def test_a_folder_that_cannot_be_written_to_is_named_with_the_file(tmp_path):
    path = tmp_path / "no" / "run.npz"
    with refusal(FileNotFoundError, repr(str(path))), locked(path):
        pass


def test_a_file_system_without_locks_is_no_hindrance(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(console.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(console.fcntl, "flock", none)
    with locked(tmp_path / "run.npz"):
        pass
