"""The exercises of *A language model*: perplexity, an Affine layer, a draw, and readers."""

import numpy as np

from .compare import call, compare, compare_all, several, whole
from .verdict import Wrong, check, remark

__all__ = ["draw_token", "perplexity_of", "text_batch", "time_affine_backward"]


@check(
    "Right. The mean over all tokens first, the exponential of it last.",
    "A perplexity is e to the mean loss of a token. What is the mean loss of all the tokens?",
    "losses[i] is already a mean, over counts[i] tokens. Their losses together are the product.",
    "Add up the products of losses and counts, divide by the number of all tokens, and take the "
    "exponential of that.",
)
def perplexity_of(function):
    """Check ``(losses, counts) -> perplexity`` of batches that are not equally long."""
    for losses, counts in (
        ([2.0, 0.5, 3.0, 1.2], [10, 40, 3, 7]),
        ([0.25, 4.0], [7, 1]),
        ([1.1, 0.7, 2.3, 0.2], [5, 2, 9, 4]),
        ([1.5], [6]),
    ):
        arguments = np.array(losses), np.array(counts)
        name = f"the perplexity for {losses}, {counts}"
        compare(
            name, call(function, *arguments), _perplexity(*arguments), _perplexities(*arguments)
        )


def _perplexity(losses, counts):
    return np.exp(losses @ counts / counts.sum())


def _perplexities(losses, counts):
    """Return the numbers of programs with one slip, and what the slip is."""
    total, tokens = losses @ counts, counts.sum()
    mean = total / tokens
    late = "that is the mean of the perplexities: average the losses, and take the exponential last"
    unweighted = "the batches are not equally long: a batch of ten tokens has ten votes"
    undone = "an exponential of the sum of all losses: divide by the number of tokens first"
    return [
        (np.exp(losses).mean(), late),
        (np.exp(losses) @ counts / tokens, late),
        (np.exp(losses.mean()), unweighted),
        (np.exp(losses.sum()), "those are the losses of batches: how many tokens has each?"),
        (
            np.exp(losses.sum() / tokens),
            "each loss is a mean already: weight it by its count before you divide by all tokens",
        ),
        (np.exp(total), undone),
        (np.exp(total) / tokens, undone),
        (np.exp(losses[-1] * counts[-1] / tokens), "the products add up: += and not ="),
        (
            np.exp(total / len(losses)),
            "divide by the number of tokens and not by that of batches",
        ),
        (np.exp(mean / len(losses)), "the number of batches does not matter: divide by the tokens"),
        (mean, "that is the mean loss: its exponential is wanted"),
        (np.exp(-mean), "that is the inverse, below 1: a perplexity is at least 1"),
        (2.0**mean, "that is 2 to the loss: the losses are in nats, so the base is e"),
        (10.0**mean, "that is 10 to the loss: the losses are in nats, so the base is e"),
        (np.exp(losses[-1]), "only the last batch is in it"),
        (np.exp(losses[0]), "only the first batch is in it"),
    ]


@check(
    "Right. One product for all steps, and each step adds its term.",
    "Think of an Affine layer whose batch has N T rows, as in equation (4).",
    "Reshape xs to (N T, D) and dout to (N T, H): both keep the order of their rows. Then it is "
    "the Affine layer that you know.",
    "dW is the rows of xs, turned round by .T, times the rows of dout. db is the sum over all "
    "rows. dxs is dout @ W.T, in the shape of xs.",
)
def time_affine_backward(function):
    """Check ``(dout, xs, W) -> (dxs, dW, db)`` of an Affine layer at every time step."""
    rng, names = np.random.default_rng(0), ("dxs", "dW", "db")
    for N, T, D, H in ((2, 3, 4, 5), (3, 2, 5, 4), (1, 4, 3, 2), (4, 1, 2, 3)):
        dout, xs, W = (rng.standard_normal(s) for s in ((N, T, H), (N, T, D), (D, H)))
        answer = several(call(function, dout, xs, W), names)
        right = dxs, dW, db = _affine(dout, xs, W)
        slips = [((dxs, *_affine(dout / k, xs, W)[1:]), _MEAN) for k in (N, T, N * T)]
        slips += [((_affine(dout / k, xs, W)), _MEAN) for k in (N, T, N * T)]
        slips += [((dxs, dW, db / k), _MEAN) for k in (N, T, N * T)]
        for part, hint in _PARTS:
            some, only = np.zeros_like(dout), np.zeros_like(dxs)
            some[part], only[part] = dout[part], dxs[part]
            _, some_dW, some_db = _affine(some, xs, W)
            slips += [((only, some_dW, some_db), hint), ((only, dW, db), hint)]
            slips += [((dxs, some_dW, some_db), hint), ((dxs, dW, some_db), hint)]
        rows = dout.reshape(N * T, H)
        slips += [
            ((dxs, xs.reshape(D, N * T) @ rows, db), _RESHAPED),
            (((W @ rows.T).reshape(N, T, D), dW, db), _RESHAPED),
            ((dxs.swapaxes(0, 1).reshape(N, T, D), dW, db), _ROWS),
            ((dxs, xs.T.reshape(D, N * T) @ rows, db), _ROWS),
            ((dxs, xs.swapaxes(0, 1).reshape(N * T, D).T @ rows, db), _ROWS),
            ((dxs, xs.swapaxes(1, 2) @ dout, db), "one W for all: sum over the sequences too"),
            ((dxs, dW, dout.sum(axis=0)), "one bias for all: sum over the steps too"),
            ((dxs, dW, dout.sum(axis=1)), "one bias for all: sum over the batch too"),
            ((dxs, dW, dout), "one bias for all: sum over the batch and the steps"),
            ((dxs, dW, dout.sum()), "each of the H outputs has its own bias: do not sum over them"),
            ((dxs, dW, dout.sum(axis=2)), "sum over the batch and the steps, not over the outputs"),
        ]
        compare_all(names, answer, right, slips)


def _affine(dout, xs, W):
    return dout @ W.T, np.einsum("ntd,nth->dh", xs, dout), dout.sum(axis=(0, 1))


_MEAN = "the gradients of the places add up: the loss has already divided by their number"
_PARTS = [
    (np.s_[:, -1:], "only the last step is in it"),
    (np.s_[:, :1], "only the first step is in it"),
    (np.s_[-1:], "only the last sequence is in it"),
    (np.s_[:1], "only the first sequence is in it"),
    (np.s_[:, :-1], "the last step is left out"),
    (np.s_[:, 1:], "the first step is left out"),
]
_RESHAPED = "reshape does not turn: bring the rows under one another first, then turn by .T"
_ROWS = "its rows are in another order, step by step: in xs and dout the first axis is the batch"


@check(
    "Right. Divided by the temperature before the softmax, and drawn by its share.",
    "First the probabilities: divide the scores by the temperature, then softmax. Then where "
    "each stretch ends: add the probabilities up, one after the other.",
    "The token is the number of stretches that end at u or before it. Subtract the maximum of "
    "the scores before the exponential: e^1000 is too large for a float.",
    "np.cumsum gives the ends, and counting those that are <= u gives the token. At temperature "
    "0 there is nothing to divide by: take the argmax.",
)
def draw_token(function):
    """Check ``(scores, temperature, u) -> token``, where u from 0 to below 1 is the chance."""

    def drawn(scores, temperature, u):
        return whole("the token", call(function, np.array(scores), temperature, u))

    us = np.linspace(0, 0.999, 38).tolist()
    for scores, temperature in (([0.5, 2.0, -1.0, 1.0], 2.5), ([0.3, -0.2, 0.8], 0.4)):
        got = [drawn(scores, temperature, u) for u in us]
        if got != [drawn(scores, temperature, u) for u in us]:
            raise Wrong("The same u must give the same token: u is all the chance there is.")
        _compare_draws(scores, temperature, us, got)
    for scores, temperature, u, token, hint in _EDGES:
        try:
            right = drawn(scores, temperature, u) == token
        except Exception:  # a float that overflowed, say: the hint tells more
            right = False
        if not right:
            raise Wrong(
                f"For the scores {scores} at temperature {temperature:g} and u = {u:g} "
                f"the token is {token}: {hint}."
            )
    if not all(_holds(drawn, scores) for scores in np.random.default_rng(0).normal(size=(9, 6))):
        remark(
            "(Rounding can leave the last end just below 1, and this u falls behind it: "
            "u = 1 - 1e-16. Let the last stretch hold all that is left.)"
        )


_BEGIN = "a stretch includes its beginning and not its end"
_EMPTY = "a stretch of length 0 holds no u, not even 0"
_LARGE = "subtract the maximum before the exponential, for e^1000 overflows and e^-1000 is 0"
_COLD = "at temperature 0 take the token with the highest score: there is nothing to divide by"
_EDGES = [
    ([0.0, 0.0], 1.0, 0.5, 1, _BEGIN),
    ([0.0, 0.0, 0.0, 0.0], 2.0, 0.25, 1, _BEGIN),
    ([0.0, 0.0, 0.0, 0.0], 0.5, 0.75, 3, _BEGIN),
    ([1000.0, 999.0, 0.0], 1.0, 0.6, 0, _LARGE),
    ([1000.0, 999.0, 0.0], 1.0, 0.9, 1, _LARGE),
    ([-1000.0, -999.0, -998.5], 1.0, 0.2, 1, _LARGE),
    ([1000.0, -1000.0, 1000.0], 2.0, 0.75, 2, _LARGE),
    ([0.0, 1000.0, 0.0, 999.0, 0.0, 0.0, 0.0, 0.0], 1.0, 0.9, 3, _LARGE),
    ([1000.0, 999.5, 0.0], 0.5, 0.6, 0, _LARGE),
    ([1000.0, 999.5, 0.0], 0.5, 0.9, 1, _LARGE),
    ([-1000.0, 0.0], 1.0, 0.0, 1, _EMPTY),
    ([0.0, -1000.0, 0.0], 1.0, 0.5, 2, _EMPTY),
    ([0.0, 0.0, -1000.0, -1000.0, 0.0, 0.0], 1.0, 0.5, 4, _EMPTY),
] + [
    (scores, temperature, u, token, _COLD)
    for scores, token in (([0.5, 2.0, -1.0, 1.0], 1), ([0.2, 0.1, 0.3], 2), ([-2.0, -3.0], 0))
    for temperature in (0, 0.0)
    for u in (0.5, 0.99, 0.0)
]  # fmt: skip


def _holds(drawn, scores):
    """Whether the last stretch holds the largest u below 1."""
    try:
        return drawn(scores, 1.0, float(np.nextafter(1.0, 0.0))) == len(scores) - 1
    except Exception:  # no token at all
        return False


def _compare_draws(given, temperature, us, got):
    """Raise `Wrong` unless these tokens were drawn with these u."""
    scores = np.array(given)
    p = _softmax(scores / temperature)
    right, V = _drawn(p, us), len(scores)
    down, up = np.argsort(-p), np.argsort(p)
    unsorted = "lay the probabilities end to end in the order of the tokens and not sorted"
    slips = [
        (_drawn(_softmax(scores * temperature), us), "divide by the temperature, do not multiply"),
        (
            _drawn(_softmax(scores), us),
            "the temperature has no effect: it must divide the scores before the softmax",
        ),
        (_drawn(_softmax(scores) / temperature, us), _SCORES),
        (_drawn(_softmax(_softmax(scores) / temperature), us), _SCORES),
        (
            _drawn(_softmax(-scores / temperature), us),
            "the sign: a high score makes a token likely",
        ),
        ([int(scores.argmax())] * len(us), "it is always the likeliest token, whatever u is"),
        ([int(V * u) for u in us], "every token has the same share: where are the scores?"),
        ([token - 1 for token in right], "it is the token before: count from 0"),
        ([token + 1 for token in right], "it is the token after: count from 0"),
        ([max(token - 1, 0) for token in right], "it is the token before: count from 0"),
        ([min(token + 1, V - 1) for token in right], "it is the token after: count from 0"),
        (_drawn(p, [1 - u for u in us]), "lay the stretches from 0 up: that draws with 1 - u"),
        ([int(down[token]) for token in _drawn(p[down], us)], unsorted),
        (_drawn(p[down], us), unsorted),
        ([int(up[token]) for token in _drawn(p[up], us)], unsorted),
        (_drawn(p[up], us), unsorted),
        (
            [int(np.argmax(p > u)) for u in us],
            "add the probabilities up: u is compared with where each stretch ends",
        ),
    ]
    for wrong, hint in slips:
        if got == wrong != right:
            raise Wrong(f"The token is not right yet: {hint}.")
    for u, token, wanted in zip(us, got, right, strict=True):
        if token != wanted:
            raise Wrong(
                f"For the scores {given} at temperature {temperature:g} and "
                f"u = {u:.3f} the token is {wanted}, got {token}."
            )


_SCORES = "divide the scores and not the probabilities: those must sum to 1"


def _softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def _drawn(p, us):
    """Return the tokens that are drawn with these probabilities and each u."""
    return [int(np.sum(np.cumsum(p)[:-1] <= u)) for u in us]


@check(
    "Right. Every reader goes on where it ended, and begins again at the end.",
    "At which place of the text is reader n at step t of batch k? Its beginning, plus the steps "
    "of all batches before, plus t.",
    "np.arange(N)[:, None] * (P // N) is a column of beginnings and k * T + np.arange(T) a row "
    "of steps: their sum has the shape (N, T). Take it % P.",
    "xs are the tokens at these places, and ts those at the places + 1, where nothing may be "
    "taken % P again: after the last prediction comes the last token.",
)
def text_batch(function):
    """Check ``(tokens, N, T, k) -> (xs, ts)``, batch k of a text with N readers."""
    rng = np.random.default_rng(0)
    for P, N, T in ((29, 5, 4), (47, 3, 5), (10, 2, 7), (7, 1, 3), (23, 4, 1), (5, 2, 5)):
        tokens = rng.permutation(10 * (P + 1))[: P + 1]
        for k in (0, 1, 2, 9):
            answer = several(call(function, tokens, N, T, k), ("xs", "ts"))
            right, slips = _batch(tokens, N, T, k), _batches(tokens, N, T, k)
            try:
                compare_all(("xs", "ts"), answer, right, slips)
            except Wrong as wrong:
                if wrong.kind == "wrong":
                    wrong.args = (f"Batch {k} where P = {P}, N = {N}, T = {T}: {wrong}",)
                raise


def _batch(
    tokens, N, T, k, *,
    begins=None,
    offset=lambda P, N, T: P // N,
    step=lambda N, T, k: k * T,
    wrap=0,
    ahead=1,
    end=1,
):  # fmt: skip
    """Return a batch, or that of a program with one slip."""
    P = len(tokens) - 1
    if begins is None:
        begins = np.arange(N)[:, None] * offset(P, N, T)
    places = (begins + step(N, T, k) + np.arange(T)) % (P + wrap)
    return tokens[places], tokens[(places + ahead) % (P + end)]


def _batches(tokens, N, T, k):
    """Return the batches of programs with one slip, and what the slip is."""
    P = len(tokens) - 1
    own = P // N
    xs, _ = _batch(tokens, N, T, k)
    places = np.arange(N)[:, None] * own + k * T + np.arange(T)
    chunks = np.arange(N)[:, None] * own + (k * T + np.arange(T)) % own
    early = (
        "the token after the last place is the last token and not the first: "
        "go round with the places, and add 1 after that"
    )
    rolled = (
        "rolled round in the row: after its last step comes the next token of the text, "
        "not the first one of the row"
    )
    beside = "the readers must begin P // N apart, not side by side"
    turns = (
        "a reader does not turn back at the next reader's beginning: "
        "it reads on to the end of the text"
    )

    def slip(**changes):
        return _batch(tokens, N, T, k, **changes)

    return [
        (slip(offset=lambda P, N, T: T, step=lambda N, T, k: k * N * T), beside),
        (slip(offset=lambda P, N, T: T), beside),
        (slip(offset=lambda P, N, T: 1), beside),
        (slip(offset=lambda P, N, T: 0), "all readers begin at the same place: P // N apart"),
        (slip(step=lambda N, T, k: k), "each batch moves the readers on by T and not by one"),
        (
            slip(step=lambda N, T, k: k * N * T),
            "each batch moves a reader on by T and not by N * T: there are N of them",
        ),
        (slip(step=lambda N, T, k: 0), "the readers do not move on: where is k?"),
        (slip(step=lambda N, T, k: (k + 1) * T), "batch 0 begins where the readers begin"),
        (slip(step=lambda N, T, k: (k - 1) * T), "batch 0 begins where the readers begin"),
        ((tokens[chunks], tokens[chunks + 1]), turns),
        (slip(wrap=1), "the last token is never read, only predicted: go round after P places"),
        (slip(wrap=own * N - P), "go round after P places, the last of which are read too"),
        (
            slip(offset=lambda P, N, T: (P + 1) // N),
            "there are P = len(tokens) - 1 predictions to divide among the readers",
        ),
        (
            slip(begins=np.arange(N)[:, None] * P // N),
            "reader n begins at n * (P // N): round down before you multiply",
        ),
        (
            slip(step=lambda N, T, k: k * (T + 1)),
            "by T and not by T + 1: the last target is read first in the next batch",
        ),
        ((places % P, places % P + 1), "those are the places: look up the tokens there"),
        ((xs, xs), "they are the same as xs: the tokens that follow are wanted"),
        (slip(ahead=-1), "those are the tokens before"),
        (slip(ahead=2), "those are two tokens on: the next ones are wanted"),
        (slip(ahead=T, end=0), "those are the tokens of the next batch: the next ones are wanted"),
        (slip(end=0), early),
        ((xs, np.roll(xs, -1, axis=1)), rolled),
        ((xs, np.roll(xs, -1)), rolled),
        ((xs, np.roll(xs, 1, axis=1)), rolled),
    ]
