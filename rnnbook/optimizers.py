"""From a gradient to a step: SGD, Adam, clipping, and one update of a model."""

import numpy as np

from . import _validate
from .layers import RowGradient

__all__ = ["SGD", "Adam", "clip_gradients", "learn"]


class SGD:
    """Stochastic gradient descent: :math:`\\theta \\leftarrow \\theta - \\eta\\, dL/d\\theta`.

    The minus is the point: the gradient shows the way *up*.

    Parameters
    ----------
    lr : float, or ndarray, shape (R,)
        The learning rate :math:`\\eta`, greater than 0; or one for each of R networks that
        train side by side (see `rnnbook.side_by_side`).
    """

    def __init__(self, lr):
        self.lr = _each("lr", lr)

    def update(self, params, grads):
        """Take one step, in place, so that every layer sees it.

        Everything is checked first: on bad gradients nothing has changed.
        """
        _validate.parameters(params, grads)
        for name, param in params.items():
            grad, lr = grads[name], _beside(self.lr, "lr", param)
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

    def __init__(self, lr=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = _each("lr", lr)
        self.beta1 = _validate.real("beta1", beta1, minimum=0, below=1)
        self.beta2 = _validate.real("beta2", beta2, minimum=0, below=1)
        self.eps = _validate.real("eps", eps, above=0)
        self.steps, self.m, self.v = 0, {}, {}

    def update(self, params, grads):
        """Take one step, in place; on bad gradients nothing has changed."""
        _validate.parameters(params, grads)
        if not self.m:
            self.m = {name: np.zeros_like(param) for name, param in params.items()}
            self.v = {name: np.zeros_like(param) for name, param in params.items()}
        elif {n: m.shape for n, m in self.m.items()} != {n: p.shape for n, p in params.items()}:
            raise ValueError(
                "params must be those of the first update, for Adam keeps means for each; "
                f"got {sorted(params)}, first {sorted(self.m)}"
            )
        self.steps += 1
        for name, param in params.items():
            g, m, v = np.asarray(grads[name]), self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g**2 - v)
            m_hat = m / (1 - self.beta1**self.steps)
            v_hat = v / (1 - self.beta2**self.steps)
            param -= _beside(self.lr, "lr", param) * m_hat / (np.sqrt(v_hat) + self.eps)


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


def _each(name, value):
    """Check a number above 0, or an array of one for each network."""
    if not isinstance(value, np.ndarray):
        return float(_validate.real(name, value, above=0))
    value = value.astype(float) if value.dtype.kind in "iu" else value
    _validate.floats(name, value, ("R",))
    if not (value > 0).all():
        raise ValueError(f"{name} must be greater than 0 everywhere, got {value.min()}")
    return value.copy()


def _beside(value, name, param):
    """Return one number, or one for each of R networks, as a parameter wants it."""
    if isinstance(value, float):
        return param.dtype.type(value)
    if param.ndim != 3 or len(param) != len(value):
        raise ValueError(
            f"{name} must be a number, or hold one for each of R networks side by side, whose "
            f"arrays are (R, in, out); got {len(value)} of them and an array of shape {param.shape}"
        )
    return value.astype(param.dtype)[:, None, None]


def learn(model, optimizer, batch, max_norm=None):
    """Make one update: loss, gradient, clip, step; return the loss before it, or R losses."""
    loss = model.forward(*batch)
    model.backward()
    grads = model.grads
    if max_norm is not None:
        if np.ndim(loss) > np.ndim(max_norm):  # networks side by side: each by itself
            max_norm = np.full(len(loss), float(max_norm))
        clip_gradients(grads, max_norm)
    optimizer.update(model.params, grads)
    return loss if np.ndim(loss) else float(loss)
