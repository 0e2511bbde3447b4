"""Recurrent layers: they make all steps of a sequence.

`Unrolled` puts cells one after the other, a Python object for every step, exactly as the
unrolled network is drawn; it is the definition. `TimeRNN`, `TimeLSTM` and `TimeGRU` compute
the same numbers fast: what does not depend on the step before is one matrix product for the
whole sequence. The only product left inside the loop is that with the last state.
"""

import copy

import numpy as np

from . import _validate
from .cells import GRUCell, LSTMCell, RNNCell, activation_of, recurrent_parameters
from .layers import Parameters, RowGradient, batch_first, time_first

__all__ = [
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "TimeGRU",
    "TimeLSTM",
    "TimeRNN",
    "TimeTokenRNN",
    "Unrolled",
]


class _Recurrent:
    """What all layers for sequences share: where a sequence begins, and their manners.

    A stateful layer begins each sequence in the state that the last one ended in; any
    other begins in the state of `set_state`, or at zero. `stateful` and `truncation` may be
    changed at any time; a state once kept stays until `reset_state`.
    """

    NAMES = ("h",)  # of the arrays that make up the state

    def __init__(self, params, stateful, truncation):
        self.params, self.grads = params, {}
        self.stateful, self.truncation = stateful, truncation
        self.cache = None
        self.reset_state()
        self._show_dstate([None] * len(self.NAMES))

    @property
    def stateful(self):
        """Whether each sequence begins in the state that the last one ended in."""
        return self._stateful

    @stateful.setter
    def stateful(self, value):
        self._stateful = _validate.boolean("stateful", value)

    @property
    def truncation(self):
        """The number of cells that the gradient of a step's loss passes, or None for all."""
        return self._truncation

    @truncation.setter
    def truncation(self, value):
        if value is not None:
            value = _validate.integer("truncation", value, minimum=1)
        self._truncation = value

    def set_state(self, h, c=None):
        """Begin in this state: the next sequence, or every one if the layer is not stateful.

        Parameters
        ----------
        h : ndarray, shape (N, H)
        c : ndarray, shape (N, H), optional
            The second half of an LSTM's state; other layers have none.
        """
        state = {"h": h} if c is None else {"h": h, "c": c}
        if tuple(state) != self.NAMES:
            raise TypeError(
                f"the state of this layer must be {' and '.join(self.NAMES)}, "
                f"got {' and '.join(state)}"
            )
        Wh = self.params["Wh"]
        shape = (len(h) if np.ndim(h) == 2 else "N", len(Wh))
        for name, value in state.items():
            _validate.floats(name, value, shape, dtype=Wh.dtype, like="Wh")
        if len(h) == 0:
            raise ValueError(f"h must hold the state of at least one sequence, got {h.shape}")
        self._begin = np.stack(list(state.values()))
        self._show(self._begin.copy())

    def reset_state(self):
        """Forget the state: begin the next sequence at zero."""
        self._begin = None
        self._show([None] * len(self.NAMES))

    def _check(self, xs):
        """Check the inputs; return N."""
        Wx = self.params["Wx"]
        _validate.floats("xs", xs, ("N", "T", len(Wx)), dtype=Wx.dtype, like="Wx")
        return len(xs)

    def _begin_in(self, xs):
        """Check the inputs; return the state to begin in, shape (S, N, H)."""
        N, Wh = self._check(xs), self.params["Wh"]
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        if self._begin is None:
            return np.zeros((len(self.NAMES), N, len(Wh)), Wh.dtype)
        if self._begin.shape[1] != N:
            raise ValueError(
                f"xs must have N = {self._begin.shape[1]}, the batch size of the state that this "
                f"layer begins in, got shape {xs.shape}; reset_state() forgets that state"
            )
        return self._begin

    def _end_in(self, state):
        """Keep the state that a sequence ended in; if stateful, the next begins in it."""
        self._show(state)
        if self.stateful:
            self._begin = state.copy()

    def _show(self, state):
        """Let the reader see the state, as `h` (and `c`)."""
        for name, value in zip(self.NAMES, state, strict=True):
            setattr(self, name, value)

    def _show_dstate(self, dstate):
        """Let the reader see the gradient of the state at the beginning, `dh0` (and `dc0`)."""
        for name, value in zip(self.NAMES, dstate, strict=True):
            setattr(self, f"d{name}0", value)


class Unrolled(_Recurrent):
    """Cells in a row, one Python object for every step: the unrolled network, literally.

    This is the definition that `TimeRNN`, `TimeLSTM` and `TimeGRU` are tested against,
    and it has their methods. It is slow.

    Parameters
    ----------
    cell : RNNCell, LSTMCell or GRUCell
        Copied for every step; the copies share its parameters.
    stateful : bool
    truncation : int, optional
        As for `TimeRNN`.
    """

    def __init__(self, cell, stateful=False, truncation=None):
        _validate.having("cell", cell, ("forward", "backward", "params", "NAMES"), "a cell")
        if isinstance(cell, _Recurrent):
            raise TypeError(f"cell must make a single step, got a {type(cell).__name__}")
        self.cell, self.NAMES = cell, cell.NAMES
        super().__init__(cell.params, stateful, truncation)

    def forward(self, xs):
        """Map inputs (N, T, D) to hidden states (N, T, H)."""
        state = self._begin_in(xs)
        cells, hs = [], []
        for t in range(xs.shape[1]):
            cells.append(copy.copy(self.cell))
            state = np.reshape(cells[t].forward(xs[:, t], *state), state.shape)
            hs.append(state[0])
        self.cache = cells, xs.shape
        self._end_in(state.copy())
        return np.stack(hs, axis=1)

    def backward(self, dhs):
        """Return dL/dxs, shape (N, T, D); fill `grads`; leave dL/dh0 in `dh0`."""
        cells, (N, T, D) = _validate.forwarded(self, self.cache)
        H, dtype = len(self.params["Wh"]), self.params["Wh"].dtype
        _validate.dout(dhs, (N, T, H), dtype, name="dhs")
        dxs = np.zeros((N, T, D), dtype)
        grads = {name: np.zeros_like(param) for name, param in self.params.items()}
        zeros = np.zeros((len(self.NAMES), N, H), dtype)

        def through(t, dh, *dc):
            """Send a gradient back through cell t, collecting what it leaves there."""
            dx, *dstate = cells[t].backward(dh, *dc)
            dxs[:, t] += dx
            for name, grad in cells[t].grads.items():
                grads[name] += grad
            return dstate

        if self.truncation is None:
            dstate = zeros
            for t in reversed(range(T)):  # a state feeds its output and the next step
                dstate = through(t, dhs[:, t] + dstate[0], *dstate[1:])
        else:
            dstate = zeros.copy()
            for t in range(T):  # the loss at step t reaches the cells t, t - 1, ...
                reaching = dhs[:, t], *zeros[1:]
                for s in range(t, max(t - self.truncation, -1), -1):
                    reaching = through(s, *reaching)
                if s == 0:
                    dstate += reaching
        self.grads = grads
        self._show_dstate(dstate)
        return dxs


class _TimeLayer(_Recurrent):
    """The fused path: what is not recurrent is done for all steps at once.

    A subclass says how the steps are made, `_run`, and how a gradient passes back
    through one cell, or through many side by side, `_back`.
    """

    GATES = ()  # the names of the gates, which stand first in what `_run` returns

    def forward(self, xs):
        """Map inputs (N, T, D) to hidden states (N, T, H)."""
        begin = self._begin_in(xs)
        xs = time_first(xs)
        states = np.empty((len(begin), len(xs) + 1, *begin.shape[1:]), begin.dtype)
        states[:, 0] = begin  # states: (S, T + 1, N, H)
        local = self._run(self._sums(xs), states)
        self.cache = xs, states, local
        self._end_in(states[:, -1].copy())
        return batch_first(states[0, 1:].copy())  # what is kept stays out of reach

    def backward(self, dhs):
        """Return dL/dxs, shape (N, T, D); fill `grads`; leave dL/dh0 in `dh0`."""
        xs, states, _ = _validate.forwarded(self, self.cache)
        T, N, H = states[0, 1:].shape
        _validate.dout(dhs, (N, T, H), states.dtype, name="dhs")
        full = self.truncation is None or self.truncation >= T
        back = self._back_through_all if full else self._back_through_window
        dsums = np.zeros((T, N, len(self.params["b"])), states.dtype)
        dstate = back(time_first(dhs), dsums, np.zeros_like(states[:, 0]))
        dsums = dsums.reshape(T * N, -1)
        dxs, grads = self._back_to_inputs(xs, dsums)
        self.grads = {**grads, **self._back_to_weights(dsums)}
        self._show_dstate(dstate)
        return dxs

    def _sums(self, xs):
        """Return what the inputs add to the sums of every gate: x Wx + b, all steps at once."""
        (T, N, D), Wx = xs.shape, self.params["Wx"]
        sums = xs.reshape(T * N, D) @ Wx  # (T N, D) @ (D, G H) -> (T N, G H)
        sums += self.params["b"]
        return sums.reshape(T, N, -1)

    def _back_to_inputs(self, xs, dsums):
        """Return dL/dxs, and the gradients of the weights that meet the inputs."""
        (T, N, D), Wx = xs.shape, self.params["Wx"]
        dWx = xs.reshape(T * N, D).T @ dsums  # (D, T N) @ (T N, G H) -> (D, G H)
        dxs = dsums @ Wx.T  # (T N, G H) @ (G H, D) -> (T N, D)
        return batch_first(dxs.reshape(T, N, D)), {"Wx": dWx}

    def _back_through_all(self, dhs, dsums, dstate):
        """Visit each cell once, the last one first: full BPTT."""
        for t in reversed(range(len(dhs))):
            dstate[0] += dhs[t]  # a state feeds its output and the next step
            dsums[t], dstate = self._back(t, dstate)
        return dstate

    def _back_through_window(self, dhs, dsums, dstate):
        """Take the losses of all steps back side by side, one cell further at a time."""
        T = len(dhs)
        dstates = np.zeros((len(dstate), *dhs.shape), dhs.dtype)
        dstates[0] = dhs
        for lag in range(self.truncation):
            # dstates: (S, T - lag, N, H); what is at t comes from the loss at step t + lag.
            dsum, dstates = self._back(slice(T - lag), dstates)
            dsums[: T - lag] += dsum
            dstate += dstates[:, 0]  # has arrived where the sequence begins
            dstates = dstates[:, 1:]
        return dstate

    def _back_to_weights(self, dsums):
        """Return the gradients of the weights that meet the states, and of the biases."""
        _, (hs, *_), _ = self.cache
        h_prev = hs[:-1].reshape(len(dsums), -1)
        return {
            "Wh": h_prev.T @ dsums,  # (H, T N) @ (T N, G H) -> (H, G H)
            "b": dsums.sum(axis=0),  # (T N, G H) -> (G H,)
        }

    def trace(self):
        """Return the states and the gates of the last forward pass, at every step.

        Returns
        -------
        states, gates : dict of str to ndarray, shape (N, T, H)
            By the names in `NAMES` and in `GATES`.
        """
        _, states, local = _validate.forwarded(self, self.cache)
        return tuple(
            {name: batch_first(part.copy()) for name, part in zip(names, parts, strict=False)}
            for names, parts in ((self.NAMES, states[:, 1:]), (self.GATES, local))
        )


class TimeRNN(_TimeLayer):
    """A plain recurrent layer over a whole sequence: `RNNCell`, T times.

    .. math:: h_t = \\tanh(x_t W_x + h_{t-1} W_h + b), \\qquad t = 1, \\dots, T

    where :math:`h_0` is the state that the sequence begins in.

    Parameters
    ----------
    Wx : ndarray, shape (D, H)
    Wh : ndarray, shape (H, H)
    b : ndarray, shape (H,)
        All float32 or all float64. The layer uses the arrays themselves, no copies.
    stateful : bool
        Begin each sequence in the state in which the last one ended.
    truncation : int, optional
        Cut the gradient, never the state: with ``truncation=k`` the loss at step t is
        differentiated through the cells t, t - 1, ..., t - k + 1 only. So k = 1 carries
        no gradient from step to step; ``None``, or k >= T, is full BPTT.
    activation : {"tanh", "sigmoid"}

    Attributes
    ----------
    h : ndarray, shape (N, H)
        The state after the last forward pass.
    dh0 : ndarray, shape (N, H)
        The gradient with respect to the state that the sequence began in.

    References
    ----------
    The window of the truncation: Williams and Peng, "An Efficient Gradient-Based
    Algorithm for On-Line Training of Recurrent Network Trajectories", Neural
    Computation 2 (1990).
    """

    def __init__(self, Wx, Wh, b, stateful=False, truncation=None, activation="tanh"):
        super().__init__(recurrent_parameters(1, Wx=Wx, Wh=Wh, b=b), stateful, truncation)
        self.f, self.df = activation_of(activation)

    def _run(self, sums, states):
        (hs,), Wh = states, self.params["Wh"]
        for t in range(len(sums)):
            hs[t + 1] = self.f(sums[t] + hs[t] @ Wh)  # (N, H) @ (H, H) -> (N, H)
        return self.df(hs[1:])

    def _back(self, cells, dstate):
        (dh,), (_, _, slopes) = dstate, self.cache
        dz = dh * slopes[cells]  # (..., N, H)
        return dz, (dz @ self.params["Wh"].T)[None]  # (..., N, H) @ (H, H) -> (..., N, H)


class TimeTokenRNN(TimeRNN):
    """`TimeEmbedding` and `TimeRNN` in one: the same numbers with less work.

    Wherever a token stands, its vector meets the same weights. So each distinct token
    of the batch is multiplied with Wx once, not at every place where it occurs; and on
    the way back the gradients of those places are added up before they are multiplied.

    Parameters
    ----------
    W : ndarray, shape (V, D)
        The embedding.
    Wx, Wh, b : ndarray
    stateful : bool
    truncation : int, optional
        As for `TimeRNN`.
    """

    def __init__(self, W, Wx, Wh, b, stateful=False, truncation=None):
        super().__init__(Wx, Wh, b, stateful, truncation)
        _validate.floats("W", W, ("V", len(Wx)), dtype=Wx.dtype, like="Wx")
        if len(W) == 0:
            raise ValueError(f"W must hold at least one token, got shape {W.shape}")
        self.params = Parameters(W=W, **self.params)

    def _check(self, xs):
        V = len(self.params["W"])
        return len(_validate.indices("xs", xs, ("N", "T"), size=V, what="token ids"))

    def _sums(self, xs):
        W, Wx, _, b = self.params.values()
        tokens, places = np.unique(xs, return_inverse=True)
        return (W[tokens] @ Wx + b)[places]  # (K, D) @ (D, H) -> (K, H), then (T, N, H)

    def _back_to_inputs(self, xs, dsums):
        W, Wx, _, _ = self.params.values()
        summed = RowGradient.summed(xs.ravel(), dsums, (len(W), dsums.shape[1]))
        dWx = W[summed.ids].T @ summed.rows  # (D, K) @ (K, H) -> (D, H)
        rows = summed.rows @ Wx.T  # (K, H) @ (H, D) -> (K, D)
        return None, {"W": RowGradient(summed.ids, rows, W.shape), "Wx": dWx}


class TimeLSTM(_TimeLayer):
    """A long short-term memory over a whole sequence: `LSTMCell`, T times.

    Parameters
    ----------
    Wx : ndarray, shape (D, 4H)
    Wh : ndarray, shape (H, 4H)
    b : ndarray, shape (4H,)
    stateful : bool
    truncation : int, optional
        As for `TimeRNN`; the cut goes through h and c alike.

    Attributes
    ----------
    h, c : ndarray, shape (N, H)
        The state after the last forward pass.
    dh0, dc0 : ndarray, shape (N, H)
        The gradients with respect to the state that the sequence began in.
    """

    NAMES, GATES = LSTMCell.NAMES, ("i", "f", "g", "o")

    def __init__(self, Wx, Wh, b, stateful=False, truncation=None):
        super().__init__(recurrent_parameters(4, Wx=Wx, Wh=Wh, b=b), stateful, truncation)

    def _run(self, sums, states):
        (hs, cs), Wh, gates = states, self.params["Wh"], []
        for t in range(len(sums)):
            z = sums[t] + hs[t] @ Wh  # (N, H) @ (H, 4H) -> (N, 4H)
            gate, hs[t + 1], cs[t + 1] = LSTMCell.from_sums(z, cs[t])
            gates.append(gate)
        return np.stack(gates, axis=1)  # (4, T, N, H)

    def _back(self, cells, dstate):
        _, (_, cs), gates = self.cache
        dz, dc = LSTMCell.to_sums(gates[:, cells], cs[:-1][cells], cs[1:][cells], *dstate)
        return dz, np.stack([dz @ self.params["Wh"].T, dc])  # (..., N, 4H) @ (4H, H)


class TimeGRU(_TimeLayer):
    """A gated recurrent unit over a whole sequence: `GRUCell`, T times.

    Parameters
    ----------
    Wx : ndarray, shape (D, 3H)
    Wh : ndarray, shape (H, 3H)
    b : ndarray, shape (3H,)
    bh : ndarray, shape (H,)
    stateful : bool
    truncation : int, optional
        As for `TimeRNN`.

    Attributes
    ----------
    h, dh0 : ndarray, shape (N, H)
        As for `TimeRNN`.
    """

    GATES = ("r", "u", "n")

    def __init__(self, Wx, Wh, b, bh, stateful=False, truncation=None):
        super().__init__(recurrent_parameters(3, Wx=Wx, Wh=Wh, b=b, bh=bh), stateful, truncation)

    def _run(self, sums, states):
        (hs,), Wh, bh, gates = states, self.params["Wh"], self.params["bh"], []
        for t in range(len(sums)):
            q = hs[t] @ Wh  # (N, H) @ (H, 3H) -> (N, 3H)
            gate, hs[t + 1] = GRUCell.from_sums(sums[t], q, bh, hs[t])
            gates.append(gate)
        return np.stack(gates, axis=1)  # (4, T, N, H)

    def _back(self, cells, dstate):
        _, (hs,), gates = self.cache
        da, dq, dh = GRUCell.to_sums(gates[:, cells], hs[:-1][cells], dstate[0])
        return da, (dh + dq @ self.params["Wh"].T)[None]  # (..., N, 3H) @ (3H, H)

    def _back_to_weights(self, dsums):
        _, (hs,), (r, *_) = self.cache
        TN, H = len(dsums), len(self.params["Wh"])
        dq = dsums.copy()
        dq[:, 2 * H :] *= r.reshape(TN, H)  # what reset let through
        return {
            "Wh": hs[:-1].reshape(TN, H).T @ dq,  # (H, T N) @ (T N, 3H) -> (H, 3H)
            "b": dsums.sum(axis=0),  # (T N, 3H) -> (3H,)
            "bh": dq[:, 2 * H :].sum(axis=0),  # (T N, H) -> (H,)
        }
