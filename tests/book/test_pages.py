"""Every built page, in a browser as its reader sees it."""

import re
from functools import cache
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import HTML, PAGES, PHONE

CHAPTERS = [name for name in PAGES if (HTML.parents[1] / name).with_suffix(".ipynb").exists()]
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
LOADS = {
    "script": ["src"],
    "link": ["href"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "object": ["data"],
    "use": ["href", "xlink:href"],
    "image": ["href", "xlink:href"],
}
OPEN_ALL = "document.querySelectorAll('details').forEach(details => details.open = true)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@cache
def parsed(name):
    return BeautifulSoup((HTML / name).read_text(encoding="utf8"), "html.parser")


@cache
def anchors(name):
    """Return what a link to this page may point to."""
    tags = parsed(name).find_all(True)
    return {tag[key] for tag in tags for key in ("id", "name") if tag.has_attr(key)}


@pytest.mark.parametrize("over", ["http", "file"])
def test_a_page_asks_no_other_site_and_reports_no_error(visit, page_name, over):
    page = visit(page_name, over=over)
    page.page.wait_for_load_state("networkidle")
    page.assert_clean()
    assert page.page.title()
    assert page.page.locator("h1").first.inner_text().strip()


# What a rule finds on a page in the dark or on a phone differs only in colours or in shape.
AXE_RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
BUT_COLOURS = {"rules": {"color-contrast": {"enabled": False}}}


@pytest.mark.parametrize("color_scheme", AXE_RULES)
def test_a_page_is_accessible(visit, page_name, color_scheme):
    page = visit(page_name, color_scheme=color_scheme)
    assert page.page.locator("html").get_attribute("data-theme") == color_scheme
    page.page.evaluate(OPEN_ALL)
    assert page.serious_findings(**AXE_RULES[color_scheme]) == []


def test_a_page_fits_a_phone(visit, page_name):
    page = visit(page_name, viewport=PHONE)
    page.page.evaluate(OPEN_ALL)
    assert page.page.evaluate(OVERFLOW) == 0
    assert page.serious_findings(**BUT_COLOURS) == []


def test_a_page_loads_nothing_from_elsewhere(page_name):
    for tag in parsed(page_name).find_all(list(LOADS)):
        for attribute in LOADS[tag.name]:
            assert not re.match(r"(https?:)?//", tag.get(attribute, "")), tag
        assert not tag.has_attr("integrity"), tag
        assert not tag.has_attr("crossorigin"), tag


def test_the_styles_load_nothing_from_elsewhere():
    sheets = list(HTML.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        css = sheet.read_text(encoding="utf8")
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", css), sheet


def test_the_links_inside_the_book_lead_somewhere(page_name):
    for link in parsed(page_name).find_all("a", href=True):
        target = urlsplit(urljoin(f"/{page_name}", link["href"]))
        if target.scheme or target.fragment.startswith("explorer="):
            continue  # another site, or a figure's state, which the build itself checks
        path = unquote(target.path).lstrip("/")
        assert (HTML / path).is_file(), link
        if target.fragment:
            assert unquote(target.fragment) in anchors(path), link


def test_the_ids_of_a_page_are_unique(page_name):
    ids = [tag["id"] for tag in parsed(page_name).find_all(id=True)]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("over", ["http", "file"])
def test_the_landing_page_shows_the_book(visit, over):
    page = visit("index.html", over=over)
    page.page.wait_for_url("**/book/intro.html")
    assert page.page.get_by_role("heading", level=1).is_visible()
    page.page.get_by_role("navigation", name="Main").get_by_role("link").nth(1).click()
    page.page.wait_for_url(f"**/{parsed_toc()[1]}")
    page.assert_clean()


def parsed_toc():
    """Return the pages in reading order, as the sidebar of the first one lists them."""
    links = parsed("book/intro.html").select("nav[aria-label=Main] a")
    return [urljoin("book/intro.html", link["href"]).rstrip("#") for link in links]


def test_next_and_previous_walk_the_whole_book_from_disk(visit):
    order = ["book/intro.html", *parsed_toc()[1:]]
    page = visit(order[0], over="file")
    for name in order[1:]:
        page.page.locator("a[rel=next]").click()
        page.page.wait_for_url(f"**/{name}")
    for name in order[-2::-1]:
        page.page.locator("a[rel=prev]").click()
        page.page.wait_for_url(f"**/{name}")
    page.assert_clean()


@pytest.mark.parametrize("over", ["http", "file"])
def test_the_search_finds_and_leads_there(visit, over):
    page = visit("book/intro.html", over=over)
    page.page.get_by_role("searchbox", name="Search this book").fill("gradient")
    page.page.keyboard.press("Enter")
    results = page.page.locator("#search-results .search li a")
    results.first.click()
    page.page.wait_for_url("**/book/*.html*")
    page.assert_clean()


def test_the_colours_follow_the_button_and_stay(visit):
    page = visit("book/intro.html", color_scheme="light").page
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    button = page.get_by_role("button", name="Colours")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate(background) != light


def test_the_chapters_open_on_a_phone_by_keyboard(visit):
    page = visit("book/intro.html", viewport=PHONE).page
    chapter = page.get_by_role("navigation", name="Main").get_by_role("link").nth(1)
    assert not chapter.is_visible()
    page.get_by_role("button", name="Chapters and search").focus()
    page.keyboard.press("Enter")
    chapter.wait_for(state="visible")
    page.keyboard.press("Escape")
    chapter.wait_for(state="hidden")


def test_a_page_reads_well_without_javascript(visit):
    page = visit("book/intro.html", java_script_enabled=False).page
    assert page.get_by_role("navigation", name="Main").is_visible()
    assert page.get_by_role("searchbox").is_visible()
    assert not page.get_by_role("button", name="Colours").is_visible()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_holds_under_a_strict_policy(visit, serve, name):
    page = visit(name, over=serve(POLICY))
    page.page.wait_for_load_state("networkidle")
    page.assert_clean()


@pytest.mark.parametrize("name", CHAPTERS)
def test_formulas_are_there_to_see_and_to_hear(name):
    formulas = parsed(name).select(".katex")
    assert formulas
    for formula in formulas:
        assert formula.select_one(".katex-mathml math")
        assert formula.select_one(".katex-html[aria-hidden=true]")
    assert not parsed(name).select(".katex-error")


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_picture_has_words(name):
    for image in parsed(name).select("article img"):
        assert image.get("alt", "").strip(), image
    for drawing in parsed(name).select("article svg"):
        named = drawing.get("aria-label") or drawing.get("aria-labelledby")
        assert (
            named
            or drawing.find_parent(attrs={"aria-hidden": "true"})
            or drawing.find_parent(role="img")
        ), str(drawing)[:200]
