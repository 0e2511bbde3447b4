"""Every layer, and every model, keeps the protocol; each is one row of `CASES`."""

import copy
import inspect
import pickle
from functools import partial

import numpy as np
import pytest
from helpers import FLOATS, floats_away_from_zero, needs_torch, read_only, refusal, torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rnnbook import (
    AddLayer,
    Affine,
    BinaryAdder,
    CharRNN,
    Embedding,
    GatedRnnlm,
    MulLayer,
    ReLU,
    Sigmoid,
    SimpleRnnlm,
    SoftmaxWithLoss,
    Tanh,
    TimeAffine,
    TimeEmbedding,
    TimeGRU,
    TimeLSTM,
    TimeRNN,
    TimeSoftmaxWithLoss,
    TwoLayerNet,
    check_gradients,
    layers,
    models,
    recurrent,
)
from rnnbook.cells import GRUCell, LSTMCell, RNNCell
from rnnbook.functions import cross_entropy, softmax
from rnnbook.layers import Parameters, RowGradient, SquaredError
from rnnbook.models import Network, Sequential
from rnnbook.recurrent import TimeTokenGRU, TimeTokenLSTM, TimeTokenRNN, Unrolled

IDS = np.array([[1, 4, 1, 0], [1, 2, 2, 0]])
NEXT_IDS = np.array([[4, 1, 0, 3], [2, 2, 0, 3]])
MASK = np.array([[True, True, True, False], [True, False, False, False]])
T = np.array([0, 3, 1, 1, 2])


def two_layer_net(a):
    net = TwoLayerNet(3, 6, 4, rng=np.random.default_rng(0), dtype=a(1).dtype)
    net.params.update(W1=a(3, 6), b1=a(6), W2=a(6, 4), b2=a(4))
    return net


def with_params(model, **params):
    model.params.update(params)
    return model


def binary_adder(a):
    net = BinaryAdder(5, rng=np.random.default_rng(0), bias=True, dtype=a(1).dtype)
    return with_params(net, Wx=a(2, 5), Wy=a(5, 1), Wh=a(5, 5), b=a(5), by=a(1))


def char_rnn(a):
    net = CharRNN(5, 3, rng=np.random.default_rng(0), dtype=a(1).dtype)
    return with_params(net, Wx=a(5, 3), Wh=a(3, 3), b=a(3), Wy=a(3, 5), by=a(5))


def simple_rnnlm(a):
    net = SimpleRnnlm(5, 3, 4, rng=np.random.default_rng(0), dtype=a(1).dtype)
    net.rnn.stateful = False  # every pass begins alike, as a numerical gradient needs it
    shapes = {name: param.shape for name, param in net.params.items()}
    return with_params(net, **{name: a(*shape) for name, shape in shapes.items()})


def gated_rnnlm(a, cell):
    net = GatedRnnlm(5, 3, 2, rng=np.random.default_rng(0), cell=cell, dtype=a(1).dtype)
    net.rnn.stateful = False
    shapes = {name: param.shape for name, param in net.params.items()}
    return with_params(net, **{name: a(*shape) for name, shape in shapes.items()})


def loss_of_scores(p, x, t):
    return torch.nn.functional.cross_entropy(x, t if t.ndim < x.ndim else t.to(x.dtype))


def loss_of_sequences(p, xs, ts, mask=None):
    ts = ts if ts.ndim == 2 else ts.argmax(dim=2)
    losses = torch.nn.functional.cross_entropy(xs.swapaxes(1, 2), ts, reduction="none")
    return losses.mean() if mask is None else losses[mask].mean()


def rnn_of(p, xs, h=None, f="tanh"):
    h, hs = torch.zeros(len(xs), len(p["Wh"]), dtype=xs.dtype) if h is None else h, []
    for t in range(xs.shape[1]):
        h = getattr(torch, f)(xs[:, t] @ p["Wx"] + h @ p["Wh"] + p["b"])
        hs.append(h)
    return torch.stack(hs, dim=1)


def torch_rnn(kind, p, xs, *state):
    """Run PyTorch's own layer with our parameters."""
    weights = {
        "weight_ih_l0": p["Wx"].T,
        "weight_hh_l0": p["Wh"].T,
        "bias_ih_l0": p["b"],
        "bias_hh_l0": torch.zeros_like(p["b"]),
    }
    if "bh" in p:
        weights["bias_hh_l0"] = torch.cat([torch.zeros(2 * len(p["bh"])), p["bh"]])
    layer = kind(len(p["Wx"]), len(p["Wh"]), batch_first=True, dtype=xs.dtype)
    state = tuple(h[None] for h in state)
    state = state if len(state) == 2 else (*state, None)[0]
    return torch.func.functional_call(layer, weights, (xs, state))


def lm_of(p, xs, ts):
    long = {"Wx": p["rnn.Wx"], "Wh": p["rnn.Wh"], "b": p["rnn.b"]}
    scores = rnn_of(long, p["embed.W"][xs]) @ p["affine.W"] + p["affine.b"]
    return loss_of_sequences(p, scores, ts)


def gated_lm_of(kind, p, xs, ts):
    rnn = {name[4:]: param for name, param in p.items() if name.startswith("rnn.")}
    scores = torch_rnn(kind, rnn, p["embed.W"][xs])[0] @ p["affine.W"] + p["affine.b"]
    return loss_of_sequences(p, scores, ts)


def char_rnn_of(p, xs, ts):
    one_hot = torch.nn.functional.one_hot(xs, len(p["Wx"])).to(p["Wx"].dtype)
    return loss_of_sequences(p, rnn_of(p, one_hot) @ p["Wy"] + p["by"], ts)


def adder_of(p, xs, ts):
    ys = torch.sigmoid(rnn_of(p, xs, f="sigmoid") @ p["Wy"] + p["by"])
    return ((ys - ts) ** 2).sum() / (2 * len(xs))


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
    "SquaredError": (
        lambda a: (SquaredError(), a(5, 3, 2), a(5, 3, 2)),
        lambda p, y, t: ((y - t) ** 2).sum() / 10,
    ),
    "TimeEmbedding": (lambda a: (TimeEmbedding(a(5, 3)), IDS), lambda p, ids: p["W"][ids]),
    "TimeAffine": (
        lambda a: (TimeAffine(a(3, 4), a(4)), a(5, 2, 3)),
        lambda p, xs: xs @ p["W"] + p["b"],
    ),
    "TimeSoftmaxWithLoss": (
        lambda a: (TimeSoftmaxWithLoss(), a(2, 4, 5), IDS),
        loss_of_sequences,
    ),
    "TimeSoftmaxWithLoss, one-hot": (
        lambda a: (TimeSoftmaxWithLoss(), a(2, 4, 5), np.eye(5, dtype=int)[IDS]),
        loss_of_sequences,
    ),
    "TimeSoftmaxWithLoss, masked": (
        lambda a: (TimeSoftmaxWithLoss(), a(2, 4, 5), IDS, MASK),
        loss_of_sequences,
    ),
    "RNNCell": (
        lambda a: (RNNCell(a(3, 4), a(4, 4), a(4)), a(5, 3), a(5, 4)),
        lambda p, x, h: torch_rnn(torch.nn.RNN, p, x[:, None], h)[0][:, 0],
    ),
    "RNNCell, sigmoid": (
        lambda a: (RNNCell(a(3, 4), a(4, 4), a(4), activation="sigmoid"), a(5, 3), a(5, 4)),
        lambda p, x, h: rnn_of(p, x[:, None], h, "sigmoid")[:, 0],
    ),
    "LSTMCell": (
        lambda a: (LSTMCell(a(3, 8), a(2, 8), a(8)), a(5, 3), a(5, 2), a(5, 2)),
        lambda p, x, h, c: tuple(s[0] for s in torch_rnn(torch.nn.LSTM, p, x[:, None], h, c)[1]),
    ),
    "GRUCell": (
        lambda a: (GRUCell(a(3, 6), a(2, 6), a(6), a(2)), a(5, 3), a(5, 2)),
        lambda p, x, h: torch_rnn(torch.nn.GRU, p, x[:, None], h)[0][:, 0],
    ),
    "Unrolled": (
        lambda a: (Unrolled(RNNCell(a(3, 4), a(4, 4), a(4))), a(5, 2, 3)),
        lambda p, xs: torch_rnn(torch.nn.RNN, p, xs)[0],
    ),
    "Unrolled, LSTM": (
        lambda a: (Unrolled(LSTMCell(a(3, 8), a(2, 8), a(8))), a(5, 4, 3)),
        lambda p, xs: torch_rnn(torch.nn.LSTM, p, xs)[0],
    ),
    "TimeRNN": (
        lambda a: (TimeRNN(a(3, 4), a(4, 4), a(4)), a(5, 2, 3)),
        lambda p, xs: torch_rnn(torch.nn.RNN, p, xs)[0],
    ),
    "TimeRNN, sigmoid": (
        lambda a: (TimeRNN(a(3, 4), a(4, 4), a(4), activation="sigmoid"), a(5, 2, 3)),
        lambda p, xs: rnn_of(p, xs, f="sigmoid"),
    ),
    "TimeLSTM": (
        lambda a: (TimeLSTM(a(3, 8), a(2, 8), a(8)), a(5, 4, 3)),
        lambda p, xs: torch_rnn(torch.nn.LSTM, p, xs)[0],
    ),
    "TimeGRU": (
        lambda a: (TimeGRU(a(3, 6), a(2, 6), a(6), a(2)), a(5, 4, 3)),
        lambda p, xs: torch_rnn(torch.nn.GRU, p, xs)[0],
    ),
    "TimeTokenRNN": (
        lambda a: (TimeTokenRNN(a(5, 3), a(3, 6), a(6, 6), a(6)), IDS),
        lambda p, ids: rnn_of(p, p["W"][ids]),
    ),
    "TimeTokenLSTM": (
        lambda a: (TimeTokenLSTM(a(5, 3), a(3, 24), a(6, 24), a(24)), IDS),
        lambda p, ids: torch_rnn(torch.nn.LSTM, p, p["W"][ids])[0],
    ),
    "TimeTokenGRU": (
        lambda a: (TimeTokenGRU(a(5, 3), a(3, 18), a(6, 18), a(18), a(6)), IDS),
        lambda p, ids: torch_rnn(torch.nn.GRU, p, p["W"][ids])[0],
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
    "BinaryAdder": (
        lambda a: (binary_adder(a), a(3, 4, 2), a(3, 4, 1)),
        adder_of,
    ),
    "CharRNN": (
        lambda a: (char_rnn(a), IDS, NEXT_IDS),
        char_rnn_of,
    ),
    "SimpleRnnlm": (lambda a: (simple_rnnlm(a), IDS, NEXT_IDS), lm_of),
    "GatedRnnlm, LSTM": (
        lambda a: (gated_rnnlm(a, "lstm"), IDS, NEXT_IDS),
        lambda p, xs, ts: gated_lm_of(torch.nn.LSTM, p, xs, ts),
    ),
    "GatedRnnlm, GRU": (
        lambda a: (gated_rnnlm(a, "gru"), IDS, NEXT_IDS),
        lambda p, xs, ts: gated_lm_of(torch.nn.GRU, p, xs, ts),
    ),
}
every_case = pytest.mark.parametrize("name", CASES)
every_upstream = pytest.mark.parametrize("upstream", ["random", 2.5])
both_floats = pytest.mark.parametrize("dtype", FLOATS)
RTOL = {np.float32: 1e-5, np.float64: 1e-13}


def make(name, dtype=np.float64, *, seed=0, upstream="random"):
    """Return a layer of `CASES`, its inputs and upstream gradients, one for each output."""
    rng = np.random.default_rng(seed)
    layer, *inputs = CASES[name][0](lambda *shape: floats_away_from_zero(rng, shape, dtype))
    douts = []
    for out in outputs(copy.deepcopy(layer), inputs):
        dout = floats_away_from_zero(rng, np.shape(out), dtype)
        if upstream != "random":
            dout = np.full_like(dout, upstream)
        douts.append(dout if dout.ndim else float(dout))
    return layer, inputs, douts


def outputs(layer, inputs):
    """Run `forward`; return the outputs, be it only one, as a tuple."""
    out = layer.forward(*inputs)
    return out if isinstance(out, tuple) else (out,)


def weighted_sum(layer, inputs, douts):
    """Return a number whose gradients are what `backward` makes of the upstream ones."""
    return sum(np.sum(out * dout) for out, dout in zip(outputs(layer, inputs), douts, strict=True))


def gradients(layer, inputs, douts):
    """Run `backward`; return all gradients, those of parameters and of inputs, by name."""
    dinputs = layer.backward(*douts)
    if not isinstance(dinputs, tuple):
        dinputs = () if dinputs is None else (dinputs,)
    wanted = differentiable(layer, inputs)
    return layer.grads | dict(zip(wanted, dinputs, strict=True))


def of_floats(layer, inputs):
    """Return the inputs that hold floats, by the names that `forward` gives them."""
    return {n: x for n, x in named(layer, inputs).items() if x.dtype.kind == "f"}


def differentiable(layer, inputs):
    """Return the inputs that have a derivative: those of floats, but for targets."""
    return {n: x for n, x in of_floats(layer, inputs).items() if n not in ("t", "ts")}


def named(layer, inputs):
    """Return the inputs by the names that `forward` gives them."""
    return dict(zip(inspect.signature(layer.forward).parameters, inputs, strict=False))


def arrays_in(thing):
    """Find every array that a layer holds, but for its gradients."""
    if isinstance(thing, np.ndarray):
        return [thing]
    if isinstance(thing, dict):
        thing = [value for key, value in thing.items() if key not in ("grads", "dh0", "dc0")]
    if isinstance(thing, (list, tuple)):
        return [array for part in thing for array in arrays_in(part)]
    return arrays_in(vars(thing)) if hasattr(thing, "__dict__") else []


def assert_same(actual, expected):
    """Compare dicts of arrays to the last bit."""
    assert list(actual) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, strict=True, err_msg=name)


def test_every_public_layer_has_a_case():
    promised = {*layers.__all__, *recurrent.__all__, *models.__all__}
    others = {"Layer", "Network", "LanguageModel", "Parameters", "Reading", "RowGradient"}
    others |= {"load_parameters", "save_parameters", "batch_first", "time_first"}
    others |= {"distinct", "probabilities_minus_truth", "sum_rows"}
    assert {name.split(",")[0] for name in CASES} == promised - others


@every_case
@both_floats
@every_upstream
def test_every_gradient_agrees_with_numerical_differentiation(name, dtype, upstream):
    layer, inputs, douts = make(name, dtype, upstream=upstream)
    layer.forward(*inputs)
    grads = gradients(layer, inputs, douts)
    arrays = layer.params | differentiable(layer, inputs)
    check_gradients(lambda: weighted_sum(layer, inputs, douts), arrays, grads)


@needs_torch
@every_case
@both_floats
@every_upstream
def test_output_and_every_gradient_equal_those_of_pytorch(name, dtype, upstream):
    layer, inputs, douts = make(name, dtype, upstream=upstream)
    outs = outputs(layer, inputs)
    grads = gradients(layer, inputs, douts)

    tensors = {
        key: torch.tensor(x, requires_grad=True)
        for key, x in (layer.params | differentiable(layer, inputs)).items()
    }
    arguments = [tensors.get(n, torch.tensor(x)) for n, x in named(layer, inputs).items()]
    oracle = CASES[name][1](tensors, *arguments)
    oracle = oracle if isinstance(oracle, tuple) else (oracle,)
    torch.autograd.backward(oracle, [torch.tensor(d, dtype=oracle[0].dtype) for d in douts])
    close = partial(np.testing.assert_allclose, rtol=RTOL[dtype], atol=RTOL[dtype])
    for out, theirs in zip(outs, oracle, strict=True):
        close(out, theirs.detach().numpy())
    assert set(grads) == set(tensors)
    for key, tensor in tensors.items():
        close(grads[key], tensor.grad.numpy(), err_msg=key)


@every_case
@both_floats
def test_the_dtype_follows_the_parameters(name, dtype):
    layer, inputs, douts = make(name, dtype)
    for out in outputs(layer, inputs):
        assert out.dtype == dtype
    for key, gradient in gradients(layer, inputs, douts).items():
        assert gradient.dtype == dtype, key


@every_case
def test_every_layer_has_parameters_of_one_kind_and_no_gradients_at_first(name):
    layer, *_ = make(name)
    assert type(layer.params) is layers.Parameters
    assert not any(np.any(grad) for grad in layer.grads.values())


@every_case
def test_backward_twice_gives_the_same_gradients(name):
    layer, inputs, douts = make(name)
    layer.forward(*inputs)
    first = gradients(layer, inputs, douts)
    kept = copy.deepcopy(first)
    assert_same(gradients(layer, inputs, douts), kept)
    assert_same(first, kept)


@every_case
def test_gradients_of_an_earlier_pass_stay_as_they_were(name):
    layer, inputs, douts = make(name)
    layer.forward(*inputs)
    earlier = gradients(layer, inputs, douts)
    kept = copy.deepcopy(earlier)
    _, others, other_douts = make(name, seed=1)
    layer.forward(*others)
    later = gradients(layer, others, other_douts)
    assert_same(earlier, kept)
    assert any((later[key] != kept[key]).any() for key in kept)


@every_case
def test_a_second_forward_replaces_what_was_kept(name):
    layer, inputs, _ = make(name)
    fresh = copy.deepcopy(layer)
    _, others, douts = make(name, seed=1)
    layer.forward(*inputs)
    for each in (layer, fresh):
        each.forward(*others)
    assert_same(gradients(layer, others, douts), gradients(fresh, others, douts))


@every_case
def test_nothing_is_written_into_inputs_or_upstream_gradient(name):
    layer, inputs, douts = make(name)
    kept = copy.deepcopy((inputs, douts))
    inputs = [read_only(x) for x in inputs]
    layer.forward(*inputs)
    douts = [read_only(x) if isinstance(x, np.ndarray) else x for x in douts]
    for key, gradient in gradients(layer, inputs, douts).items():
        assert not any(np.shares_memory(gradient, x) for x in douts), key
    for array, before in zip(arrays_in([inputs, douts]), arrays_in(kept), strict=True):
        np.testing.assert_array_equal(array, before)


@every_case
def test_backward_changes_nothing_that_forward_kept(name):
    layer, inputs, douts = make(name)
    layer.forward(*inputs)
    kept = copy.deepcopy(arrays_in(layer))
    layer.backward(*douts)
    for array, before in zip(arrays_in(layer), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@every_case
def test_backward_before_forward_is_refused(name):
    layer, _, douts = make(name)
    with refusal(RuntimeError, "backward needs a forward pass"):
        layer.backward(*douts)


@every_case
@pytest.mark.parametrize("through", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_computes_the_same_and_shares_nothing(name, through):
    layer, inputs, douts = make(name)
    twin = through(layer)
    for each in (layer, twin):
        each.forward(*inputs)
    assert_same(gradients(twin, inputs, douts), gradients(layer, inputs, douts))
    for key in twin.params:
        before = layer.params[key].copy()
        first = outputs(twin, inputs)
        twin.params[key] *= 1.5
        np.testing.assert_array_equal(layer.params[key], before)
        second = outputs(twin, inputs)
        assert any((p != q).any() for p, q in zip(first, second, strict=True)), "come loose"


def spoiled(dout, spoil):
    """Return an upstream gradient gone bad, the error it deserves, and what that should say."""
    if np.ndim(dout) == 0:
        return {
            "shape": (np.ones(2), TypeError, "got an array of shape (2,)"),
            "rank": (np.ones((1, 1)), TypeError, "got an array of shape (1, 1)"),
            "dtype": (1j, TypeError, "got complex 1j"),
            "nan": (np.nan, ValueError, "got nan"),
            "inf": (np.inf, ValueError, "got inf"),
            "list": ([1.0], TypeError, "got list [1.0]"),
            "string": ("1", TypeError, "got str '1'"),
        }[spoil]
    shapes = f"must have shape {dout.shape}, got "
    return {
        "shape": (dout[1:], ValueError, f"{shapes}{dout[1:].shape}"),
        "rank": (dout[None], ValueError, f"{shapes}{(1, *dout.shape)}"),
        "dtype": (dout.astype("f4"), TypeError, "dtype float64, the dtype of the layer's output"),
        "nan": (np.full_like(dout, np.nan), ValueError, "must be finite, got nan at index [0"),
        "inf": (np.full_like(dout, np.inf), ValueError, "must be finite, got inf at index [0"),
        "list": (dout.tolist(), TypeError, "must be a numpy array, got list"),
        "string": ("1", TypeError, "must be a numpy array, got str '1'"),
    }[spoil]


@every_case
@pytest.mark.parametrize("spoil", ["shape", "rank", "dtype", "nan", "inf", "list", "string"])
def test_a_bad_upstream_gradient_is_refused(name, spoil):
    layer, inputs, douts = make(name)
    layer.forward(*inputs)
    for position, argument in enumerate(inspect.signature(layer.backward).parameters):
        bad, error, wanted = spoiled(douts[position], spoil)
        with refusal(error, f"{argument} must ", wanted):
            layer.backward(*douts[:position], bad, *douts[position + 1 :])


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
    for position, argument in enumerate(named(layer, inputs)):
        if argument in of_floats(layer, inputs):
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
        (TypeError, [1.5], "ids must hold integer token ids, got float 1.5"),
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


# RowGradient --------------------------------------------------------------------------


def two_rows(dtype=np.float64):
    """Return the gradient of a table of five rows, of which 1 and 3 were used, and the whole."""
    rows = np.array([[1, 2, 3], [-4, 5, -6]], dtype)
    whole = np.zeros((5, 3), dtype)
    whole[[1, 3]] = rows
    return RowGradient(np.array([1, 3]), rows, (5, 3)), whole


@given(
    ids=hnp.arrays(st.sampled_from([np.int64, np.uint8, np.uint64, ">i4"]), st.integers(0, 20)),
    data=st.data(),
)
def test_the_rows_of_one_token_add_up_whatever_their_order(ids, data):
    ids = ids % ids.dtype.type(7)
    rows = data.draw(hnp.arrays(float, (len(ids), 2), elements=st.integers(-50, 50)))
    gradient = RowGradient.summed(read_only(ids), read_only(rows), (7, 2))
    whole = np.zeros((7, 2))
    np.add.at(whole, ids, rows)
    np.testing.assert_array_equal(gradient, whole)
    assert gradient.ids.tolist() == sorted(set(ids.tolist()))
    assert gradient.rows.shape == (len(gradient.ids), 2)


@both_floats
def test_a_row_gradient_reads_like_the_array_it_stands_for(dtype):
    gradient, whole = two_rows(dtype)
    assert (gradient.shape, gradient.ndim, len(gradient)) == ((5, 3), 2, 5)
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(np.asarray(gradient), whole, strict=True)
    assert np.asarray(gradient, np.float64).dtype == np.float64
    np.testing.assert_array_equal(gradient[3], whole[3])
    np.testing.assert_array_equal(gradient[1:4, ::2], whole[1:4, ::2])
    np.testing.assert_array_equal(list(gradient), list(whole))


@pytest.mark.parametrize(
    "compute",
    [
        lambda g, table: 0.5 * g,
        lambda g, table: -g,
        lambda g, table: table - 0.1 * g,
        lambda g, table: g + g,
        lambda g, table: g @ table.T,
        lambda g, table: g > 0,
        lambda g, table: np.abs(g).max(),
        lambda g, table: np.sum(g, axis=0),
        lambda g, table: np.linalg.norm(g),
        lambda g, table: np.subtract(table, g, out=table),
    ],
)
def test_arithmetic_with_a_row_gradient_is_that_with_the_whole(compute):
    gradient, whole = two_rows()
    table = np.arange(15.0).reshape(5, 3)
    np.testing.assert_array_equal(compute(gradient, table.copy()), compute(whole, table.copy()))


def test_a_table_can_be_stepped_in_place_by_its_row_gradient():
    gradient, whole = two_rows()
    table = same = np.ones((5, 3))
    table -= gradient
    assert table is same
    np.testing.assert_array_equal(table, 1 - whole)


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.__imul__(0.5),
        lambda g: np.multiply(g, 0.5, out=g),
        lambda g: np.multiply(np.ones((5, 3)), 0.5, out=g),
        lambda g: g.__setitem__(1, 0.0),
    ],
)
def test_a_row_gradient_is_not_written_to_like_an_array(change):
    gradient, whole = two_rows()
    with pytest.raises((TypeError, AttributeError)):
        change(gradient)
    np.testing.assert_array_equal(gradient, whole)


def test_a_row_gradient_becomes_an_array_by_copy_only():
    gradient, whole = two_rows()
    with refusal(ValueError, "a RowGradient cannot become an array without a copy"):
        np.asarray(gradient, copy=False)
    np.asarray(gradient)[:] = 7
    np.testing.assert_array_equal(gradient, whole)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_row_gradient_shares_nothing(through):
    gradient, whole = two_rows()
    twin = through(gradient)
    np.testing.assert_array_equal(twin, whole)
    twin.rows *= 2
    np.testing.assert_array_equal(gradient, whole)


def test_a_row_gradient_shows_its_rows_and_not_its_size():
    gradient = RowGradient(np.array([1, 3]), np.ones((2, 3)), (10**9, 3))
    assert repr(gradient) == "RowGradient of shape (1000000000, 3), not zero in rows [1, 3]"


@pytest.mark.parametrize(("layer", "shape"), [(Embedding, (0,)), (TimeEmbedding, (2, 0))])
def test_no_tokens_leave_no_gradient(layer, shape):
    embedding = layer(np.ones((5, 3)))
    assert embedding.forward(np.zeros(shape, int)).shape == (*shape, 3)
    embedding.backward(np.zeros((*shape, 3)))
    np.testing.assert_array_equal(embedding.grads["W"], np.zeros((5, 3)))


# SquaredError -------------------------------------------------------------------------


def test_half_the_squared_distance_is_averaged_over_the_batch_alone():
    y, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])
    layer = SquaredError()
    assert layer.forward(y, t) == (2**2 + 3**2 + 4**2) / (2 * 2)
    np.testing.assert_array_equal(layer.backward(), [[0, 1], [1.5, 2]])
    np.testing.assert_array_equal(layer.backward(-2), [[0, -2], [-3, -4]])


@pytest.mark.parametrize(
    ("error", "y", "t", "wanted"),
    [
        (ValueError, np.ones((3, 2)), np.ones((3, 1)), "t must have shape (3, 2), got (3, 1)"),
        (ValueError, np.ones((3, 1)), np.ones(3), "t must have shape (3, 1), got (3,)"),
        (ValueError, np.ones((3, 2)), np.array(1.0), "t must have shape (3, 2), got ()"),
        (TypeError, np.ones((3, 2)), np.ones((3, 2), "f4"), "t must have dtype float64, the dtype"),
        (TypeError, np.ones((3, 2)), np.ones((3, 2), bool), "t must hold float32 or float64"),
        (ValueError, np.array(1.0), np.array(1.0), "y must have shape (N, ...) and not be empty"),
        (ValueError, np.ones((0, 2)), np.ones((0, 2)), "and not be empty, got (0, 2)"),
        (ValueError, np.ones((2, 0)), np.ones((2, 0)), "and not be empty, got (2, 0)"),
    ],
)
def test_squared_error_refuses_what_it_would_have_to_broadcast(error, y, t, wanted):
    with refusal(error, wanted):
        SquaredError().forward(y, t)


# The layers for sequences -------------------------------------------------------------


@st.composite
def masked_sequences(draw):
    """Scores, true tokens and a mask that is True somewhere."""
    N, T, V = (draw(st.integers(1, 4)) for _ in range(3))
    xs = draw(hnp.arrays(float, (N, T, V), elements=st.floats(-20, 20)))
    ts = draw(hnp.arrays(int, (N, T), elements=st.integers(0, V - 1)))
    return xs, ts, draw(hnp.arrays(bool, (N, T)).filter(np.any))


@given(masked_sequences())
def test_a_masked_loss_is_the_mean_over_the_steps_that_count(drawn):
    xs, ts, mask = drawn
    layer = TimeSoftmaxWithLoss()
    loss = layer.forward(xs, ts, mask)
    assert loss == pytest.approx(cross_entropy(xs[mask], ts[mask]), rel=1e-12, abs=1e-15)
    dxs, alone = layer.backward(), SoftmaxWithLoss()
    alone.forward(xs[mask], ts[mask])
    np.testing.assert_allclose(dxs[mask], alone.backward(), rtol=1e-12, atol=1e-16)
    assert not dxs[~mask].any()


@given(masked_sequences())
def test_the_loss_layers_show_the_probabilities_that_they_found(drawn):
    xs, ts, mask = drawn
    over_time, layer = TimeSoftmaxWithLoss(), SoftmaxWithLoss()
    for arguments in ((), (mask,)):
        over_time.forward(xs, ts, *arguments)
        np.testing.assert_allclose(over_time.y, softmax(xs), rtol=1e-12)
    layer.forward(xs[0], ts[0])
    np.testing.assert_allclose(layer.y, softmax(xs[0]), rtol=1e-12)


@given(masked_sequences())
def test_what_stands_at_masked_steps_makes_no_difference(drawn):
    xs, ts, mask = drawn
    one_hot = np.eye(xs.shape[2])[ts]
    layer = TimeSoftmaxWithLoss()
    loss, dxs = layer.forward(xs, ts, mask), layer.backward()
    xs, ts = xs.copy(), ts.copy()
    xs[~mask], ts[~mask], one_hot[~mask] = 1e3, -99, np.nan
    for anything in (ts, one_hot):
        assert layer.forward(xs, read_only(anything), mask) == loss
        np.testing.assert_array_equal(layer.backward(), dxs)


def test_a_mask_that_is_true_everywhere_changes_no_bit():
    xs = floats_away_from_zero(np.random.default_rng(0), (2, 4, 5))
    layer = TimeSoftmaxWithLoss()
    loss, dxs = layer.forward(xs, IDS), layer.backward()
    assert layer.forward(xs, IDS, np.ones((2, 4), bool)) == loss
    np.testing.assert_array_equal(layer.backward(), dxs)


SCORES = np.ones((2, 4, 5))
TIME_LAYERS = {
    "TimeAffine": (lambda: TimeAffine(np.ones((3, 4)), np.ones(4)), (np.ones((5, 2, 3)),)),
    "TimeEmbedding": (lambda: TimeEmbedding(np.ones((5, 3))), (IDS,)),
    "TimeSoftmaxWithLoss": (TimeSoftmaxWithLoss, (SCORES, IDS, MASK)),
}


@pytest.mark.parametrize(
    ("name", "error", "inputs", "wanted"),
    [
        ("TimeAffine", ValueError, (np.ones(3),), "xs must have shape (N, T, 3), got (3,)"),
        ("TimeAffine", ValueError, (np.ones((5, 3)),), "xs must have shape (N, T, 3), got (5, 3)"),
        ("TimeAffine", ValueError, (np.ones((5, 2, 1)),), "(N, T, 3), got (5, 2, 1)"),
        ("TimeAffine", ValueError, (np.array(1.0),), "xs must have shape (N, T, 3), got ()"),
        ("TimeAffine", TypeError, (np.ones((5, 2, 3), "f4"),), "dtype float64, the dtype of W"),
        ("TimeAffine", TypeError, ([[1.0], [1.0, 2.0]],), "xs must be a numpy array, got list"),
        ("TimeEmbedding", ValueError, (IDS[0],), "ids must have shape (N, T), got (4,)"),
        ("TimeEmbedding", ValueError, (np.array(0),), "ids must have shape (N, T), got ()"),
        ("TimeEmbedding", ValueError, (IDS - 1,), "token ids in 0 .. 4, got -1 at index [0, 3]"),
        ("TimeEmbedding", ValueError, (IDS + 1,), "token ids in 0 .. 4, got 5 at index [0, 1]"),
        ("TimeEmbedding", TypeError, (IDS > 1,), "ids must hold integer token ids, got dtype bool"),
        ("TimeEmbedding", TypeError, (IDS * 1.0,), "ids must hold integer token ids, got dtype"),
        ("TimeEmbedding", ValueError, ([1],), "ids must have shape (N, T), got (1,)"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES[0], IDS[0]), "xs must have shape (N, T, V)"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES[:, :0], IDS[:, :0]), "xs must not be empty"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES[..., :0], IDS), "xs must not be empty, got"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES, IDS.T), "ts must hold integer labels"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES, IDS + 1), "ts must hold labels in 0 .. 4"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES, IDS, MASK.T), "mask must have shape (2, 4)"),
        ("TimeSoftmaxWithLoss", TypeError, (SCORES, IDS, IDS), "mask must be a numpy array"),
        ("TimeSoftmaxWithLoss", ValueError, (SCORES, IDS, IDS > 9), "mask must be True somewhere"),
    ],
)
def test_sequences_that_do_not_fit_are_refused_and_leave_the_last_pass_as_it_was(
    name, error, inputs, wanted
):
    new, good = TIME_LAYERS[name]
    layer, other = new(), new()
    dout = np.ones_like(layer.forward(*good))
    other.forward(*good)
    with refusal(error, wanted):
        layer.forward(*inputs)
    dout = dout if dout.ndim else 1.0
    np.testing.assert_equal(layer.backward(dout), other.backward(dout))
    assert_same(layer.grads, other.grads)


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
    ("error", "bad", "wanted"),
    [
        (KeyError, {"V": np.ones(3)}, "there is no parameter 'V'"),
        (ValueError, {"b": np.ones(2)}, "b must have shape (3,), got (2,)"),
        (ValueError, {"b": np.full(3, np.inf)}, "b must be finite"),
    ],
)
def test_an_update_with_one_value_that_does_not_fit_writes_none(error, bad, wanted):
    params = Parameters(W=np.ones((2, 3)), b=np.zeros(3))
    with refusal(error, wanted):
        params.update(W=np.zeros((2, 3)), **bad)
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


def test_parameters_can_be_exchanged_and_written_all_or_none():
    params = Parameters(a=np.ones(3), b=np.zeros(3))
    params.update(a=params["b"], b=params["a"])
    assert_same(params, {"a": np.zeros(3), "b": np.ones(3)})
    fixed = Parameters(a=np.ones(3), b=read_only(np.zeros(3)))
    with refusal(ValueError, "the parameter 'b' must be writeable"):
        fixed.update(a=np.zeros(3), b=np.ones(3))
    assert_same(fixed, {"a": np.ones(3), "b": np.zeros(3)})


@pytest.mark.parametrize("name", CASES)
def test_the_parameters_of_a_layer_cannot_be_replaced(name):
    layer, _, _ = make(name, np.float64)
    for change in (lambda: setattr(layer, "params", {}), lambda: delattr(layer, "params")):
        with pytest.raises(AttributeError):
            change()


@pytest.mark.parametrize("name", [name for name in CASES if "," not in name])
@pytest.mark.parametrize("N", [1, 3])
def test_what_went_in_and_came_out_may_be_overwritten_before_the_way_back(name, N):
    layer, inputs, _ = make(name, np.float64)
    other, _, _ = make(name, np.float64)
    inputs = [a[:N].copy() if np.ndim(a) else a for a in inputs]
    douts = [np.ones_like(out) if np.ndim(out) else 1.0 for out in outputs(other, inputs)]
    expected = arrays_of(other.backward(*douts), other.grads)
    for array in (*inputs, *outputs(layer, inputs)):
        if isinstance(array, np.ndarray):
            array[...] = 0
    np.testing.assert_equal(arrays_of(layer.backward(*douts), layer.grads), expected)


def arrays_of(back, grads):
    return back, {name: np.asarray(grad) for name, grad in grads.items()}


@pytest.mark.parametrize("build", [lambda W: Affine(W, W[0]), lambda W: TimeAffine(W, W[:, 0][:2])])
def test_parameters_of_one_layer_that_share_memory_are_refused(build):
    with refusal(ValueError, "parameters must share no memory, got 'W' and 'b'"):
        build(np.ones((2, 2)))


def test_a_pass_whose_numbers_grow_too_large_is_refused_without_a_warning():
    layer = Affine(np.full((2, 2), 1e200), np.zeros(2))
    with refusal(ValueError, "the arguments of Affine.forward must be small enough"):
        layer.forward(np.full((1, 2), 1e200))


def test_a_parameter_that_is_not_finite_is_named():
    layers = Sequential(a=TimeAffine(np.ones((2, 2)), np.zeros(2)))
    layers.params["a.W"][1, 0] = np.nan
    model = Network(layers, TimeSoftmaxWithLoss())
    with refusal(ValueError, "params['a.W'] must be finite, got nan at index [1, 0]"):
        model.forward(np.ones((1, 1, 2)), np.zeros((1, 1), int))
