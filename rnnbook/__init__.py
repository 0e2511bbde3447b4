"""Recurrent neural networks from scratch: the package under the book.

Read it from the bottom up: `functions`, `layers`, `recurrent`, `gradcheck`, `data`,
`training`, `models`. Then `checks`, `plots` and `widgets`, which serve the book's pages.
``python -m rnnbook TEXT`` trains a language model on a text of your own.
"""

from .data import Vocabulary, detokenize, house_that_jack_built, load_text, split_text, tokenize
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
from .models import BinaryAdder, CharRNN, GatedRnnlm, SimpleRnnlm, TwoLayerNet
from .recurrent import GRUCell, LSTMCell, RNNCell, TimeGRU, TimeLSTM, TimeRNN
from .training import SGD, Adam, TextRun, clip_gradients, truncated_bptt_batches

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
    "GatedRnnlm",
    "GradientError",
    "LSTMCell",
    "MulLayer",
    "RNNCell",
    "ReLU",
    "Sigmoid",
    "SimpleRnnlm",
    "SoftmaxWithLoss",
    "Tanh",
    "TextRun",
    "TimeAffine",
    "TimeEmbedding",
    "TimeGRU",
    "TimeLSTM",
    "TimeRNN",
    "TimeSoftmaxWithLoss",
    "TwoLayerNet",
    "Vocabulary",
    "check_gradients",
    "clip_gradients",
    "detokenize",
    "house_that_jack_built",
    "load_text",
    "numerical_gradient",
    "perplexity",
    "split_text",
    "tokenize",
    "truncated_bptt_batches",
]
