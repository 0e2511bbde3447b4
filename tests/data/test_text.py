"""Of a text nothing is lost on the way to tokens and numbers, and back."""

import json
from itertools import pairwise

import numpy as np
import pytest
from helpers import refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook.data import (
    UNKNOWN,
    Vocabulary,
    alice_opening,
    detokenize,
    house_that_jack_built,
    load_text,
    split_text,
    tokenize,
)

# What ships with the package ----------------------------------------------------------


def test_the_rhyme_repeats_in_every_stanza_all_of_the_one_before():
    text = house_that_jack_built()
    stanzas = text.splitlines()
    assert len(stanzas) == 12
    assert stanzas[0] == "this is the house that Jack built"
    assert stanzas[1] == "this is the malt that lay in the house that Jack built"
    for before, stanza in pairwise(stanzas):
        assert stanza.endswith(before.removeprefix("this is"))
    end = "kept the cock that crowed in the morn that waked the priest all shaven and shorn that "
    assert f"\nthis is the farmer sowing his corn that {end}" in text
    tokens = tokenize(text, "word")
    assert (len(tokens), len(Vocabulary(tokens))) == (475, 48)
    assert detokenize(tokens, "word") == text


def test_the_opening_of_alice_is_one_line_of_plain_signs():
    text = alice_opening()
    assert text.startswith("alice was beginning to get very tired of sitting by her sister on the ")
    assert text.endswith(
        " do bats eat cats? for, you see, as she couldn't answer either question, "
        "it didn't much matter which way she put it."
    )
    for part in (
        "oh dear! oh dear! i shall be late!",
        "down, down, down. would the fall never",
        "please, ma'am, is this new zealand or australia? (and she tried to curtsey",
    ):
        assert f" {part} " in text
    assert set(text) == set(" abcdefghijklmnopqrstuvwxyz!'(),-.:;?")
    assert (len(text), len(tokenize(text, "word")), text.count("  ")) == (4650, 1048, 0)
    assert text.count("(") == text.count(")")


# Tokens -------------------------------------------------------------------------------


@given(st.text())
def test_characters_are_joined_to_the_text_again(text):
    tokens = tokenize(text, "char")
    assert tokens == list(text)
    assert detokenize(tokens, "char") == text


@given(st.text() | st.text(alphabet="aB'’.,!() \n\t-"))
def test_of_words_nothing_is_lost_but_blanks(text):
    tokens = tokenize(text, "word")
    assert "".join(tokens) == "".join(x for x in text if x == "\n" or not x.isspace())
    again = tokenize(detokenize(tokens, "word"), "word")
    assert "".join(again) == "".join(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat, the hat.", ["The", "cat", ",", "the", "hat", "."]),
        ("I don't\nsay “no”!", ["I", "don't", "\n", "say", "“", "no", "”", "!"]),
        ("l’été: 3.5 (über)", ["l’été", ":", "3", ".", "5", "(", "über", ")"]),
        ("안녕, 세상\r", ["안녕", ",", "세상"]),
        ("  \t ", []),
    ],
)
def test_words_marks_and_line_ends_are_tokens(text, tokens):
    assert tokenize(text, "word") == tokens


@pytest.mark.parametrize(
    "text",
    ["I don't know; do you (yet)?\n\nYes: “no”!\n", "a b, c. D e", "", "\n\n", "[x] {y}"],
)
def test_ordinary_prose_is_printed_as_it_was(text):
    assert detokenize(tokenize(text, "word"), "word") == text


@pytest.mark.parametrize(
    ("error", "call", "wanted"),
    [
        (TypeError, lambda: tokenize(b"a", "char"), "text must be a str, got bytes b'a'"),
        (ValueError, lambda: tokenize("a", "byte"), "level must be 'char' or 'word', got 'byte'"),
        (TypeError, lambda: tokenize("a", 1), "level must be 'char' or 'word', got int 1"),
        (TypeError, lambda: detokenize("ab", "char"), "tokens must be a list of str, got str"),
        (TypeError, lambda: detokenize(["a", 1], "word"), "list of str, got int 1 at place 1"),
        (ValueError, lambda: detokenize(["a"], ""), "level must be 'char' or 'word', got ''"),
    ],
)
def test_what_is_no_text_has_no_tokens(error, call, wanted):
    with refusal(error, wanted):
        call()


# Vocabularies -------------------------------------------------------------------------


TOKENS = ["to", "be", "or", "not", "to", "be", "\n"]


def test_tokens_are_numbered_in_order_of_first_appearance():
    vocabulary = Vocabulary(TOKENS)
    assert vocabulary.tokens == ("to", "be", "or", "not", "\n")
    assert len(vocabulary) == 5
    assert "or" in vocabulary
    assert "and" not in vocabulary
    ids = vocabulary.encode(TOKENS)
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, [0, 1, 2, 3, 0, 1, 4])
    assert vocabulary.decode(ids) == TOKENS
    assert ids.dtype == np.int64
    assert (vocabulary.encode([]).shape, vocabulary.encode([]).dtype) == ((0,), np.int64)


@given(tokens=st.lists(st.text(max_size=3), min_size=1), size=st.none() | st.integers(2, 5))
def test_a_vocabulary_goes_through_json_and_its_numbers_back(tokens, size):
    vocabulary = Vocabulary(tokens, size)
    again = Vocabulary(json.loads(json.dumps(vocabulary.tokens)))
    assert again == vocabulary
    assert len(vocabulary) == len(set(vocabulary.tokens)) <= (size or len(tokens))
    ids = vocabulary.encode(tokens)
    np.testing.assert_array_equal(again.encode(tokens), ids)
    for token, found in zip(tokens, vocabulary.decode(ids), strict=True):
        assert found == (token if token in vocabulary else UNKNOWN)


def test_of_a_capped_vocabulary_the_most_frequent_tokens_stay():
    vocabulary = Vocabulary(["c", "b", "a", "b", "d", "a", "e"], 4)
    assert vocabulary.tokens == (UNKNOWN, "c", "b", "a")
    np.testing.assert_array_equal(vocabulary.encode(["e", "a", "never seen"]), [0, 3, 0])
    assert Vocabulary(["c", "b", "a"], 3) == Vocabulary(["c", "b", "a"])
    assert Vocabulary(["c", "b"]) != Vocabulary(["b", "c"])
    assert Vocabulary(["c"]) != ("c",)


@pytest.mark.parametrize(
    ("error", "call", "wanted"),
    [
        (
            ValueError,
            lambda v: v.encode(["to", "be", "me"]),
            "tokens must be in the vocabulary of 5, got 'me' at place 2",
        ),
        (TypeError, lambda v: v.encode("to"), "tokens must be a list of str, got str 'to'"),
        (TypeError, lambda v: v.encode(["to", None]), "got NoneType None at place 1"),
        (ValueError, lambda v: v.decode(np.array([5])), "ids must hold token ids in 0 .. 4, got 5"),
        (TypeError, lambda v: v.decode([0]), "ids must be a numpy array of integer token ids"),
        (ValueError, lambda v: Vocabulary([]), "tokens must hold at least one token, got none"),
        (TypeError, lambda v: Vocabulary("text"), "tokens must be a list of str, got str 'text'"),
        (ValueError, lambda v: Vocabulary(TOKENS, 1), "max_size must be an integer >= 2, got 1"),
        (TypeError, lambda v: hash(v), "unhashable"),
    ],
)
def test_what_is_not_in_the_vocabulary_is_named(error, call, wanted):
    with refusal(error, wanted):
        call(Vocabulary(TOKENS))


def test_a_vocabulary_shows_itself_briefly():
    assert repr(Vocabulary(["a", "b"])) == "Vocabulary of 2 tokens: ('a', 'b')"
    assert len(repr(Vocabulary([str(i) for i in range(1000)]))) < 100


# Texts of the reader's own ------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "One, two\nthrée\n".encode(),
        b"\xef\xbb\xbf" + "One, two\nthrée\n".encode(),
        "One, two\r\nthrée\r\n".encode(),
        "One, two\rthrée\r".encode(),
    ],
    ids=["plain", "mark", "Windows", "old Mac"],
)
def test_a_text_is_read_wherever_it_was_written(tmp_path, raw):
    path = tmp_path / "mine.txt"
    path.write_bytes(raw)
    for name in (path, str(path)):
        ids, vocabulary = load_text(name, "char")
        assert "".join(vocabulary.decode(ids)) == "One, two\nthrée\n"
    ids, vocabulary = load_text(path, "word")
    assert vocabulary.tokens == ("One", ",", "two", "\n", "thrée")
    np.testing.assert_array_equal(ids, [0, 1, 2, 3, 4, 3])
    ids, vocabulary = load_text(path, "word", max_vocabulary=3)
    assert vocabulary.tokens == (UNKNOWN, "One", "\n")
    np.testing.assert_array_equal(ids, [1, 0, 0, 2, 0, 2])


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", "mine.txt must be a text file in UTF-8, got an empty file"),
        (b"\xff\xfea\0", "in UTF-8, got UTF-16"),
        (b"abc\0def", "in UTF-8, got a binary file, with a zero at byte 3"),
        ("né".encode("latin-1"), "in UTF-8, got 0xe9 at byte 1: unexpected end of data"),
        (b"ok \x80", "in UTF-8, got 0x80 at byte 3: invalid start byte"),
        (b"a", "mine.txt must hold at least two tokens, got 1"),
        (b"\xef\xbb\xbf", "mine.txt must hold at least two tokens, got 0"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, raw, wanted):
    (tmp_path / "mine.txt").write_bytes(raw)
    with refusal(ValueError, wanted):
        load_text(tmp_path / "mine.txt", "char")


@given(raw=st.binary(max_size=30))
def test_any_file_is_read_or_refused_by_name(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(raw)
    try:
        message, (ids, vocabulary) = "", load_text(path, "char")
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("any.txt must ")
    else:
        text = raw.decode().removeprefix("\ufeff")
        assert "".join(vocabulary.decode(ids)).splitlines() == text.splitlines()


def test_a_path_that_leads_to_no_text_is_refused(tmp_path):
    with refusal(FileNotFoundError, f"existing text file, got {str(tmp_path / 'no.txt')!r}"):
        load_text(tmp_path / "no.txt", "char")
    with refusal(IsADirectoryError, f"path must be a text file, got the folder {str(tmp_path)!r}"):
        load_text(tmp_path, "char")
    with refusal(TypeError, "path must be a path, got int 5"):
        load_text(5, "char")
    with refusal(ValueError, "level must be 'char' or 'word', got 'line'"):
        load_text(tmp_path, "line")
    with refusal(ValueError, "max_vocabulary must be an integer >= 2, got 1"):
        load_text(tmp_path, "word", max_vocabulary=1)


@given(size=st.integers(2, 60), held_out=st.floats(0.01, 0.99))
def test_the_last_part_of_a_text_is_held_out(size, held_out):
    tokens, test_size = np.arange(size), round(held_out * size)
    if not 2 <= test_size <= size - 2:
        with refusal(ValueError, "held_out must leave at least two tokens on both sides, got "):
            split_text(tokens, held_out=held_out)
        return
    train, test = split_text(tokens, held_out=held_out)
    assert len(test) == test_size
    np.testing.assert_array_equal([*train, *test], tokens)


@pytest.mark.parametrize(
    ("error", "tokens", "held_out", "wanted"),
    [
        (ValueError, np.arange(9), 0, "held_out must be a finite number > 0 < 1, got 0"),
        (ValueError, np.arange(9), 1, "held_out must be a finite number > 0 < 1, got 1"),
        (TypeError, [1, 2, 3], 0.5, "tokens must be a numpy array of integer tokens, got list"),
        (ValueError, np.ones((9, 9), int), 0.5, "tokens must have shape (K,), got (9, 9)"),
    ],
)
def test_what_cannot_be_split_is_refused(error, tokens, held_out, wanted):
    with refusal(error, wanted):
        split_text(tokens, held_out=held_out)
