"""Explorers in the built pages: their script, links that set them, and "Run live".

An explorer's HTML comes from the notebook's run. This extension adds the script that
moves it, lets ``[try H = 2](#explorer=name&hidden_size=2)`` be a link, fails the build
when such a link names what is not there, and gives each page with explorers what Python
in the reader's browser needs: the page's code cells and the `rnnbook` wheel.
"""

import base64
import json
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl

import nbformat
from docutils import nodes
from flit_core.wheel import make_wheel_in
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

from rnnbook.widgets import SCRIPT, STYLE, matches

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("live_worker.js")
PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"
DATA = re.compile(r'data-explorer="([^"]+)".*?<script type="application/json">(.*?)</script>', re.S)
LINK = "#explorer="
MAY_FAIL = {"raises-exception", "exercise"}


class ExplorerLinks(SphinxTransform):
    """Leave links that set an explorer as they are: they point to no heading."""

    default_priority = 870  # before MyST looks for the heading

    def apply(self):
        for link in self.document.findall(nodes.reference):
            if link.get("refuri", "").startswith(LINK):
                link["id_link"] = False
                link["internal"] = True


def explorers_of(doctree):
    """Return what each explorer of a page says of itself, and the cell it stands in."""
    found = {}
    for raw in doctree.findall(nodes.raw):
        for name, data in DATA.findall(raw.astext()):
            if name in found:
                raise ExtensionError(f"two explorers of one page are named {name!r}")
            cell = raw
            while "cell_index" not in cell:
                cell = cell.parent
            found[name] = json.loads(data) | {"cell": cell["cell_index"]}
    return found


def check_links(app, doctree):
    """Fail when a link sets an explorer to a state that the page does not have."""
    explorers = explorers_of(doctree)
    for link in doctree.findall(nodes.reference):
        target = link.get("refuri", "")
        if not target.startswith(LINK):
            continue
        wanted = dict(parse_qsl(target[1:]))
        where = f"{app.env.docname}: the link {target!r}"
        explorer = explorers.get(wanted.pop("explorer"))
        if explorer is None:
            raise ExtensionError(f"{where} names none of the page's explorers: {list(explorers)}")
        controls = {control["name"]: control["values"] for control in explorer["controls"]}
        for name, text in wanted.items():
            if name not in controls:
                raise ExtensionError(f"{where} names none of the controls: {list(controls)}")
            if not any(matches(value, text) for value in controls[name]):
                raise ExtensionError(f"{where} asks for none of the values: {controls[name]}")


def add_to_page(app, pagename, templatename, context, doctree):
    """Give a page with explorers the script, and its code cells for "Run live"."""
    explorers = explorers_of(doctree) if doctree else {}
    if not explorers:
        return
    app.add_js_file("explorer.js", loading_method="defer")
    notebook = nbformat.read(app.env.doc2path(pagename), as_version=4)
    cells, up_to = [], {}
    for index, cell in enumerate(notebook.cells):
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "code" and "skip-live" not in tags:
            cells.append({"code": plain_python(cell.source), "mayFail": bool(tags & MAY_FAIL)})
        up_to |= {name: len(cells) for name, it in explorers.items() if it["cell"] == index}
    live = {
        "pyodide": app.config.explorer_pyodide_url,
        "script": context["pathto"]("_static/explorer-live.js", resource=True),
        "cells": cells[: max(up_to.values())],
        "upTo": up_to,
    }
    data = json.dumps(live).replace("<", r"\u003c")
    context["body"] += f'<script type="application/json" id="rnnbook-live">{data}</script>'


def plain_python(source):
    """Leave out what only IPython understands: magics and shell commands."""
    if source.startswith("%%"):
        return ""
    return re.sub(r"^\s*[%!].*$", "", source, flags=re.M)


def write_files(app):
    """Write the script, the style, and one file with the worker and the wheel."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "explorer.js").write_text(SCRIPT, "utf8")
    (static / "explorer.css").write_text(STYLE, "utf8")
    live = {"worker": WORKER.read_text(encoding="utf8"), "wheel": wheel()}
    script = f"globalThis.rnnbookLive = {json.dumps(live)};\n"
    (static / "explorer-live.js").write_bytes(script.encode())


def wheel():
    """Build the `rnnbook` wheel, the same bytes each time; return it as base64 text."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "1577836800"  # in place of the files' own times
    try:
        with tempfile.TemporaryDirectory() as folder:
            built = make_wheel_in(ROOT / "pyproject.toml", Path(folder)).file
            return base64.b64encode(built.read_bytes()).decode()
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
        if before is not None:
            os.environ["SOURCE_DATE_EPOCH"] = before


def setup(app):
    app.add_config_value("explorer_pyodide_url", PYODIDE, "html", str)
    app.add_transform(ExplorerLinks)
    app.add_css_file("explorer.css")
    app.connect("builder-inited", write_files)
    app.connect("doctree-read", check_links)
    app.connect("html-page-context", add_to_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
