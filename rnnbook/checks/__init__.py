"""Feedback on exercises that tries to say *what* is wrong, not only that it is.

Each check takes what the reader wrote and returns a `Verdict`. It runs the code on small
examples, with all sizes different, and compares the numbers with the right ones. Where they
disagree it looks for a known slip that gives exactly the reader's numbers. There is one
module a chapter; `verdict` runs the reader's code, `guard` sees that it comes back, and
`compare` compares.
"""

from .computational_graphs import div_layer, shop, sub_layer
from .errata import rnnlm, time_rnn
from .gates import forget_bias, gru_step, lstm_backward
from .verdict import Verdict

__all__ = [
    "Verdict",
    "div_layer",
    "forget_bias",
    "gru_step",
    "lstm_backward",
    "rnnlm",
    "shop",
    "sub_layer",
    "time_rnn",
]
