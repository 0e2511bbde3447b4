"""Answers to the exercises of *A language model*."""

import numpy as np

ANSWERS = {
    "perplexity_of": [
        """
def perplexity_of(losses, counts):
    return float(np.exp(np.average(losses, weights=counts)))
""",
        """
def perplexity_of(losses, counts):
    total, tokens = 0.0, 0
    for loss, count in zip(losses, counts):
        total += loss * count
        tokens += count
    return 2 ** (total / tokens / np.log(2))
""",
        """
def perplexity_of(losses, counts):
    return np.exp(np.repeat(losses, counts).mean(dtype=np.float32))
""",
        """
def perplexity_of(losses, counts):
    shares = counts / counts.sum()
    return np.prod(np.exp(losses) ** shares)
""",
    ],
    "time_affine_backward": [
        """
def time_affine_backward(dout, xs, W):
    dW = np.einsum("ntd,nth->dh", xs, dout)
    return np.einsum("nth,dh->ntd", dout, W), dW, np.einsum("nth->h", dout)
""",
        """
def time_affine_backward(dout, xs, W):
    dxs, dW, db = np.zeros_like(xs), np.zeros_like(W), np.zeros(W.shape[1])
    for t in range(xs.shape[1]):
        dxs[:, t] = dout[:, t] @ W.T
        dW += xs[:, t].T @ dout[:, t]
        db += dout[:, t].sum(axis=0)
    return dxs, dW, db
""",
        """
def time_affine_backward(dout, xs, W):
    dout, xs = dout.astype(np.float32), xs.astype(np.float32)
    dW = (xs.swapaxes(1, 2) @ dout).sum(axis=0)
    return {"dxs": (dout @ W.T).tolist(), "dW": dW, "db": dout.sum((0, 1))}
""",
        """
def time_affine_backward(dout, xs, W):
    dW = np.tensordot(xs, dout, axes=([0, 1], [0, 1]))
    return [np.dot(dout, W.T), dW, [out.sum() for out in np.moveaxis(dout, -1, 0)]]
""",
    ],
    "draw_token": [
        """
def draw_token(scores, temperature, u):
    if temperature == 0:
        return np.argmax(scores)
    z = (scores - np.max(scores)) / temperature
    p = np.exp(z - np.log(np.sum(np.exp(z))))
    return np.searchsorted(np.cumsum(p), u, side="right")
""",
        """
def draw_token(scores, temperature, u):
    best = max(range(len(scores)), key=lambda i: scores[i])
    if not temperature:
        return best
    shares = [float(np.exp((s - scores[best]) / temperature)) for s in scores]
    left = u * sum(shares)
    for token, share in enumerate(shares):
        if left < share:
            return token
        left -= share
    return token
""",
        """
def draw_token(scores, temperature, u):
    s = np.array(scores, np.float32) / max(temperature, 1e-8)
    p = np.exp(s - s.max())
    p = p / p.sum()
    return float((np.cumsum(p) > u).argmax())
""",
    ],
    "text_batch": [
        """
def text_batch(tokens, N, T, k):
    P = len(tokens) - 1
    xs, ts = [], []
    for n in range(N):
        places = [(n * (P // N) + k * T + t) % P for t in range(T)]
        xs.append([tokens[i] for i in places])
        ts.append([tokens[i + 1] for i in places])
    return xs, ts
""",
        """
def text_batch(tokens, N, T, k):
    steps = np.arange(k * T, (k + 1) * T)
    begins = (len(tokens) - 1) // N * np.arange(N)
    places = np.add.outer(begins, steps)
    return np.stack([np.take(tokens[:-1], places, mode="wrap"),
                     np.take(tokens[1:], places, mode="wrap")])
""",
        """
def text_batch(tokens, N, T, k):
    inputs, targets = tokens[:-1], tokens[1:]
    xs, ts = np.empty((N, T), dtype=int), np.empty((N, T))
    for n in range(N):
        start = n * (len(inputs) // N) + k * T
        xs[n] = np.resize(np.roll(inputs, -start), T)
        ts[n] = np.resize(np.roll(targets, -start), T)
    return {"xs": xs, "ts": ts}
""",
    ],
}
SAME = "the same numbers, written in another way"
UNDONE = "the second slip undoes the first"
RIGHT_AFTER_ALL = {
    "perplexity_of": {
        "np.array(losses) -> losses": "they are arrays already",
        "np.array(counts) -> counts": "they are arrays already",
        "float(np.exp(np.average(losses, weights=counts))) -> "
        "np.exp(np.average(losses, weights=counts))": "a number of NumPy will do",
        "(0.0, 0) -> (0, 0.0)": SAME,
        "np.repeat(losses, counts).mean(dtype=np.float32) -> "
        "np.repeat(losses, counts).mean()": "more precise than it was",
        "np.sum(counts) -> np.mean(counts); np.sum(np.array(losses) * np.array(counts)) -> "
        "np.mean(np.array(losses) * np.array(counts))": "both divided by the number of batches",
        "2 -> 3; np.log(2) -> np.log1p(2)": "3 to the loss over ln 3",
    },
    "time_affine_backward": {
        "1 -> 2": "in a shape any number below 0 means what is left",
        "np.zeros_like(xs) -> np.ones_like(xs)": "every entry is set later",
        "1 -> -1": "the last axis of W is its second",
        "dout[:, t] -> dout[:, t + -1]": "in db, the sum over all steps in another order",
        "dout, xs = (dout.astype(np.float32), xs.astype(np.float32)) -> pass": (
            "more precise than it was"
        ),
        "xs.swapaxes(1, 2) -> xs.swapaxes(2, 1)": SAME,
        "(0, 1) -> (1, 0)": SAME,
        "0 -> -1; 1 -> 0": UNDONE,
        "'nth->h' -> 'tnh->h'": "a sum over both axes, in either order",
    },
    "draw_token": {
        "max(temperature, 1e-09) -> max(1e-09, temperature)": SAME,
        "max(temperature, 1e-08) -> max(1e-08, temperature)": SAME,
        "1e-09 -> 2e-09": "cold enough, too",
        "1e-08 -> 2e-08": "cold enough, too",
        "1e-09 -> 2e-09; 2e-09 -> 4e-09": "cold enough, too",
        "int(np.sum(ends[:-1] <= u)) -> np.sum(ends[:-1] <= u)": "a number of NumPy will do",
        "float((np.cumsum(p) > u).argmax()) -> (np.cumsum(p) > u).argmax()": SAME,
        ":-1 -> :": "the last end is 1, but for rounding; the verdict on it says so",
        "float(np.exp((s - scores[best]) / temperature)) -> "
        "np.exp((s - scores[best]) / temperature)": "numbers of NumPy will do",
        "np.array(scores, np.float32) -> np.array(scores)": "more precise than it was",
    },
    "text_batch": {
        "np.stack([np.take(tokens[:-1], places, mode='wrap'), "
        "np.take(tokens[1:], places, mode='wrap')]) -> [np.take(tokens[:-1], places, "
        "mode='wrap'), np.take(tokens[1:], places, mode='wrap')]": "a list will do",
        "(np.empty((N, T), dtype=int), np.empty((N, T))) -> "
        "(np.empty((N, T)), np.empty((N, T), dtype=int))": "floats that are whole will do",
        "np.empty((N, T), dtype=int) -> np.empty((N, T))": "floats that are whole will do",
    },
}


def weighted(total=lambda x, n: np.sum(x * n) / n.sum(), last=np.exp):
    return lambda losses, counts: last(total(losses, counts))


def affine_back(scales=(1, 1, 1), part=(), **changes):
    """Walk back, with the gradients divided, from a part alone, or changed."""

    def walk(dout, xs, W):
        some, out = xs[part], dout[part]
        right = {"dxs": dout @ W.T, "dW": np.einsum("ntd,nth->dh", some, out)}
        right["db"] = out.sum(axis=(0, 1))
        for name, change in changes.items():
            right[name] = change(dout, xs, W)
        return tuple(g / scale for g, scale in zip(right.values(), scales, strict=True))

    return walk


def flat(array):
    return array.reshape(-1, array.shape[-1])


def only(n=slice(None), t=slice(None)):
    """Return gradients made of some of the places alone, through all of the way back."""
    return affine_back(part=(n, t))


def steps(t):
    """Go through some of the steps in a loop."""

    def walk(dout, xs, W):
        dxs, dW, db = np.zeros_like(xs), 0.0, 0.0
        for x, out, dx in zip(*(a.swapaxes(0, 1)[t] for a in (xs, dout, dxs)), strict=True):
            dx[...] = out @ W.T
            dW += x.T @ out
            db += out.sum(axis=0)
        return dxs, dW, db

    return walk


def drawer(
    divide=lambda s, tau: s / tau,
    shares=lambda p, tau: p,
    pick=lambda p, u: int(np.sum(np.cumsum(p)[:-1] <= u)),
    stable=True,
    cold=np.argmax,
):
    def draw(scores, temperature, u):
        if temperature == 0:
            return cold(scores)
        s = divide(scores, temperature)
        e = np.exp(s - s.max() if stable else s)
        return pick(shares(e / e.sum(), temperature), u)

    return draw


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def by_chance(scores, temperature, u):
    return np.random.default_rng().choice(len(scores), p=softmax(scores / temperature))


def in_order(order, translate=True):
    """Draw from stretches that are laid end to end in another order."""

    def pick(p, u):
        places = order(p)
        place = int(np.sum(np.cumsum(p[places])[:-1] <= u))
        return int(places[place]) if translate else place

    return drawer(pick=pick)


def with_math(scores, temperature, u):
    """Draw with floats of Python, which raise where NumPy's overflow."""
    if temperature == 0:
        return int(np.argmax(scores))
    shares = [2.718281828459045 ** float(s / temperature) for s in scores]
    ends = np.cumsum(shares) / sum(shares)
    return int(np.sum(ends[:-1] <= u))


def reader(offset=None, step=None, wrap=0, follow=1, end=1):
    def batch(tokens, N, T, k):
        P = len(tokens) - 1
        begins = np.arange(N)[:, None] * ((P // N) if offset is None else offset(P, N, T))
        places = begins + (k * T if step is None else step(N, T, k)) + np.arange(T)
        places = places % (P + wrap)
        if follow is None:  # where the next batch begins
            return tokens[places], tokens[(places + T) % P]
        return tokens[places], tokens[(places + follow) % (P + end)]

    return batch


def turned_back(tokens, N, T, k):
    own = (len(tokens) - 1) // N
    places = np.arange(N)[:, None] * own + (k * T + np.arange(T)) % own
    return tokens[places], tokens[places + 1]


def multiplied_first(tokens, N, T, k):
    P = len(tokens) - 1
    places = (np.arange(N)[:, None] * P // N + k * T + np.arange(T)) % P
    return tokens[places], tokens[places + 1]


def without_the_rest(tokens, N, T, k):
    own = (len(tokens) - 1) // N
    places = (np.arange(N)[:, None] * own + k * T + np.arange(T)) % (N * own)
    return tokens[places], tokens[places + 1]


def past_the_end(tokens, N, T, k):
    places = np.arange(N)[:, None] * ((len(tokens) - 1) // N) + k * T + np.arange(T)
    return tokens[places], tokens[places + 1]


def rolled(axis=None, by=-1):
    def batch(tokens, N, T, k):
        xs, _ = reader()(tokens, N, T, k)
        return xs, np.roll(xs, by, axis=axis)

    return batch


def scribbling(tokens, N, T, k):
    tokens += 1
    return reader()(tokens, N, T, k)


SLIPS = {
    "perplexity_of": [
        (lambda losses, counts: ..., "Not yet"),
        (lambda x, n: np.exp(x).mean(), "mean of the perplexities"),
        (lambda x, n: np.average(np.exp(x), weights=n), "exponential last"),
        (weighted(lambda x, n: x.mean()), "a batch of ten tokens has ten votes"),
        (weighted(lambda x, n: x.sum()), "those are the losses of batches"),
        (weighted(lambda x, n: x.sum() / n.sum()), "each loss is a mean already"),
        (weighted(lambda x, n: x @ n), "an exponential of the sum of all losses"),
        (lambda x, n: np.exp(x @ n) / n.sum(), "an exponential of the sum of all losses"),
        (weighted(lambda x, n: x[-1] * n[-1] / n.sum()), "the products add up: += and not ="),
        (weighted(lambda x, n: x @ n / len(x)), "divide by the number of tokens and not by that"),
        (weighted(lambda x, n: np.mean(x * n)), "divide by the number of tokens and not by that"),
        (weighted(lambda x, n: np.mean(x * n) / n.sum()), "the number of batches does not matter"),
        (weighted(last=lambda x: x), "that is the mean loss"),
        (weighted(last=lambda x: np.exp(-x)), "below 1"),
        (weighted(last=lambda x: 2.0**x), "that is 2 to the loss"),
        (weighted(last=lambda x: 10.0**x), "that is 10 to the loss"),
        (weighted(lambda x, n: x[-1]), "only the last batch is in it"),
        (weighted(lambda x, n: x[0]), "only the first batch is in it"),
        (weighted(lambda x, n: np.average(x, weights=1 / n)), "should be"),
        (lambda x, n: np.exp(np.average(x, weights=n, keepdims=True)), "wanted: a single number"),
    ],
    "time_affine_backward": [
        (lambda *a: None, "Not yet"),
        (lambda dout, xs, W: dout @ W.T, "Return three arrays, dxs, dW and db; got 2"),
        (
            lambda dout, xs, W: affine_back()(dout.__imul__(2), xs, W),
            "changed what it was given",
        ),
        (lambda *a: affine_back()(*a)[::-1], "another order: return dxs, dW and db"),
        (affine_back((1, 6, 6)), "dW and db are not right yet: the gradients of the places add up"),
        (affine_back((1, 3, 3)), "already divided"),
        (affine_back((2, 2, 2)), "dxs, dW and db are not right yet: the gradients of the places"),
        (affine_back((1, 1, 6)), "db is not right yet: the gradients of the places add up"),
        (only(t=slice(-1, None)), "dW and db are not right yet: only the last step is in it"),
        (only(t=slice(0, 1)), "only the first step is in it"),
        (only(n=slice(-1, None)), "only the last sequence is in it"),
        (only(n=slice(0, 1)), "only the first sequence is in it"),
        (steps(slice(0, -1)), "dxs, dW and db are not right yet: the last step is left out"),
        (steps(slice(1, None)), "dxs, dW and db are not right yet: the first step is left out"),
        (
            affine_back(db=lambda dout, xs, W: dout[:, -1].sum(axis=0)),
            "db is not right yet: only the last step is in it",
        ),
        (affine_back(dW=lambda dout, xs, W: flat(dout).T @ flat(xs)), "dW is turned round"),
        (
            affine_back(dW=lambda dout, xs, W: xs.reshape(len(W), -1) @ flat(dout)),
            "reshape does not turn",
        ),
        (
            affine_back(dxs=lambda dout, xs, W: (W @ flat(dout).T).reshape(xs.shape)),
            "dxs is not right yet: reshape does not turn",
        ),
        (
            affine_back(dW=lambda dout, xs, W: xs.T.reshape(len(W), -1) @ flat(dout)),
            "dW is not right yet: its rows are in another order",
        ),
        (
            affine_back(dW=lambda dout, xs, W: flat(xs.swapaxes(0, 1)).T @ flat(dout)),
            "dW is not right yet: its rows are in another order",
        ),
        (
            affine_back(dxs=lambda dout, xs, W: (dout.swapaxes(0, 1) @ W.T).reshape(xs.shape)),
            "dxs is not right yet: its rows are in another order",
        ),
        (
            affine_back(dW=lambda dout, xs, W: xs.transpose(0, 2, 1) @ dout),
            "one W for all: sum over the sequences too",
        ),
        (affine_back(db=lambda dout, xs, W: dout.sum(axis=0)), "sum over the steps too"),
        (affine_back(db=lambda dout, xs, W: dout.sum(axis=1)), "sum over the batch too"),
        (affine_back(db=lambda dout, xs, W: dout), "sum over the batch and the steps."),
        (affine_back(db=lambda dout, xs, W: dout.sum()), "each of the H outputs has its own bias"),
        (affine_back(db=lambda dout, xs, W: dout.sum(axis=2)), "not over the outputs"),
        (
            affine_back(db=lambda dout, xs, W: dout.sum(axis=(0, 1), keepdims=True)),
            "db has the right numbers in the shape (1, 1, 5)",
        ),
        (
            affine_back(dxs=lambda dout, xs, W: flat(dout) @ W.T),
            "dxs has the right numbers in the shape (6, 4)",
        ),
        (affine_back((-1, 1, 1)), "dxs has the wrong sign"),
    ],
    "draw_token": [
        (lambda scores, temperature, u: None, "Not yet"),
        (lambda scores, temperature, u: 0.5, "must be a whole number"),
        (lambda scores, temperature, u: softmax(scores), "must be a single whole number"),
        (drawer(lambda s, tau: s.__imul__(1 / tau)), "changed what it was given"),
        (by_chance, "The same u must give the same token"),
        (drawer(lambda s, tau: s * tau), "do not multiply"),
        (drawer(lambda s, tau: s), "the temperature has no effect"),
        (drawer(lambda s, tau: -s / tau), "the sign: a high score makes a token likely"),
        (drawer(lambda s, tau: s, lambda p, tau: p / tau), "and not the probabilities"),
        (drawer(lambda s, tau: s, lambda p, tau: softmax(p / tau)), "and not the probabilities"),
        (lambda s, tau, u: int(s.argmax()), "it is always the likeliest token"),
        (lambda s, tau, u: int(u * len(s)), "every token has the same share"),
        (drawer(pick=lambda p, u: int(np.sum(np.cumsum(p)[:-1] <= u)) - 1), "the token before"),
        (drawer(pick=lambda p, u: int(np.sum(np.cumsum(p) <= u)) + 1), "the token after"),
        (drawer(pick=lambda p, u: max(int(np.sum(np.cumsum(p) < u)) - 1, 0)), "the token before"),
        (
            drawer(pick=lambda p, u: min(int(np.sum(np.cumsum(p) < u)) + 1, len(p) - 1)),
            "the token after",
        ),
        (drawer(pick=lambda p, u: int(np.sum(np.cumsum(p)[:-1] <= 1 - u))), "with 1 - u"),
        (in_order(lambda p: np.argsort(-p)), "in the order of the tokens and not sorted"),
        (in_order(lambda p: np.argsort(-p), False), "in the order of the tokens and not sorted"),
        (in_order(np.argsort), "in the order of the tokens and not sorted"),
        (in_order(np.argsort, False), "in the order of the tokens and not sorted"),
        (drawer(pick=lambda p, u: int(np.argmax(p > u))), "add the probabilities up"),
        (
            drawer(lambda s, tau: s / tau**2),
            "[0.5, 2.0, -1.0, 1.0] at temperature 2.5 and u = 0.567 the token is 1, got 2",
        ),
        (
            drawer(pick=lambda p, u: int(np.searchsorted(np.cumsum(p), u))),
            "For the scores [0.0, 0.0] at temperature 1 and u = 0.5 the token is 1: a stretch",
        ),
        (
            drawer(
                pick=lambda p, u: int(np.searchsorted(np.cumsum(p), u, "right" if u else "left"))
            ),
            "the token is 1: a stretch of length 0 holds no u, not even 0",
        ),
        (drawer(stable=False), "subtract the maximum before the exponential"),
        (drawer(lambda s, tau: s / tau - s.mean() / tau, stable=False), "subtract the maximum"),
        (drawer(lambda s, tau: s / tau - s.max(), stable=False), "subtract the maximum"),
        (drawer(lambda s, tau: np.clip(s / tau, -50, 50)), "subtract the maximum"),
        (with_math, "subtract the maximum before the exponential"),
        (drawer(cold=lambda s: 0), "at temperature 0 take the token with the highest score"),
        (drawer(cold=lambda s: None), "at temperature 0 take the token with the highest score"),
        (drawer(cold=np.max), "at temperature 0 take the token with the highest score"),
        (
            lambda s, tau, u: drawer()(s, max(tau, 0.01), u),
            "at temperature 0 take the token with the highest score",
        ),
        (
            lambda s, tau, u: drawer(cold=lambda s: drawer()(s, 1.0, u))(s, tau, u),
            "at temperature 0 take the token with the highest score",
        ),
    ],
    "text_batch": [
        (lambda tokens, N, T, k: ..., "Not yet"),
        (lambda tokens, N, T, k: tokens[:T], "two arrays"),
        (scribbling, "changed what it was given"),
        (lambda *a: reader()(*a)[::-1], "another order: return xs and ts"),
        (
            reader(lambda P, N, T: T, lambda N, T, k: k * N * T),
            "Batch 0 where P = 29, N = 5, T = 4: xs and ts are not right yet: the readers must",
        ),
        (reader(lambda P, N, T: T), "not side by side"),
        (reader(lambda P, N, T: 1), "not side by side"),
        (reader(lambda P, N, T: 0), "all readers begin at the same place"),
        (reader(step=lambda N, T, k: k), "moves the readers on by T and not by one"),
        (reader(step=lambda N, T, k: k * N * T), "on by T and not by N * T"),
        (reader(step=lambda N, T, k: 0), "where is k?"),
        (reader(step=lambda N, T, k: (k + 1) * T), "batch 0 begins where the readers begin"),
        (reader(step=lambda N, T, k: (k - 1) * T), "batch 0 begins where the readers begin"),
        (turned_back, "does not turn back"),
        (reader(wrap=1), "the last token is never read"),
        (reader(lambda P, N, T: (P + 1) // N, wrap=1), "there are P = len(tokens) - 1 predictions"),
        (reader(lambda P, N, T: (P + 1) // N), "there are P = len(tokens) - 1 predictions"),
        (multiplied_first, "round down before you multiply"),
        (without_the_rest, "the last of which are read too"),
        (reader(step=lambda N, T, k: k * (T + 1)), "by T and not by T + 1"),
        (lambda tokens, *a: reader()(np.arange(len(tokens)), *a), "those are the places"),
        (past_the_end, "(does an index go past the end?)"),
        (lambda *a: tuple(part.T for part in reader()(*a)), "xs is turned round"),
        (reader(follow=0), "the same as xs"),
        (reader(end=0), "the last token and not the first"),
        (reader(follow=-1), "the tokens before"),
        (reader(follow=2), "those are two tokens on"),
        (reader(follow=None), "the tokens of the next batch"),
        (rolled(axis=1), "rolled round in the row"),
        (rolled(), "rolled round in the row"),
        (rolled(axis=1, by=1), "rolled round in the row"),
        (
            lambda *a: [part.ravel() for part in reader()(*a)],
            "xs has the right numbers in",
        ),
        (lambda *a: [part[:, 1:] for part in reader()(*a)], "xs must have shape (5, 4)"),
    ],
}
