"""What the command can be told, what it takes where it is not, and what a checkpoint notes."""

import math

from .data import Vocabulary

__all__ = [
    "BEFORE",
    "CHOICES",
    "NUMBERS",
    "SETTINGS",
    "by_size",
    "new_settings",
    "noted",
    "option",
    "wrong",
]

CHOICES = {
    "level": ("char", "word", "whitespace"),
    "cell": ("lstm", "gru", "rnn"),
    "optimizer": ("adam", "sgd"),
}
_GATES = {"lstm": 4, "gru": 3, "rnn": 1}  # and the plain layer's only sum
# What each number must be at least; some have other bounds.
NUMBERS = {
    **dict.fromkeys(("wordvec_size", "hidden_size", "batch_size", "time_size"), 1),
    **dict.fromkeys(("epochs", "seed", "sample_length", "clip", "temperature", "held_out"), 0),
    "max_vocabulary": 2,
    "lr": 0,
}
_WHOLE = set(NUMBERS) - {"clip", "temperature", "held_out", "lr"}

# What shapes the run, with its default for characters and for words. A run that goes on
# keeps what it began with; only the epochs may be changed. None is chosen by `by_size`.
SETTINGS = {
    "cell": ("lstm", "lstm"),
    "wordvec_size": (32, 64),
    "hidden_size": (128, 128),
    "batch_size": (None, None),
    "time_size": (None, None),
    "optimizer": ("adam", "adam"),
    "lr": (0.003, 0.002),
    "clip": (5.0, 5.0),
    "seed": (0, 0),
    "held_out": (0.1, 0.1),
    "max_vocabulary": (None, 10_000),
    "encoding": ("utf-8", "utf-8"),
}
_SGD_LR = 1.0

BEFORE = 256  # tokens that a model reads before it writes


def option(name):
    """Return the option of the command that a name belongs to."""
    return f"--{name.replace('_', '-')}"


def wrong(name, value):
    """Say what is wrong with a number of the command, if anything is."""
    low = NUMBERS[name]
    if name == "held_out":
        wanted, right = "from 0 to below 1", 0 <= value < 1
    elif name == "temperature":  # scores divided by less might overflow
        wanted, right = "0 or at least 1e-06", value == 0 or 1e-6 <= value < math.inf
    elif name == "lr":
        wanted, right = "greater than 0", 0 < value < math.inf
    else:
        wanted, right = f"at least {low}", low <= value < math.inf
    return None if right else f"must be {wanted}, got {value}"


def new_settings(args):
    """Return all settings of a new run, with the defaults of its level."""
    settings = {"level": args.level or "char", "epochs": args.epochs}
    for name, defaults in SETTINGS.items():
        given = getattr(args, name)
        settings[name] = defaults[settings["level"] != "char"] if given is None else given
    if settings["level"] == "whitespace" and args.max_vocabulary is None:
        settings["max_vocabulary"] = None  # whoever cut the text has left out what is rare
    if args.lr is None and args.optimizer == "sgd":
        settings["lr"] = _SGD_LR
    return settings


def by_size(settings, predictions):
    """Choose what has not been given to suit a text of so many predictions.

    A small text read in many places, many tokens a step, gives a handful of steps, too few
    to learn from, and learning rates that are large enough to make up for it are harsh.
    """
    N, T, epochs = (settings[name] for name in ("batch_size", "time_size", "epochs"))
    if T is None:
        T = min(max(predictions // (256 * (N or 4)), 16), 32, predictions)
    if N is None:
        N = min(max(predictions // (256 * T), 4), 32, predictions)
    if epochs is None:
        steps = max(predictions // (N * T), 1)
        epochs = min(max(2500 // steps, 10 if settings["level"] == "char" else 5), 50)
    settings |= {"batch_size": N, "time_size": T, "epochs": epochs}


def noted(checkpoint):
    """Return the settings and the vocabulary that this command has noted, or None twice."""
    notes, params = checkpoint.notes, checkpoint.params
    settings, tokens = notes.get("settings"), notes.get("vocabulary")
    losses, text, before = (notes.get(name) for name in ("held_out_losses", "text", "before"))
    if not isinstance(settings, dict) or set(settings) != {"level", "epochs", *SETTINGS}:
        return None, None
    if not all(_fits(name, value) for name, value in settings.items()):
        return None, None
    if (
        not isinstance(tokens, list)
        or not tokens
        or not all(isinstance(token, str) for token in tokens)
        or len(set(tokens)) < len(tokens)
        or not isinstance(losses, list)
        or not all(type(loss) is float and math.isfinite(loss) for loss in losses)
        or not isinstance(text, str)
        or not isinstance(before, list)
        or not 0 < len(before) <= BEFORE
        or not all(type(token) is int and 0 <= token < len(tokens) for token in before)
    ):
        return None, None
    V, D, H = len(tokens), settings["wordvec_size"], settings["hidden_size"]
    shapes = {"embed.W": (V, D), "rnn.Wh": (H, _GATES[settings["cell"]] * H), "affine.W": (H, V)}
    if any(name not in params or params[name].shape != shapes[name] for name in shapes):
        return None, None
    return settings, Vocabulary(tokens)


def _fits(name, value):
    """Return whether a setting may have this value."""
    if name in CHOICES:
        return value in CHOICES[name]
    if name == "encoding":
        return isinstance(value, str)
    if value is None:
        return name == "max_vocabulary"
    kinds = (int,) if name in _WHOLE else (int, float)
    return type(value) in kinds and wrong(name, value) is None
