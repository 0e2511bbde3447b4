"""From a gradient to a step: SGD, Adam, clipping, and one update of a model."""

import functools
import math

import numpy as np

from . import _validate
from .layers import RowGradient

__all__ = ["SGD", "Adam", "clip_gradients", "learn"]

_quiet = np.errstate(over="ignore", invalid="ignore")  # where what comes of it is looked at


def _each(name, value):
    """Check a number above 0, or an array of one for each network."""
    if not isinstance(value, np.ndarray):
        return float(_validate.real(name, value, above=0))
    value = value.astype(float) if value.dtype.kind in "iu" else value
    _validate.floats(name, value, ("R",))
    if not (value > 0).all():
        raise ValueError(f"{name} must be greater than 0 everywhere, got {value.min()}")
    return value.copy()


def _share(name, value):
    """Check a number from 0 to below 1."""
    return float(_validate.real(name, value, minimum=0, below=1))


def _eps(name, value):
    """Check a number above 0."""
    return float(_validate.real(name, value, above=0))


class SGD:
    """Stochastic gradient descent: :math:`\\theta \\leftarrow \\theta - \\eta\\, dL/d\\theta`.

    The minus is the point: the gradient shows the way *up*.

    Parameters
    ----------
    lr : float, or ndarray, shape (R,)
        The learning rate :math:`\\eta`, greater than 0; or one for each of R networks that
        train side by side (see `rnnbook.side_by_side`). It may be changed at any time.
    """

    lr = _validate.Setting(_each)

    def __init__(self, lr):
        self.lr = lr

    @_quiet
    def update(self, params, grads):
        """Take one step, in place, so that every layer sees it.

        All new numbers are found first, and then written: on bad gradients, or where a step
        leads beyond the largest float, nothing has changed.
        """
        _validate.parameters(params, grads, look=False)
        found = []
        for name, param in params.items():
            grad, lr, rows = grads[name], _rate(self.lr, param), ...
            if isinstance(grad, RowGradient):
                rows, grad = grad.ids, grad.rows  # the other rows have no gradient
            new = param[rows] - lr * grad
            _check_step(name, param, grad, new)
            found.append((param, rows, new))
        for param, rows, new in found:
            param[rows] = new


class Adam:
    """Adam: steps scaled by running means of the gradient and of its square.

    .. math:: m \\leftarrow \\beta_1 m + (1 - \\beta_1) g

    .. math:: v \\leftarrow \\beta_2 v + (1 - \\beta_2) g^2

    .. math:: \\theta \\leftarrow \\theta - \\eta\\,
              \\frac{m / (1 - \\beta_1^k)}{\\sqrt{v / (1 - \\beta_2^k)} + \\epsilon}

    at the k-th update. One object serves one set of parameters.

    Parameters
    ----------
    lr : float, or ndarray, shape (R,)
        As for `SGD`.
    beta1, beta2 : float
        How much of the running means survives a step, from 0 to below 1.
    eps : float

    References
    ----------
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    lr = _validate.Setting(_each)
    beta1, beta2 = _validate.Setting(_share), _validate.Setting(_share)
    eps = _validate.Setting(_eps)

    def __init__(self, lr=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.steps, self.m, self.v = 0, {}, {}

    @_quiet
    def update(self, params, grads):
        """Take one step, in place; as with `SGD`, on an error nothing has changed."""
        _validate.parameters(params, grads, look=False)
        kept, kinds = self.m, {name: (p.shape, p.dtype) for name, p in params.items()}
        if kept and {name: (m.shape, m.dtype) for name, m in kept.items()} != kinds:
            raise ValueError(
                "params must be those of the first update, for Adam keeps means for each; "
                f"got {sorted(params)}, first {sorted(kept)}"
            )
        k, ms, vs, found = self.steps + 1, {}, {}, {}
        for name, param in params.items():
            if self.eps < (least := _least_eps(param.dtype, self.beta2)):
                raise ValueError(
                    f"eps must be at least {least:.2g} beside params[{name!r}] of dtype "
                    f"{param.dtype}, for squares of small gradients vanish; got {self.eps}"
                )
            g, lr = np.asarray(grads[name]), _rate(self.lr, param)
            m, v = (self.m[name], self.v[name]) if kept else (np.zeros_like(g),) * 2
            ms[name] = m = m + (1 - self.beta1) * (g - m)
            vs[name] = v = v + (1 - self.beta2) * (g**2 - v)
            m_hat, v_hat = m / (1 - self.beta1**k), v / (1 - self.beta2**k)
            found[name] = param - lr * m_hat / (np.sqrt(v_hat) + self.eps)
            _check_step(name, param, g, found[name], v)
        self.steps, self.m, self.v = k, ms, vs
        for name, param in params.items():
            param[...] = found[name]


@functools.cache
def _least_eps(dtype, beta2):
    """Return the eps that is large beside every gradient whose square vanishes."""
    floats = np.finfo(dtype)
    return float((floats.tiny / (1 - beta2)) ** 0.5 / floats.eps)


def clip_gradients(grads, max_norm):
    """Scale all gradients down, in place, if together they are longer than `max_norm`.

    .. math:: g \\leftarrow g \\cdot \\min\\Big(1, \\frac{c}{\\lVert g \\rVert}\\Big)

    The norm is that of all the arrays as one long vector, so the direction of the step
    stays what it was.

    Parameters
    ----------
    grads : dict of str to ndarray
        What a model's `grads` returns.
    max_norm : float, or ndarray, shape (R,)
        The longest that the gradient may be, c, greater than 0; or that of each of R networks
        side by side, which are clipped each by itself.

    Returns
    -------
    float, or ndarray, shape (R,)
        The norm before clipping.

    Raises
    ------
    TypeError, ValueError
        If a gradient is not an array of finite floats; then none has been changed.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013.
    """
    _validate.named_arrays("grads", grads)
    max_norm, arrays = _each("max_norm", max_norm), []
    for name, grad in grads.items():
        _validate.gradient(f"grads[{name!r}]", grad, getattr(grad, "shape", None))
        array = grad.rows if isinstance(grad, RowGradient) else grad
        arrays.append(_validate.writeable(f"grads[{name!r}]", array))
    _validate.apart("grads", dict(zip(grads, arrays, strict=True)))
    if isinstance(max_norm, float):
        return float(_clip([a[None] for a in arrays], np.array([max_norm]))[0])
    for grad in grads.values():
        _beside(max_norm, "max_norm", grad)
    few = max(1, 2**17 // max(1, sum(a[0].size for a in arrays)))
    norms = np.empty(len(max_norm))
    for start in range(0, len(max_norm), few):  # networks that stay in the processor's cache
        part = slice(start, start + few)
        norms[part] = _clip([a[part] for a in arrays], max_norm[part])
    return norms


def _clip(arrays, max_norms):
    """Clip the gradients of R networks, each array (R, ...), by themselves; return their norms."""

    def beside(numbers, a):  # (R,) -> (R, 1, ...), to meet the entries of a
        return numbers.reshape(-1, *[1] * (a.ndim - 1))

    largest, squares = np.zeros(len(max_norms)), np.zeros(len(max_norms))
    for a in arrays:
        axes = tuple(range(1, a.ndim))
        np.maximum(largest, np.abs(a).max(axis=axes, initial=0), out=largest)
    scale = np.where(largest > 0, largest, 1)  # divided by it, no square overflows or vanishes
    divided = [np.divide(a, beside(scale, a), dtype=float) for a in arrays]
    for a in divided:
        squares += np.square(a).sum(axis=tuple(range(1, a.ndim)))
    lengths = np.sqrt(squares)
    with np.errstate(over="ignore"):  # infinitely long is long
        norms = largest * lengths
    if (long := norms > max_norms).any():
        factors = max_norms / np.where(long, lengths, 1)
        for a, of_a in zip(arrays, divided, strict=True):
            shorter = {"where": beside(long, a), "casting": "same_kind"}
            np.multiply(of_a, beside(factors, a), out=a, **shorter)
    return norms


def _rate(lr, param):
    """Return the learning rate as a number of the parameter's dtype, or one for each network."""
    rate = param.dtype.type(lr) if isinstance(lr, float) else _beside(lr, "lr", param)
    least, largest = (rate, rate) if rate.ndim == 0 else (rate.min(), rate.max())
    if not 0 < least <= largest < np.inf:
        raise ValueError(f"lr must be above 0 and finite as {param.dtype}, got {lr}")
    return rate


def _beside(values, name, param):
    """Return one number for each of R networks, as a parameter wants it."""
    if param.ndim != 3 or len(param) != len(values):
        raise ValueError(
            f"{name} must be a number, or hold one for each of R networks side by side, whose "
            f"arrays are (R, in, out); got {len(values)} of them and an array of shape "
            f"{param.shape}"
        )
    return values.astype(param.dtype)[:, None, None]


def _check_step(name, param, grad, *found):
    """Check that what a step in one parameter leads to is finite; else say why it is not."""
    if all(map(_validate.is_finite, found)):
        return
    _validate.finite(f"params[{name!r}]", param)
    _validate.finite(f"grads[{name!r}]", grad)
    raise ValueError(
        f"params[{name!r}] must stay finite as {param.dtype}, got a gradient of up to "
        f"{np.abs(grad).max():.3g}, too large for this step"
    )


@_quiet
def learn(model, optimizer, batch, max_norm=None):
    """Make one update: loss, gradient, clip, step; return the loss before it, or R losses.

    Raises
    ------
    ValueError
        If a parameter, the loss or a gradient is not finite; then none has been changed.
    """
    try:
        loss = model.forward(*batch)
        if np.ndim(loss) or not math.isfinite(loss):
            _validate.finite("the loss", np.asarray(loss))
        model.backward()
        grads = model.grads
        if max_norm is not None:
            if np.ndim(loss) > np.ndim(max_norm):  # networks side by side: each by itself
                max_norm = np.full(len(loss), float(max_norm))
            clip_gradients(grads, max_norm)
        optimizer.update(model.params, grads)
    except ValueError:
        _validate.all_finite(model.params)  # where that is the cause, it says more
        raise
    return loss if np.ndim(loss) else float(loss)
