"""Python in the reader's browser: "Run live" on every explorer that has it.

Nothing is downloaded. What the official address of Pyodide would send comes from a copy
of its files: in the folder that RNNBOOK_PYODIDE names, or in one called ``pyodide``
beside the checkout or one level down from there. Without a copy only the way this fails
can be tried, and the summary says so.
"""

import json
from urllib.parse import urlencode

import explorers
import pytest
from conftest import COPIES, HTML, ROOT
from test_explorers import BOOK, Figure

TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


def specs_of(page):
    text = (HTML / page).read_text(encoding="utf8")
    return {name: json.loads(data) for name, data in explorers.DATA.findall(text)}


def limited(spec):
    """The controls that take any value where Python runs; without one there is no button."""
    return [control for control in spec["controls"] if control["limits"]]


PAGES = sorted({page for page, _ in BOOK if any(map(limited, specs_of(page).values()))})


def send_copy(route):
    """Answer as the official address would."""
    file = COPIES[0] / route.request.url.removeprefix(explorers.PYODIDE)
    kind = TYPES.get(file.suffix, "application/octet-stream")
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": kind}
    route.fulfill(body=file.read_bytes(), headers=headers)


def between(control):
    """Return a value within a control's limits that the page does not carry."""
    low, high, step = control["limits"]
    if step is None:
        return 0.5 * (control["values"][0] + control["values"][1])
    steps = (low + step * n for n in range(int((high - low) / step) + 1))
    return next(round(value, 6) for value in steps if round(value, 6) not in control["values"])


# Keep hold of the worker, to ask it for what the page would not: a frame that it has already.
OVERHEAR = """globalThis.Worker = class extends Worker {
    constructor(...given) { super(...given); globalThis.python = this; }
}"""
ASK = """([name, values]) => new Promise((done) => {
    const before = python.onmessage;
    python.onmessage = ({ data }) => {
        python.onmessage = before;
        done(data.alt ?? data.error);
    };
    python.postMessage({ do: "draw", n: -1, name, values });
})"""


@pytest.mark.parametrize("page", PAGES)
def test_run_live_takes_any_value(visit, page):
    opened = visit(page, over="file", script=OVERHEAR)
    opened.page.context.route(f"{explorers.PYODIDE}*", send_copy)
    for name, spec in specs_of(page).items():
        figure = Figure(opened.page, name)
        free = limited(spec)
        assert figure.button("Run live").count() == bool(free)
        opened.page.set_default_timeout(150_000)
        at_first = figure.state()[1]
        if free:
            figure.press(figure.button("Run live"), "Enter")
            figure.root.locator("input[type=number], [data-error]").first.wait_for()
            figure.root.locator(":scope[aria-busy=false]").wait_for()
            assert figure.root.locator("[data-error]").all_inner_texts() == []
            assert figure.state()[1] == at_first
            # The numbers that the page was built with.
            assert opened.page.evaluate(ASK, [name, spec["start"]]) == at_first
        for control in free:
            before = figure.state()
            typed = figure.root.get_by_label(f"{control['label']}, typed")
            typed.fill(str(between(control)))
            typed.press("Enter")
            figure.assert_changed(before)
        # A state that the page carries, as it carries it.
        last = {control["name"]: control["values"][-1] for control in spec["controls"]}
        text = {key: str(value).lower() if value is True else value for key, value in last.items()}
        opened.page.evaluate("hash => location.hash = hash", urlencode({"explorer": name} | text))
        figure.wait_for(spec["alts"][-1])
        if free:
            live = figure
    live.press(live.button("Stop Python"), "Enter")
    live.root.get_by_text("Python was stopped.").wait_for()
    before = live.state()
    slider = live.root.locator("input[type=range]").last
    at_start = slider.input_value() == slider.get_attribute("min")
    live.press(slider, "ArrowRight" if at_start else "ArrowLeft")
    live.assert_changed(before)
    opened.assert_clean()


# The guard of the checks alone, in the page: it needs nothing but Python.
GUARDED = """async ([address, guard, endless]) => {
    const { loadPyodide } = await import(`${address}pyodide.mjs`);
    const python = await loadPyodide({ indexURL: address });
    python.FS.writeFile("guard.py", guard);
    python.FS.writeFile("endless.py", endless);
    return python.runPython(`
import sys, time
sys.path.append(".")
import endless, guard
still = []
for stuck in endless.STUCK:
    start = time.monotonic()
    try:
        guard.within(0.3, stuck)
    except guard.TimeUp:
        if time.monotonic() < start + 3:
            continue
    still.append(stuck.__name__)
" ".join(still)`);
}"""


def test_endless_code_comes_back_in_the_browser_too(visit):
    opened = visit("book/running.html")
    opened.page.context.route(f"{explorers.PYODIDE}*", send_copy)
    opened.page.set_default_timeout(150_000)
    sources = [
        (ROOT / path).read_text(encoding="utf8")
        for path in ("rnnbook/checks/guard.py", "tests/checks/endless.py")
    ]
    assert opened.page.evaluate(GUARDED, [explorers.PYODIDE, *sources]) == ""


for test in (test_run_live_takes_any_value, test_endless_code_comes_back_in_the_browser_too):
    test.__test__ = bool(COPIES)


def test_run_live_says_that_it_could_not_load(visit):
    page, name = next((page, name) for page in PAGES for name in specs_of(page))
    opened = visit(page, over="file")
    figure = Figure(opened.page, name)
    figure.press(figure.button("Run live"), "Enter")
    figure.root.get_by_text(f"Python could not be loaded from {explorers.PYODIDE}").wait_for()
    assert opened.foreign == [f"{explorers.PYODIDE}pyodide.mjs"]
    before = figure.state()
    figure.press(figure.controls.last, "ArrowLeft")
    figure.assert_changed(before)
    assert figure.button("Run live").is_visible()


def test_nothing_is_loaded_before_the_button_is_pressed(visit):
    opened = visit(PAGES[0])
    asked = []
    opened.page.on("request", lambda request: asked.append(request.url))
    opened.page.reload()
    opened.page.wait_for_load_state("networkidle")
    assert asked
    assert not [url for url in asked if "explorer-live" in url or "pyodide" in url]
    assert opened.page.workers == []
