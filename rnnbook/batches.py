"""Batches: of a text, each going on where the last one ended, and of examples in any order."""

import numpy as np

from . import _validate

__all__ = [
    "check_examples",
    "minibatches",
    "steps_per_epoch",
    "text_batch",
    "truncated_bptt_batches",
]


def truncated_bptt_batches(tokens, batch_size, time_size, *, batches=None):
    """Yield ``(xs, ts)`` for a language model, each batch going on where the last one ended.

    The text is read in `batch_size` places at once. With P = len(tokens) - 1 predictions
    to make, reader n begins at ``n * (P // batch_size)``, and each batch moves all
    readers on by `time_size` tokens. A reader that comes to the end of the text goes on
    at its beginning.

    Parameters
    ----------
    tokens : sequence of int, shape (P + 1,)
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
    size = np.iinfo(np.int64).max
    tokens = _validate.indices("tokens", tokens, ("P + 1",), size=size, what="tokens")
    P = len(tokens) - 1
    if P < 1:
        raise ValueError(f"tokens must hold at least two tokens, got {len(tokens)}")
    N = _validate.integer("batch_size", batch_size, minimum=1, maximum=P)
    T = _validate.integer("time_size", time_size, minimum=1, maximum=P)
    if batches is None:
        batches = steps_per_epoch(P, N, T)
    batches = _validate.integer("batches", batches, minimum=0)

    def read():  # a generator of its own, so that bad arguments are refused at once
        for k in range(batches):
            yield text_batch(tokens, N, T, k)

    return read()


def steps_per_epoch(P, N, T):
    """Return how many batches it takes until the last reader is at the end."""
    return -(-(P - (N - 1) * (P // N)) // T)


def text_batch(tokens, N, T, k):
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
    size = check_examples(x, t)
    batch_size = _validate.integer("batch_size", batch_size, minimum=1, maximum=size)
    _validate.generator("rng", rng)

    def batches():  # a generator of its own, so that bad arguments are refused at once
        while True:
            order = rng.permutation(size)
            for start in range(0, size, batch_size):
                chosen = order[start : start + batch_size]
                yield x[chosen], t[chosen]

    return batches()


def check_examples(x, t, prefix=""):
    """Check that two arrays hold equally many examples; return how many."""
    for name, value in (("x", x), ("t", t)):
        name, wanted = prefix + name, "a numpy array of examples"
        if _validate.array(name, value, wanted).ndim == 0 or value.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be {wanted}, got {_validate.describe(value)}")
    if len(x) != len(t) or len(x) == 0:
        raise ValueError(
            f"{prefix}x and t must hold equally many examples, at least one; "
            f"got {len(x)} and {len(t)}"
        )
    return len(x)
