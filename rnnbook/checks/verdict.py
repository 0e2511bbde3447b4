"""What a check says, and how the reader's code is run to find it out."""

import functools
import types
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .guard import LIMIT, TimeUp, TooLarge, within

__all__ = ["KINDS", "NotYet", "Verdict", "Wrong", "check", "remark"]

KINDS = "right", "not yet", "wrong", "error"
_HERE = str(Path(__file__).parents[1])
_MEANINGS = {  # what Python's and NumPy's messages often mean
    "keepdims": ("broadcast",),
    "np.where in place of if, for arrays": ("ambiguous",),
    "is a result not returned, or a name not set": ("NoneType", "ellipsis"),
    "which of the shapes needs turning or slicing": ("matmul", "shapes", "dimension"),
    "does an index go past the end": ("out of bounds", "out of range"),
}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes
    ----------
    kind : str
        ``"right"``; ``"not yet"``, where something is still to be written; ``"wrong"``; or
        ``"error"``, where the answer raised an exception or did not come back.
    message : str
        What to tell the reader.
    line : int or None
        Where it happened, for an error in the reader's own code: the line in its cell.
    hints : tuple of str
        Steps towards a right answer, from a nudge to nearly all of it; none once it is right.
    """

    kind: str
    message: str
    line: int | None = None
    hints: tuple = ()

    @property
    def ok(self):
        """Whether the answer is right."""
        return self.kind == "right"

    def __bool__(self):
        return self.ok

    def __repr__(self):
        return f"{'✓' if self.ok else '✗'} {self.message}"


class Wrong(Exception):
    """The answer is wrong; the message says how."""

    kind = "wrong"


class NotYet(Wrong):
    """Something is still to be written."""

    kind = "not yet"

    def __init__(self, message):
        super().__init__(f"Not yet: {message}")


_remarks = []


def remark(text):
    """Add to the verdict on a right answer; the same text only once."""
    if text not in _remarks:
        _remarks.append(text)


def check(right, *hints):
    """Turn a function that raises `Wrong` into a check, which returns a `Verdict`.

    `right` is the message for a right answer, and `hints` lead to one step by step. The
    check itself always comes back; see `guard`.
    """

    def decorate(judge):
        @functools.wraps(judge)
        def checked(answer):
            _remarks.clear()
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    within(LIMIT, _judge, judge, answer)
            except Wrong as wrong:
                return Verdict(wrong.kind, str(wrong), None, hints)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever the reader's code raises is feedback
                line = _line_of(answer, error.__traceback__)
                if isinstance(error, NotImplementedError):
                    return Verdict(
                        "not yet", "Not yet: it raises NotImplementedError.", line, hints
                    )
                return Verdict("error", _told(error, line), line, hints)
            return Verdict("right", " ".join([right, *_remarks]))

        return checked

    return decorate


def _judge(judge, answer):
    """Let a check judge an answer that can be called."""
    if answer is None or answer is Ellipsis:
        raise NotYet(f"the answer is {answer}.")
    if not callable(answer):
        raise Wrong(
            "Hand over the function or the class itself, not what it returns or makes; "
            f"this is {_article(type(answer).__name__)}."
        )
    judge(answer)


def _article(noun):
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _told(error, line):
    """Say what the reader's code raised, where, and what that often means."""
    where = f" in line {line}" if line else ""
    if isinstance(error, TooLarge):
        return f"Your code was stopped{where} when it had filled a gigabyte: does a list only grow?"
    if isinstance(error, TimeUp):
        return f"Your code was stopped{where} after {LIMIT:g} seconds: does every loop end?"
    if isinstance(error, RecursionError):
        return f"Your code raised RecursionError{where}: a function calls itself without end."
    text = str(error)
    meaning = next(
        (meaning for meaning, parts in _MEANINGS.items() if any(p in text for p in parts)), None
    )
    hint = f" ({meaning}?)" if meaning else ""
    return f"Your code raised {type(error).__name__}{where}: {text}{hint}"


def _line_of(answer, traceback):
    """Return the line of the answer's own file at which an exception passed, or None."""
    files, line = _files_of(answer), None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _files_of(answer):
    """Return the files, or cells, in which the code of a function or a class stands."""
    parts = [answer]
    if isinstance(answer, type):
        parts = [part for kind in answer.__mro__ for part in vars(kind).values()]
    parts = [getattr(part, "__func__", getattr(part, "fget", part)) for part in parts]
    codes = [part.__code__ for part in parts if isinstance(part, types.FunctionType)]
    return {code.co_filename for code in codes if not code.co_filename.startswith(_HERE)}
