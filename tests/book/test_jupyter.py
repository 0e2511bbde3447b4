"""An explorer in JupyterLab: the kernel draws any value."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import kernels
import nbformat
import pytest
from conftest import DESKTOP

SOURCE = """
import time
import ipywidgets
import matplotlib.pyplot as plt
from rnnbook.widgets import explore

def draw(size, kind):
    if size == 9:
        time.sleep(1)
    fig, ax = plt.subplots()
    ax.plot([0, 1 / (size - 5)], "-" if kind == "line" else "o")
    return fig, f"{size} {kind}"

grid = {"size": [2, 4], "kind": ["line", "dots"]}
explorer = explore(draw, title="One", limits={"size": (1, 9)}, **grid)
ipywidgets.VBox([explorer, explore(draw, title="Two", **grid)])
"""


@pytest.fixture
def lab(tmp_path):
    """Serve JupyterLab on loopback, with its own settings; return its address."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", "--ServerApp.port_retries=0", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={tmp_path}", "--LabApp.extension_manager=readonly"]
    command += [
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    environment = os.environ | {name: str(tmp_path / name) for name in folders}
    with (tmp_path / "log").open("w") as log, kernels.settings() as config:
        options = config.KernelManager.items()
        command += [f"--KernelManager.{name}={value}" for name, value in options]
        for _ in range(3):  # another program may take the port before JupyterLab does
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            server = subprocess.Popen(
                [*command, f"--port={port}"], env=environment, stdout=log, stderr=log
            )
            if answers(server, f"http://127.0.0.1:{port}"):
                break
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def answers(server, address):
    """Wait until the server answers; return False where it has ended instead."""
    for _ in range(300):
        if server.poll() is not None:
            return False
        try:
            urllib.request.urlopen(f"{address}/api").close()
        except OSError:
            time.sleep(0.2)
        else:
            return True
    raise TimeoutError(address)


@pytest.fixture
def page(lab, browser, tmp_path):
    """Open a notebook and run its cells; return the page once the explorer answers."""
    cells = [nbformat.v4.new_code_cell(SOURCE), nbformat.v4.new_code_cell("explorer")]
    cells.append(nbformat.v4.new_code_cell("explorer.values = {'size': 7}"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.goto(f"{lab}/lab/tree/notebook.ipynb")
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.get_by_text("| Idle").wait_for()
    for view in range(2):
        page.keyboard.press("Shift+Enter")
        page.locator(".rnnbook-explorer input[type=number]").nth(view).wait_for()
    yield page
    context.close()


def test_an_explorer_takes_any_value_from_the_kernel(page):
    first, other, second = page.locator(".rnnbook-explorer").all()

    def wait_for(alt):
        for view in first, second:  # two views of one explorer always agree
            view.get_by_role("img", name=alt, exact=True).wait_for()
        assert first.locator(".rnnbook-figure").inner_html().startswith("<svg")

    wait_for("2 line")
    slider = second.get_by_role("slider", name="size")
    slider.focus()
    page.keyboard.press("ArrowRight")  # to a value that is not in the grid
    wait_for("3 line")
    second.get_by_role("combobox", name="kind").focus()
    page.keyboard.press("ArrowDown")
    wait_for("3 dots")

    # An error of draw is shown, and is no end.
    typed = second.get_by_label("size, typed")
    typed.fill("5")
    typed.press("Enter")
    status = second.get_by_role("status").filter(has_text="ZeroDivisionError: division by zero")
    status.wait_for()
    typed.fill("6")
    typed.press("Enter")
    wait_for("6 dots")
    status.wait_for(state="hidden")

    # While a slow frame is drawn the reader moves on; the last wish is what shows.
    typed.fill("9")
    typed.press("Enter")
    second.get_by_text("Computing…").wait_for()
    for size in "8", "1":
        typed.fill(size)
        typed.press("Enter")
    wait_for("1 dots")

    # And the notebook's own code can set it.
    page.locator(".jp-CodeCell .cm-content").nth(2).click()
    page.keyboard.press("Shift+Enter")
    wait_for("7 dots")
    assert slider.get_attribute("aria-valuetext") == "7"

    # The other explorer heard nothing of all this, and has labels of its own.
    other.get_by_role("img", name="2 line", exact=True).wait_for()
    other.get_by_label("kind").select_option("dots")
    other.get_by_role("img", name="2 dots", exact=True).wait_for()
