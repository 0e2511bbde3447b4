"""Explorers as their readers find them: on every built page, and on one of our own."""

import re
from pathlib import Path

import explorers
import matplotlib.pyplot as plt
import pytest
from conftest import HTML, PAGES, PHONE

from rnnbook import plots, widgets

BOOK = [
    (page, name)
    for page in PAGES
    for name, _ in explorers.DATA.findall((HTML / page).read_text(encoding="utf8"))
]
each_explorer = pytest.mark.parametrize("page_and_name", BOOK, ids=":".join)
TEXT_HEIGHTS = """svg => [...svg.querySelectorAll("text")].map(text =>
    parseFloat(getComputedStyle(text).fontSize) * svg.clientWidth / svg.viewBox.baseVal.width)"""


class Figure:
    """One explorer of an open page."""

    def __init__(self, page, name):
        self.page = page
        page.set_default_timeout(8000)
        self.root = page.locator(f"[data-explorer='{name}']")
        self.picture = self.root.locator(".rnnbook-figure")
        self.controls = self.root.locator(".rnnbook-rows [data-control]")
        self.button = lambda text: self.root.get_by_role("button", name=text)

    def state(self):
        """Return what is seen and what is said of it, wherever it is said."""
        alt = self.picture.get_attribute("aria-label")
        assert self.root.locator(".rnnbook-alt").text_content() == alt
        return self.picture.inner_html(), alt

    def press(self, control, key):
        """Press a key on a control, as somebody without a mouse does."""
        control.focus()
        self.page.keyboard.press(key)

    def wait_for(self, alt):
        """Wait until the figure is the one that these words describe."""
        self.root.get_by_role("img", name=alt, exact=True).wait_for()

    def assert_changed(self, before):
        """Wait for new words, said aloud too, and see that the drawing is new as well."""
        heard = self.root.locator(".rnnbook-heard")
        self.page.wait_for_function(
            "([old, a, b]) => a.ariaLabel !== old && a.ariaLabel === b.textContent",
            arg=[before[1], self.picture.element_handle(), heard.element_handle()],
        )
        after = self.state()
        assert after[0] != before[0]
        assert after[1] != before[1]


@each_explorer
def test_every_control_changes_the_figure_by_keyboard(visit, page_and_name):
    page, name = page_and_name
    opened = visit(page)
    figure = Figure(opened.page, name)
    start = figure.state()
    assert figure.controls.count()
    for control in figure.controls.all():
        if control.get_attribute("type") == "range":
            at_end = control.input_value() == control.get_attribute("max")
            said = control.get_attribute("aria-valuetext")
            figure.press(control, "ArrowLeft" if at_end else "ArrowRight")
            assert control.get_attribute("aria-valuetext") != said
        elif control.get_attribute("type") == "checkbox":
            figure.press(control, "Space")
        else:
            options = control.locator("option")
            at_end = control.evaluate("it => it.selectedIndex") == options.count() - 1
            figure.press(control, "ArrowUp" if at_end else "ArrowDown")
        figure.assert_changed(start)
        figure.press(figure.button("Reset"), "Enter")
        figure.wait_for(start[1])
        assert figure.state() == start
    opened.assert_clean()


@each_explorer
def test_every_button_changes_the_figure_by_keyboard(visit, page_and_name):
    page, name = page_and_name
    opened = visit(page)
    figure = Figure(opened.page, name)
    assert figure.button("Reset").is_visible()  # pressed in the test above
    if not figure.button("Forward").count():
        assert not figure.button("Play").count()
        return
    at_end = figure.button("Forward").get_attribute("aria-disabled") == "true"
    for text in ("Back", "Forward", "Play") if at_end else ("Forward", "Back", "Play"):
        before = figure.state()
        figure.press(figure.button(text), "Enter")
        figure.assert_changed(before)
    figure.press(figure.button("Pause"), "Enter")
    opened.assert_clean()


@each_explorer
def test_an_explorer_fits_a_phone(visit, page_and_name):
    page, name = page_and_name
    figure = Figure(visit(page, viewport=PHONE).page, name)
    for control in [*figure.controls.all(), *figure.root.get_by_role("button").all()]:
        assert control.bounding_box()["height"] >= 40
    assert min(figure.picture.locator("svg").evaluate(TEXT_HEIGHTS)) >= 6  # indices of formulas
    sizes = sorted(figure.picture.locator("svg").evaluate(TEXT_HEIGHTS))
    assert sizes[len(sizes) // 2] >= 8.9


def test_the_book_has_explorers():
    assert BOOK


# ---- a page of our own, opened from disk ----


def curve(size, kind, noisy):
    fig, ax = plt.subplots()
    ax.plot(range(size + 1), "-" if kind == "line" else "o")
    ax.plot([0, noisy])
    return fig, f"{size} {kind} {noisy}"


def wide(step):
    fig, ax = plt.subplots(figsize=(8, 3))
    ax.plot([0, step])
    ax.text(0, 0, "the end", url="#step=3")
    return fig, f"Step {step}"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Write a page with two explorers; return its folder's address."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNBOOK_STATIC", "1")
        made = [
            widgets.explore(
                curve, title="One", size=[2, 4, 8], kind=["line", "dots"], noisy=[False, True]
            ),
            widgets.explore(wide, title="Two", play="step", step=[1, 2, 3]),
        ]
        plain = plots.show(plt.subplots()[0], "Plain.")._repr_mimebundle_()["text/html"]
    parts = [it._repr_mimebundle_()["text/html"] for it in made]
    (folder / "explorer.js").write_text(widgets.SCRIPT, encoding="utf8")
    (folder / "explorer.css").write_text(widgets.STYLE, encoding="utf8")
    (folder / "page.html").write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Page</title>'
        '<meta name="viewport" content="width=device-width">'
        '<link rel="stylesheet" href="explorer.css"><script src="explorer.js" defer></script>'
        "<style>html[data-theme=dark] body { background: #121212; color: #ddd }</style>"
        '<main><h1>Page</h1><a href="#explorer=one&amp;size=8&amp;kind=dots">try</a>'
        f'{plain}{"<p>and</p>".join(parts)}<div style="height: 2000px"></div></main>',
        encoding="utf8",
    )
    return folder.as_uri()


@pytest.fixture
def open_sample(visit, sample):
    """Return a function that opens the page and returns it with its explorers."""

    def start(address="", **options):
        opened = visit(f"page.html{address}", over=sample, **options)
        return opened, Figure(opened.page, "one"), Figure(opened.page, "two")

    return start


def test_without_javascript_the_first_frame_shows(open_sample):
    _, one, two = open_sample(java_script_enabled=False)
    for figure, alt in (one, "2 line False"), (two, "Step 1"):
        assert figure.picture.locator("svg").is_visible()
        assert figure.picture.get_attribute("aria-label") == alt
        assert figure.root.locator("input, select, button").count() == 0
        figure.root.get_by_text("Describe this figure").click()
        assert figure.root.get_by_text(alt, exact=True).is_visible()


def test_one_explorer_leaves_the_other_alone(open_sample):
    opened, one, two = open_sample()
    before_one, before_two = one.state(), two.state()
    one.press(one.controls.nth(0), "ArrowRight")
    one.assert_changed(before_one)
    assert two.state() == before_two
    two.press(two.controls.nth(0), "End")
    two.assert_changed(before_two)
    assert [one.state()[1], two.state()[1]] == ["4 line False", "Step 3"]
    opened.assert_clean()


@pytest.mark.parametrize(
    ("address", "alt"),
    [
        ("#explorer=one&size=8", "8 line False"),
        ("#explorer=one&size=8.0&kind=dots&noisy=true", "8 dots True"),
        ("#explorer=two&size=8", "2 line False"),
        ("#explorer=other&size=8", "2 line False"),
        ("#size=8", "2 line False"),
    ],
)
def test_the_address_carries_a_state(open_sample, address, alt):
    opened, one, _ = open_sample(address)
    one.wait_for(alt)
    assert opened.page.evaluate("scrollY > 0") == address.startswith(
        ("#explorer=one", "#explorer=two")
    )
    opened.assert_clean()


def test_a_state_that_is_not_there_is_refused_in_words(open_sample):
    _, one, _ = open_sample("#explorer=one&size=3&kind=dots&noisy=1")
    status = one.root.get_by_role("status").filter(has_text="size=3, noisy=1")
    status.wait_for()
    assert one.state()[1] == "2 dots False"
    one.press(one.controls.nth(0), "ArrowRight")
    status.wait_for(state="hidden")
    assert one.state()[1] == "4 dots False"


def test_the_address_follows_the_controls(open_sample):
    opened, one, two = open_sample()
    entries = opened.page.evaluate("history.length")
    one.press(one.controls.nth(2), "Space")
    opened.page.wait_for_function("location.hash === '#explorer=one&size=2&kind=line&noisy=true'")
    two.press(two.button("Forward"), "Enter")
    opened.page.wait_for_function("location.hash === '#explorer=two&step=2'")
    assert opened.page.evaluate("history.length") == entries
    opened.page.reload()
    two.wait_for("Step 2")


def test_a_link_sets_the_figure_and_leads_to_it(open_sample):
    opened, one, _ = open_sample(viewport={"width": 1000, "height": 400})
    link = opened.page.get_by_role("link", name="try")
    for _ in range(2):  # the second time the address is already the link's
        one.press(link, "Enter")
        opened.page.wait_for_function("document.activeElement.dataset.explorer === 'one'")
        assert one.state()[1] == "8 dots False"
        assert abs(one.root.bounding_box()["y"]) < 100
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.dataset.control") == "size"


def test_a_click_on_a_part_of_the_figure_sets_the_controls(open_sample):
    opened, one, two = open_sample()
    before = one.state()
    two.picture.get_by_text("the end").click()
    two.wait_for("Step 3")
    assert two.controls.first.get_attribute("aria-valuetext") == "3"
    assert one.state() == before
    opened.assert_clean()


def test_play_steps_to_the_end_and_starts_again(open_sample):
    _, _, two = open_sample()
    two.press(two.button("Play"), "Enter")
    for alt in ("Step 2", "Step 3"):
        two.wait_for(alt)
    two.button("Play").wait_for()
    assert two.button("Forward").get_attribute("aria-disabled") == "true"
    two.press(two.button("Play"), "Enter")
    two.wait_for("Step 1")
    two.wait_for("Step 2")
    two.press(two.button("Pause"), "Enter")


def test_nothing_plays_where_motion_is_unwelcome(open_sample):
    _, _, two = open_sample(reduced_motion="reduce")
    assert not two.button("Play").is_visible()
    two.press(two.button("Forward"), "Enter")
    two.wait_for("Step 2")


def test_the_ink_follows_the_page(open_sample):
    opened, _, _ = open_sample()
    ink = "getComputedStyle(document.querySelector('.rnnbook-figure text')).fill"
    assert opened.page.evaluate(ink) == "rgb(0, 0, 0)"
    opened.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert opened.page.evaluate(ink) == "rgb(221, 221, 221)"


def test_a_wide_figure_scrolls_inside_its_box(open_sample):
    opened, one, two = open_sample(viewport=PHONE)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert one.picture.get_attribute("tabindex") is None
    assert two.picture.get_attribute("tabindex") == "0"
    two.press(two.picture, "ArrowRight")
    opened.page.wait_for_function("it => it.scrollLeft > 0", arg=two.picture.element_handle())
    assert opened.serious_findings() == []


def test_paper_gets_the_figure_without_controls(open_sample):
    opened, one, _ = open_sample()
    one.press(one.controls.nth(0), "ArrowRight")
    opened.page.emulate_media(media="print")
    assert one.root.get_by_role("img", name="4 line False").locator("svg").is_visible()
    assert not one.controls.first.is_visible()
    assert not one.root.get_by_text("Describe this figure").is_visible()


def test_explorers_are_accessible(open_sample):
    opened, one, _ = open_sample()
    assert one.root.get_by_role("slider", name="size").is_visible()
    assert one.root.get_by_role("combobox", name="kind").is_visible()
    assert one.root.get_by_role("checkbox", name="noisy").is_visible()
    assert opened.serious_findings() == []


def test_the_pages_have_the_script_as_the_package_has_it():
    for name, text in ("explorer.js", widgets.SCRIPT), ("explorer.css", widgets.STYLE):
        assert (HTML / "_static" / name).read_text(encoding="utf8") == text
    assert re.search(r"v0\.27\.7", explorers.PYODIDE)
    assert Path(explorers.WORKER).is_file()
