"""Slips made by machine, in every solution and in other right answers, are all refused."""

import ast
import builtins

import answers
import attack
import numpy as np
import pytest
from test_answers import PAGES, RIGHT

from rnnbook import checks

EXERCISES = sorted({(chapter, name) for chapter, name, _ in RIGHT})


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_slips_made_by_machine_are_refused(chapter, name):
    """Each single slip, and a sample of pairs; no reason on the list is idle."""
    check, reasons = getattr(checks, name), answers.tables("RIGHT_AFTER_ALL")[chapter].get(name, {})
    used, alive = set(), []
    for _, _, code in (right for right in RIGHT if right[:2] == (chapter, name)):
        for rng in (None, np.random.default_rng(len(code))):
            found, total = attack.survivors(check, code, PAGES[chapter], rng)
            assert total
            for slip in found:
                excused = {slip} if slip in reasons else set(slip.split("; "))
                used |= excused
                alive += [slip] if not excused <= reasons.keys() else []
    assert alive == []
    assert reasons.keys() - used == set()
    assert all(reasons.values())


@pytest.mark.parametrize("chapter", answers.CHAPTERS)
def test_a_stub_runs_as_it_stands_and_is_not_yet_right(chapter):
    for name, stub in attack.cells_of(chapter, "exercise").items():
        verdict = attack.judge(getattr(checks, name), stub, PAGES[chapter])
        assert verdict.kind == "not yet", verdict
        assert verdict.message.startswith("Not yet: ")
        assert unknown_names(stub, PAGES[chapter]) == set()


def unknown_names(source, page):
    """Return the names that a stub uses and nobody has made; a page might have them by chance."""
    tree = ast.parse(source)
    made = {
        node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    made |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    known = made | set(dir(builtins))
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - known - set(page)
