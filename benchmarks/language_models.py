"""Language models beside PyTorch: training, evaluating, writing, memory; and how each grows.

    python benchmarks/language_models.py

A training step is forward, backward and an update by SGD, in float32. All models begin with
the same weights, and their losses must agree over three steps before anything is timed. Then
they take turns, many rounds long; each ratio is the median over the rounds of their time
divided by ours, and PyTorch is there with the fastest of its ways: either layout, and, for the
plain RNN, with sparse gradients of the embedding too.
"Of peak" is the share of the speed that NumPy reaches, in the same run, at multiplying large
matrices and nothing else. The slower ways are a layer for each step, as tutorials write it, and
`Unrolled`, our own definition.

Memory is the growth of the peak of a fresh process over one step, after a small one has warmed
it up. The figure `growth.png`, in ``_build/bench``, shows how the time of a step grows with
each size.
"""

import json
import os
import statistics
import subprocess
import sys
from functools import partial
from itertools import product
from pathlib import Path

SIZES = [  # V, D, H, N, T
    (418, 100, 100, 10, 5),
    (65, 64, 128, 32, 50),
    (10000, 100, 100, 20, 35),
    (27, 16, 16, 1, 25),
    (65, 256, 256, 64, 64),
]
CELLS = ("rnn", "lstm", "gru")
THREADS = (1, 2)
FIGURE = Path(__file__).parents[1] / "_build" / "bench" / "growth.png"


def main():
    """Measure each number of threads in a process of its own, as BLAS wants it."""
    one, two = (
        json.loads(in_a_process("measure", threads=n, output=subprocess.PIPE)) for n in THREADS
    )
    print(f"One training step, float32, beside {one['versions']}.")
    print("Large products, one thread: {} GFLOP/s.\n".format(one["peaks"]))
    print("| | V | D | H | N | T | ms | PyTorch takes, 1 thread | 2 threads | of peak |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for (cell, sizes), first, second in zip(
        steps_measured(), one["steps"], two["steps"], strict=True
    ):
        row = first["ms"], first["PyTorch"], second["PyTorch"], first["of peak"]
        print(
            f"| {cell} |",
            " | ".join(map(str, sizes)),
            "| {:.2f} | {:.2f} × | {:.2f} × | {:.1%} |".format(*row),
        )
    print("\nThe plain RNN beside slower ways to write it, one thread:\n")
    print(
        "| V | D | H | N | T | layers of one step each | unrolled |\n|--:|--:|--:|--:|--:|--:|--:|"
    )
    for sizes, row in zip(SIZES, one["steps"], strict=False):
        print(
            "|", " | ".join(map(str, sizes)), f"| {row['plain']:.2f} × | {row['unrolled']:.2f} × |"
        )
    print("\nV 65, D 64, H 128, one thread: PyTorch takes\n")
    print("| | to evaluate 2,000 tokens | to write 200 |\n|---|--:|--:|")
    for cell, row in zip(CELLS, one["uses"], strict=True):
        print(f"| {cell} | {row['evaluate']:.2f} × | {row['sample']:.2f} × |")
    print("\nMemory: the growth of the peak over one step, MB, ours and PyTorch's\n")
    print("| | V | D | H | N | T | ours | PyTorch |\n|---|--:|--:|--:|--:|--:|--:|--:|")
    for cell, sizes in product(CELLS, [*SIZES, *((65, 64, 128, 32, T) for T in (100, 200, 400))]):
        grown = [
            float(in_a_process("grown", who, cell, json.dumps(sizes), output=subprocess.PIPE))
            for who in ("ours", "theirs")
        ]
        print(
            f"| {cell} |",
            " | ".join(map(str, sizes)),
            "| {:.1f} | {:.1f} |".format(*grown),
            flush=True,
        )
    in_a_process("growth")


def steps_measured():
    """Return each cell with each size, in the order of the tables."""
    return list(product(CELLS, SIZES))


def in_a_process(job, *arguments, threads=1, output=None):
    """Run one of the jobs below in a fresh process."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    command = [sys.executable, __file__, job, *map(str, arguments)]
    env = {**os.environ, **dict.fromkeys(names, str(threads))}
    ran = subprocess.run(command, env=env, check=True, text=True, stdout=output)
    return ran.stdout


def measure():
    """Print, as JSON, all that is measured with one number of threads."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    peak, theirs = matrix_product_peak(), matrix_product_peak(torch.from_numpy)
    found = {
        "versions": f"PyTorch {torch.__version__}, with NumPy {np.__version__}",
        "peaks": f"NumPy {peak:.0f}, PyTorch {theirs:.0f}",
        "steps": [
            step_times(cell, sizes, peak) for cell, sizes in progress(steps_measured(), "steps")
        ],
        "uses": [use_times(cell) for cell in CELLS],
    }
    print(json.dumps(found))


def step_times(cell, sizes, peak):
    """Return how long a training step takes, and how many times as long others take."""
    seconds = take_turns(contestants(cell, sizes, others=cell == "rnn"))
    ours = seconds.pop("ours")
    ratios = {name: median_ratio(others, ours) for name, others in seconds.items()}
    found = {name: ratios.pop(name) for name in ("plain", "unrolled") if name in ratios}
    found["PyTorch"] = min(ratios.values())
    found["ms"] = 1e3 * statistics.median(ours)
    found["of peak"] = operations(cell, sizes) / statistics.median(ours) / 1e9 / peak
    return found


def use_times(cell):
    """Return how many times as long PyTorch takes to evaluate a stream, and to write."""
    ours, tokens = new_model(cell, SIZES[1][:3]), np.random.default_rng(1).integers(65, size=2001)
    theirs, stream, rng = (
        TorchModel(ours.params, cell),
        torch.tensor(tokens),
        np.random.default_rng(0),
    )
    if abs(ours.evaluate(tokens) - theirs.evaluate(stream)) > 1e-4:
        sys.exit("the models disagree on a stream")
    pairs = {
        "evaluate": (partial(ours.evaluate, tokens), partial(theirs.evaluate, stream)),
        "sample": (partial(ours.sample, 0, 200, rng=rng), partial(theirs.sample, 0, 200)),
    }
    found = {}
    for use, pair in pairs.items():
        seconds = take_turns(dict(zip(("ours", "theirs"), pair, strict=True)))
        found[use] = median_ratio(seconds["theirs"], seconds["ours"])
    return found


def new_model(cell, sizes):
    rng = np.random.default_rng(1)
    return SimpleRnnlm(*sizes, rng=rng) if cell == "rnn" else GatedRnnlm(*sizes, rng=rng, cell=cell)


def data(sizes):
    """Return random tokens, and random tokens to follow them."""
    V, _, _, N, T = sizes
    return np.random.default_rng(0).integers(V, size=(2, N, T))


def contestants(cell, sizes, others=False):
    """Return a training step of each model, all with the same weights and data."""
    ours, (xs, ts) = new_model(cell, sizes[:3]), data(sizes)
    steps = {"ours": partial(learn, ours, SGD(0.1), (xs, ts))}
    if others:
        steps["unrolled"] = partial(learn, unrolled_model(ours), SGD(0.1), (xs, ts))
        steps["plain"] = partial(PlainModel(ours.params).step, xs, ts)
    for batch_first, sparse in product((True, False), (True, False) if others else (False,)):
        model = TorchModel(ours.params, cell, batch_first, sparse)
        tokens = [torch.tensor(x if batch_first else x.T.copy()) for x in (xs, ts)]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        steps[f"PyTorch, {batch_first=}, {sparse=}"] = partial(model.step, optimizer, *tokens)
    losses = np.array([[step() for _ in range(3)] for step in steps.values()])
    if np.ptp(losses, axis=0).max() > 1e-5 * losses.max():
        sys.exit(f"the models disagree: {dict(zip(steps, losses, strict=True))}")
    return steps


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


def operations(cell, sizes):
    """Return the multiplications and additions in the matrix products of a step."""
    (V, D, H, N, T), G = sizes, {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    tokens = len(np.unique(data(sizes)[0]))
    return 3 * 2 * (tokens * D * G * H + N * T * H * (G * H + V))  # forward, twice as much back


def grown(who, cell, sizes):
    """Print by how many MB the peak of this process grows over one step."""
    torch.set_num_threads(1)
    sizes = json.loads(sizes)
    ours, (xs, ts) = new_model(cell, sizes[:3]), data(sizes)
    if who == "ours":
        step = partial(learn, ours, SGD(0.1))
    else:
        model = TorchModel(ours.params, cell)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        step = lambda batch: model.step(optimizer, *map(torch.tensor, batch))  # noqa: E731
    for _ in range(3):
        step((xs[:, :3], ts[:, :3]))
    before = peak_memory()
    step((xs, ts))
    print(peak_memory() - before)


def peak_memory():
    """Return the most memory that this process has had, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1e6 if sys.platform == "darwin" else 1e3)


def growth():
    """Draw how the time of a step grows with each size, the others as in the second row."""
    torch.set_num_threads(1)
    base = dict(zip("VDHNT", SIZES[1], strict=True))
    values = {"H": (16, 32, 64, 128, 256), "T": (5, 10, 25, 50, 100), "N": (1, 4, 16, 32, 64)}
    values["V"] = (30, 100, 300, 1000, 3000)
    plots.use_style()
    fig, axes = plt.subplots(2, 2, figsize=(9, 7), sharey=True)
    styles = {"rnn": (plots.BLUE, "o"), "lstm": (plots.VERMILION, "s"), "gru": (plots.GREEN, "^")}
    for ax, (name, sizes) in zip(axes.flat, values.items(), strict=True):
        for cell, (color, mark) in styles.items():
            times = []
            for size in sizes:
                steps = contestants(cell, tuple((base | {name: size}).values()))
                seconds = take_turns(steps, rounds=7, seconds_a_turn=0.03)
                medians = {who: 1e3 * statistics.median(each) for who, each in seconds.items()}
                times.append([medians.pop("ours"), min(medians.values())])
            for line, ls, who in zip(
                np.transpose(times), ("-", ":"), ("", ", PyTorch"), strict=True
            ):
                ax.plot(sizes, line, marker=mark, color=color, ls=ls, label=f"{cell}{who}")
        ax.set(xscale="log", yscale="log", xlabel=name, xticks=sizes, xticklabels=sizes)
        ax.minorticks_off()
    axes[0, 0].legend(fontsize=10)
    for ax in axes[:, 0]:
        ax.set_ylabel("ms a step")
    fig.suptitle("One training step, one thread; else V 65, D 64, H 128, N 32, T 50")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(FIGURE, dpi=120)
    print(f"\nHow a step grows: {os.path.relpath(FIGURE)}")


if len(sys.argv) == 1:
    main()
else:
    import resource

    import matplotlib.pyplot as plt
    import numpy as np
    import torch
    from opponents import PlainModel, TorchModel
    from turns import matrix_product_peak, median_ratio, take_turns

    from rnnbook import (
        SGD,
        GatedRnnlm,
        RNNCell,
        SimpleRnnlm,
        TimeAffine,
        TimeEmbedding,
        TimeSoftmaxWithLoss,
        plots,
    )
    from rnnbook.models import Network, Sequential
    from rnnbook.optimizers import learn
    from rnnbook.recurrent import Unrolled
    from rnnbook.training import progress

    jobs = {"measure": measure, "grown": grown, "growth": growth}
    jobs[sys.argv[1]](*sys.argv[2:])
