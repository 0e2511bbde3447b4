"""Networks, put together from layers."""

import copy
from typing import NamedTuple

import numpy as np

from . import _validate
from .data import binary_addition, from_bits, one_hot, read_arrays, write_arrays
from .functions import softmax
from .layers import (
    Affine,
    Parameters,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    SquaredError,
    TimeAffine,
    TimeEmbedding,
    TimeSoftmaxWithLoss,
)
from .recurrent import TimeGRU, TimeLSTM, TimeRNN, TimeTokenRNN

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


class Reading(NamedTuple):
    """What a language model makes of a text of K tokens, step by step.

    Attributes
    ----------
    probabilities : ndarray of float64, shape (K, V)
        Row k: what the model expects after the tokens 0 to k.
    states : dict of str to ndarray, shape (K, H)
        The hidden states ``h`` after each token, and in an LSTM the cell states ``c``.
    gates : dict of str to ndarray, shape (K, H)
        The gates at each token: ``i, f, g, o`` of an LSTM, ``r, u, n`` of a GRU, none of
        a plain RNN.
    """

    probabilities: np.ndarray
    states: dict
    gates: dict


class LanguageModel(Network):
    """What language models have in common: tokens in, scores for the next token out.

    The layers are an embedding, a recurrent layer ``rnn`` that is stateful, so that each
    batch goes on where the last one ended, and ``affine``, which makes the scores.

    Parameters
    ----------
    layers : Sequential
    **names : str
        As for `Network`; ``embed.W`` and ``affine.W`` must be among them.
    """

    GATES = ()  # the names of the recurrent layer's gates

    def __init__(self, layers, **names):
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
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        return super().forward(xs, ts)

    def backward(self, dout=1.0):
        """Fill `grads`; return nothing, for tokens have no derivative."""
        super().backward(dout)

    def set_state(self, h, c=None):
        """Begin the next batch in this state, (N, H); an LSTM has two halves, h and c."""
        self.rnn.set_state(h, c)

    def reset_state(self):
        """Forget what was read: begin the next batch at the state zero."""
        self.rnn.reset_state()

    def read(self, tokens):
        """Read a text from the state zero, and tell what the model makes of it.

        Parameters
        ----------
        tokens : int, or ndarray of int, shape (K,)

        Returns
        -------
        Reading
            The model itself is as before, its state too; so it is after the next three.
        """
        tokens, reader = self._tokens("tokens", tokens), self._reader()
        scores = reader.forward(tokens[None])[0]  # (K, V)
        rnn = reader.layers["rnn"]
        _, states, local = rnn.cache
        states = {name: hs[1:, 0] for name, hs in zip(rnn.NAMES, states, strict=True)}
        gates = dict(zip(self.GATES, (gate[:, 0] for gate in local), strict=False))
        return Reading(softmax(scores.astype(np.float64)), states, gates)

    def next_probabilities(self, prefix, *, temperature=1.0):
        """Return the probability of each token to come next, float64, shape (V,).

        Parameters
        ----------
        prefix : int, or ndarray of int, shape (K,)
            What to read first, from the state zero.
        temperature : float
            The scores are divided by it. Below 1 the likely tokens become likelier; 0
            leaves only the likeliest.
        """
        prefix = self._tokens("prefix", prefix)
        temperature = _validate.real("temperature", temperature, minimum=0)
        return _expected(self._reader(), prefix, temperature)

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
            As for `next_probabilities`. At 0 nothing is drawn: the likeliest is taken.

        Returns
        -------
        ndarray of int, shape (length,)
            The new tokens.
        """
        new = self._tokens("start", start)
        length = _validate.integer("length", length, minimum=0)
        _validate.generator("rng", rng)
        temperature = _validate.real("temperature", temperature, minimum=0)
        writer, tokens = self._reader(), []
        for _ in range(length):
            p = _expected(writer, new, temperature)
            token = rng.choice(len(p), p=p) if temperature > 0 else p.argmax()
            tokens.append(token)
            new = np.array([token])
        return np.array(tokens, int)

    def evaluate(self, tokens, *, batch_size=1):
        """Return the mean loss on a whole text, in nats per token, without learning from it.

        The text is read once, from its beginning to its end, from the state zero. It may
        be long: it is read in chunks that fit in memory, and the state goes on.

        Parameters
        ----------
        tokens : ndarray of int, shape (K + 1,)
            All but the first are predicted: K of them, at least one.
        batch_size : int
            The number of places to read in at once, from 1 to K. More are faster, but
            each begins at the state zero: at its first tokens it knows less than it might.

        Returns
        -------
        float
        """
        V, H = self.params["affine.W"].shape[::-1]
        _validate.indices("tokens", tokens, ("K + 1",), size=V, what="token ids")
        K = len(tokens) - 1
        if K < 1:
            raise ValueError(f"tokens must hold at least two tokens, got {len(tokens)}")
        N = _validate.integer("batch_size", batch_size, minimum=1, maximum=K)
        reader, loss_layer, total = self._reader(), TimeSoftmaxWithLoss(), 0.0
        T = max(1, 2**20 // (V + 8 * H) // N)  # steps that take a few megabytes
        starts = np.arange(N)[:, None] * (K // N)
        for k in range(0, K // N, T):
            places = starts + np.arange(k, min(k + T, K // N))  # (N, T)
            loss = loss_layer.forward(reader.forward(tokens[places]), tokens[places + 1])
            total += float(loss) * places.size
        if rest := K % N:  # fewer than N: the last reader goes on alone
            rnn = reader.layers["rnn"]
            rnn.set_state(*(getattr(rnn, name)[-1:] for name in rnn.NAMES))
            scores = reader.forward(tokens[None, -rest - 1 : -1])
            total += float(loss_layer.forward(scores, tokens[None, -rest:])) * rest
        return total / K

    def _tokens(self, name, tokens):
        V = len(self.params["embed.W"])
        tokens = np.atleast_1d(tokens) if isinstance(tokens, (int, np.integer)) else tokens
        _validate.indices(name, tokens, ("K",), size=V, what="token ids")
        if len(tokens) == 0:
            raise ValueError(f"{name} must hold at least one token, got none")
        return tokens

    def _reader(self):
        """Return layers that share the weights, but have a state and a memory of their own."""
        layers = {name: copy.copy(layer) for name, layer in self.layers.layers.items()}
        layers["rnn"].reset_state()
        layers["rnn"].stateful = True
        return Sequential(**layers)


def _expected(reader, tokens, temperature):
    """Read on; return the probabilities of the next token, float64, shape (V,)."""
    scores = reader.forward(tokens[None])[0, -1].astype(np.float64)
    if temperature > 0:
        return softmax(scores / temperature)
    return one_hot(np.array(scores.argmax()), len(scores))


class SimpleRnnlm(LanguageModel):
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
        sizes = vocab_size, wordvec_size, hidden_size
        embed_W, rnn, affine = _lm_weights(1, *sizes, rng, dtype)
        layers = Sequential(
            rnn=TimeTokenRNN(embed_W, *rnn, stateful=True, truncation=truncation),
            affine=TimeAffine(*affine),
        )
        names = {"embed.W": "rnn.W"} | {name: name for name in [*layers.params][1:]}
        super().__init__(layers, **names)


class GatedRnnlm(LanguageModel):
    """A language model with gates: `SimpleRnnlm` with an LSTM or a GRU inside.

    The weights begin as those of `SimpleRnnlm`, so do the biases, but for that of the
    LSTM's forget gate: at 1 it keeps about 0.73 of its cell state at each step.

    Parameters
    ----------
    vocab_size, wordvec_size, hidden_size : int
    rng : numpy.random.Generator
    cell : {"lstm", "gru"}
    forget_bias : float, optional
        Where the bias of the forget gate begins: for an LSTM 1 unless given. A GRU has
        no forget gate, and takes none.
    truncation : int, optional
        As for `TimeRNN`.
    dtype : {numpy.float32, numpy.float64}

    Attributes
    ----------
    params, grads : dict of str to ndarray
        ``embed.W`` (V, D), ``rnn.Wx`` (D, GH), ``rnn.Wh`` (H, GH), ``rnn.b`` (GH,),
        ``affine.W`` (H, V), ``affine.b`` (V,), where G = 4 gates i, f, g, o of an LSTM,
        or G = 3 of a GRU, r, u, n, which has ``rnn.bh`` (H,) as well. The gradient of the
        first is a `RowGradient`.

    References
    ----------
    The bias: Gers, Schmidhuber and Cummins, "Learning to Forget", Neural Computation 12
    (2000); Jozefowicz, Zaremba and Sutskever, "An Empirical Exploration of Recurrent
    Network Architectures", ICML 2015.
    """

    def __init__(
        self,
        vocab_size,
        wordvec_size,
        hidden_size,
        *,
        rng,
        cell="lstm",
        forget_bias=None,
        truncation=None,
        dtype=np.float32,
    ):
        cell = _validate.choice("cell", cell, ("lstm", "gru"))
        if forget_bias is not None:
            forget_bias = _validate.real("forget_bias", forget_bias)
            if cell == "gru":
                raise ValueError(f"forget_bias must be left out with a GRU, got {forget_bias}")
        self.GATES = tuple("ifgo" if cell == "lstm" else "run")
        sizes = vocab_size, wordvec_size, hidden_size
        embed_W, rnn, affine = _lm_weights(len(self.GATES), *sizes, rng, dtype)
        if cell == "lstm":
            H = len(rnn[1])
            rnn[2][H : 2 * H] = 1 if forget_bias is None else forget_bias
        else:
            rnn.append(np.zeros(len(rnn[1]), embed_W.dtype))
        layer = TimeLSTM if cell == "lstm" else TimeGRU
        layers = Sequential(
            embed=TimeEmbedding(embed_W),
            rnn=layer(*rnn, stateful=True, truncation=truncation),
            affine=TimeAffine(*affine),
        )
        super().__init__(layers)


def _lm_weights(gates, vocab_size, wordvec_size, hidden_size, rng, dtype):
    """Draw the weights of a language model: of embedding, recurrent and affine layer."""
    V = _validate.integer("vocab_size", vocab_size, minimum=1)
    D = _validate.integer("wordvec_size", wordvec_size, minimum=1)
    H = _validate.integer("hidden_size", hidden_size, minimum=1)
    _validate.generator("rng", rng)
    dtype = _validate.float_dtype("dtype", dtype)
    embed_W = _normal(rng, (V, D), 100**2, dtype)
    Wx = _normal(rng, (D, gates * H), D, dtype)
    Wh = _normal(rng, (H, gates * H), H, dtype)
    affine_W = _normal(rng, (H, V), H, dtype)
    b, affine_b = np.zeros(gates * H, dtype), np.zeros(V, dtype)
    return embed_W, [Wx, Wh, b], [affine_W, affine_b]


def save_parameters(path, params):
    """Write named arrays into one ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
    params : dict of str to ndarray
        Of finite floats; nothing else would be read again.
    """
    for name, param in _validate.named_arrays("params", params).items():
        _validate.floats(f"params[{name!r}]", param, None)
    write_arrays(path, params)


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
    for name, param in _validate.named_arrays("params", params).items():
        _validate.steppable(f"params[{name!r}]", param)
    arrays, path = read_arrays(path), _validate.path("path", path)
    if set(arrays) != set(params):
        raise ValueError(
            f"{path.name} must hold the parameters {sorted(params)}, got {sorted(arrays)}"
        )
    for name, param in params.items():
        where = f"{name} in {path.name}"
        _validate.floats(where, arrays[name], param.shape, dtype=param.dtype, like="the model")
    for name, param in params.items():
        param[...] = arrays[name]


def _normal(rng, shape, fan_in, dtype):
    """Draw weights whose sums over `fan_in` inputs have variance 1."""
    return (rng.standard_normal(shape) / np.sqrt(fan_in)).astype(dtype)
