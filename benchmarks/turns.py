"""How the benchmarks take time: contestants in turns, many rounds, ratios within a round."""

import random
import statistics
import time

import numpy as np

REST = 0.02


def take_turns(steps, rounds=15, seconds_a_turn=0.05):
    """Return the seconds a step takes, for each name a list with an entry for each round.

    Before each turn there is a rest, in which the idle threads of the one before fall
    asleep, and a step that does not count. The order changes from round to round.
    """
    repeats, seconds = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        step()
        repeats[name] = max(1, round(seconds_a_turn / (time.perf_counter() - start)))
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(steps), len(steps)):
            time.sleep(REST)
            steps[name]()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                steps[name]()
            seconds[name].append((time.perf_counter() - start) / repeats[name])
    return seconds


def median_ratio(theirs, ours):
    """Return how many times as long they take, the median over the rounds."""
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
