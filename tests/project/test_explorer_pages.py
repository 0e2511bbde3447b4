"""The Sphinx extension of the explorers: links, code for "Run live", and files."""

import base64
import io
import json
import zipfile

import explorers
import matplotlib.pyplot as plt
import nbformat
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from rnnbook import widgets

v4 = nbformat.v4


def draw(size, kind, noisy):
    fig, ax = plt.subplots()
    ax.plot([0, size])
    return fig, f"{size} {kind} {noisy}"


@pytest.fixture
def figure(monkeypatch):
    """Return a function that gives an explorer's cell, as it is after a run for the page."""
    monkeypatch.setenv("RNNBOOK_STATIC", "1")

    def cell(name="one", source="explore(...)", **metadata):
        grid = {"size": [2, 4], "kind": ["a b", "c"], "noisy": [False, True]}
        data = widgets.explore(draw, name=name, **grid)._repr_mimebundle_()
        output = v4.new_output("execute_result", data)
        return v4.new_code_cell(source, outputs=[output], metadata=metadata)

    return cell


@pytest.fixture
def build(tmp_path):
    """Return a function that builds a page from cells; it returns the parsed HTML."""

    def run(*cells):
        notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Page"), *cells])
        notebook.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
        nbformat.write(notebook, tmp_path / "index.ipynb")
        (tmp_path / "conf.py").write_text(
            "extensions = ['myst_nb', 'explorers']\nnb_execution_mode = 'off'\n"
            "html_theme = 'basic'\nnitpicky = True\n"
        )
        warnings = io.StringIO()
        out = tmp_path / "out"
        folders = tmp_path, tmp_path, out, out / "trees"
        with docutils_namespace():
            Sphinx(*folders, "html", status=None, warning=warnings).build()
        assert warnings.getvalue() == ""
        return BeautifulSoup((out / "index.html").read_text(encoding="utf8"), "html.parser")

    return run


def link(target):
    return v4.new_markdown_cell(f"Now [try it]({target}).")


@pytest.mark.parametrize(
    "target",
    [
        "#explorer=one&size=4",
        "#explorer=one&size=4.0&kind=a+b&noisy=true",
        "#explorer=one",
    ],
)
def test_a_link_to_a_state_stays_as_it_is(build, figure, target):
    page = build(link(target), figure())
    assert page.find("a", string="try it")["href"] == target


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("#explorer=two&size=4", r"names none of the page's explorers: \['one'\]"),
        ("#explorer=one&sizes=4", r"names none of the controls: \['size', 'kind', 'noisy'\]"),
        ("#explorer=one&size=3", r"asks for none of the values: \[2, 4\]"),
        ("#explorer=one&size=big", r"asks for none of the values: \[2, 4\]"),
        ("#explorer=one&noisy=1", r"asks for none of the values: \[False, True\]"),
        ("#explorer=one&kind=ab", r"asks for none of the values: \['a b', 'c'\]"),
    ],
)
def test_a_link_to_no_state_fails_the_build(build, figure, target, message):
    with pytest.raises(ExtensionError, match=message) as caught:
        build(link(target), figure())
    assert f"index: the link {target!r}" in str(caught.value)


def test_two_explorers_of_one_name_fail_the_build(build, figure):
    with pytest.raises(ExtensionError, match="two explorers of one page are named 'one'"):
        build(figure(), figure())


def test_a_page_without_explorers_gets_no_script(build):
    page = build(v4.new_code_cell("1 + 1"))
    assert "explorer" not in str(page.find_all("script"))
    assert page.find(id="rnnbook-live") is None


def live(page):
    return json.loads(page.find(id="rnnbook-live").string)


def test_run_live_gets_the_code_up_to_the_explorer(build, figure):
    page = build(
        v4.new_code_cell("%matplotlib inline\nimport rnnbook  # </script>"),
        v4.new_markdown_cell("Text."),
        v4.new_code_cell("wait()", metadata={"tags": ["skip-live"]}),
        figure("one", "explore(one)"),
        v4.new_code_cell("%%time\nslow()"),
        v4.new_code_cell("...", metadata={"tags": ["exercise", "exercise-a"]}),
        v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        figure("two", "explore(two)"),
        v4.new_code_cell("after()"),
    )
    data = live(page)
    assert [cell["code"] for cell in data["cells"]] == [
        "\nimport rnnbook  # </script>",
        "explore(one)",
        "",
        "...",
        "1 / 0",
        "explore(two)",
    ]
    assert [cell["mayFail"] for cell in data["cells"]] == [False, False, False, True, True, False]
    assert data["upTo"] == {"one": 2, "two": 6}
    assert data["pyodide"] == explorers.PYODIDE
    assert page.find("script", src=lambda src: src and src.startswith("_static/explorer.js"))


def test_the_page_finds_its_files(build, figure, tmp_path):
    data = live(build(figure()))
    script = (tmp_path / "out" / data["script"]).read_text(encoding="utf8")
    files = json.loads(script.removeprefix("globalThis.rnnbookLive = ").removesuffix(";\n"))
    assert files["worker"] == explorers.WORKER.read_text(encoding="utf8")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(files["wheel"]))) as wheel:
        assert wheel.read("rnnbook/widgets.py").startswith(b'"""Explorers')
        names = wheel.namelist()
    data = {"rnnbook/data/alice.txt", "rnnbook/data/digits.npz"}
    assert {"rnnbook/data/text.py", *data} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_is_the_same_each_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    first = explorers.wheel()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert explorers.wheel() == first
