"""Answers to the exercises, a module a chapter, each with three tables.

`ANSWERS` has, for each check by name, the code of right answers that differ from the
solution in the notebook: another algorithm, another idiom, another type. `SLIPS` are wrong
answers, as code or as objects, with the message that each must be told. `RIGHT_AFTER_ALL`
names the slips made by machine that leave an answer right, with the reason.
"""

import importlib

CHAPTERS = (
    "computational_graphs",
    "errata",
    "gates",
)  # fmt: skip


def tables(name):
    """Return one of the tables of each chapter, by the chapter's name."""
    modules = {chapter: importlib.import_module(f"answers.{chapter}") for chapter in CHAPTERS}
    return {chapter: getattr(module, name) for chapter, module in modules.items()}
