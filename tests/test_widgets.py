"""Explorers: what `explore` takes, and what it gives to a page and to a kernel."""

import copy
import functools
import html
import json
import pickle
import re

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest

from rnnbook import plots, widgets

CONTROLS = {
    "size": [2, 8],
    "rate": [0.01, 0.1],
    "kind": ["line", "dots"],
    "noisy": [False, True],
}


def draw(size, rate, kind, noisy):
    fig, ax = plt.subplots()
    y = np.arange(size) * rate + noisy
    ax.plot(y, "-" if kind == "line" else "o", label=f"rate {rate}")
    ax.legend()
    return fig, f"{size} values & {kind} up to {y[-1]:.2f}."


def line(step):
    fig, ax = plt.subplots()
    ax.plot([0, step])
    return fig, f"Up to {step}."


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("RNNBOOK_STATIC", "1")


def page_of(explorer):
    """Return an explorer's HTML, and the data that it carries."""
    bundle = explorer._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    data = re.search(r'<script type="application/json">(.*?)</script>', bundle["text/html"])
    return bundle["text/html"], json.loads(data[1])


@functools.cache
def whole_page():
    """Return the page of all sixteen frames, drawn once for the tests that only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNBOOK_STATIC", "1")
        return page_of(widgets.explore(draw, title="Sizes", **CONTROLS))


def draw_size(size):
    return draw(size, rate=0.01, kind="line", noisy=False)


def frame_of(data, index):
    """Put one frame together, as `explorer.js` does."""
    runs = data["frames"][index]
    spans = zip(runs[::2], runs[1::2], strict=True)
    return "\n".join(line for first, count in spans for line in data["lines"][first:][:count])


# ---- arguments ----


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draw": 3, "step": [1, 2]}, "draw must be a function, got int 3"),
        ({}, "explore needs at least one control"),
        ({"step": [1, 2], "other": [1, 2]}, r"draw must take the controls step, other, got draw\("),
        ({"other": [1, 2]}, r"draw must take the controls other, got draw\(step\)"),
        ({"step": 5}, "step must be a list of values, got int 5"),
        ({"step": "12"}, "step must be a list of values, got str '12'"),
        ({"step": []}, r"step must offer at least two values, got \[\]"),
        ({"step": [1]}, r"step must offer at least two values, got \[1\]"),
        ({"step": [1, 2, 1]}, r"step must offer each value once, got \[1, 2, 1\]"),
        ({"step": [2, 1]}, r"step must offer its numbers in rising order, got \[2, 1\]"),
        ({"step": [1, "2"]}, "step must be a list of finite numbers, of strings, or"),
        ({"step": [1, float("nan")]}, "step must be a list of finite numbers, of strings, or"),
        ({"step": [1, 2], "start": {"step": 3}}, r"start\['step'\] must be one of \[1, 2\], got 3"),
        ({"step": [1, 2], "start": {"step": True}}, r"start\['step'\] must be one of .* got True"),
        ({"step": [1, 2], "start": {"stop": 1}}, "start must name step, got stop"),
        ({"step": [1, 2], "start": 1}, "start must be a dict by control, got int 1"),
        ({"step": [1, 2], "labels": {"stop": "x"}}, "labels must name step, got stop"),
        ({"step": [1, 2], "labels": {"step": ""}}, r"labels\['step'\] must be a string to read"),
        ({"step": [1, 2], "limits": {"stop": (1, 2)}}, "limits must name step, got stop"),
        ({"step": [1, 2], "limits": {"step": 5}}, r"limits\['step'\] must be \(low, high\) or"),
        ({"step": [1, 2], "limits": {"step": (2, 9)}}, r"must reach around the values \[1, 2\]"),
        ({"step": [1, 2], "limits": {"step": (1, 2.5)}}, r"limits\['step'\] must hold whole numb"),
        ({"step": [1, 2], "limits": {"step": (1, 9, 0)}}, "must have a step from 0 to 8, got 0"),
        ({"step": ["a", "b"], "limits": {"step": (1, 9)}}, "belong to a control over numbers"),
        ({"step": [1, 2], "play": "stop"}, "play must name one of step, got 'stop'"),
        ({"step": [1, 2], "title": ""}, "title must be a string that is not empty, got str ''"),
        ({"step": [1, 2], "name": 3}, "name must be a string that is not empty, got int 3"),
        ({"step": range(701)}, r"at most 700 frames, got 701 \(701\); one frame takes \d+ kB, all"),
    ],
)
def test_what_is_of_no_use_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        widgets.explore(**{"draw": line} | arguments)


def test_a_name_that_addresses_need_is_refused():
    with pytest.raises(ValueError, match="explorer must not be the name of a control"):
        widgets.explore(lambda explorer: line(explorer), explorer=[1, 2])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, r"draw must return \(figure, alt\), got NoneType None"),
        (("figure", "alt"), "draw's figure must be a matplotlib Figure, got str 'figure'"),
        ((plt.Figure(), 3), "draw's alt must be a string saying what is shown, got int 3"),
        ((plt.Figure(), " "), "draw's alt must say what is shown, got an empty string"),
    ],
)
def test_what_draw_returns_is_checked(result, message):
    with pytest.raises((TypeError, ValueError), match=message):
        widgets.explore(lambda step: result, step=[1, 2])


def test_a_grid_too_heavy_for_a_page_is_refused(static, monkeypatch):
    monkeypatch.setattr(widgets, "MAX_BYTES", 3000)
    with pytest.raises(ValueError, match=r"at most 3,000 bytes on the page, got \d+,\d+ in 2 fra"):
        widgets.explore(line, step=[1, 2])


@pytest.mark.parametrize(
    ("values", "limits", "spec"),
    [
        ([1, 4], (1, 9), (1, 9, 1)),
        ([1, 4], (0, 9, 3), (0, 9, 3)),
        ([0.5, 1], (0, 2), (0, 2, 0.01)),
        ([0.1, 1], (0.01, 1), (0.01, 1, None)),  # two decades: evenly in the logarithm
        ([1.0, 100], (1, 100), (1, 100, None)),
        ([1.0, 99], (1, 99), (1, 99, 0.49)),
        ([1, 100], (1, 100), (1, 100, 1)),  # whole numbers go by ones
        ([0.0, 100], (0, 100), (0, 100, 0.5)),  # zero has no logarithm
        ([-1.0, 1], (-1, 1, 0.5), (-1, 1, 0.5)),
    ],
)
def test_limits_get_a_step_that_suits_them(values, limits, spec):
    explorer = widgets.explore(line, step=values, limits={"step": limits})
    assert explorer._spec["controls"][0]["limits"] == spec


# ---- text ----


def test_the_repr_says_what_there_is_and_what_it_shows():
    explorer = widgets.explore(draw, title="Sizes", start={"rate": 0.1}, **CONTROLS)
    assert repr(explorer) == (
        'Explorer "Sizes": size in [2, 8], rate in [0.01, 0.1], kind in '
        "['line', 'dots'], noisy in [False, True]. At start: 2 values & line up to 0.10."
    )


def test_numpy_values_become_those_of_python():
    explorer = widgets.explore(line, step=np.array([1, 2]), start={"step": np.int64(2)})
    assert repr(explorer) == "Explorer: step in [1, 2]. At start: Up to 2."
    assert type(explorer.values["step"]) is int
    explorer = widgets.explore(line, step=np.float32([0.5, 1]))
    assert explorer.values == {"step": 0.5}
    explorer.values = {"step": np.float32(1)}
    assert type(explorer.values["step"]) is float


@pytest.mark.parametrize(
    ("title", "name", "expected"),
    [
        ("The apple shop!", None, "the-apple-shop"),
        ("The apple shop!", "apples", "apples"),
        (None, None, "figure"),
        ("사과 가게", None, "사과-가게"),
    ],
)
def test_an_explorer_has_a_name_for_addresses(title, name, expected):
    explorer = widgets.explore(line, step=[1, 2], title=title, name=name)
    assert explorer._spec["name"] == expected


# ---- a page ----


def test_the_page_carries_every_frame():
    _, data = whole_page()
    assert len(data["frames"]) == len(data["alts"]) == 16
    index = 0
    for size in CONTROLS["size"]:
        for rate in CONTROLS["rate"]:
            for kind in CONTROLS["kind"]:
                for noisy in CONTROLS["noisy"]:
                    with plt.rc_context(plots.STYLE):
                        fig, alt = draw(size, rate, kind, noisy)
                    assert data["alts"][index] == alt
                    assert frame_of(data, index) == plots.to_svg(fig, "explorer-sizes")
                    plt.close(fig)
                    index += 1


def test_the_first_frame_shows_without_javascript(static):
    explorer = widgets.explore(draw_size, title="Sizes & <rates>", start={"size": 8}, size=[2, 8])
    page, data = page_of(explorer)
    before = page[: page.index("<script")]
    assert frame_of(data, data["alts"].index("8 values & line up to 0.07.")) in before
    assert before.count(html.escape("8 values & line up to 0.07.")) == 2  # label, description
    assert "Sizes &amp; &lt;rates&gt;" in before
    assert not re.search("<(input|select|button)", before)


def test_data_cannot_end_its_script(static):
    def spoken(text):
        fig, ax = plt.subplots()
        ax.set_title(text)
        return fig, text

    page, data = page_of(widgets.explore(spoken, text=["</script><b>", "<!-- <script>"]))
    assert data["alts"] == ["</script><b>", "<!-- <script>"]
    assert page.count("</script") == 1


def test_what_frames_share_is_stored_once():
    page, data = whole_page()
    separately = sum(len(frame_of(data, index)) for index in range(16))
    assert len(page) < separately / 2


def test_equal_frames_cost_nothing():
    lines, runs = widgets.share_lines([["a", "b", "a"], ["a", "b", "a"], ["b", "c", "a", "a"]])
    assert lines == ["a", "b", "a", "c"]
    assert runs == [[0, 3], [0, 3], [1, 1, 3, 1, 2, 1, 0, 1]]


def test_the_page_is_the_same_each_time(static):
    again, _ = page_of(widgets.explore(draw, title="Sizes", **CONTROLS))
    assert again == whole_page()[0]


def test_each_state_is_drawn_once(static):
    calls = []

    def counted(step):
        calls.append(step)
        return line(step)

    widgets.explore(counted, step=[1, 2, 3], start={"step": 2})
    assert sorted(calls) == [1, 2, 3]


def test_two_explorers_of_a_page_share_no_id(static):
    pages = [page_of(widgets.explore(draw_size, title=t, size=[2, 8]))[0] for t in "AB"]
    ids = [set(re.findall(r'\bid=\\?"([^"\\]+)', page)) for page in pages]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("#step=3", r"the url '#step=3' must set \[1, 2\], got step=3"),
        ("#step=1&size=2", "the url '#step=1&size=2' must set step, got size=2"),
        ("#step=", r"the url '#step=' must set \[1, 2\], got step="),
    ],
)
def test_a_part_that_sets_what_is_not_there_is_refused(static, url, message):
    def linked(step):
        fig, ax = plt.subplots()
        ax.plot([0, step], url="#step=2")
        ax.text(0, 0, "here", url=url)
        return fig, f"Up to {step}."

    with pytest.raises(ValueError, match=message):
        widgets.explore(linked, step=[1, 2])._repr_mimebundle_()


def test_an_error_of_draw_fails_the_build(static):
    def broken(step):
        return line(1 / step)

    with pytest.raises(ZeroDivisionError):
        widgets.explore(broken, step=[-1, 0, 1])


# ---- a kernel ----


def test_a_kernel_draws_one_frame_and_gives_it_as_png():
    calls = []

    def counted(step):
        calls.append(step)
        return line(step)

    explorer = widgets.explore(counted, step=[1, 2, 3], start={"step": 2})
    data, _ = explorer._repr_mimebundle_()
    assert calls == [2]
    assert data.keys() == {
        "text/plain",
        "image/png",
        "application/vnd.jupyter.widget-view+json",
    }
    assert data["text/plain"] == "Explorer: step in [1, 2, 3]. At start: Up to 2."
    assert plt.get_fignums() == []


@pytest.fixture
def explorer():
    return widgets.explore(
        draw, limits={"size": (1, 20), "rate": (0.001, 1)}, title="Sizes", **CONTROLS
    )


def test_values_can_be_read_set_and_observed(explorer):
    seen = []
    explorer.observe(lambda change: seen.append(change.new["size"]), "values")
    assert explorer.values == {"size": 2, "rate": 0.01, "kind": "line", "noisy": False}
    explorer.values = {"size": 7}
    assert explorer.values == {"size": 7, "rate": 0.01, "kind": "line", "noisy": False}
    assert seen == [7]
    assert explorer._frame["alt"] == "7 values & line up to 0.06."
    assert explorer._frame["values"] == explorer.values


def test_explorers_can_be_linked_and_boxed(explorer):
    other = widgets.explore(draw, limits={"size": (1, 20)}, title="Other", **CONTROLS)
    box = ipywidgets.VBox([explorer, other])
    ipywidgets.link((explorer, "values"), (other, "values"))
    explorer.values = {"size": 13, "kind": "dots"}
    assert other._frame["alt"] == "13 values & dots up to 0.12."
    assert box.children == (explorer, other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sizes": 3}, "values must name size, rate, kind, noisy, got sizes"),
        ({"size": 21}, "size must be from 1 to 20, got 21"),
        ({"size": 2.5}, "size must be a whole number, got 2.5"),
        ({"size": True}, "size must be a number, got bool True"),
        ({"size": "3"}, "size must be a number, got str '3'"),
        ({"rate": float("nan")}, "rate must be a number, got float nan"),
        ({"rate": 0.0}, "rate must be from 0.001 to 1, got 0.0"),
        ({"kind": "other"}, r"kind must be one of \['line', 'dots'\], got 'other'"),
        ({"noisy": 1}, r"noisy must be one of \[False, True\], got 1"),
    ],
)
def test_values_beyond_the_limits_are_refused(explorer, values, message):
    before = explorer.values
    with pytest.raises((TypeError, ValueError), match=message):
        explorer.values = values
    assert explorer.values == before


def ask(explorer, **content):
    """Send what a view sends; return what it gets back."""
    heard = []
    explorer.send = heard.append
    explorer._handle_custom_msg(content, [])
    return heard


def test_a_view_hears_whether_a_kernel_is_there(explorer):
    assert ask(explorer, ping="me") == [{"pong": "me"}]


def test_a_view_gets_the_frame_it_asks_for(explorer):
    for request, values in enumerate([{"size": 5}, {"size": 5}, {"size": 6, "noisy": True}]):
        ask(explorer, request=request, values=values)
        assert explorer._frame["request"] == request
        with plt.rc_context(plots.STYLE):
            fig, alt = draw(**explorer.values)
        assert explorer._frame["alt"] == alt
        assert explorer._frame["svg"] == plots.to_svg(fig, "explorer-sizes")
        plt.close(fig)


def test_a_view_gets_a_refusal_it_can_show(explorer):
    ask(explorer, request=1, values={"size": 99})
    assert explorer._frame == {"error": "size must be from 1 to 20, got 99", "request": 1}


def test_a_view_gets_the_error_of_draw():
    def broken(step):
        return line(1 / step)

    explorer = widgets.explore(broken, step=[-1, 0, 1])
    ask(explorer, request=1, values={"step": 0})
    assert re.fullmatch(
        r"ZeroDivisionError: division by zero \(line \d+ of broken\)", explorer._frame["error"]
    )
    ask(explorer, request=2, values={"step": 1})
    assert explorer._frame["alt"] == "Up to 1.0."


def test_page_kernel_and_browser_draw_the_same(explorer, static, monkeypatch):
    _, data = whole_page()
    monkeypatch.setattr(widgets, "anywidget", None)
    browser = widgets.explore(draw, title="Sizes", **CONTROLS)
    assert widgets.in_browser == {"sizes": browser}
    values = {"size": 8, "rate": 0.1, "kind": "dots", "noisy": True}
    ask(explorer, request=1, values=values)
    answer = browser.answer(values)
    assert answer == {"svg": explorer._frame["svg"], "alt": explorer._frame["alt"]}
    assert answer == {"svg": frame_of(data, 15), "alt": data["alts"][15]}


def test_the_figures_kept_are_not_without_end(monkeypatch):
    monkeypatch.setattr(widgets, "MAX_FRAMES", 3)
    explorer = widgets.explore(line, step=[1, 2], limits={"step": (1, 99)})
    for step in range(3, 9):
        explorer.values = {"step": step}
    assert len(explorer._figure._frames) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.__setitem__("size", 8),
        lambda values: values.update(size=8),
        lambda values: values.pop("size"),
        lambda values: values.clear(),
        lambda values: values.__ior__({"size": 8}),
    ],
)
def test_values_are_set_as_a_whole_and_not_in_place(change):
    explorer = widgets.explore(draw, **CONTROLS)
    for _ in range(2):
        before = dict(explorer.values)
        with pytest.raises(TypeError, match="values cannot be changed in place; set them"):
            change(explorer.values)
        assert explorer.values == before
        explorer.values = {"size": 8}
    assert copy.deepcopy(explorer.values) == pickle.loads(pickle.dumps(explorer.values))
    assert json.loads(json.dumps(explorer.values)) == explorer.values


def test_numbers_of_float32_are_shown_as_they_are_written():
    explorer = widgets.explore(line, step=np.float32([0.1, 0.7]), limits={"step": (0.1, 0.7)})
    assert repr(explorer).startswith("Explorer: step in [0.1, 0.7].")
    explorer.values = {"step": np.float32(0.7)}
    assert explorer.values == {"step": 0.7}


def test_values_that_are_arrays_are_refused_by_name():
    with pytest.raises(TypeError, match="step must be a list of finite numbers"):
        widgets.explore(line, step=np.ones((2, 2)))


def test_a_name_without_letters_names_no_figure():
    assert widgets.Figure(line, [], "!!!", None, None).name == "figure"
