"""Train a language model on a text of your own: ``python -m rnnbook TEXT``."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

from .data import Vocabulary, detokenize, load_text, split_text, tokenize
from .functions import perplexity
from .language import GatedRnnlm, SimpleRnnlm
from .optimizers import SGD, Adam
from .textrun import TextRun, read_checkpoint

__all__ = ["main"]

_DESCRIPTION = """\
Train a recurrent language model on a text file in UTF-8, then let it write. A text of
1 MB shows sensible words after a few minutes. Everything is kept in a checkpoint file,
written now and then, after Ctrl-C, and at the end; --resume goes on from it as if there
had been no break."""

_EPILOG = """\
Exit status: 0 if all went well, 1 if not, 2 for a wrong command, 130 after Ctrl-C."""

# What shapes the run, with its default at the level of characters and of words. A run
# that goes on keeps what it began with; only the epochs may be changed.
_SETTINGS = {
    "cell": ("lstm", "lstm"),
    "wordvec_size": (32, 64),
    "hidden_size": (128, 128),
    "batch_size": (32, 32),
    "time_size": (64, 32),
    "optimizer": ("adam", "adam"),
    "lr": (0.005, 0.003),
    "clip": (5.0, 5.0),
    "seed": (0, 0),
    "held_out": (0.1, 0.1),
    "max_vocabulary": (None, 10_000),
}
_SGD_LR = 1.0
_SAVE_EVERY, _REPORT_EVERY = 30.0, 10.0  # seconds; on a terminal the report is alive


def main(argv=None):
    """Run the command; return its exit status."""
    parser = _parser()
    args = parser.parse_args(argv)
    _check_arguments(parser, args)
    for stream in (sys.stdout, sys.stderr):  # a sign that cannot be shown is no reason to fail
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # checked where it matters
            status = _write(args) if args.sample_only else _train(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("rnnbook: stopped at once", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, TypeError, MemoryError, OverflowError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"rnnbook: {message}", file=sys.stderr)
        return 1
    return status


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m rnnbook", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("text", metavar="TEXT", nargs="?", help="a text file in UTF-8")
    add = parser.add_argument_group("the model").add_argument
    add("--level", choices=["char", "word"], help="what a token is (char)")
    add("--cell", choices=["rnn", "gru", "lstm"], help="the recurrent layer (lstm)")
    add("--wordvec-size", type=int, metavar="D", help="numbers in a token's vector (32; word 64)")
    add("--hidden-size", type=int, metavar="H", help="hidden units (128)")
    add("--max-vocabulary", type=int, metavar="V", help="keep so many tokens (all; word 10000)")
    add = parser.add_argument_group("training").add_argument
    add("--epochs", type=int, metavar="K", help="how often to read the text in all (10; word 5)")
    add("--batch-size", type=int, metavar="N", help="places to read at once (32)")
    add("--time-size", type=int, metavar="T", help="tokens a step at each place (64; word 32)")
    add("--optimizer", choices=["adam", "sgd"], help="(adam)")
    add("--lr", type=float, help="learning rate (0.005; word 0.003; sgd 1)")
    add("--clip", type=float, metavar="NORM", help="longest gradient, 0 for any (5)")
    add("--held-out", type=float, metavar="SHARE", help="of the text to judge by, or 0 (0.1)")
    add("--seed", type=int, help="of all that is random (0)")
    add = parser.add_argument_group("the checkpoint").add_argument
    add("--checkpoint", metavar="FILE", help="a .npz file (here, TEXT's name with .rnnbook.npz)")
    add("--resume", action="store_true", help="go on from the checkpoint")
    add("--sample-only", action="store_true", help="write from the checkpoint, do not train")
    add = parser.add_argument_group("writing").add_argument
    add("--sample-length", type=int, metavar="K", default=500, help="tokens to write (500)")
    add("--temperature", type=float, default=0.7, help="0 takes the likeliest token (0.7)")
    add("--prefix", help="what the sample begins with (a line end)")
    return parser


def _check_arguments(parser, args):
    """Refuse a command that cannot be meant, before anything is read."""
    if args.text is None and not (args.sample_only and args.checkpoint):
        parser.error("TEXT is missing")
    if args.sample_only and args.resume:
        parser.error("--resume trains and --sample-only does not: choose one")
    lowest = {
        **dict.fromkeys(("wordvec_size", "hidden_size", "batch_size", "time_size"), 1),
        **dict.fromkeys(("epochs", "seed", "sample_length", "clip", "temperature"), 0),
        "max_vocabulary": 2,
    }
    for name, low in lowest.items():
        value = getattr(args, name)
        if value is not None and not low <= value < float("inf"):
            parser.error(f"--{name.replace('_', '-')} must be at least {low}, got {value}")
    if args.lr is not None and not 0 < args.lr < float("inf"):
        parser.error(f"--lr must be greater than 0, got {args.lr}")
    if args.held_out is not None and not 0 <= args.held_out < 1:
        parser.error(f"--held-out must be from 0 to below 1, got {args.held_out}")
    if args.prefix == "":
        parser.error("--prefix must not be empty")
    args.path = Path(args.checkpoint or f"{Path(args.text).stem}.rnnbook.npz")
    if args.path.suffix != ".npz":
        parser.error(f"--checkpoint must end in .npz, got {args.path.name}")


def _train(args):
    if args.resume:
        checkpoint = read_checkpoint(args.path)
        settings = _settings_of(checkpoint, args.path)
        _check_same(args, settings)
    elif args.path.exists():
        raise ValueError(
            f"{args.path} exists already: --resume goes on from it, --checkpoint names another file"
        )
    else:
        settings = _new_settings(args)
    epochs = settings["epochs"] if args.epochs is None else args.epochs
    level, held_out = settings["level"], settings["held_out"]
    tokens, vocabulary = load_text(args.text, level, max_vocabulary=settings["max_vocabulary"])
    train, test = split_text(tokens, held_out=held_out) if held_out else (tokens, None)
    start = _start(args.prefix, vocabulary, level)
    model = _model(settings, len(vocabulary))
    run = TextRun(
        model,
        Adam(settings["lr"]) if settings["optimizer"] == "adam" else SGD(settings["lr"]),
        train,
        batch_size=settings["batch_size"],
        time_size=settings["time_size"],
        max_norm=settings["clip"] or None,
    )
    notes = {"settings": settings, "vocabulary": vocabulary.tokens, "held_out_losses": []}
    if args.resume:
        notes |= run.go_on(checkpoint, args.path.name)
        if Vocabulary(notes["vocabulary"]) != vocabulary:
            raise ValueError(f"{args.path} must go on with the text that it began with")
    notes["settings"] = settings | {"epochs": epochs}
    if run.steps > epochs * run.steps_per_epoch:
        raise ValueError(
            f"--epochs must be at least those of {args.path}, "
            f"{-(-run.steps // run.steps_per_epoch)}, got {epochs}"
        )
    run.save(args.path, notes)  # now, not after an hour: can it be written there?
    print(
        f"{len(train):,} tokens to learn from, {0 if test is None else len(test):,} held out, "
        f"{len(vocabulary):,} different; "
        f"{sum(param.size for param in model.params.values()):,} parameters; "
        f"checkpoint {args.path}",
        file=sys.stderr,
    )
    if not _run(run, notes, test, args.path):
        print(
            f"stopped after step {run.steps}, saved in {args.path}; "
            "the same command with --resume goes on",
            file=sys.stderr,
        )
        return 130
    _print_sample(model, vocabulary, start, args, settings)
    return 0


def _run(run, notes, test, path):
    """Train to the last epoch; return whether it came to that, or was interrupted."""
    report = _Report(run, notes)
    held_out, saved = notes["held_out_losses"], time.monotonic()
    with _Interrupt() as interrupt:
        while True:
            epoch, step = divmod(run.steps, run.steps_per_epoch)
            if step == 0 and test is not None and len(held_out) < epoch:
                places = min(32, 1 + len(test) // 4096)  # many would hurt a short text
                held_out.append(run.model.evaluate(test, batch_size=places))
            if step == 0 and epoch > 0:
                report.epoch(epoch)
            done = epoch == notes["settings"]["epochs"]
            if done or interrupt.asked or step == 0 or time.monotonic() > saved + _SAVE_EVERY:
                run.save(path, notes)
                saved = time.monotonic()
            if done or interrupt.asked:
                report.wipe()
                return done
            try:
                run.advance(1)
            except ValueError as error:
                after = f"training broke down after step {run.steps} (is --lr too large?)"
                raise ValueError(f"{after}: {error}") from None
            report.step()


class _Interrupt:
    """The first Ctrl-C asks to stop after this step, the second stops at once."""

    asked = False

    def __enter__(self):
        with contextlib.suppress(ValueError):  # only the main thread hears signals
            self.before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *error):
        if hasattr(self, "before"):
            signal.signal(signal.SIGINT, self.before)

    def _hear(self, *_):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")


class _Report:
    """How far training is: one line that is rewritten on a terminal, plain lines elsewhere."""

    def __init__(self, run, notes):
        self.run, self.notes, self.out = run, notes, sys.stderr
        self.terminal = self.out.isatty()
        self.first, self.start = run.steps, time.monotonic()
        self.shown, self.busy, self.last = self.start, 0.0, self.start
        self.busy_steps, self.width = 0, 0

    def step(self):
        """Count a step; show the line now and then."""
        now = time.monotonic()
        self.busy += now - self.last
        self.busy_steps += 1
        self.last = now
        if now < self.shown + (0.2 if self.terminal else _REPORT_EVERY):
            return
        self.shown, run = now, self.run
        epoch, step = divmod(run.steps - 1, run.steps_per_epoch)
        share = (step + 1) / run.steps_per_epoch
        self._show(f"{self._epoch(epoch + 1)} {share:4.0%}  {self._train(epoch)}  {self._pace()}")

    def epoch(self, epoch):
        """Show what an epoch has come to, in a line that stays."""
        text = f"{self._epoch(epoch)}  {self._train(epoch - 1)}"
        if self.notes["held_out_losses"]:
            text += f"  held-out {self._loss(self.notes['held_out_losses'][epoch - 1])}"
        if self.busy_steps:
            text += f"  {self._pace()}"
        self.wipe()
        print(text, file=self.out, flush=True)
        self.last = self.shown = time.monotonic()

    def wipe(self):
        """Take away the line that is rewritten."""
        if self.width:
            self.out.write("\r" + " " * self.width + "\r")
            self.width = 0

    def _show(self, text):
        if not self.terminal:
            print(text, file=self.out, flush=True)
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        self.out.write("\r" + text.ljust(self.width))
        self.out.flush()
        self.width = len(text)

    def _epoch(self, number):
        epochs = self.notes["settings"]["epochs"]
        return f"epoch {number:{len(str(epochs))}}/{epochs}"

    def _train(self, epoch):
        n = self.run.steps_per_epoch
        return f"train {self._loss(np.mean(self.run.losses[epoch * n : (epoch + 1) * n]))}"

    def _loss(self, loss):
        text = f"perplexity {perplexity(max(float(loss), 0.0)):.2f}"
        chars = self.notes["settings"]["level"] == "char"
        return text + (f" ({loss / np.log(2):.2f} bits/char)" if chars else "")

    def _pace(self):
        run = self.run
        tokens = run.batch_size * run.time_size * self.busy_steps / max(self.busy, 1e-9)
        steps = self.notes["settings"]["epochs"] * run.steps_per_epoch - run.steps
        elapsed = time.monotonic() - self.start
        left = round(elapsed / max(run.steps - self.first, 1) * steps)
        hours, minutes = divmod(left // 60, 60)
        clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
        return f"{tokens:,.0f} tokens/s  {clock}:{left % 60:02} left"


def _new_settings(args):
    """Return all settings of a new run, with the defaults of its level."""
    level = args.level or "char"
    epochs = {"char": 10, "word": 5}[level] if args.epochs is None else args.epochs
    settings = {"level": level, "epochs": epochs}
    for name, defaults in _SETTINGS.items():
        given = getattr(args, name)
        settings[name] = defaults[level == "word"] if given is None else given
    if args.lr is None and args.optimizer == "sgd":
        settings["lr"] = _SGD_LR
    return settings


def _settings_of(checkpoint, path):
    """Return the settings that this command has noted in a checkpoint."""
    settings = checkpoint.notes.get("settings", {})
    if set(settings) != {"level", "epochs", *_SETTINGS} or "vocabulary" not in checkpoint.notes:
        raise ValueError(f"{path} must be a checkpoint of this command, got one of another program")
    return settings


def _check_same(args, settings):
    """Check that what is given on the command line is what the run began with."""
    for name in ("level", *_SETTINGS):
        given = getattr(args, name)
        if args.sample_only and name == "seed":
            continue  # there it is that of the sample
        if given is not None and given != settings[name]:
            raise ValueError(
                f"--{name.replace('_', '-')} must be {settings[name]}, as {args.path} began, "
                f"got {given}"
            )


def _model(settings, vocab_size):
    sizes = vocab_size, settings["wordvec_size"], settings["hidden_size"]
    rng = np.random.default_rng(settings["seed"])
    if settings["cell"] == "rnn":
        return SimpleRnnlm(*sizes, rng=rng)
    return GatedRnnlm(*sizes, rng=rng, cell=settings["cell"])


def _start(prefix, vocabulary, level):
    """Return the tokens that a sample begins with."""
    if prefix is None:
        return np.array([vocabulary.encode(["\n"])[0] if "\n" in vocabulary else 0])
    tokens = tokenize(prefix, level)
    if not tokens:
        raise ValueError(f"--prefix must hold at least one token, got {prefix!r}")
    try:
        return vocabulary.encode(tokens)
    except ValueError as error:
        raise ValueError(f"--prefix: {error}") from None


def _write(args):
    """Write from a checkpoint."""
    checkpoint = read_checkpoint(args.path)
    settings = _settings_of(checkpoint, args.path)
    _check_same(args, settings)
    vocabulary = Vocabulary(checkpoint.notes["vocabulary"])
    start = _start(args.prefix, vocabulary, settings["level"])
    model = _model(settings, len(vocabulary))
    model.params.update(checkpoint.params)
    _print_sample(model, vocabulary, start, args, settings)
    return 0


def _print_sample(model, vocabulary, start, args, settings):
    """Print the prefix, if one was given, and what the model writes on."""
    rng = np.random.default_rng(settings["seed"] if args.seed is None else args.seed)
    ids = model.sample(start, args.sample_length, rng=rng, temperature=args.temperature)
    ids = ids if args.prefix is None else np.concatenate([start, ids])
    print(detokenize(vocabulary.decode(ids), settings["level"]))


if __name__ == "__main__":
    sys.exit(main())
