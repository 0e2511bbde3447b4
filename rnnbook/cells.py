"""One step of each recurrence: the equations, forward and back.

A cell has its own `forward` and `backward`. What the layers for sequences share with it stands
in `from_sums` and `to_sums`, which take any leading axes.
"""

import numpy as np

from . import _validate
from .functions import unchecked_sigmoid as sigmoid
from .layers import Layer, Parameters

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "activation_of", "recurrent_parameters", "tanh_slope"]


def tanh_slope(h):
    """Return the derivative of tanh, 1 − h², from its own output h."""
    slope = np.square(h)
    return np.subtract(1, slope, out=slope)


def _sigmoid(z, out=None):
    """Return σ(z) = ½ tanh(½ z) + ½, the fast way: where σ is tiny, its last digits are lost."""
    half = z.dtype.type(0.5)
    h = np.multiply(z, half, out=out)
    np.tanh(h, out=h)
    h *= half
    h += half
    return h


def _sigmoid_slope(h):
    slope = 1 - h
    slope *= h
    return slope


# The activations of a plain RNN, each with its derivative from its own output.
_ACTIVATIONS = {"tanh": (np.tanh, tanh_slope), "sigmoid": (_sigmoid, _sigmoid_slope)}


class RNNCell(Layer):
    """One step of a plain recurrent network.

    .. math:: h_t = \\tanh(x_t W_x + h_{t-1} W_h + b)

    Parameters
    ----------
    Wx : ndarray, shape (D, H)
    Wh : ndarray, shape (H, H)
    b : ndarray, shape (H,)
        All float32 or all float64. The cell uses the arrays themselves, no copies.
    activation : {"tanh", "sigmoid"}

    Notes
    -----
    With :math:`z_t` for the sum inside the brackets, and :math:`dh` for what the loss
    sends back to :math:`h_t`:

    .. math:: dz_t = dh \\odot (1 - h_t^2), \\qquad dx_t = dz_t W_x^T, \\qquad
              dh_{t-1} = dz_t W_h^T

    .. math:: dW_x = x_t^T dz_t, \\qquad dW_h = h_{t-1}^T dz_t, \\qquad
              db = \\sum_n dz_{tn}

    With sigmoid in place of tanh the slope is :math:`h_t (1 - h_t)`.
    """

    NAMES = ("h",)  # of the arrays that make up the state

    def __init__(self, Wx, Wh, b, activation="tanh"):
        super().__init__(**recurrent_parameters(1, Wx=Wx, Wh=Wh, b=b))
        self.f, self.df = activation_of(activation)
        self.h = None

    def forward(self, x, h_prev):
        """Return the new state, shape (N, H), from an input (N, D) and a state (N, H)."""
        Wx, Wh, b = self.params.values()
        x, h_prev = _step(self, x, h_prev=h_prev)
        h = self.f(x @ Wx + h_prev @ Wh + b)  # (N, D) @ (D, H) + (N, H) @ (H, H)
        self.x, self.h_prev, self.h = x, h_prev, h
        return h.copy()

    def backward(self, dh):
        """Return ``(dx, dh_prev)``; put dL/dWx, dL/dWh and dL/db into `grads`."""
        h, (Wx, Wh, _) = _validate.forwarded(self, self.h), self.params.values()
        _validate.dout(dh, h.shape, h.dtype, name="dh")
        dz = dh * self.df(h)  # (N, H)
        self.grads = {
            "Wx": self.x.T @ dz,  # (D, N) @ (N, H) -> (D, H)
            "Wh": self.h_prev.T @ dz,  # (H, N) @ (N, H) -> (H, H)
            "b": dz.sum(axis=0),  # (N, H) -> (H,)
        }
        return dz @ Wx.T, dz @ Wh.T  # (N, H) @ (H, D) and (N, H) @ (H, H)


class LSTMCell(Layer):
    """One step of a long short-term memory.

    .. math:: (a_i, a_f, a_g, a_o) = x_t W_x + h_{t-1} W_h + b

    .. math:: i = \\sigma(a_i), \\qquad f = \\sigma(a_f), \\qquad g = \\tanh(a_g), \\qquad
              o = \\sigma(a_o)

    .. math:: c_t = f \\odot c_{t-1} + i \\odot g, \\qquad h_t = o \\odot \\tanh(c_t)

    Parameters
    ----------
    Wx : ndarray, shape (D, 4H)
    Wh : ndarray, shape (H, 4H)
    b : ndarray, shape (4H,)
        The quarters of the columns belong to the gates i, f, g, o in this order, as in
        PyTorch, whose two biases add up to this one.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997);
    Gers, Schmidhuber and Cummins, "Learning to Forget", Neural Computation 12 (2000).
    """

    NAMES = ("h", "c")

    def __init__(self, Wx, Wh, b):
        super().__init__(**recurrent_parameters(4, Wx=Wx, Wh=Wh, b=b))
        self.gates = None

    def forward(self, x, h_prev, c_prev):
        """Return the new ``(h, c)``, each (N, H), from x (N, D) and the old ones (N, H)."""
        Wx, Wh, b = self.params.values()
        x, h_prev, c_prev = _step(self, x, h_prev=h_prev, c_prev=c_prev)
        z = x @ Wx + h_prev @ Wh + b  # (N, D) @ (D, 4H) + (N, H) @ (H, 4H) -> (N, 4H)
        gates, h, c = self.from_sums(z, c_prev)
        self.x, self.h_prev, self.c_prev, self.gates, self.c = x, h_prev, c_prev, gates, c
        return h, c.copy()

    def backward(self, dh, dc):
        """Return ``(dx, dh_prev, dc_prev)``; put dL/dWx, dL/dWh and dL/db into `grads`."""
        gates, (Wx, Wh, _) = _validate.forwarded(self, self.gates), self.params.values()
        for name, value in (("dh", dh), ("dc", dc)):
            _validate.dout(value, self.c.shape, self.c.dtype, name=name)
        dz, dc_prev = self.to_sums(gates, self.c_prev, self.c, dh, dc)
        self.grads = {
            "Wx": self.x.T @ dz,  # (D, N) @ (N, 4H) -> (D, 4H)
            "Wh": self.h_prev.T @ dz,  # (H, N) @ (N, 4H) -> (H, 4H)
            "b": dz.sum(axis=0),  # (N, 4H) -> (4H,)
        }
        return dz @ Wx.T, dz @ Wh.T, dc_prev  # (N, 4H) @ (4H, D) and (N, 4H) @ (4H, H)

    @staticmethod
    def from_sums(z, c_prev):
        """Return the gates, shape (4, N, H), and the new h and c from the sums (N, 4H)."""
        i, f, g, o = np.split(z, 4, axis=-1)
        i, f, g, o = gates = np.stack([sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)])
        c = f * c_prev + i * g
        return gates, o * np.tanh(c), c

    @staticmethod
    def to_sums(gates, c_prev, c, dh, dc):
        """Return dL/dz, shape (..., 4H), and dL/dc_prev; any leading axes will do."""
        i, f, g, o = gates
        s = np.tanh(c)
        dc = dc + dh * o * (1 - s**2)  # from the next step, and through h
        di, df, dg, do = dc * g, dc * c_prev, dc * i, dh * s
        dz = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)]
        return np.concatenate(dz, axis=-1), dc * f


class GRUCell(Layer):
    """One step of a gated recurrent unit.

    .. math:: r = \\sigma(a_r + q_r), \\qquad u = \\sigma(a_u + q_u), \\qquad
              n = \\tanh(a_n + r \\odot (q_n + b_h))

    .. math:: h_t = (1 - u) \\odot n + u \\odot h_{t-1}

    where the indices r, u, n name the thirds of :math:`a = x_t W_x + b` and
    :math:`q = h_{t-1} W_h`.

    Parameters
    ----------
    Wx : ndarray, shape (D, 3H)
    Wh : ndarray, shape (H, 3H)
    b : ndarray, shape (3H,)
    bh : ndarray, shape (H,)
        The bias that the reset gate r multiplies.

    Notes
    -----
    Thirds and equations are those of PyTorch, which calls the update gate z and has one
    bias more: `b` is its ``bias_ih`` plus the first two thirds of its ``bias_hh``, and `bh`
    the last third. The paper, as printed, lets r multiply :math:`h_{t-1}` before the
    product with :math:`W_h`; here, as in PyTorch, r multiplies what comes out of it.

    References
    ----------
    Cho and others, "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation", EMNLP 2014.
    """

    NAMES = ("h",)

    def __init__(self, Wx, Wh, b, bh):
        super().__init__(**recurrent_parameters(3, Wx=Wx, Wh=Wh, b=b, bh=bh))
        self.gates = None

    def forward(self, x, h_prev):
        """Return the new state, shape (N, H), from an input (N, D) and a state (N, H)."""
        Wx, Wh, b, bh = self.params.values()
        x, h_prev = _step(self, x, h_prev=h_prev)
        a, q = x @ Wx + b, h_prev @ Wh  # (N, D) @ (D, 3H) and (N, H) @ (H, 3H) -> (N, 3H)
        gates, h = self.from_sums(a, q, bh, h_prev)
        self.x, self.h_prev, self.gates = x, h_prev, gates
        return h

    def backward(self, dh):
        """Return ``(dx, dh_prev)``; put dL/dWx, dL/dWh, dL/db and dL/dbh into `grads`."""
        gates, (Wx, Wh, _, _) = _validate.forwarded(self, self.gates), self.params.values()
        _validate.dout(dh, self.h_prev.shape, Wx.dtype, name="dh")
        da, dq, dh_prev = self.to_sums(gates, self.h_prev, dh)
        self.grads = {
            "Wx": self.x.T @ da,  # (D, N) @ (N, 3H) -> (D, 3H)
            "Wh": self.h_prev.T @ dq,  # (H, N) @ (N, 3H) -> (H, 3H)
            "b": da.sum(axis=0),  # (N, 3H) -> (3H,)
            "bh": dq[:, -dh.shape[1] :].sum(axis=0),  # (N, H) -> (H,)
        }
        return da @ Wx.T, dh_prev + dq @ Wh.T  # (N, 3H) @ (3H, D) and (N, 3H) @ (3H, H)

    @staticmethod
    def from_sums(a, q, bh, h_prev):
        """Return r, u, n and what r multiplies, stacked to (4, N, H), and the new h."""
        (ar, au, an), (qr, qu, qn) = np.split(a, 3, axis=-1), np.split(q, 3, axis=-1)
        r, u, m = sigmoid(ar + qr), sigmoid(au + qu), qn + bh
        n = np.tanh(an + r * m)
        return np.stack([r, u, n, m]), (1 - u) * n + u * h_prev

    @staticmethod
    def to_sums(gates, h_prev, dh):
        """Return dL/da and dL/dq, (..., 3H), and the part of dL/dh_prev that skips q."""
        r, u, n, m = gates
        dan = dh * (1 - u) * (1 - n**2)
        dau = dh * (h_prev - n) * u * (1 - u)
        dar = dan * m * r * (1 - r)
        da = np.concatenate([dar, dau, dan], axis=-1)
        dq = np.concatenate([dar, dau, dan * r], axis=-1)
        return da, dq, dh * u


def recurrent_parameters(gates, *, Wx, Wh, b, **more):
    """Check that the weights fit each other; H columns belong to each gate."""
    _validate.floats("Wx", Wx, ("D", "H" if gates == 1 else f"{gates}H"))
    D, columns = Wx.shape
    H, rest = divmod(columns, gates)
    if D == 0 or H == 0 or rest:
        wanted = "(D, H)" if gates == 1 else f"(D, {gates}H)"
        raise ValueError(f"Wx must have shape {wanted} and not be empty, got {Wx.shape}")
    shapes = {"Wh": (H, columns), "b": (columns,), "bh": (H,)}
    for name, value in {"Wh": Wh, "b": b, **more}.items():
        _validate.floats(name, value, shapes[name], dtype=Wx.dtype, like="Wx")
    return Parameters(Wx=Wx, Wh=Wh, b=b, **more)


def activation_of(name):
    """Return an activation by its name, and its derivative from its own output."""
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {list(_ACTIVATIONS)}, got {name!r}")
    return _ACTIVATIONS[name]


def _step(cell, x, **state):
    """Check the arguments of one step against the cell's weights; return copies to keep."""
    Wx, Wh = cell.params["Wx"], cell.params["Wh"]
    _validate.floats("x", x, ("N", len(Wx)), dtype=Wx.dtype, like="Wx")
    for name, value in state.items():
        _validate.floats(name, value, (len(x), len(Wh)), dtype=Wx.dtype, like="Wx")
    return [value.copy() for value in (x, *state.values())]
