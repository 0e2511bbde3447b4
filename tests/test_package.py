"""The names that readers import, and the documentation that they find behind them."""

import ast
import tomllib
from pathlib import Path

import pytest

import rnnbook

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "rnnbook").rglob("*.py"))
PUBLIC = (
    "MulLayer AddLayer ReLU Sigmoid Tanh Affine Embedding SoftmaxWithLoss TwoLayerNet SGD Adam "
    "numerical_gradient check_gradients"
)


def test_the_public_names_can_be_imported_from_the_package():
    assert set(rnnbook.__all__) >= set(PUBLIC.split())
    for name in rnnbook.__all__:
        assert getattr(rnnbook, name).__name__ == name


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rnnbook.__version__ == project["version"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_public_class_function_and_method_says_what_it_does(path):
    def is_setter(node):  # its property has the docstring
        return any(getattr(d, "attr", "") == "setter" for d in node.decorator_list)

    def silent(node, prefix):
        for child in node.body:
            if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and child.name[0] != "_":
                name = f"{prefix}{child.name}"
                if not ast.get_docstring(child) and not is_setter(child):
                    yield name
                if isinstance(child, ast.ClassDef):
                    yield from silent(child, f"{name}.")

    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert list(silent(tree, "")) == []
