"""Whom the language models are measured against: the same models in other hands.

`PlainModel` is a recurrent language model as a reader's notes on Saito's "Deep Learning from
Scratch 2" print and describe it, corrected (the errata chapter tells what was wrong): an
embedding, a cell, an affine layer and a softmax for each time step, float32, gradients written
in place. `TorchModel` is put together from PyTorch's own layers.
"""

import numpy as np
import torch

GATED = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class PlainRNN:
    """One step."""

    def __init__(self, Wx, Wh, b):
        self.params = Wx, Wh, b
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h = np.tanh(h_prev @ Wh + x @ Wx + b)  # (N, H) @ (H, H) + (N, D) @ (D, H)
        self.cache = x, h_prev, h
        return h

    def backward(self, dh):
        (Wx, Wh, _), (x, h_prev, h) = self.params, self.cache
        dz = dh * (1 - h**2)
        self.grads[0][...] = x.T @ dz  # (D, N) @ (N, H) -> (D, H)
        self.grads[1][...] = h_prev.T @ dz  # (H, N) @ (N, H) -> (H, H)
        self.grads[2][...] = dz.sum(axis=0)
        return dz @ Wx.T, dz @ Wh.T


class PlainEmbedding:
    """A lookup at one step."""

    def __init__(self, W):
        self.params, self.grads = (W,), [np.zeros_like(W)]

    def forward(self, ids):
        self.ids = ids
        return self.params[0][ids]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.ids, dout)


class PlainAffine:
    """The scores of one step."""

    def __init__(self, W, b):
        self.params, self.grads = (W, b), [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]  # (N, H) @ (H, V) -> (N, V)

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout  # (H, N) @ (N, V) -> (H, V)
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T  # (N, V) @ (V, H) -> (N, H)


class PlainLoss:
    """Softmax and cross-entropy of one step."""

    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.rows = e / e.sum(axis=1, keepdims=True), (np.arange(len(t)), t)
        return -np.log(self.y[self.rows]).mean()

    def backward(self, dout):
        dx = self.y
        dx[self.rows] -= 1
        dx *= dout / len(dx)
        return dx


class PlainTime:
    """A layer for each of T steps, and their gradients added up."""

    def __init__(self, layer, *params):
        self.layer, self.params = layer, params
        self.grads, self.h = [np.zeros_like(p) for p in params], None

    def forward(self, xs):
        self.layers = [self.layer(*self.params) for _ in range(xs.shape[1])]
        if self.layer is not PlainRNN:
            return self.gather([layer.forward(xs[:, t]) for t, layer in enumerate(self.layers)])
        if self.h is None:
            self.h = np.zeros((len(xs), len(self.params[1])), np.float32)
        hs = np.empty((*xs.shape[:2], self.h.shape[1]), np.float32)
        for t, layer in enumerate(self.layers):
            self.h = hs[:, t] = layer.forward(xs[:, t], self.h)
        return hs

    def backward(self, dout):
        grads, dxs, dh = [0] * len(self.params), [], 0
        for t in reversed(range(dout.shape[1])):
            dx = self.layers[t].backward(dout[:, t] + dh)
            if self.layer is PlainRNN:
                dx, dh = dx
            dxs.insert(0, dx)
            for i, grad in enumerate(self.layers[t].grads):
                grads[i] += grad
        for total, grad in zip(self.grads, grads, strict=True):
            total[...] = grad
        return None if dxs[0] is None else self.gather(dxs)

    @staticmethod
    def gather(parts):
        """Write T arrays (N, A) into one, (N, T, A)."""
        whole = np.empty((len(parts[0]), len(parts), parts[0].shape[1]), np.float32)
        for t, part in enumerate(parts):
            whole[:, t] = part
        return whole


class PlainModel:
    """The language model, and a step of SGD."""

    def __init__(self, params):
        p = {name: param.copy() for name, param in params.items()}
        self.layers = [
            PlainTime(PlainEmbedding, p["embed.W"]),
            PlainTime(PlainRNN, p["rnn.Wx"], p["rnn.Wh"], p["rnn.b"]),
            PlainTime(PlainAffine, p["affine.W"], p["affine.b"]),
        ]

    def step(self, xs, ts, lr=0.1):
        for layer in self.layers:
            xs = layer.forward(xs)
        T, losses = xs.shape[1], [PlainLoss() for _ in range(xs.shape[1])]
        loss = sum(each.forward(xs[:, t], ts[:, t]) for t, each in enumerate(losses)) / T
        dout = PlainTime.gather([each.backward(1 / T) for each in losses])
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        for layer in self.layers:
            for param, grad in zip(layer.params, layer.grads, strict=True):
                param -= lr * grad
        return float(loss)


class TorchModel(torch.nn.Module):
    """The same model, put together from PyTorch's own layers.

    Parameters
    ----------
    params : dict of str to ndarray
        Those of our model, with which it begins.
    cell : {"rnn", "lstm", "gru"}
    batch_first, sparse : bool
        The layout of its data, and whether the embedding's gradient is sparse.
    """

    def __init__(self, params, cell, batch_first=True, sparse=False):
        super().__init__()
        (V, D), H = params["embed.W"].shape, len(params["rnn.Wh"])
        self.batch_first = batch_first
        self.embed = torch.nn.Embedding(V, D, sparse=sparse)
        self.rnn = GATED[cell](D, H, batch_first=batch_first)
        self.affine = torch.nn.Linear(H, V)
        ours = {name: torch.tensor(param) for name, param in params.items()}
        b, second = ours["rnn.b"], torch.zeros_like(ours["rnn.b"])
        if cell == "gru":  # r, u, n, as ours
            second[-H:] = ours["rnn.bh"]
        self.load_state_dict(
            {
                "embed.weight": ours["embed.W"],
                "rnn.weight_ih_l0": ours["rnn.Wx"].T,
                "rnn.weight_hh_l0": ours["rnn.Wh"].T,
                "rnn.bias_ih_l0": b,
                "rnn.bias_hh_l0": second,
                "affine.weight": ours["affine.W"].T,
                "affine.bias": ours["affine.b"],
            }
        )
        if cell != "gru":
            self.rnn.bias_hh_l0.requires_grad = False  # one bias, as ours has
        self.state = None

    def step(self, optimizer, xs, ts):
        """Make one update; return the loss before it."""
        optimizer.zero_grad()
        hs, state = self.rnn(self.embed(xs), self.state)
        parts = state if isinstance(state, tuple) else (state,)
        detached = tuple(part.detach() for part in parts)
        self.state = detached if isinstance(state, tuple) else detached[0]
        scores = self.affine(hs)
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), ts.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    def evaluate(self, tokens):
        """Return the mean loss on one long stream."""
        with torch.no_grad():
            hs, _ = self.rnn(self.embed(tokens[None, :-1]))
            return torch.nn.functional.cross_entropy(self.affine(hs)[0], tokens[1:]).item()

    def sample(self, start, length):
        """Write on, token by token."""
        token, state, written = torch.tensor([[start]]), None, []
        with torch.no_grad():
            for _ in range(length):
                hs, state = self.rnn(self.embed(token), state)
                p = torch.softmax(self.affine(hs)[0, -1], -1)
                token = torch.multinomial(p, 1)[None]
                written.append(token.item())
        return written
