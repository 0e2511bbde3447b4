"""Layers: each remembers its forward pass and turns an upstream gradient into its own.

All of them follow one protocol. ``forward`` computes the output and keeps what
``backward`` will need. ``backward(dout)`` takes the derivative of the loss with
respect to the output and returns the derivative with respect to the input; the
derivatives of the layer's own parameters land in ``grads``, under the names of
``params``. ``backward`` writes neither into its argument nor into what was kept,
so it may be called again. A second ``forward`` replaces what was kept.
"""

import numpy as np

from . import _validate
from .functions import cross_entropy, sigmoid, softmax

__all__ = [
    "AddLayer",
    "Affine",
    "Embedding",
    "MulLayer",
    "Parameters",
    "ReLU",
    "Sigmoid",
    "SoftmaxWithLoss",
    "Tanh",
]


class Parameters(dict):
    """Named parameter arrays that cannot come loose from their layers.

    A layer and an optimiser share the arrays in here. ``params[name] = value`` writes
    the numbers *into* the shared array instead of putting another array in its place,
    so both ``params[name] -= step`` and ``params[name] = params[name] - step`` train
    the layer. Names cannot be added or removed.
    """

    def __setitem__(self, name, value):
        if name not in self:
            raise KeyError(f"there is no parameter {name!r}, only {', '.join(map(repr, self))}")
        array = self[name]
        if value is not array:  # `params[name] -= step` has done its work already
            array[...] = _validate.floats(name, value, array.shape, dtype=array.dtype)

    def update(self, *args, **kwargs):
        """Write several parameters, each as by ``params[name] = value``."""
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __reduce__(self):
        return type(self), (dict(self),)  # for copy.deepcopy and pickle

    def _fixed(self, *args, **kwargs):
        raise TypeError("the names of a layer's parameters are fixed")

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = _fixed


class MulLayer:
    """A graph node that multiplies: :math:`z = x y`.

    The local derivatives are the inputs, swapped:
    :math:`\\partial z/\\partial x = y` and :math:`\\partial z/\\partial y = x`.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.inputs = None

    def forward(self, x, y):
        """Return ``x * y`` for two numbers, or two arrays of one shape and dtype."""
        self.inputs = _same_kind(x, y)
        return x * y

    def backward(self, dout):
        """Return ``(dx, dy)``, the upstream gradient times the other input."""
        x, y = _validate.forwarded(self, self.inputs)
        _validate_node_dout(dout, x)
        return dout * y, dout * x


class AddLayer:
    """A graph node that adds: :math:`z = x + y`.

    Both local derivatives are 1, so the upstream gradient passes to both inputs.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.inputs = None

    def forward(self, x, y):
        """Return ``x + y`` for two numbers, or two arrays of one shape and dtype."""
        self.inputs = _same_kind(x, y)
        return x + y

    def backward(self, dout):
        """Return ``(dx, dy)``, both equal to the upstream gradient."""
        x, _ = _validate.forwarded(self, self.inputs)
        _validate_node_dout(dout, x)
        return dout * 1, dout * 1


class ReLU:
    """The rectifier, a switch: :math:`y = x` where :math:`x > 0`, otherwise 0.

    The derivative is 1 where the switch is on and 0 where it is off. At exactly
    :math:`x = 0`, where the function has a corner, the layer takes 0.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.mask = None

    def forward(self, x):
        """Return an array like `x` with the negative entries replaced by 0."""
        _validate.floats("x", x, None)
        self.mask = x > 0
        self.dtype = x.dtype
        return np.maximum(x, 0)

    def backward(self, dout):
        """Return dL/dx: `dout` where the input was positive, otherwise 0."""
        mask = _validate.forwarded(self, self.mask)
        _validate.dout(dout, mask.shape, self.dtype)
        return np.where(mask, dout, np.zeros((), self.dtype))


class Sigmoid:
    """The logistic function: :math:`y = 1 / (1 + e^{-x})`.

    Its derivative needs only its output: :math:`dy/dx = y (1 - y)`.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.y = None

    def forward(self, x):
        """Return an array like `x` with every entry squashed to between 0 and 1."""
        _validate.floats("x", x, None)
        self.y = sigmoid(x)
        return self.y

    def backward(self, dout):
        """Return dL/dx = dout · y (1 − y)."""
        y = _validate.forwarded(self, self.y)
        _validate.dout(dout, y.shape, y.dtype)
        return dout * y * (1 - y)


class Tanh:
    """The hyperbolic tangent: :math:`y = \\tanh x`.

    Its derivative needs only its output: :math:`dy/dx = 1 - y^2`.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.y = None

    def forward(self, x):
        """Return an array like `x` with every entry squashed to between −1 and 1."""
        _validate.floats("x", x, None)
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        """Return dL/dx = dout · (1 − y²)."""
        y = _validate.forwarded(self, self.y)
        _validate.dout(dout, y.shape, y.dtype)
        return dout * (1 - y**2)


class Affine:
    """A matrix product and a bias: :math:`Y = X W + b`.

    Parameters
    ----------
    W : ndarray, shape (D, H)
    b : ndarray, shape (H,)
        Both float32 or both float64. The layer uses the arrays themselves, no copies.

    Notes
    -----
    With the upstream gradient :math:`dY`, of shape (N, H), the three derivatives are
    :math:`dX = dY\\,W^T`, :math:`dW = X^T dY` and :math:`db = \\sum_n dY_n`.
    They are derived in the chapter *Backpropagation*.
    """

    def __init__(self, W, b):
        _validate.floats("W", W, ("D", "H"))
        _validate.floats("b", b, (W.shape[1],), dtype=W.dtype, like="W")
        self.params, self.grads = Parameters(W=W, b=b), {}
        self.x = None

    def forward(self, x):
        """Map inputs of shape (N, D) to outputs of shape (N, H)."""
        W, b = self.params["W"], self.params["b"]
        self.x = _validate.floats("x", x, ("N", W.shape[0]), dtype=W.dtype, like="W")
        return x @ W + b  # (N, D) @ (D, H) -> (N, H)

    def backward(self, dout):
        """Return dL/dx, of shape (N, D); put dL/dW and dL/db into `grads`."""
        x, W = _validate.forwarded(self, self.x), self.params["W"]
        _validate.dout(dout, (len(x), W.shape[1]), W.dtype)
        self.grads = {
            "W": x.T @ dout,  # (D, N) @ (N, H) -> (D, H)
            "b": dout.sum(axis=0),  # (N, H) -> (H,)
        }
        return dout @ W.T  # (N, H) @ (H, D) -> (N, D)


class Embedding:
    """A table of vectors, one for each token: the output is rows of :math:`W`.

    Picking row i is the product of a one-hot row with :math:`W`, without the
    multiplications by zero.

    Parameters
    ----------
    W : ndarray, shape (V, D)
        The layer uses the array itself, no copy.
    """

    def __init__(self, W):
        self.params, self.grads = Parameters(W=_validate.floats("W", W, ("V", "D"))), {}
        self.ids = None

    def forward(self, ids):
        """Map integer token ids of any shape (...) to vectors of shape (..., D)."""
        W = self.params["W"]
        self.ids = _validate.indices("ids", ids, None, size=len(W), what="token ids")
        return W[ids]

    def backward(self, dout):
        """Put dL/dW into `grads`; return nothing, for token ids have no derivative.

        A token that occurs several times collects the sum of its gradients.
        """
        ids, W = _validate.forwarded(self, self.ids), self.params["W"]
        _validate.dout(dout, (*ids.shape, W.shape[1]), W.dtype)
        self.grads = {"W": np.zeros_like(W)}
        np.add.at(self.grads["W"], ids, dout)


class SoftmaxWithLoss:
    """Softmax and cross-entropy in one layer: scores and true classes to a loss.

    .. math:: y = \\mathrm{softmax}(x), \\qquad L = -\\frac{1}{N} \\sum_n \\ln y_{n t_n},
              \\qquad \\frac{\\partial L}{\\partial x} = \\frac{y - t}{N}

    Together the two have a derivative far simpler than either alone; the chapter
    *Backpropagation* works it out.
    """

    def __init__(self):
        self.params, self.grads = Parameters(), {}
        self.y = None

    def forward(self, x, t):
        """Return the mean loss in nats per example.

        Parameters
        ----------
        x : ndarray, shape (N, C) or (C,)
            Scores; ``(C,)`` is a single example, N = 1.
        t : ndarray, shape (N,) or (N, C); for a single example () or (C,)
            Integer labels, or one-hot rows.

        Returns
        -------
        float
        """
        loss = cross_entropy(x, t)
        self.y = softmax(x)
        self.t = _validate.labels("t", t, x.shape)
        return loss

    def backward(self, dout=1.0):
        """Return dL/dx, shaped like the scores, for a scalar upstream gradient `dout`."""
        y = _validate.forwarded(self, self.y)
        dout = _validate.real("dout", dout)
        dx = y.copy()
        t = self.t[..., None]
        np.put_along_axis(dx, t, np.take_along_axis(y, t, axis=-1) - 1, axis=-1)  # y - t
        return dx * y.dtype.type(dout / t.size)


def _same_kind(x, y):
    """Check that two node inputs are two numbers, or two arrays alike."""
    _validate.number_or_floats("x", x)
    _validate.number_or_floats("y", y)
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        shape, dtype = np.shape(x), getattr(x, "dtype", None)
        _validate.floats("y", y, shape, dtype=dtype, like="x")
        _validate.floats("x", x, shape)
    return x, y


def _validate_node_dout(dout, x):
    if isinstance(x, np.ndarray):
        _validate.dout(dout, x.shape, x.dtype)
    else:
        _validate.real("dout", dout)
