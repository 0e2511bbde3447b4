"""Figures: one look for all, readable on a phone, light or dark.

A chapter calls `use_style` once and ends each figure's cell with ``show(fig, alt)``.
Black is the ink: on a page it takes the colour of the page's own text, so a figure
follows the reader from light to dark. What must stay dark on a light patch is drawn
in `DARK`.

References
----------
Okabe, M. and Ito, K. (2008). Color Universal Design: how to make figures that
everyone can read.
"""

import base64
import hashlib
import html
import io
import itertools
import os
import re

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from PIL import Image

from . import _validate
from ._validate import describe

__all__ = ["draw_graph", "draw_losses", "draw_squares", "show", "to_svg", "two_axes", "use_style"]

# Okabe and Ito's palette: eight colours that every kind of colour vision tells apart.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
YELLOW = "#F0E442"
INK = "#000000"  # the page's text colour, light or dark
OKABE_ITO = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, YELLOW, INK)

DARK = "#1A1A1A"  # stays dark, for text on a light patch
GREY = "#808080"  # grid lines and guides; seen on white and on black

# Six inches and 12 points: on a phone 360 pixels wide the text is still 9 pixels high.
STYLE = {
    "figure.figsize": (6.0, 3.75),
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GREY,
    "grid.alpha": 0.4,
    "lines.linewidth": 2,
    # Never colour alone: each colour has its own line style.
    "axes.prop_cycle": cycler(color=OKABE_ITO[:6])
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1))]),
    # Text stays text, and two runs give the same bytes.
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnbook",
}


def use_style():
    """Give every figure drawn from here on the book's look."""
    plt.rcParams.update(STYLE)


def is_static():
    """Whether a page is being built, where outputs must live without a kernel."""
    return os.environ.get("RNNBOOK_STATIC") == "1"


def show(fig, alt):
    """Close a figure and return what the notebook or the page displays of it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    alt : str
        What the figure shows, in a sentence or two with the rounded numbers, for
        readers who do not see it.

    Returns
    -------
    Shown
        Displays as SVG on a page being built, else as PNG, with `alt` as its text.
    """
    figure("fig", fig)
    alternative("alt", alt)
    plt.close(fig)  # or the notebook would display it a second time
    return Shown(fig, alt)


class Shown:
    """A figure with its text alternative, as `show` returns it."""

    def __init__(self, fig, alt):
        self._bundle = {"text/plain": alt}
        if is_static():
            # A figure wider than a phone scrolls in its own box, also by keyboard.
            focus = ' tabindex="0"' if fig.get_figwidth() > 6 else ""
            picture = f'class="rnnbook-figure" role="img" aria-label="{html.escape(alt)}"{focus}'
            self._bundle["text/html"] = f"<div {picture}>{to_svg(fig)}</div>"
        else:
            self._bundle["image/png"] = to_png(fig)

    def __repr__(self):
        return self._bundle["text/plain"]

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self._bundle


def to_png(fig):
    """Render a figure on white, as the base64 text that a notebook stores.

    16 shades of red, green and blue are plenty for lines and text, and make the file half
    as large. They do not depend on what else there is in the picture, as a palette that is
    chosen for it would: there, one pixel that is rounded otherwise changes many.
    """
    drawn, small = io.BytesIO(), io.BytesIO()
    with plt.rc_context(STYLE):
        fig.savefig(drawn, format="png", dpi=96, facecolor="white")
    shades = [round(shade / 17) * 17 for shade in range(256)]
    picture = Image.open(drawn).convert("RGB").point(shades * 3)
    if picture.getcolors(256):
        picture = picture.quantize(256)  # the same colours, by number
    picture.save(small, "png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def to_svg(fig, prefix=None):
    """Render a figure as SVG to stand inside a page.

    The SVG is transparent, its black is the page's text colour, its text is text, and
    its size follows the width there is. The same figure gives the same string. Each
    element stands on its own line.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
    prefix : str, optional
        Starts every id, so that the figures of one page do not share any: a letter, then
        letters, digits, ``_`` and ``-``. Without it ids are named after what the figure holds.
    """
    figure("fig", fig)
    if prefix is not None:
        if not isinstance(prefix, str):
            raise TypeError(f"prefix must be a string, got {describe(prefix)}")
        if not re.fullmatch(r"[^\W\d_][\w-]*", prefix):
            raise ValueError(
                "prefix must be a letter followed by letters, digits, _ and -, "
                f"got {_validate.shorten(repr(prefix))}"
            )
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # What savefig(transparent=True) does, but for drawing all of it twice.
    canvas, dpi = fig.canvas, fig.dpi
    grounds = {patch: patch.get_facecolor() for patch in (fig.patch, *(a.patch for a in fig.axes))}
    for patch in grounds:
        patch.set_facecolor("none")
    with plt.rc_context(STYLE):
        FigureCanvasSVG(fig).print_svg(buffer, metadata=nothing)
    for patch, color in grounds.items():
        patch.set_facecolor(color)
    fig.set_canvas(canvas)
    fig.dpi = dpi
    text = buffer.getvalue()

    # Keep what is inside <svg>, without comments, metadata and the rule for all of `*`,
    # which would reach the rest of the page.
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.S)
    # What has a url such as "#size=4" sets the explorer that it is a part of.
    text = re.sub(
        r'<a xlink:href="#([^"]*=[^"]*)"[^>]*>(.*?)</a>',
        r'<g data-set="\1">\2</g>',
        text,
        flags=re.S,
    )
    body = text[text.index(">") + 1 : text.rindex("</svg>")]
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    prefix = prefix or "figure-" + hashlib.sha256(body.encode()).hexdigest()[:8]

    def tidy(tag):
        tag = re.sub(r"(?<=base64,)[^\"]*", lambda data: "".join(data[0].split()), tag[0])
        tag = re.sub(r"\s*\n\s*", " ", tag)
        # Ids: only those in use, each with the prefix.
        tag = re.sub(
            r' id="([^"]*)"', lambda it: f' id="{prefix}-{it[1]}"' if it[1] in used else "", tag
        )
        tag = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", tag).replace("xlink:href", "href")
        # Shapes filled in black carry no fill at all in matplotlib's SVG: they inherit it.
        tag = tag.replace("#000000", "currentColor")
        # Too dark for a dark page, or too light for small text on a light one: explorer.css
        # has shades that are neither.
        for name, color in (("blue", BLUE.lower()), ("vermilion", VERMILION.lower())):
            tag = tag.replace(color, f"var(--rnnbook-{name}, {color})")
        # The reader's own sans-serif, not a list of fonts that few devices have.
        tag = re.sub(r"(font-family: |px )'[^;\"]*", r"\1sans-serif", tag)
        # A hundredth of a point is finer than any screen; what a link says stays as it is.
        return re.sub(
            r'((?:data-set|href)="[^"]*")|\d+\.\d{3,}',
            lambda it: it[1] or f"{float(it[0]):.2f}",
            tag,
        )

    body = re.sub(r"<[^>]*>", tidy, body)
    body = re.sub(r">\s+<", ">\n<", body).strip()
    width, height = (72 * side for side in fig.get_size_inches())
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true" fill="currentColor" '
        f'style="width: 100%; min-width: {0.75 * width:.0f}px; max-width: {1.4 * width:.0f}px; '
        f'stroke-linejoin: round">\n{body}\n</svg>'
    )


def figure(name, value):
    """Check that `value` is a matplotlib figure."""
    if not isinstance(value, Figure):
        raise TypeError(f"{name} must be a matplotlib Figure, got {describe(value)}")
    return value


def alternative(name, value):
    """Check that `value` is a text alternative: a string that says something."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string saying what is shown, got {describe(value)}")
    if not value.strip():
        raise ValueError(f"{name} must say what is shown, got an empty string")
    return value


def axes(name, value):
    """Check that `value` is one pair of matplotlib axes."""
    if not isinstance(value, Axes):
        raise TypeError(f"{name} must be matplotlib Axes, got {describe(value)}")
    return value


def numbers(name, value, shape):
    """Check that `value` is an array of finite numbers, whole ones or floats, of that shape."""
    _validate.array(name, value, "a numpy array of numbers")
    if value.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold numbers, got dtype {value.dtype}")
    _validate.shaped(name, value, shape)
    ends = [float(value.min()), float(value.max())] if value.size else [0, 0]
    if not -1e100 <= ends[0] <= ends[1] <= 1e100:  # nor NaN
        raise ValueError(f"{name} must be from -1e100 to 1e100, got {ends[0]} to {ends[1]}")
    return value


def two_axes(width, height, *, gap=0.32):
    """Return a figure with two axes side by side, its margins fixed: it stays still in a film."""
    for name, value in (("width", width), ("height", height), ("gap", gap)):
        _validate.real(name, value, above=0)
    fig, axes = plt.subplots(1, 2, figsize=(width, height), layout="none")
    fig.subplots_adjust(left=0.11, right=0.98, top=0.9, bottom=0.16, wspace=gap)
    return fig, axes


def draw_losses(ax, updates, losses, *, chance):
    """Draw the loss of each network on its way, in lines that differ, below a chance level.

    Parameters
    ----------
    ax : matplotlib axes
    updates : ndarray, shape (K,)
    losses : ndarray, shape (K, R)
        In nats, as `rnnbook.training.fit` returns them for R networks side by side.
    chance : float
        The loss of a guess.
    """
    axes("ax", ax)
    if numbers("updates", updates, ("K",)).size == 0:
        raise ValueError("updates must hold at least one number, got none")
    numbers("losses", losses, (len(updates), "R"))
    _validate.real("chance", chance)
    ax.axhline(chance, color=GREY, ls=":", lw=1.5)
    ax.text(updates[-1], chance + 0.03, "chance", ha="right", va="bottom", size=11)
    styles = itertools.cycle(("-", "--", "-.", ":", (0, (5, 1))))
    for curve, style in zip(losses.T, styles, strict=False):
        ax.plot(updates, curve, color=BLUE, ls=style, lw=1.4)
    ax.set(xlabel="updates", ylim=(-0.03, 1.0), yticks=(0, 0.5, 1))


def draw_squares(ax, at, counts, links, *, most):
    """Draw a square with a number in it for each count; each can be clicked.

    Parameters
    ----------
    ax : matplotlib axes
    at : ndarray, shape (K, 2)
        The squares' centres; their sides are 1.
    counts : ndarray of int, shape (K,)
    links : ndarray of str, shape (K,)
        Where a click leads; ``"#lag=3"`` sets the explorer's own control.
    most : int
        The largest count there can be: the lightest shade.
    """
    axes("ax", ax)
    K = len(numbers("at", at, ("K", 2)))
    most = _validate.integer("most", most, minimum=1)
    counts = _validate.indices("counts", counts, (K,), size=most + 1, what="counts")
    _validate.shaped("links", _validate.array("links", links), (K,))
    if links.dtype.kind != "U":
        raise TypeError(f"links must hold strings, got dtype {links.dtype}")
    shades = plt.get_cmap("cividis").resampled(most + 1)
    corners = at[:, None] + 0.5 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    ax.add_collection(
        PolyCollection(corners, fc=shades(counts / most), ec=GREY, lw=0.5, urls=links)
    )
    for n in np.unique(counts):
        these = counts == n
        ink = DARK if n > most / 2 else "white"
        ax.scatter(*at[these].T, marker=f"${n}$", s=66, lw=0, urls=links[these], fc=ink)


def draw_graph(ax, nodes, edges, *, active=()):
    """Draw a computational graph with what flows along its edges, both ways.

    Values go forward, above the edge, in blue with an arrow to the right; gradients
    go backward, below the edge, in vermilion italics with an arrow to the left.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Fills its figure; its limits are set to fit the graph.
    nodes : dict of str to tuple
        Name to ``(x, y, text)``. A text in parentheses, such as ``"(+)"``, is an
        operation and drawn in a circle; any other is a quantity and stands alone.
    edges : iterable of tuple
        ``(start, end, value, gradient)``: the names of two nodes and two texts. An
        empty text draws nothing.
    active : str, or collection of str
        Names of operations to set off with a filled circle.

    Raises
    ------
    TypeError, ValueError
        If nodes or edges are not as above, two nodes stand in one place, an edge names no
        node, or joins two that leave no room for an arrow.
    """
    axes("ax", ax)
    edges, active = _checked_graph(nodes, edges, active)
    figure = ax.figure
    figure.set_layout_engine("none")
    ax.set_axis_off()
    ax.set_position((0, 0, 1, 1))
    xs, ys, _ = zip(*nodes.values(), strict=True)
    width, height = 72 * figure.get_size_inches()  # in points, like every length below
    ax.set_xlim(_padded(xs, 40 / width))
    ax.set_ylim(_padded(ys, 24 / height))
    scale = (width / np.ptp(ax.get_xlim()), height / np.ptp(ax.get_ylim()))

    for start, end, value, gradient in edges:
        _draw_edge(ax, nodes[start], nodes[end], scale, value, gradient)
    for name, (x, y, text) in nodes.items():
        if not text.startswith("("):
            ax.text(x, y, text, ha="center", va="center")
            continue
        filled, sign = name in active, text[1:-1]
        ax.plot(x, y, "o", ms=26, mfc=YELLOW if filled else "none", mec=INK, mew=1.5)
        style = {"color": DARK if filled else INK, "size": 16 if len(sign) == 1 else 10}
        ax.text(x, y, sign, ha="center", va="center_baseline", **style)


def _checked_graph(nodes, edges, active):
    """Check the arguments of `draw_graph`; return the last two as lists."""
    if not isinstance(nodes, dict) or not all(isinstance(name, str) for name in nodes):
        raise TypeError(f"nodes must be a dict of (x, y, text) by name, got {describe(nodes)}")
    if not nodes:
        raise ValueError("nodes must hold at least one node, got none")
    places = {}
    for name, node in nodes.items():
        where = f"nodes[{name!r}]"
        if not isinstance(node, (tuple, list)) or len(node) != 3 or not isinstance(node[2], str):
            raise TypeError(f"{where} must be (x, y, text), got {describe(node)}")
        place = tuple(
            _validate.real(f"{axis} of {where}", v) for axis, v in zip("xy", node, strict=False)
        )
        if place in places:
            raise ValueError(
                f"nodes must stand in places of their own, got {places[place]!r} and {name!r} at "
                f"{place}"
            )
        places[place] = name
    if isinstance(edges, (str, bytes, dict)) or not hasattr(edges, "__iter__"):
        raise TypeError(
            f"edges must be a list of (start, end, value, gradient), got {describe(edges)}"
        )
    edges = list(edges)
    for edge in edges:
        if not isinstance(edge, (tuple, list)) or len(edge) != 4:
            raise TypeError(f"edges must hold (start, end, value, gradient), got {describe(edge)}")
        for name in edge[:2]:
            if not isinstance(name, str) or name not in nodes:
                raise ValueError(f"edges must join nodes, {', '.join(nodes)}; got {name!r}")
        for text in edge[2:]:
            if not isinstance(text, str):
                raise TypeError(f"the texts of edges must be strings, got {describe(text)}")
    if isinstance(active, str):
        active = [active] if active else []
    if not hasattr(active, "__iter__"):
        raise TypeError(f"active must be a collection of names, got {describe(active)}")
    active = list(active)
    for name in active:
        if name not in list(nodes):
            raise ValueError(f"active must name nodes, {', '.join(nodes)}; got {name!r}")
    return edges, active


def _draw_edge(ax, start, end, scale, value, gradient):
    """Draw an arrow between two nodes, its texts above and below or, where it is steep, within."""
    ends = np.array([start[:2], end[:2]], dtype=float)
    step = (ends[1] - ends[0]) * scale
    length = np.hypot(*step)
    across, up = np.maximum(np.abs(step) / length, 0.001)
    radii = [_radius(text, across, up) for *_, text in (start, end)]
    if sum(radii) > length - 8:
        raise ValueError(
            f"nodes must leave room for an arrow, got {start[2]!r} and {end[2]!r} "
            f"{length:.0f} points apart"
        )
    stops = [radii[0] / length, 1 - radii[1] / length]  # as shares of the way
    # Gentle slopes often meet in a node: their texts keep to the side where they are apart.
    place, away = (0.5 if up < 0.01 else 0.42), 2 + 24 * up / across
    if (value or gradient) and up > 0.6 * across:
        place, away = 0.5, 2
        gap = 17 / up / length
        ax.plot(*_between(ends, stops[0], 0.5 - gap), color=GREY, lw=1.2, ls="-")
        stops[0] = 0.5 + gap
    tail, head = _between(ends, *stops).T
    arrow = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0, "lw": 1.2}
    ax.annotate("", head, tail, arrowprops=arrow)

    middle = ends[0] + place * (ends[1] - ends[0])
    offset = {"textcoords": "offset points", "ha": "center", "size": 12}
    if value:
        style = {"va": "bottom", "color": BLUE, "weight": "bold"}
        ax.annotate(f"{value} →", middle, (0, away), **style, **offset)
    if gradient:
        style = {"va": "top", "color": VERMILION, "style": "italic"}
        ax.annotate(f"← {gradient}", middle, (0, -away), **style, **offset)


def _radius(text, across, up):
    """Return how far a node reaches from its middle in the direction of an edge, in points."""
    if text.startswith("("):
        return 15
    lines = text.split("\n")
    return min((3.6 * max(map(len, lines)) + 6) / across, (8 * len(lines) + 2) / up)


def _between(ends, start, stop):
    """Return the piece of a line from one share of its length to another, shape (2, 2)."""
    return np.array([ends[0] + share * (ends[1] - ends[0]) for share in (start, stop)]).T


def _padded(values, share):
    low, high = min(values), max(values)
    margin = max(high - low, 1) * share / (1 - 2 * share)
    return low - margin, high + margin
