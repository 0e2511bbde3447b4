"""Build the book aside and put it in its place whole, unless nothing has changed.

    python book/_ext/builds.py COMMAND ...

The command builds into ``.build/_build``. What a reader or a test has before it in
``_build`` is the book before or the book after, never half of one: the new one takes its
place by two renames, and what cuts in between them is mended by the next run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import locks

PLACE = Path("_build")
ASIDE = Path(".build")
NEW = ASIDE / "_build"
OLD = ASIDE / "old"
STAMP = "sources"  # in a finished build: what it was made from
SOURCES = [".venv/stamp", "Makefile", "_config.yml", "_toc.yml", "pyproject.toml", "README.md"]
SOURCES += ["LICENSE", "book", "rnnbook"]
NO_SOURCES = {"node_modules", "__pycache__"}


def sources():
    """Return one line for each file that the book is made from, with its hash."""
    lines = []
    for path in map(Path, SOURCES):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            inner = file.relative_to(path).parts
            if file.is_file() and not any(x in NO_SOURCES or x[0] == "." for x in inner):
                lines.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.as_posix()}\n")
    return "".join(lines)


def made_from(build):
    """Return what a finished build was made from; of another, nothing."""
    stamp = build / STAMP
    return stamp.read_text(encoding="utf8") if stamp.is_file() else ""


def put_in_place():
    """Let the finished build aside take its place."""
    if PLACE.exists():
        shutil.rmtree(OLD, ignore_errors=True)
        PLACE.rename(OLD)
    NEW.rename(PLACE)


def build(command, before):
    """Build aside and put it in place; return the exit status."""
    ASIDE.mkdir()
    # It inherits the locks: whoever comes next waits for it, even where this process ends.
    status = subprocess.run(command, close_fds=False).returncode
    if status:
        locks.say("failed: the build of the book, see above; _build is as it was before")
        return 1
    if sources() != before:
        locks.say("a source changed while the book was built: run it again to see the change")
        before = "none\n"
    unfinished = NEW / f"{STAMP}.new"
    unfinished.write_text(before, encoding="utf8")
    os.replace(unfinished, NEW / STAMP)
    put_in_place()
    shutil.rmtree(ASIDE)
    return 0


def main(command):
    """Build where something has changed, and say where the pages are."""
    if made_from(PLACE) != sources():
        with locks.hold(PLACE.name):
            if made_from(NEW):
                put_in_place()
            shutil.rmtree(ASIDE, ignore_errors=True)
            before = sources()
            if made_from(PLACE) != before and (status := build(command, before)):
                return status
    print("The book is ready. Open", (PLACE / "html" / "index.html").resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
