"""The functions that the layers are built from, each safe for any finite input."""

import numpy as np

from . import _validate

__all__ = [
    "cross_entropy",
    "log_sum_exp",
    "losses_and_exponentials",
    "one_hot",
    "perplexity",
    "sigmoid",
    "softmax",
    "unchecked_sigmoid",
]


def sigmoid(x):
    """Squash every number into the interval from 0 to 1.

    .. math:: \\sigma(x) = \\frac{1}{1 + e^{-x}} = \\frac{e^{x}}{1 + e^{x}}

    The two forms are equal. The code uses, for each entry, the one whose exponent
    is not positive, so nothing overflows and small values keep all their digits.

    Parameters
    ----------
    x : float or ndarray, any shape

    Returns
    -------
    float or ndarray, the shape and dtype of `x`

    Raises
    ------
    TypeError, ValueError
        If `x` is not floating point, or not finite.
    """
    return unchecked_sigmoid(_validate.number_or_floats("x", x))


def unchecked_sigmoid(x):
    """Return `sigmoid` of what is known to be finite, for the loops that need it often."""
    e = np.exp(-np.abs(x))  # at most 1
    return np.maximum(x >= 0, e) / (1 + e)


def log_sum_exp(x):
    """Return the logarithm of the sum of exponentials along the last axis.

    .. math:: \\ln \\sum_j e^{x_j} = m + \\ln \\sum_j e^{x_j - m}, \\qquad m = \\max_j x_j

    Parameters
    ----------
    x : ndarray, shape (..., C)

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    TypeError, ValueError
        If `x` is not an array of finite floats with a last axis of at least one entry.
    """
    _check_scores(x)
    m, _, total = _exponentials(x)
    return m + np.log(total)


def softmax(x):
    """Turn the scores on the last axis into probabilities.

    .. math:: y_i = \\frac{e^{x_i}}{\\sum_j e^{x_j}} = \\frac{e^{x_i - m}}{\\sum_j e^{x_j - m}},
              \\qquad m = \\max_j x_j

    Parameters
    ----------
    x : ndarray, shape (..., C)
        Scores. Only the last axis is normalised, whatever the number of axes.

    Returns
    -------
    ndarray, shape (..., C)
        Probabilities; each row sums to 1.

    Raises
    ------
    TypeError, ValueError
        If `x` is not an array of finite floats with a last axis of at least one entry.
    """
    _check_scores(x)
    _, e, total = _exponentials(x)
    return e / total[..., None]


def cross_entropy(x, t):
    """Return the mean cross-entropy between scores and true classes, in nats per example.

    .. math:: L = \\frac{1}{N} \\sum_n \\Big( \\ln \\sum_j e^{x_{nj}} - x_{n t_n} \\Big)

    Working on scores instead of probabilities avoids the logarithm of a zero.

    Parameters
    ----------
    x : ndarray, shape (N, C) or (C,)
        Scores. A single example of shape ``(C,)`` counts as N = 1.
    t : ndarray
        True classes: integer labels of shape ``(N,)`` (or ``()``), or one-hot rows
        with the shape of `x`. The number of axes decides which, so the two are never
        confused, not even when N = C.

    Returns
    -------
    float
        The dtype is that of `x`.

    Raises
    ------
    TypeError, ValueError
        If the scores are not finite floats, or the labels do not fit them.
    """
    _validate.floats("x", x, None)
    if x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(f"x must have shape (N, C) or (C,) and not be empty, got {x.shape}")
    losses, _, _ = losses_and_exponentials(x, _validate.labels("t", t, x.shape))
    return (losses / losses.size).sum()  # the sum alone might overflow


def losses_and_exponentials(x, t):
    """Return the loss of every row of scores, in nats, and what its softmax is made of.

    For the loss layers, which need both. It checks nothing.

    Parameters
    ----------
    x : ndarray, shape (..., C)
    t : ndarray, shape (...)
        Integer labels.

    Returns
    -------
    losses : ndarray, shape (...)
    e : ndarray, shape (..., C)
        The exponentials :math:`e^{x_j - m}`.
    total : ndarray, shape (...)
        Their sums. The softmax is e divided by total.
    """
    m, e, total = _exponentials(x)
    of_true_class = x.reshape(t.size, -1)[np.arange(t.size), t.ravel()].reshape(t.shape)
    with np.errstate(over="ignore"):
        losses = np.log(total) - (of_true_class - m)
    return losses, e, total


def perplexity(loss):
    """Return the perplexity of a language model, :math:`e^L`.

    A model that is as unsure as if it chose among k equally likely tokens at every
    step has the perplexity k.

    Parameters
    ----------
    loss : float or ndarray
        The mean loss :math:`L` in nats per token, not negative.

    Returns
    -------
    float or ndarray
        From 1 upwards; infinite where the exponential is beyond the largest float.

    Raises
    ------
    TypeError, ValueError
        If `loss` is not floating point, not finite, or negative.
    """
    loss = _validate.number_or_floats("loss", loss)
    if np.min(loss, initial=0) < 0:
        raise ValueError(f"loss must not be negative, got {np.min(loss)}")
    with np.errstate(over="ignore"):
        return np.exp(loss)


def _exponentials(x):
    """Return the maximum m of each row, e^(x - m), and the sum of the latter."""
    rows = x.reshape(-1, x.shape[-1])
    m, total, e = np.empty(len(rows), x.dtype), np.empty(len(rows), x.dtype), np.empty_like(rows)
    ones = np.ones(rows.shape[1], x.dtype)
    few = max(1, 2**17 // rows.shape[1])  # rows that stay in the processor's cache
    with np.errstate(over="ignore"):  # may reach -inf, and exp(-inf) = 0 is right
        for start in range(0, len(rows), few):
            part = slice(start, start + few)
            rows[part].max(axis=1, out=m[part])
            np.subtract(rows[part], m[part, None], out=e[part])
            np.exp(e[part], out=e[part])
            np.dot(e[part], ones, out=total[part])  # (few, C) @ (C,) -> (few,), a fast sum
    return m.reshape(x.shape[:-1]), e.reshape(x.shape), total.reshape(x.shape[:-1])


def _check_scores(x):
    _validate.floats("x", x, None)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"x must have shape (..., C) and not be empty, got {x.shape}")


def one_hot(t, size, *, dtype=np.float64):
    """Turn labels of shape (...), an array or nested lists, into one-hot rows (..., size)."""
    size = _validate.integer("size", size, minimum=1)
    t = _validate.indices("t", t, None, size=size)
    rows = np.zeros((*t.shape, size), _validate.float_dtype("dtype", dtype))
    np.put_along_axis(rows, t[..., None], 1, axis=-1)
    return rows
