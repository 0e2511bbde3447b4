"""The stored notebooks: their normal form, and exercises that match their solutions."""

import json
import re

import matplotlib.pyplot as plt
import nbformat
import pytest
import refresh

from rnnbook import plots

NOTEBOOKS = sorted(refresh.BOOK.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each_notebook
def test_a_notebook_is_stored_in_normal_form(path):
    notebook = refresh.read(path)
    refresh.normalise(notebook)
    stored = path.read_text(encoding="utf8")
    assert nbformat.writes(notebook) + "\n" == stored, "run `make refresh`"
    assert len(stored.encode()) <= refresh.LIMIT


@each_notebook
def test_every_cell_was_run(path):
    cells = [cell for cell in refresh.read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@each_notebook
def test_no_code_cell_is_longer_than_fifteen_lines(path):
    for cell in refresh.read(path).cells:
        if cell.cell_type == "code":
            assert len([line for line in cell.source.splitlines() if line.strip()]) <= 15


@each_notebook
def test_no_code_cell_reads_a_clock(path):
    """A time is another one on each machine, and a browser may round it to zero."""
    source = "\n".join(c.source for c in refresh.read(path).cells if c.cell_type == "code")
    assert not re.search(r"^\s*(import|from) (time|timeit|datetime)\b|^\s*%+time", source, re.M)


def named(notebook, kind):
    """Return the source of each exercise or solution by its name."""
    found = {}
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", ()):
            if tag.startswith(f"{kind}-"):
                assert {kind} <= set(cell.metadata.tags)
                found[tag.removeprefix(f"{kind}-")] = cell.source
    return found


def stub_of(solution):
    """Return a solution with each run of its marked lines replaced by one ``...``."""
    lines = []
    for line in solution.splitlines():
        if line.endswith("# <-"):
            indent = re.match(r" *", line).group()
            if lines[-1:] != [f"{indent}..."]:
                lines.append(f"{indent}...")
        else:
            lines.append(line)
    return "\n".join(lines)


@each_notebook
def test_each_exercise_is_its_solution_without_the_marked_lines(path):
    notebook = refresh.read(path)
    exercises, solutions = named(notebook, "exercise"), named(notebook, "solution")
    assert exercises == {name: stub_of(source) for name, source in solutions.items()}


def code(source, *outputs, **metadata):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def picture(alt, **data):
    data = {"text/plain": alt, "image/png": "AAAA", **data}
    return nbformat.v4.new_output("display_data", data)


def test_normalising_keeps_the_alt_text_and_drops_the_html():
    cell = code("show()", picture("A falling curve", **{"text/html": "<svg/>"}), trusted=True)
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": 1}})
    refresh.normalise(notebook)
    assert notebook.metadata.keys() == {"kernelspec", "language_info"}
    assert cell.metadata == {"mystnb": {"image": {"alt": "A falling curve"}}}
    assert cell.outputs[0].data.keys() == {"text/plain", "image/png"}
    assert cell.execution_count == 1


def test_a_picture_without_alt_text_is_refused():
    cell = code("plt.plot(x)", picture("<Figure size 640x480 with 1 Axes>"))
    with pytest.raises(ValueError, match="cell 0 shows a picture without alt text"):
        refresh.normalise(nbformat.v4.new_notebook(cells=[cell]))


def test_standard_error_is_refused():
    warning = nbformat.v4.new_output("stream", name="stderr", text="careful\n")
    with pytest.raises(ValueError, match="cell 0 writes to standard error: careful"):
        refresh.normalise(nbformat.v4.new_notebook(cells=[code("warn()", warning)]))


def test_a_notebook_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "chapter.ipynb"
    path.write_text("before")
    notebook = nbformat.v4.new_notebook(cells=[code("1", picture("A curve"))])
    monkeypatch.setattr(refresh, "LIMIT", 100)
    with pytest.raises(ValueError, match="bytes are more than the 100 a notebook may have"):
        refresh.write(notebook, path)
    monkeypatch.setattr(refresh.os, "replace", None)
    monkeypatch.setattr(refresh, "LIMIT", 10_000)
    with pytest.raises(TypeError):
        refresh.write(notebook, path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_cells_without_an_id_always_get_the_same(tmp_path):
    path = tmp_path / "chapter.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text) for text in "aab"]
    )
    raw = json.loads(nbformat.writes(notebook))
    raw["cells"][0]["id"] = raw["cells"][1]["id"] = "first"
    del raw["cells"][2]["id"]
    path.write_text(json.dumps(raw))
    ids = [cell.id for cell in refresh.read(path).cells]
    assert ids == [cell.id for cell in refresh.read(path).cells]
    assert ids[0] == "first"
    assert len(set(ids)) == 3


def line(across):
    fig, ax = plt.subplots(figsize=(2, 1.5))
    ax.plot([0, across], [0, 1])
    ax.set(xlim=(0, 1))
    plt.close(fig)
    return plots.to_png(fig)


def test_refreshing_keeps_a_picture_until_it_looks_different(tmp_path, monkeypatch):
    def run(notebook):
        for cell, across in zip(notebook.cells, places, strict=True):
            cell.outputs = [picture("A line", **{"image/png": line(across)})]

    def stored():
        return [cell.outputs[0].data["image/png"] for cell in refresh.read(path).cells]

    path = tmp_path / "chapter.ipynb"
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[code("1"), code("2")])))
    monkeypatch.setattr(refresh, "BOOK", tmp_path)
    monkeypatch.setattr(refresh, "execute", run)
    places = [0.2, 0.3]
    assert refresh.main([]) == 0
    before, bytes_before = stored(), path.read_bytes()
    places = [0.2005, 0.3005]
    assert line(0.2) != line(0.2005)
    assert refresh.main([]) == 0
    assert path.read_bytes() == bytes_before
    places = [0.2005, 0.4]
    assert refresh.main([]) == 0
    assert stored() == [before[0], line(0.4)]


def test_an_unknown_notebook_is_named(capsys):
    assert refresh.main(["nothing"]) == 1
    assert "nothing: there is no such notebook; there are " in capsys.readouterr().err
