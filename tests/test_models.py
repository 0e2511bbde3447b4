"""What models promise beyond the protocol of layers, which test_layers.py holds."""

import numpy as np
import pytest
from helpers import FLOATS, floats_away_from_zero, refusal

from rnnbook import SGD, Affine, ReLU, Sigmoid, TwoLayerNet, check_gradients
from rnnbook.data import load_digits
from rnnbook.models import Sequential
from rnnbook.training import train


def new_net(sizes=(4, 5, 3), seed=0, **options):
    return TwoLayerNet(*sizes, rng=np.random.default_rng(seed), **options)


X = floats_away_from_zero(np.random.default_rng(0), (6, 4))
T = np.array([0, 2, 1, 1, 0, 2])


# TwoLayerNet --------------------------------------------------------------------------


def test_the_loss_at_initialisation_is_that_of_a_guess():
    x = np.random.default_rng(1).uniform(size=(200, 64))
    t = np.random.default_rng(2).integers(10, size=200)
    assert new_net((64, 50, 10)).forward(x, t) == pytest.approx(np.log(10), abs=0.02)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_weights_are_drawn_and_the_biases_begin_at_zero(dtype):
    params = new_net((300, 200, 100), weight_init_std=0.5, dtype=dtype).params
    shapes = {"W1": (300, 200), "b1": (200,), "W2": (200, 100), "b2": (100,)}
    assert {name: x.shape for name, x in params.items()} == shapes
    assert {x.dtype for x in params.values()} == {np.dtype(dtype)}
    for name in ("W1", "W2"):
        assert params[name].std() == pytest.approx(0.5, rel=0.02)
        assert params[name].mean() == pytest.approx(0, abs=0.01)
    assert not params["b1"].any()
    assert not params["b2"].any()


def test_the_same_generator_gives_the_same_network():
    np.testing.assert_equal(dict(new_net().params), dict(new_net().params))
    assert (new_net().params["W1"] != new_net(seed=1).params["W1"]).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_directional_mode_checks_a_network_of_full_size(dtype):
    net = new_net((64, 50, 10), weight_init_std=0.5, dtype=dtype)
    x = np.random.default_rng(1).uniform(size=(3, 64)).astype(dtype)
    t = np.array([3, 1, 4])
    net.forward(x, t)
    net.backward()
    rng = np.random.default_rng(2)
    reports = check_gradients(
        lambda: net.forward(x, t), net.params, net.grads, mode="directional", rng=rng
    )
    assert list(reports) == ["W1", "b1", "W2", "b2"]


@pytest.mark.parametrize("look", [lambda net: net.predict(X), lambda net: net.accuracy(X, T)])
def test_backward_after_a_prediction_is_refused(look):
    net = new_net()
    net.forward(X, T)
    look(net)
    with refusal(RuntimeError, "TwoLayerNet.backward needs a forward pass right before it"):
        net.backward()


def test_backward_after_a_forward_pass_that_failed_is_refused():
    net = new_net()
    net.forward(X, T)
    with refusal(ValueError, "t must hold labels in 0 .. 2, got 3"):
        net.forward(X[:2], np.array([0, 3]))
    with refusal(RuntimeError, "needs a forward pass"):
        net.backward()


def test_prediction_gives_scores_whose_largest_names_the_class():
    net = new_net(weight_init_std=1)
    p = net.params
    scores = np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"]
    np.testing.assert_allclose(net.predict(X), scores, rtol=1e-12)
    classes = scores.argmax(axis=1)
    assert net.accuracy(X, classes) == 1
    assert net.accuracy(X, np.eye(3)[classes]) == 1
    classes[0] = (classes[0] + 1) % 3
    assert net.accuracy(X, classes) == pytest.approx(5 / 6)


@pytest.mark.parametrize("form", ["-=", "= -"])
def test_writing_to_params_trains_the_network(form):
    net = new_net(weight_init_std=0.5)
    before = net.forward(X, T)
    net.backward()
    for name, gradient in net.grads.items():
        if form == "-=":
            net.params[name] -= 0.1 * gradient
        else:
            net.params[name] = net.params[name] - 0.1 * gradient
    assert net.forward(X, T) < before


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_digits_are_learned(seed):
    rng = np.random.default_rng(seed)
    digits = load_digits(rng=rng)
    history = train(
        TwoLayerNet(64, 50, 10, rng=rng),
        SGD(0.5),
        digits.x_train,
        digits.t_train,
        batch_size=50,
        steps=1000,
        rng=rng,
        held_out=(digits.x_test, digits.t_test),
    )
    assert history.loss[0] == pytest.approx(np.log(10), abs=0.01)
    assert history.held_out_accuracy[-1] >= 0.96


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"input_size": 0}, "input_size must be an integer >= 1, got 0"),
        (TypeError, {"hidden_size": 5.0}, "hidden_size must be an integer >= 1, got float 5.0"),
        (TypeError, {"output_size": "3"}, "output_size must be an integer >= 1, got str '3'"),
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
        (ValueError, {"weight_init_std": -1}, "weight_init_std must be a finite number >= 0"),
        (ValueError, {"weight_init_std": np.nan}, "weight_init_std must be a finite number >= 0"),
        (TypeError, {"dtype": int}, "dtype must be float32 or float64, got "),
    ],
)
def test_a_network_that_cannot_be_is_refused(error, change, wanted):
    sizes = {"input_size": 4, "hidden_size": 5, "output_size": 3}
    with refusal(error, wanted):
        TwoLayerNet(**(sizes | {"rng": np.random.default_rng(0)} | change))


@pytest.mark.parametrize(
    ("error", "x", "t", "wanted"),
    [
        (ValueError, X[0], T, "x must have shape (N, 4), got (4,)"),
        (ValueError, X[:, :3], T, "x must have shape (N, 4), got (6, 3)"),
        (TypeError, X.astype("f4"), T, "x must have dtype float64, the dtype of W, got float32"),
        (TypeError, X.tolist(), T, "x must be a numpy array, got list"),
        (ValueError, X, T[:5], "t must hold integer labels of shape (6,)"),
        (TypeError, X, T.astype(float), "t must hold integer labels, got dtype float64"),
        (ValueError, X, T - 1, "t must hold labels in 0 .. 2, got -1 at index [0]"),
        (ValueError, X[:0], T[:0], "x must "),
    ],
)
@pytest.mark.parametrize("method", [TwoLayerNet.forward, TwoLayerNet.accuracy])
def test_examples_that_do_not_fit_the_network_are_refused(method, error, x, t, wanted):
    with refusal(error, wanted):
        method(new_net(), x, t)


# Sequential ---------------------------------------------------------------------------


def test_parameters_and_gradients_have_the_names_of_their_layers():
    W, b = np.ones((4, 2)), np.zeros(2)
    inner = Sequential(scores=Affine(W, b))
    layers = Sequential(squash=Sigmoid(), last=inner)
    layers.backward(np.ones_like(layers.forward(X)))
    assert list(layers.params) == list(layers.grads) == ["last.scores.W", "last.scores.b"]
    assert layers.params["last.scores.W"] is W


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda relu: Sequential(a=relu, b=Sigmoid(), c=relu), "a, c"),
        (lambda relu: Sequential(a=relu, b=Sequential(c=relu)), "a, b.c"),
        (lambda relu: Sequential(a=Sequential(b=relu), c=Sequential(d=relu)), "a.b, c.d"),
    ],
)
def test_a_layer_that_stands_in_two_places_is_refused(build, names):
    with refusal(ValueError, f"got the same one under two names: {names}"):
        build(ReLU())


@pytest.mark.parametrize("thing", [ReLU, np.tanh, None])
def test_what_is_no_layer_is_refused(thing):
    with refusal(TypeError, "squash must be a layer, with forward, backward, params, grads; got "):
        Sequential(squash=thing)
