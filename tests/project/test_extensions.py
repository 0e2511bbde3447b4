"""The Sphinx extensions of the book, without a browser."""

from pathlib import Path

import callouts
import mathematics
import node_packages
import pages
import pytest
from docutils import nodes
from docutils.core import publish_doctree


class Recorder:
    """Stand in for Sphinx's logger."""

    def __init__(self):
        self.messages = []

    def warning(self, message, *args, **kwargs):
        self.messages.append(message % args if args else message)


def transformed(source):
    doctree = publish_doctree(source)
    callouts.Callouts(doctree).apply()
    return doctree


def test_a_quotation_with_a_bold_lead_becomes_a_callout():
    doctree = transformed("Text.\n\n   **Try this.** Set *x* to 2.\n\n   - And then to 3.\n")
    box = next(doctree.findall(nodes.admonition))
    assert box["classes"] == ["callout", "callout-try-this"]
    assert [type(child) for child in box] == [nodes.title, nodes.paragraph, nodes.bullet_list]
    assert [child.astext() for child in box] == ["Try this", "Set x to 2.", "And then to 3."]


def test_a_lead_on_a_line_of_its_own_leaves_no_empty_paragraph():
    doctree = transformed("Text.\n\n   **Predict.**\n\n   How many?\n")
    box = next(doctree.findall(nodes.admonition))
    assert [child.astext() for child in box] == ["Predict", "How many?"]


@pytest.mark.parametrize("quote", ["Plain words.", "**Bold** words.", "- A list"])
def test_other_quotations_stay_as_they_are(quote):
    doctree = transformed(f"Text.\n\n   {quote}\n")
    assert not list(doctree.findall(nodes.admonition))
    assert next(doctree.findall(nodes.block_quote)).astext() == quote.strip("- *").replace("**", "")


@pytest.fixture(scope="module")
def katex():
    katex = mathematics.Katex(node_packages.install(mathematics.HERE) / "katex")
    yield katex
    katex.close()


@pytest.mark.parametrize(
    "tex",
    [
        r"h_t = \tanh(x_t W_x + h_{t-1} W_h + b) \tag{3.1}",
        r"\begin{aligned} a &= b \\ &= \text{한국어 中文} \end{aligned}",
        r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}",
    ],
)
def test_a_formula_becomes_html_with_mathml(katex, tex):
    html = katex.render(tex, display=True)
    assert "<math" in html
    assert 'class="katex-display"' in html


@pytest.mark.parametrize("tex", [r"\frac{1", r"\unknown", r"\begin{aligned} a \end{matrix}"])
def test_a_formula_that_cannot_be_read_is_an_error_each_time(katex, tex):
    for _ in range(2):
        with pytest.raises(ValueError, match="KaTeX parse error"):
            katex.render(tex, display=False)
    assert katex.render("x", display=False)


def bundle(*types):
    parts = [nodes.container(mime_type=mime_type) for mime_type in types]
    return nodes.section("", nodes.container("", *parts, nb_element="mime_bundle"))


def test_a_widget_that_would_be_dead_in_the_page_is_reported(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(pages, "logger", recorder)
    pages.warn_of_dead_widgets(None, bundle(pages.WIDGET_VIEW, "text/html", "text/plain"))
    assert recorder.messages == []
    pages.warn_of_dead_widgets(None, bundle(pages.WIDGET_VIEW, "text/plain"))
    assert recorder.messages == ["this widget would be dead in the built page"]


def test_npm_packages_of_another_version_are_not_taken_for_installed(tmp_path):
    lock = '{"packages": {"": {}, "node_modules/it": {"version": "2.0.0"}}}'
    (tmp_path / "package-lock.json").write_text(lock)
    manifest = tmp_path / "node_modules" / "it" / "package.json"
    assert not node_packages.is_installed(tmp_path)
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"version": "1.9.0"}')
    assert not node_packages.is_installed(tmp_path)
    manifest.write_text('{"version": "2.0.0"}')
    assert node_packages.is_installed(tmp_path)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with a lock, where npm installs version 2.0.0 unless it is told to end."""
    manifest = '{"dependencies": {"it": "2.0.0"}}'
    (tmp_path / "package.json").write_text(manifest)
    (tmp_path / "package-lock.json").write_text(
        '{"packages": {"": {}, "node_modules/it": {"version": "2.0.0"}}}'
    )

    def npm(arguments, cwd):
        assert arguments[0] == "ci"
        folder = Path(cwd, "node_modules", "it")
        folder.mkdir(parents=True)
        assert Path(cwd, "package.json").read_text() == manifest
        if (end := ends.pop(0)) is not None:
            end(folder)
        (folder / "package.json").write_text('{"version": "2.0.0"}')
        return 0

    ends = []
    monkeypatch.setattr(node_packages, "npm", npm)
    return tmp_path, ends


def put(folder, version):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(f'{{"version": "{version}"}}')


@pytest.mark.parametrize("before", [None, "1.0.0"])
def test_npm_packages_are_put_in_place_whole(packages, before):
    folder, ends = packages
    if before:
        put(folder / "node_modules" / "it", before)

    def cut(half):
        assert (folder / "node_modules").exists() == bool(before)
        raise KeyboardInterrupt

    ends += [cut, None]
    with pytest.raises(KeyboardInterrupt):
        node_packages.install(folder)
    assert not node_packages.is_installed(folder)
    for _ in range(2):
        assert node_packages.install(folder) == folder / "node_modules"
        assert node_packages.is_installed(folder)
    assert {path.name for path in folder.iterdir()} == {
        "package.json",
        "package-lock.json",
        "node_modules",
    }


def test_npm_packages_may_be_installed_twice_at_once(packages):
    folder, ends = packages
    ends.append(lambda half: put(folder / "node_modules" / "it", "2.0.0"))  # another is faster
    assert node_packages.install(folder) == folder / "node_modules"
    assert node_packages.is_installed(folder)
    assert ends == []


def test_npm_packages_that_cannot_be_fetched_are_named(packages, monkeypatch):
    folder, _ = packages
    monkeypatch.setattr(node_packages, "npm", lambda *args, **options: 1)
    with pytest.raises(RuntimeError, match="npm could not fetch it, see above"):
        node_packages.install(folder)
