"""The tests of the pages find a browser wherever people have one, or say how to get one."""

import subprocess
import types

import browsers
import locks
import node_packages
import pytest

WORKS = "#!/bin/sh\necho Chromium 1.0\n"
APPLICATION = "Chromium.app/Contents/MacOS/Chromium"
ONLY_ADVICE = "#!/bin/sh\necho 'install it with another program' >&2\nexit 1\n"


class Machine:
    """A machine with nothing on it: no browser, and no way to get one."""

    def __init__(self, folder):
        self.folder, self.tried = folder, []

    def install(self, path, program=WORKS):
        """Put a program there; return its path."""
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program)
        path.chmod(0o755)
        return str(path)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tmp_path}/sbin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RNNBOOK_BROWSER", raising=False)
    monkeypatch.delenv("PLAYWRIGHT_BROWSERS_PATH", raising=False)
    monkeypatch.setattr(locks, "FOLDER", tmp_path / ".locks")
    monkeypatch.setattr(locks, "COMMAND", "make test")
    monkeypatch.setattr(browsers, "SYSTEM", tmp_path)
    monkeypatch.setattr(browsers, "UNPACKED", tmp_path / "unpacked")
    monkeypatch.setattr(node_packages, "is_installed", lambda folder: False)
    for way in ("from_debian", "from_npm", "from_playwright"):
        monkeypatch.setattr(browsers, way, lambda way=way: machine.tried.append(way))
    return machine


@pytest.mark.parametrize(
    "path",
    [
        "bin/chromium",
        "sbin/google-chrome-stable",
        "bin/microsoft-edge",
        "Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        f"home/Applications/{APPLICATION}",
        "home/.cache/ms-playwright/chromium-1255/chrome-linux64/chrome",
        "home/.cache/ms-playwright/chromium_headless_shell-1255/chrome-linux/headless_shell",
        f"home/Library/Caches/ms-playwright/chromium-1255/chrome-mac/{APPLICATION}",
    ],
)
def test_a_browser_is_found_where_people_have_it(machine, path):
    assert browsers.find() is None
    browser = machine.install(path)
    assert browsers.find() == browser
    assert browsers.main() == 0
    assert machine.tried == []


def test_a_program_that_only_says_how_to_install_a_browser_is_none(machine):
    machine.install("bin/chromium-browser", ONLY_ADVICE)
    assert browsers.find() is None
    chrome = machine.install("bin/google-chrome")
    assert browsers.find() == chrome


def test_the_one_that_is_named_is_taken(machine, monkeypatch, capfd):
    machine.install("bin/chromium")
    monkeypatch.setenv("RNNBOOK_BROWSER", machine.install("my browser/run"))
    assert browsers.find() == machine.install("my browser/run")
    monkeypatch.setenv("RNNBOOK_BROWSER", machine.install("my browser/broken", ONLY_ADVICE))
    assert browsers.find() is None
    assert browsers.main() == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("make test: failed: RNNBOOK_BROWSER names ")
    assert machine.tried == []


WAYS = ["from_debian", "from_npm", "from_playwright"]


@pytest.mark.parametrize("helpful", WAYS)
def test_one_way_after_the_other_is_tried_until_there_is_a_browser(machine, monkeypatch, helpful):
    monkeypatch.setattr(browsers, helpful, lambda: machine.install("bin/chromium"))
    assert browsers.main() == 0
    assert machine.tried == WAYS[: WAYS.index(helpful)]


def test_where_none_can_be_had_one_line_says_what_to_install(machine, capfd):
    assert browsers.main() == 1
    assert machine.tried == WAYS
    assert capfd.readouterr().err == f"make test: failed: {browsers.ADVICE}\n"


# The ways by themselves ---------------------------------------------------------------


@pytest.mark.parametrize("user", [0, 1000])
def test_debian_is_asked_where_we_may(tmp_path, monkeypatch, user):
    log = tmp_path / "log"
    machine = Machine(tmp_path)
    machine.install("bin/apt-get", f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>{log}\n')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr(browsers.os, "geteuid", lambda: user)
    browsers.from_debian()
    if user:
        assert not log.exists()
    else:
        assert log.read_text().splitlines() == [
            "noninteractive update -qq",
            "noninteractive install -y -qq --no-install-recommends chromium",
        ]


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A package like that of npm, with a program that says which library path it got."""
    folder = tmp_path / "node_modules" / "@sparticuz" / "chromium" / "bin"
    folder.mkdir(parents=True)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libnss3.so").write_text("")
    (tmp_path / "chromium").write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH $1"\n')
    pack = "const z = require('zlib'), f = require('fs'), [a, b] = process.argv.slice(1);"
    pack += "f.writeFileSync(b, z.brotliCompressSync(f.readFileSync(a)));"
    for name in ("al2023.tar", "fonts.tar", "swiftshader.tar"):
        subprocess.run(["tar", "cf", name, "lib"], cwd=tmp_path, check=True)
        node_packages.node("-e", pack, tmp_path / name, folder / f"{name}.br")
    node_packages.node("-e", pack, tmp_path / "chromium", folder / "chromium.br")
    monkeypatch.setattr(browsers, "FOLDER", tmp_path)
    monkeypatch.setattr(browsers, "UNPACKED", tmp_path / "unpacked")
    monkeypatch.setattr(browsers.platform, "system", lambda: "Linux")
    monkeypatch.setattr(browsers.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(node_packages, "install", lambda _: tmp_path / "node_modules")
    return tmp_path


def test_the_browser_of_npm_is_unpacked_with_its_libraries(packed):
    for _ in range(2):
        browsers.from_npm()
        start = [packed / "unpacked" / "start", "--version"]
        said = subprocess.run(start, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
        assert said.stdout == f"{packed}/unpacked/lib --version\n"
        assert (packed / "unpacked" / "lib" / "libnss3.so").exists()
    assert list(packed.glob(".new-*")) == []


def test_where_npm_cannot_fetch_the_next_way_is_tried(packed, monkeypatch, capfd):
    def fail(folder):
        raise RuntimeError("npm could not fetch it")

    monkeypatch.setattr(node_packages, "install", fail)
    browsers.from_npm()
    assert capfd.readouterr().err.splitlines()[-1].endswith("npm could not fetch it")


def test_another_system_gets_nothing_from_npm(packed, monkeypatch):
    monkeypatch.setattr(browsers.platform, "machine", lambda: "aarch64")
    browsers.from_npm()
    assert not (packed / "unpacked").exists()


def test_what_playwright_could_not_do_is_said_in_one_line(monkeypatch, capfd):
    told = "Downloading…\nError: there is no network\n    at somewhere\nFailed\nError: again\n"
    run = types.SimpleNamespace(returncode=1, stdout="", stderr=told)
    monkeypatch.setattr(browsers.subprocess, "run", lambda *args, **options: run)
    browsers.from_playwright()
    assert [line.partition(": ")[2] for line in capfd.readouterr().err.splitlines()] == [
        "no browser found: Playwright downloads Chromium (100 MB)",
        "Error: there is no network",
    ]
