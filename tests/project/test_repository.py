"""The promises that the repository's structure makes."""

import ast
import collections
import importlib
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import environment
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf8")
README = (ROOT / "README.md").read_text(encoding="utf8")

# Each module may import from those after it, and from no other of ours.
ORDER = [
    "__main__",
    "_console",
    "_settings",
    "widgets",
    "plots",
    "checks",
    "training",
    "textrun",
    "batches",
    "optimizers",
    "models",
    "language",
    "side_by_side",
    "network",
    "data",
    "gradcheck",
    "recurrent",
    "cells",
    "layers",
    "functions",
    "_validate",
]
MODULES = sorted(
    path.stem
    for path in (ROOT / "rnnbook").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").exists()
    if path.stem != "__init__"
)
THIRD_PARTY = {"numpy", "matplotlib", "cycler", "PIL"}  # matplotlib brings the last two


def files_of(module):
    """Return the one file of a module, or all those of a package, with their depth in it."""
    path = ROOT / "rnnbook" / module
    return [(file, 1) for file in path.glob("*.py")] or [(path.with_suffix(".py"), 0)]


def imports(module):
    """Return the modules of ours and the top-level modules of others that a module imports."""
    ours, others = set(), set()
    for file, depth in files_of(module):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                if node.level and node.level <= depth:
                    continue  # a neighbour in the same package
                base = ".".join(filter(None, ["rnnbook" if node.level else "", node.module]))
                names = [f"{base}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                first, *rest = name.split(".")
                if first == "rnnbook":
                    ours.add(rest[0])
                else:
                    others.add(first)
    return ours & set(MODULES), others


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_point_down_the_list(module):
    ours, others = imports(module)
    assert module in ORDER
    assert ours <= set(ORDER[ORDER.index(module) + 1 :])
    allowed = THIRD_PARTY | sys.stdlib_module_names
    if module == "widgets":
        allowed |= {"anywidget", "traitlets", "ipywidgets"}
    assert others <= allowed


def test_the_command_needs_neither_widgets_nor_plots():
    assert not imports("__main__")[0] & {"widgets", "plots"}
    assert imports("__main__")[1] <= {"numpy"} | sys.stdlib_module_names


def test_the_gradient_check_shares_no_code_with_what_it_checks():
    assert imports("gradcheck")[0] <= {"_validate"}


def test_the_package_imports_without_any_widget_library():
    code = """
import sys
for name in ("ipywidgets", "anywidget", "traitlets", "tqdm", "IPython"):
    sys.modules[name] = None
import rnnbook, rnnbook.plots, rnnbook.checks, rnnbook.data
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "_validate"])
def test_a_public_module_lists_its_names(module):
    loaded = importlib.import_module(f"rnnbook.{module}")
    assert loaded.__all__
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name[0] != "_"])
def test_the_reference_has_every_public_module(module):
    page = (ROOT / "book" / "api.md").read_text(encoding="utf8")
    assert f".. automodule:: rnnbook.{module}\n" in page


def test_the_table_of_contents_has_every_page():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    listed = {toc["root"]} | {page["file"] for part in toc["parts"] for page in part["chapters"]}
    sources = [*(ROOT / "book").glob("*.md"), *(ROOT / "book").glob("*.ipynb")]
    assert listed == {f"book/{path.stem}" for path in sources}


def test_whatever_runs_in_the_environment_keeps_it_as_it_is_meanwhile():
    recipes = [line for line in MAKEFILE.splitlines() if line.startswith("\t")]
    users = [line for line in recipes if "$(BIN)/" in line or "$(RUN)/" in line]
    assert users
    assert [line for line in users if "$(RUN)/" not in line] == []


def test_the_locks_pin_by_hash_and_name_no_registry():
    for name in ("requirements.txt", ".ci/lowest.txt", ".ci/uv.txt"):
        lock = (ROOT / name).read_text(encoding="utf8")
        assert "://" not in lock
        pinned = re.findall(r"^[\w.-]+==\S+(?:(?!\n\w).)*", lock, flags=re.M | re.S)
        assert pinned
        assert all("--hash=sha256:" in package for package in pinned)
    for folder in ("book/_ext", "tests/book", "tests/book/browser"):
        lock = (ROOT / folder / "package-lock.json").read_text(encoding="utf8")
        assert '"resolved"' not in lock
        assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/')


def test_the_readme_names_commands_that_exist():
    used = set(re.findall(r"\bmake ([a-z]+)\b", README))
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.M))
    assert {"book", "test", "lab"} <= used <= targets


def test_the_readme_says_what_make_runs(tmp_path, monkeypatch):
    ran = []

    def run(command, **options):
        ran.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.chdir(ROOT)
    environment.make(tmp_path, "requirements.txt")
    ran = [re.sub(r"--(quiet|disable-pip-version-check) ", "", line) for line in ran]
    for command in (
        "-m pip install --require-hashes -r requirements.txt",
        "-m pip install --no-build-isolation --no-deps -e .",
        "jupyter-book build . -n -W --keep-going",
    ):
        assert command in README
        assert command in MAKEFILE or any(command in line for line in ran)


def test_the_locks_hold_both_ends_of_every_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    locks = [pinned("requirements.txt"), pinned(".ci/lowest.txt")]
    for requirement in map(Requirement, itertools.chain(*groups)):
        name = canonicalize_name(requirement.name)
        (lowest,) = [s.version for s in requirement.specifier if s.operator == ">="]
        newest_pins, lowest_pins = (lock[name] for lock in locks)
        assert Version(lowest) in lowest_pins, requirement
        for version in (max(newest_pins), Version(lowest)):
            assert requirement.specifier.contains(version), requirement


def pinned(lock):
    """Return the versions that a lock pins by package: one, or one for each range of Pythons."""
    found = collections.defaultdict(list)
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / lock).read_text(), flags=re.M):
        found[name].append(Version(version))
    return found


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_the_links_of_the_readme_lead_somewhere(link):
    assert (ROOT / link).exists()
