"""What all pages share: a quiet and repeatable run, small files, no dead parts."""

import os
import shutil
from pathlib import Path

import kernels
from docutils import nodes
from jupyter_cache.executors import utils
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.util import logging

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
UNUSED = [
    ".buildinfo",
    "_static/**/*.map",
    "_static/**/*.LICENSE.txt",
    "_static/**/*webpack-macros.html",
    "_static/images/logo_*",
    "_static/locales",
    "_static/scripts/bootstrap.js",
    "_static/scripts/fontawesome.js",
    "_static/vendor",
]
REDIRECT = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}">
</head>
<body><p><a href="{page}">{title}</a></p></body>
</html>
"""
logger = logging.getLogger(__name__)


def prepare_kernels(app):
    """Run notebooks as `kernels` does, and tell them that they run for the built page."""
    os.environ.update(RNNBOOK_STATIC="1", RNNBOOK_QUIET="1")
    utils.executenb = kernels.execute


def read_side_by_side(app):
    """Run all notebooks at once, each with one thread: then no processor waits for the last."""
    app.parallel = 100  # more than there are documents, so each is read by itself
    # It does not say so itself, but it acts only when everything has been read.
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def write_one_by_one(app, env):
    """Write in order: what the mathematics needs, it asks of one helper program."""
    app.parallel = 1


def write_landing_page(app):
    """``index.html`` leads to the first page."""
    page = app.builder.get_target_uri(app.config.root_doc)
    text = REDIRECT.format(language=app.config.language, title=app.config.html_title, page=page)
    (Path(app.outdir) / "index.html").write_text(text, encoding="utf8")


def warn_of_dead_widgets(app, doctree):
    """A widget with no HTML of its own needs a kernel, which a page has not."""
    for bundle in doctree.findall(nodes.container):
        types = [child.get("mime_type") for child in bundle if isinstance(child, nodes.container)]
        if WIDGET_VIEW in types and "text/html" not in types:
            logger.warning("this widget would be dead in the built page", location=bundle)


def drop_widget_scripts(app, env):
    """Leave out the state of widgets: each explorer carries all it needs."""
    for data in getattr(env, "nb_metadata", {}).values():
        data.pop("js_files", None)


def name_folded_cells(app, doctree):
    """Say in one word what a folded cell holds."""
    for cell in doctree.findall(nodes.container):
        if cell.get("hide_mode"):
            fold = "Output" if cell["hide_mode"] == "output" else "Code"
            cell["prompt_show"] = "Solution" if "tag_solution" in cell["classes"] else fold


def visit_folded_cell(translator, node):
    translator.body.append(f"<details><summary>{node['prompt_show']}</summary>\n")


def depart_folded_cell(translator, node):
    translator.body.append("</details>\n")


def drop_inline_scripts(app, pagename, templatename, context, doctree):
    """Leave out the theme's settings for features that the book does not use."""
    context["script_files"] = [file for file in context["script_files"] if file.filename]


def remove_unused_files(app, exception):
    """The theme's files that no page asks for are most of its weight."""
    for pattern in UNUSED:
        for path in sorted(Path(app.outdir).glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def setup(app):
    app.add_node(HideCodeCellNode, override=True, html=(visit_folded_cell, depart_folded_cell))
    app.connect("builder-inited", prepare_kernels)
    app.connect("builder-inited", read_side_by_side)
    app.connect("builder-inited", write_landing_page)
    app.connect("doctree-read", warn_of_dead_widgets)
    app.connect("doctree-read", name_folded_cells)
    app.connect("env-updated", drop_widget_scripts)
    app.connect("env-updated", write_one_by_one)
    app.connect("html-page-context", drop_inline_scripts, priority=900)
    app.connect("build-finished", remove_unused_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
