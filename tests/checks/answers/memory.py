"""Answers to the exercises of *Memory*."""

import numpy as np

ANSWERS = {
    "rnn_step": [
        """
def rnn_step(x, h_prev, Wx, Wh, b):
    both = np.hstack([x, h_prev])
    return np.tanh(np.dot(both, np.vstack([Wx, Wh])) + b)
""",
        """
def rnn_step(inputs, hidden, W_ih, W_hh, bias):
    z = np.einsum("nd,dh->nh", inputs, W_ih)
    z += np.einsum("nk,kh->nh", hidden, W_hh)
    z += bias
    return (1 - 2 / (1 + np.exp(2 * z))).tolist()
""",
        """
def rnn_step(x, h_prev, Wx, Wh, b):
    new = []
    for n in range(len(x)):
        s = b.copy()
        for d, value in enumerate(x[n]):
            s += value * Wx[d]
        for k, value in enumerate(h_prev[n]):
            s += value * Wh[k]
        new.append(np.tanh(s).astype(np.float32))
    return np.stack(new)
""",
    ],
    "window_needed": [
        """
def window_needed(words):
    longest = 0
    for later in range(1, len(words) - 1):
        for earlier in range(later):
            if words[earlier + 1] != words[later + 1]:
                m = 0
                while m <= earlier and words[earlier - m] == words[later - m]:
                    m += 1
                longest = max(longest, m)
    return longest + 1
""",
        """
def clash(words, window):
    seen = {}
    for t in range(len(words) - 1):
        context = " ".join(words[max(0, t - window + 1) : t + 1])
        if seen.setdefault(context, words[t + 1]) != words[t + 1]:
            return True
    return False

def window_needed(words, window=1):
    return window_needed(words, window + 1) if clash(words, window) else np.int64(window)
""",
        """
def window_needed(words):
    window = 0.0
    certain = False
    while not certain:
        window += 1
        size, follows = int(window), {}
        for t in range(size, len(words)):
            follows.setdefault(tuple(words[t - size : t]), set()).add(words[t])
        certain = all(len(after) == 1 for after in follows.values())
    return window
""",
    ],
    "parity": [
        """
def parity():
    # e = 1 + (h1 + h2) / 2 says even: 1 in the state of zeros
    K = 20
    Wx = K * np.array([[1, -1]])
    Wh = K * np.array([[-0.5, 0.5], [-0.5, 0.5]])
    b = K * np.array([-1.5, 0.5])
    return {"Wx": Wx, "Wh": Wh, "b": b, "Wy": [[-0.5], [-0.5]], "by": [0]}
""",
        """
def parity():
    Wx = [[9.0, 7.0]]
    Wh = [(-3.5, -4.5), (3.5, 4.5)]
    return Wx, Wh, np.float32([-11, -4]), [[-1.0], [1.0]], [-0.5]
""",
    ],
}

SAME = "the same numbers, written in another way"
UNDONE = "the second slip undoes the first"
NUMBER = "any type of number will do"
WORKS = "the switches of this network leave room: it answers the same for any sequence"
RIGHT_AFTER_ALL = {
    "rnn_step": {
        "x @ Wx -> x @ Wx.T; x @ Wx.T -> x @ Wx.T.T": UNDONE,
        "np.stack(new) -> new": "a list will do",
    },
    "window_needed": {
        "1 -> 0": "a place before the song shows blanks alone, and no other place does",
        "1 -> -1": "a place before the song shows what no other place does",
        "range(later) -> range(0 + 0, later - -1)": "a place does not clash with itself",
        "later + 1 -> later * 1; words[later * 1] -> words[later * 1 + 1]": UNDONE,
        "max(longest, m) -> max(m, longest)": SAME,
        "max(0, t - window + 1) -> max(t - window + 1, 0)": SAME,
        "np.int64(window) -> window": NUMBER,
    },
    "parity": {
        "np.array([[0.5], [-0.5]]) -> [[0.5], [-0.5]]": "a list will do",
        "K * np.array([[1.0, 1.0]]) -> K / np.array([[1.0, 1.0]])": SAME,
        "K * np.array([[1, -1]]) -> K / np.array([[1, -1]])": SAME,
        "np.float32([-11, -4]) -> [-11, -4]": "a list will do",
        **dict.fromkeys(
            [
                "10.0 -> 11.0",
                "10.0 -> 9.0",
                "10.0 -> 20.0",
                "K * np.array([[1.0, 1.0]]) -> K + np.array([[1.0, 1.0]])",
                "1.0 -> 2.0",
                "20 -> 21",
                "20 -> 19",
                "20 -> 40",
                "1 -> 2",
                "9.0 -> 10.0",
                "9.0 -> 8.0",
                "7.0 -> 8.0",
                "7.0 -> 6.0",
                "7.0 -> 14.0",
                "(-3.5, -4.5) -> (-4.5, -3.5)",
                "(3.5, 4.5) -> (4.5, 3.5)",
                "3.5 -> 4.5",
                "3.5 -> 2.5",
                "4.5 -> 5.5",
                "4.5 -> 3.5",
                "11 -> 12",
                "11 -> 10",
                "4 -> 5",
                "4 -> 3",
                "0.5 -> 1.0",
                "7.0 -> 8.0; 8.0 -> 9.0",
            ],
            WORKS,
        ),
        "0.5 -> -0.5; 0.5 -> -0.5": UNDONE,
    },
}


def step(x, h_prev, Wx, Wh, b):
    return np.tanh(x @ Wx + h_prev @ Wh + b)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def changing(x, h_prev, Wx, Wh, b):
    h_prev @= Wh
    return np.tanh(x @ Wx + h_prev + b)


def search(sees, first=0, after=None, begin=1):
    """Return a search for the window; its slips lie in what a window shows, and where."""

    def window_needed(words):
        nexts = words[1:] if after is None else after(words)
        size, places = begin, range(first, len(nexts))
        while len({sees(words, t, size) for t in places}) < len(
            {(sees(words, t, size), nexts[t]) for t in places}
        ):
            size += 1
        return size

    return window_needed


def window(words, t, size, blank=None):
    return tuple([blank] * size + words)[t + 1 : t + 1 + size]


needed = search(window)


def odd_or_even(K=10.0, **changes):
    """Return the weights of a net that says whether the number of ones is odd."""
    weights = {
        "Wx": K * np.ones((1, 2)),
        "Wh": K * np.array([[0.5, 0.5], [-0.5, -0.5]]),
        "b": K * np.array([-0.5, -1.5]),
        "Wy": np.array([[0.5], [-0.5]]),
        "by": np.zeros(1),
    }
    return lambda: tuple({**weights, **changes}.values())


SLIPS = {
    "rnn_step": [
        (lambda x, h, Wx, Wh, b: x @ Wx + h @ Wh + b, "the tanh is missing"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh), "the bias is missing"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b), "that has no memory"),
        (lambda x, h, Wx, Wh, b: np.tanh(h @ Wh + b), "the input is missing"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h + b), "h_prev goes through Wh"),
        (lambda x, h, *W: step(x, h, *W) + h, "h_prev goes through Wh, and only there"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh, b + h), "h_prev goes through Wh, and only"),
        (lambda x, h, Wx, Wh, b: step(x, -h, Wx, Wh, b), "added, not subtracted"),
        (lambda x, h, Wx, Wh, b: step(x, np.tanh(h), Wx, Wh, b), "through its tanh already"),
        (lambda *a: np.tanh(step(*a)), "one tanh, not two"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h @ Wh) + b, "belongs inside the tanh"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh, 2 * b), "the bias is added once"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh, -b), "added, not subtracted"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh, b[:, None]), "it adds to each row"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx) + np.tanh(h @ Wh) + b, "then one tanh"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b) + np.tanh(h @ Wh), "then one tanh"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx) + np.tanh(h @ Wh + b), "then one tanh"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx) + h @ Wh + b, "then one tanh"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + b) + h @ Wh, "then one tanh"),
        (lambda x, h, Wx, Wh, b: x @ Wx + np.tanh(h @ Wh + b), "then one tanh"),
        (lambda x, h, Wx, Wh, b: x @ Wx + np.tanh(h @ Wh) + b, "then one tanh"),
        (lambda x, h, Wx, Wh, b: np.tanh((x @ Wx) * (h @ Wh) + b), "added, not multiplied"),
        (lambda x, h, Wx, Wh, b: sigmoid(x @ Wx + h @ Wh + b), "that is the sigmoid"),
        (lambda x, h, Wx, Wh, b: np.maximum(0, x @ Wx + h @ Wh + b), "that is ReLU"),
        (lambda x, h, Wx, Wh, b: np.tan(x @ Wx + h @ Wh + b), "np.tan is another function"),
        (lambda x, h, Wx, Wh, b: np.arctan(x @ Wx + h @ Wh + b), "np.arctan is another"),
        (lambda *a: 1 - step(*a) ** 2, "that is the slope of tanh"),
        (lambda x, h, Wx, Wh, b: step(h, x, Wx, Wh, b), "has its own weights"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wh, Wh, b), "has its own weights"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wx, b), "has its own weights"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx.T, Wh.T, b), "without a transpose"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx, Wh.T, b), "without a transpose"),
        (lambda x, h, Wx, Wh, b: step(x, h, Wx.T, Wh, b), "without a transpose"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + Wh @ h + b), "so the matrix comes second"),
        (lambda x, h, Wx, Wh, b: np.tanh(Wx @ x + h @ Wh + b), "so the matrix comes second"),
        (lambda x, h, Wx, Wh, b: step(Wx, Wh, x, h, b), "so the matrix comes second"),
        (lambda x, h, Wx, Wh, b: step(Wx, Wh, x, h, b[:, None]), "so the matrix comes second"),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + Wh @ h.T + b), "so the matrix comes second"),
        (
            lambda x, h, Wx, Wh, b: np.tanh(Wx.T @ x.T + Wh.T @ h.T + b),
            "so the matrix comes second",
        ),
        (lambda x, h, Wx, Wh, b: np.tanh(x @ Wx + h * Wh + b), "multiplies number by number"),
        (lambda x, h, Wx, Wh, b: np.tanh(x * Wx + h @ Wh + b), "multiplies number by number"),
        (lambda x, h, Wx, Wh, b: np.tanh(x * Wx + h * Wh + b), "multiplies number by number"),
        (lambda *a: step(*a).T, "rows and columns are in each other's place"),
        (lambda *a: step(*a).ravel(), "has the right numbers in the shape (9,)"),
        (lambda *a: step(*a).mean(axis=0), "h must have shape (3, 3)"),
        (lambda *a: step(*a) if len(a[0]) > 1 else step(*a)[0], "in the shape (3,)"),
        (changing, "rnn_step changed what it was given"),
    ],
    "window_needed": [
        (lambda words: 1, "Not yet: the window came out as 1 for every song."),
        (lambda words: None, "Not yet: the window for 'one two three four' came out as None"),
        (lambda words: needed(words) - 1, "does yours count the present word?"),
        (lambda words: needed(words) + 1, "one too large everywhere"),
        (search(window, begin=2), "a window of 1 may be enough"),
        (search(window, begin=0), "'ha ha ha ha' needs a window of 1; got 0: the smallest window"),
        (search(window, after=lambda words: range(len(words) - 1)), "go on with the same word"),
        (search(window, after=lambda words: [*words[1:], None]), "so it is no place"),
        (search(window, after=lambda words: [*words[1:], words[0]]), "so it is no place"),
        (search(window, first=1), "the first word is a place too"),
        (
            search(
                lambda words, t, w: tuple(words[i % len(words)] for i in range(t - w + 1, t + 1))
            ),
            "'a b z a c z' needs a window of 2; got 3: an index below 0 counts from the end",
        ),
        (
            search(lambda words, t, w: tuple(words[t - w + 1 : t + 1])),
            "an index below 0 counts from the end",
        ),
        (
            search(lambda words, t, w: window(words, t, w, words[0])),
            "the search for it does not end: the blanks before the first word are a word",
        ),
        (
            search(lambda words, t, w: window(words, t, w, words[-1])),
            "got 3: the blanks before the first word are a word of the song",
        ),
        (
            search(lambda words, t, w: frozenset(window(words, t, w))),
            "the search for it does not end: a set forgets order and number",
        ),
        (
            search(lambda words, t, w: tuple(sorted(window(words, t, w, "")))),
            "the order of the words in a window counts",
        ),
        (
            search(lambda words, t, w: "".join(window(words, t, w, ""))),
            "words that are joined without a space can look the same",
        ),
        (
            search(lambda words, t, w: tuple(words[t : t + w])),
            "got 2: with 2, 'la la' goes on with 'la' and also with 'love'",
        ),
        (
            search(lambda words, t, w: words[t]),
            "the search for it does not end: a larger window must show more words",
        ),
        (search(lambda words, t, w: window(words, t - 1, w)), "in a window is the present one"),
        (search(lambda words, t, w: t > 0), "needs a window of 1; the search for it does not end"),
        (lambda words: len(words), "got 4: with 1, no two places clash any more"),
        (lambda words: 2 * needed(words) - 2, "got 0: the smallest window is 1"),
        (
            lambda words: min(needed(words), 3),
            "got 3: with 3, 'I really love' goes on with 'you' and also with 'carrots'",
        ),
        (lambda words: min(needed(words), 4), "'no no yes no no yes no no no' needs a window of 6"),
        (lambda words: needed(words) + 0.5, "must be a whole number, got 1.5"),
        (lambda words: needed([*words, words.pop()]), "changed what it was given"),
    ],
    "parity": [
        (odd_or_even(Wy=np.array([[-0.5], [0.5]]), by=np.ones(1)), "1 - y is what you want"),
        (odd_or_even(Wh=np.zeros((2, 2))), "that says the present bit"),
        (
            odd_or_even(
                Wx=np.array([[20.0, 20.0]]),
                Wh=np.full((2, 2), 5.0),
                b=np.array([-5.0, -5.0]),
                Wy=np.array([[0.5], [0.5]]),
            ),
            "whether there was a one at all",
        ),
        (
            odd_or_even(
                Wx=10 * np.array([[2.0, 2.0]]),
                Wh=10 * np.array([[1.0, 3.0], [0.0, 1.0]]),
                b=10 * np.array([-0.5, -3.0]),
            ),
            "that says whether there was exactly one 1 so far",
        ),
        (odd_or_even(Wy=np.array([[0.5], [-0.5]]) / 2), "the answer is never above one half"),
        (odd_or_even(by=np.ones(1)), "the answer is never below one half"),
        (odd_or_even(Wh=np.array([[5.0, -5.0], [5.0, -5.0]])), "it is h @ Wh"),
        (odd_or_even(b=np.array([5.0, 15.0])), "a threshold goes into b with a minus"),
        (odd_or_even(by=np.array([-0.5])), "is compared with one half"),
        (
            odd_or_even(Wh=np.array([[10.0, 10.0], [-10.0, -10.0]]), Wy=np.array([[1.0], [-1.0]])),
            "that is for units of 0 and 1",
        ),
        (odd_or_even(K=1.5), "Not right yet: larger weights and biases make tanh a switch"),
        (odd_or_even(K=2.0), "Right for 8 bits, but not always after 9: the state blurs."),
        (odd_or_even(Wh=np.full((2, 2), 5.0)), "the number of ones is odd, and yours says even"),
        (odd_or_even(Wy=np.zeros((2, 1)), by=np.array([0.5])), "yours says neither: exactly one"),
        (odd_or_even(b=np.array([[-5.0, -15.0]])), "b has the shape (1, 2); wanted: shape (2,)."),
        (odd_or_even(by=0.0), "by has the shape (); wanted: shape (1,)."),
        (odd_or_even(Wx=np.array([[10.0], [10.0]])), "Wx is turned round: a row times Wx needs"),
        (odd_or_even(Wx=np.array([[10.0, np.nan]])), "Wx holds [[10., nan]], which is no finite"),
        (lambda: [odd_or_even()()[i] for i in (0, 2, 1, 3, 4)], "return Wx, Wh, b, Wy and by."),
        (lambda: odd_or_even()()[:4], "Return five arrays, Wx, Wh, b, Wy and by; got 4."),
        (lambda: (None, *odd_or_even()()[1:]), "Not yet: Wx came out as None"),
    ],
}
