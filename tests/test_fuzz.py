"""Every public entry, tried on arrays of every layout, dtype, shape and kind of value.

The answer must be that for a plain copy of the same numbers, or a ValueError or TypeError that
names an argument: never another answer, another exception, or a warning. A recipe calls an entry,
and all that hangs on it, with arrays under the names of its arguments.
"""

import importlib
import re
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from rnnbook import (
    batches,
    cells,
    functions,
    gradcheck,
    language,
    layers,
    models,
    network,
    optimizers,
    plots,
    recurrent,
    side_by_side,
    training,
    widgets,
)
from rnnbook.layers import RowGradient

MODULES = [
    *(batches, cells, functions, gradcheck, language, layers, models, network),
    *(optimizers, plots, recurrent, side_by_side, training, widgets),
]
N, T, D, H, V, R = 2, 3, 4, 2, 5, 3


def normal(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).normal(0, 0.5, shape)


def ids(*shape):
    return np.random.default_rng(sum(shape)).integers(0, V, shape)


def rng():
    return np.random.default_rng(0)


def layer(new, *names, upstream="dout"):
    """Return a recipe: make a layer, send something forward, and its gradient back."""

    def recipe(**arrays):
        arguments = {name: arrays.pop(name) for name in names if name in arrays}
        back = [arrays.pop(upstream)] if upstream in arrays else []
        made = new(**arrays)
        out = made.forward(**arguments)
        return out, made.backward(*back), made.grads

    return recipe


def model(make):
    def recipe(xs, ts):
        made = make()
        return made.forward(xs, ts), made.backward(), made.grads, made.params

    return recipe


def stepped(new):
    def recipe(params, grads, more):
        params, optimizer = {"more": more, "W": params}, new()
        optimizer.update(params, {"more": np.ones(2), "W": grads})
        optimizer.update(params, {"more": np.ones(2), "W": grads})
        return params

    return recipe


def clipped(grads):
    grads = {"W": grads, "b": np.ones(3)}
    return optimizers.clip_gradients(grads, 0.5), grads


def written(W, b):
    params = layers.Parameters(W=normal(D, H), b=normal(H))
    params.update(W=W, b=b)
    return params


def rows(ids, rows):
    params = {"W": normal(V, D)}
    optimizers.SGD(0.1).update(params, {"W": RowGradient(ids, rows, (V, D))})
    return params


def network_of(W, b, x):
    net = network.Network(network.Sequential(a=layers.Affine(W, b)), layers.SquaredError())
    loss = optimizers.learn(net, optimizers.SGD(0.1), (x, normal(3, H)))
    return loss, net.params


def language_model(make):
    def recipe(xs, ts, tokens, prefix, h):
        made = make()
        made.set_state(h, *[h] * (len(made.rnn.NAMES) - 1))
        found = made.forward(xs, ts), made.backward(), made.grads
        read = made.next_probabilities(prefix), made.sample(prefix, 3, rng=rng())
        return found, read, tuple(made.read(prefix)), made.evaluate(tokens)

    return recipe


def simple():
    return language.SimpleRnnlm(V, D, H, rng=rng(), dtype=float)


def networks(xs, ts):
    nets = side_by_side.Networks(
        [models.CharRNN(V, H, rng=np.random.default_rng(r)) for r in range(R)]
    )
    return nets.forward(xs, ts), nets.backward(), nets.grads, nets.states


def losses(new):
    def recipe(ts, weights, **scores):
        made = new(weights)
        return made.forward(*scores.values(), ts), made.backward()

    return recipe


def checked(x):
    return gradcheck.numerical_gradient(lambda x: float(np.tanh(x).sum()), x)


def checked_both(params, grads):
    def loss():
        return float(np.tanh(params).sum())

    try:
        return str(gradcheck.check_gradients(loss, {"W": params}, {"W": grads}))
    except gradcheck.GradientError as error:
        return str(error)


def drawn(draw):
    def recipe(**arrays):
        ax = Figure().add_axes((0, 0, 1, 1))
        draw(ax, **arrays)
        points = [line.get_xydata() for line in ax.lines]
        return points, [np.array(c.get_offsets()) for c in ax.collections]

    return recipe


def trained(x, t):
    net = models.TwoLayerNet(D, H, V, rng=rng())
    options = {"batch_size": 2, "steps": 2, "rng": rng(), "held_out": (normal(2, D), ids(2))}
    return vars(training.train(net, optimizers.SGD(0.1), x, t, **options)), net.params


def fitted(xs, ts):
    net = models.CharRNN(V, H, rng=rng())
    return training.fit(net, optimizers.Adam(0.1), [(xs, ts)] * 2, max_norm=0.5), net.params


def token_weights(gates, **more):
    return {"W": normal(V, D), **weights(gates, **more)}


def weights(gates, **more):
    return {"Wx": normal(D, gates * H), "Wh": normal(H, gates * H), "b": normal(gates * H)} | more


SEQUENCE = {"xs": normal(N, T, D), "dhs": normal(N, T, H)}
TOKENS = {"xs": ids(N, T), "dhs": normal(N, T, H)}
STEP = {"x": normal(N, D), "h_prev": normal(N, H), "dh": normal(N, H)}
TEXT = {"xs": ids(N, T), "ts": ids(N, T), "tokens": ids(9), "prefix": ids(3), "h": normal(N, H)}
PAIRS = {"x": normal(N, D), "y": normal(N, D), "dout": normal(N, D)}
ELEMENTS = {"x": normal(N, D), "dout": normal(N, D)}
BITS = (normal(N, T, 1) > 0).astype(float)


def lstm_step(x, h_prev, c_prev, dh, dc, **weights):
    cell = cells.LSTMCell(**weights)
    return cell.forward(x, h_prev, c_prev), cell.backward(dh, dc), cell.grads


def masked_loss(xs, ts, mask):
    made = layers.TimeSoftmaxWithLoss()
    return made.forward(xs, ts, mask), made.backward(), made.y


def unrolled(Wx, Wh, b, xs, dhs):
    made = recurrent.Unrolled(cells.RNNCell(Wx, Wh, b))
    return made.forward(xs), made.backward(dhs), made.grads


RECIPES = {
    "AddLayer": (layer(layers.AddLayer, "x", "y"), PAIRS),
    "Adam": (
        stepped(optimizers.Adam),
        {"params": normal(D, H), "grads": normal(D, H), "more": normal(2)},
    ),
    "Affine": (
        layer(layers.Affine, "x"),
        {"W": normal(D, H), "b": normal(H)} | {"x": normal(N, D), "dout": normal(N, H)},
    ),
    "BinaryAdder": (
        model(lambda: models.BinaryAdder(H, rng=rng(), bias=True)),
        {"xs": normal(N, T, 2), "ts": BITS},
    ),
    "CharRNN": (
        model(lambda: models.CharRNN(V, H, rng=rng())),
        {"xs": ids(N, T), "ts": ids(N, T)},
    ),
    "Embedding": (
        layer(layers.Embedding, "ids"),
        {"W": normal(V, D), "ids": ids(N, T), "dout": normal(N, T, D)},
    ),
    "GRUCell": (
        layer(cells.GRUCell, "x", "h_prev", upstream="dh"),
        weights(3, bh=normal(H)) | STEP,
    ),
    "GatedRnnlm": (
        language_model(lambda: language.GatedRnnlm(V, D, H, rng=rng(), dtype=float)),
        TEXT,
    ),
    "LSTMCell": (lstm_step, weights(4) | STEP | {"c_prev": normal(N, H), "dc": normal(N, H)}),
    "LogisticLosses": (
        losses(side_by_side.LogisticLosses),
        {"scores": normal(T, R, N, 1), "ts": np.ones((T, R, N, 1)), "weights": normal(T, 1, N)},
    ),
    "MulLayer": (layer(layers.MulLayer, "x", "y"), PAIRS),
    "Network": (network_of, {"W": normal(D, H), "b": normal(H), "x": normal(3, D)}),
    "Networks": (networks, {"xs": ids(T, R, N), "ts": ids(T, 1, N)}),
    "Parameters": (written, {"W": normal(D, H), "b": normal(H)}),
    "RNNCell": (layer(cells.RNNCell, "x", "h_prev", upstream="dh"), weights(1) | STEP),
    "ReLU": (layer(layers.ReLU, "x"), ELEMENTS),
    "RowGradient": (rows, {"ids": np.array([0, 2, 3]), "rows": normal(3, D)}),
    "SGD": (
        stepped(lambda: optimizers.SGD(0.1)),
        {"params": normal(D, H), "grads": normal(D, H), "more": normal(2)},
    ),
    "Sigmoid": (layer(layers.Sigmoid, "x"), ELEMENTS),
    "SimpleRnnlm": (language_model(simple), TEXT),
    "SoftmaxLosses": (
        losses(side_by_side.SoftmaxLosses),
        {"scores": normal(T, R, N, V), "ts": ids(T, 1, N), "weights": normal(T, 1, N)},
    ),
    "SoftmaxWithLoss": (layer(layers.SoftmaxWithLoss, "x", "t"), {"x": normal(N, V), "t": ids(N)}),
    "SquaredError": (
        layer(layers.SquaredError, "y", "t"),
        {"y": normal(N, T), "t": normal(N, T) + 1},
    ),
    "SquaredLosses": (
        losses(side_by_side.SquaredLosses),
        {"ys": normal(T, R, N, V), "ts": normal(T, 1, N, V), "weights": normal(T, 1, N)},
    ),
    "Tanh": (layer(layers.Tanh, "x"), ELEMENTS),
    "TimeAffine": (
        layer(layers.TimeAffine, "xs"),
        {"W": normal(D, H), "b": normal(H)} | {"xs": normal(N, T, D), "dout": normal(N, T, H)},
    ),
    "TimeEmbedding": (
        layer(layers.TimeEmbedding, "ids"),
        {"W": normal(V, D), "ids": ids(N, T), "dout": normal(N, T, D)},
    ),
    "TimeGRU": (
        layer(recurrent.TimeGRU, "xs", upstream="dhs"),
        weights(3, bh=normal(H)) | SEQUENCE,
    ),
    "TimeLSTM": (layer(recurrent.TimeLSTM, "xs", upstream="dhs"), weights(4) | SEQUENCE),
    "TimeRNN": (layer(recurrent.TimeRNN, "xs", upstream="dhs"), weights(1) | SEQUENCE),
    "TimeSoftmaxWithLoss": (
        masked_loss,
        {"xs": normal(N, T, V), "ts": ids(N, T), "mask": np.array([[1, 1, 0], [1, 0, 0]], bool)},
    ),
    "TimeTokenGRU": (
        layer(recurrent.TimeTokenGRU, "xs", upstream="dhs"),
        token_weights(3, bh=normal(H)) | TOKENS,
    ),
    "TimeTokenLSTM": (
        layer(recurrent.TimeTokenLSTM, "xs", upstream="dhs"),
        token_weights(4) | TOKENS,
    ),
    "TimeTokenRNN": (
        layer(recurrent.TimeTokenRNN, "xs", upstream="dhs"),
        token_weights(1) | TOKENS,
    ),
    "TwoLayerNet": (
        lambda x, t: model(lambda: models.TwoLayerNet(D, H, V, rng=rng()))(x, t),
        {"x": normal(N, D), "t": ids(N)},
    ),
    "Unrolled": (unrolled, weights(1) | SEQUENCE),
    "check_examples": (batches.check_examples, {"x": normal(N, D), "t": ids(N)}),
    "check_gradients": (
        checked_both,
        {"params": normal(2, 2), "grads": 1 - np.tanh(normal(2, 2)) ** 2},
    ),
    "clip_gradients": (clipped, {"grads": normal(D, H)}),
    "cross_entropy": (functions.cross_entropy, {"x": normal(N, V), "t": ids(N)}),
    "draw_losses": (
        drawn(lambda ax, **arrays: plots.draw_losses(ax, chance=1, **arrays)),
        {"updates": np.arange(3), "losses": normal(3, 2)},
    ),
    "draw_squares": (
        drawn(lambda ax, **arrays: plots.draw_squares(ax, most=V, **arrays)),
        {"at": normal(2, 2), "counts": ids(2), "links": np.array(["#a=1", "#a=2"])},
    ),
    "fit": (fitted, {"xs": ids(N, T), "ts": ids(N, T)}),
    "log_sum_exp": (functions.log_sum_exp, {"x": normal(N, D)}),
    "minibatches": (
        lambda x, t: next(batches.minibatches(x, t, 2, rng=rng())),
        {"x": normal(3, D), "t": ids(3)},
    ),
    "numerical_gradient": (checked, {"x": normal(2, 2)}),
    "one_hot": (lambda t: functions.one_hot(t, V), {"t": ids(N, T)}),
    "perplexity": (functions.perplexity, {"loss": np.abs(normal(N, T))}),
    "sigmoid": (functions.sigmoid, {"x": normal(N, D)}),
    "softmax": (functions.softmax, {"x": normal(N, D)}),
    "train": (trained, {"x": normal(3, D), "t": ids(3)}),
    "truncated_bptt_batches": (
        lambda tokens: list(batches.truncated_bptt_batches(tokens, 2, 2)),
        {"tokens": ids(9)},
    ),
}
# Entries that take no array themselves, that are fuzzed in the tests of their modules, or the
# insides of those above, which check nothing.
OTHERS = {
    *("Explorer", "explore", "draw_graph", "show", "to_svg", "two_axes", "use_style"),
    *("Checkpoint", "GradientError", "GradientReport", "History", "TextRun", "read_checkpoint"),
    *("LanguageModel", "Layer", "Reading", "Sequential", "band", "blocks", "progress"),
    *("random_cuts", "steps_per_epoch", "text_batch", "learn", "activation_of", "tanh_slope"),
    *("recurrent_parameters", "load_parameters", "save_parameters", "normal_weights"),
    *("batch_first", "distinct", "losses_and_exponentials", "probabilities_minus_truth"),
    *("sum_rows", "time_first", "unchecked_sigmoid"),
}


class Other(np.ndarray):
    """A subclass of arrays that means something else by a product."""

    __mul__ = __matmul__ = __rmatmul__ = None


def layouts(a):
    """Yield the same numbers in other layouts, and in what is like an array."""
    wide = np.zeros([2 * size for size in a.shape], a.dtype)
    strided = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    strided[...] = a
    yield "strided", strided
    yield "Fortran", np.asfortranarray(a)
    yield "backwards", a[::-1].copy()[::-1] if a.ndim else a.copy()
    yield "read-only", np.copy(a)
    a_buffer = np.zeros(a.nbytes + 1, "u1")[1:]
    unaligned = a_buffer.view(a.dtype).reshape(a.shape) if a.dtype.itemsize > 1 else a.copy()
    unaligned[...] = a
    yield "unaligned", unaligned
    yield "big-endian", a.astype(a.dtype.newbyteorder(">"))
    yield "broadcast", np.broadcast_to(a[:1], a.shape) if a.ndim else np.broadcast_to(a, ())
    yield "list", a.tolist()
    yield "subclass", np.copy(a).view(Other)
    yield "masked", np.ma.array(a)
    if a.ndim == 2:
        yield "matrix", np.copy(a).view(np.matrix)


def dtypes(a):
    """Yield other dtypes for the same numbers."""
    for dtype in ("O", "U8", "c16", "f2", "g", "f4", "f8", "i8", "i1", "u8", "?", "M8[s]", "V8"):
        numbers = a if a.dtype.kind != "U" else np.arange(a.size).reshape(a.shape)
        if dtype in ("M8[s]", "V8"):
            numbers = numbers.astype("i8").view(dtype) if a.ndim else np.zeros((), dtype)
        yield dtype, numbers.astype(dtype)


def shapes(a):
    """Yield other shapes, empty ones too, and what is no array at all."""
    yield from (("an axis more", a[None]), ("0-d", a.ravel()[0].reshape(())), ("None", None))
    yield from (("a scalar", a.ravel()[0]), ("empty", a[:0] if a.ndim else a[None][:0]))
    yield from (("flat", a.ravel()), ("longer", np.concatenate([a[None].ravel()] * 2)))
    yield "empty last", np.zeros((*a.shape[:-1], 0), a.dtype)


def values(a):
    """Yield arrays with other values: none, too many, too large, too small."""
    info = (
        None
        if a.dtype.kind not in "iuf"
        else (np.finfo if a.dtype.kind == "f" else np.iinfo)(a.dtype)
    )
    if a.dtype.kind == "f":
        for value in (np.nan, np.inf, -np.inf, info.max, 1e160):
            one = a.copy()
            one[(-1,) * a.ndim] = value
            yield f"one {value}", one
            yield f"all {value}", np.full_like(a, value)
        for value in (info.smallest_subnormal, 0.0, -0.0, info.tiny):
            yield f"all {value}", np.full_like(a, value)
    elif info:
        for value in (-1, info.max, info.min, V):
            one = a.copy()
            one[(-1,) * a.ndim] = value
            yield f"one {value}", one


def flat(result):
    """Return all arrays and numbers that a result is made of."""
    if isinstance(result, dict):
        return [part for value in result.values() for part in flat(value)]
    if isinstance(result, (list, tuple)):
        return [part for value in result for part in flat(value)]
    return [] if result is None else [np.array(result)]


def outcome(recipe, good, **other):
    """Return what a recipe gives for copies of good arrays but one, or its error."""
    arrays = {name: np.copy(array) for name, array in good.items()} | other
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings(
                "ignore", module=r"(matplotlib|pyparsing)\."
            )  # an old one beside new ones
            return flat(recipe(**arrays)), None
    except (ValueError, TypeError) as refused:
        error = refused
    # A gradient, a step or a loss may be named instead of what makes it too large.
    named = [rf"\b{re.escape(name)}\b" for name in (*good, "grads", "eps", "y", "arguments")]
    assert re.search("|".join(named), str(error)), f"names no argument: {error!r}"
    return None, error


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.shape, one.dtype.newbyteorder("=")) == (
            other.shape,
            other.dtype.newbyteorder("="),
        )
        if one.dtype.kind in "fc":
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-300)
        else:
            np.testing.assert_array_equal(one, other)


def test_every_public_entry_has_a_recipe():
    public = {
        name for module in MODULES for name in importlib.import_module(module.__name__).__all__
    }
    assert public - set(RECIPES) == OTHERS
    assert set(RECIPES) <= public


@pytest.mark.parametrize("name", RECIPES)
def test_another_layout_changes_nothing_or_is_refused(name):
    recipe, good = RECIPES[name]
    for argument, array in good.items():
        for label, variant in layouts(array):
            if label == "read-only":
                variant.flags.writeable = False
            plain = np.array(variant, array.dtype)
            found, error = outcome(recipe, good, **{argument: variant})
            if error is None:
                expected, refused = outcome(recipe, good, **{argument: plain})
                assert refused is None, (argument, label)
                same(found, expected)


@pytest.mark.parametrize("name", RECIPES)
def test_another_dtype_changes_nothing_or_is_refused(name):
    recipe, good = RECIPES[name]
    for argument, array in good.items():
        for label, variant in dtypes(array):
            found, error = outcome(recipe, good, **{argument: variant})
            if error is None and array.dtype.kind in "iub":
                expected, _ = outcome(recipe, good, **{argument: variant.astype(array.dtype)})
                for one, other in zip(found, expected, strict=True):
                    np.testing.assert_allclose(one, other, err_msg=f"{argument} {label}")


@pytest.mark.parametrize("name", RECIPES)
def test_other_shapes_and_values_give_an_answer_or_are_refused(name):
    recipe, good = RECIPES[name]
    for argument, array in good.items():
        for _, variant in (*shapes(array), *values(array)):
            outcome(recipe, good, **{argument: variant})
