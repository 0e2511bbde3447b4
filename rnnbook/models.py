"""The models of the chapters, put together from layers."""

import numpy as np

from . import _validate
from .data.bits import binary_addition, from_bits
from .functions import one_hot
from .language import GatedRnnlm, LanguageModel, Reading, SimpleRnnlm
from .layers import (
    Affine,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    SquaredError,
    TimeAffine,
    TimeSoftmaxWithLoss,
    batch_first,
    time_first,
)
from .network import Network, Sequential, load_parameters, normal_weights, save_parameters
from .recurrent import TimeRNN

__all__ = [
    "BinaryAdder",
    "CharRNN",
    "GatedRnnlm",
    "LanguageModel",
    "Network",
    "Reading",
    "Sequential",
    "SimpleRnnlm",
    "TwoLayerNet",
    "load_parameters",
    "save_parameters",
]


class TwoLayerNet(Network):
    """A classifier with one hidden layer: Affine, ReLU, Affine, softmax with loss.

    `predict` returns the scores, shape (N, C), for inputs of shape (N, D). The largest
    score names the class; softmax would not change which one is the largest, so
    inference does without it. `forward` returns the mean loss in nats per example.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
    rng : numpy.random.Generator
    weight_init_std : float
        Standard deviation of the initial weights; the biases begin at zero.
    dtype : {numpy.float64, numpy.float32}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``W1`` (D, H), ``b1`` (H,), ``W2`` (H, C), ``b2`` (C,).
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        output_size,
        *,
        rng,
        weight_init_std=0.01,
        dtype=np.float64,
    ):
        D = _validate.integer("input_size", input_size, minimum=1)
        H = _validate.integer("hidden_size", hidden_size, minimum=1)
        C = _validate.integer("output_size", output_size, minimum=1)
        _validate.generator("rng", rng)
        std = _validate.real("weight_init_std", weight_init_std, minimum=0)
        dtype = _validate.float_dtype("dtype", dtype)

        W1 = (std * rng.standard_normal((D, H))).astype(dtype)
        W2 = (std * rng.standard_normal((H, C))).astype(dtype)
        layers = Sequential(
            hidden=Affine(W1, np.zeros(H, dtype)),
            relu=ReLU(),
            scores=Affine(W2, np.zeros(C, dtype)),
        )
        super().__init__(
            layers,
            SoftmaxWithLoss(),
            W1="hidden.W",
            b1="hidden.b",
            W2="scores.W",
            b2="scores.b",
        )

    def accuracy(self, x, t):
        """Return the share of examples, from 0 to 1, whose largest score is the true class."""
        scores = self.predict(x)
        if len(scores) == 0:
            raise ValueError("x must hold at least one example, got none")
        return float(np.mean(scores.argmax(axis=1) == _validate.labels("t", t, scores.shape)))


class BinaryAdder(Network):
    """An RNN that adds two binary numbers, reading a bit of each at every step.

    .. math:: h_t = \\sigma(x_t W_x + h_{t-1} W_h + b), \\qquad
              y_t = \\sigma(h_t W_y + b_y), \\qquad
              L = \\frac{1}{2N} \\sum_{n,t} (y_{nt} - t_{nt})^2

    The lowest bits come first, so that the carry travels with the time. All weights
    begin uniformly between -1 and 1.

    Parameters
    ----------
    hidden_size : int
    rng : numpy.random.Generator
    bias : bool
        Whether the biases are trained, or stay at zero.
    truncation : int, optional
        As for `TimeRNN`.
    dtype : {numpy.float64, numpy.float32}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``Wx`` (2, H), ``Wy`` (H, 1), ``Wh`` (H, H), and with biases ``b`` (H,), ``by`` (1,).
    """

    def __init__(self, hidden_size, *, rng, bias=False, truncation=None, dtype=np.float64):
        H = _validate.integer("hidden_size", hidden_size, minimum=1)
        _validate.generator("rng", rng)
        _validate.boolean("bias", bias)
        dtype = _validate.float_dtype("dtype", dtype)

        Wx, Wy, Wh = ((2 * rng.random(s) - 1).astype(dtype) for s in ((2, H), (H, 1), (H, H)))
        b, by = np.zeros(H, dtype), np.zeros(1, dtype)
        layers = Sequential(
            rnn=TimeRNN(Wx, Wh, b, truncation=truncation, activation="sigmoid"),
            scores=TimeAffine(Wy, by),
            output=Sigmoid(),
        )
        names = {"Wx": "rnn.Wx", "Wy": "scores.W", "Wh": "rnn.Wh"}
        names |= {"b": "rnn.b", "by": "scores.b"} if bias else {}
        super().__init__(layers, SquaredError(), **names)

    def forward(self, xs, ts):
        """Return the loss for sequences of `rnnbook.data.binary_addition`.

        Parameters
        ----------
        xs : ndarray, shape (N, T, 2)
            At each step a bit of both numbers, the lowest first.
        ts : ndarray, shape (N, T, 1)
            The bits of the sum.
        """
        rnn = self.layers.layers["rnn"]
        dtype = rnn.params["Wx"].dtype
        _validate.floats("xs", xs, ("N", "T", 2), dtype=dtype, like="Wx")
        _validate.floats("ts", ts, (*xs.shape[:2], 1), dtype=dtype, like="Wx")
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        rnn.check_batch(xs)
        self._pending = False
        ys = self.layers.forward_steps(time_first(xs))
        loss = self.loss_layer.forward(batch_first(ys), ts)
        self._pending = True
        return loss

    def backward(self, dout=1.0):
        """Fill `grads`; return dL/dxs, shape (N, T, 2)."""
        self._check_pending()
        dys = time_first(self.loss_layer.backward(dout))
        return batch_first(self.layers.backward_steps(dys))

    def add(self, a, b, *, bits=8, signed=False):
        """Add numbers by reading them bit by bit, rounding each output to 0 or 1.

        Parameters
        ----------
        a, b : int, or sequence of int
            From ``-2**(bits - 1)``, in two's complement, up to ``2**bits - 1``.
        bits : int
        signed : bool
            Whether a result whose highest bit is 1 is read as a negative number.

        Returns
        -------
        int, or ndarray of int
            A sum that does not fit in its bits loses its carry, as in a processor.
        """
        single = not hasattr(a, "__len__")
        a, b = ([a], [b]) if single else (a, b)
        xs, _ = binary_addition(a, b, bits=bits, dtype=self.params["Wx"].dtype)
        _validate.boolean("signed", signed)
        sums = from_bits(self.predict(xs)[:, :, 0] > 0.5, signed=signed)
        return int(sums[0]) if single else sums


class CharRNN(Network):
    """The many-to-many network of 'hello': characters in, the next character's scores out.

    .. math:: h_t = \\tanh(x_t W_x + h_{t-1} W_h + b), \\qquad s_t = h_t W_y + b_y

    Each input is a one-hot row, so that :math:`x_t W_x` is a row of :math:`W_x`.
    `predict` returns the scores, shape (N, T, V), for ids of shape (N, T); `forward` the
    mean loss in nats per character.

    Parameters
    ----------
    vocab_size, hidden_size : int
    rng : numpy.random.Generator
    truncation : int, optional
        As for `TimeRNN`.
    dtype : {numpy.float64, numpy.float32}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``Wx`` (V, H), ``Wh`` (H, H), ``b`` (H,), ``Wy`` (H, V), ``by`` (V,).
    """

    def __init__(self, vocab_size, hidden_size, *, rng, truncation=None, dtype=np.float64):
        V = _validate.integer("vocab_size", vocab_size, minimum=1)
        H = _validate.integer("hidden_size", hidden_size, minimum=1)
        _validate.generator("rng", rng)
        dtype = _validate.float_dtype("dtype", dtype)

        Wx = normal_weights(rng, (V, H), 1, dtype)  # each one-hot row picks a single row
        Wh = normal_weights(rng, (H, H), H, dtype)
        Wy = normal_weights(rng, (H, V), H, dtype)
        layers = Sequential(
            rnn=TimeRNN(Wx, Wh, np.zeros(H, dtype), truncation=truncation),
            scores=TimeAffine(Wy, np.zeros(V, dtype)),
        )
        super().__init__(
            layers,
            TimeSoftmaxWithLoss(),
            Wx="rnn.Wx",
            Wh="rnn.Wh",
            b="rnn.b",
            Wy="scores.W",
            by="scores.b",
        )

    def predict(self, xs):
        """Return the scores, shape (N, T, V), for character ids of shape (N, T)."""
        Wx = self.layers.layers["rnn"].params["Wx"]
        xs = _validate.indices("xs", xs, ("N", "T"), size=len(Wx), what="character ids")
        return super().predict(one_hot(xs, len(Wx), dtype=Wx.dtype))

    def forward(self, xs, ts):
        """Return the mean loss in nats per character; `ts` are the ids that follow `xs`."""
        return super().forward(xs, ts)

    def backward(self, dout=1.0):
        """Fill `grads`; return nothing, for ids have no derivative."""
        super().backward(dout)
