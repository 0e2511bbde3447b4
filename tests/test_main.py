"""The command: what it refuses, what it prints, and that no break changes a single bit."""

import contextlib
import io
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
import pytest
from helpers import Screen, break_writing, forge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnbook import __main__ as command
from rnnbook import _console as console
from rnnbook import house_that_jack_built, training
from rnnbook._settings import CHOICES, NUMBERS
from rnnbook.data import load_text
from rnnbook.training import TextRun, read_checkpoint

SIZES = {"hidden-size": 6, "wordvec-size": 5, "batch-size": 5, "time-size": 9, "sample-length": 20}
SMALL = [f"--{name}={size}" for name, size in SIZES.items()]
API_NAME = re.compile(r"\b[a-z]+_[a-z_]+\b")  # a command has options, no arguments_like_this


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder that holds one text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test needs to outlast a power cut
    (tmp_path / "rhyme.txt").write_text(house_that_jack_built(), encoding="utf8")
    return tmp_path


@pytest.fixture
def run(capsys):
    """Return a function that runs the command and tells status, output and errors."""

    def run(*args):
        try:
            status = command.main([str(arg) for arg in args])
        except SystemExit as stop:  # of argparse
            status = stop.code
        out, err = capsys.readouterr()
        if status:
            assert not API_NAME.search(err), err
        return status, out, err

    return run


def lines(text):
    return text.strip().splitlines()


def same(one, other):
    """Hold that two checkpoints are equal to the last bit."""
    one, other = read_checkpoint(one), read_checkpoint(other)
    assert one.notes == other.notes
    assert one.settings == other.settings
    for a, b in zip(one[2:], other[2:], strict=True):
        np.testing.assert_equal(a, b)


# What it does -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        (["--cell", "rnn"], " bits/char)"),
        (["--cell", "gru", "--optimizer", "sgd", "--clip", "0"], " bits/char)"),
        (["--level", "word", "--max-vocabulary", "20"], ""),
    ],
)
def test_it_trains_and_writes(run, options, unit):
    status, out, err = run("rhyme.txt", "--epochs", 2, *SMALL, *options)
    assert status == 0
    assert out.strip()
    first, *epochs, writes = lines(err)
    assert "checkpoint rhyme.rnnbook.npz" in first
    assert re.fullmatch("epoch [12], the best on the held-out text, writes:", writes)
    assert len(epochs) == 2
    number = rf"perplexity \d+\.\d\d{re.escape(' (') if unit else ''}"
    for k, line in enumerate(epochs, 1):
        assert re.match(rf"epoch {k}/2  train {number}", line)
        assert re.search(rf"held-out {number}", line)
        assert line.count("bits/char") == (2 if unit else 0)
        assert re.search(r"[\d,]+ tokens/s  \d+:\d\d left$", line)
    assert epochs[-1].endswith("0:00 left")


def test_the_numbers_are_those_of_the_package(run):
    run("rhyme.txt", "--epochs", 2, *SMALL)
    saved = read_checkpoint("rhyme.rnnbook.npz")
    text = house_that_jack_built()
    vocabulary = sorted(set(text), key=text.index)
    assert saved.notes["vocabulary"] == vocabulary
    ids = np.array([vocabulary.index(token) for token in text])
    train, test = np.split(ids, [len(ids) - round(0.1 * len(ids))])
    model = command.GatedRnnlm(len(vocabulary), 5, 6, rng=np.random.default_rng(0))
    twin = TextRun(model, training.Adam(0.003), train, batch_size=5, time_size=9, max_norm=5)
    for k in range(2):
        twin.advance(twin.steps_per_epoch)
        assert saved.notes["held_out_losses"][k] == model.evaluate(test)
    np.testing.assert_array_equal(saved.losses, twin.losses)
    np.testing.assert_equal(saved.params, dict(model.params))


def test_a_sample_is_written_again_from_the_checkpoint_alone(run, folder):
    _, out, _ = run("rhyme.txt", "--epochs", 1, *SMALL)
    (folder / "rhyme.txt").unlink()
    again = ("--sample-only", "--checkpoint", "rhyme.rnnbook.npz", "--sample-length", 20)
    before = (folder / "rhyme.rnnbook.npz").read_bytes()
    assert run(*again) == (0, out, "")
    assert run(*again, "--seed", 1) != (0, out, "")
    status, out, err = run(*again, "--prefix", "this is", "--temperature", 0)
    assert (status, err) == (0, "")
    assert out.startswith("this is")
    assert (folder / "rhyme.rnnbook.npz").read_bytes() == before


def test_a_sample_follows_what_is_most_like_the_text():
    rng, line_end = np.random.default_rng(0), np.array([0])
    heading, table = np.full(300, 1), np.full(300, 2)
    prose = np.append(rng.integers(3, 30, 2000), 0)
    text = np.concatenate([heading, line_end, prose, table, line_end])
    np.testing.assert_array_equal(command._before(text, line_end), prose[-256:])
    np.testing.assert_array_equal(command._before(prose, line_end), prose[-256:])
    np.testing.assert_array_equal(command._before(text, line_end[:0]), text[-256:])
    short = np.array([3, 0, 4, 0, 5])
    np.testing.assert_array_equal(command._before(short, line_end), short)


def test_a_sample_is_what_the_model_writes_on(run):
    _, out, _ = run("rhyme.txt", "--epochs", 2, "--held-out", 0, "--prefix", "the ", *SMALL)
    saved = read_checkpoint("rhyme.rnnbook.npz")
    vocabulary, text = saved.notes["vocabulary"], house_that_jack_built()
    assert saved.best == {}
    model = command.GatedRnnlm(len(vocabulary), 5, 6, rng=np.random.default_rng(0))
    model.params.update(saved.params)
    before = "".join(vocabulary[i] for i in saved.notes["before"])
    assert len(before) == 256
    assert before[-1] == "\n"
    assert before in text
    start = np.array([vocabulary.index(sign) for sign in before + "the "])
    ids = model.sample(start, 20, rng=np.random.default_rng(0), temperature=0.7)
    assert out == "the " + "".join(vocabulary[i] for i in ids) + "\n"


def test_words_are_written_with_the_unknown_ones_marked(run):
    run("rhyme.txt", "--level", "word", "--max-vocabulary", 20, "--epochs", 0, *SMALL)
    again = ("rhyme.txt", "--sample-only", "--sample-length", 0)
    assert run(*again, "--prefix", "this is the nightingale") == (0, "this is the <unk>\n", "")


def test_the_best_epoch_writes_and_the_last_one_goes_on(run, monkeypatch):
    losses = iter([2.0, 1.5, 1.7, 1.5, 9.0])
    monkeypatch.setattr(command.GatedRnnlm, "evaluate", lambda *_, **__: next(losses))
    kept, advance = {}, TextRun.advance

    def keep(self, steps):
        result = advance(self, steps)
        if self.steps % self.steps_per_epoch == 0:
            epoch = self.steps // self.steps_per_epoch
            kept[epoch] = {name: param.copy() for name, param in self.model.params.items()}
        return result

    monkeypatch.setattr(TextRun, "advance", keep)
    status, out, err = run("rhyme.txt", "--epochs", 3, *SMALL)
    assert status == 0
    assert ["best so far" in line for line in lines(err)[1:4]] == [True, True, False]
    assert lines(err)[-1] == "epoch 2, the best on the held-out text, writes:"
    saved = read_checkpoint("rhyme.rnnbook.npz")
    np.testing.assert_equal(saved.best, kept[2])
    np.testing.assert_equal(saved.params, kept[3])
    assert run("rhyme.rnnbook.npz", "--sample-only", "--sample-length", 20) == (0, out, "")
    status, out_again, err = run("rhyme.txt", "--epochs", 5, "--resume", *SMALL)
    assert (status, out_again) == (0, out)  # of two equally good ones the first
    assert lines(err)[-1] == "epoch 2, the best on the held-out text, writes:"
    np.testing.assert_equal(read_checkpoint("rhyme.rnnbook.npz").best, kept[2])


def test_without_held_out_text_all_is_learned(run):
    status, _, err = run("rhyme.txt", "--epochs", 1, "--held-out", 0, *SMALL)
    assert status == 0
    assert ", 0 held out, " in err
    assert "held-out perplexity" not in err


def test_more_epochs_go_on_where_fewer_ended(run):
    run("rhyme.txt", "--epochs", 3, "--checkpoint", "whole.npz", *SMALL)
    run("rhyme.txt", "--epochs", 1, *SMALL)
    status, _, err = run("rhyme.txt", "--epochs", 3, "--resume", *SMALL)
    assert status == 0
    assert "epoch 3/3" in err
    same("whole.npz", "rhyme.rnnbook.npz")
    status, _, err = run("rhyme.txt", "--epochs", 2, "--resume")
    assert (status, lines(err)) == (
        1,
        ["rnnbook: --epochs must be at least those of rhyme.rnnbook.npz, 3, got 2"],
    )


# Texts from elsewhere -----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_a_text_is_read_in_its_encoding(run, folder, encoding):
    run("rhyme.txt", "--epochs", 1, "--checkpoint", "wanted.npz", *SMALL)
    text = (folder / "rhyme.txt").read_text(encoding="utf8").replace("k", "é")
    (folder / "mine.txt").write_bytes(text.encode(encoding))
    options = ["--encoding", encoding] if encoding != "utf-8" else []
    assert run("mine.txt", "--epochs", 1, *options, *SMALL)[0] == 0
    saved = read_checkpoint("mine.rnnbook.npz")
    assert saved.notes["vocabulary"].count("é") == 1
    np.testing.assert_equal(saved.params, read_checkpoint("wanted.npz").params)
    status, _, err = run("mine.txt", "--epochs", 2, "--resume", *SMALL)  # it is noted
    assert status == 0, err
    assert run("mine.txt", "--evaluate", "mine.txt")[0] == 0


def test_standard_input_and_pipes_are_texts_as_well(run, folder, monkeypatch):
    text = (folder / "rhyme.txt").read_bytes()
    run("rhyme.txt", "--epochs", 1, *SMALL)
    judged = run("rhyme.rnnbook.npz", "--evaluate", "rhyme.txt")
    os.mkfifo("pipe")

    def piped(*args):
        writer = threading.Thread(target=(folder / "pipe").write_bytes, args=(text,))
        writer.start()
        result = run(*args)
        writer.join()
        return result

    def typed(*args):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        return run(*args)

    for name, with_text, path in (("-", typed, "typed.npz"), ("pipe", piped, "piped.npz")):
        mine = ("--checkpoint", path)
        status, out, err = with_text(name, "--epochs", 1, *SMALL, *mine)
        assert status == 0, err
        same("rhyme.rnnbook.npz", path)
        assert with_text(name, "--epochs", 1, "--resume", *SMALL, *mine)[:2] == (0, out)
        assert with_text(name, "--sample-only", "--sample-length", 20, *mine) == (0, out, "")
        assert with_text("rhyme.rnnbook.npz", "--evaluate", name) == judged
        status, _, err = run(name, "--epochs", 1)
        assert status == 2
        assert "--checkpoint is missing: a text from a pipe has no name" in err
    status, _, err = run("-", "--evaluate", "-", "--checkpoint", "x.npz")
    assert status == 2
    assert "--evaluate must be another text than TEXT, got - for both" in err


def test_another_text_is_judged_from_a_line_end_on_to_its_last_token(run, folder):
    run("rhyme.txt", "--epochs", 2, *SMALL)
    (folder / "other.txt").write_text("this is the cow\nthat ate", encoding="utf8")
    status, out, err = run("rhyme.rnnbook.npz", "--evaluate", "other.txt")
    assert (status, err) == (0, "")
    assert run("rhyme.txt", "--evaluate", "other.txt") == (0, out, "")
    saved = read_checkpoint("rhyme.rnnbook.npz")
    vocabulary = saved.notes["vocabulary"]
    model = command.GatedRnnlm(len(vocabulary), 5, 6, rng=np.random.default_rng(0))
    model.params.update(saved.best)
    ids = np.array([vocabulary.index(sign) for sign in "\nthis is the cow\nthat ate"])
    p = model.read(ids[:-1]).probabilities[np.arange(24), ids[1:]]
    loss = -np.log(p).mean()
    assert out == (
        f"{loss:.4f} nats per token, perplexity {np.exp(loss):.2f} "
        f"({loss / np.log(2):.2f} bits/char), of 24 tokens\n"
    )


def test_tokens_that_a_checkpoint_does_not_know_are_counted(run, folder):
    (folder / "other.txt").write_text("this is the zoo, the Ark", encoding="utf8")
    run("rhyme.txt", "--epochs", 1, *SMALL)
    status, out, err = run("rhyme.rnnbook.npz", "--evaluate", "other.txt")
    assert (status, out) == (1, "")
    assert re.search(r"3 of the 24 tokens of other.txt are none of the \d+ that rhyme.rnnb", err)
    assert "the first of them 'z'" in err
    word = ("rhyme.txt", "--level", "word", "--max-vocabulary", 20, "--checkpoint", "w.npz")
    run(*word, "--epochs", 1, *SMALL)
    status, out, err = run("w.npz", "--evaluate", "other.txt")
    assert (status, err) == (0, "3 tokens that w.npz does not know are read as <unk>\n")
    assert re.fullmatch(r"\d\.\d{4} nats per token, perplexity \d+\.\d\d, of 7 tokens\n", out)
    (folder / "other.txt").write_text(" \t", encoding="utf8")
    status, out, err = run("w.npz", "--evaluate", "other.txt")
    assert (status, out) == (1, "")
    assert "other.txt must hold at least one token to predict, got 0" in err


# As the Penn Treebank's text comes: a blank at both ends of a line, N for numbers.
TREEBANK = """ the <unk> of england said N people were <unk>
 mr. <unk> 's dog is n't here
 N people said the dog of mr. england is <unk>
"""
TREEBANK_VALID = """ the dog said N <unk>
 mr. england is here
"""


def test_perplexities_of_a_text_that_is_cut_already_are_those_of_the_definition(run, folder):
    (folder / "train.txt").write_text(TREEBANK.replace("\n", " \n"), encoding="utf8")
    (folder / "valid.txt").write_text(TREEBANK_VALID.replace("\n", " \n"), encoding="utf8")
    whole = ("--level", "whitespace", "--held-out", 0, "--epochs", 0, "--sample-length", 60)
    status, out, _ = run("train.txt", *whole)
    assert status == 0
    assert set(out.split()) <= set(TREEBANK.split())  # no token is cut, none is made up
    saved = read_checkpoint("train.rnnbook.npz")
    tokens, params = saved.notes["vocabulary"], saved.params
    counts = Counter(t for line in TREEBANK.splitlines() for t in [*line.split(), "<eos>"])
    assert set(tokens) == set(counts)
    # The shares of the tokens as a model: it needs no memory, and what it gives can be counted.
    unigram = {f"params/{name}": np.zeros_like(param) for name, param in params.items()}
    share = np.array([counts[token] for token in tokens]) / counts.total()
    unigram["params/affine.b"] = np.log(share).astype(np.float32)
    forge("train.rnnbook.npz", **unigram)
    status, out, err = run("train.rnnbook.npz", "--evaluate", "valid.txt")
    assert (status, err) == (0, "")
    valid = [t for line in TREEBANK_VALID.splitlines() for t in [*line.split(), "<eos>"]]
    perplexity = math.prod(counts.total() / counts[token] for token in valid) ** (1 / 11)
    # By hand: of 29 tokens <unk> is 4, <eos> 3, and of the other nine in the second text all
    # but "here" are 2. It has 11, with two <eos>.
    assert perplexity == pytest.approx(29 / (4 * 3 * 3 * 2**7) ** (1 / 11))
    loss = np.log(perplexity)
    assert out == f"{loss:.4f} nats per token, perplexity {perplexity:.2f}, of 11 tokens\n"


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_is_rewritten(run, monkeypatch):
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    clock = iter(range(0, 10**9, 3))
    fake = type("time", (), {"monotonic": staticmethod(lambda: next(clock))})
    monkeypatch.setattr(command, "time", fake)
    monkeypatch.setattr(console, "time", fake)
    assert command.main(["rhyme.txt", "--epochs", "2", *SMALL]) == 0
    first, *shown = screen.getvalue().split("\n")
    assert "checkpoint" in first
    *shown, writes, last = shown
    assert "writes" in writes
    assert last == ""
    for k, line in enumerate(shown, 1):  # all that came before on the line has been wiped
        *rewritten, stays = line.split("\r")
        assert any(re.search(rf"epoch {k}/2 +\d+%", text) for text in rewritten)
        assert rewritten[-1].strip() == ""
        assert all(len(text) <= 79 for text in rewritten)
        assert stays.startswith(f"epoch {k}/2  train")


def test_elsewhere_lines_come_now_and_then(run, monkeypatch):
    clock = iter(range(0, 10**9, 3))
    fake = type("time", (), {"monotonic": staticmethod(lambda: next(clock))})
    monkeypatch.setattr(command, "time", fake)
    monkeypatch.setattr(console, "time", fake)
    _, _, err = run("rhyme.txt", "--epochs", 1, *SMALL)
    assert "\r" not in err
    shown = [line for line in lines(err) if "%" in line]
    assert 3 < len(shown) < read_checkpoint("rhyme.rnnbook.npz").losses.size
    assert all(re.match(r"epoch 1/1 +\d+%  train perplexity ", line) for line in shown)


# What it refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ([], "TEXT is missing"),
        (["--sample-only"], "TEXT is missing"),
        (
            ["rhyme.txt", "--resume", "--sample-only"],
            "argument --sample-only: not allowed with argument --resume",
        ),
        (["rhyme.txt", "--cell", "cnn"], "invalid choice: 'cnn'"),
        (["rhyme.txt", "--epochs", "many"], "invalid int value: 'many'"),
        (["rhyme.txt", "--epochs", "-1"], "--epochs must be at least 0, got -1"),
        (["rhyme.txt", "--hidden-size", "0"], "--hidden-size must be at least 1, got 0"),
        (["rhyme.txt", "--lr", "0"], "--lr must be greater than 0, got 0.0"),
        (["rhyme.txt", "--lr", "nan"], "--lr must be greater than 0, got nan"),
        (["rhyme.txt", "--clip", "inf"], "--clip must be at least 0, got inf"),
        (
            ["rhyme.txt", "--temperature", "-1"],
            "--temperature must be 0 or at least 1e-06, got -1.0",
        ),
        (["rhyme.txt", "--temperature", "1e-320"], "--temperature must be 0 or at least 1e-06,"),
        (["rhyme.txt", "--held-out", "1"], "--held-out must be from 0 to below 1, got 1.0"),
        (["rhyme.txt", "--prefix", ""], "--prefix must not be empty"),
        (["rhyme.txt", "--checkpoint", "run"], "--checkpoint must end in .npz, got run"),
    ],
)
def test_a_wrong_command_is_refused_with_status_2(run, folder, args, wanted):
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert wanted in lines(err)[-1]
    assert os.listdir(folder) == ["rhyme.txt"]


@pytest.mark.parametrize(
    ("content", "args", "wanted"),
    [
        (None, [], "there is no file mine.txt"),
        (b"", [], "mine.txt must be a text file in UTF-8, got an empty file"),
        (b"PK\x03\x04\0", [], "got a binary file, with a zero at byte 4"),
        (b"caf\xe9 au lait", [], "got 0xe9 at byte 3"),
        (b"a", [], "must hold at least two tokens, got 1"),
        (b"ab", [], "--held-out must leave at least two tokens on both sides, got 0.1 of 2"),
        (b"abcde" * 8, [], "--batch-size must be an integer from 1 to 35, got 99"),
        (b"a b c " * 200, ["--prefix", "d"], "--prefix: tokens must be in the vocabulary of 4, "),
        (b"a b c " * 200, ["--prefix", " ", "--level", "word"], "--prefix must hold at least one"),
        (b"a b c " * 200, ["--resume"], "No such file or directory: 'mine.rnnbook.npz'"),
        (b"a b c " * 200, ["--sample-only"], "No such file or directory: 'mine.rnnbook.npz'"),
        (b"a b c " * 200, ["--checkpoint", "no/such.npz"], "No such file or directory"),
    ],
)
def test_bad_input_is_refused_with_one_line_and_status_1(run, folder, content, args, wanted):
    if content is not None:
        (folder / "mine.txt").write_bytes(content)
    status, out, err = run("mine.txt", "--batch-size", 99, "--time-size", 5, *args)
    assert (status, out) == (1, "")
    *_, line = lines(err)
    assert line.startswith("rnnbook: ")
    assert wanted in line
    assert not list(folder.glob("*.npz"))


def test_a_file_that_is_there_is_never_overwritten(run, folder):
    mine = folder / "rhyme.rnnbook.npz"
    mine.write_bytes(b"mine")
    for extra in ([], ["--resume"], ["--sample-only"]):
        status, _, err = run("rhyme.txt", *SMALL, *extra)
        assert status == 1
        assert len(lines(err)) == 1
        assert mine.read_bytes() == b"mine"
    assert "--resume goes on from it" in run("rhyme.txt", *SMALL)[2]


def test_what_is_not_the_same_run_is_refused(run, folder):
    run("rhyme.txt", "--epochs", 1, *SMALL)
    before = (folder / "rhyme.rnnbook.npz").read_bytes()

    def refused(wanted, *args):
        status, _, err = run("rhyme.txt", *args)
        assert status == 1
        assert len(lines(err)) == 1
        assert wanted in err
        assert (folder / "rhyme.rnnbook.npz").read_bytes() == before

    for mode in ("--resume", "--sample-only"):
        refused("--cell must be lstm, as rhyme.rnnbook.npz began, got gru", mode, "--cell", "gru")
    refused("--seed must be 0, as rhyme.rnnbook.npz began, got 1", "--resume", "--seed", 1)
    text = (folder / "rhyme.txt").read_text(encoding="utf8")
    (folder / "rhyme.txt").write_text(text.replace("cow", "owl"), encoding="utf8")
    refused("must go on with the text that it began with", "--resume")
    (folder / "rhyme.txt").write_text(text.replace("z", "q").swapcase(), encoding="utf8")
    refused("must go on with the text that it began with", "--resume")


def test_a_checkpoint_writes_for_its_own_text_alone(run, folder):
    run("rhyme.txt", "--epochs", 1, *SMALL)
    text = (folder / "rhyme.txt").read_text(encoding="utf8")
    (folder / "else").mkdir()
    there = folder / "else" / "rhyme.txt"
    for mode in (["--sample-only"], ["--evaluate", "rhyme.txt"], ["--resume", "--epochs", 2]):
        for other in (text + "cat", text[:-12] + text[-11:] + " ", "z" + text[1:]):
            there.write_text(other, encoding="utf8")
            status, out, err = run("else/rhyme.txt", *mode)
            assert (status, out) == (1, "")
            assert "rhyme.rnnbook.npz must go on with the text that it began with, got " in err
        there.write_text(text, encoding="utf8")
        assert run("else/rhyme.txt", *mode)[0] == 0
    status, _, err = run("rhyme.old.txt", "--sample-only", "--checkpoint", "rhyme.rnnbook.npz")
    assert status == 1
    assert "no file rhyme.old.txt; without it, --checkpoint rhyme.rnnbook.npz will do" in err


@pytest.mark.parametrize("more", [[], ["--resume"]])
def test_a_checkpoint_is_no_text_to_train_on(run, more):
    status, _, err = run("rhyme.rnnbook.npz", *more)
    assert status == 2
    assert "TEXT must be a text, got rhyme.rnnbook.npz; --sample-only and --evaluate take" in err


def test_two_processes_do_not_share_a_checkpoint(run, folder):
    with console.locked(folder / "rhyme.rnnbook.npz"):
        for more in ([], ["--resume"]):
            status, out, err = run("rhyme.txt", *SMALL, *more)
            assert (status, out) == (1, "")
            assert err == "rnnbook: rhyme.rnnbook.npz is in use by another process\n"
    assert os.listdir(folder) == ["rhyme.txt"]


TITLE, SHOWN = "\x1b]0;title\x07", r"\x1b]0;title\x07"


def test_a_text_commands_no_terminal(run, folder, monkeypatch):
    (folder / f"{TITLE}.txt").write_text(f"abcde{TITLE}\n" * 40, encoding="utf8")
    prefix = ("--prefix", f"a\t{TITLE}", "--checkpoint", f"{TITLE}.npz")
    status, out, err = run(f"{TITLE}.txt", *SMALL, *prefix)  # no tab in the text
    assert (status, out) == (1, "")
    prefix = ("--prefix", f"{TITLE}\na", *prefix[2:])
    status, out, err = run(f"{TITLE}.txt", "--epochs", 1, *SMALL, *prefix)
    assert status == 0
    assert f"checkpoint {SHOWN}.npz" in err
    assert out.startswith(f"{TITLE}\na")  # a file holds what the text holds
    for wrong in ([f"no{TITLE}.txt"], ["--cell", TITLE], ["x", TITLE], ["x", "--prefix", TITLE]):
        status, out, message = run(*wrong, *SMALL)
        assert (bool(status), out) == (True, "")
        err += message
    assert "\x1b" not in err
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stdout", screen)
    assert command.main([f"{TITLE}.npz", "--sample-only", *prefix[:2]]) == 0
    assert screen.text().startswith(f"{SHOWN}\na")
    assert "\x1b" not in screen.text()


def test_an_output_in_a_narrow_encoding_is_no_question_mark(run, folder, monkeypatch, capsys):
    (folder / "mine.txt").write_text("déjà vu\n" * 40, encoding="utf8")
    run("mine.txt", "--epochs", 0, *SMALL)
    screen = Screen("ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    mine = ["mine.rnnbook.npz", "--sample-only", "--prefix", "déjà", "--sample-length", "0"]
    assert command.main(mine) == 0
    assert screen.text() == "d\\xe9j\\xe0\n"
    assert "the output is in ascii, which lacks some of the signs" in capsys.readouterr().err


def test_a_warning_is_in_the_words_of_the_command(run, monkeypatch):
    def wary(*args, **options):
        warnings.warn('words cannot be told apart; level="char" takes characters', stacklevel=2)
        return load_text(*args, **options)

    monkeypatch.setattr(command, "load_text", wary)
    status, _, err = run("rhyme.txt", "--epochs", 0, "--level", "word", *SMALL)
    assert status == 0
    first = 'rnnbook: words cannot be told apart; --level "char" takes characters'
    assert lines(err)[0] == first


SOME = ["-1", "0", "1", "2", "3", "7", "1000", "0.5", "1e-320", "1e300", "nan"]
VALUES = {
    **{f"--{name.replace('_', '-')}": st.sampled_from(SOME) for name in NUMBERS},
    **{f"--{k}": st.sampled_from([*choices, "none"]) for k, choices in CHOICES.items()},
    "--prefix": st.text(max_size=3),
    "--encoding": st.sampled_from(["utf-8", "cp037", "utf-16", "none"]),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.fixed_dictionaries({}, optional=VALUES).filter(lambda chosen: len(chosen) < 5))
def test_whatever_an_option_says_the_answer_is_in_the_words_of_the_command(folder, chosen):
    (folder / "rhyme.txt").write_text("this is the cow that ate the malt\n" * 9, encoding="utf8")
    for file in folder.glob("*.npz"):
        file.unlink()
    small = {"--epochs": "1", "--sample-length": "3", "--hidden-size": "3", "--time-size": "90"}
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            options = [f"{name}={value}" for name, value in (small | chosen).items()]
            status = command.main(["rhyme.txt", *options])
        except SystemExit as stop:
            status = stop.code
    assert status in (0, 1, 2)
    assert bool(status) == (not out.getvalue())
    if status:
        *_, last = lines(err.getvalue())
        assert not API_NAME.search(last)
        assert last.startswith(("rnnbook: ", "python -m rnnbook: error: "))


def test_a_forged_checkpoint_is_refused_in_one_line(run):
    run("rhyme.txt", "--epochs", 1, *SMALL)
    path, notes = "rhyme.rnnbook.npz", read_checkpoint("rhyme.rnnbook.npz").notes
    for change, wanted in (
        ({"vocabulary": ["a"]}, "must be a checkpoint of this command, got one of another program"),
        ({"settings": notes["settings"] | {"time_size": 10**40}}, "--time-size must be an integer"),
        ({"settings": notes["settings"] | {"encoding": "x"}}, "encoding must be the name of a"),
        ({"settings": notes["settings"] | {"clip": 0.5}}, "--clip was 5.0, got 0.5"),
        ({"settings": notes["settings"] | {"held_out": 0.5}}, "the text that it began with"),
    ):
        forge(path, head={"notes": notes | change})
        status, out, err = run("rhyme.txt", "--resume")
        assert (status, out, len(lines(err))) == (1, "", 1)
        assert wanted in err
    forge(path, ["params/rnn.b", "best/rnn.b"], head={"notes": notes})
    status, out, err = run(path, "--sample-only")
    assert (status, out, len(lines(err))) == (1, "", 1)
    assert "must hold ['embed.W', 'rnn.Wx', " in err


def test_a_checkpoint_of_another_program_is_refused(run):
    model = command.SimpleRnnlm(4, 2, 3, rng=np.random.default_rng(0))
    other = TextRun(model, training.SGD(1), np.arange(40) % 4, batch_size=2, time_size=3)
    other.save("other.npz", {"settings": {"level": "char"}})
    status, _, err = run("--sample-only", "--checkpoint", "other.npz")
    assert (status, lines(err)) == (
        1,
        ["rnnbook: other.npz must be a checkpoint of this command, got one of another program"],
    )


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--lr", "1e38"], "in step "),
        (["--optimizer", "sgd", "--lr", "1e38", "--clip", 0], " nats per token"),
        (["--optimizer", "sgd", "--lr", "100"], "20 times in a row above 9.7 nats per token"),
        (
            ["--optimizer", "sgd", "--lr", "100", "--epochs", 1, "--time-size", 60],
            "6 times in a row",
        ),
    ],
)
def test_a_training_that_breaks_down_says_so_and_keeps_the_last_checkpoint(run, options, wanted):
    status, out, err = run("rhyme.txt", *SMALL, *options)
    assert (status, out) == (1, "")
    number = float(options[options.index("--lr") + 1])
    assert f"training broke down (is --lr {number} too large?): " in lines(err)[-1]
    assert re.search(r"in step \d+, |up to step \d+ ", lines(err)[-1])
    assert wanted in lines(err)[-1]
    assert lines(err)[-1].endswith("; rhyme.rnnbook.npz holds step 0")
    assert not re.search(r"\d{12}", err)
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == 0


def test_a_broken_run_never_replaces_the_good_checkpoint(run, monkeypatch):
    run("rhyme.txt", "--epochs", 1, *SMALL)
    before, advance = read_checkpoint("rhyme.rnnbook.npz"), TextRun.advance

    def poisoned(self, steps):
        losses = advance(self, steps)
        if self.steps == before.losses.size + 9:
            self.model.params["rnn.Wh"][1, 2] = np.nan  # as an update may, in its last step
        return losses

    monkeypatch.setattr(TextRun, "advance", poisoned)
    monkeypatch.setattr(command, "_SAVE_EVERY", 0)
    status, _, err = run("rhyme.txt", "--epochs", 3, "--resume")
    assert status == 1
    step = before.losses.size + 8
    assert "the parameter rnn.Wh must be finite, got nan at index [1, 2]; " in lines(err)[-1]
    assert lines(err)[-1].endswith(f"rhyme.rnnbook.npz holds step {step}")
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == step


# Breaks -------------------------------------------------------------------------------

LONG = ["rhyme.txt", "--epochs", "4", *SMALL]
ALONE = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def start(*args):
    """Start the command in a process of its own, one that saves very often."""
    code = "import sys, rnnbook.__main__ as m; m._SAVE_EVERY = 0; sys.exit(m.main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *LONG, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ALONE,
    )


def wait_for_steps(path, steps):
    """Wait until a checkpoint holds so many steps."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if path.exists() and read_checkpoint(path).losses.size >= steps:
            return
        time.sleep(0.02)
    raise TimeoutError


def test_killed_or_told_to_stop_it_comes_to_the_same_numbers(run, folder):
    status, sample, _ = run(*LONG, "--checkpoint", "whole.npz")
    path, left = folder / "rhyme.rnnbook.npz", []
    for end, code, more in (("kill", -signal.SIGKILL, []), ("terminate", 143, ["--resume"])):
        process = start(*more)
        wait_for_steps(path, 30 + 40 * len(left))
        getattr(process, end)()
        out, err = process.communicate()
        assert (process.returncode, out) == (code, ""), err
        left.append(read_checkpoint(path).losses.size)
    assert f"stopped after step {left[-1]}, saved in rhyme.rnnbook.npz; " in lines(err)[-1]
    assert left[-1] < read_checkpoint("whole.npz").losses.size
    status, out, err = run(*LONG, "--resume")
    assert (status, out) == (0, sample), err
    same("whole.npz", path)


def test_a_second_ctrl_c_stops_at_once(run, monkeypatch):
    advance, seen = TextRun.advance, []

    def slow(self, steps):
        seen.append(self.steps)
        advance(self, steps)
        if self.steps == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            seen.append("went on")

    monkeypatch.setattr(TextRun, "advance", slow)
    before = signal.getsignal(signal.SIGINT)
    status, out, err = run("rhyme.txt", "--epochs", 2, *SMALL)
    assert (status, out) == (130, "")
    assert lines(err)[-1] == "rnnbook: stopped at once"
    assert "went on" not in seen
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == 0
    assert signal.getsignal(signal.SIGINT) is before


STOPS = {name: 128 + getattr(signal, name, 0) for name in ("SIGINT", "SIGTERM", "SIGHUP")}


@pytest.mark.parametrize("name", [name for name in STOPS if hasattr(signal, name)])
def test_one_signal_finishes_the_step_and_the_next_run_goes_on(run, monkeypatch, name):
    status, sample, _ = run("rhyme.txt", "--epochs", 2, "--checkpoint", "whole.npz", *SMALL)
    advance = TextRun.advance

    def interrupted(self, steps):
        if self.steps == 5:
            signal.raise_signal(getattr(signal, name))
        return advance(self, steps)

    with monkeypatch.context() as patch:
        patch.setattr(TextRun, "advance", interrupted)
        status, out, err = run("rhyme.txt", "--epochs", 2, *SMALL)
    assert (status, out) == (STOPS[name], "")
    assert "stopped after step 6, saved in rhyme.rnnbook.npz" in lines(err)[-1]
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == 6
    assert run("rhyme.txt", "--epochs", 2, "--resume", *SMALL)[:2] == (0, sample)
    same("whole.npz", "rhyme.rnnbook.npz")


def test_a_terminal_that_has_gone_costs_nothing(folder):
    with start() as process:
        process.stderr.close()
        wait_for_steps(folder / "rhyme.rnnbook.npz", 20)
        process.terminate()
        process.stdout.read()
    assert process.returncode == 143
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size >= 20


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_last_checkpoint(run, folder, monkeypatch, error):
    run("rhyme.txt", "--epochs", 1, *SMALL)
    path = folder / "rhyme.rnnbook.npz"
    before = path.read_bytes()
    break_writing(monkeypatch, "write_array", error)
    status, _, err = run("rhyme.txt", "--epochs", 2, "--resume")
    assert status == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert len(lines(err)) == 1
    assert path.read_bytes() == before
    assert sorted(os.listdir(folder)) == ["rhyme.rnnbook.npz", "rhyme.txt"]


def test_a_reader_who_has_seen_enough_is_no_error_to_report(run):
    run("rhyme.txt", "--epochs", 0, *SMALL)
    command = [sys.executable, "-m", "rnnbook", "--sample-only", "rhyme.rnnbook.npz"]
    with subprocess.Popen(
        [*command, "--sample-length", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
