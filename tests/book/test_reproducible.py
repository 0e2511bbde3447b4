"""The same sources give the same bytes, on another path too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import HTML, ROOT

SOURCES = ["_config.yml", "_toc.yml", "pyproject.toml", "README.md", "LICENSE", "book", "rnnbook"]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_second_build_elsewhere_gives_the_same_bytes(tmp_path):
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    environment = {"SOURCE_DATE_EPOCH": "1767225600", "PYTHONHASHSEED": "0", **os.environ}
    subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", ".", "-n", "-W", "--keep-going"],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    first, second = contents(HTML), contents(tmp_path / "_build" / "html")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
