"""What the chapters promise to tell later, and the terms that they use: in reading order.

``promises.txt`` has a line for every sentence of the chapters that points ahead:

    [computational-graphs]
    has an explorer for when it does matter -> backpropagation: How small should ε be?
    **add up** on the way back              -> none: no promise, it is gradients that come back

On the left stand some words of the sentence, on the right the chapter that keeps the promise
and a heading, the name of a figure or an explorer, or an equation's number such as ``(3)``,
in it. It must come after the promise.

``terms.txt`` has a line for every entry of the glossary:

    cross-entropy -> backpropagation: This is **cross-entropy**
    block         ~> gradients-through-time: **blocks**

On the right stands the text that introduces the term. With ``->`` nothing before it may use
the term; with ``~>`` the word has an everyday sense as well, in which it may. The passages
that say what a chapter is about, and those on its sources, do not count; nor do headings,
formulas, code and the words of a link, for who does not know them can follow it.
"""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
BOOK = HERE.parents[1] / "book"
_TOC = (HERE.parents[1] / "_toc.yml").read_text(encoding="utf8")
CHAPTERS = [
    name for name in re.findall(r"file: book/([\w-]+)", _TOC) if (BOOK / f"{name}.ipynb").exists()
]

AHEAD = re.compile(
    r"(next|later) chapter|chapters? to come|remember this|in mind|we (will|shall)\b|"
    r"you will (soon |then )?(see|meet|write|find|build)|will (show|come|return)|comes? back|"
    r"comes? \[after|further down|(explained|needed?|need it|again|more on this) below|"
    r"rest of the book",
    re.I,
)


def cells(name):
    """Return a chapter as a list of (kind, text); of a code cell only labels count."""
    notebook = json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf8"))
    found = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            figure = cell["metadata"].get("mystnb", {}).get("figure", {})
            names = re.findall(r'^explore\(.*?name="([\w-]+)"', text, flags=re.M | re.S)
            found.append(("labels", [*names, *filter(None, [figure.get("name")])]))
            text = figure.get("caption", "")
        found.append(("prose", text))
    return found


def book():
    """Return every chapter's cells by name, in reading order."""
    return {name: cells(name) for name in CHAPTERS}


def plain(text):
    """Return a text on one line."""
    return " ".join(text.split())


def sentences(text):
    return [plain(each) for each in re.split(r"(?<=[.!?])[)*\"]*\s+|\n\n", text) if each.strip()]


def links_ahead(sentence, later):
    """Return whether a sentence has a link to one of the chapters."""
    return bool(set(re.findall(r"\]\(([\w-]+)\.ipynb", sentence)) & set(later))


def is_ahead(sentence, later):
    """Return whether a sentence points ahead, in words or by a link to one of the chapters."""
    return bool(AHEAD.search(sentence)) or links_ahead(sentence, later)


def places(chapter):
    """Return the headings, labels and equation numbers of a chapter, with the last cell of each."""
    found = {}
    for at, (kind, content) in enumerate(chapter):
        if kind == "labels":
            names = content
        else:
            names = [plain(head) for head in re.findall(r"^#+ (.+)$", content, flags=re.M)]
            names += [f"({tag})" for tag in re.findall(r"\\tag\{(\w+)\}", content)]
        found |= dict.fromkeys(names, at)
    return found


def read_promises(text):
    """Return {chapter: [(words, right side)]}."""
    found, here = {}, None
    for line in filter(None, map(str.strip, text.splitlines())):
        if re.fullmatch(r"\[[\w-]+\]", line):
            here = found.setdefault(line.strip("[]"), [])
        else:
            here.append(tuple(map(str.strip, line.split(" -> "))))
    return found


def broken_promises(chapters, listed):
    """Return what is wrong with the promises of the chapters and with their list."""
    wrong, order = [], list(chapters)
    for name, chapter in chapters.items():
        lines, used = listed.get(name, []), set()
        for at, (kind, text) in enumerate(chapter):
            if kind == "labels":
                continue
            for sentence in sentences(text):
                if not is_ahead(sentence, order[order.index(name) + 1 :]):
                    continue
                mine = [line for line in lines if line[0] in sentence]
                used.update(mine)
                if not mine:
                    wrong.append(f"{name}: not listed: {sentence}")
                wrong += [
                    f"{name}: {left}: {why}"
                    for left, right in mine
                    if (why := unkept(chapters, name, at, right))
                ]
        wrong += [f"{name}: no such promise: {left}" for left, _ in lines if (left, _) not in used]
    return wrong


def unkept(chapters, name, at, right):
    """Return why a promise at a cell of a chapter is not kept at the place given, or ''."""
    where, _, place = right.partition(": ")
    if where == "none":
        return "" if place else "no reason is given"
    if where not in chapters:
        return f"there is no chapter {where!r}"
    found, order = places(chapters[where]), list(chapters)
    if place not in found:
        return f"{where} has no {place!r}"
    if (order.index(where), found[place]) < (order.index(name), at):
        return f"{place!r} comes before the promise"
    return ""


def glossary():
    """Return the English entries of the glossary."""
    rows = (BOOK / "glossary.md").read_text(encoding="utf8").splitlines()
    return [row.split("|")[1].strip() for row in rows if row.startswith("|")][2:]


def read_terms(text):
    """Return {entry: (strict, chapter, text that introduces it)}."""
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        term, arrow, where, words = re.fullmatch(r"(.+?) +([-~])> ([\w-]+): (.+)", line).groups()
        found[term] = arrow == "-", where, words
    return found


def pattern(entry):
    """Return what finds an entry such as "input gate, output gate" or "trace (of a word)"."""
    names = re.sub(r" \((?![A-Z]).*?\)", "", entry)
    names = re.split(r", | \(|\)", names)
    words = "|".join(re.escape(name) for name in names if name)
    return re.compile(rf"(?<![\w-])(?:{words})(?:s|es)?(?![\w-])", re.I)


ASIDE = re.compile(r"\*\*You (will learn|need)|## Where it came from")
FORMULA = re.compile(r"^#+ .+$|\$\$.*?\$\$|\$[^$]+\$|`[^`]+`", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\([^)]*\)")


def read(chapter):
    """Return a chapter's sentences: (as it stands, what counts as reading, if in the opening)."""
    found, aside, opening = [], False, True
    for kind, text in chapter:
        for part in re.split(r"\n\n+", text) if kind == "prose" else []:
            if part.startswith("## "):
                aside, opening = bool(ASIDE.match(part)), False
            counts = not aside and not ASIDE.match(part)
            for each in sentences(part):
                seen = LINK.sub(" ", FORMULA.sub(" ", each)) if counts else ""
                found.append((each, seen, opening))
    return found


def early_terms(chapters, terms):
    """Return the terms that are used before they are introduced, or never introduced.

    A sentence with a link to a later chapter may name a term, and so may the opening of the
    chapter that introduces it.
    """
    text = [(name, *each) for name, chapter in chapters.items() for each in read(chapter)]
    order, wrong = list(chapters), []
    for entry, (strict, where, words) in terms.items():
        at = [i for i, (name, raw, *_) in enumerate(text) if name == where and words in raw]
        if not at:
            wrong.append(f"{entry}: {where} does not say {words!r}")
            continue
        find = pattern(entry)
        early = [
            f"{entry}: used in {name} before {where} introduces it: {raw[:90]}"
            for name, raw, seen, opening in text[: at[0]]
            if find.search(seen)
            and not (opening and name == where)
            and not links_ahead(raw, order[order.index(name) + 1 :])
        ]
        wrong += early[:1] if strict else []
    return wrong
