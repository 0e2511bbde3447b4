"""Every number of the prose stands in a tested output, or has a reason to stand without one."""

import copy
import random
import re

import bind
import prose
import pytest

SAMPLE = 60
each_chapter = pytest.mark.parametrize("name", prose.CHAPTERS)


def test_every_chapter_has_a_file_of_bindings_and_no_other_has():
    assert [path.stem for path in sorted(prose.NUMBERS.glob("*.txt"))] == prose.CHAPTERS


@each_chapter
def test_every_number_of_the_prose_holds(name):
    assert prose.problems(prose.chapter(name), prose.stored(name)) == []


@each_chapter
def test_the_bindings_are_stored_as_the_command_writes_them(name):
    text = (prose.NUMBERS / f"{name}.txt").read_text(encoding="utf8")
    assert bind.bind(prose.chapter(name), prose.parse(text)) == text


# The tests below change what is stored, in memory, and expect that it is found. They are the
# measure of those above: every change of a single digit, of the prose or of an output that
# it rests on, is found.


def other_digit(rng, text, at):
    """Return a text with the digit at one place changed."""
    return text[:at] + rng.choice("0123456789".replace(text[at], "")) + text[at + 1 :]


def bound(name):
    """Return a copy of a chapter, and its sites with their lines: (cell, site, left, right)."""
    here = copy.deepcopy(prose.chapter(name))
    return here, [
        (cell, site, left, right)
        for cell, lines in prose.stored(name).items()
        for site, mine in prose.groups(prose.sites(here.prose[cell]), lines)
        for left, right in mine
    ]


@each_chapter
def test_a_changed_digit_of_the_prose_is_found(name):
    rng, (here, _), bindings = random.Random(0), bound(name), prose.stored(name)
    digits = [
        (cell, match.start())
        for cell, text in here.prose.items()
        for match in re.finditer(r"[0-9]", text)
    ]
    for cell, at in rng.sample(digits, SAMPLE):
        kept = here.prose[cell]
        here.prose[cell] = other_digit(rng, kept, at)
        assert prose.problems_in(here, cell, bindings.get(cell, [])), here.prose[cell]
        here.prose[cell] = kept


@each_chapter
def test_a_changed_number_in_words_is_found(name):
    rng, (here, lines), bindings = random.Random(0), bound(name), prose.stored(name)
    for cell, site, *_ in lines:
        if site.kind == "number" and site.text in prose.WORDS and rng.random() < 0.2:
            kept = here.prose[cell]
            other = rng.choice(sorted(set(prose.WORDS) - {site.text, "one"}))
            here.prose[cell] = re.sub(rf"\b{site.text}\b", other, kept, count=1)
            assert prose.problems_in(here, cell, bindings[cell]), here.prose[cell]
            here.prose[cell] = kept


@each_chapter
def test_a_changed_digit_of_an_output_is_found_where_the_prose_rests_on_it(name):
    rng, (here, lines) = random.Random(0), bound(name)
    for _, site, left, right in lines:
        match = prose.TARGET.match(right)
        if not match or match["chapter"] or match["kind"] not in ("out", "ratio", "difference"):
            continue
        kept = here.out[match["cell"]]
        words, anchor = prose.collapsed(kept), match["text"]
        for mark in prose.MARK.finditer(anchor):
            start = words.index(prose.unmarked(anchor))
            start += len(prose.unmarked(anchor[: mark.start()]))
            for at in range(start, start + len(mark[1])):
                if words[at].isdecimal():
                    here.out[match["cell"]] = other_digit(rng, words, at)
                    assert prose.wrong(site, left, right, here), right
        here.out[match["cell"]] = kept


@each_chapter
def test_what_rests_on_a_cell_falls_with_it(name):
    here, lines = bound(name)
    for _, site, left, right in lines:
        if (match := prose.TARGET.match(right)) and not match["chapter"]:
            kept = here.code.pop(match["cell"])
            assert "there is no code cell" in prose.wrong(site, left, right, here)
            here.code[match["cell"]] = kept


@each_chapter
def test_no_line_can_be_changed_to_allow_a_changed_digit(name):
    """The comparison itself refuses it, where there is something to compare with."""
    rng, (here, lines) = random.Random(0), bound(name)
    verdicts = []
    for _, site, left, right in lines:
        mark, word = prose.MARK.search(left), right.split(":")[0]
        if mark and word not in prose.REASONS and word != "equation":
            places = [at for at in range(*mark.span(1)) if left[at].isdecimal()]
            changed = (other_digit(rng, left, at) for at in places)
            verdicts += [bool(prose.wrong(site, text, right, here)) for text in changed]
    assert sum(verdicts) >= 0.95 * len(verdicts)


@each_chapter
def test_no_digit_of_the_prose_is_overlooked(name):
    for text in prose.chapter(name).prose.values():
        assert not re.search(r"[0-9]", prose.SITE.sub("", text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16,384", 16384),
        ("1_250", 1250),
        ("−0.5", -0.5),
        (".978", 0.978),
        ("1e-6", 1e-6),
        ("10⁻⁶", 1e-6),
        ("1/3", 1 / 3),
        ("¼", 0.25),
        ("9 million", 9e6),
        ("twelve", 12),
        ("forty-two thousand", 42_000),
        ("five hundred million", 5e8),
        ("a thousand million", 1e9),
        ("two million five thousand", 2_005_000),
        ("a hundred", 100),
        ("two thirds", 2 / 3),
        ("a quarter", 0.25),
        ("a thousandth", 0.001),
        ("half", 0.5),
        ("Twice", 2),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(text, value):
    assert prose.read_value(text).value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "x", "one fine", "1.2.3"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is no number"):
        prose.read_value(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one of the units, once", []),
        ("one or two of ten, once in ten", ["one", "two", "ten", "ten"]),
        ("in two hundred, or 3–5, steps", ["two hundred", "3", "5"]),
        ("a third time, a third of it, two thirds", ["a third", "a third", "two thirds"]),
        ("float32, W1 and x² of UTF-8 in 5.7.1", ["float32", "W1", "x²", "UTF-8", "5.7.1"]),
        ("$a^2$ `b[0]` $$c$$ [d](#e1) $f$", ["$a^2$", "`b[0]`", "](#e1)"]),
        ("```sh\na\n```\nIn 2 `b`, 3:\n\n```\nc = `4`\n```\n", ["2", "3", "``` c = `4` ```"]),
        ("about 1e-6, −0.5 and 98% (7)", ["1e-6", "−0.5", "98", "7"]),
    ],
)
def test_the_numbers_of_a_sentence_are_found(text, found):
    assert [site.text for site in prose.sites(text)] == found


@pytest.mark.parametrize(
    ("said", "found", "how", "right"),
    [
        ("0.98", "0.978", "", True),
        ("0.98", "0.974", "", False),
        ("16", "16", "", True),
        ("16", "16.3", "", False),
        ("16", "16.3", "about ", True),
        ("40,000", "40,121", "about ", True),
        ("40,000", "46,000", "about ", False),
        ("half", "0.47", "about ", True),
        ("half", "0.44", "about ", False),
        ("0.3", "-0.3", "", True),
        ("+0.3", "-0.3", "", False),
        ("90", "93", "more than ", True),
        ("90", "89", "more than ", False),
        ("0.5", "0.3", "less than ", True),
        ("0.5", "0.6", "less than ", False),
    ],
)
def test_values_agree_as_far_as_the_prose_says(said, found, how, right):
    assert prose.agrees(prose.read_value(said), prose.read_value(found), how) == right


def small_chapter(text, *, out="loss 0.125 of 7 runs\nloss 0.25 at the end\n", ids="pc"):
    """Return a chapter of one markdown cell and one code cell."""
    code = "rates = [0.1, 0.3]  # not 5\nexplore(draw, name='e', rate=rates)"
    code = code.replace("'e'", '"e"')
    output = {"text": f"{out}Explorer: rate in [0.1, 0.3]."}
    cells = [
        {"id": ids[0], "cell_type": "markdown", "source": text},
        {"id": ids[1], "cell_type": "code", "source": code, "outputs": [output], "metadata": {}},
    ]
    return prose.Chapter({"cells": cells})


@pytest.mark.parametrize(
    ("text", "right", "why"),
    [
        ("0.13", "c out: loss «0.125» of 7", ""),
        ("0.14", "c out: loss «0.125» of 7", "there it is 0.125"),
        ("12.5%", "c out: loss «0.125» of 7", ""),
        ("0.1", "c code: rates = [«0.1»,", ""),
        ("5", "c code: # not «5»", "not there: # not «5»"),
        ("0.125", "c out: loss «0.125»", ""),
        ("0.1", "c out: rate in [«0.1»", ""),
        ("7", "c out: «7»", ""),
        ("0.25", "c out: loss", "mark a number on both sides, or on none"),
        ("2", "c out: 0.«2»5", "a part of a number is marked"),
        ("12", "c out: loss 0.«12»", "a part of a number is marked"),
        ("3", "c lines", ""),
        ("2", "c count: loss", ""),
        ("2", "c ratio: loss «0.125» of 7 runs loss «0.25»", ""),
        ("half", "c ratio: loss «0.125» of 7 runs loss «0.25»", ""),
        ("0.125", "c difference: loss «0.125» of 7 runs loss «0.25»", ""),
        ("2.303", "arithmetic: log(10)", ""),
        ("2.302", "arithmetic: log(10)", "there it is 2.302585093"),
        ("2", "arithmetic: log(", "'(' was never closed"),
        ("7", "example: of nothing", ""),
        ("7", "year", "'year' is no reason for it"),
        ("7", "idiom", "'idiom' is no reason for it"),
        ("21", "listed", "'listed' is no reason for it"),
        ("2", "equation", "there is no such equation"),
        ("7", "d out: «7»", "there is no code cell d"),
        ("7", "nonsense", "'nonsense' is neither a cell nor a reason"),
        ("7", "? c out: of «7» runs", "'? c out: of «7» runs' is neither a cell nor a reason"),
    ],
)
def test_a_line_holds_or_says_what_is_wrong(text, right, why):
    here = small_chapter(f"It is {text} here.")
    (site,) = prose.sites(here.prose["p"])
    assert prose.wrong(site, site.line, right, here).startswith(why)
    assert bool(prose.wrong(site, site.line, right, here)) == bool(why)


@pytest.mark.parametrize(
    ("link", "way", "why"),
    [
        ("#explorer=e&rate=0.3", "explorer", ""),
        ("#explorer=e&rate=0.2", "explorer", "the explorer stores no rate=0.2"),
        ("#explorer=f1&rate=0.3", "explorer", "there is no explorer 'f1'"),
        ("#on-2-and-3", "heading", ""),
        ("#on-2-and-4", "heading", "there is no such heading"),
    ],
)
def test_links_are_followed(link, way, why):
    here = small_chapter(f"## On 2, and 3\n\nSee [this]({link}).")
    site = prose.sites(here.prose["p"])[-1]
    assert prose.wrong(site, site.line, way, here) == why


def lines_of(text):
    return [line.split(" <- ")[1] for line in text.splitlines() if " <- " in line]


def test_the_command_proposes_what_is_near_and_the_test_refuses_a_proposal():
    here = small_chapter("After 7 runs the loss is 0.125, and 0.99 is best.")
    text = bind.bind(here, {})
    assert lines_of(text) == ["? c out: loss 0.125 of «7» runs", "? c out: loss «0.125» of 7", "?"]
    assert len(prose.problems(here, prose.parse(text))) == 3


def test_the_command_fills_in_where_a_cell_has_the_value():
    bindings = {"p": [("the loss is «0.125» now.", "c")]}
    assert lines_of(bind.bind(small_chapter("Here the loss is 0.125 now."), bindings)) == [
        "c out: loss «0.125» of 7"
    ]


LINE = ("the loss is «0.125» now.", "c out: loss «0.125» of 7")


@pytest.mark.parametrize(
    ("changed", "right"),
    [
        ({}, LINE[1]),
        ({"text": "But now the loss was 0.125."}, LINE[1]),
        ({"out": "loss 0.125 of 8 runs\n"}, "c out: loss «0.125» of 8"),
        ({"ids": "qd"}, "d out: loss «0.125» of 7"),
        ({"out": "loss 0.126 of 7 runs\n"}, f"? {LINE[1]}"),
        ({"text": "Here the loss is 0.127 now."}, f"? {LINE[1]}"),
        ({"out": "nothing\n"}, f"? {LINE[1]}"),
    ],
)
def test_the_command_keeps_a_line_while_its_two_sides_agree(changed, right):
    here = small_chapter(**{"text": "Here the loss is 0.125 now.", **changed})
    assert lines_of(bind.bind(here, {"p": [LINE]})) == [right]


def test_the_command_finds_lines_again_when_a_cell_was_cut_in_two():
    bindings = {"p": [("It is «7» of them.", "c out: of «7» runs"), LINE]}
    whole = small_chapter("It is 7 of them.\nHere the loss is 0.125 now.")
    assert lines_of(bind.bind(whole, bindings)) == ["c out: of «7» runs", LINE[1]]
    cut = small_chapter("It is 7 of them.")
    cut.prose["c"] = "Here the loss is 0.125 now."
    assert lines_of(bind.bind(cut, bindings)) == ["c out: of «7» runs", LINE[1]]
