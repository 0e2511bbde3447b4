"""Layers in a row keep their names; parameters come back from a file to the last bit."""

import copy
import os
import pickle

import numpy as np
import pytest
from helpers import FLOATS, break_writing, floats_away_from_zero, read_only, refusal

from rnnbook import (
    SGD,
    Affine,
    BinaryAdder,
    CharRNN,
    ReLU,
    Sigmoid,
    SimpleRnnlm,
    SoftmaxWithLoss,
    TimeAffine,
    TimeEmbedding,
    TwoLayerNet,
)
from rnnbook.network import Network, Sequential, load_parameters, save_parameters
from rnnbook.training import fit

both_floats = pytest.mark.parametrize("dtype", FLOATS)
X = floats_away_from_zero(np.random.default_rng(0), (6, 4))
T = np.array([0, 2, 1, 1, 0, 2])


# Sequential ---------------------------------------------------------------------------


def test_parameters_and_gradients_have_the_names_of_their_layers():
    W, b = np.ones((4, 2)), np.zeros(2)
    inner = Sequential(scores=Affine(W, b))
    layers = Sequential(squash=Sigmoid(), last=inner)
    layers.backward(np.ones_like(layers.forward(X)))
    assert list(layers.params) == list(layers.grads) == ["last.scores.W", "last.scores.b"]
    assert layers.params["last.scores.W"] is W


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_layers_in_a_row_are_functions_of_functions_and_backward_is_the_chain_rule(depth):
    weights = floats_away_from_zero(np.random.default_rng(1), (depth, 4, 4))
    layers = Sequential(**{f"layer{k}": Affine(W, np.zeros(4)) for k, W in enumerate(weights)})
    product = np.linalg.multi_dot([np.eye(4), np.eye(4), *weights])
    for forward, backward in (
        (layers.forward, layers.backward),
        (layers.forward_steps, layers.backward_steps),
    ):
        np.testing.assert_allclose(forward(X), X @ product)
        np.testing.assert_allclose(backward(X), X @ product.T)


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
        lambda dtype, seed: TwoLayerNet(4, 5, 3, rng=np.random.default_rng(seed), dtype=dtype),
        lambda dtype, seed: CharRNN(4, 8, rng=np.random.default_rng(seed), dtype=dtype),
        lambda dtype, seed: BinaryAdder(4, rng=np.random.default_rng(seed), bias=True, dtype=dtype),
        lambda dtype, seed: SimpleRnnlm(7, 3, 4, rng=np.random.default_rng(seed), dtype=dtype),
    ],
)
def test_a_model_is_saved_and_loaded(tmp_path, new, dtype):
    net, other = new(dtype, 0), new(dtype, 1)
    net.save(tmp_path / "net.npz")
    other.load(tmp_path / "net.npz")
    assert bits(other.params) == bits(net.params)
    assert bits(other.layers.params) == bits(net.layers.params)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["write_array", "fsync", "replace"])
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
        (ValueError, {"b": np.array([{}, None, 1])}, "of shape (3,) and dtype object"),
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


# What is shared or replaced -----------------------------------------------------------


def tied():
    W = np.random.default_rng(0).normal(size=(5, 3))
    return {"embed": TimeEmbedding(W), "scores": TimeAffine(W.T, np.zeros(5))}


@pytest.mark.parametrize("build", [lambda: Sequential(**tied()), lambda: tied_deep()])
def test_tied_weights_are_refused(build):
    with refusal(ValueError, "parameters must share no memory, got ", "embed.W", "scores.W"):
        build()


def tied_deep():
    layers = tied()
    return Sequential(a=Sequential(embed=layers["embed"]), scores=layers["scores"])


def test_halves_of_one_array_are_no_tied_weights():
    both = np.ones((4, 6))
    Sequential(a=Affine(both[:, ::2], np.zeros(3)), b=Affine(both[:3, 1::2], np.zeros(3)))


@pytest.mark.parametrize("name", ["params", "layers", "loss_layer", "names", "grads"])
def test_no_part_of_a_network_can_be_replaced(name):
    net = TwoLayerNet(4, 3, 3, rng=np.random.default_rng(0))
    with pytest.raises(AttributeError, match=name):
        setattr(net, name, {})


def test_a_network_trains_the_arrays_that_its_layers_have_now():
    class Scale(ReLU):
        """A reader's own layer, which puts another array in the place of the last."""

        params = None

        def __init__(self):
            self.params, self.grads, self.mask = {"g": np.ones(4)}, {}, None

        def forward(self, x):
            self.x = x
            return x * self.params["g"]

        def backward(self, dout):
            self.grads = {"g": (dout * self.x).sum(axis=0)}
            return dout * self.params["g"]

    scale = Scale()
    net = Network(Sequential(scale=scale), SoftmaxWithLoss())
    scale.params["g"] = np.full(4, 2.0)
    first, *_, last = fit(net, SGD(0.1), [(X, T)] * 20)
    assert last < first
    assert net.params["scale.g"] is scale.params["g"]


def test_short_names_must_be_those_of_parameters():
    layers = Sequential(a=Affine(np.ones((4, 3)), np.zeros(3)))
    with refusal(ValueError, "W must name one of ['a.W', 'a.b'], got 'a.V'"):
        Network(layers, SoftmaxWithLoss(), W="a.V")
