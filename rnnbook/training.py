"""Training: optimisers, minibatches, loops that keep a history, runs that can be resumed."""

import hashlib
import json
import math
import os
import sys
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from . import _validate
from .data import read_arrays, write_arrays
from .layers import RowGradient

__all__ = [
    "SGD",
    "Adam",
    "Checkpoint",
    "History",
    "TextRun",
    "clip_gradients",
    "fit",
    "minibatches",
    "progress",
    "read_checkpoint",
    "train",
    "truncated_bptt_batches",
]

_FORMAT = "rnnbook checkpoint 1"  # what TextRun.save writes


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
    if batches is None:
        batches = _steps_per_epoch(P, N, T)
    batches = _validate.integer("batches", batches, minimum=0)

    def read():  # a generator of its own, so that bad arguments are refused at once
        for k in range(batches):
            yield _text_batch(tokens, N, T, k)

    return read()


def _steps_per_epoch(P, N, T):
    """Return how many batches it takes until the last reader is at the end."""
    return -(-(P - (N - 1) * (P // N)) // T)


def _text_batch(tokens, N, T, k):
    """Return batch number k of `truncated_bptt_batches`."""
    P = len(tokens) - 1
    places = np.arange(N)[:, None] * (P // N) + np.arange(k * T, (k + 1) * T)  # (N, T)
    places %= P
    return tokens[places], tokens[places + 1]


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
        history.loss.append(_step(model, optimizer, next(batches)))
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
        losses[step] = _step(model, optimizer, batch, max_norm)
    return losses


class Checkpoint(NamedTuple):
    """What `TextRun.save` wrote.

    Attributes
    ----------
    settings : dict
        What must be the same for a run to go on: those of the model and the optimiser,
        the sizes of the batches, the text by its length and hash.
    notes : dict
        What the caller gave to `TextRun.save`.
    losses : ndarray of float64, shape (steps,)
        The loss of each step so far.
    params : dict of str to ndarray
        The model's parameters.
    state : dict of str to ndarray
        The state of its recurrent layer; nothing before the first step.
    memory : dict of str to ndarray
        What the optimiser remembers from step to step.
    """

    settings: dict
    notes: dict
    losses: np.ndarray
    params: dict
    state: dict
    memory: dict


class TextRun:
    """Training of a language model on one text, which can be stopped, saved and resumed.

    It takes the batches of `truncated_bptt_batches` in order and without end. All that
    the next number depends on is saved: a run that was resumed computes, to the last
    bit, what it would have computed without the break (on the same machine, with the
    same number of BLAS threads).

    Parameters
    ----------
    model : LanguageModel
        As `SimpleRnnlm` or `GatedRnnlm`, stateful.
    optimizer : SGD or Adam
    tokens : ndarray of int, shape (P + 1,)
        The text.
    batch_size, time_size : int
        As for `truncated_bptt_batches`.
    max_norm : float, optional
        Clip the gradients to this norm.

    Attributes
    ----------
    losses : list of float
        The loss of each step before its update, in nats per token; as many as steps.
    steps_per_epoch : int
        How many steps make every prediction at least once.
    """

    def __init__(self, model, optimizer, tokens, *, batch_size, time_size, max_norm=None):
        parts = ("forward", "backward", "params", "grads", "rnn", "set_state", "reset_state")
        _validate.having("model", model, parts, "a language model")
        if not model.rnn.stateful:
            raise ValueError("model must be stateful, got stateful=False")
        if not isinstance(optimizer, (SGD, Adam)):
            raise TypeError(f"optimizer must be SGD or Adam, got {_validate.describe(optimizer)}")
        if max_norm is not None:
            max_norm = float(_validate.real("max_norm", max_norm, above=0))
        truncated_bptt_batches(tokens, batch_size, time_size)  # checks them
        self.model, self.optimizer, self.tokens = model, optimizer, tokens
        self.batch_size, self.time_size, self.max_norm = int(batch_size), int(time_size), max_norm
        self.steps_per_epoch = _steps_per_epoch(len(tokens) - 1, self.batch_size, self.time_size)
        self.losses = []

    @property
    def steps(self):
        """The number of steps done."""
        return len(self.losses)

    def advance(self, steps):
        """Make so many steps; return their losses as an ndarray, shape (steps,).

        Raises
        ------
        ValueError
            If the loss or a gradient is not finite; then this run cannot go on.
        """
        steps = _validate.integer("steps", steps, minimum=0)
        for _ in range(steps):
            batch = _text_batch(self.tokens, self.batch_size, self.time_size, self.steps)
            loss = _step(self.model, self.optimizer, batch, self.max_norm)
            self.losses.append(_validate.real("the loss", loss))
        return np.array(self.losses[self.steps - steps :])

    def save(self, path, notes=None):
        """Write all of the run into one ``.npz`` file, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
            Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
        notes : dict, optional
            Anything to keep beside, as ``json.dumps`` can write it: the vocabulary, say.
        """
        notes = {} if notes is None else notes
        if not isinstance(notes, dict):
            raise TypeError(f"notes must be a dict, got {_validate.describe(notes)}")
        try:
            head = json.dumps({"format": _FORMAT, "settings": self._settings(), "notes": notes})
        except (TypeError, ValueError) as error:
            raise TypeError(f"notes must be what JSON can hold, got: {error}") from None
        rnn = self.model.rnn
        parts = {
            "params": self.model.params,
            "state": {} if rnn.h is None else {name: getattr(rnn, name) for name in rnn.NAMES},
            "memory": _memory_of(self.optimizer),
        }
        arrays = {"head": np.array(head), "losses": np.array(self.losses, float)}
        for part, content in parts.items():
            arrays |= {f"{part}/{name}": array for name, array in content.items()}
        write_arrays(path, arrays | {"digest": np.array(_digest(arrays))})

    def load(self, path):
        """Go on where a saved run stopped; return its notes.

        The model, the optimiser and all else must be set up as they were when the run
        began; on any error nothing has changed.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a whole checkpoint, or one of another text, another model or
            other settings; the message says which.
        """
        name, saved = _validate.path("path", path).name, read_checkpoint(path)
        ours = self._settings()
        if saved.settings["text"] != ours["text"]:
            raise ValueError(
                f"{name} must go on with the text that it began with, "
                f"{saved.settings['text']}; got {ours['text']}"
            )
        for key in sorted(ours | saved.settings):
            then, now = (settings.get(key, "nothing") for settings in (saved.settings, ours))
            if then != now:
                raise ValueError(
                    f"{name} must go on with the settings that it began with: "
                    f"{key} was {then}, got {now}"
                )
        model, optimizer, (params, state, memory) = self.model, self.optimizer, saved[3:]
        _check_like(name, params, model.params)
        names = model.rnn.NAMES if state else ()
        _check_like(name, state, dict.fromkeys(names, self._like_state()))
        likes = {"steps": np.array(0)} if isinstance(optimizer, Adam) else {}
        if len(memory) > 1:
            likes |= {f"{kind}/{n}": param for kind in "mv" for n, param in model.params.items()}
        _check_like(name, memory, likes)
        model.params.update(params)
        model.reset_state()
        if state:
            model.set_state(**state)
        if memory:
            optimizer.steps = int(memory.pop("steps"))
            optimizer.m, optimizer.v = (
                {n: memory[f"{kind}/{n}"] for n in params} if memory else {} for kind in "mv"
            )
        self.losses = saved.losses.tolist()
        return saved.notes

    def _like_state(self):
        Wh = self.model.params["rnn.Wh"]
        return np.empty((self.batch_size, len(Wh)), Wh.dtype)

    def _settings(self):
        """Return all that must be the same for a saved run to go on, as JSON holds it."""
        model, optimizer = self.model, self.optimizer
        names = ("lr", "beta1", "beta2", "eps") if isinstance(optimizer, Adam) else ("lr",)
        words = np.ascontiguousarray(self.tokens, dtype="<i8")
        return {
            "model": type(model).__name__,
            **{f"shape of {name}": list(param.shape) for name, param in model.params.items()},
            "dtype": str(model.params["rnn.Wh"].dtype),
            "truncation": model.rnn.truncation,
            "optimizer": type(optimizer).__name__,
            **{name: float(getattr(optimizer, name)) for name in names},
            "batch_size": self.batch_size,
            "time_size": self.time_size,
            "max_norm": self.max_norm,
            "text": f"{len(words)} tokens with hash {hashlib.sha256(words).hexdigest()[:16]}",
        }


def read_checkpoint(path):
    """Read a file of `TextRun.save`, without a model or a text to go on with.

    Returns
    -------
    Checkpoint

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole file of `TextRun.save`.
    """
    arrays, name = read_arrays(path), _validate.path("path", path).name
    digest = arrays.pop("digest", None)
    if digest is None or not {"head", "losses"} <= set(arrays):
        raise ValueError(
            f"{name} must be a checkpoint of rnnbook, got a .npz file of "
            f"{_validate.shorten(str(sorted(arrays)))}"
        )
    if digest.shape != () or str(digest) != _digest(arrays):
        raise ValueError(f"{name} must be a whole checkpoint, got one that is damaged")
    head = json.loads(str(arrays.pop("head")))
    if head["format"] != _FORMAT:
        raise ValueError(f"{name} must have the format {_FORMAT}, got {head['format']}")
    losses, parts = arrays.pop("losses"), {"params": {}, "state": {}, "memory": {}}
    for key, array in arrays.items():
        part, _, key = key.partition("/")
        parts[part][key] = array
    return Checkpoint(head["settings"], head["notes"], losses, **parts)


def _digest(arrays):
    """Return a hash of arrays with their names, shapes and dtypes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _check_like(file, arrays, likes):
    """Check that the arrays of a checkpoint have the names, shapes and dtypes wanted."""
    got, wanted = (
        {name: f"{array.dtype} {array.shape}" for name, array in content.items()}
        for content in (arrays, likes)
    )
    if got != wanted:
        raise ValueError(f"{file} must hold {wanted}, got {got}")


def _memory_of(optimizer):
    """Return all that an optimiser remembers from step to step, as arrays."""
    if not isinstance(optimizer, Adam):
        return {}
    means = {"m": optimizer.m, "v": optimizer.v}
    memory = {f"{kind}/{name}": array for kind in means for name, array in means[kind].items()}
    return {"steps": np.array(optimizer.steps)} | memory


def _step(model, optimizer, batch, max_norm=None):
    """Make one update: loss, gradient, clip, step; return the loss before it."""
    loss = model.forward(*batch)
    model.backward()
    grads = model.grads
    if max_norm is not None:
        clip_gradients(grads, max_norm)
    optimizer.update(model.params, grads)
    return float(loss)


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
