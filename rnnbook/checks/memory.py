"""The exercises of *Memory*: one step of an RNN, the window of a song, and parity by hand."""

import functools
import itertools

import numpy as np

from . import verdict
from .compare import array_of, call, compare, several, shown, whole
from .guard import TimeUp, TooLarge, within
from .verdict import NotYet, Wrong, check

__all__ = ["parity", "rnn_step", "window_needed"]


@check(
    "Right: the new input and the last state, added up and squashed.",
    "Equation (1) has three terms. Which of them come through a matrix?",
    "Rows times matrices: x @ Wx and h_prev @ Wh have the same shape, (N, H). The bias adds to "
    "each row.",
    "Add the two products and b first, and take np.tanh of the sum.",
)
def rnn_step(function):
    """Check ``(x, h_prev, Wx, Wh, b) -> h`` for one step of a plain RNN."""
    rng = np.random.default_rng(0)
    # where all sizes are equal every slip runs, and can be told; then all are different
    for N, D, H in ((3, 3, 3), (2, 3, 4), (1, 2, 3), (4, 1, 2), (5, 3, 1)):
        shapes = (N, D), (N, H), (D, H), (H, H), (H,)
        arguments = x, h_prev, Wx, Wh, b = [rng.standard_normal(shape) for shape in shapes]
        slips = _step_slips(*arguments) if N == D == H else ()
        got = call(function, *arguments, name="rnn_step")
        compare("h", got, np.tanh(x @ Wx + h_prev @ Wh + b), slips)


def _step_slips(x, h_prev, Wx, Wh, b):
    """Return what slips make of square arrays, in pairs with what they tell."""
    fed_in, fed_back = x @ Wx, h_prev @ Wh
    total = fed_in + fed_back + b
    first, own = "add first, then one tanh", "x has its own weights, Wx, and h_prev has Wh"
    slips = [
        (total, "the tanh is missing"),
        (np.tanh(fed_in + fed_back), "the bias is missing"),
        (np.tanh(fed_in + b), "the last state is missing: that has no memory"),
        (np.tanh(fed_back + b), "the input is missing"),
        (np.tanh(fed_in + h_prev + b), "h_prev goes through Wh"),
        (np.tanh(total) + h_prev, "h_prev goes through Wh, and only there"),
        (np.tanh(total + h_prev), "h_prev goes through Wh, and only there"),
        (np.tanh(fed_in - fed_back + b), "the two products are added, not subtracted"),
        (np.tanh(fed_in + np.tanh(h_prev) @ Wh + b), "h_prev has been through its tanh already"),
        (np.tanh(np.tanh(total)), "one tanh, not two"),
        (np.tanh(fed_in + fed_back) + b, "the bias belongs inside the tanh"),
        (np.tanh(fed_in + fed_back + 2 * b), "the bias is added once"),
        (np.tanh(fed_in + fed_back - b), "the bias is added, not subtracted"),
        (np.tanh(fed_in + fed_back + b[:, None]), "b has one number a unit: it adds to each row"),
        (np.tanh(fed_in) + np.tanh(fed_back) + b, first),
        (np.tanh(fed_in + b) + np.tanh(fed_back), first),
        (np.tanh(fed_in) + np.tanh(fed_back + b), first),
        (np.tanh(fed_in) + fed_back + b, first),
        (np.tanh(fed_in + b) + fed_back, first),
        (fed_in + np.tanh(fed_back + b), first),
        (fed_in + np.tanh(fed_back) + b, first),
        (np.tanh(fed_in * fed_back + b), "the two products are added, not multiplied"),
        (1 / (1 + np.exp(-total)), "that is the sigmoid, not tanh"),
        (np.maximum(total, 0), "that is ReLU, not tanh"),
        (np.tan(total), "np.tan is another function: np.tanh"),
        (np.arctan(total), "np.arctan is another function: np.tanh"),
        (1 - np.tanh(total) ** 2, "that is the slope of tanh, for the way back"),
        (np.tanh(h_prev @ Wx + x @ Wh + b), own),
        (np.tanh(x @ Wh + fed_back + b), own),
        (np.tanh(fed_in + h_prev @ Wx + b), own),
    ]
    for hint, other in (
        ("x @ Wx and h_prev @ Wh, without a transpose", lambda row, W: row @ W.T),
        (
            "a state is a row, so the matrix comes second: x @ Wx and h_prev @ Wh",
            lambda row, W: W @ row,
        ),
        (
            "a state is a row, so the matrix comes second: x @ Wx and h_prev @ Wh",
            lambda row, W: W @ row.T,
        ),
        (
            "a state is a row, so the matrix comes second: x @ Wx and h_prev @ Wh",
            lambda row, W: W.T @ row.T,
        ),
        (
            "* multiplies number by number; a row times a matrix is x @ Wx, h_prev @ Wh",
            lambda row, W: row * W,
        ),
    ):
        for a, c in (
            (other(x, Wx), fed_back),
            (fed_in, other(h_prev, Wh)),
            (other(x, Wx), other(h_prev, Wh)),
        ):
            slips += [(np.tanh(a + c + b), hint), (np.tanh(a + c + b[:, None]), hint)]
    return slips


_SONGS = (
    "one two three four",
    "sun moon star moon sun sand",  # the same words in two orders
    "la la la love",  # all words that a window shows are the same
    "I love you I love carrots",
    "a b c a b c a b c",
    "knock knock who is there",  # the first two places clash
    "to be or not to be",  # the last word has been there before
    "a b z a c z",  # the song ends with a word that might stand before its beginning
    "ab c x a bc y x z",  # words that run together look the same
    "I really love you I really love carrots",
    "ha ha ha ha",  # even with a window of none
    "no no yes no no yes no no no",
)


@check(
    "Right: it reaches just far enough to tell all the places apart.",
    "A place has a word that comes next, so the last word is none. What does a window show at "
    "each place, and what comes next there?",
    "Put blanks of a kind of their own before the words. Then each place has a full window: a "
    "slice of that list, as a tuple.",
    "Collect, each once, the pairs of what the window shows and of the word that comes next. "
    "Places clash if there are fewer different windows than pairs.",
)
def window_needed(function):
    """Check ``words -> window``, the smallest with which every next word is certain."""
    songs, got = [song.split() for song in _SONGS], []
    for words in songs:
        got.append(_window_of(function, words))
        if got.count(None) == 2:  # each takes its time
            break
    rights = [_smallest(words) for words in songs]
    if got == rights:
        return
    if set(got) == {1}:
        raise NotYet("the window came out as 1 for every song. Does clash ever say True?")
    told = {hint for slip, hint in _WINDOW_SLIPS if got == [slip(w) for w in songs[: len(got)]]}
    tries = zip(songs, rights, got, strict=False)
    words, right, window = next(tried for tried in tries if tried[1] != tried[2])
    found = "the search for it does not end" if window is None else f"got {window}"
    reason = told.pop() if len(told) == 1 else _why(words, right, window)
    raise Wrong(f"{' '.join(words)!r} needs a window of {right}; {found}: {reason}.")


def _window_of(function, words):
    """Return the reader's window, or None where the search for it does not end."""
    try:
        window = within(verdict.LIMIT / 6, call, function, words)
    except TooLarge:
        raise
    except TimeUp:
        return None
    return whole(f"the window for {' '.join(words)!r}", window)


def _why(words, right, window):
    """Say what shows that a window is not the one that is needed."""
    if window is None or window > right:
        return f"with {right}, no two places clash any more"
    if window < 1:
        return "the smallest window is 1, the present word alone"
    seen = {}
    for t, after in enumerate(words[1:]):
        shown_there = _window(words, t, window)
        other = seen.setdefault(shown_there, after)
        if other != after:
            break
    return (
        f"with {window}, {' '.join(shown_there)!r} goes on with {other!r} and also with {after!r}"
    )


def _window(words, t, window, blank=None):
    """Return what a window shows at place t."""
    return tuple([blank] * window + words)[t + 1 : t + 1 + window]


def _smallest(words, sees=_window, first=0, after=None):
    """Return the smallest window with which no two places clash, or None if there is none.

    A slip may lie in what the window shows, in the first place or in what comes after each.
    """
    after = words[1:] if after is None else after
    for window in range(1, 3 * len(words) + 3):
        pairs = {(sees(words, t, window), after[t]) for t in range(first, len(after))}
        if len({pair[0] for pair in pairs}) == len(pairs):
            return window
    return None


def _by(sees):
    """Return a search whose window shows something else."""
    return lambda words: _smallest(words, sees)


_FROM_THE_END = "an index below 0 counts from the end: put blanks before the first word"
_NO_PLACE = "after the last word nothing comes, so it is no place"
_WINDOW_SLIPS = (
    (lambda words: _smallest(words) - 1, "does yours count the present word? It is 1, not 0"),
    (lambda words: _smallest(words) + 1, "yours is one too large everywhere"),
    (lambda words: max(2, _smallest(words)), "a window of 1 may be enough"),
    (
        lambda words: _smallest(words, after=range(len(words) - 1)),
        "places that go on with the same word do not clash",
    ),
    (lambda words: _smallest(words, after=[*words[1:], None]), _NO_PLACE),
    (lambda words: _smallest(words, after=[*words[1:], words[0]]), _NO_PLACE),
    (lambda words: _smallest(words, first=1), "the first word is a place too"),
    (_by(lambda words, t, w: tuple(words[i % len(words)] for i in range(t - w + 1, t + 1))),
     _FROM_THE_END),
    (_by(lambda words, t, w: tuple(words[t - w + 1 : t + 1])), _FROM_THE_END),
    (_by(lambda words, t, w: _window(words, t, w, words[0])),
     "the blanks before the first word are a word of the song"),
    (_by(lambda words, t, w: _window(words, t, w, words[-1])),
     "the blanks before the first word are a word of the song"),
    (_by(lambda words, t, w: frozenset(_window(words, t, w))), "a set forgets order and number"),
    (_by(lambda words, t, w: tuple(sorted(_window(words, t, w, "")))),
     "the order of the words in a window counts"),
    (_by(lambda words, t, w: "".join(_window(words, t, w, "-"))),
     "words that are joined without a space can look the same"),
    (_by(lambda words, t, w: words[t]), "a larger window must show more words"),
    (_by(lambda words, t, w: _window(words, t - 1, w)),
     "the last word in a window is the present one"),
)  # fmt: skip


_SHAPES = {"Wx": (1, 2), "Wh": (2, 2), "b": (2,), "Wy": (2, 1), "by": (1,)}


@check(
    "Right, and on 500 bits too: two units that count without counting.",
    "Large weights make of tanh a switch: nearly -1 or 1. Where should each of the two units "
    "switch, if x + p is what they look at?",
    "One unit switches at x + p = 0.5, the other at 1.5: these are the biases, with a minus. "
    "Of (-1, -1), (1, -1) and (1, 1) only the middle one is odd.",
    "So p = (h1 - h2) / 2, for the answer and for the next step: its ½ and -½ stand in Wy, and "
    "in the rows of Wh. Multiply Wx, Wh and b by a number such as 10.",
)
def parity(function):
    """Check ``() -> (Wx, Wh, b, Wy, by)`` of a net that says whether the ones are odd."""
    weights = several(call(function, name="parity"), _SHAPES)
    weights = [array_of(name, part) for name, part in zip(_SHAPES, weights, strict=True)]
    _shapes_of_parity(weights)
    bits = _bits(8)
    said = _says(bits, *weights)
    if not np.array_equal(said, _odd(bits)):
        raise Wrong(f"Not right yet: {_why_not_odd(bits, said, *weights)}.")
    long, odd = _long()
    wrong = (_says(long, *weights) != odd).any(axis=0)
    if wrong.any():
        raise Wrong(
            f"Right for 8 bits, but not always after {wrong.argmax() + 1}: the state blurs. "
            "Larger weights and biases make tanh a cleaner switch."
        )


def _shapes_of_parity(weights):
    """Refuse weights of other shapes, in another order, or that are no numbers."""
    by_shape = {part.shape: part for part in weights}
    if [*by_shape] != [*_SHAPES.values()] and by_shape.keys() == set(_SHAPES.values()):
        bits = _bits(8)
        said = _says(bits, *(by_shape[shape] for shape in _SHAPES.values()))
        if np.array_equal(said, _odd(bits)):
            raise Wrong("Every part is right, but in another order: return Wx, Wh, b, Wy and by.")
    for (name, shape), part in zip(_SHAPES.items(), weights, strict=True):
        if part.shape == shape[::-1] != shape:
            raise Wrong(f"{name} is turned round: a row times {name} needs the shape {shape}.")
        if part.shape != shape:
            raise Wrong(f"{name} has the shape {part.shape}; wanted: shape {shape}.")
        if not np.isfinite(part).all():
            raise Wrong(f"{name} holds {shown(part)}, which is no finite number.")


def _bits(n):
    """Return all rows of n bits."""
    return np.array(list(itertools.product([0, 1], repeat=n)))


@functools.cache
def _long():
    """Return long rows of bits, and whether the number of ones is odd at each step.

    They are all rhythms of up to six bits, each after a 0 and after a 1, and rows at random
    with few ones, or many.
    """
    rhythms = np.stack([np.resize(bits, 500) for n in range(1, 7) for bits in _bits(n)])
    first = rhythms.copy(), rhythms.copy()
    first[0][:, 0], first[1][:, 0] = 0, 1
    shares = np.linspace(0.02, 0.98, 40)[:, None]
    long = np.vstack([*first, np.random.default_rng(0).random((40, 500)) < shares])
    return long, _odd(long)


def _odd(bits):
    """Say at each step whether the number of ones so far is odd."""
    return np.cumsum(bits, axis=1) % 2


def _says(bits, Wx, Wh, b, Wy, by, squash=np.tanh):
    """Run a net on bits (N, T); say at each step if it says odd (1) or even (0); -1 is neither."""
    h, hs = np.zeros((len(bits), len(Wh))), []
    fed_in = bits.T[:, :, None] @ Wx + b  # (T, N, 1) @ (1, 2) -> (T, N, 2)
    for term in fed_in:
        h = squash(term + h @ Wh)
        hs.append(h)
    y = (np.stack(hs, axis=1) @ Wy + by)[..., 0]
    return np.where(y > 0.5, 1, np.where(y < 0.5, 0, -1))


def _why_not_odd(bits, said, Wx, Wh, b, Wy, by):
    """Say what a net answers in place of odd or even, or what would make it right."""
    ones, odd = np.cumsum(bits, axis=1), _odd(bits)
    if np.array_equal(said, 1 - odd):
        return "the answer is the wrong way round: 1 - y is what you want"
    for what_if, hint in (
        ((Wx, Wh.T, b, Wy, by), "Wh is turned round: a state is a row, so it is h @ Wh"),
        ((Wx, Wh, -b, Wy, by), "a threshold goes into b with a minus"),
        ((Wx, Wh, b, Wy, by + 0.5), "the answer is compared with one half, not with 0"),
        ((Wx, Wh, b, Wy, by, _switch), "that is for units of 0 and 1, but tanh gives -1 and 1"),
        ((100 * Wx, 100 * Wh, 100 * b, Wy, by), "larger weights and biases make tanh a switch"),
    ):
        if np.array_equal(_says(bits, *what_if), odd):
            return hint
    for other, hint in (
        (bits, "that says the present bit: the state before is not used"),
        (ones > 0, "that says whether there was a one at all"),
        (ones == 1, "that says whether there was exactly one 1 so far"),
        (0 * odd, "the answer is never above one half"),
        (0 * odd + 1, "the answer is never below one half"),
    ):
        if np.array_equal(said, other):
            return hint
    wrong = said != odd
    first = np.where(wrong.any(axis=1), wrong.argmax(axis=1), bits.shape[1])
    n, t = first.argmin(), first.min()
    answers = "even", "odd", "neither: exactly one half"
    return (
        f"after {' '.join(map(str, bits[n, : t + 1]))} the number of ones is "
        f"{answers[odd[n, t]]}, and yours says {answers[said[n, t]]}"
    )


def _switch(z):
    """Squash to 0 or 1."""
    return (z > 0).astype(float)
