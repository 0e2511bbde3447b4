"""Language models: they read a text, say what comes next, write on, and are judged by a text."""

import copy
from typing import NamedTuple

import numpy as np

from . import _validate
from .functions import one_hot, softmax
from .layers import TimeAffine, TimeSoftmaxWithLoss, time_first
from .network import Network, Sequential, normal_weights
from .recurrent import TimeTokenGRU, TimeTokenLSTM, TimeTokenRNN

__all__ = ["GatedRnnlm", "LanguageModel", "Reading", "SimpleRnnlm"]


_COLD = 1e-200  # a temperature that is as good as 0, and by which a score should not be divided


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

    Parameters
    ----------
    rnn : TimeTokenRNN, TimeTokenLSTM or TimeTokenGRU
        The embedding and the recurrent layer in one. It is stateful: each batch goes on
        where the last one ended.
    affine : TimeAffine
        Makes the scores.
    """

    def __init__(self, rnn, affine):
        layers = Sequential(rnn=rnn, affine=affine)
        names = {name: name for name in layers.params if name != "rnn.W"}
        super().__init__(layers, TimeSoftmaxWithLoss(), **{"embed.W": "rnn.W"}, **names)

    @property
    def rnn(self):
        """The embedding and the recurrent layer."""
        return self.layers.layers["rnn"]

    @property
    def affine(self):
        """The layer that makes the scores."""
        return self.layers.layers["affine"]

    def forward(self, xs, ts):
        """Return the mean loss in nats per token, and move the state on.

        Parameters
        ----------
        xs : ndarray of int, or nested lists, shape (N, T)
            Tokens.
        ts : ndarray of int, or nested lists, shape (N, T)
            The tokens that follow them.
        """
        V = len(self.rnn.params["W"])
        xs = _validate.indices("xs", xs, ("N", "T"), size=V, what="token ids")
        ts = _validate.indices("ts", ts, xs.shape, size=V, what="token ids")
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        self.rnn.check_batch(xs)
        self._pending = False
        scores = self.layers.forward_steps(time_first(xs))
        loss = self.loss_layer.forward_steps(scores, time_first(ts))
        self._pending = True
        return _validate.finite("the loss", loss)

    def backward(self, dout=1.0):
        """Fill `grads`; return nothing, for tokens have no derivative."""
        self._check_pending()
        dscores = self.loss_layer.backward_steps(_validate.real("dout", dout))
        self.layers.backward_steps(dscores)

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
        tokens : int, or sequence of int, shape (K,)

        Returns
        -------
        Reading
            The model itself is as before, its state too; so it is after the next three.
        """
        tokens, reader = self._tokens("tokens", tokens), self._reader()
        scores = _scores(reader, tokens[:, None])[:, 0]  # (K, V)
        traces = reader[0].trace()
        states, gates = ({name: part[0] for name, part in trace.items()} for trace in traces)
        return Reading(softmax(scores.astype(np.float64)), states, gates)

    def next_probabilities(self, prefix, *, temperature=1.0):
        """Return the probability of each token to come next, float64, shape (V,).

        Parameters
        ----------
        prefix : int, or sequence of int, shape (K,)
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
        start : int, or sequence of int, shape (K,)
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
            token = _draw(p, rng) if temperature > 0 else p.argmax()
            tokens.append(token)
            new = np.array([token])
        return np.array(tokens, int)

    def evaluate(self, tokens, *, batch_size=1):
        """Return the mean loss on a whole text, in nats per token, without learning from it.

        The text is read once, from its beginning to its end, from the state zero. It may
        be long: it is read in chunks that fit in memory, and the state goes on.

        Parameters
        ----------
        tokens : sequence of int, shape (K + 1,)
            All but the first are predicted: K of them, at least one.
        batch_size : int
            The number of places to read in at once, from 1 to K. More are faster, but
            each begins at the state zero: at its first tokens it knows less than it might.

        Returns
        -------
        float
        """
        V, H = self.params["affine.W"].shape[::-1]
        tokens = _validate.indices("tokens", tokens, ("K + 1",), size=V, what="token ids")
        K = len(tokens) - 1
        if K < 1:
            raise ValueError(f"tokens must hold at least two tokens, got {len(tokens)}")
        N = _validate.integer("batch_size", batch_size, minimum=1, maximum=K)
        reader, loss_layer, total = self._reader(), TimeSoftmaxWithLoss(), 0.0
        T = max(1, 2**20 // (V + 8 * H) // N)  # steps that take a few megabytes
        starts = np.arange(N) * (K // N)
        for k in range(0, K // N, T):
            places = np.arange(k, min(k + T, K // N))[:, None] + starts  # (T, N)
            loss = loss_layer.forward_steps(_scores(reader, tokens[places]), tokens[places + 1])
            total += float(loss) * places.size
        if rest := K % N:  # fewer than N: the last reader goes on alone
            rnn, _ = reader
            rnn.set_state(*(getattr(rnn, name)[-1:] for name in rnn.NAMES))
            scores = _scores(reader, tokens[-rest - 1 : -1, None])
            total += float(loss_layer.forward_steps(scores, tokens[-rest:, None])) * rest
        return _validate.finite("the loss", np.float64(total / K)).item()

    def _tokens(self, name, tokens):
        V = len(self.params["embed.W"])
        tokens = [tokens] if isinstance(tokens, (int, np.integer)) else tokens
        tokens = _validate.indices(name, tokens, ("K",), size=V, what="token ids")
        if len(tokens) == 0:
            raise ValueError(f"{name} must hold at least one token, got none")
        return tokens

    def _reader(self):
        """Return layers that share the weights, but have a state and a memory of their own.

        The weights are looked at first: tanh and sigmoid would make numbers of infinite sums.
        """
        for name, param in self.params.items():
            _validate.finite(f"params[{name!r}]", param)
        return self.rnn.reader(), copy.copy(self.affine)


def _scores(layers, tokens):
    """Read tokens (T, N), which have been checked, on; return the scores (T, N, V)."""
    rnn, affine = layers
    return affine.forward_steps(rnn.forward_steps(tokens))


def _draw(p, rng):
    """Draw a number with these probabilities: what ``rng.choice(len(p), p=p)`` does, faster."""
    up_to = p.cumsum()
    up_to /= up_to[-1]
    return up_to.searchsorted(rng.random(), side="right")


def _expected(reader, tokens, temperature):
    """Read on; return the probabilities of the next token, float64, shape (V,)."""
    scores = _scores(reader, tokens[:, None])[-1, 0].astype(np.float64)
    if temperature > _COLD:
        return softmax(scores / temperature)
    _validate.finite("the scores", scores)
    return one_hot(np.array(scores.argmax()), len(scores))


class SimpleRnnlm(LanguageModel):
    """A language model: embedding and recurrent layer in one, scores for every token.

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
        rnn = TimeTokenRNN(embed_W, *rnn, stateful=True, truncation=truncation)
        super().__init__(rnn, TimeAffine(*affine))


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
        layer = TimeTokenLSTM if cell == "lstm" else TimeTokenGRU
        sizes = vocab_size, wordvec_size, hidden_size
        embed_W, rnn, affine = _lm_weights(len(layer.GATES), *sizes, rng, dtype)
        if cell == "lstm":
            H = len(rnn[1])
            rnn[2][H : 2 * H] = 1 if forget_bias is None else forget_bias
        else:
            rnn.append(np.zeros(len(rnn[1]), embed_W.dtype))
        rnn = layer(embed_W, *rnn, stateful=True, truncation=truncation)
        super().__init__(rnn, TimeAffine(*affine))


def _lm_weights(gates, vocab_size, wordvec_size, hidden_size, rng, dtype):
    """Draw the weights of a language model: of embedding, recurrent and affine layer."""
    V = _validate.integer("vocab_size", vocab_size, minimum=1)
    D = _validate.integer("wordvec_size", wordvec_size, minimum=1)
    H = _validate.integer("hidden_size", hidden_size, minimum=1)
    _validate.generator("rng", rng)
    dtype = _validate.float_dtype("dtype", dtype)
    embed_W = normal_weights(rng, (V, D), 100**2, dtype)
    Wx = normal_weights(rng, (D, gates * H), D, dtype)
    Wh = normal_weights(rng, (H, gates * H), H, dtype)
    affine_W = normal_weights(rng, (H, V), H, dtype)
    b, affine_b = np.zeros(gates * H, dtype), np.zeros(V, dtype)
    return embed_W, [Wx, Wh, b], [affine_W, affine_b]
