"""A training step of `SimpleRnnlm` beside the same model in PyTorch and beside its definition.

    python benchmarks/rnnlm.py

A step is forward, backward and an update by SGD, in float32. All models begin with the
same weights, and their losses must agree over three steps before anything is timed. Then
they take turns, many rounds long; each ratio is the median over the rounds. "PyTorch" is
the model as it is usually written, batch first as ours; "at best" is the fastest of four:
with either layout, and with dense or sparse gradients of the embedding. "Unrolled" is our
own reference, a Python object for every step. "Of peak" is the share of the speed that
NumPy reaches, in the same run, at multiplying large matrices and nothing else; PyTorch's
speed at that is printed too. Memory is what a step allocates at its peak, beside what the
step before has left.
"""

import os
import random
import statistics
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from itertools import product

SIZES = [  # V, D, H, N, T
    (418, 100, 100, 10, 5),
    (65, 64, 128, 32, 50),
    (10000, 100, 100, 20, 35),
    (27, 16, 16, 1, 25),
    (65, 256, 256, 64, 64),
]
THREADS = (1, 2)
ROUNDS, SECONDS_A_TURN, REST = 25, 0.05, 0.02


def main():
    """Measure each number of threads in a process of its own, as BLAS wants it."""
    for threads in THREADS:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        command = [sys.executable, __file__, str(threads)]
        subprocess.run(
            command, env={**os.environ, **dict.fromkeys(names, str(threads))}, check=True
        )


def measure(threads):
    """Print the table for one number of threads, and how memory grows with T."""
    peak = matrix_product_peak()
    print(f"\nSimpleRnnlm, one training step, float32, {threads} BLAS thread{'s'[: threads - 1]};")
    print(f"large products: NumPy {np.__version__} {peak:.0f} GFLOP/s,", end=" ")
    print(f"PyTorch {torch.__version__} {matrix_product_peak(torch.from_numpy):.0f} GFLOP/s")
    print("     V   D   H   N   T   step, ms  PyTorch  at best  unrolled  of peak  memory, MB")
    for sizes in SIZES:
        turns = contestants(sizes)
        seconds = take_turns(turns)
        ours = seconds.pop("ours")
        ratios = {name: median_ratio(others, ours) for name, others in seconds.items()}
        unrolled, usual = ratios.pop("unrolled"), ratios["PyTorch, batch_first=True, sparse=False"]
        milliseconds = 1e3 * statistics.median(ours)
        share = operations(sizes) / statistics.median(ours) / 1e9 / peak
        print(
            "{:6}{:4}{:4}{:4}{:4}".format(*sizes),
            f"{milliseconds:10.2f} {usual:7.2f} × {min(ratios.values()):6.2f} ×",
            f"{unrolled:7.2f} × {share:8.0%} {memory(turns['ours']) / 1e6:11.2f}",
            flush=True,
        )
    if threads == 1:
        V, D, H, N, _ = SIZES[1]
        print("Memory of a step at", "V={}, D={}, H={}, N={}".format(*SIZES[1]), "as T grows:")
        for T in (50, 100, 200, 400):
            size = memory(contestants((V, D, H, N, T))["ours"])
            print(f"  T = {T:3}: {size / 1e6:5.1f} MB, {size / T / 1e3:.1f} kB a step")


def data(sizes):
    """Return random tokens, and random tokens to follow them."""
    V, _, _, N, T = sizes
    return np.random.default_rng(0).integers(V, size=(2, N, T))


def contestants(sizes):
    """Return a training step of each model, all with the same weights and data."""
    V, D, H, *_ = sizes
    ours = SimpleRnnlm(V, D, H, rng=np.random.default_rng(1))
    xs, ts = data(sizes)
    steps = {
        "ours": partial(numpy_step, ours, SGD(0.1), xs, ts),
        "unrolled": partial(numpy_step, unrolled_model(ours), SGD(0.1), xs, ts),
    }
    for batch_first, sparse in product((True, False), repeat=2):
        model = TorchModel(ours.params, batch_first, sparse)
        tokens = [torch.tensor(x if batch_first else x.T.copy()) for x in (xs, ts)]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        name = f"PyTorch, {batch_first=}, {sparse=}"
        steps[name] = partial(torch_step, model, optimizer, *tokens)
    losses = np.array([[step() for _ in range(3)] for step in steps.values()])
    if np.ptp(losses, axis=0).max() > 1e-5:
        sys.exit(f"the models disagree: {losses}")
    return steps


def numpy_step(model, optimizer, xs, ts):
    loss = model.forward(xs, ts)
    model.backward()
    optimizer.update(model.params, model.grads)
    return float(loss)


def torch_step(model, optimizer, xs, ts):
    optimizer.zero_grad()
    loss = model(xs, ts)
    loss.backward()
    optimizer.step()
    return loss.item()


def unrolled_model(model):
    """Return the same model as the chapters build it, step by step, with weights of its own."""
    params = {name: param.copy() for name, param in model.params.items()}
    cell = RNNCell(params["rnn.Wx"], params["rnn.Wh"], params["rnn.b"])
    layers = Sequential(
        embed=TimeEmbedding(params["embed.W"]),
        rnn=Unrolled(cell, stateful=True),
        affine=TimeAffine(params["affine.W"], params["affine.b"]),
    )
    return Network(layers, TimeSoftmaxWithLoss())


def take_turns(steps):
    """Return the seconds a step takes, for each name a list with an entry for each round.

    Before each turn there is a rest, in which the idle threads of the one before fall
    asleep, and a step that does not count. The order changes from round to round.
    """
    repeats, seconds = {}, {name: [] for name in steps}
    for name, step in steps.items():
        start = time.perf_counter()
        step()
        repeats[name] = max(1, round(SECONDS_A_TURN / (time.perf_counter() - start)))
    order = random.Random(0)
    for _ in range(ROUNDS):
        for name in order.sample(list(steps), len(steps)):
            time.sleep(REST)
            steps[name]()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                steps[name]()
            seconds[name].append((time.perf_counter() - start) / repeats[name])
    return seconds


def median_ratio(theirs, ours):
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))


def matrix_product_peak(kind=lambda a: a, n=2048, repeats=5):
    """Return the GFLOP/s of multiplying large matrices of some kind, the best of a few runs."""
    a = kind(np.random.default_rng(0).standard_normal((n, n), dtype=np.float32))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds) / 1e9


def operations(sizes):
    """Return the multiplications and additions in the matrix products of a step."""
    V, D, H, N, T = sizes
    tokens = len(np.unique(data(sizes)[0]))
    return 3 * 2 * (tokens * D * H + N * T * H * (H + V))  # forward, and twice as much back


def memory(step):
    """Return how many bytes a step allocates at its peak; NumPy reports to tracemalloc."""
    step()
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if len(sys.argv) == 1:
    main()
else:
    import numpy as np
    import torch

    from rnnbook import SGD, RNNCell, SimpleRnnlm, TimeAffine, TimeEmbedding, TimeSoftmaxWithLoss
    from rnnbook.models import Network, Sequential
    from rnnbook.recurrent import Unrolled

    class TorchModel(torch.nn.Module):
        """The same model, put together from PyTorch's own layers."""

        def __init__(self, params, batch_first, sparse):
            super().__init__()
            (V, D), H = params["embed.W"].shape, len(params["rnn.Wh"])
            self.embed = torch.nn.Embedding(V, D, sparse=sparse)
            self.rnn = torch.nn.RNN(D, H, batch_first=batch_first)
            self.affine = torch.nn.Linear(H, V)
            ours = {name: torch.tensor(param) for name, param in params.items()}
            self.load_state_dict(
                {
                    "embed.weight": ours["embed.W"],
                    "rnn.weight_ih_l0": ours["rnn.Wx"].T,
                    "rnn.weight_hh_l0": ours["rnn.Wh"].T,
                    "rnn.bias_ih_l0": ours["rnn.b"],
                    "rnn.bias_hh_l0": torch.zeros(H),
                    "affine.weight": ours["affine.W"].T,
                    "affine.bias": ours["affine.b"],
                }
            )
            self.rnn.bias_hh_l0.requires_grad = False  # one bias, as ours has
            self.h = None

        def forward(self, xs, ts):
            hs, h = self.rnn(self.embed(xs), self.h)
            self.h = h.detach()
            scores = self.affine(hs)
            return torch.nn.functional.cross_entropy(scores.flatten(0, 1), ts.flatten())

    torch.set_num_threads(int(sys.argv[1]))
    measure(int(sys.argv[1]))
