"""Let the commands of one checkout wait for one another where they would spoil their work.

    python book/_ext/locks.py (share | own) NAME COMMAND ...

runs a command while what the name stands for stays as it is, or belongs to it alone. The
names are ``.venv``, the environment, and ``_build``, the pages.

A lock is a file that a process holds open, and with it what that process starts. The
system lets go when the last of them has ended, however it ended: no lock outlives its
holders, and what a killed ``make`` has left running is waited for. All this needs nothing
but Python, since ``make`` uses it before the environment is there.
"""

import contextlib
import os
import sys
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, which has no make
    fcntl = None

FOLDER = Path(__file__).parents[2] / ".locks"
COMMAND = os.environ.get("RNNBOOK_COMMAND") or Path(sys.argv[0]).name  # the reader's own words


def take(name, share=False):
    """Wait for a lock of this checkout; return the file that holds it while it is open."""
    FOLDER.mkdir(exist_ok=True)
    file = os.open(FOLDER / name, os.O_RDWR | os.O_CREAT, 0o666)
    if not fcntl:
        return file
    os.set_inheritable(file, True)
    how = fcntl.LOCK_SH if share else fcntl.LOCK_EX
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 1000, 0).decode() or "another command"
        say(f"waiting for {holder}, or what it has started, to be done with {name}")
        fcntl.flock(file, how)
    os.ftruncate(file, 0)
    os.pwrite(file, f"{COMMAND} (process {os.getpid()})".encode(), 0)
    return file


@contextlib.contextmanager
def hold(name, share=False):
    """Hold a lock for as long as the block runs."""
    file = take(name, share)
    try:
        yield
    finally:
        os.close(file)


def say(message):
    """Tell the reader in one line what happens; standard output is for results."""
    print(f"{COMMAND}: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    how, name, *command = sys.argv[1:]
    take(name, share=how == "share")
    os.execvp(command[0], command)
