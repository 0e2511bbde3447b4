"""R networks at once come out as R networks one after the other."""

import copy
import subprocess
import sys

import numpy as np
import pytest
from helpers import FLOATS, refusal

from rnnbook import (
    SGD,
    Adam,
    BinaryAdder,
    CharRNN,
    GatedRnnlm,
    GRUCell,
    LSTMCell,
    RNNCell,
    SimpleRnnlm,
    TimeAffine,
    TimeGRU,
    TimeLSTM,
    TimeRNN,
    TimeSoftmaxWithLoss,
    TwoLayerNet,
    check_gradients,
    clip_gradients,
    truncated_bptt_batches,
)
from rnnbook.data import binary_addition
from rnnbook.functions import sigmoid
from rnnbook.network import Network, Sequential
from rnnbook.side_by_side import (
    LogisticLosses,
    Networks,
    SoftmaxLosses,
    SquaredLosses,
    blocks,
    random_cuts,
)
from rnnbook.training import fit

R, T, N, D, H, V = 3, 6, 4, 2, 5, 7  # all different
KINDS = ("tanh", "sigmoid", "lstm", "gru")
LAYERS = {"tanh": TimeRNN, "sigmoid": TimeRNN, "lstm": TimeLSTM, "gru": TimeGRU}
GATES = {"tanh": 1, "sigmoid": 1, "lstm": 4, "gru": 3}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_truncation = pytest.mark.parametrize(
    "truncations", [(None,) * R, (3,) * R, (1, 2, T + 9), (2, None, 4)], ids=str
)


def generator(seed=0):
    return np.random.default_rng(seed)


def network(kind, seed, truncation=None, dtype=np.float64, outputs=V):
    """One network of a kind: a recurrent layer and scores."""
    rng, G = generator(seed), GATES[kind]
    shapes = [(D, G * H), (H, G * H), (G * H,)] + [(H,)] * (kind == "gru")
    weights = [rng.standard_normal(shape).astype(dtype) / 2 for shape in shapes]
    options = {"activation": kind} if G == 1 else {}
    W, b = rng.standard_normal((H, outputs)).astype(dtype), rng.standard_normal(outputs)
    return Sequential(
        rnn=LAYERS[kind](*weights, truncation=truncation, **options),
        top=TimeAffine(W, b.astype(dtype)),
    )


def batches(count=20, dtype=np.float64):
    """Batches in the layout of many networks, each network with its own."""
    rng = generator(9)
    return [
        (rng.standard_normal((T, R, N, D)).astype(dtype), rng.integers(V, size=(T, R, N)))
        for _ in range(count)
    ]


def of(r, array):
    """Network r's part of (T, R or 1, N, ...), batch first as a network alone wants it."""
    return array[:, min(r, array.shape[1] - 1)].swapaxes(0, 1)


def with_loss(layers):
    """One network with the mean softmax loss."""
    return Network(layers, TimeSoftmaxWithLoss())


def close(one, other, tolerance=1e-12):
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


# Equal, network by network ----------------------------------------------------------------


@every_kind
@every_truncation
@pytest.mark.parametrize("optimiser", [SGD, Adam])
def test_training_them_at_once_is_training_them_one_after_the_other(kind, truncations, optimiser):
    models = [with_loss(network(kind, seed, k)) for seed, k in enumerate(truncations)]
    nets, lrs = Networks(models), np.array([0.3, 0.01, 0.1])
    losses = fit(nets, optimiser(lrs), batches())
    assert losses.shape == (20, R)
    for r, model in enumerate(models):
        alone = [(of(r, xs), of(r, ts)) for xs, ts in batches()]
        close(losses[:, r], fit(model, optimiser(float(lrs[r])), alone))
        for name, W in nets.one(r).items():
            close(W, model.params[name])


@every_kind
@every_truncation
def test_every_gradient_is_that_of_nudging_or_of_the_network_alone(kind, truncations):
    models = [with_loss(network(kind, seed, k)) for seed, k in enumerate(truncations)]
    nets, (xs, ts) = Networks(models), batches(1)[0]
    nets.rnn.first = False  # else nobody wants dL/dxs
    nets.forward(xs, ts)
    dxs = nets.layers.backward(nets.loss_layer.backward())
    for r, model in enumerate(models):
        model.forward(of(r, xs), of(r, ts))
        close(of(r, dxs), model.backward())
        for name, grad in model.grads.items():
            close(nets.grads[name][r].reshape(grad.shape), grad)
        for name in model.layers.layers["rnn"].NAMES:
            dstate = getattr(nets.rnn, f"d{name}0")
            close(dstate[r], getattr(model.layers.layers["rnn"], f"d{name}0"))
    if truncations[0] is None:
        check_gradients(lambda: nets.forward(xs, ts).sum(), nets.params, nets.grads)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@every_truncation
def test_language_models_read_the_same_text_each_with_its_own_state(cell, truncations):
    def model(seed, truncation):
        options = {"rng": generator(seed), "truncation": truncation, "dtype": np.float64}
        made = SimpleRnnlm(V, D, H, **options)
        if cell != "rnn":
            made = GatedRnnlm(V, D, H, cell=cell, **options)
        made.rnn.stateful = seed != 1  # one of them forgets
        return made

    text = generator(2).integers(V, size=90)
    models = [model(seed, k) for seed, k in enumerate(truncations)]
    nets, lr, norms = Networks(models), 0.5, np.array([0.05, 100.0, 0.2])
    alone = list(truncated_bptt_batches(text, N, T, batches=12))
    shared = [(xs.T[:, None], ts.T[:, None]) for xs, ts in alone]  # (T, 1, N)
    losses, before = fit(nets, SGD(lr), shared, max_norm=norms), nets.rnn.h.copy()
    judged = nets.evaluate(text)
    for r, model in enumerate(models):
        close(losses[:, r], fit(model, SGD(lr), alone, max_norm=norms[r]))
        close(judged[r], model.evaluate(text))
        for name, W in nets.one(r).items():
            close(W, model.params[name])
    np.testing.assert_array_equal(nets.rnn.h, before)
    nets.forward(*shared[0])
    (model := models[0]).forward(*alone[0])
    close(nets.rnn.h[0], model.rnn.h)  # evaluating has moved nothing on


def test_a_long_text_is_judged_in_parts():
    models = [SimpleRnnlm(V, D, H, rng=generator(seed), dtype=np.float64) for seed in range(R)]
    text = generator(1).integers(V, size=1400)
    close(Networks(models).evaluate(text), [model.evaluate(text) for model in models])


@pytest.mark.parametrize("bias", [True, False])
def test_adders_learn_side_by_side(bias):
    rng = generator(3)
    adders = [
        BinaryAdder(H, rng=generator(seed), bias=bias, truncation=k)
        for seed, k in enumerate((None, 2, 1))
    ]
    nets, pairs = Networks(adders), rng.integers(100, size=(10, R, 2, N))
    assert set(nets.params) == set(adders[0].params)
    many = []
    for each in pairs:  # (R, 2, N)
        parts = [binary_addition(a, b) for a, b in each]
        many.append([np.stack(part).transpose(2, 0, 1, 3) for part in zip(*parts, strict=True)])
    losses = fit(nets, SGD(1.0), many)
    for r, adder in enumerate(adders):
        close(losses[:, r], fit(adder, SGD(1.0), [binary_addition(*each[r]) for each in pairs]))
        for name, W in nets.one(r).items():
            close(W, adder.params[name])
        close(of(r, nets.predict(many[0][0])), adder.predict(of(r, many[0][0])))


def test_ids_stand_for_one_hot_rows():
    models = [CharRNN(V, H, rng=generator(seed)) for seed in range(R)]
    nets, rng = Networks(models), generator(1)
    xs, ts = rng.integers(V, size=(2, T, 1, N))
    losses = fit(nets, Adam(0.02), [(xs, ts)] * 20)
    for r, model in enumerate(models):
        close(losses[:, r], fit(model, Adam(0.02), [(xs[:, 0].T, ts[:, 0].T)] * 20))


def test_layers_below_the_recurrent_one_learn_too():
    rng = generator(8)
    W, b = rng.standard_normal((R, D, D)), rng.standard_normal((R, D))
    parts = [network("gru", seed).layers for seed in range(R)]
    models = [
        with_loss(Sequential(below=TimeAffine(W[r], b[r]), **part)) for r, part in enumerate(parts)
    ]
    nets = Networks(models)
    losses = fit(nets, SGD(0.1), batches(5))
    for r, model in enumerate(models):
        alone = [(of(r, xs), of(r, ts)) for xs, ts in batches(5)]
        close(losses[:, r], fit(model, SGD(0.1), alone))


@every_kind
def test_inputs_for_all_are_the_same_inputs_for_each(kind):
    nets = Networks([with_loss(network(kind, seed)) for seed in range(R)])
    xs, ts = (part[:, :1] for part in batches(1)[0])
    one = nets.forward(xs, ts)
    nets.backward()
    grads = copy.deepcopy(nets.grads)
    tiled = [np.repeat(part, R, axis=1) for part in (xs, ts)]
    close(one, nets.forward(*tiled))
    nets.backward()
    for name, grad in nets.grads.items():
        close(grad, grads[name])


# What is cut ------------------------------------------------------------------------------

CELLS = {"tanh": RNNCell, "sigmoid": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


def by_cells(kind, layer, xs, dhs, links):
    """The gradients of one layer, cell by cell; links (T - 1,) multiply what passes between."""
    options = {"activation": kind} if GATES[kind] == 1 else {}
    cells, state = [], [np.zeros((N, H)) for _ in layer.NAMES]
    for x in xs:
        cells.append(CELLS[kind](*layer.params.values(), **options))
        state = cells[-1].forward(x, *state)
        state = state if isinstance(state, tuple) else (state,)
    grads = dict.fromkeys(layer.params, 0.0)
    dstate = [np.zeros((N, H)) for _ in layer.NAMES]
    for t in reversed(range(T)):
        dstate[0] = dstate[0] + dhs[t]
        _, *dstate = cells[t].backward(*dstate)
        dstate = [part * links[t - 1] for part in dstate] if t else dstate
        grads = {name: grads[name] + grad for name, grad in cells[t].grads.items()}
    return grads


def links_tried():
    drawn = generator(5).random((T - 1, R))
    return {
        "blocks of 4": (blocks(4), np.array([1, 1, 1, 0, 1])[:, None] * np.ones(R)),
        "blocks of 1, 2, 9": (
            blocks([1, 2, 9]),
            np.array([[0, 1, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 1, 1]]),
        ),
        "any factors": (lambda steps, count: drawn, drawn),
        "random": (random_cuts(0.5, generator(7)), (generator(7).random((R, T - 1)) < 0.5).T / 0.5),
    }


@every_kind
@pytest.mark.parametrize("name", links_tried())
def test_links_multiply_what_passes_from_step_to_step(kind, name):
    models, (links, factors) = [network(kind, seed) for seed in range(R)], links_tried()[name]
    nets, (xs, ts) = Networks(models, SoftmaxLosses()), batches(1)[0]
    assert nets.links is None
    nets.links = links
    assert nets.links is links
    nets.forward(xs, ts)
    nets.backward()
    dhs = nets.layers.layers["top"].backward(nets.loss_layer.backward())
    for r, model in enumerate(models):
        alone = by_cells(kind, model.layers["rnn"], xs[:, r], dhs[:, r], factors[:, r])
        for key, grad in alone.items():
            close(nets.grads[f"rnn.{key}"][r].reshape(grad.shape), grad)


def test_random_cuts_are_drawn_anew_and_right_on_average():
    nets, (xs, ts) = Networks([network("tanh", 0)], SoftmaxLosses()), batches(1)[0]
    xs, ts = xs[:, :1], ts[:, :1]
    nets.forward(xs, ts)
    nets.backward()
    full, drawn = nets.grads["rnn.Wh"], []
    nets.links = random_cuts(0.7, generator(1))
    for _ in range(2000):
        nets.backward()
        drawn.append(nets.grads["rnn.Wh"])
    spread = np.std(drawn, axis=0) / np.sqrt(2000)
    assert spread.max() > 0
    assert (np.abs(np.mean(drawn, axis=0) - full) < 5 * spread + 1e-12).all()


def test_blocks_of_a_sequence_are_pieces_that_hand_on_the_state_alone():
    layer, (xs, _) = network("lstm", 0).layers["rnn"], batches(1)[0]
    layer.stateful = True
    dhs, total = generator(2).standard_normal((N, T, H)), 0.0
    for piece in (slice(0, 4), slice(4, 6)):
        layer.forward(of(0, xs)[:, piece])
        layer.backward(dhs[:, piece])
        total = total + layer.grads["Wh"]
    nets = Networks([network("lstm", 0)], SoftmaxLosses())
    nets.links = blocks(4)
    nets.predict(xs[:, :1])
    nets.rnn.backward(dhs.swapaxes(0, 1)[:, None])
    close(nets.rnn.grads["Wh"][0], total)


# Losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("losses", "outputs", "targets"),
    [
        (SoftmaxLosses, V, lambda rng: rng.integers(V, size=(T, R, N))),
        (LogisticLosses, 1, lambda rng: rng.integers(2, size=(T, R, N, 1))),
        (SquaredLosses, V, lambda rng: rng.standard_normal((T, R, N, V))),
    ],
)
@pytest.mark.parametrize("shape", [None, (T, 1, 1), (R, 1), (T, R, N)], ids=str)
def test_losses_weigh_each_prediction_and_have_its_gradient(losses, outputs, targets, shape, dtype):
    rng = generator(4)
    weights = None if shape is None else rng.random(shape)
    scores, ts = rng.standard_normal((T, R, N, outputs)), targets(rng)
    layer = losses(weights)
    if losses is SquaredLosses:
        ts = ts.astype(dtype)
    found = layer.forward(scores.astype(dtype), ts)
    assert found.shape == (R,)
    assert found.dtype == dtype
    gradient = layer.backward(2.0)
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, layer.backward(2.0))
    nudge = rng.standard_normal(scores.shape)
    ahead, behind = (losses(weights) for _ in range(2))
    ts = ts.astype(float) if losses is SquaredLosses else ts
    slope = ahead.forward(scores + 1e-6 * nudge, ts) - behind.forward(scores - 1e-6 * nudge, ts)
    expected = (gradient * nudge).sum(axis=(0, 2, 3)) / 2
    np.testing.assert_allclose(slope / 2e-6, expected, rtol=1e-3 if dtype == np.float32 else 1e-7)


def test_losses_are_what_their_equations_say():
    rng = generator(4)
    scores, bits = rng.standard_normal((T, R, N, 1)), rng.integers(2, size=(T, R, N, 1))
    y = sigmoid(scores)
    expected = -np.log(np.where(bits == 1, y, 1 - y)).mean(axis=(0, 2, 3))
    close(LogisticLosses().forward(scores, bits), expected)
    ts = rng.standard_normal((T, 1, N, 1))
    close(SquaredLosses().forward(scores, ts), ((scores - ts) ** 2).sum((0, 2, 3)) / 2 / N)
    close(SquaredLosses(1.0).forward(scores, ts), ((scores - ts) ** 2).sum((0, 2, 3)) / 2)


# Each keeps to itself ---------------------------------------------------------------------


def test_the_networks_are_copied_and_one_takes_a_copy_home():
    models = [CharRNN(V, H, rng=generator(seed)) for seed in range(R)]
    before = copy.deepcopy([model.params for model in models])
    nets = Networks(models)
    assert len(nets) == R
    fit(nets, SGD(0.5), [(np.ones((T, 1, N), int),) * 2] * 2)
    for model, params in zip(models, before, strict=True):
        for name, W in model.params.items():
            np.testing.assert_array_equal(W, params[name])
    one = nets.one(2)
    models[2].params.update(one)
    one["Wh"][...] = 0
    assert nets.params["Wh"][2].any()
    assert models[2].params["b"].shape == (H,)


def test_states_are_those_of_each_network_from_the_beginning_on():
    models, (xs, _) = [network("gru", seed) for seed in range(R)], batches(1)[0]
    nets = Networks(models, SoftmaxLosses())
    nets.predict(xs)
    states = nets.states
    assert states.shape == (T + 1, R, N, H)
    assert not states[0].any()
    for r, model in enumerate(models):
        close(of(r, states[1:]), model.layers["rnn"].forward(of(r, xs)))
    states[...] = 0  # what is kept stays out of reach
    assert nets.states[1:].all()


@every_kind
def test_a_trace_has_time_first_and_is_that_of_each_network(kind):
    models, (xs, _) = [network(kind, seed) for seed in range(R)], batches(1)[0]
    nets = Networks(models, SoftmaxLosses())
    nets.predict(xs)
    for r, model in enumerate(models):
        model.forward(of(r, xs))
        for many, alone in zip(nets.rnn.trace(), model.layers["rnn"].trace(), strict=True):
            assert list(many) == list(alone)
            for name, part in alone.items():
                close(of(r, many[name]), part)


@every_kind
def test_backward_may_be_called_twice_and_writes_into_nothing(kind):
    nets = Networks([network(kind, seed) for seed in range(R)], SoftmaxLosses())
    xs, ts = batches(1)[0]
    xs.setflags(write=False)
    nets.forward(xs, ts)
    nets.backward()
    first = copy.deepcopy(nets.grads)
    nets.backward()
    for name, grad in nets.grads.items():
        np.testing.assert_array_equal(grad, first[name])


@every_kind
def test_single_precision_stays_single(kind):
    nets = Networks([network(kind, seed, dtype=np.float32) for seed in range(R)], SoftmaxLosses())
    nets.links = random_cuts(0.5, generator(0))
    losses = fit(nets, Adam(np.array([0.1, 0.2, 0.3])), batches(3, np.float32))
    assert losses.dtype == np.float64
    for name, grad in nets.grads.items():
        assert grad.dtype == nets.params[name].dtype == np.float32


def test_a_layer_that_all_networks_share_stands_between_them():
    class Dropout:
        params, grads = {}, {}

        def forward(self, hs):
            self.mask = np.array([0.0, 1.0, 2.0])[:, None, None]
            return hs * self.mask

        def backward(self, dout):
            return dout * self.mask

    shared, parts = Dropout(), [network("tanh", seed).layers for seed in range(R)]
    models = [Sequential(rnn=p["rnn"], drop=shared, top=p["top"]) for p in parts]
    nets, (xs, ts) = Networks(models, SoftmaxLosses()), batches(1)[0]
    nets.forward(xs, ts)
    nets.backward()
    assert [bool(g.any()) for g in nets.grads["rnn.Wh"]] == [False, True, True]


@pytest.mark.parametrize("clipped", [np.array([0.1, 1e3, 0.5]), 0.3])
def test_each_network_is_clipped_by_itself(clipped):
    nets, (xs, ts) = Networks([network("tanh", s) for s in range(R)], SoftmaxLosses()), batches()[0]
    nets.forward(xs, ts)
    nets.backward()
    alone = [{name: g[r].copy() for name, g in nets.grads.items()} for r in range(R)]
    lengths = clip_gradients(nets.grads, np.broadcast_to(clipped, R))
    for r, grads in enumerate(alone):
        close(lengths[r], clip_gradients(grads, float(np.broadcast_to(clipped, R)[r])))
        for name, grad in grads.items():
            np.testing.assert_array_equal(nets.grads[name][r], grad)


FAULTS = """
import resource
import numpy as np
from rnnbook import SGD, TimeAffine, TimeLSTM
from rnnbook.network import Sequential
from rnnbook.side_by_side import LogisticLosses, Networks
from rnnbook.training import fit

rnn = TimeLSTM(np.zeros((1, 24)), np.zeros((6, 24)), np.zeros(24), truncation=3)
model = Sequential(rnn=rnn, top=TimeAffine(np.zeros((6, 1)), np.zeros(1)))
nets, batch = Networks([model] * 25, LogisticLosses()), (np.zeros((16, 1, 8, 1)),) * 2
fit(nets, SGD(0.1), [batch] * 10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fit(nets, SGD(0.1), [batch] * 10)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


if sys.platform == "linux":  # which counts pages so

    def test_memory_is_asked_for_once_and_not_at_each_update():
        run = subprocess.run(
            [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
        )
        assert int(run.stdout) < 500  # the arrays of one update fill about as many pages


# What is refused --------------------------------------------------------------------------


def some_networks(count=R, **options):
    return Networks([network("tanh", seed, **options) for seed in range(count)], SoftmaxLosses())


@pytest.mark.parametrize(
    ("error", "networks", "message"),
    [
        (TypeError, [], "networks must be a list of networks, at least one, got"),
        (TypeError, "abc", "networks must be a list of networks, at least one, got"),
        (TypeError, [3], "networks[0] must be a Network or Sequential, got"),
        (
            ValueError,
            [CharRNN(4, 3, rng=generator()), BinaryAdder(3, rng=generator())],
            "networks must be alike, got a CharRNN with the layers ['rnn', 'scores'], and as",
        ),
        (
            ValueError,
            [CharRNN(4, 3, rng=generator()), CharRNN(4, 2, rng=generator())],
            "the layers rnn must be of one kind, shape and dtype",
        ),
        (
            ValueError,
            [network("tanh", 0), network("sigmoid", 0)],
            "the layers rnn must be of one kind, shape and dtype",
        ),
        (
            ValueError,
            [network("tanh", 0), network("tanh", 0, dtype=np.float32)],
            "the layers rnn must be of one kind, shape and dtype",
        ),
        (
            TypeError,
            [TwoLayerNet(4, 3, 2, rng=generator())],
            "the layers hidden must be recurrent, TimeAffine or an activation, or one and the",
        ),
        (
            ValueError,
            [Sequential(top=network("tanh", 0).layers["top"])],
            "networks must have one recurrent layer, got 0",
        ),
    ],
)
def test_networks_that_are_not_alike_are_refused(error, networks, message):
    with pytest.raises(error) as caught:
        Networks(networks, SoftmaxLosses())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("error", "xs", "message"),
    [
        (ValueError, np.ones((T, 2, N, D)), f"xs must have R = {R} or 1 as its second axis, got"),
        (ValueError, np.ones((T, R, N, D + 1)), "xs must have shape (T, R, N, 2), got"),
        (ValueError, np.ones((0, R, N, D)), "xs must hold at least one step of one sequence, got"),
        (ValueError, np.full((T, R, N, D), np.nan), "xs must be finite, got nan"),
        (TypeError, np.ones((T, R, N, D), np.float32), "xs must have dtype float64"),
        (ValueError, np.ones((T, R, N, D), int), "xs must have shape (T, R, N), got"),
    ],
)
def test_bad_inputs_are_refused(error, xs, message):
    with pytest.raises(error) as caught:
        some_networks().predict(xs)
    assert str(caught.value).startswith(message)


def test_a_batch_of_another_size_is_refused_while_states_are_kept():
    models = [SimpleRnnlm(V, D, H, rng=generator(seed)) for seed in range(R)]
    nets = Networks(models)
    nets.predict(np.zeros((T, 1, N), int))
    with refusal(ValueError, f"xs must have N = {N}, the batch size of the states that the layers"):
        nets.predict(np.zeros((T, 1, N + 1), int))
    nets.reset_state()
    nets.predict(np.zeros((T, 1, N + 1), int))


@pytest.mark.parametrize(
    ("error", "ts", "message"),
    [
        (ValueError, np.zeros((T, 2, N), int), f"ts must be an array of shape {(T, R, N)} or"),
        (TypeError, None, "ts must be a numpy array, got NoneType None"),
        (ValueError, np.full((T, R, N), V), "ts must hold class ids in 0 .. 6"),
        (TypeError, np.zeros((T, R, N)), "ts must hold integer class ids"),
    ],
)
def test_bad_targets_are_refused(error, ts, message):
    with pytest.raises(error) as caught:
        SoftmaxLosses().forward(np.zeros((T, R, N, V)), ts)
    assert str(caught.value).startswith(message)


def test_bits_are_bits_and_outputs_have_targets_of_their_kind():
    scores = np.zeros((T, R, N, 1))
    for ts in (np.full((T, R, N, 1), 2), np.zeros((T, R, N), int)):
        with refusal(ValueError, "ts must hold bits, 0 or 1, one for each score"):
            LogisticLosses().forward(scores, ts)
    with refusal(TypeError, "ts must have dtype float64, the dtype of ys, got float32"):
        SquaredLosses().forward(scores, np.zeros((T, R, N, 1), np.float32))


def test_weights_and_links_fit_or_are_refused():
    scores, ts = np.zeros((T, R, N, V)), np.zeros((T, R, N), int)
    for weights in (np.ones(T), np.ones((T, R)), np.ones((1, T, R, N)), np.ones((T, R, N + 1))):
        with refusal(ValueError, f"weights must broadcast to {(T, R, N)}, got shape"):
            SoftmaxLosses(weights).forward(scores, ts)
    with refusal(ValueError, "weights must be finite, got nan"):
        SoftmaxLosses(np.array([np.nan]))
    with refusal(TypeError, "weights must be a finite number, got str"):
        SoftmaxLosses("1")
    nets = some_networks()
    nets.forward(*batches(1)[0])
    for shape in ((T - 1,), (T, R), (T - 1, R + 1), (1, R)):
        nets.links = lambda steps, count, shape=shape: np.ones(shape)
        with refusal(ValueError, f"links must return factors of shape {(T - 1, R)} or"):
            nets.backward()


def test_other_mistakes_are_named():
    nets = some_networks()
    with refusal(RuntimeError, "needs a forward pass"):
        nets.backward()
    with refusal(TypeError, "links must be a function of T and R, for example blocks(5), or None"):
        nets.links = 5
    with refusal(ValueError, "links must be None where a truncation is set"):
        some_networks(truncation=2).links = blocks(2)
    with refusal(ValueError, "r must be an integer"):
        nets.one(R)
    with refusal(ValueError, "k must be an integer >= 1, got 0"):
        blocks([2, 0])
    with refusal(ValueError, "p must be at most 1, got 1.5"):
        random_cuts(1.5, generator())
    with refusal(ValueError, "lr must be a number, or hold one for each of R networks"):
        fit(nets, SGD(np.ones(R + 1)), batches(1))
    with refusal(ValueError, "max_norm must be a number, or hold one for each of R networks"):
        fit(some_networks(), SGD(0.1), batches(1), max_norm=np.ones(R + 1))
    models = [SimpleRnnlm(V, D, H, rng=generator(seed)) for seed in range(R)]
    with refusal(ValueError, "tokens must hold at least two tokens, got 1"):
        Networks(models).evaluate(np.zeros(1, int))
    with refusal(ValueError, "tokens must hold token ids in 0 .. 6"):
        Networks(models).evaluate(np.full(9, V))


def test_networks_with_a_loss_of_their_own_want_one_for_all():
    class OwnLoss(TimeSoftmaxWithLoss):
        """A loss that there is no stacked one for."""

    alone = [
        Network(CharRNN(4, 3, rng=np.random.default_rng(seed)).layers, OwnLoss())
        for seed in range(2)
    ]
    with refusal(TypeError, "loss_layer must be a layer, with forward, backward", "got NoneType"):
        Networks(alone)
    assert len(Networks(alone, SoftmaxLosses())) == 2
