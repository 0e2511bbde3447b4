"""Render mathematics with KaTeX while the book is built.

The pages hold the finished formula as HTML to look at and as MathML for screen
readers. They need no script, and a formula that KaTeX cannot read is a warning
of the build.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

from docutils import nodes
from node_packages import NODE, install
from sphinx.util import logging

HERE = Path(__file__).parent
logger = logging.getLogger(__name__)


class Katex:
    """One Node process that turns a line of JSON into a line of JSON."""

    def __init__(self, package):
        self.process = subprocess.Popen(
            [NODE, str(HERE / "mathematics.js"), str(package)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf8",
        )
        self.known = {}

    def render(self, tex, display):
        """Return the HTML of ``tex``; raise ValueError with KaTeX's own words."""
        if (tex, display) not in self.known:
            self.process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
            self.process.stdin.flush()
            self.known[tex, display] = json.loads(self.process.stdout.readline())
        answer = self.known[tex, display]
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["html"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def start(app):
    package = install(HERE) / "katex"
    app.katex = Katex(package)
    if app.builder.format == "html":
        copy_styles(package / "dist", Path(app.outdir) / "_static" / "katex")
        app.add_css_file("katex/katex.css")


def copy_styles(source, target):
    """Copy KaTeX's style sheet with its WOFF2 fonts, which every browser reads."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "fonts").mkdir(parents=True)
    css = (source / "katex.min.css").read_text(encoding="utf8")
    css = re.sub(r",url\([^)]*\.(?:woff|ttf)\) format\(\"\w+\"\)", "", css)
    (target / "katex.css").write_text(css, encoding="utf8")
    for font in sorted(source.glob("fonts/*.woff2")):
        shutil.copyfile(font, target / "fonts" / font.name)


def stop(app, exception):
    if hasattr(app, "katex"):
        app.katex.close()


def render(translator, node, display):
    try:
        return translator.builder.app.katex.render(node.astext(), display)
    except ValueError as error:
        logger.warning("%s", error, location=node)
        return translator.encode(node.astext())


def visit_inline(translator, node):
    translator.body.append(f'<span class="math">{render(translator, node, False)}</span>')
    raise nodes.SkipNode


def visit_display(translator, node):
    attributes = {"tabindex": "0", "role": "group", "aria-label": "Equation"}
    translator.body.append(translator.starttag(node, "div", "", CLASS="math", **attributes))
    translator.body.append(render(translator, node, True) + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.connect("builder-inited", start)
    app.connect("build-finished", stop)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
