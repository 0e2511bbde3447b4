"""What models promise beyond the protocol of layers, which test_layers.py holds."""

import copy
import os
import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from helpers import (
    FLOATS,
    break_writing,
    floats_away_from_zero,
    needs_torch,
    read_only,
    refusal,
    torch,
)
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import (
    SGD,
    Adam,
    Affine,
    BinaryAdder,
    CharRNN,
    GatedRnnlm,
    ReLU,
    Sigmoid,
    SimpleRnnlm,
    SoftmaxWithLoss,
    TwoLayerNet,
    check_gradients,
    models,
    truncated_bptt_batches,
)
from rnnbook.data import binary_addition, load_digits
from rnnbook.functions import softmax
from rnnbook.models import Network, Sequential, load_parameters, save_parameters
from rnnbook.training import fit, train

both_floats = pytest.mark.parametrize("dtype", FLOATS)


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


# Network ------------------------------------------------------------------------------


def two_layers():
    rng = np.random.default_rng(0)
    W, V = floats_away_from_zero(rng, (4, 5)), floats_away_from_zero(rng, (5, 3))
    return Sequential(first=Affine(W, np.zeros(5)), last=Affine(V, np.zeros(3)))


def test_without_short_names_every_parameter_is_trained():
    layers = two_layers()
    net = Network(layers, SoftmaxWithLoss())
    net.forward(X, T)
    assert net.grads == {}
    net.backward()
    assert list(net.params) == list(net.grads) == list(layers.params)


def test_a_parameter_without_a_short_name_is_not_trained():
    layers = two_layers()
    net = Network(layers, SoftmaxWithLoss(), V="last.W")
    before = copy.deepcopy(layers.params)
    fit(net, SGD(0.1), [(X, T)] * 3)
    assert net.params["V"] is layers.params["last.W"]
    for name, param in layers.params.items():
        assert (param == before[name]).all() == (name != "last.W")


@pytest.mark.parametrize(
    ("layers", "loss_layer", "wanted"),
    [
        (5, SoftmaxWithLoss(), "layers must be a Sequential, with forward, backward, params, "),
        (two_layers(), np.mean, "loss_layer must be a layer, with forward, backward, params, "),
    ],
)
def test_what_is_no_network_is_refused(layers, loss_layer, wanted):
    with refusal(TypeError, wanted):
        Network(layers, loss_layer)


# BinaryAdder --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source_program():
    """Run the program of the source; return its error, and whether it was right, at each step."""
    legacy = np.random.RandomState(0)
    shapes = {"Wx": (2, 16), "Wy": (16, 1), "Wh": (16, 16)}
    net = BinaryAdder(16, rng=np.random.default_rng(0))
    net.params.update({n: 2 * legacy.random_sample(s) - 1 for n, s in shapes.items()})
    errors, right, sgd = [], [], SGD(0.1)
    for _ in range(10_000):
        a, b = legacy.randint(128), legacy.randint(128)
        net.forward(*binary_addition([a], [b]))
        misses = np.abs(net.loss_layer.difference)
        errors.append(misses.sum())
        right.append((misses < 0.5).all())
        net.backward()
        sgd.update(net.params, net.grads)
    return np.array(errors), np.array(right)


def test_the_errors_are_those_that_the_source_prints(source_program):
    errors, _ = source_program
    printed = "3.45638663 3.63389116 3.91366595 3.72191702 3.5852713 2.53352328 0.57691441 "
    printed += "1.42589952 0.47477457 0.21595037"
    assert " ".join(str(error) for error in errors[::1000].round(8)) == printed


def test_from_step_6967_on_every_sum_of_the_source_is_right(source_program):
    _, right = source_program
    assert not right[6966]
    assert right[6967:].all()


def perfect_adder(dtype=np.float64):
    """Build an adder by hand.

    The first unit is on if at least two of both bits and the carry are 1: it is the
    carry. The second says how many they are, by values of 0.18, 0.38, 0.62 and 0.82;
    less 0.44 where there is a carry, that is above 0.28 if the number is odd.
    """
    net = BinaryAdder(2, rng=np.random.default_rng(0), bias=True, dtype=dtype)
    weights = {
        "Wx": [[100, 1], [100, 1]],
        "Wh": [[100, 1], [0, 0]],
        "b": [-150, -1.5],
        "Wy": [[-44], [100]],
        "by": [-28],
    }
    net.params.update({name: np.array(value, dtype) for name, value in weights.items()})
    return net


@both_floats
def test_two_units_can_add_every_pair(dtype):
    a, b = np.divmod(np.arange(128**2), 128)
    np.testing.assert_array_equal(perfect_adder(dtype).add(a, b), a + b)


def test_two_units_can_add_every_pair_in_twos_complement():
    a, b = np.divmod(np.arange(128**2), 128) - np.array([[64], [64]])
    np.testing.assert_array_equal(perfect_adder().add(a, b, signed=True), a + b)


@given(a=st.integers(0, 2**256 - 1), b=st.integers(0, 2**256 - 1))
def test_the_carry_travels_through_256_bits(a, b):
    assert perfect_adder().add(a, b, bits=257) == a + b
    assert perfect_adder().add(a, b, bits=256) == (a + b) % 2**256
    low = 2**255
    assert perfect_adder().add(a - low, low - b, bits=258, signed=True) == a - b


def test_the_longest_carry_arrives():
    assert perfect_adder().add(2**256 - 1, 1, bits=257) == 2**256


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        (3, np.int8(4), int),
        ([3], (4,), np.ndarray),
        (np.array([3, 100], np.int8), np.array([4, 100], np.uint64), np.ndarray),
        (range(3), [0, 0, 0], np.ndarray),
    ],
)
@pytest.mark.parametrize("bits", [8, 100])
def test_numbers_add_up_to_a_number_and_sequences_to_an_array(a, b, kind, bits):
    sums = perfect_adder().add(a, b, bits=bits)
    assert type(sums) is kind
    np.testing.assert_array_equal(np.ravel(sums), np.ravel(a).astype(int) + np.ravel(b).astype(int))


@both_floats
def test_the_weights_of_an_adder_are_drawn_between_minus_one_and_one(dtype):
    net = BinaryAdder(50, rng=np.random.default_rng(0), bias=True, dtype=dtype)
    rng = np.random.default_rng(0)
    for name, shape in (("Wx", (2, 50)), ("Wy", (50, 1)), ("Wh", (50, 50))):
        weights = net.params[name]
        np.testing.assert_array_equal(weights, (2 * rng.random(shape) - 1).astype(dtype))
    assert (net.params["Wh"].min(), net.params["Wh"].max()) == pytest.approx((-1, 1), abs=0.01)
    assert not net.params["b"].any()
    assert not net.params["by"].any()


@pytest.mark.parametrize("bias", [False, True])
def test_the_biases_are_trained_only_if_asked_for(bias):
    net = BinaryAdder(3, rng=np.random.default_rng(0), bias=bias)
    assert list(net.params) == ["Wx", "Wy", "Wh", "b", "by"][: 5 if bias else 3]
    fit(net, SGD(0.1), [binary_addition([1, 2], [3, 4])])
    assert net.layers.params["rnn.b"].any() == bias
    assert net.layers.params["scores.b"].any() == bias


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"hidden_size": 0}, "hidden_size must be an integer >= 1, got 0"),
        (TypeError, {"hidden_size": 2.0}, "hidden_size must be an integer >= 1, got float 2.0"),
        (TypeError, {"rng": np.random.RandomState(0)}, "rng must be a numpy.random.Generator"),
        (TypeError, {"bias": 1}, "bias must be True or False, got int 1"),
        (ValueError, {"truncation": 0}, "truncation must be an integer >= 1, got 0"),
        (TypeError, {"dtype": "f2"}, "dtype must be float32 or float64, got 'f2'"),
    ],
)
def test_an_adder_that_cannot_be_is_refused(error, change, wanted):
    with refusal(error, wanted):
        BinaryAdder(**({"hidden_size": 2, "rng": np.random.default_rng(0)} | change))


XS, TS = binary_addition([1, 2], [3, 4])


@pytest.mark.parametrize(
    ("error", "xs", "ts", "wanted"),
    [
        (ValueError, XS[0], TS, "xs must have shape (N, T, 2), got (8, 2)"),
        (ValueError, XS[:, :, :1], TS, "xs must have shape (N, T, 2), got (2, 8, 1)"),
        (ValueError, XS[:0], TS[:0], "xs must hold at least one step of one sequence, got (0, 8"),
        (ValueError, XS[:, :0], TS[:, :0], "xs must hold at least one step of one sequence"),
        (TypeError, XS.astype(int), TS, "xs must hold float32 or float64 numbers, got dtype int"),
        (
            TypeError,
            XS.astype("f4"),
            TS,
            "xs must have dtype float64, the dtype of Wx, got float32",
        ),
        (ValueError, XS, TS[:1], "ts must have shape (2, 8, 1), got (1, 8, 1)"),
        (ValueError, XS, TS[:, :, 0], "ts must have shape (2, 8, 1), got (2, 8)"),
        (ValueError, XS, TS * np.nan, "ts must be finite, got nan at index [0, 0, 0]"),
    ],
)
def test_sums_that_do_not_fit_the_adder_are_refused(error, xs, ts, wanted):
    with refusal(error, wanted):
        perfect_adder().forward(xs, ts)


@pytest.mark.parametrize(
    ("error", "a", "b", "options", "wanted"),
    [
        (ValueError, 256, 0, {}, "a[0] must be an integer from -128 to 255, got 256"),
        (ValueError, [1], [-129], {}, "b[0] must be an integer from -128 to 255, got -129"),
        (TypeError, 1.0, 0, {}, "a[0] must be an integer from -128 to 255, got float 1.0"),
        (TypeError, "1", "1", {}, "a must be a sequence of integers, got str '1'"),
        (
            TypeError,
            np.array(1),
            1,
            {},
            "a must be a sequence of integers, got an array of shape ()",
        ),
        (TypeError, [1], 1, {}, "b must be a sequence of integers, got int 1"),
        (TypeError, 1, [1], {}, "b[0] must be an integer from -128 to 255, got list [1]"),
        (ValueError, [1], [1, 2], {}, "a and b must be equally many, got 1 and 2"),
        (ValueError, 1, 1, {"bits": 0}, "bits must be an integer >= 1, got 0"),
        (TypeError, 1, 1, {"signed": 1}, "signed must be True or False, got int 1"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_the_last_pass_as_it_was(
    error, a, b, options, wanted
):
    net = BinaryAdder(2, rng=np.random.default_rng(0))
    net.forward(XS, TS)
    before = pickle.dumps(net)
    with refusal(error, wanted):
        net.add(a, b, **options)
    assert pickle.dumps(net) == before


# CharRNN ------------------------------------------------------------------------------

HELL, ELLO = np.array([[1, 0, 2, 2]]), np.array([[0, 2, 2, 3]])  # of the letters e, h, l, o


@both_floats
@pytest.mark.parametrize("truncation", [None, 2])
def test_hello_is_learned(dtype, truncation):
    rng = np.random.default_rng(0)
    net = CharRNN(4, 8, rng=rng, truncation=truncation, dtype=dtype)
    losses = fit(net, Adam(0.05), [(HELL, ELLO)] * 100)
    assert losses[0] > 1
    assert losses[-1] < 0.05
    np.testing.assert_array_equal(net.predict(HELL).argmax(axis=2), ELLO)


@both_floats
def test_the_weights_of_a_charrnn_are_scaled_to_their_inputs(dtype):
    params = CharRNN(200, 400, rng=np.random.default_rng(0), dtype=dtype).params
    shapes = {"Wx": (200, 400), "Wh": (400, 400), "b": (400,), "Wy": (400, 200), "by": (200,)}
    assert {name: x.shape for name, x in params.items()} == shapes
    assert {x.dtype for x in params.values()} == {np.dtype(dtype)}
    for name, std in (("Wx", 1), ("Wh", 1 / 20), ("Wy", 1 / 20)):
        assert params[name].std() == pytest.approx(std, rel=0.02)
    assert not params["b"].any()
    assert not params["by"].any()


@pytest.mark.parametrize("truncation", [None, 1])
def test_a_charrnn_begins_every_word_anew(truncation):
    net = CharRNN(4, 8, rng=np.random.default_rng(0), truncation=truncation)
    first = net.predict(HELL)
    net.predict(ELLO)
    np.testing.assert_array_equal(net.predict(HELL), first)


@pytest.mark.parametrize(
    ("error", "xs", "ts", "wanted"),
    [
        (ValueError, HELL + 2, ELLO, "xs must hold character ids in 0 .. 3, got 4 at index [0, 2]"),
        (ValueError, HELL - 1, ELLO, "xs must hold character ids in 0 .. 3, got -1"),
        (ValueError, HELL[0], ELLO[0], "xs must have shape (N, T), got (4,)"),
        (TypeError, HELL * 1.0, ELLO, "xs must hold integer character ids, got dtype float64"),
        (TypeError, "hell", ELLO, "xs must be a numpy array of integer character ids, got str"),
        (ValueError, HELL[:, :0], ELLO[:, :0], "xs must hold at least one step of one sequence"),
        (ValueError, HELL, ELLO + 1, "ts must hold labels in 0 .. 3, got 4 at index [0, 3]"),
        (ValueError, HELL, ELLO[:, 1:], "ts must hold integer labels of shape (1, 4)"),
    ],
)
def test_letters_that_do_not_fit_are_refused(error, xs, ts, wanted):
    with refusal(error, wanted):
        CharRNN(4, 8, rng=np.random.default_rng(0)).forward(xs, ts)


# SimpleRnnlm --------------------------------------------------------------------------


def new_lm(sizes=(7, 3, 4), seed=0, scale=None, **options):
    """Return a language model; with a scale, one of strong opinions."""
    net = SimpleRnnlm(*sizes, rng=np.random.default_rng(seed), **options)
    if scale is not None:
        rng = np.random.default_rng(seed)
        for param in net.params.values():
            param[...] = scale * rng.standard_normal(param.shape)
    return net


def some_text(size=61, vocabulary=7):
    return np.random.default_rng(5).integers(vocabulary, size=size)


def outcome(net, xs, ts):
    """Return all that a step computes, as bytes."""
    loss = net.forward(xs, ts)
    net.backward()
    grads = [np.asarray(grad).tobytes() for grad in net.grads.values()]
    return loss.tobytes(), net.rnn.h.tobytes(), grads


@pytest.mark.parametrize("V", [10, 1000])
@both_floats
def test_the_loss_at_the_start_is_that_of_a_guess(V, dtype):
    text = np.random.default_rng(1).integers(V, size=(20, 36))
    loss = new_lm((V, 100, 100), dtype=dtype).forward(text[:, :-1], text[:, 1:])
    assert loss.dtype == dtype
    assert loss == pytest.approx(np.log(V), abs=0.01)


@pytest.mark.parametrize("options", [{}, {"dtype": np.float64}])
def test_the_weights_of_a_language_model_are_scaled_to_their_inputs(options):
    V, D, H = 700, 100, 400
    params = new_lm((V, D, H), **options).params
    wanted = {
        "embed.W": ((V, D), 1 / 100),
        "rnn.Wx": ((D, H), 1 / 10),
        "rnn.Wh": ((H, H), 1 / 20),
        "rnn.b": ((H,), 0),
        "affine.W": ((H, V), 1 / 20),
        "affine.b": ((V,), 0),
    }
    assert list(params) == list(wanted)
    for name, (shape, std) in wanted.items():
        assert params[name].shape == shape
        assert params[name].dtype == options.get("dtype", np.float32)
        assert params[name].std() == pytest.approx(std, rel=0.02)
        assert params[name].mean() == pytest.approx(0, abs=0.02 * std)


def test_the_state_goes_on_from_batch_to_batch():
    net, whole = (new_lm(scale=1, dtype=np.float64) for _ in range(2))
    xs, ts = next(truncated_bptt_batches(some_text(), 3, 12))
    losses = [net.forward(xs[:, t : t + 4], ts[:, t : t + 4]) for t in (0, 4, 8)]
    assert np.mean(losses) == pytest.approx(whole.forward(xs, ts), rel=1e-14)
    np.testing.assert_allclose(net.rnn.h, whole.rnn.h, rtol=1e-12)


def test_reset_state_forgets_what_was_read():
    net = new_lm(scale=1)
    xs, ts = next(truncated_bptt_batches(some_text(), 3, 12))
    first = outcome(net, xs, ts)
    assert outcome(net, xs, ts) != first
    net.reset_state()
    assert net.rnn.h is None
    assert outcome(net, xs, ts) == first
    net.reset_state()
    assert net.forward(xs[:2], ts[:2]) > 0  # another batch size


@pytest.mark.parametrize("truncation", [None, 1, 2])
def test_truncation_changes_the_gradient_and_never_the_loss(truncation):
    xs, ts = next(truncated_bptt_batches(some_text(), 3, 12))
    full, cut = new_lm(scale=1), new_lm(scale=1, truncation=truncation)
    (loss, h, grads), (cut_loss, cut_h, cut_grads) = (outcome(n, xs, ts) for n in (full, cut))
    assert (cut_loss, cut_h) == (loss, h)
    assert (cut_grads == grads) == (truncation is None)


@needs_torch
def test_a_language_model_trains_like_that_of_pytorch():
    net = new_lm(scale=0.7, dtype=np.float64)
    V, D, H = 7, 3, 4
    theirs = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(V, D),
            "rnn": torch.nn.RNN(D, H, batch_first=True),
            "affine": torch.nn.Linear(H, V),
        }
    ).double()
    names = {
        "embed.W": "embed.weight",
        "rnn.Wx": "rnn.weight_ih_l0",
        "rnn.Wh": "rnn.weight_hh_l0",
        "rnn.b": "rnn.bias_ih_l0",
        "affine.W": "affine.weight",
        "affine.b": "affine.bias",
    }

    def as_theirs(name):
        return net.params[name] if name == "embed.W" else net.params[name].T

    state = {their: torch.tensor(as_theirs(our)) for our, their in names.items()}
    theirs.load_state_dict(state | {"rnn.bias_hh_l0": torch.zeros(H)})
    theirs.rnn.bias_hh_l0.requires_grad_(False)
    sgd = torch.optim.SGD([p for p in theirs.parameters() if p.requires_grad], 0.3)
    batches = list(truncated_bptt_batches(some_text(), 3, 5, batches=15))
    losses, h = [], None
    for xs, ts in batches:
        hs, h = theirs.rnn(theirs.embed(torch.tensor(xs)), h)
        h = h.detach()
        scores = theirs.affine(hs).reshape(-1, V)
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(ts).ravel())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    np.testing.assert_allclose(fit(net, SGD(0.3), batches), losses, rtol=1e-12)
    np.testing.assert_allclose(net.rnn.h, h[0].numpy(), rtol=1e-11, atol=1e-13)
    trained = theirs.state_dict()
    for our, their in names.items():
        np.testing.assert_allclose(as_theirs(our), trained[their], rtol=1e-11, atol=1e-13)


def test_a_repeated_phrase_is_learned():
    text = np.tile(np.array([0, 1, 2, 0, 3, 1, 4]), 20)  # what follows 0 and 1 depends on before
    net = new_lm((5, 8, 16), dtype=np.float64)
    losses = fit(net, Adam(0.02), truncated_bptt_batches(text, 4, 10, batches=150))
    assert losses[0] == pytest.approx(np.log(5), abs=0.05)
    assert losses[-1] < 0.05
    written = net.sample(text[:7], 14, rng=np.random.default_rng(0), temperature=0)
    np.testing.assert_array_equal(written, text[7:21])


IDS = np.array([[1, 4, 1], [0, 6, 2]])
BAD_BATCHES = [
    (ValueError, IDS + 1, IDS, "xs must hold token ids in 0 .. 6, got 7 at index [1, 1]"),
    (ValueError, IDS - 1, IDS, "xs must hold token ids in 0 .. 6, got -1 at index [1, 0]"),
    (ValueError, IDS, IDS + 1, "ts must hold token ids in 0 .. 6, got 7 at index [1, 1]"),
    (ValueError, IDS, IDS - 1, "ts must hold token ids in 0 .. 6, got -1 at index [1, 0]"),
    (ValueError, IDS.astype("u8") + np.uint64(2**63), IDS, "got 9223372036854775809 at index"),
    (TypeError, IDS * 1.0, IDS, "xs must hold integer token ids, got dtype float64"),
    (TypeError, IDS > 1, IDS, "xs must hold integer token ids, got dtype bool"),
    (TypeError, IDS.astype(object), IDS, "xs must hold integer token ids, got dtype object"),
    (TypeError, IDS, IDS * 1.0, "ts must hold integer token ids, got dtype float64"),
    (TypeError, IDS.tolist(), IDS, "xs must be a numpy array of integer token ids, got list"),
    (TypeError, IDS, None, "ts must be a numpy array of integer token ids, got NoneType None"),
    (ValueError, IDS, IDS[:, 1:], "ts must have shape (2, 3), got (2, 2)"),
    (ValueError, IDS, IDS.T, "ts must have shape (2, 3), got (3, 2)"),
    (ValueError, IDS, np.eye(7, dtype=int)[IDS], "ts must have shape (2, 3), got (2, 3, 7)"),
    (ValueError, IDS[0], IDS[0], "xs must have shape (N, T), got (3,)"),
    (ValueError, np.array(1), np.array(1), "xs must have shape (N, T), got ()"),
    (ValueError, IDS[:0], IDS[:0], "xs must hold at least one step of one sequence, got (0, 3)"),
    (ValueError, IDS[:, :0], IDS[:, :0], "xs must hold at least one step of one sequence, got"),
    (ValueError, IDS[:1], IDS[:1], "xs must have N = 2, the batch size of the state"),
]


@pytest.mark.parametrize(("error", "xs", "ts", "wanted"), BAD_BATCHES)
def test_a_bad_batch_is_refused_and_the_stream_goes_on_as_if_nothing_had_been(
    error, xs, ts, wanted
):
    net = new_lm(scale=1)
    outcome(net, IDS, IDS)
    twin = copy.deepcopy(net)
    h, grads = net.rnn.h.copy(), copy.deepcopy(net.grads)
    with refusal(error, wanted):
        net.forward(xs, ts)
    np.testing.assert_array_equal(net.rnn.h, h)
    np.testing.assert_equal(dict(net.params), dict(twin.params))
    for name, grad in net.grads.items():
        np.testing.assert_array_equal(grad, grads[name])
    assert outcome(net, IDS[:, ::-1], IDS) == outcome(twin, IDS[:, ::-1], IDS)


@pytest.mark.parametrize(("error", "xs", "ts", "wanted"), BAD_BATCHES[:16])
def test_after_a_bad_batch_the_last_good_one_can_still_be_learned(error, xs, ts, wanted):
    net = new_lm(scale=1)
    net.forward(IDS, IDS)
    before = pickle.dumps(net)
    with refusal(error, wanted):
        net.forward(xs, ts)
    assert pickle.dumps(net) == before
    net.backward()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, ">i8"])
def test_tokens_of_any_integer_dtype_are_read(dtype):
    xs = read_only(IDS.astype(dtype))
    assert outcome(new_lm(scale=1), xs, xs[:, ::-1]) == outcome(new_lm(scale=1), IDS, IDS[:, ::-1])


NO_LANGUAGE_MODELS = [
    (ValueError, {"vocab_size": 0}, "vocab_size must be an integer >= 1, got 0"),
    (TypeError, {"wordvec_size": 3.0}, "wordvec_size must be an integer >= 1, got float 3.0"),
    (TypeError, {"hidden_size": True}, "hidden_size must be an integer >= 1, got bool True"),
    (TypeError, {"rng": None}, "rng must be a numpy.random.Generator"),
    (TypeError, {"truncation": 2.5}, "truncation must be an integer >= 1, got float 2.5"),
    (TypeError, {"dtype": ">f4"}, "dtype must be float32 or float64, got '>f4'"),
]


@pytest.mark.parametrize(("error", "change", "wanted"), NO_LANGUAGE_MODELS)
def test_a_language_model_that_cannot_be_is_refused(error, change, wanted):
    arguments = {"vocab_size": 7, "wordvec_size": 3, "hidden_size": 4}
    arguments |= {"rng": np.random.default_rng(0)} | change
    with refusal(error, wanted):
        SimpleRnnlm(**arguments)
    if "wordvec_size" not in change:
        del arguments["wordvec_size"]
        with refusal(error, wanted):
            CharRNN(**arguments)


def peak_of_a_step(T):
    net = new_lm((50, 16, 32))
    text = some_text(8 * T + 1, vocabulary=50)
    (batch,) = truncated_bptt_batches(text, 8, T, batches=1)
    tracemalloc.start()
    try:
        net.forward(*batch)
        net.backward()
        SGD(0.1).update(net.params, net.grads)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_a_step_grows_linearly_with_its_length():
    first, second = (q - p for p, q in pairwise(peak_of_a_step(T) for T in (100, 200, 400)))
    assert second == pytest.approx(2 * first, rel=0.02)


# Writing on ---------------------------------------------------------------------------


def write(net, start=2, length=6, seed=0, **options):
    return net.sample(start, length, rng=np.random.default_rng(seed), **options).tolist()


def expected_scores(net, text):
    """Return the scores of the token after a text that is read from the state zero."""
    reader = copy.deepcopy(net)
    reader.reset_state()
    return reader.predict(np.array([text]))[0, -1].astype(float)


def test_at_temperature_zero_the_likeliest_token_is_taken():
    net, text = new_lm(scale=1.5), [2, 5, 0]
    written = write(net, np.array(text), 20, temperature=0)
    assert len(set(written)) > 1
    for token in written:
        assert token == expected_scores(net, text).argmax()
        text.append(token)


@pytest.mark.parametrize("temperature", [0.7, 1, 3.0, np.float32(1)])
def test_tokens_are_drawn_with_the_probabilities_of_the_softmax(temperature):
    net, draws = new_lm((3, 3, 5), seed=1, scale=0.6), 1500
    first = softmax(expected_scores(net, [2, 1]) / float(temperature))
    second = [softmax(expected_scores(net, [2, 1, k]) / float(temperature)) for k in range(3)]
    wanted = draws * first[:, None] * np.array(second)
    rng, counts = np.random.default_rng(0), np.zeros((3, 3))
    for _ in range(draws):
        counts[tuple(net.sample(np.array([2, 1]), 2, rng=rng, temperature=temperature))] += 1
    assert wanted.min() > 5  # what Pearson's statistic asks for
    assert ((counts - wanted) ** 2 / wanted).sum() < 26.1  # by chance 1 in 1000 times above


def test_the_same_generator_writes_the_same_text():
    net = new_lm(scale=0.5)
    assert write(net, length=30) == write(net, length=30)
    assert write(net, length=30) != write(net, length=30, seed=1)


@pytest.mark.parametrize("start", [2, np.int64(2), np.uint8(2), np.array([2]), np.array([2], "u8")])
def test_a_text_may_start_with_one_token(start):
    net = new_lm(scale=0.5)
    assert write(net, start) == write(net, np.array([2]))
    written = net.sample(start, 5, rng=np.random.default_rng(0))
    assert (written.shape, written.dtype) == ((5,), int)
    assert ((written >= 0) & (written < 7)).all()


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_no_tokens_can_be_written(temperature):
    written = new_lm().sample(2, 0, rng=np.random.default_rng(0), temperature=temperature)
    assert (written.shape, written.dtype) == ((0,), int)


@pytest.mark.parametrize("reading", [False, True])
def test_writing_disturbs_neither_the_state_nor_a_pending_backward(reading):
    net = new_lm(scale=1)
    if reading:
        net.forward(IDS, IDS)
    before, twin = pickle.dumps(net), copy.deepcopy(net)
    write(net)
    write(net, np.array([1, 2, 3]), temperature=0)
    assert pickle.dumps(net) == before
    if reading:
        net.backward()
        twin.backward()
        for name, grad in twin.grads.items():
            np.testing.assert_array_equal(net.grads[name], grad)
    assert outcome(net, IDS, IDS) == outcome(twin, IDS, IDS)


def test_a_model_that_forgets_between_batches_still_remembers_what_it_writes():
    net = new_lm(scale=1)
    written = write(net, length=30)
    net.rnn.stateful = False
    assert write(net, length=30) == written
    assert not net.rnn.stateful


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (TypeError, {"rng": 0}, "rng must be a numpy.random.Generator"),
        (TypeError, {"rng": np.random.RandomState(0)}, "rng must be a numpy.random.Generator"),
        (ValueError, {"temperature": -0.1}, "temperature must be a finite number >= 0, got -0.1"),
        (ValueError, {"temperature": np.nan}, "temperature must be a finite number >= 0, got nan"),
        (ValueError, {"temperature": np.inf}, "temperature must be a finite number >= 0, got inf"),
        (TypeError, {"temperature": None}, "temperature must be a finite number >= 0, got NoneTyp"),
        (ValueError, {"start": np.zeros(0, int)}, "start must hold at least one token, got none"),
        (ValueError, {"start": 7}, "start must hold token ids in 0 .. 6, got 7 at index [0]"),
        (ValueError, {"start": -1}, "start must hold token ids in 0 .. 6, got -1 at index [0]"),
        (ValueError, {"start": 2**63}, "start must hold token ids in 0 .. 6, got 92233720368547"),
        (TypeError, {"start": 2**64}, "start must hold integer token ids, got dtype object"),
        (ValueError, {"start": np.array(2)}, "start must have shape (K,), got ()"),
        (ValueError, {"start": np.array([[2]])}, "start must have shape (K,), got (1, 1)"),
        (TypeError, {"start": True}, "start must hold integer token ids, got dtype bool"),
        (TypeError, {"start": 2.0}, "start must be a numpy array of integer token ids, got float"),
        (TypeError, {"start": [2]}, "start must be a numpy array of integer token ids, got list"),
        (ValueError, {"length": -1}, "length must be an integer >= 0, got -1"),
        (TypeError, {"length": 2.0}, "length must be an integer >= 0, got float 2.0"),
        (TypeError, {"length": True}, "length must be an integer >= 0, got bool True"),
    ],
)
def test_what_cannot_be_written_is_refused(error, change, wanted):
    net, rng = new_lm(), np.random.default_rng(0)
    before = pickle.dumps((net, rng))
    with refusal(error, wanted):
        net.sample(**({"start": 2, "length": 3, "rng": rng} | change))
    assert pickle.dumps((net, rng)) == before


# GatedRnnlm ---------------------------------------------------------------------------

every_model = pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
both_cells = pytest.mark.parametrize("cell", ["lstm", "gru"])


def new_gated(sizes=(7, 3, 4), seed=0, scale=None, cell="lstm", **options):
    """Return a language model with that cell; with a scale, one of strong opinions."""
    if cell == "rnn":
        return new_lm(sizes, seed, scale, **options)
    net = GatedRnnlm(*sizes, rng=np.random.default_rng(seed), cell=cell, **options)
    if scale is not None:
        rng = np.random.default_rng(seed)
        for param in net.params.values():
            param[...] = scale * rng.standard_normal(param.shape)
    return net


@both_cells
@pytest.mark.parametrize("options", [{}, {"dtype": np.float64}])
def test_the_weights_of_a_gated_model_are_scaled_to_their_inputs(cell, options):
    V, D, H, G = 700, 100, 200, 4 if cell == "lstm" else 3
    params = new_gated((V, D, H), cell=cell, **options).params
    wanted = {
        "embed.W": ((V, D), 1 / 100),
        "rnn.Wx": ((D, G * H), 1 / 10),
        "rnn.Wh": ((H, G * H), 1 / 200**0.5),
        "rnn.b": ((G * H,), None),
        "affine.W": ((H, V), 1 / 200**0.5),
        "affine.b": ((V,), 0),
    }
    if cell == "gru":
        wanted["rnn.bh"] = ((H,), 0)
    assert set(params) == set(wanted)
    for name, (shape, std) in wanted.items():
        assert params[name].shape == shape
        assert params[name].dtype == options.get("dtype", np.float32)
        if std is not None:
            assert params[name].std() == pytest.approx(std, rel=0.02)
    forget = [0, 1, 0, 0] if cell == "lstm" else [0, 0, 0]
    np.testing.assert_array_equal(params["rnn.b"], np.repeat(forget, H))


@pytest.mark.parametrize("forget_bias", [-2.5, 0, 3])
def test_the_forget_gate_begins_as_wide_open_as_asked(forget_bias):
    b = new_gated(forget_bias=forget_bias).params["rnn.b"]
    np.testing.assert_array_equal(b, np.repeat([0, forget_bias, 0, 0], 4))


@pytest.mark.parametrize("V", [10, 1000])
@both_cells
def test_the_loss_of_a_gated_model_at_the_start_is_that_of_a_guess(V, cell):
    text = np.random.default_rng(1).integers(V, size=(20, 36))
    loss = new_gated((V, 100, 100), cell=cell).forward(text[:, :-1], text[:, 1:])
    assert loss == pytest.approx(np.log(V), abs=0.01)


@both_cells
@both_floats
def test_every_gradient_of_a_gated_model_is_right_in_any_state(cell, dtype):
    net, rng = new_gated(scale=0.7, cell=cell, dtype=dtype), np.random.default_rng(1)
    state = [rng.uniform(-0.9, 0.9, (2, 4)).astype(dtype) for _ in net.rnn.NAMES]

    def loss():
        net.set_state(*state)
        return net.forward(IDS, IDS[:, ::-1])

    loss()
    assert net.backward() is None
    grads = net.grads | {f"d{n}0": getattr(net.rnn, f"d{n}0") for n in net.rnn.NAMES}
    arrays = dict(net.params)
    arrays |= {f"d{name}0": part for name, part in zip(net.rnn.NAMES, state, strict=True)}
    check_gradients(loss, arrays, grads)


@needs_torch
@both_cells
@pytest.mark.parametrize("truncation", [None, 2])
def test_a_gated_model_trains_like_that_of_pytorch(cell, truncation):
    net = new_gated(scale=0.7, cell=cell, dtype=np.float64, truncation=truncation)
    V, D, H = 7, 3, 4
    layer = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
    embed, rnn = torch.nn.Embedding(V, D).double(), layer(D, H, batch_first=True).double()
    affine = torch.nn.Linear(H, V).double()
    p = {name: torch.tensor(param) for name, param in net.params.items()}
    rest = torch.zeros_like(p["rnn.b"])
    if cell == "gru":
        rest[2 * H :] = p["rnn.bh"]
    embed.load_state_dict({"weight": p["embed.W"]})
    affine.load_state_dict({"weight": p["affine.W"].T, "bias": p["affine.b"]})
    weights = {"weight_ih_l0": p["rnn.Wx"].T, "weight_hh_l0": p["rnn.Wh"].T}
    rnn.load_state_dict(weights | {"bias_ih_l0": p["rnn.b"], "bias_hh_l0": rest})
    if cell == "lstm":
        rnn.bias_hh_l0.requires_grad_(False)
    else:  # of two biases that are added up PyTorch trains both: let it train one
        rnn.bias_hh_l0.register_hook(lambda g: torch.cat([torch.zeros(2 * H), g[2 * H :]]))
    trained = [*embed.parameters(), *rnn.parameters(), *affine.parameters()]
    sgd = torch.optim.SGD([x for x in trained if x.requires_grad], 0.3)
    state, losses = None, []
    # A window of 2 over batches of 2 steps cuts nothing that their ends do not cut.
    batches = list(truncated_bptt_batches(some_text(), 3, 2 if truncation else 5, batches=15))
    for xs, ts in batches:
        hs, state = rnn(embed(torch.tensor(xs)), state)
        state = tuple(h.detach() for h in state) if cell == "lstm" else state.detach()
        scores = affine(hs).reshape(-1, V)
        loss = torch.nn.functional.cross_entropy(scores, torch.tensor(ts).ravel())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    np.testing.assert_allclose(fit(net, SGD(0.3), batches), losses, rtol=1e-12)
    state = state if cell == "lstm" else (state,)
    for name, h in zip(net.rnn.NAMES, state, strict=True):
        np.testing.assert_allclose(getattr(net.rnn, name), h[0].numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(net.params["rnn.Wh"].T, rnn.weight_hh_l0.detach(), rtol=1e-10)


@both_cells
def test_a_gated_model_learns_a_repeated_phrase(cell):
    text = np.tile(np.array([0, 1, 2, 0, 3, 1, 4]), 20)
    net = new_gated((5, 8, 16), cell=cell, dtype=np.float64)
    losses = fit(net, Adam(0.02), truncated_bptt_batches(text, 4, 10, batches=150))
    assert losses[-1] < 0.05
    written = net.sample(text[:7], 14, rng=np.random.default_rng(0), temperature=0)
    np.testing.assert_array_equal(written, text[7:21])


@both_cells
@pytest.mark.parametrize(("error", "xs", "ts", "wanted"), BAD_BATCHES)
def test_a_bad_batch_leaves_the_stream_of_a_gated_model_alone(cell, error, xs, ts, wanted):
    net = new_gated(scale=1, cell=cell)
    outcome(net, IDS, IDS)
    twin = copy.deepcopy(net)
    with refusal(error, wanted):
        net.forward(xs, ts)
    assert outcome(net, IDS[:, ::-1], IDS) == outcome(twin, IDS[:, ::-1], IDS)


@both_floats
@both_cells
def test_a_gated_model_is_saved_and_loaded(tmp_path, cell, dtype):
    net, other = (new_gated(scale=1, seed=seed, cell=cell, dtype=dtype) for seed in (0, 1))
    net.save(tmp_path / "net.npz")
    other.load(tmp_path / "net.npz")
    assert outcome(other, IDS, IDS) == outcome(net, IDS, IDS)


@every_model
def test_a_state_can_be_set_and_forgotten(cell):
    net, twin = new_gated(scale=1, cell=cell), new_gated(scale=1, cell=cell)
    net.forward(IDS, IDS)
    twin.set_state(*(getattr(net.rnn, name) for name in net.rnn.NAMES))
    assert outcome(twin, IDS, IDS) == outcome(net, IDS, IDS)
    net.reset_state()
    assert outcome(net, IDS, IDS) == outcome(new_gated(scale=1, cell=cell), IDS, IDS)


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"cell": "rnn"}, "cell must be 'lstm' or 'gru', got 'rnn'"),
        (TypeError, {"cell": None}, "cell must be 'lstm' or 'gru', got NoneType None"),
        (
            ValueError,
            {"cell": "gru", "forget_bias": 1.0},
            "forget_bias must be left out with a GRU, got 1.0",
        ),
        (ValueError, {"forget_bias": np.nan}, "forget_bias must be a finite number, got nan"),
        (TypeError, {"forget_bias": "1"}, "forget_bias must be a finite number, got str '1'"),
        *NO_LANGUAGE_MODELS,
    ],
)
def test_a_gated_model_that_cannot_be_is_refused(error, change, wanted):
    arguments = {"vocab_size": 7, "wordvec_size": 3, "hidden_size": 4}
    with refusal(error, wanted):
        GatedRnnlm(**(arguments | {"rng": np.random.default_rng(0)} | change))


# What comes next ----------------------------------------------------------------------


@every_model
@both_floats
def test_reading_tells_what_is_expected_after_each_token(cell, dtype):
    net, text = new_gated(scale=1, cell=cell, dtype=dtype), [2, 5, 0, 5]
    reading = net.read(np.array(text))
    assert reading.probabilities.shape == (4, 7)
    assert reading.probabilities.dtype == np.float64
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    for k in range(4):
        wanted = softmax(expected_scores(net, text[: k + 1]))
        np.testing.assert_allclose(reading.probabilities[k], wanted, rtol=rtol)
        found = net.next_probabilities(np.array(text[: k + 1]))
        np.testing.assert_allclose(found, wanted, rtol=rtol)


@every_model
def test_reading_shows_the_states_and_the_gates(cell):
    net = new_gated(scale=1, cell=cell, dtype=np.float64)
    text = np.array([2, 5, 0, 5, 1])
    _, states, gates = net.read(text)
    rnn = copy.deepcopy(net)
    for k, token in enumerate(text):
        rnn.predict(np.array([[token]]))
        for name in rnn.rnn.NAMES:
            np.testing.assert_allclose(states[name][k], getattr(rnn.rnn, name)[0], rtol=1e-12)
    assert "".join(gates) == {"rnn": "", "lstm": "ifgo", "gru": "run"}[cell]
    assert {x.shape for x in [*states.values(), *gates.values()]} == {(5, 4)}
    before = {name: np.vstack([np.zeros(4), hs[:-1]]) for name, hs in states.items()}
    if cell == "lstm":
        c = gates["f"] * before["c"] + gates["i"] * gates["g"]
        np.testing.assert_allclose(states["c"], c, rtol=1e-12)
        np.testing.assert_allclose(states["h"], gates["o"] * np.tanh(c), rtol=1e-12)
    if cell == "gru":
        h = (1 - gates["u"]) * gates["n"] + gates["u"] * before["h"]
        np.testing.assert_allclose(states["h"], h, rtol=1e-12)


@every_model
@pytest.mark.parametrize("temperature", [0.5, 1, 4.0])
def test_the_temperature_divides_the_scores(cell, temperature):
    net, text = new_gated(scale=1, cell=cell), np.array([2, 5])
    wanted = softmax(expected_scores(net, text) / temperature)
    found = net.next_probabilities(text, temperature=temperature)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    coldest = net.next_probabilities(text, temperature=0)
    np.testing.assert_array_equal(coldest, np.arange(7) == wanted.argmax())
    assert (net.next_probabilities(5) == net.next_probabilities(np.array([5]))).all()


@every_model
@pytest.mark.parametrize(
    "look",
    [
        lambda net: net.read(np.array([1, 2, 3])),
        lambda net: net.next_probabilities(3),
        lambda net: net.evaluate(some_text()),
        lambda net: net.sample(3, 5, rng=np.random.default_rng(0)),
    ],
    ids=["read", "next_probabilities", "evaluate", "sample"],
)
@pytest.mark.parametrize("reading", [False, True])
def test_a_look_disturbs_neither_the_state_nor_a_pending_backward(cell, look, reading):
    net = new_gated(scale=1, cell=cell)
    if reading:
        net.forward(IDS, IDS)
    before, twin = pickle.dumps(net), copy.deepcopy(net)
    look(net)
    assert pickle.dumps(net) == before
    assert outcome(net, IDS, IDS) == outcome(twin, IDS, IDS)


def test_what_was_read_shares_no_memory_with_the_model():
    net = new_gated(scale=1)
    for array in (*net.read(np.array([1, 2])).states.values(), net.next_probabilities(1)):
        assert not any(np.shares_memory(array, param) for param in net.params.values())


@pytest.mark.parametrize(
    ("error", "tokens", "wanted"),
    [
        (ValueError, np.zeros(0, int), " must hold at least one token, got none"),
        (ValueError, 7, " must hold token ids in 0 .. 6, got 7 at index [0]"),
        (ValueError, np.array([[1]]), " must have shape (K,), got (1, 1)"),
        (TypeError, [1], " must be a numpy array of integer token ids, got list [1]"),
        (TypeError, np.ones(2), " must hold integer token ids, got dtype float64"),
    ],
)
def test_what_cannot_be_read_is_refused(error, tokens, wanted):
    with refusal(error, f"tokens{wanted}"):
        new_gated().read(tokens)
    with refusal(error, f"prefix{wanted}"):
        new_gated().next_probabilities(tokens)


@pytest.mark.parametrize("temperature", [-1, np.nan])
def test_a_bad_temperature_is_refused(temperature):
    with refusal(ValueError, "temperature must be a finite number >= 0"):
        new_gated().next_probabilities(1, temperature=temperature)


# Evaluation ---------------------------------------------------------------------------


@every_model
@given(data=st.data())
def test_evaluation_is_the_loss_of_the_whole_text_read_once(cell, data):
    size = data.draw(st.integers(2, 40))
    text = some_text(size)
    net = new_gated(scale=1, cell=cell, dtype=np.float64)
    wanted = copy.deepcopy(net).forward(text[None, :-1], text[None, 1:])
    assert net.evaluate(text) == pytest.approx(float(wanted), rel=1e-12)


@every_model
@given(data=st.data())
def test_evaluation_in_many_places_begins_in_each_at_the_state_zero(cell, data):
    K = data.draw(st.integers(1, 30))
    N = data.draw(st.integers(1, K))
    text, net = some_text(K + 1), new_gated(scale=1, cell=cell, dtype=np.float64)
    cuts = [n * (K // N) for n in range(N)] + [K]
    parts = [text[a : b + 1] for a, b in pairwise(cuts)]
    wanted = sum(net.evaluate(part) * (len(part) - 1) for part in parts) / K
    assert net.evaluate(text, batch_size=N) == pytest.approx(wanted, rel=1e-12)


@every_model
def test_a_long_text_is_evaluated_in_chunks_that_go_on(cell, monkeypatch):
    net = new_gated((3000, 3, 200), scale=0.1, cell=cell, dtype=np.float64)
    text = some_text(1000, vocabulary=3000)
    sizes, forward = [], models.TimeSoftmaxWithLoss.forward

    def spy(self, xs, ts):
        sizes.append(ts.size)
        return forward(self, xs, ts)

    monkeypatch.setattr(models.TimeSoftmaxWithLoss, "forward", spy)
    loss = net.evaluate(text)
    assert len(sizes) > 4
    assert sum(sizes) == 999
    monkeypatch.undo()
    wanted = net.forward(text[None, :-1], text[None, 1:])
    assert loss == pytest.approx(float(wanted), rel=1e-10)


def test_a_long_text_needs_no_more_memory_than_a_short_one():
    net = new_gated((100, 16, 64))

    def peak(size):
        text = some_text(size, vocabulary=100)
        tracemalloc.start()
        try:
            net.evaluate(text)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(12_000) < 1.2 * peak(4_000) < 60e6


@pytest.mark.parametrize(
    ("error", "tokens", "wanted"),
    [
        (ValueError, np.array([1]), "tokens must hold at least two tokens, got 1"),
        (ValueError, np.array([1, 7]), "tokens must hold token ids in 0 .. 6, got 7 at index [1]"),
        (ValueError, np.array(1), "tokens must have shape (K + 1,), got ()"),
        (TypeError, [1, 2], "tokens must be a numpy array of integer token ids, got list"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(error, tokens, wanted):
    with refusal(error, wanted):
        new_gated().evaluate(tokens)


@pytest.mark.parametrize("batch_size", [0, 4])
def test_a_text_is_not_evaluated_in_more_places_than_it_has(batch_size):
    with refusal(ValueError, f"batch_size must be an integer from 1 to 3, got {batch_size}"):
        new_gated().evaluate(np.array([0, 1, 2, 3]), batch_size=batch_size)


# Files --------------------------------------------------------------------------------

SPECIAL = np.array([-0.0, 5e-324, -1e-310, np.pi, np.finfo(float).max, np.finfo(float).tiny])


def some_params():
    return {"rnn.Wx": np.arange(6.0).reshape(2, 3), "b": np.ones(3, np.float32), "s": SPECIAL}


def blank(params):
    return {name: np.full_like(param, 7) for name, param in params.items()}


def bits(params):
    return {name: (x.shape, x.dtype, x.tobytes()) for name, x in params.items()}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "parameters.npz"
    save_parameters(path, some_params())
    return path


def test_what_was_saved_is_loaded_to_the_last_bit(file):
    params = blank(some_params())
    arrays = dict(params)
    load_parameters(str(file), params)
    assert bits(params) == bits(some_params())
    assert all(params[name] is array for name, array in arrays.items())
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2]]
)
def test_the_layout_in_memory_makes_no_difference(file, layout):
    save_parameters(file, {name: layout(param) for name, param in some_params().items()})
    params = {name: layout(param) for name, param in blank(some_params()).items()}
    load_parameters(file, params)
    assert bits(params) == bits(some_params())


@both_floats
@pytest.mark.parametrize(
    "new",
    [
        lambda dtype, seed: new_net(seed=seed, dtype=dtype),
        lambda dtype, seed: CharRNN(4, 8, rng=np.random.default_rng(seed), dtype=dtype),
        lambda dtype, seed: BinaryAdder(4, rng=np.random.default_rng(seed), bias=True, dtype=dtype),
        lambda dtype, seed: new_lm(seed=seed, dtype=dtype),
    ],
)
def test_a_model_is_saved_and_loaded(tmp_path, new, dtype):
    net, other = new(dtype, 0), new(dtype, 1)
    net.save(tmp_path / "net.npz")
    other.load(tmp_path / "net.npz")
    assert bits(other.params) == bits(net.params)
    assert bits(other.layers.params) == bits(net.layers.params)


def test_a_loaded_model_computes_what_the_saved_one_did(tmp_path):
    net, other = new_lm(scale=1), new_lm(seed=1)
    net.save(str(tmp_path / "lm.npz"))
    other.load(str(tmp_path / "lm.npz"))
    assert outcome(other, IDS, IDS) == outcome(net, IDS, IDS)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["savez", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_file_and_no_other(file, monkeypatch, where, error):
    break_writing(monkeypatch, where, error)
    before = file.read_bytes()
    with pytest.raises(type(error)):
        save_parameters(file, {"W": np.zeros(5)})
    assert os.listdir(file.parent) == [file.name]
    assert file.read_bytes() == before
    monkeypatch.undo()
    save_parameters(file, {"W": np.zeros(5)})
    load_parameters(file, {"W": np.ones(5)})


@pytest.mark.parametrize(
    ("error", "bad", "wanted"),
    [
        (ValueError, np.array([1, np.nan]), "params['bad'] must be finite, got nan at index [1]"),
        (TypeError, np.array([{}]), "params['bad'] must hold float32 or float64 numbers, got"),
        (TypeError, np.array([1, 2]), "params['bad'] must hold float32 or float64 numbers, got"),
        (TypeError, [1.0, 2.0], "params['bad'] must be a numpy array, got list [1.0, 2.0]"),
        (TypeError, None, "params['bad'] must be a numpy array, got NoneType None"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved_over_what_could(file, error, bad, wanted):
    before = file.read_bytes()
    with refusal(error, wanted):
        save_parameters(file, some_params() | {"bad": bad})
    assert os.listdir(file.parent) == [file.name]
    assert file.read_bytes() == before


def loading_is_refused(file, error, *wanted, **change):
    """Hold that loading fails with that message and changes nothing."""
    params = blank(some_params()) | change
    before = bits(params)
    with refusal(error, *wanted):
        load_parameters(file, params)
    assert bits(params) == before


@pytest.mark.parametrize(
    ("error", "change", "wanted"),
    [
        (ValueError, {"c": np.ones(3)}, "must hold the parameters ['b', 'c', 'rnn.Wx', 's'], got"),
        (ValueError, {"b": np.ones(4, "f4")}, "b in parameters.npz must have shape (4,), got (3,)"),
        (ValueError, {"b": np.ones((1, 3), "f4")}, "must have shape (1, 3), got (3,)"),
        (TypeError, {"b": np.ones(3)}, "must have dtype float64, the dtype of the model, got floa"),
        (TypeError, {"b": np.ones(3, int)}, "params['b'] must hold float32 or float64 numbers"),
        (ValueError, {"s": read_only(SPECIAL)}, "params['s'] must be writeable"),
    ],
)
def test_parameters_unlike_those_in_the_file_are_refused_and_none_is_changed(
    file, error, change, wanted
):
    loading_is_refused(file, error, wanted, **change)


def test_a_file_with_more_or_fewer_parameters_is_refused(file):
    save_parameters(file, {})
    loading_is_refused(file, ValueError, "must hold the parameters ['b', 'rnn.Wx', 's'], got []")
    save_parameters(file, some_params() | {"V": np.ones(2)})
    loading_is_refused(file, ValueError, "got ['V', 'b', 'rnn.Wx', 's']")


@pytest.mark.parametrize(
    ("error", "content", "wanted"),
    [
        (ValueError, {"b": np.array([{}, None, 1])}, "Object arrays cannot be loaded"),
        (TypeError, {"b": np.array(["a", "b", "c"])}, "b in parameters.npz must hold float32 or"),
        (TypeError, {"b": np.ones(3, ">f4")}, "b in parameters.npz must hold float32 or float64"),
        (ValueError, {"b": np.array([0, 0, np.nan], "f4")}, "b in parameters.npz must be finite"),
        (ValueError, {"b": np.array([0, -np.inf, 0], "f4")}, "must be finite, got -inf at index"),
    ],
)
def test_content_that_is_no_parameter_is_refused_and_none_is_changed(file, error, content, wanted):
    np.savez(file, **(some_params() | content))
    loading_is_refused(file, error, wanted)


def test_a_file_cut_short_at_any_byte_is_refused(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        loading_is_refused(file, ValueError, "parameters.npz must be a whole .npz file of arrays")


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_file_with_any_byte_damaged_is_refused_or_loaded_as_it_was(file, flip):
    whole, refused = file.read_bytes(), 0
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
        params, message = blank(some_params()), ""
        try:
            load_parameters(file, params)
        except (ValueError, TypeError) as error:
            message = str(error)
        refused += "parameters.npz" in message
        assert bits(params) == bits(blank(some_params()) if message else some_params())
    assert refused > len(whole) / 2


@pytest.mark.parametrize("kind", ["empty", "text", "npy", "pickle"])
def test_a_file_of_another_kind_is_refused(file, kind):
    if kind == "npy":
        with file.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        pickled = pickle.dumps(some_params())
        file.write_bytes({"empty": b"", "text": b"W = [1, 2, 3]\n", "pickle": pickled}[kind])
    loading_is_refused(file, ValueError, "parameters.npz must be a whole .npz file of arrays, got")


def test_a_pickled_object_is_never_run(file):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(file.parent / "trapped"),)

    np.savez(file, **(some_params() | {"b": np.array([Trap()] * 3)}))
    loading_is_refused(file, ValueError, "parameters.npz must be a whole .npz file of arrays")
    file.write_bytes(pickle.dumps(Trap()))
    loading_is_refused(file, ValueError, "parameters.npz must be a whole .npz file of arrays")
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.parametrize("access", [save_parameters, load_parameters])
@pytest.mark.parametrize(
    ("error", "path", "wanted"),
    [
        (ValueError, "parameters", "path must end in .npz, got 'parameters'"),
        (ValueError, "parameters.npy", "path must end in .npz, got 'parameters.npy'"),
        (ValueError, "npz", "path must end in .npz, got 'npz'"),
        (ValueError, ".npz", "path must end in .npz, got '.npz'"),
        (TypeError, None, "path must be a path, got NoneType None"),
        (TypeError, 5, "path must be a path, got int 5"),
        (TypeError, b"a.npz", "path must be a path, got bytes b'a.npz'"),
    ],
)
def test_a_path_without_npz_is_refused(tmp_path, monkeypatch, access, error, path, wanted):
    monkeypatch.chdir(tmp_path)
    with refusal(error, wanted):
        access(path, some_params())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("access", [save_parameters, load_parameters])
@pytest.mark.parametrize("params", [None, [np.ones(3)], {1: np.ones(3)}])
def test_parameters_without_names_are_refused(file, access, params):
    before = file.read_bytes()
    with refusal(TypeError, "params must be a dict of arrays by name, got "):
        access(file, params)
    assert file.read_bytes() == before


def test_a_missing_file_or_folder_is_named(tmp_path):
    with refusal(FileNotFoundError, "no-such.npz"):
        load_parameters(tmp_path / "no-such.npz", some_params())
    for access in (save_parameters, load_parameters):
        with refusal(FileNotFoundError, "no-such-folder"):
            access(tmp_path / "no-such-folder" / "a.npz", some_params())
    assert os.listdir(tmp_path) == []
