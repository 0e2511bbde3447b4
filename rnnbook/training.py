"""Training: loops that keep a history, and a bar that shows how far they are."""

import os
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from . import _validate
from .batches import check_examples, minibatches, truncated_bptt_batches
from .optimizers import SGD, Adam, clip_gradients, learn
from .textrun import Checkpoint, TextRun, read_checkpoint

__all__ = [
    "SGD",
    "Adam",
    "Checkpoint",
    "History",
    "TextRun",
    "band",
    "clip_gradients",
    "fit",
    "minibatches",
    "progress",
    "read_checkpoint",
    "train",
    "truncated_bptt_batches",
]


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
        check_examples(*held_out, prefix="held_out ")
    batches = minibatches(x, t, batch_size, rng=rng)
    history = History()

    def measure(step):
        history.steps.append(step)
        history.accuracy.append(model.accuracy(x, t))
        if held_out is not None:
            history.held_out_accuracy.append(model.accuracy(*held_out))

    measure(0)
    for step in progress(range(1, steps + 1), "training"):
        history.loss.append(_learned(step, model, optimizer, next(batches)))
        if step % every == 0 or step == steps:
            measure(step)
    return history


def fit(model, optimizer, batches, *, steps=None, max_norm=None):
    """Train a model on batches as they come: loss, gradient, update, repeat.

    Parameters
    ----------
    model : object
        With ``forward(x, t)``, ``backward()``, ``params`` and ``grads``; or R of them at once,
        `rnnbook.side_by_side.Networks`.
    optimizer : object
        With ``update(params, grads)``.
    batches : iterable of (x, t)
    steps : int, optional
        How many batches to take. Without it, all; then they must come to an end.
    max_norm : float, or ndarray, shape (R,), optional
        Clip the gradients to this norm, those of each network by themselves.

    Returns
    -------
    ndarray, shape (steps,) or (steps, R)
        The loss of each batch before its update, of each network.

    Raises
    ------
    ValueError
        If there are fewer batches than `steps`; those there were have been learned. If a
        parameter, the loss or a gradient is not finite; the message names it and the step.
    """
    _validate.having("model", model, ("forward", "backward", "params", "grads"), "a model")
    _validate.having("optimizer", optimizer, ("update",), "an optimiser")
    _validate.having("batches", batches, ("__iter__",), "an iterable of (x, t)")
    if max_norm is not None and not isinstance(max_norm, np.ndarray):
        _validate.real("max_norm", max_norm, above=0)
    if steps is None:
        batches = list(batches)
        steps = len(batches)
    steps = _validate.integer("steps", steps, minimum=0)
    losses, batches = [], iter(batches)
    for step in progress(range(steps), "training"):
        batch = next(batches, None)
        if batch is None:
            raise ValueError(f"batches must hold at least {steps}, got {step}")
        losses.append(_learned(step + 1, model, optimizer, batch, max_norm))
    return np.array(losses, float)


def _learned(step, *arguments):
    """Return what `learn` does; an error says at which step."""
    try:
        return learn(*arguments)
    except ValueError as error:
        raise ValueError(f"at step {step}: {error}") from error


def band(values, low, high):
    """Write numbers that hang on rounding: the range that holds them, if it does.

    Another processor, another build of NumPy round otherwise, and after hundreds of updates
    one network more or less has learned. What stays true is a range. Values outside of it
    are written as they are.

    Parameters
    ----------
    values : number or array of numbers
    low, high : number
        The ends of the range, found over many runs.

    Returns
    -------
    str
        ``"3 to 17"``, or a single number where both ends are the same.
    """
    ends = np.min(values), np.max(values)
    if low <= ends[0] and ends[1] <= high:
        written = [f"{end:,}" for end in (low, high)]
    else:
        written = [f"{end:,.1f}".removesuffix(".0") for end in ends]
    return " to ".join(dict.fromkeys(written))


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
