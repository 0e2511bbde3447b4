"""What a long run has to do with the world around it: a screen, signals, other processes."""

import contextlib
import errno
import os
import shutil
import signal
import sys
import time
import unicodedata

import numpy as np

from .functions import perplexity

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None
    import msvcrt

__all__ = ["Interrupt", "Report", "as_perplexity", "escaped", "locked", "say", "write_out"]

_REPORT_EVERY = 10.0  # seconds; on a terminal the report is alive
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def escaped(text, keep=""):
    """Return a text in which nothing is left that a terminal would obey instead of showing it.

    That is control characters, such as that which begins an escape sequence, and those
    that turn the direction of the text around them.

    Parameters
    ----------
    text : str
    keep : str
        Control characters that may stay.

    Returns
    -------
    str
    """

    def obeyed(sign):
        category = unicodedata.category(sign)
        return category in ("Cc", "Cs") or unicodedata.bidirectional(sign) in _DIRECTIONS

    return "".join(
        sign.encode("unicode_escape").decode() if sign not in keep and obeyed(sign) else sign
        for sign in text
    )


def say(text):
    """Write a line to standard error, whatever it holds; nobody need be there to read it."""
    _show(escaped(text) + "\n")


def write_out(text):
    """Write a text to standard output.

    A terminal gets it escaped, but for line ends and tabs; a file or another program gets
    what the text holds. Where the encoding of the output lacks a sign, an escape sequence
    stands for it, and a line on standard error says so.
    """
    out = sys.stdout
    if out.isatty():
        text = escaped(text, keep="\n\t")
    encoding = getattr(out, "encoding", None) or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    out.write(shown + "\n")
    out.flush()
    if shown != text:
        say(
            f"rnnbook: the output is in {encoding}, which lacks some of the signs: they are "
            "written like \\u4e2d; with PYTHONIOENCODING=utf-8 all are written as they are"
        )


def _show(text):
    with contextlib.suppress(OSError):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone, or the reader of a pipe: training need not end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def as_perplexity(loss, level):
    """Write a loss in nats per token as a perplexity, one of characters in bits as well."""
    value = perplexity(max(float(loss), 0.0))
    text = f"perplexity {value:.2f}" if value < 1e6 else f"perplexity {value:.1e}"
    return text + (f" ({loss / np.log(2):.2f} bits/char)" if level == "char" else "")


@contextlib.contextmanager
def locked(path):
    """Keep other processes from working on the same file, by a lock that dies with this one.

    Raises
    ------
    ValueError
        If another process has the lock.
    OSError
        If no file can be made in that folder.
    """
    beside = path.with_name(f".{path.name}.lock")
    try:
        file = beside.open("ab")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    with file:
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            free = os.path.samestat(os.fstat(file.fileno()), beside.stat())
        except FileNotFoundError:  # removed by the one who had the lock just now
            free = False
        except OSError as error:  # or the file system knows no locks
            free = error.errno not in (errno.EAGAIN, errno.EACCES)
        if not free:
            raise ValueError(f"{path} is in use by another process")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps what is open
                beside.unlink()


class Interrupt:
    """The first signal to end asks to stop after this step; a second Ctrl-C stops at once.

    Attributes
    ----------
    number : int or None
        That of the first signal.
    """

    number = None

    def __enter__(self):
        self.before = {}
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is None or signal.getsignal(number) in (None, signal.SIG_IGN):
                continue  # as with nohup: what is ignored stays so
            with contextlib.suppress(ValueError):  # only the main thread hears signals
                self.before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _hear(self, number, _):
        if self.number is not None:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self.number = number
        again = "; Ctrl-C again stops at once" if number == signal.SIGINT else ""
        with contextlib.suppress(OSError):
            os.write(2, f"\nstopping after this step{again}\n".encode())


class Report:
    """How far training is: one line that is rewritten on a terminal, plain lines elsewhere.

    Parameters
    ----------
    run : TextRun
    notes : dict
        With ``settings``, among them ``level`` and ``epochs``, and ``held_out_losses``.
    """

    def __init__(self, run, notes):
        self.run, self.notes = run, notes
        self.terminal = sys.stderr.isatty()
        self.first, self.start = run.steps, time.monotonic()
        self.shown, self.busy, self.last = self.start, 0.0, self.start
        self.busy_steps, self.width = 0, 0

    def step(self):
        """Count a step; show the line now and then."""
        now = time.monotonic()
        self.busy += now - self.last
        self.busy_steps += 1
        self.last = now
        if now < self.shown + (0.2 if self.terminal else _REPORT_EVERY):
            return
        self.shown, run = now, self.run
        epoch, step = divmod(run.steps - 1, run.steps_per_epoch)
        share = (step + 1) / run.steps_per_epoch
        text = f"{self._epoch(epoch + 1)} {share:4.0%}  {self._train(epoch)}  {self._pace()}"
        if not self.terminal:
            say(text)
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        _show("\r" + text.ljust(self.width))
        self.width = len(text)

    def epoch(self, epoch):
        """Show what an epoch has come to, in a line that stays."""
        text, held_out = f"{self._epoch(epoch)}  {self._train(epoch - 1)}", self._held_out()[:epoch]
        if held_out:
            text += f"  held-out {as_perplexity(held_out[-1], self._level())}"
            text += ", the best so far" if held_out[-1] == min(held_out) else ""
        if self.busy_steps:
            text += f"  {self._pace()}"
        self.wipe()
        say(text)
        self.last = self.shown = time.monotonic()

    def wipe(self):
        """Take away the line that is rewritten."""
        if self.width:
            _show("\r" + " " * self.width + "\r")
            self.width = 0

    def _level(self):
        return self.notes["settings"]["level"]

    def _held_out(self):
        return self.notes["held_out_losses"]

    def _epoch(self, number):
        epochs = self.notes["settings"]["epochs"]
        return f"epoch {number:{len(str(epochs))}}/{epochs}"

    def _train(self, epoch):
        n = self.run.steps_per_epoch
        losses = self.run.losses[epoch * n : (epoch + 1) * n]
        return f"train {as_perplexity(np.mean(losses), self._level())}"

    def _pace(self):
        run = self.run
        tokens = run.batch_size * run.time_size * self.busy_steps / max(self.busy, 1e-9)
        steps = self.notes["settings"]["epochs"] * run.steps_per_epoch - run.steps
        elapsed = time.monotonic() - self.start
        left = round(elapsed / max(run.steps - self.first, 1) * steps)
        hours, minutes = divmod(left // 60, 60)
        clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
        return f"{tokens:,.0f} tokens/s  {clock}:{left % 60:02} left"
