"""Make an environment from a lock, once and whole.

    python book/_ext/environment.py FOLDER LOCK [REQUIREMENT]

makes it again when the lock, the Python version or the folder's path has changed, or when
the last attempt was cut off. The requirement is one more package, for where nothing of
its name can be imported.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import locks

STAMP = "stamp"  # in a finished environment: what it was made from


def wanted(folder, lock):
    """Return what a finished environment says of itself."""
    digest = hashlib.sha256(Path(lock).read_bytes()).hexdigest()
    return f"Python {sys.version_info[:2]}\n{folder.resolve()}\n{lock} {digest}\n"


def is_made(folder, lock):
    stamp = folder / STAMP
    return (
        stamp.is_file()
        and stamp.read_text(encoding="utf8") == wanted(folder, lock)
        and Path(python_of(folder)).exists()
    )


def python_of(folder):
    return str(folder / "bin" / "python")


def has(folder, requirement):
    """Whether what a requirement names is there."""
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
    name = requirement.partition("==")[0]
    return subprocess.run([python_of(folder), "-c", find, name]).returncode == 0


def pip(folder, *arguments):
    """Install with pip, quietly; return its exit status."""
    command = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # It inherits the lock: whoever comes next waits for it, even where this process ends.
    return subprocess.run([*command, *arguments], close_fds=False).returncode


def name_the_package(folder):
    """Let the environment find the package by a path from there, which any machine can read.

    Python before 3.13 reads the path that pip leaves there in the machine's own encoding.
    """
    for path in folder.glob("lib/python*/site-packages/rnnbook.pth"):
        path.write_text(os.path.relpath(Path.cwd(), path.parent.resolve()))


def make(folder, lock):
    """Make the environment from nothing; return the exit status."""
    locks.say(f"making the environment in {folder}: pip fetches what {lock} pins")
    (folder / STAMP).unlink(missing_ok=True)  # first: what is cleared by half is no environment
    venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
    status = (
        subprocess.run(venv, close_fds=False).returncode
        or pip(folder, "--require-hashes", "-r", lock)
        or pip(folder, "--no-build-isolation", "--no-deps", "-e", ".")
    )
    if status == 0:
        name_the_package(folder)
        (folder / STAMP).write_text(wanted(folder, lock), encoding="utf8")
    return status


def add(folder, lock, requirement):
    """Install one more package; return the exit status."""
    locks.say(f"pip fetches {requirement}")
    (folder / STAMP).unlink()
    status = pip(folder, requirement)
    if status >= 0:  # done, or undone by pip itself; after a kill the environment is made again
        (folder / STAMP).write_text(wanted(folder, lock), encoding="utf8")
    return status


def main(folder, lock, requirement=None):
    """Make what is not there yet; return the exit status."""
    folder = Path(folder)
    if is_made(folder, lock) and (requirement is None or has(folder, requirement)):
        return 0
    with locks.hold(folder.name):
        status = 0 if is_made(folder, lock) else make(folder, lock)
        if status == 0 and requirement and not has(folder, requirement):
            status = add(folder, lock, requirement)
    if status:
        what = requirement or f"the environment in {folder}"
        locks.say(f"failed: {what} could not be installed, see above; this needs a network")
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
