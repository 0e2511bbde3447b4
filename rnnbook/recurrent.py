"""Recurrent layers: they make all steps of a sequence.

`Unrolled` puts cells one after the other, a Python object for every step, exactly as the
unrolled network is drawn; it is the definition. `TimeRNN`, `TimeLSTM` and `TimeGRU` compute
the same numbers fast: what does not depend on the step before is one matrix product for the
whole sequence. The only product left inside the loop is that with the last state.
"""

import copy

import numpy as np

from . import _validate
from .cells import GRUCell, LSTMCell, RNNCell, activation_of, recurrent_parameters, tanh_slope
from .layers import Layer, Parameters, RowGradient, batch_first, distinct, sum_rows, time_first

__all__ = [
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "TimeGRU",
    "TimeLSTM",
    "TimeRNN",
    "TimeTokenGRU",
    "TimeTokenLSTM",
    "TimeTokenRNN",
    "Unrolled",
]


def _limit(name, value):
    return None if value is None else _validate.integer(name, value, minimum=1)


class _Recurrent(Layer):
    """What all layers for sequences share: where a sequence begins, and their manners.

    A stateful layer begins each sequence in the state that the last one ended in; any
    other begins in the state of `set_state`, or at zero. `stateful` and `truncation` may be
    changed at any time; a state once kept stays until `reset_state`.
    """

    NAMES = ("h",)  # of the arrays that make up the state
    stateful = _validate.Setting(_validate.boolean)
    truncation = _validate.Setting(_limit)

    def __init__(self, params, stateful, truncation):
        self.params, self.grads = _validate.apart("parameters", params), {}
        self.stateful, self.truncation = stateful, truncation
        self.cache = None
        self.reset_state()
        self._show_dstate([None] * len(self.NAMES))

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
        """Return the inputs, checked."""
        Wx = self.params["Wx"]
        _validate.floats("xs", xs, ("N", "T", len(Wx)), dtype=Wx.dtype, like="Wx")
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        return self.check_batch(xs)

    def check_batch(self, xs):
        """Check that a batch (N, T, ...) fits the state that the layer begins in; return it."""
        if self._begin is not None and self._begin.shape[1] != len(xs):
            raise ValueError(
                f"xs must have N = {self._begin.shape[1]}, the batch size of the state that this "
                f"layer begins in, got shape {xs.shape}; reset_state() forgets that state"
            )
        return xs

    def _begin_with(self, N):
        """Return the state to begin in, shape (S, N, H)."""
        Wh = self.params["Wh"]
        if self._begin is not None:
            return self._begin
        return np.zeros((len(self.NAMES), N, len(Wh)), Wh.dtype)

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
        xs = self._check(xs)
        state, cells, hs = self._begin_with(len(xs)), [], []
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

    A subclass says how the steps are made, `_run`; and how a gradient passes back through
    one cell, or through many side by side, `_back`. All that it is multiplied with there
    without a look at the future is made for all steps at once, `_factors`. The first of
    them stand where the gradients of the sums will: `_back` multiplies them in place.
    """

    GATES = ()
    _times = staticmethod(np.dot)  # a product of states (..., N, H) with weights
    _shown = staticmethod(batch_first)  # how a reader sees what is kept time first

    def forward(self, xs):
        """Map inputs (N, T, D) to hidden states (N, T, H)."""
        xs = self._check(xs)
        return batch_first(self.forward_steps(time_first(xs)).copy())  # what is kept stays here

    def forward_steps(self, xs):
        """Map inputs (T, N, D) to hidden states (T, N, H), unchecked."""
        begin = self._begin_with(xs.shape[1])
        states = np.empty((len(begin), len(xs) + 1, *begin.shape[1:]), begin.dtype)
        states[:, 0] = begin  # states: (S, T + 1, N, H)
        local = self._run(self._sums(xs), states)
        self.cache = xs, states, local
        self._end_in(states[:, -1].copy())
        return states[0, 1:]

    def backward(self, dhs):
        """Return dL/dxs, shape (N, T, D); fill `grads`; leave dL/dh0 in `dh0`."""
        _, states, _ = _validate.forwarded(self, self.cache)
        _, T, N, H = states[:, 1:].shape
        _validate.dout(dhs, (N, T, H), states.dtype, name="dhs")
        dxs = self.backward_steps(time_first(dhs))
        return None if dxs is None else batch_first(dxs)

    def backward_steps(self, dhs):
        """Return dL/dxs, (T, N, D), or None for tokens, unchecked; fill `grads` and `dh0`."""
        xs, states, _ = self.cache
        S, T, N, H = states[:, 1:].shape
        full = self.truncation is None or self.truncation >= T
        back = self._back_through_all if full else self._back_through_window
        dstate = [np.zeros((N, H), states.dtype) for _ in range(S)]
        dsums, dstate = back(dhs, dstate, self._factors())
        dsums = dsums.reshape(T * N, -1)
        dxs, grads = self._back_to_inputs(xs, dsums)
        self.grads = {**grads, **self._back_to_weights(dsums)}
        self._show_dstate(dstate)
        return dxs

    def reader(self):
        """Return a stateful layer with these weights, as they are now, and a state of its own."""
        layer = copy.copy(self)
        layer.stateful = True
        layer.reset_state()
        layer._folded = {name: self._folded(name) for name in ("Wx", "Wh", "b")}.get
        return layer

    def trace(self):
        """Return the states and the gates of the last forward pass, at every step.

        Returns
        -------
        states, gates : dict of str to ndarray, shape (N, T, H)
            By the names in `NAMES` and in `GATES`.
        """
        _, states, local = _validate.forwarded(self, self.cache)
        gates = np.moveaxis(local[0], -2, 0) if self.GATES else ()  # (G, T, N, H)
        return tuple(
            {name: self._shown(part.copy()) for name, part in zip(names, parts, strict=True)}
            for names, parts in ((self.NAMES, states[:, 1:]), (self.GATES, gates))
        )

    def _folded(self, name):
        """Return a parameter as the loop over the steps wants it."""
        return self.params[name]

    def _sums(self, xs):
        """Return what the inputs add to the sums of every gate: x Wx + b, all steps at once."""
        (T, N, D), Wx = xs.shape, self._folded("Wx")
        sums = xs.reshape(T * N, D) @ Wx  # (T N, D) @ (D, G H) -> (T N, G H)
        sums += self._folded("b")
        return sums.reshape(T, N, -1)

    def _back_to_inputs(self, xs, dsums):
        """Return dL/dxs, and the gradients of the weights that meet the inputs."""
        (T, N, D), Wx = xs.shape, self.params["Wx"]
        dWx = xs.reshape(T * N, D).T @ dsums  # (D, T N) @ (T N, G H) -> (D, G H)
        dxs = dsums @ Wx.T  # (T N, G H) @ (G H, D) -> (T N, D)
        return dxs.reshape(T, N, D), {"Wx": dWx}

    def _back_through_all(self, dhs, dstate, factors):
        """Visit each cell once, the last one first: full BPTT."""
        WhT = np.ascontiguousarray(self.params["Wh"].mT)
        for dh, *local in zip(dhs[::-1], *(factor[::-1] for factor in factors), strict=True):
            dstate[0] += dh  # a state feeds its output and the next step
            dstate = self._back(dstate, *local, WhT)
        return factors[0], dstate

    def _back_through_window(self, dhs, dstate, factors):
        """Take the losses of all steps back side by side, one cell further at a time."""
        WhT = np.ascontiguousarray(self.params["Wh"].mT)
        T, dsums, room = len(dhs), np.empty_like(factors[0]), np.empty_like(factors[0])
        reaching = [dhs, *(np.zeros_like(dhs) for _ in dstate[1:])]
        for lag in range(min(T, np.max(self.truncation))):
            # reaching: (T - lag, N, H); what is at t comes from the loss at step t + lag.
            if lag:
                reaching = [self._reaching(part[1:], lag) for part in reaching]
            first, *local = (factor[: T - lag] for factor in factors)
            dsum = room[: T - lag] if lag else dsums
            dsum[...] = first
            reaching = self._back(reaching, dsum, *local, WhT)
            if lag:
                dsums[: T - lag] += dsum
            for total, part in zip(dstate, reaching, strict=True):
                total += part[0]  # has arrived where the sequence begins
        return dsums, dstate

    def _reaching(self, part, lag):
        """Return what the truncation lets through to the cell that lies `lag` steps back."""
        return part

    def _back_to_weights(self, dsums):
        """Return the gradients of the weights that meet the states, and of the biases."""
        _, (hs, *_), _ = self.cache
        TN, H = len(dsums), len(self.params["Wh"])
        ones, hs, dqs = np.ones(TN, dsums.dtype), hs[:-1].reshape(TN, H), self._fed_back(dsums)
        grads = {
            "Wh": np.hstack([hs.T @ dq for dq in dqs]),  # (H, T N) @ (T N, G H) -> (H, G H)
            "b": ones @ dsums,  # (T N,) @ (T N, G H) -> (G H,), a fast sum
        }
        if "bh" in self.params:
            grads["bh"] = ones @ dqs[-1]  # (T N,) @ (T N, H) -> (H,)
        return grads

    def _fed_back(self, dsums):
        """Return the gradients of the products with the last state, in blocks of columns."""
        return [dsums]


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
        (hs,), Wh, q = states, self.params["Wh"], np.empty_like(sums[0])
        for t, z in enumerate(sums):
            self._times(hs[t], Wh, out=q)  # (N, H) @ (H, H) -> (N, H)
            q += z
            hs[t + 1] = self.f(q, out=q)
        return self.df(hs[1:])

    def _factors(self):
        _, _, slopes = self.cache
        return (np.copy(slopes),)

    def _back(self, dstate, dz, WhT):
        dz *= dstate[0]  # (..., N, H)
        return [self._times(dz, WhT)]  # (..., N, H) @ (H, H) -> (..., N, H)


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
        self._half = np.repeat(np.array([0.5, 0.5, 1, 0.5], Wx.dtype), len(Wh))

    def _folded(self, name):
        return self.params[name] * self._half

    def _run(self, sums, states):
        # One tanh for all four gates, as σ(a) = ½ tanh(½ a) + ½: the first half is in the
        # weights. For g the halves are 1, and the last one 0.
        (hs, cs), Wh, half, rest = states, self._folded("Wh"), self._half, 1 - self._half
        gates, squashed, q = _split(sums, 4), np.empty_like(hs[1:]), np.empty_like(sums[0])
        steps = sums, *np.moveaxis(gates, -2, 0), hs[:-1], cs[:-1], hs[1:], cs[1:], squashed
        for z, i, f, g, o, h_prev, c_prev, h, c, s in zip(*steps, strict=True):  # all (N, ...)
            z += self._times(h_prev, Wh, out=q)  # (N, H) @ (H, 4H) -> (N, 4H)
            np.tanh(z, out=z)
            z *= half
            z += rest
            np.multiply(f, c_prev, out=c)
            c += i * g
            np.tanh(c, out=s)
            np.multiply(o, s, out=h)
        return gates, squashed

    def _factors(self):
        _, (_, cs), (gates, s) = self.cache
        (i, f, g, o), across = np.moveaxis(gates, -2, 0), 1 - gates
        across *= gates
        ai, af, ag, ao = np.moveaxis(across, -2, 0)
        ai *= g  # these three will meet dc,
        af *= cs[:-1]
        ag[...] = tanh_slope(g)
        ag *= i
        ao *= s  # and this one dh
        to_c = tanh_slope(s)
        to_c *= o
        return across, to_c, f

    def _back(self, dstate, dz, to_c, f, WhT):
        dh, dc = dstate
        dc += dh * to_c  # from the next step, and through h
        dz = _join(dz)
        dz *= np.concatenate([dc, dc, dc, dh], axis=-1)  # i, f, g meet dc, and o meets dh
        return [self._times(dz, WhT), dc * f]  # (..., N, 4H) @ (4H, H)


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
        params = recurrent_parameters(3, Wx=Wx, Wh=Wh, b=b, bh=bh)
        super().__init__(params, stateful, truncation)
        self._half = np.repeat(np.array([0.5, 0.5, 1], Wx.dtype), len(Wh))

    def _folded(self, name):
        return self.params[name] * self._half

    def _run(self, sums, states):
        # As in TimeLSTM, σ(a) = ½ tanh(½ a) + ½, with the first half in the weights.
        (hs,), Wh, bh = states, self._folded("Wh"), self.params["bh"]
        half, gates, ms = np.array(0.5, Wh.dtype), _split(sums, 3), np.empty_like(hs[1:])
        q = np.empty_like(sums[0])  # h Wh of the present step
        q_ru, q_n = _split(q, 3)[..., :2, :], _split(q, 3)[..., 2, :]
        steps = gates[..., :2, :], *np.moveaxis(gates, -2, 0), ms, hs[:-1], hs[1:]
        for ru, r, u, n, m, h_prev, h in zip(*steps, strict=True):  # all (N, ...)
            self._times(h_prev, Wh, out=q)  # (N, H) @ (H, 3H) -> (N, 3H)
            ru += q_ru
            np.tanh(ru, out=ru)
            ru *= half
            ru += half
            np.add(q_n, bh, out=m)
            n += r * m
            np.tanh(n, out=n)
            np.subtract(h_prev, n, out=h)
            h *= u
            h += n  # (1 - u) n + u h_prev
        return gates, ms

    def _factors(self):
        _, (hs,), (gates, ms) = self.cache
        (r, u, n), across = np.moveaxis(gates, -2, 0), 1 - gates
        across *= gates
        ar, au, an = np.moveaxis(across, -2, 0)
        an[...] = tanh_slope(n)
        an *= 1 - u
        au *= hs[:-1] - n
        ar *= ms
        ar *= an
        return across, r, u

    def _back(self, dstate, dz, r, u, WhT):
        (dh,) = dstate
        dz *= dh[..., None, :]
        dq = np.copy(dz)
        dn = dq[..., 2, :]
        dn *= r  # what reset let through
        return [dh * u + self._times(_join(dq), WhT)]  # (..., N, 3H) @ (3H, H)

    def _fed_back(self, dsums):
        _, _, (gates, _) = self.cache
        r, (dru, dn) = gates[..., 0, :], np.split(dsums, [-gates.shape[-1]], axis=-1)
        return [dru, dn * r.reshape(dn.shape)]


def _split(sums, gates):
    """Show sums of shape (..., G H) as (..., G, H)."""
    return sums.reshape(*sums.shape[:-1], gates, -1)


def _join(gates):
    """Show an array of shape (..., G, H) as (..., G H)."""
    return gates.reshape(*gates.shape[:-2], -1)


class _OfTokens:
    """An embedding and a recurrent layer in one: the same numbers with less work.

    Wherever a token stands, its vector meets the same weights. So each distinct token
    of the batch is multiplied with Wx once, not at every place where it occurs; and on
    the way back the gradients of those places are added up before they are multiplied.
    """

    def __init__(self, W, Wx, *weights, **options):
        super().__init__(Wx, *weights, **options)
        _validate.floats("W", W, ("V", len(Wx)), dtype=Wx.dtype, like="Wx")
        if len(W) == 0:
            raise ValueError(f"W must hold at least one token, got shape {W.shape}")
        params = _validate.apart("parameters", {"W": W, **self.params})
        vars(self)["params"] = Parameters(params)

    def _check(self, xs):
        V = len(self.params["W"])
        xs = _validate.indices("xs", xs, ("N", "T"), size=V, what="token ids")
        if xs.size == 0:
            raise ValueError(f"xs must hold at least one step of one sequence, got {xs.shape}")
        return self.check_batch(xs)

    def _sums(self, xs):
        W, Wx, b = self.params["W"], self._folded("Wx"), self._folded("b")
        if xs.size == 1:  # as in writing: nothing to look for
            return W[xs] @ Wx + b  # (1, 1, D) @ (D, G H) -> (1, 1, G H)
        tokens, places = distinct(xs, len(W))
        return (W[tokens] @ Wx + b)[places]  # (K, D) @ (D, G H) -> (K, G H), then (T, N, G H)

    def _back_to_inputs(self, xs, dsums):
        W, Wx = self.params["W"], self.params["Wx"]
        tokens, places = distinct(xs.ravel(), len(W))
        summed = sum_rows(places, len(tokens), dsums)  # (K, G H)
        rows = summed @ Wx.T  # (K, G H) @ (G H, D) -> (K, D)
        dWx = W[tokens].T @ summed  # (D, K) @ (K, G H) -> (D, G H)
        return None, {"W": RowGradient(tokens, rows, W.shape), "Wx": dWx}


class TimeTokenRNN(_OfTokens, TimeRNN):
    """`TimeEmbedding` and `TimeRNN` in one: the same numbers with less work.

    Its parameters are W, the embedding, shape (V, D), and then those of `TimeRNN`. Each
    distinct token of a batch is multiplied with Wx once, not at every place where it occurs;
    so is its gradient. `TimeTokenLSTM` and `TimeTokenGRU` do the same with gates.
    """


class TimeTokenLSTM(_OfTokens, TimeLSTM):
    """`TimeEmbedding` and `TimeLSTM` in one; see `TimeTokenRNN`."""


class TimeTokenGRU(_OfTokens, TimeGRU):
    """`TimeEmbedding` and `TimeGRU` in one; see `TimeTokenRNN`."""
