"""Every layer, and every model, keeps the protocol; each is one row of `CASES`."""

import copy
import inspect
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from helpers import FLOATS, floats_away_from_zero, read_only, refusal

from rnnbook import (
    AddLayer,
    Affine,
    Embedding,
    MulLayer,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
    TwoLayerNet,
    check_gradients,
    layers,
)
from rnnbook.layers import Parameters
from rnnbook.models import Sequential

IDS = np.array([[1, 4, 1, 0], [1, 2, 2, 0]])
T = np.array([0, 3, 1, 1, 2])


def two_layer_net(a):
    net = TwoLayerNet(3, 6, 4, rng=np.random.default_rng(0), dtype=a(1).dtype)
    net.params.update(W1=a(3, 6), b1=a(6), W2=a(6, 4), b2=a(4))
    return net


def loss_of_scores(p, x, t):
    return torch.nn.functional.cross_entropy(x, t if t.ndim < x.ndim else t.to(x.dtype))


# Name: how to make the layer and its inputs from arrays of a given shape, all sizes
# different; and what PyTorch computes from the parameters and the inputs.
CASES = {
    "MulLayer": (lambda a: (MulLayer(), a(3, 4), a(3, 4)), lambda p, x, y: x * y),
    "AddLayer": (lambda a: (AddLayer(), a(3, 4), a(3, 4)), lambda p, x, y: x + y),
    "ReLU": (lambda a: (ReLU(), a(3, 4)), lambda p, x: torch.relu(x)),
    "ReLU, three axes": (lambda a: (ReLU(), a(2, 3, 4)), lambda p, x: torch.relu(x)),
    "Sigmoid": (lambda a: (Sigmoid(), a(3, 4)), lambda p, x: torch.sigmoid(x)),
    "Tanh": (lambda a: (Tanh(), a(3, 4)), lambda p, x: torch.tanh(x)),
    "Affine": (
        lambda a: (Affine(a(3, 4), a(4)), a(5, 3)),
        lambda p, x: x @ p["W"] + p["b"],
    ),
    "Embedding": (lambda a: (Embedding(a(5, 3)), IDS), lambda p, ids: p["W"][ids]),
    "SoftmaxWithLoss": (
        lambda a: (SoftmaxWithLoss(), a(5, 4), T),
        loss_of_scores,
    ),
    "SoftmaxWithLoss, one-hot": (
        lambda a: (SoftmaxWithLoss(), a(5, 4), np.eye(4, dtype=int)[T]),
        loss_of_scores,
    ),
    "SoftmaxWithLoss, N = C": (
        lambda a: (SoftmaxWithLoss(), a(5, 5), T),
        loss_of_scores,
    ),
    "SoftmaxWithLoss, one example": (
        lambda a: (SoftmaxWithLoss(), a(4), np.array(2)),
        loss_of_scores,
    ),
    "Sequential": (
        lambda a: (
            Sequential(a=Affine(a(3, 4), a(4)), b=Sigmoid(), c=Affine(a(4, 2), a(2))),
            a(5, 3),
        ),
        lambda p, x: torch.sigmoid(x @ p["a.W"] + p["a.b"]) @ p["c.W"] + p["c.b"],
    ),
    "TwoLayerNet": (
        lambda a: (two_layer_net(a), a(5, 3), T),
        lambda p, x, t: loss_of_scores(p, torch.relu(x @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], t),
    ),
}
every_case = pytest.mark.parametrize("name", CASES)
every_upstream = pytest.mark.parametrize("upstream", ["random", 2.5])
both_floats = pytest.mark.parametrize("dtype", FLOATS)
RTOL = {np.float32: 1e-5, np.float64: 1e-13}


def make(name, dtype=np.float64, *, seed=0, upstream="random"):
    """Return a layer of `CASES`, its inputs and an upstream gradient that fits them."""
    rng = np.random.default_rng(seed)
    layer, *inputs = CASES[name][0](lambda *shape: floats_away_from_zero(rng, shape, dtype))
    out = copy.deepcopy(layer).forward(*inputs)
    dout = floats_away_from_zero(rng, np.shape(out), dtype)
    if upstream != "random":
        dout = np.full_like(dout, upstream)
    return layer, inputs, dout if dout.ndim else float(dout)


def gradients(layer, inputs, dout):
    """Run `backward`; return all gradients, those of parameters and of inputs, by name."""
    dinputs = layer.backward(dout)
    if not isinstance(dinputs, tuple):
        dinputs = () if dinputs is None else (dinputs,)
    wanted = differentiable(layer, inputs)
    return layer.grads | dict(zip(wanted, dinputs, strict=True))


def differentiable(layer, inputs):
    """Return the inputs that have a derivative by the names that `forward` gives them."""
    names = inspect.signature(layer.forward).parameters
    return {n: x for n, x in zip(names, inputs, strict=True) if x.dtype.kind == "f"}


def arrays_in(thing):
    """Find every array that a layer holds, but for its gradients."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if isinstance(thing, dict):
        thing = [value for key, value in thing.items() if key != "grads"]
    if isinstance(thing, (list, tuple)):
        return [array for part in thing for array in arrays_in(part)]
    return arrays_in(vars(thing)) if hasattr(thing, "__dict__") else []


def assert_same(actual, expected):
    """Compare dicts of arrays to the last bit."""
    assert list(actual) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, strict=True, err_msg=name)


def test_every_public_layer_has_a_case():
    assert {name.split(",")[0] for name in CASES} >= set(layers.__all__) - {"Parameters"}


@every_case
@both_floats
@every_upstream
def test_every_gradient_agrees_with_numerical_differentiation(name, dtype, upstream):
    layer, inputs, dout = make(name, dtype, upstream=upstream)
    layer.forward(*inputs)
    grads = gradients(layer, inputs, dout)
    arrays = layer.params | differentiable(layer, inputs)
    check_gradients(lambda: np.sum(layer.forward(*inputs) * dout), arrays, grads)


@every_case
@both_floats
@every_upstream
def test_output_and_every_gradient_equal_those_of_pytorch(name, dtype, upstream):
    layer, inputs, dout = make(name, dtype, upstream=upstream)
    out = layer.forward(*inputs)
    grads = gradients(layer, inputs, dout)

    tensors = {
        key: torch.tensor(x, requires_grad=True)
        for key, x in (layer.params | differentiable(layer, inputs)).items()
    }
    names = inspect.signature(layer.forward).parameters
    arguments = [tensors.get(n, torch.tensor(x)) for n, x in zip(names, inputs, strict=True)]
    oracle = CASES[name][1](tensors, *arguments)
    oracle.backward(torch.tensor(dout, dtype=oracle.dtype))
    close = partial(np.testing.assert_allclose, rtol=RTOL[dtype], atol=RTOL[dtype])
    close(out, oracle.detach().numpy())
    assert set(grads) == set(tensors)
    for key, tensor in tensors.items():
        close(grads[key], tensor.grad.numpy(), err_msg=key)


@every_case
@both_floats
def test_the_dtype_follows_the_parameters(name, dtype):
    layer, inputs, dout = make(name, dtype)
    assert layer.forward(*inputs).dtype == dtype
    for key, gradient in gradients(layer, inputs, dout).items():
        assert gradient.dtype == dtype, key


@every_case
def test_backward_twice_gives_the_same_gradients(name):
    layer, inputs, dout = make(name)
    layer.forward(*inputs)
    first = gradients(layer, inputs, dout)
    kept = copy.deepcopy(first)
    assert_same(gradients(layer, inputs, dout), kept)
    assert_same(first, kept)


@every_case
def test_gradients_of_an_earlier_pass_stay_as_they_were(name):
    layer, inputs, dout = make(name)
    layer.forward(*inputs)
    earlier = gradients(layer, inputs, dout)
    kept = copy.deepcopy(earlier)
    _, others, other_dout = make(name, seed=1)
    layer.forward(*others)
    later = gradients(layer, others, other_dout)
    assert_same(earlier, kept)
    assert any((later[key] != kept[key]).any() for key in kept)


@every_case
def test_a_second_forward_replaces_what_was_kept(name):
    layer, inputs, _ = make(name)
    fresh = copy.deepcopy(layer)
    _, others, dout = make(name, seed=1)
    layer.forward(*inputs)
    for each in (layer, fresh):
        each.forward(*others)
    assert_same(gradients(layer, others, dout), gradients(fresh, others, dout))


@every_case
def test_nothing_is_written_into_inputs_or_upstream_gradient(name):
    layer, inputs, dout = make(name)
    kept = copy.deepcopy((inputs, dout))
    inputs = [read_only(x) for x in inputs]
    layer.forward(*inputs)
    dout = read_only(dout) if isinstance(dout, np.ndarray) else dout
    for key, gradient in gradients(layer, inputs, dout).items():
        assert not np.shares_memory(gradient, dout), key
    for array, before in zip(arrays_in([inputs, dout]), arrays_in(kept), strict=True):
        np.testing.assert_array_equal(array, before)


@every_case
def test_backward_changes_nothing_that_forward_kept(name):
    layer, inputs, dout = make(name)
    layer.forward(*inputs)
    kept = copy.deepcopy(arrays_in(layer))
    layer.backward(dout)
    for array, before in zip(arrays_in(layer), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@every_case
def test_backward_before_forward_is_refused(name):
    layer, _, dout = make(name)
    with refusal(RuntimeError, "backward needs a forward pass"):
        layer.backward(dout)


@every_case
@pytest.mark.parametrize("through", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_computes_the_same_and_shares_nothing(name, through):
    layer, inputs, dout = make(name)
    twin = through(layer)
    for each in (layer, twin):
        each.forward(*inputs)
    assert_same(gradients(twin, inputs, dout), gradients(layer, inputs, dout))
    for key in twin.params:
        before = layer.params[key].copy()
        out = twin.forward(*inputs)
        twin.params[key] *= 1.5
        np.testing.assert_array_equal(layer.params[key], before)
        assert (twin.forward(*inputs) != out).any(), "the copy's layers have come loose"


@every_case
@pytest.mark.parametrize("spoil", ["shape", "rank", "dtype", "nan", "inf", "list", "string"])
def test_a_bad_upstream_gradient_is_refused(name, spoil):
    layer, inputs, dout = make(name)
    out = layer.forward(*inputs)
    if np.ndim(out) == 0:
        bad, error, wanted = {
            "shape": (np.ones(2), TypeError, "got an array of shape (2,)"),
            "rank": (np.ones((1, 1)), TypeError, "got an array of shape (1, 1)"),
            "dtype": (1j, TypeError, "got complex 1j"),
            "nan": (np.nan, ValueError, "got nan"),
            "inf": (np.inf, ValueError, "got inf"),
            "list": ([1.0], TypeError, "got list [1.0]"),
            "string": ("1", TypeError, "got str '1'"),
        }[spoil]
    else:
        bad, error, wanted = {
            "shape": (dout[1:], ValueError, f"must have shape {dout.shape}, got {dout[1:].shape}"),
            "rank": (
                dout[None],
                ValueError,
                f"must have shape {dout.shape}, got {(1, *dout.shape)}",
            ),
            "dtype": (
                dout.astype("f4"),
                TypeError,
                "dtype float64, the dtype of the layer's output",
            ),
            "nan": (np.full_like(dout, np.nan), ValueError, "must be finite, got nan at index [0"),
            "inf": (np.full_like(dout, np.inf), ValueError, "must be finite, got inf at index [0"),
            "list": (dout.tolist(), TypeError, "must be a numpy array, got list"),
            "string": ("1", TypeError, "must be a numpy array, got str '1'"),
        }[spoil]
    with refusal(error, "dout must ", wanted):
        layer.backward(bad)


@every_case
@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (TypeError, np.ndarray.tolist, "got list"),
        (TypeError, lambda x: x.astype(int), "got dtype int"),
        (TypeError, lambda x: x.astype(complex), "got dtype complex"),
        (ValueError, lambda x: x * np.nan, "must be finite, got nan at index [0"),
        (ValueError, lambda x: x * np.inf, "must be finite, got "),
    ],
)
def test_bad_input_is_refused_by_the_name_of_the_argument(name, error, spoil, wanted):
    layer, inputs, _ = make(name)
    for position, argument in enumerate(inspect.signature(layer.forward).parameters):
        if argument in differentiable(layer, inputs):
            bad = [spoil(x) if i == position else x for i, x in enumerate(inputs)]
            with refusal(error, f"{argument} must ", wanted):
                layer.forward(*bad)


# The nodes of a graph -----------------------------------------------------------------


def test_the_apple_shop():
    apples, tax = MulLayer(), MulLayer()
    price = tax.forward(apples.forward(100, 2), 1.1)
    assert price == pytest.approx(220)
    dapples, dtax = tax.backward(1)
    assert (*apples.backward(dapples), dtax) == pytest.approx((2.2, 110, 200))


def test_the_gradients_of_a_value_used_twice_add_up():
    x = np.array([-1.0, 2.0])
    relu, add = ReLU(), AddLayer()
    add.forward(relu.forward(x), x)
    dout = np.ones(2)
    through_relu, direct = add.backward(dout)
    np.testing.assert_array_equal(relu.backward(through_relu) + direct, [1, 2])
    np.testing.assert_array_equal(relu.backward(dout) + dout, [1, 2])


def test_relu_lets_nothing_through_at_zero():
    relu = ReLU()
    np.testing.assert_array_equal(relu.forward(np.array([-0.0, 0.0, 1e-300])), [0, 0, 1e-300])
    np.testing.assert_array_equal(relu.backward(np.ones(3)), [0, 0, 1])


@pytest.mark.parametrize("node", [MulLayer, AddLayer])
@pytest.mark.parametrize(
    ("error", "x", "y", "wanted"),
    [
        (TypeError, "2", 3, "x must be a finite number, got str '2'"),
        (TypeError, 2, None, "y must be a finite number, got NoneType None"),
        (ValueError, 2, np.inf, "y must be a finite number, got inf"),
        (ValueError, np.ones(3), np.ones((3, 1)), "y must have shape (3,), got (3, 1)"),
        (TypeError, np.ones(3), np.ones(3, "f4"), "y must have dtype float64, the dtype of x"),
        (TypeError, np.ones(3), 2.0, "y must be a numpy array, got float 2.0"),
        (ValueError, 2.0, np.ones(3), "y must have shape (), got (3,)"),
    ],
)
def test_a_node_refuses_inputs_that_would_be_broadcast(node, error, x, y, wanted):
    with refusal(error, wanted):
        node().forward(x, y)


@pytest.mark.parametrize("node", [MulLayer, AddLayer])
@pytest.mark.parametrize("bad", [np.nan, "1", np.ones(2)])
def test_a_node_of_numbers_refuses_a_bad_upstream_gradient(node, bad):
    node = node()
    node.forward(2, 3)
    with refusal((TypeError, ValueError), "dout must be a finite number, got "):
        node.backward(bad)


# Affine, Embedding, SoftmaxWithLoss ---------------------------------------------------


@pytest.mark.parametrize(
    ("error", "W", "b", "wanted"),
    [
        (ValueError, np.ones(3), np.ones(3), "W must have shape (D, H), got (3,)"),
        (ValueError, np.ones((3, 4)), np.ones(3), "b must have shape (4,), got (3,)"),
        (ValueError, np.ones((3, 4)), np.ones((1, 4)), "b must have shape (4,), got (1, 4)"),
        (TypeError, np.ones((3, 4)), np.ones(4, "f4"), "b must have dtype float64, the dtype of W"),
        (TypeError, np.ones((3, 4), int), np.ones(4), "W must hold float32 or float64"),
        (ValueError, np.full((3, 4), np.nan), np.ones(4), "W must be finite"),
    ],
)
def test_affine_refuses_bad_parameters(error, W, b, wanted):
    with refusal(error, wanted):
        Affine(W, b)


@pytest.mark.parametrize("shape", [(3,), (5, 4), (2, 5, 3)])
def test_affine_refuses_inputs_of_another_shape(shape):
    with refusal(ValueError, f"x must have shape (N, 3), got {shape}"):
        Affine(np.ones((3, 4)), np.ones(4)).forward(np.ones(shape))


def test_affine_refuses_inputs_of_another_dtype():
    with refusal(TypeError, "x must have dtype float32, the dtype of W, got float64"):
        Affine(np.ones((3, 4), "f4"), np.ones(4, "f4")).forward(np.ones((5, 3)))


def test_a_token_that_occurs_twice_collects_both_gradients():
    embedding = Embedding(np.zeros((3, 2)))
    embedding.forward(np.array([2, 0, 2]))
    embedding.backward(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    np.testing.assert_array_equal(embedding.grads["W"], [[3, 4], [0, 0], [6, 8]])


@pytest.mark.parametrize(
    ("error", "ids", "wanted"),
    [
        (ValueError, np.array([0, 5]), "ids must hold token ids in 0 .. 4, got 5 at index [1]"),
        (ValueError, np.array([-1]), "got -1 at index [0]"),
        (TypeError, np.array([1.0]), "ids must hold integer token ids, got dtype float64"),
        (TypeError, [1], "ids must be a numpy array of integer token ids, got list [1]"),
    ],
)
def test_embedding_refuses_what_is_not_in_its_table(error, ids, wanted):
    with refusal(error, wanted):
        Embedding(np.ones((5, 3))).forward(ids)


def test_embedding_refuses_a_table_of_another_rank():
    with refusal(ValueError, "W must have shape (V, D), got (3,)"):
        Embedding(np.ones(3))


@pytest.mark.parametrize(
    ("x", "dx"),
    [
        ([0.3, 0.2, 0.5], [0.3, -0.8, 0.5]),
        ([0.01, 0.99, 0.0], [0.01, -0.01, 0.0]),
    ],
)
def test_the_gradient_of_the_loss_is_the_probability_minus_the_truth(x, dx):
    layer = SoftmaxWithLoss()
    layer.forward(np.log(np.maximum(x, 1e-300)), np.array(1))
    np.testing.assert_allclose(layer.backward(), dx, atol=1e-15)


@both_floats
def test_the_loss_layer_survives_the_largest_scores(dtype):
    largest = np.finfo(dtype).max
    layer = SoftmaxWithLoss()
    x = np.array([[largest, -largest, 0], [-largest, largest, 0]], dtype)
    assert layer.forward(x, np.array([0, 1])) == 0
    np.testing.assert_array_equal(layer.backward(), np.zeros((2, 3)))
    assert layer.forward(x, np.array([2, 1])) == largest / 2
    np.testing.assert_array_equal(layer.backward(), [[0.5, 0, -0.5], [0, 0, 0]])


# Parameters ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["-=", "= -", "update"])
def test_every_way_of_writing_an_update_trains_the_layer(form):
    W, step = np.ones((2, 3)), np.full((2, 3), 0.25)
    layer = Affine(W, np.zeros(3))
    params = layer.params
    if form == "-=":
        params["W"] -= step
    elif form == "= -":
        params["W"] = params["W"] - step
    else:
        params.update({"W": params["W"] - step})
    assert params["W"] is W
    np.testing.assert_array_equal(layer.forward(np.ones((1, 2))), np.full((1, 3), 1.5))


@pytest.mark.parametrize(
    ("error", "name", "value", "wanted"),
    [
        (KeyError, "V", np.ones(3), "there is no parameter 'V', only 'W', 'b'"),
        (ValueError, "b", np.ones(2), "b must have shape (3,), got (2,)"),
        (ValueError, "b", np.ones((1, 3)), "b must have shape (3,), got (1, 3)"),
        (TypeError, "b", np.ones(3, "f4"), "b must have dtype float64, got float32"),
        (TypeError, "b", np.ones(3, int), "b must hold float32 or float64"),
        (TypeError, "b", 0.0, "b must be a numpy array, got float 0.0"),
        (ValueError, "b", np.full(3, np.nan), "b must be finite, got nan"),
    ],
)
def test_parameters_refuse_what_does_not_fit_and_stay_as_they_were(error, name, value, wanted):
    params = Parameters(W=np.ones((2, 3)), b=np.zeros(3))
    with refusal(error, wanted):
        params[name] = value
    assert_same(params, {"W": np.ones((2, 3)), "b": np.zeros(3)})


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.pop("b"),
        lambda p: p.popitem(),
        lambda p: p.clear(),
        lambda p: p.setdefault("V", np.ones(1)),
        lambda p: p.__delitem__("b"),
        lambda p: p.__ior__({"V": np.ones(1)}),
    ],
)
def test_the_names_of_parameters_are_fixed(change):
    params = Parameters(b=np.zeros(3))
    with refusal(TypeError, "the names of a layer's parameters are fixed"):
        change(params)
    assert list(params) == ["b"]
