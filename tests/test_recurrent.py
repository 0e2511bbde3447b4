"""The fast recurrent layers equal their definition, and PyTorch, in every argument.

That they keep the protocol of layers is held by test_layers.py.
"""

import copy
import tracemalloc

import numpy as np
import pytest
from helpers import FLOATS, needs_torch, refusal, torch
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import SGD, TimeEmbedding, TimeGRU, TimeLSTM, TimeRNN, check_gradients
from rnnbook.cells import GRUCell, LSTMCell, RNNCell
from rnnbook.layers import RowGradient
from rnnbook.recurrent import TimeTokenGRU, TimeTokenLSTM, TimeTokenRNN, Unrolled

# Name: the fused layer, its cell, the name of PyTorch's cell, the number of gates.
KINDS = {
    "RNN": (TimeRNN, RNNCell, "RNNCell", 1),
    "LSTM": (TimeLSTM, LSTMCell, "LSTMCell", 4),
    "GRU": (TimeGRU, GRUCell, "GRUCell", 3),
}
OF_TOKENS = {"RNN": TimeTokenRNN, "LSTM": TimeTokenLSTM, "GRU": TimeTokenGRU}
every_kind = pytest.mark.parametrize("kind", KINDS)
both_paths = pytest.mark.parametrize("path", ["fused", "unrolled"])
SHAPES = [(3, 7, 4, 5), (1, 6, 2, 3), (4, 1, 3, 2), (1, 1, 2, 3), (2, 5, 1, 1)]  # N, T, D, H
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "N{} T{} D{} H{}".format(*s))


class Case:
    """Weights, inputs, a state and upstream gradients for one kind of layer."""

    def __init__(self, kind, shape, *, seed=0, dtype=np.float64, scale=1.0):
        self.Layer, self.Cell, self.torch_cell, G = KINDS[kind]
        self.N, self.T, self.D, self.H = N, T, D, H = shape
        rng = np.random.default_rng(seed)

        def normal(*size, fan_in=1):
            return (scale * rng.standard_normal(size) / np.sqrt(fan_in)).astype(dtype)

        self.params = {
            "Wx": normal(D, G * H, fan_in=D),
            "Wh": normal(H, G * H, fan_in=H),
            "b": normal(G * H),
        }
        if kind == "GRU":
            self.params["bh"] = normal(H)
        self.xs, self.dhs = normal(N, T, D), normal(N, T, H)
        self.state = [normal(N, H) for _ in self.Cell.NAMES]

    def layer(self, path="fused", **options):
        if path == "fused":
            return self.Layer(**self.params, **options)
        return Unrolled(self.Cell(**self.params), **options)


def run(layer, case, *, state=True):
    """Pass forward and back; return every result by name."""
    if state:
        layer.set_state(*case.state)
    results = {"hs": layer.forward(case.xs)}
    results["dxs"] = layer.backward(case.dhs)
    results |= layer.grads
    for name in case.Cell.NAMES:
        results |= {name: getattr(layer, name), f"d{name}0": getattr(layer, f"d{name}0")}
    return copy.deepcopy(results)


def run_torch(case, *, window=None, block=None):
    """Let PyTorch differentiate the same: its cell, its autograd, cut where asked.

    With a window k the loss at step t is computed from a state k steps earlier that has
    been detached. With blocks the state is detached wherever a block begins.
    """
    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in case.params.items()}
    xs = torch.tensor(case.xs, requires_grad=True)
    begin = [torch.tensor(h, requires_grad=True) for h in case.state]
    bh = torch.zeros_like(tensors["b"])
    if "bh" in tensors:
        bh = torch.cat([torch.zeros(2 * case.H, dtype=xs.dtype), tensors["bh"]])
    weights = {
        "weight_ih": tensors["Wx"].T,
        "weight_hh": tensors["Wh"].T,
        "bias_ih": tensors["b"],
        "bias_hh": bh,
    }
    cell = getattr(torch.nn, case.torch_cell)(case.D, case.H, dtype=xs.dtype)

    def step(t, state):
        state = tuple(state) if len(state) == 2 else state[0]
        new = torch.func.functional_call(cell, weights, (xs[:, t], state))
        return list(new) if isinstance(new, tuple) else [new]

    states, loss = [begin], 0.0
    for t in range(case.T):
        state = states[-1]
        if block is not None and t > 0 and t % block == 0:
            state = [h.detach() for h in state]
        states.append(step(t, state))
    for t in range(case.T):
        state = states[t + 1]
        if window is not None:
            first = max(t - window + 1, 0)
            state = states[first] if first == 0 else [h.detach() for h in states[first]]
            for s in range(first, t + 1):
                state = step(s, state)
        loss = loss + (state[0] * torch.tensor(case.dhs[:, t])).sum()
    loss.backward()
    results = {"hs": torch.stack([h[0] for h in states[1:]], dim=1), "dxs": xs.grad}
    results |= {name: tensor.grad for name, tensor in tensors.items()}
    for i, name in enumerate(case.Cell.NAMES):
        results |= {name: states[-1][i], f"d{name}0": begin[i].grad}
    return {name: tensor.detach().numpy() for name, tensor in results.items()}


def assert_close(results, expected, tolerance=1e-9):
    """Compare every result; the tolerance counts from the largest entry of each array."""
    assert results.keys() == expected.keys()
    for name, array in expected.items():
        assert results[name].shape == array.shape, name
        assert results[name].dtype == array.dtype, name
        error = np.abs(results[name] - array).max()
        assert error <= tolerance * max(np.abs(array).max(), 1), name


# One truth ------------------------------------------------------------------------------


@needs_torch
@every_kind
@both_paths
@every_shape
@pytest.mark.parametrize("truncation", [None, 1, 2, 3, 6, 7, 9])
def test_everything_equals_pytorch(kind, path, shape, truncation):
    case = Case(kind, shape)
    results = run(case.layer(path, truncation=truncation), case)
    assert_close(results, run_torch(case, window=truncation), 1e-13)


@needs_torch
@every_kind
@both_paths
@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_a_stateful_layer_cuts_into_blocks_like_pytorch(kind, path, block):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path, stateful=True)
    layer.set_state(*case.state)
    whole = dict.fromkeys(case.params, 0) | {"hs": [], "dxs": []}
    for start in range(0, case.T, block):
        chunk = slice(start, start + block)
        whole["hs"].append(layer.forward(case.xs[:, chunk]))
        whole["dxs"].append(layer.backward(case.dhs[:, chunk]))
        for name, grad in layer.grads.items():
            whole[name] = whole[name] + grad
        if start == 0:
            whole |= {f"d{name}0": getattr(layer, f"d{name}0") for name in case.Cell.NAMES}
    whole |= {name: getattr(layer, name) for name in case.Cell.NAMES}
    for name in ("hs", "dxs"):
        whole[name] = np.concatenate(whole[name], axis=1)
    assert_close(whole, run_torch(case, block=block), 1e-13)


@pytest.mark.parametrize("kind", KINDS)
@given(
    shape=st.tuples(*[st.integers(1, 6)] * 4),
    truncation=st.none() | st.integers(1, 8),
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
)
def test_the_fused_path_equals_the_unrolled_one(kind, shape, truncation, seed, scale):
    case = Case(kind, shape, seed=seed, scale=scale)
    fused = run(case.layer(truncation=truncation), case)
    unrolled = run(case.layer("unrolled", truncation=truncation), case)
    assert_close(fused, unrolled, 1e-12)


@every_kind
@both_paths
@pytest.mark.parametrize("truncation", [None, 2])
def test_a_second_pass_and_a_second_backward_change_nothing(kind, path, truncation):
    case, other = Case(kind, SHAPES[0]), Case(kind, (2, 4, 4, 5), seed=1)
    layer = case.layer(path, truncation=truncation)
    first = run(layer, case)
    run(layer, other)
    second = run(layer, case)
    layer.backward(case.dhs)
    third = run(layer, case)
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)
        np.testing.assert_array_equal(third[name], array, err_msg=name)


@every_kind
@pytest.mark.parametrize("truncation", [None, 2])
def test_float32_follows_float64(kind, truncation):
    wide, narrow = (Case(kind, SHAPES[0], dtype=dtype) for dtype in (np.float64, np.float32))
    expected = run(wide.layer(truncation=truncation), wide)
    results = run(narrow.layer(truncation=truncation), narrow)
    assert {x.dtype for x in results.values()} == {np.dtype(np.float32)}
    assert_close({name: x.astype(float) for name, x in results.items()}, expected, 1e-5)


@needs_torch
@every_kind
@pytest.mark.parametrize("dtype", FLOATS)
def test_long_sequences_gather_no_error(kind, dtype):
    case = Case(kind, (2, 2000, 3, 5), dtype=dtype, scale=0.5)
    exact = Case(kind, (2, 2000, 3, 5), scale=0.5)
    if dtype == np.float32:  # the same numbers in both
        for name, param in case.params.items():
            exact.params[name] = param.astype(float)
        exact.xs, exact.dhs = case.xs.astype(float), case.dhs.astype(float)
        exact.state = [h.astype(float) for h in case.state]
    results = run(case.layer(), case)
    expected = run_torch(exact)
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    assert_close({name: x.astype(float) for name, x in results.items()}, expected, tolerance)
    early, late = (
        np.abs(results["hs"][:, part] - expected["hs"][:, part]).max()
        for part in (slice(1000), slice(1000, None))
    )
    assert late <= 3 * early


@every_kind
@pytest.mark.parametrize("truncation", [None, 1, 3])
def test_memory_grows_with_the_length_and_no_faster(kind, truncation):
    def peak(T):
        case = Case(kind, (4, T, 8, 16), dtype=np.float32)
        layer = case.layer(truncation=truncation)
        layer.forward(case.xs)
        tracemalloc.start()
        layer.forward(case.xs)
        layer.backward(case.dhs)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    short, middle, long = peak(200), peak(400), peak(800)
    assert long - middle == pytest.approx(2 * (middle - short), rel=0.05)


# Truncation -----------------------------------------------------------------------------


@every_kind
@both_paths
@pytest.mark.parametrize("truncation", [1, 2, 3, 5])
def test_the_window_ends_where_it_should(kind, path, truncation):
    case = Case(kind, (2, 6, 3, 4))
    case.dhs[:, :5] = 0  # only the last step has a loss
    layer = case.layer(path, truncation=truncation)
    results = run(layer, case)
    reached = np.abs(results["dxs"]).max(axis=(0, 2)) > 0
    np.testing.assert_array_equal(reached, np.arange(6) >= 6 - truncation)
    assert not layer.dh0.any()


@every_kind
@both_paths
def test_truncation_never_touches_the_state(kind, path):
    case = Case(kind, SHAPES[0])
    full, cut = (run(case.layer(path, truncation=k), case) for k in (None, 1))
    for name in ("hs", *case.Cell.NAMES):
        np.testing.assert_array_equal(cut[name], full[name])
    assert (cut["Wh"] != full["Wh"]).any()


@every_kind
@both_paths
@pytest.mark.parametrize("truncation", [0, -1, 1.5, 2.0, "2", True])
def test_a_bad_truncation_is_refused(kind, path, truncation):
    with refusal((TypeError, ValueError), "truncation must be an integer >= 1, got "):
        Case(kind, SHAPES[0]).layer(path, truncation=truncation)
    layer = Case(kind, SHAPES[0]).layer(path, truncation=3)
    with refusal((TypeError, ValueError), "truncation must be an integer >= 1, got "):
        layer.truncation = truncation
    assert layer.truncation == 3


# The state ------------------------------------------------------------------------------


@every_kind
@both_paths
def test_the_state_is_kept_exactly_from_chunk_to_chunk(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path, stateful=True)
    for start, stop in ((0, 2), (2, 3), (3, 7)):
        fresh = case.layer(path)
        if start:
            fresh.set_state(*(getattr(layer, name) for name in case.Cell.NAMES))
        hs = layer.forward(case.xs[:, start:stop])
        np.testing.assert_array_equal(hs, fresh.forward(case.xs[:, start:stop]))
        np.testing.assert_array_equal(layer.h, hs[:, -1])
    assert np.abs(hs - case.layer(path).forward(case.xs)[:, 3:]).max() < 1e-14


@every_kind
@both_paths
def test_a_layer_without_state_begins_alike_each_time(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path)
    first = layer.forward(case.xs)
    np.testing.assert_array_equal(layer.forward(case.xs), first)
    layer.set_state(*case.state)
    from_there = layer.forward(case.xs)
    assert (from_there != first).any()
    np.testing.assert_array_equal(layer.forward(case.xs), from_there)
    layer.reset_state()
    assert layer.h is None
    np.testing.assert_array_equal(layer.forward(case.xs), first)


@every_kind
@both_paths
def test_reset_makes_a_stateful_layer_forget(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path, stateful=True)
    first = layer.forward(case.xs)
    assert (layer.forward(case.xs) != first).any()
    layer.reset_state()
    np.testing.assert_array_equal(layer.forward(case.xs), first)


@every_kind
@both_paths
def test_the_state_shares_no_memory_with_what_others_hold(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path, stateful=True)
    layer.set_state(*case.state)
    expected = copy.deepcopy(layer).forward(case.xs)
    for array in case.state:
        array += 1
    layer.h += 1
    hs = layer.forward(case.xs)
    np.testing.assert_array_equal(hs, expected)
    expected = copy.deepcopy(layer).forward(case.xs)
    hs += 1
    layer.h += 1
    np.testing.assert_array_equal(layer.forward(case.xs), expected)


@every_kind
@both_paths
def test_the_gradient_of_the_first_state_agrees_with_numerical_differentiation(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path)

    def loss():
        layer.set_state(*case.state)
        return np.sum(layer.forward(case.xs) * case.dhs)

    loss()
    layer.backward(case.dhs)
    names = [f"d{name}0" for name in case.Cell.NAMES]
    params = dict(zip(names, case.state, strict=True))
    check_gradients(loss, params, {name: getattr(layer, name) for name in names})


@every_kind
@both_paths
def test_another_batch_size_mid_stream_is_refused_and_nothing_changes(kind, path):
    case = Case(kind, SHAPES[0])
    layer, twin = (case.layer(path, stateful=True) for _ in range(2))
    for each in (layer, twin):
        each.forward(case.xs)
    with refusal(ValueError, "xs must have N = 3, the batch size of the state", "(2, 7, 4)"):
        layer.forward(case.xs[:2])
    np.testing.assert_array_equal(layer.backward(case.dhs), twin.backward(case.dhs))
    np.testing.assert_array_equal(layer.forward(case.xs), twin.forward(case.xs))
    layer.reset_state()
    assert layer.forward(case.xs[:2]).shape == (2, 7, 5)


@every_kind
@both_paths
@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (ValueError, lambda xs: xs[0], "xs must have shape (N, T, 4), got (7, 4)"),
        (ValueError, lambda xs: xs[:, :, 1:], "xs must have shape (N, T, 4), got (3, 7, 3)"),
        (ValueError, lambda xs: xs[:, :0], "xs must hold at least one step of one sequence"),
        (ValueError, lambda xs: xs[:0], "xs must "),
        (TypeError, lambda xs: xs.astype("f4"), "xs must have dtype float64, the dtype of Wx"),
        (ValueError, lambda xs: np.where(xs == xs[2, 1, 3], np.nan, xs), "index [2, 1, 3]"),
    ],
)
def test_bad_inputs_are_refused_and_nothing_changes(kind, path, error, spoil, wanted):
    case = Case(kind, SHAPES[0])
    layer, twin = (case.layer(path, stateful=True) for _ in range(2))
    for each in (layer, twin):
        each.set_state(*case.state)
        each.forward(case.xs)
    with refusal(error, wanted):
        layer.forward(spoil(case.xs))
    np.testing.assert_array_equal(layer.backward(case.dhs), twin.backward(case.dhs))
    np.testing.assert_array_equal(layer.forward(case.xs), twin.forward(case.xs))


@every_kind
@both_paths
@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (ValueError, lambda h: h[0], "h must have shape (N, 5), got (5,)"),
        (ValueError, lambda h: h[:, 1:], "h must have shape (3, 5), got (3, 4)"),
        (TypeError, lambda h: h.astype("f4"), "h must have dtype float64, the dtype of Wh"),
        (TypeError, lambda h: h.tolist(), "h must be a numpy array, got list"),
        (TypeError, lambda h: None, "h must be a numpy array, got NoneType None"),
        (ValueError, lambda h: h * np.inf, "h must be finite"),
        (TypeError, lambda h: np.ma.masked_array(h), "h must be a numpy array, got MaskedArray"),
    ],
)
def test_a_bad_state_is_refused_and_nothing_changes(kind, path, error, spoil, wanted):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path)
    layer.set_state(*case.state)
    expected = layer.forward(case.xs)
    with refusal(error, wanted):
        layer.set_state(spoil(case.state[0]), *case.state[1:])
    np.testing.assert_array_equal(layer.forward(case.xs), expected)


def test_a_state_with_too_few_or_too_many_parts_is_refused():
    h = np.zeros((3, 5))
    with refusal(TypeError, "the state of this layer must be h and c, got h"):
        Case("LSTM", SHAPES[0]).layer().set_state(h)
    with refusal(TypeError, "the state of this layer must be h, got h and c"):
        Case("GRU", SHAPES[0]).layer().set_state(h, h)
    with refusal(ValueError, "h must hold the state of at least one sequence, got (0, 5)"):
        Case("RNN", SHAPES[0]).layer().set_state(h[:0])
    with refusal(ValueError, "c must have shape (3, 5), got (2, 5)"):
        Case("LSTM", SHAPES[0]).layer().set_state(h, h[:2])


# Weights and options --------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("what", ["layer", "cell"])
@pytest.mark.parametrize(
    ("error", "name", "spoil", "wanted"),
    [
        (ValueError, "Wx", lambda W: W[0], "Wx must have shape (D, "),
        (ValueError, "Wx", lambda W: W[:0], "Wx must have shape (D, "),
        (ValueError, "Wx", lambda W: W[:, :0], "Wx must have shape (D, "),
        (TypeError, "Wx", lambda W: W.astype(int), "Wx must hold float32 or float64"),
        (ValueError, "Wh", lambda W: W[1:], "Wh must have shape (5, "),
        (ValueError, "Wh", lambda W: W[:, 1:], "Wh must have shape (5, "),
        (TypeError, "Wh", lambda W: W.astype("f4"), "Wh must have dtype float64, the dtype of Wx"),
        (ValueError, "Wh", lambda W: W * np.nan, "Wh must be finite"),
        (ValueError, "b", lambda b: b[1:], "b must have shape ("),
        (ValueError, "b", lambda b: b[None], "b must have shape ("),
        (TypeError, "b", lambda b: 0.0, "b must be a numpy array, got float 0.0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(kind, what, error, name, spoil, wanted):
    case = Case(kind, SHAPES[0])
    params = case.params | {name: spoil(case.params[name])}
    with refusal(error, wanted):
        (case.Layer if what == "layer" else case.Cell)(**params)


def test_columns_that_cannot_be_shared_out_among_the_gates_are_refused():
    with refusal(ValueError, "Wx must have shape (D, 4H) and not be empty, got (3, 6)"):
        LSTMCell(np.ones((3, 6)), np.ones((2, 6)), np.ones(6))
    with refusal(ValueError, "bh must have shape (2,), got (6,)"):
        TimeGRU(np.ones((3, 6)), np.ones((2, 6)), np.ones(6), np.ones(6))


def test_bad_options_are_refused():
    weights = Case("RNN", SHAPES[0]).params
    with refusal(ValueError, "activation must be one of ['tanh', 'sigmoid'], got 'relu'"):
        TimeRNN(**weights, activation="relu")
    with refusal(ValueError, "activation must be one of ['tanh', 'sigmoid'], got ['tanh']"):
        TimeRNN(**weights, activation=["tanh"])
    with refusal(TypeError, "stateful must be True or False, got int 1"):
        TimeRNN(**weights, stateful=1)
    with refusal(TypeError, "stateful must be True or False, got str 'no'"):
        TimeRNN(**weights).stateful = "no"
    with refusal(TypeError, "cell must make a single step, got a TimeRNN"):
        Unrolled(TimeRNN(**weights))
    with refusal(TypeError, "cell must be a cell, with forward, backward, params, NAMES; got "):
        Unrolled(RNNCell)


@every_kind
@both_paths
def test_training_the_arrays_trains_the_layer(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path)
    before = layer.forward(case.xs)
    layer.backward(case.dhs)
    SGD(0.1).update(layer.params, layer.grads)
    after = layer.forward(case.xs)
    assert (after != before).any()
    np.testing.assert_array_equal(after, case.layer(path).forward(case.xs))  # the same arrays


# Tokens ---------------------------------------------------------------------------------


def ends(layer):
    """Return the state that a layer ended in, and the gradient of the one it began in."""
    parts = {name: getattr(layer, name) for name in layer.NAMES}
    return parts | {f"d{name}0": getattr(layer, f"d{name}0") for name in layer.NAMES}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("truncation", [None, 1, 3])
@pytest.mark.parametrize("V", [1, 4, 90])
@every_kind
def test_a_token_layer_equals_embedding_and_recurrent_layer(kind, V, truncation, dtype):
    case = Case(kind, (3, 7, 4, 5), dtype=dtype)
    rng = np.random.default_rng(1)
    W, ids = rng.standard_normal((V, 4)).astype(dtype), rng.integers(V, size=(3, 7))
    embed, rnn = TimeEmbedding(W), case.layer(truncation=truncation)
    fused = OF_TOKENS[kind](W, **case.params, truncation=truncation)
    for layer in (rnn, fused):
        layer.set_state(*case.state)
    expected = {"hs": rnn.forward(embed.forward(ids))}
    embed.backward(rnn.backward(case.dhs))
    expected |= {"W": np.asarray(embed.grads["W"]), **rnn.grads, **ends(rnn)}
    results = {"hs": fused.forward(ids)}
    assert fused.backward(case.dhs) is None
    assert isinstance(fused.grads["W"], RowGradient)
    results |= fused.grads | {"W": np.asarray(fused.grads["W"]), **ends(fused)}
    assert_close(results, expected, 1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize(
    ("error", "spoil", "wanted"),
    [
        (ValueError, lambda ids: ids + 1, "xs must hold token ids in 0 .. 3, got 4"),
        (ValueError, lambda ids: ids - 1, "xs must hold token ids in 0 .. 3, got -1"),
        (ValueError, lambda ids: ids[0], "xs must have shape (N, T), got "),
        (TypeError, lambda ids: ids * 1.0, "xs must hold integer token ids, got dtype float64"),
        (TypeError, lambda ids: None, "xs must be a list or numpy array of integer token ids"),
        (ValueError, lambda ids: ids[:, :0], "xs must hold at least one step of one sequence"),
    ],
)
def test_the_token_layer_refuses_bad_ids(error, spoil, wanted):
    case = Case("RNN", SHAPES[0])
    layer = TimeTokenRNN(np.ones((4, 4)), **case.params)
    with refusal(error, wanted):
        layer.forward(spoil(np.array([[0, 3, 1], [2, 2, 0]])))
    with refusal(ValueError, "W must have shape (V, 4), got (4, 3)"):
        TimeTokenRNN(np.ones((4, 3)), **case.params)
    with refusal(ValueError, "W must hold at least one token, got shape (0, 4)"):
        TimeTokenRNN(np.ones((0, 4)), **case.params)


@every_kind
@both_paths
def test_writing_into_the_output_does_not_reach_the_gradients(kind, path):
    case = Case(kind, SHAPES[0])
    layer, twin = case.layer(path), case.layer(path)
    twin.forward(case.xs)
    hs = layer.forward(case.xs)
    hs *= 0.5
    np.testing.assert_array_equal(layer.backward(case.dhs), twin.backward(case.dhs))
    np.testing.assert_array_equal(layer.grads["Wh"], twin.grads["Wh"])


def test_a_large_vocabulary_costs_no_memory_in_the_update():
    case = Case("RNN", (3, 7, 4, 5))
    W = np.zeros((100_000, 4))
    layer, ids = TimeTokenRNN(W, **case.params), np.arange(21).reshape(3, 7)
    tracemalloc.start()
    layer.forward(ids)
    layer.backward(case.dhs)
    SGD(0.1).update(layer.params, layer.grads)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert W[:21].all()
    assert not W[21:].any()
    assert peak < W.nbytes / 10


@every_kind
@both_paths
def test_an_upstream_gradient_that_does_not_fit_is_refused_by_its_name(kind, path):
    case = Case(kind, SHAPES[0])
    layer = case.layer(path)
    layer.forward(case.xs)
    with refusal(ValueError, f"dhs must have shape {case.dhs.shape}, got "):
        layer.backward(case.dhs[:, 1:])
    with refusal(TypeError, "dhs must have dtype float64, the dtype of the layer's output"):
        layer.backward(case.dhs.astype(np.float32))
