"""Training keeps what happened, and the bar comes and goes."""

import copy
import io
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import refusal

from rnnbook import SGD, Adam, CharRNN, TwoLayerNet, training
from rnnbook.batches import minibatches
from rnnbook.side_by_side import Networks
from rnnbook.training import band, fit, progress, train

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


# Training on batches as they come -----------------------------------------------------


def new_net():
    return TwoLayerNet(4, 20, 3, rng=np.random.default_rng(0), weight_init_std=0.5)


def endless_batches():
    return minibatches(*tiny_set(), 2, rng=np.random.default_rng(1))


def assert_same_params(net, other):
    np.testing.assert_equal(dict(net.params), dict(other.params))


def test_fit_learns_batch_by_batch_and_returns_the_losses_before_the_updates():
    net, twin = new_net(), new_net()
    losses = fit(net, SGD(0.5), list(islice(endless_batches(), 7)))
    by_hand, sgd = [], SGD(0.5)
    for x, t in islice(endless_batches(), 7):
        by_hand.append(twin.forward(x, t))
        twin.backward()
        sgd.update(twin.params, twin.grads)
    assert losses.dtype == np.float64
    np.testing.assert_array_equal(losses, by_hand)
    assert_same_params(net, twin)


def test_fit_takes_no_more_batches_than_steps():
    net, batches, others = new_net(), endless_batches(), endless_batches()
    first, second = (fit(net, SGD(0.5), batches, steps=3) for _ in range(2))
    np.testing.assert_array_equal([*first, *second], fit(new_net(), SGD(0.5), others, steps=6))
    np.testing.assert_array_equal(next(batches)[0], next(others)[0])


@pytest.mark.parametrize(("batches", "steps"), [([], None), ([], 0), (endless_batches(), 0)])
def test_without_a_step_nothing_is_learned(batches, steps):
    net = new_net()
    assert fit(net, SGD(0.5), batches, steps=steps).shape == (0,)
    assert_same_params(net, new_net())


def test_fit_clips_the_gradients_to_the_norm_asked_for():
    def step(**options):
        net = new_net()
        fit(net, SGD(1), endless_batches(), steps=1, **options)
        return np.concatenate([(net.params[k] - p).ravel() for k, p in new_net().params.items()])

    free = step()
    norm = np.linalg.norm(free)
    assert norm > 0.2
    np.testing.assert_allclose(step(max_norm=0.1), free * (0.1 / norm), atol=1e-15)
    np.testing.assert_array_equal(step(max_norm=1e3), free)


def test_too_few_batches_are_refused_once_those_there_were_have_been_learned():
    net, twin = new_net(), new_net()
    with refusal(ValueError, "batches must hold at least 5, got 3"):
        fit(net, SGD(0.5), islice(endless_batches(), 3), steps=5)
    fit(twin, SGD(0.5), endless_batches(), steps=3)
    assert_same_params(net, twin)


def test_a_quick_fit_is_a_quiet_one(capsys):
    fit(new_net(), SGD(0.5), endless_batches(), steps=3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_slow_fit_shows_its_progress_unless_told_not_to(monkeypatch, capsys, quiet):
    clock = iter(range(100, 10**6, 60))
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setenv("RNNBOOK_QUIET", str(int(quiet)))
    fit(new_net(), SGD(0.5), endless_batches(), steps=3)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("training [" in err) is not quiet
    assert on_screen(err) == ""


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"model": 5}, "model must be a model, with forward, backward, params, grads"),
        (TypeError, {"optimizer": 0.1}, "optimizer must be an optimiser, with update; got "),
        (TypeError, {"batches": 5}, "batches must be an iterable of (x, t), with __iter__; got"),
        (ValueError, {"steps": -1}, "steps must be an integer >= 0, got -1"),
        (TypeError, {"steps": 2.0}, "steps must be an integer >= 0, got float 2.0"),
        (TypeError, {"steps": True}, "steps must be an integer >= 0, got bool True"),
        (ValueError, {"max_norm": 0}, "max_norm must be a finite number > 0, got 0"),
        (ValueError, {"max_norm": np.nan}, "max_norm must be a finite number > 0, got nan"),
        (TypeError, {"max_norm": "5"}, "max_norm must be a finite number > 0, got str '5'"),
    ],
)
def test_bad_arguments_for_a_fit_are_refused_before_the_first_step(error, change, wanted):
    net, batches = new_net(), endless_batches()
    arguments = {"model": net, "optimizer": SGD(0.5), "batches": batches, "steps": 2}
    with refusal(error, wanted):
        fit(**(arguments | change))
    assert_same_params(net, new_net())
    np.testing.assert_array_equal(next(batches)[0], next(endless_batches())[0])


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


# What hangs on rounding -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "ends", "written"),
    [
        (7, (3, 17), "3 to 17"),
        (3, (3, 17), "3 to 17"),
        (17, (3, 17), "3 to 17"),
        (18, (3, 17), "18"),
        (2, (3, 17), "2"),
        (20, (20, 20), "20"),
        (np.int64(5), (9, 0), "5"),  # no range holds anything
        (0.7, (0.65, 0.85), "0.65 to 0.85"),
        (0.6123, (0.65, 0.85), "0.6"),
        (9_600.0, (7_200, 10_400), "7,200 to 10,400"),
        (12_000.0, (7_200, 10_400), "12,000"),
        (np.array([9.3, 10.6]), (9, 11), "9 to 11"),
        (np.array([8.31, 10.6]), (9, 11), "8.3 to 10.6"),
        (np.array([4.0, 4.0]), (9, 11), "4"),
        (np.inf, (0, 5), "inf"),
    ],
)
def test_a_band_is_written_where_it_holds_the_values(values, ends, written):
    assert band(values, *ends) == written


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side_by_side", [False, True])
def test_training_stops_at_what_is_not_finite_with_step_and_parameter(bad, side_by_side):
    model = CharRNN(4, 3, rng=np.random.default_rng(0))
    name, index = "Wh", "[1, 2]"
    if side_by_side:
        model, index = Networks([model, CharRNN(4, 3, rng=np.random.default_rng(1))]), "[0, 1, 2]"

    def batches():
        for step in range(5):
            if step == 2:
                model.params[name][..., 1, 2] = bad
            xs = np.ones((3, 1, 2) if side_by_side else (2, 3), int)
            yield xs, xs

    with pytest.raises(ValueError, match="at step 3: params") as caught:
        fit(model, SGD(0.1), batches(), steps=5)
    assert f"at step 3: params['{name}'] must be finite, got {bad} at index {index}" in str(
        caught.value
    )


def test_an_infinite_weight_that_the_loss_does_not_see_stops_training():
    model = CharRNN(4, 3, rng=np.random.default_rng(0))
    model.params["Wx"][0, 0] = np.inf
    with pytest.raises(ValueError, match=r"at step 1: params\['Wx'\] must be finite, got inf"):
        fit(model, SGD(0.1), [(np.zeros((1, 2), int),) * 2])
