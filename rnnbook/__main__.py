"""Train a language model on a text of your own: ``python -m rnnbook TEXT``."""

import argparse
import contextlib
import math
import os
import re
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from ._console import Interrupt, Report, as_perplexity, escaped, locked, say, write_out
from ._settings import (
    BEFORE,
    CHOICES,
    NUMBERS,
    SETTINGS,
    by_size,
    new_settings,
    noted,
    option,
    wrong,
)
from .data import (
    END_OF_LINE,
    UNKNOWN,
    detokenize,
    load_text,
    read_text,
    split_text,
    tokenize,
)
from .data.text import text_encoding
from .language import GatedRnnlm, SimpleRnnlm
from .optimizers import SGD, Adam
from .textrun import TextRun, fingerprint, read_checkpoint

__all__ = ["main"]

_DESCRIPTION = """\
Train a recurrent language model on a text, then let it write. A text of 1 MB shows
sensible words after a few minutes, one of 35 kB after less than one. Everything is kept in
a checkpoint file, written now and then, when the command is told to stop (Ctrl-C, SIGTERM,
SIGHUP), and at the end; --resume goes on from it as if there had been no break. What
writes is the model of the epoch that was best on the held-out text."""

_EPILOG = """\
By size: so many places, and tokens a step, that an epoch has 256 steps, but 4 to 32
places and 16 to 32 tokens; so many epochs that there are 2500 steps, but at least 10 (5,
if tokens are not characters) and at most 50.

A text's control characters reach a terminal escaped; a file or a pipe gets them as they
are. The result goes to standard output, all else to standard error.

Exit status: 0 if all went well, 1 if not, 2 for a wrong command, and after a signal 128
and its number: 130 after Ctrl-C, 143 after SIGTERM."""

_SAVE_EVERY = 30.0  # seconds
_PATIENCE = 20  # steps that may be worse than any guess before training has broken down


def main(argv=None):
    """Run the command; return its exit status."""
    for stream in (sys.stdout, sys.stderr):  # a sign that cannot be shown is no reason to fail
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    args = parser.parse_args(argv)
    _check_arguments(parser, args)
    try:
        # What overflows is checked where it matters.
        with np.errstate(over="ignore", invalid="ignore"), _warnings_in_words():
            if args.sample_only:
                return _write(args)
            if args.evaluate is not None:
                return _evaluate(args)
            with locked(args.path):
                return _train(args)
    except KeyboardInterrupt:
        say("rnnbook: stopped at once")
        return 130
    except BrokenPipeError:  # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, TypeError, MemoryError, OverflowError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        say(f"rnnbook: {message}")
        return 1


@contextlib.contextmanager
def _warnings_in_words():
    """Say what the package warns of as the command says it."""

    def hear(message, *_):
        say(f"rnnbook: {str(message).replace('level=', '--level ')}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = hear
        yield


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        super().error(escaped(message))  # it may hold what stands in a file's name


def _parser():
    parser = _Parser(prog="python -m rnnbook", description=_DESCRIPTION, epilog=_EPILOG)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "text", metavar="TEXT", nargs="?", help="a text file, or - for standard input"
    )
    add = parser.add_argument_group("the model").add_argument
    add(
        "--level",
        choices=CHOICES["level"],
        help="what a token is (char); whitespace is for a text that is cut into tokens already",
    )
    add("--cell", choices=CHOICES["cell"], help="the recurrent layer (lstm)")
    add("--wordvec-size", type=int, metavar="D", help="numbers in a token's vector (32; word 64)")
    add("--hidden-size", type=int, metavar="H", help="hidden units (128)")
    add("--max-vocabulary", type=int, metavar="V", help="keep so many tokens (all; word 10000)")
    add = parser.add_argument_group("training").add_argument
    add("--epochs", type=int, metavar="K", help="how often to read the text in all (by size)")
    add("--batch-size", type=int, metavar="N", help="places to read at once (by size)")
    add("--time-size", type=int, metavar="T", help="tokens a step at each place (by size)")
    add("--optimizer", choices=CHOICES["optimizer"], help="(adam)")
    add("--lr", type=float, help="learning rate (0.003; word 0.002; sgd 1)")
    add("--clip", type=float, metavar="NORM", help="longest gradient, 0 for any (5)")
    add("--held-out", type=float, metavar="SHARE", help="of the text to judge by, or 0 (0.1)")
    add("--seed", type=int, help="of all that is random (0)")
    add = parser.add_argument_group("the checkpoint").add_argument
    add("--checkpoint", metavar="FILE", help="a .npz file (here, TEXT's name with .rnnbook.npz)")
    add = parser.add_mutually_exclusive_group().add_argument
    add("--resume", action="store_true", help="go on from the checkpoint")
    add(
        "--sample-only",
        action="store_true",
        help="write from the checkpoint, do not train; TEXT may be left out, or be the checkpoint",
    )
    add("--evaluate", metavar="TEXT2", help="judge the checkpoint by another text, do not train")
    add = parser.add_argument_group("reading and writing").add_argument
    add("--encoding", help="of the text (utf-8)")
    add("--sample-length", type=int, metavar="K", default=500, help="tokens to write (500)")
    add("--temperature", type=float, default=0.7, help="0 takes the likeliest token (0.7)")
    add("--prefix", help="what the sample begins with (a new line)")
    return parser


def _check_arguments(parser, args):
    """Refuse a command that cannot be meant, before anything is read."""
    training = not args.sample_only and args.evaluate is None
    if args.text is not None and Path(args.text).suffix == ".npz":
        if training:
            parser.error(
                f"TEXT must be a text, got {args.text}; "
                "--sample-only and --evaluate take a checkpoint there"
            )
        if args.checkpoint is None:
            args.text, args.checkpoint = None, args.text
    if args.text is None and (training or not args.checkpoint):
        parser.error("TEXT is missing")
    if args.text == args.evaluate == "-":
        parser.error("--evaluate must be another text than TEXT, got - for both")
    for name in NUMBERS:
        if getattr(args, name) is not None and (why := wrong(name, getattr(args, name))):
            parser.error(f"{option(name)} {why}")
    if args.prefix == "":
        parser.error("--prefix must not be empty")
    if args.encoding is not None:
        try:
            args.encoding = text_encoding(args.encoding)
        except ValueError as error:
            parser.error(f"--{error}")
    if args.checkpoint is None:
        text = Path(args.text)
        if args.text == "-" or (text.exists() and not (text.is_file() or text.is_dir())):
            parser.error("--checkpoint is missing: a text from a pipe has no name")
        args.checkpoint = f"{text.stem}.rnnbook.npz"
    args.path = Path(args.checkpoint)
    if args.path.suffix != ".npz":
        parser.error(f"--checkpoint must end in .npz, got {args.path.name}")


@contextlib.contextmanager
def _in_options(**more):
    """Name the command's options in messages, where the package names its arguments."""
    names = {name: option(name) for name in SETTINGS} | more
    try:
        yield
    except (ValueError, TypeError) as error:
        pattern = rf"\b({'|'.join(names)})\b"
        raise ValueError(re.sub(pattern, lambda found: names[found[0]], str(error))) from None


# Reading ------------------------------------------------------------------------------


def _source(text):
    """Return where a text is to be read: a path, or standard input."""
    if text == "-":
        return sys.stdin.buffer
    if not Path(text).exists():
        raise FileNotFoundError(f"there is no file {text}")
    if Path(text).is_dir():
        raise IsADirectoryError(f"{text} must be a text file, got a folder")
    return Path(text)


def _load(args, settings):
    """Return the token ids of TEXT, and their vocabulary."""
    return load_text(
        _source(args.text),
        settings["level"],
        max_vocabulary=settings["max_vocabulary"],
        encoding=args.encoding or settings["encoding"],
    )


def _open(args):
    """Read the checkpoint; return it with its settings and vocabulary, all checked."""
    checkpoint, path = read_checkpoint(args.path), args.path
    settings, vocabulary = noted(checkpoint)
    if settings is None:
        raise ValueError(f"{path} must be a checkpoint of this command, got one of another program")
    for name in ("level", *SETTINGS):
        given = getattr(args, name)
        if name == "encoding" or (name == "seed" and not args.resume):
            continue  # of the text now, of the sample now
        if given is not None and given != settings[name]:
            wanted = f"{settings[name]}, as {path} began, got {given}"
            raise ValueError(f"{option(name)} must be {wanted}")
    return checkpoint, settings, vocabulary


def _model_of(args):
    """Return the model that a checkpoint lets write, with its notes and vocabulary."""
    checkpoint, settings, vocabulary = _open(args)
    if args.text is not None:
        if not (args.text == "-" or Path(args.text).exists()):
            raise FileNotFoundError(
                f"there is no file {args.text}; without it, --checkpoint {args.path} will do"
            )
        ids, words = _load(args, settings)
        _check_text(args, checkpoint, ids, words, vocabulary)
    model = _model(settings, len(vocabulary))
    params = checkpoint.best or checkpoint.params
    if set(params) != set(model.params):
        raise ValueError(f"{args.path} must hold {list(model.params)}, got {list(params)}")
    model.params.update(params)
    return model, checkpoint.notes, vocabulary


def _check_text(args, checkpoint, ids, words, vocabulary):
    """Check that a text is that of a checkpoint, to the last token."""
    if words != vocabulary or fingerprint(ids) != checkpoint.notes["text"]:
        raise ValueError(
            f"{args.path} must go on with the text that it began with, got another one in "
            f"{'standard input' if args.text == '-' else args.text}"
        )


# Training -----------------------------------------------------------------------------


def _train(args):
    checkpoint, vocabulary = None, None
    if args.resume:
        checkpoint, settings, vocabulary = _open(args)
    elif args.path.exists():
        raise ValueError(
            f"{args.path} exists already: --resume goes on from it, --checkpoint names another file"
        )
    else:
        settings = new_settings(args)
    ids, words = _load(args, settings)
    if args.resume:
        _check_text(args, checkpoint, ids, words, vocabulary)
    with _in_options():
        held_out = settings["held_out"]
        train, test = split_text(ids, held_out=held_out) if held_out else (ids, None)
    if not args.resume:
        by_size(settings, len(train) - 1)
    if args.epochs is not None:
        settings["epochs"] = args.epochs
    prefix = _prefix(args.prefix, words, settings["level"])
    run = _run(settings, train, len(words), checkpoint)
    notes = {
        "settings": settings,
        "vocabulary": words.tokens,
        "text": fingerprint(ids),
        "before": _before(train, _line_end(words, settings["level"])).tolist(),
        "held_out_losses": checkpoint.notes["held_out_losses"] if args.resume else [],
    }
    best = (checkpoint.best or None) if args.resume else None
    if run.steps > settings["epochs"] * run.steps_per_epoch:
        raise ValueError(
            f"--epochs must be at least those of {args.path}, "
            f"{-(-run.steps // run.steps_per_epoch)}, got {settings['epochs']}"
        )
    training = _Training(run, notes, test, best, args.path)
    training.save()  # now, not after an hour: can it be written there?
    say(
        f"{len(train):,} tokens to learn from, {0 if test is None else len(test):,} held out, "
        f"{len(words):,} different; "
        f"{sum(param.size for param in run.model.params.values()):,} parameters; "
        f"{settings['batch_size']} places, {settings['time_size']} tokens a step, "
        f"{run.steps_per_epoch:,} steps an epoch; checkpoint {args.path}"
    )
    if number := training.go():
        say(
            f"stopped after step {run.steps}, saved in {args.path}; "
            "the same command with --resume goes on"
        )
        return 128 + number
    if training.best is not None:
        run.model.params.update(training.best)
        epoch = 1 + int(np.argmin(notes["held_out_losses"]))
        say(f"epoch {epoch}, the best on the held-out text, writes:")
    _print_sample(run.model, words, notes, prefix, args)
    return 0


def _run(settings, train, vocab_size, checkpoint):
    """Return a run at its beginning, or where a checkpoint has stopped."""
    adam = settings["optimizer"] == "adam"
    with _in_options(max_norm="--clip"):
        run = TextRun(
            _model(settings, vocab_size),
            Adam(settings["lr"]) if adam else SGD(settings["lr"]),
            train,
            batch_size=settings["batch_size"],
            time_size=settings["time_size"],
            max_norm=settings["clip"] or None,
        )
        if checkpoint is not None:
            run.go_on(checkpoint, "the checkpoint")
    return run


class _Training:
    """A run to its last epoch, with what is kept beside it."""

    def __init__(self, run, notes, test, best, path):
        self.run, self.notes, self.test, self.best, self.path = run, notes, test, best, path
        self.held_out, self.saved, self.saved_at = notes["held_out_losses"], run.steps, 0.0
        self.limit = 3 * math.log(max(len(notes["vocabulary"]), 3))
        self.over = 0  # so many of the last steps were beyond that limit

    def go(self):
        """Train; return 0 at the end, or the number of the signal that interrupted."""
        run, report = self.run, Report(self.run, self.notes)
        with Interrupt() as interrupt:
            while True:
                epoch, step = divmod(run.steps, run.steps_per_epoch)
                try:
                    if step == 0 and len(self.held_out) < epoch and self.test is not None:
                        self.judge()
                    done = epoch == self.notes["settings"]["epochs"]
                    if done:
                        self.check_loss(patience=1)
                    late = step == 0 or time.monotonic() > self.saved_at + _SAVE_EVERY
                    if done or interrupt.number or (late and not self.over):
                        self.save()
                    if step == 0 and epoch > 0:
                        report.epoch(epoch)
                    if done or interrupt.number:
                        report.wipe()
                        return 0 if done else interrupt.number
                    run.advance(1)
                    self.over = self.over + 1 if run.losses[-1] > self.limit else 0
                    self.check_loss(_PATIENCE)
                except ValueError as error:
                    report.wipe()
                    raise ValueError(
                        f"training broke down (is --lr {self.notes['settings']['lr']} too large?): "
                        f"{error}; {self.path} holds step {self.saved}"
                    ) from None
                report.step()

    def judge(self):
        """Evaluate on the held-out text; keep what is best there."""
        places = min(32, 1 + len(self.test) // 4096)  # many would hurt a short text
        loss = self.run.model.evaluate(self.test, batch_size=places)
        if not self.held_out or loss < min(self.held_out):
            self.best = {name: param.copy() for name, param in self.run.model.params.items()}
        self.held_out.append(loss)

    def check_loss(self, patience):
        """Give up where training is lost, though its numbers are finite."""
        if self.over >= patience:
            raise ValueError(
                f"up to step {self.run.steps} the loss was {self.over} times in a row above "
                f"{self.limit:.1f} nats per token, three times that of a blind guess: "
                f"at last {self.run.losses[-1]:.4g}"
            )

    def save(self):
        """Write the checkpoint, with errors that name it."""
        try:
            self.run.save(self.path, self.notes, best=self.best)
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.saved, self.saved_at = self.run.steps, time.monotonic()


def _model(settings, vocab_size):
    sizes = vocab_size, settings["wordvec_size"], settings["hidden_size"]
    rng = np.random.default_rng(settings["seed"])
    if settings["cell"] == "rnn":
        return SimpleRnnlm(*sizes, rng=rng)
    return GatedRnnlm(*sizes, rng=rng, cell=settings["cell"])


# Writing and judging ------------------------------------------------------------------


def _line_end(vocabulary, level):
    """Return the number of the line end as an array, an empty one if there is none."""
    token = END_OF_LINE if level == "whitespace" else "\n"
    return vocabulary.encode([token] if token in vocabulary else [])


def _before(tokens, line_end):
    """Return what a sample follows: those tokens up to a line end that are most like the text.

    At the state zero, where training has been only once, a model is not at its best, and
    after a table or a heading it goes on with tables or headings.
    """
    ends = 1 + np.flatnonzero(tokens == line_end) if len(line_end) else np.array([], int)
    ends = ends[ends >= BEFORE][:: max(1, len(ends) // 64)]
    shares = np.bincount(tokens) / len(tokens)

    def unlike(end):
        piece = tokens[end - BEFORE : end]
        return np.abs(np.bincount(piece, minlength=len(shares)) / BEFORE - shares).sum()

    return tokens[-BEFORE:] if len(ends) == 0 else tokens[: min(ends, key=unlike)][-BEFORE:]


def _prefix(prefix, vocabulary, level):
    """Return the tokens that a sample begins with."""
    if prefix is None:
        return vocabulary.encode([])
    tokens = tokenize(prefix, level)
    if not tokens:
        raise ValueError(f"--prefix must hold at least one token, got {prefix!r}")
    try:
        return vocabulary.encode(tokens)
    except ValueError as error:
        raise ValueError(f"--prefix: {error}") from None


def _write(args):
    """Write from a checkpoint."""
    model, notes, vocabulary = _model_of(args)
    prefix = _prefix(args.prefix, vocabulary, notes["settings"]["level"])
    _print_sample(model, vocabulary, notes, prefix, args)
    return 0


def _print_sample(model, vocabulary, notes, prefix, args):
    """Print the prefix, if one was given, and what the model writes on."""
    settings, start = notes["settings"], np.concatenate([np.array(notes["before"]), prefix])
    rng = np.random.default_rng(settings["seed"] if args.seed is None else args.seed)
    ids = model.sample(start, args.sample_length, rng=rng, temperature=args.temperature)
    ids = np.concatenate([prefix, ids])
    write_out(detokenize(vocabulary.decode(ids), settings["level"]))


def _evaluate(args):
    """Judge a checkpoint by another text: all its tokens, the first as after a line end."""
    model, notes, vocabulary = _model_of(args)
    settings = notes["settings"]
    level, name = settings["level"], "standard input" if args.evaluate == "-" else args.evaluate
    encoding = args.encoding or settings["encoding"]
    tokens = tokenize(read_text(_source(args.evaluate), encoding=encoding), level)
    unknown = [token for token in tokens if token not in vocabulary]
    if unknown and UNKNOWN not in vocabulary:
        raise ValueError(
            f"{len(unknown):,} of the {len(tokens):,} tokens of {name} are none of the "
            f"{len(vocabulary):,} that {args.path} knows, the first of them {unknown[0]!r}: "
            "they would make the perplexity infinite"
        )
    ids = np.concatenate([_line_end(vocabulary, level), vocabulary.encode(tokens)])
    if len(ids) < 2:
        raise ValueError(f"{name} must hold at least one token to predict, got {len(tokens)}")
    loss = model.evaluate(ids)
    if unknown:
        say(f"{len(unknown):,} tokens that {args.path} does not know are read as {UNKNOWN}")
    write_out(
        f"{loss:.4f} nats per token, {as_perplexity(loss, level)}, of {len(ids) - 1:,} tokens"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
