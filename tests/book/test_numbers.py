"""The numbers on the pages are those that the notebooks store."""

import nbformat
import pytest
import refresh
from conftest import ROOT

RUN = ROOT / "_build" / "jupyter_execute" / "book"
NOTEBOOKS = sorted(path.name for path in RUN.glob("*.ipynb"))


def texts(path):
    """Return what each code cell printed, showed or raised, in words."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [[text_of(output) for output in cell.outputs] for cell in cells]


def text_of(output):
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return output.data["text/plain"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_shows_what_its_notebook_stores(name):
    assert texts(RUN / name) == texts(refresh.BOOK / name)


def test_the_book_has_notebooks():
    assert NOTEBOOKS
