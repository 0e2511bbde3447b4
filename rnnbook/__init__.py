"""Recurrent neural networks from scratch: the package under the book.

Read it from the bottom up: `functions`, `layers`, `cells`, `recurrent`, `gradcheck`, `data`,
`network`, `side_by_side`, `language`, `models`, `optimizers`, `batches`, `textrun`, `training`.
Then `checks`, `plots` and `widgets`, which serve the book's pages.
``python -m rnnbook TEXT`` trains a language model on a text of your own.
"""

from .batches import truncated_bptt_batches
from .cells import GRUCell, LSTMCell, RNNCell
from .data import (
    Vocabulary,
    alice_opening,
    detokenize,
    house_that_jack_built,
    load_text,
    split_text,
    tokenize,
)
from .functions import perplexity
from .gradcheck import GradientError, check_gradients, numerical_gradient
from .language import GatedRnnlm, SimpleRnnlm
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
from .models import BinaryAdder, CharRNN, TwoLayerNet
from .optimizers import SGD, Adam, clip_gradients
from .recurrent import TimeGRU, TimeLSTM, TimeRNN
from .textrun import TextRun

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
    "alice_opening",
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
