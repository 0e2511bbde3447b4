"""From a gradient to a step: SGD, Adam, clipping, and one update of a model."""

import functools
import math

import numpy as np

from . import _validate
from .layers import RowGradient

__all__ = ["SGD", "Adam", "clip_gradients", "learn"]

_LARGEST = {np.dtype(kind): float(np.finfo(kind).max) for kind in (np.float32, np.float64)}


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

    def update(self, params, grads):
        """Take one step, in place, so that every layer sees it.

        Everything is checked first: on bad gradients, or where a step would lead beyond the
        largest float, nothing has changed.
        """
        _validate.parameters(params, grads, look=False)
        steps = [(param, grads[name], _rate(self.lr, param)) for name, param in params.items()]
        fastest = _fastest(self.lr)
        for name, step in zip(params, steps, strict=True):
            param, grad, _ = step
            if not _length(param) + fastest * _length(grad) < _LARGEST[param.dtype]:
                _try_out(name, self._step, step)
        for step in steps:
            self._step(*step)

    @staticmethod
    def _step(param, grad, lr):
        if isinstance(grad, RowGradient):
            param[grad.ids] -= lr * grad.rows  # the other rows have no gradient
        else:
            param -= lr * grad


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

    def update(self, params, grads):
        """Take one step, in place; as with `SGD`, on an error nothing has changed."""
        _validate.parameters(params, grads, look=False)
        kinds = {name: (p.shape, p.dtype) for name, p in params.items()}
        if self.m and {name: (m.shape, m.dtype) for name, m in self.m.items()} != kinds:
            raise ValueError(
                "params must be those of the first update, for Adam keeps means for each; "
                f"got {sorted(params)}, first {sorted(self.m)}"
            )
        ms, vs = (
            kept or {name: np.zeros_like(param) for name, param in params.items()}
            for kept in (self.m, self.v)
        )
        k, steps, fastest = self.steps + 1, [], _fastest(self.lr)
        for name, param in params.items():
            if self.eps < (least := _least_eps(param.dtype, self.beta2)):
                raise ValueError(
                    f"eps must be at least {least:.2g} beside params[{name!r}] of dtype "
                    f"{param.dtype}, for squares of small gradients vanish; got {self.eps}"
                )
            g, m, v, lr = np.asarray(grads[name]), ms[name], vs[name], _rate(self.lr, param)
            steps.append(step := (param, g, m, v, lr, k))
            long = _length(g)
            farthest = fastest * (_length(m) + long) / ((1 - self.beta1**k) * self.eps)
            if not _length(param) + farthest + _length(v) + long * long < _LARGEST[param.dtype]:
                _try_out(name, self._step, step)
        for step in steps:
            self._step(*step)
        self.steps, self.m, self.v = k, ms, vs

    def _step(self, param, g, m, v, lr, k):
        m += (1 - self.beta1) * (g - m)
        v += (1 - self.beta2) * (g**2 - v)
        m_hat = m / (1 - self.beta1**k)
        v_hat = v / (1 - self.beta2**k)
        param -= lr * m_hat / (np.sqrt(v_hat) + self.eps)


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


def _fastest(lr):
    return lr if isinstance(lr, float) else float(lr.max())


def _rate(lr, param):
    """Return the learning rate as a number of the parameter's dtype, or one for each network."""
    alone = isinstance(lr, float)
    if _fastest(lr) <= _LARGEST[param.dtype]:
        rate = param.dtype.type(lr) if alone else _beside(lr, "lr", param)
        if (rate if alone else rate.min()) > 0:
            return rate
    raise ValueError(f"lr must be above 0 and finite as {param.dtype}, got {lr}")


def _beside(values, name, param):
    """Return one number for each of R networks, as a parameter wants it."""
    if param.ndim != 3 or len(param) != len(values):
        raise ValueError(
            f"{name} must be a number, or hold one for each of R networks side by side, whose "
            f"arrays are (R, in, out); got {len(values)} of them and an array of shape "
            f"{param.shape}"
        )
    return values.astype(param.dtype)[:, None, None]


def _length(array):
    """Return the length of all numbers of an array as one vector; NaN or infinite if one is."""
    array = array.rows if isinstance(array, RowGradient) else array
    flat = array.ravel("K")
    return float(np.vdot(flat, flat)) ** 0.5


def _try_out(name, take, step):
    """Take a step in one parameter on copies; if it ends in NaN or infinity, say why.

    For a step that no bound shows to be safe.
    """
    param, grad, *_ = step
    tried = [part.copy() if isinstance(part, np.ndarray) else part for part in step]
    with np.errstate(over="ignore", invalid="ignore"):
        take(*tried)
    if all(_validate.is_finite(part) for part in tried if isinstance(part, np.ndarray)):
        return
    _validate.finite(f"params[{name!r}]", param)
    grad = _validate.finite(f"grads[{name!r}]", np.asarray(grad))
    raise ValueError(
        f"params[{name!r}] must stay finite as {param.dtype}, got a gradient of up to "
        f"{np.abs(grad).max():.3g}, too large for this step"
    )


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
