"""Promises between the chapters are kept, and no term is used before it is introduced."""

import promises
import pytest

BOOK = promises.book()
LISTED = promises.read_promises((promises.HERE / "promises.txt").read_text(encoding="utf8"))
TERMS = promises.read_terms((promises.HERE / "terms.txt").read_text(encoding="utf8"))


def test_every_sentence_that_points_ahead_is_listed_with_a_later_answer():
    assert promises.broken_promises(BOOK, LISTED) == []


def test_no_term_of_the_glossary_is_used_before_it_is_introduced():
    assert promises.early_terms(BOOK, TERMS) == []


def test_every_entry_of_the_glossary_has_a_place_where_it_is_introduced():
    assert sorted(TERMS) == sorted(promises.glossary())


# What the tests above would find, on a book of two small chapters.


def small_book(**changed):
    first = "# One\n\nThe next chapter weighs it.\n\n## How\n\nWe sum."
    second = "# Two\n\n## Weighing\n\nA **weight** is a factor. Two weights are two. \\tag{1}"
    texts = {"one": first, "two": second, **changed}
    return {
        name: [("prose", text), ("labels", ["scale"]), ("prose", "")]
        for name, text in texts.items()
    }


@pytest.mark.parametrize("place", ["two: Weighing", "two: (1)", "two: scale", "none: a joke"])
def test_a_promise_may_be_kept_by_a_heading_an_equation_or_a_label(place):
    listed = {"one": [("weighs it", place)]}
    assert promises.broken_promises(small_book(), listed) == []


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("two: Measuring", "two has no 'Measuring'"),
        ("three: Weighing", "there is no chapter 'three'"),
        ("none: ", "no reason is given"),
    ],
)
def test_a_promise_without_an_answer_is_found(place, why):
    listed = {"one": [("weighs it", place)]}
    assert promises.broken_promises(small_book(), listed) == [f"one: weighs it: {why}"]


def test_an_answer_that_comes_before_its_promise_is_found():
    chapters = small_book(two="# Two\n\nRemember this.")
    listed = {"one": [("weighs it", "two: Two")], "two": [("Remember this", "one: How")]}
    (wrong,) = promises.broken_promises(chapters, listed)
    assert wrong.endswith("'How' comes before the promise")


@pytest.mark.parametrize(
    "sentence",
    [
        "We shall see why.",
        "Remember this.",
        "A later chapter (the third) says why.",
        "Keep that in mind.",
        "It will come back.",
        "[Two](two.ipynb) has more.",
    ],
)
def test_a_new_promise_is_found(sentence):
    (wrong,) = promises.broken_promises(small_book(one=f"# One\n\nIt is so. {sentence}"), {})
    assert wrong == f"one: not listed: {sentence}"


def test_a_promise_that_is_no_longer_made_is_found():
    listed = {"one": [("weighs it", "two: Weighing"), ("measures it", "two: Weighing")]}
    assert promises.broken_promises(small_book(), listed) == ["one: no such promise: measures it"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We sum.", False),
        ("We sum the weights.", True),
        ("A Weight of one.", True),
        ("**You need** weights.", False),
        ("See [weights](two.ipynb), $weight$ and `weight`.", False),
        ("## Weight\n\nWe sum.", False),
        ("## Where it came from\n\nFrom a paper on weights.\n\n## Quiz\n\nNone.", False),
        ("## Where it came from\n\nFrom a paper.\n\n## Quiz\n\nWhich weight?", True),
        ("A weighted sum, overweight.", False),
    ],
)
def test_a_term_that_is_used_too_early_is_found(text, found):
    terms = promises.read_terms("weight -> two: A **weight**")
    assert bool(promises.early_terms(small_book(one=text), terms)) == found
    everyday = promises.read_terms("weight ~> two: A **weight**")
    assert promises.early_terms(small_book(one=text), everyday) == []


def test_a_term_that_is_nowhere_introduced_is_found():
    terms = promises.read_terms("weight -> two: A **mass**")
    assert promises.early_terms(small_book(), terms) == ["weight: two does not say 'A **mass**'"]


@pytest.mark.parametrize(
    ("entry", "text", "found"),
    [
        ("input gate, output gate", "two output gates", True),
        ("input gate, output gate", "the gate", False),
        ("trace (of a word)", "its trace", True),
        ("long short-term memory (LSTM)", "an LSTM", True),
        ("long short-term memory (LSTM)", "a long short-term memory", True),
        ("unit", "united", False),
    ],
)
def test_an_entry_is_found_in_all_its_forms(entry, text, found):
    assert bool(promises.pattern(entry).search(text)) == found
