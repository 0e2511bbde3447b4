"""Networks, put together from layers."""

import copy
import os

import numpy as np

from . import _validate
from .data import binary_addition, from_bits, one_hot
from .functions import softmax
from .layers import (
    Affine,
    Parameters,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    SquaredError,
    TimeAffine,
    TimeSoftmaxWithLoss,
)
from .recurrent import TimeRNN, TimeTokenRNN

__all__ = [
    "BinaryAdder",
    "CharRNN",
    "Network",
    "Sequential",
    "SimpleRnnlm",
    "TwoLayerNet",
    "load_parameters",
    "save_parameters",
]


class Sequential:
    """Layers in a row: each one's output is the next one's input.

    Parameters
    ----------
    **layers : layer
        In forward order, each under its own name. The parameters of layer ``hidden``
        appear in `params` as ``hidden.W``, ``hidden.b``, the gradients likewise.

    Raises
    ------
    TypeError
        If something has no ``forward``, ``backward`` and ``params``.
    ValueError
        If one layer object stands in two places, be it inside another `Sequential`:
        its second forward pass would overwrite what the first one kept, and the
        gradient would be silently wrong.
    """

    def __init__(self, **layers):
        for name, layer in layers.items():
            parts = ("forward", "backward", "params", "grads")
            _validate.having(name, layer, parts, "a layer")
        places = list(_places(layers))
        objects = [id(layer) for _, layer in places]
        if len(set(objects)) < len(objects):
            raise ValueError(
                "each layer must be an object of its own, got the same one under two names: "
                f"{', '.join(name for name, layer in places if objects.count(id(layer)) > 1)}"
            )
        self.layers = layers
        self.params = Parameters(self._gather("params"))

    @property
    def grads(self):
        """The gradients found by the last backward pass, under the names of `params`."""
        return self._gather("grads")

    def forward(self, x):
        """Return the output of the last layer."""
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def backward(self, dout):
        """Return dL/dx of the first layer's input; fill `grads`."""
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        return dout

    def _gather(self, kind):
        return {
            f"{name}.{key}": array
            for name, layer in self.layers.items()
            for key, array in getattr(layer, kind).items()
        }


def _places(layers, prefix=""):
    """Yield every layer with its name, those inside another `Sequential` too."""
    for name, layer in layers.items():
        yield prefix + name, layer
        if isinstance(layer, Sequential):
            yield from _places(layer.layers, f"{prefix}{name}.")


class Network:
    """Layers and a loss: what every model of the book has in common.

    Parameters
    ----------
    layers : Sequential
    loss_layer : layer
        With ``forward(y, t)`` and ``backward(dout)``.
    **names : str
        Short names for parameters, as in ``W1="hidden.W"``. Those without one are not
        trained. Without any short name, all are, under their long names.

    Attributes
    ----------
    params, grads : dict of str to ndarray
        The parameters, ready for an optimiser, and their gradients.
    """

    def __init__(self, layers, loss_layer, **names):
        parts = ("forward", "backward", "params", "grads")
        _validate.having("layers", layers, parts, "a Sequential")
        _validate.having("loss_layer", loss_layer, parts, "a layer")
        self.layers, self.loss_layer = layers, loss_layer
        self._names = names or {name: name for name in layers.params}
        self.params = Parameters({name: layers.params[n] for name, n in self._names.items()})
        self._pending = False

    @property
    def grads(self):
        """The gradients found by the last backward pass, under the names of `params`."""
        grads = self.layers.grads
        return {name: grads[n] for name, n in self._names.items() if n in grads}

    def predict(self, x):
        """Return the output of the last layer, before the loss; a state moves on."""
        self._pending = False  # the layers now remember this pass
        return self.layers.forward(x)

    def forward(self, x, t):
        """Return the loss for inputs and targets."""
        loss = self.loss_layer.forward(self.predict(x), t)
        self._pending = True
        return loss

    def backward(self, dout=1.0):
        """Fill `grads`; return dL/dx, or None where the inputs are token ids.

        Raises
        ------
        RuntimeError
            If the layers' last forward pass was not `forward` but a prediction: its
            memory is not that of the loss.
        """
        if not self._pending:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward needs a forward pass right before it")
        return self.layers.backward(self.loss_layer.backward(dout))

    def save(self, path):
        """Write the parameters to a file; see `save_parameters`."""
        save_parameters(path, self.params)

    def load(self, path):
        """Read the parameters from a file; see `load_parameters`."""
        load_parameters(path, self.params)


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
        dtype = self.params["Wx"].dtype
        _validate.floats("xs", xs, ("N", "T", 2), dtype=dtype, like="Wx")
        _validate.floats("ts", ts, (*xs.shape[:2], 1), dtype=dtype, like="Wx")
        return super().forward(xs, ts)

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

        Wx = _normal(rng, (V, H), 1, dtype)  # each one-hot row picks a single row
        Wh = _normal(rng, (H, H), H, dtype)
        Wy = _normal(rng, (H, V), H, dtype)
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
        V, dtype = len(self.params["Wx"]), self.params["Wx"].dtype
        _validate.indices("xs", xs, ("N", "T"), size=V, what="character ids")
        return super().predict(one_hot(xs, V, dtype=dtype))

    def forward(self, xs, ts):
        """Return the mean loss in nats per character; `ts` are the ids that follow `xs`."""
        return super().forward(xs, ts)

    def backward(self, dout=1.0):
        """Fill `grads`; return nothing, for ids have no derivative."""
        super().backward(dout)


class SimpleRnnlm(Network):
    """A language model: embedding, recurrent layer, scores for every token of the vocabulary.

    The weights begin normally distributed, the embedding with the standard deviation
    1/100, the others with one over the root of their inputs; the biases begin at zero.
    The recurrent layer is stateful: each batch goes on where the last one ended.

    Parameters
    ----------
    vocab_size, wordvec_size, hidden_size : int
    rng : numpy.random.Generator
    truncation : int, optional
        As for `TimeRNN`. What the end of a batch cuts off is cut off in any case.
    dtype : {numpy.float32, numpy.float64}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``embed.W`` (V, D), ``rnn.Wx`` (D, H), ``rnn.Wh`` (H, H), ``rnn.b`` (H,),
        ``affine.W`` (H, V), ``affine.b`` (V,). The gradient of the first is a
        `RowGradient`.
    """

    def __init__(
        self,
        vocab_size,
        wordvec_size,
        hidden_size,
        *,
        rng,
        truncation=None,
        dtype=np.float32,
    ):
        V = _validate.integer("vocab_size", vocab_size, minimum=1)
        D = _validate.integer("wordvec_size", wordvec_size, minimum=1)
        H = _validate.integer("hidden_size", hidden_size, minimum=1)
        _validate.generator("rng", rng)
        dtype = _validate.float_dtype("dtype", dtype)

        embed_W = _normal(rng, (V, D), 100**2, dtype)
        rnn_Wx = _normal(rng, (D, H), D, dtype)
        rnn_Wh = _normal(rng, (H, H), H, dtype)
        affine_W = _normal(rng, (H, V), H, dtype)
        rnn_b, affine_b = np.zeros(H, dtype), np.zeros(V, dtype)
        layers = Sequential(
            rnn=TimeTokenRNN(embed_W, rnn_Wx, rnn_Wh, rnn_b, stateful=True, truncation=truncation),
            affine=TimeAffine(affine_W, affine_b),
        )
        names = {"embed.W": "rnn.W"} | {name: name for name in [*layers.params][1:]}
        super().__init__(layers, TimeSoftmaxWithLoss(), **names)

    @property
    def rnn(self):
        """The recurrent layer, which holds the state."""
        return self.layers.layers["rnn"]

    def forward(self, xs, ts):
        """Return the mean loss in nats per token, and move the state on.

        Parameters
        ----------
        xs : ndarray of int, shape (N, T)
            Tokens.
        ts : ndarray of int, shape (N, T)
            The tokens that follow them.
        """
        V = len(self.params["embed.W"])
        _validate.indices("xs", xs, ("N", "T"), size=V, what="token ids")
        _validate.indices("ts", ts, xs.shape, size=V, what="token ids")
        return super().forward(xs, ts)

    def reset_state(self):
        """Forget what was read: begin the next batch at the state zero."""
        self.rnn.reset_state()

    def sample(self, start, length, *, rng, temperature=1.0):
        """Write on: draw tokens one after the other, each from what the model expects.

        Parameters
        ----------
        start : int, or ndarray of int, shape (K,)
            What to read first, from the state zero.
        length : int
            How many tokens to write.
        rng : numpy.random.Generator
        temperature : float
            The scores are divided by it. Below 1 the likely tokens become likelier; 0
            always takes the likeliest.

        Returns
        -------
        ndarray of int, shape (length,)
            The new tokens. The model itself is as before, its state too.
        """
        V = len(self.params["embed.W"])
        start = np.atleast_1d(start) if isinstance(start, (int, np.integer)) else start
        _validate.indices("start", start, ("K",), size=V, what="token ids")
        if len(start) == 0:
            raise ValueError("start must hold at least one token, got none")
        length = _validate.integer("length", length, minimum=0)
        _validate.generator("rng", rng)
        temperature = _validate.real("temperature", temperature, minimum=0)

        # Copies share the weights, but have a state and a memory of their own.
        layers = {name: copy.copy(layer) for name, layer in self.layers.layers.items()}
        layers["rnn"].reset_state()
        layers["rnn"].stateful = True
        writer, tokens, xs = Sequential(**layers), [], start[None]
        for _ in range(length):
            scores = writer.forward(xs)[0, -1].astype(np.float64)
            if temperature > 0:
                token = rng.choice(V, p=softmax(scores / temperature))
            else:
                token = scores.argmax()
            tokens.append(token)
            xs = np.array([[token]])
        return np.array(tokens, int)


def save_parameters(path, params):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    params : dict of str to ndarray
        Of finite floats; nothing else would be read again.
    """
    path = _npz("path", path)
    for name, param in _validate.named_arrays("params", params).items():
        _validate.floats(f"params[{name!r}]", param, None)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            np.savez(file, **params)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_parameters(path, params):
    """Read arrays from a file of `save_parameters` into the arrays of the same names.

    Parameters
    ----------
    path : str or os.PathLike
    params : dict of str to ndarray
        Overwritten in place, all or, if anything does not fit, none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError, TypeError
        If the file is not a whole ``.npz`` file, or its names, shapes or dtypes differ
        from those of `params`. Pickled objects are never loaded.
    """
    path = _npz("path", path)
    for name, param in _validate.named_arrays("params", params).items():
        _validate.steppable(f"params[{name!r}]", param)
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as content:
                arrays = dict(content)
        except Exception as e:  # damaged bytes raise whatever NumPy or zipfile stumbles over
            raise ValueError(f"{path.name} must be a whole .npz file of arrays, got: {e}") from None
    if set(arrays) != set(params):
        raise ValueError(
            f"{path.name} must hold the parameters {sorted(params)}, got {sorted(arrays)}"
        )
    for name, param in params.items():
        where = f"{name} in {path.name}"
        _validate.floats(where, arrays[name], param.shape, dtype=param.dtype, like="the model")
    for name, param in params.items():
        param[...] = arrays[name]


def _npz(name, value):
    path = _validate.path(name, value)
    if path.suffix != ".npz":
        raise ValueError(f"{name} must end in .npz, got {path.name!r}")
    return path


def _normal(rng, shape, fan_in, dtype):
    """Draw weights whose sums over `fan_in` inputs have variance 1."""
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(dtype)
