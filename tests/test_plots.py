"""What a figure becomes in a notebook and on a page."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import refusal
from matplotlib import colors

from rnnbook import plots, widgets


@pytest.fixture(autouse=True)
def styled():
    with plt.rc_context():
        plots.use_style()
        yield
        plt.close("all")


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("RNNBOOK_STATIC", "1")


def curves(labels=("0.00012345", "two")):
    fig, ax = plt.subplots()
    for power, label in enumerate(labels, 1):
        ax.plot(np.linspace(0, 1, 5) ** power, marker="o", label=label)
    ax.add_patch(plt.Rectangle((0, 0), 1, 0.5, color="black"))
    ax.legend()
    return fig


def test_a_notebook_gets_the_text_and_a_white_png():
    data = plots.show(curves(), "Two curves.")._repr_mimebundle_()
    assert data.keys() == {"text/plain", "image/png"}
    assert data["text/plain"] == "Two curves."
    picture = plt.imread(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.shape[:2] == (360, 576)
    np.testing.assert_array_equal(picture[0, 0], [1, 1, 1, 1])


def test_a_page_gets_one_labelled_picture(static):
    shown = plots.show(curves(), 'Loss < 1 & "falling".')
    assert repr(shown) == 'Loss < 1 & "falling".'
    data = shown._repr_mimebundle_()
    assert data.keys() == {"text/plain", "text/html"}
    html = ElementTree.fromstring(data["text/html"])
    assert html.attrib == {
        "class": "rnnbook-figure",
        "role": "img",
        "aria-label": 'Loss < 1 & "falling".',
    }


def test_a_figure_wider_than_a_phone_can_be_scrolled_by_keyboard(static):
    fig, _ = plt.subplots(figsize=(7, 3))
    assert ' tabindex="0"' in plots.show(fig, "Wide.")._repr_mimebundle_()["text/html"]


def test_show_closes_the_figure():
    plots.show(curves(), "Two curves.")
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("alt", "error", "message"),
    [
        ("", ValueError, "alt must say what is shown, got an empty string"),
        ("  ", ValueError, "alt must say what is shown, got an empty string"),
        (None, TypeError, "alt must be a string saying what is shown, got NoneType None"),
    ],
)
def test_show_needs_a_text_alternative(alt, error, message):
    with pytest.raises(error, match=message):
        plots.show(curves(), alt)


def test_show_needs_a_figure():
    with pytest.raises(TypeError, match="fig must be a matplotlib Figure, got tuple"):
        plots.show(plt.subplots(), "Two curves.")


def test_svg_follows_the_page():
    svg = plots.to_svg(curves())
    assert "#000000" not in svg
    assert "#ffffff" not in svg
    assert "currentColor" in svg
    assert "stroke: var(--rnnbook-blue, #0072b2)" in svg
    root = ElementTree.fromstring(svg)
    assert root.attrib["fill"] == "currentColor"
    assert {"width", "height"}.isdisjoint(root.attrib)
    assert not re.search(r"<style|<metadata|<!--|DejaVu", svg)


def test_svg_has_no_ground_and_the_figure_keeps_its_own():
    fig, ax = plt.subplots(facecolor="#fefefe", subplot_kw={"facecolor": "#eeeeee"})
    canvas, dpi = fig.canvas, fig.dpi
    svg = plots.to_svg(fig)
    assert "#fefefe" not in svg
    assert "#eeeeee" not in svg
    assert tuple(colors.to_hex(part.get_facecolor()) for part in (fig, ax)) == (
        "#fefefe",
        "#eeeeee",
    )
    assert (fig.canvas, fig.dpi) == (canvas, dpi)


def test_svg_keeps_text_as_text():
    texts = [text.strip() for text in ElementTree.fromstring(plots.to_svg(curves())).itertext()]
    assert {"0.00012345", "two", "1.0"} <= set(texts)


def test_svg_ids_are_those_in_use_and_never_shared():
    first, second = (plots.to_svg(curves(), prefix) for prefix in "ab")
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, second)]
    used = [set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) for svg in (first, second)]
    assert ids == used
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
    assert plots.to_svg(curves(("other", "two"))).count(' id="figure-')


def test_a_part_that_sets_the_explorer_is_no_link():
    fig, ax = plt.subplots()
    ax.add_patch(plt.Rectangle((0, 0), 1, 1, url="#size=4&lag=2"))
    ax.text(0, 0, "more", url="https://example.org/#size=4")
    root = ElementTree.fromstring(plots.to_svg(fig).replace(" href=", " link="))
    parts = [part for part in root.iter() if "data-set" in part.attrib]
    assert [part.attrib["data-set"] for part in parts] == ["size=4&lag=2"]
    assert [child.tag for child in parts[0]] == ["path"]
    assert [a.attrib["link"] for a in root.iter("a")] == ["https://example.org/#size=4"]


def test_the_same_figure_gives_the_same_svg():
    assert plots.to_svg(curves()) == plots.to_svg(curves())
    assert plots.to_svg(curves()) != plots.to_svg(curves(("other", "two")))


def test_text_stays_readable_on_a_phone():
    svg = plots.to_svg(curves())
    width = float(re.search(r'viewBox="0 0 (\S+)', svg)[1])
    shown = float(re.search(r"min-width: (\d+)px", svg)[1])
    assert shown <= 328  # of a screen of 360 pixels, without the page's margins
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )*?([\d.]+)px", svg)]
    assert len(sizes) > 5
    assert min(sizes) * shown / width >= 9


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


LIGHTER = re.search(r"--rnnbook-blue: (#\w+)", widgets.STYLE)[1]  # the blue of dark pages


@pytest.mark.parametrize(
    ("colour", "page", "least"),
    [
        *((colour, "#ffffff", 2.9) for colour in plots.OKABE_ITO[:4]),
        *((colour, "#14181e", 4.5) for colour in (LIGHTER, *plots.OKABE_ITO[1:7])),
        (plots.DARK, plots.YELLOW, 4.5),
    ],
)
def test_the_colours_show_on_light_and_dark(colour, page, least):
    lights = sorted(luminance(colors.to_rgb(c)) + 0.05 for c in (colour, page))
    assert lights[1] / lights[0] >= least


def test_no_two_curves_differ_in_colour_alone():
    styles = plots.STYLE["axes.prop_cycle"].by_key()
    assert len(set(map(str, styles["linestyle"]))) == len(set(styles["color"])) == 6


# ---- graphs ----

NODES = {"x": (0, 1, "x"), "y": (0, 0, "y"), "f": (1, 0.5, "(+)"), "z": (2, 0.5, "total\nprice")}


def graph(edges, nodes=NODES, **options):
    _, ax = plt.subplots(figsize=(6, 3))
    plots.draw_graph(ax, nodes, edges, **options)
    return ax


def arrows(ax):
    """Return tail and head of each arrow, in the graph's own units."""
    found = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    return [(arrow.xyann, arrow.xy) for arrow in found]


def test_a_graph_shows_its_nodes_and_what_flows_both_ways():
    ax = graph([("x", "f", "2", "10"), ("f", "z", "5", "")], active={"f"})
    assert {text.get_text() for text in ax.texts} >= {
        *("x", "y", "+", "total\nprice"),
        *("2 →", "← 10", "5 →"),
    }
    assert "← " not in {text.get_text() for text in ax.texts}
    circle = ax.lines[-1]
    assert circle.get_markerfacecolor() == plots.YELLOW


def test_values_stand_above_their_edge_and_gradients_below():
    ax = graph([("x", "f", "2", "10"), ("y", "f", "3", "20"), ("f", "z", "5", "1")])
    ax.figure.canvas.draw()
    height = {text.get_text(): text.get_window_extent().y0 for text in ax.texts}
    assert height["2 →"] > height["← 10"]
    assert height["3 →"] > height["← 20"]
    assert height["5 →"] > height["← 1"]


@pytest.mark.parametrize("lift", [0, 0.3, 1, 3])
def test_every_arrow_leads_from_its_first_node_to_its_second(lift):
    nodes = NODES | {"x": (0, 0.5 + lift, "x"), "z": (2, 0.5 - lift, "z")}
    for (tail, head), (start, end) in zip(
        arrows(graph([("x", "f", "", ""), ("f", "z", "1", "1")], nodes)),
        [("x", "f"), ("f", "z")],
        strict=True,
    ):
        way = np.subtract(nodes[end][:2], nodes[start][:2])
        assert np.subtract(head, tail) @ way > 0


def test_nodes_without_room_for_an_arrow_are_refused():
    nodes = {"a": (0, 0, "a quantity"), "b": (1, 0, "(+)"), "c": (9, 0, "c")}
    with pytest.raises(ValueError, match=r"room for an arrow, got 'a quantity' and .* 39 points"):
        graph([("a", "b", "", "")], nodes)


def test_an_edge_to_nowhere_is_named():
    with pytest.raises(ValueError, match="edges must join nodes, x, y, f, z; got 'g'"):
        graph([("x", "g", "", "")])


# What chapters share ----------------------------------------------------------------------


def test_two_axes_stand_where_every_frame_has_them():
    boxes = []
    for title in ("short", "a title of two lines\nand more"):
        fig, axes = plots.two_axes(6, 3.3)
        axes[0].set_title(title)
        fig.canvas.draw()
        boxes.append([ax.get_position().bounds for ax in axes])
        plt.close(fig)
    assert boxes[0] == boxes[1]


def test_losses_differ_in_more_than_colour_and_end_at_their_own_updates():
    fig, ax = plt.subplots()
    updates = np.array([10, 20, 30])
    plots.draw_losses(ax, updates, np.arange(15.0).reshape(3, 5), chance=0.7)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    assert [line.get_ydata()[-1] for line in lines] == [10, 11, 12, 13, 14]
    assert len({line._unscaled_dash_pattern for line in lines if line.is_dashed()} | {0}) == 5
    assert "chance" in [text.get_text() for text in ax.texts]
    plt.close(fig)


def test_squares_say_their_count_in_ink_that_shows():
    fig, ax = plt.subplots()
    at, counts = np.array([(1, 1), (2, 1), (3, 1)]), np.array([0, 3, 5])
    plots.draw_squares(ax, at, counts, np.array(["#k=1", "#k=2", "#k=3"]), most=5)
    squares, *numbers = ax.collections
    assert list(squares.get_urls()) == ["#k=1", "#k=2", "#k=3"]
    assert [number.get_urls()[0] for number in numbers] == ["#k=1", "#k=2", "#k=3"]
    for n, number in zip(counts, numbers, strict=True):
        ground = squares.get_facecolor()[list(counts).index(n)][:3]
        light, dark = sorted((luminance(ground), luminance(number.get_facecolor()[0][:3])))
        assert (dark + 0.05) / (light + 0.05) > 3
    plt.close(fig)


@pytest.mark.parametrize(
    ("error", "nodes", "edges", "options", "wanted"),
    [
        (TypeError, None, [], {}, "nodes must be a dict of (x, y, text) by name, got NoneType"),
        (TypeError, {1: (0, 0, "x")}, [], {}, "nodes must be a dict of (x, y, text) by name"),
        (ValueError, {}, [], {}, "nodes must hold at least one node"),
        (TypeError, {"x": (0, 0)}, [], {}, "nodes['x'] must be (x, y, text), got tuple (0, 0)"),
        (TypeError, {"x": (0, 0, 3)}, [], {}, "nodes['x'] must be (x, y, text)"),
        (ValueError, {"x": (0, np.nan, "x")}, [], {}, "y of nodes['x'] must be a finite number"),
        (TypeError, {"x": ("0", 0, "x")}, [], {}, "x of nodes['x'] must be a finite number"),
        (
            ValueError,
            {"x": (1, 2, "x"), "y": (1.0, 2, "y")},
            [],
            {},
            "nodes must stand in places of their own, got 'x' and 'y' at (1.0, 2.0)",
        ),
        (TypeError, NODES, None, {}, "edges must be a list of (start, end, value, gradient)"),
        (TypeError, NODES, [("x", "f")], {}, "edges must hold (start, end, value, gradient)"),
        (TypeError, NODES, [("x", "f", 1, "")], {}, "the texts of edges must be strings, got int"),
        (ValueError, NODES, [(["x"], "f", "", "")], {}, "edges must join nodes"),
        (TypeError, NODES, [], {"active": 3}, "active must be a collection of names, got int 3"),
        (ValueError, NODES, [], {"active": "fz"}, "active must name nodes, x, y, f, z; got 'fz'"),
    ],
)
def test_what_makes_no_graph_is_refused(error, nodes, edges, options, wanted):
    with refusal(error, wanted):
        graph(edges, nodes, **options)


def test_what_is_no_figure_and_no_axes_is_refused():
    for thing in (None, "fig", plt.subplots()[1]):
        with refusal(TypeError, "fig must be a matplotlib Figure"):
            plots.to_svg(thing)
    with refusal(TypeError, "ax must be matplotlib Axes, got NoneType None"):
        plots.draw_graph(None, NODES, [])
    for name in ("width", "height", "gap"):
        with refusal(ValueError, f"{name} must be a finite number > 0"):
            plots.two_axes(**{"width": 3, "height": 3, name: 0})


@pytest.mark.parametrize("prefix", ['x"><script>', "", "1", "a b", "a'", "a&b", "-a", "a\n"])
def test_a_prefix_that_is_no_name_is_refused(prefix):
    with refusal(ValueError, "prefix must be a letter followed by letters, digits, _ and -"):
        plots.to_svg(plt.figure(), prefix)


def test_what_a_figure_says_is_only_text_and_what_a_link_says_keeps_its_digits():
    hostile = "</svg><script>alert(1)</script>&\"'"
    fig, ax = plt.subplots()
    ax.set(title=hostile, xlabel=hostile)
    ax.plot([0, 1], label=hostile, gid=hostile)
    ax.legend()
    ax.scatter(0.5, 0.5, urls=["#lr=0.001234&name=" + hostile])
    svg = plots.to_svg(fig)
    root = ElementTree.fromstring(svg)
    assert svg.count("</svg>") == 1
    assert "<script" not in svg
    assert [e for e in root.iter() if "0.001234" in e.get("data-set", "")]
