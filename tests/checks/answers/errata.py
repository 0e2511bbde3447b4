"""Repairs of the classes with seven slips on the page *Errata*, and other answers."""

from attack import cells

SEVEN = {  # what the printed code says, what it should say, and what the check tells
    "a size from the wrong axis": ("(N, len(Wx))", "(N, Wx.shape[1])", "with D = H it runs"),
    "not stateful": ("if self.stateful or", "if not self.stateful or", "it began at zero"),
    "dh lost": ("dh = dhs[:, t]\n", "dh = dhs[:, t] + dh\n", "from the step after is lost"),
    "overwritten": ("] = self.xs[:, t].T", "] += self.xs[:, t].T", "only the term of step 0"),
    "no constructor": ("def __init(self, vocab", "def __init__(self, vocab", "two underscores"),
    "sum, not mean": ("share = 1.0 ", "share = 1.0 / len(steps) ", "6 times too large"),
    "not called": ('["rnn"].reset_state\n', '["rnn"].reset_state()\n', "nothing was reset"),
}


def tagged(tag):
    """Return the cells of the page with this tag, in one piece."""
    found = [source for _, tags, source in cells("errata") if tag in tags]
    return "\n\n\n".join([*found, ""])


def repaired(source, *slips):
    """Return this source with these slips, the others repaired."""
    for slip, (wrong, right, _) in SEVEN.items():
        if slip not in slips:
            source = source.replace(wrong, right)
    for name in ("Wh", "b"):
        if "overwritten" not in slips:
            source = source.replace(f'self.grads["{name}"] = ', f'self.grads["{name}"] += ')
    return source


PRINTED = tagged("seven-slips")
PAGE = repaired(PRINTED)
LAYER, MODEL = PAGE.split("class Parts:")
MODEL = "class Parts:" + MODEL
LAYERS = """
class TimeRNN:
    def __init__(self, Wx, Wh, b, stateful=False):
        self.params = [Wx, Wh, b]
        self.stateful = stateful
        self.state = None

    def set_state(self, h):
        self.state = h.copy()

    def reset_state(self):
        self.state = None

    def forward(self, xs):
        Wx, Wh, b = self.params
        N, T, D = xs.shape
        h = self.state if self.stateful else None
        if h is None:
            h = np.zeros((N, len(b)))
        self.tape = []
        for x in xs.swapaxes(0, 1):
            before, h = h, np.tanh(np.dot(x, Wx) + np.dot(h, Wh) + b)
            self.tape.append((x, before, h))
        self.state = h
        return np.array([after for _, _, after in self.tape]).swapaxes(0, 1)

    def backward(self, dhs):
        Wx, Wh, b = self.params
        dh = np.zeros_like(self.state)
        dzs = []
        for x, before, h in self.tape[::-1]:
            dh = dh + dhs[:, len(self.tape) - len(dzs) - 1]
            dzs.append(dh * (1 - h * h))
            dh = np.dot(dzs[-1], Wh.T)
        dzs.reverse()
        self.grads = [
            sum(x.T @ dz for (x, _, _), dz in zip(self.tape, dzs)),
            sum(before.T @ dz for (_, before, _), dz in zip(self.tape, dzs)),
            sum(dz.sum(axis=0) for dz in dzs),
        ]
        return np.stack([np.dot(dz, Wx.T) for dz in dzs], axis=1)
"""
JOINED = """
class TimeRNN:
    def __init__(self, Wx, Wh, b, stateful=False):
        self.params = {"Wx": Wx, "Wh": Wh, "b": b}
        self.keeps, self.h = stateful, None

    def set_state(self, h):
        self.h = h

    reset_state = lambda self: self.set_state(None)

    def forward(self, xs):
        D, H = self.params["Wx"].shape
        self.W = np.concatenate([self.params["Wx"], self.params["Wh"]])
        self.ins = np.zeros((xs.shape[1], len(xs), D + H))
        self.ins[:, :, :D] = np.moveaxis(xs, 1, 0)
        self.outs = np.zeros((xs.shape[1], len(xs), H))
        if self.keeps and self.h is not None:
            self.ins[0, :, D:] = self.h
        for t in range(len(self.ins)):
            self.outs[t] = np.tanh(self.ins[t] @ self.W + self.params["b"])
            if t + 1 < len(self.ins):
                self.ins[t + 1, :, D:] = self.outs[t]
        self.h = self.outs[-1]
        return np.moveaxis(self.outs, 0, 1)

    def backward(self, dhs):
        D = len(self.params["Wx"])
        dsums, din = [], np.zeros(self.ins.shape[1:])
        for out, dh in zip(self.outs[::-1], np.moveaxis(dhs, 1, 0)[::-1]):
            dsums.insert(0, (dh + din[:, D:]) * (1 - out) * (1 + out))
            din = np.einsum("nh,kh->nk", dsums[0], self.W)
        dW = np.einsum("tnk,tnh->kh", self.ins, dsums)
        self.grads = {"Wx": dW[:D], "Wh": dW[D:], "b": np.sum(dsums, axis=(0, 1))}
        return np.einsum("tnh,dh->ntd", dsums, self.params["Wx"])
"""
ANSWERS = {
    "time_rnn": [
        LAYER,
        LAYERS,
        JOINED,
    ],
    "rnnlm": [
        PAGE,
        """
class Model:
    def __init__(self, V, D, H, rng):
        a, b, c = (rng.standard_normal(shape) / H for shape in ((D, H), (H, H), (H, V)))
        self.layers = {
            "embed": rb.TimeEmbedding(rng.standard_normal((V, D)) / 10),
            "rnn": rb.TimeRNN(a, b, np.zeros(H), True),
            "affine": rb.TimeAffine(c, np.zeros(V)),
            "loss": rb.TimeSoftmaxWithLoss(),
        }

    @property
    def params(self):
        return self.collected("params")

    @property
    def grads(self):
        return self.collected("grads")

    def collected(self, kind):
        found = {}
        for name in self.layers:
            for key in getattr(self.layers[name], kind, {}):
                found[name + "." + key] = getattr(self.layers[name], kind)[key]
        return found

    def forward(self, xs, ts):
        h = self.layers["embed"].forward(xs)
        h = self.layers["rnn"].forward(h)
        return self.layers["loss"].forward(self.layers["affine"].forward(h), ts)

    def backward(self):
        d = self.layers["loss"].backward()
        d = self.layers["affine"].backward(d)
        d = self.layers["rnn"].backward(d)
        self.layers["embed"].backward(d)

    def reset_state(self):
        self.layers["rnn"].reset_state()
""",
        """
class Rnnlm:
    def __init__(self, V, D, H, rng):
        self.W, self.U = 0.3 * rng.normal(size=(V, D)), 0.3 * rng.normal(size=(H, V))
        self.c = np.zeros(V)
        Wx, Wh = 0.3 * rng.normal(size=(D, H)), 0.3 * rng.normal(size=(H, H))
        self.layers = {"rnn": rb.TimeRNN(Wx, Wh, np.zeros(H), stateful=True)}
        self.rnn = self.layers["rnn"]
        self.params = {"embed.W": self.W, "affine.W": self.U, "affine.b": self.c}
        self.params |= {"rnn." + name: array for name, array in self.rnn.params.items()}

    def forward(self, xs, ts):
        self.xs = xs
        self.hs = self.rnn.forward(self.W[xs])
        z = self.hs @ self.U + self.c
        p = np.exp(z - z.max(axis=2, keepdims=True))
        p /= p.sum(axis=2, keepdims=True)
        right = np.eye(len(self.W))[ts]
        self.dz = (p - right) / ts.size
        return -np.log((p * right).sum(axis=2)).mean()

    def backward(self):
        V, D = self.W.shape
        dW, dhs = np.zeros((V, D)), self.dz @ self.U.T
        np.add.at(dW, self.xs, self.rnn.backward(dhs))
        self.grads = {
            "embed.W": dW,
            "affine.W": np.einsum("nth,ntv->hv", self.hs, self.dz),
            "affine.b": self.dz.sum(axis=(0, 1)),
        }
        for name in self.rnn.grads:
            self.grads["rnn." + name] = self.rnn.grads[name]

    def reset_state(self):
        self.rnn.reset_state()
""",
    ],
}
SAME = "the same numbers, written in another way"
BEGINS = "weights and biases may begin anywhere from where the model learns"
SET = "every place is set below"
MADE = "backward makes the dict that it fills"
AXES = "to exchange two axes works both ways"
RIGHT_AFTER_ALL = {
    "time_rnn": {
        "self.grads = {} -> pass": MADE,
        "self.grads = {} -> type(self).grads = {}": MADE,
        "1 -> -1": "the second axis of Wx is its last",
        "dh * (1 - self.hs[t + 1] ** 2) -> dh.__imul__(1 - self.hs[t + 1] ** 2)": (
            "dh is a sum that backward has just made"
        ),
        "np.zeros_like(self.xs) -> np.ones_like(self.xs)": SET,
        "self.state = None -> type(self).state = None": (
            "it is None in the class, and each object's own state hides it"
        ),
        "h.copy() -> h": "nothing is written into the state",
        "xs.swapaxes(0, 1) -> xs.swapaxes(1, 0)": AXES,
        "np.array([after for _, _, after in self.tape]).swapaxes(0, 1) -> "
        "np.array([after for _, _, after in self.tape]).swapaxes(1, 0)": AXES,
        "np.moveaxis(xs, 1, 0) -> np.moveaxis(xs, 0, 1)": AXES,
        "np.moveaxis(dhs, 1, 0) -> np.moveaxis(dhs, 0, 1)": AXES,
        "np.moveaxis(self.outs, 0, 1) -> np.moveaxis(self.outs, 1, 0)": AXES,
        "np.zeros((xs.shape[1], len(xs), H)) -> np.ones((xs.shape[1], len(xs), H))": SET,
        "(0, 1) -> (1, 0)": "the sum is over both axes",
    },
    "rnnlm": {
        "self.grads = {} -> pass": MADE,
        "self.grads = {} -> type(self).grads = {}": MADE,
        "1 -> -1": "the second axis of Wx is its last",
        "dh * (1 - self.hs[t + 1] ** 2) -> dh.__imul__(1 - self.hs[t + 1] ** 2)": (
            "dh is a sum that backward has just made"
        ),
        "np.zeros_like(self.xs) -> np.ones_like(self.xs)": SET,
        "xs.swapaxes(0, 1) -> xs.swapaxes(1, 0)": AXES,
        "(0, 1) -> (1, 0)": "the sum is over both axes",
        "getattr(self.layers[name], kind, {}) -> getattr(self.layers[name], kind)": (
            "all layers of the package have params and grads"
        ),
        "self.params = {'embed.W': self.W, 'affine.W': self.U, 'affine.b': self.c} -> "
        "type(self).params = {'embed.W': self.W, 'affine.W': self.U, 'affine.b': self.c}": (
            "the |= below binds the dict to the object, and the next object makes another"
        ),
        **dict.fromkeys(
            [
                "draw((D, H)) / np.sqrt(D) -> draw((D, H)) * np.sqrt(D)",
                "draw((D, H)) / np.sqrt(D) -> draw((D, H)) // np.sqrt(D)",
                "draw((D, H)) / np.sqrt(D) -> draw((D, H))",
                "draw((D, H)) / np.sqrt(D) -> np.sqrt(D) / draw((D, H))",
                "np.sqrt(D) -> D",
                "draw((H, H)) / np.sqrt(H) -> draw((H, H)) * np.sqrt(H)",
                "draw((H, H)) / np.sqrt(H) -> draw((H, H)) // np.sqrt(H)",
                "draw((H, H)) / np.sqrt(H) -> draw((H, H))",
                "np.sqrt(H) -> H",
                "np.zeros(H) -> np.ones(H)",
                "draw((V, D)) / 100 -> draw((V, D)) // 100",
                "draw((V, D)) / 100 -> draw((V, D))",
                "draw((V, D)) / 100 -> 100 / draw((V, D))",
                "100 -> 101",
                "100 -> 99",
                "100 -> -100",
                "100 -> 200",
                "draw((H, V)) / np.sqrt(H) -> draw((H, V)) * np.sqrt(H)",
                "draw((H, V)) / np.sqrt(H) -> draw((H, V)) // np.sqrt(H)",
                "draw((H, V)) / np.sqrt(H) -> draw((H, V))",
                "draw((H, V)) / np.sqrt(H) -> np.sqrt(H) / draw((H, V))",
                "np.zeros(V) -> np.ones(V)",
                "rng.standard_normal(shape) / H -> rng.standard_normal(shape) // H",
                "rng.standard_normal(shape) / H -> rng.standard_normal(shape)",
                "rng.standard_normal((V, D)) / 10 -> rng.standard_normal((V, D)) * 10",
                "rng.standard_normal((V, D)) / 10 -> rng.standard_normal((V, D)) // 10",
                "rng.standard_normal((V, D)) / 10 -> rng.standard_normal((V, D))",
                "rng.standard_normal((V, D)) / 10 -> 10 / rng.standard_normal((V, D))",
                "10 -> 11",
                "10 -> 9",
                "10 -> -10",
                "10 -> 20",
                "0.3 * rng.normal(size=(V, D)) -> 0.3 / rng.normal(size=(V, D))",
                "0.3 * rng.normal(size=(V, D)) -> 0.3 + rng.normal(size=(V, D))",
                "0.3 * rng.normal(size=(V, D)) -> rng.normal(size=(V, D))",
                "0.3 -> 1.3",
                "0.3 -> -0.7",
                "0.3 -> -0.3",
                "0.3 -> 0.6",
                "0.3 * rng.normal(size=(H, V)) -> 0.3 / rng.normal(size=(H, V))",
                "0.3 * rng.normal(size=(H, V)) -> 0.3 + rng.normal(size=(H, V))",
                "0.3 * rng.normal(size=(H, V)) -> rng.normal(size=(H, V))",
                "0.3 * rng.normal(size=(D, H)) -> 0.3 / rng.normal(size=(D, H))",
                "0.3 * rng.normal(size=(D, H)) -> 0.3 + rng.normal(size=(D, H))",
                "0.3 * rng.normal(size=(D, H)) -> rng.normal(size=(D, H))",
                "0.3 * rng.normal(size=(H, H)) -> 0.3 / rng.normal(size=(H, H))",
                "0.3 * rng.normal(size=(H, H)) -> 0.3 + rng.normal(size=(H, H))",
                "0.3 * rng.normal(size=(H, H)) -> rng.normal(size=(H, H))",
            ],
            BEGINS,
        ),
    },
}


def but(source, *changes):
    """Return the source of an answer with these changes, each an old and a new text."""
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    return source


def layer(*changes):
    return but(LAYER, *changes)


def model(*changes):
    return but(PAGE, *changes)


def back(value):
    """Return the layer with something else in the place of what `through` hands back."""
    return layer(("dz @ Wx.T, dz @ Wh.T", value))


def slope(value):
    return layer(("(1 - self.hs[t + 1] ** 2)", value))


def grads(name, value):
    """Return the layer with something else in the place of one of the sums."""
    term = {"Wx": "self.xs[:, t].T @ dz", "Wh": "self.hs[t].T @ dz", "b": "dz.sum(axis=0)"}[name]
    old = f'self.grads["{name}"] += {term}'
    return layer((old, value.replace("TERM", term).replace("GRAD", f'self.grads["{name}"]')))


def printed(slip):
    """Return the layer of the page with one slip of the seven."""
    return repaired(PRINTED, slip).split("class Parts:")[0]


def shared(value):
    """Return the model with something else in the place of the share of a step."""
    return model(("self.share = 1.0 / len(steps)", f"self.share = {value}"))


SUM = "np.tanh(xs[:, t] @ Wx + self.h @ Wh + b)"
STACK = "np.stack(self.hs[1:], axis=1)"
BEGIN = "if not self.stateful or self.h is None:"
STEP = "dh = dhs[:, t] + dh\n            dxs[:, t], dh = self.through(t, dh)"
FORGET = "def reset_state(self):\n        self.h = None"
RESET = 'self.layers["rnn"].reset_state()'
BACK = "dout = layer.backward(dout)"
GATHERED = """
class Gathering(SimpleRnnlm):
    kept = None

    def backward(self):
        super().backward()
        old, now = self.kept, SimpleRnnlm.grads.fget(self)
        self.kept = BOTH

    grads = property(lambda self: self.kept)
"""
AFTER = """
class Other(SimpleRnnlm):
    def forward(self, xs, ts):
        loss = super().forward(xs, ts)
        return HOW
"""
NAIVE = """
class Naive:
    def forward(self, x, t):
        self.p, self.t = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), t
        return -np.log(self.p[range(len(t)), t]).mean()

    def backward(self, dout):
        return dout * (self.p - np.eye(self.p.shape[1])[self.t]) / len(self.t)


"""
SLIPS = {
    "time_rnn": [
        *((printed(slip), told) for slip, (_, _, told) in list(SEVEN.items())[:4]),
        (layer(("self.h @ Wh", "self.h @ Wh.T")), "h @ Wh, without a transpose"),
        (layer((" + self.h @ Wh", "")), "the state is not handed from step to step"),
        (layer(("self.h @ Wh + b", "self.h @ Wh")), "the bias is missing"),
        (layer(("np.tanh", "")), "the sum goes through tanh"),
        (layer((SUM, f"1 / (1 + np.exp(-{SUM[7:]}))")), "the sum goes through tanh"),
        (layer((STACK, "np.stack(self.hs[:-1], axis=1)")), "the states before the steps"),
        (layer((STACK, "np.stack(self.hs, axis=1)")), "leave out the state before the first step"),
        (layer((STACK, "self.h")), "return the state of every step, not only the last"),
        (layer((STACK, "np.stack(self.hs[1:])")), "must be sequences, steps and units"),
        (layer((STACK, f"{STACK}, self.h")), "must return the states alone, not a pair"),
        (layer((f"return {STACK}", STACK)), "Not yet: hs came out as None"),
        (layer(("np.stack", "np.stak")), "Your code raised AttributeError in line"),
        (layer((BEGIN, "if self.h is None:")), "it began where the last one ended"),
        (layer((BEGIN, "if not self.stateful:")), "no state yet at its first sequence"),
        (layer((BEGIN, "if True:")), "In a stateful layer, the next sequence begins where"),
        (layer(("stateful=False", "stateful=True")), "In a layer made without a word about it"),
        (layer((FORGET, "def reset_state(self):\n        pass")), "After reset_state(), the next"),
        (
            layer((FORGET, f"{FORGET}; self.stateful = False")),
            "the next one goes on: hs is not right yet: it began at zero again",
        ),
        (
            layer(("zeros((N", "ones((N")),
            "hs should be -0.5611 at [0, 0, 0], got -0.8958; 60 of 60 numbers are wrong",
        ),
        (layer(("self.h = h", "pass")), "After set_state(h), the next sequence begins in"),
        (
            layer(
                ("self.h = np.tanh", "self.h[...] = np.tanh"),
                ("[self.h]", "[self.h.copy()]"),
                ("append(self.h)", "append(self.h.copy())"),
            ),
            "wrote into the state that set_state was given",
        ),
        (back("dz @ Wx.T, dz"), "the step before is dz @ Wh.T: it goes through Wh"),
        (back("dz @ Wx.T, dh"), "the step before is dz @ Wh.T: it goes through Wh"),
        (back("dz @ Wx.T, dz @ Wh"), "the step before is dz @ Wh.T, with the transpose"),
        (back("dz @ Wx.T, dh @ Wh.T"), "the step before is dz @ Wh.T, not dh @ Wh.T"),
        (back("dz @ Wx.T, 0"), "from the step after is lost"),
        (back("dh @ Wx.T, dz @ Wh.T"), "dz, not dh, goes to the inputs"),
        (
            layer(
                (STEP, "dxs[:, t], more = self.through(t, dhs[:, t] + dh)\n            dh += more")
            ),
            "and replaces what came from the step after",
        ),
        (slope("(1 - self.hs[t] ** 2)"), "belongs to the state after the step, hs[t + 1]"),
        (slope("1"), "the slope of tanh is missing, 1 - h²"),
        (slope("(1 - self.hs[t + 1])"), "the slope of tanh is 1 - h², with the square"),
        (slope("self.hs[t + 1] * (1 - self.hs[t + 1])"), "h (1 - h) is that of the sigmoid"),
        (layer(("reversed(range(dhs.shape[1]))", "range(dhs.shape[1])")), "from the last step to"),
        (layer(("return dxs", "return dxs.swapaxes(0, 1)")), "must be sequences, steps and inputs"),
        (layer(("return dxs", "pass")), "Not yet: dxs came out as None"),
        (layer(("dh = dhs[:, t] + dh", "dhs[:, t] += dh; dh = dhs[:, t]")), "changed what it was"),
        (back("dz @ Wx.T, dz @ Wh.__isub__(0.1 * self.hs[t].T @ dz).T"), "changed the weights"),
        (grads("Wh", "GRAD = TERM"), "it is zero, like the term of step 0: is there an = where"),
        (
            grads("b", "GRAD += (t == 3) * TERM"),
            "grads['b'] is not right yet: only the term of the last",
        ),
        (
            grads("Wx", "GRAD += (t > 0) * (TERM)"),
            "grads['Wx'] is not right yet: the term of step 0 is",
        ),
        (
            grads("b", "GRAD += (t < 3) * TERM"),
            "grads['b'] is not right yet: the term of the last step",
        ),
        (grads("Wx", "GRAD += TERM / self.xs.shape[1]"), "do not take their mean"),
        (grads("b", "GRAD += dz.mean(axis=0)"), "do not divide by the sequences"),
        (grads("b", "GRAD += 0 * TERM"), "grads['b'] is not right yet: it is still zero"),
        (grads("Wh", "GRAD += self.hs[t + 1].T @ dz"), "it is the state before the step, hs[t]"),
        (grads("Wh", "GRAD += (TERM).T"), "grads['Wh'] is turned round"),
        (
            grads("Wh", "GRAD += (t > 0) * (TERM)"),
            "grads['Wh'] of a sequence that goes on is not right yet: the term of step 0",
        ),
        (
            layer(("self.grads = {k: ", "self.grads = self.grads or {k: ")),
            "grads['Wx'] of a second backward pass is not right yet: it piles up",
        ),
        (
            layer(
                ("np.zeros_like(self.xs), 0", "np.zeros_like(self.xs), vars(self).get('dh', 0)"),
                ("return dxs", "self.dh = dh; return dxs"),
            ),
            "dxs of a second backward pass should be",
        ),
        (layer(("return dxs", "del self.grads['b']; return dxs")), "Not yet: grads has no b"),
        (
            layer(("return dxs", "self.grads = 0; return dxs")),
            "grads must be a dict with the names",
        ),
        (
            layer((f"return {STACK}", f"return {STACK}.squeeze()")),
            "hs with N = 1 and T = 1 has the right numbers in the shape (2,)",
        ),
        (
            layer((FORGET, "def reset_state(self):\n        self.h = 0 * self.h")),
            "a batch of another size begins at zero, too; your code raised TypeError",
        ),
        (
            layer((FORGET, "def reset_state(self):\n        self.h = self.h and 0 * self.h")),
            "Your code raised ValueError in line",
        ),
        (
            layer(("self.xs, self.hs = xs", "type(self).xs, self.hs = xs")),
            "Two layers of the class",
        ),
        (
            layer(
                ('"b": b}', '"b": b}\n        self.own = [Wx.copy(), Wh.copy(), b.copy()]'),
                ("self.params.values()\n        self.begin", "self.own\n        self.begin"),
            ),
            "forward must use the arrays in params, not copies",
        ),
    ],
    "rnnlm": [
        *((repaired(PRINTED, slip), told) for slip, (_, _, told) in list(SEVEN.items())[4:]),
        (repaired(PRINTED, "dh lost"), "First the TimeRNN. dxs is not right yet: the gradient dh"),
        (model(("def __init__(self, vocab", "def _init_(self, vocab")), "two underscores"),
        (model(("def __init__(self, vocab", "def __int__(self, vocab")), "two underscores"),
        (lambda V, D: None, "Your code raised TypeError"),
        (model(('"rnn": rnn', '"cell": rnn')), 'The model needs layers, in which "rnn" is its'),
        (model(('"embed": rb', '"embedding": rb')), "params must be named embed.W, rnn.Wx"),
        (model(("draw((V, D))", "draw((V + 1, D))")), "params['embed.W'] must have shape (7, 3)"),
        (shared("len(xs) / len(steps)"), "4 times too large: divide by the sequences"),
        (shared("len(xs)"), "24 times too large: divide by the tokens"),
        (shared("1.0 / len(xs)"), "divided by the sequences; SoftmaxWithLoss has divided by them"),
        (shared("1.0 / xs[..., 0].size"), "divided by all tokens; SoftmaxWithLoss has divided by"),
        (shared("1 / 6"), "the loss after reset_state() with N = 1 and T = 1"),
        (PAGE + AFTER.replace("HOW", "np.exp(loss)"), "that is the perplexity"),
        (PAGE + AFTER.replace("HOW", "loss / np.log(2)"), "that is in bits"),
        (model(("return self.share", "self.share")), "Not yet: the loss came out as None"),
        (
            model(("array\n                for name", "array.copy()\n                for name")),
            "copies",
        ),
        (
            model(("loss.backward(self.share)", "loss.backward()")),
            "grads['embed.W'] is not right yet: it is 6 times too large; backward must",
        ),
        (
            PAGE
            + GATHERED.replace(
                "BOTH",
                "{k: np.asarray(g) + (old[k] if old else 0)\n"
                "                     for k, g in now.items()}",
            ),
            "grads['embed.W'] is not right yet: it piles up from call to call",
        ),
        (
            PAGE + GATHERED.replace("BOTH", "{k: 0 * np.asarray(g) for k, g in now.items()}"),
            "it is zero: are these the arrays that the layers fill",
        ),
        (
            PAGE + GATHERED.replace("BOTH", "old or now.copy()"),
            "grads['embed.W'] of the second batch",
        ),
        (
            PAGE + GATHERED.replace("BOTH", "{'rnn.b': now['rnn.b']}"),
            "Not yet: grads has no embed.W",
        ),
        (model((", stateful=True)", ")")), "the model began at zero"),
        (
            model((RESET, f"{RESET}; self.layers['rnn'].stateful = False")),
            "the loss of the second batch after reset_state() is not right yet: it began at zero",
        ),
        (
            model((RESET, "self.layers['rnn'].h = 0 * self.layers['rnn'].h")),
            "For the loss after reset_state() with N = 1 and T = 1 your code raised",
        ),
        (
            model((BACK, f"{BACK}; [p.__isub__(0.1) for p in self.params.values()]")),
            "backward changed the weights",
        ),
        (model(("self.layers = {", "type(self).layers = {")), "Two models of the class disturb"),
        (NAIVE + model(("rb.SoftmaxWithLoss()", "Naive()")), "Take the largest score of each step"),
        (
            model(
                ("draw((V, D)) / 100", "draw((V, D))"), ("draw((H, V)) /", "90 * draw((H, V)) /")
            ),
            "its weights begin too large",
        ),
        (
            model(("draw = rng.standard_normal", "draw = np.zeros")),
            "its weights must not begin at zero",
        ),
    ],
}
