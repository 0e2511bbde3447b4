"""The digit run of the chapter *Backpropagation* on full MNIST, over five seeds.

    python benchmarks/mnist.py FOLDER

FOLDER holds the four IDX files, gzipped or not. Takes about half a minute.
"""

import sys

import numpy as np

from rnnbook import SGD, TwoLayerNet
from rnnbook.data import load_mnist
from rnnbook.training import train

if len(sys.argv) != 2:
    sys.exit(__doc__.strip())
data = load_mnist(sys.argv[1], dtype=np.float32)
for seed in range(5):
    rng = np.random.default_rng(seed)
    net = TwoLayerNet(784, 50, 10, rng=rng, dtype=np.float32)
    history = train(
        net,
        SGD(lr=0.1),
        data.x_train,
        data.t_train,
        batch_size=100,
        steps=10_000,
        rng=rng,
        held_out=(data.x_test, data.t_test),
    )
    accuracy, held_out = history.accuracy[-1], history.held_out_accuracy[-1]
    print(f"seed {seed}: training {accuracy:.4f}, held out {held_out:.4f}", flush=True)
