"""A run on one text that can be stopped, saved and resumed."""

import hashlib
import json
from typing import NamedTuple

import numpy as np

from . import _validate
from .batches import steps_per_epoch, text_batch, truncated_bptt_batches
from .data.archives import read_arrays, write_arrays
from .optimizers import SGD, Adam, learn

__all__ = ["Checkpoint", "TextRun", "read_checkpoint"]


_FORMAT = "rnnbook checkpoint 1"  # what TextRun.save writes


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
        self.model, self.optimizer, self.tokens = model, optimizer, np.asarray(tokens)
        self.batch_size, self.time_size, self.max_norm = int(batch_size), int(time_size), max_norm
        self.steps_per_epoch = steps_per_epoch(len(tokens) - 1, self.batch_size, self.time_size)
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
            batch = text_batch(self.tokens, self.batch_size, self.time_size, self.steps)
            loss = learn(self.model, self.optimizer, batch, self.max_norm)
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
        return self.go_on(read_checkpoint(path), _validate.path("path", path).name)

    def go_on(self, saved, name="saved"):
        """Go on from a `Checkpoint` that was read already, as `load` does; return its notes.

        Parameters
        ----------
        saved : Checkpoint
        name : str
            What an error calls it.
        """
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
            optimizer.steps = int(memory["steps"])
            optimizer.m, optimizer.v = (
                {n: memory[f"{kind}/{n}"].copy() for n in params} if len(memory) > 1 else {}
                for kind in "mv"
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
