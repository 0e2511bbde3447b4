"""Find the browser that the tests open the pages in, or bring one.

    python book/_ext/browsers.py

A browser is found where people have it: named in RNNBOOK_BROWSER, on the PATH, among the
programs of macOS, or among what Playwright has downloaded. Where there is none, Debian's
packages, the npm registry and Playwright are asked for one, in this order.
"""

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import locks
import node_packages

PROGRAMS = (
    "chromium chromium-browser google-chrome google-chrome-stable microsoft-edge brave-browser"
)
APPLICATIONS = (
    "Chromium",
    "Google Chrome",
    "Google Chrome for Testing",
    "Microsoft Edge",
    "Brave Browser",
)
DOWNLOADS = ".cache/ms-playwright", "Library/Caches/ms-playwright"
SYSTEM = Path("/")
FOLDER = Path(__file__).parents[2] / "tests" / "book" / "browser"
UNPACKED = FOLDER / "unpacked"
UNPACK = """
const { readFileSync, writeFileSync } = require("node:fs");
const { brotliDecompressSync } = require("node:zlib");
const [from, to] = process.argv.slice(1);
writeFileSync(to, brotliDecompressSync(readFileSync(from)));
"""
FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""
START = """#!/bin/sh
here=$(dirname "$0")
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -d /usr/share/fonts ] || export FONTCONFIG_PATH="$here"
exec "$here/chromium" "$@"
"""
ADVICE = (
    "the tests of the pages need a browser: install Chromium or Google Chrome (on Debian: "
    "apt install chromium), or name one in RNNBOOK_BROWSER"
)


def candidates():
    """Yield where a browser may be."""
    if named := os.environ.get("RNNBOOK_BROWSER"):
        yield named
        return
    yield from filter(None, map(shutil.which, PROGRAMS.split()))
    for home in (SYSTEM, Path.home()):
        for name in APPLICATIONS:
            yield home / "Applications" / f"{name}.app" / "Contents" / "MacOS" / name
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    for folder in [Path(named)] if named else [Path.home() / name for name in DOWNLOADS]:
        for name in ("chrome", "chrome-headless-shell", "headless_shell", *APPLICATIONS):
            yield from sorted(folder.glob(f"chromium*-*/**/{name}"), reverse=True)
    if node_packages.is_installed(FOLDER):
        yield UNPACKED / "start"


def works(browser):
    """Whether a program is there and starts: some only say how to install a browser."""
    try:
        run = subprocess.run([browser, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


def find():
    """Return the path of a browser that works, or None."""
    return next((str(path) for path in candidates() if works(path)), None)


def from_debian():
    """Install Debian's Chromium, where we may."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return
    locks.say("no browser found: apt-get installs chromium")
    environment = {"DEBIAN_FRONTEND": "noninteractive", **os.environ}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, env=environment)


def from_npm():
    """Unpack the Chromium that an npm package carries, with the libraries it needs."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return
    locks.say("no browser found: npm fetches Chromium (75 MB)")
    try:
        packed = node_packages.install(FOLDER) / "@sparticuz" / "chromium" / "bin"
    except RuntimeError as error:
        locks.say(str(error))
        return
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".new-") as aside:
        new = Path(aside, "unpacked")
        new.mkdir()
        for name in ("chromium", "al2023.tar", "fonts.tar", "swiftshader.tar"):
            node_packages.node("-e", UNPACK, packed / f"{name}.br", new / name)
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
        for archive in new.glob("*.tar"):
            with tarfile.open(archive) as files:
                files.extractall(new, **safely)
            archive.unlink()
        (new / "fonts.conf").write_text(FONTS)
        (new / "start").write_text(START)
        for name in ("chromium", "start"):
            (new / name).chmod(0o755)
        shutil.rmtree(UNPACKED, ignore_errors=True)
        new.rename(UNPACKED)


def from_playwright():
    """Let Playwright download its own."""
    locks.say("no browser found: Playwright downloads Chromium (100 MB)")
    command = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    environment = {
        "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000",
        "PLAYWRIGHT_NODEJS_PATH": node_packages.NODE,
        **os.environ,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        locks.say(next((line for line in lines if line.startswith("Error:")), "it could not"))


def main():
    """Find a browser, or bring one; return the exit status."""
    if find():
        return 0
    if named := os.environ.get("RNNBOOK_BROWSER"):
        locks.say(f"failed: RNNBOOK_BROWSER names {named}, which does not start")
        return 1
    with locks.hold("browser"):
        for way in (from_debian, from_npm, from_playwright):
            if find():
                return 0
            way()
    if find():
        return 0
    locks.say(f"failed: {ADVICE}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
