"""Layers: each remembers its forward pass and turns an upstream gradient into its own.

All of them follow one protocol. ``forward`` computes the output and keeps what
``backward`` will need. ``backward(dout)`` takes the derivative of the loss with
respect to the output and returns the derivative with respect to the input; the
derivatives of the layer's own parameters land in ``grads``, under the names of
``params``. ``backward`` writes neither into its argument nor into what was kept,
so it may be called again. A second ``forward`` replaces what was kept.

What is kept is the layer's own: the arrays that went in and came out may be changed. The
parameters may not, between the two: ``backward`` takes them as they are when it runs.

Layers for sequences take the batch first and check their arguments. Inside, time comes
first. ``forward_steps`` and ``backward_steps`` are that inside: for models that have
checked everything at their own door.
"""

import numpy as np

from . import _validate
from .functions import losses_and_exponentials, sigmoid

__all__ = [
    "AddLayer",
    "Affine",
    "Embedding",
    "Layer",
    "MulLayer",
    "Parameters",
    "ReLU",
    "RowGradient",
    "Sigmoid",
    "SoftmaxWithLoss",
    "SquaredError",
    "Tanh",
    "TimeAffine",
    "TimeEmbedding",
    "TimeSoftmaxWithLoss",
    "batch_first",
    "distinct",
    "probabilities_minus_truth",
    "sum_rows",
    "time_first",
]


class Parameters(dict):
    """Named parameter arrays that cannot come loose from their layers.

    A layer and an optimiser share the arrays in here. ``params[name] = value`` writes
    the numbers *into* the shared array instead of putting another array in its place,
    so both ``params[name] -= step`` and ``params[name] = params[name] - step`` train
    the layer. Names cannot be added or removed.
    """

    def __setitem__(self, name, value):
        self.update({name: value})

    def update(self, *args, **kwargs):
        """Write several parameters, or, if one of them does not fit, none."""
        values = dict(*args, **kwargs)
        for name, value in values.items():
            if name not in self:
                raise KeyError(f"there is no parameter {name!r}, only {', '.join(map(repr, self))}")
            if value is not self[name]:
                _validate.floats(name, value, self[name].shape, dtype=self[name].dtype)
                _validate.writeable(f"the parameter {name!r}", self[name])
                values[name] = value.copy()  # it may be a view of what is written to first
        for name, value in values.items():
            if value is not self[name]:  # `params[name] -= step` has done its work already
                self[name][...] = value

    def __reduce__(self):
        return type(self), (dict(self),)  # for copy.deepcopy and pickle

    def _fixed(self, *args, **kwargs):
        raise TypeError("the names of a layer's parameters are fixed")

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = _fixed


class Layer(_validate.InRange):
    """What every layer has: parameters, which are its own to the end, and their gradients."""

    params = _validate.Fixed()

    def __init__(self, **params):
        self.params, self.grads = Parameters(_validate.apart("parameters", params)), {}


class MulLayer(Layer):
    """A graph node that multiplies: :math:`z = x y`.

    The local derivatives are the inputs, swapped:
    :math:`\\partial z/\\partial x = y` and :math:`\\partial z/\\partial y = x`.
    """

    def __init__(self):
        super().__init__()
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


class AddLayer(Layer):
    """A graph node that adds: :math:`z = x + y`.

    Both local derivatives are 1, so the upstream gradient passes to both inputs.
    """

    def __init__(self):
        super().__init__()
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


class ReLU(Layer):
    """The rectifier, a switch: :math:`y = x` where :math:`x > 0`, otherwise 0.

    The derivative is 1 where the switch is on and 0 where it is off. At exactly
    :math:`x = 0`, where the function has a corner, the layer takes 0.
    """

    def __init__(self):
        super().__init__()
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


class Sigmoid(Layer):
    """The logistic function: :math:`y = 1 / (1 + e^{-x})`.

    Its derivative needs only its output: :math:`dy/dx = y (1 - y)`.
    """

    def __init__(self):
        super().__init__()
        self.y = None

    def forward(self, x):
        """Return an array like `x` with every entry squashed to between 0 and 1."""
        _validate.floats("x", x, None)
        self.y = sigmoid(x)
        return self.y.copy()

    def backward(self, dout):
        """Return dL/dx = dout · y (1 − y)."""
        y = _validate.forwarded(self, self.y)
        _validate.dout(dout, y.shape, y.dtype)
        return dout * y * (1 - y)


class Tanh(Layer):
    """The hyperbolic tangent: :math:`y = \\tanh x`.

    Its derivative needs only its output: :math:`dy/dx = 1 - y^2`.
    """

    def __init__(self):
        super().__init__()
        self.y = None

    def forward(self, x):
        """Return an array like `x` with every entry squashed to between −1 and 1."""
        _validate.floats("x", x, None)
        self.y = np.tanh(x)
        return self.y.copy()

    def backward(self, dout):
        """Return dL/dx = dout · (1 − y²)."""
        y = _validate.forwarded(self, self.y)
        _validate.dout(dout, y.shape, y.dtype)
        return dout * (1 - y**2)


class Affine(Layer):
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
        super().__init__(W=W, b=b)
        self.x = None

    def forward(self, x):
        """Map inputs of shape (N, D) to outputs of shape (N, H)."""
        W, b = self.params["W"], self.params["b"]
        self.x = _validate.floats("x", x, ("N", W.shape[0]), dtype=W.dtype, like="W").copy()
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


class RowGradient(np.lib.mixins.NDArrayOperatorsMixin):
    """The gradient of a table of which few rows were used: those rows alone.

    It takes part in arithmetic like the array that it stands for, which
    ``np.asarray(gradient)`` is, zeros included.
    `SGD` and `clip_gradients` touch the used rows only.

    Attributes
    ----------
    ids : ndarray, shape (K,)
        The used rows, each once, in rising order.
    rows : ndarray, shape (K, D)
        Their gradients.
    shape : tuple of int
        The table's shape, (V, D).
    """

    def __init__(self, ids, rows, shape):
        self.ids, self.rows, self.shape = ids, rows, shape

    @classmethod
    def summed(cls, ids, rows, shape):
        """Add up the rows that belong to one id; `ids` may come in any order."""
        used, places = distinct(ids, shape[0])
        return cls(used, sum_rows(places, len(used), rows), shape)

    @property
    def dtype(self):
        """The dtype of the rows."""
        return self.rows.dtype

    @property
    def ndim(self):
        """The number of axes, 2."""
        return len(self.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        return np.asarray(self)[index]

    def __repr__(self):
        return f"RowGradient of shape {self.shape}, not zero in rows {self.ids.tolist()}"

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a RowGradient cannot become an array without a copy")
        array = np.zeros(self.shape, dtype or self.dtype)
        array[self.ids] = self.rows
        return array

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if any(out is self for out in kwargs.get("out", ())):
            return NotImplemented
        arrays = [np.asarray(x) if isinstance(x, RowGradient) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **kwargs)


class Embedding(Layer):
    """A table of vectors, one for each token: the output is rows of :math:`W`.

    Picking row i is the product of a one-hot row with :math:`W`, without the
    multiplications by zero.

    Parameters
    ----------
    W : ndarray, shape (V, D)
        The layer uses the array itself, no copy.
    """

    def __init__(self, W):
        super().__init__(W=_validate.floats("W", W, ("V", "D")))
        self.ids = None

    def forward(self, ids):
        """Map integer token ids of any shape (...) to vectors of shape (..., D)."""
        W = self.params["W"]
        ids = _validate.indices("ids", ids, None, size=len(W), what="token ids")
        self.ids = ids.copy()
        return W[ids]

    def backward(self, dout):
        """Put dL/dW, a `RowGradient`, into `grads`; return nothing: ids have no derivative.

        A token that occurs several times collects the sum of its gradients.
        """
        ids, W = _validate.forwarded(self, self.ids), self.params["W"]
        _validate.dout(dout, (*ids.shape, W.shape[1]), W.dtype)
        rows = dout.reshape(-1, W.shape[1])
        self.grads = {"W": RowGradient.summed(ids.ravel(), rows, W.shape)}


class SoftmaxWithLoss(Layer):
    """Softmax and cross-entropy in one layer: scores and true classes to a loss.

    .. math:: y = \\mathrm{softmax}(x), \\qquad L = -\\frac{1}{N} \\sum_n \\ln y_{n t_n},
              \\qquad \\frac{\\partial L}{\\partial x} = \\frac{y - t}{N}

    Together the two have a derivative far simpler than either alone; the chapter
    *Backpropagation* works it out.
    """

    def __init__(self):
        super().__init__()
        self.e = None

    @property
    def y(self):
        """The probabilities of the last forward pass."""
        return self.e / self.total[..., None]

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
        _validate.floats("x", x, None)
        if x.ndim not in (1, 2) or x.size == 0:
            raise ValueError(f"x must have shape (N, C) or (C,) and not be empty, got {x.shape}")
        self.t = _validate.labels("t", t, x.shape).copy()
        losses, self.e, self.total = losses_and_exponentials(x, self.t)
        return (losses / losses.size).sum()  # the sum alone might overflow

    def backward(self, dout=1.0):
        """Return dL/dx, shaped like the scores, for a scalar upstream gradient `dout`."""
        e = _validate.forwarded(self, self.e)
        weight = e.dtype.type(_validate.real("dout", dout) / self.t.size)
        return probabilities_minus_truth(e, self.total, self.t, weight)


class SquaredError(Layer):
    """Half the squared distance between outputs and targets, averaged over the batch.

    .. math:: L = \\frac{1}{2N} \\sum_n \\lVert y_n - t_n \\rVert^2, \\qquad
              \\frac{\\partial L}{\\partial y} = \\frac{y - t}{N}

    The sum runs over everything but the batch; in a sequence also over the time steps.
    """

    def __init__(self):
        super().__init__()
        self.difference = None

    def forward(self, y, t):
        """Return the loss for outputs and targets of one shape (N, ...) and dtype."""
        _validate.floats("y", y, None)
        if y.ndim == 0 or y.size == 0:
            raise ValueError(f"y must have shape (N, ...) and not be empty, got {y.shape}")
        _validate.floats("t", t, y.shape, dtype=y.dtype, like="y")
        self.difference = y - t
        return (self.difference**2).sum() / (2 * len(y))

    def backward(self, dout=1.0):
        """Return dL/dy, shaped like the outputs, for a scalar upstream gradient `dout`."""
        difference = _validate.forwarded(self, self.difference)
        dout = _validate.real("dout", dout)
        return difference * difference.dtype.type(dout / len(difference))


class TimeEmbedding(Embedding):
    """`Embedding` for a batch of sequences.

    Like all layers for sequences it takes the batch first and keeps the time first in
    memory: the rows of one time step lie side by side, ready for the next product. Its
    parameters are those of `Embedding`.
    """

    def forward(self, ids):
        """Map integer token ids of shape (N, T) to vectors of shape (N, T, D)."""
        W = self.params["W"]
        ids = _validate.indices("ids", ids, ("N", "T"), size=len(W), what="token ids")
        self.ids = time_first(ids)
        return batch_first(W[self.ids])

    def backward(self, dout):
        """Put dL/dW, a `RowGradient`, into `grads`; return nothing: ids have no derivative."""
        ids, W = _validate.forwarded(self, self.ids), self.params["W"]
        (T, N), D = ids.shape, W.shape[1]
        _validate.dout(dout, (N, T, D), W.dtype)
        rows = time_first(dout).reshape(T * N, D)
        self.grads = {"W": RowGradient.summed(ids.ravel(), rows, W.shape)}


class TimeAffine(Affine):
    """`Affine` with the same weights at every time step: one product for all of them.

    Its parameters are those of `Affine`.
    """

    def forward(self, xs):
        """Map inputs of shape (N, T, D) to outputs of shape (N, T, H)."""
        W = self.params["W"]
        _validate.floats("xs", xs, ("N", "T", len(W)), dtype=W.dtype, like="W")
        return batch_first(self.forward_steps(time_first(xs)))

    def forward_steps(self, xs):
        """Map inputs (T, N, D) to outputs (T, N, H), unchecked."""
        W, b = self.params["W"], self.params["b"]
        (T, N, D), self.x = xs.shape, xs
        ys = xs.reshape(T * N, D) @ W  # (T N, D) @ (D, H) -> (T N, H)
        ys += b
        return ys.reshape(T, N, len(b))

    def backward(self, dout):
        """Return dL/dxs, of shape (N, T, D); put dL/dW and dL/db into `grads`."""
        xs, W = _validate.forwarded(self, self.x), self.params["W"]
        (T, N, _), H = xs.shape, W.shape[1]
        _validate.dout(dout, (N, T, H), W.dtype)
        return batch_first(self.backward_steps(time_first(dout)))

    def backward_steps(self, dout):
        """Return dL/dxs, (T, N, D), unchecked; fill `grads`."""
        xs, W = self.x, self.params["W"]
        T, N, D = xs.shape
        rows = dout.reshape(T * N, W.shape[1])
        self.grads = {
            "W": xs.reshape(T * N, D).T @ rows,  # (D, T N) @ (T N, H) -> (D, H)
            "b": np.ones(T * N, W.dtype) @ rows,  # (T N,) @ (T N, H) -> (H,), a fast sum
        }
        dxs = rows @ W.T  # (T N, H) @ (H, D) -> (T N, D)
        return dxs.reshape(T, N, D)


class TimeSoftmaxWithLoss(Layer):
    """`SoftmaxWithLoss` at every time step: the mean loss over steps and batch.

    .. math:: L = -\\frac{1}{M} \\sum_{n,t} \\ln y_{n,t,t_{nt}}, \\qquad
              \\frac{\\partial L}{\\partial x} = \\frac{y - t}{M}

    M counts the predictions, N T of them. With a mask, steps that only pad a sequence to
    the length of its batch are left out of the sum, of M, and of the gradient.
    """

    def __init__(self):
        super().__init__()
        self.e = None

    @property
    def y(self):
        """The probabilities of the last forward pass, shape (N, T, V)."""
        return batch_first(self.e / self.total[..., None])

    def forward(self, xs, ts, mask=None):
        """Return the mean loss in nats per token.

        Parameters
        ----------
        xs : ndarray, shape (N, T, V)
            Scores.
        ts : ndarray, shape (N, T) or (N, T, V)
            True tokens as integer ids, or as one-hot rows.
        mask : ndarray of bool, shape (N, T), optional
            True where a step counts. What `ts` holds elsewhere is not looked at.

        Returns
        -------
        float
        """
        _validate.floats("xs", xs, ("N", "T", "V"))
        if xs.size == 0:
            raise ValueError(f"xs must not be empty, got shape {xs.shape}")
        if mask is not None:
            _validate.mask("mask", mask, xs.shape[:2])
        ts = _validate.labels("ts", ts, xs.shape, mask=mask)
        mask = None if mask is None else time_first(mask)
        return self.forward_steps(time_first(xs), time_first(ts), mask)

    def forward_steps(self, xs, ts, mask=None):
        """Return the mean loss of scores (T, N, V) and true tokens (T, N), unchecked."""
        self.t, self.mask = ts, mask
        self.e = None  # gives back its memory, which may be large, before more is taken
        losses, self.e, self.total = losses_and_exponentials(xs, ts)
        losses = losses if mask is None else losses[mask]
        self.count = losses.size
        return (losses / self.count).sum()

    def backward(self, dout=1.0):
        """Return dL/dxs, of shape (N, T, V), for a scalar upstream gradient `dout`."""
        _validate.forwarded(self, self.e)
        return batch_first(self.backward_steps(_validate.real("dout", dout)))

    def backward_steps(self, dout):
        """Return dL/dxs, (T, N, V), unchecked."""
        e, weight = self.e, self.e.dtype.type(dout / self.count)
        weights = weight if self.mask is None else self.mask * weight
        return probabilities_minus_truth(e, self.total, self.t, weights)


def distinct(ids, size):
    """Return the ids that occur, rising, and for each place the number of its id among them.

    What `numpy.unique` does, and faster, as long as a table of all ids is not far too large.
    """
    if size > 32 * ids.size:
        return np.unique(ids, return_inverse=True)
    met = np.zeros(size, bool)
    met[ids] = True
    used = np.flatnonzero(met)
    number = np.empty(size, np.intp)
    number[used] = np.arange(len(used))
    return used, number[ids]


def sum_rows(places, count, rows):
    """Add up the rows (M, D) of each place 0 to count - 1, at least one for each: (count, D)."""
    if len(rows) <= 128:  # few: a product with their one-hot rows is the fastest sum
        one_hot = (np.arange(count)[:, None] == places).astype(rows.dtype)
        return one_hot @ rows  # (K, M) @ (M, D) -> (K, D)
    order, counts = np.argsort(places, kind="stable"), np.bincount(places)
    first, summed = np.cumsum(counts) - counts, np.empty((count, rows.shape[1]), rows.dtype)
    for start in range(0, rows.shape[1], 64):  # columns that stay in the processor's cache
        few = slice(start, start + 64)
        np.add.reduceat(rows[order, few], first, axis=0, out=summed[:, few])
    return summed


def time_first(sequences):
    """Copy an array of shape (N, T, ...) to (T, N, ...), contiguous in memory."""
    return sequences.swapaxes(0, 1).copy()


def batch_first(steps):
    """Show an array of shape (T, N, ...) as (N, T, ...), without moving it."""
    return steps.swapaxes(0, 1)


def probabilities_minus_truth(e, total, t, weights):
    """Return (softmax - t) times a weight, or one for each row; see `losses_and_exponentials`."""
    rows, C = t.size, e.shape[-1]
    e, total, true = e.reshape(rows, C), total.reshape(rows), (np.arange(rows), t.ravel())
    weights = weights if np.ndim(weights) == 0 else np.broadcast_to(weights, t.shape).reshape(rows)
    dx = e * (weights / total)[:, None]
    dx[true] = (e[true] / total - 1) * weights
    return dx.reshape(*t.shape, C)


def _same_kind(x, y):
    """Check that two node inputs are two numbers, or two arrays alike."""
    _validate.number_or_floats("x", x)
    _validate.number_or_floats("y", y)
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        shape, dtype = np.shape(x), getattr(x, "dtype", None)
        _validate.floats("y", y, shape, dtype=dtype, like="x")
        _validate.floats("x", x, shape)
        return x.copy(), y.copy()
    return x, y


def _validate_node_dout(dout, x):
    if isinstance(x, np.ndarray):
        _validate.dout(dout, x.shape, x.dtype)
    else:
        _validate.real("dout", dout)
