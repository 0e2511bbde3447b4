"""What the tests of the checks share: answers as code, and slips made in them by machine."""

import ast
import json
import re
from pathlib import Path

import pytest
from mutants import pairs, single

from rnnbook import checks
from rnnbook.checks import guard, verdict

BOOK = Path(__file__).parents[2] / "book"
PAIRS = 30  # answers with two slips, drawn for each right answer
IMPATIENT = 0.5  # seconds at work: a slip that never ends need not be waited for


def cells(chapter):
    """Return the kind, the tags and the source of each cell of a chapter.

    From the file as it is: the library that reads notebooks takes seconds to be imported.
    """
    path = BOOK / f"{chapter.replace('_', '-')}.ipynb"
    for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
        yield cell["cell_type"], cell["metadata"].get("tags", ()), "".join(cell["source"])


def cells_of(chapter, kind):
    """Return the source of each exercise or solution of a chapter, by the name of its check.

    The line that calls the check is left out.
    """
    found = {}
    for _, tags, source in cells(chapter):
        for tag in tags:
            if tag.startswith(f"{kind}-"):
                name = tag.removeprefix(f"{kind}-").replace("-", "_")
                found[name] = re.sub(r"^checks\..*$", "", source, flags=re.M)
    return found


def imports_of(chapter):
    """Return what the imports of a chapter bring: all that an exercise may build upon."""
    page = {}
    for kind, _, source in cells(chapter):
        if kind == "code":
            for node in ast.parse(re.sub(r"^[%!].*$", "", source, flags=re.M)).body:
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    exec(ast.unparse(node), page)
    page.pop("__builtins__", None)
    return page


def answer_of(source, page):
    """Run the code of an answer in a page of its own; return what it defines last."""
    page = {"__name__": "answer", **page}
    before = set(page)
    exec(compile(source, "<answer>", "exec"), page)
    return [value for name, value in page.items() if name not in before | {"__builtins__"}][-1]


def judge(check, source, page):
    """Return the verdict on the code of an answer; what cannot even be defined is an error."""
    try:
        answer = answer_of(source, page)
    except Exception as error:
        return checks.Verdict("error", f"{type(error).__name__}: {error}")
    return check(answer)


def survivors(check, source, page, rng=None):
    """Return the slips that a check takes for right answers, and how many were made.

    With `rng` a sample of slips in pairs; without, every single one.
    """
    alive, total = {}, 0
    slips = single(source) if rng is None else pairs(source, rng, PAIRS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict, "LIMIT", IMPATIENT)
        patch.setattr(guard, "BUSY", 20)  # other processes work meanwhile
        for name, mutant in slips:
            total += 1
            if judge(check, mutant, page).ok:
                alive[name] = mutant
    return alive, total
