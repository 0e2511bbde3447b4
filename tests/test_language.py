"""A language model reads, writes on, and judges a text, and its stream goes on."""

import copy
import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from helpers import FLOATS, needs_torch, read_only, refusal, torch
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import (
    SGD,
    Adam,
    CharRNN,
    GatedRnnlm,
    SimpleRnnlm,
    check_gradients,
    language,
    truncated_bptt_batches,
)
from rnnbook.functions import softmax
from rnnbook.training import fit

both_floats = pytest.mark.parametrize("dtype", FLOATS)


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
    (ValueError, [[1, 4, 1], [0]], IDS, "xs must hold token ids in rows of one length, got list"),
    (TypeError, IDS, None, "ts must be a list or numpy array of integer token ids, got None"),
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


def test_tokens_are_those_that_choice_would_draw():
    net, rngs = new_lm(scale=1), [np.random.default_rng(3) for _ in range(2)]
    text = [2]
    for _ in range(50):
        p = net.next_probabilities(np.array(text), temperature=1.5)
        text.append(rngs[0].choice(7, p=p))
    assert text[1:] == net.sample(2, 50, rng=rngs[1], temperature=1.5).tolist()


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
        (
            ValueError,
            {"start": 2**63},
            "start must hold token ids of 64 bits at most, got a longer",
        ),
        (
            ValueError,
            {"start": 2**64},
            "start must hold token ids of 64 bits at most, got a longer",
        ),
        (ValueError, {"start": np.array(2)}, "start must have shape (K,), got ()"),
        (ValueError, {"start": np.array([[2]])}, "start must have shape (K,), got (1, 1)"),
        (TypeError, {"start": True}, "start must hold integer token ids, got bool True"),
        (
            TypeError,
            {"start": 2.0},
            "start must be a list or numpy array of integer token ids, got fl",
        ),
        (TypeError, {"start": [2.0]}, "start must hold integer token ids, got float 2.0"),
        (ValueError, {"start": []}, "start must hold at least one token, got none"),
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


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-30])
def test_a_temperature_near_zero_is_as_good_as_zero(temperature):
    net = new_lm(scale=1.5)
    assert write(net, length=20, temperature=temperature) == write(net, length=20, temperature=0)
    p = net.next_probabilities(2, temperature=temperature)
    np.testing.assert_array_equal(p, net.next_probabilities(2, temperature=0))
    p = net.next_probabilities(2, temperature=1e300)
    np.testing.assert_allclose(p, 1 / 7, rtol=1e-15)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["embed.W", "rnn.Wx", "rnn.Wh", "rnn.b", "affine.W", "affine.b"])
def test_weights_that_are_not_finite_are_named(name, value):
    net = new_lm(scale=1)
    net.params[name].flat[-1] = value
    for use in (
        lambda: write(net),
        lambda: write(net, temperature=0),
        lambda: net.next_probabilities(0),
        lambda: net.read([0, 1]),
        lambda: net.evaluate([0, 1, 2]),
    ):
        with refusal(ValueError, f"params['{name}'] must be finite, got {value} at index ["):
            use()


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
        (TypeError, [1.0], " must hold integer token ids, got float 1.0"),
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
    sizes, forward = [], language.TimeSoftmaxWithLoss.forward_steps

    def spy(self, xs, ts):
        sizes.append(ts.size)
        return forward(self, xs, ts)

    monkeypatch.setattr(language.TimeSoftmaxWithLoss, "forward_steps", spy)
    loss = net.evaluate(text)
    assert len(sizes) > 4
    assert sum(sizes) == 999
    monkeypatch.undo()
    wanted = net.forward(text[None, :-1], text[None, 1:])
    assert loss == pytest.approx(float(wanted), rel=1e-10)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_long_text_needs_no_more_memory_than_a_short_one(batch_size):
    net = new_gated((100, 16, 64))

    def peak(size):
        text = some_text(size, vocabulary=100)
        tracemalloc.start()
        try:
            net.evaluate(text, batch_size=batch_size)
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
        (TypeError, [1, 2.0], "tokens must hold integer token ids, got float 2.0"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(error, tokens, wanted):
    with refusal(error, wanted):
        new_gated().evaluate(tokens)


@pytest.mark.parametrize("batch_size", [0, 4])
def test_a_text_is_not_evaluated_in_more_places_than_it_has(batch_size):
    with refusal(ValueError, f"batch_size must be an integer from 1 to 3, got {batch_size}"):
        new_gated().evaluate(np.array([0, 1, 2, 3]), batch_size=batch_size)


# A file ------------------------------------------------------------------------------


def test_a_loaded_model_computes_what_the_saved_one_did(tmp_path):
    net, other = new_lm(scale=1), new_lm(seed=1)
    net.save(str(tmp_path / "lm.npz"))
    other.load(str(tmp_path / "lm.npz"))
    assert outcome(other, IDS, IDS) == outcome(net, IDS, IDS)
