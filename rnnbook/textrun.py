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


_FORMAT = "rnnbook checkpoint 2"  # what TextRun.save writes
_PARTS = ("params", "state", "memory", "best")
_DEPTH = 20  # of lists in lists, in notes: more than anyone needs, less than Python can print


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
    best : dict of str to ndarray
        Parameters of an earlier step that the caller thought better of; nothing if none.
    """

    settings: dict
    notes: dict
    losses: np.ndarray
    params: dict
    state: dict
    memory: dict
    best: dict


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
            If the loss, a gradient or a parameter is not finite; the message says in which
            step, and this run cannot go on.
        """
        steps = _validate.integer("steps", steps, minimum=0)
        for _ in range(steps):
            batch = text_batch(self.tokens, self.batch_size, self.time_size, self.steps)
            try:
                loss = learn(self.model, self.optimizer, batch, self.max_norm)
                self.losses.append(_validate.real("the loss", loss))
            except ValueError as error:
                why = error
                try:  # a loss that is NaN has its reason in a parameter, perhaps
                    _check_finite("the parameter ", self.model.params)
                except ValueError as earlier:
                    why = earlier
                raise ValueError(f"in step {self.steps + 1}, {why}") from None
        return np.array(self.losses[self.steps - steps :])

    def save(self, path, notes=None, *, best=None):
        """Write all of the run into one ``.npz`` file, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
            Ends in ``.npz``. A file of that name is replaced, once the new one is complete.
        notes : dict, optional
            Anything to keep beside, as ``json.dumps`` can write it: the vocabulary, say.
        best : dict of str to ndarray, optional
            Parameters of an earlier step to keep beside, under the names of the model's.

        Raises
        ------
        ValueError
            If a number is not finite; a file that is there stays as it was.
        """
        notes = {} if notes is None else notes
        if not isinstance(notes, dict):
            raise TypeError(f"notes must be a dict, got {_validate.describe(notes)}")
        _check_tree("notes", notes)
        head = {"format": _FORMAT, "settings": self._settings(), "notes": notes}
        try:
            head = json.dumps(head, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"notes must be what JSON can hold, got: {error}") from None
        rnn, params = self.model.rnn, self.model.params
        if best is not None:
            _check_like("best", _validate.named_arrays("best", best), params)
        parts = {
            "params": params,
            "state": {} if rnn.h is None else {name: getattr(rnn, name) for name in rnn.NAMES},
            "memory": _memory_of(self.optimizer),
            "best": best or {},
        }
        arrays = {"head": np.array(head), "losses": np.array(self.losses, float)}
        for part in _PARTS:
            arrays |= {f"{part}/{name}": array for name, array in parts[part].items()}
        _check_finite("the parameter ", params)
        others = {name for name in arrays if name != "head" and not name.startswith("params/")}
        _check_finite("", {name: arrays[name] for name in sorted(others)})
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
        if not isinstance(saved, Checkpoint):
            raise TypeError(f"saved must be a Checkpoint, got {_validate.describe(saved)}")
        ours = self._settings()
        if saved.settings.get("text") != ours["text"]:
            raise ValueError(
                f"{name} must go on with the text that it began with, "
                f"{saved.settings.get('text')}; got {ours['text']}"
            )
        for key in sorted(ours | saved.settings):
            then, now = (settings.get(key, "nothing") for settings in (saved.settings, ours))
            if then != now:
                raise ValueError(
                    f"{name} must go on with the settings that it began with: "
                    f"{_validate.shorten(key)} was {_validate.shorten(str(then))}, got {now}"
                )
        model, optimizer, params = self.model, self.optimizer, self.model.params
        _check_like(name, saved.params, params)
        if saved.best:
            _check_like(name, saved.best, params)
        names = model.rnn.NAMES if saved.losses.size else ()
        _check_like(name, saved.state, dict.fromkeys(names, self._like_state()))
        memory = saved.memory
        likes = {"steps": np.array(0)} if isinstance(optimizer, Adam) else {}
        if len(memory) > 1:
            likes |= {f"{kind}/{n}": param for kind in "mv" for n, param in params.items()}
        _check_like(name, memory, likes)
        if any((array < 0).any() for key, array in memory.items() if not key.startswith("m/")):
            raise ValueError(f"{name} must hold squares and a count for Adam, got some below zero")
        params.update(saved.params)
        model.reset_state()
        if saved.state:
            model.set_state(**saved.state)
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
            "text": fingerprint(self.tokens),
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
    head = _head(name, arrays.pop("head"))
    try:
        losses, parts = _parts(name, arrays)
    except TypeError as error:  # it is the file that is wrong, not an argument
        raise ValueError(str(error)) from None
    return Checkpoint(head["settings"], head["notes"], losses, **parts)


def fingerprint(tokens):
    """Say which text this is: its length and a hash, the same for equal texts alone.

    Parameters
    ----------
    tokens : ndarray of int, shape (K,)

    Returns
    -------
    str
    """
    tokens = np.ascontiguousarray(tokens, dtype="<i8")
    return f"{len(tokens)} tokens with hash {hashlib.sha256(tokens).hexdigest()[:16]}"


def _head(name, array):
    """Return the settings and notes that the array of a checkpoint holds, checked."""
    try:
        head = json.loads(str(array))
    except (ValueError, RecursionError):  # no JSON, or lists in lists without end
        head = None
    if not isinstance(head, dict) or "format" not in head:
        raise ValueError(f"{name} must have a head in JSON, got {_validate.shorten(str(array))!r}")
    if head["format"] != _FORMAT:
        found = _validate.shorten(repr(head["format"]))
        raise ValueError(f"{name} must have the format {_FORMAT!r}, got {found}")
    for part in ("settings", "notes"):
        if not isinstance(head.get(part), dict):
            raise ValueError(f"{name} must have {part} in its head, as a dict")
        _check_tree(f"{part} in {name}", head[part])
    return head


def _parts(name, arrays):
    """Return the losses, and the other arrays of a checkpoint by part, all checked."""
    parts = {part: {} for part in _PARTS}
    for key, array in arrays.items():
        where = f"{_validate.shorten(key)} in {name}"
        part, _, rest = key.partition("/")
        if key == "losses":
            _validate.floats(where, array, ("steps",), dtype=np.dtype(float))
            continue
        if part not in parts:
            raise ValueError(f"{where} must be one of {', '.join(_PARTS)}")
        if key == "memory/steps":
            _validate.indices(where, array, (), size=2**62, what="numbers of steps")
        else:
            _validate.floats(where, array, None)
        parts[part][rest] = array
    return arrays["losses"], parts


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
        got = _validate.shorten(str(got), 300)
        raise ValueError(f"{file} must hold {_validate.shorten(str(wanted), 300)}, got {got}")


def _check_finite(prefix, arrays):
    for name, array in arrays.items():
        _validate.finite(prefix + name, array)


def _check_tree(name, value):
    """Check that lists and dicts in one another are not too deep, with strings as keys."""
    level = [value]
    for _ in range(_DEPTH):
        dicts = [part for part in level if isinstance(part, dict)]
        if not all(isinstance(key, str) for part in dicts for key in part):
            raise TypeError(f"{name} must have strings as keys, as JSON has")
        lists = [part for part in level if isinstance(part, (list, tuple))]
        level = [x for part in lists for x in part]
        level += [x for part in dicts for x in part.values()]
    if level:
        raise ValueError(f"{name} must be at most {_DEPTH} lists or dicts deep")


def _memory_of(optimizer):
    """Return all that an optimiser remembers from step to step, as arrays."""
    if not isinstance(optimizer, Adam):
        return {}
    means = {"m": optimizer.m, "v": optimizer.v}
    memory = {f"{kind}/{name}": array for kind in means for name, array in means[kind].items()}
    return {"steps": np.array(optimizer.steps)} | memory
