"""The way back through a network with tanh, and through programs for it with one slip.

At each step a program makes ``dz`` by its delta line, joins it to what came in, and hands
something on to the step before. The slips are named here and told by each chapter in its
own names. All arrays have a batch: `xs` (N, T, D), `hs` (N, T + 1, H), `ds` (N, T, V).
"""

import itertools

import numpy as np

from .compare import copies

__all__ = [
    "ALONE", "AVERAGED", "BRACKETS", "DH_HANDED_ON", "DH_JOINED", "EARLY", "FIRST_LEFT_OUT",
    "FORWARDS", "LAST_LEFT_OUT", "LATE", "NOT_SUMMED", "NOT_TURNED", "NO_OUTPUT", "NO_SLOPE",
    "PILED_UP", "SHIFTED", "SLOPE_BEFORE", "SLOPE_OF_SIGMOID", "SQUARE_MISSING", "TANH_TWICE",
    "TOO_EARLY", "gradients", "updated_early", "updates",
]  # fmt: skip


def _delta(ds, later, h, h_prev, Wh, Wy):
    """Return dz of a step, and what it hands on to the step before: dz too."""
    dz = (ds @ Wy.T + later @ Wh.T) * (1 - h**2)
    return dz, dz


def gradients(
    xs, hs, ds, Wh, Wy, delta=_delta, order=reversed, steps=slice(None), read=0, spoken=1,
    shifted=False, scale=lambda N, T: 1,
):  # fmt: skip
    """Return dWx, dWh, db, dWy and dby, or those of a program with a slip.

    At step t Wh has read ``hs[:, t + read]``, and Wy ``hs[:, t + spoken]``.
    """
    (N, T, _), before, after = xs.shape, hs[:, :-1], hs[:, 1:]
    dzs, later = np.zeros_like(after), np.zeros((N, len(Wh)))
    for t in order(range(T)):
        dzs[:, t], later = delta(ds[:, t], later, after[:, t], before[:, t], Wh, Wy)
    joined = np.concatenate([dzs[:, 1:], np.zeros_like(dzs[:, :1])], axis=1) if shifted else dzs
    grads = (
        _joined(xs, dzs, steps),
        _joined(hs[:, np.arange(T) + read], joined, steps),
        dzs[:, steps].sum((0, 1)),
        _joined(hs[:, np.arange(T) + spoken], ds, steps),
        ds[:, steps].sum((0, 1)),
    )
    return [scale(N, T) * grad for grad in grads]


def _joined(a, b, steps):
    return np.einsum("nti,ntj->ij", a[:, steps], b[:, steps])


def _sloped(slope):
    """Return a slip: another slope, which may look at both states."""

    def delta(ds, later, h, h_prev, Wh, Wy):
        dz = (ds @ Wy.T + later @ Wh.T) * slope(h, h_prev)
        return dz, dz

    return {"delta": delta}


def _summed(total, kept=lambda dz, dh: (dz, dz)):
    """Return a slip: another sum at the state, or something else that is kept of it."""

    def delta(ds, later, h, h_prev, Wh, Wy):
        dh = total(ds, later, Wh, Wy)
        return kept(dh * (1 - h**2), dh)

    return {"delta": delta}


def _dh(ds, later, Wh, Wy):
    return ds @ Wy.T + later @ Wh.T


def _piled_up(ds, later, h, h_prev, Wh, Wy):
    dz, _ = _delta(ds, later, h, h_prev, Wh, Wy)
    return dz, later + dz


def _grown(ds, later, h, h_prev, Wh, Wy):
    dz, _ = _delta(ds, later, h, h_prev, Wh, Wy)
    return later + dz, later + dz


def _now_sloped(ds, later, h, h_prev, Wh, Wy):
    dz = ds @ Wy.T * (1 - h**2) + later @ Wh.T
    return dz, dz


def _later_sloped(ds, later, h, h_prev, Wh, Wy):
    dz = ds @ Wy.T + later @ Wh.T * (1 - h**2)
    return dz, dz


ALONE = _summed(lambda ds, later, Wh, Wy: ds @ Wy.T)
AVERAGED = {"scale": lambda N, T: 1 / T}, {"scale": lambda N, T: 1 / N}
BRACKETS = {"delta": _now_sloped}, {"delta": _later_sloped}
DH_HANDED_ON = _summed(_dh, lambda dz, dh: (dz, dh))
DH_JOINED = _summed(_dh, lambda dz, dh: (dh, dz))
EARLY = {"spoken": 0}
FIRST_LEFT_OUT = {"steps": slice(1, None)}
FORWARDS = {"order": iter}
LAST_LEFT_OUT = {"order": lambda steps: reversed(steps[:-1]), "steps": slice(None, -1)}
LATE = {"read": 1}
NOT_SUMMED = {"steps": slice(1)}  # with = for += the last word has the first step
NOT_TURNED = (
    _summed(lambda ds, later, Wh, Wy: ds @ Wy.T + later @ Wh),
    _summed(lambda ds, later, Wh, Wy: ds @ Wy.T + later),
)
NO_OUTPUT = _summed(lambda ds, later, Wh, Wy: ds.sum(-1, keepdims=True) + later @ Wh.T)
NO_SLOPE = _sloped(lambda h, _: 1.0)
PILED_UP = {"delta": _piled_up}, {"delta": _grown}
SHIFTED = {"shifted": True}
SLOPE_BEFORE = _sloped(lambda _, h_prev: 1 - h_prev**2)
SLOPE_OF_SIGMOID = _sloped(lambda h, _: h * (1 - h))
SQUARE_MISSING = _sloped(lambda h, _: 1 - h)
TANH_TWICE = _sloped(lambda h, _: 1 - np.tanh(h) ** 2)
TOO_EARLY = {"read": -1}


def updates(function, arguments, weights):
    """Whether a function writes into the weights among its arguments, which `weights` cuts out."""
    handed = copies(arguments)
    function(*handed)
    return not all(map(np.array_equal, handed[weights], arguments[weights]))


_RATES = np.reshape([2, 1, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.001], (-1, 1, 1))


def updated_early(xs, hs, ds, Wh, Wy):
    """Yield the gradients of programs that change weights on the way, for usual rates.

    They change Wh, Wy or both, after they are used or Wy before; by the term of the step,
    or by all that has been added up.
    """
    for by_Wh, by_Wy, first, summed in itertools.product((0, 1), (0, 1), (0, 1), (0, 1)):
        if (by_Wh or by_Wy) and by_Wy >= first:
            walk = _updated_early(xs, hs, ds, Wh, Wy, by_Wh, by_Wy, first, summed)
            yield from zip(*walk, strict=True)


def _updated_early(xs, hs, ds, Wh, Wy, by_Wh, by_Wy, first, summed):
    """Return dWx, dWh, db, dWy and dby for each of the rates."""
    (N, T, D), (H, V), L = xs.shape, Wy.shape, len(_RATES)
    dWx, dWh, dWy = (np.zeros((L, *shape)) for shape in ((D, H), (H, H), (H, V)))
    db, dz = np.zeros((L, H)), np.zeros((L, N, H))
    for t in reversed(range(T)):
        h, h_prev, out = hs[:, t + 1], hs[:, t], ds[:, t]
        dWy += h.T @ out
        changed = Wy - by_Wy * _RATES * (dWy if summed else h.T @ out)
        read = changed if first else Wy + np.zeros((L, 1, 1))
        dz = (out @ read.swapaxes(-1, -2) + dz @ np.swapaxes(Wh, -1, -2)) * (1 - h**2)
        dWx, dWh, db = dWx + xs[:, t].T @ dz, dWh + h_prev.T @ dz, db + dz.sum(1)
        Wy = changed
        Wh = Wh - by_Wh * _RATES * (dWh if summed else h_prev.T @ dz)
    return dWx, dWh, db, dWy, np.broadcast_to(ds.sum((0, 1)), (L, V))
