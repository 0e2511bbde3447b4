"""Explorers: figures with controls that work with and without a kernel.

One figure, three ways to draw it. On a page without Python the controls move over
frames drawn when the book was built. In Jupyter the kernel draws, and in a page where
the reader pressed "Run live" Python in the browser draws what the page lacks; then a
control takes any value between its limits. `explorer.js` is the other half: it draws
the controls and asks for frames, in all three.
"""

import bisect
import html
import inspect
import itertools
import json
import math
import re
import traceback
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from . import plots
from ._validate import describe

try:
    import anywidget
    import traitlets
except ImportError:  # Python in the reader's browser: the page itself has the controls
    anywidget = None

__all__ = ["Explorer", "explore"]

MAX_FRAMES = 700  # on a page: half a minute of drawing for a graph
MAX_BYTES = 2_000_000  # and what the page then carries, before compression
SCRIPT = Path(__file__).with_name("explorer.js").read_text("utf8")
STYLE = Path(__file__).with_name("explorer.css").read_text("utf8")
in_browser = {}  # the figures that a page may ask for, by name, where there is no widget


def explore(
    draw, *, labels=None, start=None, limits=None, play=None, title=None, name=None, **grid
):
    """Make a figure that its reader can set.

    Parameters
    ----------
    draw : callable
        ``draw(**values)`` returns a matplotlib figure and the sentence that says, with
        rounded numbers, what the figure shows for these values. It should depend on
        nothing else: what it gave is kept. A click on an artist with the url
        ``"#size=4&lag=2"`` sets these controls.
    labels : dict, optional
        The words beside each control, by name; without them the name itself.
    start : dict, optional
        Values to start from; without it the first of each list.
    limits : dict, optional
        ``name: (low, high)`` or ``name: (low, high, step)``: where Python runs, any
        number in that range may be chosen. Without a step, a range of positive floats
        over two decades or more is divided evenly in the logarithm.
    play : str, optional
        One control that also gets buttons to step through its values.
    title : str, optional
        Stands above the figure.
    name : str, optional
        Names the figure in an address such as ``#explorer=name&hidden_size=8``;
        without it the title in lower case, with hyphens. Unique on its page.
    **grid
        For each argument of `draw` the values to precompute for a page without Python:
        numbers give a slider, strings a menu, ``[False, True]`` a checkbox.

    Returns
    -------
    Explorer
        An ipywidgets widget. Its trait `values` can be read, set, observed and linked.

    Raises
    ------
    TypeError, ValueError
        When an argument is of no use, or when the grid is too big for a page.
    """
    labels, start, limits = labels or {}, start or {}, limits or {}
    _check_names(draw, list(grid), play, labels=labels, start=start, limits=limits)
    controls = [_control(key, values, labels, start, limits) for key, values in grid.items()]
    for key, value in (("title", title), ("name", name)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise TypeError(f"{key} must be a string that is not empty, got {describe(value)}")
    figure = Figure(draw, controls, title, name, play)
    if anywidget is None:
        in_browser[figure.name] = figure
        return figure
    return Explorer(figure)


class Figure:
    """A figure and its controls, apart from any way to show them."""

    def __init__(self, draw, controls, title, name, play):
        self.controls = {control.name: control for control in controls}
        self.title = title
        words = re.sub(r"\W+", "-", (name or title or "").lower()).strip("-")
        self.name = words or "figure"
        self.start = {control.name: control.start for control in controls}
        self._draw = draw
        self._play = play
        self._frames = {}

    def checked(self, values):
        """Check new values by name; return them as `draw` gets them, in order."""
        if unknown := set(values) - set(self.controls):
            raise ValueError(f"values must name {_list(self.controls)}, got {_list(unknown)}")
        return {key: self.controls[key].checked(values[key]) for key in self.controls}

    def drawn(self, values):
        """Call `draw`; return its figure, closed, and its text alternative."""
        with plots.plt.rc_context(plots.STYLE):
            result = self._draw(**values)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"draw must return (figure, alt), got {describe(result)}")
        fig = plots.figure("draw's figure", result[0])
        plots.plt.close(fig)
        return fig, plots.alternative("draw's alt", result[1])

    def frame(self, values):
        """Draw one state as ``{"svg": ..., "alt": ...}``, or recall it."""
        key = tuple(values.values())
        if key not in self._frames:
            self.keep(values, *self.drawn(values))
        return self._frames[key]

    def keep(self, values, fig, alt):
        """Remember a drawn state; forget the oldest of too many."""
        if len(self._frames) == MAX_FRAMES:
            del self._frames[next(iter(self._frames))]
        svg = plots.to_svg(fig, f"explorer-{self.name}")
        for link in sorted(set(re.findall(r'data-set="([^"]*)"', svg))):
            self._check_link(html.unescape(link))
        self._frames[tuple(values.values())] = {"svg": svg, "alt": alt}

    def _check_link(self, link):
        for name, text in parse_qsl(link, keep_blank_values=True):
            control = self.controls.get(name)
            if control is None or not any(matches(value, text) for value in control.values):
                offers = control.values if control else _list(self.controls)
                raise ValueError(f"the url '#{link}' must set {offers}, got {name}={text}")

    def answer(self, values):
        """Give the frame for values that a reader chose, or ``{"error": ...}``."""
        try:
            return self.frame(self.checked(values))
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            where = f" (line {line.lineno} of {line.name})"
            return {"error": f"{type(error).__name__}: {error}{where}"}

    def describe(self):
        """Say what the explorer offers and what it shows at the start."""
        title = f' "{self.title}"' if self.title else ""
        offers = ", ".join(f"{c.name} in {c.values}" for c in self.controls.values())
        return f"Explorer{title}: {offers}. At start: {self.frame(self.start)['alt']}"

    def spec(self):
        """List what `explorer.js` needs to build the controls."""
        return {
            "name": self.name,
            "title": self.title or "Interactive figure",
            "play": self._play,
            "start": self.start,
            "controls": [control.spec() for control in self.controls.values()],
        }

    def markup(self):
        """Write the part of the HTML that shows without JavaScript: the first frame."""
        first = self.frame(self.start)
        title = f'<p class="rnnbook-title">{html.escape(self.title)}</p>' if self.title else ""
        return (
            f'{title}<div class="rnnbook-figure" role="img" '
            f'aria-label="{html.escape(first["alt"])}">{first["svg"]}</div>'
            "<details><summary>Describe this figure</summary>"
            f'<p class="rnnbook-alt">{html.escape(first["alt"])}</p></details>'
        )

    def check_size(self):
        """Refuse a grid that would make a page slow to build or heavy to load."""
        sizes = [len(control.values) for control in self.controls.values()]
        count = math.prod(sizes)
        if count > MAX_FRAMES:
            size = len(self.frame(self.start)["svg"])
            raise ValueError(
                f"the grid must have at most {MAX_FRAMES} frames, got {count:,} "
                f"({' x '.join(map(str, sizes))}); one frame takes {size / 1e3:,.0f} kB, all of "
                f"them up to {count * size / 1e6:,.0f} MB. Leave out values: `limits` lets "
                "readers with Python choose those in between"
            )

    def page(self):
        """Write the whole explorer as HTML: first frame, and the grid as data."""
        grid = itertools.product(*(control.values for control in self.controls.values()))
        frames = [self.frame(dict(zip(self.controls, state, strict=True))) for state in grid]
        lines, runs = share_lines([frame["svg"].split("\n") for frame in frames])
        data = self.spec() | {
            "lines": lines,
            "frames": runs,
            "alts": [frame["alt"] for frame in frames],
        }
        # In HTML, `</` would end the script and `<!--` would begin a comment.
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
        size = len(text.encode())
        if size > MAX_BYTES:
            raise ValueError(
                f"the grid must take at most {MAX_BYTES:,} bytes on the page, got {size:,} "
                f"in {len(frames)} frames; leave out values, or draw fewer points"
            )
        return (
            f'<div class="rnnbook-explorer" data-explorer="{self.name}">{self.markup()}'
            f'<script type="application/json">{text}</script></div>'
        )


@dataclass
class _Control:
    """One argument of `draw`: the values on a page, and the range where Python runs."""

    name: str
    kind: str  # number, choice or switch
    label: str
    values: list
    start: object
    limits: tuple | None = None  # low, high, step; a step of None: even in the logarithm

    def checked(self, value):
        value = _plain(value)
        if self.kind == "number" and not _is_number(value):
            raise TypeError(f"{self.name} must be a number, got {describe(value)}")
        if self.limits is None:
            if value not in self.values or (self.kind == "switch") != isinstance(value, bool):
                raise ValueError(f"{self.name} must be one of {self.values}, got {value!r}")
            return self.values[self.values.index(value)]
        low, high, _ = self.limits
        if not low <= value <= high:  # nor NaN
            raise ValueError(f"{self.name} must be from {low} to {high}, got {value}")
        if self.integer and value != int(value):
            raise ValueError(f"{self.name} must be a whole number, got {value}")
        return int(value) if self.integer else float(value)

    @property
    def integer(self):
        return all(isinstance(value, int) for value in self.values)

    def spec(self):
        return {
            "name": self.name,
            "kind": self.kind,
            "label": self.label,
            "values": self.values,
            "limits": self.limits,
            "integer": self.integer,
        }


def _control(name, values, labels, start, limits):
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a list of values, got {describe(values)}")
    values = [_plain(value) for value in values]
    if len(values) < 2:
        raise ValueError(f"{name} must offer at least two values, got {values}")
    if all(isinstance(value, (str, Real)) for value in values) and len(set(values)) < len(values):
        raise ValueError(f"{name} must offer each value once, got {values}")
    if all(isinstance(value, bool) for value in values):
        kind = "switch"
    elif all(isinstance(value, str) for value in values):
        kind = "choice"
    elif all(_is_number(value) for value in values):
        kind = "number"
        if not all(isinstance(value, int) for value in values):
            values = [float(value) for value in values]
        if values != sorted(values):
            raise ValueError(f"{name} must offer its numbers in rising order, got {values}")
    else:
        raise TypeError(
            f"{name} must be a list of finite numbers, of strings, or [False, True], got {values}"
        )
    label = labels.get(name, name)
    if not isinstance(label, str) or not label.strip():
        raise TypeError(f"labels[{name!r}] must be a string to read, got {describe(label)}")
    first = _plain(start.get(name, values[0]))
    if first not in values or isinstance(first, bool) != (kind == "switch"):
        raise ValueError(f"start[{name!r}] must be one of {values}, got {first!r}")
    first = values[values.index(first)]
    control = _Control(name, kind, label, values, first)
    if name in limits:
        control.limits = _range(control, limits[name])
    return control


def _range(control, limits):
    where = f"limits[{control.name!r}]"
    if control.kind != "number":
        raise ValueError(f"{where} must belong to a control over numbers, got {control.values}")
    if not isinstance(limits, (tuple, list)) or len(limits) not in (2, 3):
        raise TypeError(f"{where} must be (low, high) or (low, high, step), got {limits!r}")
    limits = [_plain(limit) for limit in limits]
    wanted = "whole numbers, as its values are" if control.integer else "finite numbers"
    if not all(_is_number(x) and (isinstance(x, int) or not control.integer) for x in limits):
        raise TypeError(f"{where} must hold {wanted}, got {limits}")
    low, high = limits[:2]
    if not low <= control.values[0] < control.values[-1] <= high:
        raise ValueError(f"{where} must reach around the values {control.values}, got {limits}")
    if len(limits) == 3:
        step = limits[2]
        if not 0 < step <= high - low:
            raise ValueError(f"{where} must have a step from 0 to {high - low}, got {step}")
    elif control.integer:
        step = 1
    else:
        step = None if low > 0 and high / low >= 100 else (high - low) / 200
    return low, high, step


def _check_names(draw, names, play, **by_name):
    if not callable(draw):
        raise TypeError(f"draw must be a function, got {describe(draw)}")
    if not names:
        raise TypeError("explore needs at least one control, such as hidden_size=[2, 4, 8]")
    if "explorer" in names:  # in an address it says which figure is meant
        raise ValueError("explorer must not be the name of a control, got explorer=...")
    signature = inspect.signature(draw)
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(
            f"draw must take the controls {_list(names)}, got draw{signature}: {error}"
        ) from None
    for argument, given in by_name.items():
        if not isinstance(given, dict):
            raise TypeError(f"{argument} must be a dict by control, got {describe(given)}")
        if unknown := set(given) - set(names):
            raise ValueError(f"{argument} must name {_list(names)}, got {_list(unknown)}")
    if play is not None and play not in names:
        raise ValueError(f"play must name one of {_list(names)}, got {play!r}")


def _plain(value):
    """Turn a NumPy scalar into the Python value that it holds."""
    if isinstance(value, np.floating):
        return float(str(value))  # as it is written: 0.1, not what a float32 makes of it
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value):
    if isinstance(value, bool) or not isinstance(value, (Integral, Real)):
        return False
    return math.isfinite(value)


class Values(dict):
    """The values of the controls: they are set all at once, ``e.values = {"size": 4}``."""

    def _fixed(self, *args, **kwargs):
        raise TypeError('values cannot be changed in place; set them, as in e.values = {"size": 4}')

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _fixed

    def __reduce__(self):
        return dict, (dict(self),)


def _list(names):
    return ", ".join(sorted(names) if isinstance(names, set) else names)


def matches(value, text):
    """Say whether the text of an address stands for a control's value."""
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, str):
        return text == value
    try:
        return float(text) == value
    except ValueError:
        return False


def share_lines(frames):
    """Write many lists of lines so that what they share is stored once.

    Parameters
    ----------
    frames : list of list of str

    Returns
    -------
    lines : list of str
        A table of lines, in which the first frame stands as it is.
    runs : list of list of int
        For each frame ``[first, count, first, count, ...]``: the stretches of the table
        that make it up.
    """
    lines, places, all_runs = [], {}, []
    first = len(frames[0])
    for frame in frames:
        runs, here, next_shared = [], -1, 0
        for line in frame:
            if here + 1 < len(lines) and lines[here + 1] == line:
                here += 1
            elif len(lines) >= first and line in places:
                # Where this line stands next, seen from the last one shared with the first.
                found = places[line]
                here = found[bisect.bisect_left(found, next_shared) % len(found)]
            else:
                here = len(lines)
                lines.append(line)
                places.setdefault(line, []).append(here)
            if here < first:
                next_shared = here + 1
            if runs and runs[-2] + runs[-1] == here:
                runs[-1] += 1
            else:
                runs += [here, 1]
        all_runs.append(runs)
    return lines, all_runs


if anywidget is not None:

    class Explorer(anywidget.AnyWidget):
        """The widget that `explore` returns.

        Attributes
        ----------
        values : dict
            The value of each control, by name. Setting it redraws the figure; names
            left out keep their value.
        """

        # One script for page and notebook: only a notebook loads it as a module.
        _esm = SCRIPT + "\nexport default { render: rnnbookRender };\n"
        _css = STYLE
        values = traitlets.Dict().tag(sync=True)
        _spec = traitlets.Dict().tag(sync=True)
        _frame = traitlets.Dict().tag(sync=True)

        def __init__(self, figure):
            self._figure = figure
            self._request = None
            fig, alt = figure.drawn(figure.start)
            figure.keep(figure.start, fig, alt)
            figure.check_size()
            if plots.is_static():
                self._bundle = {"text/html": figure.page()}
            else:
                self._bundle = {"image/png": plots.to_png(fig)}
            self._bundle["text/plain"] = figure.describe()
            super().__init__(
                values=figure.start,
                _spec=figure.spec() | {"markup": figure.markup()},
            )
            self.on_msg(self._receive)

        def open(self):
            """Tell the front end about the widget, unless a page is being built."""
            if not plots.is_static():
                super().open()

        def __repr__(self):
            return self._bundle["text/plain"]

        def _repr_mimebundle_(self, **kwargs):
            if "text/html" in self._bundle:
                return self._bundle
            data, metadata = super()._repr_mimebundle_(**kwargs)
            return data | self._bundle, metadata

        @traitlets.validate("values")
        def _check_values(self, proposal):
            return Values(self._figure.checked({**self.values, **proposal["value"]}))

        @traitlets.observe("values")
        def _redraw(self, _change=None):
            answer = self._figure.answer(self.values)
            self._frame = answer | {"values": self.values, "request": self._request}

        def _receive(self, _widget, content, _buffers):
            # A view first asks whether anybody is there, then for frames.
            if "ping" in content:
                self.send({"pong": content["ping"]})
                return
            self._request = content["request"]
            try:
                self.values = content["values"]
            except (TypeError, ValueError) as error:
                self._frame = {"error": str(error), "request": self._request}
            else:
                self._redraw()  # also when the values are those shown already
