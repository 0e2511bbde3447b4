"""Training: optimisers, minibatches, and a loop that keeps a history."""

import math
import os
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from . import _validate
from .layers import RowGradient

__all__ = [
    "SGD",
    "Adam",
    "History",
    "clip_gradients",
    "fit",
    "minibatches",
    "progress",
    "train",
    "truncated_bptt_batches",
]


class SGD:
    """Stochastic gradient descent: :math:`\\theta \\leftarrow \\theta - \\eta\\, dL/d\\theta`.

    The minus is the point: the gradient shows the way *up*.

    Parameters
    ----------
    lr : float
        The learning rate :math:`\\eta`, greater than 0.
    """

    def __init__(self, lr):
        self.lr = _validate.real("lr", lr, above=0)

    def update(self, params, grads):
        """Take one step, in place, so that every layer sees it.

        Everything is checked first: on bad gradients nothing has changed.
        """
        _validate.parameters(params, grads)
        for name, param in params.items():
            grad, lr = grads[name], param.dtype.type(self.lr)
            if isinstance(grad, RowGradient):
                param[grad.ids] -= lr * grad.rows  # the other rows have no gradient
            else:
                param -= lr * grad


class Adam:
    """Adam: steps scaled by running means of the gradient and of its square.

    .. math:: m \\leftarrow \\beta_1 m + (1 - \\beta_1) g

    .. math:: v \\leftarrow \\beta_2 v + (1 - \\beta_2) g^2

    .. math:: \\theta \\leftarrow \\theta - \\eta\\,
              \\frac{m / (1 - \\beta_1^k)}{\\sqrt{v / (1 - \\beta_2^k)} + \\epsilon}

    at the k-th update. One object serves one set of parameters.

    Parameters
    ----------
    lr : float
        The learning rate :math:`\\eta`, greater than 0.
    beta1, beta2 : float
        How much of the running means survives a step, from 0 to below 1.
    eps : float

    References
    ----------
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    def __init__(self, lr=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = _validate.real("lr", lr, above=0)
        self.beta1 = _validate.real("beta1", beta1, minimum=0, below=1)
        self.beta2 = _validate.real("beta2", beta2, minimum=0, below=1)
        self.eps = _validate.real("eps", eps, above=0)
        self.steps, self.m, self.v = 0, {}, {}

    def update(self, params, grads):
        """Take one step, in place; on bad gradients nothing has changed."""
        _validate.parameters(params, grads)
        if not self.m:
            self.m = {name: np.zeros_like(param) for name, param in params.items()}
            self.v = {name: np.zeros_like(param) for name, param in params.items()}
        elif {n: m.shape for n, m in self.m.items()} != {n: p.shape for n, p in params.items()}:
            raise ValueError(
                "params must be those of the first update, for Adam keeps means for each; "
                f"got {sorted(params)}, first {sorted(self.m)}"
            )
        self.steps += 1
        for name, param in params.items():
            g, m, v = np.asarray(grads[name]), self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g**2 - v)
            m_hat = m / (1 - self.beta1**self.steps)
            v_hat = v / (1 - self.beta2**self.steps)
            param -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def clip_gradients(grads, max_norm):
    """Scale all gradients down, in place, if together they are longer than `max_norm`.

    .. math:: g \\leftarrow g \\cdot \\min\\Big(1, \\frac{c}{\\lVert g \\rVert}\\Big)

    The norm is that of all the arrays as one long vector, so the direction of the step
    stays what it was.

    Parameters
    ----------
    grads : dict of str to ndarray
        What a model's `grads` returns.
    max_norm : float
        The longest that the gradient may be, c, greater than 0.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    TypeError, ValueError
        If a gradient is not an array of finite floats; then none has been changed.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013.
    """
    _validate.named_arrays("grads", grads)
    max_norm, arrays = float(_validate.real("max_norm", max_norm, above=0)), []
    for name, grad in grads.items():
        _validate.gradient(f"grads[{name!r}]", grad, getattr(grad, "shape", None))
        array = grad.rows if isinstance(grad, RowGradient) else grad
        arrays.append(_validate.writeable(f"grads[{name!r}]", array))
    largest = max((float(np.abs(a).max(initial=0)) for a in arrays), default=0.0)
    if largest == 0:
        return 0.0
    # Divided by the largest entry, no square can overflow or vanish.
    length = math.sqrt(sum(np.square(np.divide(a, largest, dtype=float)).sum() for a in arrays))
    norm = largest * length
    if norm > max_norm:
        for a in arrays:
            a[...] = np.divide(a, largest, dtype=float) * (max_norm / length)
    return norm


def truncated_bptt_batches(tokens, batch_size, time_size, *, batches=None):
    """Yield ``(xs, ts)`` for a language model, each batch going on where the last one ended.

    The text is read in `batch_size` places at once. With P = len(tokens) - 1 predictions
    to make, reader n begins at ``n * (P // batch_size)``, and each batch moves all
    readers on by `time_size` tokens. A reader that comes to the end of the text goes on
    at its beginning.

    Parameters
    ----------
    tokens : ndarray of int, shape (P + 1,)
    batch_size : int
        The number of readers, N: at most P.
    time_size : int
        The number of steps in a batch, T: at most P.
    batches : int, optional
        How many batches to yield. Without it, as few as make every prediction at least
        once; where N T does not divide P, some are made more than once.

    Yields
    ------
    xs, ts : ndarray of int, shape (N, T)
        Tokens, and the tokens that follow them: ``ts[n, t]`` comes after ``xs[n, t]``.

    Notes
    -----
    Feed the batches in order to a stateful model and do not shuffle them, for the state
    in which one batch ends is where the next one begins.
    """
    _validate.indices("tokens", tokens, ("P + 1",), size=np.iinfo(np.int64).max, what="tokens")
    P = len(tokens) - 1
    if P < 1:
        raise ValueError(f"tokens must hold at least two tokens, got {len(tokens)}")
    N = _validate.integer("batch_size", batch_size, minimum=1, maximum=P)
    T = _validate.integer("time_size", time_size, minimum=1, maximum=P)
    starts = np.arange(N) * (P // N)
    if batches is None:
        batches = -(-(P - starts[-1]) // T)  # until the last reader is at the end
    batches = _validate.integer("batches", batches, minimum=0)

    def read():  # a generator of its own, so that bad arguments are refused at once
        for k in range(batches):
            places = (starts[:, None] + np.arange(k * T, (k + 1) * T)) % P  # (N, T)
            yield tokens[places], tokens[places + 1]

    return read()


def minibatches(x, t, batch_size, *, rng):
    """Yield ``(x, t)`` batches without end, every epoch in a new random order.

    An epoch visits every example once. Its last batch is smaller where `batch_size`
    does not divide the number of examples; none is left out.

    Parameters
    ----------
    x, t : ndarray
        Examples and their labels, along the first axis.
    batch_size : int
        From 1 to the number of examples.
    rng : numpy.random.Generator
    """
    size = _check_examples(x, t)
    batch_size = _validate.integer("batch_size", batch_size, minimum=1, maximum=size)
    _validate.generator("rng", rng)

    def batches():  # a generator of its own, so that bad arguments are refused at once
        while True:
            order = rng.permutation(size)
            for start in range(0, size, batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], t[chosen]

    return batches()


@dataclass
class History:
    """What happened during training.

    Attributes
    ----------
    loss : list of float
        The loss of each step's minibatch before its update, in nats per example.
    steps : list of int
        The numbers of updates done at which the accuracies were measured.
    accuracy, held_out_accuracy : list of float
        Accuracies at those steps, on the training and on the held-out examples.
    """

    loss: list = field(default_factory=list)
    steps: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)
    held_out_accuracy: list = field(default_factory=list)


def train(model, optimizer, x, t, *, batch_size, steps, rng, held_out=None, evaluate_every=None):
    """Train a classifier: minibatch, gradient, update, repeat.

    Parameters
    ----------
    model : object
        With ``forward(x, t)``, ``backward()``, ``params``, ``grads`` and ``accuracy(x, t)``.
    optimizer : object
        With ``update(params, grads)``.
    x, t : ndarray
        The training examples and their labels.
    batch_size, steps : int
    rng : numpy.random.Generator
        Chooses the minibatches.
    held_out : tuple of ndarray, optional
        ``(x, t)`` that training never sees, to measure on.
    evaluate_every : int, optional
        Measure the accuracies before the first step, whenever so many steps are done,
        and after the last. Without it, only before the first and after the last.

    Returns
    -------
    History
    """
    steps = _validate.integer("steps", steps, minimum=1)
    every = steps
    if evaluate_every is not None:
        every = _validate.integer("evaluate_every", evaluate_every, minimum=1)
    _validate.having(
        "model", model, ("forward", "backward", "params", "grads", "accuracy"), "a classifier"
    )
    _validate.having("optimizer", optimizer, ("update",), "an optimiser")
    if held_out is not None:
        if not isinstance(held_out, (tuple, list)) or len(held_out) != 2:
            raise TypeError(f"held_out must be a pair (x, t), got {_validate.describe(held_out)}")
        _check_examples(*held_out, prefix="held_out ")
    batches = minibatches(x, t, batch_size, rng=rng)
    history = History()

    def measure(step):
        history.steps.append(step)
        history.accuracy.append(model.accuracy(x, t))
        if held_out is not None:
            history.held_out_accuracy.append(model.accuracy(*held_out))

    measure(0)
    for step in progress(range(1, steps + 1), "training"):
        history.loss.append(float(model.forward(*next(batches))))
        model.backward()
        optimizer.update(model.params, model.grads)
        if step % every == 0 or step == steps:
            measure(step)
    return history


def fit(model, optimizer, batches, *, steps=None, max_norm=None):
    """Train a model on batches as they come: loss, gradient, update, repeat.

    Parameters
    ----------
    model : object
        With ``forward(x, t)``, ``backward()``, ``params`` and ``grads``.
    optimizer : object
        With ``update(params, grads)``.
    batches : iterable of (x, t)
    steps : int, optional
        How many batches to take. Without it, all; then they must come to an end.
    max_norm : float, optional
        Clip the gradients to this norm.

    Returns
    -------
    ndarray, shape (steps,)
        The loss of each batch before its update.

    Raises
    ------
    ValueError
        If there are fewer batches than `steps`; those there were have been learned.
    """
    _validate.having("model", model, ("forward", "backward", "params", "grads"), "a model")
    _validate.having("optimizer", optimizer, ("update",), "an optimiser")
    _validate.having("batches", batches, ("__iter__",), "an iterable of (x, t)")
    if max_norm is not None:
        _validate.real("max_norm", max_norm, above=0)
    if steps is None:
        batches = list(batches)
        steps = len(batches)
    steps = _validate.integer("steps", steps, minimum=0)
    losses, batches = np.empty(steps), iter(batches)
    for step in progress(range(steps), "training"):
        batch = next(batches, None)
        if batch is None:
            raise ValueError(f"batches must hold at least {steps}, got {step}")
        losses[step] = model.forward(*batch)
        model.backward()
        grads = model.grads
        if max_norm is not None:
            clip_gradients(grads, max_norm)
        optimizer.update(model.params, grads)
    return losses


def progress(items, label, *, delay=2.0, stream=None):
    """Pass through a sized collection; show a progress bar once it takes over `delay` seconds.

    The bar goes to standard error and is wiped at the end. ``RNNBOOK_QUIET=1`` in the
    environment keeps it off.
    """
    _validate.having("items", items, ("__iter__", "__len__"), "a sized collection")
    stream = stream or sys.stderr
    quiet = os.environ.get("RNNBOOK_QUIET") == "1"
    total, start = len(items), time.monotonic()
    next_report, width = start + delay, 0
    try:
        for done, item in enumerate(items):
            now = time.monotonic()
            if not quiet and now >= next_report:
                left = (now - start) * (total - done) / max(done, 1)
                bar = "#" * (20 * done // total)
                line = f"{label} [{bar:<20}] {done}/{total}, about {left:.0f} s left"
                stream.write("\r" + line.ljust(width))
                stream.flush()
                next_report, width = now + 0.2, len(line)
            yield item
    finally:
        if width:
            stream.write("\r" + " " * width + "\r")
            stream.flush()


def _check_examples(x, t, prefix=""):
    for name, value in (("x", x), ("t", t)):
        if not isinstance(value, np.ndarray) or value.ndim == 0:
            raise TypeError(
                f"{prefix}{name} must be a numpy array of examples, got {_validate.describe(value)}"
            )
    if len(x) != len(t) or len(x) == 0:
        raise ValueError(
            f"{prefix}x and t must hold equally many examples, at least one; "
            f"got {len(x)} and {len(t)}"
        )
    return len(x)
