"""What every number in the chapters' prose is bound to, and whether it holds.

The prose of a chapter is its markdown cells and the captions of its figures.
``tests/numbers/CHAPTER.txt`` has one line for each number in it, in reading order, under the
id of the cell:

    «0.98» of the held-out digits      <- 591fc929 out: before training: «0.98» of the

On the left stands the number with the words around it, on the right what it rests on:

    591fc929 out: ... «0.98» ...       what a cell prints, shows or raises
    591fc929 code: ... «0.98» ...      what a cell's code says; its comments do not count
    591fc929 lines                     the number of lines that a cell prints
    591fc929 count: text               how often a text occurs in a cell's code and output
    591fc929 ratio: ... «12» ... «6»   one of two numbers of an output by the other
    591fc929 difference: the same      the larger of two numbers of an output minus the smaller
    arithmetic: 2 * 64 * 50            the value of a Python expression
    equation                           a numbered equation of the chapter
    explorer                           a value that the explorer of a link stores
    heading                            the heading of the chapter that a link leads to
    year: remark                       one of the REASONS; a remark is free

The text of another chapter's cell is named ``memory/591fc929``. Before the target may stand
``about`` (the number is rounded to its digits other than final zeros; a fraction in words, to
a tenth of it), ``more than`` or ``less than`` (either may also be equal). Otherwise a number
with decimals or a percentage is what the target rounds to, and a whole number is equal to it.

Both sides are literal: whoever changes a digit of the prose, or of an output that it rests on,
finds the test failing until ``python tests/numbers/bind.py CHAPTER`` has been run, which keeps
a line only if its two sides still agree.

A formula, a piece of code and a link stand as a whole, once if nothing in it is
marked, and otherwise once for each number in it that is. So does a name such as ``float32``.

Numbers in words are those from two to twenty, the tens, hundred, thousand and million, half
and its like, and "twice". "One" and "once" are mostly no numbers; they count where another
number follows or goes before ("one or two", "one in ten"). Ordinals count only as fractions
("a third", "three tenths").
"""

import ast
import dataclasses
import functools
import io
import json
import math
import re
import tokenize
from itertools import count
from pathlib import Path
from urllib.parse import unquote_plus

BOOK = Path(__file__).parents[1] / "book"
NUMBERS = Path(__file__).parent / "numbers"
CHAPTERS = sorted(path.stem for path in BOOK.glob("*.ipynb"))

WORDS = {
    word: value
    for first, step, words in (
        (0, 1, "zero one two three four five six seven eight nine ten eleven twelve thirteen"),
        (14, 1, "fourteen fifteen sixteen seventeen eighteen nineteen"),
        (20, 10, "twenty thirty forty fifty sixty seventy eighty ninety"),
    )
    for value, word in zip(count(first, step), words.split(), strict=False)
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
PARTS = {"half": 2, "halves": 2, "quarter": 4, "third": 3, "fifth": 5, "sixth": 6, "seventh": 7}
PARTS |= {"eighth": 8, "tenth": 10, "twentieth": 20, "hundredth": 100, "thousandth": 1000}
PARTS |= {"millionth": 10**6}
VULGAR = {"½": 1 / 2, "¼": 1 / 4, "¾": 3 / 4, "⅓": 1 / 3, "⅔": 2 / 3, "⅛": 1 / 8}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

# A number in digits, one in words, and every place of the prose that has a number in it.
_word = "|".join(sorted([*WORDS, *SCALES], key=len, reverse=True))
_count = "|".join(sorted({*WORDS, *SCALES} - {"zero", "one"}, key=len, reverse=True))
_part = "|".join(sorted(PARTS, key=len, reverse=True))
DIGITS = r"""(?:(?<![\w.)\]])[-−+±])?
    (?:\d{1,3}(?:[,_]\d{3})+(?:\.\d+)?|\d+\.\d+|(?<!\d)\.\d+|\d+(?:/\d+(?![\w.]))?)
    (?:e[-−+]?\d+)?[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*(?:\ (?:hundred|thousand|million|billion)\b)?|[½¼¾⅓⅔⅛]"""
SPELT = rf"""\b(?:
    (?:(?:a|one|{_count})[\ -])?(?:half|halves|quarters?)
    |(?:an?|one|{_count})[\ -](?:{_part})s?
    |(?:an?\ )?(?:{_word})(?:[\ -](?:{_word}))+
    |(?:a|one)\ (?:hundred|thousand|million)
    |one(?=\ (?:or|to|in|of|out\ of)\ (?:{_count}|\d))
    |twice|zero|{_count})\b"""
SITE = re.compile(
    rf"""(?P<formula>\$\$.+?\$\$|\$[^$]+?\$)
    |(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))
    |(?P<link>\]\([^)\s]*\))
    |(?P<name>[A-Za-z_][A-Za-z_]*(?:[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|[\d][\w]*(?:\.\d+)*)|[A-Z]\w*-\d\w*
        |\d+(?!e[-−+]?\d)[A-Za-z_]\w*|\d+(?:\.\d+){{2,}})
    |(?P<number>{DIGITS}|{SPELT})""",
    re.X | re.S | re.I,
)
MARK = re.compile("«(.+?)»")
PERCENT = re.compile(r" ?\\?%| per ?cent\b|(?: \w+)? in a hundred\b")
HOW = ("about ", "more than ", "less than ")

REASONS = {  # why a number may stand without an output
    "mathematics": "a formula, or a number of school mathematics",
    "name": "a part of a name, or of a piece of code that is named",
    "numbering": "the number of a question or of a step in a list",
    "year": "the year of a publication",
    "citation": "a volume, page, chapter or edition of a cited work, or an address",
    "source": "what a cited work says or uses",
    "world": "a fact of the world: the letters of the alphabet, the bits of a byte",
    "example": "what the text itself supposes, as in a question",
    "listed": "counts what the passage itself names or shows",
    "idiom": "a figure of speech, or an estimate in words",
    "benchmark": "what the named file of benchmarks/ prints",
    "time": "the time that reading takes",
    "word": "a word that means no number here",
}

ALLOWED = {  # what some of them ask of the number
    "name": lambda site: site.kind in ("name", "code") or not site.after[:1].isspace(),
    "numbering": lambda site: re.fullmatch(r"\d{1,2}", site.text),
    "year": lambda site: re.fullmatch(r"(1[89]|20)\d\d", site.text),
    "listed": lambda site: site.text.isalpha() or re.fullmatch(r"1?\d", site.text),
    "idiom": lambda site: not re.search(r"\d", site.text),
    "word": lambda site: not re.search(r"\d", site.text),
    "time": lambda site: re.fullmatch(r"\d+", site.text),
}


@dataclasses.dataclass(frozen=True)
class Site:
    """A place in the prose that has a number in it."""

    kind: str
    text: str
    before: str
    after: str

    @property
    def line(self):
        """The left side of its line: the number marked, a few words around it."""
        if self.kind != "number":
            return self.text
        return f"{self.before}«{self.text}»{self.after}"


def collapsed(text):
    return " ".join(text.split())


def few_words(before, after):
    """Return what stands beside a number in its line: about three words on each side."""
    before, after = before[-300:].rsplit("\n", 1)[-1], after[:300].split("\n", 1)[0]
    before, after = (re.sub(r"<[^>]*>|(?<=\])\([^)]*\)", "", text) for text in (before, after))
    before = re.search(r"(?:\S+ +)?(?:\S+ +)?\S* ?$", before).group()
    after = re.match(r" ?\S*(?: +\S+)?(?: +\S+)?(?: +\S+)?", after).group()
    while len(before) > 24 and " " in before.strip():
        before = before.lstrip().partition(" ")[2]
    while len(after) > 22 and " " in after.strip():
        after = after.rpartition(" ")[0]
    return before.lstrip(), after.rstrip()


def sites(source):
    """Return the places of a piece of prose that have numbers, in reading order."""
    found = []
    for match in SITE.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind in ("formula", "code", "link"):
            if re.search(r"\d", text):
                found.append(Site(kind, collapsed(text), "", ""))
            continue
        before, after = few_words(source[: match.start()], source[match.end() :])
        found.append(Site(kind, collapsed(text), before, after))
    return found


@dataclasses.dataclass(frozen=True)
class Value:
    """A number as it is written: its value, and the place of its last digit."""

    value: float
    unit: float
    whole: bool
    signed: bool


def spelt(text):
    """Return the value of a number in words."""
    total, group = 0, 0
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word not in ("a", "an")]
    for word in words:
        if word in WORDS:
            group += WORDS[word]
        elif word == "hundred":
            group = 100 * (group or 1)
        elif word in SCALES and total and not group:  # a thousand million
            total *= SCALES[word]
        elif word in SCALES:
            total, group = total + (group or 1) * SCALES[word], 0
        elif word == "twice":
            group += 2
        else:
            part = PARTS.get(word) or PARTS[word.removesuffix("s")]
            return (total + group or 1) / part
    return total + group


def read_value(text, percent=False):
    """Read a number in digits or in words; raise ValueError if it is neither."""
    text = collapsed(text).replace("−", "-")
    if re.fullmatch(SPELT, text, flags=re.X | re.I) or text.lower() in ("one", "once"):
        value = spelt(text) if text.lower() != "once" else 1
        return Value(value, 1, value == int(value), False)
    if not re.fullmatch(DIGITS, text, flags=re.X):
        raise ValueError(f"{text!r} is no number")
    signed = text[0] in "+-"
    text = text.lstrip("+±").replace(",", "").replace("_", "")
    if text in VULGAR:
        return Value(VULGAR[text], 1e-9, False, False)
    text, _, scale = text.partition(" ")
    scale = SCALES.get(scale, 1)
    if raised := re.search(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+$", text):
        text, power = text[: raised.start()], int(raised.group().translate(RAISED))
        return Value(float(text) ** power * scale, 1e-9, power >= 0, signed)
    if "/" in text:
        top, bottom = text.split("/")
        return Value(int(top) / int(bottom), 1e-9, False, signed)
    mantissa, _, power = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(power or 0) - decimals) * scale
    if percent:
        return Value(float(text) / 100, unit / 100, False, signed)
    return Value(float(text) * scale, unit, not decimals and not power, signed)


def agrees(said, found, how):
    """Whether the prose may say what it says, given the value that was found."""
    value = found.value if said.signed else abs(found.value)
    wanted = said.value
    tiny = 1e-9 * max(abs(wanted), abs(value))
    if how == "more than ":
        return value >= wanted - tiny
    if how == "less than ":
        return value <= wanted + tiny
    if how == "about ":
        if said.whole and wanted:
            digits = f"{wanted:.0f}"
            unit = 10.0 ** (len(digits) - len(digits.rstrip("0")))
            return abs(value - wanted) <= unit / 2 + tiny
        return abs(value - wanted) <= (wanted / 10 if said.unit == 1 else said.unit / 2) + tiny
    if said.whole or said.unit == 1:
        return abs(value - wanted) <= tiny
    return abs(value - wanted) <= said.unit / 2 + tiny


def uncommented(source):
    """Return code without its comments and docstrings."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source
    lines = source.splitlines()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            for row in range(body[0].lineno, body[0].end_lineno + 1):
                lines[row - 1] = ""
    tokens = tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
    for token in [token for token in tokens if token.type == tokenize.COMMENT]:
        row, column = token.start
        lines[row - 1] = lines[row - 1][:column]
    return "\n".join(lines)


class Chapter:
    """The prose, the code and the outputs of a stored notebook."""

    def __init__(self, notebook):
        self.prose, self.code, self.out, self.order = {}, {}, {}, []
        for cell in notebook["cells"]:
            name, source = cell["id"], "".join(cell["source"])
            self.order.append(name)
            if cell["cell_type"] == "markdown":
                self.prose[name] = source
                continue
            self.code[name] = uncommented(source)
            self.out[name] = "\n".join(map(printed, cell["outputs"]))
            mystnb = cell["metadata"].get("mystnb", {})
            if caption := mystnb.get("figure", {}).get("caption"):
                self.prose[name] = caption

    def equations(self):
        return set(re.findall(r"\\tag\{(\d+)\}", "\n".join(self.prose.values())))

    def links(self):
        """Return how links to the chapter's headings are written."""
        headings = re.findall(r"^#+ (.+)$", "\n".join(self.prose.values()), flags=re.M)
        plain = (re.sub(r"[^\w -]", "", heading.lower()) for heading in headings)
        return {f"](#{heading.replace(' ', '-')})" for heading in plain}


def printed(output):
    """Return what an output says in words."""
    text = output.get("text") or output.get("data", {}).get("text/plain")
    if text is None:
        text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
    return "".join(text)


@functools.cache
def chapter(name):
    """Return a chapter of the book as it is stored."""
    return Chapter(json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf8")))


def parse(text):
    """Return the lines of a file of bindings by cell: pairs of left and right side."""
    blocks, block = {}, None
    for line in text.splitlines():
        left, arrow, right = line.partition(" <- ")
        if arrow and block is not None:
            block.append((left.strip(), right.strip()))
        elif heading := re.match(r"\[(\w+)\] ", line):
            block = blocks.setdefault(heading.group(1), [])
        elif line:
            raise ValueError(f"this is no binding: {line!r}")
    return blocks


def stored(name):
    path = NUMBERS / f"{name}.txt"
    return parse(path.read_text(encoding="utf8")) if path.exists() else {}


def unmarked(text):
    return text.replace("«", "").replace("»", "")


def groups(found, lines):
    """Pair each site with its lines; raise LookupError where they part."""
    lines, pairs = list(lines), []
    for site in found:
        if site.kind == "number":
            mine = lines[:1]
            if not mine or mine[0][0] != site.line:
                raise LookupError(f"{site.line!r} has no binding")
        else:
            mine = []
            while len(mine) < len(lines) and unmarked(lines[len(mine)][0]) == site.text:
                mine.append(lines[len(mine)])
                if "«" not in mine[-1][0]:
                    break
            if not mine:
                raise LookupError(f"{site.text!r} has no binding")
        pairs.append((site, mine))
        del lines[: len(mine)]
    if lines:
        raise LookupError(f"{lines[0][0]!r} is bound and not in the prose")
    return pairs


TARGET = re.compile(
    r"(?:about |more than |less than )?(?:(?P<chapter>[\w-]+)/)?(?P<cell>\w+) "
    r"(?P<kind>out|code|count|lines|ratio|difference)\b(?:: (?P<text>.*))?$"
)


def evaluate(expression):
    """Return the value of a Python expression of numbers and of functions of ``math``."""
    names = {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)}
    functions = {name: getattr(math, name) for name in names}
    return Value(float(eval(expression, {"__builtins__": {}}, functions)), 0, False, True)


def wrong(site, left, right, here, other=chapter):
    """Return what is wrong with a line of bindings, or an empty string."""
    how = next((how for how in HOW if right.startswith(how)), "")
    target = right.removeprefix(how)
    word, _, rest = target.partition(":")
    if word in REASONS and not how:
        ask = ALLOWED.get(word, lambda site: True)
        known = word != "benchmark" or (BOOK.parent / "benchmarks" / rest.strip()).is_file()
        return "" if ask(site) and known else f"{word!r} is no reason for it"
    if word == "equation":
        tags = (other(rest.strip()) if rest else here).equations()
        return "" if site.text in tags else "there is no such equation"
    if word == "heading":
        return "" if site.text in here.links() else "there is no such heading"
    if word == "explorer":
        return wrong_link(site.text, here)
    mark = MARK.search(left)
    percent = bool(mark) and bool(PERCENT.match(left, mark.end()))
    try:
        found = evaluate(rest.strip()) if word == "arithmetic" else look_up(target, here, other)
        if not mark:
            return "" if found is None and not how else "mark a number on both sides, or on none"
        if found is None:
            return "mark a number on both sides, or on none"
        said = read_value(mark.group(1), percent)
        if " ratio: " in target and said.value < 1:
            found = dataclasses.replace(found, value=1 / found.value)
    except (LookupError, SyntaxError, ValueError, AttributeError) as error:
        return str(error.args[0])
    return "" if agrees(said, found, how) else f"there it is {found.value:.10g}"


def look_up(target, here, other):
    """Return the value that a target names, or None where it names a text without one."""
    match = TARGET.match(target)
    if not match:
        raise ValueError(f"{target!r} is neither a cell nor a reason")
    name, cell, kind, text = match.groups()
    there = other(name) if name else here
    if cell not in there.code:
        raise LookupError(f"there is no code cell {cell}")
    if kind == "lines":
        found = len([line for line in there.out[cell].splitlines() if line.strip()])
        return Value(found, 1, True, False)
    if not text:
        raise ValueError(f"{target!r} says no text")
    if kind == "count":
        found = collapsed(f"{there.code[cell]}\n{there.out[cell]}").count(text)
        return Value(found, 1, True, False)
    words = collapsed(there.code[cell] if kind == "code" else there.out[cell])
    values = [
        read_value(mark.group(1), bool(PERCENT.match(text, mark.end())))
        for mark in MARK.finditer(text)
    ]
    if re.search(r"[\w.]«|»(?:\.?\d|[A-Za-z_])", text):
        raise ValueError(f"a part of a number is marked: {text}")
    times = words.count(unmarked(text))
    if not times or (values and times > 1):
        raise LookupError(f"{'not there' if not times else 'there more than once'}: {text}")
    if kind in ("ratio", "difference"):
        low, high = sorted(abs(value.value) for value in values)
        return Value(high / low if kind == "ratio" else high - low, 1, False, False)
    return values[0] if values else None


def wrong_link(link, here):
    """Return what is wrong with a link that sets an explorer, or an empty string."""
    match = re.fullmatch(r"\]\(#explorer=([\w-]+)((?:&\w+=[^&]+)*)\)", link)
    if not match:
        return "this link sets no explorer"
    name, settings = match.groups()
    for cell, code in here.code.items():
        if f'name="{name}"' in code:
            grid = dict(re.findall(r"(\w+) in (\[.+?\])", here.out[cell]))
            break
    else:
        return f"there is no explorer {name!r}"
    for setting in settings.split("&")[1:]:
        control, value = setting.split("=")
        value = unquote_plus(value)
        same = {value, value.capitalize()}
        same |= {f"{float(value)}"} if re.fullmatch(r"-?[\d.]+", value) else set()
        if not same & {f"{each}" for each in ast.literal_eval(grid.get(control, "[]"))}:
            return f"the explorer stores no {setting}"
    return ""


def problems_in(here, cell, lines, other=chapter):
    """Return all that is wrong with the numbers of a cell, given the lines that are about it."""
    try:
        pairs = groups(sites(here.prose.get(cell, "")), lines)
    except LookupError as error:
        return [f"{cell}: {error.args[0]}"]
    return [
        f"{cell}: {left}: {why}"
        for site, mine in pairs
        for left, right in mine
        if (why := wrong(site, left, right, here, other))
    ]


def problems(here, bindings, other=chapter):
    """Return all that is wrong with the numbers of a chapter."""
    found = [f"{cell}: there is no such cell" for cell in bindings.keys() - set(here.order)]
    for cell in here.order:
        found += problems_in(here, cell, bindings.get(cell, []), other)
    return found
