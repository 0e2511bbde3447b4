"""Of a text nothing is lost on the way to tokens and numbers, and back."""

import io
import json
import os
import threading
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
    read_text,
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


SIGNS = "aB'’.,!() \n\t-1\u0301\u200d\u200bคน้हिन्दी語が가👍🏽🇩🇪་།_‿\ud800"


@pytest.mark.filterwarnings("ignore:text is in part")
@given(st.text() | st.text(alphabet=SIGNS))
def test_of_words_nothing_is_lost_but_blanks(text):
    tokens = tokenize(text, "word")
    assert "".join(tokens) == "".join(
        x for x in text if x == "\n" or not (x.isspace() or x == "\u200b")
    )
    again = tokenize(detokenize(tokens, "word"), "word")
    assert "".join(again) == "".join(tokens)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat, the hat.", ["The", "cat", ",", "the", "hat", "."]),
        ("I don't\nsay “no”!", ["I", "don't", "\n", "say", "“", "no", "”", "!"]),
        ("l’été: 3.5 (über)", ["l’été", ":", "3.5", "(", "über", ")"]),
        (
            "in 1,234, e.g. v1.2 a.3 3.a",
            ["in", "1,234", ",", "e.g", ".", "v1.2", "a", ".", "3", "3", ".", "a"],
        ),
        ("well-known _x_ col·legi Hawai‘i", ["well", "-", "known", "_x_", "col·legi", "Hawai‘i"]),
        ("a\u200bb co\u00adop\0\ud800", ["a", "b", "co\u00adop", "\0", "\ud800"]),
        ("안녕, 세상\r", ["안녕", ",", "세상"]),
        ("  \t ", []),
    ],
)
def test_words_marks_and_line_ends_are_tokens(text, tokens):
    assert tokenize(text, "word") == tokens


@pytest.mark.parametrize(
    "text",
    [
        "हिन्दी भाषा।",  # Devanagari: vowel signs and viramas
        "தமிழ் மொழி.",
        "বাংলা ভাষা।",
        "മലയാളം അവന്\u200d.",  # a joiner ends the word
        "cafe\u0301 nai\u0308ve!",  # accents by themselves
        "Tie\u0302\u0301ng Vie\u0323\u0302t.",
        'שָׁלוֹם צה״ל צה"ל ג׳ירפה?',  # points, and what marks an acronym
        "الْعَرَبِيَّةُ ١٬٢٣٤٫٥؟",
        "می\u200cخواهم بروم.",  # Persian: parted, but one word
        "안녕 세상.",
        "\u1112\u1161\u11ab\u1100\u1173\u11af.",  # Korean in single letters
        "Ελληνικά ο\u0313.",
        "አማርኛ ቋንቋ።",
        "ქართული ენა.",
        "Հայերեն լեզու։",
    ],
)
def test_what_the_scripts_of_the_world_call_a_word_is_one(text):
    tokens = tokenize(text, "word")
    assert tokens == [*text[:-1].split(), text[-1]]
    assert detokenize(tokens, "word") == text


@pytest.mark.parametrize(
    "sign",
    [
        "👨\u200d👩\u200d👧\u200d👦",
        "👍🏽",
        "🇩🇪",
        "❤️",
        "🏳️\u200d🌈",
        "🙂\u200d↔️",
        "1️⃣",
        "*️⃣",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ],
)
def test_an_emoji_of_many_parts_is_one_token(sign):
    assert tokenize(f"so {sign}!", "word") == ["so", sign, "!"]
    assert tokenize("🇩🇪🇫🇷👍👍", "word") == ["🇩🇪", "🇫🇷", "👍", "👍"]


@pytest.mark.parametrize(
    ("text", "script", "tokens"),
    [
        ("我爱北京。你好！", "Chinese", [*"我爱北京。你好！"]),
        ("東京タワーが「好き」。", "Chinese, Japanese", [*"東京", "タワー", *"が「好き」。"]),
        ("ひらか\u3099な", "Japanese", ["ひ", "ら", "か\u3099", "な"]),
        ("ｶﾀｶﾅ", "Japanese", ["ｶﾀｶﾅ"]),
        ("น้ำเย็น ดี", "Thai", ["น้ำเย็น", "ดี"]),
        ("ພາສາລາວ", "Lao", ["ພາສາລາວ"]),
        ("ភាសាខ្មែរ។", "Khmer", ["ភាសាខ្មែរ", "។"]),
        ("မြန်မာဘာသာ။", "Burmese", ["မြန်မာဘာသာ", "။"]),
        ("བོད་སྐད།", "Tibetan", ["བོད", "་", "སྐད", "།"]),
        ("we saw 京 there", "Chinese", ["we", "saw", "京", "there"]),
    ],
)
def test_where_a_script_has_no_spaces_the_reader_is_told_and_offered_characters(
    tmp_path, text, script, tokens
):
    wanted = f'text is in part {script}, written without spaces.*level="char"'
    with pytest.warns(UserWarning, match=wanted) as caught:
        assert tokenize(text, "word") == tokens
    assert caught[0].filename == __file__
    assert detokenize(tokens, "word") == text
    (tmp_path / "mine.txt").write_text(f"{text}\n{text}", encoding="utf8")
    with pytest.warns(UserWarning, match=wanted):
        load_text(tmp_path / "mine.txt", "word", max_vocabulary=2)
    assert tokenize(text, "char") == list(text)  # without a word


@pytest.mark.parametrize(
    "text",
    ["I don't know; do you (yet)?\n\nYes: “no”!\n", "a b, c. D e", "", "\n\n", "[x] {y}"],
)
def test_ordinary_prose_is_printed_as_it_was(text):
    assert detokenize(tokenize(text, "word"), "word") == text


PTB = """ the <unk> of england said N people were <unk>
 mr. smith 's dog is n't here

 a <unk> at N.N % \n"""
PTB_TOKENS = [
    *["the", "<unk>", "of", "england", "said", "N", "people", "were", "<unk>", "<eos>"],
    *["mr.", "smith", "'s", "dog", "is", "n't", "here", "<eos>", "<eos>"],
    *["a", "<unk>", "at", "N.N", "%", "<eos>"],
]


def test_a_text_that_has_been_cut_already_is_cut_at_whitespace_and_line_ends_are_tokens():
    assert tokenize(PTB, "whitespace") == PTB_TOKENS
    assert tokenize("no\u00a0line\tend", "whitespace") == ["no", "line", "end"]
    assert tokenize(" \n ", "whitespace") == ["<eos>"]
    assert detokenize(PTB_TOKENS, "whitespace") == (
        "the <unk> of england said N people were <unk>\n"
        "mr. smith 's dog is n't here\n\na <unk> at N.N %\n"
    )


@given(st.text() | st.text(alphabet="a< >\n\t"))
def test_what_was_cut_at_whitespace_is_joined_to_a_text_of_the_same_tokens(text):
    tokens = tokenize(text, "whitespace")
    assert tokens.count("<eos>") == text.count("\n") + text.count("<eos>")
    assert tokenize(detokenize(tokens, "whitespace"), "whitespace") == tokens


@pytest.mark.parametrize(
    ("error", "call", "wanted"),
    [
        (TypeError, lambda: tokenize(b"a", "char"), "text must be a str, got bytes b'a'"),
        (
            ValueError,
            lambda: tokenize("a", "byte"),
            "level must be 'char', 'word' or 'whitespace', got 'byte'",
        ),
        (
            TypeError,
            lambda: tokenize("a", 1),
            "level must be 'char', 'word' or 'whitespace', got int 1",
        ),
        (TypeError, lambda: detokenize("ab", "char"), "tokens must be a list of str, got str"),
        (TypeError, lambda: detokenize(["a", 1], "word"), "list of str, got int 1 at place 1"),
        (
            ValueError,
            lambda: detokenize(["a"], ""),
            "level must be 'char', 'word' or 'whitespace', got ''",
        ),
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
    none = vocabulary.encode([])
    assert (none.shape, none.dtype) == ((0,), np.int64)
    assert vocabulary.decode(none) == vocabulary.decode([]) == []
    assert vocabulary.decode([4, np.int8(0)]) == ["\n", "to"]


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
        (TypeError, lambda v: v.encode(["\x1b]0;x\x07", 0]), "got int 0 at place 1"),
        (ValueError, lambda v: v.encode(["\x1b]0;x\x07"]), r"got '\x1b]0;x\x07' at place 0"),
        (TypeError, lambda v: v.decode(0), "ids must be a list or numpy array of integer token"),
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


ACCENTS = "\ufeffdéjà vu\r\nà la carte\r"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF8", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"]
)
def test_a_text_in_any_encoding_is_the_same_text(tmp_path, encoding):
    (tmp_path / "mine.txt").write_bytes(ACCENTS.encode(encoding))
    assert read_text(tmp_path / "mine.txt", encoding=encoding) == "déjà vu\nà la carte\n"
    assert read_text(io.BytesIO("déjà\rvu".encode("cp850")), encoding="cp850") == "déjà\nvu"
    ids, vocabulary = load_text(tmp_path / "mine.txt", "whitespace", encoding=encoding)
    assert vocabulary.tokens == ("déjà", "vu", "<eos>", "à", "la", "carte")
    assert ids.tolist() == [0, 1, 2, 3, 4, 5, 2]


def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"abc" * 50_000,))
    writer.start()
    assert read_text(tmp_path / "pipe") == "abc" * 50_000
    writer.join()


def test_what_is_no_text_in_the_encoding_is_refused(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(b"abc\xe9\x81")
    with refusal(ValueError, "mine.txt must be a text file in CP1252, got 0x81 at byte 4: "):
        read_text(path, encoding="cp1252")
    with refusal(ValueError, "mine.txt must be a text file in UTF-16-LE, got 0x81 at byte 4: "):
        read_text(path, encoding="UTF-16LE")
    for none in ("klingon", "base64", "", "a\0b"):
        with refusal(ValueError, "encoding must be the name of a text encoding, as 'utf-8', got"):
            read_text(path, encoding=none)
    with refusal(TypeError, "encoding must be a str, got int 8"):
        load_text(path, "char", encoding=8)
    with refusal(TypeError, "path must be open for reading bytes, got str 'abc'"):
        read_text(io.StringIO("abc"))
    with refusal(ValueError, "the file must be a text file in UTF-8, got an empty file"):
        read_text(io.BytesIO())
    named = io.BytesIO(b"a")
    named.name = "<stdin>"
    with refusal(ValueError, "<stdin> must hold at least two tokens, got 1"):
        load_text(named, "char")


def test_a_name_that_a_terminal_would_obey_is_shown_escaped(tmp_path):
    path = tmp_path / "\x1b]0;x\x07.txt"
    path.write_bytes(b"")
    with refusal(ValueError, r"'\x1b]0;x\x07.txt' must be a text file in UTF-8, got an empty"):
        load_text(path, "char")


def test_a_path_that_leads_to_no_text_is_refused(tmp_path):
    with refusal(FileNotFoundError, f"existing text file, got {str(tmp_path / 'no.txt')!r}"):
        load_text(tmp_path / "no.txt", "char")
    with refusal(IsADirectoryError, f"path must be a text file, got the folder {str(tmp_path)!r}"):
        load_text(tmp_path, "char")
    with refusal(TypeError, "path must be a path, got int 5"):
        load_text(5, "char")
    with refusal(ValueError, "level must be 'char', 'word' or 'whitespace', got 'line'"):
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
        (TypeError, [1, 2.0, 3], 0.5, "tokens must hold integer tokens, got float 2.0"),
        (ValueError, np.ones((9, 9), int), 0.5, "tokens must have shape (K,), got (9, 9)"),
    ],
)
def test_what_cannot_be_split_is_refused(error, tokens, held_out, wanted):
    with refusal(error, wanted):
        split_text(tokens, held_out=held_out)
