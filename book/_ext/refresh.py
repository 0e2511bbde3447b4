"""Run notebooks afresh and store them in one normal form.

    python book/_ext/refresh.py                    every notebook of the book
    python book/_ext/refresh.py backpropagation    only this one

What is stored is what a reader without a kernel needs and what the tests compare:
text and small pictures. The HTML of figures and explorers is made by the build.
A notebook is written whole or not at all. A second run changes nothing, on any machine: a
picture that looks like the stored one is not stored again.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import kernels
import nbformat
import pictures
from nbclient.exceptions import CellExecutionError

BOOK = Path(__file__).parents[1]
LIMIT = 300_000
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_METADATA = ("jupyter", "mystnb", "tags")


def read(path):
    """Read a notebook; give each cell that lacks an id one made from its place and text."""
    raw = json.loads(path.read_text(encoding="utf8"))
    raw["nbformat_minor"] = max(raw["nbformat_minor"], 5)
    seen = set()
    for index, cell in enumerate(raw["cells"]):
        if cell.get("id", "") in seen | {""}:
            text = f"{index} {''.join(cell['source'])}"
            cell["id"] = hashlib.sha256(text.encode()).hexdigest()[:8]
        seen.add(cell["id"])
    return nbformat.reads(json.dumps(raw), as_version=4)


def execute(notebook):
    """Run all cells in a new kernel of this environment, as Jupyter would."""
    os.environ["RNNBOOK_QUIET"] = "1"
    os.environ.pop("RNNBOOK_STATIC", None)
    options = {"record_timing": False, "store_widget_state": False}
    kernels.execute(notebook, cwd=str(BOOK), kernel_name="python3", timeout=900, **options)


def normalise(notebook):
    """Keep what carries meaning, in place; raise ValueError for what a page cannot show."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    count = 0
    for index, cell in enumerate(notebook.cells):
        kept = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            normalise_output(output, count, f"cell {index}")
        alt = next((text for output in cell.outputs if (text := alt_text(output))), None)
        if alt:
            cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = alt


def normalise_output(output, count, where):
    """Normalise one output, in place."""
    if output.output_type == "stream" and output.name == "stderr":
        raise ValueError(f"{where} writes to standard error: {output.text.strip()}")
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    if output.output_type == "execute_result":
        output.execution_count = count
    if "data" in output:
        drop = {"application/vnd.jupyter.widget-view+json"}
        if "image/png" in output.data:
            drop.add("text/html")
            if output.data.get("text/plain", "<").startswith("<"):
                raise ValueError(f"{where} shows a picture without alt text: use plots.show")
        output.data = nbformat.from_dict({k: v for k, v in output.data.items() if k not in drop})


def keep_pictures(before, notebook):
    """Put the pictures that were stored before in place of those that look the same."""
    for old, new in zip(before.cells, notebook.cells, strict=True):
        for stored, drawn in zip(old.get("outputs", ()), new.get("outputs", ()), strict=False):
            if alt_text(stored) and alt_text(drawn):
                pair = stored.data["image/png"], drawn.data["image/png"]
                if not pictures.difference(*pair):
                    drawn.data["image/png"] = pair[0]


def alt_text(output):
    """Return the text that stands for an output's picture, or None without a picture."""
    data = output.get("data", {})
    return data.get("text/plain") if "image/png" in data else None


def write(notebook, path):
    """Write ``path`` whole or not at all."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > LIMIT:
        raise ValueError(f"{size} bytes are more than the {LIMIT} a notebook may have")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf8", newline="\n") as file:
            file.write(text)
        os.chmod(name, path.stat().st_mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return size


def find(name):
    """Return the notebook that ``name`` means: ``memory`` or ``book/memory.ipynb``."""
    path = BOOK / f"{Path(name).name.removesuffix('.ipynb')}.ipynb"
    if not path.is_file():
        have = ", ".join(sorted(p.stem for p in BOOK.glob("*.ipynb")))
        raise ValueError(f"there is no such notebook; there are {have}")
    return path


def main(names):
    """Refresh the notebooks named, or all of them; return the exit status."""
    for name in names or sorted(p.stem for p in BOOK.glob("*.ipynb")):
        try:
            path = find(name)
            before, notebook = read(path), read(path)
            execute(notebook)
            normalise(notebook)
            keep_pictures(before, notebook)
            size = write(notebook, path)
        except (CellExecutionError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{path.name}: {size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run notebooks afresh and store their outputs.")
    parser.add_argument("notebook", nargs="*", help="a notebook's name; without one, all of them")
    sys.exit(main(parser.parse_args().notebook))
