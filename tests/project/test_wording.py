"""Slips of wording that a machine can find, in the prose and in the texts of the figures."""

import json
import re

import prose
import pytest

ONE_OF_MANY = re.compile(
    r"(?<![\d.,−-])(?<!= )\b1 (?:hidden |test |training )?"
    r"(?:bits|cells|curves|layers|letters|networks|runs|seeds|steps|sums|times|tokens|units|words)\b"
)
OF_ITSELF = re.compile(r"(?<![A-Za-z\\])([A-Za-z])_(?:\1(?![A-Za-z])|\{\1[},])")  # t_t


def texts(name):
    """Yield the prose of a chapter, its captions included, and its alternative texts."""
    yield from prose.chapter(name).prose.values()
    notebook = json.loads((prose.BOOK / f"{name}.ipynb").read_text(encoding="utf8"))
    for cell in notebook["cells"]:
        yield cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")


@pytest.mark.parametrize("name", prose.CHAPTERS)
def test_one_is_not_followed_by_many(name):
    assert [match.group() for text in texts(name) for match in ONE_OF_MANY.finditer(text)] == []


@pytest.mark.parametrize("name", prose.CHAPTERS)
def test_no_letter_of_an_equation_is_both_a_value_and_what_counts_it(name):
    assert [match.group() for text in texts(name) for match in OF_ITSELF.finditer(text)] == []


@pytest.mark.parametrize("text", ["after 1 steps", "1 hidden units", "fires 1 times"])
def test_one_of_many_is_found(text):
    assert ONE_OF_MANY.search(text)
    assert not ONE_OF_MANY.search("after 21 steps, of 0.1 units, k = 1 cells")


@pytest.mark.parametrize("text", ["(y_t - t_t)", "t_{t}", "t_{t,k}"])
def test_a_letter_that_counts_itself_is_found(text):
    assert OF_ITSELF.search(text)
    assert not OF_ITSELF.search(r"s_{tk}, x_t, dh_{h,t}, \text_t")
