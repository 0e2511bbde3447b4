"""What a figure becomes in a notebook and on a page."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers import refusal
from matplotlib import colors, markers

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


def test_a_figure_and_what_it_says_come_back_from_their_checks():
    fig = curves()
    assert plots.figure("fig", fig) is fig
    assert plots.alternative("alt", "Two curves.") == "Two curves."


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


def test_svg_keeps_an_image_pixel_by_pixel_and_its_place():
    fig, ax = plt.subplots()
    shades = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 0, 0]]], np.uint8)
    ax.imshow(shades, interpolation="nearest")
    svg = plots.to_svg(fig)
    root = ElementTree.fromstring(svg)
    (image,) = [part for part in root.iter() if part.tag.endswith("image")]
    kind, _, content = image.attrib["href"].partition(",")
    assert kind == "data:image/png;base64"
    assert content == "".join(content.split())
    picture = plt.imread(io.BytesIO(base64.b64decode(content)))
    assert image.attrib["transform"].startswith("scale(1 -1)")  # it hangs upside down
    picture = picture[::-1]
    height, width, _ = picture.shape
    seen = picture[height // 4 :: height // 2, width // 4 :: width // 2, :3][:2, :2]
    np.testing.assert_array_equal(seen, [[*map(tuple, row)] for row in shades / 255])
    left, bottom, right, top = ax.get_window_extent().extents * 72 / fig.dpi
    sides = float(image.attrib["width"]), float(image.attrib["height"])
    np.testing.assert_allclose(sides, (right - left, top - bottom), atol=1.5)


@pytest.mark.parametrize("dressed", [lambda ax: ax.imshow(np.eye(2)), lambda ax: ax.plot([1, 2])])
def test_every_element_of_an_svg_stands_on_its_own_line(dressed):
    fig, ax = plt.subplots()
    dressed(ax)
    for row in plots.to_svg(fig).split("\n"):
        assert row == row.strip()
        assert re.fullmatch(r"<[^<>]*>([^<>]*</[^<>]*>)?", row)


def test_png_has_the_colours_of_the_figure_in_sixteen_shades():
    fig, ax = plt.subplots(figsize=(2, 1), layout="none")
    ax.set_position((0, 0, 1, 1))
    ax.set_axis_off()
    ramp = np.linspace(0, 1, 192)[None, :, None] * [1, 0.5, 0]
    ax.imshow(ramp, aspect="auto", interpolation="nearest")
    picture = plt.imread(io.BytesIO(base64.b64decode(plots.to_png(fig))))[48]
    assert picture.shape[0] == 192
    np.testing.assert_allclose(picture[:, :3], ramp[0], atol=0.5 / 15 + 1 / 255)
    np.testing.assert_allclose(picture * 15, np.round(picture * 15), atol=1e-5)
    assert len(np.unique(picture[:, 0])) == 16


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
EDGES = [("x", "f", "2", "10"), ("y", "f", "3", "20"), ("f", "z", "5", "1")]
LEVEL = {"a": (0, 0, "(a)"), "b": (1, 0, "(b)")}
STEEP = {"a": (0, 0, "(a)"), "b": (0.4, 3, "(b)"), "c": (2, 3, "(c)")}
GENTLE = {"a": (0, 0, "(a)"), "b": (1, 0.3, "(b)")}


def graph(edges, nodes=NODES, **options):
    _, ax = plt.subplots(figsize=(6, 3))
    plots.draw_graph(ax, nodes, edges, **options)
    ax.figure.canvas.draw()
    return ax


def points(ax, at):
    """Return a place in the graph in points from the figure's lower left corner."""
    return ax.transData.transform(at) * 72 / ax.figure.dpi


def arrows(ax):
    """Return tail and head of each arrow, in the graph's own units."""
    found = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    return [(arrow.xyann, arrow.xy) for arrow in found]


def texts(ax):
    """Return each text of a graph that is not empty."""
    return {text.get_text(): text for text in ax.texts if text.get_text()}


def circles(ax):
    """Return the circle at each place that has one."""
    found = [line for line in ax.lines if line.get_marker() == "o"]
    return {(line.get_xdata()[0], line.get_ydata()[0]): line for line in found}


def stems(ax):
    """Return the ends of each plain line, in the graph's own units."""
    return [line.get_xydata() for line in ax.lines if line.get_marker() != "o"]


def box(ax, text):
    """Return the lower left and the upper right corner of a text, in points."""
    return texts(ax)[text].get_window_extent().get_points() * 72 / ax.figure.dpi


def test_each_node_stands_at_its_place_and_operations_in_a_circle():
    ax = graph(EDGES)
    shown = texts(ax)
    assert {name: shown[name].get_position() for name in ("x", "y", "+", "total\nprice")} == {
        "x": (0, 1),
        "y": (0, 0),
        "+": (1, 0.5),
        "total\nprice": (2, 0.5),
    }
    assert list(circles(ax)) == [(1, 0.5)]
    for name in ("x", "y", "+", "total\nprice"):
        middle = box(ax, name).mean(axis=0)
        np.testing.assert_allclose(middle, points(ax, shown[name].get_position()), atol=3)


def test_nothing_else_is_written_than_the_nodes_and_what_flows():
    ax = graph([*EDGES[:2], ("f", "z", "5", "")])
    nodes, flows = ["x", "y", "+", "total\nprice"], ["2 →", "← 10", "3 →", "← 20", "5 →"]
    assert sorted(texts(ax)) == sorted(nodes + flows)
    assert sorted(texts(graph([("x", "f", "", "7")]))) == sorted([*nodes, "← 7"])


def test_what_is_active_is_filled_and_its_sign_dark():
    ax = graph([], {"a": (0, 0, "(+)"), "b": (1, 0, "(×)"), "c": (2, 0, "c")}, active=("b", "c"))
    looks = {at: circle.get_markerfacecolor() for at, circle in circles(ax).items()}
    assert looks == {(0, 0): "none", (1, 0): plots.YELLOW}
    assert {circle.get_markeredgecolor() for circle in circles(ax).values()} == {plots.INK}
    shown = texts(ax)
    assert (shown["+"].get_color(), shown["×"].get_color()) == (plots.INK, plots.DARK)


def test_signs_are_large_and_words_fit_their_circle():
    ax = graph([], {"a": (0, 0, "(+)"), "b": (1, 0, "(log)"), "c": (0, 1, "(×)")})
    assert texts(ax)["+"].get_size() == texts(ax)["×"].get_size() > 14
    for at, word in (((0, 0), "+"), ((1, 0), "log"), ((0, 1), "×")):
        circle = circles(ax)[at]
        radius = (circle.get_markersize() + circle.get_markeredgewidth()) / 2
        assert (np.hypot(*(box(ax, word) - points(ax, at)).T) <= radius + 3).all()


@pytest.mark.parametrize(
    ("nodes", "left", "bottom"),
    [
        (NODES, 40, 24),
        (LEVEL, 40, 108),  # alone in its row, it stands in the middle
        ({"a": (5, -2, "a"), "b": (5, 7, "b")}, 216, 24),
    ],
)
def test_the_graph_fills_the_figure_up_to_a_margin_in_points(nodes, left, bottom):
    ax = graph([], nodes)
    assert ax.get_position().bounds == (0, 0, 1, 1)
    assert not ax.axison
    at = np.array([points(ax, (x, y)) for x, y, _ in nodes.values()])
    np.testing.assert_allclose(at.min(axis=0), (left, bottom), atol=1e-6)
    np.testing.assert_allclose(at.min(axis=0) + at.max(axis=0), (432, 216), atol=1e-6)


def test_a_graph_narrower_than_a_unit_keeps_the_margins_of_a_unit():
    low, high = graph([], {"a": (3, 0, "a"), "b": (3.25, 1, "b")}).get_xlim()
    margin = 40 / 432 / (1 - 80 / 432)
    np.testing.assert_allclose((low, high), (3 - margin, 3.25 + margin))


@pytest.mark.parametrize("nodes", [NODES, LEVEL, STEEP, GENTLE])
@pytest.mark.parametrize("flow", [("", ""), ("1", "2"), ("1", ""), ("", "2")])
def test_every_arrow_leads_along_its_edge_from_node_to_node(nodes, flow):
    names = list(nodes)
    edges = [(names[0], names[k], *flow) for k in range(1, len(names)) if names[k] != "y"]
    ax = graph(edges, nodes)
    assert len(arrows(ax)) == len(edges)
    for (tail, head), (start, end, *_) in zip(arrows(ax), edges, strict=True):
        first, last = points(ax, nodes[start][:2]), points(ax, nodes[end][:2])
        way = (last - first) / np.hypot(*(last - first))
        for place in (points(ax, tail), points(ax, head)):
            assert (
                abs(way[::-1] @ ((place - first) * (1, -1))) < 1e-6
            )  # on the line between the two
        begins, ends = ((points(ax, place) - first) @ way for place in (tail, head))
        assert 0 < begins < ends < np.hypot(*(last - first))
        if nodes[end][2].startswith("("):  # the circle's radius, and a little
            assert np.hypot(*(last - points(ax, head))) == pytest.approx(15)
        if nodes[start][2].startswith("(") and not stems(ax):
            assert np.hypot(*(first - points(ax, tail))) == pytest.approx(15)


@pytest.mark.parametrize("end", [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (3, 1)])
@pytest.mark.parametrize("word", ["x", "price", "total\nprice", "a\nb\nc\nd"])
def test_arrows_end_beside_a_quantity_not_in_it_and_not_far_off(end, word):
    nodes = {"a": (0, 0, word), "b": (*end, "(+)")}
    if 0 not in end:
        nodes["c"] = (3, 3, "")  # so that one unit is not the whole figure
    ax = graph([("b", "a", "", "")], nodes)
    ((_, head),) = arrows(ax)
    low, high = box(ax, word)
    at = points(ax, head)
    outside = np.maximum(np.maximum(low - at, at - high), 0)  # across and up
    assert 0 < np.hypot(*outside) < 20


def test_values_stand_above_their_edge_and_gradients_below():
    ax = graph(EDGES)
    for start, end, value, gradient in EDGES:
        first, last = points(ax, NODES[start][:2]), points(ax, NODES[end][:2])
        above, below = box(ax, f"{value} →"), box(ax, f"← {gradient}")
        assert above.mean(axis=0)[0] == pytest.approx(below.mean(axis=0)[0], abs=0.5)
        share = (above.mean(axis=0)[0] - first[0]) / (last[0] - first[0])
        assert share == pytest.approx(0.5 if start == "f" else 0.42, abs=0.01)
        line = first[1] + share * (last[1] - first[1])
        assert above[0, 1] > line > below[1, 1]
        assert above[0, 1] - line == pytest.approx(line - below[1, 1], abs=4)


def test_values_and_gradients_differ_in_colour_and_in_letters():
    shown = texts(graph(EDGES))
    looks = {
        (shown[text].get_color(), shown[text].get_weight(), shown[text].get_style())
        for text in ("2 →", "3 →", "5 →")
    }
    assert looks == {(plots.BLUE, "bold", "normal")}
    looks = {
        (shown[text].get_color(), shown[text].get_weight(), shown[text].get_style())
        for text in ("← 10", "← 20", "← 1")
    }
    assert looks == {(plots.VERMILION, "normal", "italic")}


@pytest.mark.parametrize("rise", np.linspace(-1.5, 1.5, 13))
def test_no_text_touches_its_own_edge_however_steep(rise):
    nodes = {"a": (0, 0, "(+)"), "b": (1, rise, "(×)"), "c": (3, 3, ""), "d": (0, -2, "")}
    ax = graph([("a", "b", "12", "34")], nodes)
    pieces = [*stems(ax), *arrows(ax)]
    assert len(pieces) in (1, 2)
    for piece in pieces:
        for share in np.linspace(0, 1, 50):
            at = points(ax, np.array(piece[0]) + share * (np.array(piece[1]) - piece[0]))
            for text in ("12 →", "← 34"):
                low, high = box(ax, text)
                assert not ((low + 1 < at) & (at < high - 1)).all()


def test_a_steep_edge_opens_in_its_middle_for_its_texts():
    ax = graph([("a", "b", "1", "2"), ("b", "c", "3", "4")], STEEP)
    (stem,) = stems(ax)
    first, last = (points(ax, STEEP[name][:2]) for name in "ab")
    length = np.hypot(*(last - first))
    begins, stops = (np.hypot(*(points(ax, end) - first)) for end in stem)
    resumes = np.hypot(*(points(ax, arrows(ax)[0][0]) - first))
    assert begins == pytest.approx(15)
    assert stops + resumes == pytest.approx(length)  # as far on either side of the middle
    up = (last - first)[1] / length
    assert (resumes - stops) * up == pytest.approx(34)  # room for two lines
    middle = (first + last) / 2
    assert box(ax, "1 →").mean(axis=0)[0] == pytest.approx(middle[0], abs=0.5)
    assert box(ax, "1 →")[0, 1] > middle[1] > box(ax, "← 2")[1, 1]
    assert stems(graph([("a", "b", "", "")], STEEP)) == []  # nothing to make room for


def test_what_flows_beside_a_gentle_slope_is_nearer_to_it_than_to_the_other():
    ax = graph(EDGES)
    for start, end, value, gradient in EDGES:
        for text in (f"{value} →", f"← {gradient}"):
            middle = box(ax, text).mean(axis=0)
            away = {}
            for other in EDGES:
                first, last = (points(ax, NODES[name][:2]) for name in other[:2])
                share = np.clip(
                    (middle - first) @ (last - first) / np.sum((last - first) ** 2), 0, 1
                )
                away[other[:2]] = np.hypot(*(middle - first - share * (last - first)))
            assert min(away, key=away.get) == (start, end)


def test_nodes_without_room_for_an_arrow_are_refused():
    nodes = {"a": (0, 0, "a quantity"), "b": (1, 0, "(+)"), "c": (9, 0, "c")}
    with pytest.raises(ValueError, match=r"room for an arrow, got 'a quantity' and .* 39 points"):
        graph([("a", "b", "", "")], nodes)


@pytest.mark.parametrize(("apart", "room"), [(37.9, False), (38.1, True)])
def test_an_arrow_has_eight_points_at_least(apart, room):
    nodes = {"a": (0, 0, "(+)"), "b": (apart / 352, 0, "(×)"), "c": (1, 0, "")}
    if room:
        assert len(arrows(graph([("a", "b", "", "")], nodes))) == 1
    else:
        with pytest.raises(ValueError, match=r"'\(\+\)' and '\(×\)' 38 points apart"):
            graph([("a", "b", "", "")], nodes)


@pytest.mark.parametrize("edge", [("x", "g", "", ""), ("g", "x", "", "")])
def test_an_edge_to_nowhere_is_named(edge):
    with pytest.raises(ValueError, match="edges must join nodes, x, y, f, z; got 'g'"):
        graph([edge])


# What chapters share ----------------------------------------------------------------------


def test_two_axes_stand_where_every_frame_has_them():
    boxes = []
    for title in ("short", "a title of two lines\nand more"):
        fig, axes = plots.two_axes(6, 3.3)
        axes[0].set_title(title)
        fig.canvas.draw()
        boxes.append([ax.get_position().extents for ax in axes])
        assert tuple(fig.get_size_inches()) == (6, 3.3)
    np.testing.assert_array_equal(*boxes)
    (left, right) = boxes[0]
    np.testing.assert_allclose(left[:2], (0.11, 0.16))
    np.testing.assert_allclose(right[2:], (0.98, 0.9))
    np.testing.assert_array_equal(left[[1, 3]], right[[1, 3]])  # one beside the other
    width = left[2] - left[0]
    assert right[2] - right[0] == pytest.approx(width)
    assert right[0] - left[2] == pytest.approx(0.32 * width)  # the gap is a share of the width


def test_losses_are_drawn_a_line_for_each_network_and_differ_in_more_than_colour():
    _, ax = plt.subplots()
    updates, losses = np.array([10, 20, 30]), np.arange(21.0).reshape(3, 7)
    plots.draw_losses(ax, updates, losses, chance=0.7)
    chance, *lines = ax.lines
    np.testing.assert_array_equal(chance.get_ydata(), [0.7, 0.7])
    assert (chance.get_color(), chance.get_linestyle()) == (plots.GREY, ":")
    for line, column in zip(lines, losses.T, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), updates)
        np.testing.assert_array_equal(line.get_ydata(), column)
        assert line.get_color() == plots.BLUE
    dashes = [str(line._unscaled_dash_pattern) for line in lines]
    assert len(set(dashes[:5])) == 5
    assert dashes[5:] == dashes[:2]  # then they begin again


def test_the_chance_level_is_named_at_its_end_and_the_loss_has_the_same_scale_everywhere():
    _, ax = plt.subplots()
    plots.draw_losses(ax, np.array([10, 20, 30]), np.ones((3, 2)), chance=0.7)
    ax.figure.canvas.draw()
    (word,) = ax.texts
    assert word.get_text() == "chance"
    corners = ax.transData.inverted().transform(word.get_window_extent().get_points())
    assert corners[1, 0] == pytest.approx(30, abs=0.5)  # ends with the last update
    assert 0.7 < corners[0, 1] < 0.78  # just above its line
    assert ax.get_xlabel() == "updates"
    assert ax.get_ylim() == (-0.03, 1)
    np.testing.assert_array_equal(ax.get_yticks(), [0, 0.5, 1])


AT, COUNTS = np.array([(1, 1), (2, 1), (4, 3), (5, 2)]), np.array([0, 3, 5, 3])


def squares():
    _, ax = plt.subplots()
    links = np.array(["#k=1", "#k=2", "#k=3", "#k=4"])
    plots.draw_squares(ax, AT, COUNTS, links, most=6)
    return ax.collections


def test_each_count_has_a_square_of_side_one_around_its_place_and_a_link():
    grounds, *_ = squares()
    for path, at in zip(grounds.get_paths(), AT, strict=True):
        np.testing.assert_array_equal(path.vertices.min(axis=0), at - 0.5)
        np.testing.assert_array_equal(path.vertices.max(axis=0), at + 0.5)
        assert len({tuple(vertex) for vertex in path.vertices}) == 4
    assert list(grounds.get_urls()) == ["#k=1", "#k=2", "#k=3", "#k=4"]


def test_a_square_is_the_lighter_the_larger_its_count():
    grounds, *_ = squares()
    shades = plt.get_cmap("cividis").resampled(7)
    np.testing.assert_array_equal(grounds.get_facecolor(), shades(COUNTS / 6))
    lights = [luminance(shade[:3]) for shade in grounds.get_facecolor()]
    assert lights[0] < lights[1] == lights[3] < lights[2]


def test_the_number_in_each_square_is_its_count_and_has_its_link():
    _, *numbers = squares()
    found = {}
    for n, number in zip((0, 3, 5), numbers, strict=True):
        sign = markers.MarkerStyle(f"${n}$")
        (path,) = number.get_paths()
        np.testing.assert_array_equal(
            path.vertices, sign.get_transform().transform_path(sign.get_path()).vertices
        )
        found |= {
            tuple(at): (n, url)
            for at, url in zip(number.get_offsets(), number.get_urls(), strict=True)
        }
    wanted = zip(COUNTS.tolist(), ["#k=1", "#k=2", "#k=3", "#k=4"], strict=True)
    assert found == dict(zip(map(tuple, AT), wanted, strict=True))


@pytest.mark.parametrize("most", [5, 6, 7, 20])
def test_squares_say_their_count_in_ink_that_shows(most):
    _, ax = plt.subplots()
    counts = np.arange(most + 1)
    at, links = np.stack([counts, counts], axis=1), np.array(["#k=1"] * (most + 1))
    plots.draw_squares(ax, at, counts, links, most=most)
    grounds, *numbers = ax.collections
    for ground, number in zip(grounds.get_facecolor(), numbers, strict=True):
        light, dark = sorted((luminance(ground[:3]), luminance(number.get_facecolor()[0][:3])))
        assert (dark + 0.05) / (light + 0.05) > 3
        assert colors.to_hex(number.get_facecolor()[0]) in ("#ffffff", plots.DARK.lower())


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
    ax.scatter([0.4, 0.6], [0.5, 0.5], urls=["#lr=0.001234&name=" + hostile, "#lr=0.1"])
    svg = plots.to_svg(fig)
    root = ElementTree.fromstring(svg)
    assert svg.count("</svg>") == 1
    assert "<script" not in svg
    assert [e for e in root.iter() if "0.001234" in e.get("data-set", "")]
