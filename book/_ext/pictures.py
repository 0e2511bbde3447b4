"""Whether two stored pictures look alike, for what is stored and for the tests alike.

Rounding moves a line by a thousandth of a pixel, and a marker that stood between two
pixels to the other of them. So a pixel counts as different only when its colour lies
outside the range of the colours that the other picture has there, one pixel above and
below, and one to the left and right, and by so much that it is seen.
"""

import base64
import io

import numpy as np
from PIL import Image

SEEN = 40  # of 255; the rounding of colours in `plots.to_png` may give up to 17


def difference(stored, drawn):
    """Say in words where two PNGs in base64 look different; return "" if they look alike."""
    if stored == drawn:
        return ""
    stored, drawn = (
        np.array(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"), int)
        for picture in (stored, drawn)
    )
    if stored.shape != drawn.shape:
        sizes = *drawn.shape[1::-1], *stored.shape[1::-1]
        return "{} x {} pixels, and stored are {} x {}".format(*sizes)
    y, x = np.nonzero((outside(stored, drawn) > SEEN) | (outside(drawn, stored) > SEEN))
    if not len(x):
        return ""
    return f"{len(x)} pixels look different, from ({x.min()}, {y.min()}) to ({x.max()}, {y.max()})"


def outside(picture, other):
    """Return how far each pixel lies outside the colours of the other there and beside it."""
    padded = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across, down = padded[1:-1], padded[:, 1:-1]
    around = [other, across[:, :-2], across[:, 2:], down[:-2], down[2:]]
    low, high = np.min(around, axis=0), np.max(around, axis=0)
    return np.maximum(low - picture, picture - high).max(axis=2)
