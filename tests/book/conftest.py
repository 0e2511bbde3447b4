"""A browser, a server, and the built pages, for the tests that read as a reader does."""

import functools
import http.server
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import browsers
import locks
import node_packages
import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HTML = ROOT / "_build" / "html"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
PAGES = sorted(
    path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html") if path.name != "index.html"
)
SOURCES = ["_config.yml", "_toc.yml", "pyproject.toml", "README.md", "LICENSE", "book", "rnnbook"]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
# Copies of Pyodide: the folder named, or one beside the checkout or one level down from there.
COPIES = (
    [Path(os.environ["RNNBOOK_PYODIDE"])]
    if "RNNBOOK_PYODIDE" in os.environ
    else sorted(
        lock.parent
        for pattern in ("pyodide", "*/pyodide")
        for lock in ROOT.parent.glob(f"{pattern}/pyodide-lock.json")
    )
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_configure(config):
    if not PAGES:
        pytest.exit("there are no built pages: run `make book` first", returncode=1)
    if not (browser := browsers.find()):
        pytest.exit(browsers.ADVICE, returncode=1)
    os.environ["RNNBOOK_BROWSER"] = browser
    # Playwright's own Node needs a library that not every machine has.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node_packages.NODE)
    config.add_cleanup(functools.partial(os.close, locks.take("_build", share=True)))
    if getattr(config.option, "numprocesses", None):
        # The whole run: build the book once more beside the tests, not after them.
        config.second_build = SecondBuild(tempfile.mkdtemp())
        os.environ["RNNBOOK_SECOND_BUILD"] = str(config.second_build.folder)


def pytest_unconfigure(config):
    if hasattr(config, "second_build"):
        config.second_build.remove()


def pytest_terminal_summary(terminalreporter):
    if not COPIES:
        terminalreporter.write_line(
            '"Run live" was not tried: no copy of Pyodide was found (see tests/book/test_live.py)'
        )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve the built pages quietly, with a Content-Security-Policy where one is wanted."""

    policy = None

    def end_headers(self):
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *args):
        """Say nothing."""


class SecondBuild:
    """The book built once more, in a folder of its own, from the outputs of the first run."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        config = self.folder / "_config.yml"
        text = config.read_text(encoding="utf8")
        text = text.replace("  local_extensions:\n", f"  local_extensions:\n    reuse: {HERE}\n")
        text = text.replace("      - pages\n", "      - pages\n      - reuse\n")
        config.write_text(text, encoding="utf8")
        environment = {"SOURCE_DATE_EPOCH": "1767225600", "PYTHONHASHSEED": "0", **os.environ}
        program = Path(sys.executable).with_name("jupyter-book")
        command = '"$0" build . -n -W --keep-going >log 2>&1; echo $? >status'
        self.process = subprocess.Popen(
            ["nice", "sh", "-c", command, program],
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )

    def remove(self):
        """Stop building, and leave nothing behind."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def second_build():
    """Wait for a second build of the book; return its folder."""
    if folder := os.environ.get("RNNBOOK_SECOND_BUILD"):
        own, folder = None, Path(folder)
    else:
        own = SecondBuild(tempfile.mkdtemp())
        folder = own.folder
    while not (folder / "status").exists():
        time.sleep(1)
    assert (folder / "status").read_text().strip() == "0", (folder / "log").read_text("utf8")
    yield folder
    if own:
        own.remove()


@pytest.fixture(scope="session")
def serve():
    """Return a function that serves the pages on loopback and returns their address."""
    servers = []

    def start(policy=None):
        handler = type("Handler", (Handler,), {"policy": policy})
        bound = functools.partial(handler, directory=HTML)
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(serve):
    """The pages' address over HTTP."""
    return serve()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        binary = os.environ["RNNBOOK_BROWSER"]
        browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is open in the browser, and what went wrong while it was."""

    page: Page
    foreign: list = field(default_factory=list)  # requests to another origin, all blocked
    problems: list = field(default_factory=list)  # errors of the page and failed requests

    def assert_clean(self):
        assert self.foreign == []
        assert self.problems == []

    def serious_findings(self, **options):
        """Run axe-core and return its serious and critical findings, one line each."""
        self.page.add_script_tag(path=AXE)
        options |= {"resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(document, options)", options)["violations"]
        return [
            f"{rule['id']}: {node['html'][:160]} {node['any'][0]['message'] if node['any'] else ''}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page of the book: over HTTP, or from a file.

    ``visit("book/intro.html", over="file", color_scheme="dark", viewport=PHONE)``. What
    is not ``over``, or a ``script`` to run before the page's own, goes to the browser's
    context. A name may end in ``?query#anchor``.
    """
    contexts = []

    def start(name, *, over="http", script="", **options):
        base = HTML.as_uri() if over == "file" else address if over == "http" else over
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        context.add_init_script(script)
        visited = Visit(context.new_page())

        def guard(route):
            url = route.request.url
            if url.startswith((base, "data:", "blob:")):
                route.continue_()
            else:
                visited.foreign.append(url)
                route.abort()

        def note(problem):
            visited.problems.append(problem)

        def failed(request):
            if request.failure != "net::ERR_ABORTED":  # the page was left meanwhile
                note(f"failed: {request.url}")

        context.route("**/*", guard)
        page = visited.page
        page.on("console", lambda message: message.type == "error" and note(message.text))
        page.on("pageerror", lambda error: note(str(error)))
        page.on("requestfailed", failed)
        page.on("response", lambda it: it.status >= 400 and note(f"{it.status}: {it.url}"))
        page.goto(f"{base}/{name}")
        return visited

    yield start
    for context in contexts:
        context.close()


def pytest_generate_tests(metafunc):
    """Run a test that asks for ``page_name`` once for each built page."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", PAGES)
