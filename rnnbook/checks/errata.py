"""The game of *Errata*: a recurrent layer and a language model with seven slips in them."""

import copy
from collections.abc import Mapping

import numpy as np

from ..models import SimpleRnnlm
from .compare import array_of, call, close, compare, given
from .verdict import NotYet, Wrong, check

__all__ = ["rnnlm", "time_rnn"]

_NAMES = "Wx", "Wh", "b"


@check(
    "Right: it remembers, it forgets when told to, and every gradient is true.",
    "Let all sizes differ, and call everything twice: which line is the first to disagree with "
    "the text above its class?",
    "Forward: the state has as many columns as Wx, and only a layer that is not stateful begins "
    "at zero each time. Backward: a state has two readers, and a parameter is used at every step.",
    "Two readers: dh is dhs[:, t] plus what came back from the step after. Every step: each "
    "gradient begins at zero and grows with +=.",
)
def time_rnn(layer_class):
    """Check a `TimeRNN` made as ``layer_class(Wx, Wh, b, stateful=False)``."""
    weights, xs, more, h, dhs = _sequences(N=3, T=4, D=2, H=5)
    zero = np.zeros_like(h)
    _compare_states(layer_class, weights, xs, zero)
    ended = _states(xs, zero, *weights)[:, -1]
    _compare_memory(layer_class, weights, xs, more, ended, h)
    layer = _build(layer_class, weights)
    _forward(layer, xs)
    for when in "", "of a second backward pass":
        _compare_gradients(layer, weights, xs, zero, dhs, when)
    layer = _build(layer_class, weights, stateful=True)
    _forward(layer, xs)
    _backward(layer, dhs)
    _forward(layer, more)
    _compare_gradients(layer, weights, more, ended, dhs, "of a sequence that goes on")
    _compare_sizes(layer_class)
    if not _works(_apart, layer_class, weights, xs, more, dhs):
        raise Wrong(
            "Two layers of the class disturb each other: keep what a layer remembers in self, "
            "each layer for itself."
        )
    _compare_params(layer_class, weights, xs, zero)


def _build(layer_class, weights, **options):
    """Make a layer with weights of its own."""
    return layer_class(*copy.deepcopy(weights), **options)


def _forward(layer, xs):
    """Run a forward pass of a layer; what comes must be one array."""
    hs = call(layer.forward, xs, name="forward")
    if isinstance(hs, tuple) and len(hs) == 2:
        raise Wrong("forward must return the states alone, not a pair.")
    return array_of("hs", hs)


def _backward(layer, dhs):
    """Run a backward pass of a layer; refuse one that changes the weights."""
    before = copy.deepcopy(given("params", layer.params))
    dxs = call(layer.backward, dhs, name="backward")
    if not all(map(np.array_equal, _parts(before), _parts(layer.params))):
        raise Wrong(_CHANGED)
    return dxs


_CHANGED = (
    "backward changed the weights: they must stay as they are until every step has used them, and "
    "then the optimiser changes them."
)


def _parts(arrays):
    return list(arrays.values() if isinstance(arrays, Mapping) else arrays)


def _named(layer, kind):
    """Return the params or grads of a layer by name; a list has them in the order of `_NAMES`."""
    arrays = getattr(layer, kind, None)
    if isinstance(arrays, (list, tuple)) and len(arrays) == len(_NAMES):
        arrays = dict(zip(_NAMES, arrays, strict=True))
    if not isinstance(arrays, Mapping):
        raise Wrong(f"{kind} must be a dict with the names Wx, Wh and b.")
    for name in _NAMES:
        if name not in arrays:
            raise NotYet(f"{kind} has no {name}.")
    return arrays


def _compare_states(layer_class, weights, xs, zero):
    """Compare the states of a first sequence."""
    Wx, Wh, b = weights
    D, H = Wx.shape
    try:
        layer = _build(layer_class, weights)
        hs = _forward(layer, xs)
    except Exception as error:
        if isinstance(error, (ValueError, IndexError)) and _runs_if_square(layer_class):
            raise Wrong(
                f"With D = {D} and H = {H} your code raised {type(error).__name__}; with D = H "
                "it runs. A size is read from the wrong axis: Wx has shape (D, H)."
            ) from None
        raise
    right = _states(xs, zero, *weights)
    before = np.concatenate([zero[:, None], right[:, :-1]], axis=1)
    squashed = "the sum goes through tanh"
    compare(
        "hs",
        hs,
        right,
        [
            (_states(xs, zero, Wx, 0 * Wh, b), "the state is not handed from step to step"),
            (_states(xs, zero, Wx, Wh.T, b), "h @ Wh, without a transpose"),
            (_states(xs, zero, Wx, Wh, 0 * b), "the bias is missing"),
            (_states(xs, zero, *weights, squash=lambda z: z), squashed),
            (_states(xs, zero, *weights, squash=lambda z: 1 / (1 + np.exp(-z))), squashed),
            (before, "these are the states before the steps; wanted are those after them"),
            (
                np.concatenate([before, right[:, -1:]], axis=1),
                "leave out the state before the first step",
            ),
            (right[:, -1], "return the state of every step, not only the last"),
            (right.swapaxes(0, 1), "its axes must be sequences, steps and units, in this order"),
        ],
    )


def _runs_if_square(layer_class):
    """Say whether a layer runs where D = H."""
    weights, xs, *_ = _sequences(3, 4, 5, 5)
    try:
        _build(layer_class, weights).forward(xs)
    except Exception:
        return False
    return True


def _compare_memory(layer_class, weights, xs, more, ended, h):
    """Check what a layer remembers between two sequences; `ended` is the state after `xs`."""
    begins = {"where the last one ended": ended, "at zero": 0 * h, "in the state given": h}
    runs = {word: _states(more, state, *weights) for word, state in begins.items()}

    def compare_second(told, begins, act=None, **options):
        layer = _build(layer_class, weights, **options)
        _forward(layer, xs)
        if act is not None:
            act(layer)
        slips = [(run, f"it began {word}") for word, run in runs.items()]
        compare(f"{told}, the next sequence begins {begins}: hs", _forward(layer, more),
                runs[begins], slips)  # fmt: skip
        return layer

    first = _build(layer_class, weights, stateful=True)
    try:
        _forward(first, xs)
    except (AttributeError, TypeError, ValueError) as error:
        raise Wrong(
            f"With stateful=True your code raised {type(error).__name__}: {error}. A stateful "
            "layer has no state yet at its first sequence: begin at zero when h is None, too."
        ) from None
    compare_second("In a stateful layer", "where the last one ended", stateful=True)
    compare_second("In a layer that is not stateful", "at zero", stateful=False)
    compare_second("In a layer made without a word about it", "at zero")
    layer = compare_second("After reset_state()", "at zero", lambda layer: layer.reset_state(),
                           stateful=True)  # fmt: skip
    on = _states(more, runs["at zero"][:, -1], *weights)
    told = "it began at zero again: a reset forgets once, and the layer stays stateful"
    compare("After reset_state() and a sequence, the next one goes on: hs", _forward(layer, more),
            on, [(runs["at zero"], told)])  # fmt: skip
    given = h.copy()
    compare_second("After set_state(h)", "in the state given",
                   lambda layer: layer.set_state(given), stateful=True)  # fmt: skip
    if not np.array_equal(given, h):
        raise Wrong("The layer wrote into the state that set_state was given: make a new one.")


def _compare_gradients(layer, weights, xs, h, dhs, when=""):
    """Compare the gradients of a sequence that begins in the state `h`."""
    dxs, dh, dz = _walk(xs, h, weights, dhs)
    slips = [(_walk(xs, h, weights, dhs, **slip)[0], hint) for hint, slip in _WALKS]
    slips += [
        (dh @ weights[0].T, "dz, not dh, goes to the inputs: first the slope of tanh, then Wx"),
        (dxs.swapaxes(0, 1), "its axes must be sequences, steps and inputs, in this order"),
    ]
    compare(f"dxs {when}".strip(), _backward(layer, dhs), dxs, slips)
    after = _states(xs, h, *weights)
    before = np.concatenate([h[:, None], after[:, :-1]], axis=1)
    steps = {
        "Wx": np.einsum("ntd,nth->tdh", xs, dz),
        "Wh": np.einsum("nth,ntk->thk", before, dz),
        "b": dz.sum(axis=0),
    }
    late = (
        np.einsum("nth,ntk->hk", after, dz),
        "it is the state before the step, hs[t], that met Wh",
    )
    grads = _named(layer, "grads")
    for name in _NAMES:
        told = f"grads[{name!r}] {when}".strip()
        _compare_sum(told, grads[name], steps[name], len(xs), [late] if name == "Wh" else [])


_TRUE = "the gradient that goes to the step before is dz @ Wh.T"
_LOST = (
    "the gradient dh that comes from the step after is lost: a state has two readers, so their "
    "gradients add up"
)
_WALKS = [
    (_LOST, {"carry": lambda dz, dh, old, Wh: 0}),
    ("walk from the last step to the first", {"forwards": True}),
    (f"{_TRUE}: it goes through Wh", {"carry": lambda dz, dh, old, Wh: dz}),
    (f"{_TRUE}: it goes through Wh", {"carry": lambda dz, dh, old, Wh: dh}),
    (f"{_TRUE}, with the transpose", {"carry": lambda dz, dh, old, Wh: dz @ Wh}),
    (f"{_TRUE}, not dh @ Wh.T", {"carry": lambda dz, dh, old, Wh: dh @ Wh.T}),
    (
        f"{_TRUE}, and replaces what came from the step after",
        {"carry": lambda dz, dh, old, Wh: old + dz @ Wh.T},
    ),
    (
        "the slope of tanh belongs to the state after the step, hs[t + 1]",
        {"slope": lambda before, after: 1 - before**2},
    ),
    ("the slope of tanh is missing, 1 - h²", {"slope": lambda before, after: 1}),
    ("the slope of tanh is 1 - h², with the square", {"slope": lambda before, after: 1 - after}),
    (
        "the slope of tanh is 1 - h²; h (1 - h) is that of the sigmoid",
        {"slope": lambda before, after: after * (1 - after)},
    ),
]


def _compare_sum(name, got, steps, N, slips):
    """Compare a gradient with the sum of what each step adds to it; `steps` has them all."""
    total = steps.sum(axis=0)
    slips = [
        (
            steps[0],
            "only the term of step 0, visited last, is left: = where += belongs"
            if steps[0].any()
            else "it is zero, like the term of step 0: is there an = where += belongs",
        ),
        (steps[-1], "only the term of the last step is left: = where += belongs"),
        (total - steps[0], "the term of step 0 is missing"),
        (total - steps[-1], "the term of the last step is missing"),
        (total / len(steps), "the gradients of the steps add up; do not take their mean"),
        (total / N, "dhs is the gradient of the whole loss: do not divide by the sequences"),
        (2 * total, "it piles up from call to call: begin at zero"),
        *slips,
    ]
    if steps[0].any():
        slips.append((0 * total, "it is still zero"))
    compare(name, got, total, slips)


def _compare_sizes(layer_class):
    """Try single sequences and steps, and another batch after a reset."""
    for N, T in (1, 1), (1, 3), (2, 1):
        weights, xs, _, h, dhs = _sequences(N, T, 3, 2)
        layer = _build(layer_class, weights)
        when = f"with N = {N} and T = {T}"
        compare(f"hs {when}", _forward(layer, xs), _states(xs, 0 * h, *weights))
        _compare_gradients(layer, weights, xs, 0 * h, dhs, when)

    layer = _build(layer_class, weights, stateful=True)
    told = "After reset_state() a batch of another size begins at zero, too"
    try:
        layer.reset_state()  # nothing to forget yet
        _forward(layer, xs)
        layer.reset_state()
        other = np.concatenate([xs, -xs, 2 * xs])
        hs = _forward(layer, other)
    except (AttributeError, TypeError, ValueError) as error:
        raise Wrong(f"{told}; your code raised {type(error).__name__}: {error}.") from None
    compare(f"{told}: hs", hs, _states(other, np.zeros((len(other), 2)), *weights))


def _apart(layer_class, weights, xs, more, dhs):
    """Whether a layer works as it should while another layer of the class works, too."""
    Wx, Wh, b = weights
    layer = _build(layer_class, weights, stateful=True)
    _forward(layer, xs)
    twin = layer_class(-Wx, Wh.T.copy(), 2 * b)
    _forward(twin, more[:2, :3])
    _backward(layer, dhs)
    _backward(twin, dhs[:2, :3])
    zero = np.zeros_like(dhs[:, 0])
    _, _, dz = _walk(xs, zero, weights, dhs)
    goes_on = _states(more, _states(xs, zero, *weights)[:, -1], *weights)
    return close(_named(layer, "grads")["Wx"], np.einsum("ntd,nth->dh", xs, dz), 1e-4) and close(
        _forward(layer, more), goes_on, 1e-4
    )


def _works(apart, *arguments):
    """Whether a test passes that compares, without an exception."""
    try:
        return apart(*arguments)
    except Exception:
        return False


def _compare_params(layer_class, weights, xs, zero):
    """Change the arrays in `params`, as an optimiser does."""
    layer = _build(layer_class, weights)
    params = _named(layer, "params")
    for name, weight in zip(_NAMES, weights, strict=True):
        compare(f"params[{name!r}]", params[name], weight)
        params[name] *= 0.5
    halves = [weight / 2 for weight in weights]
    compare(
        "After a change of params, hs",
        _forward(layer, xs),
        _states(xs, zero, *halves),
        [(_states(xs, zero, *weights), "forward must use the arrays in params, not copies")],
    )


def _sequences(N, T, D, H):
    """Draw weights, two batches of sequences, a state and gradients of the states."""
    rng = np.random.default_rng(0)
    shapes = (D, H), (H, H), (H,), (N, T, D), (N, T, D), (N, H), (N, T, H)
    *weights, xs, more, h, dhs = (rng.uniform(-1, 1, shape) for shape in shapes)
    return weights, xs, more, h, dhs


def _states(xs, h, Wx, Wh, b, squash=np.tanh):
    """Return all states of a plain RNN that begins in `h`."""
    hs = []
    for t in range(xs.shape[1]):
        h = squash(xs[:, t] @ Wx + h @ Wh + b)  # (N, D) @ (D, H) + (N, H) @ (H, H)
        hs.append(h)
    return np.stack(hs, axis=1)


def _through(dz, dh, old, Wh):
    return dz @ Wh.T  # (N, H) @ (H, H)


def _slope(before, after):
    return 1 - after**2


def _walk(xs, h, weights, dhs, *, carry=_through, slope=_slope, forwards=False):
    """Return dL/dxs, dL/dhs and dL/dz of all steps, right unless a keyword says otherwise."""
    after = _states(xs, h, *weights)
    before = np.concatenate([h[:, None], after[:, :-1]], axis=1)
    dh, dz, old = np.zeros_like(dhs), np.zeros_like(dhs), 0
    steps = range(xs.shape[1])
    for t in steps if forwards else reversed(steps):
        dh[:, t] = dhs[:, t] + old
        dz[:, t] = dh[:, t] * slope(before[:, t], after[:, t])
        old = carry(dz[:, t], dh[:, t], old, weights[1])
    return dz @ weights[0].T, dh, dz  # (N, T, H) @ (H, D) -> (N, T, D)


@check(
    "Right: the loss, every gradient and the state are those of the book's model.",
    "Can the model be made? What should it lose before it has learned anything? And what does it "
    "lose on the same batch after a second one, and after a reset?",
    "An untrained model of V tokens loses about ln V in nats per token: the mean over sequences "
    "and steps. backward must use the share that forward uses.",
    "Each step counts 1 / T. The constructor is called __init__; a method runs only with "
    "parentheses after its name.",
)
def rnnlm(model_class):
    """Check a language model, made as ``model_class(V, D, H, rng)``, on top of a `TimeRNN`."""
    model = _made(model_class)
    layer = _layer(model)
    try:
        time_rnn.__wrapped__(type(layer))
    except Wrong as wrong:
        raise Wrong(f"First the TimeRNN. {wrong}") from None
    V, N, T = _SIZES[0], 4, 6
    batch, second = np.random.default_rng(2).integers(0, V, (2, 2, N, T))
    untrained, params = _settle(model)
    first, grads = _run(params, batch)
    slips = [
        (T * first, f"it is {T} times too large, the sum over the {T} steps; {_MEAN}"),
        (N * first, f"it is {N} times too large: divide by the sequences"),
        (N * T * first, f"it is {N * T} times too large: divide by the tokens"),
        (first * T / N, f"divided by the sequences; {_DIVIDED} by them, divide by the steps"),
        (first / N, f"divided by all tokens; {_DIVIDED} by the sequences"),
        (np.exp(first), "that is the perplexity; the loss is its logarithm"),
        (first / np.log(2), "that is in bits; in nats it has the natural logarithm"),
        (_run(untrained, batch)[0], "forward must use the arrays in params, and no copies"),
    ]
    _compare_loss("the loss", model, batch, first, slips)
    for _ in range(2):  # a second way back gives the same
        _compare_grads(model, params, grads, N, T)
    on, on_grads = _run(params, batch, second)
    afresh, again = _run(params, second)[0], _run(params, batch, second, batch)[0]
    slips = [(afresh, "the model began at zero: its recurrent layer should be stateful")]
    _compare_loss("the loss of the second batch", model, second, on, slips)
    _compare_grads(model, params, on_grads, N, T, " of the second batch")
    model.reset_state()
    slips = [(again, "nothing was reset; a method runs only with parentheses after its name")]
    _compare_loss("the loss of the first batch after reset_state()", model, batch, first, slips)
    slips = [(afresh, "it began at zero again: a reset forgets once, and the model goes on")]
    told = "the loss of the second batch after reset_state()"
    _compare_loss(told, model, second, on, slips)
    for N, T in (1, 1), (2, 3):
        model.reset_state()
        other = np.random.default_rng(3).integers(0, V, (2, N, T))
        loss, other_grads = _run(params, other)
        when = f"with N = {N} and T = {T}"
        _compare_loss(f"the loss after reset_state() {when}", model, other, loss)
        _compare_grads(model, params, other_grads, N, T, f" {when}")
    model.reset_state()
    model.forward(*batch)
    if not _works(_undisturbed, model, _made(model_class), second, params, grads, on):
        raise Wrong(
            "Two models of the class disturb each other: each needs layers and weights of its own."
        )
    _try_large_scores(model)
    _learn(_made(model_class))


_MEAN = "in nats per token it is their mean"
_DIVIDED = "SoftmaxWithLoss has divided"
_SIZES = 7, 3, 5  # V, D and H


def _made(model_class, seed=0):
    """Make a model; say so where its constructor has a name that nobody calls."""
    try:
        return model_class(*_SIZES, np.random.default_rng(seed))
    except TypeError as error:
        if _misnamed(model_class):
            raise Wrong(
                f"Your code raised TypeError: {error}. The constructor is called __init__, with "
                "two underscores on both sides; yours has another name, so nobody calls it."
            ) from None
        raise


def _misnamed(kind):
    """Say whether a class has something like a constructor, but none."""
    if not isinstance(kind, type) or kind.__init__ is not object.__init__:
        return False
    names = [name.removeprefix(f"_{owner.__name__.lstrip('_')}")
             for owner in kind.__mro__[:-1] for name in vars(owner)]  # fmt: skip
    return any(name.strip("_").lower() in ("init", "int", "new") for name in names)


def _layer(model):
    """Return the recurrent layer of a model."""
    try:
        return model.layers["rnn"]
    except (AttributeError, KeyError, TypeError, IndexError):
        raise Wrong('The model needs layers, in which "rnn" is its TimeRNN.') from None


def _settle(model, seed=3):
    """Write weights of our own into a model; return what stood there, and what does now."""
    rng = np.random.default_rng(seed)
    V, D, H = _SIZES
    shapes = {
        "embed.W": (V, D),
        "rnn.Wx": (D, H),
        "rnn.Wh": (H, H),
        "rnn.b": (H,),
        "affine.W": (H, V),
        "affine.b": (V,),
    }
    params = given("params", model.params)
    if not isinstance(params, Mapping) or set(params) != set(shapes):
        raise Wrong(f"params must be named {', '.join(shapes)}.")
    before, after = {}, {}
    for name, shape in shapes.items():
        before[name] = np.array(array_of(f"params[{name!r}]", params[name]), float)
        if before[name].shape != shape:
            raise Wrong(f"params[{name!r}] must have shape {shape}, got {before[name].shape}.")
        params[name][...] = rng.uniform(-1, 1, shape)
        after[name] = np.array(params[name], float)
    return before, after


def _run(params, *batches):
    """Read batches one after the other; return loss and gradients of the last."""
    model = SimpleRnnlm(*_SIZES, rng=np.random.default_rng(0), dtype=np.float64)
    model.params.update(params)
    for xs, ts in batches:
        loss = model.forward(xs, ts)
    model.backward()
    return loss, {name: np.asarray(grad) for name, grad in model.grads.items()}


def _hold(arrays, others):
    """Whether arrays are the same as others of their names."""
    return all(np.array_equal(arrays[name], others[name]) for name in others)


def _compare_loss(name, model, batch, right, slips=()):
    try:
        loss = call(model.forward, *batch, name="forward")
    except ValueError as error:
        if "reset" in name:
            raise Wrong(
                f"For {name} your code raised ValueError: {error}. Forget the state, its shape "
                "included."
            ) from None
        raise
    compare(name, loss, right, slips)


def _compare_grads(model, params, grads, N, T, when=""):
    """Compare the gradients that a model makes of its last batch; its params stay the same."""
    model.backward()
    if not _hold(model.params, params):
        raise Wrong(_CHANGED)
    found = given("grads", model.grads)
    for name, right in grads.items():
        if name not in found:
            raise NotYet(f"grads has no {name}.")
        share = "backward must use the share that forward uses"
        slips = [(k * right, f"it is {k} times too large; {share}") for k in {T, N, N * T} - {1}]
        slips += [
            (0 * right, "it is zero: are these the arrays that the layers fill?"),
            (2 * right, "it piles up from call to call: begin at zero"),
        ]
        compare(f"grads[{name!r}]{when}", found[name], right, slips)


def _undisturbed(model, twin, batch, params, grads, loss):
    """Whether a model that has gone forward works as it should while another works, too."""
    _settle(twin, seed=4)
    twin.forward(*batch[:, :2, :3])
    twin.backward()
    model.backward()
    twin.backward()
    return (
        all(close(np.asarray(model.grads[name]), grads[name], 1e-4) for name in grads)
        and _hold(model.params, params)
        and _layer(model) is not _layer(twin)
        and close(model.forward(*batch), loss, 1e-4)
    )


def _try_large_scores(model):
    """Let a model be certain, and right: its scores are large, and differ from step to step."""
    xs = np.random.default_rng(5).integers(0, _SIZES[0], (2, 9))
    model.reset_state()
    model.params["affine.W"][...] += 1000 * np.array([[1.0], [-1.0], [1.0], [-1.0], [0.5]])
    model.params["affine.b"][0] += 1000
    loss = model.forward(xs, np.zeros_like(xs))
    if not abs(loss) < 0.01:
        raise Wrong(
            f"Certain and right, with large scores, a model should lose 0; yours loses {loss:.4g}. "
            "Take the largest score of each step off before the exponential."
        )


def _learn(model):
    """Let an untrained model learn words that follow each other in a ring."""
    V, steps = _SIZES[0], 20
    ring = np.random.default_rng(0).permutation(V)
    batch = ring[None], np.roll(ring, -1)[None]
    untrained, most = model.forward(*batch), 2 * np.log(V)
    if untrained > most:
        raise Wrong(
            f"An untrained model of {V} tokens should lose about ln {V} = {np.log(V):.2f}; yours "
            f"loses {untrained:.2f}: its weights begin too large."
        )
    for step in range(steps):
        model.reset_state()
        model.forward(*batch)
        model.backward()
        for name, W in model.params.items():
            W -= 0.2 * (1 - step / steps) * np.sign(np.asarray(model.grads[name]))
    model.reset_state()
    if not model.forward(*batch) < 0.5:
        raise Wrong(
            f"It does not learn that {V} tokens follow each other in a ring: its weights must not "
            "begin at zero, nor all units alike."
        )
