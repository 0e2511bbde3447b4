"""The weight of each page, and the time that a build takes.

    python benchmarks/book.py [--build]

Weights are of the page with the styles and scripts that it loads at once, as stored and
as a server sends them compressed. With ``--build`` the book is built afresh, aside.
"""

import argparse
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
SOURCES = ["_config.yml", "_toc.yml", "pyproject.toml", "README.md", "LICENSE", "book", "rnnbook"]


def loaded(page):
    """Return the files that a page loads at once, itself first."""
    tags = BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")
    addresses = [tag["href"] for tag in tags.select("link[rel=stylesheet]")]
    addresses += [tag["src"] for tag in tags.select("script[src], img[src]")]
    return [page, *((page.parent / address.split("?")[0]).resolve() for address in addresses)]


def weights():
    """Print the weight of each page in kB."""
    print(f"{'page':<36} {'html':>7} {'gzip':>7} {'all':>7} {'gzip':>7}  files")
    for page in sorted(HTML.glob("book/*.html")):
        data = [file.read_bytes() for file in loaded(page)]
        raw = [len(part) / 1000 for part in data]
        packed = [len(gzip.compress(part, 6)) / 1000 for part in data]
        name = page.relative_to(HTML).as_posix()
        print(
            f"{name:<36} {raw[0]:7.0f} {packed[0]:7.0f} {sum(raw):7.0f} {sum(packed):7.0f}"
            f"  {len(data):5d}"
        )
    total = sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file())
    print(f"the whole book: {total / 1e6:.1f} MB")


def build():
    """Build the book in a folder of its own and print the seconds that each part took."""
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        start = time.perf_counter()
        command = Path(sys.executable).with_name("jupyter-book")
        done = subprocess.run(
            [command, "build", folder, "-n", "-W", "--keep-going"],
            capture_output=True,
            text=True,
            check=True,
        )
        total = time.perf_counter() - start
    for name, seconds in re.findall(
        r"(\S+)\.ipynb: Executed notebook in ([\d.]+)", done.stdout + done.stderr
    ):
        print(f"running {Path(name).name:<28} {float(seconds):7.1f} s")
    print(f"{'the whole build':<36} {total:7.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The weight of the pages, the time of a build.")
    parser.add_argument("--build", action="store_true", help="also build the book and time it")
    arguments = parser.parse_args()
    weights()
    if arguments.build:
        build()
