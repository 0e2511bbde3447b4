"""Optimisers step as stated, batches leave nobody out, the bar comes late and goes."""

import copy
import io
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import FLOATS, floats_away_from_zero, read_only, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import SGD, Adam, TwoLayerNet, training
from rnnbook.training import minibatches, progress, train

both_floats = pytest.mark.parametrize("dtype", FLOATS)
both_optimisers = pytest.mark.parametrize("optimiser", [SGD, Adam])


def some_params(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return {name: floats_away_from_zero(rng, s, dtype) for name, s in (("W", (3, 4)), ("b", (4,)))}


# Optimisers ---------------------------------------------------------------------------


@both_floats
def test_sgd_takes_one_step_against_the_gradient(dtype):
    params, grads = some_params(dtype), some_params(dtype, seed=1)
    expected = {name: params[name] - dtype(0.1) * grads[name] for name in params}
    SGD(0.1).update(params, grads)
    for name in params:
        np.testing.assert_array_equal(params[name], expected[name], strict=True)


@both_optimisers
def test_the_step_is_taken_in_the_array_itself_and_leaves_the_gradient_alone(optimiser):
    params, grads = some_params(), some_params(seed=1)
    arrays, before = dict(params), copy.deepcopy(params)
    optimiser(0.1).update(params, {name: read_only(g) for name, g in grads.items()})
    for name, array in arrays.items():
        assert params[name] is array
        assert (array != before[name]).all()


@pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("options", [{}, {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3}])
def test_adam_equals_that_of_pytorch_over_twenty_steps(dtype, rtol, options):
    params = some_params(dtype)
    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in params.items()}
    ours = Adam(0.05, **options)
    betas = (options.get("beta1", 0.9), options.get("beta2", 0.999))
    theirs = torch.optim.Adam(tensors.values(), 0.05, betas=betas, eps=options.get("eps", 1e-8))
    for seed in range(20):
        grads = some_params(dtype, seed=seed)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(grads[name])
        ours.update(params, grads)
        theirs.step()
    for name, tensor in tensors.items():
        assert params[name].dtype == dtype
        np.testing.assert_allclose(params[name], tensor.detach().numpy(), rtol=rtol)


@both_optimisers
@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (ValueError, lambda p, g: (p, {}), "names of params, ['W', 'b'], got []"),
        (ValueError, lambda p, g: (p, g | {"V": g["b"]}), "got ['W', 'b', 'V']"),
        (ValueError, lambda p, g: (p, g | {"b": g["b"][:1]}), "grads['b'] must have shape (4,)"),
        (TypeError, lambda p, g: (p, g | {"b": g["b"].astype("f4")}), "must have dtype float64"),
        (ValueError, lambda p, g: (p, g | {"b": g["b"] * np.nan}), "grads['b'] must be finite"),
        (ValueError, lambda p, g: (p | {"b": read_only(p["b"])}, g), "params['b'] must be "),
        (
            TypeError,
            lambda p, g: (p, None),
            "grads must be a dict of arrays by name, got NoneType None",
        ),
        (TypeError, lambda p, g: ([p], g), "params must be a dict of arrays by name, got list"),
    ],
)
def test_on_bad_gradients_nothing_has_changed(optimiser, error, spoil, wanted):
    params, optimiser = some_params(), optimiser(0.1)
    optimiser.update(params, some_params(seed=1))
    before, memory = copy.deepcopy(params), copy.deepcopy(vars(optimiser))
    with refusal(error, wanted):
        optimiser.update(*spoil(params, some_params(seed=2)))
    np.testing.assert_equal(params, before)
    np.testing.assert_equal(vars(optimiser), memory)


def test_adam_serves_one_set_of_parameters():
    adam = Adam()
    adam.update(some_params(), some_params(seed=1))
    other = {"W": np.ones(2)}
    with refusal(ValueError, "params must be those of the first update", "['W'], first ['W', 'b']"):
        adam.update(other, {"W": np.ones(2)})
    np.testing.assert_array_equal(other["W"], [1, 1])


@both_optimisers
@pytest.mark.parametrize(
    ("error", "lr", "got"),
    [
        (ValueError, 0, "0"),
        (ValueError, -0.1, "-0.1"),
        (ValueError, np.nan, "nan"),
        (ValueError, np.inf, "inf"),
        (TypeError, "0.1", "str '0.1'"),
        (TypeError, None, "NoneType None"),
        (TypeError, np.ones(2), "an array of shape (2,)"),
    ],
)
def test_a_bad_learning_rate_is_refused(optimiser, error, lr, got):
    with refusal(error, f"lr must be a finite number > 0, got {got}"):
        optimiser(lr)


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ({"beta1": 1}, "beta1 must be a finite number >= 0 < 1, got 1"),
        ({"beta2": -0.1}, "beta2 must be a finite number >= 0 < 1, got -0.1"),
        ({"eps": 0}, "eps must be a finite number > 0, got 0"),
    ],
)
def test_bad_options_of_adam_are_refused(option, wanted):
    with refusal(ValueError, wanted):
        Adam(**option)


# Minibatches --------------------------------------------------------------------------


@given(size=st.integers(1, 30), data=st.data())
def test_every_epoch_visits_every_example_once_with_its_label(size, data):
    batch_size = data.draw(st.integers(1, size))
    x, t = 10.0 * np.arange(size)[:, None], np.arange(size)
    batches = minibatches(x, t, batch_size, rng=np.random.default_rng(size))
    count = -(-size // batch_size)
    for _ in range(3):
        epoch = list(islice(batches, count))
        assert [len(labels) for _, labels in epoch[:-1]] == [batch_size] * (count - 1)
        assert len(epoch[-1][1]) == size - batch_size * (count - 1)
        labels = np.concatenate([labels for _, labels in epoch])
        np.testing.assert_array_equal(np.sort(labels), t)
        rows = np.concatenate([rows for rows, _ in epoch])
        np.testing.assert_array_equal(rows, 10 * labels[:, None])


def test_the_order_comes_from_the_generator_and_changes_every_epoch():
    def epochs(seed):
        x = np.arange(20)
        batches = minibatches(x, x, 20, rng=np.random.default_rng(seed))
        return [labels.tolist() for _, labels in islice(batches, 2)]

    first, second = epochs(0)
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1) != [first, second]


def test_a_batch_is_a_copy():
    x, t = np.zeros((3, 2)), np.zeros(3, int)
    rows, labels = next(minibatches(x, t, 3, rng=np.random.default_rng(0)))
    rows += 1
    labels += 1
    assert not x.any()
    assert not t.any()


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"x": [[1.0]] * 5}, "x must be a numpy array of examples, got list"),
        (TypeError, {"t": np.array(1)}, "t must be a numpy array of examples, got an array"),
        (ValueError, {"t": np.zeros(4, int)}, "equally many examples, at least one; got 5 and 4"),
        (ValueError, {"x": np.ones((0, 2)), "t": np.zeros(0, int)}, "got 0 and 0"),
        (ValueError, {"batch_size": 0}, "batch_size must be an integer from 1 to 5, got 0"),
        (ValueError, {"batch_size": 6}, "batch_size must be an integer from 1 to 5, got 6"),
        (TypeError, {"batch_size": 2.0}, "got float 2.0"),
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
    ],
)
def test_bad_batches_are_refused_at_once(error, change, wanted):
    arguments = {
        "x": np.ones((5, 2)),
        "t": np.zeros(5, int),
        "batch_size": 2,
        "rng": np.random.default_rng(0),
    }
    with refusal(error, wanted):
        minibatches(**(arguments | change))


# The training loop --------------------------------------------------------------------


def tiny_set(size=5):
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, 4)), np.arange(size) % 3


def run(**change):
    x, t = tiny_set()
    arguments = {
        "model": TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0), weight_init_std=0.5),
        "optimizer": SGD(0.5),
        "x": x,
        "t": t,
        "batch_size": 2,
        "steps": 7,
        "rng": np.random.default_rng(1),
    }
    return train(**(arguments | change))


def test_the_history_holds_every_loss_and_the_accuracies_asked_for():
    history = run(held_out=tiny_set(3), evaluate_every=3)
    assert len(history.loss) == 7
    assert all(isinstance(loss, float) and loss > 0 for loss in history.loss)
    assert history.steps == [0, 3, 6, 7]
    assert len(history.accuracy) == len(history.held_out_accuracy) == 4
    assert set(history.accuracy) <= {0, 0.2, 0.4, 0.6, 0.8, 1}


def test_without_being_asked_it_measures_before_and_after():
    history = run()
    assert history.steps == [0, 7]
    assert len(history.accuracy) == 2
    assert history.held_out_accuracy == []


def test_the_loss_is_measured_before_its_update():
    x, t = tiny_set()
    net = TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0))
    before = copy.deepcopy(net).forward(x, t)
    history = run(model=net, batch_size=5, steps=1)
    assert history.loss == pytest.approx([before], rel=1e-12)
    assert net.forward(x, t) < before


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.05)], ids=["SGD", "Adam"])
def test_a_network_overfits_a_tiny_set(optimizer):
    history = run(optimizer=copy.deepcopy(optimizer), batch_size=5, steps=500)
    assert history.loss[-1] < 0.01
    assert history.accuracy[-1] == 1


def test_the_same_generators_give_the_same_history():
    assert run() == run()
    assert run().loss != run(rng=np.random.default_rng(2)).loss


def test_the_labels_may_be_one_hot_rows():
    _, t = tiny_set()
    assert run(t=np.eye(3)[t]) == run()


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": 5}, "model must be a classifier, with forward, "),
        (TypeError, {"optimizer": 0.1}, "optimizer must be an optimiser, with update; got "),
        (ValueError, {"steps": 0}, "steps must be an integer >= 1, got 0"),
        (TypeError, {"steps": 2.5}, "steps must be an integer >= 1, got float 2.5"),
        (ValueError, {"evaluate_every": 0}, "evaluate_every must be an integer >= 1, got 0"),
        (ValueError, {"batch_size": 9}, "batch_size must be an integer from 1 to 5, got 9"),
        (TypeError, {"rng": None}, "rng must be a numpy.random.Generator"),
        (TypeError, {"held_out": np.ones(2)}, "held_out must be a pair (x, t), got an array"),
        (TypeError, {"held_out": ([1], [1])}, "held_out x must be a numpy array of examples"),
        (ValueError, {"held_out": (np.ones((2, 4)), np.zeros(3, int))}, "held_out x and t must "),
        (ValueError, {"x": np.ones((5, 3))}, "x must have shape (N, 4), got (5, 3)"),
        (ValueError, {"t": np.full(5, 3)}, "t must hold labels in 0 .. 2, got 3 at index [0]"),
        (ValueError, {"x": np.full((5, 4), np.nan)}, "x must be finite, got nan at index [0, 0]"),
    ],
)
def test_bad_arguments_for_training_are_refused(error, change, wanted):
    with refusal(error, wanted):
        run(**change)


# The progress bar ---------------------------------------------------------------------


@pytest.fixture
def watch(monkeypatch):
    """Return a function that watches a bar while every item takes so many seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.delenv("RNNBOOK_QUIET", raising=False)

    def watch(count, seconds, stop_at=None, **options):
        stream, seen = io.StringIO(), []
        bar = progress(range(count), "training", stream=stream, **options)
        for item in bar:
            if item == stop_at:
                break
            clock.now += seconds
            seen.append(stream.getvalue())
        bar.close()
        assert len(seen) == (count if stop_at is None else stop_at)
        return seen, stream.getvalue()

    return watch


def on_screen(written):
    """Return the line that a terminal shows."""
    line = ""
    for text in written.split("\r"):
        line = text + line[len(text) :]
    return line.rstrip()


def test_what_is_quick_shows_no_bar(watch):
    assert watch(10, seconds=0.19) == ([""] * 10, "")


def test_after_two_seconds_the_bar_appears(watch):
    seen, _ = watch(10, seconds=0.5)
    assert [bool(written) for written in seen] == [False] * 4 + [True] * 6
    assert on_screen(seen[4]) == "training [########            ] 4/10, about 3 s left"
    assert on_screen(seen[9]) == "training [##################  ] 9/10, about 0 s left"


def test_the_bar_is_written_a_few_times_a_second_at_most(watch):
    _, written = watch(1000, seconds=0.01, delay=0)
    assert written.count("training") <= 10 / 0.2 + 1


@pytest.mark.parametrize("stop_at", [None, 6])
def test_the_bar_is_wiped_at_the_end_even_if_the_loop_stops_early(watch, stop_at):
    _, written = watch(10, seconds=1, stop_at=stop_at)
    assert "training" in written
    assert on_screen(written) == ""
    assert "\n" not in written


def test_a_line_that_grows_shorter_leaves_nothing_behind(watch):
    seen, _ = watch(1200, seconds=100)
    for done, written in enumerate(seen[1:], 1):
        assert on_screen(written).endswith("s left")
        assert f" {done}/1200, about {100 * (1200 - done)} s left" in on_screen(written)


def test_the_environment_keeps_the_bar_quiet(watch, monkeypatch):
    monkeypatch.setenv("RNNBOOK_QUIET", "1")
    assert watch(10, seconds=1)[1] == ""


def test_the_bar_goes_to_standard_error(watch, capsys):
    assert list(progress(range(3), "training", delay=0)) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training" in captured.err


def test_what_has_no_size_has_no_progress():
    with refusal(TypeError, "items must be a sized collection", "got generator"):
        list(progress((i for i in range(3)), "training"))
