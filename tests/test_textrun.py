"""A run that was resumed computes what it would have, to the last bit."""

import copy
import json
import os

import numpy as np
import pytest
from helpers import FLOATS, break_writing, forge, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import (
    SGD,
    Adam,
    GatedRnnlm,
    SimpleRnnlm,
    TextRun,
    TwoLayerNet,
    truncated_bptt_batches,
)
from rnnbook.data import read_arrays, write_arrays
from rnnbook.textrun import fingerprint, read_checkpoint
from rnnbook.training import fit

CLASSIFIER = TwoLayerNet(4, 5, 3, rng=np.random.default_rng(0))
every_run = pytest.mark.parametrize(
    ("cell", "optimiser"), [("rnn", SGD), ("rnn", Adam), ("lstm", Adam), ("gru", SGD)]
)


def new_model(cell="lstm", seed=0, sizes=(5, 3, 4), **options):
    rng = np.random.default_rng(seed)
    if cell == "rnn":
        return SimpleRnnlm(*sizes, rng=rng, **options)
    return GatedRnnlm(*sizes, rng=rng, cell=cell, **options)


def some_text(size=90, seed=3):
    return np.random.default_rng(seed).integers(5, size=size)


def new_run(cell="lstm", optimiser=Adam, seed=0, **change):
    arguments = {"model": new_model(cell, seed), "optimizer": optimiser(0.1)}
    arguments |= {"tokens": some_text(), "batch_size": 3, "time_size": 4, "max_norm": 0.2}
    return TextRun(**(arguments | change))


def assert_same_run(run, other):
    assert run.losses == other.losses
    np.testing.assert_equal(dict(run.model.params), dict(other.model.params))
    for name in run.model.rnn.NAMES:
        np.testing.assert_equal(getattr(run.model.rnn, name), getattr(other.model.rnn, name))
    np.testing.assert_equal(vars(run.optimizer), vars(other.optimizer))


@every_run
def test_a_run_is_a_fit_to_the_batches_of_the_text(cell, optimiser):
    run, twin = new_run(cell, optimiser), new_model(cell)
    batches = list(truncated_bptt_batches(some_text(), 3, 4, batches=40))
    losses = np.concatenate([run.advance(7), run.advance(0), run.advance(33)])
    assert run.steps == 40
    np.testing.assert_array_equal(losses, run.losses)
    np.testing.assert_array_equal(losses, fit(twin, optimiser(0.1), batches, max_norm=0.2))
    np.testing.assert_equal(dict(run.model.params), dict(twin.params))


@given(size=st.integers(2, 60), N=st.integers(1, 60), T=st.integers(1, 60))
def test_an_epoch_has_as_many_steps_as_the_batches_that_make_every_prediction(size, N, T):
    N, T = min(N, size - 1), min(T, size - 1)
    text = np.zeros(size, int)
    run = TextRun(new_model("rnn"), SGD(1), text, batch_size=N, time_size=T)
    assert run.steps_per_epoch == len(list(truncated_bptt_batches(text, N, T)))


@every_run
@pytest.mark.parametrize("done", [0, 1, 13])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_resumed_run_computes_what_it_would_have_to_the_last_bit(
    tmp_path, cell, optimiser, done, dtype
):
    def new(seed):
        return new_run(cell, optimiser, model=new_model(cell, seed, dtype=dtype))

    whole, first, second = new(0), new(0), new(1)
    whole.advance(done + 20)
    first.advance(done)
    notes = {"vocabulary": ["é", "\n"], "held_out": [0.1, 2**-60]}
    first.save(tmp_path / "run.npz", notes)
    second.advance(3)  # whatever it did before is forgotten
    assert second.load(str(tmp_path / "run.npz")) == notes
    assert_same_run(first, second)
    second.advance(20)
    assert_same_run(whole, second)
    first.advance(20)  # saving has disturbed nothing
    assert_same_run(whole, first)


def test_a_checkpoint_can_be_read_without_a_model(tmp_path):
    run = new_run()
    run.advance(5)
    run.save(tmp_path / "run.npz")
    saved = read_checkpoint(tmp_path / "run.npz")
    assert saved.notes == {}
    assert saved.losses.tolist() == run.losses
    np.testing.assert_equal(saved.params, dict(run.model.params))
    np.testing.assert_equal(saved.state, {"h": run.model.rnn.h, "c": run.model.rnn.c})
    assert saved.settings["optimizer"] == "Adam"
    assert saved.memory["steps"] == 5


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test needs to outlast a power cut


@pytest.fixture
def saved(tmp_path):
    """Return the path of a checkpoint of the run that `new_run` begins."""
    run = new_run()
    run.advance(5)
    run.save(tmp_path / "run.npz")
    return tmp_path / "run.npz"


def loading_is_refused(path, error, *wanted, **change):
    """Hold that loading fails with that message and changes nothing."""
    run = new_run(**change)
    run.advance(2)
    before = copy.deepcopy(run)
    with refusal(error, path.name, *wanted):
        run.load(path)
    assert_same_run(run, before)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"tokens": some_text(seed=4)}, "must go on with the text that it began with, 90 tokens"),
        ({"tokens": some_text(91)}, "got 91 tokens with hash "),
        ({"batch_size": 2}, "batch_size was 3, got 2"),
        ({"time_size": 5}, "time_size was 4, got 5"),
        ({"max_norm": None}, "max_norm was 0.2, got None"),
        ({"optimizer": Adam(0.2)}, "lr was 0.1, got 0.2"),
        ({"optimizer": Adam(0.1, beta1=0.5)}, "beta1 was 0.9, got 0.5"),
        ({"optimizer": SGD(0.1)}, "beta1 was 0.9, got nothing"),
        ({"cell": "gru"}, "shape of rnn.Wh was [4, 16], got [4, 12]"),
        ({"cell": "rnn"}, "model was GatedRnnlm, got SimpleRnnlm"),
        ({"model": new_model(sizes=(6, 3, 4))}, "shape of affine.W was [4, 5], got [4, 6]"),
        ({"model": new_model(dtype=np.float64)}, "dtype was float32, got float64"),
        ({"model": new_model(truncation=2)}, "truncation was None, got 2"),
    ],
)
def test_another_run_does_not_go_on_from_a_checkpoint(saved, change, wanted):
    loading_is_refused(saved, ValueError, wanted, **copy.deepcopy(change))


def test_a_checkpoint_cut_short_at_any_place_is_refused(saved):
    whole = saved.read_bytes()
    for length in range(0, len(whole), 41):
        saved.write_bytes(whole[:length])
        with refusal(ValueError, "run.npz must be a whole .npz file of arrays, got"):
            read_checkpoint(saved)
    loading_is_refused(saved, ValueError, "must be a whole .npz file")


def test_a_damaged_checkpoint_is_refused_or_read_as_it_was(saved):
    whole, refused = saved.read_bytes(), 0
    wanted = read_checkpoint(saved)
    for place in range(0, len(whole), 29):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x81]) + whole[place + 1 :])
        try:
            found = read_checkpoint(saved)
        except ValueError as error:
            refused += "run.npz must " in str(error)
            continue
        np.testing.assert_equal(found, wanted)
    assert refused > len(whole) / 29 / 2


def test_a_file_of_arrays_that_is_no_checkpoint_is_refused(saved):
    arrays = read_arrays(saved)
    for change in ({"losses": arrays["losses"] + 1}, {"params/x": np.ones(2)}):
        write_arrays(saved, arrays | change)
        loading_is_refused(saved, ValueError, "must be a whole checkpoint, got one that is damaged")
    new_model().save(saved)
    loading_is_refused(saved, ValueError, "must be a checkpoint of rnnbook, got a .npz file of [")
    loading_is_refused(saved.with_name("no.npz"), FileNotFoundError)


# Forged checkpoints: whatever they hold, they are read as they are or leave as ValueError.


def nested(depth):
    whole = {"format": "rnnbook checkpoint 2", "settings": {}, "notes": "?"}
    return json.dumps(whole).replace('"?"', "[" * depth + "]" * depth)


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (" ", "must have a head in JSON, got ' '"),
        ("[]", "must have a head in JSON, got '[]'"),
        ("{}", "must have a head in JSON, got '{}'"),
        ("[" * 10**5, "must have a head in JSON, got '[[[["),
        (nested(10**5), "must have a head in JSON, got '{"),
        ("9" * 10**4, "must have a head in JSON, got '999"),
        ('{"a": ', "must have a head in JSON"),
        ("\x1b]0;title\x07", "must have a head in JSON, got '\\x1b]0;title\\x07'"),
        ({"format": "rnnbook checkpoint 1"}, "the format 'rnnbook checkpoint 2', got 'rnnbook ch"),
        ({"format": None}, "must have the format 'rnnbook checkpoint 2', got None"),
        ({"format": [[1]]}, "must have the format 'rnnbook checkpoint 2', got [[1]]"),
        ({"settings": []}, "must have settings in its head, as a dict"),
        ({"notes": "x"}, "must have notes in its head, as a dict"),
        ({"notes": {"x": json.loads("[" * 30 + "]" * 30)}}, "notes in run.npz must be at most 20"),
        ({"settings": {}}, "must go on with the text that it began with, None; got 90 tokens"),
        ({"settings": {"text": [1]}}, "must go on with the text that it began with, [1]; got 90"),
    ],
)
def test_a_forged_head_is_refused(saved, head, wanted):
    forge(saved, head=head)
    loading_is_refused(saved, ValueError, wanted)


def test_forged_settings_are_refused_each(saved):
    settings = read_checkpoint(saved).settings
    for name in settings:
        for value in ({"a": [1]}, "x" * 1000):
            forge(saved, head={"settings": settings | {name: value}})
            loading_is_refused(saved, ValueError, "must go on with the ")
        forge(saved, head={"settings": {k: v for k, v in settings.items() if k != name}})
        loading_is_refused(saved, ValueError, "must go on with the ")
    forge(saved, head={"settings": settings | {"x" * 1000: 1}})
    loading_is_refused(saved, ValueError, "xxx… was 1, got nothing")


def bad_arrays(good):
    """Return what may not stand in the place of an array."""
    worse = np.full_like(good, np.nan if good.dtype.kind == "f" else -1)
    longer = np.append(good, np.ravel(good)[:1])
    return [worse, good.astype(np.float16), good.astype(str), good[None], longer[..., None]]


def test_forged_arrays_are_refused_each(saved):
    arrays, whole = read_arrays(saved), saved.read_bytes()
    kept = ("params/rnn.Wh", "state/h", "state/c", "memory/m/rnn.b", "memory/v/rnn.b")
    for name in ("losses", "memory/steps", *kept):
        for bad in bad_arrays(arrays[name]):
            forge(saved, **{name: bad})
            loading_is_refused(saved, ValueError)
            saved.write_bytes(whole)
        if name != "losses":
            forge(saved, drop=[name])
            loading_is_refused(saved, ValueError, "must hold {")
            saved.write_bytes(whole)
    for name in ("state/x", "params/x", "memory/m/x", "best/x", "x", "other/x", "state"):
        forge(saved, **{name: np.ones(2)})
        loading_is_refused(saved, ValueError)
        saved.write_bytes(whole)
    forge(saved, **{"memory/v/rnn.b": -arrays["memory/v/rnn.b"] - 1})
    loading_is_refused(saved, ValueError, "must hold squares and a count for Adam, got some below")
    forge(saved, **{"memory/steps": arrays["memory/steps"].astype(np.uint8)})
    loading_is_refused(saved, ValueError, "must hold {'steps': 'int64 ()', ")


def test_what_is_no_checkpoint_is_no_way_to_go_on(saved):
    with refusal(TypeError, "saved must be a Checkpoint, got dict {}"):
        new_run().go_on({})


# What is kept beside ------------------------------------------------------------------


def test_the_best_parameters_are_kept_beside_the_last(saved):
    run, best = new_run(), new_run()
    run.load(saved)
    assert read_checkpoint(saved).best == {}
    best.advance(2)
    run.save(saved, best=dict(best.model.params))
    found = read_checkpoint(saved)
    np.testing.assert_equal(found.best, dict(best.model.params))
    np.testing.assert_equal(found.params, dict(run.model.params))
    again = new_run()
    again.load(saved)
    assert_same_run(again, run)
    for bad, wanted in (({"x": np.ones(2)}, "best must hold {'embed.W'"), ({}, "best must hold")):
        with refusal(ValueError, wanted):
            run.save(saved, best=bad)
    with refusal(TypeError, "best must be a dict of arrays by name"):
        run.save(saved, best=[1])


def test_only_finite_numbers_are_saved(saved):
    before, bad = saved.read_bytes(), [np.nan, np.inf, -np.inf]
    for number in bad:
        run = new_run()
        run.advance(5)
        best = {name: param.copy() for name, param in run.model.params.items()}
        best["affine.b"][3] = number
        with refusal(ValueError, "best/affine.b must be finite, got ", " at index [3]"):
            run.save(saved, best=best)
        for where, name in (
            (run.model.params["rnn.Wx"], "the parameter rnn.Wx"),
            (run.model.rnn.c, "state/c"),
            (run.optimizer.v["rnn.b"], "memory/v/rnn.b"),
        ):
            good, where.flat[0] = where.flat[0], number
            with refusal(ValueError, f"{name} must be finite, got "):
                run.save(saved)
            where.flat[0] = good
        run.losses[2] = number
        with refusal(ValueError, "losses must be finite, got ", " at index [2]"):
            run.save(saved)
        with refusal(TypeError, "notes must be what JSON can hold"):
            new_run().save(saved, {"x": number})
    assert saved.read_bytes() == before


@given(st.lists(st.integers(0, 300), min_size=1), st.lists(st.integers(0, 300), min_size=1))
def test_a_fingerprint_is_that_of_one_text(one, other):
    mine = fingerprint(np.array(one))
    assert mine == fingerprint(np.array(one, np.uint16)[::1])
    assert (mine == fingerprint(np.array(other))) == (one == other)
    assert mine.startswith(f"{len(one)} tokens with hash ")


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["write_array", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_checkpoint(saved, monkeypatch, where, error):
    run, before = new_run(), saved.read_bytes()
    run.load(saved)
    run.advance(1)
    break_writing(monkeypatch, where, error)
    with pytest.raises(type(error)):
        run.save(saved)
    assert os.listdir(saved.parent) == [saved.name]
    assert saved.read_bytes() == before


def test_a_run_whose_loss_is_not_finite_cannot_go_on():
    run = new_run("rnn", optimizer=SGD(1e38), max_norm=None)
    wanted = r"^in step \d+, .* must be finite, got "
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match=wanted):
        run.advance(50)
    assert run.steps < 50
    assert np.isfinite(run.losses).all()


def test_weights_that_are_not_finite_are_named_with_the_step():
    for name in new_model().params:
        run = new_run()
        run.advance(3)
        run.model.params[name].flat[1] = np.nan
        with refusal(ValueError, f"in step 4, the parameter {name} must be finite, got nan at "):
            run.advance(9)


def unstable():
    model = new_model()
    model.rnn.stateful = False
    return model


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": CLASSIFIER}, "model must be a language model, with forward, "),
        (ValueError, {"model": unstable()}, "model must be stateful, got stateful=False"),
        (TypeError, {"optimizer": 0.1}, "optimizer must be SGD or Adam, got float 0.1"),
        (TypeError, {"tokens": [1, 2.0]}, "tokens must hold integer tokens, got float 2.0"),
        (ValueError, {"batch_size": 90}, "batch_size must be an integer from 1 to 89, got 90"),
        (TypeError, {"time_size": 2.0}, "time_size must be an integer from 1 to 89, got float"),
        (ValueError, {"max_norm": 0}, "max_norm must be a finite number > 0, got 0"),
    ],
)
def test_a_run_that_cannot_be_is_refused(error, change, wanted):
    with refusal(error, wanted):
        new_run(**change)


def test_what_cannot_be_saved_is_refused(saved):
    before = saved.read_bytes()
    for notes in ({"x": np.ones(2)}, [1], {"x": object()}, {1: 2}, {"x": [{2: 3}]}):
        with refusal(TypeError, "notes must "):
            new_run().save(saved, notes)
    endless = {}
    endless["x"] = [endless]
    for notes in (endless, {"x": json.loads("[" * 20 + "]" * 20)}):
        with refusal(ValueError, "notes must be at most 20 lists or dicts deep"):
            new_run().save(saved, notes)
    with refusal(ValueError, "path must end in .npz, got 'run'"):
        new_run().save(saved.with_name("run"))
    with refusal(ValueError, "steps must be an integer >= 0, got -1"):
        new_run().advance(-1)
    assert saved.read_bytes() == before
