"""The command: what it refuses, what it prints, and that no break changes a single bit."""

import io
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import break_writing

from rnnbook import __main__ as command
from rnnbook import house_that_jack_built, training
from rnnbook.training import TextRun, read_checkpoint

SIZES = {"hidden-size": 6, "wordvec-size": 5, "batch-size": 3, "time-size": 7, "sample-length": 20}
SMALL = [f"--{name}={size}" for name, size in SIZES.items()]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in a folder that holds one text."""
    monkeypatch.chdir(tmp_path)
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
        return status, *capsys.readouterr()

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
    first, *epochs = lines(err)
    assert "checkpoint rhyme.rnnbook.npz" in first
    assert len(epochs) == 2
    number = rf"perplexity \d+\.\d\d{re.escape(' (') if unit else ''}"
    for k, line in enumerate(epochs, 1):
        assert re.match(rf"epoch {k}/2  train {number}", line)
        assert re.search(rf"held-out {number}", line)
        assert line.count("bits/char") == (2 if unit else 0)
        assert re.search(r"[\d,]+ tokens/s  \d+:\d\d left$", line)
    assert lines(err)[-1].endswith("0:00 left")


def test_the_numbers_are_those_of_the_package(run):
    run("rhyme.txt", "--epochs", 2, *SMALL)
    saved = read_checkpoint("rhyme.rnnbook.npz")
    text = house_that_jack_built()
    vocabulary = sorted(set(text), key=text.index)
    assert saved.notes["vocabulary"] == vocabulary
    ids = np.array([vocabulary.index(token) for token in text])
    train, test = np.split(ids, [len(ids) - round(0.1 * len(ids))])
    model = command.GatedRnnlm(len(vocabulary), 5, 6, rng=np.random.default_rng(0))
    twin = TextRun(model, training.Adam(0.005), train, batch_size=3, time_size=7, max_norm=5)
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


def test_words_are_written_with_the_unknown_ones_marked(run):
    run("rhyme.txt", "--level", "word", "--max-vocabulary", 20, "--epochs", 0, *SMALL)
    again = ("rhyme.txt", "--sample-only", "--sample-length", 0)
    assert run(*again, "--prefix", "this is the nightingale") == (0, "this is the <unk>\n", "")


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


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_is_rewritten(run, monkeypatch):
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    clock = iter(range(0, 10**9, 3))
    fake = type("time", (), {"monotonic": staticmethod(lambda: next(clock))})
    monkeypatch.setattr(command, "time", fake)
    assert command.main(["rhyme.txt", "--epochs", "2", *SMALL]) == 0
    first, *shown = screen.getvalue().split("\n")
    assert "checkpoint" in first
    *shown, last = shown
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
        (["rhyme.txt", "--resume", "--sample-only"], "choose one"),
        (["rhyme.txt", "--cell", "cnn"], "invalid choice: 'cnn'"),
        (["rhyme.txt", "--epochs", "many"], "invalid int value: 'many'"),
        (["rhyme.txt", "--epochs", "-1"], "--epochs must be at least 0, got -1"),
        (["rhyme.txt", "--hidden-size", "0"], "--hidden-size must be at least 1, got 0"),
        (["rhyme.txt", "--lr", "0"], "--lr must be greater than 0, got 0.0"),
        (["rhyme.txt", "--lr", "nan"], "--lr must be greater than 0, got nan"),
        (["rhyme.txt", "--clip", "inf"], "--clip must be at least 0, got inf"),
        (["rhyme.txt", "--temperature", "-1"], "--temperature must be at least 0, got -1.0"),
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
        (None, [], "must be an existing text file, got 'mine.txt'"),
        (b"", [], "mine.txt must be a text file in UTF-8, got an empty file"),
        (b"PK\x03\x04\0", [], "got a binary file, with a zero at byte 4"),
        (b"caf\xe9 au lait", [], "got 0xe9 at byte 3"),
        (b"a", [], "must hold at least two tokens, got 1"),
        (b"ab", [], "held_out must leave at least two tokens on both sides, got 0.1 of 2"),
        (b"abcde" * 8, [], "batch_size must be an integer from 1 to 35, got 99"),
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


def test_a_checkpoint_of_another_program_is_refused(run):
    model = command.SimpleRnnlm(4, 2, 3, rng=np.random.default_rng(0))
    other = TextRun(model, training.SGD(1), np.arange(40) % 4, batch_size=2, time_size=3)
    other.save("other.npz", {"settings": {"level": "char"}})
    status, _, err = run("--sample-only", "--checkpoint", "other.npz")
    assert (status, lines(err)) == (
        1,
        ["rnnbook: other.npz must be a checkpoint of this command, got one of another program"],
    )


def test_a_training_that_breaks_down_says_so_and_keeps_the_last_checkpoint(run):
    status, _, err = run("rhyme.txt", "--optimizer", "sgd", "--lr", "1e38", "--clip", 0, *SMALL)
    assert status == 1
    assert "training broke down after step" in lines(err)[-1]
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == 0


# Breaks -------------------------------------------------------------------------------

LONG = ["rhyme.txt", "--epochs", "4", *SMALL]


def start(*args):
    """Start the command in a process of its own, one that saves very often."""
    code = "import sys, rnnbook.__main__ as m; m._SAVE_EVERY = 0; sys.exit(m.main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *LONG, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def wait_for_steps(path, steps):
    """Wait until a checkpoint holds so many steps."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if path.exists() and read_checkpoint(path).losses.size >= steps:
            return
        time.sleep(0.005)
    raise TimeoutError


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return the checkpoint and the sample of a run without a break."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "rhyme.txt").write_text(house_that_jack_built(), encoding="utf8")
    done = subprocess.run(
        [sys.executable, "-m", "rnnbook", *LONG],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return folder / "rhyme.rnnbook.npz", done.stdout


def test_killed_again_and_again_it_comes_to_the_same_numbers(folder, uninterrupted):
    whole, sample = uninterrupted
    path, args, left = folder / "rhyme.rnnbook.npz", [], []
    for steps in (1, 60, 120):
        process = start(*args)
        wait_for_steps(path, steps)
        process.kill()
        _, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err
        args = ["--resume"]
        left.append(read_checkpoint(path).losses.size)
    assert left[-1] < read_checkpoint(whole).losses.size
    out, err = start("--resume").communicate()
    assert out == sample, err
    same(whole, path)


def test_after_ctrl_c_it_comes_to_the_same_numbers(folder, uninterrupted):
    whole, sample = uninterrupted
    path = folder / "rhyme.rnnbook.npz"
    process = start()
    wait_for_steps(path, 50)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    steps = read_checkpoint(path).losses.size
    assert f"stopped after step {steps}, saved in rhyme.rnnbook.npz; " in err
    assert "Traceback" not in err
    assert not list(folder.glob(".*"))
    out, err = start("--resume").communicate()
    assert out == sample, err
    same(whole, path)


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


def test_one_ctrl_c_finishes_the_step(run, monkeypatch):
    advance = TextRun.advance

    def interrupted(self, steps):
        if self.steps == 5:
            signal.raise_signal(signal.SIGINT)
        return advance(self, steps)

    monkeypatch.setattr(TextRun, "advance", interrupted)
    status, out, err = run("rhyme.txt", "--epochs", 2, *SMALL)
    assert (status, out) == (130, "")
    assert "stopped after step 6, saved in rhyme.rnnbook.npz" in lines(err)[-1]
    assert read_checkpoint("rhyme.rnnbook.npz").losses.size == 6


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


def test_a_reader_who_has_seen_enough_is_no_error_to_report(uninterrupted):
    whole, _ = uninterrupted
    command = [sys.executable, "-m", "rnnbook", "--sample-only", "--checkpoint", str(whole)]
    with subprocess.Popen(
        [*command, "--sample-length", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
