"""Builds cannot spoil each other: at once, cut off anywhere, or while a source changes.

What runs is `make book`, in a small checkout with a stand-in for jupyter-book.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import builds
import environment
import pytest

ROOT = Path(builds.__file__).parents[2]
PAGES = 12
# Each page says what the source said when the page was written.
BOOK = f"""
import os, sys, time
from pathlib import Path
with open("builds.log", "a") as log:
    log.write(f"{{os.getpid()}} {{os.getppid()}}\\n")
html = Path(".build/_build/html")
html.mkdir(parents=True)
for number in range({PAGES}):
    Path(html, f"{{number}}.html").write_text(f"{{number}}: " + Path("book/chapter.md").read_text())
    while os.environ.get("PAUSE") == str(number) and not os.path.exists("go"):
        time.sleep(0.01)
sys.exit(os.path.exists("broken"))
"""
# Ends itself at the n-th of those of its steps that change something.
CUT = """
import os, pathlib, runpy, shutil, signal, sys
left = int(sys.argv.pop(1))
def cut(module, name):
    step = getattr(module, name)
    def changed(*args, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*args, **options)
    setattr(module, name, changed)
for module, name in [(pathlib.Path, "rename"), (pathlib.Path, "mkdir"), (os, "replace"),
                     (os, "rmdir")]:
    cut(module, name)
sys.path.insert(0, "book/_ext")
sys.argv[0] = "book/_ext/builds.py"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Checkout:
    """A checkout with one chapter, the programs that build it, and an environment."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("book/_ext", "rnnbook", "tests", "benchmarks", ".venv/bin"):
            (folder / name).mkdir(parents=True)
        for name in ("locks", "builds", "environment"):
            shutil.copy(ROOT / "book" / "_ext" / f"{name}.py", folder / "book" / "_ext")
        for name in ("Makefile", "requirements.txt"):
            shutil.copy(ROOT / name, folder)
        (folder / "book.py").write_text(BOOK)
        program = folder / ".venv" / "bin" / "jupyter-book"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" book.py\n')
        program.chmod(0o755)
        (folder / ".venv" / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        stamp = environment.wanted(folder / ".venv", "requirements.txt")
        (folder / ".venv" / "stamp").write_text(stamp, encoding="utf8")
        self.write("first")

    def write(self, text):
        (self.folder / "book" / "chapter.md").write_text(text)

    def start(self, *command, pause=None):
        """Start a command, make book if none is given, in a process group of its own.

        After the page to pause at, the build waits for a word from `go_on`.
        """
        outer = {name for name in os.environ if name.startswith(("MAKE", "MFLAGS"))}
        inner = {name: value for name, value in os.environ.items() if name not in outer}
        return subprocess.Popen(
            command or ["make", "book", f"PYTHON={sys.executable}"],
            cwd=self.folder,
            env=inner | {"RNNBOOK_COMMAND": "make lab", "PAUSE": str(pause)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command):
        """Run a command, or build; return the exit status and what standard error got."""
        process = self.start(*command)
        errors = process.communicate(timeout=60)[1]
        return process.returncode, errors

    def go_on(self):
        (self.folder / "go").touch()

    def log(self):
        """Return a line for each build that was begun: its process, and that which began it."""
        return (self.folder / "builds.log").read_text().splitlines()

    def pages(self, html="_build/html"):
        """Return the text of each page by its number; None without a book."""
        html = self.folder / html
        if not html.exists():
            return None
        return {path.stem: path.read_text().partition(": ")[2] for path in html.iterdir()}

    def wait_for_page(self, number):
        page = self.folder / ".build" / "_build" / "html" / f"{number}.html"
        for _ in range(1000):
            if page.exists():
                return
            time.sleep(0.01)
        raise TimeoutError(page)


def book(text):
    """What pages() returns of a whole book."""
    return {str(number): text for number in range(PAGES)}


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_a_second_build_does_nothing_until_something_changes(checkout):
    assert checkout.run() == (0, "")
    assert checkout.pages() == book("first")
    assert checkout.run() == (0, "")
    assert len(checkout.log()) == 1
    checkout.write("second")
    assert checkout.run() == (0, "")
    assert len(checkout.log()) == 2
    assert checkout.pages() == book("second")
    assert sorted(path.name for path in (checkout.folder / "_build").iterdir()) == [
        "html",
        "sources",
    ]
    assert not (checkout.folder / ".build").exists()


def assert_waits(process, whom):
    """Wait for the line that says what a process waits for."""
    assert process.stderr.readline().startswith(f"{whom} (process ")


def test_builds_at_once_build_once_and_say_that_they_wait(checkout):
    first = checkout.start(pause=3)
    checkout.wait_for_page(3)
    others = [checkout.start() for _ in range(3)]
    for build in others:
        assert_waits(build, "make book: waiting for make book")
    checkout.go_on()
    for build in (first, *others):
        output, errors = build.communicate(timeout=60)
        assert build.returncode == 0
        assert output.startswith("The book is ready. Open file://")
        assert errors == ""
    assert len(checkout.log()) == 1
    assert checkout.pages() == book("first")


@pytest.mark.parametrize("page", [0, PAGES // 2, PAGES - 1])
@pytest.mark.parametrize("victim", ["make", "builds", "jupyter-book", "all"])
def test_a_build_that_was_killed_and_run_again_gives_the_right_pages(checkout, victim, page):
    checkout.run()
    checkout.write("second")
    make = checkout.start(pause=page)
    checkout.wait_for_page(page)
    if victim == "all":
        os.killpg(make.pid, signal.SIGKILL)
    else:
        jupyter_book, program = checkout.log()[-1].split()
        process = {"make": make.pid, "builds": int(program), "jupyter-book": int(jupyter_book)}
        os.kill(process[victim], signal.SIGKILL)
    assert checkout.pages() == book("first")
    checkout.write("third")  # while what is left running has read other words
    again = checkout.start()
    if victim in ("make", "builds"):
        assert_waits(again, "make book: waiting for make book")
    checkout.go_on()
    assert again.communicate(timeout=60)[1] == ""
    assert again.returncode == 0
    assert checkout.pages() == book("third")
    make.communicate(timeout=60)
    assert checkout.pages() == book("third")
    assert checkout.run() == (0, "")
    assert len(checkout.log()) == 3


def test_a_build_that_is_cut_off_at_any_step_leaves_one_book_or_the_other(checkout):
    build = [sys.executable, "book/_ext/builds.py", ".venv/bin/jupyter-book"]
    checkout.run(*build)
    texts = ["first"]
    for step in range(100):
        texts.append(f"text {step}")
        checkout.write(texts[-1])
        status, _ = checkout.run(sys.executable, "-c", CUT, str(step), build[-1])
        # Between the two renames there is none, and the next run puts it in place.
        assert checkout.pages() in (None, book(texts[-1]), book(texts[-2]))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert checkout.run(*build) == (0, "")
        assert checkout.pages() == book(texts[-1])
    else:
        raise AssertionError("it never came to its end")
    assert step > 5
    assert not (checkout.folder / ".build").exists()


def test_clean_waits_for_a_build(checkout):
    build = checkout.start(pause=3)
    checkout.wait_for_page(3)
    clean = checkout.start("make", "clean", f"PYTHON={sys.executable}")
    assert_waits(clean, "make clean: waiting for make book")
    checkout.go_on()
    for process in (build, clean):
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    assert not (checkout.folder / "_build").exists()
    assert (checkout.folder / ".venv" / "stamp").exists()


def test_a_finished_book_that_was_not_put_in_place_is_not_built_again(checkout):
    checkout.run()
    (checkout.folder / ".build").mkdir()
    (checkout.folder / "_build").rename(checkout.folder / ".build" / "_build")
    assert checkout.run() == (0, "")
    assert checkout.pages() == book("first")
    assert len(checkout.log()) == 1


def test_a_build_that_fails_leaves_the_book_before(checkout):
    checkout.run()
    checkout.write("second")
    (checkout.folder / "broken").touch()
    for _ in range(2):
        status, errors = checkout.run()
        assert status != 0
        assert errors.startswith("make book: failed: the build of the book")
        assert checkout.pages() == book("first")
    (checkout.folder / "broken").unlink()
    assert checkout.run() == (0, "")
    assert checkout.pages() == book("second")


def test_a_source_that_changes_during_the_build_is_not_taken_for_built(checkout):
    build = checkout.start(pause=3)
    checkout.wait_for_page(3)
    checkout.write("second")
    checkout.go_on()
    errors = build.communicate(timeout=60)[1]
    assert build.returncode == 0
    assert "a source changed while the book was built" in errors
    checkout.write("first")  # back again: the pages of the meantime are still not those of this
    assert checkout.run() == (0, "")
    assert checkout.pages() == book("first")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "Makefile").write_text("book:\n"),
        lambda root: (root / ".venv" / "stamp").write_text("Python"),
        lambda root: (root / "book" / "new.md").write_text(""),
        lambda root: (root / "book" / "chapter.md").rename(root / "book" / "other.md"),
    ],
)
def test_whatever_the_book_is_made_from_counts(checkout, monkeypatch, change):
    monkeypatch.chdir(checkout.folder)
    before = builds.sources()
    change(checkout.folder)
    assert builds.sources() != before


def test_what_python_and_npm_leave_behind_does_not_count(checkout, monkeypatch):
    monkeypatch.chdir(checkout.folder)
    before = builds.sources()
    for name in ("__pycache__", "node_modules", ".npm-new", "_ext/__pycache__"):
        (checkout.folder / "book" / name).mkdir()
        (checkout.folder / "book" / name / "file").write_text("")
    (checkout.folder / "book" / ".chapter.md.swp").write_text("")
    assert builds.sources() == before


# Locks ----------------------------------------------------------------------------------


def lock(checkout, how, *command):
    return checkout.start(sys.executable, "book/_ext/locks.py", how, "it", "sh", "-c", *command)


def wait_for(path):
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.01)
    raise TimeoutError(path)


def test_many_share_what_one_owns_alone(checkout):
    end, begun = checkout.folder / "end", [checkout.folder / f"begun {n}" for n in range(2)]
    wait = 'touch "$0"; until [ -e end ]; do sleep 0.01; done'
    readers = [lock(checkout, "share", wait, name.name) for name in begun]
    for name in begun:
        wait_for(name)
    writer = lock(checkout, "own", "test -e end")
    assert_waits(writer, "make lab: waiting for make lab")
    end.touch()
    for process in (*readers, writer):
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_a_lock_of_the_dead_blocks_nobody(checkout):
    holder = lock(checkout, "own", "touch begun; exec sleep 60")
    wait_for(checkout.folder / "begun")
    os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate()
    next_one = lock(checkout, "own", "true")
    assert next_one.communicate(timeout=60) == ("", "")
    assert next_one.returncode == 0
