"""The environment is made once and whole, wherever an attempt was cut off."""

import os
import sys
from types import SimpleNamespace

import environment
import locks
import pytest


class Cut(BaseException):
    """Stand in for what ends a process at once."""


class Machine:
    """Stand in for the programs that make an environment, and remember what they did.

    The step of that number ends with an exit status, or with the end of it all.
    """

    def __init__(self):
        self.calls, self.ends, self.present = [], {}, set()

    def run(self, command, **options):
        if "find_spec" in " ".join(command):
            return SimpleNamespace(returncode=int(command[-1] not in self.present))
        step = len(self.calls)
        self.calls.append(" ".join(command))
        if (end := self.ends.get(step)) is not None:
            if end is Cut:
                raise Cut
            return SimpleNamespace(returncode=end)
        if "venv" in command:
            python = environment.Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        elif "-e" in command:
            pth = environment.Path(".venv", "lib", "python3.11", "site-packages", "rnnbook.pth")
            pth.parent.mkdir(parents=True, exist_ok=True)
            pth.write_text(str(environment.Path.cwd()), encoding="utf8")
        elif command[-1].startswith("torch"):
            self.present.add("torch")
        return SimpleNamespace(returncode=0)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locks, "FOLDER", tmp_path / ".locks")
    monkeypatch.setattr(locks, "COMMAND", "make book")
    monkeypatch.setattr(environment, "subprocess", SimpleNamespace(run=machine.run))
    (tmp_path / "lock.txt").write_text("numpy==2.0\n")
    return machine


PIP = ".venv/bin/python -m pip --disable-pip-version-check install --quiet "
STEPS = [
    f"{sys.executable} -m venv --clear .venv",
    f"{PIP}--require-hashes -r lock.txt",
    f"{PIP}--no-build-isolation --no-deps -e .",
]


def test_it_is_made_once(machine, capfd):
    assert environment.main(".venv", "lock.txt") == 0
    assert machine.calls == STEPS
    said = "make book: making the environment in .venv: pip fetches what lock.txt pins\n"
    assert capfd.readouterr().err == said
    assert environment.main(".venv", "lock.txt") == 0
    assert machine.calls == STEPS
    assert capfd.readouterr().err == ""


def test_it_names_the_package_in_plain_letters_wherever_the_checkout_is(machine, monkeypatch):
    checkout = environment.Path("été 한글")
    checkout.mkdir()
    environment.Path("lock.txt").rename(checkout / "lock.txt")
    monkeypatch.chdir(checkout)
    environment.main(".venv", "lock.txt")
    (pth,) = environment.Path(".venv").rglob("*.pth")
    assert (pth.parent / pth.read_text(encoding="ascii")).resolve() == environment.Path.cwd()


@pytest.mark.parametrize("change", ["lock", "path", "python", "interpreter"])
def test_it_is_made_again_when_it_no_longer_fits(machine, monkeypatch, change):
    environment.main(".venv", "lock.txt")
    if change == "lock":
        environment.Path("lock.txt").write_text("numpy==2.1\n")
    elif change == "path":  # its programs name the folder in which they were made
        environment.Path("elsewhere").mkdir()
        environment.Path(".venv").rename("elsewhere/.venv")
        environment.Path("lock.txt").rename("elsewhere/lock.txt")
        monkeypatch.chdir("elsewhere")
    elif change == "python":
        version = SimpleNamespace(version_info=(3, 99, 0), executable=sys.executable)
        monkeypatch.setattr(environment, "sys", version)
    else:
        environment.Path(".venv/bin/python").unlink()
    environment.main(".venv", "lock.txt")
    assert machine.calls == 2 * STEPS


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("before", [False, True])
def test_an_attempt_that_was_cut_off_is_no_environment(machine, step, before):
    if before:
        environment.main(".venv", "lock.txt")
        environment.Path("lock.txt").write_text("numpy==2.1\n")
        environment.main(".venv", "lock.txt")
        environment.Path("lock.txt").write_text("numpy==2.0\n")  # as the first time
        machine.calls.clear()
    machine.ends = {step: Cut}
    with pytest.raises(Cut):
        environment.main(".venv", "lock.txt")
    machine.calls.clear()
    machine.ends = {}
    assert environment.main(".venv", "lock.txt") == 0
    assert machine.calls == STEPS


@pytest.mark.parametrize("step", range(3))
def test_a_failure_ends_in_one_line(machine, capfd, step):
    machine.ends = {step: 1}
    assert environment.main(".venv", "lock.txt") == 1
    last = (
        "failed: the environment in .venv could not be installed, see above; this needs a network"
    )
    assert capfd.readouterr().err.splitlines()[1:] == [f"make book: {last}"]
    assert not environment.is_made(environment.Path(".venv"), "lock.txt")


def test_one_more_package_is_added_once(machine, capfd):
    for _ in range(2):
        assert environment.main(".venv", "lock.txt", "torch==1.0") == 0
    assert machine.calls == [*STEPS, f"{PIP}torch==1.0"]
    assert environment.main(".venv", "lock.txt") == 0
    assert len(machine.calls) == 4


def test_without_a_network_the_environment_stays_as_it_was(machine, capfd):
    machine.ends = {3: 1}
    assert environment.main(".venv", "lock.txt", "torch==1.0") == 1
    assert "failed: torch==1.0 could not be installed" in capfd.readouterr().err
    assert environment.is_made(environment.Path(".venv"), "lock.txt")


@pytest.mark.parametrize("end", [Cut, -9])
def test_a_package_half_installed_spoils_the_environment(machine, end):
    machine.ends = {3: end}
    if end is Cut:
        with pytest.raises(Cut):
            environment.main(".venv", "lock.txt", "torch==1.0")
    else:
        assert environment.main(".venv", "lock.txt", "torch==1.0") == 1
    machine.present.add("torch")
    machine.calls.clear()
    machine.ends = {}
    assert environment.main(".venv", "lock.txt", "torch==1.0") == 0
    assert machine.calls == STEPS


def test_it_waits_for_another_that_makes_the_same(machine, monkeypatch):
    other, said = locks.take(".venv"), []

    def say(message):
        said.append(message)
        if len(said) == 1:
            environment.make(environment.Path(".venv"), "lock.txt")  # the other comes to its end
            os.close(other)

    monkeypatch.setattr(locks, "say", say)
    assert environment.main(".venv", "lock.txt") == 0
    assert said[0].startswith("waiting for make book (process ")
    assert machine.calls == STEPS
