"""How much faster backpropagation is than numerical differentiation, side by side."""

import time
from functools import partial

import numpy as np

from rnnbook import TwoLayerNet, numerical_gradient


def seconds(work, repeats=1):
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def backpropagate(net, x, t):
    net.forward(x, t)
    net.backward()


def nudge(net, x, t):
    for param in net.params.values():
        numerical_gradient(lambda _: net.forward(x, t), param)


print("gradients of TwoLayerNet, batch of 3, float64, one run")
for D, H, C in ((64, 50, 10), (784, 50, 10)):
    rng = np.random.default_rng(0)
    net = TwoLayerNet(D, H, C, rng=rng)
    x, t = rng.random((3, D)), rng.integers(C, size=3)
    numerical = seconds(partial(nudge, net, x, t))
    backprop = seconds(partial(backpropagate, net, x, t), repeats=5_000)
    evaluations = 2 * sum(param.size for param in net.params.values())
    print(f"{D}-{H}-{C}: {evaluations:,} evaluations, {numerical / backprop:,.0f} times the time")
