"""The reader's code is run so that it always comes back.

A loop that never ends, or a list that never stops growing, must end in a message: also
where the reader wrote a bare ``except:`` around it, and also in a browser, where Python has
neither threads nor signals. So Python itself reports each call and each jump back to the
head of a loop, and past the deadline each report raises `TimeUp`, until the code has been
left.

What runs inside a single call of C, such as ``sum(itertools.count())``, reports nothing.
Only an interrupt ends that, or a new interpreter.
"""

import sys
import time

try:
    import resource
except ImportError:  # on Windows; in a browser the memory has an end of its own
    resource = None

__all__ = ["LIMIT", "TimeUp", "TooLarge", "within"]

LIMIT = 3.0  # seconds for all that a check runs; a right answer needs a hundredth of them
ROOM = 2**30  # bytes that it may fill
BUSY = 1.5  # on a machine that does other things too, so many times as long by the clock


class TimeUp(BaseException):
    """The code has run for longer than it may; ``except Exception`` does not hold it."""


class TooLarge(TimeUp):
    """The code has filled more memory than it may."""


def within(seconds, function, *arguments):
    """Call the function; raise `TimeUp` in it once it has worked for so many seconds.

    What doubles a list again and again runs out of memory before that: then `TooLarge` is
    raised.
    """
    begun, worked, filled = time.monotonic(), time.process_time(), _filled()
    looked, swollen = begun, False

    def late():
        nonlocal looked, swollen
        now = time.monotonic()
        if now > looked + 0.01:
            looked, swollen = now, swollen or _filled() > filled + ROOM
        return swollen or (
            now > begun + seconds
            and (time.process_time() > worked + seconds or now > begun + BUSY * seconds)
        )

    ignored = sys.unraisablehook
    # What is raised where nobody listens, such as in a generator that is left behind, is no
    # news; and what does nothing here must not be written in Python, or it would report.
    sys.unraisablehook = bool
    try:
        result = _reporting(late, function, *arguments)
        if late():
            raise TimeUp
    except TimeUp as up:
        raise (TooLarge() if swollen else up).with_traceback(up.__traceback__) from None
    finally:
        sys.unraisablehook = ignored
    return result


def _filled():
    """Return how much memory this process fills, in bytes; on macOS, the most so far."""
    try:
        with open("/proc/self/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * resource.getpagesize()
    except (OSError, AttributeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else 0


if sys.version_info >= (3, 12):
    _EVENTS = "JUMP", "PY_START", "PY_RESUME"

    def _reporting(late, function, *arguments):
        """Call the function; raise `TimeUp` at each report for which `late` says so."""
        watch = sys.monitoring
        tool = next(n for n in (4, 3, 5, 2, 1, 0) if watch.get_tool(n) is None)

        def report(*_):
            if late():
                raise TimeUp

        events = [getattr(watch.events, name) for name in _EVENTS]
        watch.use_tool_id(tool, __name__)
        try:
            for event in events:
                watch.register_callback(tool, event, report)
            watch.set_events(tool, sum(events))
            return function(*arguments)
        finally:
            watch.set_events(tool, 0)
            for event in events:
                watch.register_callback(tool, event, None)
            watch.free_tool_id(tool)

else:
    import ctypes
    import dis
    import functools
    import threading

    _ask = ctypes.pythonapi.PyThreadState_SetAsyncExc
    _ask.argtypes = ctypes.c_ulong, ctypes.py_object
    _JUMPS_BACK = {code for name, code in dis.opmap.items() if "JUMP_BACKWARD" in name}
    _LOOKS = _JUMPS_BACK | {dis.opmap["RESUME"]}
    _DEPTH = 800

    @functools.lru_cache(1000)
    def _spins(code):
        """Say whether an instruction jumps to itself, a ``while True: pass`` without lines."""
        pairs = zip(code.co_code[::2], code.co_code[1::2], strict=True)
        return any(name in _JUMPS_BACK and length == 1 for name, length in pairs)

    def _reporting(late, function, *arguments):
        """Call the function; raise `TimeUp` at each report for which `late` says so.

        Python 3.11 takes its trace function away when that raises, and the reader's
        ``except:`` would have the last word. So this one never raises. It asks for the
        exception where the next instruction looks whether one was asked for: a jump back, or
        the beginning of a call. (A generator that is closed, or thrown into, is reported as
        called, too, but it does not begin.) A jump that is not taken does not look, and the
        next report must not be the first to look. So there is none, until the exception has
        come: it puts the trace function back when it is made, which is before anybody's
        ``except:``. For the same reason the trace function keeps the reader's code from
        nesting so deeply that it could not be called.
        """
        asking, depth, within_it, here = threading.get_ident(), 0, True, sys._getframe()

        def trace(frame, event, arg):
            nonlocal depth
            depth += (event == "call") - (event == "return")
            if event == "call":
                frame.f_trace_opcodes = _spins(frame.f_code)
            if event == "call" and depth > _DEPTH:
                _ = +too_deep
            elif late():
                frame.f_trace_opcodes = True
                if event in ("opcode", "call") and frame.f_code.co_code[frame.f_lasti] in _LOOKS:
                    sys.settrace(None)
                    _ = +time_up
            return trace

        class Late(TimeUp):
            def __init__(self):
                nonlocal depth
                frame, depth = sys._getframe(1), 0
                while within_it and frame is not None and frame is not here:
                    frame.f_trace, frame.f_trace_opcodes = trace, True
                    frame, depth = frame.f_back, depth + 1
                if within_it:
                    sys.settrace(trace)

        class Asking:
            """Asks for an exception by its ``+``: unlike a call, an operator does not look."""

        def asking_for(error):
            return type("Asking", (), {"__pos__": functools.partial(_ask, asking, error)})()

        time_up, too_deep = asking_for(Late), asking_for(RecursionError)
        before, nesting = sys.gettrace(), sys.getrecursionlimit()
        sys.setrecursionlimit(nesting + 4 * _DEPTH)
        sys.settrace(trace)
        try:
            return function(*arguments)
        finally:
            within_it = False
            try:
                sys.settrace(before)
            finally:  # an exception that was asked for last comes now
                sys.setrecursionlimit(nesting)
