"""What models promise beyond the protocol of layers, which test_layers.py holds."""

import pickle

import numpy as np
import pytest
from helpers import FLOATS, floats_away_from_zero, refusal
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import SGD, Adam, BinaryAdder, CharRNN, TwoLayerNet, check_gradients
from rnnbook.data import binary_addition, load_digits
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


def test_a_batch_that_does_not_fit_a_state_is_refused():
    net = perfect_adder()
    net.layers.layers["rnn"].set_state(np.zeros((3, 2)))
    with refusal(ValueError, "xs must have N = 3, the batch size of the state that this layer"):
        net.forward(XS, TS)


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


@pytest.mark.parametrize("dout", [(), (1.0,), (-2.5,)])
def test_the_gradients_of_a_charrnn_are_those_of_its_loss_times_dout(dout):
    net = CharRNN(4, 3, rng=np.random.default_rng(0))
    net.forward(HELL, ELLO)
    assert net.backward(*dout) is None
    grads = {name: grad / sum(dout or [1]) for name, grad in net.grads.items()}
    check_gradients(lambda: net.forward(HELL, ELLO), net.params, grads)


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
        (TypeError, "hell", ELLO, "xs must be a list or numpy array of integer character ids, got"),
        (ValueError, HELL[:, :0], ELLO[:, :0], "xs must hold at least one step of one sequence"),
        (ValueError, HELL, ELLO + 1, "ts must hold labels in 0 .. 3, got 4 at index [0, 3]"),
        (ValueError, HELL, ELLO[:, 1:], "ts must hold integer labels of shape (1, 4)"),
    ],
)
def test_letters_that_do_not_fit_are_refused(error, xs, ts, wanted):
    with refusal(error, wanted):
        CharRNN(4, 8, rng=np.random.default_rng(0)).forward(xs, ts)
