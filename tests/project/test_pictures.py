"""Pictures that look alike and pictures that do not: what rounding does, and what is seen."""

import base64
import io
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pictures
import pytest
from PIL import Image

from rnnbook import plots

LINES = [(lw, color) for lw in (1, 2.5) for color in (*plots.OKABE_ITO, plots.GREY)]
MARKERS = [(marker, ms) for marker in "os^x+*" for ms in (4, 6)]


def curve(across=0.0, up=0.0, noise=0.0, without=None, marker="", ms=6, **line):
    """Draw a curve moved by so many pixels, each point by so many more, without one marker."""
    with plt.rc_context(plots.STYLE | {"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(3, 2.25))
    ax = fig.add_axes([0.1, 0.15, 0.85, 0.8])
    box = ax.get_window_extent().transformed(fig.dpi_scale_trans.inverted())
    ax.set(xlim=(0, 96 * box.width), ylim=(0, 96 * box.height))
    x = np.linspace(20, 220, 30)
    y = 80 + 50 * np.sin(x / 30) + noise * np.random.default_rng(0).standard_normal(30)
    ax.plot(x + across, y + up, **line)
    if marker:
        kept = np.arange(30) % 3 == 0
        kept[without] = False
        ax.plot(x[kept] + across, y[kept] + up + 20, marker, ms=ms)
    ax.text(100, 10, "0.25")
    return plots.to_png(closed(fig))


def label(text, **style):
    with plt.rc_context(plots.STYLE | {"figure.constrained_layout.use": False}):
        fig = plt.figure(figsize=(2, 1))
        fig.text(0.3, 0.4, text, **style)
    return plots.to_png(closed(fig))


def closed(fig):
    plt.close(fig)
    return fig


def assert_different(one, other):
    assert "pixels look different" in pictures.difference(one, other)
    assert pictures.difference(other, one) == pictures.difference(one, other)


def assert_alike(one, other):
    assert pictures.difference(one, other) == pictures.difference(other, one) == ""


@pytest.mark.parametrize("move", [(2, 0), (0, -2), (1.5, 1.5)])
@pytest.mark.parametrize(("lw", "color"), LINES)
def test_a_curve_two_pixels_away_is_seen(lw, color, move):
    assert_different(curve(lw=lw, color=color), curve(*move, lw=lw, color=color))


@pytest.mark.parametrize(("lw", "color"), LINES)
def test_rounding_in_a_line_is_not_seen(lw, color):
    still = curve(lw=lw, color=color, marker="o")
    assert_alike(still, curve(0.02, 0.02, lw=lw, color=color, marker="o"))
    moved = curve(noise=0.02, lw=lw, color=color, marker="o")
    assert still != moved
    assert_alike(still, moved)


@pytest.mark.parametrize("size", [11, 12])
@pytest.mark.parametrize("color", [plots.INK, plots.GREY, plots.SKY])
def test_another_digit_is_seen(size, color):
    texts = [f"0.{digit}" for digit in range(10)] + ["-0.1", "0,1", "01", "1.0"]
    drawn = [label(text, fontsize=size, color=color) for text in texts]
    for one, other in combinations(drawn, 2):
        assert_different(one, other)


@pytest.mark.parametrize("lw", [1, 2])
def test_another_colour_or_style_is_seen(lw):
    drawn = [curve(lw=lw, color=color) for color in (*plots.OKABE_ITO, plots.GREY)]
    drawn += [curve(lw=lw, color=plots.BLUE, ls=ls) for ls in ("--", "-.", ":")]
    for one, other in combinations(drawn, 2):
        assert_different(one, other)


@pytest.mark.parametrize(("marker", "ms"), MARKERS)
def test_a_missing_marker_is_seen(marker, ms):
    whole = curve(lw=1, marker=marker, ms=ms)
    assert_different(whole, curve(lw=1, marker=marker, ms=ms, without=12))


def test_another_size_is_said():
    wide, high = (plots.to_png(closed(plt.figure(figsize=figsize))) for figsize in ((3, 2), (2, 3)))
    assert pictures.difference(wide, high) == "192 x 288 pixels, and stored are 288 x 192"


def test_each_pixel_rounded_otherwise_is_not_seen(monkeypatch):
    rng, savefig = np.random.default_rng(0), plt.Figure.savefig

    def many_colours():
        fig, ax = plt.subplots(1, 2, figsize=(4, 2))
        ax[0].imshow(np.sin(np.arange(81)).reshape(9, 9), cmap="cividis")
        ax[1].plot(np.sin(np.arange(120)).reshape(20, 6))
        return plots.to_png(closed(fig))

    def rounded_otherwise(figure, file, **options):
        savefig(figure, file, **options)
        pixels = np.array(Image.open(file).convert("RGB"), int)
        pixels = (pixels + rng.integers(-1, 2, pixels.shape)).clip(0, 255)
        file.seek(0)
        Image.fromarray(pixels.astype(np.uint8)).save(file, "png")

    still = many_colours()
    monkeypatch.setattr(plt.Figure, "savefig", rounded_otherwise)
    assert still != many_colours()
    assert_alike(still, many_colours())


def test_the_colours_of_a_picture_are_kept_to_half_a_shade():
    fig = plt.figure(figsize=(2, 1), facecolor="white")
    fig.patches.append(plt.Rectangle((0, 0), 1, 1, color=plots.BLUE, transform=fig.transFigure))
    picture = Image.open(io.BytesIO(base64.b64decode(plots.to_png(closed(fig)))))
    colour = np.array(picture.convert("RGB").getpixel((50, 50)))
    assert np.abs(colour - [0x00, 0x72, 0xB2]).max() <= 8
