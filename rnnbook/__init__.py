"""Recurrent neural networks from scratch: the package under the book.

Read it from the bottom up: `functions`, `layers`, `recurrent`, `gradcheck`, `data`,
`training`, `models`. Then `checks`, `plots` and `widgets`, which serve the book's pages.
"""

from .functions import perplexity
from .gradcheck import GradientError, check_gradients, numerical_gradient
from .layers import (
    AddLayer,
    Affine,
    Embedding,
    MulLayer,
    ReLU,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
    TimeAffine,
    TimeEmbedding,
    TimeSoftmaxWithLoss,
)
from .models import BinaryAdder, CharRNN, SimpleRnnlm, TwoLayerNet
from .recurrent import GRUCell, LSTMCell, RNNCell, TimeGRU, TimeLSTM, TimeRNN
from .training import SGD, Adam, clip_gradients, truncated_bptt_batches

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "AddLayer",
    "Affine",
    "BinaryAdder",
    "CharRNN",
    "Embedding",
    "GRUCell",
    "GradientError",
    "LSTMCell",
    "MulLayer",
    "RNNCell",
    "ReLU",
    "Sigmoid",
    "SimpleRnnlm",
    "SoftmaxWithLoss",
    "Tanh",
    "TimeAffine",
    "TimeEmbedding",
    "TimeGRU",
    "TimeLSTM",
    "TimeRNN",
    "TimeSoftmaxWithLoss",
    "TwoLayerNet",
    "check_gradients",
    "clip_gradients",
    "numerical_gradient",
    "perplexity",
    "truncated_bptt_batches",
]
