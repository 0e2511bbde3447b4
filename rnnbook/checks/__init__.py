"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each check takes what the reader wrote and returns a `Verdict`. It runs the code on small
examples, with all sizes different, and compares the numbers with the right ones. Where they
disagree it looks for a known slip that gives exactly the reader's numbers. There is one
module a chapter; `verdict` runs the reader's code, `guard` sees that it comes back,
`compare` compares, and `way_back` walks back through a network, also with a slip.
"""

from .backpropagation import leaky_relu, mean_squared_error, softmax_layer
from .binary_addition import comparator, negate, tanh_backward
from .computational_graphs import div_layer, shop, sub_layer
from .errata import rnnlm, time_rnn
from .gates import forget_bias, gru_step, lstm_backward
from .gradients_through_time import clip_by_norm, recall_by_hand, window_backward
from .hello import char_backward, culprits, is_gradient
from .memory import parity, rnn_step, window_needed
from .rnn_language_model import draw_token, perplexity_of, text_batch, time_affine_backward
from .verdict import Verdict

__all__ = [
    "Verdict",
    "char_backward",
    "clip_by_norm",
    "comparator",
    "culprits",
    "div_layer",
    "draw_token",
    "forget_bias",
    "gru_step",
    "is_gradient",
    "leaky_relu",
    "lstm_backward",
    "mean_squared_error",
    "negate",
    "parity",
    "perplexity_of",
    "recall_by_hand",
    "rnn_step",
    "rnnlm",
    "shop",
    "softmax_layer",
    "sub_layer",
    "tanh_backward",
    "text_batch",
    "time_affine_backward",
    "time_rnn",
    "window_backward",
    "window_needed",
]
