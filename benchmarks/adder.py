"""The binary adder: single examples as in the source, and batches until every sum is right.

    python benchmarks/adder.py

First 10,000 single examples, by the package and by a plain loop over the bits, written
out below; both see the same sums from the same weights and must end with the same
weights. Then batches of 64 with Adam, over five seeds: how long until all 16,384 sums of
two numbers below 128 are right, and how long the plain loop takes to get there.
"""

import statistics
import time

import numpy as np

from rnnbook import SGD, Adam, BinaryAdder
from rnnbook.data import binary_addition, binary_sums
from rnnbook.training import fit

H, EXAMPLES, SEEDS = 16, 10_000, range(5)
EVERY_SUM = np.divmod(np.arange(128 * 128), 128)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class PlainLoop:
    """The adder without the package: one bit at a time, forward and then back."""

    def __init__(self, params):
        self.Wx, self.Wy, self.Wh = (params[name].copy() for name in ("Wx", "Wy", "Wh"))

    def learn(self, xs, ts, lr=0.1):
        hs, dscores = [np.zeros((1, H))], []
        for x, t in zip(xs[0], ts[0], strict=True):
            hs.append(sigmoid(x[None] @ self.Wx + hs[-1] @ self.Wh))
            y = sigmoid(hs[-1] @ self.Wy)
            dscores.append((y - t) * y * (1 - y))
        dWx, dWy, dWh = np.zeros_like(self.Wx), np.zeros_like(self.Wy), np.zeros_like(self.Wh)
        dh_next = np.zeros((1, H))
        for k in reversed(range(len(dscores))):
            h = hs[k + 1]
            dz = (dscores[k] @ self.Wy.T + dh_next) * h * (1 - h)
            dWy += h.T @ dscores[k]
            dWh += hs[k].T @ dz
            dWx += xs[0, k][:, None] @ dz
            dh_next = dz @ self.Wh.T
        self.Wx -= lr * dWx
        self.Wy -= lr * dWy
        self.Wh -= lr * dWh

    def predict(self, xs):
        h, ys = np.zeros((len(xs), H)), []
        for k in range(xs.shape[1]):
            h = sigmoid(xs[:, k] @ self.Wx + h @ self.Wh)
            ys.append(sigmoid(h @ self.Wy))
        return np.stack(ys, axis=1)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def all_right(model, xs, ts):
    return ((model.predict(xs) > 0.5) == ts).all()


def single_examples(seed):
    """Return the seconds that the package and the plain loop take for the same examples."""
    rng = np.random.default_rng(seed)
    adder, batches = BinaryAdder(H, rng=rng), binary_sums(1, rng=rng)
    plain, examples = PlainLoop(adder.params), [next(batches) for _ in range(EXAMPLES)]
    ours = theirs = 0.0
    for start in range(0, EXAMPLES, 500):  # in turns
        some = examples[start : start + 500]
        ours += seconds(lambda some=some: fit(adder, SGD(0.1), some))
        theirs += seconds(lambda some=some: [plain.learn(*example) for example in some])
    for name, param in adder.params.items():
        np.testing.assert_allclose(param, getattr(plain, name), rtol=1e-6)
    return ours, theirs


def until_all_right(seed, every_sum):
    """Return the seconds and examples until every sum is right, in batches and singly."""
    rng = np.random.default_rng(seed)
    adder, optimizer, batches = (
        BinaryAdder(H, rng=rng, bias=True),
        Adam(0.05),
        binary_sums(64, rng=rng),
    )
    start, updates = time.perf_counter(), 0
    while not all_right(adder, *every_sum):
        fit(adder, optimizer, batches, steps=50)
        updates += 50
    in_batches = time.perf_counter() - start

    rng = np.random.default_rng(seed)
    plain, batches = PlainLoop(BinaryAdder(H, rng=rng).params), binary_sums(1, rng=rng)
    start, examples = time.perf_counter(), 0
    while not all_right(plain, *every_sum):
        for _ in range(500):
            plain.learn(*next(batches))
        examples += 500
    return in_batches, updates, time.perf_counter() - start, examples


print(f"The binary adder, {H} hidden units, 8 bits, float64")
pairs = [single_examples(seed) for seed in SEEDS]
ratio = statistics.median(theirs / ours for ours, theirs in pairs)
print(f"{EXAMPLES:,} single examples: {statistics.median(p[0] for p in pairs):.1f} s;", end=" ")
print(f"the plain loop takes {ratio:.2f} times as long (median of {len(pairs)} seeds)")
every_sum = binary_addition(*EVERY_SUM)
for seed in SEEDS:
    batched, updates, alone, examples = until_all_right(seed, every_sum)
    print(
        f"seed {seed}: all 16,384 sums right after {updates} batches of 64, {batched:.2f} s; "
        f"the plain loop: {examples:,} examples, {alone:.1f} s, {alone / batched:.0f} times as long"
    )
