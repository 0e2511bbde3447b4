"""Right answers pass, whatever they look like; each known slip is told, and no other."""

import ast
import inspect
import re

import answers
import attack
import pytest

from rnnbook import checks

SOLUTIONS = {
    chapter: attack.cells_of(chapter.replace("_", "-"), "solution") for chapter in answers.CHAPTERS
}
PAGES = {chapter: attack.imports_of(chapter.replace("_", "-")) for chapter in answers.CHAPTERS}
RIGHT = [
    (chapter, name, code)
    for chapter, table in answers.tables("ANSWERS").items()
    for name in table
    for code in [*filter(None, [SOLUTIONS[chapter].get(name)]), *table[name]]
]
SLIPS = [
    (chapter, name, answer, told)
    for chapter, table in answers.tables("SLIPS").items()
    for name, slips in table.items()
    for answer, told in slips
]
VERDICTS = {}


def verdict_on(chapter, name, answer):
    """Return a check's verdict on an answer of the tables: each takes its time, so only once."""
    key = chapter, name, id(answer)
    if key not in VERDICTS:
        check = getattr(checks, name)
        code = isinstance(answer, str)
        VERDICTS[key] = attack.judge(check, answer, PAGES[chapter]) if code else check(answer)
    return VERDICTS[key]


def test_every_exercise_has_two_more_right_answers_and_every_check_is_tried():
    for chapter, solutions in SOLUTIONS.items():
        for name in solutions:
            assert len(answers.tables("ANSWERS")[chapter][name]) >= 2
    assert {name for _, name, _ in RIGHT} == set(checks.__all__) - {"Verdict"}
    assert {name for _, name, *_ in SLIPS} == set(checks.__all__) - {"Verdict"}


@pytest.mark.parametrize(("chapter", "name", "code"), RIGHT)
def test_a_right_answer_passes(chapter, name, code):
    verdict = verdict_on(chapter, name, code)
    assert verdict, verdict
    assert verdict.kind == "right"
    assert verdict.hints == ()


@pytest.mark.parametrize(("chapter", "name", "answer", "told"), SLIPS)
def test_a_slip_is_told_and_no_other(chapter, name, answer, told):
    verdict = verdict_on(chapter, name, answer)
    assert not verdict
    assert told in verdict.message
    assert ", or " not in verdict.message or ", or " in told
    assert verdict.hints


def literals(chapter):
    """Return the texts that a module of checks may tell a reader, cut where values stand."""
    module = inspect.getmodule(getattr(checks, next(iter(answers.tables("SLIPS")[chapter]))))
    module = getattr(module, "__wrapped__", module)
    tree = ast.parse(inspect.getsource(module))
    own = [
        part
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
        for part in [node.body[0], *getattr(node, "decorator_list", ())]
    ]
    skip = {id(part) for node in own for part in ast.walk(node) if isinstance(node, ast.Expr)}
    skip |= {
        id(part)
        for node in ast.walk(tree)
        for decorator in getattr(node, "decorator_list", ())
        for part in ast.walk(decorator)
    }
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in skip else None
        if isinstance(text, str) and " " in text.strip() and len(text) > 8:
            yield text


@pytest.mark.parametrize("chapter", answers.CHAPTERS)
def test_every_message_of_a_chapter_is_told_by_a_slip(chapter):
    tried = [(c, name, answer) for c, name, answer, _ in SLIPS] + RIGHT  # remarks, too
    told = [verdict_on(c, name, answer).message for c, name, answer in tried if c == chapter]
    silent = [
        text
        for text in literals(chapter)
        if not any(text.strip() in re.sub(r"\s+", " ", message) for message in told)
    ]
    assert silent == []
