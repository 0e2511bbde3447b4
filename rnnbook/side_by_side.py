"""R networks of one shape, trained at once in one array program.

A claim that rests on seeds wants many networks: one for each seed, for each learning rate,
truncation or initial scale. `Networks` takes them ready made, stacks their weights along a first
axis of length R, and has the methods of one: `fit` trains it, `forward` returns R losses. The
networks do not meet; each comes out as if it had been trained alone.

One layout holds throughout. Time comes first, then the networks, then the batch:

======================  ============================================================
what                    shape
======================  ============================================================
inputs `xs`, targets    (T, R, N, D), or (T, 1, N, D) where all networks see the same
token ids               (T, R, N), or (T, 1, N)
states, scores          (T, R, N, H), (T, R, N, V)
weights                 (R, D, H): one matrix for each network
biases                  (R, 1, H)
losses                  (R,)
======================  ============================================================

So the equations are those of one network: ``xs[t] @ Wx + b`` is R products side by side. In
memory the steps of one network lie together, so that all of them are one product for it.
"""

import copy
import sys

import numpy as np

from . import _validate
from .functions import losses_and_exponentials, one_hot, sigmoid
from .layers import (
    Layer,
    Parameters,
    ReLU,
    Sigmoid,
    SquaredError,
    Tanh,
    TimeAffine,
    TimeSoftmaxWithLoss,
    distinct,
    probabilities_minus_truth,
)
from .network import Network, Sequential
from .recurrent import TimeGRU, TimeLSTM, TimeRNN, TimeTokenGRU, TimeTokenLSTM, TimeTokenRNN

__all__ = [
    "LogisticLosses",
    "Networks",
    "SoftmaxLosses",
    "SquaredLosses",
    "blocks",
    "random_cuts",
]


# What many networks compute comes and goes in pieces of a few hundred kilobytes. On Linux malloc
# gives such pieces back to the system and fetches them again, page by page, until it has seen a
# larger one freed. So here is one, which nobody touches: it saves up to a third of the time.
if sys.platform == "linux":
    np.empty(3_900_000)  # 31 MB; malloc takes no notice of more than 32


class Networks(Network):
    """R networks of one shape side by side.

    Parameters
    ----------
    networks : sequence of Network, or of Sequential
        Whose layers are recurrent (`TimeRNN`, `TimeLSTM`, `TimeGRU`, or these with an embedding,
        as in the language models), `TimeAffine`, or an activation; for example twenty
        `CharRNN`, each with a seed of its own. What makes each of them different comes along:
        its weights, its truncation, whether it is stateful. They are copied, and do not change.
    loss_layer : layer, optional
        `SoftmaxLosses`, `LogisticLosses`, `SquaredLosses` or your own: ``forward`` returns R
        losses, ``backward`` the gradients of the scores. Without it, that of the networks.
    **names : str
        Short names for parameters, as for `Network`. Without any, those of the networks.

    Attributes
    ----------
    params, grads : dict of str to ndarray
        The parameters of the networks, stacked: weights (R, in, out), biases (R, 1, out).
    links : callable, optional
        How gradients pass from step to step, for example ``blocks(5)``: called in each backward
        pass with T and R, it returns the factors of the T - 1 links, shape (T - 1, R), or
        (T - 1, 1) for all networks alike. It may draw them.

    Examples
    --------
    >>> nets = Networks([CharRNN(4, 3, rng=np.random.default_rng(seed)) for seed in range(20)])
    >>> losses = fit(nets, Adam(0.01), [(xs, ts)] * 300)  # (300, 20)
    """

    def __init__(self, networks, loss_layer=None, **names):
        first, *_ = networks = _networks(networks)
        stacks = [_layers(network) for network in networks]
        layers = {name: _beside(name, [stack[name] for stack in stacks]) for name in stacks[0]}
        if isinstance(first, Network):
            names = names or first.names
            if loss_layer is None and type(first.loss_layer) in _LOSSES:
                loss_layer = _LOSSES[type(first.loss_layer)]()
        super().__init__(Sequential(**layers), loss_layer, **names)
        recurrent = [layer for layer in layers.values() if isinstance(layer, _Recurrences)]
        if len(recurrent) != 1:
            raise ValueError(f"networks must have one recurrent layer, got {len(recurrent)}")
        (self.rnn,) = recurrent
        self.rnn.first = next(iter(layers.values())) is self.rnn
        alone = first.layers.params if isinstance(first, Network) else first.params
        self._shapes = {name: alone[self.names[name]].shape for name in self.params}

    def __len__(self):
        """Return R."""
        return len(self.rnn.params["Wh"])

    @property
    def states(self):
        """The hidden states of the last pass, (T + 1, R, N, H); the first is where it began."""
        _, states, _ = _validate.forwarded(self.rnn, self.rnn.cache)
        return states[0].copy()

    @property
    def links(self):
        """What the gradient of a state is multiplied with between steps; None: with 1."""
        return self.rnn.links

    @links.setter
    def links(self, links):
        if links is not None and self.rnn.truncation is not None:
            raise ValueError("links must be None where a truncation is set: one cut or the other")
        if links is not None and not callable(links):
            raise TypeError(
                "links must be a function of T and R, for example blocks(5), or None; "
                f"got {_validate.describe(links)}"
            )
        self.rnn.links = links

    def backward(self, dout=1.0):
        """Fill `grads`; return nothing, for what all networks share has no one derivative."""
        super().backward(dout)

    def reset_state(self):
        """Forget what was read: all networks begin at the state zero."""
        self.rnn.reset_state()

    def one(self, r):
        """Return copies of the parameters of network r, in the shapes that they have alone.

        ``model.params.update(nets.one(3))`` takes them home.
        """
        r = _validate.integer("r", r, minimum=0, maximum=len(self) - 1)
        return {name: W[r].reshape(self._shapes[name]).copy() for name, W in self.params.items()}

    def evaluate(self, tokens):
        """Return the mean loss of each language model on a whole text, in nats per token.

        Parameters
        ----------
        tokens : sequence of int, shape (K + 1,)
            All but the first are predicted. They are read once, from the state zero.

        Returns
        -------
        ndarray, shape (R,)
            The networks are as before, their states too.
        """
        V = self.rnn.vocabulary
        tokens = _validate.indices("tokens", tokens, ("K + 1",), size=V, what="token ids")
        K = len(tokens) - 1
        if K < 1:
            raise ValueError(f"tokens must hold at least two tokens, got {len(tokens)}")
        layers = {name: copy.copy(layer) for name, layer in self.layers.layers.items()}
        layers |= {
            name: self.rnn.reader() for name in layers if type(layers[name]) is type(self.rnn)
        }
        reader, losses, total = Sequential(**layers), SoftmaxLosses(1), 0.0
        for k in range(0, K, 512):  # steps that take a few megabytes
            xs, ts = tokens[k : min(k + 512, K)], tokens[k + 1 : k + 513]
            total += losses.forward(reader.forward(xs[:, None, None]), ts[:, None, None])
        return total / K


def blocks(k):
    """Return links that cut a sequence into blocks of k steps: no gradient leaves its block.

    Parameters
    ----------
    k : int, or sequence of int, shape (R,)
        For all networks, or one for each.
    """
    k = [_validate.integer("k", each, minimum=1) for each in np.ravel(k)]

    def links(T, R):
        return (np.arange(1, T)[:, None] % k != 0).astype(float)  # (T - 1, R or 1)

    return links


def random_cuts(p, rng):
    """Return links that are cut at random, and right on average.

    Each link is kept with probability p, and then counts 1 / p, so that the mean over many draws
    is the full gradient. They are drawn anew in each backward pass, for each network by itself.

    Parameters
    ----------
    p : float
        Above 0, up to 1.
    rng : numpy.random.Generator

    References
    ----------
    Tallec and Ollivier, "Unbiasing Truncated Backpropagation Through Time", 2017.
    """
    p = _validate.real("p", p, above=0)
    if p > 1:
        raise ValueError(f"p must be at most 1, got {p}")
    _validate.generator("rng", rng)
    return lambda T, R: (rng.random((R, T - 1)) < p).T / p


class _Losses(Layer):
    """What the losses of R networks share: each is a weighted sum over steps and batch.

    Parameters
    ----------
    weights : float or ndarray, optional
        Broadcast to (T, R, N). Without it 1 / (T N), which makes the mean.
    """

    def __init__(self, weights=None):
        if weights is not None:
            weights = np.array(_validate.number_or_floats("weights", weights))
        super().__init__()
        self.weights, self.cache = weights, None

    def _laid_out(self, scores, ts, *last, name="scores"):
        """Check the arguments; return them and the weights, networks first."""
        _validate.floats(name, scores, ("T", "R", "N", *last))
        T, R, N = scores.shape[:3]
        if scores.size == 0:
            raise ValueError(f"{name} must not be empty, got shape {scores.shape}")
        if _validate.array("ts", ts).shape[:3] not in ((T, R, N), (T, 1, N)):
            raise ValueError(
                f"ts must be an array of shape {(T, R, N)} or {(T, 1, N)}, and axes of its own, "
                f"got {_validate.describe(ts)}"
            )
        weights = np.asarray(1 / (T * N) if self.weights is None else self.weights, scores.dtype)
        axes = zip(weights.shape[::-1], (N, R, T), strict=False)
        if weights.ndim > 3 or any(size not in (1, whole) for size, whole in axes):
            raise ValueError(f"weights must broadcast to {(T, R, N)}, got shape {weights.shape}")
        weights = np.broadcast_to(weights, (T, R, N)) if weights.ndim else weights[None, None]
        ts = ts.copy()  # what is kept stays here
        if ts.shape[1] < R:
            ts = np.broadcast_to(ts, (T, R, N, *ts.shape[3:]))
        return [a.swapaxes(0, 1) for a in (scores, ts, weights)]


class SoftmaxLosses(_Losses):
    """The cross-entropies of R networks in nats: `TimeSoftmaxWithLoss` for each.

    .. math:: L_r = -\\sum_{t,n} w_{trn} \\ln y_{trn,k}, \\qquad y = \\mathrm{softmax}(s),

    where k is the true class. Without weights each :math:`L_r` is a mean.
    """

    def forward(self, scores, ts):
        """Return the losses (R,) of scores (T, R, N, V) and true ids (T, R or 1, N)."""
        ts = _validate.listed("ts", ts, "class ids")
        scores, ts, self.weighed = self._laid_out(scores, ts, "V")
        _validate.indices("ts", ts, scores.shape[:3], size=scores.shape[-1], what="class ids")
        losses, e, total = losses_and_exponentials(scores, ts)
        self.cache = e, total, ts
        losses *= self.weighed
        return losses.sum(axis=(1, 2))

    def backward(self, dout=1.0):
        """Return the gradients of the scores, (T, R, N, V)."""
        cache = _validate.forwarded(self, self.cache)
        weights = self.weighed * self.weighed.dtype.type(_validate.real("dout", dout))
        return probabilities_minus_truth(*cache, weights).swapaxes(0, 1)


class LogisticLosses(_Losses):
    """The losses in nats of R networks that answer yes or no by the sign of a score.

    .. math:: L_r = \\sum_{t,n} w_{trn} \\big(\\ln(1 + e^{s}) - t s\\big), \\qquad
              \\frac{\\partial L_r}{\\partial s} = w \\, (\\sigma(s) - t)
    """

    def forward(self, scores, ts):
        """Return the losses (R,) of scores (T, R, N, 1) and bits (T, R or 1, N, 1)."""
        scores, ts, weights = self._laid_out(scores, ts, 1)
        if ts.dtype.kind not in "biuf":
            raise TypeError(f"ts must hold bits, 0 or 1, got dtype {ts.dtype}")
        if ts.shape != scores.shape or not ((ts == 0) | (ts == 1)).all():
            raise ValueError("ts must hold bits, 0 or 1, one for each score")
        ts = ts.astype(scores.dtype)
        self.cache = scores.copy(), ts, weights[..., None]
        return ((np.logaddexp(0, scores) - ts * scores) * weights[..., None]).sum(axis=(1, 2, 3))

    def backward(self, dout=1.0):
        """Return the gradients of the scores, (T, R, N, 1)."""
        scores, ts, weights = _validate.forwarded(self, self.cache)
        dscores = (sigmoid(scores) - ts) * weights
        return (dscores * scores.dtype.type(_validate.real("dout", dout))).swapaxes(0, 1)


class SquaredLosses(_Losses):
    """Half the squared errors of R networks: `SquaredError` for each.

    .. math:: L_r = \\frac{1}{2} \\sum_{t,n} w_{trn} \\lVert y_{trn} - t_{trn} \\rVert^2

    Without weights each is a sum over steps and a mean over the batch, w = 1 / N.
    """

    def forward(self, ys, ts):
        """Return the losses (R,) of outputs (T, R, N, V) and targets (T, R or 1, N, V)."""
        ys, ts, weights = self._laid_out(ys, ts, "V", name="ys")
        _validate.floats("ts", ts, ys.shape, dtype=ys.dtype, like="ys")
        if self.weights is None:
            weights = weights * weights.dtype.type(ys.shape[1])  # a sum over the steps
        self.cache = ys - ts, weights[..., None]
        return ((ys - ts) ** 2 * weights[..., None]).sum(axis=(1, 2, 3)) / 2

    def backward(self, dout=1.0):
        """Return the gradients of the outputs, (T, R, N, V)."""
        difference, weights = _validate.forwarded(self, self.cache)
        scale = difference.dtype.type(_validate.real("dout", dout))
        return (difference * weights * scale).swapaxes(0, 1)


_LOSSES = {TimeSoftmaxWithLoss: SoftmaxLosses, SquaredError: SquaredLosses}


class _Recurrences:
    """R recurrent layers of one shape. The steps, there and back, are those of the one layer."""

    _shown = staticmethod(np.asarray)  # time first, as everything here

    def __init__(self, layers):
        stateful = np.array([layer.stateful for layer in layers])[:, None, None]
        vars(self).update(vars(layers[0]) | {"params": _stacked(layers), "stateful": stateful})
        self.grads = {}
        if any(layer.truncation is not None for layer in layers):
            every = [layer.truncation or np.iinfo(int).max for layer in layers]
            vars(self)["truncation"] = np.array(every)[:, None, None]
        self.links, self.cache, self.first = None, None, False
        self.reset_state()

    @property
    def vocabulary(self):
        """How many token ids there are; each stands for a one-hot row."""
        return self.params["Wx"].shape[1]

    def forward(self, xs):
        """Map inputs (T, R or 1, N, D), or ids without D, to hidden states (T, R, N, H)."""
        R, H, _ = self.params["Wh"].shape
        xs = self._checked(xs, R)
        T, _, N = xs.shape[:3]
        states = np.empty((len(self.NAMES), R, T + 1, N, H), self.params["Wh"].dtype)
        states = states.swapaxes(1, 2)  # (S, T + 1, R, N, H)
        if self._begin is not None and self._begin.shape[2] != N:
            raise ValueError(
                f"xs must have N = {self._begin.shape[2]}, the batch size of the states that the "
                f"layers begin in, got shape {xs.shape}; reset_state() forgets them"
            )
        states[:, 0] = 0 if self._begin is None else self._begin
        local = self._run(self._sums(xs), states)
        self.cache = xs, states, local
        self._end_in(states[:, -1])
        return np.copy(states[0, 1:])

    def backward(self, dhs):
        """Fill `grads`; return dL/dxs, (T, R, N, D), or None where `first` or for ids."""
        xs, states, _ = _validate.forwarded(self, self.cache)
        S, T, R, N, H = states[:, 1:].shape
        _validate.dout(dhs, (T, R, N, H), states.dtype, name="dhs", look=False)
        back = self._back_through_all if self.truncation is None else self._back_through_window
        back = back if self.links is None else self._back_through_links
        dstate = [np.zeros((R, N, H), states.dtype) for _ in range(S)]
        dsums, dstate = back(dhs, dstate, self._factors())
        dsums = dsums.reshape(T, R, N, -1)
        dxs, grads = self._back_to_inputs(xs, _rows(dsums))
        self.grads = {**grads, **self._back_to_weights(dsums)}
        self._show_dstate(dstate)
        return dxs if dxs is None else _steps(dxs, T)

    @staticmethod
    def _times(states, W, out=None):
        """Multiply (R, N, A) or (T, R, N, A) with (R, A, B), each network with its own."""
        if states.ndim == 3:
            return np.matmul(states, W, out=out)
        return _steps(_rows(states) @ W, len(states))

    def _checked(self, xs, R):
        """Return the inputs, ids as one-hot rows."""
        D, dtype = self.vocabulary, self.params["Wx"].dtype
        xs = _validate.listed("xs", xs, "token ids")
        if isinstance(xs, np.ndarray) and xs.dtype.kind in "iu":
            xs = one_hot(_ids(xs, D), D, dtype=dtype)
        _validate.floats("xs", xs, ("T", "R", "N", D), dtype=dtype, like="Wx")
        return _for_all(xs, R).copy()

    def _end_in(self, state):
        """Keep the states that the sequences ended in; those that are stateful go on there."""
        self._show(np.copy(state))
        if np.any(self.stateful):
            self._begin = state * self.stateful

    def _sums(self, xs):
        sums = _rows(xs) @ self._folded("Wx")  # (R or 1, T N, D) @ (R, D, G H) -> (R, T N, G H)
        sums += self._folded("b")
        return _steps(sums, len(xs))

    def _reaching(self, part, lag):
        return part if (lag < self.truncation).all() else part * (lag < self.truncation)

    def _back_through_links(self, dhs, dstate, factors):
        """Visit each cell once; between two cells, multiply with what their link lets through."""
        (T, R), WhT = dhs.shape[:2], np.ascontiguousarray(self.params["Wh"].mT)
        given, links = self.links(T, R), np.ones((T, R))
        if np.shape(given) not in ((T - 1, R), (T - 1, 1)):
            raise ValueError(
                f"links must return factors of shape {(T - 1, R)} or {(T - 1, 1)}, "
                f"got {np.shape(given)}"
            )
        links[1:] = given
        for t in reversed(range(T)):
            dstate[0] += dhs[t]
            dstate = self._back(dstate, *(factor[t] for factor in factors), WhT)
            dstate = [part * links[t, :, None, None].astype(part.dtype) for part in dstate]
        return factors[0], dstate

    def _back_to_inputs(self, xs, dsums):
        dWx = _rows(xs).mT @ dsums  # (R or 1, D, T N) @ (R, T N, G H) -> (R, D, G H)
        return None if self.first else dsums @ self.params["Wx"].mT, {"Wx": dWx}

    def _back_to_weights(self, dsums):
        _, (hs, *_), _ = self.cache
        hs, dqs = _rows(hs[:-1]), [_rows(dq) for dq in self._fed_back(dsums)]
        ones = np.ones((1, hs.shape[1]), hs.dtype)
        grads = {  # (R, H, T N) @ (R, T N, G H) -> (R, H, G H), and (1, T N) @ (R, T N, G H)
            "Wh": np.concatenate([hs.mT @ dq for dq in dqs], axis=-1),
            "b": ones @ _rows(dsums),
        }
        if "bh" in self.params:
            grads["bh"] = ones @ dqs[-1]  # (1, T N) @ (R, T N, H) -> (R, 1, H)
        return grads


class _OfIds:
    """Recurrent layers with embeddings: each distinct id is multiplied with Wx once."""

    @property
    def vocabulary(self):
        return self.params["W"].shape[1]

    def _checked(self, xs, R):
        return _for_all(_ids(xs, self.vocabulary), R)

    def _sums(self, xs):
        self._found = ids, places = self._places(xs)
        table = self.params["W"][:, ids] @ self._folded("Wx")  # (R, K, D) @ (R, D, G H)
        table += self._folded("b")
        return _steps(table[np.arange(len(table))[:, None], places], len(xs))

    def _back_to_inputs(self, xs, dsums):
        W, Wx, (ids, places) = self.params["W"], self.params["Wx"], self._found
        here = (np.arange(len(ids))[:, None] == places[:, None]).astype(W.dtype)
        summed = here @ dsums  # (R or 1, K, T N) @ (R, T N, G H) -> (R, K, G H)
        dW = np.zeros_like(W)
        dW[:, ids] = summed @ Wx.mT  # (R, K, G H) @ (R, G H, D) -> (R, K, D)
        return None, {"W": dW, "Wx": W[:, ids].mT @ summed}  # (R, D, K) @ (R, K, G H)

    def _places(self, xs):
        """Return the distinct ids (K,), and which of them stands at each place, (R or 1, T N)."""
        T, R, N = xs.shape
        return distinct(xs.swapaxes(0, 1).reshape(R, T * N), self.vocabulary)


class _Affines(Layer):
    """`TimeAffine` for R networks."""

    def __init__(self, layers):
        super().__init__(**_stacked(layers))
        self.x = None

    def forward(self, xs):
        """Map inputs (T, R, N, D) to outputs (T, R, N, H)."""
        W, b = self.params.values()
        R, D, _ = W.shape
        self.x = _validate.floats("xs", xs, ("T", R, "N", D), dtype=W.dtype, like="W", look=False)
        rows = _rows(xs) @ W  # (R, T N, D) @ (R, D, H) -> (R, T N, H)
        rows += b
        return _steps(rows, len(xs))

    def backward(self, dout):
        """Return dL/dxs, (T, R, N, D); fill `grads`."""
        xs, W = _validate.forwarded(self, self.x), self.params["W"]
        _validate.dout(dout, (*xs.shape[:3], W.shape[2]), W.dtype, look=False)
        rows = _rows(dout)
        self.grads = {
            "W": _rows(xs).mT @ rows,  # (R, D, T N) @ (R, T N, H) -> (R, D, H)
            "b": np.ones((1, rows.shape[1]), W.dtype) @ rows,  # -> (R, 1, H)
        }
        return _steps(rows @ W.mT, len(xs))  # (R, T N, H) @ (R, H, D) -> (R, T N, D)


class TimeRNNs(_Recurrences, TimeRNN):
    """`TimeRNN` for R networks."""


class TimeLSTMs(_Recurrences, TimeLSTM):
    """`TimeLSTM` for R networks."""


class TimeGRUs(_Recurrences, TimeGRU):
    """`TimeGRU` for R networks."""


class TimeTokenRNNs(_OfIds, _Recurrences, TimeTokenRNN):
    """`TimeTokenRNN` for R networks."""


class TimeTokenLSTMs(_OfIds, _Recurrences, TimeTokenLSTM):
    """`TimeTokenLSTM` for R networks."""


class TimeTokenGRUs(_OfIds, _Recurrences, TimeTokenGRU):
    """`TimeTokenGRU` for R networks."""


_KINDS = {
    TimeAffine: _Affines,
    TimeRNN: TimeRNNs,
    TimeLSTM: TimeLSTMs,
    TimeGRU: TimeGRUs,
    TimeTokenRNN: TimeTokenRNNs,
    TimeTokenLSTM: TimeTokenLSTMs,
    TimeTokenGRU: TimeTokenGRUs,
}


def _networks(networks):
    """Check that there are networks, all of one class and with layers of the same names."""
    if not isinstance(networks, (list, tuple)) or len(networks) == 0:
        raise TypeError(
            f"networks must be a list of networks, at least one, got {_validate.describe(networks)}"
        )
    for r, network in enumerate(networks):
        if not isinstance(network, (Network, Sequential)):
            raise TypeError(
                f"networks[{r}] must be a Network or Sequential, got {_validate.describe(network)}"
            )
        if type(network) is not type(networks[0]) or [*_layers(network)] != [*_layers(networks[0])]:
            raise ValueError(
                f"networks must be alike, got a {type(networks[0]).__name__} with the layers "
                f"{[*_layers(networks[0])]}, and as networks[{r}] a {type(network).__name__} with "
                f"{[*_layers(network)]}"
            )
    return networks


def _layers(network):
    """Return the layers of a network by name."""
    return network.layers.layers if isinstance(network, Network) else network.layers


def _beside(name, layers):
    """Return one layer that does for R networks what each of these does for one."""
    first = layers[0]
    if type(first) in _KINDS and all(_shape(layer) == _shape(first) for layer in layers):
        return _KINDS[type(first)](layers)
    if type(first) in (Sigmoid, Tanh, ReLU) and all(type(layer) is type(first) for layer in layers):
        return type(first)()
    if not first.params and all(layer is first for layer in layers):
        return first
    if type(first) in _KINDS:
        raise ValueError(f"the layers {name} must be of one kind, shape and dtype")
    raise TypeError(
        f"the layers {name} must be recurrent, TimeAffine or an activation, or one and the same "
        f"object without parameters, got {_validate.describe(first)}"
    )


def _shape(layer):
    """Return what must be the same in all layers."""
    params = {name: (W.shape, W.dtype) for name, W in layer.params.items()}
    return type(layer), params, getattr(layer, "f", None)


def _stacked(layers):
    """Stack the parameters of layers: weights (R, in, out), biases (R, 1, out)."""
    return Parameters(
        {
            name: np.stack([np.atleast_2d(layer.params[name]) for layer in layers])
            for name in layers[0].params
        }
    )


def _for_all(xs, R):
    """Check that the second axis has R entries, or one for all networks; that there are steps."""
    if xs.shape[1] not in (1, R):
        raise ValueError(f"xs must have R = {R} or 1 as its second axis, got shape {xs.shape}")
    if xs.size == 0:
        raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
    return xs


def _ids(xs, size):
    """Check token ids."""
    return _validate.indices("xs", xs, ("T", "R", "N"), size=size, what="token ids")


def _rows(steps):
    """Show (T, R, N, A) as (R, T N, A): all rows of a network one below the other."""
    T, R, N, A = steps.shape
    return steps.swapaxes(0, 1).reshape(R, T * N, A)


def _steps(rows, T):
    """Show (R, T N, A) as (T, R, N, A)."""
    R, TN, A = rows.shape
    return rows.reshape(R, T, TN // T, A).swapaxes(0, 1)
